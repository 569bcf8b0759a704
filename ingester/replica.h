/* ingester/replica.h - the life of one sealed batch between seal and release: a pure step (DESIGN section 5).
 *
 * A batch has R targets. It is accepted when W of them hold it on disk, released when all do (or a while after
 * acceptance: repair does the rest), and lost when acceptance has become impossible. The caller sends, waits and
 * counts; this module only says what follows from what happened.
 *
 *     DUE --SENT--> IN_FLIGHT --REPLY stored/duplicate--> STORED
 *      ^               |------REPLY expired/future/malformed/content--> REFUSED
 *      +---------------+------REPLY busy/read_only/not_placed, FAILED, UNSENT: due again after a back-off
 *
 * Only what was certainly never stored is `dropped`; where a copy may exist it is `abandoned`.
 * Owner:   embedded by the caller. Threads: pure. */
#ifndef SLG_INGESTER_REPLICA_H
#define SLG_INGESTER_REPLICA_H

#include "cluster/map.h"
#include "proto/rpc.h"

#define SLG_REPLICA_BACKOFF_NS_MIN (INT64_C(50) * 1000000)
#define SLG_REPLICA_BACKOFF_NS_MAX (INT64_C(5000) * 1000000)
/* How long targets beyond W are tried after acceptance; then repair brings them up to date. */
#define SLG_REPLICA_GRACE_NS       (INT64_C(30) * 1000000000)

enum slg_replica_target_state {
    SLG_TARGET_DUE,       /* to be sent at or after due_mono_ns */
    SLG_TARGET_IN_FLIGHT, /* a request is out */
    SLG_TARGET_STORED,
    SLG_TARGET_REFUSED, /* for ever */
};

struct slg_replica_target {
    uint16_t node; /* the caller's index */
    enum slg_replica_target_state state;
    bool maybe_stored; /* a request ended without an answer: the node may hold the batch */
    enum slg_store_result refusal;
    uint32_t attempts;
    int64_t due_mono_ns;
};

enum slg_replica_outcome {
    SLG_REPLICA_OPEN,
    SLG_REPLICA_ACCEPTED,
    SLG_REPLICA_DROPPED,   /* refused everywhere or never sent: certainly not stored */
    SLG_REPLICA_ABANDONED, /* given up, may be stored */
};

struct slg_replica {
    uint16_t write_quorum; /* W */
    uint16_t target_count; /* R, 1 to SLG_MAP_REPLICATION_MAX */
    struct slg_replica_target targets[SLG_MAP_REPLICATION_MAX];
    bool maybe_elsewhere; /* a node that is no target any more may hold the batch */
    enum slg_replica_outcome outcome;
    int64_t accepted_mono_ns;
};

enum slg_replica_event_type {
    SLG_REPLICA_SENT,   /* a request to `node` is on its way */
    SLG_REPLICA_REPLY,  /* node answered `result` */
    SLG_REPLICA_FAILED, /* no answer: the node may have acted or not */
    SLG_REPLICA_UNSENT, /* it turned out that nothing was sent */
    SLG_REPLICA_TICK,   /* time has passed */
    SLG_REPLICA_PLACED, /* the map changed: nodes[node_count] and write_quorum are the new ones */
    SLG_REPLICA_STOP,   /* the ingester ends: settle now */
};

struct slg_replica_event {
    enum slg_replica_event_type type;
    uint16_t node;
    enum slg_store_result result;
    const uint16_t *nodes;
    uint16_t node_count;
    uint16_t write_quorum;
};

/* What to do now. */
struct slg_replica_actions {
    bool settle; /* `outcome` has just left OPEN: count, tell the waiters. At most once in a life */
    bool release;         /* the batch is done with: free it once no request is in flight */
    bool new_incarnation; /* content refused (H13) */
    bool refresh_map;     /* a node says that its map places the shard elsewhere */
    enum slg_store_result refusal; /* why, when outcome is DROPPED or ABANDONED */
};

/* All targets due at once. */
void slg_replica_init(struct slg_replica *replica, const uint16_t *nodes, uint16_t node_count,
                      uint16_t write_quorum, int64_t now_mono_ns);
struct slg_replica_actions slg_replica_step(struct slg_replica *replica,
                                            const struct slg_replica_event *event,
                                            int64_t now_mono_ns);
/* Should a request go to this node now? */
bool slg_replica_due(const struct slg_replica *replica, uint16_t node, int64_t now_mono_ns);
/* The next time at which a due target or the grace period needs a look; INT64_MAX: none. */
int64_t slg_replica_wake_mono_ns(const struct slg_replica *replica);
bool slg_replica_in_flight(const struct slg_replica *replica);

#endif
