/* Any bytes: the parser refuses or gives a tree that its canonical text gives again; the pretty printer ends.
 * Covers: lex.c parse.c parse_log.c ast.c walk.c units.c regex_shape.c print.c */
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "logql/syntax/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ask_matchers(void *user, const struct slg_logql_log *log,
                         const struct slg_logql_range_aggregation *range)
{
    (void)range;
    for (size_t i = 0; i < log->matcher_count; i++)
        (void)slg_logql_matcher_accepts_empty(
            &log->matchers[i]); /* ends; the answer is tested elsewhere */
    *(size_t *)user += 1;
    return true;
}

/* Two queries are the same exactly when neither finds a difference, and then they print alike. */
static void check_equal(const struct slg_logql_expr *a, const struct slg_logql_expr *b)
{
    struct slg_buf left, right;
    bool same = slg_logql_equal(a, b);

    if (a->kind == SLG_LOGQL_EXPR_BINARY)
        SLG_ASSERT(!slg_logql_binary_op_is_comparison(a->binary.op) ||
                   !slg_logql_binary_op_is_set(a->binary.op));
    SLG_ASSERT(slg_logql_equal(a, a));
    SLG_ASSERT(same == slg_logql_equal(b, a));
    slg_buf_init(&left, SLG_LOGQL_TEXT_BYTES_MAX - 1);
    slg_buf_init(&right, SLG_LOGQL_TEXT_BYTES_MAX - 1);
    slg_logql_print(&left, a);
    slg_logql_print(&right, b);
    if (same && !slg_buf_failed(&left)) {
        SLG_ASSERT(left.len == right.len);
        SLG_ASSERT(memcmp(left.data, right.data, left.len) == 0);
    }
    slg_buf_fini(&right);
    slg_buf_fini(&left);
}

/* What stands behind the first NUL is a second query. */
static void check_second(struct slg_arena *arena, const struct slg_logql_expr *first,
                         const uint8_t *text, size_t len)
{
    const struct slg_logql_expr *second;
    size_t log_count = 0;

    SLG_ASSERT(slg_logql_each_log(first, ask_matchers, &log_count));
    SLG_ASSERT(first->kind != SLG_LOGQL_EXPR_LOG || log_count == 1);
    if (slg_logql_parse(arena, (const char *)text, len, &second, NULL) == SLG_OK)
        check_equal(first, second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_expr *expr;
    const struct slg_logql_expr *again;
    const struct slg_logql_log *log;
    struct slg_error error;
    struct slg_buf canonical;
    struct slg_buf pretty;
    const uint8_t *nul = size == 0 ? NULL : memchr(data, 0, size);
    const uint8_t *second = nul == NULL ? data + size : nul + 1;
    size_t second_len = (size_t)(data + size - second);

    size = nul == NULL ? size : (size_t)(nul - data);
    SLG_ASSERT(arena != NULL);
    slg_buf_init(&canonical, SLG_LOGQL_TEXT_BYTES_MAX - 1);
    slg_buf_init(&pretty, SLG_LOGQL_TEXT_BYTES_MAX);
    (void)slg_logql_parse_selector(arena, (const char *)data, size, true, &log, &error);
    if (slg_logql_parse(arena, (const char *)data, size, &expr, &error) == SLG_OK) {
        check_second(arena, expr, second, second_len);
        slg_logql_pretty(&pretty, expr);
        slg_logql_print(&canonical, expr);
        if (!slg_buf_failed(&canonical)) {
            bool ok = slg_logql_parse(arena, (const char *)canonical.data, canonical.len, &again,
                                      &error) == SLG_OK;

            SLG_ASSERT(ok);
            SLG_ASSERT(slg_logql_equal(expr, again));
        }
    }
    slg_buf_fini(&canonical);
    slg_buf_fini(&pretty);
    slg_arena_destroy(arena);
    return 0;
}
