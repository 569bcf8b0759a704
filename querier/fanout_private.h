/* querier/fanout_private.h - what the files of the fan-out share: fanout.c (life, waiting), fanout_sets.c, fanout_run.c
 * (evaluation), fanout_source.c (sub-queries and their rivals), fanout_streams.c. */
#ifndef SLG_QUERIER_FANOUT_PRIVATE_H
#define SLG_QUERIER_FANOUT_PRIVATE_H

#include "querier/calls.h"
#include "querier/choose.h"
#include "querier/cut.h"
#include "querier/fanout.h"
#include "querier/hedge.h"
#include "querier/metrics.h"

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

/* One open sub-query: a primary, or a part of the rival of one. Its index is the tag of its requests. */
struct fanout_source {
    size_t node_index;
    uint8_t query_id[16];
    size_t *shards; /* indices of fanout->shards */
    size_t shard_count;
    struct slg_cut cut;     /* of its only shard; of several: none */
    size_t primary;         /* of a rival: whose; else its own index */
    bool open;              /* the storer may hold something for it */
    bool dropped;           /* nothing of it is used any more */
    bool used;              /* all of it is */
    struct slg_hedge hedge; /* of a primary */
    int64_t wait_ns;        /* then it is slow */
    struct slg_reply kept;  /* its first page, while the race is open or until it is taken */
};

/* A request of this turn that is under way, by tag. */
struct fanout_ask {
    bool waiting;
    size_t node_index;
    int64_t asked_ns;
    uint64_t connection; /* that it went by */
    bool is_held;        /* the reply has come by it, and waits for that of the greeting: */
    struct slg_reply held;
};

/* The last greeting of a storer in this query: before a reply is used its connection must have been greeted. */
struct fanout_greeting {
    bool out;
    uint64_t connection; /* that it went by; 0: there was none */
    char refusal[96];    /* why nothing that came by it is used; "" else */
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
    unsigned pace_kind;                /* of this leaf */
    uint32_t asking;                   /* which turn of asking this is: sets, a leaf, ... */
    size_t waiting;                    /* replies of this turn that are under way */
    struct fanout_ask *asks;           /* FANOUT_SOURCE_MAX, by tag */
    size_t ask_count;                  /* tags in use are below */
    size_t held_count;                 /* of them */
    struct fanout_greeting *greetings; /* by node */
    struct slg_hedge_watch watches[SLG_MAP_NODE_COUNT_MAX];
    unsigned silent_count; /* storers that were given up because they said nothing */
    struct slg_scan_stats stats;
    char incomplete[SLG_FANOUT_TEXT_BYTES]; /* "" = complete */
};

/* As if no sets had been fixed; what they lie in is free. */
void slg_fanout_forget_sets(struct slg_fanout *fanout);
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
/* Do not wait for the reply of this tag any more. */
void slg_fanout_forget(struct slg_fanout *fanout, size_t tag);
/* Send fanout->request; the reply has this tag, below FANOUT_SOURCE_MAX and not under way. As slg_calls_send. */
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
/* Why there is no reply of this storer, `fallback` if nothing is known: "is away". */
const char *slg_fanout_reason(const struct slg_fanout *fanout, size_t node_index,
                              const char *fallback);
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
/* Who else holds all of S of a shard, as far as is known, and is not lost. False: nobody. */
bool slg_fanout_find_rival(struct slg_fanout *fanout, size_t shard_index, size_t *ret_node_index);
/* Could others stand in for this one, wherever it evaluates? */
bool slg_fanout_is_replaceable(const struct slg_fanout *fanout, size_t node_index);
void slg_fanout_count(const struct slg_fanout *fanout, size_t metric);

/* ---- greetings ---- */

/* The message. */
void slg_fanout_write_greeting(const struct slg_fanout *fanout, struct slg_buf *out);
/* Greet it if this connection was not yet; the answer comes beside that to what is asked now. */
void slg_fanout_greet_new(struct slg_fanout *fanout, size_t node_index, uint64_t connection);
/* The answer, or that there is none. */
void slg_fanout_take_greeting(struct slg_fanout *fanout, size_t node_index,
                              const struct slg_reply *reply);
enum fanout_trust { FANOUT_USE, FANOUT_HOLD, FANOUT_REFUSE };
/* May a reply that came by this connection be used? HOLD: not before the greeting is answered. */
enum fanout_trust slg_fanout_trust(struct slg_fanout *fanout, size_t node_index,
                                   uint64_t connection);

/* ---- sub-queries ---- */

/* How the work of a leaf may be spread. */
struct fanout_spread {
    int64_t from_ns, to_ns; /* data that it needs */
    bool quick;             /* the rows are there at once: one source per storer will do */
    bool cut;               /* shards may be cut where there are fewer than options.parallel_max */
};
SLG_MUST_CHECK enum slg_status slg_fanout_open_sources(struct slg_fanout *fanout,
                                                       const struct slg_leaf_request *leaf,
                                                       const struct fanout_spread *spread,
                                                       struct slg_error *reterr);
/* Wait for the next page that is used, and see to rivals meanwhile. *ret_page borrows from *ret_reply, which is the
 * caller's on OK. NOT_FOUND: nothing is under way. UNAVAILABLE: a storer was lost for which there is no rival. */
SLG_MUST_CHECK enum slg_status slg_fanout_next_page(struct slg_fanout *fanout,
                                                    const struct slg_leaf_request *leaf,
                                                    size_t *ret_source, struct slg_reply *ret_reply,
                                                    struct slg_rpc_page *ret_page,
                                                    struct slg_error *reterr);
/* Ask a source for its next page. */
SLG_MUST_CHECK enum slg_status slg_fanout_ask_next(struct slg_fanout *fanout, size_t source_index,
                                                   struct slg_error *reterr);
/* Tell storers to forget what is open. */
void slg_fanout_close_sources(struct slg_fanout *fanout);

#endif
