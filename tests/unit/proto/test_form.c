/* Forms are taken apart as browsers put them together. Oracle: rows after the WHATWG URL standard, section 5.1. */
#include "tests/helper/test.h"

#include "base/status.h"
#include "proto/form.h"

static const struct form_case {
    const char *name, *form, *want; /* every pair as name|value; */
} cases[] = {
    { "nothing", "", "" },
    { "one pair", "a=1", "a|1;" },
    { "no value", "a", "a|;" },
    { "no name", "=1", "|1;" },
    { "the first = counts", "a=1=2", "a|1=2;" },
    { "empty pairs", "&&a=1&", "a|1;" },
    { "the same name twice", "a=1&a=2", "a|1;a|2;" },
    { "plus and percent", "a+b=%7Bc%7d%2B+", "a b|{c}+ ;" },
    { "percent in a name", "%61=%00", "a|" },
    { "percent cut short", "a=%4&b=%&c=%4g", "a|%4;b|%;c|%4g;" },
    { "percent at the very end", "a=%41", "a|A;" },
};

static void test_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct form_case *row = &cases[i];
        size_t len = strlen(row->form);
        uint8_t *bytes = test_block(row->form, len);
        struct slg_text form = slg_text_make(bytes, len), name, value;
        struct slg_arena *arena = slg_arena_create(4096);
        struct slg_buf out;

        slg_buf_init(&out, 4096);
        while (slg_form_next(arena, &form, &name, &value)) {
            CHECK(row->name, name.at[name.len] == '\0');
            CHECK(row->name, value.at[value.len] == '\0');
            slg_buf_append(&out, name.at, name.len);
            slg_buf_append_byte(&out, '|');
            slg_buf_append(&out, value.at, value.len);
            slg_buf_append_byte(&out, ';');
        }
        CHECK(row->name, form.len == 0);
        slg_buf_append_byte(&out, '\0');
        CHECK(row->name, strcmp((const char *)out.data, row->want) == 0);
        slg_buf_fini(&out);
        slg_arena_destroy(arena);
        free(bytes);
    }
}

static void test_no_room(void **state)
{
    struct slg_text form = slg_text_of(
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=b&c=d"),
                    name, value;
    struct slg_arena *arena = slg_arena_create(32);
    size_t count = 0;

    (void)state;
    while (slg_form_next(arena, &form, &name, &value))
        count++;
    assert_int_equal(count, 2);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
