/* The hashes are those of our disk formats and never change.
 * Oracle: FIPS 180-4 examples for SHA-256; for XXH3 the known values of "" (2D06800538D394C2) and the library of Debian 12. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "base/hash.h"

static const struct hash_case {
    const char *name, *input, *sha256;
    uint64_t xxh3, high, low;
} cases[] = {
    { "empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      0x2D06800538D394C2, 0x99AA06D3014798D8, 0x6001C324468D497F },
    { "abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      0x78AF5F94892F3950, 0x06B05AB6733A6185, 0x78AF5F94892F3950 },
    { "448 bits", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", 0x5BBCBBABCDCC3D3F,
      0x3D62D22A5169B016, 0xC0D894FD4828A1A7 },
    { "longer than 240",
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
      "88e7b9e5918ad3d62d2b60dc618abba9de7f1c3bb6dab20becb08494c66df8d1", 0x40C383CC89D2F624,
      0x6DC401CB26650676, 0x40C383CC89D2F624 },
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct hash_case *row = &cases[i];
        size_t len = strlen(row->input);
        uint8_t *block = test_block(row->input, len);
        struct slg_hash128 hash = slg_hash_xxh3_128(block, len);
        uint8_t digest[32];
        char text[65];

        slg_hash_sha256(block, len, digest);
        for (size_t k = 0; k < 32; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", digest[k]);
        CHECK(row->name, strcmp(text, row->sha256) == 0);
        CHECK(row->name, slg_hash_xxh3(block, len) == row->xxh3);
        CHECK(row->name, hash.high == row->high && hash.low == row->low);
        CHECK(row->name, slg_hash_xxh3_seeded(block, len, 0) == row->xxh3);
        CHECK(row->name, slg_hash_xxh3_seeded(block, len, 1) != row->xxh3);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
