#include "proto/cut.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;

        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    if (a->sa_family == AF_INET6) {
        const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;

        return x->sin6_port == y->sin6_port &&
               memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
    }
    return false;
}

struct wanted {
    const struct sockaddr *local, *peer; /* NULL: dials */
};

static bool is_dead(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_unacked > 0 &&
           info.tcpi_retransmits >= SLG_CUT_RETRY_COUNT;
}

static bool is_connection(int fd, const struct wanted *wanted)
{
    struct sockaddr_storage local, peer;
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);

    return getsockname(fd, (struct sockaddr *)&local, &local_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
           same_address((struct sockaddr *)&local, wanted->local) &&
           same_address((struct sockaddr *)&peer, wanted->peer) && is_dead(fd);
}

/* Fails for what is no TCP socket. */
static bool is_lasting_dial(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_SYN_SENT && info.tcpi_retransmits >= SLG_CUT_SYN_COUNT;
}

static size_t cut_all(const struct wanted *wanted)
{
    DIR *fds = opendir("/proc/self/fd");
    const struct linger drop = { .l_onoff = 1, .l_linger = 0 };
    struct dirent *entry;
    size_t count = 0;

    while (fds != NULL && (entry = readdir(fds)) != NULL) {
        int fd = (int)strtoul(entry->d_name, NULL, 10); /* "." and "..": 0, no connection of ours */

        if (wanted->local != NULL ? !is_connection(fd, wanted) : !is_lasting_dial(fd))
            continue;
        /* Both fail when it is closed already. */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
        (void)shutdown(fd, SHUT_RDWR);
        count++;
    }
    if (fds != NULL)
        (void)closedir(fds); /* read only */
    return count;
}

size_t slg_cut_connection(const struct sockaddr *local, const struct sockaddr *peer)
{
    return cut_all(&(struct wanted){ .local = local, .peer = peer });
}

size_t slg_cut_dials(void)
{
    return cut_all(&(struct wanted){ .local = NULL });
}
