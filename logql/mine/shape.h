/* logql/mine/shape.h - what stays the same in a log line: its words and separators, with slots for what varies.
 *
 * A line is separators and tokens in turn. Separators are white space and ASCII punctuation but `_ - . : / +`; a token is
 * all bytes between two separators, less a ':' in front of a space ("4bX2:" is a token and ": "). A token is
 *   a word  it stands in the key as it is
 *   a slot  it has a digit or stands beside an '@'; the key has SLG_SHAPE_SLOT there, its value is kept beside: it may
 *           turn out to be the same in all lines
 *   a hole  a slot whose value is not kept: over SLG_SHAPE_SLOT_BYTES_MAX, not UTF-8, with control bytes, or between < and
 *           > (which a pattern would take for the name of a capture)
 * A line over the limits of bytes or tokens ends in a hole that covers the rest, behind a separator. Of a JSON object only
 * the message is taken: the first of the members log, message, msg, msg_, _msg and content that is there once, with a hole
 * on each side.
 * So every hole stands for one token or for an end of the line, and what follows it begins with a byte that no token
 * has: a pattern made of a shape matches each of its lines (logql/pipe/pattern.h finds literals from the left).
 * Owner:   everything borrows from the line and the scratch. Threads: pure.
 * Refuses: lines of fewer than SLG_SHAPE_PIECES_MIN tokens and punctuation marks (as Loki does). */
#ifndef SLG_LOGQL_MINE_SHAPE_H
#define SLG_LOGQL_MINE_SHAPE_H

#include "proto/label.h"

#define SLG_SHAPE_LINE_BYTES_MAX ((size_t)2048) /* Loki drops lines of over 3000 */
#define SLG_SHAPE_TOKEN_COUNT_MAX                                                                  \
    ((size_t)60) /* with two holes at the ends they fit a mask of 64 bits */
#define SLG_SHAPE_SLOT_BYTES_MAX ((size_t)64)
#define SLG_SHAPE_PIECES_MIN     4
#define SLG_SHAPE_SLOT           '\0'
/* Bytes and tokens of a key: the holes at the ends are added. */
#define SLG_SHAPE_KEY_BYTES_MAX  (SLG_SHAPE_LINE_BYTES_MAX + 2)
#define SLG_SHAPE_KEY_TOKENS_MAX (SLG_SHAPE_TOKEN_COUNT_MAX + 2)

struct slg_shape {
    struct slg_text key;
    size_t slot_count;                               /* of SLG_SHAPE_SLOT in the key */
    struct slg_text slots[SLG_SHAPE_KEY_TOKENS_MAX]; /* in order; at == NULL: a hole */
    char scratch[SLG_SHAPE_KEY_BYTES_MAX];           /* of the key */
};

/* False: there is nothing to learn from the line. */
bool slg_shape_of(struct slg_text line, struct slg_shape *ret_shape);

/* The tokens of a key, words and slots (of one byte); at most SLG_SHAPE_KEY_TOKENS_MAX. False: no key that slg_shape_of
 * makes has so many tokens, or two slots in a row. */
bool slg_shape_tokens(struct slg_text key, struct slg_text *tokens, size_t *ret_count);

#endif
