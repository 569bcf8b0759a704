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

/* FIPS 180-4 and its examples; RFC 6455 section 1.3. */
static void test_sha1(void **state)
{
    static const struct {
        const char *name, *input, *sha1;
    } rows[] = {
        { "empty", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
        { "abc", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { "RFC 6455", "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
          "b37a4f2cc0624f1690f64606cf385945b2bec4ea" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].input);
        uint8_t *block = test_block(rows[i].input, len), digest[20];
        char text[41];

        slg_hash_sha1(block, len, digest);
        for (size_t k = 0; k < 20; k++)
            (void)snprintf(text + 2 * k, 3, "%02x", digest[k]);
        CHECK(rows[i].name, strcmp(text, rows[i].sha1) == 0);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_golden),
                                        cmocka_unit_test(test_sha1) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
