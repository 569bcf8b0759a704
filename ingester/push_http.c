/* Concurrency
 *   batcher, cell          the push thread
 *   workspaces, jobs       base/queue hands them over; a job's entries are the push thread's until APPENDED
 *   job->pending, ->...    atomics; the last of (handler, batches) frees the job
 *   retention, keep_from   atomics, set by slg_push_http_set_map
 *   map_next               exchanged, as in lane.c */
#include "ingester/push_http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"

#define JOB_COUNT_MAX   ((size_t)64)
#define WAIT_SLICE_NS   (100 * SLG_NS_PER_MS)
#define NEVER_LONGER_NS SLG_NS_PER_SEC

enum job_event { JOB_APPENDED = 1, JOB_SETTLED };

/* Why a request was not stored whole; the first reason stays. */
enum job_failure {
    FAILURE_NONE,
    FAILURE_BUSY,       /* no room in time */
    FAILURE_NEW_SHARDS, /* too many new shards in this minute */
    FAILURE_WINDOWS,    /* too many windows: nothing was stored */
    FAILURE_STOPPING,
    FAILURE_ABANDONED, /* given up by the forwarder, may be stored */
    FAILURE_EXPIRED,
    FAILURE_FUTURE,
    FAILURE_REFUSED, /* by storers, for another reason */
};

struct job {
    struct slg_forward_waiter waiter; /* first */
    struct slg_queue *events;         /* of enum job_event, to the handler; 2 places */
    const struct slg_push_entry *entries;
    size_t entry_count;
    uint64_t rejected[SLG_DROP_REASON_COUNT];
    int64_t deadline_mono_ns;
    _Atomic bool gone;              /* the client hung up: stop appending */
    _Atomic int failure;            /* enum job_failure */
    _Atomic uint32_t pending;       /* batches not settled + 1 while the push thread appends */
    _Atomic uint32_t holders;       /* handler, and the batches together */
    uint8_t marks[JOB_SETTLED + 1]; /* queues carry pointers: the address says which event */
};

/* Memory of one request while it is decoded and its entries wait for their builders. */
struct workspace {
    struct slg_arena *decoding; /* the decoder's: the body, streams and its scratch */
    struct slg_arena *kept;     /* ours: the entries */
};

struct slg_push_http {
    struct slg_push_http_options options;
    struct slg_clock *clock;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct workspace spaces[SLG_PUSH_WORKSPACE_COUNT];
    struct slg_queue *workspaces; /* those that are free */
    struct slg_queue *jobs;
    pthread_t thread;
    bool started;
    _Atomic bool stopping;
    _Atomic int64_t stop_mono_ns;
    _Atomic int64_t retention_ns;
    _Atomic int64_t keep_from_ns;
    _Atomic(struct slg_map *) map_next;
    struct slg_map *map;
};

/* ---- jobs ---- */

static void release_job(struct job *job, uint32_t hold_count)
{
    if (atomic_fetch_sub_explicit(&job->holders, hold_count, memory_order_acq_rel) != hold_count)
        return;
    slg_queue_destroy(job->events);
    free(job);
}

static void tell(struct job *job, enum job_event event)
{
    enum slg_status status = slg_queue_push(job->events, &job->marks[event]);

    SLG_ASSERT(status == SLG_OK); /* each event comes once, and there are two places */
}

static void fail_job(struct job *job, enum job_failure failure)
{
    int none = FAILURE_NONE;

    (void)atomic_compare_exchange_strong(&job->failure, &none, (int)failure);
}

/* One batch less, or the push thread's own hold. The last one tells the handler. */
static void settle_one(struct job *job)
{
    if (atomic_fetch_sub_explicit(&job->pending, 1, memory_order_acq_rel) != 1)
        return;
    tell(job, JOB_SETTLED);
    release_job(job, 1);
}

/* Forward thread. */
static void on_settled(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                       enum slg_drop_reason reason)
{
    struct job *job = (struct job *)(void *)waiter;

    if (outcome == SLG_REPLICA_ABANDONED)
        fail_job(job, FAILURE_ABANDONED);
    else if (outcome == SLG_REPLICA_DROPPED)
        fail_job(job, reason == SLG_DROP_EXPIRED  ? FAILURE_EXPIRED
                      : reason == SLG_DROP_FUTURE ? FAILURE_FUTURE
                      : reason == SLG_DROP_STOP   ? FAILURE_ABANDONED
                                                  : FAILURE_REFUSED);
    settle_one(job);
}

/* ---- the push thread ---- */

static bool too_many_windows(const struct slg_push_http *push, const struct job *job)
{
    int64_t seen[SLG_PUSH_WINDOWS_MAX];
    size_t seen_count = 0;
    int64_t last = INT64_MIN;

    for (size_t i = 0; i < job->entry_count; i++) {
        int64_t ts_ns = job->entries[i].ts_ns;
        int64_t window;
        size_t at = 0;

        if (ts_ns < 0)
            continue; /* refused when it is added */
        window = slg_window_start(ts_ns, slg_map_layout_at(push->map, ts_ns)->window_length_ns);
        if (window == last)
            continue;
        last = window;
        while (at < seen_count && seen[at] != window)
            at++;
        if (at < seen_count)
            continue;
        if (seen_count == push->options.windows_max)
            return true;
        seen[seen_count++] = window;
    }
    return false;
}

/* A batch object in hand, so that an entry that is counted as received does find a place. */
static bool wait_room(struct slg_push_http *push, const struct job *job)
{
    for (;;) {
        int64_t now = slg_clock_mono_ns(push->clock);
        int64_t slice = now + WAIT_SLICE_NS;

        if (slg_batcher_wait_room(push->batcher,
                                  slice < job->deadline_mono_ns ? slice : job->deadline_mono_ns) ==
            SLG_OK)
            return true;
        if (now >= job->deadline_mono_ns || atomic_load(&job->gone) ||
            (atomic_load(&push->stopping) && now >= atomic_load(&push->stop_mono_ns)))
            return false;
    }
}

static enum slg_status append_entry(struct slg_push_http *push, struct job *job,
                                    const struct slg_push_entry *entry, int64_t now_mono_ns)
{
    const struct slg_batcher_entry made = {
        .stream = entry->stream,
        .kind = SLG_ENTRY_PUSH,
        .ts_ns = entry->ts_ns,
        .line = entry->line,
        .metadata = entry->metadata,
        .metadata_count = entry->metadata_count,
        .listener = push->options.listener,
        .waiter = &job->waiter,
    };
    bool new_batch = false;
    enum slg_status status;

    slg_account_received(push->cell, push->options.listener, 1);
    /* Before the batch can be settled; taken back when the builder knows the job already. */
    atomic_fetch_add_explicit(&job->pending, 1, memory_order_relaxed);
    status = slg_batcher_add(push->batcher, &made, now_mono_ns, &new_batch);
    if (status != SLG_OK || !new_batch)
        atomic_fetch_sub_explicit(&job->pending, 1, memory_order_relaxed);
    if (status != SLG_OK)
        slg_account_dropped(push->cell, push->options.listener,
                            status == SLG_LIMIT   ? SLG_DROP_NEW_SHARDS
                            : status == SLG_AGAIN ? SLG_DROP_MEMORY
                                                  : SLG_DROP_INVALID,
                            1);
    return status;
}

static void append_entries(struct slg_push_http *push, struct job *job)
{
    int64_t now = slg_clock_mono_ns(push->clock);

    for (size_t i = 0; i < job->entry_count; i++) {
        enum slg_status status;

        if (!wait_room(push, job)) {
            fail_job(job, FAILURE_BUSY);
            return;
        }
        status = append_entry(push, job, &job->entries[i], now);
        if (status == SLG_LIMIT || status == SLG_AGAIN) {
            fail_job(job, status == SLG_LIMIT ? FAILURE_NEW_SHARDS : FAILURE_BUSY);
            return;
        }
        if (status != SLG_OK)
            fail_job(job, FAILURE_REFUSED); /* never 204 for what was dropped */
    }
}

static void count_rejected(struct slg_push_http *push, const struct job *job)
{
    for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++) {
        if (job->rejected[reason] == 0)
            continue;
        slg_account_received(push->cell, push->options.listener, job->rejected[reason]);
        slg_account_dropped(push->cell, push->options.listener, (enum slg_drop_reason)reason,
                            job->rejected[reason]);
    }
}

static void take_job(struct slg_push_http *push, struct job *job)
{
    count_rejected(push, job);
    if (too_many_windows(push, job))
        fail_job(job, FAILURE_WINDOWS);
    else
        append_entries(push, job);
    tell(job, JOB_APPENDED); /* the handler takes its memory back */
    settle_one(job);
}

static void take_map(struct slg_push_http *push)
{
    struct slg_map *map = atomic_exchange(&push->map_next, NULL);

    if (map == NULL)
        return;
    slg_batcher_set_map(push->batcher, map);
    slg_map_unref(push->map);
    push->map = map;
}

static void drop_at_stop(void *ctx, size_t listener, uint64_t entry_count)
{
    struct slg_push_http *push = ctx;

    slg_account_dropped(push->cell, listener, SLG_DROP_STOP, entry_count);
}

static void *run(void *ctx)
{
    struct slg_push_http *push = ctx;

    for (;;) {
        int64_t wake = slg_batcher_wake_mono_ns(push->batcher);
        int64_t latest = slg_clock_mono_ns(push->clock) + NEVER_LONGER_NS;
        void *item = NULL;
        enum slg_status status = slg_queue_pop(push->jobs, wake < latest ? wake : latest, &item);

        if (status == SLG_CANCELED)
            break;
        take_map(push);
        /* Requests that came in the meantime share the builders. */
        while (status == SLG_OK) {
            take_job(push, item);
            status = slg_queue_try_pop(push->jobs, &item);
        }
        slg_batcher_tick(push->batcher, slg_clock_mono_ns(push->clock), /* drained= */ true);
    }
    if (slg_batcher_flush(push->batcher, atomic_load(&push->stop_mono_ns)) != 0)
        slg_batcher_clear(push->batcher, drop_at_stop, push);
    return NULL;
}

/* ---- the handler ---- */

struct request {
    struct slg_push_http *push;
    struct slg_http_request *http;
    struct workspace *workspace;
    const char *body; /* the copy that is decoded */
    size_t body_len;
    struct slg_push_entry *entries;
    size_t entry_count;
    size_t entry_room;
    struct slg_push_result result;
    struct slg_error error;
    int64_t start_mono_ns;
    int64_t deadline_mono_ns;
};

static void answer(struct request *r, enum slg_ingester_push_outcome outcome, unsigned code,
                   const char *text)
{
    slg_metric_add_shared(r->push->options.metrics, METRIC_ingester_push_requests_total,
                          (size_t)outcome, 1);
    slg_metric_observe_shared(r->push->options.metrics, METRIC_ingester_push_seconds, 0,
                              (uint64_t)(slg_clock_mono_ns(r->push->clock) - r->start_mono_ns));
    if (code == 503)
        slg_http_answer_header(r->http, "Retry-After", "5");
    if (code == 204)
        slg_http_answer(r->http, 204, NULL, NULL, 0);
    else
        slg_http_answer_text(r->http, code, text);
}

/* As Loki: JSON when it says so, protobuf else. What follows the type are parameters (RFC 9110, 8.3.1). */
static enum slg_push_format format_of(const struct slg_http_request *http)
{
    const char *type = slg_http_header(http, "Content-Type");
    static const char json[] = "application/json";

    if (type != NULL && strncasecmp(type, json, sizeof(json) - 1) == 0 &&
        strchr(" \t;", type[sizeof(json) - 1]) != NULL)
        return SLG_PUSH_JSON;
    return SLG_PUSH_PROTOBUF;
}

/* gzip and deflate are undone by now, snappy is protobuf's own. False: the body is in another encoding. */
static bool is_readable(struct request *r)
{
    static const char *const known[] = { "", "identity", "snappy", "gzip", "deflate" };
    const char *encoding = slg_http_header(r->http, "Content-Encoding");

    for (size_t i = 0; i < SLG_ARRAY_LEN(known); i++)
        if (encoding == NULL || strcasecmp(encoding, known[i]) == 0)
            return true;
    (void)slg_errorf(&r->error, SLG_INVALID, "Content-Encoding \"%.32s\" not supported", encoding);
    return false;
}

/* What is handed out may be scratch of the decoder: keep a copy of what does not stand in the body itself. */
static bool keep_text(struct request *r, struct slg_text *text)
{
    const char *copy;

    if (text->len == 0 || (text->at >= r->body && text->at < r->body + r->body_len))
        return true;
    copy = slg_arena_copy(r->workspace->kept, text->at, text->len);
    if (copy == NULL)
        return false;
    text->at = copy;
    return true;
}

static bool keep_metadata(struct request *r, struct slg_push_entry *entry)
{
    struct slg_label *items;

    if (entry->metadata_count == 0)
        return true;
    items = slg_arena_alloc(r->workspace->kept, entry->metadata_count * sizeof(*items));
    if (items == NULL)
        return false;
    for (size_t i = 0; i < entry->metadata_count; i++) {
        items[i] = entry->metadata[i];
        if (!keep_text(r, &items[i].name) || !keep_text(r, &items[i].value))
            return false;
    }
    entry->metadata = items;
    return true;
}

static enum slg_status take_entry(void *ctx, const struct slg_push_entry *entry)
{
    struct request *r = ctx;
    struct slg_push_entry kept = *entry;

    if (r->entry_count == r->entry_room) {
        size_t room = r->entry_room == 0 ? 256 : r->entry_room * 2;
        struct slg_push_entry *grown =
            slg_arena_grow(r->workspace->kept, r->entries, r->entry_count, room, sizeof(*entry));

        if (grown == NULL)
            return slg_errorf(&r->error, SLG_LIMIT, "the push needs too much memory");
        r->entries = grown;
        r->entry_room = room;
    }
    if (!keep_text(r, &kept.line) || !keep_metadata(r, &kept))
        return slg_errorf(&r->error, SLG_LIMIT, "the push needs too much memory");
    r->entries[r->entry_count++] = kept;
    return SLG_OK;
}

static enum slg_status decode(struct request *r)
{
    struct slg_push_http *push = r->push;
    struct slg_push_options options = push->options.push;
    struct slg_text body = slg_http_body(r->http);
    int64_t now_ns = slg_clock_wall_ns(push->clock);
    int64_t retention_ns = atomic_load(&push->retention_ns);
    uint8_t *copy =
        slg_arena_alloc(r->workspace->decoding, body.len); /* decoding changes it in place */

    if (copy == NULL)
        return slg_errorf(&r->error, SLG_LIMIT, "the body of %zu bytes is too large", body.len);
    if (body.len > 0)
        memcpy(copy, body.at, body.len);
    r->body = (const char *)copy;
    r->body_len = body.len;
    options.newest_ns = now_ns + push->options.max_future_ns;
    options.oldest_ns = retention_ns > 0 ? now_ns - retention_ns : 0;
    if (options.oldest_ns < atomic_load(&push->keep_from_ns))
        options.oldest_ns = atomic_load(&push->keep_from_ns);
    if (options.oldest_ns < 0)
        options.oldest_ns = 0;
    return slg_push_decode(&options, format_of(r->http), r->workspace->decoding, copy, body.len,
                           take_entry, r, &r->result, &r->error);
}

static enum slg_drop_reason drop_reason_of(enum slg_push_reason reason)
{
    switch (reason) {
    case SLG_PUSH_TOO_OLD:
        return SLG_DROP_EXPIRED;
    case SLG_PUSH_TOO_NEW:
        return SLG_DROP_FUTURE;
    case SLG_PUSH_RESERVED:
        return SLG_DROP_RESERVED;
    case SLG_PUSH_INVALID_LABELS:
    case SLG_PUSH_MISSING_LABELS:
    case SLG_PUSH_LINE_TOO_LONG:
    case SLG_PUSH_TOO_MANY_LABELS:
    case SLG_PUSH_LABEL_NAME_TOO_LONG:
    case SLG_PUSH_LABEL_VALUE_TOO_LONG:
    case SLG_PUSH_DUPLICATE_LABEL:
    case SLG_PUSH_METADATA_TOO_LARGE:
    case SLG_PUSH_METADATA_TOO_MANY:
    case SLG_PUSH_REASON_COUNT:
        return SLG_DROP_INVALID;
    }
    return SLG_DROP_INVALID;
}

static struct job *make_job(const struct request *r)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    if (slg_queue_create(2, &job->events) != SLG_OK) {
        free(job);
        return NULL;
    }
    job->waiter.settled = on_settled;
    job->entries = r->entries;
    job->entry_count = r->entry_count;
    job->deadline_mono_ns = r->deadline_mono_ns;
    for (size_t i = 0; i < SLG_PUSH_REASON_COUNT; i++)
        job->rejected[drop_reason_of((enum slg_push_reason)i)] += r->result.rejected[i];
    atomic_init(&job->pending, 1);
    atomic_init(&job->holders, 2);
    return job;
}

static bool wait_for(struct job *job, enum job_event event, int64_t deadline_mono_ns)
{
    void *item;

    if (slg_queue_pop(job->events, deadline_mono_ns, &item) != SLG_OK)
        return false;
    SLG_ASSERT(item == &job->marks[event]); /* APPENDED always comes first */
    return true;
}

static void give_back(struct request *r)
{
    enum slg_status status;

    if (r->workspace == NULL)
        return;
    slg_arena_reset(r->workspace->decoding);
    slg_arena_reset(r->workspace->kept);
    status = slg_queue_push(r->push->workspaces, r->workspace);
    SLG_ASSERT(status == SLG_OK); /* the queue holds them all */
    r->workspace = NULL;
}

/* Hand the entries over and wait until they are on disk. */
static enum job_failure store(struct request *r)
{
    struct job *job = make_job(r);
    enum job_failure failure = FAILURE_BUSY;
    enum slg_status status;

    if (job == NULL)
        return FAILURE_BUSY;
    status = slg_queue_push_wait(r->push->jobs, job, r->deadline_mono_ns);
    if (status != SLG_OK) {
        release_job(job, 2); /* the other holder never came to be */
        return status == SLG_CANCELED ? FAILURE_STOPPING : FAILURE_BUSY;
    }
    while (!wait_for(job, JOB_APPENDED, slg_clock_mono_ns(r->push->clock) + WAIT_SLICE_NS))
        if (slg_http_client_gone(r->http))
            atomic_store(&job->gone, true);
    give_back(r);
    if (wait_for(job, JOB_SETTLED, r->deadline_mono_ns))
        failure = (enum job_failure)atomic_load(&job->failure);
    release_job(job, 1);
    return failure;
}

static void answer_stored(struct request *r, enum job_failure failure)
{
    switch (failure) {
    case FAILURE_NONE:
        if (r->result.rejected_count > 0)
            answer(r, SLG_PUSH_INCOMPLETE, 400, r->result.message);
        else
            answer(r, SLG_PUSH_STORED, 204, "");
        return;
    case FAILURE_BUSY:
        answer(r, SLG_PUSH_BUSY, 503,
               slg_forward_read_only(r->push->options.batcher.forward)
                   ? "storers take no writes (a full disk, a copied data directory or "
                     "another release: silagectl status and the log tell): not everything could be "
                     "stored"
                   : "storers are behind, not everything could be stored in time");
        return;
    case FAILURE_NEW_SHARDS:
        answer(r, SLG_PUSH_BUSY, 503,
               "too many new time windows in this minute, send the rest later");
        return;
    case FAILURE_STOPPING:
    case FAILURE_ABANDONED:
        answer(r, SLG_PUSH_BUSY, 503, "the ingester is stopping, send again");
        return;
    case FAILURE_WINDOWS:
        answer(r, SLG_PUSH_BAD, 400,
               "the push touches more time windows than ingester.limits.push_windows_max allows; "
               "send it in parts");
        return;
    case FAILURE_EXPIRED:
        answer(r, SLG_PUSH_INCOMPLETE, 400, "entries are older than the retention of the storers");
        return;
    case FAILURE_FUTURE:
        answer(r, SLG_PUSH_INCOMPLETE, 400, "entries are too far ahead of the storers' clocks");
        return;
    case FAILURE_REFUSED:
        answer(r, SLG_PUSH_LOST, 500, "storers refused a batch");
        return;
    }
}

static void handle_with_workspace(struct request *r)
{
    enum slg_status status = is_readable(r) ? decode(r) : SLG_INVALID;

    if (status != SLG_OK) {
        give_back(r);
        answer(r, SLG_PUSH_BAD, status == SLG_LIMIT ? 413 : 400,
               r->error.message[0] != '\0' ? r->error.message : slg_status_text(status));
        return;
    }
    if (r->result.stream_count == 0) {
        give_back(r);
        answer(r, SLG_PUSH_BAD, 422, "error at least one valid stream is required for ingestion");
        return;
    }
    if (r->entry_count == 0 && r->result.rejected_count == 0) {
        give_back(r);
        answer(r, SLG_PUSH_STORED, 204, "");
        return;
    }
    answer_stored(r, store(r));
}

void slg_push_http_handle(struct slg_push_http *push, struct slg_http_request *http)
{
    struct request r = { .push = push, .http = http };
    void *item;

    r.start_mono_ns = slg_clock_mono_ns(push->clock);
    r.deadline_mono_ns = r.start_mono_ns + push->options.wait_ns;
    if (atomic_load(&push->stopping)) {
        answer(&r, SLG_PUSH_BUSY, 503, "the ingester is stopping, send again");
        return;
    }
    if (slg_queue_pop(push->workspaces, r.deadline_mono_ns, &item) != SLG_OK) {
        answer(&r, SLG_PUSH_BUSY, 503, "too many pushes at once");
        return;
    }
    r.workspace = item;
    handle_with_workspace(&r);
    give_back(&r);
}

/* ---- life ---- */

static enum slg_status set_up(struct slg_push_http *push, struct slg_error *reterr)
{
    enum slg_status status;

    push->cell = slg_account_cell(push->options.account);
    if (push->cell == NULL ||
        slg_queue_create(SLG_PUSH_WORKSPACE_COUNT, &push->workspaces) != SLG_OK ||
        slg_queue_create(JOB_COUNT_MAX, &push->jobs) != SLG_OK)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for pushes");
    for (size_t i = 0; i < SLG_PUSH_WORKSPACE_COUNT; i++) {
        struct workspace *space = &push->spaces[i];

        space->decoding = slg_arena_create(SLG_PUSH_WORK_BYTES_MAX);
        space->kept = slg_arena_create(SLG_PUSH_WORK_BYTES_MAX);
        if (space->decoding == NULL || space->kept == NULL)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for pushes");
        status = slg_queue_push(push->workspaces, space);
        SLG_ASSERT(status == SLG_OK);
    }
    status = slg_batcher_create(&push->options.batcher, &push->batcher, reterr);
    if (status != SLG_OK)
        return status;
    if (pthread_create(&push->thread, NULL, run, push) != 0)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not start the push thread");
    push->started = true;
    return SLG_OK;
}

enum slg_status slg_push_http_start(const struct slg_push_http_options *options,
                                    struct slg_push_http **ret_push, struct slg_error *reterr)
{
    struct slg_push_http *push;
    enum slg_status status;

    if (options->windows_max < 1 || options->windows_max > SLG_PUSH_WINDOWS_MAX ||
        options->wait_ns <= 0)
        return slg_errorf(reterr, SLG_INVALID, "%zu windows of a push are not between 1 and %zu",
                          options->windows_max, SLG_PUSH_WINDOWS_MAX);
    push = calloc(1, sizeof(*push));
    if (push == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for pushes");
    push->options = *options;
    push->clock = options->batcher.clock;
    push->map = slg_map_ref(options->batcher.map);
    atomic_init(&push->retention_ns, push->map->retention_ns);
    atomic_init(&push->keep_from_ns, push->map->keep_from_ns);
    status = set_up(push, reterr);
    if (status != SLG_OK) {
        slg_push_http_destroy(push);
        return status;
    }
    *ret_push = push;
    return SLG_OK;
}

void slg_push_http_stop(struct slg_push_http *push, int64_t deadline_mono_ns)
{
    if (!push->started)
        return;
    atomic_store(&push->stop_mono_ns, deadline_mono_ns);
    atomic_store(&push->stopping, true);
    slg_queue_close(push->jobs); /* the thread drains it and ends */
    SLG_ASSERT(pthread_join(push->thread, NULL) == 0);
    push->started = false;
}

void slg_push_http_destroy(struct slg_push_http *push)
{
    if (push == NULL)
        return;
    SLG_ASSERT(!push->started);
    slg_batcher_destroy(push->batcher);
    slg_queue_destroy(push->jobs);
    slg_queue_destroy(push->workspaces);
    for (size_t i = 0; i < SLG_PUSH_WORKSPACE_COUNT; i++) {
        slg_arena_destroy(push->spaces[i].decoding);
        slg_arena_destroy(push->spaces[i].kept);
    }
    slg_map_unref(atomic_exchange(&push->map_next, NULL));
    slg_map_unref(push->map);
    free(push);
}

void slg_push_http_set_map(struct slg_push_http *push, struct slg_map *map)
{
    atomic_store(&push->retention_ns, map->retention_ns);
    atomic_store(&push->keep_from_ns, map->keep_from_ns);
    slg_map_unref(atomic_exchange(&push->map_next, slg_map_ref(map)));
}
