/* logql/eval/binary.h - binary operations between two vectors, or a vector and a literal, at one evaluation.
 *
 * Rules: Loki's BinOpStepEvaluator and MergeBinOp: one-to-one unless group_left or group_right, `on` and `ignoring`,
 * comparisons filter (keeping the left value, or the vector's) unless `bool`, x / 0 and x % 0 are NaN.
 * Owner: the arena's. Threads: one. */
#ifndef SLG_LOGQL_EVAL_BINARY_H
#define SLG_LOGQL_EVAL_BINARY_H

#include "logql/eval/label_pool.h"

struct slg_binary; /* opaque */

/* expr and pool are borrowed. NULL: the arena is full. */
SLG_MUST_CHECK struct slg_binary *slg_binary_create(struct slg_arena *arena,
                                                    struct slg_label_pool *pool,
                                                    const struct slg_logql_binary *expr);

/* out (cleared first) = lhs op rhs. INVALID: matching is not one-to-one where it must be, in Loki's words;
 * NO_MEMORY: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_binary_step(struct slg_binary *binary,
                                               const struct slg_vector *lhs,
                                               const struct slg_vector *rhs, struct slg_vector *out,
                                               struct slg_error *reterr);
/* The same with a literal on one side (literal_is_left says which). False: the arena is full. */
SLG_MUST_CHECK bool slg_binary_step_literal(struct slg_binary *binary, double literal,
                                            bool literal_is_left, const struct slg_vector *vector,
                                            struct slg_vector *out);

#endif
