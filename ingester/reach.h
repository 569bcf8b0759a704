/* ingester/reach.h - the storers that batches go to: greetings, requests, silence, who can be reached.
 *
 * Each storer of a map gets a HELLO first, and again after any request without an answer, backing off from 100 ms to 5 s.
 * A storer is reachable until it does not answer its greeting, or leaves requests without any answer for 2 s. A storer
 * keeps its index for ever, so that replicas stay valid over maps; one whose address changes is a new one.
 *
 * Owner:   the forward thread, all of it; slg_reach_ready_count and _read_only_count are for any thread.
 * Threads: answers come on the transport's threads: they are noted in the request, and the request is pushed to the
 *          queue of the options, where the owner takes it out and calls slg_reach_take. */
#ifndef SLG_INGESTER_REACH_H
#define SLG_INGESTER_REACH_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/queue.h"
#include "cluster/map.h"
#include "proto/rpc.h"
#include "proto/transport.h"

/* Storers ever seen by one ingester start; removed ones keep their index. */
#define SLG_REACH_NODE_COUNT_MAX ((size_t)SLG_MAP_NODE_COUNT_MAX * 2)

#define SLG_REACH_STORAGE_BYTES ((size_t)33) /* a storage id as text, NUL included */

struct slg_reach;

struct slg_reach_options {
    struct slg_queue
        *answers;        /* borrowed; must hold slg_reach_answer_count_max items at any time */
    int event;           /* the first member of the requests pushed there */
    const char *node_id; /* of this ingester; borrowed */
    struct slg_transport_tls tls;
    size_t in_flight_max; /* STORE requests at once per storer */
    int32_t timeout_ms;
    struct slg_clock *clock;
};

/* A request whose answer has come, or will not come. */
struct slg_reach_request {
    int event; /* first */
    struct slg_reach *reach;
    uint16_t node;
    void *load; /* the caller's; NULL: a HELLO */
    bool busy;
    enum slg_status status; /* of the transport or of decoding */
    enum slg_store_result result;
    uint64_t map_epoch;
    char storage_id[SLG_REACH_STORAGE_BYTES]; /* of a greeting; "": not told */
    bool new_disk; /* after slg_reach_take of a greeting: the storer's disk is another one */
    struct slg_error error; /* why, in either case */
};

/* NO_MEMORY. It knows no storer before the first map. */
SLG_MUST_CHECK enum slg_status slg_reach_create(const struct slg_reach_options *options,
                                                struct slg_reach **ret_reach,
                                                struct slg_error *reterr);
/* No answers after this; waits for the transport. */
void slg_reach_stop(struct slg_reach *reach);
void slg_reach_destroy(struct slg_reach *reach); /* NULL is fine; stops */
size_t slg_reach_answer_count_max(size_t in_flight_max);

/* Learn the storers of a map, of which a reference is taken. On failure the old map stays in force. */
SLG_MUST_CHECK enum slg_status slg_reach_set_map(struct slg_reach *reach, struct slg_map *map,
                                                 struct slg_error *reterr);
const struct slg_map *slg_reach_map(const struct slg_reach *reach);
uint16_t slg_reach_index(const struct slg_reach *reach, size_t map_index);
size_t slg_reach_count(const struct slg_reach *reach);
const char *slg_reach_node_id(const struct slg_reach *reach, uint16_t node);

/* Look at the clock: true when it has become, or ceased to be, reachable. */
bool slg_reach_look(struct slg_reach *reach, uint16_t node);
bool slg_reach_reachable(const struct slg_reach *reach, uint16_t node); /* at the last look */
/* When a greeting, or a look for silence, is due next; SLG_DEADLINE_NEVER: nobody is waited for. */
int64_t slg_reach_wake_mono_ns(const struct slg_reach *reach);

/* Greet it if that is due. */
void slg_reach_greet(struct slg_reach *reach, uint16_t node);
/* Has it answered its greeting, and a request free? */
bool slg_reach_can_send(const struct slg_reach *reach, uint16_t node);
/* Send an encoded STORE, which is copied. AGAIN: no request free; else the transport has no room now. */
SLG_MUST_CHECK enum slg_status slg_reach_send(struct slg_reach *reach, uint16_t node, void *load,
                                              const uint8_t *bytes, size_t len);
/* Take in what a request from the queue brought. Returns its load, NULL after a greeting; `request` stays readable
 * until the next send to that node. */
void *slg_reach_take(struct slg_reach *reach, struct slg_reach_request *request);

/* For status: storers that answered their greeting; those that refused their last batch for want of disk. */
size_t slg_reach_ready_count(struct slg_reach *reach);
size_t slg_reach_read_only_count(struct slg_reach *reach);

#endif
