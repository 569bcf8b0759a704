/* Labels, series, statistics and volumes: all from the list of matching streams with their counts. */
#include "base/clock.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "querier/answer.h"
#include "querier/querier_private.h"

#define SELECTOR_COUNT_MAX   SLG_RPC_SELECTOR_COUNT_MAX
#define VOLUME_STEPS_MAX     1000
#define VOLUME_LIMIT_DEFAULT 100
#define TARGET_LABELS_MAX    ((size_t)32)
#define METADATA_ITEM_BYTES  8

/* One metadata request: everything it allocates dies with the arena. */
struct meta {
    struct api_client client;
    struct slg_fanout *fanout;
    struct slg_arena *arena;
    struct slg_fanout_streams wanted;
    struct slg_text selectors[SELECTOR_COUNT_MAX];
    struct slg_rpc_stream *streams;
    struct slg_label_set *labels; /* of each stream */
    size_t stream_count;
    struct slg_buf out;
};

#define META_ANSWER_BYTES_MAX ((size_t)64 << 20)

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time range or fewer streams",
                           "the request needs more memory than one query may have");
}

static enum slg_status meta_init(struct meta *meta, struct slg_querier *querier,
                                 struct slg_http_request *request, struct slg_error *reterr)
{
    *meta = (struct meta){ .client = { .querier = querier, .request = request } };
    slg_buf_init(&meta->out, META_ANSWER_BYTES_MAX);
    meta->arena =
        slg_arena_create(querier->options.limits.memory_bytes_max + SLG_LOGQL_PARSE_ARENA_BYTES);
    if (meta->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the request");
    return slg_api_range(request, &meta->wanted.from_ns, &meta->wanted.to_ns, reterr);
}

static void meta_fini(struct meta *meta)
{
    slg_fanout_destroy(meta->fanout);
    slg_arena_destroy(meta->arena);
    slg_buf_fini(&meta->out);
}

/* ---- selectors ---- */

static enum slg_status add_selector(struct meta *meta, struct slg_text text, bool allow_empty,
                                    const struct slg_logql_log **ret_log, struct slg_error *reterr)
{
    const struct slg_logql_log *log;
    struct slg_buf canonical;
    enum slg_status status =
        slg_logql_parse_selector(meta->arena, text.at, text.len, allow_empty, &log, reterr);
    char *copy;

    if (status != SLG_OK)
        return status;
    if (meta->wanted.selector_count == SELECTOR_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu selectors in one request",
                          SELECTOR_COUNT_MAX);
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
    return copy == NULL ? no_memory(reterr) : SLG_OK;
}

/* The optional `query` of labels and values: absent means every stream. */
static enum slg_status optional_selector(struct meta *meta, struct slg_error *reterr)
{
    struct slg_text text;

    if (!slg_http_param(meta->client.request, "query", &text) || text.len == 0)
        return SLG_OK;
    return add_selector(meta, text, /* allow_empty= */ false, NULL, reterr);
}

static enum slg_status required_selector(struct meta *meta, const struct slg_logql_log **ret_log,
                                         struct slg_error *reterr)
{
    struct slg_text text;

    if (!slg_http_param(meta->client.request, "query", &text))
        text = slg_text_make("", 0);
    return add_selector(meta, text, /* allow_empty= */ false, ret_log, reterr);
}

/* match[] and match, any number; none, or one that matches everything, means every stream. */
static enum slg_status match_selectors(struct meta *meta, struct slg_error *reterr)
{
    static const char *const names[] = { "match[]", "match" };
    bool everything = false;
    struct slg_text text;

    for (size_t name = 0; name < SLG_ARRAY_LEN(names); name++) {
        for (size_t i = 0; slg_http_param_at(meta->client.request, names[name], i, &text); i++) {
            bool empty = slg_text_equal_to(text, "{}");
            enum slg_status status;

            everything = everything || empty;
            if (empty)
                continue;
            status = add_selector(meta, text, /* allow_empty= */ false, NULL, reterr);
            if (status != SLG_OK)
                return status;
        }
    }
    if (everything)
        meta->wanted.selector_count = 0;
    return SLG_OK;
}

/* ---- streams ---- */

static enum slg_status list_streams(struct meta *meta, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    if (meta->wanted.to_ns <= meta->wanted.from_ns)
        meta->wanted.to_ns = meta->wanted.from_ns + 1;
    if (meta->fanout == NULL)
        status = slg_api_fanout(meta->client.querier, &meta->client, &meta->fanout, reterr);
    if (status == SLG_OK)
        status = slg_fanout_list_streams(meta->fanout, &meta->wanted, meta->arena, &meta->streams,
                                         &meta->stream_count, reterr);
    if (status != SLG_OK)
        return status;
    meta->labels = slg_arena_calloc(meta->arena, meta->stream_count, sizeof(*meta->labels));
    if (meta->labels == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++) {
        status = slg_label_decode(meta->arena, (const uint8_t *)meta->streams[i].canonical.at,
                                  meta->streams[i].canonical.len, &meta->labels[i]);
        if (status == SLG_LIMIT)
            return no_memory(reterr);
        if (status != SLG_OK)
            return slg_errorf(reterr, SLG_UNAVAILABLE, "a storer sent a broken label set");
    }
    return SLG_OK;
}

static void finish(struct meta *meta, enum slg_status status, struct slg_error *error)
{
    struct slg_querier *querier = meta->client.querier;

    if (status == SLG_OK && slg_buf_failed(&meta->out))
        status =
            slg_errorf(error, SLG_LIMIT, "the answer is over %zu MiB", META_ANSWER_BYTES_MAX >> 20);
    slg_metric_add_shared(querier->metrics, METRIC_querier_metadata_requests_total,
                          slg_api_outcome(status), 1);
    if (status == SLG_OK) {
        slg_http_answer(meta->client.request, 200, "application/json; charset=UTF-8",
                        meta->out.data, meta->out.len);
    } else {
        error->status = status;
        slg_api_fail(meta->client.request, error, NULL);
    }
    meta_fini(meta);
}

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
    slg_buf_append_text(out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            slg_buf_append_byte(out, ',');
        slg_buf_append_json(out, texts[i].at, texts[i].len);
    }
    slg_buf_append_text(out, "]}\n");
}

static size_t label_count(const struct meta *meta)
{
    size_t count = 0;

    for (size_t i = 0; i < meta->stream_count; i++)
        count += meta->labels[i].count;
    return count;
}

/* What a stream holds, as Loki counts it: lines, and for an item of structured metadata the numbers of name and value in
 * the chunk's table of texts. (That table is in Loki's count too; we do not know how many texts of a stream differ.) */
static uint64_t stream_bytes(const struct slg_rpc_stream *stream)
{
    return stream->line_bytes + METADATA_ITEM_BYTES * stream->metadata_count;
}

/* Names that Loki keeps to itself. */
static bool hidden(struct slg_text name)
{
    return name.len >= 2 && name.at[0] == '_' && name.at[1] == '_';
}

/* ---- labels and values ---- */

static enum slg_status print_label_names(struct meta *meta, struct slg_error *reterr)
{
    struct slg_text *names =
        slg_arena_calloc(meta->arena, label_count(meta), sizeof(struct slg_text));
    size_t count = 0;

    if (names == NULL)
        return no_memory(reterr);
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
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = optional_selector(&meta, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    if (status == SLG_OK)
        status = print_label_names(&meta, &error);
    finish(&meta, status, &error);
}

static enum slg_status print_label_values(struct meta *meta, struct slg_text name,
                                          struct slg_error *reterr)
{
    struct slg_text *values =
        slg_arena_calloc(meta->arena, meta->stream_count, sizeof(struct slg_text));
    size_t count = 0;

    if (values == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++)
        count += slg_label_get(&meta->labels[i], name, &values[count]);
    print_texts(&meta->out, values, sort_distinct(values, count));
    return SLG_OK;
}

void slg_api_label_values(void *ctx, struct slg_http_request *request)
{
    struct slg_text name = slg_http_path_segment(request);
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = optional_selector(&meta, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    if (status == SLG_OK)
        status = print_label_values(&meta, name, &error);
    finish(&meta, status, &error);
}

/* ---- series and stats ---- */

void slg_api_series(void *ctx, struct slg_http_request *request)
{
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = match_selectors(&meta, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    slg_buf_append_text(&meta.out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; status == SLG_OK && i < meta.stream_count; i++) {
        if (i > 0)
            slg_buf_append_byte(&meta.out, ',');
        slg_label_print_json(&meta.out, &meta.labels[i]);
    }
    slg_buf_append_text(&meta.out, "]}\n");
    finish(&meta, status, &error);
}

void slg_api_stats(void *ctx, struct slg_http_request *request)
{
    uint64_t batches = 0, bytes = 0, entries = 0;
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = required_selector(&meta, NULL, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    for (size_t i = 0; status == SLG_OK && i < meta.stream_count; i++) {
        batches += meta.streams[i].batch_count;
        bytes += stream_bytes(&meta.streams[i]);
        entries += meta.streams[i].entry_count;
    }
    slg_buf_printf(&meta.out, "{\"streams\":%zu,\"chunks\":%llu,\"bytes\":%llu,\"entries\":%llu}\n",
                   meta.stream_count, (unsigned long long)batches, (unsigned long long)bytes,
                   (unsigned long long)entries);
    finish(&meta, status, &error);
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

static void print_detected_label(struct meta *meta, struct slg_text name, struct slg_text *values,
                                 bool *first)
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

static enum slg_status print_detected_labels(struct meta *meta, struct slg_error *reterr)
{
    size_t name_count = 0;
    struct slg_text *names =
        slg_arena_calloc(meta->arena, label_count(meta), sizeof(struct slg_text));
    struct slg_text *values =
        slg_arena_calloc(meta->arena, meta->stream_count, sizeof(struct slg_text));
    bool first = true;

    if (names == NULL || values == NULL)
        return no_memory(reterr);
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
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = optional_selector(&meta, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    if (status == SLG_OK)
        status = print_detected_labels(&meta, &error);
    finish(&meta, status, &error);
}

/* ---- volumes ---- */

struct volume {
    struct slg_label_set labels; /* what the volume is of */
    uint64_t bytes;
};

struct volume_request {
    struct slg_text targets[TARGET_LABELS_MAX];
    size_t target_count;
    bool by_label; /* aggregateBy=labels: one volume per label name */
    bool explicit_targets;
    uint64_t limit;
};

static int compare_label_sets(const struct slg_label_set *a, const struct slg_label_set *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = slg_text_compare(a->items[i].name, b->items[i].name);

        if (order == 0)
            order = slg_text_compare(a->items[i].value, b->items[i].value);
        if (order != 0)
            return order;
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

static int compare_volume_labels(const void *left, const void *right)
{
    const struct volume *a = left, *b = right;

    return compare_label_sets(&a->labels, &b->labels);
}

static int compare_volume_bytes(const void *left, const void *right)
{
    const struct volume *a = left, *b = right;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return compare_label_sets(&a->labels, &b->labels);
}

static bool is_target(const struct volume_request *wanted, struct slg_text name)
{
    for (size_t i = 0; i < wanted->target_count; i++) {
        if (slg_text_equal(wanted->targets[i], name))
            return true;
    }
    return false;
}

static size_t volumes_of_stream(const struct volume_request *wanted,
                                const struct slg_label_set *labels, uint64_t bytes,
                                struct slg_label *items, struct volume *volumes)
{
    size_t picked = 0;

    for (size_t i = 0; i < labels->count; i++) {
        bool target = is_target(wanted, labels->items[i].name);

        if (wanted->by_label && wanted->explicit_targets && !target)
            continue;
        if (!wanted->by_label && !target)
            continue;
        items[picked] = labels->items[i];
        if (wanted->by_label) {
            items[picked].value = slg_text_make("", 0);
            volumes[picked] = (struct volume){ { &items[picked], 1 }, bytes };
        }
        picked++;
    }
    if (wanted->by_label)
        return picked;
    volumes[0] = (struct volume){ { items, picked }, bytes };
    return picked > 0 ? 1 : 0;
}

/* Volumes of the listed streams, largest first, at most limit. */
static enum slg_status sum_volumes(struct meta *meta, const struct volume_request *wanted,
                                   struct volume **ret_volumes, size_t *ret_count,
                                   struct slg_error *reterr)
{
    size_t room = label_count(meta), count = 0, used = 0, kept = 0;
    struct slg_label *items = slg_arena_calloc(meta->arena, room + 1, sizeof(*items));
    struct volume *volumes = slg_arena_calloc(meta->arena, room + 1, sizeof(*volumes));

    if (items == NULL || volumes == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < meta->stream_count; i++) {
        count += volumes_of_stream(wanted, &meta->labels[i], stream_bytes(&meta->streams[i]),
                                   &items[used], &volumes[count]);
        used += meta->labels[i].count;
    }
    qsort(volumes, count, sizeof(*volumes), compare_volume_labels);
    for (size_t i = 1; i < count; i++) {
        if (compare_label_sets(&volumes[kept].labels, &volumes[i].labels) == 0)
            volumes[kept].bytes += volumes[i].bytes;
        else
            volumes[++kept] = volumes[i];
    }
    count = count == 0 ? 0 : kept + 1;
    qsort(volumes, count, sizeof(*volumes), compare_volume_bytes);
    *ret_volumes = volumes;
    *ret_count = count > wanted->limit ? wanted->limit : count;
    return SLG_OK;
}

static enum slg_status read_targets(const struct slg_http_request *request,
                                    const struct slg_logql_log *log, struct volume_request *wanted,
                                    struct slg_error *reterr)
{
    struct slg_text text;

    if (slg_http_param(request, "targetLabels", &text) && text.len > 0) {
        wanted->explicit_targets = true;
        while (text.len > 0) {
            const char *comma = memchr(text.at, ',', text.len);
            size_t len = comma == NULL ? text.len : (size_t)(comma - text.at);

            if (wanted->target_count == TARGET_LABELS_MAX)
                return slg_errorf(reterr, SLG_LIMIT, "more than %zu target labels",
                                  TARGET_LABELS_MAX);
            wanted->targets[wanted->target_count++] = slg_text_make(text.at, len);
            len += comma != NULL;
            text = slg_text_make(text.at + len, text.len - len);
        }
        return SLG_OK;
    }
    for (size_t i = 0; i < log->matcher_count && wanted->target_count < TARGET_LABELS_MAX; i++)
        wanted->targets[wanted->target_count++] =
            slg_text_make(log->matchers[i].name.ptr, log->matchers[i].name.len);
    return SLG_OK;
}

static enum slg_status read_volume_request(struct meta *meta, struct volume_request *wanted,
                                           struct slg_error *reterr)
{
    const struct slg_http_request *request = meta->client.request;
    const struct slg_logql_log *log;
    struct slg_text text;
    enum slg_status status = required_selector(meta, &log, reterr);

    *wanted = (struct volume_request){ .limit = VOLUME_LIMIT_DEFAULT };
    if (status == SLG_OK)
        status = slg_api_limit(request, "limit", VOLUME_LIMIT_DEFAULT, &wanted->limit, reterr);
    if (status != SLG_OK)
        return status;
    if (slg_http_param(request, "aggregateBy", &text) && text.len > 0) {
        wanted->by_label = slg_text_equal_to(text, "labels");
        if (!wanted->by_label && !slg_text_equal_to(text, "series"))
            return slg_errorf(reterr, SLG_INVALID, "invalid aggregation option");
    }
    return read_targets(request, log, wanted, reterr);
}

static void print_metric(struct slg_buf *out, const struct slg_label_set *labels)
{
    slg_buf_append_text(out, "{\"metric\":");
    slg_label_print_json(out, labels);
}

void slg_api_volume(void *ctx, struct slg_http_request *request)
{
    struct volume_request wanted;
    struct volume *volumes = NULL;
    size_t count = 0;
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = read_volume_request(&meta, &wanted, &error);
    if (status == SLG_OK)
        status = list_streams(&meta, &error);
    if (status == SLG_OK)
        status = sum_volumes(&meta, &wanted, &volumes, &count, &error);
    slg_buf_append_text(&meta.out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\","
                                   "\"result\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            slg_buf_append_byte(&meta.out, ',');
        print_metric(&meta.out, &volumes[i].labels);
        slg_buf_append_text(&meta.out, ",\"value\":[");
        slg_answer_seconds(&meta.out, meta.wanted.to_ns);
        slg_buf_printf(&meta.out, ",\"%llu\"]}", (unsigned long long)volumes[i].bytes);
    }
    slg_buf_append_text(&meta.out, "]}}\n");
    finish(&meta, status, &error);
}

/* ---- volume_range: the volumes of each step, then turned into one line per volume ---- */

struct volume_point {
    struct volume volume;
    int64_t ts_ns;
};

struct volume_matrix {
    struct volume_point *points;
    size_t count;
    size_t capacity;
};

static int compare_points(const void *left, const void *right)
{
    const struct volume_point *a = left, *b = right;
    int order = compare_label_sets(&a->volume.labels, &b->volume.labels);

    if (order != 0)
        return order;
    return a->ts_ns < b->ts_ns ? -1 : a->ts_ns > b->ts_ns;
}

static enum slg_status add_step(struct meta *meta, const struct volume_request *wanted,
                                int64_t ts_ns, struct volume_matrix *matrix,
                                struct slg_error *reterr)
{
    struct volume *volumes;
    size_t count;
    enum slg_status status = list_streams(meta, reterr);

    if (status == SLG_OK)
        status = sum_volumes(meta, wanted, &volumes, &count, reterr);
    if (status != SLG_OK)
        return status;
    if (matrix->count + count > matrix->capacity) {
        size_t grown = (matrix->count + count) * 2 + 64;
        struct volume_point *points =
            slg_arena_grow(meta->arena, matrix->points, matrix->capacity, grown, sizeof(*points));

        if (points == NULL)
            return no_memory(reterr);
        matrix->points = points;
        matrix->capacity = grown;
    }
    for (size_t i = 0; i < count; i++)
        matrix->points[matrix->count++] =
            (struct volume_point){ .volume = volumes[i], .ts_ns = ts_ns };
    return SLG_OK;
}

/* Each step is stamped with its end less 1 ms, the last with the end of the range. */
static enum slg_status list_steps(struct meta *meta, const struct volume_request *wanted,
                                  struct volume_matrix *matrix, struct slg_error *reterr)
{
    int64_t start_ns = meta->wanted.from_ns, end_ns = meta->wanted.to_ns, step_ns;
    enum slg_status status = slg_api_step(meta->client.request, start_ns, end_ns, &step_ns, reterr);

    if (status != SLG_OK)
        return status;
    if (step_ns <= 0 || (end_ns - start_ns) / step_ns > VOLUME_STEPS_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "the step must be positive and give at most %d steps", VOLUME_STEPS_MAX);
    for (int64_t at = start_ns; at < end_ns && status == SLG_OK; at += step_ns) {
        bool last = at + step_ns >= end_ns;

        meta->wanted.from_ns = at;
        meta->wanted.to_ns = last ? end_ns : at + step_ns;
        status =
            add_step(meta, wanted, last ? end_ns : at + step_ns - SLG_NS_PER_MS, matrix, reterr);
    }
    return status;
}

static void print_matrix(struct slg_buf *out, struct volume_matrix *matrix)
{
    slg_buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
                   matrix->count == 0 ? "vector" : "matrix"); /* as Loki answers nothing */
    if (matrix->count > 0)
        qsort(matrix->points, matrix->count, sizeof(*matrix->points), compare_points);
    for (size_t i = 0; i < matrix->count; i++) {
        const struct volume_point *point = &matrix->points[i];
        bool first = i == 0 || compare_label_sets(&matrix->points[i - 1].volume.labels,
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
    slg_buf_append_text(out, matrix->count > 0 ? "]}]}}\n" : "]}}\n");
}

void slg_api_volume_range(void *ctx, struct slg_http_request *request)
{
    struct volume_matrix matrix = { 0 };
    struct volume_request wanted;
    struct slg_error error = { 0 };
    struct meta meta;
    enum slg_status status = meta_init(&meta, ctx, request, &error);

    if (status == SLG_OK)
        status = read_volume_request(&meta, &wanted, &error);
    if (status == SLG_OK)
        status = list_steps(&meta, &wanted, &matrix, &error);
    if (status == SLG_OK)
        print_matrix(&meta.out, &matrix);
    finish(&meta, status, &error);
}
