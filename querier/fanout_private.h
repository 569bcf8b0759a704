/* querier/fanout_private.h - what the files of the fan-out share: fanout.c (life, waiting), fanout_sets.c, fanout_run.c
 * (evaluation), fanout_streams.c. */
#ifndef SLG_QUERIER_FANOUT_PRIVATE_H
#define SLG_QUERIER_FANOUT_PRIVATE_H

#include "querier/calls.h"
#include "querier/choose.h"
#include "querier/cut.h"
#include "querier/fanout.h"

#define FANOUT_TAG_SHIFT    24
#define FANOUT_PARALLEL_MAX 16U
/* Open sub-queries of one leaf. */
#define FANOUT_SOURCE_MAX   ((size_t)SLG_MAP_NODE_COUNT_MAX * FANOUT_PARALLEL_MAX)

/* What one storer answered about one shard. */
struct fanout_holder {
    struct slg_rpc_shard_set set;
    size_t node_index;
};

/* One shard of S and the storer that evaluates it. */
struct fanout_shard {
    struct slg_rpc_shard_set set; /* S */
    size_t node_index;
    size_t first_holder; /* into holders */
    size_t holder_count; /* 0: it was given, not asked for */
    bool lacks;          /* node_index has to fetch a part of S first */
};

/* One open sub-query. */
struct fanout_source {
    size_t node_index;
    uint8_t query_id[16];
    struct slg_rpc_shard_set *shards;
    size_t shard_count;
    struct slg_cut cut; /* of its only shard; of several: none */
    bool open;          /* the storer may hold something for it */
};

struct slg_fanout {
    struct slg_fanout_options options;
    int64_t begun_mono_ns;
    struct slg_arena *arena;
    struct slg_calls *calls;
    struct slg_buf request;        /* reused for every message */
    struct fanout_holder *holders; /* by shard id and node */
    size_t holder_count;
    size_t sets_count;           /* storers that answered SETS */
    struct fanout_shard *shards; /* by shard id */
    size_t shard_count;
    uint64_t turn;                          /* spreads queries over equal replicas */
    bool node_lost[SLG_MAP_NODE_COUNT_MAX]; /* during evaluation, or it could not fetch */
    bool node_failed[SLG_MAP_NODE_COUNT_MAX];
    char node_reason[SLG_MAP_NODE_COUNT_MAX][96];
    struct slg_choose_doubt *doubts; /* shards that storers do not vouch for; few */
    size_t doubt_count;
    struct fanout_source *sources; /* of the leaf that runs now */
    size_t source_count;
    uint32_t asking; /* which turn of asking this is: sets, a leaf, ... */
    size_t waiting;  /* replies of this turn that are under way */
    struct slg_scan_stats stats;
    char incomplete[512]; /* "" = complete */
};

/* Forget what is still under way, and begin to ask for something else. */
void slg_fanout_begin_asking(struct slg_fanout *fanout);
/* Wait for the next reply of this turn, or until the query is over: TIMEOUT (deadline), CANCELED; NOT_FOUND: nothing is
 * under way; AGAIN: until_mono_ns has passed. */
SLG_MUST_CHECK enum slg_status slg_fanout_wait_until(struct slg_fanout *fanout,
                                                     int64_t until_mono_ns,
                                                     struct slg_reply *ret_reply,
                                                     struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status
slg_fanout_wait(struct slg_fanout *fanout, struct slg_reply *ret_reply, struct slg_error *reterr);
/* Send fanout->request; the reply has this tag, below 2^FANOUT_TAG_SHIFT. As slg_calls_send. */
SLG_MUST_CHECK enum slg_status slg_fanout_ask(struct slg_fanout *fanout, size_t node_index,
                                              size_t tag, int32_t timeout_ms);
/* Milliseconds left, 1 at least. */
int32_t slg_fanout_left_ms(const struct slg_fanout *fanout);
/* What a storer is told of it. */
int32_t slg_fanout_left_to_storer_ms(const struct slg_fanout *fanout);
/* A TIMEOUT of a query for which storers have worked most of the time becomes LIMIT: it is itself to blame, and to ask
 * again is of no use. Any other status stays. */
enum slg_status slg_fanout_judge(const struct slg_fanout *fanout, enum slg_status status,
                                 struct slg_error *reterr);
/* Send fanout->request. A failure to send becomes an error that names the storer. */
SLG_MUST_CHECK enum slg_status slg_fanout_send(struct slg_fanout *fanout, size_t node_index,
                                               size_t tag, struct slg_error *reterr);
/* Did a storer fail in its own matters (it stops, restarted, is full, its disk fails)? Another may do then. */
bool slg_fanout_is_own_failure(enum slg_status of_reply);
/* UNAVAILABLE: what is in *reterr, said by this storer. */
enum slg_status slg_fanout_blame(const struct slg_fanout *fanout, size_t node_index,
                                 struct slg_error *reterr);
/* Has the client hung up? */
bool slg_fanout_is_canceled(const struct slg_fanout *fanout);
/* Note that a storer was lost, and say so. */
enum slg_status slg_fanout_lost(struct slg_fanout *fanout, size_t node_index,
                                enum slg_status status, struct slg_error *reterr);
/* Tell by slg_fanout_incomplete which shards of the range may lack entries because storers failed. LIMIT: the range
 * covers too many shards. */
SLG_MUST_CHECK enum slg_status slg_fanout_find_incomplete(struct slg_fanout *fanout,
                                                          int64_t from_ns, int64_t to_ns,
                                                          struct slg_error *reterr);
/* Of the oldest entry that is still kept. */
int64_t slg_fanout_oldest_kept(const struct slg_fanout *fanout);
void slg_fanout_mark_failed(struct slg_fanout *fanout, size_t node_index, const char *reason);
/* Tell storers to forget what is open. */
void slg_fanout_close_sources(struct slg_fanout *fanout);

#endif
