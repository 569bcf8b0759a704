/* Addresses are bound as they are written, and files are read whole or refused with the reason.
 * Oracle: rows written by hand; a client that connects. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "proto/http_listen.h"

static const struct address_case {
    const char *name, *listen, *begin; /* of the address that was bound; NULL: refused */
    enum slg_status want;
} addresses[] = {
    { "free port", "127.0.0.1:0", "127.0.0.1:", SLG_OK },
    { "name", "localhost:0", "", SLG_OK },
    { "any", ":0", "", SLG_OK },
    { "no port", "127.0.0.1", NULL, SLG_INVALID },
    { "empty port", "127.0.0.1:", NULL, SLG_INVALID },
    { "port of letters", "127.0.0.1:http", NULL, SLG_INVALID },
    { "long port", "127.0.0.1:12345678", NULL, SLG_INVALID },
    { "long host", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0",
      NULL, SLG_INVALID },
    { "not of this machine", "192.0.2.1:0", NULL, SLG_UNAVAILABLE },
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(addresses); i++) {
        const struct address_case *row = &addresses[i];
        char address[SLG_HTTP_ADDRESS_BYTES] = "untouched";
        struct slg_error error = { .message = "" };
        int fd = -1;

        CHECK(row->name, slg_http_listen_open(row->listen, &fd, address, &error) == row->want);
        if (row->begin != NULL) {
            CHECK(row->name, strncmp(address, row->begin, strlen(row->begin)) == 0);
            CHECK(row->name, fd >= 0 && close(fd) == 0);
        } else {
            CHECK(row->name, fd == -1 && strcmp(address, "untouched") == 0);
            CHECK(row->name, error.message[0] != '\0');
        }
    }
}

static void test_a_port_in_use(void **state)
{
    char address[SLG_HTTP_ADDRESS_BYTES] = "", second[SLG_HTTP_ADDRESS_BYTES] = "";
    struct slg_error error;
    int fd, other = -1;

    (void)state;
    assert_int_equal(slg_http_listen_open("127.0.0.1:0", &fd, address, &error), SLG_OK);
    assert_int_equal(slg_http_listen_open(address, &other, second, &error), SLG_UNAVAILABLE);
    assert_int_equal(other, -1);
    close(fd);
}

static const struct file_case {
    const char *name;
    size_t len;
    enum slg_status want;
    const char *message;
} files[] = {
    { "small", 10, SLG_OK, "" },
    { "largest", SLG_HTTP_FILE_BYTES_MAX, SLG_OK, "" },
    { "one byte more", SLG_HTTP_FILE_BYTES_MAX + 1, SLG_LIMIT, "more than 1048576 bytes" },
    { "much more", 3 * SLG_HTTP_FILE_BYTES_MAX, SLG_LIMIT, "more than 1048576 bytes" },
    { "empty", 0, SLG_INVALID, "is empty" },
};

static void test_files(void **state)
{
    struct slg_error error = { .message = "" };
    char *text = NULL;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(files); i++) {
        const struct file_case *row = &files[i];
        char path[] = "/tmp/silage-http-listen-XXXXXX";
        int fd = mkstemp(path);
        char *bytes = malloc(row->len + 1);

        assert_non_null(bytes);
        memset(bytes, 'x', row->len);
        text = NULL;
        CHECK(row->name, write(fd, bytes, row->len) == (ssize_t)row->len);
        close(fd);
        CHECK(row->name, slg_http_listen_read_file(path, &text, &error) == row->want);
        if (row->want == SLG_OK)
            CHECK(row->name, strlen(text) == row->len);
        else
            CHECK(row->name, text == NULL && strstr(error.message, row->message) != NULL);
        free(text);
        free(bytes);
        (void)unlink(path);
    }
    assert_int_equal(slg_http_listen_read_file("/nowhere/at/all", &text, &error), SLG_INVALID);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(slg_http_listen_read_file("/tmp", &text, &error),
                     SLG_INVALID); /* a directory */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses),
                                        cmocka_unit_test(test_a_port_in_use),
                                        cmocka_unit_test(test_files) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
