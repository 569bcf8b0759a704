/* logql/eval/series.h - series of one range aggregation, found by label set, each with its partials or samples.
 *
 * Used on both sides: a remote adds samples of entries, the querier adds the partials of pages.
 * Owner:   everything lies in the arena given; label sets are copied. Threads: one at a time.
 * Bounds:  series_max, and the arena's budget. */
#ifndef SLG_LOGQL_EVAL_SERIES_H
#define SLG_LOGQL_EVAL_SERIES_H

#include "base/hash.h"
#include "logql/eval/partial.h"

struct slg_series_data {
    struct slg_label_set labels;
    struct slg_hash128 hash;
    union {
        struct slg_partial *partials;
        struct slg_sample *samples;
    };
    uint32_t count;
    uint32_t capacity;
};

struct slg_series_table {
    struct slg_arena *arena; /* borrowed */
    enum slg_accumulator kind;
    struct slg_origin_table origins;
    struct slg_series_data *series;
    uint32_t *slots; /* open addressing; index + 1 */
    size_t count, capacity, slot_count, series_max;
};

/* Equal sets, equal hashes: of names and values with their lengths. */
struct slg_hash128 slg_label_set_hash(const struct slg_label_set *labels);
/* As Prometheus orders series: by name, value, name, value ...; fewer labels first. <0, 0, >0. */
int slg_label_set_compare(const struct slg_label_set *a, const struct slg_label_set *b);
/* Copy with all texts. False: the arena is full. */
SLG_MUST_CHECK bool slg_label_set_copy(struct slg_arena *arena, const struct slg_label_set *labels,
                                       struct slg_label_set *ret_copy);

void slg_series_table_init(struct slg_series_table *table, struct slg_arena *arena,
                           enum slg_accumulator kind, size_t series_max);
/* The series with these labels, added when new. hash: of whatever kind, the same for equal sets throughout the table.
 * LIMIT: series_max reached; NO_MEMORY: the arena is full. */
SLG_MUST_CHECK enum slg_status slg_series_find(struct slg_series_table *table,
                                               struct slg_hash128 hash,
                                               const struct slg_label_set *labels,
                                               uint32_t *ret_index);
/* False: the arena is full. */
SLG_MUST_CHECK bool slg_series_add_partial(struct slg_series_table *table, uint32_t index,
                                           const struct slg_partial *partial);
SLG_MUST_CHECK bool slg_series_add_sample(struct slg_series_table *table, uint32_t index,
                                          const struct slg_sample *sample);
/* Partials: sorted by bucket, one per bucket. Samples: in total order. */
void slg_series_settle(struct slg_series_table *table, uint32_t index);

#endif
