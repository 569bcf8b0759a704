/* JSON values are read by type, and what is not JSON is refused with its line.
 * Oracle: one document whose values are known. */
#include "tests/helper/test.h"

#include "base/json.h"

static const char text[] = "{\"n\":7,\"r\":2.5,\"t\":\"x\\u00fc\",\"b\":true,\"z\":null,\"l\":[1,["
                           "2]],\"o\":{\"k\":\"v\"}}";

static bool collect(void *arg, const char *key, const struct slg_json *value)
{
    char *keys = arg;

    (void)value;
    keys[strlen(keys)] = key[0];
    return key[0] != 'l'; /* stop behind it */
}

static void test_values(void **state)
{
    uint8_t *block = test_block(text, strlen(text));
    struct slg_json *root = NULL;
    char keys[16] = "";

    (void)state;
    assert_int_equal(slg_json_parse(block, strlen(text), &root, NULL), SLG_OK);
    assert_int_equal(slg_json_type(root), SLG_JSON_OBJECT);
    assert_int_equal(slg_json_count(root), 7);
    assert_int_equal(slg_json_int(slg_json_get(root, "n"), -1), 7);
    assert_int_equal(slg_json_int(slg_json_get(root, "r"), -1), 2);
    assert_int_equal(slg_json_int(slg_json_get(root, "t"), -1), -1);
    assert_true(slg_json_real(slg_json_get(root, "r"), 0) == 2.5);
    assert_string_equal(slg_json_text(slg_json_get(root, "t")), "x\xC3\xBC");
    assert_null(slg_json_text(slg_json_get(root, "n")));
    assert_true(slg_json_bool(slg_json_get(root, "b"), false));
    assert_int_equal(slg_json_type(slg_json_get(root, "z")), SLG_JSON_NULL);
    assert_int_equal(slg_json_type(slg_json_get(root, "missing")), SLG_JSON_ABSENT);
    assert_int_equal(slg_json_int(slg_json_at(slg_json_at(slg_json_get(root, "l"), 1), 0), 0), 2);
    assert_null(slg_json_at(slg_json_get(root, "l"), 2));
    assert_null(slg_json_get(slg_json_get(root, "l"), "k"));
    slg_json_each(root, collect, keys);
    assert_string_equal(keys, "nrtbzl");
    slg_json_destroy(root);
    free(block);
}

static const struct refused_case {
    const char *name, *text;
} refused[] = {
    { "empty", "" },
    { "cut short", "{\"a\":" },
    { "more behind it", "{} x" },
    { "key twice", "{\"a\":1,\"a\":2}" },
    { "bare word", "{a:1}" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(refused); i++) {
        size_t len = strlen(refused[i].text);
        uint8_t *block = test_block(refused[i].text, len);
        struct slg_error error = { 0 };
        struct slg_json *root = NULL;

        CHECK(refused[i].name, slg_json_parse(block, len, &root, &error) == SLG_INVALID);
        CHECK(refused[i].name, root == NULL);
        CHECK(refused[i].name, strncmp(error.message, "line ", 5) == 0);
        free(block);
    }
}

static void test_numbers_out_of_range(void **state)
{
    static const char numbers[] = "[1e300,-1e300,9223372036854775807,-9223372036854775808.0,-2.9]";
    static const int64_t want[] = { INT64_MAX, INT64_MIN, INT64_MAX, INT64_MIN, -2 };
    struct slg_json *root = NULL;

    (void)state;
    assert_int_equal(slg_json_parse(numbers, strlen(numbers), &root, NULL), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(want); i++)
        assert_true(slg_json_int(slg_json_at(root, i), 0) == want[i]);
    slg_json_destroy(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_numbers_out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
