/* Times, durations, steps and limits are read as Loki reads them.
 * Oracle: values worked out by hand from the rules in params.h; error texts are Loki's. */
#include "tests/helper/test.h"

#include "querier/params.h"

#define SECOND    INT64_C(1000000000)
#define UNTOUCHED INT64_C(-77)

static const struct value_case {
    const char *name, *text;
    enum slg_status want;
    int64_t value;
} times[] = {
    { "eleven digits are ns", "17724312000", SLG_OK, INT64_C(17724312000) },
    { "ten digits are seconds", "1772431200", SLG_OK, 1772431200 * SECOND },
    { "Grafana's health check is the year 2096", "4000000000", SLG_OK, INT64_C(4000000000) * SECOND },
    { "negative seconds", "-5", SLG_OK, -5 * SECOND },
    { "a dot means seconds", "1772431200.25", SLG_OK, 1772431200 * SECOND + 250000000 },
    { "fractions are rounded to ms", "1772431200.0016", SLG_OK, 1772431200 * SECOND + 2000000 },
    { "exponent with a dot", "1.7724312e9", SLG_OK, 1772431200 * SECOND },
    { "RFC 3339", "2026-03-02T06:00:00Z", SLG_OK, 1772431200 * SECOND },
    { "RFC 3339 with ns", "2026-03-02T06:00:00.000000001Z", SLG_OK, 1772431200 * SECOND + 1 },
    { "RFC 3339 east", "2026-03-02T08:00:00+02:00", SLG_OK, 1772431200 * SECOND },
    { "RFC 3339 west", "2026-03-01T23:30:00-06:30", SLG_OK, 1772431200 * SECOND },
    { "leap day", "2024-02-29T00:00:00Z", SLG_OK, 1709164800 * SECOND },
    { "no leap day", "2026-02-29T00:00:00Z", SLG_INVALID, UNTOUCHED },
    { "before the epoch", "1969-12-31T23:59:59Z", SLG_OK, -SECOND },
    { "small t, as Go refuses it", "2026-03-02t06:00:00Z", SLG_INVALID, UNTOUCHED },
    { "small z", "2026-03-02T06:00:00z", SLG_INVALID, UNTOUCHED },
    { "date alone", "2026-03-02", SLG_INVALID, UNTOUCHED },
    { "no zone", "2026-03-02T06:00:00", SLG_INVALID, UNTOUCHED },
    { "a word", "now", SLG_INVALID, UNTOUCHED },
    { "two dots", "1.2.3", SLG_INVALID, UNTOUCHED },
    { "empty", "", SLG_INVALID, UNTOUCHED },
    { "seconds beyond int64 ns", "9999999999", SLG_OK, INT64_MAX },
    { "seconds before int64 ns", "-999999999", SLG_OK, -999999999 * SECOND },
    { "too large", "99999999999999999999", SLG_INVALID, UNTOUCHED },
    { "too many seconds", "99999999999.5", SLG_INVALID, UNTOUCHED },
}, durations[] = {
    { "hours and minutes", "1h30m", SLG_OK, 5400 * SECOND },
    { "milliseconds", "500ms", SLG_OK, SECOND / 2 },
    { "m before ms", "1m500ms", SLG_OK, 60 * SECOND + SECOND / 2 },
    { "days and weeks", "1w2d", SLG_OK, 9 * 86400 * SECOND },
    { "zero", "0", SLG_OK, 0 },
    { "wrong order", "1m1h", SLG_INVALID, UNTOUCHED },
    { "unit twice", "1m1m", SLG_INVALID, UNTOUCHED },
    { "fraction", "0.5h", SLG_INVALID, UNTOUCHED },
    { "no unit", "10", SLG_INVALID, UNTOUCHED },
    { "negative", "-1h", SLG_INVALID, UNTOUCHED },
    { "empty", "", SLG_INVALID, UNTOUCHED },
    { "overflow", "300y", SLG_INVALID, UNTOUCHED },
}, steps[] = {
    { "seconds", "15", SLG_OK, 15 * SECOND },
    { "Grafana's form", "15000ms", SLG_OK, 15 * SECOND },
    { "fraction of seconds", "0.5", SLG_OK, SECOND / 2 },
    { "negative is told apart later", "-1", SLG_OK, -SECOND },
    { "overflow", "1e30", SLG_INVALID, UNTOUCHED },
    { "word", "abc", SLG_INVALID, UNTOUCHED },
};

typedef enum slg_status read_value(struct slg_text text, int64_t *ret_value,
                                   struct slg_error *reterr);

static void check_values(const struct value_case *cases, size_t count, read_value *read)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(cases[i].text);
        uint8_t *block = test_block(cases[i].text, len);
        struct slg_error error = { 0 };
        int64_t value = UNTOUCHED;
        enum slg_status status = read(slg_text_make(block, len), &value, &error);

        CHECK(cases[i].name, status == cases[i].want);
        CHECK(cases[i].name, value == cases[i].value);
        if (cases[i].want != SLG_OK)
            CHECK(cases[i].name, error.message[0] != '\0');
        free(block);
    }
}

static void test_times(void **state)
{
    (void)state;
    check_values(times, SLG_ARRAY_LEN(times), slg_params_time);
}

static void test_bounded_times(void **state)
{
    const int64_t low = slg_params_bounded_time(INT64_MIN);
    const int64_t high = slg_params_bounded_time(INT64_MAX);
    int64_t sum;

    (void)state;
    assert_false(__builtin_sub_overflow(high, low, &sum));
    assert_false(__builtin_add_overflow(high, SLG_PARAMS_STEP_MAX, &sum));
    assert_true(low < 0);
    assert_true(high > 4102444800 * SECOND); /* the year 2100 */
    assert_int_equal(slg_params_bounded_time(1772431200 * SECOND), 1772431200 * SECOND);
}

static void test_durations(void **state)
{
    (void)state;
    check_values(durations, SLG_ARRAY_LEN(durations), slg_params_duration);
}

static void test_steps(void **state)
{
    struct slg_error error = { 0 };
    int64_t value;

    (void)state;
    check_values(steps, SLG_ARRAY_LEN(steps), slg_params_step);
    assert_int_equal(slg_params_step(slg_text_of("1x"), &value, &error), SLG_INVALID);
    assert_string_equal(error.message, "cannot parse \"1x\" to a valid duration");
}

static void test_default_step(void **state)
{
    (void)state;
    assert_true(slg_params_default_step(0, 3600 * SECOND) == 14 * SECOND);
    assert_true(slg_params_default_step(0, 100 * SECOND) == SECOND);
}

static void test_direction(void **state)
{
    enum slg_direction direction = SLG_BACKWARD;
    struct slg_error error = { 0 };

    (void)state;
    assert_int_equal(slg_params_direction(slg_text_of("FORWARD"), &direction, &error), SLG_OK);
    assert_int_equal(direction, SLG_FORWARD);
    assert_int_equal(slg_params_direction(slg_text_of("sideways"), &direction, &error),
                     SLG_INVALID);
    assert_string_equal(error.message, "invalid direction 'sideways'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),        cmocka_unit_test(test_bounded_times),
        cmocka_unit_test(test_durations),    cmocka_unit_test(test_steps),
        cmocka_unit_test(test_default_step), cmocka_unit_test(test_direction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
