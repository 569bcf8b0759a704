#include "logql/pipe/find.h"

#include <string.h>

#include "base/assert.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* How common a byte is in log text, coarsely: 0 = rare. Only speed depends on it. */
static unsigned commonness(uint8_t byte)
{
    static const char by_frequency[] = " e0t1a2ios3nrl4d5c6-:=.m7u8p9[]f\"/h,bg_vkwy{}()<>xST";
    const char *at = byte == 0 ? NULL : strchr(by_frequency, byte);

    return at == NULL ? 0 : (unsigned)(sizeof(by_frequency) - (size_t)(at - by_frequency));
}

struct slg_needle slg_needle_make(const char *bytes, size_t len, bool fold)
{
    struct slg_needle needle = { .at = bytes, .len = len, .fold = fold };
    uint32_t best = 0, second = 0;
    size_t looked_at = len < 255 ? len : 255;

    if (fold)
        for (size_t i = 0; i < len; i++)
            SLG_ASSERT(bytes[i] < 'A' || bytes[i] > 'Z');
    if (len < 2)
        return needle;
    for (size_t i = 1; i < looked_at; i++)
        if (commonness((uint8_t)bytes[i]) < commonness((uint8_t)bytes[best]))
            best = (uint32_t)i;
    second = best == 0 ? 1 : 0;
    for (size_t i = 0; i < looked_at; i++)
        if (i != best && bytes[i] != bytes[best] &&
            (bytes[second] == bytes[best] ||
             commonness((uint8_t)bytes[i]) < commonness((uint8_t)bytes[second])))
            second = (uint32_t)i;
    needle.rare[0] = best < second ? best : second;
    needle.rare[1] = best < second ? second : best;
    return needle;
}

static inline uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

static bool equal_folded(const char *text, const char *needle, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (lower((uint8_t)text[i]) != (uint8_t)needle[i])
            return false;
    return true;
}

static inline bool equal_here(const struct slg_needle *needle, const char *text)
{
    return needle->fold ? equal_folded(text, needle->at, needle->len)
                        : memcmp(text, needle->at, needle->len) == 0;
}

size_t slg_needle_find_portable(const struct slg_needle *needle, const char *text, size_t len)
{
    if (needle->len == 0)
        return 0;
    if (len < needle->len)
        return SLG_FIND_NONE;
    if (!needle->fold) {
        const char *at = needle->len == 1 ? memchr(text, needle->at[0], len)
                                          : memmem(text, len, needle->at, needle->len);

        return at == NULL ? SLG_FIND_NONE : (size_t)(at - text);
    }
    for (size_t i = 0; i + needle->len <= len; i++)
        if (equal_folded(text + i, needle->at, needle->len))
            return i;
    return SLG_FIND_NONE;
}

#if defined(__x86_64__)
/* Compare 32 positions at once for the two rare bytes, then check each candidate; the last block overlaps the one
 * before, so nothing past text[len) is read. Worst case (every position a candidate) costs len * needle->len, as any
 * search by candidates: bounded by the caller's line length. */
__attribute__((target("avx2"))) static size_t find_avx2(const struct slg_needle *needle,
                                                        const char *text, size_t len)
{
    size_t position_count = len - needle->len + 1;
    uint8_t a = (uint8_t)needle->at[needle->rare[0]], b = (uint8_t)needle->at[needle->rare[1]];
    /* Setting bit 5 folds letters and only widens the candidates for other bytes. */
    bool fold = needle->fold;
    __m256i mask = _mm256_set1_epi8(fold ? 0x20 : 0);
    __m256i wanted_a = _mm256_set1_epi8((char)(fold ? a | 0x20 : a));
    __m256i wanted_b = _mm256_set1_epi8((char)(fold ? b | 0x20 : b));

    for (size_t i = 0;;) {
        const char *at = text + i;
        __m256i block_a = _mm256_loadu_si256((const void *)(at + needle->rare[0]));
        __m256i block_b = _mm256_loadu_si256((const void *)(at + needle->rare[1]));
        __m256i hit = _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_or_si256(block_a, mask), wanted_a),
                                       _mm256_cmpeq_epi8(_mm256_or_si256(block_b, mask), wanted_b));
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(hit);

        while (bits != 0) {
            size_t offset = i + (size_t)__builtin_ctz(bits);

            if (equal_here(needle, text + offset))
                return offset;
            bits &= bits - 1;
        }
        if (i + 32 >= position_count)
            return SLG_FIND_NONE;
        i = i + 64 <= position_count ? i + 32 : position_count - 32;
    }
}
#endif

size_t slg_needle_find(const struct slg_needle *needle, const char *text, size_t len)
{
#if defined(__x86_64__)
    if (needle->len >= 2 && len >= needle->len + 31 && __builtin_cpu_supports("avx2"))
        return find_avx2(needle, text, len);
#endif
    return slg_needle_find_portable(needle, text, len);
}
