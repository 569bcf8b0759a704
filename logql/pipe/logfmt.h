/* logql/pipe/logfmt.h - `| logfmt`, `| logfmt --strict --keep-empty`, `| logfmt a="key"`.
 *
 * Rules (Loki): without --strict nothing is an error and what cannot be read is skipped up to the next space; with it
 * the first bad pair ends parsing with __error__="LogfmtParserErr". The first of equal keys wins; keys without value
 * vanish unless --keep-empty. With expressions every label is there, empty if its key is not.
 * Threads: one (the stage remembers keys). */
#ifndef SLG_LOGQL_PIPE_LOGFMT_H
#define SLG_LOGQL_PIPE_LOGFMT_H

#include "base/status.h"
#include "logql/pipe/context.h"
#include "logql/syntax/ast.h"

/* One pair at a time out of a line. */
struct slg_logfmt_decoder {
    struct slg_text line;
    size_t at;
    struct slg_text key;
    struct slg_text value; /* without quotes; escapes still in */
    bool value_escaped;    /* value holds backslashes: unquote it */
    const char *error;     /* the last error, NULL if none */
    size_t error_at;       /* from 1 */
    char error_byte;       /* for "unexpected" */
};
void slg_logfmt_decoder_init(struct slg_logfmt_decoder *decoder, struct slg_text line);
static inline bool slg_logfmt_decoder_done(const struct slg_logfmt_decoder *decoder)
{
    return decoder->at >= decoder->line.len;
}
/* The next pair. False: none (error or end); go on unless done. Escapes are checked, not resolved. guess: what the key
 * may be, empty or one that was decoded before, with SLG_WIDE_BYTES readable bytes; only speed depends on it. */
bool slg_logfmt_decoder_next(struct slg_logfmt_decoder *decoder, struct slg_text guess);

/* Resolve the escapes of a quoted value (JSON's, and \') into out[len * 3]; false when one is malformed. */
bool slg_logfmt_unquote(struct slg_text value, char *out, size_t *ret_len);

struct slg_logfmt_expression {
    struct slg_symbol *key;    /* sanitized, as written in the query */
    struct slg_symbol *symbol; /* the label */
};

struct slg_logfmt_stage {
    bool strict;
    bool keep_empty;
    struct slg_logfmt_expression *expressions;
    size_t expression_count;
    struct slg_key_guess guess;
};

/* INVALID: an expression that is no key. */
SLG_MUST_CHECK enum slg_status slg_logfmt_stage_create(struct slg_context *context,
                                                       const struct slg_logql_stage *from,
                                                       struct slg_logfmt_stage **ret_stage,
                                                       struct slg_error *reterr);
/* False: a later label filter has dropped the entry. */
bool slg_logfmt_stage_run(struct slg_logfmt_stage *stage, struct slg_context *context);

#endif
