/* storer/age.h - what time it is for retention: min(own clock, median of the peers' clocks) (DESIGN section 7).
 *
 * A clock that is ahead would delete what must be kept. With an even number of peers the later of the two middle ones
 * counts, so that one liar among three storers changes nothing, whichever way it lies.
 * Owner:   embedded by the caller; the own clock is borrowed.
 * Threads: the clock and doubt: any. hear: one at a time. */
#ifndef SLG_STORER_AGE_H
#define SLG_STORER_AGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "cluster/map.h"

struct slg_age {
    struct slg_clock clock; /* its wall time is that of retention */
    struct slg_clock *own;
    _Atomic int64_t doubt_ns; /* the own clock is so far ahead of the median; 0 or more */
    atomic_bool heard;        /* any peer */
    bool known[SLG_MAP_NODE_COUNT_MAX];
    int64_t
        ahead_ns[SLG_MAP_NODE_COUNT_MAX]; /* of us, by the peer's own clock, when it last told */
};

/* Believes the own clock until peers were heard. */
void slg_age_init(struct slg_age *age, struct slg_clock *own);
/* A peer told its time; 0 or less is none. */
void slg_age_hear(struct slg_age *age, size_t node_index, int64_t peer_wall_ns);
/* How much earlier than by the own clock it is. */
int64_t slg_age_doubt_ns(const struct slg_age *age);

#endif
