/* ctl/progress.h - how far long work is, on standard error: done, total, rate and time left. On a terminal as a bar that
 * is drawn anew, otherwise as a line every 10 s.
 *
 * Threads: one. */
#ifndef SLG_CTL_PROGRESS_H
#define SLG_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct slg_progress {
    const char *what; /* "load"; borrowed */
    const char *unit; /* "lines", "MiB" */
    int64_t divisor;  /* of done and total, for the unit: 1, or 1 << 20 */
    int64_t total;    /* 0: not known */
    int64_t started_ns;
    int64_t next_ns; /* not told before */
    bool terminal;
    bool drawn; /* there is a bar to take away */
};

/* Begin to count, on the clock now. divisor > 0. */
void slg_progress_start(struct slg_progress *progress, const char *what, const char *unit,
                        int64_t divisor, int64_t total);
/* Say how far it is, if it is time to. */
void slg_progress_tell(struct slg_progress *progress, int64_t done);
/* Take the bar away: before anything else is written, and at the end. */
void slg_progress_end(struct slg_progress *progress);

/* The line without its end; on a terminal with a bar in front, cut to so many columns. Pure. */
void slg_progress_print(struct slg_buf *out, const struct slg_progress *progress, int64_t done,
                        int64_t now_ns, size_t columns);

#endif
