/* Arbitrary JSON pushes: OK, MALFORMED or LIMIT, entries within limits, the arena's budget kept.
 * Covers: push_json.c push.c */
#include <stdlib.h>

#include "ingester/push.h"

#define BUDGET ((size_t)4 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum slg_status take(void *ctx, const struct slg_push_entry *entry)
{
    uint64_t *lines = ctx;

    *lines += 1;
    SLG_ASSERT(entry->metadata_count <= SLG_METADATA_COUNT_MAX);
    SLG_ASSERT(entry->stream->labels.count >= 1);
    SLG_ASSERT(entry->stream->labels.count <= SLG_LABEL_COUNT_MAX);
    SLG_ASSERT(entry->line.len <= 64);
    return SLG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create(BUDGET);
    uint8_t *body = malloc(size + 1);
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error;
    uint64_t lines = 0;
    enum slg_status status;

    if (arena == NULL || body == NULL)
        abort();
    if (size > 0)
        memcpy(body, data, size);
    slg_push_options_init(&options);
    options.line_bytes_max = 64;
    options.oldest_ns = 0;
    options.newest_ns = INT64_C(4000000000000000000);
    status =
        slg_push_decode(&options, SLG_PUSH_JSON, arena, body, size, take, &lines, &result, &error);
    SLG_ASSERT(status == SLG_OK || status == SLG_MALFORMED || status == SLG_LIMIT);
    SLG_ASSERT(result.entry_count == lines);
    SLG_ASSERT(slg_arena_used_bytes(arena) <= BUDGET);
    SLG_ASSERT(strlen(result.message) < sizeof(result.message));
    free(body);
    slg_arena_destroy(arena);
    return 0;
}
