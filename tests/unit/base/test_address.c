/* Addresses and networks are read as they are written, and contain what they should.
 * Oracle: rows; what was read prints as it was written. */
#include "tests/helper/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/address.h"

static const struct cidr_case {
    const char *name, *cidr;
    enum slg_status want;
    const char *inside, *outside; /* NULL: not asked */
} cidrs[] = {
    { "v4 net", "10.0.0.0/8", SLG_OK, "10.255.0.1", "11.0.0.1" },
    { "v4 odd prefix", "192.0.2.128/25", SLG_OK, "192.0.2.129", "192.0.2.127" },
    { "v4 host", "192.0.2.7", SLG_OK, "192.0.2.7", "192.0.2.8" },
    { "v4 all", "0.0.0.0/0", SLG_OK, "203.0.113.9", "2001:db8::1" },
    { "v6 net", "2001:db8::/32", SLG_OK, "2001:db8:1::1", "2001:db9::1" },
    { "v6 host", "::1", SLG_OK, "::1", "::2" },
    { "v6 all", "::/0", SLG_OK, "203.0.113.9", NULL },
    { "v6 odd prefix", "fe80::/10", SLG_OK, "febf::1", "fec0::1" },
    { "prefix too long", "10.0.0.0/33", SLG_INVALID, NULL, NULL },
    { "prefix empty", "10.0.0.0/", SLG_INVALID, NULL, NULL },
    { "prefix with rest", "10.0.0.0/8x", SLG_INVALID, NULL, NULL },
    { "host bits", "10.0.0.1/8", SLG_INVALID, NULL, NULL },
    { "v6 host bits", "2001:db8::1/32", SLG_INVALID, NULL, NULL },
    { "name", "example.org", SLG_INVALID, NULL, NULL },
    { "empty", "", SLG_INVALID, NULL, NULL },
    { "too long", "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:aaaa", SLG_INVALID, NULL,
      NULL },
};

static struct slg_address address_of(const char *text)
{
    struct slg_cidr cidr;

    assert_int_equal(slg_cidr_parse(text, &cidr, NULL), SLG_OK);
    assert_int_equal(cidr.bits, 128);
    return cidr.address;
}

static void test_cidrs(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cidrs); i++) {
        const struct cidr_case *row = &cidrs[i];
        struct slg_cidr cidr;
        struct slg_address address;

        CHECK(row->name, slg_cidr_parse(row->cidr, &cidr, NULL) == row->want);
        if (row->inside != NULL) {
            char text[SLG_ADDRESS_TEXT_BYTES];

            address = address_of(row->inside);
            CHECK(row->name, slg_cidr_contains(&cidr, &address));
            CHECK(row->name, slg_address_print(&address, text) == strlen(row->inside));
            CHECK(row->name, strcmp(text, row->inside) == 0);
        }
        if (row->outside != NULL) {
            address = address_of(row->outside);
            CHECK(row->name, !slg_cidr_contains(&cidr, &address));
        }
    }
}

static void test_socket_addresses(void **state)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr_un path = { .sun_family = AF_UNIX };
    struct slg_address address;
    char text[SLG_ADDRESS_TEXT_BYTES];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "127.9.0.1", &v4.sin_addr), 1);
    assert_true(slg_address_of((const struct sockaddr *)&v4, &address));
    assert_true(slg_address_loopback(&address));
    assert_int_equal(slg_address_print(&address, text), 9);
    assert_string_equal(text, "127.9.0.1");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7f", &v6.sin6_addr), 1);
    assert_true(slg_address_of((const struct sockaddr *)&v6, &address));
    assert_false(slg_address_loopback(&address));
    assert_int_equal(slg_address_print(&address, text), 12);
    assert_string_equal(text, "2001:db8::7f");
    address = address_of("::1");
    assert_true(slg_address_loopback(&address));
    address = address_of("128.0.0.1");
    assert_false(slg_address_loopback(&address));
    assert_false(slg_address_of((const struct sockaddr *)&path, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cidrs),
        cmocka_unit_test(test_socket_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
