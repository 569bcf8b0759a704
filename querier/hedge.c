#include "querier/hedge.h"

#include <stdlib.h>

void slg_hedge_init(struct slg_hedge *hedge, int64_t now_mono_ns)
{
    *hedge = (struct slg_hedge){ .state = SLG_HEDGE_ALONE, .asked_ns = now_mono_ns };
}

static enum slg_hedge_action decide(struct slg_hedge *hedge, enum slg_hedge_side side)
{
    bool raced = hedge->state == SLG_HEDGE_RACING;

    hedge->state = SLG_HEDGE_DECIDED;
    hedge->used = side;
    if (!raced)
        return SLG_HEDGE_USE;
    return side == SLG_HEDGE_PRIMARY ? SLG_HEDGE_USE_PRIMARY : SLG_HEDGE_USE_RIVAL;
}

static enum slg_hedge_action take_page(struct slg_hedge *hedge, enum slg_hedge_side side)
{
    if (hedge->state == SLG_HEDGE_DECIDED)
        return side == hedge->used ? SLG_HEDGE_USE : SLG_HEDGE_GO_ON;
    if (hedge->lost[side])
        return SLG_HEDGE_GO_ON;
    if (side == SLG_HEDGE_RIVAL && ++hedge->arrived < hedge->parts)
        return SLG_HEDGE_KEEP;
    return decide(hedge, side);
}

static enum slg_hedge_action take_loss(struct slg_hedge *hedge, enum slg_hedge_side side)
{
    if (hedge->state == SLG_HEDGE_DECIDED)
        return side == hedge->used ? SLG_HEDGE_GIVE_UP : SLG_HEDGE_GO_ON;
    if (hedge->lost[side])
        return SLG_HEDGE_GO_ON;
    hedge->lost[side] = true;
    hedge->no_rival = true; /* one is enough */
    if (hedge->state == SLG_HEDGE_ALONE || hedge->lost[1 - side])
        return SLG_HEDGE_GIVE_UP;
    return side == SLG_HEDGE_PRIMARY ? SLG_HEDGE_DROP_PRIMARY : SLG_HEDGE_DROP_RIVAL;
}

enum slg_hedge_action slg_hedge_step(struct slg_hedge *hedge, const struct slg_hedge_event *event,
                                     int64_t now_mono_ns)
{
    switch (event->type) {
    case SLG_HEDGE_TICK:
        return hedge->state == SLG_HEDGE_ALONE && !hedge->no_rival &&
                       now_mono_ns - hedge->asked_ns >= event->wait_ns
                   ? SLG_HEDGE_START
                   : SLG_HEDGE_GO_ON;
    case SLG_HEDGE_STARTED:
        SLG_ASSERT(hedge->state == SLG_HEDGE_ALONE);
        SLG_ASSERT(event->parts >= 1);
        hedge->state = SLG_HEDGE_RACING;
        hedge->parts = event->parts;
        return SLG_HEDGE_GO_ON;
    case SLG_HEDGE_NO_RIVAL:
        hedge->no_rival = true;
        return SLG_HEDGE_GO_ON;
    case SLG_HEDGE_PAGE:
        return take_page(hedge, event->side);
    case SLG_HEDGE_LOST:
        return take_loss(hedge, event->side);
    }
    return SLG_HEDGE_GO_ON;
}

/* ---- pace ---- */

void slg_hedge_pace_init(struct slg_hedge_pace *pace)
{
    for (size_t kind = 0; kind < SLG_HEDGE_KINDS; kind++)
        for (size_t size = 0; size < SLG_HEDGE_SIZES; size++) {
            atomic_init(&pace->count[kind][size], 0);
            for (size_t i = 0; i < SLG_HEDGE_SAMPLES; i++)
                atomic_init(&pace->took_ns[kind][size][i], 0);
        }
    atomic_init(&pace->credit, SLG_HEDGE_BURST * SLG_HEDGE_PER);
}

static size_t size_of(size_t shard_count)
{
    size_t size = 0;

    while (shard_count > 1 && size + 1 < SLG_HEDGE_SIZES) {
        shard_count /= 2;
        size++;
    }
    return size;
}

/* Queries note at the same time: a sample may go over another, or be read before it is there, which does not matter. */
void slg_hedge_pace_note(struct slg_hedge_pace *pace, unsigned kind, size_t shard_count,
                         int64_t took_ns)
{
    size_t size = size_of(shard_count), at;
    int64_t credit = atomic_load_explicit(&pace->credit, memory_order_relaxed);

    SLG_ASSERT(kind < SLG_HEDGE_KINDS);
    at = atomic_fetch_add_explicit(&pace->count[kind][size], 1, memory_order_relaxed);
    atomic_store_explicit(&pace->took_ns[kind][size][at % SLG_HEDGE_SAMPLES], took_ns,
                          memory_order_relaxed);
    while (credit < SLG_HEDGE_BURST * SLG_HEDGE_PER &&
           !atomic_compare_exchange_weak_explicit(&pace->credit, &credit, credit + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

static int compare_times(const void *left, const void *right)
{
    const int64_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

int64_t slg_hedge_pace_wait(const struct slg_hedge_pace *pace, unsigned kind, size_t shard_count)
{
    size_t size = size_of(shard_count);
    size_t count = atomic_load_explicit(&pace->count[kind][size], memory_order_relaxed);
    int64_t times[SLG_HEDGE_SAMPLES], p95;

    SLG_ASSERT(kind < SLG_HEDGE_KINDS);
    if (count < SLG_HEDGE_SAMPLES_MIN)
        return SLG_HEDGE_WAIT_NS_DEFAULT;
    if (count > SLG_HEDGE_SAMPLES)
        count = SLG_HEDGE_SAMPLES;
    for (size_t i = 0; i < count; i++)
        times[i] = atomic_load_explicit(&pace->took_ns[kind][size][i], memory_order_relaxed);
    qsort(times, count, sizeof(times[0]), compare_times);
    p95 = times[(count * 95 + 99) / 100 - 1]; /* nearest rank */
    return p95 > SLG_HEDGE_WAIT_NS_MIN ? p95 : SLG_HEDGE_WAIT_NS_MIN;
}

bool slg_hedge_pace_spend(struct slg_hedge_pace *pace)
{
    int64_t credit = atomic_load_explicit(&pace->credit, memory_order_relaxed);

    while (credit >= SLG_HEDGE_PER)
        if (atomic_compare_exchange_weak_explicit(&pace->credit, &credit, credit - SLG_HEDGE_PER,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

void slg_hedge_pace_refund(struct slg_hedge_pace *pace)
{
    (void)atomic_fetch_add_explicit(&pace->credit, SLG_HEDGE_PER, memory_order_relaxed);
}

/* ---- silence ---- */

enum slg_hedge_sign slg_hedge_watch_step(struct slg_hedge_watch *watch, int64_t asked_ns,
                                         int64_t now_mono_ns)
{
    int64_t quiet_since_ns = asked_ns > watch->heard_ns ? asked_ns : watch->heard_ns;

    if (now_mono_ns - quiet_since_ns < SLG_HEDGE_GREET_AFTER_NS)
        return SLG_HEDGE_FINE;
    if (watch->greeted_ns <= watch->heard_ns) { /* the last greeting was answered */
        watch->greeted_ns = now_mono_ns;
        return SLG_HEDGE_GREET;
    }
    return now_mono_ns - watch->greeted_ns >= SLG_HEDGE_SILENT_NS ? SLG_HEDGE_SILENT
                                                                  : SLG_HEDGE_FINE;
}
