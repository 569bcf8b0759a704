/* A shard is full, under-replicated or lost by the copies that owners hold, and an owner lags by the batches that it lacks
 * of the fullest copies. Oracle: rows counted by hand. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "ctl/copies.h"

#define ROW(name, owns, is_good, has, wants)                                                       \
    {                                                                                              \
        .shard = (name), .owner = (owns), .good = (is_good), .batches = (has), .wanted = (wants)   \
    }

static const struct copies_case {
    const char *name;
    struct slg_copies_row rows[4];
    size_t count;
    struct slg_copies want;
    int64_t lags[4]; /* of the storer of each row */
} cases[] = {
    { "nothing", { { 0 } }, 0, { 0, 0, 0 }, { 0 } },
    { "one copy of one", { ROW("a", true, true, 5, 1) }, 1, { 1, 0, 0 }, { 0 } },
    { "one bad copy of one", { ROW("a", true, false, 5, 1) }, 1, { 0, 0, 1 }, { 0 } },
    { "two of three",
      { ROW("a", true, true, 5, 3), ROW("a", true, true, 5, 3) },
      2,
      { 0, 1, 0 },
      { 0 } },
    { "three of three",
      { ROW("a", true, true, 5, 3), ROW("a", true, true, 5, 3), ROW("a", true, true, 5, 3) },
      3,
      { 1, 0, 0 },
      { 0 } },
    { "a copy that lags a little",
      { ROW("a", true, true, 100, 2), ROW("a", true, true, 36, 2) },
      2,
      { 1, 0, 0 },
      { 0, 64 } },
    { "a copy that lags",
      { ROW("a", true, true, 100, 2), ROW("a", true, true, 35, 2) },
      2,
      { 0, 1, 0 },
      { 0, 65 } },
    { "a bad copy lags, too, and a hint never",
      { ROW("a", true, true, 9, 3), ROW("a", true, false, 0, 3), ROW("a", false, true, 1, 3) },
      3,
      { 0, 1, 0 },
      { 0, 9, 0 } },
    { "behind a hint",
      { ROW("a", true, true, 9, 1), ROW("a", false, true, 12, 1) },
      2,
      { 1, 0, 0 },
      { 3, 0 } },
    { "a hint is no copy",
      { ROW("a", true, true, 5, 2), ROW("a", false, true, 5, 2) },
      2,
      { 0, 1, 0 },
      { 0 } },
    { "only a hint is left", { ROW("a", false, true, 5, 2) }, 1, { 0, 1, 0 }, { 0 } },
    { "two shards, mixed",
      { ROW("b", true, true, 1, 1), ROW("a", true, true, 1, 2), ROW("b", true, false, 1, 1),
        ROW("a", true, true, 1, 2) },
      4,
      { 2, 0, 0 },
      { 0 } },
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_copies_row rows[4];
        int64_t lags[4] = { 0 };
        struct slg_copies got;

        memcpy(rows, cases[i].rows, sizeof(rows));
        for (size_t k = 0; k < cases[i].count; k++)
            rows[k].node = k;
        got = slg_copies_count(rows, cases[i].count, lags);
        CHECK(cases[i].name, got.full == cases[i].want.full);
        CHECK(cases[i].name, got.under_replicated == cases[i].want.under_replicated);
        CHECK(cases[i].name, got.lost == cases[i].want.lost);
        for (size_t k = 0; k < 4; k++)
            CHECK(cases[i].name, lags[k] == cases[i].lags[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
