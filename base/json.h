/* base/json.h - JSON documents as trees: jansson behind a small reading interface (RFC 8259).
 *
 * For small documents of ours and of the command line (maps, status, answers). Push bodies have their own reader.
 * Owner:   one root, destroyed whole; values borrow from it. Threads: one at a time per root.
 * Refuses: text that is not JSON, keys given twice, NUL in strings, nesting over jansson's 2048 (INVALID). */
#ifndef SLG_BASE_JSON_H
#define SLG_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct slg_json; /* a value; NULL stands for "absent" in every function below */

enum slg_json_type {
    SLG_JSON_ABSENT,
    SLG_JSON_NULL,
    SLG_JSON_BOOL,
    SLG_JSON_INT,
    SLG_JSON_REAL,
    SLG_JSON_TEXT,
    SLG_JSON_LIST,
    SLG_JSON_OBJECT,
};

/* INVALID: "line N: what is wrong". */
SLG_MUST_CHECK enum slg_status slg_json_parse(const void *bytes, size_t len,
                                              struct slg_json **ret_root, struct slg_error *reterr);
void slg_json_destroy(struct slg_json *root); /* NULL is fine */

enum slg_json_type slg_json_type(const struct slg_json *value);
/* Member of an object; NULL when absent or value is no object. */
const struct slg_json *slg_json_get(const struct slg_json *value, const char *key);
/* Items of a list or members of an object; 0 for others. */
size_t slg_json_count(const struct slg_json *value);
/* Item of a list; NULL when out of range or value is no list. */
const struct slg_json *slg_json_at(const struct slg_json *value, size_t index);
/* NUL-terminated, or NULL when it is no text. */
const char *slg_json_text(const struct slg_json *value);
/* The number, truncated when it is a real and held to what int64_t can be; fallback when it is none. */
int64_t slg_json_int(const struct slg_json *value, int64_t fallback);
double slg_json_real(const struct slg_json *value, double fallback);
bool slg_json_bool(const struct slg_json *value, bool fallback);

/* Members of an object in the order of the text: return false to stop. */
typedef bool slg_json_visit(void *arg, const char *key, const struct slg_json *value);
void slg_json_each(const struct slg_json *value, slg_json_visit *visit, void *arg);

#endif
