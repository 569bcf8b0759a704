/* Concurrency: every field of struct slg_gate, every waiter in its list and every job in its lists is guarded by `lock`.
 * A waiter lives on the stack of its thread and is unlinked before that thread returns. */
#include "base/gate.h"

#include <pthread.h>

#include "base/clock.h"

#define POLL_NS (100 * SLG_NS_PER_MS)

struct waiter {
    struct waiter *next; /* in order of arrival */
    struct slg_gate_job *job;
    bool admitted;
    pthread_cond_t wake;
};

struct slg_gate {
    pthread_mutex_t lock;
    struct slg_gate_options options;
    struct waiter *first;
    size_t waiting_count;
    size_t inside_counts[SLG_GATE_LANE_COUNT];
    struct slg_gate_job *inside, *keeping;
};

struct slg_gate *slg_gate_create(const struct slg_gate_options *options)
{
    struct slg_gate *gate;

    for (size_t lane = 0; lane < SLG_GATE_LANE_COUNT; lane++) {
        SLG_ASSERT(options->place_counts[lane] >= 1);
        SLG_ASSERT(options->place_counts[lane] <= SLG_GATE_PLACES_MAX);
    }
    SLG_ASSERT(options->waiting_max <= SLG_GATE_WAITING_MAX);
    SLG_ASSERT(options->client_bytes_max <= options->address_bytes_max);
    SLG_ASSERT(options->address_bytes_max <= options->bytes_max);
    gate = calloc(1, sizeof(*gate));
    if (gate == NULL)
        return NULL;
    if (pthread_mutex_init(&gate->lock, NULL) != 0) {
        free(gate);
        return NULL;
    }
    gate->options = *options;
    return gate;
}

void slg_gate_destroy(struct slg_gate *gate)
{
    if (gate == NULL)
        return;
    SLG_ASSERT(gate->inside == NULL);
    SLG_ASSERT(gate->keeping == NULL);
    SLG_ASSERT(gate->first == NULL);
    (void)pthread_mutex_destroy(&gate->lock); /* nobody holds it */
    free(gate);
}

static size_t count_inside(const struct slg_gate *gate, const struct slg_gate_job *job)
{
    size_t count = 0;

    for (const struct slg_gate_job *at = gate->inside; at != NULL; at = at->next)
        count += at->lane == job->lane && at->client_hash == job->client_hash;
    return count;
}

/* The last place is kept for a client that has none: one that fills the lane with slow jobs does not close it. */
static bool has_place(const struct slg_gate *gate, enum slg_gate_lane lane, size_t own_count)
{
    size_t places = gate->options.place_counts[lane];
    size_t left = places - gate->inside_counts[lane];

    return left > 1 || (left == 1 && (own_count == 0 || places == 1));
}

/* May the job, which is in neither list, hold so many bytes? */
static bool has_room(const struct slg_gate *gate, const struct slg_gate_job *job, size_t bytes)
{
    const struct slg_gate_job *const lists[] = { gate->inside, gate->keeping };
    size_t client = bytes, address = bytes, all = bytes;

    for (size_t i = 0; i < SLG_ARRAY_LEN(lists); i++) {
        for (const struct slg_gate_job *at = lists[i]; at != NULL; at = at->next) {
            bool same_address = at->address_hash == job->address_hash;

            client += same_address && at->client_hash == job->client_hash ? at->bytes : 0;
            address += same_address ? at->bytes : 0;
            all += at->bytes;
        }
    }
    return client <= gate->options.client_bytes_max && address <= gate->options.address_bytes_max &&
           all <= gate->options.bytes_max;
}

static bool is_admissible(const struct slg_gate *gate, const struct slg_gate_job *job,
                          size_t own_count)
{
    return has_place(gate, job->lane, own_count) &&
           (job->bytes == 0 || has_room(gate, job, job->bytes));
}

static void link_job(struct slg_gate_job **list, struct slg_gate_job *job)
{
    job->next = *list;
    *list = job;
}

static void unlink_job(struct slg_gate_job **list, struct slg_gate_job *job)
{
    while (*list != job) {
        SLG_ASSERT(*list != NULL);
        list = &(*list)->next;
    }
    *list = job->next;
    job->next = NULL;
}

static void take_place(struct slg_gate *gate, struct slg_gate_job *job)
{
    link_job(&gate->inside, job);
    gate->inside_counts[job->lane]++;
    job->state = SLG_GATE_INSIDE;
}

static void give_place_back(struct slg_gate *gate, struct slg_gate_job *job)
{
    unlink_job(&gate->inside, job);
    gate->inside_counts[job->lane]--;
    job->state = SLG_GATE_OUTSIDE;
}

static void unlink_waiter(struct slg_gate *gate, struct waiter *waiter)
{
    struct waiter **at = &gate->first;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    gate->waiting_count--;
}

/* The next one in this lane: of those that may come in, the first of the least served client. NULL: nobody. */
static struct waiter *find_next(const struct slg_gate *gate, enum slg_gate_lane lane)
{
    struct waiter *best = NULL;
    size_t best_inside = SIZE_MAX;

    for (struct waiter *w = gate->first; w != NULL && best_inside > 0; w = w->next) {
        size_t inside;

        if (w->job->lane != lane)
            continue;
        inside = count_inside(gate, w->job);
        if (inside < best_inside && is_admissible(gate, w->job, inside)) {
            best = w;
            best_inside = inside;
        }
    }
    return best;
}

/* Give free places to waiters. */
static void admit_waiters(struct slg_gate *gate)
{
    for (size_t lane = 0; lane < SLG_GATE_LANE_COUNT; lane++) {
        struct waiter *next;

        while (gate->inside_counts[lane] < gate->options.place_counts[lane] &&
               (next = find_next(gate, (enum slg_gate_lane)lane)) != NULL) {
            unlink_waiter(gate, next);
            take_place(gate, next->job);
            next->admitted = true;
            (void)pthread_cond_signal(&next->wake); /* cannot fail */
        }
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

    if (gate->waiting_count >= gate->options.waiting_max)
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

enum slg_status slg_gate_enter(struct slg_gate *gate, struct slg_gate_job *job,
                               int64_t deadline_mono_ns, slg_gate_give_up *give_up, void *arg)
{
    struct waiter waiter = { .job = job };
    enum slg_status status = SLG_OK;

    SLG_ASSERT(job->state == SLG_GATE_OUTSIDE);
    SLG_ASSERT(job->bytes <= gate->options.client_bytes_max); /* else it would wait for ever */
    (void)pthread_mutex_lock(&gate->lock);                    /* cannot fail on an ordinary mutex */
    /* Whoever waits has no claim to the place: it would have been given. */
    if (is_admissible(gate, job, count_inside(gate, job))) {
        take_place(gate, job);
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

enum slg_status slg_gate_keep(struct slg_gate *gate, struct slg_gate_job *job, size_t bytes)
{
    bool inside = job->state == SLG_GATE_INSIDE;
    enum slg_status status = SLG_OK;

    SLG_ASSERT(job->state != SLG_GATE_KEEPS);
    (void)pthread_mutex_lock(&gate->lock);
    if (inside)
        give_place_back(gate, job);
    if ((inside && bytes <= job->bytes) || has_room(gate, job, bytes)) {
        job->bytes = bytes;
        job->state = SLG_GATE_KEEPS;
        link_job(&gate->keeping, job);
    } else {
        status = SLG_AGAIN;
    }
    admit_waiters(gate);
    (void)pthread_mutex_unlock(&gate->lock);
    return status;
}

void slg_gate_leave(struct slg_gate *gate, struct slg_gate_job *job)
{
    if (job->state == SLG_GATE_OUTSIDE)
        return;
    (void)pthread_mutex_lock(&gate->lock);
    if (job->state == SLG_GATE_INSIDE)
        give_place_back(gate, job);
    else
        unlink_job(&gate->keeping, job);
    job->state = SLG_GATE_OUTSIDE;
    admit_waiters(gate);
    (void)pthread_mutex_unlock(&gate->lock);
}

size_t slg_gate_inside_count(struct slg_gate *gate, enum slg_gate_lane lane)
{
    size_t count;

    (void)pthread_mutex_lock(&gate->lock);
    count = gate->inside_counts[lane];
    (void)pthread_mutex_unlock(&gate->lock);
    return count;
}

size_t slg_gate_waiting_count(struct slg_gate *gate, enum slg_gate_lane lane)
{
    size_t count = 0;

    (void)pthread_mutex_lock(&gate->lock);
    for (const struct waiter *w = gate->first; w != NULL; w = w->next)
        count += w->job->lane == lane;
    (void)pthread_mutex_unlock(&gate->lock);
    return count;
}

size_t slg_gate_kept_bytes(struct slg_gate *gate)
{
    size_t bytes = 0;

    (void)pthread_mutex_lock(&gate->lock);
    for (const struct slg_gate_job *job = gate->keeping; job != NULL; job = job->next)
        bytes += job->bytes;
    (void)pthread_mutex_unlock(&gate->lock);
    return bytes;
}
