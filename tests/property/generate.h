/* tests/property/generate.h - random data sets and random LogQL about them; everything follows from a seed.
 *
 * Values are whole numbers or sixteenths, so that sums are exact in any order; what is not exact (means, deviations)
 * is kept away from comparisons and rankings, where the last bit would show. */
#ifndef SLG_TESTS_PROPERTY_GENERATE_H
#define SLG_TESTS_PROPERTY_GENERATE_H

#include "tests/helper/dataset.h"

#define GEN_HOUR_NS   (INT64_C(3600) * 1000000000)
#define GEN_BASE_NS   (INT64_C(1767225600) * 1000000000)
#define GEN_QUERY_MAX 4096

struct gen {
    uint64_t random;
    struct slg_arena *arena;
    struct slg_buf text; /* of the query */
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

static inline struct slg_text gen_line(struct gen *g)
{
    const char *level = GEN_PICK(g, "info", "warn", "error", "");
    unsigned value = (unsigned)gen_below(g, 200), sixteenth = (unsigned)gen_below(g, 16);
    const char *user = GEN_PICK(g, "bob", "eve", "zoe");
    char line[200];

    switch (gen_below(g, 8)) {
    case 0:
        (void)snprintf(line, sizeof(line), "plain words about %s and %u", user, value);
        break;
    case 1:
    case 2:
        (void)snprintf(line, sizeof(line),
                       "{\"level\":\"%s\",\"v\":%u.%04u,\"user\":{\"id\":\"%s\"}}", level, value,
                       sixteenth * 625, user);
        break;
    case 3: /* cut short: parsers fail on it */
        (void)snprintf(line, sizeof(line), "{\"level\":\"%s\",\"v\":", level);
        break;
    default:
        (void)snprintf(line, sizeof(line), "level=%s v=%u.%04u took=%us size=%uKB user=%s", level,
                       value, sixteenth * 625, (unsigned)gen_below(g, 30),
                       (unsigned)gen_below(g, 9), user);
        break;
    }
    if (gen_chance(g, 2))
        (void)snprintf(line, sizeof(line), "level=%s v=oops took=x user=%s", level, user);
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
    bool pushes = gen_chance(g, 60);

    gen_streams(g, set);
    set->entries = slg_arena_alloc(g->arena, (count + 1) * sizeof(*set->entries));
    data_check(set->entries != NULL, "the generator has no memory");
    for (size_t i = 0; i < count; i++) {
        int64_t at = (int64_t)(i * 10800 / count);
        struct data_entry entry = { .stream = (uint32_t)gen_below(g, set->stream_count),
                                    .kind = pushes && gen_chance(g, 50) ? SLG_ENTRY_PUSH
                                                                        : SLG_ENTRY_SYSLOG };

        if (gen_chance(g, 10) && i > 0) {
            entry = set->entries[gen_below(g, i)]; /* again: a duplicate when pushed */
        } else {
            if (gen_chance(g, 10))
                at = (int64_t)gen_below(g, 10800); /* late */
            entry.ts_ns = GEN_BASE_NS + (gen_chance(g, 50) ? at - at % 300 : at) * 1000000000;
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
                        "{job=\"test\",host!~\"h2.*\"}", "{app=\"db\",host=\"h1\"}"));
}

static inline void gen_stage(struct gen *g)
{
    gen_add(g,
            GEN_PICK(g, " |= \"level\"", " != \"warn\"", " |~ \"user.*(bob|eve)\"", " !~ \"oops\"",
                     " |> \"level=<_>\"", " |= \"bob\" or \"eve\"", " | logfmt", " | json",
                     " | logfmt v, user", " | json v, who=\"user.id\"",
                     " | regexp \"v=(?P<v>[0-9]+)\"", " | pattern \"level=<level> v=<v> <_>\"",
                     " | level=\"info\"", " | level!=\"\"", " | detected_level=~\"info|warn\"",
                     " | v > 50", " | took <= 10s", " | size > 2KB", " | v > 20 or level=\"warn\"",
                     " | line_format \"{{.user}} {{.v}}\"", " | label_format lv=level",
                     " | label_format x=\"{{.app}}-{{.level}}\"", " | drop trace, v",
                     " | keep level", " | decolorize", " | __error__=\"\"", " | unpack"));
}

static inline void gen_pipeline(struct gen *g)
{
    if (gen_chance(g, 45))
        gen_add(g, GEN_PICK(g, " | logfmt", " |= \"level=\" | logfmt", " | logfmt | __error__=\"\"",
                            " | json | __error__!=\"\"", " | json | __error__=\"\""));
    for (uint64_t stages = gen_below(g, 100) * 3 / 150; stages > 0; stages--)
        gen_stage(g);
}

static inline void gen_grouping(struct gen *g)
{
    gen_add(g, GEN_PICK(g, " by (app)", " by (app, host)", " by (level)", " by (detected_level)",
                        " without (host)", " without (app, trace, v, took, size, user)",
                        " by (user)", " by (__error__)", " by ()", " by (nosuch)", ""));
}

static inline void gen_window(struct gen *g)
{
    gen_add(g, GEN_PICK(g, "[5m]", "[10m]", "[1h]", "[1h]", "[7m]", "[90s]", "[3h]", "[2h]"));
    if (gen_chance(g, 15))
        gen_add(g, GEN_PICK(g, " offset 5m", " offset -10m", " offset 1h"));
}

/* exact: nothing whose last bits depend on the order of additions. */
static inline void gen_range(struct gen *g, bool exact)
{
    const char *op;
    bool grouped = false;

    if (gen_chance(g, 40)) {
        gen_add(g, GEN_PICK(g, "count_over_time", "rate", "bytes_over_time", "bytes_rate",
                            "absent_over_time", "count_over_time"));
        gen_add(g, "(");
        gen_selector(g);
        gen_pipeline(g);
        gen_add(g, " ");
        gen_window(g);
        gen_add(g, ")");
        return;
    }
    op = exact || gen_chance(g, 50)
             ? GEN_PICK(g, "sum_over_time(", "min_over_time(", "max_over_time(", "first_over_time(",
                        "last_over_time(", "rate(")
             : GEN_PICK(g, "avg_over_time(", "stddev_over_time(", "stdvar_over_time(",
                        "quantile_over_time(0.9, ", "quantile_over_time(0.5, ", "rate_counter(",
                        "quantile_over_time(1.5, ", "sum_over_time(");
    grouped = op[0] != 's' || op[1] == 't';
    grouped = grouped && op[0] != 'r';
    gen_add(g, op);
    gen_selector(g);
    gen_add(g, " | logfmt");
    if (gen_chance(g, 30))
        gen_stage(g);
    gen_add(g, GEN_PICK(g, " | unwrap v | __error__=\"\"", " | unwrap v | __error__=\"\"",
                        " | unwrap duration(took) | __error__=\"\"",
                        " | unwrap bytes(size) | __error__=\"\"", " | unwrap v"));
    gen_add(g, " ");
    gen_window(g);
    gen_add(g, ")");
    if (grouped && gen_chance(g, 85))
        gen_add(g, GEN_PICK(g, " by (app)", " by (host, app)",
                            " without (v, took, size, user, trace)", " by ()", " by (user)"));
}

static inline void gen_metric(struct gen *g, unsigned depth, bool exact);

static inline void gen_aggregation(struct gen *g, unsigned depth, bool exact)
{
    const char *op =
        exact ? GEN_PICK(g, "sum", "min", "max", "count", "topk", "bottomk", "sort", "sort_desc")
              : GEN_PICK(g, "sum", "avg", "stddev", "stdvar", "min", "max", "count");
    bool sorts = op[0] == 's' && op[1] == 'o';
    bool takes_k = strstr(op, "topk") != NULL || strstr(op, "bottomk") != NULL;

    gen_add(g, op);
    if (!sorts)
        gen_grouping(g);
    gen_add(g, " (");
    if (takes_k)
        gen_add(g, GEN_PICK(g, "1, ", "2, ", "5, "));
    gen_metric(g, depth - 1, exact || takes_k || sorts);
    gen_add(g, ")");
}

/* Two legs that can match: grouped alike on both sides, most of the time. */
static inline void gen_binary(struct gen *g, unsigned depth, bool exact)
{
    const char *op = GEN_PICK(g, " + ", " - ", " * ", " / ", " % ", " > ", " == ", " != bool ",
                              " < bool ", " and ", " or ", " unless ", " >= ", " ^ ");
    bool compares = strpbrk(op, "><=!") != NULL || strchr(op, '%') != NULL;
    bool is_set =
        strstr(op, "and") != NULL || strstr(op, "or") != NULL || strstr(op, "unless") != NULL;

    gen_add(g, "(");
    gen_metric(g, depth - 1, exact || compares);
    gen_add(g, op);
    if (!is_set && gen_chance(g, 40)) {
        gen_add(g, GEN_PICK(g, "2", "0.5", "0", "40.1"));
    } else {
        if (gen_chance(g, 60))
            gen_add(g, GEN_PICK(g, "on (app) ", "ignoring (host) ", "on (app, host) ", "on () "));
        if (!is_set && gen_chance(g, 25) && g->text.data[g->text.len - 2] == ')')
            gen_add(g, GEN_PICK(g, "group_left () ", "group_right () ", "group_left (host) "));
        gen_metric(g, depth - 1, exact || compares);
    }
    gen_add(g, ")");
}

/* Recursion ends with depth. */
static inline void gen_metric(struct gen *g, unsigned depth, bool exact)
{
    uint64_t choice = gen_below(g, 100);

    if (depth == 0 || choice < 14) {
        gen_range(g, exact);
    } else if (choice < 28) { /* what Loki pushes down */
        gen_add(g, "sum");
        gen_grouping(g);
        gen_add(g, " (");
        gen_range(g, exact);
        gen_add(g, ")");
    } else if (choice < 65) {
        gen_aggregation(g, depth, exact);
    } else if (choice < 85) {
        gen_binary(g, depth, exact);
    } else if (choice < 92) {
        gen_add(g, "label_replace(");
        gen_metric(g, depth - 1, exact);
        gen_add(g, GEN_PICK(g, ", \"short\", \"$1\", \"app\", \"(.).*\")",
                            ", \"host\", \"x-$1\", \"host\", \"h(.)\")",
                            ", \"new\", \"plain\", \"nosuch\", \"\")"));
    } else if (choice < 96) {
        gen_add(g, GEN_PICK(g, "vector(1)", "vector(2.5)"));
    } else {
        gen_range(g, exact);
    }
}

static inline void gen_query(struct gen *g, bool is_log)
{
    slg_buf_clear(&g->text);
    if (!is_log) {
        gen_metric(g, 3, false);
        return;
    }
    gen_selector(g);
    gen_pipeline(g);
}

static inline void gen_params(struct gen *g, bool is_log, struct slg_query_params *params)
{
    static const int64_t steps[] = { 60, 300, 420, 600, 3600, 13 };
    int64_t start = 1200 + (int64_t)gen_below(g, 7000), length = (int64_t)gen_below(g, 6000);

    if (gen_chance(g, 60)) {
        start -= start % 300;
        length -= length % 300;
    }
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
}

#endif
