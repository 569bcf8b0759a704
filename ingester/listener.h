/* ingester/listener.h - one syslog listener of the settings: address, who may send, how its messages are read.
 *
 * Refuses (INVALID): addresses that are not numeric HOST:PORT, bad CIDRs, an address off loopback without an allow-list
 *          unless it says insecure (DESIGN section 2), the reserved job "silage".
 * An IPv6 listener takes IPv6 only: state both families to have both.
 * Owner:   opaque, heap; texts of the options are copied, rules, masks and zones of `record` are borrowed.
 * Threads: immutable but for open, which one thread does at start; then any may read. */
#ifndef SLG_INGESTER_LISTENER_H
#define SLG_INGESTER_LISTENER_H

#include <sys/socket.h>

#include "base/address.h"
#include "ingester/record.h"

#define SLG_LISTENER_COUNT_MAX        ((size_t)32)
#define SLG_LISTENER_ALLOW_COUNT_MAX  ((size_t)256)
#define SLG_LISTENER_HOST_COUNT_MAX   ((size_t)4096)
/* SO_RCVBUF asked for by default, LIMITS section 1. */
#define SLG_LISTENER_BUFFER_BYTES     (8 * 1024 * 1024)
#define SLG_LISTENER_BUFFER_BYTES_MIN 4096
#define SLG_LISTENER_BUFFER_BYTES_MAX (256 * 1024 * 1024)
#define SLG_RESERVED_JOB              "silage"

enum slg_listener_kind { SLG_LISTENER_UDP, SLG_LISTENER_TCP, SLG_LISTENER_RELP };
/* "udp", "tcp", "relp" */
const char *slg_listener_kind_text(enum slg_listener_kind kind);

/* The configured name of a sender. */
struct slg_listener_host {
    const char *address;
    const char *name;
};

struct slg_listener_options {
    enum slg_listener_kind kind;
    const char *listen;       /* "127.0.0.1:1514", "[::1]:1514"; port 0: a free one */
    const char *const *allow; /* CIDRs; none: everybody who reaches it, on loopback only */
    size_t allow_count;
    bool insecure;    /* off loopback without an allow-list */
    bool split_lines; /* UDP: each LF within a datagram ends a message */
    int buffer_bytes; /* UDP: receive buffer to ask for; 0: SLG_LISTENER_BUFFER_BYTES */
    struct slg_record_options record; /* listener_index is set here */
    const struct slg_listener_host *hosts;
    size_t host_count;
};

struct slg_listener;

/* Binds nothing yet; lists are copied. INVALID: an option out of its range, or off loopback without an allow list;
 * NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_listener_create(const struct slg_listener_options *options,
                                                   size_t index, struct slg_listener **ret_listener,
                                                   struct slg_error *reterr);
void slg_listener_destroy(struct slg_listener *listener);

enum slg_listener_kind slg_listener_kind(const struct slg_listener *listener);
size_t slg_listener_index(const struct slg_listener *listener);
bool slg_listener_insecure(const struct slg_listener *listener);
bool slg_listener_splits(const struct slg_listener *listener);
const struct slg_record_options *slg_listener_record(const struct slg_listener *listener);
/* "127.0.0.1:1514", with the real port once it is open. */
const char *slg_listener_address(const struct slg_listener *listener);
bool slg_listener_allows(const struct slg_listener *listener, const struct slg_address *address);
/* Receive buffer wanted. */
int slg_listener_buffer_bytes(const struct slg_listener *listener);
/* Configured name, or "". */
const char *slg_listener_host_name(const struct slg_listener *listener,
                                   const struct slg_address *address);

/* Open and bind another socket, non-blocking, close-on-exec; TCP listens. shared: SO_REUSEPORT, for one UDP socket per
 * thread; the first makes sure that no other process has the port.
 * UDP: *ret_buffer_bytes = the receive buffer granted, in the unit it is asked for.
 * UNAVAILABLE: in use; INVALID: no such address here; IO. */
SLG_MUST_CHECK enum slg_status slg_listener_open(struct slg_listener *listener, bool shared,
                                                 int *ret_fd, int *ret_buffer_bytes,
                                                 struct slg_error *reterr);

#endif
