/* The server answers what proto/http.h promises, to polite and to hostile clients, and outlives them all.
 * Oracle: a plain socket client below that sees every byte; each hostile row ends with a good request.
 * Covers: proto/http_stream.c */
#include "tests/helper/test.h"
#include "tests/helper/wait.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/gzip.h"
#include "proto/http.h"

#define BODY_MAX     ((size_t)64 * 1024)
#define ANSWER_MAX   ((size_t)64 << 20)
#define STREAM_BYTES ((size_t)50 << 20)

/* ---- the handlers ---- */

struct world {
    atomic_int waiting;
    atomic_int gone;
    atomic_int released;
};

/* Says what it got: method, path, segment, peer, parameters a (all), body. */
static void show(void *ctx, struct slg_http_request *request)
{
    struct slg_text value, segment = slg_http_path_segment(request);
    struct slg_text body = slg_http_body(request);
    struct slg_buf out;

    (void)ctx;
    slg_buf_init(&out, 1 << 20);
    slg_buf_printf(&out, "%s %s [%.*s] %s", slg_http_method(request), slg_http_path(request),
                   (int)segment.len, segment.at == NULL ? "" : segment.at, slg_http_peer(request));
    for (size_t i = 0; slg_http_param_at(request, "a", i, &value); i++)
        slg_buf_printf(&out, " a=%s", value.at);
    slg_buf_printf(&out, " body=%zu:%.*s", body.len, body.len > 40 ? 40 : (int)body.len,
                   body.at == NULL ? "" : body.at);
    slg_http_answer_header(request, "X-Test", "yes");
    slg_http_answer(request, 200, "text/plain", out.data, out.len);
    slg_buf_fini(&out);
}

static void big(void *ctx, struct slg_http_request *request)
{
    static char text[200000];

    (void)ctx;
    memset(text, 'x', sizeof(text));
    slg_http_answer(request, 200, "application/json", text, sizeof(text));
}

static void wait_for_gone(void *ctx, struct slg_http_request *request)
{
    struct world *world = ctx;
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + TEST_DEADLINE_NS;

    (void)atomic_fetch_add(&world->waiting, 1);
    while (!slg_http_client_gone(request) && slg_clock_mono_ns(slg_clock_system()) < deadline)
        (void)poll(NULL, 0, 1);
    (void)atomic_fetch_add(&world->gone, slg_http_client_gone(request));
    slg_http_answer_text(request, 200, "done");
}

struct flow {
    struct world *world;
    size_t left;
    bool fails;
};

static enum slg_status pull(void *ctx, struct slg_buf *out)
{
    struct flow *flow = ctx;
    size_t len = flow->left < 65536 ? flow->left : 65536;

    for (size_t i = 0; i < len; i++)
        slg_buf_append_byte(out, (uint8_t)('a' + (flow->left - i) % 23));
    flow->left -= len;
    if (flow->left > 0)
        return SLG_OK;
    return flow->fails ? SLG_IO : SLG_NOT_FOUND;
}

static void release(void *ctx)
{
    struct flow *flow = ctx;

    (void)atomic_fetch_add(&flow->world->released, 1);
    free(flow);
}

static void stream(void *ctx, struct slg_http_request *request)
{
    struct flow *flow = calloc(1, sizeof(*flow));
    struct slg_text value;

    assert_non_null(flow);
    flow->world = ctx;
    flow->fails = slg_http_param(request, "fails", &value);
    flow->left = flow->fails ? 100000 : STREAM_BYTES;
    slg_http_answer_stream(request, 200, "application/json", pull, release, flow);
}

static void silent(void *ctx, struct slg_http_request *request)
{
    (void)ctx;
    (void)request;
}

static const struct slg_http_route routes[] = {
    { "/show", SLG_HTTP_GET | SLG_HTTP_POST, show, false },
    { "/label/{name}/values", SLG_HTTP_GET, show, false },
    { "/big", SLG_HTTP_GET, big, false },
    { "/wait", SLG_HTTP_GET, wait_for_gone, false },
    { "/stream", SLG_HTTP_GET, stream, false },
    { "/silent", SLG_HTTP_GET, silent, false },
    { "/ready", SLG_HTTP_GET, show, true },
};

static struct slg_http_server *serve(struct world *world,
                                     const struct slg_http_server_options *more)
{
    struct slg_http_server_options options = {
        .listen = "127.0.0.1:0",
        .routes = routes,
        .route_count = SLG_ARRAY_LEN(routes),
        .handler_ctx = world,
        .connection_count_max = 16,
        .body_bytes_max = BODY_MAX,
        .idle_timeout_ms = 2000,
    };
    struct slg_http_server *server = NULL;
    struct slg_error error;

    if (more != NULL) {
        options.tokens = more->tokens;
        options.token_count = more->token_count;
        options.allow = more->allow;
        options.allow_count = more->allow_count;
        options.head_timeout_ms = more->head_timeout_ms;
        options.send_bytes_per_second_min = more->send_bytes_per_second_min;
    }
    if (slg_http_server_start(&options, &server, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return server;
}

/* ---- the client ---- */

static int dial(const struct slg_http_server *server)
{
    const char *port = strrchr(slg_http_server_address(server), ':') + 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 20 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return; /* the server has closed; the answer tells */
        at += sent;
        len -= (size_t)sent;
    }
}

/* Everything until the server closes, NUL-terminated. */
static void receive_all(int fd, struct slg_buf *answer)
{
    slg_buf_init(answer, ANSWER_MAX);
    while (slg_buf_reserve(answer, 65536)) {
        ssize_t got = recv(fd, answer->data + answer->len, 65535, 0);

        if (got <= 0)
            break;
        answer->len += (size_t)got;
    }
    answer->data[answer->len] = '\0';
    (void)close(fd);
}

static void exchange(const struct slg_http_server *server, const char *request, size_t len,
                     struct slg_buf *answer)
{
    int fd = dial(server);

    send_all(fd, request, len);
    receive_all(fd, answer);
}

static bool has(const struct slg_buf *answer, const char *text)
{
    return strcasestr((const char *)answer->data, text) != NULL;
}

#define HEAD " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static const struct request_case {
    const char *name, *request;
    const char *want[4]; /* all of these, in any case */
} request_cases[] = {
    { "get with parameters",
      "GET /show?a=1&b=2&a=x%20y+z" HEAD "\r\n",
      { "HTTP/1.1 200", "GET /show [] 127.0.0.1 a=1 a=x y z body=0:", "X-Test: yes" } },
    { "form",
      "POST /show?a=query" HEAD "Content-Type: application/x-www-form-urlencoded\r\n"
      "Content-Length: 13\r\n\r\na=%7B%22+&a=2",
      { "200 OK", " a={\"  a=2 a=query body=13:" } },
    { "percent without digits", "GET /show?a=%zz%4" HEAD "\r\n", { " a=%zz%4 " } },
    { "chunked body",
      "POST /show" HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
      { "200 OK", "body=5:abcde" } },
    { "path segment", "GET /label/job%20x/values" HEAD "\r\n", { "200 OK", "[job x]" } },
    { "empty path segment", "GET /label//values" HEAD "\r\n", { "404" } },
    { "two path segments", "GET /label/a/b/values" HEAD "\r\n", { "404" } },
    { "head", "HEAD /show" HEAD "\r\n", { "200 OK", "Content-Length: " } },
    { "absolute form",
      "GET http://x:80/show?a=1" HEAD "\r\n",
      { "200 OK", "GET /show [] 127.0.0.1 a=1" } },
    { "absolute form, https", "GET HTTPS://x//label/a/values" HEAD "\r\n", { "200 OK", "[a]" } },
    { "absolute form without a path", "GET http://x" HEAD "\r\n", { "404" } },
    { "no route",
      "GET /none" HEAD "\r\n",
      { "HTTP/1.1 404", "text/plain; charset=utf-8", "nosniff", "404 page not found\n" } },
    { "method", "PUT /show" HEAD "Content-Length: 0\r\n\r\n", { "HTTP/1.1 405" } },
    { "gzip body",
      "POST /show" HEAD "Content-Encoding: gzip\r\nContent-Length: 26\r\n\r\nnot gzip at all, 26 "
      "bytes!!",
      { "HTTP/1.1 400", "Content-Encoding" } },
    { "pipelined",
      "GET /show?a=first HTTP/1.1\r\nHost: x\r\n\r\nGET /show?a=second" HEAD "\r\n",
      { "a=first", "a=second" } },
    { "no answer of the handler", "GET /silent" HEAD "\r\n", { "HTTP/1.1 500" } },
    { "small answers are not packed",
      "GET /show" HEAD "Accept-Encoding: gzip\r\n\r\n",
      { "Vary: Accept-Encoding", "GET /show" } },
};

static void test_requests(void **state)
{
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(request_cases); i++) {
        const struct request_case *row = &request_cases[i];
        struct slg_buf answer;

        exchange(server, row->request, strlen(row->request), &answer);
        for (size_t k = 0; k < SLG_ARRAY_LEN(row->want) && row->want[k] != NULL; k++) {
            if (!has(&answer, row->want[k]))
                print_error("no \"%s\" in: %s\n", row->want[k], (char *)answer.data);
            CHECK(row->name, has(&answer, row->want[k]));
        }
        slg_buf_fini(&answer);
    }
    slg_http_server_stop(server);
}

static void still_serves(const char *name, const struct slg_http_server *server)
{
    static const char request[] = "GET /show?a=alive" HEAD "\r\n";
    struct slg_buf answer;

    exchange(server, request, sizeof(request) - 1, &answer);
    CHECK(name, has(&answer, "a=alive"));
    slg_buf_fini(&answer);
}

/* prefix, `count` times `unit`, suffix */
static const struct hostile_case {
    const char *name, *prefix, *unit, *suffix;
    size_t count;
    const char *want; /* NULL: any answer or none */
} hostile_cases[] = {
    { "body over the limit, announced", "POST /show" HEAD "Content-Length: 1000000\r\n\r\n", "x",
      "", 1000000, "HTTP/1.1 413" },
    { "body over the limit, asked first",
      "POST /show" HEAD "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", "x", "", 0,
      "HTTP/1.1 413" },
    { "body far over the limit", "POST /show" HEAD "Content-Length: 100000000\r\n\r\n", "x", "",
      100, "HTTP/1.1 413" },
    { "header lines of 40 KiB", "GET /show" HEAD "X-Long: ", "y", "\r\n\r\n", 40960,
      "HTTP/1.1 431" },
    { "header lines of 1 MiB", "GET /show" HEAD "X-Long: ", "y", "\r\n\r\n", 1 << 20, NULL },
    { "thousands of headers", "GET /show" HEAD, "X-Y: z\r\n", "\r\n", 5000, "HTTP/1.1 431" },
    { "a path of 1 MiB", "GET /", "y", HEAD "\r\n", 1 << 20, NULL },
    { "thousands of parameters", "GET /show?", "a=1&", HEAD "\r\n", 5000, NULL },
    { "hundreds of parameters", "GET /show?", "a=1&", HEAD "\r\n", 500, "a=1 a=1" },
    { "bad chunk size", "POST /show" HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "x",
      "\r\n0\r\n\r\n", 100, "HTTP/1.1 400" },
    { "huge chunk size",
      "POST /show" HEAD "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", "x", "", 100,
      NULL },
    { "two lengths", "POST /show" HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "x", "", 6,
      NULL },
    { "negative length", "POST /show" HEAD "Content-Length: -1\r\n\r\n", "x", "", 10, NULL },
    { "no HTTP", "\x16\x03\x01\x02", "\xff", "\r\n\r\n", 300, NULL },
    { "nothing but line ends", "", "\r\n", "", 100000, NULL },
    { "HTTP/9", "GET /show HTTP/9.9\r\n", "X: y\r\n", "\r\n", 1, NULL },
};

static void test_hostile_requests(void **state)
{
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(hostile_cases); i++) {
        const struct hostile_case *row = &hostile_cases[i];
        int fd = dial(server);
        struct slg_buf request, answer;

        slg_buf_init(&request, 4 << 20);
        slg_buf_append_text(&request, row->prefix);
        for (size_t k = 0; k < row->count; k++)
            slg_buf_append_text(&request, row->unit);
        slg_buf_append_text(&request, row->suffix);
        send_all(fd, request.data, request.len);
        (void)shutdown(fd, SHUT_WR); /* nothing more: no need to wait for the idle timeout */
        receive_all(fd, &answer);
        if (row->want != NULL && !has(&answer, row->want))
            print_error("no \"%s\" in: %.300s\n", row->want, (char *)answer.data);
        CHECK(row->name, row->want == NULL || has(&answer, row->want));
        still_serves(row->name, server);
        slg_buf_fini(&request);
        slg_buf_fini(&answer);
    }
    slg_http_server_stop(server);
}

static void test_chunked_body_over_the_limit(void **state)
{
    static const char head[] = "POST /show" HEAD "Transfer-Encoding: chunked\r\n\r\n";
    static const char chunk_head[] = "400\r\n";
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    char chunk[1026];
    struct slg_buf answer;
    int fd = dial(server);

    (void)state;
    memset(chunk, 'c', sizeof(chunk));
    memcpy(chunk + 1024, "\r\n", 2);
    send_all(fd, head, sizeof(head) - 1);
    for (size_t i = 0; i < BODY_MAX / 1024 + 10; i++) {
        send_all(fd, chunk_head, 5);
        send_all(fd, chunk, sizeof(chunk));
    }
    send_all(fd, "0\r\n\r\n", 5);
    receive_all(fd, &answer);
    assert_true(has(&answer, "HTTP/1.1 413"));
    slg_buf_fini(&answer);
    slg_http_server_stop(server);
}

/* The body in gzip, of `len` times the letter z. */
static void append_gzip(struct slg_buf *out, size_t len)
{
    struct slg_gzip *gzip = slg_gzip_create();
    char *text = malloc(len);

    assert_non_null(gzip);
    assert_non_null(text);
    memset(text, 'z', len);
    assert_int_equal(slg_gzip_pack(gzip, text, len, /* last= */ true, out), SLG_OK);
    slg_gzip_destroy(gzip);
    free(text);
}

static const struct crowd_case {
    const char *name, *head;
    size_t letters; /* of a body in gzip; 0: the body is "a=b" */
    bool refused;
} crowd_cases[] = {
    { "a body that fits", "POST /show" HEAD, 0, false },
    { "an unpacked body that fits", "POST /show" HEAD "Content-Encoding: gzip\r\n", 2000, false },
    { "an unpacked body that does not", "POST /show" HEAD "Content-Encoding: gzip\r\n", 60000,
      true },
};

static void meet_crowd(const struct crowd_case *row, const struct slg_http_server *server,
                       bool crowd)
{
    char length[64];
    struct slg_buf request, body, answer;

    slg_buf_init(&request, 1 << 20);
    slg_buf_init(&body, 1 << 20);
    if (row->letters > 0)
        append_gzip(&body, row->letters);
    else
        slg_buf_append_text(&body, "a=b");
    (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n", body.len);
    slg_buf_append_text(&request, row->head);
    slg_buf_append_text(&request, length);
    slg_buf_append(&request, body.data, body.len);
    exchange(server, (const char *)request.data, request.len, &answer);
    if (crowd && row->refused)
        CHECK(row->name, has(&answer, "HTTP/1.1 503") && has(&answer, "\r\nRetry-After: "));
    else
        CHECK(row->name, has(&answer, "HTTP/1.1 200"));
    slg_buf_fini(&request);
    slg_buf_fini(&body);
    slg_buf_fini(&answer);
}

/* Nine clients send 60 KB of a body of 64 KB each and stop; a server may hold 512 KB. */
static void test_bodies_of_many_clients_are_bounded(void **state)
{
    enum { CLIENTS = 9, PIECE = 60000 };
    static const char head[] = "POST /show" HEAD "Content-Length: 64000\r\n\r\n";
    static char piece[64000 - PIECE > PIECE ? 64000 - PIECE : PIECE];
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    struct slg_buf answer;
    size_t refused = 0;
    int fds[CLIENTS];

    (void)state;
    for (size_t i = 0; i < CLIENTS; i++) {
        fds[i] = dial(server);
        send_all(fds[i], head, sizeof(head) - 1);
        send_all(fds[i], piece, PIECE);
    }
    WAIT_UNTIL(slg_http_server_body_bytes(server) > SLG_HTTP_BODIES_AT_ONCE * BODY_MAX - PIECE);
    for (size_t i = 0; i < SLG_ARRAY_LEN(crowd_cases); i++)
        meet_crowd(&crowd_cases[i], server, /* crowd= */ true);
    for (size_t i = 0; i < CLIENTS; i++) {
        send_all(fds[i], piece, 64000 - PIECE);
        receive_all(fds[i], &answer);
        refused += has(&answer, "HTTP/1.1 503");
        assert_true(has(&answer, "HTTP/1.1 503") || has(&answer, " body=64000:"));
        slg_buf_fini(&answer);
    }
    assert_in_range(refused, 1, 2);
    WAIT_UNTIL(slg_http_server_body_bytes(server) == 0);
    for (size_t i = 0; i < SLG_ARRAY_LEN(crowd_cases); i++)
        meet_crowd(&crowd_cases[i], server, /* crowd= */ false);
    slg_http_server_stop(server);
}

static void test_idle_clients_are_cut(void **state)
{
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    int silent_fd = dial(server), slow_fd = dial(server);
    struct slg_buf answer;

    (void)state;
    send_all(slow_fd, "POST /show HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc", 56);
    receive_all(silent_fd,
                &answer); /* returns when the server closes; the receive timeout is longer */
    slg_buf_fini(&answer);
    receive_all(slow_fd, &answer);
    assert_false(has(&answer, "200 OK"));
    slg_buf_fini(&answer);
    slg_http_server_stop(server);
}

/* Send the text byte by byte, never silent for long, until the server closes. The bytes that went out. */
static size_t trickle(int fd, const char *text)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + TEST_DEADLINE_NS;
    size_t sent = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char byte = text[sent] != '\0' ? text[sent] : 'x';

        assert_true(slg_clock_mono_ns(slg_clock_system()) < deadline);
        if (poll(&p, 1, 20) > 0 && recv(fd, &byte, 1, MSG_PEEK) <= 0)
            return sent;
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            return sent;
        sent += text[sent] != '\0';
    }
}

/* A head that comes bit by bit ends with its time, the first one and those after an answer; answers may take longer. */
static void test_heads_that_trickle_are_cut(void **state)
{
    static const char request[] = "GET /show HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char waiting[] = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    struct slg_http_server_options more = { .head_timeout_ms = 300 };
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, &more);
    int64_t begin = slg_clock_mono_ns(slg_clock_system());
    int fd = dial(server), waiting_fd = dial(server), kept_fd = dial(server);
    char answer[4096];

    (void)state;
    send_all(waiting_fd, waiting, sizeof(waiting) - 1);
    WAIT_UNTIL(atomic_load(&world.waiting) == 1);
    (void)trickle(fd, "GET /show HTTP/1.1\r\nX: ");
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin >= 300 * SLG_NS_PER_MS);
    assert_true(slg_clock_mono_ns(slg_clock_system()) - begin < 10 * SLG_NS_PER_SEC);
    close(fd);
    assert_int_equal(atomic_load(&world.gone), 0); /* its head was there in time */
    close(waiting_fd);
    WAIT_UNTIL(atomic_load(&world.gone) == 1);
    close(kept_fd);
    kept_fd = dial(server);
    for (int i = 0; i < 3; i++) { /* each answer begins the time anew */
        send_all(kept_fd, request, sizeof(request) - 1);
        assert_true(recv(kept_fd, answer, sizeof(answer), 0) > 0);
        (void)poll(NULL, 0, 150);
    }
    (void)trickle(kept_fd, "GET /show HTTP/1.1\r\nX: ");
    close(kept_fd);
    slg_http_server_stop(server);
}

/* Reads 64 KiB every 10 ms, never silent, until the answer ends or the time is over. */
static bool answer_ends(int fd, int64_t within_ms, size_t *ret_len)
{
    int64_t end = slg_clock_mono_ns(slg_clock_system()) + within_ms * SLG_NS_PER_MS;
    static char piece[65536];
    ssize_t len;

    for (*ret_len = 0; slg_clock_mono_ns(slg_clock_system()) < end; *ret_len += (size_t)len) {
        len = recv(fd, piece, sizeof(piece), 0);
        if (len <= 0)
            return true;
        (void)poll(NULL, 0, 10);
    }
    return false;
}

/* After the idle time (2 s) an answer must leave at a rate; one that does is not cut. */
static void test_answers_that_trickle_are_cut(void **state)
{
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    static const struct rate_case {
        const char *name;
        int32_t rate_min;
        int64_t within_ms;
        bool ends;
    } rows[] = { { "too slow", 1000000000, 7000, true }, { "fast enough", 10000, 2600, false } };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_http_server_options more = { .head_timeout_ms = 1600,
                                                .send_bytes_per_second_min = rows[i].rate_min };
        struct world world = { .gone = 0 };
        struct slg_http_server *server = serve(&world, &more);
        int fd = dial(server);
        size_t len;

        send_all(fd, request, sizeof(request) - 1);
        CHECK(rows[i].name, answer_ends(fd, rows[i].within_ms, &len) == rows[i].ends);
        CHECK(rows[i].name, len < STREAM_BYTES);
        close(fd);
        WAIT_UNTIL(atomic_load(&world.released) == 1);
        slg_http_server_stop(server);
    }
}

/* Value of Content-Length, or the whole rest: the body behind the headers. */
static const uint8_t *body_of(const struct slg_buf *answer, size_t *ret_len)
{
    const char *end = strstr((const char *)answer->data, "\r\n\r\n");

    assert_non_null(end);
    *ret_len = answer->len - (size_t)((const uint8_t *)end + 4 - answer->data);
    return (const uint8_t *)end + 4;
}

static void test_gzip_answers(void **state)
{
    static const struct {
        const char *accept;
        bool packed;
    } rows[] = { { "gzip", true },
                 { "deflate, gzip;q=1.0", true },
                 { "gzip;q=0", false },
                 { "gzip; q=0.0", false },
                 { "br, deflate", false },
                 { "identity", false },
                 { "gzip;q=0.5, br", true },
                 { "gzip;q=0, deflate;q=0.5", false },
                 { "gzip;q=0, identity;q=1", false },
                 { "deflate;q=0, GZIP", true },
                 { "gzip ; q=0.001", true },
                 { "br,x-gzip", true },
                 { "gzipped", false },
                 { "gzip;q=0.000 , br;q=0.1", false } };
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        char request[200];
        struct slg_buf answer, plain;
        const uint8_t *body;
        size_t len;

        (void)snprintf(request, sizeof(request), "GET /big" HEAD "Accept-Encoding: %s\r\n\r\n",
                       rows[i].accept);
        exchange(server, request, strlen(request), &answer);
        body = body_of(&answer, &len);
        CHECK(rows[i].accept, has(&answer, "Vary: Accept-Encoding"));
        CHECK(rows[i].accept, has(&answer, "Content-Encoding: gzip") == rows[i].packed);
        slg_buf_init(&plain, 1 << 20);
        if (rows[i].packed)
            CHECK(rows[i].accept, slg_gzip_unpack(body, len, &plain) == SLG_OK);
        CHECK(rows[i].accept, (rows[i].packed ? plain.len : len) == 200000);
        slg_buf_fini(&plain);
        slg_buf_fini(&answer);
    }
    slg_http_server_stop(server);
}

/* Join the chunks of a chunked body in place; false when the last chunk is missing. */
static bool join_chunks(uint8_t *body, size_t len, size_t *ret_len)
{
    size_t at = 0, out = 0;

    while (at < len) {
        char *end;
        size_t size = strtoull((char *)body + at, &end, 16);

        at = (size_t)((uint8_t *)end - body) + 2;
        if (size == 0) {
            *ret_len = out;
            return true;
        }
        if (size > len - at)
            return false;
        memmove(body + out, body + at, size);
        out += size;
        at += size + 2;
    }
    return false;
}

static void test_streams(void **state)
{
    static const char plain[] = "GET /stream" HEAD "\r\n";
    static const char packed[] = "GET /stream" HEAD "Accept-Encoding: gzip\r\n\r\n";
    static const char failing[] = "GET /stream?fails=1" HEAD "\r\n";
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    struct slg_buf answer, unpacked;
    const uint8_t *body;
    size_t len;

    (void)state;
    exchange(server, plain, sizeof(plain) - 1, &answer);
    body = body_of(&answer, &len);
    assert_true(join_chunks(answer.data + (body - answer.data), len, &len));
    assert_int_equal(len, STREAM_BYTES);
    for (size_t i = 0; i < len; i += 65537) /* a sample: the pieces stand in their order */
        assert_int_equal(body[i], 'a' + (STREAM_BYTES - i) % 23);
    slg_buf_fini(&answer);

    exchange(server, packed, sizeof(packed) - 1, &answer);
    assert_true(has(&answer, "Content-Encoding: gzip"));
    body = body_of(&answer, &len);
    assert_true(join_chunks(answer.data + (body - answer.data), len, &len));
    slg_buf_init(&unpacked, ANSWER_MAX);
    assert_int_equal(slg_gzip_unpack(body, len, &unpacked), SLG_OK);
    assert_int_equal(unpacked.len, STREAM_BYTES);
    slg_buf_fini(&unpacked);
    slg_buf_fini(&answer);

    exchange(server, failing, sizeof(failing) - 1, &answer); /* incomplete, not short */
    body = body_of(&answer, &len);
    assert_false(join_chunks(answer.data + (body - answer.data), len, &len));
    slg_buf_fini(&answer);
    WAIT_UNTIL(atomic_load(&world.released) == 3);
    slg_http_server_stop(server);
}

/* A body behind the header of HEAD would be taken for the next answer (RFC 9112 section 6.3). */
static void test_head_of_a_stream(void **state)
{
    static const char request[] =
        "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\nGET /show?a=next" HEAD "\r\n";
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    struct slg_buf answer;
    const uint8_t *rest;
    size_t len;

    (void)state;
    exchange(server, request, sizeof(request) - 1, &answer);
    assert_true(has(&answer, "HTTP/1.1 200"));
    assert_true(has(&answer, "application/json"));
    rest = body_of(&answer, &len);
    assert_true(len == 0 ? has(&answer, "Connection: close")
                         : strncmp((const char *)rest, "HTTP/1.1 200", 12) == 0 &&
                               has(&answer, "a=next"));
    slg_buf_fini(&answer);
    assert_int_equal(atomic_load(&world.released), 1);
    slg_http_server_stop(server);
}

static void test_a_client_that_goes_is_noticed(void **state)
{
    static const char wait_request[] = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    static const char stream_request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    int fd = dial(server);

    (void)state;
    send_all(fd, wait_request, sizeof(wait_request) - 1);
    WAIT_UNTIL(atomic_load(&world.waiting) == 1);
    assert_int_equal(close(fd), 0);
    WAIT_UNTIL(atomic_load(&world.gone) == 1);

    fd = dial(server); /* in the middle of a stream: release runs all the same */
    send_all(fd, stream_request, sizeof(stream_request) - 1);
    assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 1);
    assert_int_equal(close(fd), 0);
    WAIT_UNTIL(atomic_load(&world.released) == 1);
    slg_http_server_stop(server);
}

static void test_stop_with_a_stream_that_nobody_reads(void **state)
{
    static const char request[] = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, NULL);
    int64_t start;
    int fd = dial(server);

    (void)state;
    send_all(fd, request, sizeof(request) - 1);
    assert_int_equal(recv(fd, (char[1]){ 0 }, 1, 0), 1);
    start = slg_clock_mono_ns(slg_clock_system());
    slg_http_server_stop(server);
    assert_true(slg_clock_mono_ns(slg_clock_system()) - start < 10 * SLG_NS_PER_SEC);
    assert_int_equal(atomic_load(&world.released), 1);
    assert_int_equal(close(fd), 0);
}

static const struct auth_case {
    const char *name, *header;
    const char *path, *want;
} auth_cases[] = {
    { "no token", "", "/show", "HTTP/1.1 401" },
    { "open route", "", "/ready", "200 OK" },
    { "bearer", "Authorization: Bearer secret\r\n", "/show", "200 OK" },
    { "second token", "Authorization: bearer other\r\n", "/show", "200 OK" },
    { "wrong bearer", "Authorization: Bearer secret2\r\n", "/show", "HTTP/1.1 401" },
    { "prefix of a token", "Authorization: Bearer secre\r\n", "/show", "HTTP/1.1 401" },
    { "empty bearer", "Authorization: Bearer \r\n", "/show", "HTTP/1.1 401" },
    { "basic", "Authorization: Basic YWRtaW46c2VjcmV0\r\n", "/show", "200 OK" },
    { "basic, wrong", "Authorization: Basic YWRtaW46eA==\r\n", "/show", "HTTP/1.1 401" },
    { "basic, rubbish", "Authorization: Basic ====\r\n", "/show", "HTTP/1.1 401" },
    { "unknown paths ask too", "", "/none", "HTTP/1.1 401" },
};

static void test_tokens(void **state)
{
    static const char *const tokens[] = { "secret", "other" };
    struct slg_http_server_options more = { .tokens = tokens, .token_count = 2 };
    struct world world = { .gone = 0 };
    struct slg_http_server *server = serve(&world, &more);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(auth_cases); i++) {
        const struct auth_case *row = &auth_cases[i];
        char request[300];
        struct slg_buf answer;

        (void)snprintf(request, sizeof(request), "GET %s" HEAD "%s\r\n", row->path, row->header);
        exchange(server, request, strlen(request), &answer);
        CHECK(row->name, has(&answer, row->want));
        CHECK(row->name, has(&answer, "WWW-Authenticate") == has(&answer, "HTTP/1.1 401"));
        slg_buf_fini(&answer);
    }
    slg_http_server_stop(server);
}

static void test_allow_list(void **state)
{
    static const char request[] = "GET /ready" HEAD "\r\n";
    static const struct {
        const char *network, *want;
    } rows[] = { { "127.0.0.0/8", "200 OK" },
                 { "127.0.0.1", "200 OK" },
                 { "10.0.0.0/8", "403" },
                 { "127.0.0.2/32", "403" },
                 { "0.0.0.0/0", "200 OK" },
                 { "126.0.0.0/7", "200 OK" },
                 { "::ffff:127.0.0.0/104", "200 OK" },
                 { "::1/128", "403" } };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_http_server_options more = { .allow = &rows[i].network, .allow_count = 1 };
        struct world world = { .gone = 0 };
        struct slg_http_server *server = serve(&world, &more);
        struct slg_buf answer;

        exchange(server, request, sizeof(request) - 1, &answer);
        CHECK(rows[i].network, has(&answer, rows[i].want));
        slg_buf_fini(&answer);
        slg_http_server_stop(server);
    }
}

static const struct start_case {
    const char *name, *listen, *allow;
    enum slg_status want;
} start_cases[] = {
    { "no port", "127.0.0.1", NULL, SLG_INVALID },
    { "no number", "127.0.0.1:http", NULL, SLG_INVALID },
    { "empty port", "127.0.0.1:", NULL, SLG_INVALID },
    { "network of 33 bits", "127.0.0.1:0", "10.0.0.0/33", SLG_INVALID },
    { "no network", "127.0.0.1:0", "ten", SLG_INVALID },
    { "not of this machine", "192.0.2.1:0", NULL, SLG_UNAVAILABLE },
};

static void test_bad_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(start_cases); i++) {
        const struct start_case *row = &start_cases[i];
        struct slg_http_server_options options = { .listen = row->listen,
                                                   .routes = routes,
                                                   .route_count = 1,
                                                   .connection_count_max = 1,
                                                   .body_bytes_max = 1,
                                                   .idle_timeout_ms = 1000,
                                                   .allow = &row->allow,
                                                   .allow_count = row->allow != NULL };
        struct slg_http_server *server = NULL;
        struct slg_error error = { .message = "" };

        CHECK(row->name, slg_http_server_start(&options, &server, &error) == row->want);
        CHECK(row->name, server == NULL && error.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_hostile_requests),
        cmocka_unit_test(test_chunked_body_over_the_limit),
        cmocka_unit_test(test_bodies_of_many_clients_are_bounded),
        cmocka_unit_test(test_idle_clients_are_cut),
        cmocka_unit_test(test_heads_that_trickle_are_cut),
        cmocka_unit_test(test_answers_that_trickle_are_cut),
        cmocka_unit_test(test_gzip_answers),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_head_of_a_stream),
        cmocka_unit_test(test_a_client_that_goes_is_noticed),
        cmocka_unit_test(test_stop_with_a_stream_that_nobody_reads),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_allow_list),
        cmocka_unit_test(test_bad_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
