/* logql/mine/miner.h - which patterns a set of log lines has, and how often each came: /loki/api/v1/patterns.
 *
 * Streaming and mergeable: each line becomes a shape (shape.h); equal shapes are one row with a count per level and time
 * bucket, and a slot keeps its value while all lines agree. Adding is commutative and associative, so what storers mine
 * for their lines and the querier adds up is what one miner over all lines would have, whatever the block borders - until
 * a miner is full: then it replaces words that vary by slots (generalise.h), and drops the rarest rows if that is not
 * enough. slg_miner_finish generalises the rest, as Drain does (github.com/grafana/loki pkg/pattern/drain), and shows what
 * came at least SLG_MINER_LINES_MIN times.
 * Bounds:  SLG_MINER_ROW_COUNT_MAX rows, SLG_MINER_TEXT_BYTES_MAX of text, SLG_MINER_CELL_COUNT_MAX counts: at most
 *          SLG_MINER_MEMORY_BYTES, while it generalises; as many times less as its memory is less. Lines: shape.h.
 * Owner:   the miner copies everything. Threads: one at a time. Pure. */
#ifndef SLG_LOGQL_MINE_MINER_H
#define SLG_LOGQL_MINE_MINER_H

#include "base/buf.h"
#include "proto/label.h"

#define SLG_MINER_ROW_COUNT_MAX     ((size_t)4096)
#define SLG_MINER_TEXT_BYTES_MAX    ((size_t)8 << 20)
#define SLG_MINER_CELL_COUNT_MAX    (((size_t)1 << 19) / 5 * 4)
#define SLG_MINER_MEMORY_BYTES      ((size_t)64 << 20)
#define SLG_MINER_LEVEL_BYTES_MAX   ((size_t)64) /* a longer level is cut */
#define SLG_MINER_LINES_MIN         30 /* Loki's minClusterSize: fewer lines are no pattern */
#define SLG_MINER_PATTERN_COUNT_MAX ((size_t)300) /* Loki's maxPatterns; Logs Drilldown reads 500 */

struct slg_miner; /* opaque */

/* step_ns > 0: width of a bucket; buckets start at multiples of it. memory_bytes_max: what it may use; more than
 * SLG_MINER_MEMORY_BYTES it never does, less than 1 MiB is 1 MiB. NULL: no memory. */
SLG_MUST_CHECK struct slg_miner *slg_miner_create(int64_t step_ns, uint64_t memory_bytes_max);
void slg_miner_destroy(struct slg_miner *miner); /* NULL is fine */

/* One line. LIMIT: too many counts, ask with a larger step; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_miner_add(struct slg_miner *miner, struct slg_text level,
                                             int64_t ts_ns, struct slg_text line,
                                             struct slg_error *reterr);

/* ---- from storer to querier: docs/FORMATS.md section 5.9, kind 4 ---- */

/* Append the next page of rows to out, at most about SLG_PAGE_BYTES_MAX. *ret_more: call again. Nothing may be added
 * meanwhile. */
SLG_MUST_CHECK enum slg_status slg_miner_page(struct slg_miner *miner, struct slg_buf *out,
                                              bool *ret_more, struct slg_error *reterr);
/* Add a page that a miner of the same step made. MALFORMED, UNSUPPORTED; else as slg_miner_add. */
SLG_MUST_CHECK enum slg_status slg_miner_feed(struct slg_miner *miner, const void *body, size_t len,
                                              struct slg_error *reterr);

/* ---- the answer ---- */

struct slg_miner_sample {
    int64_t bucket; /* time of its start / step_ns */
    uint64_t count; /* > 0 */
};
struct slg_miner_pattern {
    struct slg_text pattern; /* for `|>`: it matches each line that was counted */
    struct slg_text level;
    uint64_t count;
    const struct slg_miner_sample *samples; /* ascending */
    size_t sample_count;
};
/* Call once, last. Patterns by falling count, at most SLG_MINER_PATTERN_COUNT_MAX; they die with the miner. */
SLG_MUST_CHECK enum slg_status slg_miner_finish(struct slg_miner *miner,
                                                const struct slg_miner_pattern **ret_patterns,
                                                size_t *ret_count, struct slg_error *reterr);

/* Lines that were not learned from: too short, or of rows that were dropped. */
uint64_t slg_miner_lost_count(const struct slg_miner *miner);

#endif
