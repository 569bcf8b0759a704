#include "storer/stream_map.h"

#define CAPACITY_MIN ((size_t)64)

void slg_stream_map_init(struct slg_stream_map *map)
{
    *map = (struct slg_stream_map){ .slots = NULL };
}

void slg_stream_map_fini(struct slg_stream_map *map)
{
    free(map->slots);
    slg_stream_map_init(map);
}

/* Ids are SHA-256 already: their first bytes are the hash. The slot of id, or the free one where it would go. */
static struct slg_stream_map_slot *probe(const struct slg_stream_map *map,
                                         const struct slg_stream_id *id)
{
    size_t at;

    memcpy(&at, id->bytes, sizeof(at));
    for (;; at++) {
        struct slg_stream_map_slot *slot = &map->slots[at & (map->capacity - 1)];

        if (!slot->used || slg_stream_id_equal(&slot->id, id))
            return slot;
    }
}

const struct slg_stream_map_slot *slg_stream_map_find(const struct slg_stream_map *map,
                                                      const struct slg_stream_id *id)
{
    const struct slg_stream_map_slot *slot;

    if (map->capacity == 0)
        return NULL;
    slot = probe(map, id);
    return slot->used ? slot : NULL;
}

static bool grow(struct slg_stream_map *map)
{
    struct slg_stream_map bigger = { .capacity =
                                         map->capacity == 0 ? CAPACITY_MIN : map->capacity * 2,
                                     .count = map->count };

    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].used)
            *probe(&bigger, &map->slots[i].id) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return true;
}

enum slg_status slg_stream_map_add(struct slg_stream_map *map, const struct slg_stream_id *id,
                                   struct slg_remote_stream *stream)
{
    struct slg_stream_map_slot *slot;

    if (map->count >= SLG_STREAM_MAP_COUNT_MAX)
        return SLG_LIMIT;
    if ((map->count + 1) * 2 > map->capacity && !grow(map))
        return SLG_NO_MEMORY;
    slot = probe(map, id);
    SLG_ASSERT(!slot->used);
    *slot = (struct slg_stream_map_slot){ .id = *id, .used = true, .stream = stream };
    map->count++;
    return SLG_OK;
}
