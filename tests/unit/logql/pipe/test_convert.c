/* Texts become numbers, and numbers texts, as Go's libraries do it.
 * Oracle: rows, from the documentation of strconv, time and go-humanize. */
#include "tests/helper/test.h"

#include <math.h>

#include "base/assert.h"
#include "logql/pipe/convert.h"

static const struct float_case {
    const char *text;
    bool good;
    double want;
    const char *printed, *plain; /* NULL: not asked */
} floats[] = {
    { "0", true, 0, "0", "0" },
    { "-1.5", true, -1.5, "-1.5", "-1.5" },
    { "+3", true, 3, "3", "3" },
    { ".5", true, 0.5, "0.5", "0.5" },
    { "5.", true, 5, "5", "5" },
    { "1e2", true, 100, "100", "100" },
    { "1e21", true, 1e21, "1e+21", "1000000000000000000000" },
    { "0.3", true, 0.3, "0.3", "0.3" },
    { "0.00001", true, 1e-5, "1e-05", "0.00001" },
    { "0x1p4", true, 16, "16", "16" },
    { "inf", true, (double)INFINITY, "+Inf", "+Inf" },
    { "-Infinity", true, -(double)INFINITY, "-Inf", "-Inf" },
    { "0x1F", false, 0, NULL, NULL },
    { "1e400", false, 0, NULL, NULL },
    { "", false, 0, NULL, NULL },
    { " 1", false, 0, NULL, NULL },
    { "1 ", false, 0, NULL, NULL },
    { "1,5", false, 0, NULL, NULL },
    { "one", false, 0, NULL, NULL },
    { "--1", false, 0, NULL, NULL },
};

static struct slg_text block_of(const char *text, uint8_t **ret_block)
{
    *ret_block = test_block(text, strlen(text));
    return slg_text_make(*ret_block, strlen(text));
}

static void test_floats(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(floats); i++) {
        const struct float_case *row = &floats[i];
        char out[SLG_CONVERT_TEXT_BYTES_MAX];
        uint8_t *block;
        double value = 42;

        CHECK(row->text, slg_convert_float(block_of(row->text, &block), &value) == row->good);
        free(block);
        if (!row->good)
            continue;
        CHECK(row->text, memcmp(&value, &row->want, sizeof(value)) == 0);
        CHECK(row->text, slg_text_equal_to(slg_text_make(out, slg_convert_print_float(value, out)),
                                           row->printed));
        CHECK(row->text,
              slg_text_equal_to(slg_text_make(out, slg_convert_print_float_plain(value, out)),
                                row->plain));
    }
}

static const struct int_case {
    const char *name, *text;
    enum { DURATION, BYTES, INT, INT_ANY } what;
    bool good;
    int64_t want;
} ints[] = {
    { "duration", "1h30m", DURATION, true, INT64_C(5400000000000) },
    { "negative duration", "-1.5s", DURATION, true, -1500000000 },
    { "bare zero", "0", DURATION, true, 0 },
    { "micro", "1us", DURATION, true, 1000 },
    { "micro sign", "1\xc2\xb5s", DURATION, true, 1000 },
    { "no unit", "15", DURATION, false, 0 },
    { "days", "1d", DURATION, false, 0 },
    { "too long", "9223372037s", DURATION, false, 0 },
    { "empty duration", "", DURATION, false, 0 },
    { "bytes", "20", BYTES, true, 20 },
    { "KB", "1.5 KB", BYTES, true, 1500 },
    { "KiB", "2KiB", BYTES, true, 2048 },
    { "commas", "1,000", BYTES, true, 1000 },
    { "no bytes", "x", BYTES, false, 0 },
    { "bad unit", "1 QQ", BYTES, false, 0 },
    { "int", "-42", INT, true, -42 },
    { "smallest", "-9223372036854775808", INT, true, INT64_MIN },
    { "too large", "9223372036854775808", INT, false, 0 },
    { "hex is no int", "0x10", INT, false, 0 },
    { "hex", "0x10", INT_ANY, true, 16 },
    { "octal", "010", INT_ANY, true, 8 },
    { "binary", "0b101", INT_ANY, true, 5 },
    { "underscores", "1_000", INT_ANY, true, 1000 },
    { "nothing", "", INT_ANY, false, 0 },
};

static void test_ints(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(ints); i++) {
        const struct int_case *row = &ints[i];
        uint8_t *block;
        struct slg_text text = block_of(row->text, &block);
        int64_t value = 0;
        uint64_t bytes = 0;
        bool good = false;

        switch (row->what) {
        case DURATION:
            good = slg_convert_duration(text, &value);
            break;
        case BYTES:
            good = slg_convert_bytes(text, &bytes);
            value = (int64_t)bytes;
            break;
        case INT:
            good = slg_convert_int(text, &value);
            break;
        case INT_ANY:
            good = slg_convert_int_any(text, &value);
            break;
        }
        CHECK(row->name, good == row->good);
        CHECK(row->name, !good || value == row->want);
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_ints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
