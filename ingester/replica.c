#include "ingester/replica.h"

#include <string.h>

static struct slg_replica_target make_target(uint16_t node, bool hint, int64_t now_mono_ns)
{
    return (struct slg_replica_target){ .node = node,
                                        .hint = hint,
                                        .state = hint ? SLG_TARGET_RESERVE : SLG_TARGET_DUE,
                                        .due_mono_ns = now_mono_ns };
}

void slg_replica_init(struct slg_replica *replica, const struct slg_replica_place *place,
                      int64_t now_mono_ns)
{
    SLG_ASSERT(place->owner_count >= 1);
    SLG_ASSERT(place->owner_count <= SLG_MAP_REPLICATION_MAX);
    SLG_ASSERT(place->hint_count <= SLG_MAP_REPLICATION_MAX);
    SLG_ASSERT(place->write_quorum >= 1);
    SLG_ASSERT(place->write_quorum <= place->owner_count);
    SLG_ASSERT(place->write_quorum_min >= 1);
    SLG_ASSERT(place->write_quorum_min <= place->write_quorum);
    memset(replica, 0, sizeof(*replica));
    replica->write_quorum = place->write_quorum;
    replica->write_quorum_min = place->write_quorum_min;
    replica->owner_count = place->owner_count;
    for (uint16_t i = 0; i < place->owner_count; i++)
        replica->targets[replica->target_count++] =
            make_target(place->owners[i], /* hint= */ false, now_mono_ns);
    for (uint16_t i = 0; i < place->hint_count; i++)
        replica->targets[replica->target_count++] =
            make_target(place->hints[i], /* hint= */ true, now_mono_ns);
}

static struct slg_replica_target *target_of(struct slg_replica *replica, uint16_t node)
{
    for (uint16_t i = 0; i < replica->target_count; i++)
        if (replica->targets[i].node == node)
            return &replica->targets[i];
    return NULL;
}

static uint16_t count_in(const struct slg_replica *replica, enum slg_replica_target_state state)
{
    uint16_t count = 0;

    for (uint16_t i = 0; i < replica->target_count; i++)
        count = (uint16_t)(count + (replica->targets[i].state == state));
    return count;
}

static bool maybe_stored_anywhere(const struct slg_replica *replica)
{
    bool maybe = replica->maybe_elsewhere;

    for (uint16_t i = 0; i < replica->target_count; i++) {
        const struct slg_replica_target *target = &replica->targets[i];

        maybe = maybe || target->maybe_stored || target->state == SLG_TARGET_STORED ||
                target->state == SLG_TARGET_IN_FLIGHT;
    }
    return maybe;
}

static void back_off(struct slg_replica_target *target, int64_t now_mono_ns)
{
    uint32_t doublings = target->attempts < 8 ? target->attempts : 8;
    int64_t wait_ns = SLG_REPLICA_BACKOFF_NS_MIN << doublings >> 1;

    if (wait_ns > SLG_REPLICA_BACKOFF_NS_MAX)
        wait_ns = SLG_REPLICA_BACKOFF_NS_MAX;
    target->state = SLG_TARGET_DUE;
    target->due_mono_ns = now_mono_ns + wait_ns;
}

static void take_reply(struct slg_replica_target *target, enum slg_store_result result,
                       int64_t now_mono_ns, struct slg_replica_actions *actions)
{
    target->failing = result == SLG_STORE_READ_ONLY || result == SLG_STORE_NOT_PLACED;
    switch (result) {
    case SLG_STORE_STORED:
    case SLG_STORE_DUPLICATE:
        target->state = SLG_TARGET_STORED;
        return;
    case SLG_STORE_NOT_PLACED:
        actions->refresh_map = true;
        back_off(target, now_mono_ns);
        return;
    case SLG_STORE_BUSY:
    case SLG_STORE_READ_ONLY:
        back_off(target, now_mono_ns);
        return;
    case SLG_STORE_CONTENT:
        actions->new_incarnation = true;
        break;
    case SLG_STORE_EXPIRED:
    case SLG_STORE_FUTURE:
    case SLG_STORE_MALFORMED:
        break;
    }
    target->state = SLG_TARGET_REFUSED;
    target->refusal = result;
}

/* Will it hold the batch soon, as far as is known? */
static bool promises(const struct slg_replica_target *target)
{
    return target->state == SLG_TARGET_STORED ||
           ((target->state == SLG_TARGET_DUE || target->state == SLG_TARGET_IN_FLIGHT) &&
            !target->unreachable && !target->failing);
}

/* Can anybody still be hoped for beside those who hold the batch? */
static bool others_promise(const struct slg_replica *replica)
{
    for (uint16_t i = 0; i < replica->target_count; i++) {
        const struct slg_replica_target *target = &replica->targets[i];

        if (target->state == SLG_TARGET_IN_FLIGHT ||
            (target->state == SLG_TARGET_RESERVE && !target->unreachable) ||
            (target->state == SLG_TARGET_DUE && promises(target)))
            return true;
    }
    return false;
}

/* Wake hint candidates while too few targets promise; send untried ones back when enough owners do. */
static void choose_hints(struct slg_replica *replica, int64_t now_mono_ns)
{
    uint16_t promised = 0;

    for (uint16_t i = 0; i < replica->target_count; i++) {
        struct slg_replica_target *target = &replica->targets[i];

        if (target->hint && target->state == SLG_TARGET_DUE && target->attempts == 0)
            target->state = SLG_TARGET_RESERVE;
        promised = (uint16_t)(promised + promises(target));
    }
    for (uint16_t i = replica->owner_count;
         i < replica->target_count && promised < replica->write_quorum; i++) {
        struct slg_replica_target *target = &replica->targets[i];

        if (target->state != SLG_TARGET_RESERVE || target->unreachable)
            continue;
        target->state = SLG_TARGET_DUE;
        target->due_mono_ns = now_mono_ns;
        promised++;
    }
}

/* The first owner decides which reason is told. */
static enum slg_store_result refusal_of(const struct slg_replica *replica)
{
    for (uint16_t i = 0; i < replica->target_count; i++)
        if (replica->targets[i].state == SLG_TARGET_REFUSED)
            return replica->targets[i].refusal;
    return SLG_STORE_BUSY;
}

static bool is_fresh(const struct slg_replica_target *target, int64_t now_mono_ns)
{
    return target->state == SLG_TARGET_STORED &&
           now_mono_ns - target->sent_mono_ns < SLG_STORE_ACK_NS;
}

static void doubt(struct slg_replica_target *target, int64_t now_mono_ns)
{
    if (target->state != SLG_TARGET_STORED)
        return;
    target->state = SLG_TARGET_DUE;
    target->maybe_stored = true;
    target->due_mono_ns = now_mono_ns;
}

/* Is there a quorum of fresh acknowledgements? When only stale ones are missing, they are asked for again. */
static bool has_quorum(struct slg_replica *replica, uint16_t stored, int64_t now_mono_ns)
{
    uint16_t fresh = 0, enough = replica->write_quorum;

    if (stored < enough && !others_promise(replica))
        enough = replica->write_quorum_min;
    if (stored < enough)
        return false;
    for (uint16_t i = 0; i < replica->target_count; i++)
        fresh = (uint16_t)(fresh + is_fresh(&replica->targets[i], now_mono_ns));
    if (fresh >= enough)
        return true;
    for (uint16_t i = 0; i < replica->target_count; i++)
        if (!is_fresh(&replica->targets[i], now_mono_ns))
            doubt(&replica->targets[i], now_mono_ns);
    return false;
}

/* What the targets now mean for the batch as a whole. */
static void conclude(struct slg_replica *replica, int64_t now_mono_ns,
                     struct slg_replica_actions *actions)
{
    uint16_t stored = count_in(replica, SLG_TARGET_STORED);
    uint16_t refused = 0, laggards = 0;

    for (uint16_t i = 0; i < replica->owner_count; i++) {
        const struct slg_replica_target *owner = &replica->targets[i];

        refused = (uint16_t)(refused + (owner->state == SLG_TARGET_REFUSED));
        laggards = (uint16_t)(laggards + (owner->state == SLG_TARGET_IN_FLIGHT ||
                                          (owner->state == SLG_TARGET_DUE && promises(owner))));
    }
    if (replica->outcome == SLG_REPLICA_OPEN) {
        if (has_quorum(replica, stored, now_mono_ns)) {
            replica->outcome = SLG_REPLICA_ACCEPTED;
            replica->thin = stored < replica->write_quorum;
            replica->accepted_mono_ns = now_mono_ns;
            actions->settle = true;
        } else if (stored < replica->write_quorum &&
                   replica->owner_count - refused < replica->write_quorum &&
                   count_in(replica, SLG_TARGET_IN_FLIGHT) == 0) {
            replica->outcome =
                maybe_stored_anywhere(replica) ? SLG_REPLICA_ABANDONED : SLG_REPLICA_DROPPED;
            actions->settle = true;
            actions->refusal = refusal_of(replica);
        }
    }
    if (replica->outcome == SLG_REPLICA_OPEN) {
        choose_hints(replica, now_mono_ns);
        return;
    }
    if (replica->outcome != SLG_REPLICA_ACCEPTED || laggards == 0 ||
        now_mono_ns - replica->accepted_mono_ns >= SLG_REPLICA_GRACE_NS)
        actions->release = true;
}

static void place(struct slg_replica *replica, const struct slg_replica_event *event,
                  int64_t now_mono_ns)
{
    struct slg_replica old = *replica;

    slg_replica_init(replica, event->place, now_mono_ns);
    replica->outcome = old.outcome;
    replica->thin = old.thin;
    replica->accepted_mono_ns = old.accepted_mono_ns;
    replica->maybe_elsewhere = old.maybe_elsewhere;
    for (uint16_t i = 0; i < old.target_count; i++) {
        struct slg_replica_target *target = target_of(replica, old.targets[i].node);

        if (target != NULL) {
            bool hint = target->hint;

            if (old.targets[i].state != SLG_TARGET_RESERVE)
                *target = old.targets[i];
            target->hint = hint;
        } else if (old.targets[i].maybe_stored || old.targets[i].state == SLG_TARGET_STORED ||
                   old.targets[i].state == SLG_TARGET_IN_FLIGHT)
            replica->maybe_elsewhere = true;
    }
}

static void stop(struct slg_replica *replica, struct slg_replica_actions *actions)
{
    if (replica->outcome == SLG_REPLICA_OPEN) {
        replica->outcome =
            maybe_stored_anywhere(replica) ? SLG_REPLICA_ABANDONED : SLG_REPLICA_DROPPED;
        actions->settle = true;
        actions->refusal = refusal_of(replica);
    }
    actions->release = true;
}

struct slg_replica_actions slg_replica_step(struct slg_replica *replica,
                                            const struct slg_replica_event *event,
                                            int64_t now_mono_ns)
{
    struct slg_replica_actions actions = { 0 };
    struct slg_replica_target *target = target_of(replica, event->node);

    switch (event->type) {
    case SLG_REPLICA_SENT:
        SLG_ASSERT(target != NULL);
        SLG_ASSERT(target->state == SLG_TARGET_DUE);
        target->state = SLG_TARGET_IN_FLIGHT;
        target->attempts++;
        target->sent_mono_ns = now_mono_ns;
        break;
    case SLG_REPLICA_REPLY:
        if (target != NULL && target->state == SLG_TARGET_IN_FLIGHT)
            take_reply(target, event->result, now_mono_ns, &actions);
        break;
    case SLG_REPLICA_FAILED:
        if (target != NULL && target->state == SLG_TARGET_IN_FLIGHT) {
            target->maybe_stored = true;
            back_off(target, now_mono_ns);
        }
        break;
    case SLG_REPLICA_UNSENT:
        if (target != NULL && target->state == SLG_TARGET_IN_FLIGHT)
            back_off(target, now_mono_ns);
        break;
    case SLG_REPLICA_REACH:
        if (target != NULL)
            target->unreachable = !event->reachable;
        break;
    case SLG_REPLICA_FORGOT:
        if (target != NULL)
            doubt(target, now_mono_ns);
        break;
    case SLG_REPLICA_TICK:
        break;
    case SLG_REPLICA_PRESSED:
        actions.release = replica->outcome == SLG_REPLICA_ACCEPTED;
        break;
    case SLG_REPLICA_PLACED:
        place(replica, event, now_mono_ns);
        break;
    case SLG_REPLICA_STOP:
        stop(replica, &actions);
        return actions;
    }
    conclude(replica, now_mono_ns, &actions);
    return actions;
}

/* After acceptance only owners are still sent to. */
static bool wanted(const struct slg_replica *replica, const struct slg_replica_target *target)
{
    return target->state == SLG_TARGET_DUE &&
           (!target->hint || replica->outcome == SLG_REPLICA_OPEN);
}

bool slg_replica_due(const struct slg_replica *replica, uint16_t node, int64_t now_mono_ns,
                     bool *ret_hint)
{
    for (uint16_t i = 0; i < replica->target_count; i++) {
        const struct slg_replica_target *target = &replica->targets[i];

        if (target->node != node)
            continue;
        *ret_hint = target->hint;
        return wanted(replica, target) && target->due_mono_ns <= now_mono_ns;
    }
    return false;
}

int64_t slg_replica_wake_mono_ns(const struct slg_replica *replica)
{
    int64_t wake = INT64_MAX;

    for (uint16_t i = 0; i < replica->target_count; i++)
        if (wanted(replica, &replica->targets[i]) && replica->targets[i].due_mono_ns < wake)
            wake = replica->targets[i].due_mono_ns;
    if (replica->outcome == SLG_REPLICA_ACCEPTED &&
        replica->accepted_mono_ns + SLG_REPLICA_GRACE_NS < wake)
        wake = replica->accepted_mono_ns + SLG_REPLICA_GRACE_NS;
    return wake;
}
