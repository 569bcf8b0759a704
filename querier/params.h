/* querier/params.h - what clients put into the query string: times, steps, limits, as Loki reads them.
 *
 * Rules: an integer of 11 or more characters is nanoseconds, of 10 or fewer seconds; with a dot seconds with a
 * fraction, rounded to ms; else RFC 3339. Durations are Prometheus' (1h30m, 500ms), steps also plain seconds.
 * Source: grafana/loki pkg/loghttp/params.go and what it was seen to answer. Error texts are Loki's, because people
 * and scripts know them.
 * Threads: pure. */
#ifndef SLG_QUERIER_PARAMS_H
#define SLG_QUERIER_PARAMS_H

#include "base/status.h"
#include "proto/label.h"
#include "proto/rpc.h"

/* INVALID: `strconv.ParseInt: parsing "x": invalid syntax`. */
SLG_MUST_CHECK enum slg_status slg_params_time(struct slg_text text, int64_t *ret_ts_ns,
                                               struct slg_error *reterr);
/* A Prometheus duration of units y w d h m s ms, each once at most, in that order; "0" is 0.
 * INVALID: `not a valid duration string: "x"`. */
SLG_MUST_CHECK enum slg_status slg_params_duration(struct slg_text text, int64_t *ret_ns,
                                                   struct slg_error *reterr);
/* Plain seconds (a float) or a duration. INVALID: `cannot parse "x" to a valid duration`. May be 0 or negative. */
SLG_MUST_CHECK enum slg_status slg_params_step(struct slg_text text, int64_t *ret_ns,
                                               struct slg_error *reterr);
/* A whole number, possibly negative. INVALID: `strconv.Atoi: parsing "x": invalid syntax`. */
SLG_MUST_CHECK enum slg_status slg_params_int(struct slg_text text, int64_t *ret_value,
                                              struct slg_error *reterr);
/* forward or backward in any case. INVALID: `invalid direction 'x'`. */
SLG_MUST_CHECK enum slg_status slg_params_direction(struct slg_text text,
                                                    enum slg_direction *ret_direction,
                                                    struct slg_error *reterr);
/* Times are kept between 1896 and 2116, steps under 73 years, so that no difference or next step overflows. No entry
 * lies outside. */
#define SLG_PARAMS_TIME_MIN (-(INT64_C(1) << 61))
#define SLG_PARAMS_TIME_MAX (INT64_C(1) << 62)
#define SLG_PARAMS_STEP_MAX (INT64_C(1) << 61)
int64_t slg_params_bounded_time(int64_t ts_ns);
/* max(floor(range seconds / 250), 1) s */
int64_t slg_params_default_step(int64_t start_ns, int64_t end_ns);

#endif
