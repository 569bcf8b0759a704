/* A storer that fails during evaluation is replaced by another replica over the same S; what any storer would say is said
 * to the client. Covers: querier/fanout.c querier/fanout_run.c
 * Oracle: scripted storers behind the real transport; whom they say was asked. */
#include "tests/helper/fanout.h"

static const struct failure_case {
    const char *name;
    enum slg_status failure, want;
} failure_cases[] = {
    { "behind in its map", SLG_UNAVAILABLE, SLG_UNAVAILABLE },
    { "stops", SLG_CANCELED, SLG_UNAVAILABLE },
    { "was restarted", SLG_NOT_FOUND, SLG_UNAVAILABLE },
    { "too much to do", SLG_AGAIN, SLG_UNAVAILABLE },
    { "no memory", SLG_NO_MEMORY, SLG_UNAVAILABLE },
    { "disk", SLG_IO, SLG_UNAVAILABLE },
    { "damaged shard", SLG_CORRUPT, SLG_UNAVAILABLE },
    { "other form", SLG_MALFORMED, SLG_UNAVAILABLE },
    { "the user's fault", SLG_INVALID, SLG_INVALID },
    { "a limit", SLG_LIMIT, SLG_LIMIT },
    { "not supported", SLG_UNSUPPORTED, SLG_UNSUPPORTED },
    { "the query's time is over", SLG_TIMEOUT, SLG_TIMEOUT },
};

/* A run breaks off with the storer's words; another stands in and the one that failed is not asked again. What any
 * storer would say is said to the client. */
static void test_a_storer_that_fails_is_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(failure_cases); i++) {
        const struct failure_case *row = &failure_cases[i];
        struct test_world world = { .count = 0 };
        struct slg_error error = { 0 };
        atomic_size_t failures_left;
        size_t failed;

        atomic_init(&failures_left, 1);
        test_open_failing(&world, "replaced", row->failure, &failures_left);
        CHECK(row->name, test_try_log(&world, "{a=\"b\"}", &error) == row->want);
        CHECK(row->name, error.status == row->want);
        CHECK(row->name, strstr(error.message, "the disk is on fire") != NULL);
        CHECK(row->name, slg_fanout_fail_over(world.fanout) == (row->want == SLG_UNAVAILABLE));
        if (row->want == SLG_UNAVAILABLE) {
            CHECK(row->name, strstr(error.message, "storer \"s") != NULL);
            failed = world.fakes[0].query_count > 0 ? 0 : 1;
            test_run_log(&world, "{a=\"b\"}");
            CHECK(row->name, world.fakes[failed].query_count == 1);
            CHECK(row->name, world.fakes[1 - failed].shards_asked == 4);
        }
        test_close_world(&world);
    }
}

static void test_nobody_is_left(void **state)
{
    struct test_world world = { .count = 0 };
    struct slg_error error = { 0 };
    atomic_size_t failures_left;

    (void)state;
    atomic_init(&failures_left, 1000);
    test_open_failing(&world, "nobody", SLG_IO, &failures_left);
    assert_int_equal(test_try_log(&world, "{a=\"b\"}", &error), SLG_UNAVAILABLE);
    assert_true(slg_fanout_fail_over(world.fanout));
    assert_int_equal(test_try_log(&world, "{a=\"b\"}", &error), SLG_UNAVAILABLE);
    assert_false(slg_fanout_fail_over(world.fanout));
    test_close_world(&world);
}

/* What slg_fanout_evaluate is given: a log query, counted. */
struct work {
    struct test_world *world;
    size_t begin_count, run_count;
};

static enum slg_status begin_work(void *arg, struct slg_error *reterr)
{
    struct work *work = arg;

    (void)reterr;
    work->begin_count++;
    return SLG_OK;
}

static enum slg_status run_work(void *arg, struct slg_error *reterr)
{
    struct work *work = arg;

    work->run_count++;
    return test_try_log(work->world, "{a=\"b\"}", reterr);
}

/* With two storers that fail k times in turn: the first run, one over the same S by the other, and once more over sets
 * that are fixed anew. */
static void test_it_begins_again(void **state)
{
    static const struct again_case {
        const char *name;
        size_t failures, runs;
        enum slg_status want;
    } rows[] = {
        { "nobody fails", 0, 1, SLG_OK },
        { "another stands in", 1, 2, SLG_OK },
        { "both fail once: over sets of now", 2, 3, SLG_OK },
        { "they go on failing", 1000, 4, SLG_UNAVAILABLE },
    };
    static const struct slg_fanout_work steps = { begin_work, run_work };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = { .count = 0 };
        struct work work = { .world = &world };
        struct slg_error error = { 0 };
        atomic_size_t failures_left;

        atomic_init(&failures_left, rows[i].failures);
        test_open_failing(&world, "again", SLG_CANCELED, &failures_left);
        CHECK(rows[i].name, slg_fanout_evaluate(world.fanout, TEST_WINDOW * TEST_HOUR_NS,
                                                (TEST_WINDOW + 4) * TEST_HOUR_NS, &steps, &work,
                                                &error) == rows[i].want);
        CHECK(rows[i].name, work.run_count == rows[i].runs);
        CHECK(rows[i].name, work.begin_count == rows[i].runs);
        test_close_world(&world);
    }
}

static bool canceled_when(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

/* The client hangs up while a storer says CANCELED: that is no reason to ask another. */
static void test_a_client_that_left_is_no_fail_over(void **state)
{
    atomic_bool gone;
    struct test_world world = { .parallel_max = 1,
                                .canceled = canceled_when,
                                .canceled_arg = &gone };
    struct slg_error error = { 0 };
    atomic_size_t failures_left;

    (void)state;
    atomic_init(&failures_left, 1);
    atomic_init(&gone, false);
    test_open_failing(&world, "hung", SLG_CANCELED, &failures_left);
    atomic_store(&gone, true);
    assert_int_equal(test_try_log(&world, "{a=\"b\"}", &error), SLG_CANCELED);
    assert_false(slg_fanout_fail_over(world.fanout));
    test_close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_storer_that_fails_is_replaced),
        cmocka_unit_test(test_nobody_is_left),
        cmocka_unit_test(test_it_begins_again),
        cmocka_unit_test(test_a_client_that_left_is_no_fail_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
