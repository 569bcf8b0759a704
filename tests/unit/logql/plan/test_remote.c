/* The storer's half: which streams and entries a leaf wants, when it has enough, and pages that hold what it kept.
 * Oracle: small data sets worked out by hand. tests/property/test_split.c compares whole queries. */
#include "tests/helper/dataset.h"

#include "logql/mine/miner.h"

#define BASE (INT64_C(1767225600) * 1000000000)

struct taken {
    size_t pages, rows, series;
    double sum;
    char error[1000];
    struct slg_arena *arena;
};

static enum slg_status take(void *user, const void *body, size_t len, bool more,
                            struct slg_error *reterr)
{
    struct taken *taken = user;
    struct slg_page page;

    (void)more;
    assert_int_equal(slg_page_decode(taken->arena, body, len, &page, reterr), SLG_OK);
    taken->pages++;
    taken->rows += page.row_count;
    taken->series += page.series_count;
    for (size_t i = 0; i < page.series_count; i++) {
        for (size_t k = 0; k < page.series[i].count; k++)
            taken->sum += page.kind == SLG_PAGE_SAMPLES ? page.series[i].samples[k].value
                                                        : page.series[i].partials[k].a;
    }
    (void)snprintf(taken->error, sizeof(taken->error), "%.*s", (int)page.error.len,
                   page.error.at == NULL ? "" : page.error.at);
    return SLG_OK;
}

enum { ENTRIES = 5000, LONG_LINE = 600 };

/* Two streams in turn, one entry a second; every tenth line is broken logfmt for a number. */
static void fill(struct data_set *set, struct slg_arena *arena)
{
    static struct slg_label labels[2][1];
    static struct slg_label_set streams[2];

    for (int i = 0; i < 2; i++) {
        labels[i][0] = (struct slg_label){ slg_text_of("app"), slg_text_of(i == 0 ? "a" : "b") };
        streams[i] = (struct slg_label_set){ labels[i], 1 };
    }
    *set = (struct data_set){ .streams = streams, .stream_count = 2, .entry_count = ENTRIES };
    set->entries = slg_arena_calloc(arena, ENTRIES, sizeof(*set->entries));
    assert_non_null(set->entries);
    for (int i = 0; i < ENTRIES; i++) {
        char *line = slg_arena_alloc(arena, LONG_LINE);

        assert_non_null(line);
        memset(line, 'x', LONG_LINE);
        (void)snprintf(line, LONG_LINE, "v=%s pad=", i % 10 == 9 ? "oops" : "2");
        line[strlen(line)] = 'x';
        set->entries[i] = (struct data_entry){ .ts_ns = BASE + (int64_t)(i / 2) * 1000000000,
                                               .stream = (uint32_t)i % 2,
                                               .line = slg_text_make(line, LONG_LINE) };
    }
}

static const struct remote_case {
    const char *name, *query;
    enum slg_leaf_kind kind;
    uint64_t limit, series_max, memory;
    enum slg_status status;
    size_t rows, series;
    double sum;
    const char *error;
} cases[] = {
    { "all rows, in several pages", "{app=~\"a|b\"}", SLG_LEAF_LOG, 0, 10, 64 << 20, SLG_OK, 5000,
      0, 0, "" },
    { "one stream", "{app=\"b\"}", SLG_LEAF_LOG, 0, 10, 64 << 20, SLG_OK, 2500, 0, 0, "" },
    { "no stream", "{app=\"c\"}", SLG_LEAF_LOG, 0, 10, 64 << 20, SLG_OK, 0, 0, 0, "" },
    { "limit", "{app=~\"a|b\"}", SLG_LEAF_LOG, 7, 10, 64 << 20, SLG_OK, 7, 0, 0, "" },
    { "limit over a page", "{app=~\"a|b\"}", SLG_LEAF_LOG, 4001, 10, 64 << 20, SLG_OK, 4001, 0, 0,
      "" },
    { "count", "count_over_time({app=~\"a|b\"}[2h])", SLG_LEAF_PARTIAL, 0, 10, 64 << 20, SLG_OK, 0,
      2, 5000, "" },
    { "sum of counts", "sum(count_over_time({app=~\"a|b\"}[2h]))", SLG_LEAF_PARTIAL, 0, 10,
      64 << 20, SLG_OK, 0, 1, 5000, "" },
    { "sum by a stream label", "sum by (app) (bytes_over_time({app=\"a\"}[2h]))", SLG_LEAF_PARTIAL,
      0, 10, 64 << 20, SLG_OK, 0, 1, 2500.0 * LONG_LINE, "" },
    { "samples",
      "quantile_over_time(0.5, {app=\"a\"} | logfmt | unwrap v | __error__=\"\"[2h]) by ()",
      SLG_LEAF_SAMPLES, 0, 10, 64 << 20, SLG_OK, 0, 1, 5000, "" },
    { "pipeline error", "sum_over_time({app=\"b\"} | logfmt v | unwrap v [2h])", SLG_LEAF_PARTIAL,
      0, 10, 64 << 20, SLG_OK, 0, 0, 0, "pipeline error: 'SampleExtractionErr' for series: '{" },
    { "too many series", "count_over_time({app=~\"a|b\"}[2h])", SLG_LEAF_PARTIAL, 0, 1, 64 << 20,
      SLG_LIMIT, 0, 0, 0, "" },
    { "too little memory",
      "quantile_over_time(0.5, {app=\"a\"} | logfmt | unwrap v | __error__=\"\"[2h])",
      SLG_LEAF_SAMPLES, 0, 10, 20000, SLG_LIMIT, 0, 0, 0, "" },
    { "another kind than asked", "{app=\"a\"}", SLG_LEAF_PARTIAL, 0, 10, 64 << 20, SLG_INVALID, 0,
      0, 0, "" },
    { "no leaf", "vector(1)", SLG_LEAF_PARTIAL, 0, 10, 64 << 20, SLG_INVALID, 0, 0, 0, "" },
};

static void check_case(const struct remote_case *c, const struct data_store *store)
{
    for (int backward = 0; backward < 2; backward++) {
        const struct slg_leaf_request request = {
            .kind = c->kind,
            .text = slg_text_of(c->query),
            .start_ns = c->kind == SLG_LEAF_LOG ? BASE : BASE + INT64_C(7000) * 1000000000,
            .end_ns = BASE + INT64_C(7000) * 1000000000,
            .direction = backward ? SLG_BACKWARD : SLG_FORWARD,
            .limit = c->limit,
            .series_max = c->series_max,
            .memory_bytes_max = c->memory,
        };
        struct taken taken = { .arena = slg_arena_create((size_t)256 << 20) };

        CHECK(c->name, data_run(store, 0, &request, take, &taken, NULL) == c->status);
        if (c->status == SLG_OK) {
            CHECK(c->name, taken.rows == c->rows);
            CHECK(c->name, taken.series == c->series);
            CHECK(c->name, taken.sum == c->sum);
            CHECK(c->name, strncmp(taken.error, c->error, strlen(c->error)) == 0);
            CHECK(c->name, (taken.pages > 1) == (c->rows > 2000));
        }
        slg_arena_destroy(taken.arena);
    }
}

static void test_cases(void **state)
{
    const struct data_cut cut = { .seed = 1,
                                  .window_ns = INT64_C(3600) * 1000000000,
                                  .slot_count = 2,
                                  .incarnation_count = 1,
                                  .node_count = 1 };
    struct slg_arena *arena = slg_arena_create((size_t)64 << 20);
    struct data_store store;
    struct data_set set;

    (void)state;
    fill(&set, arena);
    data_store_open(&store, &set, &cut);
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++)
        check_case(&cases[i], &store);
    data_store_close(&store);
    slg_arena_destroy(arena);
}

static enum slg_status take_patterns(void *user, const void *body, size_t len, bool more,
                                     struct slg_error *reterr)
{
    (void)more;
    return slg_miner_feed(user, body, len, reterr);
}

/* Patterns of the lines of a selector, by level (unknown: there is no metadata) and step; not of a pipeline. */
static void test_patterns(void **state)
{
    const struct data_cut cut = { .seed = 1,
                                  .window_ns = INT64_C(3600) * 1000000000,
                                  .slot_count = 2,
                                  .incarnation_count = 1,
                                  .node_count = 1 };
    struct slg_leaf_request request = { .kind = SLG_LEAF_PATTERNS,
                                        .text = slg_text_of("{app=~\"a|b\"}"),
                                        .start_ns = BASE,
                                        .end_ns = BASE + INT64_C(1000) * 1000000000,
                                        .step_ns = INT64_C(600) * 1000000000,
                                        .memory_bytes_max = 64 << 20 };
    struct slg_arena *arena = slg_arena_create((size_t)64 << 20);
    struct slg_miner *miner = slg_miner_create(request.step_ns, UINT64_MAX);
    const struct slg_miner_pattern *patterns;
    struct data_store store;
    struct data_set set;
    size_t count;

    (void)state;
    fill(&set, arena);
    data_store_open(&store, &set, &cut);
    assert_int_equal(data_run(&store, 0, &request, take_patterns, miner, NULL), SLG_OK);
    assert_int_equal(slg_miner_finish(miner, &patterns, &count, NULL), SLG_OK);
    assert_int_equal(count, 2);
    assert_true(slg_text_equal_to(patterns[0].pattern, "v=2 pad=<_>"));
    assert_true(slg_text_equal_to(patterns[1].pattern, "v=oops pad=<_>"));
    assert_true(slg_text_equal_to(patterns[0].level, "unknown"));
    assert_int_equal(patterns[0].count, 1800);
    assert_int_equal(patterns[1].count, 200);
    assert_int_equal(patterns[1].sample_count, 2);
    request.text = slg_text_of("{app=~\"a|b\"} |= \"x\"");
    assert_int_equal(data_run(&store, 0, &request, take_patterns, miner, NULL), SLG_INVALID);
    request.text = slg_text_of("{app=~\"a|b\"}");
    request.step_ns = 0;
    assert_int_equal(data_run(&store, 0, &request, take_patterns, miner, NULL), SLG_INVALID);
    data_store_close(&store);
    slg_miner_destroy(miner);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases),
                                        cmocka_unit_test(test_patterns) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
