/* querier/tail.h - one tail: history, then what is new, as WebSocket messages to one client, until one of them ends it.
 *
 * Order: rows of one evaluation in total order, oldest first; evaluations follow the pictures of the hub. Nothing is
 * shown twice and nothing is left out (querier/tail_state.h); a client that reads too slowly is told what was dropped.
 * Ends:   1000 echo of the client's close; no close frame (to clients that is 1006) when the server stops, so that they
 *         come again; 1011 `reached tail max duration limit`, no sign of life for pong_timeout_ms, or a query error with
 *         its text; 1002, 1007, 1009 bad frames.
 * Owner:   create to run (which frees it) or release. Threads: run on the connection's thread. */
#ifndef SLG_QUERIER_TAIL_H
#define SLG_QUERIER_TAIL_H

#include "base/gate.h"
#include "base/metric.h"
#include "proto/http.h"
#include "querier/querier.h"
#include "querier/tail_hub.h"

struct slg_tail_options {
    const struct slg_peers *peers; /* borrowed, as all pointers here; they outlive the tail */
    const struct slg_querier_limits *limits;
    struct slg_gate *gate; /* the history is a query like others */
    struct slg_metric_table *metrics;
    struct slg_text tenant;
    struct slg_text query; /* copied */
    struct slg_text flags; /* of X-Loki-Response-Encoding-Flags; copied */
    bool categorize;
    struct slg_gate_job place; /* who asks */
    int64_t start_ns;
    uint64_t limit; /* lines of history */
    int64_t delay_ns;
    struct slg_tail_subscription *subscription; /* taken over by create when it succeeds */
    struct slg_tail_sets *sets;                 /* the first picture; taken over as well */
    slg_http_release *ended;                    /* called once at the very end */
    void *ended_arg;
};

struct slg_tail;

/* NULL: no memory; nothing was taken over. */
SLG_MUST_CHECK struct slg_tail *slg_tail_create(const struct slg_tail_options *options);
/* For slg_http_answer_upgrade. */
slg_http_upgraded slg_tail_run;
slg_http_release slg_tail_release;

#endif
