/* tests/property/generate.h - random data sets and random LogQL about them; everything follows from a seed.
 *
 * Values are whole numbers or sixteenths, so that sums are exact in any order; what is not exact (means, deviations)
 * is kept away from comparisons and rankings, where the last bit would show. Filters let most lines through, so that
 * most answers are not empty: a filter that few lines pass stands beside one that the others pass (`or`). */
#ifndef SLG_TESTS_PROPERTY_GENERATE_H
#define SLG_TESTS_PROPERTY_GENERATE_H

#include "tests/helper/dataset.h"

#define GEN_HOUR_NS   (INT64_C(3600) * 1000000000)
#define GEN_BASE_NS   (INT64_C(1767225600) * 1000000000)
#define GEN_QUERY_MAX 8192
/* Long enough that a hundred lines are more than a page. */
#define GEN_LONG_LINE ((size_t)24000)

struct gen {
    uint64_t random;
    struct slg_arena *arena;
    struct slg_buf text; /* of the query */
    bool json;           /* most lines are JSON; else logfmt */
    bool long_lines;
};

static inline uint64_t gen_below(struct gen *g, uint64_t n)
{
    return data_random(&g->random) % n;
}

static inline bool gen_chance(struct gen *g, unsigned percent)
{
    return gen_below(g, 100) < percent;
}

static inline const char *gen_pick_of(struct gen *g, const char *const *words, size_t count)
{
    return words[gen_below(g, count)];
}
#define GEN_PICK(g, ...)                                                                           \
    gen_pick_of(g, (const char *const[]){ __VA_ARGS__ },                                           \
                sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* ---- data ---- */

static inline struct slg_text gen_copy(struct gen *g, const char *text)
{
    char *copy = slg_arena_copy(g->arena, text, strlen(text));

    data_check(copy != NULL, "the generator has no memory");
    return slg_text_make(copy, strlen(text));
}

/* Fields that both dialects have: level, v, took, size, ip, user, msg. */
static inline void gen_fields(struct gen *g, char *out, size_t size)
{
    const char *level = GEN_PICK(g, "info", "warn", "error", "debug");
    const char *user = GEN_PICK(g, "bob", "eve", "zoe"), *msg = GEN_PICK(g, "sent", "was sent", "");
    unsigned value = (unsigned)gen_below(g, 200), sixteenth = (unsigned)gen_below(g, 16) * 625;
    unsigned took = (unsigned)gen_below(g, 30), kb = (unsigned)gen_below(g, 9);
    unsigned net = (unsigned)gen_below(g, 3), host = (unsigned)gen_below(g, 5);

    if (g->json)
        (void)snprintf(out, size,
                       "{\"level\":\"%s\",\"v\":%u.%04u,\"took\":\"%us\",\"size\":\"%uKB\","
                       "\"ip\":\"10.0.%u.%u\",\"user\":{\"id\":\"%s\",\"tags\":[\"x\",\"y%u\"]},"
                       "\"msg\":\"%s\",\"ok\":true}",
                       level, value, sixteenth, took, kb, net, host, user, net, msg);
    else
        (void)snprintf(
            out, size,
            "level=%s v=%u.%04u took=%us size=%uKB ip=10.0.%u.%u user=%s msg=\"%s\" flag", level,
            value, sixteenth, took, kb, net, host, user, msg);
}

static inline struct slg_text gen_line(struct gen *g)
{
    char fields[400], line[600];

    gen_fields(g, fields, sizeof(fields));
    switch (gen_below(g, 40)) {
    case 0:
        (void)snprintf(line, sizeof(line), "plain words about bob and %u",
                       (unsigned)gen_below(g, 50));
        break;
    case 1: /* cut short: parsers fail on it */
        (void)snprintf(line, sizeof(line), "{\"level\":\"warn\",\"v\":");
        break;
    case 2:
    case 3:
        (void)snprintf(line, sizeof(line), "{\"_entry\":\"level=info v=%u.5\",\"pod\":\"p%u\"}",
                       (unsigned)gen_below(g, 9), (unsigned)gen_below(g, 3));
        break;
    case 4:
        (void)snprintf(line, sizeof(line), "\x1b[31mlevel=warn\x1b[0m v=3.25 user=bob");
        break;
    case 5:
        g->json = !g->json; /* the other dialect */
        gen_fields(g, line, sizeof(line));
        g->json = !g->json;
        break;
    case 6:
        (void)snprintf(line, sizeof(line), "%s",
                       gen_chance(g, 10) ? "level=info v=oops took=x size=? ip=1.2 user=bob"
                                         : "v=7");
        break;
    default:
        (void)snprintf(line, sizeof(line), "%s", fields);
        break;
    }
    if (g->long_lines) {
        char *text = slg_arena_alloc(g->arena, GEN_LONG_LINE);
        size_t len = strlen(line);

        data_check(text != NULL, "the generator has no memory");
        memcpy(text, line, len);
        memset(text + len, ' ', GEN_LONG_LINE - len);
        return slg_text_make(text, GEN_LONG_LINE);
    }
    return gen_copy(g, line);
}

static inline struct slg_label_set gen_metadata(struct gen *g)
{
    struct slg_label *items = slg_arena_alloc(g->arena, 2 * sizeof(*items));
    size_t count = 0;

    data_check(items != NULL, "the generator has no memory");
    if (gen_chance(g, 70))
        items[count++] = (struct slg_label){ gen_copy(g, "detected_level"),
                                             gen_copy(g, GEN_PICK(g, "info", "warn", "error")) };
    if (gen_chance(g, 20))
        items[count++] = (struct slg_label){ gen_copy(g, gen_chance(g, 20) ? "app" : "trace"),
                                             gen_copy(g, GEN_PICK(g, "t1", "t2")) };
    return (struct slg_label_set){ items, count };
}

static inline void gen_streams(struct gen *g, struct data_set *set)
{
    static const char *const apps[] = { "api", "db", "web" };
    static const char *const hosts[] = { "h1", "h2" };

    set->streams = slg_arena_alloc(g->arena, 6 * sizeof(*set->streams));
    set->stream_count = 0;
    data_check(set->streams != NULL, "the generator has no memory");
    for (size_t i = 0; i < 6; i++) {
        struct slg_label *items = slg_arena_alloc(g->arena, 3 * sizeof(*items));

        data_check(items != NULL, "the generator has no memory");
        items[0] = (struct slg_label){ gen_copy(g, "app"), gen_copy(g, apps[i % 3]) };
        items[1] = (struct slg_label){ gen_copy(g, "host"), gen_copy(g, hosts[i / 3]) };
        items[2] = (struct slg_label){ gen_copy(g, "job"), gen_copy(g, "test") };
        if (i == 0 || gen_chance(g, 80))
            set->streams[set->stream_count++] = (struct slg_label_set){ items, 3 };
    }
}

/* Three hours of entries, many at equal stamps and on borders of windows, some pushed twice, some late. */
static inline void gen_data(struct gen *g, struct data_set *set)
{
    size_t count = gen_below(g, 100) < 2 ? 0 : 40 + gen_below(g, 160);
    bool pushes = gen_chance(g, 60), crowded = gen_chance(g, 12);
    unsigned equal = crowded || gen_chance(g, 10) ? 95 : 50;
    int64_t grid = crowded ? 2700 : 300; /* seconds between the stamps that many entries have */

    g->json = gen_chance(g, 40);
    g->long_lines = gen_chance(g, 1);

    gen_streams(g, set);
    set->entries = slg_arena_alloc(g->arena, (count + 1) * sizeof(*set->entries));
    data_check(set->entries != NULL, "the generator has no memory");
    for (size_t i = 0; i < count; i++) {
        int64_t at = (int64_t)(i * 10800 / count);
        struct data_entry entry = { .stream = (uint32_t)gen_below(g, set->stream_count),
                                    .kind = pushes && gen_chance(g, 50) ? SLG_ENTRY_PUSH
                                                                        : SLG_ENTRY_SYSLOG };

        if (gen_chance(g, crowded ? 30 : 10) && i > 0) {
            entry = set->entries[gen_below(g, i)]; /* again: a duplicate when pushed */
            if (gen_chance(g, 20))
                entry.metadata = gen_metadata(g); /* or nearly one */
        } else {
            if (gen_chance(g, 10))
                at = (int64_t)gen_below(g, 10800); /* late */
            entry.ts_ns = GEN_BASE_NS + (gen_chance(g, equal) ? at - at % grid : at) * 1000000000;
            if (gen_chance(g, 20))
                entry.ts_ns += (int64_t)gen_below(g, 3) - (entry.ts_ns > GEN_BASE_NS);
            entry.line = gen_line(g);
            entry.metadata = gen_metadata(g);
        }
        set->entries[i] = entry;
    }
    set->entry_count = count;
}

static inline struct data_cut gen_cut(struct gen *g)
{
    return (struct data_cut){
        .seed = data_random(&g->random),
        .window_ns = gen_chance(g, 50) ? GEN_HOUR_NS : GEN_HOUR_NS / 6,
        .slot_count = (uint16_t)(1 + gen_below(g, 4)),
        .batch_entry_max = 1 + gen_below(g, 40),
        .incarnation_count = 1 + gen_below(g, 3),
        .node_count = 2 + gen_below(g, 4),
        .any_order = gen_chance(g, 50),
        .page_bytes = gen_chance(g, 40) ? 1 + gen_below(g, 3000) : 0,
    };
}

/* ---- queries ---- */

static inline void gen_add(struct gen *g, const char *text)
{
    slg_buf_append_text(&g->text, text);
}

static inline void gen_selector(struct gen *g)
{
    gen_add(g, GEN_PICK(g, "{job=\"test\"}", "{job=\"test\"}", "{job=\"test\"}", "{job=~\".+\"}",
                        "{app=\"api\"}", "{app=~\"api|db\"}", "{job=\"test\",app!=\"web\"}",
                        "{app=\"api\",app!=\"x\",job=\"test\"}", "{nosuch=\"\",job=\"test\"}",
                        "{job=\"test\",host!~\"h2.*\"}", "{job=~\"te.*\",host=~\"h[12]\"}"));
}

static inline void gen_line_filter(struct gen *g)
{
    gen_add(g, GEN_PICK(g, " |= \"level\"", " |= \"e\" |= \"l\"", " != \"debug\"",
                        " != \"zoe\" or \"oops\"", " |~ \"bob|eve\"", " |~ \"(?i)LEVEL.*user\"",
                        " |~ \"user\" or \"plain\"", " !~ \"oops|zo+e\"", " |> \"<_>level<_>\"",
                        " |> \"<_>bob<_>\" or \"<_>eve<_>\"", " !> \"<_>oops<_>\"",
                        " |= \"bob\" or \"eve\" or \"zoe\"", " |= ip(\"10.0.0.0/16\")",
                        " != ip(\"10.0.2.1-10.0.2.3\")", " |= \"level\" != \"nothing\""));
}

static inline void gen_parser(struct gen *g)
{
    bool json = gen_chance(g, 90) ? g->json : !g->json;

    if (gen_chance(g, 75)) {
        gen_add(
            g,
            json
                ? GEN_PICK(g, " | json", " | json", " | json | __error__=\"\"",
                           " | json level, v, took, size, ip", " | json v, level, user=\"user.id\"",
                           " | json tag=\"user.tags[1]\", first=\"user[\\\"tags\\\"][0]\", v",
                           " | json level=\"level\", v=\"v\", size=\"size\", took=\"took\"")
                : GEN_PICK(g, " | logfmt", " | logfmt", " | logfmt | __error__=\"\"",
                           " | logfmt --strict | __error__=\"\"", " | logfmt --keep-empty",
                           " | logfmt v, level, took, size", " | logfmt --strict v, who=\"user\"",
                           " | logfmt --strict --keep-empty | __error__=\"\"",
                           " | logfmt level, v, took, size, ip, who=\"user\""));
        return;
    }
    gen_add(g, GEN_PICK(g, " | regexp \"v\\\"?[=:](?P<v>[0-9.]+)\"",
                        " | regexp \"(?P<level>info|warn|error).*?(?P<took>[0-9]+s)\"",
                        " | pattern \"level=<level> v=<v> <_>\"",
                        " | pattern \"<_>size<_>=<size> <rest>\"", " | unpack",
                        " | unpack | logfmt | __error__=\"\"", " | decolorize | logfmt"));
}

/* Compares a label of one unit with all six operators. */
static inline void gen_comparison(struct gen *g)
{
    const char *op = GEN_PICK(g, " > ", " >= ", " < ", " <= ", " = ", " == ", " != ");
    bool equals = op[1] == '=';
    bool up = op[1] == '<';

    switch (gen_below(g, 3)) {
    case 0:
        gen_add(g, " | v");
        gen_add(g, op);
        gen_add(g, equals ? "7" : up ? "150.5" : "20");
        break;
    case 1:
        gen_add(g, " | took");
        gen_add(g, op);
        gen_add(g, equals ? "10s" : up ? "25000ms" : "3s");
        break;
    default:
        gen_add(g, " | size");
        gen_add(g, op);
        gen_add(g, equals ? "2KB" : up ? "7KB" : "1024B");
        break;
    }
    if (equals)
        gen_add(g, " or level!=\"warn\"");
    if (gen_chance(g, 50))
        gen_add(g, " | __error__=\"\"");
}

static inline void gen_label_filter(struct gen *g)
{
    if (gen_chance(g, 65)) {
        gen_comparison(g);
        return;
    }
    gen_add(g, GEN_PICK(g, " | level=\"info\" or level=\"warn\"", " | level!=\"debug\"",
                        " | detected_level=~\"info|warn\"", " | user!~\"z.*\"", " | level=~\".+\"",
                        " | v > 20 or level=\"warn\"", " | v < 190 and level!=\"error\"",
                        " | (level=\"info\" or v > 1), app!=\"nobody\"",
                        " | level=\"info\" or (level=\"warn\" and v >= 0) or level=\"error\"",
                        " | ip = ip(\"10.0.0.0/15\")", " | ip != ip(\"10.0.1.2\")",
                        " | __error__!=\"JSONParserErr\"", " | app=\"api\" or app=\"db\"",
                        " | trace=\"\" or trace=\"t1\""));
}

/* Every function of a template stands in one of these at least once in a while; what they mean is tested elsewhere. */
static inline void gen_template(struct gen *g)
{
    gen_add(g,
            GEN_PICK(g, "{{.user}} {{.v}}", "{{.level | ToUpper}}-{{.app}}", "{{ __line__ | len }}",
                     "{{ if eq .level \\\"info\\\" }}i{{ else }}o{{ end }}",
                     "{{ $x := .app }}{{ printf \\\"%s-%d\\\" $x 7 }}",
                     "{{ .v | trunc 2 }}|{{ .user | default \\\"none\\\" }}",
                     "{{ __timestamp__ | unixEpoch }} {{.level}}",
                     "{{ regexReplaceAll \\\"[0-9]+\\\" .v \\\"n\\\" }}",
                     "{{ substr 0 2 .app }}{{.host}}",
                     "{{ add 1 2 | mul 3 }} {{ .app | replace \\\"a\\\" \\\"b\\\" }}",
                     "{{ .user | repeat 2 | lower }}", "{{ .msg | trim | title }}",
                     "{{ alignLeft 4 .app }}{{ alignRight 4 .level }}",
                     "{{ .app | b64enc | b64dec | contains \\\"p\\\" }}",
                     "{{ with .user }}{{ . }}{{ end }} {{ now | unixEpoch }}"));
}

static inline void gen_format(struct gen *g)
{
    switch (gen_below(g, 8)) {
    case 0:
    case 1:
        gen_add(g, " | line_format \"");
        gen_template(g);
        gen_add(g, "\"");
        break;
    case 2:
        gen_add(g, GEN_PICK(g, " | label_format tpl=\"", " | label_format lvl=level, tpl=\""));
        gen_template(g);
        gen_add(g, "\"");
        break;
    case 3:
        gen_add(g, GEN_PICK(g, " | label_format lv=level", " | label_format who=user, number=v"));
        break;
    case 4:
        gen_add(g, " | decolorize");
        break;
    case 5: /* a bare name at the end would swallow a != filter behind it */
        gen_add(g, GEN_PICK(g, " | drop trace, ip |= \"\"", " | drop level=\"info\"",
                            " | drop user, level=~\"w.*\"",
                            " | drop __error__, __error_details__ |= \"\"", " | drop msg!=\"x\""));
        break;
    default:
        gen_add(g, GEN_PICK(g, " | keep level, v, took, size |= \"\"", " | keep level, app |= \"\"",
                            " | keep app=\"api\", level |= \"\"",
                            " | keep user!~\"z.*\", v, level |= \"\""));
        break;
    }
}

static inline void gen_stages(struct gen *g, uint64_t count)
{
    for (; count > 0; count--) {
        switch (gen_below(g, 10)) {
        case 0:
        case 1:
            gen_line_filter(g);
            break;
        case 2:
            gen_parser(g);
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            gen_label_filter(g);
            break;
        default:
            gen_format(g);
            break;
        }
    }
}

static inline void gen_pipeline(struct gen *g)
{
    if (gen_chance(g, 35))
        gen_line_filter(g);
    if (gen_chance(g, 60))
        gen_parser(g);
    if (gen_chance(g, 50))
        gen_stages(g, 1 + gen_below(g, 3));
    if (gen_chance(g, 40))
        gen_add(g, " | __error__=\"\"");
}

static inline void gen_grouping(struct gen *g)
{
    gen_add(g, GEN_PICK(g, " by (app)", " by (app, host)", " by (level)", " by (detected_level)",
                        " without (host)", " without (app, trace, v, took, size, user, ip, msg)",
                        " by (user)", " by (__error__)", " by ()", " by (nosuch)", "", ""));
}

static inline void gen_window(struct gen *g)
{
    gen_add(g, GEN_PICK(g, "[5m]", "[10m]", "[1h]", "[1h]", "[7m]", "[90s]", "[3h]", "[2h]"));
    if (gen_chance(g, 20))
        gen_add(g, GEN_PICK(g, " offset 5m", " offset -10m", " offset 1h", " offset -300s",
                            " offset 61s"));
}

/* What cannot be unwrapped is left out, most of the time. */
static inline void gen_unwrap(struct gen *g)
{
    gen_add(g, GEN_PICK(g, " | unwrap v", " | unwrap v", " | unwrap duration(took)",
                        " | unwrap duration_seconds(took)", " | unwrap bytes(size)"));
    if (gen_chance(g, 95))
        gen_add(g, GEN_PICK(g, " | __error__=\"\"", " | __error__=\"\"",
                            " | __error__=\"\" | level!=\"debug\"",
                            " | __error__=\"\", user!=\"zoe\""));
}

/* exact: nothing whose last bits depend on the order of additions. */
static inline void gen_range(struct gen *g, bool exact)
{
    const char *op;
    bool groups;

    if (gen_chance(g, 35)) {
        gen_add(g, exact ? GEN_PICK(g, "count_over_time(", "bytes_over_time(", "absent_over_time(")
                         : GEN_PICK(g, "count_over_time(", "rate(", "bytes_over_time(",
                                    "bytes_rate(", "absent_over_time(", "count_over_time("));
        gen_selector(g);
        gen_pipeline(g);
        gen_add(g, " ");
        gen_window(g);
        gen_add(g, ")");
        return;
    }
    op = exact || gen_chance(g, 40)
             ? GEN_PICK(g, "sum_over_time(", "min_over_time(", "max_over_time(", "first_over_time(",
                        "last_over_time(", "absent_over_time(")
             : GEN_PICK(g, "avg_over_time(", "stddev_over_time(", "stdvar_over_time(",
                        "quantile_over_time(0.9, ", "quantile_over_time(0.5, ", "rate_counter(",
                        "quantile_over_time(1.5, ", "rate(");
    groups =
        strncmp(op, "sum", 3) != 0 && strncmp(op, "rate", 4) != 0 && strncmp(op, "abs", 3) != 0;
    gen_add(g, op);
    gen_selector(g);
    if (gen_chance(g, 20))
        gen_line_filter(g);
    gen_add(g, g->json ? " | json" : " | logfmt");
    if (gen_chance(g, 30))
        gen_stages(g, 1);
    gen_unwrap(g);
    gen_add(g, " ");
    gen_window(g);
    gen_add(g, ")");
    if (groups && gen_chance(g, 85))
        gen_add(g, GEN_PICK(g, " by (app)", " by (host, app)",
                            " without (v, took, size, user, trace, ip, msg, user_id)", " by ()",
                            " by (user)", " without (host)"));
}

static inline void gen_metric(struct gen *g, unsigned depth, bool exact);

static inline void gen_aggregation(struct gen *g, unsigned depth, bool exact)
{
    const char *op =
        exact ? GEN_PICK(g, "sum", "min", "max", "count", "topk", "bottomk", "sort", "sort_desc",
                         "approx_topk")
              : GEN_PICK(g, "sum", "avg", "stddev", "stdvar", "min", "max", "count", "topk",
                         "bottomk", "sort", "sort_desc", "approx_topk", "avg", "stdvar");
    bool sorts = strncmp(op, "sort", 4) == 0, takes_k = strstr(op, "topk") != NULL || op[0] == 'b';

    gen_add(g, op);
    if (!sorts && op[0] != 'a')
        gen_grouping(g);
    else if (op[1] == 'v')
        gen_grouping(g);
    gen_add(g, " (");
    if (takes_k)
        gen_add(g, GEN_PICK(g, "1, ", "2, ", "5, "));
    gen_metric(g, depth - 1, exact || takes_k || sorts);
    gen_add(g, ")");
}

/* Two legs that can match: grouped alike on both sides, most of the time. */
static inline void gen_leg(struct gen *g, unsigned depth, bool exact, const char *grouping)
{
    if (gen_chance(g, 20)) {
        gen_metric(g, depth - 1, exact);
        return;
    }
    gen_add(g, exact ? GEN_PICK(g, "sum", "max", "min", "count")
                     : GEN_PICK(g, "sum", "avg", "max", "stdvar"));
    gen_add(g, grouping);
    gen_add(g, "(");
    gen_metric(g, depth > 1 ? 1 : 0, exact);
    gen_add(g, ")");
}

/* No infinities: which of the two a mean of them is depends on the order. */
static inline void gen_with_literal(struct gen *g, unsigned depth, bool exact, const char *op)
{
    bool power = op[1] == '^', first = !power && gen_chance(g, 40);
    const char *number = power ? GEN_PICK(g, "2", "0.5", "0", "1.5")
                               : GEN_PICK(g, "2", "0.5", "0", "40.125", "-3", "1e3");

    if (first) {
        gen_add(g, number);
        gen_add(g, op);
    }
    gen_metric(g, depth - 1, exact);
    if (!first) {
        gen_add(g, op);
        gen_add(g, number);
    }
}

static inline void gen_binary(struct gen *g, unsigned depth, bool exact)
{
    const char *op =
        exact || gen_chance(g, 70)
            ? GEN_PICK(g, " + ", " - ", " * ", " > ", " >= ", " < ",
                       " <= ", " == ", " != ", " > bool ", " == bool ", " != bool ", " < bool ",
                       " and ", " or ", " unless ", " and ", " or ", " unless ")
            : GEN_PICK(g, " + ", " - ", " / ", " % ", " ^ ");
    bool compares = strpbrk(op, "><=!%^") != NULL;
    bool is_set = op[1] == 'a' || op[1] == 'o' || op[1] == 'u';
    const char *grouping = GEN_PICK(g, " by (app)", " by (app, host)", " by (level)", "");

    gen_add(g, "(");
    if (op[1] == '^' || (!is_set && gen_chance(g, 35))) {
        gen_with_literal(g, depth, exact || compares, op);
    } else if (!is_set && gen_chance(g, 30)) { /* many to one */
        bool left = gen_chance(g, 50);

        gen_leg(g, depth, exact || compares, left ? " by (app, host)" : " by (app)");
        gen_add(g, op);
        gen_add(g, GEN_PICK(g, "on (app) ", "ignoring (host) "));
        gen_add(g, left ? GEN_PICK(g, "group_left () ", "group_left (nosuch) ", "group_left (app) ")
                        : GEN_PICK(g, "group_right () ", "group_right (nosuch) "));
        gen_leg(g, depth, exact || compares, left ? " by (app)" : " by (app, host)");
    } else {
        gen_leg(g, depth, exact || compares, grouping);
        gen_add(g, op);
        if (gen_chance(g, 60))
            gen_add(g, GEN_PICK(g, "on (app) ", "ignoring (nosuch) ", "on (app, host) ", "on () ",
                                "ignoring (host) ", "on (app, level) "));
        gen_leg(g, depth, exact || compares, grouping);
    }
    gen_add(g, ")");
}

/* Recursion ends with depth. */
static inline void gen_metric(struct gen *g, unsigned depth, bool exact)
{
    uint64_t choice = gen_below(g, 100);

    if (depth == 0 || choice < 16) {
        gen_range(g, exact);
    } else if (choice < 28) { /* what Loki pushes down */
        gen_add(g, "sum");
        gen_grouping(g);
        gen_add(g, " (");
        gen_range(g, exact);
        gen_add(g, ")");
    } else if (choice < 58) {
        gen_aggregation(g, depth, exact);
    } else if (choice < 86) {
        gen_binary(g, depth, exact);
    } else if (choice < 92) {
        gen_add(g, "label_replace(");
        gen_metric(g, depth - 1, exact);
        gen_add(g, GEN_PICK(g, ", \"short\", \"$1\", \"app\", \"(.).*\")",
                            ", \"host\", \"x-$1\", \"host\", \"h(.)\")",
                            ", \"new\", \"plain\", \"nosuch\", \"\")"));
    } else {
        gen_add(g, GEN_PICK(g, "vector(1)", "vector(2.5)", "vector(0)"));
    }
}

static inline void gen_query(struct gen *g, bool is_log)
{
    slg_buf_clear(&g->text);
    if (is_log) {
        gen_selector(g);
        gen_pipeline(g);
    } else if (g->long_lines && gen_chance(g, 60)) { /* labels so long that series fill pages */
        gen_add(g, GEN_PICK(g, "count_over_time(", "max by (app) (bytes_over_time("));
        gen_selector(g);
        gen_add(g, " | pattern \"<_> <rest>\" [3h])");
        gen_add(g, g->text.data[0] == 'm' ? ")" : "");
    } else if (gen_chance(g, 2)) {
        gen_add(g, GEN_PICK(g, "1 + 2 * 3", "7", "1 > bool 2", "2 ^ 3 ^ 0.5 # comment"));
    } else {
        gen_metric(g, 3, false);
    }
}

/* Bounds lie anywhere, or exactly on the stamps that most entries have, or on borders of shards. */
static inline void gen_params(struct gen *g, bool is_log, struct slg_query_params *params)
{
    static const int64_t steps[] = { 60, 300, 420, 600, 3600, 13 };
    int64_t start = 600 + (int64_t)gen_below(g, 7000), length = (int64_t)gen_below(g, 6000);

    if (gen_chance(g, 60)) {
        start -= start % 300;
        length -= length % 300;
    }
    if (gen_chance(g, 10))
        length = 0;
    *params = (struct slg_query_params){
        .text = slg_text_make(g->text.data, g->text.len),
        .instant = !is_log && gen_chance(g, 40),
        .start_ns = GEN_BASE_NS + start * 1000000000,
        .end_ns = GEN_BASE_NS + (start + length) * 1000000000,
        .step_ns = steps[gen_below(g, sizeof(steps) / sizeof(steps[0]))] * 1000000000,
        .direction = gen_chance(g, 50) ? SLG_FORWARD : SLG_BACKWARD,
        .limit = gen_chance(g, 50) ? 1 + gen_below(g, 60) : 0,
        .interval_ns = gen_chance(g, 20) ? (int64_t)gen_below(g, 900) * 1000000000 : 0,
        .series_max = 100000,
        .memory_bytes_max = (size_t)256 << 20,
        .leaf_memory_bytes_max = (size_t)128 << 20,
        .leaf_series_max = 100000,
        .leaf_bytes_scan_max = UINT64_C(1) << 40,
    };
    if (gen_chance(g, 10)) /* the instant itself is in or out by one nanosecond */
        params->start_ns += (gen_chance(g, 50) || params->start_ns == params->end_ns) ? -1 : 1;
}

#endif
