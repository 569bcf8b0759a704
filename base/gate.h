/* base/gate.h - a bounded number of jobs at once, the others wait in fair order.
 *
 * When a place comes free it goes to the waiting job whose client has the fewest jobs inside; among those to the one
 * that has waited longest. So a dashboard with 40 panels cannot keep one panel of another user waiting for all 40. Of
 * several places the last is kept for a client that has none inside: jobs may last a minute.
 * Threads: any (docs/adr/0005: this is one of the few places with a lock of its own; nothing waits inside it). */
#ifndef SLG_BASE_GATE_H
#define SLG_BASE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SLG_GATE_PLACES_MAX  ((size_t)256)
#define SLG_GATE_WAITING_MAX ((size_t)4096)

struct slg_gate;

/* place_count and waiting_max within the limits above (assertion). NULL: no memory. */
SLG_MUST_CHECK struct slg_gate *slg_gate_create(size_t place_count, size_t waiting_max);
/* Nobody may be inside or waiting. NULL is fine. */
void slg_gate_destroy(struct slg_gate *gate);

/* Asked every 100 ms while waiting: true ends the wait with CANCELED. */
typedef bool slg_gate_give_up(void *arg);

/* Enter as `client_hash`. OK: leave later with the same hash. AGAIN: waiting_max wait already. TIMEOUT: the deadline
 * came first. CANCELED: give_up said so. give_up may be NULL. */
SLG_MUST_CHECK enum slg_status slg_gate_enter(struct slg_gate *gate, uint64_t client_hash,
                                              int64_t deadline_mono_ns, slg_gate_give_up *give_up,
                                              void *arg);
void slg_gate_leave(struct slg_gate *gate, uint64_t client_hash);

/* A moment's view, for metrics. */
size_t slg_gate_inside_count(struct slg_gate *gate);
size_t slg_gate_waiting_count(struct slg_gate *gate);

#endif
