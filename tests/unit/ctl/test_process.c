/* A process of a local cluster is ours only while its command line says so; it starts with a log and a null input even
 * where the standard descriptors are closed, and what cannot be started is told with its reason.
 * Oracle: real processes of /bin/sleep and /bin/sh, and what the latter wrote. */
#include "tests/helper/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "ctl/process.h"

#define LONG_NS (20 * SLG_NS_PER_SEC)

static struct slg_local_process sleeper(const char *seconds)
{
    return (struct slg_local_process){ .name = "sleeper",
                                       .role = "storer",
                                       .log = "/dev/null",
                                       .argv = { "/bin/sleep", seconds },
                                       .argc = 2 };
}

static void end(struct slg_local_process *process)
{
    assert_int_equal(slg_process_signal(process, SIGKILL, NULL), SLG_OK);
    assert_true(slg_process_wait_gone(process, LONG_NS));
}

static void test_life(void **state)
{
    struct slg_local_process process = sleeper("600");
    struct slg_error error = { 0 };

    (void)state;
    assert_false(slg_process_alive(&process));
    assert_int_equal(slg_process_spawn(&process, &error), SLG_OK);
    assert_true(process.pid > 0);
    assert_true(process.child);
    assert_true(slg_process_alive(&process));
    assert_int_equal(slg_process_signal(&process, SIGSTOP, &error), SLG_OK);
    assert_true(slg_process_alive(&process));
    assert_false(slg_process_wait_gone(&process, SLG_NS_PER_MS));
    end(&process);
    assert_int_equal(process.pid, 0);
    assert_int_equal(slg_process_signal(&process, SIGTERM, &error), SLG_INVALID);
    assert_string_equal(error.message, "sleeper does not run");
}

/* Rows: what another silagectl reads from cluster.json about one process that runs "/bin/sleep 600". */
static const struct owner_case {
    const char *name;
    const char *argv[6];
    bool ours;
} owners[] = {
    { "the same", { "/bin/sleep", "600" }, true },
    { "behind a launcher", { "/usr/bin/env", "A=b", "/bin/sleep", "600" }, true },
    { "another program", { "/bin/silage", "600" }, false },
    { "another word", { "/bin/sleep", "601" }, false },
    { "one word more", { "/bin/sleep", "600", "1" }, false },
    { "one word less", { "/bin/sleep" }, false },
    { "within a word", { "x/bin/sleep", "600" }, false },
};

static void test_strangers(void **state)
{
    struct slg_local_process child = sleeper("600");

    (void)state;
    assert_int_equal(slg_process_spawn(&child, NULL), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(owners); i++) {
        struct slg_local_process read = { .name = "read", .pid = child.pid };

        for (; owners[i].argv[read.argc] != NULL; read.argc++)
            read.argv[read.argc] = owners[i].argv[read.argc];
        CHECK(owners[i].name, slg_process_alive(&read) == owners[i].ours);
        CHECK(owners[i].name,
              (slg_process_signal(&read, SIGCONT, NULL) == SLG_OK) == owners[i].ours);
    }
    end(&child);
}

static void test_ended_child_of_another(void **state)
{
    struct slg_local_process process = sleeper("600"), read = process;

    (void)state;
    assert_int_equal(slg_process_spawn(&process, NULL), SLG_OK);
    read.pid = process.pid;
    assert_true(slg_process_alive(&read));
    assert_int_equal(slg_process_signal(&process, SIGKILL, NULL), SLG_OK);
    assert_true(slg_process_wait_gone(&read, LONG_NS)); /* a zombie: nobody has waited for it */
    assert_true(slg_process_wait_gone(&process, LONG_NS));
}

static void test_cannot_start(void **state)
{
    struct slg_local_process process = sleeper("1");
    struct slg_error error = { 0 };

    (void)state;
    process.argv[0] = "/nowhere/silage";
    assert_int_equal(slg_process_spawn(&process, &error), SLG_IO);
    assert_non_null(strstr(error.message, "\"/nowhere/silage\": No such file"));
    assert_int_equal(process.pid, 0);
    assert_false(process.child);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    process = sleeper("1");
    process.log = "/nowhere/log";
    assert_int_equal(slg_process_spawn(&process, &error), SLG_IO);
    assert_non_null(strstr(error.message, "\"/nowhere/log\""));
}

/* Which of 0, 1 and 2 are closed in the program that starts it. */
static void check_log(const char *name, unsigned closed)
{
    char path[] = "/tmp/silage-process-XXXXXX";
    struct slg_local_process process = { .name = "talker",
                                         .log = path,
                                         .argv = { "/bin/sh", "-c", "cat; echo out; echo err >&2" },
                                         .argc = 3 };
    int saved[3], fd = mkstemp(path);
    enum slg_status status;
    struct slg_buf text;

    assert_true(fd >= 0 && close(fd) == 0);
    for (int i = 0; i < 3; i++) {
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        if ((closed >> i & 1) != 0)
            (void)close(i); /* put back below */
    }
    status = slg_process_spawn(&process, NULL);
    for (int i = 0; i < 3; i++) {
        (void)dup2(saved[i], i);
        (void)close(saved[i]); /* a copy */
    }
    CHECK(name, status == SLG_OK);
    CHECK(name, slg_process_wait_gone(&process, LONG_NS));
    slg_buf_init(&text, 4096);
    CHECK(name, slg_file_read(path, 4000, &text, NULL) == SLG_OK);
    CHECK(name, text.len == 8 && memcmp(text.data, "out\nerr\n", 8) == 0);
    slg_buf_fini(&text);
    (void)unlink(path);
}

static void test_standard_descriptors(void **state)
{
    (void)state;
    check_log("all open", 0);
    check_log("0 closed", 1);
    check_log("1 closed", 2);
    check_log("0 and 1 closed", 3);
    check_log("all closed", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_ended_child_of_another),
        cmocka_unit_test(test_cannot_start),
        cmocka_unit_test(test_standard_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
