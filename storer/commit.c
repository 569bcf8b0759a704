#include "storer/commit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/queue.h"
#include "proto/wire.h"
#include "storer/admit.h"
#include "storer/catalogue_damage.h"
#include "storer/catalogue_storage.h"
#include "storer/disk.h"

/* Concurrency
 * | state                     | owner                          | others                                    |
 * |---------------------------|--------------------------------|-------------------------------------------|
 * | struct item               | free list, submitter, lane     | handed over through queues                |
 * | struct lane, its arena    | its thread                     | -                                         |
 * | read_only, stored_count   | atomics                        | any                                       |
 */

/* A failed commit with less than this free, besides the reserve, is taken as a full disk. */
#define FULL_DISK_SLACK_BYTES ((uint64_t)16 * 1024 * 1024)
#define PEEK_ITEM_COUNT       21 /* items of a batch envelope, docs/FORMATS.md section 2 */

struct item {
    const uint8_t *bytes;
    size_t len;
    unsigned flags;
    slg_commit_done *done;
    void *done_ctx;
    struct slg_shard_id shard; /* peeked; malformed batches have a zero one */
    size_t arrival;            /* index in its group: keeps the order within a shard */
    bool decided;              /* result and text are final */
    bool is_new;               /* put in the open transaction */
    enum slg_store_result result;
    uint32_t entry_count;
    char text[sizeof(((struct slg_error *)0)->message)];
};

struct lane {
    struct slg_commit *commit;
    struct slg_queue *queue;
    pthread_t thread;
    struct slg_arena *arena;
    int64_t last_start_mono_ns;
    bool running;
};

struct slg_commit {
    struct slg_commit_options options;
    struct item *items;
    struct slg_queue *free_items;
    struct lane lanes[SLG_COMMIT_LANE_COUNT_MAX];
    atomic_bool read_only;
    _Atomic uint64_t stored_count;
    struct slg_log_limit failure_log;
};

static void decide(struct item *item, enum slg_store_result result, const char *text)
{
    size_t len = strnlen(text, sizeof(item->text) - 1);

    item->decided = true;
    item->result = result;
    memcpy(item->text, text, len);
    item->text[len] = '\0';
}

/* ---- taking ---- */

/* The shard of an encoded batch, without checking it: it only chooses the lane. */
static bool peek_shard(const uint8_t *bytes, size_t len, struct slg_shard_id *ret_shard)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    uint64_t version, window, length, slot, slot_count;
    const uint8_t *text;
    size_t text_len;

    if (!slg_wire_take_tuple(&r, PEEK_ITEM_COUNT) || !slg_wire_take_bin(&r, 4, &text, &text_len) ||
        !slg_wire_take_uint(&r, UINT16_MAX, &version) ||
        !slg_wire_take_bin(&r, SLG_INCARNATION_BYTES, &text, &text_len) ||
        !slg_wire_take_uint(&r, INT64_MAX, &window) ||
        !slg_wire_take_uint(&r, INT64_MAX, &length) || !slg_wire_take_uint(&r, UINT16_MAX, &slot) ||
        !slg_wire_take_uint(&r, UINT16_MAX, &slot_count))
        return false;
    *ret_shard = (struct slg_shard_id){ .window_ns = (int64_t)window,
                                        .length_ns = (int64_t)length,
                                        .slot = (uint16_t)slot,
                                        .slot_count = (uint16_t)slot_count };
    return true;
}

static size_t lane_of(const struct slg_commit *commit, const struct slg_shard_id *shard)
{
    uint64_t window =
        shard->length_ns == 0 ? 0 : (uint64_t)shard->window_ns / (uint64_t)shard->length_ns;

    return (size_t)((window + shard->slot) % commit->options.lane_count);
}

enum slg_status slg_commit_submit(struct slg_commit *commit, const uint8_t *bytes, size_t len,
                                  unsigned flags, slg_commit_done *done, void *done_ctx)
{
    struct item *item;
    void *free_item;
    enum slg_status status;

    if (slg_queue_try_pop(commit->free_items, &free_item) != SLG_OK)
        return SLG_AGAIN;
    item = free_item;
    *item = (struct item){
        .bytes = bytes, .len = len, .flags = flags, .done = done, .done_ctx = done_ctx
    };
    if (!peek_shard(bytes, len, &item->shard))
        item->shard = (struct slg_shard_id){ .window_ns = 0 };
    /* Each queue holds every item there is, so it cannot be full. */
    status = slg_queue_push(commit->lanes[lane_of(commit, &item->shard)].queue, item);
    SLG_ASSERT(status == SLG_OK);
    return SLG_OK;
}

/* ---- the disk ---- */

static bool disk_below_reserve(struct slg_commit *commit, struct slg_error *reterr)
{
    const struct slg_commit_options *options = &commit->options;
    struct slg_disk_room room;
    bool below;

    if (slg_disk_room(options->data_dir, &room, reterr) != SLG_OK)
        return true;
    below = room.free_bytes < options->disk_reserve_bytes;
    slg_metric_gauge_shared(options->metrics, METRIC_storer_disk_free_bytes, 0,
                            (int64_t)room.free_bytes);
    slg_metric_gauge_shared(options->metrics, METRIC_storer_disk_total_bytes, 0,
                            (int64_t)room.total_bytes);
    slg_metric_gauge_shared(options->metrics, METRIC_storer_read_only, 0, below);
    if (below)
        (void)slg_errorf(reterr, SLG_LIMIT,
                         "read-only: %" PRIu64 " bytes free of %" PRIu64
                         ", storer.disk_reserve is %" PRIu64
                         "; free space, lower the reserve or shorten retention",
                         room.free_bytes, room.total_bytes, options->disk_reserve_bytes);
    if (below != atomic_exchange(&commit->read_only, below)) {
        if (below)
            slg_log_error("storer is read-only: disk reserve reached free_bytes=%" PRIu64
                          " reserve_bytes=%" PRIu64 " data_dir=%s",
                          room.free_bytes, options->disk_reserve_bytes, options->data_dir);
        else
            slg_log_info("storer takes writes again free_bytes=%" PRIu64, room.free_bytes);
    }
    return below;
}

/* Does statvfs prove that a commit failed for want of room? */
static bool disk_is_full(const struct slg_commit *commit)
{
    struct slg_disk_room room;

    return slg_disk_room(commit->options.data_dir, &room, NULL) == SLG_OK &&
           (room.free_bytes < commit->options.disk_reserve_bytes ||
            room.free_bytes < FULL_DISK_SLACK_BYTES);
}

bool slg_commit_read_only(const struct slg_commit *commit)
{
    return atomic_load_explicit(&commit->read_only, memory_order_relaxed);
}

void slg_commit_check_disk(struct slg_commit *commit)
{
    struct slg_error err;

    (void)disk_below_reserve(commit, &err); /* moves the gauges and read_only */
}

uint64_t slg_commit_stored_count(const struct slg_commit *commit)
{
    return atomic_load_explicit(&commit->stored_count, memory_order_relaxed);
}

/* ---- one group of one shard ---- */

/* Verify every byte of the batch and apply the rules. */
static void check_item(struct lane *lane, struct item *item)
{
    const struct slg_commit_options *options = &lane->commit->options;
    const struct slg_batch_view *view;
    struct slg_admit admit = { .map = options->map,
                               .node_id = options->node_id,
                               .keep_from_ns = slg_catalogue_keep_from_ns(options->catalogue),
                               .now_ns = slg_clock_wall_ns(options->clock),
                               .doubt_ns =
                                   options->age == NULL ? 0 : slg_age_doubt_ns(options->age) };
    enum slg_store_result result;
    struct slg_error err;
    enum slg_status status;
    uint64_t version;

    slg_arena_reset(lane->arena);
    status = slg_batch_decode(lane->arena, item->bytes, item->len, &view);
    if (status == SLG_OK)
        status = slg_batch_check_streams(&view->header);
    if (status == SLG_LIMIT || status == SLG_NO_MEMORY) {
        decide(item, SLG_STORE_BUSY, "no memory to decode the batch");
        return;
    }
    /* Whole, of another release: the ingester keeps it for a storer that reads it. */
    if (status == SLG_UNSUPPORTED && slg_batch_peek_version(item->bytes, item->len, &version) &&
        slg_batch_checksum_fits(item->bytes, item->len)) {
        (void)slg_errorf(&err, status,
                         "a batch of version %" PRIu64 ", this storer reads version %d: upgrade %s",
                         version, SLG_BATCH_VERSION,
                         version > SLG_BATCH_VERSION ? "this storer" : "the ingester");
        decide(item, SLG_STORE_READ_ONLY, err.message);
        return;
    }
    if (status != SLG_OK) {
        decide(item, SLG_STORE_MALFORMED, "the batch fails a check of its format");
        return;
    }
    result = slg_admit_batch(&admit, &view->header, item->flags, &err);
    if (result != SLG_STORE_STORED)
        decide(item, result, err.message);
    item->entry_count = view->header.entry_count;
    item->shard = view->header.id.shard; /* the same as was peeked */
}

/* The header again: the arena holds one batch at a time. The batch was verified. */
static enum slg_status reread_header(struct lane *lane, const struct item *item,
                                     struct slg_batch_header *ret_header)
{
    slg_arena_reset(lane->arena);
    return slg_batch_read_header(lane->arena, item->bytes, item->len, ret_header);
}

static void decide_put(struct lane *lane, struct item *item, enum slg_shard_put put)
{
    switch (put) {
    case SLG_SHARD_PUT_NEW:
        item->is_new = true;
        item->result = SLG_STORE_STORED;
        break;
    case SLG_SHARD_PUT_DUPLICATE:
        item->result = SLG_STORE_DUPLICATE; /* perhaps of this transaction: decided at its end */
        break;
    case SLG_SHARD_PUT_CONTENT:
        decide(item, SLG_STORE_CONTENT, "a batch of this id is held with other content");
        break;
    case SLG_SHARD_PUT_STREAM:
        slg_metric_add_shared(lane->commit->options.metrics, METRIC_storer_stream_collisions_total,
                              0, 1);
        decide(item, SLG_STORE_MALFORMED, "a stream id is not that of its labels");
        break;
    }
}

static void decide_rest(struct item **items, size_t count, enum slg_store_result result,
                        const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (!items[i]->decided)
            decide(items[i], result, text);
}

/* Put what is undecided. LIMIT: the map is full, nothing was put. */
static enum slg_status put_items(struct lane *lane, struct slg_shard_write *write,
                                 struct item **items, size_t count, size_t *ret_new_count)
{
    size_t new_count = 0;

    for (size_t i = 0; i < count; i++) {
        struct slg_batch_header header;
        enum slg_shard_put put;
        enum slg_status status;

        items[i]->is_new = false;
        if (items[i]->decided)
            continue;
        status = reread_header(lane, items[i], &header);
        if (status == SLG_OK)
            status = slg_shard_write_put(write, &header, items[i]->bytes, items[i]->len, &put);
        if (status != SLG_OK)
            return status;
        decide_put(lane, items[i], put);
        new_count += items[i]->is_new;
    }
    *ret_new_count = new_count;
    return SLG_OK;
}

/* One transaction. LIMIT: the map is full, nothing was written. *ret_broken: the environment has to be reopened. */
static enum slg_status write_items(struct lane *lane, struct slg_shard *shard, struct item **items,
                                   size_t count, bool *ret_broken, struct slg_error *reterr)
{
    struct slg_metric_table *metrics = lane->commit->options.metrics;
    struct slg_shard_write *write;
    size_t new_count = 0;
    int64_t start_ns;
    enum slg_status status = slg_shard_write_begin(shard, &write, reterr);

    if (status != SLG_OK)
        return status;
    status = put_items(lane, write, items, count, &new_count);
    if (status != SLG_OK) {
        slg_shard_write_abort(write);
        return slg_errorf(reterr, status, "could not write to the shard: %s",
                          slg_status_text(status));
    }
    if (new_count == 0) { /* nothing to sync: everything was there already */
        slg_shard_write_abort(write);
        return SLG_OK;
    }
    start_ns = slg_clock_mono_ns(slg_clock_system());
    status = slg_shard_write_commit(write, reterr);
    slg_metric_observe_shared(metrics, METRIC_storer_commit_seconds, 0,
                              (uint64_t)(slg_clock_mono_ns(slg_clock_system()) - start_ns));
    if (status == SLG_LIMIT) /* nothing was written: as if a put had met the end of the map */
        return status;
    slg_metric_add_shared(
        metrics,
        status == SLG_OK ? METRIC_storer_commits_total : METRIC_storer_commit_failures_total, 0, 1);
    *ret_broken = status != SLG_OK;
    return status;
}

static void log_failure(struct slg_commit *commit, const struct slg_shard_id *id,
                        const struct slg_error *err, const char *then)
{
    uint64_t suppressed;

    if (slg_log_limit_allow(&commit->failure_log, slg_clock_mono_ns(slg_clock_system()),
                            &suppressed))
        slg_log_error("batches refused shard=%s error=%s then=%s suppressed=%" PRIu64,
                      slg_shard_name_of(id).text, err->message, then, suppressed);
}

/* After a commit that failed: what is on disk is not known. */
static void handle_broken(struct lane *lane, struct slg_shard *shard, struct slg_error *err)
{
    struct slg_commit *commit = lane->commit;
    struct slg_shard_id id = *slg_shard_id_of(shard);
    struct slg_error mark_err;

    if (disk_is_full(commit)) {
        log_failure(commit, &id, err, "the disk is full, reopening");
    } else {
        log_failure(commit, &id, err, "read-only until compared with its peers");
        if (slg_shard_mark_suspect(shard, &mark_err) != SLG_OK)
            slg_log_failure(SLG_LOG_ERROR, "could not note that a shard is suspect", &mark_err);
    }
    slg_catalogue_unpin_broken(commit->options.catalogue, shard);
}

static enum slg_store_result result_of(enum slg_status status)
{
    return status == SLG_NO_MEMORY || status == SLG_AGAIN ? SLG_STORE_BUSY : SLG_STORE_READ_ONLY;
}

static void finish_items(struct lane *lane, struct item **items, size_t count)
{
    struct slg_commit *commit = lane->commit;
    struct slg_metric_table *metrics = commit->options.metrics;

    for (size_t i = 0; i < count; i++) {
        if (items[i]->decided)
            continue;
        items[i]->decided = true;
        if (!items[i]->is_new)
            continue;
        atomic_fetch_add_explicit(&commit->stored_count, 1, memory_order_relaxed);
        slg_metric_add_shared(metrics, METRIC_storer_stored_entries_total, 0,
                              items[i]->entry_count);
        slg_metric_add_shared(metrics, METRIC_storer_stored_bytes_total, 0, items[i]->len);
    }
}

/* Below the reserve: only what is held already is answered well. */
static void answer_held(struct lane *lane, struct slg_shard *shard, struct item **items,
                        size_t count)
{
    struct slg_shard_read *read;

    if (slg_shard_suspect(shard) || slg_shard_read_begin(shard, &read, NULL) != SLG_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        struct slg_batch_header header;

        if (!items[i]->decided && reread_header(lane, items[i], &header) == SLG_OK &&
            slg_shard_read_holds(read, &header.id, header.content_hash))
            decide(items[i], SLG_STORE_DUPLICATE, "");
    }
    slg_shard_read_end(read);
}

static void refuse_for_room(struct lane *lane, struct item **items, size_t count,
                            const char *reason)
{
    struct slg_catalogue *catalogue = lane->commit->options.catalogue;
    struct slg_shard *shard;

    if (slg_catalogue_pin(catalogue, &items[0]->shard, /* create= */ false, &shard, NULL) ==
        SLG_OK) {
        answer_held(lane, shard, items, count);
        slg_catalogue_unpin(catalogue, shard);
    }
    decide_rest(items, count, SLG_STORE_READ_ONLY, reason);
}

static void store_items(struct lane *lane, struct item **items, size_t count)
{
    struct slg_catalogue *catalogue = lane->commit->options.catalogue;
    struct slg_shard_id id = items[0]->shard;
    struct slg_shard *shard;
    struct slg_error err = { .status = SLG_OK };
    bool broken = false;
    enum slg_status status = slg_catalogue_pin(catalogue, &id, /* create= */ true, &shard, &err);

    if (status != SLG_OK) {
        log_failure(lane->commit, &id, &err, "refused");
        decide_rest(items, count, result_of(status), err.message);
        return;
    }
    status = write_items(lane, shard, items, count, &broken, &err);
    if (status == SLG_LIMIT) { /* the map is full: go on in a new file */
        status = slg_shard_roll(shard, &err);
        if (status == SLG_OK)
            status = write_items(lane, shard, items, count, &broken, &err);
    }
    if (status == SLG_OK)
        finish_items(lane, items, count);
    else
        decide_rest(items, count, result_of(status), err.message);
    if (broken)
        handle_broken(lane, shard, &err);
    else
        slg_catalogue_unpin(catalogue, shard);
    if (status == SLG_CORRUPT)
        slg_catalogue_report(catalogue, &id);
}

/* items are of one shard, in order of arrival. */
static void process_shard(struct lane *lane, struct item **items, size_t count)
{
    struct slg_error err = { .status = SLG_OK };
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        check_item(lane, items[i]);
        any |= !items[i]->decided;
    }
    if (any && disk_below_reserve(lane->commit, &err))
        refuse_for_room(lane, items, count, err.message);
    else if (any)
        store_items(lane, items, count);
}

/* ---- the lane ---- */

static int compare_items(const void *a, const void *b)
{
    const struct item *const *x = a;
    const struct item *const *y = b;
    int order = slg_shard_id_compare(&(*x)->shard, &(*y)->shard);

    return order != 0 ? order : ((*x)->arrival > (*y)->arrival) - ((*x)->arrival < (*y)->arrival);
}

static void answer(struct lane *lane, struct item *item)
{
    struct slg_commit *commit = lane->commit;
    enum slg_status status;

    slg_metric_add_shared(commit->options.metrics, METRIC_storer_batches_total, item->result, 1);
    item->done(item->done_ctx, item->result, item->text);
    status = slg_queue_push(commit->free_items, item);
    SLG_ASSERT(status == SLG_OK); /* it holds all items */
}

static void process_group(struct lane *lane, struct item **items, size_t count)
{
    size_t start = 0;

    for (size_t i = 0; i < count; i++)
        items[i]->arrival = i;
    qsort(items, count, sizeof(*items), compare_items);
    for (size_t i = 1; i <= count; i++) {
        if (i < count && slg_shard_id_compare(&items[i]->shard, &items[start]->shard) == 0)
            continue;
        process_shard(lane, items + start, i - start);
        for (size_t k = start; k < i; k++)
            answer(lane, items[k]);
        start = i;
    }
}

/* Wait for the first batch, then take more until the group is full or its time has come. 0: closed and empty. */
static size_t take_group(struct lane *lane, struct item **items)
{
    int64_t deadline_ns = SLG_DEADLINE_NEVER;
    size_t count = 0;
    size_t bytes = 0;

    while (count < SLG_COMMIT_GROUP_COUNT_MAX && bytes < lane->commit->options.group_bytes) {
        void *item;

        if (slg_queue_pop(lane->queue, deadline_ns, &item) != SLG_OK)
            break;
        if (count == 0)
            deadline_ns = lane->last_start_mono_ns + lane->commit->options.commit_ns;
        items[count] = item;
        bytes += items[count]->len;
        count++;
    }
    lane->last_start_mono_ns = slg_clock_mono_ns(slg_clock_system());
    return count;
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    struct item *items[SLG_COMMIT_GROUP_COUNT_MAX];
    size_t count;

    while ((count = take_group(lane, items)) > 0)
        process_group(lane, items, count);
    return NULL;
}

/* ---- start and stop ---- */

static enum slg_status start_lane(struct slg_commit *commit, struct lane *lane,
                                  struct slg_error *reterr)
{
    enum slg_status status = slg_queue_create(commit->options.waiting_max, &lane->queue);

    lane->commit = commit;
    lane->arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    if (status != SLG_OK || lane->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a commit lane");
    if (pthread_create(&lane->thread, NULL, run_lane, lane) != 0)
        return slg_errorf(reterr, SLG_IO, "could not start a commit thread");
    lane->running = true;
    return SLG_OK;
}

enum slg_status slg_commit_start(const struct slg_commit_options *options,
                                 struct slg_commit **ret_commit, struct slg_error *reterr)
{
    struct slg_commit *commit = calloc(1, sizeof(*commit));
    enum slg_status status;

    SLG_ASSERT(options->lane_count >= 1);
    SLG_ASSERT(options->lane_count <= SLG_COMMIT_LANE_COUNT_MAX);
    SLG_ASSERT(options->group_bytes >= 1);
    SLG_ASSERT(options->waiting_max >= 1);
    SLG_ASSERT(options->waiting_max <= SLG_COMMIT_WAITING_MAX);
    if (commit == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for commit lanes");
    commit->options = *options;
    commit->failure_log = (struct slg_log_limit)SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    commit->items = calloc(options->waiting_max, sizeof(*commit->items));
    status = slg_queue_create(options->waiting_max, &commit->free_items);
    if (commit->items == NULL || status != SLG_OK)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for %zu batches in hand",
                            options->waiting_max);
    for (size_t i = 0; status == SLG_OK && i < options->waiting_max; i++)
        status = slg_queue_push(commit->free_items, &commit->items[i]);
    for (size_t i = 0; status == SLG_OK && i < options->lane_count; i++)
        status = start_lane(commit, &commit->lanes[i], reterr);
    if (status != SLG_OK) {
        slg_commit_stop(commit);
        return status;
    }
    slg_commit_check_disk(commit);
    *ret_commit = commit;
    return SLG_OK;
}

void slg_commit_stop(struct slg_commit *commit)
{
    if (commit == NULL)
        return;
    for (size_t i = 0; i < SLG_COMMIT_LANE_COUNT_MAX; i++)
        if (commit->lanes[i].queue != NULL)
            slg_queue_close(commit->lanes[i].queue);
    for (size_t i = 0; i < SLG_COMMIT_LANE_COUNT_MAX; i++) {
        struct lane *lane = &commit->lanes[i];

        if (lane->running && pthread_join(lane->thread, NULL) != 0)
            slg_log_error("a commit thread could not be joined");
        slg_queue_destroy(lane->queue);
        slg_arena_destroy(lane->arena);
    }
    slg_queue_destroy(commit->free_items);
    free(commit->items);
    free(commit);
}
