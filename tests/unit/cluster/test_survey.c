/* Promise: a survey names every storer of the map that is not removed, with its own words when it answers and the
 * reason when it does not. Oracle: the document, byte for byte. */
#include "tests/helper/test.h"

#include "cluster/survey.h"
#include "proto/rpc.h"

static const char map_text[] =
    "{\"version\":1,\"cluster\":\"c\",\"epoch\":7,\"nodes\":["
    "{\"id\":\"a\",\"address\":\"inproc://survey-a\",\"zone\":\"z1\"},"
    "{\"id\":\"b\",\"address\":\"inproc://survey-b\",\"zone\":\"z2\"},"
    "{\"id\":\"c\",\"address\":\"inproc://survey-c\",\"zone\":\"z3\",\"state\":\"removed\"}],"
    "\"layouts\":[{\"replication\":1,\"write_quorum\":1,\"slots\":1,\"window_seconds\":3600,"
    "\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"}]}]}";

static struct slg_map *make_map(void)
{
    struct slg_error error = { 0 };
    struct slg_map *map = NULL;

    if (slg_map_parse(map_text, sizeof(map_text) - 1, &map, &error) != SLG_OK)
        print_error("%s\n", error.message);
    assert_non_null(map);
    return map;
}

/* Answers every request with {"state":"ready"}; ctx says whether as a status reply or as rubbish. */
static void answer(void *ctx, struct slg_transport_call *call, const uint8_t *request,
                   size_t request_len)
{
    struct slg_buf reply;

    (void)request;
    (void)request_len;
    slg_buf_init(&reply, 4096);
    if (*(const bool *)ctx)
        slg_rpc_encode_status_reply(&reply, "{\"state\":\"ready\"}", 17);
    else
        slg_buf_append_text(&reply, "x");
    slg_transport_call_reply(call, reply.data, reply.len);
    slg_buf_fini(&reply);
}

static struct slg_transport_server *serve(const char *url, bool *good)
{
    const struct slg_transport_server_options options = {
        .url = url, .call_count_max = 4, .handler = answer, .handler_ctx = good
    };
    struct slg_transport_server *server = NULL;

    assert_int_equal(slg_transport_server_start(&options, &server, NULL), SLG_OK);
    return server;
}

static void run_survey(struct slg_buf *out)
{
    struct slg_transport_tls tls = { 0 };
    struct slg_survey *survey = NULL;
    struct slg_map *map = make_map();

    assert_int_equal(slg_survey_create(map, &tls, "[\"x.listen\"]", &survey, NULL), SLG_OK);
    slg_buf_clear(out);
    slg_survey_run(survey, out);
    slg_buf_append_byte(out, '\0');
    assert_false(slg_buf_failed(out));
    slg_survey_destroy(survey);
    slg_map_unref(map);
}

static void test_answers_and_silence(void **state)
{
    static const char *const wanted[] = {
        "{\"cluster\":\"c\",\"epoch\":7,\"nodes\":[{\"id\":\"a\",\"zone\":\"z1\",\"address\":"
        "\"inproc://survey-a\",\"reachable\":true,\"status\":{\"state\":\"ready\"}},{\"id\":\"b\","
        "\"zone\":\"z2\",\"address\":\"inproc://survey-b\",\"reachable\":false,\"reason\":\"",
    };
    bool good = true;
    struct slg_transport_server *server = serve("inproc://survey-a", &good);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 65536);
    run_survey(&out);
    assert_memory_equal(out.data, wanted[0], strlen(wanted[0]));
    assert_null(strstr((const char *)out.data, "survey-c")); /* removed */
    slg_buf_append_byte(&out, 0);
    assert_non_null(strstr((const char *)out.data, "}],\"insecure\":[\"x.listen\"]}\n"));
    slg_buf_clear(&out);
    good = false;
    run_survey(&out);
    assert_null(strstr((const char *)out.data, "\"reachable\":true"));
    slg_buf_fini(&out);
    slg_transport_server_stop(server);
    slg_transport_server_destroy(server);
}

static void test_nothing_to_destroy(void **state)
{
    (void)state;
    slg_survey_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_silence),
        cmocka_unit_test(test_nothing_to_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
