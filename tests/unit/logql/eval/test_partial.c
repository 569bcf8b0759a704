/* Partials of any split of a list of samples merge to the value of the whole list; first and last obey the total order.
 * Oracle: direct formulas over the list. */
#include "tests/helper/vector.h"

#include <math.h>

#include "logql/eval/partial.h"

static const struct slg_logql_range_aggregation *range_of(struct slg_arena *arena, const char *text)
{
    return &test_expr(arena, text)->range;
}

static const double values[] = { 3, -1, 4, 1, 5, -9, 2, 6, 5, 3, 5 };

static const struct partial_case {
    const char *name, *query;
    double want; /* of all values */
} cases[] = {
    { "count", "count_over_time({a=\"b\"}[10s])", 24 },
    { "rate", "rate({a=\"b\"}[10s])", 2.4 },
    { "sum", "sum_over_time({a=\"b\"} | unwrap v [10s])", 24 },
    { "rate of values", "rate({a=\"b\"} | unwrap v [10s])", 2.4 },
    { "avg", "avg_over_time({a=\"b\"} | unwrap v [10s])", 24.0 / 11 },
    { "min", "min_over_time({a=\"b\"} | unwrap v [10s])", -9 },
    { "max", "max_over_time({a=\"b\"} | unwrap v [10s])", 6 },
    { "stdvar", "stdvar_over_time({a=\"b\"} | unwrap v [10s])",
      232.0 / 11 - (24.0 / 11) * (24.0 / 11) },
    { "first", "first_over_time({a=\"b\"} | unwrap v [10s])", 3 },
    { "last", "last_over_time({a=\"b\"} | unwrap v [10s])", 5 },
    { "absent", "absent_over_time({a=\"b\"}[10s])", 1 },
};

static void test_any_split(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    const size_t count = SLG_ARRAY_LEN(values);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct slg_logql_range_aggregation *range = range_of(arena, cases[i].query);
        enum slg_accumulator kind = slg_accumulator_of(range);

        for (size_t cut = 1; cut < count; cut++) {
            struct slg_partial halves[2] = { { 0 } };

            for (size_t k = 0; k < count; k++) {
                struct slg_sample sample = { .ts_ns = (int64_t)k, .value = values[k] };
                struct slg_partial one = slg_partial_of(kind, &sample, 7);

                if (k == 0 || k == cut)
                    halves[k >= cut] = one;
                else
                    slg_partial_merge(kind, NULL, &halves[k >= cut], &one);
            }
            slg_partial_merge(kind, NULL, &halves[1], &halves[0]);
            CHECK(cases[i].name, halves[1].bucket == 7);
            CHECK(cases[i].name,
                  fabs(slg_partial_value(range, &halves[1]) - cases[i].want) < 1e-12);
        }
    }
    slg_arena_destroy(arena);
}

static double merged(enum slg_accumulator kind, const struct slg_logql_range_aggregation *range,
                     double a, double b)
{
    struct slg_sample samples[2] = { { .value = a }, { .ts_ns = 1, .value = b } };
    struct slg_partial p = slg_partial_of(kind, &samples[0], 0);
    struct slg_partial q = slg_partial_of(kind, &samples[1], 0);

    slg_partial_merge(kind, NULL, &p, &q);
    return slg_partial_value(range, &p);
}

static void test_odd_values(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    const double nan = (double)NAN, inf = (double)INFINITY;
    const struct slg_logql_range_aggregation *avg =
        range_of(arena, "avg_over_time({a=\"b\"} | unwrap v [10s])");
    const struct slg_logql_range_aggregation *min =
        range_of(arena, "min_over_time({a=\"b\"} | unwrap v [10s])");
    const struct slg_logql_range_aggregation *sum =
        range_of(arena, "sum_over_time({a=\"b\"} | unwrap v [10s])");
    const struct slg_logql_range_aggregation *dev =
        range_of(arena, "stddev_over_time({a=\"b\"} | unwrap v [10s])");

    (void)state;
    assert_true(merged(SLG_ACCUMULATE_MOMENTS, avg, inf, 1) == inf);
    assert_true(merged(SLG_ACCUMULATE_MOMENTS, avg, 1, inf) == inf);
    assert_true(merged(SLG_ACCUMULATE_MOMENTS, avg, -inf, -inf) == -inf);
    assert_true(isnan(merged(SLG_ACCUMULATE_MOMENTS, avg, inf, -inf)));
    assert_true(isnan(merged(SLG_ACCUMULATE_MOMENTS, avg, nan, 1)));
    assert_true(merged(SLG_ACCUMULATE_MOMENTS, avg, 1.5e308, 1.5e308) == 1.5e308);
    assert_true(isnan(merged(SLG_ACCUMULATE_MOMENTS, dev, inf, 1)));
    assert_true(merged(SLG_ACCUMULATE_MIN, min, nan, 3) == 3);
    assert_true(merged(SLG_ACCUMULATE_MIN, min, 3, nan) == 3);
    assert_true(merged(SLG_ACCUMULATE_SUM, sum, inf, 1) == inf);
    assert_true(isnan(merged(SLG_ACCUMULATE_SUM, sum, inf, -inf)));
    slg_arena_destroy(arena);
}

/* 1e16 + 1 + ... + 1 - 1e16: without compensation the ones are lost. */
static void test_sum_is_compensated(void **state)
{
    struct slg_partial total = { .a = 1e16 };

    (void)state;
    for (int i = 0; i < 1000; i++) {
        const struct slg_partial one = { .a = 1 };

        slg_partial_merge(SLG_ACCUMULATE_SUM, NULL, &total, &one);
    }
    slg_partial_merge(SLG_ACCUMULATE_SUM, NULL, &total, &(struct slg_partial){ .a = -1e16 });
    assert_true(total.a + total.b == 1000);
}

static void test_total_order(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_origin_table table;
    struct slg_origin id = { .batch = { .sequence = 1 }, .stream_hash = 5 };
    uint32_t early, late, again;

    (void)state;
    slg_origin_table_init(&table, arena);
    id.batch.incarnation.bytes[0] = 2;
    assert_true(slg_origin_table_index(&table, &id, &late));
    id.batch.incarnation.bytes[0] = 1;
    id.batch.sequence = 9;
    assert_true(slg_origin_table_index(&table, &id, &early));
    assert_true(slg_origin_table_index(&table, &id, &again));
    assert_int_equal(early, again);
    assert_int_equal(table.count, 2);
    for (int order = 0; order < 2; order++) {
        struct slg_sample a = { .ts_ns = 5, .value = 1, .origin_index = early, .position = 3 };
        struct slg_sample b = { .ts_ns = 5, .value = 2, .origin_index = late, .position = 1 };
        struct slg_partial p = slg_partial_of(SLG_ACCUMULATE_FIRST, order == 0 ? &a : &b, 0);
        struct slg_partial q = slg_partial_of(SLG_ACCUMULATE_FIRST, order == 0 ? &b : &a, 0);
        struct slg_partial last = p;

        slg_partial_merge(SLG_ACCUMULATE_FIRST, &table, &p, &q);
        assert_true(p.a == 1);
        slg_partial_merge(SLG_ACCUMULATE_LAST, &table, &last, &q);
        assert_true(last.a == 2);
    }
    slg_arena_destroy(arena);
}

/* Values of Prometheus' labels.Hash as the order of recorded answers shows them; and the hash decides before batches. */
static void test_stream_hash(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_set a = test_label_set(arena, "app=tick,every=10m,job=tick,service_name=tick");
    struct slg_label_set b =
        test_label_set(arena, "app=counter,instance=1,job=metrics,service_name=counter");
    const struct slg_origin low = { .batch = { .sequence = 9 }, .stream_hash = 1 };
    const struct slg_origin high = { .batch = { .sequence = 1 }, .stream_hash = 2 };

    (void)state;
    assert_true(slg_origin_hash(&a) == UINT64_C(0x819202b2d6926de6));
    assert_true(slg_origin_hash(&b) == UINT64_C(0xb3fcec768fb2ebae));
    assert_true(slg_origin_compare(&low, &high) < 0);
    assert_true(slg_origin_compare(&high, &low) > 0);
    slg_arena_destroy(arena);
}

static void test_many_origins(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_origin_table table;

    (void)state;
    slg_origin_table_init(&table, arena);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            struct slg_origin id = { .batch = { .sequence = i / 4,
                                                .shard = { .slot = (uint16_t)(i / 2 % 2) } },
                                     .stream_hash = i % 2 };
            uint32_t index;

            assert_true(slg_origin_table_index(&table, &id, &index));
            assert_int_equal(index, i);
        }
    }
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split),          cmocka_unit_test(test_odd_values),
        cmocka_unit_test(test_sum_is_compensated), cmocka_unit_test(test_total_order),
        cmocka_unit_test(test_many_origins),       cmocka_unit_test(test_stream_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
