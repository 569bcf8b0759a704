/* ctl/fetch.h - one HTTP request, waiting for its answer: libcurl behind a small interface (only file: fetch.c).
 *
 * Follows no redirects, speaks http and https only. Proxies are those of the environment (http_proxy, no_proxy), as for
 * curl; to loopback none is used. Messages do not show what stands before an '@' in a URL: it may be a password.
 * Threads: one. */
#ifndef SLG_CTL_FETCH_H
#define SLG_CTL_FETCH_H

#include "base/buf.h"
#include "base/status.h"

#define SLG_FETCH_BYTES_MAX ((size_t)256 << 20)

struct slg_fetch_request {
    const char *url;
    const void *body; /* NULL: GET */
    size_t body_len;
    const char *content_type;
    long timeout_ms;
};

struct slg_fetch; /* a connection that is kept between requests */

/* token: of every request whose URL has no userinfo ("user:password@"); borrowed; NULL: none. */
SLG_MUST_CHECK struct slg_fetch *slg_fetch_create(const char *token);
void slg_fetch_destroy(struct slg_fetch *fetch); /* NULL is fine */

/* OK: *ret_code is the HTTP code, whatever it is, and out (cleared first) the body. UNAVAILABLE: no connection;
 * TIMEOUT; LIMIT: body over out->bytes_max. */
SLG_MUST_CHECK enum slg_status slg_fetch_run(struct slg_fetch *fetch,
                                             const struct slg_fetch_request *request,
                                             struct slg_buf *out, long *ret_code,
                                             struct slg_error *reterr);
/* GET that must answer 2xx: other codes become an error with the body's first line. */
SLG_MUST_CHECK enum slg_status slg_fetch_get(struct slg_fetch *fetch, const char *url,
                                             struct slg_buf *out, struct slg_error *reterr);

/* ---- a connection for another protocol: WebSocket ---- */

/* What was given to create. */
const char *slg_fetch_token(const struct slg_fetch *fetch);
/* Open a connection, with TLS for https, and nothing more. */
SLG_MUST_CHECK enum slg_status slg_fetch_connect(struct slg_fetch *fetch, const char *url,
                                                 struct slg_error *reterr);
/* All of it. UNAVAILABLE: the connection is lost; TIMEOUT: the peer takes nothing for 30 s. */
SLG_MUST_CHECK enum slg_status slg_fetch_send(struct slg_fetch *fetch, const void *bytes,
                                              size_t len, struct slg_error *reterr);
/* 1 byte or more. TIMEOUT: none came. UNAVAILABLE: the peer has closed. */
SLG_MUST_CHECK enum slg_status slg_fetch_receive(struct slg_fetch *fetch, void *bytes,
                                                 size_t bytes_max, int timeout_ms, size_t *ret_len,
                                                 struct slg_error *reterr);

#endif
