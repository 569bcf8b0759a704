/* Small files change whole or not at all; directories are made and removed. Oracle: the file system, looked at. */
#include "tests/helper/storer.h"

#include "storer/disk.h"

static void test_write_and_read(void **state)
{
    char *directory = test_make_directory();
    struct slg_disk_path path, fresh;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX + 4096);
    assert_int_equal(slg_disk_join(&path, directory, "file", NULL), SLG_OK);
    assert_int_equal(slg_disk_join(&fresh, directory, "file.new", NULL), SLG_OK);
    assert_int_equal(slg_disk_read(path.text, &out, NULL), SLG_NOT_FOUND);
    assert_int_equal(slg_disk_write(path.text, "one", 3, NULL), SLG_OK);
    assert_int_equal(slg_disk_write(fresh.text, "left by a crash", 15, NULL), SLG_OK);
    assert_int_equal(slg_disk_write(path.text, "second", 6, NULL), SLG_OK);
    assert_int_not_equal(access(fresh.text, F_OK), 0);
    assert_int_equal(slg_disk_read(path.text, &out, NULL), SLG_OK);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, "second", 6);
    assert_true(slg_disk_used_bytes(directory) > 0);
    assert_int_equal(slg_disk_remove_directory(directory, NULL), SLG_OK);
    assert_int_equal(slg_disk_remove_directory(directory, NULL), SLG_OK);
    assert_int_equal(slg_disk_used_bytes(directory), 0);
    slg_buf_fini(&out);
    free(directory);
}

static void test_refusals(void **state)
{
    char *directory = test_make_directory();
    char *long_name = calloc(1, SLG_DISK_PATH_BYTES_MAX + 1);
    uint8_t *big = calloc(1, SLG_DISK_SMALL_BYTES_MAX + 1);
    struct slg_disk_path path, below;
    struct slg_disk_room room;
    struct slg_error err;
    struct slg_buf out;

    (void)state;
    assert_non_null(long_name);
    assert_non_null(big);
    memset(long_name, 'x', SLG_DISK_PATH_BYTES_MAX);
    assert_int_equal(slg_disk_join(&path, directory, long_name, &err), SLG_LIMIT);
    assert_int_equal(slg_disk_join(&path, directory, "file", NULL), SLG_OK);
    assert_int_equal(slg_disk_write(path.text, big, SLG_DISK_SMALL_BYTES_MAX + 1, NULL), SLG_OK);
    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX + 4096);
    assert_int_equal(slg_disk_read(path.text, &out, &err), SLG_LIMIT);
    assert_int_equal(slg_disk_make_directory(path.text, &err), SLG_IO); /* a file is there */
    assert_int_equal(slg_disk_join(&below, path.text, "x", NULL), SLG_OK);
    assert_int_equal(slg_disk_write(below.text, "x", 1, &err), SLG_IO);
    assert_non_null(strstr(err.message, "could not create"));
    assert_int_equal(slg_disk_join(&below, directory, "sub", NULL), SLG_OK);
    assert_int_equal(slg_disk_make_directory(below.text, &err), SLG_OK);
    assert_int_equal(slg_disk_make_directory(below.text, &err), SLG_OK);
    assert_int_equal(slg_disk_remove_directory(directory, &err),
                     SLG_IO); /* not a shard: has a directory */
    assert_int_equal(slg_disk_room(directory, &room, &err), SLG_OK);
    assert_true(room.total_bytes >= room.free_bytes);
    assert_int_equal(slg_disk_room("/nowhere/at/all", &room, &err), SLG_IO);
    slg_buf_fini(&out);
    free(big);
    free(long_name);
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
