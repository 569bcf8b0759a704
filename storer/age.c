#include "storer/age.h"

#include <stdlib.h>

static int64_t age_wall_ns(struct slg_clock *clock)
{
    struct slg_age *age = (struct slg_age *)(void *)clock; /* its first member */

    return slg_clock_wall_ns(age->own) - atomic_load(&age->doubt_ns);
}

static int64_t age_mono_ns(struct slg_clock *clock)
{
    return slg_clock_mono_ns(((struct slg_age *)(void *)clock)->own);
}

void slg_age_init(struct slg_age *age, struct slg_clock *own)
{
    *age =
        (struct slg_age){ .clock = { .wall_ns = age_wall_ns, .mono_ns = age_mono_ns }, .own = own };
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

void slg_age_hear(struct slg_age *age, size_t node_index, int64_t peer_wall_ns)
{
    int64_t own_ns = slg_clock_wall_ns(age->own), ahead[SLG_MAP_NODE_COUNT_MAX];
    size_t count = 0;

    SLG_ASSERT(node_index < SLG_MAP_NODE_COUNT_MAX);
    if (peer_wall_ns <= 0 || own_ns <= 0)
        return;
    age->known[node_index] = true;
    age->ahead_ns[node_index] = peer_wall_ns - own_ns; /* both positive: no overflow */
    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        if (age->known[i])
            ahead[count++] = age->ahead_ns[i];
    qsort(ahead, count, sizeof(ahead[0]), compare);
    atomic_store(&age->doubt_ns, ahead[count / 2] < 0 ? -ahead[count / 2] : 0);
    atomic_store(&age->heard, true);
}

int64_t slg_age_doubt_ns(const struct slg_age *age)
{
    return atomic_load(&age->doubt_ns);
}
