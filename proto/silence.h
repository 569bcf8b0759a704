/* proto/silence.h - when a silent connection is asked for a sign of life, when it is cut, and how long a request waits to be
 * sent. Pure: transport.c does what this says.
 *
 *     PAUSING --silent--> SENDING --sent--> WAITING --sign--> PAUSING
 *       ^                    '---- failed ----+---- cut, unless a word came meanwhile ----'
 *
 * Every half silence_ms it is looked at. A connection is silent when a request was out for silence_ms and nothing has come
 * since; its sign may take sign_ms. Whatever reply comes is a word.
 * Threads: struct slg_silence belongs to one thread at a time; a view is a copy of what others tell. */
#ifndef SLG_PROTO_SILENCE_H
#define SLG_PROTO_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

/* How long after start, or a loss, a request waits for a connection. */
#define SLG_SILENCE_CONNECT_WAIT_MS 1000

struct slg_silence {
    enum { SLG_SILENCE_PAUSING, SLG_SILENCE_SENDING, SLG_SILENCE_WAITING } state;
    int32_t silence_ms, sign_ms;
    int64_t sign_mono_ns; /* when the sign was asked for; SENDING and WAITING */
};

/* The connection now. Times are of one monotonic clock. */
struct slg_silence_view {
    bool connected;
    int64_t word_mono_ns;   /* the last reply, or when the connection was made */
    int64_t asked_mono_ns;  /* the first request without a word since; 0: none */
    int64_t change_mono_ns; /* start, or the last loss of a connection */
};

enum slg_silence_event {
    SLG_SILENCE_LOOK, /* the pause is over */
    SLG_SILENCE_SENT, /* the question is */
    SLG_SILENCE_SIGN,
    SLG_SILENCE_FAILED, /* sending it, or waiting: in time or before */
};
enum slg_silence_action {
    SLG_SILENCE_PAUSE,     /* half silence_ms, then LOOK */
    SLG_SILENCE_ASK,       /* for a sign, for at most slg_silence_left_ns; then SENT or FAILED */
    SLG_SILENCE_WAIT,      /* for the sign, as long; then SIGN or FAILED */
    SLG_SILENCE_CUT,       /* the connection, if its other end is dead; then as PAUSE */
    SLG_SILENCE_CUT_DIALS, /* attempts that last too long; then as PAUSE */
};
/* An event that does not fit the state is our mistake (asserted). */
enum slg_silence_action slg_silence_step(struct slg_silence *silence, enum slg_silence_event event,
                                         const struct slg_silence_view *view, int64_t now_mono_ns);
/* For how long the sign may still take; <= 0: no longer. SENDING and WAITING. */
int64_t slg_silence_left_ns(const struct slg_silence *silence, int64_t now_mono_ns);

/* For how long a request, asked at begin, may now wait for its turn to be sent. While connected it looks again after some
 * time whether that still holds: the library tells of a lost connection later than the requests that failed with it, and
 * what is asked in between would wait for the next one until its deadline. Each look gives its place in the queue away, so
 * that the time between looks grows with the wait: it doubles at most what a request waits, and a long queue is passed. Without
 * a connection it waits only so long after the start or a loss as reconnecting may take. <= 0: it may not wait. */
int64_t slg_silence_patience_ns(const struct slg_silence_view *view, int64_t begin_mono_ns,
                                int64_t deadline_mono_ns, int64_t now_mono_ns);

#endif
