/* cluster/map_private.h - the snapshot with its reference count: map.c and map_parse.c. */
#ifndef SLG_CLUSTER_MAP_PRIVATE_H
#define SLG_CLUSTER_MAP_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "cluster/map.h"

struct slg_map_owned {
    struct slg_map map; /* first: what callers hold is a pointer to it */
    atomic_uint ref_count;
    struct slg_arena *arena; /* everything that the map points to */
};

/* An empty map with one reference; NULL: no memory. */
struct slg_map_owned *slg_map_owned_create(void);
/* Check the rules of map.h and fill in the hash. */
SLG_MUST_CHECK enum slg_status slg_map_seal(struct slg_map_owned *owned, struct slg_error *reterr);

#endif
