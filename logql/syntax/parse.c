#include "logql/syntax/parse.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "logql/syntax/parser.h"
#include "logql/syntax/regex_shape.h"
#include "logql/syntax/units.h"
#include "logql/syntax/walk.h"

/* ---- tokens and errors ---- */

bool slg_logql_parser_advance(struct slg_logql_parser *p)
{
    return slg_logql_lexer_next(&p->lexer, &p->token, &p->error) == SLG_OK;
}

bool slg_logql_parser_unexpected(struct slg_logql_parser *p, const char *expecting)
{
    char display[96];
    char where[64] = "";

    slg_logql_token_display(&p->token, display, sizeof(display));
    /* Loki has no position for the end of an empty text. */
    if (p->lexer.text.len > 0)
        (void)snprintf(where, sizeof(where), "at line %u, col %u", p->token.pos.line,
                       p->token.pos.col);
    (void)slg_error_hintf(&p->error, SLG_INVALID,
                          p->token.kind == SLG_LOGQL_TOKEN_VARIABLE
                              ? "Grafana did not replace this variable: it has no such name"
                              : "",
                          "parse error %s: syntax error: unexpected %s%s%s", where, display,
                          expecting == NULL ? "" : ", expecting ",
                          expecting == NULL ? "" : expecting);
    return false;
}

bool slg_logql_parser_expect(struct slg_logql_parser *p, enum slg_logql_token_kind kind,
                             const char *expecting)
{
    if (p->token.kind != kind)
        return slg_logql_parser_unexpected(p, expecting);
    return slg_logql_parser_advance(p);
}

bool slg_logql_parser_fail(struct slg_logql_parser *p, enum slg_status status, const char *format,
                           ...)
{
    char text[sizeof(p->error.message)];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a long one is cut */
    va_end(args);
    (void)slg_errorf(&p->error, status, "parse error : %s", text);
    return false;
}

bool slg_logql_parser_no_room(struct slg_logql_parser *p)
{
    return slg_logql_parser_fail(p, SLG_LIMIT, "query needs more than %zu bytes of memory",
                                 slg_arena_budget_bytes(p->arena));
}

static bool too_deep(struct slg_logql_parser *p)
{
    return slg_logql_parser_fail(p, SLG_LIMIT, "query is nested deeper than %d levels",
                                 SLG_LOGQL_DEPTH_MAX);
}

void slg_logql_parser_late(struct slg_logql_parser *p, size_t offset, const char *format, ...)
{
    char text[sizeof(p->late.message)];
    va_list args;

    if (p->has_late && p->late_offset < offset)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a long one is cut */
    va_end(args);
    p->has_late = true;
    p->late_offset = offset;
    (void)slg_errorf(&p->late, SLG_INVALID, "parse error : %s", text);
}

void *slg_logql_parser_push(struct slg_logql_parser *p, struct slg_logql_list *list,
                            size_t item_size)
{
    unsigned char *items = list->items;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 4 : 2 * list->capacity;

        items = slg_arena_grow(p->arena, list->items, list->capacity, capacity, item_size);
        if (items == NULL) {
            (void)slg_logql_parser_no_room(p);
            return NULL;
        }
        list->items = items;
        list->capacity = capacity;
    }
    memset(items + list->count * item_size, 0, item_size);
    return items + item_size * list->count++;
}

bool slg_logql_parser_identifier(struct slg_logql_parser *p, const char *expecting,
                                 struct slg_logql_str *ret)
{
    *ret = p->token.text;
    return slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_IDENTIFIER, expecting);
}

bool slg_logql_parser_string(struct slg_logql_parser *p, const char *expecting,
                             struct slg_logql_str *ret)
{
    if (p->token.kind != SLG_LOGQL_TOKEN_STRING)
        return slg_logql_parser_unexpected(p, expecting);
    *ret = slg_logql_token_unquote(p->arena, &p->token);
    if (ret->ptr == NULL)
        return slg_logql_parser_no_room(p);
    return slg_logql_parser_advance(p);
}

static void number_is_late(struct slg_logql_parser *p, const struct slg_logql_token *token,
                           enum slg_status status, const char *what)
{
    slg_logql_parser_late(p, token->offset, "%s: strconv.ParseFloat: parsing \"%.*s\": %s", what,
                          token->text.len > 64 ? 64 : (int)token->text.len, token->text.ptr,
                          status == SLG_LIMIT ? "value out of range" : "invalid syntax");
}

/* Consume a NUMBER. */
static bool number(struct slg_logql_parser *p, const char *expecting, const char *what, double *ret)
{
    struct slg_logql_token token = p->token;
    enum slg_status status;

    if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_NUMBER, expecting))
        return false;
    *ret = 0;
    status = slg_logql_parse_float(token.text, ret);
    if (status != SLG_OK)
        number_is_late(p, &token, status, what);
    return true;
}

bool slg_logql_parser_literal(struct slg_logql_parser *p, double *ret)
{
    bool negative = p->token.kind == SLG_LOGQL_TOKEN_SUB;

    if ((negative || p->token.kind == SLG_LOGQL_TOKEN_ADD) && !slg_logql_parser_advance(p))
        return false;
    if (!number(p, "NUMBER", "unable to parse literal as a float", ret))
        return false;
    if (negative)
        *ret = -*ret;
    return true;
}

/* ---- nodes ---- */

static struct slg_logql_expr *make_node(struct slg_logql_parser *p, enum slg_logql_expr_kind kind,
                                        struct slg_logql_pos pos)
{
    struct slg_logql_expr *node = slg_arena_calloc(p->arena, 1, sizeof(*node));

    if (node == NULL) {
        (void)slg_logql_parser_no_room(p);
        return NULL;
    }
    node->kind = kind;
    node->pos = pos;
    node->height = 1;
    return node;
}

/* Set the height of a node over its children (b may be NULL). */
static bool set_height(struct slg_logql_parser *p, struct slg_logql_expr *node,
                       const struct slg_logql_expr *a, const struct slg_logql_expr *b)
{
    unsigned height = a->height;

    if (b != NULL && b->height > height)
        height = b->height;
    if (height >= SLG_LOGQL_DEPTH_MAX)
        return too_deep(p);
    node->height = (uint16_t)(height + 1);
    return true;
}

static const char *type_of(const struct slg_logql_expr *expr)
{
    return expr->log.stage_count > 0 ? "*syntax.PipelineExpr" : "*syntax.MatchersExpr";
}

/* ---- grouping and lists of labels ---- */

/* "(" labels ")"; the token is "(". */
static bool label_list(struct slg_logql_parser *p, size_t *ret_count,
                       const struct slg_logql_str **ret_labels)
{
    struct slg_logql_list list = { 0 };
    const char *expecting = "IDENTIFIER or )";

    if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "("))
        return false;
    while (list.count > 0 || p->token.kind != SLG_LOGQL_TOKEN_CLOSE_PAREN) {
        struct slg_logql_str *label = slg_logql_parser_push(p, &list, sizeof(*label));

        if (label == NULL || !slg_logql_parser_identifier(p, expecting, label))
            return false;
        if (p->token.kind == SLG_LOGQL_TOKEN_CLOSE_PAREN)
            break;
        if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_COMMA, ", or )"))
            return false;
        expecting = "IDENTIFIER";
    }
    *ret_count = list.count;
    *ret_labels = list.items;
    return slg_logql_parser_advance(p); /* the ")" */
}

static bool at_grouping(const struct slg_logql_parser *p)
{
    return p->token.kind == SLG_LOGQL_TOKEN_BY || p->token.kind == SLG_LOGQL_TOKEN_WITHOUT;
}

/* by/without (labels); the token is the first word. */
static bool grouping(struct slg_logql_parser *p, struct slg_logql_grouping *ret)
{
    ret->present = true;
    ret->without = p->token.kind == SLG_LOGQL_TOKEN_WITHOUT;
    return slg_logql_parser_advance(p) && label_list(p, &ret->label_count, &ret->labels);
}

/* ---- range aggregations ---- */

static bool offset(struct slg_logql_parser *p, struct slg_logql_range_aggregation *range)
{
    if (p->token.kind != SLG_LOGQL_TOKEN_OFFSET)
        return true;
    if (!slg_logql_parser_advance(p))
        return false;
    range->offset_ns = p->token.duration_ns;
    return slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_DURATION, "DURATION");
}

/* RANGE and its offset. */
static bool range_and_offset(struct slg_logql_parser *p, struct slg_logql_range_aggregation *range,
                             const char *expecting)
{
    range->range_ns = p->token.duration_ns;
    return slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_RANGE, expecting) && offset(p, range);
}

/* What the grammar would have taken instead of a RANGE. */
static const char *range_or(const struct slg_logql_range_aggregation *range)
{
    return range->unwrap.present ? "RANGE or |" : NULL;
}

static bool has_stages(const struct slg_logql_range_aggregation *range)
{
    return range->log.stage_count > 0 || range->unwrap.present;
}

/* Loki takes the range at the end, after the selector, and after a log query in parentheses:
 *   {..} stages unwrap [5m] offset 1h      {..} [5m] offset 1h stages unwrap
 *   ({..} stages unwrap) [5m] offset 1h    ({..}) [5m] offset 1h unwrap        (any of these) */
static bool log_range(struct slg_logql_parser *p, struct slg_logql_range_aggregation *range,
                      const char *expecting, unsigned depth)
{
    bool in_paren = p->token.kind == SLG_LOGQL_TOKEN_OPEN_PAREN;

    if (depth >= SLG_LOGQL_DEPTH_MAX)
        return too_deep(p);
    if (in_paren) {
        if (!slg_logql_parser_advance(p))
            return false;
        expecting = "{ or (";
        if (p->token.kind == SLG_LOGQL_TOKEN_OPEN_PAREN)
            return log_range(p, range, expecting, depth + 1) &&
                   slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")");
    }
    if (p->token.kind != SLG_LOGQL_TOKEN_OPEN_BRACE)
        return slg_logql_parser_unexpected(p, expecting);
    if (!slg_logql_parser_selector(p, &range->log) ||
        !slg_logql_parser_stages(p, &range->log, &range->unwrap))
        return false;
    if (in_paren && p->token.kind == SLG_LOGQL_TOKEN_CLOSE_PAREN) {
        if (!slg_logql_parser_advance(p) || !range_and_offset(p, range, "RANGE"))
            return false;
        return has_stages(range) || p->token.kind != SLG_LOGQL_TOKEN_PIPE ||
               slg_logql_parser_unwrap(p, &range->unwrap);
    }
    if (!range_and_offset(p, range, range_or(range)))
        return false;
    if (!has_stages(range) && !slg_logql_parser_stages(p, &range->log, &range->unwrap))
        return false;
    return !in_paren || slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")");
}

static const struct {
    bool unwrap, bare, grouping;
} range_rules[] = {
#define X(name, keyword, unwrap, bare, grouping) { unwrap, bare, grouping },
    SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
};

/* Loki's RangeAggregationExpr.validate. */
static void check_range(struct slg_logql_parser *p, const struct slg_logql_range_aggregation *range,
                        size_t start)
{
    const char *op = slg_logql_range_op_text(range->op);

    if (range->grouping.present && !range_rules[range->op].grouping)
        slg_logql_parser_late(p, start, "grouping not allowed for %s aggregation", op);
    else if (range->unwrap.present && !range_rules[range->op].unwrap)
        slg_logql_parser_late(p, start, "invalid aggregation %s with unwrap", op);
    else if (!range->unwrap.present && !range_rules[range->op].bare)
        slg_logql_parser_late(p, start, "invalid aggregation %s without unwrap", op);
}

static const struct slg_logql_expr *range_aggregation(struct slg_logql_parser *p)
{
    size_t start = p->token.offset;
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_RANGE_AGGREGATION, p->token.pos);
    struct slg_logql_range_aggregation *range = node == NULL ? NULL : &node->range;
    struct slg_logql_token parameter;

    if (node == NULL)
        return NULL;
    range->op = (enum slg_logql_range_op)p->token.op;
    if (!slg_logql_parser_advance(p) ||
        !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "("))
        return NULL;
    parameter = p->token;
    if (parameter.kind == SLG_LOGQL_TOKEN_NUMBER) {
        if (!number(p, "NUMBER", "invalid parameter for operation quantile_over_time",
                    &range->parameter) ||
            !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_COMMA, ",") ||
            !log_range(p, range, "{ or (", 0))
            return NULL;
    } else if (!log_range(p, range, "NUMBER or { or (", 0)) {
        return NULL;
    }
    if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")"))
        return NULL;
    if (at_grouping(p) && !grouping(p, &range->grouping))
        return NULL;
    check_range(p, range, start);
    if (parameter.kind == SLG_LOGQL_TOKEN_NUMBER && range->op != SLG_LOGQL_RANGE_QUANTILE)
        slg_logql_parser_late(p, start, "parameter %.*s not supported for operation %s",
                              parameter.text.len > 64 ? 64 : (int)parameter.text.len,
                              parameter.text.ptr, slg_logql_range_op_text(range->op));
    else if (parameter.kind != SLG_LOGQL_TOKEN_NUMBER && range->op == SLG_LOGQL_RANGE_QUANTILE)
        slg_logql_parser_late(p, start, "parameter required for operation quantile_over_time");
    return node;
}

/* ---- vector aggregations ---- */

static const struct slg_logql_expr *metric(struct slg_logql_parser *p, unsigned depth);
static const struct slg_logql_expr *metric_after(struct slg_logql_parser *p,
                                                 const struct slg_logql_expr *lhs, size_t start,
                                                 unsigned depth);

/* strconv.Atoi of an unsigned NUMBER. */
static bool parse_k(struct slg_logql_str text, int64_t *ret)
{
    int64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.ptr[i] - '0', &value))
            return false;
    }
    *ret = value;
    return text.len > 0;
}

static bool takes_k(enum slg_logql_vector_op op)
{
    static const bool rules[] = {
#define X(name, keyword, k) k,
        SLG_LOGQL_VECTOR_OP_LIST(X)
#undef X
    };

    return rules[op];
}

/* Loki's mustNewVectorAggregationExpr and its check of sort. k is the token before the comma or of kind END. */
static void check_vector(struct slg_logql_parser *p, struct slg_logql_vector_aggregation *vector,
                         const struct slg_logql_token *k, size_t start)
{
    const char *op = slg_logql_vector_op_text(vector->op);
    int len = k->text.len > 64 ? 64 : (int)k->text.len;

    if (!takes_k(vector->op)) {
        if (k->kind == SLG_LOGQL_TOKEN_NUMBER)
            slg_logql_parser_late(p, start, "unsupported parameter for operation %s(%.*s,", op, len,
                                  k->text.ptr);
        else if (vector->grouping.label_count > 0 &&
                 (vector->op == SLG_LOGQL_VECTOR_SORT || vector->op == SLG_LOGQL_VECTOR_SORT_DESC))
            slg_logql_parser_late(p, start, "sort and sort_desc doesn't allow grouping by ");
    } else if (k->kind != SLG_LOGQL_TOKEN_NUMBER) {
        slg_logql_parser_late(p, start, "parameter required for operation %s", op);
    } else if (!parse_k(k->text, &vector->k)) {
        slg_logql_parser_late(p, start, "invalid parameter %s(%.*s,", op, len, k->text.ptr);
    } else if (vector->k <= 0) {
        slg_logql_parser_late(p, start, "invalid parameter (must be greater than 0) %s(%.*s", op,
                              len, k->text.ptr);
    } else if (vector->op == SLG_LOGQL_VECTOR_APPROX_TOPK && vector->grouping.present) {
        slg_logql_parser_late(p, start, "grouping not allowed for %s aggregation", op);
    }
    /* `by ()` is what nothing means. */
    if (!vector->grouping.without && vector->grouping.label_count == 0)
        vector->grouping.present = false;
}

/* [NUMBER ","] metric; *ret_k is of kind END without a number. A NUMBER that no comma follows begins the metric. */
static const struct slg_logql_expr *vector_arguments(struct slg_logql_parser *p,
                                                     struct slg_logql_token *ret_k, unsigned depth)
{
    struct slg_logql_token first = p->token;
    struct slg_logql_expr *literal;

    *ret_k = (struct slg_logql_token){ .kind = SLG_LOGQL_TOKEN_END };
    if (first.kind != SLG_LOGQL_TOKEN_NUMBER)
        return metric(p, depth);
    if (!slg_logql_parser_advance(p))
        return NULL;
    if (p->token.kind == SLG_LOGQL_TOKEN_COMMA) {
        *ret_k = first;
        return slg_logql_parser_advance(p) ? metric(p, depth) : NULL;
    }
    literal = make_node(p, SLG_LOGQL_EXPR_LITERAL, first.pos);
    if (literal == NULL)
        return NULL;
    if (slg_logql_parse_float(first.text, &literal->number) != SLG_OK)
        number_is_late(p, &first, slg_logql_parse_float(first.text, &literal->number),
                       "unable to parse literal as a float");
    return metric_after(p, literal, first.offset, depth);
}

static const struct slg_logql_expr *vector_aggregation(struct slg_logql_parser *p, unsigned depth)
{
    size_t start = p->token.offset;
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_VECTOR_AGGREGATION, p->token.pos);
    struct slg_logql_vector_aggregation *vector = node == NULL ? NULL : &node->vector;
    struct slg_logql_token k;

    if (node == NULL)
        return NULL;
    vector->op = (enum slg_logql_vector_op)p->token.op;
    if (!slg_logql_parser_advance(p) || (at_grouping(p) && !grouping(p, &vector->grouping)) ||
        !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "("))
        return NULL;
    vector->inner = vector_arguments(p, &k, depth + 1);
    if (vector->inner == NULL || !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, NULL))
        return NULL;
    if (!vector->grouping.present && at_grouping(p) && !grouping(p, &vector->grouping))
        return NULL;
    check_vector(p, vector, &k, start);
    return set_height(p, node, vector->inner, NULL) ? node : NULL;
}

/* ---- label_replace and vector ---- */

static bool check_replace_regex(struct slg_logql_parser *p, struct slg_logql_str regex,
                                size_t start)
{
    char *anchored = slg_arena_printf(p->arena, "^(?:%.*s)$", (int)regex.len, regex.ptr);
    struct slg_logql_regex_shape shape;
    struct slg_error reason;

    if (anchored == NULL)
        return slg_logql_parser_no_room(p);
    if (slg_logql_regex_inspect((struct slg_logql_str){ anchored, strlen(anchored) }, &shape,
                                &reason) != SLG_OK)
        slg_logql_parser_late(p, start, "invalid regex in label_replace: %s", reason.message);
    return true;
}

static const struct slg_logql_expr *label_replace(struct slg_logql_parser *p, unsigned depth)
{
    size_t start = p->token.offset;
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_LABEL_REPLACE, p->token.pos);
    struct slg_logql_str *parts[4];

    if (node == NULL || !slg_logql_parser_advance(p) ||
        !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "("))
        return NULL;
    node->label_replace.inner = metric(p, depth + 1);
    if (node->label_replace.inner == NULL)
        return NULL;
    parts[0] = &node->label_replace.dst;
    parts[1] = &node->label_replace.replacement;
    parts[2] = &node->label_replace.src;
    parts[3] = &node->label_replace.regex;
    for (size_t i = 0; i < SLG_ARRAY_LEN(parts); i++) {
        if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_COMMA, i == 0 ? NULL : ",") ||
            !slg_logql_parser_string(p, "STRING", parts[i]))
            return NULL;
    }
    if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")") ||
        !check_replace_regex(p, node->label_replace.regex, start) ||
        !set_height(p, node, node->label_replace.inner, NULL))
        return NULL;
    return node;
}

static const struct slg_logql_expr *vector_literal(struct slg_logql_parser *p)
{
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_VECTOR, p->token.pos);

    if (node == NULL || !slg_logql_parser_advance(p) ||
        !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "(") ||
        !number(p, "NUMBER", "unable to parse vectorExpr as a float", &node->number) ||
        !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")"))
        return NULL;
    return node;
}

/* ---- binary operators ---- */

/* The operator that the token is; false if it is none. */
static bool binary_op_of(enum slg_logql_token_kind kind, enum slg_logql_binary_op *ret)
{
    static const struct {
        enum slg_logql_token_kind kind;
        enum slg_logql_binary_op op;
    } table[] = {
        { SLG_LOGQL_TOKEN_OR, SLG_LOGQL_BINARY_OR },
        { SLG_LOGQL_TOKEN_AND, SLG_LOGQL_BINARY_AND },
        { SLG_LOGQL_TOKEN_UNLESS, SLG_LOGQL_BINARY_UNLESS },
        { SLG_LOGQL_TOKEN_CMP_EQ, SLG_LOGQL_BINARY_EQ },
        { SLG_LOGQL_TOKEN_NEQ, SLG_LOGQL_BINARY_NEQ },
        { SLG_LOGQL_TOKEN_GT, SLG_LOGQL_BINARY_GT },
        { SLG_LOGQL_TOKEN_GTE, SLG_LOGQL_BINARY_GTE },
        { SLG_LOGQL_TOKEN_LT, SLG_LOGQL_BINARY_LT },
        { SLG_LOGQL_TOKEN_LTE, SLG_LOGQL_BINARY_LTE },
        { SLG_LOGQL_TOKEN_ADD, SLG_LOGQL_BINARY_ADD },
        { SLG_LOGQL_TOKEN_SUB, SLG_LOGQL_BINARY_SUB },
        { SLG_LOGQL_TOKEN_MUL, SLG_LOGQL_BINARY_MUL },
        { SLG_LOGQL_TOKEN_DIV, SLG_LOGQL_BINARY_DIV },
        { SLG_LOGQL_TOKEN_MOD, SLG_LOGQL_BINARY_MOD },
        { SLG_LOGQL_TOKEN_POW, SLG_LOGQL_BINARY_POW },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(table); i++) {
        if (table[i].kind == kind) {
            *ret = table[i].op;
            return true;
        }
    }
    return false;
}

/* [bool] [on|ignoring (labels) [group_left|group_right [(labels)]]] */
static bool modifier(struct slg_logql_parser *p, struct slg_logql_binary *binary)
{
    if (p->token.kind == SLG_LOGQL_TOKEN_BOOL) {
        binary->is_bool = true;
        if (!slg_logql_parser_advance(p))
            return false;
    }
    if (p->token.kind != SLG_LOGQL_TOKEN_ON && p->token.kind != SLG_LOGQL_TOKEN_IGNORING)
        return true;
    binary->on = p->token.kind == SLG_LOGQL_TOKEN_ON;
    if (!slg_logql_parser_advance(p) || !label_list(p, &binary->label_count, &binary->labels))
        return false;
    if (p->token.kind != SLG_LOGQL_TOKEN_GROUP_LEFT && p->token.kind != SLG_LOGQL_TOKEN_GROUP_RIGHT)
        return true;
    binary->cardinality =
        p->token.kind == SLG_LOGQL_TOKEN_GROUP_LEFT ? SLG_LOGQL_MANY_TO_ONE : SLG_LOGQL_ONE_TO_MANY;
    if (!slg_logql_parser_advance(p))
        return false;
    return p->token.kind != SLG_LOGQL_TOKEN_OPEN_PAREN ||
           label_list(p, &binary->include_count, &binary->includes);
}

/* Loki's mustNewBinOpExpr; true if both are literals and so fold. */
static bool check_binary(struct slg_logql_parser *p, const struct slg_logql_binary *binary,
                         size_t start)
{
    const struct slg_logql_expr *sides[] = { binary->lhs, binary->rhs };
    static const char *const names[] = { "left", "right" };
    const char *op = slg_logql_binary_op_text(binary->op);

    for (size_t i = 0; i < 2; i++) {
        if (sides[i]->kind == SLG_LOGQL_EXPR_LOG) {
            slg_logql_parser_late(p, start,
                                  "unexpected type for %s leg of binary operation (%s): %s",
                                  names[i], op, type_of(sides[i]));
            return false;
        }
    }
    for (size_t i = 0; i < 2 && slg_logql_binary_op_is_set(binary->op); i++) {
        if (sides[i]->kind == SLG_LOGQL_EXPR_LITERAL) {
            slg_logql_parser_late(
                p, start, "unexpected literal for %s leg of logical/set binary operation (%s): %f",
                names[i], op, sides[i]->number);
            return false;
        }
    }
    return binary->lhs->kind == SLG_LOGQL_EXPR_LITERAL &&
           binary->rhs->kind == SLG_LOGQL_EXPR_LITERAL;
}

static const struct slg_logql_expr *operand(struct slg_logql_parser *p, unsigned depth);

/* lhs, whose text began at start, and the operators behind it that bind at least as tight as precedence_min. */
static const struct slg_logql_expr *binary_after(struct slg_logql_parser *p,
                                                 const struct slg_logql_expr *lhs, size_t start,
                                                 unsigned precedence_min, unsigned depth)
{
    enum slg_logql_binary_op op;

    while (lhs != NULL && binary_op_of(p->token.kind, &op) &&
           slg_logql_binary_op_precedence(op) >= precedence_min) {
        struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_BINARY, lhs->pos);
        unsigned rhs_min = op == SLG_LOGQL_BINARY_POW ? slg_logql_binary_op_precedence(op)
                                                      : slg_logql_binary_op_precedence(op) + 1;
        size_t rhs_start;

        if (depth >= SLG_LOGQL_DEPTH_MAX) {
            (void)too_deep(p);
            return NULL;
        }
        if (node == NULL || !slg_logql_parser_advance(p) || !modifier(p, &node->binary))
            return NULL;
        node->binary.op = op;
        node->binary.lhs = lhs;
        rhs_start = p->token.offset;
        node->binary.rhs = binary_after(p, operand(p, depth + 1), rhs_start, rhs_min, depth + 1);
        if (node->binary.rhs == NULL || !set_height(p, node, lhs, node->binary.rhs))
            return NULL;
        if (check_binary(p, &node->binary, start)) {
            double folded = slg_logql_fold(op, lhs->number, node->binary.rhs->number);

            node->kind = SLG_LOGQL_EXPR_LITERAL;
            node->height = 1;
            node->number = folded;
        }
        lhs = node;
    }
    return lhs;
}

static const struct slg_logql_expr *any(struct slg_logql_parser *p, unsigned depth)
{
    size_t start = p->token.offset;

    return binary_after(p, operand(p, depth), start, 0, depth);
}

/* Where the grammar wants a metric: a log query alone is a syntax error at what follows it. */
static const struct slg_logql_expr *check_metric(struct slg_logql_parser *p,
                                                 const struct slg_logql_expr *expr)
{
    if (expr != NULL && expr->kind == SLG_LOGQL_EXPR_LOG) {
        (void)slg_logql_parser_unexpected(p, NULL);
        return NULL;
    }
    return expr;
}

static const struct slg_logql_expr *metric(struct slg_logql_parser *p, unsigned depth)
{
    return check_metric(p, any(p, depth));
}

static const struct slg_logql_expr *metric_after(struct slg_logql_parser *p,
                                                 const struct slg_logql_expr *lhs, size_t start,
                                                 unsigned depth)
{
    return check_metric(p, binary_after(p, lhs, start, 0, depth));
}

/* ---- operands ---- */

static const struct slg_logql_expr *log_query(struct slg_logql_parser *p)
{
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_LOG, p->token.pos);

    if (node == NULL || !slg_logql_parser_selector(p, &node->log) ||
        !slg_logql_parser_stages(p, &node->log, NULL))
        return NULL;
    return node;
}

static const struct slg_logql_expr *literal(struct slg_logql_parser *p)
{
    struct slg_logql_expr *node = make_node(p, SLG_LOGQL_EXPR_LITERAL, p->token.pos);

    if (node == NULL || !slg_logql_parser_literal(p, &node->number))
        return NULL;
    return node;
}

/* variants(...) of (...), which newer Lokis have behind a switch. */
static bool is_variants(const struct slg_logql_parser *p)
{
    return p->token.kind == SLG_LOGQL_TOKEN_IDENTIFIER &&
           slg_logql_str_is(p->token.text, "variants");
}

static const struct slg_logql_expr *operand(struct slg_logql_parser *p, unsigned depth)
{
    const struct slg_logql_expr *inner;

    if (depth >= SLG_LOGQL_DEPTH_MAX) {
        (void)too_deep(p);
        return NULL;
    }
    if (p->token.kind == SLG_LOGQL_TOKEN_OPEN_BRACE)
        return log_query(p);
    if (p->token.kind == SLG_LOGQL_TOKEN_RANGE_OP)
        return range_aggregation(p);
    if (p->token.kind == SLG_LOGQL_TOKEN_VECTOR_OP)
        return vector_aggregation(p, depth);
    if (p->token.kind == SLG_LOGQL_TOKEN_LABEL_REPLACE)
        return label_replace(p, depth);
    if (p->token.kind == SLG_LOGQL_TOKEN_VECTOR)
        return vector_literal(p);
    if (p->token.kind == SLG_LOGQL_TOKEN_NUMBER || p->token.kind == SLG_LOGQL_TOKEN_ADD ||
        p->token.kind == SLG_LOGQL_TOKEN_SUB)
        return literal(p);
    if (p->token.kind == SLG_LOGQL_TOKEN_OPEN_PAREN) {
        if (!slg_logql_parser_advance(p))
            return NULL;
        inner = any(p, depth + 1);
        if (inner == NULL || !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, NULL))
            return NULL;
        return inner;
    }
    if (is_variants(p))
        (void)slg_logql_parser_fail(p, SLG_UNSUPPORTED, "variants is not supported by Silage");
    else
        (void)slg_logql_parser_unexpected(p, NULL);
    return NULL;
}

/* ---- the whole ---- */

static enum slg_status finish(struct slg_logql_parser *p, const struct slg_logql_expr *expr,
                              struct slg_error *reterr)
{
    if (expr != NULL && p->token.kind != SLG_LOGQL_TOKEN_END) {
        (void)slg_logql_parser_unexpected(p, NULL);
        expr = NULL;
    }
    if (expr != NULL && p->has_late) {
        p->error = p->late;
        expr = NULL;
    }
    if (expr != NULL)
        return SLG_OK;
    SLG_ASSERT(p->error.status != SLG_OK);
    if (reterr != NULL)
        *reterr = p->error;
    return p->error.status;
}

static enum slg_status parse(struct slg_arena *arena, const char *text, size_t len,
                             bool allow_empty, const struct slg_logql_expr **ret_expr,
                             struct slg_error *reterr)
{
    struct slg_logql_parser p = { .arena = arena, .allow_empty_selector = allow_empty };
    const struct slg_logql_expr *expr = NULL;
    enum slg_status status;
    char *copy;

    if (len >= SLG_LOGQL_TEXT_BYTES_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "parse error : input size too long (%zu > %zu)", len,
                          SLG_LOGQL_TEXT_BYTES_MAX);
    copy = slg_arena_copy(arena, text, len);
    if (copy == NULL)
        (void)slg_logql_parser_no_room(&p);
    else if (slg_logql_lexer_init(&p.lexer, (struct slg_logql_str){ copy, len }, &p.error) ==
                 SLG_OK &&
             slg_logql_parser_advance(&p))
        expr = any(&p, 0);
    status = finish(&p, expr, reterr);
    if (status == SLG_OK)
        *ret_expr = expr;
    return status;
}

enum slg_status slg_logql_parse(struct slg_arena *arena, const char *text, size_t len,
                                const struct slg_logql_expr **ret_expr, struct slg_error *reterr)
{
    return parse(arena, text, len, /* allow_empty= */ false, ret_expr, reterr);
}

enum slg_status slg_logql_parse_selector(struct slg_arena *arena, const char *text, size_t len,
                                         bool allow_empty, const struct slg_logql_log **ret_log,
                                         struct slg_error *reterr)
{
    const struct slg_logql_expr *expr = NULL;
    enum slg_status status = parse(arena, text, len, allow_empty, &expr, reterr);

    if (status != SLG_OK)
        return status;
    if (expr->kind != SLG_LOGQL_EXPR_LOG || expr->log.stage_count > 0)
        return slg_errorf(reterr, SLG_INVALID, "only label matchers are supported");
    *ret_log = &expr->log;
    return SLG_OK;
}
