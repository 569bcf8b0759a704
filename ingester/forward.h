/* ingester/forward.h - sealed batches on their way to R storers, until accepted at W (DESIGN section 5).
 *
 * A pool of batch objects bounds the memory: a producer takes one, seals into it and submits it; the object comes back
 * to the pool when the batch is released. A batch that is bigger than SLG_FORWARD_TOKEN_BYTES holds several objects,
 * so the pool bounds bytes, not only batches. An empty pool is a normal state: the producer is told (SLG_AGAIN).
 * ingester/replica.h decides what happens to a batch; this is the shell that sends, waits, retries and counts.
 * Each storer gets HELLO first, and again after any request without an answer; retries carry the same batch id.
 *
 * Owner:   a batch belongs to the producer from take to submit (or put), else to forward.
 * Threads: take, put, submit, set_map, and the readers may be called from any thread; start, stop, destroy by one.
 *          Waiters are told on the forward thread: they only count and wake. */
#ifndef SLG_INGESTER_FORWARD_H
#define SLG_INGESTER_FORWARD_H

#include <stdatomic.h>

#include "base/clock.h"
#include "ingester/account.h"
#include "ingester/metrics.h"
#include "ingester/replica.h"
#include "proto/transport.h"

#define SLG_FORWARD_TOKEN_BYTES    ((size_t)64 * 1024)
#define SLG_FORWARD_RESERVED_COUNT ((size_t)2) /* objects that only loss entries may take */
#define SLG_FORWARD_WARM_COUNT     ((size_t)8) /* pooled objects that keep their buffers */
#define SLG_FORWARD_WAITER_MAX     ((size_t)64)
#define SLG_FORWARD_MEMORY_MIN     ((size_t)1024 * 1024)
#define SLG_FORWARD_MEMORY_MAX     ((size_t)16 * 1024 * 1024 * 1024)
#define SLG_FORWARD_MEMORY_DEFAULT ((size_t)64 * 1024 * 1024)
#define SLG_FORWARD_IN_FLIGHT      ((size_t)4) /* requests to one storer at once, LIMITS section 3 */
#define SLG_FORWARD_IN_FLIGHT_MAX  ((size_t)64)
#define SLG_FORWARD_TIMEOUT_MS     10000

/* Somebody who waits for batches: told once per batch that names it. */
struct slg_forward_waiter {
    void (*settled)(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                    enum slg_drop_reason reason);
};

struct slg_forward_batch {
    int event; /* forward's; first */
    /* Filled by the producer before submit. */
    struct slg_shard_id shard;
    uint64_t entry_count;
    size_t listener;             /* whose loss it would be */
    bool own;                    /* loss entries: outside of the account */
    _Atomic uint32_t *unsettled; /* one less when settled; may be NULL */
    struct slg_forward_waiter *waiters[SLG_FORWARD_WAITER_MAX];
    size_t waiter_count;
    /* forward's. */
    bool reserved;
    struct slg_buf message; /* the encoded STORE request */
    struct slg_replica replica;
    size_t request_count; /* out now */
    bool released;
    int64_t submitted_mono_ns;
    struct slg_forward_batch *previous, *next; /* in flight, by submission */
    struct slg_forward_batch *tokens;          /* further pool objects that this one's size costs */
};

struct slg_forward_options {
    struct slg_map *map; /* a reference is taken */
    const char *node_id; /* of this ingester */
    struct slg_transport_tls tls;
    size_t memory_bytes_max;     /* SLG_FORWARD_MEMORY_MIN to _MAX */
    size_t in_flight_per_storer; /* 1 to SLG_FORWARD_IN_FLIGHT_MAX */
    int32_t timeout_ms;
    struct slg_account *account;
    struct slg_metric_table *metrics;
    struct slg_clock *clock; /* must run like the system's: queues wait by it */
    /* Called on the forward thread when a storer says that its map differs; may be NULL. */
    void (*map_stale)(void *ctx, uint64_t epoch);
    void *map_stale_ctx;
};

struct slg_forward;

/* Everything but the thread. INVALID: an option out of its range; NO_MEMORY; errors of slg_transport_client_start. */
SLG_MUST_CHECK enum slg_status slg_forward_create(const struct slg_forward_options *options,
                                                  struct slg_forward **ret_forward,
                                                  struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_forward_start(struct slg_forward *forward,
                                                 struct slg_error *reterr);
/* No submits any more. Hands over until deadline_mono_ns, then settles the rest: dropped{stop} what was never sent,
 * else abandoned. *ret_left = entries given up, of both kinds. Waits for the thread. */
void slg_forward_stop(struct slg_forward *forward, int64_t deadline_mono_ns, uint64_t *ret_left);
void slg_forward_destroy(struct slg_forward *forward); /* NULL, never started or stopped */

/* An empty batch. AGAIN: none free now (deadline 0: never waits); TIMEOUT. */
SLG_MUST_CHECK enum slg_status slg_forward_take(struct slg_forward *forward, bool reserved,
                                                int64_t deadline_mono_ns,
                                                struct slg_forward_batch **ret_batch);
/* Give one back unused. */
void slg_forward_put(struct slg_forward *forward, struct slg_forward_batch *batch);
/* Send the encoded batch bytes[0..len), which are copied. In steady state nothing is allocated: a few objects keep their
 * buffers. In a backlog each batch has a block of exactly its size, so that it takes no more memory than its bytes.
 * NO_MEMORY: the batch stays with the caller. CANCELED: stopping, likewise. */
SLG_MUST_CHECK enum slg_status slg_forward_submit(struct slg_forward *forward,
                                                  struct slg_forward_batch *batch,
                                                  const uint8_t *bytes, size_t len);

/* From now on by this map. A reference is taken. */
void slg_forward_set_map(struct slg_forward *forward, struct slg_map *map);
/* Changes when batchers have to begin a new incarnation (H13). */
uint64_t slg_forward_incarnation_serial(struct slg_forward *forward);
/* When the oldest batch that is not settled was submitted, a few ms ago; INT64_MAX: there is none. */
int64_t slg_forward_oldest_mono_ns(struct slg_forward *forward);
/* For status: sealed batches not released, storers that answered their greeting. */
size_t slg_forward_batch_count(struct slg_forward *forward);
size_t slg_forward_ready_count(struct slg_forward *forward);
size_t slg_forward_free_count(struct slg_forward *forward);
/* Did a storer refuse its last batch for want of disk? Why a push had to wait for nothing. */
bool slg_forward_read_only(struct slg_forward *forward);

#endif
