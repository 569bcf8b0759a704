#include "logql/pipe/template_token.h"

#include <string.h>

#include "base/utf8.h"

bool slg_token_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static size_t name_len(const char *at, const char *end)
{
    size_t n = 0;

    while (at + n < end && is_name(at[n]))
        n++;
    return n;
}

size_t slg_token_quoted_len(const char *at, const char *end)
{
    char quote = *at;

    for (const char *c = at + 1; c < end; c++) {
        if (*c == '\\' && quote != '`')
            c++;
        else if (*c == quote)
            return (size_t)(c - at) + 1;
        else if (*c == '\n' && quote != '`')
            return 0;
    }
    return 0;
}

static struct slg_token make_token(enum slg_token_kind kind, const char *at, size_t len)
{
    return (struct slg_token){ .kind = kind, .at = at, .len = len };
}

static size_t number_len(const char *at, const char *end)
{
    size_t n = 0;

    while (at + n < end && (is_name(at[n]) || at[n] == '.' ||
                            ((at[n] == '+' || at[n] == '-') &&
                             (n == 0 || (strchr("eEpP", at[n - 1]) != NULL && at[n - 1] != '\0')))))
        n++;
    return n;
}

static struct slg_token scan_quoted(enum slg_token_kind kind, const char *at, const char *end)
{
    struct slg_token token = make_token(kind, at, slg_token_quoted_len(at, end));

    if (token.len == 0) {
        token.kind = SLG_TOKEN_BAD;
        token.problem = kind == SLG_TOKEN_RAW_STRING ? "unterminated raw quoted string"
                        : kind == SLG_TOKEN_CHAR     ? "unterminated character constant"
                                                     : "unterminated quoted string";
    }
    return token;
}

struct slg_token slg_token_scan(const char *at, const char *end)
{
    size_t n = 0;

    if (at == end)
        return make_token(SLG_TOKEN_EOF, at, 0);
    if (slg_token_is_space(*at)) {
        while (at + n < end && slg_token_is_space(at[n]))
            n++;
        return make_token(SLG_TOKEN_SPACE, at, n);
    }
    switch (*at) {
    case '|':
        return make_token(SLG_TOKEN_PIPE, at, 1);
    case '(':
        return make_token(SLG_TOKEN_LEFT, at, 1);
    case ')':
        return make_token(SLG_TOKEN_RIGHT, at, 1);
    case ',':
        return make_token(SLG_TOKEN_COMMA, at, 1);
    case '=':
        return make_token(SLG_TOKEN_ASSIGN, at, 1);
    case '"':
        return scan_quoted(SLG_TOKEN_STRING, at, end);
    case '`':
        return scan_quoted(SLG_TOKEN_RAW_STRING, at, end);
    case '\'':
        return scan_quoted(SLG_TOKEN_CHAR, at, end);
    case '$':
        return make_token(SLG_TOKEN_VARIABLE, at, 1 + name_len(at + 1, end));
    default:
        break;
    }
    if (*at == ':' && end - at >= 2 && at[1] == '=')
        return make_token(SLG_TOKEN_DECLARE, at, 2);
    if (*at == '.' && (end - at < 2 || at[1] < '0' || at[1] > '9')) {
        n = name_len(at + 1, end);
        return n == 0 ? make_token(SLG_TOKEN_DOT, at, 1) : make_token(SLG_TOKEN_FIELD, at, n + 1);
    }
    if (*at == '+' || *at == '-' || *at == '.' || (*at >= '0' && *at <= '9'))
        return make_token(SLG_TOKEN_NUMBER, at, number_len(at, end));
    if (is_name(*at))
        return make_token(SLG_TOKEN_IDENTIFIER, at, name_len(at, end));
    return make_token(SLG_TOKEN_BAD, at, 0);
}

/* ---- quoted texts ---- */

/* Value of n digits; false: one is none of that base. */
static bool take_digits(const char *at, size_t n, uint32_t base, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (size_t i = 0; i < n; i++) {
        char c = at[i];
        uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (uint32_t)((c | 32) - 'a') + 10
                                                              : 99;

        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *ret_value = value;
    return true;
}

/* The escape at text.at[0], a backslash. *ret_byte: its value is a byte of the text (\xff, \377), else a character. */
static bool unquote_escape(struct slg_text text, char quote, uint32_t *ret_value, bool *ret_byte,
                           size_t *ret_used)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = text.len < 2 ? '\0' : text.at[1];
    const char *found = c == '\0' ? NULL : strchr(from, c);
    bool octal = c >= '0' && c <= '7';
    size_t digits = octal ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t begin = octal ? 1 : 2;
    uint32_t value;

    if (found != NULL) {
        if ((c == '\'' || c == '"') && c != quote)
            return false;
        *ret_value = (unsigned char)to[found - from];
        *ret_byte = true;
        *ret_used = 2;
        return true;
    }
    if (digits == 0 || begin + digits > text.len ||
        !take_digits(text.at + begin, digits, octal ? 8 : 16, &value))
        return false;
    *ret_byte = octal || c == 'x';
    if (*ret_byte ? value > 255 : value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return false;
    *ret_value = value;
    *ret_used = begin + digits;
    return true;
}

long slg_token_unquote(struct slg_text text, char quote, char *out)
{
    size_t len = 0;

    for (size_t i = 0, used = 1; i < text.len; i += used) {
        uint8_t utf8[4];
        uint32_t value;
        bool byte;
        size_t step;

        used = 1;
        if (text.at[i] != '\\') {
            out[len++] = text.at[i];
            continue;
        }
        if (!unquote_escape(slg_text_make(text.at + i, text.len - i), quote, &value, &byte, &used))
            return -1;
        if (byte) {
            out[len++] = (char)value;
            continue;
        }
        step = slg_utf8_encode(value, utf8);
        memcpy(out + len, utf8, step);
        len += step;
    }
    return (long)len;
}

size_t slg_token_unquote_char(struct slg_text text, char quote, uint32_t *ret_rune)
{
    size_t used = 0;
    bool byte;

    if (text.len == 0 || text.at[0] == quote)
        return 0;
    if (text.at[0] == '\\')
        return unquote_escape(text, quote, ret_rune, &byte, &used) ? used : 0;
    if ((unsigned char)text.at[0] < 0x80) {
        *ret_rune = (unsigned char)text.at[0];
        return 1;
    }
    if (!slg_utf8_decode((const uint8_t *)text.at, text.len, ret_rune, &used)) {
        *ret_rune = 0xFFFD; /* utf8.DecodeRuneInString: one byte */
        used = 1;
    }
    return used;
}
