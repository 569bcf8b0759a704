/* Volumes: bytes by label set or label name, of a whole range or step by step. */
#include "base/clock.h"
#include "logql/eval/series.h"
#include "querier/answer.h"
#include "querier/meta.h"
#include "querier/params.h"
#include "querier/volumes.h"

#define VOLUME_LIMIT_DEFAULT 100

/* ---- parameters ---- */

/* Without targetLabels the labels of the selector are the targets. */
static enum slg_status read_targets(const struct slg_http_request *request,
                                    const struct slg_logql_log *log, struct slg_volume_rule *rule,
                                    struct slg_error *reterr)
{
    struct slg_text text;

    if (slg_http_param(request, "targetLabels", &text) && text.len > 0)
        return slg_volume_read_targets(rule, text, reterr);
    for (size_t i = 0; i < log->matcher_count && rule->target_count < SLG_VOLUME_TARGETS_MAX; i++)
        rule->targets[rule->target_count++] =
            slg_text_make(log->matchers[i].name.ptr, log->matchers[i].name.len);
    return SLG_OK;
}

/* `limit`; 0 stands for the default. */
static enum slg_status read_limit(const struct slg_http_request *request,
                                  struct slg_volume_rule *rule, struct slg_error *reterr)
{
    struct slg_text text;
    int64_t value;

    rule->limit = VOLUME_LIMIT_DEFAULT;
    if (slg_http_param(request, "limit", &text) && slg_params_int(text, &value, NULL) == SLG_OK &&
        value == 0)
        return SLG_OK;
    return slg_api_limit(request, "limit", VOLUME_LIMIT_DEFAULT, &rule->limit, reterr);
}

/* `query`; "{}", which no other request may be, is every stream with all its labels. */
static enum slg_status read_streams(struct slg_meta *meta, struct slg_volume_rule *rule,
                                    struct slg_error *reterr)
{
    const struct slg_logql_log none = { .matcher_count = 0 }, *log = &none;
    struct slg_text text;

    if (slg_http_param(meta->client.request, "query", &text) && slg_text_equal_to(text, "{}")) {
        rule->all_labels = true;
    } else {
        enum slg_status status = slg_meta_read_selector(meta, &log, reterr);

        if (status != SLG_OK)
            return status;
    }
    return read_targets(meta->client.request, log, rule, reterr);
}

/* Loki reads the parameters of an instant query, and refuses what it would there. */
static enum slg_status check_time(const struct slg_http_request *request, struct slg_error *reterr)
{
    struct slg_text text;
    int64_t ts_ns;

    if (!slg_http_param(request, "time", &text) || text.len == 0)
        return SLG_OK;
    return slg_params_time(text, &ts_ns, reterr);
}

static enum slg_status read_request(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    const struct slg_http_request *request = meta->client.request;
    struct slg_volume_rule *rule = arg;
    enum slg_direction direction;
    struct slg_text text;
    enum slg_status status = slg_api_check_order(meta->wanted.from_ns, meta->wanted.to_ns, reterr);

    if (status == SLG_OK)
        status = read_limit(request, rule, reterr);
    if (status == SLG_OK)
        status = slg_api_direction(request, &direction, reterr);
    if (status != SLG_OK)
        return status;
    if (slg_http_param(request, "aggregateBy", &text) && text.len > 0) {
        rule->by_label = slg_text_equal_to(text, "labels");
        if (!rule->by_label && !slg_text_equal_to(text, "series"))
            return slg_errorf(reterr, SLG_INVALID, "invalid aggregation option");
    }
    return read_streams(meta, rule, reterr);
}

/* ---- volume ---- */

static enum slg_status sum_streams(struct slg_meta *meta, const struct slg_volume_rule *rule,
                                   struct slg_volume **ret_volumes, size_t *ret_count,
                                   struct slg_error *reterr)
{
    struct slg_volume *streams =
        slg_arena_calloc(meta->arena, meta->stream_count, sizeof(struct slg_volume));

    if (streams == NULL)
        return slg_meta_no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++)
        streams[i] =
            (struct slg_volume){ meta->labels[i], slg_meta_stream_bytes(&meta->streams[i]) };
    return slg_volumes_sum(meta->arena, rule, streams, meta->stream_count, ret_volumes,
                           ret_count) == SLG_OK
               ? SLG_OK
               : slg_meta_no_memory(reterr);
}

static void print_metric(struct slg_buf *out, const struct slg_label_set *labels)
{
    slg_buf_append_text(out, "{\"metric\":");
    slg_label_print_json(out, labels);
}

/* The end of an answer: Loki has statistics here, too, and as little to tell by them. */
static void print_end(struct slg_buf *out)
{
    static const struct slg_scan_stats none = { 0 };

    slg_buf_append_byte(out, ']');
    slg_answer_stats(out, &none, 0);
    slg_buf_append_text(out, "}}\n");
}

static enum slg_status print_volumes(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct slg_volume *volumes = NULL;
    size_t count = 0;
    enum slg_status status = sum_streams(meta, arg, &volumes, &count, reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_append_text(&meta->out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\","
                                    "\"result\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            slg_buf_append_byte(&meta->out, ',');
        print_metric(&meta->out, &volumes[i].labels);
        slg_buf_append_text(&meta->out, ",\"value\":[");
        slg_answer_seconds(&meta->out, meta->wanted.to_ns);
        slg_buf_printf(&meta->out, ",\"%llu\"]}", (unsigned long long)volumes[i].bytes);
    }
    print_end(&meta->out);
    return SLG_OK;
}

static enum slg_status read_instant_request(struct slg_meta *meta, void *arg,
                                            struct slg_error *reterr)
{
    enum slg_status status = check_time(meta->client.request, reterr);

    return status == SLG_OK ? read_request(meta, arg, reterr) : status;
}

void slg_api_volume(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { read_instant_request, slg_meta_list,
                                                       print_volumes };
    struct slg_volume_rule rule = { 0 };

    slg_meta_answer(ctx, request, &endpoint, &rule);
}

/* ---- volume_range: the volumes of each step, then turned into one line per volume ---- */

struct volume_point {
    struct slg_volume volume;
    int64_t ts_ns;
};

struct volume_matrix {
    struct slg_volume_rule rule;
    int64_t step_ns;
    struct volume_point *points;
    size_t count;
    size_t capacity;
};

static int compare_points(const void *left, const void *right)
{
    const struct volume_point *a = left, *b = right;
    int order = slg_label_set_compare(&a->volume.labels, &b->volume.labels);

    if (order != 0)
        return order;
    return a->ts_ns < b->ts_ns ? -1 : a->ts_ns > b->ts_ns;
}

static enum slg_status add_step(struct slg_meta *meta, struct volume_matrix *matrix, int64_t ts_ns,
                                struct slg_error *reterr)
{
    struct slg_volume *volumes = NULL;
    size_t count = 0;
    enum slg_status status = slg_meta_list(meta, NULL, reterr);

    if (status == SLG_OK)
        status = sum_streams(meta, &matrix->rule, &volumes, &count, reterr);
    if (status != SLG_OK)
        return status;
    if (matrix->count + count > matrix->capacity) {
        size_t grown = (matrix->count + count) * 2 + 64;
        struct volume_point *points =
            slg_arena_grow(meta->arena, matrix->points, matrix->capacity, grown, sizeof(*points));

        if (points == NULL)
            return slg_meta_no_memory(reterr);
        matrix->points = points;
        matrix->capacity = grown;
    }
    for (size_t i = 0; i < count; i++)
        matrix->points[matrix->count++] =
            (struct volume_point){ .volume = volumes[i], .ts_ns = ts_ns };
    return SLG_OK;
}

static enum slg_status read_range_request(struct slg_meta *meta, void *arg,
                                          struct slg_error *reterr)
{
    struct volume_matrix *matrix = arg;
    int64_t interval_ns; /* checked, as Loki does, and not used */
    enum slg_status status = slg_api_check_order(meta->wanted.from_ns, meta->wanted.to_ns, reterr);

    if (status == SLG_OK)
        status = slg_api_resolution(meta->client.request, meta->wanted.from_ns, meta->wanted.to_ns,
                                    &matrix->step_ns, &interval_ns, reterr);
    return status == SLG_OK ? read_request(meta, &matrix->rule, reterr) : status;
}

/* Each step is stamped with its end less 1 ms, the last with the end of the range. */
static enum slg_status list_steps(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct volume_matrix *matrix = arg;
    int64_t start_ns = meta->wanted.from_ns, end_ns = meta->wanted.to_ns;
    int64_t step_ns = matrix->step_ns;
    enum slg_status status = SLG_OK;

    for (int64_t at = start_ns; at < end_ns && status == SLG_OK; at += step_ns) {
        bool last = at + step_ns >= end_ns;

        meta->wanted.from_ns = at;
        meta->wanted.to_ns = last ? end_ns : at + step_ns;
        status = add_step(meta, matrix, last ? end_ns : at + step_ns - SLG_NS_PER_MS, reterr);
    }
    return status;
}

static enum slg_status print_matrix(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct volume_matrix *matrix = arg;
    struct slg_buf *out = &meta->out;

    (void)reterr; /* an answer that is too long is seen by the frame */
    slg_buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
                   matrix->count == 0 ? "vector" : "matrix"); /* as Loki answers nothing */
    if (matrix->count > 0)
        qsort(matrix->points, matrix->count, sizeof(*matrix->points), compare_points);
    for (size_t i = 0; i < matrix->count; i++) {
        const struct volume_point *point = &matrix->points[i];
        bool first = i == 0 || slg_label_set_compare(&matrix->points[i - 1].volume.labels,
                                                     &point->volume.labels) != 0;

        if (first) {
            slg_buf_append_text(out, i == 0 ? "" : "]},");
            print_metric(out, &point->volume.labels);
            slg_buf_append_text(out, ",\"values\":[[");
        } else {
            slg_buf_append_text(out, ",[");
        }
        slg_answer_seconds(out, point->ts_ns);
        slg_buf_printf(out, ",\"%llu\"]", (unsigned long long)point->volume.bytes);
    }
    slg_buf_append_text(out, matrix->count > 0 ? "]}" : "");
    print_end(out);
    return SLG_OK;
}

void slg_api_volume_range(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { read_range_request, list_steps,
                                                       print_matrix };
    struct volume_matrix matrix = { 0 };

    slg_meta_answer(ctx, request, &endpoint, &matrix);
}
