/* tests/property/cover.h - which operators and circumstances the random cases met, each counted once a case.
 *
 * Operators are read off the parsed tree, not off the generator's intentions. */
#ifndef SLG_TESTS_PROPERTY_COVER_H
#define SLG_TESTS_PROPERTY_COVER_H

#include "logql/syntax/ast.h"
#include "tests/helper/dataset.h"

/* Circumstances; operators follow by name. */
#define COVER_LIST(X)                                                                              \
    X(LOG, "log query")                                                                            \
    X(RANGE, "range query")                                                                        \
    X(INSTANT, "instant query")                                                                    \
    X(STEP_GAPS, "step larger than the window")                                                    \
    X(STEP_OVERLAPS, "step smaller than the window")                                               \
    X(ONE_INSTANT, "start = end")                                                                  \
    X(BOUND_ON_STAMP, "a bound exactly on an entry")                                               \
    X(LIMIT_FORWARD, "limit cuts, forward")                                                        \
    X(LIMIT_BACKWARD, "limit cuts, backward")                                                      \
    X(LIMIT_TIE, "limit cuts between equal stamps")                                                \
    X(INTERVAL, "interval")                                                                        \
    X(PAGES, "more pages than sources")                                                            \
    X(EQUAL_STAMPS, "equal stamps")                                                                \
    X(DUPLICATES, "push duplicates")                                                               \
    X(LATE, "late batches")                                                                        \
    X(MIXED_BATCHES, "batches of mixed sizes")                                                     \
    X(SLOTS, "K > 1")                                                                              \
    X(ACROSS, "a window across a border of shards")                                                \
    X(STORERS, "real storers")                                                                     \
    X(MISSING, "a replica misses batches")                                                         \
    X(OUTSIDE, "batches outside of S")                                                             \
    X(GENERATIONS, "shards of several generations")                                                \
    X(REFUSED, "refused by both")                                                                  \
    X(SELECT_EQ, "{a=}")                                                                           \
    X(SELECT_NEQ, "{a!=}")                                                                         \
    X(SELECT_RE, "{a=~}")                                                                          \
    X(SELECT_NRE, "{a!~}")                                                                         \
    X(LINE_CONTAINS, "|=")                                                                         \
    X(LINE_NOT_CONTAINS, "!=")                                                                     \
    X(LINE_RE, "|~")                                                                               \
    X(LINE_NOT_RE, "!~")                                                                           \
    X(LINE_PATTERN, "|>")                                                                          \
    X(LINE_NOT_PATTERN, "!>")                                                                      \
    X(LINE_OR, "line filter with or")                                                              \
    X(LINE_IP, "line filter with ip()")                                                            \
    X(JSON, "json")                                                                                \
    X(JSON_PATHS, "json with expressions")                                                         \
    X(LOGFMT, "logfmt")                                                                            \
    X(LOGFMT_KEYS, "logfmt with keys")                                                             \
    X(LOGFMT_STRICT, "logfmt --strict")                                                            \
    X(LOGFMT_EMPTY, "logfmt --keep-empty")                                                         \
    X(REGEXP, "regexp")                                                                            \
    X(PATTERN, "pattern")                                                                          \
    X(UNPACK, "unpack")                                                                            \
    X(LINE_FORMAT, "line_format")                                                                  \
    X(FORMAT_RENAME, "label_format rename")                                                        \
    X(FORMAT_TEMPLATE, "label_format template")                                                    \
    X(DECOLORIZE, "decolorize")                                                                    \
    X(DROP, "drop")                                                                                \
    X(DROP_MATCH, "drop with a matcher")                                                           \
    X(KEEP, "keep")                                                                                \
    X(KEEP_MATCH, "keep with a matcher")                                                           \
    X(LABEL_AND, "label filter and")                                                               \
    X(LABEL_OR, "label filter or")                                                                 \
    X(LABEL_IP_EQ, "label filter = ip()")                                                          \
    X(LABEL_IP_NEQ, "label filter != ip()")                                                        \
    X(LABEL_ERROR, "__error__ filter")                                                             \
    X(UNWRAP_FILTER, "filter after unwrap")                                                        \
    X(OFFSET, "offset")                                                                            \
    X(OFFSET_NEGATIVE, "offset < 0")                                                               \
    X(RANGE_BY, "range aggregation by")                                                            \
    X(RANGE_WITHOUT, "range aggregation without")                                                  \
    X(RANGE_BY_NONE, "range aggregation by ()")                                                    \
    X(VECTOR_BY, "aggregation by")                                                                 \
    X(VECTOR_WITHOUT, "aggregation without")                                                       \
    X(PUSHED_DOWN, "sum pushed down")                                                              \
    X(BOOL, "bool")                                                                                \
    X(ON, "on")                                                                                    \
    X(IGNORING, "ignoring")                                                                        \
    X(GROUP_LEFT, "group_left")                                                                    \
    X(GROUP_RIGHT, "group_right")                                                                  \
    X(INCLUDE, "group with labels")                                                                \
    X(LITERAL_LEFT, "number op vector")                                                            \
    X(LITERAL_RIGHT, "vector op number")                                                           \
    X(LABEL_REPLACE, "label_replace")                                                              \
    X(VECTOR, "vector()")                                                                          \
    X(LITERAL, "number alone")

enum cover {
#define X(name, text) COVER_##name,
    COVER_LIST(X)
#undef X
        COVER_STRING, /* 4 match operators */
    COVER_NUMBER = COVER_STRING + 4,
    COVER_DURATION = COVER_NUMBER + 6, /* 6 comparisons each */
    COVER_BYTES = COVER_DURATION + 6,
    COVER_CONVERSION = COVER_BYTES + 6,
    COVER_RANGE_OP = COVER_CONVERSION + 4,
    COVER_VECTOR_OP = COVER_RANGE_OP + SLG_LOGQL_RANGE_ABSENT + 1,
    COVER_BINARY_OP = COVER_VECTOR_OP + SLG_LOGQL_VECTOR_APPROX_TOPK + 1,
    COVER_COUNT = COVER_BINARY_OP + SLG_LOGQL_BINARY_POW + 1,
};

struct cover_set {
    bool met[COVER_COUNT]; /* by this case */
};
struct cover_counts {
    size_t cases[COVER_COUNT];
};

static inline void cover_meet(struct cover_set *set, bool condition, size_t what)
{
    set->met[what] = set->met[what] || condition;
}

static inline void cover_count(struct cover_counts *counts, const struct cover_set *set)
{
    for (size_t i = 0; i < COVER_COUNT; i++)
        counts->cases[i] += set->met[i];
}

/* "name" of a feature; family: the words before it. */
static inline const char *cover_name(size_t what, const char **ret_family)
{
    static const char *const plain[] = {
#define X(name, text) text,
        COVER_LIST(X)
#undef X
    };
    static const char *const matches[] = { "=", "!=", "=~", "!~" };
    static const char *const compares[] = { "=", "!=", ">", ">=", "<", "<=" };
    static const char *const conversions[] = { "label", "bytes", "duration", "duration_seconds" };
    static const char *const ranges[] = {
#define X(name, keyword, unwrap, bare, grouping) keyword,
        SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
    };
    static const char *const vectors[] = {
#define X(name, keyword, takes_k) keyword,
        SLG_LOGQL_VECTOR_OP_LIST(X)
#undef X
    };
    static const char *const binaries[] = {
#define X(name, text, precedence) text,
        SLG_LOGQL_BINARY_OP_LIST(X)
#undef X
    };
    const struct family {
        size_t first;
        const char *name;
        const char *const *names;
    } families[] = { { COVER_BINARY_OP, "", binaries },
                     { COVER_VECTOR_OP, "", vectors },
                     { COVER_RANGE_OP, "", ranges },
                     { COVER_CONVERSION, "unwrap ", conversions },
                     { COVER_BYTES, "label filter, bytes ", compares },
                     { COVER_DURATION, "label filter, duration ", compares },
                     { COVER_NUMBER, "label filter, number ", compares },
                     { COVER_STRING, "label filter, text ", matches },
                     { 0, "", plain } };
    size_t i = 0;

    while (what < families[i].first)
        i++;
    *ret_family = families[i].name;
    return families[i].names[what - families[i].first];
}

/* ---- reading a tree ---- */

static inline void cover_label_filter(struct cover_set *set,
                                      const struct slg_logql_label_filter *filter)
{
    cover_meet(set,
               filter->kind >= SLG_LOGQL_LABEL_STRING && filter->name.len == 9 &&
                   memcmp(filter->name.ptr, "__error__", 9) == 0,
               COVER_LABEL_ERROR);
    switch (filter->kind) {
    case SLG_LOGQL_LABEL_AND:
    case SLG_LOGQL_LABEL_OR:
        cover_meet(set, true,
                   filter->kind == SLG_LOGQL_LABEL_AND ? COVER_LABEL_AND : COVER_LABEL_OR);
        cover_label_filter(set, filter->left);
        cover_label_filter(set, filter->right);
        break;
    case SLG_LOGQL_LABEL_STRING:
        cover_meet(set, true, COVER_STRING + (size_t)filter->match_op);
        break;
    case SLG_LOGQL_LABEL_NUMBER:
        cover_meet(set, true, COVER_NUMBER + (size_t)filter->compare_op);
        break;
    case SLG_LOGQL_LABEL_DURATION:
        cover_meet(set, true, COVER_DURATION + (size_t)filter->compare_op);
        break;
    case SLG_LOGQL_LABEL_BYTES:
        cover_meet(set, true, COVER_BYTES + (size_t)filter->compare_op);
        break;
    case SLG_LOGQL_LABEL_IP:
        cover_meet(set, true,
                   filter->compare_op == SLG_LOGQL_COMPARE_EQ ? COVER_LABEL_IP_EQ
                                                              : COVER_LABEL_IP_NEQ);
        break;
    }
}

static inline void cover_lists(struct cover_set *set, const struct slg_logql_stage *stage)
{
    for (size_t i = 0; i < stage->format_count; i++)
        cover_meet(set, true,
                   stage->formats[i].is_rename ? COVER_FORMAT_RENAME : COVER_FORMAT_TEMPLATE);
    for (size_t i = 0; i < stage->named_count; i++) {
        if (stage->kind == SLG_LOGQL_STAGE_DROP)
            cover_meet(set, true, stage->named[i].has_matcher ? COVER_DROP_MATCH : COVER_DROP);
        else
            cover_meet(set, true, stage->named[i].has_matcher ? COVER_KEEP_MATCH : COVER_KEEP);
    }
    for (size_t i = 0; i < stage->line_filter.operand_count; i++)
        cover_meet(set, stage->line_filter.operands[i].is_ip, COVER_LINE_IP);
}

static inline void cover_stage(struct cover_set *set, const struct slg_logql_stage *stage)
{
    cover_lists(set, stage);
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        cover_meet(set, true, COVER_LINE_CONTAINS + (size_t)stage->line_filter.op);
        cover_meet(set, stage->line_filter.operand_count > 1, COVER_LINE_OR);
        break;
    case SLG_LOGQL_STAGE_JSON:
        cover_meet(set, true, stage->extraction_count > 0 ? COVER_JSON_PATHS : COVER_JSON);
        break;
    case SLG_LOGQL_STAGE_LOGFMT:
        cover_meet(set, true, stage->extraction_count > 0 ? COVER_LOGFMT_KEYS : COVER_LOGFMT);
        cover_meet(set, stage->strict, COVER_LOGFMT_STRICT);
        cover_meet(set, stage->keep_empty, COVER_LOGFMT_EMPTY);
        break;
    case SLG_LOGQL_STAGE_REGEXP:
        cover_meet(set, true, COVER_REGEXP);
        break;
    case SLG_LOGQL_STAGE_PATTERN:
        cover_meet(set, true, COVER_PATTERN);
        break;
    case SLG_LOGQL_STAGE_UNPACK:
        cover_meet(set, true, COVER_UNPACK);
        break;
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        cover_label_filter(set, stage->label_filter);
        break;
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        cover_meet(set, true, COVER_LINE_FORMAT);
        break;
    case SLG_LOGQL_STAGE_DECOLORIZE:
        cover_meet(set, true, COVER_DECOLORIZE);
        break;
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        break;
    }
}

static inline void cover_log(struct cover_set *set, const struct slg_logql_log *log)
{
    for (size_t i = 0; i < log->matcher_count; i++)
        cover_meet(set, true, COVER_SELECT_EQ + (size_t)log->matchers[i].op);
    for (size_t i = 0; i < log->stage_count; i++)
        cover_stage(set, &log->stages[i]);
}

static inline void cover_range(struct cover_set *set,
                               const struct slg_logql_range_aggregation *range, int64_t step_ns)
{
    cover_log(set, &range->log);
    cover_meet(set, true, COVER_RANGE_OP + (size_t)range->op);
    cover_meet(set, range->offset_ns > 0, COVER_OFFSET);
    cover_meet(set, range->offset_ns < 0, COVER_OFFSET_NEGATIVE);
    cover_meet(set, step_ns > range->range_ns, COVER_STEP_GAPS);
    cover_meet(set, step_ns > 0 && step_ns < range->range_ns, COVER_STEP_OVERLAPS);
    cover_meet(set, range->grouping.present && range->grouping.without, COVER_RANGE_WITHOUT);
    cover_meet(set, range->grouping.present && range->grouping.label_count == 0,
               COVER_RANGE_BY_NONE);
    cover_meet(set, range->grouping.present && !range->grouping.without, COVER_RANGE_BY);
    if (!range->unwrap.present)
        return;
    cover_meet(set, true, COVER_CONVERSION + (size_t)range->unwrap.conversion);
    for (size_t i = 0; i < range->unwrap.post_filter_count; i++) {
        cover_meet(set, true, COVER_UNWRAP_FILTER);
        cover_label_filter(set, range->unwrap.post_filters[i]);
    }
}

static inline void cover_binary(struct cover_set *set, const struct slg_logql_binary *b)
{
    cover_meet(set, true, COVER_BINARY_OP + (size_t)b->op);
    cover_meet(set, b->is_bool, COVER_BOOL);
    cover_meet(set, b->on, COVER_ON);
    cover_meet(set, !b->on && b->label_count > 0, COVER_IGNORING);
    cover_meet(set, b->cardinality == SLG_LOGQL_MANY_TO_ONE, COVER_GROUP_LEFT);
    cover_meet(set, b->cardinality == SLG_LOGQL_ONE_TO_MANY, COVER_GROUP_RIGHT);
    cover_meet(set, b->include_count > 0, COVER_INCLUDE);
    cover_meet(set, b->lhs->kind == SLG_LOGQL_EXPR_LITERAL, COVER_LITERAL_LEFT);
    cover_meet(set, b->rhs->kind == SLG_LOGQL_EXPR_LITERAL, COVER_LITERAL_RIGHT);
}

/* Recursion is bounded by the height of a parsed tree. step_ns: 0 for one evaluation. */
static inline void cover_expr(struct cover_set *set, const struct slg_logql_expr *e,
                              int64_t step_ns)
{
    switch (e->kind) {
    case SLG_LOGQL_EXPR_LOG:
        cover_log(set, &e->log);
        break;
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        cover_range(set, &e->range, step_ns);
        break;
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        cover_meet(set, true, COVER_VECTOR_OP + (size_t)e->vector.op);
        cover_meet(set, e->vector.grouping.present && !e->vector.grouping.without, COVER_VECTOR_BY);
        cover_meet(set, e->vector.grouping.present && e->vector.grouping.without,
                   COVER_VECTOR_WITHOUT);
        cover_meet(set,
                   e->vector.op == SLG_LOGQL_VECTOR_SUM &&
                       e->vector.inner->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION,
                   COVER_PUSHED_DOWN);
        cover_expr(set, e->vector.inner, step_ns);
        break;
    case SLG_LOGQL_EXPR_BINARY:
        cover_binary(set, &e->binary);
        cover_expr(set, e->binary.lhs, step_ns);
        cover_expr(set, e->binary.rhs, step_ns);
        break;
    case SLG_LOGQL_EXPR_LITERAL:
        break; /* alone: the caller's */
    case SLG_LOGQL_EXPR_VECTOR:
        cover_meet(set, true, COVER_VECTOR);
        break;
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        cover_meet(set, true, COVER_LABEL_REPLACE);
        cover_expr(set, e->label_replace.inner, step_ns);
        break;
    }
}

#endif
