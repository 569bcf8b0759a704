/* The system clock agrees with the kernel's, monotonic time never falls, a fake says what it was told.
 * Oracle: clock_gettime around the call. */
#include "tests/helper/test.h"

#include "base/clock.h"

static int64_t kernel_ns(clockid_t id)
{
    struct timespec now;

    assert_int_equal(clock_gettime(id, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void test_system_clock(void **state)
{
    struct slg_clock *clock = slg_clock_system();
    int64_t before = kernel_ns(CLOCK_REALTIME);
    int64_t wall = slg_clock_wall_ns(clock);
    int64_t last = kernel_ns(CLOCK_MONOTONIC);

    (void)state;
    /* The wall clock may be set while the test runs, but not by an hour. */
    assert_true(wall > before - 3600 * SLG_NS_PER_SEC);
    assert_true(wall < before + 3600 * SLG_NS_PER_SEC);
    for (int i = 0; i < 1000; i++) {
        int64_t now = slg_clock_mono_ns(clock);

        assert_true(now >= last);
        last = now;
    }
    assert_true(last <= kernel_ns(CLOCK_MONOTONIC));
}

static void test_fake_clock(void **state)
{
    struct slg_clock_fake fake;

    (void)state;
    slg_clock_fake_init(&fake, 5, 7);
    assert_int_equal(slg_clock_wall_ns(&fake.clock), 5);
    assert_int_equal(slg_clock_mono_ns(&fake.clock), 7);
    fake.wall_ns = -1;
    fake.mono_ns += 10;
    assert_int_equal(slg_clock_wall_ns(&fake.clock), -1);
    assert_int_equal(slg_clock_mono_ns(&fake.clock), 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_clock),
        cmocka_unit_test(test_fake_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
