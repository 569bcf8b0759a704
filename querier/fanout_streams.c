/* Streams of all storers, merged by id. Counts of several storers are added, so each shard is asked of one: its only
 * holder, or with R > 1 the replica that was chosen for it. */
#include "querier/fanout.h"

#include "querier/fanout_private.h"

/* A storer walks its streams once for each page; the size of a message bounds the page as well. */
#define STREAMS_PER_PAGE 65536U

struct stream_list {
    struct slg_arena *arena;
    struct slg_rpc_stream *items;
    size_t count;
    size_t capacity;
};

static enum slg_status append_streams(struct stream_list *list,
                                      const struct slg_rpc_stream *streams, size_t count)
{
    if (list->count + count > list->capacity) {
        size_t wanted = list->count + count, doubled = list->capacity * 2;
        size_t grown = wanted > doubled ? wanted : doubled;
        struct slg_rpc_stream *items =
            slg_arena_grow(list->arena, list->items, list->capacity, grown, sizeof(*items));

        if (items == NULL)
            return SLG_LIMIT;
        list->items = items;
        list->capacity = grown;
    }
    for (size_t i = 0; i < count; i++) {
        struct slg_rpc_stream *item = &list->items[list->count + i];

        *item = streams[i];
        item->canonical.at =
            slg_arena_copy(list->arena, streams[i].canonical.at, streams[i].canonical.len);
        if (item->canonical.at == NULL)
            return SLG_LIMIT;
    }
    list->count += count;
    return SLG_OK;
}

static int compare_streams(const void *left, const void *right)
{
    const struct slg_rpc_stream *a = left, *b = right;

    return memcmp(a->id.bytes, b->id.bytes, sizeof(a->id.bytes));
}

static void merge_equal(struct stream_list *list)
{
    size_t kept = 0;

    if (list->count == 0)
        return;
    qsort(list->items, list->count, sizeof(*list->items), compare_streams);
    for (size_t i = 1; i < list->count; i++) {
        if (slg_stream_id_equal(&list->items[kept].id, &list->items[i].id)) {
            list->items[kept].entry_count += list->items[i].entry_count;
            list->items[kept].line_bytes += list->items[i].line_bytes;
            list->items[kept].metadata_count += list->items[i].metadata_count;
            list->items[kept].batch_count += list->items[i].batch_count;
        } else {
            list->items[++kept] = list->items[i];
        }
    }
    list->count = kept + 1;
}

static enum slg_status ask_streams(struct slg_fanout *fanout,
                                   const struct slg_fanout_streams *wanted, size_t node_index,
                                   const struct slg_stream_id *after, struct slg_error *reterr)
{
    struct slg_rpc_streams ask = { .tenant = fanout->options.tenant,
                                   .from_ns = wanted->from_ns,
                                   .to_ns = wanted->to_ns,
                                   .map_epoch = slg_peers_map(fanout->options.peers)->epoch,
                                   .selectors = wanted->selectors,
                                   .selector_count = wanted->selector_count,
                                   .after = *after,
                                   .stream_max = STREAMS_PER_PAGE,
                                   .whole_windows = wanted->whole_windows };
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct slg_shard_id *shards =
        slg_arena_calloc(fanout->arena, fanout->shard_count + 1, sizeof(*shards));

    if (shards == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its shards");
    for (size_t i = 0; i < fanout->shard_count; i++)
        if (fanout->shards[i].node_index == node_index)
            shards[ask.shard_count++] = fanout->shards[i].set.shard;
    ask.shards = shards;
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_streams(&fanout->request, &ask);
    slg_arena_rewind(fanout->arena, mark);
    return slg_fanout_send(fanout, node_index, node_index, reterr);
}

/* *ret_lost: it said nothing of use. Then others stand in, or the list is shorter and slg_fanout_incomplete tells. */
static enum slg_status take_streams(struct slg_fanout *fanout,
                                    const struct slg_fanout_streams *wanted,
                                    struct stream_list *list, const struct slg_reply *reply,
                                    bool *ret_lost, struct slg_error *reterr)
{
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct slg_error error = { 0 };
    struct slg_rpc_stream *streams;
    enum slg_status status = reply->status;
    size_t count;
    bool more;

    *ret_lost = true;
    if (status != SLG_OK) {
        slg_fanout_mark_failed(fanout, reply->tag,
                               slg_fanout_reason(fanout, reply->tag, "not reachable"));
        return SLG_OK;
    }
    status = slg_rpc_decode_streams_reply(fanout->arena, reply->bytes, reply->len, &streams, &count,
                                          &more, &error);
    if (status == SLG_INVALID || status == SLG_LIMIT || status == SLG_UNSUPPORTED) {
        if (reterr != NULL)
            *reterr = error;
        return status;
    }
    if (status != SLG_OK) {
        slg_fanout_mark_failed(fanout, reply->tag, error.message);
        return SLG_OK;
    }
    *ret_lost = false;
    status = append_streams(list, streams, count);
    if (status == SLG_LIMIT)
        (void)slg_errorf(reterr, SLG_LIMIT, "more streams match than the query's memory holds");
    if (status == SLG_OK && more && count > 0)
        status = ask_streams(fanout, wanted, reply->tag, &streams[count - 1].id, reterr);
    slg_arena_rewind(fanout->arena, mark);
    return status;
}

/* The part of the wanted range that can hold entries: a client may ask for the whole of time. */
static void bound_range(const struct slg_fanout *fanout, const struct slg_fanout_streams *wanted,
                        int64_t *ret_from_ns, int64_t *ret_to_ns)
{
    int64_t oldest_ns = slg_fanout_oldest_kept(fanout);
    int64_t now_ns = fanout->options.now_wall_ns + SLG_FUTURE_NS_MAX;

    *ret_from_ns = wanted->from_ns > oldest_ns ? wanted->from_ns : oldest_ns;
    *ret_to_ns = wanted->to_ns < now_ns ? wanted->to_ns : now_ns;
}

/* Without retention even that may be too long to tell which shards. */
static void say_incomplete(struct slg_fanout *fanout, const struct slg_fanout_streams *wanted)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    int64_t from_ns, to_ns;
    size_t node = 0;

    bound_range(fanout, wanted, &from_ns, &to_ns);
    if (to_ns <= from_ns ||
        slg_fanout_find_incomplete(fanout, from_ns, to_ns, /* reterr= */ NULL) == SLG_OK)
        return;
    while (node + 1 < map->node_count && !fanout->node_failed[node])
        node++;
    (void)snprintf(fanout->incomplete, sizeof(fanout->incomplete),
                   "incomplete answer: storer \"%s\" %s", map->nodes[node].id,
                   fanout->node_reason[node]);
}

static bool is_replicated(const struct slg_map *map)
{
    for (size_t i = 0; i < map->layout_count; i++)
        if (map->layouts[i].replication > 1)
            return true;
    return false;
}

/* Was this node chosen for any shard? */
static bool is_chosen(const struct slg_fanout *fanout, size_t node_index)
{
    for (size_t i = 0; i < fanout->shard_count; i++)
        if (fanout->shards[i].node_index == node_index)
            return true;
    return false;
}

/* One list of streams: what is asked for, what has come. */
struct listing {
    struct slg_fanout *fanout;
    const struct slg_fanout_streams *wanted;
    struct stream_list list;
    size_t asked, lost; /* storers */
};

static enum slg_status begin_listing(void *arg, struct slg_error *reterr)
{
    struct listing *listing = arg;

    (void)reterr; /* a list with a warning is of use */
    listing->list.count = 0;
    return SLG_OK;
}

static enum slg_status ask_all(struct listing *listing)
{
    struct slg_fanout *fanout = listing->fanout;
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct slg_stream_id none = { { 0 } };

    listing->asked = listing->lost = 0;
    slg_fanout_begin_asking(fanout);
    for (size_t i = 0; i < map->node_count; i++) {
        enum slg_status status;

        if (map->nodes[i].state == SLG_NODE_REMOVED ||
            (is_replicated(map) && !is_chosen(fanout, i)))
            continue;
        listing->asked++;
        status = ask_streams(fanout, listing->wanted, i, &none, NULL);
        if (status == SLG_LIMIT)
            return status;
        if (status != SLG_OK) {
            slg_fanout_mark_failed(fanout, i, "not connected");
            listing->lost++;
        }
    }
    return SLG_OK;
}

/* Ask everybody who has to be asked, once. With copies UNAVAILABLE when one was lost; else that only makes the list
 * shorter. */
static enum slg_status run_listing(void *arg, struct slg_error *reterr)
{
    struct listing *listing = arg;
    struct slg_fanout *fanout = listing->fanout;
    enum slg_status status = ask_all(listing);
    struct slg_reply reply;

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the query's memory does not hold its shards");
    while ((status = slg_fanout_wait(fanout, &reply, reterr)) == SLG_OK) {
        bool lost;

        status = take_streams(fanout, listing->wanted, &listing->list, &reply, &lost, reterr);
        fanout->node_lost[reply.tag] = fanout->node_lost[reply.tag] || lost;
        listing->lost += lost;
        slg_reply_free(&reply);
        if (status != SLG_OK)
            return status;
    }
    if (status != SLG_NOT_FOUND)
        return status;
    if (listing->asked > 0 && listing->lost == listing->asked)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "no storer answered: \"%s\" %s",
                          slg_peers_map(fanout->options.peers)->nodes[0].id,
                          fanout->node_reason[0]);
    if (listing->lost > 0 && is_replicated(slg_peers_map(fanout->options.peers)))
        return slg_errorf(reterr, SLG_UNAVAILABLE, "a storer was lost on the way");
    return SLG_OK;
}

enum slg_status slg_fanout_list_streams(struct slg_fanout *fanout,
                                        const struct slg_fanout_streams *wanted,
                                        struct slg_arena *arena,
                                        struct slg_rpc_stream **ret_streams, size_t *ret_count,
                                        struct slg_error *reterr)
{
    static const struct slg_fanout_work work = { begin_listing, run_listing };
    struct listing listing = { .fanout = fanout, .wanted = wanted, .list = { .arena = arena } };
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    int64_t from_ns, to_ns;
    enum slg_status status;

    bound_range(fanout, wanted, &from_ns, &to_ns);
    if (is_replicated(slg_peers_map(fanout->options.peers))) {
        /* one replica of each shard, that holds all of it */
        status = slg_fanout_evaluate(fanout, from_ns, to_ns, &work, &listing, reterr);
    } else {
        status = run_listing(&listing, reterr);
        if (status == SLG_OK && listing.lost > 0) /* with copies the sets have told already */
            say_incomplete(fanout, wanted);
    }
    slg_fanout_forget_sets(fanout); /* they were for this list: there may be thousands of lists */
    slg_arena_rewind(fanout->arena, mark);
    if (status != SLG_OK)
        return status;
    merge_equal(&listing.list);
    *ret_streams = listing.list.items;
    *ret_count = listing.list.count;
    return SLG_OK;
}
