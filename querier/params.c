#include "querier/params.h"

#include <ctype.h>
#include <math.h>

#include "base/clock.h"
#include "base/cursor.h"

#define SECONDS_DIGITS_MAX 10 /* integers longer than that are nanoseconds */
#define NUMBER_BYTES_MAX   64

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- numbers ---- */

/* A decimal float without surrounding space, hex or words. */
static bool parse_float(struct slg_text text, double *ret_value)
{
    char copy[NUMBER_BYTES_MAX];
    char *end;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]) && strchr("+-.eE", text.at[i]) == NULL)
            return false;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *ret_value = strtod(copy, &end);
    return *end == '\0';
}

static bool parse_int(struct slg_text text, int64_t *ret_value)
{
    struct slg_cursor c = slg_cursor_make(text.at, text.len);
    bool negative = slg_cursor_take_byte(&c, '-');
    uint64_t value;

    if (!negative)
        (void)slg_cursor_take_byte(&c, '+'); /* a sign may be absent */
    if (!slg_cursor_take_uint(&c, 19, INT64_MAX, &value) || slg_cursor_left(&c) > 0)
        return false;
    *ret_value = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* What Go says of a text that is no int64. */
static const char *why_no_int(struct slg_text text)
{
    size_t at = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+');

    if (at == text.len)
        return "invalid syntax";
    for (; at < text.len; at++)
        if (!is_digit(text.at[at]))
            return "invalid syntax";
    return "value out of range";
}

enum slg_status slg_params_int(struct slg_text text, int64_t *ret_value, struct slg_error *reterr)
{
    if (!parse_int(text, ret_value))
        return slg_errorf(reterr, SLG_INVALID, "strconv.Atoi: parsing \"%.*s\": %s", (int)text.len,
                          text.at, why_no_int(text));
    return SLG_OK;
}

/* ---- times ---- */

/* Days since 1970-01-01 of a Gregorian date; Howard Hinnant's days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool take_two(struct slg_cursor *c, uint64_t max, uint64_t *ret_value)
{
    const uint8_t *digits;

    if (!slg_cursor_take_bytes(c, 2, &digits) || !is_digit((char)digits[0]) ||
        !is_digit((char)digits[1]))
        return false;
    *ret_value = (uint64_t)(digits[0] - '0') * 10 + (uint64_t)(digits[1] - '0');
    return *ret_value <= max;
}

static bool take_fraction(struct slg_cursor *c, int64_t *ret_ns)
{
    int64_t ns = 0, unit = SLG_NS_PER_SEC / 10;
    size_t digits = 0;

    *ret_ns = 0;
    if (!slg_cursor_take_byte(c, '.'))
        return true;
    while (slg_cursor_left(c) > 0 && is_digit((char)slg_cursor_peek(c)) && digits < 30) {
        ns += (*c->at++ - '0') * unit; /* digits beyond the ninth add nothing: unit is 0 then */
        unit /= 10;
        digits++;
    }
    *ret_ns = ns;
    return digits > 0;
}

static bool take_zone(struct slg_cursor *c, int64_t *ret_offset_s)
{
    uint64_t hours, minutes;
    bool east;

    *ret_offset_s = 0;
    if (slg_cursor_take_byte(c, 'Z'))
        return true;
    east = slg_cursor_take_byte(c, '+');
    if (!east && !slg_cursor_take_byte(c, '-'))
        return false;
    if (!take_two(c, 23, &hours) || !slg_cursor_take_byte(c, ':') || !take_two(c, 59, &minutes))
        return false;
    *ret_offset_s = (int64_t)(hours * 3600 + minutes * 60) * (east ? 1 : -1);
    return true;
}

/* RFC 3339 section 5.6, as strict about letters as Go's time.Parse: T and Z. */
static bool parse_rfc3339(struct slg_text text, int64_t *ret_ts_ns)
{
    static const uint8_t month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    struct slg_cursor c = slg_cursor_make(text.at, text.len);
    uint64_t century, year, month, day, hour, minute, second;
    int64_t fraction_ns, offset_s, full_year;
    bool leap;

    if (!take_two(&c, 99, &century) || !take_two(&c, 99, &year) || !slg_cursor_take_byte(&c, '-') ||
        !take_two(&c, 12, &month) || !slg_cursor_take_byte(&c, '-') || !take_two(&c, 31, &day))
        return false;
    if (!slg_cursor_take_byte(&c, 'T'))
        return false;
    if (!take_two(&c, 23, &hour) || !slg_cursor_take_byte(&c, ':') || !take_two(&c, 59, &minute) ||
        !slg_cursor_take_byte(&c, ':') || !take_two(&c, 59, &second) ||
        !take_fraction(&c, &fraction_ns) || !take_zone(&c, &offset_s) || slg_cursor_left(&c) > 0)
        return false;
    full_year = (int64_t)(century * 100 + year);
    leap = (full_year % 4 == 0 && full_year % 100 != 0) || full_year % 400 == 0;
    if (month < 1 || day < 1 || day > month_days[month - 1] + (uint64_t)(month == 2 && leap))
        return false;
    if (full_year < 1678 || full_year > 2261)
        return false; /* outside what int64 ns can hold */
    *ret_ts_ns = (days_of(full_year, (int64_t)month, (int64_t)day) * 86400 +
                  (int64_t)(hour * 3600 + minute * 60 + second) - offset_s) *
                     SLG_NS_PER_SEC +
                 fraction_ns;
    return true;
}

/* Seconds with a fraction, rounded to ms as Loki does. */
static bool parse_seconds(struct slg_text text, int64_t *ret_ts_ns)
{
    double value, whole, fraction;

    if (memchr(text.at, '.', text.len) == NULL || !parse_float(text, &value) || !isfinite(value) ||
        fabs(value) > 9.2e9)
        return false;
    fraction = modf(value, &whole);
    *ret_ts_ns = (int64_t)whole * SLG_NS_PER_SEC + (int64_t)(round(fraction * 1000) / 1000 * 1e9);
    return true;
}

enum slg_status slg_params_time(struct slg_text text, int64_t *ret_ts_ns, struct slg_error *reterr)
{
    int64_t value;

    if (text.len > 0 && parse_seconds(text, ret_ts_ns))
        return SLG_OK;
    if (parse_int(text, &value)) {
        if (text.len > SECONDS_DIGITS_MAX)
            *ret_ts_ns = value;
        else if (__builtin_mul_overflow(value, SLG_NS_PER_SEC, ret_ts_ns))
            *ret_ts_ns = value < 0 ? INT64_MIN : INT64_MAX;
        return SLG_OK;
    }
    if (parse_rfc3339(text, ret_ts_ns))
        return SLG_OK;
    return slg_errorf(reterr, SLG_INVALID, "strconv.ParseInt: parsing \"%.*s\": %s", (int)text.len,
                      text.len > 0 ? text.at : "", why_no_int(text));
}

/* ---- durations ---- */

static bool parse_duration(struct slg_text text, int64_t *ret_ns)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {
        { "y", 365 * 86400 * SLG_NS_PER_SEC },
        { "w", 7 * 86400 * SLG_NS_PER_SEC },
        { "d", 86400 * SLG_NS_PER_SEC },
        { "h", 3600 * SLG_NS_PER_SEC },
        { "ms", SLG_NS_PER_MS },
        { "m", 60 * SLG_NS_PER_SEC },
        { "s", SLG_NS_PER_SEC },
    };
    static const int rank[] = { 0, 1, 2, 3, 6, 4, 5 }; /* order of appearance of each unit */
    struct slg_cursor c = slg_cursor_make(text.at, text.len);
    int64_t sum = 0, part;
    int last = -1;
    uint64_t count;

    if (text.len == 1 && text.at[0] == '0') {
        *ret_ns = 0;
        return true;
    }
    while (slg_cursor_left(&c) > 0) {
        size_t i = 0;

        if (!slg_cursor_take_uint(&c, 18, INT64_MAX, &count))
            return false;
        while (i < SLG_ARRAY_LEN(units) && !slg_cursor_take_text(&c, units[i].unit))
            i++;
        if (i == SLG_ARRAY_LEN(units) || rank[i] <= last)
            return false;
        last = rank[i];
        if (__builtin_mul_overflow((int64_t)count, units[i].ns, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return false;
    }
    if (last < 0)
        return false; /* nothing there */
    *ret_ns = sum;
    return true;
}

enum slg_status slg_params_duration(struct slg_text text, int64_t *ret_ns, struct slg_error *reterr)
{
    if (!parse_duration(text, ret_ns))
        return slg_errorf(reterr, SLG_INVALID, "not a valid duration string: \"%.*s\"",
                          (int)text.len, text.len > 0 ? text.at : "");
    return SLG_OK;
}

enum slg_status slg_params_step(struct slg_text text, int64_t *ret_ns, struct slg_error *reterr)
{
    double seconds;

    if (parse_float(text, &seconds)) {
        double ns = seconds * 1e9;

        if (!(fabs(ns) < 9.2e18))
            return slg_errorf(reterr, SLG_INVALID,
                              "cannot parse \"%.*s\" to a valid duration. It overflows int64",
                              (int)text.len, text.at);
        *ret_ns = (int64_t)ns;
        return SLG_OK;
    }
    if (parse_duration(text, ret_ns))
        return SLG_OK;
    return slg_errorf(reterr, SLG_INVALID, "cannot parse \"%.*s\" to a valid duration",
                      (int)text.len, text.len > 0 ? text.at : "");
}

enum slg_status slg_params_direction(struct slg_text text, enum slg_direction *ret_direction,
                                     struct slg_error *reterr)
{
    if (text.len == 7 && strncasecmp(text.at, "forward", 7) == 0)
        *ret_direction = SLG_FORWARD;
    else if (text.len == 8 && strncasecmp(text.at, "backward", 8) == 0)
        *ret_direction = SLG_BACKWARD;
    else
        return slg_errorf(reterr, SLG_INVALID, "invalid direction '%.*s'", (int)text.len,
                          text.len > 0 ? text.at : "");
    return SLG_OK;
}

int64_t slg_params_bounded_time(int64_t ts_ns)
{
    if (ts_ns < SLG_PARAMS_TIME_MIN)
        return SLG_PARAMS_TIME_MIN;
    return ts_ns > SLG_PARAMS_TIME_MAX ? SLG_PARAMS_TIME_MAX : ts_ns;
}

int64_t slg_params_default_step(int64_t start_ns, int64_t end_ns)
{
    int64_t seconds = (end_ns - start_ns) / SLG_NS_PER_SEC / 250;

    return (seconds < 1 ? 1 : seconds) * SLG_NS_PER_SEC;
}
