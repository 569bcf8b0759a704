/* Some schedules of a whole cluster under faults keep I1, I2, I3, I7 and converge, and a planted bug is found; a seed
 * always gives the same schedule. Oracle: the checks of tests/sim/check.c. More schedules: ./dev sim. */
#include "tests/helper/test.h"

#include "tests/sim/world.h"

#ifdef SLG_SANITIZED
#define SEED_COUNT 20
#else
#define SEED_COUNT 120
#endif

static struct sim_world world;

static void test_schedules_keep_the_promises(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        if (sim_run_seed(seed, SIM_BUG_NONE, /* verbose= */ false, &world))
            continue;
        print_error("seed %llu: %s; replay: ./dev sim --seed %llu\n", (unsigned long long)seed,
                    world.failure, (unsigned long long)seed);
        fail();
    }
}

static void test_a_seed_is_one_schedule(void **state)
{
    uint64_t steps;

    (void)state;
    assert_true(sim_run_seed(7, SIM_BUG_NONE, /* verbose= */ false, &world));
    steps = world.steps;
    assert_true(steps > 1000);
    assert_true(sim_run_seed(7, SIM_BUG_NONE, /* verbose= */ false, &world));
    assert_int_equal(world.steps, steps);
}

static void test_a_planted_bug_is_found(void **state)
{
    uint64_t seed = 1;

    (void)state;
    while (seed <= SEED_COUNT &&
           sim_run_seed(seed, SIM_BUG_ACK_BELOW_QUORUM, /* verbose= */ false, &world))
        seed++;
    assert_true(seed <= SEED_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules_keep_the_promises),
        cmocka_unit_test(test_a_seed_is_one_schedule),
        cmocka_unit_test(test_a_planted_bug_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
