/* A map comes back as it was printed, mistakes are named by key, and time maps to shards without gap or overlap.
 * Oracle: the canonical text, and the arithmetic of windows done here by hand. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "cluster/map.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)

#define NODES                                                                                      \
    "\"nodes\":[{\"id\":\"a\",\"address\":\"tcp://h:1\"},{\"id\":\"b\",\"address\":\"x\"}]"
#define LAYOUT(r, w)                                                                               \
    "{\"replication\":" #r ",\"write_quorum\":" #w ",\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"}]}"
#define MAP(nodes, layouts)                                                                        \
    "{\"version\":1,\"cluster\":\"c\",\"epoch\":3," nodes ",\"layouts\":[" layouts "]}"

static const struct map_case {
    const char *name, *json;
    const char *want; /* NULL: accepted; else a part of the message */
} cases[] = {
    { "smallest", MAP(NODES, LAYOUT(2, 1)), NULL },
    { "not json", "{", "line 1" },
    { "not an object", "[]", "must be a JSON object" },
    { "empty", "", "line" },
    { "no nodes", MAP("\"nodes\":[]", LAYOUT(1, 1)), "no node has the id" },
    { "unknown key", "{\"version\":1,\"colour\":2}", "colour: unknown key" },
    { "quorum over copies", MAP(NODES, LAYOUT(1, 2)), "write_quorum: 2 is not in 1 to 1" },
    { "copies over nodes", MAP(NODES, LAYOUT(3, 2)), "3 copies cannot be kept on 2 nodes" },
    { "no layout", MAP(NODES, ""), "first must be without" },
    { "node twice",
      MAP("\"nodes\":[{\"id\":\"a\",\"address\":\"x\"},{\"id\":\"a\",\"address\":\"y\"}]",
          "{\"replication\":1,\"write_quorum\":1,\"nodes\":[{\"id\":\"a\"}]}"),
      "\"a\" is there twice" },
    { "odd window",
      MAP(NODES, "{\"window_seconds\":7,\"replication\":1,\"write_quorum\":1,\"nodes\":[{\"id\":"
                 "\"a\"}]}"),
      "does not divide a day" },
    { "newer version", "{\"version\":2,\"cluster\":\"c\"}", "version: 2 is not in 1 to 1" },
    { "key twice", "{\"version\":1,\"version\":1}", "duplicate" },
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_error error = { .message = "untouched" };
        size_t len = strlen(cases[i].json);
        char *block = (char *)test_block(cases[i].json, len);
        struct slg_map *map = NULL;
        enum slg_status status = slg_map_parse(block, len, &map, &error);

        if (cases[i].want == NULL) {
            CHECK(cases[i].name, status == SLG_OK);
            slg_map_unref(map);
        } else {
            if (strstr(error.message, cases[i].want) == NULL)
                print_error("%s\n", error.message);
            CHECK(cases[i].name, status == SLG_INVALID);
            CHECK(cases[i].name, strstr(error.message, cases[i].want) != NULL);
            CHECK(cases[i].name, map == NULL);
        }
        free(block);
    }
}

/* For ever is a choice: a map that does not say how long is kept as SETTINGS.md promises. */
static void test_retention(void **state)
{
    static const struct retention_case {
        const char *name, *key;
        int64_t want_ns;
    } rows[] = {
        { "not said", "", INT64_C(120) * 24 * HOUR_NS },
        { "for ever", ",\"retention_seconds\":0", 0 },
        { "an hour", ",\"retention_seconds\":3600", HOUR_NS },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_map *map = NULL;
        char json[512];
        int len = snprintf(json, sizeof(json),
                           "{\"version\":1,\"cluster\":\"c\",\"epoch\":3," NODES
                           ",\"layouts\":[" LAYOUT(2, 1) "]%s}",
                           rows[i].key);

        assert_int_equal(slg_map_parse(json, (size_t)len, &map, NULL), SLG_OK);
        CHECK(rows[i].name, map->retention_ns == rows[i].want_ns);
        slg_map_unref(map);
    }
}

static struct slg_map *single_map(uint16_t slot_count)
{
    struct slg_map_single_options options = { .cluster_id = "c",
                                              .node_id = "storer-1",
                                              .address = "inproc://storer",
                                              .zone = "host-1",
                                              .window_length_ns = HOUR_NS,
                                              .slot_count = slot_count,
                                              .retention_ns = HOUR_NS };
    struct slg_map *map = NULL;

    assert_int_equal(slg_map_make_single(&options, &map, NULL), SLG_OK);
    return map;
}

static void test_saved_map_is_the_same(void **state)
{
    char path[] = "/tmp/silage-map-XXXXXX";
    int fd = mkstemp(path);
    struct slg_map *map = single_map(3), *found = NULL;
    struct slg_error error = { 0 };

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(slg_map_save(map, path, &error), SLG_OK);
    assert_int_equal(slg_map_load(path, &found, &error), SLG_OK);
    assert_true(found->hash.high == map->hash.high && found->hash.low == map->hash.low);
    assert_int_equal(found->layouts[0].slot_count, 3);
    assert_true(found->retention_ns == HOUR_NS);
    assert_string_equal(found->nodes[0].address, "inproc://storer");
    assert_string_equal(found->nodes[0].zone, "host-1");
    (void)unlink(path);
    slg_map_unref(found);
    slg_map_unref(map);
    assert_int_equal(slg_map_load("/nonexistent/map", &found, &error), SLG_NOT_FOUND);
}

static void test_shards_cover_time_once(void **state)
{
    struct slg_map *map = single_map(2);
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_shard_id *shards = NULL;
    size_t count = 0;

    (void)state;
    assert_int_equal(
        slg_map_shards_between(map, HOUR_NS + 1, 3 * HOUR_NS, 100, arena, &shards, &count), SLG_OK);
    assert_int_equal(count,
                     4); /* hours 1 and 2, two slots each; hour 3 begins at the exclusive end */
    assert_true(shards[0].window_ns == HOUR_NS && shards[3].window_ns == 2 * HOUR_NS);
    for (size_t i = 1; i < count; i++)
        assert_true(slg_shard_id_compare(&shards[i - 1], &shards[i]) < 0);
    assert_int_equal(slg_map_shards_between(map, 0, INT64_MAX, 100, arena, &shards, &count),
                     SLG_LIMIT);
    assert_int_equal(slg_map_shards_between(map, 5, 5, 100, arena, &shards, &count), SLG_OK);
    assert_int_equal(count, 0);
    slg_arena_destroy(arena);
    slg_map_unref(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_saved_map_is_the_same),
        cmocka_unit_test(test_shards_cover_time_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
