/* The lexer cuts text as Go's scanner with Loki's keywords does, and gives true lines and columns.
 * Oracle: grafana/loki pkg/logql/syntax/lex.go and Go's text/scanner, read by hand. What it refuses is tested
 * through the parser (test_parse.c). */
#include "tests/helper/test.h"

#include "logql/syntax/lex.h"

static const struct lex_case {
    const char *name, *text;
    const char *want; /* displays, a blank after each */
} cases[] = {
    { "nothing", "", "$end " },
    { "signs", ", . { } ( ) ] = != =~ !~ !> | |= |~ |> == > >= < <= + - * / % ^",
      ", . { } ( ) ] = != =~ !~ !> | |= |~ |> == > >= < <= + - * / % ^ $end " },
    { "signs without blanks", "{}()=~=!==>=", "{ } ( ) =~ = != = >= $end " },
    { "words", "or and unless by without bool offset on ignoring group_left group_right unwrap",
      "or and unless by without bool offset on ignoring group_left group_right unwrap $end " },
    { "stages", "json logfmt regexp pattern unpack line_format label_format decolorize drop keep",
      "json logfmt regexp pattern unpack line_format label_format decolorize drop keep $end " },
    { "functions need a call", "ip ip( rate rate( sum sum by(x) sum without (x) sum by x",
      "IDENTIFIER ip ( IDENTIFIER RATE ( IDENTIFIER SUM by ( IDENTIFIER ) SUM without ( IDENTIFIER "
      ") "
      "IDENTIFIER by IDENTIFIER $end " },
    { "conversions", "bytes(x) duration (x) duration_seconds\n(x) bytes",
      "BYTES_CONV ( IDENTIFIER ) DURATION_CONV ( IDENTIFIER ) DURATION_SECONDS_CONV ( IDENTIFIER ) "
      "IDENTIFIER $end " },
    { "numbers", "0 5 5.5 .5 5. 1e5 1E-5 1_000 0x1p4 5x",
      "NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER NUMBER IDENTIFIER $end " },
    { "durations", "5m 1h30m 1.5s 100\xC2\xB5s 1d -5m - 5m -1d",
      "DURATION DURATION DURATION DURATION DURATION DURATION - DURATION - DURATION $end " },
    { "a minus zero is a duration", "-0 -0.0", "DURATION - NUMBER $end " },
    { "sizes", "5B 5k 5KiB 1.5MB 5kb", "BYTES BYTES BYTES BYTES BYTES IDENTIFIER $end " },
    { "neither", "5m30 5KBs", "NUMBER IDENTIFIER BYTES IDENTIFIER $end " },
    { "ranges", "[5m][1h30m]", "RANGE RANGE $end " },
    { "flags", "--strict --keep-empty --strictly --strict-",
      "FUNCTION_FLAG FUNCTION_FLAG - - IDENTIFIER - - IDENTIFIER - $end " },
    { "strings", "\"a\\\"b\" `c\\` \"\" ``", "STRING STRING STRING STRING $end " },
    { "comments", "a # b\nc // d\n/* e\nf */ g", "IDENTIFIER IDENTIFIER IDENTIFIER $end " },
    { "strays", "@ ! 'x' $ ~ \xE2\x82\xAC",
      "IDENTIFIER IDENTIFIER IDENTIFIER IDENTIFIER IDENTIFIER IDENTIFIER $end " },
    { "variables", "$__range ${x:y}", "variable $__range variable ${x:y} $end " },
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        size_t len = strlen(cases[i].text);
        uint8_t *block = test_block(cases[i].text, len);
        struct slg_logql_lexer lexer;
        struct slg_logql_token token;
        struct slg_error error;
        char got[1024] = "";
        size_t fill = 0;

        CHECK(cases[i].name,
              slg_logql_lexer_init(&lexer, (struct slg_logql_str){ (char *)block, len }, &error) ==
                  SLG_OK);
        do {
            char display[64];

            CHECK(cases[i].name, slg_logql_lexer_next(&lexer, &token, &error) == SLG_OK);
            slg_logql_token_display(&token, display, sizeof(display));
            fill += (size_t)snprintf(got + fill, sizeof(got) - fill, "%s ", display);
        } while (token.kind != SLG_LOGQL_TOKEN_END);
        if (strcmp(got, cases[i].want) != 0)
            print_error("got  %s\nwant %s\n", got, cases[i].want);
        CHECK(cases[i].name, strcmp(got, cases[i].want) == 0);
        free(block);
    }
}

static void test_places_and_values(void **state)
{
    static const char text[] = "sum\n (\xC3\xA9 5m [1h]\t7KB";
    struct slg_logql_lexer lexer;
    struct slg_logql_token tokens[7];
    static const struct slg_logql_pos want[] = { { 1, 1 }, { 2, 2 },  { 2, 3 }, { 2, 5 },
                                                 { 2, 8 }, { 2, 13 }, { 2, 16 } };

    (void)state;
    assert_int_equal(
        slg_logql_lexer_init(&lexer, (struct slg_logql_str){ text, sizeof(text) - 1 }, NULL),
        SLG_OK);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(slg_logql_lexer_next(&lexer, &tokens[i], NULL), SLG_OK);
        assert_int_equal(tokens[i].pos.line, want[i].line);
        assert_int_equal(tokens[i].pos.col, want[i].col);
    }
    assert_int_equal(tokens[3].duration_ns, INT64_C(300000000000));
    assert_int_equal(tokens[4].duration_ns, INT64_C(3600000000000));
    assert_int_equal(tokens[4].text.len, 2);
    assert_int_equal(tokens[5].bytes, 7000);
    assert_int_equal(tokens[6].kind, SLG_LOGQL_TOKEN_END);
}

static void test_unquote(void **state)
{
    static const struct {
        const char *text, *want;
        size_t want_len;
    } rows[] = {
        { "\"\"", "", 0 },
        { "``", "", 0 },
        { "`\\n\"`", "\\n\"", 3 },
        { "`a\nb`", "a\nb", 3 },
        { "\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\a\b\f\n\r\t\v\\\"", 9 },
        { "\"\\x00\\xff\\377\\000\"", "\0\xFF\xFF\0", 4 },
        { "\"\\u00e9\\U0001F600\"", "\xC3\xA9\xF0\x9F\x98\x80", 6 },
        { "\"\\ud800\"", "\xEF\xBF\xBD", 3 }, /* a lone surrogate, as Go's EncodeRune writes it */
    };
    struct slg_arena *arena = slg_arena_create(1 << 16);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_logql_lexer lexer;
        struct slg_logql_token token;
        struct slg_logql_str got;

        assert_int_equal(
            slg_logql_lexer_init(
                &lexer, (struct slg_logql_str){ rows[i].text, strlen(rows[i].text) }, NULL),
            SLG_OK);
        CHECK(rows[i].text, slg_logql_lexer_next(&lexer, &token, NULL) == SLG_OK);
        got = slg_logql_token_unquote(arena, &token);
        CHECK(rows[i].text, got.len == rows[i].want_len);
        CHECK(rows[i].text, memcmp(got.ptr, rows[i].want, got.len) == 0);
    }
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_places_and_values),
        cmocka_unit_test(test_unquote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
