/* The client's half of a WebSocket handshake: what is asked, and what answers mean.
 * Oracle: RFC 6455 section 4.1, RFC 7617, RFC 6750, and rows written by hand. The rest runs against a daemon in tests/e2e/ctl. */
#include "tests/helper/test.h"

#include "ctl/live.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

#define BEFORE                                                                                     \
    "User-Agent: silagectl/" SLG_VERSION "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
#define BEHIND "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n"

static const struct request_case {
    const char *name, *url, *token, *want; /* NULL: refused */
} requests[] = {
    { "open", "https://[::1]:3100/a/tail?query=%7B", NULL,
      "GET /a/tail?query=%7B HTTP/1.1\r\nHost: [::1]:3100\r\n" BEFORE BEHIND },
    { "token", "http://h/t", "abc",
      "GET /t HTTP/1.1\r\nHost: h\r\n" BEFORE "Authorization: Bearer abc\r\n" BEHIND },
    { "userinfo", "http://x:abc@h:1/t", NULL,
      "GET /t HTTP/1.1\r\nHost: h:1\r\n" BEFORE "Authorization: Basic eDphYmM=\r\n" BEHIND },
    { "userinfo wins", "http://x:abc@h:1/t", "token",
      "GET /t HTTP/1.1\r\nHost: h:1\r\n" BEFORE "Authorization: Basic eDphYmM=\r\n" BEHIND },
    { "no scheme", "localhost", NULL, NULL },
    { "no path", "http://x", NULL, NULL },
    { "a space", "http://x/a b", NULL, NULL },
};

static void test_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(requests); i++) {
        const struct request_case *row = &requests[i];
        struct slg_buf out;
        enum slg_status status;

        slg_buf_init(&out, 4096);
        status = slg_live_request(&out, row->url, row->token, KEY, NULL);
        CHECK(row->name, status == (row->want == NULL ? SLG_INVALID : SLG_OK));
        slg_buf_append_byte(&out, '\0');
        CHECK(row->name, row->want == NULL || strcmp((const char *)out.data, row->want) == 0);
        slg_buf_fini(&out);
    }
}

#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static const struct answer_case {
    const char *name, *bytes;
    enum slg_status want;
    size_t head_len;
} answers[] = {
    { "nothing yet", "", SLG_AGAIN, 7 },
    { "half a head", "HTTP/1.1 101 Switching Protocols\r\n" ACCEPT, SLG_AGAIN, 7 },
    { "accepted", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" ACCEPT "\r\n\x81",
      SLG_OK, 108 },
    { "name in capitals",
      "HTTP/1.1 101 x\r\nSEC-WEBSOCKET-ACCEPT:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", SLG_OK, 69 },
    { "another key's", "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n", SLG_MALFORMED, 7 },
    { "no accept", "HTTP/1.1 101 x\r\n\r\n", SLG_MALFORMED, 7 },
    { "refused", "HTTP/1.1 400 Bad Request\r\n\r\nparse error\n", SLG_INVALID, 7 },
    { "too many", "HTTP/1.1 429 Too Many Requests\r\n\r\n", SLG_INVALID, 7 },
    { "no such path", "HTTP/1.1 404 Not Found\r\n\r\n", SLG_UNSUPPORTED, 7 },
    { "not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", SLG_MALFORMED, 7 },
    { "HTTP/1.0", "HTTP/1.0 101 x\r\n\r\n", SLG_MALFORMED, 7 },
};

static void test_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(answers); i++) {
        const struct answer_case *row = &answers[i];
        size_t len = strlen(row->bytes), head_len = 7;
        uint8_t *block = test_block(row->bytes, len);

        CHECK(row->name, slg_live_answer(block, len, KEY, &head_len, NULL) == row->want);
        CHECK(row->name, head_len == row->head_len);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
