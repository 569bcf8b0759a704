/* storer/retention.h - forgets whole windows: by time (retention, keep_from) and by bytes (DESIGN sections 7, 6 H10).
 *
 * Reads apply the same cutoff at once (admit.h); forgetting only gives the disk back. By time at most 4 windows an
 * hour (or those of 4 hours, when they are shorter) go by themselves, for a clock that jumped must not empty a store; the count survives a restart. By bytes the
 * oldest windows go, all slots of each, until the rest fits; the window that holds now is never forgotten. What went by
 * bytes is remembered in the storage record (keep_from_ns): it is refused from then on, and not fetched from peers that
 * still have it.
 * Quarantined copies (storer/quarantine.h) go when their window is forgotten by time; and once their shard vouches again, after
 * quarantine_keep_ns, or at once, oldest first, while all of them take more than quarantine_bytes_max.
 * Threads: housekeeping only. */
#ifndef SLG_STORER_RETENTION_H
#define SLG_STORER_RETENTION_H

#include "cluster/map.h"
#include "storer/catalogue.h"
#include "storer/metrics.h"

#define SLG_RETENTION_WINDOWS_PER_HOUR 4U

struct slg_retention {
    struct slg_catalogue *catalogue;
    const struct slg_map *map;
    struct slg_metric_table *metrics;
    uint64_t bytes_max; /* of all shards together; 0: no bound by bytes */
    const char *data_dir;
    int64_t quarantine_keep_ns;
    uint64_t quarantine_bytes_max;
};

/* One round. *ret_forgotten counts shards; what is pinned is left for the next round. IO: a shard stays, the first one
 * is named, the others went all the same; or nothing went, for it could not be noted. */
SLG_MUST_CHECK enum slg_status slg_retention_run(const struct slg_retention *retention,
                                                 int64_t now_wall_ns, size_t *ret_forgotten,
                                                 struct slg_error *reterr);

#endif
