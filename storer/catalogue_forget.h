/* storer/catalogue_forget.h - whole shards leave the catalogue and the disk.
 *
 * A shard is renamed before its files go: a crash in between leaves remains that no start takes for a shard, and that
 * the next sweep removes.
 * Owner:   the catalogue. Threads: any. */
#ifndef SLG_STORER_CATALOGUE_FORGET_H
#define SLG_STORER_CATALOGUE_FORGET_H

#include "storer/catalogue.h"

/* Forget a shard with all its files; OK, too, when it is not there. AGAIN: pinned, try later; new pins are given all the
 * same (what has expired is not asked for any more). IO: it stays. Files of it that cannot be unlinked are logged, and
 * left to the sweep. */
SLG_MUST_CHECK enum slg_status slg_catalogue_forget(struct slg_catalogue *catalogue,
                                                    const struct slg_shard_id *id,
                                                    struct slg_error *reterr);
/* Likewise, but only while it holds exactly what `expected` is the digest of. INVALID: it does not. */
SLG_MUST_CHECK enum slg_status slg_catalogue_forget_if(struct slg_catalogue *catalogue,
                                                       const struct slg_shard_id *id,
                                                       const struct slg_batch_set_digest *expected,
                                                       struct slg_error *reterr);
/* Bytes on disk of one shard, which forgetting it would free; 0: it is not there. */
uint64_t slg_catalogue_used_bytes(const struct slg_catalogue *catalogue,
                                  const struct slg_shard_id *id);
/* Remove what earlier forgets left behind. What cannot be removed is logged and stays. */
void slg_catalogue_sweep(const struct slg_catalogue *catalogue);

#endif
