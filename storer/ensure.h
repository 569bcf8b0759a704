/* storer/ensure.h - ENSURE: fetches from peers, at once, what a query needs and this storer lacks.
 *
 * Two threads of its own, unthrottled, also with repair off: reading stays exact without it.
 * Owner:   everything in options is borrowed until stop.
 * Threads: start and stop by one; submit from any. */
#ifndef SLG_STORER_ENSURE_H
#define SLG_STORER_ENSURE_H

#include "storer/commit.h"
#include "storer/peer_links.h"

#define SLG_ENSURE_COUNT_MAX    ((size_t)256) /* requests in hand */
#define SLG_ENSURE_THREAD_COUNT ((size_t)2)

struct slg_ensure;

struct slg_ensure_options {
    struct slg_peer_links *links;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
    const struct slg_map *map;
};
SLG_MUST_CHECK enum slg_status slg_ensure_start(const struct slg_ensure_options *options,
                                                struct slg_ensure **ret_ensure,
                                                struct slg_error *reterr);
/* Answers CANCELED to every request in hand. The commit lanes must run until it has returned. NULL is fine. */
void slg_ensure_stop(struct slg_ensure *ensure);

typedef void slg_ensure_done(void *ctx, enum slg_status status, const char *text);
/* bytes: an ENSURE request, borrowed until done, which is called exactly once unless AGAIN is returned: too many are
 * in hand. */
SLG_MUST_CHECK enum slg_status slg_ensure_submit(struct slg_ensure *ensure, const uint8_t *bytes,
                                                 size_t len, slg_ensure_done *done, void *done_ctx);

#endif
