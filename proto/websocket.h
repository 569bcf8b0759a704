/* proto/websocket.h - WebSocket (RFC 6455, version 13): the handshake's checks and the frames, without any I/O.
 *
 * Both ends: a server decodes masked frames and sends unmasked ones, a client the other way round. No extensions and
 * no subprotocols, so RSV bits are an error. Why not a library: docs/adr/0010.
 * Owner:   the decoder is embedded by the caller and owns the message in hand; events borrow from it until the next
 *          call. Encoding appends to a slg_buf.
 * Threads: one per decoder; encoding is pure.
 * Refuses: frames masked wrongly for their sender, RSV bits, unknown opcodes, control frames that are fragmented or
 *          over 125 bytes, lengths that are not minimal, a continuation without a start and a start inside a message,
 *          close codes that may not be sent (MALFORMED, 1002); text and close reasons that are not UTF-8 (MALFORMED,
 *          1007); messages over message_bytes_max, told from the length field before anything is kept (LIMIT, 1009). */
#ifndef SLG_PROTO_WEBSOCKET_H
#define SLG_PROTO_WEBSOCKET_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/status.h"
#include "proto/label.h"

/* ---- the handshake (RFC 6455 section 4.2) ---- */

/* What the client asked; absent headers are NULL. */
struct slg_websocket_request {
    const char *method;
    const char *upgrade;    /* must name "websocket" */
    const char *connection; /* must name "upgrade" */
    const char *version;    /* must be 13 */
    const char *key;        /* 16 bytes in base64 */
};
#define SLG_WEBSOCKET_ACCEPT_BYTES 29 /* 28 characters and a NUL */

/* OK: ret_accept is the value of Sec-WebSocket-Accept. UNSUPPORTED: another version (answer 426 and name 13).
 * INVALID: this is no WebSocket handshake; the text says why. */
SLG_MUST_CHECK enum slg_status slg_websocket_check(const struct slg_websocket_request *request,
                                                   char ret_accept[SLG_WEBSOCKET_ACCEPT_BYTES],
                                                   struct slg_error *reterr);
/* The accept value that belongs to a key; what a client compares with. */
void slg_websocket_accept(const char *key, char ret_accept[SLG_WEBSOCKET_ACCEPT_BYTES]);
/* Base64 of 16 random bytes: a client's key. ret_key holds 25 bytes. */
#define SLG_WEBSOCKET_KEY_BYTES 25
void slg_websocket_key(const uint8_t random[16], char ret_key[SLG_WEBSOCKET_KEY_BYTES]);

/* ---- frames (section 5) ---- */

enum slg_websocket_opcode {
    SLG_WEBSOCKET_CONTINUATION = 0, /* never told: messages come whole */
    SLG_WEBSOCKET_TEXT = 1,
    SLG_WEBSOCKET_BINARY = 2,
    SLG_WEBSOCKET_CLOSE = 8,
    SLG_WEBSOCKET_PING = 9,
    SLG_WEBSOCKET_PONG = 10,
};

/* Close codes (section 7.4.1). */
#define SLG_WEBSOCKET_PROTOCOL_ERROR 1002U
#define SLG_WEBSOCKET_NO_CODE        1005U /* told by the decoder for an empty close, never sent */
#define SLG_WEBSOCKET_BAD_DATA       1007U
#define SLG_WEBSOCKET_TOO_BIG        1009U
#define SLG_WEBSOCKET_SERVER_ERROR   1011U

#define SLG_WEBSOCKET_CONTROL_BYTES_MAX ((size_t)125)
#define SLG_WEBSOCKET_HEADER_BYTES_MAX  ((size_t)14)

struct slg_websocket_event {
    enum slg_websocket_opcode opcode;
    struct slg_text payload; /* of CLOSE: the reason */
    unsigned close_code;     /* of CLOSE */
};

struct slg_websocket_decoder {
    /* Set by init. */
    bool masked; /* frames must be: they come from a client */
    size_t message_bytes_max;
    /* State. */
    uint8_t header[SLG_WEBSOCKET_HEADER_BYTES_MAX];
    size_t header_len;    /* of it that is there */
    size_t payload_left;  /* of the frame in hand */
    size_t payload_taken; /* for the mask */
    bool in_payload;
    enum slg_websocket_opcode message_opcode; /* CONTINUATION: no message is open */
    bool told;                                /* `message` was told and is over */
    struct slg_buf message;
    uint8_t control[SLG_WEBSOCKET_CONTROL_BYTES_MAX];
    size_t control_len;
    unsigned close_code; /* after a failure: what to close with */
};

/* from_client: of a server's decoder. message_bytes_max >= 125. */
void slg_websocket_decoder_init(struct slg_websocket_decoder *decoder, bool from_client,
                                size_t message_bytes_max);
void slg_websocket_decoder_fini(struct slg_websocket_decoder *decoder);

/* Take bytes from the cursor. OK: *ret_event is a whole message or a control frame, bytes may be left; AGAIN: all bytes
 * were taken and more are needed. MALFORMED, LIMIT, NO_MEMORY: decoder->close_code says what to close with; the
 * decoder says the same for ever after. */
SLG_MUST_CHECK enum slg_status slg_websocket_decode(struct slg_websocket_decoder *decoder,
                                                    struct slg_cursor *c,
                                                    struct slg_websocket_event *ret_event);

/* Append one whole frame. mask: 4 random bytes of a client, NULL for a server. A control frame's payload is cut at 125
 * bytes. */
void slg_websocket_encode(struct slg_buf *out, enum slg_websocket_opcode opcode,
                          const uint8_t mask[4], const void *payload, size_t len);
/* Append a close frame; the reason is cut at 123 bytes, at the border of a code point. */
void slg_websocket_encode_close(struct slg_buf *out, const uint8_t mask[4], unsigned code,
                                const char *reason);
/* Bytes of a server's frame around len bytes. */
size_t slg_websocket_frame_bytes(size_t len);

#endif
