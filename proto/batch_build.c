/* The writing half of proto/batch.h.
 *
 * A builder is eight growing columns. The text column starts with room for the payload's header, so that sealing
 * copies only the small columns behind the text and compresses in place: an entry costs its memcpy and some varints.
 * Columns keep their memory between batches: a steady state allocates nothing. */
#include "proto/batch.h"

#include "base/bytes.h"
#include "proto/batch_internal.h"
#include "proto/lz4.h"
#include "proto/wire.h"

#define COLUMN_BYTES_MIN    ((size_t)1024)
#define VARINT_BYTES_MAX    10
#define STREAM_SLOTS_MIN    ((size_t)64) /* a power of two */
#define NAME_SLOTS          ((size_t)4096)
#define NO_INDEX            UINT32_MAX
#define TABLE_ROW_BYTES_MAX ((size_t)16 + 4 * VARINT_BYTES_MAX) /* without canonical bytes */
#define WIRE_BIN32          0xC6

static_assert(NAME_SLOTS >= 2 * SLG_BATCH_NAME_COUNT_MAX, "open addressing needs half of it free");
static_assert(SLG_METADATA_COUNT_MAX <= SLG_BATCH_NAME_COUNT_MAX, "a fresh batch takes any entry");

struct column {
    uint8_t *data;
    size_t len;
    size_t capacity;
};

struct stream {
    struct slg_stream_id id;
    size_t canonical_at; /* in the canonical column */
    size_t canonical_len;
    uint64_t line_bytes;
    uint32_t metadata_count;
    uint32_t entry_count;
    uint32_t wire_index; /* in the order of first entries; NO_INDEX before the first */
};

/* A metadata name; its bytes stand in the name column. */
struct name {
    uint32_t at;
    uint32_t len;
    uint32_t entry_last; /* 1 + position of the last entry that has it: each name once */
};

struct slg_batch_builder {
    char tenant[SLG_TENANT_BYTES_MAX];
    size_t tenant_len;
    size_t raw_bytes_max;
    struct slg_shard_id shard;

    struct column columns[SLG_BATCH_SECTION_COUNT];
    uint32_t entry_count;
    uint32_t push_count;
    uint64_t line_bytes;
    uint64_t metadata_bytes;
    int64_t ts_last_ns, ts_min_ns, ts_max_ns;
    enum slg_entry_kind run_kind;
    uint32_t run_length;

    struct stream *streams;
    uint32_t *wire_order; /* stream by wire index */
    size_t stream_count, stream_capacity, used_stream_count;
    uint32_t *stream_slots; /* index + 1 into streams; 0 is free */
    size_t stream_slot_count;
    size_t table_bytes; /* upper bound of the encoded table */
    struct column canonical;
    struct column table; /* scratch of seal */

    struct name *names;
    size_t name_count;
    uint16_t *name_slots;  /* index + 1 into names; 0 is free */
    uint16_t *name_recent; /* by place in the entry: the name seen there last */
};

/* ---- columns ---- */

static bool grow(struct column *column, size_t more)
{
    size_t capacity = column->capacity == 0 ? COLUMN_BYTES_MIN : column->capacity;
    uint8_t *data;

    while (capacity - column->len < more)
        capacity *= 2; /* bounded by what a batch may hold */
    data = realloc(column->data, capacity);
    if (data == NULL)
        return false;
    column->data = data;
    column->capacity = capacity;
    return true;
}

static inline bool reserve(struct column *column, size_t more)
{
    return column->capacity - column->len >= more || grow(column, more);
}

/* The put functions need room reserved. */
static inline void put_varint(struct column *column, uint64_t value)
{
    uint8_t *at = column->data + column->len;

    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    column->len = (size_t)(at - column->data);
}

static inline void put_bytes(struct column *column, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(column->data + column->len, bytes, len);
    column->len += len;
}

/* ---- life ---- */

enum slg_status slg_batch_builder_create(struct slg_text tenant, size_t raw_bytes_max,
                                         struct slg_batch_builder **ret_builder)
{
    struct slg_batch_builder *b;

    SLG_ASSERT(tenant.len <= SLG_TENANT_BYTES_MAX);
    SLG_ASSERT(raw_bytes_max > 0);
    SLG_ASSERT(raw_bytes_max <= SLG_BATCH_SEAL_BYTES);
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return SLG_NO_MEMORY;
    if (tenant.len > 0)
        memcpy(b->tenant, tenant.at, tenant.len);
    b->tenant_len = tenant.len;
    b->raw_bytes_max = raw_bytes_max;
    b->names = calloc(SLG_BATCH_NAME_COUNT_MAX, sizeof(*b->names));
    b->name_slots = calloc(NAME_SLOTS, sizeof(*b->name_slots));
    b->name_recent = calloc(SLG_METADATA_COUNT_MAX, sizeof(*b->name_recent));
    b->stream_slots = calloc(STREAM_SLOTS_MIN, sizeof(*b->stream_slots));
    b->stream_slot_count = STREAM_SLOTS_MIN;
    if (b->names == NULL || b->name_slots == NULL || b->name_recent == NULL ||
        b->stream_slots == NULL || !reserve(&b->columns[SLG_BATCH_TEXT], COLUMN_BYTES_MIN)) {
        slg_batch_builder_destroy(b);
        return SLG_NO_MEMORY;
    }
    b->columns[SLG_BATCH_TEXT].len = SLG_BATCH_PAYLOAD_HEADER_BYTES;
    *ret_builder = b;
    return SLG_OK;
}

void slg_batch_builder_destroy(struct slg_batch_builder *builder)
{
    if (builder == NULL)
        return;
    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++)
        free(builder->columns[i].data);
    free(builder->streams);
    free(builder->wire_order);
    free(builder->stream_slots);
    free(builder->canonical.data);
    free(builder->table.data);
    free(builder->names);
    free(builder->name_slots);
    free(builder->name_recent);
    free(builder);
}

void slg_batch_builder_start(struct slg_batch_builder *b, const struct slg_shard_id *shard)
{
    SLG_ASSERT(shard->length_ns > 0);
    SLG_ASSERT(shard->window_ns >= 0 && shard->window_ns % shard->length_ns == 0);
    SLG_ASSERT(shard->window_ns <= INT64_MAX - shard->length_ns);
    SLG_ASSERT(shard->slot < shard->slot_count);
    b->shard = *shard;
    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++)
        b->columns[i].len = 0;
    b->columns[SLG_BATCH_TEXT].len = SLG_BATCH_PAYLOAD_HEADER_BYTES;
    b->entry_count = b->push_count = b->run_length = 0;
    b->run_kind = SLG_ENTRY_SYSLOG;
    b->line_bytes = b->metadata_bytes = 0;
    b->ts_last_ns = shard->window_ns;
    if (b->stream_count > 0)
        memset(b->stream_slots, 0, b->stream_slot_count * sizeof(*b->stream_slots));
    b->stream_count = b->used_stream_count = b->table_bytes = 0;
    b->canonical.len = 0;
    if (b->name_count > 0)
        memset(b->name_slots, 0, NAME_SLOTS * sizeof(*b->name_slots));
    b->name_count = 0;
}

/* ---- streams ---- */

/* Stream ids are parts of SHA-256: any 8 of their bytes are a hash. */
static size_t stream_hash(const struct slg_stream_id *id)
{
    uint64_t hash;

    memcpy(&hash, id->bytes, sizeof(hash));
    return (size_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> 20);
}

/* Slot of this id, or the free one where it belongs. */
static size_t find_stream_slot(const struct slg_batch_builder *b, const struct slg_stream_id *id)
{
    size_t mask = b->stream_slot_count - 1;
    size_t slot = stream_hash(id) & mask;

    while (b->stream_slots[slot] != 0 &&
           !slg_stream_id_equal(&b->streams[b->stream_slots[slot] - 1].id, id))
        slot = (slot + 1) & mask;
    return slot;
}

static bool grow_stream_slots(struct slg_batch_builder *b)
{
    size_t slot_count = b->stream_slot_count * 2;
    uint32_t *slots;

    SLG_ASSERT(slot_count >= STREAM_SLOTS_MIN);
    slots = calloc(slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(b->stream_slots);
    b->stream_slots = slots;
    b->stream_slot_count = slot_count;
    for (size_t i = 0; i < b->stream_count; i++)
        b->stream_slots[find_stream_slot(b, &b->streams[i].id)] = (uint32_t)i + 1;
    return true;
}

static bool grow_streams(struct slg_batch_builder *b)
{
    size_t capacity = b->stream_capacity == 0 ? STREAM_SLOTS_MIN / 2 : b->stream_capacity * 2;
    struct stream *streams = realloc(b->streams, capacity * sizeof(*streams));
    uint32_t *order;

    if (streams == NULL)
        return false;
    b->streams = streams;
    order = realloc(b->wire_order, capacity * sizeof(*order));
    if (order == NULL)
        return false;
    b->wire_order = order;
    b->stream_capacity = capacity;
    return true;
}

static enum slg_status add_stream(struct slg_batch_builder *b, const struct slg_stream_id *id,
                                  const uint8_t *canonical, size_t len)
{
    if (len == 0 || len > SLG_LABEL_SET_BYTES_MAX)
        return SLG_LIMIT;
    if (b->stream_count == SLG_BATCH_STREAM_COUNT_MAX ||
        b->table_bytes + TABLE_ROW_BYTES_MAX + len > SLG_BATCH_TABLE_BYTES_MAX - VARINT_BYTES_MAX)
        return SLG_AGAIN;
    if ((b->stream_count == b->stream_capacity && !grow_streams(b)) ||
        (b->stream_count * 2 >= b->stream_slot_count && !grow_stream_slots(b)) ||
        !reserve(&b->canonical, len))
        return SLG_NO_MEMORY;
    b->streams[b->stream_count] = (struct stream){
        .id = *id, .canonical_at = b->canonical.len, .canonical_len = len, .wire_index = NO_INDEX
    };
    put_bytes(&b->canonical, canonical, len);
    b->table_bytes += TABLE_ROW_BYTES_MAX + len;
    b->stream_count++;
    b->stream_slots[find_stream_slot(b, id)] = (uint32_t)b->stream_count;
    return SLG_OK;
}

enum slg_status slg_batch_builder_stream(struct slg_batch_builder *b,
                                         const struct slg_stream_id *id, const uint8_t *canonical,
                                         size_t len, uint32_t *ret_stream_index)
{
    size_t slot = find_stream_slot(b, id);
    enum slg_status status;

    if (b->stream_slots[slot] != 0) {
        const struct stream *stream = &b->streams[b->stream_slots[slot] - 1];

        if (stream->canonical_len != len ||
            memcmp(b->canonical.data + stream->canonical_at, canonical, len) != 0)
            return SLG_INVALID;
        *ret_stream_index = b->stream_slots[slot] - 1;
        return SLG_OK;
    }
    status = add_stream(b, id, canonical, len);
    if (status == SLG_OK)
        *ret_stream_index = (uint32_t)b->stream_count - 1;
    return status;
}

/* ---- entries ---- */

static bool is_name(const struct slg_batch_builder *b, size_t name_index, struct slg_text text)
{
    const struct name *name = &b->names[name_index];

    return name->len == text.len &&
           (text.len == 0 ||
            memcmp(b->columns[SLG_BATCH_NAMES].data + name->at, text.at, text.len) == 0);
}

/* Index of the name, added when new; room in the column is reserved and there are fewer than the maximum. */
static size_t find_name(struct slg_batch_builder *b, struct slg_text text)
{
    size_t slot = (size_t)slg_hash_xxh3(text.at, text.len) & (NAME_SLOTS - 1);
    struct column *column = &b->columns[SLG_BATCH_NAMES];

    for (; b->name_slots[slot] != 0; slot = (slot + 1) & (NAME_SLOTS - 1))
        if (is_name(b, b->name_slots[slot] - 1U, text))
            return b->name_slots[slot] - 1U;
    put_varint(column, text.len);
    b->names[b->name_count] =
        (struct name){ .at = (uint32_t)column->len, .len = (uint32_t)text.len };
    put_bytes(column, text.at, text.len);
    b->name_count++;
    b->name_slots[slot] = (uint16_t)b->name_count;
    return b->name_count - 1;
}

/* Undo what find_names did for the entry that is not taken. Names go in the reverse order of their coming, so that
 * freeing their slots breaks no chain of the open addressing. */
static void forget_names(struct slg_batch_builder *b, size_t name_count, size_t column_len)
{
    struct column *column = &b->columns[SLG_BATCH_NAMES];

    while (b->name_count > name_count) {
        const struct name *name = &b->names[b->name_count - 1];
        size_t slot = (size_t)slg_hash_xxh3(column->data + name->at, name->len) & (NAME_SLOTS - 1);

        while (b->name_slots[slot] != b->name_count)
            slot = (slot + 1) & (NAME_SLOTS - 1);
        b->name_slots[slot] = 0;
        b->name_count--;
    }
    column->len = column_len;
    for (size_t i = 0; i < b->name_count; i++)
        if (b->names[i].entry_last == b->entry_count + 1)
            b->names[i].entry_last = 0;
}

/* Find the indexes of the entry's names. INVALID: one is there twice. */
static enum slg_status find_names(struct slg_batch_builder *b, const struct slg_label_set *metadata,
                                  uint16_t *indexes)
{
    size_t name_count = b->name_count;
    size_t column_len = b->columns[SLG_BATCH_NAMES].len;

    for (size_t i = 0; i < metadata->count; i++) {
        struct slg_text text = metadata->items[i].name;
        size_t index = b->name_recent[i];

        /* Entries of one source have the same names in the same places. */
        if (index >= b->name_count || !is_name(b, index, text)) {
            index = find_name(b, text);
            b->name_recent[i] = (uint16_t)index;
        }
        if (b->names[index].entry_last == b->entry_count + 1) {
            forget_names(b, name_count, column_len);
            return SLG_INVALID;
        }
        b->names[index].entry_last = b->entry_count + 1;
        indexes[i] = (uint16_t)index;
    }
    return SLG_OK;
}

/* Bytes of metadata (names and values), or LIMIT. */
static enum slg_status measure_metadata(const struct slg_label_set *metadata, size_t *ret_names,
                                        size_t *ret_values)
{
    size_t names = 0, values = 0;

    if (metadata->count > SLG_METADATA_COUNT_MAX)
        return SLG_LIMIT;
    for (size_t i = 0; i < metadata->count; i++) {
        if (metadata->items[i].name.len > SLG_METADATA_BYTES_MAX ||
            metadata->items[i].value.len > SLG_METADATA_BYTES_MAX)
            return SLG_LIMIT;
        names += metadata->items[i].name.len;
        values += metadata->items[i].value.len;
    }
    if (names + values > SLG_METADATA_BYTES_MAX)
        return SLG_LIMIT;
    *ret_names = names;
    *ret_values = values;
    return SLG_OK;
}

static bool reserve_entry(struct slg_batch_builder *b, const struct slg_entry *entry,
                          size_t name_bytes, size_t value_bytes)
{
    struct column *columns = b->columns;
    size_t item_count = entry->metadata.count;

    return reserve(&columns[SLG_BATCH_TEXT], entry->line.len) &&
           reserve(&columns[SLG_BATCH_TIMES], VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_STREAMS], VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_KINDS], VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_LENGTHS], VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_NAMES], name_bytes + item_count * VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_METADATA], (1 + 2 * item_count) * VARINT_BYTES_MAX) &&
           reserve(&columns[SLG_BATCH_VALUES], value_bytes);
}

/* Count the entry to its stream; returns the stream's index on the wire. */
static uint32_t count_to_stream(struct slg_batch_builder *b, const struct slg_entry *entry)
{
    struct stream *stream = &b->streams[entry->stream_index];

    if (stream->wire_index == NO_INDEX) {
        stream->wire_index = (uint32_t)b->used_stream_count;
        b->wire_order[b->used_stream_count++] = entry->stream_index;
    }
    stream->entry_count++;
    stream->line_bytes += entry->line.len;
    stream->metadata_count += (uint32_t)entry->metadata.count;
    return stream->wire_index;
}

static void put_times(struct slg_batch_builder *b, int64_t ts_ns)
{
    int64_t delta = ts_ns - b->ts_last_ns; /* both lie in one window: no overflow */

    put_varint(&b->columns[SLG_BATCH_TIMES], ((uint64_t)delta << 1) ^ (delta < 0 ? UINT64_MAX : 0));
    b->ts_last_ns = ts_ns;
    if (b->entry_count == 0 || ts_ns < b->ts_min_ns)
        b->ts_min_ns = ts_ns;
    if (b->entry_count == 0 || ts_ns > b->ts_max_ns)
        b->ts_max_ns = ts_ns;
}

static void put_kind(struct slg_batch_builder *b, enum slg_entry_kind kind)
{
    if (kind != b->run_kind) {
        put_varint(&b->columns[SLG_BATCH_KINDS], b->run_length);
        b->run_kind = kind;
        b->run_length = 0;
    }
    b->run_length++;
    b->push_count += kind == SLG_ENTRY_PUSH;
}

static void put_entry(struct slg_batch_builder *b, const struct slg_entry *entry,
                      const uint16_t *name_indexes)
{
    struct column *columns = b->columns;

    put_bytes(&columns[SLG_BATCH_TEXT], entry->line.at, entry->line.len);
    put_times(b, entry->ts_ns);
    put_varint(&columns[SLG_BATCH_STREAMS], count_to_stream(b, entry));
    put_kind(b, entry->kind);
    put_varint(&columns[SLG_BATCH_LENGTHS], entry->line.len);
    put_varint(&columns[SLG_BATCH_METADATA], entry->metadata.count);
    for (size_t i = 0; i < entry->metadata.count; i++) {
        struct slg_text value = entry->metadata.items[i].value;

        put_varint(&columns[SLG_BATCH_METADATA], name_indexes[i]);
        put_varint(&columns[SLG_BATCH_METADATA], value.len);
        put_bytes(&columns[SLG_BATCH_VALUES], value.at, value.len);
    }
    b->line_bytes += entry->line.len;
    b->entry_count++;
}

enum slg_status slg_batch_builder_append(struct slg_batch_builder *b, const struct slg_entry *entry)
{
    uint16_t name_indexes[SLG_METADATA_COUNT_MAX];
    size_t name_bytes, value_bytes, cost;
    enum slg_status status;

    if (entry->line.len > SLG_LINE_BYTES_MAX)
        return SLG_LIMIT;
    status = measure_metadata(&entry->metadata, &name_bytes, &value_bytes);
    if (status != SLG_OK)
        return status;
    if (entry->stream_index >= b->stream_count || entry->ts_ns < b->shard.window_ns ||
        entry->ts_ns - b->shard.window_ns >= b->shard.length_ns)
        return SLG_INVALID;
    /* As if every name were new and every varint long: a batch may be cut some bytes early, never late. */
    cost = entry->line.len + name_bytes + value_bytes + 5 * VARINT_BYTES_MAX +
           entry->metadata.count * 3 * 3;
    if (b->entry_count > 0 && (b->entry_count == SLG_BATCH_ENTRY_COUNT_MAX ||
                               slg_batch_builder_raw_bytes(b) + cost > b->raw_bytes_max ||
                               b->name_count + entry->metadata.count > SLG_BATCH_NAME_COUNT_MAX))
        return SLG_AGAIN;
    if (!reserve_entry(b, entry, name_bytes, value_bytes))
        return SLG_NO_MEMORY;
    status = find_names(b, &entry->metadata, name_indexes);
    if (status != SLG_OK)
        return status;
    b->metadata_bytes += name_bytes + value_bytes;
    put_entry(b, entry, name_indexes);
    return SLG_OK;
}

size_t slg_batch_builder_entry_count(const struct slg_batch_builder *builder)
{
    return builder->entry_count;
}

size_t slg_batch_builder_raw_bytes(const struct slg_batch_builder *builder)
{
    /* The text column counts the payload's header; the open run and the name count are not written yet. */
    size_t bytes = 2 * VARINT_BYTES_MAX;

    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++)
        bytes += builder->columns[i].len;
    return bytes;
}

/* ---- sealing ---- */

static bool encode_table(struct slg_batch_builder *b)
{
    struct column *table = &b->table;

    table->len = 0;
    if (!reserve(table, b->table_bytes + VARINT_BYTES_MAX))
        return false;
    put_varint(table, b->used_stream_count);
    for (size_t i = 0; i < b->used_stream_count; i++) {
        const struct stream *stream = &b->streams[b->wire_order[i]];

        put_bytes(table, stream->id.bytes, sizeof(stream->id.bytes));
        put_varint(table, stream->canonical_len);
        put_bytes(table, b->canonical.data + stream->canonical_at, stream->canonical_len);
        put_varint(table, stream->entry_count);
        put_varint(table, stream->line_bytes);
        put_varint(table, stream->metadata_count);
    }
    return true;
}

/* Write header and small columns around the text. The text column's len stays: the builder keeps its contents. */
static bool assemble_payload(struct slg_batch_builder *b, size_t *ret_raw_bytes)
{
    struct column *text = &b->columns[SLG_BATCH_TEXT];
    size_t text_len = text->len;
    bool fits = reserve(text, slg_batch_builder_raw_bytes(b));

    for (size_t i = 0; fits && i < SLG_BATCH_SECTION_COUNT; i++) {
        size_t start = text->len;
        size_t len;

        if (i == SLG_BATCH_NAMES)
            put_varint(text, b->name_count);
        if (i != SLG_BATCH_TEXT)
            put_bytes(text, b->columns[i].data, b->columns[i].len);
        if (i == SLG_BATCH_KINDS)
            put_varint(text, b->run_length);
        len = i == SLG_BATCH_TEXT ? text_len - SLG_BATCH_PAYLOAD_HEADER_BYTES : text->len - start;
        slg_bytes_put_u32be(text->data + 4 * i, (uint32_t)len);
    }
    *ret_raw_bytes = text->len;
    text->len = text_len;
    return fits;
}

static void write_head(const struct slg_batch_builder *b, const struct slg_incarnation *incarnation,
                       uint64_t sequence, uint64_t map_epoch, struct slg_buf *out)
{
    slg_wire_array(out, SLG_BATCH_ITEM_COUNT);
    slg_wire_bin(out, SLG_BATCH_MAGIC, 4);
    slg_wire_uint(out, SLG_BATCH_VERSION);
    slg_wire_bin(out, incarnation->bytes, SLG_INCARNATION_BYTES);
    slg_wire_uint(out, (uint64_t)b->shard.window_ns);
    slg_wire_uint(out, (uint64_t)b->shard.length_ns);
    slg_wire_uint(out, b->shard.slot);
    slg_wire_uint(out, b->shard.slot_count);
    slg_wire_uint(out, sequence);
    slg_wire_uint(out, map_epoch);
    slg_wire_bin(out, b->tenant, b->tenant_len);
    slg_wire_uint(out, b->entry_count);
    slg_wire_uint(out, b->push_count);
    slg_wire_uint(out, b->line_bytes);
    slg_wire_uint(out, b->metadata_bytes);
    slg_wire_uint(out, (uint64_t)b->ts_min_ns);
    slg_wire_uint(out, (uint64_t)b->ts_max_ns);
}

/* Compress straight into out, behind a bin32 head. */
static enum slg_status write_payload(const uint8_t *payload, size_t raw_bytes, struct slg_buf *out)
{
    size_t bound = slg_lz4_bound(raw_bytes);
    uint8_t *at;
    size_t len;

    if (!slg_buf_reserve(out, bound + 5))
        return SLG_LIMIT;
    at = out->data + out->len;
    len = slg_lz4_pack(payload, raw_bytes, at + 5, bound);
    at[0] = WIRE_BIN32;
    slg_bytes_put_u32be(at + 1, (uint32_t)len);
    out->len += len + 5;
    return SLG_OK;
}

enum slg_status slg_batch_builder_seal(struct slg_batch_builder *b,
                                       const struct slg_incarnation *incarnation, uint64_t sequence,
                                       uint64_t map_epoch, struct slg_buf *out)
{
    struct slg_text tenant = slg_text_make(b->tenant, b->tenant_len);
    const uint8_t *payload;
    enum slg_status status;
    uint8_t bytes[8];
    size_t raw_bytes;

    SLG_ASSERT(b->entry_count > 0);
    SLG_ASSERT(sequence >= 1 && sequence <= SLG_BATCH_SEQUENCE_MAX);
    if (!encode_table(b) || !assemble_payload(b, &raw_bytes))
        return SLG_NO_MEMORY;
    SLG_ASSERT(raw_bytes <= SLG_BATCH_RAW_BYTES_MAX);
    payload = b->columns[SLG_BATCH_TEXT].data;

    slg_buf_clear(out);
    write_head(b, incarnation, sequence, map_epoch, out);
    slg_wire_bin(out, b->table.data, b->table.len);
    slg_bytes_put_u64be(
        bytes, slg_batch_content_hash(tenant, b->table.data, b->table.len, payload, raw_bytes));
    slg_wire_bin(out, bytes, sizeof(bytes));
    slg_wire_uint(out, raw_bytes);
    status = write_payload(payload, raw_bytes, out);
    if (status != SLG_OK)
        return status;
    /* The checksum covers the head of its own item too. */
    if (!slg_buf_reserve(out, 2 + sizeof(bytes)))
        return SLG_LIMIT;
    slg_buf_append(out, "\xC4\x08", 2);
    slg_bytes_put_u64be(bytes, slg_hash_xxh3(out->data, out->len));
    slg_buf_append(out, bytes, sizeof(bytes));
    SLG_ASSERT(out->len <= SLG_BATCH_BYTES_MAX);
    return SLG_OK;
}
