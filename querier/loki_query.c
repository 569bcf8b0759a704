/* /loki/api/v1/query_range and /loki/api/v1/query; /api/prom/query, the log query of clients from before 2019. */
#include "base/clock.h"
#include "base/log.h"
#include "logql/plan/query.h"
#include "logql/syntax/print.h"
#include "querier/answer.h"
#include "querier/params.h"
#include "querier/querier_private.h"

/* One query from its parameters to the last byte of its answer. Lives on the heap because the answer is pulled after
 * the handler has returned. */
struct job {
    struct api_client client;
    struct slg_query_params params;
    struct slg_query *query;
    struct slg_fanout *fanout;
    struct slg_arena *arena; /* rows of a log answer */
    struct slg_streams *streams;
    struct slg_answer answer;
    struct slg_scan_stats stats;         /* of fanout, which ends before the answer is sent */
    char warning[SLG_FANOUT_TEXT_BYTES]; /* likewise */
    unsigned run_count;                  /* more than one: storers were lost on the way */
    char flags[SLG_API_FLAGS_BYTES];
};

static void free_job(void *arg)
{
    struct job *job = arg;

    if (job == NULL)
        return;
    slg_fanout_destroy(job->fanout);
    slg_query_destroy(job->query);
    slg_arena_destroy(job->arena);
    slg_api_leave(&job->client);
    free(job);
}

/* ---- parameters ---- */

static enum slg_status read_range_params(const struct slg_http_request *request,
                                         struct slg_query_params *params, struct slg_error *reterr)
{
    enum slg_status status = slg_api_range(request, &params->start_ns, &params->end_ns, reterr);

    if (status == SLG_OK)
        status = slg_api_check_order(params->start_ns, params->end_ns, reterr);
    if (status == SLG_OK)
        status = slg_api_resolution(request, params->start_ns, params->end_ns, &params->step_ns,
                                    &params->interval_ns, reterr);
    return status;
}

static enum slg_status read_instant_params(const struct slg_http_request *request,
                                           struct slg_query_params *params,
                                           struct slg_error *reterr)
{
    struct slg_text text;

    params->instant = true;
    params->end_ns = slg_clock_wall_ns(slg_clock_system());
    if (slg_http_param(request, "time", &text) && text.len > 0 &&
        slg_params_time(text, &params->end_ns, reterr) != SLG_OK)
        return SLG_INVALID;
    params->end_ns = slg_params_bounded_time(params->end_ns);
    params->start_ns = params->end_ns;
    return SLG_OK;
}

static enum slg_status read_params(struct job *job, bool instant, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &job->client.querier->options.limits;
    const struct slg_http_request *request = job->client.request;
    struct slg_query_params *params = &job->params;
    enum slg_status status;

    if (!slg_http_param(request, "query", &params->text))
        params->text = slg_text_make("", 0);
    params->series_max = limits->series_max;
    params->memory_bytes_max = limits->memory_bytes_max;
    params->leaf_memory_bytes_max = limits->memory_bytes_max;
    params->leaf_series_max = limits->memory_bytes_max / 1024;
    params->leaf_bytes_scan_max = limits->bytes_scan_max;
    status = slg_api_limit(request, "limit", 100, &params->limit, reterr);
    if (status == SLG_OK)
        status = slg_api_direction(request, &params->direction, reterr);
    if (status == SLG_OK)
        status = instant ? read_instant_params(request, params, reterr)
                         : read_range_params(request, params, reterr);
    return status;
}

/* ---- evaluation ---- */

static enum slg_status take_row(void *arg, const struct slg_row *row)
{
    struct job *job = arg;

    return slg_streams_add(job->streams, row);
}

static enum slg_status run_log(struct job *job, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &job->client.querier->options.limits;
    struct slg_merge_params merge = { .direction = job->params.direction,
                                      .limit = job->params.limit,
                                      .interval_ns = job->params.interval_ns,
                                      .memory_bytes_max = limits->memory_bytes_max };
    enum slg_status status;

    job->arena = slg_arena_create(limits->memory_bytes_max);
    job->streams =
        job->arena == NULL ? NULL : slg_streams_create(job->arena, job->answer.categorize);
    if (job->streams == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the answer");
    slg_streams_pack(job->streams, limits->memory_bytes_max / 4);
    status = slg_fanout_run_log(job->fanout, job->query, &merge, take_row, job, reterr);
    if (status == SLG_OK)
        status = slg_streams_finish(job->streams, &job->answer.streams, &job->answer.stream_count);
    if (status == SLG_LIMIT && reterr->message[0] == '\0')
        return slg_error_hintf(reterr, SLG_LIMIT, "ask for fewer lines or a shorter time range",
                               "the answer is larger than the %zu MiB that one query may use",
                               limits->memory_bytes_max >> 20);
    return status;
}

static enum slg_status run_metric(struct job *job, struct slg_error *reterr)
{
    enum slg_status status = slg_fanout_run_metric(job->fanout, job->query, reterr);

    if (status == SLG_OK)
        status = slg_query_finish(job->query, &job->answer.result, reterr);
    return status;
}

static void data_range(const struct job *job, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    *ret_from_ns = INT64_MAX;
    *ret_to_ns = INT64_MIN;
    for (size_t i = 0; i < slg_query_leaf_count(job->query); i++) {
        int64_t from_ns, to_ns;

        slg_query_leaf_range(job->query, i, &from_ns, &to_ns);
        *ret_from_ns = from_ns < *ret_from_ns ? from_ns : *ret_from_ns;
        *ret_to_ns = to_ns > *ret_to_ns ? to_ns : *ret_to_ns;
    }
}

/* Throw away what a run before has collected: nothing was sent to the client yet. */
static enum slg_status begin_again(struct job *job, struct slg_error *reterr)
{
    slg_arena_destroy(job->arena);
    job->arena = NULL;
    job->streams = NULL;
    slg_query_destroy(job->query);
    job->query = NULL;
    return slg_query_create(&job->params, &job->query, reterr);
}

static enum slg_status begin_run(void *arg, struct slg_error *reterr)
{
    struct job *job = arg;
    struct slg_querier *querier = job->client.querier;
    enum slg_status status = job->run_count++ == 0 ? SLG_OK : begin_again(job, reterr);
    bool warned = job->answer.warning != NULL;

    if (status != SLG_OK)
        return status;
    job->answer.warning = slg_fanout_incomplete(job->fanout);
    if (job->answer.warning == NULL)
        return SLG_OK;
    if (!warned)
        slg_metric_add_shared(querier->metrics, METRIC_querier_incomplete_total, 0, 1);
    /* Alerting ignores warnings: an incomplete number is an error (H11). */
    if (!slg_query_is_log(job->query) && !querier->options.partial_warn)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "%s", job->answer.warning);
    return SLG_OK;
}

static enum slg_status run_once(void *arg, struct slg_error *reterr)
{
    struct job *job = arg;

    return slg_query_is_log(job->query) ? run_log(job, reterr) : run_metric(job, reterr);
}

static enum slg_status run_admitted(struct job *job, struct slg_error *reterr)
{
    static const struct slg_fanout_work work = { begin_run, run_once };
    int64_t from_ns, to_ns;
    enum slg_status status = slg_api_fanout(&job->client, &job->fanout, reterr);

    if (status != SLG_OK)
        return status;
    job->answer.stats = slg_fanout_stats(job->fanout);
    data_range(job, &from_ns, &to_ns);
    return slg_fanout_evaluate(job->fanout, from_ns, to_ns, &work, job, reterr);
}

/* While the answer is sent, which may take long, it holds what it is made of and nothing else. */
static enum slg_status shrink(struct job *job, struct slg_error *reterr)
{
    bool log = slg_query_is_log(job->query);

    if (job->fanout != NULL) {
        job->stats = *slg_fanout_stats(job->fanout);
        job->answer.stats = &job->stats;
    }
    if (job->answer.warning != NULL) {
        (void)snprintf(job->warning, sizeof(job->warning), "%s", job->answer.warning); /* fits */
        job->answer.warning = job->warning;
    }
    slg_fanout_destroy(job->fanout);
    job->fanout = NULL;
    if (log) {
        slg_query_destroy(job->query);
        job->query = NULL;
    }
    return slg_api_keep(&job->client,
                        log ? slg_arena_used_bytes(job->arena) : slg_query_used_bytes(job->query),
                        reterr);
}

static enum slg_status run_gated(struct job *job, struct slg_error *reterr)
{
    enum slg_status status = slg_api_enter(&job->client, SLG_GATE_LONG, reterr);

    if (status != SLG_OK)
        return status;
    if (slg_query_leaf_count(job->query) == 0)
        status = slg_query_finish(job->query, &job->answer.result, reterr);
    else
        status = run_admitted(job, reterr);
    if (status == SLG_OK)
        return shrink(job, reterr);
    slg_api_leave(&job->client);
    return status;
}

static enum slg_status check_legacy(const struct job *job, struct slg_error *reterr)
{
    struct slg_text text;

    if (!slg_query_is_log(job->query))
        return slg_errorf(reterr, SLG_INVALID, "legacy endpoints only support streams result type");
    if (slg_http_param(job->client.request, "regexp", &text) && text.len > 0)
        return slg_errorf(reterr, SLG_INVALID,
                          "the parameter regexp is not supported by Silage: use |~ in the query");
    return SLG_OK;
}

static enum slg_status run_query(struct job *job, bool instant, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &job->client.querier->options.limits;
    enum slg_status status = read_params(job, instant, reterr);

    if (status == SLG_OK)
        status = slg_query_create(&job->params, &job->query, reterr);
    if (status == SLG_OK)
        status = slg_api_check_range(limits, &job->params, reterr);
    if (status == SLG_OK && slg_query_is_log(job->query))
        status = slg_api_check_entries(limits, job->params.limit, reterr);
    if (status == SLG_OK && job->answer.legacy)
        status = check_legacy(job, reterr);
    if (status != SLG_OK)
        return status;
    /* Grafana's health check needs no storer, and waits for nothing. */
    if (instant && slg_query_leaf_count(job->query) == 0)
        return slg_query_finish(job->query, &job->answer.result, reterr);
    return run_gated(job, reterr);
}

/* ---- the handlers ---- */

static enum slg_status pull_answer(void *arg, struct slg_buf *out)
{
    struct job *job = arg;

    return slg_answer_pull(&job->answer, out);
}

static void count_job(const struct job *job, enum slg_status status, int64_t took_ns)
{
    struct slg_metric_table *metrics = job->client.querier->metrics;

    slg_metric_add_shared(metrics, METRIC_querier_queries_total, slg_api_outcome(status), 1);
    slg_metric_observe_shared(metrics, METRIC_querier_query_seconds, 0, (uint64_t)took_ns);
    if (job->answer.stats == NULL)
        return;
    slg_metric_add_shared(metrics, METRIC_querier_scanned_bytes_total, 0,
                          job->answer.stats->bytes_read);
    slg_metric_add_shared(metrics, METRIC_querier_scanned_lines_total, 0,
                          job->answer.stats->lines_read);
}

/* Keep what a log reader may see: Grafana's tags, without odd bytes. */
static void log_query(const struct job *job, enum slg_status status, int64_t took_ns)
{
    const char *tags = slg_http_header(job->client.request, "X-Query-Tags");
    char clean[128];
    size_t len = 0;

    for (size_t i = 0; tags != NULL && tags[i] != '\0' && len + 1 < sizeof(clean); i++) {
        bool keep = (tags[i] >= '0' && tags[i] <= '9') || (tags[i] >= 'A' && tags[i] <= 'Z') ||
                    (tags[i] >= 'a' && tags[i] <= 'z') || strchr("-=.@, ", tags[i]) != NULL;

        if (keep)
            clean[len++] = tags[i];
    }
    clean[len] = '\0';
    slg_log_debug("query answered status=%s ms=%lld tags=%s query=%.*s", slg_status_text(status),
                  (long long)(took_ns / SLG_NS_PER_MS), clean, (int)job->params.text.len,
                  job->params.text.at);
}

enum form {
    FORM_RANGE,
    FORM_INSTANT,
    FORM_LEGACY, /* a range, answered in the old shape */
};

static void answer_query(struct slg_querier *querier, struct slg_http_request *request,
                         enum form form)
{
    struct job *job = calloc(1, sizeof(*job));
    struct slg_error error = { .status = SLG_OK };
    enum slg_status status;
    int64_t took_ns;

    if (job == NULL) {
        slg_http_answer_text(request, 500, "no memory for the query");
        return;
    }
    job->client = slg_api_client(querier, request);
    job->answer.legacy = form == FORM_LEGACY;
    if (form != FORM_LEGACY)
        job->answer.encoding_flags = slg_api_flags(request, job->flags, &job->answer.categorize);
    status = run_query(job, /* instant= */ form == FORM_INSTANT, &error);
    took_ns = slg_clock_mono_ns(slg_clock_system()) - job->client.started_mono_ns;
    job->answer.exec_seconds = (double)took_ns / 1e9;
    count_job(job, status, took_ns);
    log_query(job, status, took_ns);
    if (status != SLG_OK) {
        error.status = status;
        slg_api_fail(request, &error, job->query == NULL ? NULL : slg_query_error_text(job->query));
        free_job(job);
        return;
    }
    slg_http_answer_stream(request, 200, "application/json; charset=UTF-8", pull_answer, free_job,
                           job);
}

void slg_api_query_range(void *ctx, struct slg_http_request *request)
{
    answer_query(ctx, request, FORM_RANGE);
}

void slg_api_query(void *ctx, struct slg_http_request *request)
{
    answer_query(ctx, request, FORM_INSTANT);
}

void slg_api_legacy_query(void *ctx, struct slg_http_request *request)
{
    answer_query(ctx, request, FORM_LEGACY);
}
