/* What must hold: I1, I3 and H10 after every step, I2 and I7 for every answer, convergence at the end. */
#include "tests/sim/world.h"

/* I1: held by as many disks as were promised, less those lost for ever; at least one while fewer than W were lost. */
static void check_copies(struct sim_world *w)
{
    sim_bits held_by[SIM_STORERS_MAX + 1] = { ~(sim_bits)0 }; /* [n]: by n disks or more */
    sim_bits promised = w->accepted & ~w->expired, enough, repaired = 0;

    for (int k = 0; k < w->storer_count; k++)
        for (int n = w->storer_count; n > 0; n--)
            held_by[n] |= held_by[n - 1] & w->storers[k].disk.held;
    enough = held_by[w->layout.write_quorum];
    for (int i = 0; i < SIM_SHARDS; i++) {
        sim_bits by_all = sim_of_shard(w, i);

        for (int k = 0; k < w->placements[i].owner_count; k++)
            by_all &= w->storers[w->placements[i].owners[k]].disk.held;
        repaired |= by_all;
    }
    if ((w->dropped & held_by[1]) != 0)
        sim_fail(w, "I3: batches %#llx are counted as dropped, but stored",
                 (unsigned long long)(w->dropped & held_by[1]));
    if (((promised & ~enough) | (w->lossy & repaired)) == 0)
        return;
    for (int i = 0; i < w->batch_count; i++) {
        struct sim_batch *batch = &w->batches[i];
        unsigned copies = 0;

        for (int n = 1; n <= w->storer_count; n++)
            copies += (held_by[n] & sim_bit(i)) != 0;
        if ((promised & sim_bit(i)) != 0 && copies + batch->lost < batch->need)
            sim_fail(w, "I1: batch %d is on %u disks, %u lost, %u promised", i, copies, batch->lost,
                     batch->need);
        if ((repaired & sim_bit(i)) != 0)
            batch->lost = 0;
    }
    w->lossy &= ~repaired;
}

/* I3: every batch is counted in exactly one way. */
static void check_counts(struct sim_world *w)
{
    for (int k = 0; k < w->ingester_count; k++) {
        const struct sim_ingester *ingester = &w->ingesters[k];
        unsigned in_flight = 0;

        for (int i = 0; i < w->batch_count; i++)
            in_flight += w->batches[i].ingester == k && !w->batches[i].settled;
        if (ingester->received !=
            ingester->accepted + ingester->dropped + ingester->abandoned + in_flight)
            sim_fail(w,
                     "I3: ingester %d received %u, accepted %u, dropped %u, abandoned %u, "
                     "in flight %u",
                     k, ingester->received, ingester->accepted, ingester->dropped,
                     ingester->abandoned, in_flight);
    }
}

void sim_check_step(struct sim_world *w)
{
    for (int node = 0; node < w->storer_count; node++)
        for (int i = 0; i < SIM_SHARDS; i++)
            if ((w->expired & sim_of_shard(w, i)) != sim_of_shard(w, i) &&
                sim_window_expired(w, node, i))
                w->expired |= sim_of_shard(w, i);
    check_copies(w);
    check_counts(w);
}

/* I2, I7: S by one replica, each batch once; what was accepted before is there, or the answer says that it may not. */
void sim_check_query(struct sim_world *w)
{
    const struct sim_query *query = &w->query;
    sim_bits all = 0;

    for (int i = 0; i < SIM_SHARDS; i++) {
        const struct sim_run *run = &query->runs[i][query->runs[i][1].done ? 1 : 0];

        if (query->chosen[i] < 0)
            continue;
        if (run->twice != 0)
            sim_fail(w, "I2: shard %d: batches %#llx came twice", i,
                     (unsigned long long)run->twice);
        if (((run->seen ^ query->s[i]) & ~w->expired) != 0)
            sim_fail(w, "I2: shard %d: S is %#llx, evaluated %#llx", i,
                     (unsigned long long)query->s[i], (unsigned long long)run->seen);
        all |= run->seen;
    }
    if (!query->incomplete && (query->due & ~all & ~w->expired) != 0)
        sim_fail(w, "I2, I7: a complete answer lacks %#llx",
                 (unsigned long long)(query->due & ~all & ~w->expired));
    sim_trace(w, "query: %s", query->incomplete ? "incomplete" : "complete");
    w->complete_count += !query->incomplete;
    w->incomplete_count += query->incomplete;
    if (w->healed && w->now_ns > SIM_END_NS - SIM_SECONDS(30)) {
        w->complete_after_heal += !query->incomplete;
        w->incomplete_after_heal += query->incomplete;
    }
}

/* Batches that were set aside and had no other copy. */
static sim_bits gone_for_ever(const struct sim_world *w)
{
    sim_bits held = 0, aside = 0;

    for (int i = 0; i < w->storer_count; i++) {
        held |= w->storers[i].disk.held;
        aside |= w->storers[i].disk.aside;
    }
    return aside & ~held;
}

/* Owners hold the same, hints are gone. */
static void check_copies_are_equal(struct sim_world *w)
{
    sim_bits gone = gone_for_ever(w);

    for (int i = 0; i < SIM_SHARDS; i++) {
        sim_bits want = w->storers[w->placements[i].owners[0]].disk.held & sim_of_shard(w, i);

        for (int node = 0; node < w->storer_count; node++) {
            sim_bits held = w->storers[node].disk.held & sim_of_shard(w, i);
            bool owner = slg_placement_owns(&w->placements[i], (uint16_t)node);

            if ((gone & sim_of_shard(w, i)) != 0 && !owner)
                continue; /* who lacks a batch that nobody has any more cannot vouch: hints stay */
            if (held != (owner ? want : 0))
                sim_fail(w, "end: storer %d (%s) holds %#llx of shard %d, not %#llx", node,
                         owner ? "owner" : "no owner", (unsigned long long)held, i,
                         (unsigned long long)(owner ? want : 0));
        }
        if (i == 0 && want != 0)
            sim_fail(w, "H10: an expired shard is held");
    }
}

/* Copies vouch for themselves again, unless a batch that was set aside had no other copy. False: there is one. */
static bool check_doubts(struct sim_world *w)
{
    sim_bits gone = gone_for_ever(w);

    for (int i = 0; i < w->storer_count && !w->repair_off; i++)
        for (int k = 0; k < SIM_SHARDS; k++)
            if (sim_storer_doubts(w, i, k) && (gone & sim_of_shard(w, k)) == 0)
                sim_fail(w, "end: storer %d does not vouch for shard %d", i, k);
    return gone == 0;
}

/* All faults ended long ago: everything is as it was promised, and answers are complete. With repair off a disk that lacks
 * something stays as it is, and says so. */
void sim_check_end(struct sim_world *w)
{
    bool whole = true, lost = false;

    if (!w->repair_off)
        check_copies_are_equal(w);
    for (int i = 0; i < w->storer_count; i++)
        whole = whole && w->storers[i].member.state == SLG_MEMBER_WHOLE;
    for (int i = 0; i < w->storer_count && !w->repair_off; i++)
        if (w->storers[i].member.state != SLG_MEMBER_WHOLE)
            sim_fail(w, "end: storer %d is %s", i, slg_member_text(w->storers[i].member.state));
    lost = !check_doubts(w) || (w->repair_off && w->damage_count > 0);
    for (int i = 0; i < w->batch_count; i++)
        if (!w->batches[i].settled || w->batches[i].live)
            sim_fail(w, "end: batch %d is still in flight", i);
    if (!whole || lost)
        return;
    if (w->complete_after_heal == 0 || w->incomplete_after_heal > 0)
        sim_fail(w, "end: %u answers complete, %u incomplete", w->complete_after_heal,
                 w->incomplete_after_heal);
}
