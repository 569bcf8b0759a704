#include "base/hash.h"

#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <xxhash.h>

uint64_t slg_hash_xxh3(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

uint64_t slg_hash_xxh3_seeded(const void *bytes, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, len, seed);
}

uint64_t slg_hash_xxh64(const void *bytes, size_t len)
{
    return XXH64(bytes, len, 0);
}

struct slg_hash128 slg_hash_xxh3_128(const void *bytes, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);

    return (struct slg_hash128){ .high = hash.high64, .low = hash.low64 };
}

void slg_hash_sha1(const void *bytes, size_t len, uint8_t ret_digest[20])
{
    struct sha1_ctx ctx;

    sha1_init(&ctx);
    if (len > 0)
        sha1_update(&ctx, len, bytes);
    sha1_digest(&ctx, SHA1_DIGEST_SIZE, ret_digest);
}

void slg_hash_sha256(const void *bytes, size_t len, uint8_t ret_digest[32])
{
    struct slg_hash_piece piece = { .bytes = bytes, .len = len };

    slg_hash_sha256_pieces(&piece, 1, ret_digest);
}

void slg_hash_sha256_pieces(const struct slg_hash_piece *pieces, size_t count,
                            uint8_t ret_digest[32])
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    for (size_t i = 0; i < count; i++)
        if (pieces[i].len > 0)
            sha256_update(&ctx, pieces[i].len, pieces[i].bytes);
    sha256_digest(&ctx, SHA256_DIGEST_SIZE, ret_digest);
}
