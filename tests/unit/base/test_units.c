/* Durations and sizes read as people write them; what is printed reads back.
 * Oracle: rows by hand; print and parse against each other for many values. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "base/units.h"

static const struct unit_case {
    const char *name, *input;
    bool want;
    int64_t value; /* -7: the sentinel, untouched */
} durations[] = {
    { "zero", "0", true, 0 },
    { "zero with a unit", "0s", true, 0 },
    { "days", "120d", true, INT64_C(120) * 86400 * 1000000000 },
    { "two parts", "1h30m", true, INT64_C(5400) * 1000000000 },
    { "milliseconds", "200ms", true, 200000000 },
    { "minutes then milliseconds", "1m1ms", true, INT64_C(60001000000) },
    { "all parts", "1y1w1d1h1m1s1ms1us1ns", true,
      INT64_C(1000000000) * (365 * 86400 + 7 * 86400 + 86400 + 3600 + 60 + 1) + 1001001 },
    { "no unit", "5", false, -7 },
    { "rising units", "1m1h", false, -7 },
    { "unit twice", "1h1h", false, -7 },
    { "unknown unit", "1fortnight", false, -7 },
    { "space", "1 h", false, -7 },
    { "fraction", "1.5h", false, -7 },
    { "negative", "-1h", false, -7 },
    { "empty", "", false, -7 },
    { "unit only", "h", false, -7 },
    { "number at the end", "1h5", false, -7 },
    { "too large", "300y", false, -7 },
    { "sum too large", "292y9999999h", false, -7 },
    { "many digits", "99999999999999999999s", false, -7 },
}, sizes[] = {
    { "plain", "4096", true, 4096 },
    { "bytes", "7B", true, 7 },
    { "binary", "8MiB", true, 8388608 },
    { "decimal", "5GB", true, INT64_C(5000000000) },
    { "zero", "0", true, 0 },
    { "lower case", "8mib", false, -7 },
    { "letter only", "8M", false, -7 },
    { "space", "8 MiB", false, -7 },
    { "two parts", "1MiB1KiB", false, -7 },
    { "trailing", "1KiB ", false, -7 },
    { "too large", "9000000TiB", false, -7 },
    { "empty", "", false, -7 },
};

static void check(const struct unit_case *row, bool (*parse)(const char *, size_t, int64_t *))
{
    size_t len = strlen(row->input);
    uint8_t *block = test_block(row->input, len);
    int64_t value = -7;

    CHECK(row->name, parse((const char *)block, len, &value) == row->want);
    CHECK(row->name, value == row->value);
    free(block);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(durations); i++)
        check(&durations[i], slg_units_parse_duration);
    for (size_t i = 0; i < SLG_ARRAY_LEN(sizes); i++)
        check(&sizes[i], slg_units_parse_size);
}

static void test_print_reads_back(void **state)
{
    uint64_t seed = 42;

    (void)state;
    for (int i = 0; i < 10000; i++) {
        char text[SLG_UNITS_TEXT_MAX];
        int64_t value, back = -7;

        seed = seed * 6364136223846793005U + 1442695040888963407U;
        value = (int64_t)(seed >> 1 >> (seed % 62));
        if (i == 0)
            value = 0;
        else if (i == 1)
            value = INT64_MAX;
        slg_units_print_duration(value, text);
        assert_true(slg_units_parse_duration(text, strlen(text), &back));
        assert_true(back == value);
        slg_units_print_size(value, text);
        assert_true(slg_units_parse_size(text, strlen(text), &back));
        assert_true(back == value);
    }
}

static void test_print_is_short(void **state)
{
    char text[SLG_UNITS_TEXT_MAX];

    (void)state;
    slg_units_print_duration(INT64_C(120) * 86400 * 1000000000, text);
    assert_string_equal(text, "120d");
    slg_units_print_duration(INT64_C(5400) * 1000000000, text);
    assert_string_equal(text, "1h30m");
    slg_units_print_size(8388608, text);
    assert_string_equal(text, "8MiB");
    slg_units_print_size(1025, text);
    assert_string_equal(text, "1025");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_print_is_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
