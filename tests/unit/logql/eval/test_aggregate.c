/* Vector aggregations group and fold as Loki's do.
 * Oracle: answers worked out by hand from Loki's VectorAggEvaluator. */
#include "tests/helper/vector.h"

#include "logql/eval/aggregate.h"

#define INPUT "a=1,h=x:3 a=1,h=y:5 a=2,h=x:7 a=2,h=y:1 a=3,h=x:7"

static const struct aggregate_case {
    const char *name, *query, *in, *want;
} cases[] = {
    { "sum", "sum(vector(1))", INPUT, ":23" },
    { "sum by", "sum by (a) (vector(1))", INPUT, "a=1:8 a=2:8 a=3:7" },
    { "sum without", "sum without (a) (vector(1))", INPUT, "h=x:17 h=y:6" },
    { "sum without nothing", "sum without () (vector(1))", "a=1:2 a=2:3", "a=1:2 a=2:3" },
    { "avg", "avg by (h) (vector(1))", INPUT, "h=x:5.666666666666667 h=y:3" },
    { "count", "count by (a) (vector(1))", INPUT, "a=1:2 a=2:2 a=3:1" },
    { "min", "min by (a) (vector(1))", INPUT, "a=1:3 a=2:1 a=3:7" },
    { "max", "max by (a) (vector(1))", INPUT, "a=1:5 a=2:7 a=3:7" },
    { "max replaces NaN", "max(vector(1))", "a=1:nan a=2:-5", ":-5" },
    { "stdvar", "stdvar by (a) (vector(1))", INPUT, "a=1:1 a=2:9 a=3:0" },
    { "stddev", "stddev by (a) (vector(1))", INPUT, "a=1:1 a=2:3 a=3:0" },
    { "stddev of one NaN", "stddev(vector(1))", "a=1:nan", ":0" },
    { "by a label that is not there", "sum by (nosuch) (vector(1))", INPUT, ":23" },
    { "topk", "topk(2, vector(1))", INPUT, "a=2,h=x:7 a=3,h=x:7" },
    { "topk by", "topk by (a) (1, vector(1))", INPUT, "a=1,h=y:5 a=2,h=x:7 a=3,h=x:7" },
    { "bottomk", "bottomk(2, vector(1))", INPUT, "a=2,h=y:1 a=1,h=x:3" },
    { "topk of less", "topk(9, vector(1))", "a=1:1", "a=1:1" },
    { "topk puts NaN last", "topk(2, vector(1))", "a=1:nan a=2:1 a=3:2", "a=3:2 a=2:1" },
    { "bottomk puts NaN last", "bottomk(2, vector(1))", "a=1:nan a=2:1 a=3:2", "a=2:1 a=3:2" },
    { "approx_topk is exact", "approx_topk(1, vector(1))", "a=1:1 a=2:2", "a=2:2" },
    { "sort", "sort(vector(1))", INPUT, "a=2,h=y:1 a=1,h=x:3 a=1,h=y:5 a=2,h=x:7 a=3,h=x:7" },
    { "sort_desc", "sort_desc(vector(1))", INPUT,
      "a=2,h=x:7 a=3,h=x:7 a=1,h=y:5 a=1,h=x:3 a=2,h=y:1" },
    { "nothing", "sum(vector(1))", "", "" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
        struct slg_label_pool pool;
        struct slg_aggregate *aggregate;
        struct slg_vector in, out = { 0 };

        slg_label_pool_init(&pool, arena);
        aggregate = slg_aggregate_create(arena, &pool, &test_expr(arena, cases[i].query)->vector);
        assert_non_null(aggregate);
        in = test_vector(&pool, cases[i].in);
        for (int round = 0; round < 2; round++) { /* what is remembered changes nothing */
            assert_true(slg_aggregate_step(aggregate, &in, &out));
            if (strcmp(test_vector_text(&pool, &out), cases[i].want) != 0)
                print_error("got %s\n", test_vector_text(&pool, &out));
            CHECK(cases[i].name, strcmp(test_vector_text(&pool, &out), cases[i].want) == 0);
        }
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
