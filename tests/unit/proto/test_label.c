/* One label set has one canonical form and one id; label texts are read and printed as Go does.
 * Oracle: the worked bytes of docs/FORMATS.md section 1 (id by coreutils' sha256sum) and strconv's documentation. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "proto/label.h"
#include "proto/limits.h"

static const char worked[] = "\x02\x03"
                             "app\x03"
                             "web\x03job\x01x";

static struct slg_label label(const char *name, const char *value)
{
    return (struct slg_label){ .name = slg_text_of(name), .value = slg_text_of(value) };
}

static void test_worked_bytes(void **state)
{
    struct slg_label items[] = { label("job", "x"), label("app", "web"), label("none", ""),
                                 label("job", "late"), label("job", "x") };
    static const uint8_t id_bytes[16] = { 0xa2, 0x90, 0xcb, 0x89, 0x2e, 0x37, 0x70, 0xc0,
                                          0xee, 0x80, 0xfc, 0xf6, 0x58, 0x72, 0x1c, 0xc1 };
    struct slg_label_set set = { .items = items };
    struct slg_stream_id id;
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_label_normalize(items, 5, &set.count, NULL), SLG_OK);
    assert_int_equal(set.count, 2);
    slg_buf_init(&out, 4096);
    slg_label_encode(&out, &set);
    assert_int_equal(out.len, 15);
    assert_memory_equal(out.data, worked, 15);
    id = slg_stream_id_of(slg_text_of("fake"), out.data, out.len);
    assert_memory_equal(id.bytes, id_bytes, 16);
    /* 0xa290cb892e3770c0ee80fcf658721cc1 mod n, by python3 */
    assert_int_equal(slg_stream_slot(&id, 1), 0);
    assert_int_equal(slg_stream_slot(&id, 4), 1);
    assert_int_equal(slg_stream_slot(&id, 1000), 473);
    assert_int_equal(slg_stream_slot(&id, 65535), 28093);
    slg_buf_fini(&out);
}

static void test_the_last_of_equal_names_counts(void **state)
{
    struct slg_label items[] = { label("a", "1"), label("a", ""), label("b", ""), label("b", "2") };
    size_t count;

    (void)state;
    assert_int_equal(slg_label_normalize(items, 4, &count, NULL), SLG_OK);
    assert_int_equal(count, 1);
    assert_true(slg_text_equal_to(items[0].name, "b"));
}

static void test_limits_are_named(void **state)
{
    static char big[SLG_LABEL_VALUE_BYTES_MAX + 1];
    struct slg_label items[SLG_LABEL_INPUT_COUNT_MAX + 1];
    char names[SLG_LABEL_INPUT_COUNT_MAX][8];
    struct slg_error error;
    size_t count = 77;

    (void)state;
    memset(big, 'v', sizeof(big));
    for (size_t i = 0; i < SLG_LABEL_INPUT_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
        items[i] = label(names[i], "v");
    }
    assert_int_equal(slg_label_normalize(items, SLG_LABEL_COUNT_MAX, &count, &error), SLG_OK);
    count = 77;
    assert_int_equal(slg_label_normalize(items, SLG_LABEL_COUNT_MAX + 1, &count, &error),
                     SLG_INVALID);
    assert_non_null(strstr(error.message, "33 label names"));
    assert_int_equal(slg_label_normalize(items, SLG_LABEL_INPUT_COUNT_MAX + 1, &count, &error),
                     SLG_INVALID);
    items[0] = label("", "v");
    assert_int_equal(slg_label_normalize(items, 1, &count, &error), SLG_INVALID);
    items[0] = (struct slg_label){ slg_text_of("v"), slg_text_make(big, sizeof(big)) };
    assert_int_equal(slg_label_normalize(items, 1, &count, &error), SLG_INVALID);
    assert_non_null(strstr(error.message, "\"v\""));
    items[0] =
        (struct slg_label){ slg_text_make(big, SLG_LABEL_NAME_BYTES_MAX + 1), slg_text_of("v") };
    assert_int_equal(slg_label_normalize(items, 1, &count, &error), SLG_INVALID);
    for (size_t i = 0; i < 9; i++)
        items[i] = (struct slg_label){ slg_text_of(names[i]),
                                       slg_text_make(big, SLG_LABEL_VALUE_BYTES_MAX) };
    assert_int_equal(slg_label_normalize(items, 9, &count, &error), SLG_INVALID);
    assert_non_null(strstr(error.message, "16384 bytes"));
    assert_int_equal(count, 77);
}

static const struct canonical_case {
    const char *name;
    const char *bytes;
    size_t len;
    enum slg_status want;
} canonical_cases[] = {
    { "worked", worked, 15, SLG_OK },
    { "empty set", "\0", 1, SLG_OK },
    { "no bytes", "", 0, SLG_MALFORMED },
    { "cut", worked, 14, SLG_MALFORMED },
    { "one byte more",
      "\x01\x01"
      "a\x01"
      "b!",
      6, SLG_MALFORMED },
    { "unsorted",
      "\x02\x01"
      "b\x01x\x01"
      "a\x01x",
      9, SLG_MALFORMED },
    { "name twice",
      "\x02\x01"
      "a\x01x\x01"
      "a\x01y",
      9, SLG_MALFORMED },
    { "empty value",
      "\x01\x01"
      "a\x00",
      4, SLG_MALFORMED },
    { "empty name",
      "\x01\x00\x01"
      "a",
      4, SLG_MALFORMED },
    { "padded varint",
      "\x81\x00\x01"
      "a\x01"
      "b",
      6, SLG_MALFORMED },
    { "33 labels", "\x21", 1, SLG_MALFORMED },
    { "length past the end",
      "\x01\x7f"
      "a\x01"
      "b",
      5, SLG_MALFORMED },
};

static void test_only_canonical_bytes_decode(void **state)
{
    struct slg_arena *arena = slg_arena_create(65536);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(canonical_cases); i++) {
        const struct canonical_case *row = &canonical_cases[i];
        uint8_t *bytes = test_block(row->bytes, row->len);
        struct slg_label_set set = { .count = 0xAA };
        struct slg_buf out;

        CHECK(row->name, slg_label_decode(arena, bytes, row->len, &set) == row->want);
        CHECK(row->name, slg_label_canonical_valid(bytes, row->len) == (row->want == SLG_OK));
        if (row->want == SLG_OK) {
            slg_buf_init(&out, 4096);
            slg_label_encode(&out, &set);
            CHECK(row->name, out.len == row->len && memcmp(out.data, bytes, row->len) == 0);
            slg_buf_fini(&out);
        } else {
            CHECK(row->name, set.count == 0xAA);
        }
        free(bytes);
    }
    slg_arena_destroy(arena);
}

static const struct text_case {
    const char *name;
    const char *input;
    enum slg_status want;
    const char *printed; /* canonical print of the result, or a part of the error */
} text_cases[] = {
    { "plain", "{a=\"b\", c=\"d\"}", SLG_OK, "{a=\"b\", c=\"d\"}" },
    { "no space", "{a=\"b\",c=\"d\"}", SLG_OK, "{a=\"b\", c=\"d\"}" },
    { "spaces everywhere", " { a = \"b\" , c\t=\n\"d\" , } ", SLG_OK, "{a=\"b\", c=\"d\"}" },
    { "sorted", "{b=\"1\", a=\"2\"}", SLG_OK, "{a=\"2\", b=\"1\"}" },
    { "empty", "{}", SLG_OK, "{}" },
    { "empty value is no label", "{a=\"\"}", SLG_OK, "{}" },
    { "raw", "{a=`b\"\\n`}", SLG_OK, "{a=\"b\\\"\\\\n\"}" },
    { "raw drops carriage returns", "{a=`b\rc`}", SLG_OK, "{a=\"bc\"}" },
    { "escapes", "{a=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"}", SLG_OK,
      "{a=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"}" },
    { "octal and hex", "{a=\"\\101\\x42\"}", SLG_OK, "{a=\"AB\"}" },
    { "byte that is not UTF-8", "{a=\"\\xff\"}", SLG_OK, "{a=\"\\xff\"}" },
    { "unicode", "{a=\"\\u00e4\\U0001F600\"}", SLG_OK, "{a=\"\xc3\xa4\xf0\x9f\x98\x80\"}" },
    { "control is printed as hex", "{a=\"\\x01\\x7f\"}", SLG_OK, "{a=\"\\x01\\x7f\"}" },
    { "no-break space is escaped", "{a=\"\\u00a0\"}", SLG_OK, "{a=\"\\u00a0\"}" },
    { "surrogate", "{a=\"\\ud800\"}", SLG_MALFORMED, "byte 11: unknown or cut escape" },
    { "past Unicode", "{a=\"\\U00110000\"}", SLG_MALFORMED, "escape" },
    { "octal over 255", "{a=\"\\777\"}", SLG_MALFORMED, "escape" },
    { "single quote escape", "{a=\"\\'\"}", SLG_MALFORMED, "escape" },
    { "escape over the end", "{a=\"\\x4\"}", SLG_MALFORMED, "escape" },
    { "line end in quotes", "{a=\"b\nc\"}", SLG_MALFORMED, "line end" },
    { "open quote", "{a=\"b}", SLG_MALFORMED, "no closing quote" },
    { "open raw", "{a=`b}", SLG_MALFORMED, "no closing backquote" },
    { "backslash last", "{a=\"\\", SLG_MALFORMED, "no closing quote" },
    { "no brace", "a=\"b\"", SLG_MALFORMED, "\"{\" is expected" },
    { "no closing brace", "{a=\"b\"", SLG_MALFORMED, "is expected" },
    { "two commas", "{a=\"b\",,}", SLG_MALFORMED, "byte 8: a label name" },
    { "rubbish after", "{a=\"b\"} x", SLG_MALFORMED, "nothing may follow" },
    { "name starts with a digit", "{1a=\"b\"}", SLG_MALFORMED, "label name" },
    { "name with a dash", "{a-b=\"c\"}", SLG_MALFORMED, "\"=\" is expected" },
    { "other matcher", "{a!=\"b\"}", SLG_MALFORMED, "\"=\" is expected" },
    { "bare value", "{a=b}", SLG_MALFORMED, "quoted value" },
    { "nothing", "", SLG_MALFORMED, "\"{\" is expected" },
    { "equal names: the last", "{a=\"1\", a=\"2\"}", SLG_OK, "{a=\"2\"}" },
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(text_cases); i++) {
        const struct text_case *row = &text_cases[i];
        struct slg_arena *arena = slg_arena_create(65536);
        size_t len = strlen(row->input);
        uint8_t *input = test_block(row->input, len);
        struct slg_label_set set = { .count = 0xAA };
        struct slg_error error = { .status = SLG_OK };
        struct slg_buf out;

        CHECK(row->name,
              slg_label_parse(arena, slg_text_make(input, len), &set, &error) == row->want);
        slg_buf_init(&out, 4096);
        if (row->want == SLG_OK) {
            slg_label_print(&out, &set);
            slg_buf_append_byte(&out, 0);
            if (strcmp((char *)out.data, row->printed) != 0)
                print_error("%s\n", (char *)out.data);
            CHECK(row->name, strcmp((char *)out.data, row->printed) == 0);
        } else {
            CHECK(row->name, set.count == 0xAA);
            if (strstr(error.message, row->printed) == NULL)
                print_error("%s\n", error.message);
            CHECK(row->name, strstr(error.message, row->printed) != NULL);
        }
        slg_buf_fini(&out);
        free(input);
        slg_arena_destroy(arena);
    }
}

static void test_parse_is_bounded(void **state)
{
    struct slg_arena *arena = slg_arena_create(4096);
    size_t len = SLG_LABEL_TEXT_BYTES_MAX;
    char *text = malloc(len + 1);
    struct slg_label_set set;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', len + 1);
    text[0] = '{';
    assert_int_equal(slg_label_parse(arena, slg_text_make(text, len), &set, NULL), SLG_MALFORMED);
    assert_int_equal(slg_label_parse(arena, slg_text_make(text, len + 1), &set, NULL),
                     SLG_MALFORMED);
    memcpy(text, "{a=\"", 4); /* a value over the arena's budget */
    text[len - 2] = '"';
    text[len - 1] = '}';
    assert_int_equal(slg_label_parse(arena, slg_text_make(text, len), &set, NULL), SLG_LIMIT);
    free(text);
    slg_arena_destroy(arena);
}

static void test_json(void **state)
{
    struct slg_label items[] = { label("a", "x\"\n"), label("b", "\xff") };
    struct slg_label_set set = { .items = items, .count = 2 };
    struct slg_text value;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_label_print_json(&out, &set);
    slg_buf_append_byte(&out, 0);
    assert_string_equal((char *)out.data, "{\"a\":\"x\\\"\\n\",\"b\":\"\xEF\xBF\xBD\"}");
    assert_true(slg_label_get(&set, slg_text_of("b"), &value) && value.len == 1);
    assert_false(slg_label_get(&set, slg_text_of("c"), &value));
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_the_last_of_equal_names_counts),
        cmocka_unit_test(test_limits_are_named),
        cmocka_unit_test(test_only_canonical_bytes_decode),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_parse_is_bounded),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
