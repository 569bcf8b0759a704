#include "logql/pipe/convert.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool equal_fold(struct slg_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

/* Go's strconv.underscoreOK: underscores only between digits or between base prefix and digit. */
static bool underscores_fit(const char *s, size_t len)
{
    char previous = '^'; /* ^ begin, 0 digit, _ underscore, ! other */
    size_t i = 0;
    bool hex = false;

    if (len >= 1 && (s[0] == '-' || s[0] == '+'))
        i++;
    if (len >= i + 2 && s[i] == '0' &&
        ((s[i + 1] | 32) == 'b' || (s[i + 1] | 32) == 'o' || (s[i + 1] | 32) == 'x')) {
        hex = (s[i + 1] | 32) == 'x';
        i += 2;
        previous = '0';
    }
    for (; i < len; i++) {
        if (is_digit(s[i]) || (hex && is_hex(s[i]))) {
            previous = '0';
        } else if (s[i] == '_') {
            if (previous != '0')
                return false;
            previous = '_';
        } else {
            if (previous == '_')
                return false;
            previous = '!';
        }
    }
    return previous != '_';
}

/* Copy without underscores into out; false when too long or not made of number characters. */
static bool copy_number(struct slg_text text, char *out)
{
    size_t n = 0;
    bool underscores = false;

    if (text.len == 0 || text.len >= SLG_CONVERT_TEXT_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '_')
            underscores = true;
        else
            out[n++] = text.at[i];
    }
    out[n] = '\0';
    return !underscores || underscores_fit(text.at, text.len);
}

/* [+-]digits[.digits][e[+-]digits], or 0x with a p exponent that must be there. */
static bool is_float_syntax(const char *s)
{
    bool hex = false;
    size_t digits = 0;

    if (*s == '+' || *s == '-')
        s++;
    if (s[0] == '0' && (s[1] | 32) == 'x') {
        hex = true;
        s += 2;
    }
    for (bool dot = false;; s++) {
        if (*s == '.' && !dot)
            dot = true;
        else if (hex ? is_hex(*s) : is_digit(*s))
            digits++;
        else
            break;
    }
    if (digits == 0)
        return false;
    if (hex ? (*s | 32) == 'p' : (*s | 32) == 'e') {
        s++;
        if (*s == '+' || *s == '-')
            s++;
        if (!is_digit(*s))
            return false;
        while (is_digit(*s))
            s++;
    } else if (hex) {
        return false;
    }
    return *s == '\0';
}

static bool convert_special(struct slg_text text, double *ret_value)
{
    double sign = 1;

    if (equal_fold(text, "nan")) {
        *ret_value = (double)NAN;
        return true;
    }
    if (text.len > 0 && (text.at[0] == '+' || text.at[0] == '-')) {
        sign = text.at[0] == '-' ? -1 : 1;
        text = slg_text_make(text.at + 1, text.len - 1);
    }
    if (!equal_fold(text, "inf") && !equal_fold(text, "infinity"))
        return false;
    *ret_value = sign * (double)INFINITY;
    return true;
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
    char copy[SLG_CONVERT_TEXT_BYTES_MAX];
    double value;

    if (convert_short(text, ret_value) || convert_special(text, ret_value))
        return true;
    if (memchr(text.at == NULL ? "" : text.at, '\0', text.len) != NULL)
        return false;
    if (!copy_number(text, copy) || !is_float_syntax(copy))
        return false;
    value = strtod(copy, NULL);
    if (isinf(value))
        return false;
    *ret_value = value;
    return true;
}

/* ---- durations ---- */

/* Digits into *value; false on overflow of 2^63. */
static bool take_digits(const char **at, const char *end, uint64_t *value)
{
    *value = 0;
    for (; *at < end && is_digit(**at); (*at)++) {
        if (*value > (UINT64_C(1) << 63) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(**at - '0');
        if (*value > UINT64_C(1) << 63)
            return false;
    }
    return true;
}

/* Fraction digits; those that no longer fit are skipped, as in Go. */
static void take_fraction(const char **at, const char *end, uint64_t *value, double *scale)
{
    bool full = false;

    *value = 0;
    *scale = 1;
    for (; *at < end && is_digit(**at); (*at)++) {
        uint64_t next;

        if (full)
            continue;
        if (*value > ((UINT64_C(1) << 63) - 1) / 10) {
            full = true;
            continue;
        }
        next = *value * 10 + (uint64_t)(**at - '0');
        if (next > UINT64_C(1) << 63) {
            full = true;
            continue;
        }
        *value = next;
        *scale *= 10;
    }
}

static uint64_t unit_ns(const char *at, size_t len)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        { "s", 1000000000 },   { "ms", 1000000 },
        { "m", 60000000000 },  { "h", UINT64_C(3600000000000) },
        { "us", 1000 },        { "ns", 1 },
        { "\302\265s", 1000 }, { "\316\274s", 1000 },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, at, len) == 0)
            return units[i].ns;
    return 0;
}

/* One "1.5h"; adds to *sum. */
static bool take_duration_part(const char **at, const char *end, uint64_t *sum)
{
    const uint64_t limit = UINT64_C(1) << 63;
    const char *start = *at, *unit;
    uint64_t value, fraction = 0, scale_ns;
    double scale = 1;
    bool had_digits;

    if (*start != '.' && !is_digit(*start))
        return false;
    if (!take_digits(at, end, &value))
        return false;
    had_digits = *at > start;
    if (*at < end && **at == '.') {
        const char *digits = ++*at;

        take_fraction(at, end, &fraction, &scale);
        had_digits = had_digits || *at > digits;
    }
    if (!had_digits)
        return false;
    for (unit = *at; *at < end && **at != '.' && !is_digit(**at);)
        (*at)++;
    scale_ns = unit_ns(unit, (size_t)(*at - unit));
    if (scale_ns == 0 || value > limit / scale_ns)
        return false;
    value *= scale_ns;
    if (fraction > 0) {
        value += (uint64_t)((double)fraction * ((double)scale_ns / scale));
        if (value > limit)
            return false;
    }
    *sum += value;
    return *sum <= limit;
}

bool slg_convert_duration(struct slg_text text, int64_t *ret_ns)
{
    const char *at = text.at, *end = text.at + text.len;
    bool negative = false;
    uint64_t sum = 0;

    if (text.len == 0)
        return false;
    if (*at == '-' || *at == '+')
        negative = *at++ == '-';
    if (end - at == 1 && *at == '0') {
        *ret_ns = 0;
        return true;
    }
    if (at == end)
        return false;
    while (at < end)
        if (!take_duration_part(&at, end, &sum))
            return false;
    if (!negative && sum > INT64_MAX)
        return false;
    *ret_ns = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* ---- sizes ---- */

static bool size_factor(struct slg_text unit, double *ret_factor)
{
    static const char letters[] = "kmgtpe";
    const char *letter;
    int power;
    bool binary;

    if (unit.len == 0 || equal_fold(unit, "b")) {
        *ret_factor = 1;
        return true;
    }
    letter = strchr(letters, unit.at[0] | 32);
    if (letter == NULL || *letter == '\0' || unit.len > 3)
        return false;
    binary = unit.len >= 2 && (unit.at[1] | 32) == 'i';
    if (unit.len == 3 && !(binary && (unit.at[2] | 32) == 'b'))
        return false;
    if (unit.len == 2 && !binary && (unit.at[1] | 32) != 'b')
        return false;
    power = (int)(letter - letters) + 1;
    *ret_factor = binary ? ldexp(1, 10 * power) : pow(1000, power);
    return true;
}

static struct slg_text trim_spaces(struct slg_text text)
{
    while (text.len > 0 && strchr(" \t\n\v\f\r", text.at[0]) != NULL && text.at[0] != '\0')
        text = slg_text_make(text.at + 1, text.len - 1);
    while (text.len > 0 && text.at[text.len - 1] != '\0' &&
           strchr(" \t\n\v\f\r", text.at[text.len - 1]) != NULL)
        text.len--;
    return text;
}

bool slg_convert_bytes(struct slg_text text, uint64_t *ret_bytes)
{
    char number[SLG_CONVERT_TEXT_BYTES_MAX];
    size_t n = 0, i = 0;
    double value, factor;

    for (; i < text.len && (is_digit(text.at[i]) || text.at[i] == '.' || text.at[i] == ','); i++) {
        if (text.at[i] == ',')
            continue;
        if (n == sizeof(number))
            return false;
        number[n++] = text.at[i];
    }
    if (!slg_convert_float(slg_text_make(number, n), &value))
        return false;
    if (!size_factor(trim_spaces(slg_text_make(text.at + i, text.len - i)), &factor))
        return false;
    value *= factor;
    if (value >= 18446744073709551615.0)
        return false;
    *ret_bytes = (uint64_t)value;
    return true;
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
    const char *at = text.at, *end = text.at + text.len;
    bool negative = false;

    if (text.len == 0)
        return false;
    if (*at == '-' || *at == '+')
        negative = *at++ == '-';
    return convert_digits(at, end, 10, negative, ret_value);
}

bool slg_convert_int_any(struct slg_text text, int64_t *ret_value)
{
    char copy[SLG_CONVERT_TEXT_BYTES_MAX];
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

size_t slg_convert_print_duration(int64_t ns, char *out)
{
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const char *unit = "s";
    uint64_t scale = 1000000000, seconds;
    size_t n = 0, whole_n;

    if (ns == 0) {
        memcpy(out, "0s", 2);
        return 2;
    }
    if (ns < 0)
        out[n++] = '-';
    if (left < 1000000000) {
        scale = left < 1000 ? 1 : left < 1000000 ? 1000 : 1000000;
        unit = left < 1000 ? "ns" : left < 1000000 ? "\302\265s" : "ms";
    }
    seconds = left / scale;
    if (scale == 1000000000 && seconds >= 3600)
        n += (size_t)snprintf(out + n, 32, "%lluh", (unsigned long long)(seconds / 3600));
    if (scale == 1000000000 && seconds >= 60) {
        n += (size_t)snprintf(out + n, 32, "%llum", (unsigned long long)(seconds / 60 % 60));
        seconds %= 60;
    }
    whole_n = (size_t)snprintf(out + n, 32, "%llu", (unsigned long long)seconds);
    n += whole_n;
    if (left % scale != 0) {
        uint64_t fraction = left % scale;

        out[n++] = '.';
        for (uint64_t place = scale / 10; fraction != 0; place /= 10) {
            out[n++] = (char)('0' + fraction / place);
            fraction %= place;
        }
    }
    memcpy(out + n, unit, strlen(unit));
    return n + strlen(unit);
}
