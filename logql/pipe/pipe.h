/* logql/pipe/pipe.h - the stages of one log query, compiled, run on one entry after the other.
 *
 * What:    slg_pipe = `| json | level="error" | line_format ...` and, for a metric query, how an entry becomes a sample
 *          (count, bytes, unwrap) and which labels its series keeps. Stream selectors are logql/pipe/matcher.h.
 * Rules:   Loki's, surprises included; each is written at the stage that obeys it (stage_*.c).
 * Owner:   the pipe owns its memory, apart from the tree (it borrows the AST, which must outlive it). A prepared stream
 *          borrows its label set and lives in the pipe. What slg_pipe_run returns lies in scratch memory of the pipe,
 *          in the entry's line and in the stream's labels: it is valid until the next run or destroy.
 * Threads: one at a time; two pipes are independent.
 * Pure:    no I/O, no threads, no clock (`now` of templates is an option).
 * Bounds:  SLG_PIPE_*_MAX below; no allocation per entry in steady state. */
#ifndef SLG_LOGQL_PIPE_PIPE_H
#define SLG_LOGQL_PIPE_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "logql/syntax/ast.h"
#include "proto/label.h"

/* Scratch of one entry: extracted labels, formatted lines. A stage that needs more sets its __error__ (parsers,
 * templates); a pipeline that needs more for everything together is SLG_LIMIT. 64 x the longest line. */
#define SLG_PIPE_SCRATCH_BYTES_MAX         ((size_t)16 * 1024 * 1024)
/* Labels of one entry, all categories. The longest line has no more JSON keys. */
#define SLG_PIPE_LABEL_COUNT_MAX           ((size_t)65536)
/* Text that one line_format or label_format may make: template functions as repeat and indent could make any size. */
#define SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX ((size_t)1024 * 1024)
/* Compiled size of all stages: regular expressions have their own bound (regex.h). */
#define SLG_PIPE_COMPILE_BYTES_MAX         ((size_t)64 * 1024 * 1024)
/* Literals that slg_pipe_required_literals tells at most. */
#define SLG_PIPE_LITERAL_COUNT_MAX         ((size_t)8)

struct slg_pipe;        /* opaque */
struct slg_pipe_stream; /* opaque: the base labels of one stream, prepared */

enum slg_pipe_sample {
    SLG_PIPE_SAMPLE_NONE,  /* a log query: lines and labels, no value, no grouping */
    SLG_PIPE_SAMPLE_COUNT, /* value 1: count_over_time, rate, absent_over_time without unwrap */
    SLG_PIPE_SAMPLE_BYTES, /* value = bytes of the (formatted) line: bytes_over_time, bytes_rate */
    SLG_PIPE_SAMPLE_UNWRAP,
};

struct slg_pipe_options {
    const struct slg_logql_log *log; /* its stages; matchers are not looked at */
    enum slg_pipe_sample sample;
    const struct slg_logql_unwrap *unwrap; /* for UNWRAP, present */
    /* Labels that series keep; NULL = all. For a metric query: the grouping of the range aggregation if it has one
     * (`present`), else, if the range aggregation stands directly under a `sum` and is one of count_over_time, rate,
     * bytes_over_time, bytes_rate, sum_over_time (Loki's canInjectVectorGrouping), the grouping of that sum - where
     * a missing grouping means `by ()`; NULL otherwise. absent_over_time: NULL with no_labels. `present` is not
     * looked at. Only labels that can matter are extracted ("hints"), which shows in errors: `sum(count_over_time(
     * {..} | json [1m]))` meets no JSONParserErr. */
    const struct slg_logql_grouping *grouping;
    bool no_labels;       /* absent_over_time: as `by ()` */
    bool want_categories; /* fill result.categories */
    int64_t now_ns;       /* what `now` in templates says: time of the query */
};

/* Compile. INVALID: a bad regexp, pattern, template, path, with Loki's words ("parse error : stage '...' : ...");
 * LIMIT: a bound above. */
SLG_MUST_CHECK enum slg_status slg_pipe_create(const struct slg_pipe_options *options,
                                               struct slg_pipe **ret_pipe,
                                               struct slg_error *reterr);
void slg_pipe_destroy(struct slg_pipe *pipe); /* NULL is fine; its streams go with it */

/* Prepare a stream; labels (sorted) must outlive the pipe. LIMIT: memory. */
SLG_MUST_CHECK enum slg_status slg_pipe_stream_create(struct slg_pipe *pipe,
                                                      const struct slg_label_set *labels,
                                                      struct slg_pipe_stream **ret_stream);

/* Decode the metadata of the entry that is being run, into scratch or elsewhere; sorted by name. Anything but OK
 * ends the run with that status. */
typedef enum slg_status slg_pipe_fetch_metadata(void *user, struct slg_arena *scratch,
                                                struct slg_label_set *ret_metadata);

struct slg_pipe_entry {
    int64_t ts_ns;
    struct slg_text line;
    const struct slg_label_set *metadata; /* NULL: call fetch */
    slg_pipe_fetch_metadata
        *fetch; /* NULL: none. Called only when leading line filters kept the line */
    void *user;
};

enum slg_pipe_category {
    SLG_PIPE_CATEGORY_STREAM,
    SLG_PIPE_CATEGORY_METADATA,
    SLG_PIPE_CATEGORY_PARSED,
};

struct slg_pipe_result {
    struct slg_text line; /* after line_format, unpack, decolorize */
    /* What the stream or series is called: sorted by name, each name once; values may be empty (Loki keeps labels
     * that an expression did not find). Of a log query: stream, metadata and parsed labels, __error__ and
     * __error_details__. Of a metric query: after grouping; but when has_error all labels, as Loki names them in
     * "pipeline error: '...' for series: '...'". */
    struct slg_label_set labels;
    const uint8_t *categories; /* enum slg_pipe_category per label; NULL unless want_categories */
    /* Of a metric query: xxh3-128 of names and values: equal sets have equal hashes, whatever stream they came from. */
    struct slg_hash128 hash;
    double value;   /* of the sample */
    bool has_error; /* something went wrong with the entry */
    bool
        must_fail; /* a metric query, with `error`: labels have __error__, but no __preserve_error__="true" */
    struct slg_text error; /* e.g. JSONParserErr */
};

/* Run the entry through all stages. OK: kept, *ret filled. NOT_FOUND: dropped. LIMIT: scratch budget. */
SLG_MUST_CHECK enum slg_status slg_pipe_run(struct slg_pipe *pipe, struct slg_pipe_stream *stream,
                                            const struct slg_pipe_entry *entry,
                                            struct slg_pipe_result *ret);

/* True when the pipe looks at neither line nor metadata: every entry of a stream is kept with the stream's own
 * labels (then counts can come from summaries). With metadata in the data this holds only for grouped samples. */
bool slg_pipe_is_trivial(const struct slg_pipe *pipe);

/* Literals each of which every kept entry's line contains (byte-wise), longest first; at most max. 0 = none known.
 * The scanner can search whole text arenas for the first before it looks at lines. They live as long as the pipe. */
size_t slg_pipe_required_literals(const struct slg_pipe *pipe, struct slg_text *ret_literals,
                                  size_t max);

#endif
