#include "logql/plan/remote.h"

#include "logql/eval/series.h"
#include "logql/mine/miner.h"
#include "logql/pipe/matcher.h"
#include "logql/pipe/pipe.h"
#include "logql/plan/leaf.h"
#include "logql/plan/page.h"
#include "logql/syntax/parse.h"

/* Beside the tables of one page: a page's bytes, and hashes and slots of what is in it. */
#define WRITER_MEMORY_BYTES (SLG_PAGE_BYTES_MAX * 16)
/* The label set in the words of a pipeline error; the rest is cut. */
#define ERROR_LABEL_BYTES   ((size_t)65536)

struct slg_remote_stream {
    struct slg_label_set labels;
    struct slg_pipe_stream *pipe_stream;
    uint64_t hash;   /* slg_origin_hash: order among equal times */
    bool is_fixed;   /* every entry belongs to the same series: */
    bool has_series; /* it is known: */
    uint32_t series;
};

struct slg_remote {
    struct slg_leaf_request request; /* text is not looked at after create */
    struct slg_arena *arena;
    struct slg_leaf_shape shape;
    struct slg_windows windows;
    int64_t from_ns, to_ns;
    struct slg_matcher_set *matchers;
    struct slg_pipe *pipe;
    struct slg_page_writer *writer;
    struct slg_miner *miner; /* PATTERNS, else NULL */
    bool done, trivial, ordered, counts_bytes;
    struct slg_text error; /* of the pipeline, in Loki's words */
    uint64_t kept_count;
    int64_t last_kept_ns;   /* LOG */
    uint64_t written_count; /* LOG: rows in pages that were taken */
    struct slg_series_table table;
    size_t next_series, next_item; /* of the next page */
    struct slg_label *items;       /* labels of a row by category: three runs */
    size_t item_capacity;
};

static enum slg_status is_full(const struct slg_remote *r, struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_LIMIT, "ask for less time, fewer series or a larger step",
                           "the query needs more than %llu MiB of memory in a storer",
                           (unsigned long long)r->request.memory_bytes_max >> 20);
}

static enum slg_status create_pipe(struct slg_remote *r, struct slg_error *reterr)
{
    struct slg_pipe_options options = {
        .log = r->shape.log,
        .sample = SLG_PIPE_SAMPLE_NONE,
        .grouping = r->shape.grouping,
        .want_categories = r->shape.kind == SLG_LEAF_LOG,
        .now_ns = r->request.end_ns,
    };

    if (r->shape.range != NULL) {
        const struct slg_logql_range_aggregation *range = r->shape.range;

        r->counts_bytes =
            range->op == SLG_LOGQL_RANGE_BYTES || range->op == SLG_LOGQL_RANGE_BYTES_RATE;
        options.sample = range->unwrap.present ? SLG_PIPE_SAMPLE_UNWRAP
                         : r->counts_bytes     ? SLG_PIPE_SAMPLE_BYTES
                                               : SLG_PIPE_SAMPLE_COUNT;
        options.unwrap = &range->unwrap;
        options.no_labels = range->op == SLG_LOGQL_RANGE_ABSENT;
    }
    return slg_pipe_create(&options, &r->pipe, reterr);
}

static void start_page(struct slg_remote *r)
{
    slg_page_writer_start(r->writer, (enum slg_page_kind)r->shape.kind, r->table.kind);
    if (r->shape.kind == SLG_LEAF_LOG && r->request.limit != 0)
        slg_page_writer_limit(r->writer, r->written_count < r->request.limit
                                             ? r->request.limit - r->written_count
                                             : 0);
}

/* Patterns are those of the lines of a log query. */
static enum slg_leaf_kind shape_kind(const struct slg_leaf_request *request)
{
    return request->kind == SLG_LEAF_PATTERNS ? SLG_LEAF_LOG : request->kind;
}

static enum slg_status start_miner(struct slg_remote *r, struct slg_error *reterr)
{
    if (r->shape.log->stage_count > 0)
        return slg_errorf(reterr, SLG_INVALID, "only label matchers are supported");
    if (r->request.step_ns <= 0)
        return slg_errorf(reterr, SLG_INVALID, "patterns need a step");
    r->miner = slg_miner_create(r->request.step_ns, r->request.memory_bytes_max);
    return r->miner == NULL ? slg_errorf(reterr, SLG_NO_MEMORY, "out of memory") : SLG_OK;
}

static enum slg_status start(struct slg_remote *r, struct slg_error *reterr)
{
    const struct slg_leaf_request *request = &r->request;
    enum slg_accumulator kind = SLG_ACCUMULATE_SAMPLES;
    const struct slg_logql_expr *expr;
    enum slg_status status;

    status = slg_logql_parse(r->arena, request->text.at, request->text.len, &expr, reterr);
    if (status != SLG_OK)
        return status;
    if (!slg_leaf_shape_of(expr, &r->shape) || r->shape.kind != shape_kind(request))
        return slg_errorf(reterr, SLG_INVALID, "the text of a leaf is not one of its kind");
    if (request->kind == SLG_LEAF_PATTERNS) {
        status = start_miner(r, reterr);
        if (status != SLG_OK)
            return status;
    }
    if (r->shape.range != NULL) {
        if (!slg_leaf_windows(&r->shape, request->start_ns, request->end_ns, request->step_ns,
                              &r->windows))
            return slg_errorf(reterr, SLG_INVALID,
                              "a leaf ends before its start, or has more than "
                              "%d steps",
                              SLG_WINDOW_COUNT_MAX);
        kind = slg_accumulator_of(r->shape.range);
        r->ordered = slg_accumulator_needs_order(r->shape.range);
    }
    slg_series_table_init(&r->table, r->arena, kind, (size_t)request->series_max);
    slg_leaf_range(&r->shape, &r->windows, request->start_ns, request->end_ns, &r->from_ns,
                   &r->to_ns);
    status = slg_matcher_set_create(r->shape.log->matchers, r->shape.log->matcher_count,
                                    &r->matchers, reterr);
    if (status == SLG_OK)
        status = create_pipe(r, reterr);
    if (status != SLG_OK)
        return status;
    r->trivial =
        r->shape.range != NULL && !r->shape.range->unwrap.present && slg_pipe_is_trivial(r->pipe);
    r->writer = slg_page_writer_create(WRITER_MEMORY_BYTES);
    if (r->writer == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    start_page(r);
    return SLG_OK;
}

enum slg_status slg_remote_create(const struct slg_leaf_request *request,
                                  struct slg_remote **ret_remote, struct slg_error *reterr)
{
    struct slg_remote *r = calloc(1, sizeof(*r));
    enum slg_status status;

    if (r == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    r->request = *request;
    if (request->memory_bytes_max == 0 || request->memory_bytes_max > SIZE_MAX / 2)
        status = slg_errorf(reterr, SLG_INVALID, "a leaf states no memory budget");
    else if ((r->arena = slg_arena_create((size_t)request->memory_bytes_max)) == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    else
        status = start(r, reterr);
    if (status != SLG_OK) {
        slg_remote_destroy(r);
        return status;
    }
    *ret_remote = r;
    return SLG_OK;
}

void slg_remote_destroy(struct slg_remote *r)
{
    if (r == NULL)
        return;
    slg_pipe_destroy(r->pipe);
    slg_matcher_set_destroy(r->matchers);
    slg_page_writer_destroy(r->writer);
    slg_miner_destroy(r->miner);
    slg_arena_destroy(r->arena);
    free(r);
}

void slg_remote_range(const struct slg_remote *r, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    *ret_from_ns = r->from_ns;
    *ret_to_ns = r->to_ns;
}

bool slg_remote_needs_order(const struct slg_remote *r)
{
    return r->shape.kind == SLG_LEAF_LOG && r->miner == NULL;
}

uint64_t slg_remote_stream_hash(const struct slg_remote_stream *stream)
{
    return stream->hash;
}

bool slg_remote_literal(const struct slg_remote *r, struct slg_text *ret_literal)
{
    return slg_pipe_required_literals(r->pipe, ret_literal, 1) == 1;
}

/* Does the grouping take only labels that the stream itself has? Then metadata does not matter: a metadata label of
 * the same name is called name_extracted. */
static bool groups_by_stream(const struct slg_remote *r, const struct slg_label_set *labels)
{
    const struct slg_logql_grouping *grouping = r->shape.grouping;
    struct slg_text value;

    if (r->shape.range->op == SLG_LOGQL_RANGE_ABSENT)
        return true;
    if (grouping == NULL || grouping->without)
        return false;
    for (size_t i = 0; i < grouping->label_count; i++) {
        if (!slg_label_get(labels, slg_text_make(grouping->labels[i].ptr, grouping->labels[i].len),
                           &value))
            return false;
    }
    return true;
}

enum slg_status slg_remote_stream(struct slg_remote *r, const struct slg_label_set *labels,
                                  struct slg_remote_stream **ret_stream, struct slg_error *reterr)
{
    struct slg_remote_stream *stream;
    enum slg_status status;

    if (!slg_matcher_set_match(r->matchers, labels)) {
        *ret_stream = NULL;
        return SLG_OK;
    }
    stream = slg_arena_calloc(r->arena, 1, sizeof(*stream));
    if (stream == NULL || !slg_label_set_copy(r->arena, labels, &stream->labels))
        return is_full(r, reterr);
    status = slg_pipe_stream_create(r->pipe, &stream->labels, &stream->pipe_stream);
    if (status != SLG_OK)
        return is_full(r, reterr);
    stream->hash = slg_origin_hash(&stream->labels);
    stream->is_fixed = r->trivial && groups_by_stream(r, &stream->labels);
    *ret_stream = stream;
    return SLG_OK;
}

/* ---- entries ---- */

/* Metadata of the entry in `user`, sorted by name; senders give it in any order. */
static enum slg_status fetch_metadata(void *user, struct slg_arena *scratch,
                                      struct slg_label_set *ret_metadata)
{
    const struct slg_remote_entry *entry = user;
    struct slg_label items[SLG_METADATA_COUNT_MAX];
    size_t count = slg_batch_view_metadata(entry->view, entry->position, items);
    struct slg_label *sorted = slg_arena_alloc(scratch, count * sizeof(*sorted));

    if (sorted == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        for (; at > 0 && slg_text_compare(sorted[at - 1].name, items[i].name) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = items[i];
    }
    *ret_metadata = (struct slg_label_set){ .items = sorted, .count = count };
    return SLG_OK;
}

/* Loki's NewPipelineErr. The query has its result: this. */
static enum slg_status fail_with(struct slg_remote *r, const struct slg_pipe_result *result,
                                 struct slg_error *reterr)
{
    struct slg_buf labels;
    const char *text;

    slg_buf_init(&labels, ERROR_LABEL_BYTES);
    slg_label_print(&labels, &result->labels);
    if (slg_buf_failed(&labels)) {
        slg_buf_clear(&labels);
        slg_buf_append_text(&labels, "{...}");
    }
    text = slg_arena_printf(
        r->arena,
        "pipeline error: '%.*s' for series: '%.*s'.\n"
        "Use a label filter to intentionally skip this error. (e.g | __error__!=\"%.*s\").\n"
        "To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n"
        "The label filter can also be specified after unwrap. (e.g | unwrap latency | "
        "__error__=\"\" )\n",
        (int)result->error.len, result->error.at, (int)labels.len, (const char *)labels.data,
        (int)result->error.len, result->error.at);
    slg_buf_fini(&labels);
    if (text == NULL)
        return is_full(r, reterr);
    r->error = slg_text_of(text);
    r->done = true;
    return SLG_NOT_FOUND;
}

static enum slg_status add_sample(struct slg_remote *r, const struct slg_remote_stream *stream,
                                  uint32_t series, uint32_t bucket, double value,
                                  const struct slg_remote_entry *entry, struct slg_error *reterr)
{
    struct slg_sample sample = { .ts_ns = entry->ts_ns, .value = value };
    struct slg_partial partial;
    bool fits = true;

    if (r->ordered) {
        const struct slg_origin origin = { .batch = *entry->batch, .stream_hash = stream->hash };

        sample.position = entry->position;
        fits = slg_origin_table_index(&r->table.origins, &origin, &sample.origin_index);
    }
    if (fits && r->table.kind == SLG_ACCUMULATE_SAMPLES) {
        fits = slg_series_add_sample(&r->table, series, &sample);
    } else if (fits) {
        partial = slg_partial_of(r->table.kind, &sample, bucket);
        fits = slg_series_add_partial(&r->table, series, &partial);
    }
    if (!fits)
        return is_full(r, reterr);
    r->kept_count++;
    return SLG_OK;
}

/* Room for three runs of count labels. */
static bool reserve_items(struct slg_remote *r, size_t count)
{
    if (count <= r->item_capacity)
        return true;
    r->items = slg_arena_alloc(r->arena, 6 * count * sizeof(*r->items));
    r->item_capacity = r->items == NULL ? 0 : 2 * count;
    return r->items != NULL;
}

/* A sample that carries its error comes with all labels. Loki groups it in the sum above; here that is the leaf's. */
static bool group_error(struct slg_remote *r, struct slg_pipe_result *result)
{
    const struct slg_logql_grouping *grouping = r->shape.grouping;
    struct slg_label *items;
    size_t count = 0;

    if (!reserve_items(r, result->labels.count))
        return false;
    items = r->items;
    for (size_t i = 0; i < result->labels.count; i++) {
        const struct slg_label *label = &result->labels.items[i];
        bool named = false;

        for (size_t k = 0; k < grouping->label_count && !named; k++)
            named = slg_text_equal(label->name,
                                   slg_text_make(grouping->labels[k].ptr, grouping->labels[k].len));
        if (named != grouping->without)
            items[count++] = *label;
    }
    result->labels = (struct slg_label_set){ .items = items, .count = count };
    result->hash = slg_label_set_hash(&result->labels);
    return true;
}

static enum slg_status keep_sample(struct slg_remote *r, struct slg_remote_stream *stream,
                                   uint32_t bucket, const struct slg_remote_entry *entry,
                                   struct slg_pipe_result *result, struct slg_error *reterr)
{
    enum slg_status status;
    uint32_t series;

    if (result->must_fail)
        return fail_with(r, result, reterr);
    if (result->has_error && r->shape.is_injected && r->shape.grouping != NULL &&
        !group_error(r, result))
        return is_full(r, reterr);
    status = slg_series_find(&r->table, result->hash, &result->labels, &series);
    if (status == SLG_LIMIT)
        return slg_leaf_too_many_series(r->table.series_max, reterr);
    if (status != SLG_OK)
        return is_full(r, reterr);
    if (stream->is_fixed) {
        stream->series = series;
        stream->has_series = true;
    }
    return add_sample(r, stream, series, bucket, result->value, entry, reterr);
}

static enum slg_status keep_row(struct slg_remote *r, const struct slg_remote_stream *stream,
                                const struct slg_remote_entry *entry,
                                const struct slg_pipe_result *result, struct slg_error *reterr)
{
    size_t total = result->labels.count;
    struct slg_label *runs[3];
    size_t counts[3] = { 0, 0, 0 };
    struct slg_row row = { .ts_ns = entry->ts_ns,
                           .batch = entry->batch,
                           .position = entry->position,
                           .stream_hash = stream->hash,
                           .line = result->line };

    if (!reserve_items(r, total))
        return is_full(r, reterr);
    for (size_t k = 0; k < 3; k++)
        runs[k] = r->items == NULL ? NULL : r->items + k * r->item_capacity;
    for (size_t i = 0; i < total; i++) {
        size_t k = result->categories[i];

        runs[k][counts[k]++] = result->labels.items[i];
    }
    row.stream =
        (struct slg_label_set){ runs[SLG_PIPE_CATEGORY_STREAM], counts[SLG_PIPE_CATEGORY_STREAM] };
    row.metadata = (struct slg_label_set){ runs[SLG_PIPE_CATEGORY_METADATA],
                                           counts[SLG_PIPE_CATEGORY_METADATA] };
    row.parsed =
        (struct slg_label_set){ runs[SLG_PIPE_CATEGORY_PARSED], counts[SLG_PIPE_CATEGORY_PARSED] };
    slg_page_writer_row(r->writer, &row);
    r->kept_count++;
    r->last_kept_ns = entry->ts_ns;
    return SLG_OK;
}

/* The limit is reached when its rows are there and no further one of the same time can come: the writer chooses among
 * those. */
static bool is_enough(const struct slg_remote *r, int64_t ts_ns)
{
    return r->request.limit != 0 && r->kept_count >= r->request.limit && ts_ns != r->last_kept_ns;
}

static enum slg_status mine(struct slg_remote *r, const struct slg_remote_entry *entry,
                            struct slg_error *reterr)
{
    struct slg_label items[SLG_METADATA_COUNT_MAX];
    size_t count = slg_batch_view_metadata(entry->view, entry->position, items);
    struct slg_text level = slg_text_make("unknown", 7); /* as Loki */

    for (size_t i = 0; i < count; i++)
        if (slg_text_equal_to(items[i].name, "detected_level"))
            level = items[i].value;
    r->kept_count++;
    return slg_miner_add(r->miner, level, entry->ts_ns, entry->line, reterr);
}

enum slg_status slg_remote_entry(struct slg_remote *r, struct slg_remote_stream *stream,
                                 const struct slg_remote_entry *entry, struct slg_error *reterr)
{
    struct slg_remote_entry borrowed = *entry;
    struct slg_pipe_entry input = {
        .ts_ns = entry->ts_ns, .line = entry->line, .fetch = fetch_metadata, .user = &borrowed
    };
    uint32_t bucket = SLG_BUCKET_NONE;
    struct slg_pipe_result result;
    enum slg_status status;

    if (r->done)
        return SLG_NOT_FOUND;
    if (entry->ts_ns < r->from_ns || entry->ts_ns >= r->to_ns)
        return SLG_OK;
    if (r->miner != NULL)
        return mine(r, entry, reterr);
    if (r->shape.range == NULL && is_enough(r, entry->ts_ns)) {
        r->done = true;
        return SLG_NOT_FOUND;
    }
    if (r->shape.range != NULL) {
        bucket = slg_windows_bucket(&r->windows, entry->ts_ns);
        if (bucket == SLG_BUCKET_NONE)
            return SLG_OK; /* between the windows: its errors do not count either */
        if (stream->has_series)
            return add_sample(r, stream, stream->series, bucket,
                              r->counts_bytes ? (double)entry->line.len : 1, entry, reterr);
    }
    status = slg_pipe_run(r->pipe, stream->pipe_stream, &input, &result);
    if (status == SLG_NOT_FOUND)
        return SLG_OK;
    if (status != SLG_OK)
        return slg_errorf(reterr, SLG_LIMIT, "one line needs more than %zu MiB in the pipeline",
                          SLG_PIPE_SCRATCH_BYTES_MAX >> 20);
    return r->shape.range == NULL ? keep_row(r, stream, entry, &result, reterr)
                                  : keep_sample(r, stream, bucket, entry, &result, reterr);
}

uint64_t slg_remote_kept_count(const struct slg_remote *r)
{
    return r->shape.kind == SLG_LEAF_LOG && r->miner == NULL && r->request.limit != 0 &&
                   r->kept_count > r->request.limit
               ? r->request.limit
               : r->kept_count;
}

/* ---- pages ---- */

size_t slg_remote_pending_bytes(const struct slg_remote *r)
{
    return r->shape.kind == SLG_LEAF_LOG ? slg_page_writer_bytes(r->writer) : 0;
}

enum slg_status slg_remote_finish(struct slg_remote *r, struct slg_error *reterr)
{
    (void)reterr; /* nothing can fail today */
    for (uint32_t i = 0; i < r->table.count; i++)
        slg_series_settle(&r->table, i);
    return SLG_OK;
}

static bool page_is_full(const struct slg_remote *r)
{
    return slg_page_writer_bytes(r->writer) >= SLG_PAGE_BYTES_MAX;
}

/* Series from where the last page ended; one that does not fit goes on, under its labels, in the next page. */
static void write_series(struct slg_remote *r)
{
    while (r->next_series < r->table.count && !page_is_full(r)) {
        const struct slg_series_data *series = &r->table.series[r->next_series];

        slg_page_writer_series(r->writer, &series->labels);
        for (; r->next_item < series->count && !page_is_full(r); r->next_item++) {
            if (r->table.kind == SLG_ACCUMULATE_SAMPLES)
                slg_page_writer_sample(r->writer, r->ordered ? &r->table.origins : NULL,
                                       &series->samples[r->next_item]);
            else
                slg_page_writer_partial(r->writer, &r->table.origins,
                                        &series->partials[r->next_item]);
        }
        if (r->next_item < series->count)
            return;
        r->next_series++;
        r->next_item = 0;
    }
}

enum slg_status slg_remote_page(struct slg_remote *r, struct slg_buf *out, bool *ret_more,
                                struct slg_error *reterr)
{
    enum slg_status status;
    bool more = false;

    if (r->miner != NULL)
        return slg_miner_page(r->miner, out, ret_more, reterr);
    if (r->error.len > 0) {
        slg_page_writer_start(r->writer, SLG_PAGE_ERROR, r->table.kind);
        slg_page_writer_error(r->writer, r->error);
    } else if (r->shape.range != NULL) {
        write_series(r);
        more = r->next_series < r->table.count;
    }
    status = slg_page_writer_finish(r->writer, out, reterr);
    if (status != SLG_OK)
        return status;
    r->written_count += slg_page_writer_row_count(r->writer);
    if (r->request.limit != 0 && r->written_count >= r->request.limit)
        r->done = true;
    start_page(r);
    *ret_more = more;
    return SLG_OK;
}
