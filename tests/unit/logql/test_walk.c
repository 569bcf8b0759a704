/* Questions about a tree. Oracle: worked by hand. Equality is tested in test_parse.c. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/walk.h"

static const struct {
    const char *name, *query;
    bool is_log;
    size_t log_count;
    int64_t before_s, after_s;
} cases[] = {
    { "log query", "{a=\"b\"} | json", true, 1, 0, 0 },
    { "range", "rate({a=\"b\"}[5m])", false, 1, 300, 0 },
    { "offset", "sum(rate({a=\"b\"}[5m] offset 1h))", false, 1, 3900, 0 },
    { "into the future", "rate({a=\"b\"}[5m] offset -1h)", false, 1, 0, 3600 },
    { "a little into the future", "rate({a=\"b\"}[5m] offset -1m)", false, 1, 240, 60 },
    { "two",
      "rate({a=\"b\"}[5m]) / label_replace(rate({c=\"d\"}[1h] offset -1s),\"e\",\"f\",\"g\",\"h\")",
      false, 2, 3599, 1 },
    { "none", "vector(1) + 1", false, 0, 0, 0 },
};

static bool count(void *user, const struct slg_logql_log *log,
                  const struct slg_logql_range_aggregation *range)
{
    (void)range;
    (*(size_t *)user) += log->matcher_count;
    return true;
}

static void test_walk(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct slg_logql_expr *expr;
        int64_t before_ns;
        int64_t after_ns;
        size_t log_count = 0;

        CHECK(cases[i].name, slg_logql_parse(arena, cases[i].query, strlen(cases[i].query), &expr,
                                             NULL) == SLG_OK);
        slg_logql_reach(expr, &before_ns, &after_ns);
        CHECK(cases[i].name, slg_logql_is_log_query(expr) == cases[i].is_log);
        CHECK(cases[i].name, before_ns == cases[i].before_s * 1000000000);
        CHECK(cases[i].name, after_ns == cases[i].after_s * 1000000000);
        CHECK(cases[i].name, slg_logql_each_log(expr, count, &log_count));
        CHECK(cases[i].name, log_count == cases[i].log_count);
        CHECK(cases[i].name, (slg_logql_only_log(expr) != NULL) == (log_count == 1));
    }
    slg_arena_destroy(arena);
}

/* Sums that do not fit saturate. */
static void test_reach_saturates(void **state)
{
    struct slg_logql_expr expr = { .kind = SLG_LOGQL_EXPR_RANGE_AGGREGATION, .height = 1 };
    int64_t before_ns;
    int64_t after_ns;

    (void)state;
    expr.range.range_ns = INT64_MAX;
    expr.range.offset_ns = INT64_MAX;
    slg_logql_reach(&expr, &before_ns, &after_ns);
    assert_int_equal(before_ns, INT64_MAX);
    assert_int_equal(after_ns, 0);
    expr.range.offset_ns = INT64_MIN;
    slg_logql_reach(&expr, &before_ns, &after_ns);
    assert_int_equal(before_ns, 0);
    assert_int_equal(after_ns, INT64_MAX);
}

static void test_accepts_empty(void **state)
{
    static const struct {
        enum slg_logql_match_op op;
        const char *value;
        bool want;
    } rows[] = {
        { SLG_LOGQL_MATCH_EQ, "", true },     { SLG_LOGQL_MATCH_EQ, "x", false },
        { SLG_LOGQL_MATCH_NEQ, "", false },   { SLG_LOGQL_MATCH_NEQ, "x", true },
        { SLG_LOGQL_MATCH_RE, "x*", true },   { SLG_LOGQL_MATCH_RE, "x+", false },
        { SLG_LOGQL_MATCH_NRE, "x*", false }, { SLG_LOGQL_MATCH_NRE, "x+", true },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct slg_logql_matcher matcher = {
            .op = rows[i].op, .value = { rows[i].value, strlen(rows[i].value) }
        };

        CHECK(rows[i].value, slg_logql_matcher_accepts_empty(&matcher) == rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_reach_saturates),
        cmocka_unit_test(test_accepts_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
