/* Concurrency
 *   everything     the owning thread
 *   unsettled[i]   the forward thread takes one away when a batch is settled */
#include "ingester/batcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/queue.h"

#define STREAM_CACHE_SIZE ((size_t)512) /* a power of 2 */
#define SHARD_TABLE_SIZE  (SLG_BATCHER_SHARDS_MAX * 2)
#define MINUTE_NS         (60 * SLG_NS_PER_SEC)
#define WINDOWS_AT_ONCE   ((size_t)2) /* with lines: the one that begins, and the one before */
#define SHARD_RAW_BYTES   ((size_t)16 * 1024) /* more that may be open for each of their shards */

static_assert(SLG_BATCHER_BUILDERS_MAX + WINDOWS_AT_ONCE * SLG_BATCHER_SLOTS_MAX <
                  SLG_BATCHER_SHARDS_MAX,
              "a table that begins holds the shards of all open builders");

/* A shard met by this incarnation. */
struct shard {
    bool used;
    struct slg_shard_id id;
    uint64_t sequence; /* last one given out */
    int64_t sealed_mono_ns;
    struct builder *builder; /* open for it, or NULL */
};

struct cached_stream {
    uint64_t serial; /* 0: empty */
    uint32_t stream_index;
};

/* Slot of a stream: of its lasting serial only. */
struct known_slot {
    uint64_t serial; /* 0: empty */
    uint16_t slot;
    uint16_t slot_count;
};

struct builder {
    struct slg_batch_builder *builder;
    struct shard *shard;             /* NULL: closed */
    struct builder *previous, *next; /* open ones in the order of opening; next: closed ones */
    int64_t opened_mono_ns;
    size_t raw_bytes;
    uint64_t entry_count;
    size_t listener;
    struct slg_forward_waiter *waiters[SLG_FORWARD_WAITER_MAX];
    size_t waiter_count;
    struct cached_stream cache[STREAM_CACHE_SIZE];
};

struct slg_batcher {
    struct slg_batcher_options options;
    struct slg_map *map;
    struct slg_incarnation incarnation;
    uint64_t incarnation_serial; /* forward's, when it began */
    struct shard *shards;        /* [SHARD_TABLE_SIZE], open addressing */
    struct shard *shards_before; /* the full table of the incarnation before; NULL: none */
    size_t shard_count;
    /* Batches sealed and not settled, by the place of their shard: shards of one place seem busy together. Not in the
     * table, because these batches outlive it. */
    _Atomic uint32_t unsettled[SHARD_TABLE_SIZE];
    struct builder *open_first, *open_last;
    struct builder *closed;
    size_t builder_count; /* open or closed */
    size_t open_count;
    size_t open_max;                 /* builders, by the map's slots */
    size_t raw_bytes, raw_bytes_max; /* in all open builders */
    uint64_t entry_count;            /* likewise */
    struct builder *last;            /* where the last entry went */
    struct slg_shard_id last_id;     /* its shard by this map; length 0: none */
    struct known_slot slots[STREAM_CACHE_SIZE];
    struct slg_forward_batch *spare; /* taken from the pool and not used yet */
    struct slg_buf scratch;
    int64_t minute_mono_ns; /* start of the minute that new_shards counts */
    unsigned new_shards, new_shards_max;
    int64_t wake_mono_ns;
};

void slg_batcher_options_init(struct slg_batcher_options *options)
{
    *options = (struct slg_batcher_options){
        .clock = slg_clock_system(),
        .builders_max = SLG_BATCHER_BUILDERS_DEFAULT,
        .raw_bytes_max = SLG_BATCH_SEAL_BYTES,
        .linger_ns_max = SLG_BATCHER_LINGER_NS_DEFAULT,
        .recheck_ns = SLG_BATCHER_RECHECK_NS_DEFAULT,
        .new_shards_max = SLG_BATCHER_NEW_SHARDS_DEFAULT,
    };
}

/* ---- incarnations and shards ---- */

/* The batcher's next name. */
static enum slg_status make_incarnation(struct slg_batcher *b)
{
    struct slg_incarnation made;
    uint64_t ms = (uint64_t)(slg_clock_wall_ns(b->options.clock) / SLG_NS_PER_MS);
    ssize_t got;

    for (int i = 0; i < 8; i++)
        made.bytes[i] = (uint8_t)(ms >> (56 - 8 * i));
    do {
        got = getrandom(made.bytes + 8, 16, 0);
    } while (got < 0 && errno == EINTR);
    if (got != 16)
        return SLG_IO;
    b->incarnation = made;
    if (b->options.metrics != NULL)
        slg_metric_add_shared(b->options.metrics, METRIC_ingester_incarnations_total, 0, 1);
    return SLG_OK;
}

static size_t shard_place(const struct slg_shard_id *id)
{
    uint64_t key[3] = { (uint64_t)id->window_ns, (uint64_t)id->length_ns,
                        (uint64_t)id->slot << 16 | id->slot_count };

    return (size_t)(slg_hash_xxh3(key, sizeof(key)) % SHARD_TABLE_SIZE);
}

static bool same_shard(const struct slg_shard_id *a, const struct slg_shard_id *b)
{
    return a->window_ns == b->window_ns && a->slot == b->slot && a->length_ns == b->length_ns &&
           a->slot_count == b->slot_count;
}

static struct shard *find_shard(struct shard *table, const struct slg_shard_id *id,
                                struct shard **ret_free)
{
    size_t place = shard_place(id);

    /* Half of the table is always free, so the walk ends. */
    while (table[place].used) {
        if (same_shard(&table[place].id, id))
            return &table[place];
        place = (place + 1) % SHARD_TABLE_SIZE;
    }
    *ret_free = &table[place];
    return NULL;
}

static void meet_shard(struct slg_batcher *b, struct shard *place, const struct slg_shard_id *id,
                       int64_t sealed_mono_ns)
{
    *place = (struct shard){ .used = true, .id = *id, .sealed_mono_ns = sealed_mono_ns };
    b->shard_count++;
}

/* All sequences begin again at 1 under a new name, in a table that knows the shards of open builders only. Batches on
 * their way keep their ids: to a storer two incarnations are two ingesters. */
static enum slg_status begin_incarnation(struct slg_batcher *b)
{
    struct shard *table = calloc(SHARD_TABLE_SIZE, sizeof(*table));

    if (table == NULL || make_incarnation(b) != SLG_OK) {
        free(table);
        return SLG_AGAIN;
    }
    free(b->shards_before);
    b->shards_before = b->shards;
    b->shards = table;
    b->shard_count = 0;
    for (struct builder *open = b->open_first; open != NULL; open = open->next) {
        struct shard *place = NULL;
        struct shard *met = find_shard(table, &open->shard->id, &place);

        SLG_ASSERT(met == NULL); /* a shard has one builder at most */
        meet_shard(b, place, &open->shard->id, open->shard->sealed_mono_ns);
        place->builder = open;
        open->shard = place;
    }
    slg_log_info("new incarnation begun: %zu shards are all that one remembers",
                 SLG_BATCHER_SHARDS_MAX);
    return SLG_OK;
}

/* After refused content only the name changes: the places stay, their sequences begin anew. */
static void renew_incarnation(struct slg_batcher *b)
{
    uint64_t serial = slg_forward_incarnation_serial(b->options.forward);

    if (serial == b->incarnation_serial)
        return;
    if (make_incarnation(b) != SLG_OK)
        return; /* tried again at the next seal */
    b->incarnation_serial = serial;
    for (size_t i = 0; i < SHARD_TABLE_SIZE; i++)
        b->shards[i].sequence = 0;
    slg_log_warn("new incarnation begun: a storer holds other content under an id of ours");
}

static _Atomic uint32_t *unsettled_of(struct slg_batcher *b, const struct shard *shard)
{
    return &b->unsettled[shard_place(&shard->id)];
}

/* False: too many in this minute. What the incarnation before had met is not new to the storers. */
static bool take_new_shard(struct slg_batcher *b, const struct slg_shard_id *id,
                           int64_t now_mono_ns)
{
    struct shard *place;

    if (b->shards_before != NULL && find_shard(b->shards_before, id, &place) != NULL)
        return true;
    if (now_mono_ns - b->minute_mono_ns >= MINUTE_NS) {
        b->minute_mono_ns = now_mono_ns;
        b->new_shards = 0;
    }
    if (b->new_shards >= b->new_shards_max)
        return false;
    b->new_shards++;
    return true;
}

static enum slg_status get_shard(struct slg_batcher *b, const struct slg_shard_id *id,
                                 int64_t now_mono_ns, struct shard **ret_shard)
{
    struct shard *place = NULL;
    struct shard *shard = find_shard(b->shards, id, &place);

    if (shard != NULL) {
        *ret_shard = shard;
        return SLG_OK;
    }
    if (b->shard_count == SLG_BATCHER_SHARDS_MAX) {
        if (begin_incarnation(b) != SLG_OK)
            return SLG_AGAIN;
        shard = find_shard(b->shards, id, &place);
        SLG_ASSERT(shard == NULL);
    }
    if (!take_new_shard(b, id, now_mono_ns))
        return SLG_UNAVAILABLE; /* told from the LIMIT that is about an entry */
    meet_shard(b, place, id, /* sealed_mono_ns= */ INT64_MIN / 2);
    *ret_shard = place;
    return SLG_OK;
}

/* ---- sealing ---- */

static void destroy_builder(struct builder *builder)
{
    slg_batch_builder_destroy(builder->builder);
    free(builder);
}

/* As many as the setting says keep their memory for the next batch. */
static void close_builder(struct slg_batcher *b, struct builder *builder)
{
    *(builder->previous != NULL ? &builder->previous->next : &b->open_first) = builder->next;
    *(builder->next != NULL ? &builder->next->previous : &b->open_last) = builder->previous;
    b->raw_bytes -= builder->raw_bytes;
    b->entry_count -= builder->entry_count;
    b->open_count--;
    builder->shard->builder = NULL;
    if (b->last == builder)
        b->last = NULL;
    if (b->builder_count > b->options.builders_max) {
        destroy_builder(builder);
        b->builder_count--;
        return;
    }
    builder->shard = NULL;
    builder->next = b->closed;
    b->closed = builder;
}

/* Fill in the batch object and hand it over; the builder is closed, and maybe gone. AGAIN: it stays as it is. */
static enum slg_status seal(struct slg_batcher *b, struct builder *builder, int64_t now_mono_ns)
{
    struct shard *shard = builder->shard;
    struct slg_forward_batch *batch = b->spare;
    enum slg_status status;

    if (batch == NULL && slg_forward_take(b->options.forward, b->options.own,
                                          /* deadline_mono_ns= */ 0, &batch) != SLG_OK)
        return SLG_AGAIN;
    b->spare = batch;
    renew_incarnation(b);
    status = slg_batch_builder_seal(builder->builder, &b->incarnation, shard->sequence + 1,
                                    b->map->epoch, &b->scratch);
    if (status != SLG_OK)
        return SLG_AGAIN; /* no memory; the entries wait in the builder */
    batch->shard = shard->id;
    batch->entry_count = builder->entry_count;
    batch->listener = builder->listener;
    batch->own = b->options.own;
    batch->unsettled = unsettled_of(b, shard);
    for (size_t i = 0; i < builder->waiter_count; i++)
        batch->waiters[i] = builder->waiters[i];
    batch->waiter_count = builder->waiter_count;
    atomic_fetch_add_explicit(batch->unsettled, 1, memory_order_relaxed);
    status = slg_forward_submit(b->options.forward, batch, b->scratch.data, b->scratch.len);
    if (status != SLG_OK) {
        atomic_fetch_sub_explicit(batch->unsettled, 1, memory_order_relaxed);
        batch->waiter_count = 0;
        return SLG_AGAIN;
    }
    b->spare = NULL;
    shard->sequence++; /* only now: no gap for what was never handed over */
    shard->sealed_mono_ns = now_mono_ns;
    close_builder(b, builder);
    return SLG_OK;
}

/* Seal all that can be sealed without waiting; the number of entries that stayed. */
static uint64_t flush_open(struct slg_batcher *b)
{
    int64_t now = slg_clock_mono_ns(b->options.clock);

    while (b->open_first != NULL && seal(b, b->open_first, now) == SLG_OK) {
    }
    return b->entry_count;
}

/* ---- adding ---- */

static struct builder *make_builder(struct slg_batcher *b)
{
    struct builder *builder = calloc(1, sizeof(*builder));

    if (builder == NULL)
        return NULL;
    if (slg_batch_builder_create(b->options.tenant, b->options.raw_bytes_max, &builder->builder) !=
        SLG_OK) {
        free(builder);
        return NULL;
    }
    b->builder_count++;
    return builder;
}

/* A closed builder, taken off its list: one that is there or a new one. NULL: no memory. */
static struct builder *take_builder(struct slg_batcher *b)
{
    struct builder *builder = b->closed;

    if (builder == NULL)
        return make_builder(b);
    b->closed = builder->next;
    return builder;
}

/* The shard's builder, opened if it has none. With too many open ones the first of them is sealed. */
static enum slg_status get_builder(struct slg_batcher *b, struct shard *shard, int64_t now_mono_ns,
                                   struct builder **ret_builder)
{
    struct builder *builder = shard->builder;

    *ret_builder = builder;
    if (builder != NULL)
        return SLG_OK;
    if (b->open_count >= b->open_max && seal(b, b->open_first, now_mono_ns) != SLG_OK)
        return SLG_AGAIN;
    builder = take_builder(b);
    if (builder == NULL)
        return SLG_AGAIN;
    slg_batch_builder_start(builder->builder, &shard->id);
    memset(builder->cache, 0, sizeof(builder->cache));
    builder->shard = shard;
    builder->opened_mono_ns = now_mono_ns;
    builder->raw_bytes = 0;
    builder->entry_count = 0;
    builder->waiter_count = 0;
    builder->previous = b->open_last;
    builder->next = NULL;
    *(b->open_last != NULL ? &b->open_last->next : &b->open_first) = builder;
    b->open_last = builder;
    b->open_count++;
    shard->builder = builder;
    *ret_builder = builder;
    return SLG_OK;
}

static enum slg_status stream_index_of(struct builder *builder,
                                       const struct slg_batcher_entry *entry, uint32_t *ret_index)
{
    const struct slg_stream_ref *stream = entry->stream;
    struct cached_stream *cached = &builder->cache[stream->serial % STREAM_CACHE_SIZE];
    enum slg_status status;

    if (entry->serial_lasting && cached->serial == stream->serial) {
        *ret_index = cached->stream_index;
        return SLG_OK;
    }
    status = slg_batch_builder_stream(builder->builder, &stream->id, stream->canonical,
                                      stream->canonical_len, ret_index);
    if (status == SLG_OK && entry->serial_lasting) {
        cached->serial = stream->serial;
        cached->stream_index = *ret_index;
    }
    return status;
}

/* The shard of an entry. Most entries are of the window of the one before and of a stream that was met: for them no
 * layout is looked up and nothing is divided. */
static struct slg_shard_id shard_of(struct slg_batcher *b, const struct slg_batcher_entry *entry)
{
    const struct slg_stream_ref *stream = entry->stream;
    struct known_slot *known = &b->slots[stream->serial % STREAM_CACHE_SIZE];
    struct slg_shard_id id = b->last_id;

    if (entry->serial_lasting && known->serial == stream->serial &&
        known->slot_count == id.slot_count && entry->ts_ns >= id.window_ns &&
        entry->ts_ns - id.window_ns < id.length_ns) {
        id.slot = known->slot;
        return id;
    }
    id = slg_map_shard_of(b->map, entry->ts_ns, &stream->id);
    if (entry->serial_lasting)
        *known = (struct known_slot){ stream->serial, id.slot, id.slot_count };
    b->last_id = id;
    return id;
}

/* Has the waiter to be told of this builder's batch, and is there a place? */
static bool waiter_known(const struct builder *builder, const struct slg_forward_waiter *waiter)
{
    return waiter == NULL ||
           (builder->waiter_count > 0 && builder->waiters[builder->waiter_count - 1] == waiter);
}

static enum slg_status append(struct slg_batcher *b, struct builder *builder,
                              const struct slg_batcher_entry *entry, bool *ret_new_batch)
{
    struct slg_entry made = {
        .ts_ns = entry->ts_ns,
        .kind = entry->kind,
        .line = entry->line,
        .metadata = { entry->metadata, entry->metadata_count },
    };
    bool known = waiter_known(builder, entry->waiter);
    enum slg_status status;

    if (!known && builder->waiter_count == SLG_FORWARD_WAITER_MAX)
        return SLG_AGAIN;
    status = stream_index_of(builder, entry, &made.stream_index);
    if (status == SLG_OK)
        status = slg_batch_builder_append(builder->builder, &made);
    if (status != SLG_OK)
        return status;
    if (!known)
        builder->waiters[builder->waiter_count++] = entry->waiter;
    if (ret_new_batch != NULL)
        *ret_new_batch = !known;
    if (builder->entry_count == 0)
        builder->listener = entry->listener;
    else if (builder->listener != entry->listener)
        builder->listener = b->options.listener_mixed;
    builder->entry_count++;
    b->entry_count++;
    b->raw_bytes -= builder->raw_bytes;
    builder->raw_bytes = slg_batch_builder_raw_bytes(builder->builder);
    b->raw_bytes += builder->raw_bytes;
    return SLG_OK;
}

/* Seal what is full now. No room: tried again by the next entry or tick. */
static void note_added(struct slg_batcher *b, struct builder *builder, int64_t now_mono_ns)
{
    int64_t look_mono_ns = now_mono_ns;

    b->last = builder;
    if (builder->raw_bytes >= b->options.raw_bytes_max) {
        if (seal(b, builder, now_mono_ns) == SLG_OK)
            return;
    } else {
        look_mono_ns += b->options.recheck_ns;
        if (builder->opened_mono_ns + b->options.linger_ns_max < look_mono_ns)
            look_mono_ns = builder->opened_mono_ns + b->options.linger_ns_max;
    }
    if (look_mono_ns < b->wake_mono_ns)
        b->wake_mono_ns = look_mono_ns;
}

static enum slg_status add_to(struct slg_batcher *b, const struct slg_shard_id *id,
                              const struct slg_batcher_entry *entry, int64_t now_mono_ns,
                              bool *ret_new_batch)
{
    struct builder *builder = b->last;
    struct shard *shard;
    enum slg_status status = SLG_OK;

    if (builder != NULL && same_shard(&builder->shard->id, id))
        shard = builder->shard;
    else
        status = get_shard(b, id, now_mono_ns, &shard);
    if (status == SLG_OK)
        status = get_builder(b, shard, now_mono_ns, &builder);
    if (status != SLG_OK)
        return status;
    status = append(b, builder, entry, ret_new_batch);
    if (status == SLG_AGAIN && builder->entry_count > 0) {
        /* Full: seal it, the entry opens the next one. */
        status = seal(b, builder, now_mono_ns);
        if (status == SLG_OK)
            status = get_builder(b, shard, now_mono_ns, &builder);
        if (status != SLG_OK)
            return status;
        status = append(b, builder, entry, ret_new_batch);
    }
    if (status == SLG_OK)
        note_added(b, builder, now_mono_ns);
    else if (builder->entry_count == 0)
        close_builder(b, builder); /* opened for an entry that does not fit at all */
    return status;
}

enum slg_status slg_batcher_add(struct slg_batcher *b, const struct slg_batcher_entry *entry,
                                int64_t now_mono_ns, bool *ret_new_batch)
{
    struct slg_shard_id id;
    enum slg_status status;

    if (entry->ts_ns < 0)
        return SLG_MALFORMED;
    while (b->raw_bytes >= b->raw_bytes_max)
        if (seal(b, b->open_first, now_mono_ns) != SLG_OK)
            return SLG_AGAIN;
    id = shard_of(b, entry);
    status = add_to(b, &id, entry, now_mono_ns, ret_new_batch);
    if (status == SLG_OK || status == SLG_AGAIN)
        return status;
    return status == SLG_UNAVAILABLE ? SLG_LIMIT : SLG_MALFORMED;
}

/* ---- time ---- */

static bool due(struct slg_batcher *b, const struct builder *builder, int64_t now_mono_ns,
                bool drained)
{
    if (builder->raw_bytes >= b->options.raw_bytes_max ||
        now_mono_ns - builder->opened_mono_ns >= b->options.linger_ns_max)
        return true;
    return drained && now_mono_ns - builder->shard->sealed_mono_ns >= b->options.idle_gap_ns &&
           atomic_load_explicit(unsettled_of(b, builder->shard), memory_order_acquire) == 0;
}

/* When to look at a builder again that is not sealed now. While a batch is out soon: its end makes the shard idle. */
static int64_t look_again(const struct slg_batcher *b, const struct builder *builder,
                          int64_t now_mono_ns)
{
    int64_t at = builder->opened_mono_ns + b->options.linger_ns_max;

    if (at > now_mono_ns + b->options.recheck_ns)
        at = now_mono_ns + b->options.recheck_ns;
    return at < now_mono_ns + SLG_NS_PER_MS ? now_mono_ns + SLG_NS_PER_MS : at; /* do not spin */
}

void slg_batcher_tick(struct slg_batcher *b, int64_t now_mono_ns, bool drained)
{
    int64_t wake = SLG_DEADLINE_NEVER;
    struct builder *next;

    if (!drained && now_mono_ns < b->wake_mono_ns)
        return; /* nothing can be due */
    /* In the order of opening, so that each gets its turn when there is room for few. */
    for (struct builder *builder = b->open_first; builder != NULL; builder = next) {
        int64_t at = look_again(b, builder, now_mono_ns);
        bool is_due = due(b, builder, now_mono_ns, drained);

        next = builder->next;
        if (is_due && seal(b, builder, now_mono_ns) == SLG_OK)
            continue;
        if (at < wake)
            wake = at;
        if (is_due)
            break; /* no room for the others either */
    }
    b->wake_mono_ns = wake;
}

int64_t slg_batcher_wake_mono_ns(const struct slg_batcher *b)
{
    return b->wake_mono_ns;
}

enum slg_status slg_batcher_wait_room(struct slg_batcher *b, int64_t deadline_mono_ns)
{
    if (b->spare != NULL)
        return SLG_OK;
    return slg_forward_take(b->options.forward, b->options.own, deadline_mono_ns, &b->spare);
}

uint64_t slg_batcher_flush(struct slg_batcher *b, int64_t deadline_mono_ns)
{
    for (;;) {
        uint64_t left = flush_open(b);

        if (left == 0)
            return 0;
        /* With a batch object in hand it was not room that was missing. */
        if (b->spare != NULL || slg_batcher_wait_room(b, deadline_mono_ns) != SLG_OK)
            return left;
    }
}

uint64_t slg_batcher_entry_count(const struct slg_batcher *b)
{
    return b->entry_count;
}

void slg_batcher_clear(struct slg_batcher *b,
                       void (*dropped)(void *ctx, size_t listener, uint64_t entry_count), void *ctx)
{
    while (b->open_first != NULL) {
        struct builder *builder = b->open_first;

        dropped(ctx, builder->listener, builder->entry_count);
        for (size_t w = 0; w < builder->waiter_count; w++)
            builder->waiters[w]->settled(builder->waiters[w], SLG_REPLICA_DROPPED, SLG_DROP_STOP);
        close_builder(b, builder);
    }
    b->wake_mono_ns = SLG_DEADLINE_NEVER;
}

/* So many that each shard of the window, and of the one that it follows, keeps its builder: else every line of another
 * shard seals a batch of a few lines, and there is no room for so many batches. */
static void set_limits(struct slg_batcher *b)
{
    size_t slots = 0, shards;

    for (size_t i = 0; i < b->map->layout_count; i++)
        if (b->map->layouts[i].slot_count > slots)
            slots = b->map->layouts[i].slot_count;
    if (slots > SLG_BATCHER_SLOTS_MAX)
        slots = SLG_BATCHER_SLOTS_MAX;
    shards = WINDOWS_AT_ONCE * slots;
    b->open_max = b->options.builders_max + shards;
    b->raw_bytes_max =
        b->options.builders_max * b->options.raw_bytes_max + shards * SHARD_RAW_BYTES;
    b->new_shards_max = b->options.new_shards_max;
    if (b->new_shards_max < shards)
        b->new_shards_max = (unsigned)shards;
}

void slg_batcher_set_map(struct slg_batcher *b, struct slg_map *map)
{
    slg_map_unref(b->map);
    b->map = slg_map_ref(map);
    b->last_id.length_ns = 0; /* the new map may lay this window out otherwise */
    set_limits(b);
}

const struct slg_incarnation *slg_batcher_incarnation(const struct slg_batcher *b)
{
    return &b->incarnation;
}

/* ---- life ---- */

enum slg_status slg_batcher_create(const struct slg_batcher_options *options,
                                   struct slg_batcher **ret_batcher, struct slg_error *reterr)
{
    struct slg_batcher *b;

    if (options->builders_max < 1 || options->builders_max > SLG_BATCHER_BUILDERS_MAX ||
        options->raw_bytes_max < 4096 || options->raw_bytes_max > SLG_BATCH_SEAL_BYTES ||
        options->new_shards_max < 1 || options->new_shards_max > SLG_BATCHER_NEW_SHARDS_MAX)
        return slg_errorf(reterr, SLG_INVALID, "a limit of the batcher is out of its range");
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a batcher");
    b->options = *options;
    b->map = slg_map_ref(options->map);
    b->incarnation_serial = slg_forward_incarnation_serial(options->forward);
    b->wake_mono_ns = SLG_DEADLINE_NEVER;
    b->minute_mono_ns = slg_clock_mono_ns(options->clock);
    slg_buf_init(&b->scratch, SLG_BATCH_BYTES_MAX);
    set_limits(b);
    b->shards = calloc(SHARD_TABLE_SIZE, sizeof(*b->shards));
    if (b->shards == NULL || make_incarnation(b) != SLG_OK) {
        slg_batcher_destroy(b);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory or no randomness for a batcher");
    }
    *ret_batcher = b;
    return SLG_OK;
}

void slg_batcher_destroy(struct slg_batcher *b)
{
    if (b == NULL)
        return;
    if (b->spare != NULL)
        slg_forward_put(b->options.forward, b->spare);
    while (b->open_first != NULL)
        close_builder(b, b->open_first);
    while (b->closed != NULL)
        destroy_builder(take_builder(b));
    free(b->shards);
    free(b->shards_before);
    slg_map_unref(b->map);
    slg_buf_fini(&b->scratch);
    free(b);
}
