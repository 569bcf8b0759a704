/* The ledger: received = accepted + dropped{reason} + abandoned + in_flight holds at every reading (I3).
 * Oracle: random events in one thread against a plain model; and readings taken while four threads move entries
 * through it, where in_flight must never be negative (an assertion inside) and must be 0 at the end. */
#include "tests/helper/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "ingester/account.h"

static const char *const names[] = { "udp 127.0.0.1:1514", "tcp 127.0.0.1:1514", "push" };
#define NAME_COUNT 3

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void test_random_events_obey_the_law(void **state)
{
    struct slg_account *account;
    struct slg_account_cell *cells[3];
    uint64_t seed = 20261121;
    uint64_t received = 0, accepted = 0, abandoned = 0, in_flight = 0;
    uint64_t dropped[NAME_COUNT][SLG_DROP_REASON_COUNT] = { 0 };

    (void)state;
    assert_int_equal(slg_account_create(names, NAME_COUNT, &account), SLG_OK);
    for (size_t i = 0; i < 3; i++)
        assert_non_null(cells[i] = slg_account_cell(account));
    for (int step = 0; step < 20000; step++) {
        struct slg_account_cell *cell = cells[next_random(&seed) % 3];
        size_t listener = next_random(&seed) % NAME_COUNT;
        uint64_t n = next_random(&seed) % 50;
        size_t reason = next_random(&seed) % SLG_DROP_REASON_COUNT;
        struct slg_account_totals totals;

        switch (next_random(&seed) % 4) {
        case 0:
            slg_account_received(cell, listener, n);
            received += n;
            in_flight += n;
            break;
        case 1:
            n = n < in_flight ? n : in_flight;
            slg_account_accepted(cell, n);
            accepted += n;
            in_flight -= n;
            break;
        case 2:
            n = n < in_flight ? n : in_flight;
            slg_account_dropped(cell, listener, (enum slg_drop_reason)reason, n);
            dropped[listener][reason] += n;
            in_flight -= n;
            break;
        default:
            n = n < in_flight ? n : in_flight;
            slg_account_abandoned(cell, n);
            abandoned += n;
            in_flight -= n;
            break;
        }
        slg_account_read(account, &totals);
        assert_int_equal(totals.received, received);
        assert_int_equal(totals.accepted, accepted);
        assert_int_equal(totals.abandoned, abandoned);
        assert_int_equal(totals.in_flight, in_flight);
        assert_int_equal(totals.received,
                         totals.accepted + totals.dropped + totals.abandoned + totals.in_flight);
    }
    for (size_t l = 0; l < NAME_COUNT; l++)
        for (size_t r = 0; r < SLG_DROP_REASON_COUNT; r++)
            assert_int_equal(slg_account_dropped_count(account, l, (enum slg_drop_reason)r),
                             dropped[l][r]);
    slg_account_destroy(account);
}

struct mover {
    struct slg_account_cell *in;
    struct slg_account_cell *out;
    _Atomic uint64_t handed;
    _Atomic bool done;
};

static void *take_in(void *ctx)
{
    struct mover *m = ctx;

    for (int i = 0; i < 100000; i++) {
        slg_account_received(m->in, 0, 1);
        atomic_fetch_add_explicit(&m->handed, 1, memory_order_release);
    }
    atomic_store(&m->done, true);
    return NULL;
}

static void *pass_on(void *ctx)
{
    struct mover *m = ctx;
    uint64_t settled = 0;

    for (;;) {
        bool done = atomic_load(&m->done);
        uint64_t handed = atomic_load_explicit(&m->handed, memory_order_acquire);

        for (; settled < handed; settled++) {
            if (settled % 3 == 0)
                slg_account_dropped(m->out, 1, SLG_DROP_EXPIRED, 1);
            else if (settled % 3 == 1)
                slg_account_abandoned(m->out, 1);
            else
                slg_account_accepted(m->out, 1);
        }
        if (done && settled == 100000)
            return NULL;
    }
}

static void test_readings_during_work_obey_the_law(void **state)
{
    struct slg_account *account;
    struct mover movers[2] = { 0 };
    pthread_t threads[4];
    struct slg_account_totals totals;

    (void)state;
    assert_int_equal(slg_account_create(names, NAME_COUNT, &account), SLG_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_non_null(movers[i].in = slg_account_cell(account));
        assert_non_null(movers[i].out = slg_account_cell(account));
        assert_int_equal(pthread_create(&threads[i * 2], NULL, take_in, &movers[i]), 0);
        assert_int_equal(pthread_create(&threads[i * 2 + 1], NULL, pass_on, &movers[i]), 0);
    }
    do {
        slg_account_read(account, &totals);
        assert_int_equal(totals.received,
                         totals.accepted + totals.dropped + totals.abandoned + totals.in_flight);
    } while (totals.received < 200000 || totals.in_flight > 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(totals.dropped_by[SLG_DROP_EXPIRED], 2 * 33334);
    slg_account_destroy(account);
}

static void test_limits(void **state)
{
    struct slg_account *account = NULL;
    const char *many[SLG_ACCOUNT_LISTENER_COUNT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(many); i++)
        many[i] = "x";
    assert_int_equal(slg_account_create(many, SLG_ARRAY_LEN(many), &account), SLG_LIMIT);
    assert_null(account);
    assert_int_equal(slg_account_create(many, SLG_ARRAY_LEN(many) - 1, &account), SLG_OK);
    for (size_t i = 0; i < SLG_ACCOUNT_CELL_COUNT_MAX; i++)
        assert_non_null(slg_account_cell(account));
    assert_null(slg_account_cell(account));
    slg_account_destroy(account);
    slg_account_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_events_obey_the_law),
        cmocka_unit_test(test_readings_during_work_obey_the_law),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
