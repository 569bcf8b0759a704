/* The parser takes what Loki takes, builds the tree that Loki means, and refuses the rest with Loki's words, line
 * and column. Oracle: Loki's grammar and lexer (grafana/loki pkg/logql/syntax) read by hand, and texts that a real
 * Loki gave for queries of the same form. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "logql/syntax/parse.h"
#include "logql/syntax/walk.h"

static struct slg_arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    return arena == NULL;
}

static int drop_arena(void **state)
{
    (void)state;
    slg_arena_destroy(arena);
    return 0;
}

static enum slg_status parse(const char *text, size_t len, const struct slg_logql_expr **ret,
                             struct slg_error *reterr)
{
    uint8_t *block = test_block(text, len);
    enum slg_status status = slg_logql_parse(arena, (const char *)block, len, ret, reterr);

    free(block); /* the tree may not point into it */
    return status;
}

static const struct slg_logql_expr *parsed(const char *text)
{
    const struct slg_logql_expr *expr = NULL;
    struct slg_error error = { 0 };

    if (parse(text, strlen(text), &expr, &error) != SLG_OK) {
        print_error("%s: %s\n", text, error.message);
        fail();
    }
    return expr;
}

/* Two spellings of one query. */
static const struct same_case {
    const char *name, *a, *b;
} same_cases[] = {
    { "blanks and comments", "{a=\"b\"}|=\"x\"|json",
      " { a = \"b\" }\n# note\n\t|= \"x\" // more\n/* a\nb */ | json\r\n" },
    { "keywords in any case", "sum by (a) (rate({a=\"b\"} | json [1m]))",
      "SUM BY (a) (Rate({a=\"b\"} | JSON [1m]))" },
    { "raw and quoted", "{a=\"b\\\\\\\"\"}", "{a=`b\\\"`}" },
    { "escapes", "{a=\"\\x41\\101\\u0041\\U00000041\"}", "{a=\"AAAA\"}" },
    { "grouping before and after", "sum by (a,b) (rate({a=\"b\"}[1m]))",
      "sum(rate({a=\"b\"}[1m])) by (a,b)" },
    { "by nothing is nothing", "sum(rate({a=\"b\"}[1m]))", "sum by () (rate({a=\"b\"}[1m]))" },
    { "ignoring nothing is nothing", "vector(1) + ignoring() vector(2)", "vector(1)+vector(2)" },
    { "range behind the pipeline", "rate({a=\"b\"} | json [1m])", "rate({a=\"b\"}[1m] | json)" },
    { "range behind parentheses", "rate({a=\"b\"} | json [1m] offset 5m)",
      "rate(({a=\"b\"} | json)[1m] offset 5m)" },
    { "range within parentheses", "rate({a=\"b\"} |= \"x\" [1m])",
      "rate(({a=\"b\"} |= \"x\" [1m]))" },
    { "unwrap behind the range", "sum_over_time({a=\"b\"} | unwrap x [1m] offset 1h)",
      "sum_over_time({a=\"b\"} [1m] offset 1h | unwrap x)" },
    { "bare selector in parentheses", "rate({a=\"b\"} | unwrap x [1m])",
      "rate(({a=\"b\"})[1m] | unwrap x)" },
    { "durations", "rate({a=\"b\"}[1h30m])", "rate({a=\"b\"}[90m])" },
    { "years to milliseconds", "rate({a=\"b\"}[1y1w1d1h1m1s1ms])",
      "rate({a=\"b\"}[32230861001ms])" },
    { "duration of Go in a filter", "{a=\"b\"} | d > 1.5s", "{a=\"b\"} | d > 1500ms" },
    { "days in a filter", "{a=\"b\"} | d > 1d", "{a=\"b\"} | d > 24h" },
    { "sizes", "{a=\"b\"} | d > 1KB", "{a=\"b\"} | d > 1000B" },
    { "binary sizes", "{a=\"b\"} | d > 1.5KiB", "{a=\"b\"} | d > 1536B" },
    { "numbers", "{a=\"b\"} | d > 1_000.5e1", "{a=\"b\"} | d > +10005" },
    { "hexadecimal float", "vector(0x1p4)", "vector(16)" },
    { "== is =", "{a=\"b\"} | d == 5", "{a=\"b\"} | d = 5" },
    { "and, comma, nothing", "{a=\"b\"} | x=\"1\" and y=\"2\"", "{a=\"b\"} | x=\"1\" y=\"2\"" },
    { "and before or", "{a=\"b\"} | x=\"1\" or y=\"2\" and z=\"3\"",
      "{a=\"b\"} | x=\"1\" or (y=\"2\" and z=\"3\")" },
    { "and then or", "{a=\"b\"} | x=\"1\" and y=\"2\" or z=\"3\"",
      "{a=\"b\"} | (x=\"1\" and y=\"2\") or z=\"3\"" },
    { "a comma takes the or behind it", "{a=\"b\"} | x=\"1\", y=\"2\" or z=\"3\"",
      "{a=\"b\"} | x=\"1\" and (y=\"2\" or z=\"3\")" },
    { "a comma behind or binds tighter", "{a=\"b\"} | x=\"1\" or y=\"2\", z=\"3\"",
      "{a=\"b\"} | x=\"1\" or (y=\"2\" and z=\"3\")" },
    { "what stands beside takes what follows", "{a=\"b\"} | x=\"1\" and y=\"2\" z=\"3\" or w=\"4\"",
      "{a=\"b\"} | x=\"1\" and (y=\"2\" and (z=\"3\" or w=\"4\"))" },
    { "negated or is two stages", "{a=\"b\"} != \"x\" or \"y\"", "{a=\"b\"} != \"x\" != \"y\"" },
    { "json short form", "{a=\"b\"} | json x, y=\"z\"", "{a=\"b\"} | json x=\"x\", y=\"z\"" },
    { "order of flags", "{a=\"b\"} | logfmt --strict --keep-empty x",
      "{a=\"b\"} | logfmt --keep-empty --strict --strict x" },
    { "products before sums", "vector(1)+vector(2)*vector(3)", "vector(1)+(vector(2)*vector(3))" },
    { "left to right", "vector(1)-vector(2)-vector(3)", "(vector(1)-vector(2))-vector(3)" },
    { "powers from the right", "vector(1)^vector(2)^vector(3)", "vector(1)^(vector(2)^vector(3))" },
    { "comparison before and before or", "vector(1) or vector(2) and vector(3) > vector(4)",
      "vector(1) or (vector(2) and (vector(3) > vector(4)))" },
    { "minus belongs to the number", "-2 ^ 2", "4" },
    { "folding", "1 + 2 * 3 ^ 2 % 5", "4" },
    { "folded comparison", "1 > bool 2", "0" },
    { "division by zero folds to NaN", "1 / 0", "0 % 0" },
    { "parentheses of metrics", "((sum((rate({a=\"b\"}[1m])))))", "sum(rate({a=\"b\"}[1m]))" },
    { "parentheses of logs", "(({a=\"b\"} |= \"x\"))", "{a=\"b\"} |= \"x\"" },
    { "number before a comma or an operator", "sum(2 * vector(3))", "sum((2) * vector(3))" },
    { "byte order mark", "\xEF\xBB\xBF{a=\"b\"}", "{a=\"b\"}" },
};

static void test_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(same_cases); i++)
        CHECK(same_cases[i].name,
              slg_logql_equal(parsed(same_cases[i].a), parsed(same_cases[i].b)));
}

/* Queries that differ in meaning have different trees. */
static const struct same_case different_cases[] = {
    { "name", "{a=\"b\"}", "{c=\"b\"}" },
    { "value", "{a=\"b\"}", "{a=\"c\"}" },
    { "operator", "{a=\"b\"}", "{a=~\"b\"}" },
    { "matcher count", "{a=\"b\"}", "{a=\"b\",c=\"d\"}" },
    { "line operand", "{a=\"b\"} |= \"x\"", "{a=\"b\"} |= \"x\" or \"y\"" },
    { "ip operand", "{a=\"b\"} |= \"1.1.1.1\"", "{a=\"b\"} |= ip(\"1.1.1.1\")" },
    { "line operator", "{a=\"b\"} |= \"x\"", "{a=\"b\"} |~ \"x\"" },
    { "stage order", "{a=\"b\"} | json | logfmt", "{a=\"b\"} | logfmt | json" },
    { "and and or", "{a=\"b\"} | x=\"1\" and y=\"2\"", "{a=\"b\"} | x=\"1\" or y=\"2\"" },
    { "number and text", "{a=\"b\"} | x=1", "{a=\"b\"} | x=\"1\"" },
    { "number and duration", "{a=\"b\"} | x=1", "{a=\"b\"} | x=1s" },
    { "comparison", "{a=\"b\"} | x>1", "{a=\"b\"} | x>=1" },
    { "ip value", "{a=\"b\"} | x=ip(\"::1\")", "{a=\"b\"} | x!=ip(\"::1\")" },
    { "bytes", "{a=\"b\"} | x=1KB", "{a=\"b\"} | x=1KiB" },
    { "path", "{a=\"b\"} | json x=\"y\"", "{a=\"b\"} | json x=\"z\"" },
    { "flag", "{a=\"b\"} | logfmt", "{a=\"b\"} | logfmt --strict" },
    { "rename and template", "{a=\"b\"} | label_format x=y", "{a=\"b\"} | label_format x=\"y\"" },
    { "named and matched", "{a=\"b\"} | drop x", "{a=\"b\"} | drop x=\"\"" },
    { "drop and keep", "{a=\"b\"} | drop x", "{a=\"b\"} | keep x" },
    { "range", "rate({a=\"b\"}[1m])", "rate({a=\"b\"}[2m])" },
    { "offset", "rate({a=\"b\"}[1m])", "rate({a=\"b\"}[1m] offset -1m)" },
    { "range operator", "rate({a=\"b\"}[1m])", "bytes_rate({a=\"b\"}[1m])" },
    { "conversion", "rate({a=\"b\"} | unwrap x[1m])", "rate({a=\"b\"} | unwrap bytes(x)[1m])" },
    { "post filter", "rate({a=\"b\"} | unwrap x[1m])", "rate({a=\"b\"} | unwrap x | x>1 [1m])" },
    { "range by nothing", "max_over_time({a=\"b\"} | unwrap x[1m])",
      "max_over_time({a=\"b\"} | unwrap x[1m]) by ()" },
    { "quantile", "quantile_over_time(0.1,{a=\"b\"} | unwrap x[1m])",
      "quantile_over_time(0.2,{a=\"b\"} | unwrap x[1m])" },
    { "k", "topk(1,rate({a=\"b\"}[1m]))", "topk(2,rate({a=\"b\"}[1m]))" },
    { "grouping", "sum by (a) (vector(1))", "sum without (a) (vector(1))" },
    { "without nothing", "sum (vector(1))", "sum without () (vector(1))" },
    { "bool", "vector(1) > vector(2)", "vector(1) > bool vector(2)" },
    { "on", "vector(1) > on(a) vector(2)", "vector(1) > ignoring(a) vector(2)" },
    { "on nothing", "vector(1) > on() vector(2)", "vector(1) > vector(2)" },
    { "group", "vector(1) > on(a) group_left vector(2)",
      "vector(1) > on(a) group_right vector(2)" },
    { "include", "vector(1) > on(a) group_left vector(2)",
      "vector(1) > on(a) group_left(b) vector(2)" },
    { "signs of zero", "0", "-0.0" },
    { "replacement", "label_replace(vector(1),\"a\",\"b\",\"c\",\"d\")",
      "label_replace(vector(1),\"a\",\"e\",\"c\",\"d\")" },
};

static void test_different(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(different_cases); i++)
        CHECK(different_cases[i].name,
              !slg_logql_equal(parsed(different_cases[i].a), parsed(different_cases[i].b)));
}

/* Words that are keywords elsewhere. */
static void test_words_as_labels(void **state)
{
    static const char *const queries[] = {
        "{rate=\"x\",sum=\"y\",ip=\"z\",vector=\"a\",label_replace=\"b\",topk=\"c\"}",
        "sum by (rate, count, duration, bytes) (rate({max=\"x\"} | unwrap bytes [1m]))",
        "{a=\"b\"} | json min, max=\"x\" | duration > 1s | bytes > 1KB | ip = ip(\"::1\")",
        ("{a=\"b\"} | label_format rate=bytes | drop sum, avg=\"1\" | xml = \"y\" | variants = "
         "\"z\""),
        "{\xC3\xA9t\xC3\xA9=\"b\"}",
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(queries); i++)
        (void)parsed(queries[i]);
}

static void test_tree(void **state)
{
    const struct slg_logql_expr *expr = parsed(
        "topk(3,\n  quantile_over_time(0.9, {a=\"b\", c=~\"d.*\"} |= \"x\" or ip(\"::1\") |\n"
        "  json e=\"f[0]\" | unwrap duration(g) | h!=\"\" [5m] offset -1h) by (i)) by (j, k)");
    const struct slg_logql_range_aggregation *range;

    (void)state;
    assert_int_equal(expr->kind, SLG_LOGQL_EXPR_VECTOR_AGGREGATION);
    assert_int_equal(expr->height, 2);
    assert_int_equal(expr->vector.op, SLG_LOGQL_VECTOR_TOPK);
    assert_int_equal(expr->vector.k, 3);
    assert_int_equal(expr->vector.grouping.label_count, 2);
    assert_true(slg_logql_str_is(expr->vector.grouping.labels[1], "k"));
    assert_int_equal(expr->vector.inner->kind, SLG_LOGQL_EXPR_RANGE_AGGREGATION);
    assert_int_equal(expr->vector.inner->pos.line, 2);
    assert_int_equal(expr->vector.inner->pos.col, 3);
    range = &expr->vector.inner->range;
    assert_int_equal(range->op, SLG_LOGQL_RANGE_QUANTILE);
    assert_true(range->parameter == 0.9);
    assert_int_equal(range->range_ns, INT64_C(300000000000));
    assert_int_equal(range->offset_ns, -INT64_C(3600000000000));
    assert_true(range->grouping.present);
    assert_false(range->grouping.without);
    assert_true(range->unwrap.present);
    assert_int_equal(range->unwrap.conversion, SLG_LOGQL_CONVERSION_DURATION);
    assert_true(slg_logql_str_is(range->unwrap.label, "g"));
    assert_int_equal(range->unwrap.post_filter_count, 1);
    assert_int_equal(range->unwrap.post_filters[0]->kind, SLG_LOGQL_LABEL_STRING);
    assert_int_equal(range->log.matcher_count, 2);
    assert_int_equal(range->log.matchers[1].op, SLG_LOGQL_MATCH_RE);
    assert_true(slg_logql_str_is(range->log.matchers[1].value, "d.*"));
    assert_int_equal(range->log.stage_count, 2);
    assert_int_equal(range->log.stages[0].line_filter.operand_count, 2);
    assert_true(range->log.stages[0].line_filter.operands[1].is_ip);
    assert_int_equal(range->log.stages[1].kind, SLG_LOGQL_STAGE_JSON);
    assert_int_equal(range->log.stages[1].pos.line, 2);
    assert_true(slg_logql_str_is(range->log.stages[1].extractions[0].path, "f[0]"));
}

#define NEEDS_MATCHER                                                                              \
    "parse error : queries require at least one regexp or equality matcher that does not have an " \
    "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "       \
    "app=~\".+\" will"

static const struct refused_case {
    const char *name, *query;
    enum slg_status want;
    const char *message;
} refused_cases[] = {
    { "nothing", "", SLG_INVALID, "parse error : syntax error: unexpected $end" },
    { "a blank", " ", SLG_INVALID, "parse error at line 1, col 2: syntax error: unexpected $end" },
    { "end behind a newline", "{\n", SLG_INVALID,
      "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }" },
    { "second line", "{a=\"b\"}\n| json |", SLG_INVALID,
      "parse error at line 2, col 9: syntax error: unexpected $end" },
    { "columns are characters", "{a=\"\xC3\xA9\xE2\x82\xAC\"} foo", SLG_INVALID,
      "parse error at line 1, col 10: syntax error: unexpected IDENTIFIER" },
    { "trailing comma", "{a=\"b\",}", SLG_INVALID,
      "parse error at line 1, col 8: syntax error: unexpected }, expecting IDENTIFIER" },
    { "unquoted value", "{a=b}", SLG_INVALID,
      "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER, expecting STRING" },
    { "keyword as label", "{json=\"b\"}", SLG_INVALID,
      "parse error at line 1, col 2: syntax error: unexpected json, expecting IDENTIFIER or }" },
    { "function as call", "{rate(\"b\")}", SLG_INVALID,
      "parse error at line 1, col 2: syntax error: unexpected RATE, expecting IDENTIFIER or }" },
    { "stray character", "{a=\"b\"} @", SLG_INVALID,
      "parse error at line 1, col 9: syntax error: unexpected IDENTIFIER" },
    { "dots in names", "{a.b=\"c\"}", SLG_INVALID,
      "parse error at line 1, col 3: syntax error: unexpected ., expecting = or =~ or !~ or !=" },
    { "single quotes", "{a='bc'}", SLG_INVALID,
      "parse error at line 1, col 4: invalid char literal" },
    { "size of nothing, canonically a binary number", "{a=\"b\"} | c > 0KB", SLG_INVALID,
      "parse error at line 1, col 15: binary literal has no digits" },
    { "open string", "{a=\"b", SLG_INVALID,
      "parse error at line 1, col 4: literal not terminated" },
    { "newline in a string", "{a=\"b\n\"}", SLG_INVALID,
      "parse error at line 1, col 4: literal not terminated" },
    { "bad escape", "{a=\"\\q\"}", SLG_INVALID,
      "parse error at line 1, col 4: invalid char escape" },
    { "escape of a rune too high", "{a=\"\\U00110000\"}", SLG_INVALID,
      "parse error at line 1, col 4: invalid char escape" },
    { "escape of a byte too high", "{a=\"\\400\"}", SLG_INVALID,
      "parse error at line 1, col 4: invalid char escape" },
    { "open comment", "{a=\"b\"} /* x", SLG_INVALID,
      "parse error at line 1, col 9: comment not terminated" },
    { "not UTF-8", "{a=\"b\xFF\"}", SLG_INVALID,
      "parse error at line 1, col 6: invalid UTF-8 encoding" },
    { "empty selector", "{}", SLG_INVALID, NEEDS_MATCHER },
    { "matches empty", "{a=~\"x?|y*\",b!=\"c\"}", SLG_INVALID, NEEDS_MATCHER },
    { "selector not closed", "{a!=\"\"", SLG_INVALID,
      "parse error at line 1, col 7: syntax error: unexpected $end, expecting } or ," },
    { "empty selector deep inside", "1 + sum(rate({a=\"\"}[1m]))", SLG_INVALID, NEEDS_MATCHER },
    { "syntax goes before meaning", "{} foo", SLG_INVALID,
      "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER" },
    { "regular expression goes before syntax", "{a=~\"(\"", SLG_INVALID,
      "parse error : error parsing regexp: missing closing ): `(`" },
    { "outer meaning goes before inner", "topk(0, rate({}[1m]))", SLG_INVALID,
      "parse error : invalid parameter (must be greater than 0) topk(0" },
    { "left meaning goes before right", "rate({}[1m]) + topk(0, vector(1))", SLG_INVALID,
      NEEDS_MATCHER },
    { "pipe without stage", "{a=\"b\"} | |= \"x\"", SLG_INVALID,
      "parse error at line 1, col 11: syntax error: unexpected |=" },
    { "filter without text", "{a=\"b\"} |= x", SLG_INVALID,
      "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting STRING or "
      "ip" },
    { "filter or without text", "{a=\"b\"} |= \"x\" or", SLG_INVALID,
      "parse error at line 1, col 18: syntax error: unexpected $end, expecting STRING or ip" },
    { "ip without parenthesis is a name", "{a=\"b\"} |= ip", SLG_INVALID,
      "parse error at line 1, col 12: syntax error: unexpected IDENTIFIER, expecting STRING or "
      "ip" },
    { "unknown flag", "{a=\"b\"} | logfmt --no", SLG_INVALID,
      "parse error at line 1, col 20: syntax error: unexpected IDENTIFIER, expecting NUMBER" },
    { "regexp without names", "{a=\"b\"} | regexp \"(x)\"", SLG_INVALID,
      "parse error : invalid regexp parser: at least one named capture must be supplied" },
    { "regexp with a name twice", "{a=\"b\"} | regexp \"(?P<x>.)(?P<x>.)\"", SLG_INVALID,
      "parse error : invalid regexp parser: duplicate extracted label name 'x'" },
    { "regexp with a bad name", "{a=\"b\"} | regexp \"(?P<1x>.)\"", SLG_INVALID,
      "parse error : invalid regexp parser: invalid extracted label name '1x'" },
    { "pattern without names", "{a=\"b\"} | pattern \"<_> x\"", SLG_INVALID,
      "parse error : invalid pattern parser: at least one capture is required" },
    { "pattern with neighbours", "{a=\"b\"} | pattern \"<x><_>\"", SLG_INVALID,
      "parse error : invalid pattern parser: found consecutive capture '<x><_>': invalid "
      "expression" },
    { "pattern with a name twice", "{a=\"b\"} | pattern \"<x> <x>\"", SLG_INVALID,
      "parse error : invalid pattern parser: duplicate capture name (x): invalid expression" },
    { "label filter without value", "{a=\"b\"} | x>", SLG_INVALID,
      "parse error at line 1, col 13: syntax error: unexpected $end" },
    { "label filter by regexp of number", "{a=\"b\"} | x=~5", SLG_INVALID,
      "parse error at line 1, col 14: syntax error: unexpected NUMBER, expecting STRING" },
    { "number out of range", "{a=\"b\"} | x>1e400", SLG_INVALID,
      "parse error : unable to parse literal as a float: strconv.ParseFloat: parsing \"1e400\": "
      "value out of range" },
    { "exponent without digits", "{a=\"b\"} | x>1e", SLG_INVALID,
      "parse error at line 1, col 13: exponent has no digits" },
    { "exponent of two", "{a=\"b\"} | x>1P2", SLG_INVALID,
      "parse error at line 1, col 13: 'P' exponent requires hexadecimal mantissa" },
    { "a size that is an exponent", "{a=\"b\"} | x>5PB", SLG_INVALID,
      "parse error at line 1, col 13: 'P' exponent requires hexadecimal mantissa" },
    { "binary without digits", "{a=\"b\"} | x>0B", SLG_INVALID,
      "parse error at line 1, col 13: binary literal has no digits" },
    { "octal digit", "{a=\"b\"} | x>0o8", SLG_INVALID,
      "parse error at line 1, col 13: invalid digit '8' in octal literal" },
    { "leading zero", "{a=\"b\"} | x>018", SLG_INVALID,
      "parse error at line 1, col 13: invalid digit '8' in octal literal" },
    { "binary digit", "{a=\"b\"} | x>0b12", SLG_INVALID,
      "parse error at line 1, col 13: invalid digit '2' in binary literal" },
    { "point behind a prefix", "{a=\"b\"} | x>0b1.1", SLG_INVALID,
      "parse error at line 1, col 13: invalid radix point in binary literal" },
    { "prefix with exponent", "{a=\"b\"} | x>0b1e1", SLG_INVALID,
      "parse error at line 1, col 13: 'e' exponent requires decimal mantissa" },
    { "underscores", "{a=\"b\"} | x>1__0", SLG_INVALID,
      "parse error at line 1, col 13: '_' must separate successive digits" },
    { "underscore last", "{a=\"b\"} | x>1_", SLG_INVALID,
      "parse error at line 1, col 13: '_' must separate successive digits" },
    { "hexadecimal", "0x10", SLG_INVALID,
      "parse error : unable to parse literal as a float: strconv.ParseFloat: parsing \"0x10\": "
      "invalid syntax" },
    { "unwrap in a log query", "{a=\"b\"} | unwrap x", SLG_INVALID,
      "parse error at line 1, col 11: syntax error: unexpected unwrap" },
    { "stage behind unwrap", "rate({a=\"b\"} | unwrap x | json [1m])", SLG_INVALID,
      "parse error at line 1, col 27: syntax error: unexpected json, expecting IDENTIFIER or (" },
    { "stages on both sides of the range", "rate({a=\"b\"} | json [1m] | json)", SLG_INVALID,
      "parse error at line 1, col 26: syntax error: unexpected |, expecting )" },
    { "stage behind the range of a parenthesis", "rate(({a=\"b\"})[1m] | json)", SLG_INVALID,
      "parse error at line 1, col 22: syntax error: unexpected json, expecting unwrap" },
    { "range missing", "rate({a=\"b\"})", SLG_INVALID,
      "parse error at line 1, col 13: syntax error: unexpected )" },
    { "range empty", "rate({a=\"b\"}[])", SLG_INVALID,
      "parse error at line 1, col 13: empty duration string" },
    { "range with fraction", "rate({a=\"b\"}[1.5m])", SLG_INVALID,
      "parse error at line 1, col 13: unknown unit \".\" in duration \"1.5m\"" },
    { "range with blank", "rate({a=\"b\"}[ 5m])", SLG_INVALID,
      "parse error at line 1, col 13: not a valid duration string: \" 5m\"" },
    { "units out of order", "rate({a=\"b\"}[5m1h])", SLG_INVALID,
      "parse error at line 1, col 13: not a valid duration string: \"5m1h\"" },
    { "range too long", "rate({a=\"b\"}[300y])", SLG_INVALID,
      "parse error at line 1, col 13: duration out of range" },
    { "range not closed", "rate({a=\"b\"}[5m", SLG_INVALID,
      "parse error at line 1, col 13: missing closing ']' in duration" },
    { "variable in a range", "rate({a=\"b\"}[$__rate_interval])", SLG_INVALID,
      "parse error at line 1, col 13: not a valid duration string: \"$__rate_interval\"" },
    { "variable elsewhere", "topk($k, vector(1))", SLG_INVALID,
      "parse error at line 1, col 6: syntax error: unexpected variable $k" },
    { "offset without duration", "rate({a=\"b\"}[5m] offset)", SLG_INVALID,
      "parse error at line 1, col 24: syntax error: unexpected ), expecting DURATION" },
    { "offset outside", "rate({a=\"b\"}[5m]) offset 5m", SLG_INVALID,
      "parse error at line 1, col 19: syntax error: unexpected offset" },
    { "log query in an aggregation", "sum({a=\"b\"})", SLG_INVALID,
      "parse error at line 1, col 12: syntax error: unexpected )" },
    { "log query on the left", "{a=\"b\"} | json + 1", SLG_INVALID,
      "parse error : unexpected type for left leg of binary operation (+): *syntax.PipelineExpr" },
    { "log query on the right", "1 + ({a=\"b\"})", SLG_INVALID,
      "parse error : unexpected type for right leg of binary operation (+): *syntax.MatchersExpr" },
    { "literal in a set operation", "vector(1) unless 2", SLG_INVALID,
      "parse error : unexpected literal for right leg of logical/set binary operation (unless): "
      "2.000000" },
    { "group without on", "vector(1) / group_left vector(2)", SLG_INVALID,
      "parse error at line 1, col 13: syntax error: unexpected group_left" },
    { "unwrap not allowed", "count_over_time({a=\"b\"} | unwrap x [5m])", SLG_INVALID,
      "parse error : invalid aggregation count_over_time with unwrap" },
    { "unwrap needed", "rate_counter({a=\"b\"}[5m])", SLG_INVALID,
      "parse error : invalid aggregation rate_counter without unwrap" },
    { "grouping not allowed", "rate({a=\"b\"}[5m]) by (x)", SLG_INVALID,
      "parse error : grouping not allowed for rate aggregation" },
    { "parameter needed", "quantile_over_time({a=\"b\"} | unwrap x [5m])", SLG_INVALID,
      "parse error : parameter required for operation quantile_over_time" },
    { "parameter not allowed", "rate(5, {a=\"b\"}[5m])", SLG_INVALID,
      "parse error : parameter 5 not supported for operation rate" },
    { "k needed", "topk(vector(1))", SLG_INVALID,
      "parse error : parameter required for operation topk" },
    { "k not whole", "bottomk(1.5, vector(1))", SLG_INVALID,
      "parse error : invalid parameter bottomk(1.5," },
    { "k too large", "topk(9223372036854775808, vector(1))", SLG_INVALID,
      "parse error : invalid parameter topk(9223372036854775808," },
    { "k not allowed", "sum(5, vector(1))", SLG_INVALID,
      "parse error : unsupported parameter for operation sum(5," },
    { "approx_topk with grouping", "approx_topk(5, vector(1)) by ()", SLG_INVALID,
      "parse error : grouping not allowed for approx_topk aggregation" },
    { "sort with grouping", "sort(vector(1)) without (x)", SLG_INVALID,
      "parse error : sort and sort_desc doesn't allow grouping by " },
    { "two groupings", "sum by (a) (vector(1)) by (b)", SLG_INVALID,
      "parse error at line 1, col 24: syntax error: unexpected by" },
    { "label_replace with a bad regexp", "label_replace(vector(1),\"a\",\"b\",\"c\",\"[\")",
      SLG_INVALID,
      "parse error : invalid regex in label_replace: error parsing regexp: missing closing ]: "
      "`[)$`" },
    { "vector of an expression", "vector(1+1)", SLG_INVALID,
      "parse error at line 1, col 9: syntax error: unexpected +, expecting )" },
    { "xml", "{a=\"b\"} | xml", SLG_UNSUPPORTED, "parse error : xml is not supported by Silage" },
    { "variants", "variants(rate({a=\"b\"}[1m])) of ({a=\"b\"}[1m])", SLG_UNSUPPORTED,
      "parse error : variants is not supported by Silage" },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(refused_cases); i++) {
        const struct refused_case *row = &refused_cases[i];
        const struct slg_logql_expr *expr = (const void *)row; /* the sentinel */
        struct slg_error error = { 0 };

        CHECK(row->name, parse(row->query, strlen(row->query), &expr, &error) == row->want);
        CHECK(row->name, expr == (const void *)row);
        CHECK(row->name, error.status == row->want);
        if (strcmp(error.message, row->message) != 0)
            print_error("got  %s\nwant %s\n", error.message, row->message);
        CHECK(row->name, strcmp(error.message, row->message) == 0);
        CHECK(row->name, parse(row->query, strlen(row->query), &expr, NULL) == row->want);
    }
}

/* A query with `open` count times, `middle`, `close` count times. */
static char *nested(const char *open, size_t count, const char *middle, const char *close,
                    size_t *ret_len)
{
    size_t open_len = strlen(open);
    size_t middle_len = strlen(middle);
    size_t close_len = strlen(close);
    char *text = malloc(count * (open_len + close_len) + middle_len);
    char *p = text;

    assert_non_null(text);
    for (size_t i = 0; i < count; i++, p += open_len)
        memcpy(p, open, open_len);
    memcpy(p, middle, middle_len);
    p += middle_len;
    for (size_t i = 0; i < count; i++, p += close_len)
        memcpy(p, close, close_len);
    *ret_len = (size_t)(p - text);
    return text;
}

static const struct bound_case {
    const char *name, *open, *middle, *close;
    size_t fits, over; /* counts */
} bound_cases[] = {
    { "parentheses", "(", "vector(1)", ")", 240, 300 },
    { "parentheses without end", "(", "", "", 0, 100000 },
    { "parentheses of a label filter", "", "{a=\"b\"} | ", "(", 0, 100000 },
    { "parentheses of a range", "rate(", "({a=\"b\"}[1m])", ")", 1, 0 },
    { "open parentheses of a range", "", "rate(", "(", 0, 100000 },
    { "aggregations", "sum(", "vector(1)", ")", 240, 300 },
    { "operators from the left", "", "vector(1)", "+vector(1)", 240, 300 },
    { "operators from the right", "vector(1)^", "vector(1)", "", 240, 300 },
    { "literals fold, so they are not deep", "", "1", "+1", 60000, 0 },
    { "label filters", "", "{a=\"b\"} | c=1", " or c=1", 240, 300 },
    { "label filters with commas", "", "{a=\"b\"} | c=1", ",c=1", 240, 300 },
    { "stages", "", "{a=\"b\"}", "|=\"\"", 1000, 1001 },
    { "negated alternatives are stages", "", "{a=\"b\"}!=\"\"", "or\"\"", 999, 1000 },
    { "alternatives are not", "", "{a=\"b\"}|=\"\"", "or\"\"", 20000, 0 },

    { "length", "", "{a=\"b\"} #", "x", 131062, 131063 },
};

static void test_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(bound_cases); i++) {
        const struct bound_case *row = &bound_cases[i];
        const struct slg_logql_expr *expr;
        struct slg_error error = { 0 };
        size_t len;
        char *text = nested(row->open, row->fits, row->middle, row->close, &len);

        if (row->fits > 0)
            CHECK(row->name, parse(text, len, &expr, &error) == SLG_OK);
        free(text);
        slg_arena_reset(arena);
        text = nested(row->open, row->over, row->middle, row->close, &len);
        if (row->over > 0) {
            CHECK(row->name, parse(text, len, &expr, &error) == SLG_LIMIT);
            CHECK(row->name, strncmp(error.message, "parse error : ", 14) == 0);
        }
        free(text);
        slg_arena_reset(arena);
    }
}

/* Every budget below what the query needs gives SLG_LIMIT, never a crash. */
static void test_small_arena(void **state)
{
    static const char query[] =
        "sum by (a, b) (rate({c=~\"d.*\", e!=\"f\"} |= \"g\" or ip(\"::1\") | json h=\"i\" | j>5 "
        "or k=\"l\" | "
        "label_format m=n,o=\"{{.p}}\" | drop q, r=\"s\" [5m])) / on (t) group_left (u) "
        "label_replace(max_over_time({v=\"w\"} | unwrap bytes(x) | y=\"z\" "
        "[1m]),\"a\",\"b\",\"c\",\"d\")";
    size_t refused = 0;

    (void)state;
    for (size_t budget = 64; budget < 20000; budget += 64) {
        struct slg_arena *small = slg_arena_create(budget);
        const struct slg_logql_expr *expr;
        struct slg_error error;
        enum slg_status status = slg_logql_parse(small, query, strlen(query), &expr, &error);

        assert_true(status == SLG_OK || status == SLG_LIMIT);
        if (status == SLG_LIMIT) {
            assert_non_null(strstr(error.message, "bytes of memory"));
            refused++;
        }
        slg_arena_destroy(small);
    }
    assert_true(refused > 20);
    assert_true(refused < 300);
}

static void test_selector(void **state)
{
    static const struct {
        const char *name, *text;
        bool allow_empty;
        enum slg_status want;
    } cases[] = {
        { "plain", "{a=\"b\"}", false, SLG_OK },
        { "empty", "{}", false, SLG_INVALID },
        { "empty allowed", "{}", true, SLG_OK },
        { "everything allowed", "{a=~\".*\"}", true, SLG_OK },
        { "with a filter", "{a=\"b\"} |= \"x\"", true, SLG_INVALID },
        { "a metric", "vector(1)", true, SLG_INVALID },
        { "broken", "{a", true, SLG_INVALID },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct slg_logql_log *log = NULL;
        struct slg_error error = { 0 };
        enum slg_status status = slg_logql_parse_selector(
            arena, cases[i].text, strlen(cases[i].text), cases[i].allow_empty, &log, &error);

        CHECK(cases[i].name, status == cases[i].want);
        CHECK(cases[i].name, (log != NULL) == (status == SLG_OK));
        CHECK(cases[i].name, (error.message[0] != '\0') == (status != SLG_OK));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(test_different, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(test_words_as_labels, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(test_tree, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(test_refused, make_arena, drop_arena),
        cmocka_unit_test_setup_teardown(test_bounds, make_arena, drop_arena),
        cmocka_unit_test(test_small_arena),
        cmocka_unit_test_setup_teardown(test_selector, make_arena, drop_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
