/* Times of templates: up to the first NUL a layout of Go, then a text. What parses is a time of the calendar, and what is
 * written of it in RFC 3339 is read as the same time.
 * Covers: gotime.c */
#include <stdlib.h>
#include <string.h>

#include "logql/pipe/gotime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAPACITY 512

static void check_time(const struct slg_go_time *time)
{
    static const char nano[] = "2006-01-02T15:04:05.999999999Z07:00";
    struct slg_text layout = slg_text_make(nano, sizeof(nano) - 1);
    struct slg_civil civil = slg_go_time_civil(time);
    struct slg_go_time again;
    char out[CAPACITY];
    size_t len;

    SLG_ASSERT(civil.month >= 1 && civil.month <= 12);
    SLG_ASSERT(civil.day >= 1 && civil.day <= 31);
    SLG_ASSERT(civil.hour >= 0 && civil.hour <= 23);
    SLG_ASSERT(civil.weekday >= 0 && civil.weekday <= 6);
    SLG_ASSERT(civil.year_day >= 1 && civil.year_day <= 366);
    SLG_ASSERT(time->nanoseconds >= 0 && time->nanoseconds < 1000000000);
    len = slg_go_time_format(time, layout, out, sizeof(out));
    SLG_ASSERT(len <= sizeof(out));
    /* Offsets with seconds, and years of more than four digits, have no place in RFC 3339. */
    if (civil.year < 0 || civil.year > 9999 || time->offset_seconds % 60 != 0 ||
        labs(time->offset_seconds) >= 24 * 3600)
        return;
    SLG_ASSERT(slg_go_time_parse(layout, slg_text_make(out, len), NULL, &again));
    SLG_ASSERT(again.seconds == time->seconds);
    SLG_ASSERT(again.nanoseconds == time->nanoseconds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    size_t len = nul == NULL ? size : (size_t)(nul - data);
    struct slg_text layout = slg_text_make(data, len);
    struct slg_text text = nul == NULL ? layout : slg_text_make(nul + 1, size - len - 1);
    struct slg_go_time time = slg_go_time_utc(1795339835, 123456789);
    char out[CAPACITY];

    SLG_ASSERT(slg_go_time_format(&time, layout, out, sizeof(out)) <= sizeof(out));
    if (slg_go_time_parse(layout, text, NULL, &time))
        check_time(&time);
    SLG_ASSERT(slg_go_time_format(&time, text, out, len < sizeof(out) ? len : sizeof(out)) <=
               sizeof(out));
    return 0;
}
