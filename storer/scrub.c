#include "storer/scrub.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "storer/admit.h"
#include "storer/catalogue_damage.h"
#include "storer/catalogue_forget.h"
#include "storer/check.h"
#include "storer/disk.h"
#include "storer/quarantine.h"
#include "storer/salvage.h"

/* Concurrency
 * | state           | owner            | others                              |
 * |-----------------|------------------|-------------------------------------|
 * | record, look    | the scrub thread | -                                   |
 * | shown           | atomics          | read by any                         |
 * | wake            | closed by stop   | -                                   | */

#define RECORD_NAME   "scrub"
#define TRIES_NAME    "salvaged"            /* in a quarantined copy */
#define PIECE_BYTES   ((size_t)1 << 20)     /* read under one transaction: some ms */
#define TICK_NS       SLG_NS_PER_SEC        /* between two looks for something to do */
#define STORE_NS      (10 * SLG_NS_PER_SEC) /* between two writes of the record */
#define LOW_NICE      19
#define SALVAGE_TRIES 4 /* starts that may try to search one copy */

struct slg_scrub {
    struct slg_scrub_options options;
    struct slg_scrub_record record;
    struct slg_queue *wake; /* closed to stop */
    pthread_t thread;
    bool running;
    int64_t free_mono_ns; /* the throttle: no reading before */
    int64_t stored_mono_ns;
    atomic_bool pass_running;
    _Atomic int64_t pass_started_ns;
    _Atomic uint64_t done_bytes, total_bytes, damaged_batches;
    /* Rate: bytes since this process began to read. */
    _Atomic int64_t rate_from_mono_ns;
    _Atomic uint64_t rate_bytes;
};

static int64_t now_mono(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

/* False: stopping. */
static bool pause_until(struct slg_scrub *scrub, int64_t until_mono_ns)
{
    void *item;

    return slg_queue_pop(scrub->wake, until_mono_ns, &item) == SLG_TIMEOUT;
}

/* ---- the record ---- */

static void show(struct slg_scrub *scrub)
{
    const struct slg_scrub_record *record = &scrub->record;

    atomic_store(&scrub->pass_running, record->running);
    atomic_store(&scrub->pass_started_ns, record->pass_started_ns);
    atomic_store(&scrub->done_bytes, record->done_bytes);
    atomic_store(&scrub->total_bytes, record->total_bytes);
    atomic_store(&scrub->damaged_batches, record->damaged_batches);
}

static void store_record(struct slg_scrub *scrub)
{
    struct slg_error err = { .message = "" };
    struct slg_buf out;

    show(scrub);
    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX);
    slg_scrub_record_encode(&out, &scrub->record);
    /* A full disk: the next start begins where it last could be written. */
    if (slg_disk_write_buf(scrub->options.data_dir, RECORD_NAME, &out, &err) != SLG_OK)
        slg_log_debug("where the scrub stands was not written error=%s", err.message);
    slg_buf_fini(&out);
    scrub->stored_mono_ns = now_mono();
}

static void load_record(struct slg_scrub *scrub)
{
    struct slg_error err = { .message = "" };
    struct slg_buf bytes;
    enum slg_status status = slg_disk_read(scrub->options.data_dir, RECORD_NAME, &bytes, &err);

    if (status == SLG_OK)
        status = slg_scrub_record_decode(bytes.data, bytes.len, &scrub->record, &err);
    slg_buf_fini(&bytes);
    if (status == SLG_OK) {
        show(scrub);
        return;
    }
    if (status != SLG_NOT_FOUND)
        slg_log_failure(SLG_LOG_WARN, "the scrub does not know where it stood, it begins anew",
                        &err);
    /* Nothing stored before today is older than the interval: the first pass is due one interval from now. A record that was
     * lost begins a pass now. */
    scrub->record = (struct slg_scrub_record){
        .pass_started_ns = status == SLG_NOT_FOUND ? slg_clock_wall_ns(scrub->options.clock) : 0
    };
    store_record(scrub);
}

/* ---- one shard ---- */

/* A look at one shard. */
struct look {
    struct slg_scrub *scrub;
    struct slg_shard_id id;
    bool in_pass; /* its place is remembered */
    struct slg_aside_order orders[SLG_CHECK_BAD_COUNT_MAX];
    size_t order_count;
    bool condemned; /* the tables are damaged, or too many batches */
    struct slg_error why;
};

/* Read so much: count it and wait. False: stopping. */
static bool pay(struct look *look, uint64_t bytes, uint64_t batches)
{
    struct slg_scrub *scrub = look->scrub;
    int64_t now = now_mono();

    slg_metric_add_shared(scrub->options.metrics, METRIC_storer_scrub_bytes_total, 0, bytes);
    slg_metric_add_shared(scrub->options.metrics, METRIC_storer_scrub_batches_total, 0, batches);
    (void)atomic_fetch_add(&scrub->rate_bytes, bytes);
    if (look->in_pass) {
        scrub->record.done_bytes += bytes;
        atomic_store(&scrub->done_bytes, scrub->record.done_bytes);
    }
    if (scrub->free_mono_ns < now)
        scrub->free_mono_ns = now;
    scrub->free_mono_ns +=
        (int64_t)((double)bytes * (double)SLG_NS_PER_SEC / (double)scrub->options.bytes_per_second);
    return pause_until(scrub, scrub->free_mono_ns);
}

/* The steps of a generation, each with the shard pinned and a transaction open. */
struct step {
    struct slg_check *check; /* opened by the first */
    bool indexed;
    uint64_t last;
    bool more;
    uint64_t bytes, batches; /* at the last look */
};

static enum slg_status do_step(struct look *look, struct slg_shard *shard, uint32_t generation,
                               struct step *step, struct slg_error *reterr)
{
    struct slg_disk_path path;
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_generation_path(shard, generation, &path, reterr);

    if (status == SLG_OK)
        status = slg_shard_read_begin(shard, &read, reterr);
    if (status != SLG_OK)
        return status;
    if (step->check == NULL)
        status = slg_check_open(path.text, &look->id, &step->check, reterr);
    if (status == SLG_OK && !step->indexed) {
        status = slg_check_index(step->check, reterr);
        step->indexed = status == SLG_OK;
    } else if (status == SLG_OK) {
        status = slg_check_batches(step->check, step->last, PIECE_BYTES, &step->last, &step->more,
                                   reterr);
    }
    slg_shard_read_end(read);
    return status;
}

static void take_bad(struct look *look, uint32_t generation, const struct slg_check *check)
{
    size_t count;
    const struct slg_check_bad *bad = slg_check_bad(check, &count);

    for (size_t i = 0; i < count; i++) {
        if (look->order_count == SLG_CHECK_BAD_COUNT_MAX) {
            look->condemned = true;
            (void)slg_errorf(&look->why, SLG_CORRUPT, "more than %zu batches are damaged",
                             SLG_CHECK_BAD_COUNT_MAX - 1);
            return;
        }
        look->orders[look->order_count++] =
            (struct slg_aside_order){ .generation_index = generation,
                                      .arrival = bad[i].arrival,
                                      .id_hash = bad[i].id_hash,
                                      .reason = bad[i].reason };
    }
}

/* Remember where the pass stands, now and then on disk. */
static void note_place(struct look *look, uint32_t generation, const struct step *step)
{
    struct slg_scrub_record *record = &look->scrub->record;
    size_t bad_count;

    (void)slg_check_bad(step->check, &bad_count);
    if (!look->in_pass || look->order_count + bad_count > 0)
        return; /* what is not set aside yet is to be found again */
    record->shard = look->id;
    record->generation_index = generation;
    record->arrival = step->last;
    if (now_mono() - look->scrub->stored_mono_ns >= STORE_NS)
        store_record(look->scrub);
}

/* One generation from the batch after `after` on. OK: it was looked at, whatever was found; NOT_FOUND: there is no such
 * generation, or shard, any more; CANCELED. */
static enum slg_status look_at_generation(struct look *look, uint32_t generation, uint64_t after)
{
    struct slg_catalogue *catalogue = look->scrub->options.catalogue;
    struct step step = { .last = after, .more = true };
    enum slg_status status = SLG_OK;

    while (status == SLG_OK && step.more) {
        struct slg_check_counts counts = { .bytes = 0 };
        struct slg_shard *shard;

        status = slg_catalogue_pin(catalogue, &look->id, /* create= */ false, &shard, &look->why);
        if (status != SLG_OK)
            break;
        status = generation < slg_shard_generation_count(shard)
                     ? do_step(look, shard, generation, &step, &look->why)
                     : SLG_NOT_FOUND;
        slg_catalogue_unpin(catalogue, shard);
        if (step.check != NULL)
            counts = slg_check_counts(step.check);
        if (status == SLG_OK && step.indexed)
            note_place(look, generation, &step);
        if (!pay(look, counts.bytes - step.bytes, counts.batches - step.batches))
            status = SLG_CANCELED;
        step.bytes = counts.bytes;
        step.batches = counts.batches;
    }
    if (step.check != NULL)
        take_bad(look, generation, step.check);
    slg_check_close(step.check);
    look->condemned = look->condemned || status == SLG_CORRUPT;
    return status == SLG_CORRUPT ? SLG_OK : status;
}

static void tell_found(struct slg_scrub *scrub)
{
    if (scrub->options.found != NULL)
        scrub->options.found(scrub->options.found_ctx);
}

/* Act on what was found. */
static void put_aside(struct look *look)
{
    struct slg_scrub *scrub = look->scrub;
    const char *name = slg_shard_name_of(&look->id).text;
    struct slg_error err = { .message = "" };
    enum slg_status status;

    if (look->condemned) {
        status =
            slg_catalogue_quarantine(scrub->options.catalogue, &look->id, look->why.message, &err);
    } else {
        status = slg_catalogue_set_aside(scrub->options.catalogue, &look->id, look->orders,
                                         look->order_count, &err);
        if (status == SLG_OK)
            slg_log_error(
                "damaged batches set aside, to be fetched from peers shard=%s batches=%zu "
                "first_reason=%d",
                name, look->order_count, (int)look->orders[0].reason);
        slg_metric_add_shared(scrub->options.metrics, METRIC_storer_scrub_damaged_batches_total, 0,
                              look->order_count);
        scrub->record.damaged_batches += look->order_count;
    }
    if (status != SLG_OK && status != SLG_NOT_FOUND)
        slg_log_failure(SLG_LOG_ERROR, "what is damaged could not be put aside", &err);
    if (status == SLG_OK)
        tell_found(scrub);
    look->order_count = 0;
    look->condemned = false;
}

/* All generations, from this place on. */
static enum slg_status look_through(struct look *look, uint32_t generation, uint64_t after)
{
    enum slg_status status = SLG_OK;

    look->order_count = 0;
    look->condemned = false;
    for (uint32_t i = generation; status == SLG_OK && !look->condemned; i++)
        status = look_at_generation(look, i, i == generation ? after : 0);
    return status == SLG_NOT_FOUND ? SLG_OK : status; /* there are no more */
}

/* False: stopping. */
static bool look_at_shard(struct slg_scrub *scrub, const struct slg_shard_id *id, bool in_pass)
{
    const struct slg_scrub_record *record = &scrub->record;
    struct look *look = calloc(1, sizeof(*look));
    bool resume = in_pass && slg_shard_id_compare(&record->shard, id) == 0;
    uint32_t generation = resume ? record->generation_index : 0;
    uint64_t after = resume ? record->arrival : 0;
    bool found;
    enum slg_status status;

    if (look == NULL)
        return pause_until(scrub, now_mono() + TICK_NS);
    look->scrub = scrub;
    look->id = *id;
    look->in_pass = in_pass;
    status = look_through(look, generation, after);
    found = look->condemned || look->order_count > 0;
    if (found &&
        status ==
            SLG_OK) { /* only what is found twice: a bus or a page under way may have been it */
        status = look_through(look, generation, after);
        if (status == SLG_OK && !look->condemned && look->order_count == 0)
            slg_log_warn("damage was not found again, is the memory sound? shard=%s",
                         slg_shard_name_of(id).text);
    }
    if (status != SLG_CANCELED && (look->condemned || look->order_count > 0))
        put_aside(look);
    if (status != SLG_OK && status != SLG_CANCELED)
        slg_log_warn("a shard could not be scrubbed shard=%s error=%s", slg_shard_name_of(id).text,
                     look->why.message);
    free(look);
    return status != SLG_CANCELED;
}

/* ---- quarantined copies ---- */

struct rescue {
    struct slg_scrub *scrub;
    sem_t done;
    enum slg_store_result result;
    bool refused; /* a batch was not taken */
};

/* A lane's thread. */
static void on_stored(void *ctx, enum slg_store_result result, const char *text)
{
    struct rescue *rescue = ctx;

    (void)text;
    rescue->result = result;
    (void)sem_post(&rescue->done); /* fails only on overflow */
}

/* Through the lanes as any batch, one at a time; as a hint, for it may not be placed here any more. */
static enum slg_status store_again(void *ctx, const uint8_t *bytes, size_t len)
{
    struct rescue *rescue = ctx;
    struct slg_scrub *scrub = rescue->scrub;

    while (slg_commit_submit(scrub->options.commit, bytes, len,
                             SLG_STORE_FLAG_HINT | SLG_ADMIT_FLAG_COPY, on_stored,
                             rescue) != SLG_OK)
        if (!pause_until(scrub, now_mono() + SLG_NS_PER_MS))
            return SLG_CANCELED;
    while (sem_wait(&rescue->done) != 0) /* a signal came between */
        ;
    if (rescue->result == SLG_STORE_READ_ONLY || rescue->result == SLG_STORE_BUSY)
        return SLG_LIMIT; /* another time */
    rescue->refused = rescue->refused ||
                      (rescue->result != SLG_STORE_STORED && rescue->result != SLG_STORE_DUPLICATE);
    return SLG_OK;
}

static bool pay_for_search(void *ctx, uint64_t bytes)
{
    struct rescue *rescue = ctx;
    struct look look = { .scrub = rescue->scrub };

    return pay(&look, bytes, 0);
}

/* Starts that tried, so that one that ends the process is not tried for ever; "done" when there is nothing left to do. */
static unsigned tries_of(const char *directory)
{
    struct slg_buf text;
    unsigned tries = 0;

    if (slg_disk_read(directory, TRIES_NAME, &text, NULL) == SLG_OK)
        tries = text.len >= SALVAGE_TRIES ? SALVAGE_TRIES : (unsigned)text.len;
    slg_buf_fini(&text);
    return tries;
}

static void vouch_for(struct slg_scrub *scrub, const struct slg_shard_id *id)
{
    struct slg_shard *shard;
    struct slg_error err;
    enum slg_status status =
        slg_catalogue_pin(scrub->options.catalogue, id, /* create= */ false, &shard, &err);

    if (status == SLG_OK) {
        status = slg_shard_vouch(shard, &err);
        slg_catalogue_unpin(scrub->options.catalogue, shard);
    }
    if (status != SLG_OK)
        slg_log_failure(SLG_LOG_WARN, "a repaired shard could not be marked so", &err);
}

/* False: stopping. */
static bool rescue_copy(struct slg_scrub *scrub, const struct slg_quarantine_row *row,
                        const char *directory)
{
    struct rescue rescue = { .scrub = scrub };
    const struct slg_salvage salvage = { .directory = directory,
                                         .shard = row->shard,
                                         .store = store_again,
                                         .pay = pay_for_search,
                                         .ctx = &rescue };
    struct slg_salvage_result result;
    struct slg_error err = { .message = "" };
    enum slg_status status;

    (void)sem_init(&rescue.done, 0, 0); /* fails only for values out of range */
    status = slg_salvage_run(&salvage, &result, &err);
    (void)sem_destroy(&rescue.done); /* nobody waits on it */
    if (status == SLG_OK) {
        slg_log_info("sound batches of a quarantined copy stored again shard=%s batches=%" PRIu64
                     " whole=%s",
                     slg_shard_name_of(&row->shard).text, result.batches,
                     result.whole ? "true" : "false");
        if (result.whole && !rescue.refused)
            vouch_for(scrub, &row->shard);
        if (slg_disk_write(directory, TRIES_NAME, "done", SALVAGE_TRIES, &err) != SLG_OK)
            slg_log_failure(SLG_LOG_WARN, "a salvaged copy could not be marked so", &err);
    } else if (status != SLG_CANCELED) {
        slg_log_failure(SLG_LOG_WARN, "a quarantined copy could not be searched", &err);
    }
    return status != SLG_CANCELED;
}

/* Copies that were not searched yet. False: stopping. */
static bool rescue_all(struct slg_scrub *scrub)
{
    struct slg_quarantine_row *rows = calloc(SLG_QUARANTINE_COUNT_MAX, sizeof(*rows));
    size_t count = rows == NULL ? 0 : slg_quarantine_list(scrub->options.data_dir, rows);
    bool going = true;

    for (size_t i = 0; i < count && going; i++) {
        struct slg_disk_path directory;
        unsigned tries;

        if (slg_quarantine_path(scrub->options.data_dir, rows[i].name, &directory, NULL) != SLG_OK)
            continue;
        tries = tries_of(directory.text);
        if (tries < SALVAGE_TRIES &&
            slg_disk_write(directory.text, TRIES_NAME, "...", tries + 1, NULL) == SLG_OK)
            going = rescue_copy(scrub, &rows[i], directory.text);
    }
    free(rows);
    return going;
}

/* ---- passes ---- */

static void begin_pass(struct slg_scrub *scrub)
{
    struct slg_catalogue *catalogue = scrub->options.catalogue;
    struct slg_shard_id id;
    uint64_t bytes = 0;

    for (bool any = slg_catalogue_next(catalogue, NULL, &id); any;
         any = slg_catalogue_next(catalogue, &id, &id))
        bytes += slg_catalogue_used_bytes(catalogue, &id);
    scrub->record = (struct slg_scrub_record){
        .running = true,
        .pass_started_ns = slg_clock_wall_ns(scrub->options.clock),
        .total_bytes = bytes,
    };
    store_record(scrub);
    slg_log_info("scrub began bytes=%" PRIu64, bytes);
}

static void end_pass(struct slg_scrub *scrub)
{
    scrub->record.running = false;
    scrub->record.shard = (struct slg_shard_id){ .slot_count = 0 };
    store_record(scrub);
    slg_metric_add_shared(scrub->options.metrics, METRIC_storer_scrub_passes_total, 0, 1);
    slg_log_info("scrub ended bytes=%" PRIu64 " damaged_batches=%" PRIu64, scrub->record.done_bytes,
                 scrub->record.damaged_batches);
}

/* The next shard. False: stopping. */
static bool go_on(struct slg_scrub *scrub)
{
    struct slg_scrub_record *record = &scrub->record;
    struct slg_shard_id id;

    if (!slg_catalogue_next(scrub->options.catalogue,
                            record->shard.slot_count == 0 ? NULL : &record->shard, &id)) {
        end_pass(scrub);
        return true;
    }
    record->shard = id;
    record->generation_index = 0;
    record->arrival = 0;
    return look_at_shard(scrub, &id, /* in_pass= */ true);
}

static bool is_due(const struct slg_scrub *scrub)
{
    return slg_clock_wall_ns(scrub->options.clock) - scrub->record.pass_started_ns >=
           scrub->options.interval_ns;
}

static void *run(void *arg)
{
    struct slg_scrub *scrub = arg;
    uint64_t rescued = UINT64_MAX; /* at the start, too */
    bool going = true;

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOW_NICE); /* if not, the throttle must do */
    load_record(scrub);
    atomic_store(&scrub->rate_from_mono_ns, now_mono());
    if (scrub->options.passes && scrub->record.running && scrub->record.shard.slot_count > 0)
        going = look_at_shard(scrub, &scrub->record.shard, /* in_pass= */ true);
    while (going) {
        struct slg_shard_id id;

        if (scrub->options.commit != NULL &&
            slg_catalogue_count(scrub->options.catalogue).quarantined_count != rescued) {
            rescued = slg_catalogue_count(scrub->options.catalogue).quarantined_count;
            going = rescue_all(scrub);
        } else if (slg_catalogue_take_reported(scrub->options.catalogue, &id)) {
            going = look_at_shard(scrub, &id, /* in_pass= */ false);
        } else if (scrub->options.passes && scrub->record.running) {
            going = go_on(scrub);
        } else if (scrub->options.passes && is_due(scrub)) {
            atomic_store(&scrub->rate_from_mono_ns, now_mono());
            atomic_store(&scrub->rate_bytes, 0);
            begin_pass(scrub);
        } else {
            going = pause_until(scrub, now_mono() + TICK_NS);
        }
    }
    store_record(scrub);
    return NULL;
}

/* ---- start and stop ---- */

enum slg_status slg_scrub_start(const struct slg_scrub_options *options,
                                struct slg_scrub **ret_scrub, struct slg_error *reterr)
{
    struct slg_scrub *scrub = calloc(1, sizeof(*scrub));

    SLG_ASSERT(options->bytes_per_second >= SLG_SCRUB_BYTES_PER_SEC_MIN);
    SLG_ASSERT(options->interval_ns > 0);
    if (scrub == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the scrub");
    scrub->options = *options;
    if (slg_queue_create(1, &scrub->wake) == SLG_OK)
        scrub->running = pthread_create(&scrub->thread, NULL, run, scrub) == 0;
    if (!scrub->running) {
        slg_scrub_stop(scrub);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory or thread for the scrub");
    }
    *ret_scrub = scrub;
    return SLG_OK;
}

void slg_scrub_stop(struct slg_scrub *scrub)
{
    if (scrub == NULL)
        return;
    if (scrub->wake != NULL)
        slg_queue_close(scrub->wake);
    if (scrub->running && pthread_join(scrub->thread, NULL) != 0)
        slg_log_error("the scrub thread could not be joined");
    slg_queue_destroy(scrub->wake);
    free(scrub);
}

void slg_scrub_progress(struct slg_scrub *scrub, struct slg_scrub_progress *ret_progress)
{
    int64_t elapsed_ns = now_mono() - atomic_load(&scrub->rate_from_mono_ns);
    uint64_t bytes = atomic_load(&scrub->rate_bytes);

    *ret_progress = (struct slg_scrub_progress){
        .running = atomic_load(&scrub->pass_running),
        .pass_started_ns = atomic_load(&scrub->pass_started_ns),
        .done_bytes = atomic_load(&scrub->done_bytes),
        .total_bytes = atomic_load(&scrub->total_bytes),
        .damaged_batches = atomic_load(&scrub->damaged_batches),
        .bytes_per_second =
            elapsed_ns > 0 ? (uint64_t)((double)bytes * (double)SLG_NS_PER_SEC / (double)elapsed_ns)
                           : 0,
    };
}
