#include "logql/pipe/convert.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "logql/syntax/units.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slg_logql_str str_of(struct slg_text text)
{
    return (struct slg_logql_str){ text.len == 0 ? "" : text.at, text.len };
}

/* Plain decimals of few digits are exact in a double: value = digits / 10^places, both exact. */
static bool convert_short(struct slg_text text, double *ret_value)
{
    static const double power[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    uint64_t digits = 0;
    size_t count = 0, places = 0, i = 0;
    bool dot = false, negative = false;

    if (text.len > 0 && text.at[0] == '-') {
        negative = true;
        i = 1;
    }
    if (text.len - i > 16)
        return false;
    for (; i < text.len; i++) {
        if (is_digit(text.at[i])) {
            digits = digits * 10 + (uint64_t)(text.at[i] - '0');
            count++;
            places += dot;
        } else if (text.at[i] == '.' && !dot) {
            dot = true;
        } else {
            return false;
        }
    }
    if (count == 0 || count > 15)
        return false;
    *ret_value = (negative ? -1.0 : 1.0) * ((double)digits / power[places]);
    return true;
}

bool slg_convert_float(struct slg_text text, double *ret_value)
{
    return convert_short(text, ret_value) ||
           slg_logql_parse_float(str_of(text), ret_value) == SLG_OK;
}

bool slg_convert_duration(struct slg_text text, int64_t *ret_ns)
{
    return slg_logql_parse_go_duration(str_of(text), ret_ns);
}

bool slg_convert_bytes(struct slg_text text, uint64_t *ret_bytes)
{
    return slg_logql_parse_bytes(str_of(text), ret_bytes);
}

/* ---- integers ---- */

static bool convert_digits(const char *at, const char *end, unsigned base, bool negative,
                           int64_t *ret_value)
{
    const uint64_t limit = negative ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    uint64_t value = 0;

    if (at == end)
        return false;
    for (; at < end; at++) {
        unsigned digit = is_digit(*at) ? (unsigned)(*at - '0')
                         : (*at | 32) >= 'a' && (*at | 32) <= 'f'
                             ? (unsigned)((*at | 32) - 'a' + 10)
                             : 99;

        if (digit >= base || value > (limit - digit) / base)
            return false;
        value = value * base + digit;
    }
    *ret_value = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool slg_convert_int(struct slg_text text, int64_t *ret_value)
{
    const char *at = text.at;
    bool negative = false;

    if (text.len == 0)
        return false;
    if (*at == '-' || *at == '+')
        negative = *at++ == '-';
    return convert_digits(at, text.at + text.len, 10, negative, ret_value);
}

/* Copy without underscores into out; false when too long or when they stand elsewhere than Go allows. */
static bool copy_number(struct slg_text text, char out[SLG_LOGQL_NUMBER_LEN_MAX + 1])
{
    size_t n = 0;

    if (text.len == 0 || text.len > SLG_LOGQL_NUMBER_LEN_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] != '_')
            out[n++] = text.at[i];
    }
    out[n] = '\0';
    return n == text.len || slg_logql_underscores_fit(str_of(text));
}

bool slg_convert_int_any(struct slg_text text, int64_t *ret_value)
{
    char copy[SLG_LOGQL_NUMBER_LEN_MAX + 1];
    const char *at = copy;
    unsigned base = 10;
    bool negative = false;

    if (!copy_number(text, copy))
        return false;
    if (*at == '-' || *at == '+')
        negative = *at++ == '-';
    if (at[0] == '0' && at[1] != '\0') {
        char prefix = (char)(at[1] | 32);

        base = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 8;
        at += prefix == 'x' || prefix == 'o' || prefix == 'b' ? 2 : 1;
    }
    return convert_digits(at, at + strlen(at), base, negative, ret_value);
}

/* ---- printing ---- */

/* Shortest digits that read back as value: "d.ddd" without point in digits, decimal exponent of the first. */
static size_t shortest_digits(double value, char digits[20], int *ret_exponent)
{
    char text[40];
    size_t n = 0;

    for (int precision = 0; precision <= 16; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (const char *at = text; *at != 'e'; at++)
        if (is_digit(*at))
            digits[n++] = *at;
    SLG_ASSERT(n > 0); /* 'e' prints one digit at least */
    *ret_exponent = (int)strtod(strchr(text, 'e') + 1, NULL);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static size_t print_special(double value, char *out)
{
    const char *text = isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";

    memcpy(out, text, strlen(text));
    return strlen(text);
}

static size_t print_plain(const char *digits, size_t digit_count, int exponent, char *out)
{
    size_t n = 0;

    if (exponent < 0) {
        out[n++] = '0';
        out[n++] = '.';
        for (int i = exponent + 1; i < 0; i++)
            out[n++] = '0';
        memcpy(out + n, digits, digit_count);
        return n + digit_count;
    }
    for (size_t i = 0; i <= (size_t)exponent || i < digit_count; i++) {
        if (i == (size_t)exponent + 1)
            out[n++] = '.';
        out[n++] = i < digit_count ? digits[i] : '0';
    }
    return n;
}

size_t slg_convert_print_float_plain(double value, char *out)
{
    char digits[20];
    size_t n = 0, count;
    int exponent;

    if (!isfinite(value))
        return print_special(value, out);
    if (signbit(value))
        out[n++] = '-';
    count = shortest_digits(fabs(value), digits, &exponent);
    return n + print_plain(digits, count, exponent, out + n);
}

size_t slg_convert_print_float(double value, char *out)
{
    char digits[20];
    size_t n = 0, count;
    int exponent;

    if (!isfinite(value))
        return print_special(value, out);
    if (signbit(value))
        out[n++] = '-';
    count = shortest_digits(fabs(value), digits, &exponent);
    /* strconv 'g': for the shortest form the precision that decides is 6. */
    if (exponent >= -4 && exponent < 6)
        return n + print_plain(digits, count, exponent, out + n);
    out[n++] = digits[0];
    if (count > 1) {
        out[n++] = '.';
        memcpy(out + n, digits + 1, count - 1);
        n += count - 1;
    }
    return n + (size_t)snprintf(out + n, 8, "e%c%02d", exponent < 0 ? '-' : '+',
                                exponent < 0 ? -exponent : exponent);
}
