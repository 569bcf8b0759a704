/* label_replace replaces as Loki does, with Go's rules for $1, ${name} and $$.
 * Oracle: Go's Regexp.Expand and Loki's LabelReplaceEvaluator, worked out by hand. */
#include "tests/helper/vector.h"

#include "logql/eval/relabel.h"

static const struct relabel_case {
    const char *name, *query, *in, *want;
} cases[] = {
    { "group", "label_replace(vector(1), \"x\", \"$1\", \"a\", \"(.)b.*\")", "a=abc:1",
      "a=abc,x=a:1" },
    { "no match", "label_replace(vector(1), \"x\", \"$1\", \"a\", \"b(.)\")", "a=abc:1",
      "a=abc:1" },
    { "name", "label_replace(vector(1), \"x\", \"<${n}>$n\", \"a\", \"(?P<n>b+)\")", "a=bb:1",
      "a=bb,x=<bb>bb:1" },
    { "longest name", "label_replace(vector(1), \"x\", \"$1y\", \"a\", \"(.*)\")", "a=bb:1",
      "a=bb:1" },
    { "brace ends the name", "label_replace(vector(1), \"x\", \"${1}y\", \"a\", \"(.*)\")",
      "a=bb:1", "a=bb,x=bby:1" },
    { "dollar", "label_replace(vector(1), \"x\", \"$$1-$\", \"a\", \"(.*)\")", "a=bb:1",
      "a=bb,x=$1-$:1" },
    { "unknown group", "label_replace(vector(1), \"x\", \"v$9\", \"a\", \"(.*)\")", "a=bb:1",
      "a=bb,x=v:1" },
    { "leading zero is a name", "label_replace(vector(1), \"x\", \"v$01\", \"a\", \"(.*)\")",
      "a=bb:1", "a=bb,x=v:1" },
    { "empty removes", "label_replace(vector(1), \"a\", \"\", \"a\", \".*\")", "a=bb,c=d:1",
      "c=d:1" },
    { "absent source is empty", "label_replace(vector(1), \"x\", \"y\", \"nosuch\", \"\")", "a=b:1",
      "a=b,x=y:1" },
    { "overwrites", "label_replace(vector(1), \"a\", \"n\", \"a\", \"b\")", "a=b:1 a=c:2",
      "a=n:1 a=c:2" },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
        struct slg_label_pool pool;
        struct slg_relabel *relabel = NULL;
        struct slg_vector in, out = { 0 };

        slg_label_pool_init(&pool, arena);
        assert_int_equal(slg_relabel_create(arena, &pool,
                                            &test_expr(arena, cases[i].query)->label_replace,
                                            &relabel, NULL),
                         SLG_OK);
        in = test_vector(&pool, cases[i].in);
        for (int round = 0; round < 2; round++) { /* what is remembered changes nothing */
            assert_int_equal(slg_relabel_step(relabel, &in, &out, NULL), SLG_OK);
            if (strcmp(test_vector_text(&pool, &out), cases[i].want) != 0)
                print_error("got %s\n", test_vector_text(&pool, &out));
            CHECK(cases[i].name, strcmp(test_vector_text(&pool, &out), cases[i].want) == 0);
        }
        slg_relabel_destroy(relabel);
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
