/* querier/peers.h - the storers of the map, one connection each.
 *
 * Owner:   create to destroy; the map snapshot is held meanwhile. Threads: asking is safe from any. */
#ifndef SLG_QUERIER_PEERS_H
#define SLG_QUERIER_PEERS_H

#include "cluster/map.h"
#include "proto/transport.h"

struct slg_peers;

/* Dials every node that is not removed, in the background. */
SLG_MUST_CHECK enum slg_status slg_peers_create(struct slg_map *map,
                                                const struct slg_transport_tls *tls,
                                                size_t in_flight_max, struct slg_peers **ret_peers,
                                                struct slg_error *reterr);
void slg_peers_destroy(struct slg_peers *peers); /* NULL is fine */
const struct slg_map *slg_peers_map(const struct slg_peers *peers);
/* Connection of map->nodes[node_index]; NULL for a removed node. */
struct slg_transport_client *slg_peers_client(const struct slg_peers *peers, size_t node_index);

/* A storer was given its time and said nothing: nobody waits for it again until a reply of it has come, however late. */
void slg_peers_note_silent(const struct slg_peers *peers, size_t node_index);
bool slg_peers_silent(const struct slg_peers *peers, size_t node_index);

/* A storer is greeted once by each connection, before what comes by it is used: does it belong to this cluster, and has
 * it the same map? Who refuses is told to the log once. */
bool slg_peers_greeted(const struct slg_peers *peers, size_t node_index, uint64_t connection);
void slg_peers_note_greeted(const struct slg_peers *peers, size_t node_index, uint64_t connection);
void slg_peers_note_refused(const struct slg_peers *peers, size_t node_index, const char *why);

#endif
