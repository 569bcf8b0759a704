/* Evaluation of leaves on the chosen storers. Sources, pages and order: querier/fanout.h. */
#include "querier/fanout.h"

#include <sys/random.h>

#include "querier/fanout_private.h"

static bool touches(const struct slg_shard_id *shard, int64_t from_ns, int64_t to_ns)
{
    return shard->window_ns < to_ns && shard->window_ns + shard->length_ns > from_ns;
}

/* Put shard number `turn` of a node into one of its `parallel` sources. */
static struct fanout_source *source_of(struct slg_fanout *fanout, size_t node_index, size_t turn,
                                       size_t parallel)
{
    size_t nth = turn % parallel;

    for (size_t i = 0; i < fanout->source_count; i++) {
        if (fanout->sources[i].node_index == node_index && nth-- == 0)
            return &fanout->sources[i];
    }
    if (fanout->source_count == FANOUT_SOURCE_MAX)
        return NULL;
    fanout->sources[fanout->source_count] =
        (struct fanout_source){ .node_index = node_index,
                                .shards = slg_arena_calloc(fanout->arena, fanout->shard_count,
                                                           sizeof(struct slg_rpc_shard_set)) };
    if (fanout->sources[fanout->source_count].shards == NULL)
        return NULL;
    return &fanout->sources[fanout->source_count++];
}

/* A leaf and how its work may be spread. */
struct spread {
    int64_t from_ns, to_ns; /* data that it needs */
    size_t parallel;        /* sources per storer */
    bool cut;               /* shards may be cut where there are fewer */
};

/* By index of the fan-out's shards: into how many parts those of one storer are cut. */
static void count_parts(const struct slg_fanout *fanout, const struct spread *spread,
                        size_t node_index, size_t *parts)
{
    uint64_t batch_counts[FANOUT_PARALLEL_MAX];
    size_t indexes[FANOUT_PARALLEL_MAX], counts[FANOUT_PARALLEL_MAX], count = 0;

    for (size_t i = 0; i < fanout->shard_count; i++) {
        const struct fanout_shard *shard = &fanout->shards[i];

        if (shard->node_index != node_index ||
            !touches(&shard->set.shard, spread->from_ns, spread->to_ns))
            continue;
        parts[i] = 1;
        if (count < spread->parallel) {
            indexes[count] = i;
            batch_counts[count] = shard->set.digest.count;
        }
        count++;
    }
    if (!spread->cut || count >= spread->parallel)
        return;
    slg_cut_count(batch_counts, count, spread->parallel, counts);
    for (size_t i = 0; i < count; i++)
        parts[indexes[i]] = counts[i];
}

/* `parallel` sources per storer that holds shards of the leaf, as far as there are shards or parts of them. */
static enum slg_status make_sources(struct slg_fanout *fanout, const struct spread *spread,
                                    struct slg_error *reterr)
{
    size_t turns[SLG_MAP_NODE_COUNT_MAX] = { 0 };
    size_t *parts;

    slg_fanout_begin_asking(fanout);
    fanout->source_count = 0;
    fanout->sources = slg_arena_calloc(fanout->arena, FANOUT_SOURCE_MAX, sizeof(*fanout->sources));
    parts = slg_arena_calloc(fanout->arena, fanout->shard_count + 1, sizeof(*parts));
    if (fanout->sources == NULL || parts == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its sub-queries");
    for (size_t i = 0; i < slg_peers_map(fanout->options.peers)->node_count; i++)
        count_parts(fanout, spread, i, parts);
    for (size_t i = 0; i < fanout->shard_count; i++) {
        const struct fanout_shard *shard = &fanout->shards[i];

        for (size_t part = 0; part < parts[i]; part++) {
            struct fanout_source *source =
                source_of(fanout, shard->node_index, turns[shard->node_index]++, spread->parallel);

            if (source == NULL)
                return slg_errorf(reterr, SLG_LIMIT,
                                  "the query's memory does not hold its sub-queries");
            source->shards[source->shard_count++] = shard->set;
            source->cut = slg_cut_part(&shard->set, spread->from_ns, spread->to_ns, parts[i], part);
        }
    }
    return SLG_OK;
}

static enum slg_status open_source(struct slg_fanout *fanout, size_t source_index,
                                   const struct slg_leaf_request *leaf, struct slg_error *reterr)
{
    struct fanout_source *source = &fanout->sources[source_index];
    struct slg_rpc_query query = { .tenant = fanout->options.tenant,
                                   .map_epoch = slg_peers_map(fanout->options.peers)->epoch,
                                   .leaf = *leaf,
                                   .shards = source->shards,
                                   .shard_count = source->shard_count,
                                   .cut_from_ns = source->cut.from_ns,
                                   .cut_to_ns = source->cut.to_ns };

    if (getrandom(source->query_id, sizeof(source->query_id), 0) !=
        (ssize_t)sizeof(source->query_id))
        return slg_errorf(reterr, SLG_IO, "the system gave no random bytes");
    memcpy(query.query_id, source->query_id, sizeof(query.query_id));
    query.leaf.deadline_ms = slg_fanout_left_to_storer_ms(fanout);
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_query(&fanout->request, &query);
    source->open = true;
    return slg_fanout_send(fanout, source->node_index, source_index, reterr);
}

static enum slg_status ask_next(struct slg_fanout *fanout, size_t source_index,
                                struct slg_error *reterr)
{
    struct fanout_source *source = &fanout->sources[source_index];

    slg_buf_clear(&fanout->request);
    slg_rpc_encode_next(&fanout->request, source->query_id);
    return slg_fanout_send(fanout, source->node_index, source_index, reterr);
}

static void add_stats(struct slg_scan_stats *sum, const struct slg_scan_stats *page)
{
    sum->bytes_read += page->bytes_read;
    sum->lines_read += page->lines_read;
    sum->lines_kept += page->lines_kept;
    sum->batches_read += page->batches_read;
    sum->batches_skipped += page->batches_skipped;
    sum->bytes_compressed += page->bytes_compressed;
    sum->duplicates += page->duplicates;
    sum->scan_ns += page->scan_ns;
}

/* The page of a reply; the source is closed when it was the last or a failure. */
static enum slg_status read_page(struct slg_fanout *fanout, const struct slg_reply *reply,
                                 struct slg_rpc_page *ret_page, struct slg_error *reterr)
{
    struct fanout_source *source = &fanout->sources[reply->tag];
    enum slg_status status = reply->status;

    if (status != SLG_OK)
        return slg_fanout_lost(fanout, source->node_index, status, reterr);
    status = slg_rpc_decode_page(reply->bytes, reply->len, ret_page, reterr);
    source->open = status == SLG_OK && ret_page->more;
    if (status == SLG_OK)
        add_stats(&fanout->stats, &ret_page->stats);
    if (!slg_fanout_is_own_failure(status))
        return status;
    if (slg_fanout_is_canceled(fanout)) /* whatever it says now, nobody is there to be answered */
        return slg_errorf(reterr, SLG_CANCELED, "the client has gone");
    fanout->node_lost[source->node_index] = true;
    return slg_fanout_blame(fanout, source->node_index, reterr);
}

/* ---- leaves whose pages may come in any order ---- */

enum slg_status slg_fanout_run_leaf(struct slg_fanout *fanout, const struct slg_leaf_request *leaf,
                                    int64_t from_ns, int64_t to_ns, slg_fanout_feed_page *feed,
                                    void *arg, struct slg_error *reterr)
{
    const struct spread spread = { .from_ns = from_ns,
                                   .to_ns = to_ns,
                                   .parallel = fanout->options.parallel_max,
                                   /* Patterns that are mined apart may differ. */
                                   .cut = leaf->kind == SLG_LEAF_PARTIAL ||
                                          leaf->kind == SLG_LEAF_SAMPLES };
    enum slg_status status = make_sources(fanout, &spread, reterr);

    for (size_t i = 0; i < fanout->source_count && status == SLG_OK; i++)
        status = open_source(fanout, i, leaf, reterr);
    while (status == SLG_OK) {
        struct slg_rpc_page page = { 0 };
        struct slg_reply reply;

        status = slg_fanout_wait(fanout, &reply, reterr);
        if (status == SLG_NOT_FOUND) {
            status = SLG_OK;
            break;
        }
        if (status != SLG_OK)
            break;
        status = read_page(fanout, &reply, &page, reterr);
        if (status == SLG_OK)
            status = feed(arg, page.body.at, page.body.len, reterr);
        if (status == SLG_OK && page.more)
            status = ask_next(fanout, reply.tag, reterr);
        slg_reply_free(&reply);
    }
    slg_fanout_close_sources(fanout);
    return slg_fanout_judge(fanout, status, reterr);
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

static enum slg_status take_log_page(struct slg_fanout *fanout, struct slg_merge *merge,
                                     struct slg_error *reterr)
{
    struct slg_rpc_page page = { 0 };
    struct slg_reply reply;
    enum slg_status status = slg_fanout_wait(fanout, &reply, reterr);

    if (status == SLG_NOT_FOUND)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "a storer's answer was lost");
    if (status != SLG_OK)
        return status;
    status = read_page(fanout, &reply, &page, reterr);
    if (status == SLG_OK)
        status = slg_merge_feed(merge, reply.tag, page.body.at, page.body.len, page.more, reterr);
    slg_reply_free(&reply);
    return status;
}

static enum slg_status merge_rows(struct slg_fanout *fanout, struct slg_merge *merge,
                                  slg_fanout_take_row *take, void *arg, struct slg_error *reterr)
{
    size_t waiting = fanout->source_count; /* first pages are under way from the start */

    for (;;) {
        const struct slg_row *row;
        size_t source = 0;
        enum slg_status status = SLG_OK;

        while (waiting > 0 && status == SLG_OK) {
            status = take_log_page(fanout, merge, reterr);
            waiting--;
        }
        if (status != SLG_OK)
            return status;
        status = slg_merge_next(merge, &row, &source);
        if (status == SLG_NOT_FOUND)
            return SLG_OK;
        if (status == SLG_OK) {
            status = take(arg, row);
        } else if (status == SLG_AGAIN) {
            status = ask_next(fanout, source, reterr);
            waiting = 1;
        }
        if (status != SLG_OK)
            return status;
    }
}

enum slg_status slg_fanout_run_log(struct slg_fanout *fanout, const struct slg_query *query,
                                   const struct slg_merge_params *params, slg_fanout_take_row *take,
                                   void *arg, struct slg_error *reterr)
{
    struct slg_merge_params merge_params = *params;
    struct slg_leaf_request leaf;
    struct slg_merge *merge = NULL;
    struct spread spread = { .parallel =
                                 slg_query_keeps_all(query) ? 1 : fanout->options.parallel_max };
    enum slg_status status;

    slg_query_leaf(query, 0, &leaf);
    slg_query_leaf_range(query, 0, &spread.from_ns, &spread.to_ns);
    status = make_sources(fanout, &spread, reterr);
    merge_params.source_count = fanout->source_count;
    if (status == SLG_OK && fanout->source_count > 0)
        status = slg_merge_create(&merge_params, &merge, reterr);
    for (size_t i = 0; i < fanout->source_count && status == SLG_OK; i++)
        status = open_source(fanout, i, &leaf, reterr);
    if (status == SLG_OK && merge != NULL)
        status = merge_rows(fanout, merge, take, arg, reterr);
    slg_fanout_close_sources(fanout);
    slg_merge_destroy(merge);
    return slg_fanout_judge(fanout, status, reterr);
}
