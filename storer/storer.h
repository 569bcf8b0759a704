/* storer/storer.h - the storer daemon as a library: a data directory, listeners, commit lanes, query workers.
 *
 * Start opens no shard, so it takes as long as listing the directory. kill -9 is safe at any moment; stop finishes the
 * commits in hand, answers queries CANCELED, and closes everything.
 * HTTP (port 3102): /ready, /metrics, /admin/status (the document of storer/status.h), /admin/cluster (the same of all
 * storers, cluster/survey.h).
 * Owner:   everything in options is borrowed until stop returns; the map is ref'ed.
 * Threads: start and stop by one thread. Inside: commit lanes, query workers, one housekeeping thread (docs/adr/0007),
 *          the scrub's, and with other storers in the map the threads of storer/repair.h.
 * Refuses: a data directory in use (UNAVAILABLE), an address in use (UNAVAILABLE), a map without this node (INVALID). */
#ifndef SLG_STORER_STORER_H
#define SLG_STORER_STORER_H

#include "base/clock.h"
#include "base/metric.h"
#include "cluster/survey.h"
#include "proto/http.h"
#include "proto/transport.h"

#define SLG_STORER_LISTEN_COUNT_MAX ((size_t)8)

struct slg_storer;

struct slg_storer_options {
    const char *data_dir; /* the storer's own: node.data_dir/storer */
    const char *node_id;  /* in the map */
    struct slg_map *map;
    struct slg_clock *clock;             /* NULL: the system's */
    struct slg_metric_registry *metrics; /* /metrics writes all of it */

    const char *const *
        listen_urls; /* "tcp://127.0.0.1:4410", "inproc://storer"; 1 to SLG_STORER_LISTEN_COUNT_MAX */
    size_t listen_count;
    struct slg_transport_tls tls; /* for tls+tcp URLs */
    size_t call_count_max;        /* requests in hand per listener; 0: 256 */

    /* listen NULL: no HTTP. routes and handler_ctx are set here; 0 in the other numbers means the default. */
    struct slg_http_server_options http;
    struct slg_survey *survey; /* for /admin/cluster; NULL: 404 */
    const char *insecure;      /* a JSON list of settings, told by the status; NULL: none */

    /* 0 means the default in all of these. */
    size_t map_bytes_max;         /* of a generation file; 16 GiB */
    uint64_t disk_reserve_bytes;  /* 2 GiB; a reserve of nothing is 1 */
    size_t commit_bytes;          /* a commit starts at once when so much waits; 4 MiB */
    int64_t commit_ns;            /* least time between two commits of a lane; 5 ms */
    size_t commit_lane_count;     /* 2 */
    size_t open_shards_max;       /* 256 */
    int64_t shard_idle_ns;        /* 10 min */
    size_t worker_count;          /* cores */
    size_t query_count_max;       /* 256 */
    int64_t query_idle_ns;        /* 60 s */
    uint64_t retention_bytes_max; /* 0: no bound by bytes */
    bool repair_off; /* no rounds of repair; queries still get what they need from peers */
    uint64_t repair_bytes_per_second; /* 64 MiB */
    bool scrub_off;                   /* no passes; shards in which damage was met are looked at */
    int64_t scrub_interval_ns;        /* from the begin of a pass to that of the next; 30 d */
    uint64_t scrub_bytes_per_second;  /* 8 MiB */
    int64_t quarantine_keep_ns;       /* of copies that were repaired since; 7 d */
    uint64_t quarantine_bytes_max;    /* 8 GiB */
};

/* Checks the options; opens and starts nothing. */
SLG_MUST_CHECK enum slg_status slg_storer_create(const struct slg_storer_options *options,
                                                 struct slg_storer **ret_storer,
                                                 struct slg_error *reterr);
void slg_storer_destroy(struct slg_storer *storer); /* stopped or never started; NULL is fine */
/* Once. After a failure it is as if never started. */
SLG_MUST_CHECK enum slg_status slg_storer_start(struct slg_storer *storer,
                                                struct slg_error *reterr);
/* Waits for the commits in hand. A storer that was not started, or NULL, is fine. */
void slg_storer_stop(struct slg_storer *storer);

/* With real ports; of a started storer. http: NULL when there is none. */
const char *slg_storer_url(const struct slg_storer *storer, size_t listen_index);
const char *slg_storer_http_address(const struct slg_storer *storer);
/* Does it refuse writes for want of disk? */
bool slg_storer_read_only(const struct slg_storer *storer);

#endif
