/* querier/querier_private.h - what the handlers share: querier.c (life) and loki_*.c. */
#ifndef SLG_QUERIER_QUERIER_PRIVATE_H
#define SLG_QUERIER_QUERIER_PRIVATE_H

#include <stdatomic.h>

#include "base/gate.h"
#include "querier/fanout.h"
#include "querier/metrics.h"
#include "querier/querier.h"
#include "querier/tail_hub.h"

#define QUERIER_TENANT "default"

struct slg_querier {
    struct slg_querier_options options;
    struct slg_peers *peers;
    struct slg_gate *gate;
    struct slg_metric_table *metrics;
    struct slg_http_server *http;
    struct slg_tail_hub *tail_hub;
    struct slg_hedge_pace pace; /* of all queries */
    atomic_size_t tail_count;
    atomic_bool stopping;
};

/* Who waits for an answer: for cancellation. */
struct api_client {
    struct slg_querier *querier;
    struct slg_http_request *request;
    int64_t started_mono_ns;   /* its time, in the queue too, begins here */
    struct slg_gate_job place; /* between slg_api_enter and slg_api_leave */
};
struct api_client slg_api_client(struct slg_querier *querier, struct slg_http_request *request);
bool slg_api_canceled(void *api_client);
/* Who asks, as the gate sees it: outside, with nothing to hold. */
struct slg_gate_job slg_api_job(const struct slg_http_request *request, enum slg_gate_lane lane);

/* HTTP code and body of a failure. `full_text` (may be NULL or empty) replaces error->message. */
void slg_api_fail(struct slg_http_request *request, const struct slg_error *error,
                  const char *full_text);
/* ["a","b"] */
void slg_api_print_texts(struct slg_buf *out, const struct slg_text *texts, size_t count);
enum slg_querier_outcome slg_api_outcome(enum slg_status status);

/* start, end and since; `end` defaults to now, `start` to end - since or an hour before. */
SLG_MUST_CHECK enum slg_status slg_api_range(const struct slg_http_request *request,
                                             int64_t *ret_start_ns, int64_t *ret_end_ns,
                                             struct slg_error *reterr);
/* `limit`, `line_limit`: fallback when absent. INVALID: not a whole number, or not positive. */
SLG_MUST_CHECK enum slg_status slg_api_limit(const struct slg_http_request *request,
                                             const char *name, uint64_t fallback,
                                             uint64_t *ret_limit, struct slg_error *reterr);
/* `direction`; absent: backward. */
SLG_MUST_CHECK enum slg_status slg_api_direction(const struct slg_http_request *request,
                                                 enum slg_direction *ret_direction,
                                                 struct slg_error *reterr);
#define SLG_API_FLAGS_BYTES 256
/* X-Loki-Response-Encoding-Flags into `out`: sorted, each once, comma separated; over-long ones are cut. As Loki: blanks
 * are part of a flag, capitals matter. */
struct slg_text slg_api_flags(const struct slg_http_request *request, char out[SLG_API_FLAGS_BYTES],
                              bool *ret_categorize);
/* INVALID: end before start. */
SLG_MUST_CHECK enum slg_status slg_api_check_order(int64_t start_ns, int64_t end_ns,
                                                   struct slg_error *reterr);
/* `step` and `interval` (0: none; NULL: not read) of a range. INVALID also: more than 11,000 steps. */
SLG_MUST_CHECK enum slg_status slg_api_resolution(const struct slg_http_request *request,
                                                  int64_t start_ns, int64_t end_ns,
                                                  int64_t *ret_step_ns, int64_t *ret_interval_ns,
                                                  struct slg_error *reterr);
/* INVALID: end before start. LIMIT: longer than a query may be. */
SLG_MUST_CHECK enum slg_status slg_api_check_range(const struct slg_querier_limits *limits,
                                                   const struct slg_query_params *params,
                                                   struct slg_error *reterr);
/* LIMIT: more lines than a query may ask for. */
SLG_MUST_CHECK enum slg_status slg_api_check_entries(const struct slg_querier_limits *limits,
                                                     uint64_t limit, struct slg_error *reterr);
/* Wait for a place among what runs in this lane: requests that read lines, or take thousands of steps, in the long one.
 * AGAIN, TIMEOUT, CANCELED. After OK: slg_api_leave. */
SLG_MUST_CHECK enum slg_status slg_api_enter(struct api_client *client, enum slg_gate_lane lane,
                                             struct slg_error *reterr);
/* Give the place to the next; the answer, not sent yet, holds so many bytes until slg_api_leave. AGAIN: what this client
 * has not read yet holds too many. */
SLG_MUST_CHECK enum slg_status slg_api_keep(struct api_client *client, size_t bytes,
                                            struct slg_error *reterr);
void slg_api_leave(struct api_client *client); /* also when it never entered */
/* 200 with this JSON, which is taken over; a large one counts until it is sent. The client has left. AGAIN: as
 * slg_api_keep; NO_MEMORY. Then there is no answer yet. */
SLG_MUST_CHECK enum slg_status slg_api_answer(const struct api_client *client, struct slg_buf *json,
                                              struct slg_error *reterr);
/* `step`, or the default for the range. */
SLG_MUST_CHECK enum slg_status slg_api_step(const struct slg_http_request *request,
                                            int64_t start_ns, int64_t end_ns, int64_t *ret_step_ns,
                                            struct slg_error *reterr);
/* For the rest of the client's time. */
SLG_MUST_CHECK enum slg_status
slg_api_fanout(struct api_client *client, struct slg_fanout **ret_fanout, struct slg_error *reterr);

/* Handlers; ctx is the querier. */
slg_http_handler slg_api_query_range, slg_api_query, slg_api_labels, slg_api_label_values,
    slg_api_series, slg_api_stats, slg_api_volume, slg_api_volume_range, slg_api_detected_labels,
    slg_api_format_query, slg_api_buildinfo, slg_api_ready, slg_api_metrics, slg_api_empty_rules,
    slg_api_empty_alerts, slg_api_no_rule_groups, slg_api_drilldown_limits, slg_api_not_yet,
    slg_api_detected_fields, slg_api_detected_field_values, slg_api_patterns, slg_api_legacy_query,
    slg_api_tail;

#endif
