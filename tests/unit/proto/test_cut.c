/* A connection whose other end acknowledges is not cut (tests/e2e/network cuts others, which needs root); attempts to connect are ended when they have lasted, not before.
 * Oracle: the sockets of the test itself. */
#include "tests/helper/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "proto/cut.h"

static socklen_t loopback(int family, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (void *)ret_address;
    struct sockaddr_in6 *in6 = (void *)ret_address;

    memset(ret_address, 0, sizeof(*ret_address));
    if (family == AF_INET) {
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_addr = in6addr_loopback;
    return sizeof(*in6);
}

/* -1: this machine has no such addresses. */
static int listen_at(int family, int backlog, struct sockaddr_storage *ret_address)
{
    socklen_t len = loopback(family, ret_address);
    int fd = socket(family, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, len) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return -1;
    }
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &len), 0);
    return fd;
}

static bool is_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void test_a_living_connection(void **state)
{
    static const int families[] = { AF_INET, AF_INET6 };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(families); i++) {
        struct sockaddr_storage server, local[2];
        socklen_t len = sizeof(server);
        int listener = listen_at(families[i], 8, &server), fds[2], others[2];

        if (listener < 0)
            continue;
        for (size_t k = 0; k < 2; k++) {
            fds[k] = socket(families[i], SOCK_STREAM, 0);
            len = sizeof(server);
            assert_int_equal(connect(fds[k], (struct sockaddr *)&server, len), 0);
            others[k] = accept(listener, NULL, NULL);
            assert_true(others[k] >= 0);
            len = sizeof(local[k]);
            assert_int_equal(getsockname(fds[k], (struct sockaddr *)&local[k], &len), 0);
        }
        assert_int_equal(
            slg_cut_connection((struct sockaddr *)&local[0], (struct sockaddr *)&local[1]), 0);
        /* Its other end is there, though nobody reads. */
        assert_int_equal(send(fds[0], "x", 1, 0), 1);
        assert_int_equal(
            slg_cut_connection((struct sockaddr *)&local[0], (struct sockaddr *)&server), 0);
        for (size_t k = 0; k < 2; k++)
            assert_false(is_ended(fds[k]) || is_ended(others[k]));
        assert_int_equal(close(listener), 0);
        for (size_t k = 0; k < 2; k++)
            assert_int_equal(close(fds[k]) + close(others[k]), 0);
    }
}

/* Nobody answers a SYN while the backlog is full. */
static void test_a_dial(void **state)
{
    int64_t start_ns = slg_clock_mono_ns(slg_clock_system()), took_ns;
    struct sockaddr_storage server;
    int listener = listen_at(AF_INET, 0, &server), fds[3];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        assert_true(fds[i] >= 0);
        (void)connect(fds[i], (struct sockaddr *)&server,
                      sizeof(struct sockaddr_in)); /* in progress */
    }
    while (count == 0 && slg_clock_mono_ns(slg_clock_system()) - start_ns < 30 * SLG_NS_PER_SEC) {
        (void)poll(NULL, 0, 50); /* the kernel's SYNs are due after 1, 3 and 7 s, or 1, 2 and 3 s */
        count = slg_cut_dials();
    }
    took_ns = slg_clock_mono_ns(slg_clock_system()) - start_ns;
    assert_in_range(count, 1, 2); /* one or two fit into the backlog */
    assert_true(took_ns >= 2 * SLG_NS_PER_SEC);
    assert_int_equal(slg_cut_dials(), 0);
    for (size_t i = 0; i < SLG_ARRAY_LEN(fds); i++)
        assert_int_equal(close(fds[i]), 0);
    assert_int_equal(close(listener), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_living_connection),
        cmocka_unit_test(test_a_dial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
