/* logql/pipe/json.h - `| json`, `| json a="b.c[0]"`, `| unpack`.
 *
 * Rules are those of the lenient scanner that Loki uses (grafana/jsonparser), not of RFC 8259: it looks only at what it
 * needs. `json`: objects are flattened with '_', arrays skipped, null gives no label, numbers keep their text, the
 * first of equal names wins, what follows the first object is not looked at; labels found before an error stay.
 * With paths a missing one gives an empty label, an object or array its text. `unpack`: string members of the object
 * become labels and `_entry` the line; nothing happens without `_entry`. Objects nested deeper than SLG_JSON_DEPTH_MAX
 * are JSONParserErr.
 * Threads: one (stages remember keys). Bounds: SLG_JSON_*. */
#ifndef SLG_LOGQL_PIPE_JSON_H
#define SLG_LOGQL_PIPE_JSON_H

#include "base/status.h"
#include "logql/pipe/context.h"
#include "logql/pipe/path.h"
#include "logql/syntax/ast.h"

/* A flattened name; longer is JSONParserErr. */
#define SLG_JSON_NAME_BYTES_MAX ((size_t)16384)
#define SLG_JSON_PATH_COUNT_MAX                                                                    \
    64 /* expressions that are searched in one pass; more take more passes */

struct slg_json_expression {
    struct slg_json_path path;
    struct slg_symbol *symbol;
};

/* The members of the line before, in the order in which they stood: lines of one program mostly have the same ones. As
 * long as keys and depths agree with them, so do the labels. */
struct slg_json_shape {
    uint64_t epoch;
    size_t count;
    struct slg_json_member {
        char token[SLG_WIDE_BYTES]; /* "key": */
        size_t token_len;           /* 0: too long, escaped, or with spaces */
        size_t depth;
        struct slg_symbol *symbol; /* clean; NULL: not looked up */
    } members[SLG_CONTEXT_GUESS_COUNT];
};

struct slg_json_stage {
    struct slg_json_expression *expressions;
    size_t expression_count;
    struct slg_json_shape shape;
    struct slg_key_guess guess;
};

SLG_MUST_CHECK enum slg_status slg_json_stage_create(struct slg_context *context,
                                                     const struct slg_logql_stage *from,
                                                     struct slg_json_stage **ret_stage,
                                                     struct slg_error *reterr);
/* False: a later label filter has dropped the entry. */
bool slg_json_stage_run(struct slg_json_stage *stage, struct slg_context *context);

struct slg_unpack_stage {
    struct slg_key_guess guess;
};
bool slg_unpack_stage_run(struct slg_unpack_stage *stage, struct slg_context *context);

/* ---- shared with logfmt, templates and tests ---- */

/* The escape at text[0] = '\\': writes its character as UTF-8, returns the bytes read, 0 if malformed. A lone surrogate
 * is U+FFFD. */
size_t slg_json_escape(const char *text, size_t len, uint8_t utf8[4], size_t *ret_utf8_len);
/* Resolve escapes into out[text.len]; false when one is malformed. */
bool slg_json_unescape(struct slg_text text, char *out, size_t *ret_len);
/* The text with every U+FFFD and every bad byte replaced by a space (Prometheus refuses U+FFFD in labels); the text
 * itself when there is none. resolved: escapes were resolved, so that it may have bytes that the line has not. */
struct slg_text slg_json_printable(struct slg_context *context, struct slg_text text,
                                   bool resolved);

#endif
