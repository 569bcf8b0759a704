/* proto/http_access.h - who may use an HTTP server: networks and tokens. Pure.
 *
 * Refuses (LIMIT): more than SLG_HTTP_ALLOW_COUNT_MAX networks; (INVALID) what is no network.
 * Owner:   the tokens are borrowed. Threads: immutable after init. */
#ifndef SLG_PROTO_HTTP_ACCESS_H
#define SLG_PROTO_HTTP_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/status.h"

#define SLG_HTTP_ALLOW_COUNT_MAX ((size_t)256)

struct slg_http_access {
    struct slg_cidr allow[SLG_HTTP_ALLOW_COUNT_MAX];
    size_t allow_count; /* 0: any */
    const char *const *tokens;
    size_t token_count;
};

/* INVALID: a network that is none; LIMIT: too many networks. */
SLG_MUST_CHECK enum slg_status slg_http_access_init(struct slg_http_access *access,
                                                    const char *const *allow, size_t allow_count,
                                                    const char *const *tokens, size_t token_count,
                                                    struct slg_error *reterr);
bool slg_http_access_allows(const struct slg_http_access *access, const struct sockaddr *peer);
/* Takes the same time for any token of this length. */
bool slg_http_access_knows(const struct slg_http_access *access, const char *token, size_t len);

#endif
