/* The canonical text reads back as the same tree; the pretty one is what Loki's /format_query answers.
 * Oracle: Loki's String() and Pretty() methods read by hand and answers of a real Loki of the same form. */
#include "tests/helper/test.h"

#include <math.h>

#include "base/arena.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "logql/syntax/walk.h"

#define LONG_TEXT "a text that is long enough to make the line that it stands in need a split"

static const struct print_case {
    const char *name, *query, *canonical;
    const char *pretty; /* NULL: the same */
} cases[] = {
    { "selector", "{ a=\"b\" ,c!=\"d\",e=~`f`,g!~\"h\"}", "{a=\"b\", c!=\"d\", e=~\"f\", g!~\"h\"}",
      NULL },
    { "escapes", "{a=`b\\\"c`} |= \"\\t\\n\\x00\\x7f\\u00a0\\ufeff\\xff\xC3\xA9\xF0\x9F\x98\x80\"",
      "{a=\"b\\\\\\\"c\"} |= \"\\t\\n\\x00\\x7f\\u00a0\\ufeff\\xff\xC3\xA9\xF0\x9F\x98\x80\"",
      NULL },
    { "line filters", "{a=\"b\"}|=\"c\"!=\"d\"|~\"e\"!~\"f\"|>\"<_> g\"!>\"h <_>\"",
      "{a=\"b\"} |= \"c\" != \"d\" |~ \"e\" !~ \"f\" |> \"<_> g\" !> \"h <_>\"", NULL },
    { "alternatives", "{a=\"b\"} |= \"c\" or ip(\"::1\") or \"d\" != \"e\" or \"f\"",
      "{a=\"b\"} |= \"c\" or ip(\"::1\") or \"d\" != \"e\" != \"f\"", NULL },
    { "parsers",
      "{a=\"b\"} | json | json c,d=\"e\" | logfmt | logfmt --keep-empty --strict f | unpack",
      "{a=\"b\"} | json | json c=\"c\",d=\"e\" | logfmt | logfmt --strict --keep-empty f=\"f\" | "
      "unpack",
      NULL },
    { "regexp and pattern", "{a=\"b\"} | regexp \"(?P<x>.)\" | pattern \"<x> \"",
      "{a=\"b\"} | regexp \"(?P<x>.)\" | pattern \"<x> \"", NULL },
    { "label filters", "{a=\"b\"} | c=\"d\" , e>1.50 and f<=1h30m or g!=ip(\"::1\")",
      "{a=\"b\"} | ( c=\"d\" , ( ( e>1.5 , f<=1h30m0s ) or g!=ip(\"::1\") ) )", NULL },
    { "sizes", "{a=\"b\"} | c>5 | d>5B | e>1234B | f>=12345KB | g<1GiB",
      "{a=\"b\"} | c>5 | d>5B | e>1234B | f>=12345000B | g<1073741824B",
      "{a=\"b\"} | c>5 | d>5B | e>1.2kB | f>=12MB | g<1.1GB" },
    { "durations", "{a=\"b\"} | c>1ns | c>1500ns | c>1500us | c>1.5s | c>-36h | c=0s",
      "{a=\"b\"} | c>1ns | c>1.5\xC2\xB5s | c>1.5ms | c>1.5s | c>-36h0m0s | c=0s", NULL },
    { "formats", "{a=\"b\"} | line_format \"{{.c}}\" | label_format d=e, f=\"{{.g}}\" | decolorize",
      "{a=\"b\"} | line_format \"{{.c}}\" | label_format d=e,f=\"{{.g}}\" | decolorize", NULL },
    { "drop and keep", "{a=\"b\"} | drop c, d=\"e\" | keep f=~\"g\", h",
      "{a=\"b\"} | drop c,d=\"e\" | keep f=~\"g\",h", NULL },
    { "range aggregation", "rate({a=\"b\"} |= \"c\" [90s] offset 36h)",
      "rate({a=\"b\"} |= \"c\"[1m30s] offset 36h0m0s)", NULL },
    { "weeks", "rate({a=\"b\"}[14d] offset -1h)", "rate({a=\"b\"}[2w] offset -1h0m0s)", NULL },
    { "days rather than weeks", "rate({a=\"b\"}[15d])", "rate({a=\"b\"}[15d])", NULL },
    { "no range", "rate({a=\"b\"}[0s])", "rate({a=\"b\"}[0s])", NULL },
    { "unwrap",
      "quantile_over_time(0.99,{a=\"b\"}|unwrap duration_seconds(c)|d=\"\"|e>1[5m])by(f,g)",
      "quantile_over_time(0.99,{a=\"b\"} | unwrap duration_seconds(c) | d=\"\" | e>1[5m]) by (f,g)",
      NULL },
    { "range by nothing", "max_over_time({a=\"b\"} | unwrap c [5m]) without ()",
      "max_over_time({a=\"b\"} | unwrap c[5m]) without ()", NULL },
    { "vector aggregations", "topk(5, sum(rate({a=\"b\"}[1m])) without (c)) by (d)",
      "topk by (d)(5,sum without (c)(rate({a=\"b\"}[1m])))", NULL },
    { "binary operators", "vector(1) + vector(2) * 3 > bool on(a,b) group_left(c) vector(4.5)",
      "((vector(1) + (vector(2) * 3)) > bool on (a,b) group_left (c) vector(4.5))",
      "((vector(1.000000) + (vector(2.000000) * 3)) > bool on (a,b) group_left (c) "
      "vector(4.500000))" },
    { "on without group", "vector(1) / on(a) vector(2)", "(vector(1) / on (a)  vector(2))",
      "(vector(1.000000) / on (a)  vector(2.000000))" },
    { "group of all labels", "vector(1) / ignoring() group_right vector(2)",
      "(vector(1) / ignoring () group_right () vector(2))",
      "(vector(1.000000) / ignoring () group_right vector(2.000000))" },
    { "a parenthesis behind a group", "vector(1) / on() group_left() (vector(2) + 3)",
      "(vector(1) / on () group_left () (vector(2) + 3))",
      "(vector(1.000000) / on () group_left () (vector(2.000000) + 3))" },
    { "label_replace", "label_replace(vector(1),\"a\",\"$1\",\"b\",\"(.*)\")",
      "label_replace(vector(1),\"a\",\"$1\",\"b\",\"(.*)\")",
      "label_replace(vector(1.000000),\"a\",\"$1\",\"b\",\"(.*)\")" },
    { "folded", "1+1", "2", NULL },
    { "large", "1e21", "1e+21", NULL },
    { "not so large", "123456789012345678901", "123456789012345680000", NULL },
    { "small", "0.00001", "1e-05", NULL },
    { "not so small", "0.0001", "0.0001", NULL },
    { "long fraction", "0.1 + 0.2", "0.30000000000000004", NULL },
    { "negative", "-5.5", "-5.5", NULL },
    { "negative zero", "0 * -1", "-0.0", "-0" },
    { "not a number", "0 / 0", "(0 / 0)", "NaN" },
    { "infinity", "1e308 * 10", "(1e+308 * 10)", "+Inf" },
    { "negative infinity", "-1e308 * 10", "(-1e+308 * 10)", "-Inf" },
    { "a long pipeline", "{a=\"b\"} |= \"" LONG_TEXT "\" != \"y\" | json | decolorize | c=\"d\"",
      "{a=\"b\"} |= \"" LONG_TEXT "\" != \"y\" | json | decolorize | c=\"d\"",
      "{a=\"b\"}\n  |= \"" LONG_TEXT "\" != \"y\"\n  | json\n| decolorize\n  | c=\"d\"" },
    { "long line filters", "{a=\"b\"} |= \"" LONG_TEXT "\" |= \"x\" |= \"" LONG_TEXT "\"",
      "{a=\"b\"} |= \"" LONG_TEXT "\" |= \"x\" |= \"" LONG_TEXT "\"",
      "{a=\"b\"}\n  |= \"" LONG_TEXT "\" |= \"x\"\n  |= \"" LONG_TEXT "\"" },
    { "a long aggregation",
      "topk(5,quantile_over_time(0.5,{a=\"" LONG_TEXT
      "\"}|json|unwrap c|d=\"e\"[90m]offset 1d)by(f,g)) "
      "by (h,i)",
      "topk by (h,i)(5,quantile_over_time(0.5,{a=\"" LONG_TEXT
      "\"} | json | unwrap c | d=\"e\"[1h30m] offset 24h0m0s) by (f,g))",
      "topk by (h, i)(\n  5,\n  quantile_over_time(\n    0.5,\n    {a=\"" LONG_TEXT
      "\"} | json\n      | unwrap c\n      | d=\"e\" [1h30m] offset 1d\n  ) by (f, g)\n)" },
    { "a long label_replace", "label_replace(vector(1),\"a\",\"" LONG_TEXT "\",\"b\",\"c\")",
      "label_replace(vector(1),\"a\",\"" LONG_TEXT "\",\"b\",\"c\")",
      "label_replace(\n  vector(1.000000),\n  \"a\",\n  \"" LONG_TEXT "\",\n  \"b\",\n  \"c\"\n)" },
    { "long operands keep parentheses that matter",
      "(rate({a=\"" LONG_TEXT "\"}[1m]) + rate({a=\"" LONG_TEXT "\"}[1m])) * 2",
      "((rate({a=\"" LONG_TEXT "\"}[1m]) + rate({a=\"" LONG_TEXT "\"}[1m])) * 2)",
      "  (\n      rate({a=\"" LONG_TEXT "\"}[1m])\n    +\n      rate({a=\"" LONG_TEXT
      "\"}[1m])\n  )\n*\n  2" },
};

static char *text_of(struct slg_buf *buf)
{
    slg_buf_append_byte(buf, '\0');
    assert_false(slg_buf_failed(buf));
    return (char *)buf->data;
}

static void check_case(const struct print_case *row, struct slg_arena *arena)
{
    const char *want_pretty = row->pretty == NULL ? row->canonical : row->pretty;
    const struct slg_logql_expr *expr;
    const struct slg_logql_expr *again;
    struct slg_buf canonical;
    struct slg_buf pretty;
    struct slg_error error;

    slg_buf_init(&canonical, 1 << 16);
    slg_buf_init(&pretty, 1 << 16);
    CHECK(row->name,
          slg_logql_parse(arena, row->query, strlen(row->query), &expr, &error) == SLG_OK);
    slg_logql_print(&canonical, expr);
    slg_logql_pretty(&pretty, expr);
    if (strcmp(text_of(&canonical), row->canonical) != 0)
        print_error("got  %s\nwant %s\n", (char *)canonical.data, row->canonical);
    CHECK(row->name, strcmp((char *)canonical.data, row->canonical) == 0);
    if (strcmp(text_of(&pretty), want_pretty) != 0)
        print_error("got  %s\nwant %s\n", (char *)pretty.data, want_pretty);
    CHECK(row->name, strcmp((char *)pretty.data, want_pretty) == 0);
    CHECK(row->name,
          slg_logql_parse(arena, row->canonical, strlen(row->canonical), &again, &error) == SLG_OK);
    CHECK(row->name, slg_logql_equal(expr, again));
    slg_buf_fini(&canonical);
    slg_buf_fini(&pretty);
}

static void test_print(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 22);

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++)
        check_case(&cases[i], arena);
    slg_arena_destroy(arena);
}

static void test_floats(void **state)
{
    static const struct {
        double value;
        const char *general, *plain;
    } rows[] = {
        { 0, "0", "0" },
        { -1.5, "-1.5", "-1.5" },
        { 100, "100", "100" },
        { 1e20, "100000000000000000000", "100000000000000000000" },
        { 1e21, "1e+21", "1000000000000000000000" },
        { 1.25e-7, "1.25e-07", "0.000000125" },
        { 5e-324, "5e-324", NULL },
        { 1.7976931348623157e308, "1.7976931348623157e+308", NULL },
        { (double)INFINITY, "+Inf", "+Inf" },
        { -(double)INFINITY, "-Inf", "-Inf" },
        { (double)NAN, "NaN", "NaN" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_buf buf;

        slg_buf_init(&buf, 1024);
        slg_logql_print_float(&buf, rows[i].value);
        assert_string_equal(text_of(&buf), rows[i].general);
        slg_buf_clear(&buf);
        slg_logql_print_float_plain(&buf, rows[i].value);
        if (rows[i].plain != NULL)
            assert_string_equal(text_of(&buf), rows[i].plain);
        else
            assert_true(strtod(text_of(&buf), NULL) == rows[i].value);
        slg_buf_fini(&buf);
    }
}

static void test_durations(void **state)
{
    static const struct {
        int64_t ns;
        const char *go, *prom;
    } rows[] = {
        { 0, "0s", "0s" },
        { 1, "1ns", "0s" },
        { 1100, "1.1\xC2\xB5s", "0s" },
        { 2200000, "2.2ms", "2ms" },
        { INT64_C(90000000000), "1m30s", "1m30s" },
        { INT64_C(3600000000000), "1h0m0s", "1h" },
        { INT64_C(3600000000001), "1h0m0.000000001s", "1h" },
        { -INT64_C(5400000000000), "-1h30m0s", "-1h30m" },
        { INT64_C(31536000000000000), "8760h0m0s", "1y" },
        { INT64_MAX, "2562047h47m16.854775807s", "106751d23h47m16s854ms" },
        { INT64_MIN, "-2562047h47m16.854775808s", "-106751d23h47m16s854ms" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_buf buf;

        slg_buf_init(&buf, 1024);
        slg_logql_print_go_duration(&buf, rows[i].ns);
        assert_string_equal(text_of(&buf), rows[i].go);
        slg_buf_clear(&buf);
        slg_logql_print_prom_duration(&buf, rows[i].ns);
        assert_string_equal(text_of(&buf), rows[i].prom);
        slg_buf_fini(&buf);
    }
}

/* A buffer that is too small fails and never gives half a query. */
static void test_full_buffer(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    static const char query[] = "sum(rate({a=\"b\"} | json [5m]))";
    const struct slg_logql_expr *expr;
    struct slg_buf buf;

    (void)state;
    assert_int_equal(slg_logql_parse(arena, query, strlen(query), &expr, NULL), SLG_OK);
    slg_buf_init(&buf, 10);
    slg_logql_print(&buf, expr);
    assert_true(slg_buf_failed(&buf));
    slg_buf_clear(&buf);
    slg_logql_pretty(&buf, expr);
    assert_true(slg_buf_failed(&buf));
    slg_buf_fini(&buf);
    slg_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_full_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
