/* Pushes: 204 exactly when everything is on disk at W, 400 with Loki's texts for what breaks its rules (the rest is
 * stored), 503 in time while storers are behind.
 * Oracle: the fake storer's content and the ledger. */
#include "tests/helper/ingester_socket.h"

#include "ingester/push_http.h"

struct pusher {
    struct bench b;
    struct slg_push_http *push;
    struct slg_http_server *server;
    const char *address;
};

static void serve(void *ctx, struct slg_http_request *request)
{
    struct pusher *p = ctx;

    slg_push_http_handle(p->push, request);
}

static const struct slg_http_route routes[] = { { "/loki/api/v1/push", SLG_HTTP_POST, serve,
                                                  false } };

static void open_pusher(struct pusher *p, const char *name, int64_t wait_ns, unsigned new_shards)
{
    struct slg_push_http_options options = { .listener = 2,
                                             .windows_max = 10,
                                             .wait_ns = wait_ns,
                                             .max_future_ns = SLG_PUSH_MAX_FUTURE_NS };
    struct slg_http_server_options http = { .listen = "127.0.0.1:0",
                                            .routes = routes,
                                            .route_count = 1,
                                            .handler_ctx = p,
                                            .connection_count_max = 64,
                                            .body_bytes_max = 4 << 20,
                                            .idle_timeout_ms = 30000 };
    struct slg_lane_options lane;
    struct slg_error error;

    memset(p, 0, sizeof(*p));
    bench_init(&p->b, name, true);
    bench_forward(&p->b, SLG_FORWARD_MEMORY_MIN, 5000);
    lane = test_lane_options(&p->b);
    options.batcher = lane.batcher;
    options.batcher.recheck_ns = SLG_NS_PER_MS;
    options.batcher.new_shards_max = new_shards;
    options.account = p->b.account;
    options.metrics = p->b.metrics;
    slg_push_options_init(&options.push);
    options.push.tenant = slg_text_of("t");
    if (slg_push_http_start(&options, &p->push, &error) != SLG_OK ||
        slg_http_server_start(&http, &p->server, &error) != SLG_OK)
        fail_msg("%s", error.message);
    p->address = slg_http_server_address(p->server);
}

static void close_pusher(struct pusher *p)
{
    slg_push_http_stop(p->push, slg_clock_mono_ns(slg_clock_system()) + SLG_NS_PER_SEC);
    (void)bench_stop(&p->b, SLG_NS_PER_SEC);
    slg_http_server_stop(p->server);
    assert_int_equal(bench_totals(&p->b).in_flight, 0);
    fake_check_sequences(&p->b.fake);
    slg_push_http_destroy(p->push);
    bench_fini(&p->b);
}

static int push(const struct pusher *p, const char *body, struct test_answer *answer)
{
    test_http(p->address, "POST", "/loki/api/v1/push", "Content-Type: application/json\r\n", body,
              strlen(body), answer);
    return answer->code;
}

static int64_t wall(void)
{
    return slg_clock_wall_ns(slg_clock_system());
}

/* A body of one stream; offsets from now in seconds, one entry each. */
static void make_body(char *out, size_t size, const char *labels, const int64_t *offsets,
                      size_t count)
{
    int len = snprintf(out, size, "{\"streams\":[{\"stream\":{%s},\"values\":[", labels);
    int64_t now = wall();

    for (size_t i = 0; i < count; i++)
        len += snprintf(out + len, size - (size_t)len, "%s[\"%" PRId64 "\",\"line %zu\"]",
                        i > 0 ? "," : "", now + offsets[i] * SLG_NS_PER_SEC + (int64_t)i, i);
    (void)snprintf(out + len, size - (size_t)len, "]}]}");
}

static const struct push_case {
    const char *name, *labels;
    int64_t offsets[4];
    size_t count;
    int code;
    uint64_t stored, dropped;
    enum slg_drop_reason reason;
    const char *text; /* in the answer */
} cases[] = {
    { "one", "\"app\":\"a\"", { 0 }, 1, 204, 1, 0, 0, "" },
    { "two windows", "\"app\":\"a\"", { 0, -7200 }, 2, 204, 2, 0, 0, "" },
    { "one too new",
      "\"app\":\"a\"",
      { 0, 3600 },
      2,
      400,
      1,
      1,
      SLG_DROP_FUTURE,
      "timestamp too new" },
    { "no labels", "", { 0 }, 1, 204, 1, 0, 0, "" },
    { "bad label", "\"a-b\":\"c\"", { 0 }, 1, 400, 0, 1, SLG_DROP_INVALID, "is not a label name" },
    { "reserved job", "\"job\":\"silage\"", { 0 }, 1, 400, 0, 1, SLG_DROP_RESERVED, "silage" },
    { "nothing", "\"app\":\"a\"", { 0 }, 0, 204, 0, 0, 0, "" },
};

static void test_answers(void **state)
{
    static struct test_answer answer;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct push_case *row = &cases[i];
        struct pusher p;
        char body[4096];

        open_pusher(&p, row->name, SLG_PUSH_WAIT_NS, 100);
        make_body(body, sizeof(body), row->labels, row->offsets, row->count);
        if (push(&p, body, &answer) != row->code)
            print_error("%s\n", answer.text);
        CHECK(row->name, answer.code == row->code);
        CHECK(row->name, strstr(answer.body, row->text) != NULL);
        /* Answered: it is there. */
        CHECK(row->name, FAKE_READ(&p.b.fake, entry_count) == row->stored);
        WAIT_UNTIL(bench_totals(&p.b).in_flight == 0);
        CHECK(row->name, bench_totals(&p.b).accepted == row->stored);
        CHECK(row->name, bench_totals(&p.b).dropped == row->dropped);
        CHECK(row->name, bench_totals(&p.b).dropped_by[row->reason] == row->dropped);
        close_pusher(&p);
    }
}

static void test_bad_bodies_store_nothing(void **state)
{
    static struct test_answer answer;
    static const char *const bodies[] = { "", "{", "[]", "{\"streams\":3}", "no json" };
    struct pusher p;

    (void)state;
    open_pusher(&p, "push-bad", SLG_PUSH_WAIT_NS, 100);
    for (size_t i = 0; i < SLG_ARRAY_LEN(bodies); i++) {
        (void)push(&p, bodies[i], &answer);
        CHECK(bodies[i], answer.code == 400 || (answer.code == 204 && i == 0));
    }
    test_http(p.address, "POST", "/loki/api/v1/push", "Content-Type: application/x-protobuf\r\n",
              "\xff\xff", 2, &answer);
    assert_int_equal(answer.code, 400);
    assert_int_equal(bench_totals(&p.b).received, 0);
    close_pusher(&p);
}

/* What holds no stream is 422; what is packed in a way that is not known is 400, and is not taken for JSON. */
static void test_no_streams_and_encodings(void **state)
{
    static struct test_answer answer;
    static const struct {
        const char *name, *headers, *body;
        size_t len;
        int code;
    } rows[] = {
        { "no member", "Content-Type: application/json\r\n", "{}", 2, 422 },
        { "no streams", "Content-Type: application/json; charset=utf-8\r\n", "{\"streams\":[]}", 14,
          422 },
        { "null", "Content-Type: APPLICATION/JSON\r\n", "null", 4, 422 },
        { "no streams in protobuf", "Content-Type: application/x-protobuf\r\n", "\0", 1, 422 },
        { "no type is protobuf", "", "\0", 1, 422 },
        { "another type is protobuf", "Content-Type: application/jsonx\r\n", "\0", 1, 422 },
        { "snappy is protobuf's own", "Content-Encoding: snappy\r\n", "\0", 1, 422 },
        { "deflate without a head",
          "Content-Type: application/json\r\nContent-Encoding: deflate\r\n", "\xab\xae\x05\0", 4,
          422 },
        { "br", "Content-Type: application/json\r\nContent-Encoding: br\r\n", "{}", 2, 400 },
    };
    struct pusher p;

    (void)state;
    open_pusher(&p, "push-none", SLG_PUSH_WAIT_NS, 100);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        test_http(p.address, "POST", "/loki/api/v1/push", rows[i].headers, rows[i].body,
                  rows[i].len, &answer);
        CHECK(rows[i].name, answer.code == rows[i].code);
        CHECK(rows[i].name,
              strstr(answer.body, answer.code == 422
                                      ? "error at least one valid stream is required"
                                      : "Content-Encoding \"br\" not supported") != NULL);
    }
    close_pusher(&p);
}

static void test_windows_and_new_shards_are_bounded(void **state)
{
    static struct test_answer answer;
    static char body[65536];
    int64_t offsets[12];
    struct pusher p;

    (void)state;
    open_pusher(&p, "push-windows", SLG_PUSH_WAIT_NS, 5);
    for (size_t i = 0; i < 12; i++)
        offsets[i] = -(int64_t)i * 3600;
    make_body(body, sizeof(body), "\"app\":\"a\"", offsets, 12);
    assert_int_equal(push(&p, body, &answer), 400);
    assert_non_null(strstr(answer.body, "push_windows_max"));
    assert_int_equal(bench_totals(&p.b).received, 0);
    make_body(body, sizeof(body), "\"app\":\"a\"", offsets, 5);
    assert_int_equal(push(&p, body, &answer), 204);
    make_body(body, sizeof(body), "\"app\":\"a\"", offsets, 8);
    assert_int_equal(push(&p, body, &answer), 503); /* the sixth shard of this minute */
    assert_non_null(strstr(answer.text, "Retry-After:"));
    close_pusher(&p);
}

static void test_503_while_storers_are_behind(void **state)
{
    static struct test_answer answer;
    struct pusher p;
    char body[1024];
    const int64_t zero = 0;
    int64_t begin = slg_clock_mono_ns(slg_clock_system());

    (void)state;
    open_pusher(&p, "push-behind", 300 * SLG_NS_PER_MS, 100);
    pthread_mutex_lock(&p.b.fake.lock);
    p.b.fake.paused = true;
    pthread_mutex_unlock(&p.b.fake.lock);
    make_body(body, sizeof(body), "\"app\":\"a\"", &zero, 1);
    assert_int_equal(push(&p, body, &answer), 503);
    assert_non_null(strstr(answer.text, "Retry-After:"));
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 5 * SLG_NS_PER_SEC);
    pthread_mutex_lock(&p.b.fake.lock);
    p.b.fake.paused = false;
    pthread_mutex_unlock(&p.b.fake.lock);
    /* What it had taken arrives all the same. */
    WAIT_UNTIL(bench_totals(&p.b).accepted == 1);
    assert_int_equal(push(&p, body, &answer), 204);
    close_pusher(&p);
}

static struct fake_action expire(void *ctx, uint64_t store_count)
{
    (void)ctx;
    (void)store_count;
    return (struct fake_action){ FAKE_ANSWER, SLG_STORE_EXPIRED };
}

static void test_refused_by_storers_is_not_204(void **state)
{
    static struct test_answer answer;
    struct pusher p;
    char body[1024];
    const int64_t zero = 0;

    (void)state;
    open_pusher(&p, "push-refused", SLG_PUSH_WAIT_NS, 100);
    pthread_mutex_lock(&p.b.fake.lock);
    p.b.fake.script = expire;
    pthread_mutex_unlock(&p.b.fake.lock);
    make_body(body, sizeof(body), "\"app\":\"a\"", &zero, 1);
    assert_int_equal(push(&p, body, &answer), 400);
    assert_int_equal(bench_totals(&p.b).dropped_by[SLG_DROP_EXPIRED], 1);
    close_pusher(&p);
}

struct client {
    struct pusher *p;
    int id;
    unsigned ok;
};

static void *push_many(void *ctx)
{
    struct client *c = ctx;
    struct test_answer *answer = malloc(sizeof(*answer));
    char body[2048], labels[64];
    const int64_t offsets[3] = { 0, 0, -7200 };

    SLG_ASSERT(answer != NULL);
    (void)snprintf(labels, sizeof(labels), "\"app\":\"client-%d\"", c->id);
    for (int i = 0; i < 25; i++) {
        make_body(body, sizeof(body), labels, offsets, 3);
        c->ok += push(c->p, body, answer) == 204;
    }
    free(answer);
    return NULL;
}

/* Requests at the same time share batches, and each is answered. */
static void test_many_at_once(void **state)
{
    struct pusher p;
    struct client clients[12];
    pthread_t threads[12];

    (void)state;
    open_pusher(&p, "push-many", SLG_PUSH_WAIT_NS, 100);
    for (int i = 0; i < 12; i++) {
        clients[i] = (struct client){ &p, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &clients[i]), 0);
    }
    for (int i = 0; i < 12; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(clients[i].ok, 25);
    }
    assert_int_equal(FAKE_READ(&p.b.fake, entry_count), 12 * 25 * 3);
    assert_true(FAKE_READ(&p.b.fake, batch_count) <= 12 * 25 * 2);
    close_pusher(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bad_bodies_store_nothing),
        cmocka_unit_test(test_no_streams_and_encodings),
        cmocka_unit_test(test_windows_and_new_shards_are_bounded),
        cmocka_unit_test(test_503_while_storers_are_behind),
        cmocka_unit_test(test_refused_by_storers_is_not_204),
        cmocka_unit_test(test_many_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
