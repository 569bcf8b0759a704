/* ingester/forward_pool.h - the batch objects of a forwarder: they bound its memory.
 *
 * A batch costs as many objects as its bytes fill of SLG_FORWARD_TOKEN_BYTES. A few objects keep their buffers and are
 * taken first, so that steady traffic allocates nothing; a few are reserved for entries that tell of losses.
 * Owner:   embedded in the forwarder. An object belongs to whoever took it until it is given back.
 * Threads: init and fini by one thread, everything else by any. */
#ifndef SLG_INGESTER_FORWARD_POOL_H
#define SLG_INGESTER_FORWARD_POOL_H

#include "base/queue.h"
#include "ingester/forward.h"

struct slg_forward_pool {
    struct slg_forward_batch *objects; /* all of them, the reserved ones last */
    size_t object_count;
    struct slg_queue *warm; /* those with a buffer */
    struct slg_queue *cold;
    struct slg_queue *reserved;
};

/* Objects for this much memory, each with this event. NO_MEMORY: to be finished all the same. */
SLG_MUST_CHECK enum slg_status slg_forward_pool_init(struct slg_forward_pool *pool,
                                                     size_t memory_bytes_max, int event);
/* Nothing may wait for an object. Zeroed, half-built: fine. */
void slg_forward_pool_fini(struct slg_forward_pool *pool);

/* As slg_forward_take. */
SLG_MUST_CHECK enum slg_status slg_forward_pool_take(struct slg_forward_pool *pool, bool reserved,
                                                     int64_t deadline_mono_ns,
                                                     struct slg_forward_batch **ret_batch);
/* With all that it was charged for. */
void slg_forward_pool_give_back(struct slg_forward_pool *pool, struct slg_forward_batch *batch);
/* Before it is sent: a batch with a big message keeps further objects out of the pool, as many as there are. */
void slg_forward_pool_charge(struct slg_forward_pool *pool, struct slg_forward_batch *batch);

size_t slg_forward_pool_free_count(const struct slg_forward_pool *pool);
/* Is so little free that accepted batches should be let go? */
bool slg_forward_pool_is_short(const struct slg_forward_pool *pool);

#endif
