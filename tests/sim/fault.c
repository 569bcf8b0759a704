/* Faults, chosen by the seed. A disk is only lost while the promises allow for it: fewer than W_min losses of any batch
 * before repair; a disk is only rolled back to where every peer remembers more. See may_lose. */
#include "tests/sim/world.h"

static int any_storer(struct sim_world *w)
{
    return (int)sim_random(w, (uint64_t)w->storer_count);
}

static void crash_for(struct sim_world *w, int node, int64_t away_ns)
{
    if (!w->nodes[node].up)
        return;
    sim_trace(w, "fault: node %d crashes", node);
    if (node < w->storer_count)
        sim_storer_stop(w, node);
    else
        sim_ingester_crash(w, node);
    sim_push(w, w->now_ns + away_ns, SIM_RESTART, node, 0);
}

static void crash(struct sim_world *w, int node)
{
    crash_for(w, node, SIM_MS(100 + sim_random(w, sim_chance(w, 300) ? 30000 : 4000)));
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
    storer->read_only = false;
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

/* ---- plots: several faults that together come to where a rule is needed ---- */

enum plot { PLOT_WIPE, PLOT_ROLL_BACK, PLOT_CRASH, PLOT_SILENCE, PLOT_RELINK };

static void later(struct sim_world *w, uint64_t from_s, uint64_t to_s, enum plot plot, int node)
{
    sim_push(w, w->now_ns + SIM_MS(from_s * 1000 + sim_random(w, (to_s - from_s) * 1000)), SIM_PLOT,
             -1, (uint32_t)plot << 8 | (uint32_t)node);
}

static void damage(struct sim_world *w, int node, sim_bits bits)
{
    struct sim_storer *storer = &w->storers[node];

    for (int i = 0; i < w->batch_count; i++)
        w->batches[i].lost += (bits & sim_bit(i)) != 0;
    w->lossy |= bits;
    storer->disk.held &= ~bits;
    w->damage_count++;
}

/* Some batches of a shard turn out to be damaged (storer/scrub.h): they leave the set, and the storer knows which. */
static void set_aside(struct sim_world *w, int node)
{
    struct sim_storer *storer = &w->storers[node];
    sim_bits bits = storer->disk.held & sim_of_shard(w, (int)sim_random(w, SIM_SHARDS)) &
                    (sim_random(w, UINT64_MAX) | sim_random(w, UINT64_MAX));

    if (!w->nodes[node].up || bits == 0 || !may_lose(w, bits))
        return;
    sim_trace(w, "fault: storer %d sets %#llx aside", node, (unsigned long long)bits);
    storer->disk.aside |= bits;
    damage(w, node, bits);
    later(w, 1, 30, PLOT_SILENCE, 0);
}

/* A copy cannot be read any more: all of it is put aside, and an empty one begins. */
static void quarantine(struct sim_world *w, int node)
{
    int shard = (int)sim_random(w, SIM_SHARDS);
    struct sim_storer *storer = &w->storers[node];
    sim_bits bits = storer->disk.held & sim_of_shard(w, shard);

    if (!w->nodes[node].up || bits == 0 || !may_lose(w, bits))
        return;
    sim_trace(w, "fault: storer %d quarantines shard %d", node, shard);
    storer->disk.aside &= ~sim_of_shard(w, shard);
    storer->disk.refilling[shard] = true;
    damage(w, node, bits);
    later(w, 5, 20, PLOT_SILENCE, 0);
    later(w, 15, 40, PLOT_SILENCE, 0);
}

/* All holders of a batch that was lost once fall silent, if W_min - 1 of them may. */
static void silence_holders(struct sim_world *w)
{
    sim_bits lossy = w->lossy & w->accepted & ~w->expired;
    int at = (int)sim_random(w, SIM_BATCHES_MAX), holders = 0;

    for (int i = 0; lossy != 0 && (lossy & sim_bit(at)) == 0 && i < SIM_BATCHES_MAX; i++)
        at = (at + 1) % SIM_BATCHES_MAX;
    for (int i = 0; i < w->storer_count; i++)
        holders += (w->storers[i].disk.held & sim_bit(at)) != 0;
    if ((lossy & sim_bit(at)) == 0 || holders >= w->layout.write_quorum_min)
        return;
    for (int i = 0; i < w->storer_count; i++)
        if ((w->storers[i].disk.held & sim_bit(at)) != 0)
            pause_node(w, i);
}

void sim_plot(struct sim_world *w, uint32_t arg)
{
    int node = (int)(arg & 0xFF);

    if (w->healed)
        return;
    switch ((enum plot)(arg >> 8)) {
    case PLOT_WIPE:
        wipe(w, node);
        break;
    case PLOT_ROLL_BACK:
        roll_back(w, node);
        break;
    case PLOT_CRASH:
        crash_for(w, node, SIM_MS(100 + sim_random(w, 2000)));
        break;
    case PLOT_SILENCE:
        silence_holders(w);
        break;
    case PLOT_RELINK:
        memset(w->cut[node], 0, sizeof(w->cut[node]));
        for (int i = 0; i < SIM_NODES_MAX; i++)
            w->cut[i][node] = false;
        break;
    }
}

/* Ingesters reach one storer only, for longer than an acknowledgement counts; meanwhile that one loses its disk. Then they
 * reach one more, who falls silent. */
static void starve(struct sim_world *w)
{
    uint64_t until_s = 25 + sim_random(w, 20);
    int only = any_storer(w), then = any_storer(w);

    memset(w->cut, 0, sizeof(w->cut));
    for (int i = 0; i < w->storer_count; i++)
        for (int k = 0; k < w->ingester_count; k++)
            if (i != only)
                w->cut[i][w->storer_count + k] = w->cut[w->storer_count + k][i] = true;
    sim_trace(w, "fault: ingesters reach storer %d only, then %d", only, then);
    later(w, 3, 8, PLOT_WIPE, only);
    later(w, until_s, until_s + 1, PLOT_RELINK, then);
    for (int i = 0; i < 3; i++)
        later(w, until_s + 1, until_s + 6, PLOT_SILENCE, 0);
}

/* Owners are away for long, who holds hints for them loses its disk; when they are back, but lack the hints still, who has
 * the last copy falls silent. */
static void strand_hints(struct sim_world *w)
{
    const struct slg_placement *placement = &w->placements[1 + sim_random(w, SIM_SHARDS - 1)];
    int stay = (int)sim_random(w, placement->owner_count);
    uint64_t away_s = 25 + sim_random(w, 30);

    for (int i = 0; i < placement->owner_count; i++)
        if (i != stay)
            crash_for(w, placement->owners[i], SIM_MS(away_s * 1000 + sim_random(w, 1000)));
    for (int i = 0; i < placement->hint_count; i++)
        if (sim_chance(w, 700))
            later(w, 4, 9, PLOT_WIPE, placement->hints[i]);
    for (int i = 0; i < 3; i++)
        later(w, away_s + 2, away_s + 9, PLOT_SILENCE, 0);
}

/* A disk is lost or goes back, its storer starts again and again, its peers are slow to answer. */
static void stutter(struct sim_world *w)
{
    int node = any_storer(w);

    w->storers[node].snapshot = w->storers[node].disk;
    w->storers[node].has_snapshot = true;
    later(w, 8, 20, sim_chance(w, 700) ? PLOT_ROLL_BACK : PLOT_WIPE, node);
    for (int i = 0; i < 4; i++)
        later(w, 10, 40, PLOT_CRASH, sim_chance(w, 700) ? node : any_storer(w));
    later(w, 15, 30, PLOT_SILENCE, 0);
    later(w, 25, 50, PLOT_SILENCE, 0);
}

/* As many disks as may be lost, at once. */
static void lose_many(struct sim_world *w)
{
    for (int i = 0; i < w->layout.write_quorum_min; i++)
        later(w, 1, 4, PLOT_WIPE, any_storer(w));
    later(w, 10, 20, PLOT_SILENCE, 0);
    later(w, 15, 40, PLOT_SILENCE, 0);
}

/* Each storer takes the new map with its next start, the querier at once or when all do. */
static void publish_map(struct sim_world *w)
{
    int querier = w->storer_count + w->ingester_count;

    w->map_newest = 1;
    if (sim_chance(w, 300))
        w->nodes[querier].map = 1;
    sim_trace(w, "fault: a new map, epoch 2");
}

static void start_plot(struct sim_world *w, uint64_t choice)
{
    switch (choice) {
    case 14:
        starve(w);
        break;
    case 15:
        strand_hints(w);
        break;
    case 16:
        stutter(w);
        break;
    default:
        lose_many(w);
        break;
    }
}

void sim_fault(struct sim_world *w)
{
    int node = any_storer(w);
    struct sim_storer *storer = &w->storers[node];
    int ingester = w->storer_count + (int)sim_random(w, (uint64_t)w->ingester_count);
    uint64_t choice;

    if (w->healed)
        return;
    sim_push(w, w->now_ns + SIM_MS(500 + sim_random(w, 9000)), SIM_FAULT, -1, 0);
    choice = sim_random(w, 25);
    switch (choice) {
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
    case 22:
    case 23:
        set_aside(w, node);
        break;
    case 24:
        quarantine(w, node);
        break;
    case 18:
        if (w->map_newest == 0 && sim_chance(w, 300))
            publish_map(w);
        break;
    case 19:
    case 20:
        pause_node(w, (int)sim_random(w, (uint64_t)(w->storer_count + w->ingester_count + 1)));
        break;
    case 21:
        sim_ingester_terminate(w, ingester);
        break;
    case 12:
        w->nodes[node].skew_ns = SIM_MS(sim_random(w, 60000)) - SIM_SECONDS(30);
        sim_trace(w, "fault: clock of storer %d steps", node);
        break;
    case 13:
        if (sim_chance(w, 500))
            crash(w, ingester);
        else if (w->nodes[ingester].up)
            sim_ingester_press(w, ingester);
        break;
    default:
        start_plot(w, choice);
        break;
    }
}

void sim_heal_all(struct sim_world *w)
{
    sim_trace(w, "all faults end");
    w->healed = true;
    w->loss_permille = w->twice_permille = w->slow_permille = 0;
    memset(w->cut, 0, sizeof(w->cut));
    for (int i = 0; i < w->storer_count; i++)
        w->storers[i].read_only = false;
    for (int i = 0; i <= w->storer_count + w->ingester_count; i++) {
        w->nodes[i].skew_ns = 0;
        w->nodes[i].map = w->map_newest;
    }
}
