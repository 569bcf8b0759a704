/* The same seed gives the same traffic, in the stated shares; messages are within their bounds.
 * Oracle: a second generator, and counts. */
#include "tests/helper/test.h"

#include "ctl/traffic.h"

#define MESSAGE_COUNT 20000

static void test_same_seed_same_lines(void **state)
{
    struct slg_traffic one, other, third;
    struct slg_traffic_message a, b, c;
    size_t different = 0;

    (void)state;
    slg_traffic_init(&one, 5);
    slg_traffic_init(&other, 5);
    slg_traffic_init(&third, 6);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        slg_traffic_next(&one, &a);
        slg_traffic_next(&other, &b);
        slg_traffic_next(&third, &c);
        assert_int_equal(a.text_len, b.text_len);
        assert_string_equal(a.text, b.text);
        assert_string_equal(a.app, b.app);
        assert_true(a.pid == b.pid && a.severity == b.severity && a.facility == b.facility);
        different += strcmp(a.text, c.text) != 0;
    }
    assert_true(different > MESSAGE_COUNT / 2);
}

static void test_shares_and_bounds(void **state)
{
    static const struct {
        const char *app;
        size_t percent;
    } shares[] = {
        { "postfix", 62 }, { "dovecot", 14 }, { "rspamd", 10 }, { "filterlog", 10 }, { "sshd", 4 },
    };
    size_t counts[5] = { 0 };
    struct slg_traffic traffic;
    struct slg_traffic_message message;

    (void)state;
    slg_traffic_init(&traffic, 1);
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        slg_traffic_next(&traffic, &message);
        assert_true(message.text_len > 0 && message.text_len < SLG_TRAFFIC_TEXT_BYTES);
        assert_int_equal(strlen(message.text), message.text_len);
        assert_true(message.facility < 24 && message.severity < 8 && message.host[0] != '\0');
        for (size_t k = 0; k < 5; k++)
            counts[k] += strncmp(message.app, shares[k].app, strlen(shares[k].app)) == 0;
    }
    for (size_t k = 0; k < 5; k++) {
        size_t percent = (counts[k] * 100 + MESSAGE_COUNT / 2) / MESSAGE_COUNT;

        CHECK(shares[k].app, percent + 2 >= shares[k].percent && percent <= shares[k].percent + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_lines),
        cmocka_unit_test(test_shares_and_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
