/* UDP: every datagram sent is either stored once or counted as dropped with its reason; the kernel's drops too (I3).
 * Oracle: what the test sent, against the ledger and the fake storer's content. */
#include "tests/helper/ingester_socket.h"

#include "ingester/receive.h"

struct udp {
    struct bench b;
    struct slg_rules *rules;
    struct slg_listener *listeners[4];
    size_t listener_count;
    struct slg_receive *receive;
};

static void add_listener(struct udp *u, struct slg_listener_options options)
{
    struct slg_error error;

    if (slg_listener_create(&options, u->listener_count, &u->listeners[u->listener_count],
                            &error) != SLG_OK)
        fail_msg("%s", error.message);
    u->listener_count++;
}

static void open_bench(struct udp *u, const char *name)
{
    memset(u, 0, sizeof(*u));
    bench_init(&u->b, name, true);
    bench_forward(&u->b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    u->rules = test_rules();
}

static void start(struct udp *u, size_t thread_count)
{
    struct slg_receive_options options = { .listeners = u->listeners,
                                           .listener_count = u->listener_count,
                                           .thread_count = thread_count,
                                           .lane = test_lane_options(&u->b) };
    struct slg_error error;

    if (slg_receive_start(&options, &u->receive, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static void stop(struct udp *u)
{
    slg_receive_stop(u->receive, slg_clock_mono_ns(slg_clock_system()) + 5 * SLG_NS_PER_SEC);
    (void)bench_stop(&u->b, 5 * SLG_NS_PER_SEC);
}

static void close_bench(struct udp *u)
{
    slg_receive_destroy(u->receive);
    for (size_t i = 0; i < u->listener_count; i++)
        slg_listener_destroy(u->listeners[i]);
    slg_rules_destroy(u->rules);
    bench_fini(&u->b);
}

static void test_datagrams_are_stored(void **state)
{
    struct udp u;
    struct slg_listener_options options;
    enum { COUNT = 5000 };
    int v4, v6;

    (void)state;
    open_bench(&u, "udp-stored");
    options = test_listener_options(SLG_LISTENER_UDP, u.rules);
    add_listener(&u, options);
    options.listen = "[::1]:0";
    add_listener(&u, options);
    start(&u, 1);
    assert_true(slg_receive_buffer_bytes(u.receive) > 0);
    assert_true(slg_receive_buffer_bytes(u.receive) <= SLG_LISTENER_BUFFER_BYTES);
    v4 = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    v6 = test_connect(slg_listener_address(u.listeners[1]), SOCK_DGRAM);
    for (int i = 0; i < COUNT; i++) {
        char line[128];

        (void)snprintf(line, sizeof(line), "<34>Nov 21 23:42:29 mx1 app-%d[7]: message %d", i % 5,
                       i);
        test_send_text(i % 3 == 0 ? v6 : v4, line);
        if (i % 500 == 0) /* do not outrun the default receive buffer */
            WAIT_UNTIL(bench_totals(&u.b).received == (uint64_t)i + 1);
    }
    assert_int_equal(send(v4, "", 0, 0), 0); /* empty: counted, no entry */
    WAIT_UNTIL(bench_totals(&u.b).accepted == COUNT);
    WAIT_UNTIL(slg_metric_read(u.b.metrics, METRIC_ingester_empty_messages_total, 0) == 1);
    assert_int_equal(FAKE_READ(&u.b.fake, entry_count), COUNT);
    assert_int_equal(bench_totals(&u.b).received_by[1], (COUNT + 2) / 3);
    stop(&u);
    assert_int_equal(bench_totals(&u.b).received, COUNT);
    assert_int_equal(u.b.fake.mistakes, 0);
    fake_check_sequences(&u.b.fake);
    close(v4);
    close(v6);
    close_bench(&u);
}

static void test_big_and_split_datagrams(void **state)
{
    struct udp u;
    struct slg_listener_options options;
    static char big[65507];
    int fd;

    (void)state;
    open_bench(&u, "udp-big");
    options = test_listener_options(SLG_LISTENER_UDP, u.rules);
    add_listener(&u, options);
    options.split_lines = true;
    add_listener(&u, options);
    start(&u, 1);
    memset(big, 'x', sizeof(big));
    memcpy(big, "<13>", 4);
    fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    for (int i = 0; i < 300; i++) { /* over the memory that long datagrams may keep */
        test_send(fd, big, sizeof(big));
        WAIT_UNTIL(bench_totals(&u.b).received == (uint64_t)i + 1);
    }
    WAIT_UNTIL(bench_totals(&u.b).accepted == 300);
    test_send_text(fd, "<13>one\n<13>two\n"); /* not split here */
    WAIT_UNTIL(bench_totals(&u.b).accepted == 301);
    close(fd);
    fd = test_connect(slg_listener_address(u.listeners[1]), SOCK_DGRAM);
    test_send_text(fd, "<13>Nov 21 23:42:29 h a: one\n\n<13>Nov 21 23:42:29 h a: two\n<13>Nov 21 "
                       "23:42:29 h a: three");
    WAIT_UNTIL(bench_totals(&u.b).accepted == 304);
    stop(&u);
    assert_string_equal(u.b.fake.last_line, "three");
    assert_int_equal(bench_totals(&u.b).dropped, 0);
    close(fd);
    close_bench(&u);
}

/* One datagram each to a listener that splits; how many entries, and the text of the last. */
static const struct split_row {
    const char *name, *datagram;
    uint64_t entries;
    const char *last;
} split_rows[] = {
    { "lf", "<13>Nov 21 23:42:29 h a: 1a\n<13>Nov 21 23:42:29 h a: 1b\n", 2, "1b" },
    { "crlf", "<13>Nov 21 23:42:29 h a: 2a\r\n<13>Nov 21 23:42:29 h a: 2b\r\n", 2, "2b" },
    { "blank lines", "\r\n\n<13>Nov 21 23:42:29 h a: 3a\r\n\r\n\n", 1, "3a" },
    { "one cr only", "<13>Nov 21 23:42:29 h a: 4a\r\r\n", 1, "4a\r" },
    { "cr without lf", "<13>Nov 21 23:42:29 h a: 5a\r5b\r", 1, "5a\r5b\r" },
    { "nul at the end", "<13>Nov 21 23:42:29 h a: 6a\n<13>Nov 21 23:42:29 h a: 6b\0", 2, "6b" },
};

static void test_ends_of_split_lines(void **state)
{
    struct udp u;
    struct slg_listener_options options;
    uint64_t entries = 0;
    int fd;

    (void)state;
    open_bench(&u, "udp-split");
    options = test_listener_options(SLG_LISTENER_UDP, u.rules);
    options.split_lines = true;
    add_listener(&u, options);
    start(&u, 1);
    fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    for (size_t i = 0; i < SLG_ARRAY_LEN(split_rows); i++) {
        const struct split_row *row = &split_rows[i];
        const char *datagram = row->datagram;
        size_t nul = strcmp(row->name, "nul at the end") == 0 ? 1 : 0;

        test_send(fd, datagram, strlen(datagram) + nul);
        entries += row->entries;
        WAIT_UNTIL(bench_totals(&u.b).accepted >= entries);
        CHECK(row->name, bench_totals(&u.b).received == entries);
        pthread_mutex_lock(&u.b.fake.lock);
        CHECK(row->name, strcmp(u.b.fake.last_line, row->last) == 0);
        pthread_mutex_unlock(&u.b.fake.lock);
    }
    stop(&u);
    assert_int_equal(bench_totals(&u.b).accepted, entries);
    assert_int_equal(slg_metric_read(u.b.metrics, METRIC_ingester_empty_messages_total, 0), 0);
    close(fd);
    close_bench(&u);
}

static void test_senders_not_allowed_are_dropped(void **state)
{
    static const char *const allow[] = { "192.0.2.0/24", "2001:db8::/32" };
    struct udp u;
    struct slg_listener_options options;
    int fd;

    (void)state;
    open_bench(&u, "udp-allow");
    options = test_listener_options(SLG_LISTENER_UDP, u.rules);
    options.allow = allow;
    options.allow_count = 2;
    add_listener(&u, options);
    start(&u, 1);
    fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    for (int i = 0; i < 10; i++)
        test_send_text(fd, "<13>hello");
    WAIT_UNTIL(bench_totals(&u.b).dropped_by[SLG_DROP_NOT_ALLOWED] == 10);
    assert_int_equal(bench_totals(&u.b).received, 10);
    stop(&u);
    assert_int_equal(u.b.fake.entry_count, 0);
    close(fd);
    close_bench(&u);
}

/* A tiny receive buffer and a burst: what the kernel drops counts as received and dropped, to the datagram. */
static void test_kernel_drops_are_counted(void **state)
{
    struct udp u;
    struct slg_listener_options options;
    enum { COUNT = 20000 };
    struct slg_account_totals totals;
    int fd;

    (void)state;
    open_bench(&u, "udp-drops");
    options = test_listener_options(SLG_LISTENER_UDP, u.rules);
    options.buffer_bytes = SLG_LISTENER_BUFFER_BYTES_MIN;
    add_listener(&u, options);
    start(&u, 1);
    /* No kernel grants less than so little: what is told is what was asked for, not the kernel's double of it. */
    assert_int_equal(slg_receive_buffer_bytes(u.receive), SLG_LISTENER_BUFFER_BYTES_MIN);
    fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    for (int i = 0; i < COUNT; i++)
        test_send_text(fd, "<13>Nov 21 23:42:29 h a: burst");
    stop(&u); /* drains and asks for the drops once more */
    totals = bench_totals(&u.b);
    assert_int_equal(totals.received, COUNT);
    assert_true(totals.dropped_by[SLG_DROP_KERNEL] > 0);
    assert_int_equal(totals.dropped, totals.dropped_by[SLG_DROP_KERNEL]);
    assert_int_equal(totals.accepted, u.b.fake.entry_count);
    assert_int_equal(totals.in_flight, 0);
    close(fd);
    close_bench(&u);
}

/* Storers busy for good: memory fills, further datagrams are dropped with the reason; then all that was taken is
 * stored. */
static void test_full_memory_drops_with_its_reason(void **state)
{
    struct udp u;
    struct slg_account_totals totals;
    static char line[60000];
    int fd;
    uint64_t sent = 0;

    (void)state;
    memset(&u, 0, sizeof(u));
    bench_init(&u.b, "udp-memory", true);
    u.b.fake.paused = true;
    bench_forward(&u.b, SLG_FORWARD_MEMORY_MIN, 5000);
    u.rules = test_rules();
    add_listener(&u, test_listener_options(SLG_LISTENER_UDP, u.rules));
    start(&u, 1);
    for (size_t i = 0; i < sizeof(line); i++)
        line[i] = (char)(33 + slg_hash_xxh3(&i, sizeof(i)) % 90);
    memcpy(line, "<13>", 4);
    fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);
    while (bench_totals(&u.b).dropped_by[SLG_DROP_MEMORY] < 20) {
        line[sent % 50000 + 10] ^= 1;
        test_send(fd, line, sizeof(line));
        sent++;
        WAIT_UNTIL(bench_totals(&u.b).received == sent);
        assert_true(sent < 1000);
    }
    pthread_mutex_lock(&u.b.fake.lock);
    u.b.fake.paused = false;
    pthread_mutex_unlock(&u.b.fake.lock);
    WAIT_UNTIL(bench_totals(&u.b).in_flight == 0);
    totals = bench_totals(&u.b);
    assert_int_equal(totals.received, sent);
    assert_int_equal(totals.accepted + totals.dropped_by[SLG_DROP_MEMORY], sent);
    stop(&u);
    assert_int_equal(u.b.fake.entry_count, totals.accepted);
    fake_check_sequences(&u.b.fake);
    close(fd);
    close_bench(&u);
}

static void test_several_threads(void **state)
{
    struct udp u;
    enum { SENDERS = 16, EACH = 200 };

    (void)state;
    open_bench(&u, "udp-threads");
    add_listener(&u, test_listener_options(SLG_LISTENER_UDP, u.rules));
    start(&u, 3);
    for (int s = 0; s < SENDERS; s++) { /* the kernel spreads by source port */
        int fd = test_connect(slg_listener_address(u.listeners[0]), SOCK_DGRAM);

        for (int i = 0; i < EACH; i++)
            test_send_text(fd, "<13>Nov 21 23:42:29 h a: one of many");
        close(fd);
        WAIT_UNTIL(bench_totals(&u.b).received == (uint64_t)(s + 1) * EACH);
    }
    WAIT_UNTIL(bench_totals(&u.b).accepted == SENDERS * EACH);
    stop(&u);
    assert_int_equal(u.b.fake.entry_count, SENDERS * EACH);
    fake_check_sequences(&u.b.fake);
    close_bench(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datagrams_are_stored),
        cmocka_unit_test(test_big_and_split_datagrams),
        cmocka_unit_test(test_ends_of_split_lines),
        cmocka_unit_test(test_senders_not_allowed_are_dropped),
        cmocka_unit_test(test_kernel_drops_are_counted),
        cmocka_unit_test(test_full_memory_drops_with_its_reason),
        cmocka_unit_test(test_several_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
