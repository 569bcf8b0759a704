/* logql/plan/remote.h - one leaf of a query, evaluated beside the data: what a storer runs for SLG_RPC_QUERY.
 *
 * The storer walks the batches of S in total order (ts, batch id, position) - backward: its exact reverse - drops
 * push duplicates, and gives every remaining entry of a wanted stream to slg_remote_entry. It knows nothing of LogQL
 * but this header.
 *
 *   LOG      rows that the pipeline keeps. Data range [start_ns, end_ns); start_ns == end_ns means that one instant.
 *   PARTIAL  a range aggregation whose partials merge (count, bytes, sum, min, max, first, last, avg, stddev, absent,
 *            optionally under a `sum` that was pushed down): per series and evaluation time one partial. Evaluation
 *            times are start_ns, start_ns + step_ns ... <= end_ns. Data range (start - offset - range, end - offset].
 *   SAMPLES  (ts, order, value) per series, for what cannot merge (quantile, rate_counter). The same data range.
 *   PATTERNS shapes of the lines of a bare selector with counts per level and step_ns (logql/mine/miner.h). Data range
 *            [start_ns, end_ns).
 *
 * Owner:   the remote owns an arena of request.memory_bytes_max. Threads: one at a time; two remotes are independent.
 * Pure:    no I/O, no clock. Pages are described in logql/plan/page.h.
 * Errors:  a pipeline error of a metric query is a result: slg_remote_entry answers NOT_FOUND (no more entries wanted)
 *          and the page carries its words, which are longer than an slg_error. */
#ifndef SLG_LOGQL_PLAN_REMOTE_H
#define SLG_LOGQL_PLAN_REMOTE_H

#include "proto/rpc.h"

struct slg_remote;
struct slg_remote_stream; /* a wanted stream, prepared once; lives as long as the remote */

/* Parse and compile request->text. INVALID/UNSUPPORTED with Loki's text; LIMIT. */
SLG_MUST_CHECK enum slg_status slg_remote_create(const struct slg_leaf_request *request,
                                                 struct slg_remote **ret_remote,
                                                 struct slg_error *reterr);
void slg_remote_destroy(struct slg_remote *remote); /* NULL is fine */

/* Data that it needs: from_ns <= ts < to_ns (both already include range and offset). */
void slg_remote_range(const struct slg_remote *remote, int64_t *ret_from_ns, int64_t *ret_to_ns);

/* Does it need entries in total order? True for LOG. Elsewhere a storer may give batches in any order (order of time is
 * fastest), but must still drop push duplicates: first, last and rate_counter sort for themselves. */
bool slg_remote_needs_order(const struct slg_remote *remote);

/* Where its stream stands among those of one time (slg_row_before). LOG: the storer gives the entries of one time in the
 * order of these, else those that a page's end parts come in another order than the rest. */
uint64_t slg_remote_stream_hash(const struct slg_remote_stream *stream);

/* A literal that every kept line contains; false when there is none. Lets the storer search a batch's text with one
 * memmem before it looks at lines. */
bool slg_remote_literal(const struct slg_remote *remote, struct slg_text *ret_literal);

/* Prepare a stream. *ret_stream = NULL when the selector does not want it. LIMIT: memory. */
SLG_MUST_CHECK enum slg_status slg_remote_stream(struct slg_remote *remote,
                                                 const struct slg_label_set *labels,
                                                 struct slg_remote_stream **ret_stream,
                                                 struct slg_error *reterr);

struct slg_remote_entry {
    int64_t ts_ns;
    const struct slg_batch_id *batch; /* with position: the rest of the total order */
    uint32_t position;
    struct slg_text line;
    /* Metadata is decoded only when the pipeline asks: view and position are given instead of labels. */
    const struct slg_batch_view *view;
};
/* One entry. OK: go on. NOT_FOUND: enough (limit reached, or the query has failed), no more entries are wanted: go on
 * with finish and page. LIMIT: stop with that error. Everything it keeps is copied. */
SLG_MUST_CHECK enum slg_status slg_remote_entry(struct slg_remote *remote,
                                                struct slg_remote_stream *stream,
                                                const struct slg_remote_entry *entry,
                                                struct slg_error *reterr);
uint64_t slg_remote_kept_count(const struct slg_remote *remote);

/* LOG only: bytes of rows that wait to be taken. A page is full at SLG_PAGE_BYTES_MAX: take it then. */
size_t slg_remote_pending_bytes(const struct slg_remote *remote);

/* All entries were given: PARTIAL and SAMPLES make their result ready. */
SLG_MUST_CHECK enum slg_status slg_remote_finish(struct slg_remote *remote,
                                                 struct slg_error *reterr);

/* Append the next page body (at most about SLG_PAGE_BYTES_MAX) to out. *ret_more: call again for another. */
SLG_MUST_CHECK enum slg_status slg_remote_page(struct slg_remote *remote, struct slg_buf *out,
                                               bool *ret_more, struct slg_error *reterr);

#endif
