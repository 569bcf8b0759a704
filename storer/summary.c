#include "storer/summary.h"

#include "base/hash.h"

#define SUMMARY_VERSION 2
#define CHECKSUM_BYTES  ((size_t)8)

void slg_summary_encode(struct slg_buf *out, const struct slg_batch_header *header,
                        size_t batch_bytes, const uint32_t *stream_numbers)
{
    size_t start = out->len;

    slg_buf_append_byte(out, SUMMARY_VERSION);
    slg_buf_append(out, header->id.incarnation.bytes, SLG_INCARNATION_BYTES);
    slg_buf_append_varint(out, header->id.sequence);
    slg_buf_append_varint_signed(out, header->ts_min_ns);
    slg_buf_append_varint(out, (uint64_t)(header->ts_max_ns - header->ts_min_ns));
    slg_buf_append_varint(out, header->entry_count);
    slg_buf_append_varint(out, header->push_count);
    slg_buf_append_varint(out, header->line_bytes);
    slg_buf_append_varint(out, header->metadata_bytes);
    slg_buf_append_varint(out, batch_bytes);
    slg_buf_append_varint(out, header->raw_bytes);
    slg_buf_append_varint(out, header->stream_count);
    for (uint32_t i = 0; i < header->stream_count; i++) {
        slg_buf_append_varint(out, stream_numbers[i]);
        slg_buf_append_varint(out, header->streams[i].entry_count);
        slg_buf_append_varint(out, header->streams[i].line_bytes);
        slg_buf_append_varint(out, header->streams[i].metadata_count);
    }
    if (!slg_buf_failed(out))
        slg_buf_append_u64be(out, slg_hash_xxh3(out->data + start, out->len - start));
}

static bool take_u32(struct slg_cursor *c, uint64_t value_max, uint32_t *ret_value)
{
    uint64_t value;

    if (!slg_cursor_take_varint(c, &value) || value > value_max)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static bool take_fields(struct slg_cursor *c, struct slg_summary *summary)
{
    const uint8_t *incarnation;
    uint64_t span;

    if (!slg_cursor_take_bytes(c, SLG_INCARNATION_BYTES, &incarnation) ||
        !slg_cursor_take_varint(c, &summary->sequence) ||
        !slg_cursor_take_varint_signed(c, &summary->ts_min_ns) ||
        !slg_cursor_take_varint(c, &span) ||
        !take_u32(c, SLG_BATCH_ENTRY_COUNT_MAX, &summary->entry_count) ||
        !take_u32(c, summary->entry_count, &summary->push_count) ||
        !slg_cursor_take_varint(c, &summary->line_bytes) ||
        !slg_cursor_take_varint(c, &summary->metadata_bytes) ||
        !take_u32(c, SLG_BATCH_BYTES_MAX, &summary->batch_bytes) ||
        !take_u32(c, SLG_BATCH_RAW_BYTES_MAX, &summary->raw_bytes) ||
        !take_u32(c, SLG_BATCH_STREAM_COUNT_MAX, &summary->stream_count))
        return false;
    if (summary->ts_min_ns < 0 || span > (uint64_t)(INT64_MAX - summary->ts_min_ns))
        return false;
    memcpy(summary->incarnation.bytes, incarnation, SLG_INCARNATION_BYTES);
    summary->ts_max_ns = summary->ts_min_ns + (int64_t)span;
    return true;
}

bool slg_summary_next_stream(struct slg_summary *summary, struct slg_summary_stream *ret_stream)
{
    struct slg_cursor *c = &summary->streams;

    return slg_cursor_left(c) > 0 && take_u32(c, UINT32_MAX, &ret_stream->number) &&
           take_u32(c, SLG_BATCH_ENTRY_COUNT_MAX, &ret_stream->entry_count) &&
           slg_cursor_take_varint(c, &ret_stream->line_bytes) &&
           take_u32(c, UINT32_MAX, &ret_stream->metadata_count);
}

enum slg_status slg_summary_decode(const uint8_t *bytes, size_t len,
                                   struct slg_summary *ret_summary)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_cursor tail;
    struct slg_summary summary = { .sequence = 0 };
    uint64_t checksum;

    if (len < CHECKSUM_BYTES + 1)
        return SLG_CORRUPT;
    c.end -= CHECKSUM_BYTES;
    tail = slg_cursor_make(c.end, CHECKSUM_BYTES);
    if (!slg_cursor_take_u64be(&tail, &checksum) ||
        checksum != slg_hash_xxh3(bytes, len - CHECKSUM_BYTES))
        return SLG_CORRUPT;
    if (!slg_cursor_take_byte(&c, SUMMARY_VERSION))
        return SLG_UNSUPPORTED;
    if (!take_fields(&c, &summary))
        return SLG_CORRUPT;
    summary.streams = c;
    *ret_summary = summary;
    return SLG_OK;
}
