#include "storer/heal.h"

#include <string.h>

static struct slg_batch_set *copy_of(const struct slg_batch_set *set)
{
    struct slg_batch_set *copy = slg_batch_set_create();

    if (copy != NULL && slg_batch_set_union(copy, set) != SLG_OK) {
        slg_batch_set_destroy(copy);
        copy = NULL;
    }
    return copy;
}

/* What at least copies_min of the peers hold. */
static enum slg_status find_safe(const struct slg_heal_view *view, struct slg_batch_set **ret_safe)
{
    struct slg_batch_set *held_by[SLG_MAP_REPLICATION_MAX] = {
        NULL
    }; /* [n]: by more than n peers */
    enum slg_status status = SLG_OK;

    SLG_ASSERT(view->copies_min >= 1);
    SLG_ASSERT(view->copies_min <= SLG_MAP_REPLICATION_MAX);
    for (uint16_t n = 0; n < view->copies_min && status == SLG_OK; n++) {
        held_by[n] = slg_batch_set_create();
        status = held_by[n] == NULL ? SLG_NO_MEMORY : SLG_OK;
    }
    for (size_t i = 0; i < view->peer_count && status == SLG_OK; i++) {
        const struct slg_batch_set *set = view->peers[i].set;

        if (set == NULL)
            continue;
        for (uint16_t n = (uint16_t)(view->copies_min - 1); n > 0 && status == SLG_OK; n--) {
            struct slg_batch_set *both = copy_of(held_by[n - 1]);

            status = both == NULL ? SLG_NO_MEMORY : slg_batch_set_intersect(both, set);
            if (status == SLG_OK)
                status = slg_batch_set_union(held_by[n], both);
            slg_batch_set_destroy(both);
        }
        if (status == SLG_OK)
            status = slg_batch_set_union(held_by[0], set);
    }
    if (status == SLG_OK) {
        *ret_safe = held_by[view->copies_min - 1];
        held_by[view->copies_min - 1] = NULL;
    }
    for (size_t n = 0; n < SLG_MAP_REPLICATION_MAX; n++)
        slg_batch_set_destroy(held_by[n]);
    return status;
}

/* What others hold and this node has to have: all as an owner, else what has too few copies. */
static enum slg_status find_lacked(const struct slg_heal_view *view,
                                   struct slg_batch_set **ret_lacked)
{
    struct slg_batch_set *lacked = slg_batch_set_create();
    enum slg_status status = lacked == NULL ? SLG_NO_MEMORY : SLG_OK;

    for (size_t i = 0; i < view->peer_count && status == SLG_OK; i++)
        if (view->peers[i].set != NULL)
            status = slg_batch_set_union(lacked, view->peers[i].set);
    if (status == SLG_OK)
        status = slg_batch_set_subtract(lacked, view->own);
    if (status == SLG_OK && !view->owner) {
        struct slg_batch_set *safe = NULL;

        status = find_safe(view, &safe);
        if (status == SLG_OK)
            status = slg_batch_set_subtract(lacked, safe);
        slg_batch_set_destroy(safe);
    }
    if (status != SLG_OK) {
        slg_batch_set_destroy(lacked);
        return status;
    }
    *ret_lacked = lacked;
    return SLG_OK;
}

/* Share out `wanted` over the peers that have it. */
static enum slg_status plan_fetches(const struct slg_heal_view *view, struct slg_batch_set *wanted,
                                    struct slg_heal_actions *actions)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < view->peer_count && status == SLG_OK; i++) {
        struct slg_batch_set *part;

        if (view->peers[i].set == NULL || slg_batch_set_range_count(wanted) == 0)
            continue;
        part = copy_of(wanted);
        if (part == NULL)
            return SLG_NO_MEMORY;
        status = slg_batch_set_intersect(part, view->peers[i].set);
        if (status == SLG_OK)
            status = slg_batch_set_subtract(wanted, part);
        if (status != SLG_OK || slg_batch_set_range_count(part) == 0) {
            slg_batch_set_destroy(part);
            continue;
        }
        actions->fetches[actions->fetch_count++] =
            (struct slg_heal_fetch){ .node = view->peers[i].node, .set = part };
    }
    return status;
}

/* What is still due, as `lacked` has it. */
static enum slg_status settle_due(struct slg_heal *heal, const struct slg_heal_view *view,
                                  const struct slg_batch_set *lacked,
                                  struct slg_heal_actions *actions)
{
    enum slg_status status = SLG_OK;

    actions->due = view->refilling;
    if (!view->refilling) {
        slg_batch_set_destroy(heal->due);
        heal->due = NULL;
    }
    if (!view->counts)
        return SLG_OK;
    if (heal->due != NULL)
        status = slg_batch_set_intersect(heal->due, lacked);
    else
        heal->due = copy_of(lacked);
    if (heal->due == NULL)
        return SLG_NO_MEMORY;
    if (status == SLG_OK)
        actions->due = slg_batch_set_range_count(heal->due) > 0;
    return status;
}

static enum slg_status look_to_fetch(struct slg_heal *heal, const struct slg_heal_view *view,
                                     int64_t now_mono_ns, struct slg_heal_actions *actions)
{
    struct slg_batch_set *lacked, *wanted;
    enum slg_status status = find_lacked(view, &lacked);
    bool old = heal->lacked != NULL && now_mono_ns - heal->look_mono_ns >= SLG_HEAL_AGE_NS;

    if (status != SLG_OK)
        return status;
    status = settle_due(heal, view, lacked, actions);
    if (status != SLG_OK) {
        slg_batch_set_destroy(lacked);
        return status;
    }
    actions->lacking = slg_batch_set_range_count(lacked) > 0;
    if (heal->lacked != NULL && !old && actions->lacking) { /* too early: the first look stands */
        slg_batch_set_destroy(lacked);
        return SLG_OK;
    }
    if (old && actions->lacking) {
        wanted = copy_of(lacked);
        status = wanted == NULL ? SLG_NO_MEMORY : slg_batch_set_intersect(wanted, heal->lacked);
        if (status == SLG_OK)
            status = plan_fetches(view, wanted, actions);
        slg_batch_set_destroy(wanted);
    }
    slg_batch_set_destroy(heal->lacked);
    heal->lacked = lacked;
    heal->look_mono_ns = now_mono_ns;
    return status;
}

/* Does every owner hold all that this node holds, or held until it was damaged? */
static bool owners_have_it(const struct slg_heal_view *view)
{
    size_t owners = 0;

    for (size_t i = 0; i < view->peer_count; i++) {
        const struct slg_heal_peer *peer = &view->peers[i];

        if (!peer->owner)
            continue;
        if (peer->set == NULL || !peer->whole || !slg_batch_set_contains(peer->set, view->own) ||
            (view->aside != NULL && !slg_batch_set_contains(peer->set, view->aside)))
            return false;
        owners++;
    }
    return owners == view->owner_count;
}

static enum slg_status look_as_hint_holder(struct slg_heal *heal, const struct slg_heal_view *view,
                                           int64_t now_mono_ns, struct slg_heal_actions *actions)
{
    if (!owners_have_it(view)) {
        slg_batch_set_destroy(heal->seen_whole);
        heal->seen_whole = NULL;
        return SLG_OK;
    }
    if (heal->seen_whole != NULL && slg_batch_set_contains(heal->seen_whole, view->own)) {
        actions->forget = now_mono_ns - heal->look_mono_ns >= SLG_HEAL_AGE_NS;
        return SLG_OK;
    }
    slg_batch_set_destroy(heal->seen_whole);
    heal->seen_whole = copy_of(view->own);
    heal->look_mono_ns = now_mono_ns;
    return heal->seen_whole == NULL ? SLG_NO_MEMORY : SLG_OK;
}

enum slg_status slg_heal_look(struct slg_heal *heal, const struct slg_heal_view *view,
                              int64_t now_mono_ns, struct slg_heal_actions *ret_actions)
{
    enum slg_status status;

    SLG_ASSERT(view->refilling || !view->counts);
    memset(ret_actions, 0, sizeof(*ret_actions));
    if (view->owner || (view->candidate && view->refilling))
        status = look_to_fetch(heal, view, now_mono_ns, ret_actions);
    else
        status = look_as_hint_holder(heal, view, now_mono_ns, ret_actions);
    if (status != SLG_OK)
        slg_heal_actions_fini(ret_actions);
    return status;
}

/* NULL: it did not answer. */
static const struct slg_heal_peer *find_answer(const struct slg_heal_peer *peers, size_t peer_count,
                                               uint16_t node)
{
    for (size_t i = 0; i < peer_count; i++)
        if (peers[i].node == node)
            return peers[i].set == NULL ? NULL : &peers[i];
    return NULL;
}

bool slg_heal_copy_counts(const struct slg_placement *placement, const bool *live, uint16_t self,
                          const struct slg_heal_peer *peers, size_t peer_count,
                          uint16_t write_quorum_min)
{
    size_t others = 0, answered = 0, vouching = 0,
           spare = write_quorum_min > 2 ? write_quorum_min - 2U : 0;

    for (size_t i = 0; i < placement->owner_count + placement->hint_count; i++) {
        uint16_t node = i < placement->owner_count ? placement->owners[i]
                                                   : placement->hints[i - placement->owner_count];

        const struct slg_heal_peer *answer = find_answer(peers, peer_count, node);

        if (node == self || !live[node])
            continue;
        others++;
        answered += answer != NULL;
        vouching += answer != NULL && answer->whole;
    }
    return placement->owner_count > 1 && others > 0 &&
           (answered == others || vouching + spare >= others);
}

void slg_heal_actions_fini(struct slg_heal_actions *actions)
{
    for (size_t i = 0; i < actions->fetch_count; i++)
        slg_batch_set_destroy(actions->fetches[i].set);
    memset(actions, 0, sizeof(*actions));
}

void slg_heal_fini(struct slg_heal *heal)
{
    slg_batch_set_destroy(heal->lacked);
    slg_batch_set_destroy(heal->due);
    slg_batch_set_destroy(heal->seen_whole);
    memset(heal, 0, sizeof(*heal));
}
