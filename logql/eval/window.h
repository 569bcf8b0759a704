/* logql/eval/window.h - which evaluations of a range aggregation an instant belongs to.
 *
 * An evaluation at t covers (t - offset - range, t - offset]. The starts and ends of all evaluations cut time into
 * buckets, so that every window is a run of buckets and every entry lies in one bucket: a remote keeps one partial per
 * bucket however much the windows overlap, and buckets of several remotes merge one by one.
 *
 *   bucket(ts) = number of ends < ts + number of starts < ts        (so buckets ascend with time)
 *
 * Pure arithmetic; threads: any. */
#ifndef SLG_LOGQL_EVAL_WINDOW_H
#define SLG_LOGQL_EVAL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

/* Evaluations of one query: 11 000 steps and both ends. */
#define SLG_WINDOW_COUNT_MAX 11001
#define SLG_BUCKET_NONE      UINT32_MAX

struct slg_windows {
    int64_t start_ns; /* first evaluation, in time of the data (offset taken off) */
    int64_t step_ns;  /* >= 1 */
    int64_t range_ns; /* >= 0; 0 covers nothing */
    uint32_t count;   /* evaluations, 1 to SLG_WINDOW_COUNT_MAX */
};

/* Evaluations at start, start + step ... <= end; step 0: one, at end. False: end < start or too many. Times that
 * overflow are saturated: there is no data there. */
bool slg_windows_init(struct slg_windows *w, int64_t start_ns, int64_t end_ns, int64_t step_ns,
                      int64_t range_ns, int64_t offset_ns);

/* Bucket of an instant, SLG_BUCKET_NONE when no window covers it. */
uint32_t slg_windows_bucket(const struct slg_windows *w, int64_t ts_ns);

/* First and last bucket of evaluation i (< count). False: range 0, it covers nothing. */
bool slg_windows_span(const struct slg_windows *w, uint32_t i, uint32_t *ret_first,
                      uint32_t *ret_last);

/* (from, to] of evaluation i in time of the data. */
void slg_windows_bounds(const struct slg_windows *w, uint32_t i, int64_t *ret_after_ns,
                        int64_t *ret_last_ns);

/* All instants that any window may cover: from_ns <= ts < to_ns. */
void slg_windows_range(const struct slg_windows *w, int64_t *ret_from_ns, int64_t *ret_to_ns);

#endif
