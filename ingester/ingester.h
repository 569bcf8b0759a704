/* ingester/ingester.h - the ingester as a whole: syslog and pushes in, batches out to the storers.
 *
 * Start order: account, marker of the run, forwarder, UDP, TCP, RELP, pushes, HTTP, housekeeping (kernel drops, loss
 * entries). Stop order is the reverse of the flow: intake ends and is drained, builders are sealed, what is sealed is
 * handed over; what no quorum took by the deadline is counted as dropped{stop} or abandoned.
 * Threads: create, start, stop, destroy by one; slg_ingester_set_map and the readers by any. */
#ifndef SLG_INGESTER_INGESTER_H
#define SLG_INGESTER_INGESTER_H

#include "cluster/survey.h"
#include "ingester/push_http.h"
#include "ingester/receive.h"
#include "ingester/tcp.h"

#define SLG_INGESTER_STOP_NS (9 * SLG_NS_PER_SEC) /* of the 10 s that SIGTERM allows */

struct slg_ingester_options {
    const char *node_id; /* also the label host of loss entries */
    struct slg_text tenant;
    struct slg_map *map; /* a reference is taken */
    struct slg_metric_registry *metrics;
    struct slg_clock *clock;
    struct slg_transport_tls tls; /* to the storers */

    const struct slg_listener_options *listeners;
    size_t listener_count; /* up to SLG_LISTENER_COUNT_MAX */
    size_t udp_thread_count;
    size_t tcp_connection_count_max; /* of plain TCP, and as many of RELP */
    int64_t tcp_idle_timeout_ns;

    const char *marker_path; /* ingester/marker.h; NULL: unclean ends are not told */

    const char *http_listen; /* "127.0.0.1:3101"; NULL: none */
    size_t http_connection_count_max;
    size_t http_body_bytes_max;
    const char *const *http_allow;
    size_t http_allow_count;
    const char *const *http_tokens;
    size_t http_token_count;
    const char *http_tls_cert_file;
    const char *http_tls_key_file;
    struct slg_push_options push;
    struct slg_survey *survey; /* for /admin/cluster; borrowed; NULL: 404 */

    size_t memory_bytes_max;     /* of batches on their way */
    size_t in_flight_per_storer; /* requests */
    int32_t send_timeout_ms;
    size_t builders_max; /* per thread, see ingester/batcher.h */
    unsigned new_shards_max;
    size_t push_windows_max;
    size_t line_bytes_max; /* of a TCP message */
    int64_t linger_ns_max;
    int64_t max_future_ns;
    void (*map_stale)(void *ctx, uint64_t epoch); /* as in ingester/forward.h */
    void *map_stale_ctx;
};
/* Defaults of everything but node_id, tenant, map, metrics and listeners. */
void slg_ingester_options_init(struct slg_ingester_options *options);

struct slg_ingester;

/* Check all, allocate, bind nothing yet. */
SLG_MUST_CHECK enum slg_status slg_ingester_create(const struct slg_ingester_options *options,
                                                   struct slg_ingester **ret_ingester,
                                                   struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_ingester_start(struct slg_ingester *ingester,
                                                  struct slg_error *reterr);
/* *ret_left: entries that no quorum took (dropped at stop or abandoned); 0 = all handed over. Returns within
 * SLG_INGESTER_STOP_NS and a little. Fine after a failed start. */
void slg_ingester_stop(struct slg_ingester *ingester, uint64_t *ret_left);
void slg_ingester_destroy(struct slg_ingester *ingester); /* NULL, never started or stopped */

/* From now on by this map. */
void slg_ingester_set_map(struct slg_ingester *ingester, struct slg_map *map);
/* At least one storer has answered its greeting. */
bool slg_ingester_ready(struct slg_ingester *ingester);
void slg_ingester_totals(struct slg_ingester *ingester, struct slg_account_totals *ret_totals);
/* "127.0.0.1:41231" or NULL without HTTP; lives until stop. */
const char *slg_ingester_http_address(const struct slg_ingester *ingester);
/* Address of a syslog listener with its real port. */
const char *slg_ingester_listener_address(const struct slg_ingester *ingester, size_t index);
/* JSON about the ingester, for status. */
void slg_ingester_status(struct slg_ingester *ingester, struct slg_buf *out);

#endif
