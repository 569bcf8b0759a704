/* ingester/tcp.h - syslog over TCP: one thread with epoll for all TCP listeners (RFC 6587, ingester/frame.h), or for
 * all RELP listeners (ingester/relp_peer.h), so that one kind does not wait for the other.
 *
 * A connection that is silent for idle_timeout_ns is closed. While storers are behind the thread waits for room and
 * reads from nobody, so the senders' TCP windows fill: nothing is dropped for want of memory before the stop deadline.
 * A connection that ends within a message: what came is stored, flagged truncated, and counted (RELP: left out, for the
 * sender brings it again). RELP connections are not silent while something of theirs waits for acceptance.
 * Memory: a read buffer for the thread; a connection keeps only the unfinished message, up to line_bytes_max, one that
 * speaks RELP up to one read more and its ledger (8 KB).
 * Without descriptors or memory nobody is accepted for a tenth of a second; the kernel's backlog holds the callers.
 * Refuses: connections over connection_count_max, addresses outside the allow-list: closed at once and counted.
 * Owner:   the listeners are borrowed. Threads: start and stop by one. */
#ifndef SLG_INGESTER_TCP_H
#define SLG_INGESTER_TCP_H

#include "ingester/lane.h"

#define SLG_TCP_CONNECTION_COUNT_MAX     ((size_t)65536)
#define SLG_TCP_CONNECTION_COUNT_DEFAULT ((size_t)1024)
#define SLG_TCP_IDLE_NS_DEFAULT          (120 * SLG_NS_PER_SEC) /* as Promtail's idle_timeout */

struct slg_tcp_options {
    bool relp;                             /* serve listeners of kind RELP, else of kind TCP */
    struct slg_listener *const *listeners; /* those of the kind are taken */
    size_t listener_count;
    size_t connection_count_max; /* 1 to SLG_TCP_CONNECTION_COUNT_MAX */
    int64_t idle_timeout_ns;     /* > 0 */
    size_t line_bytes_max;       /* 480 to SLG_LINE_BYTES_MAX */
    struct slg_lane_options lane;
};

struct slg_tcp;

/* INVALID: an option out of its range; IO: an address cannot be bound; NO_MEMORY, threads included. */
SLG_MUST_CHECK enum slg_status slg_tcp_start(const struct slg_tcp_options *options,
                                             struct slg_tcp **ret_tcp, struct slg_error *reterr);
/* Accept no more, read what has come (RELP: not, it is not acknowledged), seal, and for RELP wait for acceptance, until
 * the deadline; end the thread. */
void slg_tcp_stop(struct slg_tcp *tcp, int64_t deadline_mono_ns);
void slg_tcp_destroy(struct slg_tcp *tcp); /* stopped, or NULL; after slg_forward_stop */
void slg_tcp_set_map(struct slg_tcp *tcp, struct slg_map *map);

#endif
