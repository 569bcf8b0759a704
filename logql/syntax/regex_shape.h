/* logql/syntax/regex_shape.h - the shape of a regular expression, as far as the parser of queries needs it.
 *
 * Not an engine: RE2 (logql/pipe) decides. This tells, in Go's words, what is certainly wrong with an expression,
 * whether it accepts the empty string, and its named groups. Refuses nothing that RE2 accepts.
 * Pure; threads: any. */
#ifndef SLG_LOGQL_SYNTAX_REGEX_SHAPE_H
#define SLG_LOGQL_SYNTAX_REGEX_SHAPE_H

#include "base/status.h"
#include "logql/syntax/ast.h"

/* Nesting of groups followed; RE2's own limit is 1000. */
#define SLG_LOGQL_REGEX_DEPTH_MAX 200

struct slg_logql_regex_shape {
    bool accepts_empty; /* anchored at both ends, against "" */
    size_t named_count; /* groups with a name */
    bool has_duplicate; /* a name stands twice: */
    struct slg_logql_str duplicate;
    bool has_wrong_name; /* a name is not a label name ([a-zA-Z_][a-zA-Z0-9_]*): */
    struct slg_logql_str wrong_name;
};

/* Returns SLG_OK, or SLG_INVALID with Go's text ("error parsing regexp: missing closing ): `(`").
 * *ret_shape is written only on SLG_OK. Cost: linear in len, plus named groups (at most
 * SLG_LOGQL_CAPTURE_COUNT_MAX) squared. */
SLG_MUST_CHECK enum slg_status slg_logql_regex_inspect(struct slg_logql_str regex,
                                                       struct slg_logql_regex_shape *ret_shape,
                                                       struct slg_error *reterr);

#endif
