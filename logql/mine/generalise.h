/* logql/mine/generalise.h - shapes that differ only in words that vary become one.
 *
 * Shapes of one level with equal separators are looked at token by token, from the left: the words that most lines have
 * stay and split the group; all others become a slot. Drain's tree does the same line by line; here the whole set is there
 * and counts decide, so the result does not depend on an order.
 * A word stays when it is among the SLG_GENERALISE_WORDS_MAX most frequent of its place, has lines_min lines, and, where
 * there are more words than that, at least 1/SLG_GENERALISE_SHARE of the group's lines; or when it is the only one.
 * Owner:   all memory is the caller's or the arena's. Threads: pure. */
#ifndef SLG_LOGQL_MINE_GENERALISE_H
#define SLG_LOGQL_MINE_GENERALISE_H

#include "base/arena.h"
#include "logql/mine/shape.h"

#define SLG_GENERALISE_WORDS_MAX 15 /* Loki's MaxChildren */
#define SLG_GENERALISE_SHARE     50

struct slg_generalise_row {
    struct slg_text key;
    uint32_t level;
    uint64_t count;
    /* What comes out: rows of one group become one shape; a token of the mask (by its number in the key) becomes a hole. */
    uint32_t group;
    uint64_t holes;
};

/* Fill group (0, 1, 2 ... below *ret_group_count) and holes of each row. LIMIT: arena. */
SLG_MUST_CHECK enum slg_status slg_generalise(struct slg_arena *arena,
                                              struct slg_generalise_row *rows, size_t row_count,
                                              uint64_t lines_min, size_t *ret_group_count);

#endif
