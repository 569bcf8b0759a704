/* One batch and its R targets: accepted exactly when W hold it, dropped only when certainly nobody does, else
 * abandoned; never settled twice; a retry is never sent before its time.
 * Oracle: rows that name a schedule and its end; then random schedules against the definition, computed from what the
 * (simulated) nodes really did. Seed printed on failure. */
#include "tests/helper/test.h"

#include "base/clock.h"
#include "ingester/replica.h"

#define S(n)                                                                                       \
    {                                                                                              \
        .type = SLG_REPLICA_SENT, .node = (n)                                                      \
    }
#define R(n, r)                                                                                    \
    {                                                                                              \
        .type = SLG_REPLICA_REPLY, .node = (n), .result = SLG_STORE_##r                            \
    }
#define F(n)                                                                                       \
    {                                                                                              \
        .type = SLG_REPLICA_FAILED, .node = (n)                                                    \
    }
#define U(n)                                                                                       \
    {                                                                                              \
        .type = SLG_REPLICA_UNSENT, .node = (n)                                                    \
    }
#define STOP                                                                                       \
    {                                                                                              \
        .type = SLG_REPLICA_STOP                                                                   \
    }
#define WAIT                                                                                       \
    {                                                                                              \
        .type = SLG_REPLICA_TICK, .node = 99                                                       \
    } /* the test lets all back-offs pass */

static const struct replica_case {
    const char *name;
    uint16_t r, w;
    struct slg_replica_event events[12];
    size_t event_count;
    enum slg_replica_outcome outcome;
    bool released;
    enum slg_store_result refusal;
} cases[] = {
    { "stored at one", 1, 1, { S(0), R(0, STORED) }, 2, SLG_REPLICA_ACCEPTED, true, 0 },
    { "a duplicate counts", 1, 1, { S(0), R(0, DUPLICATE) }, 2, SLG_REPLICA_ACCEPTED, true, 0 },
    { "open while out", 1, 1, { S(0) }, 1, SLG_REPLICA_OPEN, false, 0 },
    { "busy is tried again",
      1,
      1,
      { S(0), R(0, BUSY), WAIT, S(0), R(0, STORED) },
      5,
      SLG_REPLICA_ACCEPTED,
      true,
      0 },
    { "read-only is tried again", 1, 1, { S(0), R(0, READ_ONLY) }, 2, SLG_REPLICA_OPEN, false, 0 },
    { "not placed is tried again",
      1,
      1,
      { S(0), R(0, NOT_PLACED) },
      2,
      SLG_REPLICA_OPEN,
      false,
      0 },
    { "expired is dropped",
      1,
      1,
      { S(0), R(0, EXPIRED) },
      2,
      SLG_REPLICA_DROPPED,
      true,
      SLG_STORE_EXPIRED },
    { "content is dropped",
      1,
      1,
      { S(0), R(0, CONTENT) },
      2,
      SLG_REPLICA_DROPPED,
      true,
      SLG_STORE_CONTENT },
    { "expired after a lost answer is abandoned",
      1,
      1,
      { S(0), F(0), WAIT, S(0), R(0, EXPIRED) },
      5,
      SLG_REPLICA_ABANDONED,
      true,
      SLG_STORE_EXPIRED },
    { "expired after an unsent request is dropped",
      1,
      1,
      { S(0), U(0), WAIT, S(0), R(0, EXPIRED) },
      5,
      SLG_REPLICA_DROPPED,
      true,
      SLG_STORE_EXPIRED },
    { "stop before sending drops", 1, 1, { STOP }, 1, SLG_REPLICA_DROPPED, true, SLG_STORE_BUSY },
    { "stop while out abandons",
      1,
      1,
      { S(0), STOP },
      2,
      SLG_REPLICA_ABANDONED,
      true,
      SLG_STORE_BUSY },
    { "stop after a clean refusal drops",
      1,
      1,
      { S(0), R(0, READ_ONLY), STOP },
      3,
      SLG_REPLICA_DROPPED,
      true,
      SLG_STORE_BUSY },
    { "stop after acceptance stays accepted",
      2,
      1,
      { S(0), S(1), R(0, STORED), STOP },
      4,
      SLG_REPLICA_ACCEPTED,
      true,
      0 },
    { "two of three accept, the third is still tried",
      3,
      2,
      { S(0), S(1), S(2), R(0, STORED), R(2, STORED) },
      5,
      SLG_REPLICA_ACCEPTED,
      false,
      0 },
    { "three of three release",
      3,
      2,
      { S(0), S(1), S(2), R(0, STORED), R(2, STORED), R(1, STORED) },
      6,
      SLG_REPLICA_ACCEPTED,
      true,
      0 },
    { "one stored, two expired: abandoned",
      3,
      2,
      { S(0), S(1), S(2), R(0, STORED), R(1, EXPIRED), R(2, EXPIRED) },
      6,
      SLG_REPLICA_ABANDONED,
      true,
      SLG_STORE_EXPIRED },
    { "two refuse while the third is out: open",
      3,
      2,
      { S(0), S(1), S(2), R(1, EXPIRED), R(2, FUTURE) },
      5,
      SLG_REPLICA_OPEN,
      false,
      0 },
    { "a late answer of a settled batch changes nothing",
      3,
      1,
      { S(0), S(1), S(2), R(0, STORED), R(1, EXPIRED), R(2, MALFORMED) },
      6,
      SLG_REPLICA_ACCEPTED,
      true,
      0 },
    { "an answer nobody waits for is ignored",
      1,
      1,
      { R(0, STORED) },
      1,
      SLG_REPLICA_OPEN,
      false,
      0 },
};

/* Owners 0 to r-1, hint candidates 10 to 10+hints-1. */
static struct slg_replica_place make_place(uint16_t r, uint16_t w, uint16_t hints)
{
    struct slg_replica_place place = {
        .owner_count = r, .hint_count = hints, .write_quorum = w, .write_quorum_min = w
    };

    for (uint16_t i = 0; i < r; i++)
        place.owners[i] = i;
    for (uint16_t i = 0; i < hints; i++)
        place.hints[i] = (uint16_t)(10 + i);
    return place;
}

static void test_schedules(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct replica_case *row = &cases[i];
        struct slg_replica_place place = make_place(row->r, row->w, 0);
        struct slg_replica replica;
        struct slg_replica_actions actions = { 0 };
        int64_t now = 1000;
        int settled = 0;
        enum slg_store_result refusal = 0;

        slg_replica_init(&replica, &place, now);
        for (size_t e = 0; e < row->event_count; e++) {
            if (row->events[e].node == 99)
                now += SLG_REPLICA_BACKOFF_NS_MAX;
            actions = slg_replica_step(&replica, &row->events[e], now);
            if (actions.settle) {
                settled++;
                refusal = actions.refusal;
            }
        }
        CHECK(row->name, replica.outcome == row->outcome);
        CHECK(row->name, actions.release == row->released);
        CHECK(row->name, settled == (row->outcome != SLG_REPLICA_OPEN));
        CHECK(row->name, refusal == row->refusal);
    }
}

static void test_back_off_grows_and_is_bounded(void **state)
{
    struct slg_replica_place place = {
        .owners = { 7 }, .owner_count = 1, .write_quorum = 1, .write_quorum_min = 1
    };
    struct slg_replica replica;
    bool hint;
    struct slg_replica_event sent = S(7), busy = R(7, BUSY);
    int64_t now = 0, last = 0;

    (void)state;
    slg_replica_init(&replica, &place, now);
    for (int i = 0; i < 20; i++) {
        int64_t wait;

        assert_true(slg_replica_due(&replica, 7, now, &hint));
        assert_false(slg_replica_due(&replica, 8, now, &hint));
        (void)slg_replica_step(&replica, &sent, now);
        assert_false(slg_replica_due(&replica, 7, now, &hint));
        (void)slg_replica_step(&replica, &busy, now);
        wait = slg_replica_wake_mono_ns(&replica) - now;
        assert_true(wait >= SLG_REPLICA_BACKOFF_NS_MIN);
        assert_true(wait <= SLG_REPLICA_BACKOFF_NS_MAX);
        assert_true(wait >= last);
        assert_false(slg_replica_due(&replica, 7, now + wait - 1, &hint));
        last = wait;
        now += wait;
    }
    assert_int_equal(last, SLG_REPLICA_BACKOFF_NS_MAX);
}

static void test_grace_ends_the_wait_for_laggards(void **state)
{
    struct slg_replica_place place = make_place(2, 1, 0);
    struct slg_replica replica;
    struct slg_replica_event sent = S(0), stored = R(0, STORED),
                             tick = { .type = SLG_REPLICA_TICK };
    struct slg_replica_actions actions;

    (void)state;
    slg_replica_init(&replica, &place, 0);
    (void)slg_replica_step(&replica, &sent, 0);
    actions = slg_replica_step(&replica, &stored, 5);
    assert_true(actions.settle);
    assert_false(actions.release);
    actions = slg_replica_step(&replica, &tick, SLG_REPLICA_GRACE_NS);
    assert_false(actions.release);
    actions = slg_replica_step(&replica, &tick, 5 + SLG_REPLICA_GRACE_NS);
    assert_true(actions.release);
    assert_false(actions.settle);
}

static void test_placed_anew(void **state)
{
    struct slg_replica_place before = make_place(2, 2, 0), after = make_place(2, 2, 0);
    struct slg_replica replica;
    bool hint;
    struct slg_replica_event sent = S(0), failed = F(0), sent1 = S(1), stored1 = R(1, STORED);
    struct slg_replica_event placed = { .type = SLG_REPLICA_PLACED, .place = &after };
    struct slg_replica_event stop = STOP;
    struct slg_replica_actions actions;

    (void)state;
    after.owners[0] = 1;
    after.owners[1] = 2;
    slg_replica_init(&replica, &before, 0);
    (void)slg_replica_step(&replica, &sent, 0);
    (void)slg_replica_step(&replica, &failed, 0);
    (void)slg_replica_step(&replica, &sent1, 0);
    (void)slg_replica_step(&replica, &placed, 0);
    assert_false(slg_replica_due(&replica, 0, INT64_MAX, &hint));
    assert_true(slg_replica_due(&replica, 2, 0, &hint));
    (void)slg_replica_step(&replica, &stored1, 0); /* the request to 1 went on */
    assert_int_equal(replica.outcome, SLG_REPLICA_OPEN);
    actions = slg_replica_step(&replica, &stop, 0);
    assert_true(actions.settle);
    assert_int_equal(replica.outcome, SLG_REPLICA_ABANDONED);
}

#define REACH(n, yes)                                                                              \
    {                                                                                              \
        .type = SLG_REPLICA_REACH, .node = (n), .reachable = (yes)                                 \
    }
#define PRESSED                                                                                    \
    {                                                                                              \
        .type = SLG_REPLICA_PRESSED, .node = 98                                                    \
    }

/* R = 3, W = 2, candidates 10 and 11. Who is due at the end, bit n for node n. */
static const struct hint_case {
    const char *name;
    uint16_t w_min;
    struct slg_replica_event events[12];
    size_t event_count;
    enum slg_replica_outcome outcome;
    bool thin, released;
    unsigned due;
} hint_cases[] = {
    { "all reachable: no hints", 2, { { 0 } }, 0, SLG_REPLICA_OPEN, false, false, 0x7 },
    { "one owner away: W are left, no hints",
      2,
      { REACH(0, false) },
      1,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x7 },
    { "two owners away: one hint",
      2,
      { REACH(0, false), REACH(1, false) },
      2,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x407 },
    { "three owners away: two hints",
      2,
      { REACH(0, false), REACH(1, false), REACH(2, false) },
      3,
      SLG_REPLICA_OPEN,
      false,
      false,
      0xc07 },
    { "a candidate that is away is passed over",
      2,
      { REACH(10, false), REACH(0, false), REACH(1, false) },
      3,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x807 },
    { "an untried hint is taken back when an owner returns",
      2,
      { REACH(0, false), REACH(1, false), REACH(1, true) },
      3,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x7 },
    { "a hint counts towards W, owners that are away are left to repair",
      2,
      { REACH(0, false), REACH(1, false), S(2), R(2, STORED), S(10), R(10, STORED) },
      6,
      SLG_REPLICA_ACCEPTED,
      false,
      true,
      0x3 },
    { "a read-only owner is replaced by a hint",
      2,
      { REACH(0, false), S(1), R(1, READ_ONLY) },
      3,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x405 },
    { "a hint that refuses is replaced by the next",
      2,
      { REACH(0, false), REACH(1, false), S(10), R(10, READ_ONLY) },
      4,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x807 },
    { "refused by two owners for ever: hints do not overrule",
      2,
      { S(0), R(0, EXPIRED), S(1), R(1, EXPIRED) },
      4,
      SLG_REPLICA_DROPPED,
      false,
      true,
      0x4 },
    { "W_min of W while others may come: open",
      1,
      { S(0), R(0, STORED), REACH(1, false), REACH(2, false) },
      4,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x406 },
    { "W_min of W when nobody is left: thin",
      1,
      { S(0), R(0, STORED), REACH(1, false), REACH(2, false), REACH(10, false), REACH(11, false) },
      6,
      SLG_REPLICA_ACCEPTED,
      true,
      true,
      0x6 },
    { "one copy is not enough when W_min = W",
      2,
      { S(0), R(0, STORED), REACH(1, false), REACH(2, false), REACH(10, false), REACH(11, false) },
      6,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x6 },
    { "short of memory: accepted batches go before the laggard has them",
      2,
      { S(0), R(0, STORED), S(1), R(1, STORED), PRESSED },
      5,
      SLG_REPLICA_ACCEPTED,
      false,
      true,
      0x4 },
    { "short of memory: what is not accepted stays",
      2,
      { S(0), R(0, STORED), PRESSED },
      3,
      SLG_REPLICA_OPEN,
      false,
      false,
      0x6 },
};

static void test_hints(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(hint_cases); i++) {
        const struct hint_case *row = &hint_cases[i];
        struct slg_replica_place place = make_place(3, 2, 2);
        struct slg_replica_actions actions = { 0 };
        struct slg_replica replica;
        unsigned due = 0;

        place.write_quorum_min = row->w_min;
        slg_replica_init(&replica, &place, 0);
        for (size_t e = 0; e < row->event_count; e++)
            actions = slg_replica_step(&replica, &row->events[e], 1);
        for (uint16_t node = 0; node < 12; node++) {
            bool hint = false;

            if (!slg_replica_due(&replica, node, 1, &hint))
                continue;
            due |= 1U << node;
            CHECK(row->name, hint == (node >= 10));
        }
        CHECK(row->name, replica.outcome == row->outcome);
        CHECK(row->name, replica.thin == row->thin);
        CHECK(row->name, actions.release == row->released);
        CHECK(row->name, due == row->due);
    }
}

/* A disk that was lost since does not count (sim: a storer that was whole again without the batch). */
static void test_an_old_acknowledgement_is_asked_for_again(void **state)
{
    struct slg_replica_place place = make_place(3, 2, 0);
    struct slg_replica_event sent[] = { S(0), S(1) }, stored[] = { R(0, STORED), R(1, STORED) };
    struct slg_replica_event again = R(0, DUPLICATE), stop = STOP;
    struct slg_replica replica;
    struct slg_replica_actions actions;
    int64_t late = SLG_STORE_ACK_NS;
    bool hint;

    (void)state;
    slg_replica_init(&replica, &place, 0);
    (void)slg_replica_step(&replica, &sent[0], 0);
    (void)slg_replica_step(&replica, &stored[0],
                           late - 1); /* from the request on, not the answer */
    assert_false(slg_replica_due(&replica, 0, late, &hint)); /* alone it changes nothing */
    (void)slg_replica_step(&replica, &sent[1], late);
    actions = slg_replica_step(&replica, &stored[1], late);
    assert_false(actions.settle);
    assert_true(slg_replica_due(&replica, 0, late, &hint));
    actions = slg_replica_step(&replica, &stop, late);
    assert_int_equal(replica.outcome, SLG_REPLICA_ABANDONED);

    slg_replica_init(&replica, &place, 0);
    (void)slg_replica_step(&replica, &sent[0], 0);
    (void)slg_replica_step(&replica, &stored[0], 1);
    (void)slg_replica_step(&replica, &sent[1], late);
    (void)slg_replica_step(&replica, &stored[1], late + 1);
    (void)slg_replica_step(&replica, &sent[0], late + 1);
    actions = slg_replica_step(&replica, &again, late + 2);
    assert_true(actions.settle);
    assert_int_equal(replica.outcome, SLG_REPLICA_ACCEPTED);

    slg_replica_init(&replica, &place, 0); /* just in time */
    (void)slg_replica_step(&replica, &sent[0], 1);
    (void)slg_replica_step(&replica, &stored[0], 2);
    (void)slg_replica_step(&replica, &sent[1], 2);
    actions = slg_replica_step(&replica, &stored[1], late);
    assert_int_equal(replica.outcome, SLG_REPLICA_ACCEPTED);
}

/* A new disk: what it acknowledged before is sent again, while the batch is here. */
static void test_a_new_disk_is_sent_to_again(void **state)
{
    struct slg_replica_place place = make_place(2, 1, 0);
    struct slg_replica_event sent = S(0), stored = R(0, STORED);
    struct slg_replica_event forgot = { .type = SLG_REPLICA_FORGOT, .node = 0 };
    struct slg_replica replica;
    bool hint;

    (void)state;
    slg_replica_init(&replica, &place, 0);
    (void)slg_replica_step(&replica, &sent, 0);
    (void)slg_replica_step(&replica, &stored, 1);
    assert_int_equal(replica.outcome, SLG_REPLICA_ACCEPTED);
    assert_false(slg_replica_due(&replica, 0, 2, &hint));
    (void)slg_replica_step(&replica, &forgot, 2);
    assert_true(slg_replica_due(&replica, 0, 2, &hint));
    assert_int_equal(replica.outcome, SLG_REPLICA_ACCEPTED);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The node does one of everything a node can do; `held` is the truth about its disk. */
static struct slg_replica_event act(uint64_t *seed, uint16_t node, bool *held)
{
    static const enum slg_store_result results[] = {
        SLG_STORE_STORED,     SLG_STORE_BUSY,    SLG_STORE_READ_ONLY,
        SLG_STORE_NOT_PLACED, SLG_STORE_EXPIRED, SLG_STORE_FUTURE,
    };
    struct slg_replica_event event = { .type = SLG_REPLICA_REPLY, .node = node };
    uint64_t choice = next_random(seed) % 8;

    if (choice >= SLG_ARRAY_LEN(results)) {
        event.type = SLG_REPLICA_FAILED;
        *held = *held || choice % 2 == 0; /* it may have acted before the answer was lost */
        return event;
    }
    event.result = results[choice];
    if (event.result == SLG_STORE_STORED) {
        event.result = *held ? SLG_STORE_DUPLICATE : SLG_STORE_STORED;
        *held = true;
    }
    return event;
}

/* acked_ns: when what was acknowledged last had been sent; -1: never. */
static void check_settled(uint64_t seed, const struct slg_replica *replica, const bool *held,
                          const int64_t *acked_ns, int64_t now)
{
    uint16_t ack_count = 0, held_count = 0;
    uint16_t enough = replica->thin ? replica->write_quorum_min : replica->write_quorum;

    for (uint16_t i = 0; i < replica->target_count; i++) {
        ack_count =
            (uint16_t)(ack_count + (acked_ns[i] >= 0 && now - acked_ns[i] < SLG_STORE_ACK_NS));
        held_count = (uint16_t)(held_count + held[i]);
    }
    if (replica->outcome == SLG_REPLICA_ACCEPTED && (ack_count < enough || held_count < enough))
        fail_msg("seed %llu: accepted without enough copies", (unsigned long long)seed);
    if (replica->outcome == SLG_REPLICA_DROPPED && held_count > 0)
        fail_msg("seed %llu: dropped, but somebody has it", (unsigned long long)seed);
    if (replica->outcome != SLG_REPLICA_ACCEPTED && ack_count >= replica->write_quorum)
        fail_msg("seed %llu: W copies and not accepted", (unsigned long long)seed);
}

static void run_random(uint64_t seed)
{
    uint64_t random = seed * 2654435761U + 1;
    uint16_t r = (uint16_t)(1 + next_random(&random) % SLG_MAP_REPLICATION_MAX);
    uint16_t w = (uint16_t)(1 + next_random(&random) % r);
    struct slg_replica_place place =
        make_place(r, w, (uint16_t)(next_random(&random) % (SLG_MAP_REPLICATION_MAX + 1)));
    bool held[SLG_REPLICA_TARGET_MAX] = { false };
    int64_t sent_ns[SLG_REPLICA_TARGET_MAX] = { 0 }, acked_ns[SLG_REPLICA_TARGET_MAX];
    struct slg_replica replica;
    int64_t now = 0;
    int settled = 0;
    bool released = false;

    place.write_quorum_min = (uint16_t)(1 + next_random(&random) % w);
    memset(acked_ns, -1, sizeof(acked_ns));
    slg_replica_init(&replica, &place, now);
    for (int step = 0; step < 200 && !released; step++) {
        uint16_t at = (uint16_t)(next_random(&random) % replica.target_count);
        uint16_t node = replica.targets[at].node;
        struct slg_replica_event event = { .type = SLG_REPLICA_TICK, .node = node };
        struct slg_replica_actions actions;
        bool hint;

        now += (int64_t)(next_random(&random) % (uint64_t)SLG_NS_PER_SEC);
        if (step == 199) {
            event.type = SLG_REPLICA_STOP;
        } else if (next_random(&random) % 8 == 0) {
            event.type = SLG_REPLICA_REACH;
            event.reachable = next_random(&random) % 2 == 0;
        } else if (slg_replica_due(&replica, node, now, &hint)) {
            event.type = SLG_REPLICA_SENT;
            sent_ns[at] = now;
        } else if (replica.targets[at].state == SLG_TARGET_IN_FLIGHT) {
            event = act(&random, node, &held[at]);
            if (event.type == SLG_REPLICA_REPLY && event.result <= SLG_STORE_DUPLICATE)
                acked_ns[at] = sent_ns[at];
        }
        actions = slg_replica_step(&replica, &event, now);
        settled += actions.settle;
        released = actions.release;
        if (actions.settle)
            check_settled(seed, &replica, held, acked_ns, now);
    }
    if (!released || settled != 1)
        fail_msg("seed %llu: settled %d times", (unsigned long long)seed, settled);
}

static void test_random_schedules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20000; seed++)
        run_random(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_back_off_grows_and_is_bounded),
        cmocka_unit_test(test_grace_ends_the_wait_for_laggards),
        cmocka_unit_test(test_placed_anew),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_an_old_acknowledgement_is_asked_for_again),
        cmocka_unit_test(test_a_new_disk_is_sent_to_again),
        cmocka_unit_test(test_random_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
