#include "storer/retention.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "storer/admit.h"
#include "storer/catalogue_forget.h"
#include "storer/catalogue_storage.h"
#include "storer/quarantine.h"

#define HOUR_NS (INT64_C(3600) * SLG_NS_PER_SEC)

struct round {
    const struct slg_retention *retention;
    const struct slg_catalogue_row *rows; /* oldest first */
    size_t count;
    size_t forgotten;
    struct slg_error failure; /* of the first shard that the disk keeps; it keeps no other */
};

static void forget(struct round *round, const struct slg_shard_id *id,
                   enum slg_storer_forget reason)
{
    const struct slg_retention *retention = round->retention;
    struct slg_error err;
    enum slg_status status = slg_catalogue_forget(retention->catalogue, id, &err);

    if (status == SLG_AGAIN)
        return; /* a query has it pinned: next round */
    if (status != SLG_OK) {
        if (round->failure.status == SLG_OK)
            round->failure = err;
        return;
    }
    slg_log_info("shard forgotten shard=%s reason=%s", slg_shard_name_of(id).text,
                 reason == SLG_STORER_FORGET_TIME ? "time" : "bytes");
    slg_metric_add_shared(retention->metrics, METRIC_storer_forgotten_shards_total, reason, 1);
    round->forgotten++;
}

/* Short windows expire faster than 4 an hour: those of 4 hours may go. */
static uint64_t windows_per_hour(int64_t length_ns)
{
    return SLG_RETENTION_WINDOWS_PER_HOUR *
           (length_ns < HOUR_NS ? (uint64_t)((HOUR_NS + length_ns - 1) / length_ns) : 1);
}

/* May another window go in this hour? Counts it, on disk, before anything is unlinked. */
static enum slg_status take_window(struct slg_catalogue *catalogue, int64_t length_ns,
                                   int64_t now_ns, bool *ret_may, struct slg_error *reterr)
{
    struct slg_storage storage = *slg_catalogue_storage(catalogue);

    if (now_ns - storage.forget_period_ns >= HOUR_NS || now_ns < storage.forget_period_ns) {
        storage.forget_period_ns = now_ns - now_ns % HOUR_NS;
        storage.forget_window_count = 0;
    }
    *ret_may = storage.forget_window_count < windows_per_hour(length_ns);
    if (!*ret_may)
        return SLG_OK;
    storage.forget_window_count++;
    return slg_catalogue_store_storage(catalogue, &storage, reterr);
}

/* Nothing of the last one went: it was pinned, or the disk keeps it. */
static enum slg_status give_window_back(struct slg_catalogue *catalogue, struct slg_error *reterr)
{
    struct slg_storage storage = *slg_catalogue_storage(catalogue);

    storage.forget_window_count--;
    return slg_catalogue_store_storage(catalogue, &storage, reterr);
}

static void say_waiting(const struct slg_shard_id *next, int64_t now_ns)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(HOUR_NS);
    uint64_t suppressed;

    if (slg_log_limit_allow(&limit, now_ns, &suppressed))
        slg_log_warn("expired shards wait: %" PRIu64
                     " windows an hour are forgotten by themselves, is the clock right? next=%s",
                     windows_per_hour(next->length_ns), slg_shard_name_of(next).text);
}

static enum slg_status forget_old(struct round *round, int64_t now_ns, struct slg_error *reterr)
{
    int64_t cutoff_ns = slg_admit_cutoff_ns(round->retention->map, 0, now_ns);
    int64_t window_ns = -1; /* the one that may go */
    size_t before = 0;      /* shards forgotten before it was its turn */
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < round->count; i++) {
        const struct slg_shard_id *id = &round->rows[i].id;

        if (id->window_ns + id->length_ns > cutoff_ns)
            continue;
        /* keep_from was decided for the cluster; only the clock has to be doubted. */
        if (id->window_ns + id->length_ns > round->retention->map->keep_from_ns &&
            id->window_ns != window_ns) {
            bool may = true;

            if (window_ns < 0 || round->forgotten > before) /* else the last one's turn is left */
                status =
                    take_window(round->retention->catalogue, id->length_ns, now_ns, &may, reterr);
            if (status != SLG_OK)
                return status;
            if (!may) {
                say_waiting(id, now_ns);
                return SLG_OK;
            }
            window_ns = id->window_ns;
            before = round->forgotten;
        }
        forget(round, id, SLG_STORER_FORGET_TIME);
    }
    if (window_ns >= 0 && round->forgotten == before)
        return give_window_back(round->retention->catalogue, reterr);
    return SLG_OK;
}

/* The end of the newest window that must go so that the others fit, never that which holds now. */
static int64_t surplus_end(const struct round *round, int64_t keep_from_ns, int64_t now_ns)
{
    const struct slg_retention *retention = round->retention;
    uint64_t bytes = 0;

    for (size_t i = 0; i < round->count; i++)
        bytes += slg_catalogue_used_bytes(retention->catalogue, &round->rows[i].id);
    for (size_t i = 0; i < round->count; i++) {
        const struct slg_shard_id *id = &round->rows[i].id;
        uint64_t freed = slg_catalogue_used_bytes(retention->catalogue, id);

        if (id->window_ns + id->length_ns > keep_from_ns) {
            if (bytes <= retention->bytes_max || id->window_ns + id->length_ns > now_ns)
                break;
            keep_from_ns = id->window_ns + id->length_ns;
        }
        bytes -= freed < bytes ? freed : bytes;
    }
    return keep_from_ns;
}

/* keep_from is on disk before anything is unlinked: else other storers' copies would be fetched again. */
static enum slg_status forget_surplus(struct round *round, int64_t now_ns, struct slg_error *reterr)
{
    const struct slg_retention *retention = round->retention;
    struct slg_storage storage = *slg_catalogue_storage(retention->catalogue);
    enum slg_status status = SLG_OK;

    if (retention->bytes_max > 0) {
        int64_t keep_from_ns = surplus_end(round, storage.keep_from_ns, now_ns);

        if (keep_from_ns > storage.keep_from_ns) {
            storage.keep_from_ns = keep_from_ns;
            status = slg_catalogue_store_storage(retention->catalogue, &storage, reterr);
        }
    }
    for (size_t i = 0; status == SLG_OK && i < round->count; i++) {
        const struct slg_shard_id *id = &round->rows[i].id;

        if (id->window_ns + id->length_ns <= storage.keep_from_ns)
            forget(round, id, SLG_STORER_FORGET_BYTES);
    }
    return status;
}

/* ---- quarantine ---- */

static bool vouches(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct slg_shard_totals totals;

    return slg_catalogue_totals(catalogue, id, &totals, /* set= */ NULL, NULL) == SLG_OK &&
           totals.doubt == SLG_SHARD_DOUBT_NONE;
}

static int compare_age(const void *a, const void *b)
{
    const struct slg_quarantine_row *x = a, *y = b;

    return (x->since_ns > y->since_ns) - (x->since_ns < y->since_ns);
}

static void forget_quarantined(const struct slg_retention *retention, int64_t now_ns)
{
    int64_t cutoff_ns = slg_admit_cutoff_ns(
        retention->map, slg_catalogue_keep_from_ns(retention->catalogue), now_ns);
    struct slg_quarantine_row *rows = calloc(SLG_QUARANTINE_COUNT_MAX, sizeof(*rows));
    size_t count = rows == NULL ? 0 : slg_quarantine_list(retention->data_dir, rows);
    uint64_t bytes = 0;

    if (count > 0)
        qsort(rows, count, sizeof(*rows), compare_age);
    for (size_t i = 0; i < count; i++)
        bytes += rows[i].bytes;
    for (size_t i = 0; i < count; i++) {
        const struct slg_quarantine_row *row = &rows[i];
        bool expired = row->shard.window_ns + row->shard.length_ns <= cutoff_ns;
        bool old = now_ns - row->since_ns >= retention->quarantine_keep_ns ||
                   bytes > retention->quarantine_bytes_max;
        struct slg_error err;

        if (!expired && !(old && vouches(retention->catalogue, &row->shard)))
            continue;
        if (slg_quarantine_remove(retention->data_dir, row->name, &err) != SLG_OK) {
            slg_log_failure(SLG_LOG_WARN, "could not remove a quarantined copy", &err);
            continue;
        }
        bytes -= row->bytes;
        slg_log_info("quarantined copy removed name=%s", row->name);
    }
    free(rows);
}

static enum slg_status list_shards(struct round *round, struct slg_arena *arena,
                                   struct slg_error *reterr)
{
    struct slg_catalogue_row *rows;
    enum slg_status status;

    slg_arena_reset(arena);
    status =
        slg_catalogue_list(round->retention->catalogue, 0, INT64_MAX, arena, &rows, &round->count);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "no memory for the list of shards");
    round->rows = rows;
    return SLG_OK;
}

enum slg_status slg_retention_run(const struct slg_retention *retention, int64_t now_wall_ns,
                                  size_t *ret_forgotten, struct slg_error *reterr)
{
    struct slg_arena *arena = slg_arena_create(SLG_CATALOGUE_SHARD_COUNT_MAX * 64);
    struct round round = { .retention = retention };
    enum slg_status status;

    if (arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the list of shards");
    status = list_shards(&round, arena, reterr);
    if (status == SLG_OK)
        status = forget_old(&round, now_wall_ns, reterr);
    if (status == SLG_OK)
        status = list_shards(&round, arena, reterr); /* those that are left */
    if (status == SLG_OK)
        status = forget_surplus(&round, now_wall_ns, reterr);
    if (retention->data_dir != NULL)
        forget_quarantined(retention, now_wall_ns);
    slg_arena_destroy(arena);
    *ret_forgotten = round.forgotten;
    if (status == SLG_OK && round.failure.status != SLG_OK) {
        status = round.failure.status;
        if (reterr != NULL)
            *reterr = round.failure;
    }
    return status;
}
