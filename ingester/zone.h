/* ingester/zone.h - time zones by IANA name, for stamps that say no zone (RFC 3164).
 *
 * A zone is read once from the system's tz database (TZif, RFC 8536: version 1 to 4 tables and the footer rule that
 * holds after the last one) and is immutable: any thread may use it.
 * Refuses: names with "..", a leading '/', or bytes outside [A-Za-z0-9_+-/]; files over SLG_ZONE_FILE_BYTES_MAX;
 *          tables that are cut short or inconsistent. */
#ifndef SLG_INGESTER_ZONE_H
#define SLG_INGESTER_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/label.h"

#define SLG_ZONE_FILE_BYTES_MAX ((size_t)256 * 1024) /* the largest real one is 4 KiB */
#define SLG_ZONE_CACHE_MAX      ((size_t)64)         /* zones named in one settings file */

struct slg_zone;

/* UTC; lives for ever. */
const struct slg_zone *slg_zone_utc(void);

/* The same to own. NULL: no memory. slg_zone_destroy frees it. */
SLG_MUST_CHECK struct slg_zone *slg_zone_create_utc(void);

/* Parse the bytes of a TZif file. MALFORMED; NO_MEMORY. slg_zone_destroy frees it. */
SLG_MUST_CHECK enum slg_status slg_zone_parse(const uint8_t *bytes, size_t len,
                                              struct slg_zone **ret_zone, struct slg_error *reterr);
void slg_zone_destroy(struct slg_zone *zone); /* NULL is fine; never for slg_zone_utc() */

/* Zones by name, each loaded once. Used at start and reload only (one thread). */
struct slg_zone_cache;
/* directory: the tz database, NULL = /usr/share/zoneinfo. NULL: no memory. */
SLG_MUST_CHECK struct slg_zone_cache *slg_zone_cache_create(const char *directory);
/* Frees the zones too: nobody may use them any more. */
void slg_zone_cache_destroy(struct slg_zone_cache *cache);
/* "UTC" and "" need no file; "local" is /etc/localtime (UTC when there is none). NOT_FOUND, INVALID (name),
 * MALFORMED, LIMIT (cache full), IO. *ret_zone lives as long as the cache. */
SLG_MUST_CHECK enum slg_status slg_zone_cache_get(struct slg_zone_cache *cache,
                                                  struct slg_text name,
                                                  const struct slg_zone **ret_zone,
                                                  struct slg_error *reterr);

/* Seconds east of UTC in force at utc_sec. */
int32_t slg_zone_offset_at(const struct slg_zone *zone, int64_t utc_sec);

/* The UTC second at which clocks of the zone show local_sec (civil time counted as if it were UTC). When the clocks
 * show it twice: the one nearer to near_utc_sec. When never (they were put forward over it): as if they had not
 * been put forward yet. */
int64_t slg_zone_to_utc(const struct slg_zone *zone, int64_t local_sec, int64_t near_utc_sec);

/* Days since 1970-01-01 of a proleptic Gregorian date; month 1 to 12, day 1 to 31. */
int64_t slg_zone_days_from_civil(int64_t year, unsigned month, unsigned day);
void slg_zone_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month,
                              unsigned *ret_day);
bool slg_zone_date_valid(int64_t year, unsigned month, unsigned day);

#endif
