/* cluster/placement.h - which nodes hold a shard: a pure function in integers (DESIGN section 4).
 *
 * Weighted rendezvous over the map's nodes: score(node) from xxh3(node id, window, slot) and the node's weight, distinct
 * zones first, removed nodes skipped. The first R are owners, the next R hint candidates. Golden vectors in
 * tests/golden/placement.txt: a change of this function moves everybody's data.
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

#endif
