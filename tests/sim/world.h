/* tests/sim/world.h - a whole cluster in one thread under a seed: nodes, clocks, network, and what is promised.
 *
 * The decisions are the real ones (cluster/placement, storer/admit, storer/heal, storer/member, ingester/replica,
 * querier/choose, querier/hedge, proto/batch_set); what stands around them in storer/commit.c, storer/repair.c, storer/peer_links.c,
 * ingester/forward.c and querier/fanout_*.c is modelled here as simply as it can be. Batches are bits of a word.
 * Everything follows from the seed: no clock, no address, no thread. */
#ifndef SLG_TESTS_SIM_WORLD_H
#define SLG_TESTS_SIM_WORLD_H

#include "ingester/replica.h"
#include "querier/choose.h"
#include "querier/hedge.h"
#include "storer/admit.h"
#include "storer/heal.h"
#include "storer/member.h"

#define SIM_STORERS_MAX   5
#define SIM_INGESTERS_MAX 2
#define SIM_NODES_MAX     (SIM_STORERS_MAX + SIM_INGESTERS_MAX + 1) /* and a querier */
#define SIM_SHARDS        3 /* the first expires during the run */
#define SIM_BATCHES_MAX   64
#define SIM_TASKS_MAX     16

#define SIM_MS(n)         ((int64_t)(n)*1000000)
#define SIM_SECONDS(n)    ((int64_t)(n)*1000000000)
#define SIM_CHAOS_NS      SIM_SECONDS(150)
#define SIM_END_NS        SIM_SECONDS(290)
#define SIM_WALL_START_NS (SIM_SECONDS(3600) * 1000 - SIM_SECONDS(120))
#define SIM_RETENTION_NS  (SIM_SECONDS(3600) * 2)

typedef uint64_t sim_bits; /* a set of batches */

enum sim_bug {
    SIM_BUG_NONE,
    SIM_BUG_ACK_BEFORE_COMMIT,
    SIM_BUG_ACK_BELOW_QUORUM,
    SIM_BUG_HINT_DROPPED,
    SIM_BUG_HINT_UNSEEN,
    SIM_BUG_DIGEST_IGNORES,
    SIM_BUG_READS_PAST_SET,
    SIM_BUG_HEDGE_MIXES,
    SIM_BUG_AMNESIAC_COUNTS,
    SIM_BUG_DUPLICATE_EARLY,
    SIM_BUG_RESURRECTION,
    SIM_BUG_CANDIDATE_SKIPS,
    SIM_BUG_STALE_ACK,
    SIM_BUG_RESTART_BELIEVED,
    SIM_BUG_LOST_IS_NEW,
    SIM_BUG_COUNT,
};

enum sim_kind { SIM_HELLO, SIM_STORE, SIM_SETS, SIM_FETCH, SIM_ENSURE, SIM_QUERY };

/* What a request is for: who takes the answer. */
enum sim_purpose {
    SIM_FOR_BATCH, /* ingester: STORE */
    SIM_FOR_PROBE, /* ingester: HELLO */
    SIM_FOR_GREETING,
    SIM_FOR_DIGESTS,
    SIM_FOR_RANGES,
    SIM_FOR_TASK,
    SIM_FOR_QUERY_SETS,
    SIM_FOR_QUERY_ENSURE,
    SIM_FOR_QUERY_PAGE,
};

struct sim_message {
    enum sim_kind kind;
    bool reply;
    bool ok; /* of a reply */
    int from, to;
    uint32_t request; /* index of world->requests */
    int batch;
    bool hint;
    enum slg_store_result result;
    struct slg_member_storage own, known; /* HELLO */
    int shard;                            /* -1: all */
    uint64_t epoch;                       /* of the asker's map; SETS, FETCH, QUERY */
    sim_bits set;                         /* SETS reply, FETCH, ENSURE, QUERY: S, then the page */
    struct slg_batch_set_digest digests[SIM_SHARDS];
    bool refilling;
    bool doubtful[SIM_SHARDS];
    bool more;
    int page;
};

enum sim_event_type {
    SIM_DELIVER,
    SIM_TIMEOUT, /* of a request */
    SIM_COMMIT,
    SIM_ROUND,
    SIM_TICK, /* each second: retention, counter; ingester: due targets */
    SIM_RESTART,
    SIM_FAULT,
    SIM_PLOT,  /* a later part of a fault */
    SIM_BATCH, /* an ingester seals one */
    SIM_ASK,   /* the querier starts a query */
    SIM_GRACE, /* of the querier's sets */
    SIM_HEDGE,
    SIM_STOP, /* the time that a stopping ingester has for its batches is over */
    SIM_HEAL, /* all faults end */
};

struct sim_event {
    int64_t at_ns;
    uint64_t order;
    enum sim_event_type type;
    int node;
    uint32_t generation; /* of the node; 0: any */
    uint32_t arg;
    struct sim_message message;
};

struct sim_request {
    int node;
    uint32_t generation;
    enum sim_purpose purpose;
    int to;
    int arg;
    bool done;
};

struct sim_batch {
    struct slg_incarnation incarnation;
    int shard, ingester;
    uint64_t sequence;
    int64_t ts_max_ns;
    struct slg_replica replica;
    bool live;    /* in the memory of its ingester */
    bool crashed; /* its ingester went before it was settled */
    bool settled;
    int64_t accepted_ns;
    unsigned need; /* copies promised */
    unsigned lost; /* copies on disks lost for ever since every owner last had it */
};

struct sim_pending {
    int batch;
    bool hint;
    int from;         /* -1: a task of this node */
    uint32_t request; /* or index of the task */
};

/* Fetches one after another, for a round or for ENSURE. */
struct sim_task {
    bool used;
    bool ensure;
    int shard;
    sim_bits wanted;
    sim_bits parts[SIM_STORERS_MAX]; /* of a round: what to fetch from whom */
    int peer;
    unsigned waiting; /* commits */
    bool refused;
    int from;
    uint32_t request;
};

enum sim_phase { SIM_IDLE, SIM_GREETING, SIM_DIGESTS, SIM_RANGES, SIM_FETCHING };

struct sim_round {
    enum sim_phase phase;
    unsigned waiting;
    bool answers[SIM_STORERS_MAX], whole[SIM_STORERS_MAX], range_answers[SIM_STORERS_MAX];
    struct slg_batch_set_digest digests[SIM_STORERS_MAX][SIM_SHARDS];
    sim_bits held[SIM_STORERS_MAX]; /* of the shard looked at */
    bool vouches[SIM_STORERS_MAX];  /* for the shard looked at */
    struct slg_member_round member;
    bool refilling, counts, due;
    int shard;
};

/* What survives a crash. proven, counter and known change only while the disk takes writes. */
struct sim_disk {
    uint8_t id[16];
    uint64_t counter;
    bool proven; /* it says that it was whole, and no peer has remembered more since */
    sim_bits held;
    sim_bits aside;             /* damaged, set aside, and not back yet */
    bool refilling[SIM_SHARDS]; /* the copy before was quarantined; this one began empty */
    struct slg_member_storage known[SIM_STORERS_MAX];
};

struct sim_storer {
    struct sim_disk disk, snapshot;
    bool has_snapshot;
    bool read_only;
    bool stored_since_count;
    struct slg_member member;
    struct slg_member_storage
        known[SIM_STORERS_MAX]; /* written to disk with the next greeting or round */
    bool reachable[SIM_STORERS_MAX];
    struct slg_heal heal[SIM_SHARDS];
    int64_t refilling_since_ns[SIM_SHARDS]; /* first seen by a look; 0: not */
    struct sim_pending pending[512];
    size_t pending_count;
    bool commit_due;
    struct sim_round round;
    struct sim_task tasks[SIM_TASKS_MAX];
    int ticks;
};

struct sim_ingester {
    struct slg_incarnation incarnation;
    uint64_t sequences[SIM_SHARDS];
    bool unreachable[SIM_STORERS_MAX];
    bool stopping;
    unsigned received, accepted, dropped, abandoned;
};

struct sim_run {
    bool active, done;
    int node, page;
    sim_bits seen, twice;
};

struct sim_query {
    bool active;
    uint32_t number;
    bool evaluating;
    sim_bits due; /* accepted before it started */
    unsigned waiting;
    bool grace;
    bool answered[SIM_STORERS_MAX], failed[SIM_STORERS_MAX], lost[SIM_STORERS_MAX];
    bool doubtful[SIM_STORERS_MAX][SIM_SHARDS];
    sim_bits held[SIM_STORERS_MAX];
    struct slg_batch_set_digest digests[SIM_STORERS_MAX][SIM_SHARDS];
    bool incomplete;
    int turns;
    sim_bits s[SIM_SHARDS];
    int chosen[SIM_SHARDS]; /* -1: nobody holds anything */
    bool lacks[SIM_SHARDS];
    struct sim_run runs[SIM_SHARDS][2]; /* the primary and its rival */
    struct slg_hedge hedges[SIM_SHARDS];
};

struct sim_node {
    bool up;
    bool held_up; /* paused */
    int64_t resume_ns;
    uint32_t generation;
    int64_t skew_ns;
    int map; /* of world->maps */
};

struct sim_world {
    uint64_t seed, random;
    enum sim_bug bug;
    bool verbose, healed;
    int64_t now_ns;
    uint64_t order, steps;
    struct slg_map maps[2]; /* the second: a higher epoch, and keep_from behind the first shard */
    int map_newest;
    bool repair_off;
    struct slg_map_node map_nodes[SIM_STORERS_MAX];
    struct slg_map_share shares[SIM_STORERS_MAX];
    struct slg_map_layout layout;
    struct slg_shard_id shards[SIM_SHARDS];
    struct slg_placement placements[SIM_SHARDS];
    int storer_count, ingester_count;
    struct sim_node nodes[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    unsigned loss_permille, twice_permille, slow_permille;
    struct sim_storer storers[SIM_STORERS_MAX];
    struct sim_ingester ingesters[SIM_INGESTERS_MAX];
    struct sim_query query;
    struct sim_batch batches[SIM_BATCHES_MAX];
    int batch_count;
    sim_bits of_shard[SIM_SHARDS];
    sim_bits accepted;
    sim_bits dropped;
    sim_bits lossy;   /* batches with `lost` over 0 */
    sim_bits expired; /* by the clock of any node, once */
    struct sim_event *events;
    size_t event_count, event_capacity;
    struct sim_request *requests;
    size_t request_count, request_capacity;
    struct slg_arena *arena;
    unsigned complete_count, incomplete_count, wipe_count, rollback_count, damage_count;
    unsigned complete_after_heal, incomplete_after_heal;
    uint8_t next_id;
    bool failed;
    char failure[256];
};

/* world.c */
uint64_t sim_random(struct sim_world *w, uint64_t below);
bool sim_chance(struct sim_world *w, unsigned permille);
void sim_trace(const struct sim_world *w, const char *format, ...) SLG_PRINTF(2, 3);
void sim_fail(struct sim_world *w, const char *format, ...) SLG_PRINTF(2, 3);
void *sim_grow(void *items, size_t *capacity, size_t count, size_t item_size);
void sim_push(struct sim_world *w, int64_t at_ns, enum sim_event_type type, int node, uint32_t arg);
bool sim_pop(struct sim_world *w, struct sim_event *ret_event);
void sim_push_again(struct sim_world *w, const struct sim_event *event, int64_t at_ns);
void sim_ask(struct sim_world *w, struct sim_message *message, enum sim_purpose purpose, int arg,
             int64_t timeout_ns);
void sim_answer(struct sim_world *w, const struct sim_message *request, struct sim_message *reply);
sim_bits sim_bit(int batch);
sim_bits sim_of_shard(const struct sim_world *w, int shard);
struct slg_batch_set *sim_set_of(const struct sim_world *w, sim_bits bits);
sim_bits sim_bits_of(const struct sim_world *w, int shard, const struct slg_batch_set *set);
struct slg_batch_set_digest sim_digest(const struct sim_world *w, int shard, sim_bits bits);
const struct slg_map *sim_map(const struct sim_world *w, int node);
int64_t sim_wall_ns(const struct sim_world *w, int node);
bool sim_window_expired(const struct sim_world *w, int node, int shard);
void sim_fini(struct sim_world *w);

/* storer.c */
void sim_storer_start(struct sim_world *w, int node);
void sim_storer_stop(struct sim_world *w, int node);
void sim_storer_take(struct sim_world *w, const struct sim_message *message);
void sim_storer_submit(struct sim_world *w, int node, const struct sim_pending *item);
void sim_storer_commit(struct sim_world *w, int node);
void sim_storer_tick(struct sim_world *w, int node);
void sim_storer_note(struct sim_world *w, int node, const struct sim_message *message);
bool sim_storer_doubts(const struct sim_world *w, int node, int shard);
void sim_storer_forget(struct sim_world *w, int node, int shard);
void sim_storer_fill(const struct sim_world *w, int node, int peer, struct sim_message *message);

/* repair.c */
void sim_repair_start_round(struct sim_world *w, int node);
void sim_repair_answer(struct sim_world *w, int node, const struct sim_request *request,
                       const struct sim_message *reply);
void sim_repair_ensure(struct sim_world *w, const struct sim_message *message);
void sim_repair_committed(struct sim_world *w, int node, uint32_t task,
                          enum slg_store_result result);

/* ingester.c */
void sim_ingester_seal(struct sim_world *w, int node);
void sim_ingester_answer(struct sim_world *w, const struct sim_request *request,
                         const struct sim_message *reply);
void sim_ingester_tick(struct sim_world *w, int node);
void sim_ingester_crash(struct sim_world *w, int node);
void sim_ingester_restart(struct sim_world *w, int node);
/* SIGTERM: it hands over what it has for some seconds, then settles the rest and goes. */
void sim_ingester_terminate(struct sim_world *w, int node);
void sim_ingester_stop(struct sim_world *w, int node);
void sim_ingester_press(struct sim_world *w, int node);

/* querier.c */
void sim_querier_start(struct sim_world *w, int node);
void sim_querier_answer(struct sim_world *w, const struct sim_request *request,
                        const struct sim_message *reply);
void sim_querier_grace(struct sim_world *w, uint32_t number);
void sim_querier_hedge(struct sim_world *w, uint32_t number);

/* fault.c */
void sim_fault(struct sim_world *w);
void sim_plot(struct sim_world *w, uint32_t arg);
void sim_heal_all(struct sim_world *w);

/* check.c */
void sim_check_step(struct sim_world *w);
void sim_check_query(struct sim_world *w);
void sim_check_end(struct sim_world *w);

/* run.c: one schedule. False: it broke a promise; failure says which. */
bool sim_run_seed(uint64_t seed, enum sim_bug bug, bool verbose, struct sim_world *w);
const char *sim_bug_name(enum sim_bug bug);

#endif
