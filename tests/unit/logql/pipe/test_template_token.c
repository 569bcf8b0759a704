/* Actions of templates fall into the tokens that Go's lexer sees, and quoted texts stand for what Go's strconv says.
 * Oracle: rows written by hand from text/template/parse/lex.go and strconv.UnquoteChar. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/template_token.h"

/* Kinds as letters, in the order of the enum. */
static const char letters[] = "E |()D=,.fviSRCN!";

static void test_scan(void **state)
{
    static const struct {
        const char *text, *want; /* a bad token ends it */
    } rows[] = {
        { "", "E" },
        { "if .a", "i fE" },
        { "$x := 1", "v D NE" },
        { "$ = .", "v = .E" },
        { "$k, $v", "v, vE" },
        { "(print \"a\\\"b\" `c\n` 'd')|e", "(i S R C)|iE" },
        { "-1.5e+3 0x1F .5", "N N NE" },
        { ".a.b", "ffE" },
        { "\"open", "!" },
        { "`open", "!" },
        { "'open", "!" },
        { "\"line\nend\"", "!" },
        { "a#", "i!" },
        { "\303\244", "iE" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text), n = 0;
        char *block = (char *)test_block(rows[i].text, len);
        const char *at = block;
        char got[64];
        struct slg_token token;

        do {
            token = slg_token_scan(at, block + len);
            CHECK(rows[i].text, token.at == at);
            at += token.len;
            got[n++] = letters[token.kind];
        } while (token.kind != SLG_TOKEN_EOF && token.kind != SLG_TOKEN_BAD);
        got[n] = '\0';
        CHECK(rows[i].text, strcmp(got, rows[i].want) == 0);
        free(block);
    }
}

static void test_unquote(void **state)
{
    static const struct {
        const char *text;
        char quote;
        const char *want; /* NULL: refused */
    } rows[] = {
        { "", '"', "" },
        { "plain", '"', "plain" },
        { "\\a\\b\\f\\n\\r\\t\\v\\\\", '"', "\a\b\f\n\r\t\v\\" },
        { "\\\"", '"', "\"" },
        { "\\'", '"', NULL },
        { "\\'", '\'', "'" },
        { "\\\"", '\'', NULL },
        { "\\x41\\101\\u00e4\\U0001F600", '"', "AA\303\244\360\237\230\200" },
        { "\\377", '"', "\377" },
        { "\\400", '"', NULL },
        { "\\ud800", '"', NULL },
        { "\\udfff", '"', NULL },
        { "\\ue000", '"', "\356\200\200" },
        { "\\U0010FFFF", '"', "\364\217\277\277" },
        { "\\U00110000", '"', NULL },
        { "\\x4", '"', NULL },
        { "\\x4g", '"', NULL },
        { "\\q", '"', NULL },
        { "\\", '"', NULL },
        { "\\08", '"', NULL },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text);
        char *block = (char *)test_block(rows[i].text, len), *out = malloc(len + 1);
        long got = slg_token_unquote(slg_text_make(block, len), rows[i].quote, out);

        CHECK(rows[i].text, (got < 0) == (rows[i].want == NULL));
        if (got >= 0) {
            CHECK(rows[i].text, (size_t)got == strlen(rows[i].want));
            CHECK(rows[i].text, memcmp(out, rows[i].want, (size_t)got) == 0);
        }
        free(out);
        free(block);
    }
}

/* Rows worked out from strconv.UnquoteChar, Go 1.24. */
static void test_unquote_char(void **state)
{
    static const struct {
        const char *name, *text;
        char quote;
        size_t used; /* 0: refused */
        uint32_t rune;
    } rows[] = {
        { "nothing", "", '\'', 0, 0 },
        { "the quote", "'", '\'', 0, 0 },
        { "the other quote", "\"", '\'', 1, '"' },
        { "letter", "ab", '\'', 1, 'a' },
        { "two bytes", "\303\244x", '\'', 2, 0xe4 },
        { "no UTF-8", "\377", '\'', 1, 0xfffd },
        { "overlong", "\300\200", '\'', 1, 0xfffd },
        { "hex byte", "\\xff", '\'', 4, 255 },
        { "hex bytes are characters", "\\xc3\\xa4", '\'', 4, 0xc3 },
        { "octal byte", "\\377", '\'', 4, 255 },
        { "octal over a byte", "\\400", '\'', 0, 0 },
        { "u", "\\u00e4", '\'', 6, 0xe4 },
        { "U", "\\U0001F600", '\'', 10, 0x1f600 },
        { "surrogate", "\\ud800", '\'', 0, 0 },
        { "beyond", "\\U00110000", '\'', 0, 0 },
        { "newline", "\\n", '\'', 2, '\n' },
        { "its quote, escaped", "\\'", '\'', 2, '\'' },
        { "the other quote, escaped", "\\\"", '\'', 0, 0 },
        { "backslash alone", "\\", '\'', 0, 0 },
        { "cut hex", "\\xf", '\'', 0, 0 },
        { "unknown escape", "\\q", '\'', 0, 0 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text);
        char *block = (char *)test_block(rows[i].text, len);
        uint32_t rune = 0xAAAA;

        CHECK(rows[i].name, slg_token_unquote_char(slg_text_make(block, len), rows[i].quote,
                                                   &rune) == rows[i].used);
        CHECK(rows[i].name, rune == (rows[i].used == 0 ? 0xAAAA : rows[i].rune));
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_unquote),
        cmocka_unit_test(test_unquote_char),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
