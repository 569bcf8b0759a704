/* A query split over any sharding, with batches cut and ordered anyhow and missing on some replicas, answers what one
 * process answers that has everything in one array.
 * Oracle: the naive evaluator (naive.h). Every case follows from its seed, printed when it fails, with the smallest data
 * that still fail. Operators and circumstances are counted (cover.h): over 100,000 cases each must come 500 times, and
 * six answers of ten must not be empty.
 * Covers: logql/plan/query.c logql/plan/remote.c logql/eval/relabel.c
 * SLG_PROPERTY_CASES (default 1500) and SLG_PROPERTY_SEED (default 1) may be set in the environment; ./dev property. */
#include "tests/property/naive.h"

#include <time.h>

#include "logql/plan/merge.h"
#include "logql/syntax/parse.h"
#include "tests/property/cover.h"
#include "tests/property/disk.h"
#include "tests/property/generate.h"

#ifdef SLG_SANITIZED
#define CASE_COUNT_DEFAULT 300
#else
#define CASE_COUNT_DEFAULT 1500
#endif
#define PAGE_COUNT_MAX   8192
#define WRONG_MAX        3
/* Of 100,000 cases, each operator in so many. */
#define COVER_PER_100000 500
#define COVER_ALL_FROM   1500 /* so many cases meet everything at least once */
#define ANSWER_BYTES_MAX ((size_t)64 << 20)

struct counts {
    size_t cases, logs, metrics, not_empty;
    struct cover_counts covers;
};

struct a_case {
    uint64_t seed;
    struct gen gen;
    struct data_set set;
    struct data_cut cut;
    struct data_store split;
    bool on_disk;
    struct disk_store disk;
    struct slg_query_params params;
    bool is_log, not_empty, quiet, unparsed;
    size_t page_count, source_count;
    struct cover_set cover;
};

static void open_case(struct a_case *c, uint64_t seed, const bool *keep)
{
    size_t kept = 0;

    *c = (struct a_case){ .seed = seed, .gen = { .random = seed } };
    c->gen.arena = slg_arena_create((size_t)64 << 20);
    slg_buf_init(&c->gen.text, GEN_QUERY_MAX);
    gen_data(&c->gen, &c->set);
    c->cut = gen_cut(&c->gen);
    c->is_log = gen_chance(&c->gen, 25);
    gen_query(&c->gen, c->is_log);
    gen_params(&c->gen, c->is_log, &c->params);
    c->on_disk = c->gen.long_lines || gen_chance(&c->gen, 12);
    for (size_t i = 0; keep != NULL && i < c->set.entry_count; i++) {
        if (keep[i])
            c->set.entries[kept++] = c->set.entries[i];
    }
    c->set.entry_count = keep != NULL ? kept : c->set.entry_count;
    data_store_open(&c->split, &c->set, &c->cut);
    if (c->on_disk)
        disk_open(&c->disk, &c->split, c->cut.seed + 1);
    c->source_count = c->on_disk ? c->disk.node_count * c->disk.part_count : c->cut.node_count;
}

static void close_case(struct a_case *c)
{
    if (c->on_disk)
        disk_close(&c->disk);
    data_store_close(&c->split);
    slg_buf_fini(&c->gen.text);
    slg_arena_destroy(c->gen.arena);
}

static void complain(const struct a_case *c, const char *what)
{
    if (c->quiet)
        return;
    print_error("seed %llu: %s\n  %.*s\n  %s start %lld.%09lld end %lld step %lld direction %d "
                "limit %llu interval %lld, %zu entries, %zu batches%s\n",
                (unsigned long long)c->seed, what, (int)c->params.text.len, c->params.text.at,
                c->params.instant ? "instant" : "range",
                (long long)((c->params.start_ns - GEN_BASE_NS) / 1000000000),
                (long long)((c->params.start_ns - GEN_BASE_NS) % 1000000000),
                (long long)((c->params.end_ns - GEN_BASE_NS) / 1000000000),
                (long long)(c->params.step_ns / 1000000000), (int)c->params.direction,
                (unsigned long long)c->params.limit,
                (long long)(c->params.interval_ns / 1000000000), c->set.entry_count,
                c->split.batch_count, c->on_disk ? ", on disk" : "");
}

/* A leaf on one source. */
static enum slg_status run_leaf(struct a_case *c, size_t source,
                                const struct slg_leaf_request *request, data_take_page *take,
                                void *user)
{
    return c->on_disk ? disk_run(&c->disk, source, request, take, user, NULL)
                      : data_run(&c->split, (uint32_t)source, request, take, user, NULL);
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

static void append_row(struct slg_buf *out, const struct slg_row *row)
{
    slg_buf_printf(out, "%lld %.*s ", (long long)row->ts_ns, (int)row->line.len, row->line.at);
    slg_label_print(out, &row->stream);
    slg_label_print(out, &row->metadata);
    slg_label_print(out, &row->parsed);
    slg_buf_append_byte(out, '\n');
}

static enum slg_status merge_rows(struct a_case *c, struct pages *pages, struct slg_buf *out)
{
    const struct slg_merge_params params = { c->source_count, c->params.direction, c->params.limit,
                                             c->params.interval_ns, ANSWER_BYTES_MAX };
    enum slg_status status = SLG_OK;
    struct slg_merge *merge;
    int64_t last_ns = 0;

    data_check(slg_merge_create(&params, &merge, NULL) == SLG_OK, "merge");
    while (status == SLG_OK) {
        const struct slg_row *row;
        size_t source = 0;

        status = slg_merge_next(merge, &row, &source);
        if (status == SLG_OK) {
            append_row(out, row);
            last_ns = row->ts_ns;
        } else if (status == SLG_AGAIN) {
            struct pages *p = &pages[source];

            p->next++;
            c->page_count++;
            status = slg_merge_feed(merge, source, p->items[p->next - 1].bytes,
                                    p->items[p->next - 1].len, p->next < p->count, NULL);
        }
    }
    if (c->params.limit > 0 && slg_merge_row_count(merge) == c->params.limit) {
        bool forward = c->params.direction == SLG_FORWARD;
        size_t same = 0;

        for (size_t i = 0; i < c->set.entry_count; i++)
            same += c->set.entries[i].ts_ns == last_ns;
        cover_meet(&c->cover, true, forward ? COVER_LIMIT_FORWARD : COVER_LIMIT_BACKWARD);
        cover_meet(&c->cover, same > 1, COVER_LIMIT_TIE);
    }
    slg_merge_destroy(merge);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

/* Rows as text, in the order of the merge. */
static enum slg_status run_log(struct a_case *c, struct slg_query *query, struct slg_buf *out)
{
    struct pages *pages = data_alloc(c->source_count, sizeof(*pages));
    struct slg_leaf_request request;
    enum slg_status status = SLG_OK;

    slg_query_leaf(query, 0, &request);
    for (size_t i = 0; i < c->source_count && status == SLG_OK; i++)
        status = run_leaf(c, i, &request, keep_page, &pages[i]);
    if (status == SLG_OK)
        status = merge_rows(c, pages, out);
    for (size_t i = 0; i < c->source_count; i++) {
        for (size_t k = 0; k < pages[i].count; k++)
            free(pages[i].items[k].bytes);
    }
    free(pages);
    return status;
}

/* Where two texts begin to differ: the line of each. */
static void show_difference(const struct a_case *c, const struct slg_buf *got,
                            const struct slg_buf *want)
{
    size_t at = 0, line = 0;

    if (c->quiet)
        return;
    while (at < got->len && at < want->len && got->data[at] == want->data[at]) {
        at++;
        if (got->data[at - 1] == '\n')
            line = at;
    }
    print_error("  got  %.*s\n  want %.*s\n", (int)(got->len - line < 200 ? got->len - line : 200),
                (const char *)got->data + line,
                (int)(want->len - line < 200 ? want->len - line : 200),
                (const char *)want->data + line);
}

static bool check_log(struct a_case *c, struct slg_query *query, struct naive *naive,
                      const struct slg_logql_expr *expr)
{
    struct slg_buf got, want;
    enum slg_status status;
    bool equal;

    slg_buf_init(&got, ANSWER_BYTES_MAX);
    slg_buf_init(&want, ANSWER_BYTES_MAX);
    status = run_log(c, query, &got);
    (void)naive_log(naive, &expr->log, &c->params, &want);
    equal = status == SLG_OK && got.len == want.len &&
            (got.len == 0 || memcmp(got.data, want.data, got.len) == 0);
    if (!equal) {
        complain(c, "rows differ");
        show_difference(c, &got, &want);
    }
    c->not_empty = got.len > 0;
    cover_meet(&c->cover, c->page_count > c->source_count, COVER_PAGES);
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

static enum slg_status run_metric(struct a_case *c, struct slg_query *query,
                                  const struct slg_result **ret_result)
{
    enum slg_status status = SLG_OK;

    for (size_t leaf = 0; leaf < slg_query_leaf_count(query) && status == SLG_OK; leaf++) {
        struct feed feed = { query, leaf };
        struct slg_leaf_request request;

        slg_query_leaf(query, leaf, &request);
        for (size_t i = 0; i < c->source_count && status == SLG_OK; i++)
            status = run_leaf(c, i, &request, feed_page, &feed);
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

/* Series stand by labels; under a sort at the top of an instant query by value. */
static bool is_in_order(const struct a_case *c, const struct slg_logql_expr *expr,
                        const struct slg_result *result)
{
    bool up =
        expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION && expr->vector.op == SLG_LOGQL_VECTOR_SORT;
    bool down = expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION &&
                expr->vector.op == SLG_LOGQL_VECTOR_SORT_DESC;
    bool ordered = true;

    if (c->params.instant && !up && !down)
        return true; /* a sort below the top leaves the order of evaluation */
    for (size_t i = 1; i < result->series_count; i++) {
        double a = result->series[i - 1].points[0].value, b = result->series[i].points[0].value;

        if (!c->params.instant)
            ordered = ordered && naive_compare_labels(&result->series[i - 1].labels,
                                                      &result->series[i].labels) <= 0;
        else
            ordered = ordered && (isnan(b) || (up ? a <= b : a >= b));
    }
    return ordered;
}

static bool compare_metric(struct a_case *c, struct naive *naive, const struct slg_logql_expr *expr,
                           enum slg_status status, const struct slg_result *result)
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
        if (!equal && !naive->invalid && !c->quiet)
            print_error("at %lld\n", (long long)((t - GEN_BASE_NS) / 1000000000));
    }
    if (naive->invalid) {
        equal = status == SLG_INVALID;
        cover_meet(&c->cover, equal, COVER_REFUSED);
    } else {
        for (size_t i = 0; status == SLG_OK && i < result->series_count; i++)
            given += result->series[i].point_count;
        equal = equal && status == SLG_OK && given == points && is_in_order(c, expr, result);
    }
    c->not_empty = points > 0;
    free(taken);
    return equal;
}

static bool check_metric(struct a_case *c, struct slg_query *query, struct naive *naive,
                         const struct slg_logql_expr *expr)
{
    const struct slg_result *result = NULL;
    enum slg_status status = run_metric(c, query, &result);
    bool equal = compare_metric(c, naive, expr, status, result);

    if (!equal)
        complain(c, naive->invalid     ? "values differ: the naive evaluator refuses"
                    : status == SLG_OK ? "values differ"
                                       : "values differ: refused by the engine alone");
    return equal;
}

/* ---- a case ---- */

/* Circumstances that can be read off the data. */
static void cover_data(struct a_case *c, const struct naive *naive)
{
    const int64_t bounds[2] = { c->params.start_ns, c->params.end_ns };
    const struct data_store *s = &c->split;
    uint32_t smallest = UINT32_MAX, largest = 0;

    cover_meet(&c->cover, naive->duplicate_count > 0, COVER_DUPLICATES);
    cover_meet(&c->cover, c->cut.slot_count > 1, COVER_SLOTS);
    cover_meet(&c->cover, c->params.start_ns == c->params.end_ns && !c->params.instant,
               COVER_ONE_INSTANT);
    cover_meet(&c->cover, c->is_log && c->params.interval_ns > 0, COVER_INTERVAL);
    for (size_t i = 0; i < naive->entry_count; i++) {
        int64_t ts = naive->entries[i].ts_ns;

        cover_meet(&c->cover, i > 0 && naive->entries[i - 1].ts_ns == ts, COVER_EQUAL_STAMPS);
        cover_meet(&c->cover, ts == bounds[0] || ts == bounds[1], COVER_BOUND_ON_STAMP);
    }
    for (size_t b = 0; b < s->batch_count; b++) {
        const struct slg_batch_header *header = &s->batches[b].view->header;

        if (header->entry_count < smallest)
            smallest = header->entry_count;
        if (header->entry_count > largest)
            largest = header->entry_count;
        /* A late batch begins before the one that came before it, of the same incarnation and shard, ended. */
        cover_meet(&c->cover,
                   b > 0 && header->id.sequence > 1 &&
                       header->ts_min_ns < s->batches[b - 1].view->header.ts_max_ns,
                   COVER_LATE);
    }
    cover_meet(&c->cover, largest >= 2 * (smallest == 0 ? 1 : smallest), COVER_MIXED_BATCHES);
    cover_meet(&c->cover, c->on_disk, COVER_STORERS);
    cover_meet(&c->cover, c->on_disk && c->disk.missing, COVER_MISSING);
    cover_meet(&c->cover, c->on_disk && c->disk.outside, COVER_OUTSIDE);
    cover_meet(&c->cover, c->on_disk && c->disk.rolled, COVER_GENERATIONS);
}

static void cover_query(struct a_case *c, const struct slg_query *query,
                        const struct slg_logql_expr *expr)
{
    cover_expr(&c->cover, expr, c->params.instant || c->is_log ? 0 : c->params.step_ns);
    cover_meet(&c->cover, expr->kind == SLG_LOGQL_EXPR_LITERAL, COVER_LITERAL);
    cover_meet(&c->cover, true,
               c->is_log           ? COVER_LOG
               : c->params.instant ? COVER_INSTANT
                                   : COVER_RANGE);
    for (size_t i = 0; i < slg_query_leaf_count(query); i++) {
        int64_t from_ns, to_ns;

        slg_query_leaf_range(query, i, &from_ns, &to_ns);
        cover_meet(&c->cover,
                   slg_window_start(from_ns, c->cut.window_ns) !=
                       slg_window_start(to_ns - 1, c->cut.window_ns),
                   COVER_ACROSS);
    }
}

static bool check_case(struct a_case *c)
{
    struct naive naive = { .arena = slg_arena_create((size_t)1 << 30), .now_ns = c->params.end_ns };
    const struct slg_logql_expr *expr;
    struct slg_error error = { 0 };
    struct slg_query *query;
    bool equal = false;

    naive_load(&naive, &c->split, c->on_disk ? c->disk.in_set : NULL);
    if (slg_logql_parse(naive.arena, c->params.text.at, c->params.text.len, &expr, &error) ==
            SLG_OK &&
        slg_query_create(&c->params, &query, &error) == SLG_OK) {
        cover_data(c, &naive);
        cover_query(c, query, expr);
        equal =
            c->is_log ? check_log(c, query, &naive, expr) : check_metric(c, query, &naive, expr);
        slg_query_destroy(query);
    } else {
        complain(c, error.message);
        c->unparsed = true; /* the generator's mistake: nothing to shrink */
    }
    slg_arena_destroy(naive.arena);
    return equal;
}

/* Does the case fail with these entries alone? */
static bool still_fails(uint64_t seed, const bool *keep)
{
    struct a_case *c = data_alloc(1, sizeof(*c));
    bool equal;

    open_case(c, seed, keep);
    c->quiet = true;
    equal = check_case(c);
    close_case(c);
    free(c);
    return !equal;
}

/* Leave out halves, quarters ... of the entries while the case goes on failing; show what is left. */
static void shrink(uint64_t seed, size_t entry_count)
{
    bool *keep = data_alloc(entry_count, sizeof(*keep)),
         *less = data_alloc(entry_count, sizeof(*less));
    struct a_case *c = data_alloc(1, sizeof(*c));

    memset(keep, true, entry_count);
    for (size_t size = (entry_count + 1) / 2; size > 0; size /= 2) {
        for (size_t start = 0; start < entry_count; start += size) {
            memcpy(less, keep, entry_count);
            for (size_t i = start; i < start + size && i < entry_count; i++)
                less[i] = false;
            if (memcmp(less, keep, entry_count) != 0 && still_fails(seed, less))
                memcpy(keep, less, entry_count);
        }
    }
    open_case(c, seed, keep);
    print_error("the smallest data that fail:\n");
    for (size_t i = 0; i < c->set.entry_count && i < 20; i++) {
        const struct data_entry *e = &c->set.entries[i];

        print_error("  %lld.%09lld %s stream %u: %.*s\n",
                    (long long)((e->ts_ns - GEN_BASE_NS) / 1000000000),
                    (long long)((e->ts_ns - GEN_BASE_NS) % 1000000000),
                    e->kind == SLG_ENTRY_PUSH ? "push" : "syslog", e->stream,
                    (int)(e->line.len < 120 ? e->line.len : 120), e->line.at);
    }
    (void)check_case(c);
    close_case(c);
    free(c);
    free(keep);
    free(less);
}

static bool run_case(uint64_t seed, struct counts *counts)
{
    struct a_case *c = data_alloc(1, sizeof(*c));
    size_t entry_count;
    bool equal, shrinks;

    open_case(c, seed, NULL);
    entry_count = c->set.entry_count;
    equal = check_case(c);
    shrinks = !equal && !c->unparsed;
    counts->cases++;
    counts->logs += c->is_log;
    counts->metrics += !c->is_log;
    counts->not_empty += c->not_empty;
    cover_count(&counts->covers, &c->cover);
    close_case(c);
    free(c);
    if (shrinks)
        shrink(seed, entry_count);
    return equal;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Every feature with its count; how many came too rarely. */
static size_t show_covers(const struct counts *counts, size_t least)
{
    size_t rare = 0;

    for (size_t i = 0; i < COVER_COUNT; i++) {
        const char *family, *name = cover_name(i, &family);
        bool enough = counts->covers.cases[i] >= least;

        rare += !enough;
        if (least > 1 || !enough)
            print_message("%8zu %s%s%s\n", counts->covers.cases[i], family, name,
                          enough ? "" : "   TOO RARE");
    }
    return rare;
}

static void test_split_equals_naive(void **state)
{
    uint64_t first = from_environment("SLG_PROPERTY_SEED", 1);
    uint64_t count = from_environment("SLG_PROPERTY_CASES", CASE_COUNT_DEFAULT);
    uint64_t wrong_max = from_environment("SLG_PROPERTY_WRONG", WRONG_MAX);
    struct counts counts = { 0 };
    size_t wrong = 0, rare = 0;
    time_t start = time(NULL);
    uint64_t seed = first;

    (void)state;
    for (; seed < first + count && wrong < wrong_max; seed++) {
        wrong += !run_case(seed, &counts);
        if (counts.cases % 10000 == 0)
            print_message("%zu cases, %lld s\n", counts.cases, (long long)(time(NULL) - start));
    }
    if (count >= COVER_ALL_FROM && wrong == 0)
        rare = show_covers(&counts, count >= 20000 ? count * COVER_PER_100000 / 100000 : 1);
    print_message(
        "seeds %llu to %llu: %zu cases, %zu log, %zu metric queries, %zu not empty, %lld s\n",
        (unsigned long long)first, (unsigned long long)seed - 1, counts.cases, counts.logs,
        counts.metrics, counts.not_empty, (long long)(time(NULL) - start));
    assert_int_equal(wrong, 0);
    assert_int_equal(rare, 0);
    if (count >= 100)
        assert_true(counts.not_empty * 10 >= counts.cases * 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_equals_naive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
