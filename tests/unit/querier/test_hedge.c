/* One of two sides is used, whole: of the pages that a race lets through all are of one side, and none is missing. Rivals
 * come after the p95 and cost at most one sub-query in 20. A storer is silent only if a greeting stays unanswered.
 * Oracle: scripts of events with the action of each; for all orders of events the rule itself; a sorted list. */
#include "tests/helper/test.h"

#include "querier/hedge.h"

#define MS SLG_NS_PER_MS

/* ---- a race ---- */

/* Scripts: t = tick after 10 ms, T = tick after 100 ms (slow after 100), s/d = STARTED with one part, two parts,
 * n = NO_RIVAL, p/r = page of primary, rival, P/R = loss of primary, rival. */
static struct slg_hedge_event event_of(char c)
{
    struct slg_hedge_event event = { .type = SLG_HEDGE_TICK, .wait_ns = 100 * MS };

    switch (c) {
    case 's':
    case 'd':
        event.type = SLG_HEDGE_STARTED;
        event.parts = c == 's' ? 1 : 2;
        break;
    case 'n':
        event.type = SLG_HEDGE_NO_RIVAL;
        break;
    case 'p':
    case 'r':
        event.type = SLG_HEDGE_PAGE;
        event.side = c == 'p' ? SLG_HEDGE_PRIMARY : SLG_HEDGE_RIVAL;
        break;
    case 'P':
    case 'R':
        event.type = SLG_HEDGE_LOST;
        event.side = c == 'P' ? SLG_HEDGE_PRIMARY : SLG_HEDGE_RIVAL;
        break;
    default:
        break;
    }
    return event;
}

static enum slg_hedge_action step(struct slg_hedge *hedge, char c)
{
    struct slg_hedge_event event = event_of(c);

    return slg_hedge_step(hedge, &event, 5 * SLG_NS_PER_SEC + (c == 'T' ? 100 : 10) * MS);
}

static const struct script_case {
    const char *name, *events, *actions;
} script_cases[] = {
    { "in time", "tptp", ".u.u" },
    { "slow, but nobody else", "TnT", "S.." },
    { "not allowed now, later", "TTs", "SS." },
    { "the primary comes first", "Tsprpp", "S.1.uu" },
    { "the rival comes first", "Tsrprr", "S.2.uu" },
    { "a rival in parts waits for all", "TdrrpPr", "S.k2..u" },
    { "half a rival is none", "Tdrprp", "S.k1.u" },
    { "no rival after a page", "pTPp", "u.xx" },
    { "the primary is lost, alone", "P", "x" },
    { "the primary is lost, the rival goes on", "TsPrr", "S.<2u" },
    { "the rival is lost, the primary goes on", "TsRpT", "S.>1." },
    { "a part of the rival is lost: all of it", "TdrRrpp", "S.k>.1u" },
    { "no second rival", "TsRT", "S.>." },
    { "both are lost", "TsRP", "S.>x" },
    { "both are lost, the other way", "TsPR", "S.<x" },
    { "the used one is lost", "TsrR", "S.2x" },
    { "the dropped one is lost", "TsrPr", "S.2.u" },
};

static void test_scripts(void **state)
{
    static const char signs[] = {
        [SLG_HEDGE_GO_ON] = '.',        [SLG_HEDGE_START] = 'S',       [SLG_HEDGE_USE] = 'u',
        [SLG_HEDGE_KEEP] = 'k',         [SLG_HEDGE_USE_PRIMARY] = '1', [SLG_HEDGE_USE_RIVAL] = '2',
        [SLG_HEDGE_DROP_PRIMARY] = '<', [SLG_HEDGE_DROP_RIVAL] = '>',  [SLG_HEDGE_GIVE_UP] = 'x'
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(script_cases); i++) {
        const struct script_case *row = &script_cases[i];
        char found[32] = "";
        struct slg_hedge hedge;

        slg_hedge_init(&hedge, 5 * SLG_NS_PER_SEC);
        for (size_t k = 0; row->events[k] != '\0'; k++) {
            found[k] = signs[step(&hedge, row->events[k])];
            if (found[k] == 'x') /* the run has ended */
                break;
        }
        if (strncmp(found, row->actions, strlen(found)) != 0)
            print_error("found %s\n", found);
        CHECK(row->name, strncmp(found, row->actions, strlen(found)) == 0);
    }
}

/* What a shell that follows the actions has used of each side, and whether it has dropped it. */
struct shell {
    struct slg_hedge hedge;
    unsigned used[2], kept;
    bool dropped[2], over;
};

static void follow(struct shell *shell, char c)
{
    enum slg_hedge_side side = c == 'r' || c == 'R' ? SLG_HEDGE_RIVAL : SLG_HEDGE_PRIMARY;

    switch (step(&shell->hedge, c)) {
    case SLG_HEDGE_GO_ON:
    case SLG_HEDGE_START:
        break;
    case SLG_HEDGE_USE:
        shell->used[side]++;
        break;
    case SLG_HEDGE_KEEP:
        shell->kept++;
        break;
    case SLG_HEDGE_USE_PRIMARY:
        shell->used[SLG_HEDGE_PRIMARY]++;
        shell->dropped[SLG_HEDGE_RIVAL] = true;
        break;
    case SLG_HEDGE_USE_RIVAL:
        shell->used[SLG_HEDGE_RIVAL] += 1 + shell->kept;
        shell->dropped[SLG_HEDGE_PRIMARY] = true;
        break;
    case SLG_HEDGE_DROP_PRIMARY:
        shell->dropped[SLG_HEDGE_PRIMARY] = true;
        break;
    case SLG_HEDGE_DROP_RIVAL:
        shell->dropped[SLG_HEDGE_RIVAL] = true;
        break;
    case SLG_HEDGE_GIVE_UP:
        shell->over = true;
        break;
    }
}

/* Every order of up to 7 pages and losses, the rival in one part and in two: what is used is all pages of one side. */
static void test_one_side_is_used_whole(void **state)
{
    static const char letters[] = "prPR";
    unsigned wins[2] = { 0, 0 };

    (void)state;
    for (unsigned parts = 1; parts <= 2; parts++) {
        for (unsigned order = 0; order < 1U << 14; order++) {
            struct shell shell = { .over = false };
            unsigned sent[2] = { 0, 0 };

            slg_hedge_init(&shell.hedge, 5 * SLG_NS_PER_SEC);
            follow(&shell, 'T');
            follow(&shell, parts == 1 ? 's' : 'd');
            for (unsigned k = 0; k < 7 && !shell.over; k++) {
                char c = letters[order >> (2 * k) & 3];

                sent[SLG_HEDGE_PRIMARY] += c == 'p';
                sent[SLG_HEDGE_RIVAL] += c == 'r';
                follow(&shell, c);
                assert_true(shell.used[0] == 0 || shell.used[1] == 0);
                for (unsigned side = 0; side < 2; side++)
                    if (shell.used[side] > 0) {
                        assert_int_equal(shell.used[side], sent[side]);
                        assert_false(shell.dropped[side]);
                    }
            }
            wins[0] += shell.used[0] > 0;
            wins[1] += shell.used[1] > 0;
        }
    }
    assert_true(wins[0] > 1000);
    assert_true(wins[1] > 1000);
}

/* ---- pace ---- */

static void test_pace_is_the_p95(void **state)
{
    static struct slg_hedge_pace pace;

    (void)state;
    slg_hedge_pace_init(&pace);
    assert_int_equal(slg_hedge_pace_wait(&pace, 1, 1), SLG_HEDGE_WAIT_NS_DEFAULT);
    for (unsigned i = 0; i + 1 < SLG_HEDGE_SAMPLES_MIN; i++)
        slg_hedge_pace_note(&pace, 1, 1, 400 * MS);
    assert_int_equal(slg_hedge_pace_wait(&pace, 1, 1), SLG_HEDGE_WAIT_NS_DEFAULT);
    for (int64_t i = 1; i <= SLG_HEDGE_SAMPLES;
         i++) /* in an odd order; what was before is forgotten */
        slg_hedge_pace_note(&pace, 1, 1, (i * 37 % SLG_HEDGE_SAMPLES + 1) * 10 * MS);
    assert_int_equal(slg_hedge_pace_wait(&pace, 1, 1), 610 * MS); /* 61st of 64 */
    for (unsigned i = 0; i < SLG_HEDGE_SAMPLES; i++)
        slg_hedge_pace_note(&pace, 1, 1, 3 * MS);
    assert_int_equal(slg_hedge_pace_wait(&pace, 1, 1), SLG_HEDGE_WAIT_NS_MIN);
}

static const struct size_case {
    const char *name;
    unsigned kind;
    size_t shard_count;
    bool alike; /* as 4 shards of kind 2 */
} size_cases[] = {
    { "the same", 2, 4, true },         { "a little more", 2, 7, true },
    { "twice as many", 2, 8, false },   { "less", 2, 3, false },
    { "another kind", 1, 4, false },    { "none at all", 2, 0, false },
    { "very many", 2, 1 << 20, false },
};

static void test_pace_is_told_apart_by_kind_and_size(void **state)
{
    static struct slg_hedge_pace pace;

    (void)state;
    slg_hedge_pace_init(&pace);
    for (unsigned i = 0; i < SLG_HEDGE_SAMPLES; i++)
        slg_hedge_pace_note(&pace, 2, 4, 70 * MS);
    for (size_t i = 0; i < SLG_ARRAY_LEN(size_cases); i++) {
        const struct size_case *row = &size_cases[i];
        int64_t want = row->alike ? 70 * MS : SLG_HEDGE_WAIT_NS_DEFAULT;

        CHECK(row->name, slg_hedge_pace_wait(&pace, row->kind, row->shard_count) == want);
    }
}

static void test_rivals_are_few(void **state)
{
    static struct slg_hedge_pace pace;
    unsigned rivals = 0, burst = 0;

    (void)state;
    slg_hedge_pace_init(&pace);
    while (burst < 100 && slg_hedge_pace_spend(&pace))
        burst++;
    assert_int_equal(burst, SLG_HEDGE_BURST);
    for (unsigned i = 0; i < 2000; i++) {
        slg_hedge_pace_note(&pace, 1, 1, MS);
        rivals += slg_hedge_pace_spend(&pace);
    }
    assert_int_equal(rivals, 2000 / SLG_HEDGE_PER);
    for (unsigned i = 0; i < 2000; i++) /* credit is not saved up */
        slg_hedge_pace_note(&pace, 1, 1, MS);
    for (burst = 0; burst < 100 && slg_hedge_pace_spend(&pace); burst++)
        continue;
    assert_int_equal(burst, SLG_HEDGE_BURST);
}

/* ---- silence ---- */

/* A storer that was asked at 10 s is looked at every 100 ms; a letter for what it does before each look: '.' nothing,
 * 'h' it is heard. */
static const struct watch_case {
    const char *name, *heard;
    int greet_at, silent_at; /* which look, from 1; 0: never */
} watch_cases[] = {
    { "answers at once", "h....", 0, 0 },
    { "says nothing", "...................", 5, 15 },
    { "busy, but it greets", "......h............", 5, 0 },
    { "busy, then it stands still", "......h..................", 5, 22 },
    { "heard on and on", "h..h..h..h..h..h..h..h..h..h..", 0, 0 },
};

static void test_silence_is_an_unanswered_greeting(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(watch_cases); i++) {
        const struct watch_case *row = &watch_cases[i];
        struct slg_hedge_watch watch = { .heard_ns = 3 * SLG_NS_PER_SEC };
        int greet_at = 0, silent_at = 0;

        for (int look = 1; row->heard[look - 1] != '\0'; look++) {
            int64_t now = 10 * SLG_NS_PER_SEC + look * 100 * MS;
            enum slg_hedge_sign sign;

            if (row->heard[look - 1] == 'h')
                watch.heard_ns = now;
            sign = slg_hedge_watch_step(&watch, 10 * SLG_NS_PER_SEC, now);
            if (sign == SLG_HEDGE_GREET && greet_at == 0)
                greet_at = look;
            if (sign == SLG_HEDGE_SILENT && silent_at == 0)
                silent_at = look;
        }
        CHECK(row->name, greet_at == row->greet_at);
        CHECK(row->name, silent_at == row->silent_at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_one_side_is_used_whole),
        cmocka_unit_test(test_pace_is_the_p95),
        cmocka_unit_test(test_pace_is_told_apart_by_kind_and_size),
        cmocka_unit_test(test_rivals_are_few),
        cmocka_unit_test(test_silence_is_an_unanswered_greeting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
