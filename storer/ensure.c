/* Concurrency
 * | state    | owner                           | others                     |
 * |----------|---------------------------------|----------------------------|
 * | jobs     | free list, submitter, a thread  | handed over through queues |
 * | stopping | atomic                          | any                        |
 * | wake     | closed by stop                  | the threads' copiers       | */
#include "storer/ensure.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "storer/copy.h"

#define ARENA_BYTES     ((size_t)256 * 1024 * 1024) /* a request's sets; touched as used */
#define DEADLINE_MS_MAX (INT64_C(24) * 3600 * 1000) /* as for queries, storer/session.c */

struct job {
    const uint8_t *bytes;
    size_t len;
    slg_ensure_done *done;
    void *done_ctx;
    int64_t received_mono_ns;
};

struct slg_ensure {
    struct slg_ensure_options options;
    struct slg_queue *wake; /* always empty; closed to end fetches */
    struct job *jobs;
    struct slg_queue *free_jobs, *queue;
    pthread_t threads[SLG_ENSURE_THREAD_COUNT];
    size_t thread_count;
    atomic_bool stopping;
};

static enum slg_status ensure_shard(struct slg_ensure *ensure, struct slg_copier *copier,
                                    const struct slg_rpc_shard_set *want, int64_t deadline_mono_ns,
                                    struct slg_error *reterr)
{
    struct slg_cursor c = slg_cursor_make(want->set.at, want->set.len);
    size_t nodes = ensure->options.map->node_count;
    struct slg_batch_set *wanted;
    enum slg_status status = slg_batch_set_decode(&c, &wanted);

    if (status != SLG_OK)
        return slg_errorf(reterr, status, "a set cannot be read");
    status = slg_copier_still_wanted(copier, &want->shard, wanted, reterr);
    /* Those that answered the last greeting first; the others may be back since. */
    for (size_t turn = 0;
         turn < 2 * nodes && status == SLG_OK && slg_batch_set_range_count(wanted) > 0; turn++) {
        size_t node = turn % nodes;

        if (slg_peer_links_reachable(ensure->options.links, node) != (turn < nodes))
            continue;
        status = slg_copier_run(copier, &want->shard, node, wanted, deadline_mono_ns, reterr);
        if (status == SLG_UNAVAILABLE || status == SLG_AGAIN)
            status = SLG_OK; /* another may have it */
    }
    if (status == SLG_OK && slg_batch_set_range_count(wanted) > 0)
        status = slg_errorf(reterr, SLG_UNAVAILABLE,
                            "%" PRIu64 " batches of shard %s could not be fetched from any peer",
                            slg_batch_set_count(wanted), slg_shard_name_of(&want->shard).text);
    slg_batch_set_destroy(wanted);
    return status;
}

static void run_job(struct slg_ensure *ensure, struct slg_copier *copier, struct slg_arena *arena,
                    const struct job *job)
{
    struct slg_error err = { .message = "" };
    struct slg_rpc_ensure request;
    enum slg_status status;

    slg_arena_reset(arena);
    status = slg_rpc_decode_ensure(arena, job->bytes, job->len, &request);
    if (status != SLG_OK)
        (void)slg_errorf(&err, status, "the message cannot be read");
    else if (request.deadline_ms > DEADLINE_MS_MAX)
        status = slg_errorf(&err, SLG_INVALID, "the time left is out of its range");
    for (size_t i = 0; status == SLG_OK && i < request.shard_count; i++) {
        if (atomic_load(&ensure->stopping))
            status = slg_errorf(&err, SLG_CANCELED, "the storer stops");
        else
            status =
                ensure_shard(ensure, copier, &request.shards[i],
                             job->received_mono_ns + request.deadline_ms * SLG_NS_PER_MS, &err);
    }
    job->done(job->done_ctx, status, err.message);
}

static void *run(void *arg)
{
    struct slg_ensure *ensure = arg;
    const struct slg_copier_options options = { .links = ensure->options.links,
                                                .catalogue = ensure->options.catalogue,
                                                .commit = ensure->options.commit,
                                                .map = ensure->options.map,
                                                .wake = ensure->wake };
    struct slg_copier *copier = slg_copier_create(&options);
    struct slg_arena *arena = slg_arena_create(ARENA_BYTES);
    enum slg_status status;
    void *item;

    while (slg_queue_pop(ensure->queue, SLG_DEADLINE_NEVER, &item) == SLG_OK) {
        struct job job = *(struct job *)item;

        status = slg_queue_push(ensure->free_jobs, item);
        SLG_ASSERT(status == SLG_OK); /* it holds all jobs */
        if (copier == NULL || arena == NULL)
            job.done(job.done_ctx, SLG_NO_MEMORY, "no memory to fetch batches");
        else
            run_job(ensure, copier, arena, &job);
    }
    slg_copier_destroy(copier);
    slg_arena_destroy(arena);
    return NULL;
}

enum slg_status slg_ensure_submit(struct slg_ensure *ensure, const uint8_t *bytes, size_t len,
                                  slg_ensure_done *done, void *done_ctx)
{
    struct job *job;
    void *item;

    if (slg_queue_try_pop(ensure->free_jobs, &item) != SLG_OK)
        return SLG_AGAIN;
    job = item;
    *job = (struct job){ .bytes = bytes,
                         .len = len,
                         .done = done,
                         .done_ctx = done_ctx,
                         .received_mono_ns = slg_clock_mono_ns(slg_clock_system()) };
    if (slg_queue_push(ensure->queue, job) == SLG_OK)
        return SLG_OK;
    done(done_ctx, SLG_CANCELED, "the storer stops");
    return SLG_OK;
}

/* ---- start and stop ---- */

static enum slg_status make_queues(struct slg_ensure *ensure)
{
    if (slg_queue_create(1, &ensure->wake) != SLG_OK ||
        slg_queue_create(SLG_ENSURE_COUNT_MAX, &ensure->free_jobs) != SLG_OK ||
        slg_queue_create(SLG_ENSURE_COUNT_MAX, &ensure->queue) != SLG_OK)
        return SLG_NO_MEMORY;
    ensure->jobs = calloc(SLG_ENSURE_COUNT_MAX, sizeof(*ensure->jobs));
    if (ensure->jobs == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < SLG_ENSURE_COUNT_MAX; i++) {
        enum slg_status status = slg_queue_push(ensure->free_jobs, &ensure->jobs[i]);

        SLG_ASSERT(status == SLG_OK);
    }
    return SLG_OK;
}

static bool start_threads(struct slg_ensure *ensure)
{
    while (ensure->thread_count < SLG_ENSURE_THREAD_COUNT) {
        if (pthread_create(&ensure->threads[ensure->thread_count], NULL, run, ensure) != 0)
            return false;
        ensure->thread_count++;
    }
    return true;
}

enum slg_status slg_ensure_start(const struct slg_ensure_options *options,
                                 struct slg_ensure **ret_ensure, struct slg_error *reterr)
{
    struct slg_ensure *ensure = calloc(1, sizeof(*ensure));

    if (ensure == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for ENSURE");
    ensure->options = *options;
    if (make_queues(ensure) != SLG_OK || !start_threads(ensure)) {
        slg_ensure_stop(ensure);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory or threads for ENSURE");
    }
    *ret_ensure = ensure;
    return SLG_OK;
}

void slg_ensure_stop(struct slg_ensure *ensure)
{
    if (ensure == NULL)
        return;
    atomic_store(&ensure->stopping, true);
    if (ensure->wake != NULL)
        slg_queue_close(ensure->wake);
    if (ensure->queue != NULL)
        slg_queue_close(ensure->queue); /* what is in it is still popped and answered */
    for (size_t i = 0; i < ensure->thread_count; i++)
        if (pthread_join(ensure->threads[i], NULL) != 0)
            slg_log_error("a thread of ENSURE could not be joined");
    slg_queue_destroy(ensure->wake);
    slg_queue_destroy(ensure->free_jobs);
    slg_queue_destroy(ensure->queue);
    free(ensure->jobs);
    free(ensure);
}
