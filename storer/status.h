/* storer/status.h - what a storer says of itself, as JSON: node, disk, one row per shard (contracts of `shard ls`).
 *
 * {"node", "role", "storage_id", "counter", "map_epoch", "state": "ready"|"read-only", "disk": {"free_bytes",
 *  "total_bytes", "reserve_bytes"}, "open_shards", "queries", "insecure": [settings of listeners that anybody may reach], "storage": "joining"|"refilling"|"whole"|"clash",
 *  "repair": {"fetching", "wanted_batches", "fetched_batches", "fetched_bytes", "hint_shards"}, "shards": [{"shard",
 *  "node", "owner", "batches", "set_digest", "generations", "parts", "bytes", "state", "entries", "ts_min_ns",
 *  "ts_max_ns", "copies"}], "shards_left_out"}. "storage" and "repair" only beside other storers.
 * copies: how many the map asks for.
 * state of a shard: "open", "closed", "suspect" (read-only, H13), "quarantined" (H20), "damaged" (could not be read).
 * Threads: any; it opens shards that were not looked into since start. */
#ifndef SLG_STORER_STATUS_H
#define SLG_STORER_STATUS_H

#include "cluster/map.h"
#include "storer/repair.h"
#include "storer/scrub.h"

struct slg_status_input {
    struct slg_catalogue *catalogue;
    const struct slg_map *map;
    const char *node_id;
    const char *data_dir;
    uint64_t disk_reserve_bytes;
    bool read_only;
    const char *insecure; /* a JSON list of settings; NULL: none */
    size_t query_count;
    struct slg_scrub *scrub;   /* NULL: none */
    struct slg_repair *repair; /* NULL: no peers */
};

/* Append the document. Rows that would take out past row_bytes_max are left out and counted. */
SLG_MUST_CHECK enum slg_status slg_status_write(const struct slg_status_input *input,
                                                size_t row_bytes_max, struct slg_buf *out,
                                                struct slg_error *reterr);

#endif
