/* base/assert.h - checks for our own mistakes.
 *
 * SLG_ASSERT is always compiled in and must be cheap. SLG_DASSERT is for debug builds (-DSLG_DEBUG) and may
 * cost O(n). Neither may have side effects. Never assert on bytes from outside, disk contents, peers or the
 * operating system: those get an enum slg_status. */
#ifndef SLG_BASE_ASSERT_H
#define SLG_BASE_ASSERT_H

#define SLG_MUST_CHECK __attribute__((warn_unused_result))
#define SLG_PRINTF(format_index, first_index)                                                      \
    __attribute__((format(printf, format_index, first_index)))
#define SLG_NORETURN __attribute__((noreturn))

/* Print the failed condition and abort. Async-signal-safe. */
SLG_NORETURN void slg_assert_fail(const char *condition, const char *file, int line);

#define SLG_ASSERT(condition)                                                                      \
    ((condition) ? (void)0 : slg_assert_fail(#condition, __FILE__, __LINE__))

#ifdef SLG_DEBUG
#define SLG_DASSERT(condition) SLG_ASSERT(condition)
#else
#define SLG_DASSERT(condition) ((void)sizeof(condition))
#endif

#define SLG_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
