/* Syslog over TCP: both framings, whatever the segmentation; limits; nothing lost while storers are behind.
 * Oracle: what the test sent, against the ledger and the fake storer's content. */
#include "tests/helper/ingester_socket.h"

#include <sys/resource.h>
#include <time.h>

#include "ingester/tcp.h"

struct tcp {
    struct bench b;
    struct slg_rules *rules;
    struct slg_listener *listener;
    struct slg_tcp *tcp;
};

static void open_bench(struct tcp *t, const char *name, size_t memory, size_t connections,
                       int64_t idle_ns)
{
    struct slg_listener_options listen;
    struct slg_tcp_options options = { .listeners = &t->listener,
                                       .listener_count = 1,
                                       .connection_count_max = connections,
                                       .idle_timeout_ns = idle_ns,
                                       .line_bytes_max = 65527 };
    struct slg_error error;

    memset(t, 0, sizeof(*t));
    bench_init(&t->b, name, true);
    bench_forward(&t->b, memory, 5000);
    t->rules = test_rules();
    listen = test_listener_options(SLG_LISTENER_TCP, t->rules);
    assert_int_equal(slg_listener_create(&listen, 0, &t->listener, &error), SLG_OK);
    options.lane = test_lane_options(&t->b);
    if (slg_tcp_start(&options, &t->tcp, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static void close_bench(struct tcp *t)
{
    slg_tcp_stop(t->tcp, slg_clock_mono_ns(slg_clock_system()) + 5 * SLG_NS_PER_SEC);
    (void)bench_stop(&t->b, 5 * SLG_NS_PER_SEC);
    assert_int_equal(bench_totals(&t->b).in_flight, 0);
    fake_check_sequences(&t->b.fake);
    slg_tcp_destroy(t->tcp);
    slg_listener_destroy(t->listener);
    slg_rules_destroy(t->rules);
    bench_fini(&t->b);
}

static const struct framing_case {
    const char *name, *bytes;
    size_t pieces; /* bytes per send */
    uint64_t entries;
    const char *last;
} framings[] = {
    { "LF", "<13>Nov 21 23:42:29 h a: one\n<13>Nov 21 23:42:29 h a: two\n", 1000, 2, "two" },
    { "LF, bytewise", "<13>Nov 21 23:42:29 h a: one\n<13>Nov 21 23:42:29 h a: two\n", 1, 2, "two" },
    { "CRLF and empty lines", "<13>Nov 21 23:42:29 h a: one\r\n\r\n\n", 5, 1, "one" },
    { "counted", "28 <13>Nov 21 23:42:29 h a: one28 <13>Nov 21 23:42:29 h a: two", 1000, 2, "two" },
    { "counted, in threes", "28 <13>Nov 21 23:42:29 h a: one28 <13>Nov 21 23:42:29 h a: two", 3, 2,
      "two" },
    { "mixed", "28 <13>Nov 21 23:42:29 h a: one<13>Nov 21 23:42:29 h a: two\n", 7, 2, "two" },
    { "no LF at the end", "<13>Nov 21 23:42:29 h a: one", 9, 1, "one" },
    { "cut within a counted frame", "28 <13>Nov 21 23:42:29 h a: o", 9, 1, "o" },
};

static void test_framing(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(framings); i++) {
        const struct framing_case *row = &framings[i];
        struct tcp t;
        size_t len = strlen(row->bytes);
        int fd;

        open_bench(&t, row->name, SLG_FORWARD_MEMORY_DEFAULT, 10, 60 * SLG_NS_PER_SEC);
        fd = test_connect(slg_listener_address(t.listener), SOCK_STREAM);
        for (size_t at = 0; at < len; at += row->pieces)
            test_send(fd, row->bytes + at, len - at < row->pieces ? len - at : row->pieces);
        close(fd);
        WAIT_UNTIL(bench_totals(&t.b).accepted == row->entries);
        WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_connections, 0) == 0);
        CHECK(row->name, bench_totals(&t.b).received == row->entries);
        pthread_mutex_lock(&t.b.fake.lock);
        CHECK(row->name, strcmp(t.b.fake.last_line, row->last) == 0);
        pthread_mutex_unlock(&t.b.fake.lock);
        close_bench(&t);
    }
}

static bool closed_by_peer(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char byte;

    return poll(&p, 1, 10000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void test_limit_and_idle(void **state)
{
    struct tcp t;
    int a, b, c;

    (void)state;
    open_bench(&t, "tcp-limit", SLG_FORWARD_MEMORY_DEFAULT, 2, 300 * SLG_NS_PER_MS);
    a = test_connect(slg_listener_address(t.listener), SOCK_STREAM);
    b = test_connect(slg_listener_address(t.listener), SOCK_STREAM);
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_connections, 0) == 2);
    c = test_connect(slg_listener_address(t.listener), SOCK_STREAM);
    assert_true(closed_by_peer(c)); /* one too many */
    assert_int_equal(
        slg_metric_read(t.b.metrics, METRIC_ingester_tcp_refused_total, SLG_REFUSED_LIMIT), 1);
    test_send_text(a, "<13>Nov 21 23:42:29 h a: unfinished");
    assert_true(closed_by_peer(a)); /* both silent */
    assert_true(closed_by_peer(b));
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_idle_total, 0) == 2);
    WAIT_UNTIL(bench_totals(&t.b).accepted == 1);
    assert_int_equal(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_cut_total, 0), 1);
    assert_string_equal(t.b.fake.last_line, "unfinished");
    close(a);
    close(b);
    close(c);
    close_bench(&t);
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return t.tv_sec * SLG_NS_PER_SEC + t.tv_nsec;
}

/* Without a descriptor for a caller the thread waits, it does not spin; the caller is served when there is one. */
static void test_no_descriptors(void **state)
{
    static const char line[] = "<13>Nov 21 23:42:29 h a: at last\n";
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct rlimit before, none;
    struct tcp t;
    int64_t begin, cpu_begin, took;
    int fd, next;

    (void)state;
    open_bench(&t, "tcp-descriptors", SLG_FORWARD_MEMORY_DEFAULT, 10, 60 * SLG_NS_PER_SEC);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons((uint16_t)strtoul(strrchr(slg_listener_address(t.listener), ':') + 1, NULL, 10));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    next = dup(fd);
    assert_true(fd >= 0 && next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next; /* the lowest that is free */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    begin = slg_clock_mono_ns(slg_clock_system());
    cpu_begin = cpu_ns();
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_accept_pauses_total, 0) >= 4);
    took = slg_clock_mono_ns(slg_clock_system()) - begin;
    assert_true(took >= 300 * SLG_NS_PER_MS);
    assert_true(cpu_ns() - cpu_begin < took / 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    test_send(fd, line, sizeof(line) - 1);
    WAIT_UNTIL(bench_totals(&t.b).accepted == 1);
    close(fd);
    close_bench(&t);
}

struct sender {
    const char *address;
    uint64_t count;
    _Atomic bool done;
};

static void *send_lines(void *ctx)
{
    struct sender *s = ctx;
    int fd = test_connect(s->address, SOCK_STREAM);
    char line[9000];
    uint64_t random = 88172645463325252U;

    for (uint64_t i = 0; i < s->count; i++) {
        for (size_t at = 0; at < sizeof(line); at++) { /* nothing for LZ4 to find */
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            line[at] = (char)(33 + random % 90);
        }
        memcpy(line, "<13>", 4);
        line[sizeof(line) - 1] = '\n';
        test_send(fd, line, sizeof(line));
    }
    close(fd);
    atomic_store(&s->done, true);
    return NULL;
}

/* 18 MB through 1 MB of memory while the storer is busy: the sender is held back, nothing is dropped. */
static void test_backpressure(void **state)
{
    struct tcp t;
    struct sender sender = { .count = 2000 };
    pthread_t thread;

    (void)state;
    open_bench(&t, "tcp-backpressure", SLG_FORWARD_MEMORY_MIN, 10, 60 * SLG_NS_PER_SEC);
    pthread_mutex_lock(&t.b.fake.lock);
    t.b.fake.paused = true;
    pthread_mutex_unlock(&t.b.fake.lock);
    sender.address = slg_listener_address(t.listener);
    assert_int_equal(pthread_create(&thread, NULL, send_lines, &sender), 0);
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_stalls_total, 0) > 0);
    assert_false(atomic_load(&sender.done));
    assert_int_equal(bench_totals(&t.b).dropped, 0);
    pthread_mutex_lock(&t.b.fake.lock);
    t.b.fake.paused = false;
    pthread_mutex_unlock(&t.b.fake.lock);
    WAIT_UNTIL(bench_totals(&t.b).accepted == sender.count);
    pthread_join(thread, NULL);
    assert_int_equal(bench_totals(&t.b).dropped, 0);
    assert_int_equal(FAKE_READ(&t.b.fake, entry_count), sender.count);
    close_bench(&t);
}

/* Stopped while the storer is away: what is in memory is counted, and the stop does not hang. */
static void test_stop_while_full(void **state)
{
    struct tcp t;
    struct sender sender = { .count = 300 };
    pthread_t thread;
    struct slg_account_totals totals;
    int64_t begin;

    (void)state;
    open_bench(&t, "tcp-stop", SLG_FORWARD_MEMORY_MIN, 10, 60 * SLG_NS_PER_SEC);
    pthread_mutex_lock(&t.b.fake.lock);
    t.b.fake.paused = true;
    pthread_mutex_unlock(&t.b.fake.lock);
    sender.address = slg_listener_address(t.listener);
    assert_int_equal(pthread_create(&thread, NULL, send_lines, &sender), 0);
    WAIT_UNTIL(slg_metric_read(t.b.metrics, METRIC_ingester_tcp_stalls_total, 0) > 0);
    pthread_join(thread,
                 NULL); /* what is left stands in socket buffers, part of it on the sender's side */
    begin = slg_clock_mono_ns(slg_clock_system());
    slg_tcp_stop(t.tcp, begin + 300 * SLG_NS_PER_MS);
    (void)bench_stop(&t.b, 300 * SLG_NS_PER_MS);
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 5 * SLG_NS_PER_SEC);
    totals = bench_totals(&t.b);
    /* What the sender's kernel had not passed on when the drain ended was never received: it cannot be counted. */
    assert_in_range(totals.received, 1, sender.count);
    assert_int_equal(totals.accepted, 0);
    /* Busy is a clean no: nothing may be there. But a no that had not come when the time was over is none. */
    assert_int_equal(totals.dropped + totals.abandoned, totals.received);
    assert_true(totals.dropped > 0);
    assert_int_equal(totals.in_flight, 0);
    close_bench(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framing),         cmocka_unit_test(test_limit_and_idle),
        cmocka_unit_test(test_no_descriptors),  cmocka_unit_test(test_backpressure),
        cmocka_unit_test(test_stop_while_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
