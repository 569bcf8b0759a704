/* logql/plan/page.h - bodies of pages: what slg_remote_page writes and the querier reads.
 *
 * Layout:  docs/FORMATS.md section 5 "page bodies". A body starts with a version and a kind:
 *            ERROR    the words of a pipeline error; the whole query fails with it (INVALID)
 *            LOG      rows in the total order of the direction
 *            PARTIAL  per series, partials of time buckets
 *            SAMPLES  per series, single samples
 *          Texts, label sets and batch ids stand once per page and are referred to by index. Pages are independent.
 * Owner:   encode appends to a buf; decode borrows from the body and takes arrays from the arena.
 * Threads: pure.
 * Refuses: unknown version or kind (UNSUPPORTED), indexes out of their tables, unsorted or repeated label names,
 *          counts over what is left, trailing bytes (MALFORMED). */
#ifndef SLG_LOGQL_PLAN_PAGE_H
#define SLG_LOGQL_PLAN_PAGE_H

#include "logql/eval/partial.h"
#include "proto/rpc.h"

#define SLG_PAGE_VERSION 1

enum slg_page_kind {
    SLG_PAGE_ERROR = 0,
    SLG_PAGE_LOG = SLG_LEAF_LOG,
    SLG_PAGE_PARTIAL = SLG_LEAF_PARTIAL,
    SLG_PAGE_SAMPLES = SLG_LEAF_SAMPLES,
    SLG_PAGE_PATTERNS = SLG_LEAF_PATTERNS, /* written and read by logql/mine/miner.h, not here */
};

/* One kept line of a log query. The three sets are sorted by name and have no name in common; their union is the
 * label set that Loki shows without categorize-labels. */
struct slg_row {
    int64_t ts_ns;
    const struct slg_batch_id *batch;
    uint32_t position;
    uint64_t stream_hash;        /* slg_origin_hash of the stream as it was stored */
    struct slg_label_set stream; /* index labels */
    struct slg_label_set metadata;
    struct slg_label_set parsed;
    struct slg_text line;
};
/* Does a stand before b? By time; at equal times by stream hash, the same in both directions, as Loki merges
 * (docs/adr/0008); within a stream by (batch id, position), backward reversed. */
bool slg_row_before(enum slg_direction direction, const struct slg_row *a, const struct slg_row *b);

struct slg_page_series {
    struct slg_label_set labels;
    struct slg_partial *partials; /* PARTIAL; origin_index is into the page's origins */
    struct slg_sample *samples;   /* SAMPLES */
    size_t count;
};

struct slg_page {
    enum slg_page_kind kind;
    struct slg_text error;            /* ERROR */
    enum slg_accumulator accumulator; /* PARTIAL */
    const struct slg_origin *origins;
    size_t origin_count;
    const struct slg_row *rows;
    size_t row_count;
    struct slg_page_series *series;
    size_t series_count;
};

/* OK; MALFORMED; UNSUPPORTED (version or kind, both numbers); LIMIT (arena). *ret_page is written only on OK. */
SLG_MUST_CHECK enum slg_status slg_page_decode(struct slg_arena *arena, const void *body,
                                               size_t len, struct slg_page *ret_page,
                                               struct slg_error *reterr);

/* ---- writing ---- */

struct slg_page_writer; /* opaque: tables and body of one page under construction */

/* Budget of tables + body; the writer's memory is reused from page to page. NULL: no memory. */
SLG_MUST_CHECK struct slg_page_writer *slg_page_writer_create(size_t memory_bytes_max);
void slg_page_writer_destroy(struct slg_page_writer *writer);
/* accumulator: of PARTIAL, else any. */
void slg_page_writer_start(struct slg_page_writer *writer, enum slg_page_kind kind,
                           enum slg_accumulator accumulator);
/* Bytes that the body would have now, about. */
size_t slg_page_writer_bytes(const struct slg_page_writer *writer);
void slg_page_writer_error(struct slg_page_writer *writer, struct slg_text text);
/* At most row_max more rows are wanted in this page: of those at the last time the first by slg_row_before stay.
 * UINT64_MAX: all. Set after start. */
void slg_page_writer_limit(struct slg_page_writer *writer, uint64_t row_max);
/* Rows in the page so far; those of the last time may not be counted yet. After finish: all. */
uint64_t slg_page_writer_row_count(const struct slg_page_writer *writer);
/* Everything is copied. Overflow of the budget is remembered and told by finish. Rows come in total order of their
 * direction; those of equal time are put in the order of slg_row_before. */
void slg_page_writer_row(struct slg_page_writer *writer, const struct slg_row *row);
/* A series, then its partials or samples in any order. origins (of origin_index) is asked only where order matters;
 * NULL for samples without order. */
void slg_page_writer_series(struct slg_page_writer *writer, const struct slg_label_set *labels);
void slg_page_writer_partial(struct slg_page_writer *writer, const struct slg_origin_table *origins,
                             const struct slg_partial *partial);
void slg_page_writer_sample(struct slg_page_writer *writer, const struct slg_origin_table *origins,
                            const struct slg_sample *sample);
/* Append the body to out. LIMIT: the budget did not hold it. */
SLG_MUST_CHECK enum slg_status slg_page_writer_finish(struct slg_page_writer *writer,
                                                      struct slg_buf *out,
                                                      struct slg_error *reterr);

#endif
