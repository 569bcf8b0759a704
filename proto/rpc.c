#include "proto/rpc.h"

#include "base/bytes.h"
#include "proto/rpc_private.h"

#define STATUS_MAX     ((uint64_t)SLG_UNSUPPORTED)
#define ID_BYTES_MAX   ((size_t)256)
#define JSON_BYTES_MAX SLG_MESSAGE_BYTES_MAX

/* ---- heads ---- */

void slg_rpc_begin_request(struct slg_buf *out, enum slg_rpc_type type, size_t field_count)
{
    slg_wire_array(out, 2 + field_count);
    slg_wire_uint(out, SLG_RPC_VERSION);
    slg_wire_uint(out, (uint64_t)type);
}

enum slg_status slg_rpc_peek(const uint8_t *bytes, size_t len, enum slg_rpc_type *ret_type)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    size_t count;
    uint64_t version, type;

    if (!slg_wire_take_array(&r, 64, &count) || count < 2 ||
        !slg_wire_take_uint(&r, UINT32_MAX, &version))
        return SLG_MALFORMED;
    if (version != SLG_RPC_VERSION)
        return SLG_UNSUPPORTED;
    if (!slg_wire_take_uint(&r, SLG_RPC_TYPE_LAST, &type) || type == 0)
        return SLG_MALFORMED;
    *ret_type = (enum slg_rpc_type)type;
    return SLG_OK;
}

enum slg_status slg_rpc_open_request(const uint8_t *bytes, size_t len, enum slg_rpc_type type,
                                     size_t field_count, struct slg_wire_reader *ret_reader)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    enum slg_rpc_type found;
    enum slg_status status = slg_rpc_peek(bytes, len, &found);
    uint64_t ignored;

    if (status != SLG_OK)
        return status;
    if (found != type || !slg_wire_take_tuple(&r, 2 + field_count))
        return SLG_MALFORMED;
    (void)slg_wire_take_uint(&r, UINT32_MAX, &ignored); /* peek has looked at both */
    (void)slg_wire_take_uint(&r, UINT32_MAX, &ignored);
    *ret_reader = r;
    return SLG_OK;
}

static void begin_reply(struct slg_buf *out, enum slg_status status, const char *text,
                        size_t field_count)
{
    size_t len = strlen(text);

    slg_wire_array(out, 3 + field_count);
    slg_wire_uint(out, SLG_RPC_VERSION);
    slg_wire_uint(out, (uint64_t)status);
    slg_wire_bin(out, text, len < RPC_TEXT_BYTES_MAX ? len : RPC_TEXT_BYTES_MAX);
}

void slg_rpc_begin_reply(struct slg_buf *out, size_t field_count)
{
    begin_reply(out, SLG_OK, "", field_count);
}

void slg_rpc_encode_failure(struct slg_buf *out, enum slg_status status, const char *text)
{
    begin_reply(out, status, text, 0);
}

/* Reads the head of any reply; *ret_count is the number of fields behind it. */
static enum slg_status read_reply_head(struct slg_wire_reader *r, size_t *ret_count,
                                       struct slg_error *reterr)
{
    uint64_t version, status;
    struct slg_text text;
    size_t count;

    if (!slg_wire_take_array(r, 64, &count) || count < 3 ||
        !slg_wire_take_uint(r, UINT32_MAX, &version))
        return slg_errorf(reterr, SLG_MALFORMED, "the reply is no message of ours");
    if (version != SLG_RPC_VERSION)
        return slg_errorf(reterr, SLG_UNSUPPORTED,
                          "the peer speaks wire version %llu, this process %d",
                          (unsigned long long)version, SLG_RPC_VERSION);
    if (!slg_wire_take_uint(r, STATUS_MAX, &status) ||
        !slg_wire_take_text(r, RPC_TEXT_BYTES_MAX, &text))
        return slg_errorf(reterr, SLG_MALFORMED, "the reply has no status");
    *ret_count = count - 3;
    if (status != SLG_OK)
        return slg_errorf(reterr, (enum slg_status)status, "%.*s", (int)text.len,
                          text.len > 0 ? text.at : "");
    return SLG_OK;
}

enum slg_status slg_rpc_reply_status(const uint8_t *bytes, size_t len, struct slg_error *reterr)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    size_t count;

    return read_reply_head(&r, &count, reterr);
}

enum slg_status slg_rpc_open_reply(const uint8_t *bytes, size_t len, size_t field_count,
                                   struct slg_wire_reader *ret_reader, struct slg_error *reterr)
{
    struct slg_wire_reader r = slg_wire_reader_make(bytes, len);
    size_t count = 0;
    enum slg_status status = read_reply_head(&r, &count, reterr);

    if (status != SLG_OK)
        return status;
    if (count != field_count)
        return slg_errorf(reterr, SLG_MALFORMED, "the reply has %zu fields instead of %zu", count,
                          field_count);
    *ret_reader = r;
    return SLG_OK;
}

enum slg_status slg_rpc_close(const struct slg_wire_reader *r)
{
    return slg_wire_done(r) ? SLG_OK : SLG_MALFORMED;
}

enum slg_status slg_rpc_close_reply(const struct slg_wire_reader *r, struct slg_error *reterr)
{
    if (slg_rpc_close(r) == SLG_OK)
        return SLG_OK;
    return slg_errorf(reterr, SLG_MALFORMED, "the reply is cut short or has bytes too many");
}

bool slg_rpc_take_fixed(struct slg_wire_reader *r, uint8_t *ret_bytes, size_t len)
{
    const uint8_t *bytes;
    size_t found;

    if (!slg_wire_take_bin(r, len, &bytes, &found))
        return false;
    if (found != len) {
        r->failed = true;
        return false;
    }
    memcpy(ret_bytes, bytes, len);
    return true;
}

/* ---- shards ---- */

void slg_rpc_put_shard(struct slg_buf *out, const struct slg_shard_id *shard)
{
    slg_wire_array(out, 4);
    slg_wire_int(out, shard->window_ns);
    slg_wire_int(out, shard->length_ns);
    slg_wire_uint(out, shard->slot);
    slg_wire_uint(out, shard->slot_count);
}

bool slg_rpc_take_shard(struct slg_wire_reader *r, struct slg_shard_id *ret_shard)
{
    struct slg_shard_id shard;
    uint64_t slot, slot_count;

    if (!slg_wire_take_tuple(r, 4) || !slg_wire_take_int(r, &shard.window_ns) ||
        !slg_wire_take_int(r, &shard.length_ns) || !slg_wire_take_uint(r, UINT16_MAX, &slot) ||
        !slg_wire_take_uint(r, UINT16_MAX, &slot_count))
        return false;
    if (shard.window_ns < 0 || shard.length_ns <= 0 || shard.window_ns % shard.length_ns != 0 ||
        shard.window_ns > INT64_MAX - shard.length_ns || slot >= slot_count) {
        r->failed = true;
        return false;
    }
    shard.slot = (uint16_t)slot;
    shard.slot_count = (uint16_t)slot_count;
    *ret_shard = shard;
    return true;
}

void slg_rpc_put_shards(struct slg_buf *out, const struct slg_shard_id *shards, size_t count)
{
    slg_wire_array(out, count);
    for (size_t i = 0; i < count; i++)
        slg_rpc_put_shard(out, &shards[i]);
}

enum slg_status slg_rpc_take_shards(struct slg_arena *arena, struct slg_wire_reader *r,
                                    const struct slg_shard_id **ret_shards, size_t *ret_count)
{
    struct slg_shard_id *shards;
    size_t count;

    if (!slg_wire_take_array(r, SLG_QUERY_SHARD_COUNT_MAX, &count))
        return SLG_MALFORMED;
    shards = slg_arena_calloc(arena, count, sizeof(*shards));
    if (shards == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!slg_rpc_take_shard(r, &shards[i]))
            return SLG_MALFORMED;
    }
    *ret_shards = shards;
    *ret_count = count;
    return SLG_OK;
}

#define SHARD_SET_FIELDS 7

static void put_shard_set(struct slg_buf *out, const struct slg_rpc_shard_set *set)
{
    slg_wire_array(out, SHARD_SET_FIELDS);
    slg_rpc_put_shard(out, &set->shard);
    slg_wire_uint(out, set->digest.sum.high);
    slg_wire_uint(out, set->digest.sum.low);
    slg_wire_uint(out, set->digest.count);
    slg_wire_text(out, set->set);
    slg_wire_int(out, set->ts_min_ns);
    slg_wire_int(out, set->ts_max_ns);
}

void slg_rpc_put_shard_sets(struct slg_buf *out, const struct slg_rpc_shard_set *sets, size_t count)
{
    slg_wire_array(out, count);
    for (size_t i = 0; i < count; i++)
        put_shard_set(out, &sets[i]);
}

static bool take_shard_set(struct slg_wire_reader *r, struct slg_rpc_shard_set *ret_set)
{
    return slg_wire_take_tuple(r, SHARD_SET_FIELDS) && slg_rpc_take_shard(r, &ret_set->shard) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_set->digest.sum.high) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_set->digest.sum.low) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_set->digest.count) &&
           slg_wire_take_text(r, SLG_MESSAGE_BYTES_MAX, &ret_set->set) &&
           slg_wire_take_int(r, &ret_set->ts_min_ns) && slg_wire_take_int(r, &ret_set->ts_max_ns);
}

enum slg_status slg_rpc_take_shard_sets(struct slg_arena *arena, struct slg_wire_reader *r,
                                        struct slg_rpc_shard_set **ret_sets, size_t *ret_count)
{
    struct slg_rpc_shard_set *sets;
    size_t count;

    if (!slg_wire_take_array(r, SLG_QUERY_SHARD_COUNT_MAX, &count))
        return SLG_MALFORMED;
    sets = slg_arena_calloc(arena, count, sizeof(*sets));
    if (sets == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (!take_shard_set(r, &sets[i]))
            return SLG_MALFORMED;
    }
    *ret_sets = sets;
    *ret_count = count;
    return SLG_OK;
}

/* ---- HELLO ---- */

#define HELLO_FIELDS 10

static void put_hello(struct slg_buf *out, const struct slg_rpc_hello *hello)
{
    uint8_t hash[16];

    for (int i = 0; i < 8; i++) {
        hash[i] = (uint8_t)(hello->map_hash.high >> (56 - 8 * i));
        hash[8 + i] = (uint8_t)(hello->map_hash.low >> (56 - 8 * i));
    }
    slg_wire_text(out, hello->cluster_id);
    slg_wire_text(out, hello->node_id);
    slg_wire_text(out, hello->role);
    slg_wire_uint(out, hello->map_epoch);
    slg_wire_bin(out, hash, sizeof(hash));
    slg_wire_text(out, hello->storage_id);
    slg_wire_uint(out, hello->storage_counter);
    slg_wire_text(out, hello->known_storage_id);
    slg_wire_uint(out, hello->known_storage_counter);
    slg_wire_int(out, hello->wall_ns);
}

static bool take_hello(struct slg_wire_reader *r, struct slg_rpc_hello *ret_hello)
{
    struct slg_rpc_hello hello = { 0 };
    uint8_t hash[16];

    if (!slg_wire_take_text(r, ID_BYTES_MAX, &hello.cluster_id) ||
        !slg_wire_take_text(r, ID_BYTES_MAX, &hello.node_id) ||
        !slg_wire_take_text(r, ID_BYTES_MAX, &hello.role) ||
        !slg_wire_take_uint(r, UINT64_MAX, &hello.map_epoch) ||
        !slg_rpc_take_fixed(r, hash, sizeof(hash)) ||
        !slg_wire_take_text(r, ID_BYTES_MAX, &hello.storage_id) ||
        !slg_wire_take_uint(r, UINT64_MAX, &hello.storage_counter) ||
        !slg_wire_take_text(r, ID_BYTES_MAX, &hello.known_storage_id) ||
        !slg_wire_take_uint(r, UINT64_MAX, &hello.known_storage_counter) ||
        !slg_wire_take_int(r, &hello.wall_ns))
        return false;
    hello.map_hash.high = slg_bytes_get_u64be(hash);
    hello.map_hash.low = slg_bytes_get_u64be(hash + 8);
    *ret_hello = hello;
    return true;
}

void slg_rpc_encode_hello(struct slg_buf *out, const struct slg_rpc_hello *hello)
{
    slg_rpc_begin_request(out, SLG_RPC_HELLO, HELLO_FIELDS);
    put_hello(out, hello);
}

enum slg_status slg_rpc_decode_hello(const uint8_t *bytes, size_t len,
                                     struct slg_rpc_hello *ret_hello)
{
    struct slg_wire_reader r;
    struct slg_rpc_hello hello;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_HELLO, HELLO_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!take_hello(&r, &hello) || slg_rpc_close(&r) != SLG_OK)
        return SLG_MALFORMED;
    *ret_hello = hello;
    return SLG_OK;
}

void slg_rpc_encode_hello_reply(struct slg_buf *out, const struct slg_rpc_hello *hello)
{
    slg_rpc_begin_reply(out, HELLO_FIELDS);
    put_hello(out, hello);
}

enum slg_status slg_rpc_decode_hello_reply(const uint8_t *bytes, size_t len,
                                           struct slg_rpc_hello *ret_hello,
                                           struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_rpc_hello hello;
    enum slg_status status = slg_rpc_open_reply(bytes, len, HELLO_FIELDS, &r, reterr);

    if (status != SLG_OK)
        return status;
    (void)take_hello(&r, &hello); /* a failure stays in the reader */
    status = slg_rpc_close_reply(&r, reterr);
    if (status == SLG_OK)
        *ret_hello = hello;
    return status;
}

/* ---- STORE ---- */

void slg_rpc_encode_store(struct slg_buf *out, unsigned flags, const void *batch, size_t batch_len)
{
    slg_rpc_begin_request(out, SLG_RPC_STORE, 2);
    slg_wire_uint(out, flags);
    slg_wire_bin(out, batch, batch_len);
}

enum slg_status slg_rpc_decode_store(const uint8_t *bytes, size_t len, unsigned *ret_flags,
                                     const uint8_t **ret_batch, size_t *ret_batch_len)
{
    struct slg_wire_reader r;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_STORE, 2, &r);
    const uint8_t *batch;
    size_t batch_len;
    uint64_t flags;

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_uint(&r, SLG_STORE_FLAG_HINT, &flags) ||
        !slg_wire_take_bin(&r, SLG_BATCH_BYTES_MAX, &batch, &batch_len) ||
        slg_rpc_close(&r) != SLG_OK)
        return SLG_MALFORMED;
    *ret_flags = (unsigned)flags;
    *ret_batch = batch;
    *ret_batch_len = batch_len;
    return SLG_OK;
}

void slg_rpc_encode_store_reply(struct slg_buf *out, enum slg_store_result result,
                                uint64_t map_epoch, const char *text)
{
    slg_rpc_begin_reply(out, 3);
    slg_wire_uint(out, (uint64_t)result);
    slg_wire_uint(out, map_epoch);
    slg_wire_text(out, slg_text_of(text));
}

enum slg_status slg_rpc_decode_store_reply(const uint8_t *bytes, size_t len,
                                           enum slg_store_result *ret_result,
                                           uint64_t *ret_map_epoch, struct slg_text *ret_text,
                                           struct slg_error *reterr)
{
    struct slg_wire_reader r;
    enum slg_status status = slg_rpc_open_reply(bytes, len, 3, &r, reterr);
    struct slg_text text = { 0 };
    uint64_t result = 0, epoch = 0;

    if (status != SLG_OK)
        return status;
    (void)slg_wire_take_uint(&r, SLG_STORE_MALFORMED, &result);
    (void)slg_wire_take_uint(&r, UINT64_MAX, &epoch);
    (void)slg_wire_take_text(&r, RPC_TEXT_BYTES_MAX, &text);
    status = slg_rpc_close_reply(&r, reterr);
    if (status != SLG_OK)
        return status;
    *ret_result = (enum slg_store_result)result;
    *ret_map_epoch = epoch;
    *ret_text = text;
    return SLG_OK;
}

/* ---- SETS ---- */

#define SETS_FIELDS       6
#define SETS_REPLY_FIELDS 3

void slg_rpc_encode_sets(struct slg_buf *out, const struct slg_rpc_sets *sets)
{
    slg_rpc_begin_request(out, SLG_RPC_SETS, SETS_FIELDS);
    slg_wire_text(out, sets->tenant);
    slg_wire_int(out, sets->from_ns);
    slg_wire_int(out, sets->to_ns);
    slg_wire_uint(out, sets->map_epoch);
    slg_wire_bool(out, sets->want_ranges);
    slg_rpc_put_shards(out, sets->shards, sets->shard_count);
}

enum slg_status slg_rpc_decode_sets(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                    struct slg_rpc_sets *ret_sets)
{
    struct slg_wire_reader r;
    struct slg_rpc_sets sets;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_SETS, SETS_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_text(&r, SLG_TENANT_BYTES_MAX, &sets.tenant) ||
        !slg_wire_take_int(&r, &sets.from_ns) || !slg_wire_take_int(&r, &sets.to_ns) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &sets.map_epoch) ||
        !slg_wire_take_bool(&r, &sets.want_ranges))
        return SLG_MALFORMED;
    status = slg_rpc_take_shards(arena, &r, &sets.shards, &sets.shard_count);
    if (status == SLG_OK)
        status = slg_rpc_close(&r);
    if (status != SLG_OK)
        return status;
    *ret_sets = sets;
    return SLG_OK;
}

void slg_rpc_encode_sets_reply(struct slg_buf *out, const struct slg_rpc_sets_reply *reply)
{
    slg_rpc_begin_reply(out, SETS_REPLY_FIELDS);
    slg_wire_bool(out, reply->refilling);
    slg_rpc_put_shard_sets(out, reply->shards, reply->shard_count);
    slg_rpc_put_shards(out, reply->doubtful, reply->doubtful_count);
}

enum slg_status slg_rpc_decode_sets_reply(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                          struct slg_rpc_sets_reply *ret_reply,
                                          struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_rpc_sets_reply reply = { .shards = NULL };
    struct slg_rpc_shard_set *shards = NULL;
    enum slg_status status = slg_rpc_open_reply(bytes, len, SETS_REPLY_FIELDS, &r, reterr);

    if (status != SLG_OK)
        return status;
    (void)slg_wire_take_bool(&r, &reply.refilling); /* a failure stays in the reader */
    status = slg_rpc_take_shard_sets(arena, &r, &shards, &reply.shard_count);
    if (status == SLG_OK)
        status = slg_rpc_take_shards(arena, &r, &reply.doubtful, &reply.doubtful_count);
    if (status == SLG_LIMIT)
        return slg_errorf(reterr, SLG_LIMIT,
                          "the sets of the query's shards need more memory "
                          "than one query may have");
    status = slg_rpc_close_reply(&r, reterr);
    if (status != SLG_OK)
        return status;
    reply.shards = shards;
    *ret_reply = reply;
    return SLG_OK;
}

/* ---- STATUS ---- */

void slg_rpc_encode_status(struct slg_buf *out)
{
    slg_rpc_begin_request(out, SLG_RPC_STATUS, 0);
}

void slg_rpc_encode_status_reply(struct slg_buf *out, const void *json, size_t len)
{
    slg_rpc_begin_reply(out, 1);
    slg_wire_bin(out, json, len);
}

enum slg_status slg_rpc_decode_status_reply(const uint8_t *bytes, size_t len,
                                            struct slg_text *ret_json, struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_text json;
    enum slg_status status = slg_rpc_open_reply(bytes, len, 1, &r, reterr);

    if (status != SLG_OK)
        return status;
    (void)slg_wire_take_text(&r, JSON_BYTES_MAX, &json);
    status = slg_rpc_close_reply(&r, reterr);
    if (status == SLG_OK)
        *ret_json = json;
    return status;
}
