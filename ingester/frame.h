/* ingester/frame.h - cutting a TCP byte stream into syslog messages (RFC 6587), the framing found per frame.
 *
 * First byte 1-9, up to 7 digits and a space: octet counting. Anything else: up to LF or NUL, a CR before it dropped.
 * A message over bytes_max is delivered once, cut, with `truncated`; the rest of it is skipped.
 * Owner:   a frame borrows from the caller's buffer. Threads: one splitter per connection. */
#ifndef SLG_INGESTER_FRAME_H
#define SLG_INGESTER_FRAME_H

#include "base/status.h"
#include "proto/label.h"

#define SLG_FRAME_DIGITS_MAX 7

struct slg_frame_splitter {
    size_t bytes_max;    /* of one message; at least 480 */
    uint64_t skip_count; /* octets of a cut counted frame still to skip */
    bool skip_line;      /* skipping the rest of a cut line */
};

struct slg_frame {
    struct slg_text message; /* len 0: an empty frame, to be counted and not stored */
    bool truncated;
};

void slg_frame_init(struct slg_frame_splitter *splitter, size_t bytes_max);

/* Look at bytes[0..len), the unread input. at_end: the peer sent its last byte, so what is left is a frame too.
 * OK: *ret_frame, and *ret_used bytes are done with. AGAIN: more input is needed, after dropping *ret_used bytes
 * (0 unless something was skipped). A buffer of bytes_max + SLG_FRAME_DIGITS_MAX + 2 always makes progress. */
SLG_MUST_CHECK enum slg_status slg_frame_next(struct slg_frame_splitter *splitter,
                                              const uint8_t *bytes, size_t len, bool at_end,
                                              struct slg_frame *ret_frame, size_t *ret_used);

#endif
