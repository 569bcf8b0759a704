/* Decode of batches: no bytes may crash it, and what it takes must hold together and come back the same.
 * First byte even: the rest is a batch as it comes off the wire. Odd: the rest is a payload that this target puts into
 * an envelope whose numbers and checksums fit, so that the fuzzer reaches the columns.
 * Covers: batch_read.c */
#include "proto/batch.h"

#include "base/cursor.h"
#include "proto/batch_internal.h"
#include "proto/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CANONICAL "\x00"

static void use_view(const struct slg_batch_view *view)
{
    struct slg_label items[SLG_METADATA_COUNT_MAX];
    const struct slg_batch_header *h = &view->header;
    uint64_t line_bytes = 0, metadata_bytes = 0;

    for (uint32_t i = 0; i < h->entry_count; i++) {
        uint32_t position = view->order == NULL ? i : view->order[i];
        struct slg_text line = slg_batch_view_line(view, position);
        size_t count = slg_batch_view_metadata(view, position, items);

        SLG_ASSERT(view->stream_index[position] < h->stream_count);
        SLG_ASSERT(view->ts_ns[position] >= h->ts_min_ns && view->ts_ns[position] <= h->ts_max_ns);
        line_bytes += line.len;
        if (line.len > 0)
            (void)slg_hash_xxh3(line.at, line.len); /* touches every byte */
        for (size_t k = 0; k < count; k++)
            metadata_bytes += items[k].name.len + items[k].value.len;
    }
    SLG_ASSERT(line_bytes == h->line_bytes);
    SLG_ASSERT(metadata_bytes == h->metadata_bytes);
}

static void decode(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    const struct slg_batch_view *view;
    uint64_t version;

    (void)slg_batch_peek_version(data, size, &version); /* only that it does not crash */
    if (slg_batch_decode(arena, data, size, &view) != SLG_OK)
        return;
    (void)!slg_batch_check_streams(&view->header);
    use_view(view);
}

/* Numbers from the first bytes, the payload from the rest: 2 entry count, 1 push count, 2 line bytes, 2 metadata bytes,
 * 1 metadata items, 1 + 1 earliest and latest time. */
static void wrap(const uint8_t *data, size_t size, struct slg_buf *out, char *packed,
                 int packed_max)
{
    static const uint8_t zeros[SLG_INCARNATION_BYTES];
    struct slg_stream_id id = slg_stream_id_of(slg_text_of("t"), (const uint8_t *)CANONICAL, 1);
    uint16_t entry_count, line_bytes, metadata_bytes;
    struct slg_cursor c = slg_cursor_make(data, size);
    uint8_t push_count, metadata_count, earliest, latest, table[64];
    size_t payload_len;
    struct slg_buf rows;
    int packed_len = 0;

    if (!slg_cursor_take_u16be(&c, &entry_count) || !slg_cursor_take_u8(&c, &push_count) ||
        !slg_cursor_take_u16be(&c, &line_bytes) || !slg_cursor_take_u16be(&c, &metadata_bytes) ||
        !slg_cursor_take_u8(&c, &metadata_count) || !slg_cursor_take_u8(&c, &earliest) ||
        !slg_cursor_take_u8(&c, &latest))
        return;
    payload_len = slg_cursor_left(&c);
    /* One LZ4 sequence of literals: token, length bytes, the payload itself. */
    if (payload_len < 15 || payload_len + payload_len / 255 + 16 > (size_t)packed_max)
        return;
    packed[packed_len++] = (char)0xF0;
    for (size_t left = payload_len - 15; packed_len < packed_max; left -= 255) {
        packed[packed_len++] = (char)(left >= 255 ? 255 : left);
        if (left < 255)
            break;
    }
    memcpy(packed + packed_len, c.at, payload_len);
    packed_len += (int)payload_len;

    slg_buf_init(&rows, sizeof(table));
    slg_buf_append_varint(&rows, 1);
    slg_buf_append(&rows, id.bytes, sizeof(id.bytes));
    slg_buf_append_varint(&rows, 1);
    slg_buf_append(&rows, CANONICAL, 1);
    slg_buf_append_varint(&rows, entry_count);
    slg_buf_append_varint(&rows, line_bytes);
    slg_buf_append_varint(&rows, metadata_count);

    slg_wire_array(out, SLG_BATCH_ITEM_COUNT);
    slg_wire_bin(out, SLG_BATCH_MAGIC, 4);
    slg_wire_uint(out, SLG_BATCH_VERSION);
    slg_wire_bin(out, zeros, sizeof(zeros));
    slg_wire_uint(out, 0);
    slg_wire_uint(out, 256);
    slg_wire_uint(out, 0);
    slg_wire_uint(out, 1);
    slg_wire_uint(out, 1);
    slg_wire_uint(out, 0);
    slg_wire_bin(out, "t", 1);
    slg_wire_uint(out, entry_count);
    slg_wire_uint(out, push_count);
    slg_wire_uint(out, line_bytes);
    slg_wire_uint(out, metadata_bytes);
    slg_wire_uint(out, earliest);
    slg_wire_uint(out, latest);
    slg_wire_bin(out, rows.data, rows.len);
    slg_buf_append(out, "\xC4\x08", 2);
    slg_buf_append_u64be(
        out, slg_batch_content_hash(slg_text_of("t"), rows.data, rows.len, c.at, payload_len));
    slg_wire_uint(out, payload_len);
    slg_wire_bin(out, packed, (size_t)packed_len);
    slg_buf_append(out, "\xC4\x08", 2);
    slg_buf_append_u64be(out, slg_hash_xxh3(out->data, out->len));
    slg_buf_fini(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena;
    char packed[8192];
    struct slg_buf out;

    if (size == 0)
        return 0;
    arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    SLG_ASSERT(arena != NULL);
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    if (data[0] % 2 == 0)
        decode(arena, data + 1, size - 1);
    else
        wrap(data + 1, size - 1, &out, packed, (int)sizeof(packed));
    if (out.len > 0)
        decode(arena, out.data, out.len);
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
    return 0;
}
