/* logql/plan/merge.h - rows of a log query from many sources into one sequence.
 *
 * A source is one open query on one storer; its pages are in total order (backward: reversed). The merge yields rows
 * in that order over all sources, at most `limit` of them, one per `interval` as Loki thins (the first row at or after
 * the previous one + interval, over all streams together), and never the same (batch id, position) twice.
 *
 *   for (;;) switch (slg_merge_next(m, &row, &source)) {
 *       OK:        use row (valid until the next call)
 *       AGAIN:     fetch source's next page, slg_merge_feed(m, source, body, len, more)
 *       NOT_FOUND: the end
 *   }
 *
 * Owner:   the merge copies page bodies; at most one page per source is held, under memory_bytes_max.
 * Threads: one at a time. Pure. */
#ifndef SLG_LOGQL_PLAN_MERGE_H
#define SLG_LOGQL_PLAN_MERGE_H

#include "logql/plan/page.h"

struct slg_merge_params {
    size_t source_count;
    enum slg_direction direction;
    uint64_t limit;      /* 0 = all */
    int64_t interval_ns; /* 0 = every row */
    size_t memory_bytes_max;
};
struct slg_merge; /* opaque */

SLG_MUST_CHECK enum slg_status slg_merge_create(const struct slg_merge_params *params,
                                                struct slg_merge **ret_merge,
                                                struct slg_error *reterr);
void slg_merge_destroy(struct slg_merge *merge); /* NULL is fine */

/* The next page body of a source. more: another follows when asked. An empty page is fine. INVALID: the body is an
 * ERROR page; MALFORMED; LIMIT: memory. */
SLG_MUST_CHECK enum slg_status slg_merge_feed(struct slg_merge *merge, size_t source_index,
                                              const void *body, size_t len, bool more,
                                              struct slg_error *reterr);
/* A source that will send nothing (more) and is not to be waited for. */
void slg_merge_close(struct slg_merge *merge, size_t source_index);

/* OK: *ret_row. AGAIN: *ret_source must be fed (its first page, or its next) before a row can be told.
 * NOT_FOUND: limit reached or all sources are at their end. */
SLG_MUST_CHECK enum slg_status slg_merge_next(struct slg_merge *merge,
                                              const struct slg_row **ret_row, size_t *ret_source);
uint64_t slg_merge_row_count(const struct slg_merge *merge); /* yielded so far */

/* ---- rows grouped into streams, as Loki's answers have them ---- */

struct slg_streams; /* opaque: collects rows by label set */
struct slg_stream_row {
    int64_t ts_ns;
    struct slg_text line;
    uint32_t unpacked_len;         /* 0: line is as it came; else it is packed (slg_streams_pack) */
    struct slg_label_set metadata; /* categorized only, else empty */
    struct slg_label_set parsed;
};
struct slg_stream {
    struct slg_label_set labels; /* sorted by name; categorized: index labels only, else all */
    const struct slg_stream_row *rows;
    size_t row_count;
};

/* categorize: X-Loki-Response-Encoding-Flags: categorize-labels. Memory comes from the arena (borrowed): rows are
 * copied, label sets stand once per stream. NULL: over budget. */
SLG_MUST_CHECK struct slg_streams *slg_streams_create(struct slg_arena *arena, bool categorize);
/* From now on lines of 1 KiB and more are packed (LZ4) once all lines together have after_bytes: a large answer of long
 * lines then fits into the memory of a query. Readers use slg_stream_row_line. */
void slg_streams_pack(struct slg_streams *streams, size_t after_bytes);
/* The line of a row, unpacked into scratch (cleared first) if it must be. LIMIT: scratch is too small. */
SLG_MUST_CHECK enum slg_status slg_stream_row_line(const struct slg_stream_row *row,
                                                   struct slg_buf *scratch,
                                                   struct slg_text *ret_line);
/* Append a row to its stream. LIMIT: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_streams_add(struct slg_streams *streams,
                                               const struct slg_row *row);
/* Streams sorted by labels, rows in the order they were added. LIMIT: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_streams_finish(struct slg_streams *streams,
                                                  const struct slg_stream **ret_streams,
                                                  size_t *ret_count);

#endif
