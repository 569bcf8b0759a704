/* Evaluation of leaves on the chosen storers: what becomes of their pages. Sources and rivals: querier/fanout_source.c. */
#include "querier/fanout.h"

#include "querier/fanout_private.h"

/* ---- leaves whose pages may come in any order ---- */

enum slg_status slg_fanout_run_leaf(struct slg_fanout *fanout, const struct slg_leaf_request *leaf,
                                    int64_t from_ns, int64_t to_ns, slg_fanout_feed_page *feed,
                                    void *arg, struct slg_error *reterr)
{
    const struct fanout_spread spread = { .from_ns = from_ns,
                                          .to_ns = to_ns,
                                          /* Patterns that are mined apart may differ. */
                                          .cut = leaf->kind == SLG_LEAF_PARTIAL ||
                                                 leaf->kind == SLG_LEAF_SAMPLES };
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    enum slg_status status = slg_fanout_open_sources(fanout, leaf, &spread, reterr);

    while (status == SLG_OK) {
        struct slg_rpc_page page = { 0 };
        struct slg_reply reply;
        size_t source;

        status = slg_fanout_next_page(fanout, leaf, &source, &reply, &page, reterr);
        if (status != SLG_OK)
            break;
        status = feed(arg, page.body.at, page.body.len, reterr);
        if (status == SLG_OK && page.more)
            status = slg_fanout_ask_next(fanout, source, reterr);
        slg_reply_free(&reply);
    }
    slg_fanout_close_sources(fanout);
    slg_arena_rewind(fanout->arena, mark);
    return slg_fanout_judge(fanout, status == SLG_NOT_FOUND ? SLG_OK : status, reterr);
}

/* A leaf of a metric query. */
struct metric_leaf {
    struct slg_query *query;
    size_t index;
};

static enum slg_status feed_metric(void *arg, const void *body, size_t len,
                                   struct slg_error *reterr)
{
    const struct metric_leaf *leaf = arg;

    return slg_query_feed(leaf->query, leaf->index, body, len, reterr);
}

enum slg_status slg_fanout_run_metric(struct slg_fanout *fanout, struct slg_query *query,
                                      struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < slg_query_leaf_count(query) && status == SLG_OK; i++) {
        struct metric_leaf leaf = { .query = query, .index = i };
        struct slg_leaf_request request;
        int64_t from_ns, to_ns;

        slg_query_leaf(query, i, &request);
        slg_query_leaf_range(query, i, &from_ns, &to_ns);
        status = slg_fanout_run_leaf(fanout, &request, from_ns, to_ns, feed_metric, &leaf, reterr);
    }
    return status;
}

/* ---- log queries ---- */

/* A log query that runs. */
struct log_run {
    struct slg_leaf_request leaf;
    struct slg_merge *merge;
    size_t *sources;          /* of the merge: indices of fanout->sources */
    struct slg_reply *firsts; /* their first pages, until they are fed */
    size_t count;
};

/* Wait for the first page of all sources: only then it is known which are used, for a rival may have parts. */
static enum slg_status take_firsts(struct slg_fanout *fanout, struct log_run *run,
                                   struct slg_error *reterr)
{
    size_t held_bytes = 0;
    enum slg_status status;

    run->sources = slg_arena_calloc(fanout->arena, FANOUT_SOURCE_MAX, sizeof(*run->sources));
    run->firsts = slg_arena_calloc(fanout->arena, FANOUT_SOURCE_MAX, sizeof(*run->firsts));
    if (run->sources == NULL || run->firsts == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its sub-queries");
    for (;;) {
        struct slg_rpc_page page;
        size_t at = run->count;

        status = slg_fanout_next_page(fanout, &run->leaf, &run->sources[at], &run->firsts[at],
                                      &page, reterr);
        if (status != SLG_OK)
            break;
        held_bytes += run->firsts[at].len;
        run->count++;
        if (held_bytes > fanout->options.memory_bytes_max)
            return slg_errorf(reterr, SLG_LIMIT,
                              "the storers' pages are larger than the query's memory");
    }
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

static enum slg_status start_merge(struct slg_fanout *fanout, const struct slg_merge_params *params,
                                   struct log_run *run, struct slg_error *reterr)
{
    struct slg_merge_params merge_params = *params;
    enum slg_status status = take_firsts(fanout, run, reterr);

    merge_params.source_count = run->count;
    if (status == SLG_OK)
        status = slg_merge_create(&merge_params, &run->merge, reterr);
    for (size_t i = 0; i < run->count; i++) {
        struct slg_rpc_page page;

        if (status == SLG_OK)
            status = slg_rpc_decode_page(run->firsts[i].bytes, run->firsts[i].len, &page, reterr);
        if (status == SLG_OK)
            status = slg_merge_feed(run->merge, i, page.body.at, page.body.len, page.more, reterr);
        slg_reply_free(&run->firsts[i]);
    }
    return status;
}

/* The next page of a source of the merge. */
static enum slg_status feed_next(struct slg_fanout *fanout, struct log_run *run, size_t at,
                                 struct slg_error *reterr)
{
    enum slg_status status = slg_fanout_ask_next(fanout, run->sources[at], reterr);
    struct slg_rpc_page page;
    struct slg_reply reply;
    size_t source;

    if (status == SLG_OK)
        status = slg_fanout_next_page(fanout, &run->leaf, &source, &reply, &page, reterr);
    if (status == SLG_NOT_FOUND)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "a storer's answer was lost");
    if (status != SLG_OK)
        return status;
    SLG_ASSERT(source == run->sources[at]);
    status = slg_merge_feed(run->merge, at, page.body.at, page.body.len, page.more, reterr);
    slg_reply_free(&reply);
    return status;
}

static enum slg_status merge_rows(struct slg_fanout *fanout, struct log_run *run,
                                  slg_fanout_take_row *take, void *arg, struct slg_error *reterr)
{
    for (;;) {
        const struct slg_row *row;
        size_t at = 0;
        enum slg_status status = slg_merge_next(run->merge, &row, &at);

        if (status == SLG_NOT_FOUND)
            return SLG_OK;
        if (status == SLG_OK)
            status = take(arg, row);
        else if (status == SLG_AGAIN)
            status = feed_next(fanout, run, at, reterr);
        if (status != SLG_OK)
            return status;
    }
}

enum slg_status slg_fanout_run_log(struct slg_fanout *fanout, const struct slg_query *query,
                                   const struct slg_merge_params *params, slg_fanout_take_row *take,
                                   void *arg, struct slg_error *reterr)
{
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct fanout_spread spread = { .quick = slg_query_keeps_all(query) };
    struct log_run run = { .merge = NULL };
    enum slg_status status;

    slg_query_leaf(query, 0, &run.leaf);
    slg_query_leaf_range(query, 0, &spread.from_ns, &spread.to_ns);
    status = slg_fanout_open_sources(fanout, &run.leaf, &spread, reterr);
    if (status == SLG_OK)
        status = start_merge(fanout, params, &run, reterr);
    if (status == SLG_OK)
        status = merge_rows(fanout, &run, take, arg, reterr);
    slg_fanout_close_sources(fanout);
    slg_arena_rewind(fanout->arena, mark);
    slg_merge_destroy(run.merge);
    return slg_fanout_judge(fanout, status, reterr);
}
