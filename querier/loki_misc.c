/* What needs no data: prettified queries, build information, limits, the empty rule lists, readiness, metrics. */
#include "base/clock.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "querier/querier_private.h"

#define JSON "application/json; charset=UTF-8"

static void answer_json(struct slg_http_request *request, unsigned code, const char *json)
{
    slg_http_answer(request, code, JSON, json, strlen(json));
}

/* ---- format_query ---- */

void slg_api_format_query(void *ctx, struct slg_http_request *request)
{
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_expr *expr;
    struct slg_error error = { 0 };
    struct slg_buf pretty, out;
    struct slg_text text;
    enum slg_status status = SLG_NO_MEMORY;

    (void)ctx;
    if (!slg_http_param(request, "query", &text))
        text = slg_text_make("", 0);
    slg_buf_init(&pretty, SLG_QUERY_TEXT_BYTES_MAX * 8);
    slg_buf_init(&out, SLG_QUERY_TEXT_BYTES_MAX * 64);
    if (arena != NULL)
        status = slg_logql_parse(arena, text.at, text.len, &expr, &error);
    if (status == SLG_OK) {
        slg_logql_pretty(&pretty, expr);
        slg_buf_append_text(&out, "{\"status\":\"success\",\"data\":");
        slg_buf_append_json(&out, pretty.data, pretty.len);
    } else {
        slg_buf_append_text(&out, "{\"status\":\"invalid-query\",\"error\":");
        slg_buf_append_json_text(&out, error.message);
    }
    slg_buf_append_text(&out, "}\n");
    if (slg_buf_failed(&out) || slg_buf_failed(&pretty))
        slg_http_answer_text(request, 400, "the formatted query is too long");
    else
        slg_http_answer(request, status == SLG_OK ? 200 : 400, JSON, out.data, out.len);
    slg_buf_fini(&out);
    slg_buf_fini(&pretty);
    slg_arena_destroy(arena);
}

/* ---- status ---- */

void slg_api_buildinfo(void *ctx, struct slg_http_request *request)
{
    struct slg_querier *querier = ctx;
    struct slg_buf out;

    /* Scripts test for a Loki of 3.3 or later: the version says which Loki's API this is. */
    slg_buf_init(&out, 4096);
    slg_buf_append_text(&out, "{\"version\":\"3.6.0-silage" SLG_VERSION "\",\"revision\":");
    slg_buf_append_json_text(&out,
                             querier->options.revision == NULL ? "" : querier->options.revision);
    slg_buf_append_text(&out, ",\"branch\":\"main\",\"buildUser\":\"\",\"buildDate\":\"\","
                              "\"goVersion\":\"\"}\n");
    slg_http_answer(request, 200, JSON, out.data, out.len);
    slg_buf_fini(&out);
}

void slg_api_drilldown_limits(void *ctx, struct slg_http_request *request)
{
    const struct slg_querier *querier = ctx;
    const struct slg_querier_limits *limits = &querier->options.limits;
    int64_t hours = querier->options.retention_ns / SLG_NS_PER_SEC / 3600;
    struct slg_buf out;

    slg_buf_init(&out, 4096);
    slg_buf_printf(&out,
                   "{\"limits\":{\"discover_log_levels\":true,\"discover_service_name\":"
                   "[\"service\",\"app\",\"application\",\"app_name\",\"name\","
                   "\"app_kubernetes_io_name\",\"container\",\"container_name\","
                   "\"k8s_container_name\",\"component\",\"workload\",\"job\",\"k8s_job_name\"],"
                   "\"max_entries_limit_per_query\":%llu,\"max_query_series\":%zu,"
                   "\"max_query_length\":\"%lldh\",\"query_timeout\":\"%ds\","
                   "\"retention_period\":\"%lldh\",\"volume_enabled\":true,"
                   "\"metric_aggregation_enabled\":false,\"pattern_persistence_enabled\":false},"
                   "\"pattern_ingester_enabled\":true,\"version\":\"3.6.0\"}\n",
                   (unsigned long long)limits->entries_max, limits->series_max,
                   (long long)(limits->query_length_max_ns / SLG_NS_PER_SEC / 3600),
                   limits->query_timeout_ms / 1000, (long long)hours);
    slg_http_answer(request, 200, JSON, out.data, out.len);
    slg_buf_fini(&out);
}

/* Ready when at least one storer can be asked; green health checks do not depend on it. */
void slg_api_ready(void *ctx, struct slg_http_request *request)
{
    struct slg_querier *querier = ctx;
    struct api_client client = slg_api_client(querier, request);
    struct slg_fanout *fanout = NULL;
    struct slg_error error = { 0 };
    int64_t now = slg_clock_wall_ns(slg_clock_system());
    enum slg_status status = slg_api_fanout(&client, &fanout, &error);

    if (status == SLG_OK)
        status = slg_fanout_fix_sets(fanout, now, now + 1, &error);
    if (status == SLG_OK && slg_fanout_incomplete(fanout) != NULL)
        status = slg_errorf(&error, SLG_UNAVAILABLE, "%s", slg_fanout_incomplete(fanout));
    if (status == SLG_OK)
        slg_http_answer_text(request, 200, "ready");
    else
        slg_http_answer_text(request, 503, error.message);
    slg_fanout_destroy(fanout);
}

void slg_api_metrics(void *ctx, struct slg_http_request *request)
{
    static const char *const proxy_headers[] = { "X-Forwarded-For", "X-Grafana-User",
                                                 "X-Grafana-Org-Id", "X-DS-Authorization",
                                                 "Forwarded" };
    struct slg_querier *querier = ctx;

    for (size_t i = 0; i < SLG_ARRAY_LEN(proxy_headers); i++) {
        if (slg_http_header(request, proxy_headers[i]) != NULL) {
            slg_http_answer_text(request, 403, "metrics are not served through a proxy");
            return;
        }
    }
    slg_http_answer_metrics(request, querier->options.registry);
}

/* ---- what Grafana's alerting page asks of every Loki (there is no ruler here) ---- */

void slg_api_empty_rules(void *ctx, struct slg_http_request *request)
{
    (void)ctx;
    answer_json(request, 200, "{\"status\":\"success\",\"data\":{\"groups\":[]}}\n");
}

void slg_api_empty_alerts(void *ctx, struct slg_http_request *request)
{
    (void)ctx;
    answer_json(request, 200, "{\"status\":\"success\",\"data\":{\"alerts\":[]}}\n");
}

void slg_api_no_rule_groups(void *ctx, struct slg_http_request *request)
{
    (void)ctx;
    slg_http_answer_text(request, 404, "no rule groups found");
}

void slg_api_not_yet(void *ctx, struct slg_http_request *request)
{
    char text[160];

    (void)ctx;
    (void)snprintf(text, sizeof(text), "%.96s is not supported by Silage", slg_http_path(request));
    slg_http_answer_text(request, 400, text);
}
