/* querier/querier.h - the Loki read API over the storers of the map: one HTTP server, no state on disk.
 *
 * Answers GET and POST forms on /loki/api/v1/{query_range,query,labels,label/<n>/values,series,index/stats,
 * index/volume,index/volume_range,detected_labels,format_query,status/buildinfo,drilldown-limits,tail}, the empty rule lists
 * that Grafana asks for, /ready and /metrics. It takes no push, delete or admin call: Grafana's data source proxy would
 * hand them to any viewer. /metrics is refused to requests that came through a proxy, for the same reason.
 * Threads: create, start and stop by one; requests run on the HTTP server's threads. */
#ifndef SLG_QUERIER_QUERIER_H
#define SLG_QUERIER_QUERIER_H

#include "base/metric.h"
#include "cluster/map.h"
#include "proto/http.h"
#include "proto/transport.h"

struct slg_querier_limits {
    int32_t query_timeout_ms;    /* 1000 to 3600000 */
    uint64_t entries_max;        /* rows of one log answer; Loki's default is 5000 */
    size_t series_max;           /* of one metric answer; Loki's default is 500 */
    int64_t query_length_max_ns; /* end - start; Loki's default is 30d1h */
    size_t
        memory_bytes_max; /* of one query in the querier, and of each of its leaves on a storer */
    uint64_t bytes_scan_max; /* uncompressed bytes that one query may read on a storer */
    size_t concurrent_max;   /* queries that run at once; the others wait in fair order */
    size_t waiting_max;      /* beyond it: 429 */
    size_t connection_count_max;
    size_t parallel_max;          /* sub-queries per storer and leaf */
    size_t tails_max;             /* at once; beyond it: 429 */
    int64_t tail_time_max_ns;     /* then a tail is closed; Loki's default is 1h */
    int64_t tail_pong_timeout_ms; /* without a sign of life for so long it is closed */
};

/* Loki's defaults where Loki has the limit. */
struct slg_querier_limits slg_querier_limits_default(void);

struct slg_querier_options {
    struct slg_map *map;                 /* referenced */
    struct slg_transport_tls tls;        /* towards storers */
    struct slg_http_server_options http; /* listen, allow, tokens, TLS; routes are filled in here */
    struct slg_querier_limits limits;
    bool partial_warn;    /* metric answers of incomplete data: warn instead of 503 */
    int64_t retention_ns; /* told to Drilldown; 0 = forever */
    struct slg_metric_registry *registry; /* borrowed */
    const char *revision;
};

struct slg_querier;

/* Errors of slg_http_server_start and slg_peers_create; NO_MEMORY, threads included. */
SLG_MUST_CHECK enum slg_status slg_querier_start(const struct slg_querier_options *options,
                                                 struct slg_querier **ret_querier,
                                                 struct slg_error *reterr);
/* "127.0.0.1:3100" */
const char *slg_querier_address(const struct slg_querier *querier);
/* Ends running queries, waits for their threads. NULL is fine. */
void slg_querier_stop(struct slg_querier *querier);

#endif
