/* The wanted positions of a batch, row by row; damaged bytes are CORRUPT. Oracle: the batch, by eye. */
#include "tests/helper/storer.h"

#include "storer/scan_batch.h"

/* Streams a (wanted) and b (not). Lines of positions 2 and 3 form "needle" only across their border. */
static const struct test_entry entries[] = {
    { 50, "a", "a needle", SLG_ENTRY_SYSLOG, NULL },
    { 10, "b", "needle", SLG_ENTRY_SYSLOG, NULL },
    { 20, "a", "nee", SLG_ENTRY_SYSLOG, NULL },
    { 30, "a", "dle", SLG_ENTRY_SYSLOG, NULL },
    { 40, "a", "", SLG_ENTRY_SYSLOG, NULL },
    { 20, "a", "needleneedle", SLG_ENTRY_PUSH, NULL },
};

static const struct choose_case {
    const char *name;
    int64_t from, to;
    const char *literal;
    uint32_t count;
    uint32_t positions[6];
} rows[] = {
    { "everything of a, in order of time", 0, 100, NULL, 5, { 2, 5, 3, 4, 0 } },
    { "from is inside, to is not", 20, 50, NULL, 4, { 2, 5, 3, 4 } },
    { "nothing in time", 60, 100, NULL, 0, { 0 } },
    { "with the literal", 0, 100, "needle", 2, { 5, 0 } },
    { "literal and time", 0, 50, "needle", 1, { 5 } },
    { "literal that is nowhere", 0, 100, "needles", 0, { 0 } },
    { "empty literal", 0, 100, "", 5, { 2, 5, 3, 4, 0 } },
};

static void know(struct slg_stream_map *map, const struct slg_batch_header *header)
{
    static char wanted;

    for (uint32_t i = 0; i < header->stream_count; i++)
        assert_int_equal(slg_stream_map_add(map, &header->streams[i].id,
                                            i == 0 ? (struct slg_remote_stream *)&wanted : NULL),
                         SLG_OK);
}

static void test_positions(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_SCAN_BATCH_ARENA_BYTES);
    struct slg_shard_id shard = test_shard(0);
    struct slg_batch_header header;
    struct slg_stream_map map;
    struct slg_buf bytes;

    (void)state;
    slg_buf_init(&bytes, SLG_BATCH_BYTES_MAX);
    test_encode_batch(&bytes, &shard, 1, 1, entries, SLG_ARRAY_LEN(entries));
    assert_int_equal(slg_batch_read_header(arena, bytes.data, bytes.len, &header), SLG_OK);
    slg_stream_map_init(&map);
    know(&map, &header);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct slg_scan_wish wish = {
            .streams = &map,
            .from_ns = TEST_WINDOW_NS + rows[i].from,
            .to_ns = TEST_WINDOW_NS + rows[i].to,
            .has_literal = rows[i].literal != NULL,
            .literal = slg_needle_make(rows[i].literal == NULL ? "" : rows[i].literal,
                                       rows[i].literal == NULL ? 0 : strlen(rows[i].literal),
                                       /* fold= */ false),
        };
        uint8_t *block = test_block(bytes.data, bytes.len);
        struct slg_scan_batch batch;

        slg_arena_reset(arena);
        CHECK(rows[i].name,
              slg_scan_batch_read(block, bytes.len, &wish, arena, &batch, NULL) == SLG_OK);
        CHECK(rows[i].name, batch.position_count == rows[i].count);
        for (uint32_t k = 0; k < batch.position_count; k++)
            CHECK(rows[i].name, batch.positions[k] == rows[i].positions[k]);
        free(block);
    }
    slg_stream_map_fini(&map);
    slg_buf_fini(&bytes);
    slg_arena_destroy(arena);
}

static void test_damage_and_unknown_streams(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_SCAN_BATCH_ARENA_BYTES);
    struct slg_shard_id shard = test_shard(0);
    struct slg_scan_wish wish = { .to_ns = INT64_MAX };
    struct slg_scan_batch batch;
    struct slg_stream_map map;
    struct slg_error err;
    struct slg_buf bytes;

    (void)state;
    slg_stream_map_init(&map);
    wish.streams = &map;
    slg_buf_init(&bytes, SLG_BATCH_BYTES_MAX);
    test_encode_batch(&bytes, &shard, 1, 1, entries, SLG_ARRAY_LEN(entries));
    assert_int_equal(slg_scan_batch_read(bytes.data, bytes.len, &wish, arena, &batch, &err),
                     SLG_CORRUPT);
    bytes.data[bytes.len / 2] ^= 1;
    assert_int_equal(slg_scan_batch_read(bytes.data, bytes.len, &wish, arena, &batch, &err),
                     SLG_CORRUPT);
    slg_buf_fini(&bytes);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_damage_and_unknown_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
