/* base/banned.h - library calls that Silage does not use; force-included into every C file.
 *
 * Each of these either cannot be bounded, has hidden state, or hides errors. Using one is a compile error.
 * Use instead: memcpy with a checked length, slg_buf_printf, slg_cursor_take_uint, slg_clock, slg_arena. */
#ifndef SLG_BASE_BANNED_H
#define SLG_BASE_BANNED_H

/* The system headers declare these names; they have to be seen before the names are poisoned. */
#include <alloca.h>  /* IWYU pragma: keep */
#include <stdio.h>   /* IWYU pragma: keep */
#include <stdlib.h>  /* IWYU pragma: keep */
#include <string.h>  /* IWYU pragma: keep */
#include <strings.h> /* IWYU pragma: keep */
#include <time.h>    /* IWYU pragma: keep */

#ifndef __cplusplus
#undef alloca  /* a macro in glibc; -Walloca guards it too */
#undef sprintf /* macros in glibc's fortified stdio.h under clang */
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atoll strtol
#pragma GCC poison sscanf gets localtime gmtime alloca
#endif

#endif
