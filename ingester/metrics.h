/* ingester/metrics.h - the table of the ingester's metrics (base/metric.h). docs: `silagectl config`.
 *
 * The ledger (received, accepted, dropped, abandoned, in flight) is exported from one reading of the account, so that
 * a scrape always obeys the law of ingester/account.h: ingester.c adds the differences before each writing. */
#ifndef SLG_INGESTER_METRICS_H
#define SLG_INGESTER_METRICS_H

#include "base/metric.h"

#define SLG_INGESTER_METRICS(X)                                                                    \
    X(ingester_received_entries_total, COUNTER, &slg_ingester_label_source, NULL,                  \
      "log entries received, kernel drops included; received = accepted + dropped + abandoned + "  \
      "in flight")                                                                                 \
    X(ingester_accepted_entries_total, COUNTER, NULL, NULL,                                        \
      "log entries that the write quorum of storers has on disk")                                  \
    X(ingester_dropped_entries_total, COUNTER, &slg_ingester_label_reason, NULL,                   \
      "log entries lost for certain, by reason")                                                   \
    X(ingester_abandoned_entries_total, COUNTER, NULL, NULL,                                       \
      "log entries given up after sending; a storer may have them")                                \
    X(ingester_in_flight_entries, GAUGE, NULL, NULL, "log entries received and not settled yet")   \
    X(ingester_loss_entries_total, COUNTER, NULL, NULL,                                            \
      "entries {job=\"silage\", event=\"loss\"} written and accepted")                             \
    X(ingester_loss_unreported_entries, GAUGE, NULL, NULL,                                         \
      "dropped entries that no accepted loss entry tells of yet")                                  \
    X(ingester_unclean_ends_total, COUNTER, NULL, NULL,                                            \
      "starts that found that the run before had not ended cleanly")                               \
    X(ingester_empty_messages_total, COUNTER, &slg_ingester_label_listener, NULL,                  \
      "messages without a byte of text: not stored, not entries; N of ingester.syslog[N]")         \
    X(ingester_truncated_messages_total, COUNTER, NULL, NULL,                                      \
      "messages cut by the kernel or by the frame limit; stored with the flag truncated")          \
    X(ingester_parse_errors_total, COUNTER, &slg_ingester_label_listener, NULL,                    \
      "messages in no known syslog form; stored whole with parse_error; N of ingester.syslog[N]")  \
    X(ingester_time_adjusted_total, COUNTER, NULL, NULL,                                           \
      "messages whose stamp was outside the believed window; stored at receive time")              \
    X(ingester_metadata_dropped_total, COUNTER, NULL, NULL,                                        \
      "metadata left out of entries: structured data named twice (the last is kept) or "           \
      "over a limit")                                                                              \
    X(ingester_udp_datagrams_total, COUNTER, NULL, NULL, "datagrams read from the sockets")        \
    X(ingester_udp_bytes_total, COUNTER, NULL, NULL, "payload bytes of these datagrams")           \
    X(ingester_udp_reads_total, COUNTER, NULL, NULL, "recvmmsg calls that returned datagrams")     \
    X(ingester_udp_naps_total, COUNTER, NULL, NULL, "pauses of up to 1 ms between busy reads")     \
    X(ingester_udp_kernel_drops_total, COUNTER, NULL, NULL,                                        \
      "datagrams that the kernel dropped: receive buffer full (SO_MEMINFO)")                       \
    X(ingester_udp_buffer_bytes, GAUGE, NULL, NULL,                                                \
      "receive buffer granted to the smallest socket, as ingester.syslog[].rcvbuf asks for it")    \
    X(ingester_tcp_connections, GAUGE, NULL, NULL, "open TCP connections, RELP not included")      \
    X(ingester_tcp_connections_total, COUNTER, NULL, NULL,                                         \
      "TCP connections accepted; this and the following are with RELP's")                          \
    X(ingester_tcp_refused_total, COUNTER, &slg_ingester_label_refused, NULL,                      \
      "TCP connections closed at once, by reason")                                                 \
    X(ingester_tcp_accept_pauses_total, COUNTER, NULL, NULL,                                       \
      "times that nobody was accepted for a moment, for want of descriptors or memory")            \
    X(ingester_tcp_idle_total, COUNTER, NULL, NULL, "TCP connections closed: idle")                \
    X(ingester_tcp_cut_total, COUNTER, NULL, NULL,                                                 \
      "TCP connections that ended within a message; what came of it is stored as truncated, or, "  \
      "of RELP, left to the sender to send again")                                                 \
    X(ingester_tcp_reset_total, COUNTER, NULL, NULL,                                               \
      "TCP connections that broke off (reset, timed out): lines that the sender's kernel still "   \
      "held are lost unless it speaks RELP, how many nobody here can know")                        \
    X(ingester_tcp_unread_bytes_total, COUNTER, NULL, NULL,                                        \
      "bytes that had come over plain TCP and were not read when the ingester closed the "         \
      "connection: lost")                                                                          \
    X(ingester_tcp_stalls_total, COUNTER, NULL, NULL,                                              \
      "times that reading stopped because memory was full")                                        \
    X(ingester_relp_connections, GAUGE, NULL, NULL, "open RELP connections")                       \
    X(ingester_relp_acknowledged_total, COUNTER, NULL, NULL,                                       \
      "RELP messages acknowledged: their batches were accepted")                                   \
    X(ingester_relp_unaccepted_total, COUNTER, NULL, NULL,                                         \
      "RELP connections ended because messages were not accepted; their senders send again")       \
    X(ingester_relp_malformed_total, COUNTER, NULL, NULL,                                          \
      "RELP connections ended because what came was no RELP")                                      \
    X(ingester_push_requests_total, COUNTER, &slg_ingester_label_push, NULL,                       \
      "push requests, by outcome")                                                                 \
    X(ingester_push_seconds, HISTOGRAM, NULL, &slg_metric_latency, "push request until answered")  \
    X(ingester_batches_total, COUNTER, &slg_ingester_label_outcome, NULL,                          \
      "batches settled, by outcome")                                                               \
    X(ingester_batch_encoded_bytes_total, COUNTER, NULL, NULL, "bytes of sealed batches")          \
    X(ingester_batch_accept_seconds, HISTOGRAM, NULL, &slg_metric_latency,                         \
      "seal until accepted by the write quorum")                                                   \
    X(ingester_batches_in_flight, GAUGE, NULL, NULL, "sealed batches not released yet")            \
    X(ingester_send_failures_total, COUNTER, NULL, NULL,                                           \
      "requests to storers that ended without an answer; retried")                                 \
    X(ingester_send_refusals_total, COUNTER, &slg_ingester_label_refusal, NULL,                    \
      "answers of storers other than stored, by result")                                           \
    X(ingester_hints_total, COUNTER, NULL, NULL,                                                   \
      "batches sent to hint candidates, for owners that could not be reached")                     \
    X(ingester_storers_ready, GAUGE, NULL, NULL, "storers that have answered the last greeting")   \
    X(ingester_incarnations_total, COUNTER, NULL, NULL,                                            \
      "incarnations begun: one for each batching thread, more after content was refused or at "    \
      "4096 shards")

extern const struct slg_metric_label slg_ingester_label_source;
extern const struct slg_metric_label slg_ingester_label_listener; /* by slg_listener_index */
extern const struct slg_metric_label slg_ingester_label_reason;
extern const struct slg_metric_label slg_ingester_label_refused;
extern const struct slg_metric_label slg_ingester_label_push;
extern const struct slg_metric_label slg_ingester_label_outcome;
extern const struct slg_metric_label slg_ingester_label_refusal;

/* Values of the labels, in order. */
enum slg_ingester_source {
    SLG_INGESTER_UDP,
    SLG_INGESTER_TCP,
    SLG_INGESTER_RELP,
    SLG_INGESTER_PUSH,
    SLG_INGESTER_SOURCE_COUNT,
};
enum slg_ingester_refused { SLG_REFUSED_ADDRESS, SLG_REFUSED_LIMIT };
enum slg_ingester_push_outcome {
    SLG_PUSH_STORED,     /* 204 */
    SLG_PUSH_INCOMPLETE, /* 400, some entries were left out */
    SLG_PUSH_BAD,        /* 4xx, nothing stored */
    SLG_PUSH_BUSY,       /* 503 */
    SLG_PUSH_LOST,       /* 500: storers refused what had been taken */
};

enum { SLG_INGESTER_METRICS(SLG_METRIC_ENUM) };

/* NULL: no memory. */
SLG_MUST_CHECK struct slg_metric_table *
slg_ingester_metrics_register(struct slg_metric_registry *registry);

#endif
