#include "proto/batch.h"

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int slg_shard_id_compare(const struct slg_shard_id *a, const struct slg_shard_id *b)
{
    if (a->window_ns != b->window_ns)
        return a->window_ns < b->window_ns ? -1 : 1;
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    /* Two layouts never cover one window; the order is total all the same. */
    if (a->length_ns != b->length_ns)
        return a->length_ns < b->length_ns ? -1 : 1;
    return (a->slot_count > b->slot_count) - (a->slot_count < b->slot_count);
}

int64_t slg_window_start(int64_t ts_ns, int64_t length_ns)
{
    SLG_ASSERT(ts_ns >= 0);
    SLG_ASSERT(length_ns > 0);
    return ts_ns - ts_ns % length_ns;
}

int slg_batch_id_compare(const struct slg_batch_id *a, const struct slg_batch_id *b)
{
    int order = memcmp(a->incarnation.bytes, b->incarnation.bytes, SLG_INCARNATION_BYTES);

    if (order == 0)
        order = slg_shard_id_compare(&a->shard, &b->shard);
    return order != 0 ? order : compare_u64(a->sequence, b->sequence);
}
