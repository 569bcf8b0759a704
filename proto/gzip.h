/* proto/gzip.h - gzip and deflate of HTTP bodies: zlib behind a small interface (only file: gzip.c).
 *
 * RFC 1952 (gzip), RFC 1950 (what HTTP calls deflate), RFC 1951 (what Go's clients, and Loki, take it for).
 * Owner: a stream belongs to its creator. Threads: one per stream. */
#ifndef SLG_PROTO_GZIP_H
#define SLG_PROTO_GZIP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

/* Unpack a whole gzip (all its members), zlib or raw deflate body, appended to out. LIMIT: all of it is larger than
 * out->bytes_max allows; MALFORMED: not that format, cut short, or bytes behind its end that are no further member. */
SLG_MUST_CHECK enum slg_status slg_gzip_unpack(const void *bytes, size_t len, struct slg_buf *out);

struct slg_gzip; /* packing in pieces */

SLG_MUST_CHECK struct slg_gzip *slg_gzip_create(void);
void slg_gzip_destroy(struct slg_gzip *gzip); /* NULL is fine */
/* Pack bytes, appending what comes out to out. last: end the stream. IO: zlib failed. */
SLG_MUST_CHECK enum slg_status slg_gzip_pack(struct slg_gzip *gzip, const void *bytes, size_t len,
                                             bool last, struct slg_buf *out);

#endif
