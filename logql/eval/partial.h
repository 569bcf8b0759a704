/* logql/eval/partial.h - what is kept of the samples of one series in one bucket, and how two of them merge.
 *
 * Merging is commutative and associative (floats: up to rounding), so partials may come from any number of storers in
 * any order. An operator that has no small partial (quantile_over_time, rate_counter) keeps single samples.
 * Pure; an origin table belongs to one thread. */
#ifndef SLG_LOGQL_EVAL_PARTIAL_H
#define SLG_LOGQL_EVAL_PARTIAL_H

#include "base/hash.h"
#include "logql/syntax/ast.h"
#include "proto/batch.h"

/* Where an entry stands among those of equal time: Loki's merges put streams in the order of their hashes
 * (docs/adr/0008), then the total order of DESIGN section 3 goes on: batch id, position. */
struct slg_origin {
    struct slg_batch_id batch;
    uint64_t stream_hash; /* slg_origin_hash of the stream's labels */
};
/* Prometheus' labels.Hash: XXH64 over name, 0xFF, value, 0xFF of every label. */
uint64_t slg_origin_hash(const struct slg_label_set *labels);
/* By incarnation, sequence, shard: also across shards; <0, 0, >0. */
int slg_batch_order(const struct slg_batch_id *a, const struct slg_batch_id *b);
/* Stream hash, then batch order. */
int slg_origin_compare(const struct slg_origin *a, const struct slg_origin *b);

/* The origins that first, last and samples refer to, each once. */
struct slg_origin_table {
    struct slg_arena *arena; /* borrowed */
    struct slg_origin *origins;
    uint32_t *slots; /* open addressing; index + 1 */
    size_t count, capacity, slot_count;
    uint32_t last; /* most likely the next one too */
};
void slg_origin_table_init(struct slg_origin_table *table, struct slg_arena *arena);
/* Index of this origin, added when new. False: the arena is full. */
SLG_MUST_CHECK bool slg_origin_table_index(struct slg_origin_table *table,
                                           const struct slg_origin *origin, uint32_t *ret_index);

enum slg_accumulator {
    SLG_ACCUMULATE_COUNT, /* count_over_time, rate; bytes_over_time, bytes_rate (of bytes): a */
    SLG_ACCUMULATE_SUM, /* sum_over_time, rate of unwrap: a, and its rounding error b (Neumaier) */
    SLG_ACCUMULATE_MOMENTS, /* avg, stddev, stdvar: a = count, b = mean, c = squared distances from it */
    SLG_ACCUMULATE_MIN,     /* a */
    SLG_ACCUMULATE_MAX,     /* a */
    SLG_ACCUMULATE_FIRST,   /* a, of the smallest (ts_ns, origin, position) */
    SLG_ACCUMULATE_LAST,    /* a, of the largest */
    SLG_ACCUMULATE_PRESENT, /* absent_over_time: nothing */
    SLG_ACCUMULATE_SAMPLES, /* quantile_over_time, rate_counter: no partial, see samples.h */
};

struct slg_partial {
    double a;
    union {
        double b;
        int64_t ts_ns; /* FIRST, LAST */
    };
    union {
        double c;
        struct {
            uint32_t origin_index; /* FIRST, LAST: into an origin table */
            uint32_t position;
        };
    };
    uint32_t bucket; /* window.h */
};

/* One sample as it came. */
struct slg_sample {
    int64_t ts_ns;
    double value;
    uint32_t origin_index; /* rate_counter only, else 0 */
    uint32_t position;
};

enum slg_accumulator slg_accumulator_of(const struct slg_logql_range_aggregation *range);
/* Do equal stamps need the total order (first, last, rate_counter)? */
bool slg_accumulator_needs_order(const struct slg_logql_range_aggregation *range);

/* The partial of one sample. */
struct slg_partial slg_partial_of(enum slg_accumulator kind, const struct slg_sample *sample,
                                  uint32_t bucket);
/* into += other; into keeps its bucket. table: FIRST and LAST only. */
void slg_partial_merge(enum slg_accumulator kind, const struct slg_origin_table *table,
                       struct slg_partial *into, const struct slg_partial *other);
/* The value of the operator over a window whose samples are all in this partial. */
double slg_partial_value(const struct slg_logql_range_aggregation *range,
                         const struct slg_partial *partial);

#endif
