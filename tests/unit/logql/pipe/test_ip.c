/* ip("..") finds the addresses that Loki finds. Oracle: rows, from Loki's documentation of IP filters. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/ip.h"

static const struct ip_case {
    const char *name, *pattern, *text;
    bool want;
} rows[] = {
    { "one address", "192.0.2.7", "from 192.0.2.7 port 1", true },
    { "another", "192.0.2.7", "from 192.0.2.8 port 1", false },
    { "longer number", "192.0.2.7", "from 192.0.2.77", false },
    { "network", "10.0.0.0/8", "x 10.255.1.2 y", true },
    { "outside", "10.0.0.0/8", "x 11.0.0.1 y", false },
    { "second address", "10.0.0.0/8", "192.0.2.1 -> 10.0.0.1", true },
    { "range, low end", "192.168.4.5-192.168.4.20", "192.168.4.5", true },
    { "range, high end", "192.168.4.5-192.168.4.20", "192.168.4.20", true },
    { "behind the range", "192.168.4.5-192.168.4.20", "192.168.4.21", false },
    { "v6", "2001:db8::/32", "[2001:db8::1]:443", true },
    { "v6 outside", "2001:db8::/32", "2001:db9::1", false },
    { "no address", "10.0.0.0/8", "nothing here", false },
    { "empty", "10.0.0.0/8", "", false },
    { "v6 is not v4", "0.0.0.0/0", "::1", false },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct ip_case *row = &rows[i];
        uint8_t *block = test_block(row->text, strlen(row->text));
        struct slg_ip_matcher matcher;

        CHECK(row->name, slg_ip_matcher_parse(slg_text_of(row->pattern), &matcher, NULL) == SLG_OK);
        CHECK(row->name,
              slg_ip_matcher_find(&matcher, slg_text_make(block, strlen(row->text))) == row->want);
        free(block);
    }
}

static void test_bad_patterns(void **state)
{
    static const char *const bad[] = {
        "", "10.0.0", "10.0.0.0/33", "192.0.2.9-192.0.2.1", "::1-10.0.0.1", "x", "10.0.0.0/8 ",
    };
    struct slg_ip_matcher matcher;
    struct slg_error error;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad); i++) {
        CHECK(bad[i], slg_ip_matcher_parse(slg_text_of(bad[i]), &matcher, &error) == SLG_INVALID);
        CHECK(bad[i], strstr(error.message, "invalid pattern") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bad_patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
