/* ingester/relp_round.h - which RELP messages may be acknowledged: rounds of one thread, a ledger per connection.
 *
 * A message may be acknowledged when the batch that took it is accepted (DESIGN I1). The messages that a thread takes
 * within SLG_RELP_ROUND_NS, of all connections, are a round; a round is told by every batch that has an entry of it,
 * and is done when it is closed and the last of these batches is settled. A connection's ledger lists, in the order of
 * its commands, which round each message belongs to, and the answers to other commands between them; its head goes out
 * while its rounds are done. So the cost is one word per batch and round, and nothing per message.
 *
 * A round of which one batch was not accepted is never acknowledged: the connection ends there, and the sender brings
 * again what has no answer - also the messages of that round that were accepted: RELP is at least once.
 *
 * Owner:   one thread, but for a round's waiter, which the forward thread tells. Rounds live until the forwarder is
 *          stopped (as ingester/batcher.h). */
#ifndef SLG_INGESTER_RELP_ROUND_H
#define SLG_INGESTER_RELP_ROUND_H

#include "ingester/forward.h"
#include "ingester/relp.h"

/* Far below the linger, so that at most SLG_FORWARD_WAITER_MAX rounds are in a builder before it is due. */
#define SLG_RELP_ROUND_NS        (10 * SLG_NS_PER_MS)
#define SLG_RELP_ROUND_COUNT_MAX ((size_t)1024)
/* Messages of one connection that wait for their acknowledgement; librelp's senders have 128 out by default. More are
 * not read, so their sender waits. */
#define SLG_RELP_WINDOW_MAX      ((uint32_t)4096)
/* Pieces of a ledger: a run of messages of one round, or one answer. */
#define SLG_RELP_LEDGER_MAX      ((size_t)256)

struct slg_relp_round;
struct slg_relp_rounds;

/* wake is called on the forward thread when a round is done and nobody was told since slg_relp_rounds_take_done. */
struct slg_relp_rounds_options {
    void (*wake)(void *ctx);
    void *wake_ctx;
};

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_relp_rounds_create(const struct slg_relp_rounds_options *options,
                                                      struct slg_relp_rounds **ret_rounds);
void slg_relp_rounds_destroy(struct slg_relp_rounds *rounds); /* NULL is fine */

/* The round that messages of now belong to. */
struct slg_relp_round *slg_relp_rounds_current(struct slg_relp_rounds *rounds, int64_t now_mono_ns);
/* Before an entry is added with the round's waiter; `release` takes it back when no new batch has to tell. */
struct slg_forward_waiter *slg_relp_round_hold(struct slg_relp_round *round);
void slg_relp_round_release(struct slg_relp_round *round);
/* Close the current round when it is old enough, or at once when `sealed`: no builder has entries any more. */
void slg_relp_rounds_tick(struct slg_relp_rounds *rounds, int64_t now_mono_ns, bool sealed);
/* When tick is needed next; SLG_DEADLINE_NEVER: not. */
int64_t slg_relp_rounds_wake_mono_ns(const struct slg_relp_rounds *rounds);
/* Was a round done since the last call? Then ledgers may have something to write. */
bool slg_relp_rounds_take_done(struct slg_relp_rounds *rounds);
/* Rounds that are not free: for tests and the end. */
size_t slg_relp_rounds_used(const struct slg_relp_rounds *rounds);

struct slg_relp_due {
    struct slg_relp_round *round; /* NULL: an answer */
    const char *answer;           /* constant text; NULL with a round */
    uint32_t first_txnr;
    uint32_t count;
};

struct slg_relp_ledger {
    struct slg_relp_due due[SLG_RELP_LEDGER_MAX]; /* a ring */
    size_t first;
    size_t count;
    uint32_t unanswered; /* commands */
};

/* May one more command be taken? */
bool slg_relp_ledger_has_room(const struct slg_relp_ledger *ledger);
/* Room is needed. */
void slg_relp_ledger_add_message(struct slg_relp_ledger *ledger, uint32_t txnr,
                                 struct slg_relp_round *round);
void slg_relp_ledger_add_answer(struct slg_relp_ledger *ledger, uint32_t txnr, const char *answer);
/* Append the answers that may go out. *ret_messages: how many of them acknowledge a message. False: the next message
 * was not accepted and never will be: end the connection after what was written. */
SLG_MUST_CHECK bool slg_relp_ledger_write(struct slg_relp_ledger *ledger, struct slg_buf *out,
                                          uint64_t *ret_messages);
void slg_relp_ledger_clear(struct slg_relp_ledger *ledger);

#endif
