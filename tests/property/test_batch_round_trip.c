/* decode(encode(x)) = x for batches, and order is the stable sort by time.
 * Oracle: a plain list of what was appended, made from a printed seed; SLG_SEED=n runs one again. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "base/buf.h"
#include "proto/batch.h"

#define ROUNDS     300
#define ENTRY_MAX  400
#define STREAM_MAX 40

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static struct slg_text draw_text(struct slg_arena *arena, size_t len)
{
    char *at = slg_arena_alloc(arena, len);

    assert_non_null(at);
    for (size_t i = 0; i < len; i++)
        at[i] = (char)(draw(4) == 0 ? draw(256) : 'a' + draw(6));
    return slg_text_make(at, len);
}

struct model {
    struct slg_entry entries[ENTRY_MAX]; /* stream_index: into streams */
    size_t entry_count;
    struct slg_text streams[STREAM_MAX]; /* canonical bytes */
    struct slg_stream_id ids[STREAM_MAX];
    size_t stream_count;
    struct slg_shard_id shard;
};

static void draw_streams(struct slg_arena *arena, struct model *m)
{
    m->stream_count = 1 + draw(STREAM_MAX);
    for (size_t i = 0; i < m->stream_count; i++) {
        struct slg_text value = draw_text(arena, 1 + draw(60));
        struct slg_label labels[] = { { slg_text_of("app"), value },
                                      { slg_text_of("n"), slg_text_make(&"0123456789"[i % 10], 1) },
                                      { slg_text_of("t"), slg_text_make(&"01234"[i / 10], 1) } };
        struct slg_label_set set = { .items = labels, .count = 3 };
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        slg_label_encode(&out, &set);
        m->streams[i] = slg_text_make(slg_arena_copy(arena, out.data, out.len), out.len);
        m->ids[i] = slg_stream_id_of(slg_text_of("fake"), out.data, out.len);
        slg_buf_fini(&out);
    }
}

static void draw_metadata(struct slg_arena *arena, struct slg_entry *entry)
{
    static const char *const names[] = { "pid", "queue_id", "severity", "x", "yy", "", "zzz", "q" };
    size_t count = draw(3) == 0 ? draw(SLG_ARRAY_LEN(names)) : 2;
    size_t start = draw(4) == 0 ? draw(SLG_ARRAY_LEN(names)) : 0;
    struct slg_label *items = slg_arena_alloc(arena, count * sizeof(*items));

    assert_non_null(items);
    for (size_t i = 0; i < count; i++) {
        items[i].name = slg_text_of(names[(start + i) % SLG_ARRAY_LEN(names)]);
        items[i].value = draw_text(arena, draw(20));
    }
    entry->metadata = (struct slg_label_set){ .items = items, .count = count };
}

static void draw_model(struct slg_arena *arena, struct model *m)
{
    bool ordered = draw(2) == 0;
    int64_t ts_ns;

    m->shard.length_ns = draw(2) == 0 ? INT64_C(3600000000000) : 1 + (int64_t)draw(5);
    m->shard.window_ns = (int64_t)draw(1000) * m->shard.length_ns;
    m->shard.slot_count = (uint16_t)(1 + draw(65535));
    m->shard.slot = (uint16_t)draw(m->shard.slot_count);
    draw_streams(arena, m);
    m->entry_count = 1 + draw(ENTRY_MAX);
    ts_ns = m->shard.window_ns;
    for (size_t i = 0; i < m->entry_count; i++) {
        struct slg_entry *entry = &m->entries[i];
        int64_t end_ns = m->shard.window_ns + m->shard.length_ns;

        if (!ordered)
            ts_ns = m->shard.window_ns + (int64_t)draw((uint64_t)m->shard.length_ns);
        else if (draw(2) == 0)
            ts_ns += (int64_t)draw((uint64_t)(end_ns - ts_ns));
        entry->ts_ns = ts_ns;
        entry->stream_index = (uint32_t)draw(m->stream_count);
        entry->kind = draw(3) == 0 ? SLG_ENTRY_PUSH : SLG_ENTRY_SYSLOG;
        entry->line = draw_text(arena, draw(10) == 0 ? 0 : draw(300));
        draw_metadata(arena, entry);
    }
}

static void encode(const struct model *m, struct slg_batch_builder *b, struct slg_buf *out)
{
    struct slg_incarnation incarnation = { .bytes = { 1, 2, 3 } };

    slg_batch_builder_start(b, &m->shard);
    for (size_t i = 0; i < m->entry_count; i++) {
        struct slg_entry entry = m->entries[i];
        struct slg_text canonical = m->streams[entry.stream_index];
        uint32_t unused;

        /* A stream without an entry now and then: it must not show. */
        assert_int_equal(
            slg_batch_builder_stream(b, &m->ids[i % m->stream_count],
                                     (const uint8_t *)m->streams[i % m->stream_count].at,
                                     m->streams[i % m->stream_count].len, &unused),
            SLG_OK);
        assert_int_equal(slg_batch_builder_stream(b, &m->ids[entry.stream_index],
                                                  (const uint8_t *)canonical.at, canonical.len,
                                                  &entry.stream_index),
                         SLG_OK);
        assert_int_equal(slg_batch_builder_append(b, &entry), SLG_OK);
    }
    assert_int_equal(slg_batch_builder_entry_count(b), m->entry_count);
    assert_int_equal(slg_batch_builder_seal(b, &incarnation, 7, 42, out), SLG_OK);
}

static void check_entry(const struct model *m, const struct slg_batch_view *view, uint32_t at)
{
    const struct slg_entry *want = &m->entries[at];
    const struct slg_batch_stream *stream = &view->header.streams[view->stream_index[at]];
    struct slg_label items[SLG_METADATA_COUNT_MAX];

    assert_int_equal(view->ts_ns[at], want->ts_ns);
    assert_int_equal(view->kind[at], want->kind);
    assert_true(slg_stream_id_equal(&stream->id, &m->ids[want->stream_index]));
    assert_true(slg_text_equal(slg_text_make(stream->canonical, stream->canonical_len),
                               m->streams[want->stream_index]));
    assert_true(slg_text_equal(slg_batch_view_line(view, at), want->line));
    assert_int_equal(slg_batch_view_metadata(view, at, items), want->metadata.count);
    for (size_t i = 0; i < want->metadata.count; i++) {
        assert_true(slg_text_equal(items[i].name, want->metadata.items[i].name));
        assert_true(slg_text_equal(items[i].value, want->metadata.items[i].value));
    }
}

static void check_order(const struct slg_batch_view *view)
{
    uint32_t count = view->header.entry_count;
    bool *seen = calloc(count, sizeof(*seen));

    assert_non_null(seen);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = view->order == NULL ? i : view->order[i];

        assert_true(position < count && !seen[position]);
        seen[position] = true;
        if (i > 0) {
            uint32_t before = view->order == NULL ? i - 1 : view->order[i - 1];

            assert_true(view->ts_ns[before] < view->ts_ns[position] ||
                        (view->ts_ns[before] == view->ts_ns[position] && before < position));
        }
    }
    free(seen);
}

static void run_round(struct slg_batch_builder *b, struct slg_buf *out, struct model *m)
{
    struct slg_arena *arena = slg_arena_create((size_t)16 << 20);
    const struct slg_batch_view *view;
    uint8_t *bytes;

    draw_model(arena, m);
    encode(m, b, out);
    bytes = test_block(out->data, out->len);
    assert_int_equal(slg_batch_decode(arena, bytes, out->len, &view), SLG_OK);
    assert_int_equal(view->header.entry_count, m->entry_count);
    assert_int_equal(view->header.id.sequence, 7);
    assert_int_equal(view->header.map_epoch, 42);
    assert_int_equal(slg_shard_id_compare(&view->header.id.shard, &m->shard), 0);
    for (uint32_t i = 0; i < m->entry_count; i++)
        check_entry(m, view, i);
    check_order(view);
    free(bytes);
    slg_arena_destroy(arena);
}

static void test_round_trip(void **state)
{
    static struct model model;
    const char *given = getenv("SLG_SEED");
    uint64_t seed = given == NULL ? 20240607 : strtoull(given, NULL, 10);
    struct slg_batch_builder *b;
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_batch_builder_create(slg_text_of("fake"), SLG_BATCH_SEAL_BYTES, &b),
                     SLG_OK);
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    for (uint64_t round = 0; round < (given == NULL ? ROUNDS : 1); round++) {
        print_message("seed %llu\n", (unsigned long long)(seed + round));
        random_state = (seed + round) * UINT64_C(0x9E3779B97F4A7C15) | 1;
        run_round(b, &out, &model);
    }
    slg_buf_fini(&out);
    slg_batch_builder_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
