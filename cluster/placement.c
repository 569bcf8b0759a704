#include "cluster/placement.h"

#define FRACTION_BITS 24

struct candidate {
    uint16_t node_index;
    uint16_t weight;
    uint64_t cost; /* -log2(hash / 2^64) in 2^-24 units, >= 1 */
    bool zone_best;
};

/* 2^24 * log2(value) for value >= 1, rounded down: the classic squaring method, in integers so that every machine
 * places alike. */
static uint64_t log2_fixed(uint64_t value)
{
    unsigned exponent = 63U - (unsigned)__builtin_clzll(value);
    uint64_t mantissa = value << (63U - exponent) >> 32; /* 1.31 fixed point */
    uint64_t fraction = 0;

    for (unsigned bit = 0; bit < FRACTION_BITS; bit++) {
        mantissa = mantissa * mantissa >> 31;
        fraction <<= 1;
        if (mantissa >> 32 != 0) {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    return (uint64_t)exponent << FRACTION_BITS | fraction;
}

static uint64_t cost_of(const char *node_id, const struct slg_shard_id *shard)
{
    uint8_t key[256 + 10];
    size_t len = strlen(node_id) < 256 ? strlen(node_id) : 256;
    uint64_t hash;

    memcpy(key, node_id, len);
    for (int i = 0; i < 8; i++)
        key[len++] = (uint8_t)((uint64_t)shard->window_ns >> (56 - 8 * i));
    key[len++] = (uint8_t)(shard->slot >> 8);
    key[len++] = (uint8_t)shard->slot;
    hash = slg_hash_xxh3(key, len);
    if (hash == 0)
        hash = 1;
    return ((uint64_t)64 << FRACTION_BITS) - log2_fixed(hash);
}

/* Does a come before b? Higher weight / cost first; node index decides ties, so the order is total. */
static bool better(const struct candidate *a, const struct candidate *b)
{
    uint64_t left = (uint64_t)a->weight * b->cost;
    uint64_t right = (uint64_t)b->weight * a->cost;

    if (a->zone_best != b->zone_best)
        return a->zone_best;
    if (left != right)
        return left > right;
    return a->node_index < b->node_index;
}

static void sort_candidates(struct candidate *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct candidate item = items[i];
        size_t at = i;

        for (; at > 0 && better(&item, &items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static bool same_zone(const struct slg_map *map, uint16_t a, uint16_t b)
{
    const char *zone = map->nodes[a].zone;

    return zone[0] != '\0' && strcmp(zone, map->nodes[b].zone) == 0;
}

static void mark_zone_best(const struct slg_map *map, struct candidate *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i].zone_best = true;
        for (size_t j = 0; j < i; j++) {
            if (same_zone(map, items[i].node_index, items[j].node_index))
                items[i].zone_best = false;
        }
    }
}

static const struct slg_map_override *find_override(const struct slg_map *map,
                                                    const struct slg_shard_id *shard)
{
    for (size_t i = 0; i < map->override_count; i++) {
        if (slg_shard_id_compare(&map->overrides[i].shard, shard) == 0)
            return &map->overrides[i];
    }
    return NULL;
}

static void place(struct slg_placement *placement, uint16_t node_index, uint16_t owner_max)
{
    for (size_t i = 0; i < placement->owner_count; i++) {
        if (placement->owners[i] == node_index)
            return;
    }
    if (placement->owner_count < owner_max)
        placement->owners[placement->owner_count++] = node_index;
    else if (placement->hint_count < owner_max)
        placement->hints[placement->hint_count++] = node_index;
}

struct slg_placement slg_placement_of(const struct slg_map *map, const struct slg_shard_id *shard)
{
    const struct slg_map_layout *layout = slg_map_layout_at(map, shard->window_ns);
    const struct slg_map_override *override = find_override(map, shard);
    struct slg_placement placement = { .owner_count = 0 };
    struct candidate items[SLG_MAP_NODE_COUNT_MAX];
    size_t count = 0;
    uint16_t owner_max = layout->replication;

    for (size_t i = 0; i < layout->share_count; i++) {
        uint16_t node_index = layout->shares[i].node_index;

        if (map->nodes[node_index].state == SLG_NODE_REMOVED)
            continue;
        items[count++] = (struct candidate){ .node_index = node_index,
                                             .weight = layout->shares[i].weight,
                                             .cost = cost_of(map->nodes[node_index].id, shard) };
    }
    sort_candidates(items, count);
    mark_zone_best(map, items, count);
    sort_candidates(items, count);
    if (override != NULL) {
        owner_max = override->node_count;
        for (size_t i = 0; i < override->node_count; i++)
            place(&placement, override->node_indexes[i], owner_max);
    }
    for (size_t i = 0; i < count; i++)
        place(&placement, items[i].node_index, owner_max);
    return placement;
}

bool slg_placement_owns(const struct slg_placement *placement, uint16_t node_index)
{
    for (size_t i = 0; i < placement->owner_count; i++) {
        if (placement->owners[i] == node_index)
            return true;
    }
    return false;
}

bool slg_placement_hints(const struct slg_placement *placement, uint16_t node_index)
{
    for (size_t i = 0; i < placement->hint_count; i++) {
        if (placement->hints[i] == node_index)
            return true;
    }
    return false;
}
