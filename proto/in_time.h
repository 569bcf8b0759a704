/* proto/in_time.h - run what may never return, and wait for it only so long: for closing what belongs to a library that
 * may wait for ever.
 *
 * Owner:   what runs on may refer to nothing but its number; the process is about to end.
 * Threads: any; `what` runs on a thread of its own. */
#ifndef SLG_PROTO_IN_TIME_H
#define SLG_PROTO_IN_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Whether what(number) has returned; when not, it may still. Without memory or threads it is run here, and waited for. */
bool slg_in_time_run(void (*what)(uint32_t number), uint32_t number, int32_t wait_ms);

#endif
