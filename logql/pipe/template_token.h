/* logql/pipe/template_token.h - the tokens inside an action of a template, and what its quoted texts stand for.
 *
 * Source: Go 1.24, text/template/parse/lex.go and strconv.UnquoteChar.
 * Refuses: quotes that do not end, characters without a place in an action, escapes that Go does not know.
 * Threads: pure. */
#ifndef SLG_LOGQL_PIPE_TEMPLATE_TOKEN_H
#define SLG_LOGQL_PIPE_TEMPLATE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/label.h"

enum slg_token_kind {
    SLG_TOKEN_EOF,   /* of the action */
    SLG_TOKEN_SPACE, /* needed between arguments */
    SLG_TOKEN_PIPE,
    SLG_TOKEN_LEFT,
    SLG_TOKEN_RIGHT,
    SLG_TOKEN_DECLARE,
    SLG_TOKEN_ASSIGN,
    SLG_TOKEN_COMMA,
    SLG_TOKEN_DOT,
    SLG_TOKEN_FIELD,      /* .name */
    SLG_TOKEN_VARIABLE,   /* $name */
    SLG_TOKEN_IDENTIFIER, /* and keywords */
    SLG_TOKEN_STRING,
    SLG_TOKEN_RAW_STRING,
    SLG_TOKEN_CHAR,
    SLG_TOKEN_NUMBER,
    SLG_TOKEN_BAD,
};

struct slg_token {
    enum slg_token_kind kind;
    const char *at;
    size_t len;
    const char
        *problem; /* of SLG_TOKEN_BAD: NULL means a character that has no place in an action */
};

/* The token at `at`; it is empty at end, and where it is bad. */
struct slg_token slg_token_scan(const char *at, const char *end);

/* Blanks as Go's lexer takes them: space, tab, line ends. */
bool slg_token_is_space(char c);
/* Length of the quoted text at `at`, with its quotes; 0 if it does not end. */
size_t slg_token_quoted_len(const char *at, const char *end);
/* What text, between quotes of that kind, stands for. Returns its length, at most text.len, or -1: an escape that Go
 * refuses, such as \' between double quotes or the number of no character. */
long slg_token_unquote(struct slg_text text, char quote, char *out);
/* strconv.UnquoteChar: the first character of text; '\xff' is the character 255 here, not a byte, and a byte that is
 * not UTF-8 is U+FFFD. Returns its length in text, 0: none, the quote itself, or an escape that Go refuses. */
size_t slg_token_unquote_char(struct slg_text text, char quote, uint32_t *ret_rune);

#endif
