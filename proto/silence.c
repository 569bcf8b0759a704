#include "proto/silence.h"

#include "base/assert.h"
#include "base/clock.h"

int64_t slg_silence_left_ns(const struct slg_silence *silence, int64_t now_mono_ns)
{
    SLG_ASSERT(silence->state != SLG_SILENCE_PAUSING);
    return silence->sign_mono_ns + silence->sign_ms * SLG_NS_PER_MS - now_mono_ns;
}

/* A request that timed out is still one without a word. */
static bool is_silent(const struct slg_silence *silence, const struct slg_silence_view *view,
                      int64_t now_mono_ns)
{
    return view->asked_mono_ns != 0 &&
           now_mono_ns - view->asked_mono_ns >= silence->silence_ms * SLG_NS_PER_MS;
}

static enum slg_silence_action look(struct slg_silence *silence,
                                    const struct slg_silence_view *view, int64_t now_mono_ns)
{
    SLG_ASSERT(silence->state == SLG_SILENCE_PAUSING);
    if (!view->connected)
        return SLG_SILENCE_CUT_DIALS;
    if (!is_silent(silence, view, now_mono_ns))
        return SLG_SILENCE_PAUSE;
    silence->state = SLG_SILENCE_SENDING;
    silence->sign_mono_ns = now_mono_ns;
    return SLG_SILENCE_ASK;
}

enum slg_silence_action slg_silence_step(struct slg_silence *silence, enum slg_silence_event event,
                                         const struct slg_silence_view *view, int64_t now_mono_ns)
{
    switch (event) {
    case SLG_SILENCE_LOOK:
        return look(silence, view, now_mono_ns);
    case SLG_SILENCE_SENT:
        SLG_ASSERT(silence->state == SLG_SILENCE_SENDING);
        silence->state = SLG_SILENCE_WAITING;
        return SLG_SILENCE_WAIT;
    case SLG_SILENCE_SIGN:
        SLG_ASSERT(silence->state == SLG_SILENCE_WAITING);
        silence->state = SLG_SILENCE_PAUSING;
        return SLG_SILENCE_PAUSE;
    case SLG_SILENCE_FAILED:
        SLG_ASSERT(silence->state != SLG_SILENCE_PAUSING);
        silence->state = SLG_SILENCE_PAUSING;
        /* A word since, or a new connection, which begins with one: no reason to cut. */
        return view->connected && view->word_mono_ns < silence->sign_mono_ns ? SLG_SILENCE_CUT
                                                                             : SLG_SILENCE_PAUSE;
    }
    SLG_ASSERT(false);
    return SLG_SILENCE_PAUSE;
}

int64_t slg_silence_patience_ns(const struct slg_silence_view *view, int64_t begin_mono_ns,
                                int64_t deadline_mono_ns, int64_t now_mono_ns)
{
    int64_t connect_wait_ns = SLG_SILENCE_CONNECT_WAIT_MS * SLG_NS_PER_MS;
    int64_t left_ns = deadline_mono_ns - now_mono_ns;
    int64_t patience_ns = connect_wait_ns;

    if (!view->connected)
        patience_ns += view->change_mono_ns - now_mono_ns;
    else if (now_mono_ns - begin_mono_ns > connect_wait_ns)
        patience_ns = now_mono_ns - begin_mono_ns;
    return left_ns < patience_ns ? left_ns : patience_ns;
}
