/* What is past its time, or past the bytes, goes, oldest first and at most 4 windows an hour by the clock; nothing else
 * goes (I4). Oracle: the list of shards that must be left. */
#include "tests/helper/storer.h"

#include <errno.h>

#include "storer/admit.h"
#include "storer/catalogue_forget.h"
#include "storer/catalogue_storage.h"
#include "storer/retention.h"

#define DAY_NS (24 * TEST_HOUR_NS)

struct fixture {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_map *map;
    struct slg_map changed; /* a copy that a test may alter */
    struct slg_catalogue *catalogue;
    struct slg_retention retention;
};

static void open_data(struct fixture *f)
{
    const struct slg_catalogue_options options = { .data_dir = f->directory,
                                                   .map_bytes = 1 << 20,
                                                   .open_count_max = 8 };

    assert_int_equal(slg_catalogue_create(&options, &f->catalogue, NULL), SLG_OK);
    f->retention.catalogue = f->catalogue;
}

static void set_up(struct fixture *f, int64_t shard_count)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = "n1",
                                                .address = "inproc://x",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1,
                                                .retention_ns = 10 * DAY_NS };

    memset(f, 0, sizeof(*f));
    f->directory = test_make_directory();
    f->registry = slg_metric_registry_create();
    assert_int_equal(slg_map_make_single(&map, &f->map, NULL), SLG_OK);
    f->changed = *f->map;
    f->retention.map = &f->changed;
    f->retention.metrics = slg_storer_metrics_register(f->registry);
    open_data(f);
    for (int64_t i = 0; i < shard_count; i++) {
        struct slg_shard_id id = test_shard(i);
        struct slg_shard *shard;

        assert_int_equal(slg_catalogue_pin(f->catalogue, &id, true, &shard, NULL), SLG_OK);
        slg_catalogue_unpin(f->catalogue, shard);
    }
}

static void tear_down(struct fixture *f)
{
    slg_catalogue_destroy(f->catalogue);
    slg_map_unref(f->map);
    slg_metric_registry_destroy(f->registry);
    test_drop_directory(f->directory);
}

/* `left` shards are left, the oldest of them `first`. */
static void run_to(struct fixture *f, int64_t now_ns, enum slg_status status, size_t forgotten,
                   int64_t first, size_t left)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_catalogue_row *rows;
    size_t got, count;

    assert_int_equal(slg_retention_run(&f->retention, now_ns, &got, NULL), status);
    assert_int_equal(got, forgotten);
    assert_int_equal(slg_catalogue_list(f->catalogue, 0, INT64_MAX, arena, &rows, &count), SLG_OK);
    assert_int_equal(count, left);
    if (count > 0)
        assert_int_equal(rows[0].id.window_ns, TEST_WINDOW_NS + first * TEST_HOUR_NS);
    slg_arena_destroy(arena);
}

/* The shards from `first` on are left, and no others. */
static void run(struct fixture *f, int64_t now_ns, size_t forgotten, int64_t first, size_t left)
{
    run_to(f, now_ns, SLG_OK, forgotten, first, left);
}

/* DIRECTORY/shards/[prefix]NAME of a shard, with a directory in it that slg_disk_remove_directory leaves alone. */
static void put_obstacle(struct fixture *f, const char *prefix, int64_t window_index)
{
    struct slg_shard_id id = test_shard(window_index);
    char shards[1024], name[128], shard[1024], obstacle[1024];

    (void)snprintf(name, sizeof(name), "%s%s", prefix, slg_shard_name_of(&id).text);
    test_join(shards, f->directory, "shards");
    test_join(shard, shards, name);
    test_join(obstacle, shard, "backup");
    assert_true(mkdir(shard, 0700) == 0 || errno == EEXIST);
    assert_int_equal(mkdir(obstacle, 0700), 0);
}

static void test_by_time(void **state)
{
    int64_t expiry_ns = TEST_WINDOW_NS + TEST_HOUR_NS + 10 * DAY_NS; /* of the first window */
    struct fixture f;

    (void)state;
    set_up(&f, 10);
    run(&f, expiry_ns - 1, 0, 0, 10);
    run(&f, expiry_ns, 1, 1, 9);
    run(&f, expiry_ns + TEST_HOUR_NS, 1, 2, 8);
    /* a clock that jumps by years takes 4 windows of the hour, also across restarts */
    run(&f, expiry_ns + 1000 * DAY_NS, 4, 6, 4);
    run(&f, expiry_ns + 1000 * DAY_NS + 1, 0, 6, 4);
    slg_catalogue_destroy(f.catalogue);
    open_data(&f);
    run(&f, expiry_ns + 1000 * DAY_NS + 2, 0, 6, 4);
    run(&f, expiry_ns + 1000 * DAY_NS + TEST_HOUR_NS, 4, 0, 0);
    tear_down(&f);
}

/* A clock that jumped, and is right again: the shards that were wanted, and were pinned, live on. Nothing of their
 * windows went, so others may go. */
static void test_pinned_is_left_alone(void **state)
{
    int64_t expiry_ns = TEST_WINDOW_NS + TEST_HOUR_NS + 10 * DAY_NS; /* of the first window */
    struct slg_shard *pinned[3], *again;
    struct fixture f;

    (void)state;
    set_up(&f, 10);
    for (int64_t i = 0; i < 3; i++) {
        struct slg_shard_id id = test_shard(i);

        assert_int_equal(slg_catalogue_pin(f.catalogue, &id, false, &pinned[i], NULL), SLG_OK);
    }
    for (int64_t i = 0; i < 6; i++)
        run(&f, expiry_ns + 2 * TEST_HOUR_NS + i, 0, 0, 10); /* three windows, all of them pinned */
    run(&f, expiry_ns + 1000 * DAY_NS, 4, 0, 6);
    for (size_t i = 0; i < 3; i++) {
        struct slg_shard_id id = test_shard((int64_t)i);

        slg_catalogue_unpin(f.catalogue, pinned[i]);
        assert_int_equal(slg_catalogue_pin(f.catalogue, &id, true, &again, NULL), SLG_OK);
        slg_catalogue_unpin(f.catalogue, again);
    }
    run(&f, expiry_ns - 1, 0, 0, 6);
    run(&f, expiry_ns + 2 * TEST_HOUR_NS, 3, 7, 3);
    tear_down(&f);
}

/* Files that stay keep no shard, a shard that stays keeps no other, by time and by bytes. */
static void test_what_stays_keeps_no_other(void **state)
{
    int64_t expiry_ns = TEST_WINDOW_NS + TEST_HOUR_NS + 10 * DAY_NS; /* of the first window */
    struct fixture f;

    (void)state;
    set_up(&f, 12);
    put_obstacle(&f, "", 0);
    run(&f, expiry_ns, 1, 1, 11); /* what is left of it is no shard */
    put_obstacle(&f, "dead-", 1); /* in the way of the rename */
    put_obstacle(&f, "dead-", 2);
    run_to(&f, expiry_ns + 1000 * DAY_NS, SLG_IO, 4, 1, 7);
    run(&f, expiry_ns + 1000 * DAY_NS + 1, 0, 1, 7); /* 4 of this hour */
    f.retention.bytes_max = 1;
    run_to(&f, TEST_WINDOW_NS + 10 * TEST_HOUR_NS, SLG_IO, 3, 1, 4);
    tear_down(&f);
}

/* Windows shorter than an hour expire faster than 4 an hour. */
static void test_short_windows(void **state)
{
    static const struct {
        const char *name;
        int64_t length_ns;
        size_t want;
    } rows[] = {
        { "a quarter", SLG_NS_PER_SEC * 900, 16 },
        { "25 minutes", SLG_NS_PER_SEC * 1500, 12 },
        { "a day", DAY_NS, 4 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct fixture f;
        size_t forgotten;

        set_up(&f, 0);
        for (int64_t k = 0; k < 17; k++) {
            struct slg_shard_id id = { .window_ns = k * rows[i].length_ns,
                                       .length_ns = rows[i].length_ns,
                                       .slot_count = 1 };
            struct slg_shard *shard;

            assert_int_equal(slg_catalogue_pin(f.catalogue, &id, true, &shard, NULL), SLG_OK);
            slg_catalogue_unpin(f.catalogue, shard);
        }
        assert_int_equal(slg_retention_run(&f.retention, 1000 * DAY_NS, &forgotten, NULL), SLG_OK);
        CHECK(rows[i].name, forgotten == rows[i].want);
        tear_down(&f);
    }
}

static void test_by_keep_from(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, 10);
    f.changed.keep_from_ns = TEST_WINDOW_NS + 7 * TEST_HOUR_NS + 1;
    run(&f, TEST_WINDOW_NS + 10 * TEST_HOUR_NS, 7, 7, 3);
    tear_down(&f);
}

static void test_by_bytes(void **state)
{
    struct slg_shard_id id = test_shard(0);
    struct fixture f;
    uint64_t one;

    (void)state;
    set_up(&f, 10);
    one = slg_catalogue_used_bytes(f.catalogue, &id);
    assert_true(one > 0);
    f.retention.bytes_max = one * 4 + one / 2;
    run(&f, TEST_WINDOW_NS + 10 * TEST_HOUR_NS, 6, 6, 4);
    assert_int_equal(slg_catalogue_keep_from_ns(f.catalogue), TEST_WINDOW_NS + 6 * TEST_HOUR_NS);
    f.retention.bytes_max = 1; /* the window of now stays */
    run(&f, TEST_WINDOW_NS + 9 * TEST_HOUR_NS + 1, 3, 9, 1);
    tear_down(&f);
}

/* It is remembered, and only grows: what peers still have must not come back (storer/admit.h, storer/repair.c). */
static void test_what_went_by_bytes_stays_away(void **state)
{
    const int64_t keep_from_ns = TEST_WINDOW_NS + 9 * TEST_HOUR_NS;
    struct fixture f;

    (void)state;
    set_up(&f, 10);
    f.retention.bytes_max = 1;
    run(&f, TEST_WINDOW_NS + 9 * TEST_HOUR_NS + 1, 9, 9, 1);
    assert_int_equal(slg_catalogue_keep_from_ns(f.catalogue), keep_from_ns);
    slg_catalogue_destroy(f.catalogue);
    open_data(&f);
    assert_int_equal(slg_catalogue_keep_from_ns(f.catalogue), keep_from_ns);
    f.retention.bytes_max = UINT64_MAX;
    run(&f, TEST_WINDOW_NS + 9 * TEST_HOUR_NS + 1, 0, 9, 1);
    assert_int_equal(slg_catalogue_keep_from_ns(f.catalogue), keep_from_ns);
    assert_int_equal(slg_admit_cutoff_ns(&f.changed, keep_from_ns, keep_from_ns), keep_from_ns);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_time),
        cmocka_unit_test(test_pinned_is_left_alone),
        cmocka_unit_test(test_what_stays_keeps_no_other),
        cmocka_unit_test(test_short_windows),
        cmocka_unit_test(test_by_keep_from),
        cmocka_unit_test(test_by_bytes),
        cmocka_unit_test(test_what_went_by_bytes_stays_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
