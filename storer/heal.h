/* storer/heal.h - what a storer does about one shard that its holders hold differently: a pure step (DESIGN section 7).
 *
 * An owner fetches what any other holder has and it lacks. A holder that is no owner keeps hints, and forgets the shard
 * once every owner holds all of it (H3), and all that is set aside there: with the shard goes what it doubts. Both only after two looks at least SLG_HEAL_AGE_NS apart that saw the same:
 * batches on their way are left alone, and an owner that was only just seen whole is seen once more.
 *
 * A node that refills (storer/member.h) lacks, as a hint candidate, what fewer than W_min others hold: it may have been
 * one of the W_min, and must be again before it counts as an answer. It fetches that, too. What keeps it refilling is `due`:
 * what it lacked in the first look that counts, less what came, or what no later look that counts saw any more.
 * Owner:   the memory of a shard (struct slg_heal) is the caller's, zeroed before the first look; fini frees what it
 *          holds. Actions live until the next look, or fini.
 * Threads: one per memory. */
#ifndef SLG_STORER_HEAL_H
#define SLG_STORER_HEAL_H

#include "cluster/placement.h"
#include "proto/batch_set.h"

#define SLG_HEAL_AGE_NS (INT64_C(5) * 1000000000)

/* Another node that may hold the shard. */
struct slg_heal_peer {
    uint16_t node; /* the caller's index */
    bool owner;
    bool whole;                      /* it may count as an answer (storer/member.h) */
    const struct slg_batch_set *set; /* NULL: it did not answer */
};

struct slg_heal_view {
    bool owner;          /* this node owns the shard */
    bool candidate;      /* or is one of its hint candidates */
    bool refilling;      /* slg_member_compares */
    bool counts;         /* slg_member_counts, and everybody who was asked for a set sent it */
    uint16_t copies_min; /* W_min of the shard's layout */
    const struct slg_batch_set *own;   /* never NULL */
    const struct slg_batch_set *aside; /* damaged here, set aside and not back; NULL: nothing */
    const struct slg_heal_peer *peers;
    size_t peer_count;
    size_t owner_count; /* of the shard, this node included if it is one */
};

struct slg_heal {
    struct slg_batch_set *lacked; /* in the last look; NULL: nothing, or no look yet */
    struct slg_batch_set *due;    /* keeps this node refilling; NULL: no look counted yet */
    struct slg_batch_set
        *seen_whole; /* what every owner held of ours in the last look; NULL: not so */
    int64_t look_mono_ns;
};

struct slg_heal_fetch {
    uint16_t node;
    struct slg_batch_set *set; /* owned by the actions */
};

struct slg_heal_actions {
    struct slg_heal_fetch fetches[SLG_MAP_NODE_COUNT_MAX];
    size_t fetch_count;
    bool lacking; /* something is lacked, to be fetched now or after the next look */
    bool due;     /* this node refills, and may not be called whole after this look */
    bool forget;  /* every owner has it: forget the shard if it still holds exactly `own` */
};

/* May a look at a shard whose copy here is to be refilled (SLG_SHARD_DOUBT_REFILLING) make it whole? Of its other owners
 * and hint candidates all but W_min - 2 have to vouch: a batch that was accepted had W_min - 1 holders among them. Or
 * all have to answer, vouching or not: then there is nobody left who could know more, and two damaged copies do not wait
 * for each other for ever. With W_min = 1 all have to; what had no copy but the one that was put aside is lost. R = 1:
 * never. live: by node index. */
bool slg_heal_copy_counts(const struct slg_placement *placement, const bool *live, uint16_t self,
                          const struct slg_heal_peer *peers, size_t peer_count,
                          uint16_t write_quorum_min);

/* OK; LIMIT, NO_MEMORY: nothing was decided, look again. Free the actions with slg_heal_actions_fini. */
SLG_MUST_CHECK enum slg_status slg_heal_look(struct slg_heal *heal,
                                             const struct slg_heal_view *view, int64_t now_mono_ns,
                                             struct slg_heal_actions *ret_actions);
void slg_heal_actions_fini(struct slg_heal_actions *actions);
void slg_heal_fini(struct slg_heal *heal);

#endif
