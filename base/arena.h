/* base/arena.h - memory of one unit of work (batch, query, request), freed all at once, under a budget.
 *
 * Owner:   the unit's owner resets or destroys it; pointers die with it. Nothing is freed singly.
 * Threads: one thread at a time.
 * Refuses: any allocation that would take the chunks over the budget (NULL = SLG_LIMIT to the caller, who names
 *          the limit). 0 is not "unlimited": it is refused by SLG_ASSERT. */
#ifndef SLG_BASE_ARENA_H
#define SLG_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

struct slg_arena; /* opaque */

/* Create an arena that holds at most budget_bytes in chunks; NULL when the system has no memory.
 * Nothing is reserved beforehand: the first chunk comes with the first allocation. */
SLG_MUST_CHECK struct slg_arena *slg_arena_create(size_t budget_bytes);
void slg_arena_destroy(struct slg_arena *arena); /* NULL is fine */

/* Forget every allocation. Keeps one ordinary chunk for reuse, so that steady state allocates nothing. */
void slg_arena_reset(struct slg_arena *arena);

/* size bytes aligned for any type (16), not zeroed. NULL: over budget or no memory. size 0 gives a valid pointer. */
SLG_MUST_CHECK void *slg_arena_alloc(struct slg_arena *arena, size_t size);

/* count * size zeroed bytes; overflow counts as over budget. */
SLG_MUST_CHECK void *slg_arena_calloc(struct slg_arena *arena, size_t count, size_t size);

/* Copy of bytes[0..len) with a NUL after it. */
SLG_MUST_CHECK char *slg_arena_copy(struct slg_arena *arena, const void *bytes, size_t len);

/* Grow the array `old` of old_count items to new_count items of item_size bytes: in place when it was the last
 * allocation, else by copy (the old space is lost until reset). NULL: over budget, old stays valid. */
SLG_MUST_CHECK void *slg_arena_grow(struct slg_arena *arena, void *old, size_t old_count,
                                    size_t new_count, size_t item_size);

/* printf into the arena; NULL: over budget. */
SLG_MUST_CHECK char *slg_arena_printf(struct slg_arena *arena, const char *format, ...)
    SLG_PRINTF(2, 3);

/* Bytes in chunks now, and the budget. used_bytes <= budget_bytes always. */
size_t slg_arena_used_bytes(const struct slg_arena *arena);
size_t slg_arena_budget_bytes(const struct slg_arena *arena);

/* A point to return to: everything allocated after `mark` is forgotten by rewind (scratch of one entry). */
struct slg_arena_mark {
    void *chunk;
    size_t fill;
};
struct slg_arena_mark slg_arena_mark(const struct slg_arena *arena);
void slg_arena_rewind(struct slg_arena *arena, struct slg_arena_mark mark);

#endif
