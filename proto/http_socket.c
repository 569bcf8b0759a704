/* Concurrency:
 * | state          | owner          | others                                                      |
 * | count          | atomic         | promises that were made and are not joined or dropped yet   |
 * | stopping       | atomic         | set by stop, read by all                                    |
 * | ended          | base/queue     | threads push themselves as their last act, whoever joins pops |
 * | a socket       | its own thread | nobody until it is in `ended`                               | */
#include "proto/http_socket.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/queue.h"

#define STACK_BYTES ((size_t)1 << 20)
#define WAIT_NS     (100 * SLG_NS_PER_MS)

struct slg_http_sockets {
    atomic_bool stopping;
    atomic_size_t count;
    struct slg_queue *ended;
};

struct slg_http_socket {
    struct slg_http_sockets *sockets;
    slg_http_upgraded *run;
    slg_http_release *release;
    void *ctx;
    void (*close)(void *ctx);
    void *close_ctx;
    int fd;
    uint8_t *extra; /* what came behind the request's head */
    size_t extra_len;
    size_t extra_taken;
    pthread_t thread;
};

/* ---- all of a server ---- */

enum slg_status slg_http_sockets_create(size_t count_max, struct slg_http_sockets **ret_sockets)
{
    struct slg_http_sockets *sockets = calloc(1, sizeof(*sockets));

    if (sockets == NULL)
        return SLG_NO_MEMORY;
    atomic_init(&sockets->stopping, false);
    atomic_init(&sockets->count, 0);
    if (slg_queue_create(count_max + 1, &sockets->ended) != SLG_OK) {
        free(sockets);
        return SLG_NO_MEMORY;
    }
    *ret_sockets = sockets;
    return SLG_OK;
}

void slg_http_sockets_destroy(struct slg_http_sockets *sockets)
{
    if (sockets == NULL)
        return;
    SLG_ASSERT(atomic_load(&sockets->count) == 0);
    slg_queue_destroy(sockets->ended);
    free(sockets);
}

static void free_socket(struct slg_http_socket *socket)
{
    struct slg_http_sockets *sockets = socket->sockets;

    free(socket->extra);
    free(socket);
    (void)atomic_fetch_sub(&sockets->count, 1);
}

static void join_ended(struct slg_http_sockets *sockets, int64_t deadline_mono_ns)
{
    void *item;

    while (slg_queue_pop(sockets->ended, deadline_mono_ns, &item) == SLG_OK) {
        struct slg_http_socket *socket = item;

        (void)pthread_join(socket->thread, NULL); /* it pushed itself as its last act */
        free_socket(socket);
        deadline_mono_ns = 0; /* the others only if they are there */
    }
}

void slg_http_sockets_join(struct slg_http_sockets *sockets)
{
    join_ended(sockets, 0);
}

void slg_http_sockets_stop(struct slg_http_sockets *sockets)
{
    atomic_store(&sockets->stopping, true);
    while (atomic_load(&sockets->count) > 0)
        join_ended(sockets, slg_clock_mono_ns(slg_clock_system()) + WAIT_NS);
}

bool slg_http_sockets_stopping(const struct slg_http_sockets *sockets)
{
    return atomic_load(&sockets->stopping);
}

/* ---- one ---- */

struct slg_http_socket *slg_http_socket_create(struct slg_http_sockets *sockets,
                                               slg_http_upgraded *run, slg_http_release *release,
                                               void *ctx)
{
    struct slg_http_socket *socket = calloc(1, sizeof(*socket));

    /* Counted before `stopping` is asked: either stop sees the count and waits, or we see that it stops. */
    (void)atomic_fetch_add(&sockets->count, 1);
    if (socket == NULL || atomic_load(&sockets->stopping)) {
        free(socket);
        (void)atomic_fetch_sub(&sockets->count, 1);
        return NULL;
    }
    *socket = (struct slg_http_socket){
        .sockets = sockets, .run = run, .release = release, .ctx = ctx, .fd = -1
    };
    return socket;
}

void slg_http_socket_drop(struct slg_http_socket *socket)
{
    socket->release(socket->ctx);
    free_socket(socket);
}

static void *run_upgraded(void *arg)
{
    struct slg_http_socket *socket = arg;
    enum slg_status status;

    socket->run(socket->ctx, socket);
    (void)shutdown(socket->fd, SHUT_WR); /* so that the last bytes and the end go out together */
    socket->close(socket->close_ctx);
    status = slg_queue_push(socket->sockets->ended, socket);
    SLG_ASSERT(status == SLG_OK); /* it holds every connection there may be */
    return NULL;
}

static bool start_thread(struct slg_http_socket *socket)
{
    pthread_attr_t attributes;
    bool started = false;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0)
        started = pthread_create(&socket->thread, &attributes, run_upgraded, socket) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
}

bool slg_http_socket_start(struct slg_http_socket *socket, int fd, const void *extra, size_t len,
                           void (*close)(void *ctx), void *close_ctx)
{
    socket->fd = fd;
    socket->close = close;
    socket->close_ctx = close_ctx;
    if (len > 0) {
        socket->extra = malloc(len);
        if (socket->extra == NULL)
            return false;
        memcpy(socket->extra, extra, len);
        socket->extra_len = len;
    }
    return start_thread(socket);
}

/* ---- what its thread does ---- */

int slg_http_socket_fd(const struct slg_http_socket *socket)
{
    return socket->fd;
}

static enum slg_status socket_result(ssize_t len, size_t *ret_len)
{
    if (len > 0) {
        *ret_len = (size_t)len;
        return SLG_OK;
    }
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return SLG_AGAIN;
    return SLG_UNAVAILABLE;
}

enum slg_status slg_http_socket_read(struct slg_http_socket *socket, void *bytes, size_t bytes_max,
                                     size_t *ret_len)
{
    size_t left = socket->extra_len - socket->extra_taken;

    SLG_ASSERT(bytes_max > 0);
    if (left > 0) {
        *ret_len = left < bytes_max ? left : bytes_max;
        memcpy(bytes, socket->extra + socket->extra_taken, *ret_len);
        socket->extra_taken += *ret_len;
        return SLG_OK;
    }
    return socket_result(recv(socket->fd, bytes, bytes_max, MSG_DONTWAIT), ret_len);
}

enum slg_status slg_http_socket_write(struct slg_http_socket *socket, const void *bytes, size_t len,
                                      size_t *ret_len)
{
    SLG_ASSERT(len > 0);
    return socket_result(send(socket->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL), ret_len);
}

bool slg_http_socket_stopping(const struct slg_http_socket *socket)
{
    return slg_http_sockets_stopping(socket->sockets);
}
