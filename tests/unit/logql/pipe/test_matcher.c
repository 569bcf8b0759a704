/* Selectors match label sets as Prometheus' do. Oracle: rows. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/matcher.h"

static const struct matcher_case {
    const char *name;
    enum slg_logql_match_op op;
    const char *label, *value;
    bool want;
} rows[] = {
    { "equal", SLG_LOGQL_MATCH_EQ, "app", "web", true },
    { "not equal", SLG_LOGQL_MATCH_EQ, "app", "we", false },
    { "negated", SLG_LOGQL_MATCH_NEQ, "app", "db", true },
    { "regex is anchored", SLG_LOGQL_MATCH_RE, "app", "e", false },
    { "regex", SLG_LOGQL_MATCH_RE, "app", "w.b|db", true },
    { "negated regex", SLG_LOGQL_MATCH_NRE, "app", "w.*", false },
    { "dot takes a newline", SLG_LOGQL_MATCH_RE, "two", "a.b", true },
    { "missing is empty", SLG_LOGQL_MATCH_EQ, "none", "", true },
    { "missing by regex", SLG_LOGQL_MATCH_RE, "none", ".+", false },
    { "missing is not x", SLG_LOGQL_MATCH_NEQ, "none", "x", true },
};

static struct slg_logql_str str_of(const char *text)
{
    return (struct slg_logql_str){ .ptr = text, .len = strlen(text) };
}

static struct slg_label_set labels(struct slg_label *items)
{
    items[0] = (struct slg_label){ .name = slg_text_of("app"), .value = slg_text_of("web") };
    items[1] = (struct slg_label){ .name = slg_text_of("two"), .value = slg_text_of("a\nb") };
    return (struct slg_label_set){ .items = items, .count = 2 };
}

static void test_rows(void **state)
{
    struct slg_label items[2];
    struct slg_label_set set = labels(items);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_logql_matcher matcher = { .name = str_of(rows[i].label),
                                             .op = rows[i].op,
                                             .value = str_of(rows[i].value) };
        struct slg_matcher_set *compiled = NULL;

        CHECK(rows[i].name, slg_matcher_set_create(&matcher, 1, &compiled, NULL) == SLG_OK);
        CHECK(rows[i].name, slg_matcher_set_match(compiled, &set) == rows[i].want);
        slg_matcher_set_destroy(compiled);
    }
}

static void test_all_must_hold(void **state)
{
    struct slg_logql_matcher two[2] = {
        { .name = str_of("app"), .op = SLG_LOGQL_MATCH_EQ, .value = str_of("web") },
        { .name = str_of("two"), .op = SLG_LOGQL_MATCH_EQ, .value = str_of("x") },
    };
    struct slg_matcher_set *compiled = NULL;
    struct slg_label items[2];
    struct slg_label_set set = labels(items);
    struct slg_error error;

    (void)state;
    assert_int_equal(slg_matcher_set_create(two, 2, &compiled, NULL), SLG_OK);
    assert_false(slg_matcher_set_match(compiled, &set));
    slg_matcher_set_destroy(compiled);
    assert_int_equal(slg_matcher_set_create(two, 0, &compiled, NULL), SLG_OK);
    assert_true(slg_matcher_set_match(compiled, &set));
    slg_matcher_set_destroy(compiled);
    two[1].op = SLG_LOGQL_MATCH_RE;
    two[1].value = str_of("(");
    assert_int_equal(slg_matcher_set_create(two, 2, &compiled, &error), SLG_INVALID);
    slg_matcher_set_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_all_must_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
