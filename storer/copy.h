/* storer/copy.h - brings batches that a peer holds into this storer: FETCH, then the commit lanes as for any batch.
 *
 * Owner:   one copier belongs to one thread; what options point to is borrowed.
 * Refuses: nothing by itself: what admit.h and the lanes refuse (its window expired, damaged, no room) stays lacking. */
#ifndef SLG_STORER_COPY_H
#define SLG_STORER_COPY_H

#include "base/queue.h"
#include "storer/commit.h"
#include "storer/peer_links.h"

struct slg_copier;

struct slg_copier_options {
    struct slg_peer_links *links;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
    const struct slg_map *map;
    struct slg_queue *wake;    /* always empty; closed to stop: CANCELED */
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    void (*copied)(void *ctx, uint64_t batches, uint64_t bytes); /* after each commit; NULL: none */
    void *copied_ctx;
};
/* NULL: no memory. */
SLG_MUST_CHECK struct slg_copier *slg_copier_create(const struct slg_copier_options *options);
void slg_copier_destroy(struct slg_copier *copier); /* NULL is fine */

/* Fetch from this node what it has of `wanted`, in pieces of some MB, until deadline_mono_ns. `wanted` shrinks by what
 * is on disk here afterwards. OK: the peer has no more of it, though something may be left; TIMEOUT, UNAVAILABLE (the
 * peer does not answer), CANCELED, LIMIT or IO (this storer takes no more now). */
SLG_MUST_CHECK enum slg_status slg_copier_run(struct slg_copier *copier,
                                              const struct slg_shard_id *shard, size_t node_index,
                                              struct slg_batch_set *wanted,
                                              int64_t deadline_mono_ns, struct slg_error *reterr);
/* wanted -= what this storer holds. */
SLG_MUST_CHECK enum slg_status slg_copier_still_wanted(struct slg_copier *copier,
                                                       const struct slg_shard_id *shard,
                                                       struct slg_batch_set *wanted,
                                                       struct slg_error *reterr);

#endif
