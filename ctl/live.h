/* ctl/live.h - `silagectl tail` over WebSocket: /loki/api/v1/tail as a client.
 *
 * The two pure halves of the handshake stand here for their test; slg_live_tail does the rest.
 * Threads: one. */
#ifndef SLG_CTL_LIVE_H
#define SLG_CTL_LIVE_H

#include "ctl/ctl.h"
#include "ctl/fetch.h"

/* The request for url ("http://user:password@host:port/path?query"), with the token if url has no userinfo; token may
 * be NULL. INVALID: url is none. */
SLG_MUST_CHECK enum slg_status slg_live_request(struct slg_buf *out, const char *url,
                                                const char *token, const char *key,
                                                struct slg_error *reterr);

/* What the server answered. OK: the connection is a WebSocket, *ret_len bytes are the answer's. AGAIN: more is needed.
 * UNSUPPORTED: it knows no tail over WebSocket, or something between does not pass it: poll instead.
 * INVALID: it refused this one; the text says why. MALFORMED: this is no answer. */
SLG_MUST_CHECK enum slg_status slg_live_answer(const uint8_t *bytes, size_t len, const char *key,
                                               size_t *ret_len, struct slg_error *reterr);

/* Show lines until the server ends it. OK never: CANCELED is a clean end (its reason in reterr); UNSUPPORTED: as above,
 * and nothing was shown. */
SLG_MUST_CHECK enum slg_status slg_live_tail(const struct slg_ctl *ctl, struct slg_fetch *fetch,
                                             const char *url, struct slg_error *reterr);

#endif
