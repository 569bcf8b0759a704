/* Concurrency: every field of struct slg_gate and every waiter in its list is guarded by `lock`. A waiter lives on
 * the stack of its thread and is unlinked before that thread returns. */
#include "base/gate.h"

#include <pthread.h>

#include "base/clock.h"

#define POLL_NS (100 * SLG_NS_PER_MS)

struct waiter {
    struct waiter *next; /* in order of arrival */
    uint64_t client_hash;
    bool admitted;
    pthread_cond_t wake;
};

struct slg_gate {
    pthread_mutex_t lock;
    size_t place_count;
    size_t waiting_max;
    size_t waiting_count;
    struct waiter *first;
    size_t inside_count;
    uint64_t inside[SLG_GATE_PLACES_MAX]; /* client of each job inside */
};

struct slg_gate *slg_gate_create(size_t place_count, size_t waiting_max)
{
    struct slg_gate *gate;

    SLG_ASSERT(place_count >= 1);
    SLG_ASSERT(place_count <= SLG_GATE_PLACES_MAX);
    SLG_ASSERT(waiting_max <= SLG_GATE_WAITING_MAX);
    gate = calloc(1, sizeof(*gate));
    if (gate == NULL)
        return NULL;
    if (pthread_mutex_init(&gate->lock, NULL) != 0) {
        free(gate);
        return NULL;
    }
    gate->place_count = place_count;
    gate->waiting_max = waiting_max;
    return gate;
}

void slg_gate_destroy(struct slg_gate *gate)
{
    if (gate == NULL)
        return;
    SLG_ASSERT(gate->inside_count == 0);
    SLG_ASSERT(gate->first == NULL);
    (void)pthread_mutex_destroy(&gate->lock); /* nobody holds it */
    free(gate);
}

static size_t count_inside(const struct slg_gate *gate, uint64_t client_hash)
{
    size_t count = 0;

    for (size_t i = 0; i < gate->inside_count; i++)
        count += gate->inside[i] == client_hash;
    return count;
}

/* The last place is kept for a client that has none: one that fills the gate with slow jobs does not close it. */
static bool has_place(const struct slg_gate *gate, size_t own_count)
{
    size_t left = gate->place_count - gate->inside_count;

    return left > 1 || (left == 1 && (own_count == 0 || gate->place_count == 1));
}

static void take_place(struct slg_gate *gate, uint64_t client_hash)
{
    gate->inside[gate->inside_count++] = client_hash;
}

static void unlink_waiter(struct slg_gate *gate, struct waiter *waiter)
{
    struct waiter **at = &gate->first;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    gate->waiting_count--;
}

/* Give free places to waiters, the least served client first. */
static void admit_waiters(struct slg_gate *gate)
{
    while (gate->first != NULL) {
        struct waiter *best = gate->first;
        size_t best_inside = count_inside(gate, best->client_hash);

        for (struct waiter *w = best->next; w != NULL && best_inside > 0; w = w->next) {
            size_t inside = count_inside(gate, w->client_hash);

            if (inside < best_inside) {
                best = w;
                best_inside = inside;
            }
        }
        if (!has_place(gate, best_inside))
            return;
        unlink_waiter(gate, best);
        take_place(gate, best->client_hash);
        best->admitted = true;
        (void)pthread_cond_signal(&best->wake); /* cannot fail */
    }
}

static void wait_until(struct slg_gate *gate, struct waiter *waiter, int64_t mono_ns)
{
    struct timespec until = { .tv_sec = mono_ns / SLG_NS_PER_SEC,
                              .tv_nsec = mono_ns % SLG_NS_PER_SEC };

    /* A time-out is as good as a wake-up: the caller looks at the clock. */
    (void)pthread_cond_timedwait(&waiter->wake, &gate->lock, &until);
}

static enum slg_status wait_for_place(struct slg_gate *gate, struct waiter *waiter,
                                      int64_t deadline_mono_ns, slg_gate_give_up *give_up,
                                      void *arg)
{
    while (!waiter->admitted) {
        int64_t now = slg_clock_mono_ns(slg_clock_system());
        bool gone;

        if (now >= deadline_mono_ns)
            return SLG_TIMEOUT;
        wait_until(gate, waiter,
                   deadline_mono_ns - now < POLL_NS ? deadline_mono_ns : now + POLL_NS);
        if (waiter->admitted || give_up == NULL)
            continue;
        (void)pthread_mutex_unlock(
            &gate->lock); /* give_up may be slow; errors are impossible here */
        gone = give_up(arg);
        (void)pthread_mutex_lock(&gate->lock);
        if (gone && !waiter->admitted)
            return SLG_CANCELED;
    }
    return SLG_OK;
}

static enum slg_status enqueue(struct slg_gate *gate, struct waiter *waiter)
{
    pthread_condattr_t attr;
    struct waiter **last = &gate->first;

    if (gate->waiting_count >= gate->waiting_max)
        return SLG_AGAIN;
    if (pthread_condattr_init(&attr) != 0)
        return SLG_NO_MEMORY;
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* a valid clock */
    if (pthread_cond_init(&waiter->wake, &attr) != 0) {
        (void)pthread_condattr_destroy(&attr);
        return SLG_NO_MEMORY;
    }
    (void)pthread_condattr_destroy(&attr);
    while (*last != NULL)
        last = &(*last)->next;
    *last = waiter;
    gate->waiting_count++;
    return SLG_OK;
}

enum slg_status slg_gate_enter(struct slg_gate *gate, uint64_t client_hash,
                               int64_t deadline_mono_ns, slg_gate_give_up *give_up, void *arg)
{
    struct waiter waiter = { .client_hash = client_hash };
    enum slg_status status = SLG_OK;

    (void)pthread_mutex_lock(&gate->lock); /* cannot fail on an ordinary mutex */
    /* Whoever waits has no claim to the place: it would have been given. */
    if (has_place(gate, count_inside(gate, client_hash))) {
        take_place(gate, client_hash);
    } else {
        status = enqueue(gate, &waiter);
        if (status == SLG_OK) {
            status = wait_for_place(gate, &waiter, deadline_mono_ns, give_up, arg);
            if (status != SLG_OK)
                unlink_waiter(gate, &waiter);
            (void)pthread_cond_destroy(&waiter.wake);
        }
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return status;
}

void slg_gate_leave(struct slg_gate *gate, uint64_t client_hash)
{
    size_t at = 0;

    (void)pthread_mutex_lock(&gate->lock);
    while (at < gate->inside_count && gate->inside[at] != client_hash)
        at++;
    SLG_ASSERT(at < gate->inside_count);
    gate->inside[at] = gate->inside[--gate->inside_count];
    admit_waiters(gate);
    (void)pthread_mutex_unlock(&gate->lock);
}

size_t slg_gate_inside_count(struct slg_gate *gate)
{
    size_t count;

    (void)pthread_mutex_lock(&gate->lock);
    count = gate->inside_count;
    (void)pthread_mutex_unlock(&gate->lock);
    return count;
}

size_t slg_gate_waiting_count(struct slg_gate *gate)
{
    size_t count;

    (void)pthread_mutex_lock(&gate->lock);
    count = gate->waiting_count;
    (void)pthread_mutex_unlock(&gate->lock);
    return count;
}
