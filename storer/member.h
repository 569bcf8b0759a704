/* storer/member.h - may this node's answer count as complete? A pure step (DESIGN section 4, H6).
 *
 * A storage that is new, or older than what peers remember of it (a disk replaced, a snapshot rolled back), may lack
 * batches that it once acknowledged. Until it was compared with its peers it answers, but says "refilling".
 *
 *     JOINING --enough peers heard, none remembers more--> WHOLE
 *        |  +--a peer remembers another storage, or a higher counter--> REFILLING --a full round lacked nothing--> WHOLE
 *        +-----a peer has the same storage id--> CLASH, for ever: a copied data directory; nothing is stored
 *
 * Enough: of the other storers all but W_min - 1 for a storage made at this start, else one; none when no batch has
 * more than one copy. A full round has to reach one more, all but W_min - 2: this node may be one of the W_min that held
 * a batch, so another W_min - 1 do. What peers remember says nothing more once such a round was had.
 * Owner: embedded by the caller. Threads: one. */
#ifndef SLG_STORER_MEMBER_H
#define SLG_STORER_MEMBER_H

#include "cluster/map.h"

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
    size_t needed;       /* peers that must have been heard */
    size_t needed_round; /* peers that must have answered in a full round */
    bool refilled;       /* was refilling, and is whole since */
    bool heard[SLG_MAP_NODE_COUNT_MAX];
};

/* fresh: the storage was made at this start. node_index: this node in the map. */
void slg_member_init(struct slg_member *member, const struct slg_map *map, size_t node_index,
                     const struct slg_member_storage *own, bool fresh);
/* A peer answered: what it has itself, and what it remembers of this node. */
void slg_member_hear(struct slg_member *member, size_t peer_index,
                     const struct slg_member_storage *of_peer,
                     const struct slg_member_storage *remembered);
/* A full round of repair ended; answered: peers that did and are whole, or all others, whole or not; lacked: something
 * is still to be fetched. */
void slg_member_end_round(struct slg_member *member, size_t answered, bool lacked);
/* "joining", "refilling", "whole", "clash". */
const char *slg_member_text(enum slg_member_state state);

#endif
