/* Concurrency: `peers` does not change but for what `notes` points to, which are atomics. */
#include "querier/peers.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"

/* What was found out about a storer. */
struct note {
    _Atomic int64_t silent_ns; /* when it was last found silent; 0: never */
    _Atomic uint64_t greeted;  /* the connection by which it was; 0: none */
    atomic_bool refused;       /* that it is refused was told */
};

struct slg_peers {
    struct slg_map *map;
    struct slg_transport_client *clients[SLG_MAP_NODE_COUNT_MAX];
    struct note *notes; /* by node */
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
    peers->notes = calloc(SLG_MAP_NODE_COUNT_MAX, sizeof(*peers->notes));
    if (peers->notes == NULL)
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
    free(peers->notes);
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
    int64_t silence_ns = atomic_load(&peers->notes[node_index].silent_ns);

    return silence_ns != 0 && client != NULL &&
           slg_transport_client_heard_mono_ns(client) <= silence_ns;
}

void slg_peers_note_silent(const struct slg_peers *peers, size_t node_index)
{
    /* Not said twice: a reply that came since the first time would seem older than the silence. */
    if (!slg_peers_silent(peers, node_index))
        atomic_store(&peers->notes[node_index].silent_ns, slg_clock_mono_ns(slg_clock_system()));
}

bool slg_peers_greeted(const struct slg_peers *peers, size_t node_index, uint64_t connection)
{
    return atomic_load(&peers->notes[node_index].greeted) == connection;
}

void slg_peers_note_greeted(const struct slg_peers *peers, size_t node_index, uint64_t connection)
{
    atomic_store(&peers->notes[node_index].greeted, connection);
    if (atomic_exchange(&peers->notes[node_index].refused, false))
        slg_log_info("storer is no longer refused node=%s", peers->map->nodes[node_index].id);
}

void slg_peers_note_refused(const struct slg_peers *peers, size_t node_index, const char *why)
{
    if (!atomic_exchange(&peers->notes[node_index].refused, true))
        slg_log_warn("storer is refused, its answers are not used node=%s reason=%s",
                     peers->map->nodes[node_index].id, why);
}
