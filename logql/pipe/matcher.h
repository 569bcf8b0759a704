/* logql/pipe/matcher.h - stream selectors: =, !=, =~, !~ over label sets, compiled once.
 *
 * Regular expressions are anchored at both ends and '.' matches a newline too (as in Prometheus; in filters it does not). A label that is not there has the
 * empty value.
 * Owner:   the set copies what it needs; destroy frees it. Threads: immutable once created, any thread may match. */
#ifndef SLG_LOGQL_PIPE_MATCHER_H
#define SLG_LOGQL_PIPE_MATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "logql/syntax/ast.h"
#include "proto/label.h"

struct slg_matcher_set; /* opaque */

/* Compile matchers[0..count), all of which must hold. INVALID: a bad regexp, in Go's words. LIMIT/NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_matcher_set_create(const struct slg_logql_matcher *matchers,
                                                      size_t count,
                                                      struct slg_matcher_set **ret_set,
                                                      struct slg_error *reterr);
void slg_matcher_set_destroy(struct slg_matcher_set *set); /* NULL is fine */

/* Do all matchers hold for these labels (sorted by name)? No matchers: yes. */
bool slg_matcher_set_match(const struct slg_matcher_set *set, const struct slg_label_set *labels);

#endif
