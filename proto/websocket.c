#include "proto/websocket.h"

#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/utf8.h"

#define FIN             0x80U
#define RSV             0x70U
#define MASKED          0x80U
#define LENGTH_16       126U
#define LENGTH_64       127U
#define CLOSE_TEXT_MAX  (SLG_WEBSOCKET_CONTROL_BYTES_MAX - 2)
#define KEY_TEXT_BYTES  ((size_t)24) /* base64 of 16 bytes */
#define ACCEPT_TEXT_MAX ((size_t)128)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- the handshake ---- */

/* RFC 4648 section 4. out holds 4 bytes for each 3 begun, and a NUL. */
static void base64(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;

        group |= i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < len ? (uint32_t)bytes[i + 2] : 0;
        *out++ = alphabet[group >> 18 & 63];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = i + 1 < len ? alphabet[group >> 6 & 63] : '=';
        *out++ = i + 2 < len ? alphabet[group & 63] : '=';
    }
    *out = '\0';
}

void slg_websocket_key(const uint8_t random[16], char ret_key[SLG_WEBSOCKET_KEY_BYTES])
{
    base64(random, 16, ret_key);
}

void slg_websocket_accept(const char *key, char ret_accept[SLG_WEBSOCKET_ACCEPT_BYTES])
{
    char text[ACCEPT_TEXT_MAX];
    uint8_t digest[20];
    int len = snprintf(text, sizeof(text), "%.64s%s", key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");

    SLG_ASSERT(len > 0);
    SLG_ASSERT((size_t)len < sizeof(text));
    slg_hash_sha1(text, (size_t)len, digest);
    base64(digest, sizeof(digest), ret_accept);
}

/* Is `wanted` one of the comma separated tokens? (RFC 9110 section 5.6.1; case does not matter) */
static bool names(const char *list, const char *wanted)
{
    size_t len = strlen(wanted);

    while (list != NULL && *list != '\0') {
        size_t item;

        list += strspn(list, ", \t");
        item = strcspn(list, ", \t");
        if (item == len && strncasecmp(list, wanted, len) == 0)
            return true;
        list += item;
    }
    return false;
}

/* 16 bytes in base64: 22 characters and "==". */
static bool good_key(const char *key)
{
    if (key == NULL || strlen(key) != KEY_TEXT_BYTES || strcmp(key + 22, "==") != 0)
        return false;
    return strspn(key, alphabet) == 22;
}

enum slg_status slg_websocket_check(const struct slg_websocket_request *request,
                                    char ret_accept[SLG_WEBSOCKET_ACCEPT_BYTES],
                                    struct slg_error *reterr)
{
    if (strcmp(request->method, "GET") != 0)
        return slg_errorf(reterr, SLG_INVALID, "a WebSocket is opened by GET");
    if (!names(request->connection, "upgrade") || !names(request->upgrade, "websocket"))
        return slg_error_hintf(reterr, SLG_INVALID,
                               "does a proxy between drop the headers Upgrade and Connection?",
                               "this is answered over WebSocket only, and the client did not ask "
                               "for it");
    if (request->version == NULL || strcmp(request->version, "13") != 0)
        return slg_errorf(reterr, SLG_UNSUPPORTED,
                          "Sec-WebSocket-Version is not 13, the only one that is spoken here");
    if (!good_key(request->key))
        return slg_errorf(reterr, SLG_INVALID, "Sec-WebSocket-Key is not 16 bytes in base64");
    slg_websocket_accept(request->key, ret_accept);
    return SLG_OK;
}

/* ---- decoding ---- */

void slg_websocket_decoder_init(struct slg_websocket_decoder *d, bool from_client,
                                size_t message_bytes_max)
{
    SLG_ASSERT(message_bytes_max >= SLG_WEBSOCKET_CONTROL_BYTES_MAX);
    memset(d, 0, sizeof(*d));
    d->masked = from_client;
    d->message_bytes_max = message_bytes_max;
    slg_buf_init(&d->message, message_bytes_max);
}

void slg_websocket_decoder_fini(struct slg_websocket_decoder *d)
{
    slg_buf_fini(&d->message);
}

static enum slg_status fail(struct slg_websocket_decoder *d, enum slg_status status, unsigned code)
{
    d->close_code = code;
    return status;
}

static bool is_control(unsigned opcode)
{
    return opcode >= SLG_WEBSOCKET_CLOSE;
}

static unsigned frame_opcode(const struct slg_websocket_decoder *d)
{
    return d->header[0] & 15U;
}

/* Bytes of the header that begins with these two. */
static size_t header_bytes(const struct slg_websocket_decoder *d)
{
    unsigned length = d->header[1] & 127U;
    size_t bytes = 2;

    if (length == LENGTH_16)
        bytes += 2;
    else if (length == LENGTH_64)
        bytes += 8;
    return bytes + (d->masked ? 4 : 0);
}

/* The first two bytes are there: what they say alone. */
static bool good_start(const struct slg_websocket_decoder *d)
{
    unsigned opcode = frame_opcode(d), length = d->header[1] & 127U;
    bool fin = (d->header[0] & FIN) != 0;

    if ((d->header[0] & RSV) != 0 || ((d->header[1] & MASKED) != 0) != d->masked)
        return false;
    switch (opcode) {
    case SLG_WEBSOCKET_CLOSE:
    case SLG_WEBSOCKET_PING:
    case SLG_WEBSOCKET_PONG:
        return fin && length <= SLG_WEBSOCKET_CONTROL_BYTES_MAX;
    case SLG_WEBSOCKET_CONTINUATION:
        return d->message_opcode != SLG_WEBSOCKET_CONTINUATION;
    case SLG_WEBSOCKET_TEXT:
    case SLG_WEBSOCKET_BINARY:
        return d->message_opcode == SLG_WEBSOCKET_CONTINUATION;
    default:
        return false;
    }
}

/* The whole header is there. */
static enum slg_status start_payload(struct slg_websocket_decoder *d)
{
    uint64_t len = d->header[1] & 127U;
    size_t length_bytes = len == LENGTH_64 ? 8 : len == LENGTH_16 ? 2 : 0;
    unsigned opcode = frame_opcode(d);
    bool minimal = true;

    if (length_bytes > 0) {
        len = 0;
        for (size_t i = 0; i < length_bytes; i++)
            len = len << 8 | d->header[2 + i];
        minimal = len > (length_bytes == 8 ? UINT16_MAX : LENGTH_16 - 1);
    }
    if (!minimal || len > INT64_MAX) /* section 5.2: the most significant bit is 0 */
        return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_PROTOCOL_ERROR);
    if (!is_control(opcode)) {
        if (len > d->message_bytes_max - d->message.len)
            return fail(d, SLG_LIMIT, SLG_WEBSOCKET_TOO_BIG);
        if (opcode != SLG_WEBSOCKET_CONTINUATION)
            d->message_opcode = (enum slg_websocket_opcode)opcode;
    }
    d->control_len = 0;
    d->payload_left = (size_t)len;
    d->payload_taken = 0;
    d->in_payload = true;
    return SLG_OK;
}

/* OK: the header is read. AGAIN: more bytes are needed. */
static enum slg_status take_header(struct slg_websocket_decoder *d, struct slg_cursor *c)
{
    while (slg_cursor_left(c) > 0) {
        d->header[d->header_len++] = *c->at++;
        if (d->header_len == 2 && !good_start(d))
            return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_PROTOCOL_ERROR);
        if (d->header_len >= 2 && d->header_len == header_bytes(d))
            return start_payload(d);
    }
    return SLG_AGAIN;
}

static enum slg_status take_payload(struct slg_websocket_decoder *d, struct slg_cursor *c)
{
    const uint8_t *mask = d->header + d->header_len - 4;
    size_t len = slg_cursor_left(c) < d->payload_left ? slg_cursor_left(c) : d->payload_left;
    uint8_t *to = d->control + d->control_len;

    if (is_control(frame_opcode(d))) {
        d->control_len += len;
    } else if (len > 0) {
        if (!slg_buf_reserve(&d->message, len))
            return fail(d, SLG_NO_MEMORY, SLG_WEBSOCKET_TOO_BIG);
        to = d->message.data + d->message.len;
        d->message.len += len;
    }
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(c->at[i] ^ (d->masked ? mask[(d->payload_taken + i) & 3] : 0));
    c->at += len;
    d->payload_taken += len;
    d->payload_left -= len;
    return d->payload_left == 0 ? SLG_OK : SLG_AGAIN;
}

static bool is_utf8(struct slg_text text)
{
    size_t step;

    for (size_t at = 0; at < text.len; at += step)
        if (!slg_utf8_check((const uint8_t *)text.at + at, text.len - at, &step))
            return false;
    return true;
}

/* Codes that may stand in a close frame: section 7.4, and 1012 to 1014 of IANA's registry. */
static bool good_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static enum slg_status tell_close(struct slg_websocket_decoder *d,
                                  struct slg_websocket_event *ret_event)
{
    struct slg_websocket_event event = { .opcode = SLG_WEBSOCKET_CLOSE,
                                         .close_code = SLG_WEBSOCKET_NO_CODE };

    if (d->control_len == 1)
        return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_PROTOCOL_ERROR);
    if (d->control_len >= 2) {
        event.close_code = (unsigned)d->control[0] << 8 | d->control[1];
        event.payload = slg_text_make(d->control + 2, d->control_len - 2);
        if (!good_close_code(event.close_code))
            return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_PROTOCOL_ERROR);
        if (!is_utf8(event.payload))
            return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_BAD_DATA);
    }
    *ret_event = event;
    return SLG_OK;
}

/* A frame is whole. AGAIN: it was a piece of a message. */
static enum slg_status end_frame(struct slg_websocket_decoder *d,
                                 struct slg_websocket_event *ret_event)
{
    unsigned opcode = frame_opcode(d);
    struct slg_websocket_event event;

    d->header_len = 0;
    d->in_payload = false;
    if (opcode == SLG_WEBSOCKET_CLOSE)
        return tell_close(d, ret_event);
    if (is_control(opcode)) {
        *ret_event =
            (struct slg_websocket_event){ .opcode = (enum slg_websocket_opcode)opcode,
                                          .payload = slg_text_make(d->control, d->control_len) };
        return SLG_OK;
    }
    if ((d->header[0] & FIN) == 0)
        return SLG_AGAIN;
    event =
        (struct slg_websocket_event){ .opcode = d->message_opcode,
                                      .payload = slg_text_make(d->message.data, d->message.len) };
    d->message_opcode = SLG_WEBSOCKET_CONTINUATION;
    d->told = true;
    if (event.opcode == SLG_WEBSOCKET_TEXT && !is_utf8(event.payload))
        return fail(d, SLG_MALFORMED, SLG_WEBSOCKET_BAD_DATA);
    *ret_event = event;
    return SLG_OK;
}

enum slg_status slg_websocket_decode(struct slg_websocket_decoder *d, struct slg_cursor *c,
                                     struct slg_websocket_event *ret_event)
{
    if (d->close_code != 0)
        return d->close_code == SLG_WEBSOCKET_TOO_BIG ? SLG_LIMIT : SLG_MALFORMED;
    if (d->told) {
        d->told = false;
        slg_buf_clear(&d->message);
    }
    for (;;) {
        enum slg_status status = d->in_payload ? SLG_OK : take_header(d, c);

        if (status == SLG_OK)
            status = take_payload(d, c);
        if (status == SLG_OK)
            status = end_frame(d, ret_event);
        else
            return status;
        if (status != SLG_AGAIN)
            return status;
    }
}

/* ---- encoding ---- */

size_t slg_websocket_frame_bytes(size_t len)
{
    if (len < LENGTH_16)
        return 2 + len;
    return len <= UINT16_MAX ? 4 + len : 10 + len;
}

void slg_websocket_encode(struct slg_buf *out, enum slg_websocket_opcode opcode,
                          const uint8_t mask[4], const void *payload, size_t len)
{
    uint8_t masked = mask == NULL ? 0 : (uint8_t)MASKED;

    if (is_control(opcode) && len > SLG_WEBSOCKET_CONTROL_BYTES_MAX)
        len = SLG_WEBSOCKET_CONTROL_BYTES_MAX;
    slg_buf_append_byte(out, (uint8_t)(FIN | (unsigned)opcode));
    if (len < LENGTH_16) {
        slg_buf_append_byte(out, (uint8_t)(masked | len));
    } else if (len <= UINT16_MAX) {
        slg_buf_append_byte(out, (uint8_t)(masked | LENGTH_16));
        slg_buf_append_u16be(out, (uint16_t)len);
    } else {
        slg_buf_append_byte(out, (uint8_t)(masked | LENGTH_64));
        slg_buf_append_u64be(out, len);
    }
    if (mask == NULL) {
        slg_buf_append(out, payload, len);
        return;
    }
    slg_buf_append(out, mask, 4);
    for (size_t i = 0; i < len; i++)
        slg_buf_append_byte(out, (uint8_t)(((const uint8_t *)payload)[i] ^ mask[i & 3]));
}

void slg_websocket_encode_close(struct slg_buf *out, const uint8_t mask[4], unsigned code,
                                const char *reason)
{
    uint8_t payload[SLG_WEBSOCKET_CONTROL_BYTES_MAX] = { (uint8_t)(code >> 8), (uint8_t)code };
    size_t len = 0, step, reason_len = strlen(reason);

    SLG_ASSERT(good_close_code(code));
    while (len < reason_len) {
        if (!slg_utf8_check((const uint8_t *)reason + len, reason_len - len, &step) ||
            len + step > CLOSE_TEXT_MAX)
            break; /* a reason that is not UTF-8 ends where it stops being it */
        memcpy(payload + 2 + len, reason + len, step);
        len += step;
    }
    slg_websocket_encode(out, SLG_WEBSOCKET_CLOSE, mask, payload, 2 + len);
}
