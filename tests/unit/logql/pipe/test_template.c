/* Promises of logql/pipe/template.h: Go's text/template with Loki's functions. Oracle: what Go 1.24 and sprig print for
 * these (Loki's documentation of templates, and recorded answers of a Loki).
 * Covers: logql/pipe/template_function.c */
#include "tests/helper/pipe.h"

static const struct template_row {
    const char *name, *tmpl, *want;
} rows[] = {
    { "text", "plain", "plain" },
    { "field", "{{.a}}/{{ .no }}/{{.app}}", "1//x" },
    { "trim", "x  {{- .a -}}  y{{/* c */}}z", "x1yz" },
    { "if", "{{if eq .a `1`}}one{{else if .b}}b{{else}}no{{end}}", "one" },
    { "else if", "{{if .no}}one{{else if .b}}b{{else}}no{{end}}", "b" },
    { "with", "{{with .no}}a{{else}}b{{end}}{{with .b}}{{.}}{{end}}", "btwo words" },
    { "range with index", "{{range $i, $c := fromJson `[1,\"x\",null]`}}{{$i}}={{$c}};{{end}}",
      "0=1;1=x;2=<no value>;" },
    { "range over a map", "{{range $k, $v := fromJson `{\"b\":2,\"a\":1.5}`}}{{$k}}{{$v}}{{end}}",
      "a1.5b2" },
    { "range over nothing", "{{range fromJson `[]`}}x{{else}}none{{end}}", "none" },
    { "range over a number", "{{range 3}}{{.}}{{end}}", "012" },
    { "break and continue",
      "{{range fromJson `[1,2,3,4]`}}{{if eq . 2.0}}{{continue}}{{end}}{{if eq . "
      "4.0}}{{break}}{{end}}{{.}}{{end}}",
      "13" },
    { "variables", "{{$x := .a}}{{if true}}{{$x = `9`}}{{end}}{{$x}}", "9" },
    { "define", "{{define `t`}}<{{.}}>{{end}}{{template `t` .a}}", "<1>" },
    { "an empty definition does not replace one",
      "{{define `t`}} {{end}}{{define `t`}}x{{end}}{{define `t`}}\n{{end}}{{template `t` .}}",
      "x" },
    { "block in a definition",
      "{{define `t`}}<{{block `u` .}}{{.}}{{end}}>{{end}}{{template `t` .a}}{{template `u` 2}}",
      "<1>2" },
    { "pipeline", "{{ .b | upper | trunc 3 | printf `%s-%s` .a }}", "1-TWO" },
    { "parentheses", "{{ mul (add 1 2) (sub 9 4) }}", "15" },
    { "and or not", "{{ and .a .no }}|{{ or .no .b }}|{{ not .no }}", "|two words|true" },
    { "comparisons", "{{lt 1 2}}{{ge 2 2}}{{ne `a` `b`}}{{eq 1 2 1}}", "truetruetruetrue" },
    { "characters are integers", "{{ print 'a' '\\xff' '\\377' '\\u00e4' '\303\244' '\377' '\"' }}",
      "97 255 255 228 228 65533 34" },
    { "integers",
      "{{ add 3 `2` }} {{ add `1.9` 1 }} {{ add `x` 1 }} {{ div -7 2 }} {{ mod -10 3 }} {{ int "
      "`0x1F` }}",
      "5 2 1 -3 -1 31" },
    { "floats",
      "{{ addf 0.1 0.2 }} {{ mulf 100000 1000 }} {{ divf 1 3 }} {{ mulf 1e20 10 }} {{ subf 5.5 2 "
      "1.5 }}",
      "0.3 1e+08 0.3333333333333333 1e+21 2" },
    { "rounding",
      "{{ ceil 123.001 }} {{ floor -1.5 }} {{ round 123.555555 3 }} {{ round -2.5 0 }} {{ round "
      "123.88571428571 5 .2 }}",
      "124 -2 123.556 -3 123.88572" },
    { "texts",
      "{{ trunc -5 `hello world` }}|{{ substr 6 11 `hello world` }}|{{ replace `l` `L` `hello` "
      "}}|{{ Replace `aaa` `a` `b` 2 }}",
      "world|world|heLLo|bba" },
    { "trunc at its borders",
      "{{ trunc 3 `abcd` }}|{{ trunc 4 `abcd` }}|{{ trunc -3 `abcd` }}|{{ trunc -4 `abcd` }}|{{ "
      "trunc 0 `a` }}|",
      "abc|abcd|bcd|abcd||" },
    { "trims",
      "{{ trim `  x ` }}|{{ trimAll `$` `$5$` }}|{{ TrimLeft `xxax` `x` }}|{{ trimPrefix `-` `--a` "
      "}}",
      "x|5|ax|-a" },
    { "case", "{{ title `hello wörld foo-bar` }} {{ upper `ß é` }} {{ lower `HÉ` }}",
      "Hello Wörld Foo-Bar ß É hé" },
    { "align", "{{ alignLeft 5 `ab` }}|{{ alignRight 3 `héllo` }}|", "ab   |llo|" },
    { "indent", "{{ indent 2 `a\nb` }}|{{ nindent 1 `x` }}", "  a\n  b|\n x" },
    { "base64", "{{ b64enc `hé` }} {{ b64dec `aGVsbG8` }} {{ b64dec `!!` }}",
      "aMOp hello illegal base64 data at input byte 0" },
    { "url", "{{ urlencode `a b&ü` }} {{ urldecode `a+b%26` }}", "a+b%26%C3%BC a b&" },
    { "regex",
      "{{ regexReplaceAll `(a*)bc` `aabcbc` `${1}x` }} {{ regexReplaceAllLiteral `a` `aba` `$1` }} "
      "{{ count `o` `foo` }}",
      "aaxx $1b$1 2" },
    { "regex, empty matches", "{{ regexReplaceAll `x*` `abc` `-` }}", "-a-b-c-" },
    { "printf", "{{ printf `%5d|%-5s|%05.1f|%q|%x|%v|%t|%%` 42 `ab` 3.14159 `q\"` `hi` 1e6 true }}",
      "   42|ab   |003.1|\"q\\\"\"|6869|1e+06|true|%" },
    { "printf, wrong verb and counts", "{{ printf `%d %s` `x` }}{{ printf `a` 1 }}",
      "%!d(string=x) %!s(MISSING)a%!(EXTRA int=1)" },
    { "printf of lists, element by element",
      "{{ printf `%d|%x|%q|%s` (fromJson `[1.5,\"k\",null]`) (fromJson `{\"k\":2}`) (fromJson "
      "`[\"a\"]`) (fromJson `[true]`) }}",
      "[%!d(float64=1.5) %!d(string=k) <nil>]|map[6b:0x1p+01]|[\"a\"]|[%!s(bool=true)]" },
    { "printf as in a source", "{{ printf `%#v %#v` (fromJson `{\"k\":[1,null]}`) `s` }}",
      "map[string]interface {}{\"k\":[]interface {}{1, interface {}(nil)}} \"s\"" },
    { "printf of the labels", "{{ printf `%.3s` . }}", "map[a:1 app:x b:two]" },
    { "printf, numbered arguments",
      "{{ printf `%[2]d %[1]d` 1 2 }} {{ printf `%[3]*.[2]*[1]f` 12.0 2 6 }} {{ printf `%[1]d %d "
      "%[1]q` 65 66 }}",
      "2 1  12.00 65 66 'A'" },
    { "printf, numbers of no argument",
      "{{ printf `%[5]d` 1 }} {{ printf `%[0]d` 1 }} {{ printf `%[x]d` 1 }} {{ printf `%[1` 1 }} "
      "{{ "
      "printf `%[2]3d` 1 2 }}",
      "%!d(BADINDEX) %!d(BADINDEX) %!d(BADINDEX) %!(NOVERB) %!d(BADINDEX)" },
    { "printf, bad sizes", "{{ printf `%*d` `x` 1 }} {{ printf `%.*d` -1 1 }}",
      "%!(BADWIDTH)1 %!(BADPREC)1" },
    { "printf of floats, base two",
      "{{ printf `%b %x %X %.2x %x %x` 1.5 1.5 0.25 3.14159 -2.5 0.0 }}",
      "6755399441055744p-52 0x1.8p+00 0X1P-02 0x1.92p+01 -0x1.4p+01 0x0p+00" },
    { "printf of characters", "{{ printf `%q %q %+q %c %U %U %#U` 5 39 233 -1 -7 97 9731 }}",
      "'\\x05' '\\'' '\\u00e9' \xEF\xBF\xBD U+FFFFFFFFFFFFFFF9 U+0061 U+2603 '\xE2\x98\x83'" },
    { "printf, flags",
      "{{ printf `%#o %#o %#O %#x %#b` 42 0 42 42 5 }} {{ printf `% x %# x %.2x %#q %#q %+v` `abc` "
      "`ab` `abc` `a` \"`\" 5 }}",
      "052 0 0o052 0x2a 0b101 61 62 63 0x61 0x62 6162 `a` \"`\" 5" },
    { "print", "{{ print 1 2 `a` 3 }}|{{ println `x` 1 }}", "1 2a3|x 1\n" },
    { "default and len",
      "{{ default `-` .no }}{{ .a | default `-` }}{{ len .b }}{{ index (fromJson `{\"k\":[5]}`) "
      "`k` 0 }}",
      "-195" },
    { "json text", "{{ fromJson `{\"a\":[1,null],\"b\":{}}` }} {{ fromJson `no` }}",
      "map[a:[1 <nil>] b:map[]] <no value>" },
    { "json text, broken UTF-8 byte by byte",
      "{{ (fromJson \"{\\\"x\\\":\\\"a\\xf0\\x9fb\\\"}\").x }}{{ index (fromJson "
      "\"{\\\"\\xff\\\":1}\") "
      "\"\\ufffd\" }}",
      "a\xEF\xBF\xBD\xEF\xBF\xBD"
      "b1" },
    { "what is not a number stays so",
      "{{ maxf (float64 `NaN`) 1 }} {{ minf 1 (float64 `NaN`) }} {{ maxf "
      "(float64 `NaN`) (float64 `inf`) }} {{ minf 2 1.5 }}",
      "NaN NaN +Inf 1.5" },
    { "nothing in a URL", "{{ urlquery (fromJson `no`) }}", "%3Cno+value%3E" },
    { "field of nothing", "{{ (fromJson `no`).a }}", "<no value>" },
    { "sizes and durations", "{{ bytes `2 KB` }} {{ duration `1h2m3.5s` }}", "2000 3723.5" },
    { "timestamp",
      "{{ __timestamp__ }}|{{ __timestamp__ | unixEpochMillis }}|{{ __timestamp__ | date `Mon Jan "
      "_2 3PM` }}",
      "2026-03-02 11:55:23.108330844 +0000 UTC|1772452523108|Mon Mar  2 11AM" },
    { "dates",
      "{{ toDate `2006-01-02` `2021-11-02` | unixEpoch }} {{ toDate `2006-01-02` `x` }} {{ "
      "unixToTime `1679577215` }}",
      "1635811200 0001-01-01 00:00:00 +0000 UTC 2023-03-23 13:13:35 +0000 UTC" },
    { "times that 64 bits do not hold wrap",
      "{{ (unixToTime `9577215000000`).UnixNano }} {{ (unixToTime `9577215000000000`).UnixNano }}",
      "-8869529073709551616 -8869529073709551616" },
    { "methods of time",
      "{{ __timestamp__.Year }} {{ __timestamp__.Format `15:04` }} {{ __timestamp__.Month }}",
      "2026 11:55 March" },
    { "times move",
      "{{ $t := unixToTime `1785119321` }}{{ $t.Add 3600000000000 }}|{{ $t.Add -999999999999999999 "
      "}}|{{ "
      "$t.AddDate 0 1 0 }}|{{ $t.AddDate -1 0 3 }}|{{ $t.AddDate 0 -19 -27 }}",
      "2026-07-27 03:28:41 +0000 UTC|1994-11-18 00:42:01.000000001 +0000 UTC|2026-08-27 02:28:41 "
      "+0000 UTC|"
      "2025-07-30 02:28:41 +0000 UTC|2024-11-30 02:28:41 +0000 UTC" },
    { "times move in their zone",
      "{{ $t := toDateInZone `2006-01-02` `Europe/Paris` `2023-03-25` }}{{ $t.Add 129600000000000 "
      "}}|{{ "
      "$t.AddDate 0 0 2 }}",
      "2023-03-26 13:00:00 +0200 CEST|2023-03-27 00:00:00 +0200 CEST" },
    { "times are rounded",
      "{{ $t := unixToTime `1785119321` }}{{ $t.Truncate 3600000000000 }}|{{ $t.Round 60000000000 "
      "}}|{{ "
      "$t.Truncate 0 }}|{{ $t.Round -5 }}|{{ $t.Compare ($t.Add 1) }}{{ $t.Before ($t.Add 1) }}",
      "2026-07-27 02:00:00 +0000 UTC|2026-07-27 02:29:00 +0000 UTC|2026-07-27 02:28:41 +0000 "
      "UTC|2026-07-27 "
      "02:28:41 +0000 UTC|-1true" },
    { "durations",
      "{{ $t := __timestamp__ }}{{ $d := $t.Sub ($t.AddDate 0 0 -1) }}{{ $d }}|{{ $d.Hours }}|{{ "
      "$d.Minutes "
      "}}|{{ $d.Seconds }}|{{ $d.Nanoseconds }}|{{ $d.Microseconds }}|{{ $d.Milliseconds }}|{{ "
      "$d.String }}",
      "24h0m0s|24|1440|86400|86400000000000|86400000000|86400000|24h0m0s" },
    { "durations are rounded",
      "{{ $t := __timestamp__ }}{{ $d := $t.Sub ($t.Add 90061000000001) }}{{ $d }}|{{ $d.Abs }}|{{ "
      "$d.Truncate "
      "60000000000 }}|{{ $d.Round 60000000000 }}|{{ $t.Add $d | $t.Sub }}|{{ ($t.Sub ($t.Add "
      "-1500000000)).Round 1000000000 }}",
      "-25h1m1.000000001s|25h1m1.000000001s|-25h1m0s|-25h1m0s|25h1m1.000000001s|2s" },
    { "times too far apart",
      "{{ (toDate `2006-01-02` `9999-12-31`).Sub (toDate `2006-01-02` `0001-01-01`) }}",
      "2562047h47m16.854775807s" },
    { "months, days of the week and durations as numbers",
      "{{ $t := unixToTime `1785119321` }}{{ printf `%v|%s|%T|%d|%O|%e` $t.Month $t.Weekday "
      "$t.Month $t.Weekday $t.Month $t.Weekday "
      "}}|{{ printf `%d|%w` ($t.Sub ($t.Add -7)) ($t.Sub $t) }}|{{ $t.Month.String }}",
      "July|Monday|time.Month|1|0o7|%!e(time.Weekday=1)|7|%!w(time.Duration=0)|July" },
    { "names of zones",
      "{{ toDate `2006-01-02 MST` `2023-06-15 GMT+8` }}|{{ toDate `2006-01-02 MST` `2023-06-15 "
      "EST` }}|{{ toDate "
      "`2006-01-02 MST` `2023-06-15 +03` }}|{{ toDate `2006-01-02 -07` `2023-06-15 +05` }}",
      "2023-06-15 08:00:00 +0800 GMT+8|2023-06-15 00:00:00 +0000 EST|2023-06-15 00:00:00 +0000 "
      "+03|2023-06-15 "
      "00:00:00 +0500 +0500" },
    { "line", "{{ __line__ | len }}", "17" },
};

static const struct template_row failures[] = {
    { "division by zero", "{{ div 1 0 }}", "TemplateFormatErr" },
    { "type of a parameter", "{{ .a | round 2 }}", "TemplateFormatErr" },
    { "incompatible comparison", "{{ eq .a 1 }}", "TemplateFormatErr" },
    { "field of a text", "{{ .a.b }}", "TemplateFormatErr" },
    { "field of a nothing within", "{{ (fromJson `{\"a\":null}`).a.b }}", "TemplateFormatErr" },
    { "nothing as a command", "{{ nil }}", "TemplateFormatErr" },
    { "two variables for a number", "{{range $i, $e := 3}}x{{end}}", "TemplateFormatErr" },
    { "decimal of an infinity", "{{ addf (mulf 1e308 10) 1 }}", "TemplateFormatErr" },
    { "method without its argument", "{{ __timestamp__.Add }}", "TemplateFormatErr" },
    { "method of another type", "{{ __timestamp__.Sub 5 }}", "TemplateFormatErr" },
    { "years beyond all times", "{{ __timestamp__.AddDate 2000000000 0 0 }}", "TemplateFormatErr" },
    { "no such method", "{{ (__timestamp__.Sub __timestamp__).Days }}", "TemplateFormatErr" },
    { "out of range", "{{ substr 5 2 `abc` }}", "TemplateFormatErr" },
    { "endless recursion", "{{define `t`}}{{template `t` .}}{{end}}{{template `t` .}}",
      "TemplateFormatErr" },
    { "huge repeat", "{{ repeat 1000000000 .b }}", "TemplateFormatErr" },
    { "float constant beyond all integers", "{{ repeat 1e65 .b }}", "TemplateFormatErr" },
    { "constant beyond int64", "{{ repeat 9223372036854775808 .b }}", "TemplateFormatErr" },
    { "huge indent", "{{ indent 1000000000 .b }}", "TemplateFormatErr" },
    { "doubling", "{{$x := .b}}{{range 60}}{{$x = print $x $x}}{{end}}{{$x}}",
      "TemplateFormatErr" },
    { "long loop", "{{range 1000000000}}{{end}}", "TemplateFormatErr" },
    { "loops in loops", "{{range 100000}}{{range 100000}}{{end}}{{end}}", "TemplateFormatErr" },
    { "wide printf", "{{ printf `%99999999999d` 1 }}{{ printf `%*d` 1000001 1 }}{{ div 1 0 }}",
      "TemplateFormatErr" },
};

#define BLOCKS_4(n)  B(n##0) B(n##1) B(n##2) B(n##3)
#define BLOCKS_16(n) BLOCKS_4(n##0) BLOCKS_4(n##1) BLOCKS_4(n##2) BLOCKS_4(n##3)
#define B(n)         "{{block `t" #n "` .}}a{{end}}"
#define MANY_BLOCKS  BLOCKS_16(a) BLOCKS_16(b) BLOCKS_16(c) BLOCKS_16(d) B(e) /* 65 */

static const struct template_row bad[] = {
    { "unclosed action", "{{", "template: line:1: unclosed action" },
    { "unknown function", "{{nosuch .a}}", "template: line:1: function \"nosuch\" not defined" },
    { "end alone", "{{end}}", "template: line:1: unexpected {{end}}" },
    { "no end", "{{if .a}}x", "template: line:1: unexpected EOF" },
    { "second line", "a\n{{ $x }}", "template: line:2: undefined variable \"$x\"" },
    { "break outside", "{{break}}", "template: line:1: {{break}} outside {{range}}" },
    { "empty action", "{{}}", "template: line:1: missing value for command" },
    { "no quotes of the other kind are escaped", "{{ `a` }}{{ \"\\'\" }}",
      "template: line:1: invalid syntax" },
    { "no character", "{{ '' }}", "template: line:1: invalid syntax" },
    { "two characters", "{{ 'ab' }}", "template: line:1: malformed character constant: 'ab'" },
    { "two bytes are two characters", "{{ '\\xc3\\xa4' }}",
      "template: line:1: malformed character constant: '\\xc3\\xa4'" },
    { "half of a surrogate pair", "{{ \"\\ud800\" }}", "template: line:1: invalid syntax" },
    { "unended quote", "{{ \"a\n\" }}", "template: line:1: unterminated quoted string" },
    { "constant beyond 64 bits", "{{ repeat 18446744073709551616 `a` }}",
      "template: line:1: integer overflow: \"18446744073709551616\"" },
    { "definition in another", "{{define `a`}}{{define `b`}}{{end}}{{end}}",
      "template: line:1: unexpected <define> in command" },
    { "two definitions", "{{define `a`}}1{{end}}{{define `a`}}2{{end}}",
      "template: line:1: template: multiple definition of template \"a\"" },
    { "more definitions than there is room for", MANY_BLOCKS,
      "template: line:1: too many templates" },
    { "the same in a block", "{{block `x` .}}" MANY_BLOCKS "{{end}}",
      "template: line:1: too many templates" },
    { "constant as a later stage", "{{ .a | 5 }}",
      "template: line:1: non executable command in pipeline stage 2" },
    { "bad character", "{{ a#b }}", "template: line:1: " },
};

/* line_format of the template, through a pipeline. */
static void run(const struct template_row *row, struct slg_buf *out)
{
    struct slg_logql_stage stages[2] = { { .kind = SLG_LOGQL_STAGE_LOGFMT },
                                         { .kind = SLG_LOGQL_STAGE_LINE_FORMAT } };
    const struct slg_logql_log log = { .stage_count = 2, .stages = stages };
    struct slg_pipe_options options = { .log = &log, .now_ns = TEST_TS_NS };
    struct slg_label items[4];
    struct slg_label_set set = test_labels("app=x", items);
    struct slg_pipe_entry entry = { .ts_ns = TEST_TS_NS,
                                    .line = slg_text_of("a=1 b=\"two words\"") };
    uint8_t *text = test_block(row->tmpl, strlen(row->tmpl));
    struct slg_pipe_result result;
    struct slg_pipe_stream *stream;
    struct slg_pipe *pipe = NULL;
    struct slg_error error;

    slg_buf_clear(out);
    stages[1].text.ptr = (const char *)text;
    stages[1].text.len = strlen(row->tmpl);
    if (slg_pipe_create(&options, &pipe, &error) != SLG_OK) {
        slg_buf_append_text(out, error.message);
    } else {
        assert_int_equal(slg_pipe_stream_create(pipe, &set, &stream), SLG_OK);
        assert_int_equal(slg_pipe_run(pipe, stream, &entry, &result), SLG_OK);
        if (result.has_error)
            slg_buf_append(out, result.error.at, result.error.len);
        else
            slg_buf_append(out, result.line.at, result.line.len);
    }
    slg_buf_append_byte(out, 0);
    slg_pipe_destroy(pipe);
    free(text);
}

static void check(const struct template_row *table, size_t count, bool exact)
{
    struct slg_buf out;

    slg_buf_init(&out, (size_t)4 << 20);
    for (size_t i = 0; i < count; i++) {
        run(&table[i], &out);
        if (exact ? strcmp((const char *)out.data, table[i].want) != 0
                  : strstr((const char *)out.data, table[i].want) == NULL) {
            print_error("row \"%s\":\n  got  %s\n  want %s\n", table[i].name,
                        (const char *)out.data, table[i].want);
            fail();
        }
    }
    slg_buf_fini(&out);
}

static void test_output(void **state)
{
    (void)state;
    check(rows, SLG_ARRAY_LEN(rows), /* exact= */ true);
}

/* What fails, or would need too much, is that entry's error. */
static void test_failures(void **state)
{
    (void)state;
    check(failures, SLG_ARRAY_LEN(failures), /* exact= */ true);
}

static void test_bad_templates(void **state)
{
    (void)state;
    check(bad, SLG_ARRAY_LEN(bad), /* exact= */ false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_bad_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
