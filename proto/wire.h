/* proto/wire.h - msgpack for envelopes and messages: writing through msgpack-c, reading with a bounded cursor.
 *
 * Reading is ours because msgpack-c's unpacker allocates what a length field asks for before the bytes are there;
 * here nothing is allocated, every length is checked against what is left (docs/adr/0003).
 * A take function returns false and sets r->failed when the next value is not of that type, is over its maximum or
 * is cut short; later reads then fail too, so a parser reads a whole message and checks once. slg_wire_skip has a
 * depth bound of 16.
 * Threads: pure. */
#ifndef SLG_PROTO_WIRE_H
#define SLG_PROTO_WIRE_H

#include "base/buf.h"
#include "base/cursor.h"
#include "proto/label.h"

void slg_wire_array(struct slg_buf *out, size_t count);
void slg_wire_uint(struct slg_buf *out, uint64_t value);
void slg_wire_int(struct slg_buf *out, int64_t value);
void slg_wire_bool(struct slg_buf *out, bool value);
void slg_wire_bin(struct slg_buf *out, const void *bytes, size_t len);
void slg_wire_text(struct slg_buf *out,
                   struct slg_text text); /* as msgpack bin: logs are not always UTF-8 */

struct slg_wire_reader {
    struct slg_cursor c;
    bool failed;
};
struct slg_wire_reader slg_wire_reader_make(const void *bytes, size_t len);
/* count <= count_max, and count <= bytes left (each item takes at least one). */
bool slg_wire_take_array(struct slg_wire_reader *r, size_t count_max, size_t *ret_count);
/* An array of exactly count items. */
bool slg_wire_take_tuple(struct slg_wire_reader *r, size_t count);
bool slg_wire_take_uint(struct slg_wire_reader *r, uint64_t value_max, uint64_t *ret_value);
bool slg_wire_take_int(struct slg_wire_reader *r, int64_t *ret_value);
bool slg_wire_take_bool(struct slg_wire_reader *r, bool *ret_value);
/* bin or str, borrowed; len <= len_max. */
bool slg_wire_take_bin(struct slg_wire_reader *r, size_t len_max, const uint8_t **ret_bytes,
                       size_t *ret_len);
bool slg_wire_take_text(struct slg_wire_reader *r, size_t len_max, struct slg_text *ret_text);
bool slg_wire_skip(struct slg_wire_reader *r);
/* Nothing failed and nothing is left. */
bool slg_wire_done(const struct slg_wire_reader *r);

#endif
