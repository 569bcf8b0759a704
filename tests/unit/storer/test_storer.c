/* The storer as a whole, over its listeners: starts at once, stores, answers over inproc and TCP and HTTP, stops clean,
 * starts again with its data. Oracle: what was acknowledged before the stop is in the sets after it. */
#include "tests/helper/storer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/rpc.h"
#include "storer/storer.h"

struct fixture {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_map *map;
    struct slg_clock_fake clock;
    struct slg_storer *storer;
    struct slg_transport_client *client;
};

static const char *const urls[] = { "inproc://test-storer", "tcp://127.0.0.1:0" };

static void start(struct fixture *f, size_t client_url)
{
    const struct slg_storer_options options = { .data_dir = f->directory,
                                                .node_id = "n1",
                                                .map = f->map,
                                                .clock = &f->clock.clock,
                                                .metrics = f->registry,
                                                .listen_urls = urls,
                                                .listen_count = 2,
                                                .http = { .listen = "127.0.0.1:0" },
                                                .map_bytes_max = 64 << 20,
                                                .disk_reserve_bytes = 1 };
    struct slg_transport_client_options client = { .in_flight_max = 4 };
    struct slg_error err = { .message = "" };

    assert_int_equal(slg_storer_create(&options, &f->storer, &err), SLG_OK);
    if (slg_storer_start(f->storer, &err) != SLG_OK)
        fail_msg("%s", err.message);
    client.url = slg_storer_url(f->storer, client_url);
    assert_int_equal(slg_transport_client_start(&client, &f->client, &err), SLG_OK);
}

static void stop(struct fixture *f)
{
    slg_transport_client_stop(f->client);
    slg_storer_stop(f->storer);
    slg_storer_stop(f->storer); /* again is fine */
    slg_storer_destroy(f->storer);
}

/* The client dials in the background: until it has, requests are UNAVAILABLE. */
static void ask(struct fixture *f, const struct slg_buf *request, struct slg_buf *reply)
{
    int64_t deadline_ns = slg_clock_mono_ns(slg_clock_system()) + 20 * SLG_NS_PER_SEC;
    enum slg_status status;

    do {
        slg_buf_clear(reply);
        status = slg_transport_ask(f->client, request->data, request->len, 10000, reply);
        assert_true(slg_clock_mono_ns(slg_clock_system()) < deadline_ns);
    } while (status == SLG_UNAVAILABLE);
    assert_int_equal(status, SLG_OK);
}

static enum slg_store_result store(struct fixture *f, uint64_t sequence)
{
    struct slg_shard_id shard = test_shard(0);
    struct slg_buf batch, request, reply;
    enum slg_store_result result;
    struct slg_text text;
    uint64_t epoch;

    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    slg_buf_init(&reply, SLG_MESSAGE_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, sequence, "line");
    slg_rpc_encode_store(&request, 0, batch.data, batch.len);
    ask(f, &request, &reply);
    assert_int_equal(
        slg_rpc_decode_store_reply(reply.data, reply.len, &result, &epoch, &text, NULL), SLG_OK);
    slg_buf_fini(&batch);
    slg_buf_fini(&request);
    slg_buf_fini(&reply);
    return result;
}

static uint64_t held(struct fixture *f)
{
    const struct slg_rpc_sets sets = { .tenant = slg_text_of("fake"),
                                       .from_ns = TEST_WINDOW_NS,
                                       .to_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                       .map_epoch = 1 };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_rpc_sets_reply got;
    struct slg_buf request, reply;
    struct slg_error err;
    uint64_t held_count;

    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    slg_buf_init(&reply, SLG_MESSAGE_BYTES_MAX);
    slg_rpc_encode_sets(&request, &sets);
    ask(f, &request, &reply);
    assert_int_equal(slg_rpc_decode_sets_reply(arena, reply.data, reply.len, &got, &err), SLG_OK);
    assert_true(got.shard_count <= 1);
    held_count = got.shard_count == 0 ? 0 : got.shards[0].digest.count;
    slg_buf_fini(&request);
    slg_buf_fini(&reply);
    slg_arena_destroy(arena);
    return held_count;
}

/* GET over a plain socket; the answer's head and body into out. */
static void http_get(const char *address, const char *path, struct slg_buf *out)
{
    struct sockaddr_in peer = { .sin_family = AF_INET };
    const char *colon = strrchr(address, ':');
    unsigned port = 0;
    uint8_t chunk[4096];
    char request[256];
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_non_null(colon);
    for (const char *at = colon + 1; *at != '\0'; at++)
        port = port * 10 + (unsigned)(*at - '0');
    peer.sin_port = htons((uint16_t)port);
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&peer, sizeof(peer)), 0);
    n = snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(fd, request, (size_t)n), n);
    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        slg_buf_append(out, chunk, (size_t)n);
    close(fd);
}

static bool http_has(const struct fixture *f, const char *path, const char *part)
{
    struct slg_buf out;
    bool found;

    slg_buf_init(&out, 1 << 20);
    http_get(slg_storer_http_address(f->storer), path, &out);
    found = memmem(out.data, out.len, part, strlen(part)) != NULL;
    slg_buf_fini(&out);
    return found;
}

static void set_up(struct fixture *f)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = "n1",
                                                .address = "inproc://test-storer",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1 };

    memset(f, 0, sizeof(*f));
    f->directory = test_make_directory();
    f->registry = slg_metric_registry_create();
    slg_clock_fake_init(&f->clock, TEST_WINDOW_NS, 0);
    assert_int_equal(slg_map_make_single(&map, &f->map, NULL), SLG_OK);
}

static void tear_down(struct fixture *f)
{
    slg_metric_registry_destroy(f->registry);
    slg_map_unref(f->map);
    test_drop_directory(f->directory);
}

static void test_store_stop_start(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t url = 0; url < 2; url++) {
        start(&f, url);
        assert_false(slg_storer_read_only(f.storer));
        assert_int_equal(held(&f), url);
        assert_int_equal(store(&f, url + 1), SLG_STORE_STORED);
        assert_int_equal(store(&f, url + 1), SLG_STORE_DUPLICATE);
        assert_int_equal(held(&f), url + 1);
        assert_true(http_has(&f, "/ready", "200"));
        assert_true(http_has(&f, "/metrics", "silage_storer_batches_total{result=\"duplicate\"}"));
        assert_true(http_has(&f, "/metrics", "silage_storer_open_shards 1"));
        assert_true(http_has(&f, "/admin/status", "\"shard\":\"1767225600-3600-0of1\""));
        stop(&f);
    }
    tear_down(&f);
}

static void test_bad_starts(void **state)
{
    struct slg_storer_options options = { .node_id = "stranger" };
    struct slg_storer *storer = NULL;
    struct slg_error err;
    struct fixture f;

    (void)state;
    set_up(&f);
    options.map = f.map;
    options.metrics = f.registry;
    options.data_dir = f.directory;
    assert_int_equal(slg_storer_create(&options, &storer, &err), SLG_INVALID);
    assert_null(storer);
    start(&f, 0);
    options.node_id = "n1";
    assert_int_equal(slg_storer_create(&options, &storer, &err), SLG_OK);
    assert_int_equal(slg_storer_start(storer, &err), SLG_UNAVAILABLE); /* the directory is in use */
    slg_storer_destroy(storer);
    stop(&f);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_stop_start),
        cmocka_unit_test(test_bad_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
