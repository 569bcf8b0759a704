/* A row of steps finds what the regular expression means, or says that it does not know.
 * Oracle: RE2 over the same expression in "(?-i:...)", which is not of the kind and so goes to RE2. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/regex_steps.h"

#define ROUND_COUNT 20000

static const struct kind_case {
    const char *name, *regex;
    bool want;
} kinds[] = {
    { "literal", "needle", true },
    { "literal and class", "status=(?P<s>\\w+)", true },
    { "unnamed and plain groups", "a(b)(?:c)d", true },
    { "escapes", "\\[\\d+\\.\\d*\\]", true },
    { "bracket class", "x[a-f0-9_-]+", true },
    { "negated class", "<[^>]+>", true },
    { "lazy up to a literal", "a=(.*?), b", true },
    { "greedy up to a literal within it", "a=(.*), b", true },
    { "greedy to the end", "a=(.*)", true },
    { "group before the literal", "(?P<x>ab)c", true },
    { "runs that share nothing", "a\\d+[a-z]+\\d", true },
    { "lazy to the end", "a.*?", false },
    { "runs that share bytes", "a\\w+\\d+", false },
    { "runs that share bytes over a nullable one", "a\\d+[a-z]*\\d+", false },
    { "no literal to begin with", "\\d+ needle", false },
    { "optional", "ab?c", false },
    { "counted", "ab{2}c", false },
    { "alternatives", "a(b|c)", false },
    { "repeated group", "a(bc)+", false },
    { "anchor", "^a", false },
    { "word border", "a\\b", false },
    { "flag", "(?i)a", false },
    { "one character beyond ASCII", "a[^b]c", false },
    { "literal beyond ASCII", "a\xc3\xa4", false },
    { "class beyond ASCII", "a[\xc3\xa4]+", false },
    { "named class", "a[[:alpha:]]+", false },
    { "nothing", "", false },
    { "empty group first", "()a", false },
};

/* Rows live on the heap: they are large. */
static struct slg_regex_steps *compile_steps(const char *text, bool *ret_ok)
{
    struct slg_regex_steps *row = malloc(sizeof(*row));

    assert_non_null(row);
    *ret_ok = slg_regex_steps_compile(text, strlen(text), /* dot_newline= */ false, row);
    return row;
}

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(kinds); i++) {
        bool ok;

        free(compile_steps(kinds[i].regex, &ok));
        CHECK(kinds[i].name, ok == kinds[i].want);
    }
}

static struct slg_regex *compile_re2(const char *text)
{
    char wrapped[512];
    struct slg_regex_options options = { .text = wrapped };
    struct slg_regex *regex = NULL;

    options.len = (size_t)snprintf(wrapped, sizeof(wrapped), "(?-i:%s)", text);
    assert_int_equal(slg_regex_create(&options, &regex, NULL), SLG_OK);
    return regex;
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static const char *pick(uint64_t *seed, const char *const *from, size_t count)
{
    return from[next(seed) % count];
}

/* Literals, classes and groups in a row, mostly of the kind. */
static void make_regex(uint64_t *seed, char *out, size_t capacity)
{
    static const char *const heads[] = { "a", "a", "ab", "a=", "(a", "((a)b", "=" };
    static const char *const parts[] = {
        "b",      ",",  "=a",       "ab",   "\\.",   "\\w+",   "\\w*",     "[^,]*",   "[^,]+",
        "[^,]*?", ".*", ".*?",      ".+",   ".+?",   "[a-b]",  "\\d",      "[\\d.]+", "\\S+",
        "a*",     "b+", "[^a-b=]+", "\\s*", "[]a]+", "[b-]*?", ".*?a[b,]", ".*a[b,]", "[^,]*?a(?:b)"
    };
    size_t len = (size_t)snprintf(out, capacity, "%s", pick(seed, heads, SLG_ARRAY_LEN(heads)));
    bool open = out[0] == '(';

    for (size_t i = next(seed) % 7; i > 0; i--) {
        bool begin = !open && next(seed) % 3 == 0;

        len += (size_t)snprintf(out + len, capacity - len, "%s%s", begin ? "(?P<g>" : "",
                                pick(seed, parts, SLG_ARRAY_LEN(parts)));
        open = open || begin;
        if (open && next(seed) % 2 == 0) {
            len += (size_t)snprintf(out + len, capacity - len, ")");
            open = false;
        }
    }
    if (open)
        (void)snprintf(out + len, capacity - len, ")");
}

static size_t make_text(uint64_t *seed, char *out)
{
    /* Half of the texts of few letters: then the first place of a literal is often the wrong one. */
    static const char *const pieces[] = { "a",  "b",  "ab", "aab",  "b,",   "a",        "b",
                                          "ab", "a=", "=",  ",",    ", ",   ".",        "1",
                                          "-",  "]",  "\n", "\xc3", "\xa4", "\xc3\xa4", "\xff",
                                          "a",  "b,", "=a", " " };
    size_t len = 0, kinds_of = next(seed) % 2 == 0 ? 5 : SLG_ARRAY_LEN(pieces);

    for (size_t i = next(seed) % 24; i > 0; i--) {
        const char *piece = pick(seed, pieces, kinds_of);

        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    return len;
}

static void compare(const char *name, const struct slg_regex_steps *row,
                    const struct slg_regex *regex, const char *text, size_t len, size_t *known)
{
    struct slg_regex_span got[SLG_REGEX_GROUP_COUNT_MAX], want[SLG_REGEX_GROUP_COUNT_MAX];
    size_t count = slg_regex_group_count(regex) + 1, start = 0;
    int found = slg_regex_steps_find(row, text, len, &start, got, count);
    bool expected = slg_regex_find(regex, text, len, 0, want, count);

    CHECK(name, row->group_count + 1 == count);
    if (found < 0) {
        CHECK(name, !expected || want[0].at >= text + start);
        return;
    }
    (*known)++;
    CHECK(name, (found == 1) == expected);
    for (size_t i = 0; i < count && found == 1; i++)
        if (got[i].at != want[i].at || got[i].len != want[i].len) {
            print_error("\"%s\" over \"%.*s\": group %zu is %td+%zu, not %td+%zu\n", name, (int)len,
                        text, i, got[i].at - text, got[i].len, want[i].at - text, want[i].len);
            fail();
        }
}

static void test_as_re2(void **state)
{
    uint64_t seed = 7;
    size_t of_kind = 0, known = 0;

    (void)state;
    for (size_t round = 0; round < ROUND_COUNT / 20; round++) {
        char regex_text[256], raw[256];
        struct slg_regex_steps *row;
        struct slg_regex *regex;
        bool ok;

        make_regex(&seed, regex_text, sizeof(regex_text));
        row = compile_steps(regex_text, &ok);
        regex = compile_re2(regex_text);
        for (size_t i = 0; i < 20 && ok; i++) {
            size_t len = make_text(&seed, raw);
            char *text = (char *)test_block(raw, len);

            compare(regex_text, row, regex, text, len, &known);
            free(text);
        }
        of_kind += ok;
        slg_regex_destroy(regex);
        free(row);
    }
    assert_true(of_kind > ROUND_COUNT / 20 / 4);
    assert_true(known > of_kind * 20 * 9 / 10);
}

/* What gives up does so soon, and says from where to go on. */
static void test_gives_up(void **state)
{
    static char text[60000];
    struct slg_regex_span groups[2];
    size_t start = 0;
    bool ok;
    struct slg_regex_steps *row = compile_steps("a\\w+(b)", &ok);

    (void)state;
    assert_true(ok);
    memset(text, 'a', sizeof(text));
    assert_int_equal(slg_regex_steps_find(row, text, sizeof(text), &start, groups, 2), -1);
    assert_true(start > 0 && start < 100);
    free(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_as_re2),
        cmocka_unit_test(test_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
