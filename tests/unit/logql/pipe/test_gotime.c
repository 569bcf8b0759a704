/* Times are written and read by Go's layouts, in zones of the system's database.
 * Covers: logql/pipe/zone.c
 * Oracle: rows; instants by `date -d`, changes of summer time by the European and American rules. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "base/assert.h"
#include "logql/pipe/gotime.h"

#define INSTANT INT64_C(1700000000) /* 2023-11-14T22:13:20Z, a Tuesday */

static const struct layout_case {
    const char *layout, *want;
    bool back; /* parses back to the same instant */
} layouts[] = {
    { "2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z", true },
    { "2006-01-02T15:04:05.000Z07:00", "2023-11-14T22:13:20.123Z", false },
    { "2006-01-02T15:04:05.999999999Z07:00", "2023-11-14T22:13:20.123456789Z", false },
    { "Mon Jan _2 15:04:05 2006", "Tue Nov 14 22:13:20 2023", true },
    { "02/01/06 03:04:05PM", "14/11/23 10:13:20PM", true },
    { "Monday, January 2 2006", "Tuesday, November 14 2023", false },
    { "MST -0700", "UTC +0000", false },
    { "no layout", "no layout", false },
};

static void test_layouts(void **state)
{
    struct slg_go_time time = slg_go_time_utc(INSTANT, 123456789);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(layouts); i++) {
        const struct layout_case *row = &layouts[i];
        char out[128];
        size_t len = slg_go_time_format(&time, slg_text_of(row->layout), out, sizeof(out));
        struct slg_go_time back;

        CHECK(row->layout, slg_text_equal_to(slg_text_make(out, len), row->want));
        if (row->back) {
            CHECK(row->layout, slg_go_time_parse(slg_text_of(row->layout), slg_text_make(out, len),
                                                 NULL, &back));
            CHECK(row->layout, back.seconds == INSTANT);
        }
    }
}

static const struct parse_case {
    const char *layout, *text;
    bool good;
    int64_t want;
} parses[] = {
    { "2006-01-02", "2024-02-29", true, 1709164800 },
    { "2006-01-02", "2023-02-29", false, 0 },
    { "2006-01-02", "2023-13-01", false, 0 },
    { "2006-01-02", "2023-01-01x", false, 0 },
    { "2006-01-02T15:04:05Z07:00", "2023-11-15T00:13:20+02:00", true, INSTANT },
    { "2006-01-02T15:04:05Z07:00", "2023-11-14T25:13:20Z", false, 0 },
    { "2006-01-02", "", false, 0 },
};

static void test_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(parses); i++) {
        const struct parse_case *row = &parses[i];
        uint8_t *block = test_block(row->text, strlen(row->text));
        struct slg_go_time time;

        CHECK(row->text,
              slg_go_time_parse(slg_text_of(row->layout), slg_text_make(block, strlen(row->text)),
                                NULL, &time) == row->good);
        CHECK(row->text, !row->good || time.seconds == row->want);
        free(block);
    }
}

static const struct zone_case {
    const char *zone;
    int64_t seconds;
    const char *want;
} zones[] = {
    { "Europe/Berlin", INSTANT, "2023-11-14 23:13:20 CET +0100" },
    { "Europe/Berlin", 1711846799, "2024-03-31 01:59:59 CET +0100" },
    { "Europe/Berlin", 1711846800, "2024-03-31 03:00:00 CEST +0200" },
    { "Europe/Berlin", 2500000000,
      "2049-03-22 05:26:40 CET +0100" }, /* by the rule behind the table */
    { "America/New_York", 1700000000, "2023-11-14 17:13:20 EST -0500" },
    { "Asia/Kolkata", 1700000000, "2023-11-15 03:43:20 IST +0530" },
};

static void test_zones(void **state)
{
    (void)state;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        skip(); /* no zone database on this machine */
        return;
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(zones); i++) {
        const struct zone_case *row = &zones[i];
        struct slg_zone *zone = malloc(sizeof(*zone));
        struct slg_go_time time = slg_go_time_utc(row->seconds, 0);
        char out[128];
        size_t len;

        assert_true(zone != NULL);
        CHECK(row->want, slg_zone_load(slg_text_of(row->zone), zone));
        time = slg_go_time_in(time, zone);
        len = slg_go_time_format(&time, slg_text_of("2006-01-02 15:04:05 MST -0700"), out,
                                 sizeof(out));
        CHECK(row->want, slg_text_equal_to(slg_text_make(out, len), row->want));
        free(zone);
    }
}

static void test_no_zones(void **state)
{
    static const char *const bad[] = { "../../etc/passwd", "/etc/passwd", "Nowhere/Atall",
                                       "Europe" };
    struct slg_zone *zone = malloc(sizeof(*zone));

    (void)state;
    assert_true(zone != NULL);
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad); i++)
        CHECK(bad[i], !slg_zone_load(slg_text_of(bad[i]), zone));
    free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_parses),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_no_zones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
