/* querier/meta.h - the frame of a metadata request: read what is asked, list the matching streams, print the answer.
 *
 * Labels, series, statistics and volumes are all made from the list of matching streams with their counts. An endpoint
 * is a row of functions; the frame makes and frees what they share, counts the request and answers or fails. An answer
 * that lacks what failed storers hold has a member `warnings` that says so; the printed body is an object and ends in "}\n".
 * Refuses: answers over SLG_META_ANSWER_BYTES_MAX, requests that need more memory than one query may have.
 * Owner:   everything lies in meta->arena and meta->out and dies when slg_meta_answer returns.
 * Threads: that of the HTTP handler. */
#ifndef SLG_QUERIER_META_H
#define SLG_QUERIER_META_H

#include "logql/syntax/ast.h"
#include "querier/querier_private.h"

#define SLG_META_ANSWER_BYTES_MAX ((size_t)64 << 20)

struct slg_meta {
    struct api_client client;
    struct slg_fanout *fanout;
    struct slg_arena *arena;
    struct slg_fanout_streams wanted; /* the range is the request's; no selector: every stream */
    struct slg_text selectors[SLG_RPC_SELECTOR_COUNT_MAX];
    struct slg_rpc_stream *streams;
    struct slg_label_set *labels; /* of each stream */
    size_t stream_count;
    char warning[512];  /* of the first list that was incomplete; "": none */
    struct slg_buf out; /* the answer's body */
};

/* One step; arg is the endpoint's own. A failure ends the request with its text. */
typedef enum slg_status slg_meta_step(struct slg_meta *meta, void *arg, struct slg_error *reterr);

struct slg_meta_endpoint {
    slg_meta_step *read;  /* the parameters, apart from start, end and since */
    slg_meta_step *list;  /* slg_meta_list, or something that calls it */
    slg_meta_step *print; /* into meta->out */
    enum slg_gate_lane lane;
};

/* Do one request; it is answered when this returns. */
void slg_meta_answer(struct slg_querier *querier, struct slg_http_request *request,
                     const struct slg_meta_endpoint *endpoint, void *arg);

/* ---- steps, and what steps are made of; arg may be NULL ---- */

/* `query`, which may be absent: every stream. */
slg_meta_step slg_meta_read_optional;
/* `query`, which must be there. */
slg_meta_step slg_meta_read_required;
/* match[] and match, any number; none, or one that matches everything: every stream. */
slg_meta_step slg_meta_read_matches;
/* As slg_meta_read_required; *ret_log lives as long as the request. */
SLG_MUST_CHECK enum slg_status slg_meta_read_selector(struct slg_meta *meta,
                                                      const struct slg_logql_log **ret_log,
                                                      struct slg_error *reterr);
/* The streams that match `wanted`, with their labels. May be called again for another range. */
slg_meta_step slg_meta_list;
/* The same without counts and by day, for names and values of labels: all streams of the UTC days of the range, when there
 * is a window with data in the range; else none. So does Loki, whose index is one file a day; and a service that was
 * silent for a quarter of an hour stays in the lists of an editor. It reads no summaries, so it is fast. */
slg_meta_step slg_meta_list_by_day;

/* Fills *reterr: the request needs too much memory. */
enum slg_status slg_meta_no_memory(struct slg_error *reterr);
/* What a stream holds, as Loki counts it: lines, and for an item of structured metadata the numbers of name and value in
 * the chunk's table of texts. (That table is in Loki's count too; we do not know how many texts of a stream differ.) */
uint64_t slg_meta_stream_bytes(const struct slg_rpc_stream *stream);
/* Labels of all streams together. */
size_t slg_meta_label_count(const struct slg_meta *meta);

#endif
