/* The status document has its keys and one row per shard, and stays within its bound. Oracle: the text itself, against
 * what was stored. */
#include "tests/helper/storer.h"

#include "storer/status.h"

static bool has(const struct slg_buf *text, const char *part)
{
    return memmem(text->data, text->len, part, strlen(part)) != NULL;
}

static void test_document(void **state)
{
    const struct slg_map_single_options options = { .cluster_id = "c",
                                                    .node_id = "n\"1",
                                                    .address = "inproc://x",
                                                    .window_length_ns = TEST_HOUR_NS,
                                                    .slot_count = 1 };
    struct slg_catalogue_options catalogue_options = { .map_bytes = 1 << 20, .open_count_max = 2 };
    struct slg_status_input input = { .node_id = "n\"1", .disk_reserve_bytes = 77 };
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue;
    struct slg_map *map;
    struct slg_buf out;

    (void)state;
    catalogue_options.data_dir = input.data_dir = directory;
    assert_int_equal(slg_map_make_single(&options, &map, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_create(&catalogue_options, &catalogue, NULL), SLG_OK);
    for (int64_t i = 0; i < 5; i++) {
        struct slg_shard_id id = test_shard(i);
        struct slg_shard *shard;

        assert_int_equal(slg_catalogue_pin(catalogue, &id, true, &shard, NULL), SLG_OK);
        if (i == 1)
            assert_int_equal(slg_shard_mark_suspect(shard, NULL), SLG_OK);
        slg_catalogue_unpin(catalogue, shard);
    }
    input.catalogue = catalogue;
    input.map = map;
    slg_buf_init(&out, 1 << 20);
    assert_int_equal(slg_status_write(&input, 1 << 19, &out, NULL), SLG_OK);
    assert_true(has(&out, "{\"node\":\"n\\\"1\",\"role\":\"storer\",\"storage_id\":\""));
    assert_true(has(&out, "\"state\":\"ready\",\"disk\":{\"free_bytes\":"));
    assert_true(has(&out, "\"reserve_bytes\":77}"));
    assert_true(has(&out, "{\"shard\":\"1767225600-3600-0of1\",\"node\":\"n\\\"1\",\"owner\":true,"
                          "\"batches\":0,\"set_digest\":\"00000000000000000000000000000000\","
                          "\"generations\":1,\"parts\":0,\"bytes\":"));
    assert_true(has(&out, "\"state\":\"suspect\""));
    assert_true(has(&out, "\"shards_left_out\":0}"));
    slg_buf_clear(&out);
    input.read_only = true;
    assert_int_equal(slg_status_write(&input, 1, &out, NULL), SLG_OK); /* no room for rows */
    assert_true(has(&out, "\"state\":\"read-only\""));
    assert_true(has(&out, "\"shards\":[],\"shards_left_out\":5}"));
    slg_buf_fini(&out);
    slg_catalogue_destroy(catalogue);
    slg_map_unref(map);
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
