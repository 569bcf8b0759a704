/* The reading half of proto/batch.h: everything is checked before anything is handed out. */
#include "proto/batch.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "proto/batch_internal.h"
#include "proto/lz4.h"
#include "proto/wire.h"

#define ITEM_COUNT_MAX 256 /* of other versions, whose count we do not know */
#define NAME_SLOTS     ((size_t)4096)

static_assert(NAME_SLOTS >= 2 * SLG_BATCH_NAME_COUNT_MAX, "open addressing needs half of it free");

/* ---- envelope ---- */

static bool take_version(struct slg_wire_reader *r, uint64_t *ret_version)
{
    const uint8_t *magic;
    size_t item_count, magic_len;

    return slg_wire_take_array(r, ITEM_COUNT_MAX, &item_count) &&
           slg_wire_take_bin(r, 4, &magic, &magic_len) && magic_len == 4 &&
           memcmp(magic, SLG_BATCH_MAGIC, 4) == 0 &&
           slg_wire_take_uint(r, UINT64_MAX, ret_version) && item_count >= 2;
}

bool slg_batch_peek_version(const uint8_t *bytes, size_t len, uint64_t *ret_version)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);

    return take_version(&r, ret_version);
}

/* A number that is stored as int64_t or smaller. */
static int64_t take_i64(struct slg_wire_reader *r)
{
    uint64_t value = 0;

    (void)slg_wire_take_uint(r, INT64_MAX, &value); /* the reader remembers a failure */
    return (int64_t)value;
}

static uint32_t take_u32(struct slg_wire_reader *r, size_t value_max)
{
    uint64_t value = 0;

    (void)slg_wire_take_uint(r, value_max, &value); /* as above */
    return (uint32_t)value;
}

static uint64_t take_u64(struct slg_wire_reader *r)
{
    uint64_t value = 0;

    (void)slg_wire_take_uint(r, UINT64_MAX, &value); /* as above */
    return value;
}

/* A bin of exactly len bytes. */
static const uint8_t *take_exact(struct slg_wire_reader *r, size_t len)
{
    const uint8_t *bytes = NULL;
    size_t got = 0;

    if (!slg_wire_take_bin(r, len, &bytes, &got) || got != len) {
        r->failed = true;
        return NULL;
    }
    return bytes;
}

/* Items 2 to 19 into *h; table and content hash as bytes. */
static bool take_items(struct slg_wire_reader *r, struct slg_batch_header *h,
                       struct slg_text *ret_table)
{
    const uint8_t *incarnation = take_exact(r, SLG_INCARNATION_BYTES);
    const uint8_t *hash;

    if (incarnation != NULL)
        memcpy(h->id.incarnation.bytes, incarnation, SLG_INCARNATION_BYTES);
    h->id.shard.window_ns = take_i64(r);
    h->id.shard.length_ns = take_i64(r);
    h->id.shard.slot = (uint16_t)take_u32(r, UINT16_MAX);
    h->id.shard.slot_count = (uint16_t)take_u32(r, UINT16_MAX);
    h->id.sequence = take_u64(r);
    h->map_epoch = take_u64(r);
    (void)slg_wire_take_text(r, SLG_TENANT_BYTES_MAX, &h->tenant); /* the reader remembers */
    h->entry_count = take_u32(r, SLG_BATCH_ENTRY_COUNT_MAX);
    h->push_count = take_u32(r, SLG_BATCH_ENTRY_COUNT_MAX);
    h->line_bytes = take_u32(r, SLG_BATCH_RAW_BYTES_MAX);
    h->metadata_bytes = take_u64(r);
    h->ts_min_ns = take_i64(r);
    h->ts_max_ns = take_i64(r);
    (void)slg_wire_take_text(r, SLG_BATCH_TABLE_BYTES_MAX, ret_table); /* the reader remembers */
    hash = take_exact(r, 8);
    if (hash != NULL)
        h->content_hash = slg_bytes_get_u64be(hash);
    h->raw_bytes = take_u32(r, SLG_BATCH_RAW_BYTES_MAX);
    return slg_wire_take_bin(r, SLG_BATCH_BYTES_MAX, &h->payload, &h->payload_len);
}

static bool is_plausible(const struct slg_batch_header *h)
{
    const struct slg_shard_id *shard = &h->id.shard;

    return shard->length_ns > 0 && shard->window_ns % shard->length_ns == 0 &&
           shard->window_ns <= INT64_MAX - shard->length_ns && shard->slot < shard->slot_count &&
           h->id.sequence >= 1 && h->id.sequence <= SLG_BATCH_SEQUENCE_MAX && h->entry_count >= 1 &&
           h->push_count <= h->entry_count && h->ts_min_ns >= shard->window_ns &&
           h->ts_max_ns >= h->ts_min_ns && h->ts_max_ns - shard->window_ns < shard->length_ns &&
           h->raw_bytes >= SLG_BATCH_PAYLOAD_HEADER_BYTES &&
           (size_t)h->entry_count * SLG_BATCH_ENTRY_BYTES_MIN <=
               h->raw_bytes - SLG_BATCH_PAYLOAD_HEADER_BYTES &&
           h->line_bytes <= h->raw_bytes;
}

static bool take_stream(struct slg_cursor *c, struct slg_batch_stream *stream)
{
    const uint8_t *id;
    uint64_t len, entry_count, metadata_count;

    if (!slg_cursor_take_bytes(c, sizeof(stream->id.bytes), &id) ||
        !slg_cursor_take_varint(c, &len) || len == 0 || len > SLG_LABEL_SET_BYTES_MAX ||
        !slg_cursor_take_bytes(c, (size_t)len, &stream->canonical) ||
        !slg_cursor_take_varint(c, &entry_count) || entry_count == 0 ||
        entry_count > SLG_BATCH_ENTRY_COUNT_MAX ||
        !slg_cursor_take_varint(c, &stream->line_bytes) ||
        stream->line_bytes > SLG_BATCH_RAW_BYTES_MAX ||
        !slg_cursor_take_varint(c, &metadata_count) ||
        metadata_count > entry_count * SLG_METADATA_COUNT_MAX)
        return false;
    memcpy(stream->id.bytes, id, sizeof(stream->id.bytes));
    stream->canonical_len = (size_t)len;
    stream->entry_count = (uint32_t)entry_count;
    stream->metadata_count = (uint32_t)metadata_count;
    return true;
}

static enum slg_status take_table(struct slg_arena *arena, struct slg_text table,
                                  struct slg_batch_header *h)
{
    struct slg_cursor c = slg_cursor_make(table.at, table.len);
    uint64_t stream_count, entry_count = 0, line_bytes = 0;
    struct slg_batch_stream *streams;

    if (!slg_cursor_take_varint(&c, &stream_count) || stream_count == 0 ||
        stream_count > SLG_BATCH_STREAM_COUNT_MAX || stream_count > h->entry_count ||
        stream_count > slg_cursor_left(&c))
        return SLG_MALFORMED;
    streams = slg_arena_alloc(arena, (size_t)stream_count * sizeof(*streams));
    if (streams == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < stream_count; i++) {
        if (!take_stream(&c, &streams[i]))
            return SLG_MALFORMED;
        entry_count += streams[i].entry_count;
        line_bytes += streams[i].line_bytes;
    }
    if (slg_cursor_left(&c) > 0 || entry_count != h->entry_count || line_bytes != h->line_bytes)
        return SLG_MALFORMED;
    h->streams = streams;
    h->stream_count = (uint32_t)stream_count;
    return SLG_OK;
}

bool slg_batch_checksum_fits(const uint8_t *bytes, size_t len)
{
    return len <= SLG_BATCH_BYTES_MAX && len >= SLG_BATCH_CHECKSUM_BYTES &&
           slg_hash_xxh3(bytes, len - SLG_BATCH_CHECKSUM_BYTES) ==
               slg_bytes_get_u64be(bytes + len - SLG_BATCH_CHECKSUM_BYTES);
}

/* The envelope; *ret_table is the encoded stream table. */
static enum slg_status read_envelope(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                     struct slg_batch_header *ret_header,
                                     struct slg_text *ret_table)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    struct slg_batch_header h = { .entry_count = 0 };
    enum slg_status status;
    uint64_t version;

    if (!take_version(&r, &version))
        return SLG_MALFORMED;
    if (version != SLG_BATCH_VERSION)
        return SLG_UNSUPPORTED;
    if (!slg_batch_checksum_fits(bytes, len))
        return SLG_MALFORMED;
    /* From the start again, now that the number of items is known. */
    r = slg_wire_reader_make(bytes, len);
    if (!slg_wire_take_tuple(&r, SLG_BATCH_ITEM_COUNT) || take_exact(&r, 4) == NULL ||
        take_u64(&r) != SLG_BATCH_VERSION || !take_items(&r, &h, ret_table) ||
        take_exact(&r, SLG_BATCH_CHECKSUM_BYTES) == NULL || !slg_wire_done(&r) || !is_plausible(&h))
        return SLG_MALFORMED;
    status = take_table(arena, *ret_table, &h);
    if (status == SLG_OK)
        *ret_header = h;
    return status;
}

enum slg_status slg_batch_read_header(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                      struct slg_batch_header *ret_header)
{
    struct slg_text table;

    return read_envelope(arena, bytes, len, ret_header, &table);
}

enum slg_status slg_batch_check_streams(const struct slg_batch_header *header)
{
    for (uint32_t i = 0; i < header->stream_count; i++) {
        const struct slg_batch_stream *stream = &header->streams[i];
        struct slg_stream_id id;

        if (!slg_label_canonical_valid(stream->canonical, stream->canonical_len))
            return SLG_MALFORMED;
        id = slg_stream_id_of(header->tenant, stream->canonical, stream->canonical_len);
        if (!slg_stream_id_equal(&id, &stream->id) ||
            slg_stream_slot(&id, header->id.shard.slot_count) != header->id.shard.slot)
            return SLG_MALFORMED;
    }
    return SLG_OK;
}

/* ---- payload ---- */

/* What metadata on demand needs. Offsets are checked once, in decode. */
struct metadata {
    const struct slg_text *names;
    const uint8_t *items; /* section SLG_BATCH_METADATA */
    const char *values;
    const uint32_t *item_at;  /* per entry, into items */
    const uint32_t *value_at; /* per entry, into values */
    size_t items_len;
};

struct decoder {
    struct slg_arena *arena;
    struct slg_batch_view *view;
    struct slg_cursor sections[SLG_BATCH_SECTION_COUNT];
    struct metadata *metadata;
    size_t name_count;
};

/* LEB128 as slg_cursor_take_varint, inline and with the short cases first: four of these make an entry. */
static inline bool take_varint(struct slg_cursor *c, uint64_t *ret_value)
{
    const uint8_t *at = c->at;
    uint64_t value;
    size_t len;

    if (at < c->end && *at < 0x80) {
        *ret_value = *at;
        c->at++;
        return true;
    }
    if (c->end - at < 5)
        return slg_cursor_take_varint(c, ret_value);
    value = at[0] & 0x7FU;
    for (len = 1; len < 5; len++) {
        value |= (uint64_t)(at[len] & 0x7FU) << (7 * len);
        if (at[len] < 0x80) {
            c->at += len + 1;
            *ret_value = value;
            return true;
        }
    }
    return slg_cursor_take_varint(c, ret_value);
}

static enum slg_status decompress(struct decoder *d, struct slg_text table)
{
    const struct slg_batch_header *h = &d->view->header;
    uint8_t *payload = slg_arena_alloc(d->arena, h->raw_bytes);
    size_t at = SLG_BATCH_PAYLOAD_HEADER_BYTES;

    if (payload == NULL)
        return SLG_LIMIT;
    if (!slg_lz4_unpack(h->payload, h->payload_len, payload, h->raw_bytes))
        return SLG_MALFORMED;
    if (slg_batch_content_hash(h->tenant, table.at, table.len, payload, h->raw_bytes) !=
        h->content_hash)
        return SLG_MALFORMED;
    for (size_t i = 0; i < SLG_BATCH_SECTION_COUNT; i++) {
        size_t len = slg_bytes_get_u32be(payload + 4 * i);

        if (len > h->raw_bytes - at)
            return SLG_MALFORMED;
        d->sections[i] = slg_cursor_make(payload + at, len);
        at += len;
    }
    if (at != h->raw_bytes || slg_cursor_left(&d->sections[SLG_BATCH_TEXT]) != h->line_bytes)
        return SLG_MALFORMED;
    d->view->text = (const char *)d->sections[SLG_BATCH_TEXT].at;
    return SLG_OK;
}

static bool is_empty(const struct decoder *d, enum slg_batch_section section)
{
    return slg_cursor_left(&d->sections[section]) == 0;
}

static enum slg_status decode_times(struct decoder *d, bool *ret_sorted)
{
    const struct slg_batch_header *h = &d->view->header;
    struct slg_cursor *c = &d->sections[SLG_BATCH_TIMES];
    int64_t *ts_ns = slg_arena_alloc(d->arena, h->entry_count * sizeof(*ts_ns));
    int64_t last = h->id.shard.window_ns, min = INT64_MAX, max = 0;

    if (ts_ns == NULL)
        return SLG_LIMIT;
    *ret_sorted = true;
    for (uint32_t i = 0; i < h->entry_count; i++) {
        uint64_t coded;

        if (!take_varint(c, &coded))
            return SLG_MALFORMED;
        /* Wraps as unsigned; a wrapped time is outside min..max, which is checked below. */
        ts_ns[i] = (int64_t)((uint64_t)last + (coded >> 1 ^ (0 - (coded & 1))));
        if (i > 0 && ts_ns[i] < last)
            *ret_sorted = false;
        last = ts_ns[i];
        min = last < min ? last : min;
        max = last > max ? last : max;
    }
    if (!is_empty(d, SLG_BATCH_TIMES) || min != h->ts_min_ns || max != h->ts_max_ns)
        return SLG_MALFORMED;
    d->view->ts_ns = ts_ns;
    return SLG_OK;
}

static enum slg_status decode_kinds(struct decoder *d)
{
    const struct slg_batch_header *h = &d->view->header;
    struct slg_cursor *c = &d->sections[SLG_BATCH_KINDS];
    uint8_t *kinds = slg_arena_alloc(d->arena, h->entry_count);
    uint32_t done = 0, push_count = 0;
    uint8_t kind = SLG_ENTRY_SYSLOG;

    if (kinds == NULL)
        return SLG_LIMIT;
    for (unsigned run = 0; done < h->entry_count; run++) {
        uint64_t length;

        if (!take_varint(c, &length) || length > h->entry_count - done || (length == 0 && run > 0))
            return SLG_MALFORMED;
        memset(kinds + done, kind, (size_t)length);
        done += (uint32_t)length;
        push_count += kind == SLG_ENTRY_PUSH ? (uint32_t)length : 0;
        kind = kind == SLG_ENTRY_SYSLOG ? SLG_ENTRY_PUSH : SLG_ENTRY_SYSLOG;
    }
    if (!is_empty(d, SLG_BATCH_KINDS) || push_count != h->push_count)
        return SLG_MALFORMED;
    d->view->kind = kinds;
    return SLG_OK;
}

/* Streams and line lengths, against the counts of the stream table. */
static enum slg_status decode_lines(struct decoder *d)
{
    const struct slg_batch_header *h = &d->view->header;
    uint32_t *index = slg_arena_alloc(d->arena, h->entry_count * sizeof(*index));
    uint32_t *offset = slg_arena_alloc(d->arena, (h->entry_count + 1) * sizeof(*offset));
    struct {
        uint64_t line_bytes;
        uint32_t entry_count;
    } *left = slg_arena_alloc(d->arena, h->stream_count * sizeof(*left));
    uint32_t used_count = 0;
    uint64_t text_at = 0;

    if (index == NULL || offset == NULL || left == NULL)
        return SLG_LIMIT;
    for (uint32_t i = 0; i < h->stream_count; i++) {
        left[i].line_bytes = h->streams[i].line_bytes;
        left[i].entry_count = h->streams[i].entry_count;
    }
    for (uint32_t i = 0; i < h->entry_count; i++) {
        uint64_t stream, len;

        if (!take_varint(&d->sections[SLG_BATCH_STREAMS], &stream) ||
            !take_varint(&d->sections[SLG_BATCH_LENGTHS], &len) || stream > used_count ||
            stream >= h->stream_count || len > SLG_LINE_BYTES_MAX ||
            len > left[stream].line_bytes || left[stream].entry_count == 0)
            return SLG_MALFORMED;
        used_count += stream == used_count;
        left[stream].entry_count--;
        left[stream].line_bytes -= len;
        index[i] = (uint32_t)stream;
        offset[i] = (uint32_t)text_at;
        text_at += len; /* at most the streams' line_bytes, which sum to the text's length */
    }
    offset[h->entry_count] = (uint32_t)text_at;
    /* All entries were counted down, so every stream is used; its lines must be too. */
    if (text_at != h->line_bytes || !is_empty(d, SLG_BATCH_STREAMS) ||
        !is_empty(d, SLG_BATCH_LENGTHS))
        return SLG_MALFORMED;
    d->view->stream_index = index;
    d->view->line_offset = offset;
    return SLG_OK;
}

/* Enter name_index into the table unless an equal name is there. */
static bool add_name(const struct slg_text *names, size_t name_index, uint16_t *slots)
{
    struct slg_text name = names[name_index];
    size_t slot = (size_t)slg_hash_xxh3(name.at, name.len) & (NAME_SLOTS - 1);

    for (; slots[slot] != 0; slot = (slot + 1) & (NAME_SLOTS - 1))
        if (slg_text_equal(names[slots[slot] - 1], name))
            return false;
    slots[slot] = (uint16_t)(name_index + 1);
    return true;
}

static enum slg_status decode_names(struct decoder *d)
{
    struct slg_cursor *c = &d->sections[SLG_BATCH_NAMES];
    uint16_t slots[NAME_SLOTS] = { 0 };
    struct slg_text *names;
    uint64_t count;

    if (!take_varint(c, &count) || count > SLG_BATCH_NAME_COUNT_MAX || count > slg_cursor_left(c))
        return SLG_MALFORMED;
    names = slg_arena_alloc(d->arena, (size_t)count * sizeof(*names));
    if (names == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes;
        uint64_t len;

        if (!take_varint(c, &len) || len > SLG_METADATA_BYTES_MAX ||
            !slg_cursor_take_bytes(c, (size_t)len, &bytes))
            return SLG_MALFORMED;
        names[i] = slg_text_make(bytes, (size_t)len);
        if (!add_name(names, i, slots))
            return SLG_MALFORMED;
    }
    if (!is_empty(d, SLG_BATCH_NAMES))
        return SLG_MALFORMED;
    d->metadata->names = names;
    d->name_count = (size_t)count;
    return SLG_OK;
}

/* One entry's items. entry_last: 1 + the last entry that used each name; *left: items that its stream still has. */
static bool check_items(struct decoder *d, uint32_t entry, uint32_t *entry_last, uint32_t *left,
                        uint64_t *bytes, uint64_t *value_bytes)
{
    struct slg_cursor *c = &d->sections[SLG_BATCH_METADATA];
    uint64_t count, entry_bytes = 0;

    if (!take_varint(c, &count) || count > SLG_METADATA_COUNT_MAX || count > *left)
        return false;
    *left -= (uint32_t)count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t name_index, len;

        if (!take_varint(c, &name_index) || name_index >= d->name_count ||
            entry_last[name_index] == entry + 1 || !take_varint(c, &len) ||
            len > SLG_METADATA_BYTES_MAX)
            return false;
        entry_last[name_index] = entry + 1;
        entry_bytes += d->metadata->names[name_index].len + len;
        *value_bytes += len;
    }
    *bytes += entry_bytes;
    return entry_bytes <= SLG_METADATA_BYTES_MAX;
}

/* Needs the streams and the names. */
static enum slg_status decode_metadata(struct decoder *d)
{
    const struct slg_batch_header *h = &d->view->header;
    struct slg_cursor *c = &d->sections[SLG_BATCH_METADATA];
    struct slg_cursor *values = &d->sections[SLG_BATCH_VALUES];
    uint32_t *item_at = slg_arena_alloc(d->arena, h->entry_count * sizeof(*item_at));
    uint32_t *value_at = slg_arena_alloc(d->arena, h->entry_count * sizeof(*value_at));
    uint32_t *entry_last = slg_arena_calloc(d->arena, d->name_count, sizeof(*entry_last));
    uint32_t *left = slg_arena_alloc(d->arena, h->stream_count * sizeof(*left));
    uint64_t bytes = 0, value_bytes = 0;

    if (item_at == NULL || value_at == NULL || entry_last == NULL || left == NULL)
        return SLG_LIMIT;
    for (uint32_t i = 0; i < h->stream_count; i++)
        left[i] = h->streams[i].metadata_count;
    d->metadata->items = c->at;
    d->metadata->items_len = slg_cursor_left(c);
    d->metadata->values = (const char *)values->at;
    for (uint32_t i = 0; i < h->entry_count; i++) {
        item_at[i] = (uint32_t)(c->at - d->metadata->items);
        value_at[i] = (uint32_t)value_bytes;
        if (!check_items(d, i, entry_last, &left[d->view->stream_index[i]], &bytes, &value_bytes) ||
            value_bytes > slg_cursor_left(values))
            return SLG_MALFORMED;
    }
    if (!is_empty(d, SLG_BATCH_METADATA) || value_bytes != slg_cursor_left(values) ||
        bytes != h->metadata_bytes)
        return SLG_MALFORMED;
    for (uint32_t i = 0; i < h->stream_count; i++)
        if (left[i] > 0)
            return SLG_MALFORMED;
    d->metadata->item_at = item_at;
    d->metadata->value_at = value_at;
    return SLG_OK;
}

/* Merge the sorted from[a..b) and from[b..end) into to[a..end), taking the left of equal times. */
static void merge_runs(const int64_t *ts_ns, const uint32_t *from, uint32_t *to, size_t a, size_t b,
                       size_t end)
{
    size_t left = a, right = b;

    for (size_t at = a; at < end; at++) {
        if (left < b && (right == end || ts_ns[from[left]] <= ts_ns[from[right]]))
            to[at] = from[left++];
        else
            to[at] = from[right++];
    }
}

/* Positions by (ts, position): a bottom-up merge sort, stable. */
static enum slg_status sort_order(struct decoder *d)
{
    size_t count = d->view->header.entry_count;
    uint32_t *from = slg_arena_alloc(d->arena, count * sizeof(*from));
    uint32_t *to = slg_arena_alloc(d->arena, count * sizeof(*to));

    if (from == NULL || to == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        from[i] = (uint32_t)i;
    for (size_t width = 1; width < count; width *= 2) {
        uint32_t *swap = from;

        for (size_t a = 0; a < count; a += 2 * width) {
            size_t b = a + width < count ? a + width : count;
            size_t end = b + width < count ? b + width : count;

            merge_runs(d->view->ts_ns, from, to, a, b, end);
        }
        from = to;
        to = swap;
    }
    d->view->order = from;
    return SLG_OK;
}

static enum slg_status decode_columns(struct decoder *d)
{
    enum slg_status status;
    bool sorted = true;

    status = decode_times(d, &sorted);
    if (status == SLG_OK)
        status = decode_kinds(d);
    if (status == SLG_OK)
        status = decode_lines(d);
    if (status == SLG_OK)
        status = decode_names(d);
    if (status == SLG_OK)
        status = decode_metadata(d);
    if (status == SLG_OK && !sorted)
        status = sort_order(d);
    return status;
}

enum slg_status slg_batch_decode(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                 const struct slg_batch_view **ret_view)
{
    bool whole;

    return slg_batch_decode_wanted(arena, bytes, len, NULL, NULL, ret_view, &whole);
}

enum slg_status slg_batch_decode_wanted(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                        slg_batch_want *want, void *ctx,
                                        const struct slg_batch_view **ret_view, bool *ret_whole)
{
    struct decoder d = { .arena = arena };
    struct slg_text table;
    enum slg_status status;
    bool whole = true;

    d.view = slg_arena_calloc(arena, 1, sizeof(*d.view));
    d.metadata = slg_arena_calloc(arena, 1, sizeof(*d.metadata));
    if (d.view == NULL || d.metadata == NULL)
        return SLG_LIMIT;
    status = read_envelope(arena, bytes, len, &d.view->header, &table);
    if (status == SLG_OK)
        status = decompress(&d, table);
    if (status == SLG_OK && want != NULL)
        whole = want(ctx, &d.view->header, slg_text_make(d.view->text, d.view->header.line_bytes));
    if (status == SLG_OK && whole)
        status = decode_columns(&d);
    if (status != SLG_OK)
        return status;
    d.view->metadata_private = d.metadata;
    *ret_view = d.view;
    *ret_whole = whole;
    return SLG_OK;
}

size_t slg_batch_view_metadata(const struct slg_batch_view *view, uint32_t position,
                               struct slg_label *items)
{
    const struct metadata *metadata = view->metadata_private;
    struct slg_cursor c;
    const char *value;
    uint64_t count = 0;

    SLG_ASSERT(position < view->header.entry_count);
    c = slg_cursor_make(metadata->items + metadata->item_at[position],
                        metadata->items_len - metadata->item_at[position]);
    value = metadata->values + metadata->value_at[position];
    (void)take_varint(&c, &count); /* all of this was checked by decode */
    for (uint64_t i = 0; i < count; i++) {
        uint64_t name_index = 0, len = 0;

        (void)take_varint(&c, &name_index); /* as above */
        (void)take_varint(&c, &len);        /* as above */
        items[i].name = metadata->names[name_index];
        items[i].value = slg_text_make(value, (size_t)len);
        value += len;
    }
    return (size_t)count;
}
