/* logql/pipe/regex_steps.h - regular expressions that need no automaton.
 *
 * Most expressions that take lines apart are a row of plain texts and repeated character classes, as
 * `to=<(?P<to>[^>]+)>, relay=(?P<relay>.*?), dsn=(?P<dsn>[\d.]+)`: a literal to begin with, then steps that each know
 * where they end. Such a row is followed directly, which costs a fifth of RE2's search for groups.
 * Kind:     literals and classes of ASCII, negated classes, '.', \d \w \s and their opposites; '*', '+', '*?', '+?' on
 *           one of these; groups without alternatives or repetition. A repetition must be disjoint from what follows,
 *           be the end, or be followed by a literal, which is then looked for within its reach. Anything else is not of
 *           the kind: RE2 does it.
 * Meaning:  that of Go's regexp (leftmost, first by preference). A byte that is not UTF-8 is one character outside of
 *           ASCII, as there, so such lines need no copy.
 * Bounds:   at most ATTEMPTS starts and choices that fail in one search, each linear; then the answer is "unknown".
 * Pure; a compiled row is immutable: any number of threads. */
#ifndef SLG_LOGQL_PIPE_REGEX_STEPS_H
#define SLG_LOGQL_PIPE_REGEX_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "logql/pipe/find.h"
#include "logql/pipe/regex.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SLG_REGEX_STEP_COUNT_MAX  48
#define SLG_REGEX_CLASS_COUNT_MAX 12
#define SLG_REGEX_STEP_BYTES_MAX  512 /* of all literals */

enum slg_regex_step_kind {
    SLG_REGEX_STEP_LITERAL,
    SLG_REGEX_STEP_ONE,   /* one character of an ASCII class */
    SLG_REGEX_STEP_RUN,   /* as many of the class as there are */
    SLG_REGEX_STEP_FIRST, /* of the class up to the first place of the next literal */
    SLG_REGEX_STEP_LAST,  /* ... up to the last */
    SLG_REGEX_STEP_OPEN,  /* a group begins */
    SLG_REGEX_STEP_CLOSE,
    SLG_REGEX_STEP_END,
};

struct slg_regex_step {
    enum slg_regex_step_kind kind;
    uint32_t least;           /* of a repetition: 0 or 1 */
    uint32_t index;           /* class, or group from 1 */
    struct slg_needle needle; /* LITERAL; its bytes are the row's */
    uint32_t next_literal;    /* FIRST, LAST: index of the step */
};

struct slg_regex_class {
    bool has[256];
    int only_not; /* the one byte that it has not, or -1: more or less than one */
};

struct slg_regex_steps {
    struct slg_regex_step steps[SLG_REGEX_STEP_COUNT_MAX];
    size_t step_count;
    struct slg_regex_class classes[SLG_REGEX_CLASS_COUNT_MAX];
    size_t class_count;
    char bytes[SLG_REGEX_STEP_BYTES_MAX]; /* of literals */
    size_t byte_count;
    size_t group_count;
    size_t prefix_at; /* the step, a literal, that every match begins with */
};

/* Compile text, which RE2 has accepted ((?<n>..) written as (?P<n>..)). False: not of the kind. ret must stay where it
 * is: its needles point into it. */
bool slg_regex_steps_compile(const char *text, size_t len, bool dot_newline,
                             struct slg_regex_steps *ret);

/* Leftmost match at or after *start. 1: found, with groups 0..group_count (at most the row's and the whole match);
 * 0: none; -1: unknown, but no match begins before the *start that is written then. */
int slg_regex_steps_find(const struct slg_regex_steps *row, const char *text, size_t len,
                         size_t *start, struct slg_regex_span *ret_groups, size_t group_count);

#ifdef __cplusplus
}
#endif

#endif
