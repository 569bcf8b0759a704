/* Records of a data directory read back as they were written, and nothing else is read at all.
 * Oracle: the worked bytes of docs/FORMATS.md section 3; every single altered or missing byte. */
#include "tests/helper/test.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "storer/manifest.h"

/* docs/FORMATS.md section 3. */
static const uint8_t worked[] = {
    'S',  'L',  'G',  'M',  0,    1,    0,    0,    0x00, 0x00, 0x06, 0x8c, 0x61, 0x71,
    0x40, 0x00, 0x00, 0x00, 0x03, 0x46, 0x30, 0xb8, 0xa0, 0x00, 0,    1,    0,    4,
    0,    0,    0,    0,    0,    0,    0,    1,    0,    0,    0,    2,    0,    1,
    0,    0,    0,    1,    0,    0,    0x77, 0x64, 0xb1, 0x26, 0xea, 0x8b, 0x2d, 0xad,
};

static struct slg_manifest example(void)
{
    return (struct slg_manifest){ .shard = { .window_ns = INT64_C(7200000000000),
                                             .length_ns = INT64_C(3600000000000),
                                             .slot = 1,
                                             .slot_count = 4 },
                                  .change = 1,
                                  .next_number = 2,
                                  .generation_count = 1,
                                  .generations = { 1 } };
}

static void test_worked_bytes(void **state)
{
    struct slg_manifest manifest = example();
    struct slg_manifest got = { .change = 99 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_manifest_encode(&out, &manifest);
    assert_int_equal(out.len, sizeof(worked));
    assert_memory_equal(out.data, worked, sizeof(worked));
    assert_int_equal(slg_manifest_decode(out.data, out.len, &got, NULL), SLG_OK);
    assert_int_equal(slg_shard_id_compare(&got.shard, &manifest.shard), 0);
    assert_int_equal(got.change, 1);
    assert_int_equal(got.next_number, 2);
    assert_int_equal(got.generation_count, 1);
    assert_int_equal(got.generations[0], 1);
    slg_buf_fini(&out);
}

/* Change the encoded manifest of this one and give it a fitting checksum by encoding. */
static const struct bad_case {
    const char *name;
    struct slg_manifest manifest;
    enum slg_status want;
} bad[] = {
    { "slot out of range", { .shard = { 0, 3600, 4, 4 }, .next_number = 1 }, SLG_CORRUPT },
    { "no length", { .shard = { 0, 0, 0, 1 }, .next_number = 1 }, SLG_CORRUPT },
    { "window not aligned", { .shard = { 10, 3600, 0, 1 }, .next_number = 1 }, SLG_CORRUPT },
    { "a window past the last time",
      { .shard = { INT64_MAX, INT64_MAX, 0, 1 }, .next_number = 1 },
      SLG_CORRUPT },
    { "number not given out",
      { .shard = { 0, 3600, 0, 1 }, .next_number = 1, .generation_count = 1, .generations = { 1 } },
      SLG_CORRUPT },
    { "numbers not ascending",
      { .shard = { 0, 3600, 0, 1 },
        .next_number = 5,
        .generation_count = 2,
        .generations = { 3, 3 } },
      SLG_CORRUPT },
    { "unknown flag",
      { .shard = { 0, 3600, 0, 1 }, .next_number = 1, .flags = 2 },
      SLG_UNSUPPORTED },
    { "no generation yet", { .shard = { 0, 3600, 0, 1 }, .next_number = 1 }, SLG_OK },
    { "suspect",
      { .shard = { 0, 3600, 0, 1 }, .next_number = 1, .flags = SLG_MANIFEST_SUSPECT },
      SLG_OK },
};

static void test_fields_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad); i++) {
        struct slg_manifest got = { .change = 99 };
        struct slg_buf out;
        uint8_t *block;

        slg_buf_init(&out, 4096);
        slg_manifest_encode(&out, &bad[i].manifest);
        block = test_block(out.data, out.len);
        CHECK(bad[i].name, slg_manifest_decode(block, out.len, &got, NULL) == bad[i].want);
        CHECK(bad[i].name, (got.change == 99) == (bad[i].want != SLG_OK));
        free(block);
        slg_buf_fini(&out);
    }
}

typedef enum slg_status reader(const uint8_t *bytes, size_t len);

static enum slg_status reads_manifest(const uint8_t *bytes, size_t len)
{
    struct slg_manifest manifest;

    return slg_manifest_decode(bytes, len, &manifest, NULL);
}

static enum slg_status reads_storage(const uint8_t *bytes, size_t len)
{
    struct slg_storage storage;

    return slg_storage_decode(bytes, len, &storage, NULL);
}

static enum slg_status reads_opening(const uint8_t *bytes, size_t len)
{
    struct slg_opening opening;

    return slg_opening_decode(bytes, len, &opening);
}

static enum slg_status reads_scrub(const uint8_t *bytes, size_t len)
{
    struct slg_scrub_record record;

    return slg_scrub_record_decode(bytes, len, &record, NULL);
}

static void check_every_byte(const char *name, reader *reads, const uint8_t *bytes, size_t len)
{
    CHECK(name, reads(bytes, len) == SLG_OK);
    for (size_t i = 0; i < len; i++) {
        uint8_t *block = test_block(bytes, len);

        block[i] ^= 0x40;
        CHECK(name, reads(block, len) == SLG_CORRUPT);
        free(block);
        block = test_block(bytes, i);
        CHECK(name, reads(block, i) == SLG_CORRUPT);
        free(block);
    }
}

/* Altered bytes are damage, the version among them: UNSUPPORTED would leave the shard as it is. */
static void test_every_altered_byte_is_seen(void **state)
{
    const struct slg_manifest manifest = example();
    const struct slg_storage storage = { .id = { 1, 2, 3 }, .counter = 7 };
    const struct slg_opening opening = { .crash_count = 1, .name = "7200-3600-1of4" };
    const struct slg_scrub_record scrub = { .running = true,
                                            .pass_started_ns = 5,
                                            .shard = { 7200, 3600, 1, 4 },
                                            .generation_index = 3,
                                            .arrival = 4,
                                            .done_bytes = 6,
                                            .total_bytes = 7,
                                            .damaged_batches = 8 };
    struct slg_scrub_record again;
    uint8_t note[SLG_OPENING_BYTES];
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_manifest_encode(&out, &manifest);
    check_every_byte("manifest", reads_manifest, out.data, out.len);
    slg_buf_clear(&out);
    slg_storage_encode(&out, &storage);
    check_every_byte("storage", reads_storage, out.data, out.len);
    slg_buf_clear(&out);
    slg_scrub_record_encode(&out, &scrub);
    check_every_byte("scrub", reads_scrub, out.data, out.len);
    assert_int_equal(slg_scrub_record_decode(out.data, out.len, &again, NULL), SLG_OK);
    assert_true(again.running && again.pass_started_ns == 5 && again.generation_index == 3);
    assert_true(again.arrival == 4 && again.done_bytes == 6 && again.total_bytes == 7);
    assert_int_equal(again.damaged_batches, 8);
    assert_int_equal(slg_shard_id_compare(&again.shard, &scrub.shard), 0);
    slg_opening_encode(note, &opening);
    check_every_byte("opening", reads_opening, note, sizeof(note));
    slg_buf_fini(&out);
}

static void test_other_versions_are_named(void **state)
{
    const struct slg_manifest manifest = example();
    struct slg_manifest got;
    struct slg_error err;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_manifest_encode(&out, &manifest);
    out.data[5] = SLG_MANIFEST_VERSION + 1; /* docs/FORMATS.md section 3 */
    slg_bytes_put_u64be(out.data + out.len - 8, slg_hash_xxh3(out.data, out.len - 8));
    assert_int_equal(slg_manifest_decode(out.data, out.len, &got, &err), SLG_UNSUPPORTED);
    assert_string_equal(err.message, "version 2, this program reads version 1");
    slg_buf_fini(&out);
}

/* Directories of version 1 are opened: they forgot nothing by bytes. */
static void test_storage_of_version_1(void **state)
{
    const struct slg_storage storage = {
        .id = { 1, 2, 3 }, .counter = 7, .forget_window_count = 3, .keep_from_ns = 9
    };
    struct slg_storage got;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_storage_encode(&out, &storage);
    assert_int_equal(slg_storage_decode(out.data, out.len, &got, NULL), SLG_OK);
    assert_true(got.keep_from_ns == 9);
    out.data[5] = 1;
    out.len -= 8; /* keep_from_ns */
    slg_bytes_put_u64be(out.data + out.len - 8, slg_hash_xxh3(out.data, out.len - 8));
    assert_int_equal(slg_storage_decode(out.data, out.len, &got, NULL), SLG_OK);
    assert_memory_equal(got.id, storage.id, sizeof(got.id));
    assert_true(got.counter == 7 && got.forget_window_count == 3 && got.keep_from_ns == 0);
    slg_buf_fini(&out);
}

/* The name ends at its length and zeros follow, as FORMATS.md says: found by fuzzing. */
static void test_opening_padding(void **state)
{
    static const struct slg_opening opening = { .crash_count = 1, .name = "7200-3600-1of4" };
    static const struct {
        const char *name;
        size_t at;
        uint8_t byte;
        bool good;
    } rows[] = {
        { "as it was written", 8, '7', true },
        { "a byte behind the name", 60, 1, false },
        { "a NUL in the name", 12, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t note[SLG_OPENING_BYTES];
        uint64_t checksum;

        slg_opening_encode(note, &opening);
        note[rows[i].at] = rows[i].byte;
        checksum = slg_hash_xxh3(note, sizeof(note) - 8);
        for (size_t k = 0; k < 8; k++)
            note[sizeof(note) - 8 + k] = (uint8_t)(checksum >> (56 - 8 * k));
        CHECK(rows[i].name, (reads_opening(note, sizeof(note)) == SLG_OK) == rows[i].good);
    }
}

static const struct name_case {
    const char *text;
    enum slg_status want;
} names[] = {
    { "7200-3600-1of4", SLG_OK },
    { "0-3600-0of1", SLG_OK },
    { "9223365600-3600-65534of65535", SLG_OK },
    { "", SLG_MALFORMED },
    { "7200-3600-4of4", SLG_MALFORMED },
    { "7200-0-0of1", SLG_MALFORMED },
    { "7201-3600-0of1", SLG_MALFORMED },
    { "07200-3600-0of1", SLG_MALFORMED },
    { "7200-3600-0of1x", SLG_MALFORMED },
    { "7200-3600-0of0", SLG_MALFORMED },
    { "99999999999999-3600-0of1", SLG_MALFORMED },
    { "-3600-3600-0of1", SLG_MALFORMED },
    { "9223372035-1-0of1", SLG_OK },
    { "9223372036-1-0of1", SLG_MALFORMED }, /* its end is past the last time */
    { "lost+found", SLG_MALFORMED },
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        struct slg_shard_id id = { .slot_count = 0xAAAA };

        CHECK(names[i].text, slg_shard_name_parse(names[i].text, &id) == names[i].want);
        if (names[i].want == SLG_OK)
            CHECK(names[i].text, strcmp(slg_shard_name_of(&id).text, names[i].text) == 0);
        else
            CHECK(names[i].text, id.slot_count == 0xAAAA);
    }
}

static void test_known_storages(void **state)
{
    static struct slg_known_storages known, got; /* large */
    struct slg_buf out;
    struct slg_error err;

    (void)state;
    known.count = 2;
    (void)snprintf(known.rows[0].node_id, sizeof(known.rows[0].node_id), "a");
    memset(known.rows[0].id, 7, sizeof(known.rows[0].id));
    known.rows[0].counter = UINT64_MAX;
    memset(known.rows[1].node_id, 'b', sizeof(known.rows[1].node_id) - 1);
    slg_buf_init(&out, 65536);
    slg_known_storages_encode(&out, &known);
    for (size_t len = 0; len < out.len; len++) {
        uint8_t *cut = test_block(out.data, len);

        assert_int_equal(slg_known_storages_decode(cut, len, &got, &err), SLG_CORRUPT);
        free(cut);
    }
    assert_int_equal(slg_known_storages_decode(out.data, out.len, &got, &err), SLG_OK);
    assert_int_equal(got.count, 2);
    assert_string_equal(got.rows[0].node_id, "a");
    assert_true(got.rows[0].counter == UINT64_MAX && got.rows[0].id[15] == 7);
    assert_string_equal(got.rows[1].node_id, known.rows[1].node_id);
    out.data[12] ^= 1;
    assert_int_equal(slg_known_storages_decode(out.data, out.len, &got, &err), SLG_CORRUPT);
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_fields_out_of_range),
        cmocka_unit_test(test_every_altered_byte_is_seen),
        cmocka_unit_test(test_other_versions_are_named),
        cmocka_unit_test(test_storage_of_version_1),
        cmocka_unit_test(test_opening_padding),
        cmocka_unit_test(test_known_storages),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
