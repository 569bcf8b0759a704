/* querier/choose.h - which replica evaluates a shard, over which S, and whether S is all there is: pure (DESIGN
 * section 6, H1).
 *
 * S is the union of what all holders answered. One that can be asked and lacks least of it evaluates; among equals an
 * owner first, then by turn, so that queries spread. What it lacks it has to fetch before (ENSURE).
 * Threads: pure. */
#ifndef SLG_QUERIER_CHOOSE_H
#define SLG_QUERIER_CHOOSE_H

#include "cluster/placement.h"
#include "proto/rpc.h"

struct slg_choose_holder {
    size_t node_index;
    struct slg_batch_set_digest digest;
    struct slg_text set; /* slg_batch_set_encode bytes, as it answered */
    bool owner;
    bool lost; /* it cannot be asked any more; what it answered still counts for S */
};

struct slg_choice {
    size_t holder;                      /* index of who evaluates */
    bool lacks;                         /* it has to fetch first */
    struct slg_batch_set_digest digest; /* of S; count only when holders differ */
    struct slg_text set;                /* S: a holder's text, or from the arena */
};

/* turn: any number that differs from query to query. NOT_FOUND: every holder is lost; MALFORMED: a set that cannot be
 * read; LIMIT: S is too large, or the arena full; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_choose(const struct slg_choose_holder *holders, size_t count,
                                          uint64_t turn, struct slg_arena *arena,
                                          struct slg_choice *ret_choice);

/* May a batch that was accepted be missing from S, since these nodes did not answer? failed: by node index. */
bool slg_choose_incomplete(const struct slg_map *map, const struct slg_shard_id *shard,
                           const bool *failed);
/* A shard that a node answered for without vouching for it: as far as completeness goes it did not answer. */
struct slg_choose_doubt {
    struct slg_shard_id shard;
    size_t node_index;
};
/* failed |= the nodes that doubt this shard. */
void slg_choose_add_doubts(const struct slg_choose_doubt *doubts, size_t count,
                           const struct slg_shard_id *shard, bool *failed);
/* So many storers may be silent while no shard at all becomes incomplete. */
size_t slg_choose_spare_count(const struct slg_map *map);

#endif
