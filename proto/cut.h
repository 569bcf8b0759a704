/* proto/cut.h - ends TCP connections of this process from the side of the kernel, for a library that lends no sockets.
 *
 * The library then sees what it sees when a peer closes, which is the way that is walked every day. Only connections go whose other
 * end does not even acknowledge: a process that stands still, while its kernel answers all the time, may go on with
 * what it was about to answer.
 * Threads: any. A socket that is closed at the same moment is none of ours any more: its number may have been given
 * to another socket only if that has the same addresses, which the kernel does not do. */
#ifndef SLG_PROTO_CUT_H
#define SLG_PROTO_CUT_H

#include <stddef.h>
#include <sys/socket.h>

/* SYNs without an answer, 1, 3 and 7 s after the first (1, 2 and 3 s since Linux 6.5): such an attempt to connect is ended by slg_cut_dials. The
 * kernel would repeat them after up to 63 s, and be idle for long after the way is there again. */
#define SLG_CUT_SYN_COUNT 3

/* Retransmissions in a row after which the other end is called dead. */
#define SLG_CUT_RETRY_COUNT 2

/* Shut down the connection between these two addresses, AF_INET or AF_INET6, if what was sent on it is not acknowledged.
 * How many that were: 0 or 1. What was not sent yet is dropped, so that it does not arrive after all. */
size_t slg_cut_connection(const struct sockaddr *local, const struct sockaddr *peer);
/* Fail every attempt of this process to connect that has sent SLG_CUT_SYN_COUNT more SYNs. How many there were. */
size_t slg_cut_dials(void);

#endif
