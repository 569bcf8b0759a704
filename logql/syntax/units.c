#include "logql/syntax/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- characters ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_hex_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'f';
}

static bool equals_ignoring_case(const char *text, size_t len, const char *word)
{
    if (len != strlen(word))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (lower(text[i]) != word[i])
            return false;
    }
    return true;
}

/* ---- floats: strconv.ParseFloat ---- */

/* "inf" and "infinity" with an optional sign, "nan" without one, in any case. */
static bool parse_special(struct slg_logql_str text, double *ret_value)
{
    const char *p = text.ptr;
    size_t len = text.len;
    double sign = 1;

    if (equals_ignoring_case(p, len, "nan")) {
        *ret_value = (double)NAN;
        return true;
    }
    if (len > 0 && (*p == '+' || *p == '-')) {
        sign = *p == '-' ? -1 : 1;
        p++;
        len--;
    }
    if (!equals_ignoring_case(p, len, "inf") && !equals_ignoring_case(p, len, "infinity"))
        return false;
    *ret_value = sign * (double)INFINITY;
    return true;
}

bool slg_logql_underscores_fit(struct slg_logql_str text)
{
    const char *p = text.ptr;
    size_t len = text.len;
    char previous = '!'; /* 0 digit, _ underscore, ! other */
    bool hex = false;
    size_t i = 0;

    if (i < len && (p[i] == '+' || p[i] == '-'))
        i++;
    if (len - i >= 2 && p[i] == '0' && memchr("xob", lower(p[i + 1]), 3) != NULL) {
        hex = lower(p[i + 1]) == 'x';
        previous = '0';
        i += 2;
    }
    for (; i < len; i++) {
        if (is_digit(p[i]) || (hex && is_hex_letter(p[i]))) {
            previous = '0';
        } else if (p[i] == '_') {
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

/* The grammar that Go accepts; strtod accepts more (hex without exponent) and less (underscores). */
static bool has_float_shape(const char *p, size_t len)
{
    size_t i = 0;
    bool hex = false;
    bool saw_digit = false;
    bool saw_dot = false;

    if (i < len && (p[i] == '+' || p[i] == '-'))
        i++;
    if (len - i > 2 && p[i] == '0' && lower(p[i + 1]) == 'x') {
        hex = true;
        i += 2;
    }
    for (; i < len; i++) {
        if (is_digit(p[i]) || (hex && is_hex_letter(p[i]))) {
            saw_digit = true;
        } else if (p[i] == '.' && !saw_dot) {
            saw_dot = true;
        } else if (p[i] != '_') {
            break;
        }
    }
    if (!saw_digit)
        return false;
    if (i == len)
        return !hex; /* a hexadecimal float must have an exponent */
    if (lower(p[i]) != (hex ? 'p' : 'e'))
        return false;
    i++;
    if (i < len && (p[i] == '+' || p[i] == '-'))
        i++;
    if (i == len || !is_digit(p[i]))
        return false;
    for (; i < len; i++) {
        if (!is_digit(p[i]) && p[i] != '_')
            return false;
    }
    return true;
}

enum slg_status slg_logql_parse_float(struct slg_logql_str text, double *ret_value)
{
    char plain[SLG_LOGQL_NUMBER_LEN_MAX + 1];
    size_t n = 0;
    double value;

    if (parse_special(text, ret_value))
        return SLG_OK;
    if (text.len > SLG_LOGQL_NUMBER_LEN_MAX || !has_float_shape(text.ptr, text.len))
        return SLG_INVALID;
    if (memchr(text.ptr, '_', text.len) != NULL && !slg_logql_underscores_fit(text))
        return SLG_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_')
            plain[n++] = text.ptr[i];
    }
    plain[n] = '\0';
    /* Correctly rounded like Go's; the programs stay in the "C" locale, so '.' is the point. */
    value = strtod(plain, NULL);
    if (isinf(value))
        return SLG_LIMIT;
    *ret_value = value;
    return SLG_OK;
}

/* ---- durations ---- */

static const struct unit {
    const char *name;
    uint64_t ns;
} go_units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "\xC2\xB5s", 1000 }, /* U+00B5 micro sign */
    { "\xCE\xBCs", 1000 }, /* U+03BC Greek mu */
    { "ms", 1000000 },
    { "s", 1000000000 },
    { "m", UINT64_C(60000000000) },
    { "h", UINT64_C(3600000000000) },
};

/* Largest unit first, as Prometheus wants them. */
static const struct unit prom_units[] = {
    { "y", UINT64_C(31536000000000000) },
    { "w", UINT64_C(604800000000000) },
    { "d", UINT64_C(86400000000000) },
    { "h", UINT64_C(3600000000000) },
    { "m", UINT64_C(60000000000) },
    { "s", 1000000000 },
    { "ms", 1000000 },
};

#define GO_DURATION_MAX ((uint64_t)1 << 63) /* the magnitude of INT64_MIN */

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name,
                                    size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
            return &units[i];
    }
    return NULL;
}

/* [0-9]*; false on overflow past GO_DURATION_MAX. */
static bool take_whole(const char **p, const char *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (; *p < end && is_digit(**p); (*p)++) {
        if (value > GO_DURATION_MAX / 10)
            return false;
        value = value * 10 + (uint64_t)(**p - '0');
        if (value > GO_DURATION_MAX)
            return false;
    }
    *ret_value = value;
    return true;
}

/* Digits after the point as value / scale; digits that do not fit are dropped, as Go does. */
static void take_fraction(const char **p, const char *end, uint64_t *ret_value, double *ret_scale)
{
    uint64_t value = 0;
    double scale = 1;
    bool full = false;

    for (; *p < end && is_digit(**p); (*p)++) {
        if (full)
            continue;
        if (value > (GO_DURATION_MAX - 1) / 10 ||
            value * 10 + (uint64_t)(**p - '0') > GO_DURATION_MAX) {
            full = true;
            continue;
        }
        value = value * 10 + (uint64_t)(**p - '0');
        scale *= 10;
    }
    *ret_value = value;
    *ret_scale = scale;
}

/* One "1.5h"; adds to *total. */
static bool take_go_part(const char **p, const char *end, uint64_t *total)
{
    uint64_t whole;
    uint64_t fraction = 0;
    double scale = 1;
    const char *start = *p;
    const struct unit *unit;
    bool has_digits;

    if (!take_whole(p, end, &whole))
        return false;
    has_digits = *p > start;
    if (*p < end && **p == '.') {
        const char *after_dot = ++(*p);

        take_fraction(p, end, &fraction, &scale);
        has_digits = has_digits || *p > after_dot;
    }
    if (!has_digits)
        return false;
    start = *p;
    while (*p < end && **p != '.' && !is_digit(**p))
        (*p)++;
    unit = find_unit(go_units, SLG_ARRAY_LEN(go_units), start, (size_t)(*p - start));
    if (unit == NULL || whole > GO_DURATION_MAX / unit->ns)
        return false;
    whole *= unit->ns;
    if (fraction > 0) {
        whole += (uint64_t)((double)fraction * ((double)unit->ns / scale));
        if (whole > GO_DURATION_MAX)
            return false;
    }
    *total += whole;
    return *total <= GO_DURATION_MAX;
}

bool slg_logql_parse_go_duration(struct slg_logql_str text, int64_t *ret_ns)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;
    uint64_t total = 0;
    bool negative = false;

    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (end - p == 1 && *p == '0') {
        *ret_ns = 0;
        return true;
    }
    if (p == end)
        return false;
    while (p < end) {
        if (!take_go_part(&p, end, &total))
            return false;
    }
    if (!negative && total > (uint64_t)INT64_MAX)
        return false;
    *ret_ns = negative ? (total == GO_DURATION_MAX ? INT64_MIN : -(int64_t)total) : (int64_t)total;
    return true;
}

enum slg_status slg_logql_parse_prom_duration(struct slg_logql_str text, int64_t *ret_ns,
                                              struct slg_error *reterr)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;
    const struct unit *next_allowed = prom_units;
    int len = text.len > 200 ? 200 : (int)text.len; /* for messages */
    uint64_t total = 0;

    if (text.len == 0)
        return slg_errorf(reterr, SLG_INVALID, "empty duration string");
    if (text.len == 1 && *p == '0') {
        *ret_ns = 0;
        return SLG_OK;
    }
    while (p < end) {
        const char *start;
        const struct unit *unit;
        uint64_t value;
        uint64_t part;

        if (!is_digit(*p))
            return slg_errorf(reterr, SLG_INVALID, "not a valid duration string: \"%.*s\"", len,
                              text.ptr);
        if (!take_whole(&p, end, &value))
            return slg_errorf(reterr, SLG_INVALID, "duration out of range");
        start = p;
        while (p < end && !is_digit(*p))
            p++;
        if (p == start)
            return slg_errorf(reterr, SLG_INVALID, "not a valid duration string: \"%.*s\"", len,
                              text.ptr);
        unit = find_unit(prom_units, SLG_ARRAY_LEN(prom_units), start, (size_t)(p - start));
        if (unit == NULL)
            return slg_errorf(reterr, SLG_INVALID, "unknown unit \"%.*s\" in duration \"%.*s\"",
                              (int)(p - start > 200 ? 200 : p - start), start, len, text.ptr);
        if (unit < next_allowed)
            return slg_errorf(reterr, SLG_INVALID, "not a valid duration string: \"%.*s\"", len,
                              text.ptr);
        next_allowed = unit + 1;
        if (__builtin_mul_overflow(value, unit->ns, &part) ||
            __builtin_add_overflow(total, part, &total) || total > (uint64_t)INT64_MAX)
            return slg_errorf(reterr, SLG_INVALID, "duration out of range");
    }
    *ret_ns = (int64_t)total;
    return SLG_OK;
}

bool slg_logql_parse_duration(struct slg_logql_str text, int64_t *ret_ns)
{
    return slg_logql_parse_prom_duration(text, ret_ns, NULL) == SLG_OK ||
           slg_logql_parse_go_duration(text, ret_ns);
}

/* ---- sizes: github.com/dustin/go-humanize ParseBytes ---- */

static const struct {
    const char *name;
    double factor;
} byte_units[] = {
    { "", 1 },         { "b", 1 },        { "k", 1e3 },      { "kb", 1e3 },     { "m", 1e6 },
    { "mb", 1e6 },     { "g", 1e9 },      { "gb", 1e9 },     { "t", 1e12 },     { "tb", 1e12 },
    { "p", 1e15 },     { "pb", 1e15 },    { "e", 1e18 },     { "eb", 1e18 },    { "ki", 0x1p10 },
    { "kib", 0x1p10 }, { "mi", 0x1p20 },  { "mib", 0x1p20 }, { "gi", 0x1p30 },  { "gib", 0x1p30 },
    { "ti", 0x1p40 },  { "tib", 0x1p40 }, { "pi", 0x1p50 },  { "pib", 0x1p50 }, { "ei", 0x1p60 },
    { "eib", 0x1p60 },
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool slg_logql_parse_bytes(struct slg_logql_str text, uint64_t *ret_bytes)
{
    char digits[SLG_LOGQL_NUMBER_LEN_MAX + 1];
    size_t digit_count = 0;
    size_t i = 0;
    size_t end = text.len;
    double value;

    for (; i < end && (is_digit(text.ptr[i]) || text.ptr[i] == '.' || text.ptr[i] == ','); i++) {
        if (text.ptr[i] == ',')
            continue;
        if (digit_count == SLG_LOGQL_NUMBER_LEN_MAX)
            return false;
        digits[digit_count++] = text.ptr[i];
    }
    if (slg_logql_parse_float((struct slg_logql_str){ digits, digit_count }, &value) != SLG_OK)
        return false;
    while (i < end && is_space(text.ptr[i]))
        i++;
    while (end > i && is_space(text.ptr[end - 1]))
        end--;
    for (size_t k = 0; k < SLG_ARRAY_LEN(byte_units); k++) {
        if (!equals_ignoring_case(text.ptr + i, end - i, byte_units[k].name))
            continue;
        value *= byte_units[k].factor;
        if (value >= 0x1p64)
            return false;
        *ret_bytes = (uint64_t)value;
        return true;
    }
    return false;
}
