/* Concurrency
 *   struct thread        its thread, from pthread_create to join
 *   stopping, stop_mono  written before wake_fd is; read by the threads */
#include "ingester/receive.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define DATAGRAMS_PER_READ 256
/* Each datagram may have 65,535 bytes. The slots are 65,536 bytes and a cache-friendly odd step apart: with a power of
 * two they would all fall into the same cache sets. */
#define DATAGRAM_BYTES_MAX ((size_t)65536)
#define SLOT_BYTES         (DATAGRAM_BYTES_MAX + 4096 + 320)
#define SLOTS_BYTES        (SLOT_BYTES * DATAGRAMS_PER_READ)
/* Memory that long datagrams have touched is given back when it is more than this. */
#define SLOT_SMALL_BYTES   ((size_t)4096)
#define TOUCHED_BYTES_MAX  ((size_t)4 * 1024 * 1024)
#define READS_PER_ROUND    8
#define NAP_NS             (SLG_NS_PER_MS)
#define RATE_WINDOW_NS     (SLG_NS_PER_MS)
#define BUSY_PER_MS        4 /* datagrams in a millisecond from which napping pays */
#define DROPS_EVERY_NS     SLG_NS_PER_SEC
#define DRAIN_NS_MAX       SLG_NS_PER_SEC /* at stop: a sender that goes on cannot hold us */

struct udp_socket {
    int fd;
    const struct slg_listener *listener;
    uint32_t kernel_drops; /* as read last */
};

struct slots {
    uint8_t *memory; /* SLOTS_BYTES, mapped: only what is written takes memory */
    size_t touched_bytes;
    struct mmsghdr headers[DATAGRAMS_PER_READ];
    struct iovec vectors[DATAGRAMS_PER_READ];
    struct sockaddr_in6 names[DATAGRAMS_PER_READ]; /* holds a sockaddr_in too */
};

struct thread {
    struct slg_receive *receive;
    pthread_t id;
    bool started;
    struct slg_lane *lane;
    struct slg_metric_set *metrics;
    struct slots slots;
    struct udp_socket sockets[SLG_LISTENER_COUNT_MAX];
    size_t socket_count;
    int64_t drops_mono_ns; /* when kernel drops are asked for next */
    int64_t window_mono_ns;
    uint64_t window_count;
    bool busy;
};

struct slg_receive {
    struct slg_clock *clock;
    struct thread *threads[SLG_RECEIVE_THREAD_COUNT_MAX];
    size_t thread_count;
    int buffer_bytes;
    int wake_fd;
    _Atomic bool stopping;
    int64_t stop_mono_ns;
};

/* ---- reading ---- */

static void prepare_slots(struct slots *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        slots->headers[i].msg_hdr.msg_namelen = sizeof(slots->names[i]);
        slots->headers[i].msg_hdr.msg_flags = 0;
    }
}

static bool map_slots(struct slots *slots)
{
    void *memory = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    slots->memory = memory;
    (void)madvise(memory, SLOTS_BYTES, MADV_NOHUGEPAGE); /* else one datagram would touch 2 MB */
    for (size_t i = 0; i < DATAGRAMS_PER_READ; i++) {
        slots->vectors[i] = (struct iovec){ .iov_base = slots->memory + i * SLOT_BYTES,
                                            .iov_len = DATAGRAM_BYTES_MAX };
        slots->headers[i].msg_hdr = (struct msghdr){ .msg_name = &slots->names[i],
                                                     .msg_iov = &slots->vectors[i],
                                                     .msg_iovlen = 1 };
    }
    prepare_slots(slots, DATAGRAMS_PER_READ);
    return true;
}

/* Long datagrams leave touched pages behind in every slot they land in. */
static void trim_slots(struct slots *slots)
{
    if (slots->touched_bytes <= TOUCHED_BYTES_MAX)
        return;
    (void)madvise(slots->memory, SLOTS_BYTES, MADV_DONTNEED);
    slots->touched_bytes = 0;
}

/* Each LF or CRLF ends a message; blank lines are none. */
static void take_lines(struct slg_lane *lane, struct slg_lane_message *message,
                       struct slg_lane_time now)
{
    const char *at = message->bytes;
    const char *end = at + message->len;

    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf != NULL ? lf : end;

        message->bytes = at;
        message->len = (size_t)(stop - at);
        if (lf != NULL && message->len > 0 && lf[-1] == '\r')
            message->len--;
        if (message->len > 0)
            slg_lane_take(lane, message, now);
        at = stop + 1;
    }
}

static void take_datagram(struct thread *t, const struct udp_socket *socket, size_t slot,
                          struct slg_lane_time now)
{
    const struct mmsghdr *header = &t->slots.headers[slot];
    struct slg_lane_message message = {
        .listener = socket->listener,
        .bytes = t->slots.vectors[slot].iov_base,
        .len = header->msg_len,
        .truncated = (header->msg_hdr.msg_flags & MSG_TRUNC) != 0,
    };

    if (!slg_address_of((const struct sockaddr *)&t->slots.names[slot], &message.address))
        memset(&message.address, 0, sizeof(message.address));
    if (message.len > SLOT_SMALL_BYTES)
        t->slots.touched_bytes += message.len;
    if (slg_listener_splits(socket->listener))
        take_lines(t->lane, &message, now);
    else
        slg_lane_take(t->lane, &message, now);
}

/* One system call. Returns how many datagrams it brought. */
static size_t read_once(struct thread *t, const struct udp_socket *socket)
{
    int got = recvmmsg(socket->fd, t->slots.headers, DATAGRAMS_PER_READ, MSG_DONTWAIT, NULL);
    struct slg_lane_time now;
    size_t count;
    uint64_t bytes = 0;

    if (got <= 0)
        return 0; /* EAGAIN; errors of the socket (ICMP) are cleared by being read */
    count = (size_t)got;
    now.wall_ns = slg_clock_wall_ns(t->receive->clock);
    now.mono_ns = slg_clock_mono_ns(t->receive->clock);
    for (size_t i = 0; i < count; i++) {
        bytes += t->slots.headers[i].msg_len;
        take_datagram(t, socket, i, now);
    }
    prepare_slots(&t->slots, count);
    trim_slots(&t->slots);
    slg_metric_add(t->metrics, METRIC_ingester_udp_datagrams_total, 0, count);
    slg_metric_add(t->metrics, METRIC_ingester_udp_bytes_total, 0, bytes);
    slg_metric_add(t->metrics, METRIC_ingester_udp_reads_total, 0, 1);
    return count;
}

/* Read every socket for a while. *ret_drained: all were found empty. */
static size_t read_round(struct thread *t, bool *ret_drained)
{
    size_t total = 0;

    *ret_drained = true;
    for (size_t i = 0; i < t->socket_count; i++) {
        size_t count = DATAGRAMS_PER_READ;

        for (int n = 0; n < READS_PER_ROUND && count == DATAGRAMS_PER_READ; n++) {
            count = read_once(t, &t->sockets[i]);
            total += count;
        }
        if (count == DATAGRAMS_PER_READ)
            *ret_drained = false;
    }
    return total;
}

/* ---- kernel drops ---- */

static void count_kernel_drops(struct thread *t, struct udp_socket *socket)
{
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    socklen_t len = sizeof(memory);
    size_t listener = slg_listener_index(socket->listener);
    uint32_t drops;

    if (getsockopt(socket->fd, SOL_SOCKET, SO_MEMINFO, memory, &len) != 0)
        return;
    drops = memory[SK_MEMINFO_DROPS] - socket->kernel_drops; /* the kernel's counter wraps */
    socket->kernel_drops = memory[SK_MEMINFO_DROPS];
    if (drops == 0)
        return;
    slg_account_received(slg_lane_cell(t->lane), listener, drops);
    slg_account_dropped(slg_lane_cell(t->lane), listener, SLG_DROP_KERNEL, drops);
    slg_metric_add(t->metrics, METRIC_ingester_udp_kernel_drops_total, 0, drops);
}

static void look_for_drops(struct thread *t, int64_t now_mono_ns)
{
    if (now_mono_ns < t->drops_mono_ns)
        return;
    for (size_t i = 0; i < t->socket_count; i++)
        count_kernel_drops(t, &t->sockets[i]);
    t->drops_mono_ns = now_mono_ns + DROPS_EVERY_NS;
}

/* ---- the loop ---- */

/* Busy or not is decided by the rate, not by a single read: a blocking reader gets its datagrams one by one. */
static void measure(struct thread *t, size_t count, int64_t now_mono_ns)
{
    int64_t elapsed_ns = now_mono_ns - t->window_mono_ns;

    t->window_count += count;
    if (elapsed_ns < RATE_WINDOW_NS)
        return;
    t->busy = (int64_t)t->window_count * SLG_NS_PER_MS > BUSY_PER_MS * elapsed_ns;
    t->window_mono_ns = now_mono_ns;
    t->window_count = 0;
}

static void wait_for_input(struct thread *t, int64_t now_mono_ns)
{
    struct pollfd fds[SLG_LISTENER_COUNT_MAX + 1];
    int64_t wake = slg_lane_wake_mono_ns(t->lane);
    int64_t wait_ms;

    if (t->drops_mono_ns < wake)
        wake = t->drops_mono_ns;
    wait_ms = (wake - now_mono_ns + SLG_NS_PER_MS - 1) / SLG_NS_PER_MS;
    for (size_t i = 0; i < t->socket_count; i++)
        fds[i] = (struct pollfd){ .fd = t->sockets[i].fd, .events = POLLIN };
    fds[t->socket_count] = (struct pollfd){ .fd = t->receive->wake_fd, .events = POLLIN };
    (void)poll(fds, t->socket_count + 1, wait_ms > 0 ? (int)wait_ms : 0); /* EINTR: look again */
}

static void drain_at_stop(struct thread *t)
{
    int64_t deadline = slg_clock_mono_ns(t->receive->clock) + DRAIN_NS_MAX;
    bool drained = false;

    while (slg_clock_mono_ns(t->receive->clock) < deadline)
        if (read_round(t, &drained) == 0)
            break;
    t->drops_mono_ns = 0;
    look_for_drops(t, slg_clock_mono_ns(t->receive->clock));
    for (size_t i = 0; i < t->socket_count; i++)
        (void)close(t->sockets[i].fd);
    t->socket_count = 0;
    slg_lane_finish(t->lane, t->receive->stop_mono_ns);
}

static void *run(void *ctx)
{
    struct thread *t = ctx;
    const struct timespec nap = { .tv_nsec = NAP_NS };

    while (!atomic_load_explicit(&t->receive->stopping, memory_order_acquire)) {
        bool drained;
        size_t count = read_round(t, &drained);
        int64_t now = slg_clock_mono_ns(t->receive->clock);

        measure(t, count, now);
        /* A pause between two naps is no idleness: sealing then would make many small batches of a steady stream. */
        slg_lane_tick(t->lane, now, drained && !t->busy);
        look_for_drops(t, now);
        if (!drained)
            continue;
        if (t->busy) {
            /* A nap of 1 ms lets datagrams gather (LIMITS section 1). Even a stop can wait for its end. */
            (void)nanosleep(&nap, NULL);
            slg_metric_add(t->metrics, METRIC_ingester_udp_naps_total, 0, 1);
        } else {
            wait_for_input(t, now);
        }
    }
    drain_at_stop(t);
    return NULL;
}

/* ---- life ---- */

static void destroy_thread(struct thread *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->socket_count; i++)
        (void)close(t->sockets[i].fd);
    if (t->slots.memory != NULL)
        (void)munmap(t->slots.memory, SLOTS_BYTES);
    slg_lane_destroy(t->lane);
    free(t);
}

static void tell_buffer(const struct slg_listener *listener, int buffer_bytes)
{
    int wanted = slg_listener_buffer_bytes(listener);

    if (buffer_bytes < wanted)
        slg_log_warn("receive buffer is small, bursts will be lost listener=%s granted_bytes=%d "
                     "wanted_bytes=%d hint=%s",
                     slg_listener_address(listener), buffer_bytes, wanted,
                     "raise net.core.rmem_max or give CAP_NET_ADMIN");
    else
        slg_log_info("listening protocol=udp address=%s buffer_bytes=%d",
                     slg_listener_address(listener), buffer_bytes);
}

static enum slg_status open_sockets(const struct slg_receive_options *options, struct thread *t,
                                    struct slg_error *reterr)
{
    for (size_t i = 0; i < options->listener_count; i++) {
        struct slg_listener *listener = options->listeners[i];
        struct udp_socket *socket = &t->sockets[t->socket_count];
        int buffer_bytes;
        enum slg_status status;

        if (slg_listener_kind(listener) != SLG_LISTENER_UDP)
            continue;
        status = slg_listener_open(listener, /* shared= */ options->thread_count > 1, &socket->fd,
                                   &buffer_bytes, reterr);
        if (status != SLG_OK)
            return status;
        socket->listener = listener;
        t->socket_count++;
        tell_buffer(listener, buffer_bytes);
        if (t->receive->buffer_bytes == 0 || buffer_bytes < t->receive->buffer_bytes)
            t->receive->buffer_bytes = buffer_bytes;
    }
    return SLG_OK;
}

static enum slg_status make_thread(const struct slg_receive_options *options,
                                   struct slg_receive *receive, struct slg_error *reterr)
{
    struct thread *t = calloc(1, sizeof(*t));
    enum slg_status status;

    if (t == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a receiving thread");
    t->receive = receive;
    receive->threads[receive->thread_count++] = t;
    if (!map_slots(&t->slots))
        return slg_errorf(reterr, SLG_NO_MEMORY, "no address space for receive buffers");
    status = slg_lane_create(&options->lane, &t->lane, reterr);
    if (status != SLG_OK)
        return status;
    t->metrics = slg_lane_metrics(t->lane);
    return open_sockets(options, t, reterr);
}

static enum slg_status start_threads(struct slg_receive *receive, struct slg_error *reterr)
{
    for (size_t i = 0; i < receive->thread_count; i++) {
        struct thread *t = receive->threads[i];

        if (pthread_create(&t->id, NULL, run, t) != 0)
            return slg_errorf(reterr, SLG_NO_MEMORY, "could not start a receiving thread");
        t->started = true;
    }
    return SLG_OK;
}

enum slg_status slg_receive_start(const struct slg_receive_options *options,
                                  struct slg_receive **ret_receive, struct slg_error *reterr)
{
    struct slg_receive *receive;
    enum slg_status status = SLG_OK;

    if (options->thread_count < 1 || options->thread_count > SLG_RECEIVE_THREAD_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu receiving threads are not between 1 and %zu",
                          options->thread_count, SLG_RECEIVE_THREAD_COUNT_MAX);
    receive = calloc(1, sizeof(*receive));
    if (receive == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the receiver");
    receive->clock = options->lane.batcher.clock;
    receive->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (receive->wake_fd < 0)
        status = slg_errorf(reterr, SLG_IO, "could not make an event descriptor: %s",
                            strerrordesc_np(errno));
    for (size_t i = 0; i < options->thread_count && status == SLG_OK; i++)
        status = make_thread(options, receive, reterr);
    if (status == SLG_OK)
        status = start_threads(receive, reterr);
    if (status != SLG_OK) {
        slg_receive_stop(receive, 0);
        slg_receive_destroy(receive);
        return status;
    }
    *ret_receive = receive;
    return SLG_OK;
}

void slg_receive_stop(struct slg_receive *receive, int64_t deadline_mono_ns)
{
    const uint64_t one = 1;
    ssize_t written;

    receive->stop_mono_ns = deadline_mono_ns;
    atomic_store_explicit(&receive->stopping, true, memory_order_release);
    do {
        written = write(receive->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
    for (size_t i = 0; i < receive->thread_count; i++) {
        if (receive->threads[i]->started)
            SLG_ASSERT(pthread_join(receive->threads[i]->id, NULL) == 0);
        receive->threads[i]->started = false;
    }
}

void slg_receive_destroy(struct slg_receive *receive)
{
    if (receive == NULL)
        return;
    for (size_t i = 0; i < receive->thread_count; i++)
        destroy_thread(receive->threads[i]);
    if (receive->wake_fd >= 0)
        (void)close(receive->wake_fd);
    free(receive);
}

void slg_receive_set_map(struct slg_receive *receive, struct slg_map *map)
{
    for (size_t i = 0; i < receive->thread_count; i++)
        slg_lane_set_map(receive->threads[i]->lane, map);
}

int slg_receive_buffer_bytes(const struct slg_receive *receive)
{
    return receive->buffer_bytes;
}
