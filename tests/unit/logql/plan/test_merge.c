/* Rows of many sources come out in total order, thinned and limited as Loki does, none twice; streams hold them by label.
 * Oracle: sequences worked out by hand, and sorting everything at once. */
#include "tests/helper/vector.h"

#include "logql/plan/merge.h"

#define MEMORY ((size_t)64 << 20)

/* A page with one row per time; the batch is numbered by the source. */
static void make_page(struct slg_arena *arena, struct slg_buf *out, unsigned source,
                      const int64_t *times, size_t count)
{
    struct slg_page_writer *w = slg_page_writer_create(MEMORY);
    struct slg_batch_id id = { .sequence = source + 1 };

    slg_page_writer_start(w, SLG_PAGE_LOG, SLG_ACCUMULATE_COUNT);
    for (size_t i = 0; i < count; i++) {
        struct slg_row row = { .ts_ns = times[i],
                               .batch = &id,
                               .position = (uint32_t)times[i],
                               .stream = test_label_set(arena, source % 2 == 0 ? "s=0" : "s=1"),
                               .metadata = test_label_set(arena, "m=x"),
                               .parsed = test_label_set(arena, times[i] % 2 == 0 ? "a=1" : "z=2"),
                               .line = slg_text_of("line") };

        slg_page_writer_row(w, &row);
    }
    slg_buf_init(out, MEMORY);
    assert_int_equal(slg_page_writer_finish(w, out, NULL), SLG_OK);
    slg_page_writer_destroy(w);
}

static const struct merge_case {
    const char *name;
    enum slg_direction direction;
    uint64_t limit;
    int64_t interval;
    int64_t pages[3][2][4]; /* source, page, times; 0 ends a page */
    const char *want;
} cases[] = {
    { "forward",
      SLG_FORWARD,
      0,
      0,
      { { { 1, 4, 7 }, { 9 } }, { { 2, 3, 8 }, { 0 } }, { { 0 }, { 5, 6 } } },
      "1 2 3 4 5 6 7 8 9 " },
    { "backward",
      SLG_BACKWARD,
      0,
      0,
      { { { 7, 4 }, { 1 } }, { { 8, 3 }, { 2 } }, { { 0 } } },
      "8 7 4 3 2 1 " },
    { "limit", SLG_FORWARD, 4, 0, { { { 1, 4, 7 }, { 9 } }, { { 2, 3, 8 }, { 0 } } }, "1 2 3 4 " },
    { "equal times", SLG_FORWARD, 0, 0, { { { 5, 6 } }, { { 5, 6 } }, { { 5 } } }, "5 5 5 6 6 " },
    { "interval", SLG_FORWARD, 0, 3, { { { 1, 2, 3, 4 }, { 8 } }, { { 6, 7, 10 } } }, "1 4 7 10 " },
    { "interval backward",
      SLG_BACKWARD,
      0,
      3,
      { { { 10, 8, 7 }, { 5 } }, { { 9, 4 } } },
      "10 7 4 " },
    { "interval and limit",
      SLG_FORWARD,
      2,
      3,
      { { { 1, 2, 3, 4 }, { 8 } }, { { 6, 7, 10 } } },
      "1 4 " },
    { "nothing", SLG_FORWARD, 0, 0, { { { 0 } } }, "" },
};

static size_t count_times(const int64_t *times)
{
    size_t count = 0;

    while (count < 4 && times[count] != 0)
        count++;
    return count;
}

static void run_case(const struct merge_case *c)
{
    const struct slg_merge_params params = { 3, c->direction, c->limit, c->interval, MEMORY };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_merge *merge;
    unsigned next[3] = { 0, 0, 0 };
    char got[200] = "";
    size_t len = 0;

    assert_int_equal(slg_merge_create(&params, &merge, NULL), SLG_OK);
    for (;;) {
        const struct slg_row *row = NULL;
        size_t source = 99;
        enum slg_status status = slg_merge_next(merge, &row, &source);

        if (status == SLG_NOT_FOUND)
            break;
        if (status == SLG_OK) {
            len += (size_t)snprintf(got + len, sizeof(got) - len, "%d ", (int)row->ts_ns);
            continue;
        }
        CHECK(c->name, status == SLG_AGAIN && source < 3 && next[source] < 2);
        if (source == 2 && next[source] == 1 && c->pages[2][1][0] == 0) {
            slg_merge_close(merge, source);
        } else {
            const int64_t *times = c->pages[source][next[source]];
            struct slg_buf page;

            make_page(arena, &page, (unsigned)source, times, count_times(times));
            next[source]++;
            assert_int_equal(
                slg_merge_feed(merge, source, page.data, page.len, next[source] < 2, NULL), SLG_OK);
            slg_buf_fini(&page);
        }
    }
    if (strcmp(got, c->want) != 0)
        print_error("got \"%s\"\n", got);
    CHECK(c->name, strcmp(got, c->want) == 0);
    slg_merge_destroy(merge);
    slg_arena_destroy(arena);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++)
        run_case(&cases[i]);
}

/* The same source twice, as if two replicas had been used: each entry once. */
static void test_never_twice(void **state)
{
    static const int64_t times[] = { 1, 2, 3, 4, 5 };
    const struct slg_merge_params params = { 2, SLG_FORWARD, 0, 0, MEMORY };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_merge *merge;
    const struct slg_row *row;
    struct slg_buf page;
    size_t source;

    (void)state;
    make_page(arena, &page, 7, times, 5);
    assert_int_equal(slg_merge_create(&params, &merge, NULL), SLG_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(slg_merge_feed(merge, i, page.data, page.len, false, NULL), SLG_OK);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(slg_merge_next(merge, &row, &source), SLG_OK);
        assert_int_equal(row->ts_ns, i);
    }
    assert_int_equal(slg_merge_next(merge, &row, &source), SLG_NOT_FOUND);
    assert_int_equal(slg_merge_row_count(merge), 5);
    slg_merge_destroy(merge);
    slg_buf_fini(&page);
    slg_arena_destroy(arena);
}

static void test_refuses_other_pages(void **state)
{
    static const uint8_t garbage[] = { 1, 1, 0, 99 };
    const struct slg_merge_params params = { 1, SLG_FORWARD, 0, 0, MEMORY };
    struct slg_page_writer *w = slg_page_writer_create(MEMORY);
    struct slg_error error = { 0 };
    struct slg_merge *merge;
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_merge_create(&params, &merge, NULL), SLG_OK);
    assert_int_equal(slg_merge_feed(merge, 0, garbage, sizeof(garbage), false, &error),
                     SLG_MALFORMED);
    slg_buf_init(&out, MEMORY);
    slg_page_writer_start(w, SLG_PAGE_PARTIAL, SLG_ACCUMULATE_COUNT);
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_merge_feed(merge, 0, out.data, out.len, false, &error), SLG_MALFORMED);
    slg_buf_clear(&out);
    slg_page_writer_start(w, SLG_PAGE_ERROR, SLG_ACCUMULATE_COUNT);
    slg_page_writer_error(w, slg_text_of("no"));
    assert_int_equal(slg_page_writer_finish(w, &out, NULL), SLG_OK);
    assert_int_equal(slg_merge_feed(merge, 0, out.data, out.len, false, &error), SLG_INVALID);
    assert_string_equal(error.message, "no");
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_merge_destroy(merge);
}

static void check_streams(bool categorize, size_t want_count, const char *const *want)
{
    static const int64_t times[] = { 1, 2, 3, 4 };
    const struct slg_merge_params params = { 2, SLG_FORWARD, 0, 0, MEMORY };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_streams *streams = slg_streams_create(arena, categorize);
    const struct slg_stream *got = NULL;
    const struct slg_row *row;
    struct slg_merge *merge;
    size_t count = 0, source, rows = 0;

    assert_int_equal(slg_merge_create(&params, &merge, NULL), SLG_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct slg_buf page;

        make_page(arena, &page, i, times, 4);
        assert_int_equal(slg_merge_feed(merge, i, page.data, page.len, false, NULL), SLG_OK);
        slg_buf_fini(&page);
    }
    while (slg_merge_next(merge, &row, &source) == SLG_OK)
        assert_int_equal(slg_streams_add(streams, row), SLG_OK);
    slg_merge_destroy(merge); /* rows were copied */
    assert_int_equal(slg_streams_finish(streams, &got, &count), SLG_OK);
    assert_int_equal(count, want_count);
    for (size_t i = 0; i < count; i++) {
        struct slg_label_set labels = test_label_set(arena, want[i]);

        assert_int_equal(slg_label_set_compare(&got[i].labels, &labels), 0);
        for (size_t k = 0; k < got[i].row_count; k++, rows++) {
            assert_true(k == 0 || got[i].rows[k - 1].ts_ns < got[i].rows[k].ts_ns);
            assert_int_equal(got[i].rows[k].metadata.count, categorize ? 1 : 0);
            assert_true(slg_text_equal_to(got[i].rows[k].line, "line"));
        }
    }
    assert_int_equal(rows, 8);
    slg_arena_destroy(arena);
}

static void test_streams(void **state)
{
    static const char *const all[] = { "a=1,m=x,s=0", "a=1,m=x,s=1", "m=x,s=0,z=2", "m=x,s=1,z=2" };
    static const char *const index[] = { "s=0", "s=1" };

    (void)state;
    check_streams(false, 4, all);
    check_streams(true, 2, index);
}

/* Lines that are packed in memory come back byte by byte: compressible, random, short, empty. */
static void test_packed_lines(void **state)
{
    enum { ROWS = 60, LEN = 20000, ARENA = 600000 };
    struct slg_arena *arena = slg_arena_create(ARENA); /* half of the lines */
    struct slg_streams *streams = slg_streams_create(arena, false);
    const struct slg_batch_id id = { .sequence = 1 };
    const struct slg_stream *got = NULL;
    struct slg_buf scratch;
    size_t count = 0, packed = 0;
    static char line[LEN];

    (void)state;
    slg_streams_pack(streams, 50000);
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            uint32_t random = i + 1;
            size_t len = i % 10 == 8 ? i : i % 10 == 9 ? 0 : LEN;
            struct slg_row row = { .ts_ns = i, .batch = &id, .position = i };
            struct slg_text text;

            for (size_t k = 0; k < LEN; k++) {
                random = random * 1664525U + 1013904223U;
                line[k] = i == 7 ? (char)(random >> 24) : (char)('a' + (k / 50 + i) % 26);
            }
            row.line = slg_text_make(line, len);
            if (pass == 0) {
                assert_int_equal(slg_streams_add(streams, &row), SLG_OK);
                continue;
            }
            slg_buf_init(&scratch, LEN);
            assert_int_equal(slg_stream_row_line(&got->rows[i], &scratch, &text), SLG_OK);
            assert_true(slg_text_equal(text, row.line));
            packed += got->rows[i].unpacked_len > 0;
            slg_buf_fini(&scratch);
        }
        if (pass == 0)
            assert_int_equal(slg_streams_finish(streams, &got, &count), SLG_OK);
    }
    assert_int_equal(count, 1);
    assert_int_equal(packed, ROWS * 8 / 10 - 3); /* but for the first two and the random one */
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_never_twice),
        cmocka_unit_test(test_refuses_other_pages),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_packed_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
