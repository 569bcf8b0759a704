#include "storer/status.h"

#include <inttypes.h>

#include "cluster/placement.h"
#include "storer/catalogue_storage.h"
#include "storer/disk.h"
#include "storer/quarantine.h"

/* UINT16_MAX: not in the map. */
static uint16_t node_index(const struct slg_status_input *input)
{
    for (size_t i = 0; i < input->map->node_count; i++)
        if (strcmp(input->map->nodes[i].id, input->node_id) == 0)
            return (uint16_t)i;
    return UINT16_MAX;
}

static const char *state_of(const struct slg_catalogue_row *row, enum slg_status read,
                            enum slg_shard_doubt doubt)
{
    if (row->quarantined || read == SLG_UNAVAILABLE)
        return "quarantined";
    if (read != SLG_OK && read != SLG_NOT_FOUND)
        return "damaged";
    if (doubt == SLG_SHARD_DOUBT_REFILLING)
        return "refilling";
    if (doubt == SLG_SHARD_DOUBT_ASIDE)
        return "damaged";
    if (row->suspect)
        return "suspect";
    return row->open ? "open" : "closed";
}

static void write_shard(const struct slg_status_input *input, const struct slg_catalogue_row *row,
                        struct slg_buf *out)
{
    struct slg_shard_totals totals = { .ts_min_ns = INT64_MAX, .ts_max_ns = INT64_MIN };
    enum slg_status read =
        slg_catalogue_totals(input->catalogue, &row->id, &totals, /* set= */ NULL, NULL);
    struct slg_placement placement = slg_placement_of(input->map, &row->id);
    bool empty = totals.entry_count == 0;

    slg_buf_append_text(out, "{\"shard\":");
    slg_buf_append_json_text(out, slg_shard_name_of(&row->id).text);
    slg_buf_append_text(out, ",\"node\":");
    slg_buf_append_json_text(out, input->node_id);
    slg_buf_printf(out,
                   ",\"owner\":%s,\"batches\":%" PRIu64 ",\"set_digest\":\"%016" PRIx64
                   "%016" PRIx64 "\",\"generations\":%zu,\"parts\":0,\"bytes\":%" PRIu64,
                   slg_placement_owns(&placement, node_index(input)) ? "true" : "false",
                   totals.digest.count, totals.digest.sum.high, totals.digest.sum.low,
                   totals.generation_count, totals.file_bytes);
    slg_buf_printf(out, ",\"state\":\"%s\",\"entries\":%" PRIu64, state_of(row, read, totals.doubt),
                   totals.entry_count);
    if (totals.aside_count > 0)
        slg_buf_printf(out, ",\"set_aside\":%" PRIu64, totals.aside_count);
    slg_buf_printf(out, ",\"ts_min_ns\":%" PRId64 ",\"ts_max_ns\":%" PRId64 ",\"copies\":%u}",
                   empty ? 0 : totals.ts_min_ns, empty ? 0 : totals.ts_max_ns,
                   (unsigned)placement.owner_count);
}

static void write_head(const struct slg_status_input *input, struct slg_buf *out)
{
    const struct slg_storage *storage = slg_catalogue_storage(input->catalogue);
    struct slg_disk_room room = { 0, 0 };

    if (slg_disk_room(input->data_dir, &room, NULL) != SLG_OK)
        room.total_bytes = 0; /* shown as unknown */
    slg_buf_append_text(out, "{\"node\":");
    slg_buf_append_json_text(out, input->node_id);
    slg_buf_append_text(out, ",\"role\":\"storer\",\"storage_id\":\"");
    for (size_t i = 0; i < sizeof(storage->id); i++)
        slg_buf_printf(out, "%02x", storage->id[i]);
    slg_buf_printf(out,
                   "\",\"counter\":%" PRIu64 ",\"map_epoch\":%" PRIu64 ",\"state\":\"%s\""
                   ",\"disk\":{\"free_bytes\":%" PRIu64 ",\"total_bytes\":%" PRIu64
                   ",\"reserve_bytes\":%" PRIu64 "},\"open_shards\":%zu,\"queries\":%zu",
                   slg_catalogue_storage_counter(input->catalogue), input->map->epoch,
                   input->read_only ? "read-only" : "ready", room.free_bytes, room.total_bytes,
                   input->disk_reserve_bytes, slg_catalogue_count(input->catalogue).open_count,
                   input->query_count);
    slg_buf_printf(out, ",\"insecure\":%s", input->insecure == NULL ? "[]" : input->insecure);
}

static void write_repair(const struct slg_status_input *input, struct slg_buf *out)
{
    struct slg_repair_progress progress;

    if (input->repair == NULL)
        return;
    slg_repair_progress(input->repair, &progress);
    slg_buf_printf(out,
                   ",\"storage\":\"%s\",\"repair\":{\"fetching\":%s,\"wanted_batches\":%" PRIu64
                   ",\"fetched_batches\":%" PRIu64 ",\"fetched_bytes\":%" PRIu64
                   ",\"hint_shards\":%zu}",
                   slg_member_text(progress.state), progress.fetching ? "true" : "false",
                   progress.wanted_count, progress.fetched_count, progress.fetched_bytes,
                   progress.hint_shards);
}

static void write_scrub(const struct slg_status_input *input, struct slg_buf *out)
{
    struct slg_scrub_progress progress;

    if (input->scrub == NULL)
        return;
    slg_scrub_progress(input->scrub, &progress);
    slg_buf_printf(out,
                   ",\"scrub\":{\"running\":%s,\"started_ns\":%" PRId64 ",\"done_bytes\":%" PRIu64
                   ",\"total_bytes\":%" PRIu64 ",\"bytes_per_second\":%" PRIu64
                   ",\"damaged_batches\":%" PRIu64 "}",
                   progress.running ? "true" : "false", progress.pass_started_ns,
                   progress.done_bytes, progress.total_bytes, progress.bytes_per_second,
                   progress.damaged_batches);
}

static void write_quarantine(const struct slg_status_input *input, struct slg_buf *out)
{
    struct slg_quarantine_row *rows = calloc(SLG_QUARANTINE_COUNT_MAX, sizeof(*rows));
    size_t count = rows == NULL ? 0 : slg_quarantine_list(input->data_dir, rows);

    slg_buf_append_text(out, ",\"quarantine\":[");
    for (size_t i = 0; i < count; i++) {
        slg_buf_append_text(out, i == 0 ? "{\"shard\":" : ",{\"shard\":");
        slg_buf_append_json_text(out, slg_shard_name_of(&rows[i].shard).text);
        slg_buf_append_text(out, ",\"node\":");
        slg_buf_append_json_text(out, input->node_id);
        slg_buf_printf(out, ",\"since_ns\":%" PRId64 ",\"bytes\":%" PRIu64 ",\"reason\":",
                       rows[i].since_ns, rows[i].bytes);
        slg_buf_append_json_text(out, rows[i].reason);
        slg_buf_append_text(out, ",\"name\":");
        slg_buf_append_json_text(out, rows[i].name);
        slg_buf_append_byte(out, '}');
    }
    slg_buf_append_byte(out, ']');
    free(rows);
}

enum slg_status slg_status_write(const struct slg_status_input *input, size_t row_bytes_max,
                                 struct slg_buf *out, struct slg_error *reterr)
{
    struct slg_arena *arena = slg_arena_create(SLG_CATALOGUE_SHARD_COUNT_MAX * 64);
    struct slg_catalogue_row *rows;
    size_t count = 0;
    size_t written = 0;
    enum slg_status status;

    if (arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the status");
    status = slg_catalogue_list(input->catalogue, 0, INT64_MAX, arena, &rows, &count);
    if (status != SLG_OK) {
        slg_arena_destroy(arena);
        return slg_errorf(reterr, status, "no memory for the list of shards");
    }
    write_head(input, out);
    write_repair(input, out);
    write_scrub(input, out);
    write_quarantine(input, out);
    slg_buf_append_text(out, ",\"shards\":[");
    for (; written < count && out->len < row_bytes_max; written++) {
        if (written > 0)
            slg_buf_append_byte(out, ',');
        write_shard(input, &rows[written], out);
    }
    slg_buf_printf(out, "],\"shards_left_out\":%zu}", count - written);
    slg_arena_destroy(arena);
    return slg_buf_failed(out) ? slg_errorf(reterr, SLG_LIMIT, "the status is too large") : SLG_OK;
}
