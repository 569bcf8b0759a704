/* Concurrency
 *   connections, lane, buffer   the thread
 *   deadline_mono_ns, stopping  written by slg_tcp_stop, read by the thread */
#include "ingester/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "ingester/frame.h"

#define READ_BYTES       ((size_t)64 * 1024)
#define READS_PER_ROUND  4
#define EVENTS_AT_ONCE   64
#define HEADER_BYTES     ((size_t)SLG_FRAME_DIGITS_MAX + 2)
#define IDLE_LOOK_NS     SLG_NS_PER_SEC
#define ACCEPTS_AT_ONCE  64
#define READS_AT_STOP    1024 /* of one connection: a sender that goes on cannot hold us */
#define CONNECTION_MAGIC UINT32_C(0x51c07c90)
#define ACCEPTOR_MAGIC   UINT32_C(0x51c0acc9)

/* What epoll gives back: a connection, a listening socket, or NULL for the wake-up. */
struct acceptor {
    uint32_t magic;
    int fd;
    const struct slg_listener *listener;
};

struct connection {
    uint32_t magic;
    int fd;
    const struct slg_listener *listener;
    struct slg_address address;
    struct slg_frame_splitter splitter;
    uint8_t *kept; /* the unfinished message; NULL when there is none */
    size_t kept_len;
    int64_t heard_mono_ns;
    struct connection *previous, *next;
};

struct slg_tcp {
    struct slg_tcp_options options;
    struct slg_clock *clock;
    struct slg_lane *lane;
    struct slg_metric_set *metrics;
    struct acceptor acceptors[SLG_LISTENER_COUNT_MAX];
    size_t acceptor_count;
    struct connection *first;
    size_t connection_count;
    uint8_t *buffer; /* [line_bytes_max + HEADER_BYTES + READ_BYTES] */
    int epoll_fd;
    int wake_fd;
    pthread_t thread;
    bool started;
    int64_t idle_mono_ns; /* when silent connections are looked for next */
    _Atomic bool stopping;
    _Atomic int64_t deadline_mono_ns; /* for waiting when full */
};

/* ---- connections ---- */

static void close_connection(struct slg_tcp *tcp, struct connection *connection)
{
    if (connection == tcp->first)
        tcp->first = connection->next;
    else
        connection->previous->next = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    tcp->connection_count--;
    slg_metric_gauge(tcp->metrics, METRIC_ingester_tcp_connections, 0,
                     (int64_t)tcp->connection_count);
    (void)close(connection->fd); /* leaves the epoll set too */
    connection->magic = 0;
    free(connection->kept);
    free(connection);
}

static bool add_connection(struct slg_tcp *tcp, const struct acceptor *acceptor, int fd,
                           const struct slg_address *address)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };

    if (connection == NULL)
        return false;
    if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(connection);
        return false;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->fd = fd;
    connection->listener = acceptor->listener;
    connection->address = *address;
    connection->heard_mono_ns = slg_clock_mono_ns(tcp->clock);
    slg_frame_init(&connection->splitter, tcp->options.line_bytes_max);
    connection->next = tcp->first;
    if (tcp->first != NULL)
        tcp->first->previous = connection;
    tcp->first = connection;
    tcp->connection_count++;
    slg_metric_gauge(tcp->metrics, METRIC_ingester_tcp_connections, 0,
                     (int64_t)tcp->connection_count);
    slg_metric_add(tcp->metrics, METRIC_ingester_tcp_connections_total, 0, 1);
    return true;
}

static void take_caller(struct slg_tcp *tcp, const struct acceptor *acceptor, int fd,
                        const struct sockaddr *from)
{
    struct slg_address address;

    if (!slg_address_of(from, &address) ||
        !slg_lane_allows(tcp->lane, acceptor->listener, &address)) {
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_refused_total, SLG_REFUSED_ADDRESS, 1);
        (void)close(fd);
        return;
    }
    if (tcp->connection_count == tcp->options.connection_count_max ||
        !add_connection(tcp, acceptor, fd, &address)) {
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_refused_total, SLG_REFUSED_LIMIT, 1);
        (void)close(fd);
    }
}

static void accept_callers(struct slg_tcp *tcp, const struct acceptor *acceptor)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int fd =
            accept4(acceptor->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return; /* none left; or no descriptors: the backlog holds the callers */
        take_caller(tcp, acceptor, fd, (const struct sockaddr *)&from);
    }
}

/* ---- reading ---- */

/* Hand on the messages in buffer[0..len). Returns how many bytes are left over at its end. */
static size_t take_frames(struct slg_tcp *tcp, struct connection *connection, size_t len,
                          bool at_end)
{
    struct slg_lane_message message = {
        .listener = connection->listener,
        .address = connection->address,
        .deadline_mono_ns = &tcp->deadline_mono_ns,
    };
    size_t at = 0;

    while (at < len) {
        struct slg_lane_time now = { slg_clock_wall_ns(tcp->clock), slg_clock_mono_ns(tcp->clock) };
        struct slg_frame frame;
        size_t used;
        enum slg_status status = slg_frame_next(&connection->splitter, tcp->buffer + at, len - at,
                                                at_end, &frame, &used);

        at += used;
        if (status != SLG_OK)
            break;
        message.bytes = frame.message.at;
        message.len = frame.message.len;
        message.truncated = frame.truncated;
        slg_lane_take(tcp->lane, &message, now);
    }
    return len - at;
}

/* Keep buffer[len - left..len) for the next read. False: no memory. */
static bool keep(struct slg_tcp *tcp, struct connection *connection, size_t len, size_t left)
{
    uint8_t *kept;

    if (left == 0) {
        free(connection->kept);
        connection->kept = NULL;
        connection->kept_len = 0;
        return true;
    }
    kept = realloc(connection->kept, left);
    if (kept == NULL)
        return false;
    memcpy(kept, tcp->buffer + len - left, left);
    connection->kept = kept;
    connection->kept_len = left;
    return true;
}

/* What is there of an unfinished message is a message too. */
static void end_connection(struct slg_tcp *tcp, struct connection *connection)
{
    if (connection->kept_len > 0) {
        memcpy(tcp->buffer, connection->kept, connection->kept_len);
        (void)take_frames(tcp, connection, connection->kept_len, /* at_end= */ true);
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_cut_total, 0, 1);
    } else if (connection->splitter.skip_count > 0 || connection->splitter.skip_line) {
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_cut_total, 0, 1);
    }
    close_connection(tcp, connection);
}

enum read_result { READ_MORE, READ_EMPTY, READ_ENDED };

static enum read_result read_once(struct slg_tcp *tcp, struct connection *connection)
{
    size_t kept = connection->kept_len;
    ssize_t got;
    size_t left;

    if (kept > 0)
        memcpy(tcp->buffer, connection->kept, kept);
    do {
        got = recv(connection->fd, tcp->buffer + kept, READ_BYTES, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) /* = EWOULDBLOCK on Linux */
        return READ_EMPTY;
    if (got <= 0)
        return READ_ENDED;
    left = take_frames(tcp, connection, kept + (size_t)got, /* at_end= */ false);
    SLG_ASSERT(left <= tcp->options.line_bytes_max + HEADER_BYTES);
    if (!keep(tcp, connection, kept + (size_t)got, left))
        return READ_ENDED;
    connection->heard_mono_ns = slg_clock_mono_ns(tcp->clock);
    return (size_t)got < READ_BYTES ? READ_EMPTY : READ_MORE;
}

/* Up to `reads` reads. False: the connection is gone. */
static bool read_connection(struct slg_tcp *tcp, struct connection *connection, int reads)
{
    for (int i = 0; i < reads; i++) {
        enum read_result result = read_once(tcp, connection);

        if (result == READ_ENDED) {
            end_connection(tcp, connection);
            return false;
        }
        if (result == READ_EMPTY)
            break;
    }
    return true;
}

static void close_silent(struct slg_tcp *tcp, int64_t now_mono_ns)
{
    struct connection *next;

    if (now_mono_ns < tcp->idle_mono_ns)
        return;
    for (struct connection *connection = tcp->first; connection != NULL; connection = next) {
        next = connection->next;
        if (now_mono_ns - connection->heard_mono_ns < tcp->options.idle_timeout_ns)
            continue;
        /* It may have spoken while this thread waited for room. */
        if (!read_connection(tcp, connection, 1))
            continue;
        if (now_mono_ns - connection->heard_mono_ns >= tcp->options.idle_timeout_ns) {
            slg_metric_add(tcp->metrics, METRIC_ingester_tcp_idle_total, 0, 1);
            end_connection(tcp, connection);
        }
    }
    tcp->idle_mono_ns = now_mono_ns + IDLE_LOOK_NS;
}

/* ---- the loop ---- */

static void take_event(struct slg_tcp *tcp, void *ptr)
{
    uint32_t magic;

    if (ptr == NULL)
        return;                         /* woken */
    memcpy(&magic, ptr, sizeof(magic)); /* the first member of both */
    if (magic == ACCEPTOR_MAGIC) {
        accept_callers(tcp, ptr);
        return;
    }
    SLG_ASSERT(magic == CONNECTION_MAGIC);
    (void)read_connection(tcp, ptr, READS_PER_ROUND);
}

static int wait_ms(const struct slg_tcp *tcp, int64_t now_mono_ns)
{
    int64_t wake = slg_lane_wake_mono_ns(tcp->lane);
    int64_t ms;

    if (tcp->connection_count > 0 && tcp->idle_mono_ns < wake)
        wake = tcp->idle_mono_ns;
    if (wake == SLG_DEADLINE_NEVER)
        return -1;
    ms = (wake - now_mono_ns + SLG_NS_PER_MS - 1) / SLG_NS_PER_MS;
    return ms > 0 ? (int)(ms < 60000 ? ms : 60000) : 0;
}

static void finish(struct slg_tcp *tcp)
{
    for (size_t i = 0; i < tcp->acceptor_count; i++)
        (void)close(tcp->acceptors[i].fd);
    tcp->acceptor_count = 0;
    while (tcp->first != NULL)
        if (read_connection(tcp, tcp->first, READS_AT_STOP))
            end_connection(tcp, tcp->first);
    slg_lane_finish(tcp->lane, atomic_load(&tcp->deadline_mono_ns));
}

static void *run(void *ctx)
{
    struct slg_tcp *tcp = ctx;
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!atomic_load_explicit(&tcp->stopping, memory_order_acquire)) {
        int64_t now = slg_clock_mono_ns(tcp->clock);
        int count = epoll_wait(tcp->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(tcp, now));

        for (int i = 0; i < count; i++)
            take_event(tcp, events[i].data.ptr);
        now = slg_clock_mono_ns(tcp->clock);
        slg_lane_tick(tcp->lane, now, /* drained= */ count < EVENTS_AT_ONCE);
        close_silent(tcp, now);
    }
    finish(tcp);
    return NULL;
}

/* ---- life ---- */

static enum slg_status watch(const struct slg_tcp *tcp, int fd, void *ptr, struct slg_error *reterr)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = ptr };

    if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return slg_errorf(reterr, SLG_IO, "could not watch a socket: %s", strerrordesc_np(errno));
    return SLG_OK;
}

static enum slg_status open_acceptors(struct slg_tcp *tcp, struct slg_error *reterr)
{
    for (size_t i = 0; i < tcp->options.listener_count; i++) {
        struct slg_listener *listener = tcp->options.listeners[i];
        struct acceptor *acceptor = &tcp->acceptors[tcp->acceptor_count];
        enum slg_status status;
        int unused;

        if (slg_listener_kind(listener) != SLG_LISTENER_TCP)
            continue;
        status = slg_listener_open(listener, /* shared= */ false, &acceptor->fd, &unused, reterr);
        if (status != SLG_OK)
            return status;
        acceptor->magic = ACCEPTOR_MAGIC;
        acceptor->listener = listener;
        tcp->acceptor_count++;
        status = watch(tcp, acceptor->fd, acceptor, reterr);
        if (status != SLG_OK)
            return status;
        slg_log_info("listening protocol=tcp address=%s", slg_listener_address(listener));
    }
    return SLG_OK;
}

static enum slg_status set_up(struct slg_tcp *tcp, struct slg_error *reterr)
{
    enum slg_status status;

    tcp->buffer = malloc(tcp->options.line_bytes_max + HEADER_BYTES + READ_BYTES);
    if (tcp->buffer == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the TCP listener");
    tcp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tcp->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (tcp->epoll_fd < 0 || tcp->wake_fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not make an event descriptor: %s",
                          strerrordesc_np(errno));
    status = slg_lane_create(&tcp->options.lane, &tcp->lane, reterr);
    if (status != SLG_OK)
        return status;
    tcp->metrics = slg_lane_metrics(tcp->lane);
    status = watch(tcp, tcp->wake_fd, NULL, reterr);
    if (status == SLG_OK)
        status = open_acceptors(tcp, reterr);
    if (status == SLG_OK && pthread_create(&tcp->thread, NULL, run, tcp) != 0)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "could not start the TCP thread");
    tcp->started = status == SLG_OK;
    return status;
}

enum slg_status slg_tcp_start(const struct slg_tcp_options *options, struct slg_tcp **ret_tcp,
                              struct slg_error *reterr)
{
    struct slg_tcp *tcp;
    enum slg_status status;

    if (options->connection_count_max < 1 ||
        options->connection_count_max > SLG_TCP_CONNECTION_COUNT_MAX ||
        options->idle_timeout_ns <= 0 || options->line_bytes_max < 480 ||
        options->line_bytes_max > SLG_LINE_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID, "a limit of the TCP listener is out of its range");
    tcp = calloc(1, sizeof(*tcp));
    if (tcp == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the TCP listener");
    tcp->options = *options;
    tcp->clock = options->lane.batcher.clock;
    tcp->epoll_fd = -1;
    tcp->wake_fd = -1;
    atomic_init(&tcp->deadline_mono_ns, INT64_MAX);
    status = set_up(tcp, reterr);
    if (status != SLG_OK) {
        slg_tcp_destroy(tcp);
        return status;
    }
    *ret_tcp = tcp;
    return SLG_OK;
}

void slg_tcp_stop(struct slg_tcp *tcp, int64_t deadline_mono_ns)
{
    const uint64_t one = 1;
    ssize_t written;

    if (!tcp->started)
        return;
    atomic_store(&tcp->deadline_mono_ns, deadline_mono_ns);
    atomic_store_explicit(&tcp->stopping, true, memory_order_release);
    do {
        written = write(tcp->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
    SLG_ASSERT(pthread_join(tcp->thread, NULL) == 0);
    tcp->started = false;
}

void slg_tcp_destroy(struct slg_tcp *tcp)
{
    if (tcp == NULL)
        return;
    SLG_ASSERT(!tcp->started);
    for (size_t i = 0; i < tcp->acceptor_count; i++)
        (void)close(tcp->acceptors[i].fd);
    if (tcp->wake_fd >= 0)
        (void)close(tcp->wake_fd);
    if (tcp->epoll_fd >= 0)
        (void)close(tcp->epoll_fd);
    slg_lane_destroy(tcp->lane);
    free(tcp->buffer);
    free(tcp);
}

void slg_tcp_set_map(struct slg_tcp *tcp, struct slg_map *map)
{
    slg_lane_set_map(tcp->lane, map);
}
