/* S is the union of all answers; who evaluates lacks least of it and can be asked; a shard is incomplete exactly when
 * W_min of its holders were silent. Oracle: sets as bits of a word. */
#include "tests/helper/test.h"

#include "querier/choose.h"

static struct slg_batch_set *set_of(uint32_t bits)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation incarnation = { { 1 } };

    for (unsigned i = 0; i < 16; i++)
        if ((bits >> i & 1) != 0)
            assert_int_equal(slg_batch_set_add(set, &incarnation, i + 1), SLG_OK);
    return set;
}

static uint32_t bits_of(struct slg_text text)
{
    struct slg_cursor c = slg_cursor_make(text.at, text.len);
    struct slg_incarnation incarnation = { { 1 } };
    struct slg_batch_set *set;
    uint32_t bits = 0;

    assert_int_equal(slg_batch_set_decode(&c, &set), SLG_OK);
    for (unsigned i = 0; i < 16; i++)
        if (slg_batch_set_has(set, &incarnation, i + 1))
            bits |= 1U << i;
    slg_batch_set_destroy(set);
    return bits;
}

static struct slg_choose_holder make_holder(struct slg_arena *arena, size_t node, uint32_t bits,
                                            bool owner, bool lost)
{
    struct slg_batch_set *set = set_of(bits);
    struct slg_buf bytes;
    struct slg_choose_holder holder = { .node_index = node, .owner = owner, .lost = lost };

    slg_buf_init(&bytes, 4096);
    slg_batch_set_encode(&bytes, set);
    holder.set = slg_text_make(slg_arena_copy(arena, bytes.data, bytes.len), bytes.len);
    holder.digest = (struct slg_batch_set_digest){ .sum = { 0, bits }, .count = bits };
    slg_buf_fini(&bytes);
    slg_batch_set_destroy(set);
    return holder;
}

static const struct choose_case {
    const char *name;
    struct {
        uint32_t bits;
        bool owner, lost;
    } holders[3];
    size_t count;
    uint64_t turn;
    uint32_t s;
    size_t best; /* 9: nobody */
    bool lacks;
} cases[] = {
    { "one", { { 0x5, true, false } }, 1, 3, 0x5, 0, false },
    { "equal ones take turns",
      { { 3, true, false }, { 3, true, false }, { 3, true, false } },
      3,
      1,
      3,
      1,
      false },
    { "an owner before a hint holder",
      { { 3, false, false }, { 3, true, false } },
      2,
      0,
      3,
      1,
      false },
    { "the one that is whole",
      { { 3, true, false }, { 7, true, false }, { 1, true, false } },
      3,
      0,
      7,
      1,
      false },
    { "the whole one, though it only holds hints",
      { { 3, true, false }, { 7, false, false } },
      2,
      0,
      7,
      1,
      false },
    { "nobody is whole: who lacks least",
      { { 0x3, true, false }, { 0xE, true, false } },
      2,
      0,
      0xF,
      1,
      true },
    { "the whole one is lost", { { 3, true, false }, { 7, true, true } }, 2, 0, 7, 0, true },
    { "equal, but lost", { { 3, true, true }, { 3, true, false } }, 2, 0, 3, 1, false },
    { "all lost", { { 3, true, true }, { 7, true, true } }, 2, 0, 7, 9, false },
};

static void test_cases(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct choose_case *row = &cases[i];
        struct slg_choose_holder holders[3];
        struct slg_choice choice = { .lacks = false };
        enum slg_status status;

        for (size_t h = 0; h < row->count; h++)
            holders[h] = make_holder(arena, h, row->holders[h].bits, row->holders[h].owner,
                                     row->holders[h].lost);
        status = slg_choose(holders, row->count, row->turn, arena, &choice);
        CHECK(row->name, status == (row->best == 9 ? SLG_NOT_FOUND : SLG_OK));
        if (status != SLG_OK)
            continue;
        CHECK(row->name, choice.holder == row->best);
        CHECK(row->name, choice.lacks == row->lacks);
        CHECK(row->name, bits_of(choice.set) == row->s);
    }
    slg_arena_destroy(arena);
}

static void test_a_set_that_cannot_be_read(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_choose_holder holders[2] = { make_holder(arena, 0, 3, true, false),
                                            make_holder(arena, 1, 5, true, false) };
    struct slg_choice choice;

    (void)state;
    holders[1].set = slg_text_of("\xff");
    assert_int_equal(slg_choose(holders, 2, 0, arena, &choice), SLG_MALFORMED);
    slg_arena_destroy(arena);
}

static void test_completeness(void **state)
{
    static const char json[] =
        "{\"version\":1,\"cluster\":\"c\",\"epoch\":1,\"nodes\":["
        "{\"id\":\"a\",\"address\":\"inproc://a\",\"zone\":\"a\"},"
        "{\"id\":\"b\",\"address\":\"inproc://b\",\"zone\":\"b\"},"
        "{\"id\":\"c\",\"address\":\"inproc://c\",\"zone\":\"c\"},"
        "{\"id\":\"d\",\"address\":\"inproc://d\",\"zone\":\"d\"}],"
        "\"layouts\":[{\"replication\":2,\"write_quorum\":2,\"slots\":1,\"window_seconds\":3600,"
        "\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},{\"id\":\"c\"},{\"id\":\"d\"}]}]}";
    struct slg_shard_id shard = { .window_ns = 0,
                                  .length_ns = INT64_C(3600) * 1000000000,
                                  .slot_count = 1 };
    struct slg_error error;
    struct slg_map *map;

    (void)state;
    assert_int_equal(slg_map_parse(json, sizeof(json) - 1, &map, &error), SLG_OK);
    assert_int_equal(slg_choose_spare_count(map), 1);
    /* With R = 2 of 4 nodes everybody is owner or candidate: two silent ones are too many, whichever. */
    for (unsigned silent = 0; silent < 16; silent++) {
        bool failed[SLG_MAP_NODE_COUNT_MAX] = { false };

        for (unsigned i = 0; i < 4; i++)
            failed[i] = (silent >> i & 1) != 0;
        assert_true(slg_choose_incomplete(map, &shard, failed) ==
                    (__builtin_popcount(silent) >= 2));
    }
    slg_map_unref(map);
}

/* A doubt counts for its shard only, beside nodes that failed altogether. */
static void test_doubts(void **state)
{
    const struct slg_shard_id one = { .window_ns = 3600, .length_ns = 3600, .slot_count = 2 };
    const struct slg_shard_id two = {
        .window_ns = 3600, .length_ns = 3600, .slot = 1, .slot_count = 2
    };
    const struct slg_choose_doubt doubts[] = { { one, 2 }, { two, 1 }, { one, 0 } };
    bool failed[SLG_MAP_NODE_COUNT_MAX] = { false, false, false, true };

    (void)state;
    slg_choose_add_doubts(doubts, 0, &one, failed);
    assert_true(!failed[0] && !failed[1] && !failed[2] && failed[3]);
    slg_choose_add_doubts(doubts, SLG_ARRAY_LEN(doubts), &one, failed);
    assert_true(failed[0] && !failed[1] && failed[2] && failed[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_a_set_that_cannot_be_read),
        cmocka_unit_test(test_completeness),
        cmocka_unit_test(test_doubts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
