/* proto/http_guard.h - connections whose next request must have come whole, or whose answer must be out, by a time.
 *
 * libmicrohttpd knows only silence: a client that sends one byte of a header every 9 s, or reads one, would hold its
 * connection for ever. A thread looks at the deadlines and shuts down sockets that are past theirs; their own threads find them ended.
 * Owner:   a guarded connection belongs to the guard from add to remove, its fd to the caller, who closes it after
 *          remove only.
 * Threads: add, set, remove by any; create and destroy by one. One mutex, docs/adr/0014-http-head-deadline.md. */
#ifndef SLG_PROTO_HTTP_GUARD_H
#define SLG_PROTO_HTTP_GUARD_H

#include <stdint.h>

#include "base/status.h"

struct slg_http_guard;
struct slg_http_guarded; /* one connection */

/* Deadlines are looked at every look_ns. */
SLG_MUST_CHECK enum slg_status slg_http_guard_create(int64_t look_ns,
                                                     struct slg_http_guard **ret_guard);
void slg_http_guard_destroy(struct slg_http_guard *guard); /* all are removed; NULL is fine */

/* NULL: no memory. */
SLG_MUST_CHECK struct slg_http_guarded *slg_http_guard_add(struct slg_http_guard *guard, int fd,
                                                           int64_t deadline_mono_ns);
/* SLG_DEADLINE_NEVER: while an answer is made. */
void slg_http_guard_set(struct slg_http_guard *guard, struct slg_http_guarded *guarded,
                        int64_t deadline_mono_ns);
void slg_http_guard_remove(struct slg_http_guard *guard, struct slg_http_guarded *guarded);

#endif
