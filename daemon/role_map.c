/* The cluster map of this process: read from its file, or made for `silage all`. */
#include "base/log.h"
#include "base/units.h"
#include "daemon/role.h"

#define INPROC_ADDRESS "inproc://silage-storer"

static int64_t retention_ns(const struct slg_parts *parts)
{
    int64_t keep = slg_conf_number(parts->conf, "retention.default");

    return keep == SLG_CONF_FOREVER_VALUE ? 0 : keep;
}

static enum slg_status make_single(struct slg_parts *parts, const char *address,
                                   struct slg_error *reterr)
{
    struct slg_map_single_options options = {
        .cluster_id = slg_conf_text(parts->conf, "cluster.id"),
        .node_id = parts->node_id,
        .address = address,
        .zone = slg_conf_text(parts->conf, "node.zone"),
        .window_length_ns = slg_conf_number(parts->conf, "cluster.window"),
        .slot_count = (uint16_t)slg_conf_number(parts->conf, "cluster.slots"),
        .retention_ns = retention_ns(parts),
    };

    return slg_map_make_single(&options, &parts->map, reterr);
}

/* The window and slots of data that is there must not change with the settings: `all` keeps its first map in the data
 * directory, and only what may change is taken from the settings. */
static enum slg_status make_all(struct slg_parts *parts, struct slg_error *reterr)
{
    const char *dir = slg_conf_text(parts->conf, "node.data_dir");
    char *path = slg_arena_printf(parts->arena, "%s/map.json", dir);
    struct slg_map *kept = NULL;
    enum slg_status status;

    if (path == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map");
    status = make_single(parts, INPROC_ADDRESS, reterr);
    if (status != SLG_OK)
        return status;
    status = slg_map_load(path, &kept, reterr);
    if (status == SLG_NOT_FOUND)
        return slg_map_save(parts->map, path, reterr);
    if (status != SLG_OK)
        return status;
    if (kept->retention_ns == parts->map->retention_ns &&
        strcmp(kept->nodes[0].id, parts->node_id) == 0 &&
        strcmp(kept->nodes[0].zone, parts->map->nodes[0].zone) == 0 &&
        kept->layouts[0].window_length_ns == parts->map->layouts[0].window_length_ns &&
        kept->layouts[0].slot_count == parts->map->layouts[0].slot_count) {
        slg_map_unref(parts->map);
        parts->map = kept;
        return SLG_OK;
    }
    if (kept->layouts[0].window_length_ns != parts->map->layouts[0].window_length_ns ||
        kept->layouts[0].slot_count != parts->map->layouts[0].slot_count) {
        slg_map_unref(kept);
        return slg_error_hintf(reterr, SLG_INVALID,
                               "set them back, or begin with an empty data directory",
                               "cluster.window or cluster.slots differ from the map in \"%s\", "
                               "by which the data is stored",
                               path);
    }
    slg_map_unref(kept);
    return slg_map_save(parts->map, path, reterr); /* another retention, name or zone */
}

static enum slg_status load_file(struct slg_parts *parts, const char *path,
                                 struct slg_error *reterr)
{
    enum slg_status status = slg_map_load(path, &parts->map, reterr);
    char keep[SLG_UNITS_TEXT_MAX];

    if (status != SLG_OK)
        return status;
    slg_units_print_duration(parts->map->retention_ns, keep);
    slg_log_info("map read path=%s cluster=%s epoch=%llu nodes=%zu retention=%s", path,
                 parts->map->cluster_id, (unsigned long long)parts->map->epoch,
                 parts->map->node_count, parts->map->retention_ns == 0 ? "forever" : keep);
    return SLG_OK;
}

enum slg_status slg_parts_make_map(struct slg_parts *parts, struct slg_error *reterr)
{
    const char *where = slg_conf_text(parts->conf, "cluster.map");
    const char *listen = slg_conf_text(parts->conf, "transport.listen");
    char *address;

    if (strncmp(where, "file:", 5) == 0)
        return load_file(parts, where + 5, reterr);
    if (where[0] != '\0')
        return slg_error_hintf(reterr, SLG_UNSUPPORTED, "write file:/PATH",
                               "cluster.map: \"%s\": only map files are supported yet", where);
    if (parts->role == SLG_ROLE_ALL)
        return make_all(parts, reterr);
    /* One storer on one host needs no map file: every process makes the same map from its settings. */
    if (slg_conf_text(parts->conf, "transport.advertise")[0] != '\0')
        listen = slg_conf_text(parts->conf, "transport.advertise");
    address = slg_arena_printf(
        parts->arena, "%s://%s",
        slg_parts_path(parts, "transport.tls.cert") == NULL ? "tcp" : "tls+tcp", listen);
    if (address == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map");
    return make_single(parts, address, reterr);
}
