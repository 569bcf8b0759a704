/* A tail over scripted storers: history and new lines once each and in order, through the real server, hub and fan-out,
 * whatever breaks off on the way; the connection's rules (pings, close codes, bad frames) are kept.
 * Covers: querier/tail_hub.c
 * Oracle: the lines that the scripted storers hold; RFC 6455 and Loki's close texts. */
#include "tests/helper/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "logql/plan/page.h"
#include "proto/websocket.h"
#include "querier/querier.h"

#define HOUR_NS         (INT64_C(3600) * SLG_NS_PER_SEC)
#define LINE_MAX_       512
#define STORERS         2
#define DEADLINE_S      20
#define PONG_TIMEOUT_MS 30000

/* Storer k holds slot k: batch n of it is the single line number n. */
struct fake {
    struct slg_transport_server *server;
    uint16_t slot;
    uint64_t held;
    int64_t ts_ns[LINE_MAX_];
    int fail_queries; /* so many are refused */
    bool refuse;      /* SETS, too */
    size_t looks;
    pthread_mutex_t lock;
    const struct slg_map *map; /* set before anybody asks */
};

struct world {
    struct fake fakes[STORERS];
    struct slg_map *map;
    struct slg_metric_registry *registry;
    struct slg_querier *querier;
    uint16_t port;
};

static struct slg_incarnation incarnation(void)
{
    struct slg_incarnation value;

    memset(value.bytes, 7, sizeof(value.bytes));
    return value;
}

static struct slg_shard_id shard_of(const struct fake *fake)
{
    int64_t now = slg_clock_wall_ns(slg_clock_system());

    return (struct slg_shard_id){ .window_ns = slg_window_start(now, 24 * HOUR_NS),
                                  .length_ns = 24 * HOUR_NS,
                                  .slot = fake->slot,
                                  .slot_count = STORERS };
}

static void add_line(struct fake *fake, int64_t ts_ns)
{
    (void)pthread_mutex_lock(&fake->lock);
    assert_true(fake->held + 1 < LINE_MAX_);
    fake->ts_ns[++fake->held] = ts_ns;
    (void)pthread_mutex_unlock(&fake->lock);
}

/* ---- the storer's side ---- */

static void reply_sets(const struct fake *fake, struct slg_buf *out)
{
    struct slg_rpc_shard_set row = { .shard = shard_of(fake) };
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation who = incarnation();
    struct slg_buf encoded;

    slg_buf_init(&encoded, 4096);
    if (fake->held > 0)
        assert_int_equal(slg_batch_set_add_range(set, &who, 1, fake->held), SLG_OK);
    slg_batch_set_encode(&encoded, set);
    row.set = slg_text_make(encoded.data, encoded.len);
    for (uint64_t k = 1; k <= fake->held; k++)
        slg_batch_set_digest_add(
            &row.digest,
            &(struct slg_batch_id){ .incarnation = who, .shard = row.shard, .sequence = k });
    slg_rpc_encode_sets_reply(
        out, &(struct slg_rpc_sets_reply){ .shards = &row, .shard_count = fake->held > 0 });
    slg_buf_fini(&encoded);
    slg_batch_set_destroy(set);
}

static void write_row(struct slg_page_writer *writer, const struct fake *fake, uint64_t k,
                      const struct slg_shard_id *shard)
{
    char text[64], slot[8];
    struct slg_batch_id id = { .incarnation = incarnation(), .shard = *shard, .sequence = k };
    struct slg_label labels[] = { { { "slot", 4 }, { slot, 1 } } };
    struct slg_row row = { .ts_ns = fake->ts_ns[k],
                           .batch = &id,
                           .stream_hash = fake->slot,
                           .stream = { .items = labels, .count = 1 } };

    (void)snprintf(slot, sizeof(slot), "%u", (unsigned)fake->slot);
    row.line = slg_text_make(text, (size_t)snprintf(text, sizeof(text), "line %u.%u",
                                                    (unsigned)fake->slot, (unsigned)k));
    slg_page_writer_row(writer, &row);
}

static void reply_rows(const struct fake *fake, const struct slg_rpc_query *query,
                       struct slg_buf *out)
{
    struct slg_page_writer *writer = slg_page_writer_create(1 << 20);
    struct slg_cursor c = slg_cursor_make(query->shards[0].set.at, query->shards[0].set.len);
    struct slg_incarnation who = incarnation();
    struct slg_rpc_page page = { .stats = { .lines_read = 1 } };
    uint64_t order[LINE_MAX_], count = 0, limit = query->leaf.limit;
    struct slg_batch_set *set;
    struct slg_buf body;

    assert_int_equal(query->shard_count, 1);
    assert_int_equal(slg_batch_set_decode(&c, &set), SLG_OK);
    for (uint64_t k = 1; k <= fake->held; k++)
        if (slg_batch_set_has(set, &who, k) && fake->ts_ns[k] >= query->leaf.start_ns &&
            fake->ts_ns[k] < query->leaf.end_ns)
            order[count++] = k;
    for (uint64_t i = 1; i < count; i++) /* by time, as scans give them */
        for (uint64_t k = i; k > 0; k--) {
            uint64_t swap = order[k];
            bool later = fake->ts_ns[order[k - 1]] > fake->ts_ns[order[k]];

            if (later != (query->leaf.direction == SLG_FORWARD))
                break;
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
    slg_page_writer_start(writer, SLG_PAGE_LOG, (enum slg_accumulator)0);
    for (uint64_t i = 0; i < count && (limit == 0 || i < limit); i++)
        write_row(writer, fake, order[i], &query->shards[0].shard);
    slg_buf_init(&body, 1 << 20);
    assert_int_equal(slg_page_writer_finish(writer, &body, NULL), SLG_OK);
    page.body = slg_text_make(body.data, body.len);
    slg_rpc_encode_page(out, &page);
    slg_buf_fini(&body);
    slg_page_writer_destroy(writer);
    slg_batch_set_destroy(set);
}

static void answer_query(struct fake *fake, const uint8_t *request, size_t len, struct slg_buf *out)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_query query;

    assert_int_equal(slg_rpc_decode_query(arena, request, len, &query), SLG_OK);
    if (fake->fail_queries > 0) {
        fake->fail_queries--;
        slg_rpc_encode_failure(out, SLG_UNAVAILABLE, "not now");
    } else {
        reply_rows(fake, &query, out);
    }
    slg_arena_destroy(arena);
}

static void reply_hello(const struct fake *fake, struct slg_buf *out)
{
    char id[16];
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of(fake->map->cluster_id),
                                   .role = slg_text_of("storer"),
                                   .map_epoch = fake->map->epoch,
                                   .map_hash = fake->map->hash };

    (void)snprintf(id, sizeof(id), "s%u", fake->slot);
    hello.node_id = slg_text_of(id);
    slg_rpc_encode_hello_reply(out, &hello);
}

static void on_call(void *ctx, struct slg_transport_call *call, const uint8_t *request, size_t len)
{
    struct fake *fake = ctx;
    enum slg_rpc_type type;
    struct slg_buf out;

    assert_int_equal(slg_rpc_peek(request, len, &type), SLG_OK);
    slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);
    (void)pthread_mutex_lock(&fake->lock);
    fake->looks += type == SLG_RPC_SETS;
    if (fake->refuse)
        slg_rpc_encode_failure(&out, SLG_UNAVAILABLE, "away");
    else if (type == SLG_RPC_HELLO)
        reply_hello(fake, &out);
    else if (type == SLG_RPC_SETS)
        reply_sets(fake, &out);
    else if (type == SLG_RPC_QUERY)
        answer_query(fake, request, len, &out);
    else
        slg_rpc_encode_failure(&out, SLG_UNAVAILABLE, "what is that?");
    (void)pthread_mutex_unlock(&fake->lock);
    slg_transport_call_reply(call, out.data, out.len);
    slg_buf_fini(&out);
}

static void set_refuse(struct fake *fake, bool refuse)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake->refuse = refuse;
    (void)pthread_mutex_unlock(&fake->lock);
}

static size_t count_looks(struct fake *fake)
{
    size_t looks;

    (void)pthread_mutex_lock(&fake->lock);
    looks = fake->looks;
    (void)pthread_mutex_unlock(&fake->lock);
    return looks;
}

/* ---- the world ---- */

static void make_map(struct world *world)
{
    struct slg_error error = { 0 };
    struct slg_buf text;

    slg_buf_init(&text, 65536);
    slg_buf_append_text(&text, "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":[");
    for (size_t i = 0; i < STORERS; i++)
        slg_buf_printf(&text, "%s{\"id\":\"s%zu\",\"address\":\"%s\"}", i == 0 ? "" : ",", i,
                       slg_transport_server_url(world->fakes[i].server));
    slg_buf_append_text(&text, "],\"layouts\":[{\"replication\":1,\"write_quorum\":1,\"nodes\":[");
    for (size_t i = 0; i < STORERS; i++)
        slg_buf_printf(&text, "%s{\"id\":\"s%zu\"}", i == 0 ? "" : ",", i);
    slg_buf_append_text(&text, "]}],\"retention_seconds\":0}");
    if (slg_map_parse((const char *)text.data, text.len, &world->map, &error) != SLG_OK)
        fail_msg("%s", error.message);
    slg_buf_fini(&text);
    for (size_t i = 0; i < STORERS; i++)
        world->fakes[i].map = world->map;
}

static void open_world(struct world *world, const char *name, int64_t pong_timeout_ms)
{
    struct slg_querier_options options = { .http = { .listen = "127.0.0.1:0" },
                                           .limits = slg_querier_limits_default(),
                                           .revision = "test" };
    struct slg_error error = { 0 };

    memset(world, 0, sizeof(*world));
    for (size_t i = 0; i < STORERS; i++) {
        struct slg_transport_server_options server = { .call_count_max = 16,
                                                       .handler = on_call,
                                                       .handler_ctx = &world->fakes[i] };
        char url[64];

        world->fakes[i].slot = (uint16_t)i;
        assert_int_equal(pthread_mutex_init(&world->fakes[i].lock, NULL), 0);
        (void)snprintf(url, sizeof(url), "inproc://tail-%s-%zu", name, i);
        server.url = url;
        assert_int_equal(slg_transport_server_start(&server, &world->fakes[i].server, NULL),
                         SLG_OK);
    }
    make_map(world);
    world->registry = slg_metric_registry_create();
    options.map = world->map;
    options.registry = world->registry;
    options.limits.tails_max = 2;
    options.limits.tail_time_max_ns = 60 * SLG_NS_PER_SEC;
    options.limits.tail_pong_timeout_ms = pong_timeout_ms;
    if (slg_querier_start(&options, &world->querier, &error) != SLG_OK)
        fail_msg("%s", error.message);
    world->port =
        (uint16_t)strtoul(strrchr(slg_querier_address(world->querier), ':') + 1, NULL, 10);
}

static void close_world(struct world *world)
{
    slg_querier_stop(world->querier);
    for (size_t i = 0; i < STORERS; i++) {
        slg_transport_server_stop(world->fakes[i].server);
        slg_transport_server_destroy(world->fakes[i].server);
        (void)pthread_mutex_destroy(&world->fakes[i].lock);
    }
    slg_metric_registry_destroy(world->registry);
    slg_map_unref(world->map);
}

/* ---- the client ---- */

struct client {
    int fd;
    struct slg_websocket_decoder decoder;
    uint8_t bytes[65536];
    struct slg_cursor left;
    bool silent; /* answers no pings */
    size_t pings;
    unsigned closed; /* the server's close code */
    char reason[128];
    char lines[LINE_MAX_][32]; /* in order of arrival */
    size_t line_count;
};

static bool fill(struct client *client, int64_t deadline_mono_ns)
{
    struct pollfd fd = { .fd = client->fd, .events = POLLIN };
    int64_t left_ms = (deadline_mono_ns - slg_clock_mono_ns(slg_clock_system())) / SLG_NS_PER_MS;
    ssize_t len;

    if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) <= 0)
        return false;
    len = recv(client->fd, client->bytes, sizeof(client->bytes), 0);
    client->left = slg_cursor_make(client->bytes, len > 0 ? (size_t)len : 0);
    return len > 0;
}

/* Code of the answer; 101 leaves the client ready. */
static int connect_tail(struct client *client, const struct world *world, const char *parameters)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(world->port) };
    const uint8_t *end;
    char request[512];
    int code = 0, len;

    memset(client, 0, sizeof(*client));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    len = snprintf(request, sizeof(request),
                   "GET /loki/api/v1/tail?query=%%7Ba%%3D%%22b%%22%%7D%s HTTP/1.1\r\nHost: x\r\n"
                   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   parameters);
    assert_int_equal(send(client->fd, request, (size_t)len, 0), len);
    assert_true(fill(client, slg_clock_mono_ns(slg_clock_system()) + DEADLINE_S * SLG_NS_PER_SEC));
    for (int i = 9; i < 12; i++)
        code = code * 10 + (client->bytes[i] - '0');
    end = memmem(client->bytes, slg_cursor_left(&client->left), "\r\n\r\n", 4);
    assert_non_null(end);
    client->left.at = end + 4;
    slg_websocket_decoder_init(&client->decoder, /* from_client= */ false, 1 << 20);
    return code;
}

static void hang_up(struct client *client)
{
    (void)close(client->fd);
    slg_websocket_decoder_fini(&client->decoder);
}

static void send_frame(const struct client *client, enum slg_websocket_opcode opcode,
                       const char *payload, size_t len)
{
    struct slg_buf out;

    slg_buf_init(&out, 1 << 20);
    slg_websocket_encode(&out, opcode, (const uint8_t *)"mask", payload, len);
    assert_int_equal(send(client->fd, out.data, out.len, 0), (ssize_t)out.len);
    slg_buf_fini(&out);
}

static void take_message(struct client *client, struct slg_text text)
{
    struct slg_json *root = NULL;
    const struct slg_json *streams;

    assert_int_equal(slg_json_parse((const uint8_t *)text.at, text.len, &root, NULL), SLG_OK);
    streams = slg_json_get(root, "streams");
    for (size_t i = 0; i < slg_json_count(streams); i++) {
        const struct slg_json *values = slg_json_get(slg_json_at(streams, i), "values");

        for (size_t k = 0; k < slg_json_count(values); k++)
            (void)snprintf(client->lines[client->line_count++], sizeof(client->lines[0]), "%s",
                           slg_json_text(slg_json_at(slg_json_at(values, k), 1)));
    }
    slg_json_destroy(root);
}

static void take_event(struct client *client, const struct slg_websocket_event *event)
{
    switch (event->opcode) {
    case SLG_WEBSOCKET_TEXT:
        take_message(client, event->payload);
        return;
    case SLG_WEBSOCKET_PING:
        client->pings++;
        if (!client->silent)
            send_frame(client, SLG_WEBSOCKET_PONG, event->payload.at, event->payload.len);
        return;
    case SLG_WEBSOCKET_CLOSE:
        client->closed = event->close_code;
        (void)snprintf(client->reason, sizeof(client->reason), "%.*s", (int)event->payload.len,
                       event->payload.at == NULL ? "" : event->payload.at);
        return;
    case SLG_WEBSOCKET_CONTINUATION:
    case SLG_WEBSOCKET_BINARY:
    case SLG_WEBSOCKET_PONG:
        fail_msg("an odd frame");
    }
}

/* Read until so many lines are there, or the server closed. False: neither came in time. */
static bool read_until(struct client *client, size_t lines, int64_t timeout_ns)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + timeout_ns;
    struct slg_websocket_event event;

    while (client->line_count < lines && client->closed == 0) {
        enum slg_status status = slg_websocket_decode(&client->decoder, &client->left, &event);

        if (status == SLG_OK)
            take_event(client, &event);
        else if (status != SLG_AGAIN || !fill(client, deadline))
            return false;
    }
    return true;
}

static void expect_lines(struct client *client, size_t count, const char *const *lines)
{
    assert_true(read_until(client, count, DEADLINE_S * SLG_NS_PER_SEC));
    assert_int_equal(client->closed, 0);
    assert_int_equal(client->line_count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(client->lines[i], lines[i]);
}

static void expect_close(struct client *client, unsigned code, const char *reason)
{
    assert_true(read_until(client, SIZE_MAX, DEADLINE_S * SLG_NS_PER_SEC));
    assert_int_equal(client->closed, code);
    assert_string_equal(client->reason, reason);
}

/* The connection ends without a close frame: clients begin again then. */
static void expect_cut(struct client *client)
{
    char byte;

    assert_false(read_until(client, SIZE_MAX, DEADLINE_S * SLG_NS_PER_SEC));
    assert_int_equal(client->closed, 0);
    assert_int_equal(recv(client->fd, &byte, 1, MSG_DONTWAIT), 0);
}

/* ---- tests ---- */

static void test_lines(void **state)
{
    int64_t base = slg_clock_wall_ns(slg_clock_system()) - SLG_NS_PER_SEC;
    static struct client client;
    struct world world;

    (void)state;
    open_world(&world, "lines", PONG_TIMEOUT_MS);
    add_line(&world.fakes[0], base + 1);
    add_line(&world.fakes[1], base + 2);
    add_line(&world.fakes[0], base + 3);
    add_line(&world.fakes[1], base + 3);
    assert_int_equal(connect_tail(&client, &world, "&limit=3"), 101);
    expect_lines(&client, 3, (const char *const[]){ "line 1.1", "line 0.2", "line 1.2" });
    /* New, and late ones older than all that was shown; not those that the limit left out. */
    add_line(&world.fakes[0], base);
    expect_lines(&client, 4,
                 (const char *const[]){ "line 1.1", "line 0.2", "line 1.2", "line 0.3" });
    add_line(&world.fakes[1], base + 9);
    expect_lines(
        &client, 5,
        (const char *const[]){ "line 1.1", "line 0.2", "line 1.2", "line 0.3", "line 1.3" });
    send_frame(&client, SLG_WEBSOCKET_CLOSE, "\x03\xe8", 2);
    expect_close(&client, 1000, "");
    hang_up(&client);
    close_world(&world);
}

/* Evaluations that fail are made up for; a storer that is away delays its own lines only. */
static void test_storers_away(void **state)
{
    int64_t base = slg_clock_wall_ns(slg_clock_system()) - SLG_NS_PER_SEC;
    static struct client client;
    struct world world;

    (void)state;
    open_world(&world, "away", PONG_TIMEOUT_MS);
    add_line(&world.fakes[0], base);
    assert_int_equal(connect_tail(&client, &world, ""), 101);
    expect_lines(&client, 1, (const char *const[]){ "line 0.1" });
    (void)pthread_mutex_lock(&world.fakes[0].lock);
    world.fakes[0].fail_queries = 2;
    (void)pthread_mutex_unlock(&world.fakes[0].lock);
    add_line(&world.fakes[0], base + 1);
    assert_true(read_until(&client, 2, DEADLINE_S * SLG_NS_PER_SEC));
    set_refuse(&world.fakes[1], true);
    add_line(&world.fakes[1], base + 2);
    add_line(&world.fakes[0], base + 3);
    assert_true(read_until(&client, 3, DEADLINE_S * SLG_NS_PER_SEC));
    assert_string_equal(client.lines[2], "line 0.3");
    set_refuse(&world.fakes[1], false);
    assert_true(read_until(&client, 4, DEADLINE_S * SLG_NS_PER_SEC));
    assert_string_equal(client.lines[3], "line 1.1");
    assert_false(read_until(&client, 5, SLG_NS_PER_SEC)); /* nothing twice */
    hang_up(&client);
    close_world(&world);
}

/* More than tails_max: 429; a stop of the server: no close frame; and the place of one that hung up is free again. */
static void test_limits(void **state)
{
    static struct client clients[3];
    struct world world;
    int64_t deadline;
    int code;

    (void)state;
    open_world(&world, "limits", PONG_TIMEOUT_MS);
    assert_int_equal(connect_tail(&clients[0], &world, ""), 101);
    assert_int_equal(connect_tail(&clients[1], &world, ""), 101);
    assert_int_equal(connect_tail(&clients[2], &world, ""), 429);
    hang_up(&clients[2]);
    hang_up(&clients[1]);
    deadline = slg_clock_mono_ns(slg_clock_system()) + DEADLINE_S * SLG_NS_PER_SEC;
    do {
        code = connect_tail(&clients[1], &world, "");
        if (code != 101)
            hang_up(&clients[1]);
    } while (code != 101 && slg_clock_mono_ns(slg_clock_system()) < deadline);
    assert_int_equal(code, 101);
    slg_querier_stop(world.querier);
    world.querier = NULL;
    expect_cut(&clients[0]);
    expect_cut(&clients[1]);
    hang_up(&clients[0]);
    hang_up(&clients[1]);
    close_world(&world);
}

static void test_no_storer(void **state)
{
    static struct client client;
    struct world world;

    (void)state;
    open_world(&world, "none", PONG_TIMEOUT_MS);
    set_refuse(&world.fakes[0], true);
    set_refuse(&world.fakes[1], true);
    assert_int_equal(connect_tail(&client, &world, ""), 503);
    hang_up(&client);
    close_world(&world);
}

static const struct frame_case {
    const char *name, *bytes;
    size_t len;
    unsigned code;
} bad_frames[] = {
    { "unmasked", "\x81\x01x", 3, 1002 },
    { "reserved opcode", "\x83\x80mask", 6, 1002 },
    { "text not UTF-8", "\x81\x81\0\0\0\0\xff", 7, 1007 },
    { "too long", "\x81\xfe\xff\xffmask", 8, 1009 },
};

static void test_bad_frames(void **state)
{
    static struct client client;
    struct world world;

    (void)state;
    open_world(&world, "frames", PONG_TIMEOUT_MS);
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad_frames); i++) {
        const struct frame_case *row = &bad_frames[i];

        while (connect_tail(&client, &world, "") != 101) /* the place of the last is not free yet */
            hang_up(&client);
        send_frame(&client, SLG_WEBSOCKET_TEXT, "ignored", 7);
        assert_int_equal(send(client.fd, row->bytes, row->len, 0), (ssize_t)row->len);
        CHECK(row->name, read_until(&client, SIZE_MAX, DEADLINE_S * SLG_NS_PER_SEC));
        CHECK(row->name, client.closed == row->code);
        hang_up(&client);
    }
    close_world(&world);
}

/* A client that answers no ping is closed; one that does lives, and costs few looks. */
static void test_pings(void **state)
{
    static struct client good, bad;
    struct world world;

    (void)state;
    open_world(&world, "pings", 2500);
    assert_int_equal(connect_tail(&good, &world, ""), 101);
    assert_int_equal(connect_tail(&bad, &world, ""), 101);
    bad.silent = true;
    assert_false(read_until(&good, 1, 4 * SLG_NS_PER_SEC));
    assert_in_range(good.pings, 2, 5);
    assert_int_equal(good.closed, 0);
    assert_in_range(count_looks(&world.fakes[0]), 3, 14);
    expect_close(&bad, 1011, "the client has not answered a ping for 2 s");
    assert_int_equal(bad.pings, 1);
    hang_up(&good);
    hang_up(&bad);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_storers_away),
        cmocka_unit_test(test_limits),     cmocka_unit_test(test_no_storer),
        cmocka_unit_test(test_bad_frames), cmocka_unit_test(test_pings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
