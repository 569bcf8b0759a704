/* querier/tail_sets.h - what the storers hold, as tails see it: immutable pictures of S, one after the other.
 *
 * A picture names every shard of the time that some tail looks at, with all batches that were ever seen of it since
 * the hub began to look: S only grows, so that a storer that is away, or a replica that lags, takes nothing back, and
 * the difference of two pictures is exactly what is new. `answered` tells whether the shard can be read now.
 * Owner:   reference counts; shards are shared between pictures. Threads: any; nothing is written after create. */
#ifndef SLG_QUERIER_TAIL_SETS_H
#define SLG_QUERIER_TAIL_SETS_H

#include <stdatomic.h>

#include "proto/rpc.h"

struct slg_tail_shard {
    struct slg_shard_id id;
    struct slg_batch_set *set;          /* all that was ever seen */
    struct slg_batch_set_digest digest; /* of the storer's last answer, a short cut */
    atomic_size_t ref_count;
};

struct slg_tail_sets_entry {
    struct slg_tail_shard *shard;
    size_t node_index; /* who answered for it last */
    bool answered;     /* at the last look */
};

struct slg_tail_sets {
    int64_t from_ns; /* every window that ends after it is here */
    bool incomplete; /* a holder did not answer at the last look */
    size_t count;
    struct slg_tail_sets_entry *entries; /* by shard id */
    atomic_size_t ref_count;
};

/* One shard of a storer's answer; sorted by shard. */
struct slg_tail_answer {
    struct slg_rpc_shard_set set;
    size_t node_index;
};

struct slg_tail_look {
    const struct slg_tail_answer *answers;
    size_t count;
    int64_t
        asked_from_ns; /* windows that end after it were asked for; the others stay as they were */
    int64_t from_ns;   /* what is older is dropped */
    bool incomplete;
};
/* The picture after a look. old may be NULL. *ret_changed: tails have something to do. NO_MEMORY; a set that cannot be
 * read or grows too large counts as not answered. */
SLG_MUST_CHECK enum slg_status slg_tail_sets_next(const struct slg_tail_sets *old,
                                                  const struct slg_tail_look *look,
                                                  struct slg_tail_sets **ret_sets,
                                                  bool *ret_changed);

struct slg_tail_sets *slg_tail_sets_ref(struct slg_tail_sets *sets);
void slg_tail_sets_unref(struct slg_tail_sets *sets); /* NULL is fine */
struct slg_tail_shard *slg_tail_shard_ref(struct slg_tail_shard *shard);
void slg_tail_shard_unref(struct slg_tail_shard *shard); /* NULL is fine */
/* NULL: it is not there. */
const struct slg_tail_sets_entry *slg_tail_sets_find(const struct slg_tail_sets *sets,
                                                     const struct slg_shard_id *id);

#endif
