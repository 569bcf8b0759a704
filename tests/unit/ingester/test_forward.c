/* Batches reach the storer exactly once by id, whatever it answers or fails to answer; what is given up is counted as
 * dropped only when it certainly is not there.
 * Oracle: a fake storer driven by a script; the ledger. Covers: ingester/reach.c ingester/forward_pool.c */
#include "tests/helper/ingester.h"

#define T0_NS (INT64_C(1767225600) * SLG_NS_PER_SEC)

/* Submit one batch of one entry with this sequence. */
static enum slg_status submit(struct bench *b, struct slg_account_cell *cell, uint64_t sequence)
{
    static const struct slg_incarnation incarnation = { { 1, 2, 3 } };
    struct slg_shard_id shard = { .window_ns = T0_NS,
                                  .length_ns = 3600 * SLG_NS_PER_SEC,
                                  .slot_count = 1 };
    static const uint8_t canonical[] = { 1, 1, 'a', 1, 'b' };
    struct slg_stream_id id = slg_stream_id_of(slg_text_of("t"), canonical, sizeof(canonical));
    struct slg_entry entry = { .ts_ns = T0_NS, .line = slg_text_of("line") };
    struct slg_batch_builder *builder;
    struct slg_forward_batch *batch;
    struct slg_buf out;
    enum slg_status status = slg_forward_take(b->forward, false, 0, &batch);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    assert_int_equal(slg_batch_builder_create(slg_text_of("t"), 65536, &builder), SLG_OK);
    slg_batch_builder_start(builder, &shard);
    assert_int_equal(
        slg_batch_builder_stream(builder, &id, canonical, sizeof(canonical), &entry.stream_index),
        SLG_OK);
    assert_int_equal(slg_batch_builder_append(builder, &entry), SLG_OK);
    assert_int_equal(slg_batch_builder_seal(builder, &incarnation, sequence, 1, &out), SLG_OK);
    slg_account_received(cell, 0, 1);
    batch->shard = shard;
    batch->entry_count = 1;
    assert_int_equal(slg_forward_submit(b->forward, batch, out.data, out.len), SLG_OK);
    slg_batch_builder_destroy(builder);
    slg_buf_fini(&out);
    return SLG_OK;
}

/* By a seed: every kind of answer and silence. */
static struct fake_action every_kind(void *ctx, uint64_t store_count)
{
    uint64_t choice = slg_hash_xxh3_seeded(&store_count, sizeof(store_count), (uint64_t)ctx) % 10;

    switch (choice) {
    case 0:
        return (struct fake_action){ FAKE_ANSWER, SLG_STORE_BUSY };
    case 1:
        return (struct fake_action){ FAKE_ANSWER, SLG_STORE_READ_ONLY };
    case 2:
        return (struct fake_action){ FAKE_ANSWER, SLG_STORE_NOT_PLACED };
    case 3:
        return (struct fake_action){ store_count < 60 ? FAKE_LOSE_BEFORE : FAKE_STORE, 0 };
    case 4:
        return (struct fake_action){ store_count < 60 ? FAKE_LOSE_AFTER : FAKE_STORE, 0 };
    default:
        return (struct fake_action){ FAKE_STORE, 0 };
    }
}

static void test_retries_until_stored_once(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    enum { COUNT = 200 };

    (void)state;
    bench_init(&b, "forward-retry", true);
    b.fake.script = every_kind;
    b.fake.script_ctx = (void *)7;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 100);
    cell = slg_account_cell(b.account);
    for (uint64_t i = 1; i <= COUNT; i++)
        assert_int_equal(submit(&b, cell, i), SLG_OK);
    WAIT_UNTIL(bench_totals(&b).accepted == COUNT);
    assert_int_equal(FAKE_READ(&b.fake, batch_count), COUNT);
    assert_int_equal(FAKE_READ(&b.fake, entry_count), COUNT);
    assert_int_equal(FAKE_READ(&b.fake, mistakes), 0);
    assert_true(FAKE_READ(&b.fake, store_count) > COUNT);
    assert_true(FAKE_READ(&b.fake, hello_count) > 1); /* after every silence */
    fake_check_sequences(&b.fake);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    bench_fini(&b);
}

static struct fake_action always(void *ctx, uint64_t store_count)
{
    (void)store_count;
    return *(struct fake_action *)ctx;
}

static struct fake_action lose_then_expire(void *ctx, uint64_t store_count)
{
    (void)ctx;
    if (store_count == 0)
        return (struct fake_action){ FAKE_LOSE_AFTER, 0 };
    return (struct fake_action){ FAKE_ANSWER, SLG_STORE_EXPIRED };
}

static const struct refusal_case {
    const char *name;
    enum slg_store_result result;
    enum slg_drop_reason reason;
} refusals[] = {
    { "expired", SLG_STORE_EXPIRED, SLG_DROP_EXPIRED },
    { "future", SLG_STORE_FUTURE, SLG_DROP_FUTURE },
    { "malformed", SLG_STORE_MALFORMED, SLG_DROP_REFUSED },
    { "content", SLG_STORE_CONTENT, SLG_DROP_CONTENT },
};

static void test_refusals_are_dropped_with_their_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(refusals); i++) {
        struct bench b;
        struct fake_action action = { FAKE_ANSWER, refusals[i].result };
        struct slg_account_totals totals;

        bench_init(&b, refusals[i].name, true);
        b.fake.script = always;
        b.fake.script_ctx = &action;
        bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 1000);
        assert_int_equal(submit(&b, slg_account_cell(b.account), 1), SLG_OK);
        WAIT_UNTIL(bench_totals(&b).in_flight == 0);
        totals = bench_totals(&b);
        CHECK(refusals[i].name, totals.dropped_by[refusals[i].reason] == 1);
        CHECK(refusals[i].name, totals.dropped == 1);
        CHECK(refusals[i].name, slg_forward_incarnation_serial(b.forward) ==
                                    (refusals[i].result == SLG_STORE_CONTENT));
        assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
        bench_fini(&b);
    }
}

static void test_refused_after_silence_is_abandoned(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, "forward-silence", true);
    b.fake.script = lose_then_expire;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 50);
    assert_int_equal(submit(&b, slg_account_cell(b.account), 1), SLG_OK);
    WAIT_UNTIL(bench_totals(&b).in_flight == 0);
    assert_int_equal(bench_totals(&b).abandoned, 1);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 1);
    bench_fini(&b);
}

static void test_storer_that_comes_late(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;

    (void)state;
    bench_init(&b, "forward-late", false);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 1000);
    cell = slg_account_cell(b.account);
    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(submit(&b, cell, i), SLG_OK);
    assert_int_equal(slg_forward_ready_count(b.forward), 0);
    fake_listen(&b.fake, b.url);
    WAIT_UNTIL(bench_totals(&b).accepted == 10);
    assert_int_equal(slg_forward_ready_count(b.forward), 1);
    assert_int_equal(slg_forward_batch_count(b.forward), 0);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    bench_fini(&b);
}

static void test_stop_without_a_storer(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    struct slg_account_totals totals;
    uint64_t sequence = 0;

    (void)state;
    bench_init(&b, "forward-stop", false);
    bench_forward(&b, SLG_FORWARD_MEMORY_MIN, 1000);
    cell = slg_account_cell(b.account);
    while (submit(&b, cell, sequence + 1) == SLG_OK)
        sequence++;
    assert_int_equal(sequence, SLG_FORWARD_MEMORY_MIN / SLG_FORWARD_TOKEN_BYTES);
    assert_int_equal(bench_stop(&b, 50 * SLG_NS_PER_MS), sequence);
    totals = bench_totals(&b);
    assert_int_equal(totals.dropped_by[SLG_DROP_STOP], sequence); /* nothing was ever sent */
    assert_int_equal(totals.in_flight, 0);
    bench_fini(&b);
}

static void test_stop_while_out_abandons(void **state)
{
    struct bench b;
    struct fake_action action = { FAKE_LOSE_AFTER, 0 };

    (void)state;
    bench_init(&b, "forward-abandon", true);
    b.fake.script = always;
    b.fake.script_ctx = &action;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 60000);
    assert_int_equal(submit(&b, slg_account_cell(b.account), 1), SLG_OK);
    WAIT_UNTIL(FAKE_READ(&b.fake, store_count) == 1);
    assert_int_equal(bench_stop(&b, 50 * SLG_NS_PER_MS), 1);
    assert_int_equal(bench_totals(&b).abandoned, 1);
    bench_fini(&b);
}

static void test_new_map_moves_what_waits(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    struct slg_map *first;

    (void)state;
    bench_init(&b, "forward-map-a", false); /* nobody is there */
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 1000);
    cell = slg_account_cell(b.account);
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(submit(&b, cell, i), SLG_OK);
    first = b.map;
    (void)snprintf(b.url, sizeof(b.url), "inproc://forward-map-b");
    bench_make_map(&b, 3600 * SLG_NS_PER_SEC, 1);
    fake_listen(&b.fake, b.url);
    slg_forward_set_map(b.forward, b.map);
    WAIT_UNTIL(bench_totals(&b).accepted == 5);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    slg_map_unref(first);
    bench_fini(&b);
}

static struct fake_action lose_second(void *ctx, uint64_t store_count)
{
    (void)ctx;
    return (struct fake_action){ store_count == 1 ? FAKE_LOSE_BEFORE : FAKE_STORE, 0 };
}

/* W = 2, and the other storer is not there: batches wait with one acknowledgement, of a disk that is then replaced. */
static void test_a_new_disk_gets_batches_again(void **state)
{
    static const char text[] =
        "{\"version\":1,\"cluster\":\"test\",\"epoch\":1,\"nodes\":["
        "{\"id\":\"storer-1\",\"address\":\"inproc://forward-disk\",\"zone\":\"a\"},"
        "{\"id\":\"storer-2\",\"address\":\"inproc://forward-nobody\",\"zone\":\"b\"}],"
        "\"layouts\":[{\"replication\":2,\"write_quorum\":2,\"slots\":1,\"window_seconds\":3600,"
        "\"nodes\":[{\"id\":\"storer-1\"},{\"id\":\"storer-2\"}]}]}";
    struct bench b;
    struct slg_error error;

    (void)state;
    bench_init(&b, "forward-disk", true);
    slg_map_unref(b.map);
    assert_int_equal(slg_map_parse(text, sizeof(text) - 1, &b.map, &error), SLG_OK);
    b.fake.script = lose_second;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 300);
    assert_int_equal(submit(&b, slg_account_cell(b.account), 1), SLG_OK);
    WAIT_UNTIL(FAKE_READ(&b.fake, batch_count) == 1);
    pthread_mutex_lock(&b.fake.lock);
    b.fake.storage_id = "another";
    b.fake.batch_count = 0;
    pthread_mutex_unlock(&b.fake.lock);
    assert_int_equal(submit(&b, slg_account_cell(b.account), 2), SLG_OK); /* no answer: HELLO */
    WAIT_UNTIL(FAKE_READ(&b.fake, batch_count) == 2);
    assert_int_equal(bench_totals(&b).accepted, 0);
    assert_int_equal(bench_stop(&b, 0), 2);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retries_until_stored_once),
        cmocka_unit_test(test_refusals_are_dropped_with_their_reason),
        cmocka_unit_test(test_refused_after_silence_is_abandoned),
        cmocka_unit_test(test_storer_that_comes_late),
        cmocka_unit_test(test_stop_without_a_storer),
        cmocka_unit_test(test_stop_while_out_abandons),
        cmocka_unit_test(test_new_map_moves_what_waits),
        cmocka_unit_test(test_a_new_disk_gets_batches_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
