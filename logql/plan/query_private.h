/* logql/plan/query_private.h - shared by query.c (create, feed) and query_finish.c (evaluate); nobody else. */
#ifndef SLG_LOGQL_PLAN_QUERY_PRIVATE_H
#define SLG_LOGQL_PLAN_QUERY_PRIVATE_H

#include "logql/eval/aggregate.h"
#include "logql/eval/binary.h"
#include "logql/eval/relabel.h"
#include "logql/eval/slide.h"
#include "logql/plan/leaf.h"
#include "logql/plan/query.h"

#define SLG_QUERY_ERROR_BYTES ((size_t)4096)

struct query_leaf {
    struct slg_leaf_shape shape;
    struct slg_text text;
    struct slg_windows windows;
    bool is_root;
    struct slg_series_table table;
    /* While finishing: */
    uint32_t *ids; /* label set of each series */
    struct slg_slide *slide;
    uint32_t absent_id;    /* absent_over_time: the labels that it tells */
    struct slg_vector out; /* of this evaluation */
};

/* An operator that runs here, above the leaves. Height is bounded by SLG_LOGQL_DEPTH_MAX. */
struct query_node {
    const struct slg_logql_expr *expr;
    bool is_leaf;
    size_t leaf_index;
    struct query_node *children[2];
    struct slg_aggregate *aggregate;
    struct slg_binary *binary;
    struct slg_relabel *relabel;
    struct query_node *next_relabel; /* those with something to free */
    struct slg_vector out;
};

struct slg_query {
    struct slg_query_params params;
    struct slg_arena *arena;
    struct slg_arena *page_arena; /* one page at a time */
    const struct slg_logql_expr *expr;
    struct query_leaf *leaves;
    size_t leaf_count, leaf_capacity;
    struct query_node *root; /* NULL for log queries */
    struct query_node *relabels;
    struct slg_label_pool pool;
    uint32_t empty_id; /* {} */
    bool finished;
    struct slg_result result;
    char error_text[SLG_QUERY_ERROR_BYTES];
};

/* The query is over its budget: says so in *reterr. */
enum slg_status slg_query_full(struct slg_query *query, struct slg_error *reterr);

#endif
