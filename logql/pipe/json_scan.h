/* logql/pipe/json_scan.h - the tokens of a JSON text, read as leniently as grafana/jsonparser does.
 *
 * Never reads past end, moves at only forward. Threads: none shared. */
#ifndef SLG_LOGQL_PIPE_JSON_SCAN_H
#define SLG_LOGQL_PIPE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "logql/pipe/wide.h"
#include "proto/label.h"

/* The words of that library: they show in __error_details__. */
#define SLG_JSON_ERROR_JSON    "Malformed JSON error"
#define SLG_JSON_ERROR_OBJECT  "Value looks like object, but can't find closing '}' symbol"
#define SLG_JSON_ERROR_ARRAY   "Value is array, but can't find closing ']' symbol"
#define SLG_JSON_ERROR_STRING  "Value is string, but can't find closing '\"' symbol"
#define SLG_JSON_ERROR_ESCAPE  "Encountered an invalid escape sequence in a string"
#define SLG_JSON_ERROR_UNKNOWN "Unknown value type"

enum slg_json_type {
    SLG_JSON_STRING,
    SLG_JSON_NUMBER, /* anything that begins with a digit or '-' */
    SLG_JSON_BOOLEAN,
    SLG_JSON_NULL,
    SLG_JSON_OBJECT,
    SLG_JSON_ARRAY,
};

struct slg_json_value {
    enum slg_json_type type;
    struct slg_text text; /* of a string: between its quotes */
    bool escaped;         /* a string with backslashes */
};

struct slg_json_scan {
    const char *at;
    const char *end;
    const char *begin; /* of the whole text, which makes the search near its end quicker; or NULL */
};

/* Skip white space; the byte there, or -1 at the end. */
static inline int slg_json_scan_next(struct slg_json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

/* First quote or backslash at or behind `from`, or the end. */
static inline const char *slg_json_scan_special(const struct slg_json_scan *scan, const char *from)
{
    const char *begin = scan->begin == NULL ? from : scan->begin;

    return begin +
           slg_wide_find_json_special(begin, (size_t)(from - begin), (size_t)(scan->end - begin));
}

/* The string whose opening quote is at scan->at. False: no closing quote. */
bool slg_json_scan_escaped(struct slg_json_scan *scan, struct slg_text *ret_text,
                           bool *ret_escaped);
static inline bool slg_json_scan_string(struct slg_json_scan *scan, struct slg_text *ret_text,
                                        bool *ret_escaped)
{
    const char *start = scan->at + 1, *at = slg_json_scan_special(scan, start);

    if (at == scan->end || *at != '"')
        return slg_json_scan_escaped(scan, ret_text, ret_escaped);
    *ret_escaped = false;
    *ret_text = slg_text_make(start, (size_t)(at - start));
    scan->at = at + 1;
    return true;
}

/* Move behind the object or array that begins at opening ('{' or '['), counting only brackets of that kind and
 * skipping strings. False: it has no end; scan is not moved. */
bool slg_json_scan_block(struct slg_json_scan *scan, const char *opening);

/* The value at scan->at (after white space); NULL, or what is wrong. */
const char *slg_json_scan_value(struct slg_json_scan *scan, struct slg_json_value *ret_value);

#endif
