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
    bool candidate, fills, counts; /* this node */
    uint16_t copies_min;
    uint32_t aside;
};

struct outcome {
    uint32_t fetched; /* all that is to be fetched */
    uint32_t twice;   /* wanted of two peers: must be none */
    bool lacking, forget, due;
};

static struct outcome look(struct slg_heal *heal, const struct holders *h, int64_t now_ns)
{
    struct slg_batch_set *own = set_of(h->own), *aside = set_of(h->aside), *sets[3];
    struct slg_heal_peer peers[3];
    struct slg_heal_view view = {
        .owner = h->owner,
        .candidate = h->candidate,
        .refilling = h->fills,
        .counts = h->counts,
        .copies_min = h->copies_min,
        .own = own,
        .aside = aside,
        .peers = peers,
        .peer_count = 3,
        .owner_count = h->owner,
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
    outcome.due = actions.due;
    for (size_t i = 0; i < actions.fetch_count; i++) {
        uint32_t bits = bits_of(actions.fetches[i].set);

        assert_true((bits & ~h->peers[actions.fetches[i].node]) == 0); /* it has them */
        outcome.twice |= outcome.fetched & bits;
        outcome.fetched |= bits;
    }
    slg_heal_actions_fini(&actions);
    slg_batch_set_destroy(own);
    slg_batch_set_destroy(aside);
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

/* Two looks at what this node and two peers hold. */
static const struct hint_case {
    const char *name;
    struct {
        uint32_t own, peers[2];
    } looks[2];
    bool early;     /* the second look */
    bool lone;      /* the second peer is no owner */
    bool refilling; /* the second peer */
    bool forget;
} hint_cases[] = {
    { "both owners have it", { { 3, { 7, 3 } }, { 3, { 7, 3 } } }, .forget = true },
    { "too early", { { 3, { 7, 3 } }, { 3, { 7, 3 } } }, .early = true },
    { "one owner lacks a batch", { { 3, { 7, 1 } }, { 3, { 7, 1 } } }, .forget = false },
    { "one owner is silent", { { 3, { 7, NONE } }, { 3, { 7, NONE } } }, .forget = false },
    { "one owner is refilling", { { 3, { 7, 3 } }, { 3, { 7, 3 } } }, .refilling = true },
    { "a hint came between", { { 3, { 7, 7 } }, { 7, { 7, 7 } } }, .forget = false },
    { "an owner lost it between", { { 3, { 3, 3 } }, { 3, { 3, 1 } } }, .forget = false },
    { "no matter what a candidate has",
      { { 3, { 3, NONE } }, { 3, { 3, NONE } } },
      .lone = true,
      .forget = true },
};

static struct outcome look_for_hints(struct slg_heal *heal, const struct hint_case *row,
                                     size_t which)
{
    const struct holders h = {
        .own = row->looks[which].own,
        .peers = { row->looks[which].peers[0], row->looks[which].peers[1], 0 },
        .peer_owner = { true, !row->lone, false },
        .refilling = { false, row->refilling, false },
    };

    return look(heal, &h, which == 0 ? 100 : 100 + SLG_HEAL_AGE_NS - row->early);
}

static void test_hints_go_when_every_owner_has_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(hint_cases); i++) {
        const struct hint_case *row = &hint_cases[i];
        struct slg_heal heal = { .lacked = NULL };
        struct outcome o = look_for_hints(&heal, row, 0);

        CHECK(row->name, !o.forget && o.fetched == 0);
        o = look_for_hints(&heal, row, 1);
        CHECK(row->name, o.forget == row->forget && o.fetched == 0);
        slg_heal_fini(&heal);
    }
}

/* With the shard would go what says that this node cannot vouch for it. */
static void test_hints_wait_for_what_is_set_aside(void **state)
{
    struct holders h = {
        .own = 0x3, .aside = 0x4, .peers = { 0x3, 0x7, 0 }, .peer_owner = { true, true, false }
    };
    struct slg_heal heal = { .lacked = NULL };

    (void)state;
    (void)look(&heal, &h, 0);
    assert_false(look(&heal, &h, SLG_HEAL_AGE_NS).forget); /* one owner lacks it */
    h.peers[0] = 0x7;
    (void)look(&heal, &h, 2 * SLG_HEAL_AGE_NS);
    assert_true(look(&heal, &h, 3 * SLG_HEAL_AGE_NS).forget);
    slg_heal_fini(&heal);
}

/* sim seed 2105: a candidate lost hints that an owner lacks, and became whole without them. */
static void test_a_refilling_candidate_fetches_what_has_too_few_copies(void **state)
{
    struct holders h = { .peers = { 0x7, 0x3, 0x9 },
                         .peer_owner = { true, true, false },
                         .candidate = true,
                         .fills = true,
                         .copies_min = 2 };
    struct slg_heal heal = { .lacked = NULL };
    struct outcome o = look(&heal, &h, 0);

    (void)state;
    assert_true(o.lacking && o.due && o.fetched == 0);
    h.counts = true;
    o = look(&heal, &h, SLG_HEAL_AGE_NS);
    assert_true(o.due && o.fetched == 0xC); /* 1 and 2 are held twice */
    h.own = 0xC;
    o = look(&heal, &h, 2 * SLG_HEAL_AGE_NS);
    assert_true(!o.due && !o.lacking && o.fetched == 0);
    slg_heal_fini(&heal);

    h.own =
        0; /* with three copies promised two others are not enough; one that is silent holds nothing */
    h.copies_min = 3;
    h.peers[2] = NONE;
    (void)look(&heal, &h, 0);
    assert_int_equal(look(&heal, &h, SLG_HEAL_AGE_NS).fetched, 0x7);
    slg_heal_fini(&heal);

    h.candidate = false; /* no candidate: what it held nobody counts on */
    h.own = 0x1;
    (void)look(&heal, &h, 0);
    o = look(&heal, &h, SLG_HEAL_AGE_NS);
    assert_true(!o.due && o.fetched == 0);
    slg_heal_fini(&heal);
}

/* What comes while a node refills does not keep it refilling; what was there at the first look that counts does. */
static void test_what_is_due_does_not_grow(void **state)
{
    struct holders h = { .owner = true,
                         .own = 0x1,
                         .peers = { 0x3, 0x1, NONE },
                         .peer_owner = { true, true, false },
                         .fills = true };
    struct slg_heal heal = { .lacked = NULL };
    struct outcome o;

    (void)state;
    assert_true(look(&heal, &h, 0).due); /* nothing counts yet */
    h.own = h.peers[0] = h.peers[1] = 0x3;
    assert_true(look(&heal, &h, 1).due); /* nor does that it lacks nothing */
    h.counts = true;
    h.peers[0] = 0xF;
    o = look(&heal, &h, 2);
    assert_true(o.due && o.lacking);
    h.own = 0x7;
    h.peers[0] = 0x3F; /* 8 is due; 0x10 and 0x20 are new */
    assert_true(look(&heal, &h, 3).due);
    h.counts = false; /* too few answered, and who has it is silent */
    h.peers[0] = NONE;
    assert_true(look(&heal, &h, 4).due);
    h.counts = true;
    h.peers[0] = 0x3F;
    assert_true(look(&heal, &h, 5).due);
    h.own = 0xF;
    o = look(&heal, &h, 6);
    assert_true(!o.due && o.lacking);
    h.peers[0] = 0x7F; /* whole since: the next time begins anew */
    h.fills = h.counts = false;
    assert_false(look(&heal, &h, 7).due);
    h.fills = h.counts = true;
    assert_true(look(&heal, &h, 8).due);
    slg_heal_fini(&heal);
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

/* A copy that was put aside is whole again only when those who must have held what it held vouch. Node 0 is this one; bit n of
 * `whole` and `live`: node n. Owners 0, 1, 2, candidates 3, 4. */
static const struct copy_case {
    const char *name;
    unsigned whole, live;
    uint16_t copies_min;
    uint16_t owner_count;
    bool want;
} copy_cases[] = {
    { "all vouch, W_min 2", 0x1E, 0x1F, 2, 3, true },
    { "one does not: it may have been the other holder", 0x16, 0x1F, 2, 3, false },
    { "one may be missing at W_min 3", 0x16, 0x1F, 3, 3, true },
    { "two may not", 0x06, 0x1F, 3, 3, false },
    { "removed nodes are not waited for", 0x06, 0x07, 2, 3, true },
    { "W_min 1: all have to", 0x1E, 0x1F, 1, 3, true },
    { "W_min 1: one is missing", 0x0E, 0x1F, 1, 3, false },
    { "R 1: what is lost is lost", 0x1E, 0x1F, 1, 1, false },
    { "nobody else", 0x00, 0x01, 2, 3, false },
};

static void test_a_copy_counts_when_enough_vouch(void **state)
{
    struct slg_batch_set *set = set_of(1);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(copy_cases); i++) {
        const struct copy_case *row = &copy_cases[i];
        struct slg_placement placement = { .owners = { 0, 1, 2 },
                                           .owner_count = row->owner_count,
                                           .hints = { 3, 4 },
                                           .hint_count = 2 };
        bool live[SLG_MAP_NODE_COUNT_MAX] = { false };
        struct slg_heal_peer peers[4];

        for (uint16_t n = 0; n < 5; n++)
            live[n] = (row->live >> n & 1) != 0;
        for (uint16_t n = 1; n < 5; n++)
            peers[n - 1] = (struct slg_heal_peer){ .node = n,
                                                   .owner = n < 3,
                                                   .whole = (row->whole >> n & 1) != 0,
                                                   .set = (row->whole >> n & 1) != 0 ? set : NULL };
        CHECK(row->name,
              slg_heal_copy_counts(&placement, live, 0, peers, 4, row->copies_min) == row->want);
        peers[0].set = NULL; /* node 1 is silent */
        if (row->want && row->copies_min < 3)
            CHECK(row->name, !slg_heal_copy_counts(&placement, live, 0, peers, 4, row->copies_min));
        for (size_t n = 0; n < 4;
             n++) { /* all answer, and doubt (sim seed 928: for ever, both of two) */
            peers[n].set = set;
            peers[n].whole = false;
        }
        CHECK(row->name, slg_heal_copy_counts(&placement, live, 0, peers, 4, row->copies_min) ==
                             (row->owner_count > 1 && (row->live & ~1U) != 0));
    }
    slg_batch_set_destroy(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_owner_fetches_what_it_twice_lacked),
        cmocka_unit_test(test_hints_go_when_every_owner_has_them),
        cmocka_unit_test(test_hints_wait_for_what_is_set_aside),
        cmocka_unit_test(test_a_refilling_candidate_fetches_what_has_too_few_copies),
        cmocka_unit_test(test_what_is_due_does_not_grow),
        cmocka_unit_test(test_random_sets_converge),
        cmocka_unit_test(test_a_copy_counts_when_enough_vouch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
