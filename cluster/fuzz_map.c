/* Arbitrary map documents: refused with a text, or a map that prints to a document of the same map (same hash) and
 * whose shards cover time without a gap.
 * Covers: cluster/map_parse.c */
#include "cluster/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_print(const struct slg_map *map)
{
    struct slg_map *again;
    struct slg_error error;
    struct slg_buf out;

    slg_buf_init(&out, SLG_MAP_BYTES_MAX);
    slg_map_print(map, &out);
    SLG_ASSERT(!slg_buf_failed(&out));
    SLG_ASSERT(slg_map_parse((const char *)out.data, out.len, &again, &error) == SLG_OK);
    SLG_ASSERT(again->hash.low == map->hash.low);
    SLG_ASSERT(again->hash.high == map->hash.high);
    SLG_ASSERT(again->epoch == map->epoch);
    slg_map_unref(again);
    slg_buf_fini(&out);
}

/* A moment lies in the window of its shard, and that shard is found when one asks for the moment. */
static void check_moment(const struct slg_map *map, struct slg_arena *arena, int64_t ts_ns)
{
    static const struct slg_stream_id stream = { { 1, 2, 3, 4, 5, 6, 7, 8, 9 } };
    struct slg_shard_id shard = slg_map_shard_of(map, ts_ns, &stream);
    struct slg_shard_id *shards;
    bool found = false;
    size_t count;

    SLG_ASSERT(shard.window_ns <= ts_ns);
    SLG_ASSERT(ts_ns - shard.window_ns < shard.length_ns);
    SLG_ASSERT(shard.slot < shard.slot_count);
    slg_arena_reset(arena);
    if (slg_map_shards_between(map, ts_ns, ts_ns + 1, 65536, arena, &shards, &count) != SLG_OK)
        return;
    for (size_t i = 0; i < count; i++)
        found = found || slg_shard_id_compare(&shards[i], &shard) == 0;
    SLG_ASSERT(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_map *map;
    struct slg_arena *arena;
    struct slg_error error = { 0 };

    if (slg_map_parse((const char *)data, size, &map, &error) != SLG_OK) {
        SLG_ASSERT(error.message[0] != '\0');
        return 0;
    }
    arena = slg_arena_create((size_t)8 << 20);
    SLG_ASSERT(arena != NULL);
    check_print(map);
    check_moment(map, arena, 0);
    check_moment(map, arena, INT64_C(1795300950123456789));
    for (size_t i = 1; i < map->layout_count; i++) {
        check_moment(map, arena, map->layouts[i].from_window_ns);
        check_moment(map, arena, map->layouts[i].from_window_ns - 1);
    }
    for (size_t i = 0; i < map->override_count; i++)
        for (size_t k = 0; k < map->overrides[i].node_count; k++)
            SLG_ASSERT(map->overrides[i].node_indexes[k] < map->node_count);
    slg_arena_destroy(arena);
    slg_map_unref(map);
    return 0;
}
