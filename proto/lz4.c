#include "proto/lz4.h"

#include <limits.h>
#include <lz4.h>

#include "base/assert.h"

size_t slg_lz4_bound(size_t len)
{
    SLG_ASSERT(len <= LZ4_MAX_INPUT_SIZE);
    return (size_t)LZ4_compressBound((int)len);
}

size_t slg_lz4_pack(const uint8_t *bytes, size_t len, uint8_t *out, size_t capacity)
{
    int packed;

    SLG_ASSERT(capacity >= slg_lz4_bound(len));
    SLG_ASSERT(capacity <= INT_MAX);
    packed = LZ4_compress_default((const char *)bytes, (char *)out, (int)len, (int)capacity);
    SLG_ASSERT(packed > 0); /* cannot fail with so much room */
    return (size_t)packed;
}

bool slg_lz4_unpack(const uint8_t *bytes, size_t len, uint8_t *out, size_t out_len)
{
    if (len > INT_MAX || out_len > INT_MAX)
        return false;
    return LZ4_decompress_safe((const char *)bytes, (char *)out, (int)len, (int)out_len) ==
           (int)out_len;
}
