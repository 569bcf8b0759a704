/* querier/tail_state.h - which entries a tail has shown, and what to ask next: pure steps, no I/O.
 *
 * Per shard, what was shown is (batches of `seen`) x [from, horizon); the horizon is the end of time, or with delay_for
 * the time that lines have had to arrive. A new picture of S (querier/tail_sets.h) gives jobs of two kinds:
 *   LATE     (S - seen) x [from, horizon)    batches that came since; without a delay the only kind
 *   ADVANCE  S x [horizon, now - delay)      time that went by
 * and LATE names `seen` to the storer, which leaves out pushes that equal one of those (H9, a resend).
 * So every entry of S falls into exactly one job, whatever its time stamp and however late it came. A job that breaks
 * off (a storer died) is kept with the last row shown; its shards wait for it, the others go on.
 * A shard that no storer answered for when the tail began is not looked at before the tail's own beginning: its past
 * was not part of the history shown, and would come as a flood.
 * Owner:   the tail. Jobs belong to the state; done or broken off ends the loan. Threads: one. */
#ifndef SLG_QUERIER_TAIL_STATE_H
#define SLG_QUERIER_TAIL_STATE_H

#include "logql/plan/page.h"
#include "querier/tail_sets.h"

#define SLG_TAIL_END_OF_TIME INT64_MAX

struct slg_tail_state; /* opaque */

/* The last row that was shown of a job. */
struct slg_tail_mark {
    bool set;
    struct slg_row row; /* time, stream hash, position; `batch` points to the next member */
    struct slg_batch_id batch;
};
void slg_tail_mark_set(struct slg_tail_mark *mark, const struct slg_row *row);
/* Was row shown already? */
bool slg_tail_mark_covers(const struct slg_tail_mark *mark, const struct slg_row *row);

/* One query to run: forward, from_ns <= ts < to_ns, exactly these sets. */
struct slg_tail_job {
    int64_t from_ns;
    int64_t to_ns;
    const struct slg_rpc_shard_set *shards;
    const size_t *nodes;
    size_t count;
    const struct slg_tail_mark *mark; /* rows up to it were shown */
    unsigned attempt;                 /* 0 at first */
};

/* first: the picture whose history is shown by the caller. delay_ns 0: lines are shown as soon as they are stored.
 * NULL: no memory. */
SLG_MUST_CHECK struct slg_tail_state *slg_tail_state_create(const struct slg_tail_sets *first,
                                                            int64_t start_ns, int64_t now_ns,
                                                            int64_t delay_ns);
void slg_tail_state_destroy(struct slg_tail_state *state); /* NULL is fine */

/* End of the history: everything of `first` before it is the history's. */
int64_t slg_tail_state_horizon(const struct slg_tail_state *state);

/* The next job for this picture at this time. NOT_FOUND: nothing to do. NO_MEMORY, LIMIT. */
SLG_MUST_CHECK enum slg_status slg_tail_state_next(struct slg_tail_state *state,
                                                   const struct slg_tail_sets *sets, int64_t now_ns,
                                                   struct slg_tail_job **ret_job);
/* All its rows were shown (or dropped and told). */
void slg_tail_state_done(struct slg_tail_state *state, struct slg_tail_job *job);
/* It broke off behind the row of mark; it will be given again when its shards answer. */
void slg_tail_state_broken(struct slg_tail_state *state, struct slg_tail_job *job,
                           const struct slg_tail_mark *mark);
/* Jobs that wait for a storer. */
size_t slg_tail_state_broken_count(const struct slg_tail_state *state);

#endif
