/* A query split over any sharding, with batches cut and ordered anyhow, answers what one process answers.
 * Oracle: for metric queries the naive evaluator (naive.h); for log queries one remote that holds everything, whose
 * rows stand in total order. Every case follows from its seed, printed when it fails.
 * Covers: logql/plan/query.c logql/plan/remote.c logql/eval/relabel.c
 * SLG_PROPERTY_CASES (default 300) and SLG_PROPERTY_SEED (default 1) may be set in the environment. */
#include "tests/property/naive.h"

#include "logql/plan/merge.h"
#include "logql/syntax/parse.h"
#include "tests/property/generate.h"

#define CASE_COUNT_DEFAULT 300
#define PAGE_COUNT_MAX     4096

struct counts {
    size_t cases, logs, metrics, failed_alike, not_empty;
};

struct a_case {
    uint64_t seed;
    struct gen gen;
    struct data_set set;
    struct data_cut cut;
    struct data_store split, whole;
    struct slg_query_params params;
    bool is_log;
};

static void open_case(struct a_case *c, uint64_t seed)
{
    struct data_cut one;

    *c = (struct a_case){ .seed = seed, .gen = { .random = seed } };
    c->gen.arena = slg_arena_create((size_t)64 << 20);
    slg_buf_init(&c->gen.text, GEN_QUERY_MAX);
    gen_data(&c->gen, &c->set);
    c->cut = gen_cut(&c->gen);
    c->is_log = gen_chance(&c->gen, 25);
    gen_query(&c->gen, c->is_log);
    gen_params(&c->gen, c->is_log, &c->params);
    /* The same batches on one node: which node is the last choice of each shard's draw. */
    one = c->cut;
    one.node_count = 1;
    one.any_order = false;
    data_store_open(&c->split, &c->set, &c->cut);
    data_store_open(&c->whole, &c->set, &one);
}

static void close_case(struct a_case *c)
{
    data_store_close(&c->split);
    data_store_close(&c->whole);
    slg_buf_fini(&c->gen.text);
    slg_arena_destroy(c->gen.arena);
}

static void complain(const struct a_case *c, const char *what)
{
    print_error("seed %llu: %s\n  %.*s\n  %s start %lld end %lld step %lld direction %d limit %llu "
                "interval %lld, %zu entries, %zu batches\n",
                (unsigned long long)c->seed, what, (int)c->params.text.len, c->params.text.at,
                c->params.instant ? "instant" : "range",
                (long long)((c->params.start_ns - GEN_BASE_NS) / 1000000000),
                (long long)((c->params.end_ns - GEN_BASE_NS) / 1000000000),
                (long long)(c->params.step_ns / 1000000000), (int)c->params.direction,
                (unsigned long long)c->params.limit,
                (long long)(c->params.interval_ns / 1000000000), c->set.entry_count,
                c->split.batch_count);
}

/* ---- log queries ---- */

struct pages {
    struct {
        uint8_t *bytes;
        size_t len;
    } items[PAGE_COUNT_MAX];
    size_t count, next;
};

static enum slg_status keep_page(void *user, const void *body, size_t len, bool more,
                                 struct slg_error *reterr)
{
    struct pages *pages = user;

    (void)more;
    (void)reterr;
    data_check(pages->count < PAGE_COUNT_MAX, "too many pages");
    pages->items[pages->count].bytes = test_block(body, len);
    pages->items[pages->count++].len = len;
    return SLG_OK;
}

static void append_labels(struct slg_buf *out, const struct slg_label_set *set)
{
    slg_label_print(out, set);
}

/* Rows as text, in the order of the merge. */
static enum slg_status run_log(const struct data_store *store, struct slg_query *query,
                               const struct slg_query_params *params, struct slg_buf *out)
{
    const size_t nodes = store->cut.node_count;
    const struct slg_merge_params merge_params = { nodes, params->direction, params->limit,
                                                   params->interval_ns, (size_t)64 << 20 };
    struct pages *pages = data_alloc(nodes, sizeof(*pages));
    struct slg_leaf_request request;
    enum slg_status status = SLG_OK;
    struct slg_merge *merge;

    slg_query_leaf(query, 0, &request);
    for (uint32_t i = 0; i < nodes && status == SLG_OK; i++)
        status = data_run(store, i, &request, keep_page, &pages[i], NULL);
    data_check(slg_merge_create(&merge_params, &merge, NULL) == SLG_OK, "merge");
    while (status == SLG_OK) {
        const struct slg_row *row;
        size_t source = 0;

        status = slg_merge_next(merge, &row, &source);
        if (status == SLG_OK) {
            slg_buf_printf(out, "%lld %.*s ", (long long)row->ts_ns, (int)row->line.len,
                           row->line.at);
            append_labels(out, &row->stream);
            append_labels(out, &row->metadata);
            append_labels(out, &row->parsed);
            slg_buf_append_byte(out, '\n');
        } else if (status == SLG_AGAIN) {
            struct pages *p = &pages[source];

            p->next++;
            status = slg_merge_feed(merge, source, p->items[p->next - 1].bytes,
                                    p->items[p->next - 1].len, p->next < p->count, NULL);
        }
    }
    slg_merge_destroy(merge);
    for (size_t i = 0; i < nodes; i++) {
        for (size_t k = 0; k < pages[i].count; k++)
            free(pages[i].items[k].bytes);
    }
    free(pages);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

static bool check_log(struct a_case *c, struct slg_query *query, struct counts *counts)
{
    struct slg_buf got, want;
    enum slg_status got_status, want_status;
    bool equal;

    slg_buf_init(&got, (size_t)64 << 20);
    slg_buf_init(&want, (size_t)64 << 20);
    got_status = run_log(&c->split, query, &c->params, &got);
    want_status = run_log(&c->whole, query, &c->params, &want);
    equal = got_status == want_status && got.len == want.len &&
            (got.len == 0 || memcmp(got.data, want.data, got.len) == 0);
    if (!equal)
        complain(c, "rows differ");
    counts->not_empty += got.len > 0;
    slg_buf_fini(&got);
    slg_buf_fini(&want);
    return equal;
}

/* ---- metric queries ---- */

struct feed {
    struct slg_query *query;
    size_t leaf_index;
};

static enum slg_status feed_page(void *user, const void *body, size_t len, bool more,
                                 struct slg_error *reterr)
{
    const struct feed *feed = user;

    (void)more;
    return slg_query_feed(feed->query, feed->leaf_index, body, len, reterr);
}

static enum slg_status run_metric(const struct a_case *c, struct slg_query *query,
                                  const struct slg_result **ret_result)
{
    enum slg_status status = SLG_OK;

    for (size_t leaf = 0; leaf < slg_query_leaf_count(query) && status == SLG_OK; leaf++) {
        struct feed feed = { query, leaf };
        struct slg_leaf_request request;

        slg_query_leaf(query, leaf, &request);
        for (uint32_t i = 0; i < c->cut.node_count && status == SLG_OK; i++)
            status = data_run(&c->split, i, &request, feed_page, &feed, NULL);
    }
    return status == SLG_OK ? slg_query_finish(query, ret_result, NULL) : status;
}

static bool same_value(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs(a - b) <= 1e-7 || fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

/* Take one point of this time, these labels and about this value out of the result. */
static bool take_point(const struct slg_result *result, size_t *taken, int64_t ts_ns,
                       const struct naive_point *point)
{
    for (size_t i = 0; i < result->series_count; i++) {
        const struct slg_series *series = &result->series[i];

        if (taken[i] < series->point_count && series->points[taken[i]].ts_ns == ts_ns &&
            naive_equal(&series->labels, &point->labels) &&
            same_value(series->points[taken[i]].value, point->value)) {
            taken[i]++;
            return true;
        }
    }
    return false;
}

static bool compare_metric(struct a_case *c, struct naive *naive, const struct slg_logql_expr *expr,
                           enum slg_status status, const struct slg_result *result,
                           struct counts *counts)
{
    size_t *taken = data_alloc(status == SLG_OK ? result->series_count : 0, sizeof(*taken));
    int64_t start = c->params.instant ? c->params.end_ns : c->params.start_ns;
    size_t points = 0, given = 0;
    bool equal = true;

    for (int64_t t = start; t <= c->params.end_ns && equal; t += c->params.step_ns) {
        struct naive_vector v = naive_evaluate(naive, expr, t);

        for (size_t i = 0; i < v.count && !naive->invalid && status == SLG_OK && equal;
             i++, points++)
            equal = take_point(result, taken, t, &v.points[i]);
        if (!equal && !naive->invalid)
            print_error("at %lld\n", (long long)((t - GEN_BASE_NS) / 1000000000));
    }
    if (naive->invalid) {
        equal = status == SLG_INVALID;
        counts->failed_alike += equal;
    } else {
        for (size_t i = 0; status == SLG_OK && i < result->series_count; i++)
            given += result->series[i].point_count;
        equal = equal && status == SLG_OK && given == points;
    }
    counts->not_empty += points > 0;
    free(taken);
    return equal;
}

static bool check_metric(struct a_case *c, struct slg_query *query, struct counts *counts)
{
    struct naive naive = { .arena = slg_arena_create((size_t)1 << 30),
                           .store = &c->whole,
                           .now_ns = c->params.end_ns };
    const struct slg_result *result = NULL;
    const struct slg_logql_expr *expr;
    enum slg_status status;
    bool equal;

    data_check(slg_logql_parse(naive.arena, c->params.text.at, c->params.text.len, &expr, NULL) ==
                   SLG_OK,
               "parse");
    status = run_metric(c, query, &result);
    equal = compare_metric(c, &naive, expr, status, result, counts);
    if (!equal) {
        complain(c, "values differ");
        print_error("  status %d, the naive evaluator %s\n", (int)status,
                    naive.invalid ? "fails" : "answers");
    }
    slg_arena_destroy(naive.arena);
    return equal;
}

static bool run_case(uint64_t seed, struct counts *counts)
{
    struct slg_error error = { 0 };
    struct slg_query *query;
    struct a_case *c = data_alloc(1, sizeof(*c));
    enum slg_status status;
    bool equal = true;

    open_case(c, seed);
    counts->cases++;
    status = slg_query_create(&c->params, &query, &error);
    if (status == SLG_OK) {
        counts->logs += c->is_log;
        counts->metrics += !c->is_log;
        equal = c->is_log ? check_log(c, query, counts) : check_metric(c, query, counts);
        slg_query_destroy(query);
    } else {
        complain(c, error.message);
        equal = false;
    }
    close_case(c);
    free(c);
    return equal;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void test_split_equals_naive(void **state)
{
    uint64_t first = from_environment("SLG_PROPERTY_SEED", 1);
    uint64_t count = from_environment("SLG_PROPERTY_CASES", CASE_COUNT_DEFAULT);
    struct counts counts = { 0 };
    size_t wrong = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + count && wrong < 5; seed++)
        wrong += !run_case(seed, &counts);
    print_message("%zu cases: %zu log, %zu metric queries, %zu failed alike, %zu not empty\n",
                  counts.cases, counts.logs, counts.metrics, counts.failed_alike, counts.not_empty);
    assert_int_equal(wrong, 0);
    if (count >= CASE_COUNT_DEFAULT)
        assert_true(counts.not_empty * 10 >= counts.cases * 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_equals_naive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
