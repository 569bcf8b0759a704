/* Escape sequences are cut out as Loki's expression cuts them; characters change case as in Go.
 * Covers: logql/pipe/unicode.c
 * Oracle: rows, by hand from the expression in decolorize.h and from the Unicode tables. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/decolorize.h"
#include "logql/pipe/unicode.h"

static const struct color_case {
    const char *name, *text, *want;
} colors[] = {
    { "none", "plain text", "plain text" },
    { "color and reset", "\x1b[31mred\x1b[0m!", "red!" },
    { "several parameters", "\x1b[1;38;5;196mx", "x" },
    { "cursor", "a\x1b[2Jb\x1b[Hc", "abc" },
    { "title", "\x1b]0;title\x07rest", "rest" },
    { "C1 introducer",
      "\xc2\x9b"
      "31mred",
      "red" },
    { "escape alone", "a\x1b", "a\x1b" },
    { "at the end", "a\x1b[0m", "a" },
    { "empty", "", "" },
};

static void test_colors(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(colors); i++) {
        const struct color_case *row = &colors[i];
        size_t len = strlen(row->text);
        uint8_t *block = test_block(row->text, len);
        char out[64];
        struct slg_text text = slg_text_make(block, len);

        CHECK(row->name,
              slg_text_equal_to(slg_text_make(out, slg_decolorize(text, out)), row->want));
        CHECK(row->name, slg_decolorize_needed(text) || strcmp(row->text, row->want) == 0);
        CHECK(row->name, slg_decolorize(text, (char *)block) == strlen(row->want)); /* in place */
        CHECK(row->name, memcmp(block, row->want, strlen(row->want)) == 0);
        free(block);
    }
}

static void test_case(void **state)
{
    static const struct {
        uint32_t upper, lower;
    } pairs[] = {
        { 'A', 'a' },     { 'Z', 'z' },       { 0xC4, 0xE4 },     { 0x178, 0xFF },
        { 0x391, 0x3B1 }, { 0x410, 0x430 },   { 0x401, 0x451 },   { 0x531, 0x561 },
        { 0x100, 0x101 }, { 0x1E00, 0x1E01 }, { 0xFF21, 0xFF41 },
    };
    static const uint32_t same[] = { '1', '_', 0xD7, 0xF7, 0x4E2D, 0x10FFFF };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(pairs); i++) {
        assert_int_equal(slg_rune_lower(pairs[i].upper), pairs[i].lower);
        assert_int_equal(slg_rune_upper(pairs[i].lower), pairs[i].upper);
        assert_int_equal(slg_rune_upper(pairs[i].upper), pairs[i].upper);
        assert_int_equal(slg_rune_lower(pairs[i].lower), pairs[i].lower);
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(same); i++) {
        assert_int_equal(slg_rune_lower(same[i]), same[i]);
        assert_int_equal(slg_rune_upper(same[i]), same[i]);
    }
    assert_true(slg_rune_is_space(' ') && slg_rune_is_space(0x85) && slg_rune_is_space(0x3000));
    assert_false(slg_rune_is_space('a') || slg_rune_is_space(0x200B));
    assert_true(slg_rune_is_word('a') && slg_rune_is_word('_') && slg_rune_is_word('9'));
    assert_false(slg_rune_is_word('-') || slg_rune_is_word(' '));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_colors),
        cmocka_unit_test(test_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
