/* logql/pipe/complain.h - what Go's libraries say about a label value that is no number, duration or size: the
 * __error_details__ of label filters and unwrap.
 *
 * Values that convert.h takes must not come here. Of long values the beginning is told. Pure but for the context's
 * scratch; threads: one per context. */
#ifndef SLG_LOGQL_PIPE_COMPLAIN_H
#define SLG_LOGQL_PIPE_COMPLAIN_H

#include "logql/pipe/context.h"

/* In scratch; "" when that is exhausted. */
struct slg_text slg_complain_float(struct slg_context *context, struct slg_text value);
struct slg_text slg_complain_duration(struct slg_context *context, struct slg_text value);
struct slg_text slg_complain_bytes(struct slg_context *context, struct slg_text value);

#endif
