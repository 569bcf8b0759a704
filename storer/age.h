/* storer/age.h - what time it is for retention: min(own clock, median of the peers' clocks) (DESIGN section 7).
 *
 * A clock that is ahead would delete what must be kept. With an even number of peers the later of the two middle ones
 * counts, so that one liar among three storers changes nothing, whichever way it lies.
 * A peer's word is taken with the monotonic time at which it came, and goes on from there: a jump of the own wall clock
 * is seen at once, also against the word of a peer that has died. Peers heard in the last SLG_AGE_FRESH_NS count; when
 * there are none, the last words of all.
 * Owner:   embedded by the caller; the own clock is borrowed.
 * Threads: the clock and doubt: any. hear: one at a time. */
#ifndef SLG_STORER_AGE_H
#define SLG_STORER_AGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "cluster/map.h"

#define SLG_AGE_FRESH_NS (30 * SLG_NS_PER_SEC) /* peers are greeted every 5 s */

struct slg_age_word {
    _Atomic int64_t heard_mono_ns; /* SLG_AGE_NEVER: nothing yet */
    _Atomic int64_t offset_ns;     /* the peer's wall time then, less our monotonic time */
};
#define SLG_AGE_NEVER INT64_MIN

struct slg_age {
    struct slg_clock clock; /* its wall time is that of retention */
    struct slg_clock *own;
    atomic_bool heard; /* any peer */
    struct slg_age_word words[SLG_MAP_NODE_COUNT_MAX];
};

/* Believes the own clock until peers were heard. */
void slg_age_init(struct slg_age *age, struct slg_clock *own);
/* A peer told its time; 0 or less is none. */
void slg_age_hear(struct slg_age *age, size_t node_index, int64_t peer_wall_ns);
/* How much earlier than by the own clock it is now; 0 or more. */
int64_t slg_age_doubt_ns(const struct slg_age *age);

#endif
