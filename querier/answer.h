/* querier/answer.h - query results as Loki's JSON, in the key order that Grafana's single-pass reader needs
 * (status, warnings, data {resultType, encodingFlags, result, stats}).
 *
 * An answer borrows the result; slg_answer_pull writes the next piece, so that a large answer never stands in memory
 * as text. Lines and labels that are not UTF-8 are repaired (U+FFFD) as they are written.
 * Owner:   the answer is embedded by the caller, who keeps result, warning and stats alive. Threads: one. */
#ifndef SLG_QUERIER_ANSWER_H
#define SLG_QUERIER_ANSWER_H

#include "logql/plan/merge.h"
#include "logql/plan/query.h"

struct slg_answer {
    /* One of: streams (result == NULL) or a metric result. */
    const struct slg_stream *streams;
    size_t stream_count;
    const struct slg_result *result;

    struct slg_text
        encoding_flags; /* comma separated; empty: none. With categorize-labels values have 3 elements */
    bool categorize;
    bool
        legacy; /* streams as /api/prom/query gave them before 2019: {"streams":[{"labels","entries"}]} */
    const char *warning; /* NULL: complete */
    const struct slg_scan_stats *stats;
    double exec_seconds;

    /* Where we are: owned by slg_answer_pull, zero at first. */
    int part;
    size_t item;
    size_t row;
};

/* Append the next piece (about 64 KiB). OK: more to come. NOT_FOUND: all was written. */
SLG_MUST_CHECK enum slg_status slg_answer_pull(struct slg_answer *answer, struct slg_buf *out);

/* ---- pieces that a tail, or a volume, writes, too ---- */

/* ,"stats":{..} */
void slg_answer_stats(struct slg_buf *out, const struct slg_scan_stats *stats, double exec_seconds);

/* ,"encodingFlags":["a","b"] of "a,b". */
void slg_answer_flags(struct slg_buf *out, struct slg_text flags);
/* ,{"structuredMetadata":{..},"parsed":{..}}, the third element of a value; sets that are empty are left out. */
void slg_answer_categories(struct slg_buf *out, const struct slg_label_set *metadata,
                           const struct slg_label_set *parsed);
/* [1772438400.5 or 1772438400 - seconds with up to 3 digits of fraction. */
void slg_answer_seconds(struct slg_buf *out, int64_t ts_ns);

#endif
