/* Labels, label values, series, statistics and detected labels: made from the list of matching streams. */
#include "querier/meta.h"

/* ---- distinct texts ---- */

static int compare_texts(const void *left, const void *right)
{
    const struct slg_text *a = left, *b = right;

    return slg_text_compare(*a, *b);
}

static size_t sort_distinct(struct slg_text *texts, size_t count)
{
    size_t kept = 0;

    if (count == 0)
        return 0;
    qsort(texts, count, sizeof(*texts), compare_texts);
    for (size_t i = 1; i < count; i++) {
        if (!slg_text_equal(texts[kept], texts[i]))
            texts[++kept] = texts[i];
    }
    return kept + 1;
}

static void print_texts(struct slg_buf *out, const struct slg_text *texts, size_t count)
{
    slg_buf_append_text(out, "{\"status\":\"success\",\"data\":");
    slg_api_print_texts(out, texts, count);
    slg_buf_append_text(out, "}\n");
}

/* Names that Loki keeps to itself. */
static bool hidden(struct slg_text name)
{
    return name.len >= 2 && name.at[0] == '_' && name.at[1] == '_';
}

/* ---- labels and values ---- */

static enum slg_status print_label_names(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    struct slg_text *names =
        slg_arena_calloc(meta->arena, slg_meta_label_count(meta), sizeof(struct slg_text));
    size_t count = 0;

    (void)arg;
    if (names == NULL)
        return slg_meta_no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++) {
        for (size_t k = 0; k < meta->labels[i].count; k++) {
            if (!hidden(meta->labels[i].items[k].name))
                names[count++] = meta->labels[i].items[k].name;
        }
    }
    print_texts(&meta->out, names, sort_distinct(names, count));
    return SLG_OK;
}

void slg_api_labels(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { slg_meta_read_optional, slg_meta_list_by_day,
                                                       print_label_names, SLG_GATE_SHORT };

    slg_meta_answer(ctx, request, &endpoint, NULL);
}

static enum slg_status print_label_values(struct slg_meta *meta, void *arg,
                                          struct slg_error *reterr)
{
    const struct slg_text *name = arg;
    struct slg_text *values =
        slg_arena_calloc(meta->arena, meta->stream_count, sizeof(struct slg_text));
    size_t count = 0;

    if (values == NULL)
        return slg_meta_no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++)
        count += slg_label_get(&meta->labels[i], *name, &values[count]);
    print_texts(&meta->out, values, sort_distinct(values, count));
    return SLG_OK;
}

void slg_api_label_values(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { slg_meta_read_optional, slg_meta_list_by_day,
                                                       print_label_values, SLG_GATE_SHORT };
    struct slg_text name = slg_http_path_segment(request);

    slg_meta_answer(ctx, request, &endpoint, &name);
}

/* ---- series and stats ---- */

static enum slg_status print_series(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    (void)arg;
    (void)reterr; /* an answer that is too long is seen by the frame */
    slg_buf_append_text(&meta->out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; i < meta->stream_count; i++) {
        if (i > 0)
            slg_buf_append_byte(&meta->out, ',');
        slg_label_print_json(&meta->out, &meta->labels[i]);
    }
    slg_buf_append_text(&meta->out, "]}\n");
    return SLG_OK;
}

void slg_api_series(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { slg_meta_read_matches, slg_meta_list,
                                                       print_series, SLG_GATE_SHORT };

    slg_meta_answer(ctx, request, &endpoint, NULL);
}

static enum slg_status print_stats(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    uint64_t batches = 0, bytes = 0, entries = 0;

    (void)arg;
    (void)reterr; /* nothing fails */
    for (size_t i = 0; i < meta->stream_count; i++) {
        batches += meta->streams[i].batch_count;
        bytes += slg_meta_stream_bytes(&meta->streams[i]);
        entries += meta->streams[i].entry_count;
    }
    slg_buf_printf(&meta->out,
                   "{\"streams\":%zu,\"chunks\":%llu,\"bytes\":%llu,\"entries\":%llu}\n",
                   meta->stream_count, (unsigned long long)batches, (unsigned long long)bytes,
                   (unsigned long long)entries);
    return SLG_OK;
}

/* Loki reads all parameters of a range query here, and refuses what it would there. */
static enum slg_status read_stats(struct slg_meta *meta, void *arg, struct slg_error *reterr)
{
    const struct slg_http_request *request = meta->client.request;
    int64_t from_ns = meta->wanted.from_ns, to_ns = meta->wanted.to_ns, step_ns, interval_ns;
    enum slg_direction direction;
    uint64_t limit;
    enum slg_status status = slg_api_check_order(from_ns, to_ns, reterr);

    if (status == SLG_OK)
        status = slg_api_limit(request, "limit", 1, &limit, reterr);
    if (status == SLG_OK)
        status = slg_api_direction(request, &direction, reterr);
    if (status == SLG_OK)
        status = slg_api_resolution(request, from_ns, to_ns, &step_ns, &interval_ns, reterr);
    return status == SLG_OK ? slg_meta_read_required(meta, arg, reterr) : status;
}

void slg_api_stats(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { read_stats, slg_meta_list, print_stats,
                                                       SLG_GATE_SHORT };

    slg_meta_answer(ctx, request, &endpoint, NULL);
}

/* ---- detected_labels ---- */

/* Ids say nothing as labels: all digits, or a UUID (RFC 9562 text form). */
static bool looks_like_id(struct slg_text value)
{
    bool number = value.len > 0, uuid = value.len == 36;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        bool digit = c >= '0' && c <= '9';
        bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        number = number && (digit || c == '.');
        uuid = uuid && (dash ? c == '-' : hex);
    }
    return number || uuid;
}

/* Labels that are kept whatever their values look like, as Loki does. */
static bool always_kept(struct slg_text name)
{
    return slg_text_equal_to(name, "cluster") || slg_text_equal_to(name, "namespace") ||
           slg_text_equal_to(name, "instance") || slg_text_equal_to(name, "pod");
}

static void print_detected_label(struct slg_meta *meta, struct slg_text name,
                                 struct slg_text *values, bool *first)
{
    size_t count = 0;
    bool ids = true;

    for (size_t i = 0; i < meta->stream_count; i++)
        count += slg_label_get(&meta->labels[i], name, &values[count]);
    count = sort_distinct(values, count);
    for (size_t i = 0; i < count; i++)
        ids = ids && looks_like_id(values[i]);
    if (ids && !always_kept(name))
        return;
    slg_buf_append_text(&meta->out, *first ? "{\"label\":" : ",{\"label\":");
    slg_buf_append_json(&meta->out, name.at, name.len);
    slg_buf_printf(&meta->out, ",\"cardinality\":%zu}", count);
    *first = false;
}

static enum slg_status print_detected_labels(struct slg_meta *meta, void *arg,
                                             struct slg_error *reterr)
{
    size_t name_count = 0;
    struct slg_text *names =
        slg_arena_calloc(meta->arena, slg_meta_label_count(meta), sizeof(struct slg_text));
    struct slg_text *values =
        slg_arena_calloc(meta->arena, meta->stream_count, sizeof(struct slg_text));
    bool first = true;

    (void)arg;
    if (names == NULL || values == NULL)
        return slg_meta_no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++) {
        for (size_t k = 0; k < meta->labels[i].count; k++)
            names[name_count++] = meta->labels[i].items[k].name;
    }
    name_count = sort_distinct(names, name_count);
    slg_buf_append_text(&meta->out, "{\"detectedLabels\":[");
    for (size_t i = 0; i < name_count; i++) {
        if (!hidden(names[i]))
            print_detected_label(meta, names[i], values, &first);
    }
    slg_buf_append_text(&meta->out, "]}\n");
    return SLG_OK;
}

void slg_api_detected_labels(void *ctx, struct slg_http_request *request)
{
    static const struct slg_meta_endpoint endpoint = { slg_meta_read_optional, slg_meta_list,
                                                       print_detected_labels, SLG_GATE_SHORT };

    slg_meta_answer(ctx, request, &endpoint, NULL);
}
