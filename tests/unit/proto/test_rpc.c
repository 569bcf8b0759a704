/* Messages come back as they were written, and nothing else is taken for a message.
 * Oracle: field by field comparison; every strict prefix and every message with a byte too many is refused. */
#include "tests/helper/test.h"

#include "proto/rpc.h"

#define ARENA_BYTES ((size_t)1 << 20)

static struct slg_shard_id shard(int64_t hour, uint16_t slot)
{
    return (struct slg_shard_id){ .window_ns = hour * 3600 * INT64_C(1000000000),
                                  .length_ns = 3600 * INT64_C(1000000000),
                                  .slot = slot,
                                  .slot_count = 4 };
}

static struct slg_rpc_query sample_query(const struct slg_rpc_shard_set *shards, size_t count)
{
    struct slg_rpc_query query = {
        .tenant = slg_text_of("default"),
        .map_epoch = 7,
        .leaf = { .kind = SLG_LEAF_PARTIAL,
                  .text = slg_text_of("rate({a=\"b\"}[5m])"),
                  .start_ns = -5,
                  .end_ns = INT64_MAX,
                  .step_ns = 15,
                  .direction = SLG_FORWARD,
                  .limit = 100,
                  .flags = 3,
                  .memory_bytes_max = 1 << 20,
                  .series_max = 500,
                  .bytes_scan_max = UINT64_MAX,
                  .deadline_ms = 30000 },
        .shards = shards,
        .shard_count = count,
        .cut_from_ns = 3,
        .cut_to_ns = INT64_MAX,
    };

    memset(query.query_id, 0xC3, sizeof(query.query_id));
    return query;
}

static void test_query_round_trip(void **state)
{
    struct slg_rpc_shard_set shards[2] = {
        { .shard = shard(1, 0), .digest = { { 1, 2 }, 3 }, .set = slg_text_make("\x01\x02", 2) },
        { .shard = shard(2, 3), .digest = { { UINT64_MAX, 0 }, 9 }, .set = slg_text_make("", 0) },
    };
    struct slg_rpc_query query = sample_query(shards, 2), found;
    struct slg_arena *arena = slg_arena_create(ARENA_BYTES);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);
    slg_rpc_encode_query(&out, &query);
    assert_false(slg_buf_failed(&out));
    for (size_t len = 0; len < out.len; len++) {
        uint8_t *cut = test_block(out.data, len);

        assert_int_not_equal(slg_rpc_decode_query(arena, cut, len, &found), SLG_OK);
        free(cut);
    }
    assert_int_equal(slg_rpc_decode_query(arena, out.data, out.len, &found), SLG_OK);
    assert_memory_equal(found.query_id, query.query_id, 16);
    assert_int_equal(found.leaf.kind, SLG_LEAF_PARTIAL);
    assert_true(slg_text_equal(found.leaf.text, query.leaf.text));
    assert_true(found.leaf.start_ns == -5 && found.leaf.end_ns == INT64_MAX);
    assert_true(found.leaf.bytes_scan_max == UINT64_MAX && found.leaf.deadline_ms == 30000);
    assert_int_equal(found.shard_count, 2);
    assert_int_equal(slg_shard_id_compare(&found.shards[1].shard, &shards[1].shard), 0);
    assert_true(slg_batch_set_digest_equal(&found.shards[1].digest, &shards[1].digest));
    assert_true(found.cut_from_ns == 3 && found.cut_to_ns == INT64_MAX);
    assert_int_equal(found.shards[0].known.len, 0);
    slg_buf_append_byte(&out, 0);
    assert_int_equal(slg_rpc_decode_query(arena, out.data, out.len, &found), SLG_MALFORMED);
    slg_buf_clear(&out);
    shards[1].known = slg_text_of("seen");
    slg_rpc_encode_query(&out, &query);
    assert_int_equal(slg_rpc_decode_query(arena, out.data, out.len, &found), SLG_OK);
    assert_int_equal(found.shards[0].known.len, 0);
    assert_true(slg_text_equal_to(found.shards[1].known, "seen"));
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
}

static void test_failure_carries_status_and_text(void **state)
{
    struct slg_error error = { 0 };
    struct slg_rpc_page page = { .more = true };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_rpc_encode_failure(&out, SLG_LIMIT, "too many series");
    assert_int_equal(slg_rpc_reply_status(out.data, out.len, &error), SLG_LIMIT);
    assert_string_equal(error.message, "too many series");
    assert_int_equal(slg_rpc_decode_page(out.data, out.len, &page, &error), SLG_LIMIT);
    assert_true(page.more); /* untouched */
    slg_buf_fini(&out);
}

static void test_other_version_is_refused_politely(void **state)
{
    struct slg_error error = { 0 };
    const uint8_t reply[] = { 0x93, 0x02, 0x00, 0xC4, 0x00 };
    const uint8_t request[] = { 0x92, 0x02, 0x08 };
    enum slg_rpc_type type = SLG_RPC_HELLO;

    (void)state;
    assert_int_equal(slg_rpc_reply_status(reply, sizeof(reply), &error), SLG_UNSUPPORTED);
    assert_non_null(strstr(error.message, "version 2"));
    assert_non_null(strstr(error.message, "this process 1"));
    assert_int_equal(slg_rpc_peek(request, sizeof(request), &type), SLG_UNSUPPORTED);
    assert_int_equal(type, SLG_RPC_HELLO);
}

static void test_streams_round_trip(void **state)
{
    struct slg_text selectors[2] = { slg_text_of("{a=\"b\"}"), slg_text_of("{c=~\"d.+\"}") };
    struct slg_rpc_streams ask = { .tenant = slg_text_of("default"),
                                   .from_ns = 1,
                                   .to_ns = 2,
                                   .selectors = selectors,
                                   .selector_count = 2,
                                   .stream_max = 10,
                                   .whole_windows = true };
    struct slg_rpc_stream stream = { .canonical = slg_text_of("xyz"),
                                     .entry_count = 1,
                                     .line_bytes = 2,
                                     .metadata_count = 4,
                                     .batch_count = 3 };
    struct slg_rpc_streams asked;
    struct slg_rpc_stream *found = NULL;
    struct slg_error error = { 0 };
    struct slg_arena *arena = slg_arena_create(ARENA_BYTES);
    struct slg_buf out;
    size_t count = 0;
    bool more = false;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_rpc_encode_streams(&out, &ask);
    assert_int_equal(slg_rpc_decode_streams(arena, out.data, out.len, &asked), SLG_OK);
    assert_int_equal(asked.selector_count, 2);
    assert_true(asked.whole_windows);
    assert_true(slg_text_equal(asked.selectors[1], selectors[1]));
    slg_buf_clear(&out);
    slg_rpc_encode_streams_reply(&out, &stream, 1, /* more= */ true);
    assert_int_equal(
        slg_rpc_decode_streams_reply(arena, out.data, out.len, &found, &count, &more, &error),
        SLG_OK);
    assert_int_equal(count, 1);
    assert_true(more && found[0].batch_count == 3 && found[0].line_bytes == 2);
    assert_int_equal(found[0].metadata_count, 4);
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
}

static void test_store_round_trip(void **state)
{
    struct slg_error error = { 0 };
    struct slg_text text = { 0 };
    enum slg_store_result result = SLG_STORE_STORED;
    const uint8_t *batch = NULL;
    uint64_t epoch = 0;
    size_t batch_len = 0;
    unsigned flags = 9;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_rpc_encode_store(&out, SLG_STORE_FLAG_HINT, "batch", 5);
    assert_int_equal(slg_rpc_decode_store(out.data, out.len, &flags, &batch, &batch_len), SLG_OK);
    assert_int_equal(flags, SLG_STORE_FLAG_HINT);
    assert_int_equal(batch_len, 5);
    assert_memory_equal(batch, "batch", 5);
    slg_buf_clear(&out);
    slg_rpc_encode_store_reply(&out, SLG_STORE_READ_ONLY, 4, "disk full");
    assert_int_equal(slg_rpc_decode_store_reply(out.data, out.len, &result, &epoch, &text, &error),
                     SLG_OK);
    assert_int_equal(result, SLG_STORE_READ_ONLY);
    assert_int_equal(epoch, 4);
    assert_true(slg_text_equal_to(text, "disk full"));
    slg_buf_fini(&out);
}

static void test_repair_round_trip(void **state)
{
    struct slg_rpc_shard_set shards[1] = {
        { .shard = shard(4, 1), .digest = { { 7, 8 }, 9 }, .set = slg_text_of("xyz") },
    };
    struct slg_shard_id ids[2] = { shard(1, 0), shard(2, 3) };
    struct slg_text batches[2] = { slg_text_of("one"), slg_text_of("") };
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of("c"),
                                   .storage_id = slg_text_of("aa"),
                                   .storage_counter = 5,
                                   .known_storage_id = slg_text_of("bb"),
                                   .known_storage_counter = UINT64_MAX,
                                   .wall_ns = INT64_MIN };
    struct slg_rpc_sets sets = { .from_ns = 1, .to_ns = 2, .shards = ids, .shard_count = 2 };
    struct slg_rpc_sets_reply held = {
        .refilling = true, .shards = shards, .shard_count = 1, .doubtful = ids, .doubtful_count = 2
    };
    struct slg_rpc_fetch fetch = { .shard = ids[1], .set = slg_text_of("s"), .bytes_max = 77 };
    struct slg_rpc_fetch_reply fetched = { .more = true, .batches = batches, .batch_count = 2 };
    struct slg_rpc_ensure ensure = { .deadline_ms = 100, .shards = shards, .shard_count = 1 };
    struct slg_arena *arena = slg_arena_create(ARENA_BYTES);
    struct slg_error error;
    struct slg_buf out;

    (void)state;
/* Every strict prefix is refused, the whole is read. */
#define ROUND_TRIP(encode, decode)                                                                 \
    do {                                                                                           \
        slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);                                                 \
        encode;                                                                                    \
        for (size_t len = 0; len <= out.len; len++) {                                              \
            uint8_t *bytes = (uint8_t *)slg_arena_copy(arena, out.data, len);                      \
            assert_true((decode == SLG_OK) == (len == out.len));                                   \
        }                                                                                          \
        slg_buf_fini(&out);                                                                        \
    } while (0)
    ROUND_TRIP(slg_rpc_encode_hello(&out, &hello), slg_rpc_decode_hello(bytes, len, &hello));
    assert_true(hello.storage_counter == 5 && hello.known_storage_counter == UINT64_MAX &&
                hello.wall_ns == INT64_MIN);
    assert_true(slg_text_equal_to(hello.known_storage_id, "bb"));
    ROUND_TRIP(slg_rpc_encode_sets(&out, &sets), slg_rpc_decode_sets(arena, bytes, len, &sets));
    assert_int_equal(sets.shard_count, 2);
    assert_int_equal(slg_shard_id_compare(&sets.shards[1], &ids[1]), 0);
    ROUND_TRIP(slg_rpc_encode_sets_reply(&out, &held),
               slg_rpc_decode_sets_reply(arena, bytes, len, &held, &error));
    assert_true(held.refilling && held.shard_count == 1 && held.doubtful_count == 2);
    assert_int_equal(slg_shard_id_compare(&held.doubtful[1], &ids[1]), 0);
    assert_true(slg_text_equal_to(held.shards[0].set, "xyz"));
    ROUND_TRIP(slg_rpc_encode_fetch(&out, &fetch), slg_rpc_decode_fetch(bytes, len, &fetch));
    assert_true(slg_shard_id_compare(&fetch.shard, &ids[1]) == 0 && fetch.bytes_max == 77);
    ROUND_TRIP(slg_rpc_encode_fetch_reply(&out, &fetched),
               slg_rpc_decode_fetch_reply(arena, bytes, len, &fetched, &error));
    assert_true(fetched.more && fetched.batch_count == 2);
    assert_true(slg_text_equal_to(fetched.batches[0], "one"));
    ROUND_TRIP(slg_rpc_encode_ensure(&out, &ensure),
               slg_rpc_decode_ensure(arena, bytes, len, &ensure));
    assert_true(ensure.deadline_ms == 100 && ensure.shard_count == 1);
    assert_true(ensure.shards[0].digest.count == 9);
    slg_arena_destroy(arena);
}

/* The end of a window is a time, too. */
static void test_windows_end_in_time(void **state)
{
    static const struct {
        const char *name;
        struct slg_shard_id shard;
        enum slg_status want;
    } rows[] = {
        { "the last", { .window_ns = INT64_MAX - 1, .length_ns = 1, .slot_count = 1 }, SLG_OK },
        { "past it", { .window_ns = INT64_MAX, .length_ns = 1, .slot_count = 1 }, SLG_MALFORMED },
        { "far past it",
          { .window_ns = INT64_MAX, .length_ns = INT64_MAX, .slot_count = 1 },
          SLG_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_rpc_fetch fetch = { .shard = rows[i].shard, .set = slg_text_of("s") };
        struct slg_buf out;
        uint8_t *bytes;

        slg_buf_init(&out, SLG_MESSAGE_BYTES_MAX);
        slg_rpc_encode_fetch(&out, &fetch);
        bytes = test_block(out.data, out.len);
        CHECK(rows[i].name, slg_rpc_decode_fetch(bytes, out.len, &fetch) == rows[i].want);
        free(bytes);
        slg_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_round_trip),
        cmocka_unit_test(test_failure_carries_status_and_text),
        cmocka_unit_test(test_other_version_is_refused_politely),
        cmocka_unit_test(test_streams_round_trip),
        cmocka_unit_test(test_store_round_trip),
        cmocka_unit_test(test_repair_round_trip),
        cmocka_unit_test(test_windows_end_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
