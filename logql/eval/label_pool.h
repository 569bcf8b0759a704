/* logql/eval/label_pool.h - label sets of a query, each once, known by a small number; and sets made of others.
 *
 * Operators above the leaves work on numbers and remember what they derived, so that an evaluation at thousands of
 * steps looks at each label set once.
 * Owner:   the arena's; sets are copied in. Threads: one. Every function that returns bool: false = the arena is
 *          full. */
#ifndef SLG_LOGQL_EVAL_LABEL_POOL_H
#define SLG_LOGQL_EVAL_LABEL_POOL_H

#include "logql/eval/series.h"

struct slg_label_pool {
    struct slg_arena *arena; /* borrowed */
    struct slg_label_set *sets;
    struct slg_hash128 *hashes;
    uint32_t *slots; /* open addressing; id + 1 */
    size_t count, capacity, slot_count;
    struct slg_label *items; /* scratch of derived sets */
    size_t item_capacity;
};

void slg_label_pool_init(struct slg_label_pool *pool, struct slg_arena *arena);

/* Number of this set (sorted by name), 0, 1, 2 ... */
SLG_MUST_CHECK bool slg_label_pool_intern(struct slg_label_pool *pool,
                                          const struct slg_label_set *set, uint32_t *ret_id);
static inline const struct slg_label_set *slg_label_pool_set(const struct slg_label_pool *pool,
                                                             uint32_t id)
{
    SLG_ASSERT(id < pool->count);
    return &pool->sets[id];
}

/* How Go's label builder is used decides what becomes of labels with an empty value: `by` keeps them, all else drops
 * them. */
enum slg_label_pick {
    SLG_LABEL_PICK_BY,       /* those named, empty values too: grouping */
    SLG_LABEL_PICK_WITHOUT,  /* all but those named and __name__: grouping */
    SLG_LABEL_PICK_ON,       /* those named: matching */
    SLG_LABEL_PICK_IGNORING, /* all but those named: matching */
};
SLG_MUST_CHECK bool slg_label_pool_pick(struct slg_label_pool *pool, uint32_t id,
                                        enum slg_label_pick pick, const struct slg_logql_str *names,
                                        size_t name_count, uint32_t *ret_id);

/* The set with name = value; an empty value removes the label. */
SLG_MUST_CHECK bool slg_label_pool_with(struct slg_label_pool *pool, uint32_t id,
                                        struct slg_text name, struct slg_text value,
                                        uint32_t *ret_id);

/* A memo from number to number, by default "unknown". */
struct slg_memo {
    uint32_t *values; /* value + 1 */
    size_t capacity;
};
#define SLG_MEMO_UNKNOWN UINT32_MAX
static inline uint32_t slg_memo_get(const struct slg_memo *memo, uint32_t key)
{
    return key < memo->capacity ? memo->values[key] - 1 : SLG_MEMO_UNKNOWN;
}
SLG_MUST_CHECK bool slg_memo_put(struct slg_memo *memo, struct slg_arena *arena, uint32_t key,
                                 uint32_t value);

/* A memo from two numbers to one; `clear` forgets everything and is cheap. */
struct slg_pair_memo {
    struct {
        uint32_t a, b, value, stamp;
    } * slots;
    size_t slot_count, count;
    uint32_t stamp;
};
void slg_pair_memo_clear(struct slg_pair_memo *memo);
uint32_t slg_pair_memo_get(const struct slg_pair_memo *memo, uint32_t a, uint32_t b);
SLG_MUST_CHECK bool slg_pair_memo_put(struct slg_pair_memo *memo, struct slg_arena *arena,
                                      uint32_t a, uint32_t b, uint32_t value);

/* One evaluation of an expression: samples, no label set twice unless a label_replace made them equal. */
struct slg_vector_item {
    uint32_t id; /* of the label set */
    double value;
};
struct slg_vector {
    struct slg_vector_item *items;
    size_t count, capacity;
};
SLG_MUST_CHECK bool slg_vector_append(struct slg_vector *vector, struct slg_arena *arena,
                                      uint32_t id, double value);

#endif
