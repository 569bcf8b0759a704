#include "proto/http_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"

#define LISTEN_BACKLOG 511

static enum slg_status split_address(const char *listen, char host[64], char port[8],
                                     struct slg_error *reterr)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - listen);

    if (colon == NULL || len >= 64 || strlen(colon + 1) >= 8 || colon[1] == '\0')
        return slg_errorf(reterr, SLG_INVALID, "\"%.64s\" is no address, write HOST:PORT", listen);
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    memcpy(host, listen, len);
    host[len] = '\0';
    (void)snprintf(port, 8, "%s", colon + 1); /* measured above */
    return SLG_OK;
}

static enum slg_status bind_socket(const char *listen_at, const struct addrinfo *address,
                                   int *ret_fd, struct slg_error *reterr)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    enum slg_status status;

    if (fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open a socket: %s", strerror(errno));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->ai_family == AF_INET6) /* IPv4 has its own listener */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        status = slg_error_hintf(reterr, SLG_UNAVAILABLE,
                                 "is another process using it? choose another address",
                                 "could not listen on %s: %s", listen_at, strerror(errno));
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    return SLG_OK;
}

static void print_address(int fd, char ret_address[SLG_HTTP_ADDRESS_BYTES])
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(address);
    char host[SLG_ADDRESS_TEXT_BYTES + 16], port[8];

    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    (void)snprintf(ret_address, SLG_HTTP_ADDRESS_BYTES,
                   address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

enum slg_status slg_http_listen_open(const char *listen, int *ret_fd,
                                     char ret_address[SLG_HTTP_ADDRESS_BYTES],
                                     struct slg_error *reterr)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char host[64], port[8];
    enum slg_status status = split_address(listen, host, port, reterr);
    int rc;

    if (status != SLG_OK)
        return status;
    rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (rc != 0)
        return slg_errorf(reterr, SLG_INVALID, "cannot listen on \"%.64s\": %s", listen,
                          gai_strerror(rc));
    status = bind_socket(listen, found, ret_fd, reterr);
    freeaddrinfo(found);
    if (status == SLG_OK)
        print_address(*ret_fd, ret_address);
    return status;
}

enum slg_status slg_http_listen_read_file(const char *path, char **ret_text,
                                          struct slg_error *reterr)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, SLG_HTTP_FILE_BYTES_MAX + 2);
    enum slg_status status = SLG_OK;
    size_t len = 0;

    if (file != NULL && text != NULL)
        len = fread(text, 1, SLG_HTTP_FILE_BYTES_MAX + 1, file);
    if (file == NULL || text == NULL || ferror(file) != 0)
        status =
            slg_errorf(reterr, SLG_INVALID, "could not read \"%s\": %s", path, strerror(errno));
    else if (len == 0)
        status = slg_errorf(reterr, SLG_INVALID, "\"%s\" is empty", path);
    else if (len > SLG_HTTP_FILE_BYTES_MAX)
        status = slg_errorf(reterr, SLG_LIMIT,
                            "\"%s\" has more than %zu bytes, which is no certificate or key", path,
                            SLG_HTTP_FILE_BYTES_MAX);
    if (file != NULL)
        (void)fclose(file); /* read only */
    if (status != SLG_OK) {
        free(text);
        return status;
    }
    *ret_text = text;
    return SLG_OK;
}
