/* What a pipeline remembers of earlier lines (keys, their order, their labels) never shows: an entry gives the same in a
 * pipeline that has run thousands of others as in a new one.
 * Oracle: a new pipeline per entry. The seed is printed; SLG_SEED sets it. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "logql/pipe/pipe.h"
#include "logql/syntax/parse.h"

#define ROUND_COUNT  4000
#define LINE_BYTES   2048
#define STREAM_COUNT 2

static const char *const queries[] = {
    "{a=\"b\"} | json",
    "{a=\"b\"} | json x=\"a.b\", y=\"c\"",
    "{a=\"b\"} | json | b=\"1\"",
    "sum by (b) (count_over_time({a=\"b\"} | json [5m]))",
    "sum by (a_b, c) (count_over_time({a=\"b\"} | json [5m]))",
    "sum without (c) (count_over_time({a=\"b\"} | json [5m]))",
    "{a=\"b\"} | logfmt",
    "{a=\"b\"} | logfmt --strict",
    "{a=\"b\"} | logfmt --keep-empty",
    "{a=\"b\"} | logfmt x=\"b\", c",
    "{a=\"b\"} | logfmt | b=\"1\" | drop c",
    "sum by (b) (count_over_time({a=\"b\"} | logfmt [5m]))",
    "{a=\"b\"} | regexp \"b=(?P<b>\\\\w*)\" | logfmt",
    "{a=\"b\"} | logfmt | json",
    "{a=\"b\"} | unpack",
};

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static const char *pick(uint64_t *seed, const char *const *from, size_t count)
{
    return from[next(seed) % count];
}

static const char *const keys[] = { "a",
                                    "b",
                                    "c",
                                    "d",
                                    "a_b",
                                    "a.b",
                                    "a b",
                                    "0",
                                    "",
                                    "b\\\"",
                                    "b\\u0062",
                                    "\xc3\xa4",
                                    "d\xff",
                                    "app",
                                    "status",
                                    "meta",
                                    "a_very_long_key_of_more_than_thirty_two_bytes" };

/* Mostly one of two, so that lines of equal keys and other nesting are common. */
static const char *pick_key(uint64_t *seed)
{
    return pick(seed, keys, next(seed) % 6 == 0 ? SLG_ARRAY_LEN(keys) : 2);
}

/* NOLINTNEXTLINE(misc-no-recursion): by depth */
static size_t add_json(uint64_t *seed, char *out, size_t len, int depth)
{
    static const char *const values[] = {
        "1",        "\"x\"",       "\"\"", "null",
        "true",     "[1,{}]",      "-2e5", "\"\\n\"",
        "\"\xff\"", "\"\\ud800\"", "bad",  "\"a long value, well over thirty bytes\""
    };
    static const char *const glue[] = { "", "", "", "", "", "", "", "", "", "", "", " " };
    bool first = true;

    out[len++] = '{';
    for (size_t i = next(seed) % 4; i > 0 && len < LINE_BYTES - 400; i--) {
        len += (size_t)snprintf(out + len, LINE_BYTES - len, "%s%s\"%s\"%s:%s", first ? "" : ",",
                                pick(seed, glue, SLG_ARRAY_LEN(glue)), pick_key(seed),
                                pick(seed, glue, SLG_ARRAY_LEN(glue)),
                                pick(seed, glue, SLG_ARRAY_LEN(glue)));
        first = false;
        if (depth > 0 && next(seed) % 3 == 0)
            len = add_json(seed, out, len, depth - 1);
        else
            len += (size_t)snprintf(out + len, LINE_BYTES - len, "%s",
                                    pick(seed, values, SLG_ARRAY_LEN(values)));
    }
    if (next(seed) % 40 != 0)
        out[len++] = '}';
    return len;
}

static size_t add_logfmt(uint64_t *seed, char *out)
{
    static const char *const values[] = { "=1",
                                          "=x",
                                          "=",
                                          "",
                                          "=\"\"",
                                          "=\"a b\"",
                                          "=\"\\\"\"",
                                          "=\"",
                                          "=a\"b",
                                          "=\xff",
                                          "=\"\\x\"",
                                          "==",
                                          "=a_long_value_well_over_thirty_two_bytes" };
    size_t len = 0;

    for (size_t i = next(seed) % 8; i > 0; i--)
        len += (size_t)snprintf(out + len, LINE_BYTES - len, "%s%s%s", pick_key(seed),
                                pick(seed, values, SLG_ARRAY_LEN(values)), i > 1 ? " " : "");
    return len;
}

/* Said first: equal keys at other depths, a shape of which a shorter line has overwritten a part. */
static const char *const first_lines[] = {
    "{\"a\":{\"b\":1,\"c\":2}}",
    "{\"b\":1}",
    "{\"b\":{\"b\":5,\"c\":6}}",
    "{\"a\":1,\"b\":2}",
    "{\"a\":{\"b\":2}}",
    "{\"a\":1,\"b\":2,\"c\":3}",
    "a=1 b=2 c=3",
    "a=1 bb=2 c=3",
    "b=1 a=2",
};

/* Often the line before with one byte changed, so that memory has something to say. */
static size_t make_line(uint64_t *seed, char *line, size_t len)
{
    size_t kind = next(seed) % 8;

    if (kind < 3 && len > 0) {
        if (kind == 0)
            line[next(seed) % len] = "\"{}:,= ab1\\"[next(seed) % 11];
        return kind == 1 ? len - next(seed) % 3 % len : len;
    }
    return kind < 6 ? add_json(seed, line, 0, 2) : add_logfmt(seed, line);
}

struct run {
    struct slg_arena *arena;
    struct slg_pipe *pipe;
    struct slg_pipe_stream *streams[STREAM_COUNT];
};

static void start(struct run *run, const char *query)
{
    static const struct slg_label items[STREAM_COUNT][2] = {
        { { { "app", 3 }, { "x", 1 } }, { { "job", 3 }, { "j", 1 } } },
        { { { "b", 1 }, { "of the stream", 13 } }, { { "status", 6 }, { "s", 1 } } },
    };
    static const struct slg_label_set sets[STREAM_COUNT] = { { items[0], 2 }, { items[1], 2 } };
    const struct slg_logql_expr *expr;
    struct slg_pipe_options options = { .want_categories = true };

    run->arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    assert_int_equal(slg_logql_parse(run->arena, query, strlen(query), &expr, NULL), SLG_OK);
    options.log = &expr->log;
    if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION) {
        options.grouping = &expr->vector.grouping;
        options.sample = SLG_PIPE_SAMPLE_COUNT;
        options.log = &expr->vector.inner->range.log;
        options.want_categories = false;
    }
    assert_int_equal(slg_pipe_create(&options, &run->pipe, NULL), SLG_OK);
    for (size_t i = 0; i < STREAM_COUNT; i++)
        assert_int_equal(slg_pipe_stream_create(run->pipe, &sets[i], &run->streams[i]), SLG_OK);
}

static void stop(struct run *run)
{
    slg_pipe_destroy(run->pipe);
    slg_arena_destroy(run->arena);
}

static bool same(const struct slg_pipe_result *a, const struct slg_pipe_result *b)
{
    if (a->labels.count != b->labels.count || a->has_error != b->has_error ||
        !slg_text_equal(a->line, b->line) || !slg_text_equal(a->error, b->error) ||
        a->hash.low != b->hash.low || a->hash.high != b->hash.high ||
        (a->categories == NULL) != (b->categories == NULL))
        return false;
    for (size_t i = 0; i < a->labels.count; i++)
        if (!slg_text_equal(a->labels.items[i].name, b->labels.items[i].name) ||
            !slg_text_equal(a->labels.items[i].value, b->labels.items[i].value) ||
            (a->categories != NULL && a->categories[i] != b->categories[i]))
            return false;
    return true;
}

static void check_query(const char *query, uint64_t *seed)
{
    static const struct slg_label meta[] = { { { "c", 1 }, { "m", 1 } },
                                             { { "meta", 4 }, { "", 0 } } };
    const struct slg_label_set metadata[] = { { NULL, 0 }, { meta, 2 } };
    char raw[LINE_BYTES];
    struct run old;
    size_t len = 0;

    start(&old, query);
    for (size_t round = 0; round < ROUND_COUNT; round++) {
        struct slg_pipe_result want = { 0 }, got = { 0 };
        struct slg_pipe_entry entry = { .metadata = &metadata[next(seed) % 8 == 0] };
        size_t stream = next(seed) % 8 == 0;
        enum slg_status status;
        struct run fresh;
        char *line;

        if (round < SLG_ARRAY_LEN(first_lines)) {
            len = strlen(first_lines[round]);
            memcpy(raw, first_lines[round], len);
        } else {
            len = make_line(seed, raw, len);
        }
        line = (char *)test_block(raw, len);
        entry.line = slg_text_make(line, len);
        start(&fresh, query);
        status = slg_pipe_run(fresh.pipe, fresh.streams[stream], &entry, &want);
        if (slg_pipe_run(old.pipe, old.streams[stream], &entry, &got) != status ||
            (status == SLG_OK && !same(&want, &got))) {
            print_error("%s: another answer with memory, line \"%.*s\"\n", query, (int)len, line);
            fail();
        }
        stop(&fresh);
        free(line);
    }
    stop(&old);
}

static void test_memory_does_not_show(void **state)
{
    const char *given = getenv("SLG_SEED");
    uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 10);

    (void)state;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < SLG_ARRAY_LEN(queries); i++)
        check_query(queries[i], &seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory_does_not_show) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
