/* Concurrency: `peers` does not change but for `silences`, which are atomics. */
#include "querier/peers.h"

#include <stdatomic.h>

#include "base/clock.h"

struct slg_peers {
    struct slg_map *map;
    struct slg_transport_client *clients[SLG_MAP_NODE_COUNT_MAX];
    _Atomic int64_t *silences; /* by node: when it was last found silent; 0: never */
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
    peers->silences = calloc(SLG_MAP_NODE_COUNT_MAX, sizeof(*peers->silences));
    if (peers->silences == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the connections to storers");
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
    free(peers->silences);
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

bool slg_peers_silent(const struct slg_peers *peers, size_t node_index)
{
    const struct slg_transport_client *client = peers->clients[node_index];
    int64_t silence_ns = atomic_load(&peers->silences[node_index]);

    return silence_ns != 0 && client != NULL &&
           slg_transport_client_heard_mono_ns(client) <= silence_ns;
}

void slg_peers_note_silent(const struct slg_peers *peers, size_t node_index)
{
    /* Not said twice: a reply that came since the first time would seem older than the silence. */
    if (!slg_peers_silent(peers, node_index))
        atomic_store(&peers->silences[node_index], slg_clock_mono_ns(slg_clock_system()));
}
