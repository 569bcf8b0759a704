/* parse(print(q)) = q for random trees over the whole grammar, and printing is stable.
 * The seed is printed on failure; run one again with SILAGE_SEED=n. Oracle: the tree itself. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "logql/syntax/walk.h"

#ifdef SLG_SANITIZED
#define CASE_COUNT 3000
#else
#define CASE_COUNT 20000
#endif

static uint64_t random_state;
static struct slg_arena *arena;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = (random_state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static unsigned below(unsigned bound)
{
    return (unsigned)(next_random() % bound);
}

static bool coin(void)
{
    return below(2) == 0;
}

static void *make(size_t count, size_t size)
{
    void *items = slg_arena_calloc(arena, count, size);

    assert_non_null(items);
    return items;
}

static struct slg_logql_str str_of(const char *text)
{
    return (struct slg_logql_str){ text, strlen(text) };
}

static struct slg_logql_str random_name(void)
{
    static const char *const names[] = { "a",
                                         "level",
                                         "__error__",
                                         "rate",
                                         "sum",
                                         "bytes",
                                         "duration",
                                         "ip",
                                         "x1",
                                         "xml",
                                         "count",
                                         "vector",
                                         "\xC3\xA9t\xC3\xA9" };

    return str_of(names[below(SLG_ARRAY_LEN(names))]);
}

/* Any bytes. */
static struct slg_logql_str random_text(void)
{
    size_t len = below(8);
    char *text = make(len + 1, 1);

    for (size_t i = 0; i < len; i++)
        text[i] = coin() ? (char)next_random() : "\"\\`\n\t#/*{}|a0 "[below(14)];
    return (struct slg_logql_str){ text, len };
}

static struct slg_logql_str random_regex(void)
{
    static const char *const texts[] = { "a.+", "(?i)b|c", "\\d{3}", "[^x]y", "\\.$", "\"z\\\\" };

    return str_of(texts[below(SLG_ARRAY_LEN(texts))]);
}

static double random_number(void)
{
    static const double numbers[] = { 0, 1, 0.1, 1e21, 1e-7, 123456789.125, 1e300, 5e-324, 0.99 };
    double value = numbers[below(SLG_ARRAY_LEN(numbers))];
    uint64_t bits = next_random() & (UINT64_MAX >> 1);

    if (coin())
        return value;
    memcpy(&value, &bits, sizeof(value));
    return value < 1e308 ? value : 7; /* no NaN, no infinity */
}

static int64_t random_duration(void)
{
    static const int64_t units[] = { 1, 1000, 1000000, 1000000000, INT64_C(3600000000000) };
    int64_t value = (int64_t)below(100000) * units[below(SLG_ARRAY_LEN(units))];

    return below(20) == 0 ? (coin() ? INT64_MIN : INT64_MAX) : coin() ? value : -value;
}

static struct slg_logql_matcher random_matcher(void)
{
    struct slg_logql_matcher matcher = { .op = (enum slg_logql_match_op)below(4),
                                         .name = random_name() };
    bool is_regex = matcher.op == SLG_LOGQL_MATCH_RE || matcher.op == SLG_LOGQL_MATCH_NRE;

    matcher.value = is_regex ? random_regex() : random_text();
    return matcher;
}

static const struct slg_logql_label_filter *random_filter(unsigned depth)
{
    struct slg_logql_label_filter *filter = make(1, sizeof(*filter));
    struct slg_logql_matcher matcher = random_matcher();

    filter->kind = (enum slg_logql_label_filter_kind)(depth == 0 ? 2 + below(5) : below(7));
    filter->height = 1;
    filter->name = matcher.name;
    filter->compare_op = (enum slg_logql_compare_op)below(6);
    switch (filter->kind) {
    case SLG_LOGQL_LABEL_AND:
    case SLG_LOGQL_LABEL_OR:
        filter->left = random_filter(depth - 1);
        filter->right = random_filter(depth - 1);
        filter->height =
            (uint16_t)(1 + (filter->left->height > filter->right->height ? filter->left->height
                                                                         : filter->right->height));
        break;
    case SLG_LOGQL_LABEL_STRING:
        filter->match_op = matcher.op;
        filter->text = matcher.value;
        break;
    case SLG_LOGQL_LABEL_NUMBER:
        filter->number = coin() ? random_number() : 0 - random_number();
        filter->number += 0.0;
        break;
    case SLG_LOGQL_LABEL_DURATION:
        filter->duration_ns = random_duration();
        break;
    case SLG_LOGQL_LABEL_BYTES:
        filter->bytes = (next_random() >> 11) << below(11); /* what a double holds */
        break;
    case SLG_LOGQL_LABEL_IP:
        filter->compare_op = (enum slg_logql_compare_op)below(2);
        filter->text = random_text();
        break;
    }
    return filter;
}

static void random_line_filter(struct slg_logql_line_filter *filter)
{
    struct slg_logql_line_operand *operands;

    filter->op = (enum slg_logql_line_op)below(6);
    filter->operand_count = slg_logql_line_op_is_negated(filter->op) ? 1 : 1 + below(3);
    operands = make(filter->operand_count, sizeof(*operands));
    for (size_t i = 0; i < filter->operand_count; i++) {
        operands[i].is_ip = below(4) == 0;
        operands[i].text = random_text();
    }
    filter->operands = operands;
}

static void random_lists(struct slg_logql_stage *stage)
{
    struct slg_logql_extraction *extractions = make(3, sizeof(*extractions));
    struct slg_logql_format *formats = make(3, sizeof(*formats));
    struct slg_logql_named *named = make(3, sizeof(*named));

    for (size_t i = 0; i < 3; i++) {
        extractions[i] =
            (struct slg_logql_extraction){ .label = random_name(), .path = random_text() };
        formats[i].is_rename = coin();
        formats[i].dst = random_name();
        formats[i].src = formats[i].is_rename ? random_name() : random_text();
        named[i].has_matcher = coin();
        named[i].matcher = random_matcher();
    }
    if (stage->kind == SLG_LOGQL_STAGE_JSON || stage->kind == SLG_LOGQL_STAGE_LOGFMT) {
        stage->extraction_count = below(4);
        stage->extractions = extractions;
    } else if (stage->kind == SLG_LOGQL_STAGE_LABEL_FORMAT) {
        stage->format_count = 1 + below(3);
        stage->formats = formats;
    } else if (stage->kind == SLG_LOGQL_STAGE_DROP || stage->kind == SLG_LOGQL_STAGE_KEEP) {
        stage->named_count = 1 + below(3);
        /* A bare name at the end would swallow a != filter behind it (print.h). */
        named[stage->named_count - 1].has_matcher = true;
        stage->named = named;
    }
}

static void random_stage(struct slg_logql_stage *stage)
{
    stage->kind = (enum slg_logql_stage_kind)below(12);
    if (stage->kind == SLG_LOGQL_STAGE_LINE_FILTER)
        random_line_filter(&stage->line_filter);
    else if (stage->kind == SLG_LOGQL_STAGE_REGEXP)
        stage->text = str_of("(?P<a>\\w+)\n");
    else if (stage->kind == SLG_LOGQL_STAGE_PATTERN)
        stage->text = str_of("<_> \"<a>\" <");
    else if (stage->kind == SLG_LOGQL_STAGE_LABEL_FILTER)
        stage->label_filter = random_filter(below(4));
    else if (stage->kind == SLG_LOGQL_STAGE_LINE_FORMAT)
        stage->text = random_text();
    else if (stage->kind == SLG_LOGQL_STAGE_LOGFMT) {
        stage->strict = coin();
        stage->keep_empty = coin();
    }
    random_lists(stage);
}

static struct slg_logql_log random_log(void)
{
    struct slg_logql_log log = { .matcher_count = 1 + below(3), .stage_count = below(5) };
    struct slg_logql_matcher *matchers = make(log.matcher_count, sizeof(*matchers));
    struct slg_logql_stage *stages = make(log.stage_count, sizeof(*stages));

    for (size_t i = 0; i < log.matcher_count; i++)
        matchers[i] = random_matcher();
    matchers[0] = (struct slg_logql_matcher){ .name = str_of("app"), .value = str_of("x") };
    for (size_t i = 0; i < log.stage_count; i++)
        random_stage(&stages[i]);
    log.matchers = matchers;
    log.stages = stages;
    return log;
}

static struct slg_logql_str *random_labels(size_t count)
{
    struct slg_logql_str *labels = make(count, sizeof(*labels));

    for (size_t i = 0; i < count; i++)
        labels[i] = random_name();
    return labels;
}

static struct slg_logql_grouping random_grouping(void)
{
    struct slg_logql_grouping grouping = { .present = coin() };

    if (!grouping.present)
        return grouping;
    grouping.without = coin();
    grouping.label_count = below(3);
    grouping.labels = random_labels(grouping.label_count);
    return grouping;
}

static void random_range(struct slg_logql_range_aggregation *range)
{
    static const struct {
        bool unwrap, bare, grouping;
    } rules[] = {
#define X(name, keyword, unwrap, bare, grouping) { unwrap, bare, grouping },
        SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
    };
    const struct slg_logql_label_filter **filters = make(2, sizeof(*filters));

    range->op = (enum slg_logql_range_op)below(SLG_ARRAY_LEN(rules));
    range->log = random_log();
    range->range_ns = (int64_t)below(1000000) * (coin() ? 1000000 : 1000000000);
    range->offset_ns = coin() ? 0 : random_duration();
    range->unwrap.present = rules[range->op].unwrap && (!rules[range->op].bare || coin());
    if (range->unwrap.present) {
        range->unwrap.conversion = (enum slg_logql_conversion)below(4);
        range->unwrap.label = random_name();
        range->unwrap.post_filter_count = below(3);
        filters[0] = random_filter(2);
        filters[1] = random_filter(0);
        range->unwrap.post_filters = filters;
    }
    if (rules[range->op].grouping)
        range->grouping = random_grouping();
    if (range->op == SLG_LOGQL_RANGE_QUANTILE)
        range->parameter = random_number();
}

static const struct slg_logql_expr *random_metric(unsigned depth);

static void random_vector(struct slg_logql_vector_aggregation *vector, unsigned depth)
{
    vector->op = (enum slg_logql_vector_op)below(12);
    vector->inner = random_metric(depth - 1);
    vector->grouping = random_grouping();
    if (!vector->grouping.without && vector->grouping.label_count == 0)
        vector->grouping.present = false;
    if (vector->op == SLG_LOGQL_VECTOR_SORT || vector->op == SLG_LOGQL_VECTOR_SORT_DESC ||
        vector->op == SLG_LOGQL_VECTOR_APPROX_TOPK)
        vector->grouping = (struct slg_logql_grouping){ .present = false };
    if (vector->op == SLG_LOGQL_VECTOR_TOPK || vector->op == SLG_LOGQL_VECTOR_BOTTOMK ||
        vector->op == SLG_LOGQL_VECTOR_APPROX_TOPK)
        vector->k = coin() ? INT64_MAX : 1 + below(9);
}

static void random_binary(struct slg_logql_binary *binary, unsigned depth)
{
    binary->op = (enum slg_logql_binary_op)below(15);
    binary->is_bool = below(4) == 0;
    binary->lhs = random_metric(depth - 1);
    binary->rhs = random_metric(depth - 1);
    if (coin())
        return;
    binary->on = coin();
    binary->label_count = below(3);
    binary->labels = random_labels(2);
    binary->cardinality = (enum slg_logql_cardinality)below(3);
    if (binary->cardinality != SLG_LOGQL_ONE_TO_ONE) {
        binary->include_count = below(3);
        binary->includes = random_labels(2);
    }
}

static double random_literal(void)
{
    switch (below(12)) {
    case 0:
        return slg_logql_fold(SLG_LOGQL_BINARY_DIV, 0, 0);
    case 1:
        return slg_logql_fold(SLG_LOGQL_BINARY_MUL, 1e308, coin() ? 10 : -10);
    case 2:
        return slg_logql_fold(SLG_LOGQL_BINARY_MUL, 0, -1);
    default:
        return coin() ? random_number() : 0 - random_number();
    }
}

static bool is_literal(const struct slg_logql_expr *expr)
{
    return expr->kind == SLG_LOGQL_EXPR_LITERAL;
}

static const struct slg_logql_expr *random_metric(unsigned depth)
{
    static const enum slg_logql_expr_kind leaves[] = { SLG_LOGQL_EXPR_RANGE_AGGREGATION,
                                                       SLG_LOGQL_EXPR_LITERAL,
                                                       SLG_LOGQL_EXPR_VECTOR };
    static const enum slg_logql_expr_kind inner[] = { SLG_LOGQL_EXPR_VECTOR_AGGREGATION,
                                                      SLG_LOGQL_EXPR_BINARY,
                                                      SLG_LOGQL_EXPR_LABEL_REPLACE };
    struct slg_logql_expr *expr = make(1, sizeof(*expr));

    expr->height = (uint16_t)(depth + 1); /* not compared */
    expr->kind = depth == 0 || below(4) == 0 ? leaves[below(3)] : inner[below(3)];
    switch (expr->kind) {
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        random_range(&expr->range);
        break;
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        random_vector(&expr->vector, depth);
        break;
    case SLG_LOGQL_EXPR_BINARY:
        random_binary(&expr->binary, depth);
        /* What cannot be a tree: literals in set operations, two literals. */
        if (is_literal(expr->binary.lhs) &&
            (slg_logql_binary_op_is_set(expr->binary.op) || is_literal(expr->binary.rhs)))
            return random_metric(0);
        if (is_literal(expr->binary.rhs) && slg_logql_binary_op_is_set(expr->binary.op))
            return random_metric(0);
        break;
    case SLG_LOGQL_EXPR_LITERAL:
        expr->number = random_literal();
        break;
    case SLG_LOGQL_EXPR_VECTOR:
        expr->number = random_number();
        break;
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        expr->label_replace.inner = random_metric(depth - 1);
        expr->label_replace.dst = random_text();
        expr->label_replace.replacement = random_text();
        expr->label_replace.src = random_text();
        expr->label_replace.regex = random_regex();
        break;
    case SLG_LOGQL_EXPR_LOG:
        break;
    }
    return expr;
}

static const struct slg_logql_expr *random_query(void)
{
    struct slg_logql_expr *expr;

    if (below(3) > 0)
        return random_metric(below(6));
    expr = make(1, sizeof(*expr));
    expr->kind = SLG_LOGQL_EXPR_LOG;
    expr->height = 1;
    expr->log = random_log();
    return expr;
}

/* NULL, or what is wrong with it. */
static const char *check(const struct slg_logql_expr *expr, struct slg_buf *text,
                         struct slg_error *error)
{
    const struct slg_logql_expr *again;
    struct slg_buf second;
    bool stable;

    slg_logql_print(text, expr);
    if (slg_buf_failed(text))
        return "the text is too long";
    if (slg_logql_parse(arena, (const char *)text->data, text->len, &again, error) != SLG_OK)
        return "the text does not parse";
    if (!slg_logql_equal(expr, again))
        return "the tree changed";
    slg_buf_init(&second, SLG_LOGQL_TEXT_BYTES_MAX);
    slg_logql_print(&second, again);
    stable = second.len == text->len && memcmp(second.data, text->data, text->len) == 0;
    slg_buf_fini(&second);
    return stable ? NULL : "the text changed";
}

static void test_round_trip(void **state)
{
    const char *given = getenv("SILAGE_SEED");
    uint64_t first = given == NULL ? 1 : strtoull(given, NULL, 10);
    uint64_t last = given == NULL ? CASE_COUNT : first;

    (void)state;
    arena = slg_arena_create((size_t)16 << 20);
    assert_non_null(arena);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct slg_buf text;
        struct slg_error error = { 0 };
        const char *wrong;

        random_state = seed;
        slg_buf_init(&text, SLG_LOGQL_TEXT_BYTES_MAX - 1);
        wrong = check(random_query(), &text, &error);
        if (wrong != NULL) {
            print_error("seed %llu: %s (%s)\n%.*s\n", (unsigned long long)seed, wrong,
                        error.message, (int)text.len, (const char *)text.data);
            fail();
        }
        slg_buf_fini(&text);
        slg_arena_reset(arena);
    }
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
