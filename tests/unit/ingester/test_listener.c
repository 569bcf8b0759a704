/* Listeners: what they take, and what is refused at start (DESIGN section 2).
 * Oracle: rows. */
#include "tests/helper/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "ingester/listener.h"

static struct slg_address address_of(const char *text)
{
    struct slg_cidr cidr;

    assert_int_equal(slg_cidr_parse(text, &cidr, NULL), SLG_OK);
    assert_int_equal(cidr.bits, 128);
    return cidr.address;
}

static const char *const any[] = { "0.0.0.0/0" };
static const char *const bad[] = { "0.0.0.0/0", "nonsense" };

static const struct listener_case {
    const char *name, *listen;
    const char *const *allow;
    size_t allow_count;
    bool insecure;
    const char *job;
    enum slg_status want;
} listeners[] = {
    { "loopback", "127.0.0.1:0", NULL, 0, false, "", SLG_OK },
    { "loopback v6", "[::1]:0", NULL, 0, false, "", SLG_OK },
    { "all without a list", "0.0.0.0:0", NULL, 0, false, "", SLG_INVALID },
    { "all v6 without a list", "[::]:0", NULL, 0, false, "", SLG_INVALID },
    { "all with a list", "0.0.0.0:0", any, 1, false, "", SLG_OK },
    { "all, insecure", "0.0.0.0:0", NULL, 0, true, "", SLG_OK },
    { "bad list", "0.0.0.0:0", bad, 2, false, "", SLG_INVALID },
    { "reserved job", "127.0.0.1:0", NULL, 0, false, "silage", SLG_INVALID },
    { "other job", "127.0.0.1:0", NULL, 0, false, "mail", SLG_OK },
    { "no port", "127.0.0.1", NULL, 0, false, "", SLG_INVALID },
    { "port too large", "127.0.0.1:65536", NULL, 0, false, "", SLG_INVALID },
    { "no address", ":1514", NULL, 0, false, "", SLG_INVALID },
    { "v6 without brackets", "::1:1514", NULL, 0, false, "", SLG_INVALID },
    { "v4 in brackets", "[127.0.0.1]:1514", NULL, 0, false, "", SLG_INVALID },
    { "name", "localhost:1514", NULL, 0, false, "", SLG_INVALID },
    { "bracket only", "[:1514", NULL, 0, false, "", SLG_INVALID },
};

static void test_listeners(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(listeners); i++) {
        const struct listener_case *row = &listeners[i];
        struct slg_listener_options options = { .listen = row->listen,
                                                .allow = row->allow,
                                                .allow_count = row->allow_count,
                                                .insecure = row->insecure };
        struct slg_listener *listener = NULL;
        struct slg_error error = { 0 };

        slg_record_options_init(&options.record);
        options.record.job = slg_text_of(row->job);
        CHECK(row->name, slg_listener_create(&options, 0, &listener, &error) == row->want);
        CHECK(row->name, (row->want == SLG_OK) == (listener != NULL));
        CHECK(row->name, (row->want == SLG_OK) == (error.message[0] == '\0'));
        if (listener != NULL)
            CHECK(row->name, slg_listener_insecure(listener) == row->insecure);
        slg_listener_destroy(listener);
    }
}

static void test_open(void **state)
{
    static const struct slg_listener_host hosts[] = { { "192.0.2.1", "fw1" },
                                                      { "2001:db8::5", "fw2" } };
    struct slg_listener_options options = { .listen = "127.0.0.1:0",
                                            .hosts = hosts,
                                            .host_count = 2 };
    struct slg_listener *listener;
    struct slg_listener *second;
    struct slg_address address;
    struct slg_error error;
    int fd = -1, other = -1, bytes = 0;

    (void)state;
    slg_record_options_init(&options.record);
    assert_int_equal(slg_listener_create(&options, 3, &listener, &error), SLG_OK);
    assert_int_equal(slg_listener_record(listener)->listener_index, 3);
    assert_int_equal(slg_listener_open(listener, false, &fd, &bytes, &error), SLG_OK);
    assert_true(bytes > 0);
    assert_string_not_equal(slg_listener_address(listener), "127.0.0.1:0");
    /* Not shared: a second process on the port is told. */
    options.listen = slg_listener_address(listener);
    assert_int_equal(slg_listener_create(&options, 0, &second, &error), SLG_OK);
    assert_int_equal(slg_listener_open(second, false, &other, &bytes, &error), SLG_UNAVAILABLE);
    assert_int_equal(other, -1);
    address = address_of("192.0.2.1");
    assert_string_equal(slg_listener_host_name(listener, &address), "fw1");
    address = address_of("2001:db8::5");
    assert_string_equal(slg_listener_host_name(listener, &address), "fw2");
    address = address_of("192.0.2.2");
    assert_string_equal(slg_listener_host_name(listener, &address), "");
    close(fd);
    slg_listener_destroy(listener);
    slg_listener_destroy(second);
}

/* With a socket for each thread the port is shared, but not with another process (here: another listener). */
static void test_a_shared_port_is_ours(void **state)
{
    struct slg_listener_options options = { .listen = "127.0.0.1:0" };
    struct slg_listener *listener, *second;
    struct slg_error error;
    int fds[2] = { -1, -1 }, other = -1, bytes = 0;

    (void)state;
    slg_record_options_init(&options.record);
    assert_int_equal(slg_listener_create(&options, 0, &listener, &error), SLG_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(slg_listener_open(listener, true, &fds[i], &bytes, &error), SLG_OK);
    options.listen = slg_listener_address(listener);
    assert_int_equal(slg_listener_create(&options, 0, &second, &error), SLG_OK);
    assert_int_equal(slg_listener_open(second, true, &other, &bytes, &error), SLG_UNAVAILABLE);
    assert_non_null(strstr(error.message, options.listen));
    assert_int_equal(other, -1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(slg_listener_open(second, true, &other, &bytes, &error), SLG_OK);
    (void)close(other);
    slg_listener_destroy(listener);
    slg_listener_destroy(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listeners),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_a_shared_port_is_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
