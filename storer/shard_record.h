/* storer/shard_record.h - keys and records of a shard's tables (docs/FORMATS.md section 3).
 *
 * Refuses: a record of another length or with a wrong checksum (CORRUPT), of another version (UNSUPPORTED).
 * Threads: pure. */
#ifndef SLG_STORER_SHARD_RECORD_H
#define SLG_STORER_SHARD_RECORD_H

#include "base/bytes.h"
#include "storer/shard.h"

#define SLG_SHARD_ID_KEY_BYTES ((size_t)(SLG_INCARNATION_BYTES + 8)) /* of ids and ranges */
#define SLG_SHARD_STATE_KEY    "state"
#define SLG_SHARD_STATE_BYTES  ((size_t)105)

/* Totals of one generation, stored in the transaction that changes them. */
struct slg_shard_state {
    struct slg_batch_set_digest digest;
    uint64_t entry_count;
    uint64_t push_count;
    uint64_t line_bytes;
    uint64_t batch_bytes;
    int64_t ts_min_ns;
    int64_t ts_max_ns;
    uint64_t stream_count; /* next stream number */
    uint64_t last_arrival; /* of the newest batch; 0: none */
};
/* Of a generation without a batch. */
extern const struct slg_shard_state slg_shard_state_empty;

void slg_shard_id_key(uint8_t key[SLG_SHARD_ID_KEY_BYTES],
                      const struct slg_incarnation *incarnation, uint64_t sequence);

void slg_shard_state_encode(uint8_t bytes[SLG_SHARD_STATE_BYTES],
                            const struct slg_shard_state *state);
SLG_MUST_CHECK enum slg_status slg_shard_state_decode(struct slg_kv_bytes record,
                                                      struct slg_shard_state *ret_state);

/* Record of a stream: number u32, tenant length u8, tenant, canonical bytes; the texts borrow from record. False:
 * it is cut. stream->id and generation_index are not touched. */
SLG_MUST_CHECK bool slg_shard_stream_decode(struct slg_kv_bytes record,
                                            struct slg_shard_stream *stream);

#endif
