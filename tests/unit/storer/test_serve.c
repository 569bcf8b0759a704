/* Every message gets exactly one reply, of its own form; a query is paged, continued, canceled, and forgotten when
 * idle; 40 queries at once are all answered; FETCH gives exactly the wanted batches, byte for byte.
 * Covers: storer/fetch.c
 * Oracle: proto/rpc.h decodes the replies; what was stored is counted. */
#include "tests/helper/storer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "logql/plan/page.h"
#include "storer/serve.h"

struct fixture {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_metric_table *metrics;
    struct slg_map *map;
    struct slg_catalogue *catalogue;
    struct slg_clock_fake clock;
    struct slg_commit *commit;
    struct slg_serve *serve;
    struct slg_arena *arena;
};

struct reply {
    struct slg_buf request;
    struct slg_buf bytes;
    atomic_int count;
};

static void take_reply(void *ctx, const void *bytes, size_t len)
{
    struct reply *reply = ctx;

    slg_buf_append(&reply->bytes, bytes, len);
    atomic_fetch_add(&reply->count, 1);
}

static void init_reply(struct reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    slg_buf_init(&reply->request, SLG_MESSAGE_BYTES_MAX);
    slg_buf_init(&reply->bytes, SLG_MESSAGE_BYTES_MAX);
}

static void fini_reply(struct reply *reply)
{
    slg_buf_fini(&reply->request);
    slg_buf_fini(&reply->bytes);
}

static void send(struct fixture *f, struct reply *reply)
{
    slg_serve_request(f->serve, reply->request.data, reply->request.len, take_reply, reply);
}

static void wait_reply(struct reply *reply)
{
    int64_t deadline_ns = slg_clock_mono_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC;

    while (atomic_load(&reply->count) == 0) {
        assert_true(slg_clock_mono_ns(slg_clock_system()) < deadline_ns);
        (void)sched_yield();
    }
    assert_int_equal(atomic_load(&reply->count), 1);
}

static void ask(struct fixture *f, struct reply *reply)
{
    send(f, reply);
    wait_reply(reply);
}

static void set_up(struct fixture *f)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = "n1",
                                                .address = "inproc://x",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1,
                                                .retention_ns = 120 * 24 * TEST_HOUR_NS };
    struct slg_catalogue_options catalogue = { .map_bytes = 256 << 20, .open_count_max = 8 };
    struct slg_commit_options commit = {
        .node_id = "n1", .lane_count = 2, .waiting_max = 64, .group_bytes = 4 << 20
    };
    struct slg_serve_options serve = { .node_id = "n1",
                                       .worker_count = 2,
                                       .session_count_max = 50,
                                       .session_idle_ns = SLG_NS_PER_SEC,
                                       .view_bytes_max = 4 << 20 };

    f->directory = test_make_directory();
    f->arena = slg_arena_create(64 << 20);
    f->registry = slg_metric_registry_create();
    f->metrics = slg_storer_metrics_register(f->registry);
    slg_clock_fake_init(&f->clock, TEST_WINDOW_NS + TEST_HOUR_NS, 0);
    assert_int_equal(slg_map_make_single(&map, &f->map, NULL), SLG_OK);
    catalogue.data_dir = f->directory;
    assert_int_equal(slg_catalogue_create(&catalogue, &f->catalogue, NULL), SLG_OK);
    commit.catalogue = serve.catalogue = f->catalogue;
    commit.map = serve.map = f->map;
    commit.data_dir = serve.data_dir = f->directory;
    commit.clock = serve.clock = &f->clock.clock;
    commit.metrics = serve.metrics = f->metrics;
    assert_int_equal(slg_commit_start(&commit, &f->commit, NULL), SLG_OK);
    serve.commit = f->commit;
    assert_int_equal(slg_serve_start(&serve, &f->serve, NULL), SLG_OK);
}

static void tear_down(struct fixture *f)
{
    slg_serve_stop(f->serve);
    slg_commit_stop(f->commit);
    slg_serve_destroy(f->serve);
    slg_catalogue_destroy(f->catalogue);
    slg_map_unref(f->map);
    slg_metric_registry_destroy(f->registry);
    slg_arena_destroy(f->arena);
    test_drop_directory(f->directory);
}

static void store_line(struct fixture *f, uint64_t sequence, const char *line)
{
    struct slg_shard_id shard = test_shard(0);
    enum slg_store_result result;
    struct slg_text text;
    struct slg_buf batch;
    struct reply reply;
    uint64_t epoch;

    init_reply(&reply);
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, sequence, line);
    slg_rpc_encode_store(&reply.request, 0, batch.data, batch.len);
    ask(f, &reply);
    assert_int_equal(
        slg_rpc_decode_store_reply(reply.bytes.data, reply.bytes.len, &result, &epoch, &text, NULL),
        SLG_OK);
    assert_int_equal(result, SLG_STORE_STORED);
    assert_int_equal(epoch, 1);
    slg_buf_fini(&batch);
    fini_reply(&reply);
}

/* The sets, kept in the fixture's arena. */
static size_t get_sets(struct fixture *f, struct slg_rpc_shard_set **ret_shards)
{
    const struct slg_rpc_sets request = { .tenant = slg_text_of("fake"),
                                          .from_ns = TEST_WINDOW_NS,
                                          .to_ns = TEST_WINDOW_NS + 10 * TEST_HOUR_NS,
                                          .map_epoch = 1,
                                          .want_ranges = true };
    struct slg_error err = { .message = "" };
    struct slg_rpc_sets_reply sets;
    struct reply reply;
    uint8_t *kept;

    init_reply(&reply);
    slg_rpc_encode_sets(&reply.request, &request);
    ask(f, &reply);
    kept = (uint8_t *)slg_arena_copy(f->arena, reply.bytes.data, reply.bytes.len);
    assert_int_equal(slg_rpc_decode_sets_reply(f->arena, kept, reply.bytes.len, &sets, &err),
                     SLG_OK);
    fini_reply(&reply);
    *ret_shards = (struct slg_rpc_shard_set *)(uintptr_t)sets.shards; /* the arena's: ours */
    return sets.shard_count;
}

static void encode_text(struct slg_buf *out, uint8_t id, const char *text, int64_t deadline_ms,
                        const struct slg_rpc_shard_set *shards, size_t count)
{
    struct slg_rpc_query query = { .tenant = slg_text_of("fake"),
                                   .map_epoch = 1,
                                   .leaf = { .kind = SLG_LEAF_LOG,
                                             .text = slg_text_of(text),
                                             .start_ns = TEST_WINDOW_NS,
                                             .end_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                             .direction = SLG_FORWARD,
                                             .memory_bytes_max = 64 << 20,
                                             .series_max = 100,
                                             .bytes_scan_max = UINT64_MAX,
                                             .deadline_ms = deadline_ms },
                                   .shards = shards,
                                   .shard_count = count };

    memset(query.query_id, id, sizeof(query.query_id));
    slg_rpc_encode_query(out, &query);
}

static void encode_query(struct slg_buf *out, uint8_t id, const struct slg_rpc_shard_set *shards,
                         size_t count, uint64_t epoch)
{
    struct slg_rpc_query query = { .tenant = slg_text_of("fake"),
                                   .map_epoch = epoch,
                                   .leaf = { .kind = SLG_LEAF_LOG,
                                             .text = slg_text_of("{app=~\".+\"}"),
                                             .start_ns = TEST_WINDOW_NS,
                                             .end_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                             .direction = SLG_FORWARD,
                                             .memory_bytes_max = 64 << 20,
                                             .series_max = 100,
                                             .bytes_scan_max = UINT64_MAX,
                                             .deadline_ms = 60000 },
                                   .shards = shards,
                                   .shard_count = count };

    memset(query.query_id, id, sizeof(query.query_id));
    slg_rpc_encode_query(out, &query);
}

/* Rows of the page in reply; *ret_more. */
static size_t page_rows(struct fixture *f, const struct reply *reply, bool *ret_more)
{
    struct slg_error err = { .message = "" };
    struct slg_rpc_page page;
    struct slg_page body;
    enum slg_status status = slg_rpc_decode_page(reply->bytes.data, reply->bytes.len, &page, &err);

    if (status != SLG_OK)
        print_error("%s\n", err.message);
    assert_int_equal(status, SLG_OK);
    assert_int_equal(slg_page_decode(f->arena, page.body.at, page.body.len, &body, &err), SLG_OK);
    *ret_more = page.more;
    return body.row_count;
}

static enum slg_status reply_status(const struct reply *reply)
{
    struct slg_error err;

    return slg_rpc_reply_status(reply->bytes.data, reply->bytes.len, &err);
}

/* 30 lines of 100 KB: three pages and some. */
static void store_big_lines(struct fixture *f, size_t count)
{
    char *line = malloc(100001);

    assert_non_null(line);
    memset(line, 'x', 100000);
    line[100000] = '\0';
    for (size_t i = 1; i <= count; i++)
        store_line(f, i, line);
    free(line);
}

static void test_store_sets_query_next(void **state)
{
    struct slg_rpc_shard_set *shards;
    struct reply reply;
    struct fixture f;
    size_t rows = 0, pages = 0;
    uint8_t id[16];
    bool more = true;

    (void)state;
    set_up(&f);
    store_big_lines(&f, 30);
    assert_int_equal(get_sets(&f, &shards), 1);
    assert_int_equal(shards[0].digest.count, 30);
    memset(id, 7, sizeof(id));
    while (more) {
        init_reply(&reply);
        if (pages == 0)
            encode_query(&reply.request, 7, shards, 1, 1);
        else
            slg_rpc_encode_next(&reply.request, id);
        ask(&f, &reply);
        rows += page_rows(&f, &reply, &more);
        fini_reply(&reply);
        pages++;
    }
    assert_int_equal(rows, 30);
    assert_true(pages >= 3);
    assert_int_equal(slg_serve_query_count(f.serve), 0);
    init_reply(&reply);
    slg_rpc_encode_next(&reply.request, id); /* it has ended */
    ask(&f, &reply);
    assert_int_equal(reply_status(&reply), SLG_NOT_FOUND);
    fini_reply(&reply);
    tear_down(&f);
}

static void open_and_park(struct fixture *f, uint8_t id)
{
    struct slg_rpc_shard_set *shards;
    size_t count = get_sets(f, &shards);
    struct reply reply;
    bool more;

    init_reply(&reply);
    encode_query(&reply.request, id, shards, count, 1);
    ask(f, &reply);
    assert_true(page_rows(f, &reply, &more) > 0);
    assert_true(more);
    fini_reply(&reply);
}

static void test_cancel_idle_and_stop(void **state)
{
    struct reply reply;
    struct fixture f;
    uint8_t id[16];

    (void)state;
    set_up(&f);
    store_big_lines(&f, 30);
    open_and_park(&f, 1);
    open_and_park(&f, 2);
    open_and_park(&f, 3);
    assert_int_equal(slg_serve_query_count(f.serve), 3);
    memset(id, 1, sizeof(id));
    init_reply(&reply);
    slg_rpc_encode_cancel(&reply.request, id);
    ask(&f, &reply);
    assert_int_equal(reply_status(&reply), SLG_OK);
    fini_reply(&reply);
    assert_int_equal(slg_serve_query_count(f.serve), 2);
    slg_serve_expire(f.serve, slg_clock_mono_ns(slg_clock_system()));
    assert_int_equal(slg_serve_query_count(f.serve), 2);
    slg_serve_expire(f.serve, slg_clock_mono_ns(slg_clock_system()) + 2 * SLG_NS_PER_SEC);
    assert_int_equal(slg_serve_query_count(f.serve), 0);
    open_and_park(&f, 4); /* stop closes it */
    tear_down(&f);
}

/* A query whose lines each take long: its time ends while it computes, and it is told so: that it is too much work, or on
 * a machine that is busy with other things, that the time is over (the rule: test_session.c). */
static void test_a_deadline_ends_a_query(void **state)
{
    static const struct deadline_case {
        const char *name, *text;
        int64_t deadline_ms;
        enum slg_status want;
    } cases[] = {
        { "a bad regex", "{app=~\".+\"} |~ \"(x?){1000}x{1000}[^x]\"", 1000, SLG_LIMIT },
        { "a good one", "{app=~\".+\"} |~ \"x$\"", 60000, SLG_OK },
    };
    struct slg_rpc_shard_set *shards;
    struct fixture f;
    size_t count;

    (void)state;
    set_up(&f);
    store_big_lines(&f, 30);
    count = get_sets(&f, &shards);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reply reply;

        init_reply(&reply);
        encode_text(&reply.request, (uint8_t)i, cases[i].text, cases[i].deadline_ms, shards, count);
        ask(&f, &reply);
        if (reply_status(&reply) != cases[i].want &&
            (cases[i].want == SLG_OK || reply_status(&reply) != SLG_TIMEOUT))
            fail_msg("%s: %s", cases[i].name, slg_status_text(reply_status(&reply)));
        fini_reply(&reply);
    }
    tear_down(&f);
}

static void test_forty_at_once(void **state)
{
    enum { QUERY_COUNT = 40 };
    static struct reply replies[QUERY_COUNT];
    struct slg_rpc_shard_set *shards;
    struct fixture f;
    size_t count;

    (void)state;
    set_up(&f);
    for (uint64_t i = 1; i <= 100; i++)
        store_line(&f, i, "a line");
    count = get_sets(&f, &shards);
    for (uint8_t i = 0; i < QUERY_COUNT; i++) {
        init_reply(&replies[i]);
        encode_query(&replies[i].request, i, shards, count, 1);
        send(&f, &replies[i]);
    }
    for (size_t i = 0; i < QUERY_COUNT; i++) {
        bool more;

        wait_reply(&replies[i]);
        assert_int_equal(page_rows(&f, &replies[i], &more), 100);
        assert_false(more);
        fini_reply(&replies[i]);
    }
    tear_down(&f);
}

static void test_hello(void **state)
{
    static const struct hello_case {
        const char *name;
        const char *cluster;
        uint64_t epoch;
        bool same_hash;
        enum slg_status want;
    } rows[] = {
        { "the same map", "c", 1, true, SLG_OK },
        { "an older map", "c", 0, false, SLG_OK },
        { "equal epoch, other map", "c", 1, false, SLG_INVALID },
        { "another cluster", "d", 1, true, SLG_INVALID },
    };
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_rpc_hello hello = { .cluster_id = slg_text_of(rows[i].cluster),
                                       .node_id = slg_text_of("i1"),
                                       .role = slg_text_of("ingester"),
                                       .map_epoch = rows[i].epoch,
                                       .map_hash = f.map->hash };
        struct slg_rpc_hello got;
        struct slg_error err;
        struct reply reply;

        hello.map_hash.low ^= !rows[i].same_hash;
        init_reply(&reply);
        slg_rpc_encode_hello(&reply.request, &hello);
        ask(&f, &reply);
        CHECK(rows[i].name, slg_rpc_decode_hello_reply(reply.bytes.data, reply.bytes.len, &got,
                                                       &err) == rows[i].want);
        if (rows[i].want == SLG_OK) {
            CHECK(rows[i].name, slg_text_equal_to(got.node_id, "n1"));
            CHECK(rows[i].name, got.storage_id.len == 32);
        }
        fini_reply(&reply);
    }
    tear_down(&f);
}

static bool has(struct slg_text text, const char *part)
{
    return memmem(text.at, text.len, part, strlen(part)) != NULL;
}

static void test_streams_and_status(void **state)
{
    const struct slg_text selectors[] = { slg_text_of("{app=\"a\"}"), slg_text_of("{app=\"z\"}") };
    struct slg_rpc_streams request = { .tenant = slg_text_of("fake"),
                                       .from_ns = TEST_WINDOW_NS,
                                       .to_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                       .map_epoch = 1,
                                       .stream_max = 100 };
    struct slg_rpc_stream *streams;
    struct slg_error err;
    struct slg_text json;
    struct reply reply;
    struct fixture f;
    size_t count;
    bool more;

    (void)state;
    set_up(&f);
    for (uint64_t i = 1; i <= 10; i++)
        store_line(&f, i, "12345");
    for (int round = 0; round < 4; round++) {
        request.selectors = round == 1 ? selectors : round == 2 ? selectors + 1 : NULL;
        request.selector_count = round == 1 || round == 2 ? 1 : 0;
        if (round == 3) /* lines are at 1 to 10 ms of the window */
            request.to_ns = TEST_WINDOW_NS + 5 * SLG_NS_PER_MS;
        init_reply(&reply);
        slg_rpc_encode_streams(&reply.request, &request);
        ask(&f, &reply);
        assert_int_equal(slg_rpc_decode_streams_reply(f.arena, reply.bytes.data, reply.bytes.len,
                                                      &streams, &count, &more, &err),
                         SLG_OK);
        assert_false(more);
        assert_int_equal(count, round == 2 ? 0 : 1);
        if (count == 1) {
            assert_int_equal(streams[0].entry_count, round == 3 ? 4 : 10);
            assert_int_equal(streams[0].line_bytes, round == 3 ? 20 : 50);
            assert_int_equal(streams[0].batch_count, round == 3 ? 4 : 10);
        }
        fini_reply(&reply);
    }
    init_reply(&reply);
    slg_rpc_encode_status(&reply.request);
    ask(&f, &reply);
    assert_int_equal(slg_rpc_decode_status_reply(reply.bytes.data, reply.bytes.len, &json, &err),
                     SLG_OK);
    assert_true(has(json, "\"shard\":\"1767225600-3600-0of1\""));
    assert_true(has(json, "\"batches\":10,"));
    assert_true(has(json, "\"owner\":true,"));
    fini_reply(&reply);
    tear_down(&f);
}

/* H10: a request that names a newer map is refused; what has expired is not shown. */
static void test_h10_epoch_and_expiry(void **state)
{
    struct slg_rpc_shard_set *shards;
    struct reply reply;
    struct fixture f;
    size_t count;
    bool more;

    (void)state;
    set_up(&f);
    for (uint64_t i = 1; i <= 10; i++)
        store_line(&f, i, "line");
    count = get_sets(&f, &shards);
    init_reply(&reply);
    encode_query(&reply.request, 1, shards, count, 2);
    ask(&f, &reply);
    assert_int_equal(reply_status(&reply), SLG_UNAVAILABLE);
    fini_reply(&reply);
    /* lines are at 1 to 10 ms; those before 6 ms have just expired */
    f.clock.wall_ns = TEST_WINDOW_NS + 6 * SLG_NS_PER_MS + 120 * 24 * TEST_HOUR_NS;
    init_reply(&reply);
    encode_query(&reply.request, 2, shards, count, 1);
    ask(&f, &reply);
    assert_int_equal(page_rows(&f, &reply, &more), 5);
    fini_reply(&reply);
    f.clock.wall_ns += TEST_HOUR_NS;
    assert_int_equal(get_sets(&f, &shards), 0);
    tear_down(&f);
}

static void test_garbage_is_answered(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t len = 0; len < 40; len++) {
        struct reply reply;
        uint8_t bytes[40];
        uint8_t *block;

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len);
        if (len >= 3) { /* [version, type, ... and nothing that fits */
            bytes[0] = 0x93;
            bytes[1] = SLG_RPC_VERSION;
            bytes[2] = (uint8_t)(len % 10);
        }
        block = test_block(bytes, len);
        init_reply(&reply);
        slg_serve_request(f.serve, block, len, take_reply, &reply);
        wait_reply(&reply);
        free(block);
        fini_reply(&reply);
    }
    tear_down(&f);
}

/* FETCH for the batches `first` to `last` of incarnation 1 in the shard of window 0. */
static struct slg_rpc_fetch_reply fetch(struct fixture *f, uint64_t first, uint64_t last,
                                        uint64_t bytes_max)
{
    struct slg_incarnation incarnation = test_incarnation(1);
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_rpc_fetch request = { .map_epoch = 1, .shard = test_shard(0) };
    struct slg_rpc_fetch_reply got = { .batches = NULL };
    struct slg_error err;
    struct reply reply;
    struct slg_buf wanted;
    uint8_t *kept;

    slg_buf_init(&wanted, 4096);
    assert_int_equal(slg_batch_set_add_range(set, &incarnation, first, last), SLG_OK);
    slg_batch_set_encode(&wanted, set);
    request.set = slg_text_make((const char *)wanted.data, wanted.len);
    request.bytes_max = bytes_max;
    init_reply(&reply);
    slg_rpc_encode_fetch(&reply.request, &request);
    ask(f, &reply);
    kept = (uint8_t *)slg_arena_copy(f->arena, reply.bytes.data, reply.bytes.len);
    assert_int_equal(slg_rpc_decode_fetch_reply(f->arena, kept, reply.bytes.len, &got, &err),
                     SLG_OK);
    fini_reply(&reply);
    slg_batch_set_destroy(set);
    slg_buf_fini(&wanted);
    return got;
}

static void test_fetch(void **state)
{
    struct fixture f;
    struct slg_rpc_fetch_reply got;
    struct slg_shard_id shard = test_shard(0);
    struct slg_buf batch;
    struct reply reply;
    struct slg_rpc_fetch bad = { .map_epoch = 1, .set = slg_text_of("\xff"), .bytes_max = 1 };
    struct slg_error err;

    (void)state;
    set_up(&f);
    got = fetch(&f, 1, 10, 1 << 20); /* a shard that is not here */
    assert_true(got.batch_count == 0 && !got.more);
    for (uint64_t i = 1; i <= 5; i++)
        store_line(&f, i, "the same text");
    got = fetch(&f, 2, SLG_BATCH_SEQUENCE_MAX, 1 << 20);
    assert_true(got.batch_count == 4 && !got.more);
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, 2, "the same text");
    assert_int_equal(got.batches[0].len, batch.len);
    assert_memory_equal(got.batches[0].at, batch.data, batch.len);
    got = fetch(&f, 1, 5, 2 * batch.len);
    assert_true(got.batch_count == 2 && got.more);
    got = fetch(&f, 1, 5, 1); /* one comes anyhow */
    assert_true(got.batch_count == 1 && got.more);
    got = fetch(&f, 5, 5, 1);
    assert_true(got.batch_count == 1 && !got.more);
    got = fetch(&f, 6, 9, 1);
    assert_true(got.batch_count == 0 && !got.more);
    init_reply(&reply);
    bad.shard = shard;
    slg_rpc_encode_fetch(&reply.request, &bad);
    ask(&f, &reply);
    assert_int_equal(slg_rpc_reply_status(reply.bytes.data, reply.bytes.len, &err), SLG_MALFORMED);
    fini_reply(&reply);
    slg_buf_fini(&batch);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_sets_query_next),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_cancel_idle_and_stop),
        cmocka_unit_test(test_a_deadline_ends_a_query),
        cmocka_unit_test(test_forty_at_once),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_streams_and_status),
        cmocka_unit_test(test_h10_epoch_and_expiry),
        cmocka_unit_test(test_garbage_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
