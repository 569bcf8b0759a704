/* Batches that are damaged leave the set of a shard: everything about them goes, in one transaction, but a note. A batch of
 * the same id may be put again; the note counts until then. */
#include <string.h>

#include "base/hash.h"
#include "storer/shard_private.h"

#define ASIDE_PREFIX       "aside"
#define ASIDE_PREFIX_BYTES ((size_t)5)
#define ASIDE_KEY_BYTES    (ASIDE_PREFIX_BYTES + SLG_SHARD_ID_KEY_BYTES)
#define ASIDE_VERSION      1
#define ASIDE_BYTES        ((size_t)22) /* version, reason, entries u32, time i64, xxh3 */

static void aside_key(uint8_t key[ASIDE_KEY_BYTES], const uint8_t id_key[SLG_SHARD_ID_KEY_BYTES])
{
    memcpy(key, ASIDE_PREFIX, ASIDE_PREFIX_BYTES);
    memcpy(key + ASIDE_PREFIX_BYTES, id_key, SLG_SHARD_ID_KEY_BYTES);
}

static void encode(uint8_t bytes[ASIDE_BYTES], const struct slg_aside *aside)
{
    bytes[0] = ASIDE_VERSION;
    bytes[1] = (uint8_t)aside->reason;
    slg_bytes_put_u32be(bytes + 2, aside->entry_count);
    slg_bytes_put_u64be(bytes + 6, (uint64_t)aside->set_aside_ns);
    slg_bytes_put_u64be(bytes + 14, slg_hash_xxh3(bytes, 14));
}

static enum slg_status decode(struct slg_kv_bytes key, struct slg_kv_bytes value,
                              struct slg_aside *ret_aside)
{
    const uint8_t *id = key.at + ASIDE_PREFIX_BYTES;

    if (key.len != ASIDE_KEY_BYTES || value.len != ASIDE_BYTES ||
        slg_bytes_get_u64be(value.at + 14) != slg_hash_xxh3(value.at, 14))
        return SLG_CORRUPT;
    if (value.at[0] != ASIDE_VERSION)
        return SLG_UNSUPPORTED;
    *ret_aside = (struct slg_aside){
        .sequence = slg_bytes_get_u64be(id + SLG_INCARNATION_BYTES),
        .reason = (enum slg_aside_reason)value.at[1],
        .entry_count = slg_bytes_get_u32be(value.at + 2),
        .set_aside_ns = (int64_t)slg_bytes_get_u64be(value.at + 6),
    };
    memcpy(ret_aside->incarnation.bytes, id, SLG_INCARNATION_BYTES);
    return SLG_OK;
}

/* ---- reading ---- */

struct aside_walk {
    struct slg_shard_read *read;
    slg_shard_visit_aside *visit;
    void *ctx;
};

static enum slg_status visit_row(void *ctx, uint32_t generation_index, struct slg_kv_bytes key,
                                 struct slg_kv_bytes value)
{
    const struct aside_walk *walk = ctx;
    struct slg_kv_bytes held;
    struct slg_aside aside;
    enum slg_status status;

    (void)generation_index; /* a batch may come back in another */
    if (key.len < ASIDE_PREFIX_BYTES || memcmp(key.at, ASIDE_PREFIX, ASIDE_PREFIX_BYTES) != 0)
        return SLG_OK;
    status = decode(key, value, &aside);
    if (status != SLG_OK)
        return status;
    for (size_t i = 0; i < walk->read->count; i++) {
        status = slg_kv_get(walk->read->txns[i], TABLE_IDS, key.at + ASIDE_PREFIX_BYTES,
                            SLG_SHARD_ID_KEY_BYTES, &held);
        if (status != SLG_NOT_FOUND)
            return status; /* it is back, or that cannot be told */
    }
    return walk->visit(walk->ctx, &aside);
}

enum slg_status slg_shard_each_aside(struct slg_shard_read *read, slg_shard_visit_aside *visit,
                                     void *ctx)
{
    struct aside_walk walk = { .read = read, .visit = visit, .ctx = ctx };

    return slg_shard_each_row(read, TABLE_STATE, visit_row, &walk);
}

static enum slg_status count_one(void *ctx, const struct slg_aside *aside)
{
    size_t *count = ctx;

    (void)aside; /* only how many */
    (*count)++;
    return SLG_OK;
}

enum slg_status slg_shard_count_aside(struct slg_shard *shard, struct slg_error *reterr)
{
    struct slg_shard_read *read;
    size_t count = 0;
    enum slg_status status = slg_shard_read_begin(shard, &read, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_each_aside(read, count_one, &count);
    slg_shard_read_end(read);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "notes of shard \"%s\" cannot be read",
                          slg_shard_name_of(&shard->manifest.shard).text);
    atomic_store_explicit(&shard->aside_count, count, memory_order_relaxed);
    return SLG_OK;
}

/* ---- writing ---- */

enum slg_status slg_shard_drop_aside(struct slg_kv_txn *txn,
                                     const uint8_t id_key[SLG_SHARD_ID_KEY_BYTES])
{
    uint8_t key[ASIDE_KEY_BYTES];
    enum slg_status status;

    aside_key(key, id_key);
    status = slg_kv_delete(txn, TABLE_STATE, key, sizeof(key));
    return status == SLG_NOT_FOUND ? SLG_OK
                                   : status; /* of another generation: it does not count any more */
}

static void subtract(struct slg_shard_state *state, const struct slg_batch_id *id,
                     const struct slg_summary *summary)
{
    slg_batch_set_digest_remove(&state->digest, id);
    state->entry_count -= summary->entry_count;
    state->push_count -= summary->push_count;
    state->line_bytes -= summary->line_bytes;
    state->batch_bytes -= summary->batch_bytes;
}

/* One batch out of the tables of its generation. */
static enum slg_status take_out(struct slg_shard *shard, struct slg_kv_txn *txn,
                                const struct slg_aside_order *order, int64_t now_ns,
                                struct slg_shard_state *state)
{
    struct slg_batch_id id = { .shard = shard->manifest.shard };
    uint8_t arrival[8], id_key[SLG_SHARD_ID_KEY_BYTES], key[ASIDE_KEY_BYTES], value[ASIDE_BYTES];
    struct slg_kv_bytes record;
    struct slg_summary summary;
    enum slg_status status;

    slg_bytes_put_u64be(arrival, order->arrival);
    status = slg_kv_get(txn, TABLE_SUMMARIES, arrival, sizeof(arrival), &record);
    if (status == SLG_OK)
        status = slg_summary_decode(record.at, record.len, &summary);
    if (status != SLG_OK)
        return status;
    id.incarnation = summary.incarnation;
    id.sequence = summary.sequence;
    slg_shard_id_key(id_key, &id.incarnation, id.sequence);
    if (slg_shard_id_hash(id_key) != order->id_hash)
        return SLG_NOT_FOUND;
    subtract(state, &id, &summary);
    aside_key(key, id_key);
    encode(value, &(struct slg_aside){ .reason = order->reason,
                                       .entry_count = summary.entry_count,
                                       .set_aside_ns = now_ns });
    status = slg_kv_put(txn, TABLE_STATE, SLG_KV_PUT, key, sizeof(key), value, sizeof(value));
    if (status == SLG_OK)
        status = slg_kv_delete(txn, TABLE_IDS, id_key, sizeof(id_key));
    if (status == SLG_OK)
        status = slg_shard_cut_range(txn, &id);
    if (status == SLG_OK)
        status = slg_kv_delete(txn, TABLE_SUMMARIES, arrival, sizeof(arrival));
    return status == SLG_OK ? slg_kv_delete(txn, TABLE_BATCHES, arrival, sizeof(arrival)) : status;
}

static enum slg_status take_out_of(struct slg_shard *shard, uint32_t generation_index,
                                   const struct slg_aside_order *orders, size_t count,
                                   int64_t now_ns, struct slg_error *reterr)
{
    uint8_t bytes[SLG_SHARD_STATE_BYTES];
    struct slg_shard_state state;
    struct slg_kv_txn *txn;
    bool any = false;
    enum slg_status status = slg_kv_begin_write(shard->generations[generation_index], &txn, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_load_state(txn, &state);
    for (size_t i = 0; status == SLG_OK && i < count; i++) {
        if (orders[i].generation_index != generation_index)
            continue;
        status = take_out(shard, txn, &orders[i], now_ns, &state);
        any = true;
    }
    slg_shard_state_encode(bytes, &state);
    if (status == SLG_OK && any)
        status = slg_kv_put(txn, TABLE_STATE, SLG_KV_PUT, SLG_SHARD_STATE_KEY,
                            strlen(SLG_SHARD_STATE_KEY), bytes, sizeof(bytes));
    if (status != SLG_OK || !any) {
        slg_kv_abort(txn);
        return status == SLG_OK ? SLG_OK
                                : slg_errorf(reterr, status, "a batch could not be set aside: %s",
                                             slg_status_text(status));
    }
    status = slg_kv_commit(txn, reterr);
    if (status == SLG_OK && generation_index + 1 == slg_shard_generation_count(shard))
        shard->state = state;
    return status;
}

enum slg_status slg_shard_set_aside(struct slg_shard *shard, const struct slg_aside_order *orders,
                                    size_t count, int64_t now_ns, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    SLG_ASSERT(shard->maintain);
    for (uint32_t i = 0; status == SLG_OK && i < slg_shard_generation_count(shard); i++)
        status = take_out_of(shard, i, orders, count, now_ns, reterr);
    return status == SLG_OK ? slg_shard_count_aside(shard, reterr) : status;
}
