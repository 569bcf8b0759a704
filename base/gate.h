/* base/gate.h - a bounded number of jobs at once, the others wait in fair order; and a bound for the memory that jobs
 * hold, also after they have left.
 *
 * When a place comes free it goes to the waiting job whose client has the fewest jobs inside; among those to the one
 * that has waited longest. So a dashboard with 40 panels cannot keep one panel of another user waiting for all 40. Of
 * several places the last is kept for a client that has none inside: jobs may last a minute. Short jobs have places of
 * their own, so that they do not wait behind long ones.
 *
 * A job says what it may hold when it enters. When its work is done it gives its place back and keeps what it holds
 * until it leaves, for instance while an answer is sent to somebody who reads slowly. Whose bytes are at their bound
 * waits, and the others go by: one client has its bound, all clients of one address have theirs, and so have all.
 * Threads: any (docs/adr/0005: this is one of the few places with a lock of its own; nothing waits inside it). A job
 * belongs to its caller, who does not touch it between enter and leave. */
#ifndef SLG_BASE_GATE_H
#define SLG_BASE_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SLG_GATE_PLACES_MAX  ((size_t)256)
#define SLG_GATE_WAITING_MAX ((size_t)4096)

enum slg_gate_lane {
    SLG_GATE_LONG,
    SLG_GATE_SHORT,
    SLG_GATE_LANE_COUNT,
};

struct slg_gate_options {
    size_t place_counts[SLG_GATE_LANE_COUNT]; /* 1 to SLG_GATE_PLACES_MAX each */
    size_t waiting_max;                       /* of all lanes together; 0 to SLG_GATE_WAITING_MAX */
    size_t client_bytes_max, address_bytes_max, bytes_max; /* in this order, none below another */
};

struct slg_gate_job {
    enum slg_gate_lane lane;
    uint64_t client_hash;  /* whose turn is counted */
    uint64_t address_hash; /* where the client is: one that invents names stays at its address */
    size_t bytes; /* it may hold so many; at most client_bytes_max. Later: those that it keeps */

    /* The gate's; zero at first. */
    struct slg_gate_job *next;
    enum { SLG_GATE_OUTSIDE, SLG_GATE_INSIDE, SLG_GATE_KEEPS } state;
};

struct slg_gate;

/* Options within their limits (assertion). NULL: no memory. */
SLG_MUST_CHECK struct slg_gate *slg_gate_create(const struct slg_gate_options *options);
/* Nobody may be inside, keep or wait. NULL is fine. */
void slg_gate_destroy(struct slg_gate *gate);

/* Asked every 100 ms while waiting: true ends the wait with CANCELED. */
typedef bool slg_gate_give_up(void *arg);

/* OK: leave later. AGAIN: waiting_max wait already. TIMEOUT: the deadline came first. CANCELED: give_up said so.
 * give_up may be NULL. */
SLG_MUST_CHECK enum slg_status slg_gate_enter(struct slg_gate *gate, struct slg_gate_job *job,
                                              int64_t deadline_mono_ns, slg_gate_give_up *give_up,
                                              void *arg);
/* Give the place back and go on holding `bytes`. AGAIN: they are more than the job said at first, and more than there is
 * room for: it has left. A job that is outside may begin to hold bytes as well, if there is room. */
SLG_MUST_CHECK enum slg_status slg_gate_keep(struct slg_gate *gate, struct slg_gate_job *job,
                                             size_t bytes);
/* The end of a job, inside or keeping; one that is outside stays so. */
void slg_gate_leave(struct slg_gate *gate, struct slg_gate_job *job);

/* A moment's view, for metrics. */
size_t slg_gate_inside_count(struct slg_gate *gate, enum slg_gate_lane lane);
size_t slg_gate_waiting_count(struct slg_gate *gate, enum slg_gate_lane lane);
size_t slg_gate_kept_bytes(struct slg_gate *gate);

#endif
