/* base/hash.h - the hashes that Silage uses.
 *
 * xxh3: tables, checksums of what we wrote ourselves, set digests. Not for names that an attacker chooses across
 * trust borders: for those SHA-256. Both outputs are part of disk formats (docs/FORMATS.md) and never change.
 * Threads: pure. */
#ifndef SLG_BASE_HASH_H
#define SLG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct slg_hash128 {
    uint64_t high;
    uint64_t low;
};

uint64_t slg_hash_xxh3(const void *bytes, size_t len);
uint64_t slg_hash_xxh3_seeded(const void *bytes, size_t len, uint64_t seed);
/* XXH64 with seed 0: only where another program's order must be met. */
uint64_t slg_hash_xxh64(const void *bytes, size_t len);
struct slg_hash128 slg_hash_xxh3_128(const void *bytes, size_t len);
/* FIPS 180-4. SHA-1 only where a protocol asks for it (RFC 6455): it protects nothing. */
void slg_hash_sha1(const void *bytes, size_t len, uint8_t ret_digest[20]);
void slg_hash_sha256(const void *bytes, size_t len, uint8_t ret_digest[32]);

/* The same over several pieces as if they stood back to back. */
struct slg_hash_piece {
    const void *bytes;
    size_t len;
};
void slg_hash_sha256_pieces(const struct slg_hash_piece *pieces, size_t count,
                            uint8_t ret_digest[32]);

#endif
