#include "logql/plan/leaf.h"

#include "logql/eval/partial.h"

/* `sum` without labels: one series. */
static const struct slg_logql_grouping no_grouping = { .present = true };

static enum slg_leaf_kind kind_of(const struct slg_logql_range_aggregation *range)
{
    return slg_accumulator_of(range) == SLG_ACCUMULATE_SAMPLES ? SLG_LEAF_SAMPLES
                                                               : SLG_LEAF_PARTIAL;
}

static bool can_inject(const struct slg_logql_range_aggregation *range)
{
    switch (range->op) {
    case SLG_LOGQL_RANGE_COUNT:
    case SLG_LOGQL_RANGE_RATE:
    case SLG_LOGQL_RANGE_BYTES:
    case SLG_LOGQL_RANGE_BYTES_RATE:
    case SLG_LOGQL_RANGE_SUM:
        return !range->grouping.present;
    case SLG_LOGQL_RANGE_RATE_COUNTER:
    case SLG_LOGQL_RANGE_AVG:
    case SLG_LOGQL_RANGE_MIN:
    case SLG_LOGQL_RANGE_MAX:
    case SLG_LOGQL_RANGE_STDVAR:
    case SLG_LOGQL_RANGE_STDDEV:
    case SLG_LOGQL_RANGE_QUANTILE:
    case SLG_LOGQL_RANGE_FIRST:
    case SLG_LOGQL_RANGE_LAST:
    case SLG_LOGQL_RANGE_ABSENT:
        break;
    }
    return false;
}

bool slg_leaf_shape_of(const struct slg_logql_expr *expr, struct slg_leaf_shape *ret_shape)
{
    struct slg_leaf_shape shape = { .kind = SLG_LEAF_LOG };

    if (expr->kind == SLG_LOGQL_EXPR_LOG) {
        shape.log = &expr->log;
    } else if (expr->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION) {
        shape.range = &expr->range;
        if (expr->range.grouping.present)
            shape.grouping = &expr->range.grouping;
    } else if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION &&
               expr->vector.op == SLG_LOGQL_VECTOR_SUM &&
               expr->vector.inner->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION &&
               can_inject(&expr->vector.inner->range)) {
        shape.range = &expr->vector.inner->range;
        shape.is_injected = true;
        shape.grouping = expr->vector.grouping.present ? &expr->vector.grouping : &no_grouping;
    } else {
        return false;
    }
    if (shape.range != NULL) {
        shape.kind = kind_of(shape.range);
        shape.log = &shape.range->log;
        if (shape.grouping != NULL && shape.grouping->without && shape.grouping->label_count == 0)
            shape.grouping = NULL; /* `without ()` keeps all */
    }
    *ret_shape = shape;
    return true;
}

bool slg_leaf_windows(const struct slg_leaf_shape *shape, int64_t start_ns, int64_t end_ns,
                      int64_t step_ns, struct slg_windows *ret_windows)
{
    return slg_windows_init(ret_windows, start_ns, end_ns, step_ns, shape->range->range_ns,
                            shape->range->offset_ns);
}

void slg_leaf_range(const struct slg_leaf_shape *shape, const struct slg_windows *windows,
                    int64_t start_ns, int64_t end_ns, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    if (shape->kind != SLG_LEAF_LOG) {
        slg_windows_range(windows, ret_from_ns, ret_to_ns);
        return;
    }
    *ret_from_ns = start_ns;
    *ret_to_ns = start_ns == end_ns && end_ns < INT64_MAX ? end_ns + 1 : end_ns;
}

/* Loki's words. */
enum slg_status slg_leaf_too_many_series(size_t series_max, struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_LIMIT,
                      "maximum number of series (%zu) reached for a single query; consider "
                      "reducing query cardinality by adding more specific stream selectors, "
                      "reducing the time range, or aggregating results with functions like sum(), "
                      "count() or topk()",
                      series_max);
}
