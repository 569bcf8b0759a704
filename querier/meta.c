#include "querier/meta.h"

#include "base/clock.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"

#define METADATA_ITEM_BYTES 8
#define DAY_NS              (24 * 3600 * SLG_NS_PER_SEC)

enum slg_status slg_meta_no_memory(struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time range or fewer streams",
                           "the request needs more memory than one query may have");
}

/* ---- selectors ---- */

static enum slg_status add_selector(struct slg_meta *meta, struct slg_text text,
                                    const struct slg_logql_log **ret_log, struct slg_error *reterr)
{
    const struct slg_logql_log *log;
    struct slg_buf canonical;
    enum slg_status status = slg_logql_parse_selector(meta->arena, text.at, text.len,
                                                      /* allow_empty= */ false, &log, reterr);
    char *copy;

    if (status != SLG_OK)
        return status;
    if (meta->wanted.selector_count == SLG_RPC_SELECTOR_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu selectors in one request",
                          SLG_RPC_SELECTOR_COUNT_MAX);
    slg_buf_init(&canonical, SLG_QUERY_TEXT_BYTES_MAX * 2);
    slg_logql_print_log(&canonical, log);
    copy = slg_buf_failed(&canonical) ? NULL
                                      : slg_arena_copy(meta->arena, canonical.data, canonical.len);
    if (copy != NULL)
        meta->selectors[meta->wanted.selector_count++] = slg_text_make(copy, canonical.len);
    slg_buf_fini(&canonical);
    meta->wanted.selectors = meta->selectors;
    if (ret_log != NULL)
        *ret_log = log;
    return copy == NULL ? slg_meta_no_memory(reterr) : SLG_OK;
}

enum slg_status slg_meta_read_optional(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct slg_text text;

    (void)arg;
    if (!slg_http_param(meta->client.request, "query", &text) || text.len == 0)
        return SLG_OK;
    return add_selector(meta, text, NULL, reterr);
}

enum slg_status slg_meta_read_selector(struct slg_meta *meta, const struct slg_logql_log **ret_log,
                                       struct slg_error *reterr)
{
    struct slg_text text;

    if (!slg_http_param(meta->client.request, "query", &text))
        text = slg_text_make("", 0);
    return add_selector(meta, text, ret_log, reterr);
}

enum slg_status slg_meta_read_required(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    (void)arg;
    return slg_meta_read_selector(meta, NULL, reterr);
}

enum slg_status slg_meta_read_matches(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    static const char *const names[] = { "match[]", "match" };
    bool everything = false;
    struct slg_text text;

    (void)arg;
    for (size_t name = 0; name < SLG_ARRAY_LEN(names); name++) {
        for (size_t i = 0; slg_http_param_at(meta->client.request, names[name], i, &text); i++) {
            bool empty = slg_text_equal_to(text, "{}");
            enum slg_status status;

            everything = everything || empty;
            if (empty)
                continue;
            status = add_selector(meta, text, NULL, reterr);
            if (status != SLG_OK)
                return status;
        }
    }
    if (everything)
        meta->wanted.selector_count = 0;
    return SLG_OK;
}

/* ---- streams ---- */

enum slg_status slg_meta_list(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    (void)arg;
    if (meta->wanted.to_ns <= meta->wanted.from_ns)
        meta->wanted.to_ns = meta->wanted.from_ns + 1;
    if (meta->fanout == NULL)
        status = slg_api_fanout(&meta->client, &meta->fanout, reterr);
    if (status == SLG_OK)
        status = slg_fanout_list_streams(meta->fanout, &meta->wanted, meta->arena, &meta->streams,
                                         &meta->stream_count, reterr);
    if (status != SLG_OK)
        return status;
    if (slg_fanout_incomplete(meta->fanout) != NULL && meta->warning[0] == '\0')
        (void)snprintf(meta->warning, sizeof(meta->warning), "%s",
                       slg_fanout_incomplete(meta->fanout)); /* a cut text is still a warning */
    meta->labels = slg_arena_calloc(meta->arena, meta->stream_count, sizeof(*meta->labels));
    if (meta->labels == NULL)
        return slg_meta_no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++) {
        status = slg_label_decode(meta->arena, (const uint8_t *)meta->streams[i].canonical.at,
                                  meta->streams[i].canonical.len, &meta->labels[i]);
        if (status == SLG_LIMIT)
            return slg_meta_no_memory(reterr);
        if (status != SLG_OK)
            return slg_errorf(reterr, SLG_UNAVAILABLE, "a storer sent a broken label set");
    }
    return SLG_OK;
}

enum slg_status slg_meta_list_by_day(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct slg_fanout_streams *wanted = &meta->wanted;
    struct slg_arena_mark mark = slg_arena_mark(meta->arena);
    enum slg_status status;

    wanted->whole_windows = true;
    status = slg_meta_list(meta, arg, reterr);
    if (status != SLG_OK || meta->stream_count == 0)
        return status;
    wanted->from_ns = slg_window_start(wanted->from_ns > 0 ? wanted->from_ns : 0, DAY_NS);
    wanted->to_ns = slg_window_start(wanted->to_ns - 1, DAY_NS) + DAY_NS;
    meta->warning[0] = '\0'; /* the range is in the days */
    slg_arena_rewind(meta->arena, mark);
    return slg_meta_list(meta, arg, reterr);
}

uint64_t slg_meta_stream_bytes(const struct slg_rpc_stream *stream)
{
    return stream->line_bytes + METADATA_ITEM_BYTES * stream->metadata_count;
}

size_t slg_meta_label_count(const struct slg_meta *meta)
{
    size_t count = 0;

    for (size_t i = 0; i < meta->stream_count; i++)
        count += meta->labels[i].count;
    return count;
}

/* ---- the frame ---- */

static enum slg_status init(struct slg_meta *meta, struct slg_querier *querier,
                            struct slg_http_request *request, struct slg_error *reterr)
{
    *meta = (struct slg_meta){ .client = slg_api_client(querier, request) };
    slg_buf_init(&meta->out, SLG_META_ANSWER_BYTES_MAX);
    meta->arena =
        slg_arena_create(querier->options.limits.memory_bytes_max + SLG_LOGQL_PARSE_ARENA_BYTES);
    if (meta->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the request");
    return slg_api_range(request, &meta->wanted.from_ns, &meta->wanted.to_ns, reterr);
}

/* Put `warnings` into the answer, an object: behind its status, where Grafana's reader wants it, else at the end. */
static void add_warning(struct slg_meta *meta, const char *warning)
{
    static const char head[] = "{\"status\":\"success\"";
    size_t head_len = sizeof(head) - 1;
    struct slg_buf *body = &meta->out, out;

    slg_buf_init(&out, SLG_META_ANSWER_BYTES_MAX);
    if (body->len < head_len || memcmp(body->data, head, head_len) != 0)
        head_len = body->len - 2; /* "}\n" */
    slg_buf_append(&out, body->data, head_len);
    slg_buf_append_text(&out, ",\"warnings\":[");
    slg_buf_append_json_text(&out, warning);
    slg_buf_append_byte(&out, ']');
    slg_buf_append(&out, body->data + head_len, body->len - head_len);
    slg_buf_fini(body);
    *body = out;
}

static void finish(struct slg_meta *meta, enum slg_status status, struct slg_error *error)
{
    struct slg_querier *querier = meta->client.querier;
    const char *warning = meta->warning;

    if (warning[0] == '\0')
        warning = meta->fanout == NULL ? NULL : slg_fanout_incomplete(meta->fanout);
    if (status == SLG_OK && warning != NULL) {
        slg_metric_add_shared(querier->metrics, METRIC_querier_incomplete_total, 0, 1);
        if (!slg_buf_failed(&meta->out))
            add_warning(meta, warning);
    }
    if (status == SLG_OK && slg_buf_failed(&meta->out))
        status = slg_errorf(error, SLG_LIMIT, "the answer is over %zu MiB",
                            SLG_META_ANSWER_BYTES_MAX >> 20);
    slg_api_leave(&meta->client);
    if (status == SLG_OK)
        status = slg_api_answer(&meta->client, &meta->out, error);
    slg_metric_add_shared(querier->metrics, METRIC_querier_metadata_requests_total,
                          slg_api_outcome(status), 1);
    if (status != SLG_OK) {
        error->status = status;
        slg_api_fail(meta->client.request, error, NULL);
    }
    slg_fanout_destroy(meta->fanout);
    slg_arena_destroy(meta->arena);
    slg_buf_fini(&meta->out);
}

void slg_meta_answer(struct slg_querier *querier, struct slg_http_request *request,
                     const struct slg_meta_endpoint *endpoint, void *arg)
{
    struct slg_error error = { 0 };
    struct slg_meta meta;
    enum slg_status status = init(&meta, querier, request, &error);

    if (status == SLG_OK)
        status = endpoint->read(&meta, arg, &error);
    if (status == SLG_OK)
        status = slg_api_enter(&meta.client, endpoint->lane, &error);
    if (status == SLG_OK)
        status = endpoint->list(&meta, arg, &error);
    if (status == SLG_OK)
        status = endpoint->print(&meta, arg, &error);
    finish(&meta, status, &error);
}
