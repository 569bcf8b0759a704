/* Arbitrary protobuf pushes: as they are (snappy and all), and wrapped into a valid snappy literal, so that the
 * fuzzer reaches what is behind it.
 * Covers: push_protobuf.c */
#include <stdlib.h>

#include "base/buf.h"
#include "ingester/push.h"

#define BUDGET ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum slg_status take(void *ctx, const struct slg_push_entry *entry)
{
    uint64_t *lines = ctx;

    *lines += 1;
    SLG_ASSERT(entry->metadata_count <= SLG_METADATA_COUNT_MAX);
    SLG_ASSERT(entry->stream->labels.count >= 1);
    SLG_ASSERT(entry->line.len <= 64);
    return SLG_OK;
}

static void decode(const uint8_t *bytes, size_t len)
{
    struct slg_arena *arena = slg_arena_create(BUDGET);
    uint8_t *body = malloc(len + 1);
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error;
    uint64_t lines = 0;
    enum slg_status status;

    if (arena == NULL || body == NULL)
        abort();
    if (len > 0)
        memcpy(body, bytes, len);
    slg_push_options_init(&options);
    options.line_bytes_max = 64;
    options.raw_bytes_max = (size_t)1 << 20;
    status = slg_push_decode(&options, SLG_PUSH_PROTOBUF, arena, body, len, take, &lines, &result,
                             &error);
    SLG_ASSERT(status == SLG_OK || status == SLG_MALFORMED || status == SLG_LIMIT);
    SLG_ASSERT(result.entry_count == lines);
    SLG_ASSERT(slg_arena_used_bytes(arena) <= BUDGET);
    free(body);
    slg_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_buf wrapped;

    decode(data, size);
    if (size == 0 || size > 65536)
        return 0;
    slg_buf_init(&wrapped, 1 << 18);
    slg_buf_append_varint(&wrapped, size);
    slg_buf_append_byte(&wrapped, 61 << 2); /* a literal with two bytes of length - 1 */
    slg_buf_append_byte(&wrapped, (uint8_t)(size - 1));
    slg_buf_append_byte(&wrapped, (uint8_t)((size - 1) >> 8));
    slg_buf_append(&wrapped, data, size);
    decode(wrapped.data, wrapped.len);
    slg_buf_fini(&wrapped);
    return 0;
}
