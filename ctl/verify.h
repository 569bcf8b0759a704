/* ctl/verify.h - is every line that was sent there exactly once? Compares multisets of line hashes.
 *
 * Threads: one. Memory: 8 bytes per line on each side. */
#ifndef SLG_CTL_VERIFY_H
#define SLG_CTL_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SLG_VERIFY_LINES_MAX ((size_t)100000000)

struct slg_verify; /* the lines that were sent */

SLG_MUST_CHECK struct slg_verify *slg_verify_create(size_t line_count_max);
void slg_verify_destroy(struct slg_verify *verify); /* NULL is fine */
/* Remember one line. At most line_count_max (assertion). */
void slg_verify_add(struct slg_verify *verify, const void *line, size_t len);

struct slg_verify_range {
    const char *addr;     /* read API */
    const char *token;    /* for it, or NULL */
    const char *selector; /* "{host=~\"load-.*\"}" */
    int64_t from_ns;
    int64_t to_ns;
    int64_t settle_ns; /* how long the number of lines found may stand still before we compare */
};
struct slg_verify_outcome {
    uint64_t sent;
    uint64_t found;
    uint64_t missing;    /* sent and not found, by multiset */
    uint64_t unexpected; /* found and not sent, or more often than sent */
};
/* Wait until all lines are counted or the count stands still, then page through all of them. */
SLG_MUST_CHECK enum slg_status slg_verify_run(struct slg_verify *verify,
                                              const struct slg_verify_range *range,
                                              struct slg_verify_outcome *ret_outcome,
                                              struct slg_error *reterr);

#endif
