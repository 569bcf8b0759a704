#include "logql/syntax/lex.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "logql/syntax/units.h"

/* ---- characters ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_hex(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_ascii_letter(char c)
{
    return c == '_' || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* Go asks for Unicode letters and digits. This table of what is *not* one (spaces, punctuation, symbols, private
 * use) covers the blocks that people paste into queries; rarer symbols pass as letters, which only means that a
 * strange label name is looked up and not found. */
static bool is_letter_rune(uint32_t rune)
{
    static const struct {
        uint32_t first, last;
    } others[] = {
        { 0x80, 0xA9 },     { 0xAB, 0xB4 },       { 0xB6, 0xB9 },     { 0xBB, 0xBF },
        { 0xD7, 0xD7 },     { 0xF7, 0xF7 },       { 0x2000, 0x2070 }, { 0x2072, 0x207E },
        { 0x2080, 0x208F }, { 0x20A0, 0x2101 },   { 0x2190, 0x2BFF }, { 0x2E00, 0x3004 },
        { 0x3007, 0x3030 }, { 0xE000, 0xF8FF },   { 0xFE00, 0xFE6F }, { 0xFEFF, 0xFF0F },
        { 0xFFE0, 0xFFFF }, { 0x1F000, 0x1FAFF },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(others); i++) {
        if (rune >= others[i].first && rune <= others[i].last)
            return false;
    }
    return true;
}

/* ---- moving ---- */

/* The byte at offset + ahead, or 0 past the end (NUL is refused at init, so 0 means the end). */
static char peek(const struct slg_logql_lexer *lexer, size_t ahead)
{
    return ahead < lexer->text.len - lexer->offset ? lexer->text.ptr[lexer->offset + ahead] : '\0';
}

static const char *here(const struct slg_logql_lexer *lexer)
{
    return lexer->text.ptr + lexer->offset;
}

/* Step over byte_count bytes, which are there, keeping line and column. */
static void skip(struct slg_logql_lexer *lexer, size_t byte_count)
{
    SLG_DASSERT(byte_count <= lexer->text.len - lexer->offset);
    for (size_t i = 0; i < byte_count; i++) {
        char c = lexer->text.ptr[lexer->offset++];

        if (c == '\n') {
            lexer->line_end = lexer->pos;
            lexer->pos.line++;
            lexer->pos.col = 1;
        } else if (((unsigned char)c & 0xC0) != 0x80) {
            lexer->pos.col++; /* not a continuation byte */
        }
    }
}

/* Bytes of the letter, or of the digit if not first, at offset + ahead; 0 if it is neither. */
static size_t ident_step(const struct slg_logql_lexer *lexer, size_t ahead, bool is_first)
{
    char c = peek(lexer, ahead);
    uint32_t rune;
    size_t step;

    if (is_ascii_letter(c) || (!is_first && is_digit(c)))
        return 1;
    if ((unsigned char)c < 0x80)
        return 0;
    if (!slg_utf8_decode((const uint8_t *)here(lexer) + ahead,
                         lexer->text.len - lexer->offset - ahead, &rune, &step))
        return 0;
    return is_letter_rune(rune) ? step : 0;
}

static enum slg_status fail_at(struct slg_logql_pos pos, struct slg_error *reterr, const char *text)
{
    return slg_errorf(reterr, SLG_INVALID, "parse error at line %u, col %u: %s", pos.line, pos.col,
                      text);
}

/* ---- blanks and comments ---- */

static void skip_line(struct slg_logql_lexer *lexer)
{
    while (lexer->offset < lexer->text.len && peek(lexer, 0) != '\n')
        skip(lexer, 1);
}

static enum slg_status skip_blanks(struct slg_logql_lexer *lexer, struct slg_error *reterr)
{
    for (;;) {
        char c = peek(lexer, 0);

        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            skip(lexer, 1);
        } else if (c == '#' || (c == '/' && peek(lexer, 1) == '/')) {
            skip_line(lexer);
        } else if (c == '/' && peek(lexer, 1) == '*') {
            struct slg_logql_pos start = lexer->pos;

            skip(lexer, 2);
            while (peek(lexer, 0) != '*' || peek(lexer, 1) != '/') {
                if (lexer->offset == lexer->text.len)
                    return fail_at(start, reterr, "comment not terminated");
                skip(lexer, 1);
            }
            skip(lexer, 2);
        } else {
            return SLG_OK;
        }
    }
}

/* ---- strings ---- */

static uint32_t digits_value(const char *p, size_t count, uint32_t base)
{
    uint32_t value = 0;

    for (size_t i = 0; i < count; i++) {
        char c = lower(p[i]);

        value = value * base + (uint32_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* Length of the escape after the backslash at offset + i, counting the backslash; 0 if Go has no such escape. */
static size_t escape_len(const struct slg_logql_lexer *lexer, size_t i, char quote)
{
    char c = peek(lexer, i + 1);
    size_t digit_count;
    size_t first = i + 2;

    switch (c) {
    case 'a':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
    case 'v':
    case '\\':
        return 2;
    case 'x':
        digit_count = 2;
        break;
    case 'u':
        digit_count = 4;
        break;
    case 'U':
        digit_count = 8;
        break;
    default:
        if (c == quote)
            return 2;
        if (c < '0' || c > '7')
            return 0;
        first = i + 1;
        digit_count = 3;
        break;
    }
    for (size_t k = 0; k < digit_count; k++) {
        char digit = peek(lexer, first + k);

        if (c >= '0' && c <= '7' ? digit < '0' || digit > '7' : !is_hex(digit))
            return 0;
    }
    if (c == 'U' && digits_value(here(lexer) + first, 8, 16) > 0x10FFFF)
        return 0;
    if (first == i + 1 && c > '3')
        return 0; /* \\400 and more is not a byte */
    return first - i + digit_count;
}

static enum slg_status lex_quoted(struct slg_logql_lexer *lexer, struct slg_logql_token *token,
                                  struct slg_error *reterr)
{
    size_t i = 1;

    while (peek(lexer, i) != '"') {
        char c = peek(lexer, i);
        size_t len;

        if (c == '\0' || c == '\n')
            return fail_at(token->pos, reterr, "literal not terminated");
        if (c != '\\') {
            i++;
            continue;
        }
        len = escape_len(lexer, i, '"');
        if (len == 0)
            return fail_at(token->pos, reterr, "invalid char escape");
        i += len;
    }
    token->kind = SLG_LOGQL_TOKEN_STRING;
    token->text.len = i + 1;
    skip(lexer, i + 1);
    return SLG_OK;
}

static enum slg_status lex_raw(struct slg_logql_lexer *lexer, struct slg_logql_token *token,
                               struct slg_error *reterr)
{
    size_t i = 1;

    for (; peek(lexer, i) != '`'; i++) {
        if (peek(lexer, i) == '\0')
            return fail_at(token->pos, reterr, "literal not terminated");
    }
    token->kind = SLG_LOGQL_TOKEN_STRING;
    token->text.len = i + 1;
    skip(lexer, i + 1);
    return SLG_OK;
}

/* Replace the escape at p (the backslash); returns its length, *ret_len bytes are written to out. */
static size_t decode_escape(const char *p, char *out, size_t *ret_len)
{
    static const char names[] = "abfnrtv";
    static const char values[] = "\a\b\f\n\r\t\v";
    const char *name = strchr(names, p[1]);

    *ret_len = 1;
    if (name != NULL) {
        *out = values[name - names];
        return 2;
    }
    switch (p[1]) {
    case 'x':
        *out = (char)digits_value(p + 2, 2, 16);
        return 4;
    case 'u':
        *ret_len = slg_utf8_encode(digits_value(p + 2, 4, 16), (uint8_t *)out);
        return 6;
    case 'U':
        *ret_len = slg_utf8_encode(digits_value(p + 2, 8, 16), (uint8_t *)out);
        return 10;
    case '\\':
    case '"':
        *out = p[1];
        return 2;
    default:
        *out = (char)(digits_value(p + 1, 3, 8) & 0xFF); /* the lexer saw three octal digits */
        return 4;
    }
}

struct slg_logql_str slg_logql_token_unquote(struct slg_arena *arena,
                                             const struct slg_logql_token *token)
{
    const char *p = token->text.ptr + 1;
    const char *end = token->text.ptr + token->text.len - 1;
    bool is_raw = token->text.ptr[0] == '`';
    char *out;
    size_t len = 0;

    SLG_ASSERT(token->kind == SLG_LOGQL_TOKEN_STRING);
    out = slg_arena_alloc(arena, token->text.len);
    if (out == NULL)
        return (struct slg_logql_str){ NULL, 0 };
    while (p < end) {
        if (is_raw || *p != '\\') {
            out[len++] = *p++;
        } else {
            char bytes[4];
            size_t byte_count;

            p += decode_escape(p, bytes, &byte_count);
            memcpy(out + len, bytes, byte_count);
            len += byte_count;
        }
    }
    return (struct slg_logql_str){ out, len };
}

/* ---- numbers ---- */

/* Digits and underscores from *i on; *ret_invalid becomes the first digit that is too big for the base, if it is 0. */
static bool scan_digits(const struct slg_logql_lexer *lexer, size_t *i, int base, char *ret_invalid)
{
    bool has_digit = false;

    for (;; (*i)++) {
        char c = peek(lexer, *i);

        if (is_digit(c) || (base == 16 && is_hex(c))) {
            has_digit = true;
            if (base < 10 && c - '0' >= base && *ret_invalid == '\0')
                *ret_invalid = c;
        } else if (c != '_') {
            return has_digit;
        }
    }
}

/* The base that the prefix at offset tells, 8 for a leading zero. */
static int scan_base(const struct slg_logql_lexer *lexer, size_t *ret_prefix_len)
{
    static const char letters[] = "xob";
    static const int bases[] = { 16, 8, 2 };
    const char *found;

    *ret_prefix_len = 0;
    if (peek(lexer, 0) != '0')
        return 10;
    found = peek(lexer, 1) == '\0' ? NULL : strchr(letters, lower(peek(lexer, 1)));
    if (found == NULL)
        return 8;
    *ret_prefix_len = 2;
    return bases[found - letters];
}

/* Do underscores stand only between digits, or behind a prefix? */
static bool has_good_underscores(const struct slg_logql_lexer *lexer, size_t prefix_len, size_t len)
{
    bool before = prefix_len > 0; /* what stands before may be followed by '_' */

    for (size_t i = prefix_len; i < len; i++) {
        char c = peek(lexer, i);

        if (c == '_' && (!before || i + 1 == len || !is_hex(peek(lexer, i + 1))))
            return false;
        before = c != '_' && is_hex(c);
    }
    return true;
}

#define COMPLAINT_BYTES 64

SLG_PRINTF(2, 3)
static size_t complain(char complaint[COMPLAINT_BYTES], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(complaint, COMPLAINT_BYTES, format, args);
    va_end(args);
    return 0;
}

/* Length of the Go number at offset; 0: complaint is what Go's scanner says is wrong with it first. What has a prefix is
 * refused later as not a float. */
static size_t scan_number(const struct slg_logql_lexer *lexer, char complaint[COMPLAINT_BYTES])
{
    size_t prefix_len, i;
    int base = scan_base(lexer, &prefix_len);
    const char *name = base == 16  ? "hexadecimal literal"
                       : base == 8 ? "octal literal"
                       : base == 2 ? "binary literal"
                                   : "decimal literal";
    bool is_float = false, has_digit;
    char invalid = '\0', ignored = '\0', exponent;

    i = prefix_len;
    has_digit = scan_digits(lexer, &i, base, &invalid);
    if (peek(lexer, i) == '.') {
        if (prefix_len > 0 && base != 16)
            return complain(complaint, "invalid radix point in %s", name);
        is_float = true;
        i++;
        has_digit = scan_digits(lexer, &i, base, &invalid) || has_digit;
    }
    if (!has_digit)
        return complain(complaint, "%s has no digits", name);
    exponent = peek(lexer, i);
    if (lower(exponent) == 'e' || lower(exponent) == 'p') {
        if (lower(exponent) == 'e' && prefix_len > 0)
            return complain(complaint, "'%c' exponent requires decimal mantissa", exponent);
        if (lower(exponent) == 'p' && base != 16)
            return complain(complaint, "'%c' exponent requires hexadecimal mantissa", exponent);
        is_float = true;
        i++;
        if (peek(lexer, i) == '+' || peek(lexer, i) == '-')
            i++;
        if (!scan_digits(lexer, &i, 10, &ignored))
            return complain(complaint, "exponent has no digits");
    } else if (base == 16 && is_float) {
        return complain(complaint, "hexadecimal mantissa requires a 'p' exponent");
    }
    if (!is_float && invalid != '\0')
        return complain(complaint, "invalid digit '%c' in %s", invalid, name);
    if (!has_good_underscores(lexer, prefix_len, i))
        return complain(complaint, "'_' must separate successive digits");
    return i;
}

/* The runs of characters that may belong to a duration ("nuµmshdwy") or to a size ("BikKMGTP"), digits and points;
 * the length of the run behind the first `from` bytes. */
static size_t unit_run(const struct slg_logql_lexer *lexer, size_t from, const char *letters)
{
    size_t i = from;

    for (;;) {
        char c = peek(lexer, i);

        if (c == '\xC2' && peek(lexer, i + 1) == '\xB5' && letters[0] == 'n')
            i += 2; /* U+00B5 */
        else if (c != '\0' && (is_digit(c) || c == '.' || strchr(letters, c) != NULL))
            i++;
        else
            return i - from;
    }
}

#define DURATION_LETTERS "numshdwy"
#define BYTES_LETTERS    "BikKMGTP"

/* The duration that begins with the number_len bytes of a number or sign. */
static bool lex_duration(struct slg_logql_lexer *lexer, size_t number_len,
                         struct slg_logql_token *token)
{
    size_t run = unit_run(lexer, number_len, DURATION_LETTERS);
    struct slg_logql_str text = { here(lexer), number_len + run };

    if (run == 0 || !slg_logql_parse_duration(text, &token->duration_ns))
        return false;
    token->kind = SLG_LOGQL_TOKEN_DURATION;
    token->text = text;
    skip(lexer, text.len);
    return true;
}

static enum slg_status lex_number(struct slg_logql_lexer *lexer, struct slg_logql_token *token,
                                  struct slg_error *reterr)
{
    char complaint[COMPLAINT_BYTES];
    size_t len = scan_number(lexer, complaint);
    size_t run;

    if (len == 0)
        return fail_at(token->pos, reterr, complaint);
    if (lex_duration(lexer, len, token))
        return SLG_OK;
    run = unit_run(lexer, len, BYTES_LETTERS);
    if (run > 0) {
        struct slg_logql_str text = { here(lexer), len + run };

        if (slg_logql_parse_bytes(text, &token->bytes)) {
            if (token->bytes == 0) /* what Loki finds in its canonical text, "0B" */
                return fail_at(token->pos, reterr, "binary literal has no digits");
            token->kind = SLG_LOGQL_TOKEN_BYTES;
            token->text = text;
            skip(lexer, text.len);
            return SLG_OK;
        }
    }
    token->kind = SLG_LOGQL_TOKEN_NUMBER;
    token->text.len = len;
    skip(lexer, len);
    return SLG_OK;
}

/* ---- ranges ---- */

static enum slg_status lex_range(struct slg_logql_lexer *lexer, struct slg_logql_token *token,
                                 struct slg_error *reterr)
{
    size_t i = 1;
    struct slg_error reason;
    struct slg_logql_str inside;

    for (; peek(lexer, i) != ']'; i++) {
        if (peek(lexer, i) == '\0')
            return fail_at(token->pos, reterr, "missing closing ']' in duration");
    }
    inside = (struct slg_logql_str){ here(lexer) + 1, i - 1 };
    if (slg_logql_parse_prom_duration(inside, &token->duration_ns, &reason) != SLG_OK) {
        (void)fail_at(token->pos, reterr, reason.message);
        if (reterr != NULL && memchr(inside.ptr, '$', inside.len) != NULL)
            (void)slg_error_hintf(reterr, SLG_INVALID,
                                  "Grafana does not replace this variable for Loki queries; use "
                                  "$__auto or $__interval",
                                  "parse error at line %u, col %u: %s", token->pos.line,
                                  token->pos.col, reason.message);
        return SLG_INVALID;
    }
    token->kind = SLG_LOGQL_TOKEN_RANGE;
    token->text = inside;
    skip(lexer, i + 1);
    return SLG_OK;
}

/* ---- words ---- */

static bool word_is(const char *p, size_t len, const char *keyword)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(p[i]) != keyword[i])
            return false; /* covers a keyword that is shorter */
    }
    return keyword[len] == '\0' && len > 0;
}

/* What follows the word makes it a function: "(", or by/without and "(". */
static bool is_call(const struct slg_logql_lexer *lexer, size_t i)
{
    static const char *const words[] = { "by", "without" };

    while (is_space(peek(lexer, i)))
        i++;
    if (peek(lexer, i) == '(')
        return true;
    for (size_t k = 0; k < SLG_ARRAY_LEN(words); k++) {
        size_t len = strlen(words[k]);

        if (lexer->text.len - lexer->offset - i < len || !word_is(here(lexer) + i, len, words[k]))
            continue;
        i += len;
        while (is_space(peek(lexer, i)))
            i++;
        return peek(lexer, i) == '(';
    }
    return false;
}

static const struct {
    const char *keyword;
    const char *display;
    bool is_function;
} kinds[] = {
#define X(name, keyword, display, function) { keyword, display, function },
    SLG_LOGQL_TOKEN_LIST(X)
#undef X
};

static const char *const range_keywords[] = {
#define X(name, keyword, unwrap, bare, grouping) keyword,
    SLG_LOGQL_RANGE_OP_LIST(X)
#undef X
};

static const char *const vector_keywords[] = {
#define X(name, keyword, takes_k) keyword,
    SLG_LOGQL_VECTOR_OP_LIST(X)
#undef X
};

/* Set kind (and op) if the word is an operator of either list. */
static bool find_op(struct slg_logql_token *token)
{
    for (size_t i = 0; i < SLG_ARRAY_LEN(range_keywords); i++) {
        if (word_is(token->text.ptr, token->text.len, range_keywords[i])) {
            token->kind = SLG_LOGQL_TOKEN_RANGE_OP;
            token->op = (unsigned)i;
            return true;
        }
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(vector_keywords); i++) {
        if (word_is(token->text.ptr, token->text.len, vector_keywords[i])) {
            token->kind = SLG_LOGQL_TOKEN_VECTOR_OP;
            token->op = (unsigned)i;
            return true;
        }
    }
    return false;
}

static void lex_word(struct slg_logql_lexer *lexer, size_t len, struct slg_logql_token *token)
{
    bool found = false;

    token->text.len = len;
    token->kind = SLG_LOGQL_TOKEN_IDENTIFIER;
    for (size_t k = 0; k < SLG_ARRAY_LEN(kinds) && !found; k++) {
        if (word_is(token->text.ptr, len, kinds[k].keyword)) {
            token->kind = (enum slg_logql_token_kind)k;
            found = true;
        }
    }
    found = found || find_op(token);
    if (found && kinds[token->kind].is_function && !is_call(lexer, len))
        token->kind = SLG_LOGQL_TOKEN_IDENTIFIER;
    skip(lexer, len);
}

/* ---- signs ---- */

/* $name, ${name}: what a dashboard did not replace. */
static size_t variable_len(const struct slg_logql_lexer *lexer)
{
    size_t i = 1;

    if (peek(lexer, 1) == '{') {
        for (i = 2; peek(lexer, i) != '}'; i++) {
            if (peek(lexer, i) == '\0' || is_space(peek(lexer, i)))
                return 0;
        }
        return i + 1;
    }
    while (is_ascii_letter(peek(lexer, i)) || is_digit(peek(lexer, i)))
        i++;
    return i > 1 ? i : 0;
}

static void lex_sign(struct slg_logql_lexer *lexer, struct slg_logql_token *token)
{
    static const enum slg_logql_token_kind two[] = {
        SLG_LOGQL_TOKEN_NEQ,          SLG_LOGQL_TOKEN_RE,         SLG_LOGQL_TOKEN_NRE,
        SLG_LOGQL_TOKEN_NPA,          SLG_LOGQL_TOKEN_PIPE_EXACT, SLG_LOGQL_TOKEN_PIPE_MATCH,
        SLG_LOGQL_TOKEN_PIPE_PATTERN, SLG_LOGQL_TOKEN_CMP_EQ,     SLG_LOGQL_TOKEN_GTE,
        SLG_LOGQL_TOKEN_LTE,
    };
    static const char ones[] = ",.{}()]=|><+-*/%^";
    static const enum slg_logql_token_kind one[] = {
        SLG_LOGQL_TOKEN_COMMA,
        SLG_LOGQL_TOKEN_DOT,
        SLG_LOGQL_TOKEN_OPEN_BRACE,
        SLG_LOGQL_TOKEN_CLOSE_BRACE,
        SLG_LOGQL_TOKEN_OPEN_PAREN,
        SLG_LOGQL_TOKEN_CLOSE_PAREN,
        SLG_LOGQL_TOKEN_CLOSE_BRACKET,
        SLG_LOGQL_TOKEN_EQ,
        SLG_LOGQL_TOKEN_PIPE,
        SLG_LOGQL_TOKEN_GT,
        SLG_LOGQL_TOKEN_LT,
        SLG_LOGQL_TOKEN_ADD,
        SLG_LOGQL_TOKEN_SUB,
        SLG_LOGQL_TOKEN_MUL,
        SLG_LOGQL_TOKEN_DIV,
        SLG_LOGQL_TOKEN_MOD,
        SLG_LOGQL_TOKEN_POW,
    };
    char c = peek(lexer, 0);
    const char *found = strchr(ones, c);
    uint32_t rune;
    size_t step = 1;

    _Static_assert(SLG_ARRAY_LEN(one) == sizeof(ones) - 1, "one kind per sign");
    for (size_t i = 0; i < SLG_ARRAY_LEN(two); i++) {
        const char *text = kinds[two[i]].display;

        if (c == text[0] && peek(lexer, 1) == text[1]) {
            token->kind = two[i];
            token->text.len = 2;
            skip(lexer, 2);
            return;
        }
    }
    token->kind = found != NULL ? one[found - ones] : SLG_LOGQL_TOKEN_STRAY;
    if (c == '$' && variable_len(lexer) > 0) {
        token->kind = SLG_LOGQL_TOKEN_VARIABLE;
        step = variable_len(lexer);
    } else if ((unsigned char)c >= 0x80) {
        (void)slg_utf8_decode((const uint8_t *)here(lexer), lexer->text.len - lexer->offset, &rune,
                              &step); /* the text was checked at init */
    }
    token->text.len = step;
    skip(lexer, step);
}

/* --strict, --keep-empty: letters and dashes after the first dash. */
static bool lex_flag(struct slg_logql_lexer *lexer, struct slg_logql_token *token)
{
    static const char strict[] = "--strict";
    static const char keep_empty[] = "--keep-empty";
    size_t i = 0;

    while (peek(lexer, i) == '-' || (is_ascii_letter(peek(lexer, i)) && peek(lexer, i) != '_'))
        i++;
    if (i == sizeof(strict) - 1 && memcmp(here(lexer), strict, i) == 0)
        token->kind = SLG_LOGQL_TOKEN_STRICT;
    else if (i == sizeof(keep_empty) - 1 && memcmp(here(lexer), keep_empty, i) == 0)
        token->kind = SLG_LOGQL_TOKEN_KEEP_EMPTY;
    else
        return false;
    token->text.len = i;
    skip(lexer, i);
    return true;
}

/* 'x': Loki takes one character in single quotes for a (useless) identifier and calls anything else an error. */
static enum slg_status lex_char(struct slg_logql_lexer *lexer, struct slg_logql_token *token,
                                struct slg_error *reterr)
{
    size_t rune_count = 0;
    size_t i = 1;

    while (peek(lexer, i) != '\'') {
        char c = peek(lexer, i);
        size_t len = 1;

        if (c == '\0' || c == '\n')
            return fail_at(token->pos, reterr, "literal not terminated");
        if (c == '\\')
            len = escape_len(lexer, i, '\'');
        if (len == 0)
            return fail_at(token->pos, reterr, "invalid char escape");
        if (((unsigned char)c & 0xC0) != 0x80)
            rune_count++;
        i += len;
    }
    if (rune_count != 1)
        return fail_at(token->pos, reterr, "invalid char literal");
    token->kind = SLG_LOGQL_TOKEN_STRAY;
    token->text.len = i + 1;
    skip(lexer, i + 1);
    return SLG_OK;
}

/* ---- the lexer ---- */

enum slg_status slg_logql_lexer_init(struct slg_logql_lexer *lexer, struct slg_logql_str text,
                                     struct slg_error *reterr)
{
    *lexer = (struct slg_logql_lexer){ .text = text, .pos = { 1, 1 } };
    while (lexer->offset < text.len) {
        size_t step;

        if (*here(lexer) == '\0')
            return fail_at(lexer->pos, reterr, "invalid character NUL");
        if (!slg_utf8_check((const uint8_t *)here(lexer), text.len - lexer->offset, &step))
            return fail_at(lexer->pos, reterr, "invalid UTF-8 encoding");
        skip(lexer, step);
    }
    *lexer = (struct slg_logql_lexer){ .text = text, .pos = { 1, 1 } };
    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        lexer->offset = 3; /* a byte order mark is ignored */
    return SLG_OK;
}

enum slg_status slg_logql_lexer_next(struct slg_logql_lexer *lexer,
                                     struct slg_logql_token *ret_token, struct slg_error *reterr)
{
    struct slg_logql_token token = { .kind = SLG_LOGQL_TOKEN_END };
    enum slg_status status = skip_blanks(lexer, reterr);
    char c;
    size_t len;

    if (status != SLG_OK)
        return status;
    c = peek(lexer, 0);
    token.pos = lexer->pos;
    token.offset = lexer->offset;
    token.text = (struct slg_logql_str){ here(lexer), 0 };
    if (c == '\0') {
        if (token.pos.col == 1 && token.pos.line > 1)
            token.pos = lexer->line_end;
    } else if (c == '"') {
        status = lex_quoted(lexer, &token, reterr);
    } else if (c == '`') {
        status = lex_raw(lexer, &token, reterr);
    } else if (c == '\'') {
        status = lex_char(lexer, &token, reterr);
    } else if (c == '[') {
        status = lex_range(lexer, &token, reterr);
    } else if (is_digit(c) || (c == '.' && is_digit(peek(lexer, 1)))) {
        status = lex_number(lexer, &token, reterr);
    } else if (ident_step(lexer, 0, true) > 0) {
        for (len = 0; ident_step(lexer, len, len == 0) > 0;)
            len += ident_step(lexer, len, len == 0);
        lex_word(lexer, len, &token);
    } else if (c != '-' || (!lex_flag(lexer, &token) && !lex_duration(lexer, 1, &token))) {
        lex_sign(lexer, &token);
    }
    if (status == SLG_OK)
        *ret_token = token;
    return status;
}

void slg_logql_token_display(const struct slg_logql_token *token, char *buf, size_t len)
{
    const char *text = kinds[token->kind].display;
    size_t n = 0;

    if (token->kind == SLG_LOGQL_TOKEN_VARIABLE) {
        (void)snprintf(buf, len, "variable %.*s", token->text.len > 64 ? 64 : (int)token->text.len,
                       token->text.ptr);
        return;
    }
    if (token->kind == SLG_LOGQL_TOKEN_RANGE_OP)
        text = range_keywords[token->op];
    if (token->kind == SLG_LOGQL_TOKEN_VECTOR_OP)
        text = vector_keywords[token->op];
    for (; text[n] != '\0' && n + 1 < len; n++) {
        bool upper =
            token->kind == SLG_LOGQL_TOKEN_RANGE_OP || token->kind == SLG_LOGQL_TOKEN_VECTOR_OP;

        buf[n] = upper && text[n] >= 'a' && text[n] <= 'z' ? (char)(text[n] - 'a' + 'A') : text[n];
    }
    buf[n] = '\0';
}
