/* logql/eval/relabel.h - label_replace over one vector.
 *
 * Rules: Loki's LabelReplaceEvaluator and Go's Regexp.Expand: the expression is anchored; without a match the label
 * set stays; $1, ${1}, $name and ${name} stand for groups, unknown ones for nothing, $$ for a dollar sign.
 * Owner: the arena's, but the compiled expression is freed by destroy. Threads: one. */
#ifndef SLG_LOGQL_EVAL_RELABEL_H
#define SLG_LOGQL_EVAL_RELABEL_H

#include "logql/eval/label_pool.h"

/* Longest replacement that is made; longer ones are an error. */
#define SLG_RELABEL_BYTES_MAX ((size_t)65536)

struct slg_relabel; /* opaque */

/* expr and pool are borrowed. INVALID: the expression is none, in Loki's words; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_relabel_create(struct slg_arena *arena,
                                                  struct slg_label_pool *pool,
                                                  const struct slg_logql_label_replace *expr,
                                                  struct slg_relabel **ret_relabel,
                                                  struct slg_error *reterr);
void slg_relabel_destroy(struct slg_relabel *relabel); /* NULL is fine */
/* out (cleared first) = in with new label sets. LIMIT: a replacement is too long; NO_MEMORY: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_relabel_step(struct slg_relabel *relabel,
                                                const struct slg_vector *in, struct slg_vector *out,
                                                struct slg_error *reterr);

#endif
