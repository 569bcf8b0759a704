/* tests/helper/ingester_socket.h - listeners and senders on loopback for tests of the intake. */
#ifndef SLG_TESTS_HELPER_INGESTER_SOCKET_H
#define SLG_TESTS_HELPER_INGESTER_SOCKET_H

#include "tests/helper/ingester.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingester/lane.h"

static inline struct slg_rules *test_rules(void)
{
    struct slg_rules_options options = { .label_count_max = SLG_LABEL_COUNT_MAX,
                                         .value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX };
    struct slg_rules *rules;
    struct slg_error error;

    if (slg_rules_compile(&options, &rules, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return rules;
}

static inline struct slg_listener_options test_listener_options(enum slg_listener_kind kind,
                                                                const struct slg_rules *rules)
{
    struct slg_listener_options options = { .kind = kind, .listen = "127.0.0.1:0" };

    slg_record_options_init(&options.record);
    options.record.tenant = slg_text_of("t");
    options.record.rules = rules;
    return options;
}

static inline struct slg_lane_options test_lane_options(struct bench *b)
{
    struct slg_lane_options options = { .account = b->account, .metrics = b->metrics };

    slg_batcher_options_init(&options.batcher);
    options.batcher.tenant = slg_text_of("t");
    options.batcher.map = b->map;
    options.batcher.forward = b->forward;
    options.batcher.listener_mixed = 3;
    return options;
}

/* A socket connected to "127.0.0.1:PORT" or "[::1]:PORT". */
static inline int test_connect(const char *address, int type)
{
    const char *colon = strrchr(address, ':');
    unsigned long port = 0;
    int fd;

    for (const char *at = colon + 1; *at != '\0'; at++)
        port = port * 10 + (unsigned long)(*at - '0');
    if (address[0] == '[') {
        struct sockaddr_in6 in = { .sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)port),
                                   .sin6_addr = in6addr_loopback };

        fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    } else {
        struct sockaddr_in in = { .sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

        fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
    }
    return fd;
}

static inline void test_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);

        assert_true(sent > 0);
        at += sent;
        len -= (size_t)sent;
    }
}

static inline void test_send_text(int fd, const char *text)
{
    test_send(fd, text, strlen(text));
}

struct test_answer {
    int code;
    char text[65536]; /* headers and body */
    const char *body;
};

/* One HTTP request on a connection of its own; headers: lines that end in CRLF, or "". */
static inline void test_http(const char *address, const char *method, const char *path,
                             const char *headers, const void *body, size_t len,
                             struct test_answer *ret_answer)
{
    int fd = test_connect(address, SOCK_STREAM);
    char head[1024];
    size_t got = 0;
    ssize_t n;
    int head_len = snprintf(head, sizeof(head),
                            "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s"
                            "Content-Length: %zu\r\n\r\n",
                            method, path, headers, len);

    assert_true(head_len > 0 && (size_t)head_len < sizeof(head));
    test_send(fd, head, (size_t)head_len);
    test_send(fd, body, len);
    while (got < sizeof(ret_answer->text) - 1 &&
           (n = recv(fd, ret_answer->text + got, sizeof(ret_answer->text) - 1 - got, 0)) > 0)
        got += (size_t)n;
    ret_answer->text[got] = '\0';
    close(fd);
    assert_true(got > 12);
    ret_answer->code = (ret_answer->text[9] - '0') * 100 + (ret_answer->text[10] - '0') * 10 +
                       (ret_answer->text[11] - '0');
    ret_answer->body = strstr(ret_answer->text, "\r\n\r\n");
    assert_non_null(ret_answer->body);
    ret_answer->body += 4;
}

#endif
