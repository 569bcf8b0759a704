#include "querier/tail_sets.h"

#include <stdlib.h>

struct slg_tail_shard *slg_tail_shard_ref(struct slg_tail_shard *shard)
{
    atomic_fetch_add_explicit(&shard->ref_count, 1, memory_order_relaxed);
    return shard;
}

void slg_tail_shard_unref(struct slg_tail_shard *shard)
{
    if (shard == NULL || atomic_fetch_sub_explicit(&shard->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    slg_batch_set_destroy(shard->set);
    free(shard);
}

struct slg_tail_sets *slg_tail_sets_ref(struct slg_tail_sets *sets)
{
    atomic_fetch_add_explicit(&sets->ref_count, 1, memory_order_relaxed);
    return sets;
}

void slg_tail_sets_unref(struct slg_tail_sets *sets)
{
    if (sets == NULL || atomic_fetch_sub_explicit(&sets->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < sets->count; i++)
        slg_tail_shard_unref(sets->entries[i].shard);
    free(sets->entries);
    free(sets);
}

const struct slg_tail_sets_entry *slg_tail_sets_find(const struct slg_tail_sets *sets,
                                                     const struct slg_shard_id *id)
{
    size_t low = 0, high = sets->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slg_shard_id_compare(&sets->entries[middle].shard->id, id);

        if (order == 0)
            return &sets->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool ends_after(const struct slg_shard_id *id, int64_t ts_ns)
{
    return id->window_ns > ts_ns - id->length_ns;
}

/* The answered set, and what was seen before. The older shard itself when nothing is new. */
static enum slg_status make_shard(struct slg_tail_shard *old,
                                  const struct slg_rpc_shard_set *answer,
                                  struct slg_tail_shard **ret_shard)
{
    struct slg_cursor c = slg_cursor_make(answer->set.at, answer->set.len);
    struct slg_tail_shard *shard;
    struct slg_batch_set *set;
    enum slg_status status;

    if (old != NULL && slg_batch_set_digest_equal(&old->digest, &answer->digest)) {
        *ret_shard = slg_tail_shard_ref(old);
        return SLG_OK;
    }
    status = slg_batch_set_decode(&c, &set);
    if (status != SLG_OK)
        return status;
    if (old != NULL)
        status = slg_batch_set_union(set, old->set);
    shard = status == SLG_OK ? calloc(1, sizeof(*shard)) : NULL;
    if (shard == NULL) {
        slg_batch_set_destroy(set);
        return status == SLG_OK ? SLG_NO_MEMORY : status;
    }
    *shard = (struct slg_tail_shard){ .id = answer->shard, .set = set, .digest = answer->digest };
    atomic_init(&shard->ref_count, 1);
    *ret_shard = shard;
    return SLG_OK;
}

/* Put one shard into the new picture. True: tails see a difference. */
static bool put(struct slg_tail_sets *sets, const struct slg_tail_sets_entry *old,
                const struct slg_tail_answer *answer, bool asked)
{
    struct slg_tail_sets_entry entry = { 0 };
    bool changed;

    if (old != NULL)
        entry = *old;
    if (asked)
        entry.answered = answer != NULL;
    if (answer != NULL) {
        entry.node_index = answer->node_index;
        if (make_shard(old == NULL ? NULL : old->shard, &answer->set, &entry.shard) != SLG_OK) {
            entry.answered = false; /* a broken or too large answer is none */
            if (old != NULL)
                (void)slg_tail_shard_ref(entry.shard);
        }
    } else {
        (void)slg_tail_shard_ref(entry.shard);
    }
    if (entry.shard == NULL)
        return false;
    changed = old == NULL || old->shard != entry.shard || old->answered != entry.answered;
    sets->entries[sets->count++] = entry;
    return changed;
}

enum slg_status slg_tail_sets_next(const struct slg_tail_sets *old,
                                   const struct slg_tail_look *look,
                                   struct slg_tail_sets **ret_sets, bool *ret_changed)
{
    size_t old_count = old == NULL ? 0 : old->count, at = 0, next = 0;
    struct slg_tail_sets *sets = calloc(1, sizeof(*sets));
    bool changed = old == NULL || old->from_ns != look->from_ns;

    if (sets != NULL)
        sets->entries = calloc(old_count + look->count + 1, sizeof(*sets->entries));
    if (sets == NULL || sets->entries == NULL) {
        free(sets);
        return SLG_NO_MEMORY;
    }
    atomic_init(&sets->ref_count, 1);
    sets->from_ns = look->from_ns;
    sets->incomplete = look->incomplete;
    while (at < old_count || next < look->count) {
        const struct slg_tail_sets_entry *known = at < old_count ? &old->entries[at] : NULL;
        const struct slg_tail_answer *answer = next < look->count ? &look->answers[next] : NULL;
        const struct slg_shard_id *id;
        int order;

        SLG_ASSERT(known != NULL || answer != NULL);
        order = known == NULL    ? 1
                : answer == NULL ? -1
                                 : slg_shard_id_compare(&known->shard->id, &answer->set.shard);
        id = order <= 0 ? &known->shard->id : &answer->set.shard;
        at += order <= 0;
        next += order >= 0;
        if (ends_after(id, look->from_ns))
            changed |= put(sets, order <= 0 ? known : NULL, order >= 0 ? answer : NULL,
                           ends_after(id, look->asked_from_ns));
    }
    *ret_sets = sets;
    *ret_changed = changed;
    return SLG_OK;
}
