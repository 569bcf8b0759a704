/* logql/pipe/find.h - is this literal in that line?
 *
 * A needle is prepared once (its two rarest bytes) and then searched with AVX2 where the CPU has it, else with memmem.
 * Case-insensitive needles fold ASCII letters only; the caller sees to it that nothing else can fold (regex.cc).
 * Owner:   a needle borrows its bytes. Threads: immutable, any. */
#ifndef SLG_LOGQL_PIPE_FIND_H
#define SLG_LOGQL_PIPE_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct slg_needle {
    const char *at; /* lower case when fold */
    size_t len;
    uint32_t rare[2]; /* offsets of the bytes that are looked for first; ascending */
    bool fold;        /* ASCII case-insensitive */
};

/* bytes[0..len) live as long as the needle; when fold they are in lower case already (asserted). */
struct slg_needle slg_needle_make(const char *bytes, size_t len, bool fold);

#define SLG_FIND_NONE SIZE_MAX
/* Offset of the first occurrence in text[0..len), or SLG_FIND_NONE. The empty needle is at 0. */
size_t slg_needle_find(const struct slg_needle *needle, const char *text, size_t len);

/* The same without AVX2: what tests compare with. */
size_t slg_needle_find_portable(const struct slg_needle *needle, const char *text, size_t len);

#ifdef __cplusplus
}
#endif

#endif
