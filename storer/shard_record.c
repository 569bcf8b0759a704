#include "storer/shard_record.h"

#include <string.h>

#include "base/cursor.h"
#include "base/hash.h"

#define STATE_VERSION 1

const struct slg_shard_state slg_shard_state_empty = { .ts_min_ns = INT64_MAX,
                                                       .ts_max_ns = INT64_MIN };

void slg_shard_id_key(uint8_t key[SLG_SHARD_ID_KEY_BYTES],
                      const struct slg_incarnation *incarnation, uint64_t sequence)
{
    memcpy(key, incarnation->bytes, SLG_INCARNATION_BYTES);
    slg_bytes_put_u64be(key + SLG_INCARNATION_BYTES, sequence);
}

uint64_t slg_shard_id_hash(const uint8_t *id_key)
{
    return slg_hash_xxh3(id_key, SLG_SHARD_ID_KEY_BYTES);
}

void slg_shard_state_encode(uint8_t bytes[SLG_SHARD_STATE_BYTES],
                            const struct slg_shard_state *state)
{
    const uint64_t fields[] = {
        state->digest.sum.high, state->digest.sum.low,      state->digest.count,
        state->entry_count,     state->push_count,          state->line_bytes,
        state->batch_bytes,     (uint64_t)state->ts_min_ns, (uint64_t)state->ts_max_ns,
        state->stream_count,    state->last_arrival,        0 /* reserved */,
    };
    uint8_t *at = bytes;

    *at++ = STATE_VERSION;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fields); i++, at += 8)
        slg_bytes_put_u64be(at, fields[i]);
    slg_bytes_put_u64be(at, slg_hash_xxh3(bytes, (size_t)(at - bytes)));
    SLG_ASSERT(at + 8 == bytes + SLG_SHARD_STATE_BYTES);
}

enum slg_status slg_shard_state_decode(struct slg_kv_bytes record,
                                       struct slg_shard_state *ret_state)
{
    const uint8_t *at = record.at;

    if (record.len != SLG_SHARD_STATE_BYTES ||
        slg_bytes_get_u64be(at + SLG_SHARD_STATE_BYTES - 8) !=
            slg_hash_xxh3(at, SLG_SHARD_STATE_BYTES - 8))
        return SLG_CORRUPT;
    if (at[0] != STATE_VERSION)
        return SLG_UNSUPPORTED;
    at++;
    *ret_state = (struct slg_shard_state){
        .digest = { .sum = { .high = slg_bytes_get_u64be(at), .low = slg_bytes_get_u64be(at + 8) },
                    .count = slg_bytes_get_u64be(at + 16) },
        .entry_count = slg_bytes_get_u64be(at + 24),
        .push_count = slg_bytes_get_u64be(at + 32),
        .line_bytes = slg_bytes_get_u64be(at + 40),
        .batch_bytes = slg_bytes_get_u64be(at + 48),
        .ts_min_ns = (int64_t)slg_bytes_get_u64be(at + 56),
        .ts_max_ns = (int64_t)slg_bytes_get_u64be(at + 64),
        .stream_count = slg_bytes_get_u64be(at + 72),
        .last_arrival = slg_bytes_get_u64be(at + 80),
    };
    return SLG_OK;
}

bool slg_shard_stream_decode(struct slg_kv_bytes record, struct slg_shard_stream *stream)
{
    struct slg_cursor c = slg_cursor_make(record.at, record.len);
    const uint8_t *tenant;
    uint8_t tenant_len;

    if (!slg_cursor_take_u32be(&c, &stream->number) || !slg_cursor_take_u8(&c, &tenant_len) ||
        !slg_cursor_take_bytes(&c, tenant_len, &tenant))
        return false;
    stream->tenant = slg_text_make(tenant, tenant_len);
    stream->canonical = slg_text_make(c.at, slg_cursor_left(&c));
    return true;
}
