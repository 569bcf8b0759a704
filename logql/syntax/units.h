/* logql/syntax/units.h - numbers, durations and sizes as LogQL writes them, in queries and in labels.
 *
 * Each rule is that of the Go function that Loki calls; the whole text must be consumed. On failure nothing is
 * written. Pure; threads: any. */
#ifndef SLG_LOGQL_SYNTAX_UNITS_H
#define SLG_LOGQL_SYNTAX_UNITS_H

#include <stdint.h>

#include "base/status.h"
#include "logql/syntax/ast.h"

/* A number of more characters is refused as malformed: no one means it. */
#define SLG_LOGQL_NUMBER_LEN_MAX ((size_t)1000)

/* strconv.ParseFloat: "1e5" ".5" "1_000" "+Inf" "NaN" "0x1p4". SLG_INVALID: not a number; SLG_LIMIT: out of
 * range ("1e400"). */
SLG_MUST_CHECK enum slg_status slg_logql_parse_float(struct slg_logql_str text, double *ret_value);

/* strconv's underscoreOK: they stand between digits; a prefix 0x, 0o or 0b counts as one. */
bool slg_logql_underscores_fit(struct slg_logql_str text);

/* time.ParseDuration: "1h30m" "-1.5s" "100us" "0"; units ns us µs ms s m h, in any order. */
SLG_MUST_CHECK bool slg_logql_parse_go_duration(struct slg_logql_str text, int64_t *ret_ns);

/* Prometheus' model.ParseDuration: whole numbers with y w d h m s ms, big to small, and "0". The error is
 * Prometheus' text, with the duration in it. */
SLG_MUST_CHECK enum slg_status
slg_logql_parse_prom_duration(struct slg_logql_str text, int64_t *ret_ns, struct slg_error *reterr);

/* A duration in a query: Prometheus' form, else Go's. */
SLG_MUST_CHECK bool slg_logql_parse_duration(struct slg_logql_str text, int64_t *ret_ns);

/* humanize.ParseBytes: "5" "1.5kB" "10 MiB" "1,000B"; kB and KB are 1000, KiB 1024, up to EB; the case of letters
 * does not matter; fractions of a byte are cut. */
SLG_MUST_CHECK bool slg_logql_parse_bytes(struct slg_logql_str text, uint64_t *ret_bytes);

#endif
