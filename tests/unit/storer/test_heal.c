/* An owner fetches exactly what others hold and it lacks, seen twice; hints go only when every owner was twice seen to
 * have them. Oracle: sets as bits of a word, computed by hand in rows, and by bit arithmetic in random rounds. */
#include "tests/helper/test.h"

#include "storer/heal.h"

#define NONE UINT32_MAX /* did not answer */

static struct slg_batch_set *set_of(uint32_t bits)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation incarnation = { { 1 } };

    for (unsigned i = 0; i < 30; i++)
        if ((bits >> i & 1) != 0)
            assert_int_equal(slg_batch_set_add(set, &incarnation, i + 1), SLG_OK);
    return set;
}

static uint32_t bits_of(const struct slg_batch_set *set)
{
    struct slg_incarnation incarnation = { { 1 } };
    uint32_t bits = 0;

    for (unsigned i = 0; i < 30; i++)
        if (slg_batch_set_has(set, &incarnation, i + 1))
            bits |= 1U << i;
    return bits;
}

struct holders {
    bool owner; /* this node */
    uint32_t own;
    uint32_t peers[3]; /* NONE: silent */
    bool peer_owner[3];
    bool refilling[3];
};

struct outcome {
    uint32_t fetched; /* all that is to be fetched */
    uint32_t twice;   /* wanted of two peers: must be none */
    bool lacking, forget;
};

static struct outcome look(struct slg_heal *heal, const struct holders *h, int64_t now_ns)
{
    struct slg_batch_set *own = set_of(h->own), *sets[3];
    struct slg_heal_peer peers[3];
    struct slg_heal_view view = {
        .owner = h->owner, .own = own, .peers = peers, .peer_count = 3, .owner_count = h->owner
    };
    struct slg_heal_actions actions;
    struct outcome outcome = { .fetched = 0 };

    for (uint16_t i = 0; i < 3; i++) {
        sets[i] = h->peers[i] == NONE ? NULL : set_of(h->peers[i]);
        peers[i] = (struct slg_heal_peer){
            .node = i, .owner = h->peer_owner[i], .whole = !h->refilling[i], .set = sets[i]
        };
        view.owner_count += h->peer_owner[i];
    }
    assert_int_equal(slg_heal_look(heal, &view, now_ns, &actions), SLG_OK);
    outcome.lacking = actions.lacking;
    outcome.forget = actions.forget;
    for (size_t i = 0; i < actions.fetch_count; i++) {
        uint32_t bits = bits_of(actions.fetches[i].set);

        assert_true((bits & ~h->peers[actions.fetches[i].node]) == 0); /* it has them */
        outcome.twice |= outcome.fetched & bits;
        outcome.fetched |= bits;
    }
    slg_heal_actions_fini(&actions);
    slg_batch_set_destroy(own);
    for (size_t i = 0; i < 3; i++)
        slg_batch_set_destroy(sets[i]);
    return outcome;
}

static void test_an_owner_fetches_what_it_twice_lacked(void **state)
{
    struct holders h = {
        .owner = true, .own = 0x1, .peers = { 0x7, 0x5, NONE }, .peer_owner = { true, true, false }
    };
    struct slg_heal heal = { .lacked = NULL };
    struct outcome o;

    (void)state;
    o = look(&heal, &h, 0);
    assert_true(o.fetched == 0 && o.lacking);
    o = look(&heal, &h, SLG_HEAL_AGE_NS - 1); /* too early */
    assert_true(o.fetched == 0 && o.lacking);
    h.peers[0] = 0xF; /* batch 8 is on its way only since now */
    o = look(&heal, &h, SLG_HEAL_AGE_NS);
    assert_true(o.fetched == 0x6 && o.twice == 0 && o.lacking);
    h.own = 0x7;
    o = look(&heal, &h, 2 * SLG_HEAL_AGE_NS);
    assert_int_equal(o.fetched, 0x8);
    h.own = 0xF;
    o = look(&heal, &h, 3 * SLG_HEAL_AGE_NS);
    assert_true(o.fetched == 0 && !o.lacking && !o.forget);
    slg_heal_fini(&heal);
}

static const struct hint_case {
    const char *name;
    struct holders first, second;
    int64_t apart_ns;
    bool forget;
} hint_cases[] = {
    { "both owners have it, twice",
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false } },
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS,
      true },
    { "too early",
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false } },
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS - 1,
      false },
    { "one owner lacks a batch",
      { false, 0x3, { 0x7, 0x1, 0 }, { true, true, false }, { false } },
      { false, 0x3, { 0x7, 0x1, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS,
      false },
    { "one owner is silent",
      { false, 0x3, { 0x7, NONE, 0 }, { true, true, false }, { false } },
      { false, 0x3, { 0x7, NONE, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS,
      false },
    { "one owner is refilling",
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false, true, false } },
      { false, 0x3, { 0x7, 0x3, 0 }, { true, true, false }, { false, true, false } },
      SLG_HEAL_AGE_NS,
      false },
    { "a hint came between",
      { false, 0x3, { 0x7, 0x7, 0 }, { true, true, false }, { false } },
      { false, 0x7, { 0x7, 0x7, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS,
      false },
    { "an owner lost it between",
      { false, 0x3, { 0x3, 0x3, 0 }, { true, true, false }, { false } },
      { false, 0x3, { 0x3, 0x1, 0 }, { true, true, false }, { false } },
      SLG_HEAL_AGE_NS,
      false },
    { "other candidates do not matter",
      { false, 0x3, { 0x3, NONE, 0 }, { true, false, false }, { false } },
      { false, 0x3, { 0x3, NONE, 0 }, { true, false, false }, { false } },
      SLG_HEAL_AGE_NS,
      true },
};

static void test_hints_go_when_every_owner_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(hint_cases); i++) {
        const struct hint_case *row = &hint_cases[i];
        struct slg_heal heal = { .lacked = NULL };
        struct outcome o = look(&heal, &row->first, 100);

        CHECK(row->name, !o.forget && o.fetched == 0);
        o = look(&heal, &row->second, 100 + row->apart_ns);
        CHECK(row->name, o.forget == row->forget && o.fetched == 0);
        slg_heal_fini(&heal);
    }
}

/* An owner beside peers whose sets do not change gets everything, nothing twice, in three looks. */
static void test_random_sets_converge(void **state)
{
    uint32_t random = 2463534242U;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct holders h = { .owner = true, .peer_owner = { true, true, true } };
        struct slg_heal heal = { .lacked = NULL };
        uint32_t all;
        int64_t now_ns = 0;

        for (size_t i = 0; i < 4; i++) {
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            if (i == 3)
                h.own = random & 0x3FFFFFFF;
            else
                h.peers[i] = random & 0x3FFFFFFF;
        }
        all = h.own | h.peers[0] | h.peers[1] | h.peers[2];
        for (int turn = 0; turn < 3; turn++) {
            struct outcome o = look(&heal, &h, now_ns);

            assert_true((o.fetched & h.own) == 0 && o.twice == 0);
            assert_true(o.lacking == (h.own != all));
            h.own |= o.fetched;
            now_ns += SLG_HEAL_AGE_NS;
        }
        assert_int_equal(h.own, all);
        slg_heal_fini(&heal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_owner_fetches_what_it_twice_lacked),
        cmocka_unit_test(test_hints_go_when_every_owner_has_them),
        cmocka_unit_test(test_random_sets_converge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
