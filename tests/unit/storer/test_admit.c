/* The rules of map and clock, one row each. Oracle: DESIGN sections 3, 4 and 7, by hand. */
#include "tests/helper/storer.h"

#include "storer/admit.h"

#define DAY_NS (24 * TEST_HOUR_NS)

static const struct admit_case {
    const char *name;
    int64_t ts_max_ns; /* from now */
    int64_t length_ns;
    uint16_t slot_count;
    const char *node;
    int64_t keep_from_ns; /* from now; 0: none */
    enum slg_store_result want;
    enum slg_store_result want_copy; /* of a batch that comes from another copy */
} rows[] = {
    { "now", 0, TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_STORED, SLG_STORE_STORED },
    { "as far ahead as allowed", SLG_FUTURE_NS_MAX, TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_STORED,
      SLG_STORE_STORED },
    { "one ns further", SLG_FUTURE_NS_MAX + 1, TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_FUTURE,
      SLG_STORE_FUTURE },
    { "as old as is kept", -120 * DAY_NS, TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_STORED,
      SLG_STORE_STORED },
    { "one ns older", -120 * DAY_NS - 1, TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_EXPIRED,
      SLG_STORE_STORED },
    { "before keep_from", -DAY_NS, TEST_HOUR_NS, 1, "n1", -DAY_NS + 1, SLG_STORE_EXPIRED,
      SLG_STORE_STORED },
    { "at keep_from", -DAY_NS, TEST_HOUR_NS, 1, "n1", -DAY_NS, SLG_STORE_STORED, SLG_STORE_STORED },
    { "the window ends 1 ns after keep_from", -DAY_NS, TEST_HOUR_NS, 1, "n1",
      -DAY_NS + TEST_HOUR_NS / 2 - 1, SLG_STORE_EXPIRED, SLG_STORE_STORED },
    { "the window ends at keep_from", -DAY_NS, TEST_HOUR_NS, 1, "n1", -DAY_NS + TEST_HOUR_NS / 2,
      SLG_STORE_EXPIRED, SLG_STORE_EXPIRED },
    { "the window ends where what is kept begins", -120 * DAY_NS - TEST_HOUR_NS / 2 - 1,
      TEST_HOUR_NS, 1, "n1", 0, SLG_STORE_EXPIRED, SLG_STORE_EXPIRED },
    { "another node", 0, TEST_HOUR_NS, 1, "n2", 0, SLG_STORE_NOT_PLACED, SLG_STORE_NOT_PLACED },
    { "another window length", 0, TEST_HOUR_NS / 2, 1, "n1", 0, SLG_STORE_NOT_PLACED,
      SLG_STORE_NOT_PLACED },
    { "another number of slots", 0, TEST_HOUR_NS, 2, "n1", 0, SLG_STORE_NOT_PLACED,
      SLG_STORE_NOT_PLACED },
};

static void test_rules(void **state)
{
    const struct slg_map_single_options options = { .cluster_id = "c",
                                                    .node_id = "n1",
                                                    .address = "inproc://x",
                                                    .window_length_ns = TEST_HOUR_NS,
                                                    .slot_count = 1,
                                                    .retention_ns = 120 * DAY_NS };
    struct slg_map *map;
    int64_t now_ns = TEST_WINDOW_NS + TEST_HOUR_NS / 2;

    (void)state;
    assert_int_equal(slg_map_make_single(&options, &map, NULL), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        int64_t ts_ns = now_ns + rows[i].ts_max_ns;
        struct slg_map changed = *map;
        struct slg_admit admit = { .map = &changed, .node_id = rows[i].node, .now_ns = now_ns };
        struct slg_batch_header header = {
            .id.shard = { .window_ns = slg_window_start(ts_ns, rows[i].length_ns),
                          .length_ns = rows[i].length_ns,
                          .slot_count = rows[i].slot_count },
            .ts_min_ns = ts_ns,
            .ts_max_ns = ts_ns,
        };
        struct slg_error err = { .message = "" };

        if (rows[i].keep_from_ns != 0)
            changed.keep_from_ns = now_ns + rows[i].keep_from_ns;
        CHECK(rows[i].name, slg_admit_batch(&admit, &header, 0, &err) == rows[i].want);
        CHECK(rows[i].name, (err.message[0] == '\0') == (rows[i].want == SLG_STORE_STORED));
        CHECK(rows[i].name,
              slg_admit_batch(&admit, &header, SLG_ADMIT_FLAG_COPY, &err) == rows[i].want_copy);
        admit.keep_from_ns = changed.keep_from_ns; /* the storer's own counts as the map's */
        changed.keep_from_ns = 0;
        CHECK(rows[i].name, slg_admit_batch(&admit, &header, 0, &err) == rows[i].want);
    }
    slg_map_unref(map);
}

static void test_forever_keeps_everything(void **state)
{
    const struct slg_map map = { .retention_ns = 0 };

    (void)state;
    assert_int_equal(slg_admit_cutoff_ns(&map, 0, TEST_WINDOW_NS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_forever_keeps_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
