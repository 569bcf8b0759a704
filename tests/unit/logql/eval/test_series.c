/* Series are found by label set and keep all partials and samples, in whatever order they come.
 * Oracle: sums and order over the same values, done directly. */
#include "tests/helper/vector.h"

#include "logql/eval/series.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

static void test_partials_in_any_order(void **state)
{
    enum { BUCKETS = 300, ADDS = 20000 };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_set labels = test_label_set(arena, "a=1");
    struct slg_series_table table;
    double want[BUCKETS] = { 0 };
    uint64_t random = 7;
    uint32_t index = 9, kept = 0;

    (void)state;
    slg_series_table_init(&table, arena, SLG_ACCUMULATE_COUNT, 10);
    assert_int_equal(slg_series_find(&table, slg_label_set_hash(&labels), &labels, &index), SLG_OK);
    for (int i = 0; i < ADDS; i++) {
        struct slg_partial p = { .a = (double)(next_random(&random) % 5),
                                 .bucket = (uint32_t)(next_random(&random) % BUCKETS) };

        want[p.bucket] += p.a;
        assert_true(slg_series_add_partial(&table, index, &p));
    }
    slg_series_settle(&table, index);
    for (uint32_t b = 0; b < BUCKETS; b++) {
        assert_int_equal(table.series[index].partials[kept].bucket, b);
        assert_true(table.series[index].partials[kept].a == want[b]);
        kept++;
    }
    assert_int_equal(table.series[index].count, kept);
    assert_true(table.series[index].capacity <= 4 * BUCKETS); /* no more than the buckets need */
    slg_arena_destroy(arena);
}

static void test_samples_in_total_order(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_label_set labels = test_label_set(arena, "");
    struct slg_series_table table;
    struct slg_origin id = { .batch = { .sequence = 2 } };
    uint32_t index, late, early;

    (void)state;
    slg_series_table_init(&table, arena, SLG_ACCUMULATE_SAMPLES, 10);
    assert_true(slg_origin_table_index(&table.origins, &id, &late));
    id.batch.sequence = 1;
    assert_true(slg_origin_table_index(&table.origins, &id, &early));
    assert_int_equal(slg_series_find(&table, slg_label_set_hash(&labels), &labels, &index), SLG_OK);
    for (int i = 0; i < 4; i++) {
        const struct slg_sample samples[] = {
            { .ts_ns = 9, .value = 4 },
            { .ts_ns = 5, .value = 3, .origin_index = late, .position = 0 },
            { .ts_ns = 5, .value = 2, .origin_index = early, .position = 8 },
            { .ts_ns = 5, .value = 1, .origin_index = early, .position = 7 },
        };

        assert_true(slg_series_add_sample(&table, index, &samples[i]));
    }
    slg_series_settle(&table, index);
    for (int i = 0; i < 4; i++)
        assert_true(table.series[index].samples[i].value == i + 1);
    slg_arena_destroy(arena);
}

static void test_many_series_and_their_limit(void **state)
{
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);
    struct slg_series_table table;

    (void)state;
    slg_series_table_init(&table, arena, SLG_ACCUMULATE_COUNT, 2000);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 2001; i++) {
            char text[32];
            struct slg_label_set labels;
            uint32_t index = 77777;
            enum slg_status status;

            (void)snprintf(text, sizeof(text), "a=%u", (unsigned)i);
            labels = test_label_set(arena, text);
            status = slg_series_find(&table, slg_label_set_hash(&labels), &labels, &index);
            assert_int_equal(status, i < 2000 ? SLG_OK : SLG_LIMIT);
            assert_int_equal(index, i < 2000 ? i : 77777);
        }
    }
    slg_arena_destroy(arena);
}

static void test_order_of_labels(void **state)
{
    static const char *const ascending[] = {
        "", "a=1", "a=1,b=1", "a=1,b=2", "a=1,c=0", "a=2", "b="
    };
    struct slg_arena *arena = slg_arena_create(TEST_ARENA_BYTES);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(ascending); i++) {
        for (size_t k = 0; k < SLG_ARRAY_LEN(ascending); k++) {
            struct slg_label_set a = test_label_set(arena, ascending[i]);
            struct slg_label_set b = test_label_set(arena, ascending[k]);
            struct slg_hash128 x = slg_label_set_hash(&a), y = slg_label_set_hash(&b);
            int order = slg_label_set_compare(&a, &b);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            assert_int_equal(x.low == y.low && x.high == y.high, i == k);
            assert_int_equal(x.low == y.low, i == k); /* what tables look at */
        }
    }
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partials_in_any_order),
        cmocka_unit_test(test_samples_in_total_order),
        cmocka_unit_test(test_many_series_and_their_limit),
        cmocka_unit_test(test_order_of_labels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
