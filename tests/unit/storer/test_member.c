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
#define ALONE    MAP(NODE("a"), 1, 1) "]}]}"
#define APART    MAP(NODE("a") "," NODE("b"), 1, 1) ",{\"id\":\"b\"}]}]}"

enum step_kind {
    NOTHING,
    SAME,
    OTHER_ID,
    HIGHER,
    LOWER,
    TWIN,
    ROUND_CLEAN,
    ROUND_LACKS,
    ROUND_OF_ONE,
    NOBODY
};
struct step {
    enum step_kind kind;
    size_t peer;
};

static const struct member_case {
    const char *name;
    const char *map;
    bool fresh;
    struct step steps[5];
    size_t count;
    enum slg_member_state state;
} cases[] = {
    { "one storer is whole at once", ALONE, true, { { 0 } }, 0, SLG_MEMBER_WHOLE },
    { "without copies nobody is asked", APART, true, { { 0 } }, 0, SLG_MEMBER_WHOLE },
    { "with copies it joins first", THREE, true, { { 0 } }, 0, SLG_MEMBER_JOINING },
    { "a new cluster", THREE, true, { { NOTHING, 1 } }, 1, SLG_MEMBER_WHOLE },
    { "the storage that a peer remembers", THREE, false, { { SAME, 1 } }, 1, SLG_MEMBER_WHOLE },
    { "a peer remembers less", THREE, false, { { LOWER, 2 } }, 1, SLG_MEMBER_WHOLE },
    { "a new disk", THREE, true, { { OTHER_ID, 1 } }, 1, SLG_MEMBER_REFILLING },
    { "a snapshot rolled back", THREE, false, { { HIGHER, 1 } }, 1, SLG_MEMBER_REFILLING },
    { "a new disk, told by the second peer only",
      THREE,
      true,
      { { NOTHING, 1 }, { OTHER_ID, 2 } },
      2,
      SLG_MEMBER_REFILLING },
    { "filled", THREE, true, { { OTHER_ID, 1 }, { ROUND_CLEAN, 1 } }, 2, SLG_MEMBER_WHOLE },
    { "still lacking",
      THREE,
      true,
      { { OTHER_ID, 1 }, { ROUND_LACKS, 1 } },
      2,
      SLG_MEMBER_REFILLING },
    { "a round that nobody answered",
      THREE,
      true,
      { { OTHER_ID, 1 }, { NOBODY, 0 } },
      2,
      SLG_MEMBER_REFILLING },
    { "a round that left out the one other holder of a batch", /* sim seed 75 */
      THREE,
      true,
      { { OTHER_ID, 1 }, { ROUND_OF_ONE, 0 } },
      2,
      SLG_MEMBER_REFILLING },
    { "a peer's memory of the old disk, after the round", /* sim seed 75 */
      THREE,
      true,
      { { OTHER_ID, 1 }, { ROUND_CLEAN, 0 }, { OTHER_ID, 2 } },
      3,
      SLG_MEMBER_WHOLE },
    { "rolled back for ever", /* sim seed 16: peers keep the higher counter */
      THREE,
      false,
      { { HIGHER, 1 }, { ROUND_CLEAN, 0 }, { HIGHER, 1 } },
      3,
      SLG_MEMBER_WHOLE },
    { "whole by greetings, then told better",
      THREE,
      false,
      { { SAME, 1 }, { HIGHER, 2 } },
      2,
      SLG_MEMBER_REFILLING },
    { "a round does not end joining", THREE, true, { { ROUND_CLEAN, 1 } }, 1, SLG_MEMBER_JOINING },
    { "a copied directory", THREE, false, { { TWIN, 1 } }, 1, SLG_MEMBER_CLASH },
    { "a clash stays",
      THREE,
      false,
      { { TWIN, 1 }, { SAME, 2 }, { ROUND_CLEAN, 2 } },
      3,
      SLG_MEMBER_CLASH },
};

static void take_step(struct slg_member *member, const struct step *step)
{
    struct slg_member_storage of_peer = { .known = false }, remembered = member->own;

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
    case ROUND_CLEAN:
        slg_member_end_round(member, 2, false);
        return;
    case ROUND_LACKS:
        slg_member_end_round(member, 2, true);
        return;
    case ROUND_OF_ONE:
        slg_member_end_round(member, 1, false);
        return;
    case NOBODY:
        slg_member_end_round(member, 0, false);
        return;
    }
    slg_member_hear(member, step->peer, &of_peer, &remembered);
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
        slg_member_init(&member, map, 0, &own, row->fresh);
        for (size_t s = 0; s < row->count; s++)
            take_step(&member, &row->steps[s]);
        if (member.state != row->state)
            fail_msg("%s: %s", row->name, slg_member_text(member.state));
        slg_map_unref(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
