/* A lane settles every message it is given: into a builder, as empty, or dropped with its reason; and writes down who
 * sent it.
 * Oracle: the ledger, the metrics, and the decoded batch at the fake storer. */
#include "tests/helper/ingester_socket.h"

#include "base/log.h"

static const struct lane_case {
    const char *name, *from, *message;
    bool truncated;
    uint64_t received, stored;
    enum slg_drop_reason reason; /* when received > stored */
    const char *stream;          /* part of the last stream's labels, "" = not looked at */
    uint64_t metadata_dropped;
} cases[] = {
    { "plain", "192.0.2.1", "<34>Nov 21 23:42:29 mx1 su: hi", false, 1, 1, 0, "app=\"su\"", 0 },
    { "host of the settings", "192.0.2.7", "<13>Nov 21 23:42:29 filterlog[1]: 4", false, 1, 1, 0,
      "host=\"fw1\"", 0 },
    { "address as host", "192.0.2.9", "<13>Nov 21 23:42:29 filterlog[1]: 4", false, 1, 1, 0,
      "host=\"192.0.2.9\"", 0 },
    { "not allowed", "203.0.113.1", "<13>x", false, 1, 0, SLG_DROP_NOT_ALLOWED, "", 0 },
    { "empty", "192.0.2.1", "", false, 0, 0, 0, "", 0 },
    { "only a line end", "192.0.2.1", "\r\n", false, 0, 0, 0, "", 0 },
    { "no syslog at all", "192.0.2.1", "\x01\xff what", false, 1, 1, 0, "job=\"syslog\"", 0 },
    { "truncated", "2001:db8::1", "<13>cut", true, 1, 1, 0, "", 0 },
    { "structured data named twice", "192.0.2.1",
      "<13>1 - h a - - [a.b x=\"1\"][a_b x=\"2\" y=\"3\" y=\"4\"] t", false, 1, 1, 0, "", 2 },
    { "structured data named once", "192.0.2.1", "<13>1 - h a - - [a.b x=\"1\" y=\"2\"] t", false,
      1, 1, 0, "", 0 },
};

static struct slg_address address_of(const char *text)
{
    struct slg_cidr cidr;

    assert_int_equal(slg_cidr_parse(text, &cidr, NULL), SLG_OK);
    return cidr.address;
}

static void test_messages(void **state)
{
    static const char *const allow[] = { "192.0.2.0/24", "2001:db8::/32" };
    static const struct slg_listener_host hosts[] = { { "192.0.2.7", "fw1" } };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct lane_case *row = &cases[i];
        struct slg_rules *rules = test_rules();
        struct slg_listener_options options = test_listener_options(SLG_LISTENER_UDP, rules);
        struct slg_lane_time now = { slg_clock_wall_ns(slg_clock_system()),
                                     slg_clock_mono_ns(slg_clock_system()) };
        struct slg_lane_message message = { .address = address_of(row->from),
                                            .len = strlen(row->message),
                                            .truncated = row->truncated };
        struct slg_lane_options lane_options;
        struct slg_account_totals totals;
        struct slg_listener *listener;
        struct slg_lane *lane;
        struct slg_error error;
        struct bench b;
        uint8_t *block = test_block(row->message, strlen(row->message));

        bench_init(&b, row->name, true);
        bench_forward(&b, SLG_FORWARD_MEMORY_MIN, 5000);
        options.allow = allow;
        options.allow_count = 2;
        options.hosts = hosts;
        options.host_count = 1;
        assert_int_equal(slg_listener_create(&options, 1, &listener, &error), SLG_OK);
        lane_options = test_lane_options(&b);
        assert_int_equal(slg_lane_create(&lane_options, &lane, &error), SLG_OK);
        message.listener = listener;
        message.bytes = block;
        for (int twice = 0; twice < 2; twice++)
            slg_lane_take(lane, &message, now);
        slg_lane_set_map(lane, b.map);
        slg_lane_tick(lane, now.mono_ns, true);
        slg_lane_finish(lane, now.mono_ns + 5 * SLG_NS_PER_SEC);
        (void)bench_stop(&b, 5 * SLG_NS_PER_SEC);
        totals = bench_totals(&b);
        CHECK(row->name, totals.received == 2 * row->received);
        CHECK(row->name, totals.accepted == 2 * row->stored);
        CHECK(row->name, totals.dropped_by[row->reason] == 2 * (row->received - row->stored));
        CHECK(row->name, b.fake.entry_count == 2 * row->stored);
        CHECK(row->name, strstr(b.fake.last_stream, row->stream) != NULL);
        CHECK(row->name, slg_metric_read(b.metrics, METRIC_ingester_truncated_messages_total, 0) ==
                             (row->truncated ? 2 : 0));
        CHECK(row->name, slg_metric_read(b.metrics, METRIC_ingester_empty_messages_total, 0) == 0);
        CHECK(row->name, slg_metric_read(b.metrics, METRIC_ingester_empty_messages_total, 1) ==
                             (row->received == 0 ? 2 : 0));
        CHECK(row->name, slg_metric_read(b.metrics, METRIC_ingester_metadata_dropped_total, 0) ==
                             2 * row->metadata_dropped);
        slg_lane_destroy(lane);
        slg_listener_destroy(listener);
        slg_rules_destroy(rules);
        bench_fini(&b);
        free(block);
    }
}

/* What was logged behind *at; at moves to its end. */
static const char *logged(int fd, off_t *at)
{
    static char text[4096];
    ssize_t len = pread(fd, text, sizeof(text) - 1, *at);

    assert_true(len >= 0);
    text[len] = '\0';
    *at += len;
    return text;
}

static void send_from(struct slg_lane *lane, const struct slg_listener *listener, const char *from,
                      const char *text, unsigned count)
{
    struct slg_lane_message message = {
        .listener = listener, .address = address_of(from), .bytes = text, .len = strlen(text)
    };
    struct slg_lane_time now = { slg_clock_wall_ns(slg_clock_system()),
                                 slg_clock_mono_ns(slg_clock_system()) };

    for (unsigned i = 0; i < count; i++)
        slg_lane_take(lane, &message, now);
}

/* Messages in no known form are counted by listener, and once a minute the source of most of them is named. */
static void test_parse_errors_are_told(void **state)
{
    struct slg_rules *rules = test_rules();
    struct slg_listener_options options = test_listener_options(SLG_LISTENER_UDP, rules);
    int64_t now = slg_clock_mono_ns(slg_clock_system());
    struct slg_lane_options lane_options;
    struct slg_listener *listener;
    struct slg_error error;
    struct slg_lane *lane;
    FILE *file = tmpfile();
    struct bench b;
    off_t at = 0;

    (void)state;
    assert_non_null(file);
    bench_init(&b, "lane-told", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_MIN, 5000);
    assert_int_equal(slg_listener_create(&options, 1, &listener, &error), SLG_OK);
    lane_options = test_lane_options(&b);
    assert_int_equal(slg_lane_create(&lane_options, &lane, &error), SLG_OK);
    slg_log_setup(SLG_LOG_WARN, SLG_LOG_KEY_VALUE, fileno(file));
    send_from(lane, listener, "127.0.0.1", "<13>Nov 21 23:42:29 mx1 app: x", 2);
    slg_lane_tick(lane, now, true);
    assert_string_equal(logged(fileno(file), &at), "");
    send_from(lane, listener, "127.0.0.1", "hello", 3);
    send_from(lane, listener, "127.0.0.9", "hello", 5);
    assert_string_equal(logged(fileno(file), &at), "");
    slg_lane_tick(lane, now, true);
    assert_non_null(strstr(logged(fileno(file), &at),
                           "count=8 source=127.0.0.9 source_count=5 listener=127.0.0.1:"));
    send_from(lane, listener, "127.0.0.1", "hello", 1);
    slg_lane_tick(lane, now + 59 * SLG_NS_PER_SEC, true);
    assert_string_equal(logged(fileno(file), &at), "");
    slg_lane_tick(lane, now + 60 * SLG_NS_PER_SEC, true);
    assert_non_null(strstr(logged(fileno(file), &at), "count=1 source=127.0.0.1 source_count=1"));
    slg_lane_tick(lane, now + 120 * SLG_NS_PER_SEC, true);
    assert_string_equal(logged(fileno(file), &at), "");
    slg_log_setup(SLG_LOG_INFO, SLG_LOG_KEY_VALUE, STDERR_FILENO);
    assert_int_equal(slg_metric_read(b.metrics, METRIC_ingester_parse_errors_total, 0), 0);
    assert_int_equal(slg_metric_read(b.metrics, METRIC_ingester_parse_errors_total, 1), 9);
    slg_lane_finish(lane, now + 5 * SLG_NS_PER_SEC);
    (void)bench_stop(&b, 5 * SLG_NS_PER_SEC);
    slg_lane_destroy(lane);
    slg_listener_destroy(listener);
    slg_rules_destroy(rules);
    bench_fini(&b);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_parse_errors_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
