/* ingester/push.h - bodies of POST /loki/api/v1/push, checked by Loki's rules.
 *
 * JSON: {"streams":[{"stream":{..},"values":[["ns","line",{metadata}]]}]}. Protobuf: logproto.PushRequest, snappy
 * block format. The body is read whole before the first entry is handed out: a malformed one stores nothing. Entries
 * that break a limit are left out, each with its reason; the others go on (Loki answers 400 then, with the texts).
 * service_name and detected_level are discovered; metadata names are made label names (user.id -> user_id).
 * docs/adr/0004-push-decoding.md says why the readers are our own.
 * Owner:   an entry's metadata and its line, if masked, live until `take` returns; its stream lives as long as the
 *          arena, an unmasked line as long as body and arena.
 * Threads: pure.
 * Refuses: depth over 8 (JSON), a decompressed size over the limit (looked at before anything is allocated),
 *          lengths beyond the end, times outside int64. */
#ifndef SLG_INGESTER_PUSH_H
#define SLG_INGESTER_PUSH_H

#include "base/arena.h"
#include "ingester/mask.h"
#include "ingester/stream.h"
#include "proto/limits.h"

#define SLG_PUSH_STREAM_COUNT_MAX ((size_t)16384) /* in one request */
#define SLG_PUSH_ENTRY_COUNT_MAX  ((size_t)1 << 20)
#define SLG_PUSH_MESSAGE_MAX      ((size_t)2048) /* text of the answer */
#define SLG_PUSH_TEXTS_MAX        ((size_t)10)   /* texts spelled out; the others are counted */

enum slg_push_format { SLG_PUSH_JSON, SLG_PUSH_PROTOBUF };

/*  X(name, metric value); Loki's validation reasons */
#define SLG_PUSH_REASON_LIST(X)                                                                    \
    X(INVALID_LABELS, "invalid_labels")                                                            \
    X(MISSING_LABELS, "missing_labels")                                                            \
    X(LINE_TOO_LONG, "line_too_long")                                                              \
    X(TOO_OLD, "greater_than_max_sample_age")                                                      \
    X(TOO_NEW, "too_far_in_future")                                                                \
    X(TOO_MANY_LABELS, "max_label_names_per_series")                                               \
    X(LABEL_NAME_TOO_LONG, "label_name_too_long")                                                  \
    X(LABEL_VALUE_TOO_LONG, "label_value_too_long")                                                \
    X(DUPLICATE_LABEL, "duplicate_label_names")                                                    \
    X(METADATA_TOO_LARGE, "structured_metadata_too_large")                                         \
    X(METADATA_TOO_MANY, "structured_metadata_too_many")                                           \
    X(RESERVED, "reserved_stream")

enum slg_push_reason {
#define X(name, text) SLG_PUSH_##name,
    SLG_PUSH_REASON_LIST(X)
#undef X
        SLG_PUSH_REASON_COUNT,
};

struct slg_push_options {
    struct slg_text tenant;
    size_t line_bytes_max;  /* 1 to SLG_LINE_BYTES_MAX */
    size_t label_count_max; /* 1 to SLG_LABEL_COUNT_MAX, without service_name */
    size_t raw_bytes_max;   /* of a decompressed protobuf body */
    int64_t oldest_ns;      /* entries before it are refused; INT64_MIN: none */
    int64_t newest_ns;      /* entries after it are refused */
    bool discover_service_name;
    bool discover_levels;
    const struct slg_masks *masks; /* NULL: none */
};
/* Loki's defaults and our ceilings; tenant empty, no time limits. */
void slg_push_options_init(struct slg_push_options *options);

/* Line and metadata live during the call; the stream as long as the arena. */
struct slg_push_entry {
    const struct slg_stream_ref
        *stream; /* the same pointer for the entries of one stream, one after the other */
    const struct slg_label *metadata;
    size_t metadata_count;
    int64_t ts_ns;
    struct slg_text line;
};

/* Takes one entry; anything but OK stops the decoding, which returns it. */
typedef enum slg_status slg_push_take_fn(void *ctx, const struct slg_push_entry *entry);

struct slg_push_result {
    uint64_t stream_count; /* in the body; 0: answer 422 */
    uint64_t entry_count;  /* handed out */
    uint64_t line_bytes;
    uint64_t rejected[SLG_PUSH_REASON_COUNT]; /* entries */
    uint64_t rejected_count;                  /* their sum; 0 = answer 204 */
    char message[SLG_PUSH_MESSAGE_MAX];       /* for the 400, in Loki's words; empty when none */
};

/* body is changed in place (JSON escapes are undone there) and must live as long as the entries. arena holds the rest;
 * its budget bounds the work.
 * OK, also when entries were rejected: see *ret_result. MALFORMED: 400 with reterr; LIMIT: 413 or 400 with reterr;
 * else what `take` returned. *ret_result is written always. */
SLG_MUST_CHECK enum slg_status slg_push_decode(const struct slg_push_options *options,
                                               enum slg_push_format format, struct slg_arena *arena,
                                               uint8_t *body, size_t len, slg_push_take_fn *take,
                                               void *ctx, struct slg_push_result *ret_result,
                                               struct slg_error *reterr);

#endif
