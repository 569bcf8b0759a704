/* base/utf8.h - UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, at most U+10FFFF.
 * Threads: pure. */
#ifndef SLG_BASE_UTF8_H
#define SLG_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Look at the code point that starts at text[0], len >= 1. True: *ret_step is its length (1 to 4).
 * False: not UTF-8; *ret_step is the length of the maximal bad part (1 to 3) to replace by one U+FFFD. */
bool slg_utf8_check(const uint8_t *text, size_t len, size_t *ret_step);

/* Decode one code point; false as above and *ret_rune = 0xFFFD. */
bool slg_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_rune, size_t *ret_step);

/* Write rune (a Unicode scalar value; others are written as U+FFFD) to out[4]; returns the length, 1 to 4. */
size_t slg_utf8_encode(uint32_t rune, uint8_t out[4]);

#endif
