/* The sets of a query: what every storer holds, S of each shard, who evaluates it, and what that one fetches first. The
 * choice itself is querier/choose.h. */
#include "querier/fanout.h"

#include "base/clock.h"
#include "querier/choose.h"
#include "querier/fanout_private.h"

/* A storer that says nothing about its sets for so long is left out: the answer is then incomplete. */
#define SETS_TIMEOUT_MS     10000
/* Once so many have answered that the answer is complete, the others get only so much longer. */
#define SETS_GRACE_NS       (300 * SLG_NS_PER_MS)
/* Those that let an earlier query wait in vain, and have said nothing since, get only so long even if the answer will be
 * incomplete without them: whoever goes on again says so at once. */
#define SETS_SILENT_NS      (1500 * SLG_NS_PER_MS)
/* Entries may be so much older than retention before a storer has dropped their window. */
#define RETENTION_MARGIN_NS (INT64_C(2) * 86400 * SLG_NS_PER_SEC)
#define ENSURE_TURNS_MAX    3 /* replicas that are tried for a shard that nobody holds whole */

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
    slg_fanout_begin_asking(fanout);
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_sets(&fanout->request, &sets);
    for (size_t i = 0; i < map->node_count; i++) {
        if (map->nodes[i].state == SLG_NODE_REMOVED)
            continue;
        if (slg_fanout_ask(fanout, i, i, timeout_ms) == SLG_OK)
            asked++;
        else
            slg_fanout_mark_failed(fanout, i, "not connected");
    }
    return asked > 0 ? SLG_OK : SLG_UNAVAILABLE;
}

static enum slg_status append_holders(struct slg_fanout *fanout, size_t node_index,
                                      const struct slg_rpc_shard_set *sets, size_t count)
{
    struct fanout_holder *holders =
        slg_arena_grow(fanout->arena, fanout->holders, fanout->holder_count,
                       fanout->holder_count + count, sizeof(*holders));

    if (holders == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        holders[fanout->holder_count + i] =
            (struct fanout_holder){ .set = sets[i], .node_index = node_index };
    fanout->holders = holders;
    fanout->holder_count += count;
    return SLG_OK;
}

static enum slg_status append_doubts(struct slg_fanout *fanout, size_t node_index,
                                     const struct slg_shard_id *shards, size_t count)
{
    struct slg_choose_doubt *doubts;

    if (count == 0)
        return SLG_OK;
    doubts = slg_arena_grow(fanout->arena, fanout->doubts, fanout->doubt_count,
                            fanout->doubt_count + count, sizeof(*doubts));
    if (doubts == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        doubts[fanout->doubt_count + i] =
            (struct slg_choose_doubt){ .shard = shards[i], .node_index = node_index };
    fanout->doubts = doubts;
    fanout->doubt_count += count;
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
        slg_fanout_mark_failed(
            fanout, reply->tag,
            slg_fanout_reason(fanout, reply->tag,
                              status == SLG_TIMEOUT ? "did not answer in time" : "not reachable"));
        return SLG_OK;
    }
    bytes = slg_arena_copy(fanout->arena, reply->bytes, reply->len);
    status = bytes == NULL ? SLG_LIMIT
                           : slg_rpc_decode_sets_reply(fanout->arena, (const uint8_t *)bytes,
                                                       reply->len, &sets, &error);
    if (status == SLG_OK)
        status = append_holders(fanout, reply->tag, sets.shards, sets.shard_count);
    if (status == SLG_OK)
        status = append_doubts(fanout, reply->tag, sets.doubtful, sets.doubtful_count);
    fanout->sets_count += status == SLG_OK;
    if (status == SLG_OK && sets.refilling)
        slg_fanout_mark_failed(fanout, reply->tag, "is refilling or its disk is a copy");
    if (status == SLG_LIMIT)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the time range covers more shards than the query's memory holds");
    if (status != SLG_OK)
        slg_fanout_mark_failed(fanout, reply->tag, error.message);
    return SLG_OK;
}

static int compare_holders(const void *left, const void *right)
{
    const struct fanout_holder *a = left, *b = right;
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

/* ---- who evaluates ---- */

/* Windows that cannot be read whole, told as one range. */
struct unclear {
    const struct slg_shard_id *first, *last;
    size_t count;
};

static void add_unclear(struct unclear *unclear, const struct slg_shard_id *shard)
{
    unclear->first = unclear->count == 0 ? shard : unclear->first;
    unclear->last = shard;
    unclear->count++;
}

/* What the storers answered about a shard, for the choice. */
static void list_holders(const struct slg_fanout *fanout, const struct fanout_shard *shard,
                         struct slg_choose_holder *holders)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct slg_placement placement = slg_placement_of(map, &shard->set.shard);

    for (size_t i = 0; i < shard->holder_count; i++) {
        const struct fanout_holder *holder = &fanout->holders[shard->first_holder + i];

        holders[i] = (struct slg_choose_holder){
            .node_index = holder->node_index,
            .digest = holder->set.digest,
            .set = holder->set.set,
            .owner = slg_placement_owns(&placement, (uint16_t)holder->node_index),
            .lost = fanout->node_lost[holder->node_index],
        };
    }
}

/* Choose among the holders of a shard that are not lost. */
static enum slg_status choose(struct slg_fanout *fanout, struct fanout_shard *shard)
{
    struct slg_choose_holder holders[SLG_MAP_NODE_COUNT_MAX];
    struct slg_choice choice;
    enum slg_status status;

    list_holders(fanout, shard, holders);
    status = slg_choose(holders, shard->holder_count, fanout->turn, fanout->arena, &choice);
    if (status != SLG_OK)
        return status;
    shard->set.digest = choice.digest;
    shard->set.set = choice.set;
    shard->node_index = holders[choice.holder].node_index;
    shard->lacks = choice.lacks;
    return SLG_OK;
}

bool slg_fanout_find_rival(struct slg_fanout *fanout, size_t shard_index, size_t *ret_node_index)
{
    const struct fanout_shard *shard = &fanout->shards[shard_index];
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct slg_choose_holder holders[SLG_MAP_NODE_COUNT_MAX];
    struct slg_choice choice;
    bool found;

    if (shard->holder_count == 0)
        return false;
    list_holders(fanout, shard, holders);
    for (size_t i = 0; i < shard->holder_count; i++)
        if (holders[i].node_index == shard->node_index)
            holders[i].lost = true; /* its own rival it cannot be */
    found =
        slg_choose(holders, shard->holder_count, fanout->turn, fanout->arena, &choice) == SLG_OK &&
        !choice.lacks;
    slg_arena_rewind(fanout->arena, mark);
    if (found)
        *ret_node_index = holders[choice.holder].node_index;
    return found;
}

bool slg_fanout_is_replaceable(const struct slg_fanout *fanout, size_t node_index)
{
    bool asked = false;

    for (size_t i = 0; i < fanout->shard_count; i++) {
        const struct fanout_shard *shard = &fanout->shards[i];
        bool other = false;

        if (shard->node_index != node_index)
            continue;
        asked = true;
        for (size_t k = 0; k < shard->holder_count && !other; k++) {
            size_t holder = fanout->holders[shard->first_holder + k].node_index;

            other = holder != node_index && !fanout->node_lost[holder];
        }
        if (!other)
            return false;
    }
    return asked;
}

/* Nobody could be brought to hold all of S: what the chosen one holds, and the truth about it. */
static void make_do(struct slg_fanout *fanout, struct fanout_shard *shard)
{
    for (size_t i = 0; i < shard->holder_count; i++) {
        const struct fanout_holder *holder = &fanout->holders[shard->first_holder + i];

        if (holder->node_index == shard->node_index)
            shard->set = holder->set;
    }
    shard->lacks = false;
}

/* Group the holders by shard and choose for each. */
static enum slg_status choose_all(struct slg_fanout *fanout, struct unclear *unclear)
{
    size_t end;

    fanout->shards =
        slg_arena_calloc(fanout->arena, fanout->holder_count + 1, sizeof(*fanout->shards));
    if (fanout->shards == NULL)
        return SLG_LIMIT;
    if (fanout->holder_count > 0)
        qsort(fanout->holders, fanout->holder_count, sizeof(*fanout->holders), compare_holders);
    for (size_t at = 0; at < fanout->holder_count; at = end) {
        struct fanout_shard *shard = &fanout->shards[fanout->shard_count++];
        enum slg_status status;

        end = at + 1;
        while (end < fanout->holder_count &&
               slg_shard_id_compare(&fanout->holders[at].set.shard,
                                    &fanout->holders[end].set.shard) == 0)
            end++;
        *shard = (struct fanout_shard){ .set = fanout->holders[at].set,
                                        .node_index = fanout->holders[at].node_index,
                                        .first_holder = at,
                                        .holder_count = end - at };
        for (size_t i = at; i < end; i++) {
            const struct slg_rpc_shard_set *held = &fanout->holders[i].set;

            if (held->ts_min_ns < shard->set.ts_min_ns)
                shard->set.ts_min_ns = held->ts_min_ns;
            if (held->ts_max_ns > shard->set.ts_max_ns)
                shard->set.ts_max_ns = held->ts_max_ns;
        }
        status = choose(fanout, shard);
        if (status == SLG_NO_MEMORY || status == SLG_LIMIT)
            return status;
        if (status != SLG_OK) /* a set that cannot be read */
            add_unclear(unclear, &shard->set.shard);
    }
    return SLG_OK;
}

/* ---- ENSURE ---- */

/* Ask a node to get what it lacks of its shards. False: it has nothing to get. */
static bool ask_to_ensure(struct slg_fanout *fanout, size_t node_index,
                          struct slg_rpc_shard_set *scratch)
{
    struct slg_rpc_ensure ensure = { .tenant = fanout->options.tenant,
                                     .map_epoch = slg_peers_map(fanout->options.peers)->epoch,
                                     .deadline_ms = slg_fanout_left_ms(fanout),
                                     .shards = scratch };

    for (size_t i = 0; i < fanout->shard_count; i++)
        if (fanout->shards[i].lacks && fanout->shards[i].node_index == node_index)
            scratch[ensure.shard_count++] = fanout->shards[i].set;
    if (ensure.shard_count == 0)
        return false;
    slg_buf_clear(&fanout->request);
    slg_rpc_encode_ensure(&fanout->request, &ensure);
    if (slg_fanout_ask(fanout, node_index, node_index, slg_fanout_left_ms(fanout)) != SLG_OK)
        fanout->node_lost[node_index] = true;
    return true;
}

/* Everybody at once gets what it lacks; who fails is lost for this query. *ret_done: nobody lacks anything. */
static enum slg_status ensure_once(struct slg_fanout *fanout, bool *ret_done,
                                   struct slg_error *reterr)
{
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct slg_rpc_shard_set *scratch =
        slg_arena_calloc(fanout->arena, fanout->shard_count + 1, sizeof(*scratch));
    enum slg_status status = SLG_OK;
    struct slg_reply reply;

    if (scratch == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its shards");
    slg_fanout_begin_asking(fanout);
    *ret_done = true;
    for (size_t i = 0; i < slg_peers_map(fanout->options.peers)->node_count; i++)
        if (ask_to_ensure(fanout, i, scratch))
            *ret_done = false;
    slg_arena_rewind(fanout->arena, mark);
    while ((status = slg_fanout_wait(fanout, &reply, reterr)) == SLG_OK) {
        struct slg_error error;

        if (reply.status != SLG_OK ||
            slg_rpc_reply_status(reply.bytes, reply.len, &error) != SLG_OK) {
            fanout->node_lost[reply.tag] = true;
        } else {
            for (size_t i = 0; i < fanout->shard_count; i++)
                if (fanout->shards[i].node_index == reply.tag)
                    fanout->shards[i].lacks = false;
        }
        slg_reply_free(&reply);
    }
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

/* Whoever could not get its part is replaced by another, a few times. */
static enum slg_status ensure_all(struct slg_fanout *fanout, struct unclear *unclear,
                                  struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    bool done = false;

    for (int turn = 0; turn < ENSURE_TURNS_MAX && !done && status == SLG_OK; turn++) {
        status = ensure_once(fanout, &done, reterr);
        for (size_t i = 0; i < fanout->shard_count && status == SLG_OK; i++) {
            struct fanout_shard *shard = &fanout->shards[i];

            if (shard->lacks && fanout->node_lost[shard->node_index] && shard->holder_count > 0 &&
                choose(fanout, shard) == SLG_LIMIT)
                status = slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its sets");
        }
    }
    for (size_t i = 0; i < fanout->shard_count && status == SLG_OK; i++) {
        if (!fanout->shards[i].lacks)
            continue;
        add_unclear(unclear, &fanout->shards[i].set.shard);
        make_do(fanout, &fanout->shards[i]);
    }
    return status;
}

bool slg_fanout_fail_over(struct slg_fanout *fanout)
{
    struct unclear unclear = { .count = 0 };
    bool lost = false;

    for (size_t i = 0; i < fanout->shard_count; i++) {
        struct fanout_shard *shard = &fanout->shards[i];

        if (!fanout->node_lost[shard->node_index])
            continue;
        lost = true;
        if (shard->holder_count == 0 || choose(fanout, shard) != SLG_OK)
            return false;
    }
    return lost && ensure_all(fanout, &unclear, NULL) == SLG_OK && unclear.count == 0;
}

/* ---- completeness ---- */

static size_t failed_count(const struct slg_fanout *fanout)
{
    size_t count = 0;

    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        count += fanout->node_failed[i];
    return count;
}

/* One reason will do: a storer that failed, or one that does not vouch for the first shard that is told. */
static void say_why(const struct slg_fanout *fanout, const struct slg_shard_id *shard, char *why,
                    size_t size)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);

    for (size_t i = 0; i < map->node_count; i++)
        if (fanout->node_failed[i]) {
            (void)snprintf(why, size, "storer \"%s\" %s", map->nodes[i].id, fanout->node_reason[i]);
            return;
        }
    for (size_t i = 0; i < fanout->doubt_count; i++)
        if (slg_shard_id_compare(&fanout->doubts[i].shard, shard) == 0)
            (void)snprintf(why, size, "storer \"%s\" has a damaged copy",
                           map->nodes[fanout->doubts[i].node_index].id);
}

enum slg_status slg_fanout_find_incomplete(struct slg_fanout *fanout, int64_t from_ns,
                                           int64_t to_ns, struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    const struct slg_shard_id *first = NULL, *last = NULL;
    struct slg_shard_id *shards;
    size_t count, incomplete_count = 0;
    char why[160];

    if (failed_count(fanout) == 0 && fanout->doubt_count == 0)
        return SLG_OK;
    if (slg_map_shards_between(map, from_ns, to_ns, SLG_QUERY_SHARD_COUNT_MAX, fanout->arena,
                               &shards, &count) != SLG_OK)
        return slg_errorf(reterr, SLG_LIMIT, "the time range covers too many shards");
    for (size_t i = 0; i < count; i++) {
        bool failed[SLG_MAP_NODE_COUNT_MAX];

        memcpy(failed, fanout->node_failed, sizeof(failed));
        slg_choose_add_doubts(fanout->doubts, fanout->doubt_count, &shards[i], failed);
        if (!slg_choose_incomplete(map, &shards[i], failed))
            continue;
        first = incomplete_count == 0 ? &shards[i] : first;
        last = &shards[i];
        incomplete_count++;
    }
    if (incomplete_count == 0)
        return SLG_OK;
    say_why(fanout, first, why, sizeof(why));
    say_incomplete(fanout, first, last, incomplete_count, why);
    return SLG_OK;
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

/* Is somebody waited for who spoke when last asked? */
static bool expects_more(const struct slg_fanout *fanout, const bool *answered)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);

    for (size_t i = 0; i < map->node_count; i++)
        if (!answered[i] && !fanout->node_failed[i] && map->nodes[i].state != SLG_NODE_REMOVED &&
            !slg_peers_silent(fanout->options.peers, i))
            return true;
    return false;
}

/* Until when the next answer is waited for. *graced_ns: the end of the grace, INT64_MAX before it has begun. */
static int64_t wait_for_sets_until(const struct slg_fanout *fanout, const bool *answered,
                                   int64_t begun_ns, int64_t *graced_ns)
{
    int64_t now_ns = slg_clock_mono_ns(slg_clock_system());
    size_t spare = slg_choose_spare_count(slg_peers_map(fanout->options.peers));

    if (*graced_ns == INT64_MAX && fanout->doubt_count == 0 &&
        failed_count(fanout) + fanout->waiting <= spare)
        *graced_ns = now_ns + SETS_GRACE_NS;
    if (expects_more(fanout, answered))
        return *graced_ns;
    return *graced_ns == INT64_MAX ? begun_ns + SETS_SILENT_NS : now_ns;
}

/* All answers; or, once enough have come, those that come within the grace. Storers that let an earlier query wait in vain
 * get no grace, and less time. */
static enum slg_status take_all_sets(struct slg_fanout *fanout, struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    int64_t begun_ns = slg_clock_mono_ns(slg_clock_system()), graced_ns = INT64_MAX;
    bool answered[SLG_MAP_NODE_COUNT_MAX] = { false };
    struct slg_reply reply;
    enum slg_status status;

    for (;;) {
        status = slg_fanout_wait_until(
            fanout, wait_for_sets_until(fanout, answered, begun_ns, &graced_ns), &reply, reterr);
        if (status != SLG_OK)
            break;
        answered[reply.tag] = true;
        if (reply.status == SLG_TIMEOUT)
            slg_peers_note_silent(fanout->options.peers, reply.tag);
        status = take_sets(fanout, &reply, reterr);
        slg_reply_free(&reply);
        if (status != SLG_OK)
            return status;
    }
    for (size_t i = 0; i < map->node_count && status == SLG_AGAIN; i++)
        if (!answered[i] && !fanout->node_failed[i] && map->nodes[i].state != SLG_NODE_REMOVED) {
            slg_fanout_mark_failed(fanout, i, "did not answer in time");
            slg_peers_note_silent(fanout->options.peers, i);
        }
    return status == SLG_NOT_FOUND || status == SLG_AGAIN ? SLG_OK : status;
}

void slg_fanout_forget_sets(struct slg_fanout *fanout)
{
    fanout->holder_count = fanout->shard_count = fanout->sets_count = 0;
    fanout->holders = NULL;
    fanout->doubts = NULL;
    fanout->doubt_count = 0;
}

enum slg_status slg_fanout_fix_sets(struct slg_fanout *fanout, int64_t from_ns, int64_t to_ns,
                                    struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    enum slg_status status = SLG_OK;
    int64_t started_ns = slg_clock_mono_ns(slg_clock_system());
    struct unclear unclear = { .count = 0 };

    slg_fanout_forget_sets(fanout); /* of an earlier fixing */
    fanout->incomplete[0] = '\0';
    memset(fanout->node_failed, 0, sizeof(fanout->node_failed));
    memset(fanout->node_lost, 0, sizeof(fanout->node_lost));
    if (from_ns < slg_fanout_oldest_kept(fanout))
        from_ns = slg_fanout_oldest_kept(fanout);
    if (to_ns <= from_ns)
        return SLG_OK;
    fanout->turn = slg_hash_xxh3_seeded(&fanout, sizeof(fanout), (uint64_t)started_ns);
    if (ask_sets(fanout, from_ns, to_ns) == SLG_OK)
        status = take_all_sets(fanout, reterr);
    if (status != SLG_OK)
        return status;
    if (fanout->sets_count == 0) /* what a refilling one holds is better than nothing */
        return slg_errorf(reterr, SLG_UNAVAILABLE, "no storer answered: \"%s\" %s",
                          map->nodes[0].id, fanout->node_reason[0]);
    if (choose_all(fanout, &unclear) != SLG_OK)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the time range covers more shards than the query's memory holds");
    status = ensure_all(fanout, &unclear, reterr);
    if (status != SLG_OK)
        return status;
    if (unclear.count > 0)
        say_incomplete(fanout, unclear.first, unclear.last, unclear.count,
                       "no reachable replica holds every batch");
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

static int compare_shards(const void *left, const void *right)
{
    const struct fanout_shard *a = left, *b = right;

    return slg_shard_id_compare(&a->set.shard, &b->set.shard);
}

enum slg_status slg_fanout_use_shards(struct slg_fanout *fanout,
                                      const struct slg_rpc_shard_set *shards, const size_t *nodes,
                                      size_t count, struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct unclear unclear = { .count = 0 };
    enum slg_status status;

    SLG_ASSERT(fanout->shard_count == 0);
    fanout->shards = slg_arena_calloc(fanout->arena, count + 1, sizeof(*fanout->shards));
    if (fanout->shards == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the query's memory does not hold its shards");
    for (size_t i = 0; i < count; i++)
        fanout->shards[i] = (struct fanout_shard){
            .set = shards[i],
            .node_index = nodes[i],
            .lacks = slg_map_layout_at(map, shards[i].shard.window_ns)->replication > 1,
        };
    fanout->shard_count = count;
    if (count > 0)
        qsort(fanout->shards, fanout->shard_count, sizeof(*fanout->shards), compare_shards);
    status = ensure_all(fanout, &unclear, reterr);
    if (status == SLG_OK && unclear.count > 0)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "no reachable replica holds every batch");
    return status;
}
