#include "logql/syntax/walk.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "logql/syntax/regex_shape.h"

static bool same_text(struct slg_logql_str a, struct slg_logql_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slg_logql_str_is(struct slg_logql_str a, const char *text)
{
    return same_text(a, (struct slg_logql_str){ text, strlen(text) });
}

/* ---- equality ---- */

static bool strs_equal(const struct slg_logql_str *a, size_t a_count, const struct slg_logql_str *b,
                       size_t b_count)
{
    if (a_count != b_count)
        return false;
    for (size_t i = 0; i < a_count; i++) {
        if (!same_text(a[i], b[i]))
            return false;
    }
    return true;
}

/* Bit for bit, but all NaN alike. */
static bool numbers_equal(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    /* 0 and -0 differ. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool matchers_equal(const struct slg_logql_matcher *a, const struct slg_logql_matcher *b)
{
    return a->op == b->op && same_text(a->name, b->name) && same_text(a->value, b->value);
}

static bool same_label_filter(const struct slg_logql_label_filter *a,
                              const struct slg_logql_label_filter *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SLG_LOGQL_LABEL_AND:
    case SLG_LOGQL_LABEL_OR:
        return same_label_filter(a->left, b->left) && same_label_filter(a->right, b->right);
    case SLG_LOGQL_LABEL_STRING:
        return a->match_op == b->match_op && same_text(a->name, b->name) &&
               same_text(a->text, b->text);
    case SLG_LOGQL_LABEL_NUMBER:
        if (!numbers_equal(a->number, b->number))
            return false;
        break;
    case SLG_LOGQL_LABEL_DURATION:
        if (a->duration_ns != b->duration_ns)
            return false;
        break;
    case SLG_LOGQL_LABEL_BYTES:
        if (a->bytes != b->bytes)
            return false;
        break;
    case SLG_LOGQL_LABEL_IP:
        if (!same_text(a->text, b->text))
            return false;
        break;
    }
    return a->compare_op == b->compare_op && same_text(a->name, b->name);
}

static bool line_filters_equal(const struct slg_logql_line_filter *a,
                               const struct slg_logql_line_filter *b)
{
    if (a->op != b->op || a->operand_count != b->operand_count)
        return false;
    for (size_t i = 0; i < a->operand_count; i++) {
        if (a->operands[i].is_ip != b->operands[i].is_ip ||
            !same_text(a->operands[i].text, b->operands[i].text))
            return false;
    }
    return true;
}

static bool extractions_equal(const struct slg_logql_stage *a, const struct slg_logql_stage *b)
{
    if (a->extraction_count != b->extraction_count || a->strict != b->strict ||
        a->keep_empty != b->keep_empty)
        return false;
    for (size_t i = 0; i < a->extraction_count; i++) {
        if (!same_text(a->extractions[i].label, b->extractions[i].label) ||
            !same_text(a->extractions[i].path, b->extractions[i].path))
            return false;
    }
    return true;
}

static bool formats_equal(const struct slg_logql_stage *a, const struct slg_logql_stage *b)
{
    if (a->format_count != b->format_count)
        return false;
    for (size_t i = 0; i < a->format_count; i++) {
        if (a->formats[i].is_rename != b->formats[i].is_rename ||
            !same_text(a->formats[i].dst, b->formats[i].dst) ||
            !same_text(a->formats[i].src, b->formats[i].src))
            return false;
    }
    return true;
}

static bool named_equal(const struct slg_logql_stage *a, const struct slg_logql_stage *b)
{
    if (a->named_count != b->named_count)
        return false;
    for (size_t i = 0; i < a->named_count; i++) {
        const struct slg_logql_named *x = &a->named[i];
        const struct slg_logql_named *y = &b->named[i];

        if (x->has_matcher != y->has_matcher || !same_text(x->matcher.name, y->matcher.name) ||
            (x->has_matcher && !matchers_equal(&x->matcher, &y->matcher)))
            return false;
    }
    return true;
}

static bool stages_equal(const struct slg_logql_stage *a, const struct slg_logql_stage *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        return line_filters_equal(&a->line_filter, &b->line_filter);
    case SLG_LOGQL_STAGE_JSON:
    case SLG_LOGQL_STAGE_LOGFMT:
        return extractions_equal(a, b);
    case SLG_LOGQL_STAGE_REGEXP:
    case SLG_LOGQL_STAGE_PATTERN:
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        return same_text(a->text, b->text);
    case SLG_LOGQL_STAGE_UNPACK:
    case SLG_LOGQL_STAGE_DECOLORIZE:
        return true;
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        return same_label_filter(a->label_filter, b->label_filter);
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        return formats_equal(a, b);
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        return named_equal(a, b);
    }
    slg_assert_fail("a known stage", __FILE__, __LINE__);
}

static bool same_log(const struct slg_logql_log *a, const struct slg_logql_log *b)
{
    if (a->matcher_count != b->matcher_count || a->stage_count != b->stage_count)
        return false;
    for (size_t i = 0; i < a->matcher_count; i++) {
        if (!matchers_equal(&a->matchers[i], &b->matchers[i]))
            return false;
    }
    for (size_t i = 0; i < a->stage_count; i++) {
        if (!stages_equal(&a->stages[i], &b->stages[i]))
            return false;
    }
    return true;
}

static bool groupings_equal(const struct slg_logql_grouping *a, const struct slg_logql_grouping *b)
{
    return a->present == b->present &&
           (!a->present || (a->without == b->without &&
                            strs_equal(a->labels, a->label_count, b->labels, b->label_count)));
}

static bool unwraps_equal(const struct slg_logql_unwrap *a, const struct slg_logql_unwrap *b)
{
    if (a->present != b->present)
        return false;
    if (!a->present)
        return true;
    if (a->conversion != b->conversion || !same_text(a->label, b->label) ||
        a->post_filter_count != b->post_filter_count)
        return false;
    for (size_t i = 0; i < a->post_filter_count; i++) {
        if (!same_label_filter(a->post_filters[i], b->post_filters[i]))
            return false;
    }
    return true;
}

static bool ranges_equal(const struct slg_logql_range_aggregation *a,
                         const struct slg_logql_range_aggregation *b)
{
    return a->op == b->op && a->range_ns == b->range_ns && a->offset_ns == b->offset_ns &&
           numbers_equal(a->parameter, b->parameter) &&
           groupings_equal(&a->grouping, &b->grouping) && unwraps_equal(&a->unwrap, &b->unwrap) &&
           same_log(&a->log, &b->log);
}

static bool binaries_equal(const struct slg_logql_binary *a, const struct slg_logql_binary *b)
{
    return a->op == b->op && a->is_bool == b->is_bool && a->on == b->on &&
           a->cardinality == b->cardinality &&
           strs_equal(a->labels, a->label_count, b->labels, b->label_count) &&
           strs_equal(a->includes, a->include_count, b->includes, b->include_count) &&
           slg_logql_equal(a->lhs, b->lhs) && slg_logql_equal(a->rhs, b->rhs);
}

bool slg_logql_equal(const struct slg_logql_expr *a, const struct slg_logql_expr *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SLG_LOGQL_EXPR_LOG:
        return same_log(&a->log, &b->log);
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        return ranges_equal(&a->range, &b->range);
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        return a->vector.op == b->vector.op && a->vector.k == b->vector.k &&
               groupings_equal(&a->vector.grouping, &b->vector.grouping) &&
               slg_logql_equal(a->vector.inner, b->vector.inner);
    case SLG_LOGQL_EXPR_BINARY:
        return binaries_equal(&a->binary, &b->binary);
    case SLG_LOGQL_EXPR_LITERAL:
    case SLG_LOGQL_EXPR_VECTOR:
        return numbers_equal(a->number, b->number);
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        return same_text(a->label_replace.dst, b->label_replace.dst) &&
               same_text(a->label_replace.replacement, b->label_replace.replacement) &&
               same_text(a->label_replace.src, b->label_replace.src) &&
               same_text(a->label_replace.regex, b->label_replace.regex) &&
               slg_logql_equal(a->label_replace.inner, b->label_replace.inner);
    }
    slg_assert_fail("a known expression", __FILE__, __LINE__);
}

/* ---- log queries of a tree ---- */

bool slg_logql_each_log(const struct slg_logql_expr *expr, slg_logql_visit_log *visit, void *user)
{
    switch (expr->kind) {
    case SLG_LOGQL_EXPR_LOG:
        return visit(user, &expr->log, NULL);
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        return visit(user, &expr->range.log, &expr->range);
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        return slg_logql_each_log(expr->vector.inner, visit, user);
    case SLG_LOGQL_EXPR_BINARY:
        return slg_logql_each_log(expr->binary.lhs, visit, user) &&
               slg_logql_each_log(expr->binary.rhs, visit, user);
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        return slg_logql_each_log(expr->label_replace.inner, visit, user);
    case SLG_LOGQL_EXPR_LITERAL:
    case SLG_LOGQL_EXPR_VECTOR:
        return true;
    }
    slg_assert_fail("a known expression", __FILE__, __LINE__);
}

/* ---- matchers ---- */

bool slg_logql_matcher_accepts_empty(const struct slg_logql_matcher *matcher)
{
    struct slg_logql_regex_shape shape;

    switch (matcher->op) {
    case SLG_LOGQL_MATCH_EQ:
        return matcher->value.len == 0;
    case SLG_LOGQL_MATCH_NEQ:
        return matcher->value.len > 0;
    case SLG_LOGQL_MATCH_RE:
    case SLG_LOGQL_MATCH_NRE:
        if (slg_logql_regex_inspect(matcher->value, &shape, NULL) != SLG_OK)
            return false; /* refused elsewhere */
        return shape.accepts_empty == (matcher->op == SLG_LOGQL_MATCH_RE);
    }
    slg_assert_fail("a known matcher", __FILE__, __LINE__);
}
