/* Sums, products and quotients of doubles are those of their shortest decimals; out of range they are binary.
 * Oracle: school arithmetic; for numbers out of range the operators of C. */
#include "tests/helper/test.h"

#include <math.h>

#include "base/assert.h"
#include "logql/pipe/decimal.h"

static const struct decimal_case {
    const char *name;
    double a;
    char op;
    double b, want;
} cases[] = {
    { "the classic", 0.1, '+', 0.2, 0.3 },
    { "another place", 1.1, '+', 22.22, 23.32 },
    { "minus", 0.3, '-', 0.1, 0.2 },
    { "to nothing", 0.3, '-', 0.3, 0 },
    { "times", 0.1, '*', 3, 0.3 },
    { "negative times", -1.1, '*', 1.1, -1.21 },
    { "zero times", 0, '*', 1e-22, 0 },
    { "divided", 0.3, '/', 0.1, 3 },
    { "sixteen places", 1, '/', 3, 0.3333333333333333 },
    { "half away from zero", 2, '/', 3, 0.6666666666666667 },
    { "half away from zero, negative", -2, '/', 3, -0.6666666666666667 },
    { "cut to nothing", 1e-17, '/', 3, 0 },
    { "too large is binary", 1e22, '+', 0.1, 1e22 + 0.1 },
    { "too small is binary", 1e-23, '*', 1e-23, 1e-23 * 1e-23 },
    { "digits that do not fit are binary", 1e21, '+', 1e-21, 1e21 + 1e-21 },
    { "infinite", (double)INFINITY, '-', 1, (double)INFINITY },
    { "divided by 0", 1, '/', 0, (double)INFINITY },
    { "divided by -0", 1, '/', -0.0, -(double)INFINITY },
};

static void test_compute(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++)
        CHECK(cases[i].name,
              slg_decimal_compute(cases[i].a, cases[i].op, cases[i].b) == cases[i].want);
    assert_true(isnan(slg_decimal_compute((double)NAN, '+', 1)));
    assert_true(isnan(slg_decimal_compute(0, '/', 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
