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

static void test_schedules(void **state)
{
    static const uint16_t nodes[] = { 0, 1, 2 };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct replica_case *row = &cases[i];
        struct slg_replica replica;
        struct slg_replica_actions actions = { 0 };
        int64_t now = 1000;
        int settled = 0;
        enum slg_store_result refusal = 0;

        slg_replica_init(&replica, nodes, row->r, row->w, now);
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
    static const uint16_t nodes[] = { 7 };
    struct slg_replica replica;
    struct slg_replica_event sent = S(7), busy = R(7, BUSY);
    int64_t now = 0, last = 0;

    (void)state;
    slg_replica_init(&replica, nodes, 1, 1, now);
    for (int i = 0; i < 20; i++) {
        int64_t wait;

        assert_true(slg_replica_due(&replica, 7, now));
        assert_false(slg_replica_due(&replica, 8, now));
        (void)slg_replica_step(&replica, &sent, now);
        assert_false(slg_replica_due(&replica, 7, now));
        (void)slg_replica_step(&replica, &busy, now);
        wait = slg_replica_wake_mono_ns(&replica) - now;
        assert_true(wait >= SLG_REPLICA_BACKOFF_NS_MIN);
        assert_true(wait <= SLG_REPLICA_BACKOFF_NS_MAX);
        assert_true(wait >= last);
        assert_false(slg_replica_due(&replica, 7, now + wait - 1));
        last = wait;
        now += wait;
    }
    assert_int_equal(last, SLG_REPLICA_BACKOFF_NS_MAX);
}

static void test_grace_ends_the_wait_for_laggards(void **state)
{
    static const uint16_t nodes[] = { 0, 1 };
    struct slg_replica replica;
    struct slg_replica_event sent = S(0), stored = R(0, STORED),
                             tick = { .type = SLG_REPLICA_TICK };
    struct slg_replica_actions actions;

    (void)state;
    slg_replica_init(&replica, nodes, 2, 1, 0);
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
    static const uint16_t before[] = { 0, 1 }, after[] = { 1, 2 };
    struct slg_replica replica;
    struct slg_replica_event sent = S(0), failed = F(0), sent1 = S(1), stored1 = R(1, STORED);
    struct slg_replica_event placed = {
        .type = SLG_REPLICA_PLACED, .nodes = after, .node_count = 2, .write_quorum = 2
    };
    struct slg_replica_event stop = STOP;
    struct slg_replica_actions actions;

    (void)state;
    slg_replica_init(&replica, before, 2, 2, 0);
    (void)slg_replica_step(&replica, &sent, 0);
    (void)slg_replica_step(&replica, &failed, 0);
    (void)slg_replica_step(&replica, &sent1, 0);
    (void)slg_replica_step(&replica, &placed, 0);
    assert_false(slg_replica_due(&replica, 0, INT64_MAX));
    assert_true(slg_replica_due(&replica, 2, 0));
    (void)slg_replica_step(&replica, &stored1, 0); /* the request to 1 went on */
    assert_int_equal(replica.outcome, SLG_REPLICA_OPEN);
    actions = slg_replica_step(&replica, &stop, 0);
    assert_true(actions.settle);
    assert_int_equal(replica.outcome, SLG_REPLICA_ABANDONED);
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

static void run_random(uint64_t seed)
{
    uint16_t nodes[SLG_MAP_REPLICATION_MAX] = { 3, 1, 4, 0, 2 };
    uint64_t random = seed * 2654435761U + 1;
    uint16_t r = (uint16_t)(1 + next_random(&random) % SLG_MAP_REPLICATION_MAX);
    uint16_t w = (uint16_t)(1 + next_random(&random) % r);
    bool held[SLG_MAP_REPLICATION_MAX] = { false }, acked[SLG_MAP_REPLICATION_MAX] = { false };
    struct slg_replica replica;
    int64_t now = 0;
    int settled = 0;
    bool released = false;

    slg_replica_init(&replica, nodes, r, w, now);
    for (int step = 0; step < 200 && !released; step++) {
        uint16_t at = (uint16_t)(next_random(&random) % r);
        struct slg_replica_event event = { .type = SLG_REPLICA_TICK, .node = nodes[at] };
        struct slg_replica_actions actions;

        now += (int64_t)(next_random(&random) % (uint64_t)SLG_NS_PER_SEC);
        if (step == 199) {
            event.type = SLG_REPLICA_STOP;
        } else if (slg_replica_due(&replica, nodes[at], now)) {
            event.type = SLG_REPLICA_SENT;
        } else if (replica.targets[at].state == SLG_TARGET_IN_FLIGHT) {
            event = act(&random, nodes[at], &held[at]);
            acked[at] = acked[at] ||
                        (event.type == SLG_REPLICA_REPLY && event.result <= SLG_STORE_DUPLICATE);
        }
        actions = slg_replica_step(&replica, &event, now);
        settled += actions.settle;
        released = actions.release;
        if (actions.settle) {
            uint16_t ack_count = 0, held_count = 0;

            for (uint16_t i = 0; i < r; i++) {
                ack_count = (uint16_t)(ack_count + acked[i]);
                held_count = (uint16_t)(held_count + held[i]);
            }
            if (replica.outcome == SLG_REPLICA_ACCEPTED && (ack_count < w || held_count < w))
                fail_msg("seed %llu: accepted without W copies", (unsigned long long)seed);
            if (replica.outcome == SLG_REPLICA_DROPPED && held_count > 0)
                fail_msg("seed %llu: dropped, but somebody has it", (unsigned long long)seed);
            if (replica.outcome != SLG_REPLICA_ACCEPTED && ack_count >= w)
                fail_msg("seed %llu: W copies and not accepted", (unsigned long long)seed);
        }
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
        cmocka_unit_test(test_random_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
