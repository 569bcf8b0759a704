/* Networks and tokens are known or not; settings that make no sense are refused.
 * Oracle: rows written by hand. */
#include "tests/helper/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "proto/http_access.h"

static const char *const networks[] = { "10.0.0.0/8", "192.0.2.1/32" };
static const char *const tokens[] = { "secret", "", "other" };

static const struct peer_case {
    const char *address;
    size_t network_count;
    bool want;
} peers[] = {
    { "10.255.255.255", 2, true }, { "11.0.0.0", 2, false },  { "192.0.2.1", 2, true },
    { "192.0.2.1", 1, false },     { "192.0.2.2", 2, false }, { "203.0.113.9", 0, true },
};

static void test_networks(void **state)
{
    struct sockaddr unknown = { .sa_family = AF_UNSPEC };
    struct slg_http_access access;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(peers); i++) {
        struct sockaddr_in in = { .sin_family = AF_INET };

        assert_int_equal(inet_pton(AF_INET, peers[i].address, &in.sin_addr), 1);
        assert_int_equal(
            slg_http_access_init(&access, networks, peers[i].network_count, NULL, 0, NULL), SLG_OK);
        CHECK(peers[i].address,
              slg_http_access_allows(&access, (const struct sockaddr *)&in) == peers[i].want);
        CHECK(peers[i].address,
              slg_http_access_allows(&access, &unknown) == (peers[i].network_count == 0));
    }
}

static const struct token_case {
    const char *name, *token;
    size_t len;
    bool want;
} token_cases[] = {
    { "first", "secret", 6, true },    { "last", "other", 5, true },
    { "shorter", "secret", 5, false }, { "longer", "secrets", 7, false },
    { "case", "Secret", 6, false },    { "NUL behind", "secret\0", 7, false },
};

static void test_tokens(void **state)
{
    struct slg_http_access access;

    (void)state;
    assert_int_equal(slg_http_access_init(&access, NULL, 0, tokens, SLG_ARRAY_LEN(tokens), NULL),
                     SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(token_cases); i++) {
        const struct token_case *row = &token_cases[i];
        uint8_t *block = test_block(row->token, row->len);

        CHECK(row->name,
              slg_http_access_knows(&access, (const char *)block, row->len) == row->want);
        free(block);
    }
}

static void test_refused(void **state)
{
    const char *many[SLG_HTTP_ALLOW_COUNT_MAX + 1];
    const char *wrong = "10.0.0.0/33";
    struct slg_http_access access;
    struct slg_error error;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(many); i++)
        many[i] = "10.0.0.0/8";
    assert_int_equal(slg_http_access_init(&access, many, SLG_ARRAY_LEN(many), NULL, 0, &error),
                     SLG_LIMIT);
    assert_int_equal(slg_http_access_init(&access, many, SLG_ARRAY_LEN(many) - 1, NULL, 0, &error),
                     SLG_OK);
    assert_int_equal(slg_http_access_init(&access, &wrong, 1, NULL, 0, &error), SLG_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_networks),
                                        cmocka_unit_test(test_tokens),
                                        cmocka_unit_test(test_refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
