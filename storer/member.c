#include "storer/member.h"

#include <string.h>

static bool is_other_storer(const struct slg_map *map, size_t index, size_t node_index)
{
    return index != node_index && map->nodes[index].state != SLG_NODE_REMOVED;
}

void slg_member_init(struct slg_member *member, const struct slg_map *map, size_t node_index,
                     const struct slg_member_storage *own, bool proven, int64_t now_mono_ns)
{
    size_t others = 0, copies = 1, quorum_min = SLG_MAP_REPLICATION_MAX;

    for (size_t i = 0; i < map->node_count; i++)
        others += is_other_storer(map, i, node_index);
    for (size_t i = 0; i < map->layout_count; i++) {
        const struct slg_map_layout *layout = &map->layouts[i];

        if (layout->replication > copies)
            copies = layout->replication;
        if (layout->replication > 1 && layout->write_quorum_min < quorum_min)
            quorum_min = layout->write_quorum_min; /* the layout whose batches have fewest copies */
    }
    *member = (struct slg_member){ .state = SLG_MEMBER_JOINING,
                                   .own = *own,
                                   .others = others,
                                   .proven = proven,
                                   .start_mono_ns = now_mono_ns };
    if (copies == 1 || others == 0) {
        member->state = SLG_MEMBER_WHOLE;
        return;
    }
    member->needed = 1;
    member->needed_round = others + 2 > quorum_min + 1 ? others + 2 - quorum_min : 1;
    if (member->needed_round > others)
        member->needed_round = others;
}

static size_t heard_count(const struct slg_member *member)
{
    size_t count = 0;

    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        count += member->heard[i];
    return count;
}

/* Does a peer remember what this storage does not know of? What it remembered before a refill does not count. */
static bool remembers_more(const struct slg_member *member,
                           const struct slg_member_storage *remembered)
{
    const struct slg_member_storage *own = &member->own;

    if (!remembered->known)
        return false;
    if (memcmp(remembered->id, own->id, sizeof(own->id)) != 0)
        return !member->refilled;
    return remembered->counter > own->counter && remembered->counter > member->counter_settled;
}

void slg_member_hear(struct slg_member *member, size_t peer_index,
                     const struct slg_member_storage *of_peer,
                     const struct slg_member_storage *remembered, int64_t now_mono_ns)
{
    const struct slg_member_storage *own = &member->own;
    bool same_disk = remembered->known && memcmp(remembered->id, own->id, sizeof(own->id)) == 0;

    if (of_peer->known && memcmp(of_peer->id, own->id, sizeof(own->id)) == 0)
        member->state = SLG_MEMBER_CLASH;
    if (member->state == SLG_MEMBER_CLASH)
        return;
    member->heard[peer_index] = true;
    if (same_disk && remembered->counter > member->counter_floor)
        member->counter_floor = remembered->counter;
    if (remembers_more(member, remembered)) {
        if (member->proven)
            member->start_mono_ns = now_mono_ns;
        member->state = SLG_MEMBER_REFILLING;
        member->proven = false;
    } else if (member->state == SLG_MEMBER_JOINING && member->proven &&
               heard_count(member) >= member->needed) {
        member->state = SLG_MEMBER_WHOLE;
    }
}

bool slg_member_compares(const struct slg_member *member)
{
    return !member->proven &&
           (member->state == SLG_MEMBER_JOINING || member->state == SLG_MEMBER_REFILLING);
}

static bool enough_answered(const struct slg_member *member, const struct slg_member_round *round)
{
    return round->answered == member->others || round->answered_whole >= member->needed_round;
}

/* Everybody has answered, nobody holds anything, or remembers this node. */
static bool is_new_cluster(const struct slg_member *member, const struct slg_member_round *round)
{
    return member->state == SLG_MEMBER_JOINING && round->answered == member->others &&
           !round->anything;
}

bool slg_member_counts(const struct slg_member *member, const struct slg_member_round *round)
{
    return slg_member_compares(member) && enough_answered(member, round) &&
           round->began_mono_ns - member->start_mono_ns >= SLG_MEMBER_SETTLE_NS;
}

void slg_member_end_round(struct slg_member *member, const struct slg_member_round *round, bool due)
{
    if (!slg_member_compares(member) || due ||
        (!slg_member_counts(member, round) && !is_new_cluster(member, round)))
        return;
    member->state = SLG_MEMBER_WHOLE;
    member->proven = true;
    member->refilled = true;
    member->counter_settled = member->counter_floor;
}

bool slg_member_provable(const struct slg_member *member)
{
    return member->proven && member->state == SLG_MEMBER_WHOLE &&
           (member->counter_settled == 0 || member->own.counter > member->counter_settled);
}

const char *slg_member_text(enum slg_member_state state)
{
    static const char *const texts[] = { "joining", "refilling", "whole", "clash" };

    return texts[state];
}
