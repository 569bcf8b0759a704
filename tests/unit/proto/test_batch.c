/* A batch says exactly what was put in, within its limits, and no altered byte is believed.
 * Oracle: tests/golden/batch_v2.bin (written once; read for ever) and payloads that this file alters one by one under
 * good checksums. The way there and back has tests/property/test_batch_round_trip.c. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "base/hash.h"
#include "proto/batch.h"
#include "proto/batch_internal.h"
#include "proto/lz4.h"
#include "proto/wire.h"

#define GOLDEN    SLG_SOURCE_DIR "/tests/golden/batch_v2.bin"
#define GOLDEN_V1 SLG_SOURCE_DIR "/tests/golden/batch_v1.bin" /* never released: refused by name */

static const struct slg_shard_id hour = {
    .window_ns = INT64_C(1700000000000000000) / INT64_C(3600000000000) * INT64_C(3600000000000),
    .length_ns = INT64_C(3600000000000),
    .slot = 3,
    .slot_count = 8
};
static const uint8_t app_a[] = "\x01\x03"
                               "app\x01"
                               "a";
static const uint8_t app_b[] = "\x01\x03"
                               "app\x01"
                               "b";

static struct slg_batch_builder *start(size_t raw_bytes_max)
{
    struct slg_batch_builder *b = NULL;

    assert_int_equal(slg_batch_builder_create(slg_text_of("fake"), raw_bytes_max, &b), SLG_OK);
    slg_batch_builder_start(b, &hour);
    return b;
}

static uint32_t stream_of(struct slg_batch_builder *b, const uint8_t *canonical, size_t len)
{
    struct slg_stream_id id = slg_stream_id_of(slg_text_of("fake"), canonical, len);
    uint32_t index = 0;

    assert_int_equal(slg_batch_builder_stream(b, &id, canonical, len, &index), SLG_OK);
    return index;
}

/* The entries of the golden file: two streams, three entries, one a push, times out of order. */
static void add_golden_entries(struct slg_batch_builder *b)
{
    struct slg_label metadata[] = { { slg_text_of("pid"), slg_text_of("42") },
                                    { slg_text_of("q"), slg_text_of("") } };
    struct slg_entry entry = { .ts_ns = hour.window_ns + 5,
                               .stream_index = stream_of(b, app_a, 7),
                               .line = slg_text_of("first"),
                               .metadata = { metadata, 2 } };

    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    entry = (struct slg_entry){ .ts_ns = hour.window_ns + 3,
                                .stream_index = stream_of(b, app_b, 7),
                                .kind = SLG_ENTRY_PUSH,
                                .line = slg_text_of("") };
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    entry = (struct slg_entry){ .ts_ns = hour.window_ns + 3,
                                .stream_index = stream_of(b, app_a, 7),
                                .line = slg_text_of("caf\xe9"),
                                .metadata = { metadata, 1 } };
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
}

static void seal(struct slg_batch_builder *b, struct slg_buf *out)
{
    struct slg_incarnation incarnation = { .bytes = "incarnation of 24 bytes." };

    slg_buf_init(out, SLG_BATCH_BYTES_MAX);
    assert_int_equal(slg_batch_builder_seal(b, &incarnation, 9, 77, out), SLG_OK);
}

static void check_golden(const struct slg_batch_view *view)
{
    static const uint32_t order[] = { 1, 2, 0 };
    struct slg_label items[SLG_METADATA_COUNT_MAX];
    const struct slg_batch_header *h = &view->header;

    assert_memory_equal(h->id.incarnation.bytes, "incarnation of 24 bytes.", 24);
    assert_int_equal(slg_shard_id_compare(&h->id.shard, &hour), 0);
    assert_int_equal(h->id.sequence, 9);
    assert_int_equal(h->map_epoch, 77);
    assert_true(slg_text_equal_to(h->tenant, "fake"));
    assert_int_equal(h->entry_count, 3);
    assert_int_equal(h->push_count, 1);
    assert_int_equal(h->line_bytes, 9);
    assert_int_equal(h->metadata_bytes, 11); /* pid 42, q; pid 42 */
    assert_int_equal(h->ts_min_ns, hour.window_ns + 3);
    assert_int_equal(h->ts_max_ns, hour.window_ns + 5);
    assert_int_equal(h->stream_count, 2);
    assert_int_equal(h->streams[0].entry_count, 2);
    assert_int_equal(h->streams[0].line_bytes, 9);
    assert_int_equal(h->streams[0].metadata_count, 3);
    assert_int_equal(h->streams[1].metadata_count, 0);
    assert_memory_equal(h->streams[1].canonical, app_b, 7);
    assert_true(slg_text_equal_to(slg_batch_view_line(view, 0), "first"));
    assert_true(slg_text_equal_to(slg_batch_view_line(view, 1), ""));
    assert_true(slg_text_equal_to(slg_batch_view_line(view, 2), "caf\xe9"));
    assert_int_equal(view->kind[1], SLG_ENTRY_PUSH);
    assert_int_equal(view->stream_index[1], 1);
    assert_memory_equal(view->order, order, sizeof(order));
    assert_int_equal(slg_batch_view_metadata(view, 0, items), 2);
    assert_true(slg_text_equal_to(items[0].name, "pid"));
    assert_true(slg_text_equal_to(items[0].value, "42"));
    assert_true(slg_text_equal_to(items[1].name, "q"));
    assert_int_equal(slg_batch_view_metadata(view, 1, items), 0);
}

static size_t read_file(const char *path, uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t len;

    assert_non_null(file);
    len = fread(bytes, 1, size, file);
    assert_int_equal(fclose(file), 0);
    return len;
}

static size_t read_golden(uint8_t *bytes, size_t size)
{
    return read_file(GOLDEN, bytes, size);
}

static void test_golden(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    struct slg_batch_builder *b = start(SLG_BATCH_SEAL_BYTES);
    const struct slg_batch_view *view, *again;
    uint8_t bytes[2048];
    size_t len = read_golden(bytes, sizeof(bytes));
    uint8_t *block = test_block(bytes, len);
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_batch_decode(arena, block, len, &view), SLG_OK);
    check_golden(view);
    /* The same entries sealed now have the same content, whatever LZ4 makes of them. */
    add_golden_entries(b);
    seal(b, &out);
    assert_int_equal(slg_batch_decode(arena, out.data, out.len, &again), SLG_OK);
    check_golden(again);
    assert_int_equal(again->header.content_hash, view->header.content_hash);
    slg_buf_fini(&out);
    free(block);
    slg_batch_builder_destroy(b);
    slg_arena_destroy(arena);
}

static void test_every_altered_byte_is_refused(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    const struct slg_batch_view *view = NULL;
    uint8_t bytes[2048];
    size_t len = read_golden(bytes, sizeof(bytes));

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        uint8_t *block = test_block(bytes, len);
        enum slg_status status;

        block[bit / 8] ^= (uint8_t)(1U << bit % 8);
        status = slg_batch_decode(arena, block, len, &view);
        assert_true(status == SLG_MALFORMED || (status == SLG_UNSUPPORTED && bit / 8 == 9));
        free(block);
        slg_arena_reset(arena);
    }
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *block = test_block(bytes, cut);

        assert_int_equal(slg_batch_decode(arena, block, cut, &view), SLG_MALFORMED);
        free(block);
        slg_arena_reset(arena);
    }
    bytes[len] = 0; /* one more byte */
    assert_int_equal(slg_batch_decode(arena, bytes, len + 1, &view), SLG_MALFORMED);
    assert_null(view);
    slg_arena_destroy(arena);
}

static void test_other_versions_are_named(void **state)
{
    struct slg_arena *arena = slg_arena_create(65536);
    struct slg_batch_header header;
    uint64_t version = 0;
    uint8_t bytes[2048];
    size_t len = read_golden(bytes, sizeof(bytes));

    (void)state;
    bytes[9] = 3;
    assert_int_equal(slg_batch_read_header(arena, bytes, len, &header), SLG_UNSUPPORTED);
    assert_true(slg_batch_peek_version(bytes, len, &version));
    assert_int_equal(version, 3);
    len = read_file(GOLDEN_V1, bytes, sizeof(bytes));
    assert_int_equal(slg_batch_read_header(arena, bytes, len, &header), SLG_UNSUPPORTED);
    assert_true(slg_batch_peek_version(bytes, len, &version));
    assert_int_equal(version, 1);
    assert_false(slg_batch_peek_version((const uint8_t *)"SLGB", 4, &version));
    slg_arena_destroy(arena);
}

/* ---- payloads under good checksums ---- */

/* A batch as its parts: one stream, two entries "ab" and "c". */
struct parts {
    uint64_t entry_count, push_count, line_bytes, metadata_bytes, raw_bytes;
    int64_t ts_min_ns, ts_max_ns;
    struct slg_shard_id shard;
    uint64_t sequence;
    const char *sections[SLG_BATCH_SECTION_COUNT];
    size_t lens[SLG_BATCH_SECTION_COUNT];
    uint64_t table_entry_count, table_line_bytes, table_metadata_count;
    /* Of a second stream; 0 entries: there is none. */
    uint64_t second_entry_count, second_line_bytes, second_metadata_count;
};

static const struct parts good = {
    .entry_count = 2,
    .line_bytes = 3,
    .metadata_bytes = 4,
    .ts_min_ns = 101,
    .ts_max_ns = 103,
    .shard = { .window_ns = 100, .length_ns = 10, .slot = 0, .slot_count = 1 },
    .sequence = 1,
    .sections = { "abc", "\x02\x04", "\x00\x00", "\x02", "\x02\x01", "\x02\x01n\x01m",
                  "\x02\x00\x01\x01\x01\x00", "xy" },
    .lens = { 3, 2, 2, 1, 2, 5, 6, 2 },
    .table_entry_count = 2,
    .table_line_bytes = 3,
    .table_metadata_count = 2,
};

static void append_hash(struct slg_buf *out, uint64_t hash)
{
    slg_buf_append(out, "\xc4\x08", 2);
    slg_buf_append_u64be(out, hash);
}

static void append_row(struct slg_buf *table, const uint8_t *canonical, uint64_t entry_count,
                       uint64_t line_bytes, uint64_t metadata_count)
{
    struct slg_stream_id id = slg_stream_id_of(slg_text_of("t"), canonical, 7);

    slg_buf_append(table, id.bytes, 16);
    slg_buf_append_varint(table, 7);
    slg_buf_append(table, canonical, 7);
    slg_buf_append_varint(table, entry_count);
    slg_buf_append_varint(table, line_bytes);
    slg_buf_append_varint(table, metadata_count);
}

static void assemble(const struct parts *p, struct slg_buf *out)
{
    struct slg_buf table, payload;
    uint8_t packed[4096];
    size_t packed_len;

    slg_buf_init(&table, 4096);
    slg_buf_append_varint(&table, p->second_entry_count > 0 ? 2 : 1);
    append_row(&table, app_a, p->table_entry_count, p->table_line_bytes, p->table_metadata_count);
    if (p->second_entry_count > 0)
        append_row(&table, app_b, p->second_entry_count, p->second_line_bytes,
                   p->second_metadata_count);
    slg_buf_init(&payload, 4096);
    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++)
        slg_buf_append_u32be(&payload, (uint32_t)p->lens[i]);
    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++)
        slg_buf_append(&payload, p->sections[i], p->lens[i]);
    packed_len = slg_lz4_pack(payload.data, payload.len, packed, sizeof(packed));

    slg_buf_init(out, 8192);
    slg_wire_array(out, SLG_BATCH_ITEM_COUNT);
    slg_wire_bin(out, "SLGB", 4);
    slg_wire_uint(out, SLG_BATCH_VERSION);
    slg_wire_bin(out, "incarnation of 24 bytes.", 24);
    slg_wire_int(out, p->shard.window_ns);
    slg_wire_int(out, p->shard.length_ns);
    slg_wire_uint(out, p->shard.slot);
    slg_wire_uint(out, p->shard.slot_count);
    slg_wire_uint(out, p->sequence);
    slg_wire_uint(out, 0);
    slg_wire_bin(out, "t", 1);
    slg_wire_uint(out, p->entry_count);
    slg_wire_uint(out, p->push_count);
    slg_wire_uint(out, p->line_bytes);
    slg_wire_uint(out, p->metadata_bytes);
    slg_wire_int(out, p->ts_min_ns);
    slg_wire_int(out, p->ts_max_ns);
    slg_wire_bin(out, table.data, table.len);
    append_hash(out, slg_batch_content_hash(slg_text_of("t"), table.data, table.len, payload.data,
                                            payload.len));
    slg_wire_uint(out, p->raw_bytes == 0 ? payload.len : p->raw_bytes);
    slg_wire_bin(out, packed, packed_len);
    slg_buf_append(out, "\xc4\x08", 2);
    slg_buf_append_u64be(out, slg_hash_xxh3(out->data, out->len));
    slg_buf_fini(&table);
    slg_buf_fini(&payload);
}

/* Each row replaces what it names. 0 or NULL: as in `good`; NONE stands for a true 0. */
#define NONE INT64_C(-1)
static const struct hostile_case {
    const char *name;
    int section; /* -1: none */
    const char *bytes;
    size_t len;
    int64_t entry_count, push_count, line_bytes, metadata_bytes, raw_bytes, ts_min_ns, ts_max_ns;
    int64_t sequence, slot_count, length_ns, table_entry_count, table_line_bytes;
    int64_t table_metadata_count;
} hostile_cases[] = {
    { "no entries", -1, NULL, 0, .entry_count = NONE },
    { "more entries than times", -1, NULL, 0, .entry_count = 3, .table_entry_count = 3 },
    { "65537 entries", -1, NULL, 0, .entry_count = 65537 },
    { "more entries than the payload can hold", -1, NULL, 0, .entry_count = 60000 },
    { "push count", -1, NULL, 0, .push_count = 1 },
    { "more pushes than entries", -1, NULL, 0, .push_count = 3 },
    { "line bytes", -1, NULL, 0, .line_bytes = 4 },
    { "metadata bytes", -1, NULL, 0, .metadata_bytes = 5 },
    { "raw bytes too few", -1, NULL, 0, .raw_bytes = 54 },
    { "raw bytes too many", -1, NULL, 0, .raw_bytes = 56 },
    { "raw bytes over the limit", -1, NULL, 0, .raw_bytes = 1 << 21 },
    { "raw bytes below the head", -1, NULL, 0, .raw_bytes = 31 },
    { "earliest time not attained", -1, NULL, 0, .ts_min_ns = 100 },
    { "latest time not attained", -1, NULL, 0, .ts_max_ns = 104 },
    { "times outside the window", -1, NULL, 0, .length_ns = 2 },
    { "window is no multiple", -1, NULL, 0, .length_ns = 7 },
    { "length 0", -1, NULL, 0, .length_ns = NONE },
    { "sequence 0", -1, NULL, 0, .sequence = NONE },
    { "sequence of 49 bits", -1, NULL, 0, .sequence = INT64_C(1) << 48 },
    { "slot not below the count", -1, NULL, 0, .slot_count = NONE },
    { "entries of the table", -1, NULL, 0, .table_entry_count = 1 },
    { "lines of the table", -1, NULL, 0, .table_line_bytes = 2 },
    { "items of the table, one less", -1, NULL, 0, .table_metadata_count = 1 },
    { "items of the table, one more", -1, NULL, 0, .table_metadata_count = 3 },
    { "items of the table over the limit", -1, NULL, 0, .table_metadata_count = 2 * 128 + 1 },
    { "text too short", SLG_BATCH_TEXT, "ab", 2, .entry_count = 0 },
    { "text too long", SLG_BATCH_TEXT, "abcd", 4, .entry_count = 0 },
    { "a time too many", SLG_BATCH_TIMES, "\x02\x04\x00", 3, .entry_count = 0 },
    { "a time too few", SLG_BATCH_TIMES, "\x02", 1, .entry_count = 0 },
    { "a time without end", SLG_BATCH_TIMES, "\x02\x84", 2, .entry_count = 0 },
    { "times that wrap", SLG_BATCH_TIMES,
      "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 20,
      .entry_count = 0 },
    { "stream out of the table", SLG_BATCH_STREAMS, "\x00\x01", 2, .entry_count = 0 },
    { "first stream is not 0", SLG_BATCH_STREAMS, "\x01\x00", 2, .entry_count = 0 },
    { "a stream too many", SLG_BATCH_STREAMS, "\x00\x00\x00", 3, .entry_count = 0 },
    { "kinds too few", SLG_BATCH_KINDS, "\x01", 1, .entry_count = 0 },
    { "kinds too many", SLG_BATCH_KINDS, "\x03", 1, .entry_count = 0 },
    { "a kind run of 0", SLG_BATCH_KINDS, "\x01\x00\x01", 3, .entry_count = 0 },
    { "kinds go on", SLG_BATCH_KINDS, "\x02\x00", 2, .entry_count = 0 },
    { "line over its stream's bytes", SLG_BATCH_LENGTHS, "\x02\x02", 2, .entry_count = 0 },
    { "lines too short", SLG_BATCH_LENGTHS, "\x02\x00", 2, .entry_count = 0 },
    { "line of 2^63 bytes", SLG_BATCH_LENGTHS, "\x02\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10,
      .entry_count = 0 },
    { "a length too many", SLG_BATCH_LENGTHS, "\x02\x01\x00", 3, .entry_count = 0 },
    { "name twice in the table", SLG_BATCH_NAMES, "\x02\x01n\x01n", 5, .entry_count = 0 },
    { "name past the end", SLG_BATCH_NAMES, "\x02\x01n\x02m", 5, .entry_count = 0 },
    { "2049 names", SLG_BATCH_NAMES, "\x81\x10\x01n\x01m", 6, .entry_count = 0 },
    { "names go on", SLG_BATCH_NAMES, "\x02\x01n\x01m\x00", 6, .entry_count = 0 },
    { "name out of the table", SLG_BATCH_METADATA, "\x02\x00\x01\x02\x01\x00", 6,
      .entry_count = 0 },
    { "name twice in an entry", SLG_BATCH_METADATA, "\x02\x00\x01\x00\x01\x00", 6,
      .entry_count = 0 },
    { "129 items", SLG_BATCH_METADATA, "\x81\x01\x00\x01\x01\x01\x00", 7, .entry_count = 0 },
    { "values too long", SLG_BATCH_METADATA, "\x02\x00\x02\x01\x01\x00", 6, .entry_count = 0 },
    { "values too short", SLG_BATCH_METADATA, "\x02\x00\x01\x01\x00\x00", 6, .entry_count = 0 },
    { "metadata goes on", SLG_BATCH_METADATA, "\x02\x00\x01\x01\x01\x00\x00", 7, .entry_count = 0 },
    { "values go on", SLG_BATCH_VALUES, "xyz", 3, .entry_count = 0 },
};

static void put(uint64_t *field, int64_t value)
{
    if (value != 0)
        *field = value == NONE ? 0 : (uint64_t)value;
}

static void put_signed(int64_t *field, int64_t value)
{
    if (value != 0)
        *field = value == NONE ? 0 : value;
}

static struct parts alter(const struct hostile_case *row)
{
    struct parts p = good;

    if (row->section >= 0) {
        p.sections[row->section] = row->bytes;
        p.lens[row->section] = row->len;
    }
    put(&p.entry_count, row->entry_count);
    put(&p.push_count, row->push_count);
    put(&p.line_bytes, row->line_bytes);
    put(&p.metadata_bytes, row->metadata_bytes);
    put(&p.raw_bytes, row->raw_bytes);
    put(&p.sequence, row->sequence);
    put(&p.table_entry_count, row->table_entry_count);
    put(&p.table_line_bytes, row->table_line_bytes);
    put(&p.table_metadata_count, row->table_metadata_count);
    put_signed(&p.ts_min_ns, row->ts_min_ns);
    put_signed(&p.ts_max_ns, row->ts_max_ns);
    put_signed(&p.shard.length_ns, row->length_ns);
    if (row->slot_count == NONE)
        p.shard.slot_count = 0;
    return p;
}

static enum slg_status decode_parts(const struct parts *p)
{
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    const struct slg_batch_view *view = NULL;
    enum slg_status status;
    struct slg_buf out;
    uint8_t *block;

    assemble(p, &out);
    block = test_block(out.data, out.len);
    status = slg_batch_decode(arena, block, out.len, &view);
    assert_true((view != NULL) == (status == SLG_OK));
    free(block);
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
    return status;
}

static void test_payloads_that_contradict_themselves(void **state)
{
    (void)state;
    CHECK("good", decode_parts(&good) == SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(hostile_cases); i++) {
        struct parts p = alter(&hostile_cases[i]);

        CHECK(hostile_cases[i].name, decode_parts(&p) == SLG_MALFORMED);
    }
}

/* Sums that fit do not hide counts of one stream that belong to the other. */
static void test_counts_of_each_stream(void **state)
{
    struct parts p = good;

    (void)state;
    p.sections[SLG_BATCH_STREAMS] = "\x00\x01"; /* lines of 2 and 1 bytes */
    p.table_entry_count = p.second_entry_count = 1;
    p.table_line_bytes = 2;
    p.second_line_bytes = 1;
    CHECK("good", decode_parts(&p) == SLG_OK);
    p.table_metadata_count = 1;
    p.second_metadata_count = 1;
    CHECK("items changed places", decode_parts(&p) == SLG_MALFORMED);
    p.table_metadata_count = 2;
    p.second_metadata_count = 0;
    p.table_line_bytes = 1;
    p.second_line_bytes = 2;
    CHECK("bytes changed places", decode_parts(&p) == SLG_MALFORMED);
    p.table_line_bytes = 3;
    p.second_line_bytes = 0;
    CHECK("all bytes in one", decode_parts(&p) == SLG_MALFORMED);
    p = good;
    p.sections[SLG_BATCH_STREAMS] = "\x00\x00";
    p.table_entry_count = p.second_entry_count = 1;
    p.second_line_bytes = 0;
    CHECK("a stream without entries", decode_parts(&p) == SLG_MALFORMED);
}

static void test_the_receiver_checks_streams(void **state)
{
    struct slg_arena *arena = slg_arena_create(65536);
    struct slg_batch_stream stream = { .canonical = app_a, .canonical_len = 7 };
    struct slg_batch_header header = {
        .tenant = slg_text_of("t"), .streams = &stream, .stream_count = 1, .id.shard.slot_count = 1
    };

    (void)state;
    stream.id = slg_stream_id_of(slg_text_of("t"), app_a, 7);
    assert_int_equal(slg_batch_check_streams(&header), SLG_OK);
    header.id.shard.slot_count = 1000;
    header.id.shard.slot = (uint16_t)(slg_stream_slot(&stream.id, 1000) ^ 1);
    assert_int_equal(slg_batch_check_streams(&header), SLG_MALFORMED);
    header.id.shard.slot ^= 1;
    assert_int_equal(slg_batch_check_streams(&header), SLG_OK);
    stream.canonical = app_b;
    assert_int_equal(slg_batch_check_streams(&header), SLG_MALFORMED);
    stream.canonical = (const uint8_t *)"\x01\x03"
                                        "app\x00";
    stream.canonical_len = 6;
    assert_int_equal(slg_batch_check_streams(&header), SLG_MALFORMED);
    slg_arena_destroy(arena);
}

/* ---- the builder's limits ---- */

static void test_the_largest_entry_fits_alone(void **state)
{
    static char line[SLG_LINE_BYTES_MAX + 1], value[SLG_METADATA_BYTES_MAX];
    static char names[SLG_METADATA_COUNT_MAX][4];
    struct slg_label items[SLG_METADATA_COUNT_MAX];
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    struct slg_batch_builder *b = start(4096);
    const struct slg_batch_view *view;
    struct slg_entry entry = { .ts_ns = hour.window_ns };
    struct slg_buf out;

    (void)state;
    for (size_t i = 0; i < SLG_METADATA_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "%03zu", i);
        items[i] = (struct slg_label){ slg_text_of(names[i]), slg_text_of("") };
    }
    items[0].value = slg_text_make(value, sizeof(value) - 3 * SLG_METADATA_COUNT_MAX);
    entry.stream_index = stream_of(b, app_a, 7);
    entry.line = slg_text_make(line, SLG_LINE_BYTES_MAX);
    entry.metadata = (struct slg_label_set){ items, SLG_METADATA_COUNT_MAX };
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_AGAIN);
    seal(b, &out);
    assert_int_equal(slg_batch_decode(arena, out.data, out.len, &view), SLG_OK);
    assert_int_equal(slg_batch_view_line(view, 0).len, SLG_LINE_BYTES_MAX);

    slg_batch_builder_start(b, &hour);
    entry.stream_index = stream_of(b, app_a, 7);
    entry.line.len++;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_LIMIT);
    entry.line.len--;
    items[1].value = slg_text_of("x");
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_LIMIT);
    entry.metadata.count = SLG_METADATA_COUNT_MAX + 1;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_LIMIT);
    assert_int_equal(slg_batch_builder_entry_count(b), 0);
    slg_buf_fini(&out);
    slg_batch_builder_destroy(b);
    slg_arena_destroy(arena);
}

static void test_what_an_entry_may_not_be(void **state)
{
    struct slg_label twice[] = { { slg_text_of("new1"), slg_text_of("v") },
                                 { slg_text_of("new2"), slg_text_of("v") },
                                 { slg_text_of("new1"), slg_text_of("v") } };
    struct slg_batch_builder *b = start(SLG_BATCH_SEAL_BYTES);
    struct slg_entry entry = { .ts_ns = hour.window_ns };
    struct slg_buf out;

    (void)state;
    entry.stream_index = stream_of(b, app_a, 7);
    entry.ts_ns = hour.window_ns - 1;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_INVALID);
    entry.ts_ns = hour.window_ns + hour.length_ns;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_INVALID);
    entry.ts_ns = hour.window_ns + hour.length_ns - 1;
    entry.stream_index = 1;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_INVALID);
    entry.stream_index = 0;
    entry.metadata = (struct slg_label_set){ twice, 3 };
    for (int i = 0; i < 5000; i++) /* more often than there may be names: they must not pile up */
        assert_int_equal(slg_batch_builder_append(b, &entry), SLG_INVALID);
    entry.metadata.count = 2;
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    seal(b, &out);
    slg_buf_fini(&out);
    slg_batch_builder_destroy(b);
}

static void test_equal_id_with_other_bytes_h19(void **state)
{
    struct slg_batch_builder *b = start(SLG_BATCH_SEAL_BYTES);
    struct slg_stream_id id = slg_stream_id_of(slg_text_of("fake"), app_a, 7);
    uint32_t index = 0xAA;

    (void)state;
    assert_int_equal(stream_of(b, app_a, 7), 0);
    assert_int_equal(slg_batch_builder_stream(b, &id, app_b, 7, &index), SLG_INVALID);
    assert_int_equal(slg_batch_builder_stream(b, &id, app_a, 6, &index), SLG_INVALID);
    assert_int_equal(index, 0xAA);
    slg_batch_builder_destroy(b);
}

/* Fill the builder with ever new streams and names until it says AGAIN; what is in it must decode. */
static void test_full_tables_say_again(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    struct slg_batch_builder *b = start(SLG_BATCH_SEAL_BYTES);
    const struct slg_batch_view *view;
    struct slg_buf out;
    char text[32];

    (void)state;
    for (int round = 0; round < 2; round++) { /* again after start, with grown tables */
        size_t stream_count = 0, entry_count = 0;

        slg_batch_builder_start(b, &hour);
        for (;;) {
            uint8_t canonical[16] = "\x01\x01s\x08";
            struct slg_label item = { slg_text_of(text), slg_text_of("v") };
            struct slg_entry entry = { .ts_ns = hour.window_ns, .metadata = { &item, 1 } };
            struct slg_stream_id id;
            enum slg_status status;

            (void)snprintf((char *)canonical + 4, 12, "%08zu", stream_count);
            (void)snprintf(text, sizeof(text), "name%zu", stream_count % 3000);
            item.name = slg_text_of(text);
            id = slg_stream_id_of(slg_text_of("fake"), canonical, 12);
            status = slg_batch_builder_stream(b, &id, canonical, 12, &entry.stream_index);
            if (status == SLG_AGAIN)
                break;
            assert_int_equal(status, SLG_OK);
            stream_count++;
            status = slg_batch_builder_append(b, &entry);
            assert_true(status == SLG_OK || status == SLG_AGAIN); /* the names are used up first */
            entry_count += status == SLG_OK;
        }
        assert_int_equal(stream_count, SLG_BATCH_STREAM_COUNT_MAX);
        assert_int_equal(entry_count, slg_batch_builder_entry_count(b));
        assert_int_equal(entry_count, SLG_BATCH_NAME_COUNT_MAX);
        seal(b, &out);
        assert_int_equal(slg_batch_decode(arena, out.data, out.len, &view), SLG_OK);
        assert_int_equal(view->header.stream_count,
                         entry_count); /* those without entries are out */
        slg_buf_fini(&out);
        slg_arena_reset(arena);
    }
    slg_batch_builder_destroy(b);
    slg_arena_destroy(arena);
}

/* 65536 empty entries: the count is full before the bytes are; decoding stays within the stated budget. */
static void test_the_most_entries(void **state)
{
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    struct slg_batch_builder *b = start(SLG_BATCH_SEAL_BYTES);
    struct slg_entry entry = { .ts_ns = hour.window_ns };
    const struct slg_batch_view *view;
    enum slg_status status;
    struct slg_buf out;
    uint32_t count = 0;

    (void)state;
    entry.stream_index = stream_of(b, app_a, 7);
    while ((status = slg_batch_builder_append(b, &entry)) == SLG_OK) {
        count++;
        entry.ts_ns = hour.window_ns + (count % 2);
    }
    assert_int_equal(status, SLG_AGAIN);
    assert_true(count > 60000 && count <= SLG_BATCH_ENTRY_COUNT_MAX);
    assert_true(slg_batch_builder_raw_bytes(b) <= SLG_BATCH_SEAL_BYTES);
    seal(b, &out);
    assert_int_equal(slg_batch_decode(arena, out.data, out.len, &view), SLG_OK);
    assert_int_equal(view->header.entry_count, count);
    assert_non_null(view->order);
    slg_buf_fini(&out);
    slg_batch_builder_destroy(b);
    slg_arena_destroy(arena);
}

/* For every budget below what is needed: LIMIT, and nothing is written. */
static void test_small_arenas(void **state)
{
    const struct slg_batch_view *view = NULL;
    uint8_t bytes[2048];
    size_t len = read_golden(bytes, sizeof(bytes)), limited = 0;

    (void)state;
    for (size_t budget = 16; budget < 8192; budget += 16) {
        struct slg_arena *arena = slg_arena_create(budget);
        enum slg_status status = slg_batch_decode(arena, bytes, len, &view);

        assert_true(status == SLG_LIMIT || status == SLG_OK);
        limited += status == SLG_LIMIT;
        slg_arena_destroy(arena);
    }
    assert_true(limited > 10);
}

static void test_windows(void **state)
{
    (void)state;
    assert_int_equal(slg_window_start(0, 10), 0);
    assert_int_equal(slg_window_start(9, 10), 0);
    assert_int_equal(slg_window_start(10, 10), 10);
    assert_int_equal(slg_window_start(INT64_MAX, INT64_C(3600000000000)) % INT64_C(3600000000000),
                     0);
}

static void test_ids_are_ordered(void **state)
{
    struct slg_batch_id a = { .incarnation.bytes = { 1 }, .sequence = 5 };
    struct slg_batch_id b = { .incarnation.bytes = { 1 }, .sequence = 6 };
    struct slg_batch_id c = { .incarnation.bytes = { 2 }, .sequence = 1 };

    (void)state;
    assert_true(slg_batch_id_compare(&a, &b) < 0);
    assert_true(slg_batch_id_compare(&c, &b) > 0);
    assert_int_equal(slg_batch_id_compare(&a, &a), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_every_altered_byte_is_refused),
        cmocka_unit_test(test_other_versions_are_named),
        cmocka_unit_test(test_payloads_that_contradict_themselves),
        cmocka_unit_test(test_counts_of_each_stream),
        cmocka_unit_test(test_the_receiver_checks_streams),
        cmocka_unit_test(test_the_largest_entry_fits_alone),
        cmocka_unit_test(test_what_an_entry_may_not_be),
        cmocka_unit_test(test_equal_id_with_other_bytes_h19),
        cmocka_unit_test(test_full_tables_say_again),
        cmocka_unit_test(test_the_most_entries),
        cmocka_unit_test(test_small_arenas),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_ids_are_ordered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
