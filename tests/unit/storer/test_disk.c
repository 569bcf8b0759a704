/* Small files change whole or not at all; directories are made and removed. Oracle: the file system, looked at. */
#include "tests/helper/storer.h"

#include "storer/disk.h"

static void test_write_and_read(void **state)
{
    char *directory = test_make_directory();
    struct slg_buf out, failed;

    (void)state;
    assert_int_equal(slg_disk_read(directory, "file", &out, NULL), SLG_NOT_FOUND);
    slg_buf_fini(&out);
    assert_int_equal(slg_disk_write(directory, "file", "one", 3, NULL), SLG_OK);
    assert_int_equal(slg_disk_write(directory, "file.new", "left by a crash", 15, NULL), SLG_OK);
    slg_buf_init(&out, 6);
    slg_buf_append_text(&out, "second");
    assert_int_equal(slg_disk_write_buf(directory, "file", &out, NULL), SLG_OK);
    slg_buf_fini(&out);
    slg_buf_init(&failed, 1);
    slg_buf_append_text(&failed, "more than its maximum");
    assert_int_equal(slg_disk_write_buf(directory, "file", &failed, NULL), SLG_NO_MEMORY);
    slg_buf_fini(&failed);
    assert_int_equal(slg_disk_read(directory, "file.new", &out, NULL), SLG_NOT_FOUND);
    slg_buf_fini(&out);
    assert_int_equal(slg_disk_read(directory, "file", &out, NULL), SLG_OK);
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
    assert_int_equal(slg_disk_write(directory, "file", big, SLG_DISK_SMALL_BYTES_MAX + 1, NULL),
                     SLG_OK);
    assert_int_equal(slg_disk_write(directory, long_name, "x", 1, &err), SLG_LIMIT);
    assert_int_equal(slg_disk_read(directory, "file", &out, &err), SLG_LIMIT);
    assert_int_equal(slg_disk_make_directory(path.text, &err), SLG_IO); /* a file is there */
    assert_int_equal(slg_disk_write(path.text, "x", "x", 1, &err), SLG_IO);
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
