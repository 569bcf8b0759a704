/* A whole file is read, or the reason is told: not there, not to be read, too large.
 * Oracle: files made here. */
#include "tests/helper/test.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static const struct file_case {
    const char *name;
    size_t size, bytes_max, room;
    enum slg_status want;
} cases[] = {
    { "empty", 0, 10, 100, SLG_OK },
    { "small", 7, 10, 100, SLG_OK },
    { "exactly the bound", 10, 10, 100, SLG_OK },
    { "one over the bound", 11, 10, 100, SLG_LIMIT },
    { "many reads", 10000, 10000, 10000, SLG_OK },
    { "no room in the buffer", 5000, 10000, 4096, SLG_LIMIT },
};

static void test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        char path[] = "/tmp/silage_test_file_XXXXXX";
        int fd = mkstemp(path);
        struct slg_buf out;

        assert_true(fd >= 0);
        for (size_t k = 0; k < cases[i].size; k++)
            assert_int_equal(write(fd, &"abcdefg"[k % 7], 1), 1);
        slg_buf_init(&out, cases[i].room);
        CHECK(cases[i].name, slg_file_read(path, cases[i].bytes_max, &out, NULL) == cases[i].want);
        for (size_t k = 0; cases[i].want == SLG_OK && k < cases[i].size; k++)
            assert_int_equal(out.data[k], "abcdefg"[k % 7]);
        if (cases[i].want == SLG_OK)
            CHECK(cases[i].name, out.len == cases[i].size);
        slg_buf_fini(&out);
        assert_int_equal(unlink(path), 0);
        close(fd);
    }
}

static void test_failures(void **state)
{
    struct slg_error err = { 0 };
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 100);
    assert_int_equal(slg_file_read("/nonexistent/x", 10, &out, &err), SLG_NOT_FOUND);
    assert_string_equal(err.message,
                        "could not open \"/nonexistent/x\": No such file or directory");
    assert_int_equal(slg_file_read("/", 10, &out, &err), SLG_IO); /* opens, but cannot be read */
    assert_string_equal(err.message, "could not read \"/\": Is a directory");
    slg_buf_fini(&out);
}

/* In a child, for the test wants its own. */
static void test_standard_descriptors_are_filled(void **state)
{
    int status = 0;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        struct stat null_file, found;
        int next;

        (void)close(0);
        (void)close(2);
        if (!slg_file_fill_standard() || stat("/dev/null", &null_file) != 0)
            _exit(1);
        for (int fd = 0; fd <= 2; fd += 2)
            if (fstat(fd, &found) != 0 || found.st_rdev != null_file.st_rdev)
                _exit(2);
        next = dup(1); /* nothing else stays open */
        _exit(next > 2 && slg_file_fill_standard() && close(next) == 0 && dup(1) == next ? 0 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_standard_descriptors_are_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
