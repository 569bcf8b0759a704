/* Promise: the check finds every line that is missing, there twice or never sent, over several pages and with lines of
 * equal times at the edges of pages, as large as the server allows; requests carry their parameters percent-encoded.
 * Oracle: a server that serves a known list of lines as Loki's API does, and the sets put into it.
 * Covers: ctl/fetch.c */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "ctl/fetch.h"
#include "ctl/verify.h"
#include "proto/http.h"

#define LINES_MAX 20000

/* Line n has the text "line N" and the time from_ns + n / 7 + 1, so that 7 lines share each time. */
struct sink {
    unsigned lines[LINES_MAX]; /* numbers in order */
    size_t count;
    int64_t lines_max; /* of a page */
};

static int64_t time_of(size_t n)
{
    return (int64_t)(1000 + n / 7);
}

static int64_t number_param(struct slg_http_request *request, const char *name)
{
    struct slg_text text;
    int64_t value = 0;

    assert_true(slg_http_param(request, name, &text));
    for (size_t i = 0; i < text.len; i++)
        value = value * 10 + (text.at[i] - '0');
    return value;
}

static void serve_range(void *ctx, struct slg_http_request *request)
{
    const struct sink *sink = ctx;
    int64_t start = number_param(request, "start"), end = number_param(request, "end");
    int64_t limit = number_param(request, "limit"), given = 0;
    struct slg_buf out;
    char refusal[160];

    if (limit > sink->lines_max) {
        (void)snprintf(refusal, sizeof(refusal),
                       "max entries limit per query exceeded, limit > "
                       "max_entries_limit_per_query (%lld > %lld)\n",
                       (long long)limit, (long long)sink->lines_max);
        slg_http_answer_text(request, 400, refusal);
        return;
    }
    slg_buf_init(&out, (size_t)16 << 20);
    slg_buf_append_text(&out, "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\","
                              "\"result\":[{\"stream\":{},\"values\":[");
    for (size_t i = 0; i < sink->count && given < limit; i++) {
        if (time_of(i) < start || time_of(i) >= end)
            continue;
        slg_buf_printf(&out, "%s[\"%lld\",\"line %u\"]", given++ == 0 ? "" : ",",
                       (long long)time_of(i), sink->lines[i]);
    }
    slg_buf_append_text(&out, "]}]}}");
    slg_http_answer(request, 200, "application/json", out.data, out.len);
    slg_buf_fini(&out);
}

static void serve_count(void *ctx, struct slg_http_request *request)
{
    const struct sink *sink = ctx;
    struct slg_text query;
    struct slg_buf out;

    assert_true(slg_http_param(request, "query", &query));
    assert_true(slg_text_equal_to(query, "sum(count_over_time({a=~\"x y&=%+.*\"}[1s]))"));
    slg_buf_init(&out, 4096);
    slg_buf_printf(&out,
                   "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{"
                   "\"metric\":{},\"value\":[1,\"%zu\"]}]}}",
                   sink->count);
    slg_http_answer(request, 200, "application/json", out.data, out.len);
    slg_buf_fini(&out);
}

static const struct slg_http_route routes[] = {
    { "/loki/api/v1/query_range", SLG_HTTP_GET, serve_range, false },
    { "/loki/api/v1/query", SLG_HTTP_GET, serve_count, false },
};

static const struct verify_case {
    const char *name;
    size_t sent;                  /* lines 0 to sent - 1 */
    size_t skip, twice, strange;  /* numbers; SIZE_MAX: none */
    uint64_t missing, unexpected; /* wanted */
    int64_t lines_max;            /* that the server allows */
} cases[] = {
    { "all there", 12000, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0, 0, 5000 },
    { "one page", 10, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0, 0, 5000 },
    { "a full page", 5000, SIZE_MAX, SIZE_MAX, SIZE_MAX, 0, 0, 5000 },
    { "one missing", 12000, 7000, SIZE_MAX, SIZE_MAX, 1, 0, 5000 },
    { "one twice", 12000, SIZE_MAX, 4999, SIZE_MAX, 0, 1, 5000 },
    { "one for another", 12000, 3, SIZE_MAX, 77777, 1, 1, 5000 },
    { "small pages", 2000, 7, SIZE_MAX, SIZE_MAX, 1, 0, 100 },
};

static void run_case(const struct verify_case *row, struct sink *sink, const char *address)
{
    struct slg_verify *verify = slg_verify_create(row->sent);
    struct slg_verify_outcome outcome;
    char addr[128], line[32];
    struct slg_verify_range range = { .addr = addr,
                                      .selector = "{a=~\"x y&=%+.*\"}",
                                      .from_ns = 1000,
                                      .to_ns = 1000000,
                                      .settle_ns = 1000000 };

    assert_non_null(verify);
    (void)snprintf(addr, sizeof(addr), "http://%s", address);
    sink->count = 0;
    sink->lines_max = row->lines_max;
    for (size_t n = 0; n < row->sent; n++) {
        (void)snprintf(line, sizeof(line), "line %zu", n);
        slg_verify_add(verify, line, strlen(line));
        if (n != row->skip)
            sink->lines[sink->count++] = (unsigned)n;
        if (n == row->twice)
            sink->lines[sink->count++] = (unsigned)n;
    }
    if (row->strange != SIZE_MAX)
        sink->lines[sink->count++] = (unsigned)row->strange;
    CHECK(row->name, slg_verify_run(verify, &range, &outcome, NULL) == SLG_OK);
    CHECK(row->name, outcome.sent == row->sent && outcome.found == sink->count);
    CHECK(row->name, outcome.missing == row->missing && outcome.unexpected == row->unexpected);
    slg_verify_destroy(verify);
}

static void test_verify(void **state)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    struct slg_http_server_options options = { .listen = "127.0.0.1:0",
                                               .routes = routes,
                                               .route_count = 2,
                                               .handler_ctx = sink,
                                               .connection_count_max = 4,
                                               .body_bytes_max = 65536,
                                               .idle_timeout_ms = 10000 };
    struct slg_http_server *server = NULL;

    (void)state;
    assert_non_null(sink);
    assert_int_equal(slg_http_server_start(&options, &server, NULL), SLG_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i], sink, slg_http_server_address(server));
    slg_http_server_stop(server);
    free(sink);
}

static void test_fetch_errors(void **state)
{
    struct slg_fetch *fetch = slg_fetch_create(NULL);
    struct slg_error error = { 0 };
    struct slg_buf out;

    (void)state;
    assert_non_null(fetch);
    slg_buf_init(&out, 4096);
    assert_int_equal(slg_fetch_get(fetch, "http://127.0.0.1:1/x", &out, &error), SLG_UNAVAILABLE);
    assert_true(error.message[0] != '\0');
    slg_buf_fini(&out);
    slg_fetch_destroy(fetch);
    slg_fetch_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_fetch_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
