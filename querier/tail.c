/* Concurrency: a tail belongs to the thread of its connection. Others reach it by the hub's subscription only
 * (querier/tail_hub.h), which wakes the poll below; metrics and gate are made for many threads.
 *
 * The thread waits in three places, and in each it goes on serving the connection (pump): for an event, for a storer
 * (the fan-out asks `canceled` every 100 ms), and for room towards a slow client. */
#include "querier/tail.h"

#include <poll.h>
#include <stdarg.h>

#include "base/clock.h"
#include "base/log.h"
#include "querier/fanout.h"
#include "querier/metrics.h"
#include "querier/params.h"
#include "querier/tail_out.h"
#include "querier/tail_state.h"

#define CLIENT_MESSAGE_BYTES_MAX ((size_t)4096) /* nothing that a client says is needed */
#define READ_BYTES               ((size_t)4096)
#define READ_COUNT_MAX           16 /* reads of one pump: a talkative client does not stop the tail */
#define PING_NS                  SLG_NS_PER_SEC /* contracts: so that proxies keep idle tails */
#define RETRY_NS                 (500 * SLG_NS_PER_MS)
#define DELAY_TICK_NS            (500 * SLG_NS_PER_MS)
#define BYE_NS                   SLG_NS_PER_SEC /* for the client's half of the closing handshake */
/* How long one evaluation waits for a client that does not read, before it drops. */
#define PATIENCE_NS              (2 * SLG_NS_PER_SEC)
#define HISTORY_PATIENCE_NS      (20 * SLG_NS_PER_SEC)
#define LIVE_TIMEOUT_NS                                                                            \
    (10 * SLG_NS_PER_SEC) /* of the first attempt; doubled for each further one */
#define PUMP_ROWS    64
#define REASON_BYTES 256

struct slg_tail {
    struct slg_tail_options options;
    char *query;
    char *flags;
    struct slg_http_socket *socket;
    struct slg_tail_sets *sets;
    struct slg_tail_state *state;
    struct slg_tail_out *out;
    struct slg_websocket_decoder decoder;

    unsigned close_code; /* we end it; 0 = not yet */
    char reason[REASON_BYTES];
    bool peer_closed; /* the client sent its close frame */
    unsigned peer_code;
    bool lost;     /* nothing can be sent any more */
    bool stopping; /* we end it without a word: see check_timers */

    int64_t end_mono_ns;
    int64_t next_ping_mono_ns;
    int64_t ping_mono_ns; /* of the ping that has no pong yet; 0 = none */
    int64_t life_mono_ns; /* last sign of life */
    bool blocked;         /* the last write found no room */

    bool due;              /* look for jobs */
    int64_t retry_mono_ns; /* broken jobs are tried again then */
    const struct slg_tail_job *job;
    struct slg_tail_mark mark;
    int64_t patience_ns; /* left of this evaluation */
    size_t rows_since_pump;
    uint64_t line_count;
    uint64_t dropped_count;
};

static int64_t mono_now(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

/* ---- life ---- */

static char *copy_text(struct slg_text text)
{
    char *copy = calloc(1, text.len + 1);

    if (copy != NULL && text.len > 0)
        memcpy(copy, text.at, text.len);
    return copy;
}

static void free_parts(struct slg_tail *tail)
{
    slg_tail_state_destroy(tail->state);
    slg_tail_out_destroy(tail->out);
    slg_websocket_decoder_fini(&tail->decoder);
    free(tail->query);
    free(tail->flags);
    free(tail);
}

struct slg_tail *slg_tail_create(const struct slg_tail_options *options)
{
    struct slg_tail *tail = calloc(1, sizeof(*tail));
    int64_t now = slg_clock_wall_ns(slg_clock_system());

    if (tail == NULL)
        return NULL;
    tail->options = *options;
    slg_websocket_decoder_init(&tail->decoder, /* from_client= */ true, CLIENT_MESSAGE_BYTES_MAX);
    tail->query = copy_text(options->query);
    tail->flags = copy_text(options->flags);
    tail->out = slg_tail_out_create(options->flags, options->categorize);
    tail->state = slg_tail_state_create(options->sets, options->start_ns, now, options->delay_ns);
    if (tail->query == NULL || tail->flags == NULL || tail->out == NULL || tail->state == NULL) {
        free_parts(tail);
        return NULL;
    }
    tail->sets = options->sets;
    return tail;
}

void slg_tail_release(void *arg)
{
    struct slg_tail *tail = arg;
    slg_http_release *ended = tail->options.ended;
    void *ended_arg = tail->options.ended_arg;

    slg_tail_sets_unref(tail->sets);
    slg_tail_unsubscribe(tail->options.subscription);
    free_parts(tail);
    ended(ended_arg);
}

/* ---- the connection ---- */

static bool is_over(const struct slg_tail *tail)
{
    return tail->close_code != 0 || tail->peer_closed || tail->lost || tail->stopping;
}

SLG_PRINTF(3, 4)
static void end_tail(struct slg_tail *tail, unsigned code, const char *format, ...)
{
    va_list arguments;

    if (is_over(tail))
        return;
    tail->close_code = code;
    va_start(arguments, format);
    (void)vsnprintf(tail->reason, sizeof(tail->reason), format, arguments); /* cut when too long */
    va_end(arguments);
}

static void send_pending(struct slg_tail *tail)
{
    while (!tail->lost) {
        struct slg_text pending = slg_tail_out_pending(tail->out);
        enum slg_status status;
        size_t len = 0;

        if (slg_tail_out_failed(tail->out)) {
            tail->lost = true; /* half a frame may be out: there is no polite end */
            return;
        }
        if (pending.len == 0)
            return;
        status = slg_http_socket_write(tail->socket, pending.at, pending.len, &len);
        if (status == SLG_AGAIN) {
            tail->blocked = true;
            return;
        }
        if (status != SLG_OK) {
            tail->lost = true;
            return;
        }
        if (tail->blocked)
            tail->life_mono_ns = mono_now(); /* the client has read something */
        tail->blocked = false;
        slg_tail_out_sent(tail->out, len);
    }
}

static void take_event(struct slg_tail *tail, const struct slg_websocket_event *event)
{
    switch (event->opcode) {
    case SLG_WEBSOCKET_CLOSE:
        tail->peer_closed = true;
        tail->peer_code = event->close_code;
        return;
    case SLG_WEBSOCKET_PING:
        if (slg_tail_out_room(tail->out)) /* who does not read needs no answer */
            slg_tail_out_control(tail->out, SLG_WEBSOCKET_PONG, event->payload.at,
                                 event->payload.len);
        return;
    case SLG_WEBSOCKET_PONG:
        tail->ping_mono_ns = 0;
        tail->life_mono_ns = mono_now();
        return;
    case SLG_WEBSOCKET_CONTINUATION:
    case SLG_WEBSOCKET_TEXT:
    case SLG_WEBSOCKET_BINARY:
        return; /* Loki, too, reads and forgets */
    }
}

/* Take what the client sent. */
static void receive(struct slg_tail *tail)
{
    uint8_t bytes[READ_BYTES];

    for (int i = 0; i < READ_COUNT_MAX && !tail->peer_closed && !tail->lost; i++) {
        struct slg_websocket_event event;
        struct slg_cursor c;
        size_t len = 0;
        enum slg_status status = slg_http_socket_read(tail->socket, bytes, sizeof(bytes), &len);

        if (status == SLG_AGAIN)
            return;
        if (status != SLG_OK) {
            tail->lost = true;
            return;
        }
        c = slg_cursor_make(bytes, len);
        while (!tail->peer_closed &&
               (status = slg_websocket_decode(&tail->decoder, &c, &event)) == SLG_OK)
            take_event(tail, &event);
        if (status != SLG_OK && status != SLG_AGAIN) {
            end_tail(tail, tail->decoder.close_code, "%s",
                     status == SLG_LIMIT ? "messages to a tail are at most 4 KiB"
                                         : "the frame breaks the rules of RFC 6455");
            return;
        }
    }
}

static void check_timers(struct slg_tail *tail)
{
    const struct slg_querier_limits *limits = tail->options.limits;
    int64_t now = mono_now(), since = tail->ping_mono_ns;

    /* No close frame, as when a Loki ends: Grafana's live_streams.ts and logcli's tail.go begin again after an abnormal
     * end (1006) only, and a server that stops is mostly one that starts again. */
    if (slg_tail_stopped(tail->options.subscription) || slg_http_socket_stopping(tail->socket))
        tail->stopping = true;
    if (now >= tail->end_mono_ns)
        end_tail(tail, SLG_WEBSOCKET_SERVER_ERROR, "reached tail max duration limit");
    since = since < tail->life_mono_ns ? tail->life_mono_ns : since;
    if (tail->ping_mono_ns != 0 && now - since > limits->tail_pong_timeout_ms * SLG_NS_PER_MS)
        end_tail(tail, SLG_WEBSOCKET_SERVER_ERROR, "the client has not answered a ping for %d s",
                 (int)(limits->tail_pong_timeout_ms / 1000));
    if (now < tail->next_ping_mono_ns)
        return;
    tail->next_ping_mono_ns = now + PING_NS;
    if (tail->ping_mono_ns != 0)
        return; /* one at a time */
    tail->ping_mono_ns = now;
    slg_tail_out_control(tail->out, SLG_WEBSOCKET_PING, "", 0);
}

/* Serve the connection without waiting. False: the tail is over. */
static bool pump(struct slg_tail *tail)
{
    tail->rows_since_pump = 0;
    receive(tail);
    if (!is_over(tail))
        check_timers(tail);
    send_pending(tail);
    return !is_over(tail);
}

static bool is_canceled(void *arg)
{
    return !pump(arg);
}

/* Wait for the client, for a new picture (wake) or until the deadline. */
static void wait_for(const struct slg_tail *tail, bool wake, int64_t deadline_mono_ns)
{
    struct pollfd fds[2] = {
        { .fd = slg_http_socket_fd(tail->socket), .events = POLLIN },
        { .fd = wake ? slg_tail_subscription_fd(tail->options.subscription) : -1,
          .events = POLLIN },
    };
    int64_t left_ms = (deadline_mono_ns - mono_now()) / SLG_NS_PER_MS + 1;

    if (slg_tail_out_pending(tail->out).len > 0)
        fds[0].events |= POLLOUT;
    if (left_ms > 0)
        (void)poll(fds, 2, left_ms > 1000 ? 1000 : (int)left_ms); /* what happened is looked at */
}

/* ---- rows ---- */

/* Room for one more row, waiting for a slow client as long as patience lasts. */
static bool make_room(struct slg_tail *tail)
{
    if (slg_tail_out_room(tail->out) || !pump(tail) || slg_tail_out_room(tail->out))
        return slg_tail_out_room(tail->out);
    while (tail->patience_ns > 0 && !is_over(tail) && !slg_tail_out_room(tail->out)) {
        int64_t before = mono_now();

        wait_for(tail, /* wake= */ false, before + 100 * SLG_NS_PER_MS);
        (void)pump(tail); /* is_over is asked above */
        tail->patience_ns -= mono_now() - before;
    }
    return slg_tail_out_room(tail->out);
}

static enum slg_status show(struct slg_tail *tail, const struct slg_row *row)
{
    if (++tail->rows_since_pump >= PUMP_ROWS && !pump(tail))
        return SLG_CANCELED;
    if (make_room(tail)) {
        slg_tail_out_row(tail->out, row);
        tail->line_count++;
    } else {
        slg_tail_out_drop(tail->out, row);
        tail->dropped_count++;
    }
    return is_over(tail) ? SLG_CANCELED : SLG_OK;
}

static enum slg_status show_new(void *arg, const struct slg_row *row)
{
    struct slg_tail *tail = arg;
    enum slg_status status;

    if (slg_tail_mark_covers(tail->job->mark, row))
        return SLG_OK;
    status = show(tail, row);
    slg_tail_mark_set(&tail->mark, row);
    return status;
}

/* ---- evaluation ---- */

struct evaluation {
    int64_t from_ns;
    int64_t to_ns;
    enum slg_direction direction;
    uint64_t limit;
    const struct slg_rpc_shard_set *shards;
    const size_t *nodes;
    size_t count;
    int64_t timeout_ns;
    slg_fanout_take_row *take;
    void *take_arg;
};

static enum slg_status create_query(const struct slg_tail *tail, const struct evaluation *e,
                                    struct slg_query **ret_query, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = tail->options.limits;
    struct slg_query_params params = {
        .text = slg_text_of(tail->query),
        .start_ns = e->from_ns,
        .end_ns = e->to_ns > SLG_PARAMS_TIME_MAX ? SLG_PARAMS_TIME_MAX : e->to_ns,
        .direction = e->direction,
        .limit = e->limit,
        .series_max = limits->series_max,
        .memory_bytes_max = limits->memory_bytes_max,
        .leaf_memory_bytes_max = limits->memory_bytes_max,
        .leaf_series_max = 1,
        .leaf_bytes_scan_max = limits->bytes_scan_max,
    };

    /* A log query has no steps; this keeps their number within what is checked. */
    params.step_ns = (params.end_ns - params.start_ns) / SLG_QUERY_STEP_COUNT_MAX + 1;
    return slg_query_create(&params, ret_query, reterr);
}

static enum slg_status run_fanout(struct slg_tail *tail, const struct evaluation *e,
                                  const struct slg_query *query, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = tail->options.limits;
    struct slg_fanout_options options = {
        .peers = tail->options.peers,
        .tenant = tail->options.tenant,
        .deadline_mono_ns = mono_now() + e->timeout_ns,
        .now_wall_ns = slg_clock_wall_ns(slg_clock_system()),
        .memory_bytes_max = limits->memory_bytes_max,
        .parallel_max = 1,
        .canceled = is_canceled,
        .canceled_arg = tail,
    };
    struct slg_merge_params merge = { .direction = e->direction,
                                      .limit = e->limit,
                                      .memory_bytes_max = limits->memory_bytes_max };
    struct slg_fanout *fanout;
    enum slg_status status = slg_fanout_create(&options, &fanout, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_fanout_use_shards(fanout, e->shards, e->nodes, e->count, reterr);
    if (status == SLG_OK)
        status = slg_fanout_run_log(fanout, query, &merge, e->take, e->take_arg, reterr);
    slg_metric_add_shared(tail->options.metrics, METRIC_querier_scanned_bytes_total, 0,
                          slg_fanout_stats(fanout)->bytes_read);
    slg_metric_add_shared(tail->options.metrics, METRIC_querier_scanned_lines_total, 0,
                          slg_fanout_stats(fanout)->lines_read);
    slg_fanout_destroy(fanout);
    return status;
}

static enum slg_status evaluate(struct slg_tail *tail, const struct evaluation *e,
                                struct slg_error *reterr)
{
    struct slg_query *query = NULL;
    enum slg_status status = create_query(tail, e, &query, reterr);

    if (status == SLG_OK)
        status = run_fanout(tail, e, query, reterr);
    slg_query_destroy(query);
    return status;
}

static void count_rows(struct slg_tail *tail, uint64_t lines_before, uint64_t dropped_before)
{
    slg_metric_add_shared(tail->options.metrics, METRIC_querier_tail_lines_total, 0,
                          tail->line_count - lines_before);
    slg_metric_add_shared(tail->options.metrics, METRIC_querier_tail_dropped_lines_total, 0,
                          tail->dropped_count - dropped_before);
}

/* ---- history ---- */

struct history {
    struct slg_arena *arena;
    struct slg_row *rows;
    size_t count;
    size_t capacity;
};

static bool copy_set(struct slg_arena *arena, const struct slg_label_set *from,
                     struct slg_label_set *ret_set)
{
    struct slg_label *items = slg_arena_calloc(arena, from->count + 1, sizeof(*items));

    if (items == NULL)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        const struct slg_label *label = &from->items[i];
        char *name = slg_arena_copy(arena, label->name.at, label->name.len);
        char *value = slg_arena_copy(arena, label->value.at, label->value.len);

        if (name == NULL || value == NULL)
            return false;
        items[i].name = slg_text_make(name, label->name.len);
        items[i].value = slg_text_make(value, label->value.len);
    }
    *ret_set = (struct slg_label_set){ .items = items, .count = from->count };
    return true;
}

static enum slg_status keep_row(void *arg, const struct slg_row *row)
{
    struct history *history = arg;
    struct slg_row copy = *row;
    struct slg_batch_id *batch = slg_arena_alloc(history->arena, sizeof(*batch));
    char *line = slg_arena_copy(history->arena, row->line.at, row->line.len);

    if (history->count == history->capacity) {
        size_t capacity = history->capacity == 0 ? 128 : 2 * history->capacity;
        struct slg_row *rows =
            slg_arena_grow(history->arena, history->rows, history->count, capacity, sizeof(*rows));

        if (rows == NULL)
            return SLG_LIMIT;
        history->rows = rows;
        history->capacity = capacity;
    }
    if (batch == NULL || line == NULL || !copy_set(history->arena, &row->stream, &copy.stream) ||
        !copy_set(history->arena, &row->metadata, &copy.metadata) ||
        !copy_set(history->arena, &row->parsed, &copy.parsed))
        return SLG_LIMIT;
    *batch = *row->batch;
    copy.batch = batch;
    copy.line = slg_text_make(line, row->line.len);
    history->rows[history->count++] = copy;
    return SLG_OK;
}

/* Rows of equal time stand by stream in both directions, so turning them round is not enough. */
static int compare_rows(const void *left, const void *right)
{
    if (slg_row_before(SLG_FORWARD, left, right))
        return -1;
    return slg_row_before(SLG_FORWARD, right, left);
}

/* Shards of the first picture that can be read. */
static size_t pick_shards(const struct slg_tail_sets *sets, struct slg_arena *arena,
                          struct slg_rpc_shard_set *shards, size_t *nodes)
{
    size_t count = 0;

    for (size_t i = 0; i < sets->count; i++) {
        const struct slg_tail_sets_entry *entry = &sets->entries[i];
        struct slg_buf bytes;
        char *copy;

        if (!entry->answered)
            continue;
        slg_buf_init(&bytes, SLG_MESSAGE_BYTES_MAX);
        slg_batch_set_encode(&bytes, entry->shard->set);
        copy = slg_buf_failed(&bytes) ? NULL : slg_arena_copy(arena, bytes.data, bytes.len);
        if (copy != NULL) {
            nodes[count] = entry->node_index;
            shards[count++] = (struct slg_rpc_shard_set){ .shard = entry->shard->id,
                                                          .set = slg_text_make(copy, bytes.len) };
        }
        slg_buf_fini(&bytes);
        if (copy == NULL)
            return SIZE_MAX;
    }
    return count;
}

static enum slg_status read_history(struct slg_tail *tail, struct history *history,
                                    struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = tail->options.limits;
    struct evaluation e = { .from_ns = tail->options.start_ns,
                            .to_ns = slg_tail_state_horizon(tail->state),
                            .direction = SLG_BACKWARD,
                            .limit = tail->options.limit,
                            .timeout_ns = limits->query_timeout_ms * SLG_NS_PER_MS,
                            .take = keep_row,
                            .take_arg = history };
    size_t count = tail->sets->count;
    struct slg_rpc_shard_set *shards = slg_arena_calloc(history->arena, count + 1, sizeof(*shards));
    size_t *nodes = slg_arena_calloc(history->arena, count + 1, sizeof(*nodes));
    enum slg_status status;

    if (e.to_ns <= e.from_ns)
        return SLG_OK; /* a start that is not here yet */
    e.count = shards == NULL || nodes == NULL
                  ? SIZE_MAX
                  : pick_shards(tail->sets, history->arena, shards, nodes);
    if (e.count == SIZE_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "the history covers too many shards");
    e.shards = shards;
    e.nodes = nodes;
    status = slg_gate_enter(tail->options.gate, &tail->options.place, mono_now() + e.timeout_ns,
                            is_canceled, tail);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the queue of queries is full or too slow");
    status = evaluate(tail, &e, reterr);
    slg_gate_leave(tail->options.gate, &tail->options.place);
    return status;
}

static void show_history(struct slg_tail *tail)
{
    struct history history = { .arena = slg_arena_create(tail->options.limits->memory_bytes_max) };
    struct slg_error error = { 0 };
    enum slg_status status = SLG_NO_MEMORY;

    if (history.arena != NULL)
        status = read_history(tail, &history, &error);
    if (status == SLG_LIMIT && error.message[0] == '\0')
        (void)slg_errorf(&error, status, "the history is too large: ask for a smaller limit");
    if (status != SLG_OK)
        end_tail(tail, SLG_WEBSOCKET_SERVER_ERROR, "%s",
                 error.message[0] == '\0' ? slg_status_text(status) : error.message);
    if (status == SLG_OK && history.count > 0)
        qsort(history.rows, history.count, sizeof(*history.rows), compare_rows);
    tail->patience_ns = HISTORY_PATIENCE_NS;
    for (size_t i = 0; status == SLG_OK && i < history.count; i++)
        status = show(tail, &history.rows[i]);
    slg_tail_out_flush(tail->out);
    count_rows(tail, 0, 0);
    slg_arena_destroy(history.arena);
}

/* ---- what is new ---- */

/* Will the same question be answered later? */
static bool may_pass(enum slg_status status)
{
    return status == SLG_UNAVAILABLE || status == SLG_TIMEOUT || status == SLG_AGAIN ||
           status == SLG_NOT_FOUND;
}

static int64_t job_timeout(const struct slg_tail *tail, const struct slg_tail_job *job)
{
    int64_t most = tail->options.limits->query_timeout_ms * SLG_NS_PER_MS;
    int64_t timeout = LIVE_TIMEOUT_NS << (job->attempt < 8 ? job->attempt : 8);

    return timeout < most ? timeout : most;
}

/* False: stop here for now. */
static bool run_job(struct slg_tail *tail, struct slg_tail_job *job)
{
    struct evaluation e = { .from_ns = job->from_ns,
                            .to_ns = job->to_ns,
                            .direction = SLG_FORWARD,
                            .shards = job->shards,
                            .nodes = job->nodes,
                            .count = job->count,
                            .timeout_ns = job_timeout(tail, job),
                            .take = show_new,
                            .take_arg = tail };
    uint64_t lines = tail->line_count, dropped = tail->dropped_count;
    struct slg_error error = { 0 };
    enum slg_status status;

    tail->job = job;
    tail->mark.set = false;
    tail->patience_ns = PATIENCE_NS;
    status = evaluate(tail, &e, &error);
    slg_tail_out_flush(tail->out);
    tail->job = NULL;
    count_rows(tail, lines, dropped);
    if (status == SLG_OK) {
        slg_tail_state_done(tail->state, job);
        return true;
    }
    slg_tail_state_broken(tail->state, job, &tail->mark);
    if (may_pass(status)) {
        slg_metric_add_shared(tail->options.metrics, METRIC_querier_tail_interruptions_total, 0, 1);
        tail->retry_mono_ns = mono_now() + RETRY_NS;
        slg_log_debug("a tail was interrupted and goes on later reason=%s", error.message);
    } else {
        end_tail(tail, SLG_WEBSOCKET_SERVER_ERROR, "%s",
                 error.message[0] == '\0' ? slg_status_text(status) : error.message);
    }
    return false;
}

static void run_jobs(struct slg_tail *tail)
{
    int64_t now = slg_clock_wall_ns(slg_clock_system()); /* one instant, or a delay never ends */
    struct slg_tail_job *job;
    enum slg_status status = SLG_OK;

    tail->due = false;
    tail->retry_mono_ns = INT64_MAX;
    while (status == SLG_OK && pump(tail)) {
        status = slg_tail_state_next(tail->state, tail->sets, now, &job);
        if (status == SLG_OK && !run_job(tail, job))
            return;
    }
    if (status != SLG_OK && status != SLG_NOT_FOUND)
        end_tail(tail, SLG_WEBSOCKET_SERVER_ERROR, "no memory for the sets of this tail");
    if (slg_tail_state_broken_count(tail->state) > 0)
        tail->retry_mono_ns = mono_now() + RETRY_NS;
    if (tail->options.delay_ns > 0 && mono_now() + DELAY_TICK_NS < tail->retry_mono_ns)
        tail->retry_mono_ns = mono_now() + DELAY_TICK_NS;
}

static void take_picture(struct slg_tail *tail)
{
    enum slg_status status;
    struct slg_tail_sets *sets = slg_tail_take(tail->options.subscription, &status);

    if (sets == NULL) /* a failed look is the hub's matter: it goes on */
        return;
    slg_tail_sets_unref(tail->sets);
    tail->sets = sets;
    tail->due = true;
}

static void follow(struct slg_tail *tail)
{
    tail->due = true;
    while (pump(tail)) {
        int64_t deadline = tail->next_ping_mono_ns;

        take_picture(tail);
        /* A broken job is not pressed: new pictures wait for its time, too. */
        if ((tail->due && tail->retry_mono_ns == INT64_MAX) || mono_now() >= tail->retry_mono_ns)
            run_jobs(tail);
        slg_tail_out_flush(tail->out); /* dropped rows, once there is room */
        if (!pump(tail))
            return;
        deadline = tail->retry_mono_ns < deadline ? tail->retry_mono_ns : deadline;
        wait_for(tail, /* wake= */ true, deadline);
    }
}

/* ---- the end ---- */

/* The closing handshake (RFC 6455 section 7.1.2), as long as the client plays its part. */
static void say_good_bye(struct slg_tail *tail)
{
    int64_t deadline = mono_now() + BYE_NS;
    bool closed_first = tail->peer_closed;

    if (tail->lost)
        return;
    if (tail->stopping && !closed_first && tail->close_code == 0) {
        while (!tail->lost && slg_tail_out_pending(tail->out).len > 0 && mono_now() < deadline) {
            send_pending(tail); /* what is begun is ended: half a message tells nothing */
            if (tail->blocked)
                wait_for(tail, /* wake= */ false, deadline);
        }
        receive(tail); /* what lies unread would turn the end into a reset */
        return;
    }
    if (!closed_first)
        slg_tail_out_close(tail->out, tail->close_code, tail->reason);
    else if (tail->peer_code == SLG_WEBSOCKET_NO_CODE)
        slg_tail_out_control(tail->out, SLG_WEBSOCKET_CLOSE, "", 0);
    else
        slg_tail_out_close(tail->out, tail->peer_code, "");
    while (!tail->lost && mono_now() < deadline) {
        send_pending(tail);
        if (slg_tail_out_pending(tail->out).len == 0 &&
            (tail->peer_closed || tail->decoder.close_code != 0))
            return;
        wait_for(tail, /* wake= */ false, deadline);
        receive(tail);
    }
}

void slg_tail_run(void *arg, struct slg_http_socket *socket)
{
    struct slg_tail *tail = arg;
    int64_t now = mono_now();

    tail->socket = socket;
    tail->end_mono_ns = now + tail->options.limits->tail_time_max_ns;
    tail->next_ping_mono_ns = now + PING_NS;
    tail->life_mono_ns = now;
    tail->retry_mono_ns = INT64_MAX;
    show_history(tail);
    follow(tail);
    say_good_bye(tail);
    slg_log_debug("tail ended code=%u reason=%s seconds=%lld lines=%llu dropped=%llu",
                  tail->close_code, tail->reason, (long long)((mono_now() - now) / SLG_NS_PER_SEC),
                  (unsigned long long)tail->line_count, (unsigned long long)tail->dropped_count);
    slg_tail_release(tail);
}
