/* Reading a shard: totals, the set of ids, batches, summaries and streams, from one transaction for each generation. */
#include <stdlib.h>
#include <string.h>

#include "storer/shard_private.h"

enum slg_status slg_shard_load_state(struct slg_kv_txn *txn, struct slg_shard_state *ret_state)
{
    struct slg_kv_bytes record;
    enum slg_status status =
        slg_kv_get(txn, TABLE_STATE, SLG_SHARD_STATE_KEY, strlen(SLG_SHARD_STATE_KEY), &record);

    if (status == SLG_NOT_FOUND) {
        *ret_state = slg_shard_state_empty;
        return SLG_OK;
    }
    return status == SLG_OK ? slg_shard_state_decode(record, ret_state) : status;
}

enum slg_status slg_shard_begin_reads(struct slg_shard *shard, size_t count,
                                      struct slg_shard_read **ret_read, struct slg_error *reterr)
{
    struct slg_shard_read *read = calloc(1, sizeof(*read));
    enum slg_status status = SLG_OK;

    if (read == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a read");
    read->shard = shard;
    for (; status == SLG_OK && read->count < count; read->count += status == SLG_OK)
        status =
            slg_kv_begin_read(shard->generations[read->count], &read->txns[read->count], reterr);
    if (status != SLG_OK) {
        slg_shard_read_end(read);
        return status;
    }
    *ret_read = read;
    return SLG_OK;
}

enum slg_status slg_shard_read_begin(struct slg_shard *shard, struct slg_shard_read **ret_read,
                                     struct slg_error *reterr)
{
    return slg_shard_begin_reads(shard, slg_shard_generation_count(shard), ret_read, reterr);
}

void slg_shard_read_end(struct slg_shard_read *read)
{
    if (read == NULL)
        return;
    for (size_t i = 0; i < read->count; i++)
        slg_kv_abort(read->txns[i]);
    free(read);
}

enum slg_status slg_shard_read_totals(struct slg_shard_read *read,
                                      struct slg_shard_totals *ret_totals)
{
    struct slg_shard_totals totals = { .ts_min_ns = INT64_MAX,
                                       .ts_max_ns = INT64_MIN,
                                       .generation_count = read->count };

    for (size_t i = 0; i < read->count; i++) {
        struct slg_shard_state state;
        enum slg_status status = slg_shard_load_state(read->txns[i], &state);
        uint64_t low;

        if (status != SLG_OK)
            return status;
        low = totals.digest.sum.low + state.digest.sum.low;
        totals.digest.sum.high +=
            state.digest.sum.high + (low < state.digest.sum.low ? 1 : 0); /* mod 2^128 */
        totals.digest.sum.low = low;
        totals.digest.count += state.digest.count;
        totals.entry_count += state.entry_count;
        totals.push_count += state.push_count;
        totals.line_bytes += state.line_bytes;
        totals.batch_bytes += state.batch_bytes;
        totals.stream_count += state.stream_count;
        if (state.ts_min_ns < totals.ts_min_ns)
            totals.ts_min_ns = state.ts_min_ns;
        if (state.ts_max_ns > totals.ts_max_ns)
            totals.ts_max_ns = state.ts_max_ns;
        totals.file_bytes += slg_kv_bytes(read->shard->generations[i]);
    }
    totals.doubt = slg_shard_doubt(read->shard);
    totals.aside_count = slg_shard_aside_count(read->shard);
    *ret_totals = totals;
    return SLG_OK;
}

enum slg_status slg_shard_each_row(const struct slg_shard_read *read, enum table table,
                                   slg_shard_visit_row *visit, void *ctx)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; status == SLG_OK && i < read->count; i++) {
        struct slg_kv_cursor *cursor;
        struct slg_kv_bytes key, value;
        enum slg_status found = slg_kv_cursor_open(read->txns[i], table, &cursor);

        if (found != SLG_OK)
            return found;
        found = slg_kv_cursor_seek(cursor, NULL, 0, &key, &value);
        while (found == SLG_OK && status == SLG_OK) {
            status = visit(ctx, (uint32_t)i, key, value);
            if (status == SLG_OK)
                found = slg_kv_cursor_next(cursor, &key, &value);
        }
        slg_kv_cursor_close(cursor);
        if (status == SLG_OK && found != SLG_NOT_FOUND)
            status = found;
    }
    return status;
}

static enum slg_status add_row_to_set(void *ctx, uint32_t generation_index, struct slg_kv_bytes key,
                                      struct slg_kv_bytes value)
{
    struct slg_incarnation incarnation;

    (void)generation_index; /* one set of all */
    if (key.len != SLG_SHARD_ID_KEY_BYTES || value.len != 8)
        return SLG_CORRUPT;
    memcpy(incarnation.bytes, key.at, SLG_INCARNATION_BYTES);
    return slg_batch_set_add_range(ctx, &incarnation,
                                   slg_bytes_get_u64be(key.at + SLG_INCARNATION_BYTES),
                                   slg_bytes_get_u64be(value.at));
}

enum slg_status slg_shard_read_set(struct slg_shard_read *read, struct slg_batch_set *set)
{
    return slg_shard_each_row(read, TABLE_RANGES, add_row_to_set, set);
}

enum slg_status slg_shard_read_batch(struct slg_shard_read *read, const struct slg_batch_ref *ref,
                                     struct slg_kv_bytes *ret_bytes)
{
    uint8_t key[8];

    if (ref->generation_index >= read->count)
        return SLG_NOT_FOUND;
    slg_bytes_put_u64be(key, ref->arrival);
    return slg_kv_get(read->txns[ref->generation_index], TABLE_BATCHES, key, sizeof(key),
                      ret_bytes);
}

enum slg_status slg_shard_read_by_id(struct slg_shard_read *read,
                                     const struct slg_incarnation *incarnation, uint64_t sequence,
                                     struct slg_kv_bytes *ret_bytes)
{
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];

    slg_shard_id_key(key, incarnation, sequence);
    for (size_t i = 0; i < read->count; i++) {
        struct slg_kv_bytes value;
        enum slg_status status = slg_kv_get(read->txns[i], TABLE_IDS, key, sizeof(key), &value);

        if (status == SLG_OK && value.len != 16)
            return SLG_CORRUPT;
        if (status == SLG_OK) /* the value begins with the key of the batch: its arrival */
            return slg_kv_get(read->txns[i], TABLE_BATCHES, value.at, 8, ret_bytes);
        if (status != SLG_NOT_FOUND)
            return status;
    }
    return SLG_NOT_FOUND;
}

bool slg_shard_read_holds(struct slg_shard_read *read, const struct slg_batch_id *id,
                          uint64_t content_hash)
{
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];

    slg_shard_id_key(key, &id->incarnation, id->sequence);
    for (size_t i = 0; i < read->count; i++) {
        struct slg_kv_bytes value;

        if (slg_kv_get(read->txns[i], TABLE_IDS, key, sizeof(key), &value) == SLG_OK)
            return value.len == 16 && slg_bytes_get_u64be(value.at + 8) == content_hash;
    }
    return false;
}

/* A visitor of decoded rows, wrapped for slg_shard_each_row. */
struct summary_walk {
    slg_shard_visit_summary *visit;
    void *ctx;
};

static enum slg_status visit_summary_row(void *ctx, uint32_t generation_index,
                                         struct slg_kv_bytes key, struct slg_kv_bytes value)
{
    const struct summary_walk *walk = ctx;
    struct slg_batch_ref ref = { .generation_index = generation_index };
    struct slg_summary summary;
    enum slg_status status =
        key.len == 8 ? slg_summary_decode(value.at, value.len, &summary) : SLG_CORRUPT;

    if (status != SLG_OK)
        return status;
    ref.arrival = slg_bytes_get_u64be(key.at);
    return walk->visit(walk->ctx, &ref, &summary);
}

enum slg_status slg_shard_each_summary(struct slg_shard_read *read, slg_shard_visit_summary *visit,
                                       void *ctx)
{
    struct summary_walk walk = { .visit = visit, .ctx = ctx };

    return slg_shard_each_row(read, TABLE_SUMMARIES, visit_summary_row, &walk);
}

struct stream_walk {
    slg_shard_visit_stream *visit;
    void *ctx;
};

static enum slg_status visit_stream_row(void *ctx, uint32_t generation_index,
                                        struct slg_kv_bytes key, struct slg_kv_bytes value)
{
    const struct stream_walk *walk = ctx;
    struct slg_shard_stream stream = { .generation_index = generation_index };

    if (key.len != sizeof(stream.id.bytes) || !slg_shard_stream_decode(value, &stream))
        return SLG_CORRUPT;
    memcpy(stream.id.bytes, key.at, sizeof(stream.id.bytes));
    return walk->visit(walk->ctx, &stream);
}

enum slg_status slg_shard_each_stream(struct slg_shard_read *read, slg_shard_visit_stream *visit,
                                      void *ctx)
{
    struct stream_walk walk = { .visit = visit, .ctx = ctx };

    return slg_shard_each_row(read, TABLE_STREAMS, visit_stream_row, &walk);
}
