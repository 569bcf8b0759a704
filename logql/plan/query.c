#include "logql/plan/query.h"

#include "logql/plan/page.h"
#include "logql/plan/query_private.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "logql/syntax/walk.h"

#define LEAF_CAPACITY_MIN ((size_t)4)
/* What decoding may make of a page: rows and labels by reference, partials of 32 bytes from 3. */
#define PAGE_MEMORY_BYTES (SLG_PAGE_BYTES_MAX * 64)

enum slg_status slg_query_full(struct slg_query *q, struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for less time, fewer series or a larger step",
                           "the query needs more than %zu MiB of memory in the querier",
                           q->params.memory_bytes_max >> 20);
}

/* ---- planning ---- */

static bool stage_reads_line(const struct slg_logql_stage *stage)
{
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
    case SLG_LOGQL_STAGE_JSON:
    case SLG_LOGQL_STAGE_LOGFMT:
    case SLG_LOGQL_STAGE_REGEXP:
    case SLG_LOGQL_STAGE_PATTERN:
    case SLG_LOGQL_STAGE_UNPACK:
    case SLG_LOGQL_STAGE_LABEL_FORMAT: /* its template may name the line */
        return true;
    case SLG_LOGQL_STAGE_LABEL_FILTER:
    case SLG_LOGQL_STAGE_LINE_FORMAT:
    case SLG_LOGQL_STAGE_DECOLORIZE:
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        break;
    }
    return false;
}

/* Loki's removeLineformat: in a metric query that does not count bytes, a line_format that no later stage reads is
 * left out, and with it the errors of its template. */
static bool trim_stages(struct slg_arena *arena, const struct slg_logql_log *log,
                        struct slg_logql_log *ret_log)
{
    struct slg_logql_stage *stages = slg_arena_alloc(arena, log->stage_count * sizeof(*stages));
    size_t count = 0;
    bool needed = false;

    if (stages == NULL)
        return false;
    for (size_t i = log->stage_count; i > 0; i--) {
        if (log->stages[i - 1].kind == SLG_LOGQL_STAGE_LINE_FORMAT && !needed)
            continue;
        needed = needed || stage_reads_line(&log->stages[i - 1]);
        count++;
        stages[log->stage_count - count] = log->stages[i - 1];
    }
    *ret_log = *log;
    ret_log->stages = stages + (log->stage_count - count);
    ret_log->stage_count = count;
    return true;
}

/* The expression of a leaf without what does not matter. NULL: the arena is full. */
static const struct slg_logql_expr *trim_leaf(struct slg_arena *arena,
                                              const struct slg_logql_expr *expr,
                                              const struct slg_leaf_shape *shape)
{
    struct slg_logql_expr *outer, *range;

    if (shape->range == NULL || shape->range->op == SLG_LOGQL_RANGE_BYTES ||
        shape->range->op == SLG_LOGQL_RANGE_BYTES_RATE)
        return expr;
    outer = slg_arena_alloc(arena, sizeof(*outer));
    range = slg_arena_alloc(arena, sizeof(*range));
    if (outer == NULL || range == NULL)
        return NULL;
    *outer = *expr;
    if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION) {
        *range = *expr->vector.inner;
        outer->vector.inner = range;
    } else {
        range = outer;
    }
    return trim_stages(arena, &shape->range->log, &range->range.log) ? outer : NULL;
}

/* Canonical text in the arena. */
static enum slg_status print_expr(struct slg_query *q, const struct slg_logql_expr *expr,
                                  struct slg_text *ret_text, struct slg_error *reterr)
{
    struct slg_buf buf;
    enum slg_status status = SLG_OK;
    char *copy;

    slg_buf_init(&buf, SLG_QUERY_TEXT_BYTES_MAX);
    slg_logql_print(&buf, expr);
    if (slg_buf_failed(&buf)) {
        status = slg_errorf(reterr, SLG_LIMIT,
                            "parse error : the canonical form of the query is over %zu bytes",
                            SLG_QUERY_TEXT_BYTES_MAX);
    } else {
        copy = slg_arena_copy(q->arena, buf.data, buf.len);
        if (copy == NULL)
            status = slg_query_full(q, reterr);
        else
            *ret_text = slg_text_make(copy, buf.len);
    }
    slg_buf_fini(&buf);
    return status;
}

static enum slg_status add_leaf(struct slg_query *q, const struct slg_logql_expr *expr,
                                bool is_root, size_t *ret_index, struct slg_error *reterr)
{
    struct query_leaf leaf = { .is_root = is_root };
    enum slg_status status;

    if (!slg_leaf_shape_of(expr, &leaf.shape))
        return SLG_NOT_FOUND;
    expr = trim_leaf(q->arena, expr, &leaf.shape);
    if (expr == NULL)
        return slg_query_full(q, reterr);
    if (!slg_leaf_shape_of(expr, &leaf.shape))
        return SLG_NOT_FOUND;
    status = print_expr(q, expr, &leaf.text, reterr);
    if (status != SLG_OK)
        return status;
    for (size_t i = 0; i < q->leaf_count; i++) {
        if (slg_text_equal(q->leaves[i].text, leaf.text)) {
            *ret_index = i;
            return SLG_OK;
        }
    }
    if (leaf.shape.range != NULL) {
        size_t series_max = is_root ? q->params.series_max : q->params.leaf_series_max;

        if (!slg_leaf_windows(&leaf.shape, q->params.start_ns, q->params.end_ns, q->params.step_ns,
                              &leaf.windows))
            return slg_errorf(reterr, SLG_INVALID,
                              "end timestamp must not be before or equal to start time");
        slg_series_table_init(&leaf.table, q->arena, slg_accumulator_of(leaf.shape.range),
                              series_max);
    }
    if (q->leaf_count == q->leaf_capacity) {
        size_t capacity = q->leaf_capacity == 0 ? LEAF_CAPACITY_MIN : q->leaf_capacity * 2;
        struct query_leaf *leaves =
            slg_arena_grow(q->arena, q->leaves, q->leaf_count, capacity, sizeof(*leaves));

        if (leaves == NULL)
            return slg_query_full(q, reterr);
        q->leaves = leaves;
        q->leaf_capacity = capacity;
    }
    *ret_index = q->leaf_count;
    q->leaves[q->leaf_count++] = leaf;
    return SLG_OK;
}

static enum slg_status plan(struct slg_query *q, const struct slg_logql_expr *expr,
                            bool may_be_literal, unsigned depth, struct query_node **ret_node,
                            struct slg_error *reterr);

static enum slg_status plan_binary(struct slg_query *q, struct query_node *node, unsigned depth,
                                   struct slg_error *reterr)
{
    const struct slg_logql_binary *binary = &node->expr->binary;
    enum slg_status status = plan(q, binary->lhs, true, depth + 1, &node->children[0], reterr);

    if (status == SLG_OK)
        status = plan(q, binary->rhs, true, depth + 1, &node->children[1], reterr);
    if (status != SLG_OK)
        return status;
    node->binary = slg_binary_create(q->arena, &q->pool, binary);
    return node->binary == NULL ? slg_query_full(q, reterr) : SLG_OK;
}

static enum slg_status plan_relabel(struct slg_query *q, struct query_node *node, unsigned depth,
                                    struct slg_error *reterr)
{
    enum slg_status status;

    status =
        slg_relabel_create(q->arena, &q->pool, &node->expr->label_replace, &node->relabel, reterr);
    if (status == SLG_NO_MEMORY)
        return slg_query_full(q, reterr);
    if (status != SLG_OK)
        return status;
    node->next_relabel = q->relabels;
    q->relabels = node;
    return plan(q, node->expr->label_replace.inner, false, depth + 1, &node->children[0], reterr);
}

/* What stays here of an expression: a node, with the leaves below it. */
static enum slg_status plan(struct slg_query *q, const struct slg_logql_expr *expr,
                            bool may_be_literal, unsigned depth, struct query_node **ret_node,
                            struct slg_error *reterr)
{
    struct query_node *node = slg_arena_calloc(q->arena, 1, sizeof(*node));
    enum slg_status status;

    SLG_ASSERT(depth <= SLG_LOGQL_DEPTH_MAX);
    if (node == NULL)
        return slg_query_full(q, reterr);
    node->expr = expr;
    *ret_node = node;
    status = add_leaf(q, expr, depth == 0, &node->leaf_index, reterr);
    node->is_leaf = status == SLG_OK;
    if (status != SLG_NOT_FOUND)
        return status;
    switch (expr->kind) {
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        node->aggregate = slg_aggregate_create(q->arena, &q->pool, &expr->vector);
        if (node->aggregate == NULL)
            return slg_query_full(q, reterr);
        return plan(q, expr->vector.inner, false, depth + 1, &node->children[0], reterr);
    case SLG_LOGQL_EXPR_BINARY:
        return plan_binary(q, node, depth, reterr);
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        return plan_relabel(q, node, depth, reterr);
    case SLG_LOGQL_EXPR_LITERAL:
        if (!may_be_literal) /* Loki's words; it answers 500 */
            return slg_errorf(reterr, SLG_INVALID,
                              "unexpected expr type (*syntax.LiteralExpr) for Evaluator type "
                              "(*logql.DefaultEvaluator) ");
        return SLG_OK;
    case SLG_LOGQL_EXPR_VECTOR:
        return SLG_OK;
    case SLG_LOGQL_EXPR_LOG:
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        break;
    }
    SLG_ASSERT(depth > SLG_LOGQL_DEPTH_MAX); /* both are leaves */
    return SLG_INVALID;
}

static enum slg_status check_params(struct slg_query_params *p, struct slg_error *reterr)
{
    if (p->interval_ns < 0)
        return slg_errorf(reterr, SLG_INVALID, "interval must be >= 0");
    if (p->instant) {
        p->start_ns = p->end_ns;
        p->step_ns = 0;
        return SLG_OK;
    }
    if (p->step_ns <= 0)
        return slg_errorf(reterr, SLG_INVALID,
                          "zero or negative query resolution step widths are not accepted. Try a "
                          "positive integer");
    if (p->end_ns < p->start_ns)
        return slg_errorf(reterr, SLG_INVALID,
                          "end timestamp must not be before or equal to start time");
    if (((uint64_t)p->end_ns - (uint64_t)p->start_ns) / (uint64_t)p->step_ns >
        SLG_QUERY_STEP_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "exceeded maximum resolution of 11,000 points per time series. Try "
                          "increasing the value of the step parameter");
    return SLG_OK;
}

static enum slg_status parse_and_plan(struct slg_query *q, struct slg_error *reterr)
{
    const struct slg_label_set empty = { NULL, 0 };
    size_t index;
    enum slg_status status =
        slg_logql_parse(q->arena, q->params.text.at, q->params.text.len, &q->expr, reterr);

    if (status != SLG_OK)
        return status;
    if (q->expr->kind == SLG_LOGQL_EXPR_LOG) {
        if (q->params.instant)
            return slg_errorf(reterr, SLG_INVALID,
                              "log queries are not supported as an instant query type, please "
                              "change your query to a range query type");
        return add_leaf(q, q->expr, true, &index, reterr);
    }
    slg_label_pool_init(&q->pool, q->arena);
    if (!slg_label_pool_intern(&q->pool, &empty, &q->empty_id))
        return slg_query_full(q, reterr);
    return plan(q, q->expr, true, 0, &q->root, reterr);
}

enum slg_status slg_query_create(const struct slg_query_params *params,
                                 struct slg_query **ret_query, struct slg_error *reterr)
{
    struct slg_query_params checked = *params;
    enum slg_status status = check_params(&checked, reterr);
    struct slg_query *q;

    SLG_ASSERT(params->memory_bytes_max > 0);
    if (status != SLG_OK)
        return status;
    q = calloc(1, sizeof(*q));
    if (q == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    q->params = checked;
    q->arena = slg_arena_create(params->memory_bytes_max);
    q->page_arena = slg_arena_create(PAGE_MEMORY_BYTES);
    if (q->arena == NULL || q->page_arena == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    if (status == SLG_OK)
        status = parse_and_plan(q, reterr);
    if (status != SLG_OK) {
        slg_query_destroy(q);
        return status;
    }
    *ret_query = q;
    return SLG_OK;
}

void slg_query_destroy(struct slg_query *q)
{
    if (q == NULL)
        return;
    for (struct query_node *node = q->relabels; node != NULL; node = node->next_relabel)
        slg_relabel_destroy(node->relabel);
    slg_arena_destroy(q->arena);
    slg_arena_destroy(q->page_arena);
    free(q);
}

size_t slg_query_used_bytes(const struct slg_query *q)
{
    return slg_arena_used_bytes(q->arena) +
           (q->page_arena == NULL ? 0 : slg_arena_used_bytes(q->page_arena));
}

bool slg_query_is_log(const struct slg_query *q)
{
    return q->root == NULL;
}

size_t slg_query_leaf_count(const struct slg_query *q)
{
    return q->leaf_count;
}

bool slg_query_keeps_all(const struct slg_query *q)
{
    return slg_query_is_log(q) && q->leaves[0].shape.log->stage_count == 0;
}

void slg_query_leaf(const struct slg_query *q, size_t leaf_index,
                    struct slg_leaf_request *ret_request)
{
    const struct query_leaf *leaf = &q->leaves[leaf_index];
    bool is_log = leaf->shape.kind == SLG_LEAF_LOG;

    SLG_ASSERT(leaf_index < q->leaf_count);
    *ret_request = (struct slg_leaf_request){
        .kind = leaf->shape.kind,
        .text = leaf->text,
        .start_ns = q->params.start_ns,
        .end_ns = q->params.end_ns,
        .step_ns = is_log ? 0 : q->params.step_ns,
        .direction = q->params.direction,
        /* An interval thins over all sources together: a source can not know which rows are wanted. */
        .limit = is_log && q->params.interval_ns <= 0 ? q->params.limit : 0,
        .memory_bytes_max = q->params.leaf_memory_bytes_max,
        .series_max = leaf->is_root ? q->params.series_max : q->params.leaf_series_max,
        .bytes_scan_max = q->params.leaf_bytes_scan_max,
    };
}

void slg_query_leaf_range(const struct slg_query *q, size_t leaf_index, int64_t *ret_from_ns,
                          int64_t *ret_to_ns)
{
    const struct query_leaf *leaf = &q->leaves[leaf_index];

    SLG_ASSERT(leaf_index < q->leaf_count);
    slg_leaf_range(&leaf->shape, &leaf->windows, q->params.start_ns, q->params.end_ns, ret_from_ns,
                   ret_to_ns);
}

const char *slg_query_error_text(const struct slg_query *q)
{
    return q->error_text;
}

/* ---- feeding ---- */

static enum slg_status remember_error(struct slg_query *q, struct slg_text text,
                                      struct slg_error *reterr)
{
    size_t len = text.len < sizeof(q->error_text) ? text.len : sizeof(q->error_text) - 1;

    memcpy(q->error_text, text.at, len);
    q->error_text[len] = '\0';
    return slg_errorf(reterr, SLG_INVALID, "%s", q->error_text);
}

/* Origins of the page as the leaf numbers them. NULL: an arena is full. */
static uint32_t *map_origins(struct slg_query *q, struct query_leaf *leaf,
                             const struct slg_page *page)
{
    uint32_t *map = slg_arena_calloc(q->page_arena, page->origin_count + 1, sizeof(*map));

    for (size_t i = 0; map != NULL && i < page->origin_count; i++) {
        if (!slg_origin_table_index(&leaf->table.origins, &page->origins[i], &map[i]))
            return NULL;
    }
    return map;
}

static bool add_items(struct query_leaf *leaf, uint32_t index, struct slg_page_series *series,
                      const uint32_t *map)
{
    bool ordered =
        leaf->table.kind == SLG_ACCUMULATE_FIRST || leaf->table.kind == SLG_ACCUMULATE_LAST;
    bool fits = true;

    for (size_t i = 0; i < series->count && fits; i++) {
        if (leaf->table.kind == SLG_ACCUMULATE_SAMPLES) {
            series->samples[i].origin_index = map[series->samples[i].origin_index];
            fits = slg_series_add_sample(&leaf->table, index, &series->samples[i]);
        } else {
            if (ordered)
                series->partials[i].origin_index = map[series->partials[i].origin_index];
            fits = slg_series_add_partial(&leaf->table, index, &series->partials[i]);
        }
    }
    return fits;
}

static enum slg_status feed_series(struct slg_query *q, struct query_leaf *leaf,
                                   struct slg_page *page, struct slg_error *reterr)
{
    uint32_t *map = map_origins(q, leaf, page);

    if (map == NULL)
        return slg_query_full(q, reterr);
    for (size_t i = 0; i < page->series_count; i++) {
        struct slg_page_series *series = &page->series[i];
        enum slg_status status;
        uint32_t index;

        status = slg_series_find(&leaf->table, slg_label_set_hash(&series->labels), &series->labels,
                                 &index);
        if (status == SLG_LIMIT)
            return slg_leaf_too_many_series(leaf->table.series_max, reterr);
        if (status != SLG_OK || !add_items(leaf, index, series, map))
            return slg_query_full(q, reterr);
    }
    return SLG_OK;
}

enum slg_status slg_query_feed(struct slg_query *q, size_t leaf_index, const void *body, size_t len,
                               struct slg_error *reterr)
{
    struct query_leaf *leaf = &q->leaves[leaf_index];
    struct slg_page page;
    enum slg_status status;

    SLG_ASSERT(leaf_index < q->leaf_count);
    SLG_ASSERT(!slg_query_is_log(q));
    SLG_ASSERT(!q->finished);
    slg_arena_reset(q->page_arena);
    status = slg_page_decode(q->page_arena, body, len, &page, reterr);
    if (status != SLG_OK)
        return status;
    if (page.kind == SLG_PAGE_ERROR)
        return remember_error(q, page.error, reterr);
    if ((int)page.kind != (int)leaf->shape.kind || page.accumulator != leaf->table.kind)
        return slg_errorf(reterr, SLG_MALFORMED,
                          "page has kind %u of accumulator %u, the leaf needs %u of %u",
                          (unsigned)page.kind, (unsigned)page.accumulator,
                          (unsigned)leaf->shape.kind, (unsigned)leaf->table.kind);
    return feed_series(q, leaf, &page, reterr);
}
