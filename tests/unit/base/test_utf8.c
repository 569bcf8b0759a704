/* UTF-8 is accepted exactly as RFC 3629 section 4 writes it down.
 * Oracle: for every code point, an encoder written here by the table of section 3; rows by hand for the bad ones. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "base/utf8.h"

static size_t encode(uint32_t rune, uint8_t out[4])
{
    static const uint8_t heads[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    size_t len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 + rune % 64);
        rune /= 64;
    }
    out[0] = (uint8_t)(len == 1 ? rune : heads[len] + rune);
    return len;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t rune = 0; rune < 0x110000; rune++) {
        uint8_t want[4], got[4];
        size_t len = encode(rune, want);
        uint8_t *block = test_block(want, len);
        bool surrogate = rune >= 0xD800 && rune <= 0xDFFF;
        uint32_t back = 0;
        size_t step = 0;

        if (slg_utf8_decode(block, len, &back, &step) == surrogate)
            fail_msg("U+%04X", rune);
        assert_true(surrogate || (back == rune && step == len));
        if (!surrogate) {
            assert_int_equal(slg_utf8_encode(rune, got), len);
            assert_memory_equal(got, want, len);
        }
        free(block);
    }
}

static const struct bad_case {
    const char *name, *input;
    size_t step; /* length of the maximal bad part, Unicode chapter 3, "U+FFFD substitution" */
} bad_cases[] = {
    { "lone continuation", "\x80", 1 },
    { "overlong slash", "\xC0\xAF", 1 },
    { "overlong, two bytes", "\xC1\xBF", 1 },
    { "overlong, three bytes", "\xE0\x80\xAF", 1 },
    { "overlong, four bytes", "\xF0\x80\x80\xAF", 1 },
    { "surrogate", "\xED\xA0\x80", 1 },
    { "above the last", "\xF4\x90\x80\x80", 1 },
    { "five byte form", "\xF8\x88\x80\x80\x80", 1 },
    { "never a byte", "\xFF", 1 },
    { "cut after one of two", "\xC3", 1 },
    { "cut after two of three", "\xE2\x82", 2 },
    { "cut after three of four", "\xF0\x9F\x98", 3 },
    { "three of four, then a letter", "\xF0\x9F\x98x", 3 },
    { "one of two, then a letter", "\xC3x", 1 },
};

static void test_bad_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bad_cases); i++) {
        const struct bad_case *row = &bad_cases[i];
        size_t len = strlen(row->input);
        uint8_t *block = test_block(row->input, len);
        uint32_t rune = 0;
        size_t step = 0;

        CHECK(row->name, !slg_utf8_check(block, len, &step));
        CHECK(row->name, step == row->step);
        CHECK(row->name, !slg_utf8_decode(block, len, &rune, &step));
        CHECK(row->name, rune == 0xFFFD);
        free(block);
    }
}

static void test_encode_replaces_what_is_no_scalar(void **state)
{
    static const uint32_t runes[] = { 0xD800, 0xDFFF, 0x110000, UINT32_MAX };
    uint8_t out[4];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(runes); i++) {
        assert_int_equal(slg_utf8_encode(runes[i], out), 3);
        assert_memory_equal(out, "\xEF\xBF\xBD", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_bad_parts),
        cmocka_unit_test(test_encode_replaces_what_is_no_scalar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
