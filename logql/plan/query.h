/* logql/plan/query.h - the querier's half of a query: parse, split, merge what storers sent, finish.
 *
 *   slg_query_create -> for each leaf: send slg_query_leaf to the storers that hold data in slg_query_leaf_range
 *   metric query:       slg_query_feed each page body, from any number of storers, in any order -> slg_query_finish
 *   log query:          exactly one leaf; give the pages to a slg_merge (merge.h); nothing to feed or finish
 *
 * A query without leaves (`vector(1)+vector(1)`, `1+1`) is finished at once, no storer needed. Equal leaves are asked
 * once. Every entry of the data must reach exactly one remote per leaf: partials are added, not deduplicated.
 *
 * Split:   range aggregations run beside the data and come back as mergeable partials per time bucket, or as single
 *          samples (quantile_over_time, rate_counter); `sum` directly over count, rate, bytes, bytes_rate or sum (as in
 *          Loki) is part of the leaf. Everything above runs here.
 * Owner:   the query owns an arena of memory_bytes_max; results and leaf texts die with it.
 * Threads: one at a time. Pure: no I/O, no clock.
 * Errors:  INVALID, UNSUPPORTED, LIMIT carry Loki's words and are answered 400; slg_query_error_text has the words in
 *          full where they are longer than an slg_error. MALFORMED: a storer's page is broken (503, not the user's
 *          fault). */
#ifndef SLG_LOGQL_PLAN_QUERY_H
#define SLG_LOGQL_PLAN_QUERY_H

#include "proto/rpc.h"

/* Loki's bound: (end - start) / step of a range query, log queries included. */
#define SLG_QUERY_STEP_COUNT_MAX 11000

struct slg_query_params {
    struct slg_text text;
    bool
        instant; /* evaluate once, at end_ns (start_ns is ignored). A log query is then refused as Loki does */
    int64_t start_ns;
    int64_t
        end_ns; /* log: exclusive, but start_ns == end_ns is that one instant; metric: last evaluation time */
    int64_t step_ns; /* range queries: > 0, else Loki's "zero or negative query resolution" */
    enum slg_direction direction; /* log */
    uint64_t limit;               /* log: rows wanted, 0 = all */
    int64_t interval_ns;          /* log: 0 = every row */
    size_t series_max;            /* of a metric result; Loki's default is 500 */
    size_t memory_bytes_max;      /* budget of the query here */
    size_t leaf_memory_bytes_max; /* budget of each leaf on a storer */
    size_t
        leaf_series_max; /* series that one leaf may have on a storer when an aggregation stands above */
    uint64_t leaf_bytes_scan_max; /* copied into every leaf */
};

struct slg_query; /* opaque */

/* INVALID, UNSUPPORTED, LIMIT with Loki's text; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_query_create(const struct slg_query_params *params,
                                                struct slg_query **ret_query,
                                                struct slg_error *reterr);
void slg_query_destroy(struct slg_query *query); /* NULL is fine */

bool slg_query_is_log(const struct slg_query *query);
/* A log query that keeps every line of its streams: it has its rows after the first few batches. */
bool slg_query_keeps_all(const struct slg_query *query);

/* 1 for log queries. */
size_t slg_query_leaf_count(const struct slg_query *query);
/* Everything but deadline_ms (0: the caller fills it) is set; text lives as long as the query. */
void slg_query_leaf(const struct slg_query *query, size_t leaf_index,
                    struct slg_leaf_request *ret_request);
/* Data that the leaf needs: from_ns <= ts < to_ns. */
void slg_query_leaf_range(const struct slg_query *query, size_t leaf_index, int64_t *ret_from_ns,
                          int64_t *ret_to_ns);

/* Merge one page body of a metric leaf. INVALID: a pipeline error came back (text in slg_query_error_text);
 * LIMIT: memory or series; MALFORMED. After a failure only error_text and destroy make sense. */
SLG_MUST_CHECK enum slg_status slg_query_feed(struct slg_query *query, size_t leaf_index,
                                              const void *body, size_t len,
                                              struct slg_error *reterr);

enum slg_result_kind {
    SLG_RESULT_SCALAR, /* instant literal: series[0].points[0], no labels */
    SLG_RESULT_VECTOR, /* instant: one point per series */
    SLG_RESULT_MATRIX, /* range: at least one point per series, ascending */
};
struct slg_point {
    int64_t ts_ns;
    double value; /* print with slg_format_float */
};
struct slg_series {
    struct slg_label_set labels;
    const struct slg_point *points;
    size_t point_count;
};
struct slg_result {
    enum slg_result_kind kind;
    const struct slg_series
        *series; /* in Loki's order: by labels, or by value under sort and sort_desc (instant) */
    size_t series_count;
};

/* All pages of all leaves were fed: evaluate. INVALID (many-to-many matching ...), LIMIT (series, memory). The result
 * lives as long as the query. Call once; metric queries only. */
SLG_MUST_CHECK enum slg_status slg_query_finish(struct slg_query *query,
                                                const struct slg_result **ret_result,
                                                struct slg_error *reterr);

/* Memory that the result, and all else of the query, holds: at most memory_bytes_max. */
size_t slg_query_used_bytes(const struct slg_query *query);

/* The last failure in full, "" when there was none. NUL-terminated; lives as long as the query. */
const char *slg_query_error_text(const struct slg_query *query);

#endif
