/* Options of silagectl are taken wherever they stand; numbers and times are read and written exactly.
 * Oracle: rows. */
#include "tests/helper/test.h"

#include "ctl/ctl.h"

static const struct slg_ctl_verb verb = { "query", "LOGQL", "Reads.", "query '{a=\"b\"}'", NULL };

static const struct option_case {
    const char *name, *argv[6];
    bool good;
    const char *since, *flag, *word; /* NULL: not there */
} rows[] = {
    { "nothing", { NULL }, true, NULL, NULL, NULL },
    { "a word", { "x", NULL }, true, NULL, NULL, "x" },
    { "value behind", { "--since", "1h", "x", NULL }, true, "1h", NULL, "x" },
    { "value behind =", { "x", "--since=1h", NULL }, true, "1h", NULL, "x" },
    { "empty value", { "--since=", NULL }, true, "", NULL, NULL },
    { "flag", { "--raw", "x", NULL }, true, NULL, "", "x" },
    { "value missing", { "x", "--since", NULL }, false, NULL, NULL, NULL },
    { "unknown", { "--sinc", "1h", NULL }, false, NULL, NULL, NULL },
    { "two words", { "x", "y", NULL }, false, NULL, NULL, NULL },
};

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct option_case *row = &rows[i];
        const char *since = NULL, *flag = NULL, *word = NULL;
        const struct slg_ctl_option options[] = {
            { "--since", &since, "time", false },
            { "--raw", &flag, "lines only", true },
        };
        char *argv[6];
        size_t word_count = 0;
        int argc = 0;

        for (; row->argv[argc] != NULL; argc++)
            argv[argc] = (char *)test_block(row->argv[argc], strlen(row->argv[argc]) + 1);
        CHECK(row->name,
              slg_ctl_options(&verb, argc, argv, options, 2, &word, 1, &word_count) == row->good);
        if (row->good) {
            CHECK(row->name, same(since, row->since));
            CHECK(row->name, same(flag, row->flag));
            CHECK(row->name, same(word, row->word));
            CHECK(row->name, word_count == (row->word != NULL));
        }
        while (argc > 0)
            free(argv[--argc]);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t want;
    } numbers[] = {
        { NULL, true, 7 }, { "1", true, 1 },    { "100", true, 100 },
        { "0", false, 0 }, { "101", false, 0 }, { "-1", false, 0 },
        { "", false, 0 },  { "5x", false, 0 },  { "9999999999999999999999", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        const char *name = numbers[i].text == NULL ? "none" : numbers[i].text;
        int64_t value = 0;

        CHECK(name, slg_ctl_number("--n", numbers[i].text, 1, 100, 7, &value) == numbers[i].good);
        CHECK(name, !numbers[i].good || value == numbers[i].want);
    }
}

static void test_times(void **state)
{
    char text[40];

    (void)state;
    slg_ctl_time(INT64_C(1700000000123456789), text);
    assert_string_equal(text, "2023-11-14T22:13:20.123456789Z");
    slg_ctl_time(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
