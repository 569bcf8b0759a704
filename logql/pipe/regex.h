/* logql/pipe/regex.h - regular expressions with Go's meaning and linear time: RE2 behind C (invariant I5).
 *
 * Syntax and meaning are those of Go's regexp package, which Loki uses: '.' does not match a newline unless (?s),
 * ^ and $ are the ends of the text unless (?m), (?P<n>..) and (?<n>..) name a group, \C is refused. Text is UTF-8; a
 * byte that is not part of any is taken as U+FFFD, one per byte, as Go does: such lines are searched in a repaired copy.
 * Before RE2 looks at a text, a literal that every match must contain is searched (find.h), so most lines never reach
 * it; an expression that is nothing but literals never does.
 * Owner:   slg_regex_create copies what it needs; destroy frees. No C++ exception leaves.
 * Threads: a compiled expression is immutable for callers: any number of threads may match at once.
 * Bounds:  SLG_REGEX_TEXT_BYTES_MAX, options.memory_bytes; matching a text of n bytes is O(n). */
#ifndef SLG_LOGQL_PIPE_REGEX_H
#define SLG_LOGQL_PIPE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "logql/pipe/find.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SLG_REGEX_TEXT_BYTES_MAX    ((size_t)131072)
/* Program and automata of one expression; RE2's own default. */
#define SLG_REGEX_MEMORY_BYTES      ((size_t)8 * 1024 * 1024)
/* Groups that a match can return, the whole match included. */
#define SLG_REGEX_GROUP_COUNT_MAX   64
/* Literals of which one must be in the text. */
#define SLG_REGEX_LITERAL_COUNT_MAX 8

struct slg_regex; /* opaque */

struct slg_regex_options {
    const char *text;
    size_t len;
    bool anchored; /* ^(?:text)$, as for label matchers; else anywhere in the text */
    bool
        dot_newline; /* as with (?s): Prometheus' matchers (selectors, drop, keep), not Loki's filters */
    size_t memory_bytes; /* 0: SLG_REGEX_MEMORY_BYTES */
};

/* INVALID: Go's words, "error parsing regexp: missing closing ): `(`". LIMIT: too large. NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_regex_create(const struct slg_regex_options *options,
                                                struct slg_regex **ret_regex,
                                                struct slg_error *reterr);
void slg_regex_destroy(struct slg_regex *regex); /* NULL is fine */

/* Does it match (anywhere, or as a whole when anchored)? Out of memory counts as no match. */
bool slg_regex_match(const struct slg_regex *regex, const char *text, size_t len);

/* A group of a match: at is NULL when the group took no part in it. */
struct slg_regex_span {
    const char *at;
    size_t len;
};

/* Leftmost match at or after start, with groups 0..group_count (0 is the whole match). Text before start still counts
 * as context for ^ and \b. group_count <= SLG_REGEX_GROUP_COUNT_MAX. Spans point into text. */
bool slg_regex_find(const struct slg_regex *regex, const char *text, size_t len, size_t start,
                    struct slg_regex_span *ret_groups, size_t group_count);

size_t slg_regex_group_count(const struct slg_regex *regex); /* without the whole match */
/* Name of group 1..group_count, "" when it has none. */
const char *slg_regex_group_name(const struct slg_regex *regex, size_t group);

/* The required literals: a text without any of them does not match. 0 = none known. *ret_exact: the expression is
 * nothing but "contains one of these". They live as long as the expression. */
size_t slg_regex_literals(const struct slg_regex *regex, const struct slg_needle **ret_needles,
                          bool *ret_exact);

#ifdef __cplusplus
}
#endif

#endif
