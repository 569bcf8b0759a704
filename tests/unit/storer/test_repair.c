/* Two storers of one map, R = 2: each fetches from the other what a query needs, a new disk is refilled by itself, a
 * copied directory is found out. Covers: storer/copy.c storer/ensure.c storer/peer_links.c storer/repair.c
 * Oracle: what was stored at the one is held by the other. The rounds of a whole cluster: tests/e2e/replication. */
#include "tests/helper/storer.h"
#include "tests/helper/wait.h"

#include <poll.h>

#include "proto/rpc.h"
#include "storer/disk.h"
#include "storer/manifest.h"
#include "storer/storer.h"

#define RETENTION_NS (2 * TEST_HOUR_NS) /* as the map says */

static const char map_text[] =
    "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"retention_seconds\":7200,\"nodes\":["
    "{\"id\":\"a\",\"address\":\"inproc://repair-a\",\"zone\":\"a\"},"
    "{\"id\":\"b\",\"address\":\"inproc://repair-b\",\"zone\":\"b\"}],"
    "\"layouts\":[{\"replication\":2,\"write_quorum\":2,\"slots\":1,\"window_seconds\":3600,"
    "\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"}]}]}";
static const char *const ids[] = { "a", "b" };
static const char *const urls[] = { "inproc://repair-a", "inproc://repair-b" };

struct one {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_storer *storer;
    struct slg_transport_client *client;
};

struct pair {
    struct slg_map *map;
    struct slg_clock_fake clock;
    struct slg_arena *arena;
    struct one one[2];
};

static void start(struct pair *p, size_t n, bool repair)
{
    struct slg_storer_options options = { .data_dir = p->one[n].directory,
                                          .node_id = ids[n],
                                          .map = p->map,
                                          .clock = &p->clock.clock,
                                          .listen_urls = &urls[n],
                                          .listen_count = 1,
                                          .map_bytes_max = 64 << 20,
                                          .disk_reserve_bytes = 1,
                                          .repair_off = !repair };
    struct slg_transport_client_options client = { .url = urls[n], .in_flight_max = 4 };
    struct slg_error err = { .message = "" };

    p->one[n].registry = slg_metric_registry_create();
    assert_non_null(p->one[n].registry);
    options.metrics = p->one[n].registry;
    assert_int_equal(slg_storer_create(&options, &p->one[n].storer, &err), SLG_OK);
    if (slg_storer_start(p->one[n].storer, &err) != SLG_OK)
        fail_msg("%s", err.message);
    assert_int_equal(slg_transport_client_start(&client, &p->one[n].client, &err), SLG_OK);
}

static void stop(struct pair *p, size_t n)
{
    slg_transport_client_stop(p->one[n].client);
    slg_storer_stop(p->one[n].storer);
    slg_storer_destroy(p->one[n].storer);
    slg_metric_registry_destroy(p->one[n].registry);
}

static void set_up(struct pair *p)
{
    struct slg_error err;

    memset(p, 0, sizeof(*p));
    slg_clock_fake_init(&p->clock, TEST_WINDOW_NS, 0);
    assert_int_equal(slg_map_parse(map_text, sizeof(map_text) - 1, &p->map, &err), SLG_OK);
    p->arena = slg_arena_create(64 << 20);
    for (size_t n = 0; n < 2; n++)
        p->one[n].directory = test_make_directory();
}

static void tear_down(struct pair *p)
{
    for (size_t n = 0; n < 2; n++)
        test_drop_directory(p->one[n].directory);
    slg_arena_destroy(p->arena);
    slg_map_unref(p->map);
}

/* The reply, in the arena. */
static struct slg_text ask(struct pair *p, size_t n, struct slg_buf *request)
{
    struct slg_buf reply;
    enum slg_status status;
    struct slg_text text;

    slg_buf_init(&reply, SLG_MESSAGE_BYTES_MAX);
    do {
        slg_buf_clear(&reply);
        status = slg_transport_ask(p->one[n].client, request->data, request->len, 20000, &reply);
    } while (status == SLG_UNAVAILABLE);
    assert_int_equal(status, SLG_OK);
    text = slg_text_make(slg_arena_copy(p->arena, reply.data, reply.len), reply.len);
    slg_buf_fini(&reply);
    slg_buf_fini(request);
    return text;
}

static void store(struct pair *p, size_t n, uint64_t sequence)
{
    struct slg_shard_id shard = test_shard(0);
    struct slg_buf batch, request;
    enum slg_store_result result;
    struct slg_text reply, text;
    uint64_t epoch;

    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, sequence, "line");
    slg_rpc_encode_store(&request, 0, batch.data, batch.len);
    slg_buf_fini(&batch);
    reply = ask(p, n, &request);
    assert_int_equal(slg_rpc_decode_store_reply((const uint8_t *)reply.at, reply.len, &result,
                                                &epoch, &text, NULL),
                     SLG_OK);
    assert_int_equal(result, SLG_STORE_STORED);
}

static struct slg_rpc_sets_reply sets(struct pair *p, size_t n)
{
    const struct slg_rpc_sets sets = { .tenant = slg_text_of("fake"),
                                       .from_ns = TEST_WINDOW_NS,
                                       .to_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                       .map_epoch = 1 };
    struct slg_rpc_sets_reply got;
    struct slg_buf request;
    struct slg_text reply;
    struct slg_error err;

    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    slg_rpc_encode_sets(&request, &sets);
    reply = ask(p, n, &request);
    assert_int_equal(
        slg_rpc_decode_sets_reply(p->arena, (const uint8_t *)reply.at, reply.len, &got, &err),
        SLG_OK);
    return got;
}

static uint64_t held(struct pair *p, size_t n)
{
    struct slg_rpc_sets_reply got = sets(p, n);

    return got.shard_count == 0 ? 0 : got.shards[0].digest.count;
}

static enum slg_status ensure_within(struct pair *p, size_t n, uint64_t first, uint64_t last,
                                     int64_t deadline_ms)
{
    struct slg_incarnation incarnation = test_incarnation(1);
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_rpc_shard_set want = { .shard = test_shard(0) };
    const struct slg_rpc_ensure request_of = { .tenant = slg_text_of("fake"),
                                               .map_epoch = 1,
                                               .deadline_ms = deadline_ms,
                                               .shards = &want,
                                               .shard_count = 1 };
    struct slg_buf request, bytes;
    struct slg_text reply;
    struct slg_error err;

    slg_buf_init(&bytes, 4096);
    assert_int_equal(slg_batch_set_add_range(set, &incarnation, first, last), SLG_OK);
    slg_batch_set_encode(&bytes, set);
    want.set = slg_text_make((const char *)bytes.data, bytes.len);
    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    slg_rpc_encode_ensure(&request, &request_of);
    reply = ask(p, n, &request);
    slg_batch_set_destroy(set);
    slg_buf_fini(&bytes);
    return slg_rpc_reply_status((const uint8_t *)reply.at, reply.len, &err);
}

static enum slg_status ensure(struct pair *p, size_t n, uint64_t first, uint64_t last)
{
    return ensure_within(p, n, first, last, 10000);
}

static void test_ensure(void **state)
{
    struct pair p;

    (void)state;
    set_up(&p);
    start(&p, 0, /* repair= */ false);
    assert_true(sets(&p, 0).refilling); /* alone it does not know whether it forgot something */
    start(&p, 1, /* repair= */ false);
    WAIT_UNTIL(!sets(&p, 0).refilling && !sets(&p, 1).refilling);
    for (uint64_t i = 1; i <= 40; i++)
        store(&p, i % 2, i);
    assert_int_equal(held(&p, 0), 20);
    assert_int_equal(ensure(&p, 0, 2, 2), SLG_OK);
    assert_int_equal(held(&p, 0), 20); /* it had that one */
    assert_int_equal(ensure_within(&p, 0, 2, 2, INT64_C(24) * 3600 * 1000), SLG_OK);
    assert_int_equal(ensure_within(&p, 0, 2, 2, INT64_C(24) * 3600 * 1000 + 1), SLG_INVALID);
    assert_int_equal(ensure_within(&p, 0, 2, 2, INT64_MAX), SLG_INVALID);
    assert_int_equal(ensure(&p, 0, 1, 9), SLG_OK);
    assert_int_equal(held(&p, 0), 25);
    assert_int_equal(ensure(&p, 1, 1, 40), SLG_OK);
    assert_int_equal(held(&p, 1), 40);
    assert_int_equal(ensure(&p, 0, 1, 41), SLG_UNAVAILABLE); /* nobody has 41 */
    assert_int_equal(held(&p, 0), 40);                       /* but all that there is came */
    stop(&p, 1);
    assert_int_equal(ensure(&p, 0, 41, 41), SLG_UNAVAILABLE);
    stop(&p, 0);
    tear_down(&p);
}

/* Of a window that straddles the limit of retention, too: what is too old in it comes with the rest. */
static void test_a_new_disk_is_refilled(void **state)
{
    struct pair p;

    (void)state;
    set_up(&p);
    start(&p, 0, /* repair= */ true);
    start(&p, 1, /* repair= */ true);
    WAIT_UNTIL(!sets(&p, 0).refilling && !sets(&p, 1).refilling);
    store(&p, 0, 1);
    store(&p, 0, 2);
    WAIT_UNTIL(held(&p, 1) == 2); /* by rounds */
    stop(&p, 0);
    stop(&p, 1);
    test_drop_directory(p.one[1].directory);
    p.one[1].directory = test_make_directory();
    p.clock.wall_ns += RETENTION_NS + SLG_NS_PER_MS * 3 / 2; /* between batch 1 and batch 2 */
    start(&p, 0, /* repair= */ true);
    start(&p, 1, /* repair= */ true);
    assert_true(sets(&p, 1).refilling);
    WAIT_UNTIL(!sets(&p, 1).refilling);
    assert_int_equal(held(&p, 1), 2);
    stop(&p, 0);
    stop(&p, 1);
    tear_down(&p);
}

static void read_record(struct pair *p, size_t n, const char *name, struct slg_buf *out)
{
    if (slg_disk_read(p->one[n].directory, name, out, NULL) != SLG_OK)
        slg_buf_clear(out);
}

static void write_record(struct pair *p, size_t n, const char *name, struct slg_buf *bytes)
{
    assert_int_equal(slg_disk_write_buf(p->one[n].directory, name, bytes, NULL), SLG_OK);
    slg_buf_fini(bytes);
}

/* What the record `peers` of n says of the counter of node_id; -1: nothing. */
static int64_t remembered(struct pair *p, size_t n, const char *node_id)
{
    static struct slg_known_storages known;
    struct slg_buf bytes;
    int64_t counter = -1;

    read_record(p, n, "peers", &bytes);
    if (bytes.len > 0) {
        assert_int_equal(slg_known_storages_decode(bytes.data, bytes.len, &known, NULL), SLG_OK);
        for (size_t i = 0; i < known.count; i++)
            if (strcmp(known.rows[i].node_id, node_id) == 0)
                counter = (int64_t)known.rows[i].counter;
    }
    slg_buf_fini(&bytes);
    return counter;
}

/* sim seed 876: a storer that was rolled back and starts again before it is whole. Only the records go back here. */
static void test_a_rolled_back_disk_is_found_out(void **state)
{
    struct slg_buf storage, peers;
    int64_t before;
    struct pair p;

    (void)state;
    set_up(&p);
    start(&p, 0, /* repair= */ true);
    start(&p, 1, /* repair= */ true);
    WAIT_UNTIL(!sets(&p, 0).refilling && !sets(&p, 1).refilling);
    WAIT_UNTIL(remembered(&p, 1, "b") == 0); /* it says of itself that it is whole */
    WAIT_UNTIL(remembered(&p, 0, "b") >= 0);
    before = remembered(&p, 0, "b");
    read_record(&p, 1, "storage", &storage);
    read_record(&p, 1, "peers", &peers);
    store(&p, 1, 1);
    WAIT_UNTIL(remembered(&p, 0, "b") > before); /* the counter was raised, and told */
    stop(&p, 1);
    write_record(&p, 1, "storage", &storage);
    write_record(&p, 1, "peers", &peers);
    start(&p, 1, /* repair= */ true);
    WAIT_UNTIL(remembered(&p, 1, "b") == -1); /* the proof is taken back */
    assert_true(sets(&p, 1).refilling);
    stop(&p, 1);
    start(&p, 1, /* repair= */ true);
    WAIT_UNTIL(remembered(&p, 0, "b") >= 0);
    assert_true(sets(&p, 1).refilling); /* and a start does not give it back */
    assert_int_equal(remembered(&p, 1, "b"), -1);
    stop(&p, 0);
    stop(&p, 1);
    tear_down(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ensure),
        cmocka_unit_test(test_a_new_disk_is_refilled),
        cmocka_unit_test(test_a_rolled_back_disk_is_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
