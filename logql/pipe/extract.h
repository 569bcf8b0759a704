/* logql/pipe/extract.h - the small stages: regexp, pattern (as a parser), label_format, drop, keep.
 *
 * Owner: compiled into the pipe's arena; fini frees regular expressions. Threads: one. */
#ifndef SLG_LOGQL_PIPE_EXTRACT_H
#define SLG_LOGQL_PIPE_EXTRACT_H

#include "base/status.h"
#include "logql/pipe/context.h"
#include "logql/pipe/label_filter.h"
#include "logql/pipe/pattern.h"
#include "logql/pipe/regex.h"
#include "logql/pipe/template.h"
#include "logql/syntax/ast.h"

/* `| regexp "(?P<a>..)"`: the leftmost match's named groups become labels (empty when they took no part); no match, no
 * labels. */
struct slg_regexp_stage {
    struct slg_regex *regex;
    struct slg_symbol **symbols; /* per group 1..group_count, NULL: unnamed */
    size_t group_count;
};
SLG_MUST_CHECK enum slg_status slg_regexp_stage_create(struct slg_context *context,
                                                       const struct slg_logql_stage *from,
                                                       struct slg_regexp_stage **ret_stage,
                                                       struct slg_error *reterr);
void slg_regexp_stage_fini(struct slg_regexp_stage *stage); /* NULL is fine */
bool slg_regexp_stage_run(const struct slg_regexp_stage *stage, struct slg_context *context);

struct slg_pattern_stage {
    struct slg_pattern pattern;
    struct slg_symbol **symbols; /* of the named captures */
    struct slg_text *values;     /* room for them */
};
SLG_MUST_CHECK enum slg_status slg_pattern_stage_create(struct slg_context *context,
                                                        const struct slg_logql_stage *from,
                                                        struct slg_pattern_stage **ret_stage,
                                                        struct slg_error *reterr);
bool slg_pattern_stage_run(const struct slg_pattern_stage *stage, struct slg_context *context);

/* `| label_format dst=src, dst="template"`: in order, but all templates see the labels as they were at the first one. */
struct slg_label_format_stage {
    size_t count;
    struct slg_label_format {
        struct slg_symbol *dst, *src; /* src: rename */
        struct slg_template *tmpl;
    } * formats;
};
SLG_MUST_CHECK enum slg_status
slg_label_format_stage_create(struct slg_context *context, const struct slg_logql_stage *from,
                              struct slg_label_format_stage **ret_stage, struct slg_error *reterr);
void slg_label_format_stage_fini(struct slg_label_format_stage *stage); /* NULL is fine */
void slg_label_format_stage_run(const struct slg_label_format_stage *stage,
                                struct slg_context *context);

/* `| drop a, b="x"`, `| keep a, b="x"`. */
struct slg_named_stage {
    size_t count;
    struct slg_named {
        struct slg_symbol *symbol;
        bool has_matcher;
        struct slg_value_matcher matcher;
    } * items;
};
SLG_MUST_CHECK enum slg_status slg_named_stage_create(struct slg_context *context,
                                                      const struct slg_logql_stage *from,
                                                      struct slg_named_stage **ret_stage,
                                                      struct slg_error *reterr);
void slg_named_stage_fini(struct slg_named_stage *stage); /* NULL is fine */
void slg_drop_stage_run(const struct slg_named_stage *stage, struct slg_context *context);
void slg_keep_stage_run(const struct slg_named_stage *stage, struct slg_context *context);

#endif
