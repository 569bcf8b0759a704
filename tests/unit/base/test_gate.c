/* The gate admits no more than its places and its bytes, serves clients fairly and lets waiters give up.
 * Oracle: counters kept by the threads themselves, the order in which a scripted set of waiters comes in, sums by hand. */
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

static struct slg_gate *make(size_t place_count, size_t waiting_max)
{
    struct slg_gate_options options = { .place_counts = { place_count, 2 },
                                        .waiting_max = waiting_max,
                                        .client_bytes_max = 100,
                                        .address_bytes_max = 150,
                                        .bytes_max = 200 };

    return slg_gate_create(&options);
}

/* A client of its own address, with nothing to hold. */
static struct slg_gate_job job_of(uint64_t client)
{
    return (struct slg_gate_job){ .client_hash = client, .address_hash = client };
}

static enum slg_status enter(struct slg_gate *gate, struct slg_gate_job *job, int64_t seconds)
{
    return slg_gate_enter(gate, job, in_seconds(seconds), NULL, NULL);
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
        struct slg_gate_job job = job_of((uint64_t)i % 3);
        int now, max;

        job.bytes = 40;
        if (enter(crowd->gate, &job, 60) != SLG_OK)
            abort();
        now = atomic_fetch_add(&crowd->inside, 1) + 1;
        max = atomic_load(&crowd->inside_max);
        while (now > max && !atomic_compare_exchange_weak(&crowd->inside_max, &max, now))
            ;
        (void)sched_yield();
        atomic_fetch_sub(&crowd->inside, 1);
        if (i % 2 == 0 && slg_gate_keep(crowd->gate, &job, 30) != SLG_OK)
            abort();
        slg_gate_leave(crowd->gate, &job);
    }
    return NULL;
}

static void test_places_are_kept(void **state)
{
    struct crowd crowd = { .gate = make(3, 100) };
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_member, &crowd), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(atomic_load(&crowd.inside_max), 1, 3);
    assert_int_equal(slg_gate_inside_count(crowd.gate, SLG_GATE_LONG), 0);
    assert_int_equal(slg_gate_kept_bytes(crowd.gate), 0);
    slg_gate_destroy(crowd.gate);
}

struct guest {
    struct slg_gate *gate;
    struct slg_gate_job job;
    atomic_int *order;
    int place; /* which one to come in */
};

static void *guest_thread(void *arg)
{
    struct guest *guest = arg;

    if (enter(guest->gate, &guest->job, 60) != SLG_OK)
        abort();
    guest->place = atomic_fetch_add(guest->order, 1);
    slg_gate_leave(guest->gate, &guest->job);
    return NULL;
}

/* Of three places one client gets two; the third is for any other. A single place is for anybody. */
static void test_the_last_place_is_for_another(void **state)
{
    struct slg_gate *gate = make(3, 10), *single = make(1, 1);
    struct slg_gate_job first[3] = { job_of(1), job_of(1), job_of(1) };
    struct slg_gate_job second[2] = { job_of(2), job_of(2) }, third = job_of(3);

    (void)state;
    assert_int_equal(enter(gate, &first[0], 1), SLG_OK);
    assert_int_equal(enter(gate, &first[1], 1), SLG_OK);
    assert_int_equal(enter(gate, &first[2], 0), SLG_TIMEOUT);
    assert_int_equal(enter(gate, &second[0], 0), SLG_OK);
    assert_int_equal(enter(gate, &third, 0), SLG_TIMEOUT);
    slg_gate_leave(gate, &first[0]);
    assert_int_equal(enter(gate, &second[1], 0), SLG_TIMEOUT);
    assert_int_equal(enter(gate, &third, 0), SLG_OK);
    assert_int_equal(enter(single, &first[0], 0), SLG_OK);
    assert_int_equal(enter(single, &second[1], 0), SLG_TIMEOUT);
    slg_gate_leave(single, &first[0]);
    slg_gate_leave(gate, &first[1]);
    slg_gate_leave(gate, &second[0]);
    slg_gate_leave(gate, &third);
    slg_gate_leave(gate, &third); /* it is outside already */
    slg_gate_destroy(gate);
    slg_gate_destroy(single);
}

static void start_guests(struct slg_gate *gate, struct guest *guests, size_t count,
                         atomic_int *order, pthread_t *threads)
{
    for (size_t i = 0; i < count; i++) {
        guests[i].gate = gate;
        guests[i].order = order;
        assert_int_equal(pthread_create(&threads[i], NULL, guest_thread, &guests[i]), 0);
        while (slg_gate_waiting_count(gate, SLG_GATE_LONG) != i + 1)
            (void)sched_yield();
    }
}

/* Client 1 holds two places of three and queues first; client 2 queues last and must come in first. */
static void test_the_least_served_client_is_next(void **state)
{
    struct slg_gate *gate = make(3, 100);
    struct slg_gate_job first[2] = { job_of(1), job_of(1) }, third = job_of(3);
    struct guest guests[4] = {
        { .job = job_of(1) }, { .job = job_of(1) }, { .job = job_of(1) }, { .job = job_of(2) }
    };
    atomic_int order = 0;
    pthread_t threads[4];

    (void)state;
    assert_int_equal(enter(gate, &first[0], 1), SLG_OK);
    assert_int_equal(enter(gate, &first[1], 1), SLG_OK);
    assert_int_equal(enter(gate, &third, 1), SLG_OK);
    start_guests(gate, guests, 4, &order, threads);
    slg_gate_leave(gate, &third);
    while (atomic_load(&order) == 0)
        (void)sched_yield();
    slg_gate_leave(gate, &first[0]); /* now there is a place that client 1 may have, too */
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(guests[3].place, 0);
    assert_int_equal(guests[0].place, 1);
    slg_gate_leave(gate, &first[1]);
    slg_gate_destroy(gate);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void test_waiters_are_bounded_and_may_leave(void **state)
{
    struct slg_gate *gate = make(1, 0), *other = make(1, 1);
    struct slg_gate_job first = job_of(1), second = job_of(2), inside = job_of(1);

    (void)state;
    assert_int_equal(enter(gate, &first, 1), SLG_OK);
    assert_int_equal(enter(gate, &second, 1), SLG_AGAIN);
    assert_int_equal(enter(other, &inside, 1), SLG_OK);
    assert_int_equal(enter(other, &second, 0), SLG_TIMEOUT);
    assert_int_equal(slg_gate_enter(other, &second, in_seconds(60), always, NULL), SLG_CANCELED);
    assert_int_equal(slg_gate_waiting_count(other, SLG_GATE_LONG), 0);
    slg_gate_leave(gate, &first);
    slg_gate_leave(other, &inside);
    slg_gate_destroy(gate);
    slg_gate_destroy(other);
}

/* Short jobs come in while the places for long ones are taken, and the other way round. */
static void test_lanes_do_not_wait_for_each_other(void **state)
{
    struct slg_gate *gate = make(1, 10);
    struct slg_gate_job jobs[4] = { job_of(1), job_of(1), job_of(2), job_of(3) };

    (void)state;
    for (size_t i = 1; i < 4; i++)
        jobs[i].lane = SLG_GATE_SHORT;
    assert_int_equal(enter(gate, &jobs[0], 0), SLG_OK);
    assert_int_equal(enter(gate, &jobs[1], 0), SLG_OK);
    assert_int_equal(enter(gate, &jobs[2], 0), SLG_OK);
    assert_int_equal(enter(gate, &jobs[3], 0), SLG_TIMEOUT);
    slg_gate_leave(gate, &jobs[0]);
    jobs[3].lane = SLG_GATE_LONG;
    assert_int_equal(enter(gate, &jobs[3], 0), SLG_OK);
    assert_int_equal(slg_gate_inside_count(gate, SLG_GATE_LONG), 1);
    assert_int_equal(slg_gate_inside_count(gate, SLG_GATE_SHORT), 2);
    for (size_t i = 0; i < 4; i++)
        slg_gate_leave(gate, &jobs[i]);
    slg_gate_destroy(gate);
}

/* Bounds: 100 of a client, 150 of an address, 200 of all. `kept`: by whom and how much; then one that says it may hold
 * `bytes` comes. */
static const struct bytes_case {
    const char *name;
    struct slg_gate_job kept[3], comes;
    enum slg_status want;
} bytes_cases[] = {
    { "nothing is kept", { { 0 } }, { .client_hash = 1, .bytes = 100 }, SLG_OK },
    { "its own fits beside",
      { { .client_hash = 1, .bytes = 60 } },
      { .client_hash = 1, .bytes = 40 },
      SLG_OK },
    { "its own does not",
      { { .client_hash = 1, .bytes = 60 } },
      { .client_hash = 1, .bytes = 41 },
      SLG_TIMEOUT },
    { "it holds nothing", { { .client_hash = 1, .bytes = 100 } }, { .client_hash = 1 }, SLG_OK },
    { "another of its address",
      { { .client_hash = 1, .bytes = 100 } },
      { .client_hash = 2, .bytes = 50 },
      SLG_OK },
    { "the address is at its bound",
      { { .client_hash = 1, .bytes = 100 } },
      { .client_hash = 2, .bytes = 51 },
      SLG_TIMEOUT },
    { "the same name elsewhere",
      { { .client_hash = 1, .bytes = 100 } },
      { .client_hash = 1, .address_hash = 1, .bytes = 100 },
      SLG_OK },
    { "an address at its bound leaves room for others",
      { { .client_hash = 1, .bytes = 100 }, { .client_hash = 2, .bytes = 50 } },
      { .client_hash = 3, .address_hash = 1, .bytes = 50 },
      SLG_OK },
    { "all are at their bound",
      { { .client_hash = 1, .bytes = 100 },
        { .client_hash = 2, .bytes = 50 },
        { .client_hash = 3, .address_hash = 1, .bytes = 50 } },
      { .client_hash = 4, .address_hash = 2, .bytes = 1 },
      SLG_TIMEOUT },
};

static void test_bytes_are_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bytes_cases); i++) {
        struct bytes_case row = bytes_cases[i];
        struct slg_gate *gate = make(2, 10);
        size_t kept = 0;

        for (size_t k = 0; k < SLG_ARRAY_LEN(row.kept) && row.kept[k].bytes > 0; k++) {
            size_t bytes = row.kept[k].bytes;

            CHECK(row.name, enter(gate, &row.kept[k], 0) == SLG_OK);
            CHECK(row.name, slg_gate_keep(gate, &row.kept[k], bytes) == SLG_OK);
            kept += bytes;
        }
        CHECK(row.name, slg_gate_kept_bytes(gate) == kept);
        CHECK(row.name, slg_gate_inside_count(gate, SLG_GATE_LONG) == 0);
        CHECK(row.name, enter(gate, &row.comes, 0) == row.want);
        slg_gate_leave(gate, &row.comes);
        for (size_t k = 0; k < SLG_ARRAY_LEN(row.kept); k++)
            slg_gate_leave(gate, &row.kept[k]);
        slg_gate_destroy(gate);
    }
}

/* Who keeps more than he said is refused when there is no room, and has left. */
static void test_keeping_more_than_said(void **state)
{
    struct slg_gate *gate = make(2, 10);
    struct slg_gate_job jobs[2] = { job_of(1), job_of(1) };

    (void)state;
    assert_int_equal(enter(gate, &jobs[0], 0), SLG_OK);
    assert_int_equal(slg_gate_keep(gate, &jobs[0], 60), SLG_OK);
    assert_int_equal(enter(gate, &jobs[1], 0), SLG_OK);
    assert_int_equal(slg_gate_keep(gate, &jobs[1], 41), SLG_AGAIN);
    assert_int_equal(slg_gate_inside_count(gate, SLG_GATE_LONG), 0);
    assert_int_equal(slg_gate_kept_bytes(gate), 60);
    assert_int_equal(enter(gate, &jobs[1], 0), SLG_OK);
    assert_int_equal(slg_gate_keep(gate, &jobs[1], 40), SLG_OK);
    assert_int_equal(slg_gate_kept_bytes(gate), 100);
    slg_gate_leave(gate, &jobs[0]);
    jobs[0].bytes = 1000; /* what it said counts for one that comes from inside only */
    assert_int_equal(slg_gate_keep(gate, &jobs[0], 61), SLG_AGAIN);
    assert_int_equal(slg_gate_keep(gate, &jobs[0], 60), SLG_OK);
    assert_int_equal(slg_gate_kept_bytes(gate), 100);
    slg_gate_leave(gate, &jobs[0]);
    slg_gate_leave(gate, &jobs[1]);
    assert_int_equal(slg_gate_kept_bytes(gate), 0);
    slg_gate_destroy(gate);
}

/* Client 1, who has read nothing of 100 bytes, queues first and is passed by client 2; when his answer is out it is his
 * turn. */
static void test_who_holds_too_much_is_passed_by(void **state)
{
    struct slg_gate *gate = make(1, 10);
    struct slg_gate_job slow = job_of(1), inside = job_of(3);
    struct guest guests[2] = { { .job = job_of(1) }, { .job = job_of(2) } };
    atomic_int order = 0;
    pthread_t threads[2];

    (void)state;
    slow.bytes = 100;
    guests[0].job.bytes = guests[1].job.bytes = 1;
    assert_int_equal(enter(gate, &slow, 0), SLG_OK);
    assert_int_equal(slg_gate_keep(gate, &slow, 100), SLG_OK);
    assert_int_equal(enter(gate, &inside, 0), SLG_OK);
    start_guests(gate, guests, 2, &order, threads);
    slg_gate_leave(gate, &inside);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    assert_int_equal(guests[1].place, 0);
    assert_int_equal(slg_gate_waiting_count(gate, SLG_GATE_LONG), 1);
    slg_gate_leave(gate, &slow);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(guests[0].place, 1);
    slg_gate_destroy(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places_are_kept),
        cmocka_unit_test(test_the_last_place_is_for_another),
        cmocka_unit_test(test_the_least_served_client_is_next),
        cmocka_unit_test(test_waiters_are_bounded_and_may_leave),
        cmocka_unit_test(test_lanes_do_not_wait_for_each_other),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_keeping_more_than_said),
        cmocka_unit_test(test_who_holds_too_much_is_passed_by),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
