#include "storer/admit.h"

#include <assert.h>
#include <inttypes.h>

#include "base/clock.h"

#include "cluster/placement.h"

static_assert((SLG_ADMIT_FLAG_COPY & SLG_STORE_FLAG_HINT) == 0, "bits of their own");

int64_t slg_admit_cutoff_ns(const struct slg_map *map, int64_t keep_from_ns, int64_t now_ns)
{
    int64_t cutoff = keep_from_ns > map->keep_from_ns ? keep_from_ns : map->keep_from_ns;

    if (map->retention_ns > 0 && now_ns - map->retention_ns > cutoff)
        cutoff = now_ns - map->retention_ns;
    return cutoff < 0 ? 0 : cutoff;
}

static bool is_among(const struct slg_map *map, const uint16_t *nodes, uint16_t count,
                     const char *node_id)
{
    for (uint16_t i = 0; i < count; i++)
        if (strcmp(map->nodes[nodes[i]].id, node_id) == 0)
            return true;
    return false;
}

static bool is_placed(const struct slg_admit *admit, const struct slg_shard_id *shard,
                      unsigned flags)
{
    const struct slg_map_layout *layout = slg_map_layout_at(admit->map, shard->window_ns);
    struct slg_placement placement;

    if (layout->window_length_ns != shard->length_ns || layout->slot_count != shard->slot_count)
        return false;
    placement = slg_placement_of(admit->map, shard);
    return is_among(admit->map, placement.owners, placement.owner_count, admit->node_id) ||
           ((flags & SLG_STORE_FLAG_HINT) != 0 &&
            is_among(admit->map, placement.hints, placement.hint_count, admit->node_id));
}

enum slg_store_result slg_admit_batch(const struct slg_admit *admit,
                                      const struct slg_batch_header *header, unsigned flags,
                                      struct slg_error *reterr)
{
    const struct slg_shard_id *shard = &header->id.shard;
    int64_t cutoff_ns =
        slg_admit_cutoff_ns(admit->map, admit->keep_from_ns, admit->now_ns - admit->doubt_ns);

    int64_t last_ns = (flags & SLG_ADMIT_FLAG_COPY) != 0 ? shard->window_ns + shard->length_ns - 1
                                                         : header->ts_max_ns;

    if (last_ns < cutoff_ns) {
        (void)slg_errorf(reterr, SLG_INVALID,
                         "entries up to %" PRId64 " s are older than what is kept, from %" PRId64
                         " s",
                         last_ns / SLG_NS_PER_SEC, cutoff_ns / SLG_NS_PER_SEC);
        return SLG_STORE_EXPIRED;
    }
    if (header->ts_max_ns - admit->now_ns > SLG_FUTURE_NS_MAX) {
        (void)slg_error_hintf(reterr, SLG_INVALID, "check the clocks",
                              "entries are %" PRId64
                              " s ahead of this node's clock, at most %" PRId64 " s are taken",
                              (header->ts_max_ns - admit->now_ns) / SLG_NS_PER_SEC,
                              SLG_FUTURE_NS_MAX / SLG_NS_PER_SEC);
        return SLG_STORE_FUTURE;
    }
    if (!is_placed(admit, shard, flags)) {
        (void)slg_errorf(reterr, SLG_INVALID,
                         "the map of epoch %" PRIu64 " does not place window %" PRId64
                         " s slot %u of %u on node \"%s\"",
                         admit->map->epoch, shard->window_ns / SLG_NS_PER_SEC, shard->slot,
                         shard->slot_count, admit->node_id);
        return SLG_STORE_NOT_PLACED;
    }
    return SLG_STORE_STORED;
}
