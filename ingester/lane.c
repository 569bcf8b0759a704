/* Concurrency
 *   map_next          any thread puts a map in by exchange; the owner takes it out by exchange
 *   everything else   the owning thread */
#include "ingester/lane.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

#define WAIT_SLICE_NS (100 * SLG_NS_PER_MS)
#define TELL_EVERY_NS (60 * SLG_NS_PER_SEC) /* of messages in no known form */
#define PAUSE_MS      1

struct source {
    bool used;
    bool allowed;
    uint32_t listener_index;
    struct slg_address address;
    const char *listen; /* the listener's address */
    struct slg_text host_name;
    uint64_t parse_errors; /* since they were told */
    uint32_t text_len;
    char text[INET6_ADDRSTRLEN];
};

struct slg_lane {
    struct slg_recorder *recorder;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct slg_metric_set *metrics;
    struct slg_clock *clock;
    _Atomic(struct slg_map *) map_next;
    uint64_t parse_errors; /* since they were told, of all sources */
    int64_t tell_mono_ns;  /* not before */
    struct source *last_source;
    struct source sources[SLG_LANE_SOURCE_CACHE_SIZE];
};

enum slg_status slg_lane_create(const struct slg_lane_options *options, struct slg_lane **ret_lane,
                                struct slg_error *reterr)
{
    struct slg_lane *lane = calloc(1, sizeof(*lane));
    enum slg_status status = SLG_OK;

    if (lane == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for an intake thread");
    lane->clock = options->batcher.clock;
    lane->cell = slg_account_cell(options->account);
    lane->metrics = slg_metric_set_create(options->metrics);
    if (lane->cell == NULL || lane->metrics == NULL ||
        slg_recorder_create(&lane->recorder) != SLG_OK)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for an intake thread");
    if (status == SLG_OK)
        status = slg_batcher_create(&options->batcher, &lane->batcher, reterr);
    if (status != SLG_OK) {
        slg_lane_destroy(lane);
        return status;
    }
    *ret_lane = lane;
    return SLG_OK;
}

void slg_lane_destroy(struct slg_lane *lane)
{
    if (lane == NULL)
        return;
    slg_map_unref(atomic_exchange(&lane->map_next, NULL));
    slg_batcher_destroy(lane->batcher);
    slg_recorder_destroy(lane->recorder);
    slg_metric_set_destroy(lane->metrics);
    free(lane);
}

struct slg_batcher *slg_lane_batcher(struct slg_lane *lane)
{
    return lane->batcher;
}

struct slg_account_cell *slg_lane_cell(struct slg_lane *lane)
{
    return lane->cell;
}

struct slg_metric_set *slg_lane_metrics(struct slg_lane *lane)
{
    return lane->metrics;
}

static bool is_source(const struct source *source, uint32_t listener_index,
                      const struct slg_address *address)
{
    return source != NULL && source->used && source->listener_index == listener_index &&
           memcmp(&source->address, address, sizeof(*address)) == 0;
}

/* What is known about a sender; a place is simply taken over by another one. */
static struct source *find_source(struct slg_lane *lane, const struct slg_listener *listener,
                                  const struct slg_address *address)
{
    uint32_t index = (uint32_t)slg_listener_index(listener);
    struct source *source = lane->last_source;
    const char *name;

    if (is_source(source, index, address))
        return source;
    source = &lane->sources[slg_hash_xxh3_seeded(address, sizeof(*address), index) %
                            SLG_LANE_SOURCE_CACHE_SIZE];
    lane->last_source = source;
    if (is_source(source, index, address))
        return source;
    name = slg_listener_host_name(listener, address);
    source->used = true;
    source->listener_index = index;
    source->address = *address;
    source->listen = slg_listener_address(listener);
    source->parse_errors = 0;
    source->allowed = slg_listener_allows(listener, address);
    source->host_name = slg_text_make(name, strlen(name));
    source->text_len = (uint32_t)slg_address_print(address, source->text);
    return source;
}

bool slg_lane_allows(struct slg_lane *lane, const struct slg_listener *listener,
                     const struct slg_address *address)
{
    return find_source(lane, listener, address)->allowed;
}

static void note(struct slg_lane *lane, struct source *from, const struct slg_record *record,
                 bool truncated)
{
    if (record->flags & SLG_SYSLOG_PARSE_ERROR) {
        slg_metric_add(lane->metrics, METRIC_ingester_parse_errors_total, from->listener_index, 1);
        from->parse_errors++;
        lane->parse_errors++;
    }
    if (record->time_adjusted)
        slg_metric_add(lane->metrics, METRIC_ingester_time_adjusted_total, 0, 1);
    if (truncated)
        slg_metric_add(lane->metrics, METRIC_ingester_truncated_messages_total, 0, 1);
    if (record->metadata_dropped > 0)
        slg_metric_add(lane->metrics, METRIC_ingester_metadata_dropped_total, 0,
                       record->metadata_dropped);
}

static enum slg_drop_reason reason_of(enum slg_status status)
{
    switch (status) {
    case SLG_AGAIN:
    case SLG_NO_MEMORY:
        return SLG_DROP_MEMORY;
    case SLG_LIMIT:
        return SLG_DROP_NEW_SHARDS;
    default:
        return SLG_DROP_INVALID; /* rule zero: of the statuses that remain only MALFORMED comes */
    }
}

/* What may be otherwise soon. */
static bool worth_waiting(const struct slg_batcher_entry *entry, enum slg_status status)
{
    return status == SLG_AGAIN || (status == SLG_LIMIT && entry->waiter != NULL);
}

/* Wait for room in slices, because the deadline comes nearer when the ingester is told to stop. */
static enum slg_status wait_and_add(struct slg_lane *lane, const struct slg_batcher_entry *entry,
                                    const _Atomic int64_t *deadline_mono_ns, enum slg_status status,
                                    bool *ret_new_batch)
{
    slg_metric_add(lane->metrics, METRIC_ingester_tcp_stalls_total, 0, 1);
    while (worth_waiting(entry, status)) {
        int64_t now = slg_clock_mono_ns(lane->clock);

        if (now >= atomic_load_explicit(deadline_mono_ns, memory_order_relaxed))
            return status;
        if (slg_batcher_wait_room(lane->batcher, now + WAIT_SLICE_NS) == SLG_OK)
            status = slg_batcher_add(lane->batcher, entry, now, ret_new_batch);
        if (worth_waiting(entry, status) && slg_clock_mono_ns(lane->clock) - now < SLG_NS_PER_MS)
            (void)poll(NULL, 0, PAUSE_MS); /* room, but no memory to seal: a pause, not a spin */
    }
    return status;
}

static enum slg_status add(struct slg_lane *lane, const struct slg_lane_message *message,
                           const struct slg_record *record, int64_t now_mono_ns,
                           bool *ret_new_batch)
{
    const struct slg_batcher_entry entry = {
        .stream = record->stream,
        .serial_lasting = true,
        .kind = SLG_ENTRY_SYSLOG,
        .ts_ns = record->ts_ns,
        .line = record->line,
        .metadata = record->metadata,
        .metadata_count = record->metadata_count,
        .listener = slg_listener_index(message->listener),
        .waiter = message->waiter,
    };
    enum slg_status status = slg_batcher_add(lane->batcher, &entry, now_mono_ns, ret_new_batch);

    if (message->deadline_mono_ns != NULL && worth_waiting(&entry, status))
        status = wait_and_add(lane, &entry, message->deadline_mono_ns, status, ret_new_batch);
    return status;
}

enum slg_status slg_lane_take_waited(struct slg_lane *lane, const struct slg_lane_message *message,
                                     struct slg_lane_time now, bool *ret_new_batch)
{
    size_t listener = slg_listener_index(message->listener);
    struct source *from = find_source(lane, message->listener, &message->address);
    struct slg_record_source source = {
        .address = { from->text, from->text_len },
        .host_name = from->host_name,
        .receive_ns = now.wall_ns,
        .truncated = message->truncated,
    };
    struct slg_record record;
    enum slg_status status;

    if (!from->allowed) {
        slg_account_received(lane->cell, listener, 1);
        slg_account_dropped(lane->cell, listener, SLG_DROP_NOT_ALLOWED, 1);
        return SLG_MALFORMED;
    }
    status = slg_recorder_take(lane->recorder, slg_listener_record(message->listener), &source,
                               message->bytes, message->len, &record);
    if (status == SLG_AGAIN) {
        slg_metric_add(lane->metrics, METRIC_ingester_empty_messages_total, listener, 1);
        return SLG_OK;
    }
    slg_account_received(lane->cell, listener, 1); /* before anybody else can count it */
    if (status == SLG_OK) {
        if (record.flags != 0 || record.time_adjusted || record.metadata_dropped > 0 ||
            message->truncated)
            note(lane, from, &record, message->truncated);
        status = add(lane, message, &record, now.mono_ns, ret_new_batch);
    }
    if (status != SLG_OK)
        slg_account_dropped(lane->cell, listener, reason_of(status), 1);
    return status;
}

void slg_lane_take(struct slg_lane *lane, const struct slg_lane_message *message,
                   struct slg_lane_time now)
{
    enum slg_status status = slg_lane_take_waited(lane, message, now, NULL);

    (void)status; /* settled and counted there */
}

/* One line a minute at most, with the source that sent most of them: a metric cannot have a label for each. */
static void tell_parse_errors(struct slg_lane *lane, int64_t now_mono_ns)
{
    const struct source *worst = &lane->sources[0];

    if (lane->parse_errors == 0 || now_mono_ns < lane->tell_mono_ns)
        return;
    for (size_t i = 1; i < SLG_LANE_SOURCE_CACHE_SIZE; i++)
        if (lane->sources[i].parse_errors > worst->parse_errors)
            worst = &lane->sources[i];
    /* the sources may all have given their places to others */
    if (worst->parse_errors > 0)
        slg_log_warn("messages in no known syslog form are stored whole count=%" PRIu64
                     " source=%.*s source_count=%" PRIu64 " listener=%s",
                     lane->parse_errors, (int)worst->text_len, worst->text, worst->parse_errors,
                     worst->listen);
    for (size_t i = 0; i < SLG_LANE_SOURCE_CACHE_SIZE; i++)
        lane->sources[i].parse_errors = 0;
    lane->parse_errors = 0;
    lane->tell_mono_ns = now_mono_ns + TELL_EVERY_NS;
}

void slg_lane_tick(struct slg_lane *lane, int64_t now_mono_ns, bool drained)
{
    if (atomic_load_explicit(&lane->map_next, memory_order_relaxed) != NULL) {
        struct slg_map *map = atomic_exchange(&lane->map_next, NULL);

        if (map != NULL)
            slg_batcher_set_map(lane->batcher, map);
        slg_map_unref(map);
    }
    slg_batcher_tick(lane->batcher, now_mono_ns, drained);
    tell_parse_errors(lane, now_mono_ns);
}

int64_t slg_lane_wake_mono_ns(const struct slg_lane *lane)
{
    return slg_batcher_wake_mono_ns(lane->batcher);
}

static void drop_at_stop(void *ctx, size_t listener, uint64_t entry_count)
{
    struct slg_lane *lane = ctx;

    slg_account_dropped(lane->cell, listener, SLG_DROP_STOP, entry_count);
}

void slg_lane_finish(struct slg_lane *lane, int64_t deadline_mono_ns)
{
    if (slg_batcher_flush(lane->batcher, deadline_mono_ns) != 0)
        slg_batcher_clear(lane->batcher, drop_at_stop, lane);
}

void slg_lane_set_map(struct slg_lane *lane, struct slg_map *map)
{
    slg_map_unref(atomic_exchange(&lane->map_next, slg_map_ref(map)));
}
