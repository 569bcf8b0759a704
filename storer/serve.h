/* storer/serve.h - the storer's answers to the messages of proto/rpc.h, whatever carried them.
 *
 * STORE goes to the commit lanes, ENSURE to storer/ensure.h, CANCEL is done at once, everything else to a pool of workers. A query runs in slices
 * and goes to the end of the queue between them, so 40 queries at once all move on. One that took 50 ms goes over to a
 * second pool of lower priority, so that a short query never waits for the slice of a long one.
 * Owner:   borrows the request's bytes until it has called reply, exactly once for each request.
 * Threads: request from any thread (transport callbacks): it only enqueues. reply runs on a worker, a commit lane, or
 *          inside slg_serve_request.
 * Refuses: unknown types, versions and malformed messages by a failure reply; more than SLG_SERVE_JOB_COUNT requests in
 *          hand (AGAIN; for STORE: BUSY). */
#ifndef SLG_STORER_SERVE_H
#define SLG_STORER_SERVE_H

#include "storer/commit.h"
#include "storer/ensure.h"
#include "storer/repair.h"
#include "storer/scrub.h"
#include "storer/session.h"
#include "storer/status.h"

#define SLG_SERVE_JOB_COUNT        ((size_t)4096)
#define SLG_SERVE_WORKER_COUNT_MAX ((size_t)64)

struct slg_serve;

struct slg_serve_options {
    struct slg_catalogue *catalogue; /* borrowed, as all pointers here */
    struct slg_commit *commit;
    struct slg_peer_links *links; /* NULL, as repair and ensure: a storer without peers */
    struct slg_scrub *scrub;      /* NULL: none */
    struct slg_repair *repair;
    struct slg_ensure *ensure;
    const struct slg_map *map;
    const char *node_id;
    const char *data_dir;
    struct slg_clock *clock;
    struct slg_metric_table *metrics;
    uint64_t disk_reserve_bytes;
    const char *insecure;     /* storer/status.h */
    size_t worker_count;      /* of each pool, 1 to SLG_SERVE_WORKER_COUNT_MAX */
    size_t session_count_max; /* 1 to SLG_SESSION_COUNT_MAX */
    int64_t session_idle_ns;
    size_t view_bytes_max; /* decoded batches that one query holds */
};
SLG_MUST_CHECK enum slg_status slg_serve_start(const struct slg_serve_options *options,
                                               struct slg_serve **ret_serve,
                                               struct slg_error *reterr);
/* Ends the workers; queries in hand are answered CANCELED. Batches in hand are still with the commit lanes: destroy
 * only after slg_commit_stop. No request may come after stop. NULL is fine for both. */
void slg_serve_stop(struct slg_serve *serve);
void slg_serve_destroy(struct slg_serve *serve);

typedef void slg_serve_reply(void *ctx, const void *reply, size_t len);
void slg_serve_request(struct slg_serve *serve, const uint8_t *bytes, size_t len,
                       slg_serve_reply *reply, void *reply_ctx);

/* Close queries that were not continued in time; housekeeping calls it. */
void slg_serve_expire(struct slg_serve *serve, int64_t now_mono_ns);
size_t slg_serve_query_count(struct slg_serve *serve);
/* The document of status.h. */
SLG_MUST_CHECK enum slg_status slg_serve_status(struct slg_serve *serve, size_t row_bytes_max,
                                                struct slg_buf *out, struct slg_error *reterr);

#endif
