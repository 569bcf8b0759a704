/* querier/fanout.h - one query over all storers: fix the sets, evaluate exactly S, merge (DESIGN section 6).
 *
 *   sets     one SETS request per storer for all shards of the range; S = the union, per shard
 *   choose   per shard one replica, that lacks least of S (querier/choose.h)
 *   ensure   what it lacks it fetches from the others
 *   evaluate QUERY to the chosen storers with their shards and S, NEXT while there is more
 *   hedge    a slow sub-query gets a rival over the same S, and one of the two is used (querier/hedge.h)
 *
 * A storer that answers neither within 1.5 s nor a greeting is lost when others can stand in for it; else it is waited for.
 * A storer that is lost while it evaluates ends the run with UNAVAILABLE; slg_fanout_evaluate puts others in its place,
 * and runs again from the start, over the same S.
 * A shard for which W_min or more of {owners, hint candidates} did not answer, or whose S no answering replica holds
 * whole, is incomplete: slg_fanout_incomplete tells which windows (I7).
 * Owner:   one request's thread. Threads: one; several fanouts are independent. */
#ifndef SLG_QUERIER_FANOUT_H
#define SLG_QUERIER_FANOUT_H

#include "base/metric.h"
#include "logql/plan/merge.h"
#include "logql/plan/query.h"
#include "querier/hedge.h"
#include "querier/peers.h"

struct slg_fanout_options {
    const struct slg_peers *peers; /* borrowed */
    struct slg_text tenant;
    int64_t deadline_mono_ns;
    int64_t now_wall_ns;         /* with the map's retention: older windows are not asked for */
    size_t memory_bytes_max;     /* sets and messages */
    size_t parallel_max;         /* sub-queries per storer and leaf, 1 to 16 */
    int32_t sets_timeout_ms;     /* a storer that says nothing for so long is left out; 0 = 10 s */
    bool (*canceled)(void *arg); /* asked every 100 ms; NULL = never */
    void *canceled_arg;
    struct slg_hedge_pace *pace;      /* borrowed; NULL: no rivals */
    struct slg_metric_table *metrics; /* querier/metrics.h, borrowed; NULL: nothing is counted */
};

#define SLG_FANOUT_TEXT_BYTES 512

struct slg_fanout; /* opaque */

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_fanout_create(const struct slg_fanout_options *options,
                                                 struct slg_fanout **ret_fanout,
                                                 struct slg_error *reterr);
/* Cancels what storers still have open. NULL is fine. */
void slg_fanout_destroy(struct slg_fanout *fanout);

/* Fix S for data in [from_ns, to_ns). OK also when some storer failed: ask slg_fanout_incomplete. UNAVAILABLE: none
 * answered. TIMEOUT, CANCELED, LIMIT. Again: anew, for another time. */
SLG_MUST_CHECK enum slg_status slg_fanout_fix_sets(struct slg_fanout *fanout, int64_t from_ns,
                                                   int64_t to_ns, struct slg_error *reterr);

/* What was fixed: shard number `index`, its S and the storer chosen for it; false past the last. Texts live as long as
 * fanout. */
bool slg_fanout_shard(const struct slg_fanout *fanout, size_t index,
                      struct slg_rpc_shard_set *ret_set, size_t *ret_node_index);
/* Instead of slg_fanout_fix_sets: evaluate exactly these, nodes[i] being asked for shards[i]. Sets are borrowed. LIMIT. */
SLG_MUST_CHECK enum slg_status slg_fanout_use_shards(struct slg_fanout *fanout,
                                                     const struct slg_rpc_shard_set *shards,
                                                     const size_t *nodes, size_t count,
                                                     struct slg_error *reterr);

/* A text that names the incomplete windows and why, or NULL when the answer is complete. Lives as long as fanout. */
const char *slg_fanout_incomplete(const struct slg_fanout *fanout);

/* After a run that ended UNAVAILABLE: true when other replicas now stand in for every storer that was lost in it. The
 * caller throws away what it has got, and runs again. */
SLG_MUST_CHECK bool slg_fanout_fail_over(struct slg_fanout *fanout);

/* What is evaluated over fixed sets, once or several times. */
typedef enum slg_status slg_fanout_step(void *arg, struct slg_error *reterr);
struct slg_fanout_work {
    slg_fanout_step *
        begin; /* S is fixed: throw away what came before, refuse what is too incomplete to be of use */
    slg_fanout_step *run; /* slg_fanout_run_* */
};
/* Fix S and do the work. When storers are lost on the way, it begins again: over the same S where replicas stand in for
 * them, else once over what the others hold. Fails as slg_fanout_fix_sets and the steps; UNAVAILABLE of `run`: nobody
 * could stand in. */
SLG_MUST_CHECK enum slg_status slg_fanout_evaluate(struct slg_fanout *fanout, int64_t from_ns,
                                                   int64_t to_ns,
                                                   const struct slg_fanout_work *work, void *arg,
                                                   struct slg_error *reterr);

/* Evaluate every leaf of a metric query and feed it. INVALID, LIMIT and UNSUPPORTED carry the user's text;
 * UNAVAILABLE: a storer was lost on the way. */
SLG_MUST_CHECK enum slg_status
slg_fanout_run_metric(struct slg_fanout *fanout, struct slg_query *query, struct slg_error *reterr);

/* Evaluate a leaf whose pages may come in any order (PATTERNS); `feed` gets their bodies. */
typedef enum slg_status slg_fanout_feed_page(void *arg, const void *body, size_t len,
                                             struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status
slg_fanout_run_leaf(struct slg_fanout *fanout, const struct slg_leaf_request *leaf, int64_t from_ns,
                    int64_t to_ns, slg_fanout_feed_page *feed, void *arg, struct slg_error *reterr);

/* Evaluate a log query; `take` gets the rows in order and copies what it keeps. A status other than OK from it ends
 * the run with that status. */
typedef enum slg_status slg_fanout_take_row(void *arg, const struct slg_row *row);
SLG_MUST_CHECK enum slg_status slg_fanout_run_log(struct slg_fanout *fanout,
                                                  const struct slg_query *query,
                                                  const struct slg_merge_params *params,
                                                  slg_fanout_take_row *take, void *arg,
                                                  struct slg_error *reterr);

/* Streams of all storers that match any selector, merged by id: counts are added. Texts live in the arena. OK also when
 * some storer failed: ask slg_fanout_incomplete. UNAVAILABLE: none answered. */
struct slg_fanout_streams {
    const struct slg_text *selectors; /* canonical; none = every stream */
    size_t selector_count;
    int64_t from_ns;
    int64_t to_ns;
    bool whole_windows; /* all streams of the shards that touch the range, without counts */
};
SLG_MUST_CHECK enum slg_status slg_fanout_list_streams(struct slg_fanout *fanout,
                                                       const struct slg_fanout_streams *wanted,
                                                       struct slg_arena *arena,
                                                       struct slg_rpc_stream **ret_streams,
                                                       size_t *ret_count, struct slg_error *reterr);

/* Summed over all pages so far. */
const struct slg_scan_stats *slg_fanout_stats(const struct slg_fanout *fanout);

#endif
