/* URLs are taken or refused with the reason; what they say is found in them.
 * Oracle: a table. */
#include "tests/helper/test.h"

#include "proto/address.h"

#define LONG_HOST                                                                                  \
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "23456789"

static const struct address_case {
    const char *name, *url;
    enum slg_address_files files;
    const char *refusal; /* part of the message; NULL: it is taken */
} cases[] = {
    { "TCP", "tcp://127.0.0.1:4100", SLG_ADDRESS_FILES_NONE, NULL },
    { "TCP over IPv6", "tcp://[::1]:0", SLG_ADDRESS_FILES_NONE, NULL },
    { "TLS", "tls+tcp://storer:4100", SLG_ADDRESS_FILES_ALL, NULL },
    { "in the process", "inproc://x", SLG_ADDRESS_FILES_NONE, NULL },
    { "in the process, with TLS for others", "inproc://x", SLG_ADDRESS_FILES_ALL, NULL },
    { "the longest", "tcp://" LONG_HOST "0123456789012345:1234", SLG_ADDRESS_FILES_NONE, NULL },
    { "one byte more", "tcp://" LONG_HOST "0123456789012345:12345", SLG_ADDRESS_FILES_NONE,
      "longer than 127" },
    { "no scheme", "127.0.0.1:1", SLG_ADDRESS_FILES_NONE, "no known scheme" },
    { "nothing", "", SLG_ADDRESS_FILES_NONE, "no known scheme" },
    { "another scheme", "ipc:///tmp/x", SLG_ADDRESS_FILES_NONE, "no known scheme" },
    { "capitals", "TCP://x:1", SLG_ADDRESS_FILES_NONE, "no known scheme" },
    { "TLS without files", "tls+tcp://x:1", SLG_ADDRESS_FILES_NONE, "is not set" },
    { "TLS without a key or CA", "tls+tcp://x:1", SLG_ADDRESS_FILES_SOME, "is not set" },
    { "files without TLS", "tcp://x:1", SLG_ADDRESS_FILES_ALL, "would not use" },
    { "some files without TLS", "tcp://x:1", SLG_ADDRESS_FILES_SOME, "would not use" },
};

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct address_case *c = &cases[i];
        enum slg_status want = c->refusal == NULL ? SLG_OK : SLG_INVALID;
        uint8_t *url = test_block(c->url, strlen(c->url) + 1);
        struct slg_error error = { 0 };

        CHECK(c->name, slg_address_check((char *)url, c->files, &error) == want);
        CHECK(c->name, c->refusal == NULL || strstr(error.message, c->refusal) != NULL);
        free(url);
    }
}

static const struct parts_case {
    const char *url;
    bool tls, inproc;
    const char *with_port_7; /* NULL: it has a port */
} parts_cases[] = {
    { "tcp://127.0.0.1:0", false, false, "tcp://127.0.0.1:7" },
    { "tcp://[::1]:0", false, false, "tcp://[::1]:7" },
    { "tls+tcp://a.b:0", true, false, "tls+tcp://a.b:7" },
    { "tcp://127.0.0.1:4100", false, false, NULL },
    { "tcp://127.0.0.1:00", false, false, NULL },
    { "tcp://127.0.0.1", false, false, NULL },
    { "inproc://a:0", false, true, NULL },
};

static void test_parts(void **state)
{
    char out[SLG_ADDRESS_BYTES_MAX + 8];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(parts_cases); i++) {
        const struct parts_case *c = &parts_cases[i];

        CHECK(c->url, slg_address_is_tls(c->url) == c->tls);
        CHECK(c->url, slg_address_is_inproc(c->url) == c->inproc);
        CHECK(c->url, slg_address_is_any_port(c->url) == (c->with_port_7 != NULL));
        if (c->with_port_7 == NULL)
            continue;
        slg_address_set_port(c->url, 7, out);
        CHECK(c->url, strcmp(out, c->with_port_7) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
