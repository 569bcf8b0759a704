/* storer/scan_private.h - inside of a scan, for scan.c (life, slices), scan_collect.c (shards of S -> candidates) and
 * scan_merge.c (candidates -> entries in order).
 *
 * Threads: one at a time, see scan.c. */
#ifndef SLG_STORER_SCAN_PRIVATE_H
#define SLG_STORER_SCAN_PRIVATE_H

#include "storer/scan.h"
#include "storer/scan_batch.h"

#define ARENA_POOL_MAX   8
#define SCAN_NO_INDEX    UINT32_MAX /* no cursor */
#define RUN_CAPACITY_MIN ((size_t)64)

/* A batch of S that may hold wanted entries. */
struct candidate {
    struct slg_batch_ref ref;
    uint32_t shard_index;
    bool has_push;
    bool known; /* not of S: shown before, its pushes are not shown again */
    int64_t ts_min_ns;
    int64_t ts_max_ns;
};

/* An opened batch; batch.view is NULL while it is dropped to save memory. */
struct cursor {
    struct slg_scan_batch batch;
    struct candidate candidate;
    struct slg_batch_id id;
    uint32_t taken;    /* positions already in runs */
    uint32_t count;    /* positions in all */
    uint32_t run_uses; /* entries of the run in hand that are of this batch */
    int64_t head_ts_ns;
    uint32_t next_free;
    bool used;
};

struct run_entry {
    uint32_t cursor_index;
    uint32_t position;
    uint64_t stream_hash; /* order of what is shown at one time */
    uint64_t hash[2];     /* of a push: stream, line, metadata */
    bool push;
    bool known;
    bool dropped;
};

struct scan_shard {
    struct slg_shard_id id;
    struct slg_text set_bytes;
    struct slg_text known_bytes; /* empty: none */
};

enum phase {
    PHASE_SCAN,
    PHASE_PAGES, /* all entries were given */
};

struct slg_scan {
    struct slg_scan_options options;
    struct slg_remote *remote;
    enum slg_direction direction;
    enum phase phase;
    struct slg_scan_wish wish;
    struct slg_stream_map streams;
    struct slg_arena *scratch;
    uint64_t seeds[2]; /* of the hashes of H9: nobody can prepare a collision */
    size_t memory_bytes_max;
    uint64_t bytes_read; /* in all */
    size_t given_bytes;  /* of lines, since the last look at the clock */

    struct scan_shard *shards; /* in the direction of the query */
    size_t shard_count;
    size_t next_shard;

    struct candidate *candidates; /* of the group in hand, in the order in which they are opened */
    size_t candidate_count;
    size_t candidate_capacity;
    size_t next_candidate;
    bool in_order; /* the group is merged; else read batch by batch */
    bool drop_duplicates;

    struct cursor *cursors;
    size_t cursor_count; /* slots in use or free */
    size_t cursor_capacity;
    uint32_t free_cursor;
    uint32_t *heap; /* cursor indexes; same capacity as cursors */
    size_t heap_count;
    size_t view_bytes;

    struct run_entry *run;
    size_t run_count;
    size_t run_capacity;
    size_t run_next;

    struct slg_arena *pool[ARENA_POOL_MAX];
    size_t pool_count;
    struct slg_scan_stats *stats; /* of the step in hand */
};

/* The query needs more memory than it may have: LIMIT. */
enum slg_status slg_scan_over_memory(const struct slg_scan *scan, struct slg_error *reterr);
/* Room for one more item; the scan's arrays together stay near the query's memory. */
SLG_MUST_CHECK enum slg_status slg_scan_grow(struct slg_scan *scan, void **items, size_t count,
                                             size_t *capacity, size_t item_size,
                                             struct slg_error *reterr);

/* scan_collect.c: take the next shards whose windows overlap, and find their candidates. */
SLG_MUST_CHECK enum slg_status slg_scan_start_group(struct slg_scan *scan,
                                                    struct slg_error *reterr);

/* scan_merge.c: one unit of work. OK: go on; NOT_FOUND: all entries were given, or no more are wanted. */
SLG_MUST_CHECK enum slg_status slg_scan_advance(struct slg_scan *scan, struct slg_error *reterr);
/* Nothing decoded is held while the querier thinks. */
void slg_scan_drop_views(struct slg_scan *scan);

#endif
