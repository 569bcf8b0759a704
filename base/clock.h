/* base/clock.h - time as a seam: production reads the system clocks, tests and the simulator set their own.
 *
 * Wall time is int64_t ns since the Unix epoch (ts_ns); deadlines are monotonic ns. Never mix the two.
 * Threads: the system clock may be used from any; a fake one is as safe as its functions. */
#ifndef SLG_BASE_CLOCK_H
#define SLG_BASE_CLOCK_H

#include <stdint.h>

#define SLG_NS_PER_US  INT64_C(1000)
#define SLG_NS_PER_MS  INT64_C(1000000)
#define SLG_NS_PER_SEC INT64_C(1000000000)

struct slg_clock {
    int64_t (*wall_ns)(struct slg_clock *clock);
    int64_t (*mono_ns)(struct slg_clock *clock);
};

/* The one of this machine; lives for ever, never NULL. */
struct slg_clock *slg_clock_system(void);

static inline int64_t slg_clock_wall_ns(struct slg_clock *clock)
{
    return clock->wall_ns(clock);
}

static inline int64_t slg_clock_mono_ns(struct slg_clock *clock)
{
    return clock->mono_ns(clock);
}

/* A clock that a test sets by hand. Pass &fake.clock. Not thread safe unless the test locks. */
struct slg_clock_fake {
    struct slg_clock clock;
    int64_t wall_ns;
    int64_t mono_ns;
};
void slg_clock_fake_init(struct slg_clock_fake *fake, int64_t wall_ns, int64_t mono_ns);

#endif
