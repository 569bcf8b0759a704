/* storer/salvage.h - finds sound batches in the files of a quarantined copy, whatever became of their tables.
 *
 * A batch says itself who it is and ends in a checksum, so the files are searched for their bytes; LMDB is not asked.
 * What a freed page still holds is found, too: it was stored once, and is one batch with its other copies.
 * Owner:   nothing is held between calls. Threads: any.
 * Refuses: batches of other shards, bytes that fail their checksum. */
#ifndef SLG_STORER_SALVAGE_H
#define SLG_STORER_SALVAGE_H

#include "proto/batch_set.h"

struct slg_salvage {
    const char *directory; /* of the copy */
    struct slg_shard_id shard;
    /* A batch, borrowed for the call; what it returns but OK ends the search and is returned. */
    enum slg_status (*store)(void *ctx, const uint8_t *bytes, size_t len);
    /* So many bytes were read: wait for the throttle. False: stop (CANCELED). */
    bool (*pay)(void *ctx, uint64_t bytes);
    void *ctx;
};
struct slg_salvage_result {
    uint64_t batches; /* given to store, each counted once */
    bool
        whole; /* they are all that the copy held, by its manifest and totals, and it vouched for the shard */
};
SLG_MUST_CHECK enum slg_status slg_salvage_run(const struct slg_salvage *salvage,
                                               struct slg_salvage_result *ret_result,
                                               struct slg_error *reterr);

#endif
