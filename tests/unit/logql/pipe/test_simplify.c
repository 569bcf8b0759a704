/* Expressions that Loki rewrites are rewritten as it does, with what changes by it; others are left alone.
 * Oracle: rows, from answers of a Loki to such filters (the same that simplify.h tells). */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/simplify.h"

static const struct simple_case {
    const char *name, *regex, *text;
    bool is_label, rewritten, want;
} rows[] = {
    { "literal", "needle", "a needle", false, true, true },
    { "literal, not there", "needle", "hay", false, true, false },
    { "alternatives", "warn|error", "an error", false, true, true },
    { "neither", "warn|error", "fine", false, true, false },
    { "everything", ".*", "", false, true, true },
    { "something", ".+", "x", false, true, true },
    { "something in nothing", ".+", "", false, true, false },
    { "label by its beginning", "err.*", "xx err", true, true, true },
    { "label without wildcard is equal", "err", "xx err", true, true, false },
    { "label that is equal", "err", "err", true, true, true },
    { "class", "status=[45]", "", false, false, false },
    { "repeated", "a{2,3}", "", false, false, false },
    { "word boundary", "\\bx\\b", "", false, false, false },
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct simple_case *row = &rows[i];
        struct slg_arena *arena = slg_arena_create((size_t)1 << 20);
        uint8_t *block = test_block(row->text, strlen(row->text));
        struct slg_simple simple;

        CHECK(row->name, slg_simplify(arena, slg_text_of(row->regex), row->is_label, &simple) ==
                             row->rewritten);
        if (row->rewritten)
            CHECK(row->name,
                  slg_simple_test(&simple, slg_text_make(block, strlen(row->text))) == row->want);
        free(block);
        slg_arena_destroy(arena);
    }
}

/* Deep or long expressions are left to RE2, without a deep recursion here. */
static void test_bounds(void **state)
{
    size_t len = 100000;
    char *text = malloc(len);
    struct slg_arena *arena = slg_arena_create((size_t)64 << 20);
    struct slg_simple simple;

    (void)state;
    assert_true(text != NULL && arena != NULL);
    for (size_t i = 0; i < len; i++)
        text[i] = i < len / 2 ? '(' : ')';
    (void)slg_simplify(arena, slg_text_make(text, len), false, &simple);
    for (size_t i = 0; i < len; i++)
        text[i] = i % 2 == 0 ? 'a' : '|';
    (void)slg_simplify(arena, slg_text_make(text, len - 1), false, &simple);
    slg_arena_destroy(arena);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
