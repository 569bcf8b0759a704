#include "logql/pipe/gotime.h"

#include <ctype.h>
#include <string.h>

#include "logql/pipe/zone.h"

static const char *const months[] = { "January",   "February", "March",    "April",
                                      "May",       "June",     "July",     "August",
                                      "September", "October",  "November", "December" };
static const char *const weekdays[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday" };

const char *slg_go_month_name(int month)
{
    return month >= 1 && month <= 12 ? months[month - 1] : "%!Month";
}

const char *slg_go_weekday_name(int weekday)
{
    return weekday >= 0 && weekday <= 6 ? weekdays[weekday] : "%!Weekday";
}

/* ---- instants ---- */

struct slg_go_time slg_go_time_utc(int64_t seconds, int32_t nanoseconds)
{
    struct slg_go_time time = { .seconds = seconds, .nanoseconds = nanoseconds };

    memcpy(time.abbreviation, "UTC", 4);
    return time;
}

struct slg_go_time slg_go_time_zero(void)
{
    return slg_go_time_utc(INT64_C(-62135596800), 0);
}

struct slg_go_time slg_go_time_in(struct slg_go_time time, const struct slg_zone *zone)
{
    struct slg_go_time result = slg_go_time_utc(time.seconds, time.nanoseconds);

    result.zone = zone;
    if (zone != NULL)
        slg_zone_lookup(zone, time.seconds, &result.offset_seconds, result.abbreviation);
    return result;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970 of a proleptic Gregorian date; Howard Hinnant's days_from_civil. */
int64_t slg_days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2), era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return era * 146097 + doe - 719468;
}

struct slg_civil slg_go_time_civil(const struct slg_go_time *time)
{
    int64_t local = time->seconds + time->offset_seconds;
    int64_t days = floor_div(local, 86400), rest = local - days * 86400;
    int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct slg_civil civil;

    civil.day = (int)(doy - (153 * mp + 2) / 5 + 1);
    civil.month = (int)(mp < 10 ? mp + 3 : mp - 9);
    civil.year = yoe + era * 400 + (civil.month <= 2);
    civil.hour = (int)(rest / 3600);
    civil.minute = (int)(rest / 60 % 60);
    civil.second = (int)(rest % 60);
    civil.weekday = (int)(((days + 4) % 7 + 7) % 7);
    civil.year_day = (int)(days - slg_days_of(civil.year, 1, 1)) + 1;
    return civil;
}

/* ---- layouts ---- */

/* Elements of a layout: Go's nextStdChunk. */
enum chunk {
    CHUNK_NONE,
    CHUNK_LONG_MONTH,
    CHUNK_MONTH,
    CHUNK_NUM_MONTH,
    CHUNK_ZERO_MONTH,
    CHUNK_LONG_WEEKDAY,
    CHUNK_WEEKDAY,
    CHUNK_DAY,
    CHUNK_UNDER_DAY,
    CHUNK_ZERO_DAY,
    CHUNK_UNDER_YEAR_DAY,
    CHUNK_ZERO_YEAR_DAY,
    CHUNK_HOUR,
    CHUNK_HOUR12,
    CHUNK_ZERO_HOUR12,
    CHUNK_MINUTE,
    CHUNK_ZERO_MINUTE,
    CHUNK_SECOND,
    CHUNK_ZERO_SECOND,
    CHUNK_LONG_YEAR,
    CHUNK_YEAR,
    CHUNK_PM_UPPER,
    CHUNK_PM_LOWER,
    CHUNK_ZONE_NAME,
    CHUNK_ZONE_ISO,           /* Z0700: Z for UTC */
    CHUNK_ZONE_ISO_SECONDS,   /* Z070000 */
    CHUNK_ZONE_ISO_SHORT,     /* Z07 */
    CHUNK_ZONE_ISO_COLON,     /* Z07:00 */
    CHUNK_ZONE_ISO_COLON_SEC, /* Z07:00:00 */
    CHUNK_ZONE,               /* -0700 */
    CHUNK_ZONE_SECONDS,       /* -070000 */
    CHUNK_ZONE_SHORT,         /* -07 */
    CHUNK_ZONE_COLON,         /* -07:00 */
    CHUNK_ZONE_COLON_SEC,     /* -07:00:00 */
    CHUNK_FRACTION_ZEROS,     /* .000 */
    CHUNK_FRACTION_NINES,     /* .999 */
};

static const struct {
    const char *text;
    enum chunk chunk;
} fixed_chunks[] = {
    /* Longer first where one begins with another. */
    { "January", CHUNK_LONG_MONTH },
    { "Jan", CHUNK_MONTH },
    { "Monday", CHUNK_LONG_WEEKDAY },
    { "Mon", CHUNK_WEEKDAY },
    { "MST", CHUNK_ZONE_NAME },
    { "002", CHUNK_ZERO_YEAR_DAY },
    { "01", CHUNK_ZERO_MONTH },
    { "02", CHUNK_ZERO_DAY },
    { "03", CHUNK_ZERO_HOUR12 },
    { "04", CHUNK_ZERO_MINUTE },
    { "05", CHUNK_ZERO_SECOND },
    { "06", CHUNK_YEAR },
    { "15", CHUNK_HOUR },
    { "1", CHUNK_NUM_MONTH },
    { "2006", CHUNK_LONG_YEAR },
    { "2", CHUNK_DAY },
    { "__2", CHUNK_UNDER_YEAR_DAY },
    { "_2", CHUNK_UNDER_DAY },
    { "3", CHUNK_HOUR12 },
    { "4", CHUNK_MINUTE },
    { "5", CHUNK_SECOND },
    { "PM", CHUNK_PM_UPPER },
    { "pm", CHUNK_PM_LOWER },
    { "-070000", CHUNK_ZONE_SECONDS },
    { "-07:00:00", CHUNK_ZONE_COLON_SEC },
    { "-0700", CHUNK_ZONE },
    { "-07:00", CHUNK_ZONE_COLON },
    { "-07", CHUNK_ZONE_SHORT },
    { "Z070000", CHUNK_ZONE_ISO_SECONDS },
    { "Z07:00:00", CHUNK_ZONE_ISO_COLON_SEC },
    { "Z0700", CHUNK_ZONE_ISO },
    { "Z07:00", CHUNK_ZONE_ISO_COLON },
    { "Z07", CHUNK_ZONE_ISO_SHORT },
};

static bool starts_with(struct slg_text text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && memcmp(text.at, word, len) == 0;
}

static bool is_digit_at(struct slg_text text, size_t i)
{
    return i < text.len && text.at[i] >= '0' && text.at[i] <= '9';
}

/* The element at the start of layout, and its length; CHUNK_NONE: a literal byte. */
static enum chunk chunk_at(struct slg_text layout, size_t *ret_len)
{
    *ret_len = 1;
    if ((layout.at[0] == '.' || layout.at[0] == ',') && layout.len > 1 &&
        (layout.at[1] == '0' || layout.at[1] == '9')) {
        size_t end = 1;

        while (end < layout.len && layout.at[end] == layout.at[1])
            end++;
        if (!is_digit_at(layout, end)) {
            *ret_len = end;
            return layout.at[1] == '0' ? CHUNK_FRACTION_ZEROS : CHUNK_FRACTION_NINES;
        }
    }
    /* "_2006" is '_' and the year. */
    if (starts_with(layout, "_2006"))
        return CHUNK_NONE;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fixed_chunks); i++) {
        if (!starts_with(layout, fixed_chunks[i].text))
            continue;
        *ret_len = strlen(fixed_chunks[i].text);
        /* "Jan" and "Mon" only before what is no lower-case letter ("Month" is text). */
        if ((fixed_chunks[i].chunk == CHUNK_MONTH || fixed_chunks[i].chunk == CHUNK_WEEKDAY) &&
            layout.len > 3 && islower((unsigned char)layout.at[3]))
            continue;
        return fixed_chunks[i].chunk;
    }
    *ret_len = 1;
    return CHUNK_NONE;
}

/* ---- formatting ---- */

struct output {
    char *at;
    size_t len, capacity;
};

static void put(struct output *out, const char *text, size_t len)
{
    if (len > out->capacity - out->len)
        len = out->capacity - out->len;
    memcpy(out->at + out->len, text, len);
    out->len += len;
}

static void put_text(struct output *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_number(struct output *out, int64_t value, int width, char pad)
{
    char digits[24], text[48];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)magnitude);
    size_t len = 0;

    if (value < 0)
        text[len++] = '-';
    for (int i = n; i < width && len < 20; i++)
        text[len++] = pad;
    memcpy(text + len, digits, (size_t)n);
    put(out, text, len + (size_t)n);
}

static void put_fraction(struct output *out, struct slg_text chunk, int32_t nanoseconds)
{
    char digits[12];
    size_t count = chunk.len - 1 > 9 ? 9 : chunk.len - 1;

    (void)snprintf(digits, sizeof(digits), "%09d", nanoseconds);
    if (chunk.at[1] == '9') {
        while (count > 0 && digits[count - 1] == '0')
            count--;
        if (count == 0)
            return;
    }
    put(out, chunk.at, 1);
    put(out, digits, count);
}

static void put_zone(struct output *out, enum chunk chunk, const struct slg_go_time *time)
{
    bool iso = chunk >= CHUNK_ZONE_ISO && chunk <= CHUNK_ZONE_ISO_COLON_SEC;
    bool colon = chunk == CHUNK_ZONE_COLON || chunk == CHUNK_ZONE_COLON_SEC ||
                 chunk == CHUNK_ZONE_ISO_COLON || chunk == CHUNK_ZONE_ISO_COLON_SEC;
    bool seconds = chunk == CHUNK_ZONE_SECONDS || chunk == CHUNK_ZONE_COLON_SEC ||
                   chunk == CHUNK_ZONE_ISO_SECONDS || chunk == CHUNK_ZONE_ISO_COLON_SEC;
    int offset = time->offset_seconds < 0 ? -time->offset_seconds : time->offset_seconds;

    if (iso && offset == 0) {
        put_text(out, "Z");
        return;
    }
    put_text(out, time->offset_seconds < 0 ? "-" : "+");
    put_number(out, offset / 3600, 2, '0');
    if (chunk == CHUNK_ZONE_SHORT || chunk == CHUNK_ZONE_ISO_SHORT)
        return;
    if (colon)
        put_text(out, ":");
    put_number(out, offset / 60 % 60, 2, '0');
    if (seconds) {
        if (colon)
            put_text(out, ":");
        put_number(out, offset % 60, 2, '0');
    }
}

static void put_date_chunk(struct output *out, enum chunk chunk, const struct slg_civil *civil)
{
    switch ((int)chunk) {
    case CHUNK_LONG_MONTH:
        put_text(out, months[civil->month - 1]);
        break;
    case CHUNK_MONTH:
        put(out, months[civil->month - 1], 3);
        break;
    case CHUNK_NUM_MONTH:
        put_number(out, civil->month, 1, '0');
        break;
    case CHUNK_ZERO_MONTH:
        put_number(out, civil->month, 2, '0');
        break;
    case CHUNK_LONG_WEEKDAY:
        put_text(out, weekdays[civil->weekday]);
        break;
    case CHUNK_WEEKDAY:
        put(out, weekdays[civil->weekday], 3);
        break;
    case CHUNK_DAY:
        put_number(out, civil->day, 1, '0');
        break;
    case CHUNK_UNDER_DAY:
        put_number(out, civil->day, 2, ' ');
        break;
    case CHUNK_ZERO_DAY:
        put_number(out, civil->day, 2, '0');
        break;
    case CHUNK_UNDER_YEAR_DAY:
        put_number(out, civil->year_day, 3, ' ');
        break;
    case CHUNK_ZERO_YEAR_DAY:
        put_number(out, civil->year_day, 3, '0');
        break;
    case CHUNK_LONG_YEAR:
        put_number(out, civil->year, 4, '0');
        break;
    case CHUNK_YEAR:
        put_number(out, (civil->year < 0 ? 0 : civil->year) % 100, 2, '0');
        break;
    default:
        break;
    }
}

static void put_clock_chunk(struct output *out, enum chunk chunk, const struct slg_civil *civil)
{
    int hour12 = civil->hour % 12 == 0 ? 12 : civil->hour % 12;

    switch ((int)chunk) {
    case CHUNK_HOUR:
        put_number(out, civil->hour, 2, '0');
        break;
    case CHUNK_HOUR12:
        put_number(out, hour12, 1, '0');
        break;
    case CHUNK_ZERO_HOUR12:
        put_number(out, hour12, 2, '0');
        break;
    case CHUNK_MINUTE:
        put_number(out, civil->minute, 1, '0');
        break;
    case CHUNK_ZERO_MINUTE:
        put_number(out, civil->minute, 2, '0');
        break;
    case CHUNK_SECOND:
        put_number(out, civil->second, 1, '0');
        break;
    case CHUNK_ZERO_SECOND:
        put_number(out, civil->second, 2, '0');
        break;
    case CHUNK_PM_UPPER:
        put_text(out, civil->hour >= 12 ? "PM" : "AM");
        break;
    case CHUNK_PM_LOWER:
        put_text(out, civil->hour >= 12 ? "pm" : "am");
        break;
    default:
        break;
    }
}

static void put_zone_name(struct output *out, const struct slg_go_time *time)
{
    if (time->abbreviation[0] != '\0') {
        put_text(out, time->abbreviation);
        return;
    }
    put_zone(out, CHUNK_ZONE, time);
}

size_t slg_go_time_format(const struct slg_go_time *time, struct slg_text layout, char *out,
                          size_t capacity)
{
    struct output output = { .at = out, .capacity = capacity };
    struct slg_civil civil = slg_go_time_civil(time);
    size_t len;

    for (; layout.len > 0; layout = slg_text_make(layout.at + len, layout.len - len)) {
        enum chunk chunk = chunk_at(layout, &len);

        if (chunk == CHUNK_NONE)
            put(&output, layout.at, len);
        else if (chunk == CHUNK_FRACTION_ZEROS || chunk == CHUNK_FRACTION_NINES)
            put_fraction(&output, slg_text_make(layout.at, len), time->nanoseconds);
        else if (chunk == CHUNK_ZONE_NAME)
            put_zone_name(&output, time);
        else if (chunk >= CHUNK_ZONE_ISO)
            put_zone(&output, chunk, time);
        else {
            put_date_chunk(&output, chunk, &civil);
            put_clock_chunk(&output, chunk, &civil);
        }
    }
    return output.len;
}

/* ---- parsing ---- */

struct parsed {
    struct slg_civil civil;
    int32_t nanoseconds;
    bool pm_set, pm, am_set;
    bool has_offset, has_name, is_utc;
    int32_t offset_seconds;
    char name[8];
    int name_hours; /* of "GMT+8" */
    int year_day;   /* 0: not given */
    bool has_month, has_day;
};

static bool take_number(struct slg_text *text, size_t digits_min, size_t digits_max, int *ret)
{
    size_t n = 0;
    int value = 0;

    while (n < digits_max && is_digit_at(*text, n))
        value = value * 10 + (text->at[n++] - '0');
    if (n < digits_min)
        return false;
    *ret = value;
    *text = slg_text_make(text->at + n, text->len - n);
    return true;
}

static bool take_name(struct slg_text *text, const char *const *names, size_t count, size_t len,
                      int *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        size_t name_len = len == 0 ? strlen(names[i]) : len;

        if (text->len >= name_len && strncasecmp(text->at, names[i], name_len) == 0) {
            *ret_index = (int)i;
            *text = slg_text_make(text->at + name_len, text->len - name_len);
            return true;
        }
    }
    return false;
}

static bool take_fraction(struct slg_text *text, size_t digits, int32_t *ret_nanoseconds)
{
    int32_t value = 0;
    size_t n = 0;

    while (is_digit_at(*text, n) && (digits == 0 || n < digits)) {
        if (n < 9)
            value = value * 10 + (text->at[n] - '0');
        n++;
    }
    if (n == 0 || (digits > 0 && n != digits))
        return false;
    for (size_t i = n; i < 9; i++)
        value *= 10;
    *ret_nanoseconds = value;
    *text = slg_text_make(text->at + n, text->len - n);
    return true;
}

static bool take_literal(struct slg_text *text, char c)
{
    if (text->len == 0 || text->at[0] != c)
        return false;
    *text = slg_text_make(text->at + 1, text->len - 1);
    return true;
}

static bool take_offset(struct slg_text *text, enum chunk chunk, struct parsed *p)
{
    bool iso = chunk >= CHUNK_ZONE_ISO && chunk <= CHUNK_ZONE_ISO_COLON_SEC;
    bool colon = chunk == CHUNK_ZONE_COLON || chunk == CHUNK_ZONE_COLON_SEC ||
                 chunk == CHUNK_ZONE_ISO_COLON || chunk == CHUNK_ZONE_ISO_COLON_SEC;
    bool short_form = chunk == CHUNK_ZONE_SHORT || chunk == CHUNK_ZONE_ISO_SHORT;
    bool seconds = chunk == CHUNK_ZONE_SECONDS || chunk == CHUNK_ZONE_COLON_SEC ||
                   chunk == CHUNK_ZONE_ISO_SECONDS || chunk == CHUNK_ZONE_ISO_COLON_SEC;
    int sign, hour, minute = 0, second = 0;

    if (iso && take_literal(text, 'Z')) {
        p->is_utc = true;
        return true;
    }
    if (text->len == 0 || (text->at[0] != '+' && text->at[0] != '-'))
        return false;
    sign = text->at[0] == '-' ? -1 : 1;
    *text = slg_text_make(text->at + 1, text->len - 1);
    if (!take_number(text, 2, 2, &hour) || hour > 24)
        return false;
    if (!short_form &&
        ((colon && !take_literal(text, ':')) || !take_number(text, 2, 2, &minute) || minute > 60))
        return false;
    if (seconds &&
        ((colon && !take_literal(text, ':')) || !take_number(text, 2, 2, &second) || second > 60))
        return false;
    p->offset_seconds = sign * (hour * 3600 + minute * 60 + second);
    p->has_offset = true;
    return true;
}

/* Length of a sign and up to 23 hours behind it, or 0. */
static size_t signed_hours(struct slg_text text, int *ret_hours)
{
    size_t n = 1;
    int hours = 0;

    if (text.len < 2 || (*text.at != '+' && *text.at != '-'))
        return 0;
    for (; n < text.len && n < 4 && isdigit((unsigned char)text.at[n]); n++)
        hours = hours * 10 + (text.at[n] - '0');
    if (n == 1 || n == 4 || hours > 23)
        return 0;
    *ret_hours = *text.at == '-' ? -hours : hours;
    return n;
}

/* A zone's name: 3 to 5 capital letters (with Go's shapes reduced to that), or GMT+3, or a signed number. */
static bool take_zone_name(struct slg_text *text, struct parsed *p)
{
    size_t n = 0;

    if (starts_with(*text, "UTC")) {
        p->is_utc = true;
        *text = slg_text_make(text->at + 3, text->len - 3);
        return true;
    }
    if (starts_with(*text, "GMT") || (text->len > 0 && (*text->at == '+' || *text->at == '-'))) {
        n = *text->at == 'G' ? 3 : 0;
        n += signed_hours(slg_text_make(text->at + n, text->len - n), &p->name_hours);
        if (n == 0)
            return false;
        p->name_hours = *text->at == 'G' ? p->name_hours : 0; /* of a mere number Go takes none */
    } else {
        while (n < text->len && n < 6 && isupper((unsigned char)text->at[n]))
            n++;
        if (n < 3 || n > 5)
            return false;
    }
    memcpy(p->name, text->at, n);
    p->name[n] = '\0';
    p->has_name = true;
    *text = slg_text_make(text->at + n, text->len - n);
    return true;
}

static bool take_date_chunk(struct slg_text *text, enum chunk chunk, struct parsed *p)
{
    int value = 0;

    switch ((int)chunk) {
    case CHUNK_LONG_YEAR:
        if (!take_number(text, 4, 4, &value))
            return false;
        p->civil.year = value;
        return true;
    case CHUNK_YEAR:
        if (!take_number(text, 2, 2, &value))
            return false;
        p->civil.year = value + (value >= 69 ? 1900 : 2000);
        return true;
    case CHUNK_LONG_MONTH:
    case CHUNK_MONTH:
        if (!take_name(text, months, 12, chunk == CHUNK_MONTH ? 3 : 0, &value))
            return false;
        p->civil.month = value + 1;
        p->has_month = true;
        return true;
    case CHUNK_NUM_MONTH:
    case CHUNK_ZERO_MONTH:
        p->has_month = true;
        return take_number(text, chunk == CHUNK_ZERO_MONTH ? 2 : 1, 2, &p->civil.month) &&
               p->civil.month >= 1 && p->civil.month <= 12;
    case CHUNK_LONG_WEEKDAY:
    case CHUNK_WEEKDAY:
        return take_name(text, weekdays, 7, chunk == CHUNK_WEEKDAY ? 3 : 0, &value);
    case CHUNK_UNDER_DAY:
    case CHUNK_DAY:
    case CHUNK_ZERO_DAY:
        if (chunk == CHUNK_UNDER_DAY)
            (void)take_literal(text, ' '); /* optional */
        p->has_day = true;
        return take_number(text, chunk == CHUNK_ZERO_DAY ? 2 : 1, 2, &p->civil.day);
    case CHUNK_UNDER_YEAR_DAY:
        while (take_literal(text, ' '))
            continue;
        return take_number(text, 1, 3, &p->year_day);
    case CHUNK_ZERO_YEAR_DAY:
        return take_number(text, 3, 3, &p->year_day);
    default:
        return false;
    }
}

static bool take_clock_chunk(struct slg_text *text, enum chunk chunk, struct parsed *p)
{
    switch ((int)chunk) {
    case CHUNK_HOUR:
        return take_number(text, 1, 2, &p->civil.hour) && p->civil.hour < 24;
    case CHUNK_HOUR12:
    case CHUNK_ZERO_HOUR12:
        return take_number(text, chunk == CHUNK_HOUR12 ? 1 : 2, 2, &p->civil.hour) &&
               p->civil.hour <= 12;
    case CHUNK_MINUTE:
    case CHUNK_ZERO_MINUTE:
        return take_number(text, chunk == CHUNK_MINUTE ? 1 : 2, 2, &p->civil.minute) &&
               p->civil.minute < 60;
    case CHUNK_SECOND:
    case CHUNK_ZERO_SECOND:
        return take_number(text, chunk == CHUNK_SECOND ? 1 : 2, 2, &p->civil.second) &&
               p->civil.second < 60;
    case CHUNK_PM_UPPER:
    case CHUNK_PM_LOWER:
        if (text->len < 2)
            return false;
        p->pm = starts_with(*text, chunk == CHUNK_PM_UPPER ? "PM" : "pm");
        p->am_set = starts_with(*text, chunk == CHUNK_PM_UPPER ? "AM" : "am");
        *text = slg_text_make(text->at + 2, text->len - 2);
        return p->pm || p->am_set;
    default:
        return false;
    }
}

static bool take_chunk(struct slg_text *text, enum chunk chunk, struct slg_text layout,
                       struct parsed *p)
{
    if (chunk == CHUNK_FRACTION_ZEROS || chunk == CHUNK_FRACTION_NINES) {
        struct slg_text rest = *text;
        bool there = rest.len > 0 && (rest.at[0] == '.' || rest.at[0] == ',');

        if (there)
            rest = slg_text_make(rest.at + 1, rest.len - 1);
        if (chunk == CHUNK_FRACTION_ZEROS) {
            if (!there || !take_fraction(&rest, layout.len - 1, &p->nanoseconds))
                return false;
        } else if (!there || !take_fraction(&rest, 0, &p->nanoseconds)) {
            return true; /* .999 may be missing */
        }
        *text = rest;
        return true;
    }
    if (chunk == CHUNK_ZONE_NAME)
        return take_zone_name(text, p);
    if (chunk >= CHUNK_ZONE_ISO)
        return take_offset(text, chunk, p);
    if ((chunk >= CHUNK_HOUR && chunk <= CHUNK_ZERO_SECOND) || chunk == CHUNK_PM_UPPER ||
        chunk == CHUNK_PM_LOWER)
        return take_clock_chunk(text, chunk, p);
    return take_date_chunk(text, chunk, p);
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int month, int64_t year)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static bool resolve(struct parsed *p, const struct slg_zone *zone, struct slg_go_time *ret_time)
{
    struct slg_civil *c = &p->civil;
    int64_t seconds;

    if (p->pm && c->hour < 12)
        c->hour += 12;
    else if (p->am_set && c->hour == 12)
        c->hour = 0;
    if (p->year_day > 0) {
        if (p->year_day > 365 + is_leap(c->year))
            return false;
        if (!p->has_month) {
            for (c->month = 1, c->day = p->year_day; c->day > days_in(c->month, c->year);)
                c->day -= days_in(c->month++, c->year);
            p->has_day = true;
        }
    }
    if (c->day < 1 || c->day > days_in(c->month, c->year))
        return false;
    seconds = slg_days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
              c->second;
    if (p->is_utc) {
        *ret_time = slg_go_time_utc(seconds, p->nanoseconds);
    } else if (p->has_offset) {
        struct slg_go_time in_zone;

        *ret_time = slg_go_time_utc(seconds - p->offset_seconds, p->nanoseconds);
        in_zone = slg_go_time_in(*ret_time, zone);
        if (in_zone.offset_seconds == p->offset_seconds) {
            *ret_time = in_zone;
        } else {
            ret_time->offset_seconds = p->offset_seconds;
            memcpy(ret_time->abbreviation, p->name, sizeof(p->name));
        }
    } else {
        /* The zone's offset at that local time: look twice, as Go's Date does. */
        struct slg_go_time guess = slg_go_time_in(slg_go_time_utc(seconds, 0), zone);

        guess = slg_go_time_in(slg_go_time_utc(seconds - guess.offset_seconds, 0), zone);
        *ret_time =
            slg_go_time_in(slg_go_time_utc(seconds - guess.offset_seconds, p->nanoseconds), zone);
        if (p->has_name && strcmp(p->name, ret_time->abbreviation) != 0) {
            *ret_time = slg_go_time_utc(seconds, p->nanoseconds);
            memcpy(ret_time->abbreviation, p->name, sizeof(p->name));
            ret_time->offset_seconds = p->name_hours * 3600;
        }
    }
    return true;
}

bool slg_go_time_parse(struct slg_text layout, struct slg_text text, const struct slg_zone *zone,
                       struct slg_go_time *ret_time)
{
    struct parsed p = { .civil = { .year = 0, .month = 1, .day = 1 } };
    size_t len;

    for (; layout.len > 0; layout = slg_text_make(layout.at + len, layout.len - len)) {
        enum chunk chunk = chunk_at(layout, &len);

        if (chunk == CHUNK_NONE) {
            if (!take_literal(&text, layout.at[0]))
                return false;
            continue;
        }
        if (!take_chunk(&text, chunk, slg_text_make(layout.at, len), &p))
            return false;
        /* Seconds may have a fraction that the layout does not mention. */
        if ((chunk == CHUNK_SECOND || chunk == CHUNK_ZERO_SECOND) && text.len >= 2 &&
            (text.at[0] == '.' || text.at[0] == ',') && is_digit_at(text, 1)) {
            struct slg_text rest = slg_text_make(layout.at + len, layout.len - len);
            size_t next_len;
            enum chunk next = rest.len > 0 ? chunk_at(rest, &next_len) : CHUNK_NONE;

            if (next != CHUNK_FRACTION_ZEROS && next != CHUNK_FRACTION_NINES) {
                text = slg_text_make(text.at + 1, text.len - 1);
                (void)take_fraction(&text, 0, &p.nanoseconds); /* there is a digit */
            }
        }
    }
    return text.len == 0 && resolve(&p, zone, ret_time);
}
