/* logql/syntax/parse.h - text of a LogQL query to its tree.
 *
 * Hand-written recursive descent with the precedences and the lexical rules of Loki's grammar, whose surprises are
 * kept: keywords in any case, function names usable as labels unless "(" follows, Go's number, string and comment
 * syntax ("#", "//" and slash-star comments), "5m" a duration and "5MB" a size wherever a number is.
 *
 * Checked here, with Loki's words ("parse error at line 1, col 14: ..." or "parse error : ..."):
 *  - syntax; depth, length and number of stages (ast.h);
 *  - a selector has a matcher that refuses the empty string;
 *  - operators: unwrap needed or forbidden, grouping allowed, parameters of quantile_over_time and topk, literals and
 *    log queries as legs of binary operators, grouping of sort;
 *  - regular expressions of matchers, `regexp`, label_replace: well-formed as far as the shape goes (regex_shape.h); named
 *    captures of `regexp` and `pattern`.
 * Left to whoever compiles the pipeline, because Loki reports it there ("parse error : stage '...' : ..."; print the
 * stage with slg_logql_print_stage): line filter regexes and patterns, templates, ip() patterns, json paths,
 * label_format of __error__ or of one name twice. RE2 has the last word on every regular expression.
 *
 * Pure: no I/O, no clock, no global state. Threads: any. */
#ifndef SLG_LOGQL_SYNTAX_PARSE_H
#define SLG_LOGQL_SYNTAX_PARSE_H

#include "base/arena.h"
#include "base/status.h"
#include "logql/syntax/ast.h"

/* An arena of this size holds the tree of any query that is allowed. */
#define SLG_LOGQL_PARSE_ARENA_BYTES ((size_t)64 << 20)

/* Parse text[0..len) into a tree in arena.
 * Returns SLG_OK; SLG_INVALID (not LogQL); SLG_UNSUPPORTED (LogQL that Silage does not have; the text names it);
 * SLG_LIMIT (longer, deeper or with more stages than ast.h allows, or over the arena's budget). All but SLG_OK are
 * answered 400 with the error's message. *ret_expr is written only on SLG_OK. Cost: linear in len. */
SLG_MUST_CHECK enum slg_status slg_logql_parse(struct slg_arena *arena, const char *text,
                                               size_t len, const struct slg_logql_expr **ret_expr,
                                               struct slg_error *reterr);

/* The same for a bare selector, as /labels, /series and /index take it: SLG_INVALID "only label matchers is
 * supported" if it parses to anything else. allow_empty: `{}` and selectors that match everything are fine. */
SLG_MUST_CHECK enum slg_status slg_logql_parse_selector(struct slg_arena *arena, const char *text,
                                                        size_t len, bool allow_empty,
                                                        const struct slg_logql_log **ret_log,
                                                        struct slg_error *reterr);

#endif
