/* Sub-queries of a leaf: which storer gets which shards, their pages, and the rivals of slow ones. When a rival comes and
 * who wins is decided in querier/hedge.h. */
#include <sys/random.h>

#include "base/clock.h"
#include "querier/fanout_private.h"

#define CANCEL_TIMEOUT_MS 1000
/* Storers that one rival may lie on. */
#define RIVAL_PARTS_MAX   ((size_t)8)
/* Pages of these queries come sooner than those of any kind of leaf (1 to 4). */
#define PACE_KIND_QUICK   0
#define RETRY_NS          (100 * SLG_NS_PER_MS)

/* ---- which storer gets which shards ---- */

static bool touches(const struct slg_shard_id *shard, int64_t from_ns, int64_t to_ns)
{
    return shard->window_ns < to_ns && shard->window_ns + shard->length_ns > from_ns;
}

/* Room for shards_max shards. NULL: there are too many sources, or no memory. */
static struct fanout_source *add_source(struct slg_fanout *fanout, size_t node_index,
                                        size_t shards_max)
{
    struct fanout_source *source = &fanout->sources[fanout->source_count];

    if (fanout->source_count == FANOUT_SOURCE_MAX)
        return NULL;
    *source = (struct fanout_source){
        .node_index = node_index,
        .primary = fanout->source_count,
        .shards = slg_arena_calloc(fanout->arena, shards_max, sizeof(source->shards[0])),
    };
    if (source->shards == NULL)
        return NULL;
    fanout->source_count++;
    return source;
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
    return add_source(fanout, node_index, fanout->shard_count);
}

/* By index of the fan-out's shards: into how many parts those of one storer are cut. */
static void count_parts(const struct slg_fanout *fanout, const struct fanout_spread *spread,
                        size_t node_index, size_t *parts)
{
    size_t indexes[FANOUT_PARALLEL_MAX], counts[FANOUT_PARALLEL_MAX], count = 0;
    size_t parallel = fanout->options.parallel_max;
    uint64_t batch_counts[FANOUT_PARALLEL_MAX];

    for (size_t i = 0; i < fanout->shard_count; i++) {
        const struct fanout_shard *shard = &fanout->shards[i];

        if (shard->node_index != node_index ||
            !touches(&shard->set.shard, spread->from_ns, spread->to_ns))
            continue;
        parts[i] = 1;
        if (count < parallel) {
            indexes[count] = i;
            batch_counts[count] = shard->set.digest.count;
        }
        count++;
    }
    if (!spread->cut || count >= parallel)
        return;
    slg_cut_count(batch_counts, count, parallel, counts);
    for (size_t i = 0; i < count; i++)
        parts[indexes[i]] = counts[i];
}

/* So many sources per storer that holds shards of the leaf, as far as there are shards or parts of them. */
static enum slg_status make_sources(struct slg_fanout *fanout, const struct fanout_spread *spread,
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
                source_of(fanout, shard->node_index, turns[shard->node_index]++,
                          spread->quick ? 1 : fanout->options.parallel_max);

            if (source == NULL)
                return slg_errorf(reterr, SLG_LIMIT,
                                  "the query's memory does not hold its sub-queries");
            source->shards[source->shard_count++] = i;
            source->cut = slg_cut_part(&shard->set, spread->from_ns, spread->to_ns, parts[i], part);
        }
    }
    return SLG_OK;
}

static enum slg_status open_source(struct slg_fanout *fanout, size_t source_index,
                                   const struct slg_leaf_request *leaf, struct slg_error *reterr)
{
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct fanout_source *source = &fanout->sources[source_index];
    struct slg_rpc_shard_set *sets =
        slg_arena_calloc(fanout->arena, source->shard_count, sizeof(*sets));
    struct slg_rpc_query query = { .tenant = fanout->options.tenant,
                                   .map_epoch = slg_peers_map(fanout->options.peers)->epoch,
                                   .leaf = *leaf,
                                   .shards = sets,
                                   .shard_count = source->shard_count,
                                   .cut_from_ns = source->cut.from_ns,
                                   .cut_to_ns = source->cut.to_ns };

    if (sets == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its shards");
    if (getrandom(source->query_id, sizeof(source->query_id), 0) !=
        (ssize_t)sizeof(source->query_id))
        return slg_errorf(reterr, SLG_IO, "the system gave no random bytes");
    for (size_t i = 0; i < source->shard_count; i++)
        sets[i] = fanout->shards[source->shards[i]].set;
    memcpy(query.query_id, source->query_id, sizeof(query.query_id));
    query.leaf.deadline_ms = slg_fanout_left_to_storer_ms(fanout);
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_query(&fanout->request, &query);
    slg_arena_rewind(fanout->arena, mark);
    source->open = true;
    slg_hedge_init(&source->hedge, slg_clock_mono_ns(slg_clock_system()));
    if (fanout->options.pace != NULL)
        source->wait_ns =
            slg_hedge_pace_wait(fanout->options.pace, fanout->pace_kind, source->shard_count);
    return slg_fanout_send(fanout, source->node_index, source_index, reterr);
}

enum slg_status slg_fanout_open_sources(struct slg_fanout *fanout,
                                        const struct slg_leaf_request *leaf,
                                        const struct fanout_spread *spread,
                                        struct slg_error *reterr)
{
    enum slg_status status = make_sources(fanout, spread, reterr);
    size_t count = fanout->source_count;

    fanout->pace_kind = spread->quick ? PACE_KIND_QUICK : (unsigned)leaf->kind;
    for (size_t i = 0; i < count && status == SLG_OK; i++)
        status = open_source(fanout, i, leaf, reterr);
    return status;
}

enum slg_status slg_fanout_ask_next(struct slg_fanout *fanout, size_t source_index,
                                    struct slg_error *reterr)
{
    struct fanout_source *source = &fanout->sources[source_index];

    slg_buf_clear(&fanout->request);
    slg_rpc_encode_next(&fanout->request, source->query_id);
    return slg_fanout_send(fanout, source->node_index, source_index, reterr);
}

/* ---- their end ---- */

static void close_source(struct slg_fanout *fanout, struct fanout_source *source)
{
    slg_reply_free(&source->kept);
    if (!source->open)
        return;
    source->open = false;
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_cancel(&fanout->request, source->query_id);
    /* If it cannot be told, the storer's own idle time-out ends it. */
    (void)!slg_calls_send(fanout->calls,
                          slg_peers_client(fanout->options.peers, source->node_index),
                          &fanout->request, CANCEL_TIMEOUT_MS, 0); /* turn 0: nobody waits */
}

void slg_fanout_close_sources(struct slg_fanout *fanout)
{
    for (size_t i = 0; i < fanout->source_count; i++)
        close_source(fanout, &fanout->sources[i]);
    fanout->source_count = 0;
}

/* Nothing of this side is used: what it sent goes, what it does is canceled. */
static void drop_side(struct slg_fanout *fanout, size_t primary, enum slg_hedge_side side)
{
    for (size_t i = 0; i < fanout->source_count; i++) {
        struct fanout_source *source = &fanout->sources[i];

        if (source->primary != primary || (i == primary) != (side == SLG_HEDGE_PRIMARY))
            continue;
        close_source(fanout, source);
        slg_fanout_forget(fanout, i);
        source->dropped = true;
    }
}

/* ---- rivals ---- */

/* The shards of a primary, shared out among those who hold them as well. False: one of them nobody else holds. */
static bool make_rival(struct slg_fanout *fanout, size_t primary)
{
    const struct fanout_source *source = &fanout->sources[primary];
    size_t first = fanout->source_count;

    for (size_t i = 0; i < source->shard_count; i++) {
        size_t node_index, part = first;

        if (!slg_fanout_find_rival(fanout, source->shards[i], &node_index))
            return false;
        while (part < fanout->source_count && fanout->sources[part].node_index != node_index)
            part++;
        if (part == first + RIVAL_PARTS_MAX ||
            (part == fanout->source_count &&
             add_source(fanout, node_index, source->shard_count) == NULL))
            return false;
        fanout->sources[part].primary = primary;
        fanout->sources[part].cut = source->cut;
        fanout->sources[part].shards[fanout->sources[part].shard_count++] = source->shards[i];
    }
    return true;
}

/* What follows from an event of a side; the primary's index names the race. */
static enum slg_hedge_action tell(struct slg_fanout *fanout, size_t primary,
                                  const struct slg_hedge_event *event)
{
    return slg_hedge_step(&fanout->sources[primary].hedge, event,
                          slg_clock_mono_ns(slg_clock_system()));
}

static void start_rival(struct slg_fanout *fanout, size_t primary,
                        const struct slg_leaf_request *leaf)
{
    struct slg_hedge_event event = { .type = SLG_HEDGE_NO_RIVAL };
    size_t first = fanout->source_count;
    bool open;

    if (!slg_hedge_pace_spend(fanout->options.pace))
        return; /* perhaps later */
    open = make_rival(fanout, primary);
    if (!open) {
        fanout->source_count = first;
        slg_hedge_pace_refund(fanout->options.pace);
        (void)tell(fanout, primary, &event);
        return;
    }
    event.type = SLG_HEDGE_STARTED;
    event.parts = fanout->source_count - first;
    (void)tell(fanout, primary, &event);
    for (size_t i = first; i < fanout->source_count && open; i++)
        open = open_source(fanout, i, leaf, NULL) == SLG_OK;
    slg_fanout_count(fanout, METRIC_querier_hedges_total);
    event = (struct slg_hedge_event){ .type = SLG_HEDGE_LOST, .side = SLG_HEDGE_RIVAL };
    if (!open && tell(fanout, primary, &event) == SLG_HEDGE_DROP_RIVAL)
        drop_side(fanout, primary, SLG_HEDGE_RIVAL);
}

/* Start the rivals that are due; when to look again. */
static int64_t see_to_rivals(struct slg_fanout *fanout, const struct slg_leaf_request *leaf)
{
    int64_t now_ns = slg_clock_mono_ns(slg_clock_system()), next_ns = INT64_MAX;
    size_t count = fanout->source_count;

    for (size_t i = 0; i < count && fanout->options.pace != NULL; i++) {
        struct fanout_source *source = &fanout->sources[i];
        struct slg_hedge_event event = { .type = SLG_HEDGE_TICK, .wait_ns = source->wait_ns };
        int64_t due_ns = source->hedge.asked_ns + source->wait_ns;

        if (source->primary != i)
            continue;
        if (tell(fanout, i, &event) == SLG_HEDGE_START)
            start_rival(fanout, i, leaf);
        if (source->hedge.state != SLG_HEDGE_ALONE || source->hedge.no_rival)
            continue;
        if (due_ns <= now_ns)
            due_ns = now_ns + RETRY_NS; /* too many had rivals lately */
        next_ns = due_ns < next_ns ? due_ns : next_ns;
    }
    return next_ns;
}

/* ---- pages ---- */

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

static void note_pace(struct slg_fanout *fanout, size_t primary)
{
    const struct fanout_source *source = &fanout->sources[primary];

    if (fanout->options.pace != NULL)
        slg_hedge_pace_note(fanout->options.pace, fanout->pace_kind, source->shard_count,
                            slg_clock_mono_ns(slg_clock_system()) - source->hedge.asked_ns);
}

/* The rival has won: its pages are used, and it evaluates the shards of later leaves, too. */
static void use_rival(struct slg_fanout *fanout, size_t primary)
{
    drop_side(fanout, primary, SLG_HEDGE_PRIMARY);
    slg_fanout_count(fanout, METRIC_querier_hedges_won_total);
    for (size_t i = 0; i < fanout->source_count; i++) {
        struct fanout_source *source = &fanout->sources[i];

        if (source->primary != primary || i == primary)
            continue;
        source->used = true;
        for (size_t k = 0; k < source->shard_count; k++)
            fanout->shards[source->shards[k]].node_index = source->node_index;
    }
}

/* A side has sent a page. *ret_now: it is used now. */
static void take_page(struct slg_fanout *fanout, const struct slg_reply *reply, bool *ret_now)
{
    struct fanout_source *source = &fanout->sources[reply->tag];
    size_t primary = source->primary;
    struct slg_hedge_event event = { .type = SLG_HEDGE_PAGE,
                                     .side = primary == reply->tag ? SLG_HEDGE_PRIMARY
                                                                   : SLG_HEDGE_RIVAL };
    bool first = fanout->sources[primary].hedge.state != SLG_HEDGE_DECIDED;

    *ret_now = false;
    switch (tell(fanout, primary, &event)) {
    case SLG_HEDGE_USE_PRIMARY:
        drop_side(fanout, primary, SLG_HEDGE_RIVAL);
        *ret_now = true;
        break;
    case SLG_HEDGE_USE_RIVAL:
        use_rival(fanout, primary);
        *ret_now = true;
        break;
    case SLG_HEDGE_USE:
        *ret_now = true;
        break;
    case SLG_HEDGE_KEEP:
        source->kept = *reply;
        return;
    case SLG_HEDGE_GO_ON:
    case SLG_HEDGE_START:
    case SLG_HEDGE_DROP_PRIMARY:
    case SLG_HEDGE_DROP_RIVAL:
    case SLG_HEDGE_GIVE_UP:
        SLG_ASSERT(false); /* replies of a dropped side are not waited for */
    }
    if (first)
        note_pace(fanout, primary);
}

/* A storer was lost or failed in its own matters. OK: its rival goes on. */
static enum slg_status take_loss(struct slg_fanout *fanout, size_t source_index,
                                 enum slg_status status)
{
    size_t primary = fanout->sources[source_index].primary;
    struct slg_hedge_event event = { .type = SLG_HEDGE_LOST,
                                     .side = primary == source_index ? SLG_HEDGE_PRIMARY
                                                                     : SLG_HEDGE_RIVAL };

    if (tell(fanout, primary, &event) == SLG_HEDGE_GIVE_UP)
        return status;
    drop_side(fanout, primary, event.side);
    return SLG_OK;
}

/* What is in a reply; the source is closed when it was the last page or a failure. */
static enum slg_status read_page(struct slg_fanout *fanout, const struct slg_reply *reply,
                                 struct slg_rpc_page *ret_page, struct slg_error *reterr)
{
    struct fanout_source *source = &fanout->sources[reply->tag];
    enum slg_status status = reply->status;

    if (status != SLG_OK)
        return slg_fanout_lost(fanout, source->node_index, status, reterr);
    status = slg_rpc_decode_page(reply->bytes, reply->len, ret_page, reterr);
    source->open = status == SLG_OK && ret_page->more;
    if (!slg_fanout_is_own_failure(status))
        return status;
    if (slg_fanout_is_canceled(fanout)) /* whatever it says now, nobody is there to be answered */
        return slg_errorf(reterr, SLG_CANCELED, "the client has gone");
    fanout->node_lost[source->node_index] = true;
    return slg_fanout_blame(fanout, source->node_index, reterr);
}

/* A page that was kept until its side won. */
static bool take_kept(struct slg_fanout *fanout, struct slg_reply *ret_reply)
{
    for (size_t i = 0; i < fanout->source_count; i++) {
        struct fanout_source *source = &fanout->sources[i];

        if (!source->used || source->kept.bytes == NULL)
            continue;
        *ret_reply = source->kept;
        source->kept = (struct slg_reply){ .bytes = NULL };
        return true;
    }
    return false;
}

enum slg_status slg_fanout_next_page(struct slg_fanout *fanout, const struct slg_leaf_request *leaf,
                                     size_t *ret_source, struct slg_reply *ret_reply,
                                     struct slg_rpc_page *ret_page, struct slg_error *reterr)
{
    struct slg_rpc_page page = { 0 };
    struct slg_reply reply;
    enum slg_status status = SLG_OK;
    bool now = take_kept(fanout, &reply);

    if (now) { /* it could be read before */
        status = slg_rpc_decode_page(reply.bytes, reply.len, &page, reterr);
        SLG_ASSERT(status == SLG_OK);
    }
    while (status == SLG_OK && !now) {
        int64_t until_ns = see_to_rivals(fanout, leaf);

        status = slg_fanout_wait_until(fanout, until_ns, &reply, reterr);
        if (status == SLG_AGAIN) {
            status = SLG_OK;
            continue;
        }
        if (status != SLG_OK)
            return status;
        status = read_page(fanout, &reply, &page, reterr);
        if (status == SLG_OK) {
            take_page(fanout, &reply, &now);
            continue;
        }
        slg_reply_free(&reply);
        if (status == SLG_UNAVAILABLE)
            status = take_loss(fanout, (size_t)reply.tag, status);
    }
    if (status != SLG_OK)
        return status;
    add_stats(&fanout->stats, &page.stats);
    *ret_source = reply.tag;
    *ret_reply = reply;
    *ret_page = page;
    return SLG_OK;
}
