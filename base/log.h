/* base/log.h - what the programs say about themselves, on stderr, one write(2) a line.
 *
 *     slg_log_info("listener started address=%s:%u threads=%zu", host, port, threads);
 *   ts=2026-11-21T22:42:29.123Z level=info msg="listener started" address=127.0.0.1:1514 threads=2
 *   {"ts":"2026-11-21T22:42:29.123Z","level":"info","msg":"listener started","address":"127.0.0.1:1514","threads":2}
 *
 * The format is one text: the message, then fields. The first word of the form key= (a-z, 0-9, _) ends the message.
 * A field ends at the next space *of the format*; what a conversion prints is quoted when it has to be, so a value
 * cannot forge another field. Conversions: %s %.*s %c %d %i %u %x %zu %zd and h, hh, l, ll, z, j, t of these, %g %f;
 * others are an assertion failure. The compiler checks the arguments. A %s of NULL prints "-".
 *
 * Levels: error = a person should act; warn = handled, here is why we went on; info = state change; debug = rest.
 * What a sender can trigger goes through a struct slg_log_limit. Not for the per-datagram path.
 * Threads: all functions, at once. Allocates nothing. A value is cut at 2 KiB, a line at 4 KiB; such
 * a line ends in cut=true.
 * State: level, format and descriptor are the one global of the program (rule zero: passing a logger through every
 * call would reach every signature); atomics, set at start and on reload. */
#ifndef SLG_BASE_LOG_H
#define SLG_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/status.h"

enum slg_log_level {
    SLG_LOG_ERROR,
    SLG_LOG_WARN,
    SLG_LOG_INFO,
    SLG_LOG_DEBUG,
};

enum slg_log_format {
    SLG_LOG_KEY_VALUE,
    SLG_LOG_JSON,
};

/* Lines of a level above `level` are not made. fd is borrowed (2 by default). Callable at any time. */
void slg_log_setup(enum slg_log_level level, enum slg_log_format format, int fd);
bool slg_log_enabled(enum slg_log_level level);
/* Make and write one line, whatever the level; use the macros below. Keeps errno. */
void slg_log_write(enum slg_log_level level, const char *format, ...) SLG_PRINTF(2, 3);
/* message, then error=, hint= and status= of err. */
void slg_log_failure(enum slg_log_level level, const char *message, const struct slg_error *err);

#define slg_log(level, ...) (slg_log_enabled(level) ? slg_log_write((level), __VA_ARGS__) : (void)0)
#define slg_log_error(...)  slg_log(SLG_LOG_ERROR, __VA_ARGS__)
#define slg_log_warn(...)   slg_log(SLG_LOG_WARN, __VA_ARGS__)
#define slg_log_info(...)   slg_log(SLG_LOG_INFO, __VA_ARGS__)
#define slg_log_debug(...)  slg_log(SLG_LOG_DEBUG, __VA_ARGS__)

/* At most one line per interval; the others are counted and told with the next one:
 *
 *     static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
 *     uint64_t suppressed;
 *     if (slg_log_limit_allow(&limit, now_mono_ns, &suppressed))
 *         slg_log_warn("datagram refused source=%s suppressed=%" PRIu64, source, suppressed); */
struct slg_log_limit {
    int64_t interval_ns;
    _Atomic int64_t next_mono_ns; /* 0: nothing was said yet */
    _Atomic uint64_t suppressed_count;
};
#define SLG_LOG_LIMIT_INIT(interval)                                                               \
    {                                                                                              \
        .interval_ns = (interval), .next_mono_ns = 0, .suppressed_count = 0                        \
    }
bool slg_log_limit_allow(struct slg_log_limit *limit, int64_t now_mono_ns,
                         uint64_t *ret_suppressed);

#endif
