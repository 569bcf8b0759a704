/* Numbers are printed as Go's strconv.FormatFloat(v, 'f', -1, 64) prints them.
 * Oracle: known texts of Go, and reading back gives the same bits. */
#include "tests/helper/test.h"

#include <math.h>

#include "base/assert.h"
#include "logql/eval/format.h"

static const struct format_case {
    const char *name;
    double value;
    const char *want;
} cases[] = {
    { "zero", 0, "0" },
    { "minus zero", -0.0, "-0" },
    { "one", 1, "1" },
    { "third", 1.0 / 3, "0.3333333333333333" },
    { "tenth", 0.1, "0.1" },
    { "sum of tenths", 0.1 + 0.2, "0.30000000000000004" },
    { "rate", 11.0 / 60, "0.18333333333333332" },
    { "large whole", 1e21, "1000000000000000000000" },
    { "2^53 + 2", 9007199254740994, "9007199254740994" },
    { "small", 1e-7, "0.0000001" },
    { "fraction with zeros", 100.25, "100.25" },
    { "hundred", 100, "100" },
    { "negative", -1234.5, "-1234.5" },
    { "nan", (double)NAN, "NaN" },
    { "plus infinity", (double)INFINITY, "+Inf" },
    { "minus infinity", (double)-INFINITY, "-Inf" },
};

static void test_known_texts(void **state)
{
    char out[SLG_FORMAT_FLOAT_BYTES];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        size_t len = slg_format_float(cases[i].value, out);

        CHECK(cases[i].name, len == strlen(out));
        CHECK(cases[i].name, strcmp(out, cases[i].want) == 0);
    }
}

static void test_reads_back(void **state)
{
    char out[SLG_FORMAT_FLOAT_BYTES];
    uint64_t bits = 88172645463325252U;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double value;

        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&value, &bits, sizeof(value));
        if (!isfinite(value))
            continue;
        (void)slg_format_float(value, out);
        assert_null(strchr(out, 'e'));
        assert_true(strtod(out, NULL) == value);
    }
    (void)slg_format_float(-4.9406564584124654e-324, out);
    assert_true(strtod(out, NULL) == -4.9406564584124654e-324);
    (void)slg_format_float(1.7976931348623157e308, out);
    assert_true(strtod(out, NULL) == 1.7976931348623157e308);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_texts),
        cmocka_unit_test(test_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
