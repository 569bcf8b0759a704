/* logql/eval/aggregate.h - sum, avg, count, max, min, stddev, stdvar, topk, bottomk, sort, sort_desc over one vector.
 *
 * Rules: Loki's VectorAggEvaluator. topk and bottomk put NaN last; of equal values the one with the smaller labels comes
 * first, so that the answer does not depend on who answered first.
 * approx_topk is topk: exact.
 * Owner: the arena's. Threads: one; evaluations of one aggregate follow each other. */
#ifndef SLG_LOGQL_EVAL_AGGREGATE_H
#define SLG_LOGQL_EVAL_AGGREGATE_H

#include "logql/eval/label_pool.h"

struct slg_aggregate; /* opaque */

/* expr and pool are borrowed. NULL: the arena is full. */
SLG_MUST_CHECK struct slg_aggregate *
slg_aggregate_create(struct slg_arena *arena, struct slg_label_pool *pool,
                     const struct slg_logql_vector_aggregation *expr);
/* out (cleared first) = the aggregation of in. False: the arena is full. */
SLG_MUST_CHECK bool slg_aggregate_step(struct slg_aggregate *aggregate, const struct slg_vector *in,
                                       struct slg_vector *out);

#endif
