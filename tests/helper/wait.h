/* tests/helper/wait.h - wait for what another thread does: poll a condition, with a deadline, never just sleep. */
#ifndef SLG_TESTS_HELPER_WAIT_H
#define SLG_TESTS_HELPER_WAIT_H

#include "tests/helper/test.h"

#include <poll.h>

#include "base/clock.h"

#define TEST_DEADLINE_NS                                                                           \
    (60 * SLG_NS_PER_SEC) /* long, for busy machines: only failures wait for it */

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t wait_until_ = slg_clock_mono_ns(slg_clock_system()) + TEST_DEADLINE_NS;            \
        while (!(condition)) {                                                                     \
            if (slg_clock_mono_ns(slg_clock_system()) > wait_until_)                               \
                fail_msg("not within the deadline: %s", #condition);                               \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

#endif
