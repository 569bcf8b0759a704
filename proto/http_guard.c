/* Concurrency:
 * | state       | owner      | others                                            |
 * | the list    | the mutex  | held for a few loads and, past a deadline, one shutdown(2) |
 * | ended       | base/queue | closed by destroy: the looking thread waits on it | */
#include "proto/http_guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/queue.h"

struct slg_http_guarded {
    int fd;
    int64_t deadline_mono_ns;
    struct slg_http_guarded *previous, *next;
};

struct slg_http_guard {
    int64_t look_ns;
    pthread_mutex_t lock;
    struct slg_http_guarded *first;
    struct slg_queue *ended;
    pthread_t thread;
};

static void shut_down_late(struct slg_http_guard *guard)
{
    int64_t now = slg_clock_mono_ns(slg_clock_system());

    SLG_ASSERT(pthread_mutex_lock(&guard->lock) == 0);
    for (struct slg_http_guarded *at = guard->first; at != NULL; at = at->next) {
        if (now < at->deadline_mono_ns)
            continue;
        (void)shutdown(at->fd, SHUT_RDWR); /* it may have ended by itself */
        at->deadline_mono_ns = SLG_DEADLINE_NEVER;
    }
    SLG_ASSERT(pthread_mutex_unlock(&guard->lock) == 0);
}

static void *look(void *ctx)
{
    struct slg_http_guard *guard = ctx;
    void *item;

    /* Nothing is ever pushed: the wait ends with the time, or when the queue is closed. */
    while (slg_queue_pop(guard->ended, slg_clock_mono_ns(slg_clock_system()) + guard->look_ns,
                         &item) == SLG_TIMEOUT)
        shut_down_late(guard);
    return NULL;
}

enum slg_status slg_http_guard_create(int64_t look_ns, struct slg_http_guard **ret_guard)
{
    struct slg_http_guard *guard = calloc(1, sizeof(*guard));

    if (guard == NULL)
        return SLG_NO_MEMORY;
    guard->look_ns = look_ns;
    if (slg_queue_create(1, &guard->ended) != SLG_OK) {
        free(guard);
        return SLG_NO_MEMORY;
    }
    SLG_ASSERT(pthread_mutex_init(&guard->lock, NULL) == 0);
    if (pthread_create(&guard->thread, NULL, look, guard) != 0) {
        SLG_ASSERT(pthread_mutex_destroy(&guard->lock) == 0);
        slg_queue_destroy(guard->ended);
        free(guard);
        return SLG_NO_MEMORY;
    }
    *ret_guard = guard;
    return SLG_OK;
}

void slg_http_guard_destroy(struct slg_http_guard *guard)
{
    if (guard == NULL)
        return;
    slg_queue_close(guard->ended);
    SLG_ASSERT(pthread_join(guard->thread, NULL) == 0);
    SLG_ASSERT(guard->first == NULL);
    SLG_ASSERT(pthread_mutex_destroy(&guard->lock) == 0);
    slg_queue_destroy(guard->ended);
    free(guard);
}

struct slg_http_guarded *slg_http_guard_add(struct slg_http_guard *guard, int fd,
                                            int64_t deadline_mono_ns)
{
    struct slg_http_guarded *guarded = calloc(1, sizeof(*guarded));

    if (guarded == NULL)
        return NULL;
    guarded->fd = fd;
    guarded->deadline_mono_ns = deadline_mono_ns;
    SLG_ASSERT(pthread_mutex_lock(&guard->lock) == 0);
    guarded->next = guard->first;
    if (guard->first != NULL)
        guard->first->previous = guarded;
    guard->first = guarded;
    SLG_ASSERT(pthread_mutex_unlock(&guard->lock) == 0);
    return guarded;
}

void slg_http_guard_set(struct slg_http_guard *guard, struct slg_http_guarded *guarded,
                        int64_t deadline_mono_ns)
{
    SLG_ASSERT(pthread_mutex_lock(&guard->lock) == 0);
    guarded->deadline_mono_ns = deadline_mono_ns;
    SLG_ASSERT(pthread_mutex_unlock(&guard->lock) == 0);
}

void slg_http_guard_remove(struct slg_http_guard *guard, struct slg_http_guarded *guarded)
{
    SLG_ASSERT(pthread_mutex_lock(&guard->lock) == 0);
    if (guarded->previous != NULL)
        guarded->previous->next = guarded->next;
    else
        guard->first = guarded->next;
    if (guarded->next != NULL)
        guarded->next->previous = guarded->previous;
    SLG_ASSERT(pthread_mutex_unlock(&guard->lock) == 0);
    free(guarded);
}
