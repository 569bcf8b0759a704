/* ctl/url.h - the URL of a request, piece by piece: address and path, encoded segments, parameters.
 *
 * Pieces are appended to a buffer; when it is full, slg_buf_failed says so at the end. Pure. */
#ifndef SLG_CTL_URL_H
#define SLG_CTL_URL_H

#include <stdint.h>

#include "base/buf.h"

/* Begin anew with addr ("http://host:port") and path, both as they are. */
void slg_url_start(struct slg_buf *url, const char *addr, const char *path);
/* Append text percent-encoded (RFC 3986: all but unreserved characters): a segment of the path. */
void slg_url_segment(struct slg_buf *url, const char *text);
/* Append name=value, the value encoded, with '?' or '&' before it as url needs. */
void slg_url_param(struct slg_buf *url, const char *name, const char *value);
void slg_url_number(struct slg_buf *url, const char *name, int64_t value);

#endif
