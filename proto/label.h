/* proto/label.h - labels, label sets and the identity of a stream (DESIGN section 3).
 *
 * A label set is sorted by name (bytes), each name once, no empty value: an empty value is the absence of the label.
 * Canonical bytes (docs/FORMATS.md section 1): varint count, then per label varint name length, name, varint
 * value length, value. stream_id = first 128 bits of SHA-256 over varint tenant length, tenant, canonical bytes.
 * Owner:   slg_label borrows name and value. Threads: pure.
 * Refuses: more than SLG_LABEL_COUNT_MAX labels, names or values over their limits, unsorted or repeated names. */
#ifndef SLG_PROTO_LABEL_H
#define SLG_PROTO_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* Bytes that somebody else owns. The same shape is used for label texts, lines and query texts. */
struct slg_text {
    const char *at; /* not NUL-terminated; may be NULL when len is 0 */
    size_t len;
};

struct slg_label {
    struct slg_text name;
    struct slg_text value;
};

struct slg_label_set {
    const struct slg_label *items; /* sorted by name */
    size_t count;
};

struct slg_stream_id {
    uint8_t bytes[16];
};

static inline struct slg_text slg_text_make(const void *at, size_t len)
{
    return (struct slg_text){ .at = at, .len = len };
}
/* From a NUL-terminated text. */
struct slg_text slg_text_of(const char *text);
/* memcmp order, shorter first among equal prefixes; <0, 0, >0. */
int slg_text_compare(struct slg_text a, struct slg_text b);
bool slg_text_equal(struct slg_text a, struct slg_text b);
bool slg_text_equal_to(struct slg_text a, const char *text);

/* By name, in place; equal names keep their order. For few labels: the work grows with the square of their count. */
void slg_label_sort(struct slg_label *items, size_t count);

/* Sort items by name in place; *ret_count items remain after dropping empty values and, of equal names, all but the
 * last given. INVALID names the label that breaks a limit (reterr). */
SLG_MUST_CHECK enum slg_status slg_label_normalize(struct slg_label *items, size_t count,
                                                   size_t *ret_count, struct slg_error *reterr);

/* [a-zA-Z_:][a-zA-Z0-9_:]* as Prometheus and Loki take stream label names. */
bool slg_label_name_valid(struct slg_text name);

/* Value of `name`, or false. */
bool slg_label_get(const struct slg_label_set *set, struct slg_text name,
                   struct slg_text *ret_value);

/* Append the canonical bytes of a normalized set. */
void slg_label_encode(struct slg_buf *out, const struct slg_label_set *set);

/* Decode canonical bytes into an arena; texts borrow from bytes. MALFORMED: not canonical; LIMIT: arena budget. */
SLG_MUST_CHECK enum slg_status slg_label_decode(struct slg_arena *arena, const uint8_t *bytes,
                                                size_t len, struct slg_label_set *ret_set);

/* Parse `{a="b", c="d"}` as Loki writes stream labels in push bodies: Go-quoted values, `...` raw values, spaces and
 * a trailing comma allowed. MALFORMED with a position. Result is normalized, allocated in arena. */
SLG_MUST_CHECK enum slg_status slg_label_parse(struct slg_arena *arena, struct slg_text text,
                                               struct slg_label_set *ret_set,
                                               struct slg_error *reterr);

/* The same, but the pairs as they are given: not sorted, with those that are empty or come twice. */
SLG_MUST_CHECK enum slg_status slg_label_parse_pairs(struct slg_arena *arena, struct slg_text text,
                                                     struct slg_label **ret_items,
                                                     size_t *ret_count, struct slg_error *reterr);

/* Print as `{a="b", c="d"}` with Go quoting; what logs and error texts show. */
void slg_label_print(struct slg_buf *out, const struct slg_label_set *set);

/* {"a":"b"} */
void slg_label_print_json(struct slg_buf *out, const struct slg_label_set *set);

/* Are these the canonical bytes of a label set? The checks of slg_label_decode without its memory. */
bool slg_label_canonical_valid(const uint8_t *bytes, size_t len);

/* Identity of the stream whose canonical bytes these are. */
struct slg_stream_id slg_stream_id_of(struct slg_text tenant, const uint8_t *canonical, size_t len);
bool slg_stream_id_equal(const struct slg_stream_id *a, const struct slg_stream_id *b);
/* slot = stream_id mod slot_count, taking the id as a big-endian number; slot_count 1 to 65535. */
uint16_t slg_stream_slot(const struct slg_stream_id *id, uint16_t slot_count);

#endif
