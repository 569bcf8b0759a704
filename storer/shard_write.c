/* Writing a shard: batches with their ids, summaries and streams, in one transaction of the newest generation. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "storer/shard_private.h"

enum slg_status slg_shard_write_begin(struct slg_shard *shard, struct slg_shard_write **ret_write,
                                      struct slg_error *reterr)
{
    size_t count = slg_shard_generation_count(shard);
    struct slg_shard_write *write;
    enum slg_status status = SLG_OK;

    SLG_ASSERT(!shard->read_only);
    if (slg_shard_suspect(shard))
        return slg_error_hintf(reterr, SLG_UNAVAILABLE, "check the disk",
                               "shard \"%s\" is read-only: a commit failed and it was not yet "
                               "compared with its peers",
                               slg_shard_name_of(&shard->manifest.shard).text);
    if (count == 0) {
        status = slg_shard_roll(shard, reterr);
        if (status != SLG_OK)
            return status;
        count = 1;
    }
    if (shard->stream_numbers == NULL) {
        shard->stream_numbers = calloc(SLG_BATCH_STREAM_COUNT_MAX, sizeof(uint32_t));
        if (shard->stream_numbers == NULL)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for stream numbers");
    }
    write = calloc(1, sizeof(*write));
    if (write == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a write");
    write->shard = shard;
    write->state = shard->state;
    if (count > 1)
        status = slg_shard_begin_reads(shard, count - 1, &write->older, reterr);
    if (status == SLG_OK)
        status = slg_kv_begin_write(shard->generations[count - 1], &write->txn, reterr);
    if (status != SLG_OK) {
        slg_shard_write_abort(write);
        return status;
    }
    *ret_write = write;
    return SLG_OK;
}

static void free_write(struct slg_shard_write *write)
{
    slg_shard_read_end(write->older);
    free(write);
}

void slg_shard_write_abort(struct slg_shard_write *write)
{
    if (write == NULL)
        return;
    slg_kv_abort(write->txn);
    free_write(write);
}

enum slg_status slg_shard_write_commit(struct slg_shard_write *write, struct slg_error *reterr)
{
    uint8_t record[SLG_SHARD_STATE_BYTES];
    enum slg_status status;

    slg_shard_state_encode(record, &write->state);
    status = slg_kv_put(write->txn, TABLE_STATE, SLG_KV_PUT, SLG_SHARD_STATE_KEY,
                        strlen(SLG_SHARD_STATE_KEY), record, sizeof(record));
    if (status != SLG_OK) {
        slg_shard_write_abort(write);
        return slg_errorf(reterr, status, "could not write the totals");
    }
    status = slg_kv_commit(write->txn, reterr);
    if (status == SLG_OK) {
        write->shard->state = write->state;
        /* A count that fails leaves the old one: more doubt than there need be. */
        if (write->brings_back && slg_shard_count_aside(write->shard, NULL) != SLG_OK)
            slg_log_debug("batches set aside could not be counted");
    }
    free_write(write);
    return status;
}

/* OK with *ret_put, or NOT_FOUND: the batch is new. */
static enum slg_status find_id(struct slg_shard_write *write,
                               const uint8_t key[SLG_SHARD_ID_KEY_BYTES], uint64_t content_hash,
                               enum slg_shard_put *ret_put)
{
    struct slg_kv_bytes value;
    enum slg_status status = slg_kv_get(write->txn, TABLE_IDS, key, SLG_SHARD_ID_KEY_BYTES, &value);

    for (size_t i = 0; write->older != NULL && status == SLG_NOT_FOUND && i < write->older->count;
         i++)
        status = slg_kv_get(write->older->txns[i], TABLE_IDS, key, SLG_SHARD_ID_KEY_BYTES, &value);
    if (status != SLG_OK)
        return status;
    if (value.len != 16)
        return SLG_CORRUPT;
    *ret_put = slg_bytes_get_u64be(value.at + 8) == content_hash ? SLG_SHARD_PUT_DUPLICATE
                                                                 : SLG_SHARD_PUT_CONTENT;
    return SLG_OK;
}

/* Number of a stream of this generation, UINT32_MAX for one that is new. INVALID: H19. */
static enum slg_status find_stream(struct slg_shard_write *write,
                                   const struct slg_batch_header *header,
                                   const struct slg_batch_stream *stream, uint32_t *ret_number)
{
    const struct slg_shard_id *shard = &write->shard->manifest.shard;
    struct slg_shard_stream known;
    struct slg_kv_bytes record;
    enum slg_status status =
        slg_kv_get(write->txn, TABLE_STREAMS, stream->id.bytes, sizeof(stream->id.bytes), &record);

    if (status == SLG_OK) {
        if (!slg_shard_stream_decode(record, &known))
            return SLG_CORRUPT;
        if (!slg_text_equal(known.tenant, header->tenant) ||
            !slg_text_equal(known.canonical,
                            slg_text_make(stream->canonical, stream->canonical_len)))
            return SLG_INVALID;
        *ret_number = known.number;
        return SLG_OK;
    }
    if (status == SLG_NOT_FOUND) {
        struct slg_stream_id id =
            slg_stream_id_of(header->tenant, stream->canonical, stream->canonical_len);

        if (!slg_stream_id_equal(&id, &stream->id) ||
            slg_stream_slot(&id, shard->slot_count) != shard->slot)
            return SLG_INVALID;
        *ret_number = UINT32_MAX;
        return SLG_OK;
    }
    return status;
}

static enum slg_status find_streams(struct slg_shard_write *write,
                                    const struct slg_batch_header *header)
{
    enum slg_status status = SLG_OK;

    for (uint32_t i = 0; status == SLG_OK && i < header->stream_count; i++)
        status = find_stream(write, header, &header->streams[i], &write->shard->stream_numbers[i]);
    return status;
}

static enum slg_status put_new_streams(struct slg_shard_write *write,
                                       const struct slg_batch_header *header)
{
    struct slg_buf *scratch = &write->shard->scratch;
    uint32_t *numbers = write->shard->stream_numbers;
    enum slg_status status = SLG_OK;

    for (uint32_t i = 0; status == SLG_OK && i < header->stream_count; i++) {
        const struct slg_batch_stream *stream = &header->streams[i];

        if (numbers[i] != UINT32_MAX)
            continue;
        if (write->state.stream_count >= UINT32_MAX)
            return SLG_LIMIT; /* a new generation counts anew */
        numbers[i] = (uint32_t)write->state.stream_count++;
        slg_buf_clear(scratch);
        slg_buf_append_u32be(scratch, numbers[i]);
        slg_buf_append_byte(scratch, (uint8_t)header->tenant.len);
        slg_buf_append(scratch, header->tenant.at, header->tenant.len);
        slg_buf_append(scratch, stream->canonical, stream->canonical_len);
        if (slg_buf_failed(scratch))
            return SLG_NO_MEMORY;
        status = slg_kv_put(write->txn, TABLE_STREAMS, SLG_KV_PUT, stream->id.bytes,
                            sizeof(stream->id.bytes), scratch->data, scratch->len);
    }
    return status;
}

/* A range of ids as it stands in the table; last 0 = there is none. */
struct range {
    uint64_t first;
    uint64_t last;
};

static enum slg_status take_range(enum slg_status status, struct slg_kv_bytes key,
                                  struct slg_kv_bytes value,
                                  const struct slg_incarnation *incarnation,
                                  struct range *ret_range)
{
    if (status == SLG_NOT_FOUND)
        return SLG_OK;
    if (status != SLG_OK)
        return status;
    if (key.len != SLG_SHARD_ID_KEY_BYTES || value.len != 8)
        return SLG_CORRUPT;
    if (memcmp(key.at, incarnation->bytes, SLG_INCARNATION_BYTES) == 0)
        *ret_range = (struct range){ .first = slg_bytes_get_u64be(key.at + SLG_INCARNATION_BYTES),
                                     .last = slg_bytes_get_u64be(value.at) };
    return SLG_OK;
}

/* The ranges of this incarnation on both sides of sequence. */
static enum slg_status find_ranges(struct slg_kv_txn *txn, const struct slg_batch_id *id,
                                   struct range *ret_before, struct range *ret_after)
{
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    uint8_t wanted[SLG_SHARD_ID_KEY_BYTES];
    enum slg_status found;
    enum slg_status status = slg_kv_cursor_open(txn, TABLE_RANGES, &cursor);

    if (status != SLG_OK)
        return status;
    slg_shard_id_key(wanted, &id->incarnation, id->sequence);
    found = slg_kv_cursor_seek(cursor, wanted, sizeof(wanted), &key, &value);
    status = take_range(found, key, value, &id->incarnation, ret_after);
    if (status == SLG_OK) {
        found = found == SLG_OK ? slg_kv_cursor_previous(cursor, &key, &value)
                                : slg_kv_cursor_last(cursor, &key, &value);
        status = take_range(found, key, value, &id->incarnation, ret_before);
    }
    slg_kv_cursor_close(cursor);
    return status;
}

static enum slg_status write_range(struct slg_kv_txn *txn,
                                   const struct slg_incarnation *incarnation, struct range range)
{
    uint8_t key[SLG_SHARD_ID_KEY_BYTES], value[8];

    slg_shard_id_key(key, incarnation, range.first);
    slg_bytes_put_u64be(value, range.last);
    return slg_kv_put(txn, TABLE_RANGES, SLG_KV_PUT, key, sizeof(key), value, sizeof(value));
}

enum slg_status slg_shard_put_range(struct slg_kv_txn *txn, const struct slg_batch_id *id)
{
    struct range before = { 0, 0 }, after = { 0, 0 };
    struct range joined = { .first = id->sequence, .last = id->sequence };
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];
    enum slg_status status = find_ranges(txn, id, &before, &after);

    if (status != SLG_OK)
        return status;
    if (after.last != 0 && after.first == id->sequence + 1) {
        joined.last = after.last;
        slg_shard_id_key(key, &id->incarnation, after.first);
        status = slg_kv_delete(txn, TABLE_RANGES, key, sizeof(key));
        if (status != SLG_OK)
            return status;
    }
    if (before.last != 0 && before.last == id->sequence - 1)
        joined.first = before.first;
    return write_range(txn, &id->incarnation, joined);
}

enum slg_status slg_shard_cut_range(struct slg_kv_txn *txn, const struct slg_batch_id *id)
{
    struct range before = { 0, 0 }, after = { 0, 0 }, whole;
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];
    enum slg_status status = find_ranges(txn, id, &before, &after);

    if (status != SLG_OK)
        return status;
    whole = after.last != 0 && after.first == id->sequence ? after : before;
    if (whole.last == 0 || whole.first > id->sequence || whole.last < id->sequence)
        return SLG_CORRUPT; /* an id without its range */
    slg_shard_id_key(key, &id->incarnation, whole.first);
    status = slg_kv_delete(txn, TABLE_RANGES, key, sizeof(key));
    if (status == SLG_OK && whole.first < id->sequence)
        status =
            write_range(txn, &id->incarnation, (struct range){ whole.first, id->sequence - 1 });
    if (status == SLG_OK && whole.last > id->sequence)
        status = write_range(txn, &id->incarnation, (struct range){ id->sequence + 1, whole.last });
    return status;
}

static void add_to_state(struct slg_shard_state *state, const struct slg_batch_header *header,
                         size_t batch_bytes)
{
    slg_batch_set_digest_add(&state->digest, &header->id);
    state->entry_count += header->entry_count;
    state->push_count += header->push_count;
    state->line_bytes += header->line_bytes;
    state->batch_bytes += batch_bytes;
    if (header->ts_min_ns < state->ts_min_ns)
        state->ts_min_ns = header->ts_min_ns;
    if (header->ts_max_ns > state->ts_max_ns)
        state->ts_max_ns = header->ts_max_ns;
    state->last_arrival++;
}

static enum slg_status put_records(struct slg_shard_write *write,
                                   const struct slg_batch_header *header,
                                   const uint8_t id_key[SLG_SHARD_ID_KEY_BYTES],
                                   const uint8_t *bytes, size_t len)
{
    struct slg_buf *scratch = &write->shard->scratch;
    uint8_t arrival[8], id_value[16];
    enum slg_status status = put_new_streams(write, header);

    if (status != SLG_OK)
        return status;
    slg_buf_clear(scratch);
    slg_summary_encode(scratch, header, len, write->shard->stream_numbers);
    if (slg_buf_failed(scratch))
        return SLG_NO_MEMORY;
    add_to_state(&write->state, header, len);
    slg_bytes_put_u64be(arrival, write->state.last_arrival);
    slg_bytes_put_u64be(id_value, write->state.last_arrival);
    slg_bytes_put_u64be(id_value + 8, header->content_hash);
    status =
        slg_kv_put(write->txn, TABLE_BATCHES, SLG_KV_APPEND, arrival, sizeof(arrival), bytes, len);
    if (status == SLG_OK)
        status = slg_kv_put(write->txn, TABLE_SUMMARIES, SLG_KV_APPEND, arrival, sizeof(arrival),
                            scratch->data, scratch->len);
    if (status == SLG_OK)
        status = slg_kv_put(write->txn, TABLE_IDS, SLG_KV_PUT, id_key, SLG_SHARD_ID_KEY_BYTES,
                            id_value, sizeof(id_value));
    if (status == SLG_OK && slg_shard_aside_count(write->shard) > 0) {
        write->brings_back = true; /* perhaps: it is counted after the commit */
        status = slg_shard_drop_aside(write->txn, id_key);
    }
    return status == SLG_OK ? slg_shard_put_range(write->txn, &header->id) : status;
}

enum slg_status slg_shard_write_put(struct slg_shard_write *write,
                                    const struct slg_batch_header *header, const uint8_t *bytes,
                                    size_t len, enum slg_shard_put *ret_put)
{
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];
    enum slg_status status;

    SLG_ASSERT(slg_shard_id_compare(&header->id.shard, &write->shard->manifest.shard) == 0);
    SLG_ASSERT(header->stream_count <= SLG_BATCH_STREAM_COUNT_MAX);
    slg_shard_id_key(key, &header->id.incarnation, header->id.sequence);
    status = find_id(write, key, header->content_hash, ret_put);
    if (status != SLG_NOT_FOUND)
        return status;
    status = find_streams(write, header);
    if (status == SLG_INVALID) {
        *ret_put = SLG_SHARD_PUT_STREAM;
        return SLG_OK;
    }
    if (status == SLG_OK)
        status = put_records(write, header, key, bytes, len);
    if (status == SLG_OK)
        *ret_put = SLG_SHARD_PUT_NEW;
    return status;
}
