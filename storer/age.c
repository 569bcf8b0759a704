#include "storer/age.h"

#include <stdlib.h>

#define WALL_NS_MAX (INT64_MAX / 2) /* the year 2116: room to add and subtract */

static int64_t age_wall_ns(struct slg_clock *clock)
{
    struct slg_age *age = (struct slg_age *)(void *)clock; /* its first member */

    return slg_clock_wall_ns(age->own) - slg_age_doubt_ns(age);
}

static int64_t age_mono_ns(struct slg_clock *clock)
{
    return slg_clock_mono_ns(((struct slg_age *)(void *)clock)->own);
}

void slg_age_init(struct slg_age *age, struct slg_clock *own)
{
    *age =
        (struct slg_age){ .clock = { .wall_ns = age_wall_ns, .mono_ns = age_mono_ns }, .own = own };
    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        atomic_init(&age->words[i].heard_mono_ns, SLG_AGE_NEVER);
}

void slg_age_hear(struct slg_age *age, size_t node_index, int64_t peer_wall_ns)
{
    int64_t mono_ns = slg_clock_mono_ns(age->own);
    struct slg_age_word *word;

    SLG_ASSERT(node_index < SLG_MAP_NODE_COUNT_MAX);
    word = &age->words[node_index];
    if (peer_wall_ns <= 0)
        return;
    if (peer_wall_ns > WALL_NS_MAX)
        peer_wall_ns = WALL_NS_MAX;
    atomic_store(&word->offset_ns, peer_wall_ns - mono_ns);
    atomic_store(&word->heard_mono_ns, mono_ns);
    atomic_store(&age->heard, true);
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

/* The peers' times less our monotonic time, of words since then. */
static size_t collect(const struct slg_age *age, int64_t since_mono_ns,
                      int64_t offsets_ns[SLG_MAP_NODE_COUNT_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++) {
        int64_t heard_ns = atomic_load(&age->words[i].heard_mono_ns);

        if (heard_ns != SLG_AGE_NEVER && heard_ns >= since_mono_ns)
            offsets_ns[count++] = atomic_load(&age->words[i].offset_ns);
    }
    return count;
}

int64_t slg_age_doubt_ns(const struct slg_age *age)
{
    int64_t offsets_ns[SLG_MAP_NODE_COUNT_MAX];
    int64_t own_ns, mono_ns, ahead_ns;
    size_t count;

    if (!atomic_load(&age->heard))
        return 0;
    own_ns = slg_clock_wall_ns(age->own);
    mono_ns = slg_clock_mono_ns(age->own);
    count = collect(age, mono_ns - SLG_AGE_FRESH_NS, offsets_ns);
    if (count == 0)
        count = collect(age, SLG_AGE_NEVER, offsets_ns);
    if (count == 0 || own_ns <= 0)
        return 0;
    qsort(offsets_ns, count, sizeof(offsets_ns[0]), compare);
    ahead_ns = offsets_ns[count / 2] + mono_ns - own_ns;
    return ahead_ns < 0 ? -ahead_ns : 0;
}
