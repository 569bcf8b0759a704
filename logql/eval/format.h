/* logql/eval/format.h - numbers as Loki prints them in answers.
 * Pure; threads: any. */
#ifndef SLG_LOGQL_EVAL_FORMAT_H
#define SLG_LOGQL_EVAL_FORMAT_H

#include <stddef.h>

/* Longest text: a sign, 309 digits (or "0." and 323 zeros and 17 digits), NUL. */
#define SLG_FORMAT_FLOAT_BYTES 352

/* Go's strconv.FormatFloat(value, 'f', -1, 64): the shortest decimal that reads back as value, never an exponent;
 * "NaN", "+Inf", "-Inf". NUL-terminated; returns the length. */
size_t slg_format_float(double value, char out[SLG_FORMAT_FLOAT_BYTES]);

#endif
