/* Volumes: bytes by label set or label name, of a whole range or step by step. */
#include "base/clock.h"
#include "logql/eval/label_pool.h"
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
                                                       print_volumes, SLG_GATE_SHORT };
    struct slg_volume_rule rule = { 0 };

    slg_meta_answer(ctx, request, &endpoint, &rule);
}

/* ---- volume_range: the volumes of each step, then turned into one line per volume ---- */

/* There are up to limit points a step, and 11,000 steps: a point is small, labels are kept once. */
struct volume_point {
    uint64_t bytes;
    uint32_t id; /* of the label set; later its place in the answer */
    uint32_t step;
};

struct volume_matrix {
    struct slg_volume_rule rule;
    int64_t start_ns, end_ns, step_ns;
    struct slg_arena *arena; /* of the pool */
    struct slg_label_pool pool;
    struct slg_buf points;
    size_t count;
};

static enum slg_status add_step(struct slg_meta *meta, struct volume_matrix *matrix, uint32_t step,
                                struct slg_error *reterr)
{
    struct slg_volume *volumes = NULL;
    size_t count = 0;
    enum slg_status status = slg_meta_list(meta, NULL, reterr);

    if (status == SLG_OK)
        status = sum_streams(meta, &matrix->rule, &volumes, &count, reterr);
    if (status != SLG_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct volume_point point = { .bytes = volumes[i].bytes, .step = step };

        if (!slg_label_pool_intern(&matrix->pool, &volumes[i].labels, &point.id))
            return slg_meta_no_memory(reterr);
        slg_buf_append(&matrix->points, &point, sizeof(point));
    }
    matrix->count += count;
    return slg_buf_failed(&matrix->points) ? slg_meta_no_memory(reterr) : SLG_OK;
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

/* Each step is listed in memory that the next one uses again. */
static enum slg_status list_steps(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct volume_matrix *matrix = arg;
    size_t bytes = meta->client.querier->options.limits.memory_bytes_max / 2;
    enum slg_status status = SLG_OK;
    uint32_t step = 0;

    matrix->start_ns = meta->wanted.from_ns;
    matrix->end_ns = meta->wanted.to_ns;
    matrix->arena = slg_arena_create(bytes);
    if (matrix->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the volumes");
    slg_label_pool_init(&matrix->pool, matrix->arena);
    slg_buf_init(&matrix->points, bytes);
    for (int64_t at = matrix->start_ns; at < matrix->end_ns && status == SLG_OK; step++) {
        struct slg_arena_mark mark = slg_arena_mark(meta->arena);

        meta->wanted.from_ns = at;
        at = at + matrix->step_ns < matrix->end_ns ? at + matrix->step_ns : matrix->end_ns;
        meta->wanted.to_ns = at;
        status = add_step(meta, matrix, step, reterr);
        slg_arena_rewind(meta->arena, mark);
    }
    return status;
}

/* A volume's place in the answer: by labels. */
struct placed {
    const struct slg_label_set *labels;
    uint32_t id;
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;

    return slg_label_set_compare(a->labels, b->labels);
}

static int compare_points(const void *left, const void *right)
{
    const struct volume_point *a = left, *b = right;

    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->step < b->step ? -1 : a->step > b->step;
}

/* Points by their volume's place, then by time. NULL: the arena is full. */
static struct placed *sort_points(struct slg_meta *meta, struct volume_matrix *matrix)
{
    struct volume_point *points = (struct volume_point *)(void *)matrix->points.data;
    size_t count = matrix->pool.count;
    struct placed *placed = slg_arena_calloc(meta->arena, count + 1, sizeof(*placed));
    uint32_t *places = slg_arena_calloc(meta->arena, count + 1, sizeof(*places));

    if (placed == NULL || places == NULL)
        return NULL;
    for (uint32_t id = 0; id < count; id++)
        placed[id] = (struct placed){ slg_label_pool_set(&matrix->pool, id), id };
    if (count > 0)
        qsort(placed, count, sizeof(*placed), compare_placed);
    for (uint32_t place = 0; place < count; place++)
        places[placed[place].id] = place;
    for (size_t i = 0; i < matrix->count; i++)
        points[i].id = places[points[i].id];
    if (matrix->count > 0)
        qsort(points, matrix->count, sizeof(*points), compare_points);
    return placed;
}

/* Each step is stamped with its end less 1 ms, the last with the end of the range. */
static int64_t stamp_of(const struct volume_matrix *matrix, uint32_t step)
{
    int64_t start_ns = matrix->start_ns + step * matrix->step_ns;

    return matrix->end_ns - start_ns <= matrix->step_ns
               ? matrix->end_ns
               : start_ns + matrix->step_ns - SLG_NS_PER_MS;
}

static enum slg_status print_matrix(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct volume_matrix *matrix = arg;
    const struct placed *placed = sort_points(meta, matrix);
    const struct volume_point *points = (const struct volume_point *)(void *)matrix->points.data;
    struct slg_buf *out = &meta->out;

    if (placed == NULL)
        return slg_meta_no_memory(reterr);
    slg_buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
                   matrix->count == 0 ? "vector" : "matrix"); /* as Loki answers nothing */
    for (size_t i = 0; i < matrix->count; i++) {
        if (i == 0 || points[i - 1].id != points[i].id) {
            slg_buf_append_text(out, i == 0 ? "" : "]},");
            print_metric(out, placed[points[i].id].labels);
            slg_buf_append_text(out, ",\"values\":[[");
        } else {
            slg_buf_append_text(out, ",[");
        }
        slg_answer_seconds(out, stamp_of(matrix, points[i].step));
        slg_buf_printf(out, ",\"%llu\"]", (unsigned long long)points[i].bytes);
    }
    slg_buf_append_text(out, matrix->count > 0 ? "]}" : "");
    print_end(out);
    return SLG_OK;
}

void slg_api_volume_range(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { read_range_request, list_steps, print_matrix,
                                                       SLG_GATE_LONG };
    struct volume_matrix matrix = { 0 };

    slg_meta_answer(ctx, request, &endpoint, &matrix);
    slg_buf_fini(&matrix.points);
    slg_arena_destroy(matrix.arena);
}
