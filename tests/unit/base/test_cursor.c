/* A take_ function reads what is there, or moves nothing and leaves its output alone.
 * Oracle: rows written by hand; inputs in exact heap blocks under ASan. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "base/cursor.h"

static const struct uint_case {
    const char *name, *input;
    unsigned digits_max;
    uint64_t value_max;
    bool want;
    uint64_t value; /* 0xAA: the sentinel, untouched */
    size_t left;
} uint_cases[] = {
    { "one digit", "7", 3, 191, true, 7, 0 },
    { "stops at a letter", "42x", 3, 191, true, 42, 1 },
    { "highest", "191", 3, 191, true, 191, 0 },
    { "one past highest", "192", 3, 191, false, 0xAA, 3 },
    { "one digit too many", "0191", 3, 191, false, 0xAA, 4 },
    { "leading zeros", "007", 3, 191, true, 7, 0 },
    { "zero of zero", "0", 1, 0, true, 0, 0 },
    { "one of zero", "1", 1, 0, false, 0xAA, 1 },
    { "empty", "", 3, 191, false, 0xAA, 0 },
    { "no digit", "x1", 3, 191, false, 0xAA, 2 },
    { "sign", "-1", 3, 191, false, 0xAA, 2 },
    { "largest of all", "18446744073709551615", 20, UINT64_MAX, true, UINT64_MAX, 0 },
    { "one past largest of all", "18446744073709551616", 20, UINT64_MAX, false, 0xAA, 20 },
};

static void test_take_uint(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(uint_cases); i++) {
        const struct uint_case *row = &uint_cases[i];
        size_t len = strlen(row->input);
        uint8_t *block = test_block(row->input, len);
        struct slg_cursor c = slg_cursor_make(block, len);
        uint64_t value = 0xAA;

        CHECK(row->name,
              slg_cursor_take_uint(&c, row->digits_max, row->value_max, &value) == row->want);
        CHECK(row->name, value == row->value);
        CHECK(row->name, slg_cursor_left(&c) == row->left);
        free(block);
    }
}

static const struct varint_case {
    const char *name, *input;
    size_t len;
    bool want;
    uint64_t value;
} varint_cases[] = {
    { "zero", "\x00", 1, true, 0 },
    { "one byte", "\x7F", 1, true, 127 },
    { "two bytes", "\x80\x01", 2, true, 128 },
    { "largest", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 10, true, UINT64_MAX },
    { "overflow", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", 10, false, 0xAA },
    { "eleven bytes", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, false, 0xAA },
    { "cut short", "\x80", 1, false, 0xAA },
    { "empty", "", 0, false, 0xAA },
};

static void test_take_varint(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(varint_cases); i++) {
        const struct varint_case *row = &varint_cases[i];
        uint8_t *block = test_block(row->input, row->len);
        struct slg_cursor c = slg_cursor_make(block, row->len);
        uint64_t value = 0xAA;

        CHECK(row->name, slg_cursor_take_varint(&c, &value) == row->want);
        CHECK(row->name, value == row->value);
        CHECK(row->name, slg_cursor_left(&c) == (row->want ? 0 : row->len));
        free(block);
    }
}

static void test_varint_round_trip(void **state)
{
    static const int64_t edges[] = { 0, 1, -1, 63, -64, 64, INT32_MAX, INT64_MAX, INT64_MIN };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(edges); i++) {
        struct slg_buf buf;
        struct slg_cursor c;
        uint64_t plain = 0;
        int64_t back = 0;

        slg_buf_init(&buf, 64);
        slg_buf_append_varint_signed(&buf, edges[i]);
        slg_buf_append_varint(&buf, (uint64_t)edges[i]);
        c = slg_cursor_make(buf.data, buf.len);
        assert_true(slg_cursor_take_varint_signed(&c, &back));
        assert_true(slg_cursor_take_varint(&c, &plain));
        assert_true(back == edges[i]);
        assert_true(plain == (uint64_t)edges[i]);
        assert_int_equal(slg_cursor_left(&c), 0);
        slg_buf_fini(&buf);
    }
}

static void test_fixed_sizes(void **state)
{
    uint8_t *block =
        test_block("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0Fzz", 17);
    struct slg_cursor c = slg_cursor_make(block, 17);
    const uint8_t *bytes;
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0xAA;
    uint64_t u64 = 0;

    (void)state;
    assert_int_equal(slg_cursor_peek(&c), 1);
    assert_true(slg_cursor_take_u8(&c, &u8));
    assert_true(slg_cursor_take_u16be(&c, &u16));
    assert_true(slg_cursor_take_u64be(&c, &u64));
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0203);
    assert_true(u64 == 0x0405060708090A0B);
    assert_true(slg_cursor_take_u32be(&c, &u32));
    assert_int_equal(u32, 0x0C0D0E0F);
    assert_false(slg_cursor_take_u32be(&c, &u32));
    assert_int_equal(u32, 0x0C0D0E0F);
    assert_false(slg_cursor_take_text(&c, "zzz"));
    assert_false(slg_cursor_take_bytes(&c, 3, &bytes));
    assert_false(slg_cursor_take_byte(&c, 'a'));
    assert_true(slg_cursor_take_byte(&c, 'z'));
    assert_true(slg_cursor_take_text(&c, "z"));
    assert_true(slg_cursor_take_text(&c, ""));
    assert_true(slg_cursor_take_bytes(&c, 0, &bytes));
    assert_int_equal(slg_cursor_peek(&c), -1);
    assert_false(slg_cursor_take_u8(&c, &u8));
    free(block);
    c = slg_cursor_make(NULL, 0);
    assert_int_equal(slg_cursor_left(&c), 0);
    assert_false(slg_cursor_take_byte(&c, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_uint),
        cmocka_unit_test(test_take_varint),
        cmocka_unit_test(test_varint_round_trip),
        cmocka_unit_test(test_fixed_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
