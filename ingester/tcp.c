/* Concurrency
 *   connections, lane, buffer   the thread
 *   wake_fd                     written by slg_tcp_stop and, for RELP, by the forward thread
 *   deadline_mono_ns, stopping  written by slg_tcp_stop, read by the thread */
#include "ingester/tcp.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "ingester/frame.h"
#include "ingester/relp_peer.h"

#define READ_BYTES       ((size_t)64 * 1024)
#define READS_PER_ROUND  4
#define EVENTS_AT_ONCE   64
#define FRAMING_BYTES    SLG_RELP_FRAMING_MAX
#define IDLE_LOOK_NS     SLG_NS_PER_SEC
#define STOP_LOOK_MS     20
#define ACCEPTS_AT_ONCE  64
#define ACCEPT_PAUSE_NS  (100 * SLG_NS_PER_MS) /* without descriptors or memory for a connection */
#define READS_AT_STOP    1024 /* of one connection: a sender that goes on cannot hold us */
#define CONNECTION_MAGIC UINT32_C(0x51c07c90)
#define ACCEPTOR_MAGIC   UINT32_C(0x51c0acc9)

static_assert(FRAMING_BYTES >= (size_t)SLG_FRAME_DIGITS_MAX + 2, "either framing has room");

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
    struct slg_frame_splitter splitter; /* of plain TCP */
    struct slg_relp_peer *peer;         /* NULL: plain TCP */
    uint32_t interest;                  /* in events, RELP's */
    uint8_t *kept; /* the unfinished message, or what RELP has no room for yet; NULL: nothing */
    size_t kept_len;
    int64_t heard_mono_ns;
    struct connection *previous, *next;
};

struct slg_tcp {
    struct slg_tcp_options options;
    struct slg_clock *clock;
    struct slg_lane *lane;
    struct slg_relp_peers *relp; /* NULL: plain TCP */
    struct slg_metric_set *metrics;
    struct acceptor acceptors[SLG_LISTENER_COUNT_MAX];
    size_t acceptor_count;
    struct connection *first;
    size_t connection_count;
    uint8_t *buffer; /* [buffer_bytes] */
    size_t buffer_bytes;
    int epoll_fd;
    int wake_fd;
    pthread_t thread;
    bool started;
    int64_t idle_mono_ns;   /* when silent connections are looked for next */
    int64_t accept_mono_ns; /* until then nobody is accepted; SLG_DEADLINE_NEVER: that is not so */
    _Atomic bool stopping;
    _Atomic int64_t deadline_mono_ns; /* for waiting when full */
};

/* ---- connections ---- */

static void show_count(struct slg_tcp *tcp)
{
    slg_metric_gauge(tcp->metrics,
                     tcp->relp != NULL ? METRIC_ingester_relp_connections
                                       : METRIC_ingester_tcp_connections,
                     0, (int64_t)tcp->connection_count);
}

static void close_connection(struct slg_tcp *tcp, struct connection *connection)
{
    if (connection == tcp->first)
        tcp->first = connection->next;
    else
        connection->previous->next = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    tcp->connection_count--;
    show_count(tcp);
    (void)close(connection->fd); /* leaves the epoll set too */
    slg_relp_peer_destroy(connection->peer);
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
    if (tcp->relp != NULL)
        connection->peer = slg_relp_peer_create(tcp->relp, fd, acceptor->listener, address);
    if ((tcp->relp != NULL && connection->peer == NULL) ||
        epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        slg_relp_peer_destroy(connection->peer);
        free(connection);
        return false;
    }
    connection->interest = EPOLLIN;
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
    show_count(tcp);
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

static void watch_acceptors(struct slg_tcp *tcp, uint32_t events)
{
    for (size_t i = 0; i < tcp->acceptor_count; i++) {
        struct epoll_event event = { .events = events };

        event.data.ptr = &tcp->acceptors[i];
        (void)epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, tcp->acceptors[i].fd, &event);
    }
}

/* The listening sockets stay readable: without a pause epoll would tell so for ever. */
static void pause_accepting(struct slg_tcp *tcp, int error)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    int64_t now = slg_clock_mono_ns(tcp->clock);
    uint64_t suppressed;

    tcp->accept_mono_ns = now + ACCEPT_PAUSE_NS;
    watch_acceptors(tcp, 0);
    slg_metric_add(tcp->metrics, METRIC_ingester_tcp_accept_pauses_total, 0, 1);
    if (slg_log_limit_allow(&limit, now, &suppressed))
        slg_log_warn("no TCP connection can be accepted, callers wait: %s suppressed=%" PRIu64,
                     strerrordesc_np(error), suppressed);
}

static void resume_accepting(struct slg_tcp *tcp, int64_t now_mono_ns)
{
    if (now_mono_ns < tcp->accept_mono_ns)
        return;
    tcp->accept_mono_ns = SLG_DEADLINE_NEVER;
    watch_acceptors(tcp, EPOLLIN);
}

static void accept_callers(struct slg_tcp *tcp, const struct acceptor *acceptor)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int fd =
            accept4(acceptor->fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM))
            pause_accepting(tcp, errno);
        if (fd < 0)
            return; /* none left; or the backlog holds them; or the first one has gone again */
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

/* What the kernel has and nobody will read. */
static void count_unread(struct slg_tcp *tcp, const struct connection *connection)
{
    int unread = 0;

    if (ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0)
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_unread_bytes_total, 0, (uint64_t)unread);
}

/* What is there of an unfinished message is a message too, unless its sender has it still. */
static void end_connection(struct slg_tcp *tcp, struct connection *connection)
{
    bool cut = connection->kept_len > 0 || connection->splitter.skip_count > 0 ||
               connection->splitter.skip_line;

    if (connection->peer != NULL) {
        slg_relp_peer_bid_farewell(connection->peer);
    } else {
        if (connection->kept_len > 0) {
            memcpy(tcp->buffer, connection->kept, connection->kept_len);
            (void)take_frames(tcp, connection, connection->kept_len, /* at_end= */ true);
        }
        count_unread(tcp, connection);
    }
    slg_metric_add(tcp->metrics, METRIC_ingester_tcp_cut_total, 0, cut);
    close_connection(tcp, connection);
}

/* Take what is in buffer[0..len) and keep what is left over. False: the connection is to be ended. */
static bool take_bytes(struct slg_tcp *tcp, struct connection *connection, size_t len)
{
    size_t left;

    if (connection->peer != NULL) {
        size_t used;

        if (!slg_relp_peer_take(connection->peer, tcp->buffer, len, &used))
            return false;
        left = len - used;
    } else {
        left = take_frames(tcp, connection, len, /* at_end= */ false);
        SLG_ASSERT(left <= tcp->options.line_bytes_max + FRAMING_BYTES);
    }
    return keep(tcp, connection, len, left);
}

/* ENDED: by the sender. BROKEN: by an error, or because of what came. */
enum read_result { READ_MORE, READ_EMPTY, READ_ENDED, READ_BROKEN };

static enum read_result read_once(struct slg_tcp *tcp, struct connection *connection)
{
    size_t kept = connection->kept_len;
    ssize_t got;

    if (connection->peer != NULL && !slg_relp_peer_wants_read(connection->peer))
        return READ_EMPTY;
    SLG_ASSERT(kept + READ_BYTES <= tcp->buffer_bytes);
    if (kept > 0)
        memcpy(tcp->buffer, connection->kept, kept);
    do {
        got = recv(connection->fd, tcp->buffer + kept, READ_BYTES, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) /* = EWOULDBLOCK on Linux */
        return READ_EMPTY;
    if (got == 0)
        return READ_ENDED;
    if (got < 0) {
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_reset_total, 0, 1);
        return READ_BROKEN;
    }
    if (!take_bytes(tcp, connection, kept + (size_t)got))
        return READ_BROKEN;
    connection->heard_mono_ns = slg_clock_mono_ns(tcp->clock);
    return (size_t)got < READ_BYTES ? READ_EMPTY : READ_MORE;
}

/* ---- RELP ---- */

static bool watch_peer(const struct slg_tcp *tcp, struct connection *connection)
{
    struct epoll_event event = { .data.ptr = connection };

    event.events = (slg_relp_peer_wants_read(connection->peer) ? (uint32_t)EPOLLIN : 0) |
                   (slg_relp_peer_wants_write(connection->peer) ? (uint32_t)EPOLLOUT : 0);
    if (event.events == connection->interest)
        return true;
    connection->interest = event.events;
    return epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0;
}

/* Answer what is due, and take on what there is room for again. False: the connection is gone. */
static bool serve_peer(struct slg_tcp *tcp, struct connection *connection)
{
    size_t kept = SIZE_MAX;
    bool good = slg_relp_peer_send(connection->peer);

    /* Each turn takes some of what is kept, or is the last. */
    while (good && connection->kept_len > 0 && connection->kept_len < kept &&
           slg_relp_peer_wants_read(connection->peer)) {
        kept = connection->kept_len;
        memcpy(tcp->buffer, connection->kept, kept);
        good = take_bytes(tcp, connection, kept) && slg_relp_peer_send(connection->peer);
    }
    if (good && watch_peer(tcp, connection))
        return true;
    end_connection(tcp, connection);
    return false;
}

static void serve_peers(struct slg_tcp *tcp)
{
    struct connection *next;

    for (struct connection *connection = tcp->first; connection != NULL; connection = next) {
        next = connection->next;
        (void)serve_peer(tcp, connection);
    }
}

/* ---- all connections ---- */

/* Up to `reads` reads. False: the connection is gone. */
static bool read_connection(struct slg_tcp *tcp, struct connection *connection, int reads)
{
    enum read_result result = READ_MORE;

    for (int i = 0; i < reads && result == READ_MORE; i++)
        result = read_once(tcp, connection);
    if (result == READ_ENDED && connection->peer != NULL) {
        slg_relp_peer_take_end(connection->peer); /* it may wait for answers still */
    } else if (result == READ_ENDED || result == READ_BROKEN) {
        end_connection(tcp, connection);
        return false;
    }
    return connection->peer == NULL || serve_peer(tcp, connection);
}

static bool is_silent(const struct slg_tcp *tcp, const struct connection *connection,
                      int64_t now_mono_ns)
{
    return now_mono_ns - connection->heard_mono_ns >= tcp->options.idle_timeout_ns &&
           (connection->peer == NULL || slg_relp_peer_may_idle(connection->peer));
}

static void close_silent(struct slg_tcp *tcp, int64_t now_mono_ns)
{
    struct connection *next;

    if (now_mono_ns < tcp->idle_mono_ns)
        return;
    for (struct connection *connection = tcp->first; connection != NULL; connection = next) {
        next = connection->next;
        /* It may have spoken while this thread waited for room. */
        if (!is_silent(tcp, connection, now_mono_ns) || !read_connection(tcp, connection, 1))
            continue;
        if (is_silent(tcp, connection, now_mono_ns)) {
            slg_metric_add(tcp->metrics, METRIC_ingester_tcp_idle_total, 0, 1);
            end_connection(tcp, connection);
        }
    }
    tcp->idle_mono_ns = now_mono_ns + IDLE_LOOK_NS;
}

/* ---- the loop ---- */

/* Before what woke is looked at, so that no later wake-up is lost. */
static void clear_wake(const struct slg_tcp *tcp)
{
    uint64_t count;
    ssize_t got;

    do {
        got = read(tcp->wake_fd, &count, sizeof(count));
    } while (got < 0 && errno == EINTR);
}

static void take_connection_event(struct slg_tcp *tcp, struct connection *connection,
                                  uint32_t events)
{
    /* A peer that is not read now would be told of its end for ever. */
    if (connection->peer != NULL && (events & (EPOLLERR | EPOLLHUP)) != 0) {
        slg_metric_add(tcp->metrics, METRIC_ingester_tcp_reset_total, 0, 1);
        end_connection(tcp, connection);
        return;
    }
    (void)read_connection(tcp, connection, READS_PER_ROUND);
}

static void take_event(struct slg_tcp *tcp, const struct epoll_event *event)
{
    void *ptr = event->data.ptr;
    uint32_t magic;

    if (ptr == NULL) {
        clear_wake(tcp);
        return;
    }
    memcpy(&magic, ptr, sizeof(magic)); /* the first member of both */
    if (magic == ACCEPTOR_MAGIC) {
        accept_callers(tcp, ptr);
        return;
    }
    SLG_ASSERT(magic == CONNECTION_MAGIC);
    take_connection_event(tcp, ptr, event->events);
}

static int wait_ms(const struct slg_tcp *tcp, int64_t now_mono_ns)
{
    int64_t wake = slg_lane_wake_mono_ns(tcp->lane);
    int64_t ms;

    if (tcp->connection_count > 0 && tcp->idle_mono_ns < wake)
        wake = tcp->idle_mono_ns;
    if (tcp->accept_mono_ns < wake)
        wake = tcp->accept_mono_ns;
    if (tcp->relp != NULL && slg_relp_peers_wake_mono_ns(tcp->relp) < wake)
        wake = slg_relp_peers_wake_mono_ns(tcp->relp);
    if (wake == SLG_DEADLINE_NEVER)
        return -1;
    ms = (wake - now_mono_ns + SLG_NS_PER_MS - 1) / SLG_NS_PER_MS;
    return ms > 0 ? (int)(ms < 60000 ? ms : 60000) : 0;
}

/* Whatever has come is read and handed on. */
static void finish_plain(struct slg_tcp *tcp)
{
    while (tcp->first != NULL)
        if (read_connection(tcp, tcp->first, READS_AT_STOP))
            end_connection(tcp, tcp->first);
    slg_lane_finish(tcp->lane, atomic_load(&tcp->deadline_mono_ns));
}

/* Input left unread would make the end a reset, before the sender could read its last answers. */
static void drop_input(struct slg_tcp *tcp, const struct connection *connection)
{
    ssize_t got = 1;

    (void)shutdown(connection->fd, SHUT_WR);
    for (int i = 0; i < READS_AT_STOP && got > 0; i++)
        got = recv(connection->fd, tcp->buffer, READ_BYTES, MSG_DONTWAIT);
}

/* Nothing more is read, for it is not acknowledged; what was taken is waited for. */
static void finish_relp(struct slg_tcp *tcp)
{
    int64_t deadline = atomic_load(&tcp->deadline_mono_ns);

    for (struct connection *connection = tcp->first; connection != NULL;
         connection = connection->next)
        slg_relp_peer_take_end(connection->peer);
    slg_lane_finish(tcp->lane, deadline);
    for (;;) {
        int64_t now = slg_clock_mono_ns(tcp->clock);
        struct pollfd woken = { .fd = tcp->wake_fd, .events = POLLIN };

        slg_relp_peers_tick(tcp->relp, now);
        serve_peers(tcp); /* ends those that are answered */
        if (tcp->first == NULL || now >= deadline)
            break;
        (void)poll(&woken, 1, STOP_LOOK_MS);
        clear_wake(tcp);
    }
    while (tcp->first != NULL) {
        slg_relp_peer_bid_farewell(tcp->first->peer);
        drop_input(tcp, tcp->first);
        close_connection(tcp, tcp->first);
    }
}

static void finish(struct slg_tcp *tcp)
{
    for (size_t i = 0; i < tcp->acceptor_count; i++)
        (void)close(tcp->acceptors[i].fd);
    tcp->acceptor_count = 0;
    if (tcp->relp != NULL)
        finish_relp(tcp);
    else
        finish_plain(tcp);
}

static void *run(void *ctx)
{
    struct slg_tcp *tcp = ctx;
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!atomic_load_explicit(&tcp->stopping, memory_order_acquire)) {
        int64_t now = slg_clock_mono_ns(tcp->clock);
        int count = epoll_wait(tcp->epoll_fd, events, EVENTS_AT_ONCE, wait_ms(tcp, now));

        for (int i = 0; i < count; i++)
            take_event(tcp, &events[i]);
        now = slg_clock_mono_ns(tcp->clock);
        slg_lane_tick(tcp->lane, now, /* drained= */ count < EVENTS_AT_ONCE);
        if (tcp->relp != NULL) {
            slg_relp_peers_tick(tcp->relp, now);
            if (slg_relp_peers_take_done(tcp->relp))
                serve_peers(tcp);
        }
        close_silent(tcp, now);
        resume_accepting(tcp, now);
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
    enum slg_listener_kind kind = tcp->options.relp ? SLG_LISTENER_RELP : SLG_LISTENER_TCP;

    for (size_t i = 0; i < tcp->options.listener_count; i++) {
        struct slg_listener *listener = tcp->options.listeners[i];
        struct acceptor *acceptor = &tcp->acceptors[tcp->acceptor_count];
        enum slg_status status;
        int unused;

        if (slg_listener_kind(listener) != kind)
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
        slg_log_info("listening protocol=%s address=%s", slg_listener_kind_text(kind),
                     slg_listener_address(listener));
    }
    return SLG_OK;
}

static void wake(void *ctx)
{
    const struct slg_tcp *tcp = ctx;
    const uint64_t one = 1;
    ssize_t written;

    do {
        written = write(tcp->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

static enum slg_status make_peers(struct slg_tcp *tcp, struct slg_error *reterr)
{
    const struct slg_relp_peers_options options = {
        .lane = tcp->lane,
        .clock = tcp->clock,
        .line_bytes_max = tcp->options.line_bytes_max,
        .deadline_mono_ns = &tcp->deadline_mono_ns,
        .rounds = { .wake = wake, .wake_ctx = tcp },
    };

    return tcp->options.relp ? slg_relp_peers_create(&options, &tcp->relp, reterr) : SLG_OK;
}

static enum slg_status set_up(struct slg_tcp *tcp, struct slg_error *reterr)
{
    enum slg_status status;

    tcp->buffer_bytes = tcp->options.line_bytes_max + FRAMING_BYTES + READ_BYTES;
    tcp->buffer = malloc(tcp->buffer_bytes);
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
    status = make_peers(tcp, reterr);
    if (status == SLG_OK)
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
    tcp->accept_mono_ns = SLG_DEADLINE_NEVER;
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
    if (!tcp->started)
        return;
    atomic_store(&tcp->deadline_mono_ns, deadline_mono_ns);
    atomic_store_explicit(&tcp->stopping, true, memory_order_release);
    wake(tcp);
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
    slg_relp_peers_destroy(tcp->relp);
    slg_lane_destroy(tcp->lane);
    free(tcp->buffer);
    free(tcp);
}

void slg_tcp_set_map(struct slg_tcp *tcp, struct slg_map *map)
{
    slg_lane_set_map(tcp->lane, map);
}
