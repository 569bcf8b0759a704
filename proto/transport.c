/* The only file that includes NNG. Written for 1.5.2 and 1.10+: socket_set and dialer/listener_set only, contexts
 * with aio, no nng_setopt family, no nng_ctx_sendmsg.
 *
 * What was learned about NNG (all true of 1.5.2; sources and our own tests):
 *  - REQ resends by itself after 60 s and on reconnect: NNG_OPT_REQ_RESENDTIME is set to never. A request whose
 *    connection closes then fails at once.
 *  - NNG_OPT_RECVMAXSZ is unlimited by default: set on every socket, dialer and listener.
 *  - After a successful send NNG owns the message; after a failed one it is still in the aio, ours.
 *  - Dialing in the background retries for ever; its default pause is 1 s. The pause is a random number modulo the
 *    bound, half of the time negative (no pause at all), and the bound doubles with each refusal: within microseconds
 *    of a start it is the greatest one. That must be short of what a first request waits (SLG_SILENCE_CONNECT_WAIT_MS).
 *  - An operation on a context while nng_close runs may use freed memory (nni_ctx_rele destroys outside the lock):
 *    every aio is stopped before, and none is begun after.
 *  - 1.5: what is begun on a stream with a stopped aio fails silently. A connection that is closed between two parts of
 *    a message is never reaped then, and the library's only reaping thread waits for ever: nothing is connected again in
 *    the whole process. A peer that leaves in the middle of a burst does that nearly every time. Mended below
 *    (nng_stream_recv); nng_close, which had the same fault, still runs on a thread of its own with a deadline.
 *  - An aio that has slept (nng_sleep_aio) takes a timeout of its next operation for success: it only sleeps.
 *  - nng_pipe_close and nng_dialer_close are not called: proto/cut.h ends a connection from below, the way that is walked
 *    every day.
 *  - An aio that is stopped may drop what is begun on it without a callback (1.5.2) or call back (1.10): both are met.
 *
 * Concurrency
 *   server->stopping, replying   atomic; stop sets the one and waits until the other is 0
 *   call                    handed over in turn: library callback -> handler -> the thread that replies -> library;
 *                           NNG's own locks order these
 *   client->slots[i]        the thread that took it (atomic `taken`), then the library's callback, which gives it back
 *   client->connection_count, made_count, gone_count, change_mono_ns, heard_mono_ns, word_mono_ns, asked_mono_ns, out_count, pipe_id, stopping: atomic
 *   client->watch           the library's callback of watch.pause or watch.aio, each of which begins the other */
#include "proto/transport.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>

#include "base/clock.h"
#include "proto/address.h"
#include "proto/cut.h"
#include "proto/in_time.h"
#include "proto/limits.h"
#include "proto/pem.h"
#include "proto/silence.h"

#define CALL_COUNT_MAX      1024
#define IN_FLIGHT_MAX       256
#define FRAME_BYTES         ((size_t)64) /* room for NNG's own request ids over our limit */
#define RECONNECT_MIN_MS    50
#define RECONNECT_MAX_MS    500
#define CLOSE_WAIT_MS       1000
#define REQUEST_TIMEOUT_MIN 1

static_assert(SLG_ADDRESS_BYTES_MAX <= NNG_MAXADDRLEN, "NNG takes every URL that is taken here");

/* ---- what NNG 1.5 forgets ---- */

typedef void stream_operation(nng_stream *, nng_aio *);

/* The library's own function of this name, which that of this program hides. */
static stream_operation *find_hidden(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    stream_operation *operation;

    SLG_ASSERT(symbol !=
               NULL); /* a library that is linked in statically would not have come so far */
    memcpy(&operation, &symbol, sizeof(operation)); /* POSIX: dlsym; ISO C has no cast for it */
    return operation;
}

/* Only the start of an operation on a stopped aio leaves NNG_ECANCELED: the callers hold the lock that any end of it has to
 * take first, and end it with NNG_ECLOSED. Later versions call back by themselves. */
static void end_forgotten(nng_aio *aio)
{
    if (nng_aio_result(aio) == NNG_ECANCELED && strncmp(nng_version(), "1.5.", 4) == 0)
        nng_aio_finish(aio, NNG_ECANCELED);
}

/* These two stand before the library's own, also for the library itself, as the dynamic linker looks into the program
 * first: its transports call them for each part of a message. See docs/adr/0016-cutting-dead-connections.md. */
void nng_stream_recv(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(stream_operation *) hidden; /* found once; whoever comes first finds the same */

    if (atomic_load(&hidden) == NULL)
        atomic_store(&hidden, find_hidden("nng_stream_recv"));
    atomic_load (&hidden)(stream, aio);
    end_forgotten(aio);
}

void nng_stream_send(nng_stream *stream, nng_aio *aio)
{
    static _Atomic(stream_operation *) hidden; /* as above */

    if (atomic_load(&hidden) == NULL)
        atomic_store(&hidden, find_hidden("nng_stream_send"));
    atomic_load (&hidden)(stream, aio);
    end_forgotten(aio);
}

/* ---- what both sides need ---- */

static enum slg_status check_url(const char *url, const struct slg_transport_tls *tls,
                                 struct slg_error *reterr)
{
    enum slg_address_files files = SLG_ADDRESS_FILES_NONE;

    if (tls->cert_file != NULL)
        files = tls->key_file != NULL && tls->ca_file != NULL ? SLG_ADDRESS_FILES_ALL
                                                              : SLG_ADDRESS_FILES_SOME;
    return slg_address_check(url, files, reterr);
}

/* nng_tls_config with certificate, key and CA; both sides must show a certificate. */
static enum slg_status make_tls(const struct slg_transport_tls *tls, nng_tls_mode mode,
                                nng_tls_config **ret_config, struct slg_error *reterr)
{
    nng_tls_config *config = NULL;
    char *cert = NULL, *key = NULL, *ca = NULL;
    enum slg_status status = slg_pem_read(tls->cert_file, &cert, reterr);
    const char *step = "TLS";
    int rc = 0;

    if (status == SLG_OK)
        status = slg_pem_read(tls->key_file, &key, reterr);
    if (status == SLG_OK)
        status = slg_pem_read(tls->ca_file, &ca, reterr);
    if (status == SLG_OK && (rc = nng_tls_config_alloc(&config, mode)) == 0) {
        step = tls->cert_file;
        rc = nng_tls_config_own_cert(config, cert, key, NULL);
        if (rc == 0) {
            step = tls->ca_file;
            rc = nng_tls_config_ca_chain(config, ca, NULL);
        }
        if (rc == 0)
            rc = nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED);
        if (rc == 0 && mode == NNG_TLS_MODE_CLIENT && tls->server_name != NULL)
            rc = nng_tls_config_server_name(config, tls->server_name);
    }
    if (key != NULL)
        explicit_bzero(key, strlen(key));
    free(cert);
    free(key);
    free(ca);
    if (status != SLG_OK)
        return status;
    if (rc != 0) {
        if (config != NULL)
            nng_tls_config_free(config);
        return slg_errorf(reterr, SLG_INVALID, "could not use \"%s\" for TLS: %s", step,
                          nng_strerror(rc));
    }
    *ret_config = config;
    return SLG_OK;
}

static enum slg_status fail_start(const char *verb, const char *url, int rc,
                                  struct slg_error *reterr)
{
    enum slg_status status = SLG_INVALID;

    if (rc == NNG_EADDRINUSE)
        status = SLG_UNAVAILABLE;
    else if (rc == NNG_ENOMEM || rc == NNG_ENOFILES)
        status = SLG_NO_MEMORY;
    return slg_errorf(reterr, status, "could not %s \"%s\": %s", verb, url, nng_strerror(rc));
}

/* An option that some transports do not know. */
static int unless_unknown(int rc)
{
    return rc == NNG_ENOTSUP ? 0 : rc;
}

static void run_close(uint32_t id)
{
    (void)nng_close((nng_socket){ .id = id }); /* fails only when it is closed already */
}

/* A socket that does not close in time is left to its thread: the process is about to end, and of ours nothing is
 * referenced by it any more. */
static void close_socket(nng_socket socket)
{
    (void)slg_in_time_run(run_close, socket.id, CLOSE_WAIT_MS);
}

/* A message of these bytes, or NULL. */
static nng_msg *make_message(const void *bytes, size_t len)
{
    nng_msg *message = NULL;

    if (nng_msg_alloc(&message, 0) != 0)
        return NULL;
    if (len > 0 && nng_msg_append(message, bytes, len) != 0) {
        nng_msg_free(message);
        return NULL;
    }
    return message;
}

/* ---- serving ---- */

enum call_state {
    CALL_RECEIVING, /* the library has it */
    CALL_HELD,      /* the handler, or whoever it handed it to */
    CALL_SENDING,   /* the library has it */
    CALL_ENDED,     /* after stop */
};

struct slg_transport_call {
    struct slg_transport_server *server;
    nng_ctx ctx;
    bool ctx_open;
    nng_aio *aio;
    nng_msg *request;
    enum call_state state;
};

struct slg_transport_server {
    struct slg_transport_server_options options;
    nng_socket socket;
    bool socket_open;
    nng_listener listener;
    atomic_bool stopping;
    atomic_int replying; /* threads between their look at `stopping` and the end of nng_ctx_send */
    char url[SLG_ADDRESS_BYTES_MAX + 8];
    size_t call_count;
    struct slg_transport_call calls[];
};

static void receive_next(struct slg_transport_call *call)
{
    if (atomic_load(&call->server->stopping)) {
        call->state = CALL_ENDED;
        return;
    }
    call->state = CALL_RECEIVING;
    nng_ctx_recv(call->ctx, call->aio);
}

static void take_request(struct slg_transport_call *call)
{
    struct slg_transport_server *server = call->server;
    int rc = nng_aio_result(call->aio);

    if (rc != 0) {
        /* Closed: the end. Anything else concerns one message only. */
        if (rc == NNG_ECLOSED || rc == NNG_ECANCELED)
            call->state = CALL_ENDED;
        else
            receive_next(call);
        return;
    }
    call->request = nng_aio_get_msg(call->aio);
    nng_aio_set_msg(call->aio, NULL);
    call->state = CALL_HELD;
    if (nng_msg_len(call->request) == 0) { /* is anybody there? */
        slg_transport_call_reply(call, NULL, 0);
        return;
    }
    server->options.handler(server->options.handler_ctx, call, nng_msg_body(call->request),
                            nng_msg_len(call->request));
}

static void on_call(void *ctx)
{
    struct slg_transport_call *call = ctx;

    switch (call->state) {
    case CALL_RECEIVING:
        take_request(call);
        return;
    case CALL_SENDING:
        if (nng_aio_result(call->aio) != 0 && nng_aio_get_msg(call->aio) != NULL)
            nng_msg_free(nng_aio_get_msg(call->aio)); /* the peer is gone; it will ask again */
        nng_aio_set_msg(call->aio, NULL);
        receive_next(call);
        return;
    case CALL_HELD:
    case CALL_ENDED:
        return; /* aborted before it began */
    }
}

void slg_transport_call_reply(struct slg_transport_call *call, const void *reply, size_t reply_len)
{
    struct slg_transport_server *server = call->server;
    nng_msg *message;

    SLG_ASSERT(call->state == CALL_HELD);
    if (reply_len > SLG_MESSAGE_BYTES_MAX)
        reply_len =
            0; /* the peer would drop the connection; an empty reply fails this request only */
    message =
        make_message(reply, reply_len); /* before the request goes: the reply may be a part of it */
    nng_msg_free(call->request);
    call->request = NULL;
    (void)atomic_fetch_add(&server->replying, 1); /* before the look: see stop */
    if (atomic_load(&server->stopping)) {
        if (message != NULL)
            nng_msg_free(message);
        call->state = CALL_ENDED;
    } else if (message == NULL) { /* no memory: the peer's request times out */
        receive_next(call);
    } else {
        call->state = CALL_SENDING;
        nng_aio_set_msg(call->aio, message);
        nng_ctx_send(call->ctx, call->aio);
    }
    (void)atomic_fetch_sub(&server->replying, 1); /* the old value says nothing */
}

static int set_server_options(struct slg_transport_server *server, nng_tls_config *tls)
{
    int rc = unless_unknown(nng_listener_set_size(server->listener, NNG_OPT_RECVMAXSZ,
                                                  SLG_MESSAGE_BYTES_MAX + FRAME_BYTES));

    if (rc == 0)
        rc = unless_unknown(nng_listener_set_bool(server->listener, NNG_OPT_TCP_KEEPALIVE, true));
    if (rc == 0 && tls != NULL)
        rc = nng_listener_set_ptr(server->listener, NNG_OPT_TLS_CONFIG, tls);
    return rc;
}

/* The URL as given, but with the port that the listener got. */
static void find_url(struct slg_transport_server *server, const char *url)
{
    int port = 0;

    (void)snprintf(server->url, sizeof(server->url), "%s", url); /* check_url has seen the length */
    if (slg_address_is_any_port(url) &&
        nng_listener_get_int(server->listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0)
        slg_address_set_port(url, port, server->url);
}

static enum slg_status listen_on(struct slg_transport_server *server, struct slg_error *reterr)
{
    const char *url = server->options.url;
    nng_tls_config *tls = NULL;
    enum slg_status status;
    int rc;

    if (slg_address_is_tls(url)) {
        status = make_tls(&server->options.tls, NNG_TLS_MODE_SERVER, &tls, reterr);
        if (status != SLG_OK)
            return status;
    }
    rc = nng_rep0_open(&server->socket);
    server->socket_open = rc == 0;
    if (rc == 0)
        rc = nng_socket_set_size(server->socket, NNG_OPT_RECVMAXSZ,
                                 SLG_MESSAGE_BYTES_MAX + FRAME_BYTES);
    if (rc == 0)
        rc = nng_listener_create(&server->listener, server->socket, url);
    if (rc == 0)
        rc = set_server_options(server, tls);
    if (rc == 0)
        rc = nng_listener_start(server->listener, 0);
    if (tls != NULL)
        nng_tls_config_free(tls); /* the listener holds its own reference */
    if (rc != 0)
        return fail_start("listen on", url, rc, reterr);
    find_url(server, url);
    return SLG_OK;
}

static int open_calls(struct slg_transport_server *server)
{
    for (size_t i = 0; i < server->call_count; i++) {
        struct slg_transport_call *call = &server->calls[i];
        int rc;

        call->server = server;
        call->state = CALL_ENDED;
        rc = nng_aio_alloc(&call->aio, on_call, call);
        if (rc == 0)
            rc = nng_ctx_open(&call->ctx, server->socket);
        if (rc != 0)
            return rc;
        call->ctx_open = true;
    }
    return 0;
}

enum slg_status slg_transport_server_start(const struct slg_transport_server_options *options,
                                           struct slg_transport_server **ret_server,
                                           struct slg_error *reterr)
{
    struct slg_transport_server *server;
    enum slg_status status = check_url(options->url, &options->tls, reterr);
    int rc;

    SLG_ASSERT(options->handler != NULL);
    SLG_ASSERT(options->call_count_max >= 1 && options->call_count_max <= CALL_COUNT_MAX);
    if (status != SLG_OK)
        return status;
    server = calloc(1, sizeof(*server) + options->call_count_max * sizeof(server->calls[0]));
    if (server == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the server of \"%s\"",
                          options->url);
    server->options = *options;
    server->call_count = options->call_count_max;
    status = listen_on(server, reterr);
    if (status == SLG_OK) {
        rc = open_calls(server);
        if (rc != 0)
            status = fail_start("serve", options->url, rc, reterr);
    }
    if (status != SLG_OK) {
        slg_transport_server_stop(server);
        slg_transport_server_destroy(server);
        return status;
    }
    server->options.url = server->url; /* the caller's may go now */
    for (size_t i = 0; i < server->call_count; i++)
        receive_next(&server->calls[i]);
    *ret_server = server;
    return SLG_OK;
}

const char *slg_transport_server_url(const struct slg_transport_server *server)
{
    return server->url;
}

void slg_transport_server_stop(struct slg_transport_server *server)
{
    if (server == NULL || atomic_exchange(&server->stopping, true))
        return;
    /* Who looked at `stopping` before is in a call of the library that does not block: a moment. */
    while (atomic_load(&server->replying) > 0)
        (void)sched_yield(); /* cannot fail on Linux */
    /* Waits for callbacks, so for handlers too, and lets nothing begin. */
    for (size_t i = 0; i < server->call_count; i++)
        if (server->calls[i].aio != NULL)
            nng_aio_stop(server->calls[i].aio);
    if (server->socket_open)
        close_socket(server->socket);
}

void slg_transport_server_destroy(struct slg_transport_server *server)
{
    if (server == NULL)
        return;
    SLG_ASSERT(atomic_load(&server->stopping));
    for (size_t i = 0; i < server->call_count; i++) {
        struct slg_transport_call *call = &server->calls[i];

        if (call->aio == NULL)
            continue;
        SLG_ASSERT(call->state != CALL_HELD);
        if (call->state == CALL_SENDING && nng_aio_get_msg(call->aio) != NULL)
            nng_msg_free(nng_aio_get_msg(call->aio)); /* begun on a stopped aio */
        nng_aio_free(call->aio);
    }
    free(server);
}

/* ---- asking ---- */

enum slot_state {
    SLOT_SENDING,
    SLOT_WAITING,
};

struct slot {
    struct slg_transport_client *client;
    atomic_bool taken;
    nng_ctx ctx;
    nng_aio *aio;
    enum slot_state state;
    int64_t begin_mono_ns, deadline_mono_ns;
    slg_transport_done *done;
    void *done_ctx;
};

/* Looks at the connection every half silence_ms. */
struct watch {
    nng_ctx ctx;
    nng_aio *pause, *aio;
    struct slg_silence silence;
};

struct slg_transport_client {
    struct slg_transport_client_options options; /* url: our own; the files of tls are not ours */
    char url[SLG_ADDRESS_BYTES_MAX];
    nng_tls_config *tls;
    nng_socket socket;
    nng_dialer dialer;
    struct watch watch;
    atomic_int_least64_t word_mono_ns;  /* the last reply, or when the connection was made */
    atomic_int_least64_t asked_mono_ns; /* the first request without a word since; 0: none */
    atomic_size_t out_count;
    atomic_uint pipe_id; /* of the connection; 0: none */
    atomic_bool stopping;
    atomic_size_t next_slot; /* a hint: where a free one may be */
    atomic_int connection_count;
    atomic_uint_least64_t made_count;    /* connections, told before anything can go by them */
    atomic_uint_least64_t gone_count;    /* of these */
    atomic_int_least64_t change_mono_ns; /* start, or the last loss of a connection */
    atomic_int_least64_t heard_mono_ns;  /* the last reply; 0: none yet */
    size_t slot_count;
    struct slot slots[];
};

static int64_t now_ns(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

/* Whoever still waits begins to wait now. */
static void take_word(struct slg_transport_client *client)
{
    int64_t now = now_ns();

    atomic_store(&client->word_mono_ns, now);
    atomic_store(&client->asked_mono_ns, atomic_load(&client->out_count) > 0 ? now : 0);
}

static void on_pipe(nng_pipe pipe, nng_pipe_ev event, void *ctx)
{
    struct slg_transport_client *client = ctx;

    if (event == NNG_PIPE_EV_ADD_PRE) {
        (void)atomic_fetch_add(&client->made_count, 1); /* the old value says nothing */
    } else if (event == NNG_PIPE_EV_ADD_POST) {
        take_word(client);
        atomic_store(&client->pipe_id, pipe.id);
        (void)atomic_fetch_add(&client->connection_count, 1); /* as above */
    } else if (event == NNG_PIPE_EV_REM_POST) {
        atomic_store(&client->change_mono_ns, now_ns());
        (void)atomic_fetch_sub(&client->connection_count, 1); /* as above */
        (void)atomic_fetch_add(&client->gone_count, 1);       /* as above */
    }
}

bool slg_transport_client_connected(const struct slg_transport_client *client)
{
    return atomic_load(&client->connection_count) > 0;
}

uint64_t slg_transport_client_connection(const struct slg_transport_client *client)
{
    return atomic_load(&client->made_count);
}

uint64_t slg_transport_client_next_connection(const struct slg_transport_client *client)
{
    /* In this order: one that is made between the two is the one that the request goes by. */
    uint64_t gone = atomic_load(&client->gone_count);
    uint64_t made = atomic_load(&client->made_count);

    return made == gone ? made + 1 : made;
}

int64_t slg_transport_client_heard_mono_ns(const struct slg_transport_client *client)
{
    return atomic_load(&client->heard_mono_ns);
}

static struct slg_silence_view view_of(const struct slg_transport_client *client)
{
    return (struct slg_silence_view){
        .connected = slg_transport_client_connected(client),
        .word_mono_ns = atomic_load(&client->word_mono_ns),
        .asked_mono_ns = atomic_load(&client->asked_mono_ns),
        .change_mono_ns = atomic_load(&client->change_mono_ns),
    };
}

static enum slg_status status_of(const struct slot *slot, int rc)
{
    if (atomic_load(&slot->client->stopping))
        return SLG_CANCELED;
    if (rc == NNG_ENOMEM)
        return SLG_NO_MEMORY;
    if (rc == NNG_ETIMEDOUT &&
        (slot->state == SLOT_WAITING || slg_transport_client_connected(slot->client)))
        return SLG_TIMEOUT;
    return SLG_UNAVAILABLE;
}

/* The slot is free before done runs, so that done may ask the next question. Another thread may then use the aio while
 * this callback of it has not returned: as allowed as doing so inside the callback (the task counts its runs). */
static void finish(struct slot *slot, enum slg_status status, nng_msg *reply)
{
    slg_transport_done *done = slot->done;
    void *done_ctx = slot->done_ctx;

    (void)atomic_fetch_sub(&slot->client->out_count, 1); /* the old value says nothing */
    if (reply != NULL) {
        atomic_store(&slot->client->heard_mono_ns, now_ns());
        take_word(slot->client);
    }
    atomic_store(&slot->taken, false);
    done(done_ctx, status, reply == NULL ? NULL : nng_msg_body(reply),
         reply == NULL ? 0 : nng_msg_len(reply));
    if (reply != NULL)
        nng_msg_free(reply);
}

static void set_timeout(nng_aio *aio, int64_t left_ns)
{
    int64_t ms = (left_ns + SLG_NS_PER_MS - 1) / SLG_NS_PER_MS;

    nng_aio_set_timeout(aio, ms < REQUEST_TIMEOUT_MIN ? REQUEST_TIMEOUT_MIN : (nng_duration)ms);
}

static int64_t send_patience_ns(const struct slot *slot, int64_t now)
{
    struct slg_silence_view view = view_of(slot->client);

    return slg_silence_patience_ns(&view, slot->begin_mono_ns, slot->deadline_mono_ns, now);
}

static void send_slot(struct slot *slot, nng_msg *message, int64_t patience_ns)
{
    slot->state = SLOT_SENDING;
    nng_aio_set_msg(slot->aio, message);
    set_timeout(slot->aio, patience_ns);
    nng_ctx_send(slot->ctx, slot->aio);
}

static void on_slot(void *ctx)
{
    struct slot *slot = ctx;
    int rc = nng_aio_result(slot->aio);
    nng_msg *message = nng_aio_get_msg(slot->aio);
    int64_t patience_ns;

    nng_aio_set_msg(slot->aio, NULL);
    if (slot->state == SLOT_SENDING && rc == NNG_ETIMEDOUT && message != NULL) {
        patience_ns = send_patience_ns(slot, now_ns());
        if (patience_ns > 0) {
            send_slot(slot, message, patience_ns);
            return;
        }
    }
    if (rc != 0) {
        /* A failed send leaves us the message; a failed receive has none. */
        if (slot->state == SLOT_SENDING && message != NULL)
            nng_msg_free(message);
        finish(slot, status_of(slot, rc), NULL);
        return;
    }
    if (slot->state == SLOT_WAITING) {
        finish(slot, SLG_OK, message);
        return;
    }
    slot->state = SLOT_WAITING;
    set_timeout(slot->aio, slot->deadline_mono_ns - now_ns());
    nng_ctx_recv(slot->ctx, slot->aio);
}

static int open_slots(struct slg_transport_client *client)
{
    for (size_t i = 0; i < client->slot_count; i++) {
        struct slot *slot = &client->slots[i];
        int rc;

        slot->client = client;
        rc = nng_aio_alloc(&slot->aio, on_slot, slot);
        if (rc == 0)
            rc = nng_ctx_open(&slot->ctx, client->socket);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int set_socket_options(struct slg_transport_client *client)
{
    int rc =
        nng_socket_set_size(client->socket, NNG_OPT_RECVMAXSZ, SLG_MESSAGE_BYTES_MAX + FRAME_BYTES);

    if (rc == 0)
        rc = nng_socket_set_ms(client->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rc == 0)
        rc = nng_socket_set_ms(client->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (rc == 0)
        rc = nng_socket_set_ms(client->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    if (rc == 0)
        rc = nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_PRE, on_pipe, client);
    if (rc == 0)
        rc = nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_POST, on_pipe, client);
    if (rc == 0)
        rc = nng_pipe_notify(client->socket, NNG_PIPE_EV_REM_POST, on_pipe, client);
    return rc;
}

static int dial(struct slg_transport_client *client)
{
    int rc = nng_dialer_create(&client->dialer, client->socket, client->url);

    if (rc == 0)
        rc = unless_unknown(nng_dialer_set_size(client->dialer, NNG_OPT_RECVMAXSZ,
                                                SLG_MESSAGE_BYTES_MAX + FRAME_BYTES));
    if (rc == 0)
        rc = unless_unknown(nng_dialer_set_bool(client->dialer, NNG_OPT_TCP_KEEPALIVE, true));
    if (rc == 0 && client->tls != NULL)
        rc = nng_dialer_set_ptr(client->dialer, NNG_OPT_TLS_CONFIG, client->tls);
    if (rc == 0)
        rc = nng_dialer_start(client->dialer, NNG_FLAG_NONBLOCK);
    return rc;
}

/* ---- signs of life ---- */

/* False: NNG knows no such address (any more). */
static bool get_address(nng_pipe pipe, const char *name, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (void *)ret_address;
    struct sockaddr_in6 *in6 = (void *)ret_address;
    nng_sockaddr found;

    memset(ret_address, 0, sizeof(*ret_address));
    if (nng_pipe_get_addr(pipe, name, &found) != 0)
        return false;
    if (found.s_family == NNG_AF_INET) {
        in->sin_family = AF_INET;
        in->sin_port = found.s_in.sa_port;
        in->sin_addr.s_addr = found.s_in.sa_addr;
    } else if (found.s_family == NNG_AF_INET6) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = found.s_in6.sa_port;
        memcpy(&in6->sin6_addr, found.s_in6.sa_addr, sizeof(in6->sin6_addr));
    }
    return ret_address->ss_family != AF_UNSPEC;
}

static void cut_connection(struct slg_transport_client *client)
{
    nng_pipe pipe = NNG_PIPE_INITIALIZER;
    struct sockaddr_storage local, peer;

    pipe.id = atomic_load(&client->pipe_id);
    if (get_address(pipe, NNG_OPT_LOCADDR, &local) && get_address(pipe, NNG_OPT_REMADDR, &peer))
        (void)slg_cut_connection((struct sockaddr *)&local, (struct sockaddr *)&peer);
}

static void pause_watch(struct slg_transport_client *client)
{
    if (!atomic_load(&client->stopping))
        nng_sleep_aio(client->watch.silence.silence_ms / 2, client->watch.pause);
}

static void ask_for_sign(struct slg_transport_client *client, nng_msg *question)
{
    struct watch *watch = &client->watch;

    nng_aio_set_msg(watch->aio, question);
    set_timeout(watch->aio, slg_silence_left_ns(&watch->silence, now_ns()));
    nng_ctx_send(watch->ctx, watch->aio);
}

static void tell_watch(struct slg_transport_client *client, enum slg_silence_event event)
{
    struct watch *watch = &client->watch;
    struct slg_silence_view view = view_of(client);
    nng_msg *question;

    switch (slg_silence_step(&watch->silence, event, &view, now_ns())) {
    case SLG_SILENCE_ASK:
        question = make_message(NULL, 0);
        if (question != NULL) {
            ask_for_sign(client, question);
            return;
        }
        /* No memory, which is no reason to cut. */
        (void)slg_silence_step(&watch->silence, SLG_SILENCE_FAILED, &view, now_ns());
        break;
    case SLG_SILENCE_WAIT:
        set_timeout(watch->aio, slg_silence_left_ns(&watch->silence, now_ns()));
        nng_ctx_recv(watch->ctx, watch->aio);
        return;
    case SLG_SILENCE_CUT:
        cut_connection(client);
        break;
    case SLG_SILENCE_CUT_DIALS:
        (void)slg_cut_dials(); /* those of others, too: it is time for any */
        break;
    case SLG_SILENCE_PAUSE:
        break;
    }
    pause_watch(client);
}

static void on_pause(void *ctx)
{
    struct slg_transport_client *client = ctx;

    if (!atomic_load(&client->stopping))
        tell_watch(client, SLG_SILENCE_LOOK);
}

static void on_watch(void *ctx)
{
    struct slg_transport_client *client = ctx;
    struct watch *watch = &client->watch;
    int rc = nng_aio_result(watch->aio);
    nng_msg *message = nng_aio_get_msg(watch->aio);

    nng_aio_set_msg(watch->aio, NULL);
    if (message != NULL) /* the sign, or what could not be sent */
        nng_msg_free(message);
    if (rc == 0 && watch->silence.state == SLG_SILENCE_WAITING)
        take_word(client);
    if (rc != 0)
        tell_watch(client, SLG_SILENCE_FAILED);
    else
        tell_watch(client, watch->silence.state == SLG_SILENCE_WAITING ? SLG_SILENCE_SIGN
                                                                       : SLG_SILENCE_SENT);
}

static int open_watch(struct slg_transport_client *client)
{
    int rc = nng_aio_alloc(&client->watch.aio, on_watch, client);

    if (rc == 0)
        rc = nng_aio_alloc(&client->watch.pause, on_pause, client);
    if (rc == 0)
        rc = nng_ctx_open(&client->watch.ctx, client->socket);
    if (rc == 0)
        pause_watch(client);
    return rc;
}

static void take_options(struct slg_transport_client *client,
                         const struct slg_transport_client_options *options)
{
    client->options = *options;
    (void)snprintf(client->url, sizeof(client->url), "%s",
                   options->url); /* check_url has seen the length */
    client->options.url = client->url;
    client->watch.silence.silence_ms =
        options->silence_ms == 0 ? SLG_TRANSPORT_SILENCE_MS : options->silence_ms;
    client->watch.silence.sign_ms =
        options->sign_ms == 0 ? SLG_TRANSPORT_SIGN_MS : options->sign_ms;
}

enum slg_status slg_transport_client_start(const struct slg_transport_client_options *options,
                                           struct slg_transport_client **ret_client,
                                           struct slg_error *reterr)
{
    size_t slot_count = options->in_flight_max;
    enum slg_status status = check_url(options->url, &options->tls, reterr);
    struct slg_transport_client *client;
    nng_tls_config *tls = NULL;
    int rc;

    SLG_ASSERT(options->in_flight_max >= 1 && options->in_flight_max <= IN_FLIGHT_MAX);
    if (status == SLG_OK && slg_address_is_tls(options->url))
        status = make_tls(&options->tls, NNG_TLS_MODE_CLIENT, &tls, reterr);
    if (status != SLG_OK)
        return status;
    client = calloc(1, sizeof(*client) + slot_count * sizeof(client->slots[0]));
    rc = client == NULL ? NNG_ENOMEM : nng_req0_open(&client->socket);
    if (rc != 0) {
        free(client);
        if (tls != NULL)
            nng_tls_config_free(tls);
        return fail_start("dial", options->url, rc, reterr);
    }
    take_options(client, options);
    client->tls = tls;
    client->slot_count = slot_count;
    atomic_store(&client->change_mono_ns, now_ns());
    rc = set_socket_options(client);
    if (rc == 0)
        rc = open_slots(client);
    if (rc == 0)
        rc = dial(client);
    if (rc == 0 && !slg_address_is_inproc(options->url)) /* nothing is cut there */
        rc = open_watch(client);
    if (rc != 0) {
        slg_transport_client_stop(client);
        return fail_start("dial", options->url, rc, reterr);
    }
    *ret_client = client;
    return SLG_OK;
}

/* With `stopping` set, neither begins the other any more. */
static void stop_watch(struct slg_transport_client *client)
{
    struct watch *watch = &client->watch;

    if (watch->pause != NULL)
        nng_aio_stop(watch->pause);
    if (watch->aio != NULL)
        nng_aio_stop(watch->aio);
    if (watch->aio != NULL && watch->silence.state == SLG_SILENCE_SENDING &&
        nng_aio_get_msg(watch->aio) != NULL)
        nng_msg_free(nng_aio_get_msg(watch->aio)); /* begun on a stopped aio */
}

void slg_transport_client_stop(struct slg_transport_client *client)
{
    if (client == NULL)
        return;
    atomic_store(&client->stopping, true);
    (void)nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_PRE, NULL,
                          NULL); /* fails only when closed */
    (void)nng_pipe_notify(client->socket, NNG_PIPE_EV_ADD_POST, NULL, NULL); /* as above */
    (void)nng_pipe_notify(client->socket, NNG_PIPE_EV_REM_POST, NULL, NULL); /* as above */
    stop_watch(client);
    for (size_t i = 0; i < client->slot_count; i++)
        if (client->slots[i].aio != NULL)
            nng_aio_stop(client->slots[i].aio);
    /* No callback runs any more, nor will one. What was begun on an aio that was stopped is finished here. */
    for (size_t i = 0; i < client->slot_count; i++) {
        struct slot *slot = &client->slots[i];

        if (!atomic_load(&slot->taken))
            continue;
        if (slot->state == SLOT_SENDING && nng_aio_get_msg(slot->aio) != NULL)
            nng_msg_free(nng_aio_get_msg(slot->aio));
        finish(slot, SLG_CANCELED, NULL);
    }
    close_socket(client->socket);
    for (size_t i = 0; i < client->slot_count; i++)
        if (client->slots[i].aio != NULL)
            nng_aio_free(client->slots[i].aio);
    if (client->watch.pause != NULL)
        nng_aio_free(client->watch.pause);
    if (client->watch.aio != NULL)
        nng_aio_free(client->watch.aio);
    if (client->tls != NULL)
        nng_tls_config_free(client->tls);
    free(client);
}

/* A free slot, or NULL when as many requests as allowed are in flight. */
static struct slot *take_slot(struct slg_transport_client *client)
{
    size_t start = atomic_fetch_add(&client->next_slot, 1);

    for (size_t i = 0; i < client->slot_count; i++) {
        struct slot *slot = &client->slots[(start + i) % client->slot_count];

        if (!atomic_exchange(&slot->taken, true))
            return slot;
    }
    return NULL;
}

enum slg_status slg_transport_request(struct slg_transport_client *client, const void *request,
                                      size_t request_len, int32_t timeout_ms,
                                      slg_transport_done *done, void *done_ctx)
{
    int64_t now = now_ns(), nobody = 0;
    struct slot *slot;
    nng_msg *message;

    SLG_ASSERT(done != NULL);
    if (request_len > SLG_MESSAGE_BYTES_MAX)
        return SLG_LIMIT;
    if (atomic_load(&client->stopping))
        return SLG_CANCELED;
    if (timeout_ms < REQUEST_TIMEOUT_MIN)
        timeout_ms = REQUEST_TIMEOUT_MIN;
    message = make_message(request, request_len);
    if (message == NULL)
        return SLG_NO_MEMORY;
    slot = take_slot(client);
    if (slot == NULL) {
        nng_msg_free(message);
        return SLG_AGAIN;
    }
    (void)atomic_fetch_add(&client->out_count, 1); /* the old value says nothing */
    (void)atomic_compare_exchange_strong(&client->asked_mono_ns, &nobody,
                                         now); /* fails when somebody waits already */
    slot->done = done;
    slot->done_ctx = done_ctx;
    slot->begin_mono_ns = now;
    slot->deadline_mono_ns = now + timeout_ms * SLG_NS_PER_MS;
    send_slot(slot, message, send_patience_ns(slot, now));
    return SLG_OK;
}
