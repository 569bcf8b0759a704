/* The map answers for each id what was added, through growth and equal hashes. Oracle: an array. */
#include "tests/helper/test.h"

#include "storer/stream_map.h"

static struct slg_stream_id make_id(uint32_t n, bool same_hash)
{
    struct slg_stream_id id = { .bytes = { 0 } };

    memcpy(id.bytes + (same_hash ? 12 : 0), &n, sizeof(n));
    return id;
}

static void test_finds_what_was_added(void **state)
{
    enum { COUNT = 3000 };
    static char targets[COUNT];

    (void)state;
    for (int same_hash = 0; same_hash < 2; same_hash++) {
        uint32_t count = same_hash ? 300 : COUNT;
        struct slg_stream_map map;
        struct slg_stream_id id = make_id(count, same_hash);

        slg_stream_map_init(&map);
        assert_null(slg_stream_map_find(&map, &id));
        for (uint32_t i = 0; i < count; i++) {
            /* every third is not wanted */
            struct slg_remote_stream *stream =
                i % 3 == 0 ? NULL : (struct slg_remote_stream *)&targets[i];

            id = make_id(i, same_hash);
            assert_int_equal(slg_stream_map_add(&map, &id, stream), SLG_OK);
        }
        for (uint32_t i = 0; i < count; i++) {
            const struct slg_stream_map_slot *slot;

            id = make_id(i, same_hash);
            slot = slg_stream_map_find(&map, &id);
            assert_non_null(slot);
            assert_ptr_equal(slot->stream, i % 3 == 0 ? NULL : &targets[i]);
        }
        id = make_id(count, same_hash);
        assert_null(slg_stream_map_find(&map, &id));
        slg_stream_map_fini(&map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_was_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
