/* Regular expressions mean what they mean in Go. Oracle: rows, from the documentation of Go's regexp/syntax. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/regex.h"

static const struct match_case {
    const char *name, *regex, *text;
    bool anchored, dot_newline, want;
} matches[] = {
    { "literal", "needle", "a needle here", false, false, true },
    { "no literal", "needle", "hay", false, false, false },
    { "anchored", "needle", "a needle", true, false, false },
    { "anchored alternatives", "a|ab", "ab", true, false, true },
    { "dot and newline", "a.b", "a\nb", false, false, false },
    { "dot takes newline", "a.b", "a\nb", false, true, true },
    { "fold", "(?i)ERROR", "an Error", false, false, true },
    { "fold beyond ASCII", "(?i)\xc3\xa4", "\xc3\x84", false, false, true },
    { "kelvin sign folds to k", "(?i)k", "\xe2\x84\xaa", false, false, true },
    { "one of several", "warn|error|fatal", "it was fatal", false, false, true },
    { "none of several", "warn|error|fatal", "it was fine", false, false, false },
    { "class", "status=[45]\\d\\d", "status=503", false, false, true },
    { "not the class", "status=[45]\\d\\d", "status=200", false, false, false },
    { "ends of the text", "^b$", "a\nb", false, false, false },
    { "ends of lines", "(?m)^b$", "a\nb", false, false, true },
    { "empty", "", "", true, false, true },
    { "two groups of one name", "(?P<n>a)(?P<n>b)", "ab", false, false, true },
    { "broken UTF-8 is a character", "a.b",
      "a\xff"
      "b",
      false, false, true },
    { "and is U+FFFD", "a\\x{FFFD}b",
      "a\xff"
      "b",
      false, false, true },
};

static struct slg_regex *compile(const char *name, const char *text, bool anchored,
                                 bool dot_newline)
{
    struct slg_regex_options options = {
        .text = text, .len = strlen(text), .anchored = anchored, .dot_newline = dot_newline
    };
    struct slg_regex *regex = NULL;

    CHECK(name, slg_regex_create(&options, &regex, NULL) == SLG_OK);
    return regex;
}

static void test_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(matches); i++) {
        const struct match_case *row = &matches[i];
        struct slg_regex *regex = compile(row->name, row->regex, row->anchored, row->dot_newline);
        char *text = (char *)test_block(row->text, strlen(row->text));

        CHECK(row->name, slg_regex_match(regex, text, strlen(row->text)) == row->want);
        free(text);
        slg_regex_destroy(regex);
    }
}

static void test_groups(void **state)
{
    static const char text[] = "GET /a 200; PUT /b";
    struct slg_regex *regex =
        compile("groups", "(?P<verb>[A-Z]+) (/\\w)(?: (?P<code>\\d+))?", false, false);
    struct slg_regex_span spans[4];

    (void)state;
    assert_int_equal(slg_regex_group_count(regex), 3);
    assert_string_equal(slg_regex_group_name(regex, 1), "verb");
    assert_string_equal(slg_regex_group_name(regex, 2), "");
    assert_string_equal(slg_regex_group_name(regex, 3), "code");
    assert_true(slg_regex_find(regex, text, strlen(text), 0, spans, 4));
    assert_true(spans[0].at == text && spans[0].len == 10);
    assert_true(spans[1].len == 3 && spans[2].at == text + 4 && spans[3].len == 3);
    assert_true(slg_regex_find(regex, text, strlen(text), 10, spans, 4));
    assert_true(spans[1].at == text + 12 && spans[3].at == NULL);
    assert_false(slg_regex_find(regex, text, strlen(text), 17, spans, 4));
    slg_regex_destroy(regex);
}

static void test_refused(void **state)
{
    static const char *const bad[] = { "(", "a)", "[z-a]", "*", "a{2,1}", "\\C", "(?=a)", "\\8" };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad); i++) {
        struct slg_regex_options options = { .text = bad[i], .len = strlen(bad[i]) };
        struct slg_regex *regex = NULL;
        struct slg_error error = { 0 };

        CHECK(bad[i], slg_regex_create(&options, &regex, &error) == SLG_INVALID);
        CHECK(bad[i], strncmp(error.message, "error parsing regexp: ", 22) == 0);
        CHECK(bad[i], regex == NULL);
    }
}

/* A text without any of the literals cannot match: what the storer skips batches by. */
static void test_literals(void **state)
{
    struct slg_regex *regex = compile("literals", "user=\\w+ (denied|refused)", false, false);
    const struct slg_needle *needles;
    bool exact = true;
    size_t count = slg_regex_literals(regex, &needles, &exact);

    (void)state;
    assert_true(count >= 1);
    assert_false(exact);
    for (size_t i = 0; i < count; i++)
        assert_true(needles[i].len >= 5);
    slg_regex_destroy(regex);
    regex = compile("literals", "a.*|x", false, false);
    assert_true(slg_regex_match(regex, "x", 1));
    slg_regex_destroy(regex);
    slg_regex_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
