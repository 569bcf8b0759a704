/* base/units.h - durations and sizes as people write them: 120d, 1h30m, 200ms; 8MiB, 512KiB, 4096.
 *
 * Durations: one or more <number><unit> without spaces, units falling: y (365 d) w d h m s ms us ns; "0" alone is
 * allowed. Sizes: one <number><unit>: none or B, KiB MiB GiB TiB (powers of 1024), kB MB GB TB (powers of 1000).
 * Numbers are whole. Threads: pure. Refuses: anything else, and what does not fit in int64_t. */
#ifndef SLG_BASE_UNITS_H
#define SLG_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for every duration and size that the print functions make. */
#define SLG_UNITS_TEXT_MAX 64

bool slg_units_parse_duration(const char *text, size_t len, int64_t *ret_ns);
bool slg_units_parse_size(const char *text, size_t len, int64_t *ret_bytes);

/* The shortest exact form that the parsers read back; ns and bytes >= 0. */
void slg_units_print_duration(int64_t ns, char ret_text[SLG_UNITS_TEXT_MAX]);
void slg_units_print_size(int64_t bytes, char ret_text[SLG_UNITS_TEXT_MAX]);

#endif
