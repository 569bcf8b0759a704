/* Frames from a client or a server: never over the limit, the same events however the bytes are cut, and what comes
 * out goes in again. The first byte chooses the side and the size of the pieces. */
#include "base/assert.h"
#include "base/hash.h"
#include "proto/websocket.h"

#define MESSAGE_MAX ((size_t)300)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(const struct slg_websocket_event *event, struct slg_buf *log)
{
    SLG_ASSERT(event->payload.len <= MESSAGE_MAX);
    SLG_ASSERT(event->opcode != SLG_WEBSOCKET_CONTINUATION);
    if (event->opcode >= SLG_WEBSOCKET_CLOSE)
        SLG_ASSERT(event->payload.len <= SLG_WEBSOCKET_CONTROL_BYTES_MAX);
    if (event->opcode == SLG_WEBSOCKET_CLOSE && event->close_code != SLG_WEBSOCKET_NO_CODE)
        SLG_ASSERT(event->close_code >= 1000 && event->close_code < 5000);
    if (event->opcode == SLG_WEBSOCKET_CLOSE)
        slg_buf_append_u16be(log, (uint16_t)event->close_code);
    slg_websocket_encode(log, event->opcode, NULL, event->payload.at, event->payload.len);
}

static enum slg_status run(const uint8_t *data, size_t size, bool from_client, size_t piece,
                           struct slg_buf *log)
{
    struct slg_websocket_decoder decoder;
    enum slg_status status = SLG_AGAIN;

    slg_websocket_decoder_init(&decoder, from_client, MESSAGE_MAX);
    for (size_t at = 0; at < size && status == SLG_AGAIN; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        struct slg_cursor c = slg_cursor_make(data + at, len);
        struct slg_websocket_event event;

        while ((status = slg_websocket_decode(&decoder, &c, &event)) == SLG_OK)
            check_event(&event, log);
    }
    SLG_ASSERT((status != SLG_AGAIN) == (decoder.close_code != 0));
    slg_websocket_decoder_fini(&decoder);
    return status;
}

static void try_handshake(const uint8_t *data, size_t size)
{
    char text[64] = { 0 }, accept[SLG_WEBSOCKET_ACCEPT_BYTES];
    struct slg_websocket_request request = { "GET", text, "upgrade", "13", text };
    struct slg_error error;

    if (size > 0)
        memcpy(text, data, size < 63 ? size : 63);
    (void)!slg_websocket_check(&request, accept, &error); /* whatever it says */
    request.upgrade = "websocket";
    if (slg_websocket_check(&request, accept, &error) == SLG_OK)
        SLG_ASSERT(strlen(accept) == 28 && strlen(text) == 24);
}

/* What is encoded with a mask decodes to itself; a close carries its code, and as much of the reason as is UTF-8. */
static void check_encoding(const uint8_t *data, size_t size)
{
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    struct slg_websocket_decoder decoder;
    struct slg_websocket_event event;
    char reason[200] = { 0 }, key[SLG_WEBSOCKET_KEY_BYTES];
    uint8_t random[16] = { 0 };
    struct slg_cursor c;
    struct slg_buf out;

    memcpy(reason, data, size < sizeof(reason) ? size : sizeof(reason) - 1);
    memcpy(random, data, size < sizeof(random) ? size : sizeof(random));
    slg_websocket_key(random, key);
    SLG_ASSERT(strlen(key) == 24);
    slg_buf_init(&out, size + 1024);
    slg_websocket_encode(&out, SLG_WEBSOCKET_BINARY, mask, data, size);
    SLG_ASSERT(out.len == slg_websocket_frame_bytes(size) + sizeof(mask));
    slg_websocket_encode_close(&out, mask, 1000, reason);
    c = slg_cursor_make(out.data, out.len);
    slg_websocket_decoder_init(&decoder, /* from_client= */ true,
                               size + SLG_WEBSOCKET_CONTROL_BYTES_MAX);
    SLG_ASSERT(slg_websocket_decode(&decoder, &c, &event) == SLG_OK);
    SLG_ASSERT(event.opcode == SLG_WEBSOCKET_BINARY);
    SLG_ASSERT(event.payload.len == size);
    SLG_ASSERT(memcmp(event.payload.at, data, size) == 0);
    SLG_ASSERT(slg_websocket_decode(&decoder, &c, &event) == SLG_OK);
    SLG_ASSERT(event.opcode == SLG_WEBSOCKET_CLOSE);
    SLG_ASSERT(event.close_code == 1000);
    slg_websocket_decoder_fini(&decoder);
    slg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_buf whole, pieces;
    enum slg_status status;
    size_t piece;

    if (size == 0)
        return 0;
    piece = 1 + (data[0] >> 1) % 16;
    slg_buf_init(&whole, (size_t)1 << 24);
    slg_buf_init(&pieces, (size_t)1 << 24);
    status = run(data + 1, size - 1, (data[0] & 1) != 0, SIZE_MAX / 2, &whole);
    SLG_ASSERT(run(data + 1, size - 1, (data[0] & 1) != 0, piece, &pieces) == status);
    SLG_ASSERT(whole.len == pieces.len);
    SLG_ASSERT(whole.len == 0 || memcmp(whole.data, pieces.data, whole.len) == 0);
    slg_buf_fini(&whole);
    slg_buf_fini(&pieces);
    try_handshake(data + 1, size - 1);
    check_encoding(data, size);
    return 0;
}
