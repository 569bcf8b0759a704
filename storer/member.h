/* storer/member.h - may this node's answer count as complete? A pure step (DESIGN section 4, H6; docs/adr/0011).
 *
 * A storage that is new, or older than what peers remember of it (a disk replaced, a snapshot rolled back), may lack
 * batches that it once acknowledged. Until it was compared with its peers it answers, but says "refilling".
 *
 *     JOINING --proven, enough peers heard, none remembers more--> WHOLE
 *        |  +--a peer remembers another storage, or a higher counter--> REFILLING
 *        |  +--rounds of repair, as below--> WHOLE <--rounds of repair-- REFILLING
 *        +-----a peer has the same storage id--> CLASH, for ever: a copied data directory; nothing is stored
 *
 * Proven: the data directory says that it was whole, and not refilling since. Any other has to be compared, a new
 * cluster's too: nobody can tell an empty disk in it from a lost one. Enough: one peer; none when no batch has more than
 * one copy.
 * Rounds of repair make whole when enough peers answered and nothing is due: all but W_min - 2 of the others, themselves
 * whole (this node may be one of the W_min that held a batch, so another W_min - 1 do, and those that refill may have
 * lost the same), or all others, whole or not: then there is nobody left who could know more. What is due is fixed by the
 * first such round that began SLG_MEMBER_SETTLE_NS or more after the start: an ingester may count an acknowledgement
 * of the lost disk for SLG_STORE_ACK_NS, and what it accepts so is held by a peer by then. A storage that nobody remembers, of
 * a cluster in which everybody answers and holds nothing, has nothing to wait for. After that what peers remembered before says nothing more.
 * Owner: embedded by the caller. Threads: one. */
#ifndef SLG_STORER_MEMBER_H
#define SLG_STORER_MEMBER_H

#include "cluster/map.h"
#include "proto/rpc.h"

#define SLG_MEMBER_SETTLE_NS (SLG_STORE_ACK_NS + INT64_C(3) * 1000000000)

enum slg_member_state {
    SLG_MEMBER_JOINING,
    SLG_MEMBER_REFILLING,
    SLG_MEMBER_WHOLE,
    SLG_MEMBER_CLASH,
};

/* What a storage is known by. */
struct slg_member_storage {
    bool known; /* false: nothing is remembered */
    uint8_t id[16];
    uint64_t counter;
};

struct slg_member {
    enum slg_member_state state;
    struct slg_member_storage own;
    size_t others;          /* storers but this one, less removed ones */
    size_t needed;          /* peers that must have been heard */
    size_t needed_round;    /* whole peers that must have answered in a round */
    bool proven;            /* greetings may make it whole; and what the data directory is to say */
    bool refilled;          /* was compared by rounds, and is whole since */
    uint64_t counter_floor; /* the highest counter that a peer remembers of this storage */
    uint64_t
        counter_settled; /* what the floor was when rounds made it whole; 0: peers remembered nothing */
    int64_t start_mono_ns; /* of the process; or when a whole storage was found to lack something */
    bool heard[SLG_MAP_NODE_COUNT_MAX];
};

/* Who answered in a round of repair. */
struct slg_member_round {
    int64_t began_mono_ns;
    size_t answered;
    size_t answered_whole; /* of them, those that are whole and doubt no shard */
    bool anything;         /* this node or one that answered holds a batch */
};

/* proven: the data directory says so. node_index: this node in the map. now_mono_ns: before any request is answered. */
void slg_member_init(struct slg_member *member, const struct slg_map *map, size_t node_index,
                     const struct slg_member_storage *own, bool proven, int64_t now_mono_ns);
/* A peer answered: what it has itself, and what it remembers of this node. */
void slg_member_hear(struct slg_member *member, size_t peer_index,
                     const struct slg_member_storage *of_peer,
                     const struct slg_member_storage *remembered, int64_t now_mono_ns);
/* Do rounds have to make this node whole? */
bool slg_member_compares(const struct slg_member *member);
/* May the looks of this round fix what is due, and settle it (slg_heal_view.counts)? */
bool slg_member_counts(const struct slg_member *member, const struct slg_member_round *round);
/* A round over all shards ended; due: something is still to be fetched, or was not looked at. */
void slg_member_end_round(struct slg_member *member, const struct slg_member_round *round,
                          bool due);
/* May the data directory say that it is whole? After a rollback the counter has to be above what peers remember first. */
bool slg_member_provable(const struct slg_member *member);
/* "joining", "refilling", "whole", "clash". */
const char *slg_member_text(enum slg_member_state state);

#endif
