/* ingester/relp_peer.h - the senders that speak RELP to one thread: messages into its lane, acknowledgements out.
 *
 * ingester/tcp.c owns sockets and input and gives bytes here; this writes the answers itself, as far as the socket takes
 * them, and says whether it wants to read more. It does not while SLG_RELP_WINDOW_MAX messages wait for acceptance, or
 * while the peer does not take its answers: back-pressure, nothing is dropped.
 * A message that cannot be taken for now (the ingester stops) ends the connection without an answer: the sender brings it
 * again. One that can never be stored (over a limit, older than the retention) is counted, told in the data as a loss,
 * and acknowledged: sent again it would come for ever, and block all behind it.
 * Owner: one thread, that of the lane. */
#ifndef SLG_INGESTER_RELP_PEER_H
#define SLG_INGESTER_RELP_PEER_H

#include "ingester/lane.h"
#include "ingester/relp_round.h"

struct slg_relp_peers; /* of one thread */
struct slg_relp_peer;  /* one connection */

struct slg_relp_peers_options {
    struct slg_lane *lane; /* borrowed */
    struct slg_clock *clock;
    size_t line_bytes_max;
    const _Atomic int64_t *deadline_mono_ns; /* for waiting when full, as in ingester/lane.h */
    struct slg_relp_rounds_options rounds;
};

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_relp_peers_create(const struct slg_relp_peers_options *options,
                                                     struct slg_relp_peers **ret_peers,
                                                     struct slg_error *reterr);
void slg_relp_peers_destroy(struct slg_relp_peers *peers); /* without peers; NULL is fine */
/* After each tick of the lane, and when it is due. */
void slg_relp_peers_tick(struct slg_relp_peers *peers, int64_t now_mono_ns);
int64_t slg_relp_peers_wake_mono_ns(const struct slg_relp_peers *peers);
/* May some peer have something to write since the last call? */
bool slg_relp_peers_take_done(struct slg_relp_peers *peers);

/* fd stays the caller's. NULL: no memory. */
SLG_MUST_CHECK struct slg_relp_peer *slg_relp_peer_create(struct slg_relp_peers *peers, int fd,
                                                          const struct slg_listener *listener,
                                                          const struct slg_address *address);
void slg_relp_peer_destroy(struct slg_relp_peer *peer); /* NULL is fine */

/* Take commands from bytes[0..len) until more input or room is needed; *ret_used bytes are done with. False: this is no
 * RELP, or not in turn. */
SLG_MUST_CHECK bool slg_relp_peer_take(struct slg_relp_peer *peer, const uint8_t *bytes, size_t len,
                                       size_t *ret_used);
/* The peer has sent its last byte: end when all is answered. */
void slg_relp_peer_take_end(struct slg_relp_peer *peer);
/* Send what may be sent now. False: the connection is to be closed. */
SLG_MUST_CHECK bool slg_relp_peer_send(struct slg_relp_peer *peer);
bool slg_relp_peer_wants_read(const struct slg_relp_peer *peer);
bool slg_relp_peer_wants_write(const struct slg_relp_peer *peer);
/* Nothing waits to be answered, or nobody is there to take it. */
bool slg_relp_peer_may_idle(const struct slg_relp_peer *peer);
/* Tell the peer that this end closes, if it can be told at once. */
void slg_relp_peer_bid_farewell(struct slg_relp_peer *peer);

#endif
