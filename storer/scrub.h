/* storer/scrub.h - reads everything that is stored again, slowly, and puts aside what is damaged (DESIGN section 7).
 *
 * A pass goes over all shards, oldest first, at most bytes_per_second, beside the page cache where the file system allows
 * it. Where it stands is in the record `scrub`, so a restart goes on. A pass begins interval_ns after the last one began; a
 * new data directory has its first pass then. Shards in which a reader met damage are looked at first, also with passes off.
 * What is found, twice in a row: a damaged batch is set aside (slg_shard_set_aside), a damaged table condemns the copy
 * (slg_catalogue_quarantine). `found` is told, so that repair hurries. What is sound in a quarantined copy is stored again
 * (storer/salvage.h); when that is all that it held the shard vouches at once, with one copy (R = 1) too.
 * Owner:   everything in options is borrowed until stop.
 * Threads: one of its own, of low priority. progress from any; start and stop by one. */
#ifndef SLG_STORER_SCRUB_H
#define SLG_STORER_SCRUB_H

#include "base/clock.h"
#include "storer/catalogue.h"
#include "storer/commit.h"
#include "storer/metrics.h"

#define SLG_SCRUB_BYTES_PER_SEC_MIN ((uint64_t)64 * 1024)

struct slg_scrub;

struct slg_scrub_options {
    struct slg_catalogue *catalogue;
    const char *data_dir;
    struct slg_clock *clock;
    struct slg_metric_table *metrics;
    struct slg_commit
        *commit; /* takes the sound batches of quarantined copies; NULL: they are left there */
    bool passes; /* false: only shards that were reported */
    int64_t interval_ns;       /* > 0 */
    uint64_t bytes_per_second; /* SLG_SCRUB_BYTES_PER_SEC_MIN or more */
    void (*found)(void *ctx);  /* something was put aside; NULL: none */
    void *found_ctx;
};
SLG_MUST_CHECK enum slg_status slg_scrub_start(const struct slg_scrub_options *options,
                                               struct slg_scrub **ret_scrub,
                                               struct slg_error *reterr);
void slg_scrub_stop(struct slg_scrub *scrub); /* NULL is fine */

struct slg_scrub_progress {
    bool running; /* a pass is under way */
    int64_t pass_started_ns;
    uint64_t done_bytes;
    uint64_t total_bytes;      /* what there was when the pass began */
    uint64_t bytes_per_second; /* of this pass since the start of the process */
    uint64_t damaged_batches;  /* in this pass, or the last */
};
void slg_scrub_progress(struct slg_scrub *scrub, struct slg_scrub_progress *ret_progress);

#endif
