/* base/status.h - the one closed list of results, and error texts for people.
 *
 * A function that can fail for more than one reason returns enum slg_status and is SLG_MUST_CHECK.
 * Where a person will read the reason, its last parameter is `struct slg_error *reterr` (NULL allowed), which is
 * written only on failure. Hot paths return the bare status and move a counter.
 * INVALID = operator or user asked wrongly; MALFORMED = bytes from outside; CORRUPT = bytes that we stored
 * ourselves: never treat the three alike.
 * Threads: no shared state. */
#ifndef SLG_BASE_STATUS_H
#define SLG_BASE_STATUS_H

#include "base/assert.h"

/*  X(name, text) */
#define SLG_STATUS_LIST(X)                                                                         \
    X(OK, "ok")                                                                                    \
    X(AGAIN, "full or not ready, try again")                                                       \
    X(NOT_FOUND, "not found")                                                                      \
    X(INVALID, "invalid request or setting")                                                       \
    X(MALFORMED, "malformed input")                                                                \
    X(CORRUPT, "stored data is corrupt")                                                           \
    X(LIMIT, "limit reached")                                                                      \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(IO, "input/output error")                                                                    \
    X(TIMEOUT, "timed out")                                                                        \
    X(UNAVAILABLE, "unavailable")                                                                  \
    X(CANCELED, "canceled")                                                                        \
    X(UNSUPPORTED, "not supported")

enum slg_status {
#define X(name, text) SLG_##name,
    SLG_STATUS_LIST(X)
#undef X
};

struct slg_error {
    enum slg_status status;
    char message[256]; /* lower case, no period, states reason and value */
    char hint[160];    /* what to do; may be empty */
};

/* The fixed text of a status. Never NULL. */
const char *slg_status_text(enum slg_status status);

/* Fill *reterr (if not NULL) and return status, so that `return slg_errorf(...)` reads well.
 * Texts that do not fit are cut at a code point border and end in "...". */
enum slg_status slg_errorf(struct slg_error *reterr, enum slg_status status, const char *format,
                           ...) SLG_PRINTF(3, 4);

/* The same with a fixed hint. */
enum slg_status slg_error_hintf(struct slg_error *reterr, enum slg_status status, const char *hint,
                                const char *format, ...) SLG_PRINTF(4, 5);

/* Put "context: " in front of the message of a failed *reterr; returns its status. */
enum slg_status slg_error_context(struct slg_error *reterr, const char *format, ...)
    SLG_PRINTF(2, 3);

/* clang's static analyzer reads one file at a time: it has to be shown what every caller relies on, that the status
 * which was given comes back and that it is a failure. */
#ifdef __clang_analyzer__
static inline enum slg_status slg_status_failed(enum slg_status returned, enum slg_status given)
{
    __builtin_assume(returned == given);
    __builtin_assume(given != SLG_OK);
    return given;
}

#define slg_errorf(reterr, given, ...)                                                             \
    slg_status_failed((slg_errorf)(reterr, given, __VA_ARGS__), given)
#define slg_error_hintf(reterr, given, ...)                                                        \
    slg_status_failed((slg_error_hintf)(reterr, given, __VA_ARGS__), given)
#endif

#endif
