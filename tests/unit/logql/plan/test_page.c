/* What a page's writer was given is what its reader gives back; broken bodies are refused and leave the result alone.
 * Oracle: the rows, partials and samples written; every prefix and every flipped byte of a good body. */
#include "tests/helper/vector.h"

#include "logql/plan/page.h"

#define WRITER_BYTES ((size_t)16 << 20)

static struct slg_batch_id batch_id(unsigned n)
{
    struct slg_batch_id id = { .shard = { INT64_C(3600000000000) * n, 3600000000000, 1, 3 },
                               .sequence = n + 1 };

    memset(id.incarnation.bytes, (int)n, sizeof(id.incarnation.bytes));
    return id;
}

/* A page of every kind of thing; finish it into out. */
static void write_log(struct slg_page_writer *w, struct slg_arena *arena, struct slg_buf *out)
{
    const struct slg_batch_id ids[2] = { batch_id(1), batch_id(2) };

    slg_page_writer_start(w, SLG_PAGE_LOG, SLG_ACCUMULATE_COUNT);
    for (unsigned i = 0; i < 5; i++) {
        struct slg_row row = { .ts_ns = INT64_C(1772431200000000000) - (int64_t)i * 7,
                               .batch = &ids[i % 2],
                               .position = i * 1000,
                               .stream_hash = i,
                               .stream = test_label_set(arena, "app=x,host=y"),
                               .metadata = test_label_set(arena, i % 2 == 0 ? "level=info" : ""),
                               .parsed = test_label_set(arena, i == 3 ? "v=,w=\xff" : "v=1"),
                               .line = slg_text_make("line \0 one", i) };

        slg_page_writer_row(w, &row);
    }
    assert_int_equal(slg_page_writer_finish(w, out, NULL), SLG_OK);
}

static void test_rows(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_page page = { .row_count = 77 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    for (int round = 0; round < 2; round++) { /* the writer's memory is reused */
        uint8_t *exact;

        slg_buf_clear(&out);
        write_log(w, arena, &out);
        exact = test_block(out.data, out.len);
        assert_int_equal(slg_page_decode(arena, exact, out.len, &page, NULL), SLG_OK);
        assert_int_equal(page.kind, SLG_PAGE_LOG);
        assert_int_equal(page.row_count, 5);
        for (unsigned i = 0; i < 5; i++) {
            const struct slg_row *row = &page.rows[i];
            struct slg_batch_id id = batch_id(1 + i % 2);
            struct slg_label_set parsed = test_label_set(arena, i == 3 ? "v=,w=\xff" : "v=1");

            assert_int_equal(row->ts_ns, INT64_C(1772431200000000000) - (int64_t)i * 7);
            assert_int_equal(slg_batch_order(row->batch, &id), 0);
            assert_int_equal(row->batch->shard.slot_count, 3);
            assert_int_equal(row->position, i * 1000);
            assert_int_equal(row->stream_hash, i);
            assert_int_equal(slg_label_set_compare(&row->parsed, &parsed), 0);
            assert_int_equal(row->metadata.count, i % 2 == 0);
            assert_int_equal(row->line.len, i);
        }
        free(exact);
    }
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(arena);
}

/* Rows of one time are put in the order of their streams' hashes; of the last time only those wanted stay. */
static void test_equal_times(void **state)
{
    static const uint64_t hashes[] = { 7, 3, 5, 3, 9, 1 };
    static const unsigned want[] = { 1, 3, 2, 0,
                                     5 }; /* times 10 10 10 10, then 20 20: one of the two */
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    const struct slg_batch_id id = batch_id(1);
    struct slg_page page;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    slg_page_writer_start(w, SLG_PAGE_LOG, SLG_ACCUMULATE_COUNT);
    slg_page_writer_limit(w, 5);
    for (unsigned i = 0; i < 6; i++) {
        const struct slg_row row = { .ts_ns = i < 4 ? 10 : 20,
                                     .batch = &id,
                                     .position = i,
                                     .stream_hash = hashes[i],
                                     .line = slg_text_of("x") };

        slg_page_writer_row(w, &row);
    }
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_page_writer_row_count(w), 5);
    assert_int_equal(slg_page_decode(arena, out.data, out.len, &page, NULL), SLG_OK);
    assert_int_equal(page.row_count, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(page.rows[i].position, want[i]);
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(arena);
}

static struct slg_partial example(enum slg_accumulator kind, unsigned i, uint32_t origin_index)
{
    struct slg_sample sample = { .ts_ns = 1000 + i,
                                 .value = kind == SLG_ACCUMULATE_COUNT ? i : i * 0.5 - 1,
                                 .origin_index = origin_index,
                                 .position = i };

    return slg_partial_of(kind, &sample, 3 + (7 * i) % 5);
}

static void check_partials(enum slg_accumulator kind, struct slg_arena *arena)
{
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_origin id = { .batch = batch_id(4), .stream_hash = UINT64_MAX };
    struct slg_origin_table origins;
    struct slg_page page;
    struct slg_buf out;
    uint32_t index;

    slg_origin_table_init(&origins, arena);
    assert_true(slg_origin_table_index(&origins, &id, &index));
    slg_buf_init(&out, WRITER_BYTES);
    slg_page_writer_start(w, SLG_PAGE_PARTIAL, kind);
    for (unsigned s = 0; s < 3; s++) {
        struct slg_label_set labels = test_label_set(arena, s == 0 ? "" : s == 1 ? "a=1" : "a=2");

        slg_page_writer_series(w, &labels);
        for (unsigned i = 0; i < 40 * s; i++) {
            struct slg_partial p = example(kind, i, index);

            slg_page_writer_partial(w, &origins, &p);
        }
    }
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_page_decode(arena, out.data, out.len, &page, NULL), SLG_OK);
    assert_int_equal(page.accumulator, kind);
    assert_int_equal(page.series_count, 3);
    for (unsigned s = 0; s < 3; s++) {
        assert_int_equal(page.series[s].count, 40 * s);
        for (unsigned i = 0; i < 40 * s; i++) {
            struct slg_partial want = example(kind, i, 0), got = page.series[s].partials[i];

            assert_int_equal(memcmp(&got, &want, offsetof(struct slg_partial, bucket)), 0);
            assert_int_equal(got.bucket, want.bucket);
        }
    }
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
}

static void test_partials(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);

    (void)state;
    for (int kind = SLG_ACCUMULATE_COUNT; kind < SLG_ACCUMULATE_SAMPLES; kind++)
        check_partials((enum slg_accumulator)kind, arena);
    slg_arena_destroy(arena);
}

/* The worked bytes of docs/FORMATS.md. */
static void test_worked_bytes(void **state)
{
    static const uint8_t want[] = { 1, 2, 0, 2, 1, 'a', 1, '1', 1, 1, 0,
                                    1, 0, 0, 1, 0, 1,   6, 5,   0, 0 };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_label_set labels = test_label_set(arena, "a=1");
    const struct slg_partial partial = { .a = 5, .bucket = 3 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    slg_page_writer_start(w, SLG_PAGE_PARTIAL, SLG_ACCUMULATE_COUNT);
    slg_page_writer_series(w, &labels);
    slg_page_writer_partial(w, NULL, &partial);
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.data, want, sizeof(want));
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(arena);
}

static void test_samples(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_label_set labels = test_label_set(arena, "a=1");
    const struct slg_sample sample = { .ts_ns = INT64_MAX, .value = -0.0, .position = 6 };
    const struct slg_sample other = { .ts_ns = INT64_MIN, .value = 1e300 };
    struct slg_page page;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    slg_page_writer_start(w, SLG_PAGE_SAMPLES, SLG_ACCUMULATE_SAMPLES);
    slg_page_writer_series(w, &labels);
    slg_page_writer_sample(w, NULL, &sample);
    slg_page_writer_sample(w, NULL, &other);
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_page_decode(arena, out.data, out.len, &page, NULL), SLG_OK);
    assert_int_equal(page.series_count, 1);
    assert_int_equal(page.series[0].count, 2);
    assert_int_equal(page.series[0].samples[0].ts_ns, INT64_MAX);
    assert_int_equal(page.series[0].samples[0].position, 6);
    assert_int_equal(page.series[0].samples[1].ts_ns, INT64_MIN);
    assert_true(page.series[0].samples[1].value == 1e300);
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(arena);
}

static void test_error_page(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_page page;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    slg_page_writer_start(w, SLG_PAGE_ERROR, SLG_ACCUMULATE_COUNT);
    slg_page_writer_error(w, slg_text_of("pipeline error"));
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_page_decode(arena, out.data, out.len, &page, NULL), SLG_OK);
    assert_int_equal(page.kind, SLG_PAGE_ERROR);
    assert_true(slg_text_equal_to(page.error, "pipeline error"));
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(arena);
}

static void test_broken_bodies(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_arena *scratch = slg_arena_create((size_t)1 << 20);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_buf out;
    size_t refused = 0;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    write_log(w, arena, &out);
    for (size_t len = 0; len < out.len; len++) {
        uint8_t *exact = test_block(out.data, len);
        struct slg_page page = { .row_count = 77 };

        slg_arena_reset(scratch);
        assert_int_equal(slg_page_decode(scratch, exact, len, &page, NULL), SLG_MALFORMED);
        assert_int_equal(page.row_count, 77);
        free(exact);
    }
    for (size_t i = 0; i < out.len; i++) {
        uint8_t *exact = test_block(out.data, out.len);
        struct slg_page page = { .row_count = 77 };
        enum slg_status status;

        exact[i] ^= 0x85;
        slg_arena_reset(scratch);
        status = slg_page_decode(scratch, exact, out.len, &page, NULL);
        refused += status != SLG_OK;
        assert_true(status == SLG_OK || page.row_count == 77);
        free(exact);
    }
    assert_true(refused > out.len / 4);
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(scratch);
    slg_arena_destroy(arena);
}

static void test_versions(void **state)
{
    static const uint8_t newer[] = { 2, 1 }, unknown[] = { 1, 9 };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_error error = { 0 };
    struct slg_page page;

    (void)state;
    assert_int_equal(slg_page_decode(arena, newer, 2, &page, &error), SLG_UNSUPPORTED);
    assert_string_equal(error.message, "page has version 2, this program knows 1");
    assert_int_equal(slg_page_decode(arena, unknown, 2, &page, &error), SLG_UNSUPPORTED);
    slg_arena_destroy(arena);
}

/* Found by fuzz_page: a difference of buckets that overflows. */
static void test_bucket_overflow(void **state)
{
    static const uint8_t body[] = { 1,    2,    7,    0,    1,    0,    0,    0,    1,
                                    0,    1,    2,    1,    0xFE, 0xFF, 0xFF, 0xFF, 0xFF,
                                    0xFF, 0xFF, 0xFF, 0xFF, 1,    0,    0 };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    uint8_t *exact = test_block(body, sizeof(body));
    struct slg_page page = { .row_count = 77 };

    (void)state;
    assert_int_equal(slg_page_decode(arena, exact, sizeof(body), &page, NULL), SLG_MALFORMED);
    assert_int_equal(page.row_count, 77);
    free(exact);
    slg_arena_destroy(arena);
}

static void test_small_budgets(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_arena *small = slg_arena_create(600);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_page page = { .row_count = 77 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, WRITER_BYTES);
    write_log(w, arena, &out);
    assert_int_equal(slg_page_decode(small, out.data, out.len, &page, NULL), SLG_LIMIT);
    assert_int_equal(page.row_count, 77);
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_arena_destroy(small);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_equal_times),
        cmocka_unit_test(test_partials),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_error_page),
        cmocka_unit_test(test_broken_bodies),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_small_budgets),
        cmocka_unit_test(test_bucket_overflow),
        cmocka_unit_test(test_worked_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
