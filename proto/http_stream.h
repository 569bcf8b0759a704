/* proto/http_stream.h - a pulled answer (proto/http.h), packed on its way when the client wants that.
 *
 * Owner: ctx is released once, with the stream. Threads: one, the connection's. */
#ifndef SLG_PROTO_HTTP_STREAM_H
#define SLG_PROTO_HTTP_STREAM_H

#include "proto/http.h"

#define SLG_HTTP_PIECE_BYTES ((size_t)64 * 1024)

struct slg_http_stream;

/* NULL: no memory; ctx stays the caller's. */
SLG_MUST_CHECK struct slg_http_stream *
slg_http_stream_create(slg_http_pull *pull, slg_http_release *release, void *ctx, bool gzip);
void slg_http_stream_destroy(struct slg_http_stream *stream); /* releases ctx */
bool slg_http_stream_packs(const struct slg_http_stream *stream);
/* Up to out_max bytes. OK: *ret_len of them. AGAIN: none yet, a piece was pulled: look whether the client is there, and
 * ask again. NOT_FOUND: that was all. Else: broken. */
SLG_MUST_CHECK enum slg_status slg_http_stream_read(struct slg_http_stream *stream, char *out,
                                                    size_t out_max, size_t *ret_len);

#endif
