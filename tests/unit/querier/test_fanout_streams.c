/* Lists of streams are added up over storers, and are never silently shorter than what storers hold.
 * Covers: querier/fanout_streams.c
 * Oracle: scripted storers behind the real transport. */
#include "tests/helper/fanout.h"

static void test_streams_are_added_by_id(void **state)
{
    struct test_world world = { .count = 2, .fakes = { { .held = 3 }, { .held = 4 } } };
    struct slg_fanout_streams wanted = { .from_ns = 0, .to_ns = 1 };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_stream *streams = NULL;
    struct slg_error error = { 0 };
    size_t count = 0;

    (void)state;
    test_open_world(&world, "streams", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(
        slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error), SLG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(streams[0].entry_count, 7);
    slg_arena_destroy(arena);
    test_close_world(&world);
}

/* A list that one storer cuts short is asked of another; it never gets shorter silently. */
static void test_a_list_is_never_silently_shorter(void **state)
{
    static const struct list_case {
        const char *name;
        size_t failures;
        enum slg_status want;
    } rows[] = {
        { "another stands in", 1, SLG_OK },
        { "all fail", 1000, SLG_UNAVAILABLE },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = { .count = 0 };
        const struct slg_fanout_streams wanted = { .from_ns = TEST_WINDOW * TEST_HOUR_NS,
                                                   .to_ns = (TEST_WINDOW + 4) * TEST_HOUR_NS };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        struct slg_rpc_stream *streams = NULL;
        struct slg_error error = { 0 };
        atomic_size_t failures_left;
        size_t count = 77;

        atomic_init(&failures_left, rows[i].failures);
        test_open_failing(&world, "shorter", SLG_CORRUPT, &failures_left);
        CHECK(rows[i].name, slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count,
                                                    &error) == rows[i].want);
        CHECK(rows[i].name, count == (rows[i].want == SLG_OK ? 1 : 77));
        CHECK(rows[i].name, slg_fanout_incomplete(world.fanout) == NULL);
        test_close_world(&world);
        slg_arena_destroy(arena);
    }
}

static const struct partial_case {
    const char *name;
    unsigned replication;
    bool refuse;
    int64_t from_hour, hours;
    const char *want; /* part of the text; NULL: complete */
} partial_cases[] = {
    { "all answer", 1, false, TEST_WINDOW, 4, NULL },
    { "a storer that alone has shards fails", 1, true, TEST_WINDOW, 4,
      "between 2025-11-24T16:00:00Z and" },
    { "an accepted batch may be there alone", 2, true, TEST_WINDOW, 4, "between" }, /* W_min is 1 */
    { "all of time", 1, true, 0, TEST_WINDOW * 2,
      "incomplete answer: storer \"s1\" the disk is on fire" },
    { "nothing can be there yet", 1, true, TEST_WINDOW * 2, 4, NULL },
};

static void test_partial_lists_say_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(partial_cases); i++) {
        const struct partial_case *row = &partial_cases[i];
        struct test_world world = { .count = 2,
                                    .fakes = {
                                        { .held = 1, .windows = 1 },
                                        { .held = 1, .windows = 1, .refuse = row->refuse } } };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        const struct slg_fanout_streams wanted = { .from_ns = row->from_hour * TEST_HOUR_NS,
                                                   .to_ns = (row->from_hour + row->hours) *
                                                            TEST_HOUR_NS };
        struct slg_rpc_stream *streams;
        struct slg_error error = { 0 };
        const char *text;
        size_t count;

        test_open_world(&world, "partial", row->replication, 20 * SLG_NS_PER_SEC);
        CHECK(row->name, slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count,
                                                 &error) == SLG_OK);
        CHECK(row->name, count == 1);
        text = slg_fanout_incomplete(world.fanout);
        CHECK(row->name, (text == NULL) == (row->want == NULL));
        CHECK(row->name, text == NULL || strstr(text, row->want) != NULL);
        test_close_world(&world);
        slg_arena_destroy(arena);
    }
}

/* A request may list thousands of times: a list leaves nothing in the fan-out. */
static void test_many_lists_need_no_more_than_one(void **state)
{
    (void)state;
    for (unsigned replication = 1; replication <= 2; replication++) {
        struct test_world world = {
            .count = 2, .fakes = { { .held = 1, .windows = 4 }, { .held = 1, .windows = 4 } }
        };
        const struct slg_fanout_streams wanted = { .from_ns = TEST_WINDOW * TEST_HOUR_NS,
                                                   .to_ns = (TEST_WINDOW + 4) * TEST_HOUR_NS };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        struct slg_arena_mark mark = slg_arena_mark(arena);
        size_t used = 0;

        test_open_world(&world, "many lists", replication, 20 * SLG_NS_PER_SEC);
        for (int i = 0; i < 300; i++) {
            struct slg_rpc_stream *streams;
            struct slg_error error = { 0 };
            size_t count;

            assert_int_equal(
                slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error),
                SLG_OK);
            assert_int_equal(count, 1);
            if (i == 9)
                used = slg_arena_used_bytes(world.fanout->arena);
            slg_arena_rewind(arena, mark);
        }
        assert_int_equal(slg_arena_used_bytes(world.fanout->arena), used);
        test_close_world(&world);
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_are_added_by_id),
        cmocka_unit_test(test_a_list_is_never_silently_shorter),
        cmocka_unit_test(test_partial_lists_say_so),
        cmocka_unit_test(test_many_lists_need_no_more_than_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
