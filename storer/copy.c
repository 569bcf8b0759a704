#include "storer/copy.h"

#include <semaphore.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "proto/limits.h"
#include "storer/admit.h"

#define PIECE_BYTES       ((uint64_t)4 * 1024 * 1024)
#define ASK_TIMEOUT_MS    5000
#define ARENA_BYTES       ((size_t)4 * 1024 * 1024) /* the list of the batches of one reply */
#define BUSY_PAUSE_NS     (5 * SLG_NS_PER_MS)
#define CREDIT_NS         (250 * SLG_NS_PER_MS) /* of a slow piece, made good by the next ones */
#define REQUEST_BYTES_MAX SLG_MESSAGE_BYTES_MAX

/* What became of the batches of one piece; lanes write it, the copier waits. */
struct tally {
    sem_t done;
    atomic_size_t refused;
    _Atomic int refusal; /* enum slg_store_result */
};

struct slg_copier {
    struct slg_copier_options options;
    struct slg_arena *arena;
    struct slg_buf request;
    struct slg_buf reply;
    int64_t free_mono_ns; /* the throttle: the next piece not before */
};

struct slg_copier *slg_copier_create(const struct slg_copier_options *options)
{
    struct slg_copier *copier = calloc(1, sizeof(*copier));

    if (copier == NULL)
        return NULL;
    copier->options = *options;
    slg_buf_init(&copier->request, REQUEST_BYTES_MAX);
    slg_buf_init(&copier->reply, SLG_MESSAGE_BYTES_MAX);
    copier->arena = slg_arena_create(ARENA_BYTES);
    if (copier->arena == NULL) {
        slg_copier_destroy(copier);
        return NULL;
    }
    return copier;
}

void slg_copier_destroy(struct slg_copier *copier)
{
    if (copier == NULL)
        return;
    slg_buf_fini(&copier->request);
    slg_buf_fini(&copier->reply);
    slg_arena_destroy(copier->arena);
    free(copier);
}

static int64_t now_ns(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

/* Pause until then, if it is not past; false: stopping. */
static bool pause_until(const struct slg_copier *copier, int64_t until_mono_ns)
{
    void *item;

    return slg_queue_pop(copier->options.wake, until_mono_ns, &item) == SLG_TIMEOUT;
}

/* A lane's thread. */
static void on_stored(void *ctx, enum slg_store_result result, const char *text)
{
    struct tally *tally = ctx;

    (void)text;
    if (result != SLG_STORE_STORED && result != SLG_STORE_DUPLICATE) {
        atomic_store(&tally->refusal, (int)result);
        (void)atomic_fetch_add(&tally->refused, 1);
    }
    (void)sem_post(&tally->done); /* fails only on overflow */
}

/* Hand the batches of the reply to the lanes and wait for all of them: they borrow its bytes. */
static enum slg_status store_piece(struct slg_copier *copier,
                                   const struct slg_rpc_fetch_reply *piece,
                                   struct slg_error *reterr)
{
    struct tally tally = { .refusal = SLG_STORE_STORED };
    size_t submitted = 0;
    enum slg_store_result refusal;
    bool going = true;

    (void)sem_init(&tally.done, 0, 0); /* fails only for values out of range */
    while (submitted < piece->batch_count && going) {
        const struct slg_text *batch = &piece->batches[submitted];

        /* As a hint, so that a node that only evaluates may keep it, too. */
        if (slg_commit_submit(copier->options.commit, (const uint8_t *)batch->at, batch->len,
                              SLG_STORE_FLAG_HINT | SLG_ADMIT_FLAG_COPY, on_stored,
                              &tally) == SLG_OK)
            submitted++;
        else
            going = pause_until(copier, now_ns() + BUSY_PAUSE_NS);
    }
    for (size_t i = 0; i < submitted; i++)
        while (sem_wait(&tally.done) != 0) /* a signal came between */
            ;
    (void)sem_destroy(&tally.done); /* nobody waits on it */
    refusal = (enum slg_store_result)atomic_load(&tally.refusal);
    if (!going)
        return slg_errorf(reterr, SLG_CANCELED, "the storer stops");
    if (refusal == SLG_STORE_READ_ONLY || refusal == SLG_STORE_BUSY)
        return slg_errorf(reterr, SLG_LIMIT, "this storer takes no writes now");
    return SLG_OK;
}

static void throttle(struct slg_copier *copier, uint64_t bytes)
{
    int64_t now = now_ns();

    if (copier->options.bytes_per_second == 0)
        return;
    if (copier->free_mono_ns < now - CREDIT_NS) /* asking and storing take part of the time */
        copier->free_mono_ns = now - CREDIT_NS;
    copier->free_mono_ns += (int64_t)((double)bytes * (double)SLG_NS_PER_SEC /
                                      (double)copier->options.bytes_per_second);
}

enum slg_status slg_copier_still_wanted(struct slg_copier *copier, const struct slg_shard_id *shard,
                                        struct slg_batch_set *wanted, struct slg_error *reterr)
{
    struct slg_batch_set *own = slg_batch_set_create();
    struct slg_shard_totals totals;
    enum slg_status status;

    if (own == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a set");
    status = slg_catalogue_totals(copier->options.catalogue, shard, &totals, own, reterr);
    if (status == SLG_OK)
        status = slg_batch_set_subtract(wanted, own);
    slg_batch_set_destroy(own);
    if (status == SLG_NOT_FOUND) /* nothing is held yet */
        return SLG_OK;
    return status;
}

/* Ask for a piece. */
static enum slg_status fetch_piece(struct slg_copier *copier, const struct slg_shard_id *shard,
                                   size_t node_index, const struct slg_batch_set *wanted,
                                   int64_t deadline_mono_ns, struct slg_rpc_fetch_reply *ret_piece,
                                   struct slg_error *reterr)
{
    struct slg_rpc_fetch fetch = { .map_epoch = copier->options.map->epoch,
                                   .shard = *shard,
                                   .bytes_max = PIECE_BYTES };
    int64_t left_ms = (deadline_mono_ns - now_ns()) / SLG_NS_PER_MS;
    struct slg_buf set;
    enum slg_status status;

    if (left_ms <= 0)
        return slg_errorf(reterr, SLG_TIMEOUT, "no time left");
    slg_buf_init(&set, REQUEST_BYTES_MAX / 2);
    slg_batch_set_encode(&set, wanted);
    if (slg_buf_failed(&set)) {
        slg_buf_fini(&set);
        return slg_errorf(reterr, SLG_LIMIT, "a set is too large for a message");
    }
    fetch.set = slg_text_make((const char *)set.data, set.len);
    slg_buf_clear(&copier->request);
    slg_rpc_encode_fetch(&copier->request, &fetch);
    slg_buf_fini(&set);
    status = slg_peer_links_ask(copier->options.links, node_index, &copier->request,
                                left_ms < ASK_TIMEOUT_MS ? (int32_t)left_ms : ASK_TIMEOUT_MS,
                                &copier->reply);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "peer \"%s\": %s",
                          copier->options.map->nodes[node_index].id, slg_status_text(status));
    slg_arena_reset(copier->arena);
    status = slg_rpc_decode_fetch_reply(copier->arena, copier->reply.data, copier->reply.len,
                                        ret_piece, reterr);
    if (status != SLG_OK)
        return slg_error_context(reterr, "peer \"%s\"", copier->options.map->nodes[node_index].id);
    return SLG_OK;
}

static uint64_t bytes_of(const struct slg_rpc_fetch_reply *piece)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < piece->batch_count; i++)
        bytes += piece->batches[i].len;
    return bytes;
}

enum slg_status slg_copier_run(struct slg_copier *copier, const struct slg_shard_id *shard,
                               size_t node_index, struct slg_batch_set *wanted,
                               int64_t deadline_mono_ns, struct slg_error *reterr)
{
    for (;;) {
        struct slg_rpc_fetch_reply piece;
        uint64_t wanted_count = slg_batch_set_count(wanted), left_count;
        enum slg_status status;

        if (wanted_count == 0)
            return SLG_OK;
        if (!pause_until(copier, copier->free_mono_ns))
            return slg_errorf(reterr, SLG_CANCELED, "the storer stops");
        status = fetch_piece(copier, shard, node_index, wanted, deadline_mono_ns, &piece, reterr);
        if (status != SLG_OK || piece.batch_count == 0)
            return status;
        throttle(copier, bytes_of(&piece));
        status = store_piece(copier, &piece, reterr);
        if (status == SLG_OK)
            status = slg_copier_still_wanted(copier, shard, wanted, reterr);
        if (status != SLG_OK)
            return status;
        left_count = slg_batch_set_count(wanted);
        if (copier->options.copied != NULL)
            copier->options.copied(copier->options.copied_ctx, wanted_count - left_count,
                                   bytes_of(&piece));
        if (left_count ==
            wanted_count) /* all of it was refused here: asking again brings the same */
            return SLG_OK;
    }
}
