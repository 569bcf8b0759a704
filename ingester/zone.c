#include "ingester/zone.h"

#include "base/cursor.h"

#define DAY_SEC          INT64_C(86400)
#define TRANSITION_MAX   4096 /* the largest real table has 250 and the footer adds 2 a year */
#define FOOTER_YEAR_LAST 2200
#define FOOTER_YEARS_MAX 400
#define BUCKET_SHIFT     21 /* 24 days */
#define BUCKET_COUNT     ((size_t)3480)
#define BUCKET_MIXED     INT32_MIN

/* offsets[i] is in force from at[i] on; before at[0]: first_offset. The table goes to FOOTER_YEAR_LAST.
 * bucket[i] covers the local seconds [i << BUCKET_SHIFT, +1): the one offset in force there and a day around it, or
 * BUCKET_MIXED. It makes the usual case one load. */
struct slg_zone {
    size_t count;
    int32_t first_offset;
    int64_t at[TRANSITION_MAX];
    int32_t offsets[TRANSITION_MAX];
    int32_t bucket[BUCKET_COUNT];
};

/* All zero: no transition, offset 0 in every bucket. */
static const struct slg_zone zone_utc;

const struct slg_zone *slg_zone_utc(void)
{
    return &zone_utc;
}

struct slg_zone *slg_zone_create_utc(void)
{
    return calloc(1, sizeof(struct slg_zone));
}

/* Days from civil and back: the 400-year cycle counted from March, as in Howard Hinnant's "chrono-compatible
 * low-level date algorithms". */
int64_t slg_zone_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = (int64_t)(month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void slg_zone_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month,
                              unsigned *ret_day)
{
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    unsigned month =
        (unsigned)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);

    *ret_day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *ret_month = month;
    *ret_year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
}

static bool leap_year(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

bool slg_zone_date_valid(int64_t year, unsigned month, unsigned day)
{
    static const uint8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month < 1 || month > 12 || day < 1)
        return false;
    return day <= days[month - 1] || (month == 2 && day == 29 && leap_year(year));
}

int32_t slg_zone_offset_at(const struct slg_zone *zone, int64_t utc_sec)
{
    size_t low = 0;
    size_t high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->at[middle] <= utc_sec)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? zone->first_offset : zone->offsets[low - 1];
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

static int64_t to_utc_slowly(const struct slg_zone *zone, int64_t local_sec, int64_t near_utc_sec)
{
    int32_t before = slg_zone_offset_at(zone, local_sec - DAY_SEC);
    int32_t after = slg_zone_offset_at(zone, local_sec + DAY_SEC);
    int64_t by_before = local_sec - before;
    int64_t by_after = local_sec - after;
    bool before_fits = slg_zone_offset_at(zone, by_before) == before;
    bool after_fits = slg_zone_offset_at(zone, by_after) == after;

    if (before_fits && after_fits)
        return distance(by_before, near_utc_sec) <= distance(by_after, near_utc_sec) ? by_before
                                                                                     : by_after;
    return after_fits ? by_after : by_before;
}

int64_t slg_zone_to_utc(const struct slg_zone *zone, int64_t local_sec, int64_t near_utc_sec)
{
    if (local_sec >= 0 && (local_sec >> BUCKET_SHIFT) < (int64_t)BUCKET_COUNT) {
        int32_t offset = zone->bucket[local_sec >> BUCKET_SHIFT];

        if (offset != BUCKET_MIXED)
            return local_sec - offset;
    }
    return to_utc_slowly(zone, local_sec, near_utc_sec);
}

static void fill_buckets(struct slg_zone *zone)
{
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        int64_t start = (int64_t)(i << BUCKET_SHIFT) - 2 * DAY_SEC;
        int64_t end = (int64_t)((i + 1) << BUCKET_SHIFT) + 2 * DAY_SEC;
        int32_t offset = slg_zone_offset_at(zone, start);

        for (size_t t = 0; t < zone->count; t++) {
            if (zone->at[t] > start && zone->at[t] <= end && zone->offsets[t] != offset)
                offset = BUCKET_MIXED;
        }
        zone->bucket[i] = offset;
    }
}

/* ---- the footer: a POSIX TZ rule, RFC 8536 section 3.3 ---- */

struct footer_date {
    char kind; /* 'M' month.week.day, 'J' day 1-365 without Feb 29, '0' day 0-365 */
    unsigned month, week, day;
    int32_t second; /* of the day; may be negative or over a day */
};

struct footer {
    int32_t std_offset;
    int32_t dst_offset;
    bool has_dst;
    struct footer_date start, end;
};

static bool take_zone_name(struct slg_cursor *c)
{
    size_t len = 0;

    if (slg_cursor_take_byte(c, '<')) {
        while (c->at < c->end && *c->at != '>') {
            c->at++;
            len++;
        }
        return len > 0 && slg_cursor_take_byte(c, '>');
    }
    while (c->at < c->end && ((*c->at | 0x20) >= 'a' && (*c->at | 0x20) <= 'z')) {
        c->at++;
        len++;
    }
    return len > 0;
}

/* [+-]hh[:mm[:ss]] in seconds; up to 167 hours (RFC 8536 section 3.3.1). */
static bool take_hms(struct slg_cursor *c, int32_t *ret_seconds)
{
    uint64_t hours;
    uint64_t minutes = 0;
    uint64_t seconds = 0;
    bool negative = slg_cursor_take_byte(c, '-');

    if (!negative)
        (void)slg_cursor_take_byte(c, '+');
    if (!slg_cursor_take_uint(c, 3, 167, &hours))
        return false;
    if (slg_cursor_take_byte(c, ':')) {
        if (!slg_cursor_take_uint(c, 2, 59, &minutes))
            return false;
        if (slg_cursor_take_byte(c, ':') && !slg_cursor_take_uint(c, 2, 59, &seconds))
            return false;
    }
    *ret_seconds = (int32_t)(hours * 3600 + minutes * 60 + seconds) * (negative ? -1 : 1);
    return true;
}

static bool take_footer_date(struct slg_cursor *c, struct footer_date *date)
{
    uint64_t month = 0;
    uint64_t week = 0;
    uint64_t day;

    if (!slg_cursor_take_byte(c, ','))
        return false;
    if (slg_cursor_take_byte(c, 'M')) {
        date->kind = 'M';
        if (!slg_cursor_take_uint(c, 2, 12, &month) || month == 0 ||
            !slg_cursor_take_byte(c, '.') || !slg_cursor_take_uint(c, 1, 5, &week) || week == 0 ||
            !slg_cursor_take_byte(c, '.') || !slg_cursor_take_uint(c, 1, 6, &day))
            return false;
    } else if (slg_cursor_take_byte(c, 'J')) {
        date->kind = 'J';
        if (!slg_cursor_take_uint(c, 3, 365, &day) || day == 0)
            return false;
    } else {
        date->kind = '0';
        if (!slg_cursor_take_uint(c, 3, 365, &day))
            return false;
    }
    date->month = (unsigned)month;
    date->week = (unsigned)week;
    date->day = (unsigned)day;
    date->second = 2 * 3600;
    return !slg_cursor_take_byte(c, '/') || take_hms(c, &date->second);
}

static bool parse_footer(struct slg_cursor c, struct footer *footer)
{
    int32_t west;

    *footer = (struct footer){ 0 };
    if (!take_zone_name(&c) || !take_hms(&c, &west))
        return false;
    footer->std_offset = -west; /* POSIX counts west of Greenwich */
    if (c.at == c.end)
        return true;
    if (!take_zone_name(&c))
        return false;
    footer->has_dst = true;
    footer->dst_offset = footer->std_offset + 3600;
    if (c.at < c.end && *c.at != ',') {
        if (!take_hms(&c, &west))
            return false;
        footer->dst_offset = -west;
    }
    return take_footer_date(&c, &footer->start) && take_footer_date(&c, &footer->end) &&
           c.at == c.end;
}

/* Local second (counted as UTC) at which a footer date falls in that year. */
static int64_t footer_second(const struct footer_date *date, int64_t year)
{
    int64_t days;

    if (date->kind == 'M') {
        int64_t first = slg_zone_days_from_civil(year, date->month, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        unsigned day = 1 + (unsigned)((date->day + 7 - weekday) % 7) + (date->week - 1) * 7;

        while (!slg_zone_date_valid(year, date->month, day))
            day -= 7; /* week 5 = the last one */
        days = slg_zone_days_from_civil(year, date->month, day);
    } else {
        unsigned day = date->day;

        if (date->kind == 'J')
            day -= leap_year(year) && day >= 60 ? 0 : 1;
        days = slg_zone_days_from_civil(year, 1, 1) + day;
    }
    return days * DAY_SEC + date->second;
}

static void add_transition(struct slg_zone *zone, int64_t at, int32_t offset)
{
    if (zone->count == TRANSITION_MAX || (zone->count > 0 && at <= zone->at[zone->count - 1]))
        return;
    zone->at[zone->count] = at;
    zone->offsets[zone->count] = offset;
    zone->count++;
}

/* Continue the table by the rule of the footer, so that a lookup needs the table only. */
static void apply_footer(struct slg_zone *zone, const struct footer *footer)
{
    int64_t year = 1970;
    unsigned month;
    unsigned day;

    if (!footer->has_dst) {
        if (zone->count == 0)
            zone->first_offset = footer->std_offset;
        return;
    }
    if (zone->count > 0)
        slg_zone_civil_from_days(zone->at[zone->count - 1] / DAY_SEC, &year, &month, &day);
    if (year < FOOTER_YEAR_LAST - FOOTER_YEARS_MAX)
        year = FOOTER_YEAR_LAST - FOOTER_YEARS_MAX;
    for (; year <= FOOTER_YEAR_LAST; year++) {
        int64_t start = footer_second(&footer->start, year) - footer->std_offset;
        int64_t end = footer_second(&footer->end, year) - footer->dst_offset;

        if (start < end) {
            add_transition(zone, start, footer->dst_offset);
            add_transition(zone, end, footer->std_offset);
        } else { /* southern summer spans the New Year */
            add_transition(zone, end, footer->std_offset);
            add_transition(zone, start, footer->dst_offset);
        }
    }
}

/* ---- TZif ---- */

struct tz_header {
    uint8_t version;
    uint32_t isut_count, isstd_count, leap_count, time_count, type_count, char_count;
};

static bool take_header(struct slg_cursor *c, struct tz_header *header)
{
    const uint8_t *reserved;

    return slg_cursor_take_text(c, "TZif") && slg_cursor_take_u8(c, &header->version) &&
           slg_cursor_take_bytes(c, 15, &reserved) &&
           slg_cursor_take_u32be(c, &header->isut_count) &&
           slg_cursor_take_u32be(c, &header->isstd_count) &&
           slg_cursor_take_u32be(c, &header->leap_count) &&
           slg_cursor_take_u32be(c, &header->time_count) &&
           slg_cursor_take_u32be(c, &header->type_count) &&
           slg_cursor_take_u32be(c, &header->char_count) && header->time_count <= TRANSITION_MAX &&
           header->type_count >= 1 && header->type_count <= 256 && header->char_count <= 4096 &&
           header->leap_count <= 4096 && header->isut_count <= 256 && header->isstd_count <= 256;
}

static bool skip_bytes(struct slg_cursor *c, size_t len)
{
    const uint8_t *ignored;

    return slg_cursor_take_bytes(c, len, &ignored);
}

/* One data block with times of time_size bytes (4 in version 1, else 8). */
static bool take_block(struct slg_cursor *c, const struct tz_header *header, size_t time_size,
                       struct slg_zone *zone)
{
    const uint8_t *indexes;
    int32_t offsets[256] = { 0 };
    struct slg_cursor times = *c;

    if (!skip_bytes(c, header->time_count * time_size) ||
        !slg_cursor_take_bytes(c, header->time_count, &indexes))
        return false;
    for (uint32_t i = 0; i < header->type_count; i++) {
        uint32_t raw;

        if (!slg_cursor_take_u32be(c, &raw) || !skip_bytes(c, 2))
            return false;
        offsets[i] = (int32_t)raw;
        if (offsets[i] < -93600 || offsets[i] > 93600) /* RFC 8536 section 3.2: within 26 h */
            return false;
    }
    if (!skip_bytes(c, header->char_count + header->leap_count * (time_size + 4) +
                           header->isstd_count + header->isut_count))
        return false;
    zone->count = 0;
    zone->first_offset = offsets[0];
    for (uint32_t i = 0; i < header->time_count; i++) {
        uint64_t at = 0;
        uint32_t at32 = 0;
        int64_t second;

        if (time_size == 8 ? !slg_cursor_take_u64be(&times, &at)
                           : !slg_cursor_take_u32be(&times, &at32))
            return false;
        second = time_size == 8 ? (int64_t)at : (int32_t)at32;
        if (indexes[i] >= header->type_count ||
            (zone->count > 0 && second <= zone->at[zone->count - 1]))
            return false;
        add_transition(zone, second, offsets[indexes[i]]);
    }
    return true;
}

static bool read_tzif(struct slg_cursor c, struct slg_zone *zone)
{
    struct tz_header header;
    struct footer footer;
    const uint8_t *end;

    if (!take_header(&c, &header) || !take_block(&c, &header, 4, zone))
        return false;
    if (header.version < '2')
        return true;
    if (!take_header(&c, &header) || !take_block(&c, &header, 8, zone))
        return false;
    if (!slg_cursor_take_byte(&c, '\n'))
        return false;
    end = memchr(c.at, '\n', slg_cursor_left(&c));
    if (end == NULL)
        return false;
    if (end == c.at)
        return true; /* an empty footer: nothing is known after the last transition */
    if (!parse_footer(slg_cursor_make(c.at, (size_t)(end - c.at)), &footer))
        return false;
    apply_footer(zone, &footer);
    return true;
}

enum slg_status slg_zone_parse(const uint8_t *bytes, size_t len, struct slg_zone **ret_zone,
                               struct slg_error *reterr)
{
    struct slg_zone *zone = calloc(1, sizeof(*zone));

    if (zone == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a time zone");
    if (!read_tzif(slg_cursor_make(bytes, len), zone)) {
        free(zone);
        return slg_errorf(reterr, SLG_MALFORMED, "not a time zone file (RFC 8536)");
    }
    fill_buckets(zone);
    *ret_zone = zone;
    return SLG_OK;
}

void slg_zone_destroy(struct slg_zone *zone)
{
    free(zone);
}
