#include "base/clock.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    /* Cannot fail for these two ids on Linux. */
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * SLG_NS_PER_SEC + now.tv_nsec;
}

static int64_t system_wall_ns(struct slg_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono_ns(struct slg_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

struct slg_clock *slg_clock_system(void)
{
    /* Never written after start: the one shared object that callers take as non-const. */
    static struct slg_clock system_clock = { .wall_ns = system_wall_ns, .mono_ns = system_mono_ns };

    return &system_clock;
}

static int64_t fake_wall_ns(struct slg_clock *clock)
{
    return ((struct slg_clock_fake *)(void *)clock)->wall_ns;
}

static int64_t fake_mono_ns(struct slg_clock *clock)
{
    return ((struct slg_clock_fake *)(void *)clock)->mono_ns;
}

void slg_clock_fake_init(struct slg_clock_fake *fake, int64_t wall_ns, int64_t mono_ns)
{
    fake->clock = (struct slg_clock){ .wall_ns = fake_wall_ns, .mono_ns = fake_mono_ns };
    fake->wall_ns = wall_ns;
    fake->mono_ns = mono_ns;
}
