/* logql/syntax/walk.h - questions about a tree that need no evaluation.
 *
 * All functions are pure; recursion is bounded by the tree's height. Threads: any. */
#ifndef SLG_LOGQL_SYNTAX_WALK_H
#define SLG_LOGQL_SYNTAX_WALK_H

#include "logql/syntax/ast.h"

/* The same query: everything but positions is compared. NaN literals are equal to each other, 0 and -0 are not. */
bool slg_logql_equal(const struct slg_logql_expr *a, const struct slg_logql_expr *b);
/* Against a C string. */
bool slg_logql_str_is(struct slg_logql_str a, const char *text);

/* What visits each log query of an expression, left to right. Return false to stop. For LOG the range aggregation
 * is NULL. */
typedef bool slg_logql_visit_log(void *user, const struct slg_logql_log *log,
                                 const struct slg_logql_range_aggregation *range);

/* Visit every log query in the tree; false if the visitor stopped. */
bool slg_logql_each_log(const struct slg_logql_expr *expr, slg_logql_visit_log *visit, void *user);

/* True if the matcher accepts the empty (absent) value. For RE and NRE by the shape of the expression (regex_shape.h). */
bool slg_logql_matcher_accepts_empty(const struct slg_logql_matcher *matcher);

#endif
