/* Concurrency
 *   round->pending, ->failed   the forward thread takes one away and may set failed; at 0 it is done with the round
 *   done                       set by whoever brings a round to 0, taken by the owner
 *   everything else            the owning thread */
#include "ingester/relp_round.h"

#include <stdlib.h>

#include "base/queue.h"

struct slg_relp_round {
    struct slg_forward_waiter waiter; /* first */
    struct slg_relp_rounds *rounds;
    _Atomic uint32_t pending; /* batches not settled + 1 while it is the current one */
    _Atomic bool failed;
    uint32_t listed; /* in ledgers, how often */
    bool used;
    struct slg_relp_round *next; /* free */
};

struct slg_relp_rounds {
    struct slg_relp_rounds_options options;
    struct slg_relp_round *all; /* [SLG_RELP_ROUND_COUNT_MAX] */
    struct slg_relp_round *free;
    struct slg_relp_round *current; /* NULL: none yet */
    int64_t current_mono_ns;        /* its begin */
    size_t used_count;
    _Atomic bool done;
};

/* Resending can change nothing about these: the sender is free of the line, the ledger of the ingester tells of it. */
static bool settled_for_good(enum slg_replica_outcome outcome, enum slg_drop_reason reason)
{
    return outcome == SLG_REPLICA_ACCEPTED ||
           (outcome == SLG_REPLICA_DROPPED && reason == SLG_DROP_EXPIRED);
}

static void take_one(struct slg_relp_round *round, bool foreign)
{
    struct slg_relp_rounds *rounds = round->rounds;

    if (atomic_fetch_sub_explicit(&round->pending, 1, memory_order_acq_rel) != 1)
        return;
    /* From here on the round may be another one. */
    if (!atomic_exchange(&rounds->done, true) && foreign)
        rounds->options.wake(rounds->options.wake_ctx);
}

/* Forward thread; the owner when a builder is cleared at stop. */
static void on_settled(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                       enum slg_drop_reason reason)
{
    struct slg_relp_round *round = (struct slg_relp_round *)(void *)waiter;

    if (!settled_for_good(outcome, reason))
        atomic_store_explicit(&round->failed, true, memory_order_relaxed);
    take_one(round, /* foreign= */ true);
}

/* ---- rounds ---- */

enum slg_status slg_relp_rounds_create(const struct slg_relp_rounds_options *options,
                                       struct slg_relp_rounds **ret_rounds)
{
    struct slg_relp_rounds *rounds = calloc(1, sizeof(*rounds));

    if (rounds == NULL)
        return SLG_NO_MEMORY;
    rounds->options = *options;
    rounds->all = calloc(SLG_RELP_ROUND_COUNT_MAX, sizeof(*rounds->all));
    if (rounds->all == NULL) {
        free(rounds);
        return SLG_NO_MEMORY;
    }
    for (size_t i = 0; i < SLG_RELP_ROUND_COUNT_MAX; i++) {
        struct slg_relp_round *round = &rounds->all[i];

        round->waiter.settled = on_settled;
        round->rounds = rounds;
        round->next = rounds->free;
        rounds->free = round;
    }
    *ret_rounds = rounds;
    return SLG_OK;
}

void slg_relp_rounds_destroy(struct slg_relp_rounds *rounds)
{
    if (rounds == NULL)
        return;
    free(rounds->all);
    free(rounds);
}

static bool is_done(const struct slg_relp_round *round)
{
    return atomic_load_explicit(&round->pending, memory_order_acquire) == 0;
}

/* Rounds come back here when nobody lists them and no batch will tell them any more. */
static void give_back(struct slg_relp_round *round)
{
    struct slg_relp_rounds *rounds = round->rounds;

    if (!round->used || round->listed > 0 || !is_done(round))
        return;
    round->used = false;
    round->next = rounds->free;
    rounds->free = round;
    rounds->used_count--;
}

struct slg_relp_round *slg_relp_rounds_current(struct slg_relp_rounds *rounds, int64_t now_mono_ns)
{
    struct slg_relp_round *round = rounds->current;

    if (round != NULL)
        return round;
    round = rounds->free;
    SLG_ASSERT(round != NULL); /* a round is closed only while another one is free */
    rounds->free = round->next;
    rounds->used_count++;
    round->used = true;
    atomic_store_explicit(&round->pending, 1, memory_order_relaxed);
    atomic_store_explicit(&round->failed, false, memory_order_relaxed);
    rounds->current = round;
    rounds->current_mono_ns = now_mono_ns;
    return round;
}

struct slg_forward_waiter *slg_relp_round_hold(struct slg_relp_round *round)
{
    atomic_fetch_add_explicit(&round->pending, 1, memory_order_relaxed);
    return &round->waiter;
}

void slg_relp_round_release(struct slg_relp_round *round)
{
    uint32_t before = atomic_fetch_sub_explicit(&round->pending, 1, memory_order_acq_rel);

    SLG_ASSERT(before > 1); /* the current one has its own hold */
}

/* Rounds whose connections were gone before their batches were settled are found here. */
static void sweep(struct slg_relp_rounds *rounds)
{
    for (size_t i = 0; i < SLG_RELP_ROUND_COUNT_MAX; i++)
        if (&rounds->all[i] != rounds->current)
            give_back(&rounds->all[i]);
}

void slg_relp_rounds_tick(struct slg_relp_rounds *rounds, int64_t now_mono_ns, bool sealed)
{
    struct slg_relp_round *round = rounds->current;

    if (round == NULL || (!sealed && now_mono_ns - rounds->current_mono_ns < SLG_RELP_ROUND_NS))
        return;
    if (rounds->free == NULL)
        sweep(rounds);
    if (rounds->free == NULL)
        return; /* the current one goes on until another one is done */
    rounds->current = NULL;
    take_one(round, /* foreign= */ false);
    give_back(round);
}

int64_t slg_relp_rounds_wake_mono_ns(const struct slg_relp_rounds *rounds)
{
    return rounds->current == NULL ? SLG_DEADLINE_NEVER
                                   : rounds->current_mono_ns + SLG_RELP_ROUND_NS;
}

bool slg_relp_rounds_take_done(struct slg_relp_rounds *rounds)
{
    if (!atomic_exchange(&rounds->done, false))
        return false;
    sweep(rounds);
    return true;
}

size_t slg_relp_rounds_used(const struct slg_relp_rounds *rounds)
{
    return rounds->used_count;
}

/* ---- ledgers ---- */

bool slg_relp_ledger_has_room(const struct slg_relp_ledger *ledger)
{
    return ledger->count < SLG_RELP_LEDGER_MAX && ledger->unanswered < SLG_RELP_WINDOW_MAX;
}

static struct slg_relp_due *due_at(struct slg_relp_ledger *ledger, size_t index)
{
    return &ledger->due[(ledger->first + index) % SLG_RELP_LEDGER_MAX];
}

void slg_relp_ledger_add_message(struct slg_relp_ledger *ledger, uint32_t txnr,
                                 struct slg_relp_round *round)
{
    SLG_ASSERT(slg_relp_ledger_has_room(ledger));
    ledger->unanswered++;
    if (ledger->count > 0) {
        struct slg_relp_due *last = due_at(ledger, ledger->count - 1);

        if (last->round == round) {
            last->count++; /* txnr follow each other */
            return;
        }
    }
    round->listed++;
    *due_at(ledger, ledger->count++) =
        (struct slg_relp_due){ .round = round, .first_txnr = txnr, .count = 1 };
}

void slg_relp_ledger_add_answer(struct slg_relp_ledger *ledger, uint32_t txnr, const char *answer)
{
    SLG_ASSERT(slg_relp_ledger_has_room(ledger));
    ledger->unanswered++;
    *due_at(ledger, ledger->count++) =
        (struct slg_relp_due){ .answer = answer, .first_txnr = txnr, .count = 1 };
}

static void drop_first(struct slg_relp_ledger *ledger)
{
    struct slg_relp_due *due = due_at(ledger, 0);

    ledger->unanswered -= due->count;
    ledger->first = (ledger->first + 1) % SLG_RELP_LEDGER_MAX;
    ledger->count--;
    if (due->round != NULL) {
        SLG_ASSERT(due->round->listed > 0);
        due->round->listed--;
        give_back(due->round);
    }
}

bool slg_relp_ledger_write(struct slg_relp_ledger *ledger, struct slg_buf *out,
                           uint64_t *ret_messages)
{
    uint64_t messages = 0;
    bool good = true;

    while (ledger->count > 0) {
        const struct slg_relp_due *due = due_at(ledger, 0);
        uint32_t txnr = due->first_txnr;

        if (due->round != NULL) {
            if (!is_done(due->round))
                break;
            good = !atomic_load_explicit(&due->round->failed, memory_order_relaxed);
            if (!good)
                break;
            messages += due->count;
        }
        for (uint32_t i = 0; i < due->count; i++) {
            slg_relp_write_answer(out, txnr, due->round != NULL ? SLG_RELP_ACCEPTED : due->answer);
            txnr = slg_relp_txnr_after(txnr);
        }
        drop_first(ledger);
    }
    *ret_messages = messages;
    return good;
}

void slg_relp_ledger_clear(struct slg_relp_ledger *ledger)
{
    while (ledger->count > 0)
        drop_first(ledger);
}
