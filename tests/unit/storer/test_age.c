/* Retention takes min(own clock, median of the peers'): one clock that lies, ahead or behind, neither deletes early nor
 * keeps for ever. Oracle: the table. */
#include "tests/helper/test.h"

#include "storer/age.h"

#define HOUR (INT64_C(3600) * SLG_NS_PER_SEC)
#define NOW  (INT64_C(500000) * HOUR)

static const struct age_case {
    const char *name;
    int64_t peers[4]; /* their clocks, in hours from ours; 99999: says nothing */
    int64_t want;     /* the time of retention, in hours from our clock */
} cases[] = {
    { "nobody was heard", { 99999, 99999, 99999, 99999 }, 0 },
    { "all agree", { 0, 0, 99999, 99999 }, 0 },
    { "we are ahead of two", { -4800, -4801, 99999, 99999 }, -4800 },
    { "one of two is behind", { 0, -4800, 99999, 99999 }, 0 },
    { "one of two is ahead", { 0, 4800, 99999, 99999 }, 0 },
    { "we are behind", { 4800, 4800, 99999, 99999 }, 0 },
    { "the only peer is behind", { -2, 99999, 99999, 99999 }, -2 },
    { "two of four are behind", { -5, -5, 0, 0 }, 0 },
    { "three of four are behind", { -5, -7, -6, 0 }, -5 },
};

static void test_time_of_retention(void **state)
{
    struct slg_clock_fake own;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_age age;

        slg_clock_fake_init(&own, NOW, 7);
        slg_age_init(&age, &own.clock);
        for (size_t k = 0; k < SLG_ARRAY_LEN(cases[i].peers); k++)
            if (cases[i].peers[k] != 99999)
                slg_age_hear(&age, k * 3, NOW + cases[i].peers[k] * HOUR);
        CHECK(cases[i].name, slg_clock_wall_ns(&age.clock) == NOW + cases[i].want * HOUR);
        CHECK(cases[i].name, slg_age_doubt_ns(&age) == -cases[i].want * HOUR);
        CHECK(cases[i].name, atomic_load(&age.heard) == (cases[i].peers[0] != 99999));
        own.wall_ns += HOUR; /* time goes on */
        own.mono_ns += HOUR;
        CHECK(cases[i].name, slg_clock_wall_ns(&age.clock) == NOW + (cases[i].want + 1) * HOUR);
        CHECK(cases[i].name, slg_clock_mono_ns(&age.clock) == 7 + HOUR);
    }
}

/* The word of a peer that died does not shield a clock that jumps, and a jump is seen before the next word. */
static void test_jumps(void **state)
{
    static const int64_t jump_ns = INT64_C(4800) * HOUR;
    struct slg_clock_fake own;
    struct slg_age age;

    (void)state;
    slg_clock_fake_init(&own, NOW, 7);
    slg_age_init(&age, &own.clock);
    slg_age_hear(&age, 0, NOW); /* then it dies */
    own.wall_ns += HOUR;
    own.mono_ns += HOUR;
    slg_age_hear(&age, 1, NOW + HOUR);
    assert_int_equal(slg_age_doubt_ns(&age), 0);
    own.wall_ns += jump_ns;
    assert_int_equal(slg_age_doubt_ns(&age), jump_ns);
    slg_age_hear(&age, 1, NOW + HOUR);
    assert_int_equal(slg_age_doubt_ns(&age), jump_ns);
    own.wall_ns += HOUR; /* now both are away */
    own.mono_ns += HOUR;
    assert_int_equal(slg_age_doubt_ns(&age), jump_ns);
    own.wall_ns -= jump_ns; /* right again */
    assert_int_equal(slg_age_doubt_ns(&age), 0);
}

/* One that died ahead of everybody does not outvote the one that lives. */
static void test_the_living_count(void **state)
{
    struct slg_clock_fake own;
    struct slg_age age;

    (void)state;
    slg_clock_fake_init(&own, NOW, 7);
    slg_age_init(&age, &own.clock);
    slg_age_hear(&age, 0, NOW + 5 * HOUR);
    slg_age_hear(&age, 1, NOW - 2 * HOUR);
    assert_int_equal(slg_age_doubt_ns(&age), 0);
    own.wall_ns += SLG_AGE_FRESH_NS + 1;
    own.mono_ns += SLG_AGE_FRESH_NS + 1;
    slg_age_hear(&age, 1, NOW + SLG_AGE_FRESH_NS + 1 - 2 * HOUR);
    assert_int_equal(slg_age_doubt_ns(&age), 2 * HOUR);
}

static void test_what_is_no_time(void **state)
{
    static const int64_t none[] = { 0, -1, INT64_MIN };
    struct slg_clock_fake own;
    struct slg_age age;

    (void)state;
    slg_clock_fake_init(&own, NOW, 7);
    slg_age_init(&age, &own.clock);
    for (size_t i = 0; i < SLG_ARRAY_LEN(none); i++)
        slg_age_hear(&age, 1, none[i]);
    assert_false(atomic_load(&age.heard));
    assert_int_equal(slg_clock_wall_ns(&age.clock), NOW);
    slg_age_hear(&age, 1, INT64_MAX);
    assert_int_equal(slg_clock_wall_ns(&age.clock), NOW);
    slg_age_hear(&age, 1, NOW - HOUR); /* the latest word counts */
    assert_int_equal(slg_clock_wall_ns(&age.clock), NOW - HOUR);
    slg_age_hear(&age, 1, NOW);
    assert_int_equal(slg_clock_wall_ns(&age.clock), NOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_of_retention),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_the_living_count),
        cmocka_unit_test(test_what_is_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
