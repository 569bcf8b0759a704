/* Concurrency:
 * | state                   | owner                   | others                                                   |
 * | server, routes, access  | set before start        | read by every connection's thread                        |
 * | struct slg_http_request | its connection's thread | nobody                                                   |
 * | a guarded connection    | the guard               | its deadline is set by the connection's thread           |
 * | body_bytes              | nobody                  | atomic: each request adds and takes away what it holds   |
 * libmicrohttpd runs one thread per connection; a request lives until its answer is out (request_completed). It tells of
 * a connection's end (connection_noticed) before it closes the socket. */
#include "proto/http.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "proto/form.h"
#include "proto/gzip.h"
#include "proto/http_access.h"
#include "proto/http_guard.h"
#include "proto/http_listen.h"
#include "proto/http_route.h"
#include "proto/http_socket.h"
#include "proto/http_stream.h"

#define CONNECTION_MEMORY_BYTES ((size_t)160 * 1024) /* request line and headers; touched as used */
#define PARAM_COUNT_MAX         ((size_t)1024)
#define ANSWER_HEADER_COUNT_MAX ((size_t)8)
#define GZIP_BYTES_MIN          ((size_t)1024)
#define HEADER_BYTES_MAX        ((size_t)32 * 1024) /* all header lines; the request line may be longer */
#define ARRIVAL_SECONDS         10U /* silence before a request is whole: half-open connections give way */
#define KEEP_SECONDS            30U            /* between two requests */
#define HEAD_LOOKS              16             /* at deadlines, within the time for a head */
#define BODY_SECONDS_MAX        ((int64_t)120) /* a body that trickles longer than this is cut */
#define RETRY_SECONDS           "5"
#define DISCARD_FACTOR          2 /* refused bodies are read up to this many times the limit, */
#define DISCARD_BYTES           ((uint64_t)16 << 20) /* or so far, whatever is more */
/* Most packed bodies unpack to less than one of these; the others take a second try. */
#define UNPACK_FACTOR           ((size_t)32)
#define UNPACK_BYTES_MIN        ((size_t)16 * 1024)
/* Of an upgraded connection: what the kernel may hold of a slow reader, so that it shows. */
#define UPGRADED_SEND_BYTES     (256 * 1024)

struct slg_http_server {
    struct slg_http_server_options options;
    struct MHD_Daemon *daemon;
    int listen_fd;
    struct slg_http_access access;
    char *tls_cert;
    char *tls_key;
    char address[SLG_HTTP_ADDRESS_BYTES];
    struct slg_http_sockets *sockets; /* connections that were upgraded */
    struct slg_http_guard *guard;     /* of those whose request has not come yet */
    _Atomic size_t body_bytes;        /* that all requests hold, or are about to */
};

struct param {
    struct slg_text name;
    struct slg_text value; /* followed by a NUL */
};

struct slg_http_request {
    struct slg_http_server *server;
    struct MHD_Connection *connection;
    const char *method;
    const char *path;
    const struct slg_http_route *route;
    struct slg_text segment;
    struct slg_arena *arena; /* parameters */
    struct param *params;
    size_t param_count;
    struct slg_buf body;
    struct slg_buf unpacked;
    struct slg_text body_text;
    uint64_t received_bytes; /* of the body */
    size_t held_bytes;       /* this request's part of the server's body_bytes */
    int64_t body_deadline_mono_ns;
    unsigned refuse_code; /* decided before the body came; 0 = none */
    const char *refuse_text;
    struct {
        const char *name;
        char *value;
    } headers[ANSWER_HEADER_COUNT_MAX];
    size_t header_count;
    bool answered;
    int64_t answered_mono_ns;
    enum MHD_Result queued;
    struct slg_http_socket *upgrade; /* until its thread runs */
    bool upgraded;
    char peer[SLG_ADDRESS_TEXT_BYTES];
};

static void print_peer(const struct sockaddr *peer, char text[SLG_ADDRESS_TEXT_BYTES])
{
    struct slg_address address;

    text[0] = '\0';
    if (slg_address_of(peer, &address))
        (void)slg_address_print(&address, text); /* its length is not needed */
}

/* ---- routes ---- */

static void refuse(struct slg_http_request *request, unsigned code, const char *text)
{
    request->refuse_code = code;
    request->refuse_text = text;
}

static void find_route(struct slg_http_request *request)
{
    const struct slg_http_server_options *options = &request->server->options;

    switch (slg_http_route_find(options->routes, options->route_count, request->method,
                                request->path, &request->route, &request->segment)) {
    case SLG_HTTP_ROUTE_FOUND:
        break;
    case SLG_HTTP_ROUTE_NO_METHOD:
        refuse(request, 405, "method not allowed");
        break;
    case SLG_HTTP_ROUTE_NO_PATH:
        refuse(request, 404, "404 page not found");
        break;
    }
}

/* ---- tokens ---- */

/* libmicrohttpd 0.9.75 (Debian 12) and 1.0 (Debian 13) read basic auth by different functions. */
static bool basic_password_known(struct slg_http_request *request)
{
    bool good = false;
#if MHD_VERSION >= 0x00097701
    struct MHD_BasicAuthInfo *basic = MHD_basic_auth_get_username_password3(request->connection);

    if (basic != NULL && basic->password != NULL)
        good =
            slg_http_access_knows(&request->server->access, basic->password, basic->password_len);
    MHD_free(basic);
#else
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(request->connection, &password);

    if (password != NULL)
        good = slg_http_access_knows(&request->server->access, password, strlen(password));
    MHD_free(user);
    MHD_free(password);
#endif
    return good;
}

static bool authorized(struct slg_http_request *request)
{
    const struct slg_http_server_options *options = &request->server->options;
    const char *header = slg_http_header(request, "Authorization");

    if (options->token_count == 0 || (request->route != NULL && request->route->open))
        return true;
    if (header == NULL)
        return false;
    if (strncasecmp(header, "Bearer ", 7) == 0)
        return slg_http_access_knows(&request->server->access, header + 7, strlen(header + 7));
    return basic_password_known(request);
}

/* ---- what bodies may hold ---- */

/* True: `bytes` more may be held. */
static bool hold_bytes(struct slg_http_request *request, size_t bytes)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    struct slg_http_server *server = request->server;
    size_t bytes_max = server->options.body_bytes_max * SLG_HTTP_BODIES_AT_ONCE;
    uint64_t suppressed;

    if (atomic_fetch_add(&server->body_bytes, bytes) + bytes <= bytes_max) {
        request->held_bytes += bytes;
        return true;
    }
    (void)atomic_fetch_sub(&server->body_bytes, bytes);
    refuse(request, 503, "too many large bodies at once, send again");
    if (slg_log_limit_allow(&limit, slg_clock_mono_ns(slg_clock_system()), &suppressed))
        slg_log_warn("bodies of all requests would hold more than %zu bytes, answered 503 "
                     "address=%s suppressed=%" PRIu64,
                     bytes_max, server->address, suppressed);
    return false;
}

static void let_go(struct slg_http_request *request, size_t bytes)
{
    SLG_ASSERT(bytes <= request->held_bytes);
    request->held_bytes -= bytes;
    (void)atomic_fetch_sub(&request->server->body_bytes, bytes);
}

static void drop_body(struct slg_http_request *request)
{
    let_go(request, request->body.len);
    slg_buf_fini(&request->body);
}

/* ---- parameters ---- */

static void add_param(struct slg_http_request *request, struct slg_text name, struct slg_text value)
{
    if (request->param_count == PARAM_COUNT_MAX)
        return;
    if (request->params == NULL)
        request->params =
            slg_arena_calloc(request->arena, PARAM_COUNT_MAX, sizeof(*request->params));
    if (request->params != NULL)
        request->params[request->param_count++] = (struct param){ name, value };
}

static void take_form(struct slg_http_request *request, struct slg_text form)
{
    struct slg_text name, value;

    while (slg_form_next(request->arena, &form, &name, &value))
        add_param(request, name, value);
}

static enum MHD_Result take_argument(void *ctx, enum MHD_ValueKind kind, const char *name,
                                     size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    add_param(ctx, slg_text_make(name, name_len),
              slg_text_make(value == NULL ? "" : value, value == NULL ? 0 : value_len));
    return MHD_YES;
}

/* Form values come before those of the query string, as in Go's http.Request.Form. */
static void read_params(struct slg_http_request *request)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = slg_http_header(request, "Content-Type");

    if (type != NULL && strncasecmp(type, form, sizeof(form) - 1) == 0 &&
        hold_bytes(request, request->body_text.len))
        take_form(request, request->body_text);
    (void)MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, take_argument,
                                      request);
}

/* ---- what handlers ask ---- */

const char *slg_http_method(const struct slg_http_request *request)
{
    return request->method;
}

const char *slg_http_path(const struct slg_http_request *request)
{
    return request->path;
}

struct slg_text slg_http_path_segment(const struct slg_http_request *request)
{
    return request->segment;
}

bool slg_http_param(const struct slg_http_request *request, const char *name,
                    struct slg_text *ret_value)
{
    return slg_http_param_at(request, name, 0, ret_value);
}

bool slg_http_param_at(const struct slg_http_request *request, const char *name, size_t n,
                       struct slg_text *ret_value)
{
    for (size_t i = 0; i < request->param_count; i++) {
        if (!slg_text_equal_to(request->params[i].name, name) || n-- > 0)
            continue;
        *ret_value = request->params[i].value;
        return true;
    }
    return false;
}

const char *slg_http_header(const struct slg_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct slg_text slg_http_body(const struct slg_http_request *request)
{
    return request->body_text;
}

const char *slg_http_peer(const struct slg_http_request *request)
{
    return request->peer;
}

bool slg_http_client_gone(const struct slg_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd fd = { .events = POLLRDHUP };

    if (info == NULL)
        return false;
    fd.fd = info->connect_fd;
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* ---- answering ---- */

void slg_http_answer_header(struct slg_http_request *request, const char *name, const char *value)
{
    char *copy;

    SLG_ASSERT(request->header_count < ANSWER_HEADER_COUNT_MAX);
    copy = slg_arena_copy(request->arena, value, strlen(value));
    if (copy == NULL)
        return; /* a tiny arena at its end: the answer goes without it */
    request->headers[request->header_count].name = name;
    request->headers[request->header_count++].value = copy;
}

/* One element of Accept-Encoding: gzip, or x-gzip, with a weight above 0. */
static bool takes_gzip(const char *element, size_t len)
{
    size_t name_len = strcspn(element, "; \t,");

    if (!(name_len == 4 && strncasecmp(element, "gzip", 4) == 0) &&
        !(name_len == 6 && strncasecmp(element, "x-gzip", 6) == 0))
        return false;
    element += name_len;
    len -= name_len;
    while (len > 0 && strchr("; \t", *element) != NULL) {
        element++;
        len--;
    }
    return len < 3 || strncasecmp(element, "q=0", 3) != 0 || strcspn(element, "123456789") < len;
}

/* RFC 9110 section 12.5.3; "*" is not taken for gzip, as it may be. */
static bool wants_gzip(const struct slg_http_request *request)
{
    const char *at = slg_http_header(request, "Accept-Encoding");

    while (at != NULL && *at != '\0') {
        size_t len;

        at += strspn(at, ", \t");
        len = strcspn(at, ",");
        if (takes_gzip(at, len))
            return true;
        at += len;
    }
    return false;
}

static void add_headers(struct slg_http_request *request, struct MHD_Response *response,
                        const char *content_type, bool gzipped)
{
    /* Names and values are ours: adding them fails for want of memory only, and then the answer lacks them. */
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    (void)MHD_add_response_header(response, "Vary", "Accept-Encoding");
    if (gzipped)
        (void)MHD_add_response_header(response, "Content-Encoding", "gzip");
    for (size_t i = 0; i < request->header_count; i++)
        (void)MHD_add_response_header(response, request->headers[i].name,
                                      request->headers[i].value);
}

static void queue_response(struct slg_http_request *request, unsigned code,
                           struct MHD_Response *response)
{
    SLG_ASSERT(!request->answered);
    request->answered = true;
    request->answered_mono_ns = slg_clock_mono_ns(slg_clock_system());
    if (response == NULL) {
        request->queued = MHD_NO; /* no memory: the connection closes */
        return;
    }
    request->queued = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
}

/* Until when the connection must have got on; SLG_DEADLINE_NEVER: while a handler works. */
static void expect(struct slg_http_server *server, struct MHD_Connection *connection,
                   int64_t deadline_mono_ns)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (info != NULL && info->socket_context != NULL)
        slg_http_guard_set(server->guard, info->socket_context, deadline_mono_ns);
}

/* The time in which so many bytes of the answer must be out. */
static void expect_sent(const struct slg_http_request *request, uint64_t bytes)
{
    const struct slg_http_server_options *options = &request->server->options;

    expect(request->server, request->connection,
           request->answered_mono_ns + options->idle_timeout_ms * SLG_NS_PER_MS +
               (int64_t)bytes * (SLG_NS_PER_SEC / options->send_bytes_per_second_min));
}

void slg_http_answer(struct slg_http_request *request, unsigned code, const char *content_type,
                     const void *body, size_t len)
{
    bool gzipped = len >= GZIP_BYTES_MIN && wants_gzip(request);
    struct MHD_Response *response = NULL;
    struct slg_gzip *gzip = gzipped ? slg_gzip_create() : NULL;
    struct slg_buf packed;

    slg_buf_init(&packed, len + (len >> 1) + 65536);
    if (gzip != NULL && slg_gzip_pack(gzip, body, len, /* last= */ true, &packed) == SLG_OK)
        response = MHD_create_response_from_buffer(packed.len, packed.data, MHD_RESPMEM_MUST_COPY);
    else
        gzipped = false;
    if (!gzipped)
        response = MHD_create_response_from_buffer(len, (void *)(uintptr_t)(len == 0 ? "" : body),
                                                   MHD_RESPMEM_MUST_COPY);
    slg_gzip_destroy(gzip);
    slg_buf_fini(&packed);
    if (response != NULL)
        add_headers(request, response, content_type, gzipped);
    queue_response(request, code, response);
    expect_sent(request, len);
}

/* ---- streams ---- */

struct answer {
    struct slg_http_stream *stream;
    const struct slg_http_request *request; /* lives until the answer is out */
};

static ssize_t read_stream(void *ctx, uint64_t position, char *out, size_t out_max)
{
    const struct answer *answer = ctx;
    enum slg_status status;
    size_t len = 0;

    expect_sent(answer->request, position);
    while ((status = slg_http_stream_read(answer->stream, out, out_max, &len)) == SLG_AGAIN)
        if (slg_http_sockets_stopping(answer->request->server->sockets) ||
            slg_http_client_gone(answer->request))
            return MHD_CONTENT_READER_END_WITH_ERROR;
    if (status == SLG_NOT_FOUND)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return status == SLG_OK ? (ssize_t)len : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void free_stream(void *ctx)
{
    struct answer *answer = ctx;

    slg_http_stream_destroy(answer->stream);
    free(answer);
}

void slg_http_answer_stream(struct slg_http_request *request, unsigned code,
                            const char *content_type, slg_http_pull *pull,
                            slg_http_release *release, void *ctx)
{
    struct answer *answer = calloc(1, sizeof(*answer));
    struct MHD_Response *response;

    if (answer != NULL)
        answer->stream = slg_http_stream_create(pull, release, ctx, wants_gzip(request));
    if (answer == NULL || answer->stream == NULL) {
        free(answer);
        if (release != NULL)
            release(ctx);
        queue_response(request, code, NULL);
        return;
    }
    answer->request = request;
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SLG_HTTP_PIECE_BYTES,
                                                 read_stream, answer, free_stream);
    if (response == NULL)
        free_stream(answer);
    else
        add_headers(request, response, content_type, slg_http_stream_packs(answer->stream));
    /* libmicrohttpd (0.9.75) writes the last chunk of a chunked answer to HEAD, too: this one is not, and closes. */
    if (response != NULL && strcmp(request->method, "HEAD") == 0)
        (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    queue_response(request, code, response);
}

/* ---- upgraded connections ---- */

/* An upgraded connection leaves libmicrohttpd's thread for one of ours (proto/http_socket.h), because with TLS
 * libmicrohttpd needs its own to move the bytes. */
static void close_upgraded(void *handle)
{
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* Of the TCP socket itself, which with TLS is another one than we write to. If an option is refused, the connection is
 * slower and nothing else. */
static void tune_connection(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int one = 1, zero = 0, send_bytes = UPGRADED_SEND_BYTES;

    if (info == NULL)
        return;
    /* libmicrohttpd may have left it corked: then each record of TLS waits 200 ms. */
    (void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_CORK, &zero, sizeof(zero));
    (void)setsockopt(info->connect_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
}

static void on_upgrade(void *ctx, struct MHD_Connection *connection, void *request_ctx,
                       const char *extra, size_t extra_len, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle)
{
    struct slg_http_request *request = request_ctx;
    struct slg_http_socket *socket = request->upgrade;

    (void)ctx;
    slg_http_sockets_join(request->server->sockets);
    request->upgrade = NULL;
    tune_connection(connection);
    if (slg_http_socket_start(socket, fd, extra, extra_len, close_upgraded, handle))
        return;
    close_upgraded(handle);
    slg_http_socket_drop(socket);
}

void slg_http_answer_upgrade(struct slg_http_request *request, const char *protocol,
                             slg_http_upgraded *run, slg_http_release *release, void *ctx)
{
    struct slg_http_socket *socket =
        slg_http_socket_create(request->server->sockets, run, release, ctx);
    struct MHD_Response *response = NULL;

    if (socket == NULL) {
        release(ctx);
        request->header_count = 0; /* they belonged to the other answer */
        slg_http_answer_text(request, 503, "the server is stopping");
        return;
    }
    request->upgrade = socket; /* request_completed drops it if on_upgrade never comes */
    request->upgraded = true;
    response = MHD_create_response_for_upgrade(on_upgrade, NULL);
    if (response != NULL) {
        (void)MHD_add_response_header(response, "Upgrade", protocol);
        for (size_t i = 0; i < request->header_count; i++)
            (void)MHD_add_response_header(response, request->headers[i].name,
                                          request->headers[i].value);
    }
    queue_response(request, 101, response);
}

/* ---- the life of a request ---- */

static enum MHD_Result add_header_bytes(void *ctx, enum MHD_ValueKind kind, const char *name,
                                        size_t name_len, const char *value, size_t value_len)
{
    size_t *bytes = ctx;

    (void)kind;
    (void)name;
    (void)value;
    *bytes += name_len + value_len + 4; /* ": " and the line end */
    return MHD_YES;
}

/* "http://host/path", as sent to a proxy, is taken as "/path" (RFC 9112 section 3.2.2). */
static const char *path_of(const char *target)
{
    size_t scheme_len = strncasecmp(target, "http://", 7) == 0    ? 7
                        : strncasecmp(target, "https://", 8) == 0 ? 8
                                                                  : 0;
    const char *path = scheme_len == 0 ? target : strchr(target + scheme_len, '/');

    return path == NULL ? "/" : path;
}

static struct slg_http_request *start_request(struct slg_http_server *server,
                                              struct MHD_Connection *connection, const char *method,
                                              const char *path)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct slg_http_request *request = calloc(1, sizeof(*request));
    size_t header_bytes = 0;

    if (request == NULL)
        return NULL;
    request->arena = slg_arena_create(server->options.body_bytes_max * 2 + ((size_t)1 << 20));
    if (request->arena == NULL) {
        free(request);
        return NULL;
    }
    request->server = server;
    request->connection = connection;
    request->method = method;
    request->path = path = path_of(path);
    if (strstr(path, "//") != NULL) {
        char *clean = slg_arena_copy(request->arena, path, strlen(path) + 1);

        if (clean != NULL) { /* without memory it is a 404 */
            slg_http_route_clean(clean);
            request->path = clean;
        }
    }
    slg_buf_init(&request->body, server->options.body_bytes_max);
    slg_buf_init(&request->unpacked, server->options.body_bytes_max);
    if (info != NULL)
        print_peer(info->client_addr, request->peer);
    request->body_deadline_mono_ns =
        slg_clock_mono_ns(slg_clock_system()) + BODY_SECONDS_MAX * SLG_NS_PER_SEC;
    find_route(request);
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_header_bytes,
                                      &header_bytes); /* the count says nothing */
    if (header_bytes > HEADER_BYTES_MAX)
        refuse(request, 431, "the header lines are larger than this server takes");
    if (info == NULL || !slg_http_access_allows(&server->access, info->client_addr))
        refuse(request, 403, "this address may not connect");
    else if (!authorized(request))
        refuse(request, 401, "a valid token is needed");
    return request;
}

static void free_request(struct slg_http_request *request)
{
    if (request->upgrade != NULL)
        slg_http_socket_drop(request->upgrade);
    slg_buf_fini(&request->body);
    slg_buf_fini(&request->unpacked);
    slg_arena_destroy(request->arena);
    let_go(request, request->held_bytes);
    free(request);
}

static unsigned idle_seconds(const struct slg_http_server *server, unsigned seconds_max)
{
    unsigned seconds = (unsigned)((server->options.idle_timeout_ms + 999) / 1000);

    return seconds < seconds_max ? seconds : seconds_max;
}

/* How long the connection may be silent from now on. */
static void allow_silence(struct MHD_Connection *connection, unsigned seconds)
{
    /* It cannot fail for a connection that is there. */
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

/* ---- the time for a head ---- */

static int64_t head_deadline_mono_ns(const struct slg_http_server *server, unsigned more_seconds)
{
    return slg_clock_mono_ns(slg_clock_system()) + more_seconds * SLG_NS_PER_SEC +
           server->options.head_timeout_ms * SLG_NS_PER_MS;
}

static void connection_noticed(void *ctx, struct MHD_Connection *connection, void **socket_ctx,
                               enum MHD_ConnectionNotificationCode code)
{
    struct slg_http_server *server = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    /* Without memory to guard it a connection goes on unguarded. */
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_ctx = info == NULL ? NULL
                                   : slg_http_guard_add(server->guard, info->connect_fd,
                                                        head_deadline_mono_ns(server, 0));
    else if (*socket_ctx != NULL)
        slg_http_guard_remove(server->guard, *socket_ctx);
}

static void request_completed(void *ctx, struct MHD_Connection *connection, void **request_ctx,
                              enum MHD_RequestTerminationCode code)
{
    struct slg_http_server *server = ctx;
    struct slg_http_request *request = *request_ctx;
    unsigned keep_seconds = idle_seconds(server, KEEP_SECONDS);

    (void)code;
    allow_silence(connection, keep_seconds);
    if (request == NULL || !request->upgraded)
        expect(server, connection, head_deadline_mono_ns(server, keep_seconds));
    if (request != NULL)
        free_request(request);
    *request_ctx = NULL;
}

static uint64_t discard_bytes_max(const struct slg_http_request *request)
{
    uint64_t bytes = DISCARD_FACTOR * (uint64_t)request->server->options.body_bytes_max;

    return bytes > DISCARD_BYTES ? bytes : DISCARD_BYTES;
}

/* Bodies of refused requests are read and thrown away, so that the client sees the answer, but not for ever: false
 * closes the connection. */
static bool take_body(struct slg_http_request *request, const char *bytes, size_t len)
{
    request->received_bytes += len;
    if (request->received_bytes > discard_bytes_max(request) ||
        slg_clock_mono_ns(slg_clock_system()) > request->body_deadline_mono_ns)
        return false;
    if (request->refuse_code != 0)
        return true;
    if (!hold_bytes(request, len)) {
        drop_body(request);
        return true;
    }
    slg_buf_append(&request->body, bytes, len);
    if (slg_buf_failed(&request->body)) {
        refuse(request, 413, "the body is larger than this server takes");
        let_go(request, len);
        drop_body(request);
    }
    return true;
}

/* LIMIT: it does not fit into bytes_max. UNAVAILABLE: other bodies hold too much. */
static enum slg_status unpack_into(struct slg_http_request *request, size_t bytes_max)
{
    enum slg_status status;

    if (!hold_bytes(request, bytes_max))
        return SLG_UNAVAILABLE;
    slg_buf_init(&request->unpacked, bytes_max);
    status = slg_gzip_unpack(request->body.data, request->body.len, &request->unpacked);
    if (status != SLG_OK)
        slg_buf_fini(&request->unpacked);
    let_go(request, bytes_max - request->unpacked.len);
    return status;
}

static void unpack_body(struct slg_http_request *request)
{
    const char *encoding = slg_http_header(request, "Content-Encoding");
    size_t bytes_max = request->server->options.body_bytes_max;
    size_t first_bytes;
    enum slg_status status = SLG_LIMIT;

    request->body_text = slg_text_make(request->body.data, request->body.len);
    if (encoding == NULL || request->refuse_code != 0 || request->body.len == 0 ||
        (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "deflate") != 0))
        return; /* snappy and others are the handler's */

    first_bytes = request->body.len * UNPACK_FACTOR; /* a body is far below SIZE_MAX / 32 */
    if (first_bytes < UNPACK_BYTES_MIN)
        first_bytes = UNPACK_BYTES_MIN;
    if (first_bytes < bytes_max)
        status = unpack_into(request, first_bytes);
    if (status == SLG_LIMIT)
        status = unpack_into(request, bytes_max);
    drop_body(request);
    switch (status) {
    case SLG_OK:
        request->body_text = slg_text_make(request->unpacked.data, request->unpacked.len);
        return;
    case SLG_UNAVAILABLE:
        return; /* refused */
    case SLG_LIMIT:
        refuse(request, 413, "the unpacked body is larger than this server takes");
        return;
    default:
        refuse(request, 400, "the body is not what Content-Encoding says");
    }
}

static enum MHD_Result run_request(struct slg_http_request *request)
{
    /* The handler may take long, and the client reading. */
    allow_silence(request->connection, idle_seconds(request->server, UINT_MAX));
    unpack_body(request);
    if (request->refuse_code == 0)
        read_params(request);
    if (request->refuse_code == 401)
        slg_http_answer_header(request, "WWW-Authenticate", "Basic realm=\"silage\"");
    if (request->refuse_code == 503)
        slg_http_answer_header(request, "Retry-After", RETRY_SECONDS);
    if (request->refuse_code != 0) {
        slg_http_answer_text(request, request->refuse_code, request->refuse_text);
        return request->queued;
    }
    request->route->handler(request->server->options.handler_ctx, request);
    if (!request->answered)
        slg_http_answer_text(request, 500, "the handler gave no answer");
    return request->queued;
}

/* A body that says beforehand that it is too long is refused; true: before it is sent. A client that does not ask first
 * (Expect) sends on and would find the connection broken instead of the answer. */
static bool announced_too_much(struct slg_http_request *request)
{
    const char *length = slg_http_header(request, "Content-Length");
    uint64_t bytes = length == NULL ? 0 : strtoull(length, NULL, 10);

    if (bytes <= request->server->options.body_bytes_max)
        return false;
    if (request->refuse_code == 0)
        refuse(request, 413, "the body is larger than this server takes");
    return bytes > discard_bytes_max(request) || slg_http_header(request, "Expect") != NULL;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **request_ctx)
{
    struct slg_http_server *server = ctx;
    struct slg_http_request *request = *request_ctx;

    (void)version;
    if (request == NULL) {
        slg_http_sockets_join(server->sockets);
        expect(server, connection, SLG_DEADLINE_NEVER);
        request = start_request(server, connection, method, path);
        *request_ctx = request;
        if (request == NULL)
            return MHD_NO;
        return announced_too_much(request) ? run_request(request) : MHD_YES;
    }
    if (*upload_len > 0) {
        enum MHD_Result result = take_body(request, upload, *upload_len) ? MHD_YES : MHD_NO;

        *upload_len = 0;
        return result;
    }
    return run_request(request);
}

/* ---- the server ---- */

static enum slg_status make_parts(struct slg_http_server *server, struct slg_error *reterr)
{
    int64_t look_ns = server->options.head_timeout_ms * SLG_NS_PER_MS / HEAD_LOOKS;
    enum slg_status status =
        slg_http_sockets_create(server->options.connection_count_max, &server->sockets);

    if (status == SLG_OK)
        status = slg_http_guard_create(look_ns, &server->guard);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "no memory for the HTTP server");
    return SLG_OK;
}

static enum slg_status prepare(struct slg_http_server *server, struct slg_error *reterr)
{
    const struct slg_http_server_options *options = &server->options;
    enum slg_status status =
        slg_http_access_init(&server->access, options->allow, options->allow_count, options->tokens,
                             options->token_count, reterr);

    if (status == SLG_OK && options->tls_cert_file != NULL)
        status = slg_http_listen_read_file(options->tls_cert_file, &server->tls_cert, reterr);
    if (status == SLG_OK && options->tls_key_file != NULL)
        status = slg_http_listen_read_file(options->tls_key_file, &server->tls_key, reterr);
    if (status == SLG_OK)
        status = slg_http_listen_open(options->listen, &server->listen_fd, server->address, reterr);
    return status;
}

static void start_daemon(struct slg_http_server *server)
{
    const struct slg_http_server_options *options = &server->options;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_ALLOW_UPGRADE;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };
    bool secure = server->tls_cert != NULL;
    unsigned count_max = (unsigned)options->connection_count_max;

    server->daemon = MHD_start_daemon(
        secure ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_NOTIFY_COMPLETED, request_completed,
        server, MHD_OPTION_NOTIFY_CONNECTION, connection_noticed, server,
        MHD_OPTION_CONNECTION_LIMIT, count_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        count_max - count_max / 4, MHD_OPTION_CONNECTION_TIMEOUT,
        idle_seconds(server, ARRIVAL_SECONDS), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        CONNECTION_MEMORY_BYTES, MHD_OPTION_ARRAY, secure ? tls : none, MHD_OPTION_END);
}

enum slg_status slg_http_server_start(const struct slg_http_server_options *options,
                                      struct slg_http_server **ret_server, struct slg_error *reterr)
{
    struct slg_http_server *server = calloc(1, sizeof(*server));
    enum slg_status status;

    SLG_ASSERT(options->body_bytes_max > 0);
    SLG_ASSERT(options->connection_count_max > 0);
    if (server == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the HTTP server");
    server->options = *options;
    if (options->head_timeout_ms == 0)
        server->options.head_timeout_ms = SLG_HTTP_HEAD_MS_DEFAULT;
    if (options->send_bytes_per_second_min == 0)
        server->options.send_bytes_per_second_min = SLG_HTTP_SEND_RATE_DEFAULT;
    server->listen_fd = -1;
    status = make_parts(server, reterr);
    if (status == SLG_OK)
        status = prepare(server, reterr);
    if (status == SLG_OK) {
        start_daemon(server);
        if (server->daemon == NULL)
            status = slg_errorf(reterr, SLG_IO, "could not start the HTTP server on %s%s",
                                server->address,
                                server->tls_cert == NULL ? "" : ": is the certificate good?");
    }
    if (status != SLG_OK) {
        slg_http_server_stop(server);
        return status;
    }
    *ret_server = server;
    return SLG_OK;
}

const char *slg_http_server_address(const struct slg_http_server *server)
{
    return server->address;
}

size_t slg_http_server_body_bytes(const struct slg_http_server *server)
{
    return atomic_load(&server->body_bytes);
}

void slg_http_server_stop(struct slg_http_server *server)
{
    if (server == NULL)
        return;
    if (server->sockets != NULL)
        slg_http_sockets_stop(server->sockets);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon); /* closes the socket and waits for the threads */
    else if (server->listen_fd >= 0)
        (void)close(server->listen_fd); /* nothing was accepted */
    slg_http_guard_destroy(server->guard);
    slg_http_sockets_destroy(server->sockets);
    free(server->tls_cert);
    free(server->tls_key);
    free(server);
}
