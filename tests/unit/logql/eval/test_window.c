/* Every instant lies in exactly the windows that (t - offset - range, t - offset] says, and windows are runs of buckets.
 * Oracle: the definition, evaluated for each instant and each window. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/eval/window.h"

static const struct window_case {
    const char *name;
    int64_t start, end, step, range, offset;
} cases[] = {
    { "range of one step", 100, 200, 10, 10, 0 },
    { "overlapping, not a multiple", 100, 200, 10, 27, 0 },
    { "overlapping, a multiple", 100, 200, 10, 50, 0 },
    { "gaps between", 100, 200, 10, 3, 0 },
    { "range over everything", 100, 140, 10, 1000, 0 },
    { "one nanosecond", 100, 110, 1, 1, 0 },
    { "offset", 100, 200, 10, 27, 13 },
    { "negative offset", 100, 200, 10, 27, -13 },
    { "instant", 0, 150, 0, 40, 0 },
    { "instant with offset", 0, 150, 0, 40, 5 },
    { "end between steps", 100, 199, 10, 20, 0 },
    { "range of nothing", 100, 200, 10, 0, 0 },
    { "before the epoch", -50, 50, 20, 35, 0 },
};

static void check_instant(const char *name, const struct slg_windows *w,
                          const struct window_case *c, int64_t ts)
{
    uint32_t bucket = slg_windows_bucket(w, ts);
    bool covered = false;

    for (uint32_t i = 0; i < w->count; i++) {
        int64_t t = (c->step == 0 ? c->end : c->start + (int64_t)i * c->step) - c->offset;
        bool inside = ts > t - c->range && ts <= t;
        uint32_t first, last;
        bool has = slg_windows_span(w, i, &first, &last);

        covered = covered || inside;
        CHECK(name, has == (c->range > 0));
        CHECK(name,
              inside == (has && bucket != SLG_BUCKET_NONE && bucket >= first && bucket <= last));
    }
    CHECK(name, covered == (bucket != SLG_BUCKET_NONE));
}

static void test_every_instant(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct window_case *c = &cases[i];
        struct slg_windows w;
        int64_t from, to;

        CHECK(c->name, slg_windows_init(&w, c->start, c->end, c->step, c->range, c->offset));
        slg_windows_range(&w, &from, &to);
        for (int64_t ts = -1200; ts < 1200; ts++) {
            check_instant(c->name, &w, c, ts);
            CHECK(c->name,
                  slg_windows_bucket(&w, ts) == SLG_BUCKET_NONE || (ts >= from && ts < to));
        }
    }
}

static void test_refuses(void **state)
{
    struct slg_windows w;

    (void)state;
    assert_false(slg_windows_init(&w, 10, 9, 1, 1, 0));
    assert_false(slg_windows_init(&w, 0, 1, 1, -1, 0));
    assert_false(slg_windows_init(&w, 0, 1, -1, 1, 0));
    assert_true(slg_windows_init(&w, 0, SLG_WINDOW_COUNT_MAX - 1, 1, 1, 0));
    assert_false(slg_windows_init(&w, 0, SLG_WINDOW_COUNT_MAX, 1, 1, 0));
    assert_false(slg_windows_init(&w, INT64_MIN, INT64_MAX, 1, 1, 0));
}

static void test_saturates(void **state)
{
    struct slg_windows w;
    int64_t from, to;

    (void)state;
    assert_true(slg_windows_init(&w, 0, 100, 10, INT64_MAX, INT64_MAX));
    slg_windows_range(&w, &from, &to);
    assert_true(from <= to);
    assert_true(slg_windows_init(&w, INT64_MAX - 10, INT64_MAX, 1, 5, -100));
    assert_int_equal(slg_windows_bucket(&w, 0), SLG_BUCKET_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_instant),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_saturates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
