#include "storer/fetch.h"

#include "proto/limits.h"
#include "storer/catalogue_damage.h"

/* Room for the envelope of the reply and the lengths of its batches. */
#define REPLY_BYTES_MAX ((uint64_t)SLG_MESSAGE_BYTES_MAX - 65536)
#define BATCH_COUNT_MAX ((size_t)4096)

struct picked {
    struct slg_text batches[BATCH_COUNT_MAX];
    size_t count;
    uint64_t bytes;
    uint64_t bytes_max;
    bool more;
    bool
        damaged; /* a batch was left out, for its bytes fail their checksum: nobody else shall store it */
};

/* Add the batch if it is held and fits. OK; or why the shard cannot be read. */
static enum slg_status pick(struct slg_shard_read *read, const struct slg_incarnation *incarnation,
                            uint64_t sequence, struct picked *picked)
{
    struct slg_kv_bytes bytes;
    enum slg_status status = slg_shard_read_by_id(read, incarnation, sequence, &bytes);

    if (status == SLG_NOT_FOUND)
        return SLG_OK;
    if (status != SLG_OK)
        return status;
    if (!slg_batch_checksum_fits(bytes.at, bytes.len)) {
        picked->damaged = true;
        return SLG_OK;
    }
    if (picked->count == BATCH_COUNT_MAX ||
        (picked->count > 0 && bytes.len > picked->bytes_max - picked->bytes)) {
        picked->more = true;
        return SLG_OK;
    }
    picked->batches[picked->count++] = slg_text_make((const char *)bytes.at, bytes.len);
    picked->bytes += bytes.len;
    if (picked->bytes > picked->bytes_max) /* the first one alone */
        picked->bytes_max = picked->bytes;
    return SLG_OK;
}

/* Of the wanted batches those that are held: few look-ups though a range may be wide. */
static enum slg_status pick_held(struct slg_shard_read *read, struct slg_batch_set *wanted,
                                 struct picked *picked)
{
    struct slg_batch_set *held = slg_batch_set_create();
    enum slg_status status = held == NULL ? SLG_NO_MEMORY : slg_shard_read_set(read, held);

    if (status == SLG_OK)
        status = slg_batch_set_intersect(wanted, held);
    slg_batch_set_destroy(held);
    for (size_t i = 0; status == SLG_OK && i < slg_batch_set_range_count(wanted) && !picked->more;
         i++) {
        struct slg_batch_range range = slg_batch_set_range(wanted, i);

        for (uint64_t sequence = range.first;
             status == SLG_OK && sequence <= range.last && !picked->more; sequence++)
            status = pick(read, &range.incarnation, sequence, picked);
    }
    return status;
}

static enum slg_status answer_from(struct slg_shard *shard, struct slg_batch_set *wanted,
                                   struct picked *picked, struct slg_buf *out,
                                   struct slg_error *reterr)
{
    struct slg_rpc_fetch_reply reply = { .batches = picked->batches };
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_read_begin(shard, &read, reterr);

    if (status != SLG_OK)
        return status;
    status = pick_held(read, wanted, picked);
    reply.batch_count = picked->count;
    reply.more = picked->more;
    if (status == SLG_OK)
        slg_rpc_encode_fetch_reply(out, &reply); /* the bytes are the transaction's */
    slg_shard_read_end(read);
    return status == SLG_OK ? SLG_OK : slg_errorf(reterr, status, "the shard cannot be read");
}

enum slg_status slg_fetch_answer(struct slg_catalogue *catalogue,
                                 const struct slg_rpc_fetch *request, int64_t cutoff_ns,
                                 struct slg_arena *arena, struct slg_buf *out,
                                 struct slg_error *reterr)
{
    struct slg_cursor c = slg_cursor_make(request->set.at, request->set.len);
    struct picked *picked = slg_arena_calloc(arena, 1, sizeof(*picked));
    struct slg_batch_set *wanted;
    struct slg_shard *shard;
    enum slg_status status;

    if (picked == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a fetch");
    picked->bytes_max = request->bytes_max < REPLY_BYTES_MAX ? request->bytes_max : REPLY_BYTES_MAX;
    status = slg_batch_set_decode(&c, &wanted);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the wanted set cannot be read");
    if (slg_cursor_left(&c) > 0)
        status = slg_errorf(reterr, SLG_MALFORMED, "the wanted set has bytes too many");
    if (status == SLG_OK)
        status = request->shard.window_ns + request->shard.length_ns <= cutoff_ns
                     ? SLG_NOT_FOUND
                     : slg_catalogue_pin(catalogue, &request->shard, /* create= */ false, &shard,
                                         reterr);
    if (status == SLG_OK) {
        status = answer_from(shard, wanted, picked, out, reterr);
        slg_catalogue_unpin(catalogue, shard);
        if (status == SLG_CORRUPT || picked->damaged)
            slg_catalogue_report(catalogue, &request->shard);
    } else if (status == SLG_NOT_FOUND) {
        slg_rpc_encode_fetch_reply(out, &(struct slg_rpc_fetch_reply){ .batch_count = 0 });
        status = SLG_OK;
    }
    slg_batch_set_destroy(wanted);
    return status;
}
