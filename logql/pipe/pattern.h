/* logql/pipe/pattern.h - `| pattern "<ip> - <user> <_>"` and the line filters `|> "<_> status=5<_>"`, `!>`.
 *
 * A pattern is literals and captures in turn: <name> or <_>; anything else between < and > is literal. Rules (Loki):
 * parser: a leading literal must begin the line; each capture ends at the first occurrence of the next literal; if that
 * does not come, the capture takes the rest and the remaining ones are not set.
 * Filter: every literal in order, no capture empty, a pattern's end without <_> is the line's.
 * Owner:   borrows the pattern text; nodes in the arena. Threads: immutable. */
#ifndef SLG_LOGQL_PIPE_PATTERN_H
#define SLG_LOGQL_PIPE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "logql/pipe/find.h"
#include "proto/label.h"

struct slg_pattern_node {
    bool is_capture;
    struct slg_text text;     /* the literal, or the name of the capture ("_": none) */
    struct slg_needle needle; /* of a literal */
};

struct slg_pattern {
    const struct slg_pattern_node *nodes;
    size_t node_count;
    size_t name_count; /* named captures */
};

/* For the parser: INVALID "at least one capture is required", "found consecutive capture '<a><b>': invalid expression",
 * "duplicate capture name (a): invalid expression". LIMIT: arena. */
SLG_MUST_CHECK enum slg_status slg_pattern_parse(struct slg_arena *arena, struct slg_text text,
                                                 struct slg_pattern *ret_pattern,
                                                 struct slg_error *reterr);
/* For the filter: the empty pattern is fine; named captures are INVALID. */
SLG_MUST_CHECK enum slg_status slg_pattern_parse_filter(struct slg_arena *arena,
                                                        struct slg_text text,
                                                        struct slg_pattern *ret_pattern,
                                                        struct slg_error *reterr);

/* Values of the named captures, in order, into ret_values[name_count]; returns how many were found. */
size_t slg_pattern_extract(const struct slg_pattern *pattern, struct slg_text line,
                           struct slg_text *ret_values);
bool slg_pattern_test(const struct slg_pattern *pattern, struct slg_text line);

#endif
