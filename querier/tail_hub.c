/* Concurrency:
 * | state                   | owner              | others                                               |
 * | hub->options            | set before start   | read by the hub's thread                             |
 * | hub->arrivals           | base/queue         | subscribers push, the hub's thread pops              |
 * | hub->members, sets      | the hub's thread   | -                                                    |
 * | hub->member_count       | atomic             | counted by subscribe, before the hub knows           |
 * | subscription->mailbox   | atomic pointer     | the hub puts, the tail takes; the newest wins        |
 * | subscription->failed, stopped, gone | atomic | one writes, the other reads                          |
 * | subscription->wake_fd   | eventfd            | the hub writes, the tail polls                       |
 * | subscription            | two references: hub and tail; the last of them frees it                  |
 * Pictures are immutable (querier/tail_sets.h). */
#include "querier/tail_hub.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "querier/fanout.h"

#define PACE_FAST_NS    (200 * SLG_NS_PER_MS)
#define PACE_SLOW_NS    (1000 * SLG_NS_PER_MS)
#define PACE_STEP_NS    (100 * SLG_NS_PER_MS)
#define COLD_PACE_NS    (5 * SLG_NS_PER_SEC)
#define HOT_NS          (INT64_C(7200) * SLG_NS_PER_SEC)
/* A storer that hangs holds up the lines of the others for so long. */
#define SETS_TIMEOUT_MS 1000
#define LOOK_TIMEOUT_NS (10 * SLG_NS_PER_SEC)
#define ARRIVALS_MAX    ((size_t)64)
#define START_NEVER     INT64_MAX

struct slg_tail_subscription {
    atomic_size_t ref_count;
    struct slg_tail_hub *hub; /* alive while the tail holds its reference */
    int64_t start_ns;
    bool served; /* the hub's: it has had a picture */
    int wake_fd;
    _Atomic(struct slg_tail_sets *) mailbox;
    atomic_bool failed;
    atomic_bool stopped;
    atomic_bool gone;
};

struct slg_tail_hub {
    struct slg_tail_hub_options options;
    struct slg_queue *arrivals;
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    atomic_size_t member_count;

    struct slg_tail_subscription **members; /* room for all counted ones and two pops of arrivals */
    size_t known_count;
    struct slg_tail_sets *sets;
    int64_t pace_ns;
    int64_t next_look_mono_ns;
    int64_t next_cold_mono_ns;
};

/* ---- subscriptions ---- */

static void unref(struct slg_tail_subscription *s)
{
    if (atomic_fetch_sub_explicit(&s->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    slg_tail_sets_unref(atomic_load(&s->mailbox));
    (void)close(s->wake_fd);
    free(s);
}

static void wake(const struct slg_tail_subscription *s)
{
    uint64_t one = 1;

    (void)!write(s->wake_fd, &one, sizeof(one)); /* full: it is readable already */
}

enum slg_status slg_tail_subscribe(struct slg_tail_hub *hub, int64_t start_ns,
                                   struct slg_tail_subscription **ret_subscription)
{
    struct slg_tail_subscription *s = calloc(1, sizeof(*s));
    enum slg_status status = SLG_AGAIN;

    if (s == NULL)
        return SLG_NO_MEMORY;
    atomic_init(&s->ref_count, 2);
    atomic_init(&s->mailbox, NULL);
    atomic_init(&s->failed, false);
    atomic_init(&s->stopped, false);
    atomic_init(&s->gone, false);
    s->hub = hub;
    s->start_ns = start_ns;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) {
        free(s);
        return SLG_NO_MEMORY;
    }
    if (atomic_fetch_add(&hub->member_count, 1) < hub->options.subscriber_max)
        status = slg_queue_push_wait(hub->arrivals, s,
                                     slg_clock_mono_ns(slg_clock_system()) + LOOK_TIMEOUT_NS);
    if (status != SLG_OK) {
        (void)atomic_fetch_sub(&hub->member_count, 1);
        (void)close(s->wake_fd);
        free(s);
        return status == SLG_TIMEOUT ? SLG_AGAIN : status;
    }
    *ret_subscription = s;
    return SLG_OK;
}

void slg_tail_unsubscribe(struct slg_tail_subscription *s)
{
    if (s == NULL)
        return;
    (void)atomic_fetch_sub(&s->hub->member_count, 1);
    atomic_store(&s->gone, true); /* the hub lets go at its next look */
    unref(s);
}

int slg_tail_subscription_fd(const struct slg_tail_subscription *s)
{
    return s->wake_fd;
}

struct slg_tail_sets *slg_tail_take(struct slg_tail_subscription *s, enum slg_status *ret_status)
{
    struct slg_tail_sets *sets;
    uint64_t count;

    (void)!read(s->wake_fd, &count,
                sizeof(count)); /* before the look: what comes later wakes again */
    sets = atomic_exchange(&s->mailbox, NULL);
    *ret_status = atomic_exchange(&s->failed, false) ? SLG_UNAVAILABLE : SLG_OK;
    return sets;
}

bool slg_tail_stopped(const struct slg_tail_subscription *s)
{
    return atomic_load(&s->stopped);
}

/* ---- the hub's thread ---- */

static void let_go(struct slg_tail_hub *hub, size_t index)
{
    unref(hub->members[index]);
    hub->members[index] = hub->members[--hub->known_count];
}

static void forget_gone(struct slg_tail_hub *hub)
{
    for (size_t i = hub->known_count; i > 0; i--)
        if (atomic_load(&hub->members[i - 1]->gone))
            let_go(hub, i - 1);
    if (hub->known_count > 0)
        return;
    slg_tail_sets_unref(hub->sets);
    hub->sets = NULL;
}

static int64_t oldest_start(const struct slg_tail_hub *hub)
{
    int64_t oldest = START_NEVER;

    for (size_t i = 0; i < hub->known_count; i++)
        if (hub->members[i]->start_ns < oldest)
            oldest = hub->members[i]->start_ns;
    return oldest;
}

static bool is_stopping(void *arg)
{
    const struct slg_tail_hub *hub = arg;

    return atomic_load(&hub->stopping);
}

/* One request to all storers. OK also when some did not answer. */
static enum slg_status ask(struct slg_tail_hub *hub, int64_t from_ns,
                           struct slg_fanout **ret_fanout)
{
    int64_t now = slg_clock_wall_ns(slg_clock_system());
    struct slg_fanout_options options = {
        .peers = hub->options.peers,
        .tenant = hub->options.tenant,
        .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) + LOOK_TIMEOUT_NS,
        .now_wall_ns = now,
        .memory_bytes_max = hub->options.memory_bytes_max,
        .parallel_max = 1,
        .sets_timeout_ms = SETS_TIMEOUT_MS,
        .canceled = is_stopping,
        .canceled_arg = hub,
    };
    struct slg_fanout *fanout;
    enum slg_status status = slg_fanout_create(&options, &fanout, NULL);

    if (status != SLG_OK)
        return status;
    /* The storers take entries up to SLG_FUTURE_NS_MAX ahead of their clocks, which may be ahead of ours. */
    status = slg_fanout_fix_sets(fanout, from_ns, now + 2 * SLG_FUTURE_NS_MAX, NULL);
    if (status != SLG_OK) {
        slg_fanout_destroy(fanout);
        return status;
    }
    *ret_fanout = fanout;
    return SLG_OK;
}

/* The next picture from what the storers said; fanout NULL: none said anything. */
static bool picture(struct slg_tail_hub *hub, const struct slg_fanout *fanout,
                    int64_t asked_from_ns, int64_t from_ns)
{
    struct slg_tail_look look = { .asked_from_ns = asked_from_ns,
                                  .from_ns = from_ns,
                                  .incomplete =
                                      fanout == NULL || slg_fanout_incomplete(fanout) != NULL };
    struct slg_tail_answer *answers = NULL, *answer;
    struct slg_tail_sets *sets;
    struct slg_rpc_shard_set set;
    bool changed = false;
    size_t node;

    while (fanout != NULL && slg_fanout_shard(fanout, look.count, &set, &node))
        look.count++;
    answers = calloc(look.count + 1, sizeof(*answers));
    if (answers == NULL)
        return false;
    for (size_t i = 0; i < look.count; i++) {
        answer = &answers[i];
        (void)slg_fanout_shard(fanout, i, &answer->set, &answer->node_index); /* counted above */
    }
    look.answers = answers;
    if (slg_tail_sets_next(hub->sets, &look, &sets, &changed) == SLG_OK) {
        slg_tail_sets_unref(hub->sets);
        hub->sets = sets;
    }
    free(answers);
    return changed;
}

/* Who has no picture yet gets one of `fresh` ones only. */
static void hand_round(struct slg_tail_hub *hub, bool changed, bool fresh)
{
    for (size_t i = 0; i < hub->known_count; i++) {
        struct slg_tail_subscription *s = hub->members[i];

        if (s->served ? !changed : !fresh)
            continue;
        s->served = true;
        slg_tail_sets_unref(atomic_exchange(&s->mailbox, slg_tail_sets_ref(hub->sets)));
        wake(s);
    }
}

static void fail_new(struct slg_tail_hub *hub)
{
    for (size_t i = 0; i < hub->known_count; i++) {
        if (hub->members[i]->served)
            continue;
        atomic_store(&hub->members[i]->failed, true);
        wake(hub->members[i]);
    }
}

static void look(struct slg_tail_hub *hub)
{
    int64_t now_mono = slg_clock_mono_ns(slg_clock_system());
    int64_t hot_ns = slg_clock_wall_ns(slg_clock_system()) - HOT_NS;
    int64_t from_ns = oldest_start(hub), asked_ns = from_ns;
    struct slg_fanout *fanout = NULL;
    enum slg_status status;
    bool changed;

    if (now_mono < hub->next_cold_mono_ns && hub->sets != NULL && hub->sets->from_ns <= from_ns &&
        hot_ns > from_ns)
        asked_ns = hot_ns;
    else
        hub->next_cold_mono_ns = now_mono + COLD_PACE_NS;
    status = ask(hub, asked_ns, &fanout);
    if (status == SLG_CANCELED)
        return;
    if (status != SLG_OK)
        fail_new(hub);
    /* Without any answer the first picture would be empty, and all that is stored would look new later. */
    changed = (status == SLG_OK || hub->sets != NULL) && picture(hub, fanout, asked_ns, from_ns);
    if (hub->sets != NULL)
        hand_round(hub, changed, status == SLG_OK);
    if (hub->options.looked != NULL)
        hub->options.looked(hub->options.looked_arg,
                            fanout == NULL || slg_fanout_incomplete(fanout) != NULL);
    slg_fanout_destroy(fanout);
    hub->pace_ns = changed ? PACE_FAST_NS : hub->pace_ns + PACE_STEP_NS;
    hub->pace_ns = hub->pace_ns > PACE_SLOW_NS ? PACE_SLOW_NS : hub->pace_ns;
    hub->next_look_mono_ns = slg_clock_mono_ns(slg_clock_system()) + hub->pace_ns;
}

static void *run(void *arg)
{
    struct slg_tail_hub *hub = arg;

    while (!atomic_load(&hub->stopping)) {
        int64_t deadline = hub->known_count == 0 ? SLG_DEADLINE_NEVER : hub->next_look_mono_ns;
        void *items[ARRIVALS_MAX];
        size_t count = 0;
        enum slg_status status =
            slg_queue_pop_many(hub->arrivals, deadline, items, ARRIVALS_MAX, &count);

        if (status == SLG_CANCELED)
            break;
        if (status == SLG_OK)
            for (size_t i = 0; i < count; i++)
                hub->members[hub->known_count++] = items[i];
        forget_gone(hub);
        if (hub->known_count > 0)
            look(hub);
    }
    return NULL;
}

/* ---- life ---- */

enum slg_status slg_tail_hub_create(const struct slg_tail_hub_options *options,
                                    struct slg_tail_hub **ret_hub, struct slg_error *reterr)
{
    struct slg_tail_hub *hub = calloc(1, sizeof(*hub));

    SLG_ASSERT(options->subscriber_max > 0);
    if (hub == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for tails");
    hub->options = *options;
    hub->pace_ns = PACE_FAST_NS;
    atomic_init(&hub->stopping, false);
    atomic_init(&hub->member_count, 0);
    hub->members =
        calloc(options->subscriber_max + 2 * ARRIVALS_MAX, sizeof(struct slg_tail_subscription *));
    if (hub->members == NULL || slg_queue_create(ARRIVALS_MAX, &hub->arrivals) != SLG_OK ||
        pthread_create(&hub->thread, NULL, run, hub) != 0) {
        slg_tail_hub_destroy(hub);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for tails");
    }
    hub->running = true;
    *ret_hub = hub;
    return SLG_OK;
}

void slg_tail_hub_stop(struct slg_tail_hub *hub)
{
    void *item;

    if (hub == NULL || !hub->running)
        return;
    hub->running = false;
    atomic_store(&hub->stopping, true);
    slg_queue_close(hub->arrivals);
    (void)pthread_join(hub->thread, NULL); /* it ends by itself */
    while (slg_queue_try_pop(hub->arrivals, &item) == SLG_OK)
        hub->members[hub->known_count++] = item;
    for (size_t i = 0; i < hub->known_count; i++) {
        atomic_store(&hub->members[i]->stopped, true);
        wake(hub->members[i]);
    }
}

void slg_tail_hub_destroy(struct slg_tail_hub *hub)
{
    if (hub == NULL)
        return;
    slg_tail_hub_stop(hub);
    while (hub->members != NULL && hub->known_count > 0)
        let_go(hub, hub->known_count - 1);
    slg_tail_sets_unref(hub->sets);
    slg_queue_destroy(hub->arrivals);
    free(hub->members);
    free(hub);
}
