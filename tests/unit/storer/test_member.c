/* A storage counts as an answer only when it is known to lack nothing that it once acknowledged (H6).
 * Oracle: rows that name a start and its end. */
#include "tests/helper/test.h"

#include "storer/member.h"

#define MAP(nodes, r, w)                                                                           \
    "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":[" nodes                               \
    "],\"layouts\":[{\"replication\":" #r ",\"write_quorum\":" #w                                  \
    ",\"slots\":1,\"window_seconds\":3600,\"nodes\":[{\"id\":\"a\"}"
#define NODE(id) "{\"id\":\"" id "\",\"address\":\"inproc://" id "\",\"zone\":\"" id "\"}"
#define THREE    MAP(NODE("a") "," NODE("b") "," NODE("c"), 3, 2) ",{\"id\":\"b\"},{\"id\":\"c\"}]}]}"
#define FIVE                                                                                       \
    MAP(NODE("a") "," NODE("b") "," NODE("c") "," NODE("d") "," NODE("e"), 3, 3)                   \
    ",{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":\"d\"},{\"id\":\"e\"}]}]}"
#define ALONE MAP(NODE("a"), 1, 1) "]}]}"
#define APART MAP(NODE("a") "," NODE("b"), 1, 1) ",{\"id\":\"b\"}]}]}"

#define LATE SLG_MEMBER_SETTLE_NS

enum step_kind {
    NOTHING,
    SAME,
    OTHER_ID,
    HIGHER,
    LOWER,
    TWIN,
    RAISED, /* our own counter was raised above all */
    AFTER_ROUND,
};
struct step {
    enum step_kind kind;
    size_t peer; /* who greets */
    /* AFTER_ROUND */
    size_t answered, whole;
    int64_t began_ns;
    bool due, empty;
};

#define G(what, from)                                                                              \
    {                                                                                              \
        .kind = what, .peer = from                                                                 \
    }
#define ROUND(n, n_whole, began, is_due, is_empty)                                                 \
    {                                                                                              \
        .kind = AFTER_ROUND, .answered = n, .whole = n_whole, .began_ns = began, .due = is_due,    \
        .empty = is_empty                                                                          \
    }

static const struct member_case {
    const char *name;
    const char *map;
    bool proven;
    struct step steps[6];
    size_t count;
    enum slg_member_state state;
    bool provable;
} cases[] = {
    /* clang-format off */
    { "one storer is whole at once", ALONE, false, { G(SAME, 0) }, 0, SLG_MEMBER_WHOLE, false },
    { "without copies nobody is asked", APART, false, { G(SAME, 0) }, 0, SLG_MEMBER_WHOLE, false },
    { "with copies it joins first", THREE, true, { G(SAME, 0) }, 0, SLG_MEMBER_JOINING, false },
    { "the storage that a peer remembers", THREE, true, { G(SAME, 1) }, 1, SLG_MEMBER_WHOLE, true },
    { "a peer remembers nothing", THREE, true, { G(NOTHING, 1) }, 1, SLG_MEMBER_WHOLE, true },
    { "a peer remembers less", THREE, true, { G(LOWER, 2) }, 1, SLG_MEMBER_WHOLE, true },

    /* A new cluster. */
    { "greetings do not make an unproven storage whole", /* sim seeds 1026, 1631: two lost disks heard each other */
      THREE, false, { G(NOTHING, 1), G(NOTHING, 2) }, 2, SLG_MEMBER_JOINING, false },
    { "everybody answered, nobody holds anything", THREE, false,
      { G(NOTHING, 1), ROUND(2, 0, 0, false, true) }, 2, SLG_MEMBER_WHOLE, true },
    { "likewise when another is whole already", THREE, false,
      { G(NOTHING, 1), ROUND(2, 1, 0, false, true) }, 2, SLG_MEMBER_WHOLE, true },
    { "one has not answered", THREE, false,
      { G(NOTHING, 1), ROUND(1, 0, LATE, false, true) }, 2, SLG_MEMBER_JOINING, false },
    { "an empty cluster that remembers us is not new", THREE, false,
      { G(OTHER_ID, 1), ROUND(2, 2, 0, false, true) }, 2, SLG_MEMBER_REFILLING, false },
    { "somebody holds something: not before the time", THREE, false,
      { ROUND(2, 0, LATE - 1, false, false) }, 1, SLG_MEMBER_JOINING, false },
    { "everybody answered, in time", THREE, false,
      { ROUND(2, 0, LATE, false, false) }, 1, SLG_MEMBER_WHOLE, true },
    { "a round does not end joining of a proven storage", THREE, true,
      { ROUND(2, 2, LATE, false, false) }, 1, SLG_MEMBER_JOINING, false },

    /* Refilling. */
    { "a new disk", THREE, false, { G(OTHER_ID, 1) }, 1, SLG_MEMBER_REFILLING, false },
    { "a snapshot rolled back", THREE, true, { G(HIGHER, 1) }, 1, SLG_MEMBER_REFILLING, false },
    { "told by the second peer only", THREE, true, { G(SAME, 1), G(HIGHER, 2) }, 2, SLG_MEMBER_REFILLING, false },
    { "filled", THREE, false,
      { G(OTHER_ID, 1), ROUND(2, 2, LATE, false, false) }, 2, SLG_MEMBER_WHOLE, true },
    { "still something due", THREE, false,
      { G(OTHER_ID, 1), ROUND(2, 2, LATE, true, false) }, 2, SLG_MEMBER_REFILLING, false },
    { "an ingester may still count an answer of the lost disk", THREE, false,
      { G(OTHER_ID, 1), ROUND(2, 2, LATE - 1, false, false) }, 2, SLG_MEMBER_REFILLING, false },
    { "a round that nobody answered", THREE, false,
      { G(OTHER_ID, 1), ROUND(0, 0, LATE, false, true) }, 2, SLG_MEMBER_REFILLING, false },
    { "a round that left out the one other holder of a batch", /* sim seed 75 */
      THREE, false, { G(OTHER_ID, 1), ROUND(1, 1, LATE, false, false) }, 2, SLG_MEMBER_REFILLING, false },
    { "a peer's memory of the old disk, after the round", /* sim seed 75 */
      THREE, false, { G(OTHER_ID, 1), ROUND(2, 2, LATE, false, false), G(OTHER_ID, 2) }, 3, SLG_MEMBER_WHOLE, true },
    { "rolled back: the directory may not say so before the counter is raised", THREE, true,
      { G(HIGHER, 1), ROUND(2, 2, 2 * LATE, false, false) }, 2, SLG_MEMBER_WHOLE, false },
    { "and then it may", THREE, true,
      { G(HIGHER, 1), ROUND(2, 2, 2 * LATE, false, false), G(RAISED, 0) }, 3, SLG_MEMBER_WHOLE, true },
    { "rolled back for ever", /* sim seed 16: peers keep the higher counter */
      THREE, true, { G(HIGHER, 1), ROUND(2, 2, 2 * LATE, false, false), G(HIGHER, 1) }, 3, SLG_MEMBER_WHOLE, false },
    { "rolled back again while it runs: a machine's memory is restored, too", THREE, true,
      { G(HIGHER, 1), ROUND(2, 2, 2 * LATE, false, false), G(RAISED, 0), G(HIGHER, 2) }, 4, SLG_MEMBER_REFILLING, false },
    { "then the time runs from there", THREE, true, /* heard at LATE */
      { G(HIGHER, 1), ROUND(2, 2, 2 * LATE - 1, false, false) }, 2, SLG_MEMBER_REFILLING, false },

    /* W_min = 3 of five: two disks may be lost. */
    { "three of four others, whole", FIVE, false,
      { G(OTHER_ID, 1), ROUND(3, 3, LATE, false, false) }, 2, SLG_MEMBER_WHOLE, true },
    { "three of four, one of them refilling", FIVE, false,
      { G(OTHER_ID, 1), ROUND(3, 2, LATE, false, false) }, 2, SLG_MEMBER_REFILLING, false },
    { "all four, whole or not", FIVE, false,
      { G(OTHER_ID, 1), ROUND(4, 1, LATE, false, false) }, 2, SLG_MEMBER_WHOLE, true },

    { "a copied directory", THREE, true, { G(TWIN, 1) }, 1, SLG_MEMBER_CLASH, false },
    { "a clash stays", THREE, true,
      { G(TWIN, 1), G(SAME, 2), ROUND(2, 2, LATE, false, false) }, 3, SLG_MEMBER_CLASH, false },
    /* clang-format on */
};

static void take_step(struct slg_member *member, const struct step *step)
{
    struct slg_member_storage of_peer = { .known = false }, remembered = member->own;
    struct slg_member_round round = { .began_mono_ns = step->began_ns,
                                      .answered = step->answered,
                                      .answered_whole = step->whole,
                                      .anything = !step->empty };

    switch (step->kind) {
    case NOTHING:
        remembered.known = false;
        break;
    case SAME:
        break;
    case OTHER_ID:
        remembered.id[3] ^= 1;
        break;
    case HIGHER:
        remembered.counter++;
        break;
    case LOWER:
        remembered.counter--;
        break;
    case TWIN:
        of_peer = member->own;
        break;
    case RAISED:
        member->own.counter += 2;
        return;
    case AFTER_ROUND:
        slg_member_end_round(member, &round, step->due);
        return;
    }
    slg_member_hear(member, step->peer, &of_peer, &remembered, LATE);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct member_case *row = &cases[i];
        struct slg_member_storage own = { .known = true, .id = { 1, 2, 3, 4 }, .counter = 7 };
        struct slg_member member;
        struct slg_error error = { .message = "" };
        struct slg_map *map = NULL;

        if (slg_map_parse(row->map, strlen(row->map), &map, &error) != SLG_OK)
            fail_msg("%s: %s", row->name, error.message);
        slg_member_init(&member, map, 0, &own, row->proven, /* now_mono_ns= */ 0);
        for (size_t s = 0; s < row->count; s++)
            take_step(&member, &row->steps[s]);
        if (member.state != row->state)
            fail_msg("%s: %s", row->name, slg_member_text(member.state));
        CHECK(row->name, slg_member_provable(&member) == row->provable);
        slg_map_unref(map);
    }
}

/* A window with fewer copies decides: its batches had fewer holders. */
static void test_the_layout_with_fewest_copies_counts(void **state)
{
    static const char two[] =
        "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":[" NODE("a") "," NODE("b") "," NODE(
            "c") "," NODE("d") "],\"layouts\":["
                               "{\"replication\":1,\"write_quorum\":1,\"slots\":1,\"window_"
                               "seconds\":3600,\"nodes\":[{\"id\":\"a\"}]},"
                               "{\"from_ns\":3600000000000,\"replication\":3,\"write_quorum\":2,"
                               "\"slots\":1,"
                               "\"window_seconds\":3600,"
                               "\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":"
                               "\"d\"}]},"
                               "{\"from_ns\":7200000000000,\"replication\":3,\"write_quorum\":3,"
                               "\"slots\":1,"
                               "\"window_seconds\":3600,"
                               "\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":"
                               "\"d\"}]}]}";
    struct slg_member_storage own = { .known = true, .id = { 1 }, .counter = 7 };
    struct slg_member_round round = {
        .began_mono_ns = LATE, .answered = 2, .answered_whole = 2, .anything = true
    };
    struct slg_error error = { .message = "" };
    struct slg_member member;
    struct slg_map *map = NULL;

    (void)state;
    if (slg_map_parse(two, strlen(two), &map, &error) != SLG_OK)
        fail_msg("%s", error.message);
    slg_member_init(&member, map, 0, &own, /* proven= */ false, 0);
    assert_false(slg_member_counts(&member, &round)); /* W_min = 2: all three others */
    round.answered = round.answered_whole = 3;
    assert_true(slg_member_counts(&member, &round));
    slg_map_unref(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_the_layout_with_fewest_copies_counts)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
