/* base/queue.h - bounded queue of pointers between threads; the only place where threads hand over work.
 *
 * Any number of producers and consumers; first in, first out. The array is allocated by create, never later.
 * Owner:   an item belongs to the queue from a push that returned SLG_OK until a pop returned it. A push that
 *          failed leaves the item with the caller. destroy does not free items: drain first.
 * Threads: every function but create and destroy may be called from any thread at once.
 * Refuses: NULL items (assertion); pushes when full (SLG_AGAIN) or closed (SLG_CANCELED). */
#ifndef SLG_BASE_QUEUE_H
#define SLG_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/status.h"

/* A deadline that never comes. */
#define SLG_DEADLINE_NEVER     INT64_MAX
/* Most items that a queue may be created for: 8 MB of pointers; a longer queue hides a stuck consumer. */
#define SLG_QUEUE_CAPACITY_MAX ((size_t)1 << 20)

struct slg_queue; /* opaque */

/* capacity: 1 to SLG_QUEUE_CAPACITY_MAX (assertion). SLG_OK or SLG_NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_queue_create(size_t capacity, struct slg_queue **ret_queue);
/* No thread may be inside or come later. NULL is fine. Items still inside are forgotten, not freed. */
void slg_queue_destroy(struct slg_queue *queue);

/* Never waits: SLG_OK, SLG_AGAIN (full: count the drop or hold the sender back), SLG_CANCELED (closed). */
SLG_MUST_CHECK enum slg_status slg_queue_push(struct slg_queue *queue, void *item);
/* Waits for room until deadline_mono_ns (slg_clock_mono_ns of the system clock): SLG_OK, SLG_TIMEOUT,
 * SLG_CANCELED (closed before or while waiting). */
SLG_MUST_CHECK enum slg_status slg_queue_push_wait(struct slg_queue *queue, void *item,
                                                   int64_t deadline_mono_ns);

/* Never waits: SLG_OK, SLG_AGAIN (empty), SLG_CANCELED (closed and empty). */
SLG_MUST_CHECK enum slg_status slg_queue_try_pop(struct slg_queue *queue, void **ret_item);
/* Waits for an item until deadline_mono_ns: SLG_OK, SLG_TIMEOUT, SLG_CANCELED (closed and drained). */
SLG_MUST_CHECK enum slg_status slg_queue_pop(struct slg_queue *queue, int64_t deadline_mono_ns,
                                             void **ret_item);
/* As pop, but takes all that is there, up to items_max (>= 1), under one lock. *ret_count >= 1 on SLG_OK. */
SLG_MUST_CHECK enum slg_status slg_queue_pop_many(struct slg_queue *queue, int64_t deadline_mono_ns,
                                                  void **items, size_t items_max,
                                                  size_t *ret_count);

/* Refuse pushes from now on, wake every waiter. Pops drain what is left, then say SLG_CANCELED. Repeatable. */
void slg_queue_close(struct slg_queue *queue);

/* A moment's view, for metrics. */
size_t slg_queue_count(struct slg_queue *queue);

#endif
