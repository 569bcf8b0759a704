/* Answers are Loki's JSON in the key order that Grafana's reader needs, whatever size the pieces have.
 * Oracle: the texts written here by hand from the rules of the Loki API; the JSON parser for large ones. */
#include "tests/helper/test.h"

#include "base/json.h"
#include "querier/answer.h"

static void pull_all(struct slg_answer *answer, struct slg_buf *out)
{
    enum slg_status status;
    size_t pulls = 0;

    slg_buf_init(out, (size_t)64 << 20);
    while ((status = slg_answer_pull(answer, out)) == SLG_OK)
        assert_true(++pulls < 100000);
    assert_int_equal(status, SLG_NOT_FOUND);
    slg_buf_append_byte(out, '\0');
    assert_false(slg_buf_failed(out));
}

static const struct slg_label labels[] = { { { "app", 3 }, { "x\"y", 3 } } };
static const struct slg_label metadata[] = { { { "pid", 3 }, { "7", 1 } } };
static const struct slg_label parsed[] = { { { "status", 6 }, { "sent", 4 } } };

static void test_streams(void **state)
{
    struct slg_stream_row rows[] = {
        { .ts_ns = 1795300949123456789, .line = { "bad \xff byte", 10 } },
        { .ts_ns = 1795300949123456788, .line = { "b", 1 } },
    };
    struct slg_stream stream = { .labels = { labels, 1 }, .rows = rows, .row_count = 2 };
    struct slg_answer answer = { .streams = &stream, .stream_count = 1 };
    struct slg_buf out;

    (void)state;
    pull_all(&answer, &out);
    assert_ptr_equal(
        strstr((char *)out.data,
               "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":["
               "{\"stream\":{\"app\":\"x\\\"y\"},\"values\":[[\"1795300949123456789\",\"bad "
               "\xEF\xBF\xBD byte\"],[\"1795300949123456788\",\"b\"]]}],\"stats\":{"),
        out.data);
    slg_buf_fini(&out);
}

static void test_legacy(void **state)
{
    struct slg_stream_row rows[] = {
        { .ts_ns = 1795300949123456780, .line = { "a", 1 } },
        { .ts_ns = 1795300949000000000, .line = { "b", 1 } },
    };
    struct slg_stream stream = { .labels = { labels, 1 }, .rows = rows, .row_count = 2 };
    struct slg_answer answer = { .streams = &stream, .stream_count = 1, .legacy = true };
    static const char want[] =
        "{\"streams\":[{\"labels\":\"{app=\\\"x\\\\\\\"y\\\"}\",\"entries\":["
        "{\"ts\":\"2026-11-21T22:42:29.12345678Z\",\"line\":\"a\"},"
        "{\"ts\":\"2026-11-21T22:42:29Z\",\"line\":\"b\"}]}],\"stats\":{";
    struct slg_buf out;

    (void)state;
    pull_all(&answer, &out);
    assert_ptr_equal(strstr((char *)out.data, want), out.data);
    assert_non_null(strstr((char *)out.data, "}}}}\n"));
    slg_buf_fini(&out);
}

static void test_categorized(void **state)
{
    struct slg_stream_row rows[] = {
        { .ts_ns = 2, .line = { "l", 1 }, .metadata = { metadata, 1 }, .parsed = { parsed, 1 } },
        { .ts_ns = 1, .line = { "m", 1 } },
    };
    struct slg_stream stream = { .labels = { labels, 1 }, .rows = rows, .row_count = 2 };
    struct slg_answer answer = { .streams = &stream,
                                 .stream_count = 1,
                                 .categorize = true,
                                 .encoding_flags = { "categorize-labels,other", 23 },
                                 .warning = "half of it" };
    struct slg_buf out;

    (void)state;
    pull_all(&answer, &out);
    assert_ptr_equal(
        strstr(
            (char *)out.data,
            "{\"status\":\"success\",\"warnings\":[\"half of "
            "it\"],\"data\":{\"resultType\":\"streams\","
            "\"encodingFlags\":[\"categorize-labels\",\"other\"],\"result\":[{\"stream\":{\"app\":"
            "\"x\\\"y\"},\"values\":[[\"2\",\"l\",{\"structuredMetadata\":{\"pid\":\"7\"},"
            "\"parsed\":{"
            "\"status\":\"sent\"}}],[\"1\",\"m\",{}]]}],\"stats\":{"),
        out.data);
    slg_buf_fini(&out);
}

static void test_numbers(void **state)
{
    static const struct slg_point points[] = { { 1772438400500000000, 0.1 },
                                               { 1772438401000000000, 1e21 } };
    struct slg_series series = { .labels = { labels, 1 }, .points = points, .point_count = 2 };
    struct slg_result matrix = { SLG_RESULT_MATRIX, &series, 1 };
    struct slg_result vector = { SLG_RESULT_VECTOR, &series, 1 };
    struct slg_result scalar = { SLG_RESULT_SCALAR, &series, 1 };
    struct slg_answer answer = { .result = &matrix };
    struct slg_buf out;

    (void)state;
    pull_all(&answer, &out);
    assert_non_null(strstr((char *)out.data,
                           "\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"app\":"
                           "\"x\\\"y\"},\"values\":[[1772438400.5,\"0.1\"],[1772438401,"
                           "\"1000000000000000000000\"]]}],\"stats\""));
    slg_buf_fini(&out);
    series.point_count = 1;
    answer = (struct slg_answer){ .result = &vector };
    pull_all(&answer, &out);
    assert_non_null(strstr((char *)out.data, "\"value\":[1772438400.5,\"0.1\"]}],\"stats\""));
    slg_buf_fini(&out);
    answer = (struct slg_answer){ .result = &scalar };
    pull_all(&answer, &out);
    assert_non_null(
        strstr((char *)out.data, "\"scalar\",\"result\":[1772438400.5,\"0.1\"],\"stats\""));
    slg_buf_fini(&out);
}

static void test_empty(void **state)
{
    struct slg_answer answer = { 0 };
    struct slg_buf out;

    (void)state;
    pull_all(&answer, &out);
    assert_non_null(strstr((char *)out.data, "\"result\":[],\"stats\""));
    slg_buf_fini(&out);
}

/* Many pieces: the whole must still be one document with every row. */
static void test_large(void **state)
{
    enum { ROWS = 20000 };
    struct slg_stream_row *rows = calloc(ROWS, sizeof(*rows));
    struct slg_stream streams[2];
    struct slg_answer answer = { .streams = streams, .stream_count = 2 };
    const struct slg_json *result;
    struct slg_json *root = NULL;
    struct slg_buf out;

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = (struct slg_stream_row){ .ts_ns = (int64_t)i, .line = { "some words", 10 } };
    streams[0] = (struct slg_stream){ { labels, 1 }, rows, ROWS };
    streams[1] = (struct slg_stream){ { labels, 1 }, rows, 1 };
    pull_all(&answer, &out);
    assert_int_equal(slg_json_parse(out.data, out.len - 1, &root, NULL), SLG_OK);
    result = slg_json_get(slg_json_get(root, "data"), "result");
    assert_int_equal(slg_json_count(result), 2);
    assert_int_equal(slg_json_count(slg_json_get(slg_json_at(result, 0), "values")), ROWS);
    assert_int_equal(slg_json_count(slg_json_get(slg_json_at(result, 1), "values")), 1);
    slg_json_destroy(root);
    slg_buf_fini(&out);
    free(rows);
}

/* Many small streams: a piece may end behind any row, and then the next head must come once. */
static void test_many_streams(void **state)
{
    enum { STREAMS = 5000 };
    struct slg_stream_row row = { .ts_ns = 7, .line = { "some words", 10 } };
    struct slg_stream *streams = calloc(STREAMS, sizeof(*streams));
    struct slg_answer answer = { .streams = streams, .stream_count = STREAMS };
    const struct slg_json *result;
    struct slg_json *root = NULL;
    struct slg_buf out;

    (void)state;
    for (size_t i = 0; i < STREAMS; i++)
        streams[i] = (struct slg_stream){ { labels, 1 }, &row, 1 };
    pull_all(&answer, &out);
    assert_int_equal(slg_json_parse(out.data, out.len - 1, &root, NULL), SLG_OK);
    result = slg_json_get(slg_json_get(root, "data"), "result");
    assert_int_equal(slg_json_count(result), STREAMS);
    slg_json_destroy(root);
    slg_buf_fini(&out);
    free(streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),      cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_categorized),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_empty),        cmocka_unit_test(test_large),
        cmocka_unit_test(test_many_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
