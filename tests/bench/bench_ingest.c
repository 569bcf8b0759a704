/* bench_ingest - CPU per line of the ingester against the bare price of receiving a datagram, on this machine, now.
 *
 *   bench_ingest send FILE PORT RATE COUNT    lines of FILE to 127.0.0.1:PORT, paced, stamps of RFC 5424 lines renewed
 *   bench_ingest limit PORT COUNT             bare recvmmsg loop; prints CPU per datagram
 *   bench_ingest sink PORT                    a storer that says "stored" to everything, until it is killed
 *   bench_ingest ingest PORT SINK_PORT COUNT  the whole ingester, R=1; prints CPU of the process per line
 * limit and ingest say "ready" when the socket is bound, and end after COUNT datagrams or when none comes any more.
 * tests/bench/bench_ingest.sh runs them in turn. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "ingester/ingester.h"

#define VECTOR     256
#define BATCH      64
#define LINES_MAX  200000
#define SLICE_NS   (1 * SLG_NS_PER_MS)
#define SLOT_BYTES 8192
#define LOOK_NS    (10 * SLG_NS_PER_MS)
#define QUIET_NS   (2 * SLG_NS_PER_SEC)  /* no datagram for so long: the rest is lost */
#define START_NS   (20 * SLG_NS_PER_SEC) /* nor any at all */

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static int64_t now_ns(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void pause_until(int64_t mono_ns)
{
    struct timespec until = { mono_ns / SLG_NS_PER_SEC, mono_ns % SLG_NS_PER_SEC };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static int udp_socket(uint16_t port, bool bind_it)
{
    struct sockaddr_in in = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int bytes = SLG_LISTENER_BUFFER_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if ((bind_it ? bind(fd, (const struct sockaddr *)&in, sizeof(in))
                 : connect(fd, (const struct sockaddr *)&in, sizeof(in))) != 0) {
        perror("socket");
        exit(1);
    }
    return fd;
}

/* ---- send ---- */

struct lines {
    char *texts[LINES_MAX];
    size_t lens[LINES_MAX];
    size_t count;
};

static void read_lines(const char *path, struct lines *lines)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while (lines->count < LINES_MAX && (len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        lines->texts[lines->count] = strndup(line, (size_t)len);
        lines->lens[lines->count++] = (size_t)len;
    }
    free(line);
    (void)fclose(file);
}

/* "<22>1 2026-11-21T22:42:29.123456Z ...": write the present over the stamp; only of its 27 byte form. */
static void renew_stamp(char *line, size_t len, const char stamp[28])
{
    char *at = memchr(line, ' ', len < 8 ? len : 8);

    if (at == NULL || (size_t)(at + 29 - line) > len || at[5] != '-' || at[28] != ' ' ||
        at[27] != 'Z')
        return;
    memcpy(at + 1, stamp, 27);
}

static void make_stamp(char stamp[32])
{
    struct timespec now;
    struct tm tm;
    size_t len;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    len = strftime(stamp, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(stamp + len, 32 - len, ".%06ldZ", now.tv_nsec / 1000 % 1000000);
}

static void send_paced(const struct lines *lines, int fd, uint64_t rate, uint64_t count)
{
    int64_t begin = now_ns();
    uint64_t sent = 0;
    uint64_t short_count = 0;
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];

    memset(headers, 0, sizeof(headers));
    while (sent < count) {
        int64_t elapsed = now_ns() - begin;
        uint64_t due = (uint64_t)((double)elapsed / 1e9 * (double)rate);
        char stamp[32];

        make_stamp(stamp);
        due = due < count ? due : count;
        while (sent < due) {
            unsigned n = due - sent < BATCH ? (unsigned)(due - sent) : BATCH;

            for (unsigned i = 0; i < n; i++) {
                size_t line = (size_t)((sent + i) % lines->count);

                renew_stamp(lines->texts[line], lines->lens[line], stamp);
                vectors[i] = (struct iovec){ lines->texts[line], lines->lens[line] };
                headers[i].msg_hdr.msg_iov = &vectors[i];
                headers[i].msg_hdr.msg_iovlen = 1;
            }
            if (sendmmsg(fd, headers, n, 0) != (int)n)
                short_count++; /* the receiver is not there (yet) */
            sent += n;
        }
        pause_until(now_ns() + SLICE_NS);
    }
    printf("sent %" PRIu64 " lines, %.0f/s, %" PRIu64 " calls cut short\n", sent,
           (double)sent / ((double)(now_ns() - begin) / 1e9), short_count);
}

/* ---- receiving ---- */

static void say_ready(void)
{
    puts("ready");
    (void)fflush(stdout);
}

/* When to give up waiting: count is what came so far. */
struct patience {
    uint64_t count;
    int64_t mono_ns; /* when it last grew */
    double cpu;      /* used until then: waiting for what is lost costs nobody */
};

static bool lost_patience(struct patience *p, uint64_t count)
{
    int64_t now = now_ns();

    if (count != p->count || p->mono_ns == 0)
        *p = (struct patience){ count, now, cpu_seconds() };
    return now - p->mono_ns > (count == 0 ? START_NS : QUIET_NS);
}

/* ---- limit ---- */

/* What a receiver that cares about losses does at least: it gives room for the counter of dropped datagrams with each
 * message, so the headers are made anew for each call. */
static void run_limit(uint16_t port, uint64_t wanted)
{
    static char data[VECTOR][SLOT_BYTES];
    static char controls[VECTOR][64];
    static struct mmsghdr headers[VECTOR];
    static struct iovec vectors[VECTOR];
    int fd = udp_socket(port, true);
    const int yes = 1;
    const struct timespec nap = { .tv_nsec = SLG_NS_PER_MS };
    struct patience patience = { 0 };
    uint64_t count = 0;
    uint64_t bytes = 0;
    uint64_t calls = 0;
    double begin;

    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof(yes));
    say_ready();
    begin = cpu_seconds();
    for (;;) {
        int got;

        for (int i = 0; i < VECTOR; i++) {
            vectors[i] = (struct iovec){ data[i], SLOT_BYTES };
            headers[i].msg_hdr = (struct msghdr){ .msg_iov = &vectors[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = controls[i],
                                                  .msg_controllen = sizeof(controls[i]) };
        }
        got = recvmmsg(fd, headers, VECTOR, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++)
            bytes += headers[i].msg_len;
        if (got > 0) {
            count += (uint64_t)got;
            calls++;
        } else if (lost_patience(&patience, count) || count >= wanted) {
            break;
        } else {
            (void)nanosleep(&nap, NULL);
        }
    }
    printf("limit: %" PRIu64 " datagrams, %.0f ns CPU each, lost %" PRIu64 ", %.0f a call, %" PRIu64
           " bytes\n",
           count, count > 0 ? (patience.cpu - begin) / (double)count * 1e9 : 0.0, wanted - count,
           calls > 0 ? (double)count / (double)calls : 0.0, bytes);
}

/* ---- sink ---- */

static void sink_handle(void *ctx, struct slg_transport_call *call, const uint8_t *request,
                        size_t len)
{
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of("bench"),
                                   .node_id = slg_text_of("sink"),
                                   .role = slg_text_of("storer"),
                                   .map_epoch = 1 };
    enum slg_rpc_type type = SLG_RPC_STORE;
    struct slg_buf reply;

    (void)ctx;
    slg_buf_init(&reply, 4096);
    if (slg_rpc_peek(request, len, &type) == SLG_OK && type == SLG_RPC_HELLO)
        slg_rpc_encode_hello_reply(&reply, &hello);
    else
        slg_rpc_encode_store_reply(&reply, SLG_STORE_STORED, 1, "");
    slg_transport_call_reply(call, reply.data, reply.len);
    slg_buf_fini(&reply);
}

static void run_sink(const char *port)
{
    char url[64];
    struct slg_transport_server_options options = { .url = url,
                                                    .call_count_max = 64,
                                                    .handler = sink_handle };
    struct slg_transport_server *server;
    struct slg_error error;

    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%s", port);
    if (slg_transport_server_start(&options, &server, &error) != SLG_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    say_ready();
    for (;;)
        pause_until(now_ns() + SLG_NS_PER_SEC);
}

/* ---- ingest ---- */

static void check(enum slg_status status, const struct slg_error *error)
{
    if (status == SLG_OK)
        return;
    (void)fprintf(stderr, "%s\n", error->message);
    exit(1);
}

static size_t anonymous_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    size_t kib = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

/* Until all are received and settled. Returns the CPU time used until then. */
static double await_lines(struct slg_ingester *ingester, uint64_t wanted,
                          struct slg_account_totals *ret_totals)
{
    struct patience patience = { 0 };
    bool lost = false;

    while (!lost &&
           (patience.count == 0 || ret_totals->received < wanted || ret_totals->in_flight > 0)) {
        pause_until(now_ns() + LOOK_NS);
        slg_ingester_totals(ingester, ret_totals);
        lost = lost_patience(&patience, ret_totals->received + ret_totals->accepted);
    }
    return patience.cpu;
}

static void run_ingest(const char *port, const char *sink_port, uint64_t wanted)
{
    char listen[64];
    char url[64];
    struct slg_map_single_options map_options = { .cluster_id = "bench",
                                                  .node_id = "sink",
                                                  .address = url,
                                                  .window_length_ns = 3600 * SLG_NS_PER_SEC,
                                                  .slot_count = 1 };
    struct slg_rules_options rules_options = { .label_count_max = SLG_LABEL_COUNT_MAX,
                                               .value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX };
    struct slg_listener_options listener = { .kind = SLG_LISTENER_UDP, .listen = listen };
    struct slg_ingester_options options;
    struct slg_account_totals totals;
    struct slg_ingester *ingester;
    struct slg_masks *masks;
    struct slg_rules *rules;
    struct slg_map *map;
    struct slg_error error;
    size_t mask_count;
    const struct slg_mask_rule *mask_rules = slg_masks_default(&mask_count);
    uint64_t left;
    double begin;
    double cpu;

    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%s", port);
    (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%s", sink_port);
    check(slg_map_make_single(&map_options, &map, &error), &error);
    check(slg_rules_compile(&rules_options, &rules, &error), &error);
    check(slg_masks_create(mask_rules, mask_count, &masks, &error), &error);
    slg_record_options_init(&listener.record);
    listener.record.tenant = slg_text_of("bench");
    listener.record.rules = rules;
    listener.record.masks = masks;
    slg_ingester_options_init(&options);
    options.node_id = "bench";
    options.tenant = slg_text_of("bench");
    options.map = map;
    options.metrics = slg_metric_registry_create();
    options.listeners = &listener;
    options.listener_count = 1;
    check(slg_ingester_create(&options, &ingester, &error), &error);
    check(slg_ingester_start(ingester, &error), &error);
    say_ready();
    begin = cpu_seconds();
    cpu = await_lines(ingester, wanted, &totals) - begin;
    printf("ingest: %" PRIu64 " lines, %.0f ns CPU each, lost %" PRIu64 " (dropped %" PRIu64
           "), RssAnon %zu KiB\n",
           totals.accepted, totals.accepted > 0 ? cpu / (double)totals.accepted * 1e9 : 0.0,
           wanted - totals.accepted, totals.dropped, anonymous_kib());
    (void)fflush(stdout);
    slg_ingester_stop(ingester, &left);
    slg_ingester_destroy(ingester);
    slg_metric_registry_destroy(options.metrics);
    slg_masks_destroy(masks);
    slg_rules_destroy(rules);
    slg_map_unref(map);
}

int main(int argc, char **argv)
{
    static struct lines lines;

    if (argc == 6 && strcmp(argv[1], "send") == 0) {
        read_lines(argv[2], &lines);
        send_paced(&lines, udp_socket((uint16_t)number(argv[3]), false), number(argv[4]),
                   number(argv[5]));
    } else if (argc == 4 && strcmp(argv[1], "limit") == 0) {
        run_limit((uint16_t)number(argv[2]), number(argv[3]));
    } else if (argc == 3 && strcmp(argv[1], "sink") == 0) {
        run_sink(argv[2]);
    } else if (argc == 5 && strcmp(argv[1], "ingest") == 0) {
        run_ingest(argv[2], argv[3], number(argv[4]));
    } else {
        (void)fprintf(stderr, "usage: bench_ingest send FILE PORT RATE COUNT | limit PORT COUNT | "
                              "sink PORT | ingest PORT SINK_PORT COUNT\n");
        return 2;
    }
    return 0;
}
