#include "querier/peers.h"

struct slg_peers {
    struct slg_map *map;
    struct slg_transport_client *clients[SLG_MAP_NODE_COUNT_MAX];
};

enum slg_status slg_peers_create(struct slg_map *map, const struct slg_transport_tls *tls,
                                 size_t in_flight_max, struct slg_peers **ret_peers,
                                 struct slg_error *reterr)
{
    struct slg_peers *peers = calloc(1, sizeof(*peers));
    enum slg_status status = SLG_OK;

    if (peers == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the connections to storers");
    peers->map = slg_map_ref(map);
    for (size_t i = 0; i < map->node_count && status == SLG_OK; i++) {
        struct slg_transport_client_options options = { .url = map->nodes[i].address,
                                                        .tls = *tls,
                                                        .in_flight_max = in_flight_max };

        if (map->nodes[i].state != SLG_NODE_REMOVED)
            status = slg_transport_client_start(&options, &peers->clients[i], reterr);
    }
    if (status != SLG_OK) {
        slg_peers_destroy(peers);
        return status;
    }
    *ret_peers = peers;
    return SLG_OK;
}

void slg_peers_destroy(struct slg_peers *peers)
{
    if (peers == NULL)
        return;
    for (size_t i = 0; i < peers->map->node_count; i++)
        slg_transport_client_stop(peers->clients[i]);
    slg_map_unref(peers->map);
    free(peers);
}

const struct slg_map *slg_peers_map(const struct slg_peers *peers)
{
    return peers->map;
}

struct slg_transport_client *slg_peers_client(const struct slg_peers *peers, size_t node_index)
{
    return peers->clients[node_index];
}
