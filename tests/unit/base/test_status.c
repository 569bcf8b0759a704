/* Errors carry status, message and hint; texts that do not fit are cut at a code point and end in "...".
 * Oracle: texts by hand. */
#include "tests/helper/test.h"

#include "base/status.h"
#include "base/utf8.h"

static void test_texts(void **state)
{
    struct slg_error err;

    (void)state;
    assert_string_equal(slg_status_text(SLG_OK), "ok");
    assert_string_equal(slg_status_text(SLG_UNSUPPORTED), "not supported");
    assert_string_equal(slg_status_text((enum slg_status)99), "unknown status");
    assert_int_equal(slg_errorf(&err, SLG_IO, "disk %d", 7), SLG_IO);
    assert_int_equal(err.status, SLG_IO);
    assert_string_equal(err.message, "disk 7");
    assert_string_equal(err.hint, "");
    assert_int_equal(slg_error_hintf(&err, SLG_LIMIT, "make room", "full at %s", "x"), SLG_LIMIT);
    assert_string_equal(err.hint, "make room");
    assert_int_equal(slg_error_context(&err, "shard \"%s\"", "s1"), SLG_LIMIT);
    assert_string_equal(err.message, "shard \"s1\": full at x");
    assert_string_equal(err.hint, "make room");
    assert_int_equal(slg_errorf(NULL, SLG_TIMEOUT, "x"), SLG_TIMEOUT);
    assert_int_equal(slg_error_hintf(NULL, SLG_TIMEOUT, "y", "x"), SLG_TIMEOUT);
}

static void check_cut(const struct slg_error *err)
{
    const uint8_t *text = (const uint8_t *)err->message;
    size_t len = strlen(err->message);

    assert_true(len < sizeof(err->message));
    assert_true(len > sizeof(err->message) - 8);
    assert_string_equal(err->message + len - 3, "...");
    for (size_t at = 0, step; at < len; at += step)
        assert_true(slg_utf8_check(text + at, len - at, &step));
}

static void test_long_texts_are_cut(void **state)
{
    char text[600];
    struct slg_error err;

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 2 < sizeof(text); i += 2)
            memcpy(text + i, "\xC3\xBC", 3);
        (void)slg_errorf(&err, SLG_IO, "%s", text);
        check_cut(&err);
        (void)slg_error_context(&err, "in front");
        check_cut(&err);
        assert_int_equal(memcmp(err.message, "in front: ", 10), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
