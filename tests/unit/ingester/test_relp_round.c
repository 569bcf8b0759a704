/* A message is acknowledged when every batch of its round is accepted, in the order of the commands, and never else.
 * Oracle: for each row, the batches settled by hand and the answers written down. */
#include "tests/helper/test.h"

#include "base/queue.h"
#include "ingester/relp_round.h"

#define ROUND_NS SLG_RELP_ROUND_NS

struct bench {
    struct slg_relp_rounds *rounds;
    struct slg_relp_ledger ledger;
    unsigned wakes;
    int64_t now;
};

static void on_wake(void *ctx)
{
    struct bench *b = ctx;

    b->wakes++;
}

static void open_bench(struct bench *b)
{
    const struct slg_relp_rounds_options options = { .wake = on_wake, .wake_ctx = b };

    memset(b, 0, sizeof(*b));
    assert_int_equal(slg_relp_rounds_create(&options, &b->rounds), SLG_OK);
}

static void close_bench(struct bench *b)
{
    slg_relp_ledger_clear(&b->ledger);
    (void)slg_relp_rounds_take_done(b->rounds);
    slg_relp_rounds_destroy(b->rounds);
}

static void settle(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                   enum slg_drop_reason reason)
{
    waiter->settled(waiter, outcome, reason);
}

/* The answers that may go out now, and whether the connection may live. */
static void expect(const char *name, struct bench *b, const char *want, bool good)
{
    struct slg_buf out;
    uint64_t messages = 99;

    slg_buf_init(&out, 1 << 20);
    (void)slg_relp_rounds_take_done(b->rounds);
    CHECK(name, slg_relp_ledger_write(&b->ledger, &out, &messages) == good);
    slg_buf_append_byte(&out, 0);
    if (strcmp((const char *)out.data, want) != 0)
        print_error("found %s\n", (const char *)out.data);
    CHECK(name, strcmp((const char *)out.data, want) == 0);
    slg_buf_fini(&out);
}

/* A message of the current round; of a new batch when the waiter is kept. */
static struct slg_forward_waiter *take(struct bench *b, uint32_t txnr, bool new_batch)
{
    struct slg_relp_round *round = slg_relp_rounds_current(b->rounds, b->now);
    struct slg_forward_waiter *waiter = slg_relp_round_hold(round);

    if (!new_batch)
        slg_relp_round_release(round);
    slg_relp_ledger_add_message(&b->ledger, txnr, round);
    return waiter;
}

static const struct outcome_case {
    const char *name;
    enum slg_replica_outcome outcome;
    enum slg_drop_reason reason;
    bool good;
} outcomes[] = {
    { "accepted", SLG_REPLICA_ACCEPTED, SLG_DROP_STOP, true },
    { "older than the retention", SLG_REPLICA_DROPPED, SLG_DROP_EXPIRED, true },
    { "abandoned", SLG_REPLICA_ABANDONED, SLG_DROP_STOP, false },
    { "not sent at stop", SLG_REPLICA_DROPPED, SLG_DROP_STOP, false },
    { "content", SLG_REPLICA_DROPPED, SLG_DROP_CONTENT, false },
    { "clocks apart", SLG_REPLICA_DROPPED, SLG_DROP_FUTURE, false },
    { "refused", SLG_REPLICA_DROPPED, SLG_DROP_REFUSED, false },
};

static void test_outcomes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(outcomes); i++) {
        const struct outcome_case *row = &outcomes[i];
        struct slg_forward_waiter *first, *second;
        struct bench b;

        open_bench(&b);
        first = take(&b, 2, true);
        (void)take(&b, 3, false);
        second = take(&b, 4, true); /* another shard's batch */
        expect(row->name, &b, "", true);
        settle(first, SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
        expect(row->name, &b, "", true); /* one of two batches */
        settle(second, row->outcome, row->reason);
        expect(row->name, &b, "", true); /* the round is open still */
        slg_relp_rounds_tick(b.rounds, b.now, /* sealed= */ true);
        expect(row->name, &b, row->good ? "2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n" : "",
               row->good);
        close_bench(&b);
    }
}

static void test_order(void **state)
{
    struct slg_forward_waiter *first, *second;
    struct bench b;

    (void)state;
    open_bench(&b);
    slg_relp_ledger_add_answer(&b.ledger, 1, "200 hello");
    expect("an answer waits for nothing", &b, "1 rsp 9 200 hello\n", true);
    first = take(&b, 2, true);
    slg_relp_rounds_tick(b.rounds, b.now, true);
    slg_relp_ledger_add_answer(&b.ledger, 3, "500 no");
    second = take(&b, 4, true);
    slg_relp_rounds_tick(b.rounds, b.now, true);
    assert_int_equal(b.wakes, 0);
    settle(second, SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    assert_int_equal(b.wakes, 1);
    expect("behind one that waits", &b, "", true);
    settle(first, SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    assert_int_equal(b.wakes, 2);
    expect("all in order", &b, "2 rsp 6 200 OK\n3 rsp 6 500 no\n4 rsp 6 200 OK\n", true);
    assert_int_equal(slg_relp_rounds_used(b.rounds), 0);
    assert_int_equal(b.ledger.unanswered, 0);
    close_bench(&b);
}

/* What is before a message that was not accepted is acknowledged, what is behind it is not. */
static void test_broken_in_the_middle(void **state)
{
    struct slg_forward_waiter *waiters[3];
    struct bench b;

    (void)state;
    open_bench(&b);
    for (uint32_t i = 0; i < 3; i++) {
        waiters[i] = take(&b, 2 + i, true);
        slg_relp_rounds_tick(b.rounds, b.now, true);
    }
    settle(waiters[2], SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    settle(waiters[1], SLG_REPLICA_ABANDONED, SLG_DROP_STOP);
    settle(waiters[0], SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    assert_int_equal(b.wakes, 1); /* nobody has looked since */
    expect("up to the broken one", &b, "2 rsp 6 200 OK\n", false);
    close_bench(&b);
}

static void test_time(void **state)
{
    struct slg_forward_waiter *waiter;
    struct bench b;

    (void)state;
    open_bench(&b);
    assert_true(slg_relp_rounds_wake_mono_ns(b.rounds) == SLG_DEADLINE_NEVER);
    waiter = take(&b, 2, true);
    assert_true(slg_relp_rounds_wake_mono_ns(b.rounds) == ROUND_NS);
    settle(waiter, SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    b.now = ROUND_NS - 1;
    slg_relp_rounds_tick(b.rounds, b.now, false);
    expect("too young", &b, "", true);
    b.now = ROUND_NS;
    slg_relp_rounds_tick(b.rounds, b.now, false);
    expect("old enough", &b, "2 rsp 6 200 OK\n", true);
    assert_int_equal(b.wakes, 0); /* the owner did it itself */
    close_bench(&b);
}

/* Connections that are gone leave nothing behind, and with every round taken the last one goes on. */
static void test_many_rounds(void **state)
{
    static struct slg_forward_waiter *waiters[SLG_RELP_ROUND_COUNT_MAX];
    struct slg_relp_round *last;
    struct bench b;

    (void)state;
    open_bench(&b);
    for (uint32_t i = 0; i < SLG_RELP_ROUND_COUNT_MAX; i++) {
        waiters[i] = slg_relp_round_hold(slg_relp_rounds_current(b.rounds, b.now));
        slg_relp_rounds_tick(b.rounds, b.now, true);
    }
    assert_int_equal(slg_relp_rounds_used(b.rounds), SLG_RELP_ROUND_COUNT_MAX);
    last = slg_relp_rounds_current(b.rounds, b.now);
    slg_relp_rounds_tick(b.rounds, b.now, true);
    assert_ptr_equal(slg_relp_rounds_current(b.rounds, b.now), last);
    slg_relp_ledger_add_message(&b.ledger, 2, last);
    settle(waiters[0], SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    slg_relp_rounds_tick(b.rounds, b.now, true);
    assert_ptr_not_equal(slg_relp_rounds_current(b.rounds, b.now), last);
    for (uint32_t i = 1; i < SLG_RELP_ROUND_COUNT_MAX; i++)
        settle(waiters[i], SLG_REPLICA_ACCEPTED, SLG_DROP_STOP);
    expect("the one that went on", &b, "2 rsp 6 200 OK\n", true);
    assert_int_equal(slg_relp_rounds_used(b.rounds), 1); /* the current one */
    close_bench(&b);
}

static void test_room(void **state)
{
    struct bench b;
    uint32_t txnr = 1;

    (void)state;
    open_bench(&b);
    while (slg_relp_ledger_has_room(&b.ledger))
        (void)take(&b, txnr++, false);
    assert_int_equal(b.ledger.unanswered, SLG_RELP_WINDOW_MAX);
    assert_int_equal(b.ledger.count, 1);
    slg_relp_ledger_clear(&b.ledger);
    while (slg_relp_ledger_has_room(&b.ledger))
        slg_relp_ledger_add_answer(&b.ledger, txnr++, "500 no");
    assert_int_equal(b.ledger.unanswered, SLG_RELP_LEDGER_MAX);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_broken_in_the_middle),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_many_rounds),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
