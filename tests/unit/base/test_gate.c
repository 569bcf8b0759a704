/* The gate admits no more than its places, serves clients fairly and lets waiters give up.
 * Oracle: counters kept by the threads themselves, and the order in which a scripted set of waiters comes in. */
#include "tests/helper/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/gate.h"

#define SECOND SLG_NS_PER_SEC

static int64_t in_seconds(int64_t seconds)
{
    return slg_clock_mono_ns(slg_clock_system()) + seconds * SECOND;
}

struct crowd {
    struct slg_gate *gate;
    atomic_int inside;
    atomic_int inside_max;
};

static void *crowd_member(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < 200; i++) {
        int now, max;

        if (slg_gate_enter(crowd->gate, (uint64_t)i % 3, in_seconds(60), NULL, NULL) != SLG_OK)
            abort();
        now = atomic_fetch_add(&crowd->inside, 1) + 1;
        max = atomic_load(&crowd->inside_max);
        while (now > max && !atomic_compare_exchange_weak(&crowd->inside_max, &max, now))
            ;
        (void)sched_yield();
        atomic_fetch_sub(&crowd->inside, 1);
        slg_gate_leave(crowd->gate, (uint64_t)i % 3);
    }
    return NULL;
}

static void test_places_are_kept(void **state)
{
    struct crowd crowd = { .gate = slg_gate_create(3, 100) };
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowd), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&crowd.inside_max), 1, 3);
    assert_int_equal(slg_gate_inside_count(crowd.gate), 0);
    slg_gate_destroy(crowd.gate);
}

struct guest {
    struct slg_gate *gate;
    uint64_t client;
    atomic_int *order;
    int place; /* which one to come in */
};

static void *guest_thread(void *arg)
{
    struct guest *guest = arg;

    if (slg_gate_enter(guest->gate, guest->client, in_seconds(60), NULL, NULL) != SLG_OK)
        abort();
    guest->place = atomic_fetch_add(guest->order, 1);
    slg_gate_leave(guest->gate, guest->client);
    return NULL;
}

/* Of three places one client gets two; the third is for any other. A single place is for anybody. */
static void test_the_last_place_is_for_another(void **state)
{
    struct slg_gate *gate = slg_gate_create(3, 10), *single = slg_gate_create(1, 1);

    (void)state;
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(0), NULL, NULL), SLG_TIMEOUT);
    assert_int_equal(slg_gate_enter(gate, 2, in_seconds(0), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 3, in_seconds(0), NULL, NULL), SLG_TIMEOUT);
    slg_gate_leave(gate, 1);
    assert_int_equal(slg_gate_enter(gate, 2, in_seconds(0), NULL, NULL), SLG_TIMEOUT);
    assert_int_equal(slg_gate_enter(gate, 3, in_seconds(0), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(single, 1, in_seconds(0), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(single, 2, in_seconds(0), NULL, NULL), SLG_TIMEOUT);
    slg_gate_leave(single, 1);
    for (uint64_t client = 1; client <= 3; client++)
        slg_gate_leave(gate, client);
    slg_gate_destroy(gate);
    slg_gate_destroy(single);
}

/* Client 1 holds two places of three and queues first; client 2 queues last and must come in first. */
static void test_the_least_served_client_is_next(void **state)
{
    struct slg_gate *gate = slg_gate_create(3, 100);
    atomic_int order = 0;
    struct guest guests[4];
    pthread_t threads[4];

    (void)state;
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 3, in_seconds(1), NULL, NULL), SLG_OK);
    for (size_t i = 0; i < 4; i++) {
        guests[i] = (struct guest){ .gate = gate, .client = i < 3 ? 1 : 2, .order = &order };
        assert_int_equal(pthread_create(&threads[i], NULL, guest_thread, &guests[i]), 0);
        while (slg_gate_waiting_count(gate) != i + 1)
            (void)sched_yield();
    }
    slg_gate_leave(gate, 3);
    while (atomic_load(&order) == 0)
        (void)sched_yield();
    slg_gate_leave(gate, 1); /* now there is a place that client 1 may have, too */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(guests[3].place, 0);
    assert_int_equal(guests[0].place, 1);
    slg_gate_leave(gate, 1);
    slg_gate_destroy(gate);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_waiters_are_bounded_and_may_leave(void **state)
{
    struct slg_gate *gate = slg_gate_create(1, 0), *other = slg_gate_create(1, 1);

    (void)state;
    assert_int_equal(slg_gate_enter(gate, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(gate, 2, in_seconds(1), NULL, NULL), SLG_AGAIN);
    assert_int_equal(slg_gate_enter(other, 1, in_seconds(1), NULL, NULL), SLG_OK);
    assert_int_equal(slg_gate_enter(other, 2, in_seconds(0), NULL, NULL), SLG_TIMEOUT);
    assert_int_equal(slg_gate_enter(other, 2, in_seconds(60), always, NULL), SLG_CANCELED);
    assert_int_equal(slg_gate_waiting_count(other), 0);
    slg_gate_leave(gate, 1);
    slg_gate_leave(other, 1);
    slg_gate_destroy(gate);
    slg_gate_destroy(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_are_kept),
        cmocka_unit_test(test_the_last_place_is_for_another),
        cmocka_unit_test(test_the_least_served_client_is_next),
        cmocka_unit_test(test_waiters_are_bounded_and_may_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
