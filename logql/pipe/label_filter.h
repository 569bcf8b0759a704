/* logql/pipe/label_filter.h - `| level="error"`, `| duration > 1s or size >= 20KB`, `| addr=ip("10.0.0.0/8")`.
 *
 * Rules (Loki): a string filter sees a missing label as empty and alone can see __error__. The others drop an entry
 * without the label; when the value does not convert they keep it and set __error__="LabelFilterErr", unless an error
 * is set already. ip() keeps every entry that has an error. Regular expressions of string filters are rewritten as in
 * Loki (simplify.h).
 * Owner:   compiled filters live in the pipe's arena; slg_label_filter_fini frees their regular expressions.
 * Threads: one (conversion errors are put into the entry's context). */
#ifndef SLG_LOGQL_PIPE_LABEL_FILTER_H
#define SLG_LOGQL_PIPE_LABEL_FILTER_H

#include "base/status.h"
#include "logql/pipe/context.h"
#include "logql/pipe/ip.h"
#include "logql/pipe/regex.h"
#include "logql/pipe/simplify.h"
#include "logql/syntax/ast.h"

/* A matcher on one value: selectors, drop, keep and string filters. The regular expressions are anchored; only those of
 * string filters do not let '.' match a newline: those are Loki's own, the others Prometheus'. */
struct slg_value_matcher {
    enum slg_logql_match_op op;
    struct slg_text text;    /* EQ, NEQ */
    struct slg_regex *regex; /* RE, NRE; owned */
};
SLG_MUST_CHECK enum slg_status slg_value_matcher_init(struct slg_value_matcher *matcher,
                                                      const struct slg_logql_matcher *from,
                                                      bool dot_newline, struct slg_error *reterr);
void slg_value_matcher_fini(struct slg_value_matcher *matcher);
bool slg_value_matcher_test(const struct slg_value_matcher *matcher, struct slg_text value);

struct slg_label_filter {
    enum slg_logql_label_filter_kind kind;
    const struct slg_label_filter *left, *right;
    struct slg_symbol *symbol;
    bool is_error; /* reads __error__ */
    enum slg_logql_compare_op compare_op;
    struct slg_value_matcher matcher;
    bool is_simple; /* simple stands for the matcher's regex */
    struct slg_simple simple;
    bool has_ip; /* else its pattern is bad: true for entries with an error, false for all others */
    struct slg_ip_matcher ip;
    double number;
    int64_t duration_ns;
    uint64_t bytes;
};

/* INVALID: a stage that is nothing but an ip filter with a bad pattern; one inside `and` or `or` and one behind `unwrap`
 * is let through, as in Loki. */
SLG_MUST_CHECK enum slg_status
slg_label_filter_check_stage(const struct slg_logql_label_filter *from, struct slg_error *reterr);
/* INVALID: bad regexp. Recursion is bounded by the tree's height (ast.h). */
SLG_MUST_CHECK enum slg_status slg_label_filter_create(struct slg_context *context,
                                                       const struct slg_logql_label_filter *from,
                                                       struct slg_label_filter **ret_filter,
                                                       struct slg_error *reterr);
void slg_label_filter_fini(struct slg_label_filter *filter); /* NULL is fine */

/* True: keep. */
bool slg_label_filter_run(const struct slg_label_filter *filter, struct slg_context *context);

/* A parser has just set `symbol`: false when a later filter on it already tells that the entry is dropped. */
static inline bool slg_label_filter_go_on(const struct slg_symbol *symbol,
                                          struct slg_context *context)
{
    return symbol->early == NULL || slg_label_filter_run(symbol->early, context);
}

#endif
