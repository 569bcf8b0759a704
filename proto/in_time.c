#include "proto/in_time.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

struct run {
    void (*what)(uint32_t number);
    uint32_t number;
    sem_t done;
    atomic_int holders; /* the thread and the one that waits; the last frees */
};

static void drop(struct run *run)
{
    if (atomic_fetch_sub(&run->holders, 1) > 1)
        return;
    (void)sem_destroy(&run->done); /* nobody waits on it */
    free(run);
}

static void *run_it(void *ctx)
{
    struct run *run = ctx;

    run->what(run->number);
    (void)sem_post(&run->done); /* fails only on overflow */
    drop(run);
    return NULL;
}

static struct run *start(void (*what)(uint32_t number), uint32_t number)
{
    struct run *run = calloc(1, sizeof(*run));
    pthread_t thread;

    if (run == NULL)
        return NULL;
    run->what = what;
    run->number = number;
    atomic_store(&run->holders, 2);
    (void)sem_init(&run->done, 0, 0); /* fails only for values out of range */
    if (pthread_create(&thread, NULL, run_it, run) != 0) {
        (void)sem_destroy(&run->done); /* nobody waits on it */
        free(run);
        return NULL;
    }
    (void)pthread_detach(thread); /* fails only for a thread that is not joinable */
    return run;
}

bool slg_in_time_run(void (*what)(uint32_t number), uint32_t number, int32_t wait_ms)
{
    struct run *run = start(what, number);
    struct timespec deadline;
    bool done;

    if (run == NULL) {
        what(number);
        return true;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline); /* cannot fail on Linux */
    deadline.tv_sec += wait_ms / 1000;
    deadline.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_nsec -= 1000000000;
        deadline.tv_sec++;
    }
    do
        done = sem_clockwait(&run->done, CLOCK_MONOTONIC, &deadline) == 0;
    while (!done && errno == EINTR);
    drop(run);
    return done;
}
