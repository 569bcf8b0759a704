/* logql/pipe/line_filter.h - `|= "a" or "b"`, `!= ip("10.0.0.0/8")`, `|~ "x.*y"`, `|> "<_> ok"`.
 *
 * A filter keeps the line if any operand does (the negated ones have one operand). Regexes are not anchored, and rewritten as in Loki
 * (simplify.h); an empty text beside others says nothing.
 * Owner:   compiled into the pipe's arena; fini frees regular expressions. Threads: immutable. */
#ifndef SLG_LOGQL_PIPE_LINE_FILTER_H
#define SLG_LOGQL_PIPE_LINE_FILTER_H

#include "base/arena.h"
#include "base/status.h"
#include "logql/pipe/find.h"
#include "logql/pipe/ip.h"
#include "logql/pipe/pattern.h"
#include "logql/pipe/regex.h"
#include "logql/pipe/simplify.h"
#include "logql/syntax/ast.h"

struct slg_line_operand {
    bool is_ip;
    bool is_void; /* not looked at */
    struct slg_needle needle;
    struct slg_regex *regex;
    bool is_simple; /* simple stands for regex */
    struct slg_simple simple;
    struct slg_pattern pattern;
    struct slg_ip_matcher ip;
};

struct slg_line_filter {
    enum slg_logql_line_op op;
    struct slg_line_operand *operands;
    size_t operand_count;
};

/* INVALID: bad regexp, pattern or ip. ip() with another operator than |= and != is "ip: invalid operation". */
SLG_MUST_CHECK enum slg_status slg_line_filter_create(struct slg_arena *arena,
                                                      const struct slg_logql_line_filter *from,
                                                      struct slg_line_filter **ret_filter,
                                                      struct slg_error *reterr);
void slg_line_filter_fini(struct slg_line_filter *filter); /* NULL is fine */

/* True: keep. */
bool slg_line_filter_run(const struct slg_line_filter *filter, struct slg_text line);

/* A literal (not case-folded) that every kept line contains; false when there is none. */
bool slg_line_filter_literal(const struct slg_line_filter *filter, struct slg_text *ret_literal);

#endif
