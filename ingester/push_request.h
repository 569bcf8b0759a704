/* ingester/push_request.h - a push body as the two readers leave it for push.c; private to these files.
 *
 * Flat arrays in the request's arena, indexed, because they move while they grow. Entries of one stream are
 * neighbours, and so is the metadata of one entry.
 * Threads: one request, one thread. */
#ifndef SLG_INGESTER_PUSH_REQUEST_H
#define SLG_INGESTER_PUSH_REQUEST_H

#include "base/arena.h"
#include "proto/label.h"

struct slg_push_stream {
    struct slg_text label_text; /* protobuf: {a="b"}; at NULL in JSON */
    bool has_labels;            /* JSON: there is a "stream", if an empty one */
    size_t label_first;         /* JSON: pairs in slg_push_request.labels */
    size_t label_count;
    size_t entry_first;
    size_t entry_count;
};

struct slg_push_line {
    int64_t ts_ns;
    struct slg_text line;
    size_t metadata_first;
    size_t metadata_count;
};

struct slg_push_request {
    struct slg_arena *arena;
    struct slg_push_stream *streams;
    size_t stream_count, stream_capacity;
    struct slg_push_line *lines;
    size_t line_count, line_capacity;
    struct slg_label *labels; /* of JSON streams */
    size_t label_count, label_capacity;
    struct slg_label *metadata;
    size_t metadata_count, metadata_capacity;
};

/* One more item at the end, zeroed; NULL: over the arena's budget or the request's limits. */
struct slg_push_stream *slg_push_add_stream(struct slg_push_request *request);
struct slg_push_line *slg_push_add_line(struct slg_push_request *request);
struct slg_label *slg_push_add_label(struct slg_push_request *request);
struct slg_label *slg_push_add_metadata(struct slg_push_request *request);

/* MALFORMED with a text for the client; LIMIT. */
SLG_MUST_CHECK enum slg_status slg_push_read_json(struct slg_push_request *request, uint8_t *body,
                                                  size_t len, struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_push_read_protobuf(struct slg_push_request *request,
                                                      const uint8_t *body, size_t len,
                                                      size_t raw_bytes_max,
                                                      struct slg_error *reterr);

#endif
