#include "querier/choose.h"

static bool all_equal(const struct slg_choose_holder *holders, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (!slg_batch_set_digest_equal(&holders[0].digest, &holders[i].digest))
            return false;
    return true;
}

/* Is a better than b? lacks_a, lacks_b: batches that each would have to fetch. */
static bool is_better(const struct slg_choose_holder *a, uint64_t lacks_a,
                      const struct slg_choose_holder *b, uint64_t lacks_b)
{
    if (lacks_a != lacks_b)
        return lacks_a < lacks_b;
    return a->owner && !b->owner;
}

/* Index of the best one to ask, from `turn` on around; count: all are lost. */
static size_t find_best(const struct slg_choose_holder *holders, size_t count,
                        const uint64_t *lacks, uint64_t turn)
{
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)((turn + i) % count);

        if (!holders[at].lost &&
            (best == count || is_better(&holders[at], lacks[at], &holders[best], lacks[best])))
            best = at;
    }
    return best;
}

static enum slg_status unite(const struct slg_choose_holder *holders, size_t count,
                             struct slg_batch_set *sum, uint64_t *ret_counts)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < count && status == SLG_OK; i++) {
        struct slg_cursor c = slg_cursor_make(holders[i].set.at, holders[i].set.len);
        struct slg_batch_set *own;

        status = slg_batch_set_decode(&c, &own);
        if (status != SLG_OK)
            return status;
        ret_counts[i] = slg_batch_set_count(own);
        status = slg_batch_set_union(sum, own);
        slg_batch_set_destroy(own);
    }
    return status;
}

/* A set in wire form, in the arena. */
static enum slg_status keep_set(const struct slg_batch_set *set, struct slg_arena *arena,
                                struct slg_text *ret_text)
{
    struct slg_buf bytes;
    char *copy = NULL;

    slg_buf_init(&bytes, SLG_MESSAGE_BYTES_MAX);
    slg_batch_set_encode(&bytes, set);
    if (!slg_buf_failed(&bytes))
        copy = slg_arena_copy(arena, bytes.data, bytes.len);
    if (copy != NULL)
        *ret_text = slg_text_make(copy, bytes.len);
    slg_buf_fini(&bytes);
    return copy == NULL ? SLG_LIMIT : SLG_OK;
}

enum slg_status slg_choose(const struct slg_choose_holder *holders, size_t count, uint64_t turn,
                           struct slg_arena *arena, struct slg_choice *ret_choice)
{
    uint64_t lacks[SLG_MAP_NODE_COUNT_MAX] = { 0 };
    struct slg_choice choice = { .lacks = false };
    struct slg_batch_set *sum = NULL;
    enum slg_status status = SLG_OK;

    SLG_ASSERT(count >= 1);
    SLG_ASSERT(count <= SLG_MAP_NODE_COUNT_MAX);
    if (all_equal(holders, count)) {
        choice.digest = holders[0].digest;
        choice.set = holders[0].set;
    } else {
        sum = slg_batch_set_create();
        status = sum == NULL ? SLG_NO_MEMORY : unite(holders, count, sum, lacks);
        for (size_t i = 0; i < count && status == SLG_OK; i++)
            lacks[i] = slg_batch_set_count(sum) - lacks[i]; /* each is a part of the sum */
        if (status == SLG_OK)
            status = keep_set(sum, arena, &choice.set);
        if (status == SLG_OK)
            choice.digest.count = slg_batch_set_count(sum);
        slg_batch_set_destroy(sum);
    }
    if (status != SLG_OK)
        return status;
    choice.holder = find_best(holders, count, lacks, turn);
    if (choice.holder == count)
        return SLG_NOT_FOUND;
    choice.lacks = lacks[choice.holder] > 0;
    *ret_choice = choice;
    return SLG_OK;
}

bool slg_choose_incomplete(const struct slg_map *map, const struct slg_shard_id *shard,
                           const bool *failed)
{
    struct slg_placement placement = slg_placement_of(map, shard);
    size_t count = 0;

    for (size_t i = 0; i < placement.owner_count; i++)
        count += failed[placement.owners[i]];
    for (size_t i = 0; i < placement.hint_count; i++)
        count += failed[placement.hints[i]];
    return count >= slg_map_layout_at(map, shard->window_ns)->write_quorum_min;
}

void slg_choose_add_doubts(const struct slg_choose_doubt *doubts, size_t count,
                           const struct slg_shard_id *shard, bool *failed)
{
    for (size_t i = 0; i < count; i++)
        if (slg_shard_id_compare(&doubts[i].shard, shard) == 0)
            failed[doubts[i].node_index] = true;
}

size_t slg_choose_spare_count(const struct slg_map *map)
{
    size_t least = SLG_MAP_REPLICATION_MAX;

    for (size_t i = 0; i < map->layout_count; i++)
        if (map->layouts[i].write_quorum_min < least)
            least = map->layouts[i].write_quorum_min;
    return least - 1;
}
