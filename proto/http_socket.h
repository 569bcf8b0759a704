/* proto/http_socket.h - connections that have left HTTP for another protocol, each on a thread of its own.
 *
 * What such a thread may do with its connection is in proto/http.h (slg_http_socket_); this is the server's side: a promise
 * to upgrade is counted, so that stop waits for it, and ended threads are joined.
 * Owner:   a socket belongs to the connection's thread until it is started or dropped, then to its own thread.
 * Threads: create, start, drop, join by any; stop and destroy by one. */
#ifndef SLG_PROTO_HTTP_SOCKET_H
#define SLG_PROTO_HTTP_SOCKET_H

#include "proto/http.h"

struct slg_http_sockets; /* of one server */

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_http_sockets_create(size_t count_max,
                                                       struct slg_http_sockets **ret_sockets);
void slg_http_sockets_destroy(struct slg_http_sockets *sockets); /* stopped, or NULL */
/* From now on none are made; the threads see it (slg_http_socket_stopping); waits for the last one. */
void slg_http_sockets_stop(struct slg_http_sockets *sockets);
bool slg_http_sockets_stopping(const struct slg_http_sockets *sockets);
/* Join the threads that have ended; never waits. */
void slg_http_sockets_join(struct slg_http_sockets *sockets);

/* The promise. NULL: no memory, or stopping; ctx stays the caller's. */
SLG_MUST_CHECK struct slg_http_socket *slg_http_socket_create(struct slg_http_sockets *sockets,
                                                              slg_http_upgraded *run,
                                                              slg_http_release *release, void *ctx);
/* It will not be kept: release(ctx). */
void slg_http_socket_drop(struct slg_http_socket *socket);
/* Run on a thread; close(close_ctx) ends the connection then. extra[0..len) came behind the head of the request.
 * False: no memory or no thread; nothing was run or closed. */
SLG_MUST_CHECK bool slg_http_socket_start(struct slg_http_socket *socket, int fd, const void *extra,
                                          size_t len, void (*close)(void *ctx), void *close_ctx);

#endif
