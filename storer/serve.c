#include "storer/serve.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "storer/admit.h"
#include "storer/catalogue_storage.h"
#include "storer/fetch.h"
#include "storer/streams.h"

/* Concurrency
 * | state            | owner                                     | others                                    |
 * |------------------|-------------------------------------------|-------------------------------------------|
 * | struct job       | free list, requester, worker or lane      | handed over through queues                |
 * | struct worker    | its thread                                | -                                         |
 * | sessions         | storer/session.h                          | -                                         |
 */

/* How long a query keeps a worker while others wait. One that has had a lot, or whose text alone is a lot of work, goes
 * over to workers of its own, which the kernel gives less time: a slice can take long (one line and a bad regex), and a
 * short query must not wait for it. For the same reason there is one more worker for short ones than was asked for. */
#define SLICE_NS              (1 * SLG_NS_PER_MS)
#define LONG_QUERY_NS         (50 * SLG_NS_PER_MS)
#define LONG_TEXT_BYTES       ((size_t)4096)
#define LONG_NICE             10
#define WORKER_COUNT_MAX      (2 * SLG_SERVE_WORKER_COUNT_MAX + 1) /* short, long, and the one more */
#define REQUEST_ARENA_BYTES   ((size_t)64 * 1024 * 1024)
#define KEEP_REPLY_BYTES      ((size_t)256 * 1024) /* a worker's buffer that grew larger is freed */
#define SMALL_REPLY_BYTES     ((size_t)4096)
#define STORAGE_ID_TEXT_BYTES 33 /* 16 bytes in hex, and NUL */

struct job {
    struct slg_serve *serve;
    enum slg_rpc_type type;
    const uint8_t *bytes;
    size_t len;
    slg_serve_reply *reply;
    void *reply_ctx;
    int64_t received_mono_ns;
    struct slg_session *session; /* a query between two slices */
};

struct worker {
    struct slg_serve *serve;
    struct slg_queue *queue;
    pthread_t thread;
    struct slg_arena *arena;
    struct slg_buf reply;
    bool running;
};

struct slg_serve {
    struct slg_serve_options options;
    struct slg_session_table *sessions;
    struct job *jobs;
    struct slg_queue *free_jobs;
    struct slg_queue *queue;
    struct slg_queue *long_queue; /* of queries that had LONG_QUERY_NS */
    struct worker workers[WORKER_COUNT_MAX];
};

/* ---- replies ---- */

static void finish(struct job *job, const void *reply, size_t len)
{
    struct slg_queue *free_jobs = job->serve->free_jobs;
    slg_serve_reply *call = job->reply;
    void *ctx = job->reply_ctx;
    enum slg_status status = slg_queue_push(free_jobs, job);

    SLG_ASSERT(status == SLG_OK); /* it holds all jobs */
    call(ctx, reply, len);
}

/* A reply of status and text, without a worker. */
static void reply_small(slg_serve_reply *reply, void *ctx, enum slg_status status, const char *text)
{
    struct slg_buf out;

    slg_buf_init(&out, SMALL_REPLY_BYTES);
    slg_rpc_encode_failure(&out, status, text);
    reply(ctx, out.data, out.len); /* without memory it is empty, which is no reply at all */
    slg_buf_fini(&out);
}

static void finish_failure(struct job *job, struct slg_buf *out, enum slg_status status,
                           const struct slg_error *err)
{
    slg_buf_clear(out);
    slg_rpc_encode_failure(out, status, err->message);
    finish(job, out->data, out->len);
}

/* ---- STORE ---- */

static void store_done(void *ctx, enum slg_store_result result, const char *text)
{
    struct job *job = ctx;
    struct slg_buf out;

    slg_buf_init(&out, SMALL_REPLY_BYTES);
    slg_rpc_encode_store_reply(&out, result, job->serve->options.map->epoch, text);
    finish(job, out.data, out.len);
    slg_buf_fini(&out);
}

static void take_store(struct job *job)
{
    const uint8_t *batch;
    size_t batch_len;
    unsigned flags;

    if (slg_rpc_decode_store(job->bytes, job->len, &flags, &batch, &batch_len) != SLG_OK) {
        store_done(job, SLG_STORE_MALFORMED, "the message cannot be read");
        return;
    }
    if (job->serve->options.links != NULL &&
        slg_peer_links_state(job->serve->options.links) == SLG_MEMBER_CLASH) {
        store_done(job, SLG_STORE_READ_ONLY,
                   "another storer has the same storage id: one data directory is a copy");
        return;
    }
    if (slg_commit_submit(job->serve->options.commit, batch, batch_len, flags, store_done, job) !=
        SLG_OK)
        store_done(job, SLG_STORE_BUSY, "too many batches wait for the disk");
}

/* ---- ENSURE ---- */

static void ensure_done(void *ctx, enum slg_status status, const char *text)
{
    struct job *job = ctx;
    struct slg_buf out;

    slg_buf_init(&out, SMALL_REPLY_BYTES);
    if (status == SLG_OK)
        slg_rpc_encode_done(&out);
    else
        slg_rpc_encode_failure(&out, status, text);
    finish(job, out.data, out.len);
    slg_buf_fini(&out);
}

static void take_ensure(struct job *job)
{
    struct slg_ensure *ensure = job->serve->options.ensure;

    if (ensure == NULL)
        ensure_done(job, SLG_UNSUPPORTED, "this storer has no peers");
    else if (slg_ensure_submit(ensure, job->bytes, job->len, ensure_done, job) != SLG_OK)
        ensure_done(job, SLG_AGAIN, "too many queries wait for batches of peers");
}

/* ---- small requests ---- */

static enum slg_status check_epoch(const struct slg_serve *serve, uint64_t epoch,
                                   struct slg_error *reterr)
{
    if (epoch > serve->options.map->epoch)
        return slg_errorf(reterr, SLG_UNAVAILABLE,
                          "the request names map epoch %" PRIu64 ", this storer has %" PRIu64,
                          epoch, serve->options.map->epoch);
    return SLG_OK;
}

static int64_t cutoff_ns(const struct slg_serve *serve)
{
    return slg_admit_cutoff_ns(serve->options.map,
                               slg_catalogue_keep_from_ns(serve->options.catalogue),
                               slg_clock_wall_ns(serve->options.clock));
}

/* Who answers, and to a peer what is remembered of it. What the peer told is noted. */
static void tell_storage(const struct slg_serve *serve, const struct slg_rpc_hello *asker,
                         char storage_id[STORAGE_ID_TEXT_BYTES], struct slg_peer_texts *texts,
                         struct slg_rpc_hello *ret_answer)
{
    const struct slg_storage *storage = slg_catalogue_storage(serve->options.catalogue);

    if (serve->options.links != NULL) {
        slg_peer_links_fill(serve->options.links, asker->node_id, texts, ret_answer);
        slg_peer_links_note(serve->options.links, asker);
    }
    for (size_t i = 0; i < sizeof(storage->id); i++)
        (void)snprintf(storage_id + 2 * i, 3, "%02x", storage->id[i]); /* two digits and NUL */
    if (serve->options.links != NULL) {
        if (!slg_text_equal_to(asker->role,
                               "storer")) /* only peers are not told until it is whole */
            ret_answer->storage_id = slg_text_of(storage_id);
        return;
    }
    *ret_answer = (struct slg_rpc_hello){ .cluster_id = slg_text_of(serve->options.map->cluster_id),
                                          .node_id = slg_text_of(serve->options.node_id),
                                          .role = slg_text_of("storer"),
                                          .map_epoch = serve->options.map->epoch,
                                          .map_hash = serve->options.map->hash,
                                          .storage_id = slg_text_of(storage_id) };
}

static enum slg_status answer_hello(struct worker *worker, const struct job *job,
                                    struct slg_error *reterr)
{
    const struct slg_serve *serve = worker->serve;
    const struct slg_map *map = serve->options.map;
    char storage_id[STORAGE_ID_TEXT_BYTES];
    struct slg_peer_texts texts;
    struct slg_rpc_hello hello, answer = { .map_epoch = 0 };
    enum slg_status status = slg_rpc_decode_hello(job->bytes, job->len, &hello);

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the message cannot be read");
    if (!slg_text_equal_to(hello.cluster_id, map->cluster_id))
        return slg_errorf(reterr, SLG_INVALID, "this storer belongs to cluster \"%s\"",
                          map->cluster_id);
    if (hello.map_epoch == map->epoch &&
        (hello.map_hash.high != map->hash.high || hello.map_hash.low != map->hash.low))
        return slg_error_hintf(reterr, SLG_INVALID, "give all nodes the same map",
                               "the maps of epoch %" PRIu64 " differ", map->epoch);
    tell_storage(serve, &hello, storage_id, &texts, &answer);
    slg_rpc_encode_hello_reply(&worker->reply, &answer);
    return SLG_OK;
}

static enum slg_status answer_status(struct worker *worker, struct slg_error *reterr)
{
    struct slg_buf json;
    enum slg_status status;

    slg_buf_init(&json, SLG_MESSAGE_BYTES_MAX - SMALL_REPLY_BYTES);
    status = slg_serve_status(worker->serve, SLG_MESSAGE_BYTES_MAX - 65536, &json, reterr);
    if (status == SLG_OK)
        slg_rpc_encode_status_reply(&worker->reply, json.data, json.len);
    slg_buf_fini(&json);
    return status;
}

static enum slg_status answer_streams(struct worker *worker, const struct job *job,
                                      struct slg_error *reterr)
{
    struct slg_rpc_streams request;
    enum slg_status status = slg_rpc_decode_streams(worker->arena, job->bytes, job->len, &request);

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the message cannot be read");
    status = check_epoch(worker->serve, request.map_epoch, reterr);
    return status == SLG_OK ? slg_streams_answer(worker->serve->options.catalogue, &request,
                                                 cutoff_ns(worker->serve), &worker->reply, reterr)
                            : status;
}

/* ---- SETS ---- */

/* A copy that cannot be read, or is marked so, does not vouch; the other shards do. */
static bool is_damage(enum slg_status status)
{
    return status == SLG_CORRUPT || status == SLG_IO || status == SLG_UNAVAILABLE ||
           status == SLG_UNSUPPORTED;
}

/* Digest, and with want_ranges the set, of one shard. *ret_held is false for a shard that holds nothing. */
static enum slg_status answer_set(struct worker *worker, const struct slg_shard_id *id,
                                  bool want_ranges, struct slg_rpc_shard_set *ret_row,
                                  bool *ret_held, bool *ret_doubt, struct slg_error *reterr)
{
    struct slg_batch_set *set = want_ranges ? slg_batch_set_create() : NULL;
    struct slg_shard_totals totals;
    struct slg_buf bytes;
    enum slg_status status;

    *ret_held = *ret_doubt = false;
    if (want_ranges && set == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a set");
    status = slg_catalogue_totals(worker->serve->options.catalogue, id, &totals, set, reterr);
    if (status == SLG_NOT_FOUND || is_damage(status)) {
        *ret_doubt = status != SLG_NOT_FOUND; /* that: never written, or forgotten meanwhile */
        slg_batch_set_destroy(set);
        return SLG_OK;
    }
    slg_buf_init(&bytes, SLG_MESSAGE_BYTES_MAX);
    *ret_row = (struct slg_rpc_shard_set){ .shard = *id };
    if (status == SLG_OK && want_ranges) {
        char *copy;

        slg_batch_set_encode(&bytes, set);
        copy = slg_arena_copy(worker->arena, bytes.data, bytes.len);
        if (copy == NULL || slg_buf_failed(&bytes))
            status = slg_errorf(reterr, SLG_LIMIT, "the sets are too large for one answer");
        ret_row->set = slg_text_make(copy, bytes.len);
    }
    if (status == SLG_OK) {
        ret_row->digest = totals.digest;
        ret_row->ts_min_ns = totals.ts_min_ns;
        ret_row->ts_max_ns = totals.ts_max_ns;
        *ret_held = totals.digest.count > 0;
        *ret_doubt = totals.doubt != SLG_SHARD_DOUBT_NONE;
    }
    slg_buf_fini(&bytes);
    slg_batch_set_destroy(set);
    return status;
}

/* The shards that a SETS request is about: those it names, or all of its time range. */
static enum slg_status list_shards(struct worker *worker, const struct slg_rpc_sets *request,
                                   struct slg_shard_id **ret_shards, size_t *ret_count,
                                   struct slg_error *reterr)
{
    struct slg_catalogue_row *rows;
    int64_t cutoff = cutoff_ns(worker->serve);
    size_t row_count = 0, count = 0;
    struct slg_shard_id *shards;
    enum slg_status status = SLG_OK;

    if (request->shard_count == 0)
        status = slg_catalogue_list(worker->serve->options.catalogue,
                                    request->from_ns > cutoff ? request->from_ns : cutoff,
                                    request->to_ns, worker->arena, &rows, &row_count);
    if (status != SLG_OK || row_count > SLG_QUERY_SHARD_COUNT_MAX)
        return slg_error_hintf(reterr, SLG_LIMIT, "ask for a shorter time",
                               "the time touches more than %zu shards", SLG_QUERY_SHARD_COUNT_MAX);
    shards = slg_arena_calloc(worker->arena, row_count + request->shard_count + 1, sizeof(*shards));
    if (shards == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "no memory for %zu shards",
                          row_count + request->shard_count);
    for (size_t i = 0; i < row_count; i++)
        shards[count++] = rows[i].id;
    for (size_t i = 0; i < request->shard_count; i++) {
        if (request->shards[i].window_ns + request->shards[i].length_ns > cutoff)
            shards[count++] = request->shards[i];
    }
    *ret_shards = shards;
    *ret_count = count;
    return SLG_OK;
}

static enum slg_status answer_sets(struct worker *worker, const struct job *job,
                                   struct slg_error *reterr)
{
    struct slg_rpc_sets_reply reply = {
        .refilling = worker->serve->options.links != NULL &&
                     slg_peer_links_state(worker->serve->options.links) != SLG_MEMBER_WHOLE
    };
    struct slg_shard_id *shards = NULL;
    struct slg_rpc_shard_set *rows;
    struct slg_shard_id *doubtful;
    struct slg_rpc_sets request;
    size_t count = 0;
    enum slg_status status = slg_rpc_decode_sets(worker->arena, job->bytes, job->len, &request);

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the message cannot be read");
    status = check_epoch(worker->serve, request.map_epoch, reterr);
    if (status == SLG_OK)
        status = list_shards(worker, &request, &shards, &count, reterr);
    if (status != SLG_OK)
        return status;
    rows = slg_arena_calloc(worker->arena, count + 1, sizeof(*rows));
    doubtful = slg_arena_calloc(worker->arena, count + 1, sizeof(*doubtful));
    if (rows == NULL || doubtful == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "no memory for %zu shards", count);
    for (size_t i = 0; status == SLG_OK && i < count; i++) {
        bool held, doubt;

        status = answer_set(worker, &shards[i], request.want_ranges, &rows[reply.shard_count],
                            &held, &doubt, reterr);
        if (status != SLG_OK)
            break;
        reply.shard_count += held;
        if (doubt)
            doubtful[reply.doubtful_count++] = shards[i];
    }
    reply.shards = rows;
    reply.doubtful = doubtful;
    if (status == SLG_OK)
        slg_rpc_encode_sets_reply(&worker->reply, &reply);
    return status;
}

/* ---- FETCH ---- */

static enum slg_status answer_fetch(struct worker *worker, const struct job *job,
                                    struct slg_error *reterr)
{
    struct slg_rpc_fetch request;
    enum slg_status status = slg_rpc_decode_fetch(job->bytes, job->len, &request);

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the message cannot be read");
    status = check_epoch(worker->serve, request.map_epoch, reterr);
    return status == SLG_OK
               ? slg_fetch_answer(worker->serve->options.catalogue, &request,
                                  cutoff_ns(worker->serve), worker->arena, &worker->reply, reterr)
               : status;
}

/* ---- queries ---- */

static enum slg_status open_query(struct worker *worker, struct job *job, struct slg_error *reterr)
{
    const struct slg_serve_options *options = &worker->serve->options;
    uint8_t query_id[16];
    enum slg_status status;

    if (job->type == SLG_RPC_NEXT) {
        status = slg_rpc_decode_next(job->bytes, job->len, query_id);
        if (status != SLG_OK)
            return slg_errorf(reterr, status, "the message cannot be read");
        return slg_session_acquire(worker->serve->sessions, query_id, &job->session, reterr);
    }
    status = slg_session_open(worker->serve->sessions, options->catalogue, job->bytes, job->len,
                              job->received_mono_ns, cutoff_ns(worker->serve),
                              options->view_bytes_max, &job->session, reterr);
    if (status != SLG_OK)
        return status;
    status = check_epoch(worker->serve, job->session->query.map_epoch, reterr);
    if (status != SLG_OK) {
        slg_session_close(worker->serve->sessions, job->session);
        job->session = NULL;
    }
    return status;
}

static void count_page(const struct slg_serve *serve, const struct slg_scan_stats *stats)
{
    struct slg_metric_table *metrics = serve->options.metrics;

    slg_metric_observe_shared(metrics, METRIC_storer_scan_seconds, 0, stats->scan_ns);
    slg_metric_add_shared(metrics, METRIC_storer_scan_bytes_total, 0, stats->bytes_read);
    slg_metric_add_shared(metrics, METRIC_storer_scan_lines_total, 0, stats->lines_read);
    slg_metric_add_shared(metrics, METRIC_storer_scan_batches_total, 0, stats->batches_read);
    slg_metric_add_shared(metrics, METRIC_storer_scan_skipped_batches_total, 0,
                          stats->batches_skipped);
}

/* The session is parked or closed before the reply goes out, for the next request may be there at once. */
static enum slg_status send_page(struct worker *worker, struct job *job, bool more,
                                 struct slg_error *reterr)
{
    struct slg_session *session = job->session;
    const struct slg_rpc_page page = { .more = more,
                                       .stats = session->stats,
                                       .body =
                                           slg_text_make(session->page.data, session->page.len) };

    slg_rpc_encode_page(&worker->reply, &page);
    count_page(worker->serve, &session->stats);
    memset(&session->stats, 0, sizeof(session->stats));
    slg_buf_fini(&session->page);
    if (slg_buf_failed(&worker->reply))
        return slg_errorf(reterr, SLG_LIMIT, "a page is too large for a message");
    if (more)
        slg_session_park(worker->serve->sessions, session, slg_clock_mono_ns(slg_clock_system()));
    else
        slg_session_close(worker->serve->sessions, session);
    finish(job, worker->reply.data, worker->reply.len);
    return SLG_OK;
}

static bool is_long(const struct slg_session *session)
{
    return session->spent_ns >= (uint64_t)LONG_QUERY_NS ||
           session->query.leaf.text.len > LONG_TEXT_BYTES;
}

static int64_t thread_cpu_ns(void)
{
    struct timespec used = { 0 };

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used); /* a valid clock */
    return used.tv_sec * SLG_NS_PER_SEC + used.tv_nsec;
}

static enum slg_status run_slice(struct slg_session *session, bool *ret_more,
                                 struct slg_error *reterr)
{
    int64_t begin_ns = slg_clock_mono_ns(slg_clock_system()), begin_cpu_ns = thread_cpu_ns();
    enum slg_status status = slg_session_prepare(session, reterr);

    if (status == SLG_OK)
        status = slg_scan_step(session->scan, SLICE_NS, &session->page, ret_more, &session->stats,
                               reterr);
    session->spent_ns += (uint64_t)(slg_clock_mono_ns(slg_clock_system()) - begin_ns);
    session->computed_ns += thread_cpu_ns() - begin_cpu_ns;
    return status;
}

/* Hand the query to whose turn it is next. False: nobody takes it, the storer stops. */
static bool pass_on(struct worker *worker, struct job *job)
{
    return slg_queue_push(is_long(job->session) ? worker->serve->long_queue : worker->serve->queue,
                          job) == SLG_OK;
}

static enum slg_status judge_timeout(const struct slg_session *session, struct slg_error *reterr)
{
    if (!slg_session_is_to_blame(session, slg_clock_mono_ns(slg_clock_system())))
        return SLG_TIMEOUT;
    return slg_errorf(reterr, SLG_LIMIT,
                      "the query is too much work for its time; ask for a shorter time range or "
                      "something simpler");
}

static void run_query(struct worker *worker, struct job *job)
{
    struct slg_error err = { .message = "" };
    enum slg_status status = SLG_OK;
    bool more = false;

    if (job->session == NULL) {
        status = open_query(worker, job, &err);
        if (status == SLG_OK && is_long(job->session) &&
            worker->queue != worker->serve->long_queue && pass_on(worker, job))
            return;
    }
    if (status == SLG_OK) {
        struct slg_session *session = job->session;

        do
            status = run_slice(session, &more, &err);
        while (status == SLG_AGAIN && !pass_on(worker, job));
        if (status == SLG_AGAIN)
            return; /* it is in a queue again, behind the others */
        if (status == SLG_OK)
            status = send_page(worker, job, more, &err);
        if (status == SLG_OK)
            return;
        if (status == SLG_TIMEOUT)
            status = judge_timeout(session, &err);
        slg_session_close(worker->serve->sessions, session);
    }
    slg_metric_add_shared(worker->serve->options.metrics, METRIC_storer_queries_failed_total, 0, 1);
    finish_failure(job, &worker->reply, status, &err);
}

/* ---- workers ---- */

static void run_job(struct worker *worker, struct job *job)
{
    struct slg_error err = { .message = "" };
    enum slg_status status = SLG_UNSUPPORTED;

    slg_arena_reset(worker->arena);
    slg_buf_clear(&worker->reply);
    switch (job->type) {
    case SLG_RPC_QUERY:
    case SLG_RPC_NEXT:
        run_query(worker, job);
        return;
    case SLG_RPC_HELLO:
        status = answer_hello(worker, job, &err);
        break;
    case SLG_RPC_SETS:
        status = answer_sets(worker, job, &err);
        break;
    case SLG_RPC_STREAMS:
        status = answer_streams(worker, job, &err);
        break;
    case SLG_RPC_STATUS:
        status = answer_status(worker, &err);
        break;
    case SLG_RPC_FETCH:
        status = answer_fetch(worker, job, &err);
        break;
    case SLG_RPC_STORE:
    case SLG_RPC_ENSURE:
    case SLG_RPC_CANCEL:
        break; /* never queued */
    }
    if (status == SLG_OK && slg_buf_failed(&worker->reply))
        status = slg_errorf(&err, SLG_LIMIT, "the answer is too large for a message");
    if (status == SLG_OK)
        finish(job, worker->reply.data, worker->reply.len);
    else
        finish_failure(job, &worker->reply, status, &err);
}

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    void *job;

    if (worker->queue == worker->serve->long_queue)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LONG_NICE); /* if not, all get the same */
    while (slg_queue_pop(worker->queue, SLG_DEADLINE_NEVER, &job) == SLG_OK) {
        run_job(worker, job);
        if (worker->reply.capacity > KEEP_REPLY_BYTES)
            slg_buf_fini(&worker->reply);
    }
    return NULL;
}

/* ---- taking requests ---- */

static void take_cancel(struct slg_serve *serve, const uint8_t *bytes, size_t len,
                        slg_serve_reply *reply, void *reply_ctx)
{
    uint8_t query_id[16];
    enum slg_status status = slg_rpc_decode_cancel(bytes, len, query_id);

    if (status == SLG_OK)
        slg_session_cancel(serve->sessions, query_id);
    reply_small(reply, reply_ctx, status, status == SLG_OK ? "" : "the message cannot be read");
}

static void refuse(struct slg_serve *serve, enum slg_rpc_type type, slg_serve_reply *reply,
                   void *reply_ctx)
{
    struct slg_buf out;

    slg_metric_add_shared(serve->options.metrics, METRIC_storer_requests_refused_total, 0, 1);
    if (type != SLG_RPC_STORE) {
        reply_small(reply, reply_ctx, SLG_AGAIN, "too many requests wait");
        return;
    }
    slg_buf_init(&out, SMALL_REPLY_BYTES);
    slg_rpc_encode_store_reply(&out, SLG_STORE_BUSY, serve->options.map->epoch,
                               "too many requests wait");
    reply(reply_ctx, out.data, out.len);
    slg_buf_fini(&out);
}

/* A message whose head says too little to know what it asks. */
static void reply_unread(slg_serve_reply *reply, void *reply_ctx, enum slg_status status)
{
    struct slg_error error;

    if (status == SLG_UNSUPPORTED)
        (void)slg_errorf(&error, status, "this storer speaks wire version %d only",
                         SLG_RPC_VERSION);
    else
        (void)slg_errorf(&error, status, "the message cannot be read");
    reply_small(reply, reply_ctx, status, error.message);
}

void slg_serve_request(struct slg_serve *serve, const uint8_t *bytes, size_t len,
                       slg_serve_reply *reply, void *reply_ctx)
{
    enum slg_rpc_type type;
    enum slg_status status = slg_rpc_peek(bytes, len, &type);
    void *free_job;
    struct job *job;

    if (status != SLG_OK) {
        slg_metric_add_shared(serve->options.metrics, METRIC_storer_requests_total, 0, 1);
        reply_unread(reply, reply_ctx, status);
        return;
    }
    slg_metric_add_shared(serve->options.metrics, METRIC_storer_requests_total, type, 1);
    if (type == SLG_RPC_CANCEL) {
        take_cancel(serve, bytes, len, reply, reply_ctx);
        return;
    }
    if (slg_queue_try_pop(serve->free_jobs, &free_job) != SLG_OK) {
        refuse(serve, type, reply, reply_ctx);
        return;
    }
    job = free_job;
    *job = (struct job){ .serve = serve,
                         .type = type,
                         .bytes = bytes,
                         .len = len,
                         .reply = reply,
                         .reply_ctx = reply_ctx,
                         .received_mono_ns = slg_clock_mono_ns(slg_clock_system()) };
    if (type == SLG_RPC_STORE) {
        take_store(job);
    } else if (type == SLG_RPC_ENSURE) {
        take_ensure(job);
    } else if (slg_queue_push(serve->queue, job) != SLG_OK) { /* closed: stopping */
        status = slg_queue_push(serve->free_jobs, job);
        SLG_ASSERT(status == SLG_OK);
        reply_small(reply, reply_ctx, SLG_CANCELED, "the storer stops");
    }
}

void slg_serve_expire(struct slg_serve *serve, int64_t now_mono_ns)
{
    slg_session_expire(serve->sessions, now_mono_ns, serve->options.session_idle_ns);
}

size_t slg_serve_query_count(struct slg_serve *serve)
{
    return slg_session_count(serve->sessions);
}

enum slg_status slg_serve_status(struct slg_serve *serve, size_t row_bytes_max, struct slg_buf *out,
                                 struct slg_error *reterr)
{
    const struct slg_serve_options *options = &serve->options;
    const struct slg_status_input input = { .catalogue = options->catalogue,
                                            .map = options->map,
                                            .node_id = options->node_id,
                                            .data_dir = options->data_dir,
                                            .disk_reserve_bytes = options->disk_reserve_bytes,
                                            .insecure = options->insecure,
                                            .read_only = slg_commit_read_only(options->commit),
                                            .query_count = slg_serve_query_count(serve),
                                            .repair = options->repair,
                                            .scrub = options->scrub };

    return slg_status_write(&input, row_bytes_max, out, reterr);
}

/* ---- start and stop ---- */

static enum slg_status start_worker(struct slg_serve *serve, struct worker *worker,
                                    struct slg_queue *queue, struct slg_error *reterr)
{
    worker->serve = serve;
    worker->queue = queue;
    worker->arena = slg_arena_create(REQUEST_ARENA_BYTES);
    if (worker->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a query worker");
    slg_buf_init(&worker->reply, SLG_MESSAGE_BYTES_MAX);
    if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0)
        return slg_errorf(reterr, SLG_IO, "could not start a query worker");
    worker->running = true;
    return SLG_OK;
}

enum slg_status slg_serve_start(const struct slg_serve_options *options,
                                struct slg_serve **ret_serve, struct slg_error *reterr)
{
    struct slg_serve *serve = calloc(1, sizeof(*serve));
    enum slg_status status;

    SLG_ASSERT(options->worker_count >= 1);
    SLG_ASSERT(options->worker_count <= SLG_SERVE_WORKER_COUNT_MAX);
    if (serve == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the server");
    serve->options = *options;
    serve->sessions = slg_session_table_create(options->session_count_max);
    serve->jobs = calloc(SLG_SERVE_JOB_COUNT, sizeof(*serve->jobs));
    status = slg_queue_create(SLG_SERVE_JOB_COUNT, &serve->free_jobs);
    if (status == SLG_OK)
        status = slg_queue_create(SLG_SERVE_JOB_COUNT, &serve->queue);
    if (status == SLG_OK)
        status = slg_queue_create(SLG_SERVE_JOB_COUNT, &serve->long_queue);
    if (status != SLG_OK || serve->sessions == NULL || serve->jobs == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the server");
    for (size_t i = 0; status == SLG_OK && i < SLG_SERVE_JOB_COUNT; i++)
        status = slg_queue_push(serve->free_jobs, &serve->jobs[i]);
    for (size_t i = 0; status == SLG_OK && i < 2 * options->worker_count + 1; i++)
        status = start_worker(serve, &serve->workers[i],
                              i % 2 == 0 ? serve->queue : serve->long_queue, reterr);
    if (status != SLG_OK) {
        slg_serve_stop(serve);
        slg_serve_destroy(serve);
        return status;
    }
    *ret_serve = serve;
    return SLG_OK;
}

void slg_serve_stop(struct slg_serve *serve)
{
    if (serve == NULL)
        return;
    if (serve->sessions != NULL)
        slg_session_cancel_all(serve->sessions);
    if (serve->queue != NULL)
        slg_queue_close(serve->queue);
    if (serve->long_queue != NULL)
        slg_queue_close(serve->long_queue);
    for (size_t i = 0; i < WORKER_COUNT_MAX; i++) {
        struct worker *worker = &serve->workers[i];

        if (worker->running && pthread_join(worker->thread, NULL) != 0)
            slg_log_error("a query worker could not be joined");
        worker->running = false;
    }
}

void slg_serve_destroy(struct slg_serve *serve)
{
    if (serve == NULL)
        return;
    for (size_t i = 0; i < WORKER_COUNT_MAX; i++) {
        slg_arena_destroy(serve->workers[i].arena);
        slg_buf_fini(&serve->workers[i].reply);
    }
    slg_session_table_destroy(serve->sessions);
    slg_queue_destroy(serve->queue);
    slg_queue_destroy(serve->long_queue);
    slg_queue_destroy(serve->free_jobs);
    free(serve->jobs);
    free(serve);
}
