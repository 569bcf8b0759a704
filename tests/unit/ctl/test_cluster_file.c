/* A local cluster comes back from its file as it was saved; broken files are refused by name; the lock is held by one.
 * Oracle: field by field comparison; flock(2) of another descriptor. */
#include "tests/helper/test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "ctl/cluster_file.h"

static void test_saved_and_loaded(void **state)
{
    char dir[] = "/tmp/silage-local-XXXXXX", path[64];
    struct slg_local_cluster made, found;
    struct slg_local_process *process;
    struct slg_error error;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/cluster.json", dir); /* 38 bytes */
    assert_int_equal(slg_local_load(&found, dir, &error), SLG_NOT_FOUND);
    slg_local_fini(&found);
    assert_int_equal(slg_local_init(&made, dir, &error), SLG_OK);
    made.id = "c \"1\"";
    made.process_count = 2;
    made.processes[0] = (struct slg_local_process){ .name = "storer-1",
                                                    .role = "storer",
                                                    .pid = 4711,
                                                    .data_dir = "/d",
                                                    .http = "http://127.0.0.1:1",
                                                    .argv = { "silage", "storer" },
                                                    .argc = 2 };
    made.processes[1] = (struct slg_local_process){
        .name = "ingester-1", .role = "ingester", .argv = { "silage" }, .argc = 1
    };
    assert_int_equal(slg_local_save(&made, &error), SLG_OK);
    assert_int_equal(slg_local_load(&found, dir, &error), SLG_OK);
    assert_string_equal(found.id, made.id);
    assert_int_equal(found.process_count, 2);
    process = slg_local_find(&found, "storer-1");
    assert_non_null(process);
    assert_string_equal(process->role, "storer");
    assert_int_equal(process->pid, 4711);
    assert_string_equal(process->data_dir, "/d");
    assert_null(process->push);
    assert_int_equal(process->argc, 2);
    assert_string_equal(process->argv[1], "storer");
    assert_null(slg_local_find(&found, "storer"));
    slg_local_fini(&found);
    slg_local_fini(&made);
    (void)unlink(path);
    (void)rmdir(dir);
}

static void test_broken_files(void **state)
{
    static const char *const broken[] = { "", "{", "[]", "{\"cluster\":1}",
                                          "{\"cluster\":\"c\",\"processes\":3}" };
    char dir[] = "/tmp/silage-local-XXXXXX", path[64];
    struct slg_local_cluster found;
    struct slg_error error;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/cluster.json", dir); /* 38 bytes */
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        FILE *file = fopen(path, "w");

        assert_non_null(file);
        assert_true(fputs(broken[i], file) >= 0 && fclose(file) == 0);
        CHECK(broken[i], slg_local_load(&found, dir, &error) != SLG_OK);
        CHECK(broken[i], strstr(error.message, path) != NULL);
        slg_local_fini(&found);
    }
    (void)unlink(path);
    (void)rmdir(dir);
}

static void test_lock(void **state)
{
    char dir[] = "/tmp/silage-local-XXXXXX", path[64];
    struct slg_error error;
    int lock = -1, other;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/lock", dir); /* 30 bytes */
    assert_int_equal(slg_local_lock(dir, &lock, &error), SLG_OK);
    other = open(path, O_RDWR);
    assert_true(other >= 0);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
    slg_local_unlock(lock);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    (void)close(other);
    (void)unlink(path);
    (void)rmdir(dir);
    assert_int_equal(slg_local_lock(dir, &lock, &error), SLG_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_and_loaded),
        cmocka_unit_test(test_broken_files),
        cmocka_unit_test(test_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
