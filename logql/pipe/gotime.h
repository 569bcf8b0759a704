/* logql/pipe/gotime.h - time.Time of Go as templates see it: layouts, parsing, zones.
 *
 * Layouts are Go's ("2006-01-02T15:04:05.000Z07:00"). Zones are read from the system's zone database (RFC 8536 files)
 * when a template names one: the only file access in logql, bounded and read-only; without the file the zone is UTC, as
 * in Loki. Local time is UTC. Threads: pure but for that. */
#ifndef SLG_LOGQL_PIPE_GOTIME_H
#define SLG_LOGQL_PIPE_GOTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/label.h"

#define SLG_ZONE_FILE_BYTES_MAX   ((size_t)65536)
#define SLG_ZONE_CHANGE_COUNT_MAX 2000
#define SLG_ZONE_TYPE_COUNT_MAX   256

struct slg_zone {
    char name[64];
    size_t change_count, type_count;
    int64_t change[SLG_ZONE_CHANGE_COUNT_MAX];
    uint8_t change_type[SLG_ZONE_CHANGE_COUNT_MAX];
    struct {
        int32_t offset_seconds;
        char abbreviation[8];
    } type[SLG_ZONE_TYPE_COUNT_MAX];
    char tail[64]; /* POSIX TZ rule behind the last change */
};

/* False: no such zone ("UTC" and "" are no files either: use NULL for them). */
bool slg_zone_load(struct slg_text name, struct slg_zone *ret_zone);

struct slg_go_time {
    int64_t seconds; /* since 1970 */
    int32_t nanoseconds;
    int32_t offset_seconds;
    char abbreviation[8];
    const struct slg_zone *zone; /* NULL: UTC, or a fixed offset */
};

struct slg_go_time slg_go_time_utc(int64_t seconds, int32_t nanoseconds);
struct slg_go_time slg_go_time_in(struct slg_go_time time, const struct slg_zone *zone);
/* 0001-01-01 00:00:00 UTC */
struct slg_go_time slg_go_time_zero(void);

struct slg_civil {
    int64_t year;
    int month, day, hour, minute, second, weekday, year_day; /* from 1; weekday 0 = Sunday */
};
struct slg_civil slg_go_time_civil(const struct slg_go_time *time);

/* Time.Format into out[capacity]; returns the length (cut at capacity). */
size_t slg_go_time_format(const struct slg_go_time *time, struct slg_text layout, char *out,
                          size_t capacity);

/* time.ParseInLocation; zone NULL = UTC. False: does not parse. */
bool slg_go_time_parse(struct slg_text layout, struct slg_text text, const struct slg_zone *zone,
                       struct slg_go_time *ret_time);

#define SLG_GO_TIME_STRING_LAYOUT "2006-01-02 15:04:05.999999999 -0700 MST"

const char *slg_go_month_name(int month);
const char *slg_go_weekday_name(int weekday);

#endif
