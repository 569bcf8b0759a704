#include "ctl/fetch.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>

#include "ctl/url.h"
#include "proto/label.h"

#define CONNECT_TIMEOUT_MS 5000L
#define GET_TIMEOUT_MS     120000L
#define SEND_TIMEOUT_MS    30000
#define ENDPOINT_SHOWN_MAX 150

struct slg_fetch {
    CURL *curl;
    const char *token;
};

struct slg_fetch *slg_fetch_create(const char *token)
{
    struct slg_fetch *fetch = calloc(1, sizeof(*fetch));

    if (fetch == NULL)
        return NULL;
    fetch->curl = curl_easy_init();
    if (fetch->curl == NULL) {
        free(fetch);
        return NULL;
    }
    fetch->token = token;
    return fetch;
}

const char *slg_fetch_token(const struct slg_fetch *fetch)
{
    return fetch->token;
}

void slg_fetch_destroy(struct slg_fetch *fetch)
{
    if (fetch == NULL)
        return;
    curl_easy_cleanup(fetch->curl);
    free(fetch);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct slg_buf *out = arg;

    slg_buf_append(out, bytes, size * count);
    return slg_buf_failed(out) ? 0 : size * count;
}

/* curl copies every text but the body, which outlives the request. The options exist in every supported version, so
 * the results of curl_easy_setopt say nothing new. */
static void set_options(const struct slg_fetch *fetch, const struct slg_fetch_request *request,
                        struct slg_buf *out, char *error_text)
{
    struct slg_url_parts parts;
    CURL *curl = fetch->curl;

    curl_easy_reset(curl);
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "silagectl/" SLG_VERSION);
    if (request->body != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    }
    if (slg_url_is_loopback(request->url))
        (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    if (fetch->token != NULL && slg_url_split(request->url, &parts) && parts.userinfo == NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        (void)curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, fetch->token);
    }
}

/* For messages: address and path, without a password and without the query that the user has just typed. */
static struct slg_text endpoint_of(const char *url)
{
    struct slg_url_parts parts;
    size_t len;

    if (slg_url_split(url, &parts) && parts.userinfo != NULL)
        url = parts.host;
    len = strcspn(url, "?");
    return slg_text_make(url, len < ENDPOINT_SHOWN_MAX ? len : ENDPOINT_SHOWN_MAX);
}

enum slg_status slg_fetch_run(struct slg_fetch *fetch, const struct slg_fetch_request *request,
                              struct slg_buf *out, long *ret_code, struct slg_error *reterr)
{
    char error_text[CURL_ERROR_SIZE] = "", content_type[128];
    struct slg_text endpoint = endpoint_of(request->url);
    struct curl_slist *headers = NULL;
    CURLcode code;

    slg_buf_clear(out);
    set_options(fetch, request, out, error_text);
    if (request->content_type != NULL) {
        (void)snprintf(content_type, sizeof(content_type), "Content-Type: %s",
                       request->content_type); /* ours and short */
        headers = curl_slist_append(NULL, content_type);
        (void)curl_easy_setopt(fetch->curl, CURLOPT_HTTPHEADER, headers);
    }
    code = curl_easy_perform(fetch->curl);
    curl_slist_free_all(headers);
    if (slg_buf_failed(out))
        return slg_errorf(reterr, SLG_LIMIT, "the answer of %.*s is over %zu bytes",
                          (int)endpoint.len, endpoint.at, out->bytes_max);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return slg_errorf(reterr, SLG_TIMEOUT, "%.*s did not answer in time: %.80s",
                          (int)endpoint.len, endpoint.at, error_text);
    if (code != CURLE_OK)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "could not reach %.*s: %.80s", (int)endpoint.len,
                          endpoint.at,
                          error_text[0] == '\0' ? curl_easy_strerror(code) : error_text);
    (void)curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, ret_code);
    return SLG_OK;
}

enum slg_status slg_fetch_get(struct slg_fetch *fetch, const char *url, struct slg_buf *out,
                              struct slg_error *reterr)
{
    struct slg_fetch_request request = { .url = url, .timeout_ms = GET_TIMEOUT_MS };
    long code = 0;
    enum slg_status status = slg_fetch_run(fetch, &request, out, &code, reterr);
    size_t len = 0;

    if (status != SLG_OK || (code >= 200 && code < 300))
        return status;
    while (len < out->len && out->data[len] != '\n')
        len++;
    return slg_errorf(reterr, SLG_INVALID, "HTTP %ld: %.*s", code, (int)len,
                      out->len == 0 ? "" : (const char *)out->data);
}

/* ---- another protocol ---- */

enum slg_status slg_fetch_connect(struct slg_fetch *fetch, const char *url,
                                  struct slg_error *reterr)
{
    struct slg_fetch_request request = { .url = url };
    struct slg_text endpoint = endpoint_of(url);
    char error_text[CURL_ERROR_SIZE] = "";
    struct slg_buf none;
    CURLcode code;

    slg_buf_init(&none, 1);
    set_options(fetch, &request, &none, error_text);
    (void)curl_easy_setopt(fetch->curl, CURLOPT_CONNECT_ONLY, 1L);
    code = curl_easy_perform(fetch->curl);
    slg_buf_fini(&none);
    (void)curl_easy_setopt(fetch->curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "could not reach %.*s: %.80s", (int)endpoint.len,
                          endpoint.at,
                          error_text[0] == '\0' ? curl_easy_strerror(code) : error_text);
    return SLG_OK;
}

/* Wait until the socket is ready. TIMEOUT. */
static enum slg_status wait_socket(struct slg_fetch *fetch, short events, int timeout_ms,
                                   struct slg_error *reterr)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct pollfd poll_fd = { .events = events };

    if (curl_easy_getinfo(fetch->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "the connection is lost");
    poll_fd.fd = fd;
    if (poll(&poll_fd, 1, timeout_ms) == 0)
        return slg_errorf(reterr, SLG_TIMEOUT, "the server said nothing for %d s",
                          timeout_ms / 1000);
    return SLG_OK;
}

enum slg_status slg_fetch_send(struct slg_fetch *fetch, const void *bytes, size_t len,
                               struct slg_error *reterr)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(fetch->curl, at, len, &sent);
        enum slg_status status = SLG_OK;

        if (code == CURLE_AGAIN)
            status = wait_socket(fetch, POLLOUT, SEND_TIMEOUT_MS, reterr);
        else if (code != CURLE_OK)
            status = slg_errorf(reterr, SLG_UNAVAILABLE, "the connection is lost: %s",
                                curl_easy_strerror(code));
        if (status != SLG_OK)
            return status;
        at += sent;
        len -= sent;
    }
    return SLG_OK;
}

enum slg_status slg_fetch_receive(struct slg_fetch *fetch, void *bytes, size_t bytes_max,
                                  int timeout_ms, size_t *ret_len, struct slg_error *reterr)
{
    for (;;) {
        size_t len = 0;
        CURLcode code = curl_easy_recv(fetch->curl, bytes, bytes_max, &len);
        enum slg_status status;

        if (code == CURLE_OK && len > 0) {
            *ret_len = len;
            return SLG_OK;
        }
        if (code == CURLE_OK)
            return slg_errorf(reterr, SLG_UNAVAILABLE, "the server closed the connection");
        if (code != CURLE_AGAIN)
            return slg_errorf(reterr, SLG_UNAVAILABLE, "the connection is lost: %s",
                              curl_easy_strerror(code));
        status = wait_socket(fetch, POLLIN, timeout_ms, reterr);
        if (status != SLG_OK)
            return status;
    }
}
