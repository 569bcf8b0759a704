/* Blocks come back as they were packed; cut, longer or altered ones are refused without an over-read.
 * Oracle: the bytes packed. */
#include "tests/helper/test.h"

#include "proto/lz4.h"

static const struct block_case {
    const char *name;
    size_t len;
    unsigned step; /* byte i is i * step: 0 packs well, large ones do not */
} blocks[] = {
    { "empty", 0, 0 },         { "one byte", 1, 7 },       { "even", 4096, 0 },
    { "repeating", 70000, 3 }, { "uneven", 65537, 40503 },
};

static void test_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        const struct block_case *row = &blocks[i];
        uint8_t *raw = malloc(row->len + 1), *back = malloc(row->len + 1);
        size_t bound = slg_lz4_bound(row->len);
        uint8_t *out = malloc(bound), *packed;
        size_t len;

        assert_true(raw != NULL && back != NULL && out != NULL);
        for (size_t j = 0; j < row->len; j++)
            raw[j] = (uint8_t)((uint32_t)j * row->step >> 3);
        len = slg_lz4_pack(raw, row->len, out, bound);
        CHECK(row->name, len > 0 && len <= bound);
        packed = test_block(out, len);
        CHECK(row->name, slg_lz4_unpack(packed, len, back, row->len));
        CHECK(row->name, memcmp(raw, back, row->len) == 0);
        CHECK(row->name, !slg_lz4_unpack(packed, len, back, row->len + 1));
        CHECK(row->name, row->len == 0 || !slg_lz4_unpack(packed, len, back, row->len - 1));
        free(packed);
        packed = test_block(out, len - 1);
        CHECK(row->name, !slg_lz4_unpack(packed, len - 1, back, row->len));
        free(packed);
        free(out);
        free(back);
        free(raw);
    }
}

static void test_damage(void **state)
{
    /* A literal run that claims 15 + 255 + 255 bytes; a match before the start. */
    static const uint8_t run[] = { 0xF0, 0xFF, 0xFF, 0x00, 'a' };
    static const uint8_t match[] = { 0x1F, 'a', 0xFF, 0x00, 0x05 };
    uint8_t out[64];
    uint8_t *block = test_block(run, sizeof(run));

    (void)state;
    assert_false(slg_lz4_unpack(block, sizeof(run), out, sizeof(out)));
    free(block);
    block = test_block(match, sizeof(match));
    assert_false(slg_lz4_unpack(block, sizeof(match), out, sizeof(out)));
    free(block);
    assert_false(slg_lz4_unpack(run, 0, out, sizeof(out)));
    assert_false(slg_lz4_unpack(run, (size_t)1 << 40, out, sizeof(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
