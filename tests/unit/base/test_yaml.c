/* A document is shown node by node with path and line; what is not plain and small is refused with its line.
 * Oracle: expected walks by hand. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "base/yaml.h"

static bool write_node(void *arg, const struct slg_yaml_node *node)
{
    static const char kinds[] = "ML=0";

    slg_buf_printf(arg, "%zu:%s%c%s ", node->line, node->path, kinds[node->kind], node->value);
    return strcmp(node->path, "skip") != 0;
}

static const struct yaml_case {
    const char *name, *input, *prefix;
    enum slg_status want;
    const char *walk; /* or, when refused, what the message holds */
    size_t line;
} cases[] = {
    { "nested", "a: {b: [x, {c: y}]}", "", SLG_OK,
      "1:M 1:aM 1:a.bL 1:a.b[0]=x 1:a.b[1]M 1:a.b[1].c=y ", 1 },
    { "lines", "a: 1\n# note\nb:\n  c: 'z'\n", "", SLG_OK, "1:M 1:a=1 3:bM 4:b.c=z ", 5 },
    { "null and quoted empty", "a:\nb: ~\nc: null\nd: ''\n", "", SLG_OK,
      "1:M 1:a0 2:b0 3:c0 4:d= ", 5 },
    { "empty", "", "", SLG_OK, "1:0 ", 1 },
    { "comment only", "# x\n", "", SLG_OK, "2:0 ", 2 },
    { "skipped map", "skip: {x: 1, y: [2]}\nb: 3", "", SLG_OK, "1:M 1:skipM 2:b=3 ", 2 },
    { "prefix", "[p, q]", "k.l", SLG_OK, "1:k.lL 1:k.l[0]=p 1:k.l[1]=q ", 1 },
    { "two documents", "a: 1\n---\nb: 2\n", "", SLG_MALFORMED, "only one", 2 },
    { "alias", "a: *b\n", "", SLG_MALFORMED, "aliases", 1 },
    { "anchor", "\na: &b 1\n", "", SLG_MALFORMED, "anchors", 2 },
    { "anchor on a map", "a: &b {}\n", "", SLG_MALFORMED, "anchors", 1 },
    { "map as key", "{[a]: 1}", "", SLG_MALFORMED, "key must be", 1 },
    { "odd key", "a b: 1", "", SLG_MALFORMED, "key must be", 1 },
    { "key with dots", "a.b: 1", "", SLG_MALFORMED, "key must be", 1 },
    { "unclosed", "a: [1,\n", "", SLG_MALFORMED, "not YAML", 2 },
    { "tab indent", "a:\n\tb: 1\n", "", SLG_MALFORMED, "not YAML", 2 },
    { "not UTF-8", "a: \xFF\n", "", SLG_MALFORMED, "not YAML", 0 },
    { "NUL in a value", "a: \"x\\0y\"\n", "", SLG_MALFORMED, "NUL", 1 },
    { "too deep", "[[[[[[[[[1]]]]]]]]]", "", SLG_MALFORMED, "deep", 1 },
    { "as deep as allowed", "[[[[[[[[]]]]]]]]", "x", SLG_OK, "", 0 },
};

static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct yaml_case *row = &cases[i];
        uint8_t *block = test_block(row->input, strlen(row->input));
        struct slg_error err = { .message = "" };
        struct slg_buf out;
        size_t line = 0;

        slg_buf_init(&out, 1 << 16);
        CHECK(row->name, slg_yaml_walk(block, strlen(row->input), row->prefix, write_node, &out,
                                       &line, &err) == row->want);
        slg_buf_append_byte(&out, 0);
        if (row->want != SLG_OK)
            CHECK(row->name, strstr(err.message, row->walk) != NULL);
        else if (row->line > 0)
            CHECK(row->name, strcmp((char *)out.data, row->walk) == 0);
        if (row->want != SLG_OK && row->line > 0)
            CHECK(row->name, line == row->line);
        slg_buf_fini(&out);
        free(block);
    }
}

static void test_bounds(void **state)
{
    char *text = malloc(SLG_YAML_BYTES_MAX + 1);
    struct slg_error err;
    struct slg_buf out;
    size_t line;

    (void)state;
    assert_non_null(text);
    memset(text, '#', SLG_YAML_BYTES_MAX + 1);
    slg_buf_init(&out, 1 << 24);
    assert_int_equal(slg_yaml_walk(text, SLG_YAML_BYTES_MAX, "", write_node, &out, &line, &err),
                     SLG_OK);
    assert_int_equal(slg_yaml_walk(text, SLG_YAML_BYTES_MAX + 1, "", write_node, &out, &line, &err),
                     SLG_MALFORMED);
    for (size_t i = 0; i < SLG_YAML_BYTES_MAX; i += 2)
        memcpy(text + i, i == 0 ? "[1" : ",1", 2);
    assert_int_equal(slg_yaml_walk(text, SLG_YAML_BYTES_MAX, "", write_node, &out, &line, &err),
                     SLG_MALFORMED);
    assert_non_null(strstr(err.message, "too many nodes"));
    memset(text, 'k', 400);
    memcpy(text + 400, ": 1", 3);
    assert_int_equal(slg_yaml_walk(text, 403, "", write_node, &out, &line, &err), SLG_MALFORMED);
    assert_non_null(strstr(err.message, "too long"));
    slg_buf_fini(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
