/* storer/shard_private.h - inside of a shard, for shard.c (opening), shard_read.c and shard_write.c.
 *
 * Threads: see the table in shard.c. */
#ifndef SLG_STORER_SHARD_PRIVATE_H
#define SLG_STORER_SHARD_PRIVATE_H

#include <stdatomic.h>

#include "storer/disk.h"
#include "storer/shard_record.h"

enum table {
    TABLE_BATCHES,   /* arrival -> encoded batch */
    TABLE_IDS,       /* incarnation, sequence -> arrival, content hash */
    TABLE_RANGES,    /* incarnation, first -> last: the set of ids */
    TABLE_SUMMARIES, /* arrival -> summary */
    TABLE_STREAMS,   /* stream id -> number, tenant, canonical bytes */
    TABLE_STATE,     /* one record: totals */
    TABLE_COUNT,
};

struct slg_shard {
    struct slg_disk_path directory;
    struct slg_manifest manifest;
    size_t map_bytes;
    struct slg_kv_faults *faults;
    bool read_only;
    bool maintain;
    struct slg_shard_state state; /* of the last generation, as committed */
    atomic_bool suspect;
    atomic_bool refilling;
    atomic_size_t aside_count;
    atomic_size_t generation_count;
    struct slg_kv *generations[SLG_MANIFEST_GENERATION_COUNT_MAX];
    uint32_t *stream_numbers; /* scratch of one put; NULL until the first write */
    struct slg_buf scratch;   /* summary or stream record of one put */
};

struct slg_shard_write {
    struct slg_shard *shard;
    struct slg_kv_txn *txn;
    struct slg_shard_state state;
    struct slg_shard_read *older; /* closed generations, to find duplicates; NULL: there are none */
    bool brings_back;             /* a batch that was set aside */
};

/* Ranges of ids, kept joined. */
SLG_MUST_CHECK enum slg_status slg_shard_put_range(struct slg_kv_txn *txn,
                                                   const struct slg_batch_id *id);
SLG_MUST_CHECK enum slg_status slg_shard_cut_range(struct slg_kv_txn *txn,
                                                   const struct slg_batch_id *id);

typedef enum slg_status slg_shard_visit_row(void *ctx, uint32_t generation_index,
                                            struct slg_kv_bytes key, struct slg_kv_bytes value);
/* Every row of a table, generation after generation. What visit returns but OK ends the walk and is returned, NOT_FOUND
 * included. */
SLG_MUST_CHECK enum slg_status slg_shard_each_row(const struct slg_shard_read *read,
                                                  enum table table, slg_shard_visit_row *visit,
                                                  void *ctx);

/* Count the batches that are set aside and not back. */
SLG_MUST_CHECK enum slg_status slg_shard_count_aside(struct slg_shard *shard,
                                                     struct slg_error *reterr);
/* Is the batch of this id set aside in the generation that takes writes? Then take the note away: it is back. */
SLG_MUST_CHECK enum slg_status slg_shard_drop_aside(struct slg_kv_txn *txn,
                                                    const uint8_t id_key[SLG_SHARD_ID_KEY_BYTES]);

struct slg_shard_read {
    struct slg_shard *shard;
    size_t count;
    struct slg_kv_txn *txns[SLG_MANIFEST_GENERATION_COUNT_MAX];
};

/* A generation without a record holds nothing yet. */
SLG_MUST_CHECK enum slg_status slg_shard_load_state(struct slg_kv_txn *txn,
                                                    struct slg_shard_state *ret_state);

/* Read the first count generations. */
SLG_MUST_CHECK enum slg_status slg_shard_begin_reads(struct slg_shard *shard, size_t count,
                                                     struct slg_shard_read **ret_read,
                                                     struct slg_error *reterr);

#endif
