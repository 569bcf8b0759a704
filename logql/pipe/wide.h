/* logql/pipe/wide.h - the searches of parsers, 32 bytes at a time.
 *
 * Tokens of log lines are short, so a loop over bytes ends somewhere else each time and the processor guesses wrong once
 * a token. These find the end of nearly every token without a loop. The last block of a line overlaps the one before,
 * so nothing outside text[0..len) is read.
 * Pure. Where there is no SSE2 the same functions go byte by byte. */
#ifndef SLG_LOGQL_PIPE_WIDE_H
#define SLG_LOGQL_PIPE_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define SLG_WIDE_BYTES 32

/* Ends of a key or plain value of logfmt: white space or control, '=' or '"'. */
static inline bool slg_wide_is_logfmt_stop(unsigned char c)
{
    return c <= ' ' || c == '=' || c == '"';
}

/* What ends the plain part of a JSON string. */
static inline bool slg_wide_is_json_special(unsigned char c)
{
    return c == '"' || c == '\\';
}

/* What ends a number or word of JSON. */
static inline bool slg_wide_is_json_end(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ']' || c == '}';
}

#if defined(__SSE2__)

static inline __m128i slg_wide_equals(__m128i block, char c)
{
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(c));
}

static inline __m128i slg_wide_logfmt_stops(__m128i block)
{
    __m128i blank = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(' ')), block);

    return _mm_or_si128(blank,
                        _mm_or_si128(slg_wide_equals(block, '='), slg_wide_equals(block, '"')));
}

static inline __m128i slg_wide_json_specials(__m128i block)
{
    return _mm_or_si128(slg_wide_equals(block, '"'), slg_wide_equals(block, '\\'));
}

static inline __m128i slg_wide_json_ends(__m128i block)
{
    /* ']' and '}' differ in bit 5 only. */
    __m128i close = slg_wide_equals(_mm_or_si128(block, _mm_set1_epi8(0x20)), '}');
    __m128i space = _mm_or_si128(slg_wide_equals(block, ' '), slg_wide_equals(block, '\t'));
    __m128i line = _mm_or_si128(slg_wide_equals(block, '\n'), slg_wide_equals(block, '\r'));

    return _mm_or_si128(_mm_or_si128(close, slg_wide_equals(block, ',')),
                        _mm_or_si128(space, line));
}

static inline uint32_t slg_wide_bits(__m128i low, __m128i high)
{
    return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
}

/* First byte at or behind `at` that `stops` marks, or len. */
#define SLG_WIDE_FIND(name, stops, is_stop)                                                        \
    static inline size_t name(const char *text, size_t at, size_t len)                             \
    {                                                                                              \
        while (len >= SLG_WIDE_BYTES && at < len) {                                                \
            size_t start = at < len - SLG_WIDE_BYTES ? at : len - SLG_WIDE_BYTES;                  \
            const char *from = text + start;                                                       \
            uint32_t bits = slg_wide_bits(stops(_mm_loadu_si128((const void *)from)),              \
                                          stops(_mm_loadu_si128((const void *)(from + 16))));      \
                                                                                                   \
            bits >>= at - start;                                                                   \
            if (bits != 0)                                                                         \
                return at + (size_t)__builtin_ctz(bits);                                           \
            at = start + SLG_WIDE_BYTES;                                                           \
        }                                                                                          \
        while (at < len && !is_stop((unsigned char)text[at]))                                      \
            at++;                                                                                  \
        return at;                                                                                 \
    }

#else

#define SLG_WIDE_FIND(name, stops, is_stop)                                                        \
    static inline size_t name(const char *text, size_t at, size_t len)                             \
    {                                                                                              \
        while (at < len && !is_stop((unsigned char)text[at]))                                      \
            at++;                                                                                  \
        return at;                                                                                 \
    }

#endif

/* text[0..len) is what may be read. */
SLG_WIDE_FIND(slg_wide_find_logfmt_stop, slg_wide_logfmt_stops, slg_wide_is_logfmt_stop)
SLG_WIDE_FIND(slg_wide_find_json_special, slg_wide_json_specials, slg_wide_is_json_special)
SLG_WIDE_FIND(slg_wide_find_json_end, slg_wide_json_ends, slg_wide_is_json_end)

static inline bool slg_wide_is_ascii(const char *text, size_t len)
{
    uint64_t seen = 0, word;
    size_t i = 0;

#if defined(__SSE2__)
    __m128i all = _mm_setzero_si128();

    for (; i + 16 <= len; i += 16)
        all = _mm_or_si128(all, _mm_loadu_si128((const void *)(text + i)));
    seen = _mm_movemask_epi8(all) != 0 ? UINT64_C(0x80) : 0;
#endif
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, text + i, 8);
        seen |= word;
    }
    for (; i < len; i++)
        seen |= (uint64_t)(unsigned char)text[i];
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* Does text[0..left) begin with wanted[0..len)? wanted has SLG_WIDE_BYTES readable bytes. */
static inline bool slg_wide_begins(const char *text, size_t left, const char *wanted, size_t len)
{
#if defined(__SSE2__)
    if (left >= SLG_WIDE_BYTES && len < SLG_WIDE_BYTES) {
        __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)text),
                                     _mm_loadu_si128((const void *)wanted));
        __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const void *)(text + 16)),
                                      _mm_loadu_si128((const void *)(wanted + 16)));

        return ((~slg_wide_bits(low, high)) & ((UINT32_C(1) << len) - 1)) == 0;
    }
#endif
    return left >= len && memcmp(text, wanted, len) == 0;
}

#endif
