/* The whole ingester against a fake storer: all three intakes, the exported ledger, loss entries, readiness, stop.
 * Oracle: what was sent, the fake storer's content, and the text of /metrics, which must obey the law at every scrape
 * (I3). */
#include "tests/helper/ingester_socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "ingester/ingester.h"

struct whole {
    struct bench b; /* of it: fake storer, map, registry */
    struct slg_rules *rules;
    struct slg_ingester *ingester;
};

static void start_whole(struct whole *w, const char *name, bool listen)
{
    struct slg_ingester_options options;
    struct slg_listener_options listeners[2];
    struct slg_error error;

    memset(w, 0, sizeof(*w));
    bench_init(&w->b, name, listen);
    w->rules = test_rules();
    listeners[0] = test_listener_options(SLG_LISTENER_UDP, w->rules);
    listeners[0].buffer_bytes = SLG_LISTENER_BUFFER_BYTES_MIN; /* so that drops are easy */
    listeners[1] = test_listener_options(SLG_LISTENER_TCP, w->rules);
    slg_metric_registry_destroy(w->b.registry); /* the ingester registers its own table */
    assert_non_null(w->b.registry = slg_metric_registry_create());
    slg_ingester_options_init(&options);
    options.node_id = "ingester-1";
    options.tenant = slg_text_of("t");
    options.map = w->b.map;
    options.metrics = w->b.registry;
    options.listeners = listeners;
    options.listener_count = 2;
    options.http_listen = "127.0.0.1:0";
    if (slg_ingester_create(&options, &w->ingester, &error) != SLG_OK ||
        slg_ingester_start(w->ingester, &error) != SLG_OK)
        fail_msg("%s", error.message);
}

static void end_whole(struct whole *w)
{
    slg_ingester_destroy(w->ingester);
    slg_rules_destroy(w->rules);
    bench_fini(&w->b);
}

static struct slg_account_totals totals_of(struct whole *w)
{
    struct slg_account_totals totals;

    slg_ingester_totals(w->ingester, &totals);
    return totals;
}

/* Sum of all samples of a metric in a scrape. */
static uint64_t scraped(const char *text, const char *name)
{
    uint64_t sum = 0;
    size_t len = strlen(name);

    for (const char *at = text; (at = strstr(at, name)) != NULL; at += len) {
        const char *value;

        if (at != text && at[-1] != '\n')
            continue;
        if (at[len] != ' ' && at[len] != '{')
            continue;
        value = strchr(at, ' ');
        sum += strtoull(value + 1, NULL, 10);
    }
    return sum;
}

static void check_scrape(struct whole *w, struct test_answer *answer)
{
    test_http(slg_ingester_http_address(w->ingester), "GET", "/metrics", "", "", 0, answer);
    assert_int_equal(answer->code, 200);
    assert_int_equal(scraped(answer->body, "silage_ingester_received_entries_total"),
                     scraped(answer->body, "silage_ingester_accepted_entries_total") +
                         scraped(answer->body, "silage_ingester_dropped_entries_total") +
                         scraped(answer->body, "silage_ingester_abandoned_entries_total") +
                         scraped(answer->body, "silage_ingester_in_flight_entries"));
}

static void push_one(struct whole *w, struct test_answer *answer)
{
    char body[256];

    (void)snprintf(body, sizeof(body),
                   "{\"streams\":[{\"stream\":{\"app\":\"p\"},\"values\":[[\"%" PRId64
                   "\",\"x\"]]}]}",
                   slg_clock_wall_ns(slg_clock_system()));
    test_http(slg_ingester_http_address(w->ingester), "POST", "/loki/api/v1/push",
              "Content-Type: application/json\r\n", body, strlen(body), answer);
}

static void test_all_intakes_and_the_law(void **state)
{
    static struct test_answer answer;
    enum { BURST = 20000, TCP_LINES = 500 };
    struct whole w;
    struct slg_account_totals totals;
    uint64_t left = 99;
    int udp, tcp;

    (void)state;
    start_whole(&w, "ingester-all", true);
    WAIT_UNTIL(slg_ingester_ready(w.ingester));
    test_http(slg_ingester_http_address(w.ingester), "GET", "/ready", "", "", 0, &answer);
    assert_int_equal(answer.code, 200);
    udp = test_connect(slg_ingester_listener_address(w.ingester, 0), SOCK_DGRAM);
    tcp = test_connect(slg_ingester_listener_address(w.ingester, 1), SOCK_STREAM);
    for (int i = 0; i < BURST; i++) {
        test_send_text(udp, "<13>Nov 21 23:42:29 h a: burst");
        if (i % 2000 == 0)
            check_scrape(&w, &answer);
    }
    for (int i = 0; i < TCP_LINES; i++)
        test_send_text(tcp, "<13>Nov 21 23:42:29 h b: line\n");
    push_one(&w, &answer);
    assert_int_equal(answer.code, 204);
    /* Kernel drops are asked for every second; then every loss is in the data. */
    WAIT_UNTIL(totals_of(&w).received == BURST + TCP_LINES + 1 && totals_of(&w).in_flight == 0);
    totals = totals_of(&w);
    assert_true(totals.dropped_by[SLG_DROP_KERNEL] > 0);
    assert_int_equal(totals.dropped, totals.dropped_by[SLG_DROP_KERNEL]);
    WAIT_UNTIL(FAKE_READ(&w.b.fake, loss_lines) > 0);
    check_scrape(&w, &answer);
    test_http(slg_ingester_http_address(w.ingester), "GET", "/admin/status", "", "", 0, &answer);
    assert_int_equal(answer.code, 200);
    assert_non_null(strstr(answer.body, "\"received\":20501,"));
    close(udp);
    close(tcp);
    slg_ingester_stop(w.ingester, &left);
    assert_int_equal(left, 0);
    assert_int_equal(w.b.fake.entry_count, totals.accepted);
    assert_int_equal(w.b.fake.mistakes, 0);
    fake_check_sequences(&w.b.fake);
    end_whole(&w);
}

/* Bytes that the sender's kernel has not passed on: small writes wait there for an acknowledgement. */
static int unsent_bytes(int socket)
{
    int bytes = -1;

    assert_int_equal(ioctl(socket, SIOCOUTQ, &bytes), 0);
    return bytes;
}

/* What is in sockets and builders when the stop comes is handed over. */
static void test_stop_hands_over(void **state)
{
    enum { COUNT = 300 };
    struct whole w;
    uint64_t left = 99;
    int tcp;

    (void)state;
    start_whole(&w, "ingester-stop", true);
    tcp = test_connect(slg_ingester_listener_address(w.ingester, 1), SOCK_STREAM);
    for (int i = 0; i < COUNT; i++)
        test_send_text(tcp, "<13>Nov 21 23:42:29 h b: line\n");
    WAIT_UNTIL(unsent_bytes(tcp) == 0);
    slg_ingester_stop(w.ingester, &left);
    assert_int_equal(left, 0);
    assert_int_equal(totals_of(&w).received, COUNT);
    assert_int_equal(w.b.fake.entry_count, COUNT);
    close(tcp);
    end_whole(&w);
}

static void test_not_ready_without_a_storer(void **state)
{
    static struct test_answer answer;
    struct slg_map *map;
    struct whole w;
    uint64_t left;

    (void)state;
    start_whole(&w, "ingester-away-a", false);
    test_http(slg_ingester_http_address(w.ingester), "GET", "/ready", "", "", 0, &answer);
    assert_int_equal(answer.code, 503);
    test_http(slg_ingester_http_address(w.ingester), "GET", "/nothing", "", "", 0, &answer);
    assert_int_equal(answer.code, 404);
    /* A new map names a storer that is there. */
    map = w.b.map;
    (void)snprintf(w.b.url, sizeof(w.b.url), "inproc://ingester-away-b");
    bench_make_map(&w.b, 3600 * SLG_NS_PER_SEC, 1);
    fake_listen(&w.b.fake, w.b.url);
    slg_ingester_set_map(w.ingester, w.b.map);
    WAIT_UNTIL(slg_ingester_ready(w.ingester));
    push_one(&w, &answer);
    assert_int_equal(answer.code, 204);
    slg_ingester_stop(w.ingester, &left);
    assert_int_equal(left, 0);
    slg_map_unref(map);
    end_whole(&w);
}

static void test_refuses_bad_options(void **state)
{
    struct slg_ingester_options options;
    struct slg_listener_options listener = { .listen = "0.0.0.0:0" };
    struct slg_ingester *ingester = NULL;
    struct slg_error error;
    struct bench b;

    (void)state;
    bench_init(&b, "ingester-bad", false);
    slg_record_options_init(&listener.record);
    slg_ingester_options_init(&options);
    options.node_id = "i";
    options.tenant = slg_text_of("t");
    options.map = b.map;
    options.metrics = b.registry;
    options.listeners = &listener;
    options.listener_count = 1;
    assert_int_equal(slg_ingester_create(&options, &ingester, &error), SLG_INVALID);
    assert_null(ingester);
    assert_non_null(strstr(error.message, "allow-list"));
    slg_ingester_destroy(NULL);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_intakes_and_the_law),
        cmocka_unit_test(test_stop_hands_over),
        cmocka_unit_test(test_not_ready_without_a_storer),
        cmocka_unit_test(test_refuses_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
