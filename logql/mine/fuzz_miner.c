/* Lines and pages of other processes become patterns. First byte even: the rest is a page body. Odd: the rest is lines, each
 * up to a newline; each line is seen 30 times, then what is mined must be a pattern that matches it, and a page of it must
 * give the same pattern again.
 * Covers: miner.c */
#include "logql/mine/miner.h"
#include "logql/pipe/pattern.h"

#define STEP_NS   INT64_C(10000000000)
#define LINES_MAX 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_page(const uint8_t *data, size_t size)
{
    struct slg_miner *miner = slg_miner_create(STEP_NS, UINT64_MAX);
    const struct slg_miner_pattern *patterns;
    size_t count;

    SLG_ASSERT(miner != NULL);
    if (slg_miner_feed(miner, data, size, NULL) == SLG_OK &&
        slg_miner_finish(miner, &patterns, &count, NULL) == SLG_OK)
        SLG_ASSERT(count <= SLG_MINER_PATTERN_COUNT_MAX);
    slg_miner_destroy(miner);
}

static void check_match(struct slg_text pattern, struct slg_text line)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_pattern parsed;

    SLG_ASSERT(arena != NULL);
    SLG_ASSERT(slg_pattern_parse_filter(arena, pattern, &parsed, NULL) == SLG_OK);
    SLG_ASSERT(slg_pattern_test(&parsed, line));
    slg_arena_destroy(arena);
}

static void mine_line(struct slg_text line)
{
    struct slg_miner *miner = slg_miner_create(STEP_NS, UINT64_MAX),
                     *again = slg_miner_create(STEP_NS, UINT64_MAX);
    const struct slg_miner_pattern *patterns;
    struct slg_buf page;
    bool more = false;
    size_t count;

    SLG_ASSERT(miner != NULL);
    SLG_ASSERT(again != NULL);
    slg_buf_init(&page, (size_t)4 << 20);
    for (int i = 0; i < SLG_MINER_LINES_MIN; i++)
        SLG_ASSERT(slg_miner_add(miner, slg_text_make("info", 4), i, line, NULL) == SLG_OK);
    SLG_ASSERT(slg_miner_page(miner, &page, &more, NULL) == SLG_OK);
    SLG_ASSERT(!more);
    SLG_ASSERT(slg_miner_feed(again, page.data, page.len, NULL) == SLG_OK);
    SLG_ASSERT(slg_miner_finish(again, &patterns, &count, NULL) == SLG_OK);
    SLG_ASSERT(count <= 1);
    if (count == 1)
        check_match(patterns[0].pattern, line);
    slg_buf_fini(&page);
    slg_miner_destroy(miner);
    slg_miner_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_text rest;

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0) {
        feed_page(data + 1, size - 1);
        return 0;
    }
    rest = slg_text_make(data + 1, size - 1);
    for (int i = 0; i < LINES_MAX && rest.len > 0; i++) {
        const char *newline = memchr(rest.at, '\n', rest.len);
        size_t len = newline == NULL ? rest.len : (size_t)(newline - rest.at);

        mine_line(slg_text_make(rest.at, len));
        len += newline != NULL;
        rest = slg_text_make(rest.at + len, rest.len - len);
    }
    return 0;
}
