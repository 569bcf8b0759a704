/* logql/eval/slide.h - values of a range aggregation, evaluation after evaluation.
 *
 * Windows slide over the buckets of each series. Partials are combined by the two-stack queue: each bucket is merged
 * at most twice however much windows overlap, and nothing is ever subtracted, so that infinities and rounding do not
 * leak from window to window. quantile_over_time keeps a tree of counts over the ranks of its samples.
 *
 * Owner:   memory is the arena's; the series table is consumed (its partials are overwritten). Threads: one. */
#ifndef SLG_LOGQL_EVAL_SLIDE_H
#define SLG_LOGQL_EVAL_SLIDE_H

#include "logql/eval/series.h"
#include "logql/eval/window.h"

struct slg_slide; /* opaque */

/* table: settled series of range's accumulator; borrowed, as is range. NULL: the arena is full. */
SLG_MUST_CHECK struct slg_slide *slg_slide_create(struct slg_arena *arena,
                                                  const struct slg_logql_range_aggregation *range,
                                                  const struct slg_windows *windows,
                                                  struct slg_series_table *table);
/* Go to evaluation i; 0, 1, 2 ... in this order, then ask for series. */
void slg_slide_step(struct slg_slide *slide, uint32_t i);
/* Value of a series at that evaluation; false: no samples in its window. Each series at most once per step, and a
 * series left out of a step is caught up later. */
bool slg_slide_value(struct slg_slide *slide, uint32_t series_index, double *ret_value);

/* Prometheus' extrapolated rate over the window (after_ns, last_ns]; samples in order. reset_sum: of the values before
 * each counter reset. Fewer than two samples: 0. */
double slg_slide_rate_counter(const struct slg_sample *samples, size_t count, double reset_sum,
                              int64_t after_ns, int64_t last_ns);

#endif
