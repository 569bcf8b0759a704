/* logql/pipe/decolorize.h - `| decolorize`: cut ANSI escape sequences out of a line.
 *
 * What is cut is exactly what Loki's expression matches (github.com/acarl005/stripansi):
 *   [\x1B\x9B][[\]()#;?]*(?:(?:(?:[a-zA-Z\d]*(?:;[a-zA-Z\d]*)*)?\x07)|(?:(?:\d{1,4}(?:;\d{0,4})*)?[\dA-PRZcf-ntqry=><~]))
 * with leftmost-first choice. U+009B counts as one character (two bytes in UTF-8).
 * Threads: pure. */
#ifndef SLG_LOGQL_PIPE_DECOLORIZE_H
#define SLG_LOGQL_PIPE_DECOLORIZE_H

#include <stddef.h>

#include "proto/label.h"

/* Copy text without escape sequences to out[text.len]; returns the new length. out may be text itself. Cost: linear
 * times the length of a sequence's parameters. */
size_t slg_decolorize(struct slg_text text, char *out);

/* True when there is anything that may have to be cut. */
bool slg_decolorize_needed(struct slg_text text);

#endif
