/* Concurrency
 *   state                        owner           seen by others
 *   nodes, list, totals          forward thread  not at all
 *   pool, reserved, events       base/queue      through the queue
 *   map_next                     any thread      exchanged: whoever takes a map out owns its reference
 *   batch_count, ready_count,    forward thread  atomics, for status and batchers
 *   read_only_count              likewise
 *     incarnation_serial
 *   a request's answer fields    library thread until its event is queued, then the forward thread */
#include "ingester/forward.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/queue.h"
#include "cluster/placement.h"

#define HELLO_BACKOFF_NS_MIN (100 * SLG_NS_PER_MS)
#define HELLO_BACKOFF_NS_MAX (5 * SLG_NS_PER_SEC)
#define SEND_RETRY_NS        (5 * SLG_NS_PER_MS)
#define SILENCE_NS           (2 * SLG_NS_PER_SEC) /* requests out, no answer: unreachable until one comes */
#define POOL_SHORT_PART                                                                            \
    4 /* accepted batches are let go when less than this part of the pool is free */
#define EVENTS_AT_ONCE       ((size_t)64)
/* Nodes ever seen by one ingester start; removed ones keep their index, so that replicas stay valid. */
#define NODE_COUNT_MAX       (SLG_MAP_NODE_COUNT_MAX * 2)
#define STORE_OVERHEAD_BYTES ((size_t)64)

enum event_type { EVENT_SUBMIT = 1, EVENT_ANSWER, EVENT_MAP, EVENT_STOP };

enum node_state {
    NODE_GREET,   /* HELLO is to be sent at greet_mono_ns */
    NODE_GREETED, /* HELLO is out */
    NODE_READY,
};

struct request {
    int event; /* EVENT_ANSWER; first */
    struct slg_forward *forward;
    struct node *node;
    struct slg_forward_batch *batch; /* NULL: a HELLO */
    bool busy;
    enum slg_status status; /* of the transport or of decoding */
    enum slg_store_result result;
    uint64_t map_epoch;
    struct slg_error error;
};

struct node {
    char *id;
    char *address;
    struct slg_transport_client *client;
    enum node_state state;
    int64_t greet_mono_ns;
    int64_t backoff_ns;
    bool complained;       /* since it was last ready */
    bool read_only;        /* its last answer */
    bool reachable;        /* as the batches were told */
    int64_t heard_mono_ns; /* its last answer, or when requests began to be out */
    size_t request_count;
    struct request *requests; /* [in_flight_per_storer + 1]: the last one is for HELLO */
};

struct slg_forward {
    struct slg_forward_options options;
    struct slg_forward_batch *objects; /* all of them: pool, then reserved */
    size_t object_count;
    struct slg_queue *warm; /* of the pool's objects, those with a buffer: taken first */
    struct slg_queue *pool;
    struct slg_queue *reserved;
    struct slg_queue *events;
    int map_event, stop_event;
    _Atomic(struct slg_map *) map_next;
    _Atomic size_t batch_count;
    _Atomic size_t ready_count;
    _Atomic size_t read_only_count;
    _Atomic uint64_t incarnation_serial;
    _Atomic int64_t oldest_mono_ns; /* when the oldest unsettled batch came; INT64_MAX: none */
    _Atomic bool refusing;

    pthread_t thread;
    bool started;
    struct slg_map *map;
    struct node *nodes[NODE_COUNT_MAX];
    size_t node_count;
    uint16_t node_of_map[SLG_MAP_NODE_COUNT_MAX]; /* map index -> nodes index */
    struct slg_forward_batch *first, *last;       /* by submission */
    struct slg_account_cell *cell;
    struct slg_metric_set *metrics;
    struct slg_buf scratch;
    _Atomic int64_t stop_mono_ns;
    bool stopping;
    bool send_failed; /* the transport had no room: try again soon */
    uint64_t left_count;
};

static int64_t now_mono(const struct slg_forward *f)
{
    return slg_clock_mono_ns(f->options.clock);
}

/* ---- nodes ---- */

static void destroy_node(struct node *node)
{
    if (node == NULL)
        return;
    slg_transport_client_stop(node->client);
    free(node->requests);
    free(node->address);
    free(node->id);
    free(node);
}

static enum slg_status make_node(struct slg_forward *f, const struct slg_map_node *from,
                                 struct node **ret_node, struct slg_error *reterr)
{
    struct slg_transport_client_options options = {
        .url = from->address,
        .tls = f->options.tls,
        .in_flight_max = f->options.in_flight_per_storer + 1,
    };
    struct node *node = calloc(1, sizeof(*node));
    enum slg_status status;

    if (node == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for storer \"%s\"", from->id);
    node->id = strdup(from->id);
    node->address = strdup(from->address);
    node->requests = calloc(options.in_flight_max, sizeof(*node->requests));
    if (node->id == NULL || node->address == NULL || node->requests == NULL) {
        destroy_node(node);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for storer \"%s\"", from->id);
    }
    for (size_t i = 0; i < options.in_flight_max; i++) {
        node->requests[i].event = EVENT_ANSWER;
        node->requests[i].forward = f;
        node->requests[i].node = node;
    }
    node->state = NODE_GREET;
    node->backoff_ns = HELLO_BACKOFF_NS_MIN;
    node->reachable = true;
    node->heard_mono_ns = now_mono(f);
    status = slg_transport_client_start(&options, &node->client, reterr);
    if (status != SLG_OK) {
        destroy_node(node);
        return status;
    }
    *ret_node = node;
    return SLG_OK;
}

/* Index of this node of the map among ours, made when it is new or has moved. */
static enum slg_status find_node(struct slg_forward *f, const struct slg_map_node *wanted,
                                 uint16_t *ret_index, struct slg_error *reterr)
{
    enum slg_status status;

    for (size_t i = 0; i < f->node_count; i++) {
        if (strcmp(f->nodes[i]->id, wanted->id) == 0 &&
            strcmp(f->nodes[i]->address, wanted->address) == 0) {
            *ret_index = (uint16_t)i;
            return SLG_OK;
        }
    }
    if (f->node_count == NODE_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu storers since the start",
                          NODE_COUNT_MAX);
    status = make_node(f, wanted, &f->nodes[f->node_count], reterr);
    if (status == SLG_OK)
        *ret_index = (uint16_t)f->node_count++;
    return status;
}

/* Learn the nodes of a map. On failure the old map stays in force. */
static enum slg_status adopt_map(struct slg_forward *f, struct slg_map *map,
                                 struct slg_error *reterr)
{
    uint16_t indexes[SLG_MAP_NODE_COUNT_MAX];

    for (size_t i = 0; i < map->node_count; i++) {
        enum slg_status status = find_node(f, &map->nodes[i], &indexes[i], reterr);

        if (status != SLG_OK)
            return status;
    }
    memcpy(f->node_of_map, indexes, sizeof(indexes[0]) * map->node_count);
    slg_map_unref(f->map);
    f->map = slg_map_ref(map);
    return SLG_OK;
}

static struct slg_replica_place place_batch(const struct slg_forward *f,
                                            const struct slg_shard_id *shard)
{
    struct slg_placement placement = slg_placement_of(f->map, shard);
    const struct slg_map_layout *layout = slg_map_layout_at(f->map, shard->window_ns);
    struct slg_replica_place place = { .owner_count = placement.owner_count,
                                       .hint_count = placement.hint_count,
                                       .write_quorum = layout->write_quorum,
                                       .write_quorum_min = layout->write_quorum_min };

    for (uint16_t i = 0; i < placement.owner_count; i++)
        place.owners[i] = f->node_of_map[placement.owners[i]];
    for (uint16_t i = 0; i < placement.hint_count; i++)
        place.hints[i] = f->node_of_map[placement.hints[i]];
    if (place.write_quorum > place.owner_count) /* so many nodes were removed */
        place.write_quorum = place.owner_count;
    if (place.write_quorum_min > place.write_quorum)
        place.write_quorum_min = place.write_quorum;
    return place;
}

/* ---- settling ---- */

static enum slg_drop_reason reason_of(enum slg_store_result refusal)
{
    switch (refusal) {
    case SLG_STORE_EXPIRED:
        return SLG_DROP_EXPIRED;
    case SLG_STORE_FUTURE:
        return SLG_DROP_FUTURE;
    case SLG_STORE_CONTENT:
        return SLG_DROP_CONTENT;
    case SLG_STORE_MALFORMED:
        return SLG_DROP_REFUSED;
    case SLG_STORE_STORED:
    case SLG_STORE_DUPLICATE:
    case SLG_STORE_BUSY:
    case SLG_STORE_READ_ONLY:
    case SLG_STORE_NOT_PLACED:
        return SLG_DROP_STOP;
    }
    return SLG_DROP_STOP;
}

static void count_settled(struct slg_forward *f, const struct slg_forward_batch *batch,
                          enum slg_drop_reason reason)
{
    switch (batch->replica.outcome) {
    case SLG_REPLICA_ACCEPTED:
        slg_metric_add(f->metrics, METRIC_ingester_batches_total, 0, 1);
        slg_metric_observe(f->metrics, METRIC_ingester_batch_accept_seconds, 0,
                           (uint64_t)(now_mono(f) - batch->submitted_mono_ns));
        if (!batch->own)
            slg_account_accepted(f->cell, batch->entry_count);
        break;
    case SLG_REPLICA_DROPPED:
        slg_metric_add(f->metrics, METRIC_ingester_batches_total, 1, 1);
        if (!batch->own)
            slg_account_dropped(f->cell, batch->listener, reason, batch->entry_count);
        break;
    case SLG_REPLICA_ABANDONED:
        slg_metric_add(f->metrics, METRIC_ingester_batches_total, 2, 1);
        if (!batch->own)
            slg_account_abandoned(f->cell, batch->entry_count);
        break;
    case SLG_REPLICA_OPEN:
        SLG_ASSERT(batch->replica.outcome != SLG_REPLICA_OPEN);
        break;
    }
}

static void settle(struct slg_forward *f, struct slg_forward_batch *batch,
                   enum slg_store_result refusal)
{
    enum slg_drop_reason reason = reason_of(refusal);

    count_settled(f, batch, reason);
    if (batch->replica.outcome != SLG_REPLICA_ACCEPTED) {
        static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
        uint64_t suppressed;

        if (batch->replica.outcome == SLG_REPLICA_ABANDONED || reason == SLG_DROP_STOP)
            f->left_count += batch->entry_count;
        if (slg_log_limit_allow(&limit, now_mono(f), &suppressed))
            slg_log_warn("batch given up outcome=%s reason=%s entries=%" PRIu64
                         " suppressed=%" PRIu64,
                         batch->replica.outcome == SLG_REPLICA_DROPPED ? "dropped" : "abandoned",
                         slg_drop_reason_text(reason), batch->entry_count, suppressed);
    }
    if (batch->unsettled != NULL)
        atomic_fetch_sub_explicit(batch->unsettled, 1, memory_order_release);
    for (size_t i = 0; i < batch->waiter_count; i++)
        batch->waiters[i]->settled(batch->waiters[i], batch->replica.outcome, reason);
    batch->waiter_count = 0;
}

static void give_back(struct slg_forward *f, struct slg_forward_batch *batch)
{
    struct slg_forward_batch *tokens = batch->tokens;
    enum slg_status status;

    batch->tokens = NULL;
    slg_buf_clear(&batch->message);
    /* Whoever waits for room waits at the pool; it is empty then, and gets the object. */
    if (batch->reserved || slg_queue_count(f->pool) == 0 ||
        slg_queue_push(f->warm, batch) != SLG_OK) {
        slg_buf_fini(&batch->message);
        status = slg_queue_push(batch->reserved ? f->reserved : f->pool, batch);
        SLG_ASSERT(status == SLG_OK); /* the queue holds every object there is */
    }
    while (tokens != NULL) {
        struct slg_forward_batch *next = tokens->next;

        tokens->next = NULL;
        status = slg_queue_push(f->pool, tokens);
        SLG_ASSERT(status == SLG_OK);
        tokens = next;
    }
}

static void unlink_batch(struct slg_forward *f, struct slg_forward_batch *batch)
{
    if (batch->previous != NULL)
        batch->previous->next = batch->next;
    else
        f->first = batch->next;
    if (batch->next != NULL)
        batch->next->previous = batch->previous;
    else
        f->last = batch->previous;
    batch->previous = batch->next = NULL;
    atomic_fetch_sub_explicit(&f->batch_count, 1, memory_order_relaxed);
}

/* Run one step and do what it says. False: the batch is gone. */
static bool step(struct slg_forward *f, struct slg_forward_batch *batch,
                 const struct slg_replica_event *event)
{
    struct slg_replica_actions actions = slg_replica_step(&batch->replica, event, now_mono(f));

    if (actions.new_incarnation)
        atomic_fetch_add_explicit(&f->incarnation_serial, 1, memory_order_release);
    if (actions.settle)
        settle(f, batch, actions.refusal);
    if (actions.release)
        batch->released = true;
    if (!batch->released || batch->request_count > 0)
        return true;
    unlink_batch(f, batch);
    give_back(f, batch);
    return false;
}

/* ---- who can be reached ---- */

/* A storer that was never greeted gets as long as one that has fallen silent. */
static bool can_be_reached(const struct node *node, int64_t now)
{
    bool silent = now - node->heard_mono_ns >= SILENCE_NS;

    if (node->state == NODE_READY)
        return node->request_count == 0 || !silent;
    return !node->complained && !silent;
}

/* False: the batch is gone. */
static bool tell_reach(struct slg_forward *f, struct slg_forward_batch *batch, uint16_t node_index)
{
    struct slg_replica_event event = { .type = SLG_REPLICA_REACH,
                                       .node = node_index,
                                       .reachable = f->nodes[node_index]->reachable };

    return step(f, batch, &event);
}

/* A batch that is new, or newly placed, believes that everybody can be reached. */
static void tell_unreachable(struct slg_forward *f, struct slg_forward_batch *batch)
{
    for (size_t i = 0; i < f->node_count; i++)
        if (!f->nodes[i]->reachable && !tell_reach(f, batch, (uint16_t)i))
            return;
}

/* Tell the batches of nodes that have gone, fallen silent, or come back. */
static void look_for_nodes(struct slg_forward *f)
{
    int64_t now = now_mono(f);

    for (size_t i = 0; i < f->node_count; i++) {
        struct node *node = f->nodes[i];
        bool reachable = can_be_reached(node, now);
        struct slg_forward_batch *next;

        if (node->reachable == reachable)
            continue;
        node->reachable = reachable;
        if (!reachable && node->state == NODE_READY)
            slg_log_warn("storer is silent, others take its batches node=%s", node->id);
        for (struct slg_forward_batch *batch = f->first; batch != NULL; batch = next) {
            next = batch->next;
            (void)tell_reach(f, batch, (uint16_t)i); /* gone or not: the next one's turn */
        }
    }
}

/* When a look for silence is due; SLG_DEADLINE_NEVER: nobody is waited for. */
static int64_t silence_mono_ns(const struct slg_forward *f)
{
    int64_t wake = SLG_DEADLINE_NEVER;

    for (size_t i = 0; i < f->node_count; i++) {
        const struct node *node = f->nodes[i];

        if (node->reachable && (node->state != NODE_READY || node->request_count > 0) &&
            node->heard_mono_ns + SILENCE_NS < wake)
            wake = node->heard_mono_ns + SILENCE_NS;
    }
    return wake;
}

/* ---- asking ---- */

/* Library thread: note the answer, hand over the event. */
static void on_hello(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct request *request = ctx;
    struct slg_rpc_hello hello;

    request->error.message[0] = '\0';
    if (status == SLG_OK)
        status = slg_rpc_decode_hello_reply(reply, reply_len, &hello, &request->error);
    request->status = status;
    status = slg_queue_push(request->forward->events, request);
    SLG_ASSERT(status == SLG_OK); /* room for every request is kept */
}

static void on_store(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct request *request = ctx;
    struct slg_text text;

    request->error.message[0] = '\0';
    if (status == SLG_OK)
        status = slg_rpc_decode_store_reply(reply, reply_len, &request->result, &request->map_epoch,
                                            &text, &request->error);
    if (status == SLG_OK)
        (void)slg_errorf(&request->error, SLG_OK, "%.*s", (int)text.len, text.at);
    request->status = status;
    status = slg_queue_push(request->forward->events, request);
    SLG_ASSERT(status == SLG_OK);
}

/* The next greeting waits twice as long. */
static void greet_later(struct slg_forward *f, struct node *node)
{
    node->state = NODE_GREET;
    node->greet_mono_ns = now_mono(f) + node->backoff_ns;
    node->backoff_ns *= 2;
    if (node->backoff_ns > HELLO_BACKOFF_NS_MAX)
        node->backoff_ns = HELLO_BACKOFF_NS_MAX;
}

static void lose_node(struct slg_forward *f, struct node *node, const char *why,
                      enum slg_status status)
{
    if (!node->complained)
        slg_log_warn("storer does not answer, trying on node=%s address=%s reason=%s status=%s",
                     node->id, node->address, why, slg_status_text(status));
    node->complained = true;
    if (node->state == NODE_READY)
        atomic_fetch_sub_explicit(&f->ready_count, 1, memory_order_relaxed);
    if (node->state != NODE_GREET)
        greet_later(f, node);
}

static void greet(struct slg_forward *f, struct node *node)
{
    struct request *request = &node->requests[f->options.in_flight_per_storer];
    struct slg_rpc_hello hello = {
        .cluster_id = slg_text_of(f->map->cluster_id),
        .node_id = slg_text_of(f->options.node_id),
        .role = slg_text_of("ingester"),
        .map_epoch = f->map->epoch,
        .map_hash = f->map->hash,
    };
    enum slg_status status;

    if (request->busy)
        return; /* the last greeting has not come back yet */
    slg_buf_clear(&f->scratch);
    slg_rpc_encode_hello(&f->scratch, &hello);
    SLG_ASSERT(!slg_buf_failed(&f->scratch));
    request->busy = true;
    request->batch = NULL;
    node->state = NODE_GREETED;
    status = slg_transport_request(node->client, f->scratch.data, f->scratch.len,
                                   f->options.timeout_ms, on_hello, request);
    if (status != SLG_OK) {
        request->busy = false;
        greet_later(f, node);
    }
}

/* The STORE request of a hint: the same but for its flag. False: no memory. */
static bool encode_hint(struct slg_forward *f, const struct slg_forward_batch *batch)
{
    const uint8_t *bytes;
    unsigned flags;
    size_t len;
    enum slg_status status =
        slg_rpc_decode_store(batch->message.data, batch->message.len, &flags, &bytes, &len);

    SLG_ASSERT(status == SLG_OK); /* our own message */
    slg_buf_clear(&f->scratch);
    slg_rpc_encode_store(&f->scratch, SLG_STORE_FLAG_HINT, bytes, len);
    return !slg_buf_failed(&f->scratch);
}

/* Send batch to node if a request is free. False: none is, stop trying. */
static bool send_batch(struct slg_forward *f, uint16_t node_index, struct slg_forward_batch *batch,
                       bool hint)
{
    struct node *node = f->nodes[node_index];
    struct slg_replica_event sent = { .type = SLG_REPLICA_SENT, .node = node_index };
    const struct slg_buf *message = hint ? &f->scratch : &batch->message;
    struct request *request = NULL;

    for (size_t i = 0; i < f->options.in_flight_per_storer && request == NULL; i++)
        if (!node->requests[i].busy)
            request = &node->requests[i];
    if (request == NULL)
        return false;
    request->busy = true;
    request->batch = batch;
    if ((hint && !encode_hint(f, batch)) ||
        slg_transport_request(node->client, message->data, message->len, f->options.timeout_ms,
                              on_store, request) != SLG_OK) {
        request->busy = false;
        f->send_failed = true;
        return false;
    }
    if (node->request_count++ == 0)
        node->heard_mono_ns = now_mono(f);
    batch->request_count++;
    if (hint)
        slg_metric_add(f->metrics, METRIC_ingester_hints_total, 0, 1);
    (void)step(f, batch, &sent); /* with a request out it stays */
    return true;
}

static void pump(struct slg_forward *f)
{
    int64_t now = now_mono(f);
    bool hint;

    for (size_t i = 0; i < f->node_count; i++) {
        struct node *node = f->nodes[i];

        if (node->state == NODE_GREET && node->greet_mono_ns <= now)
            greet(f, node);
        if (node->state != NODE_READY)
            continue;
        for (struct slg_forward_batch *batch = f->first;
             batch != NULL && node->request_count < f->options.in_flight_per_storer;
             batch = batch->next)
            if (!batch->released && slg_replica_due(&batch->replica, (uint16_t)i, now, &hint) &&
                !send_batch(f, (uint16_t)i, batch, hint))
                break;
    }
}

/* ---- events ---- */

static void take_greeting(struct slg_forward *f, struct request *request)
{
    struct node *node = request->node;

    request->busy = false;
    if (request->status != SLG_OK) {
        lose_node(f, node, request->error.message[0] != '\0' ? request->error.message : "no answer",
                  request->status);
        return;
    }
    if (node->state == NODE_READY)
        return;
    node->state = NODE_READY;
    node->backoff_ns = HELLO_BACKOFF_NS_MIN;
    atomic_fetch_add_explicit(&f->ready_count, 1, memory_order_relaxed);
    slg_log_info("storer is ready node=%s address=%s", node->id, node->address);
    node->complained = false;
}

static void note_read_only(struct slg_forward *f, struct node *node, bool read_only)
{
    if (node->read_only == read_only)
        return;
    node->read_only = read_only;
    if (read_only)
        atomic_fetch_add_explicit(&f->read_only_count, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&f->read_only_count, 1, memory_order_relaxed);
}

static void note_refusal(struct slg_forward *f, const struct request *request)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    uint64_t suppressed;

    if (request->result < SLG_STORE_BUSY)
        return;
    slg_metric_add(f->metrics, METRIC_ingester_send_refusals_total,
                   (size_t)request->result - SLG_STORE_BUSY, 1);
    if (request->result == SLG_STORE_NOT_PLACED && f->options.map_stale != NULL)
        f->options.map_stale(f->options.map_stale_ctx, request->map_epoch);
    if (request->result != SLG_STORE_BUSY && slg_log_limit_allow(&limit, now_mono(f), &suppressed))
        slg_log_warn("storer refused a batch node=%s reason=%s suppressed=%" PRIu64,
                     request->node->id, request->error.message, suppressed);
}

static uint16_t index_of(const struct slg_forward *f, const struct node *node)
{
    for (size_t i = 0; i < f->node_count; i++)
        if (f->nodes[i] == node)
            return (uint16_t)i;
    SLG_ASSERT(node == NULL);
    return 0;
}

static void take_answer(struct slg_forward *f, struct request *request)
{
    struct slg_forward_batch *batch = request->batch;
    struct node *node = request->node;
    struct slg_replica_event event = { .node = index_of(f, node) };

    if (batch == NULL) {
        take_greeting(f, request);
        return;
    }
    request->busy = false;
    request->batch = NULL;
    node->request_count--;
    node->heard_mono_ns = now_mono(f);
    batch->request_count--;
    if (request->status == SLG_OK) {
        event.type = SLG_REPLICA_REPLY;
        event.result = request->result;
        note_read_only(f, node, request->result == SLG_STORE_READ_ONLY);
        note_refusal(f, request);
    } else {
        event.type = SLG_REPLICA_FAILED;
        slg_metric_add(f->metrics, METRIC_ingester_send_failures_total, 0, 1);
        note_read_only(f, node, false);
        if (node->state == NODE_READY)
            lose_node(f, node,
                      request->error.message[0] != '\0' ? request->error.message : "no answer",
                      request->status);
    }
    (void)step(f, batch, &event); /* gone or not, it is not looked at again */
}

static void take_submit(struct slg_forward *f, struct slg_forward_batch *batch)
{
    struct slg_replica_place place = place_batch(f, &batch->shard);

    slg_replica_init(&batch->replica, &place, now_mono(f));
    batch->released = false;
    batch->previous = f->last;
    batch->next = NULL;
    if (f->last != NULL)
        f->last->next = batch;
    else
        f->first = batch;
    f->last = batch;
    tell_unreachable(f, batch);
}

static void take_map(struct slg_forward *f)
{
    struct slg_map *map = atomic_exchange(&f->map_next, NULL);
    struct slg_error error;
    struct slg_forward_batch *next;

    if (map == NULL)
        return;
    if (adopt_map(f, map, &error) != SLG_OK)
        slg_log_failure(SLG_LOG_ERROR, "new map not taken", &error);
    slg_map_unref(map);
    for (struct slg_forward_batch *batch = f->first; batch != NULL; batch = next) {
        struct slg_replica_place place = place_batch(f, &batch->shard);
        struct slg_replica_event event = { .type = SLG_REPLICA_PLACED, .place = &place };

        next = batch->next;
        if (step(f, batch, &event))
            tell_unreachable(f, batch);
    }
}

static void take_event(struct slg_forward *f, int *event)
{
    switch ((enum event_type) * event) {
    case EVENT_SUBMIT:
        /* The event is the first member of both structs. */
        take_submit(f, (struct slg_forward_batch *)(void *)event);
        break;
    case EVENT_ANSWER:
        take_answer(f, (struct request *)(void *)event);
        break;
    case EVENT_MAP:
        break; /* every round looks for a map */
    case EVENT_STOP:
        f->stopping = true;
        break;
    }
}

static bool pool_is_short(struct slg_forward *f)
{
    return slg_forward_free_count(f) < f->object_count / POOL_SHORT_PART;
}

/* Step what only time, or want of memory, moves, and find the next time to wake. */
static int64_t tick(struct slg_forward *f)
{
    const struct slg_replica_event late = { .type = SLG_REPLICA_TICK };
    const struct slg_replica_event pressed = { .type = SLG_REPLICA_PRESSED };
    int64_t now = now_mono(f);
    int64_t wake = silence_mono_ns(f);
    int64_t oldest = INT64_MAX;
    struct slg_forward_batch *next;

    if (f->stopping && f->stop_mono_ns < wake)
        wake = f->stop_mono_ns;
    if (f->send_failed && now + SEND_RETRY_NS < wake)
        wake = now + SEND_RETRY_NS;
    f->send_failed = false;
    for (struct slg_forward_batch *batch = f->first; batch != NULL; batch = next) {
        int64_t batch_wake = slg_replica_wake_mono_ns(&batch->replica);
        bool accepted = batch->replica.outcome == SLG_REPLICA_ACCEPTED && !batch->released;

        next = batch->next;
        if (batch->replica.outcome == SLG_REPLICA_OPEN && batch->submitted_mono_ns < oldest)
            oldest = batch->submitted_mono_ns;
        if (accepted && pool_is_short(f))
            (void)step(f, batch, &pressed); /* gone or not: the next one's turn */
        else if (accepted && batch_wake <= now)
            (void)step(f, batch, &late);
        else if (batch_wake > now && batch_wake < wake)
            wake = batch_wake;
    }
    atomic_store_explicit(&f->oldest_mono_ns, oldest, memory_order_relaxed);
    for (size_t i = 0; i < f->node_count; i++)
        if (f->nodes[i]->state == NODE_GREET && f->nodes[i]->greet_mono_ns < wake)
            wake = f->nodes[i]->greet_mono_ns;
    return wake;
}

static void give_up(struct slg_forward *f)
{
    const struct slg_replica_event event = { .type = SLG_REPLICA_STOP };

    while (f->first != NULL) {
        f->first->request_count = 0;     /* answers are not looked at any more */
        (void)step(f, f->first, &event); /* it is gone: nothing is out */
    }
}

static void *run(void *ctx)
{
    struct slg_forward *f = ctx;
    void *items[EVENTS_AT_ONCE];

    for (;;) {
        size_t count = 0;
        int64_t wake;

        look_for_nodes(f);
        pump(f);
        wake = tick(f);
        if (f->stopping && (f->first == NULL || now_mono(f) >= f->stop_mono_ns))
            break;
        if (slg_queue_pop_many(f->events, wake, items, EVENTS_AT_ONCE, &count) == SLG_CANCELED)
            break;
        for (size_t i = 0; i < count; i++)
            take_event(f, items[i]);
        take_map(f);
    }
    give_up(f);
    return NULL;
}

/* ---- from outside ---- */

static enum slg_status check(const struct slg_forward_options *options, struct slg_error *reterr)
{
    if (options->memory_bytes_max < SLG_FORWARD_MEMORY_MIN ||
        options->memory_bytes_max > SLG_FORWARD_MEMORY_MAX)
        return slg_errorf(
            reterr, SLG_INVALID, "memory for batches of %zu bytes is not between %zu and %zu",
            options->memory_bytes_max, SLG_FORWARD_MEMORY_MIN, SLG_FORWARD_MEMORY_MAX);
    if (options->in_flight_per_storer < 1 ||
        options->in_flight_per_storer > SLG_FORWARD_IN_FLIGHT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu requests at once are not between 1 and %zu",
                          options->in_flight_per_storer, SLG_FORWARD_IN_FLIGHT_MAX);
    return SLG_OK;
}

static enum slg_status make_pool(struct slg_forward *f)
{
    size_t count = f->options.memory_bytes_max / SLG_FORWARD_TOKEN_BYTES;
    size_t answers = NODE_COUNT_MAX * (f->options.in_flight_per_storer + 1);

    f->object_count = count + SLG_FORWARD_RESERVED_COUNT;
    f->objects = calloc(f->object_count, sizeof(*f->objects));
    if (f->objects == NULL || slg_queue_create(count, &f->pool) != SLG_OK ||
        slg_queue_create(SLG_FORWARD_WARM_COUNT, &f->warm) != SLG_OK ||
        slg_queue_create(SLG_FORWARD_RESERVED_COUNT, &f->reserved) != SLG_OK ||
        slg_queue_create(f->object_count + answers + 2, &f->events) != SLG_OK)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < f->object_count; i++) {
        enum slg_status status;

        f->objects[i].event = EVENT_SUBMIT;
        slg_buf_init(&f->objects[i].message, SLG_MESSAGE_BYTES_MAX);
        f->objects[i].reserved = i >= count;
        status = slg_queue_push(i >= count ? f->reserved : f->pool, &f->objects[i]);
        SLG_ASSERT(status == SLG_OK);
    }
    return SLG_OK;
}

enum slg_status slg_forward_create(const struct slg_forward_options *options,
                                   struct slg_forward **ret_forward, struct slg_error *reterr)
{
    struct slg_forward *f;
    enum slg_status status = check(options, reterr);

    if (status != SLG_OK)
        return status;
    f = calloc(1, sizeof(*f));
    if (f == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the forwarder");
    f->options = *options;
    f->map_event = EVENT_MAP;
    f->stop_event = EVENT_STOP;
    atomic_init(&f->oldest_mono_ns, INT64_MAX);
    slg_buf_init(&f->scratch, SLG_MESSAGE_BYTES_MAX);
    f->cell = slg_account_cell(options->account);
    f->metrics = slg_metric_set_create(options->metrics);
    if (make_pool(f) != SLG_OK || f->cell == NULL || f->metrics == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the forwarder");
    if (status == SLG_OK)
        status = adopt_map(f, options->map, reterr);
    if (status != SLG_OK) {
        slg_forward_destroy(f);
        return status;
    }
    *ret_forward = f;
    return SLG_OK;
}

enum slg_status slg_forward_start(struct slg_forward *f, struct slg_error *reterr)
{
    if (pthread_create(&f->thread, NULL, run, f) != 0)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not start the forwarding thread");
    f->started = true;
    return SLG_OK;
}

void slg_forward_stop(struct slg_forward *f, int64_t deadline_mono_ns, uint64_t *ret_left)
{
    enum slg_status status;

    atomic_store(&f->refusing, true);
    if (f->started) {
        f->stop_mono_ns = deadline_mono_ns;
        status = slg_queue_push(f->events, &f->stop_event);
        SLG_ASSERT(status == SLG_OK);
        SLG_ASSERT(pthread_join(f->thread, NULL) == 0);
        f->started = false;
    }
    for (size_t i = 0; i < f->node_count; i++) { /* answers still come in until here */
        slg_transport_client_stop(f->nodes[i]->client);
        f->nodes[i]->client = NULL;
    }
    *ret_left = f->left_count;
}

void slg_forward_destroy(struct slg_forward *f)
{
    if (f == NULL)
        return;
    SLG_ASSERT(!f->started);
    for (size_t i = 0; i < f->node_count; i++)
        destroy_node(f->nodes[i]);
    slg_queue_destroy(f->events);
    slg_queue_destroy(f->reserved);
    slg_queue_destroy(f->pool);
    slg_queue_destroy(f->warm);
    for (size_t i = 0; i < f->object_count; i++)
        if (f->objects != NULL)
            slg_buf_fini(&f->objects[i].message);
    free(f->objects);
    slg_map_unref(atomic_exchange(&f->map_next, NULL));
    slg_map_unref(f->map);
    slg_metric_set_destroy(f->metrics);
    slg_buf_fini(&f->scratch);
    free(f);
}

enum slg_status slg_forward_take(struct slg_forward *f, bool reserved, int64_t deadline_mono_ns,
                                 struct slg_forward_batch **ret_batch)
{
    struct slg_queue *queue = reserved ? f->reserved : f->pool;
    struct slg_forward_batch *batch;
    void *item = NULL;
    enum slg_status status = reserved ? SLG_AGAIN : slg_queue_try_pop(f->warm, &item);

    if (status != SLG_OK)
        status = deadline_mono_ns == 0 ? slg_queue_try_pop(queue, &item)
                                       : slg_queue_pop(queue, deadline_mono_ns, &item);
    if (status != SLG_OK)
        return status;
    batch = item;
    batch->entry_count = 0;
    batch->listener = 0;
    batch->own = false;
    batch->unsettled = NULL;
    batch->waiter_count = 0;
    *ret_batch = batch;
    return SLG_OK;
}

void slg_forward_put(struct slg_forward *f, struct slg_forward_batch *batch)
{
    give_back(f, batch);
}

/* A big batch keeps further objects out of the pool, as many as there are. */
static void charge(struct slg_forward *f, struct slg_forward_batch *batch)
{
    void *item;

    for (size_t paid = SLG_FORWARD_TOKEN_BYTES; paid < batch->message.len && !batch->reserved;
         paid += SLG_FORWARD_TOKEN_BYTES) {
        struct slg_forward_batch *token;

        if (slg_queue_try_pop(f->pool, &item) != SLG_OK)
            return;
        token = item;
        token->next = batch->tokens;
        batch->tokens = token;
    }
}

enum slg_status slg_forward_submit(struct slg_forward *f, struct slg_forward_batch *batch,
                                   const uint8_t *bytes, size_t len)
{
    bool warm = batch->message.capacity > 0;
    enum slg_status status;

    if (atomic_load(&f->refusing))
        return SLG_CANCELED;
    slg_buf_clear(&batch->message);
    if (slg_buf_reserve(&batch->message, len + STORE_OVERHEAD_BYTES))
        slg_rpc_encode_store(&batch->message, /* flags= */ 0, bytes, len);
    if (slg_buf_failed(&batch->message))
        return SLG_NO_MEMORY;
    if (!warm && slg_forward_batch_count(f) >= SLG_FORWARD_WARM_COUNT)
        slg_buf_trim(&batch->message);
    batch->submitted_mono_ns = now_mono(f);
    charge(f, batch);
    atomic_fetch_add_explicit(&f->batch_count, 1, memory_order_relaxed);
    slg_metric_add_shared(f->options.metrics, METRIC_ingester_batch_encoded_bytes_total, 0, len);
    status = slg_queue_push(f->events, batch);
    SLG_ASSERT(status == SLG_OK); /* there is room for every object */
    return SLG_OK;
}

void slg_forward_set_map(struct slg_forward *f, struct slg_map *map)
{
    slg_map_unref(atomic_exchange(&f->map_next, slg_map_ref(map)));
    if (slg_queue_push(f->events, &f->map_event) != SLG_OK)
        return; /* full: the thread is awake and looks for a map anyhow */
}

int64_t slg_forward_oldest_mono_ns(struct slg_forward *f)
{
    return atomic_load_explicit(&f->oldest_mono_ns, memory_order_relaxed);
}

uint64_t slg_forward_incarnation_serial(struct slg_forward *f)
{
    return atomic_load_explicit(&f->incarnation_serial, memory_order_acquire);
}

size_t slg_forward_batch_count(struct slg_forward *f)
{
    return atomic_load_explicit(&f->batch_count, memory_order_relaxed);
}

size_t slg_forward_ready_count(struct slg_forward *f)
{
    return atomic_load_explicit(&f->ready_count, memory_order_relaxed);
}

size_t slg_forward_free_count(struct slg_forward *f)
{
    return slg_queue_count(f->pool) + slg_queue_count(f->warm);
}

bool slg_forward_read_only(struct slg_forward *f)
{
    return atomic_load_explicit(&f->read_only_count, memory_order_relaxed) > 0;
}
