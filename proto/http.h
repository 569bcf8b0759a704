/* proto/http.h - the HTTP/1.1 server of every daemon: libmicrohttpd behind a small interface.
 *
 * http.c is the only file that includes libmicrohttpd; http_access (networks, tokens), http_route, http_listen (socket, TLS
 * files), http_stream (pulled answers), http_socket (upgraded connections) and http_guard (time for a head) know nothing of it. One thread per connection up to a limit; a handler runs on
 * that thread, may block, and answers exactly once. GET and POST forms are read alike: slg_http_param looks into
 * the query string and, for application/x-www-form-urlencoded, the body.
 *
 * Refuses: bodies over body_bytes_max (413), request lines and headers over about 150 KiB (431, 414), more than connection_count_max
 *          connections, or 3/4 of them from one address, so that nobody takes them all (closed at once), a path without a route (404 "404 page not found"), a method that the
 *          route does not take (405), a client outside `allow` (403), a missing or wrong token (401). All texts are
 *          text/plain with X-Content-Type-Options: nosniff.
 *          A body that would make all bodies on this server larger than SLG_HTTP_BODIES_AT_ONCE of the largest is answered
 *          503 with Retry-After: bodies in arrival count as far as they have come, unpacked ones and forms as what they hold.
 * gzip: answers are compressed when asked for (Accept-Encoding) and over 1 KiB; Vary is set. Request bodies with
 *          Content-Encoding gzip or deflate are given to the handler unpacked, at most body_bytes_max.
 * Threads: start/stop by one; request functions only on the handler's thread until it returns. */
#ifndef SLG_PROTO_HTTP_H
#define SLG_PROTO_HTTP_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"
#include "proto/label.h"

struct slg_http_server;
struct slg_metric_registry; /* base/metric.h */
struct slg_http_request;

typedef void slg_http_handler(void *ctx, struct slg_http_request *request);

/* A head of 150 KiB takes 20 s over 60 kbit/s; who needs longer sends it byte by byte to hold the connection. */
#define SLG_HTTP_HEAD_MS_DEFAULT   30000
/* Four answers of 64 MiB at once over 1 Mbit/s, with two minutes beforehand, keep it. */
#define SLG_HTTP_SEND_RATE_DEFAULT 32768

/* As many bodies of the largest size may be in memory. */
#define SLG_HTTP_BODIES_AT_ONCE ((size_t)8)

#define SLG_HTTP_GET    1U
#define SLG_HTTP_POST   2U
#define SLG_HTTP_PUT    4U
#define SLG_HTTP_DELETE 8U

struct slg_http_route {
    const char *
        path; /* exact ("/ready"), or a pattern with one {name} segment: "/loki/api/v1/label/{name}/values" */
    unsigned methods; /* SLG_HTTP_ bits; HEAD is taken where GET is */
    slg_http_handler *handler;
    bool open; /* no token asked (for /ready) */
};

struct slg_http_server_options {
    const char *listen;                  /* "127.0.0.1:3100", "[::1]:3100"; port 0 = a free one */
    const struct slg_http_route *routes; /* borrowed */
    size_t route_count;
    void *handler_ctx;
    size_t connection_count_max; /* 1 to 4096 */
    size_t body_bytes_max;
    int32_t
        idle_timeout_ms; /* silence while an answer is made or sent; at most 10 s of it while a request comes, 30 s between two */
    /* From the connection (TLS included), or 30 s after an answer, until a request's head is whole; 0: the default. */
    int32_t head_timeout_ms;
    /* An answer that is still being sent after idle_timeout_ms must have left at this rate; 0: the default. */
    int32_t send_bytes_per_second_min;
    const char *const *allow; /* CIDRs that may connect; NULL = any */
    size_t allow_count;
    const char *const *
        tokens; /* bearer tokens (or basic auth passwords), compared in constant time; NULL = none */
    size_t token_count;
    const char *tls_cert_file; /* PEM; NULL = plain */
    const char *tls_key_file;
};
SLG_MUST_CHECK enum slg_status slg_http_server_start(const struct slg_http_server_options *options,
                                                     struct slg_http_server **ret_server,
                                                     struct slg_error *reterr);
/* "127.0.0.1:41231": host and real port; lives as long as the server. */
const char *slg_http_server_address(const struct slg_http_server *server);
/* What the bodies of all requests hold now; for status and tests. */
size_t slg_http_server_body_bytes(const struct slg_http_server *server);
/* Stops accepting, waits for handlers (streams are aborted) and for upgraded connections. NULL is fine. */
void slg_http_server_stop(struct slg_http_server *server);

/* ---- the request; texts live until the answer is sent ---- */
const char *slg_http_method(const struct slg_http_request *request);
const char *slg_http_path(const struct slg_http_request *request); /* percent-decoded */
/* The {name} segment of the route, percent-decoded, or an empty text. */
struct slg_text slg_http_path_segment(const struct slg_http_request *request);
/* First value of the parameter, percent-decoded, NUL-terminated too; false when absent. */
bool slg_http_param(const struct slg_http_request *request, const char *name,
                    struct slg_text *ret_value);
/* The n-th (from 0) value of a repeated parameter such as match[]. */
bool slg_http_param_at(const struct slg_http_request *request, const char *name, size_t n,
                       struct slg_text *ret_value);
/* Header value or NULL; case-insensitive name. */
const char *slg_http_header(const struct slg_http_request *request, const char *name);
/* Unpacked body, borrowed. */
struct slg_text slg_http_body(const struct slg_http_request *request);
/* Peer address as text without port: "203.0.113.9", "2001:db8::1". */
const char *slg_http_peer(const struct slg_http_request *request);
/* Has the client closed the connection? Cheap (poll with no wait): ask it between slices of work. */
bool slg_http_client_gone(const struct slg_http_request *request);

/* ---- the answer: exactly one of these per request ---- */
void slg_http_answer_header(struct slg_http_request *request, const char *name,
                            const char *value); /* before answering; at most 8 */
void slg_http_answer(struct slg_http_request *request, unsigned code, const char *content_type,
                     const void *body, size_t len);
/* text/plain; charset=utf-8 with nosniff, one line */
void slg_http_answer_text(struct slg_http_request *request, unsigned code, const char *text);
/* All metrics of the process, as Prometheus reads them; 500 when they are over 4 MiB. */
void slg_http_answer_metrics(struct slg_http_request *request,
                             struct slg_metric_registry *registry);

/* A pulled answer. `pull` appends up to about 64 KiB to out per call, on the connection's thread, after the handler
 * has returned. Returns OK (more to come) or NOT_FOUND (what was appended is the last); any other status
 * aborts the connection, so that the client sees an incomplete answer and not a short one. `release` is called once
 * at the end, whatever happened, also when the client went away. */
typedef enum slg_status slg_http_pull(void *ctx, struct slg_buf *out);
typedef void slg_http_release(void *ctx);
void slg_http_answer_stream(struct slg_http_request *request, unsigned code,
                            const char *content_type, slg_http_pull *pull,
                            slg_http_release *release, void *ctx);

/* ---- another protocol on the same connection (101 Switching Protocols) ---- */

struct slg_http_socket; /* the connection behind the 101; TLS is taken off */

/* Runs on a thread of its own until it returns; the connection is closed then. Owns ctx from its first line. */
typedef void slg_http_upgraded(void *ctx, struct slg_http_socket *socket);
/* Answer 101 with `Upgrade: protocol`, Connection and the headers added before; then run. When the connection is lost
 * before, or the server is stopping, release(ctx) is called instead of run. The request dies when the handler
 * returns: ctx must hold copies. */
void slg_http_answer_upgrade(struct slg_http_request *request, const char *protocol,
                             slg_http_upgraded *run, slg_http_release *release, void *ctx);
/* For poll: readable means slg_http_socket_read has something to tell. Bytes that came with the request are not seen by
 * poll: read once before the first poll. */
int slg_http_socket_fd(const struct slg_http_socket *socket);
/* Never waits. OK: *ret_len >= 1 bytes; AGAIN: none now; UNAVAILABLE: the peer has closed or is gone. */
SLG_MUST_CHECK enum slg_status slg_http_socket_read(struct slg_http_socket *socket, void *bytes,
                                                    size_t bytes_max, size_t *ret_len);
/* Never waits. OK: *ret_len >= 1 bytes were taken; AGAIN: no room now; UNAVAILABLE: as above. */
SLG_MUST_CHECK enum slg_status slg_http_socket_write(struct slg_http_socket *socket,
                                                     const void *bytes, size_t len,
                                                     size_t *ret_len);
/* The server is being stopped: say good bye and return soon. */
bool slg_http_socket_stopping(const struct slg_http_socket *socket);

#endif
