/* A reference to a secret is what it refers to, without line ends; what is no reference is never repeated in a message.
 * Oracle: files, variables and credentials made here. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "base/secret.h"

static void test_secrets(void **state)
{
    char path[] = "/tmp/silage_test_secret_XXXXXX";
    char reference[64];
    struct slg_error err;
    struct slg_buf out;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "top secret\r\n\n", 13), 13);
    slg_buf_init(&out, SLG_SECRET_BYTES_MAX);
    (void)snprintf(reference, sizeof(reference), "file:%s", path);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_OK);
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.data, "top secret", 10);
    assert_int_equal(setenv("SILAGE_TEST_TOKEN", "abc", 1), 0);
    slg_buf_clear(&out);
    assert_int_equal(slg_secret_read("env:SILAGE_TEST_TOKEN", &out, &err), SLG_OK);
    assert_int_equal(out.len, 3);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/tmp", 1), 0);
    (void)snprintf(reference, sizeof(reference), "cred:%s", path + strlen("/tmp/"));
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_OK);
    assert_int_equal(out.len, 13);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_INVALID);
    assert_int_equal(ftruncate(fd, 0), 0);
    (void)snprintf(reference, sizeof(reference), "file:%s", path);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_INVALID);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_IO);
    assert_int_equal(slg_secret_read("", &out, &err), SLG_NOT_FOUND);
    assert_int_equal(slg_secret_read("hunter2", &out, &err), SLG_INVALID);
    assert_null(strstr(err.message, "hunter2"));
    assert_int_equal(slg_secret_read("env:SILAGE_TEST_NONE", &out, &err), SLG_INVALID);
    assert_int_equal(out.len, 13);
    slg_buf_fini(&out);
    close(fd);
}

static void test_reference(void **state)
{
    static const struct {
        const char *text;
        bool want;
    } rows[] = {
        { "file:/etc/x", true }, { "file:x", false },  { "file:", false },   { "env:NAME", true },
        { "env:", false },       { "env:a/b", false }, { "cred:x", true },   { "cred:../x", false },
        { "", false },           { "hunter2", false }, { "FILE:/x", false },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++)
        CHECK(rows[i].text, slg_secret_is_reference(rows[i].text) == rows[i].want);
}

/* A file over the bound is refused, one of exactly the bound is not. */
static void test_size(void **state)
{
    char path[] = "/tmp/silage_test_secret_XXXXXX", reference[64];
    struct slg_error err = { 0 };
    struct slg_buf out;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    (void)snprintf(reference, sizeof(reference), "file:%s", path);
    assert_int_equal(ftruncate(fd, (off_t)SLG_SECRET_BYTES_MAX), 0);
    slg_buf_init(&out, 2 * SLG_SECRET_BYTES_MAX);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_OK);
    assert_int_equal(out.len, SLG_SECRET_BYTES_MAX);
    slg_buf_clear(&out);
    assert_int_equal(ftruncate(fd, (off_t)SLG_SECRET_BYTES_MAX + 1), 0);
    assert_int_equal(slg_secret_read(reference, &out, &err), SLG_LIMIT);
    slg_buf_fini(&out);
    assert_int_equal(unlink(path), 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
