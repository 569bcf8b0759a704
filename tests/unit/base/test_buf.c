/* A buffer holds what was appended, never passes its maximum, and remembers a failure; JSON strings are valid.
 * Oracle: bytes written by hand. */
#include "tests/helper/test.h"

#include "base/buf.h"

static void test_maximum_is_kept(void **state)
{
    struct slg_buf buf;

    (void)state;
    slg_buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++)
        slg_buf_append_byte(&buf, (uint8_t)i);
    assert_false(slg_buf_failed(&buf));
    assert_int_equal(buf.len, 1000);
    slg_buf_append_byte(&buf, 0);
    assert_true(slg_buf_failed(&buf));
    assert_int_equal(buf.len, 1000);
    assert_int_equal(buf.data[999], 999 % 256);
    slg_buf_clear(&buf);
    assert_false(slg_buf_failed(&buf));
    slg_buf_append(&buf, "x", 0);
    assert_int_equal(buf.len, 0);
    assert_false(slg_buf_reserve(&buf, 1001));
    slg_buf_append_text(&buf, "later appends do nothing");
    assert_int_equal(buf.len, 0);
    slg_buf_fini(&buf);
    assert_null(buf.data);
}

static void test_big_endian_and_text(void **state)
{
    struct slg_buf buf;

    (void)state;
    slg_buf_init(&buf, 4096);
    slg_buf_append_u16be(&buf, 0x0102);
    slg_buf_append_u32be(&buf, 0x03040506);
    slg_buf_append_u64be(&buf, 0x0708090A0B0C0D0E);
    assert_int_equal(buf.len, 14);
    assert_memory_equal(buf.data, "\1\2\3\4\5\6\7\x8\x9\xA\xB\xC\xD\xE", 14);
    slg_buf_clear(&buf);
    slg_buf_printf(&buf, "%d-%s", 5, "abc");
    slg_buf_append_text(&buf, "!");
    assert_int_equal(buf.len, 6);
    assert_memory_equal(buf.data, "5-abc!", 6);
    slg_buf_fini(&buf);
}

static const struct json_case {
    const char *name, *input;
    size_t len;
    const char *want;
} json_cases[] = {
    { "empty", "", 0, "\"\"" },
    { "plain", "abc/<>&'", 8, "\"abc/<>&'\"" },
    { "quote and backslash", "a\"b\\c", 5, "\"a\\\"b\\\\c\"" },
    { "named controls", "\n\r\t", 3, "\"\\n\\r\\t\"" },
    { "other controls", "\0\x01\x08\x1F\x7F", 5, "\"\\u0000\\u0001\\u0008\\u001f\x7F\"" },
    { "two to four bytes", "\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80", 9,
      "\"\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80\"" },
    { "one bad byte", "a\xFFz", 3, "\"a\xEF\xBF\xBDz\"" },
    { "one for each maximal bad part", "\xF0\x9F\x98\x80\xF0\x9F\x98x", 8,
      "\"\xF0\x9F\x98\x80\xEF\xBF\xBDx\"" },
    { "surrogate is three bad parts", "\xED\xA0\x80", 3,
      "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"" },
    { "cut at the end", "x\xE2\x82", 3, "\"x\xEF\xBF\xBD\"" },
};

static void test_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(json_cases); i++) {
        const struct json_case *row = &json_cases[i];
        uint8_t *block = test_block(row->input, row->len);
        struct slg_buf buf;

        slg_buf_init(&buf, 4096);
        slg_buf_append_json(&buf, block, row->len);
        CHECK(row->name, buf.len == strlen(row->want));
        CHECK(row->name, memcmp(buf.data, row->want, buf.len) == 0);
        slg_buf_fini(&buf);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maximum_is_kept),
        cmocka_unit_test(test_big_endian_and_text),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
