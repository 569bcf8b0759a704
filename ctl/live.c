#include "ctl/live.h"

#include <strings.h>
#include <sys/random.h>

#include "base/cursor.h"
#include "ctl/answer.h"
#include "ctl/url.h"
#include "proto/websocket.h"

#define HEAD_BYTES_MAX    ((size_t)64 * 1024)
#define READ_BYTES        ((size_t)64 * 1024)
#define MESSAGE_BYTES_MAX ((size_t)64 << 20)
#define AUTHORIZATION_MAX ((size_t)128 * 1024) /* a secret in base64 */
#define ANSWER_MS         30000
#define SILENCE_MS        30000 /* the server pings every second */

/* ---- the handshake ---- */

enum slg_status slg_live_request(struct slg_buf *out, const char *url, const char *token,
                                 const char *key, struct slg_error *reterr)
{
    struct slg_url_parts parts;
    struct slg_buf who;

    if (!slg_url_split(url, &parts) || parts.path[0] != '/' || strpbrk(url, " \r\n") != NULL)
        return slg_errorf(reterr, SLG_INVALID, "\"%.150s\" is no URL", url);
    slg_buf_printf(out,
                   "GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: silagectl/" SLG_VERSION
                   "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
                   parts.path, (int)parts.host_len, parts.host);
    slg_buf_init(&who, AUTHORIZATION_MAX);
    slg_url_authorization(&who, url, token);
    if (who.len > 0) {
        slg_buf_append_text(out, "Authorization: ");
        slg_buf_append(out, who.data, who.len);
        slg_buf_append_text(out, "\r\n");
    }
    slg_buf_fini(&who);
    slg_buf_printf(out, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", key);
    return SLG_OK;
}

/* Is this header line there with exactly this value? */
static bool has_header(const char *head, const char *name, const char *value)
{
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        const char *at = line + 2;
        size_t len = strlen(name);

        if (strncasecmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        at += strspn(at, " \t");
        len = strcspn(at, "\r");
        return len == strlen(value) && strncmp(at, value, len) == 0;
    }
    return false;
}

static enum slg_status refused(uint64_t code, const char *text, size_t len,
                               struct slg_error *reterr)
{
    size_t line = 0;

    while (line < len && text[line] != '\n' && text[line] != '\r')
        line++;
    if (code == 404 || code == 405 || code == 426 || code == 501 || code == 200)
        return slg_errorf(reterr, SLG_UNSUPPORTED, "HTTP %u", (unsigned)code);
    return slg_errorf(reterr, SLG_INVALID, "HTTP %u: %.*s", (unsigned)code, (int)line, text);
}

enum slg_status slg_live_answer(const uint8_t *bytes, size_t len, const char *key, size_t *ret_len,
                                struct slg_error *reterr)
{
    const uint8_t *end = len == 0 ? NULL : memmem(bytes, len, "\r\n\r\n", 4);
    struct slg_cursor c = slg_cursor_make(bytes, len);
    char accept[SLG_WEBSOCKET_ACCEPT_BYTES];
    enum slg_status status = SLG_OK;
    size_t head_len;
    uint64_t code;
    char *head;

    if (end == NULL)
        return len < HEAD_BYTES_MAX
                   ? SLG_AGAIN
                   : slg_errorf(reterr, SLG_MALFORMED, "the server's answer has no end");
    head_len = (size_t)(end - bytes) + 4;
    if (!slg_cursor_take_text(&c, "HTTP/1.1 ") || !slg_cursor_take_uint(&c, 3, 999, &code))
        return slg_errorf(reterr, SLG_MALFORMED, "the server does not speak HTTP/1.1");
    if (code != 101)
        return refused(code, (const char *)bytes + head_len, len - head_len, reterr);
    head = calloc(1, head_len + 1);
    if (head == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the answer");
    memcpy(head, bytes, head_len);
    slg_websocket_accept(key, accept);
    if (!has_header(head, "Sec-WebSocket-Accept", accept))
        status = slg_errorf(reterr, SLG_MALFORMED, "the server did not accept the WebSocket");
    free(head);
    if (status == SLG_OK)
        *ret_len = head_len;
    return status;
}

/* ---- the tail ---- */

struct live {
    const struct slg_ctl *ctl;
    struct slg_fetch *fetch;
    struct slg_websocket_decoder decoder;
    struct slg_buf out;
    struct slg_buf frame;
    uint8_t *bytes; /* READ_BYTES */
};

static enum slg_status shake_hands(struct live *live, const char *url, struct slg_buf *answer,
                                   size_t *ret_head_len, struct slg_error *reterr)
{
    char key[SLG_WEBSOCKET_KEY_BYTES];
    enum slg_status status;
    uint8_t random[16];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return slg_errorf(reterr, SLG_IO, "the system gave no random bytes");
    slg_websocket_key(random, key);
    status = slg_live_request(&live->frame, url, slg_fetch_token(live->fetch), key, reterr);
    if (status == SLG_OK)
        status = slg_fetch_connect(live->fetch, url, reterr);
    if (status == SLG_OK)
        status = slg_fetch_send(live->fetch, live->frame.data, live->frame.len, reterr);
    while (status == SLG_OK) {
        size_t len = 0;

        status = slg_fetch_receive(live->fetch, live->bytes, READ_BYTES, ANSWER_MS, &len, reterr);
        if (status != SLG_OK)
            return status;
        slg_buf_append(answer, live->bytes, len);
        status = slg_live_answer(answer->data, answer->len, key, ret_head_len, reterr);
        if (status != SLG_AGAIN)
            return status;
        status = SLG_OK;
    }
    return status;
}

static enum slg_status send_frame(struct live *live, enum slg_websocket_opcode opcode,
                                  struct slg_text payload, struct slg_error *reterr)
{
    uint8_t mask[4];

    if (getrandom(mask, sizeof(mask), 0) != (ssize_t)sizeof(mask))
        return slg_errorf(reterr, SLG_IO, "the system gave no random bytes");
    slg_buf_clear(&live->frame);
    slg_websocket_encode(&live->frame, opcode, mask, payload.at, payload.len);
    return slg_fetch_send(live->fetch, live->frame.data, live->frame.len, reterr);
}

static enum slg_status show_message(struct live *live, struct slg_text text,
                                    struct slg_error *reterr)
{
    struct slg_json *root = NULL;
    struct slg_answer_line *lines;
    size_t count = 0, dropped;
    enum slg_status status = slg_json_parse((const uint8_t *)text.at, text.len, &root, reterr);

    if (status != SLG_OK)
        return status;
    lines = slg_answer_lines(slg_json_get(root, "streams"), &count);
    dropped = slg_json_count(slg_json_get(root, "dropped_entries"));
    slg_buf_clear(&live->out);
    for (size_t i = 0; lines != NULL && i < count; i++)
        slg_answer_print_line(&live->out, &lines[i], live->ctl->json);
    free(lines);
    slg_json_destroy(root);
    slg_ctl_print(&live->out);
    if (dropped > 0)
        (void)fprintf(stderr, "warning: %zu lines or more were left out: read faster\n", dropped);
    return SLG_OK;
}

static enum slg_status take_event(struct live *live, const struct slg_websocket_event *event,
                                  struct slg_error *reterr)
{
    switch (event->opcode) {
    case SLG_WEBSOCKET_TEXT:
        return show_message(live, event->payload, reterr);
    case SLG_WEBSOCKET_PING:
        return send_frame(live, SLG_WEBSOCKET_PONG, event->payload, reterr);
    case SLG_WEBSOCKET_CLOSE:
        (void)!send_frame(live, SLG_WEBSOCKET_CLOSE, slg_text_make("", 0), NULL); /* if it can */
        return slg_errorf(reterr, SLG_CANCELED, "the server ended the tail: %u %.*s",
                          event->close_code, (int)event->payload.len,
                          event->payload.len == 0 ? "" : event->payload.at);
    case SLG_WEBSOCKET_CONTINUATION:
    case SLG_WEBSOCKET_BINARY:
    case SLG_WEBSOCKET_PONG:
        return SLG_OK;
    }
    return SLG_OK;
}

static enum slg_status take_bytes(struct live *live, struct slg_cursor c, struct slg_error *reterr)
{
    struct slg_websocket_event event;
    enum slg_status status;

    while ((status = slg_websocket_decode(&live->decoder, &c, &event)) == SLG_OK) {
        status = take_event(live, &event, reterr);
        if (status != SLG_OK)
            return status;
    }
    if (status == SLG_AGAIN)
        return SLG_OK;
    return slg_errorf(reterr, status, "the server sent a frame that breaks RFC 6455");
}

static enum slg_status run(struct live *live, const char *url, struct slg_error *reterr)
{
    size_t head_len = 0, len = 0;
    struct slg_buf answer;
    enum slg_status status;

    slg_buf_init(&answer, HEAD_BYTES_MAX + READ_BYTES);
    status = shake_hands(live, url, &answer, &head_len, reterr);
    if (status == SLG_OK)
        status = take_bytes(live, slg_cursor_make(answer.data + head_len, answer.len - head_len),
                            reterr);
    slg_buf_fini(&answer);
    while (status == SLG_OK) {
        status = slg_fetch_receive(live->fetch, live->bytes, READ_BYTES, SILENCE_MS, &len, reterr);
        if (status == SLG_OK)
            status = take_bytes(live, slg_cursor_make(live->bytes, len), reterr);
    }
    return status;
}

enum slg_status slg_live_tail(const struct slg_ctl *ctl, struct slg_fetch *fetch, const char *url,
                              struct slg_error *reterr)
{
    struct live live = { .ctl = ctl, .fetch = fetch, .bytes = malloc(READ_BYTES) };
    enum slg_status status = SLG_NO_MEMORY;

    slg_websocket_decoder_init(&live.decoder, /* from_client= */ false, MESSAGE_BYTES_MAX);
    slg_buf_init(&live.out, SLG_FETCH_BYTES_MAX);
    slg_buf_init(&live.frame, (size_t)2 << 20);
    if (live.bytes != NULL)
        status = run(&live, url, reterr);
    slg_websocket_decoder_fini(&live.decoder);
    slg_buf_fini(&live.out);
    slg_buf_fini(&live.frame);
    free(live.bytes);
    return status;
}
