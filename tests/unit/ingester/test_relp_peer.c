/* RELP senders on sockets: acknowledged after acceptance and not before, held back when full, cut when not accepted.
 * Oracle: what the fake storer has, against the answers that a sender reads. */
#include "tests/helper/ingester_socket.h"

#include "ingester/relp_peer.h"
#include "ingester/tcp.h"

#define OPEN   "1 open 14 relp_version=0\n"
#define OPENED "1 rsp 58 200 OK\nrelp_version=0\nrelp_software=silage\ncommands=syslog\n"
#define BYE    "0 serverclose 0\n"

struct relp {
    struct bench b;
    struct slg_rules *rules;
    struct slg_listener *listener;
    struct slg_tcp *tcp;
};

static void open_bench(struct relp *t, const char *name, int64_t idle_ns)
{
    struct slg_listener_options listen;
    struct slg_tcp_options options = { .relp = true,
                                       .listeners = &t->listener,
                                       .listener_count = 1,
                                       .connection_count_max = 10,
                                       .idle_timeout_ns = idle_ns,
                                       .line_bytes_max = 8192 };
    struct slg_error error;

    memset(t, 0, sizeof(*t));
    bench_init(&t->b, name, true);
    bench_forward(&t->b, SLG_FORWARD_MEMORY_MIN, 5000);
    t->rules = test_rules();
    listen = test_listener_options(SLG_LISTENER_RELP, t->rules);
    assert_int_equal(slg_listener_create(&listen, 0, &t->listener, &error), SLG_OK);
    options.lane = test_lane_options(&t->b);
    if (slg_tcp_start(&options, &t->tcp, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static void close_bench(struct relp *t)
{
    slg_tcp_stop(t->tcp, slg_clock_mono_ns(slg_clock_system()) + 5 * SLG_NS_PER_SEC);
    (void)bench_stop(&t->b, 5 * SLG_NS_PER_SEC);
    assert_int_equal(bench_totals(&t->b).in_flight, 0);
    slg_tcp_destroy(t->tcp);
    slg_listener_destroy(t->listener);
    slg_rules_destroy(t->rules);
    bench_fini(&t->b);
}

static void pause_storer(struct relp *t, bool paused)
{
    pthread_mutex_lock(&t->b.fake.lock);
    t->b.fake.paused = paused;
    pthread_mutex_unlock(&t->b.fake.lock);
}

static int dial(struct relp *t)
{
    return test_connect(slg_listener_address(t->listener), SOCK_STREAM);
}

/* Read until the text has come, or the connection ends; then it must be the text, exactly. */
static void expect(int fd, const char *want, bool end)
{
    static char got[1 << 20];
    size_t len = 0, wanted = strlen(want);
    struct pollfd p = { .fd = fd, .events = POLLIN };

    while (len < wanted + end) {
        ssize_t n = poll(&p, 1, 10000) == 1 ? recv(fd, got + len, wanted + end - len, 0) : -1;

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    got[len] = '\0';
    assert_string_equal(got, want);
}

static bool is_quiet(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 0;
}

static void send_message(int fd, uint32_t txnr, const char *text)
{
    char frame[512];
    int len = snprintf(frame, sizeof(frame), "%u syslog %zu%s%s\n", txnr, strlen(text),
                       text[0] != '\0' ? " " : "", text);

    test_send(fd, frame, (size_t)len);
}

static void test_acknowledged_when_accepted(void **state)
{
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-accepted", 60 * SLG_NS_PER_SEC);
    fd = dial(&t);
    test_send_text(fd, OPEN);
    expect(fd, OPENED, false);
    pause_storer(&t, true);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    send_message(fd, 3, "");
    send_message(fd, 4, "<13>Nov 21 23:42:29 h a: two");
    WAIT_UNTIL(FAKE_READ(&t.b.fake, store_count) >= 2); /* sent, and refused as busy */
    assert_true(is_quiet(fd));
    assert_int_equal(bench_totals(&t.b).accepted, 0);
    pause_storer(&t, false);
    expect(fd, "2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n", false);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), 2);
    assert_int_equal(bench_totals(&t.b).accepted, 2);
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_relp_acknowledged_total, 0) == 3);
    send_message(fd, 5, "<13>Nov 21 23:42:29 h a: three");
    test_send_text(fd, "6 close 0\n");
    expect(fd, "5 rsp 6 200 OK\n6 rsp 6 200 OK\n" BYE, true);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), 3);
    close(fd);
    close_bench(&t);
}

/* A sender that ends its half first still gets all it is owed. */
static void test_half_closed(void **state)
{
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-half", 60 * SLG_NS_PER_SEC);
    pause_storer(&t, true);
    fd = dial(&t);
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    test_send_text(fd, "3 syslog 100 <13>unfinished");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    expect(fd, OPENED, false);
    pause_storer(&t, false);
    expect(fd, "2 rsp 6 200 OK\n" BYE, true);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), 1); /* the unfinished one will come again */
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_cut_total, 0) == 1);
    close(fd);
    close_bench(&t);
}

static const struct refused_case {
    const char *name, *bytes;
} refused[] = {
    { "plain syslog", "<13>Nov 21 23:42:29 h a: one\n" },
    { "no open", "1 syslog 1 x\n" },
    { "out of turn", "7 open 0\n" },
};

static void test_no_relp(void **state)
{
    struct relp t;

    (void)state;
    open_bench(&t, "relp-malformed", 60 * SLG_NS_PER_SEC);
    for (size_t i = 0; i < SLG_ARRAY_LEN(refused); i++) {
        int fd = dial(&t);

        test_send_text(fd, refused[i].bytes);
        expect(fd, "", true);
        WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_relp_malformed_total, 0) == i + 1);
        close(fd);
    }
    assert_int_equal(bench_totals(&t.b).received, 0);
    close_bench(&t);
}

struct sender {
    int fd;
    uint32_t count;
};

static void *send_messages(void *ctx)
{
    struct sender *s = ctx;

    for (uint32_t i = 0; i < s->count; i++)
        send_message(s->fd, 2 + i, "<13>Nov 21 23:42:29 h a: as fast as it goes");
    return NULL;
}

static void expect_acknowledgements(int fd, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char want[64];

        (void)snprintf(want, sizeof(want), "%u rsp 6 200 OK\n", first + i);
        expect(fd, want, false);
    }
}

/* While nothing is accepted no more than the window is taken, and all goes on when it is. */
static void test_window(void **state)
{
    struct sender s = { .count = 5 * SLG_RELP_WINDOW_MAX };
    pthread_t thread;
    struct relp t;

    (void)state;
    open_bench(&t, "relp-window", 60 * SLG_NS_PER_SEC);
    pause_storer(&t, true);
    s.fd = dial(&t);
    test_send_text(s.fd, OPEN);
    expect(s.fd, OPENED, false);
    assert_int_equal(pthread_create(&thread, NULL, send_messages, &s), 0);
    WAIT_UNTIL(bench_totals(&t.b).received == SLG_RELP_WINDOW_MAX);
    WAIT_UNTIL(FAKE_READ(&t.b.fake, store_count) >= 5);
    assert_int_equal(bench_totals(&t.b).received, SLG_RELP_WINDOW_MAX);
    assert_true(is_quiet(s.fd));
    pause_storer(&t, false);
    expect_acknowledgements(s.fd, 2, s.count);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), s.count);
    assert_int_equal(bench_totals(&t.b).dropped, 0);
    close(s.fd);
    close_bench(&t);
}

/* A sender that does not take its answers is not read either, and gets them all, in order, when it does. */
static void test_answers_not_taken(void **state)
{
    struct slg_relp_peers_options options = { .clock = slg_clock_system(), .line_bytes_max = 8192 };
    struct slg_lane_options lane_options;
    struct slg_address address = { { 0 } };
    struct slg_relp_peers *peers;
    struct slg_relp_peer *peer;
    struct slg_error error;
    static char commands[16384], want[16384];
    size_t len = 0, want_len = 0, used = 0;
    int fds[2], small = 1;
    struct bench b;

    (void)state;
    bench_init(&b, "relp-deaf", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_MIN, 5000);
    lane_options = test_lane_options(&b);
    assert_int_equal(slg_lane_create(&lane_options, &options.lane, &error), SLG_OK);
    assert_int_equal(slg_relp_peers_create(&options, &peers, &error), SLG_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    peer = slg_relp_peer_create(peers, fds[0], NULL, &address);
    assert_non_null(peer);
    for (unsigned i = 1; i <= SLG_RELP_LEDGER_MAX + 1; i++)
        len += (size_t)snprintf(commands + len, sizeof(commands) - len, "%u starttls 0\n", i);
    for (unsigned i = 1; i <= SLG_RELP_LEDGER_MAX; i++)
        want_len += (size_t)snprintf(want + want_len, sizeof(want) - want_len,
                                     "%u rsp 25 500 command not supported\n", i);
    assert_true(slg_relp_peer_take(peer, (const uint8_t *)commands, len, &used));
    assert_int_equal(len - used, strlen("257 starttls 0\n")); /* no room for the last one */
    assert_false(slg_relp_peer_wants_read(peer));
    assert_true(slg_relp_peer_send(peer));
    assert_true(slg_relp_peer_wants_write(peer));
    assert_false(slg_relp_peer_wants_read(peer));
    assert_true(slg_relp_peer_may_idle(peer));
    for (size_t at = 0; at < want_len;) {
        char got[4096];
        ssize_t n = recv(fds[1], got, sizeof(got), 0);

        assert_true(n > 0);
        assert_memory_equal(got, want + at, (size_t)n);
        at += (size_t)n;
        assert_true(slg_relp_peer_send(peer));
    }
    assert_false(slg_relp_peer_wants_write(peer));
    assert_true(slg_relp_peer_wants_read(peer));
    close(fds[1]);
    slg_relp_peer_destroy(peer);
    close(fds[0]);
    slg_relp_peers_destroy(peers);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_lane_destroy(options.lane);
    bench_fini(&b);
}

/* The storer holds other content under the id: the batch is lost, so its messages are not acknowledged. */
static struct fake_action refuse_first(void *ctx, uint64_t store_count)
{
    (void)ctx;
    return store_count == 0 ? (struct fake_action){ FAKE_ANSWER, SLG_STORE_MALFORMED }
                            : (struct fake_action){ FAKE_STORE, SLG_STORE_STORED };
}

static void test_not_accepted(void **state)
{
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-refused", 60 * SLG_NS_PER_SEC);
    t.b.fake.script = refuse_first;
    fd = dial(&t);
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    expect(fd, OPENED BYE, true);
    close(fd);
    assert_int_equal(slg_metric_read(t.b.metrics, METRIC_ingester_relp_unaccepted_total, 0), 1);
    fd = dial(&t); /* as a sender does */
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    expect(fd, OPENED "2 rsp 6 200 OK\n", false);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), 1);
    close(fd);
    close_bench(&t);
}

static void test_idle(void **state)
{
    int64_t begin = slg_clock_mono_ns(slg_clock_system());
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-idle", 100 * SLG_NS_PER_MS);
    pause_storer(&t, true);
    fd = dial(&t);
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    expect(fd, OPENED, false);
    /* Silent connections are looked for every second: this one has a message that is not answered. */
    WAIT_UNTIL(slg_clock_mono_ns(slg_clock_system()) - begin > 1200 * SLG_NS_PER_MS);
    assert_true(is_quiet(fd));
    pause_storer(&t, false);
    expect(fd, "2 rsp 6 200 OK\n" BYE, true);
    assert_int_equal(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_idle_total, 0), 1);
    close(fd);
    close_bench(&t);
}

/* A stop waits for what was taken and acknowledges it. */
static void test_stop(void **state)
{
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-stop", 60 * SLG_NS_PER_SEC);
    pause_storer(&t, true);
    fd = dial(&t);
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    WAIT_UNTIL(FAKE_READ(&t.b.fake, store_count) >= 1);
    pause_storer(&t, false);
    slg_tcp_stop(t.tcp, slg_clock_mono_ns(slg_clock_system()) + 10 * SLG_NS_PER_SEC);
    expect(fd, OPENED "2 rsp 6 200 OK\n" BYE, true);
    close(fd);
    close_bench(&t);
}

/* With the storer away the stop ends in time, and nothing is acknowledged. */
static void test_stop_without_storer(void **state)
{
    int64_t begin;
    struct relp t;
    int fd;

    (void)state;
    open_bench(&t, "relp-stop-away", 60 * SLG_NS_PER_SEC);
    pause_storer(&t, true);
    fd = dial(&t);
    test_send_text(fd, OPEN);
    send_message(fd, 2, "<13>Nov 21 23:42:29 h a: one");
    WAIT_UNTIL(FAKE_READ(&t.b.fake, store_count) >= 1);
    begin = slg_clock_mono_ns(slg_clock_system());
    slg_tcp_stop(t.tcp, begin + 200 * SLG_NS_PER_MS);
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 5 * SLG_NS_PER_SEC);
    expect(fd, OPENED BYE, true);
    (void)bench_stop(&t.b, 200 * SLG_NS_PER_MS);
    assert_int_equal(bench_totals(&t.b).accepted, 0);
    close(fd);
    close_bench(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledged_when_accepted),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_no_relp),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_answers_not_taken),
        cmocka_unit_test(test_not_accepted),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_without_storer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
