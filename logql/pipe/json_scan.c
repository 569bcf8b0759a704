#include "logql/pipe/json_scan.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* First quote or backslash in at[0..end). */
static inline const char *find_special(const char *at, const char *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');

    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const void *)at);
        int bits = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));

        if (bits != 0)
            return at + __builtin_ctz((unsigned)bits);
    }
#endif
    while (at < end && *at != '"' && *at != '\\')
        at++;
    return at;
}

bool slg_json_scan_string(struct slg_json_scan *scan, struct slg_text *ret_text, bool *ret_escaped)
{
    const char *start = scan->at + 1, *at = find_special(start, scan->end);

    *ret_escaped = false;
    while (at < scan->end && *at == '\\') {
        *ret_escaped = true;
        if (scan->end - at < 2)
            return false;
        at = find_special(at + 2, scan->end);
    }
    if (at == scan->end)
        return false;
    *ret_text = slg_text_make(start, (size_t)(at - start));
    scan->at = at + 1;
    return true;
}

bool slg_json_scan_block(struct slg_json_scan *scan, const char *opening)
{
    char open = *opening, close = open == '{' ? '}' : ']';
    struct slg_json_scan inner = { .at = opening, .end = scan->end };
    size_t level = 0;

    while (inner.at < inner.end) {
        struct slg_text text;
        bool escaped;

        if (*inner.at == '"') {
            if (!slg_json_scan_string(&inner, &text, &escaped))
                return false;
            continue;
        }
        if (*inner.at == open)
            level++;
        else if (*inner.at == close && --level == 0) {
            scan->at = inner.at + 1;
            return true;
        }
        inner.at++;
    }
    return false;
}

static const char *scan_word(struct slg_json_scan *scan, struct slg_json_value *value)
{
    const char *start = scan->at, *at = start;
    size_t len;

    while (at < scan->end && *at != ' ' && *at != '\n' && *at != '\r' && *at != '\t' &&
           *at != ',' && *at != '}' && *at != ']')
        at++;
    len = (size_t)(at - start);
    if ((*start >= '0' && *start <= '9') || *start == '-')
        value->type = SLG_JSON_NUMBER;
    else if ((len == 4 && memcmp(start, "true", 4) == 0) ||
             (len == 5 && memcmp(start, "false", 5) == 0))
        value->type = SLG_JSON_BOOLEAN;
    else if (len == 4 && memcmp(start, "null", 4) == 0)
        value->type = SLG_JSON_NULL;
    else
        return SLG_JSON_ERROR_UNKNOWN;
    value->text = slg_text_make(start, len);
    scan->at = at;
    return NULL;
}

const char *slg_json_scan_value(struct slg_json_scan *scan, struct slg_json_value *ret_value)
{
    int next = slg_json_scan_next(scan);
    const char *start = scan->at;

    ret_value->escaped = false;
    switch (next) {
    case -1:
        return SLG_JSON_ERROR_JSON;
    case '"':
        ret_value->type = SLG_JSON_STRING;
        return slg_json_scan_string(scan, &ret_value->text, &ret_value->escaped)
                   ? NULL
                   : SLG_JSON_ERROR_STRING;
    case '{':
    case '[':
        ret_value->type = next == '{' ? SLG_JSON_OBJECT : SLG_JSON_ARRAY;
        if (!slg_json_scan_block(scan, start))
            return next == '{' ? SLG_JSON_ERROR_OBJECT : SLG_JSON_ERROR_ARRAY;
        ret_value->text = slg_text_make(start, (size_t)(scan->at - start));
        return NULL;
    default:
        return scan_word(scan, ret_value);
    }
}
