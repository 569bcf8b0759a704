#include "ingester/push_request.h"

#include <snappy-c.h>

#include "base/cursor.h"

/* logproto.PushRequest in protobuf's wire format [protobuf.dev, "Encoding"; the fields from Loki's push.proto]:
 *
 *   PushRequest  1 streams   repeated Stream
 *   Stream       1 labels    string            2 entries   repeated Entry      (3 hash: not used)
 *   Entry        1 timestamp Timestamp         2 line      string    3 structuredMetadata repeated Pair
 *   Pair         1 name      string            2 value     string
 *   Timestamp    1 seconds   int64             2 nanos     int32
 *
 * Depth is fixed by the nesting of these functions; a length is checked against what is left before it is used. */

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

#define NS_PER_SEC INT64_C(1000000000)

struct field {
    uint64_t number;
    uint64_t value;         /* varint */
    struct slg_cursor body; /* bytes */
    bool is_bytes;
};

/* The next field of a message; groups (types 3 and 4) are refused as proto3 does. */
static bool take_field(struct slg_cursor *c, struct field *field)
{
    const uint8_t *bytes;
    uint64_t key;
    uint64_t len;

    *field = (struct field){ 0 };
    if (!slg_cursor_take_varint(c, &key) || key >> 3 == 0)
        return false;
    field->number = key >> 3;
    switch (key & 7) {
    case WIRE_VARINT:
        return slg_cursor_take_varint(c, &field->value);
    case WIRE_FIXED64:
        return slg_cursor_take_bytes(c, 8, &bytes);
    case WIRE_BYTES:
        if (!slg_cursor_take_varint(c, &len) || len > slg_cursor_left(c) ||
            !slg_cursor_take_bytes(c, (size_t)len, &bytes))
            return false;
        field->is_bytes = true;
        field->body = slg_cursor_make(bytes, (size_t)len);
        return true;
    case WIRE_FIXED32:
        return slg_cursor_take_bytes(c, 4, &bytes);
    default:
        return false;
    }
}

static struct slg_text text_of(const struct field *field)
{
    return slg_text_make(field->body.at, slg_cursor_left(&field->body));
}

static enum slg_status malformed(struct slg_error *reterr, const char *what)
{
    return slg_errorf(reterr, SLG_MALFORMED, "could not parse the push body: bad %s in protobuf",
                      what);
}

static enum slg_status over_limit(const struct slg_push_request *request, struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_LIMIT, "the push body needs more than %zu bytes of memory",
                      slg_arena_budget_bytes(request->arena));
}

static bool read_timestamp(struct slg_cursor c, int64_t *ret_ns)
{
    struct field field;
    int64_t seconds = 0;
    int64_t nanos = 0;
    int64_t ns;

    while (slg_cursor_left(&c) > 0) {
        if (!take_field(&c, &field))
            return false;
        if (field.is_bytes)
            continue;
        if (field.number == 1)
            seconds = (int64_t)field.value;
        else if (field.number == 2)
            nanos = (int32_t)(uint32_t)field.value;
    }
    if (nanos < 0 || nanos >= NS_PER_SEC || __builtin_mul_overflow(seconds, NS_PER_SEC, &ns) ||
        __builtin_add_overflow(ns, nanos, ret_ns))
        return false;
    return true;
}

static enum slg_status read_pair(struct slg_push_request *request, struct slg_cursor c,
                                 struct slg_error *reterr)
{
    struct slg_label pair = { { "", 0 }, { "", 0 } };
    struct slg_label *item;
    struct field field;

    while (slg_cursor_left(&c) > 0) {
        if (!take_field(&c, &field))
            return malformed(reterr, "structured metadata");
        if (field.is_bytes && field.number == 1)
            pair.name = text_of(&field);
        else if (field.is_bytes && field.number == 2)
            pair.value = text_of(&field);
    }
    item = slg_push_add_metadata(request);
    if (item == NULL)
        return over_limit(request, reterr);
    *item = pair;
    return SLG_OK;
}

static enum slg_status read_entry(struct slg_push_request *request, struct slg_cursor c,
                                  struct slg_error *reterr)
{
    struct slg_push_line line = { .line = { "", 0 }, .metadata_first = request->metadata_count };
    struct slg_push_line *item;
    struct field field;

    while (slg_cursor_left(&c) > 0) {
        if (!take_field(&c, &field))
            return malformed(reterr, "entry");
        if (!field.is_bytes)
            continue;
        if (field.number == 1 && !read_timestamp(field.body, &line.ts_ns))
            return malformed(reterr, "timestamp");
        if (field.number == 2)
            line.line = text_of(&field);
        if (field.number == 3) {
            enum slg_status status = read_pair(request, field.body, reterr);

            if (status != SLG_OK)
                return status;
        }
    }
    line.metadata_count = request->metadata_count - line.metadata_first;
    item = slg_push_add_line(request);
    if (item == NULL)
        return over_limit(request, reterr);
    *item = line;
    return SLG_OK;
}

static enum slg_status read_stream(struct slg_push_request *request, struct slg_cursor c,
                                   struct slg_error *reterr)
{
    struct slg_push_stream stream = { .label_text = { "", 0 }, .entry_first = request->line_count };
    struct slg_push_stream *item;
    struct field field;

    while (slg_cursor_left(&c) > 0) {
        if (!take_field(&c, &field))
            return malformed(reterr, "stream");
        if (field.is_bytes && field.number == 1)
            stream.label_text = text_of(&field);
        if (field.is_bytes && field.number == 2) {
            enum slg_status status = read_entry(request, field.body, reterr);

            if (status != SLG_OK)
                return status;
        }
    }
    stream.entry_count = request->line_count - stream.entry_first;
    item = slg_push_add_stream(request);
    if (item == NULL)
        return over_limit(request, reterr);
    *item = stream;
    return SLG_OK;
}

/* Snappy's block format, the size looked at before anything is allocated. */
static enum slg_status decompress(struct slg_push_request *request, const uint8_t *body, size_t len,
                                  size_t raw_bytes_max, struct slg_cursor *ret_raw,
                                  struct slg_error *reterr)
{
    size_t raw_len;
    char *raw;

    if (snappy_uncompressed_length((const char *)body, len, &raw_len) != SNAPPY_OK)
        return slg_errorf(reterr, SLG_MALFORMED, "snappy: corrupt input");
    if (raw_len > raw_bytes_max)
        return slg_errorf(reterr, SLG_LIMIT, "request body too large: %zu bytes, limit: %zu bytes",
                          raw_len, raw_bytes_max);
    raw = slg_arena_alloc(request->arena, raw_len);
    if (raw == NULL)
        return over_limit(request, reterr);
    if (snappy_uncompress((const char *)body, len, raw, &raw_len) != SNAPPY_OK)
        return slg_errorf(reterr, SLG_MALFORMED, "snappy: corrupt input");
    *ret_raw = slg_cursor_make(raw, raw_len);
    return SLG_OK;
}

enum slg_status slg_push_read_protobuf(struct slg_push_request *request, const uint8_t *body,
                                       size_t len, size_t raw_bytes_max, struct slg_error *reterr)
{
    struct field field;
    struct slg_cursor c = slg_cursor_make(NULL, 0);
    enum slg_status status = decompress(request, body, len, raw_bytes_max, &c, reterr);

    while (status == SLG_OK && slg_cursor_left(&c) > 0) {
        if (!take_field(&c, &field))
            return malformed(reterr, "request");
        if (field.is_bytes && field.number == 1)
            status = read_stream(request, field.body, reterr);
    }
    return status;
}
