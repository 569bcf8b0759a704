/* Concurrency
 *   everything          the housekeeping thread
 *   report_state        the forward thread settles it; the housekeeping thread reads it and starts the next */
#include "ingester/loss.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "ingester/listener.h"
#include "ingester/zone.h"

#define LINE_BYTES_MAX  ((size_t)512)
#define SECONDS_PER_DAY INT64_C(86400)

enum report_state { REPORT_NONE, REPORT_OUT, REPORT_ACCEPTED, REPORT_FAILED };

/* Drops of one listener for one reason. */
struct row {
    uint64_t seen;    /* dropped, as read last */
    uint64_t told;    /* of these, in accepted loss entries */
    uint64_t telling; /* told, if the report that is out is accepted */
    int64_t from_ns;  /* of what is not told yet; wall time */
    int64_t to_ns;
    int64_t telling_from_ns;
};

struct slg_loss {
    struct slg_forward_waiter waiter; /* first */
    struct slg_loss_options options;
    struct slg_clock *clock;
    struct slg_batcher *batcher;
    _Atomic int report_state;
    struct slg_queue *ended; /* one place: somebody may wait for the end of a report */
    uint64_t report_lines;
    int64_t report_mono_ns;
    int64_t grew_mono_ns; /* when a drop was seen last */
    int64_t looked_ns;    /* wall time of the last look */
    size_t listener_count;
    int64_t unknown_from_ns; /* of an earlier run; wall time */
    int64_t unknown_to_ns;
    bool unknown;         /* to be told */
    bool unknown_telling; /* by the report that is out */
    struct row rows[SLG_ACCOUNT_LISTENER_COUNT_MAX][SLG_DROP_REASON_COUNT];
    struct slg_stream_ref stream;
    struct slg_buf canonical;
    struct slg_label labels[4];
};

static void on_settled(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                       enum slg_drop_reason reason)
{
    struct slg_loss *loss = (struct slg_loss *)(void *)waiter;

    (void)reason;
    atomic_store_explicit(&loss->report_state,
                          outcome == SLG_REPLICA_ACCEPTED ? REPORT_ACCEPTED : REPORT_FAILED,
                          memory_order_release);
    (void)!slg_queue_push(loss->ended, loss); /* full: the last end has not been looked at yet */
}

static void make_stream(struct slg_loss *loss)
{
    struct slg_label_set set = { loss->labels, SLG_ARRAY_LEN(loss->labels) };

    /* Sorted by name. */
    loss->labels[0] = (struct slg_label){ slg_text_of("event"), slg_text_of("loss") };
    loss->labels[1] = (struct slg_label){ slg_text_of("host"), slg_text_of(loss->options.node_id) };
    loss->labels[2] = (struct slg_label){ slg_text_of("job"), slg_text_of(SLG_RESERVED_JOB) };
    loss->labels[3] =
        (struct slg_label){ slg_text_of("service_name"), slg_text_of(SLG_RESERVED_JOB) };
    slg_label_encode(&loss->canonical, &set);
    loss->stream = (struct slg_stream_ref){
        .id = slg_stream_id_of(loss->options.batcher.tenant, loss->canonical.data,
                               loss->canonical.len),
        .serial = 1,
        .canonical = loss->canonical.data,
        .canonical_len = loss->canonical.len,
        .labels = set,
    };
}

enum slg_status slg_loss_create(const struct slg_loss_options *options, struct slg_loss **ret_loss,
                                struct slg_error *reterr)
{
    struct slg_loss *loss = calloc(1, sizeof(*loss));
    enum slg_status status;

    if (loss == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for loss reports");
    loss->waiter.settled = on_settled;
    loss->options = *options;
    loss->options.batcher.own = true;
    loss->options.batcher.builders_max = 1;
    loss->options.batcher.raw_bytes_max = SLG_BATCH_SEAL_BYTES;
    loss->clock = options->batcher.clock;
    loss->listener_count = slg_account_listener_count(options->account);
    loss->looked_ns = slg_clock_wall_ns(loss->clock);
    loss->report_mono_ns = slg_clock_mono_ns(loss->clock) - SLG_LOSS_EVERY_NS;
    slg_buf_init(&loss->canonical, SLG_LABEL_SET_BYTES_MAX);
    make_stream(loss);
    status = slg_queue_create(1, &loss->ended) != SLG_OK || slg_buf_failed(&loss->canonical)
                 ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for loss reports")
                 : slg_batcher_create(&loss->options.batcher, &loss->batcher, reterr);
    if (status != SLG_OK) {
        slg_loss_destroy(loss);
        return status;
    }
    *ret_loss = loss;
    return SLG_OK;
}

void slg_loss_destroy(struct slg_loss *loss)
{
    if (loss == NULL)
        return;
    slg_batcher_destroy(loss->batcher);
    slg_queue_destroy(loss->ended);
    slg_buf_fini(&loss->canonical);
    free(loss);
}

/* RFC 3339, whole seconds: the account is looked at once a second. */
static void print_time(char text[32], int64_t ts_ns)
{
    int64_t seconds = ts_ns / SLG_NS_PER_SEC;
    int64_t in_day = seconds % SECONDS_PER_DAY;
    int64_t year;
    unsigned month;
    unsigned day;

    slg_zone_civil_from_days(seconds / SECONDS_PER_DAY, &year, &month, &day);
    (void)snprintf(text, 32, "%04d-%02u-%02uT%02d:%02d:%02dZ", (int)year, month, day,
                   (int)(in_day / 3600), (int)(in_day / 60 % 60), (int)(in_day % 60));
}

static void look(struct slg_loss *loss)
{
    int64_t now_ns = slg_clock_wall_ns(loss->clock);

    for (size_t listener = 0; listener < loss->listener_count; listener++) {
        for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++) {
            struct row *row = &loss->rows[listener][reason];
            uint64_t dropped = slg_account_dropped_count(loss->options.account, listener,
                                                         (enum slg_drop_reason)reason);

            if (dropped == row->seen)
                continue;
            if (row->seen == row->told || row->seen == row->telling)
                row->from_ns = loss->looked_ns; /* the first since the last report */
            row->to_ns = now_ns;
            row->seen = dropped;
            loss->grew_mono_ns = slg_clock_mono_ns(loss->clock);
        }
    }
    loss->looked_ns = now_ns;
}

/* What became of the report that was out. */
static void conclude(struct slg_loss *loss)
{
    int state = atomic_load_explicit(&loss->report_state, memory_order_acquire);

    if (state != REPORT_ACCEPTED && state != REPORT_FAILED)
        return;
    for (size_t listener = 0; listener < loss->listener_count; listener++) {
        for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++) {
            struct row *row = &loss->rows[listener][reason];

            if (state == REPORT_ACCEPTED)
                row->told = row->telling;
            else if (row->telling != row->told)
                row->from_ns = row->telling_from_ns;
            row->telling = row->told;
        }
    }
    if (state == REPORT_ACCEPTED && loss->unknown_telling)
        loss->unknown = false;
    loss->unknown_telling = false;
    if (state == REPORT_ACCEPTED)
        slg_metric_add_shared(loss->options.metrics, METRIC_ingester_loss_entries_total, 0,
                              loss->report_lines);
    atomic_store_explicit(&loss->report_state, REPORT_NONE, memory_order_relaxed);
}

static bool write_line(struct slg_loss *loss, const char *count, const char *reason,
                       size_t listener, int64_t from_ns, int64_t to_ns)
{
    static const struct slg_label level = { { "detected_level", 14 }, { "warn", 4 } };
    struct slg_batcher_entry entry = {
        .stream = &loss->stream,
        .serial_lasting = true,
        .kind = SLG_ENTRY_SYSLOG,
        .ts_ns = loss->looked_ns,
        .metadata = &level,
        .metadata_count = 1,
        .waiter = &loss->waiter,
    };
    char from[32];
    char to[32];
    char line[LINE_BYTES_MAX];
    int len;

    print_time(from, from_ns);
    print_time(to, to_ns);
    len = snprintf(line, sizeof(line), "count=%s reason=%s listener=\"%s\" from=%s to=%s", count,
                   reason, slg_account_listener(loss->options.account, listener), from, to);
    if (len < 0 || (size_t)len >= sizeof(line))
        return false;
    entry.line = slg_text_make(line, (size_t)len);
    return slg_batcher_add(loss->batcher, &entry, slg_clock_mono_ns(loss->clock), NULL) == SLG_OK;
}

static bool write_row(struct slg_loss *loss, size_t listener, enum slg_drop_reason reason)
{
    const struct row *row = &loss->rows[listener][reason];
    char count[24];

    (void)snprintf(count, sizeof(count), "%" PRIu64, row->seen - row->told); /* fits */
    return write_line(loss, count, slg_drop_reason_text(reason), listener, row->from_ns,
                      row->to_ns);
}

/* One batch with a line for each row that has something to tell. */
static void report(struct slg_loss *loss)
{
    loss->report_lines = 0;
    loss->unknown_telling = false;
    /* Before the batch can be settled. */
    atomic_store_explicit(&loss->report_state, REPORT_OUT, memory_order_relaxed);
    for (size_t listener = 0; listener < loss->listener_count; listener++) {
        for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++) {
            struct row *row = &loss->rows[listener][reason];

            row->telling = row->told;
            if (row->seen == row->told || !write_row(loss, listener, (enum slg_drop_reason)reason))
                continue;
            row->telling = row->seen;
            row->telling_from_ns = row->from_ns;
            loss->report_lines++;
        }
    }
    if (loss->unknown &&
        write_line(loss, "unknown", "unclean_end", loss->options.batcher.listener_mixed,
                   loss->unknown_from_ns, loss->unknown_to_ns)) {
        loss->unknown_telling = true;
        loss->report_lines++;
    }
    loss->report_mono_ns = slg_clock_mono_ns(loss->clock);
    if (loss->report_lines == 0)
        atomic_store_explicit(&loss->report_state, REPORT_NONE, memory_order_relaxed);
    else
        (void)slg_batcher_flush(loss->batcher,
                                /* deadline_mono_ns= */ 0); /* else the next tick seals it */
}

/* Long enough after the last one; sooner when no more drops come, so that the data soon tell of all. */
static bool due(const struct slg_loss *loss, int64_t now)
{
    int64_t since = now - loss->report_mono_ns;

    return since >= SLG_LOSS_EVERY_NS ||
           (since >= SLG_LOSS_QUIET_NS && now - loss->grew_mono_ns >= SLG_LOSS_QUIET_NS);
}

void slg_loss_tick(struct slg_loss *loss, bool at_once)
{
    int64_t now = slg_clock_mono_ns(loss->clock);

    conclude(loss);
    look(loss);
    if (slg_loss_busy(loss))
        slg_batcher_tick(loss->batcher, now, /* drained= */ true);
    else if ((slg_loss_unreported(loss) > 0 || loss->unknown) && (at_once || due(loss, now)))
        report(loss);
}

void slg_loss_look(struct slg_loss *loss)
{
    conclude(loss);
    look(loss);
}

void slg_loss_add_unknown(struct slg_loss *loss, int64_t from_ns)
{
    loss->unknown = true;
    loss->unknown_from_ns = from_ns;
    loss->unknown_to_ns = slg_clock_wall_ns(loss->clock);
}

bool slg_loss_unknown_told(const struct slg_loss *loss)
{
    return !loss->unknown;
}

uint64_t slg_loss_unreported(const struct slg_loss *loss)
{
    uint64_t count = 0;

    for (size_t listener = 0; listener < loss->listener_count; listener++)
        for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++)
            count += loss->rows[listener][reason].seen - loss->rows[listener][reason].told;
    return count;
}

bool slg_loss_busy(const struct slg_loss *loss)
{
    return atomic_load_explicit(&loss->report_state, memory_order_acquire) != REPORT_NONE;
}

void slg_loss_wait(struct slg_loss *loss, int64_t deadline_mono_ns)
{
    void *item;

    (void)!slg_queue_pop(loss->ended, deadline_mono_ns, &item); /* the caller looks at the state */
}

void slg_loss_set_map(struct slg_loss *loss, struct slg_map *map)
{
    slg_batcher_set_map(loss->batcher, map);
}
