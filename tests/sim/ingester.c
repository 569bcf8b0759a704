/* An ingester: it seals batches and drives ingester/replica until each is settled and released. The shell is
 * ingester/forward.c. */
#include "tests/sim/world.h"

static struct sim_ingester *ingester_of(struct sim_world *w, int node)
{
    return &w->ingesters[node - w->storer_count];
}

static void settle(struct sim_world *w, int index)
{
    struct sim_batch *batch = &w->batches[index];
    struct sim_ingester *ingester = &w->ingesters[batch->ingester];

    batch->settled = true;
    sim_trace(w, "ingester: batch %d outcome %d", index, (int)batch->replica.outcome);
    switch (batch->replica.outcome) {
    case SLG_REPLICA_ACCEPTED:
        ingester->accepted++;
        batch->accepted_ns = w->now_ns;
        batch->need = batch->replica.thin ? w->layout.write_quorum_min : w->layout.write_quorum;
        w->accepted |= sim_bit(index);
        break;
    case SLG_REPLICA_DROPPED:
        ingester->dropped++;
        w->dropped |= sim_bit(index);
        break;
    case SLG_REPLICA_ABANDONED:
        ingester->abandoned++;
        break;
    case SLG_REPLICA_OPEN:
        sim_fail(w, "batch %d was settled while open", index);
        break;
    }
}

static void step(struct sim_world *w, int index, const struct slg_replica_event *event)
{
    struct sim_batch *batch = &w->batches[index];
    struct slg_replica_actions actions;

    for (int i = 0; w->bug == SIM_BUG_STALE_ACK && i < batch->replica.target_count; i++)
        if (batch->replica.targets[i].state == SLG_TARGET_STORED)
            batch->replica.targets[i].sent_mono_ns = w->now_ns;
    actions = slg_replica_step(&batch->replica, event, w->now_ns);

    if (actions.settle && batch->settled)
        sim_fail(w, "batch %d was settled twice", index);
    else if (actions.settle)
        settle(w, index);
    if (actions.release)
        batch->live = false;
}

static int ingester_node(const struct sim_world *w, const struct sim_batch *batch)
{
    return w->storer_count + batch->ingester;
}

/* Send to whoever is due. */
static void pump(struct sim_world *w, int index)
{
    struct sim_batch *batch = &w->batches[index];
    int from = ingester_node(w, batch);

    for (int i = 0; i < w->storer_count && batch->live; i++) {
        struct sim_message store = { .kind = SIM_STORE, .from = from, .to = i, .batch = index };
        struct slg_replica_event sent = { .type = SLG_REPLICA_SENT, .node = (uint16_t)i };
        bool hint;

        if (w->ingesters[batch->ingester].unreachable[i] ||
            !slg_replica_due(&batch->replica, (uint16_t)i, w->now_ns, &hint))
            continue;
        store.hint = hint;
        sim_ask(w, &store, SIM_FOR_BATCH, index, SIM_SECONDS(2));
        step(w, index, &sent);
    }
}

static void place_of(const struct sim_world *w, int shard, struct slg_replica_place *place)
{
    const struct slg_placement *placement = &w->placements[shard];

    *place = (struct slg_replica_place){ .owner_count = placement->owner_count,
                                         .hint_count = placement->hint_count,
                                         .write_quorum = w->layout.write_quorum,
                                         .write_quorum_min = w->layout.write_quorum_min };
    memcpy(place->owners, placement->owners, sizeof(place->owners));
    memcpy(place->hints, placement->hints, sizeof(place->hints));
    if (w->bug == SIM_BUG_ACK_BELOW_QUORUM && place->write_quorum > 1) {
        place->write_quorum--;
        if (place->write_quorum_min > place->write_quorum)
            place->write_quorum_min = place->write_quorum;
    }
}

void sim_ingester_seal(struct sim_world *w, int node)
{
    struct sim_ingester *ingester = ingester_of(w, node);
    struct slg_replica_place place;
    int index = w->batch_count;
    struct sim_batch *batch = &w->batches[index];
    int shard = (int)sim_random(w, SIM_SHARDS);

    sim_push(w, w->now_ns + SIM_MS(100 + sim_random(w, 8000)), SIM_BATCH, node, 0);
    if (index == SIM_BATCHES_MAX || w->healed || ingester->stopping)
        return;
    w->batch_count++;
    w->of_shard[shard] |= sim_bit(index);
    ingester->received++;
    *batch = (struct sim_batch){ .incarnation = ingester->incarnation,
                                 .shard = shard,
                                 .ingester = node - w->storer_count,
                                 .sequence = ++ingester->sequences[shard],
                                 .live = true };
    batch->ts_max_ns = shard == 0 ? w->shards[0].window_ns + w->shards[0].length_ns - 1
                                  : w->shards[shard].window_ns + SIM_SECONDS(600);
    if (shard != 0 && sim_chance(w, 30)) /* as far ahead as may be, or a little more */
        batch->ts_max_ns = sim_wall_ns(w, node) + SIM_SECONDS(580 + (int64_t)sim_random(w, 40));
    place_of(w, shard, &place);
    sim_trace(w, "ingester %d: seals batch %d of shard %d", node, index, shard);
    slg_replica_init(&batch->replica, &place, w->now_ns);
    for (int i = 0; i < w->storer_count && batch->live; i++) {
        struct slg_replica_event reach = { .type = SLG_REPLICA_REACH, .node = (uint16_t)i };

        if (ingester->unreachable[i])
            step(w, index, &reach);
    }
    pump(w, index);
}

static void tell_reach(struct sim_world *w, int node, int peer, bool reachable)
{
    struct sim_ingester *ingester = ingester_of(w, node);
    struct slg_replica_event reach = { .type = SLG_REPLICA_REACH,
                                       .node = (uint16_t)peer,
                                       .reachable = reachable };

    if (ingester->unreachable[peer] == !reachable)
        return;
    ingester->unreachable[peer] = !reachable;
    for (int i = 0; i < w->batch_count; i++)
        if (w->batches[i].live && ingester_node(w, &w->batches[i]) == node)
            step(w, i, &reach);
}

/* reply NULL: none came. */
void sim_ingester_answer(struct sim_world *w, const struct sim_request *request,
                         const struct sim_message *reply)
{
    struct slg_replica_event event = { .type =
                                           reply == NULL ? SLG_REPLICA_FAILED : SLG_REPLICA_REPLY,
                                       .node = (uint16_t)request->to };

    if (request->purpose == SIM_FOR_BATCH && w->batches[request->arg].live) {
        event.result = reply == NULL ? SLG_STORE_STORED : reply->result;
        step(w, request->arg, &event);
    }
    tell_reach(w, request->node, request->to, reply != NULL);
    if (request->purpose == SIM_FOR_BATCH && w->batches[request->arg].live)
        pump(w, request->arg);
}

void sim_ingester_tick(struct sim_world *w, int node)
{
    struct sim_ingester *ingester = ingester_of(w, node);
    struct slg_replica_event tick = { .type = SLG_REPLICA_TICK, .node = UINT16_MAX };

    for (int i = 0; i < w->storer_count; i++) {
        struct sim_message probe = { .kind = SIM_HELLO, .from = node, .to = i };

        if (ingester->unreachable[i])
            sim_ask(w, &probe, SIM_FOR_PROBE, 0, SIM_MS(900));
    }
    for (int i = 0; i < w->batch_count; i++) {
        if (!w->batches[i].live || ingester_node(w, &w->batches[i]) != node)
            continue;
        step(w, i, &tick);
        pump(w, i);
    }
    sim_push(w, w->now_ns + SIM_MS(250), SIM_TICK, node, 0);
}

/* What was not settled is abandoned: it may be stored. */
void sim_ingester_crash(struct sim_world *w, int node)
{
    struct sim_ingester *ingester = ingester_of(w, node);

    w->nodes[node].up = false;
    w->nodes[node].generation++;
    for (int i = 0; i < w->batch_count; i++) {
        struct sim_batch *batch = &w->batches[i];

        if (ingester_node(w, batch) != node || !batch->live)
            continue;
        batch->live = false;
        batch->crashed = !batch->settled;
        ingester->abandoned += !batch->settled;
        batch->settled = true;
    }
}

void sim_ingester_terminate(struct sim_world *w, int node)
{
    struct sim_ingester *ingester = ingester_of(w, node);

    if (!w->nodes[node].up || ingester->stopping)
        return;
    sim_trace(w, "fault: ingester %d is told to stop", node - w->storer_count);
    ingester->stopping = true;
    sim_push(w, w->now_ns + SIM_SECONDS(1 + (int64_t)sim_random(w, 9)), SIM_STOP, node, 0);
}

void sim_ingester_stop(struct sim_world *w, int node)
{
    struct slg_replica_event stop = { .type = SLG_REPLICA_STOP, .node = UINT16_MAX };

    for (int i = 0; i < w->batch_count; i++) {
        if (!w->batches[i].live || ingester_node(w, &w->batches[i]) != node)
            continue;
        step(w, i, &stop);
        if (w->batches[i].live || !w->batches[i].settled)
            sim_fail(w, "batch %d outlived its ingester's stop", i);
    }
    w->nodes[node].up = false;
    w->nodes[node].generation++;
    sim_push(w, w->now_ns + SIM_MS(100 + sim_random(w, 4000)), SIM_RESTART, node, 0);
}

/* A start is a new incarnation. */
void sim_ingester_restart(struct sim_world *w, int node)
{
    struct sim_ingester *ingester = ingester_of(w, node);

    w->nodes[node].up = true;
    w->nodes[node].generation++;
    w->nodes[node].map = w->map_newest;
    ingester->stopping = false;
    memset(ingester->sequences, 0, sizeof(ingester->sequences));
    memset(ingester->unreachable, 0, sizeof(ingester->unreachable));
    memset(ingester->incarnation.bytes, ++w->next_id, sizeof(ingester->incarnation.bytes));
    sim_push(w, w->now_ns + SIM_MS(sim_random(w, 2000)), SIM_BATCH, node, 0);
    sim_push(w, w->now_ns + SIM_MS(250), SIM_TICK, node, 0);
}

void sim_ingester_press(struct sim_world *w, int node)
{
    struct slg_replica_event pressed = { .type = SLG_REPLICA_PRESSED, .node = UINT16_MAX };

    for (int i = 0; i < w->batch_count; i++)
        if (w->batches[i].live && ingester_node(w, &w->batches[i]) == node)
            step(w, i, &pressed);
}
