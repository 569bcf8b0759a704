/* proto/transport.h - requests and replies between processes: NNG REQ/REP contexts behind a small interface.
 *
 * transport.c is the only file that includes NNG (1.5.2 and 1.10+). URLs: "tcp://HOST:PORT", "tls+tcp://HOST:PORT",
 * "inproc://NAME". Library resend is off: a request fails once, retries are the caller's. Every socket refuses
 * messages over SLG_MESSAGE_BYTES_MAX. Do not fork after the first call (NNG is not fork safe).
 *
 * Threads: callbacks run on the library's threads and may only enqueue and return: no disk, no lock that is held
 *          across I/O, no wait. All functions may be called from any thread.
 * Owner:   a request's bytes are copied at the call; a reply's bytes are borrowed for the time of the callback. */
#ifndef SLG_PROTO_TRANSPORT_H
#define SLG_PROTO_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

struct slg_transport_tls {
    const char *cert_file; /* PEM; NULL = no TLS */
    const char *key_file;
    const char *ca_file;     /* peers must present a certificate that this CA signed */
    const char *server_name; /* dialer only: the DNS name that must be in the peer's certificate */
};

/* ---- serving ---- */

struct slg_transport_server;
struct slg_transport_call; /* one request that waits for its reply */

/* Empty requests are the signs of life that clients ask for; the server answers them itself.
 * Runs on a library thread: enqueue the call and return. request is borrowed until slg_transport_call_reply. */
typedef void slg_transport_handler(void *ctx, struct slg_transport_call *call,
                                   const uint8_t *request, size_t request_len);

struct slg_transport_server_options {
    const char *url;
    struct slg_transport_tls tls;
    size_t
        call_count_max; /* requests in hand at once (contexts), 1 to 1024; more wait in the peer's socket */
    slg_transport_handler *handler;
    void *handler_ctx;
};
/* Listen. On port 0 a free one is chosen: see slg_transport_server_url.
 * UNAVAILABLE: the address is in use; INVALID: bad URL or certificate. */
SLG_MUST_CHECK enum slg_status
slg_transport_server_start(const struct slg_transport_server_options *options,
                           struct slg_transport_server **ret_server, struct slg_error *reterr);
/* The URL with its real port; lives as long as the server. */
const char *slg_transport_server_url(const struct slg_transport_server *server);
/* Stopping while messages arrive may take 1 s: NNG 1.5.2 can lose a receive then, and its close waits for ever. Stop
 * sockets when the process ends, not as a matter of routine.
 * No new calls after it returns. Calls in hand may still be replied to (the reply is dropped) and must be, before
 * destroy. NULL is fine for both. */
void slg_transport_server_stop(struct slg_transport_server *server);
void slg_transport_server_destroy(struct slg_transport_server *server);

/* Send the reply (copied) and free the call. Exactly once per call, from any thread. A reply over
 * SLG_MESSAGE_BYTES_MAX is sent as an empty one, which no parser takes. */
void slg_transport_call_reply(struct slg_transport_call *call, const void *reply, size_t reply_len);

/* ---- asking ---- */

struct slg_transport_client; /* one peer */

/* A connection on which requests are out and nothing comes back for so long is asked for a sign of life, and closed when
 * none comes in SLG_TRANSPORT_SIGN_MS and the peer's kernel does not acknowledge either: its requests fail, and it is
 * dialed again. A peer whose host died, or to whom the
 * way is cut, sends no word of it, and TCP alone would wait for minutes, also after the way is there again. Attempts to connect are begun anew when three more SYNs had no answer (proto/cut.h). */
#define SLG_TRANSPORT_SILENCE_MS 2000
#define SLG_TRANSPORT_SIGN_MS    5000 /* the largest message over 10 Mbit/s passes before the sign */

struct slg_transport_client_options {
    const char *url;
    struct slg_transport_tls tls;
    size_t in_flight_max;        /* contexts, 1 to 256; a request beyond it gets SLG_AGAIN */
    int32_t silence_ms, sign_ms; /* 0: the constants above; tests are in a hurry */
};
/* Dial in the background; succeeds though the peer is away (it is tried again within 0.5 s). */
SLG_MUST_CHECK enum slg_status
slg_transport_client_start(const struct slg_transport_client_options *options,
                           struct slg_transport_client **ret_client, struct slg_error *reterr);
/* Cancels what is in flight (callbacks run with CANCELED) and waits for them. NULL is fine. */
void slg_transport_client_stop(struct slg_transport_client *client);

/* Is there a connection now? For status displays; a request may still fail. */
bool slg_transport_client_connected(const struct slg_transport_client *client);
/* Connections are numbered from 1, in the order in which they are made. The last one made, which may be lost; 0: none. */
uint64_t slg_transport_client_connection(const struct slg_transport_client *client);
/* The one that a request goes by that is sent now: the one there is, or the next. If the last one made still is that
 * when its reply has come, the reply came by it. */
uint64_t slg_transport_client_next_connection(const struct slg_transport_client *client);
/* When the last reply came, of the system's monotonic clock; 0: none yet. Also of requests that nobody waits for. */
int64_t slg_transport_client_heard_mono_ns(const struct slg_transport_client *client);

/* status: OK with reply; TIMEOUT; UNAVAILABLE (no connection, or it closed: the peer may have acted); CANCELED.
 * Runs on a library thread. */
typedef void slg_transport_done(void *ctx, enum slg_status status, const uint8_t *reply,
                                size_t reply_len);
/* AGAIN: in_flight_max reached; LIMIT: over SLG_MESSAGE_BYTES_MAX; NO_MEMORY; CANCELED: the client
 * is being stopped. done will not be called for any of these.
 * OK: done will be called exactly once. Without a connection the request fails as UNAVAILABLE 1 s after the client's
 * start or the loss of the connection, at once when that was longer ago; one that stood in line at the loss may notice later,
 * by as much as it had waited (proto/silence.h). done may ask the next question. */
SLG_MUST_CHECK enum slg_status slg_transport_request(struct slg_transport_client *client,
                                                     const void *request, size_t request_len,
                                                     int32_t timeout_ms, slg_transport_done *done,
                                                     void *done_ctx);
/* The same, waiting; the reply is appended to *reply_out (its bytes_max applies: LIMIT). Not from a callback. */
SLG_MUST_CHECK enum slg_status slg_transport_ask(struct slg_transport_client *client,
                                                 const void *request, size_t request_len,
                                                 int32_t timeout_ms, struct slg_buf *reply_out);

#endif
