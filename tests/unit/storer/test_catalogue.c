/* The catalogue knows every shard of a directory without opening it, opens few at a time, remembers what closed ones
 * held, forgets whole shards, and puts damaged ones aside. Covers: storer/catalogue.c
 * Covers: storer/catalogue_damage.c storer/catalogue_forget.c storer/catalogue_storage.c storer/quarantine.c
 * Oracle: what was put through slg_shard. */
#include "tests/helper/storer.h"

#include "storer/catalogue.h"
#include "storer/catalogue_damage.h"
#include "storer/catalogue_forget.h"
#include "storer/catalogue_storage.h"
#include "storer/quarantine.h"

#define MAP_BYTES ((size_t)1 << 20)

static struct slg_catalogue *open_catalogue(const char *directory, size_t open_count_max)
{
    const struct slg_catalogue_options options = { .data_dir = directory,
                                                   .map_bytes = MAP_BYTES,
                                                   .open_count_max = open_count_max };
    struct slg_catalogue *catalogue = NULL;
    struct slg_error err = { .message = "" };

    if (slg_catalogue_create(&options, &catalogue, &err) != SLG_OK)
        print_error("%s\n", err.message);
    assert_non_null(catalogue);
    return catalogue;
}

static void store(struct slg_catalogue *catalogue, const struct slg_shard_id *id, uint64_t sequence)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_batch_header header;
    struct slg_shard_write *write;
    struct slg_shard *shard;
    enum slg_shard_put put;
    struct slg_buf batch;

    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, id, 1, sequence, "x");
    assert_int_equal(slg_batch_read_header(arena, batch.data, batch.len, &header), SLG_OK);
    assert_int_equal(slg_catalogue_pin(catalogue, id, true, &shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_begin(shard, &write, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_put(write, &header, batch.data, batch.len, &put), SLG_OK);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_catalogue_unpin(catalogue, shard);
    slg_buf_fini(&batch);
    slg_arena_destroy(arena);
}

static uint64_t held_count(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_shard_totals totals;

    assert_int_equal(slg_catalogue_totals(catalogue, id, &totals, set, NULL), SLG_OK);
    assert_int_equal(totals.digest.count, slg_batch_set_count(set));
    slg_batch_set_destroy(set);
    return totals.digest.count;
}

static void test_few_are_open_and_none_is_lost(void **state)
{
    enum { SHARD_COUNT = 20 };
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    uint64_t counter = slg_catalogue_storage(catalogue)->counter;
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_catalogue_row *rows;
    uint8_t storage_id[16];
    size_t count;

    (void)state;
    memcpy(storage_id, slg_catalogue_storage(catalogue)->id, sizeof(storage_id));
    for (uint64_t round = 1; round <= 3; round++)
        for (int64_t i = 0; i < SHARD_COUNT; i++) {
            struct slg_shard_id id = test_shard(i);

            store(catalogue, &id, round);
            assert_true(slg_catalogue_count(catalogue).open_count <= 4);
            assert_int_equal(held_count(catalogue, &id), round);
        }
    for (int64_t i = 0; i < SHARD_COUNT; i++)
        assert_int_equal(held_count(catalogue, &(struct slg_shard_id){ test_shard(i).window_ns,
                                                                       TEST_HOUR_NS, 0, 1 }),
                         3);
    slg_catalogue_close_idle(catalogue, slg_clock_mono_ns(slg_clock_system()), 0);
    assert_int_equal(slg_catalogue_count(catalogue).open_count, 0);
    slg_catalogue_destroy(catalogue);

    catalogue = open_catalogue(directory, 4);
    assert_int_equal(slg_catalogue_count(catalogue).open_count, 0);
    assert_int_equal(slg_catalogue_count(catalogue).shard_count, SHARD_COUNT);
    assert_memory_equal(slg_catalogue_storage(catalogue)->id, storage_id, sizeof(storage_id));
    assert_int_equal(slg_catalogue_storage(catalogue)->counter,
                     counter); /* a start does not raise it */
    assert_int_equal(slg_catalogue_list(catalogue, TEST_WINDOW_NS + TEST_HOUR_NS,
                                        TEST_WINDOW_NS + 3 * TEST_HOUR_NS, arena, &rows, &count),
                     SLG_OK);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].id.window_ns, TEST_WINDOW_NS + TEST_HOUR_NS);
    for (int64_t i = 0; i < SHARD_COUNT; i++) {
        struct slg_shard_id id = test_shard(i);

        assert_int_equal(held_count(catalogue, &id), 3);
    }
    slg_catalogue_destroy(catalogue);
    slg_arena_destroy(arena);
    test_drop_directory(directory);
}

static void test_one_process_at_a_time(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    const struct slg_catalogue_options options = { .data_dir = directory,
                                                   .map_bytes = MAP_BYTES,
                                                   .open_count_max = 4 };
    struct slg_catalogue *second = NULL;

    (void)state;
    assert_int_equal(slg_catalogue_create(&options, &second, NULL), SLG_UNAVAILABLE);
    assert_null(second);
    slg_catalogue_destroy(catalogue);
    assert_int_equal(slg_catalogue_create(&options, &second, NULL), SLG_OK);
    slg_catalogue_destroy(second);
    test_drop_directory(directory);
}

static void test_forgotten_is_gone(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id first = test_shard(0), second = test_shard(1);
    struct slg_shard_totals totals;
    struct slg_shard *shard;

    (void)state;
    store(catalogue, &first, 1);
    store(catalogue, &second, 1);
    assert_true(slg_catalogue_used_bytes(catalogue, &first) > 0);
    assert_int_equal(slg_catalogue_pin(catalogue, &first, false, &shard, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_forget(catalogue, &first, NULL), SLG_AGAIN); /* I2: pinned */
    assert_int_equal(held_count(catalogue, &first),
                     1); /* who asked to forget it may not ask again */
    slg_catalogue_unpin(catalogue, shard);
    assert_int_equal(held_count(catalogue, &first), 1);
    store(catalogue, &first, 2);
    assert_int_equal(slg_catalogue_forget(catalogue, &first, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_forget(catalogue, &first, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_totals(catalogue, &first, &totals, NULL, NULL), SLG_NOT_FOUND);
    assert_int_equal(held_count(catalogue, &second), 1);
    slg_catalogue_destroy(catalogue);
    catalogue = open_catalogue(directory, 4);
    assert_int_equal(slg_catalogue_count(catalogue).shard_count, 1);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

/* A crash between rename and unlink: the remains are no shard, and go with the next sweep. */
static void test_remains_are_swept(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id id = test_shard(0);
    char shards[1024], alive[1024], dead[1024];

    (void)state;
    store(catalogue, &id, 1);
    slg_catalogue_destroy(catalogue);
    test_join(shards, directory, "shards");
    test_join(alive, shards, slg_shard_name_of(&id).text);
    test_join(dead, shards, "dead-1767225600-3600-0of1");
    assert_int_equal(rename(alive, dead), 0);
    catalogue = open_catalogue(directory, 4);
    assert_int_equal(slg_catalogue_count(catalogue).shard_count, 0);
    slg_catalogue_sweep(catalogue);
    assert_int_not_equal(access(dead, F_OK), 0);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

static void write_note(const char *directory, const struct slg_shard_id *id, uint8_t crash_count)
{
    struct slg_opening opening = { .crash_count = crash_count };
    uint8_t bytes[SLG_OPENING_BYTES];
    char path[1024];
    FILE *file;

    memcpy(opening.name, slg_shard_name_of(id).text, sizeof(opening.name));
    slg_opening_encode(bytes, &opening);
    test_join(path, directory, "opening");
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof(bytes), file), sizeof(bytes));
    fclose(file);
}

static enum slg_shard_doubt doubt_of(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct slg_shard_totals totals;

    assert_int_equal(slg_catalogue_totals(catalogue, id, &totals, NULL, NULL), SLG_OK);
    return totals.doubt;
}

/* The copy is empty and does not vouch, what it was lies in quarantine, and other shards go on. */
static void check_quarantined(const char *name, const char *directory,
                              struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                              const char *reason)
{
    static struct slg_quarantine_row rows[SLG_QUARANTINE_COUNT_MAX];

    CHECK(name, doubt_of(catalogue, id) == SLG_SHARD_DOUBT_REFILLING);
    CHECK(name, held_count(catalogue, id) == 0);
    CHECK(name, slg_quarantine_list(directory, rows) == 1);
    CHECK(name, slg_shard_id_compare(&rows[0].shard, id) == 0);
    CHECK(name, rows[0].bytes > 0 && rows[0].since_ns > 0);
    CHECK(name, strstr(rows[0].reason, reason) != NULL);
}

static void test_h20_two_crashes_over_one_shard_quarantine_it(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id id = test_shard(0), other = test_shard(1);
    struct slg_shard *shard;

    (void)state;
    store(catalogue, &id, 1);
    store(catalogue, &other, 1);
    slg_catalogue_destroy(catalogue);
    write_note(directory, &id, 1); /* one crash: it is tried again */
    catalogue = open_catalogue(directory, 4);
    assert_int_equal(held_count(catalogue, &id), 1);
    assert_int_equal(doubt_of(catalogue, &id), SLG_SHARD_DOUBT_NONE);
    slg_catalogue_destroy(catalogue);
    write_note(directory, &id, 2);
    for (int start = 0; start < 2; start++) { /* and stays so */
        catalogue = open_catalogue(directory, 4);
        check_quarantined("crashes", directory, catalogue, &id, "ended the process twice");
        assert_int_equal(held_count(catalogue, &other), 1);
        assert_int_equal(doubt_of(catalogue, &other), SLG_SHARD_DOUBT_NONE);
        slg_catalogue_destroy(catalogue);
    }
    catalogue = open_catalogue(directory, 4);
    store(catalogue, &id, 5); /* it is refilled */
    assert_int_equal(doubt_of(catalogue, &id), SLG_SHARD_DOUBT_REFILLING);
    assert_int_equal(slg_catalogue_pin(catalogue, &id, false, &shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_vouch(shard, NULL), SLG_OK);
    slg_catalogue_unpin(catalogue, shard);
    assert_int_equal(doubt_of(catalogue, &id), SLG_SHARD_DOUBT_NONE);
    slg_catalogue_destroy(catalogue);
    catalogue = open_catalogue(directory, 4);
    assert_int_equal(doubt_of(catalogue, &id), SLG_SHARD_DOUBT_NONE);
    assert_int_equal(held_count(catalogue, &id), 1);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

/* Files that are damaged are put aside when they are met, whoever opens the shard. */
static const struct damage_case {
    const char *name;
    const char *file;
    off_t offset; /* of 16 bytes of noise; -1: the file goes; below: it is cut there */
    bool write;   /* a writer meets it */
    const char *reason;
} damages[] = {
    { "manifest altered", "manifest", 10, false, "manifest" },
    { "manifest lost", "manifest", -1, true, "lost its manifest" },
    { "generation lost", "g0000000001.lmdb", -1, false, "missing" },
    { "meta page altered", "g0000000001.lmdb", 16, true, "no LMDB" },
    { "generation cut", "g0000000001.lmdb", -4097, false, "LMDB" },
};

static void damage(const char *path, off_t offset)
{
    int fd;

    if (offset == -1) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    if (offset < 0)
        assert_int_equal(ftruncate(fd, -offset), 0);
    else
        assert_int_equal(pwrite(fd, "\xff noise \x01\x02\x03\x04\x05\x06\x07", 16, offset), 16);
    (void)close(fd);
}

static void test_damaged_files_are_put_aside(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(damages); i++) {
        char *directory = test_make_directory();
        struct slg_catalogue *catalogue = open_catalogue(directory, 4);
        struct slg_shard_id id = test_shard(0);
        char shards[1024], shard[1024], path[1024];

        store(catalogue, &id, 1);
        slg_catalogue_destroy(catalogue);
        test_join(shards, directory, "shards");
        test_join(shard, shards, slg_shard_name_of(&id).text);
        test_join(path, shard, damages[i].file);
        damage(path, damages[i].offset);
        catalogue = open_catalogue(directory, 4);
        if (damages[i].write) {
            store(catalogue, &id, 9);
            CHECK(damages[i].name, doubt_of(catalogue, &id) == SLG_SHARD_DOUBT_REFILLING);
            CHECK(damages[i].name, held_count(catalogue, &id) == 1);
        } else {
            check_quarantined(damages[i].name, directory, catalogue, &id, damages[i].reason);
        }
        CHECK(damages[i].name, slg_catalogue_count(catalogue).quarantined_count == 1);
        slg_catalogue_destroy(catalogue);
        test_drop_directory(directory);
    }
}

/* A crash at each step of a quarantine: the next start, or the next open, ends it. */
static void test_a_quarantine_is_finished(void **state)
{
    (void)state;
    for (int step = 0; step < 3; step++) {
        char *directory = test_make_directory();
        struct slg_catalogue *catalogue = open_catalogue(directory, 4);
        struct slg_shard_id id = test_shard(0);
        const char *name = slg_shard_name_of(&id).text;
        char shards[1024], alive[1024], quarantine[1024], path[1024], mark[1024];
        char fresh[128];
        FILE *file;

        store(catalogue, &id, 1);
        slg_catalogue_destroy(catalogue);
        test_join(shards, directory, "shards");
        test_join(alive, shards, name);
        assert_int_equal(slg_shard_quarantine(shards, name, "step by step", NULL), SLG_OK);
        if (step >= 1) {
            (void)snprintf(fresh, sizeof(fresh), "fresh-%s", name);
            test_join(path, shards, fresh);
            assert_int_equal(mkdir(path, 0700), 0);
            test_join(mark, path, "refilling");
            file = fopen(mark, "w");
            assert_non_null(file);
            fclose(file);
        }
        if (step >= 2) {
            test_join(quarantine, directory, "quarantine");
            assert_int_equal(mkdir(quarantine, 0700), 0);
            (void)snprintf(fresh, sizeof(fresh), "%s.1767225600", name);
            test_join(path, quarantine, fresh);
            assert_int_equal(rename(alive, path), 0);
        }
        catalogue = open_catalogue(directory, 4);
        check_quarantined("step", directory, catalogue, &id, "step by step");
        slg_catalogue_destroy(catalogue);
        test_drop_directory(directory);
    }
}

static void test_quarantine_has_an_end(void **state)
{
    static struct slg_quarantine_row rows[SLG_QUARANTINE_COUNT_MAX];
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id id = test_shard(0);

    (void)state;
    store(catalogue, &id, 1);
    for (size_t i = 0; i < SLG_QUARANTINE_COUNT_MAX; i++) {
        char name[128];
        char path[1024], inside[1024];

        (void)snprintf(name, sizeof(name), "%s.%zu", slg_shard_name_of(&id).text, 1000 + i);
        test_join(path, directory, "quarantine");
        (void)mkdir(path, 0700);
        test_join(inside, path, name);
        assert_int_equal(mkdir(inside, 0700), 0);
    }
    assert_int_equal(slg_catalogue_quarantine(catalogue, &id, "x", NULL), SLG_LIMIT);
    assert_int_equal(held_count(catalogue, &id), 1);
    assert_int_equal(slg_quarantine_list(directory, rows), SLG_QUARANTINE_COUNT_MAX);
    assert_int_equal(slg_quarantine_remove(directory, rows[0].name, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_quarantine(catalogue, &id, "x", NULL), SLG_OK);
    assert_int_equal(doubt_of(catalogue, &id), SLG_SHARD_DOUBT_REFILLING);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

static void test_reports_are_taken_once(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id id = test_shard(1), none = test_shard(7), found;

    (void)state;
    for (int64_t i = 0; i < 3; i++)
        store(catalogue, &(struct slg_shard_id){ test_shard(i).window_ns, TEST_HOUR_NS, 0, 1 }, 1);
    assert_false(slg_catalogue_take_reported(catalogue, &found));
    slg_catalogue_report(catalogue, &none);
    slg_catalogue_report(catalogue, &id);
    slg_catalogue_report(catalogue, &id);
    assert_true(slg_catalogue_take_reported(catalogue, &found));
    assert_int_equal(slg_shard_id_compare(&found, &id), 0);
    assert_false(slg_catalogue_take_reported(catalogue, &found));
    assert_true(slg_catalogue_next(catalogue, NULL, &found));
    assert_true(slg_catalogue_next(catalogue, &found, &found));
    assert_int_equal(slg_shard_id_compare(&found, &id), 0);
    assert_true(slg_catalogue_next(catalogue, &found, &found));
    assert_false(slg_catalogue_next(catalogue, &found, &found));
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

static void test_broken_is_reopened_by_the_next_pin(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    struct slg_shard_id id = test_shard(0);
    struct slg_shard *shard;

    (void)state;
    store(catalogue, &id, 1);
    assert_int_equal(slg_catalogue_pin(catalogue, &id, false, &shard, NULL), SLG_OK);
    slg_catalogue_unpin_broken(catalogue, shard);
    assert_int_equal(slg_catalogue_count(catalogue).open_count, 0);
    store(catalogue, &id, 2);
    assert_int_equal(held_count(catalogue, &id), 2);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

/* The copy that takes the place of a suspect one is new: it takes writes. */
static void test_a_suspect_copy_is_left_behind(void **state)
{
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    char shards[1024];

    (void)state;
    test_join(shards, directory, "shards");
    for (int64_t i = 0; i < 2; i++) {
        struct slg_shard_id id = test_shard(i);
        struct slg_shard *shard;

        store(catalogue, &id, 1);
        assert_int_equal(slg_catalogue_pin(catalogue, &id, true, &shard, NULL), SLG_OK);
        assert_int_equal(slg_shard_mark_suspect(shard, NULL), SLG_OK);
        slg_catalogue_unpin_broken(catalogue, shard);
        if (i == 0) /* by the scrub, or by the next that opens it */
            assert_int_equal(slg_catalogue_quarantine(catalogue, &id, "a test", NULL), SLG_OK);
        else
            assert_int_equal(
                slg_shard_quarantine(shards, slg_shard_name_of(&id).text, "a test", NULL), SLG_OK);
        store(catalogue, &id, 2);
        assert_int_equal(held_count(catalogue, &id), 1);
    }
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

/* 3,000 shards are known at once: nothing is opened at start. */
static void test_start_does_not_open(void **state)
{
    enum { SHARD_COUNT = 3000 };
    char *directory = test_make_directory();
    struct slg_catalogue *catalogue = open_catalogue(directory, 4);
    int64_t start_ns, end_ns;

    (void)state;
    slg_catalogue_destroy(catalogue);
    for (int64_t i = 0; i < SHARD_COUNT; i++) {
        char shards[1024], path[1024];
        struct slg_shard_id id = test_shard(i);

        test_join(shards, directory, "shards");
        test_join(path, shards, slg_shard_name_of(&id).text);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    start_ns = slg_clock_mono_ns(slg_clock_system());
    catalogue = open_catalogue(directory, 4);
    end_ns = slg_clock_mono_ns(slg_clock_system());
    assert_int_equal(slg_catalogue_count(catalogue).shard_count, SHARD_COUNT);
    assert_int_equal(slg_catalogue_count(catalogue).open_count, 0);
    assert_true(end_ns - start_ns < 2 * SLG_NS_PER_SEC);
    slg_catalogue_destroy(catalogue);
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_are_open_and_none_is_lost),
        cmocka_unit_test(test_one_process_at_a_time),
        cmocka_unit_test(test_forgotten_is_gone),
        cmocka_unit_test(test_remains_are_swept),
        cmocka_unit_test(test_h20_two_crashes_over_one_shard_quarantine_it),
        cmocka_unit_test(test_damaged_files_are_put_aside),
        cmocka_unit_test(test_a_quarantine_is_finished),
        cmocka_unit_test(test_quarantine_has_an_end),
        cmocka_unit_test(test_reports_are_taken_once),
        cmocka_unit_test(test_broken_is_reopened_by_the_next_pin),
        cmocka_unit_test(test_a_suspect_copy_is_left_behind),
        cmocka_unit_test(test_start_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
