/* Local times become the right UTC seconds, also around changes of the clock.
 * Oracle: GNU date's answers, written down; and mktime() of the C library for a whole year by the hour. */
#include "tests/helper/test.h"

#include <time.h>

#include "ingester/zone.h"

static struct slg_zone_cache *cache;

static int setup(void **state)
{
    (void)state;
    cache = slg_zone_cache_create(NULL);
    return cache == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    slg_zone_cache_destroy(cache);
    return 0;
}

static const struct slg_zone *zone_of(const char *name)
{
    const struct slg_zone *zone = NULL;

    assert_int_equal(slg_zone_cache_get(cache, slg_text_of(name), &zone, NULL), SLG_OK);
    return zone;
}

static const struct row {
    const char *name;
    const char *zone;
    int64_t local_sec; /* civil time as if UTC */
    int64_t near_sec;
    int64_t utc_sec;
} rows[] = {
    /* 2026-03-29 02:00 -> 03:00 in Berlin; 2026-10-25 03:00 -> 02:00 */
    { "winter", "Europe/Berlin", 1795304549, 0, 1795300949 },
    { "before the gap", "Europe/Berlin", 1774749599, 0, 1774745999 },
    { "in the gap", "Europe/Berlin", 1774751400, 0, 1774747800 },
    { "after the gap", "Europe/Berlin", 1774753200, 0, 1774746000 },
    /* 2026-10-25 02:30 shown twice: 00:30Z = 1792888200 and 01:30Z = 1792891800 */
    { "overlap, first", "Europe/Berlin", 1792895400, 1792888201, 1792888200 },
    { "overlap, second", "Europe/Berlin", 1792895400, 1792891805, 1792891800 },
    { "before the overlap", "Europe/Berlin", 1792893599, 1792999999, 1792886399 },
    { "after the overlap", "Europe/Berlin", 1792897200, 0, 1792893600 },
    { "by the footer's rule, 2050-07-01 12:00", "Europe/Berlin", 2540289600, 0, 2540282400 },
    { "by the footer's rule, 2050-12-01 12:00", "Europe/Berlin", 2553508800, 0, 2553505200 },
    { "south, 2040-01-01 00:00", "Australia/Sydney", 2208988800, 0, 2208949200 },
    { "half hours", "Asia/Kolkata", 1795304549, 0, 1795284749 },
    { "no changes, west", "Etc/GMT+5", 1795304549, 0, 1795322549 },
    { "utc", "UTC", 1795304549, 0, 1795304549 },
    { "before 1970", "Europe/Berlin", -100000, 0, -103600 },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        int64_t got = slg_zone_to_utc(zone_of(rows[i].zone), rows[i].local_sec, rows[i].near_sec);

        if (got != rows[i].utc_sec)
            print_error("row \"%s\": %lld\n", rows[i].name, (long long)got);
        CHECK(rows[i].name, got == rows[i].utc_sec);
    }
}

/* The offset of every hour of 2026 and 2045, as localtime_r sees it. */
static void test_against_libc(void **state)
{
    static const char *const names[] = { "Europe/Berlin", "America/New_York",  "Australia/Sydney",
                                         "Asia/Kolkata",  "America/Sao_Paulo", "Pacific/Auckland" };
    static const int64_t starts[] = { 1767225600, 2366841600 };

    (void)state;
    for (size_t n = 0; n < SLG_ARRAY_LEN(names); n++) {
        const struct slg_zone *zone = zone_of(names[n]);

        assert_int_equal(setenv("TZ", names[n], 1), 0);
        tzset();
        for (size_t s = 0; s < SLG_ARRAY_LEN(starts); s++) {
            for (int64_t at = starts[s]; at < starts[s] + 366 * 86400; at += 3600) {
                time_t when = (time_t)at;
                struct tm tm;

                assert_non_null(localtime_r(&when, &tm));
                assert_int_equal(slg_zone_offset_at(zone, at), tm.tm_gmtoff);
                assert_int_equal(slg_zone_to_utc(zone, at + tm.tm_gmtoff, at), at);
            }
        }
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void test_civil(void **state)
{
    (void)state;
    for (int64_t days = -200000; days < 200000; days += 7) {
        int64_t year;
        unsigned month;
        unsigned day;

        slg_zone_civil_from_days(days, &year, &month, &day);
        assert_true(slg_zone_date_valid(year, month, day));
        assert_int_equal(slg_zone_days_from_civil(year, month, day), days);
    }
    assert_int_equal(slg_zone_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(slg_zone_days_from_civil(2000, 3, 1), 11017);
    assert_false(slg_zone_date_valid(2026, 2, 29));
    assert_true(slg_zone_date_valid(2028, 2, 29));
    assert_false(slg_zone_date_valid(2100, 2, 29));
    assert_false(slg_zone_date_valid(2026, 13, 1));
    assert_false(slg_zone_date_valid(2026, 4, 31));
}

static const struct {
    const char *name;
    enum slg_status want;
} names[] = {
    { "Europe/Berlin", SLG_OK },
    { "", SLG_OK },
    { "UTC", SLG_OK },
    { "Nowhere/Town", SLG_NOT_FOUND },
    { "../../etc/passwd", SLG_INVALID },
    { "/etc/localtime", SLG_INVALID },
    { "a b", SLG_INVALID },
    { "zone.tab", SLG_INVALID },
};

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        const struct slg_zone *zone = NULL;
        struct slg_error error = { 0 };
        enum slg_status status =
            slg_zone_cache_get(cache, slg_text_of(names[i].name), &zone, &error);

        CHECK(names[i].name, status == names[i].want);
        CHECK(names[i].name, (zone != NULL) == (status == SLG_OK));
        CHECK(names[i].name, status == SLG_OK || error.message[0] != '\0');
    }
}

/* Every cut and every changed byte of a real file is taken or refused, never more. */
static void test_hostile_files(void **state)
{
    static uint8_t bytes[SLG_ZONE_FILE_BYTES_MAX];
    FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "rb");
    size_t len;

    (void)state;
    if (file == NULL)
        skip();
    len = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(fclose(file), 0);
    for (size_t cut = 0; cut < len; cut += cut < 200 ? 1 : 37) {
        uint8_t *block = test_block(bytes, cut);
        struct slg_zone *zone = NULL;
        enum slg_status status = slg_zone_parse(block, cut, &zone, NULL);

        assert_int_equal(status, SLG_MALFORMED);
        free(block);
    }
    for (size_t at = 0; at < len; at += at < 100 || at + 40 > len ? 1 : 41) {
        uint8_t *block = test_block(bytes, len);
        struct slg_zone *zone = NULL;

        block[at] ^= 0x55;
        if (slg_zone_parse(block, len, &zone, NULL) == SLG_OK)
            slg_zone_destroy(zone);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),          cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_civil),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_hostile_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
