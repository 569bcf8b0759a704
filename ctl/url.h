/* ctl/url.h - the URL of a request, piece by piece: address and path, encoded segments, parameters; and its parts.
 *
 * Pieces are appended to a buffer; when it is full, slg_buf_failed says so at the end. Pure. */
#ifndef SLG_CTL_URL_H
#define SLG_CTL_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Begin anew with addr ("http://host:port") and path, both as they are. */
void slg_url_start(struct slg_buf *url, const char *addr, const char *path);
/* Append text percent-encoded (RFC 3986: all but unreserved characters): a segment of the path. */
void slg_url_segment(struct slg_buf *url, const char *text);
/* Append name=value, the value encoded, with '?' or '&' before it as url needs. */
void slg_url_param(struct slg_buf *url, const char *name, const char *value);
void slg_url_number(struct slg_buf *url, const char *name, int64_t value);

/* "http://USERINFO@HOST:PORT/PATH?QUERY": borrowed from url. */
struct slg_url_parts {
    const char *userinfo; /* percent-encoded; NULL: there is none */
    size_t userinfo_len;
    const char *host; /* with its port */
    size_t host_len;
    const char *path; /* to the end of url, begins with '/', '?' or '#', or is empty */
};
/* False: it has no "://", or no host. */
bool slg_url_split(const char *url, struct slg_url_parts *ret_parts);
/* Is the host "localhost", 127.0.0.0/8 or "[::1]"? */
bool slg_url_is_loopback(const char *url);
/* Append the value of an Authorization header: Basic for the userinfo of url (RFC 7617), else Bearer for token (RFC
 * 6750), else nothing. token may be NULL. */
void slg_url_authorization(struct slg_buf *out, const char *url, const char *token);

#endif
