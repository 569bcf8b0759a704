/* ingester/lane.h - what one intake thread works with: recorder, batcher, its ledger cell and its numbers.
 *
 * A socket thread gives it messages; it finds out who sent them, turns them into entries, puts these into builders and
 * counts what happens to each. Nothing here is shared with another lane.
 * Owner:   one thread, but for create, destroy and slg_lane_set_map (any thread). */
#ifndef SLG_INGESTER_LANE_H
#define SLG_INGESTER_LANE_H

#include "ingester/batcher.h"
#include "ingester/listener.h"

#define SLG_LANE_SOURCE_CACHE_SIZE ((size_t)512) /* senders whose text and verdict are remembered */

struct slg_lane_options {
    struct slg_batcher_options batcher; /* map, forward, clock and the limits */
    struct slg_account *account;
    struct slg_metric_table *metrics;
};

struct slg_lane;

/* Errors as slg_batcher_create. */
SLG_MUST_CHECK enum slg_status slg_lane_create(const struct slg_lane_options *options,
                                               struct slg_lane **ret_lane,
                                               struct slg_error *reterr);
void slg_lane_destroy(struct slg_lane *lane);

struct slg_batcher *slg_lane_batcher(struct slg_lane *lane);
struct slg_account_cell *slg_lane_cell(struct slg_lane *lane);
struct slg_metric_set *slg_lane_metrics(struct slg_lane *lane);

/* May this address send to the listener? Remembers the answer. */
bool slg_lane_allows(struct slg_lane *lane, const struct slg_listener *listener,
                     const struct slg_address *address);

/* Times of the messages that follow, read once per system call. */
struct slg_lane_time {
    int64_t wall_ns;
    int64_t mono_ns;
};

struct slg_lane_message {
    const struct slg_listener *listener;
    struct slg_address address;
    const void *bytes;
    size_t len;
    bool truncated;
    /* Stream sources wait for room until this time, which may be moved while they wait. NULL: datagrams never wait,
     * they are dropped. */
    const _Atomic int64_t *deadline_mono_ns;
    /* Sources that get an acknowledgement: told of the batch; they wait also for a minute with room for new shards. */
    struct slg_forward_waiter *waiter;
};
/* Take one message; every one is settled here: into a builder, counted as empty, or dropped with its reason. An address
 * that may not send is dropped too. */
void slg_lane_take(struct slg_lane *lane, const struct slg_lane_message *message,
                   struct slg_lane_time now);
/* The same for a message with a waiter. OK: in a builder, or empty; *ret_new_batch as for slg_batcher_add. AGAIN, LIMIT,
 * NO_MEMORY: dropped, but later it could be taken. MALFORMED: dropped for good. */
SLG_MUST_CHECK enum slg_status slg_lane_take_waited(struct slg_lane *lane,
                                                    const struct slg_lane_message *message,
                                                    struct slg_lane_time now, bool *ret_new_batch);

/* After each round of reading: seal what is due, take over a new map, and once a minute say who sends what is no
 * syslog. */
void slg_lane_tick(struct slg_lane *lane, int64_t now_mono_ns, bool drained);
int64_t slg_lane_wake_mono_ns(const struct slg_lane *lane);
/* At the end: seal everything until the deadline, drop the rest with reason stop. */
void slg_lane_finish(struct slg_lane *lane, int64_t deadline_mono_ns);

/* Any thread. A reference is taken; the lane changes over at its next tick. */
void slg_lane_set_map(struct slg_lane *lane, struct slg_map *map);

#endif
