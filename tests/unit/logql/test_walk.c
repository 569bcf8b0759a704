/* Questions about a tree. Oracle: worked by hand. Equality is tested in test_parse.c. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/walk.h"

static const struct {
    const char *name, *query;
    size_t log_count;
} cases[] = {
    { "log query", "{a=\"b\"} | json", 1 },
    { "range", "sum(rate({a=\"b\"}[5m] offset 1h))", 1 },
    { "two",
      "rate({a=\"b\"}[5m]) / label_replace(rate({c=\"d\"}[1h] offset -1s),\"e\",\"f\",\"g\",\"h\")",
      2 },
    { "none", "vector(1) + 1", 0 },
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
        size_t log_count = 0;

        CHECK(cases[i].name, slg_logql_parse(arena, cases[i].query, strlen(cases[i].query), &expr,
                                             NULL) == SLG_OK);
        CHECK(cases[i].name, slg_logql_each_log(expr, count, &log_count));
        CHECK(cases[i].name, log_count == cases[i].log_count);
    }
    slg_arena_destroy(arena);
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
        cmocka_unit_test(test_accepts_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
