/* logql/plan/leaf.h - what of an expression runs beside the data: both halves must agree on it.
 *
 * A leaf is a log query, a range aggregation, or a `sum` directly over a range aggregation into which Loki injects the
 * sum's grouping (canInjectVectorGrouping): then series are grouped while they are made.
 * Pure; threads: any. */
#ifndef SLG_LOGQL_PLAN_LEAF_H
#define SLG_LOGQL_PLAN_LEAF_H

#include "logql/eval/window.h"
#include "logql/syntax/ast.h"
#include "proto/rpc.h"

struct slg_leaf_shape {
    enum slg_leaf_kind kind;
    const struct slg_logql_log *log;
    const struct slg_logql_range_aggregation *range; /* NULL: LOG */
    const struct slg_logql_grouping *grouping;       /* of its series; NULL: all labels */
    bool is_injected;                                /* it is that of a sum */
};

/* False: the expression is no leaf. */
bool slg_leaf_shape_of(const struct slg_logql_expr *expr, struct slg_leaf_shape *ret_shape);

/* Evaluations of a leaf. False: too many, or end before start. */
bool slg_leaf_windows(const struct slg_leaf_shape *shape, int64_t start_ns, int64_t end_ns,
                      int64_t step_ns, struct slg_windows *ret_windows);

/* Data that a leaf needs: from_ns <= ts < to_ns. windows: not of LOG. */
void slg_leaf_range(const struct slg_leaf_shape *shape, const struct slg_windows *windows,
                    int64_t start_ns, int64_t end_ns, int64_t *ret_from_ns, int64_t *ret_to_ns);

/* LIMIT with Loki's "maximum number of series (%d) reached ...". */
enum slg_status slg_leaf_too_many_series(size_t series_max, struct slg_error *reterr);

#endif
