/* Concurrency:
 * | state            | owner            | others                                   |
 * | options, peers   | set before start | read by every handler                    |
 * | gate, metrics    | their own        | every handler                            |
 * | tail_hub         | its own          | every tail                               |
 * | tail_count       | atomic           | tails that begin and end                 |
 * | pace             | atomics          | every query                              |
 * | stopping         | atomic            | set by stop, read by handlers that wait  | */
#include "querier/querier.h"

#include "base/clock.h"
#include "base/log.h"
#include "querier/querier_private.h"

#define IN_FLIGHT_MAX ((size_t)256)
#define BODY_BYTES_MAX                                                                             \
    (SLG_QUERY_TEXT_BYTES_MAX * 4) /* a percent-encoded query and its parameters */
#define IDLE_TIMEOUT_MS 120000
/* Requests that take a moment have places of their own, so many for each query that may run. */
#define SHORT_PLACES    4

static const char *const outcomes[] = { "ok",          "bad_request", "limit",   "timeout",
                                        "unavailable", "canceled",    "refused", "failed" };
const struct slg_metric_label slg_querier_outcome_label = { "outcome", outcomes,
                                                            SLG_ARRAY_LEN(outcomes) };
static const struct slg_metric_row metric_rows[] = { QUERIER_METRICS(SLG_METRIC_ROW) };

#define READ (SLG_HTTP_GET | SLG_HTTP_POST)
static const struct slg_http_route routes[] = {
    { "/loki/api/v1/query_range", READ, slg_api_query_range, false },
    { "/loki/api/v1/query", READ, slg_api_query, false },
    { "/loki/api/v1/labels", READ, slg_api_labels, false },
    { "/loki/api/v1/label", READ, slg_api_labels, false },
    { "/loki/api/v1/label/{name}/values", READ, slg_api_label_values, false },
    { "/loki/api/v1/series", READ, slg_api_series, false },
    { "/loki/api/v1/index/stats", READ, slg_api_stats, false },
    { "/loki/api/v1/index/volume", READ, slg_api_volume, false },
    { "/loki/api/v1/index/volume_range", READ, slg_api_volume_range, false },
    { "/loki/api/v1/detected_labels", READ, slg_api_detected_labels, false },
    { "/loki/api/v1/format_query", READ, slg_api_format_query, false },
    { "/loki/api/v1/status/buildinfo", SLG_HTTP_GET, slg_api_buildinfo, false },
    { "/loki/api/v1/drilldown-limits", SLG_HTTP_GET, slg_api_drilldown_limits, false },
    { "/loki/api/v1/tail", SLG_HTTP_GET, slg_api_tail, false },
    { "/loki/api/v1/patterns", READ, slg_api_patterns, false },
    { "/loki/api/v1/detected_fields", READ, slg_api_detected_fields, false },
    { "/loki/api/v1/detected_field/{name}/values", READ, slg_api_detected_field_values, false },
    { "/api/prom/query", READ, slg_api_legacy_query, false },
    { "/api/prom/label", READ, slg_api_labels, false },
    { "/api/prom/label/{name}/values", READ, slg_api_label_values, false },
    { "/api/prom/series", READ, slg_api_series, false },
    { "/prometheus/api/v1/rules", SLG_HTTP_GET, slg_api_empty_rules, false },
    { "/prometheus/api/v1/alerts", SLG_HTTP_GET, slg_api_empty_alerts, false },
    { "/api/prom/rules", SLG_HTTP_GET, slg_api_no_rule_groups, false },
    { "/loki/api/v1/rules", SLG_HTTP_GET, slg_api_no_rule_groups, false },
    { "/ready", SLG_HTTP_GET, slg_api_ready, true },
    { "/metrics", SLG_HTTP_GET, slg_api_metrics, false },
};

struct slg_querier_limits slg_querier_limits_default(void)
{
    return (struct slg_querier_limits){ .query_timeout_ms = 60000,
                                        .entries_max = 5000,
                                        .series_max = 500,
                                        .query_length_max_ns = INT64_C(721) * 3600 * SLG_NS_PER_SEC,
                                        .memory_bytes_max = (size_t)64 << 20,
                                        .bytes_scan_max = (uint64_t)1 << 40,
                                        .concurrent_max = 4,
                                        .waiting_max = 1024,
                                        .connection_count_max = 256,
                                        .parallel_max = 2,
                                        .tails_max = 64,
                                        .tail_time_max_ns = INT64_C(3600) * SLG_NS_PER_SEC,
                                        .tail_pong_timeout_ms = 30000 };
}

static void refresh_gauges(void *arg)
{
    struct slg_querier *querier = arg;

    slg_metric_gauge_shared(querier->metrics, METRIC_querier_running_queries, 0,
                            (int64_t)slg_gate_inside_count(querier->gate, SLG_GATE_LONG));
    slg_metric_gauge_shared(querier->metrics, METRIC_querier_waiting_queries, 0,
                            (int64_t)slg_gate_waiting_count(querier->gate, SLG_GATE_LONG));
    slg_metric_gauge_shared(querier->metrics, METRIC_querier_running_metadata_requests, 0,
                            (int64_t)slg_gate_inside_count(querier->gate, SLG_GATE_SHORT));
    slg_metric_gauge_shared(querier->metrics, METRIC_querier_waiting_metadata_requests, 0,
                            (int64_t)slg_gate_waiting_count(querier->gate, SLG_GATE_SHORT));
    slg_metric_gauge_shared(querier->metrics, METRIC_querier_unsent_bytes, 0,
                            (int64_t)slg_gate_kept_bytes(querier->gate));
    slg_metric_gauge_shared(querier->metrics, METRIC_querier_running_tails, 0,
                            (int64_t)atomic_load(&querier->tail_count));
}

static void count_look(void *arg, bool incomplete)
{
    struct slg_querier *querier = arg;

    (void)incomplete; /* tails cannot say it; /ready and queries do */
    slg_metric_add_shared(querier->metrics, METRIC_querier_tail_looks_total, 0, 1);
}

static enum slg_status start_tails(struct slg_querier *querier, struct slg_error *reterr)
{
    struct slg_tail_hub_options options = {
        .peers = querier->peers,
        .tenant = slg_text_of(QUERIER_TENANT),
        .memory_bytes_max = querier->options.limits.memory_bytes_max,
        .subscriber_max = querier->options.limits.tails_max + 1,
        .looked = count_look,
        .looked_arg = querier,
    };

    return slg_tail_hub_create(&options, &querier->tail_hub, reterr);
}

static enum slg_status start_http(struct slg_querier *querier, struct slg_error *reterr)
{
    struct slg_http_server_options http = querier->options.http;

    http.routes = routes;
    http.route_count = SLG_ARRAY_LEN(routes);
    http.handler_ctx = querier;
    http.connection_count_max = querier->options.limits.connection_count_max;
    http.body_bytes_max = BODY_BYTES_MAX;
    http.idle_timeout_ms = IDLE_TIMEOUT_MS;
    return slg_http_server_start(&http, &querier->http, reterr);
}

/* A client may hold what its queries may hold that run at once, and no less than one runs beside one answer that is
 * being sent. Half as much again is for other clients of its address, and as much as that for other addresses. */
static struct slg_gate *make_gate(const struct slg_querier_limits *limits)
{
    size_t queries = limits->concurrent_max < 2 ? 2 : limits->concurrent_max;
    size_t bytes = queries * limits->memory_bytes_max;
    size_t shorts = limits->concurrent_max * SHORT_PLACES;
    struct slg_gate_options options = {
        .place_counts = { [SLG_GATE_LONG] = limits->concurrent_max,
                          [SLG_GATE_SHORT] =
                              shorts < SLG_GATE_PLACES_MAX ? shorts : SLG_GATE_PLACES_MAX },
        .waiting_max = limits->waiting_max,
        .client_bytes_max = bytes,
        .address_bytes_max = bytes + bytes / 2,
        .bytes_max = 2 * bytes,
    };

    return slg_gate_create(&options);
}

enum slg_status slg_querier_start(const struct slg_querier_options *options,
                                  struct slg_querier **ret_querier, struct slg_error *reterr)
{
    struct slg_querier *querier = calloc(1, sizeof(*querier));
    enum slg_status status;

    if (querier == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the querier");
    querier->options = *options;
    atomic_init(&querier->stopping, false);
    atomic_init(&querier->tail_count, 0);
    slg_hedge_pace_init(&querier->pace);
    querier->gate = make_gate(&options->limits);
    querier->metrics =
        slg_metric_register(options->registry, metric_rows, SLG_ARRAY_LEN(metric_rows));
    if (querier->gate == NULL || querier->metrics == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the querier");
    else
        status =
            slg_peers_create(options->map, &options->tls, IN_FLIGHT_MAX, &querier->peers, reterr);
    if (status == SLG_OK)
        status = start_tails(querier, reterr);
    if (status == SLG_OK) {
        slg_metric_on_write(querier->metrics, refresh_gauges, querier);
        status = start_http(querier, reterr);
    }
    if (status != SLG_OK) {
        slg_querier_stop(querier);
        return status;
    }
    slg_log_info("querier started http=%s", slg_querier_address(querier));
    *ret_querier = querier;
    return SLG_OK;
}

const char *slg_querier_address(const struct slg_querier *querier)
{
    return slg_http_server_address(querier->http);
}

void slg_querier_stop(struct slg_querier *querier)
{
    if (querier == NULL)
        return;
    atomic_store(&querier->stopping, true);
    slg_tail_hub_stop(querier->tail_hub); /* wakes the tails, which end then */
    slg_http_server_stop(querier->http);
    slg_tail_hub_destroy(querier->tail_hub);
    if (querier->metrics != NULL)
        slg_metric_on_write(querier->metrics, NULL, NULL);
    slg_peers_destroy(querier->peers);
    slg_gate_destroy(querier->gate);
    free(querier);
}
