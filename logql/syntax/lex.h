/* logql/syntax/lex.h - tokens of a query; used by the parser only.
 *
 * Loki's lexer is Go's text/scanner with a keyword table on top; its rules are kept:
 *  - keywords in any case; a function name is one only if "(" follows, or by/without and "(" (so `{rate="x"}` works);
 *  - a number glued to d w y h m s ms us ns is a duration, to k M G ... B a size, else a number;
 *  - "-" glued to a duration makes it negative; "--strict" and "--keep-empty" are one token each;
 *  - "[" up to "]" is one token, a range, without spaces inside;
 *  - "..." has Go's escapes and no newline, `...` is raw; # and // to the end of the line and slash-star are blanks.
 * Owner: tokens point into the text. Threads: one lexer per thread. */
#ifndef SLG_LOGQL_SYNTAX_LEX_H
#define SLG_LOGQL_SYNTAX_LEX_H

#include "base/arena.h"
#include "base/status.h"
#include "logql/syntax/ast.h"

/*  X(name, keyword or "", how error messages call it, is a function) */
#define SLG_LOGQL_TOKEN_LIST(X)                                                                    \
    X(END, "", "$end", false)                                                                      \
    X(IDENTIFIER, "", "IDENTIFIER", false)                                                         \
    X(STRAY, "", "IDENTIFIER", false)  /* a character that means nothing; Loki: an identifier */   \
    X(VARIABLE, "", "variable", false) /* $name or ${name}: left over from a dashboard */          \
    X(STRING, "", "STRING", false)                                                                 \
    X(NUMBER, "", "NUMBER", false)                                                                 \
    X(DURATION, "", "DURATION", false)                                                             \
    X(BYTES, "", "BYTES", false)                                                                   \
    X(RANGE, "", "RANGE", false)                                                                   \
    X(STRICT, "", "FUNCTION_FLAG", false)                                                          \
    X(KEEP_EMPTY, "", "FUNCTION_FLAG", false)                                                      \
    X(COMMA, "", ",", false)                                                                       \
    X(DOT, "", ".", false)                                                                         \
    X(OPEN_BRACE, "", "{", false)                                                                  \
    X(CLOSE_BRACE, "", "}", false)                                                                 \
    X(OPEN_PAREN, "", "(", false)                                                                  \
    X(CLOSE_PAREN, "", ")", false)                                                                 \
    X(CLOSE_BRACKET, "", "]", false)                                                               \
    X(EQ, "", "=", false)                                                                          \
    X(NEQ, "", "!=", false)                                                                        \
    X(RE, "", "=~", false)                                                                         \
    X(NRE, "", "!~", false)                                                                        \
    X(NPA, "", "!>", false)                                                                        \
    X(PIPE, "", "|", false)                                                                        \
    X(PIPE_EXACT, "", "|=", false)                                                                 \
    X(PIPE_MATCH, "", "|~", false)                                                                 \
    X(PIPE_PATTERN, "", "|>", false)                                                               \
    X(CMP_EQ, "", "==", false)                                                                     \
    X(GT, "", ">", false)                                                                          \
    X(GTE, "", ">=", false)                                                                        \
    X(LT, "", "<", false)                                                                          \
    X(LTE, "", "<=", false)                                                                        \
    X(ADD, "", "+", false)                                                                         \
    X(SUB, "", "-", false)                                                                         \
    X(MUL, "", "*", false)                                                                         \
    X(DIV, "", "/", false)                                                                         \
    X(MOD, "", "%", false)                                                                         \
    X(POW, "", "^", false)                                                                         \
    X(OR, "or", "or", false)                                                                       \
    X(AND, "and", "and", false)                                                                    \
    X(UNLESS, "unless", "unless", false)                                                           \
    X(BY, "by", "by", false)                                                                       \
    X(WITHOUT, "without", "without", false)                                                        \
    X(BOOL, "bool", "bool", false)                                                                 \
    X(OFFSET, "offset", "offset", false)                                                           \
    X(ON, "on", "on", false)                                                                       \
    X(IGNORING, "ignoring", "ignoring", false)                                                     \
    X(GROUP_LEFT, "group_left", "group_left", false)                                               \
    X(GROUP_RIGHT, "group_right", "group_right", false)                                            \
    X(UNWRAP, "unwrap", "unwrap", false)                                                           \
    X(JSON, "json", "json", false)                                                                 \
    X(LOGFMT, "logfmt", "logfmt", false)                                                           \
    X(REGEXP, "regexp", "regexp", false)                                                           \
    X(PATTERN, "pattern", "pattern", false)                                                        \
    X(UNPACK, "unpack", "unpack", false)                                                           \
    X(LINE_FORMAT, "line_format", "line_format", false)                                            \
    X(LABEL_FORMAT, "label_format", "label_format", false)                                         \
    X(DECOLORIZE, "decolorize", "decolorize", false)                                               \
    X(DROP, "drop", "drop", false)                                                                 \
    X(KEEP, "keep", "keep", false)                                                                 \
    X(IP, "ip", "ip", true)                                                                        \
    X(VECTOR, "vector", "VECTOR", true)                                                            \
    X(LABEL_REPLACE, "label_replace", "label_replace", true)                                       \
    X(CONV_BYTES, "bytes", "BYTES_CONV", true)                                                     \
    X(CONV_DURATION, "duration", "DURATION_CONV", true)                                            \
    X(CONV_DURATION_SECONDS, "duration_seconds", "DURATION_SECONDS_CONV", true)                    \
    X(RANGE_OP, "", "", true)  /* any of SLG_LOGQL_RANGE_OP_LIST: op */                            \
    X(VECTOR_OP, "", "", true) /* any of SLG_LOGQL_VECTOR_OP_LIST: op */

enum slg_logql_token_kind {
#define X(name, keyword, display, function) SLG_LOGQL_TOKEN_##name,
    SLG_LOGQL_TOKEN_LIST(X)
#undef X
};

struct slg_logql_token {
    enum slg_logql_token_kind kind;
    struct slg_logql_pos pos;
    size_t offset;             /* of its first byte */
    struct slg_logql_str text; /* as written; of RANGE without the brackets */
    unsigned op;               /* of RANGE_OP, VECTOR_OP: the enum's value */
    int64_t duration_ns;       /* of DURATION, RANGE */
    uint64_t bytes;            /* of BYTES */
};

struct slg_logql_lexer {
    struct slg_logql_str text; /* valid UTF-8 without NUL */
    size_t offset;
    struct slg_logql_pos pos;      /* of the byte at offset */
    struct slg_logql_pos line_end; /* of the newline last passed: where Loki sees an end after it */
};

/* Begin at the start of text, which must live as long as the tokens. Refuses bytes that are not UTF-8 and NUL. */
SLG_MUST_CHECK enum slg_status slg_logql_lexer_init(struct slg_logql_lexer *lexer,
                                                    struct slg_logql_str text,
                                                    struct slg_error *reterr);

/* Read the next token; END at the end, again and again. The error is "parse error at line 1, col 17: ...". */
SLG_MUST_CHECK enum slg_status slg_logql_lexer_next(struct slg_logql_lexer *lexer,
                                                    struct slg_logql_token *ret_token,
                                                    struct slg_error *reterr);

/* The value of a STRING token: text without quotes, escapes replaced. ret->ptr NULL: over the arena's budget. */
struct slg_logql_str slg_logql_token_unquote(struct slg_arena *arena,
                                             const struct slg_logql_token *token);

/* How an error message calls the token ("IDENTIFIER", "|=", "COUNT_OVER_TIME"), in buf of len bytes. */
void slg_logql_token_display(const struct slg_logql_token *token, char *buf, size_t len);

#endif
