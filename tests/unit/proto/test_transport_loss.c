/* Peers that leave in the middle of a burst, in any way, cost nobody else a connection: the process connects again to
 * peers that it loses afterwards.
 * Oracle: peers of our own that speak NNG's protocol byte by byte (SP over TCP: an 8 byte greeting, then messages of an 8
 * byte length, a 4 byte request id, and the text). Without the mending of NNG 1.5 (nng_stream_recv in transport.c)
 * most rows here wait for ever, often within three rounds. Waits have a deadline, nothing sleeps. */
#include "tests/helper/test.h"
#include "tests/helper/wait.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proto/transport.h"

#define ROUND_COUNT 20
#define BURST_COUNT 200
#define TEXT_BYTES  100
#define EACH_BYTES  (8 + 4 + TEXT_BYTES)
#define ID_REQ      0x30
#define ID_REP      0x31

static const struct leave_case {
    const char *name;
    size_t reply_len;  /* of each reply to the burst */
    bool half_first;   /* says that it will say no more, and reads a little */
    bool reads_little; /* before it leaves */
    bool reset;        /* leaves with a reset, whatever lies unread */
} leave_cases[] = {
    { "small replies, closed", 8, false, false, false },
    { "small replies, reset", 8, false, false, true },
    { "large replies, closed", 1000000, false, false, false },
    { "large replies, reset", 1000000, false, false, true },
    { "large replies, closed by halves", 1000000, true, true, false },
    { "large replies, read a little", 1000000, false, true, false },
};

static struct sockaddr_in address_of(const char *url)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };

    address.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
    return address;
}

/* What a peer that is about to be lost sends or reads may fail. */
static bool pass(int fd, uint8_t *bytes, size_t len, bool out)
{
    while (len > 0) {
        ssize_t n = out ? send(fd, bytes, len, MSG_NOSIGNAL) : recv(fd, bytes, len, 0);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void set_patience(int fd, struct timeval patience)
{
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
    assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
}

static bool greet(int fd, uint8_t id)
{
    uint8_t greeting[8] = { 0, 'S', 'P', 0, 0, id, 0, 0 }, theirs[8];
    bool greeted;

    set_patience(fd, (struct timeval){ .tv_sec = TEST_DEADLINE_NS / SLG_NS_PER_SEC });
    greeted = pass(fd, greeting, sizeof(greeting), true) && pass(fd, theirs, sizeof(theirs), false);
    set_patience(fd,
                 (struct timeval){ .tv_usec = 200000 }); /* a peer that is full reads no further */
    return greeted;
}

static void send_burst(int fd)
{
    uint8_t *burst = calloc(BURST_COUNT, EACH_BYTES);

    assert_non_null(burst);
    for (size_t i = 0; i < BURST_COUNT; i++) {
        uint8_t *message = burst + i * EACH_BYTES;

        message[7] = 4 + TEXT_BYTES;
        message[8] = 0x80; /* a request id */
        message[11] = (uint8_t)i;
        message[12] = 'x';
    }
    (void)pass(fd, burst, BURST_COUNT * EACH_BYTES, true);
    free(burst);
}

static void leave(int fd, const struct leave_case *how)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    uint8_t little[8192];

    if (how->half_first)
        (void)shutdown(fd, SHUT_WR);
    for (size_t i = 0; how->reads_little && i < 100; i++)
        (void)recv(fd, little, sizeof(little), 0);
    if (how->reset)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    (void)close(fd);
}

static void answer(void *ctx, struct slg_transport_call *call, const uint8_t *request, size_t len)
{
    static const uint8_t reply[1000000];
    const struct leave_case *how = ctx;

    (void)request;
    (void)len;
    slg_transport_call_reply(call, reply, how->reply_len);
}

static void echo(void *ctx, struct slg_transport_call *call, const uint8_t *request, size_t len)
{
    (void)ctx;
    slg_transport_call_reply(call, request, len);
}

static struct slg_transport_server *serve(const char *url, slg_transport_handler *handler,
                                          const struct leave_case *how)
{
    struct slg_transport_server_options options = {
        .url = url, .call_count_max = 64, .handler = handler, .handler_ctx = (void *)(uintptr_t)how
    };
    struct slg_transport_server *server = NULL;
    struct slg_error error;

    if (slg_transport_server_start(&options, &server, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return server;
}

static struct slg_transport_client *dial(const char *url)
{
    struct slg_transport_client_options options = { .url = url, .in_flight_max = 64 };
    struct slg_transport_client *client = NULL;
    struct slg_error error;

    if (slg_transport_client_start(&options, &client, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return client;
}

/* Lose a connection and get it again: what needs the library's reaping thread. */
static void check_process_reconnects(const char *name)
{
    struct slg_transport_server *server = serve("tcp://127.0.0.1:0", echo, NULL);
    char url[64];
    struct slg_transport_client *client;

    (void)snprintf(url, sizeof(url), "%s", slg_transport_server_url(server));
    client = dial(url);
    WAIT_UNTIL(slg_transport_client_connected(client));
    slg_transport_server_stop(server);
    slg_transport_server_destroy(server);
    print_message("     %s\n", name); /* the row, should it hang */
    WAIT_UNTIL(!slg_transport_client_connected(client));
    server = serve(url, echo, NULL);
    WAIT_UNTIL(slg_transport_client_connected(client));
    slg_transport_client_stop(client);
    slg_transport_server_stop(server);
    slg_transport_server_destroy(server);
}

/* Those that came before are accepted then: NNG 1.5 forgets who still waits for that when it stops listening. */
static void check_server_answers(const char *name, const char *url)
{
    struct slg_transport_client *client = dial(url);
    struct slg_buf reply;

    slg_buf_init(&reply, 1 << 20);
    CHECK(name, slg_transport_ask(client, "x", 1, 20000, &reply) == SLG_OK);
    slg_buf_fini(&reply);
    slg_transport_client_stop(client);
}

static void test_clients_that_leave_in_a_burst(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(leave_cases); i++) {
        struct slg_transport_server *server = serve("tcp://127.0.0.1:0", answer, &leave_cases[i]);
        struct sockaddr_in address = address_of(slg_transport_server_url(server));

        for (size_t round = 0; round < ROUND_COUNT; round++) {
            int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

            assert_return_code(fd, 0);
            assert_return_code(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
            CHECK(leave_cases[i].name, greet(fd, ID_REQ));
            send_burst(fd);
            leave(fd, &leave_cases[i]);
        }
        check_process_reconnects(leave_cases[i].name);
        check_server_answers(leave_cases[i].name, slg_transport_server_url(server));
        slg_transport_server_stop(server);
        slg_transport_server_destroy(server);
    }
}

static void count_done(void *ctx, enum slg_status status, const uint8_t *reply, size_t len)
{
    (void)status;
    (void)reply;
    (void)len;
    (void)atomic_fetch_add((atomic_int *)ctx, 1);
}

/* The next connection of the client, greeted; -1: none came, which is what the fault looks like. */
static int accept_client(int listener)
{
    struct pollfd one = { .fd = listener, .events = POLLIN };
    int fd = poll(&one, 1, (int)(TEST_DEADLINE_NS / SLG_NS_PER_MS)) == 1
                 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC)
                 : -1;

    if (fd >= 0 && !greet(fd, ID_REP)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Each round is a reconnection. The replies answer nothing that was asked. */
static void test_servers_that_leave_in_a_burst(void **state)
{
    static const uint8_t request[300000];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(leave_cases); i++) {
        struct sockaddr_in address = address_of("tcp://127.0.0.1:0");
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t len = sizeof(address);
        struct slg_transport_client *client;
        atomic_int done = 0;
        int asked = 0;
        char url[64];

        assert_return_code(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_return_code(listen(listener, 8), 0);
        assert_return_code(getsockname(listener, (struct sockaddr *)&address, &len), 0);
        (void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%d", ntohs(address.sin_port));
        client = dial(url);
        for (size_t round = 0; round < ROUND_COUNT; round++) {
            int fd = accept_client(listener);

            CHECK(leave_cases[i].name, fd >= 0);
            for (size_t k = 0; k < 32; k++)
                asked += slg_transport_request(
                             client, request, leave_cases[i].reply_len > 1000 ? sizeof(request) : 8,
                             100, count_done, &done) == SLG_OK;
            send_burst(fd);
            leave(fd, &leave_cases[i]);
        }
        (void)close(listener);
        WAIT_UNTIL(atomic_load(&done) == asked);
        slg_transport_client_stop(client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients_that_leave_in_a_burst),
        cmocka_unit_test(test_servers_that_leave_in_a_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
