/* storer/peer_links.h - this storer's connections to the others of the map, and what each side remembers of the
 * other's storage (docs/adr/0011, H6).
 *
 * Greeting tells a peer who we are and learns what it remembers; what peers are is remembered in the record `peers`
 * of the data directory, but only of peers that call themselves whole (an empty storage id in a greeting: not whole).
 * A row of our own id there says that this storage was whole, and that no peer has remembered more since. The record is
 * written by greet and end_round, so what a peer told may be known only in memory for one interval of repair.
 * Owner:   map, catalogue and data_dir are borrowed until destroy.
 * Threads: ask, note, state, compares and counter_floor: any. greet, counts, end_round: one thread (repair). */
#ifndef SLG_STORER_PEER_LINKS_H
#define SLG_STORER_PEER_LINKS_H

#include "proto/rpc.h"
#include "proto/transport.h"
#include "storer/age.h"
#include "storer/catalogue.h"
#include "storer/member.h"

struct slg_peer_links;

struct slg_peer_links_options {
    const struct slg_map *map;
    const char *node_id;
    const char *data_dir;
    struct slg_catalogue *catalogue;
    struct slg_age *age; /* hears the clocks of peers; NULL: nobody asks */
    struct slg_transport_tls tls;
    size_t in_flight_max; /* requests to one peer at once, 1 or more */
};
/* Dials in the background. CORRUPT: the record `peers`; IO. */
SLG_MUST_CHECK enum slg_status slg_peer_links_create(const struct slg_peer_links_options *options,
                                                     struct slg_peer_links **ret_links,
                                                     struct slg_error *reterr);
void slg_peer_links_destroy(struct slg_peer_links *links); /* NULL is fine; no ask may be running */

/* Greet every peer, all at once, and wait for at most timeout_ms. *ret_back: a peer that did not answer last time
 * has answered. */
void slg_peer_links_greet(struct slg_peer_links *links, int32_t timeout_ms, bool *ret_back);
/* Did it answer its last greeting? False for this node and removed ones. */
bool slg_peer_links_reachable(const struct slg_peer_links *links, size_t node_index);
size_t slg_peer_links_node_index(const struct slg_peer_links *links); /* this node */

/* Send and wait. UNAVAILABLE, TIMEOUT, AGAIN; else *reply_out holds the reply. */
SLG_MUST_CHECK enum slg_status slg_peer_links_ask(struct slg_peer_links *links, size_t node_index,
                                                  const struct slg_buf *request, int32_t timeout_ms,
                                                  struct slg_buf *reply_out);

/* For the answer to a peer's greeting: fill what is told of ourselves and remembered of it, then note what it said.
 * The texts live in *scratch. */
struct slg_peer_texts {
    char own[33];
    char known[33];
};
void slg_peer_links_fill(struct slg_peer_links *links, struct slg_text peer_id,
                         struct slg_peer_texts *scratch, struct slg_rpc_hello *hello);
void slg_peer_links_note(struct slg_peer_links *links, const struct slg_rpc_hello *from_peer);

enum slg_member_state slg_peer_links_state(const struct slg_peer_links *links);
/* See storer/member.h: slg_member_compares, _counts, _end_round. */
bool slg_peer_links_compares(struct slg_peer_links *links);
bool slg_peer_links_counts(struct slg_peer_links *links, const struct slg_member_round *round);
void slg_peer_links_end_round(struct slg_peer_links *links, const struct slg_member_round *round,
                              bool due);
/* The storage's counter is to be raised only while this node is whole (peers are told it then), and above this, unless
 * it is 0. */
uint64_t slg_peer_links_counter_floor(struct slg_peer_links *links);

#endif
