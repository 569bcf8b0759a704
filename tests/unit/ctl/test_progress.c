/* Progress names what is done, the total, the rate and the time left, in lines and in MiB, and fits a terminal's line.
 * Oracle: lines written by hand; a pseudo terminal in tests/e2e/ctl. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "ctl/progress.h"

#define MIB (INT64_C(1) << 20)

static const struct print_case {
    const char *name;
    struct slg_progress progress;
    int64_t done, after_ns;
    size_t columns;
    const char *want;
} cases[] = {
    { "half",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 10000 },
      5000,
      10 * SLG_NS_PER_SEC,
      0,
      "load: 5000 of 10000 lines, 500 lines/s, 10s left" },
    { "hours",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 7201 },
      1,
      SLG_NS_PER_SEC,
      0,
      "load: 1 of 7201 lines, 1 lines/s, 2h left" },
    { "nothing yet",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 7 },
      0,
      SLG_NS_PER_SEC,
      0,
      "load: 0 of 7 lines, 0 lines/s, time left unknown" },
    { "no time has passed",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 7 },
      3,
      0,
      0,
      "load: 3 of 7 lines, 0 lines/s, time left unknown" },
    { "all",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 7 },
      7,
      SLG_NS_PER_SEC,
      0,
      "load: 7 of 7 lines, 7 lines/s, 0s left" },
    { "more than all",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 7, .terminal = true },
      8,
      SLG_NS_PER_SEC,
      99,
      "[####################] 100 %  load: 8 of 7 lines, 8 lines/s, 0s left" },
    { "total unknown",
      { .what = "load", .unit = "lines", .divisor = 1, .terminal = true },
      8,
      SLG_NS_PER_SEC,
      99,
      "load: 8 lines, 8 lines/s" },
    { "MiB",
      { .what = "file", .unit = "MiB", .divisor = MIB, .total = 10 * MIB },
      MIB / 2,
      SLG_NS_PER_SEC,
      0,
      "file: 0.5 of 10.0 MiB, 0.5 MiB/s, 19s left" },
    { "bar",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 100, .terminal = true },
      49,
      SLG_NS_PER_SEC,
      99,
      "[#########...........]  49 %  load: 49 of 100 lines, 49 lines/s, 1s left" },
    { "a narrow terminal",
      { .what = "load", .unit = "lines", .divisor = 1, .total = 100, .terminal = true },
      49,
      SLG_NS_PER_SEC,
      40,
      "[#########...........]  49 %  load: 49 o" },
};

static void test_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        slg_progress_print(&out, &cases[i].progress, cases[i].done, cases[i].after_ns,
                           cases[i].columns);
        slg_buf_append_byte(&out, '\0');
        if (strcmp((const char *)out.data, cases[i].want) != 0)
            print_message("%s\n", (const char *)out.data);
        CHECK(cases[i].name, strcmp((const char *)out.data, cases[i].want) == 0);
        slg_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_print) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
