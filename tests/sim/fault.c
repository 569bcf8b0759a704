/* Faults, chosen by the seed. A disk is only lost while the promises allow for it: fewer than W_min losses of any batch
 * before repair; a disk is only rolled back to where every peer remembers more. See may_lose. */
#include "tests/sim/world.h"

static int any_storer(struct sim_world *w)
{
    return (int)sim_random(w, (uint64_t)w->storer_count);
}

static void crash(struct sim_world *w, int node)
{
    int64_t away_ns = SIM_MS(100 + sim_random(w, sim_chance(w, 300) ? 30000 : 4000));

    if (!w->nodes[node].up)
        return;
    sim_trace(w, "fault: node %d crashes", node);
    if (node < w->storer_count)
        sim_storer_stop(w, node);
    else
        sim_ingester_crash(w, node);
    sim_push(w, w->now_ns + away_ns, SIM_RESTART, node, 0);
}

static void pause_node(struct sim_world *w, int node)
{
    w->nodes[node].held_up = true;
    w->nodes[node].resume_ns = w->now_ns + SIM_MS(300 + sim_random(w, 9000));
    sim_trace(w, "fault: node %d is paused", node);
}

/* One link, or one node from all others. Heals with the next change of links. */
static void partition(struct sim_world *w)
{
    int total = w->storer_count + w->ingester_count + 1;
    int a = (int)sim_random(w, (uint64_t)total), b = (int)sim_random(w, (uint64_t)total);
    bool alone = sim_chance(w, 400);

    memset(w->cut, 0, sizeof(w->cut));
    for (int i = 0; i < total && sim_chance(w, 950); i++)
        if (i != a && (alone || i == b))
            w->cut[a][i] = w->cut[i][a] = true;
    sim_trace(w, "fault: links of node %d are cut", a);
}

/* May this storer's disk lose these batches for ever? No batch loses its last copy, or W_min - 1 before repair (I1). */
static bool may_lose(const struct sim_world *w, sim_bits bits)
{
    for (int i = 0; i < w->batch_count; i++)
        if ((bits & sim_bit(i)) != 0 && w->batches[i].lost + 1 >= w->layout.write_quorum_min)
            return false;
    return true;
}

/* Does each peer remember more of this storer than its snapshot knows? Nothing else tells a rollback. */
static bool is_remembered(const struct sim_world *w, int node)
{
    const struct sim_storer *storer = &w->storers[node];

    for (int i = 0; i < w->storer_count; i++) {
        const struct slg_member_storage *known = &w->storers[i].disk.known[node];

        if (i != node && (!known->known || known->counter <= storer->snapshot.counter ||
                          memcmp(known->id, storer->disk.id, sizeof(known->id)) != 0))
            return false;
    }
    return true;
}

static void lose(struct sim_world *w, int node, const struct sim_disk *then)
{
    struct sim_storer *storer = &w->storers[node];
    sim_bits gone = storer->disk.held & ~then->held;

    for (int i = 0; i < w->batch_count; i++)
        w->batches[i].lost += (gone & sim_bit(i)) != 0;
    w->lossy |= gone;
    storer->disk = *then;
    storer->has_snapshot = false;
    crash(w, node);
}

static void wipe(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    struct sim_disk empty = { .counter = 0 };

    if (!w->nodes[node].up || !may_lose(w, storer->disk.held))
        return;
    memset(empty.id, ++w->next_id, sizeof(empty.id));
    sim_trace(w, "fault: storer %d loses its disk", node);
    w->wipe_count++;
    lose(w, node, &empty);
}

static void roll_back(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];

    if (!w->nodes[node].up || !storer->has_snapshot || !is_remembered(w, node) ||
        !may_lose(w, storer->disk.held & ~storer->snapshot.held))
        return;
    sim_trace(w, "fault: storer %d is rolled back", node);
    w->rollback_count++;
    lose(w, node, &storer->snapshot);
}

void sim_fault(struct sim_world *w)
{
    int node = any_storer(w);
    struct sim_storer *storer = &w->storers[node];
    int ingester = w->storer_count + (int)sim_random(w, (uint64_t)w->ingester_count);

    if (w->healed)
        return;
    sim_push(w, w->now_ns + SIM_MS(500 + sim_random(w, 9000)), SIM_FAULT, -1, 0);
    switch (sim_random(w, 14)) {
    case 0:
    case 1:
    case 2:
        crash(w, node);
        break;
    case 3:
    case 4:
        pause_node(w, node);
        break;
    case 5:
    case 6:
        partition(w);
        break;
    case 7:
    case 8:
        wipe(w, node);
        break;
    case 9:
        roll_back(w, node);
        break;
    case 10:
        storer->snapshot = storer->disk;
        storer->has_snapshot = true;
        break;
    case 11:
        storer->read_only = !storer->read_only;
        sim_trace(w, "fault: storer %d read_only=%d", node, storer->read_only);
        break;
    case 12:
        w->nodes[node].skew_ns = SIM_MS(sim_random(w, 60000)) - SIM_SECONDS(30);
        sim_trace(w, "fault: clock of storer %d steps", node);
        break;
    default:
        if (sim_chance(w, 500))
            crash(w, ingester);
        else if (w->nodes[ingester].up)
            sim_ingester_press(w, ingester);
        break;
    }
}

void sim_heal_all(struct sim_world *w)
{
    sim_trace(w, "all faults end");
    w->healed = true;
    w->loss_permille = w->twice_permille = w->slow_permille = 0;
    memset(w->cut, 0, sizeof(w->cut));
    for (int i = 0; i < w->storer_count; i++) {
        w->storers[i].read_only = false;
        w->nodes[i].skew_ns = 0;
    }
}
