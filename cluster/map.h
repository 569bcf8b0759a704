/* cluster/map.h - the cluster map: one small versioned document, held as an immutable snapshot (DESIGN section 4).
 *
 * Form:    JSON, docs/FORMATS.md section 6. `silage all` makes a map of one node by itself when there is none.
 * Owner:   a snapshot is counted by ref/unref; what it points to lives as long as it does.
 * Threads: a snapshot never changes after load, so any number of threads may read it.
 * Refuses: unknown keys (INVALID names them), no nodes, two nodes of one id, R over the node count,
 *          W or W_min out of 1..R, K of 0, layouts out of order, a window length that does not divide a day. */
#ifndef SLG_CLUSTER_MAP_H
#define SLG_CLUSTER_MAP_H

#include "base/hash.h"
#include "proto/batch.h"

#define SLG_MAP_NODE_COUNT_MAX            ((size_t)64)
#define SLG_MAP_LAYOUT_COUNT_MAX          ((size_t)256)
#define SLG_MAP_OVERRIDE_COUNT_MAX        ((size_t)4096)
#define SLG_MAP_REPLICATION_MAX           ((size_t)5)
#define SLG_MAP_WEIGHT_MAX                ((uint16_t)1000)
#define SLG_MAP_BYTES_MAX                 ((size_t)4 * 1024 * 1024)
/* Of a map that does not say it: 120 days, as retention.default. To keep for ever is a choice that must be written. */
#define SLG_MAP_RETENTION_SECONDS_DEFAULT (INT64_C(120) * 86400)

enum slg_node_state {
    SLG_NODE_ACTIVE,
    SLG_NODE_DRAINING,
    SLG_NODE_REMOVED,
};

struct slg_map_node {
    const char *id;      /* "storer-1" */
    const char *address; /* transport URL: "tcp://10.0.0.1:4410" */
    const char *zone;    /* Proxmox host; "" = a zone of its own */
    enum slg_node_state state;
};

/* A node's share in one layout. */
struct slg_map_share {
    uint16_t node_index; /* into slg_map.nodes */
    uint16_t weight;     /* 1 to SLG_MAP_WEIGHT_MAX */
};

struct slg_map_layout {
    int64_t from_window_ns; /* INT64_MIN for the first */
    int64_t window_length_ns;
    uint16_t replication;      /* R */
    uint16_t write_quorum;     /* W */
    uint16_t write_quorum_min; /* W_min */
    uint16_t slot_count;       /* K */
    const struct slg_map_share *shares;
    size_t share_count;
};

/* These nodes hold this shard, whatever placement says (a finished or running move). */
struct slg_map_override {
    struct slg_shard_id shard;
    uint16_t node_indexes[SLG_MAP_REPLICATION_MAX];
    uint16_t node_count;
};

struct slg_map {
    const char *cluster_id;
    uint64_t epoch;
    struct slg_hash128 hash; /* of the canonical text: equal epoch with another hash is refused */
    const struct slg_map_node *nodes;
    size_t node_count;
    const struct slg_map_layout *layouts; /* by from_window_ns, first from minus infinity */
    size_t layout_count;
    const struct slg_map_override *overrides; /* by shard */
    size_t override_count;
    int64_t retention_ns; /* 0 = forever */
    int64_t keep_from_ns; /* entries before it are gone (byte limit); 0 = none */
};

/* Parse a map document. *ret_map has one reference. INVALID names the key and what would be right. */
SLG_MUST_CHECK enum slg_status slg_map_parse(const char *json, size_t len, struct slg_map **ret_map,
                                             struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_map_load(const char *path, struct slg_map **ret_map,
                                            struct slg_error *reterr);
/* The canonical text: what slg_map_save writes, and what the hash is over. */
void slg_map_print(const struct slg_map *map, struct slg_buf *out);

/* Write atomically (write, fsync, rename, fsync of the directory). */
SLG_MUST_CHECK enum slg_status slg_map_save(const struct slg_map *map, const char *path,
                                            struct slg_error *reterr);

struct slg_map_single_options {
    const char *cluster_id;
    const char *node_id;
    const char *address;
    const char *zone; /* NULL: "" */
    int64_t window_length_ns;
    uint16_t slot_count;
    int64_t retention_ns;
};
/* The map of one node, R = W = 1, epoch 1. */
SLG_MUST_CHECK enum slg_status slg_map_make_single(const struct slg_map_single_options *options,
                                                   struct slg_map **ret_map,
                                                   struct slg_error *reterr);
struct slg_map *slg_map_ref(struct slg_map *map);
void slg_map_unref(struct slg_map *map); /* NULL is fine */

/* Layout in force at event time ts_ns. Never NULL. */
const struct slg_map_layout *slg_map_layout_at(const struct slg_map *map, int64_t ts_ns);
/* Shard of an entry. */
struct slg_shard_id slg_map_shard_of(const struct slg_map *map, int64_t ts_ns,
                                     const struct slg_stream_id *stream_id);

/* All shards whose windows touch [from_ns, to_ns), ascending. LIMIT: more than shard_count_max. */
SLG_MUST_CHECK enum slg_status slg_map_shards_between(const struct slg_map *map, int64_t from_ns,
                                                      int64_t to_ns, size_t shard_count_max,
                                                      struct slg_arena *arena,
                                                      struct slg_shard_id **ret_shards,
                                                      size_t *ret_count);

#endif
