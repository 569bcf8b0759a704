/* Patterns of mail logs, sums over several miners, and that a pattern matches what it was counted for.
 * Oracle: patterns and counts by hand; one miner over all lines for several over parts; logql/pipe/pattern.h for matching. */
#include "tests/helper/test.h"

#include "logql/mine/miner.h"
#include "logql/pipe/pattern.h"
#include "proto/limits.h"

#define STEP_NS INT64_C(10000000000)

static uint64_t random_state = 88172645463325252U;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static struct slg_miner *start(void)
{
    struct slg_miner *miner = slg_miner_create(STEP_NS, UINT64_MAX);

    assert_non_null(miner);
    return miner;
}

static void add(struct slg_miner *miner, const char *level, int64_t ts_ns, const char *line)
{
    size_t len = strlen(line);
    char *block = (char *)test_block(line, len);

    assert_int_equal(
        slg_miner_add(miner, slg_text_of(level), ts_ns, slg_text_make(block, len), NULL), SLG_OK);
    free(block);
}

static bool matches(struct slg_arena *arena, struct slg_text pattern, struct slg_text line)
{
    struct slg_arena_mark mark = slg_arena_mark(arena);
    struct slg_pattern parsed;
    bool found;

    assert_int_equal(slg_pattern_parse_filter(arena, pattern, &parsed, NULL), SLG_OK);
    found = slg_pattern_test(&parsed, line);
    slg_arena_rewind(arena, mark);
    return found;
}

/* The form with each '%' replaced by the next word. Returns its length. */
static size_t fill(char *line, size_t size, const char *form, const char *const *words)
{
    size_t len = 0;

    for (const char *at = form; *at != '\0' && len + 1 < size; at++) {
        if (*at == '%')
            len += (size_t)snprintf(line + len, size - len, "%s", *words++);
        else
            line[len++] = *at;
    }
    assert_true(len < size);
    line[len] = '\0';
    return len;
}

static void fill_numbers(char *line, size_t size, const char *form, unsigned n)
{
    char numbers[4][16];
    const char *words[4];

    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%u", n * (6 * i + 1) % 10007);
        words[i] = numbers[i];
    }
    (void)fill(line, size, form, words);
}

/* ---- mail logs ---- */

/* % in a line is a number that grows; the line is added `count` times. */
static const struct mail_case {
    const char *line, *pattern; /* NULL: not shown */
    int count;
} mail[] = {
    { "connect from unknown[192.0.2.%]", "connect from unknown[<_>]", 400 },
    { "%F3A: client=mx%.example.org[198.51.100.7]", "<_>: client=<_>[198.51.100.7]", 300 },
    { "%F3A: message-id=<%.x@example.org>", "<_>: message-id=<<_>@example.org>", 250 },
    { "%F3A: to=<u%@example.org>, relay=none, delay=0.%, delays=0/0/0/0, dsn=4.4.1, "
      "status=deferred (connect to mx.example.org[192.0.2.9]:25: Connection timed out)",
      "<_>: to=<<_>@example.org>, relay=none, delay=<_>, delays=0/0/0/0, dsn=4.4.1, "
      "status=deferred (connect to mx.example.org[192.0.2.9]:25: Connection timed out)",
      200 },
    { "%F3A: removed from queue", "<_>: removed from queue", 150 },
    { "imap-login: Login: user=<u%>, method=PLAIN, rip=192.0.2.%, lip=10.0.0.1, TLS",
      "imap-login: Login: user=<<_>>, method=PLAIN, rip=<_>, lip=10.0.0.1, TLS", 100 },
    { "{\"t\":%,\"msg\":\"greylisted % for 300 s\",\"ip\":\"192.0.2.1\"}",
      "<_>\"msg\":\"greylisted <_> for 300 s\"<_>", 80 },
    { "fatal: no SASL authentication mechanisms", "fatal: no SASL authentication mechanisms", 30 },
    { "warning: only 29 of this kind", NULL, 29 },
    { "% % % %", NULL, 500 }, /* says nothing */
    { "short line", NULL, 100 },
};

static void test_mail_logs(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_miner *miner = start();
    const struct slg_miner_pattern *patterns;
    size_t count, shown = 0;
    char line[512];

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(mail); i++)
        for (unsigned n = 0; n < (unsigned)mail[i].count; n++) {
            fill_numbers(line, sizeof(line), mail[i].line, n);
            add(miner, i == 7 ? "fatal" : "info", 1000 * STEP_NS + n % 3 * STEP_NS, line);
        }
    assert_int_equal(slg_miner_lost_count(miner), 100);
    assert_int_equal(slg_miner_finish(miner, &patterns, &count, NULL), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(mail); i++) {
        if (mail[i].pattern == NULL)
            continue;
        assert_true(shown < count);
        CHECK(mail[i].pattern, slg_text_equal_to(patterns[shown].pattern, mail[i].pattern));
        CHECK(mail[i].pattern, patterns[shown].count == (uint64_t)mail[i].count);
        CHECK(mail[i].pattern, slg_text_equal_to(patterns[shown].level, i == 7 ? "fatal" : "info"));
        CHECK(mail[i].pattern, patterns[shown].sample_count == 3);
        CHECK(mail[i].pattern, patterns[shown].samples[0].bucket == 1000);
        CHECK(mail[i].pattern,
              patterns[shown].samples[0].count == (uint64_t)(mail[i].count + 2) / 3);
        fill_numbers(line, sizeof(line), mail[i].line, 5);
        CHECK(mail[i].pattern, matches(arena, patterns[shown].pattern, slg_text_of(line)));
        shown++;
    }
    assert_int_equal(shown, count);
    slg_miner_destroy(miner);
    slg_arena_destroy(arena);
}

/* ---- random lines ---- */

/* A line like one of a program: a few forms, with words, numbers and rubbish in their places. */
static size_t draw_line(char *line, size_t size)
{
    static const char *const forms[] = { "%: to=<%@%>, relay=%[%]:25, status=sent",
                                         "user <%> logged in from % as %",
                                         "{\"ts\":\"%\",\"msg\":\"% has %\",\"n\":%}",
                                         "%=% %=% %=\"%\"",
                                         "[%] % (%): % <%> %",
                                         "%",
                                         "%: %: %:%" };
    static const char *const words[] = { "anna", "7",   "4bX2",        "-",        "<x>",  "a b",
                                         "_",    "::",  "caf\xc3\xa9", "\xff\xfe", "x@y",  "\"q\"",
                                         "a:",   "<_>", "10.0.0.1",    "\t",       "\x02", "(",
                                         "\\",   "<a",  "b>",          "{",        "msg",  "" };
    const char *w[6];
    char made[6][16];

    for (size_t i = 0; i < 6; i++) {
        w[i] = words[draw(SLG_ARRAY_LEN(words))];
        if (draw(3) == 0) {
            (void)snprintf(made[i], sizeof(made[i]), "w%c%c%c", (char)('a' + draw(26)),
                           (char)('a' + draw(26)), (char)('a' + draw(26)));
            w[i] = made[i];
        }
    }
    return fill(line, size, forms[draw(SLG_ARRAY_LEN(forms))], w);
}

/* The pattern of one line, seen 30 times, matches it, whatever its bytes. */
static void test_a_pattern_matches_its_line(void **state)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    char line[512];
    size_t shown = 0;

    (void)state;
    for (int round = 0; round < 1500; round++) {
        struct slg_miner *miner = start();
        const struct slg_miner_pattern *patterns;
        size_t len = draw_line(line, sizeof(line)), count;
        char *block = (char *)test_block(line, len);

        for (int i = 0; i < 30; i++)
            assert_int_equal(
                slg_miner_add(miner, slg_text_of("info"), 0, slg_text_make(block, len), NULL),
                SLG_OK);
        assert_int_equal(slg_miner_finish(miner, &patterns, &count, NULL), SLG_OK);
        assert_true(count <= 1);
        shown += count;
        if (count == 1 && !matches(arena, patterns[0].pattern, slg_text_make(block, len))) {
            print_error("\"%.*s\" does not match \"%.*s\"\n", (int)patterns[0].pattern.len,
                        patterns[0].pattern.at, (int)len, block);
            fail();
        }
        free(block);
        slg_miner_destroy(miner);
    }
    assert_true(shown > 800);
    slg_arena_destroy(arena);
}

/* Each pattern of many lines matches at least as many of them as were counted for it. */
static void test_patterns_match_their_lines(void **state)
{
    enum { LINES = 4000 };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    char(*lines)[512] = calloc(LINES, sizeof(*lines));
    struct slg_miner *miner = start();
    const struct slg_miner_pattern *patterns;
    size_t count;

    (void)state;
    assert_non_null(lines);
    for (size_t i = 0; i < LINES; i++) {
        lines[i][draw_line(lines[i], sizeof(*lines))] = '\0';
        add(miner, "info", 0, lines[i]);
    }
    assert_int_equal(slg_miner_finish(miner, &patterns, &count, NULL), SLG_OK);
    assert_true(count > 3);
    for (size_t i = 0; i < count; i++) {
        uint64_t matched = 0;

        for (size_t k = 0; k < LINES; k++)
            matched += matches(arena, patterns[i].pattern, slg_text_of(lines[k]));
        if (matched < patterns[i].count) {
            print_error("\"%.*s\" matches %llu of %llu lines\n", (int)patterns[i].pattern.len,
                        patterns[i].pattern.at, (unsigned long long)matched,
                        (unsigned long long)patterns[i].count);
            fail();
        }
    }
    slg_miner_destroy(miner);
    free(lines);
    slg_arena_destroy(arena);
}

/* ---- several miners ---- */

static void move(struct slg_miner *from, struct slg_miner *to)
{
    bool more = true;
    struct slg_buf page;

    slg_buf_init(&page, SLG_MESSAGE_BYTES_MAX);
    while (more) {
        uint8_t *block;

        slg_buf_clear(&page);
        assert_int_equal(slg_miner_page(from, &page, &more, NULL), SLG_OK);
        block = test_block(page.data, page.len);
        assert_int_equal(slg_miner_feed(to, block, page.len, NULL), SLG_OK);
        free(block);
    }
    slg_buf_fini(&page);
}

static void check_equal(struct slg_miner *a, struct slg_miner *b)
{
    const struct slg_miner_pattern *x, *y;
    size_t x_count, y_count;

    assert_int_equal(slg_miner_finish(a, &x, &x_count, NULL), SLG_OK);
    assert_int_equal(slg_miner_finish(b, &y, &y_count, NULL), SLG_OK);
    assert_int_equal(x_count, y_count);
    for (size_t i = 0; i < x_count; i++) {
        assert_true(slg_text_equal(x[i].pattern, y[i].pattern));
        assert_true(slg_text_equal(x[i].level, y[i].level));
        assert_int_equal(x[i].sample_count, y[i].sample_count);
        for (size_t k = 0; k < x[i].sample_count; k++) {
            assert_int_equal(x[i].samples[k].bucket, y[i].samples[k].bucket);
            assert_int_equal(x[i].samples[k].count, y[i].samples[k].count);
        }
    }
}

static void test_parts_add_up(void **state)
{
    static const char *const levels[] = { "info", "warn", "error" };
    char line[512];

    (void)state;
    for (int round = 0; round < 5; round++) {
        struct slg_miner *whole = start(), *parts[3], *sum = start();

        for (size_t i = 0; i < 3; i++)
            parts[i] = start();
        for (int i = 0; i < 3000; i++) {
            int64_t ts_ns = (int64_t)draw(40) * STEP_NS - 20 * STEP_NS + 5;
            const char *level = levels[draw(3)];

            line[draw_line(line, sizeof(line))] = '\0';
            add(whole, level, ts_ns, line);
            add(parts[draw(3)], level, ts_ns, line);
        }
        for (size_t i = 3; i-- > 0;)
            move(parts[i], sum);
        check_equal(whole, sum);
        for (size_t i = 0; i < 3; i++)
            slg_miner_destroy(parts[i]);
        slg_miner_destroy(whole);
        slg_miner_destroy(sum);
    }
}

/* More words than rows: memory stays, nothing that is shown is wrong, and nothing is counted twice. */
static void test_a_full_miner_generalises(void **state)
{
    struct slg_miner *miner = start(), *sum = start();
    const struct slg_miner_pattern *patterns;
    uint64_t shown = 0;
    char line[128];
    size_t count;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(line, sizeof(line), "user w%c%c%c%c logged in", (char)('a' + i % 26),
                       (char)('a' + i / 26 % 26), (char)('a' + i / 676 % 26),
                       (char)('a' + i / 17576 % 26));
        add(miner, "info", i % 50 * STEP_NS, line);
    }
    move(miner, sum);
    assert_int_equal(slg_miner_finish(sum, &patterns, &count, NULL), SLG_OK);
    assert_int_equal(count, 1);
    assert_true(slg_text_equal_to(patterns[0].pattern, "user <_> logged in"));
    for (size_t i = 0; i < patterns[0].sample_count; i++)
        shown += patterns[0].samples[i].count;
    assert_int_equal(patterns[0].count, shown);
    assert_int_equal(shown + slg_miner_lost_count(miner) + slg_miner_lost_count(sum), 20000);
    assert_int_equal(patterns[0].sample_count, 50);
    slg_miner_destroy(miner);
    slg_miner_destroy(sum);
}

static void test_pages_of_many_counts(void **state)
{
    struct slg_miner *miner = start(), *sum = start();
    const struct slg_miner_pattern *patterns;
    size_t count;

    (void)state;
    for (int64_t i = 0; i < 400000; i++) /* over 1 MiB: one row goes over several pages */
        add(miner, "info", i * 1000 * STEP_NS, "connect from unknown[1]");
    move(miner, sum);
    assert_int_equal(slg_miner_finish(sum, &patterns, &count, NULL), SLG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(patterns[0].count, 400000);
    assert_int_equal(patterns[0].sample_count, 400000);
    slg_miner_destroy(miner);
    slg_miner_destroy(sum);
}

static void test_too_many_counts(void **state)
{
    struct slg_miner *miner = start();
    enum slg_status status = SLG_OK;
    struct slg_error error = { 0 };
    int64_t i = 0;

    (void)state;
    for (; status == SLG_OK && i < INT64_C(1) << 21; i++)
        status =
            slg_miner_add(miner, slg_text_of("info"), i * STEP_NS, slg_text_of("a b c d"), &error);
    assert_int_equal(status, SLG_LIMIT);
    assert_int_equal(i - 1, SLG_MINER_CELL_COUNT_MAX);
    assert_non_null(strstr(error.hint, "larger step"));
    slg_miner_destroy(miner);
}

/* With less memory it holds less, down to 1/64; many different lines are still mined. */
static void test_less_memory(void **state)
{
    static const struct memory_case {
        const char *name;
        uint64_t memory_bytes;
        size_t cells;
    } cases[] = {
        { "all that it may use", SLG_MINER_MEMORY_BYTES, SLG_MINER_CELL_COUNT_MAX },
        { "a byte less", SLG_MINER_MEMORY_BYTES - 1, SLG_MINER_CELL_COUNT_MAX / 2 },
        { "16 MiB", (uint64_t)16 << 20, SLG_MINER_CELL_COUNT_MAX / 4 },
        { "nothing", 0, SLG_MINER_CELL_COUNT_MAX / 64 },
    };

    (void)state;
    for (size_t k = 0; k < SLG_ARRAY_LEN(cases); k++) {
        struct slg_miner *miner = slg_miner_create(STEP_NS, cases[k].memory_bytes);
        struct slg_error error = { 0 };
        size_t i = 0;

        assert_non_null(miner);
        for (size_t n = 0; n < 20000; n++) {
            char line[64];

            (void)snprintf(line, sizeof(line), "word%zu of user%zu at place%zu", n % 977, n % 31,
                           n);
            assert_int_equal(slg_miner_add(miner, slg_text_of("info"), 0, slg_text_of(line), NULL),
                             SLG_OK);
        }
        slg_miner_destroy(miner);
        miner = slg_miner_create(STEP_NS, cases[k].memory_bytes);
        assert_non_null(miner);
        while (slg_miner_add(miner, slg_text_of("info"), (int64_t)i * STEP_NS,
                             slg_text_of("a b c d"), &error) == SLG_OK)
            i++;
        if (i != cases[k].cells)
            fail_msg("%s: %zu counts", cases[k].name, i);
        slg_miner_destroy(miner);
    }
}

/* ---- pages from outside ---- */

/* The worked bytes of docs/FORMATS.md, fed six times: 30 lines. */
static void test_worked_bytes(void **state)
{
    static const uint8_t bytes[] = {
        1, 4, 1, 4, 'i', 'n', 'f', 'o', 3, 'a', ' ', 0, 0, 5, 2, 0, 0
    };
    struct slg_miner *miner = start();
    const struct slg_miner_pattern *patterns;
    size_t count;

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(slg_miner_feed(miner, bytes, sizeof(bytes), NULL), SLG_OK);
    assert_int_equal(slg_miner_finish(miner, &patterns, &count, NULL), SLG_OK);
    assert_int_equal(count, 1);
    assert_true(slg_text_equal_to(patterns[0].pattern, "a <_>"));
    assert_int_equal(patterns[0].samples[0].bucket, 1);
    assert_int_equal(patterns[0].samples[0].count, 30);
    slg_miner_destroy(miner);
}

static void test_damaged_pages(void **state)
{
    struct slg_miner *miner = start();
    struct slg_buf page;
    bool more;

    (void)state;
    slg_buf_init(&page, SLG_MESSAGE_BYTES_MAX);
    for (int i = 0; i < 3; i++)
        add(miner, "info", i * STEP_NS, "connect from unknown[192.0.2.1]");
    assert_int_equal(slg_miner_page(miner, &page, &more, NULL), SLG_OK);
    assert_false(more);
    for (size_t cut = 0; cut < page.len; cut++) {
        struct slg_miner *other = start();
        uint8_t *block = test_block(page.data, cut);

        assert_int_equal(slg_miner_feed(other, block, cut, NULL), SLG_MALFORMED);
        free(block);
        slg_miner_destroy(other);
    }
    for (size_t i = 0; i < 2; i++) {
        struct slg_miner *other = start();
        uint8_t *block = test_block(page.data, page.len);

        block[i] = 9; /* version, kind */
        assert_int_equal(slg_miner_feed(other, block, page.len, NULL), SLG_UNSUPPORTED);
        free(block);
        slg_miner_destroy(other);
    }
    slg_buf_fini(&page);
    slg_miner_destroy(miner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_logs),
        cmocka_unit_test(test_a_pattern_matches_its_line),
        cmocka_unit_test(test_patterns_match_their_lines),
        cmocka_unit_test(test_parts_add_up),
        cmocka_unit_test(test_a_full_miner_generalises),
        cmocka_unit_test(test_pages_of_many_counts),
        cmocka_unit_test(test_too_many_counts),
        cmocka_unit_test(test_less_memory),
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_damaged_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
