/* A slow sub-query is given to another storer too, and one of the two is used whole; a storer that says nothing at all is
 * replaced. Covers: querier/fanout_source.c
 * Oracle: scripted storers behind the real transport; each page names its storer. */
#include "tests/helper/fanout.h"

static size_t count_of(struct test_fake *fake, const size_t *count)
{
    size_t found;

    (void)pthread_mutex_lock(&fake->lock);
    found = *count;
    (void)pthread_mutex_unlock(&fake->lock);
    return found;
}

/* A fan-out with a pace by which a sub-query is slow after 50 ms. */
static void open_paced(struct test_world *world, const char *test_name, struct slg_hedge_pace *pace)
{
    slg_hedge_pace_init(pace);
    for (unsigned kind = 0; kind <= SLG_LEAF_PATTERNS; kind++)
        for (size_t shards = 1; shards <= 4; shards++)
            for (unsigned i = 0; i < SLG_HEDGE_SAMPLES_MIN; i++)
                slg_hedge_pace_note(pace, kind, shards, SLG_NS_PER_MS);
    for (size_t i = 0; i < world->count; i++)
        world->fakes[i].index = i;
    world->parallel_max = 1;
    world->pace = pace;
    test_open_world(world, test_name, (unsigned)world->count, 60 * SLG_NS_PER_SEC);
}

/* Fix the sets again and again until this storer was chosen for all shards. */
static void choose_node(struct test_world *world, size_t wanted)
{
    for (int turn = 0; turn < 1000; turn++) {
        struct slg_rpc_shard_set set;
        struct slg_error error = { 0 };
        size_t node_index, count = 0, chosen = 0;

        assert_int_equal(test_fix_sets(world, &error), SLG_OK);
        while (slg_fanout_shard(world->fanout, count, &set, &node_index)) {
            chosen += node_index == wanted;
            count++;
        }
        if (count > 0 && chosen == count)
            return;
    }
    fail_msg("storer %zu is never chosen", wanted);
}

/* The bodies of all pages, in the order of their coming. */
static enum slg_status collect(void *arg, const void *body, size_t len, struct slg_error *reterr)
{
    struct slg_buf *out = arg;

    (void)reterr;
    slg_buf_append(out, body, len);
    return SLG_OK;
}

static enum slg_status run_leaf(struct test_world *world, struct slg_buf *out,
                                struct slg_error *error)
{
    const struct slg_leaf_request leaf = { .kind = SLG_LEAF_SAMPLES,
                                           .text = { "rate({a=\"b\"}[1m])", 18 },
                                           .memory_bytes_max = 1 << 20 };

    slg_buf_clear(out);
    return slg_fanout_run_leaf(world->fanout, &leaf, TEST_WINDOW * TEST_HOUR_NS,
                               (TEST_WINDOW + 4) * TEST_HOUR_NS, collect, out, error);
}

#define MUTE(type) (1U << SLG_RPC_##type)

static const struct slow_case {
    const char *name;
    unsigned mute; /* of the one that is asked first */
    enum slg_status want;
    const char *pages;  /* that were used */
    size_t other_asked; /* QUERY messages to the other */
} slow_cases[] = {
    { "in time", 0, SLG_OK, "0.1 0.2 0.3 ", 0 },
    { "no first page: the rival's are used", MUTE(QUERY), SLG_OK, "1.1 1.2 1.3 ", 1 },
    { "stands still", MUTE(QUERY) | MUTE(HELLO) | MUTE(CANCEL), SLG_OK, "1.1 1.2 1.3 ", 1 },
    { "stands still after a page: there is no rival any more", MUTE(NEXT) | MUTE(HELLO),
      SLG_UNAVAILABLE, "0.1 ", 0 },
};

static void test_a_slow_storer_gets_a_rival(void **state)
{
    static struct slg_hedge_pace pace;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(slow_cases); i++) {
        const struct slow_case *row = &slow_cases[i];
        struct test_world world = { .count = 2,
                                    .fakes = { { .held = 3, .windows = 1, .page_count = 3 },
                                               { .held = 3, .windows = 1, .page_count = 3 } } };
        struct slg_error error = { 0 };
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        open_paced(&world, "slow", &pace);
        choose_node(&world, 0);
        test_mute(&world.fakes[0], row->mute);
        CHECK(row->name, run_leaf(&world, &out, &error) == row->want);
        slg_buf_append_byte(&out, 0);
        if (strcmp((const char *)out.data, row->pages) != 0)
            print_error("pages: %s\n", (const char *)out.data);
        CHECK(row->name, strcmp((const char *)out.data, row->pages) == 0);
        CHECK(row->name, world.fakes[1].query_count == row->other_asked);
        if (row->want != SLG_OK) {
            CHECK(row->name, slg_fanout_fail_over(world.fanout));
            CHECK(row->name, run_leaf(&world, &out, &error) == SLG_OK);
            slg_buf_append_byte(&out, 0);
            CHECK(row->name, strcmp((const char *)out.data, "1.1 1.2 1.3 ") == 0);
        }
        slg_buf_fini(&out);
        test_close_world(&world);
    }
}

/* The one that was slow is told to stop. */
static void test_the_loser_is_canceled(void **state)
{
    static struct slg_hedge_pace pace;
    struct test_world world = { .count = 2,
                                .fakes = { { .held = 3, .windows = 1, .page_count = 1 },
                                           { .held = 3, .windows = 1, .page_count = 1 } } };
    int64_t deadline_ns = slg_clock_mono_ns(slg_clock_system()) + 20 * SLG_NS_PER_SEC;
    struct slg_error error = { 0 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    open_paced(&world, "loser", &pace);
    choose_node(&world, 1);
    test_mute(&world.fakes[1], MUTE(QUERY));
    assert_int_equal(run_leaf(&world, &out, &error), SLG_OK);
    while (count_of(&world.fakes[1], &world.fakes[1].cancel_count) == 0 &&
           slg_clock_mono_ns(slg_clock_system()) < deadline_ns)
        continue;
    assert_int_equal(count_of(&world.fakes[1], &world.fakes[1].cancel_count), 1);
    slg_buf_fini(&out);
    test_close_world(&world);
}

/* The shards of a slow storer lie on two others: their pages are used together, or not at all. */
static void test_a_rival_in_parts(void **state)
{
    static const struct parts_case {
        const char *name;
        unsigned mute_first, mute_second;
        const char *pages, *other_order;
    } rows[] = {
        { "in time", 0, 0, "0.1 ", "0.1 " },
        { "both parts come", MUTE(QUERY), 0, "1.1 2.1 ", "2.1 1.1 " },
        { "one part stands still, too, until the first comes", MUTE(QUERY), MUTE(QUERY), "0.1 ",
          "0.1 " },
    };
    static struct slg_hedge_pace pace;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = {
            .count = 3,
            .fakes = { { .held = 3, .windows = 2, .page_count = 1 },
                       { .held = 3, .windows = 1, .page_count = 1 },
                       { .held = 3, .windows = 1, .first_window = 1, .page_count = 1 } }
        };
        struct slg_error error = { 0 };
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        open_paced(&world, "parts", &pace);
        choose_node(&world, 0);
        test_mute(&world.fakes[0], rows[i].mute_first);
        test_mute(&world.fakes[2], rows[i].mute_second);
        (void)pthread_mutex_lock(&world.fakes[2].lock);
        world.fakes[2].frees = rows[i].mute_second != 0 ? &world.fakes[0] : NULL;
        (void)pthread_mutex_unlock(&world.fakes[2].lock);
        CHECK(rows[i].name, run_leaf(&world, &out, &error) == SLG_OK);
        slg_buf_append_byte(&out, 0);
        CHECK(rows[i].name, strcmp((const char *)out.data, rows[i].pages) == 0 ||
                                strcmp((const char *)out.data, rows[i].other_order) == 0);
        slg_buf_fini(&out);
        test_close_world(&world);
    }
}

/* Whoever answers nothing after its sets is replaced long before the query's time is over; when it is busy only, or there
 * is nobody else, it is waited for. */
static void test_a_silent_storer_is_replaced(void **state)
{
    static const struct silent_case {
        const char *name;
        size_t storer_count;
        unsigned mute;
        bool replaced;
    } rows[] = {
        { "stands still", 2, MUTE(STREAMS) | MUTE(HELLO), true },
        { "busy, but it greets", 2, MUTE(STREAMS), false },
        { "nobody else", 1, MUTE(STREAMS) | MUTE(HELLO), false },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct test_world world = { .count = rows[i].storer_count };
        const struct slg_fanout_streams wanted = { .from_ns = TEST_WINDOW * TEST_HOUR_NS,
                                                   .to_ns = (TEST_WINDOW + 4) * TEST_HOUR_NS };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        struct slg_rpc_stream *streams = NULL;
        struct slg_error error = { 0 };
        const int64_t timeout_ns = (rows[i].replaced ? 20 : 2) * SLG_NS_PER_SEC;
        enum slg_status status;
        int64_t started_ns, took_ns;
        size_t count = 77;

        for (size_t k = 0; k < world.count; k++)
            world.fakes[k] =
                (struct test_fake){ .held = 4 - k, /* the first is chosen, for it has most */
                                    .windows = 1 };
        test_open_world(&world, "mute", (unsigned)world.count, timeout_ns);
        assert_int_equal(test_fix_sets(&world, &error), SLG_OK); /* all are greeted */
        test_mute(&world.fakes[0], rows[i].mute);
        started_ns = slg_clock_mono_ns(slg_clock_system());
        status = slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error);
        took_ns = slg_clock_mono_ns(slg_clock_system()) - started_ns;
        CHECK(rows[i].name, count == (status == SLG_OK ? 1 : 77));
        CHECK(rows[i].name, !rows[i].replaced || status == SLG_OK);
        CHECK(rows[i].name, rows[i].replaced || took_ns >= timeout_ns - 300 * SLG_NS_PER_MS);
        test_close_world(&world);
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slow_storer_gets_a_rival),
        cmocka_unit_test(test_the_loser_is_canceled),
        cmocka_unit_test(test_a_rival_in_parts),
        cmocka_unit_test(test_a_silent_storer_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
