/* logql/syntax/print.h - a tree back to text.
 *
 * Two forms: the canonical one, exact, on one line, for machines (`parse(print(q)) = q`; it travels to the storers);
 * and Loki's, for people (/format_query), which rounds sizes and vector() and so may not parse to the same tree.
 * Refuses: nothing; a text over the buffer's bytes_max sets its `failed`. Threads: no shared state. */
#ifndef SLG_LOGQL_SYNTAX_PRINT_H
#define SLG_LOGQL_SYNTAX_PRINT_H

#include "base/buf.h"
#include "logql/syntax/ast.h"

/* Append the canonical text. For every tree from slg_logql_parse, parsing it gives an equal tree
 * (slg_logql_equal). One tree cannot be written: `drop a` or `keep a` ending in a bare name and followed by a
 * != or !~ line filter (it would read as a matcher of a); no text parses to that. The text can be longer than what
 * was parsed: give buf a bytes_max of SLG_LOGQL_TEXT_BYTES_MAX - 1 and answer SLG_LIMIT when it has failed, since a
 * storer would refuse it. */
void slg_logql_print(struct slg_buf *buf, const struct slg_logql_expr *expr);

/* Append {matchers} stage stage... */
void slg_logql_print_log(struct slg_buf *buf, const struct slg_logql_log *log);

/* Append one stage as Loki writes it in "stage '...' : ..." errors, e.g. | label_format a=b,c="{{.d}}" */
void slg_logql_print_stage(struct slg_buf *buf, const struct slg_logql_stage *stage);

/* Append what /format_query answers: one line up to 100 bytes, else split and indented by two spaces per level. */
void slg_logql_pretty(struct slg_buf *buf, const struct slg_logql_expr *expr);

/* Go's time.Duration text ("1h0m0s", "1.5s", "-2ms") and Prometheus' ("1h30m", "0s", cut to ms, ns >= 0). */
void slg_logql_print_go_duration(struct slg_buf *buf, int64_t ns);
void slg_logql_print_prom_duration(struct slg_buf *buf, int64_t ns);

/* The shortest decimal that reads back as value: Go's strconv 'g' form of %v ("1e+21", "+Inf") or plain 'f'. */
void slg_logql_print_float(struct slg_buf *buf, double value);
void slg_logql_print_float_plain(struct slg_buf *buf, double value);

#endif
