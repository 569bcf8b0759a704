#include "querier/cut.h"

#include "base/assert.h"

#define BEGIN_MAX_NS (INT64_MAX / 2)

void slg_cut_count(const uint64_t *batch_counts, size_t shard_count, size_t parts_max,
                   size_t *ret_counts)
{
    for (size_t i = 0; i < shard_count; i++)
        ret_counts[i] = 1;
    for (size_t sum = shard_count; sum < parts_max; sum++) {
        size_t best = shard_count;
        uint64_t best_batches = 0; /* of each of its parts after one more cut */

        for (size_t i = 0; i < shard_count; i++) {
            uint64_t batches = batch_counts[i] / (ret_counts[i] + 1);

            if (batches >= SLG_CUT_BATCHES_MIN && batches > best_batches) {
                best = i;
                best_batches = batches;
            }
        }
        if (best == shard_count)
            return;
        ret_counts[best]++;
    }
}

struct slg_cut slg_cut_part(const struct slg_rpc_shard_set *shard, int64_t from_ns, int64_t to_ns,
                            size_t count, size_t index)
{
    int64_t begin = from_ns > shard->ts_min_ns ? from_ns : shard->ts_min_ns;
    int64_t end = to_ns < shard->ts_max_ns ? to_ns : shard->ts_max_ns;
    int64_t step = 1; /* of an empty range: still nothing is in two parts */
    struct slg_cut cut = { 0, 0 };

    SLG_ASSERT(count >= 1);
    SLG_ASSERT(index < count);
    if (begin < 1) /* 0 says that there is no bound */
        begin = 1;
    if (begin > BEGIN_MAX_NS) /* room for the steps */
        begin = BEGIN_MAX_NS;
    if (end > begin && (end - begin) / (int64_t)count > 1)
        step = (end - begin) / (int64_t)count;
    if (index > 0)
        cut.from_ns = begin + step * (int64_t)index;
    if (index + 1 < count)
        cut.to_ns = begin + step * (int64_t)(index + 1);
    return cut;
}
