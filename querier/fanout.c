#include "querier/fanout.h"

#include "base/clock.h"
#include "cluster/placement.h"
#include "querier/fanout_private.h"

#define POLL_NS             (100 * SLG_NS_PER_MS)
/* A storer that says nothing about its sets for so long is left out: the answer is then incomplete. */
#define SETS_TIMEOUT_MS     10000
#define CANCEL_TIMEOUT_MS   1000
/* Entries may be so much older than retention before a storer has dropped their window. */
#define RETENTION_MARGIN_NS (INT64_C(2) * 86400 * SLG_NS_PER_SEC)

enum slg_status slg_fanout_create(const struct slg_fanout_options *options,
                                  struct slg_fanout **ret_fanout, struct slg_error *reterr)
{
    struct slg_fanout *fanout = calloc(1, sizeof(*fanout));

    SLG_ASSERT(options->parallel_max >= 1);
    SLG_ASSERT(options->parallel_max <= FANOUT_PARALLEL_MAX);
    if (fanout == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the query");
    fanout->options = *options;
    slg_buf_init(&fanout->request, SLG_MESSAGE_BYTES_MAX);
    fanout->arena = slg_arena_create(options->memory_bytes_max);
    fanout->calls = slg_calls_create(FANOUT_SOURCE_MAX);
    if (fanout->arena == NULL || fanout->calls == NULL) {
        slg_fanout_destroy(fanout);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the query");
    }
    *ret_fanout = fanout;
    return SLG_OK;
}

void slg_fanout_close_sources(struct slg_fanout *fanout)
{
    for (size_t i = 0; i < fanout->source_count; i++) {
        struct fanout_source *source = &fanout->sources[i];

        if (!source->open)
            continue;
        source->open = false;
        slg_buf_clear(&fanout->request);
        slg_rpc_encode_cancel(&fanout->request, source->query_id);
        /* If it cannot be told, the storer's own idle time-out ends it. */
        (void)!slg_calls_send(fanout->calls,
                              slg_peers_client(fanout->options.peers, source->node_index),
                              &fanout->request, CANCEL_TIMEOUT_MS, SIZE_MAX);
    }
    fanout->source_count = 0;
}

void slg_fanout_destroy(struct slg_fanout *fanout)
{
    if (fanout == NULL)
        return;
    if (fanout->calls != NULL)
        slg_fanout_close_sources(fanout);
    slg_calls_destroy(fanout->calls);
    slg_arena_destroy(fanout->arena);
    slg_buf_fini(&fanout->request);
    free(fanout);
}

/* ---- sending and waiting ---- */

int32_t slg_fanout_left_ms(const struct slg_fanout *fanout)
{
    int64_t left =
        (fanout->options.deadline_mono_ns - slg_clock_mono_ns(slg_clock_system())) / SLG_NS_PER_MS;

    if (left < 1)
        return 1;
    return left > INT32_MAX ? INT32_MAX : (int32_t)left;
}

enum slg_status slg_fanout_lost(const struct slg_fanout *fanout, size_t node_index,
                                enum slg_status status, struct slg_error *reterr)
{
    const char *id = slg_peers_map(fanout->options.peers)->nodes[node_index].id;

    if (status == SLG_TIMEOUT)
        return slg_errorf(reterr, SLG_TIMEOUT, "query timed out waiting for storer \"%s\"", id);
    return slg_errorf(reterr, SLG_UNAVAILABLE, "storer \"%s\" could not be reached", id);
}

enum slg_status slg_fanout_send(struct slg_fanout *fanout, size_t node_index, size_t tag,
                                struct slg_error *reterr)
{
    enum slg_status status =
        slg_calls_send(fanout->calls, slg_peers_client(fanout->options.peers, node_index),
                       &fanout->request, slg_fanout_left_ms(fanout), tag);

    if (status == SLG_OK)
        return SLG_OK;
    if (status == SLG_LIMIT)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the query names more shards than one message holds: "
                          "ask for a shorter time range");
    return slg_fanout_lost(fanout, node_index, status, reterr);
}

enum slg_status slg_fanout_wait(struct slg_fanout *fanout, struct slg_reply *ret_reply,
                                struct slg_error *reterr)
{
    for (;;) {
        int64_t now = slg_clock_mono_ns(slg_clock_system());
        enum slg_status status;

        if (now >= fanout->options.deadline_mono_ns)
            return slg_errorf(reterr, SLG_TIMEOUT, "query timed out");
        if (fanout->options.canceled != NULL &&
            fanout->options.canceled(fanout->options.canceled_arg))
            return slg_errorf(reterr, SLG_CANCELED, "the client has gone");
        status = slg_calls_wait(fanout->calls, now + POLL_NS, ret_reply);
        if (status == SLG_NOT_FOUND)
            return status;
        if (status == SLG_OK && ret_reply->tag != SIZE_MAX) /* SIZE_MAX: nobody waits for it */
            return SLG_OK;
        if (status == SLG_OK)
            slg_reply_free(ret_reply);
    }
}

/* ---- sets ---- */

void slg_fanout_mark_failed(struct slg_fanout *fanout, size_t node_index, const char *reason)
{
    fanout->node_failed[node_index] = true;
    (void)snprintf(fanout->node_reason[node_index], sizeof(fanout->node_reason[0]), "%s",
                   reason); /* a cut reason is still a reason */
}

static enum slg_status ask_sets(struct slg_fanout *fanout, int64_t from_ns, int64_t to_ns)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct slg_rpc_sets sets = { .tenant = fanout->options.tenant,
                                 .from_ns = from_ns,
                                 .to_ns = to_ns,
                                 .map_epoch = map->epoch,
                                 .want_ranges = true };
    int32_t timeout_ms = slg_fanout_left_ms(fanout);
    int32_t timeout_max_ms =
        fanout->options.sets_timeout_ms > 0 ? fanout->options.sets_timeout_ms : SETS_TIMEOUT_MS;
    size_t asked = 0;

    if (timeout_ms > timeout_max_ms)
        timeout_ms = timeout_max_ms;
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_sets(&fanout->request, &sets);
    for (size_t i = 0; i < map->node_count; i++) {
        if (map->nodes[i].state == SLG_NODE_REMOVED)
            continue;
        if (slg_calls_send(fanout->calls, slg_peers_client(fanout->options.peers, i),
                           &fanout->request, timeout_ms, i) == SLG_OK)
            asked++;
        else
            slg_fanout_mark_failed(fanout, i, "not connected");
    }
    return asked > 0 ? SLG_OK : SLG_UNAVAILABLE;
}

static enum slg_status append_shards(struct slg_fanout *fanout, size_t node_index,
                                     const struct slg_rpc_shard_set *sets, size_t count)
{
    struct fanout_shard *shards = slg_arena_grow(fanout->arena, fanout->shards, fanout->shard_count,
                                                 fanout->shard_count + count, sizeof(*shards));

    if (shards == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        shards[fanout->shard_count + i] =
            (struct fanout_shard){ .set = sets[i], .node_index = node_index };
    fanout->shards = shards;
    fanout->shard_count += count;
    return SLG_OK;
}

static enum slg_status take_sets(struct slg_fanout *fanout, const struct slg_reply *reply,
                                 struct slg_error *reterr)
{
    struct slg_error error = { 0 };
    struct slg_rpc_sets_reply sets;
    enum slg_status status = reply->status;
    char *bytes;

    if (status != SLG_OK) {
        slg_fanout_mark_failed(fanout, reply->tag,
                               status == SLG_TIMEOUT ? "did not answer in time" : "not reachable");
        return SLG_OK;
    }
    bytes = slg_arena_copy(fanout->arena, reply->bytes, reply->len);
    status = bytes == NULL ? SLG_LIMIT
                           : slg_rpc_decode_sets_reply(fanout->arena, (const uint8_t *)bytes,
                                                       reply->len, &sets, &error);
    if (status == SLG_OK)
        status = append_shards(fanout, reply->tag, sets.shards, sets.shard_count);
    if (status == SLG_OK && sets.refilling)
        slg_fanout_mark_failed(fanout, reply->tag, "is refilling its disk");
    if (status == SLG_LIMIT)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the time range covers more shards than the query's memory holds");
    if (status != SLG_OK)
        slg_fanout_mark_failed(fanout, reply->tag, error.message);
    return SLG_OK;
}

static int compare_shards(const void *left, const void *right)
{
    const struct fanout_shard *a = left, *b = right;
    int order = slg_shard_id_compare(&a->set.shard, &b->set.shard);

    if (order != 0)
        return order;
    return a->node_index < b->node_index ? -1 : a->node_index > b->node_index;
}

static void say_incomplete(struct slg_fanout *fanout, const struct slg_shard_id *first,
                           const struct slg_shard_id *last, size_t count, const char *why)
{
    time_t from = (time_t)(first->window_ns / SLG_NS_PER_SEC);
    time_t to = (time_t)((last->window_ns + last->length_ns) / SLG_NS_PER_SEC);
    char from_text[32], to_text[32];
    struct tm parts;

    (void)strftime(from_text, sizeof(from_text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&from, &parts));
    (void)strftime(to_text, sizeof(to_text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&to, &parts));
    (void)snprintf(fanout->incomplete, sizeof(fanout->incomplete),
                   "incomplete answer: %zu shard%s between %s and %s could not be read whole: %s",
                   count, count == 1 ? "" : "s", from_text, to_text, why);
}

/* Of the replicas [first, end) of one shard, one that holds the union of all. NULL: none does. */
static const struct fanout_shard *choose_replica(const struct fanout_shard *first, size_t count)
{
    const struct fanout_shard *best = NULL;
    struct slg_batch_set *sum, *own;
    bool equal = true;

    for (size_t i = 1; i < count; i++)
        equal = equal && slg_batch_set_digest_equal(&first[0].set.digest, &first[i].set.digest);
    if (equal)
        return first; /* the short cut of equal digests */
    sum = slg_batch_set_create();
    for (size_t pass = 0; sum != NULL && pass < 2 && best == NULL; pass++) {
        for (size_t i = 0; i < count && best == NULL; i++) {
            struct slg_cursor c = slg_cursor_make(first[i].set.set.at, first[i].set.set.len);

            if (slg_batch_set_decode(&c, &own) != SLG_OK)
                continue;
            if (pass == 0 && slg_batch_set_union(sum, own) != SLG_OK)
                count = 0; /* too large to compare: no replica is known to be whole */
            if (pass == 1 && slg_batch_set_contains(own, sum))
                best = &first[i];
            slg_batch_set_destroy(own);
        }
    }
    slg_batch_set_destroy(sum);
    return best;
}

/* Keep one replica per shard. */
static void choose_replicas(struct slg_fanout *fanout)
{
    const struct fanout_shard *unclear_first = NULL, *unclear_last = NULL;
    size_t kept = 0, unclear_count = 0, end;

    for (size_t at = 0; at < fanout->shard_count; at = end) {
        const struct fanout_shard *best;

        end = at + 1;
        while (end < fanout->shard_count &&
               slg_shard_id_compare(&fanout->shards[at].set.shard,
                                    &fanout->shards[end].set.shard) == 0)
            end++;
        best = choose_replica(&fanout->shards[at], end - at);
        if (best == NULL) {
            unclear_first = unclear_count == 0 ? &fanout->shards[at] : unclear_first;
            unclear_last = &fanout->shards[at];
            unclear_count++;
            best = &fanout->shards[at];
        }
        fanout->shards[kept++] = *best;
    }
    if (unclear_count > 0)
        say_incomplete(fanout, &unclear_first->set.shard, &unclear_last->set.shard, unclear_count,
                       "no reachable replica holds every batch");
    fanout->shard_count = kept;
}

/* Did so many holders of this shard fail that an accepted batch may be missing? (H1) */
static bool shard_incomplete(const struct slg_fanout *fanout, const struct slg_shard_id *shard)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct slg_placement placement = slg_placement_of(map, shard);
    size_t failed = 0;

    for (size_t i = 0; i < placement.owner_count; i++)
        failed += fanout->node_failed[placement.owners[i]];
    for (size_t i = 0; i < placement.hint_count; i++)
        failed += fanout->node_failed[placement.hints[i]];
    return failed >= slg_map_layout_at(map, shard->window_ns)->write_quorum_min;
}

enum slg_status slg_fanout_find_incomplete(struct slg_fanout *fanout, int64_t from_ns,
                                           int64_t to_ns, struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    const struct slg_shard_id *first = NULL, *last = NULL;
    struct slg_shard_id *shards;
    size_t count, incomplete_count = 0, node = 0;
    char why[160];

    while (node < map->node_count && !fanout->node_failed[node])
        node++;
    if (node == map->node_count)
        return SLG_OK;
    if (slg_map_shards_between(map, from_ns, to_ns, SLG_QUERY_SHARD_COUNT_MAX, fanout->arena,
                               &shards, &count) != SLG_OK)
        return slg_errorf(reterr, SLG_LIMIT, "the time range covers too many shards");
    for (size_t i = 0; i < count; i++) {
        if (!shard_incomplete(fanout, &shards[i]))
            continue;
        first = incomplete_count == 0 ? &shards[i] : first;
        last = &shards[i];
        incomplete_count++;
    }
    if (incomplete_count == 0)
        return SLG_OK;
    (void)snprintf(why, sizeof(why), "storer \"%s\" %s", map->nodes[node].id,
                   fanout->node_reason[node]);
    say_incomplete(fanout, first, last, incomplete_count, why);
    return SLG_OK;
}

static size_t failed_count(const struct slg_fanout *fanout)
{
    size_t count = 0;

    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        count += fanout->node_failed[i];
    return count;
}

static size_t live_count(const struct slg_map *map)
{
    size_t count = 0;

    for (size_t i = 0; i < map->node_count; i++)
        count += map->nodes[i].state != SLG_NODE_REMOVED;
    return count;
}

int64_t slg_fanout_oldest_kept(const struct slg_fanout *fanout)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    int64_t oldest = map->keep_from_ns;

    if (map->retention_ns > 0 &&
        fanout->options.now_wall_ns - map->retention_ns - RETENTION_MARGIN_NS > oldest)
        oldest = fanout->options.now_wall_ns - map->retention_ns - RETENTION_MARGIN_NS;
    return oldest;
}

enum slg_status slg_fanout_fix_sets(struct slg_fanout *fanout, int64_t from_ns, int64_t to_ns,
                                    struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    enum slg_status status = SLG_OK;
    struct slg_reply reply;

    if (from_ns < slg_fanout_oldest_kept(fanout))
        from_ns = slg_fanout_oldest_kept(fanout);
    if (to_ns <= from_ns)
        return SLG_OK;
    if (ask_sets(fanout, from_ns, to_ns) == SLG_OK) {
        while (status == SLG_OK && slg_calls_pending(fanout->calls) > 0) {
            status = slg_fanout_wait(fanout, &reply, reterr);
            if (status == SLG_OK) {
                status = take_sets(fanout, &reply, reterr);
                slg_reply_free(&reply);
            }
        }
        if (status != SLG_OK)
            return status;
    }
    if (failed_count(fanout) == live_count(map))
        return slg_errorf(reterr, SLG_UNAVAILABLE, "no storer answered: \"%s\" %s",
                          map->nodes[0].id, fanout->node_reason[0]);
    if (fanout->shard_count > 0)
        qsort(fanout->shards, fanout->shard_count, sizeof(*fanout->shards), compare_shards);
    choose_replicas(fanout);
    return slg_fanout_find_incomplete(fanout, from_ns, to_ns, reterr);
}

bool slg_fanout_shard(const struct slg_fanout *fanout, size_t index,
                      struct slg_rpc_shard_set *ret_set, size_t *ret_node_index)
{
    if (index >= fanout->shard_count)
        return false;
    *ret_set = fanout->shards[index].set;
    *ret_node_index = fanout->shards[index].node_index;
    return true;
}

enum slg_status slg_fanout_use_shards(struct slg_fanout *fanout,
                                      const struct slg_rpc_shard_set *shards, const size_t *nodes,
                                      size_t count, struct slg_error *reterr)
{
    SLG_ASSERT(fanout->shard_count == 0);
    for (size_t i = 0; i < count; i++) {
        if (append_shards(fanout, nodes[i], &shards[i], 1) != SLG_OK)
            return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its shards");
    }
    if (count > 0)
        qsort(fanout->shards, fanout->shard_count, sizeof(*fanout->shards), compare_shards);
    return SLG_OK;
}

const char *slg_fanout_incomplete(const struct slg_fanout *fanout)
{
    return fanout->incomplete[0] == '\0' ? NULL : fanout->incomplete;
}

const struct slg_scan_stats *slg_fanout_stats(const struct slg_fanout *fanout)
{
    return &fanout->stats;
}
