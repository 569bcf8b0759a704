#include "cluster/survey.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/rpc.h"

#define ANSWER_MS     2000
#define IN_FLIGHT_MAX ((size_t)8) /* requests of operators to one storer at once */

struct slg_survey {
    struct slg_map *map;
    const char *insecure;
    struct slg_transport_client *clients[SLG_MAP_NODE_COUNT_MAX]; /* NULL: removed */
};

enum slg_status slg_survey_create(struct slg_map *map, const struct slg_transport_tls *tls,
                                  const char *insecure, struct slg_survey **ret_survey,
                                  struct slg_error *reterr)
{
    struct slg_survey *survey = calloc(1, sizeof(*survey));
    enum slg_status status = SLG_OK;

    if (survey == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the connections to storers");
    survey->map = slg_map_ref(map);
    survey->insecure = insecure;
    for (size_t i = 0; i < map->node_count && status == SLG_OK; i++) {
        struct slg_transport_client_options options = { .url = map->nodes[i].address,
                                                        .tls = *tls,
                                                        .in_flight_max = IN_FLIGHT_MAX };

        if (map->nodes[i].state != SLG_NODE_REMOVED)
            status = slg_transport_client_start(&options, &survey->clients[i], reterr);
    }
    if (status != SLG_OK) {
        slg_survey_destroy(survey);
        return status;
    }
    *ret_survey = survey;
    return SLG_OK;
}

void slg_survey_destroy(struct slg_survey *survey)
{
    if (survey == NULL)
        return;
    for (size_t i = 0; i < survey->map->node_count; i++)
        slg_transport_client_stop(survey->clients[i]);
    slg_map_unref(survey->map);
    free(survey);
}

static void ask_node(struct slg_transport_client *client, struct slg_buf *reply,
                     struct slg_buf *out)
{
    struct slg_error error = { 0 };
    struct slg_buf request;
    struct slg_text json;
    enum slg_status status;

    slg_buf_init(&request, 4096);
    slg_rpc_encode_status(&request);
    slg_buf_clear(reply);
    status = slg_transport_ask(client, request.data, request.len, ANSWER_MS, reply);
    if (status != SLG_OK)
        (void)slg_errorf(&error, status, "no answer: %s", slg_status_text(status));
    else
        status = slg_rpc_decode_status_reply(reply->data, reply->len, &json, &error);
    slg_buf_fini(&request);
    if (status == SLG_OK) {
        slg_buf_append_text(out, ",\"reachable\":true,\"status\":");
        slg_buf_append(out, json.at, json.len);
    } else {
        slg_buf_append_text(out, ",\"reachable\":false,\"reason\":");
        slg_buf_append_json_text(out, error.message);
    }
}

void slg_survey_run(struct slg_survey *survey, struct slg_buf *out)
{
    const struct slg_map *map = survey->map;
    struct slg_buf reply;
    bool first = true;

    slg_buf_init(&reply, SLG_MESSAGE_BYTES_MAX);
    slg_buf_append_text(out, "{\"cluster\":");
    slg_buf_append_json_text(out, map->cluster_id);
    slg_buf_printf(out, ",\"epoch\":%" PRIu64 ",\"nodes\":[", map->epoch);
    for (size_t i = 0; i < map->node_count; i++) {
        if (survey->clients[i] == NULL)
            continue;
        slg_buf_append_text(out, first ? "{\"id\":" : ",{\"id\":");
        first = false;
        slg_buf_append_json_text(out, map->nodes[i].id);
        slg_buf_append_text(out, ",\"zone\":");
        slg_buf_append_json_text(out, map->nodes[i].zone);
        slg_buf_append_text(out, ",\"address\":");
        slg_buf_append_json_text(out, map->nodes[i].address);
        ask_node(survey->clients[i], &reply, out);
        slg_buf_append_byte(out, '}');
    }
    slg_buf_append_byte(out, ']');
    if (survey->insecure != NULL)
        slg_buf_printf(out, ",\"insecure\":%s", survey->insecure);
    slg_buf_append_text(out, "}\n");
    slg_buf_fini(&reply);
}

void slg_survey_answer(struct slg_survey *survey, struct slg_http_request *request)
{
    struct slg_buf out;

    if (survey == NULL) {
        slg_http_answer_text(request, 404, "404 page not found");
        return;
    }
    slg_buf_init(&out, SLG_SURVEY_BYTES_MAX);
    slg_survey_run(survey, &out);
    if (slg_buf_failed(&out))
        slg_http_answer_text(request, 500, "no memory for the status of the cluster");
    else
        slg_http_answer(request, 200, "application/json; charset=utf-8", out.data, out.len);
    slg_buf_fini(&out);
}
