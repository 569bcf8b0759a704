/* ctl/copies.h - shards by the copies that are left of them, from the rows of `shard ls` of all storers: pure.
 *
 * A copy counts when an owner holds it readable ("open", "closed") and it lags by at most SLG_COPIES_LAG batches behind
 * the fullest: so many may be on their way. Rows of storers that do not answer are missing, and so are their copies:
 * shards that only those hold are not counted at all.
 * Threads: pure. */
#ifndef SLG_CTL_COPIES_H
#define SLG_CTL_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLG_COPIES_LAG INT64_C(64)

struct slg_copies_row {
    const char *shard;
    size_t node; /* which storer: an index of lag_batches */
    bool owner;
    bool good; /* can be read */
    int64_t batches;
    int64_t wanted; /* copies that the map asks for */
};

struct slg_copies {
    size_t full;
    size_t under_replicated; /* fewer copies than wanted */
    size_t lost;             /* no readable copy, hints included */
};

/* Sorts the rows. To lag_batches[row.node] is added what an owner's copies lack of the fullest of each shard. */
struct slg_copies slg_copies_count(struct slg_copies_row *rows, size_t count, int64_t *lag_batches);

#endif
