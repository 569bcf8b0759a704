/* What returns is waited for, what does not is waited for only so long.
 * Oracle: functions that return at once, and when the test lets them. */
#include "tests/helper/test.h"

#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "proto/in_time.h"

static atomic_uint seen;
static sem_t may_return;

static void note(uint32_t number)
{
    atomic_store(&seen, number);
}

static void stay(uint32_t number)
{
    while (sem_wait(&may_return) != 0) /* a signal came between */
        ;
    atomic_store(&seen, number);
}

static void test_who_returns(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= 100; i++) {
        assert_true(slg_in_time_run(note, i, 20000));
        assert_int_equal(atomic_load(&seen), i);
    }
}

static void test_who_does_not(void **state)
{
    int64_t begin = slg_clock_mono_ns(slg_clock_system()), took;

    (void)state;
    assert_return_code(sem_init(&may_return, 0, 0), 0);
    atomic_store(&seen, 0);
    assert_false(slg_in_time_run(stay, 7, 30));
    took = slg_clock_mono_ns(slg_clock_system()) - begin;
    assert_true(took >= 30 * SLG_NS_PER_MS);
    assert_int_equal(atomic_load(&seen), 0);
    assert_return_code(sem_post(&may_return), 0);
    while (atomic_load(&seen) != 7) { /* what it held is freed by its thread: LeakSanitizer */
        assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 20 * SLG_NS_PER_SEC);
        (void)poll(NULL, 0, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_returns),
        cmocka_unit_test(test_who_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
