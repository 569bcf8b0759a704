/* cluster/placement.h - which nodes hold a shard: a pure function in integers (DESIGN section 4).
 *
 * Weighted rendezvous over the shares of the layout of the shard's window: a node's score is weight / -log2(u), u from
 * xxh3 of (node id, window, slot), compared in integers. The order of all nodes is: best of each zone first, then the
 * rest, by score. An override comes before it. The first R are owners, the next R hint candidates. Removed nodes are
 * skipped. Golden vectors in tests/unit/cluster/test_placement.c: a change of this function moves everybody's data.
 * Threads: pure. */
#ifndef SLG_CLUSTER_PLACEMENT_H
#define SLG_CLUSTER_PLACEMENT_H

#include "cluster/map.h"

struct slg_placement {
    uint16_t owners[SLG_MAP_REPLICATION_MAX]; /* indexes into map->nodes, best first */
    uint16_t owner_count;
    uint16_t hints[SLG_MAP_REPLICATION_MAX];
    uint16_t hint_count;
};

struct slg_placement slg_placement_of(const struct slg_map *map, const struct slg_shard_id *shard);

/* Is this node an owner? */
bool slg_placement_owns(const struct slg_placement *placement, uint16_t node_index);
/* Is it a hint candidate? */
bool slg_placement_hints(const struct slg_placement *placement, uint16_t node_index);

#endif
