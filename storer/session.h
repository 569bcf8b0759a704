/* storer/session.h - open queries of a storer: found by id, continued by NEXT, ended by CANCEL, time or their end.
 *
 * A session is either with a worker (running) or parked (its page was sent, the querier may ask for the next).
 * Owner:   the table owns parked sessions; a running one belongs to whoever acquired it until park or close.
 * Threads: the table: any thread (one mutex, docs/adr/0007, held for a look-up only). A session: its holder.
 * Refuses: more than session_count_max sessions (AGAIN), an id that is open (INVALID). */
#ifndef SLG_STORER_SESSION_H
#define SLG_STORER_SESSION_H

#include <stdatomic.h>

#include "storer/scan.h"

#define SLG_SESSION_COUNT_MAX         ((size_t)1024)
/* Of the decoded request: sets of up to 65,536 shards. */
#define SLG_SESSION_REQUEST_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct slg_session_table;

struct slg_session {
    struct slg_arena *arena; /* the request and what was decoded of it */
    struct slg_rpc_query query;
    struct slg_scan *scan; /* NULL before slg_session_prepare */
    struct slg_scan_options scan_options;
    int64_t opened_mono_ns; /* when the request came */
    atomic_bool canceled;
    struct slg_scan_stats stats; /* of the page in hand */
    uint64_t spent_ns;           /* of a worker's time, over all pages, */
    int64_t computed_ns;         /* and of a core's */
    struct slg_buf page;         /* body in hand */
    void *call;                  /* who waits for the page; the server's */
    /* Of the table: */
    bool parked;
    int64_t parked_mono_ns;
};

SLG_MUST_CHECK struct slg_session_table *slg_session_table_create(size_t session_count_max);
/* No session may be running: parked ones are closed. NULL is fine. */
void slg_session_table_destroy(struct slg_session_table *table);

/* Decode and open. The session is running and the caller's. deadline_mono_ns and cutoff_ns: as in scan.h. */
SLG_MUST_CHECK enum slg_status
slg_session_open(struct slg_session_table *table, struct slg_catalogue *catalogue,
                 const uint8_t *request, size_t request_len, int64_t received_mono_ns,
                 int64_t cutoff_ns, size_t view_bytes_max, struct slg_session **ret_session,
                 struct slg_error *reterr);
/* A parked session becomes running. NOT_FOUND: no such query (it ended, was canceled, or was idle too long);
 * INVALID: it is running already. */
SLG_MUST_CHECK enum slg_status slg_session_acquire(struct slg_session_table *table,
                                                   const uint8_t query_id[16],
                                                   struct slg_session **ret_session,
                                                   struct slg_error *reterr);
/* Before its first step: compile the query, which can take long. INVALID, UNSUPPORTED, LIMIT: as slg_scan_create. */
SLG_MUST_CHECK enum slg_status slg_session_prepare(struct slg_session *session,
                                                   struct slg_error *reterr);
/* Of a session whose time has ended: it had a worker for at least half of it, and a core for an eighth and not less than
 * 50 ms, so it is itself to blame. Else the server was busy. */
bool slg_session_is_to_blame(const struct slg_session *session, int64_t now_mono_ns);
/* Running -> parked. One that was canceled meanwhile is closed. */
void slg_session_park(struct slg_session_table *table, struct slg_session *session,
                      int64_t now_mono_ns);
/* Running -> gone. */
void slg_session_close(struct slg_session_table *table, struct slg_session *session);
/* Ask a running session to stop, close a parked one. An unknown id is fine. */
void slg_session_cancel(struct slg_session_table *table, const uint8_t query_id[16]);
/* Ask all to stop, and open none any more (shutdown). */
void slg_session_cancel_all(struct slg_session_table *table);
/* Close what has been parked for idle_ns. */
void slg_session_expire(struct slg_session_table *table, int64_t now_mono_ns, int64_t idle_ns);
size_t slg_session_count(struct slg_session_table *table);

#endif
