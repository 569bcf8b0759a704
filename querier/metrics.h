/* querier/metrics.h - what the querier counts. */
#ifndef SLG_QUERIER_METRICS_H
#define SLG_QUERIER_METRICS_H

#include "base/metric.h"

extern const struct slg_metric_label slg_querier_outcome_label;
/* Order of slg_querier_outcome_label's values. */
enum slg_querier_outcome {
    QUERIER_OUTCOME_OK,
    QUERIER_OUTCOME_BAD_REQUEST,
    QUERIER_OUTCOME_LIMIT,
    QUERIER_OUTCOME_TIMEOUT,
    QUERIER_OUTCOME_UNAVAILABLE,
    QUERIER_OUTCOME_CANCELED,
    QUERIER_OUTCOME_REFUSED,
    QUERIER_OUTCOME_FAILED,
};

#define QUERIER_METRICS(X)                                                                         \
    X(querier_queries_total, COUNTER, &slg_querier_outcome_label, NULL,                            \
      "log and metric queries, by outcome")                                                        \
    X(querier_metadata_requests_total, COUNTER, &slg_querier_outcome_label, NULL,                  \
      "requests for labels, series, fields, statistics and volumes, by outcome")                   \
    X(querier_query_seconds, HISTOGRAM, NULL, &slg_metric_latency,                                 \
      "time from a query's arrival to its first answer byte")                                      \
    X(querier_running_queries, GAUGE, NULL, NULL, "queries that run now")                          \
    X(querier_waiting_queries, GAUGE, NULL, NULL, "queries that wait for a place")                 \
    X(querier_running_metadata_requests, GAUGE, NULL, NULL,                                        \
      "requests for labels, series, statistics and volumes that run now")                          \
    X(querier_waiting_metadata_requests, GAUGE, NULL, NULL,                                        \
      "of these, those that wait for a place")                                                     \
    X(querier_unsent_bytes, GAUGE, NULL, NULL, "memory of answers that are being sent")            \
    X(querier_scanned_bytes_total, COUNTER, NULL, NULL,                                            \
      "uncompressed bytes that storers read for queries")                                          \
    X(querier_scanned_lines_total, COUNTER, NULL, NULL, "lines that storers read for queries")     \
    X(querier_incomplete_total, COUNTER, NULL, NULL,                                               \
      "answers that were incomplete because storers did not answer")                               \
    X(querier_hedges_total, COUNTER, NULL, NULL,                                                   \
      "slow sub-queries that were given to other replicas as well")                                \
    X(querier_hedges_won_total, COUNTER, NULL, NULL,                                               \
      "of these, those where the other replicas came first")                                       \
    X(querier_runs_again_total, COUNTER, NULL, NULL,                                               \
      "times that a query began again because a storer was lost on the way")                       \
    X(querier_silent_storers_total, COUNTER, NULL, NULL,                                           \
      "storers that were given up in a query since they did not even answer a greeting")           \
    X(querier_tails_total, COUNTER, &slg_querier_outcome_label, NULL,                              \
      "tails that were asked for, by outcome of the handshake")                                    \
    X(querier_running_tails, GAUGE, NULL, NULL, "tails that run now")                              \
    X(querier_tail_lines_total, COUNTER, NULL, NULL, "lines sent to tails")                        \
    X(querier_tail_dropped_lines_total, COUNTER, NULL, NULL,                                       \
      "lines that tails left out because the client read too slowly")                              \
    X(querier_tail_interruptions_total, COUNTER, NULL, NULL,                                       \
      "evaluations of tails that broke off and went on later: a storer was lost")                  \
    X(querier_tail_looks_total, COUNTER, NULL, NULL,                                               \
      "times that storers were asked for all tails what is new")
enum { QUERIER_METRICS(SLG_METRIC_ENUM) };

#endif
