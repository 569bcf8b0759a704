#include "logql/pipe/json_scan.h"

#include <string.h>

bool slg_json_scan_escaped(struct slg_json_scan *scan, struct slg_text *ret_text, bool *ret_escaped)
{
    const char *start = scan->at + 1, *at = slg_json_scan_special(scan, start);

    *ret_escaped = false;
    while (at < scan->end && *at == '\\') {
        *ret_escaped = true;
        if (scan->end - at < 2)
            return false;
        at = slg_json_scan_special(scan, at + 2);
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
    struct slg_json_scan inner = { .at = opening, .end = scan->end, .begin = scan->begin };
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
    const char *start = scan->at, *begin = scan->begin == NULL ? start : scan->begin;
    const char *at =
        begin + slg_wide_find_json_end(begin, (size_t)(start - begin), (size_t)(scan->end - begin));
    size_t len = (size_t)(at - start);

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
