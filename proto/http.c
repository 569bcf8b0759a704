/* Concurrency:
 * | state                 | owner                  | others                                            |
 * | server, routes, allow | set before start       | read by every connection's thread                 |
 * | stopping              | atomic                 | set by stop, read by streams and sockets          |
 * | upgraded_count        | atomic                 | upgrades that were promised and are not joined yet |
 * | ended                 | base/queue             | those threads push themselves, whoever joins pops |
 * | struct slg_http_socket | its own thread        | nobody until it is in `ended`                     |
 * | struct slg_http_request | its connection's thread | nobody                                         |
 * libmicrohttpd runs one thread per connection; a request lives until its answer is out (request_completed). An upgraded
 * connection leaves that thread for one of ours, because with TLS libmicrohttpd needs its own to move the bytes. */
#include "proto/http.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/queue.h"
#include "proto/form.h"
#include "proto/gzip.h"

#define CONNECTION_MEMORY_BYTES ((size_t)160 * 1024) /* request line and headers; touched as used */
#define PARAM_COUNT_MAX         ((size_t)1024)
#define ANSWER_HEADER_COUNT_MAX ((size_t)8)
#define ALLOW_COUNT_MAX         ((size_t)256)
#define GZIP_BYTES_MIN          ((size_t)1024)
#define STREAM_PIECE_BYTES      ((size_t)64 * 1024)
#define STREAM_BUFFER_BYTES_MAX                                                                    \
    ((size_t)16 << 20) /* one pulled piece: 64 KiB and one long line, escaped */
#define FILE_BYTES_MAX       ((size_t)1 << 20)
#define HEADER_BYTES_MAX     ((size_t)32 * 1024) /* all header lines; the request line may be longer */
#define ARRIVAL_SECONDS      10U /* silence before a request is whole: half-open connections give way */
#define KEEP_SECONDS         30U            /* between two requests */
#define BODY_SECONDS_MAX     ((int64_t)120) /* a body that trickles longer than this is cut */
#define DISCARD_FACTOR       2 /* refused bodies are read up to this many times the limit, */
#define DISCARD_BYTES        ((uint64_t)16 << 20) /* or so far, whatever is more */
#define LISTEN_BACKLOG       511U
#define ADDRESS_BYTES        72
/* Of an upgraded connection: its thread, and what the kernel may hold of a slow reader, so that it shows. */
#define UPGRADED_STACK_BYTES ((size_t)1 << 20)
#define UPGRADED_SEND_BYTES  (256 * 1024)
#define UPGRADED_WAIT_NS     (100 * SLG_NS_PER_MS)

struct slg_http_server {
    struct slg_http_server_options options;
    struct MHD_Daemon *daemon;
    int listen_fd;
    struct slg_cidr allow[ALLOW_COUNT_MAX];
    size_t allow_count;
    char *tls_cert;
    char *tls_key;
    char address[ADDRESS_BYTES];
    atomic_bool stopping;
    atomic_size_t upgraded_count;
    struct slg_queue *ended; /* upgraded connections whose threads are to be joined */
};

struct param {
    struct slg_text name;
    struct slg_text value; /* followed by a NUL */
};

struct slg_http_socket {
    struct slg_http_server *server;
    slg_http_upgraded *run;
    slg_http_release *release;
    void *ctx;
    struct MHD_UpgradeResponseHandle *handle;
    int fd;
    uint8_t *extra; /* what came behind the request's head */
    size_t extra_len;
    size_t extra_taken;
    pthread_t thread;
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
    int64_t body_deadline_mono_ns;
    unsigned refuse_code; /* decided before the body came; 0 = none */
    const char *refuse_text;
    struct {
        const char *name;
        char *value;
    } headers[ANSWER_HEADER_COUNT_MAX];
    size_t header_count;
    bool answered;
    enum MHD_Result queued;
    struct slg_http_socket *upgrade; /* until its thread runs */
    char peer[SLG_ADDRESS_TEXT_BYTES];
};

/* ---- addresses ---- */

static bool peer_allowed(const struct slg_http_server *server, const struct sockaddr *peer)
{
    struct slg_address address;

    if (server->options.allow_count == 0)
        return true;
    if (!slg_address_of(peer, &address))
        return false;
    for (size_t i = 0; i < server->allow_count; i++) {
        if (slg_cidr_contains(&server->allow[i], &address))
            return true;
    }
    return false;
}

static void print_peer(const struct sockaddr *peer, char text[SLG_ADDRESS_TEXT_BYTES])
{
    struct slg_address address;

    text[0] = '\0';
    if (slg_address_of(peer, &address))
        (void)slg_address_print(&address, text); /* its length is not needed */
}

/* ---- routes ---- */

/* Does path match pattern? {name} takes one segment, which may not be empty. */
static bool path_matches(const char *pattern, const char *path, struct slg_text *ret_segment)
{
    const char *open = strchr(pattern, '{');
    const char *close;
    size_t head, tail, len = strlen(path);

    if (open == NULL)
        return strcmp(pattern, path) == 0;
    close = strchr(open, '}');
    SLG_ASSERT(close != NULL);
    head = (size_t)(open - pattern);
    tail = strlen(close + 1);
    if (len <= head + tail || strncmp(pattern, path, head) != 0 ||
        strcmp(close + 1, path + len - tail) != 0)
        return false;
    *ret_segment = slg_text_make(path + head, len - head - tail);
    return memchr(ret_segment->at, '/', ret_segment->len) == NULL;
}

static unsigned method_bit(const char *method)
{
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return SLG_HTTP_GET;
    if (strcmp(method, "POST") == 0)
        return SLG_HTTP_POST;
    if (strcmp(method, "PUT") == 0)
        return SLG_HTTP_PUT;
    return strcmp(method, "DELETE") == 0 ? SLG_HTTP_DELETE : 0;
}

static void refuse(struct slg_http_request *request, unsigned code, const char *text)
{
    request->refuse_code = code;
    request->refuse_text = text;
}

static void find_route(struct slg_http_request *request)
{
    const struct slg_http_server_options *options = &request->server->options;

    for (size_t i = 0; i < options->route_count; i++) {
        if (!path_matches(options->routes[i].path, request->path, &request->segment))
            continue;
        if ((options->routes[i].methods & method_bit(request->method)) == 0) {
            refuse(request, 405, "method not allowed");
            continue;
        }
        request->route = &options->routes[i];
        request->refuse_code = 0;
        return;
    }
    if (request->refuse_code == 0)
        refuse(request, 404, "404 page not found");
}

/* ---- tokens ---- */

/* Equal time for any two texts: their hashes are compared, every byte of them. */
static bool same_secret(const char *a, size_t a_len, const char *b)
{
    uint8_t hash_a[32], hash_b[32], difference = 0;

    slg_hash_sha256(a, a_len, hash_a);
    slg_hash_sha256(b, strlen(b), hash_b);
    for (size_t i = 0; i < sizeof(hash_a); i++)
        difference |= hash_a[i] ^ hash_b[i];
    return difference == 0;
}

static bool known_token(const struct slg_http_server_options *options, const char *token,
                        size_t len)
{
    bool known = false;

    for (size_t i = 0; i < options->token_count; i++)
        known |= same_secret(token, len, options->tokens[i]);
    return known;
}

/* libmicrohttpd 0.9.75 (Debian 12) and 1.0 (Debian 13) read basic auth by different functions. */
static bool basic_password_known(struct slg_http_request *request)
{
    const struct slg_http_server_options *options = &request->server->options;
    bool good = false;
#if MHD_VERSION >= 0x00097701
    struct MHD_BasicAuthInfo *basic = MHD_basic_auth_get_username_password3(request->connection);

    if (basic != NULL && basic->password != NULL)
        good = known_token(options, basic->password, basic->password_len);
    MHD_free(basic);
#else
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(request->connection, &password);

    if (password != NULL)
        good = known_token(options, password, strlen(password));
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
        return known_token(options, header + 7, strlen(header + 7));
    return basic_password_known(request);
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

    if (type != NULL && strncasecmp(type, form, sizeof(form) - 1) == 0)
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

/* gzip with a weight above 0 (RFC 9110 section 12.5.3, as far as clients use it). */
static bool wants_gzip(const struct slg_http_request *request)
{
    const char *accept = slg_http_header(request, "Accept-Encoding");
    const char *gzip = accept == NULL ? NULL : strcasestr(accept, "gzip");

    if (gzip == NULL)
        return false;
    gzip += 4;
    gzip += strspn(gzip, " ");
    if (*gzip != ';')
        return true;
    gzip += 1 + strspn(gzip + 1, " ");
    return strncasecmp(gzip, "q=0", 3) != 0 || strpbrk(gzip, "123456789") != NULL;
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
    if (response == NULL) {
        request->queued = MHD_NO; /* no memory: the connection closes */
        return;
    }
    request->queued = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
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
}

void slg_http_answer_text(struct slg_http_request *request, unsigned code, const char *text)
{
    struct slg_buf line;

    slg_buf_init(&line, strlen(text) + 2);
    slg_buf_append_text(&line, text);
    slg_buf_append_byte(&line, '\n');
    slg_http_answer_header(request, "X-Content-Type-Options", "nosniff");
    slg_http_answer(request, code, "text/plain; charset=utf-8", line.data, line.len);
    slg_buf_fini(&line);
}

/* ---- streams ---- */

struct stream {
    struct slg_http_server *server;
    const struct slg_http_request *request; /* lives until the answer is out */
    slg_http_pull *pull;
    slg_http_release *release;
    void *ctx;
    struct slg_gzip *gzip;  /* NULL: as it is */
    struct slg_buf pulled;  /* raw piece, when packing */
    struct slg_buf ready;   /* what waits to be sent */
    size_t sent;            /* of ready */
    enum slg_status status; /* OK: more to pull */
};

/* Pull one piece into `ready`. */
static void pull_piece(struct stream *stream)
{
    bool last;

    slg_buf_clear(&stream->ready);
    stream->sent = 0;
    if (stream->gzip == NULL) {
        stream->status = stream->pull(stream->ctx, &stream->ready);
        return;
    }
    slg_buf_clear(&stream->pulled);
    stream->status = stream->pull(stream->ctx, &stream->pulled);
    last = stream->status == SLG_NOT_FOUND;
    if (stream->status == SLG_OK || last) {
        if (slg_gzip_pack(stream->gzip, stream->pulled.data, stream->pulled.len, last,
                          &stream->ready) != SLG_OK)
            stream->status = SLG_IO;
    }
}

static ssize_t read_stream(void *ctx, uint64_t position, char *out, size_t out_max)
{
    struct stream *stream = ctx;
    size_t len;

    (void)position;
    while (stream->sent == stream->ready.len) {
        if (stream->status == SLG_NOT_FOUND)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (stream->status != SLG_OK || atomic_load(&stream->server->stopping) ||
            slg_http_client_gone(stream->request))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        pull_piece(stream);
    }
    len = stream->ready.len - stream->sent;
    len = len < out_max ? len : out_max;
    memcpy(out, stream->ready.data + stream->sent, len);
    stream->sent += len;
    return (ssize_t)len;
}

static void free_stream(void *ctx)
{
    struct stream *stream = ctx;

    if (stream->release != NULL)
        stream->release(stream->ctx);
    slg_gzip_destroy(stream->gzip);
    slg_buf_fini(&stream->pulled);
    slg_buf_fini(&stream->ready);
    free(stream);
}

void slg_http_answer_stream(struct slg_http_request *request, unsigned code,
                            const char *content_type, slg_http_pull *pull,
                            slg_http_release *release, void *ctx)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    struct MHD_Response *response;

    if (stream == NULL) {
        if (release != NULL)
            release(ctx);
        queue_response(request, code, NULL);
        return;
    }
    stream->server = request->server;
    stream->request = request;
    stream->pull = pull;
    stream->release = release;
    stream->ctx = ctx;
    stream->gzip = wants_gzip(request) ? slg_gzip_create() : NULL;
    slg_buf_init(&stream->pulled, STREAM_BUFFER_BYTES_MAX);
    slg_buf_init(&stream->ready, STREAM_BUFFER_BYTES_MAX);
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE_BYTES, read_stream,
                                                 stream, free_stream);
    if (response == NULL)
        free_stream(stream);
    else
        add_headers(request, response, content_type, stream->gzip != NULL);
    queue_response(request, code, response);
}

/* ---- upgraded connections ---- */

static void free_socket(struct slg_http_socket *socket)
{
    free(socket->extra);
    free(socket);
}

/* The function that would have run never will. */
static void drop_upgrade(struct slg_http_socket *socket)
{
    struct slg_http_server *server = socket->server;

    socket->release(socket->ctx);
    free_socket(socket);
    (void)atomic_fetch_sub(&server->upgraded_count, 1);
}

static void join_ended(struct slg_http_server *server, int64_t deadline_mono_ns)
{
    void *item;

    while (slg_queue_pop(server->ended, deadline_mono_ns, &item) == SLG_OK) {
        struct slg_http_socket *socket = item;

        (void)pthread_join(socket->thread, NULL); /* it pushed itself as its last act */
        free_socket(socket);
        (void)atomic_fetch_sub(&server->upgraded_count, 1);
        deadline_mono_ns = 0; /* the others only if they are there */
    }
}

static void *run_upgraded(void *arg)
{
    struct slg_http_socket *socket = arg;
    enum slg_status status;

    socket->run(socket->ctx, socket);
    (void)shutdown(socket->fd, SHUT_WR); /* so that the last bytes and the end go out together */
    (void)MHD_upgrade_action(socket->handle, MHD_UPGRADE_ACTION_CLOSE);
    status = slg_queue_push(socket->server->ended, socket);
    SLG_ASSERT(status == SLG_OK); /* it holds every connection there may be */
    return NULL;
}

static bool start_upgraded(struct slg_http_socket *socket)
{
    pthread_attr_t attributes;
    bool started = false;

    if (pthread_attr_init(&attributes) != 0)
        return false;
    if (pthread_attr_setstacksize(&attributes, UPGRADED_STACK_BYTES) == 0)
        started = pthread_create(&socket->thread, &attributes, run_upgraded, socket) == 0;
    (void)pthread_attr_destroy(&attributes);
    return started;
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
    struct slg_http_server *server = request->server;
    struct slg_http_socket *socket = request->upgrade;

    (void)ctx;
    join_ended(server, 0);
    request->upgrade = NULL;
    socket->handle = handle;
    socket->fd = fd;
    if (extra_len > 0)
        socket->extra = malloc(extra_len);
    if (socket->extra != NULL) {
        memcpy(socket->extra, extra, extra_len);
        socket->extra_len = extra_len;
    }
    tune_connection(connection);
    if ((extra_len == 0 || socket->extra != NULL) && start_upgraded(socket))
        return;
    (void)MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    drop_upgrade(socket);
}

void slg_http_answer_upgrade(struct slg_http_request *request, const char *protocol,
                             slg_http_upgraded *run, slg_http_release *release, void *ctx)
{
    struct slg_http_socket *socket = calloc(1, sizeof(*socket));
    struct MHD_Response *response = NULL;

    /* Counted before `stopping` is asked: either stop sees the count and waits, or we see that it stops. */
    (void)atomic_fetch_add(&request->server->upgraded_count, 1);
    if (socket == NULL || atomic_load(&request->server->stopping)) {
        release(ctx);
        free(socket);
        (void)atomic_fetch_sub(&request->server->upgraded_count, 1);
        request->header_count = 0; /* they belonged to the other answer */
        slg_http_answer_text(request, 503, "the server is stopping");
        return;
    }
    *socket = (struct slg_http_socket){
        .server = request->server, .run = run, .release = release, .ctx = ctx, .fd = -1
    };
    request->upgrade = socket; /* request_completed drops it if on_upgrade never comes */
    response = MHD_create_response_for_upgrade(on_upgrade, NULL);
    if (response != NULL) {
        (void)MHD_add_response_header(response, "Upgrade", protocol);
        for (size_t i = 0; i < request->header_count; i++)
            (void)MHD_add_response_header(response, request->headers[i].name,
                                          request->headers[i].value);
    }
    queue_response(request, 101, response);
}

int slg_http_socket_fd(const struct slg_http_socket *socket)
{
    return socket->fd;
}

static enum slg_status socket_result(ssize_t len, size_t *ret_len)
{
    if (len > 0) {
        *ret_len = (size_t)len;
        return SLG_OK;
    }
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return SLG_AGAIN;
    return SLG_UNAVAILABLE;
}

enum slg_status slg_http_socket_read(struct slg_http_socket *socket, void *bytes, size_t bytes_max,
                                     size_t *ret_len)
{
    size_t left = socket->extra_len - socket->extra_taken;

    SLG_ASSERT(bytes_max > 0);
    if (left > 0) {
        *ret_len = left < bytes_max ? left : bytes_max;
        memcpy(bytes, socket->extra + socket->extra_taken, *ret_len);
        socket->extra_taken += *ret_len;
        return SLG_OK;
    }
    return socket_result(recv(socket->fd, bytes, bytes_max, MSG_DONTWAIT), ret_len);
}

enum slg_status slg_http_socket_write(struct slg_http_socket *socket, const void *bytes, size_t len,
                                      size_t *ret_len)
{
    SLG_ASSERT(len > 0);
    return socket_result(send(socket->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL), ret_len);
}

bool slg_http_socket_stopping(const struct slg_http_socket *socket)
{
    return atomic_load(&socket->server->stopping);
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
    request->path = path;
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
    if (info == NULL || !peer_allowed(server, info->client_addr))
        refuse(request, 403, "this address may not connect");
    else if (!authorized(request))
        refuse(request, 401, "a valid token is needed");
    return request;
}

static void free_request(struct slg_http_request *request)
{
    if (request->upgrade != NULL)
        drop_upgrade(request->upgrade);
    slg_buf_fini(&request->body);
    slg_buf_fini(&request->unpacked);
    slg_arena_destroy(request->arena);
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

static void request_completed(void *ctx, struct MHD_Connection *connection, void **request_ctx,
                              enum MHD_RequestTerminationCode code)
{
    (void)code;
    allow_silence(connection, idle_seconds(ctx, KEEP_SECONDS));
    if (*request_ctx != NULL)
        free_request(*request_ctx);
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
    slg_buf_append(&request->body, bytes, len);
    if (slg_buf_failed(&request->body)) {
        refuse(request, 413, "the body is larger than this server takes");
        slg_buf_fini(&request->body);
    }
    return true;
}

static void unpack_body(struct slg_http_request *request)
{
    const char *encoding = slg_http_header(request, "Content-Encoding");

    request->body_text = slg_text_make(request->body.data, request->body.len);
    if (encoding == NULL || request->refuse_code != 0 || request->body.len == 0 ||
        (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "deflate") != 0))
        return; /* snappy and others are the handler's */
    switch (slg_gzip_unpack(request->body.data, request->body.len, &request->unpacked)) {
    case SLG_OK:
        request->body_text = slg_text_make(request->unpacked.data, request->unpacked.len);
        return;
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
    if (request->refuse_code == 401)
        slg_http_answer_header(request, "WWW-Authenticate", "Basic realm=\"silage\"");
    if (request->refuse_code != 0) {
        slg_http_answer_text(request, request->refuse_code, request->refuse_text);
        return request->queued;
    }
    read_params(request);
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
    struct slg_http_request *request = *request_ctx;

    (void)version;
    if (request == NULL) {
        join_ended(ctx, 0);
        request = start_request(ctx, connection, method, path);
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

static enum slg_status split_address(const char *listen, char host[64], char port[8],
                                     struct slg_error *reterr)
{
    const char *colon = strrchr(listen, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - listen);

    if (colon == NULL || len >= 64 || strlen(colon + 1) >= 8 || colon[1] == '\0')
        return slg_errorf(reterr, SLG_INVALID, "\"%.64s\" is no address, write HOST:PORT", listen);
    if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
        listen++;
        len -= 2;
    }
    memcpy(host, listen, len);
    host[len] = '\0';
    (void)snprintf(port, 8, "%s", colon + 1); /* measured above */
    return SLG_OK;
}

static enum slg_status bind_socket(struct slg_http_server *server, const struct addrinfo *address,
                                   struct slg_error *reterr)
{
    int one = 1;

    server->listen_fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listen_fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open a socket: %s", strerror(errno));
    (void)setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->ai_family == AF_INET6) /* IPv4 has its own listener */
        (void)setsockopt(server->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(server->listen_fd, address->ai_addr, address->ai_addrlen) != 0 ||
        listen(server->listen_fd, LISTEN_BACKLOG) != 0)
        return slg_error_hintf(
            reterr, SLG_UNAVAILABLE, "is another process using it? choose another address",
            "could not listen on %s: %s", server->options.listen, strerror(errno));
    return SLG_OK;
}

static void print_address(struct slg_http_server *server)
{
    struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof(address);
    char host[SLG_ADDRESS_TEXT_BYTES + 16], port[8];

    if (getsockname(server->listen_fd, (struct sockaddr *)&address, &len) != 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    (void)snprintf(server->address, sizeof(server->address),
                   address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static enum slg_status open_socket(struct slg_http_server *server, struct slg_error *reterr)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    char host[64], port[8];
    enum slg_status status = split_address(server->options.listen, host, port, reterr);
    int rc;

    if (status != SLG_OK)
        return status;
    rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (rc != 0)
        return slg_errorf(reterr, SLG_INVALID, "cannot listen on \"%.64s\": %s",
                          server->options.listen, gai_strerror(rc));
    status = bind_socket(server, found, reterr);
    freeaddrinfo(found);
    print_address(server);
    return status;
}

static enum slg_status read_file(const char *path, char **ret_text, struct slg_error *reterr)
{
    FILE *file = fopen(path, "re");
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    size_t len = 0;

    if (file != NULL && text != NULL)
        len = fread(text, 1, FILE_BYTES_MAX, file);
    if (file != NULL)
        (void)fclose(file); /* read only */
    if (len == 0) {
        free(text);
        return slg_errorf(reterr, SLG_INVALID, "could not read \"%s\": %s", path, strerror(errno));
    }
    *ret_text = text;
    return SLG_OK;
}

static enum slg_status prepare(struct slg_http_server *server, struct slg_error *reterr)
{
    const struct slg_http_server_options *options = &server->options;
    enum slg_status status = SLG_OK;

    if (options->allow_count > ALLOW_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu networks in an allow list",
                          ALLOW_COUNT_MAX);
    for (size_t i = 0; i < options->allow_count; i++) {
        status = slg_cidr_parse(options->allow[i], &server->allow[i], reterr);
        if (status != SLG_OK)
            return status;
    }
    server->allow_count = options->allow_count;
    if (options->tls_cert_file != NULL)
        status = read_file(options->tls_cert_file, &server->tls_cert, reterr);
    if (status == SLG_OK && options->tls_key_file != NULL)
        status = read_file(options->tls_key_file, &server->tls_key, reterr);
    return status == SLG_OK ? open_socket(server, reterr) : status;
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
        server, MHD_OPTION_CONNECTION_LIMIT, count_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
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
    server->listen_fd = -1;
    atomic_init(&server->stopping, false);
    atomic_init(&server->upgraded_count, 0);
    status = slg_queue_create(options->connection_count_max + 1, &server->ended);
    if (status != SLG_OK) {
        free(server);
        return slg_errorf(reterr, status, "no memory for the HTTP server");
    }
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

void slg_http_server_stop(struct slg_http_server *server)
{
    if (server == NULL)
        return;
    atomic_store(&server->stopping, true);
    while (atomic_load(&server->upgraded_count) > 0)
        join_ended(server, slg_clock_mono_ns(slg_clock_system()) + UPGRADED_WAIT_NS);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon); /* closes the socket and waits for the threads */
    else if (server->listen_fd >= 0)
        (void)close(server->listen_fd); /* nothing was accepted */
    slg_queue_destroy(server->ended);
    free(server->tls_cert);
    free(server->tls_key);
    free(server);
}
