/* ingester/push_http.h - POST /loki/api/v1/push: entries over HTTP, answered when they are on disk.
 *
 * 204 only when every batch with an entry of the request is accepted at W. While storers are behind a request waits
 * for at most SLG_PUSH_WAIT_NS, then 503 with Retry-After; what it had stored by then stays (a resend is recognised,
 * H9). Entries that break Loki's rules are left out and answered with 400 and Loki's texts; the others are stored.
 *
 * A request is decoded on its own connection's thread, in one of a few workspaces that bound the memory; one thread
 * puts the entries of all requests into builders, so that requests at the same time share batches.
 * Threads: start and stop by one; slg_push_http_handle by any number of HTTP threads. */
#ifndef SLG_INGESTER_PUSH_HTTP_H
#define SLG_INGESTER_PUSH_HTTP_H

#include "ingester/batcher.h"
#include "ingester/push.h"
#include "proto/http.h"

#define SLG_PUSH_WAIT_NS (10 * SLG_NS_PER_SEC)
#define SLG_PUSH_WORKSPACE_COUNT                                                                   \
    ((size_t)4) /* requests being decoded or put into builders at once */
#define SLG_PUSH_BODY_BYTES_MAX  ((size_t)16 * 1024 * 1024) /* as sent and unpacked */
#define SLG_PUSH_WORK_BYTES_MAX  ((size_t)96 * 1024 * 1024) /* arena of a workspace */
#define SLG_PUSH_WINDOWS_MAX     ((size_t)1024)
#define SLG_PUSH_WINDOWS_DEFAULT ((size_t)100)
#define SLG_PUSH_MAX_FUTURE_NS   (600 * SLG_NS_PER_SEC)

struct slg_push_http_options {
    struct slg_batcher_options batcher;
    struct slg_account *account;
    struct slg_metric_table *metrics;
    size_t listener;    /* of pushes, in the account */
    size_t windows_max; /* that one request may touch, 1 to SLG_PUSH_WINDOWS_MAX */
    int64_t wait_ns;    /* SLG_PUSH_WAIT_NS; tests choose less */
    int64_t max_future_ns;
    struct slg_push_options push; /* limits and masks; the times are set per request */
};

struct slg_push_http;

/* INVALID: an option out of its range; NO_MEMORY, threads included. */
SLG_MUST_CHECK enum slg_status slg_push_http_start(const struct slg_push_http_options *options,
                                                   struct slg_push_http **ret_push,
                                                   struct slg_error *reterr);
/* New requests get 503; those in builders are sealed until the deadline. Call slg_http_server_stop afterwards, then
 * destroy: handlers may still wait for their batches. */
void slg_push_http_stop(struct slg_push_http *push, int64_t deadline_mono_ns);
void slg_push_http_destroy(struct slg_push_http *push); /* stopped and no handler inside, or NULL */
void slg_push_http_set_map(struct slg_push_http *push, struct slg_map *map);

/* Serve one request. */
void slg_push_http_handle(struct slg_push_http *push, struct slg_http_request *request);

#endif
