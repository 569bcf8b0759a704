/* Binary operations match, filter and fail as Loki's do.
 * Oracle: answers worked out by hand from Loki's BinOpStepEvaluator and MergeBinOp. */
#include "tests/helper/vector.h"

#include "logql/eval/binary.h"

#define MANY_TO_ONE                                                                                \
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
#define MANY_TO_MANY(side)                                                                         \
    "found duplicate series on the " side " hand-side;many-to-many matching not allowed: "         \
    "matching labels must be unique on one side"

static const struct binary_case {
    const char *name, *query, *lhs, *rhs, *want;
    const char *error;
} cases[] = {
    { "add", "vector(1) + vector(1)", "a=1:3 a=2:4", "a=1:10 a=3:1", "a=1:13", NULL },
    { "divide by zero", "vector(1) / vector(1)", ":3", ":0", ":NaN", NULL },
    { "filter keeps the left value", "vector(1) > vector(1)", "a=1:3 a=2:4", "a=1:1 a=2:9", "a=1:3",
      NULL },
    { "bool", "vector(1) > bool vector(1)", "a=1:3 a=2:4", "a=1:1 a=2:9", "a=1:1 a=2:0", NULL },
    { "on", "vector(1) * on (a) vector(1)", "a=1,h=x:3", "a=1,k=9:2", "a=1:6", NULL },
    { "ignoring", "vector(1) - ignoring (h) vector(1)", "a=1,h=x:3", "a=1,h=y:2", "a=1:1", NULL },
    { "on nothing", "vector(1) - on () vector(1)", "a=1:3", "b=1:2", ":1", NULL },
    { "group_left", "vector(1) * on (a) group_left () vector(1)", "a=1,h=x:3 a=1,h=y:4", "a=1:2",
      "a=1,h=x:6 a=1,h=y:8", NULL },
    { "group_left takes labels", "vector(1) * on (a) group_left (k) vector(1)", "a=1,h=x,k=old:3",
      "a=1,k=new:2", "a=1,h=x,k=new:6", NULL },
    { "group_left drops labels", "vector(1) * on (a) group_left (k) vector(1)", "a=1,h=x,k=old:3",
      "a=1:2", "a=1,h=x:6", NULL },
    { "group_right", "vector(1) - on (a) group_right () vector(1)", "a=1:10", "a=1,h=x:3 a=1,h=y:4",
      "a=1,h=x:7 a=1,h=y:6", NULL },
    { "group_right filters", "vector(1) > on (a) group_right () vector(1)", "a=1:3.5",
      "a=1,h=x:3 a=1,h=y:4", "a=1,h=x:3.5", NULL },
    { "many to one", "vector(1) + on (a) vector(1)", "a=1,h=x:3 a=1,h=y:4", "a=1:2", NULL,
      MANY_TO_ONE },
    { "many to many", "vector(1) + on (a) vector(1)", "a=1:3", "a=1,h=x:2 a=1,h=y:2", NULL,
      MANY_TO_MANY("right") },
    { "many to many, left", "vector(1) + on (a) group_right () vector(1)", "a=1,h=x:2 a=1,h=y:2",
      "a=1:3", NULL, MANY_TO_MANY("left") },
    { "grouping must be unique", "vector(1) + on (a) group_left (h) vector(1)",
      "a=1,h=x:3 a=1,h=y:4", "a=1,h=z:2", NULL,
      "multiple matches for labels: grouping labels must ensure unique matches" },
    { "duplicates that match nothing", "vector(1) + on (a) vector(1)", "a=9,h=x:3 a=9,h=y:4",
      "a=1:2", "", NULL },
    { "and", "vector(1) and vector(1)", "a=1:3 a=2:4", "a=2:0 a=3:0", "a=2:4", NULL },
    { "and on", "vector(1) and on (a) vector(1)", "a=1,h=x:3 a=1,h=y:4 a=2:1", "a=1:0 a=1,k=1:0",
      "a=1,h=x:3 a=1,h=y:4", NULL },
    { "or", "vector(1) or vector(1)", "a=1:3", "a=1:9 a=3:5", "a=1:3 a=3:5", NULL },
    { "or on", "vector(1) or on (a) vector(1)", "a=1,h=x:3", "a=1,h=y:9 a=2,h=y:1",
      "a=1,h=x:3 a=2,h=y:1", NULL },
    { "or with nothing", "vector(1) or vector(1)", "", "a=3:5", "a=3:5", NULL },
    { "unless", "vector(1) unless vector(1)", "a=1:3 a=2:4", "a=2:0", "a=1:3", NULL },
    { "unless nothing", "vector(1) unless vector(1)", "a=1:3", "", "a=1:3", NULL },
};

static void check_case(const struct binary_case *c)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_pool pool;
    struct slg_binary *binary;
    struct slg_vector lhs, rhs, out = { 0 };

    slg_label_pool_init(&pool, arena);
    binary = slg_binary_create(arena, &pool, &test_expr(arena, c->query)->binary);
    assert_non_null(binary);
    lhs = test_vector(&pool, c->lhs);
    rhs = test_vector(&pool, c->rhs);
    for (int round = 0; round < 2; round++) { /* what is remembered changes nothing */
        struct slg_error error = { 0 };
        enum slg_status status = slg_binary_step(binary, &lhs, &rhs, &out, &error);

        CHECK(c->name, status == (c->error == NULL ? SLG_OK : SLG_INVALID));
        if (c->error != NULL)
            CHECK(c->name, strcmp(error.message, c->error) == 0);
        else
            CHECK(c->name, strcmp(test_vector_text(&pool, &out), c->want) == 0);
    }
    slg_arena_destroy(arena);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++)
        check_case(&cases[i]);
}

static const struct literal_case {
    const char *name, *query;
    bool literal_is_left;
    const char *want;
} literal_cases[] = {
    { "right", "vector(1) - 2", false, "a=1:1 a=2:2" },
    { "left", "2 - vector(1)", true, "a=1:-1 a=2:-2" },
    { "filter", "vector(1) > 2", false, "a=1:3 a=2:4" },
    { "filter keeps the vector's value", "2 < vector(1)", true, "a=1:3 a=2:4" },
    { "filter drops", "vector(1) > 3", false, "a=2:4" },
    { "bool", "vector(1) == bool 3", false, "a=1:1 a=2:0" },
};

static void test_literals(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(literal_cases); i++) {
        const struct literal_case *c = &literal_cases[i];
        struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
        const struct slg_logql_binary *expr = &test_expr(arena, c->query)->binary;
        struct slg_label_pool pool;
        struct slg_vector in, out = { 0 };

        slg_label_pool_init(&pool, arena);
        in = test_vector(&pool, "a=1:3 a=2:4");
        assert_true(
            slg_binary_step_literal(slg_binary_create(arena, &pool, expr),
                                    c->literal_is_left ? expr->lhs->number : expr->rhs->number,
                                    c->literal_is_left, &in, &out));
        CHECK(c->name, strcmp(test_vector_text(&pool, &out), c->want) == 0);
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
