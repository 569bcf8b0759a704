/* querier/cut.h - how few shards are cut by time, so that a query over them uses as many cores as it may: pure.
 *
 * Shards are evaluated side by side (querier.limits.parallel_max); where a storer has fewer of them than that, the ones
 * with the most batches are cut into parts, each a sub-query of its own over the same S and a time of its own. Times of
 * parts do not overlap and leave nothing out, and equal pushes have equal times: whatever merges over shards merges over
 * parts. Of the data only their number of batches and their time are known here: parts are equal in time, not in work.
 * Threads: pure. */
#ifndef SLG_QUERIER_CUT_H
#define SLG_QUERIER_CUT_H

#include <stddef.h>

#include "proto/rpc.h"

/* A part with fewer batches is not worth its sub-query. */
#define SLG_CUT_BATCHES_MIN ((uint64_t)32)

/* Entries from_ns <= ts < to_ns; 0: no bound on that side. */
struct slg_cut {
    int64_t from_ns, to_ns;
};

/* Into how many parts each shard is cut: 1 or more each, in all parts_max at most, but for more shards than that. */
void slg_cut_count(const uint64_t *batch_counts, size_t shard_count, size_t parts_max,
                   size_t *ret_counts);

/* Part `index` of `count` of a shard with entries from ts_min_ns to ts_max_ns, for a query of data in [from_ns, to_ns).
 * The first has no bound below, the last none above. */
struct slg_cut slg_cut_part(const struct slg_rpc_shard_set *shard, int64_t from_ns, int64_t to_ns,
                            size_t count, size_t index);

#endif
