/* A connection past its deadline is shut down, others are not, and a removed one never.
 * Oracle: the other end of a socket pair. */
#include "tests/helper/test.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "proto/http_guard.h"

static bool ended(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

static void wait_for_end(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 10000), 1);
}

static void test_deadlines(void **state)
{
    struct slg_http_guard *guard;
    struct slg_http_guarded *guarded[4];
    int pairs[4][2];
    int64_t now = slg_clock_mono_ns(slg_clock_system());

    (void)state;
    assert_int_equal(slg_http_guard_create(SLG_NS_PER_MS, &guard), SLG_OK);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        guarded[i] = slg_http_guard_add(guard, pairs[i][0], now + 3600 * SLG_NS_PER_SEC);
        assert_non_null(guarded[i]);
    }
    slg_http_guard_set(guard, guarded[1], SLG_DEADLINE_NEVER);
    slg_http_guard_remove(guard, guarded[2]); /* from within the list */
    slg_http_guard_set(guard, guarded[3], now);
    wait_for_end(pairs[3][1]);
    for (size_t i = 0; i < 3; i++)
        assert_false(ended(pairs[i][1]));
    slg_http_guard_set(guard, guarded[0], now);
    wait_for_end(pairs[0][1]);
    assert_false(ended(pairs[1][1]));
    for (size_t i = 0; i < 4; i++) {
        if (i != 2)
            slg_http_guard_remove(guard, guarded[i]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    slg_http_guard_destroy(guard);
    slg_http_guard_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_deadlines) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
