/* Placement is fair, moves little, keeps zones apart and never changes.
 * Oracle: counts over many windows against the weights; golden vectors taken when the format was fixed. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "cluster/placement.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)
#define WINDOWS 3000

/* weights: one digit per node, in hundreds; zones: one letter per node. */
static struct slg_map *make_map(const char *weights, const char *zones, unsigned replication)
{
    struct slg_map *map = NULL;
    struct slg_error error = { 0 };
    struct slg_buf text;

    slg_buf_init(&text, 65536);
    slg_buf_append_text(&text, "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":[");
    for (size_t i = 0; weights[i] != '\0'; i++)
        slg_buf_printf(&text, "%s{\"id\":\"storer-%zu\",\"address\":\"x\",\"zone\":\"%c\"}",
                       i == 0 ? "" : ",", i + 1, zones[i]);
    slg_buf_printf(&text, "],\"layouts\":[{\"replication\":%u,\"write_quorum\":1,\"nodes\":[",
                   replication);
    for (size_t i = 0; weights[i] != '\0'; i++)
        slg_buf_printf(&text, "%s{\"id\":\"storer-%zu\",\"weight\":%d}", i == 0 ? "" : ",", i + 1,
                       (weights[i] - '0') * 100);
    slg_buf_append_text(&text, "]}]}");
    if (slg_map_parse((const char *)text.data, text.len, &map, &error) != SLG_OK)
        fail_msg("%s", error.message);
    slg_buf_fini(&text);
    return map;
}

static struct slg_shard_id hour(int64_t n)
{
    return (struct slg_shard_id){ .window_ns = n * HOUR_NS, .length_ns = HOUR_NS, .slot_count = 1 };
}

static void test_weights_are_kept(void **state)
{
    struct slg_map *map = make_map("112", "abc", 1);
    int held[3] = { 0 };

    (void)state;
    for (int64_t n = 0; n < WINDOWS; n++) {
        struct slg_shard_id shard = hour(n);

        held[slg_placement_of(map, &shard).owners[0]]++;
    }
    /* 750, 750, 1500 expected; 4 standard deviations are about 110 */
    assert_in_range(held[0], 640, 860);
    assert_in_range(held[1], 640, 860);
    assert_in_range(held[2], 1390, 1610);
    slg_map_unref(map);
}

static void test_zones_are_kept_apart(void **state)
{
    struct slg_map *map = make_map("11111", "aabbc", 3);

    (void)state;
    for (int64_t n = 0; n < WINDOWS; n++) {
        struct slg_shard_id shard = hour(n);
        struct slg_placement placement = slg_placement_of(map, &shard);
        unsigned zones = 0;

        assert_int_equal(placement.owner_count, 3);
        assert_int_equal(placement.hint_count, 2);
        for (size_t i = 0; i < 3; i++) {
            zones |= 1U << (map->nodes[placement.owners[i]].zone[0] - 'a');
            assert_true(slg_placement_owns(&placement, placement.owners[i]));
            assert_false(slg_placement_owns(&placement, placement.hints[i % 2]));
        }
        assert_int_equal(zones, 7);
    }
    slg_map_unref(map);
}

static void test_a_new_node_takes_only_its_share(void **state)
{
    struct slg_map *before = make_map("1111", "abcd", 1), *after = make_map("11111", "abcde", 1);
    int moved = 0;

    (void)state;
    for (int64_t n = 0; n < WINDOWS; n++) {
        struct slg_shard_id shard = hour(n);
        uint16_t was = slg_placement_of(before, &shard).owners[0];
        uint16_t is = slg_placement_of(after, &shard).owners[0];

        if (was != is) {
            assert_int_equal(is, 4); /* nothing moves between old nodes */
            moved++;
        }
    }
    assert_in_range(moved, 500, 700); /* a fifth */
    slg_map_unref(before);
    slg_map_unref(after);
}

static void test_golden_vectors(void **state)
{
    static const char want[] = "42/03 41/20 34/12 04/21 40/32 24/01 04/31 04/21 43/02 24/13 02/43 "
                               "42/13 42/01 04/23 34/12 34/12 ";
    struct slg_map *map = make_map("11213", "aabbc", 2);
    char found[256] = "";
    size_t len = 0;

    (void)state;
    for (int64_t n = 490000; n < 490016; n++) {
        struct slg_shard_id shard = hour(n);
        struct slg_placement p = slg_placement_of(map, &shard);

        len += (size_t)snprintf(found + len, sizeof(found) - len, "%d%d/%d%d ", p.owners[0],
                                p.owners[1], p.hints[0], p.hints[1]);
        assert_true(len < sizeof(found));
    }
    assert_string_equal(found, want);
    slg_map_unref(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights_are_kept),
        cmocka_unit_test(test_zones_are_kept_apart),
        cmocka_unit_test(test_a_new_node_takes_only_its_share),
        cmocka_unit_test(test_golden_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
