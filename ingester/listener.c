#include "ingester/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cursor.h"

#define ADDRESS_TEXT_MAX ((size_t)64)
#define TCP_BACKLOG      128

struct host {
    struct slg_address address;
    char *name;
};

struct slg_listener {
    enum slg_listener_kind kind;
    size_t index;
    bool insecure;
    bool split_lines;
    bool opened; /* the sockets that come are ours */
    int buffer_bytes;
    struct slg_record_options record;
    struct slg_cidr *allow;
    size_t allow_count;
    struct host *hosts;
    size_t host_count;
    struct sockaddr_storage bound;
    socklen_t bound_len;
    char address[ADDRESS_TEXT_MAX];
};

/* ---- addresses ---- */

/* "HOST:PORT" or "[HOST]:PORT", numeric. */
static enum slg_status parse_listen(const char *text, struct sockaddr_storage *ret_address,
                                    socklen_t *ret_len, struct slg_error *reterr)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    char host[INET6_ADDRSTRLEN];
    struct slg_address address;
    struct slg_cursor c;
    uint64_t port;
    size_t len;
    bool v4;

    if (colon == NULL || (bracketed && (colon == text || colon[-1] != ']')))
        return slg_errorf(reterr, SLG_INVALID, "\"%s\" is not HOST:PORT", text);
    len = (size_t)(colon - text) - (bracketed ? 2 : 0);
    c = slg_cursor_make(colon + 1, strlen(colon + 1));
    if (len >= sizeof(host) || !slg_cursor_take_uint(&c, 5, 65535, &port) ||
        slg_cursor_left(&c) != 0)
        return slg_errorf(reterr, SLG_INVALID, "\"%s\" is not HOST:PORT", text);
    memcpy(host, text + bracketed, len);
    host[len] = '\0';
    if (!slg_address_parse(host, &address, &v4) || v4 == bracketed)
        return slg_errorf(reterr, SLG_INVALID,
                          "\"%s\" has no numeric IPv4 or [IPv6] address in front of the port",
                          text);
    memset(ret_address, 0, sizeof(*ret_address));
    if (v4) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

        memcpy(&in.sin_addr, address.bytes + 12, 4);
        memcpy(ret_address, &in, sizeof(in));
        *ret_len = sizeof(in);
    } else {
        struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

        memcpy(&in.sin6_addr, address.bytes, 16);
        memcpy(ret_address, &in, sizeof(in));
        *ret_len = sizeof(in);
    }
    return SLG_OK;
}

static void print_bound(struct slg_listener *listener)
{
    struct slg_address address = { { 0 } };
    char text[INET6_ADDRSTRLEN] = "";
    uint16_t port;

    if (listener->bound.ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &listener->bound, sizeof(in));
        port = ntohs(in.sin_port);
    } else {
        struct sockaddr_in6 in;

        memcpy(&in, &listener->bound, sizeof(in));
        port = ntohs(in.sin6_port);
    }
    (void)slg_address_of((const struct sockaddr *)&listener->bound, &address);
    (void)slg_address_print(&address, text);
    (void)snprintf(listener->address, sizeof(listener->address),
                   listener->bound.ss_family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

/* ---- life ---- */

static enum slg_status check(const struct slg_listener_options *options,
                             const struct slg_listener *listener, struct slg_error *reterr)
{
    struct slg_address address;

    if (slg_text_equal_to(options->record.job, SLG_RESERVED_JOB))
        return slg_errorf(reterr, SLG_INVALID,
                          "job \"%s\" of listener %s is reserved for the ingester itself",
                          SLG_RESERVED_JOB, options->listen);
    if (listener->buffer_bytes < SLG_LISTENER_BUFFER_BYTES_MIN ||
        listener->buffer_bytes > SLG_LISTENER_BUFFER_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "receive buffer of %d bytes of listener %s is not between %d and %d",
                          listener->buffer_bytes, options->listen, SLG_LISTENER_BUFFER_BYTES_MIN,
                          SLG_LISTENER_BUFFER_BYTES_MAX);
    if (options->allow_count > SLG_LISTENER_ALLOW_COUNT_MAX ||
        options->host_count > SLG_LISTENER_HOST_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "listener %s names more than %zu CIDRs or %zu hosts",
                          options->listen, SLG_LISTENER_ALLOW_COUNT_MAX,
                          SLG_LISTENER_HOST_COUNT_MAX);
    (void)slg_address_of((const struct sockaddr *)&listener->bound, &address);
    if (!slg_address_loopback(&address) && options->allow_count == 0 && !options->insecure)
        return slg_error_hintf(reterr, SLG_INVALID, "add allow: [CIDR] or say insecure: true",
                               "listener %s is off loopback and has no allow-list",
                               options->listen);
    return SLG_OK;
}

static enum slg_status copy_lists(const struct slg_listener_options *options,
                                  struct slg_listener *listener, struct slg_error *reterr)
{
    listener->allow = calloc(options->allow_count + 1, sizeof(listener->allow[0]));
    listener->hosts = calloc(options->host_count + 1, sizeof(listener->hosts[0]));
    if (listener->allow == NULL || listener->hosts == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a listener");
    for (size_t i = 0; i < options->allow_count; i++) {
        enum slg_status status = slg_cidr_parse(options->allow[i], &listener->allow[i], reterr);

        if (status != SLG_OK)
            return status;
        listener->allow_count++;
    }
    for (size_t i = 0; i < options->host_count; i++) {
        bool v4;

        if (!slg_address_parse(options->hosts[i].address, &listener->hosts[i].address, &v4))
            return slg_errorf(reterr, SLG_INVALID, "\"%s\" is not an address",
                              options->hosts[i].address);
        listener->hosts[i].name = strdup(options->hosts[i].name);
        if (listener->hosts[i].name == NULL)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a listener");
        listener->host_count++;
    }
    return SLG_OK;
}

enum slg_status slg_listener_create(const struct slg_listener_options *options, size_t index,
                                    struct slg_listener **ret_listener, struct slg_error *reterr)
{
    struct slg_listener *listener = calloc(1, sizeof(*listener));
    enum slg_status status;

    SLG_ASSERT(index < SLG_LISTENER_COUNT_MAX);
    if (listener == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a listener");
    listener->kind = options->kind;
    listener->index = index;
    listener->insecure = options->insecure && options->allow_count == 0;
    listener->split_lines = options->split_lines;
    listener->buffer_bytes =
        options->buffer_bytes != 0 ? options->buffer_bytes : SLG_LISTENER_BUFFER_BYTES;
    listener->record = options->record;
    listener->record.listener_index = (uint32_t)index;
    status = parse_listen(options->listen, &listener->bound, &listener->bound_len, reterr);
    if (status == SLG_OK)
        status = check(options, listener, reterr);
    if (status == SLG_OK)
        status = copy_lists(options, listener, reterr);
    if (status != SLG_OK) {
        slg_listener_destroy(listener);
        return status;
    }
    print_bound(listener);
    *ret_listener = listener;
    return SLG_OK;
}

void slg_listener_destroy(struct slg_listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->host_count; i++)
        free(listener->hosts[i].name);
    free(listener->hosts);
    free(listener->allow);
    free(listener);
}

const char *slg_listener_kind_text(enum slg_listener_kind kind)
{
    switch (kind) {
    case SLG_LISTENER_UDP:
        return "udp";
    case SLG_LISTENER_TCP:
        return "tcp";
    case SLG_LISTENER_RELP:
        return "relp";
    }
    return "";
}

enum slg_listener_kind slg_listener_kind(const struct slg_listener *listener)
{
    return listener->kind;
}

size_t slg_listener_index(const struct slg_listener *listener)
{
    return listener->index;
}

bool slg_listener_insecure(const struct slg_listener *listener)
{
    return listener->insecure;
}

bool slg_listener_splits(const struct slg_listener *listener)
{
    return listener->split_lines;
}

const struct slg_record_options *slg_listener_record(const struct slg_listener *listener)
{
    return &listener->record;
}

const char *slg_listener_address(const struct slg_listener *listener)
{
    return listener->address;
}

bool slg_listener_allows(const struct slg_listener *listener, const struct slg_address *address)
{
    for (size_t i = 0; i < listener->allow_count; i++)
        if (slg_cidr_contains(&listener->allow[i], address))
            return true;
    return listener->allow_count == 0;
}

int slg_listener_buffer_bytes(const struct slg_listener *listener)
{
    return listener->buffer_bytes;
}

const char *slg_listener_host_name(const struct slg_listener *listener,
                                   const struct slg_address *address)
{
    for (size_t i = 0; i < listener->host_count; i++)
        if (memcmp(&listener->hosts[i].address, address, sizeof(*address)) == 0)
            return listener->hosts[i].name;
    return "";
}

/* ---- sockets ---- */

static void ask_buffer(int fd, int wanted, int *ret_buffer_bytes)
{
    socklen_t len = sizeof(*ret_buffer_bytes);

    /* FORCE needs CAP_NET_ADMIN; without it the kernel clamps to net.core.rmem_max. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted));
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, ret_buffer_bytes, &len) != 0)
        *ret_buffer_bytes = 0;
    /* The kernel doubles what it grants, for its own overhead, and tells the double (socket(7)). */
    *ret_buffer_bytes /= 2;
}

static enum slg_status bind_socket(struct slg_listener *listener, bool shared, int fd,
                                   struct slg_error *reterr)
{
    int one = 1;
    socklen_t len = sizeof(listener->bound);

    if (listener->bound.ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0)
        return slg_errorf(reterr, SLG_IO, "could not set up %s: %s", listener->address,
                          strerrordesc_np(errno));
    if ((listener->kind != SLG_LISTENER_UDP || shared) &&
        setsockopt(fd, SOL_SOCKET, listener->kind == SLG_LISTENER_UDP ? SO_REUSEPORT : SO_REUSEADDR,
                   &one, sizeof(one)) != 0)
        return slg_errorf(reterr, SLG_IO, "could not set up %s: %s", listener->address,
                          strerrordesc_np(errno));
    if (bind(fd, (const struct sockaddr *)&listener->bound, listener->bound_len) != 0)
        return slg_errorf(reterr,
                          errno == EADDRINUSE      ? SLG_UNAVAILABLE
                          : errno == EADDRNOTAVAIL ? SLG_INVALID
                                                   : SLG_IO,
                          "could not listen on %s %s: %s", slg_listener_kind_text(listener->kind),
                          listener->address, strerrordesc_np(errno));
    if (listener->kind != SLG_LISTENER_UDP && listen(fd, TCP_BACKLOG) != 0)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "could not listen on %s %s: %s",
                          slg_listener_kind_text(listener->kind), listener->address,
                          strerrordesc_np(errno));
    if (getsockname(fd, (struct sockaddr *)&listener->bound, &len) != 0)
        return slg_errorf(reterr, SLG_IO, "could not ask for the port of %s: %s", listener->address,
                          strerrordesc_np(errno));
    return SLG_OK;
}

static int make_socket(const struct slg_listener *listener, struct slg_error *reterr)
{
    int type = listener->kind == SLG_LISTENER_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(listener->bound.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        (void)slg_errorf(reterr, SLG_IO, "could not open a socket for %s: %s", listener->address,
                         strerrordesc_np(errno));
    return fd;
}

/* A shared port can be joined by anybody who shares it, too, and the kernel would give half of the senders to another
 * process: a socket that does not share it is refused then. */
static enum slg_status check_alone(struct slg_listener *listener, struct slg_error *reterr)
{
    int fd = make_socket(listener, reterr);
    enum slg_status status;

    if (fd < 0)
        return SLG_IO;
    status = bind_socket(listener, /* shared= */ false, fd, reterr);
    (void)close(fd);
    return status;
}

enum slg_status slg_listener_open(struct slg_listener *listener, bool shared, int *ret_fd,
                                  int *ret_buffer_bytes, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    int fd;

    if (shared && !listener->opened)
        status = check_alone(listener, reterr);
    if (status != SLG_OK)
        return status;
    fd = make_socket(listener, reterr);
    if (fd < 0)
        return SLG_IO;
    *ret_buffer_bytes = 0;
    if (listener->kind == SLG_LISTENER_UDP)
        ask_buffer(fd, listener->buffer_bytes, ret_buffer_bytes);
    status = bind_socket(listener, shared, fd, reterr);
    if (status != SLG_OK) {
        (void)close(fd);
        return status;
    }
    print_bound(listener);
    listener->opened = true;
    *ret_fd = fd;
    return SLG_OK;
}
