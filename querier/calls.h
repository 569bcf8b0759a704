/* querier/calls.h - several requests under way at once for one query, their replies taken one by one.
 *
 * Owner:   one query's thread. Replies belong to whoever took them (slg_reply_free). Requests that are still under
 *          way at destroy are abandoned: their replies are freed when they come.
 * Threads: all functions on the query's thread; replies arrive on library threads, which only enqueue. */
#ifndef SLG_QUERIER_CALLS_H
#define SLG_QUERIER_CALLS_H

#include "proto/transport.h"

struct slg_calls;

struct slg_reply {
    size_t tag;             /* what slg_calls_send was given */
    enum slg_status status; /* of the transport: OK, TIMEOUT, UNAVAILABLE, CANCELED, NO_MEMORY */
    uint8_t *bytes;         /* owned; NULL unless OK */
    size_t len;
    uint64_t connection; /* the last one made when it came */
};

/* call_count_max requests may be under way at once. NULL: no memory. */
SLG_MUST_CHECK struct slg_calls *slg_calls_create(size_t call_count_max);
void slg_calls_destroy(struct slg_calls *calls); /* NULL is fine */

/* OK: a reply with this tag will come. AGAIN: call_count_max, or the client's own limit, is reached. */
SLG_MUST_CHECK enum slg_status slg_calls_send(struct slg_calls *calls,
                                              struct slg_transport_client *client,
                                              const struct slg_buf *request, int32_t timeout_ms,
                                              size_t tag);
/* The next reply of any. TIMEOUT: none until the deadline. NOT_FOUND: nothing is under way. */
SLG_MUST_CHECK enum slg_status slg_calls_wait(struct slg_calls *calls, int64_t deadline_mono_ns,
                                              struct slg_reply *ret_reply);
void slg_reply_free(struct slg_reply *reply);

#endif
