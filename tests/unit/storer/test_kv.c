/* An environment keeps what was committed, maps every failure to its own status, and is never opened when touching
 * its map would fault. Oracle: the header's promises; files cut and altered by hand. */
#include "tests/helper/storer.h"

#include "storer/kv.h"

static const char *const tables[] = { "one", "two" };

static struct slg_kv_options options_of(const char *path)
{
    return (struct slg_kv_options){
        .path = path, .map_bytes = 1 << 20, .tables = tables, .table_count = 2, .create = true
    };
}

static char *path_in(const char *directory)
{
    char *path = malloc(512);

    assert_non_null(path);
    (void)snprintf(path, 512, "%s/file.lmdb", directory);
    return path;
}

static void put_one(struct slg_kv *kv, uint8_t key, const void *value, size_t len)
{
    struct slg_kv_txn *txn;

    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_put(txn, 0, SLG_KV_PUT, &key, 1, value, len), SLG_OK);
    assert_int_equal(slg_kv_commit(txn, NULL), SLG_OK);
}

static void test_what_was_committed_is_there(void **state)
{
    char *directory = test_make_directory();
    char *path = path_in(directory);
    struct slg_kv_options options = options_of(path);
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    struct slg_kv_txn *txn;
    struct slg_kv *kv;

    (void)state;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_OK);
    for (uint8_t i = 1; i <= 5; i++)
        put_one(kv, i, &i, 1);
    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_put(txn, 0, SLG_KV_APPEND, "\x03", 1, "x", 1), SLG_INVALID);
    assert_int_equal(slg_kv_put(txn, 1, SLG_KV_PUT, "z", 1, "lost", 4), SLG_OK);
    slg_kv_abort(txn);
    assert_true(slg_kv_bytes(kv) >= 4096);
    slg_kv_close(kv);

    options.create = false;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_OK);
    assert_int_equal(slg_kv_begin_read(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_get(txn, 1, "z", 1, &value), SLG_NOT_FOUND);
    assert_int_equal(slg_kv_get(txn, 0, "\x04", 1, &value), SLG_OK);
    assert_int_equal(value.at[0], 4);
    assert_int_equal(slg_kv_cursor_open(txn, 0, &cursor), SLG_OK);
    assert_int_equal(slg_kv_cursor_seek(cursor, "\x02", 1, &key, &value), SLG_OK);
    assert_int_equal(key.at[0], 2);
    assert_int_equal(slg_kv_cursor_next(cursor, &key, &value), SLG_OK);
    assert_int_equal(key.at[0], 3);
    assert_int_equal(slg_kv_cursor_previous(cursor, &key, &value), SLG_OK);
    assert_int_equal(key.at[0], 2);
    assert_int_equal(slg_kv_cursor_last(cursor, &key, &value), SLG_OK);
    assert_int_equal(key.at[0], 5);
    assert_int_equal(slg_kv_cursor_next(cursor, &key, &value), SLG_NOT_FOUND);
    assert_int_equal(slg_kv_cursor_seek(cursor, "\x09", 1, &key, &value), SLG_NOT_FOUND);
    slg_kv_cursor_close(cursor);
    slg_kv_abort(txn);
    slg_kv_close(kv);
    free(path);
    test_drop_directory(directory);
}

static void test_full_map_is_a_limit(void **state)
{
    char *directory = test_make_directory();
    char *path = path_in(directory);
    struct slg_kv_options options = options_of(path);
    static const uint8_t value[65536];
    enum slg_status status = SLG_OK;
    struct slg_kv_txn *txn;
    struct slg_kv *kv;

    (void)state;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_OK);
    put_one(kv, 1, "kept", 4);
    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    for (uint8_t i = 2; status == SLG_OK && i < 100; i++)
        status = slg_kv_put(txn, 0, SLG_KV_PUT, &i, 1, value, sizeof(value));
    assert_int_equal(status, SLG_LIMIT);
    slg_kv_abort(txn);
    put_one(kv, 3, "more", 4);
    slg_kv_close(kv);
    free(path);
    test_drop_directory(directory);
}

static const struct damage_case {
    const char *name;
    off_t cut_to;  /* -1: whole */
    off_t zero_at; /* -1: nothing; 16 bytes become zero */
    enum slg_status want;
} damages[] = {
    { "sound", -1, -1, SLG_OK },
    { "empty file", 0, -1, SLG_CORRUPT },
    { "cut in the first meta page", 100, -1, SLG_CORRUPT },
    { "cut in the second meta page", 4100, -1, SLG_CORRUPT },
    { "cut after the meta pages", 8192, -1, SLG_CORRUPT },
    { "half the pages", 65536, -1, SLG_CORRUPT },
    { "no magic in the first meta page", -1, 16, SLG_CORRUPT },
    { "no magic in the second meta page", -1, 4096 + 16, SLG_CORRUPT },
};

static void test_damaged_files_are_refused(void **state)
{
    static const uint8_t value[200000];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(damages); i++) {
        const struct damage_case *row = &damages[i];
        char *directory = test_make_directory();
        char *path = path_in(directory);
        struct slg_kv_options options = options_of(path);
        struct slg_kv *kv = NULL;
        int fd;

        assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_OK);
        put_one(kv, 1, value, sizeof(value));
        slg_kv_close(kv);
        fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        if (row->cut_to >= 0)
            assert_int_equal(ftruncate(fd, row->cut_to), 0);
        if (row->zero_at >= 0)
            assert_int_equal(pwrite(fd, value, 16, row->zero_at), 16);
        close(fd);
        kv = NULL;
        options.create = false;
        CHECK(row->name, slg_kv_open(&options, &kv, NULL) == row->want);
        CHECK(row->name, (kv != NULL) == (row->want == SLG_OK));
        slg_kv_close(kv);
        free(path);
        test_drop_directory(directory);
    }
}

static void test_missing_file(void **state)
{
    char *directory = test_make_directory();
    char *path = path_in(directory);
    struct slg_kv_options options = options_of(path);
    struct slg_kv *kv = NULL;

    (void)state;
    options.create = false;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_NOT_FOUND);
    assert_null(kv);
    free(path);
    test_drop_directory(directory);
}

struct fault {
    struct slg_kv_faults faults;
    enum slg_kv_step step;
};

static enum slg_status check(struct slg_kv_faults *faults, enum slg_kv_step step)
{
    return ((struct fault *)faults)->step == step ? SLG_IO : SLG_OK;
}

static void test_faults_come_where_they_are_asked_for(void **state)
{
    char *directory = test_make_directory();
    char *path = path_in(directory);
    struct fault fault = { .faults = { .check = check }, .step = SLG_KV_STEP_OPEN };
    struct slg_kv_options options = options_of(path);
    struct slg_kv_bytes value;
    struct slg_kv_txn *txn;
    struct slg_kv *kv = NULL;

    (void)state;
    options.faults = &fault.faults;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_IO);
    fault.step = SLG_KV_STEP_COMMIT;
    assert_int_equal(slg_kv_open(&options, &kv, NULL), SLG_OK);
    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_put(txn, 0, SLG_KV_PUT, "a", 1, "a", 1), SLG_OK);
    assert_int_equal(slg_kv_commit(txn, NULL), SLG_IO);
    fault.step = SLG_KV_STEP_COMMITTED;
    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_put(txn, 0, SLG_KV_PUT, "b", 1, "b", 1), SLG_OK);
    assert_int_equal(slg_kv_commit(txn, NULL), SLG_IO);
    fault.step = SLG_KV_STEP_PUT;
    assert_int_equal(slg_kv_begin_write(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_put(txn, 0, SLG_KV_PUT, "c", 1, "c", 1), SLG_IO);
    slg_kv_abort(txn);
    assert_int_equal(slg_kv_begin_read(kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_kv_get(txn, 0, "a", 1, &value), SLG_NOT_FOUND);
    assert_int_equal(slg_kv_get(txn, 0, "b", 1, &value), SLG_OK);
    slg_kv_abort(txn);
    slg_kv_close(kv);
    free(path);
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_committed_is_there),
        cmocka_unit_test(test_full_map_is_a_limit),
        cmocka_unit_test(test_damaged_files_are_refused),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_faults_come_where_they_are_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
