/* ingester/level.h - detected_level: how bad an entry is, in Loki's words.
 *
 * Syslog: from the severity, or for Docker (whose severity means nothing) from the text.
 * Push: as Loki's discover_log_levels: metadata detected_level, else a stream label, else metadata of a known name
 * (known spellings are normalised, others passed on), else the line: a level field of JSON or logfmt, else the
 * first whole word that is one, else "unknown".
 * Results are static texts or borrow from the arguments.
 * Threads: pure. Cost: one pass over the line, about 60 ns for 200 bytes without a level. */
#ifndef SLG_INGESTER_LEVEL_H
#define SLG_INGESTER_LEVEL_H

#include <stdint.h>

#include "proto/label.h"

#define SLG_LEVEL_JSON_DEPTH_MAX 2 /* as Loki's log_level_from_json_max_depth */

/* 0 fatal; 1, 2 critical; 3 error; 4 warn; 5, 6 info; 7 debug. */
struct slg_text slg_level_of_severity(uint8_t severity);

/* Level of a line by Loki's rule; "unknown" when it has none. */
struct slg_text slg_level_of_line(struct slg_text line);

/* Level of the text of a Docker message: a leading "word:" as Postfix and Dovecot write them (warning: error: fatal:
 * panic: also behind a queue id or a process name), else slg_level_of_line. */
struct slg_text slg_level_of_text(struct slg_text text);

/* Known spellings in any case become trace debug info warn error critical fatal; others come back as they are. */
struct slg_text slg_level_normalize(struct slg_text level);

/* The whole push rule. True: *ret_level is to be added as metadata detected_level, or, when *ret_replace is not
 * SIZE_MAX, to replace the value of metadata[*ret_replace]. */
bool slg_level_discover(const struct slg_label_set *labels, const struct slg_label *metadata,
                        size_t metadata_count, struct slg_text line, struct slg_text *ret_level,
                        size_t *ret_replace);

#endif
