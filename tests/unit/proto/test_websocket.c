/* The codec takes exactly the frames that RFC 6455 allows from that side, whole or in pieces of any size, and refuses
 * all others with the close code that the RFC names. What it encodes a decoder of the other side reads back.
 * Oracle: the examples of RFC 6455 (sections 1.3 and 5.7), rows written by hand from its rules, and round trips. */
#include "tests/helper/test.h"

#include "proto/websocket.h"

#define MESSAGE_MAX ((size_t)1000)

/* ---- the handshake ---- */

static const struct handshake_case {
    const char *name;
    struct slg_websocket_request request;
    enum slg_status want;
} handshakes[] = {
    { "RFC 6455 section 1.3",
      { "GET", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_OK },
    { "Firefox: two tokens",
      { "GET", "WebSocket", "keep-alive, Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_OK },
    { "nothing asked", { "GET", NULL, NULL, NULL, NULL }, SLG_INVALID },
    { "Upgrade lost by a proxy",
      { "GET", NULL, "close", "13", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_INVALID },
    { "another protocol",
      { "GET", "h2c", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_INVALID },
    { "token only as a part",
      { "GET", "websocketx", "upgrades", "13", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_INVALID },
    { "POST", { "POST", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==" }, SLG_INVALID },
    { "old version",
      { "GET", "websocket", "Upgrade", "8", "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_UNSUPPORTED },
    { "no version",
      { "GET", "websocket", "Upgrade", NULL, "dGhlIHNhbXBsZSBub25jZQ==" },
      SLG_UNSUPPORTED },
    { "no key", { "GET", "websocket", "Upgrade", "13", NULL }, SLG_INVALID },
    { "empty key", { "GET", "websocket", "Upgrade", "13", "" }, SLG_INVALID },
    { "key of 15 bytes",
      { "GET", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25j" },
      SLG_INVALID },
    { "key not base64",
      { "GET", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub2*jZQ==" },
      SLG_INVALID },
    { "key of 18 bytes",
      { "GET", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQaa" },
      SLG_INVALID },
};

static void test_handshake(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(handshakes); i++) {
        const struct handshake_case *row = &handshakes[i];
        char accept[SLG_WEBSOCKET_ACCEPT_BYTES] = "untouched";
        struct slg_error error = { 0 };
        enum slg_status status = slg_websocket_check(&row->request, accept, &error);

        CHECK(row->name, status == row->want);
        CHECK(row->name,
              strcmp(accept, status == SLG_OK ? "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" : "untouched") == 0);
        CHECK(row->name, (status == SLG_OK) == (error.message[0] == '\0'));
    }
}

static void test_key(void **state)
{
    char key[SLG_WEBSOCKET_KEY_BYTES];

    (void)state;
    slg_websocket_key((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");
}

/* ---- frames ---- */

#define BYTES(text) (text), sizeof(text) - 1
#define MASK        "\x01\x02\x03\x04"

/* What a decoder says of the bytes: events in a short notation, then the close code if it failed. */
static const struct frame_case {
    const char *name;
    bool from_client;
    const char *bytes;
    size_t len;
    const char *want;
} frames[] = {
    { "5.7: unmasked Hello", false, BYTES("\x81\x05Hello"), "T:Hello " },
    { "5.7: masked Hello", true, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"),
      "T:Hello " },
    { "5.7: Hello in two fragments", false, BYTES("\x01\x03Hel\x80\x02lo"), "T:Hello " },
    { "5.7: ping", false, BYTES("\x89\x05Hello"), "P:Hello " },
    { "5.7: masked pong", true, BYTES("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "O:Hello " },
    { "5.4: a ping within a message", false, BYTES("\x01\x03Hel\x89\x01x\x80\x02lo"),
      "P:x T:Hello " },
    { "empty text", false, BYTES("\x81\x00"), "T: " },
    { "empty fragments", false, BYTES("\x01\x00\x00\x00\x80\x00"), "T: " },
    { "binary is bytes", false, BYTES("\x82\x02\xff\xfe"), "B:\xff\xfe " },
    { "two messages", false,
      BYTES("\x81\x01"
            "a\x82\x01"
            "b"),
      "T:a B:b " },
    { "masked and empty", true, BYTES("\x89\x80" MASK), "P: " },
    { "cut header", false, BYTES("\x81"), "" },
    { "cut payload", false, BYTES("\x81\x05Hel"), "" },
    { "client without a mask", true, BYTES("\x81\x05Hello"), "!1002" },
    { "server with a mask", false, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "!1002" },
    { "RSV1 without an extension", false, BYTES("\xc1\x05Hello"), "!1002" },
    { "RSV3", false, BYTES("\x91\x05Hello"), "!1002" },
    { "reserved data opcode 3", false, BYTES("\x83\x00"), "!1002" },
    { "reserved control opcode 11", false, BYTES("\x8b\x00"), "!1002" },
    { "fragmented ping", false, BYTES("\x09\x00"), "!1002" },
    { "fragmented close", false, BYTES("\x08\x00"), "!1002" },
    { "ping over 125 bytes", false, BYTES("\x89\x7e\x00\x7e"), "!1002" },
    { "continuation of nothing", false, BYTES("\x80\x01x"), "!1002" },
    { "text within a message", false, BYTES("\x01\x01x\x81\x01y"), "!1002" },
    { "length 16 not minimal", false, BYTES("\x81\x7e\x00\x7d"), "!1002" },
    { "length 64 not minimal", false, BYTES("\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "!1002" },
    { "length 64 with its top bit", false, BYTES("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"),
      "!1002" },
    { "longest message and one", false, BYTES("\x82\x7e\x03\xe9"), "!1009" },
    { "huge message", false, BYTES("\x82\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"), "!1009" },
    { "too large in pieces", false, BYTES("\x02\x05Hello\x00\x7e\x03\xe4"), "!1009" },
    { "text not UTF-8", false, BYTES("\x81\x02\xc3\x28"), "!1007" },
    { "UTF-8 cut at a fragment", false, BYTES("\x01\x01\xc3\x80\x01\xa4"), "T:\xc3\xa4 " },
    { "UTF-8 cut at the end", false, BYTES("\x01\x01\xc3\x80\x00"), "!1007" },
    { "close without a code", false, BYTES("\x88\x00"), "C1005: " },
    { "close", false,
      BYTES("\x88\x05\x03\xe8"
            "bye"),
      "C1000:bye " },
    { "close of an application", false, BYTES("\x88\x02\x0f\xa0"), "C4000: " },
    { "close with half a code", false, BYTES("\x88\x01\x03"), "!1002" },
    { "close 1005 may not be sent", false, BYTES("\x88\x02\x03\xed"), "!1002" },
    { "close 1006 may not be sent", false, BYTES("\x88\x02\x03\xee"), "!1002" },
    { "close 999", false, BYTES("\x88\x02\x03\xe7"), "!1002" },
    { "close 2999", false, BYTES("\x88\x02\x0b\xb7"), "!1002" },
    { "close 5000", false, BYTES("\x88\x02\x13\x88"), "!1002" },
    { "close reason not UTF-8", false, BYTES("\x88\x03\x03\xe8\xff"), "!1007" },
    { "nothing after a failure", false, BYTES("\x8b\x00\x81\x05Hello"), "!1002" },
};

static void note(struct slg_buf *out, const struct slg_websocket_event *event)
{
    switch (event->opcode) {
    case SLG_WEBSOCKET_TEXT:
        slg_buf_append_text(out, "T:");
        break;
    case SLG_WEBSOCKET_BINARY:
        slg_buf_append_text(out, "B:");
        break;
    case SLG_WEBSOCKET_PING:
        slg_buf_append_text(out, "P:");
        break;
    case SLG_WEBSOCKET_PONG:
        slg_buf_append_text(out, "O:");
        break;
    case SLG_WEBSOCKET_CLOSE:
        slg_buf_printf(out, "C%u:", event->close_code);
        break;
    case SLG_WEBSOCKET_CONTINUATION:
        fail_msg("a piece was told");
    }
    slg_buf_append(out, event->payload.at, event->payload.len);
    slg_buf_append_byte(out, ' ');
}

/* Everything that a decoder says when it gets the bytes `piece` at a time. */
static void decode_all(const char *bytes, size_t len, size_t piece, bool from_client,
                       struct slg_buf *out)
{
    struct slg_websocket_decoder decoder;
    enum slg_status status = SLG_AGAIN;

    slg_websocket_decoder_init(&decoder, from_client, MESSAGE_MAX);
    for (size_t at = 0; at < len && status == SLG_AGAIN; at += piece) {
        size_t now = len - at < piece ? len - at : piece;
        uint8_t *block = test_block(bytes + at, now);
        struct slg_cursor c = slg_cursor_make(block, now);
        struct slg_websocket_event event;

        while ((status = slg_websocket_decode(&decoder, &c, &event)) == SLG_OK)
            note(out, &event);
        if (status == SLG_AGAIN)
            assert_int_equal(slg_cursor_left(&c), 0);
        free(block);
    }
    if (status != SLG_AGAIN) {
        struct slg_cursor none = slg_cursor_make(NULL, 0);
        struct slg_websocket_event event;

        slg_buf_printf(out, "!%u", decoder.close_code);
        assert_int_equal(status,
                         decoder.close_code == SLG_WEBSOCKET_TOO_BIG ? SLG_LIMIT : SLG_MALFORMED);
        assert_int_equal(slg_websocket_decode(&decoder, &none, &event), status);
    }
    slg_websocket_decoder_fini(&decoder);
}

static void test_frames(void **state)
{
    static const size_t pieces[] = { 1, 2, 3, 7, 4096 };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(frames); i++) {
        const struct frame_case *row = &frames[i];

        for (size_t k = 0; k < SLG_ARRAY_LEN(pieces); k++) {
            struct slg_buf out;

            slg_buf_init(&out, 4096);
            decode_all(row->bytes, row->len, pieces[k], row->from_client, &out);
            slg_buf_append_byte(&out, '\0');
            if (strcmp((const char *)out.data, row->want) != 0)
                print_error("got \"%s\"\n", (const char *)out.data);
            CHECK(row->name, strcmp((const char *)out.data, row->want) == 0);
            slg_buf_fini(&out);
        }
    }
}

/* ---- round trips ---- */

static void test_round_trip(void **state)
{
    static const size_t lengths[] = { 0, 1, 124, 125, 126, 127, 999, 1000 };
    static const uint8_t mask[4] = { 0xde, 0xad, 0x00, 0xef };

    (void)state;
    for (size_t i = 0; i < 2 * SLG_ARRAY_LEN(lengths); i++) {
        size_t len = lengths[i / 2];
        uint8_t *payload = malloc(len + 1);
        struct slg_websocket_decoder decoder;
        struct slg_websocket_event event;
        struct slg_buf out;
        struct slg_cursor c;

        for (size_t k = 0; k < len; k++)
            payload[k] = (uint8_t)(k * 7);
        slg_buf_init(&out, 4096);
        slg_websocket_encode(&out, SLG_WEBSOCKET_BINARY, i % 2 == 0 ? NULL : mask, payload, len);
        assert_int_equal(out.len, slg_websocket_frame_bytes(len) + (i % 2 == 0 ? 0 : 4));
        slg_websocket_decoder_init(&decoder, i % 2 == 1, MESSAGE_MAX);
        c = slg_cursor_make(out.data, out.len);
        assert_int_equal(slg_websocket_decode(&decoder, &c, &event), SLG_OK);
        assert_int_equal(event.payload.len, len);
        if (len > 0)
            assert_memory_equal(event.payload.at, payload, len);
        assert_int_equal(slg_cursor_left(&c), 0);
        slg_websocket_decoder_fini(&decoder);
        slg_buf_fini(&out);
        free(payload);
    }
}

static void test_long_frames(void **state)
{
    size_t len = 70000;
    uint8_t *payload = calloc(1, len);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 1 << 20);
    slg_websocket_encode(&out, SLG_WEBSOCKET_TEXT, NULL, payload, len);
    assert_int_equal(out.len, slg_websocket_frame_bytes(len));
    assert_memory_equal(out.data, "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70", 10);
    slg_buf_fini(&out);
    free(payload);
}

/* A close reason is cut at 123 bytes, before the code point that does not fit. */
static void test_close_reason(void **state)
{
    char reason[200];
    struct slg_websocket_decoder decoder;
    struct slg_websocket_event event;
    struct slg_buf out;
    struct slg_cursor c;

    (void)state;
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + 122, "\xc3\xa4", 2);
    reason[199] = '\0';
    slg_buf_init(&out, 4096);
    slg_websocket_encode_close(&out, NULL, SLG_WEBSOCKET_SERVER_ERROR, reason);
    slg_websocket_decoder_init(&decoder, false, MESSAGE_MAX);
    c = slg_cursor_make(out.data, out.len);
    assert_int_equal(slg_websocket_decode(&decoder, &c, &event), SLG_OK);
    assert_int_equal(event.opcode, SLG_WEBSOCKET_CLOSE);
    assert_int_equal(event.close_code, 1011);
    assert_int_equal(event.payload.len, 122);
    slg_websocket_decoder_fini(&decoder);
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),   cmocka_unit_test(test_key),
        cmocka_unit_test(test_frames),      cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_long_frames), cmocka_unit_test(test_close_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
