/* Concurrency
 *   state                        owner           seen by others
 *   reach, list, totals          forward thread  not at all, but for the two counts of reach
 *   events, queues of the pool   base/queue      through the queue
 *   map_next                     any thread      exchanged: whoever takes a map out owns its reference
 *   batch_count, oldest_mono_ns, forward thread  atomics, for status and batchers
 *     incarnation_serial */
#include "ingester/forward.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/queue.h"
#include "cluster/placement.h"
#include "ingester/forward_pool.h"
#include "ingester/reach.h"

#define SEND_RETRY_NS        (5 * SLG_NS_PER_MS)
#define EVENTS_AT_ONCE       ((size_t)64)
#define STORE_OVERHEAD_BYTES ((size_t)64)

enum event_type { EVENT_SUBMIT = 1, EVENT_ANSWER, EVENT_MAP, EVENT_STOP };

struct slg_forward {
    struct slg_forward_options options;
    struct slg_forward_pool pool;
    struct slg_queue *events;
    int map_event, stop_event;
    _Atomic(struct slg_map *) map_next;
    _Atomic size_t batch_count;
    _Atomic uint64_t incarnation_serial;
    _Atomic int64_t oldest_mono_ns; /* when the oldest unsettled batch came; INT64_MAX: none */
    _Atomic bool refusing;

    pthread_t thread;
    bool started;
    struct slg_reach *reach;
    struct slg_forward_batch *first, *last; /* by submission */
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

/* ---- placing ---- */

static struct slg_replica_place place_batch(const struct slg_forward *f,
                                            const struct slg_shard_id *shard)
{
    struct slg_placement placement = slg_placement_of(slg_reach_map(f->reach), shard);
    const struct slg_map_layout *layout =
        slg_map_layout_at(slg_reach_map(f->reach), shard->window_ns);
    struct slg_replica_place place = { .owner_count = placement.owner_count,
                                       .hint_count = placement.hint_count,
                                       .write_quorum = layout->write_quorum,
                                       .write_quorum_min = layout->write_quorum_min };

    for (uint16_t i = 0; i < placement.owner_count; i++)
        place.owners[i] = slg_reach_index(f->reach, placement.owners[i]);
    for (uint16_t i = 0; i < placement.hint_count; i++)
        place.hints[i] = slg_reach_index(f->reach, placement.hints[i]);
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
    slg_forward_pool_give_back(&f->pool, batch);
    return false;
}

/* ---- who can be reached ---- */

/* False: the batch is gone. */
static bool tell_reach(struct slg_forward *f, struct slg_forward_batch *batch, uint16_t node_index)
{
    struct slg_replica_event event = { .type = SLG_REPLICA_REACH,
                                       .node = node_index,
                                       .reachable = slg_reach_reachable(f->reach, node_index) };

    return step(f, batch, &event);
}

/* A batch that is new, or newly placed, believes that everybody can be reached. */
static void tell_unreachable(struct slg_forward *f, struct slg_forward_batch *batch)
{
    for (size_t i = 0; i < slg_reach_count(f->reach); i++)
        if (!slg_reach_reachable(f->reach, (uint16_t)i) && !tell_reach(f, batch, (uint16_t)i))
            return;
}

/* Tell the batches of storers that have gone, fallen silent, or come back. */
static void look_for_nodes(struct slg_forward *f)
{
    for (size_t i = 0; i < slg_reach_count(f->reach); i++) {
        struct slg_forward_batch *next;

        if (!slg_reach_look(f->reach, (uint16_t)i))
            continue;
        for (struct slg_forward_batch *batch = f->first; batch != NULL; batch = next) {
            next = batch->next;
            (void)tell_reach(f, batch, (uint16_t)i); /* gone or not: the next one's turn */
        }
    }
}

/* ---- sending ---- */

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

/* False: stop trying. */
static bool send_batch(struct slg_forward *f, uint16_t node, struct slg_forward_batch *batch,
                       bool hint)
{
    struct slg_replica_event sent = { .type = SLG_REPLICA_SENT, .node = node };
    const struct slg_buf *message = hint ? &f->scratch : &batch->message;

    if ((hint && !encode_hint(f, batch)) ||
        slg_reach_send(f->reach, node, batch, message->data, message->len) != SLG_OK) {
        f->send_failed = true;
        return false;
    }
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

    for (size_t i = 0; i < slg_reach_count(f->reach); i++) {
        uint16_t node = (uint16_t)i;

        slg_reach_greet(f->reach, node);
        for (struct slg_forward_batch *batch = f->first;
             batch != NULL && slg_reach_can_send(f->reach, node); batch = batch->next)
            if (!batch->released && slg_replica_due(&batch->replica, node, now, &hint) &&
                !send_batch(f, node, batch, hint))
                break;
    }
}

/* ---- events ---- */

static void note_refusal(struct slg_forward *f, const struct slg_reach_request *request)
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
                     slg_reach_node_id(f->reach, request->node), request->error.message,
                     suppressed);
}

/* What its lost disk had acknowledged is sent again, while it is here. */
static void forget_acknowledgements(struct slg_forward *f, uint16_t node)
{
    const struct slg_replica_event forgot = { .type = SLG_REPLICA_FORGOT, .node = node };
    struct slg_forward_batch *next;

    slg_log_info("storer has a new disk node=%s", slg_reach_node_id(f->reach, node));
    for (struct slg_forward_batch *batch = f->first; batch != NULL; batch = next) {
        next = batch->next;
        (void)step(f, batch, &forgot); /* gone or not: the next one's turn */
    }
}

static void take_answer(struct slg_forward *f, struct slg_reach_request *request)
{
    struct slg_forward_batch *batch = slg_reach_take(f->reach, request);
    struct slg_replica_event event = { .node = request->node };

    if (batch == NULL) {
        if (request->new_disk)
            forget_acknowledgements(f, request->node);
        return;
    }
    batch->request_count--;
    if (request->status == SLG_OK) {
        event.type = SLG_REPLICA_REPLY;
        event.result = request->result;
        note_refusal(f, request);
    } else {
        event.type = SLG_REPLICA_FAILED;
        slg_metric_add(f->metrics, METRIC_ingester_send_failures_total, 0, 1);
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
    if (slg_reach_set_map(f->reach, map, &error) != SLG_OK)
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
        take_answer(f, (struct slg_reach_request *)(void *)event);
        break;
    case EVENT_MAP:
        break; /* every round looks for a map */
    case EVENT_STOP:
        f->stopping = true;
        break;
    }
}

/* Step what only time, or want of memory, moves, and find the next time to wake. */
static int64_t tick(struct slg_forward *f)
{
    const struct slg_replica_event late = { .type = SLG_REPLICA_TICK };
    const struct slg_replica_event pressed = { .type = SLG_REPLICA_PRESSED };
    int64_t now = now_mono(f);
    int64_t wake = slg_reach_wake_mono_ns(f->reach);
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
        if (accepted && slg_forward_pool_is_short(&f->pool))
            (void)step(f, batch, &pressed); /* gone or not: the next one's turn */
        else if (accepted && batch_wake <= now)
            (void)step(f, batch, &late);
        else if (batch_wake > now && batch_wake < wake)
            wake = batch_wake;
    }
    atomic_store_explicit(&f->oldest_mono_ns, oldest, memory_order_relaxed);
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

/* The pool, and a queue with room for every event that may be under way. */
static enum slg_status make_queues(struct slg_forward *f)
{
    size_t answers = slg_reach_answer_count_max(f->options.in_flight_per_storer);
    enum slg_status status =
        slg_forward_pool_init(&f->pool, f->options.memory_bytes_max, EVENT_SUBMIT);

    return status == SLG_OK ? slg_queue_create(f->pool.object_count + answers + 2, &f->events)
                            : status;
}

static enum slg_status make_reach(struct slg_forward *f, struct slg_error *reterr)
{
    struct slg_reach_options options = { .answers = f->events,
                                         .event = EVENT_ANSWER,
                                         .node_id = f->options.node_id,
                                         .tls = f->options.tls,
                                         .in_flight_max = f->options.in_flight_per_storer,
                                         .timeout_ms = f->options.timeout_ms,
                                         .clock = f->options.clock };
    enum slg_status status = slg_reach_create(&options, &f->reach, reterr);

    if (status == SLG_OK)
        status = slg_reach_set_map(f->reach, f->options.map, reterr);
    return status;
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
    if (make_queues(f) != SLG_OK || f->cell == NULL || f->metrics == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the forwarder");
    if (status == SLG_OK)
        status = make_reach(f, reterr);
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
    slg_reach_stop(f->reach); /* answers still come in until here */
    *ret_left = f->left_count;
}

void slg_forward_destroy(struct slg_forward *f)
{
    if (f == NULL)
        return;
    SLG_ASSERT(!f->started);
    slg_reach_destroy(f->reach);
    slg_queue_destroy(f->events);
    slg_forward_pool_fini(&f->pool);
    slg_map_unref(atomic_exchange(&f->map_next, NULL));
    slg_metric_set_destroy(f->metrics);
    slg_buf_fini(&f->scratch);
    free(f);
}

enum slg_status slg_forward_take(struct slg_forward *f, bool reserved, int64_t deadline_mono_ns,
                                 struct slg_forward_batch **ret_batch)
{
    return slg_forward_pool_take(&f->pool, reserved, deadline_mono_ns, ret_batch);
}

void slg_forward_put(struct slg_forward *f, struct slg_forward_batch *batch)
{
    slg_forward_pool_give_back(&f->pool, batch);
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
    slg_forward_pool_charge(&f->pool, batch);
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
    return slg_reach_ready_count(f->reach);
}

size_t slg_forward_free_count(struct slg_forward *f)
{
    return slg_forward_pool_free_count(&f->pool);
}

bool slg_forward_read_only(struct slg_forward *f)
{
    return slg_reach_read_only_count(f->reach) > 0;
}
