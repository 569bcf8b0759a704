/* A storer: what is on its disk, what waits for the next commit, who it is, and what it answers. The shells are
 * storer/commit.c, storer/serve.c, storer/retention.c and storer/peer_links.c. */
#include "tests/sim/world.h"

static bool is_owner(const struct sim_world *w, int node, int shard)
{
    return slg_placement_owns(&w->placements[shard], (uint16_t)node);
}

/* ---- commit ---- */

static enum slg_store_result admit(const struct sim_world *w, int node,
                                   const struct sim_pending *item)
{
    const struct sim_batch *batch = &w->batches[item->batch];
    struct slg_batch_header header = { .ts_max_ns = batch->ts_max_ns };
    struct slg_admit rules = { .map = sim_map(w, node),
                               .node_id = w->map_nodes[node].id,
                               .now_ns = sim_wall_ns(w, node) };
    unsigned flags = (item->hint ? SLG_STORE_FLAG_HINT : 0) |
                     (item->from < 0 ? SLG_ADMIT_FLAG_COPY : 0); /* fetched by repair */
    struct slg_error err;

    header.id.shard = w->shards[batch->shard];
    if (w->bug == SIM_BUG_RESURRECTION && item->from < 0)
        return SLG_STORE_STORED;
    return slg_admit_batch(&rules, &header, flags, &err);
}

static void reply_to(struct sim_world *w, int node, const struct sim_pending *item,
                     enum slg_store_result result)
{
    struct sim_message request = {
        .kind = SIM_STORE, .from = item->from, .to = node, .request = item->request
    };
    struct sim_message reply = { .ok = true, .result = result, .batch = item->batch };

    if (item->from < 0)
        sim_repair_committed(w, node, item->request, result);
    else
        sim_answer(w, &request, &reply);
}

void sim_storer_submit(struct sim_world *w, int node, const struct sim_pending *item)
{
    struct sim_storer *storer = &w->storers[node];
    bool twin = false;

    for (size_t i = 0; i < storer->pending_count; i++)
        twin = twin || storer->pending[i].batch == item->batch;
    if (storer->pending_count == sizeof(storer->pending) / sizeof(storer->pending[0])) {
        reply_to(w, node, item, SLG_STORE_BUSY);
        return;
    }
    if (item->from >= 0 && w->bug == SIM_BUG_ACK_BEFORE_COMMIT)
        reply_to(w, node, item, SLG_STORE_STORED);
    else if (item->from >= 0 && twin && w->bug == SIM_BUG_DUPLICATE_EARLY)
        reply_to(w, node, item, SLG_STORE_DUPLICATE);
    storer->pending[storer->pending_count++] = *item;
    if (!storer->commit_due) {
        int64_t wait_ns = sim_chance(w, 50) ? SIM_MS(sim_random(w, 4000)) : SIM_MS(5);

        storer->commit_due = true;
        sim_push(w, w->now_ns + wait_ns, SIM_COMMIT, node, 0);
    }
}

/* One transaction: bits appear at once, answers follow. */
void sim_storer_commit(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    struct sim_pending items[sizeof(storer->pending) / sizeof(storer->pending[0])];
    enum slg_store_result results[sizeof(items) / sizeof(items[0])];
    size_t count = storer->pending_count;
    sim_bits held = storer->disk.held;

    memcpy(items, storer->pending, count * sizeof(items[0]));
    storer->pending_count = 0;
    storer->commit_due = false;
    for (size_t i = 0; i < count; i++) {
        sim_bits bit = sim_bit(items[i].batch);

        results[i] = admit(w, node, &items[i]);
        if (results[i] != SLG_STORE_STORED)
            continue;
        if ((held & bit) != 0)
            results[i] = SLG_STORE_DUPLICATE;
        else if (storer->read_only)
            results[i] = SLG_STORE_READ_ONLY;
        else
            held |= bit;
        if ((held & bit) != 0 && sim_window_expired(w, node, w->batches[items[i].batch].shard))
            sim_fail(w, "H10: storer %d committed batch %d, which has expired", node,
                     items[i].batch);
    }
    storer->stored_since_count = storer->stored_since_count || held != storer->disk.held;
    storer->disk.held = held;
    storer->disk.aside &= ~held; /* it is back */
    for (size_t i = 0; i < count; i++) {
        sim_trace(w, "storer %d: batch %d %s", node, items[i].batch,
                  results[i] <= SLG_STORE_DUPLICATE ? "held" : "refused");
        reply_to(w, node, &items[i], results[i]);
    }
}

/* Can this copy not vouch for all that it once held? */
bool sim_storer_doubts(const struct sim_world *w, int node, int shard)
{
    const struct sim_disk *disk = &w->storers[node].disk;

    return disk->refilling[shard] || (disk->aside & sim_of_shard(w, shard)) != 0;
}

/* With its directory goes what it knew of itself. */
void sim_storer_forget(struct sim_world *w, int node, int shard)
{
    struct sim_disk *disk = &w->storers[node].disk;

    disk->held &= ~sim_of_shard(w, shard);
    disk->aside &= ~sim_of_shard(w, shard);
    disk->refilling[shard] = false;
}

/* ---- who am I ---- */

static struct slg_member_storage own_storage(const struct sim_storer *storer)
{
    struct slg_member_storage own = { .known = true, .counter = storer->disk.counter };

    memcpy(own.id, storer->disk.id, sizeof(own.id));
    return own;
}

void sim_storer_fill(const struct sim_world *w, int node, int peer, struct sim_message *message)
{
    const struct sim_storer *storer = &w->storers[node];

    message->own = own_storage(storer);
    message->own.known = storer->member.state == SLG_MEMBER_WHOLE;
    message->known = storer->known[peer];
}

void sim_storer_note(struct sim_world *w, int node, const struct sim_message *message)
{
    struct sim_storer *storer = &w->storers[node];
    struct slg_member_storage *known = &storer->known[message->from];
    enum slg_member_state before = storer->member.state;

    storer->member.own.counter = storer->disk.counter;
    slg_member_hear(&storer->member, (size_t)message->from, &message->own, &message->known,
                    w->now_ns);
    if (message->own.known && (!known->known || known->counter < message->own.counter ||
                               memcmp(known->id, message->own.id, sizeof(known->id)) != 0))
        *known = message->own;
    if (storer->member.state != before)
        sim_trace(w, "storer %d: %s, heard %d", node, slg_member_text(storer->member.state),
                  message->from);
}

/* ---- life ---- */

void sim_storer_start(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    struct slg_member_storage own;

    w->nodes[node].up = true;
    w->nodes[node].generation++;
    w->nodes[node].map = w->map_newest;
    memcpy(storer->known, storer->disk.known, sizeof(storer->known));
    own = own_storage(storer);
    slg_member_init(&storer->member, sim_map(w, node), (size_t)node, &own,
                    storer->disk.proven || w->bug == SIM_BUG_RESTART_BELIEVED, w->now_ns);
    if (w->bug == SIM_BUG_LOST_IS_NEW)
        storer->member.proven = true;
    if (w->bug == SIM_BUG_HINT_DROPPED)
        for (int i = 0; i < SIM_SHARDS; i++)
            if (!is_owner(w, node, i))
                storer->disk.held &= ~sim_of_shard(w, i);
    sim_push(w, w->now_ns + SIM_MS(sim_random(w, 1000)), SIM_ROUND, node, 0);
    sim_push(w, w->now_ns + SIM_SECONDS(1), SIM_TICK, node, 0);
    sim_trace(w, "storer %d: starts", node);
}

/* All that was in memory is gone. */
void sim_storer_stop(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];

    w->nodes[node].up = false;
    w->nodes[node].generation++;
    storer->pending_count = 0;
    storer->commit_due = false;
    storer->stored_since_count = false;
    memset(&storer->round, 0, sizeof(storer->round));
    memset(storer->tasks, 0, sizeof(storer->tasks));
    memset(storer->reachable, 0, sizeof(storer->reachable));
    memset(storer->refilling_since_ns, 0, sizeof(storer->refilling_since_ns));
    for (int i = 0; i < SIM_SHARDS; i++)
        slg_heal_fini(&storer->heal[i]);
}

/* As raise_counter of storer/storer.c. */
static void raise_counter(struct sim_storer *storer)
{
    uint64_t settled = storer->member.counter_settled;

    if (storer->read_only || storer->member.state != SLG_MEMBER_WHOLE ||
        (!storer->stored_since_count && (settled == 0 || storer->disk.counter > settled)))
        return;
    if (storer->disk.counter < settled)
        storer->disk.counter = settled;
    storer->disk.counter++;
    storer->stored_since_count = false;
}

/* Each second: retention by the own clock; each 5 s the counter. */
void sim_storer_tick(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];

    for (int i = 0; i < SIM_SHARDS; i++)
        if (sim_window_expired(w, node, i))
            sim_storer_forget(w, node, i);
    if (++storer->ticks % 5 == 0)
        raise_counter(storer);
    sim_push(w, w->now_ns + SIM_SECONDS(1), SIM_TICK, node, 0);
}

/* ---- answers ---- */

static sim_bits visible(const struct sim_world *w, int node, int shard)
{
    if (sim_window_expired(w, node, shard) && w->bug != SIM_BUG_RESURRECTION)
        return 0;
    if (w->bug == SIM_BUG_HINT_UNSEEN && !is_owner(w, node, shard))
        return 0;
    return w->storers[node].disk.held & sim_of_shard(w, shard);
}

static void answer_sets(struct sim_world *w, const struct sim_message *message)
{
    const struct sim_storer *storer = &w->storers[message->to];
    struct sim_message reply = { .ok = true, .shard = message->shard };

    reply.refilling = storer->member.state != SLG_MEMBER_WHOLE && w->bug != SIM_BUG_AMNESIAC_COUNTS;
    for (int i = 0; i < SIM_SHARDS; i++) {
        if (message->shard >= 0 && message->shard != i)
            continue;
        reply.set |= visible(w, message->to, i);
        reply.doubtful[i] = sim_storer_doubts(w, message->to, i);
        reply.digests[i] = sim_digest(w, i, visible(w, message->to, i));
    }
    sim_answer(w, message, &reply);
}

static void answer_fetch(struct sim_world *w, const struct sim_message *message)
{
    sim_bits left = message->set & w->storers[message->to].disk.held;
    struct sim_message reply = { .ok = true };
    int room = 1 + (int)sim_random(w, 8);

    if (sim_window_expired(w, message->to, message->shard) && w->bug != SIM_BUG_RESURRECTION)
        left = 0;
    for (; left != 0 && room > 0; left &= left - 1, room--)
        reply.set |= left & ~(left - 1);
    reply.more = left != 0;
    sim_answer(w, message, &reply);
}

/* A page of S in order. Sizes of pages differ between nodes, as cursors do. */
static void answer_query(struct sim_world *w, const struct sim_message *message)
{
    sim_bits held = w->storers[message->to].disk.held & sim_of_shard(w, message->shard);
    sim_bits left = message->set;
    struct sim_message reply = { .ok = true, .shard = message->shard, .page = message->page };
    int room = 1 + message->to % 3;

    if (sim_window_expired(w, message->to, message->shard))
        left &= held;
    reply.ok = (left & ~held) == 0;
    if (w->bug == SIM_BUG_READS_PAST_SET)
        left = held;
    for (int skip = room * message->page; left != 0 && skip > 0; skip--)
        left &= left - 1;
    for (; left != 0 && room > 0; left &= left - 1, room--)
        reply.set |= left & ~(left - 1);
    reply.more = left != 0;
    sim_answer(w, message, &reply);
}

void sim_storer_take(struct sim_world *w, const struct sim_message *message)
{
    struct sim_message reply = { .ok = true };
    struct sim_pending item = { .batch = message->batch,
                                .hint = message->hint,
                                .from = message->from,
                                .request = message->request };

    if ((message->kind == SIM_SETS || message->kind == SIM_FETCH || message->kind == SIM_QUERY) &&
        message->epoch > sim_map(w, message->to)->epoch) {
        reply.ok = false; /* this storer's map is behind */
        reply.shard = message->shard;
        sim_answer(w, message, &reply);
        return;
    }
    switch (message->kind) {
    case SIM_HELLO:
        if (message->from < w->storer_count) {
            sim_storer_fill(w, message->to, message->from, &reply);
            sim_storer_note(w, message->to, message);
        }
        sim_answer(w, message, &reply);
        break;
    case SIM_STORE:
        sim_storer_submit(w, message->to, &item);
        break;
    case SIM_SETS:
        answer_sets(w, message);
        break;
    case SIM_FETCH:
        answer_fetch(w, message);
        break;
    case SIM_ENSURE:
        sim_repair_ensure(w, message);
        break;
    case SIM_QUERY:
        answer_query(w, message);
        break;
    }
}
