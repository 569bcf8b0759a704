/* A settings file becomes typed values or a full list of mistakes with their places; --set wins; print reads back.
 * Oracle: values and messages by hand. */
#include "tests/helper/test.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/conf.h"

static const struct slg_conf_row rows[] = {
    { "node.id", SLG_CONF_TEXT, "", 0, 8, "", NULL, 0, "Name" },
    { "limits.lines_max", SLG_CONF_INT, "lines", -5, 100, "7", NULL, SLG_CONF_RELOAD, "Lines" },
    { "limits.bytes_max", SLG_CONF_SIZE, "", 4096, 1 << 30, "8MiB", NULL, 0, "Bytes" },
    { "limits.keep", SLG_CONF_DURATION, "", 1, INT64_MAX, "120d", NULL, SLG_CONF_FOREVER, "Keep" },
    { "limits.deep.strict", SLG_CONF_BOOL, "", 0, 1, "true", NULL, 0, "Strict" },
    { "level", SLG_CONF_ENUM, "", 0, 0, "info", "error|warn|info", SLG_CONF_RELOAD, "Level" },
    { "words[]", SLG_CONF_TEXT, "", 1, 8, "[a, b]", NULL, 0, "Words" },
    { "syslog[]", SLG_CONF_OBJECTS, "", 0, 3, "[{listen: '127.0.0.1:1514'}]", NULL, 0, "Doors" },
    { "syslog[].listen", SLG_CONF_ADDRESS, "", 0, 0, "", NULL, SLG_CONF_REQUIRED, "Where" },
    { "syslog[].allow[]", SLG_CONF_CIDR, "", 0, 0, "", NULL, 0, "Who" },
    { "syslog[].size", SLG_CONF_SIZE, "", 0, 1 << 20, "1KiB", NULL, 0, "Size" },
    { "token", SLG_CONF_SECRET, "", 0, 0, "", NULL, 0, "Token" },
};

static struct slg_conf *load(const char *text, const char *const *sets)
{
    struct slg_conf *conf = slg_conf_create(rows, SLG_ARRAY_LEN(rows));
    uint8_t *block = test_block(text, strlen(text));

    assert_non_null(conf);
    slg_conf_load(conf, "f.yaml", block, strlen(text));
    free(block);
    for (size_t i = 0; sets != NULL && sets[i] != NULL; i++)
        slg_conf_set(conf, sets[i]);
    return conf;
}

static void test_defaults(void **state)
{
    struct slg_conf *conf = load("", NULL);

    (void)state;
    assert_int_equal(slg_conf_finish(conf), SLG_OK);
    assert_int_equal(slg_conf_number(conf, "limits.lines_max"), 7);
    assert_int_equal(slg_conf_number(conf, "limits.bytes_max"), 8 << 20);
    assert_int_equal(slg_conf_number(conf, "limits.keep"), 120 * 86400 * SLG_NS_PER_SEC);
    assert_true(slg_conf_bool(conf, "limits.deep.strict"));
    assert_int_equal(slg_conf_number(conf, "level"), 2);
    assert_string_equal(slg_conf_text(conf, "level"), "info");
    assert_int_equal(slg_conf_count(conf, "words"), 2);
    assert_string_equal(slg_conf_text(conf, "words[%d]", 1), "b");
    assert_int_equal(slg_conf_count(conf, "syslog"), 1);
    assert_string_equal(slg_conf_text(conf, "syslog[0].listen"), "127.0.0.1:1514");
    assert_int_equal(slg_conf_count(conf, "syslog[0].allow"), 0);
    assert_int_equal(slg_conf_number(conf, "syslog[0].size"), 1024);
    assert_string_equal(slg_conf_text(conf, "node.id"), "");
    assert_false(slg_conf_given(conf, "limits.keep"));
    slg_conf_destroy(conf);
    slg_conf_destroy(NULL);
}

static void test_file_and_sets(void **state)
{
    static const char *const sets[] = { "limits.bytes_max=64KiB",
                                        "syslog[1].allow=[10.0.0.0/8, '::1']",
                                        "syslog[2].listen=[::1]:0",
                                        "words[0]=z",
                                        "words[2]=c",
                                        "node.id=a=b",
                                        NULL };
    struct slg_conf *conf = load("limits:\n  keep: forever\n  lines_max: -5\n  bytes_max: 1GiB\n"
                                 "  deep: {strict: false}\n"
                                 "level: warn\n"
                                 "syslog:\n  - listen: 127.0.0.1:1\n    size: 2KiB\n"
                                 "  - {listen: 'mx.example.org:2', allow: [192.0.2.0/24]}\n"
                                 "token: env:SILAGE_TEST_TOKEN\nwords:\n",
                                 sets);

    (void)state;
    assert_int_equal(slg_conf_finish(conf), SLG_OK);
    assert_true(slg_conf_number(conf, "limits.keep") == SLG_CONF_FOREVER_VALUE);
    assert_true(slg_conf_given(conf, "limits.keep"));
    assert_int_equal(slg_conf_number(conf, "limits.lines_max"), -5);
    assert_int_equal(slg_conf_number(conf, "limits.bytes_max"), 65536);
    assert_false(slg_conf_bool(conf, "limits.deep.strict"));
    assert_int_equal(slg_conf_number(conf, "level"), 1);
    assert_int_equal(slg_conf_count(conf, "syslog"), 3);
    assert_int_equal(slg_conf_number(conf, "syslog[0].size"), 2048);
    assert_int_equal(slg_conf_number(conf, "syslog[1].size"), 1024);
    assert_int_equal(slg_conf_count(conf, "syslog[1].allow"), 2);
    assert_string_equal(slg_conf_text(conf, "syslog[1].allow[1]"), "::1");
    assert_string_equal(slg_conf_text(conf, "syslog[2].listen"), "[::1]:0");
    assert_int_equal(slg_conf_count(conf, "words"), 3);
    assert_string_equal(slg_conf_text(conf, "words[0]"), "z");
    assert_string_equal(slg_conf_text(conf, "words[1]"), "b");
    assert_string_equal(slg_conf_text(conf, "node.id"), "a=b");
    slg_conf_destroy(conf);
}

/* A list that --set replaces is as long as it says, whatever the file's was. */
static void test_set_replaces_a_list(void **state)
{
    static const struct {
        const char *name, *file, *set;
        const char *list;
        size_t want;
    } sets_of_lists[] = {
        { "shorter", "level: warn\nwords: [p, q, r]\n", "words=[x]", "words", 1 },
        { "longer", "words: [p, q, r]\n", "words=[w, x, y, z]", "words", 4 },
        { "none", "words: [p, q, r]\n", "words=[]", "words", 0 },
        { "no default", "", "words=[]", "words", 0 },
        { "objects", "syslog:\n  - listen: 127.0.0.1:1\n  - listen: 127.0.0.1:2\n", "syslog=[]",
          "syslog", 0 },
        { "a list within", "syslog:\n  - {listen: '127.0.0.1:1', allow: [192.0.2.0/24, '::1']}\n",
          "syslog[0].allow=['::2']", "syslog[0].allow", 1 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(sets_of_lists); i++) {
        const char *const sets[] = { sets_of_lists[i].set, NULL };
        struct slg_conf *conf = load(sets_of_lists[i].file, sets);

        CHECK(sets_of_lists[i].name, slg_conf_finish(conf) == SLG_OK);
        CHECK(sets_of_lists[i].name,
              slg_conf_count(conf, "%s", sets_of_lists[i].list) == sets_of_lists[i].want);
        slg_conf_destroy(conf);
    }
}

/* All mistakes of a file at once, in the order of the table of entries. */
static const struct mistake_case {
    const char *name, *file, *set;
    const char *want[4];
} mistakes[] = {
    { "unknown key",
      "limits:\n  line_max: 3\n",
      NULL,
      { "f.yaml:2: limits.line_max: unknown key, did you mean \"limits.lines_max\"" } },
    { "unknown map is told once",
      "x: 1\nlimit:\n  a: 1\n  b: 2\n",
      NULL,
      { "f.yaml:1: x: unknown key, see",
        "f.yaml:2: limit: unknown key, did you mean \"limits\"" } },
    { "right word, wrong place",
      "lines_max: 3\n",
      NULL,
      { "f.yaml:1: lines_max: unknown key, did you mean \"limits.lines_max\"" } },
    { "several values",
      "limits:\n  lines_max: many\n  bytes_max: 1\n  keep: 5\nlevel: loud\n",
      NULL,
      { "f.yaml:2: limits.lines_max: \"many\" is not a whole number, write one from -5 to 100",
        "f.yaml:3: limits.bytes_max: 1 is out of bounds, write 4KiB to 1GiB",
        "f.yaml:4: limits.keep: \"5\" is not a duration such as 1h30m, write one from 1ns to "
        "forever or forever",
        "f.yaml:5: level: \"loud\" is not one of error|warn|info" } },
    { "wrong kinds",
      "limits: 5\nwords: a\nlevel: [x]\nnode: [1]\n",
      NULL,
      { "f.yaml:1: limits: must be a mapping",
        "f.yaml:2: words: must be a list, for example [a, b]", "f.yaml:3: level: must be one value",
        "f.yaml:4: node: must be a mapping" } },
    { "given twice",
      "level: info\nlevel: warn\n",
      NULL,
      { "f.yaml:2: level: given twice, first in line 1" } },
    { "a section given twice",
      "limits:\n  lines_max: 5\nlevel: info\nlimits:\n  bytes_max: 4KiB\n",
      NULL,
      { "f.yaml:4: limits: given twice, first in line 1, join them" } },
    { "missing field",
      "syslog:\n  - size: 1KiB\n  - {}\n",
      NULL,
      { "f.yaml:2: syslog[0].listen: is missing", "f.yaml:1: syslog[1].listen: is missing" } },
    { "bad elements",
      "syslog:\n  - listen: 127.0.0.1\n    allow: [10.0.0.0/33]\n  - listen: '::1:5'\n",
      NULL,
      { "f.yaml:2: syslog[0].listen: \"127.0.0.1\" is not an address",
        "f.yaml:3: syslog[0].allow[0]: \"10.0.0.0/33\" is not a network",
        "f.yaml:4: syslog[1].listen: \"::1:5\" is not an address" } },
    { "too many objects",
      "syslog: [{listen: 'a:1'}, {listen: 'a:1'}, {listen: 'a:1'}, {listen: 'a:1'}]\n",
      NULL,
      { "f.yaml:1: syslog: has 4 elements, at most 3" } },
    { "secret in the clear is not repeated",
      "token: hunter2\n",
      NULL,
      { "f.yaml:1: token: is not a reference to a secret, write file:/PATH, env:NAME" } },
    { "text too long",
      "node: {id: '123456789'}",
      NULL,
      { "f.yaml:1: node.id: has 9 bytes, write 0" } },
    { "control character",
      "node: {id: \"a\\tb\"}",
      NULL,
      { "f.yaml:1: node.id: holds a control" } },
    { "not YAML", "level: info\nwords: [\n", NULL, { "f.yaml:3: not YAML" } },
    { "set of an unknown key",
      "",
      "levl=info",
      { "--set:1: levl: unknown key, did you mean \"level\"" } },
    { "set without a value", "", "level", { "--set:1: \"level\" is not KEY=VALUE" } },
    { "set of bytes that are not UTF-8",
      "",
      "syslog[0].listen=h\xFF:1",
      { "--set:1: syslog[0].listen: is not UTF-8" } },
    { "set past a gap", "", "syslog[2].size=1", { "--set:1: syslog[2]: the list has no element" } },
    { "set of a bad index", "", "words[x]=1", { "--set:1: words[x]: unknown key" } },
    { "set of a leading zero",
      "",
      "syslog[00].size=1",
      { "--set:1: syslog[00]: the index must be 0 to" } },
    { "set of a leading zero in a list of values",
      "",
      "words[00]=1",
      { "--set:1: words[00]: the index must be 0 to" } },
    { "set of a bad value",
      "",
      "limits.deep.strict=yes",
      { "--set:1: limits.deep.strict: \"yes\" is not a truth value, write true or false" } },
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(mistakes); i++) {
        const struct mistake_case *row = &mistakes[i];
        const char *const sets[] = { row->set, NULL };
        struct slg_conf *conf = load(row->file, sets);
        size_t want = 0;

        CHECK(row->name, slg_conf_finish(conf) == SLG_INVALID);
        for (; want < SLG_ARRAY_LEN(row->want) && row->want[want] != NULL; want++) {
            bool found = false;

            for (size_t k = 0; k < slg_conf_mistake_count(conf); k++)
                found = found || strncmp(slg_conf_mistake(conf, k), row->want[want],
                                         strlen(row->want[want])) == 0;
            if (!found) {
                for (size_t k = 0; k < slg_conf_mistake_count(conf); k++)
                    print_error("got: %s\n", slg_conf_mistake(conf, k));
                print_error("row \"%s\" lacks: %s\n", row->name, row->want[want]);
                fail();
            }
        }
        CHECK(row->name, slg_conf_mistake_count(conf) == want);
        slg_conf_destroy(conf);
    }
}

static void must_not_change(void *arg, const char *key, bool reloadable)
{
    (void)arg;
    (void)reloadable;
    fail_msg("%s changed", key);
}

static void test_print_reads_back(void **state)
{
    static const char text[] = "limits: {keep: forever, lines_max: -1}\nnode: {id: \"a: b\"}\n"
                               "words: ['true', \"q\\\"\", '~', '-', '5']\ntoken: file:/x\n"
                               "syslog: [{listen: '[::1]:5', allow: ['::/0', 10.0.0.1]}]\n";

    (void)state;
    for (int help = 0; help < 2; help++) {
        struct slg_conf *conf = load(text, NULL);
        struct slg_conf *back;
        struct slg_buf out;

        assert_int_equal(slg_conf_finish(conf), SLG_OK);
        slg_buf_init(&out, 1 << 16);
        slg_conf_print(conf, help == 1, &out);
        slg_buf_append_byte(&out, 0);
        back = load((const char *)out.data, NULL);
        if (slg_conf_finish(back) != SLG_OK)
            fail_msg("%s\n%s", slg_conf_mistake(back, 0), (const char *)out.data);
        slg_conf_compare(conf, back, must_not_change, NULL);
        slg_conf_compare(back, conf, must_not_change, NULL);
        slg_conf_destroy(back);
        slg_conf_destroy(conf);
        slg_buf_fini(&out);
    }
}

static void note_change(void *arg, const char *key, bool reloadable)
{
    slg_buf_printf(arg, "%s%s ", key, reloadable ? "+" : "");
}

static void test_compare(void **state)
{
    struct slg_conf *before = load("level: warn\nlimits: {keep: 60s}\n", NULL);
    struct slg_conf *after =
        load("level: error\nlimits: {keep: 1m, lines_max: 8}\nwords: [a]\n", NULL);
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_conf_finish(before), SLG_OK);
    assert_int_equal(slg_conf_finish(after), SLG_OK);
    slg_buf_init(&out, 4096);
    slg_conf_compare(before, after, note_change, &out);
    slg_buf_append_byte(&out, 0);
    assert_string_equal((char *)out.data, "level+ limits.lines_max+ words words[1] ");
    slg_buf_fini(&out);
    slg_conf_destroy(before);
    slg_conf_destroy(after);
}

static void test_load_file(void **state)
{
    struct slg_conf *conf = slg_conf_create(rows, SLG_ARRAY_LEN(rows));
    struct slg_error err;

    (void)state;
    assert_int_equal(slg_conf_load_file(conf, "/nonexistent/x.yaml", &err), SLG_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/x.yaml"));
    slg_conf_destroy(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file_and_sets),
        cmocka_unit_test(test_set_replaces_a_list),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_print_reads_back),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_load_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
