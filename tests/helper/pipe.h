/* tests/helper/pipe.h - one entry through one query, as text.
 *
 * The answer is "line | name=value name=value ...", labels sorted, or "dropped", or "error: <text>". For metric queries
 * "value | labels". Stream labels and metadata are given as "a=b c=d". */
#ifndef SLG_TESTS_HELPER_PIPE_H
#define SLG_TESTS_HELPER_PIPE_H

#include "base/buf.h"
#include "logql/pipe/pipe.h"
#include "logql/syntax/parse.h"
#include "tests/helper/test.h"

#define TEST_TS_NS INT64_C(1772452523108330844) /* 2026-03-02T11:55:23.108330844Z */

static inline struct slg_label_set test_labels(const char *text, struct slg_label *items)
{
    size_t count = 0;

    while (*text != '\0') {
        const char *equal = strchr(text, '=');
        const char *end = strchr(equal, ' ');

        if (end == NULL)
            end = equal + strlen(equal);
        items[count].name = slg_text_make(text, (size_t)(equal - text));
        items[count++].value = slg_text_make(equal + 1, (size_t)(end - equal) - 1);
        text = *end == '\0' ? end : end + 1;
    }
    return (struct slg_label_set){ .items = items, .count = count };
}

struct test_entry {
    const char *query;  /* a log query, or a metric query whose leaf is run */
    const char *stream; /* sorted */
    const char *metadata;
    const char *line;
    size_t line_len; /* 0: strlen */
};

static inline const struct slg_logql_range_aggregation *
test_leaf(const struct slg_logql_expr *expr, const struct slg_logql_grouping **ret_outer)
{
    *ret_outer = NULL;
    if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION) {
        *ret_outer = &expr->vector.grouping;
        expr = expr->vector.inner;
    }
    return expr->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION ? &expr->range : NULL;
}

static inline void test_print(struct slg_buf *out, const struct slg_pipe_result *result,
                              bool metric)
{
    if (metric)
        slg_buf_printf(out, "%g |", result->value);
    else {
        slg_buf_append(out, result->line.at, result->line.len);
        slg_buf_append_text(out, " |");
    }
    for (size_t i = 0; i < result->labels.count; i++) {
        const struct slg_label *label = &result->labels.items[i];

        slg_buf_append_text(out, " ");
        slg_buf_append(out, label->name.at, label->name.len);
        slg_buf_append_text(out, "=");
        if (slg_text_equal_to(label->name, "__error_details__"))
            slg_buf_append_text(out, "*");
        else
            slg_buf_append(out, label->value.at, label->value.len);
    }
    if (result->must_fail)
        slg_buf_printf(out, " | fails with %.*s", (int)result->error.len, result->error.at);
}

/* out: initialised, cleared here; NUL-terminated. */
static inline void test_run(const struct test_entry *entry, struct slg_buf *out)
{
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_range_aggregation *leaf = NULL;
    const struct slg_logql_grouping *outer = NULL;
    struct slg_label stream_items[16], metadata_items[16];
    struct slg_label_set stream_set = test_labels(entry->stream, stream_items);
    struct slg_label_set metadata = test_labels(entry->metadata, metadata_items);
    size_t line_len = entry->line_len == 0 ? strlen(entry->line) : entry->line_len;
    uint8_t *line = test_block(entry->line, line_len);
    struct slg_pipe_options options = { .now_ns = TEST_TS_NS };
    const struct slg_logql_expr *expr;
    struct slg_pipe *pipe = NULL;
    struct slg_pipe_stream *stream;
    struct slg_pipe_result result;
    struct slg_error error;
    enum slg_status status;

    slg_buf_clear(out);
    status = slg_logql_parse(arena, entry->query, strlen(entry->query), &expr, &error);
    if (status == SLG_OK) {
        if (expr->kind == SLG_LOGQL_EXPR_LOG) {
            options.log = &expr->log;
        } else {
            leaf = test_leaf(expr, &outer);
            if (leaf == NULL)
                abort();
            options.log = &leaf->log;
            options.unwrap = &leaf->unwrap;
            options.grouping = leaf->grouping.present ? &leaf->grouping : outer;
            options.sample =
                leaf->unwrap.present ? SLG_PIPE_SAMPLE_UNWRAP
                : leaf->op == SLG_LOGQL_RANGE_BYTES || leaf->op == SLG_LOGQL_RANGE_BYTES_RATE
                    ? SLG_PIPE_SAMPLE_BYTES
                    : SLG_PIPE_SAMPLE_COUNT;
        }
        status = slg_pipe_create(&options, &pipe, &error);
    }
    if (status != SLG_OK) {
        slg_buf_printf(out, "error: %s", error.message);
    } else {
        struct slg_pipe_entry run = { .ts_ns = TEST_TS_NS,
                                      .line = slg_text_make((const char *)line, line_len),
                                      .metadata = &metadata };

        assert_int_equal(slg_pipe_stream_create(pipe, &stream_set, &stream), SLG_OK);
        /* Twice: the second run must not see anything of the first. */
        (void)!slg_pipe_run(pipe, stream, &run, &result);
        status = slg_pipe_run(pipe, stream, &run, &result);
        if (status == SLG_OK)
            test_print(out, &result, leaf != NULL);
        else
            slg_buf_append_text(out, status == SLG_NOT_FOUND ? "dropped" : "limit");
    }
    slg_buf_append_byte(out, 0);
    slg_pipe_destroy(pipe);
    slg_arena_destroy(arena);
    free(line);
}

struct test_pipe_row {
    const char *name;
    struct test_entry entry;
    const char *want;
};

static inline void test_pipe_rows(const struct test_pipe_row *rows, size_t count)
{
    struct slg_buf out;

    slg_buf_init(&out, (size_t)64 << 20);
    for (size_t i = 0; i < count; i++) {
        test_run(&rows[i].entry, &out);
        if (strcmp((const char *)out.data, rows[i].want) != 0) {
            print_error("row \"%s\":\n  got  %s\n  want %s\n", rows[i].name, (const char *)out.data,
                        rows[i].want);
            fail();
        }
    }
    slg_buf_fini(&out);
}

#endif
