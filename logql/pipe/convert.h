/* logql/pipe/convert.h - text to numbers and back, as the Go libraries do it that Loki uses.
 *
 * What queries write too (floats, durations, sizes) is read by logql/syntax/units.h. Label filters, unwrap and templates convert label values: strconv.ParseFloat, strconv.ParseInt, time.ParseDuration,
 * humanize.ParseBytes. Values come from log lines, so every function takes (pointer, length) and refuses politely.
 * Pure; threads: any. */
#ifndef SLG_LOGQL_PIPE_CONVERT_H
#define SLG_LOGQL_PIPE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/label.h"

/* strconv.ParseFloat(s, 64): decimal and hexadecimal floats ("0x1p4"; "0x1F" is none), underscores between digits, inf,
 * infinity, nan in any case. "1e400" is refused (out of range), and so is text over SLG_LOGQL_NUMBER_LEN_MAX. */
bool slg_convert_float(struct slg_text text, double *ret_value);

/* time.ParseDuration in nanoseconds: "1h30m", "-1.5s", "0". */
bool slg_convert_duration(struct slg_text text, int64_t *ret_ns);

/* humanize.ParseBytes: "1.5 KB" = 1500, "2KiB" = 2048, "1,000". */
bool slg_convert_bytes(struct slg_text text, uint64_t *ret_bytes);

/* strconv.ParseInt(s, 10, 64). */
bool slg_convert_int(struct slg_text text, int64_t *ret_value);

/* strconv.ParseInt(s, 0, 64): 0x, 0o, 0b, leading 0 = octal, underscores between digits. */
bool slg_convert_int_any(struct slg_text text, int64_t *ret_value);

/* Bytes that any of the formatters below needs. */
#define SLG_CONVERT_TEXT_BYTES_MAX ((size_t)1100)

/* strconv.FormatFloat(v, 'g', -1, 64): what templates print ("1e+08", "0.3"). Returns the length, at most
 * SLG_CONVERT_TEXT_BYTES_MAX. */
size_t slg_convert_print_float(double value, char *out);
/* strconv.FormatFloat(v, 'f', -1, 64). */
size_t slg_convert_print_float_plain(double value, char *out);

#endif
