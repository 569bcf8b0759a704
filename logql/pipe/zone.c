/* Zone files, RFC 8536: only the 64-bit part, and of the footer's rule the shape that all of today's zones have:
 * <name>offset[<name>[offset],Mm.w.d[/time],Mm.w.d[/time]]. */
#include "logql/pipe/zone.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"

#define ZONE_FOLDER       "/usr/share/zoneinfo/"
#define HEADER_BYTES      ((size_t)44)
#define ABBREVIATION_ROOM ((size_t)8)

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static bool read_header(const uint8_t *at, size_t len, struct counts *c)
{
    if (len < HEADER_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    c->isut = slg_bytes_get_u32be(at + 20);
    c->isstd = slg_bytes_get_u32be(at + 24);
    c->leap = slg_bytes_get_u32be(at + 28);
    c->time = slg_bytes_get_u32be(at + 32);
    c->type = slg_bytes_get_u32be(at + 36);
    c->chars = slg_bytes_get_u32be(at + 40);
    return c->time <= SLG_ZONE_CHANGE_COUNT_MAX && c->type <= SLG_ZONE_TYPE_COUNT_MAX &&
           c->chars <= 4096 && c->leap <= 4096 && c->isut <= 256 && c->isstd <= 256;
}

static size_t body_bytes(const struct counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6 + c->chars + c->leap * (time_bytes + 4) +
           c->isstd + c->isut;
}

static bool read_types(struct slg_zone *zone, const uint8_t *types, const uint8_t *chars,
                       const struct counts *c)
{
    for (size_t i = 0; i < c->type; i++) {
        size_t start = types[i * 6 + 5];

        if (start >= c->chars)
            return false;
        zone->type[i].offset_seconds = (int32_t)slg_bytes_get_u32be(types + i * 6);
        for (size_t k = 0; k + 1 < ABBREVIATION_ROOM && start + k < c->chars; k++) {
            zone->type[i].abbreviation[k] = (char)chars[start + k];
            if (chars[start + k] == 0)
                break;
        }
    }
    return c->type > 0;
}

static bool read_zone(struct slg_zone *zone, const uint8_t *file, size_t len)
{
    struct counts c;
    const uint8_t *at;
    size_t skip, body, tail = 0;

    if (!read_header(file, len, &c) || file[4] < '2')
        return false;
    skip = HEADER_BYTES + body_bytes(&c, 4);
    if (skip > len || !read_header(file + skip, len - skip, &c))
        return false;
    at = file + skip + HEADER_BYTES;
    body = body_bytes(&c, 8);
    if (body > len - skip - HEADER_BYTES)
        return false;
    zone->change_count = c.time;
    zone->type_count = c.type;
    for (size_t i = 0; i < c.time; i++) {
        zone->change[i] = (int64_t)slg_bytes_get_u64be(at + i * 8);
        zone->change_type[i] = at[c.time * 8 + i];
        if (zone->change_type[i] >= c.type)
            return false;
    }
    if (!read_types(zone, at + c.time * 9, at + c.time * 9 + c.type * 6, &c))
        return false;
    at += body;
    if (at < file + len && *at == '\n')
        for (at++; at < file + len && *at != '\n' && tail + 1 < sizeof(zone->tail); at++)
            zone->tail[tail++] = (char)*at;
    return true;
}

static bool name_is_safe(struct slg_text name)
{
    if (name.len == 0 || name.len >= sizeof(((struct slg_zone *)NULL)->name) ||
        !isalpha((unsigned char)name.at[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];

        /* No dot: no way out of the folder. */
        if (!isalnum((unsigned char)c) && c != '/' && c != '_' && c != '-' && c != '+')
            return false;
    }
    return true;
}

bool slg_zone_load(struct slg_text name, struct slg_zone *ret_zone)
{
    char path[sizeof(ZONE_FOLDER) + sizeof(ret_zone->name)];
    uint8_t *file;
    FILE *stream;
    size_t len;
    bool ok;

    if (!name_is_safe(name))
        return false;
    (void)snprintf(path, sizeof(path), ZONE_FOLDER "%.*s", (int)name.len, name.at);
    stream = fopen(path, "rbe");
    if (stream == NULL)
        return false;
    file = malloc(SLG_ZONE_FILE_BYTES_MAX);
    len = file == NULL ? 0 : fread(file, 1, SLG_ZONE_FILE_BYTES_MAX, stream);
    (void)fclose(stream); /* only read */
    memset(ret_zone, 0, sizeof(*ret_zone));
    memcpy(ret_zone->name, name.at, name.len);
    ok = file != NULL && read_zone(ret_zone, file, len);
    free(file);
    return ok;
}

/* ---- the rule behind the last change ---- */

struct rule {
    char name[8], dst_name[8];
    int32_t offset, dst_offset;
    bool has_dst;
    struct {
        int month, week, day;
        int32_t time;
    } start, end;
};

static bool take_rule_name(const char **at, char name[8])
{
    bool quoted = **at == '<';
    size_t n = 0;

    *at += quoted;
    while (quoted ? **at != '>' && **at != '\0' : isalpha((unsigned char)**at) != 0) {
        if (n < 7)
            name[n++] = **at;
        (*at)++;
    }
    name[n] = '\0';
    if (quoted && *(*at)++ != '>')
        return false;
    return n > 0;
}

static bool take_int(const char **at, int *ret)
{
    int value = 0, digits = 0;

    while (isdigit((unsigned char)**at) && digits++ < 4)
        value = value * 10 + (*(*at)++ - '0');
    *ret = value;
    return digits > 0;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int32_t *ret_seconds)
{
    int sign = **at == '-' ? -1 : 1, part, scale = 3600;
    int32_t sum = 0;

    *at += **at == '-' || **at == '+';
    for (;; scale /= 60) {
        if (!take_int(at, &part))
            return false;
        sum += part * scale;
        if (**at != ':' || scale == 1)
            break;
        (*at)++;
    }
    *ret_seconds = sign * sum;
    return true;
}

static bool take_date(const char **at, int *month, int *week, int *day, int32_t *time)
{
    *time = 7200;
    if (**at != ',' || (*at)[1] != 'M')
        return false;
    *at += 2;
    if (!take_int(at, month) || *(*at)++ != '.' || !take_int(at, week) || *(*at)++ != '.' ||
        !take_int(at, day))
        return false;
    if (*month < 1 || *month > 12)
        return false;
    if (**at == '/') {
        (*at)++;
        return take_time(at, time);
    }
    return true;
}

static bool parse_rule(const char *at, struct rule *rule)
{
    memset(rule, 0, sizeof(*rule));
    if (!take_rule_name(&at, rule->name) || !take_time(&at, &rule->offset))
        return false;
    rule->offset = -rule->offset;
    if (*at == '\0')
        return true;
    if (!take_rule_name(&at, rule->dst_name))
        return false;
    rule->dst_offset = rule->offset + 3600;
    if (*at != ',' && *at != '\0') {
        if (!take_time(&at, &rule->dst_offset))
            return false;
        rule->dst_offset = -rule->dst_offset;
    }
    rule->has_dst =
        take_date(&at, &rule->start.month, &rule->start.week, &rule->start.day,
                  &rule->start.time) &&
        take_date(&at, &rule->end.month, &rule->end.week, &rule->end.day, &rule->end.time);
    return rule->has_dst;
}

/* Local seconds since 1970 of the week'th day (5 = last) of a month. */
static int64_t rule_date(int64_t year, int month, int week, int day, int32_t time)
{
    static const int days_in[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t first = slg_days_of(year, month, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7);
    int date = (day - weekday + 7) % 7 + (week - 1) * 7;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    while (date >= days_in[month - 1] + (month == 2 && leap))
        date -= 7;
    return (first + date) * 86400 + time;
}

static bool apply_rule(const char *tail, int64_t seconds, int32_t *ret_offset, char name[8])
{
    struct slg_go_time probe;
    struct rule rule;
    int64_t year, start, end;
    bool dst;

    if (!parse_rule(tail, &rule))
        return false;
    *ret_offset = rule.offset;
    memcpy(name, rule.name, 8);
    if (!rule.has_dst)
        return true;
    probe = slg_go_time_utc(seconds + rule.offset, 0);
    year = slg_go_time_civil(&probe).year;
    start = rule_date(year, rule.start.month, rule.start.week, rule.start.day, rule.start.time) -
            rule.offset;
    end = rule_date(year, rule.end.month, rule.end.week, rule.end.day, rule.end.time) -
          rule.dst_offset;
    dst = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end;
    if (dst) {
        *ret_offset = rule.dst_offset;
        memcpy(name, rule.dst_name, 8);
    }
    return true;
}

void slg_zone_lookup(const struct slg_zone *zone, int64_t seconds, int32_t *ret_offset,
                     char ret_abbreviation[8])
{
    size_t low = 0, high = zone->change_count, type = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->change[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == zone->change_count && zone->tail[0] != '\0' &&
        apply_rule(zone->tail, seconds, ret_offset, ret_abbreviation))
        return;
    if (low > 0)
        type = zone->change_type[low - 1];
    *ret_offset = zone->type[type].offset_seconds;
    memcpy(ret_abbreviation, zone->type[type].abbreviation, 8);
}
