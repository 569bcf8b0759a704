/* Numbers, durations and sizes are read as the Go functions that Loki calls read them.
 * Oracle: the documentation and source of strconv, time, prometheus/common/model and go-humanize, row by row. */
#include "tests/helper/test.h"

#include <math.h>

#include "logql/syntax/units.h"

static struct slg_logql_str str_of(const uint8_t *block, const char *text)
{
    return (struct slg_logql_str){ (const char *)block, strlen(text) };
}

static void test_floats(void **state)
{
    static const struct {
        const char *text;
        enum slg_status want;
        double value;
    } rows[] = {
        { "0", SLG_OK, 0 },
        { "5.", SLG_OK, 5 },
        { ".5", SLG_OK, 0.5 },
        { "+1e5", SLG_OK, 1e5 },
        { "-1E-5", SLG_OK, -1e-5 },
        { "1_000.2_5", SLG_OK, 1000.25 },
        { "0x1p4", SLG_OK, 16 },
        { "0x_1P-1", SLG_OK, 0.5 },
        { "0.1", SLG_OK, 0.1 },
        { "1.7976931348623157e308", SLG_OK, 1.7976931348623157e308 },
        { "1e-400", SLG_OK, 0 },
        { "Inf", SLG_OK, (double)INFINITY },
        { "-infinity", SLG_OK, -(double)INFINITY },
        { "1e400", SLG_LIMIT, 7 },
        { "-1e400", SLG_LIMIT, 7 },
        { "", SLG_INVALID, 7 },
        { ".", SLG_INVALID, 7 },
        { "e5", SLG_INVALID, 7 },
        { "1e", SLG_INVALID, 7 },
        { "1e+", SLG_INVALID, 7 },
        { "0x10", SLG_INVALID, 7 },
        { "0xp1", SLG_INVALID, 7 },
        { "_1", SLG_INVALID, 7 },
        { "1_", SLG_INVALID, 7 },
        { "1__0", SLG_INVALID, 7 },
        { "1._5", SLG_INVALID, 7 },
        { "0b_1", SLG_INVALID, 7 },
        { "1 ", SLG_INVALID, 7 },
        { " 1", SLG_INVALID, 7 },
        { "1.2.3", SLG_INVALID, 7 },
        { "+nan", SLG_INVALID, 7 },
        { "infinit", SLG_INVALID, 7 },
        { "1,5", SLG_INVALID, 7 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].text, strlen(rows[i].text));
        double value = 7; /* the sentinel */

        CHECK(rows[i].text,
              slg_logql_parse_float(str_of(block, rows[i].text), &value) == rows[i].want);
        CHECK(rows[i].text, value == rows[i].value);
        free(block);
    }
}

static void test_nan_and_length(void **state)
{
    char digits[SLG_LOGQL_NUMBER_LEN_MAX + 1];
    double value = 7;

    (void)state;
    assert_int_equal(slg_logql_parse_float((struct slg_logql_str){ "NaN", 3 }, &value), SLG_OK);
    assert_true(isnan(value));
    memset(digits, '0', sizeof(digits));
    assert_int_equal(
        slg_logql_parse_float((struct slg_logql_str){ digits, SLG_LOGQL_NUMBER_LEN_MAX }, &value),
        SLG_OK);
    assert_true(value == 0);
    assert_int_equal(
        slg_logql_parse_float((struct slg_logql_str){ digits, sizeof(digits) }, &value),
        SLG_INVALID);
}

static void test_go_durations(void **state)
{
    static const struct {
        const char *text;
        bool want;
        int64_t ns;
    } rows[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "5s", true, INT64_C(5000000000) },
        { "1h2m3s4ms5us6ns", true, INT64_C(3723004005006) },
        { "1s1h", true, INT64_C(3601000000000) },
        { "1.5h", true, INT64_C(5400000000000) },
        { "-.5s", true, -INT64_C(500000000) },
        { "5.s", true, INT64_C(5000000000) },
        { "+1\xC2\xB5s", true, 1000 },
        { "1\xCE\xBCs", true, 1000 },
        { "0.3333333333333333333h", true, INT64_C(1200000000000) },
        { "9223372036854775807ns", true, INT64_MAX },
        { "-9223372036854775808ns", true, INT64_MIN },
        { "9223372036854775808ns", false, 7 },
        { "2562048h", false, 7 },
        { "9223372036854775807ns1ns", false, 7 },
        { "", false, 7 },
        { "-", false, 7 },
        { "5", false, 7 },
        { "s", false, 7 },
        { ".s", false, 7 },
        { "1d", false, 7 },
        { "1h ", false, 7 },
        { "1 h", false, 7 },
        { "--1s", false, 7 },
        { "fast", false, 7 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].text, strlen(rows[i].text));
        int64_t ns = 7;

        CHECK(rows[i].text,
              slg_logql_parse_go_duration(str_of(block, rows[i].text), &ns) == rows[i].want);
        CHECK(rows[i].text, ns == rows[i].ns);
        free(block);
    }
}

static void test_prom_durations(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* NULL: fine */
        int64_t ns;
    } rows[] = {
        { "0", NULL, 0 },
        { "0s", NULL, 0 },
        { "1y2w3d4h5m6s7ms", NULL, INT64_C(33019506007) * 1000000 },
        { "1000ms", NULL, INT64_C(1000000000) },
        { "292y", NULL, INT64_C(9208512000000000000) },
        { "", "empty duration string", 7 },
        { "5", "not a valid duration string: \"5\"", 7 },
        { "-5m", "not a valid duration string: \"-5m\"", 7 },
        { "1m1h", "not a valid duration string: \"1m1h\"", 7 },
        { "1m1m", "not a valid duration string: \"1m1m\"", 7 },
        { "1q", "unknown unit \"q\" in duration \"1q\"", 7 },
        { "5m:1m", "unknown unit \"m:\" in duration \"5m:1m\"", 7 },
        { "1us", "unknown unit \"us\" in duration \"1us\"", 7 },
        { "293y", "duration out of range", 7 },
        { "292y1y", "not a valid duration string: \"292y1y\"", 7 },
        { "292y30w", "duration out of range", 7 },
        { "99999999999999999999s", "duration out of range", 7 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].text, strlen(rows[i].text));
        struct slg_error error = { 0 };
        int64_t ns = 7;
        enum slg_status status =
            slg_logql_parse_prom_duration(str_of(block, rows[i].text), &ns, &error);

        CHECK(rows[i].text, status == (rows[i].message == NULL ? SLG_OK : SLG_INVALID));
        CHECK(rows[i].text, ns == rows[i].ns);
        if (rows[i].message != NULL)
            CHECK(rows[i].text, strcmp(error.message, rows[i].message) == 0);
        free(block);
    }
}

static void test_bytes(void **state)
{
    static const struct {
        const char *text;
        bool want;
        uint64_t bytes;
    } rows[] = {
        { "5", true, 5 },
        { "5B", true, 5 },
        { "1.9b", true, 1 },
        { "1kB", true, 1000 },
        { "1KB", true, 1000 },
        { "1k", true, 1000 },
        { "1KiB", true, 1024 },
        { "1.5 MiB ", true, 1572864 },
        { "1,000B", true, 1000 },
        { "2GB", true, UINT64_C(2000000000) },
        { "1EiB", true, UINT64_C(1) << 60 },
        { "16EiB", false, 7 },
        { "1ZB", false, 7 },
        { "", false, 7 },
        { "B", false, 7 },
        { "-1B", false, 7 },
        { "1.2.3B", false, 7 },
        { "1 0B", false, 7 },
        { "1KiBB", false, 7 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].text, strlen(rows[i].text));
        uint64_t bytes = 7;

        CHECK(rows[i].text,
              slg_logql_parse_bytes(str_of(block, rows[i].text), &bytes) == rows[i].want);
        CHECK(rows[i].text, bytes == rows[i].bytes);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),       cmocka_unit_test(test_nan_and_length),
        cmocka_unit_test(test_go_durations), cmocka_unit_test(test_prom_durations),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
