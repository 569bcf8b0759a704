/* The fan-out fixes S as the union of what storers hold, evaluates each shard on one replica that holds all of it, and
 * says so when it cannot. Covers: querier/calls.c querier/fanout_greet.c querier/peers.c querier/fanout_run.c querier/fanout_sets.c
 * Oracle: scripted storers behind the real transport; what they were asked is compared with what they hold. */
#include "tests/helper/fanout.h"

#include <sched.h>

static void test_each_shard_is_asked_once(void **state)
{
    struct test_world world = {
        .count = 2, .fakes = { { .held = 3, .windows = 4 }, { .held = 3, .windows = 4 } }
    };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "once", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    test_run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked + world.fakes[1].shards_asked, 4);
    assert_true(slg_fanout_stats(world.fanout)->lines_read >= 10);
    test_close_world(&world);
}

/* A query that looks into lines may have to read everything, so several cores read; one that does not has its rows at
 * once. */
static void test_a_filter_is_split(void **state)
{
    static const struct split_case {
        const char *name, *query;
        size_t part_count;
    } rows[] = {
        { "no stage", "{a=\"b\"}", 1 },
        { "filter", "{a=\"b\"} |= \"x\"", 2 },
        { "parser", "{a=\"b\"} | logfmt | x=\"y\"", 2 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = { .count = 1, .fakes = { { .held = 3, .windows = 4 } } };
        struct slg_error error = { 0 };

        test_open_world(&world, "split", 1, 20 * SLG_NS_PER_SEC);
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
        test_run_log(&world, rows[i].query);
        CHECK(rows[i].name, world.fakes[0].query_count == rows[i].part_count);
        CHECK(rows[i].name, world.fakes[0].shards_asked == 4);
        test_close_world(&world);
    }
}

static enum slg_status count_page(void *arg, const void *body, size_t len, struct slg_error *reterr)
{
    size_t *count = arg;

    (void)body;
    (void)len;
    (void)reterr;
    (*count)++;
    return SLG_OK;
}

/* Numbers merge from any parts, so a storer with fewer shards than cores gets a large one in parts of its time. */
static void test_a_large_shard_is_cut(void **state)
{
    static const struct cut_case {
        const char *name;
        enum slg_leaf_kind kind;
        uint64_t held;
        int64_t windows;
        size_t query_count, shard_count;
    } rows[] = {
        { "large", SLG_LEAF_PARTIAL, 64, 1, 2, 2 },
        { "samples too", SLG_LEAF_SAMPLES, 64, 1, 2, 2 },
        { "small", SLG_LEAF_PARTIAL, 63, 1, 1, 1 },
        { "shards enough", SLG_LEAF_PARTIAL, 500, 4, 2, 4 },
        { "patterns would differ", SLG_LEAF_PATTERNS, 500, 1, 1, 1 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = {
            .count = 1, .fakes = { { .held = rows[i].held, .windows = rows[i].windows } }
        };
        struct slg_leaf_request leaf = { .kind = rows[i].kind, .text = slg_text_of("{a=\"b\"}") };
        struct slg_error error = { 0 };
        size_t pages = 0;

        test_open_world(&world, "cut", 1, 20 * SLG_NS_PER_SEC);
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
        assert_int_equal(slg_fanout_run_leaf(world.fanout, &leaf, TEST_WINDOW * TEST_HOUR_NS,
                                             (TEST_WINDOW + 4) * TEST_HOUR_NS, count_page, &pages,
                                             &error),
                         SLG_OK);
        CHECK(rows[i].name, pages == rows[i].query_count);
        CHECK(rows[i].name, world.fakes[0].query_count == rows[i].query_count);
        CHECK(rows[i].name, world.fakes[0].shards_asked == rows[i].shard_count);
        test_close_world(&world);
    }
}

static void test_the_fuller_replica_evaluates(void **state)
{
    struct test_world world = {
        .count = 2, .fakes = { { .held = 2, .windows = 4 }, { .held = 5, .windows = 4 } }
    };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "fuller", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    test_run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked, 0);
    assert_int_equal(world.fakes[1].shards_asked, 4);
    test_close_world(&world);
}

static void test_a_failed_storer_is_named(void **state)
{
    struct test_world world = { .count = 2,
                                .fakes = { { .held = 1, .windows = 4 }, { .refuse = true } } };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "failed", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_non_null(slg_fanout_incomplete(world.fanout));
    assert_non_null(
        strstr(slg_fanout_incomplete(world.fanout), "storer \"s1\" the disk is on fire"));
    assert_non_null(strstr(slg_fanout_incomplete(world.fanout), "2025-11-24T16:00:00Z"));
    test_close_world(&world);
}

/* What the only one that answers has is shown, although it may have lost a part: with a warning. */
static void test_a_refilling_storer_is_better_than_none(void **state)
{
    struct test_world world = {
        .count = 2, .fakes = { { .held = 1, .windows = 4, .refilling = true }, { .refuse = true } }
    };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "refilling", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_non_null(strstr(slg_fanout_incomplete(world.fanout), "storer \"s0\" is refilling"));
    test_run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked, 4);
    test_close_world(&world);
}

static void test_no_storer_at_all(void **state)
{
    struct test_world world = { .count = 1, .fakes = { { .refuse = true } } };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "none", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_UNAVAILABLE);
    assert_non_null(strstr(error.message, "no storer answered"));
    test_close_world(&world);
}

/* A storer of another cluster, or with another map, is as good as none, and it is said why. */
static void test_a_strange_storer_is_refused(void **state)
{
    static const struct strange_case {
        const char *name;
        struct test_fake fake;
        const char *why; /* NULL: it is used */
    } rows[] = {
        { "the same map", { .held = 5 }, NULL },
        { "a newer map", { .held = 5, .epoch_ahead = 1, .other_map = true }, NULL },
        { "another cluster",
          { .held = 5, .other_cluster = "x" },
          "storer \"s1\" is refused: it belongs to cluster \"x\"" },
        { "another map",
          { .held = 5, .other_map = true },
          "storer \"s1\" is refused: its map of epoch 1 is another" },
        { "another node",
          { .held = 5, .other_id = "s0" },
          "storer \"s1\" is refused: it calls itself \"s0\"" },
        { "it refuses us",
          { .held = 5, .hello_failure = "the maps of epoch 1 differ" },
          "storer \"s1\" is refused: the maps of epoch 1 differ" },
        { "no answer to a greeting",
          { .held = 5, .mute_types = 1U << SLG_RPC_HELLO },
          "storer \"s1\" did not answer its greeting" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = { .count = 2,
                                    .write_quorum = 1,
                                    .fakes = { { .held = 1, .windows = 4 }, rows[i].fake } };
        struct slg_error error = { 0 };
        const char *text;

        world.fakes[1].windows = 4;
        test_open_world(&world, "strange", 2, 20 * SLG_NS_PER_SEC);
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
        text = slg_fanout_incomplete(world.fanout);
        if (text != NULL && rows[i].why != NULL && strstr(text, rows[i].why) == NULL)
            print_error("%s\n", text);
        CHECK(rows[i].name, (text == NULL) == (rows[i].why == NULL));
        CHECK(rows[i].name, rows[i].why == NULL || strstr(text, rows[i].why) != NULL);
        test_run_log(&world, "{a=\"b\"}");
        CHECK(rows[i].name, world.fakes[1].shards_asked == (rows[i].why == NULL ? 4U : 0U));
        test_close_world(&world);
    }
}

/* With nobody else that is the error; lists of one copy are no way around it. */
static void test_the_only_storer_is_refused(void **state)
{
    struct test_world world = { .count = 1,
                                .fakes = { { .held = 1, .windows = 4, .other_map = true } } };
    const struct slg_fanout_streams wanted = { .from_ns = TEST_WINDOW * TEST_HOUR_NS,
                                               .to_ns = (TEST_WINDOW + 4) * TEST_HOUR_NS };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_stream *streams = NULL;
    struct slg_error error = { 0 };
    size_t count = 77;

    (void)state;
    test_open_world(&world, "only", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_UNAVAILABLE);
    assert_string_equal(error.message,
                        "no storer answered: \"s0\" is refused: its map of epoch 1 is another");
    assert_int_equal(
        slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error),
        SLG_UNAVAILABLE);
    assert_non_null(strstr(error.message, "its map of epoch 1 is another"));
    assert_int_equal(count, 77);
    slg_arena_destroy(arena);
    test_close_world(&world);
}

/* One greeting for each connection, and another when the storer is back with another map. */
static void test_each_connection_is_greeted(void **state)
{
    struct test_world world = { .count = 1, .fakes = { { .held = 1, .windows = 4 } } };
    struct slg_error error = { 0 };
    struct slg_transport_server_options again = { .call_count_max = 16,
                                                  .handler = test_on_call,
                                                  .handler_ctx = &world.fakes[0] };
    enum slg_status status = SLG_OK;

    (void)state;
    test_open_world(&world, "greeted", 1, 20 * SLG_NS_PER_SEC);
    for (int i = 0; i < 3; i++)
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_int_equal(world.fakes[0].hello_count, 1);
    slg_transport_server_stop(world.fakes[0].server);
    slg_transport_server_destroy(world.fakes[0].server);
    world.fakes[0].other_map = true;
    again.url = world.map->nodes[0].address;
    assert_int_equal(slg_transport_server_start(&again, &world.fakes[0].server, NULL), SLG_OK);
    do { /* until it is connected again */
        error = (struct slg_error){ 0 };
        status = test_fix_sets(&world, &error);
        assert_int_equal(status, SLG_UNAVAILABLE); /* not once is it believed */
    } while (strstr(error.message, "its map of epoch 1 is another") == NULL &&
             slg_fanout_left_ms(world.fanout) > 1);
    assert_non_null(strstr(error.message, "its map of epoch 1 is another"));
    test_close_world(&world);
}

static void test_a_silent_storer_ends_with_the_deadline(void **state)
{
    struct test_world world = { .count = 1, .fakes = { { .mute = true } } };
    struct slg_error error = { 0 };
    enum slg_status status;

    (void)state;
    test_open_world(&world, "silent", 1, 300 * SLG_NS_PER_MS);
    status = test_fix_sets(&world, &error);
    assert_true(status == SLG_TIMEOUT || status == SLG_UNAVAILABLE);
    test_close_world(&world);
}

static void test_who_is_to_blame_for_the_deadline(void **state)
{
    static const struct blame_case {
        const char *name;
        uint64_t scan_ms; /* in the second that the query took */
        enum slg_status status, want;
    } cases[] = {
        { "storers worked", 900, SLG_TIMEOUT, SLG_LIMIT },
        { "two parts of it at once", 1800, SLG_TIMEOUT, SLG_LIMIT },
        { "it waited", 100, SLG_TIMEOUT, SLG_TIMEOUT },
        { "another failure", 900, SLG_UNAVAILABLE, SLG_UNAVAILABLE },
        { "no failure", 900, SLG_OK, SLG_OK },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slg_fanout fanout = {
            .begun_mono_ns = slg_clock_mono_ns(slg_clock_system()) - SLG_NS_PER_SEC,
            .stats = { .scan_ns = cases[i].scan_ms * (uint64_t)SLG_NS_PER_MS },
        };
        struct slg_error error = { 0 };

        if (slg_fanout_judge(&fanout, cases[i].status, &error) != cases[i].want)
            fail_msg("%s", cases[i].name);
        assert_int_equal(error.message[0] != '\0', cases[i].want == SLG_LIMIT);
    }
}

/* The grace of 0.3 s is spent once on it, not with every query; any reply of it, however late, ends that. */
static void test_a_silent_storer_is_waited_for_once(void **state)
{
    struct test_world world = { .count = 2,
                                .write_quorum = 2,
                                .fakes = { { .held = 5, .windows = 1 }, { .mute = true } } };
    struct slg_error error = { 0 };
    int64_t begin;

    (void)state;
    test_open_world(&world, "once", 2, 60 * SLG_NS_PER_SEC);
    assert_false(slg_peers_silent(world.peers, 1));
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    assert_true(slg_peers_silent(world.peers, 1));
    assert_false(slg_peers_silent(world.peers, 0));
    begin = slg_clock_mono_ns(slg_clock_system());
    for (int i = 0; i < 5; i++) {
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
        assert_null(slg_fanout_incomplete(world.fanout));
    }
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 5 * 300 * SLG_NS_PER_MS);
    assert_true(slg_peers_silent(world.peers, 1));
    (void)pthread_mutex_lock(&world.fakes[1].lock);
    assert_true(world.fakes[1].kept_count > 0);
    slg_transport_call_reply(world.fakes[1].kept[--world.fakes[1].kept_count], "", 0);
    (void)pthread_mutex_unlock(&world.fakes[1].lock);
    begin = slg_clock_mono_ns(slg_clock_system());
    while (slg_peers_silent(world.peers, 1) &&
           slg_clock_mono_ns(slg_clock_system()) - begin < 20 * SLG_NS_PER_SEC)
        (void)sched_yield();
    assert_false(slg_peers_silent(world.peers, 1));
    test_close_world(&world);
}

/* Nor is the time limit of SETS, where the answer is incomplete without it. */
static void test_too_many_silent_storers_are_waited_for_once(void **state)
{
    struct test_world world = { .count = 2,
                                .fakes = { { .held = 5, .windows = 1 }, { .mute = true } } };
    struct slg_error error = { 0 };
    int64_t begin;

    (void)state;
    test_open_world(&world, "too_many", 2, 60 * SLG_NS_PER_SEC);
    world.fanout->options.sets_timeout_ms = 100;
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_non_null(slg_fanout_incomplete(world.fanout));
    assert_true(slg_peers_silent(world.peers, 1));
    world.fanout->options.sets_timeout_ms = 0; /* 10 s */
    begin = slg_clock_mono_ns(slg_clock_system());
    assert_int_equal(test_fix_sets(&world, &error), SLG_OK);
    assert_non_null(slg_fanout_incomplete(world.fanout));
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 8 * SLG_NS_PER_SEC);
    test_close_world(&world);
}

static bool always_canceled(void *arg)
{
    (void)arg;
    return true;
}

static void test_a_client_that_left_cancels(void **state)
{
    struct test_world world = { .count = 1,
                                .fakes = { { .mute = true } },
                                .canceled = always_canceled };
    struct slg_error error = { 0 };

    (void)state;
    test_open_world(&world, "left", 1, 60 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(&world, &error), SLG_CANCELED);
    test_close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_shard_is_asked_once),
        cmocka_unit_test(test_a_filter_is_split),
        cmocka_unit_test(test_a_large_shard_is_cut),
        cmocka_unit_test(test_the_fuller_replica_evaluates),
        cmocka_unit_test(test_a_failed_storer_is_named),
        cmocka_unit_test(test_a_refilling_storer_is_better_than_none),
        cmocka_unit_test(test_no_storer_at_all),
        cmocka_unit_test(test_a_strange_storer_is_refused),
        cmocka_unit_test(test_the_only_storer_is_refused),
        cmocka_unit_test(test_each_connection_is_greeted),
        cmocka_unit_test(test_a_silent_storer_ends_with_the_deadline),
        cmocka_unit_test(test_who_is_to_blame_for_the_deadline),
        cmocka_unit_test(test_a_silent_storer_is_waited_for_once),
        cmocka_unit_test(test_too_many_silent_storers_are_waited_for_once),
        cmocka_unit_test(test_a_client_that_left_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
