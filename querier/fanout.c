#include "querier/fanout.h"

#include "base/clock.h"
#include "querier/fanout_private.h"

#define POLL_NS         (100 * SLG_NS_PER_MS)
/* Of questions for a sign of life: later ones are no answer, a storer is silent by then. */
#define SIGN_TIMEOUT_MS 2000
/* So many storers may be given up for their silence in one query; then it waits, for then it is us who are slow. */
#define SILENT_MAX      2
/* Of one query: each but the first because storers were lost. */
#define RUNS_MAX        5
/* A storer is told a little less time than there is, so that its verdict (who is to blame?) arrives. */
#define VERDICT_SHARE   20
#define VERDICT_MS_MAX  1000

enum slg_status slg_fanout_create(const struct slg_fanout_options *options,
                                  struct slg_fanout **ret_fanout, struct slg_error *reterr)
{
    struct slg_fanout *fanout = calloc(1, sizeof(*fanout));

    SLG_ASSERT(options->parallel_max >= 1);
    SLG_ASSERT(options->parallel_max <= FANOUT_PARALLEL_MAX);
    if (fanout == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the query");
    fanout->options = *options;
    fanout->begun_mono_ns = slg_clock_mono_ns(slg_clock_system());
    slg_buf_init(&fanout->request, SLG_MESSAGE_BYTES_MAX);
    fanout->arena = slg_arena_create(options->memory_bytes_max);
    fanout->calls = slg_calls_create(FANOUT_SOURCE_MAX + SLG_MAP_NODE_COUNT_MAX);
    fanout->asks = calloc(FANOUT_SOURCE_MAX, sizeof(fanout->asks[0]));
    fanout->greetings = calloc(SLG_MAP_NODE_COUNT_MAX, sizeof(fanout->greetings[0]));
    if (fanout->arena == NULL || fanout->calls == NULL || fanout->asks == NULL ||
        fanout->greetings == NULL) {
        slg_fanout_destroy(fanout);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the query");
    }
    *ret_fanout = fanout;
    return SLG_OK;
}

void slg_fanout_destroy(struct slg_fanout *fanout)
{
    if (fanout == NULL)
        return;
    if (fanout->calls != NULL)
        slg_fanout_close_sources(fanout);
    for (size_t i = 0; i < fanout->ask_count; i++)
        slg_reply_free(&fanout->asks[i].held);
    slg_calls_destroy(fanout->calls);
    slg_arena_destroy(fanout->arena);
    slg_buf_fini(&fanout->request);
    free(fanout->greetings);
    free(fanout->asks);
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

int32_t slg_fanout_left_to_storer_ms(const struct slg_fanout *fanout)
{
    int32_t left = slg_fanout_left_ms(fanout);
    int32_t grace = left / VERDICT_SHARE > VERDICT_MS_MAX ? VERDICT_MS_MAX : left / VERDICT_SHARE;

    return left - grace;
}

enum slg_status slg_fanout_judge(const struct slg_fanout *fanout, enum slg_status status,
                                 struct slg_error *reterr)
{
    int64_t now = slg_clock_mono_ns(slg_clock_system());
    int64_t took_ns = now - fanout->begun_mono_ns;

    if (status != SLG_TIMEOUT || fanout->stats.scan_ns < (uint64_t)took_ns / 2)
        return status;
    return slg_errorf(reterr, SLG_LIMIT,
                      "the query is too much work for its time: storers worked at it for %.1f s "
                      "and were not done; ask for a shorter time range or something simpler",
                      (double)fanout->stats.scan_ns / 1e9);
}

enum slg_status slg_fanout_lost(struct slg_fanout *fanout, size_t node_index,
                                enum slg_status status, struct slg_error *reterr)
{
    const char *id = slg_peers_map(fanout->options.peers)->nodes[node_index].id;

    fanout->node_lost[node_index] = true;
    if (status == SLG_TIMEOUT)
        return slg_errorf(reterr, SLG_TIMEOUT, "query timed out waiting for storer \"%s\"", id);
    return slg_errorf(reterr, SLG_UNAVAILABLE, "storer \"%s\" %s", id,
                      slg_fanout_reason(fanout, node_index, "could not be reached"));
}

bool slg_fanout_is_own_failure(enum slg_status of_reply)
{
    switch (of_reply) {
    case SLG_UNAVAILABLE: /* behind in its map, a shard was forgotten */
    case SLG_CANCELED:    /* it stops */
    case SLG_NOT_FOUND:   /* it was restarted, or has closed what was idle */
    case SLG_AGAIN:       /* it has too much to do */
    case SLG_NO_MEMORY:
    case SLG_IO:
    case SLG_CORRUPT:
    case SLG_MALFORMED: /* it reads or writes another form than ours */
        return true;
    case SLG_OK:
    case SLG_INVALID:
    case SLG_LIMIT:
    case SLG_UNSUPPORTED:
    case SLG_TIMEOUT: /* the query's own limits: the same everywhere */
        return false;
    }
    return false;
}

enum slg_status slg_fanout_blame(const struct slg_fanout *fanout, size_t node_index,
                                 struct slg_error *reterr)
{
    const char *id = slg_peers_map(fanout->options.peers)->nodes[node_index].id;

    if (reterr != NULL) {
        (void)slg_error_context(reterr, "storer \"%s\"", id); /* the status becomes another */
        reterr->status = SLG_UNAVAILABLE;
    }
    return SLG_UNAVAILABLE;
}

bool slg_fanout_is_canceled(const struct slg_fanout *fanout)
{
    return fanout->options.canceled != NULL &&
           fanout->options.canceled(fanout->options.canceled_arg);
}

/* Which turn of asking a reply belongs to is in its tag: late replies of earlier turns are thrown away. Nobody
 * waits for those of turn 0: 0 are cancellations and questions for a sign of life, node + 1 greetings. */
static size_t tag_of(const struct slg_fanout *fanout, size_t index)
{
    return (size_t)fanout->asking << FANOUT_TAG_SHIFT | index;
}

void slg_fanout_begin_asking(struct slg_fanout *fanout)
{
    for (size_t i = 0; i < fanout->ask_count; i++)
        slg_fanout_forget(fanout, i);
    fanout->asking++;
    memset(fanout->asks, 0, fanout->ask_count * sizeof(fanout->asks[0]));
    fanout->ask_count = 0;
}

enum slg_status slg_fanout_ask(struct slg_fanout *fanout, size_t node_index, size_t tag,
                               int32_t timeout_ms)
{
    struct slg_transport_client *client = slg_peers_client(fanout->options.peers, node_index);
    uint64_t connection;
    enum slg_status status;

    SLG_ASSERT(tag < FANOUT_SOURCE_MAX);
    SLG_ASSERT(!fanout->asks[tag].waiting);
    if (client == NULL)
        return SLG_UNAVAILABLE;
    connection = slg_transport_client_next_connection(client);
    slg_fanout_greet_new(fanout, node_index, connection);
    status =
        slg_calls_send(fanout->calls, client, &fanout->request, timeout_ms, tag_of(fanout, tag));
    if (status != SLG_OK)
        return status;
    fanout->asks[tag] = (struct fanout_ask){ .waiting = true,
                                             .node_index = node_index,
                                             .asked_ns = slg_clock_mono_ns(slg_clock_system()),
                                             .connection = connection };
    if (tag >= fanout->ask_count)
        fanout->ask_count = tag + 1;
    fanout->waiting++;
    return SLG_OK;
}

void slg_fanout_forget(struct slg_fanout *fanout, size_t tag)
{
    struct fanout_ask *ask = &fanout->asks[tag];

    fanout->waiting -= ask->waiting;
    fanout->held_count -= ask->is_held;
    ask->waiting = ask->is_held = false;
    slg_reply_free(&ask->held);
}

enum slg_status slg_fanout_send(struct slg_fanout *fanout, size_t node_index, size_t tag,
                                struct slg_error *reterr)
{
    enum slg_status status = slg_fanout_ask(fanout, node_index, tag, slg_fanout_left_ms(fanout));

    if (status == SLG_OK)
        return SLG_OK;
    if (status == SLG_LIMIT)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the query names more shards than one message holds: "
                          "ask for a shorter time range");
    return slg_fanout_lost(fanout, node_index, status, reterr);
}

/* ---- who says nothing ---- */

static void ask_for_sign(struct slg_fanout *fanout, size_t node_index)
{
    struct slg_buf message;

    slg_buf_init(&message, SLG_MESSAGE_BYTES_MAX);
    slg_fanout_write_greeting(fanout, &message);
    if (slg_calls_send(fanout->calls, slg_peers_client(fanout->options.peers, node_index), &message,
                       SIGN_TIMEOUT_MS, 0) != SLG_OK)
        fanout->watches[node_index].greeted_ns = 0; /* that we cannot ask is not its fault */
    slg_buf_fini(&message);
}

static bool is_rival(const struct slg_fanout *fanout, size_t tag)
{
    return tag < fanout->source_count && fanout->sources[tag].primary != tag;
}

/* The tag of a request that will not be answered, as it seems, while others can stand in; false: there is none. */
static bool find_silent(struct slg_fanout *fanout, int64_t now_ns, size_t *ret_tag)
{
    for (size_t tag = 0; tag < fanout->ask_count; tag++) {
        const struct fanout_ask *ask = &fanout->asks[tag];
        struct slg_hedge_watch *watch = &fanout->watches[ask->node_index];
        enum slg_hedge_sign sign;

        if (!ask->waiting || fanout->silent_count >= SILENT_MAX)
            continue;
        watch->heard_ns = slg_transport_client_heard_mono_ns(
            slg_peers_client(fanout->options.peers, ask->node_index));
        sign = slg_hedge_watch_step(watch, ask->asked_ns, now_ns);
        if (sign == SLG_HEDGE_GREET)
            ask_for_sign(fanout, ask->node_index);
        if (sign == SLG_HEDGE_SILENT &&
            (is_rival(fanout, tag) || slg_fanout_is_replaceable(fanout, ask->node_index))) {
            *ret_tag = tag;
            return true;
        }
    }
    return false;
}

/* A reply as of one whose connection is lost. */
static void give_up(struct slg_fanout *fanout, size_t tag, struct slg_reply *ret_reply)
{
    size_t node_index = fanout->asks[tag].node_index;

    if (!fanout->node_lost[node_index]) {
        fanout->silent_count++;
        slg_peers_note_silent(fanout->options.peers, node_index);
        slg_fanout_count(fanout, METRIC_querier_silent_storers_total);
    }
    fanout->node_lost[node_index] = true;
    *ret_reply = (struct slg_reply){ .tag = tag, .status = SLG_UNAVAILABLE };
    slg_fanout_forget(fanout, tag);
}

/* As of one whose connection is lost, for nothing that comes by it is used. */
static void refuse(struct slg_reply *reply)
{
    slg_reply_free(reply);
    reply->status = SLG_UNAVAILABLE;
}

/* Is this a reply that is waited for, and may be used? Then its tag becomes the caller's. One that has to wait for the
 * greeting of its storer is kept. */
static bool is_awaited(struct slg_fanout *fanout, struct slg_reply *reply)
{
    size_t turn = reply->tag >> FANOUT_TAG_SHIFT;
    size_t tag = reply->tag & (((size_t)1 << FANOUT_TAG_SHIFT) - 1);
    struct fanout_ask *ask = &fanout->asks[tag];
    enum fanout_trust trust = FANOUT_USE;

    if (turn == 0 && tag > 0)
        slg_fanout_take_greeting(fanout, tag - 1, reply);
    if (turn != (size_t)fanout->asking || !ask->waiting)
        return false;
    reply->tag = tag;
    if (reply->status == SLG_OK)
        trust = reply->connection == ask->connection
                    ? slg_fanout_trust(fanout, ask->node_index, ask->connection)
                    : FANOUT_REFUSE;
    if (trust == FANOUT_HOLD) {
        ask->is_held = true;
        ask->held = *reply;
        fanout->held_count++;
        reply->bytes = NULL;
        return false;
    }
    slg_fanout_forget(fanout, tag);
    if (trust == FANOUT_REFUSE)
        refuse(reply);
    return true;
}

/* A reply that waited, and need not any more. */
static bool take_held(struct slg_fanout *fanout, struct slg_reply *ret_reply)
{
    for (size_t tag = 0; tag < fanout->ask_count && fanout->held_count > 0; tag++) {
        struct fanout_ask *ask = &fanout->asks[tag];
        enum fanout_trust trust;

        if (!ask->is_held)
            continue;
        trust = slg_fanout_trust(fanout, ask->node_index, ask->connection);
        if (trust == FANOUT_HOLD)
            continue;
        *ret_reply = ask->held;
        ask->held.bytes = NULL;
        slg_fanout_forget(fanout, tag);
        if (trust == FANOUT_REFUSE)
            refuse(ret_reply);
        return true;
    }
    return false;
}

enum slg_status slg_fanout_wait_until(struct slg_fanout *fanout, int64_t until_mono_ns,
                                      struct slg_reply *ret_reply, struct slg_error *reterr)
{
    while (fanout->waiting > 0) {
        int64_t now = slg_clock_mono_ns(slg_clock_system());
        int64_t wake = now + POLL_NS < until_mono_ns ? now + POLL_NS : until_mono_ns;
        size_t silent;
        enum slg_status status;

        if (now >= fanout->options.deadline_mono_ns)
            return slg_errorf(reterr, SLG_TIMEOUT, "query timed out");
        if (slg_fanout_is_canceled(fanout))
            return slg_errorf(reterr, SLG_CANCELED, "the client has gone");
        if (now >= until_mono_ns)
            return SLG_AGAIN;
        status = slg_calls_wait(fanout->calls, wake, ret_reply);
        if (status == SLG_NOT_FOUND)
            break; /* cannot be while one is waited for */
        if (status == SLG_OK && is_awaited(fanout, ret_reply))
            return SLG_OK;
        if (status == SLG_OK)
            slg_reply_free(ret_reply);
        if (take_held(fanout, ret_reply))
            return SLG_OK;
        now = slg_clock_mono_ns(slg_clock_system());
        if (find_silent(fanout, now, &silent)) {
            give_up(fanout, silent, ret_reply);
            return SLG_OK;
        }
    }
    return SLG_NOT_FOUND;
}

enum slg_status slg_fanout_wait(struct slg_fanout *fanout, struct slg_reply *ret_reply,
                                struct slg_error *reterr)
{
    return slg_fanout_wait_until(fanout, INT64_MAX, ret_reply, reterr);
}

/* ---- again, if storers are lost ---- */

enum slg_status slg_fanout_evaluate(struct slg_fanout *fanout, int64_t from_ns, int64_t to_ns,
                                    const struct slg_fanout_work *work, void *arg,
                                    struct slg_error *reterr)
{
    struct slg_arena_mark mark = slg_arena_mark(fanout->arena);
    struct slg_error error = { .status = SLG_OK };
    enum slg_status status = slg_fanout_fix_sets(fanout, from_ns, to_ns, &error);
    bool anew = false;

    for (int turn = 0; status == SLG_OK && turn < RUNS_MAX; turn++) {
        if (turn > 0)
            slg_fanout_count(fanout, METRIC_querier_runs_again_total);
        error = (struct slg_error){ .status = SLG_OK };
        status = work->begin(arg, &error);
        if (status != SLG_OK)
            break;
        status = work->run(arg, &error);
        if (status != SLG_UNAVAILABLE || turn + 1 == RUNS_MAX)
            break;
        if (slg_fanout_fail_over(fanout)) {
            status = SLG_OK;
        } else if (
            !anew) { /* S may name what only the lost ones have, that nobody was told of yet */
            anew = true;
            slg_arena_rewind(fanout->arena, mark);
            status = slg_fanout_fix_sets(fanout, from_ns, to_ns, &error);
        }
    }
    if (status != SLG_OK && reterr != NULL)
        *reterr = error;
    return status;
}

void slg_fanout_count(const struct slg_fanout *fanout, size_t metric)
{
    if (fanout->options.metrics != NULL)
        slg_metric_add_shared(fanout->options.metrics, metric, 0, 1);
}

const char *slg_fanout_incomplete(const struct slg_fanout *fanout)
{
    return fanout->incomplete[0] == '\0' ? NULL : fanout->incomplete;
}

const struct slg_scan_stats *slg_fanout_stats(const struct slg_fanout *fanout)
{
    return &fanout->stats;
}
