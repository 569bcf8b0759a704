/* tests/helper/fanout.h - scripted storers behind the real transport, and a fan-out that asks them. */
#ifndef SLG_TESTS_HELPER_FANOUT_H
#define SLG_TESTS_HELPER_FANOUT_H

#include "tests/helper/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "querier/fanout_private.h"

#define TEST_HOUR_NS    (INT64_C(3600) * SLG_NS_PER_SEC)
#define TEST_WINDOW     INT64_C(490000) /* hours since the epoch */
#define TEST_STORER_MAX 3

/* A storer that holds batches 1..held of one incarnation in each of `windows` shards. */
struct test_fake {
    struct slg_transport_server *server;
    uint64_t held;
    int64_t windows;
    bool mute;   /* answers nothing at all: replies when the test ends */
    bool refuse; /* answers SETS and STREAMS with a failure */
    bool refilling;
    const struct slg_map *map;            /* by which it answers greetings */
    const char *other_cluster, *other_id; /* what it says of itself; NULL: the truth */
    bool other_map;                       /* of the same epoch */
    uint64_t epoch_ahead;
    const char *hello_failure;
    size_t hello_count;      /* HELLO messages seen */
    enum slg_status failure; /* of QUERY and STREAMS while *failures_left lasts; OK: none */
    atomic_size_t *failures_left;
    size_t query_count;   /* QUERY messages seen */
    size_t shards_asked;  /* shards in them */
    int64_t first_window; /* hours after TEST_WINDOW */
    size_t place;         /* in the world */
    size_t index;         /* the same, for numbered pages */
    size_t page_count;    /* of a query; 0: one empty page */
    size_t pages_sent;
    unsigned mute_types; /* bits by enum slg_rpc_type: these it does not answer */
    /* When this one is asked a QUERY, that one answers the last it was asked. */
    struct test_fake *frees;
    size_t cancel_count; /* CANCEL messages seen */
    struct slg_transport_call *kept[16];
    size_t kept_count;
    pthread_mutex_t lock; /* counts are written on library threads */
};

struct test_world {
    struct test_fake fakes[TEST_STORER_MAX];
    size_t count;
    unsigned write_quorum;       /* 0: 1 */
    size_t parallel_max;         /* 0: 2 */
    bool (*canceled)(void *arg); /* NULL: the client stays */
    void *canceled_arg;
    struct slg_hedge_pace *pace; /* NULL: nobody is slow */
    struct slg_map *map;
    struct slg_peers *peers;
    struct slg_fanout *fanout;
};

static inline struct slg_incarnation test_fake_incarnation(void)
{
    struct slg_incarnation value;

    memset(value.bytes, 7, sizeof(value.bytes));
    return value;
}

static inline struct slg_shard_id test_fake_shard(int64_t hour)
{
    return (struct slg_shard_id){ .window_ns = hour * TEST_HOUR_NS,
                                  .length_ns = TEST_HOUR_NS,
                                  .slot_count = 1 };
}

static inline void test_reply_sets(const struct test_fake *fake, struct slg_buf *out)
{
    struct slg_rpc_shard_set shards[16];
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation who = test_fake_incarnation();
    struct slg_buf encoded;

    slg_buf_init(&encoded, 4096);
    assert_int_equal(slg_batch_set_add_range(set, &who, 1, fake->held), SLG_OK);
    slg_batch_set_encode(&encoded, set);
    for (int64_t i = 0; i < fake->windows; i++) {
        shards[i] = (struct slg_rpc_shard_set){ .shard = test_fake_shard(TEST_WINDOW +
                                                                         fake->first_window + i),
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
static inline void test_reply_page(struct slg_buf *out)
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
static inline void test_reply_numbered_page(struct test_fake *fake, size_t index,
                                            struct slg_buf *out)
{
    char text[32];
    struct slg_rpc_page page = { .more = ++fake->pages_sent < fake->page_count };

    (void)snprintf(text, sizeof(text), "%zu.%zu ", index, fake->pages_sent);
    page.body = slg_text_of(text);
    slg_rpc_encode_page(out, &page);
}

static inline void test_count_query(struct test_fake *fake, const uint8_t *request, size_t len)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_query query;

    assert_int_equal(slg_rpc_decode_query(arena, request, len, &query), SLG_OK);
    fake->query_count++;
    fake->shards_asked += query.shard_count;
    slg_arena_destroy(arena);
}

/* Is it this storer's turn to fail? */
static inline bool test_fake_fails(struct test_fake *fake, enum slg_rpc_type type)
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
static inline void test_free_call(struct test_fake *fake)
{
    struct slg_transport_call *call = NULL;
    struct slg_buf out;

    slg_buf_init(&out, 65536);
    (void)pthread_mutex_lock(&fake->lock);
    if (fake->kept_count > 0)
        call = fake->kept[--fake->kept_count];
    fake->pages_sent = 0;
    test_reply_numbered_page(fake, fake->index, &out);
    (void)pthread_mutex_unlock(&fake->lock);
    if (call != NULL)
        slg_transport_call_reply(call, out.data, out.len);
    slg_buf_fini(&out);
}

/* Who it is, and what map it has. */
static inline void test_reply_hello(struct test_fake *fake, struct slg_buf *out)
{
    char id[16];
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of(fake->map->cluster_id),
                                   .node_id = slg_text_of(id),
                                   .role = slg_text_of("storer"),
                                   .map_epoch = fake->map->epoch + fake->epoch_ahead,
                                   .map_hash = fake->map->hash };

    (void)snprintf(id, sizeof(id), "s%zu", fake->place);
    hello.node_id = slg_text_of(fake->other_id == NULL ? id : fake->other_id);
    if (fake->other_cluster != NULL)
        hello.cluster_id = slg_text_of(fake->other_cluster);
    hello.map_hash.low += fake->other_map;
    slg_rpc_encode_hello_reply(out, &hello);
}

static inline void test_on_call(void *ctx, struct slg_transport_call *call, const uint8_t *request,
                                size_t len)
{
    struct test_fake *fake = ctx;
    enum slg_rpc_type type;
    struct test_fake *frees;
    struct slg_buf out;

    assert_int_equal(slg_rpc_peek(request, len, &type), SLG_OK);
    slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);
    (void)pthread_mutex_lock(&fake->lock);
    fake->cancel_count += type == SLG_RPC_CANCEL;
    fake->hello_count += type == SLG_RPC_HELLO;
    if ((fake->mute || (fake->mute_types & 1U << type) != 0) &&
        fake->kept_count < SLG_ARRAY_LEN(fake->kept)) {
        if (type == SLG_RPC_QUERY)
            test_count_query(fake, request, len);
        fake->kept[fake->kept_count++] = call;
        call = NULL;
    } else if (type == SLG_RPC_HELLO && fake->hello_failure != NULL) {
        slg_rpc_encode_failure(&out, SLG_INVALID, fake->hello_failure);
    } else if (type == SLG_RPC_HELLO) {
        test_reply_hello(fake, &out);
    } else if (type == SLG_RPC_SETS && !fake->refuse) {
        test_reply_sets(fake, &out);
    } else if (test_fake_fails(fake, type)) {
        if (type == SLG_RPC_QUERY)
            test_count_query(fake, request, len);
        slg_rpc_encode_failure(&out, fake->failure, "the disk is on fire");
    } else if (type == SLG_RPC_QUERY || type == SLG_RPC_NEXT) {
        if (type == SLG_RPC_QUERY) {
            fake->pages_sent = 0;
            test_count_query(fake, request, len);
        }
        if (fake->page_count > 0)
            test_reply_numbered_page(fake, fake->index, &out);
        else
            test_reply_page(&out);
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
        test_free_call(frees);
    slg_buf_fini(&out);
}

static inline void test_start_storers(struct test_world *world, const char *test_name)
{
    for (size_t i = 0; i < world->count; i++) {
        struct slg_transport_server_options options = { .call_count_max = 16,
                                                        .handler = test_on_call,
                                                        .handler_ctx = &world->fakes[i] };
        char url[128];

        assert_int_equal(pthread_mutex_init(&world->fakes[i].lock, NULL), 0);
        (void)snprintf(url, sizeof(url), "inproc://fanout-%s-%zu", test_name, i);
        options.url = url;
        assert_int_equal(slg_transport_server_start(&options, &world->fakes[i].server, NULL),
                         SLG_OK);
    }
}

static inline void test_make_map(struct test_world *world, unsigned replication)
{
    struct slg_error error = { 0 };
    struct slg_buf text;

    slg_buf_init(&text, 65536);
    slg_buf_append_text(&text, "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,"
                               "\"retention_seconds\":0,\"nodes\":[");
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
    for (size_t i = 0; i < world->count; i++) {
        (void)pthread_mutex_lock(&world->fakes[i].lock);
        world->fakes[i].place = i;
        world->fakes[i].map = world->map;
        (void)pthread_mutex_unlock(&world->fakes[i].lock);
    }
}

static inline bool test_never_canceled(void *arg)
{
    (void)arg;
    return false;
}

/* Start the storers, and a fan-out whose query has this much time. The name is one of the test's own. */
static inline void test_open_world(struct test_world *world, const char *test_name,
                                   unsigned replication, int64_t timeout_ns)
{
    struct slg_transport_tls tls = { 0 };
    struct slg_fanout_options options = {
        .tenant = { "default", 7 },
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + timeout_ns,
        .now_wall_ns = (TEST_WINDOW + 10) * TEST_HOUR_NS,
        .memory_bytes_max = 16 << 20,
        .parallel_max = world->parallel_max > 0 ? world->parallel_max : 2,
        .canceled = world->canceled != NULL ? world->canceled : test_never_canceled,
        .canceled_arg = world->canceled_arg,
        .pace = world->pace,
    };

    test_start_storers(world, test_name);
    test_make_map(world, replication);
    assert_int_equal(slg_peers_create(world->map, &tls, 16, &world->peers, NULL), SLG_OK);
    options.peers = world->peers;
    assert_int_equal(slg_fanout_create(&options, &world->fanout, NULL), SLG_OK);
}

/* After stop no handler runs any more, so what the mute storers kept is complete and can be answered. */
static inline void test_close_world(struct test_world *world)
{
    slg_fanout_destroy(world->fanout);
    slg_peers_destroy(world->peers);
    for (size_t i = 0; i < world->count; i++) {
        struct test_fake *fake = &world->fakes[i];

        slg_transport_server_stop(fake->server);
        for (size_t k = 0; k < fake->kept_count; k++)
            slg_transport_call_reply(fake->kept[k], "", 0);
        slg_transport_server_destroy(fake->server);
        (void)pthread_mutex_destroy(&fake->lock);
    }
    slg_map_unref(world->map);
}

/* Wait until every storer can be asked: the first request after the dial may be too early. */
static inline enum slg_status test_fix_sets(struct test_world *world, struct slg_error *error)
{
    return slg_fanout_fix_sets(world->fanout, TEST_WINDOW * TEST_HOUR_NS,
                               (TEST_WINDOW + 4) * TEST_HOUR_NS, error);
}

static inline enum slg_status test_no_rows(void *arg, const struct slg_row *row)
{
    (void)arg;
    (void)row;
    fail_msg("there is no row in this test");
    return SLG_OK;
}

static inline enum slg_status test_try_log(struct test_world *world, const char *text,
                                           struct slg_error *error)
{
    struct slg_query_params params = { .text = slg_text_of(text),
                                       .start_ns = TEST_WINDOW * TEST_HOUR_NS,
                                       .end_ns = (TEST_WINDOW + 4) * TEST_HOUR_NS,
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
    status = slg_fanout_run_log(world->fanout, query, &merge, test_no_rows, NULL, error);
    slg_query_destroy(query);
    return status;
}

static inline void test_run_log(struct test_world *world, const char *text)
{
    struct slg_error error = { 0 };

    if (test_try_log(world, text, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

/* Change what a storer answers from now on. */
static inline void test_mute(struct test_fake *fake, unsigned types)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake->mute_types = types;
    (void)pthread_mutex_unlock(&fake->lock);
}

/* Two storers with the same, of which the one that is asked first fails. */
static inline void test_open_failing(struct test_world *world, const char *test_name,
                                     enum slg_status failure, atomic_size_t *failures_left)
{
    struct slg_error error = { 0 };

    world->count = 2;
    for (size_t i = 0; i < world->count; i++)
        world->fakes[i] = (struct test_fake){
            .held = 3, .windows = 4, .failure = failure, .failures_left = failures_left
        };
    test_open_world(world, test_name, 2, 20 * SLG_NS_PER_SEC);
    assert_int_equal(test_fix_sets(world, &error), SLG_OK);
}

#endif
