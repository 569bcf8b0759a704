/* proto/http_listen.h - what the HTTP server needs before its first byte: a socket that listens, and the files of TLS.
 *
 * Refuses (INVALID): what is no HOST:PORT, files that are empty or cannot be read; (LIMIT): files over
 *          SLG_HTTP_FILE_BYTES_MAX, which would be cut to something else.
 * Owner:   the caller, of socket and text. Threads: no shared state. */
#ifndef SLG_PROTO_HTTP_LISTEN_H
#define SLG_PROTO_HTTP_LISTEN_H

#include "base/status.h"

#define SLG_HTTP_ADDRESS_BYTES  72
#define SLG_HTTP_FILE_BYTES_MAX ((size_t)1 << 20) /* a certificate with its chain has some KB */

/* listen: "127.0.0.1:3100", "[::1]:3100", ":3100", with a name for HOST, or port 0 for a free one. ret_address: as it is
 * bound. UNAVAILABLE: the address is in use or not ours. */
SLG_MUST_CHECK enum slg_status slg_http_listen_open(const char *listen, int *ret_fd,
                                                    char ret_address[SLG_HTTP_ADDRESS_BYTES],
                                                    struct slg_error *reterr);

/* The whole file as a text, free() it. */
SLG_MUST_CHECK enum slg_status slg_http_listen_read_file(const char *path, char **ret_text,
                                                         struct slg_error *reterr);

#endif
