/* A false SLG_ASSERT names the condition and the place and ends the process by SIGABRT; a true one does nothing.
 * Oracle: the wait status and stderr of a child. */
#include "tests/helper/test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

static void test_false_aborts(void **state)
{
    const struct rlimit no_core = { 0, 0 };
    char text[512];
    ssize_t len;
    int ends[2], status;
    pid_t child;

    (void)state;
    SLG_ASSERT(1 + 1 == 2);
    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(ends[1], STDERR_FILENO);
        SLG_ASSERT(ends[0] == -5);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    len = read(ends[0], text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "ends[0] == -5"));
    assert_non_null(strstr(text, "test_assert.c"));
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_false_aborts) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
