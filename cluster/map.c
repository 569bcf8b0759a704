#include "cluster/map.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/map_private.h"

#define ARENA_BYTES ((size_t)16 * 1024 * 1024)
#define DAY_NS      (INT64_C(86400) * 1000000000)
#define SECOND_NS   INT64_C(1000000000)

struct slg_map_owned *slg_map_owned_create(void)
{
    struct slg_map_owned *owned = calloc(1, sizeof(*owned));

    if (owned == NULL)
        return NULL;
    atomic_init(&owned->ref_count, 1);
    owned->arena = slg_arena_create(ARENA_BYTES);
    if (owned->arena == NULL) {
        free(owned);
        return NULL;
    }
    return owned;
}

struct slg_map *slg_map_ref(struct slg_map *map)
{
    struct slg_map_owned *owned = (struct slg_map_owned *)(void *)map;

    atomic_fetch_add_explicit(&owned->ref_count, 1, memory_order_relaxed);
    return map;
}

void slg_map_unref(struct slg_map *map)
{
    struct slg_map_owned *owned = (struct slg_map_owned *)(void *)map;

    if (map == NULL || atomic_fetch_sub_explicit(&owned->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    slg_arena_destroy(owned->arena);
    free(owned);
}

/* ---- rules ---- */

static enum slg_status check_layout(const struct slg_map *map, const struct slg_map_layout *layout,
                                    size_t layout_index, struct slg_error *reterr)
{
    if (layout->share_count == 0 || layout->share_count > map->node_count)
        return slg_errorf(reterr, SLG_INVALID, "layouts[%zu].nodes: %zu of %zu nodes", layout_index,
                          layout->share_count, map->node_count);
    if (layout->replication < 1 || layout->replication > layout->share_count ||
        layout->replication > SLG_MAP_REPLICATION_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "layouts[%zu].replication: %u copies cannot be kept on %zu nodes",
                          layout_index, layout->replication, layout->share_count);
    if (layout->write_quorum < 1 || layout->write_quorum > layout->replication)
        return slg_errorf(reterr, SLG_INVALID, "layouts[%zu].write_quorum: %u is not in 1 to %u",
                          layout_index, layout->write_quorum, layout->replication);
    if (layout->write_quorum_min < 1 || layout->write_quorum_min > layout->write_quorum)
        return slg_errorf(reterr, SLG_INVALID,
                          "layouts[%zu].write_quorum_min: %u is not in 1 to %u", layout_index,
                          layout->write_quorum_min, layout->write_quorum);
    if (layout->slot_count < 1)
        return slg_errorf(reterr, SLG_INVALID, "layouts[%zu].slots: 0 is not in 1 to 65535",
                          layout_index);
    if (layout->window_length_ns < SECOND_NS || DAY_NS % layout->window_length_ns != 0)
        return slg_errorf(reterr, SLG_INVALID,
                          "layouts[%zu].window_seconds: %lld s does not divide a day", layout_index,
                          (long long)(layout->window_length_ns / SECOND_NS));
    return SLG_OK;
}

static enum slg_status check_map(const struct slg_map *map, struct slg_error *reterr)
{
    if (map->cluster_id == NULL || map->cluster_id[0] == '\0')
        return slg_errorf(reterr, SLG_INVALID, "cluster: the map names no cluster");
    if (map->node_count == 0)
        return slg_errorf(reterr, SLG_INVALID, "nodes: the map has no nodes");
    for (size_t i = 0; i < map->node_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(map->nodes[i].id, map->nodes[j].id) == 0)
                return slg_errorf(reterr, SLG_INVALID, "nodes[%zu].id: \"%s\" is there twice", i,
                                  map->nodes[i].id);
        }
    }
    if (map->layout_count == 0 || map->layouts[0].from_window_ns != INT64_MIN)
        return slg_errorf(reterr, SLG_INVALID, "layouts: the first must be without \"from_ns\"");
    for (size_t i = 0; i < map->layout_count; i++) {
        enum slg_status status = check_layout(map, &map->layouts[i], i, reterr);

        if (status != SLG_OK)
            return status;
        if (i > 0 && map->layouts[i].from_window_ns <= map->layouts[i - 1].from_window_ns)
            return slg_errorf(reterr, SLG_INVALID,
                              "layouts[%zu].from_ns: not after the layout before it", i);
        if (i > 0 && map->layouts[i].from_window_ns % DAY_NS != 0 &&
            map->layouts[i].window_length_ns != map->layouts[i - 1].window_length_ns)
            return slg_errorf(reterr, SLG_INVALID,
                              "layouts[%zu].from_ns: a new window length must begin at a UTC day",
                              i);
    }
    return SLG_OK;
}

enum slg_status slg_map_seal(struct slg_map_owned *owned, struct slg_error *reterr)
{
    struct slg_buf text;
    enum slg_status status = check_map(&owned->map, reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&text, SLG_MAP_BYTES_MAX);
    slg_map_print(&owned->map, &text);
    if (slg_buf_failed(&text))
        status = slg_errorf(reterr, SLG_LIMIT, "the map is over %zu bytes", SLG_MAP_BYTES_MAX);
    else
        owned->map.hash = slg_hash_xxh3_128(text.data, text.len);
    slg_buf_fini(&text);
    return status;
}

/* ---- printing ---- */

static const char *node_state_text(enum slg_node_state state)
{
    switch (state) {
    case SLG_NODE_ACTIVE:
        return "active";
    case SLG_NODE_DRAINING:
        return "draining";
    case SLG_NODE_REMOVED:
        return "removed";
    }
    return "active";
}

static void print_node(const struct slg_map_node *node, struct slg_buf *out)
{
    slg_buf_append_text(out, "{\"id\":");
    slg_buf_append_json_text(out, node->id);
    slg_buf_append_text(out, ",\"address\":");
    slg_buf_append_json_text(out, node->address);
    slg_buf_append_text(out, ",\"zone\":");
    slg_buf_append_json_text(out, node->zone);
    slg_buf_printf(out, ",\"state\":\"%s\"}", node_state_text(node->state));
}

static void print_layout(const struct slg_map *map, const struct slg_map_layout *layout,
                         struct slg_buf *out)
{
    slg_buf_append_text(out, "{");
    if (layout->from_window_ns != INT64_MIN)
        slg_buf_printf(out, "\"from_ns\":%lld,", (long long)layout->from_window_ns);
    slg_buf_printf(out,
                   "\"window_seconds\":%lld,\"replication\":%u,\"write_quorum\":%u,"
                   "\"write_quorum_min\":%u,\"slots\":%u,\"nodes\":[",
                   (long long)(layout->window_length_ns / SECOND_NS), layout->replication,
                   layout->write_quorum, layout->write_quorum_min, layout->slot_count);
    for (size_t i = 0; i < layout->share_count; i++) {
        slg_buf_append_text(out, i == 0 ? "{\"id\":" : ",{\"id\":");
        slg_buf_append_json_text(out, map->nodes[layout->shares[i].node_index].id);
        slg_buf_printf(out, ",\"weight\":%u}", layout->shares[i].weight);
    }
    slg_buf_append_text(out, "]}");
}

static void print_override(const struct slg_map *map, const struct slg_map_override *override,
                           struct slg_buf *out)
{
    slg_buf_printf(out,
                   "{\"window_ns\":%lld,\"window_seconds\":%lld,\"slot\":%u,\"slots\":%u,"
                   "\"nodes\":[",
                   (long long) override->shard.window_ns,
                   (long long)(override->shard.length_ns / SECOND_NS), override->shard.slot,
                   override->shard.slot_count);
    for (size_t i = 0; i < override->node_count; i++) {
        if (i > 0)
            slg_buf_append_byte(out, ',');
        slg_buf_append_json_text(out, map->nodes[override->node_indexes[i]].id);
    }
    slg_buf_append_text(out, "]}");
}

void slg_map_print(const struct slg_map *map, struct slg_buf *out)
{
    slg_buf_append_text(out, "{\"version\":1,\"cluster\":");
    slg_buf_append_json_text(out, map->cluster_id);
    slg_buf_printf(out, ",\"epoch\":%llu,\n\"nodes\":[", (unsigned long long)map->epoch);
    for (size_t i = 0; i < map->node_count; i++) {
        slg_buf_append_text(out, i == 0 ? "\n" : ",\n");
        print_node(&map->nodes[i], out);
    }
    slg_buf_append_text(out, "],\n\"layouts\":[");
    for (size_t i = 0; i < map->layout_count; i++) {
        slg_buf_append_text(out, i == 0 ? "\n" : ",\n");
        print_layout(map, &map->layouts[i], out);
    }
    slg_buf_append_text(out, "],\n\"overrides\":[");
    for (size_t i = 0; i < map->override_count; i++) {
        slg_buf_append_text(out, i == 0 ? "\n" : ",\n");
        print_override(map, &map->overrides[i], out);
    }
    slg_buf_printf(out, "],\n\"retention_seconds\":%lld,\"keep_from_ns\":%lld}\n",
                   (long long)(map->retention_ns / SECOND_NS), (long long)map->keep_from_ns);
}

/* ---- files ---- */

enum slg_status slg_map_load(const char *path, struct slg_map **ret_map, struct slg_error *reterr)
{
    enum slg_status status;
    struct slg_buf text;

    slg_buf_init(&text, SLG_MAP_BYTES_MAX + 4096);
    status = slg_file_read(path, SLG_MAP_BYTES_MAX, &text, reterr);
    if (status != SLG_OK)
        (void)slg_error_context(reterr, "map file");
    else
        status = slg_map_parse((const char *)text.data, text.len, ret_map, reterr);
    if (status == SLG_INVALID)
        status = slg_error_context(reterr, "map file \"%s\"", path);
    slg_buf_fini(&text);
    return status;
}

static enum slg_status sync_directory_of(const char *path)
{
    char copy[4096];
    int fd, rc;

    if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
        return SLG_INVALID;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return SLG_IO;
    rc = fsync(fd);
    (void)close(fd); /* read only */
    return rc == 0 ? SLG_OK : SLG_IO;
}

static enum slg_status write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return SLG_IO;
        bytes += written;
        len -= (size_t)written;
    }
    return fsync(fd) == 0 ? SLG_OK : SLG_IO;
}

enum slg_status slg_map_save(const struct slg_map *map, const char *path, struct slg_error *reterr)
{
    enum slg_status status = SLG_IO;
    char fresh[4096];
    struct slg_buf text;
    int fd;

    if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
        return slg_errorf(reterr, SLG_INVALID, "the path of the map file is too long");
    slg_buf_init(&text, SLG_MAP_BYTES_MAX);
    slg_map_print(map, &text);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0 && !slg_buf_failed(&text))
        status = write_all(fd, text.data, text.len);
    if (fd >= 0 && close(fd) != 0)
        status = SLG_IO;
    if (status == SLG_OK && (rename(fresh, path) != 0 || sync_directory_of(path) != SLG_OK))
        status = SLG_IO;
    if (status != SLG_OK)
        (void)slg_errorf(reterr, status, "could not write the map file \"%s\": %s", path,
                         strerror(errno));
    slg_buf_fini(&text);
    return status;
}

enum slg_status slg_map_make_single(const struct slg_map_single_options *options,
                                    struct slg_map **ret_map, struct slg_error *reterr)
{
    struct slg_map_owned *owned = slg_map_owned_create();
    struct slg_map_node *node;
    struct slg_map_layout *layout;
    struct slg_map_share *share;
    enum slg_status status;

    if (owned == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map");
    node = slg_arena_calloc(owned->arena, 1, sizeof(*node));
    layout = slg_arena_calloc(owned->arena, 1, sizeof(*layout));
    share = slg_arena_calloc(owned->arena, 1, sizeof(*share));
    owned->map.cluster_id =
        slg_arena_copy(owned->arena, options->cluster_id, strlen(options->cluster_id));
    if (node == NULL || layout == NULL || share == NULL || owned->map.cluster_id == NULL) {
        slg_map_unref(&owned->map);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map");
    }
    node->id = slg_arena_copy(owned->arena, options->node_id, strlen(options->node_id));
    node->address = slg_arena_copy(owned->arena, options->address, strlen(options->address));
    node->zone = options->zone == NULL
                     ? ""
                     : slg_arena_copy(owned->arena, options->zone, strlen(options->zone));
    share->weight = 100;
    *layout = (struct slg_map_layout){ .from_window_ns = INT64_MIN,
                                       .window_length_ns = options->window_length_ns,
                                       .replication = 1,
                                       .write_quorum = 1,
                                       .write_quorum_min = 1,
                                       .slot_count = options->slot_count,
                                       .shares = share,
                                       .share_count = 1 };
    owned->map.epoch = 1;
    owned->map.nodes = node;
    owned->map.node_count = 1;
    owned->map.layouts = layout;
    owned->map.layout_count = 1;
    owned->map.retention_ns = options->retention_ns;
    status = node->id == NULL || node->address == NULL || node->zone == NULL
                 ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map")
                 : slg_map_seal(owned, reterr);
    if (status != SLG_OK) {
        slg_map_unref(&owned->map);
        return status;
    }
    *ret_map = &owned->map;
    return SLG_OK;
}

/* ---- time to shards ---- */

static size_t layout_index_at(const struct slg_map *map, int64_t ts_ns)
{
    size_t i = map->layout_count - 1;

    while (i > 0 && map->layouts[i].from_window_ns > ts_ns)
        i--;
    return i;
}

const struct slg_map_layout *slg_map_layout_at(const struct slg_map *map, int64_t ts_ns)
{
    return &map->layouts[layout_index_at(map, ts_ns)];
}

struct slg_shard_id slg_map_shard_of(const struct slg_map *map, int64_t ts_ns,
                                     const struct slg_stream_id *stream_id)
{
    const struct slg_map_layout *layout = slg_map_layout_at(map, ts_ns);

    return (struct slg_shard_id){ .window_ns = slg_window_start(ts_ns, layout->window_length_ns),
                                  .length_ns = layout->window_length_ns,
                                  .slot = slg_stream_slot(stream_id, layout->slot_count),
                                  .slot_count = layout->slot_count };
}

enum slg_status slg_map_shards_between(const struct slg_map *map, int64_t from_ns, int64_t to_ns,
                                       size_t shard_count_max, struct slg_arena *arena,
                                       struct slg_shard_id **ret_shards, size_t *ret_count)
{
    struct slg_shard_id *shards = NULL;
    size_t count = 0, capacity = 0;
    int64_t at = from_ns < 0 ? 0 : from_ns;

    while (at < to_ns) {
        const struct slg_map_layout *layout = slg_map_layout_at(map, at);
        int64_t window = slg_window_start(at, layout->window_length_ns);

        for (uint16_t slot = 0; slot < layout->slot_count; slot++) {
            if (count == shard_count_max)
                return SLG_LIMIT;
            if (count == capacity) {
                size_t grown = capacity == 0 ? 64 : capacity * 2;

                shards = slg_arena_grow(arena, shards, capacity, grown, sizeof(*shards));
                if (shards == NULL)
                    return SLG_LIMIT;
                capacity = grown;
            }
            shards[count++] = (struct slg_shard_id){ .window_ns = window,
                                                     .length_ns = layout->window_length_ns,
                                                     .slot = slot,
                                                     .slot_count = layout->slot_count };
        }
        if (__builtin_add_overflow(window, layout->window_length_ns, &at))
            break;
    }
    *ret_shards = shards;
    *ret_count = count;
    return SLG_OK;
}
