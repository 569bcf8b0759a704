/* ingester/receive.h - UDP: N threads, each with its own socket of every UDP listener (LIMITS section 1).
 *
 * A thread reads up to 256 datagrams a call, blocks while idle, and naps for 1 ms between reads while busy, so that a
 * call brings many. What the kernel dropped is asked for every second (SO_MEMINFO) and counted as received and dropped.
 * At stop the sockets are read until they are empty.
 * Owner:   the listeners are borrowed. Threads: start and stop by one. */
#ifndef SLG_INGESTER_RECEIVE_H
#define SLG_INGESTER_RECEIVE_H

#include "ingester/lane.h"

#define SLG_RECEIVE_THREAD_COUNT_MAX ((size_t)64)
#define SLG_RECEIVE_IDLE_GAP_NS                                                                    \
    (10 * SLG_NS_PER_MS) /* between early seals, so that batches have a size */

struct slg_receive_options {
    struct slg_listener *const *listeners; /* those of kind UDP are taken */
    size_t listener_count;
    size_t thread_count; /* 1 to SLG_RECEIVE_THREAD_COUNT_MAX */
    struct slg_lane_options lane;
};

struct slg_receive;

/* Open the sockets and start the threads. */
SLG_MUST_CHECK enum slg_status slg_receive_start(const struct slg_receive_options *options,
                                                 struct slg_receive **ret_receive,
                                                 struct slg_error *reterr);
/* Read what the sockets hold, seal until the deadline, end the threads. */
void slg_receive_stop(struct slg_receive *receive, int64_t deadline_mono_ns);
void slg_receive_destroy(struct slg_receive *receive); /* stopped, or NULL */
void slg_receive_set_map(struct slg_receive *receive, struct slg_map *map);
/* Smallest receive buffer granted, of all sockets, in the unit it is asked for; 0 without sockets. */
int slg_receive_buffer_bytes(const struct slg_receive *receive);

#endif
