/* Every decoder of proto/rpc.h over arbitrary bytes: none may crash, over-read or pass its arena's budget.
 * Covers: rpc.c rpc_query.c wire.c */
#include "proto/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_requests(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    struct slg_rpc_hello hello;
    struct slg_rpc_sets sets;
    struct slg_rpc_fetch fetch;
    struct slg_rpc_ensure ensure;
    struct slg_rpc_query query;
    struct slg_rpc_streams streams;
    const uint8_t *batch;
    size_t batch_len;
    unsigned flags;
    uint8_t id[16];

    (void)!slg_rpc_decode_hello(data, size, &hello);
    (void)!slg_rpc_decode_store(data, size, &flags, &batch, &batch_len);
    (void)!slg_rpc_decode_sets(arena, data, size, &sets);
    (void)!slg_rpc_decode_fetch(data, size, &fetch);
    (void)!slg_rpc_decode_ensure(arena, data, size, &ensure);
    (void)!slg_rpc_decode_query(arena, data, size, &query);
    (void)!slg_rpc_decode_next(data, size, id);
    (void)!slg_rpc_decode_cancel(data, size, id);
    (void)!slg_rpc_decode_streams(arena, data, size, &streams);
}

static void decode_replies(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    struct slg_error error;
    struct slg_rpc_hello hello;
    struct slg_rpc_page page;
    struct slg_rpc_sets_reply sets;
    struct slg_rpc_fetch_reply batches;
    struct slg_rpc_stream *streams;
    struct slg_text text;
    enum slg_store_result result;
    uint64_t epoch;
    size_t count;
    bool more;

    (void)!slg_rpc_reply_status(data, size, &error);
    (void)!slg_rpc_decode_hello_reply(data, size, &hello, &error);
    (void)!slg_rpc_decode_store_reply(data, size, &result, &epoch, &text, &error);
    (void)!slg_rpc_decode_sets_reply(arena, data, size, &sets, &error);
    (void)!slg_rpc_decode_fetch_reply(arena, data, size, &batches, &error);
    (void)!slg_rpc_decode_page(data, size, &page, &error);
    (void)!slg_rpc_decode_streams_reply(arena, data, size, &streams, &count, &more, &error);
    (void)!slg_rpc_decode_status_reply(data, size, &text, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create((size_t)1 << 20);
    enum slg_rpc_type type;

    if (arena == NULL)
        return 0;
    (void)!slg_rpc_peek(data, size, &type);
    decode_requests(arena, data, size);
    decode_replies(arena, data, size);
    slg_arena_destroy(arena);
    return 0;
}
