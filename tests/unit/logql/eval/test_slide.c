/* Sliding windows give the values of windows that are computed one by one.
 * Oracle: each window anew from its samples, for overlapping, touching and gapped windows. */
#include "tests/helper/vector.h"

#include <math.h>

#include "logql/eval/slide.h"

enum { SAMPLES = 400 };

static const char *const queries[] = {
    "count_over_time({a=\"b\"}[1s])",
    "sum_over_time({a=\"b\"} | unwrap v [1s])",
    "min_over_time({a=\"b\"} | unwrap v [1s])",
    "max_over_time({a=\"b\"} | unwrap v [1s])",
    "avg_over_time({a=\"b\"} | unwrap v [1s])",
    "stddev_over_time({a=\"b\"} | unwrap v [1s])",
    "first_over_time({a=\"b\"} | unwrap v [1s])",
    "last_over_time({a=\"b\"} | unwrap v [1s])",
    "quantile_over_time(0.9, {a=\"b\"} | unwrap v [1s])",
    "quantile_over_time(0, {a=\"b\"} | unwrap v [1s])",
    "quantile_over_time(1, {a=\"b\"} | unwrap v [1s])",
    "rate_counter({a=\"b\"} | unwrap v [1s])",
};

static const struct shape {
    int64_t step, range;
} shapes[] = { { 10, 10 }, { 10, 73 }, { 10, 3 }, { 1, 500 }, { 7, 7000 }, { 10, 50 } };

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double one_window(const struct slg_logql_range_aggregation *range,
                         const struct slg_sample *s, size_t count, int64_t after, int64_t last)
{
    double sorted[SAMPLES], sum = 0, squares = 0, resets = 0, rank;
    size_t lower;

    for (size_t i = 0; i < count; i++) {
        sorted[i] = s[i].value;
        sum += s[i].value;
        resets += i > 0 && s[i].value < s[i - 1].value ? s[i - 1].value : 0;
    }
    for (size_t i = 0; i < count; i++)
        squares += (s[i].value - sum / (double)count) * (s[i].value - sum / (double)count);
    qsort(sorted, count, sizeof(*sorted), compare_doubles);
    if (range->op == SLG_LOGQL_RANGE_SUM || range->op == SLG_LOGQL_RANGE_COUNT)
        return sum;
    if (range->op == SLG_LOGQL_RANGE_AVG)
        return sum / (double)count;
    if (range->op == SLG_LOGQL_RANGE_STDDEV)
        return sqrt(squares / (double)count);
    if (range->op == SLG_LOGQL_RANGE_MIN)
        return sorted[0];
    if (range->op == SLG_LOGQL_RANGE_MAX)
        return sorted[count - 1];
    if (range->op == SLG_LOGQL_RANGE_FIRST)
        return s[0].value;
    if (range->op == SLG_LOGQL_RANGE_LAST)
        return s[count - 1].value;
    if (range->op == SLG_LOGQL_RANGE_RATE_COUNTER)
        return slg_slide_rate_counter(s, count, resets, after, last);
    rank = range->parameter * (double)(count - 1);
    lower = (size_t)floor(rank);
    return sorted[lower] * (1 - (rank - floor(rank))) +
           sorted[lower + 1 < count ? lower + 1 : count - 1] * (rank - floor(rank));
}

static void fill(struct slg_series_table *table, const struct slg_windows *w,
                 const struct slg_sample *samples)
{
    const struct slg_label_set none = { NULL, 0 };
    uint32_t index = 0;

    assert_int_equal(slg_series_find(table, slg_label_set_hash(&none), &none, &index), SLG_OK);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint32_t bucket = slg_windows_bucket(w, samples[i].ts_ns);

        if (bucket == SLG_BUCKET_NONE)
            continue;
        if (table->kind == SLG_ACCUMULATE_SAMPLES) {
            assert_true(slg_series_add_sample(table, index, &samples[i]));
        } else {
            struct slg_partial p = slg_partial_of(table->kind, &samples[i], bucket);

            assert_true(slg_series_add_partial(table, index, &p));
        }
    }
    slg_series_settle(table, index);
}

static void check_shape(const char *query, const struct shape *shape,
                        const struct slg_sample *samples, uint32_t stride)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    const struct slg_logql_range_aggregation *range = &test_expr(arena, query)->range;
    struct slg_series_table table;
    struct slg_windows w;
    struct slg_slide *slide;

    assert_true(slg_windows_init(&w, 0, 1500, shape->step, shape->range, 0));
    slg_series_table_init(&table, arena, slg_accumulator_of(range), 10);
    fill(&table, &w, samples);
    slide = slg_slide_create(arena, range, &w, &table);
    assert_non_null(slide);
    for (uint32_t i = 0; i < w.count; i += stride) {
        int64_t after, last;
        size_t from = 0, to = 0;
        double got = 0;
        bool has;

        slg_windows_bounds(&w, i, &after, &last);
        while (from < SAMPLES && samples[from].ts_ns <= after)
            from++;
        for (to = from; to < SAMPLES && samples[to].ts_ns <= last;)
            to++;
        slg_slide_step(slide, i);
        has = slg_slide_value(slide, 0, &got);
        CHECK(query, has == (to > from));
        if (has) {
            double want = one_window(range, samples + from, to - from, after, last);

            CHECK(query, fabs(got - want) <= 1e-9 * (1 + fabs(want)) ||
                             (isnan(got) && isnan(want)) || got == want);
        }
    }
    slg_arena_destroy(arena);
}

static void test_all_operators_and_shapes(void **state)
{
    struct slg_sample samples[SAMPLES];
    uint64_t random = 3;

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        samples[i] = (struct slg_sample){ .ts_ns = (int64_t)(i * 3 - i % 4),
                                          .value = (double)(random >> 58),
                                          .position = (uint32_t)i };
    }
    for (size_t q = 0; q < SLG_ARRAY_LEN(queries); q++) {
        for (size_t s = 0; s < SLG_ARRAY_LEN(shapes); s++) {
            bool counts = strstr(queries[q], "count_over_time") != NULL;

            for (size_t i = 0; i < SAMPLES && counts; i++)
                samples[i].value = 1;
            check_shape(queries[q], &shapes[s], samples, 1);
            check_shape(queries[q], &shapes[s], samples, 5); /* steps that nobody asked for */
            for (size_t i = 0; i < SAMPLES && counts; i++)
                samples[i].value = (double)(i * 7 % 64);
        }
    }
}

static const struct counter_case {
    const char *name;
    double values[4];
    int64_t ts[4]; /* seconds */
    size_t count;
    double resets, want;
} counter_cases[] = {
    { "one sample", { 5 }, { 30 }, 1, 0, 0 },
    /* 20 s to either border, 20 s between samples: taken as covered from end to end. */
    { "extrapolates to both borders", { 100, 120 }, { 20, 40 }, 2, 0, 20.0 / 20 * 60 / 60 },
    { "not to before zero", { 1, 21 }, { 20, 40 }, 2, 0, 20.0 / 20 * (20 + 1 + 20) / 60 },
    { "adds half a distance when far",
      { 1000, 1010, 1020 },
      { 28, 30, 32 },
      3,
      0,
      20.0 / 4 * (4 + 1 + 1) / 60 },
    { "counter reset", { 100, 50 }, { 20, 40 }, 2, 100, 50.0 / 20 * (20 + 20 + 20) / 60 },
};

static void test_rate_counter(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(counter_cases); i++) {
        const struct counter_case *c = &counter_cases[i];
        struct slg_sample samples[4];
        double got;

        for (size_t k = 0; k < c->count; k++)
            samples[k] =
                (struct slg_sample){ .ts_ns = c->ts[k] * 1000000000, .value = c->values[k] };
        got = slg_slide_rate_counter(samples, c->count, c->resets, 0, INT64_C(60) * 1000000000);
        if (fabs(got - c->want) > 1e-12)
            print_error("got %.17g, want %.17g\n", got, c->want);
        CHECK(c->name, fabs(got - c->want) <= 1e-12);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_operators_and_shapes),
        cmocka_unit_test(test_rate_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
