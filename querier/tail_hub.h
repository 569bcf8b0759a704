/* querier/tail_hub.h - one look at the storers for all tails: asks what they hold and hands round the pictures.
 *
 * While there is a subscriber, the hub asks every storer for its sets, every 200 ms after something new came and ever
 * more seldom, down to once a second, while nothing comes: 20 or 2000 idle tails cost the storers the same. Windows
 * that ended over two hours ago are looked at every 5 s. Without subscribers it sleeps and forgets.
 * Owner:   create to destroy. A subscription belongs to one tail; it outlives the hub's stop.
 * Threads: the hub has one of its own. subscribe from any; a subscription's functions on its tail's thread. */
#ifndef SLG_QUERIER_TAIL_HUB_H
#define SLG_QUERIER_TAIL_HUB_H

#include "querier/peers.h"
#include "querier/tail_sets.h"

struct slg_tail_hub_options {
    const struct slg_peers *peers; /* borrowed */
    struct slg_text tenant;
    size_t memory_bytes_max; /* of one look */
    size_t subscriber_max;
    void (*looked)(void *arg,
                   bool incomplete); /* after each look, on the hub's thread; NULL: nobody counts */
    void *looked_arg;
};

struct slg_tail_hub;
struct slg_tail_subscription;

/* NO_MEMORY, its thread included. */
SLG_MUST_CHECK enum slg_status slg_tail_hub_create(const struct slg_tail_hub_options *options,
                                                   struct slg_tail_hub **ret_hub,
                                                   struct slg_error *reterr);
/* Ends the thread and wakes every subscriber, for which `stopped` is then true. Repeatable; NULL is fine. */
void slg_tail_hub_stop(struct slg_tail_hub *hub);
void slg_tail_hub_destroy(struct slg_tail_hub *hub); /* NULL is fine */

/* Wants pictures of all windows that end after start_ns. AGAIN: subscriber_max; CANCELED: the hub is stopped. */
SLG_MUST_CHECK enum slg_status slg_tail_subscribe(struct slg_tail_hub *hub, int64_t start_ns,
                                                  struct slg_tail_subscription **ret_subscription);
void slg_tail_unsubscribe(struct slg_tail_subscription *subscription); /* NULL is fine */
/* For poll: readable when there is something to take. */
int slg_tail_subscription_fd(const struct slg_tail_subscription *subscription);
/* The newest picture since the last call, which the caller unrefs; NULL: nothing new. The first is from after the
 * subscription. UNAVAILABLE in *ret_status: no storer answered the first look. */
struct slg_tail_sets *slg_tail_take(struct slg_tail_subscription *subscription,
                                    enum slg_status *ret_status);
bool slg_tail_stopped(const struct slg_tail_subscription *subscription);

#endif
