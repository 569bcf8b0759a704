/* The shape of a regular expression: does it accept "", its names, and Go's words for what is wrong.
 * Oracle: RE2's syntax page; the texts of Go's regexp/syntax. */
#include "tests/helper/test.h"

#include "logql/syntax/regex_shape.h"

static const struct shape_case {
    const char *regex;
    bool accepts_empty;
    size_t named_count;
} fine_cases[] = {
    { "", true, 0 },
    { "a", false, 0 },
    { "a*", true, 0 },
    { "a?", true, 0 },
    { "a+", false, 0 },
    { "a{0,3}", true, 0 },
    { "a{1,3}", false, 0 },
    { "a{0}b", false, 0 },
    { "a{,3}", false, 0 },
    { "{", false, 0 },
    { "a{b", false, 0 },
    { ".*", true, 0 },
    { ".+", false, 0 },
    { ".?", true, 0 },
    { ".*?", true, 0 },
    { "a|", true, 0 },
    { "|a", true, 0 },
    { "a|b", false, 0 },
    { "a*|b", true, 0 },
    { "a*b*", true, 0 },
    { "a*b*c", false, 0 },
    { "ab*", false, 0 },
    { "(a*)(b?)", true, 0 },
    { "(a)*", true, 0 },
    { "(a|b*)c*", true, 0 },
    { "(?:a|b)", false, 0 },
    { "()", true, 0 },
    { "(|a)+", true, 0 },
    { "^$", true, 0 },
    { "\\A\\z", true, 0 },
    { "\\b", false, 0 },
    { "\\B", true, 0 },
    { "(?i)", true, 0 },
    { "(?i)a", false, 0 },
    { "(?i:a)?", true, 0 },
    { "(?s-m).*", true, 0 },
    { "a(?i)*", true, 0 },
    { "[a-z]", false, 0 },
    { "[]a]*", true, 0 },
    { "[^]a]", false, 0 },
    { "[a-]", false, 0 },
    { "[-a]", false, 0 },
    { "[\\d-x]", false, 0 },
    { "[[:alpha:]]", false, 0 },
    { "[\\]]", false, 0 },
    { "[a-\\x7f]", false, 0 },
    { "\\d\\D\\s\\S\\w\\W", false, 0 },
    { "\\pL\\p{Greek}\\PN", false, 0 },
    { "\\x41\\x{1F600}\\101\\0", false, 0 },
    { "\\.\\*\\_\\-", false, 0 },
    { "\\Q(*\\E", false, 0 },
    { "\\Q\\E", true, 0 },
    { "\\Qa\\E*", true, 0 },
    { "\\Qab", false, 0 },
    { "(?P<a>x)(?P<b>y)", false, 2 },
    { "(?<a>x)?", true, 1 },
    { "\xC3\xA9*", true, 0 },
    { "a{1000}", false, 0 },
};

static void test_fine(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fine_cases); i++) {
        const struct shape_case *row = &fine_cases[i];
        size_t len = strlen(row->regex);
        uint8_t *block = test_block(row->regex, len);
        struct slg_logql_regex_shape shape;
        struct slg_error error = { 0 };
        enum slg_status status = slg_logql_regex_inspect(
            (struct slg_logql_str){ (const char *)block, len }, &shape, &error);

        if (status != SLG_OK)
            print_error("%s\n", error.message);
        CHECK(row->regex, status == SLG_OK);
        CHECK(row->regex, shape.accepts_empty == row->accepts_empty);
        CHECK(row->regex, shape.named_count == row->named_count);
        CHECK(row->regex, !shape.has_duplicate);
        CHECK(row->regex, !shape.has_wrong_name);
        free(block);
    }
}

static const struct {
    const char *regex, *what;
} wrong_cases[] = {
    { "(", "missing closing ): `(`" },
    { "a(b(c)", "missing closing ): `a(b(c)`" },
    { "a)", "unexpected ): `a)`" },
    { "x[a", "missing closing ]: `[a`" },
    { "[", "missing closing ]: `[`" },
    { "[]", "missing closing ]: `[]`" },
    { "[a-", "missing closing ]: `[a-`" },
    { "[z-a]", "invalid character class range: `z-a`" },
    { "*a", "missing argument to repetition operator: `*`" },
    { "(+)", "missing argument to repetition operator: `+`" },
    { "a|?", "missing argument to repetition operator: `?`" },
    { "a**", "invalid nested repetition operator: `**`" },
    { "a*?+", "invalid nested repetition operator: `*?+`" },
    { "a{2}{3}", "invalid nested repetition operator: `{2}{3}`" },
    { "a{1001}", "invalid repeat count: `{1001}`" },
    { "a{3,2}", "invalid repeat count: `{3,2}`" },
    { "a{99999999999999999999}", "invalid repeat count: `{99999999999999999999}`" },
    { "a\\", "trailing backslash at end of expression: ``" },
    { "\\8", "invalid escape sequence: `\\8`" },
    { "\\1", "invalid escape sequence: `\\1`" },
    { "\\q", "invalid escape sequence: `\\q`" },
    { "\\Z", "invalid escape sequence: `\\Z`" },
    { "\\\xC3\xA9", "invalid escape sequence: `\\\xC3\xA9`" },
    { "[\\q]", "invalid escape sequence: `\\q`" },
    { "\\xg", "invalid escape sequence: `\\x`" },
    { "(?=x)", "invalid or unsupported Perl syntax: `(?=`" },
    { "(?!x)", "invalid or unsupported Perl syntax: `(?!`" },
    { "(?<=x)", "invalid or unsupported Perl syntax: `(?<`" },
    { "(?x)a", "invalid or unsupported Perl syntax: `(?x`" },
    { "(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`" },
    { "(?i", "missing closing ): `(?i`" },
    { "(?P<a", "invalid named capture: `(?P<a`" },
    { "(?P<>a)", "invalid named capture: `(?P<>`" },
    { "(?P<a-b>c)", "invalid named capture: `(?P<a-b>`" },
};

static void test_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(wrong_cases); i++) {
        const char *regex = wrong_cases[i].regex;
        size_t len = strlen(regex);
        uint8_t *block = test_block(regex, len);
        struct slg_logql_regex_shape shape = { .named_count = 77 }; /* the sentinel */
        struct slg_error error = { 0 };
        char want[200];

        (void)snprintf(want, sizeof(want), "error parsing regexp: %s", wrong_cases[i].what);
        CHECK(regex, slg_logql_regex_inspect((struct slg_logql_str){ (const char *)block, len },
                                             &shape, &error) == SLG_INVALID);
        CHECK(regex, shape.named_count == 77);
        if (strcmp(error.message, want) != 0)
            print_error("got  %s\nwant %s\n", error.message, want);
        CHECK(regex, strcmp(error.message, want) == 0);
        free(block);
    }
}

static void test_names(void **state)
{
    static const char twice[] = "(?P<a>x)(?P<b>y)((?P<a>z))";
    static const char wrong[] = "(?P<_9>x)(?P<9a>y)";
    struct slg_logql_regex_shape shape;

    (void)state;
    assert_int_equal(
        slg_logql_regex_inspect((struct slg_logql_str){ twice, strlen(twice) }, &shape, NULL),
        SLG_OK);
    assert_true(shape.has_duplicate);
    assert_int_equal(shape.duplicate.len, 1);
    assert_int_equal(*shape.duplicate.ptr, 'a');
    assert_int_equal(shape.named_count, 3);
    assert_int_equal(
        slg_logql_regex_inspect((struct slg_logql_str){ wrong, strlen(wrong) }, &shape, NULL),
        SLG_OK);
    assert_true(shape.has_wrong_name);
    assert_memory_equal(shape.wrong_name.ptr, "9a", 2);
}

/* Nested deeper than anyone follows: RE2 is left to judge, and nothing overflows. */
static void test_deep(void **state)
{
    char text[4000];
    struct slg_logql_regex_shape shape;

    (void)state;
    memset(text, '(', sizeof(text));
    assert_int_equal(
        slg_logql_regex_inspect((struct slg_logql_str){ text, sizeof(text) }, &shape, NULL),
        SLG_OK);
    assert_false(shape.accepts_empty);
    assert_int_equal(
        slg_logql_regex_inspect((struct slg_logql_str){ text, SLG_LOGQL_REGEX_DEPTH_MAX - 1 },
                                &shape, NULL),
        SLG_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
