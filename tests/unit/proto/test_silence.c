/* A connection is asked for a sign of life only when it is silent, and cut only when neither sign nor word came; a request
 * waits no longer than it may, and however long the queue is its turn comes.
 * Oracle: scripts of events with the action of each; a queue that is served in turn. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "base/clock.h"
#include "proto/silence.h"

#define MS    SLG_NS_PER_MS
#define START (100 * SLG_NS_PER_SEC)

/* Scripts, in steps of 1 s with a silence of 3 s and a sign of 5 s. Events: l = LOOK, s = SENT, g = SIGN, f = FAILED. Before
 * them, for the view: q = a request goes out, w = a reply comes, - = the connection is lost, + = made.
 * Actions: . = PAUSE, A = ASK, W = WAIT, C = CUT, D = CUT_DIALS. */
static const struct script_case {
    const char *name, *script, *actions;
} script_cases[] = {
    { "nothing asked", "llll", "...." },
    { "answered in time", "qlwlll", "...." },
    { "silent, a sign", "qllsg", ".AW." },
    { "silent, no sign", "qllsf", ".AWC" },
    { "silent, and the question is not sent", "qllf", ".AC" },
    { "a word instead of a sign", "qllswf", ".AW." },
    { "a word while the question waits", "qllwf", ".A." },
    { "lost meanwhile", "qlls-f", ".AW." },
    { "lost and made anew", "qlls-+f", ".AW." },
    { "again after a cut", "qllsflsf", ".AWCAWC" },
    { "not connected", "-lql+l", "DDA" },
};

static char letter_of(enum slg_silence_action action)
{
    switch (action) {
    case SLG_SILENCE_PAUSE:
        return '.';
    case SLG_SILENCE_ASK:
        return 'A';
    case SLG_SILENCE_WAIT:
        return 'W';
    case SLG_SILENCE_CUT:
        return 'C';
    case SLG_SILENCE_CUT_DIALS:
        return 'D';
    }
    return '?';
}

static void test_scripts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(script_cases); i++) {
        const struct script_case *c = &script_cases[i];
        struct slg_silence silence = { .silence_ms = 3000, .sign_ms = 5000 };
        struct slg_silence_view view = { .connected = true, .word_mono_ns = START };
        int64_t now = START;
        char actions[32] = "";
        size_t len = 0;

        for (const char *p = c->script; *p != '\0'; p++) {
            static const char events[] = "lsgf";
            const char *event = strchr(events, *p);

            if (*p == 'q' && view.asked_mono_ns == 0)
                view.asked_mono_ns = now;
            if (*p == 'w')
                view.asked_mono_ns = 0;
            if (*p == 'w' || *p == '+')
                view.word_mono_ns = now;
            if (*p == '+' || *p == '-')
                view.connected = *p == '+';
            now += SLG_NS_PER_SEC;
            if (event != NULL)
                actions[len++] = letter_of(slg_silence_step(
                    &silence, (enum slg_silence_event)(event - events), &view, now));
        }
        if (strcmp(actions, c->actions) != 0)
            fail_msg("%s: \"%s\" gives \"%s\", not \"%s\"", c->name, c->script, actions,
                     c->actions);
    }
}

static void test_a_sign_has_its_time(void **state)
{
    struct slg_silence silence = { .silence_ms = 2000, .sign_ms = 5000 };
    struct slg_silence_view view = { .connected = true, .asked_mono_ns = START };

    (void)state;
    assert_int_equal(slg_silence_step(&silence, SLG_SILENCE_LOOK, &view, START + 2000 * MS - 1),
                     SLG_SILENCE_PAUSE);
    assert_int_equal(slg_silence_step(&silence, SLG_SILENCE_LOOK, &view, START + 2000 * MS),
                     SLG_SILENCE_ASK);
    assert_int_equal(slg_silence_left_ns(&silence, START + 2000 * MS), 5000 * MS);
    assert_int_equal(slg_silence_step(&silence, SLG_SILENCE_SENT, &view, START + 4000 * MS),
                     SLG_SILENCE_WAIT);
    assert_int_equal(slg_silence_left_ns(&silence, START + 4000 * MS), 3000 * MS);
}

static const struct patience_case {
    const char *name;
    bool connected;
    int32_t change_ms, begin_ms, deadline_ms; /* before now, before now, after now */
    int32_t want_ms;
} patience_cases[] = {
    { "just asked", true, 90000, 0, 60000, 1000 },
    { "just asked, in a hurry", true, 90000, 0, 300, 300 },
    { "asked a second ago", true, 90000, 1000, 59000, 1000 },
    { "stands in line for long", true, 90000, 4000, 56000, 4000 },
    { "the end of a wait", true, 90000, 40000, 20000, 20000 },
    { "at the start", false, 0, 0, 60000, 1000 },
    { "in a hurry at the start", false, 0, 0, 300, 300 },
    { "soon after a loss", false, 400, 0, 60000, 600 },
    { "long after a loss", false, 5000, 0, 60000, -4000 },
    { "stood in line at a loss", false, 1500, 9000, 50000, -500 },
    { "past its deadline", true, 90000, 1000, -1, -1 },
};

static void test_patience(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(patience_cases); i++) {
        const struct patience_case *c = &patience_cases[i];
        struct slg_silence_view view = { .connected = c->connected,
                                         .change_mono_ns = START - c->change_ms * MS };

        CHECK(c->name,
              slg_silence_patience_ns(&view, START - c->begin_ms * MS, START + c->deadline_ms * MS,
                                      START) == c->want_ms * MS);
    }
}

/* One request goes every 100 ms, and one comes: 80 stand in line all the time. Who looks again gives its place away. With looks
 * every second nobody's turn would come but by chance; so every one is through in some multiple of the queue's 8 s. */
static void test_the_turn_of_each_comes(void **state)
{
    enum { LINE = 80, STEPS = 2000 };
    struct {
        int64_t begin, look;
    } line[LINE];
    struct slg_silence_view view = { .connected = true };
    int64_t longest = 0;

    (void)state;
    for (size_t i = 0; i < LINE; i++)
        line[i].begin = line[i].look = START;
    for (int64_t step = 0; step < STEPS; step++) {
        int64_t now = START + step * 100 * MS;

        for (size_t i = 0, left = LINE; left > 0;
             left--) { /* each once, to the end if its look is due */
            int64_t begin = line[i].begin;

            if (line[i].look > now) {
                i++;
                continue;
            }
            memmove(&line[i], &line[i + 1], (LINE - 1 - i) * sizeof(line[0]));
            line[LINE - 1].begin = begin;
            line[LINE - 1].look = now + slg_silence_patience_ns(&view, begin, INT64_MAX, now);
        }
        longest = now - line[0].begin > longest ? now - line[0].begin : longest;
        memmove(&line[0], &line[1], (LINE - 1) * sizeof(line[0]));
        line[LINE - 1].begin = now;
        line[LINE - 1].look = now + slg_silence_patience_ns(&view, now, INT64_MAX, now);
    }
    for (size_t i = 0; i < LINE; i++)
        longest = START + STEPS * 100 * MS - line[i].begin > longest
                      ? START + STEPS * 100 * MS - line[i].begin
                      : longest;
    print_message("     longest wait %lld ms\n", (long long)(longest / MS));
    assert_true(longest <= 4 * LINE * 100 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_a_sign_has_its_time),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_the_turn_of_each_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
