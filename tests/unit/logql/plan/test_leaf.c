/* Leaves are what Loki evaluates beside the data: log queries, range aggregations, and sums whose grouping it injects.
 * Oracle: Loki's canInjectVectorGrouping, row by row. */
#include "tests/helper/vector.h"

#include "logql/plan/leaf.h"

static const struct leaf_case {
    const char *name, *query;
    enum slg_leaf_kind kind; /* 0: no leaf */
    bool is_injected;
    int label_count; /* of the grouping; -1: all labels */
} cases[] = {
    { "log", "{a=\"b\"} |= \"x\"", SLG_LEAF_LOG, false, -1 },
    { "count", "count_over_time({a=\"b\"}[1m])", SLG_LEAF_PARTIAL, false, -1 },
    { "quantile", "quantile_over_time(0.5, {a=\"b\"} | unwrap v [1m]) by (x)", SLG_LEAF_SAMPLES,
      false, 1 },
    { "rate_counter", "rate_counter({a=\"b\"} | unwrap v [1m])", SLG_LEAF_SAMPLES, false, -1 },
    { "without nothing keeps all", "max_over_time({a=\"b\"} | unwrap v [1m]) without ()",
      SLG_LEAF_PARTIAL, false, -1 },
    { "by nothing", "max_over_time({a=\"b\"} | unwrap v [1m]) by ()", SLG_LEAF_PARTIAL, false, 0 },
    { "sum", "sum(count_over_time({a=\"b\"}[1m]))", SLG_LEAF_PARTIAL, true, 0 },
    { "sum by", "sum by (x, y) (rate({a=\"b\"}[1m]))", SLG_LEAF_PARTIAL, true, 2 },
    { "sum without", "sum without (x) (bytes_rate({a=\"b\"}[1m]))", SLG_LEAF_PARTIAL, true, 1 },
    { "sum of sums", "sum by (x) (sum_over_time({a=\"b\"} | unwrap v [1m]))", SLG_LEAF_PARTIAL,
      true, 1 },
    { "sum of maxima", "sum(max_over_time({a=\"b\"} | unwrap v [1m]))", 0, false, 0 },
    { "sum of a grouped range", "sum(avg_over_time({a=\"b\"} | unwrap v [1m]) by (x))", 0, false,
      0 },
    { "max of counts", "max(count_over_time({a=\"b\"}[1m]))", 0, false, 0 },
    { "sum of a sum", "sum(sum(count_over_time({a=\"b\"}[1m])))", 0, false, 0 },
    { "vector", "vector(1)", 0, false, 0 },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct leaf_case *c = &cases[i];
        struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
        struct slg_leaf_shape shape;
        bool is_leaf = slg_leaf_shape_of(test_expr(arena, c->query), &shape);

        CHECK(c->name, is_leaf == (c->kind != 0));
        if (is_leaf) {
            CHECK(c->name, shape.kind == c->kind);
            CHECK(c->name, shape.is_injected == c->is_injected);
            CHECK(c->name, (shape.grouping == NULL ? -1 : (int)shape.grouping->label_count) ==
                               c->label_count);
        }
        slg_arena_destroy(arena);
    }
}

static void test_range_of_data(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_leaf_shape shape;
    struct slg_windows w;
    int64_t from, to;

    (void)state;
    assert_true(slg_leaf_shape_of(test_expr(arena, "{a=\"b\"}"), &shape));
    slg_leaf_range(&shape, &w, 100, 200, &from, &to);
    assert_int_equal(from, 100);
    assert_int_equal(to, 200);
    slg_leaf_range(&shape, &w, 100, 100, &from, &to); /* that one instant */
    assert_int_equal(from, 100);
    assert_int_equal(to, 101);
    assert_true(
        slg_leaf_shape_of(test_expr(arena, "count_over_time({a=\"b\"}[1s] offset 2s)"), &shape));
    assert_true(
        slg_leaf_windows(&shape, INT64_C(10000000000), INT64_C(20000000000), 1000000000, &w));
    slg_leaf_range(&shape, &w, 0, 0, &from, &to);
    assert_int_equal(from, INT64_C(7000000001)); /* (start - offset - range, end - offset] */
    assert_int_equal(to, INT64_C(18000000001));
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_range_of_data),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
