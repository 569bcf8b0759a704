/* The querier's half: what is a leaf, what it asks for, how pages become answers, and what is refused in which words.
 * Oracle: Loki's recorded texts and answers worked out by hand. tests/property/test_split.c does the rest. */
#include "tests/helper/dataset.h"

#include "logql/plan/query.h"

#define SECOND INT64_C(1000000000)
#define BASE   (INT64_C(1767225600) * SECOND)

static struct slg_query_params params_of(const char *text, bool instant)
{
    return (struct slg_query_params){ .text = slg_text_of(text),
                                      .instant = instant,
                                      .start_ns = BASE,
                                      .end_ns = BASE + 60 * SECOND,
                                      .step_ns = 30 * SECOND,
                                      .limit = 100,
                                      .series_max = 3,
                                      .memory_bytes_max = (size_t)64 << 20,
                                      .leaf_memory_bytes_max = (size_t)64 << 20,
                                      .leaf_series_max = 1000,
                                      .leaf_bytes_scan_max = 1 << 30 };
}

static const struct plan_case {
    const char *name, *query;
    size_t leaf_count;
    const char *first_leaf;
} plan_cases[] = {
    { "health check", "vector(1)+vector(1)", 0, NULL },
    { "literal", "1 + 2", 0, NULL },
    { "log", "{a=\"b\"} | json", 1, "{a=\"b\"} | json" },
    { "sum goes down", "sum by (x) (rate({a=\"b\"}[1m]))", 1, "sum by (x)(rate({a=\"b\"}[1m]))" },
    { "max stays", "max by (x) (rate({a=\"b\"}[1m]))", 1, "rate({a=\"b\"}[1m])" },
    { "equal leaves are one", "rate({a=\"b\"}[1m]) / rate({a=\"b\"}[1m])", 1,
      "rate({a=\"b\"}[1m])" },
    { "offsets differ", "rate({a=\"b\"}[1m]) / rate({a=\"b\"}[1m] offset 1m)", 2,
      "rate({a=\"b\"}[1m])" },
    { "line_format that nobody reads", "sum(rate({a=\"b\"} | json | line_format \"x\" [1m]))", 1,
      "sum(rate({a=\"b\"} | json[1m]))" },
    { "line_format that is counted", "bytes_rate({a=\"b\"} | line_format \"x\" [1m])", 1,
      "bytes_rate({a=\"b\"} | line_format \"x\"[1m])" },
};

static void test_plans(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(plan_cases); i++) {
        struct slg_query_params params = params_of(plan_cases[i].query, false);
        struct slg_leaf_request leaf;
        struct slg_query *query;

        CHECK(plan_cases[i].name, slg_query_create(&params, &query, NULL) == SLG_OK);
        CHECK(plan_cases[i].name, slg_query_leaf_count(query) == plan_cases[i].leaf_count);
        if (plan_cases[i].first_leaf != NULL) {
            slg_query_leaf(query, 0, &leaf);
            if (!slg_text_equal_to(leaf.text, plan_cases[i].first_leaf))
                print_error("got %.*s\n", (int)leaf.text.len, leaf.text.at);
            CHECK(plan_cases[i].name, slg_text_equal_to(leaf.text, plan_cases[i].first_leaf));
        }
        slg_query_destroy(query);
    }
}

static const struct refused_case {
    const char *name, *query;
    bool instant;
    int64_t start, end, step, interval;
    const char *message;
} refused_cases[] = {
    { "instant log", "{a=\"b\"}", true, 0, 60, 30, 0,
      "log queries are not supported as an instant query type, please change your query to a range "
      "query type" },
    { "no step", "vector(1)", false, 0, 60, 0, 0,
      "zero or negative query resolution step widths are not accepted. Try a positive integer" },
    { "too many steps", "vector(1)", false, 0, 11001, 1, 0,
      "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of "
      "the step parameter" },
    { "end before start", "vector(1)", false, 60, 0, 1, 0,
      "end timestamp must not be before or equal to start time" },
    { "interval", "{a=\"b\"}", false, 0, 60, 1, -1, "interval must be >= 0" },
    { "literal where a vector must be", "sort(1)", true, 0, 60, 1, 0,
      "unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator) " },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(refused_cases); i++) {
        const struct refused_case *c = &refused_cases[i];
        struct slg_query_params params = params_of(c->query, c->instant);
        struct slg_query *query = NULL;
        struct slg_error error = { 0 };

        params.start_ns = BASE + c->start * SECOND;
        params.end_ns = BASE + c->end * SECOND;
        params.step_ns = c->step * SECOND;
        params.interval_ns = c->interval;
        CHECK(c->name, slg_query_create(&params, &query, &error) == SLG_INVALID);
        CHECK(c->name, query == NULL);
        CHECK(c->name, strcmp(error.message, c->message) == 0);
    }
}

static void test_health_check(void **state)
{
    struct slg_query_params params = params_of("vector(1)+vector(1)", true);
    const struct slg_result *result;
    struct slg_query *query;

    (void)state;
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    assert_int_equal(slg_query_finish(query, &result, NULL), SLG_OK);
    assert_int_equal(result->kind, SLG_RESULT_VECTOR);
    assert_int_equal(result->series_count, 1);
    assert_int_equal(result->series[0].labels.count, 0);
    assert_int_equal(result->series[0].points[0].ts_ns, BASE + 60 * SECOND);
    assert_true(result->series[0].points[0].value == 2);
    slg_query_destroy(query);
}

static void test_scalar_and_matrix(void **state)
{
    struct slg_query_params params = params_of("1 / 4", true);
    const struct slg_result *result;
    struct slg_query *query;

    (void)state;
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    assert_int_equal(slg_query_finish(query, &result, NULL), SLG_OK);
    assert_int_equal(result->kind, SLG_RESULT_SCALAR);
    assert_true(result->series[0].points[0].value == 0.25);
    slg_query_destroy(query);
    params = params_of("1 / 4", false);
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    assert_int_equal(slg_query_finish(query, &result, NULL), SLG_OK);
    assert_int_equal(result->kind, SLG_RESULT_MATRIX);
    assert_int_equal(result->series[0].point_count, 3);
    slg_query_destroy(query);
}

/* Points at every step need the memory of the points, and little more. */
static void test_a_dense_series_wastes_nothing(void **state)
{
    struct slg_query_params params = params_of("vector(1)", false);
    const size_t step_count = 10800;
    const struct slg_result *result;
    struct slg_query *query;
    size_t before;

    (void)state;
    params.end_ns = BASE + (int64_t)(step_count - 1) * SECOND;
    params.step_ns = SECOND;
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    before = slg_query_used_bytes(query);
    assert_int_equal(slg_query_finish(query, &result, NULL), SLG_OK);
    assert_int_equal(result->series[0].point_count, step_count);
    for (size_t i = 0; i < step_count; i++)
        assert_int_equal(result->series[0].points[i].ts_ns, BASE + (int64_t)i * SECOND);
    assert_in_range(slg_query_used_bytes(query) - before, step_count * sizeof(struct slg_point),
                    step_count * sizeof(struct slg_point) + 32768);
    slg_query_destroy(query);
}

static enum slg_status feed(struct slg_query *query, enum slg_page_kind kind,
                            enum slg_accumulator accumulator, unsigned series_count,
                            const char *text, struct slg_error *error)
{
    struct slg_page_writer *w = slg_page_writer_create((size_t)16 << 20);
    const struct slg_partial partial = { .a = 2, .bucket = 1 };
    enum slg_status status;
    struct slg_buf out;

    slg_buf_init(&out, (size_t)16 << 20);
    slg_page_writer_start(w, kind, accumulator);
    if (text != NULL)
        slg_page_writer_error(w, slg_text_of(text));
    for (unsigned i = 0; i < series_count; i++) {
        char value[2] = { (char)('a' + i), '\0' };
        const struct slg_label label = { slg_text_of("l"), slg_text_of(value) };
        const struct slg_label_set labels = { &label, 1 };

        slg_page_writer_series(w, &labels);
        slg_page_writer_partial(w, NULL, &partial);
    }
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    status = slg_query_feed(query, 0, out.data, out.len, error);
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    return status;
}

static void test_pages_add_up(void **state)
{
    struct slg_query_params params = params_of("count_over_time({a=\"b\"}[1m])", true);
    const struct slg_result *result;
    struct slg_query *query;

    (void)state;
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(feed(query, SLG_PAGE_PARTIAL, SLG_ACCUMULATE_COUNT, 2, NULL, NULL),
                         SLG_OK);
    assert_int_equal(slg_query_finish(query, &result, NULL), SLG_OK);
    assert_int_equal(result->series_count, 2);
    assert_true(result->series[0].points[0].value == 6);
    slg_query_destroy(query);
}

static void test_failures_of_pages(void **state)
{
    static const char *const words = "maximum number of series (3) reached for a single query";
    struct slg_query_params params = params_of("count_over_time({a=\"b\"}[1m])", true);
    struct slg_error error = { 0 };
    struct slg_query *query;
    char pipeline[700];

    (void)state;
    memset(pipeline, 'x', sizeof(pipeline));
    pipeline[sizeof(pipeline) - 1] = '\0';
    assert_int_equal(slg_query_create(&params, &query, NULL), SLG_OK);
    assert_int_equal(feed(query, SLG_PAGE_PARTIAL, SLG_ACCUMULATE_SUM, 1, NULL, &error),
                     SLG_MALFORMED);
    assert_int_equal(feed(query, SLG_PAGE_LOG, SLG_ACCUMULATE_COUNT, 0, NULL, &error),
                     SLG_MALFORMED);
    assert_int_equal(feed(query, SLG_PAGE_PARTIAL, SLG_ACCUMULATE_COUNT, 4, NULL, &error),
                     SLG_LIMIT);
    assert_memory_equal(error.message, words, strlen(words));
    assert_string_equal(slg_query_error_text(query), "");
    assert_int_equal(feed(query, SLG_PAGE_ERROR, SLG_ACCUMULATE_COUNT, 0, pipeline, &error),
                     SLG_INVALID);
    assert_string_equal(slg_query_error_text(query), pipeline); /* in full */
    slg_query_destroy(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_health_check),
        cmocka_unit_test(test_scalar_and_matrix),
        cmocka_unit_test(test_a_dense_series_wastes_nothing),
        cmocka_unit_test(test_pages_add_up),
        cmocka_unit_test(test_failures_of_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
