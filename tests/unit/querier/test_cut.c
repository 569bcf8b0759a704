/* Parts of a shard leave nothing out and share nothing, however range and shard lie; few batches are not cut.
 * Oracle: counting, for each of many times, the parts that hold it. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "querier/cut.h"

#define HOUR_NS (INT64_C(3600) * SLG_NS_PER_SEC)

static void test_counts(void **state)
{
    static const struct count_case {
        const char *name;
        uint64_t batches[4];
        size_t shard_count, parts_max, want[4];
    } cases[] = {
        { "nothing", { 0 }, 0, 4, { 0 } },
        { "one large shard takes all", { 1000 }, 1, 4, { 4 } },
        { "one small shard stays whole", { 63 }, 1, 4, { 1 } },
        { "just enough for two parts", { 64 }, 1, 4, { 2 } },
        { "the larger one is cut", { 100, 1000 }, 2, 3, { 1, 2 } },
        { "equal ones in turn", { 500, 500 }, 2, 4, { 2, 2 } },
        { "as many shards as parts", { 500, 500 }, 2, 2, { 1, 1 } },
        { "more shards than parts", { 500, 500, 500 }, 3, 2, { 1, 1, 1 } },
        { "an empty one costs no part", { 0, 400 }, 2, 4, { 1, 3 } },
        { "no overflow", { UINT64_MAX }, 1, 16, { 16 } },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        size_t counts[4] = { 0 };

        slg_cut_count(cases[i].batches, cases[i].shard_count, cases[i].parts_max, counts);
        for (size_t k = 0; k < 4; k++)
            if (counts[k] != cases[i].want[k])
                fail_msg("%s: shard %zu: %zu parts, wanted %zu", cases[i].name, k, counts[k],
                         cases[i].want[k]);
    }
}

static bool holds(const struct slg_cut *cut, int64_t ts_ns)
{
    return ts_ns >= cut->from_ns && (cut->to_ns == 0 || ts_ns < cut->to_ns);
}

static void test_parts_are_disjoint_and_whole(void **state)
{
    static const struct part_case {
        const char *name;
        int64_t min_ns, max_ns, from_ns, to_ns;
    } cases[] = {
        { "range around the shard", 5 * HOUR_NS, 6 * HOUR_NS - 1, 0, 9 * HOUR_NS },
        { "range inside", 5 * HOUR_NS, 6 * HOUR_NS - 1, 5 * HOUR_NS + 7, 5 * HOUR_NS + 1000 },
        { "one entry", 5 * HOUR_NS, 5 * HOUR_NS, 0, 9 * HOUR_NS },
        { "the beginning of time", 0, HOUR_NS - 1, 0, HOUR_NS },
        { "a range of one instant", 0, HOUR_NS - 1, 0, 1 },
        { "all of time", 5 * HOUR_NS, 6 * HOUR_NS - 1, INT64_MIN, INT64_MAX },
        { "a storer that lies", INT64_MIN, INT64_MAX, 0, 9 * HOUR_NS },
        { "a storer that lies about all of time", INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX },
        { "the end of time", INT64_MAX - 20, INT64_MAX, INT64_MAX - 9, INT64_MAX },
        { "nothing is known", 0, 0, 5 * HOUR_NS, 6 * HOUR_NS },
        { "range beside the shard", 5 * HOUR_NS, 6 * HOUR_NS - 1, 0, HOUR_NS },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct slg_rpc_shard_set shard = { .ts_min_ns = cases[i].min_ns,
                                                 .ts_max_ns = cases[i].max_ns };

        for (size_t count = 1; count <= 16; count++) {
            struct slg_cut cuts[16];

            for (size_t part = 0; part < count; part++)
                cuts[part] = slg_cut_part(&shard, cases[i].from_ns, cases[i].to_ns, count, part);
            assert_int_equal(cuts[0].from_ns, 0);
            assert_int_equal(cuts[count - 1].to_ns, 0);
            for (int64_t k = 0; k < 1000; k++) {
                /* Every bound of a part, the instants beside it, and times between. */
                int64_t ts_ns = k < 48 ? cuts[(size_t)k / 3 % count].from_ns + k % 3 - 1
                                       : 5 * HOUR_NS + (k - 48) * (HOUR_NS / 951);
                size_t found = 0;

                for (size_t part = 0; part < count; part++)
                    found += holds(&cuts[part], ts_ns);
                if (ts_ns >= 0 && found != 1)
                    fail_msg("%s: %zu of %zu parts hold %lld", cases[i].name, found, count,
                             (long long)ts_ns);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_parts_are_disjoint_and_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
