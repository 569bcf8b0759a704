/* logql/pipe/template.h - the language of line_format and label_format: Go's text/template with Loki's functions.
 *
 * The data is the map of the entry's labels. Missing labels print as "" (missingkey=zero). Statements: if, else, with,
 * range, break, continue, define, template, block, variables, pipelines, comments, trim markers.
 * Functions: template_function.c. There is no method, no channel, no complex number, nothing that waits.
 * Bounds:  text as the query's; nesting SLG_TEMPLATE_DEPTH_MAX; output SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX; steps
 *          SLG_TEMPLATE_STEP_COUNT_MAX per run (a recursive template ends there with an error, not a crash).
 * Owner:   compiled into an arena; fini frees regular expressions. Threads: one. */
#ifndef SLG_LOGQL_PIPE_TEMPLATE_H
#define SLG_LOGQL_PIPE_TEMPLATE_H

#include "base/status.h"
#include "logql/pipe/context.h"

/* Nesting of statements and parentheses in the text. */
#define SLG_TEMPLATE_DEPTH_MAX       100
/* Nesting of statements at run time, template calls included: Go allows 100000 calls, our stacks do not. */
#define SLG_TEMPLATE_RUN_DEPTH_MAX   200
/* Nodes that one run may evaluate. */
#define SLG_TEMPLATE_STEP_COUNT_MAX  ((size_t)1000000)
/* Regular expressions made from label values that are remembered. */
#define SLG_TEMPLATE_REGEX_COUNT_MAX 16

struct slg_template;

/* name is "line" or "label": it stands in error texts. INVALID: "template: line:1: unclosed action". */
SLG_MUST_CHECK enum slg_status slg_template_create(struct slg_context *context, const char *name,
                                                   struct slg_text text,
                                                   struct slg_template **ret_template,
                                                   struct slg_error *reterr);
void slg_template_fini(struct slg_template *tmpl); /* NULL is fine */

/* Run for the entry. True: *ret is the text (in scratch). False: *ret is the reason, for __error_details__. */
bool slg_template_run(struct slg_template *tmpl, struct slg_context *context, struct slg_text *ret);

/* Labels that the template reads as .name, for hints: visit may see a name twice. */
typedef void slg_template_visit(void *user, struct slg_text name);
void slg_template_each_field(const struct slg_template *tmpl, slg_template_visit *visit,
                             void *user);

#endif
