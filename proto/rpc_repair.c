/* The messages of storers that complete their copies: FETCH and ENSURE. Heads and shard sets are in rpc.c. */
#include "proto/rpc.h"

#include "proto/rpc_private.h"

#define FETCH_FIELDS    5
#define ENSURE_FIELDS   4
#define BATCH_COUNT_MAX ((size_t)65536) /* of one reply: smaller batches do not exist */

/* ---- FETCH ---- */

void slg_rpc_encode_fetch(struct slg_buf *out, const struct slg_rpc_fetch *fetch)
{
    slg_rpc_begin_request(out, SLG_RPC_FETCH, FETCH_FIELDS);
    slg_wire_text(out, fetch->tenant);
    slg_wire_uint(out, fetch->map_epoch);
    slg_rpc_put_shard(out, &fetch->shard);
    slg_wire_text(out, fetch->set);
    slg_wire_uint(out, fetch->bytes_max);
}

enum slg_status slg_rpc_decode_fetch(const uint8_t *bytes, size_t len,
                                     struct slg_rpc_fetch *ret_fetch)
{
    struct slg_wire_reader r;
    struct slg_rpc_fetch fetch;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_FETCH, FETCH_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_text(&r, SLG_TENANT_BYTES_MAX, &fetch.tenant) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &fetch.map_epoch) ||
        !slg_rpc_take_shard(&r, &fetch.shard) ||
        !slg_wire_take_text(&r, SLG_MESSAGE_BYTES_MAX, &fetch.set) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &fetch.bytes_max) || slg_rpc_close(&r) != SLG_OK)
        return SLG_MALFORMED;
    *ret_fetch = fetch;
    return SLG_OK;
}

void slg_rpc_encode_fetch_reply(struct slg_buf *out, const struct slg_rpc_fetch_reply *reply)
{
    slg_rpc_begin_reply(out, 2);
    slg_wire_bool(out, reply->more);
    slg_wire_array(out, reply->batch_count);
    for (size_t i = 0; i < reply->batch_count; i++)
        slg_wire_text(out, reply->batches[i]);
}

enum slg_status slg_rpc_decode_fetch_reply(struct slg_arena *arena, const uint8_t *bytes,
                                           size_t len, struct slg_rpc_fetch_reply *ret_reply,
                                           struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_rpc_fetch_reply reply = { .batches = NULL };
    struct slg_text *batches;
    enum slg_status status = slg_rpc_open_reply(bytes, len, 2, &r, reterr);

    if (status != SLG_OK)
        return status;
    (void)slg_wire_take_bool(&r, &reply.more); /* failures stay in the reader */
    (void)slg_wire_take_array(&r, BATCH_COUNT_MAX, &reply.batch_count);
    batches = slg_arena_calloc(arena, reply.batch_count, sizeof(*batches));
    if (batches == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "no memory for %zu batches", reply.batch_count);
    for (size_t i = 0; i < reply.batch_count; i++) {
        if (!slg_wire_take_text(&r, SLG_BATCH_BYTES_MAX, &batches[i]))
            break;
    }
    status = slg_rpc_close_reply(&r, reterr);
    if (status != SLG_OK)
        return status;
    reply.batches = batches;
    *ret_reply = reply;
    return SLG_OK;
}

/* ---- ENSURE ---- */

void slg_rpc_encode_ensure(struct slg_buf *out, const struct slg_rpc_ensure *ensure)
{
    slg_rpc_begin_request(out, SLG_RPC_ENSURE, ENSURE_FIELDS);
    slg_wire_text(out, ensure->tenant);
    slg_wire_uint(out, ensure->map_epoch);
    slg_wire_int(out, ensure->deadline_ms);
    slg_rpc_put_shard_sets(out, ensure->shards, ensure->shard_count);
}

enum slg_status slg_rpc_decode_ensure(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                      struct slg_rpc_ensure *ret_ensure)
{
    struct slg_wire_reader r;
    struct slg_rpc_ensure ensure;
    struct slg_rpc_shard_set *shards;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_ENSURE, ENSURE_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_text(&r, SLG_TENANT_BYTES_MAX, &ensure.tenant) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &ensure.map_epoch) ||
        !slg_wire_take_int(&r, &ensure.deadline_ms) || ensure.deadline_ms < 0)
        return SLG_MALFORMED;
    status = slg_rpc_take_shard_sets(arena, &r, &shards, &ensure.shard_count);
    if (status == SLG_OK)
        status = slg_rpc_close(&r);
    if (status != SLG_OK)
        return status;
    ensure.shards = shards;
    *ret_ensure = ensure;
    return SLG_OK;
}

void slg_rpc_encode_done(struct slg_buf *out)
{
    slg_rpc_begin_reply(out, 0);
}
