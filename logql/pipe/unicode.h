/* logql/pipe/unicode.h - upper and lower case of characters, as far as log lines need it.
 *
 * Simple case mapping (one character to one) of Latin, Greek, Cyrillic, Armenian and Georgian, as Go's unicode.ToUpper
 * and ToLower; other scripts have no case, or are left as they are. Threads: pure. */
#ifndef SLG_LOGQL_PIPE_UNICODE_H
#define SLG_LOGQL_PIPE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t slg_rune_upper(uint32_t rune);
uint32_t slg_rune_lower(uint32_t rune);
/* unicode.IsSpace */
bool slg_rune_is_space(uint32_t rune);
/* Letters, digits and '_', by which strings.Title finds words; beyond ASCII everything that is no space. */
bool slg_rune_is_word(uint32_t rune);

#endif
