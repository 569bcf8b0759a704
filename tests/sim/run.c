/* One schedule: a cluster drawn from the seed, steps until the end, checks after each. */
#include "tests/sim/world.h"

static const struct slg_map_node node_rows[SIM_STORERS_MAX] = {
    { "storer-1", "tcp://1:1", "a", SLG_NODE_ACTIVE },
    { "storer-2", "tcp://2:1", "b", SLG_NODE_ACTIVE },
    { "storer-3", "tcp://3:1", "c", SLG_NODE_ACTIVE },
    { "storer-4", "tcp://4:1", "a", SLG_NODE_ACTIVE },
    { "storer-5", "tcp://5:1", "b", SLG_NODE_ACTIVE },
};

const char *sim_bug_name(enum sim_bug bug)
{
    static const char *const names[SIM_BUG_COUNT] = {
        "none",
        "ack-before-commit",
        "ack-below-quorum",
        "hint-dropped-on-restart",
        "hint-left-out-of-sets",
        "digest-ignores-a-batch",
        "evaluation-reads-past-s",
        "hedge-mixes-pages",
        "amnesiac-counts-as-complete",
        "duplicate-acked-early",
        "repair-resurrects-expired",
        "candidate-is-not-refilled",
        "old-acknowledgement-counts",
        "restart-ends-refilling",
        "lost-disk-taken-for-new",
    };

    return names[bug];
}

static void make_map(struct sim_world *w)
{
    w->storer_count = 3 + (int)sim_random(w, 3);
    w->ingester_count = 1 + (int)sim_random(w, 2);
    memcpy(w->map_nodes, node_rows, sizeof(node_rows));
    for (int i = 0; i < w->storer_count; i++)
        w->shares[i] = (struct slg_map_share){ .node_index = (uint16_t)i, .weight = 100 };
    w->layout = (struct slg_map_layout){ .from_window_ns = INT64_MIN,
                                         .window_length_ns = SIM_SECONDS(3600),
                                         .replication = sim_chance(w, 700) ? 3 : 2,
                                         .write_quorum = 2,
                                         .write_quorum_min = 2,
                                         .slot_count = 2,
                                         .shares = w->shares,
                                         .share_count = (size_t)w->storer_count };
    if (w->layout.replication == 3 && sim_chance(w, 150))
        w->layout.write_quorum = w->layout.write_quorum_min = 3;
    if (sim_chance(w, 150))
        w->layout.write_quorum_min--;
    w->maps[0] = (struct slg_map){ .cluster_id = "sim",
                                   .epoch = 1,
                                   .nodes = w->map_nodes,
                                   .node_count = (size_t)w->storer_count,
                                   .layouts = &w->layout,
                                   .layout_count = 1,
                                   .retention_ns = SIM_RETENTION_NS };
    w->maps[1] = w->maps[0];
    w->maps[1].epoch = 2;
    w->maps[1].keep_from_ns = SIM_SECONDS(3600) * 998;
    for (int i = 0; i < SIM_SHARDS; i++) {
        w->shards[i] = (struct slg_shard_id){ .window_ns = SIM_SECONDS(3600) * (i == 0 ? 997 : 999),
                                              .length_ns = SIM_SECONDS(3600),
                                              .slot = (uint16_t)(i == 2),
                                              .slot_count = 2 };
        w->placements[i] = slg_placement_of(&w->maps[0], &w->shards[i]);
    }
}

static void make_nodes(struct sim_world *w)
{
    int querier = w->storer_count + w->ingester_count;
    bool skewed = sim_chance(w, 500);

    for (int i = 0; skewed && i <= querier; i++)
        w->nodes[i].skew_ns = SIM_MS(sim_random(w, 60000)) - SIM_SECONDS(30);
    for (int i = 0; i < w->storer_count; i++) {
        memset(w->storers[i].disk.id, ++w->next_id, sizeof(w->storers[i].disk.id));
        sim_storer_start(w, i);
    }
    for (int i = w->storer_count; i < querier; i++)
        sim_ingester_restart(w, i);
    w->nodes[querier].up = true;
    w->nodes[querier].generation = 1;
    w->loss_permille = (unsigned)sim_random(w, 60);
    w->twice_permille = (unsigned)sim_random(w, 30);
    w->slow_permille = (unsigned)sim_random(w, 80);
    sim_push(w, SIM_SECONDS(3), SIM_ASK, querier, 0);
    sim_push(w, SIM_SECONDS(12), SIM_FAULT, -1, 0);
    sim_push(w, SIM_CHAOS_NS, SIM_HEAL, -1, 0);
}

/* An answer, or none, for the node that asked. */
static void conclude(struct sim_world *w, uint32_t index, const struct sim_message *reply)
{
    struct sim_request request = w->requests[index];

    if (request.done || request.generation != w->nodes[request.node].generation)
        return;
    w->requests[index].done = true;
    if (request.node < w->storer_count)
        sim_repair_answer(w, request.node, &request, reply);
    else if (request.node < w->storer_count + w->ingester_count)
        sim_ingester_answer(w, &request, reply);
    else
        sim_querier_answer(w, &request, reply);
}

static void take(struct sim_world *w, const struct sim_message *message)
{
    if (w->cut[message->from][message->to])
        return;
    if (message->reply)
        conclude(w, message->request, message);
    else
        sim_storer_take(w, message);
}

static void restart(struct sim_world *w, int node)
{
    if (node < w->storer_count)
        sim_storer_start(w, node);
    else
        sim_ingester_restart(w, node);
}

static void tick(struct sim_world *w, int node)
{
    if (node < w->storer_count)
        sim_storer_tick(w, node);
    else
        sim_ingester_tick(w, node);
}

static void handle(struct sim_world *w, const struct sim_event *event)
{
    switch (event->type) {
    case SIM_DELIVER:
        take(w, &event->message);
        break;
    case SIM_TIMEOUT:
        conclude(w, event->arg, NULL);
        break;
    case SIM_COMMIT:
        sim_storer_commit(w, event->node);
        break;
    case SIM_ROUND:
        sim_repair_start_round(w, event->node);
        break;
    case SIM_TICK:
        tick(w, event->node);
        break;
    case SIM_RESTART:
        restart(w, event->node);
        break;
    case SIM_FAULT:
        sim_fault(w);
        break;
    case SIM_PLOT:
        sim_plot(w, event->arg);
        break;
    case SIM_BATCH:
        sim_ingester_seal(w, event->node);
        break;
    case SIM_ASK:
        sim_querier_start(w, event->node);
        break;
    case SIM_GRACE:
        sim_querier_grace(w, event->arg);
        break;
    case SIM_HEDGE:
        sim_querier_hedge(w, event->arg);
        break;
    case SIM_STOP:
        sim_ingester_stop(w, event->node);
        break;
    case SIM_HEAL:
        sim_heal_all(w);
        break;
    }
}

/* False: the event is for a process that is gone, or waits until a pause ends. */
static bool is_due(struct sim_world *w, const struct sim_event *event)
{
    struct sim_node *node = event->node < 0 ? NULL : &w->nodes[event->node];

    if (node == NULL)
        return true;
    if (event->generation != node->generation || (!node->up && event->type != SIM_RESTART))
        return false;
    if (node->held_up && w->now_ns < node->resume_ns && event->type != SIM_RESTART) {
        sim_push_again(w, event, node->resume_ns);
        return false;
    }
    node->held_up = false;
    return true;
}

bool sim_run_seed(uint64_t seed, enum sim_bug bug, bool verbose, struct sim_world *w)
{
    struct sim_event event;

    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->random = seed * 0x9e3779b97f4a7c15 + 1;
    w->bug = bug;
    w->verbose = verbose;
    w->arena = slg_arena_create((size_t)1 << 20);
    SLG_ASSERT(w->arena != NULL);
    make_map(w);
    w->repair_off = sim_chance(w, 100);
    sim_trace(w, "seed %llu: %d storers, R=%u W=%u W_min=%u, %d ingesters%s",
              (unsigned long long)seed, w->storer_count, w->layout.replication,
              w->layout.write_quorum, w->layout.write_quorum_min, w->ingester_count,
              w->repair_off ? ", repair off" : "");
    make_nodes(w);
    while (!w->failed && sim_pop(w, &event) && event.at_ns < SIM_END_NS) {
        w->now_ns = event.at_ns;
        if (!is_due(w, &event))
            continue;
        handle(w, &event);
        sim_check_step(w);
        w->steps++;
    }
    if (!w->failed)
        sim_check_end(w);
    sim_fini(w);
    return !w->failed;
}
