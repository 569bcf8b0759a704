/* tests/property/naive.h - LogQL evaluated the slow and obvious way: the oracle of the split engine.
 *
 * One process, all entries in one array, sorted and rid of push duplicates by searching; each window looks at every
 * sample; vectors are lists that are searched. It shares the parser and the pipeline (tested elsewhere) with the
 * engine, and nothing of logql/eval, logql/plan and storer. */
#ifndef SLG_TESTS_PROPERTY_NAIVE_H
#define SLG_TESTS_PROPERTY_NAIVE_H

#include <math.h>

#include "base/hash.h"
#include "logql/pipe/matcher.h"
#include "logql/pipe/pipe.h"
#include "logql/pipe/regex.h"
#include "logql/syntax/ast.h"
#include "tests/helper/dataset.h"

struct naive_point {
    struct slg_label_set labels;
    double value;
};
struct naive_vector {
    struct naive_point *points;
    size_t count;
};

struct naive_sample {
    int64_t ts_ns;
    struct slg_label_set labels;
    double value;
    bool is_error;
    uint64_t stream_hash;
};
/* Samples of one range aggregation, in total order. */
struct naive_leaf {
    const struct slg_logql_range_aggregation *range;
    struct naive_sample *samples;
    size_t count;
    struct naive_leaf *next;
};

/* One entry of the data, as it was stored. */
struct naive_entry {
    int64_t ts_ns;
    uint64_t stream_hash;
    uint32_t stream; /* of the data set */
    const struct slg_batch_view *view;
    uint32_t position;
    bool is_push;
};

struct naive {
    struct slg_arena *arena;
    const struct data_set *set;
    struct naive_entry *entries; /* in total order, each once */
    size_t entry_count, duplicate_count;
    struct naive_leaf *leaves;
    bool invalid; /* a pipeline error or impossible matching: the query fails */
    int64_t now_ns;
};

static inline void *naive_alloc(struct naive *n, size_t count, size_t size)
{
    void *p = slg_arena_calloc(n->arena, count + 1, size);

    data_check(p != NULL, "the naive evaluator has no memory");
    return p;
}

static inline struct slg_label_set naive_copy(struct naive *n, const struct slg_label_set *set)
{
    struct slg_label *items = naive_alloc(n, set->count, sizeof(*items));

    for (size_t i = 0; i < set->count; i++) {
        items[i].name.at = slg_arena_copy(n->arena, set->items[i].name.at, set->items[i].name.len);
        items[i].name.len = set->items[i].name.len;
        items[i].value.at =
            slg_arena_copy(n->arena, set->items[i].value.at, set->items[i].value.len);
        items[i].value.len = set->items[i].value.len;
    }
    return (struct slg_label_set){ items, set->count };
}

static inline bool naive_equal(const struct slg_label_set *a, const struct slg_label_set *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++)
        equal = slg_text_equal(a->items[i].name, b->items[i].name) &&
                slg_text_equal(a->items[i].value, b->items[i].value);
    return equal;
}

/* By name, value, name, value ...; fewer labels first. */
static inline int naive_compare_labels(const struct slg_label_set *a, const struct slg_label_set *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = slg_text_compare(a->items[i].name, b->items[i].name);

        if (order == 0)
            order = slg_text_compare(a->items[i].value, b->items[i].value);
        if (order != 0)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static inline void naive_sort_labels(struct slg_label *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; k > 0 && slg_text_compare(items[k - 1].name, items[k].name) > 0; k--) {
            struct slg_label swap = items[k];

            items[k] = items[k - 1];
            items[k - 1] = swap;
        }
    }
}

static inline bool naive_named(struct slg_text name, const struct slg_logql_str *names,
                               size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (name.len == names[i].len && memcmp(name.at, names[i].ptr, name.len) == 0)
            return true;
    }
    return false;
}

/* The labels that are (wanted), or are not, named; empty values go unless kept. */
static inline struct slg_label_set naive_pick(struct naive *n, const struct slg_label_set *set,
                                              const struct slg_logql_str *names, size_t count,
                                              bool wanted, bool keep_empty)
{
    struct slg_label *items = naive_alloc(n, set->count, sizeof(*items));
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (naive_named(set->items[i].name, names, count) == wanted &&
            (keep_empty || set->items[i].value.len > 0))
            items[kept++] = set->items[i];
    }
    return (struct slg_label_set){ items, kept };
}

/* ---- entries ---- */

/* Prometheus' labels.Hash, by which Loki orders streams at equal times. */
static inline uint64_t naive_hash(const struct slg_label_set *set)
{
    char bytes[1024];
    size_t len = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct slg_text parts[2] = { set->items[i].name, set->items[i].value };

        for (size_t k = 0; k < 2; k++) {
            data_check(len + parts[k].len + 1 <= sizeof(bytes), "labels are too long");
            memcpy(bytes + len, parts[k].at, parts[k].len);
            len += parts[k].len;
            bytes[len++] = (char)0xFF;
        }
    }
    return slg_hash_xxh64(bytes, len);
}

/* Time, stream, incarnation, sequence, position. Equal streams at equal times are of one shard. */
static inline int naive_compare_entries(const void *a, const void *b)
{
    const struct naive_entry *x = a, *y = b;
    const struct slg_batch_id *p = &x->view->header.id, *q = &y->view->header.id;
    int order;

    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    if (x->stream_hash != y->stream_hash)
        return x->stream_hash < y->stream_hash ? -1 : 1;
    order = memcmp(p->incarnation.bytes, q->incarnation.bytes, sizeof(p->incarnation.bytes));
    if (order != 0)
        return order;
    if (p->sequence != q->sequence)
        return p->sequence < q->sequence ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static inline bool naive_same_push(const struct naive_entry *x, const struct naive_entry *y)
{
    struct slg_label a[SLG_METADATA_COUNT_MAX], b[SLG_METADATA_COUNT_MAX];
    struct slg_label_set p = { a, 0 }, q = { b, 0 };

    if (!x->is_push || !y->is_push || x->ts_ns != y->ts_ns || x->stream != y->stream ||
        !slg_text_equal(slg_batch_view_line(x->view, x->position),
                        slg_batch_view_line(y->view, y->position)))
        return false;
    p.count = slg_batch_view_metadata(x->view, x->position, a);
    q.count = slg_batch_view_metadata(y->view, y->position, b);
    return naive_equal(&p, &q);
}

/* All entries of the batches that count (in_set NULL: all). */
static inline void naive_load(struct naive *n, const struct data_store *store, const bool *in_set)
{
    size_t total = 0, kept = 0;

    n->set = store->set;
    n->entries = naive_alloc(n, store->set->entry_count, sizeof(*n->entries));
    for (size_t b = 0; b < store->batch_count; b++) {
        const struct data_batch *batch = &store->batches[b];

        for (uint32_t i = 0; i < batch->view->header.entry_count; i++) {
            uint32_t stream = batch->stream_of[batch->view->stream_index[i]];

            if (in_set == NULL || in_set[b])
                n->entries[total++] = (struct naive_entry){
                    .ts_ns = batch->view->ts_ns[i],
                    .stream_hash = naive_hash(&store->set->streams[stream]),
                    .stream = stream,
                    .view = batch->view,
                    .position = i,
                    .is_push = batch->view->kind[i] == SLG_ENTRY_PUSH,
                };
        }
    }
    qsort(n->entries, total, sizeof(*n->entries), naive_compare_entries);
    for (size_t i = 0; i < total; i++) {
        bool again = false;

        for (size_t k = kept; k > 0 && n->entries[k - 1].ts_ns == n->entries[i].ts_ns; k--)
            again = again || naive_same_push(&n->entries[k - 1], &n->entries[i]);
        if (!again)
            n->entries[kept++] = n->entries[i];
    }
    n->entry_count = kept;
    n->duplicate_count = total - kept;
}

static inline enum slg_status naive_metadata(void *user, struct slg_arena *scratch,
                                             struct slg_label_set *ret)
{
    const struct naive_entry *entry = user;
    struct slg_label *items =
        slg_arena_alloc(scratch, SLG_METADATA_COUNT_MAX * sizeof(struct slg_label));
    size_t count;

    if (items == NULL)
        return SLG_LIMIT;
    count = slg_batch_view_metadata(entry->view, entry->position, items);
    naive_sort_labels(items, count);
    *ret = (struct slg_label_set){ items, count };
    return SLG_OK;
}

/* A pipeline and the streams that its selector wants. */
struct naive_run {
    struct slg_pipe *pipe;
    struct slg_pipe_stream **streams; /* of the data set; NULL: not wanted */
};

static inline void naive_open(struct naive *n, struct naive_run *run,
                              const struct slg_pipe_options *options)
{
    struct slg_matcher_set *matchers;

    *run = (struct naive_run){ .streams = naive_alloc(n, n->set->stream_count,
                                                      sizeof(struct slg_pipe_stream *)) };
    if (slg_pipe_create(options, &run->pipe, NULL) != SLG_OK) {
        n->invalid = true;
        run->pipe = NULL;
        return;
    }
    data_check(slg_matcher_set_create(options->log->matchers, options->log->matcher_count,
                                      &matchers, NULL) == SLG_OK,
               "matchers");
    for (size_t i = 0; i < n->set->stream_count; i++) {
        if (slg_matcher_set_match(matchers, &n->set->streams[i]))
            data_check(slg_pipe_stream_create(run->pipe, &n->set->streams[i], &run->streams[i]) ==
                           SLG_OK,
                       "stream");
    }
    slg_matcher_set_destroy(matchers);
}

/* One entry through the pipe; false: not kept. */
static inline bool naive_pass(const struct naive_run *run, const struct naive_entry *entry,
                              struct slg_pipe_result *ret)
{
    struct naive_entry user = *entry;
    struct slg_pipe_entry input = { .ts_ns = entry->ts_ns,
                                    .line = slg_batch_view_line(entry->view, entry->position),
                                    .fetch = naive_metadata,
                                    .user = &user };

    return run->pipe != NULL && run->streams[entry->stream] != NULL &&
           slg_pipe_run(run->pipe, run->streams[entry->stream], &input, ret) == SLG_OK;
}

/* ---- log queries ---- */

/* Labels of one category, as they are printed. */
static inline void naive_print_labels(struct slg_buf *out, const struct slg_pipe_result *result,
                                      uint8_t category)
{
    struct slg_label items[256];
    struct slg_label_set set = { items, 0 };

    data_check(result->labels.count <= 256, "too many labels");
    for (size_t i = 0; i < result->labels.count; i++) {
        if (result->categories[i] == category)
            items[set.count++] = result->labels.items[i];
    }
    slg_label_print(out, &set);
}

/* The entry that stands at place i of the direction: backward, streams of one time keep their order (docs/adr/0008). */
static inline const struct naive_entry *naive_at(const struct naive *n,
                                                 enum slg_direction direction, size_t i)
{
    size_t at, first, last, same_first, same_last;

    if (direction == SLG_FORWARD)
        return &n->entries[i];
    at = n->entry_count - 1 - i; /* of the reverse: same time, other place */
    for (first = at; first > 0 && n->entries[first - 1].ts_ns == n->entries[at].ts_ns;)
        first--;
    for (last = at;
         last + 1 < n->entry_count && n->entries[last + 1].ts_ns == n->entries[at].ts_ns;)
        last++;
    at = first + (last - at); /* streams ascending ... */
    for (same_first = at;
         same_first > first && n->entries[same_first - 1].stream == n->entries[at].stream;)
        same_first--;
    for (same_last = at;
         same_last < last && n->entries[same_last + 1].stream == n->entries[at].stream;)
        same_last++;
    return &n->entries[same_first + (same_last - at)]; /* ... and each of them reversed */
}

/* Rows of a log query as text, one a line. */
static inline size_t naive_log(struct naive *n, const struct slg_logql_log *log,
                               const struct slg_query_params *params, struct slg_buf *out)
{
    const struct slg_pipe_options options = { .log = log,
                                              .want_categories = true,
                                              .now_ns = params->end_ns };
    int64_t previous = 0;
    struct naive_run run;
    size_t count = 0;

    naive_open(n, &run, &options);
    for (size_t i = 0; i < n->entry_count && (params->limit == 0 || count < params->limit); i++) {
        const struct naive_entry *entry = naive_at(n, params->direction, i);
        struct slg_pipe_result result;
        bool inside = entry->ts_ns >= params->start_ns && entry->ts_ns < params->end_ns;

        if (!inside && (params->start_ns != params->end_ns || entry->ts_ns != params->start_ns))
            continue;
        if (!naive_pass(&run, entry, &result))
            continue;
        if (params->interval_ns > 0 && count > 0 &&
            llabs(entry->ts_ns - previous) < params->interval_ns)
            continue;
        previous = entry->ts_ns;
        count++;
        slg_buf_printf(out, "%lld %.*s ", (long long)entry->ts_ns, (int)result.line.len,
                       result.line.at);
        for (uint8_t k = 0; k < 3; k++)
            naive_print_labels(out, &result, k);
        slg_buf_append_byte(out, '\n');
    }
    slg_pipe_destroy(run.pipe);
    return count;
}

/* ---- samples ---- */

/* Every entry through the pipe. injected: the grouping of a sum directly above, where Loki passes it down. */
static inline struct naive_leaf *naive_samples(struct naive *n,
                                               const struct slg_logql_range_aggregation *range,
                                               const struct slg_logql_grouping *injected)
{
    struct slg_pipe_options options = { .log = &range->log,
                                        .sample = SLG_PIPE_SAMPLE_COUNT,
                                        .unwrap = &range->unwrap,
                                        .grouping =
                                            range->grouping.present ? &range->grouping : injected,
                                        .no_labels = range->op == SLG_LOGQL_RANGE_ABSENT,
                                        .now_ns = n->now_ns };
    struct naive_leaf *leaf = naive_alloc(n, 1, sizeof(*leaf));
    struct naive_run run;

    *leaf = (struct naive_leaf){ .range = range,
                                 .samples = naive_alloc(n, n->entry_count, sizeof(*leaf->samples)),
                                 .next = n->leaves };
    n->leaves = leaf;
    if (range->op == SLG_LOGQL_RANGE_BYTES || range->op == SLG_LOGQL_RANGE_BYTES_RATE)
        options.sample = SLG_PIPE_SAMPLE_BYTES;
    if (range->unwrap.present)
        options.sample = SLG_PIPE_SAMPLE_UNWRAP;
    if (options.grouping != NULL && options.grouping->without && options.grouping->label_count == 0)
        options.grouping = NULL;
    naive_open(n, &run, &options);
    for (size_t i = 0; i < n->entry_count; i++) {
        struct slg_pipe_result result;

        if (naive_pass(&run, &n->entries[i], &result))
            leaf->samples[leaf->count++] =
                (struct naive_sample){ .ts_ns = n->entries[i].ts_ns,
                                       .labels = naive_copy(n, &result.labels),
                                       .value = result.value,
                                       .is_error = result.must_fail,
                                       .stream_hash = n->entries[i].stream_hash };
    }
    slg_pipe_destroy(run.pipe);
    return leaf;
}

/* ---- range aggregations ---- */

static inline int naive_compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

static inline double naive_quantile(double q, double *values, size_t count)
{
    double rank, lower, upper;

    if (q > 1)
        return (double)INFINITY;
    qsort(values, count, sizeof(*values), naive_compare_values);
    rank = q * (double)(count - 1);
    lower = floor(rank);
    upper = lower + 1 < (double)count ? lower + 1 : (double)count - 1;
    return values[(size_t)lower] * (1 - (rank - lower)) + values[(size_t)upper] * (rank - lower);
}

static inline double naive_counter(const struct naive_sample *const *s, size_t count, int64_t after,
                                   int64_t last)
{
    double sum, seconds, start, end, covered, gap;

    if (count < 2)
        return 0;
    sum = s[count - 1]->value - s[0]->value;
    for (size_t i = 1; i < count; i++)
        sum += s[i]->value < s[i - 1]->value ? s[i - 1]->value : 0;
    seconds = (double)(last - after) / 1e9;
    start = (double)(s[0]->ts_ns - after) / 1e9;
    end = (double)(last - s[count - 1]->ts_ns) / 1e9;
    covered = (double)(s[count - 1]->ts_ns - s[0]->ts_ns) / 1e9;
    gap = covered / (double)(count - 1);
    if (sum > 0 && s[0]->value >= 0 && covered * (s[0]->value / sum) < start)
        start = covered * (s[0]->value / sum);
    return sum *
           ((covered + (start < gap * 1.1 ? start : gap / 2) + (end < gap * 1.1 ? end : gap / 2)) /
            covered) /
           seconds;
}

static inline double naive_aggregate(const struct slg_logql_range_aggregation *range,
                                     const struct naive_sample *const *s, size_t count,
                                     double *values, int64_t after, int64_t last)
{
    double seconds =
        (double)(range->range_ns / 1000000000) + (double)(range->range_ns % 1000000000) / 1e9;
    double sum = 0, squares = 0, least = s[0]->value, most = s[0]->value;

    for (size_t i = 0; i < count; i++) {
        values[i] = s[i]->value;
        sum += values[i];
        if (values[i] < least || isnan(least))
            least = values[i];
        if (values[i] > most || isnan(most))
            most = values[i];
    }
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - sum / (double)count) * (values[i] - sum / (double)count);
    switch (range->op) {
    case SLG_LOGQL_RANGE_COUNT:
    case SLG_LOGQL_RANGE_BYTES:
    case SLG_LOGQL_RANGE_SUM:
        return sum;
    case SLG_LOGQL_RANGE_RATE:
    case SLG_LOGQL_RANGE_BYTES_RATE:
        return sum / seconds;
    case SLG_LOGQL_RANGE_RATE_COUNTER:
        return naive_counter(s, count, after, last);
    case SLG_LOGQL_RANGE_AVG:
        return sum / (double)count;
    case SLG_LOGQL_RANGE_MIN:
        return least;
    case SLG_LOGQL_RANGE_MAX:
        return most;
    case SLG_LOGQL_RANGE_STDVAR:
        return squares / (double)count;
    case SLG_LOGQL_RANGE_STDDEV:
        return sqrt(squares / (double)count);
    case SLG_LOGQL_RANGE_QUANTILE:
        return naive_quantile(range->parameter, values, count);
    case SLG_LOGQL_RANGE_FIRST:
        return s[0]->value;
    case SLG_LOGQL_RANGE_LAST:
        return s[count - 1]->value;
    case SLG_LOGQL_RANGE_ABSENT:
        break;
    }
    return 1;
}

static inline struct naive_vector
naive_absent(struct naive *n, const struct slg_logql_range_aggregation *range, size_t present)
{
    struct naive_vector out = { naive_alloc(n, 1, sizeof(struct naive_point)), present == 0 };
    const struct slg_logql_log *log = &range->log;
    struct slg_label *items = naive_alloc(n, log->matcher_count, sizeof(*items));
    size_t count = 0;

    for (size_t i = 0; i < log->matcher_count; i++) {
        bool only = log->matchers[i].op == SLG_LOGQL_MATCH_EQ && log->matchers[i].value.len > 0;

        for (size_t k = 0; k < log->matcher_count; k++)
            only = only && (k == i || log->matchers[k].name.len != log->matchers[i].name.len ||
                            memcmp(log->matchers[k].name.ptr, log->matchers[i].name.ptr,
                                   log->matchers[i].name.len) != 0);
        if (only)
            items[count++] = (struct slg_label){
                slg_text_make(log->matchers[i].name.ptr, log->matchers[i].name.len),
                slg_text_make(log->matchers[i].value.ptr, log->matchers[i].value.len)
            };
    }
    data_check(slg_label_normalize(items, count, &count, NULL) == SLG_OK, "absent labels");
    out.points[0] = (struct naive_point){ { items, count }, 1 };
    return out;
}

static inline struct naive_vector naive_range(struct naive *n, const struct naive_leaf *leaf,
                                              int64_t t)
{
    const struct slg_logql_range_aggregation *range = leaf->range;
    int64_t last = t - range->offset_ns, after = last - range->range_ns;
    const struct naive_sample **group = naive_alloc(n, leaf->count, sizeof(*group));
    double *values = naive_alloc(n, leaf->count, sizeof(*values));
    bool *done = naive_alloc(n, leaf->count, sizeof(*done));
    struct naive_vector out = { naive_alloc(n, leaf->count, sizeof(struct naive_point)), 0 };

    for (size_t i = 0; i < leaf->count; i++) {
        size_t count = 0;

        if (done[i] || leaf->samples[i].ts_ns <= after || leaf->samples[i].ts_ns > last)
            continue;
        n->invalid = n->invalid || leaf->samples[i].is_error;
        for (size_t k = i; k < leaf->count; k++) {
            if (!done[k] && leaf->samples[k].ts_ns > after && leaf->samples[k].ts_ns <= last &&
                naive_equal(&leaf->samples[i].labels, &leaf->samples[k].labels)) {
                group[count++] = &leaf->samples[k];
                done[k] = true;
            }
        }
        out.points[out.count++] =
            (struct naive_point){ leaf->samples[i].labels,
                                  naive_aggregate(range, group, count, values, after, last) };
    }
    return range->op == SLG_LOGQL_RANGE_ABSENT ? naive_absent(n, range, out.count) : out;
}

/* ---- vector operators ---- */

static inline bool naive_before(enum slg_logql_vector_op op, double a, double b)
{
    bool up = op == SLG_LOGQL_VECTOR_BOTTOMK || op == SLG_LOGQL_VECTOR_SORT;

    if (isnan(a) || isnan(b))
        return !isnan(a) && isnan(b);
    return up ? a < b : a > b;
}

/* The number of points of the group that stand before point i: by value, then by labels. */
static inline size_t naive_rank(const struct naive_vector *in, const struct slg_label_set *groups,
                                enum slg_logql_vector_op op, size_t i)
{
    size_t rank = 0;

    for (size_t k = 0; k < in->count; k++) {
        if (k != i && naive_equal(&groups[k], &groups[i]) &&
            (naive_before(op, in->points[k].value, in->points[i].value) ||
             (!naive_before(op, in->points[i].value, in->points[k].value) &&
              naive_compare_labels(&in->points[k].labels, &in->points[i].labels) < 0)))
            rank++;
    }
    return rank;
}

static inline double naive_fold(enum slg_logql_vector_op op, const double *v, size_t count)
{
    double sum = 0, squares = 0, least = v[0], most = v[0], mean = v[0];

    for (size_t i = 0; i < count; i++) {
        sum += v[i];
        mean += i == 0 ? 0 : (v[i] - mean) / (double)(i + 1); /* two infinities make NaN */
        if (v[i] < least || isnan(least))
            least = v[i];
        if (v[i] > most || isnan(most))
            most = v[i];
    }
    for (size_t i = 0; i < count; i++)
        squares += (v[i] - sum / (double)count) * (v[i] - sum / (double)count);
    if (op == SLG_LOGQL_VECTOR_SUM)
        return sum;
    if (op == SLG_LOGQL_VECTOR_AVG)
        return mean;
    if (op == SLG_LOGQL_VECTOR_COUNT)
        return (double)count;
    if (op == SLG_LOGQL_VECTOR_MAX)
        return most;
    if (op == SLG_LOGQL_VECTOR_MIN)
        return least;
    if (count == 1)
        return 0; /* of NaN and infinities too, as in Loki */
    return op == SLG_LOGQL_VECTOR_STDVAR ? squares / (double)count : sqrt(squares / (double)count);
}

static inline struct naive_vector naive_vector_op(struct naive *n,
                                                  const struct slg_logql_vector_aggregation *a,
                                                  const struct naive_vector *in)
{
    struct slg_label_set *groups = naive_alloc(n, in->count, sizeof(*groups));
    double *values = naive_alloc(n, in->count, sizeof(*values));
    struct naive_vector out = { naive_alloc(n, in->count, sizeof(struct naive_point)), 0 };
    bool without = a->grouping.present && a->grouping.without;
    bool sorts = a->op == SLG_LOGQL_VECTOR_SORT || a->op == SLG_LOGQL_VECTOR_SORT_DESC;

    for (size_t i = 0; i < in->count; i++)
        groups[i] =
            naive_pick(n, &in->points[i].labels, a->grouping.labels,
                       a->grouping.present ? a->grouping.label_count : 0, !without, !without);
    for (size_t i = 0; i < in->count; i++) {
        bool first = true;
        size_t count = 0;

        if (sorts || a->k > 0) {
            if (sorts || naive_rank(in, groups, a->op, i) < (uint64_t)a->k)
                out.points[out.count++] = in->points[i];
            continue;
        }
        for (size_t k = 0; k < in->count; k++) {
            if (!naive_equal(&groups[i], &groups[k]))
                continue;
            first = first && k >= i;
            values[count++] = in->points[k].value;
        }
        if (first)
            out.points[out.count++] =
                (struct naive_point){ groups[i], naive_fold(a->op, values, count) };
    }
    return out;
}

/* Go's arithmetic; comparisons are 1 or 0. */
static inline double naive_number(enum slg_logql_binary_op op, double a, double b)
{
    switch (op) {
    case SLG_LOGQL_BINARY_ADD:
        return a + b;
    case SLG_LOGQL_BINARY_SUB:
        return a - b;
    case SLG_LOGQL_BINARY_MUL:
        return a * b;
    case SLG_LOGQL_BINARY_DIV: /* by zero: NaN, as Loki answers */
        return b == 0 ? (double)NAN : a / b;
    case SLG_LOGQL_BINARY_MOD:
        return b == 0 ? (double)NAN : fmod(a, b);
    case SLG_LOGQL_BINARY_POW:
        return pow(a, b);
    case SLG_LOGQL_BINARY_EQ:
        return a == b;
    case SLG_LOGQL_BINARY_NEQ:
        return a != b;
    case SLG_LOGQL_BINARY_GT:
        return a > b;
    case SLG_LOGQL_BINARY_GTE:
        return a >= b;
    case SLG_LOGQL_BINARY_LT:
        return a < b;
    case SLG_LOGQL_BINARY_LTE:
        return a <= b;
    case SLG_LOGQL_BINARY_OR:
    case SLG_LOGQL_BINARY_AND:
    case SLG_LOGQL_BINARY_UNLESS:
        break;
    }
    data_check(false, "a set operator has no number");
    return 0;
}

static inline bool naive_merge(const struct slg_logql_binary *b, double left, double right,
                               double kept, double *ret)
{
    *ret = naive_number(b->op, left, right);
    if (!slg_logql_binary_op_is_comparison(b->op) || b->is_bool)
        return true;
    if (*ret == 0)
        return false;
    *ret = kept;
    return true;
}

static inline struct slg_label_set naive_include(struct naive *n, struct slg_label_set many,
                                                 const struct slg_label_set *one,
                                                 const struct slg_logql_binary *b)
{
    struct slg_label *items = naive_alloc(n, many.count + b->include_count, sizeof(*items));
    size_t count = 0;

    for (size_t i = 0; i < many.count; i++) {
        if (!naive_named(many.items[i].name, b->includes, b->include_count) &&
            many.items[i].value.len > 0)
            items[count++] = many.items[i];
    }
    for (size_t i = 0; i < b->include_count; i++) {
        struct slg_text name = slg_text_make(b->includes[i].ptr, b->includes[i].len), value;

        if (slg_label_get(one, name, &value) && value.len > 0)
            items[count++] = (struct slg_label){ name, value };
    }
    naive_sort_labels(items, count);
    return (struct slg_label_set){ items, count };
}

static inline bool naive_matches(struct naive *n, const struct slg_logql_binary *b,
                                 const struct slg_label_set *x, const struct slg_label_set *y)
{
    struct slg_label_set p = naive_pick(n, x, b->labels, b->label_count, b->on, false);
    struct slg_label_set q = naive_pick(n, y, b->labels, b->label_count, b->on, false);

    return naive_equal(&p, &q);
}

static inline struct naive_vector naive_set_op(struct naive *n, const struct slg_logql_binary *b,
                                               const struct naive_vector *l,
                                               const struct naive_vector *r)
{
    struct naive_vector out = { naive_alloc(n, l->count + r->count, sizeof(struct naive_point)),
                                0 };

    for (size_t i = 0; i < l->count; i++) {
        bool found = false;

        for (size_t k = 0; k < r->count && !found; k++)
            found = naive_matches(n, b, &l->points[i].labels, &r->points[k].labels);
        if (b->op == SLG_LOGQL_BINARY_OR || found == (b->op == SLG_LOGQL_BINARY_AND))
            out.points[out.count++] = l->points[i];
    }
    for (size_t k = 0; b->op == SLG_LOGQL_BINARY_OR && k < r->count; k++) {
        bool found = false;

        for (size_t i = 0; i < l->count && !found; i++)
            found = naive_matches(n, b, &l->points[i].labels, &r->points[k].labels);
        if (!found)
            out.points[out.count++] = r->points[k];
    }
    return out;
}

static inline struct naive_vector naive_join(struct naive *n, const struct slg_logql_binary *b,
                                             const struct naive_vector *l,
                                             const struct naive_vector *r)
{
    bool swapped = b->cardinality == SLG_LOGQL_ONE_TO_MANY;
    const struct naive_vector *many = swapped ? r : l, *one = swapped ? l : r;
    struct naive_vector out = { naive_alloc(n, many->count, sizeof(struct naive_point)), 0 };
    struct naive_point *seen = naive_alloc(n, many->count, sizeof(*seen));
    size_t *partners = naive_alloc(n, many->count, sizeof(*partners));
    size_t seen_count = 0;

    for (size_t i = 0; i < one->count; i++) {
        for (size_t k = i + 1; k < one->count; k++)
            n->invalid =
                n->invalid || naive_matches(n, b, &one->points[i].labels, &one->points[k].labels);
    }
    for (size_t i = 0; i < many->count; i++) {
        for (size_t k = 0; k < one->count; k++) {
            double left = swapped ? one->points[k].value : many->points[i].value;
            double right = swapped ? many->points[i].value : one->points[k].value;
            struct naive_point point;

            if (!naive_matches(n, b, &many->points[i].labels, &one->points[k].labels))
                continue;
            if (b->cardinality == SLG_LOGQL_ONE_TO_ONE)
                point.labels =
                    naive_pick(n, &many->points[i].labels, b->labels, b->label_count, b->on, false);
            else
                point.labels = naive_include(n, many->points[i].labels, &one->points[k].labels, b);
            for (size_t s = 0; s < seen_count; s++)
                n->invalid = n->invalid ||
                             (partners[s] == k && (b->cardinality == SLG_LOGQL_ONE_TO_ONE ||
                                                   naive_equal(&seen[s].labels, &point.labels)));
            partners[seen_count] = k;
            seen[seen_count++] = point;
            if (naive_merge(b, left, right, left, &point.value))
                out.points[out.count++] = point;
            break;
        }
    }
    return out;
}

static inline struct naive_vector naive_evaluate(struct naive *n, const struct slg_logql_expr *e,
                                                 int64_t t);

static inline struct naive_vector naive_binary(struct naive *n, const struct slg_logql_binary *b,
                                               int64_t t)
{
    bool left_literal = b->lhs->kind == SLG_LOGQL_EXPR_LITERAL;
    bool right_literal = b->rhs->kind == SLG_LOGQL_EXPR_LITERAL;
    struct naive_vector l = { 0 }, r = { 0 }, out, *in;

    if (!left_literal)
        l = naive_evaluate(n, b->lhs, t);
    if (!right_literal)
        r = naive_evaluate(n, b->rhs, t);
    if (!left_literal && !right_literal)
        return slg_logql_binary_op_is_set(b->op) ? naive_set_op(n, b, &l, &r)
                                                 : naive_join(n, b, &l, &r);
    in = left_literal ? &r : &l;
    out = (struct naive_vector){ naive_alloc(n, in->count, sizeof(struct naive_point)), 0 };
    for (size_t i = 0; i < in->count; i++) {
        double v = in->points[i].value;
        struct naive_point point = { in->points[i].labels, 0 };

        if (naive_merge(b, left_literal ? b->lhs->number : v, right_literal ? b->rhs->number : v, v,
                        &point.value))
            out.points[out.count++] = point;
    }
    return out;
}

/* Only for the replacements that the generator writes: "$1", "x-$1" or plain text. */
static inline struct naive_vector naive_relabel(struct naive *n,
                                                const struct slg_logql_label_replace *e, int64_t t)
{
    struct naive_vector v = naive_evaluate(n, e->inner, t);
    const struct slg_regex_options options = { .text = e->regex.ptr,
                                               .len = e->regex.len,
                                               .anchored = true };
    const char *dollar = memchr(e->replacement.ptr, '$', e->replacement.len);
    size_t plain = dollar == NULL ? e->replacement.len : (size_t)(dollar - e->replacement.ptr);
    struct slg_regex *regex;

    data_check(slg_regex_create(&options, &regex, NULL) == SLG_OK, "regex");
    for (size_t i = 0; i < v.count; i++) {
        struct slg_label *items = naive_alloc(n, v.points[i].labels.count + 1, sizeof(*items));
        struct slg_text src = { "", 0 }, dst = slg_text_make(e->dst.ptr, e->dst.len);
        struct slg_regex_span groups[2] = { { 0 } };
        char *text;
        size_t count = 0;

        (void)slg_label_get(&v.points[i].labels, slg_text_make(e->src.ptr, e->src.len), &src);
        if (!slg_regex_find(regex, src.len == 0 ? "" : src.at, src.len, 0, groups,
                            1 + slg_regex_group_count(regex)))
            continue;
        text = naive_alloc(n, plain + groups[1].len, 1);
        memcpy(text, e->replacement.ptr, plain);
        if (dollar != NULL && groups[1].len > 0)
            memcpy(text + plain, groups[1].at, groups[1].len);
        for (size_t k = 0; k < v.points[i].labels.count; k++) {
            if (!slg_text_equal(v.points[i].labels.items[k].name, dst) &&
                v.points[i].labels.items[k].value.len > 0)
                items[count++] = v.points[i].labels.items[k];
        }
        items[count++] =
            (struct slg_label){ dst,
                                slg_text_make(text, plain + (dollar == NULL ? 0 : groups[1].len)) };
        count -= items[count - 1].value.len == 0; /* an empty value removes the label */
        naive_sort_labels(items, count);
        v.points[i].labels = (struct slg_label_set){ items, count };
    }
    slg_regex_destroy(regex);
    return v;
}

/* The grouping that Loki injects below this aggregation; NULL: none. */
static inline const struct slg_logql_grouping *
naive_injected(const struct slg_logql_vector_aggregation *a)
{
    static const struct slg_logql_grouping all = { .present = true };
    enum slg_logql_range_op op;

    if (a->op != SLG_LOGQL_VECTOR_SUM || a->inner->kind != SLG_LOGQL_EXPR_RANGE_AGGREGATION)
        return NULL;
    op = a->inner->range.op;
    if (op != SLG_LOGQL_RANGE_COUNT && op != SLG_LOGQL_RANGE_RATE && op != SLG_LOGQL_RANGE_BYTES &&
        op != SLG_LOGQL_RANGE_BYTES_RATE && op != SLG_LOGQL_RANGE_SUM)
        return NULL;
    return a->grouping.present ? &a->grouping : &all;
}

static inline struct naive_vector naive_leaf_at(struct naive *n, const struct slg_logql_expr *e,
                                                const struct slg_logql_grouping *injected,
                                                int64_t t)
{
    struct naive_leaf *leaf = n->leaves;

    while (leaf != NULL && leaf->range != &e->range)
        leaf = leaf->next;
    return naive_range(n, leaf != NULL ? leaf : naive_samples(n, &e->range, injected), t);
}

/* Recursion is bounded by the height of a parsed tree. */
static inline struct naive_vector naive_evaluate(struct naive *n, const struct slg_logql_expr *e,
                                                 int64_t t)
{
    struct naive_vector v = { naive_alloc(n, 1, sizeof(struct naive_point)), 1 };

    switch (e->kind) {
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        return naive_leaf_at(n, e, NULL, t);
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        v = e->vector.inner->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION
                ? naive_leaf_at(n, e->vector.inner, naive_injected(&e->vector), t)
                : naive_evaluate(n, e->vector.inner, t);
        return naive_vector_op(n, &e->vector, &v);
    case SLG_LOGQL_EXPR_BINARY:
        return naive_binary(n, &e->binary, t);
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        return naive_relabel(n, &e->label_replace, t);
    case SLG_LOGQL_EXPR_LITERAL:
    case SLG_LOGQL_EXPR_VECTOR:
        v.points[0].value = e->number;
        return v;
    case SLG_LOGQL_EXPR_LOG:
        break;
    }
    data_check(false, "not a metric query");
    return v;
}

#endif
