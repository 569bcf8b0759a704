#include "base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"

/* Concurrency
 *   state                     owner    seen by others
 *   items, head, count, closed  lock   only under it
 *   capacity                  create   constant afterwards */
struct slg_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty; /* on CLOCK_MONOTONIC */
    pthread_cond_t not_full;
    size_t capacity;
    size_t head; /* index of the oldest item */
    size_t count;
    bool closed;
    void *items[];
};

/* TSan of Debian 12 does not know pthread_cond_clockwait, so the clock is set at init. */
static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    SLG_ASSERT(pthread_condattr_init(&attributes) == 0);
    SLG_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SLG_ASSERT(pthread_cond_init(condition, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes); /* cannot fail on Linux */
}

enum slg_status slg_queue_create(size_t capacity, struct slg_queue **ret_queue)
{
    struct slg_queue *queue;

    SLG_ASSERT(capacity > 0);
    SLG_ASSERT(capacity <= SLG_QUEUE_CAPACITY_MAX);
    queue = calloc(1, sizeof(*queue) + capacity * sizeof(queue->items[0]));
    if (queue == NULL)
        return SLG_NO_MEMORY;
    SLG_ASSERT(pthread_mutex_init(&queue->lock, NULL) == 0);
    init_condition(&queue->not_empty);
    init_condition(&queue->not_full);
    queue->capacity = capacity;
    *ret_queue = queue;
    return SLG_OK;
}

void slg_queue_destroy(struct slg_queue *queue)
{
    if (queue == NULL)
        return;
    (void)pthread_cond_destroy(&queue->not_full);
    (void)pthread_cond_destroy(&queue->not_empty);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* The two below are the only users of the lock; a failure there is a mistake of ours. */
static void lock_queue(struct slg_queue *queue)
{
    SLG_ASSERT(pthread_mutex_lock(&queue->lock) == 0);
}

static void unlock_queue(struct slg_queue *queue)
{
    SLG_ASSERT(pthread_mutex_unlock(&queue->lock) == 0);
}

/* False when the deadline has passed. May wake for no reason: the caller looks again. */
static bool wait_for(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_mono_ns)
{
    struct timespec until;

    if (deadline_mono_ns == SLG_DEADLINE_NEVER) {
        SLG_ASSERT(pthread_cond_wait(condition, lock) == 0);
        return true;
    }
    if (deadline_mono_ns <= 0)
        return false;
    until.tv_sec = (time_t)(deadline_mono_ns / SLG_NS_PER_SEC);
    until.tv_nsec = (long)(deadline_mono_ns % SLG_NS_PER_SEC);
    return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

static void put_item(struct slg_queue *queue, void *item)
{
    queue->items[(queue->head + queue->count) % queue->capacity] = item;
    queue->count++;
    SLG_ASSERT(pthread_cond_signal(&queue->not_empty) == 0);
}

static void *take_item(struct slg_queue *queue)
{
    void *item = queue->items[queue->head];

    SLG_ASSERT(item != NULL);
    queue->items[queue->head] = NULL;
    queue->head = (queue->head + 1) % queue->capacity;
    queue->count--;
    SLG_ASSERT(pthread_cond_signal(&queue->not_full) == 0);
    return item;
}

enum slg_status slg_queue_push(struct slg_queue *queue, void *item)
{
    enum slg_status status = SLG_OK;

    SLG_ASSERT(item != NULL);
    lock_queue(queue);
    if (queue->closed)
        status = SLG_CANCELED;
    else if (queue->count == queue->capacity)
        status = SLG_AGAIN;
    else
        put_item(queue, item);
    unlock_queue(queue);
    return status;
}

enum slg_status slg_queue_push_wait(struct slg_queue *queue, void *item, int64_t deadline_mono_ns)
{
    enum slg_status status = SLG_OK;
    bool in_time = true;

    SLG_ASSERT(item != NULL);
    lock_queue(queue);
    while (!queue->closed && queue->count == queue->capacity && in_time)
        in_time = wait_for(&queue->not_full, &queue->lock, deadline_mono_ns);
    if (queue->closed)
        status = SLG_CANCELED;
    else if (queue->count == queue->capacity)
        status = SLG_TIMEOUT;
    else
        put_item(queue, item);
    unlock_queue(queue);
    return status;
}

enum slg_status slg_queue_try_pop(struct slg_queue *queue, void **ret_item)
{
    enum slg_status status = SLG_OK;

    lock_queue(queue);
    if (queue->count > 0)
        *ret_item = take_item(queue);
    else
        status = queue->closed ? SLG_CANCELED : SLG_AGAIN;
    unlock_queue(queue);
    return status;
}

enum slg_status slg_queue_pop_many(struct slg_queue *queue, int64_t deadline_mono_ns, void **items,
                                   size_t items_max, size_t *ret_count)
{
    bool in_time = true;
    size_t n = 0;

    SLG_ASSERT(items_max > 0);
    lock_queue(queue);
    while (queue->count == 0 && !queue->closed && in_time)
        in_time = wait_for(&queue->not_empty, &queue->lock, deadline_mono_ns);
    while (n < items_max && queue->count > 0)
        items[n++] = take_item(queue);
    if (n == 0) {
        enum slg_status status = queue->closed ? SLG_CANCELED : SLG_TIMEOUT;

        unlock_queue(queue);
        return status;
    }
    unlock_queue(queue);
    *ret_count = n;
    return SLG_OK;
}

enum slg_status slg_queue_pop(struct slg_queue *queue, int64_t deadline_mono_ns, void **ret_item)
{
    size_t count;

    return slg_queue_pop_many(queue, deadline_mono_ns, ret_item, 1, &count);
}

void slg_queue_close(struct slg_queue *queue)
{
    lock_queue(queue);
    queue->closed = true;
    SLG_ASSERT(pthread_cond_broadcast(&queue->not_empty) == 0);
    SLG_ASSERT(pthread_cond_broadcast(&queue->not_full) == 0);
    unlock_queue(queue);
}

size_t slg_queue_count(struct slg_queue *queue)
{
    size_t count;

    lock_queue(queue);
    count = queue->count;
    unlock_queue(queue);
    return count;
}
