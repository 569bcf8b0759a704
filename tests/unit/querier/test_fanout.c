/* The fan-out fixes S as the union of what storers hold, evaluates each shard on one replica that holds all of it, gives
 * slow sub-queries to another one and uses one of the two whole, and says so when it cannot.
 * Covers: querier/calls.c querier/peers.c querier/fanout_run.c querier/fanout_streams.c querier/fanout_sets.c
 *         querier/fanout_source.c
 * Oracle: scripted storers behind the real transport; what they were asked is compared with what they hold. */
#include "tests/helper/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "querier/fanout_private.h"

#define HOUR_NS    (INT64_C(3600) * SLG_NS_PER_SEC)
#define WINDOW     INT64_C(490000) /* hours since the epoch */
#define STORER_MAX 3

/* A storer that holds batches 1..held of one incarnation in each of `windows` shards. */
struct fake {
    struct slg_transport_server *server;
    uint64_t held;
    int64_t windows;
    bool mute;   /* answers nothing at all: replies when the test ends */
    bool refuse; /* answers SETS and STREAMS with a failure */
    bool refilling;
    enum slg_status failure; /* of QUERY and STREAMS while *failures_left lasts; OK: none */
    atomic_size_t *failures_left;
    size_t query_count;   /* QUERY messages seen */
    size_t shards_asked;  /* shards in them */
    int64_t first_window; /* 0 = WINDOW */
    size_t index;
    size_t page_count; /* of a query; 0: one empty page */
    size_t pages_sent;
    unsigned mute_types; /* bits by enum slg_rpc_type: these it does not answer */
    struct fake *frees; /* when this one is asked a QUERY, that one answers the last it was asked */
    size_t cancel_count; /* CANCEL messages seen */
    struct slg_transport_call *kept[16];
    size_t kept_count;
    pthread_mutex_t lock; /* counts are written on library threads */
};

struct world {
    struct fake fakes[STORER_MAX];
    size_t count;
    unsigned write_quorum; /* 0: 1 */
    struct slg_map *map;
    struct slg_peers *peers;
    struct slg_fanout *fanout;
};

static struct slg_incarnation incarnation(void)
{
    struct slg_incarnation value;

    memset(value.bytes, 7, sizeof(value.bytes));
    return value;
}

static struct slg_shard_id shard(int64_t hour)
{
    return (
        struct slg_shard_id){ .window_ns = hour * HOUR_NS, .length_ns = HOUR_NS, .slot_count = 1 };
}

static void reply_sets(const struct fake *fake, struct slg_buf *out)
{
    struct slg_rpc_shard_set shards[16];
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation who = incarnation();
    struct slg_buf encoded;

    slg_buf_init(&encoded, 4096);
    assert_int_equal(slg_batch_set_add_range(set, &who, 1, fake->held), SLG_OK);
    slg_batch_set_encode(&encoded, set);
    for (int64_t i = 0; i < fake->windows; i++) {
        shards[i] = (struct slg_rpc_shard_set){ .shard = shard(WINDOW + fake->first_window + i),
                                                .set = slg_text_make(encoded.data, encoded.len) };
        for (uint64_t k = 1; k <= fake->held; k++) {
            struct slg_batch_id id = { .incarnation = who,
                                       .shard = shards[i].shard,
                                       .sequence = k };

            slg_batch_set_digest_add(&shards[i].digest, &id);
        }
    }
    slg_rpc_encode_sets_reply(out,
                              &(struct slg_rpc_sets_reply){ .shards = shards,
                                                            .shard_count = (size_t)fake->windows,
                                                            .refilling = fake->refilling });
    slg_buf_fini(&encoded);
    slg_batch_set_destroy(set);
}

/* An empty page of a log query: made by the real writer, so that the querier reads it. */
static void reply_page(struct slg_buf *out)
{
    struct slg_page_writer *writer = slg_page_writer_create(1 << 20);
    struct slg_rpc_page page = { .stats = { .lines_read = 10, .batches_read = 1 } };
    struct slg_buf body;

    slg_buf_init(&body, 65536);
    slg_page_writer_start(writer, SLG_PAGE_LOG, (enum slg_accumulator)0);
    assert_int_equal(slg_page_writer_finish(writer, &body, NULL), SLG_OK);
    page.body = slg_text_make(body.data, body.len);
    slg_rpc_encode_page(out, &page);
    slg_buf_fini(&body);
    slg_page_writer_destroy(writer);
}

/* Page number n of storer i of the world says "i.n". */
static void reply_numbered_page(struct fake *fake, size_t index, struct slg_buf *out)
{
    char text[32];
    struct slg_rpc_page page = { .more = ++fake->pages_sent < fake->page_count };

    (void)snprintf(text, sizeof(text), "%zu.%zu ", index, fake->pages_sent);
    page.body = slg_text_of(text);
    slg_rpc_encode_page(out, &page);
}

static void count_query(struct fake *fake, const uint8_t *request, size_t len)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_query query;

    assert_int_equal(slg_rpc_decode_query(arena, request, len, &query), SLG_OK);
    fake->query_count++;
    fake->shards_asked += query.shard_count;
    slg_arena_destroy(arena);
}

/* Is it this storer's turn to fail? */
static bool fails(struct fake *fake, enum slg_rpc_type type)
{
    size_t left;

    if (fake->failure == SLG_OK || (type != SLG_RPC_QUERY && type != SLG_RPC_STREAMS))
        return false;
    left = atomic_load(fake->failures_left);
    while (left > 0 && !atomic_compare_exchange_weak(fake->failures_left, &left, left - 1))
        continue;
    return left > 0;
}

/* Answer the QUERY that was kept last. */
static void free_call(struct fake *fake)
{
    struct slg_transport_call *call = NULL;
    struct slg_buf out;

    slg_buf_init(&out, 65536);
    (void)pthread_mutex_lock(&fake->lock);
    if (fake->kept_count > 0)
        call = fake->kept[--fake->kept_count];
    fake->pages_sent = 0;
    reply_numbered_page(fake, fake->index, &out);
    (void)pthread_mutex_unlock(&fake->lock);
    if (call != NULL)
        slg_transport_call_reply(call, out.data, out.len);
    slg_buf_fini(&out);
}

static void on_call(void *ctx, struct slg_transport_call *call, const uint8_t *request, size_t len)
{
    struct fake *fake = ctx;
    enum slg_rpc_type type;
    struct fake *frees;
    struct slg_buf out;

    assert_int_equal(slg_rpc_peek(request, len, &type), SLG_OK);
    slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);
    (void)pthread_mutex_lock(&fake->lock);
    fake->cancel_count += type == SLG_RPC_CANCEL;
    if ((fake->mute || (fake->mute_types & 1U << type) != 0) &&
        fake->kept_count < SLG_ARRAY_LEN(fake->kept)) {
        if (type == SLG_RPC_QUERY)
            count_query(fake, request, len);
        fake->kept[fake->kept_count++] = call;
        call = NULL;
    } else if (type == SLG_RPC_SETS && !fake->refuse) {
        reply_sets(fake, &out);
    } else if (fails(fake, type)) {
        if (type == SLG_RPC_QUERY)
            count_query(fake, request, len);
        slg_rpc_encode_failure(&out, fake->failure, "the disk is on fire");
    } else if (type == SLG_RPC_QUERY || type == SLG_RPC_NEXT) {
        if (type == SLG_RPC_QUERY) {
            fake->pages_sent = 0;
            count_query(fake, request, len);
        }
        if (fake->page_count > 0)
            reply_numbered_page(fake, fake->index, &out);
        else
            reply_page(&out);
    } else if (type == SLG_RPC_CANCEL || type == SLG_RPC_ENSURE) {
        slg_rpc_encode_done(&out);
    } else if (type == SLG_RPC_STREAMS && !fake->refuse) {
        struct slg_rpc_stream stream = { .canonical = { "x", 1 }, .entry_count = fake->held };

        slg_rpc_encode_streams_reply(&out, &stream, 1, /* more= */ false);
    } else {
        slg_rpc_encode_failure(&out, SLG_UNAVAILABLE, "the disk is on fire");
    }
    frees = type == SLG_RPC_QUERY ? fake->frees : NULL;
    (void)pthread_mutex_unlock(&fake->lock);
    if (call != NULL)
        slg_transport_call_reply(call, out.data, out.len);
    if (frees != NULL)
        free_call(frees);
    slg_buf_fini(&out);
}

static void start_storers(struct world *world, const char *test_name)
{
    for (size_t i = 0; i < world->count; i++) {
        struct slg_transport_server_options options = { .call_count_max = 16,
                                                        .handler = on_call,
                                                        .handler_ctx = &world->fakes[i] };
        char url[128];

        assert_int_equal(pthread_mutex_init(&world->fakes[i].lock, NULL), 0);
        (void)snprintf(url, sizeof(url), "inproc://fanout-%s-%zu", test_name, i);
        options.url = url;
        assert_int_equal(slg_transport_server_start(&options, &world->fakes[i].server, NULL),
                         SLG_OK);
    }
}

static void make_map(struct world *world, unsigned replication)
{
    struct slg_error error = { 0 };
    struct slg_buf text;

    slg_buf_init(&text, 65536);
    slg_buf_append_text(&text, "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":[");
    for (size_t i = 0; i < world->count; i++)
        slg_buf_printf(&text, "%s{\"id\":\"s%zu\",\"address\":\"%s\"}", i == 0 ? "" : ",", i,
                       slg_transport_server_url(world->fakes[i].server));
    slg_buf_printf(&text, "],\"layouts\":[{\"replication\":%u,\"write_quorum\":%u,\"nodes\":[",
                   replication, world->write_quorum > 0 ? world->write_quorum : 1);
    for (size_t i = 0; i < world->count; i++)
        slg_buf_printf(&text, "%s{\"id\":\"s%zu\"}", i == 0 ? "" : ",", i);
    slg_buf_append_text(&text, "]}]}");
    if (slg_map_parse((const char *)text.data, text.len, &world->map, &error) != SLG_OK)
        fail_msg("%s", error.message);
    slg_buf_fini(&text);
}

static bool never_canceled(void *arg)
{
    (void)arg;
    return false;
}

static bool always_canceled(void *arg)
{
    (void)arg;
    return true;
}

static void open_world(struct world *world, const char *test_name, unsigned replication,
                       int64_t timeout_ns)
{
    struct slg_transport_tls tls = { 0 };
    struct slg_fanout_options options = {
        .tenant = { "default", 7 },
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + timeout_ns,
        .now_wall_ns = (WINDOW + 10) * HOUR_NS,
        .memory_bytes_max = 16 << 20,
        .parallel_max = 2,
        .canceled = never_canceled,
    };

    start_storers(world, test_name);
    make_map(world, replication);
    assert_int_equal(slg_peers_create(world->map, &tls, 16, &world->peers, NULL), SLG_OK);
    options.peers = world->peers;
    assert_int_equal(slg_fanout_create(&options, &world->fanout, NULL), SLG_OK);
}

/* After stop no handler runs any more, so what the mute storers kept is complete and can be answered. */
static void close_world(struct world *world)
{
    slg_fanout_destroy(world->fanout);
    slg_peers_destroy(world->peers);
    for (size_t i = 0; i < world->count; i++) {
        struct fake *fake = &world->fakes[i];

        slg_transport_server_stop(fake->server);
        for (size_t k = 0; k < fake->kept_count; k++)
            slg_transport_call_reply(fake->kept[k], "", 0);
        slg_transport_server_destroy(fake->server);
        (void)pthread_mutex_destroy(&fake->lock);
    }
    slg_map_unref(world->map);
}

/* Wait until every storer can be asked: the first request after the dial may be too early. */
static enum slg_status fix_sets(struct world *world, struct slg_error *error)
{
    return slg_fanout_fix_sets(world->fanout, WINDOW * HOUR_NS, (WINDOW + 4) * HOUR_NS, error);
}

static enum slg_status no_rows(void *arg, const struct slg_row *row)
{
    (void)arg;
    (void)row;
    fail_msg("there is no row in this test");
    return SLG_OK;
}

static enum slg_status try_log(struct world *world, const char *text, struct slg_error *error)
{
    struct slg_query_params params = { .text = slg_text_of(text),
                                       .start_ns = WINDOW * HOUR_NS,
                                       .end_ns = (WINDOW + 4) * HOUR_NS,
                                       .step_ns = 60 * SLG_NS_PER_SEC,
                                       .limit = 100,
                                       .series_max = 500,
                                       .memory_bytes_max = 16 << 20,
                                       .leaf_memory_bytes_max = 16 << 20,
                                       .leaf_series_max = 1000,
                                       .leaf_bytes_scan_max = 1 << 30 };
    struct slg_merge_params merge = { .limit = 100, .memory_bytes_max = 16 << 20 };
    struct slg_query *query = NULL;
    enum slg_status status;

    assert_int_equal(slg_query_create(&params, &query, error), SLG_OK);
    status = slg_fanout_run_log(world->fanout, query, &merge, no_rows, NULL, error);
    slg_query_destroy(query);
    return status;
}

static void run_log(struct world *world, const char *text)
{
    struct slg_error error = { 0 };

    if (try_log(world, text, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static void test_each_shard_is_asked_once(void **state)
{
    struct world world = { .count = 2,
                           .fakes = { { .held = 3, .windows = 4 }, { .held = 3, .windows = 4 } } };
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "once", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked + world.fakes[1].shards_asked, 4);
    assert_true(slg_fanout_stats(world.fanout)->lines_read >= 10);
    close_world(&world);
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
        struct world world = { .count = 1, .fakes = { { .held = 3, .windows = 4 } } };
        struct slg_error error = { 0 };

        open_world(&world, "split", 1, 20 * SLG_NS_PER_SEC);
        assert_int_equal(fix_sets(&world, &error), SLG_OK);
        run_log(&world, rows[i].query);
        CHECK(rows[i].name, world.fakes[0].query_count == rows[i].part_count);
        CHECK(rows[i].name, world.fakes[0].shards_asked == 4);
        close_world(&world);
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
        struct world world = { .count = 1,
                               .fakes = { { .held = rows[i].held, .windows = rows[i].windows } } };
        struct slg_leaf_request leaf = { .kind = rows[i].kind, .text = slg_text_of("{a=\"b\"}") };
        struct slg_error error = { 0 };
        size_t pages = 0;

        open_world(&world, "cut", 1, 20 * SLG_NS_PER_SEC);
        assert_int_equal(fix_sets(&world, &error), SLG_OK);
        assert_int_equal(slg_fanout_run_leaf(world.fanout, &leaf, WINDOW * HOUR_NS,
                                             (WINDOW + 4) * HOUR_NS, count_page, &pages, &error),
                         SLG_OK);
        CHECK(rows[i].name, pages == rows[i].query_count);
        CHECK(rows[i].name, world.fakes[0].query_count == rows[i].query_count);
        CHECK(rows[i].name, world.fakes[0].shards_asked == rows[i].shard_count);
        close_world(&world);
    }
}

static void test_the_fuller_replica_evaluates(void **state)
{
    struct world world = { .count = 2,
                           .fakes = { { .held = 2, .windows = 4 }, { .held = 5, .windows = 4 } } };
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "fuller", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked, 0);
    assert_int_equal(world.fakes[1].shards_asked, 4);
    close_world(&world);
}

static void test_a_failed_storer_is_named(void **state)
{
    struct world world = { .count = 2,
                           .fakes = { { .held = 1, .windows = 4 }, { .refuse = true } } };
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "failed", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    assert_non_null(slg_fanout_incomplete(world.fanout));
    assert_non_null(
        strstr(slg_fanout_incomplete(world.fanout), "storer \"s1\" the disk is on fire"));
    assert_non_null(strstr(slg_fanout_incomplete(world.fanout), "2025-11-24T16:00:00Z"));
    close_world(&world);
}

/* What the only one that answers has is shown, although it may have lost a part: with a warning. */
static void test_a_refilling_storer_is_better_than_none(void **state)
{
    struct world world = {
        .count = 2, .fakes = { { .held = 1, .windows = 4, .refilling = true }, { .refuse = true } }
    };
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "refilling", 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    assert_non_null(strstr(slg_fanout_incomplete(world.fanout), "storer \"s0\" is refilling"));
    run_log(&world, "{a=\"b\"}");
    assert_int_equal(world.fakes[0].shards_asked, 4);
    close_world(&world);
}

static void test_no_storer_at_all(void **state)
{
    struct world world = { .count = 1, .fakes = { { .refuse = true } } };
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "none", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(&world, &error), SLG_UNAVAILABLE);
    assert_non_null(strstr(error.message, "no storer answered"));
    close_world(&world);
}

static void test_a_silent_storer_ends_with_the_deadline(void **state)
{
    struct world world = { .count = 1, .fakes = { { .mute = true } } };
    struct slg_error error = { 0 };
    enum slg_status status;

    (void)state;
    open_world(&world, "silent", 1, 300 * SLG_NS_PER_MS);
    status = fix_sets(&world, &error);
    assert_true(status == SLG_TIMEOUT || status == SLG_UNAVAILABLE);
    close_world(&world);
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
    struct world world = { .count = 2,
                           .write_quorum = 2,
                           .fakes = { { .held = 5, .windows = 1 }, { .mute = true } } };
    struct slg_error error = { 0 };
    int64_t begin;

    (void)state;
    open_world(&world, "once", 2, 60 * SLG_NS_PER_SEC);
    assert_false(slg_peers_silent(world.peers, 1));
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    assert_null(slg_fanout_incomplete(world.fanout));
    assert_true(slg_peers_silent(world.peers, 1));
    assert_false(slg_peers_silent(world.peers, 0));
    begin = slg_clock_mono_ns(slg_clock_system());
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fix_sets(&world, &error), SLG_OK);
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
    close_world(&world);
}

static void test_a_client_that_left_cancels(void **state)
{
    struct world world = { .count = 1, .fakes = { { .mute = true } } };
    struct slg_fanout_options options = {
        .tenant = { "default", 7 },
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC,
        .memory_bytes_max = 1 << 20,
        .parallel_max = 1,
        .canceled = always_canceled,
    };
    struct slg_fanout *fanout = NULL;
    struct slg_error error = { 0 };

    (void)state;
    open_world(&world, "left", 1, 60 * SLG_NS_PER_SEC);
    options.peers = world.peers;
    assert_int_equal(slg_fanout_create(&options, &fanout, NULL), SLG_OK);
    assert_int_equal(slg_fanout_fix_sets(fanout, WINDOW * HOUR_NS, (WINDOW + 1) * HOUR_NS, &error),
                     SLG_CANCELED);
    slg_fanout_destroy(fanout);
    close_world(&world);
}

static void test_streams_are_added_by_id(void **state)
{
    struct world world = { .count = 2, .fakes = { { .held = 3 }, { .held = 4 } } };
    struct slg_fanout_streams wanted = { .from_ns = 0, .to_ns = 1 };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_stream *streams = NULL;
    struct slg_error error = { 0 };
    size_t count = 0;

    (void)state;
    open_world(&world, "streams", 1, 20 * SLG_NS_PER_SEC);
    assert_int_equal(
        slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error), SLG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(streams[0].entry_count, 7);
    slg_arena_destroy(arena);
    close_world(&world);
}

/* ---- storers that are lost on the way ---- */

/* Two storers with the same, of which the one that is asked first fails. */
static void open_failing(struct world *world, const char *test_name, enum slg_status failure,
                         atomic_size_t *failures_left)
{
    struct slg_error error = { 0 };

    world->count = 2;
    for (size_t i = 0; i < world->count; i++)
        world->fakes[i] = (struct fake){
            .held = 3, .windows = 4, .failure = failure, .failures_left = failures_left
        };
    open_world(world, test_name, 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(fix_sets(world, &error), SLG_OK);
}

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
        struct world world = { .count = 0 };
        struct slg_error error = { 0 };
        atomic_size_t failures_left;
        size_t failed;

        atomic_init(&failures_left, 1);
        open_failing(&world, "replaced", row->failure, &failures_left);
        CHECK(row->name, try_log(&world, "{a=\"b\"}", &error) == row->want);
        CHECK(row->name, error.status == row->want);
        CHECK(row->name, strstr(error.message, "the disk is on fire") != NULL);
        CHECK(row->name, slg_fanout_fail_over(world.fanout) == (row->want == SLG_UNAVAILABLE));
        if (row->want == SLG_UNAVAILABLE) {
            CHECK(row->name, strstr(error.message, "storer \"s") != NULL);
            failed = world.fakes[0].query_count > 0 ? 0 : 1;
            run_log(&world, "{a=\"b\"}");
            CHECK(row->name, world.fakes[failed].query_count == 1);
            CHECK(row->name, world.fakes[1 - failed].shards_asked == 4);
        }
        close_world(&world);
    }
}

static void test_nobody_is_left(void **state)
{
    struct world world = { .count = 0 };
    struct slg_error error = { 0 };
    atomic_size_t failures_left;

    (void)state;
    atomic_init(&failures_left, 1000);
    open_failing(&world, "nobody", SLG_IO, &failures_left);
    assert_int_equal(try_log(&world, "{a=\"b\"}", &error), SLG_UNAVAILABLE);
    assert_true(slg_fanout_fail_over(world.fanout));
    assert_int_equal(try_log(&world, "{a=\"b\"}", &error), SLG_UNAVAILABLE);
    assert_false(slg_fanout_fail_over(world.fanout));
    close_world(&world);
}

/* What slg_fanout_evaluate is given: a log query, counted. */
struct work {
    struct world *world;
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
    return try_log(work->world, "{a=\"b\"}", reterr);
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
        struct world world = { .count = 0 };
        struct work work = { .world = &world };
        struct slg_error error = { 0 };
        atomic_size_t failures_left;

        atomic_init(&failures_left, rows[i].failures);
        open_failing(&world, "again", SLG_CANCELED, &failures_left);
        CHECK(rows[i].name,
              slg_fanout_evaluate(world.fanout, WINDOW * HOUR_NS, (WINDOW + 4) * HOUR_NS, &steps,
                                  &work, &error) == rows[i].want);
        CHECK(rows[i].name, work.run_count == rows[i].runs);
        CHECK(rows[i].name, work.begin_count == rows[i].runs);
        close_world(&world);
    }
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
        struct world world = { .count = 0 };
        const struct slg_fanout_streams wanted = { .from_ns = WINDOW * HOUR_NS,
                                                   .to_ns = (WINDOW + 4) * HOUR_NS };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        struct slg_rpc_stream *streams = NULL;
        struct slg_error error = { 0 };
        atomic_size_t failures_left;
        size_t count = 77;

        atomic_init(&failures_left, rows[i].failures);
        open_failing(&world, "shorter", SLG_CORRUPT, &failures_left);
        CHECK(rows[i].name, slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count,
                                                    &error) == rows[i].want);
        CHECK(rows[i].name, count == (rows[i].want == SLG_OK ? 1 : 77));
        CHECK(rows[i].name, slg_fanout_incomplete(world.fanout) == NULL);
        close_world(&world);
        slg_arena_destroy(arena);
    }
}

static bool canceled_when(void *arg)
{
    return atomic_load((atomic_bool *)arg);
}

/* The client hangs up while a storer says CANCELED: that is no reason to ask another. */
static void test_a_client_that_left_is_no_fail_over(void **state)
{
    struct world world = { .count = 0 };
    struct slg_fanout_options options = {
        .tenant = { "default", 7 },
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC,
        .now_wall_ns = (WINDOW + 10) * HOUR_NS,
        .memory_bytes_max = 16 << 20,
        .parallel_max = 1,
        .canceled = canceled_when,
    };
    struct slg_error error = { 0 };
    atomic_size_t failures_left;
    atomic_bool gone;

    (void)state;
    atomic_init(&failures_left, 1);
    atomic_init(&gone, false);
    open_failing(&world, "hung", SLG_CANCELED, &failures_left);
    slg_fanout_destroy(world.fanout);
    options.peers = world.peers;
    options.canceled_arg = &gone;
    assert_int_equal(slg_fanout_create(&options, &world.fanout, NULL), SLG_OK);
    assert_int_equal(fix_sets(&world, &error), SLG_OK);
    atomic_store(&gone, true);
    assert_int_equal(try_log(&world, "{a=\"b\"}", &error), SLG_CANCELED);
    assert_false(slg_fanout_fail_over(world.fanout));
    close_world(&world);
}

/* ---- slow and silent storers ---- */

/* Change what a storer answers from now on. */
static void mute(struct fake *fake, unsigned types)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake->mute_types = types;
    (void)pthread_mutex_unlock(&fake->lock);
}

static size_t count_of(struct fake *fake, const size_t *count)
{
    size_t found;

    (void)pthread_mutex_lock(&fake->lock);
    found = *count;
    (void)pthread_mutex_unlock(&fake->lock);
    return found;
}

/* A fan-out with a pace by which a sub-query is slow after 50 ms. */
static void open_paced(struct world *world, const char *test_name, struct slg_hedge_pace *pace)
{
    struct slg_fanout_options options = {
        .tenant = { "default", 7 },
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC,
        .now_wall_ns = (WINDOW + 10) * HOUR_NS,
        .memory_bytes_max = 16 << 20,
        .parallel_max = 1,
        .canceled = never_canceled,
        .pace = pace,
    };

    slg_hedge_pace_init(pace);
    for (unsigned kind = 0; kind <= SLG_LEAF_PATTERNS; kind++)
        for (size_t shards = 1; shards <= 4; shards++)
            for (unsigned i = 0; i < SLG_HEDGE_SAMPLES_MIN; i++)
                slg_hedge_pace_note(pace, kind, shards, SLG_NS_PER_MS);
    for (size_t i = 0; i < world->count; i++)
        world->fakes[i].index = i;
    open_world(world, test_name, (unsigned)world->count, 20 * SLG_NS_PER_SEC);
    slg_fanout_destroy(world->fanout);
    options.peers = world->peers;
    assert_int_equal(slg_fanout_create(&options, &world->fanout, NULL), SLG_OK);
}

/* Fix the sets again and again until this storer was chosen for all shards. */
static void choose_node(struct world *world, size_t wanted)
{
    for (int turn = 0; turn < 1000; turn++) {
        struct slg_rpc_shard_set set;
        struct slg_error error = { 0 };
        size_t node_index, count = 0, chosen = 0;

        assert_int_equal(fix_sets(world, &error), SLG_OK);
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

static enum slg_status run_leaf(struct world *world, struct slg_buf *out, struct slg_error *error)
{
    const struct slg_leaf_request leaf = { .kind = SLG_LEAF_SAMPLES,
                                           .text = { "rate({a=\"b\"}[1m])", 18 },
                                           .memory_bytes_max = 1 << 20 };

    slg_buf_clear(out);
    return slg_fanout_run_leaf(world->fanout, &leaf, WINDOW * HOUR_NS, (WINDOW + 4) * HOUR_NS,
                               collect, out, error);
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
        struct world world = { .count = 2,
                               .fakes = { { .held = 3, .windows = 1, .page_count = 3 },
                                          { .held = 3, .windows = 1, .page_count = 3 } } };
        struct slg_error error = { 0 };
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        open_paced(&world, "slow", &pace);
        choose_node(&world, 0);
        mute(&world.fakes[0], row->mute);
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
        close_world(&world);
    }
}

/* The one that was slow is told to stop. */
static void test_the_loser_is_canceled(void **state)
{
    static struct slg_hedge_pace pace;
    struct world world = { .count = 2,
                           .fakes = { { .held = 3, .windows = 1, .page_count = 1 },
                                      { .held = 3, .windows = 1, .page_count = 1 } } };
    int64_t deadline_ns = slg_clock_mono_ns(slg_clock_system()) + 20 * SLG_NS_PER_SEC;
    struct slg_error error = { 0 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    open_paced(&world, "loser", &pace);
    choose_node(&world, 1);
    mute(&world.fakes[1], MUTE(QUERY));
    assert_int_equal(run_leaf(&world, &out, &error), SLG_OK);
    while (count_of(&world.fakes[1], &world.fakes[1].cancel_count) == 0 &&
           slg_clock_mono_ns(slg_clock_system()) < deadline_ns)
        continue;
    assert_int_equal(count_of(&world.fakes[1], &world.fakes[1].cancel_count), 1);
    slg_buf_fini(&out);
    close_world(&world);
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
        struct world world = {
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
        mute(&world.fakes[0], rows[i].mute_first);
        mute(&world.fakes[2], rows[i].mute_second);
        (void)pthread_mutex_lock(&world.fakes[2].lock);
        world.fakes[2].frees = rows[i].mute_second != 0 ? &world.fakes[0] : NULL;
        (void)pthread_mutex_unlock(&world.fakes[2].lock);
        CHECK(rows[i].name, run_leaf(&world, &out, &error) == SLG_OK);
        slg_buf_append_byte(&out, 0);
        CHECK(rows[i].name, strcmp((const char *)out.data, rows[i].pages) == 0 ||
                                strcmp((const char *)out.data, rows[i].other_order) == 0);
        slg_buf_fini(&out);
        close_world(&world);
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
        struct world world = { .count = rows[i].storer_count };
        const struct slg_fanout_streams wanted = { .from_ns = WINDOW * HOUR_NS,
                                                   .to_ns = (WINDOW + 4) * HOUR_NS };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        struct slg_rpc_stream *streams = NULL;
        struct slg_error error = { 0 };
        const int64_t timeout_ns = (rows[i].replaced ? 20 : 2) * SLG_NS_PER_SEC;
        enum slg_status status;
        int64_t started_ns, took_ns;
        size_t count = 77;

        for (size_t k = 0; k < world.count; k++)
            world.fakes[k] =
                (struct fake){ .held = 4 - k, /* the first is chosen, for it has most */
                               .windows = 1,
                               .mute_types = rows[i].mute };
        open_world(&world, "mute", (unsigned)world.count, timeout_ns);
        if (world.count > 1)
            mute(&world.fakes[1], 0);
        started_ns = slg_clock_mono_ns(slg_clock_system());
        status = slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count, &error);
        took_ns = slg_clock_mono_ns(slg_clock_system()) - started_ns;
        CHECK(rows[i].name, count == (status == SLG_OK ? 1 : 77));
        CHECK(rows[i].name, !rows[i].replaced || status == SLG_OK);
        CHECK(rows[i].name, rows[i].replaced || took_ns >= timeout_ns - 300 * SLG_NS_PER_MS);
        close_world(&world);
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
    { "all answer", 1, false, WINDOW, 4, NULL },
    { "a storer that alone has shards fails", 1, true, WINDOW, 4,
      "between 2025-11-24T16:00:00Z and" },
    { "an accepted batch may be there alone", 2, true, WINDOW, 4, "between" }, /* W_min is 1 */
    { "all of time", 1, true, 0, WINDOW * 2,
      "incomplete answer: storer \"s1\" the disk is on fire" },
    { "nothing can be there yet", 1, true, WINDOW * 2, 4, NULL },
};

static void test_partial_lists_say_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(partial_cases); i++) {
        const struct partial_case *row = &partial_cases[i];
        struct world world = { .count = 2,
                               .fakes = { { .held = 1, .windows = 1 },
                                          { .held = 1, .windows = 1, .refuse = row->refuse } } };
        struct slg_arena *arena = slg_arena_create(1 << 20);
        const struct slg_fanout_streams wanted = { .from_ns = row->from_hour * HOUR_NS,
                                                   .to_ns =
                                                       (row->from_hour + row->hours) * HOUR_NS };
        struct slg_rpc_stream *streams;
        struct slg_error error = { 0 };
        const char *text;
        size_t count;

        open_world(&world, "partial", row->replication, 20 * SLG_NS_PER_SEC);
        CHECK(row->name, slg_fanout_list_streams(world.fanout, &wanted, arena, &streams, &count,
                                                 &error) == SLG_OK);
        CHECK(row->name, count == 1);
        text = slg_fanout_incomplete(world.fanout);
        CHECK(row->name, (text == NULL) == (row->want == NULL));
        CHECK(row->name, text == NULL || strstr(text, row->want) != NULL);
        close_world(&world);
        slg_arena_destroy(arena);
    }
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
        cmocka_unit_test(test_a_silent_storer_ends_with_the_deadline),
        cmocka_unit_test(test_who_is_to_blame_for_the_deadline),
        cmocka_unit_test(test_a_silent_storer_is_waited_for_once),
        cmocka_unit_test(test_a_client_that_left_cancels),
        cmocka_unit_test(test_streams_are_added_by_id),
        cmocka_unit_test(test_a_storer_that_fails_is_replaced),
        cmocka_unit_test(test_nobody_is_left),
        cmocka_unit_test(test_it_begins_again),
        cmocka_unit_test(test_a_list_is_never_silently_shorter),
        cmocka_unit_test(test_a_client_that_left_is_no_fail_over),
        cmocka_unit_test(test_a_slow_storer_gets_a_rival),
        cmocka_unit_test(test_the_loser_is_canceled),
        cmocka_unit_test(test_a_rival_in_parts),
        cmocka_unit_test(test_a_silent_storer_is_replaced),
        cmocka_unit_test(test_partial_lists_say_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
