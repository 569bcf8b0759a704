/* storer/metrics.h - the storer's metrics: one table, numbers by row name (base/metric.h).
 *
 * Threads: all counting here goes through the _shared functions; nothing of it is per entry. */
#ifndef SLG_STORER_METRICS_H
#define SLG_STORER_METRICS_H

#include "base/metric.h"

extern const struct slg_metric_label slg_storer_metric_results;  /* by enum slg_store_result */
extern const struct slg_metric_label slg_storer_metric_requests; /* by enum slg_rpc_type */
extern const struct slg_metric_label slg_storer_metric_reasons;  /* by enum slg_storer_forget */
extern const struct slg_metric_label slg_storer_metric_states;   /* by enum slg_member_state */

enum slg_storer_forget {
    SLG_STORER_FORGET_TIME,
    SLG_STORER_FORGET_BYTES,
    SLG_STORER_FORGET_COUNT,
};

#define SLG_STORER_METRICS(X)                                                                      \
    X(storer_requests_total, COUNTER, &slg_storer_metric_requests, NULL,                           \
      "requests taken, by type")                                                                   \
    X(storer_requests_refused_total, COUNTER, NULL, NULL, "requests refused: queues were full")    \
    X(storer_batches_total, COUNTER, &slg_storer_metric_results, NULL,                             \
      "batches by what became of them")                                                            \
    X(storer_stored_entries_total, COUNTER, NULL, NULL, "entries made durable")                    \
    X(storer_stored_bytes_total, COUNTER, NULL, NULL, "encoded bytes of batches made durable")     \
    X(storer_commits_total, COUNTER, NULL, NULL, "transactions committed with sync")               \
    X(storer_commit_failures_total, COUNTER, NULL, NULL, "transactions that failed to commit")     \
    X(storer_commit_seconds, HISTOGRAM, NULL, &slg_metric_latency, "time of one commit")           \
    X(storer_stream_collisions_total, COUNTER, NULL, NULL,                                         \
      "batches refused: a stream id with other labels")                                            \
    X(storer_scan_seconds, HISTOGRAM, NULL, &slg_metric_latency, "scan time of one query page")    \
    X(storer_scan_bytes_total, COUNTER, NULL, NULL, "uncompressed bytes read by queries")          \
    X(storer_scan_lines_total, COUNTER, NULL, NULL, "lines read by queries")                       \
    X(storer_scan_batches_total, COUNTER, NULL, NULL, "batches opened by queries")                 \
    X(storer_scan_skipped_batches_total, COUNTER, NULL, NULL,                                      \
      "batches skipped by their summaries")                                                        \
    X(storer_queries_failed_total, COUNTER, NULL, NULL, "queries that ended in an error")          \
    X(storer_sessions, GAUGE, NULL, NULL, "open queries")                                          \
    X(storer_shards, GAUGE, NULL, NULL, "shards known")                                            \
    X(storer_open_shards, GAUGE, NULL, NULL, "shards whose files are open")                        \
    X(storer_disk_free_bytes, GAUGE, NULL, NULL, "free bytes on the data directory's disk")        \
    X(storer_disk_total_bytes, GAUGE, NULL, NULL, "size of the data directory's disk")             \
    X(storer_read_only, GAUGE, NULL, NULL, "1 while batches are refused because the disk is full") \
    X(storer_storage_state, GAUGE, &slg_storer_metric_states, NULL,                                \
      "1 for what the data directory is: only answers of a whole one make an answer complete, a "  \
      "clash (a copied directory) stores nothing")                                                 \
    X(storer_repaired_batches_total, COUNTER, NULL, NULL, "batches fetched from peers by repair")  \
    X(storer_repaired_bytes_total, COUNTER, NULL, NULL, "their bytes")                             \
    X(storer_scrub_bytes_total, COUNTER, NULL, NULL, "bytes read again by the scrub")              \
    X(storer_scrub_batches_total, COUNTER, NULL, NULL, "batches checked by the scrub")             \
    X(storer_scrub_damaged_batches_total, COUNTER, NULL, NULL,                                     \
      "batches that the scrub found damaged and set aside")                                        \
    X(storer_scrub_passes_total, COUNTER, NULL, NULL, "passes over all shards that ended")         \
    X(storer_scrub_running, GAUGE, NULL, NULL, "1 while a pass of the scrub is under way")         \
    X(storer_scrub_done_bytes, GAUGE, NULL, NULL, "bytes read by the pass, of the next gauge")     \
    X(storer_scrub_pass_bytes, GAUGE, NULL, NULL, "bytes on disk when the pass began")             \
    X(storer_quarantined_shards, GAUGE, NULL, NULL,                                                \
      "copies put aside whole since the start because they were damaged")                          \
    X(storer_doubtful_shards, GAUGE, NULL, NULL,                                                   \
      "shards that this storer does not vouch for: damaged and not repaired yet")                  \
    X(storer_forgotten_shards_total, COUNTER, &slg_storer_metric_reasons, NULL,                    \
      "shards forgotten, by reason")

enum { SLG_STORER_METRICS(SLG_METRIC_ENUM) };

/* NULL: no memory. */
SLG_MUST_CHECK struct slg_metric_table *
slg_storer_metrics_register(struct slg_metric_registry *registry);

#endif
