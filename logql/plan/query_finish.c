/* The evaluating half of query.h: leaves slide, operators above them follow step by step. */
#include "logql/plan/query_private.h"

#define POINT_CAPACITY_MIN ((size_t)8)
#define DENSE_POINTS_MIN   ((size_t)64)

/* ---- leaves ---- */

/* absent_over_time tells the labels that the selector fixes: those with exactly one matcher, an equality (Loki's
 * absentLabels). */
static bool absent_labels(struct slg_query *q, struct query_leaf *leaf)
{
    const struct slg_logql_log *log = leaf->shape.log;
    uint32_t id = q->empty_id;

    for (size_t i = 0; i < log->matcher_count; i++) {
        const struct slg_logql_matcher *m = &log->matchers[i];
        struct slg_text name = slg_text_make(m->name.ptr, m->name.len);
        bool alone = m->op == SLG_LOGQL_MATCH_EQ && !slg_text_equal_to(name, "__name__");

        for (size_t k = 0; k < log->matcher_count && alone; k++)
            alone = k == i || !slg_text_equal(name, slg_text_make(log->matchers[k].name.ptr,
                                                                  log->matchers[k].name.len));
        if (alone && !slg_label_pool_with(&q->pool, id, name,
                                          slg_text_make(m->value.ptr, m->value.len), &id))
            return false;
    }
    leaf->absent_id = id;
    return true;
}

static int compare_series(const void *a, const void *b)
{
    const struct slg_series_data *x = a, *y = b;

    return slg_label_set_compare(&x->labels, &y->labels);
}

static bool start_leaf(struct slg_query *q, struct query_leaf *leaf)
{
    struct slg_series_table *table = &leaf->table;

    /* Sorted by labels: the answer must not depend on which storer answered first. */
    if (table->count > 0)
        qsort(table->series, table->count, sizeof(*table->series), compare_series);
    leaf->ids = slg_arena_alloc(q->arena, table->count * sizeof(*leaf->ids));
    if (leaf->ids == NULL)
        return false;
    for (uint32_t i = 0; i < table->count; i++) {
        slg_series_settle(table, i);
        if (!slg_label_pool_intern(&q->pool, &table->series[i].labels, &leaf->ids[i]))
            return false;
    }
    leaf->slide = slg_slide_create(q->arena, leaf->shape.range, &leaf->windows, table);
    if (leaf->slide == NULL)
        return false;
    return leaf->shape.range->op != SLG_LOGQL_RANGE_ABSENT || absent_labels(q, leaf);
}

static bool step_leaf(struct slg_query *q, struct query_leaf *leaf, uint32_t step)
{
    double value;

    leaf->out.count = 0;
    slg_slide_step(leaf->slide, step);
    for (uint32_t i = 0; i < leaf->table.count; i++) {
        if (slg_slide_value(leaf->slide, i, &value) &&
            !slg_vector_append(&leaf->out, q->arena, leaf->ids[i], value))
            return false;
    }
    if (leaf->shape.range->op == SLG_LOGQL_RANGE_ABSENT) {
        bool present = leaf->out.count > 0;

        leaf->out.count = 0;
        return present || slg_vector_append(&leaf->out, q->arena, leaf->absent_id, 1);
    }
    return true;
}

/* ---- operators ---- */

static enum slg_status evaluate(struct slg_query *q, struct query_node *node, unsigned depth,
                                const struct slg_vector **ret_vector, struct slg_error *reterr);

static enum slg_status evaluate_binary(struct slg_query *q, struct query_node *node, unsigned depth,
                                       struct slg_error *reterr)
{
    const struct slg_logql_expr *lhs = node->expr->binary.lhs, *rhs = node->expr->binary.rhs;
    const struct slg_vector *left = NULL, *right = NULL;
    enum slg_status status = SLG_OK;
    bool fits;

    if (lhs->kind != SLG_LOGQL_EXPR_LITERAL)
        status = evaluate(q, node->children[0], depth + 1, &left, reterr);
    if (status == SLG_OK && rhs->kind != SLG_LOGQL_EXPR_LITERAL)
        status = evaluate(q, node->children[1], depth + 1, &right, reterr);
    if (status != SLG_OK)
        return status;
    if (left != NULL && right != NULL) {
        status = slg_binary_step(node->binary, left, right, &node->out, reterr);
        return status == SLG_NO_MEMORY ? slg_query_full(q, reterr) : status;
    }
    SLG_ASSERT(left != NULL || right != NULL); /* the parser folds two literals */
    fits = left != NULL
               ? slg_binary_step_literal(node->binary, rhs->number, false, left, &node->out)
               : slg_binary_step_literal(node->binary, lhs->number, true, right, &node->out);
    return fits ? SLG_OK : slg_query_full(q, reterr);
}

static enum slg_status evaluate_unary(struct slg_query *q, struct query_node *node, unsigned depth,
                                      struct slg_error *reterr)
{
    const struct slg_vector *in;
    enum slg_status status = evaluate(q, node->children[0], depth + 1, &in, reterr);

    if (status != SLG_OK)
        return status;
    if (node->relabel != NULL)
        status = slg_relabel_step(node->relabel, in, &node->out, reterr);
    else if (!slg_aggregate_step(node->aggregate, in, &node->out))
        status = SLG_NO_MEMORY;
    return status == SLG_NO_MEMORY ? slg_query_full(q, reterr) : status;
}

/* One node at the current step; leaves have been stepped. */
static enum slg_status evaluate(struct slg_query *q, struct query_node *node, unsigned depth,
                                const struct slg_vector **ret_vector, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    SLG_ASSERT(depth <= SLG_LOGQL_DEPTH_MAX);
    *ret_vector = &node->out;
    if (node->is_leaf) {
        *ret_vector = &q->leaves[node->leaf_index].out;
    } else if (node->binary != NULL) {
        status = evaluate_binary(q, node, depth, reterr);
    } else if (node->children[0] != NULL) {
        status = evaluate_unary(q, node, depth, reterr);
    } else { /* vector(n), or a literal that is the whole query */
        node->out.count = 0;
        if (!slg_vector_append(&node->out, q->arena, q->empty_id, node->expr->number))
            status = slg_query_full(q, reterr);
    }
    return status;
}

/* ---- the result ---- */

struct collector {
    struct slg_query *q;
    struct slg_memo series_of; /* label set -> index */
    struct growing {
        uint32_t id;
        struct slg_point *points;
        size_t count, capacity;
        uint32_t first_step;
    } * series;
    size_t count, capacity;
    size_t step_count;
};

static bool add_series(struct collector *c, uint32_t id, uint32_t step, uint32_t *ret_index)
{
    struct slg_arena *arena = c->q->arena;

    if (c->count == c->capacity) {
        size_t capacity = c->capacity == 0 ? 16 : c->capacity * 2;
        struct growing *series =
            slg_arena_grow(arena, c->series, c->count, capacity, sizeof(*series));

        if (series == NULL)
            return false;
        c->series = series;
        c->capacity = capacity;
    }
    c->series[c->count] = (struct growing){ .id = id, .first_step = step };
    *ret_index = (uint32_t)c->count++;
    return slg_memo_put(&c->series_of, arena, id, *ret_index);
}

/* Room for the next points. A series that has had them at most steps is given room for all that can come: what doubling
 * leaves behind in the arena is more than the points themselves. */
static size_t more_points(const struct collector *c, const struct growing *series, uint32_t step)
{
    size_t most = series->count + (c->step_count - step);
    size_t doubled = series->capacity == 0 ? POINT_CAPACITY_MIN : series->capacity * 2;

    if (series->count >= DENSE_POINTS_MIN && series->count >= (step - series->first_step) / 2)
        return most;
    return doubled < most ? doubled : most;
}

static bool add_point(struct collector *c, struct growing *series, uint32_t step, int64_t ts_ns,
                      double value)
{
    if (series->count == series->capacity) {
        size_t capacity = more_points(c, series, step);
        struct slg_point *points =
            slg_arena_grow(c->q->arena, series->points, series->count, capacity, sizeof(*points));

        if (points == NULL)
            return false;
        series->points = points;
        series->capacity = capacity;
    }
    series->points[series->count++] = (struct slg_point){ .ts_ns = ts_ns, .value = value };
    return true;
}

static enum slg_status collect(struct collector *c, const struct slg_vector *vector, uint32_t step,
                               int64_t ts_ns, struct slg_error *reterr)
{
    struct slg_query *q = c->q;

    for (size_t i = 0; i < vector->count; i++) {
        uint32_t index = slg_memo_get(&c->series_of, vector->items[i].id);

        /* Of an instant vector each sample is a series, even if a label_replace made two alike. */
        if (index == SLG_MEMO_UNKNOWN || q->params.instant) {
            if (c->count >= q->params.series_max)
                return slg_leaf_too_many_series(q->params.series_max, reterr);
            if (!add_series(c, vector->items[i].id, step, &index))
                return slg_query_full(q, reterr);
        }
        if (!add_point(c, &c->series[index], step, ts_ns, vector->items[i].value))
            return slg_query_full(q, reterr);
    }
    return SLG_OK;
}

/* sort or sort_desc anywhere: an instant vector keeps the order of evaluation (Loki's Sortable). */
static bool is_sorted_by_value(const struct query_node *node, unsigned depth)
{
    SLG_ASSERT(depth <= SLG_LOGQL_DEPTH_MAX);
    if (node == NULL || node->is_leaf)
        return false;
    if (node->expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION &&
        (node->expr->vector.op == SLG_LOGQL_VECTOR_SORT ||
         node->expr->vector.op == SLG_LOGQL_VECTOR_SORT_DESC))
        return true;
    return is_sorted_by_value(node->children[0], depth + 1) ||
           is_sorted_by_value(node->children[1], depth + 1);
}

static int compare_result(const void *a, const void *b)
{
    const struct slg_series *x = a, *y = b;

    return slg_label_set_compare(&x->labels, &y->labels);
}

static enum slg_status make_result(struct collector *c, struct slg_error *reterr)
{
    struct slg_query *q = c->q;
    struct slg_series *series = slg_arena_calloc(q->arena, c->count, sizeof(*series));

    if (series == NULL)
        return slg_query_full(q, reterr);
    for (size_t i = 0; i < c->count; i++)
        series[i] = (struct slg_series){ .labels = *slg_label_pool_set(&q->pool, c->series[i].id),
                                         .points = c->series[i].points,
                                         .point_count = c->series[i].count };
    if (c->count > 0 && !(q->params.instant && is_sorted_by_value(q->root, 0)))
        qsort(series, c->count, sizeof(*series), compare_result);
    q->result = (struct slg_result){
        .kind = SLG_RESULT_MATRIX,
        .series = series,
        .series_count = c->count,
    };
    if (q->params.instant)
        q->result.kind =
            q->expr->kind == SLG_LOGQL_EXPR_LITERAL ? SLG_RESULT_SCALAR : SLG_RESULT_VECTOR;
    return SLG_OK;
}

static enum slg_status run_step(struct collector *c, uint32_t step, int64_t ts_ns,
                                struct slg_error *reterr)
{
    struct slg_query *q = c->q;
    const struct slg_vector *vector;
    enum slg_status status;

    for (size_t i = 0; i < q->leaf_count; i++) {
        if (!step_leaf(q, &q->leaves[i], step))
            return slg_query_full(q, reterr);
    }
    status = evaluate(q, q->root, 0, &vector, reterr);
    return status == SLG_OK ? collect(c, vector, step, ts_ns, reterr) : status;
}

enum slg_status slg_query_finish(struct slg_query *q, const struct slg_result **ret_result,
                                 struct slg_error *reterr)
{
    struct collector c = { .q = q };
    enum slg_status status = SLG_OK;
    struct slg_windows steps;

    SLG_ASSERT(!slg_query_is_log(q));
    SLG_ASSERT(!q->finished);
    q->finished = true;
    slg_arena_destroy(q->page_arena); /* no page comes any more */
    q->page_arena = NULL;
    if (!slg_windows_init(&steps, q->params.start_ns, q->params.end_ns, q->params.step_ns, 0, 0))
        return slg_errorf(reterr, SLG_INVALID,
                          "end timestamp must not be before or equal to start time");
    c.step_count = steps.count;
    for (size_t i = 0; i < q->leaf_count; i++) {
        if (!start_leaf(q, &q->leaves[i]))
            return slg_query_full(q, reterr);
    }
    for (uint32_t step = 0; step < steps.count && status == SLG_OK; step++)
        status = run_step(&c, step, steps.start_ns + (int64_t)step * steps.step_ns, reterr);
    if (status == SLG_OK)
        status = make_result(&c, reterr);
    if (status == SLG_OK)
        *ret_result = &q->result;
    return status;
}
