/* proto/rpc.h - the messages between ingester, querier, ctl and storer.
 *
 * Form:    docs/FORMATS.md section 5. Every request is a msgpack array [wire version, type, ...], every reply
 *          [wire version, status, text, ...]; text is the reason for a person when status is not OK.
 * Owner:   encode appends to a slg_buf; decode borrows from the bytes and takes arrays from the arena.
 * Threads: pure.
 * Refuses: unknown versions (UNSUPPORTED, both numbers in text), unknown types, trailing bytes, counts and lengths
 *          over proto/limits.h (MALFORMED). */
#ifndef SLG_PROTO_RPC_H
#define SLG_PROTO_RPC_H

#include "base/hash.h"
#include "proto/batch_set.h"

#define SLG_RPC_VERSION 1

enum slg_rpc_type {
    SLG_RPC_HELLO = 1, /* first on every connection */
    SLG_RPC_STORE = 2, /* ingester -> storer: one batch */
    SLG_RPC_SETS = 3,  /* querier -> storer: what do you hold? */
    SLG_RPC_QUERY =
        4, /* querier -> storer: evaluate a leaf over exactly S; answers the first page */
    SLG_RPC_NEXT = 5,    /* the next page of an open query */
    SLG_RPC_CANCEL = 6,  /* forget an open query */
    SLG_RPC_STREAMS = 7, /* querier -> storer: streams that match, with counts */
    SLG_RPC_STATUS = 8,  /* ctl -> storer: JSON about the node and its shards */
    SLG_RPC_FETCH = 9,   /* storer -> storer: give me these batches */
    SLG_RPC_ENSURE = 10, /* querier -> storer: get what you lack of these sets, from your peers */
};
#define SLG_RPC_TYPE_LAST SLG_RPC_ENSURE

/* Type of an encoded request, without decoding the rest. */
SLG_MUST_CHECK enum slg_status slg_rpc_peek(const uint8_t *bytes, size_t len,
                                            enum slg_rpc_type *ret_type);

/* A reply that carries nothing but its status and text. Also the form of every failure. */
void slg_rpc_encode_failure(struct slg_buf *out, enum slg_status status, const char *text);
/* Status of a reply; its text into *reterr. MALFORMED when it is no reply at all. */
SLG_MUST_CHECK enum slg_status slg_rpc_reply_status(const uint8_t *bytes, size_t len,
                                                    struct slg_error *reterr);

/* ---- HELLO ---- */
struct slg_rpc_hello {
    struct slg_text cluster_id;
    struct slg_text node_id;
    struct slg_text role; /* "ingester", "querier", "storer", "ctl" */
    uint64_t map_epoch;
    struct slg_hash128 map_hash; /* equal epoch with another hash: INVALID, and say so */
    struct slg_text storage_id;  /* storers only, else empty */
    uint64_t storage_counter;    /* likewise, else 0 */
    /* What the sender remembers of the receiver's storage (H6); empty and 0: nothing. Between storers. */
    struct slg_text known_storage_id;
    uint64_t known_storage_counter;
    int64_t wall_ns; /* the sender's clock, for retention; 0: not told. Between storers */
};
void slg_rpc_encode_hello(struct slg_buf *out, const struct slg_rpc_hello *hello);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_hello(const uint8_t *bytes, size_t len,
                                                    struct slg_rpc_hello *ret_hello);
void slg_rpc_encode_hello_reply(struct slg_buf *out, const struct slg_rpc_hello *hello);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_hello_reply(const uint8_t *bytes, size_t len,
                                                          struct slg_rpc_hello *ret_hello,
                                                          struct slg_error *reterr);

/* ---- STORE ---- */
/* What became of a batch. Only STORED and DUPLICATE count towards acceptance. */
enum slg_store_result {
    SLG_STORE_STORED = 0,
    SLG_STORE_DUPLICATE = 1, /* held already, durable, equal content */
    SLG_STORE_BUSY = 2,      /* queue full: try again */
    SLG_STORE_READ_ONLY = 3, /* disk reserve reached, shard damaged, or a batch version of another
                              * release: text says which; try another or later */
    SLG_STORE_NOT_PLACED =
        4,                 /* this node's map does not place the shard here; epoch says which map */
    SLG_STORE_CONTENT = 5, /* same id, other content (H13): start a new incarnation */
    SLG_STORE_EXPIRED = 6, /* window older than retention: never */
    SLG_STORE_FUTURE = 7,  /* entries more than max_future ahead of this node's clock */
    SLG_STORE_MALFORMED = 8, /* never */
};
#define SLG_STORE_FLAG_HINT 1U
/* So long after it was asked for, an acknowledgement says that the storer has the batch; later it is asked again: the
 * storer may have lost its disk, and be whole without the batch (storer/member.h, ingester/replica.h). */
#define SLG_STORE_ACK_NS    (INT64_C(12) * 1000000000)
void slg_rpc_encode_store(struct slg_buf *out, unsigned flags, const void *batch, size_t batch_len);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_store(const uint8_t *bytes, size_t len,
                                                    unsigned *ret_flags, const uint8_t **ret_batch,
                                                    size_t *ret_batch_len);
void slg_rpc_encode_store_reply(struct slg_buf *out, enum slg_store_result result,
                                uint64_t map_epoch, const char *text);
/* *ret_text: why it was refused, for people; borrowed. */
SLG_MUST_CHECK enum slg_status slg_rpc_decode_store_reply(const uint8_t *bytes, size_t len,
                                                          enum slg_store_result *ret_result,
                                                          uint64_t *ret_map_epoch,
                                                          struct slg_text *ret_text,
                                                          struct slg_error *reterr);

/* ---- SETS ---- */
struct slg_rpc_sets {
    struct slg_text tenant;
    int64_t from_ns; /* windows that touch [from_ns, to_ns) */
    int64_t to_ns;
    uint64_t map_epoch; /* the answerer applies this epoch's rules, or refuses when behind */
    bool want_ranges;   /* false: digests only */
    const struct slg_shard_id *shards; /* only these; none: every shard of the time */
    size_t shard_count;                /* at most SLG_QUERY_SHARD_COUNT_MAX */
};
struct slg_rpc_shard_set {
    struct slg_shard_id shard;
    struct slg_batch_set_digest digest;
    struct slg_text set; /* slg_batch_set_encode bytes; empty when not wanted */
    /* In replies to SETS: of the first and the last entry that the storer holds. A hint for the division of work. */
    int64_t ts_min_ns, ts_max_ns;
    /* QUERY only, the same form: batches that were shown before (a tail). A push that equals one of theirs is not an
     * entry of its own. Those that the storer does not hold do not matter. Empty: none. */
    struct slg_text known;
};
void slg_rpc_encode_sets(struct slg_buf *out, const struct slg_rpc_sets *sets);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_sets(struct slg_arena *arena, const uint8_t *bytes,
                                                   size_t len, struct slg_rpc_sets *ret_sets);
struct slg_rpc_sets_reply {
    bool refilling; /* the node may have lost what it once held: no answer for completeness (H6) */
    const struct slg_rpc_shard_set *shards; /* those it holds something of, ascending */
    size_t shard_count;
    /* Of the shards asked about, those that it cannot vouch for: batches that it once held are damaged or lost and not
     * back yet. What it holds of them counts; that it holds no more says nothing. Ascending. */
    const struct slg_shard_id *doubtful;
    size_t doubtful_count;
};
void slg_rpc_encode_sets_reply(struct slg_buf *out, const struct slg_rpc_sets_reply *reply);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_sets_reply(struct slg_arena *arena,
                                                         const uint8_t *bytes, size_t len,
                                                         struct slg_rpc_sets_reply *ret_reply,
                                                         struct slg_error *reterr);

/* ---- FETCH, ENSURE ---- */
struct slg_rpc_fetch {
    struct slg_text tenant;
    uint64_t map_epoch;
    struct slg_shard_id shard;
    struct slg_text set; /* slg_batch_set_encode bytes: the batches wanted */
    uint64_t bytes_max;  /* of batches in the reply; one that is larger alone comes anyhow */
};
void slg_rpc_encode_fetch(struct slg_buf *out, const struct slg_rpc_fetch *fetch);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_fetch(const uint8_t *bytes, size_t len,
                                                    struct slg_rpc_fetch *ret_fetch);
struct slg_rpc_fetch_reply {
    bool more;                      /* it holds more of them: ask again for the rest */
    const struct slg_text *batches; /* as they are stored, in order of their ids */
    size_t batch_count;
};
void slg_rpc_encode_fetch_reply(struct slg_buf *out, const struct slg_rpc_fetch_reply *reply);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_fetch_reply(struct slg_arena *arena,
                                                          const uint8_t *bytes, size_t len,
                                                          struct slg_rpc_fetch_reply *ret_reply,
                                                          struct slg_error *reterr);

/* The answer is OK without fields once all of the sets is on disk here; UNAVAILABLE names what no peer gave. */
struct slg_rpc_ensure {
    struct slg_text tenant;
    uint64_t map_epoch;
    int64_t deadline_ms; /* counted from receipt */
    const struct slg_rpc_shard_set *shards;
    size_t shard_count;
};
void slg_rpc_encode_ensure(struct slg_buf *out, const struct slg_rpc_ensure *ensure);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_ensure(struct slg_arena *arena, const uint8_t *bytes,
                                                     size_t len, struct slg_rpc_ensure *ret_ensure);
/* A reply that is OK and carries nothing. */
void slg_rpc_encode_done(struct slg_buf *out);

/* ---- QUERY, NEXT, CANCEL ---- */
enum slg_leaf_kind {
    SLG_LEAF_LOG = 1,      /* rows of a log query, in total order of the direction */
    SLG_LEAF_PARTIAL = 2,  /* mergeable partials of a range aggregation, per series and step */
    SLG_LEAF_SAMPLES = 3,  /* single samples, for aggregations that cannot merge */
    SLG_LEAF_PATTERNS = 4, /* shapes of lines with counts per step: /loki/api/v1/patterns */
};
enum slg_direction {
    SLG_BACKWARD = 0,
    SLG_FORWARD = 1,
};
/* One leaf of a query, to be evaluated beside the data. What the numbers mean for each kind: logql/plan/remote.h. */
struct slg_leaf_request {
    enum slg_leaf_kind kind;
    struct slg_text text; /* canonical LogQL of the leaf */
    int64_t start_ns;     /* first evaluation time (LOG, PATTERNS: inclusive start of data) */
    int64_t end_ns;       /* last evaluation time (LOG, PATTERNS: exclusive end of data) */
    int64_t step_ns;      /* 0: one evaluation, at end_ns */
    enum slg_direction direction;
    uint64_t limit;            /* LOG: rows wanted at most, 0 = all */
    uint64_t flags;            /* 0: none is given out yet */
    uint64_t memory_bytes_max; /* budget of this leaf on the storer */
    uint64_t series_max;
    uint64_t bytes_scan_max; /* uncompressed bytes that may be read */
    int64_t deadline_ms;     /* time left for the whole query, counted from receipt */
};
struct slg_rpc_query {
    uint8_t query_id[16]; /* random; one per leaf and storer */
    struct slg_text tenant;
    uint64_t map_epoch;
    struct slg_leaf_request leaf;
    const struct slg_rpc_shard_set *shards; /* S: exactly these batches; `set` is filled */
    size_t shard_count;
    /* Of S only entries of cut_from_ns <= ts < cut_to_ns: other sub-queries have the rest. 0: no bound. */
    int64_t cut_from_ns, cut_to_ns;
};
struct slg_scan_stats {
    uint64_t bytes_read; /* uncompressed */
    uint64_t lines_read;
    uint64_t lines_kept; /* after the pipeline */
    uint64_t batches_read;
    uint64_t batches_skipped; /* by summary */
    uint64_t bytes_compressed;
    uint64_t duplicates; /* push duplicates dropped */
    uint64_t scan_ns;    /* CPU wall of the scan */
};
struct slg_rpc_page {
    bool more;                   /* ask NEXT for the following page */
    struct slg_scan_stats stats; /* of this page */
    struct slg_text body;        /* form by leaf kind: logql/plan/page.h */
};
void slg_rpc_encode_query(struct slg_buf *out, const struct slg_rpc_query *query);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_query(struct slg_arena *arena, const uint8_t *bytes,
                                                    size_t len, struct slg_rpc_query *ret_query);
void slg_rpc_encode_next(struct slg_buf *out, const uint8_t query_id[16]);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_next(const uint8_t *bytes, size_t len,
                                                   uint8_t ret_query_id[16]);
void slg_rpc_encode_cancel(struct slg_buf *out, const uint8_t query_id[16]);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_cancel(const uint8_t *bytes, size_t len,
                                                     uint8_t ret_query_id[16]);
void slg_rpc_encode_page(struct slg_buf *out, const struct slg_rpc_page *page);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_page(const uint8_t *bytes, size_t len,
                                                   struct slg_rpc_page *ret_page,
                                                   struct slg_error *reterr);

/* ---- STREAMS ---- */
struct slg_rpc_streams {
    struct slg_text tenant;
    int64_t from_ns; /* entries in [from_ns, to_ns), by batch summaries */
    int64_t to_ns;
    uint64_t map_epoch;
    const struct slg_text *selectors; /* canonical `{...}` texts; union; count 0 = every stream */
    size_t selector_count;
    struct slg_stream_id after; /* page: only ids above this one */
    uint64_t stream_max;        /* at most this many in the reply, 1 to 65536 */
    bool
        whole_windows; /* every stream of the shards that touch the range, without counts: no summary is read */
    const struct slg_shard_id *shards; /* only these; none: every shard of the time */
    size_t shard_count;
};
struct slg_rpc_stream {
    struct slg_stream_id id;
    struct slg_text canonical;
    uint64_t entry_count; /* estimates by batch: entries of batches that touch the range, scaled */
    uint64_t line_bytes;
    uint64_t metadata_count; /* items */
    uint64_t batch_count;
};
#define SLG_RPC_SELECTOR_COUNT_MAX ((size_t)64)
#define SLG_RPC_STREAM_COUNT_MAX   ((size_t)65536)
void slg_rpc_encode_streams(struct slg_buf *out, const struct slg_rpc_streams *streams);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_streams(struct slg_arena *arena, const uint8_t *bytes,
                                                      size_t len,
                                                      struct slg_rpc_streams *ret_streams);
void slg_rpc_encode_streams_reply(struct slg_buf *out, const struct slg_rpc_stream *streams,
                                  size_t count, bool more);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_streams_reply(struct slg_arena *arena,
                                                            const uint8_t *bytes, size_t len,
                                                            struct slg_rpc_stream **ret_streams,
                                                            size_t *ret_count, bool *ret_more,
                                                            struct slg_error *reterr);

/* ---- STATUS ---- */
void slg_rpc_encode_status(struct slg_buf *out);
void slg_rpc_encode_status_reply(struct slg_buf *out, const void *json, size_t len);
SLG_MUST_CHECK enum slg_status slg_rpc_decode_status_reply(const uint8_t *bytes, size_t len,
                                                           struct slg_text *ret_json,
                                                           struct slg_error *reterr);

#endif
