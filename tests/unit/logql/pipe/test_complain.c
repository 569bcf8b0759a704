/* What is said about values that do not convert. Oracle: rows, the words of Go's strconv and time and of go-humanize. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/complain.h"

typedef struct slg_text (*complain)(struct slg_context *context, struct slg_text value);

static const struct complain_case {
    complain complain;
    const char *value, *want;
} rows[] = {
    { slg_complain_float, "abc", "strconv.ParseFloat: parsing \"abc\": invalid syntax" },
    { slg_complain_float, "", "strconv.ParseFloat: parsing \"\": invalid syntax" },
    { slg_complain_float, "a\"\\\303\274",
      "strconv.ParseFloat: parsing \"a\\\"\\\\\303\274\": invalid syntax" },
    { slg_complain_duration, "", "time: invalid duration \"\"" },
    { slg_complain_duration, "abc", "time: invalid duration \"abc\"" },
    { slg_complain_duration, "-", "time: invalid duration \"-\"" },
    { slg_complain_duration, "1m.s", "time: invalid duration \"1m.s\"" },
    { slg_complain_duration, "12", "time: missing unit in duration \"12\"" },
    { slg_complain_duration, "-1.5", "time: missing unit in duration \"-1.5\"" },
    { slg_complain_duration, "1h30", "time: missing unit in duration \"1h30\"" },
    { slg_complain_duration, "3d", "time: unknown unit \"d\" in duration \"3d\"" },
    { slg_complain_duration, "1h 2m", "time: unknown unit \"h \" in duration \"1h 2m\"" },
    { slg_complain_duration, "5\303\274",
      "time: unknown unit \"\\xc3\\xbc\" in duration \"5\\xc3\\xbc\"" },
    { slg_complain_duration, "9999999h", "time: invalid duration \"9999999h\"" },
    { slg_complain_bytes, "", "strconv.ParseFloat: parsing \"\": invalid syntax" },
    { slg_complain_bytes, "KB", "strconv.ParseFloat: parsing \"\": invalid syntax" },
    { slg_complain_bytes, "1.2.3KB", "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax" },
    { slg_complain_bytes, "5 XBs ", "unhandled size name: xbs" },
    { slg_complain_bytes, "1,5ms", "unhandled size name: ms" },
    { slg_complain_bytes, "16EiB", "too large: 16EiB" },
};

static void test_rows(void **state)
{
    struct slg_arena *arena = slg_arena_create((size_t)1 << 20);
    struct slg_context context;

    (void)state;
    assert_int_equal(slg_context_init(&context, arena), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        uint8_t *block = test_block(rows[i].value, strlen(rows[i].value));
        struct slg_text got =
            rows[i].complain(&context, slg_text_make(block, strlen(rows[i].value)));

        if (!slg_text_equal_to(got, rows[i].want))
            print_error("\"%s\": %.*s\n", rows[i].value, (int)got.len, got.at);
        CHECK(rows[i].want, slg_text_equal_to(got, rows[i].want));
        free(block);
    }
    slg_context_fini(&context);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
