/* Upgraded connections: bytes that came early are read first, the end is told, and stop waits for every promise.
 * Oracle: the other end of a socket pair, and flags that the callbacks set. */
#include "tests/helper/test.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/http_socket.h"

struct talk {
    atomic_int runs, releases, closes;
    char got[64];
    size_t len;
    bool until_stop;
};

static void run(void *ctx, struct slg_http_socket *socket)
{
    struct talk *talk = ctx;
    struct pollfd p = { .fd = slg_http_socket_fd(socket), .events = POLLIN };
    enum slg_status status;
    size_t len;

    (void)atomic_fetch_add(&talk->runs, 1);
    for (;;) {
        status = slg_http_socket_read(socket, talk->got + talk->len, 3, &len);
        if (status == SLG_UNAVAILABLE || slg_http_socket_stopping(socket))
            break;
        if (status == SLG_OK)
            talk->len += len;
        else
            (void)poll(&p, 1, 10);
    }
    assert_int_equal(slg_http_socket_write(socket, "bye", 3, &len), SLG_OK);
    assert_int_equal(len, 3);
}

static void release(void *ctx)
{
    struct talk *talk = ctx;

    (void)atomic_fetch_add(&talk->releases, 1);
}

static void on_close(void *ctx)
{
    struct talk *talk = ctx;

    (void)atomic_fetch_add(&talk->closes, 1);
}

static void test_a_talk(void **state)
{
    struct talk talk = { .len = 0 };
    struct slg_http_sockets *sockets;
    struct slg_http_socket *socket;
    char answer[8] = "";
    int fds[2];

    (void)state;
    assert_int_equal(slg_http_sockets_create(4, &sockets), SLG_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    socket = slg_http_socket_create(sockets, run, release, &talk);
    assert_non_null(socket);
    assert_int_equal(send(fds[1], "later", 5, 0), 5);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    assert_true(slg_http_socket_start(socket, fds[0], "early ", 6, on_close, &talk));
    assert_int_equal(recv(fds[1], answer, sizeof(answer), MSG_WAITALL), 3); /* and the end */
    assert_string_equal(answer, "bye");
    slg_http_sockets_stop(sockets);
    assert_int_equal(talk.len, 11);
    assert_memory_equal(talk.got, "early later", 11);
    assert_int_equal(atomic_load(&talk.runs), 1);
    assert_int_equal(atomic_load(&talk.closes), 1);
    assert_int_equal(atomic_load(&talk.releases), 0); /* run owns ctx */
    slg_http_sockets_destroy(sockets);
    close(fds[0]);
    close(fds[1]);
}

static void *drop_later(void *ctx)
{
    (void)poll(NULL, 0, 20);
    slg_http_socket_drop(ctx);
    return NULL;
}

static void test_stop(void **state)
{
    struct talk talk = { .len = 0 }, dropped = { .len = 0 };
    struct slg_http_sockets *sockets;
    struct slg_http_socket *socket, *promise;
    pthread_t thread;
    int fds[2];

    (void)state;
    assert_int_equal(slg_http_sockets_create(4, &sockets), SLG_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    socket = slg_http_socket_create(sockets, run, release, &talk);
    promise = slg_http_socket_create(sockets, run, release, &dropped);
    assert_true(slg_http_socket_start(socket, fds[0], NULL, 0, on_close, &talk));
    assert_int_equal(pthread_create(&thread, NULL, drop_later, promise), 0);
    slg_http_sockets_stop(sockets); /* the talk sees it, the promise is dropped */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&talk.closes), 1);
    assert_int_equal(atomic_load(&dropped.releases), 1);
    assert_int_equal(atomic_load(&dropped.runs), 0);
    assert_null(slg_http_socket_create(sockets, run, release, &talk));
    slg_http_sockets_destroy(sockets);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_talk),
                                        cmocka_unit_test(test_stop) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
