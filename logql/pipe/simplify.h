/* logql/pipe/simplify.h - the rewriting of filter expressions that Loki does, because it shows.
 *
 * Loki turns simple regular expressions of line filters and label filters into literal searches, and some of its
 * rewritings change the meaning: "lmtp.*(alice|bob)" becomes "lmtpalice" or "lmtpbob"; `level=~"err.*"` becomes
 * "contains err", not anchored; "a|.*" becomes "contains a". Answers have to agree with Loki's, so this is the same
 * rewriting: Go's parse tree (with its factoring of alternatives) of expressions made of literals, groups, alternatives,
 * `.*` and `.+`; anything else is left to RE2. Stream selectors, drop and keep are not rewritten there, nor here.
 * Owner:   results lie in the arena. Pure; threads: any. */
#ifndef SLG_LOGQL_PIPE_SIMPLIFY_H
#define SLG_LOGQL_PIPE_SIMPLIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "logql/pipe/find.h"
#include "proto/label.h"

/* Nodes of the tree, nesting, and literals that may come out: beyond these nothing is rewritten. */
#define SLG_SIMPLIFY_NODE_COUNT_MAX 512
#define SLG_SIMPLIFY_DEPTH_MAX      50
#define SLG_SIMPLIFY_TERM_COUNT_MAX 64

enum slg_simple_kind {
    SLG_SIMPLE_CONTAINS,
    SLG_SIMPLE_EQUAL,
    SLG_SIMPLE_EXISTS, /* any character at all */
};

struct slg_simple {
    bool always; /* matches everything */
    size_t term_count;
    struct slg_simple_term {
        enum slg_simple_kind kind;
        struct slg_needle needle;
    } * terms; /* any of these */
};

/* True: *ret stands for the expression (well-formed: RE2 has accepted it). */
bool slg_simplify(struct slg_arena *arena, struct slg_text regex, bool is_label,
                  struct slg_simple *ret);

bool slg_simple_test(const struct slg_simple *simple, struct slg_text text);

#endif
