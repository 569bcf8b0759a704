/* ingester/replica.h - the life of one sealed batch between seal and release: a pure step (DESIGN section 5).
 *
 * A batch has its R owners as targets. It is accepted when W targets hold it on disk (or W_min, and nobody else who
 * could take it can be reached), released when all owners do that
 * can be reached (or a while after acceptance, or when memory is short: repair does the rest), and lost when
 * acceptance has become impossible. The caller sends, waits and counts; this module only says what follows from what
 * happened.
 *
 *     DUE --SENT--> IN_FLIGHT --REPLY stored/duplicate--> STORED
 *      ^               |------REPLY expired/future/malformed/content--> REFUSED
 *      +---------------+------REPLY busy/read_only/not_placed, FAILED, UNSENT: due again after a back-off
 *
 * Hint candidates wait in RESERVE. While fewer than W targets are stored or promise to be (reachable, and not refusing
 * for want of disk or place), the best of them that can be reached becomes DUE, as a hint. One that was never tried
 * goes back to RESERVE when the owners suffice again. An owner that refuses for ever is not replaced by a hint.
 *
 * An acknowledgement counts towards acceptance for SLG_STORE_ACK_NS from the request on; when older ones would be
 * needed, their nodes are asked again (a duplicate, if they still have the batch): they may have lost their disk since, be
 * filled from peers that did not have it, and count as an answer without it (storer/member.h).
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

#define SLG_REPLICA_TARGET_MAX                                                                     \
    ((size_t)2 * SLG_MAP_REPLICATION_MAX) /* owners and hint candidates */

enum slg_replica_target_state {
    SLG_TARGET_RESERVE,   /* a hint candidate that is not needed */
    SLG_TARGET_DUE,       /* to be sent at or after due_mono_ns */
    SLG_TARGET_IN_FLIGHT, /* a request is out */
    SLG_TARGET_STORED,
    SLG_TARGET_REFUSED, /* for ever */
};

struct slg_replica_target {
    uint16_t node; /* the caller's index */
    enum slg_replica_target_state state;
    bool hint;         /* no owner: it gets STORE with the hint flag */
    bool unreachable;  /* as the caller last said */
    bool failing;      /* its last answer was read_only or not_placed */
    bool maybe_stored; /* a request ended without an answer: the node may hold the batch */
    enum slg_store_result refusal;
    uint32_t attempts;
    int64_t due_mono_ns;
    int64_t sent_mono_ns; /* of the last request */
};

enum slg_replica_outcome {
    SLG_REPLICA_OPEN,
    SLG_REPLICA_ACCEPTED,
    SLG_REPLICA_DROPPED,   /* refused everywhere or never sent: certainly not stored */
    SLG_REPLICA_ABANDONED, /* given up, may be stored */
};

struct slg_replica {
    uint16_t write_quorum;     /* W */
    uint16_t write_quorum_min; /* enough while nobody else can be reached (H7) */
    uint16_t owner_count;      /* R, 1 to SLG_MAP_REPLICATION_MAX: the first targets */
    uint16_t target_count;     /* owners and hint candidates, best first */
    struct slg_replica_target targets[SLG_REPLICA_TARGET_MAX];
    bool maybe_elsewhere; /* a node that is no target any more may hold the batch */
    enum slg_replica_outcome outcome;
    bool thin; /* accepted with fewer than W copies */
    int64_t accepted_mono_ns;
};

enum slg_replica_event_type {
    SLG_REPLICA_SENT,    /* a request to `node` is on its way */
    SLG_REPLICA_REPLY,   /* node answered `result` */
    SLG_REPLICA_FAILED,  /* no answer: the node may have acted or not */
    SLG_REPLICA_UNSENT,  /* it turned out that nothing was sent */
    SLG_REPLICA_REACH,   /* `node` can be reached, or not (`reachable`) */
    SLG_REPLICA_FORGOT,  /* `node` has a new disk */
    SLG_REPLICA_TICK,    /* time has passed */
    SLG_REPLICA_PRESSED, /* memory is short: let go of what is accepted */
    SLG_REPLICA_PLACED, /* the map changed: `place` is the new one; who is unreachable is to be said again */
    SLG_REPLICA_STOP, /* the ingester ends: settle now */
};

/* Where a batch belongs. */
struct slg_replica_place {
    uint16_t owners[SLG_MAP_REPLICATION_MAX]; /* the caller's indexes, best first */
    uint16_t owner_count;                     /* 1 or more */
    uint16_t hints[SLG_MAP_REPLICATION_MAX];
    uint16_t hint_count;
    uint16_t write_quorum;     /* W, 1 to owner_count */
    uint16_t write_quorum_min; /* W_min, 1 to write_quorum */
};

struct slg_replica_event {
    enum slg_replica_event_type type;
    uint16_t node;
    enum slg_store_result result;
    bool reachable;
    const struct slg_replica_place *place;
};

/* What to do now. */
struct slg_replica_actions {
    bool settle; /* `outcome` has just left OPEN: count, tell the waiters. At most once in a life */
    bool release;         /* the batch is done with: free it once no request is in flight */
    bool new_incarnation; /* content refused (H13) */
    bool refresh_map;     /* a node says that its map places the shard elsewhere */
    enum slg_store_result refusal; /* why, when outcome is DROPPED or ABANDONED */
};

/* All owners due at once, all nodes believed reachable. */
void slg_replica_init(struct slg_replica *replica, const struct slg_replica_place *place,
                      int64_t now_mono_ns);
struct slg_replica_actions slg_replica_step(struct slg_replica *replica,
                                            const struct slg_replica_event *event,
                                            int64_t now_mono_ns);
/* Should a request go to this node now? *ret_hint: with the hint flag. */
bool slg_replica_due(const struct slg_replica *replica, uint16_t node, int64_t now_mono_ns,
                     bool *ret_hint);
/* The next time at which a due target or the grace period needs a look; INT64_MAX: none. */
int64_t slg_replica_wake_mono_ns(const struct slg_replica *replica);

#endif
