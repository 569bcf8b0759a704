/* Answers of the read API print line by line, sorted by time; what a server should not send prints empty and harms
 * nothing. Oracle: rows. */
#include "tests/helper/test.h"

#include "ctl/answer.h"

#define STREAMS(values)                                                                            \
    "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{\"a\":\"1\"},\"values\":"      \
    "[" values "]}]}}"
#define MATRIX(values)                                                                             \
    "{\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"a\":\"1\"},\"values\":"       \
    "[" values "]}]}}"

static const struct answer_case {
    const char *name, *answer;
    bool json;
    const char *want;
} cases[] = {
    { "lines by time", STREAMS("[\"2\",\"b\"],[\"1\",\"a\"]"), false,
      "1970-01-01T00:00:00.000000001Z {a=\"1\"} a\n"
      "1970-01-01T00:00:00.000000002Z {a=\"1\"} b\n" },
    { "lines as JSON", STREAMS("[\"1\",\"a\\\"\"]"), true,
      "{\"ts\":\"1970-01-01T00:00:00.000000001Z\",\"labels\":{\"a\":\"1\"},\"line\":\"a\\\"\"}\n" },
    { "a line without time and text", STREAMS("[]"), false,
      "1970-01-01T00:00:00.000000000Z {a=\"1\"} \n" },
    { "numbers", MATRIX("[1.5,\"7\"]"), false, "1970-01-01T00:00:01.500000000Z {a=\"1\"} 7\n" },
    { "before 1970", MATRIX("[-0.5,\"7\"]"), false,
      "1969-12-31T23:59:59.500000000Z {a=\"1\"} 7\n" },
    { "a time that no clock shows", MATRIX("[1e300,\"7\"]"), false,
      "1970-01-01T00:00:00.000000000Z {a=\"1\"} 7\n" },
    { "a value that is no number is still JSON", MATRIX("[1,\"\\\"\"]"), true,
      "{\"ts\":\"1970-01-01T00:00:01.000000000Z\",\"labels\":{\"a\":\"1\"},\"value\":\"\\\"\"}\n" },
    { "vector", "{\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"2\"]}]}}", false,
      "1970-01-01T00:00:01.000000000Z {} 2\n" },
    { "scalar", "{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}", false,
      "1970-01-01T00:00:01.000000000Z {} 2\n" },
    { "nothing of what was asked", "[1,2]", false, "" },
};

static void test_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer_case *row = &cases[i];
        uint8_t *bytes = test_block(row->answer, strlen(row->answer));
        struct slg_json *root;
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        CHECK(row->name, slg_json_parse(bytes, strlen(row->answer), &root, NULL) == SLG_OK);
        CHECK(row->name, slg_answer_print(&out, root, row->json) == SLG_OK);
        CHECK(row->name, out.len == strlen(row->want));
        CHECK(row->name, out.len == 0 || memcmp(out.data, row->want, out.len) == 0);
        slg_json_destroy(root);
        slg_buf_fini(&out);
        free(bytes);
    }
}

static void test_names(void **state)
{
    static const char answer[] =
        "{\"data\":[\"a\",1],\"warnings\":[\"old\",null]}"; /* a server that errs */
    struct slg_json *root;
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_json_parse(answer, strlen(answer), &root, NULL), SLG_OK);
    slg_buf_init(&out, 4096);
    slg_answer_print_texts(&out, root, true);
    slg_answer_print_texts(&out, root, false);
    slg_answer_print_series(&out, root, false);
    assert_int_equal(slg_answer_print_warnings(&out, root), 2);
    slg_buf_append_byte(&out, '\0');
    assert_string_equal(out.data, "[\"a\",\"\"]\na\n\n{}\n{}\nwarning: old\nwarning: \n");
    slg_json_destroy(root);
    slg_buf_fini(&out);
}

static void test_lines_max(void **state)
{
    static const struct {
        const char *text;
        uint64_t want; /* 7: it does not say */
    } rows[] = {
        { "HTTP 400: max entries limit per query exceeded, limit > max_entries_limit_per_query "
          "(5000 > "
          "100)",
          100 },
        { "max_entries_limit_per_query (5000 > 1)", 1 },
        { "max_entries_limit_per_query (5000 > 0)", 7 },
        { "max_entries_limit_per_query (5000 > x)", 7 },
        { "max_entries_limit_per_query (5000 > ", 7 },
        { "max_entries_limit", 7 },
        { "a > 3", 7 },
        { "", 7 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t size = strlen(rows[i].text) + 1;
        char *block = (char *)test_block(rows[i].text, size);
        uint64_t max = 7;

        CHECK(rows[i].text, slg_answer_lines_max(block, &max) == (rows[i].want != 7));
        CHECK(rows[i].text, max == rows[i].want);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lines_max),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
