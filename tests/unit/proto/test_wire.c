/* The reader takes what the msgpack specification allows, within its bounds, and moves nothing when it refuses.
 * Oracle: bytes written out by hand from the specification; msgpack-c's writer for the way there and back. */
#include "tests/helper/test.h"

#include "proto/wire.h"

enum kind { UINT, INT, BOOL, BIN, ARRAY, SKIP };

static const struct wire_case {
    const char *name;
    const char *input;
    size_t input_len;
    enum kind kind;
    uint64_t max;
    bool want;
    int64_t value; /* or length or count */
    size_t left;
} cases[] = {
    { "fixint", "\x7f", 1, UINT, 127, true, 127, 0 },
    { "fixint over its maximum", "\x7f", 1, UINT, 126, false, 0, 1 },
    { "uint8", "\xcc\xff", 2, UINT, 1000, true, 255, 0 },
    { "uint16", "\xcd\x01\x00", 3, UINT, 1000, true, 256, 0 },
    { "uint32", "\xce\x00\x01\x00\x00", 5, UINT, 1 << 20, true, 65536, 0 },
    { "uint64", "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9, UINT, UINT64_MAX, true, 4294967296, 0 },
    { "uint64 cut", "\xcf\x00\x00\x00\x01\x00\x00\x00", 8, UINT, UINT64_MAX, false, 0, 8 },
    { "positive int8 as uint", "\xd0\x05", 2, UINT, 9, true, 5, 0 },
    { "negative as uint", "\xff", 1, UINT, UINT64_MAX, false, 0, 1 },
    { "negative int64 as uint", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff", 9, UINT, UINT64_MAX, false,
      0, 9 },
    { "negative fixint", "\xe0", 1, INT, 0, true, -32, 0 },
    { "int8", "\xd0\x80", 2, INT, 0, true, -128, 0 },
    { "int16", "\xd1\xff\x00", 3, INT, 0, true, -256, 0 },
    { "int32", "\xd2\x80\x00\x00\x00", 5, INT, 0, true, INT32_MIN, 0 },
    { "int64", "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT, 0, true, INT64_MIN, 0 },
    { "uint64 over int64", "\xcf\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT, 0, false, 0, 9 },
    { "string as int", "\xa1x", 2, INT, 0, false, 0, 2 },
    { "true", "\xc3", 1, BOOL, 0, true, 1, 0 },
    { "nil as bool", "\xc0", 1, BOOL, 0, false, 0, 1 },
    { "nothing as bool", "", 0, BOOL, 0, false, 0, 0 },
    { "bin8", "\xc4\x02xy", 4, BIN, 2, true, 2, 0 },
    { "bin8 over its maximum", "\xc4\x02xy", 4, BIN, 1, false, 0, 4 },
    { "bin16", "\xc5\x00\x01x", 4, BIN, 9, true, 1, 0 },
    { "bin32 longer than the input", "\xc6\xff\xff\xff\xffx", 6, BIN, SIZE_MAX, false, 0, 6 },
    { "fixstr", "\xa1x", 2, BIN, 9, true, 1, 0 },
    { "str8", "\xd9\x01x", 3, BIN, 9, true, 1, 0 },
    { "str16", "\xda\x00\x01x", 4, BIN, 9, true, 1, 0 },
    { "str32", "\xdb\x00\x00\x00\x01x", 6, BIN, 9, true, 1, 0 },
    { "fixarray", "\x92\x01\x02", 3, ARRAY, 9, true, 2, 2 },
    { "array16", "\xdc\x00\x01\x01", 4, ARRAY, 9, true, 1, 1 },
    { "array over its maximum", "\x92\x01\x02", 3, ARRAY, 1, false, 0, 3 },
    { "array of more items than bytes", "\xdd\xff\xff\xff\xff\x01", 6, ARRAY, SIZE_MAX, false, 0,
      6 },
    { "map as array", "\x81\x01\x02", 3, ARRAY, 9, false, 0, 3 },
    { "skip nil", "\xc0\x01", 2, SKIP, 0, true, 0, 1 },
    { "skip nested", "\x92\x81\x01\xa1x\xcb\x00\x00\x00\x00\x00\x00\x00\x00\x07", 15, SKIP, 0, true,
      0, 1 },
    { "skip ext8", "\xc7\x01\x05x\x07", 5, SKIP, 0, true, 0, 1 },
    { "skip fixext16", "\xd8\x05zzzzzzzzzzzzzzzz\x07", 19, SKIP, 0, true, 0, 1 },
    { "skip map16", "\xde\x00\x01\x01\x02\x07", 6, SKIP, 0, true, 0, 1 },
    { "skip array32", "\xdd\x00\x00\x00\x01\x01\x07", 7, SKIP, 0, true, 0, 1 },
    { "skip c1", "\xc1", 1, SKIP, 0, false, 0, 1 },
    { "skip cut", "\x92\x01", 2, SKIP, 0, false, 0, 2 },
    { "skip 16 deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01", 17,
      SKIP, 0, true, 0, 0 },
    { "skip 17 deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01",
      18, SKIP, 0, false, 0, 18 },
};

static bool take(struct slg_wire_reader *r, const struct wire_case *row, int64_t *ret_value)
{
    const uint8_t *bytes;
    uint64_t number;
    size_t size;
    bool flag, ok = false;

    switch (row->kind) {
    case UINT:
        ok = slg_wire_take_uint(r, row->max, &number);
        *ret_value = ok ? (int64_t)number : *ret_value;
        break;
    case INT:
        ok = slg_wire_take_int(r, ret_value);
        break;
    case BOOL:
        ok = slg_wire_take_bool(r, &flag);
        *ret_value = ok ? flag : *ret_value;
        break;
    case BIN:
        ok = slg_wire_take_bin(r, (size_t)row->max, &bytes, &size);
        *ret_value = ok ? (int64_t)size : *ret_value;
        break;
    case ARRAY:
        ok = slg_wire_take_array(r, (size_t)row->max, &size);
        *ret_value = ok ? (int64_t)size : *ret_value;
        break;
    case SKIP:
        ok = slg_wire_skip(r);
        *ret_value = ok ? 0 : *ret_value;
        break;
    }
    return ok;
}

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct wire_case *row = &cases[i];
        uint8_t *input = test_block(row->input, row->input_len);
        struct slg_wire_reader r = slg_wire_reader_make(input, row->input_len);
        int64_t value = 0xAA;
        bool again;

        CHECK(row->name, take(&r, row, &value) == row->want);
        CHECK(row->name, value == (row->want ? row->value : 0xAA));
        CHECK(row->name, slg_cursor_left(&r.c) == row->left);
        CHECK(row->name, r.failed == !row->want);
        if (!row->want) { /* a failure sticks */
            CHECK(row->name, !slg_wire_take_bool(&r, &again));
            CHECK(row->name, !slg_wire_done(&r));
        }
        free(input);
    }
}

static void test_what_is_written_is_read(void **state)
{
    static const uint64_t numbers[] = {
        0,       1,         127,       128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32,
        1 << 30, INT64_MAX, UINT64_MAX
    };
    struct slg_wire_reader r;
    struct slg_text text;
    struct slg_buf out;
    size_t count;
    bool flag;

    (void)state;
    slg_buf_init(&out, 1 << 20);
    slg_wire_array(&out, SLG_ARRAY_LEN(numbers) * 2 + 3);
    for (size_t i = 0; i < SLG_ARRAY_LEN(numbers); i++) {
        slg_wire_uint(&out, numbers[i]);
        slg_wire_int(&out, -(int64_t)(numbers[i] / 2));
    }
    slg_wire_bool(&out, true);
    slg_wire_text(&out, slg_text_of("caf\xe9"));
    slg_wire_bool(&out, false);
    assert_false(slg_buf_failed(&out));

    r = slg_wire_reader_make(out.data, out.len);
    assert_true(slg_wire_take_array(&r, 1000, &count));
    assert_int_equal(count, SLG_ARRAY_LEN(numbers) * 2 + 3);
    for (size_t i = 0; i < SLG_ARRAY_LEN(numbers); i++) {
        uint64_t number;
        int64_t signed_number;

        assert_true(slg_wire_take_uint(&r, UINT64_MAX, &number));
        assert_int_equal(number, numbers[i]);
        assert_true(slg_wire_take_int(&r, &signed_number));
        assert_int_equal(signed_number, -(int64_t)(numbers[i] / 2));
    }
    assert_true(slg_wire_take_bool(&r, &flag) && flag);
    assert_true(slg_wire_take_text(&r, 4, &text));
    assert_true(slg_text_equal_to(text, "caf\xe9"));
    assert_false(slg_wire_done(&r));
    assert_true(slg_wire_skip(&r));
    assert_true(slg_wire_done(&r));
    slg_buf_fini(&out);
}

static void test_tuple_is_exact(void **state)
{
    struct slg_wire_reader r = slg_wire_reader_make("\x92\x01\x02", 3);

    (void)state;
    assert_false(slg_wire_take_tuple(&r, 3));
    r = slg_wire_reader_make("\x92\x01\x02", 3);
    assert_false(slg_wire_take_tuple(&r, 1));
    r = slg_wire_reader_make("\x92\x01\x02", 3);
    assert_true(slg_wire_take_tuple(&r, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_tuple_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
