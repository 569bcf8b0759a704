/* /loki/api/v1/detected_fields and /loki/api/v1/detected_field/{name}/values: what the newest lines of a log query
 * have in them. */
#include "base/clock.h"
#include "logql/plan/query.h"
#include "querier/fields.h"
#include "querier/params.h"
#include "querier/querier_private.h"

#define LINES_DEFAULT    100
#define FIELDS_DEFAULT   1000
#define ANSWER_BYTES_MAX ((size_t)64 << 20)
/* Of fields or values in one answer; a larger `limit` is told back but not reached. */
#define FIELD_COUNT_MAX  ((uint64_t)65536)

/* One request: everything it allocates dies with it. */
struct sample {
    struct api_client client;
    struct slg_query_params params;
    struct slg_query *query;
    struct slg_fanout *fanout;
    struct slg_arena *arena; /* the lines */
    struct slg_streams *streams;
    struct slg_fields *fields;
    struct slg_text wanted; /* the field whose values are asked for; empty: all fields */
    uint64_t limit;         /* of fields or values */
    struct slg_buf out;
};

static void free_sample(struct sample *sample)
{
    slg_fields_destroy(sample->fields);
    slg_fanout_destroy(sample->fanout);
    slg_query_destroy(sample->query);
    slg_arena_destroy(sample->arena);
    slg_buf_fini(&sample->out);
}

static enum slg_status read_params(struct sample *sample, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &sample->client.querier->options.limits;
    const struct slg_http_request *request = sample->client.request;
    struct slg_query_params *params = &sample->params;
    struct slg_text text;
    enum slg_status status;

    if (!slg_http_param(request, "query", &params->text))
        params->text = slg_text_make("", 0);
    params->direction = SLG_BACKWARD;
    params->series_max = limits->series_max;
    params->memory_bytes_max = limits->memory_bytes_max;
    params->leaf_memory_bytes_max = limits->memory_bytes_max;
    params->leaf_series_max = 1;
    params->leaf_bytes_scan_max = limits->bytes_scan_max;
    status = slg_api_range(request, &params->start_ns, &params->end_ns, reterr);
    if (status == SLG_OK)
        status = slg_api_check_order(params->start_ns, params->end_ns, reterr);
    if (status == SLG_OK)
        status = slg_api_limit(request, "line_limit", LINES_DEFAULT, &params->limit, reterr);
    if (status == SLG_OK) /* field_limit: its name in old clients */
        status = slg_api_limit(
            request,
            slg_http_param(request, "limit", &text) && text.len > 0 ? "limit" : "field_limit",
            FIELDS_DEFAULT, &sample->limit, reterr);
    if (status == SLG_OK)
        status = slg_api_resolution(request, params->start_ns, params->end_ns, &params->step_ns,
                                    /* ret_interval_ns= */ NULL, reterr);
    return status == SLG_OK ? slg_api_check_range(limits, params, reterr) : status;
}

static enum slg_status read_query(struct sample *sample, struct slg_error *reterr)
{
    enum slg_status status = slg_query_create(&sample->params, &sample->query, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_query_is_log(sample->query))
        return slg_errorf(reterr, SLG_INVALID, "only log selector is supported");
    return slg_api_check_entries(&sample->client.querier->options.limits, sample->params.limit,
                                 reterr);
}

/* ---- the sample ---- */

static enum slg_status take_row(void *arg, const struct slg_row *row)
{
    struct sample *sample = arg;

    return slg_streams_add(sample->streams, row);
}

/* Throw away the lines of a run before. */
static enum slg_status begin_lines(void *arg, struct slg_error *reterr)
{
    struct sample *sample = arg;

    slg_arena_destroy(sample->arena);
    sample->arena = slg_arena_create(sample->params.memory_bytes_max);
    sample->streams =
        sample->arena == NULL ? NULL : slg_streams_create(sample->arena, /* categorize= */ true);
    if (sample->streams == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the lines");
    return SLG_OK;
}

static enum slg_status run_lines(void *arg, struct slg_error *reterr)
{
    struct sample *sample = arg;
    struct slg_merge_params merge = { .direction = sample->params.direction,
                                      .limit = sample->params.limit,
                                      .memory_bytes_max = sample->params.memory_bytes_max };

    return slg_fanout_run_log(sample->fanout, sample->query, &merge, take_row, sample, reterr);
}

static enum slg_status fetch_lines(struct sample *sample, struct slg_error *reterr)
{
    static const struct slg_fanout_work work = { begin_lines, run_lines };
    int64_t from_ns, to_ns;
    enum slg_status status = slg_api_fanout(&sample->client, &sample->fanout, reterr);

    slg_query_leaf_range(sample->query, 0, &from_ns, &to_ns);
    if (status == SLG_OK)
        status = slg_fanout_evaluate(sample->fanout, from_ns, to_ns, &work, sample, reterr);
    if (status == SLG_OK && slg_fanout_incomplete(sample->fanout) != NULL)
        slg_metric_add_shared(sample->client.querier->metrics, METRIC_querier_incomplete_total, 0,
                              1);
    return status;
}

static enum slg_status detect(struct sample *sample, struct slg_error *reterr)
{
    size_t most = (size_t)(sample->limit < FIELD_COUNT_MAX ? sample->limit : FIELD_COUNT_MAX);
    struct slg_fields_options options = { .field_max = sample->wanted.len > 0 ? 1 : most,
                                          .wanted = sample->wanted,
                                          .value_max = most,
                                          .memory_bytes_max = sample->params.memory_bytes_max };
    const struct slg_stream *streams;
    size_t count;
    enum slg_status status = slg_streams_finish(sample->streams, &streams, &count);

    if (status == SLG_OK)
        status = slg_fields_create(&options, &sample->fields, reterr);
    for (size_t i = 0; status == SLG_OK && i < count; i++)
        status = slg_fields_add(sample->fields, &streams[i]);
    return status;
}

static enum slg_status run_admitted(struct sample *sample, struct slg_error *reterr)
{
    enum slg_status status = fetch_lines(sample, reterr);

    if (status == SLG_OK)
        status = detect(sample, reterr);
    if (status == SLG_LIMIT && reterr->message[0] == '\0')
        return slg_error_hintf(reterr, SLG_LIMIT, "ask with a smaller line_limit",
                               "the lines need more than the %zu MiB that one query may use",
                               sample->params.memory_bytes_max >> 20);
    return status;
}

static enum slg_status run_sample(struct sample *sample, struct slg_error *reterr)
{
    enum slg_status status;

    status = read_params(sample, reterr);
    if (status == SLG_OK)
        status = read_query(sample, reterr);
    if (status == SLG_OK)
        status = slg_api_enter(&sample->client, SLG_GATE_LONG, reterr);
    if (status != SLG_OK)
        return status;
    status = run_admitted(sample, reterr);
    slg_api_leave(&sample->client);
    return status;
}

/* ---- answers ---- */

/* The end of an answer, with a warning when storers failed. */
static void print_end(struct sample *sample)
{
    const char *warning = slg_fanout_incomplete(sample->fanout);

    slg_buf_printf(&sample->out, ",\"limit\":%llu", (unsigned long long)sample->limit);
    if (warning != NULL) {
        slg_buf_append_text(&sample->out, ",\"warnings\":[");
        slg_buf_append_json_text(&sample->out, warning);
        slg_buf_append_byte(&sample->out, ']');
    }
    slg_buf_append_text(&sample->out, "}\n");
}

static const char *parsers_text(const struct slg_field *field)
{
    if (field->json && field->logfmt)
        return "[\"json\",\"logfmt\"]";
    if (field->json)
        return "[\"json\"]";
    return field->logfmt ? "[\"logfmt\"]" : "null"; /* null: structured metadata */
}

static void print_fields(struct sample *sample)
{
    struct slg_buf *out = &sample->out;
    size_t count;
    const struct slg_field *fields = slg_fields_list(sample->fields, &count);

    slg_buf_append_text(out, "{\"fields\":[");
    for (size_t i = 0; i < count; i++) {
        slg_buf_append_text(out, i == 0 ? "{\"label\":" : ",{\"label\":");
        slg_buf_append_json(out, fields[i].name.at, fields[i].name.len);
        slg_buf_printf(out, ",\"type\":\"%s\",\"cardinality\":%llu,\"parsers\":%s",
                       slg_field_type_text(fields[i].type),
                       (unsigned long long)fields[i].value_count, parsers_text(&fields[i]));
        if (fields[i].path_count > 0) {
            slg_buf_append_text(out, ",\"jsonPath\":");
            slg_api_print_texts(out, fields[i].path, fields[i].path_count);
        }
        slg_buf_append_byte(out, '}');
    }
    slg_buf_append_byte(out, ']');
    print_end(sample);
}

/* Loki answers {} when there is no value. */
static void print_values(struct sample *sample)
{
    struct slg_buf *out = &sample->out;
    size_t count;
    const struct slg_text *values = slg_fields_values(sample->fields, &count);

    if (count == 0 && slg_fanout_incomplete(sample->fanout) == NULL) {
        slg_buf_append_text(out, "{}\n");
        return;
    }
    slg_buf_append_text(out, "{\"values\":");
    slg_api_print_texts(out, values, count);
    print_end(sample);
}

static void count_sample(const struct sample *sample, enum slg_status status)
{
    struct slg_metric_table *metrics = sample->client.querier->metrics;

    slg_metric_add_shared(metrics, METRIC_querier_metadata_requests_total, slg_api_outcome(status),
                          1);
    if (sample->fanout == NULL)
        return;
    slg_metric_add_shared(metrics, METRIC_querier_scanned_bytes_total, 0,
                          slg_fanout_stats(sample->fanout)->bytes_read);
    slg_metric_add_shared(metrics, METRIC_querier_scanned_lines_total, 0,
                          slg_fanout_stats(sample->fanout)->lines_read);
}

static void answer(struct slg_querier *querier, struct slg_http_request *request,
                   struct slg_text wanted, void (*print)(struct sample *))
{
    struct sample sample = { .client = slg_api_client(querier, request), .wanted = wanted };
    struct slg_error error = { .status = SLG_OK };
    enum slg_status status;

    slg_buf_init(&sample.out, ANSWER_BYTES_MAX);
    status = run_sample(&sample, &error);
    if (status == SLG_OK)
        print(&sample);
    if (status == SLG_OK && slg_buf_failed(&sample.out))
        status =
            slg_errorf(&error, SLG_LIMIT, "the answer is over %zu MiB", ANSWER_BYTES_MAX >> 20);
    if (status == SLG_OK)
        status = slg_api_answer(&sample.client, &sample.out, &error);
    count_sample(&sample, status);
    error.status = status;
    if (status != SLG_OK)
        slg_api_fail(request, &error,
                     sample.query == NULL ? NULL : slg_query_error_text(sample.query));
    free_sample(&sample);
}

void slg_api_detected_fields(void *ctx, struct slg_http_request *request)
{
    answer(ctx, request, slg_text_make(NULL, 0), print_fields);
}

void slg_api_detected_field_values(void *ctx, struct slg_http_request *request)
{
    answer(ctx, request, slg_http_path_segment(request), print_values);
}
