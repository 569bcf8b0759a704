#include "storer/member.h"

#include <string.h>

static bool is_other_storer(const struct slg_map *map, size_t index, size_t node_index)
{
    return index != node_index && map->nodes[index].state != SLG_NODE_REMOVED;
}

void slg_member_init(struct slg_member *member, const struct slg_map *map, size_t node_index,
                     const struct slg_member_storage *own, bool fresh)
{
    size_t others = 0, copies = 1, quorum_min = 1;

    for (size_t i = 0; i < map->node_count; i++)
        others += is_other_storer(map, i, node_index);
    for (size_t i = 0; i < map->layout_count; i++) {
        const struct slg_map_layout *layout = &map->layouts[i];

        if (layout->replication > copies)
            copies = layout->replication;
        if (layout->write_quorum_min > quorum_min)
            quorum_min = layout->write_quorum_min;
    }
    *member = (struct slg_member){ .state = SLG_MEMBER_JOINING, .own = *own };
    if (copies > 1 && others > 0) {
        member->needed = 1;
        if (fresh && others + 1 > quorum_min)
            member->needed = others + 1 - quorum_min;
        member->needed_round = 1;
        if (others + 1 > quorum_min)
            member->needed_round = others + 2 - quorum_min;
        if (member->needed_round > others)
            member->needed_round = others;
    }
    if (member->needed == 0)
        member->state = SLG_MEMBER_WHOLE;
}

static size_t heard_count(const struct slg_member *member)
{
    size_t count = 0;

    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        count += member->heard[i];
    return count;
}

void slg_member_hear(struct slg_member *member, size_t peer_index,
                     const struct slg_member_storage *of_peer,
                     const struct slg_member_storage *remembered)
{
    const struct slg_member_storage *own = &member->own;
    bool same_disk = remembered->known && memcmp(remembered->id, own->id, sizeof(own->id)) == 0;

    if (of_peer->known && memcmp(of_peer->id, own->id, sizeof(own->id)) == 0)
        member->state = SLG_MEMBER_CLASH;
    if (member->state == SLG_MEMBER_CLASH)
        return;
    member->heard[peer_index] = true;
    if (!member->refilled && remembered->known &&
        (!same_disk || remembered->counter > own->counter))
        member->state = SLG_MEMBER_REFILLING;
    else if (member->state == SLG_MEMBER_JOINING && heard_count(member) >= member->needed)
        member->state = SLG_MEMBER_WHOLE;
}

void slg_member_end_round(struct slg_member *member, size_t answered, bool lacked)
{
    if (member->state != SLG_MEMBER_REFILLING || lacked || answered < member->needed_round)
        return;
    member->state = SLG_MEMBER_WHOLE;
    member->refilled = true;
}

const char *slg_member_text(enum slg_member_state state)
{
    static const char *const texts[] = { "joining", "refilling", "whole", "clash" };

    return texts[state];
}
