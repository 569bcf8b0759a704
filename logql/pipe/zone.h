/* logql/pipe/zone.h - what gotime.c and zone.c share. */
#ifndef SLG_LOGQL_PIPE_ZONE_H
#define SLG_LOGQL_PIPE_ZONE_H

#include "logql/pipe/gotime.h"

/* Offset and name in force at an instant. */
void slg_zone_lookup(const struct slg_zone *zone, int64_t seconds, int32_t *ret_offset,
                     char ret_abbreviation[8]);

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar. */
int64_t slg_days_of(int64_t year, int month, int day);

#endif
