/* storer/repair.h - keeps this storer's copies complete: rounds of comparison with its peers.
 *
 * A round greets the peers, compares digests of the shards of the recent windows (all windows at the start, when a
 * peer comes back, while refilling, and every SLG_REPAIR_FULL_NS), asks for ranges where they differ, and does what
 * storer/heal.h says: fetch, at most bytes_per_second, or forget handed-over hints.
 * Queries do not wait for it: storer/ensure.h.
 * Owner:   everything in options is borrowed until stop.
 * Threads: start and stop by one; hurry and progress from any. */
#ifndef SLG_STORER_REPAIR_H
#define SLG_STORER_REPAIR_H

#include "storer/commit.h"
#include "storer/peer_links.h"

#define SLG_REPAIR_INTERVAL_NS       (INT64_C(5) * 1000000000)
#define SLG_REPAIR_FULL_NS           (INT64_C(600) * 1000000000)
#define SLG_REPAIR_BYTES_PER_SEC_MIN ((uint64_t)1024 * 1024)

struct slg_repair;

struct slg_repair_options {
    struct slg_peer_links *links;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
    const struct slg_map *map;
    const char *node_id;
    struct slg_clock *clock;
    struct slg_metric_table *metrics;
    bool rounds;               /* false: --repair off */
    uint64_t bytes_per_second; /* fetched by rounds; SLG_REPAIR_BYTES_PER_SEC_MIN or more */
    int64_t interval_ns;       /* between rounds; 0: SLG_REPAIR_INTERVAL_NS */
    int64_t settle_ns; /* before a copy that was damaged may count again; 0: SLG_MEMBER_SETTLE_NS */
};
SLG_MUST_CHECK enum slg_status slg_repair_start(const struct slg_repair_options *options,
                                                struct slg_repair **ret_repair,
                                                struct slg_error *reterr);
/* Ends the round. The commit lanes must run until it has returned. NULL is fine. */
void slg_repair_stop(struct slg_repair *repair);

/* Something was put aside: the next round looks at all windows. Any thread. */
void slg_repair_hurry(struct slg_repair *repair);

struct slg_repair_progress {
    enum slg_member_state state;
    bool fetching;          /* a round fetches now */
    uint64_t wanted_count;  /* batches that this round is to fetch */
    uint64_t fetched_count; /* of them */
    uint64_t fetched_bytes; /* since the start, by rounds */
    size_t hint_shards;     /* shards held for others, in the last full round */
};
void slg_repair_progress(struct slg_repair *repair, struct slg_repair_progress *ret_progress);

#endif
