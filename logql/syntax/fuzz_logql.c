/* Any bytes: the parser refuses or gives a tree that its canonical text gives again; the pretty printer ends.
 * Covers: lex.c parse.c parse_log.c ast.c walk.c units.c regex_shape.c print.c */
#include "logql/syntax/parse.h"
#include "logql/syntax/print.h"
#include "logql/syntax/walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_expr *expr;
    const struct slg_logql_expr *again;
    const struct slg_logql_log *log;
    struct slg_error error;
    struct slg_buf canonical;
    struct slg_buf pretty;

    SLG_ASSERT(arena != NULL);
    slg_buf_init(&canonical, SLG_LOGQL_TEXT_BYTES_MAX - 1);
    slg_buf_init(&pretty, SLG_LOGQL_TEXT_BYTES_MAX);
    (void)slg_logql_parse_selector(arena, (const char *)data, size, true, &log, &error);
    if (slg_logql_parse(arena, (const char *)data, size, &expr, &error) == SLG_OK) {
        int64_t before_ns;
        int64_t after_ns;

        slg_logql_reach(expr, &before_ns, &after_ns);
        SLG_ASSERT(before_ns >= 0);
        SLG_ASSERT(after_ns >= 0);
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
