/* Integers stand in bytes with the high byte first, and no byte beside theirs is touched; hexadecimal digits of both cases
 * have their value, everything else has none. Oracle: bytes written out by hand. */
#include "tests/helper/test.h"

#include "base/bytes.h"

static void test_integers(void **state)
{
    uint8_t *two = test_block("\xAA\xAA", 2);
    uint8_t *four = test_block("\xAA\xAA\xAA\xAA", 4);
    uint8_t *eight = test_block("\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA", 8);

    (void)state;
    slg_bytes_put_u16be(two, 0xFE01);
    assert_memory_equal(two, "\xFE\x01", 2);
    slg_bytes_put_u32be(four, 0xFEDC8001);
    assert_memory_equal(four, "\xFE\xDC\x80\x01", 4);
    assert_int_equal(slg_bytes_get_u32be(four), 0xFEDC8001);
    slg_bytes_put_u64be(eight, UINT64_C(0xFEDCBA9880010203));
    assert_memory_equal(eight, "\xFE\xDC\xBA\x98\x80\x01\x02\x03", 8);
    assert_true(slg_bytes_get_u64be(eight) == UINT64_C(0xFEDCBA9880010203));
    free(two);
    free(four);
    free(eight);
}

static void test_hexadecimal_digits(void **state)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

    (void)state;
    for (int c = 1; c < 256; c++) {
        const char *in_lower = strchr(lower, c), *in_upper = strchr(upper, c);
        int want = in_lower != NULL ? (int)(in_lower - lower)
                                    : (in_upper != NULL ? (int)(in_upper - upper) : -1);

        if (slg_bytes_hex_value((char)c) != want)
            fail_msg("byte %d", c);
    }
    assert_int_equal(slg_bytes_hex_value('\0'), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_hexadecimal_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
