/* Promises of logql/pipe/pipe.h: what a pipeline makes of an entry. Oracle: answers recorded from a Loki (the same
 * rules on other data), and the written rules of Loki's documentation.
 * Covers: logql/pipe/context.c logql/pipe/extract.c logql/pipe/json.c logql/pipe/json_scan.c logql/pipe/label_filter.c
 * Covers: logql/pipe/line_filter.c logql/pipe/logfmt.c logql/pipe/pattern.c logql/pipe/result.c logql/pipe/template.c */
#include "tests/helper/pipe.h"

#define JSON_LINE                                                                                  \
    "{\"level\":\"warn\",\"app\":\"inner\",\"a\":{\"b\":{\"c-d\":1.0}},\"list\":[1,{\"x\":\"y\"}]" \
    ","                                                                                            \
    "\"no\":null,\"ok\":false,\"1st\":\"z\",\"t\":\"q\\u0041\\n\"}"

static const struct test_pipe_row rows[] = {
    { "no stage", { "{app=\"x\"}", "app=x", "m=1", "hello", 0 }, "hello | app=x m=1" },
    { "metadata collides",
      { "{app=\"x\"}", "app=x", "app=y", "l", 0 },
      "l | app=x app_extracted=y" },
    { "json",
      { "{app=\"x\"} | json", "app=x", "", JSON_LINE, 0 },
      JSON_LINE " | _1st=z a_b_c_d=1.0 app=x app_extracted=inner level=warn ok=false t=qA\n" },
    { "json first of equal keys",
      { "{app=\"x\"} | json", "app=x", "", "{\"k\":1,\"k\":2}", 0 },
      "{\"k\":1,\"k\":2} | app=x k=1" },
    { "json error keeps what was found",
      { "{app=\"x\"} | json", "app=x", "", "{\"k\":1,x}", 0 },
      "{\"k\":1,x} | __error__=JSONParserErr __error_details__=* app=x k=1" },
    { "json endless member gives nothing",
      { "{app=\"x\"} | json", "app=x", "", "{\"k\":{\"a\":1,\"b\":2", 0 },
      "{\"k\":{\"a\":1,\"b\":2 | __error__=JSONParserErr __error_details__=* app=x" },
    { "json array at top",
      { "{app=\"x\"} | json", "app=x", "", "[1]", 0 },
      "[1] | __error__=JSONParserErr __error_details__=* app=x" },
    { "json text after the object",
      { "{app=\"x\"} | json", "app=x", "", "{\"k\":1} }x", 0 },
      "{\"k\":1} }x | app=x k=1" },
    { "json empty names",
      { "{app=\"x\"} | json", "app=x", "", "{\"\":1,\" \":2,\"a\":{\"\":3}}", 0 },
      "{\"\":1,\" \":2,\"a\":{\"\":3}} | a=3 app=x" },
    { "json member that the stream has: its key is suffixed as it was written",
      { "{a_x=\"x\"} | json", "a=s a_x=s a_y=s", "", "{\"a\":{\"\":1,\"x\":2,\" y \":3},\" a \":4}",
        0 },
      "{\"a\":{\"\":1,\"x\":2,\" y \":3},\" a \":4} | a=s a__extracted=1 a_extracted=4 a_x=s "
      "a_x_extracted=2 a_y=s a_y__extracted=3" },
    { "json paths",
      { "{app=\"x\"} | json v=\"a.b[\\\"c-d\\\"]\", l=\"list\", e=\"list[1].x\", n=\"nope\", "
        "o=\"a\"",
        "app=x", "", JSON_LINE, 0 },
      JSON_LINE " | app=x e=y l=[1,{\"x\":\"y\"}] n= o={\"b\":{\"c-d\":1.0}} v=1.0" },
    { "json path error",
      { "{app=\"x\"} | json a=\"b..c\"", "app=x", "", "", 0 },
      "error: parse error : stage '| json a=\"b..c\"' : cannot parse expression [b..c]: syntax "
      "error: unexpected DOT, expecting FIELD" },
    { "json path with spaces, largest index",
      { "{app=\"x\"} | json a=\" l [ 1 ] . k \", b=\"l[9223372036854775807]\"", "app=x", "",
        "{\"l\":[0,{\"k\":5}]}", 0 },
      "{\"l\":[0,{\"k\":5}]} | a=5 app=x b=" },
    { "logfmt",
      { "{app=\"x\"} | logfmt", "app=x", "", "a=1 b=\"two \\\"x\\\"\" c c2= d=e=f a=2 =g", 0 },
      "a=1 b=\"two \\\"x\\\"\" c c2= d=e=f a=2 =g | a=1 app=x b=two \"x\"" },
    { "logfmt keeps empty",
      { "{app=\"x\"} | logfmt --keep-empty", "app=x", "", "a b= c=1", 0 },
      "a b= c=1 | a= app=x b= c=1" },
    { "logfmt strict",
      { "{app=\"x\"} | logfmt --strict", "app=x", "", "a=1 b=c=d e=2", 0 },
      "a=1 b=c=d e=2 | __error__=LogfmtParserErr __error_details__=* a=1 app=x" },
    { "logfmt expressions",
      { "{app=\"x\"} | logfmt z=\"a\", y=\"no\"", "app=x", "", "a=1 b=2", 0 },
      "a=1 b=2 | app=x y= z=1" },
    { "logfmt expressions: the last of a label counts, quotes and parts",
      { "{app=\"x\"} | logfmt z=\"a\", z=\"b\", q=\"\\\"a\", p=\"a \\\"b\\\"\"", "app=x", "",
        "a=1 b=2", 0 },
      "a=1 b=2 | app=x p= q=1 z=2" },
    { "logfmt expressions: values that are not all characters are empty",
      { "{app=\"x\"} | logfmt z=\"a\", y=\"b\"", "app=x", "", "a=1\357\277\2752 b=\303\274", 0 },
      "a=1\357\277\2752 b=\303\274 | app=x y=\303\274 z=" },
    { "logfmt expression error",
      { "{app=\"x\"} | logfmt a=\"k.z\"", "app=x", "", "", 0 },
      "error: parse error : stage '| logfmt a=\"k.z\"' : cannot parse expression [k.z]: unexpected "
      "char ." },
    { "regexp",
      { "{app=\"x\"} | regexp \"(?P<ip>\\\\S+) (?P<w>\\\\d+)?\"", "app=x", "", "1.2.3.4 x", 0 },
      "1.2.3.4 x | app=x ip=1.2.3.4 w=" },
    { "pattern",
      { "{app=\"x\"} | pattern \"<ip> - <user> [<_>] <rest>\"", "app=x", "",
        "1.1.1.1 - bob [now] GET /", 0 },
      "1.1.1.1 - bob [now] GET / | app=x ip=1.1.1.1 rest=GET / user=bob" },
    { "pattern that stops early",
      { "{app=\"x\"} | pattern \"<a>;<b>;<c>\"", "app=x", "", "1;2", 0 },
      "1;2 | a=1 app=x b=2" },
    { "unpack",
      { "{app=\"x\"} | unpack", "app=x", "", "{\"app\":\"y\",\"_entry\":\"in\\\"ner\",\"n\":1}",
        0 },
      "in\"ner | app=x app_extracted=y" },
    { "unpack beside metadata",
      { "{app=\"x\"} | unpack", "app=x", "m=1", "{\"m\":\"2\",\"_entry\":\"l\"}", 0 },
      "l | app=x m=1 m_extracted=2" },
    { "unpack over a parsed label",
      { "{app=\"x\"} | json | unpack", "app=x", "", "{\"m\":\"2\",\"_entry\":\"l\"}", 0 },
      "l | _entry=l app=x m=2" },
    { "unpack of a name to clean",
      { "{a_b=\"x\"} | unpack", "a_b=x", "", "{\"a-b\":\"2\",\"_entry\":\"l\"}", 0 },
      "l | a_b=2" },
    { "unpack: the key as it was written is suffixed, the last of a name wins",
      { "{a_b=\"x\"} | unpack", "a_b=s z=s", "m=d",
        "{\"a-b\":\"1\",\"k\":\"2\",\"m\":\"3\",\"z\":\"4\",\"k\":\"5\",\"_entry\":\"e\"}", 0 },
      "e | a_b=1 k=5 m=d m_extracted=3 z=s z_extracted=4" },
    { "unpack leaves what an earlier parser found",
      { "{app=\"x\"} | json | unpack", "app=x", "", "{\"k\":\"1\",\"k\":\"2\",\"_entry\":\"e\"}",
        0 },
      "e | _entry=e app=x k=1" },
    { "unpack without entry",
      { "{app=\"x\"} | unpack", "app=x", "", "{\"a\":\"y\"}", 0 },
      "{\"a\":\"y\"} | app=x" },
    { "line_format",
      { "{app=\"x\"} | logfmt | line_format \"{{.a}}-{{.no}}-{{.app}}\"", "app=x", "", "a=1", 0 },
      "1--x | a=1 app=x" },
    { "label_format",
      { "{app=\"x\"} | logfmt | label_format b=a, c=\"{{.b}}{{.a}}!\", d=\"{{.c}}\"", "app=x", "",
        "a=1", 0 },
      "a=1 | app=x b=1 c=1! d=" },
    { "template error keeps line",
      { "{app=\"x\"} | line_format \"{{ div 1 0 }}\"", "app=x", "", "l", 0 },
      "l | __error__=TemplateFormatErr __error_details__=* app=x" },
    { "drop and keep",
      { "{app=\"x\"} | logfmt | drop a, b=\"2\" | keep app, c", "app=x", "", "a=1 b=2 c=3 d=4", 0 },
      "a=1 b=2 c=3 d=4 | app=x c=3" },
    { "drop error",
      { "{app=\"x\"} | json | drop __error__, __error_details__", "app=x", "", "no", 0 },
      "no | app=x" },
    { "decolorize",
      { "{app=\"x\"} | decolorize", "app=x", "", "\033[1;31mred\033[0m \033[38;5;208mx\033[K", 0 },
      "red x | app=x" },
    { "line filters go before decolorize",
      { "{app=\"x\"} | decolorize |= \"[1;31m\"", "app=x", "", "\033[1;31mred\033[0m", 0 },
      "red | app=x" },
    { "line filter after line_format",
      { "{app=\"x\"} | line_format \"abc\" |= \"b\" != \"x\"", "app=x", "", "x", 0 },
      "abc | app=x" },
    { "number filter",
      { "{app=\"x\"} | logfmt | a > 5", "app=x", "", "a=1e1", 0 },
      "a=1e1 | a=1e1 app=x" },
    { "number filter, missing label",
      { "{app=\"x\"} | logfmt | b > 5", "app=x", "", "a=1", 0 },
      "dropped" },
    { "number filter, no number",
      { "{app=\"x\"} | logfmt | a > 5", "app=x", "", "a=0x1F", 0 },
      "a=0x1F | __error__=LabelFilterErr __error_details__=* a=0x1F app=x" },
    { "duration and bytes",
      { "{app=\"x\"} | logfmt | d > 1s and s >= 20KB", "app=x", "", "d=1m0.5s s=20kB", 0 },
      "d=1m0.5s s=20kB | app=x d=1m0.5s s=20kB" },
    { "ip label filter",
      { "{app=\"x\"} | logfmt | a = ip(\"10.0.0.0/8\")", "app=x", "", "a=10.2.3.4", 0 },
      "a=10.2.3.4 | a=10.2.3.4 app=x" },
    { "string filter on a missing label",
      { "{app=\"x\"} | b=\"\"", "app=x", "", "l", 0 },
      "l | app=x" },
    { "filters while parsing",
      { "{app=\"x\"} | logfmt | label_format a=\"2\" | a=\"2\"", "app=x", "", "a=1", 0 },
      "dropped" },
    { "error filter", { "{app=\"x\"} | json | __error__=\"\"", "app=x", "", "no", 0 }, "dropped" },
    { "count",
      { "count_over_time({app=\"x\"} | logfmt [1m])", "app=x", "", "a=1", 0 },
      "1 | a=1 app=x" },
    { "sum needs no labels",
      { "sum(count_over_time({app=\"x\"} | json [1m]))", "app=x", "", "no", 0 },
      "1 |" },
    { "logfmt by a key that the line has",
      { "sum by (level) (count_over_time({app=\"x\"} | logfmt [1m]))", "app=x", "",
        "a=\"level=no\" level=info", 0 },
      "1 | level=info" },
    { "logfmt by a key that the line has not",
      { "sum by (level) (count_over_time({app=\"x\"} | logfmt [1m]))", "app=x", "", "a=1", 0 },
      "1 |" },
    { "logfmt by a key that the stream has",
      { "sum by (level) (count_over_time({app=\"x\"} | logfmt [1m]))", "app=x level=s", "",
        "level=info", 0 },
      "1 | level=s" },
    { "logfmt by a key that is written in another way",
      { "sum by (a_b) (count_over_time({app=\"x\"} | logfmt [1m]))", "app=x", "", "a.b=1", 0 },
      "1 | a_b=1" },
    { "logfmt by two keys of which one is there",
      { "sum by (k, level) (count_over_time({app=\"x\"} | logfmt [1m]))", "app=x", "", "k=1", 0 },
      "1 | k=1" },
    { "strict logfmt by a key that the line has not",
      { "sum by (level) (count_over_time({app=\"x\"} | logfmt --strict [1m]))", "app=x", "",
        "a=b=", 0 },
      "1 | __error__=LogfmtParserErr __error_details__=* app=x | fails with LogfmtParserErr" },
    { "sum by meets the error",
      { "sum by (level) (count_over_time({app=\"x\"} | json [1m]))", "app=x", "", "no", 0 },
      "1 | __error__=JSONParserErr __error_details__=* app=x | fails with JSONParserErr" },
    { "sum by stops when it knows",
      { "sum by (level) (count_over_time({app=\"x\"} | json [1m]))", "app=x", "",
        "{\"level\":\"a\",x", 0 },
      "1 | level=a" },
    { "sum by stream label",
      { "sum by (app) (rate({app=\"x\"}[1m]))", "app=x b=y", "", "l", 0 },
      "1 | app=x" },
    { "sum without",
      { "sum without (app) (rate({app=\"x\"}[1m]))", "app=x b=y", "m=1", "l", 0 },
      "1 | b=y m=1" },
    { "bytes", { "bytes_over_time({app=\"x\"}[1m])", "app=x", "", "12345", 0 }, "5 | app=x" },
    { "unwrap",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap a [1m])", "app=x", "", "a=2.5 b=1", 0 },
      "2.5 | app=x b=1" },
    { "unwrap duration",
      { "max_over_time({app=\"x\"} | logfmt | unwrap duration(a) [1m]) by (b)", "app=x", "",
        "a=1m30s b=1", 0 },
      "90 | b=1" },
    { "unwrap bytes",
      { "max_over_time({app=\"x\"} | logfmt | unwrap bytes(a) [1m]) by (b)", "app=x", "", "a=2KiB",
        0 },
      "2048 |" },
    { "unwrap missing",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap z [1m])", "app=x", "", "a=2", 0 },
      "dropped" },
    { "unwrap bad",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap a [1m])", "app=x", "", "a=x", 0 },
      "0 | __error__=SampleExtractionErr __error_details__=* a=x app=x | fails with "
      "SampleExtractionErr" },
    { "label_format of an entry without labels looks again until there is one",
      { "{app=\"x\"} | drop app | label_format p=\"1\", q=\"{{.p}}2\", r=\"{{.q}}3\"", "app=x", "",
        "l", 0 },
      "l | p=1 q=12 r=3" },
    { "bad ip pattern of a stage",
      { "{app=\"x\"} | (a!=ip(\"rubbish\"))", "app=x", "", "l", 0 },
      "error: parse error : stage '| a!=ip(\"rubbish\")' : ip: invalid pattern: \"rubbish\"" },
    { "bad ip pattern beside another filter is never true",
      { "{app=\"x\"} | logfmt | a!=ip(\"rubbish\") or b=\"2\"", "app=x", "", "a=1.1.1.1 b=3", 0 },
      "dropped" },
    { "bad ip pattern beside a filter that goes wrong is true",
      { "{app=\"x\"} | logfmt | b>1 and a=ip(\"rubbish\")", "app=x", "", "a=1.1.1.1 b=z", 0 },
      "a=1.1.1.1 b=z | __error__=LabelFilterErr __error_details__=* a=1.1.1.1 app=x b=z" },
    { "bad ip pattern behind unwrap",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap b | a=ip(\"rubbish\") [1m])", "app=x", "",
        "a=1.1.1.1 b=3", 0 },
      "dropped" },
    { "a label __error__ is an error too",
      { "count_over_time({app=\"x\"} | json [1m])", "app=x", "", "{\"_\":{\"error__\":\"odd\"}}",
        0 },
      "1 | __error__=odd app=x | fails with odd" },
    { "a label __error__ of the stream",
      { "count_over_time({app=\"x\"} | __error__=\"\" [1m])", "__error__=odd app=x", "", "l", 0 },
      "1 | __error__=odd app=x | fails with odd" },
    { "a label __error__ that grouping takes away",
      { "sum by (k) (count_over_time({app=\"x\"} | json [1m]))", "app=x", "",
        "{\"k\":1,\"__error__\":\"odd\"}", 0 },
      "1 | k=1" },
    { "an error that the line wants preserved",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap a [1m])", "app=x", "",
        "a=x __preserve_error__=true", 0 },
      "0 | __error__=SampleExtractionErr __error_details__=* __preserve_error__=true a=x app=x" },
    { "an error that a filter wants to see is preserved if it is a parser's",
      { "sum(count_over_time({app=\"x\"} | json | __error__!=\"\" [1m]))", "app=x", "", "no", 0 },
      "1 | __error__=JSONParserErr __error_details__=* __preserve_error__=true app=x" },
    { "an error that a filter wants to see is not preserved if it is unwrap's",
      { "sum by (__error__) (sum_over_time({app=\"x\"} | logfmt | unwrap a [1m]))", "app=x", "",
        "a=x", 0 },
      "0 | __error__=SampleExtractionErr __error_details__=* a=x app=x | fails with "
      "SampleExtractionErr" },
    { "unwrap bad, filtered",
      { "sum_over_time({app=\"x\"} | logfmt | unwrap a | __error__=\"\" [1m])", "app=x", "", "a=x",
        0 },
      "dropped" },
    { "line_format that nobody sees is not run",
      { "count_over_time({app=\"x\"} | line_format \"{{ div 1 0 }}\" [1m])", "app=x", "", "l", 0 },
      "1 | app=x" },
    { "bad regexp",
      { "{app=\"x\"} |~ \"[z-a]\"", "app=x", "", "", 0 },
      "error: parse error : stage '|~ \"[z-a]\"' : error parsing regexp: invalid character class "
      "range: `z-a`" },
    { "bad template",
      { "{app=\"x\"} | line_format \"{{end}}\"", "app=x", "", "", 0 },
      "error: parse error : stage '| line_format \"{{end}}\"' : invalid line template: template: "
      "line:1: unexpected {{end}}" },
    { "ip of a regex filter",
      { "{app=\"x\"} |~ ip(\"10.0.0.1\")", "app=x", "", "", 0 },
      "error: parse error : stage '|~ ip(\"10.0.0.1\")' : ip: invalid operation" },
    { "bad utf-8 becomes a space",
      { "{app=\"x\"} | logfmt", "app=x", "", "a=\"x\xffy\"", 0 },
      "a=\"x\xffy\" | a=x y app=x" },
};

static void test_rows(void **state)
{
    (void)state;
    test_pipe_rows(rows, SLG_ARRAY_LEN(rows));
}

/* A line cannot use more memory than the budget: what explodes becomes that line's error. */
static void test_hostile_lines(void **state)
{
    static const size_t len = 200000;
    char *line = malloc(len + 1);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, (size_t)64 << 20);
    for (int kind = 0; kind < 4; kind++) {
        static const char *const parts[] = { "{\"a\":", "[", "{\"k\":{\"looooong\":{", "a=b " };
        static const char *const queries[] = { "{app=\"x\"} | json", "{app=\"x\"} | json a=\"b\"",
                                               "{app=\"x\"} | json", "{app=\"x\"} | logfmt" };
        struct test_entry entry = {
            .query = queries[kind], .stream = "app=x", .metadata = "", .line = line, .line_len = len
        };

        for (size_t i = 0; i < len; i++)
            line[i] = parts[kind][i % strlen(parts[kind])];
        line[len] = '\0';
        test_run(&entry, &out);
        assert_true(strcmp((const char *)out.data, "dropped") != 0);
    }
    slg_buf_fini(&out);
    free(line);
}

static void test_literals(void **state)
{
    static const struct {
        const char *name, *query, *want;
    } literal_rows[] = {
        { "plain", "{a=\"b\"} |= \"needle\"", "needle" },
        { "longest first", "{a=\"b\"} |= \"ab\" |= \"longer\"", "longer" },
        { "regex", "{a=\"b\"} |~ `status=\\w+ x`", "status=" },
        { "pattern", "{a=\"b\"} |> \"<_> took <_>\"", " took " },
        { "or has none", "{a=\"b\"} |= \"x\" or \"y\"", "" },
        { "negated has none", "{a=\"b\"} != \"x\"", "" },
        { "folded has none", "{a=\"b\"} |~ \"(?i)error\"", "" },
        { "alternatives that begin alike", "{a=\"b\"} |~ \"user=<(no|body)\"", "user=<" },
        { "alternatives for RE2", "{a=\"b\"} |~ \"user=<(no|body)\\\\d\"", "user=<" },
        { "alternatives that share little", "{a=\"b\"} |~ \"abc(d|e)\"", "" },
        { "folded alternatives", "{a=\"b\"} |~ \"(?i)user=<(no|body)\"", "" },
        { "behind line_format", "{a=\"b\"} | line_format \"x\" |= \"x\"", "" },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(literal_rows); i++) {
        struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
        struct slg_pipe_options options = { 0 };
        const struct slg_logql_expr *expr;
        struct slg_text literal = { 0 };
        struct slg_pipe *pipe;

        assert_int_equal(slg_logql_parse(arena, literal_rows[i].query,
                                         strlen(literal_rows[i].query), &expr, NULL),
                         SLG_OK);
        options.log = &expr->log;
        assert_int_equal(slg_pipe_create(&options, &pipe, NULL), SLG_OK);
        (void)slg_pipe_required_literals(pipe, &literal, 1);
        CHECK(literal_rows[i].name, slg_text_equal_to(literal, literal_rows[i].want));
        slg_pipe_destroy(pipe);
        slg_arena_destroy(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_hostile_lines),
        cmocka_unit_test(test_literals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
