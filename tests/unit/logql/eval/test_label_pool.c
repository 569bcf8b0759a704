/* A label set has one number; derived sets have the labels that the rule keeps; memos remember.
 * Oracle: texts of sets, worked out by hand. */
#include "tests/helper/vector.h"

static const struct pick_case {
    const char *name, *from;
    enum slg_label_pick pick;
    const char *want;
} cases[] = {
    { "by keeps the named", "a=1,b=2,c=3", SLG_LABEL_PICK_BY, "a=1,c=3" },
    { "by keeps empty values", "a=,b=2", SLG_LABEL_PICK_BY, "a=" },
    { "by nothing there", "b=2,d=4", SLG_LABEL_PICK_BY, "" },
    { "without drops the named", "a=1,b=2,c=3,d=4", SLG_LABEL_PICK_WITHOUT, "b=2,d=4" },
    { "without drops the metric name", "__name__=x,b=2", SLG_LABEL_PICK_WITHOUT, "b=2" },
    { "without drops empty values", "b=,d=4", SLG_LABEL_PICK_WITHOUT, "d=4" },
    { "on", "a=1,b=2,c=", SLG_LABEL_PICK_ON, "a=1" },
    { "ignoring", "__name__=x,a=1,b=2,e=", SLG_LABEL_PICK_IGNORING, "__name__=x,b=2" },
};

static bool is_set(struct slg_label_pool *pool, uint32_t id, const char *want)
{
    struct slg_label_set set = test_label_set(pool->arena, want);

    return slg_label_set_compare(slg_label_pool_set(pool, id), &set) == 0;
}

static void test_pick(void **state)
{
    static const struct slg_logql_str names[] = { { "c", 1 }, { "a", 1 } };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_pool pool;

    (void)state;
    slg_label_pool_init(&pool, arena);
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_label_set from = test_label_set(arena, cases[i].from);
        uint32_t id, picked = UINT32_MAX;

        assert_true(slg_label_pool_intern(&pool, &from, &id));
        assert_true(slg_label_pool_pick(&pool, id, cases[i].pick, names, 2, &picked));
        CHECK(cases[i].name, is_set(&pool, picked, cases[i].want));
    }
    slg_arena_destroy(arena);
}

static void test_with(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_pool pool;
    struct slg_label_set set = test_label_set(arena, "b=2,d=4,e=");
    uint32_t id, made;

    (void)state;
    slg_label_pool_init(&pool, arena);
    assert_true(slg_label_pool_intern(&pool, &set, &id));
    assert_true(slg_label_pool_with(&pool, id, slg_text_of("a"), slg_text_of("1"), &made));
    assert_true(is_set(&pool, made, "a=1,b=2,d=4"));
    assert_true(slg_label_pool_with(&pool, id, slg_text_of("c"), slg_text_of("3"), &made));
    assert_true(is_set(&pool, made, "b=2,c=3,d=4"));
    assert_true(slg_label_pool_with(&pool, id, slg_text_of("z"), slg_text_of("9"), &made));
    assert_true(is_set(&pool, made, "b=2,d=4,z=9"));
    assert_true(slg_label_pool_with(&pool, id, slg_text_of("d"), slg_text_of("x"), &made));
    assert_true(is_set(&pool, made, "b=2,d=x"));
    assert_true(slg_label_pool_with(&pool, id, slg_text_of("d"), slg_text_of(""), &made));
    assert_true(is_set(&pool, made, "b=2"));
    slg_arena_destroy(arena);
}

static void test_many_sets_have_one_number_each(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_pool pool;

    (void)state;
    slg_label_pool_init(&pool, arena);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3000; i++) {
            char text[40];
            struct slg_label_set set;
            uint32_t id;

            (void)snprintf(text, sizeof(text), "a=%u,b=%u", (unsigned)(i / 7), (unsigned)(i % 7));
            set = test_label_set(arena, text);
            assert_true(slg_label_pool_intern(&pool, &set, &id));
            assert_int_equal(id, i);
        }
    }
    slg_arena_destroy(arena);
}

static void test_memos(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_memo memo = { 0 };
    struct slg_pair_memo pairs = { 0 };

    (void)state;
    assert_int_equal(slg_memo_get(&memo, 5), SLG_MEMO_UNKNOWN);
    assert_true(slg_memo_put(&memo, arena, 1000, 7));
    assert_int_equal(slg_memo_get(&memo, 1000), 7);
    assert_int_equal(slg_memo_get(&memo, 999), SLG_MEMO_UNKNOWN);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 500; i++)
            assert_true(slg_pair_memo_put(&pairs, arena, i, i % 3, i * 2));
        for (uint32_t i = 0; i < 500; i++) {
            assert_int_equal(slg_pair_memo_get(&pairs, i, i % 3), i * 2);
            assert_int_equal(slg_pair_memo_get(&pairs, i, 3), SLG_MEMO_UNKNOWN);
        }
        slg_pair_memo_clear(&pairs);
        assert_int_equal(slg_pair_memo_get(&pairs, 1, 1), SLG_MEMO_UNKNOWN);
    }
    slg_arena_destroy(arena);
}

static void test_full_arena_is_told(void **state)
{
    struct slg_arena *arena = slg_arena_create(8192);
    struct slg_arena *texts = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_pool pool;
    bool fits = true;

    (void)state;
    slg_label_pool_init(&pool, arena);
    for (uint32_t i = 0; fits && i < 10000; i++) {
        char text[40];
        struct slg_label_set set;
        uint32_t id;

        (void)snprintf(text, sizeof(text), "a=%u", (unsigned)i);
        set = test_label_set(texts, text);
        fits = slg_label_pool_intern(&pool, &set, &id);
    }
    assert_false(fits);
    slg_arena_destroy(arena);
    slg_arena_destroy(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_with),
        cmocka_unit_test(test_many_sets_have_one_number_each),
        cmocka_unit_test(test_memos),
        cmocka_unit_test(test_full_arena_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
