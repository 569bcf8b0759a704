/* Rounds of repair and ENSURE, as storer/repair.c and storer/copy.c do them: greet, compare digests, then shard by
 * shard ranges, a look (storer/heal.h) and what follows from it. */
#include "tests/sim/world.h"

#define ROUND_NS SIM_SECONDS(5)

static void look_at_next(struct sim_world *w, int node);
static void fetch_next(struct sim_world *w, int node, uint32_t index);

/* What the data directory says of itself, written with each greeting and round (storer/peer_links.c). */
static void keep_known(struct sim_storer *storer)
{
    storer->member.own.counter = storer->disk.counter;
    if (storer->read_only)
        return;
    memcpy(storer->disk.known, storer->known, sizeof(storer->known));
    if (slg_member_provable(&storer->member))
        storer->disk.proven = true;
    else if (!storer->member.proven)
        storer->disk.proven = false;
}

static void end_round(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    const struct slg_member_round *member = &storer->round.member;
    enum slg_member_state before = storer->member.state;

    if (member->answered > 0)
        slg_member_end_round(&storer->member, member, storer->round.due);
    keep_known(storer);
    if (storer->member.state != before)
        sim_trace(w, "storer %d: %s after a round over %zu, %zu whole", node,
                  slg_member_text(storer->member.state), member->answered, member->answered_whole);
    storer->round.phase = SIM_IDLE;
    sim_push(w, w->now_ns + (storer->member.state == SLG_MEMBER_JOINING ? SIM_MS(500) : ROUND_NS),
             SIM_ROUND, node, 0);
}

void sim_repair_start_round(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];

    memset(&storer->round, 0, sizeof(storer->round));
    storer->round.phase = SIM_GREETING;
    storer->round.shard = -1;
    for (int i = 0; i < w->storer_count; i++) {
        struct sim_message hello = { .kind = SIM_HELLO, .from = node, .to = i };

        if (i == node)
            continue;
        sim_storer_fill(w, node, i, &hello);
        storer->round.waiting++;
        sim_ask(w, &hello, SIM_FOR_GREETING, i, SIM_SECONDS(1));
    }
}

static void ask_sets(struct sim_world *w, int node, enum sim_purpose purpose, const bool *whom,
                     int shard)
{
    struct sim_round *round = &w->storers[node].round;

    for (int i = 0; i < w->storer_count; i++) {
        struct sim_message sets = { .kind = SIM_SETS, .from = node, .to = i, .shard = shard };

        if (i == node || !whom[i])
            continue;
        round->waiting++;
        sim_ask(w, &sets, purpose, i, SIM_SECONDS(3));
    }
}

/* Do at least W_min peers hold the shard, and all of them the same? */
static bool is_safe(const struct sim_world *w, const struct sim_round *round, int shard)
{
    const struct slg_batch_set_digest *first = NULL;
    int copies = 0;

    for (int i = 0; i < w->storer_count; i++) {
        const struct slg_batch_set_digest *digest = &round->digests[i][shard];

        if (!round->answers[i] || digest->count == 0)
            continue;
        first = first == NULL ? digest : first;
        if (!slg_batch_set_digest_equal(digest, first))
            return false;
        copies++;
    }
    return first == NULL || copies >= w->layout.write_quorum_min;
}

/* Does the shard need a look? */
static bool differs(const struct sim_world *w, int node, int shard)
{
    const struct sim_round *round = &w->storers[node].round;
    const struct slg_placement *placement = &w->placements[shard];
    sim_bits held = w->storers[node].disk.held & sim_of_shard(w, shard);
    struct slg_batch_set_digest own = sim_digest(w, shard, held);

    if (sim_window_expired(w, node, shard) && w->bug != SIM_BUG_RESURRECTION)
        return false;
    if (w->storers[node].disk.refilling[shard] ||
        ((w->storers[node].disk.aside & sim_of_shard(w, shard)) != 0 &&
         !slg_placement_owns(placement, (uint16_t)node)))
        return true;
    if (!slg_placement_owns(placement, (uint16_t)node))
        return held != 0 || (slg_placement_hints(placement, (uint16_t)node) && round->refilling &&
                             !is_safe(w, round, shard));
    for (int i = 0; i < w->storer_count; i++)
        if (round->answers[i] && !slg_batch_set_digest_equal(&round->digests[i][shard], &own))
            return true;
    return false;
}

/* ---- a look ---- */

static void act(struct sim_world *w, int node, const struct slg_heal_actions *actions, sim_bits own,
                bool counts)
{
    struct sim_storer *storer = &w->storers[node];
    int shard = storer->round.shard;
    bool refilling = storer->disk.refilling[shard];
    struct sim_task task = { .used = true, .shard = shard, .peer = -1 };

    storer->round.due = storer->round.due || actions->due;
    if (actions->forget && !w->repair_off && own == (storer->disk.held & sim_of_shard(w, shard))) {
        sim_trace(w, "storer %d: forgets hints of shard %d", node, shard);
        sim_storer_forget(w, node, shard);
    }
    if (refilling && counts && !actions->due && !actions->forget) {
        sim_trace(w, "storer %d: vouches for shard %d again", node, shard);
        storer->disk.refilling[shard] = false;
    }
    for (size_t i = 0; i < actions->fetch_count && !w->repair_off; i++) {
        sim_bits part = sim_bits_of(w, shard, actions->fetches[i].set);

        task.parts[actions->fetches[i].node] = part;
        task.wanted |= part;
    }
    for (uint32_t i = 0; i < SIM_TASKS_MAX && task.wanted != 0; i++) {
        if (storer->tasks[i].used)
            continue;
        storer->tasks[i] = task;
        storer->round.phase = SIM_FETCHING;
        fetch_next(w, node, i);
        return;
    }
    look_at_next(w, node);
}

static void look(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    struct sim_round *round = &storer->round;
    const struct slg_placement *placement = &w->placements[round->shard];
    sim_bits own = storer->disk.held & sim_of_shard(w, round->shard);
    struct slg_batch_set *own_set = sim_set_of(w, own), *sets[SIM_STORERS_MAX];
    struct slg_batch_set *aside = sim_set_of(w, storer->disk.aside & sim_of_shard(w, round->shard));
    struct slg_heal_peer peers[SIM_STORERS_MAX];
    bool refilling = storer->disk.refilling[round->shard];
    bool live[SLG_MAP_NODE_COUNT_MAX];
    struct slg_heal_view view = { .owner = slg_placement_owns(placement, (uint16_t)node),
                                  .candidate = slg_placement_hints(placement, (uint16_t)node) &&
                                               w->bug != SIM_BUG_CANDIDATE_SKIPS,
                                  .refilling = round->refilling || refilling,
                                  .counts = round->counts,
                                  .copies_min = w->layout.write_quorum_min,
                                  .own = own_set,
                                  .aside = aside,
                                  .peers = peers,
                                  .owner_count = placement->owner_count };
    struct slg_heal_actions actions;
    enum slg_status status;

    memset(live, true, sizeof(live));
    for (int i = 0; i < w->storer_count; i++) {
        if (!round->range_answers[i])
            continue;
        sets[view.peer_count] = sim_set_of(w, round->held[i]);
        peers[view.peer_count] =
            (struct slg_heal_peer){ .node = (uint16_t)i,
                                    .owner = slg_placement_owns(placement, (uint16_t)i),
                                    .whole = round->vouches[i],
                                    .set = sets[view.peer_count] };
        view.peer_count++;
    }
    if (refilling && storer->refilling_since_ns[round->shard] == 0)
        storer->refilling_since_ns[round->shard] = w->now_ns;
    else if (!refilling)
        storer->refilling_since_ns[round->shard] = 0;
    if (refilling && w->now_ns - storer->refilling_since_ns[round->shard] >= SLG_MEMBER_SETTLE_NS)
        view.counts =
            view.counts || slg_heal_copy_counts(placement, live, (uint16_t)node, peers,
                                                view.peer_count, w->layout.write_quorum_min);
    status = slg_heal_look(&storer->heal[round->shard], &view, w->now_ns, &actions);
    SLG_ASSERT(status == SLG_OK);
    slg_batch_set_destroy(own_set);
    slg_batch_set_destroy(aside);
    for (size_t i = 0; i < view.peer_count; i++)
        slg_batch_set_destroy(sets[i]);
    act(w, node, &actions, own, view.counts);
    slg_heal_actions_fini(&actions);
}

static void look_at_next(struct sim_world *w, int node)
{
    struct sim_round *round = &w->storers[node].round;

    while (++round->shard < SIM_SHARDS) {
        if (!differs(w, node, round->shard)) {
            if (!round->refilling)
                slg_heal_fini(&w->storers[node].heal[round->shard]);
            continue;
        }
        round->phase = SIM_RANGES;
        memset(round->range_answers, 0, sizeof(round->range_answers));
        ask_sets(w, node, SIM_FOR_RANGES, round->answers, round->shard);
        return;
    }
    end_round(w, node);
}

/* ---- fetching ---- */

static void end_task(struct sim_world *w, int node, struct sim_task *task)
{
    sim_bits lacked = task->wanted & ~w->storers[node].disk.held;
    struct sim_message request = {
        .kind = SIM_ENSURE, .from = task->from, .to = node, .request = task->request
    };
    struct sim_message reply = { .ok = lacked == 0, .shard = task->shard };

    task->used = false;
    if (task->ensure)
        sim_answer(w, &request, &reply);
    else
        look_at_next(w, node);
}

/* What is still wanted of the peer, then of the next one. */
static void fetch_next(struct sim_world *w, int node, uint32_t index)
{
    struct sim_storer *storer = &w->storers[node];
    struct sim_task *task = &storer->tasks[index];

    for (; task->peer < w->storer_count; task->peer++) {
        struct sim_message fetch = {
            .kind = SIM_FETCH, .from = node, .to = task->peer, .shard = task->shard
        };

        if (task->peer < 0 || !storer->reachable[task->peer] || task->refused)
            continue;
        fetch.set = (task->ensure ? task->wanted : task->parts[task->peer]) & ~storer->disk.held;
        if (fetch.set == 0)
            continue;
        sim_ask(w, &fetch, SIM_FOR_TASK, (int)index, SIM_SECONDS(3));
        return;
    }
    end_task(w, node, task);
}

static void take_piece(struct sim_world *w, int node, uint32_t index,
                       const struct sim_message *reply)
{
    struct sim_task *task = &w->storers[node].tasks[index];

    if (reply == NULL || reply->set == 0) {
        task->peer++;
        fetch_next(w, node, index);
        return;
    }
    for (int i = 0; i < w->batch_count; i++)
        task->waiting += (reply->set & sim_bit(i)) != 0;
    if (!reply->more)
        task->peer++;
    for (int i = 0; i < w->batch_count; i++) {
        struct sim_pending item = { .batch = i, .hint = true, .from = -1, .request = index };

        if ((reply->set & sim_bit(i)) != 0)
            sim_storer_submit(w, node, &item);
    }
}

void sim_repair_committed(struct sim_world *w, int node, uint32_t task_index,
                          enum slg_store_result result)
{
    struct sim_task *task = &w->storers[node].tasks[task_index];

    if (result != SLG_STORE_STORED && result != SLG_STORE_DUPLICATE)
        task->refused = true; /* asking again brings the same */
    if (--task->waiting == 0)
        fetch_next(w, node, task_index);
}

void sim_repair_ensure(struct sim_world *w, const struct sim_message *message)
{
    struct sim_storer *storer = &w->storers[message->to];
    struct sim_message busy = { .ok = false, .shard = message->shard };

    for (uint32_t i = 0; i < SIM_TASKS_MAX; i++) {
        if (storer->tasks[i].used)
            continue;
        storer->tasks[i] = (struct sim_task){ .used = true,
                                              .ensure = true,
                                              .shard = message->shard,
                                              .wanted = message->set,
                                              .from = message->from,
                                              .request = message->request };
        fetch_next(w, message->to, i);
        return;
    }
    sim_answer(w, message, &busy);
}

/* ---- answers ---- */

static bool doubts_any(const struct sim_message *reply)
{
    bool any = false;

    for (int i = 0; i < SIM_SHARDS; i++)
        any = any || reply->doubtful[i];
    return any;
}

static void take_answer(struct sim_world *w, int node, const struct sim_request *request,
                        const struct sim_message *reply)
{
    struct sim_storer *storer = &w->storers[node];
    struct sim_round *round = &storer->round;
    int peer = request->arg;

    if (reply != NULL && !reply->ok)
        reply = NULL;

    if (request->purpose == SIM_FOR_GREETING) {
        storer->reachable[peer] = reply != NULL;
        if (reply != NULL)
            sim_storer_note(w, node, reply);
    } else if (reply != NULL && request->purpose == SIM_FOR_DIGESTS) {
        round->answers[peer] = true;
        round->whole[peer] = !reply->refilling;
        round->member.answered++;
        round->member.answered_whole += !reply->refilling && !doubts_any(reply);
        round->member.anything = round->member.anything || reply->set != 0;
        memcpy(round->digests[peer], reply->digests, sizeof(reply->digests));
    } else if (reply != NULL) {
        round->range_answers[peer] = true;
        round->vouches[peer] =
            round->whole[peer] && !reply->refilling && !reply->doubtful[reply->shard];
        round->held[peer] = reply->set;
    }
}

void sim_repair_answer(struct sim_world *w, int node, const struct sim_request *request,
                       const struct sim_message *reply)
{
    struct sim_storer *storer = &w->storers[node];

    if (request->purpose == SIM_FOR_TASK) {
        take_piece(w, node, (uint32_t)request->arg, reply);
        return;
    }
    take_answer(w, node, request, reply);
    if (--storer->round.waiting > 0)
        return;
    if (request->purpose == SIM_FOR_GREETING) {
        keep_known(storer);
        storer->round.phase = SIM_DIGESTS;
        storer->round.refilling = slg_member_compares(&storer->member);
        if (w->repair_off && !storer->round.refilling) {
            end_round(w, node);
            return;
        }
        storer->round.member.began_mono_ns = w->now_ns;
        storer->round.member.anything = storer->disk.held != 0;
        ask_sets(w, node, SIM_FOR_DIGESTS, storer->reachable, -1);
        if (storer->round.waiting == 0)
            end_round(w, node);
    } else if (request->purpose == SIM_FOR_RANGES) {
        if (memcmp(storer->round.answers, storer->round.range_answers,
                   sizeof(storer->round.answers)) == 0) {
            look(w, node);
        } else { /* it was not looked at: nobody may call this node whole */
            storer->round.due = true;
            look_at_next(w, node);
        }
    } else if (storer->round.member.answered == 0) {
        end_round(w, node);
    } else {
        storer->round.counts = slg_member_counts(&storer->member, &storer->round.member);
        look_at_next(w, node);
    }
}
