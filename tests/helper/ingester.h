/* tests/helper/ingester.h - a storer that acknowledges or refuses by script, and what ingester tests share.
 *
 * The fake keeps what it was given as a real one would: by batch id, idempotent, content compared. It answers on the
 * transport's thread (a test may block there), counts what a real storer must refuse, and remembers every line. */
#ifndef SLG_TESTS_HELPER_INGESTER_H
#define SLG_TESTS_HELPER_INGESTER_H

#include "tests/helper/test.h"
#include "tests/helper/wait.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/hash.h"
#include "cluster/map.h"
#include "ingester/account.h"
#include "ingester/forward.h"
#include "ingester/metrics.h"
#include "proto/batch.h"
#include "proto/rpc.h"
#include "proto/transport.h"

#define FAKE_BATCH_MAX ((size_t)20000)
#define FAKE_HELD_MAX  ((size_t)64)

enum fake_act {
    FAKE_STORE,       /* as a good storer */
    FAKE_ANSWER,      /* answer script.result, store nothing */
    FAKE_LOSE_BEFORE, /* no answer, nothing stored */
    FAKE_LOSE_AFTER,  /* stored, but no answer */
};

struct fake_action {
    enum fake_act act;
    enum slg_store_result result;
};

struct fake_batch {
    struct slg_batch_id id;
    uint64_t content_hash;
    uint32_t entry_count;
};

struct fake_storer {
    struct slg_transport_server *server;
    pthread_mutex_t lock;
    struct fake_action (*script)(void *ctx, uint64_t store_count);
    void *script_ctx;
    struct fake_batch *batches;
    size_t batch_count;
    uint64_t entry_count;
    uint64_t line_hash_sum; /* sum of xxh3 of all lines stored: a multiset's fingerprint */
    uint64_t loss_lines;    /* entries of job="silage" */
    char last_loss[512];
    char last_stream[1024]; /* labels of the last entry */
    char last_line[1024];
    uint64_t store_count; /* requests */
    uint64_t hello_count;
    uint64_t mistakes; /* STORE before HELLO, what does not decode */
    uint64_t content_count;
    size_t at_once, at_once_max;
    struct slg_transport_call *held[FAKE_HELD_MAX]; /* answers that never come */
    size_t held_count;
    bool paused; /* answers BUSY */
    const char *storage_id;
};

static inline struct fake_batch *fake_find(struct fake_storer *fake, const struct slg_batch_id *id)
{
    for (size_t i = 0; i < fake->batch_count; i++)
        if (slg_batch_id_compare(&fake->batches[i].id, id) == 0 &&
            slg_shard_id_compare(&fake->batches[i].id.shard, &id->shard) == 0)
            return &fake->batches[i];
    return NULL;
}

static inline void fake_keep_entries(struct fake_storer *fake, const struct slg_batch_view *view,
                                     struct slg_arena *arena)
{
    for (uint32_t i = 0; i < view->header.entry_count; i++) {
        struct slg_text line = slg_batch_view_line(view, i);
        const struct slg_batch_stream *stream = &view->header.streams[view->stream_index[i]];
        struct slg_label_set set;
        struct slg_text job;
        struct slg_buf text;

        assert_int_equal(slg_label_decode(arena, stream->canonical, stream->canonical_len, &set),
                         SLG_OK);
        slg_buf_init(&text, sizeof(fake->last_stream) - 1);
        slg_label_print(&text, &set);
        if (slg_label_get(&set, slg_text_of("job"), &job) && slg_text_equal_to(job, "silage")) {
            fake->loss_lines++;
            (void)snprintf(fake->last_loss, sizeof(fake->last_loss), "%.*s", (int)line.len,
                           line.at);
        } else {
            fake->entry_count++;
            fake->line_hash_sum += slg_hash_xxh3(line.at, line.len);
            (void)snprintf(fake->last_stream, sizeof(fake->last_stream), "%.*s", (int)text.len,
                           (const char *)text.data);
            (void)snprintf(fake->last_line, sizeof(fake->last_line), "%.*s", (int)line.len,
                           line.at);
        }
        slg_buf_fini(&text);
    }
}

static inline enum slg_store_result fake_store(struct fake_storer *fake, const uint8_t *batch,
                                               size_t len)
{
    struct slg_arena *arena = slg_arena_create(64 << 20);
    const struct slg_batch_view *view;
    enum slg_store_result result = SLG_STORE_MALFORMED;
    struct fake_batch *known;

    if (slg_batch_decode(arena, batch, len, &view) != SLG_OK) {
        fake->mistakes++;
    } else if ((known = fake_find(fake, &view->header.id)) != NULL) {
        result = known->content_hash == view->header.content_hash ? SLG_STORE_DUPLICATE
                                                                  : SLG_STORE_CONTENT;
        fake->content_count += result == SLG_STORE_CONTENT;
    } else {
        SLG_ASSERT(fake->batch_count < FAKE_BATCH_MAX);
        fake->batches[fake->batch_count++] =
            (struct fake_batch){ view->header.id, view->header.content_hash,
                                 view->header.entry_count };
        fake_keep_entries(fake, view, arena);
        result = SLG_STORE_STORED;
    }
    slg_arena_destroy(arena);
    return result;
}

static inline void fake_answer(struct fake_storer *fake, struct slg_transport_call *call,
                               enum slg_store_result result)
{
    struct slg_buf reply;

    (void)fake;
    slg_buf_init(&reply, 4096);
    slg_rpc_encode_store_reply(&reply, result, 1, "by script");
    slg_transport_call_reply(call, reply.data, reply.len);
    slg_buf_fini(&reply);
}

static inline void fake_hello(struct fake_storer *fake, struct slg_transport_call *call)
{
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of("test"),
                                   .node_id = slg_text_of("storer-1"),
                                   .role = slg_text_of("storer"),
                                   .map_epoch = 1,
                                   .storage_id = slg_text_of(fake->storage_id) };
    struct slg_buf reply;

    fake->hello_count++;
    slg_buf_init(&reply, 4096);
    slg_rpc_encode_hello_reply(&reply, &hello);
    slg_transport_call_reply(call, reply.data, reply.len);
    slg_buf_fini(&reply);
}

static inline void fake_take_store(struct fake_storer *fake, struct slg_transport_call *call,
                                   const uint8_t *request, size_t len)
{
    struct fake_action action = { FAKE_STORE, SLG_STORE_STORED };
    const uint8_t *batch;
    size_t batch_len;
    unsigned flags;

    fake->mistakes += fake->hello_count == 0;
    if (slg_rpc_decode_store(request, len, &flags, &batch, &batch_len) != SLG_OK) {
        fake->mistakes++;
        fake_answer(fake, call, SLG_STORE_MALFORMED);
        return;
    }
    if (fake->paused)
        action = (struct fake_action){ FAKE_ANSWER, SLG_STORE_BUSY };
    else if (fake->script != NULL)
        action = fake->script(fake->script_ctx, fake->store_count);
    fake->store_count++;
    if (action.act == FAKE_STORE || action.act == FAKE_LOSE_AFTER)
        action.result = fake_store(fake, batch, batch_len);
    if (action.act == FAKE_LOSE_AFTER || action.act == FAKE_LOSE_BEFORE) {
        SLG_ASSERT(fake->held_count < FAKE_HELD_MAX);
        fake->held[fake->held_count++] = call;
        return;
    }
    fake_answer(fake, call, action.result);
}

static inline void fake_handle(void *ctx, struct slg_transport_call *call, const uint8_t *request,
                               size_t len)
{
    struct fake_storer *fake = ctx;
    enum slg_rpc_type type;

    pthread_mutex_lock(&fake->lock);
    if (slg_rpc_peek(request, len, &type) != SLG_OK) {
        fake->mistakes++;
        fake_answer(fake, call, SLG_STORE_MALFORMED);
    } else if (type == SLG_RPC_HELLO) {
        fake_hello(fake, call);
    } else {
        fake_take_store(fake, call, request, len);
    }
    pthread_mutex_unlock(&fake->lock);
}

static inline void fake_init(struct fake_storer *fake)
{
    memset(fake, 0, sizeof(*fake));
    pthread_mutex_init(&fake->lock, NULL);
    fake->storage_id = "s";
    fake->batches = calloc(FAKE_BATCH_MAX, sizeof(*fake->batches));
    SLG_ASSERT(fake->batches != NULL);
}

static inline void fake_listen(struct fake_storer *fake, const char *url)
{
    struct slg_transport_server_options options = {
        .url = url, .call_count_max = 128, .handler = fake_handle, .handler_ctx = fake
    };
    struct slg_error error;

    if (slg_transport_server_start(&options, &fake->server, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static inline void fake_stop(struct fake_storer *fake)
{
    if (fake->server == NULL)
        return;
    slg_transport_server_stop(fake->server);
    for (size_t i = 0; i < fake->held_count; i++)
        fake_answer(fake, fake->held[i], SLG_STORE_BUSY);
    fake->held_count = 0;
    slg_transport_server_destroy(fake->server);
    fake->server = NULL;
}

static inline void fake_fini(struct fake_storer *fake)
{
    fake_stop(fake);
    free(fake->batches);
    pthread_mutex_destroy(&fake->lock);
}

/* A number of the fake, under its lock. */
#define FAKE_READ(fake, member)                                                                    \
    __extension__({                                                                                \
        pthread_mutex_lock(&(fake)->lock);                                                         \
        uint64_t fake_value_ = (uint64_t)(fake)->member;                                           \
        pthread_mutex_unlock(&(fake)->lock);                                                       \
        fake_value_;                                                                               \
    })

/* Every (incarnation, shard) holds exactly the sequences 1 to n (H18). */
static inline void fake_check_sequences(struct fake_storer *fake)
{
    for (size_t i = 0; i < fake->batch_count; i++) {
        struct slg_batch_id id = fake->batches[i].id;

        if (id.sequence == 1)
            continue;
        id.sequence--;
        assert_non_null(fake_find(fake, &id));
    }
}

/* What forward, batcher and the intake need around them. */
struct bench {
    struct fake_storer fake;
    char url[64];
    struct slg_map *map;
    struct slg_account *account;
    struct slg_metric_registry *registry;
    struct slg_metric_table *metrics;
    struct slg_forward *forward;
};

static inline void bench_make_map(struct bench *b, int64_t window_length_ns, uint16_t slot_count)
{
    struct slg_map_single_options options = {
        .cluster_id = "test",
        .node_id = "storer-1",
        .address = b->url,
        .window_length_ns = window_length_ns,
        .slot_count = slot_count,
        .retention_ns = 0,
    };
    struct slg_error error;

    if (slg_map_make_single(&options, &b->map, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static inline void bench_init(struct bench *b, const char *name, bool listen)
{
    static const char *const names[] = { "udp test", "tcp test", "push", "several" };

    memset(b, 0, sizeof(*b));
    fake_init(&b->fake);
    (void)snprintf(b->url, sizeof(b->url), "inproc://%s", name);
    if (listen)
        fake_listen(&b->fake, b->url);
    bench_make_map(b, 3600 * SLG_NS_PER_SEC, 1);
    assert_int_equal(slg_account_create(names, 4, &b->account), SLG_OK);
    assert_non_null(b->registry = slg_metric_registry_create());
    assert_non_null(b->metrics = slg_ingester_metrics_register(b->registry));
}

static inline void bench_forward(struct bench *b, size_t memory_bytes, int32_t timeout_ms)
{
    struct slg_forward_options options = {
        .map = b->map,
        .node_id = "ingester-1",
        .memory_bytes_max = memory_bytes,
        .in_flight_per_storer = SLG_FORWARD_IN_FLIGHT,
        .timeout_ms = timeout_ms,
        .account = b->account,
        .metrics = b->metrics,
        .clock = slg_clock_system(),
    };
    struct slg_error error;

    if (slg_forward_create(&options, &b->forward, &error) != SLG_OK ||
        slg_forward_start(b->forward, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static inline uint64_t bench_stop(struct bench *b, int64_t wait_ns)
{
    uint64_t left = 0;

    slg_forward_stop(b->forward, slg_clock_mono_ns(slg_clock_system()) + wait_ns, &left);
    return left;
}

static inline void bench_fini(struct bench *b)
{
    slg_forward_destroy(b->forward);
    fake_fini(&b->fake);
    slg_account_destroy(b->account);
    slg_metric_registry_destroy(b->registry);
    slg_map_unref(b->map);
}

static inline struct slg_account_totals bench_totals(struct bench *b)
{
    struct slg_account_totals totals;

    slg_account_read(b->account, &totals);
    assert_int_equal(totals.received,
                     totals.accepted + totals.dropped + totals.abandoned + totals.in_flight);
    return totals;
}

#endif
