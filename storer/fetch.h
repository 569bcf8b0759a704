/* storer/fetch.h - the answer to FETCH: batches by their ids, as they lie on disk.
 *
 * Form:    proto/rpc.h. Batches come in order of their ids until bytes_max, or a message, is full; `more` tells that
 *          wanted batches are held which did not fit. What is not held is left out without a word.
 * Owner:   everything is borrowed. Threads: any, with its own arena.
 * Refuses: a set that cannot be read (MALFORMED), a damaged shard (CORRUPT, IO). A shard that is not here is no error:
 *          no batches. */
#ifndef SLG_STORER_FETCH_H
#define SLG_STORER_FETCH_H

#include "proto/rpc.h"
#include "storer/catalogue.h"

/* Append the whole reply to out. Shards whose window ended before cutoff_ns are not served (H10). */
SLG_MUST_CHECK enum slg_status slg_fetch_answer(struct slg_catalogue *catalogue,
                                                const struct slg_rpc_fetch *request,
                                                int64_t cutoff_ns, struct slg_arena *arena,
                                                struct slg_buf *out, struct slg_error *reterr);

#endif
