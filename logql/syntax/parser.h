/* logql/syntax/parser.h - what parse.c and parse_log.c share; nobody else includes it.
 *
 * Every slg_logql_parser_ function that returns bool returns false after setting p->error, and then the parse is
 * over: callers just return. An error of meaning that Loki finds after the grammar is "late": the text goes on
 * being parsed, because a syntax error behind it is reported instead.
 * Threads: one parser per thread. */
#ifndef SLG_LOGQL_SYNTAX_PARSER_H
#define SLG_LOGQL_SYNTAX_PARSER_H

#include "logql/syntax/lex.h"

struct slg_logql_parser {
    struct slg_arena *arena;
    struct slg_logql_lexer lexer;
    struct slg_logql_token token; /* the next one, not consumed */
    bool allow_empty_selector;
    struct slg_error error;
    bool has_late;
    size_t late_offset; /* where the node begins that is wrong */
    struct slg_error late;
};

/* A list that grows in the arena; items may be given to a tree when it is complete. */
struct slg_logql_list {
    void *items;
    size_t count;
    size_t capacity;
};

/* Consume the token. */
SLG_MUST_CHECK bool slg_logql_parser_advance(struct slg_logql_parser *p);

/* True and consumed if the token is of this kind; else error "unexpected ..., expecting `expecting`". */
SLG_MUST_CHECK bool slg_logql_parser_expect(struct slg_logql_parser *p,
                                            enum slg_logql_token_kind kind, const char *expecting);

/* Set the syntax error about the token; expecting may be NULL. Always false. */
bool slg_logql_parser_unexpected(struct slg_logql_parser *p, const char *expecting);

/* Set the error "parse error : ..." at once. Always false. */
bool slg_logql_parser_fail(struct slg_logql_parser *p, enum slg_status status, const char *format,
                           ...) SLG_PRINTF(3, 4);

/* Over the arena's budget. Always false. */
bool slg_logql_parser_no_room(struct slg_logql_parser *p);

/* Note a late error of a node that begins at offset. A node around one that is wrong already speaks for it; of two
 * side by side the first is reported. */
void slg_logql_parser_late(struct slg_logql_parser *p, size_t offset, const char *format, ...)
    SLG_PRINTF(3, 4);

/* A zeroed place at the end of the list; NULL after setting the error. */
SLG_MUST_CHECK void *slg_logql_parser_push(struct slg_logql_parser *p, struct slg_logql_list *list,
                                           size_t item_size);

/* Consume an IDENTIFIER or STRING and give its value. */
SLG_MUST_CHECK bool slg_logql_parser_identifier(struct slg_logql_parser *p, const char *expecting,
                                                struct slg_logql_str *ret);
SLG_MUST_CHECK bool slg_logql_parser_string(struct slg_logql_parser *p, const char *expecting,
                                            struct slg_logql_str *ret);

/* Consume [+|-] NUMBER. A number that Go cannot read is a late error. */
SLG_MUST_CHECK bool slg_logql_parser_literal(struct slg_logql_parser *p, double *ret);

/* parse_log.c: a selector with stages; in a range aggregation they may end in an unwrap (unwrap not NULL). */
SLG_MUST_CHECK bool slg_logql_parser_selector(struct slg_logql_parser *p,
                                              struct slg_logql_log *ret_log);
SLG_MUST_CHECK bool slg_logql_parser_stages(struct slg_logql_parser *p, struct slg_logql_log *log,
                                            struct slg_logql_unwrap *unwrap);
/* "|" and an unwrap alone; the token is the "|". */
SLG_MUST_CHECK bool slg_logql_parser_unwrap(struct slg_logql_parser *p,
                                            struct slg_logql_unwrap *unwrap);

#endif
