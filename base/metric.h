/* base/metric.h - counters, gauges and histograms, written as Prometheus text.
 *
 * Each daemon states its metrics as one table (the name carries the daemon: silage_<daemon>_<noun>_<unit>[_total]):
 *
 *     #define INGESTER_METRICS(X)                                                                  \
 *         X(ingester_datagrams_total, COUNTER, NULL, NULL, "datagrams read from the sockets")      \
 *         X(ingester_dropped_total, COUNTER, &drop_reasons, NULL, "entries dropped, by reason")    \
 *         X(ingester_send_seconds, HISTOGRAM, NULL, &slg_metric_latency, "time to W acks")
 *     enum { INGESTER_METRICS(SLG_METRIC_ENUM) };            -> METRIC_ingester_datagrams_total = 0, ...
 *     static const struct slg_metric_row rows[] = { INGESTER_METRICS(SLG_METRIC_ROW) };
 *
 * and registers it: registry -> table -> one *set* of numbers per thread. Reading sums the sets. What a destroyed set
 * had counted stays in the table. A metric with "seconds" as its unit is *fed nanoseconds* and written in seconds.
 * A label takes its values from a fixed closed list: never from a sender.
 *
 * Owner:   registry owns tables, a table owns its sets. rows, labels and bounds are borrowed for ever (static const).
 * Threads: a set is written by its one thread, except through the _shared functions, which any thread may call;
 *          registering, creating and destroying sets, reading and writing the text: any thread, at once.
 * Refuses: bad names and indices by assertion (our mistakes). */
#ifndef SLG_BASE_METRIC_H
#define SLG_BASE_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/buf.h"

enum slg_metric_type {
    SLG_METRIC_COUNTER,   /* only grows; name ends in _total */
    SLG_METRIC_GAUGE,     /* goes up and down; signed */
    SLG_METRIC_HISTOGRAM, /* cumulative buckets, sum, count */
};

struct slg_metric_label {
    const char *name;
    const char *const *values;
    size_t count; /* 1 to SLG_METRIC_LABEL_VALUES_MAX */
};

struct slg_metric_buckets {
    const uint64_t
        *bounds;  /* upper, inclusive, rising; in ns when the unit is seconds. +Inf is added */
    size_t count; /* 1 to SLG_METRIC_BUCKETS_MAX */
};

struct slg_metric_row {
    const char *name; /* without the leading "silage_" */
    enum slg_metric_type type;
    const struct slg_metric_label *label;     /* NULL: none */
    const struct slg_metric_buckets *buckets; /* for a histogram, else NULL */
    const char *help;                         /* one line, no backslash */
};

#define SLG_METRIC_LABEL_VALUES_MAX 64
#define SLG_METRIC_BUCKETS_MAX      32
#define SLG_METRIC_ROWS_MAX         512
#define SLG_METRIC_TABLES_MAX       16

#define SLG_METRIC_ENUM(name, type, label, buckets, help) METRIC_##name,
#define SLG_METRIC_ROW(name, type, label, buckets, help)                                           \
    { #name, SLG_METRIC_##type, (label), (buckets), (help) },

/* 100 us to 60 s in ns; 256 B to 64 MiB. */
extern const struct slg_metric_buckets slg_metric_latency;
extern const struct slg_metric_buckets slg_metric_sizes;

struct slg_metric_registry; /* opaque: what one process shows under /metrics */
struct slg_metric_table;    /* opaque: the rows of one daemon */
struct slg_metric_set;      /* opaque: the numbers of one thread */

/* NULL when the system has no memory; the same for the two creators below. */
SLG_MUST_CHECK struct slg_metric_registry *slg_metric_registry_create(void);
/* Also destroys the tables and sets. NULL is fine. */
void slg_metric_registry_destroy(struct slg_metric_registry *registry);
SLG_MUST_CHECK struct slg_metric_table *slg_metric_register(struct slg_metric_registry *registry,
                                                            const struct slg_metric_row *rows,
                                                            size_t row_count);
SLG_MUST_CHECK struct slg_metric_set *slg_metric_set_create(struct slg_metric_table *table);
/* Folds counters and histograms into the table, forgets gauges. NULL is fine. */
void slg_metric_set_destroy(struct slg_metric_set *set);

/* By the set's own thread. label_index is an index into the row's label values, 0 without a label. */
void slg_metric_add(struct slg_metric_set *set, size_t row, size_t label_index, uint64_t n);
void slg_metric_gauge(struct slg_metric_set *set, size_t row, size_t label_index, int64_t value);
void slg_metric_observe(struct slg_metric_set *set, size_t row, size_t label_index, uint64_t value);

/* From any thread, into the table's own set. A gauge's value is the sum of all sets and this one. */
void slg_metric_add_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                           uint64_t n);
void slg_metric_gauge_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                             int64_t value);
void slg_metric_observe_shared(struct slg_metric_table *table, size_t row, size_t label_index,
                               uint64_t value);

/* The summed value of a counter or (cast to int64_t) gauge, the count of a histogram. */
uint64_t slg_metric_read(struct slg_metric_table *table, size_t row, size_t label_index);

/* `refresh` is called before every writing, to set gauges from what lives elsewhere. One per table; NULL ends it. */
void slg_metric_on_write(struct slg_metric_table *table, void (*refresh)(void *arg), void *arg);

/* Append the text exposition (format 0.0.4, HELP and TYPE for each metric, also silage_build_info and process_*). */
void slg_metric_write(struct slg_metric_registry *registry, struct slg_buf *out);
#define SLG_METRIC_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
