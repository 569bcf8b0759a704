/* A file is read whole or refused with the reason.
 * Oracle: files that the test writes. */
#include "tests/helper/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/pem.h"

static char dir[] = "/tmp/silage-pem-XXXXXX";

static const struct pem_case {
    const char *name, *file;
    size_t len; /* of the file that is written; 0: none */
    enum slg_status want;
    const char *message; /* part of it */
} cases[] = {
    { "a small file", "small", 7, SLG_OK, "" },
    { "the largest", "largest", SLG_PEM_BYTES_MAX, SLG_OK, "" },
    { "one byte more", "larger", SLG_PEM_BYTES_MAX + 1, SLG_INVALID, "of up to 1 MiB" },
    { "an empty file", "empty", 0, SLG_INVALID, "not a PEM file" },
    { "no file", "none", 0, SLG_INVALID, "No such file" },
    { "a directory", ".", 0, SLG_INVALID, "not a PEM file" },
    { "a pipe without a writer", "pipe", 0, SLG_INVALID, "not a PEM file" },
};

static void make_file(const char *path, const struct pem_case *c)
{
    uint8_t *bytes = calloc(1, c->len + 1);
    int fd;

    if (strcmp(c->file, "pipe") == 0)
        assert_return_code(mkfifo(path, 0600), 0);
    if (c->len > 0 || strcmp(c->file, "empty") == 0) {
        assert_non_null(bytes);
        memset(bytes, 'x', c->len);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_return_code(fd, 0);
        assert_int_equal(write(fd, bytes, c->len), c->len);
        assert_return_code(close(fd), 0);
    }
    free(bytes);
}

static void test_read(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct pem_case *c = &cases[i];
        char path[128], *text = (char *)(uintptr_t) "untouched", *sentinel = text;
        struct slg_error error = { 0 };

        (void)snprintf(path, sizeof(path), "%s/%s", dir, c->file);
        make_file(path, c);
        CHECK(c->name, slg_pem_read(path, &text, &error) == c->want);
        CHECK(c->name, strstr(error.message, c->message) != NULL);
        CHECK(c->name, c->want == SLG_OK ? strlen(text) == c->len : text == sentinel);
        if (c->want == SLG_OK)
            free(text);
        if (strcmp(c->file, ".") != 0)
            (void)unlink(path); /* some rows have none */
    }
    assert_return_code(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_read) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
