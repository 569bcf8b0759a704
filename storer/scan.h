/* storer/scan.h - evaluates one leaf of a query over exactly the batches of S (DESIGN section 6, H1).
 *
 * Shards are walked in the direction of the query, those of overlapping windows together. Of each, the summaries say
 * which batches of S can matter (time, streams); these are merged in total order (ts, batch id, position), a batch
 * being opened when the merge reaches its first entry, and push duplicates are dropped (H9): of equal entries the
 * first in total order stays. When the leaf needs no order and no batch holds pushes, batches are read one by one.
 * Decoded batches are held under view_bytes_max: past it the one needed last is dropped and decoded again later.
 * Owner:   the session. The query (and what it points to) is borrowed and must outlive the scan.
 * Threads: one at a time; `canceled` may be set by any thread.
 * Refuses: S that is not held whole (UNAVAILABLE, I7), bytes_scan_max and memory exceeded (LIMIT), deadline (TIMEOUT).
 * LMDB:    no transaction, and no pin of a shard, outlives one batch or one reading of summaries. */
#ifndef SLG_STORER_SCAN_H
#define SLG_STORER_SCAN_H

#include <stdatomic.h>

#include "logql/plan/remote.h"
#include "storer/catalogue.h"

struct slg_scan;

struct slg_scan_options {
    struct slg_catalogue *catalogue;
    const struct slg_rpc_query *query;
    int64_t cutoff_ns;        /* entries before it are gone, H10 */
    int64_t deadline_mono_ns; /* of the system clock */
    size_t view_bytes_max;    /* decoded batches held at once; at least two are */
    const atomic_bool *canceled;
};
/* INVALID, UNSUPPORTED: the query text, in Loki's words. MALFORMED: a shard named twice, a bad set. */
SLG_MUST_CHECK enum slg_status slg_scan_create(const struct slg_scan_options *options,
                                               struct slg_scan **ret_scan,
                                               struct slg_error *reterr);
void slg_scan_destroy(struct slg_scan *scan); /* NULL is fine */

/* Work for about slice_ns. OK: a page was appended to out; *ret_more: there is another. AGAIN: no page yet, call
 * again. Anything else: the query has failed. Stats of the page are added to *stats. */
SLG_MUST_CHECK enum slg_status slg_scan_step(struct slg_scan *scan, int64_t slice_ns,
                                             struct slg_buf *out, bool *ret_more,
                                             struct slg_scan_stats *stats,
                                             struct slg_error *reterr);

#endif
