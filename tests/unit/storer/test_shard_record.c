/* Keys sort as numbers; the record of the totals reads back as written and refuses every changed byte.
 * Oracle: docs/FORMATS.md section 3, bytes written by hand. */
#include "tests/helper/test.h"

#include "base/hash.h"
#include "storer/shard_record.h"

static const struct slg_shard_state sample = {
    .digest = { .sum = { .high = 1, .low = 2 }, .count = 3 },
    .entry_count = 4,
    .push_count = 5,
    .line_bytes = 6,
    .batch_bytes = 7,
    .ts_min_ns = -8,
    .ts_max_ns = INT64_MAX,
    .stream_count = 10,
    .last_arrival = UINT64_MAX,
};

static struct slg_kv_bytes bytes_of(const uint8_t *at, size_t len)
{
    return (struct slg_kv_bytes){ .at = at, .len = len };
}

static void test_state(void **state)
{
    uint8_t bytes[SLG_SHARD_STATE_BYTES];
    struct slg_shard_state got = { 0 };
    uint8_t *block;

    (void)state;
    slg_shard_state_encode(bytes, &sample);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(slg_bytes_get_u64be(bytes + 1 + 3 * 8), 4);
    assert_int_equal(slg_bytes_get_u64be(bytes + 1 + 7 * 8), UINT64_MAX - 7); /* -8 */
    block = test_block(bytes, sizeof(bytes));
    assert_int_equal(slg_shard_state_decode(bytes_of(block, sizeof(bytes)), &got), SLG_OK);
    assert_memory_equal(&got, &sample, sizeof(got));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        memset(&got, 0xAA, sizeof(got));
        block[i] ^= 0x10;
        assert_int_equal(slg_shard_state_decode(bytes_of(block, sizeof(bytes)), &got), SLG_CORRUPT);
        block[i] ^= 0x10;
        assert_int_equal(got.entry_count, UINT64_C(0xAAAAAAAAAAAAAAAA));
    }
    assert_int_equal(slg_shard_state_decode(bytes_of(block, sizeof(bytes) - 1), &got), SLG_CORRUPT);
    free(block);
}

/* A version that we do not know, with a good checksum, is told apart from rubbish. */
static void test_version(void **state)
{
    uint8_t bytes[SLG_SHARD_STATE_BYTES];
    struct slg_shard_state got;

    (void)state;
    slg_shard_state_encode(bytes, &sample);
    bytes[0] = 2;
    slg_bytes_put_u64be(bytes + sizeof(bytes) - 8, slg_hash_xxh3(bytes, sizeof(bytes) - 8));
    assert_int_equal(slg_shard_state_decode(bytes_of(bytes, sizeof(bytes)), &got), SLG_UNSUPPORTED);
}

static void test_id_keys(void **state)
{
    struct slg_incarnation incarnation = { { 7 } };
    uint8_t low[SLG_SHARD_ID_KEY_BYTES], high[SLG_SHARD_ID_KEY_BYTES];

    (void)state;
    slg_shard_id_key(low, &incarnation, 255);
    slg_shard_id_key(high, &incarnation, 256);
    assert_true(memcmp(low, high, sizeof(low)) < 0);
    assert_int_equal(low[0], 7);
    assert_int_equal(low[SLG_SHARD_ID_KEY_BYTES - 1], 255);
}

static void test_stream(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
        bool want;
        const char *tenant, *canonical;
    } rows[] = {
        { "all", "\0\0\1\2\3abcxyz", 11, true, "abc", "xyz" },
        { "no tenant", "\0\0\1\2\0xyz", 8, true, "", "xyz" },
        { "no labels", "\0\0\1\2\3abc", 8, true, "abc", "" },
        { "tenant cut", "\0\0\1\2\3ab", 7, false, NULL, NULL },
        { "number cut", "\0\0\1", 3, false, NULL, NULL },
        { "empty", "", 0, false, NULL, NULL },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].bytes, rows[i].len);
        struct slg_shard_stream stream = { .generation_index = 9 };

        CHECK(rows[i].name,
              slg_shard_stream_decode(bytes_of(block, rows[i].len), &stream) == rows[i].want);
        CHECK(rows[i].name, stream.generation_index == 9);
        if (rows[i].want) {
            CHECK(rows[i].name, stream.number == 0x102);
            CHECK(rows[i].name, slg_text_equal_to(stream.tenant, rows[i].tenant));
            CHECK(rows[i].name, slg_text_equal_to(stream.canonical, rows[i].canonical));
        }
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_id_keys),
        cmocka_unit_test(test_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
