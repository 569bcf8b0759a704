#include "storer/storer.h"

#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"
#include "base/queue.h"
#include "storer/catalogue_damage.h"
#include "storer/catalogue_forget.h"
#include "storer/catalogue_storage.h"
#include "storer/retention.h"
#include "storer/scrub.h"
#include "storer/serve.h"

/* Concurrency: the struct is made by start, constant afterwards, and taken apart by stop. Housekeeping owns the
 * storage record and retention. Everything else has its own module. */

#define DEFAULT_CALL_COUNT              ((size_t)256)
#define DEFAULT_MAP_BYTES               ((size_t)16 << 30)
#define DEFAULT_RESERVE_BYTES           ((uint64_t)2 << 30)
#define DEFAULT_COMMIT_BYTES            ((size_t)4 << 20)
#define DEFAULT_COMMIT_NS               (5 * SLG_NS_PER_MS)
#define DEFAULT_LANE_COUNT              ((size_t)2)
#define DEFAULT_OPEN_SHARDS             ((size_t)256)
#define DEFAULT_SHARD_IDLE_NS           (600 * SLG_NS_PER_SEC)
#define DEFAULT_QUERY_COUNT             ((size_t)256)
#define DEFAULT_QUERY_IDLE_NS           (60 * SLG_NS_PER_SEC)
#define DEFAULT_REPAIR_BYTES_PER_SECOND ((uint64_t)64 << 20)
#define DEFAULT_SCRUB_INTERVAL_NS       (INT64_C(30) * 86400 * SLG_NS_PER_SEC)
#define DEFAULT_SCRUB_BYTES_PER_SECOND  ((uint64_t)8 << 20)
#define DEFAULT_QUARANTINE_KEEP_NS      (INT64_C(7) * 86400 * SLG_NS_PER_SEC)
#define DEFAULT_QUARANTINE_BYTES        ((uint64_t)8 << 30)
#define PEER_IN_FLIGHT_MAX              ((size_t)8)
#define DEFAULT_CONNECTION_COUNT        ((size_t)64)
#define DEFAULT_BODY_BYTES              ((size_t)64 * 1024)
#define DEFAULT_HTTP_IDLE_MS            60000

#define COMMIT_WAITING_MAX ((size_t)1024)     /* batches in hand; the listeners allow fewer */
#define VIEW_BYTES_MAX     ((size_t)16 << 20) /* decoded batches of one query: about 20 of 256 KiB */
#define STATUS_BYTES_MAX   ((size_t)64 << 20)

#define TICK_NS     SLG_NS_PER_SEC
#define LONELY_NS   (3600 * SLG_NS_PER_SEC) /* without a word of any peer */
#define TICKS_CLOSE 10                      /* between two looks for idle shards */
#define TICKS_COUNTER                                                                              \
    5 /* between two raises of the storage counter: as often as peers are greeted */
#define TICKS_RETENTION 60 /* between two rounds of retention */

struct slg_storer {
    struct slg_storer_options options;
    struct slg_metric_table *metrics;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
    struct slg_age age; /* the time of retention */
    int64_t start_mono_ns;
    struct slg_peer_links *links; /* NULL, as repair and ensure: no other storers */
    struct slg_repair *repair;
    struct slg_ensure *ensure;
    struct slg_scrub *scrub;
    struct slg_serve *serve;
    struct slg_transport_server *listeners[SLG_STORER_LISTEN_COUNT_MAX];
    struct slg_http_server *http;
    struct slg_queue *wake; /* closed to end housekeeping */
    pthread_t housekeeper;
    bool housekeeping;
    uint64_t counted; /* batches stored when the counter was last raised */
};

/* ---- requests ---- */

static void send_reply(void *ctx, const void *reply, size_t len)
{
    slg_transport_call_reply(ctx, reply, len);
}

static void take_call(void *ctx, struct slg_transport_call *call, const uint8_t *request,
                      size_t request_len)
{
    struct slg_storer *storer = ctx;

    slg_serve_request(storer->serve, request, request_len, send_reply, call);
}

static enum slg_member_state storage_state(const struct slg_storer *storer)
{
    return storer->links == NULL ? SLG_MEMBER_WHOLE : slg_peer_links_state(storer->links);
}

static void answer_ready(void *ctx, struct slg_http_request *request)
{
    const struct slg_storer *storer = ctx;
    enum slg_member_state state = storage_state(storer);
    const char *text = "ready";

    if (slg_commit_read_only(storer->commit))
        text = "ready (read-only: storer.disk_reserve reached)";
    else if (state == SLG_MEMBER_JOINING)
        text = "ready (joining: other storers have not answered yet)";
    else if (state == SLG_MEMBER_CLASH)
        text = "ready (clash: a copied data directory, nothing is stored)";
    slg_http_answer_text(request, 200, text);
}

static void answer_metrics(void *ctx, struct slg_http_request *request)
{
    struct slg_storer *storer = ctx;

    slg_http_answer_metrics(request, storer->options.metrics);
}

static void answer_status(void *ctx, struct slg_http_request *request)
{
    struct slg_storer *storer = ctx;
    struct slg_error err;
    struct slg_buf out;

    slg_buf_init(&out, STATUS_BYTES_MAX);
    if (slg_serve_status(storer->serve, STATUS_BYTES_MAX - 65536, &out, &err) == SLG_OK)
        slg_http_answer(request, 200, "application/json", out.data, out.len);
    else
        slg_http_answer_text(request, 500, err.message);
    slg_buf_fini(&out);
}

static void answer_cluster(void *ctx, struct slg_http_request *request)
{
    struct slg_storer *storer = ctx;

    slg_survey_answer(storer->options.survey, request);
}

static const struct slg_http_route routes[] = {
    { "/ready", SLG_HTTP_GET, answer_ready, .open = true },
    { "/metrics", SLG_HTTP_GET, answer_metrics, .open = false },
    { "/admin/status", SLG_HTTP_GET, answer_status, .open = false },
    { "/admin/cluster", SLG_HTTP_GET, answer_cluster, .open = false },
};

/* ---- housekeeping ---- */

static void refresh_gauges(void *arg)
{
    struct slg_storer *storer = arg;
    struct slg_catalogue_counts shards = slg_catalogue_count(storer->catalogue);
    struct slg_scrub_progress scrub;

    slg_scrub_progress(storer->scrub, &scrub);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_scrub_running, 0, scrub.running);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_scrub_done_bytes, 0,
                            (int64_t)scrub.done_bytes);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_scrub_pass_bytes, 0,
                            (int64_t)scrub.total_bytes);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_doubtful_shards, 0,
                            (int64_t)slg_catalogue_doubtful_count(storer->catalogue));
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_quarantined_shards, 0,
                            (int64_t)shards.quarantined_count);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_sessions, 0,
                            (int64_t)slg_serve_query_count(storer->serve));
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_shards, 0, (int64_t)shards.shard_count);
    slg_metric_gauge_shared(storer->metrics, METRIC_storer_open_shards, 0,
                            (int64_t)shards.open_count);
    for (size_t i = 0; i < slg_storer_metric_states.count; i++)
        slg_metric_gauge_shared(storer->metrics, METRIC_storer_storage_state, i,
                                storage_state(storer) == (enum slg_member_state)i);
}

/* The counter tells peers that a snapshot of the disk was rolled back (H6): it grows while something is stored. Only a
 * whole storage raises it; before that peers compare it with what they remember. */
static void raise_counter(struct slg_storer *storer)
{
    struct slg_storage storage = *slg_catalogue_storage(storer->catalogue);
    uint64_t stored = slg_commit_stored_count(storer->commit), floor = 0;
    struct slg_error err;

    if (storer->links != NULL) {
        if (slg_peer_links_state(storer->links) != SLG_MEMBER_WHOLE)
            return;
        floor = slg_peer_links_counter_floor(storer->links);
    }
    if (stored == storer->counted && (floor == 0 || storage.counter > floor))
        return;
    if (storage.counter < floor)
        storage.counter = floor;
    storage.counter++;
    if (slg_catalogue_store_storage(storer->catalogue, &storage, &err) == SLG_OK)
        storer->counted = stored;
    else if (!slg_commit_read_only(storer->commit)) /* with a full disk this is no news */
        slg_log_failure(SLG_LOG_WARN, "could not raise the storage counter", &err);
}

/* The own clock alone is believed only when nobody else could be asked for long. */
static bool may_forget(const struct slg_storer *storer)
{
    return storer->links == NULL || atomic_load(&storer->age.heard) ||
           slg_clock_mono_ns(slg_clock_system()) - storer->start_mono_ns >= LONELY_NS;
}

static void forget(struct slg_storer *storer)
{
    const struct slg_retention retention = { .catalogue = storer->catalogue,
                                             .map = storer->options.map,
                                             .metrics = storer->metrics,
                                             .bytes_max = storer->options.retention_bytes_max,
                                             .data_dir = storer->options.data_dir,
                                             .quarantine_keep_ns =
                                                 storer->options.quarantine_keep_ns,
                                             .quarantine_bytes_max =
                                                 storer->options.quarantine_bytes_max };
    struct slg_error err;
    size_t forgotten;

    if (!may_forget(storer))
        return;
    if (slg_retention_run(&retention, slg_clock_wall_ns(&storer->age.clock), &forgotten, &err) !=
        SLG_OK)
        slg_log_failure(SLG_LOG_ERROR, "could not forget old shards", &err);
}

static void *keep_house(void *arg)
{
    struct slg_storer *storer = arg;
    struct slg_clock *system = slg_clock_system();
    uint64_t tick = 0;
    void *item;

    slg_catalogue_sweep(storer->catalogue);
    while (slg_queue_pop(storer->wake, slg_clock_mono_ns(system) + TICK_NS, &item) == SLG_TIMEOUT) {
        slg_serve_expire(storer->serve, slg_clock_mono_ns(system));
        slg_commit_check_disk(storer->commit);
        if (tick % TICKS_CLOSE == 0)
            slg_catalogue_close_idle(storer->catalogue, slg_clock_mono_ns(system),
                                     storer->options.shard_idle_ns);
        if (tick % TICKS_RETENTION == 0)
            forget(storer);
        if (tick % TICKS_COUNTER == 0)
            raise_counter(storer);
        tick++;
    }
    return NULL;
}

/* ---- start ---- */

static size_t core_count(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        return 1;
    return (size_t)cores > SLG_SERVE_WORKER_COUNT_MAX ? SLG_SERVE_WORKER_COUNT_MAX : (size_t)cores;
}

/* GNU's x ?: y is not ISO C. */
#define DEFAULT(field, value)                                                                      \
    do {                                                                                           \
        if ((field) == 0)                                                                          \
            (field) = (value);                                                                     \
    } while (0)

static void set_defaults(struct slg_storer_options *options)
{
    if (options->clock == NULL)
        options->clock = slg_clock_system();
    DEFAULT(options->call_count_max, DEFAULT_CALL_COUNT);
    DEFAULT(options->map_bytes_max, DEFAULT_MAP_BYTES);
    DEFAULT(options->disk_reserve_bytes, DEFAULT_RESERVE_BYTES);
    DEFAULT(options->commit_bytes, DEFAULT_COMMIT_BYTES);
    DEFAULT(options->commit_ns, DEFAULT_COMMIT_NS);
    DEFAULT(options->commit_lane_count, DEFAULT_LANE_COUNT);
    DEFAULT(options->open_shards_max, DEFAULT_OPEN_SHARDS);
    DEFAULT(options->shard_idle_ns, DEFAULT_SHARD_IDLE_NS);
    DEFAULT(options->worker_count, core_count());
    DEFAULT(options->query_count_max, DEFAULT_QUERY_COUNT);
    DEFAULT(options->query_idle_ns, DEFAULT_QUERY_IDLE_NS);
    DEFAULT(options->repair_bytes_per_second, DEFAULT_REPAIR_BYTES_PER_SECOND);
    DEFAULT(options->scrub_interval_ns, DEFAULT_SCRUB_INTERVAL_NS);
    DEFAULT(options->scrub_bytes_per_second, DEFAULT_SCRUB_BYTES_PER_SECOND);
    DEFAULT(options->quarantine_keep_ns, DEFAULT_QUARANTINE_KEEP_NS);
    DEFAULT(options->quarantine_bytes_max, DEFAULT_QUARANTINE_BYTES);
    DEFAULT(options->http.connection_count_max, DEFAULT_CONNECTION_COUNT);
    DEFAULT(options->http.body_bytes_max, DEFAULT_BODY_BYTES);
    DEFAULT(options->http.idle_timeout_ms, DEFAULT_HTTP_IDLE_MS);
}

static bool map_has_node(const struct slg_map *map, const char *node_id)
{
    for (size_t i = 0; i < map->node_count; i++)
        if (strcmp(map->nodes[i].id, node_id) == 0)
            return true;
    return false;
}

static enum slg_status open_data(struct slg_storer *storer, struct slg_error *reterr)
{
    const struct slg_storer_options *options = &storer->options;
    const struct slg_catalogue_options catalogue = { .data_dir = options->data_dir,
                                                     .map_bytes = options->map_bytes_max,
                                                     .open_count_max = options->open_shards_max,
                                                     .clock = options->clock };
    struct slg_commit_options commit = { .map = options->map,
                                         .node_id = options->node_id,
                                         .data_dir = options->data_dir,
                                         .clock = options->clock,
                                         .age = &storer->age,
                                         .lane_count = options->commit_lane_count,
                                         .waiting_max = COMMIT_WAITING_MAX,
                                         .group_bytes = options->commit_bytes,
                                         .commit_ns = options->commit_ns,
                                         .disk_reserve_bytes = options->disk_reserve_bytes };
    enum slg_status status = slg_catalogue_create(&catalogue, &storer->catalogue, reterr);

    if (status != SLG_OK)
        return status;
    commit.catalogue = storer->catalogue;
    commit.metrics = storer->metrics;
    return slg_commit_start(&commit, &storer->commit, reterr);
}

static bool has_peers(const struct slg_map *map)
{
    size_t live = 0;

    for (size_t i = 0; i < map->node_count; i++)
        live += map->nodes[i].state != SLG_NODE_REMOVED;
    return live > 1;
}

static enum slg_status start_repair(struct slg_storer *storer, struct slg_error *reterr)
{
    const struct slg_storer_options *options = &storer->options;
    const struct slg_peer_links_options links = { .map = options->map,
                                                  .node_id = options->node_id,
                                                  .data_dir = options->data_dir,
                                                  .catalogue = storer->catalogue,
                                                  .age = &storer->age,
                                                  .tls = options->tls,
                                                  .in_flight_max = PEER_IN_FLIGHT_MAX };
    struct slg_repair_options repair = { .catalogue = storer->catalogue,
                                         .commit = storer->commit,
                                         .map = options->map,
                                         .node_id = options->node_id,
                                         .clock = &storer->age.clock,
                                         .metrics = storer->metrics,
                                         .rounds = !options->repair_off,
                                         .bytes_per_second = options->repair_bytes_per_second };
    struct slg_ensure_options ensure = { .catalogue = storer->catalogue,
                                         .commit = storer->commit,
                                         .map = options->map };
    enum slg_status status;

    if (!has_peers(options->map))
        return SLG_OK;
    status = slg_peer_links_create(&links, &storer->links, reterr);
    repair.links = ensure.links = storer->links;
    if (status == SLG_OK)
        status = slg_ensure_start(&ensure, &storer->ensure, reterr);
    return status == SLG_OK ? slg_repair_start(&repair, &storer->repair, reterr) : status;
}

static void hurry_repair(void *ctx)
{
    struct slg_storer *storer = ctx;

    if (storer->repair != NULL)
        slg_repair_hurry(storer->repair);
}

static enum slg_status start_scrub(struct slg_storer *storer, struct slg_error *reterr)
{
    const struct slg_storer_options *options = &storer->options;
    const struct slg_scrub_options scrub = { .catalogue = storer->catalogue,
                                             .data_dir = options->data_dir,
                                             .clock = options->clock,
                                             .metrics = storer->metrics,
                                             .commit = storer->commit,
                                             .passes = !options->scrub_off,
                                             .interval_ns = options->scrub_interval_ns,
                                             .bytes_per_second = options->scrub_bytes_per_second,
                                             .found = hurry_repair,
                                             .found_ctx = storer };

    return slg_scrub_start(&scrub, &storer->scrub, reterr);
}

static enum slg_status start_serving(struct slg_storer *storer, struct slg_error *reterr)
{
    const struct slg_storer_options *options = &storer->options;
    const struct slg_serve_options serve = { .catalogue = storer->catalogue,
                                             .commit = storer->commit,
                                             .links = storer->links,
                                             .repair = storer->repair,
                                             .ensure = storer->ensure,
                                             .scrub = storer->scrub,
                                             .map = options->map,
                                             .node_id = options->node_id,
                                             .data_dir = options->data_dir,
                                             .clock = &storer->age.clock,
                                             .metrics = storer->metrics,
                                             .insecure = options->insecure,
                                             .disk_reserve_bytes = options->disk_reserve_bytes,
                                             .worker_count = options->worker_count,
                                             .session_count_max = options->query_count_max,
                                             .session_idle_ns = options->query_idle_ns,
                                             .view_bytes_max = VIEW_BYTES_MAX };

    return slg_serve_start(&serve, &storer->serve, reterr);
}

static enum slg_status listen_all(struct slg_storer *storer, struct slg_error *reterr)
{
    struct slg_http_server_options http = storer->options.http;
    enum slg_status status = SLG_OK;

    for (size_t i = 0; status == SLG_OK && i < storer->options.listen_count; i++) {
        const struct slg_transport_server_options options = {
            .url = storer->options.listen_urls[i],
            .tls = storer->options.tls,
            .call_count_max = storer->options.call_count_max,
            .handler = take_call,
            .handler_ctx = storer,
        };

        status = slg_transport_server_start(&options, &storer->listeners[i], reterr);
    }
    if (status != SLG_OK || http.listen == NULL)
        return status;
    http.routes = routes;
    http.route_count = SLG_ARRAY_LEN(routes);
    http.handler_ctx = storer;
    return slg_http_server_start(&http, &storer->http, reterr);
}

static enum slg_status start_housekeeping(struct slg_storer *storer, struct slg_error *reterr)
{
    if (slg_queue_create(1, &storer->wake) != SLG_OK)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for housekeeping");
    if (pthread_create(&storer->housekeeper, NULL, keep_house, storer) != 0)
        return slg_errorf(reterr, SLG_IO, "could not start the housekeeping thread");
    storer->housekeeping = true;
    return SLG_OK;
}

enum slg_status slg_storer_create(const struct slg_storer_options *options,
                                  struct slg_storer **ret_storer, struct slg_error *reterr)
{
    struct slg_storer *storer;

    SLG_ASSERT(options->listen_count <= SLG_STORER_LISTEN_COUNT_MAX);
    if (!map_has_node(options->map, options->node_id))
        return slg_error_hintf(reterr, SLG_INVALID, "set node.id to an id of the map",
                               "the map has no node \"%s\"", options->node_id);
    storer = calloc(1, sizeof(*storer));
    if (storer == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a storer");
    storer->options = *options;
    set_defaults(&storer->options);
    slg_age_init(&storer->age, storer->options.clock);
    storer->start_mono_ns = slg_clock_mono_ns(slg_clock_system());
    storer->metrics = slg_storer_metrics_register(options->metrics);
    if (storer->metrics == NULL) {
        free(storer);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for metrics");
    }
    storer->options.map = slg_map_ref(options->map);
    *ret_storer = storer;
    return SLG_OK;
}

void slg_storer_destroy(struct slg_storer *storer)
{
    if (storer == NULL)
        return;
    SLG_ASSERT(storer->catalogue == NULL);
    slg_map_unref(storer->options.map);
    free(storer);
}

/* The shards that this storer will hold when the data is as old as it may get, at today's layout. */
static void warn_of_many_shards(const struct slg_map *map)
{
    const struct slg_map_layout *layout = &map->layouts[map->layout_count - 1];
    uint64_t windows = (uint64_t)(map->retention_ns / layout->window_length_ns) + 1;
    uint64_t count = windows * layout->slot_count * layout->replication / map->node_count;

    if (count > SLG_QUERY_SHARD_COUNT_MAX)
        slg_log_warn("window, slots and retention make more shards a storer than are held well: "
                     "choose longer windows, fewer slots or a shorter retention shards=%" PRIu64
                     " well=%zu at_most=%zu",
                     count, SLG_QUERY_SHARD_COUNT_MAX, SLG_CATALOGUE_SHARD_COUNT_MAX);
}

enum slg_status slg_storer_start(struct slg_storer *storer, struct slg_error *reterr)
{
    enum slg_status status = open_data(storer, reterr);

    if (status == SLG_OK)
        status = start_repair(storer, reterr);
    if (status == SLG_OK)
        status = start_scrub(storer, reterr);
    if (status == SLG_OK)
        status = start_serving(storer, reterr);
    if (status == SLG_OK) {
        slg_metric_on_write(storer->metrics, refresh_gauges, storer);
        status = start_housekeeping(storer, reterr);
    }
    if (status == SLG_OK) /* last: from here on requests come */
        status = listen_all(storer, reterr);
    if (status != SLG_OK) {
        slg_storer_stop(storer);
        return status;
    }
    warn_of_many_shards(storer->options.map);
    slg_log_info("storer started node=%s data_dir=%s shards=%zu read_only=%s",
                 storer->options.node_id, storer->options.data_dir,
                 slg_catalogue_count(storer->catalogue).shard_count,
                 slg_storer_read_only(storer) ? "true" : "false");
    return SLG_OK;
}

/* Reverse of the start. Batches in hand are committed and answered before the listeners go. */
void slg_storer_stop(struct slg_storer *storer)
{
    if (storer == NULL)
        return;
    slg_http_server_stop(storer->http);
    storer->http = NULL;
    for (size_t i = 0; i < SLG_STORER_LISTEN_COUNT_MAX; i++)
        slg_transport_server_stop(storer->listeners[i]);
    if (storer->wake != NULL)
        slg_queue_close(storer->wake);
    if (storer->housekeeping && pthread_join(storer->housekeeper, NULL) != 0)
        slg_log_error("the housekeeping thread could not be joined");
    storer->housekeeping = false;
    slg_queue_destroy(storer->wake);
    storer->wake = NULL;
    slg_metric_on_write(storer->metrics, NULL, NULL);
    slg_serve_stop(storer->serve);
    slg_scrub_stop(storer->scrub); /* it hurries repair */
    storer->scrub = NULL;
    slg_ensure_stop(storer->ensure); /* it commits, and answers what is in hand */
    storer->ensure = NULL;
    slg_repair_stop(storer->repair); /* it commits */
    storer->repair = NULL;
    slg_peer_links_destroy(storer->links);
    storer->links = NULL;
    slg_commit_stop(storer->commit);
    storer->commit = NULL;
    for (size_t i = 0; i < SLG_STORER_LISTEN_COUNT_MAX; i++) {
        slg_transport_server_destroy(storer->listeners[i]);
        storer->listeners[i] = NULL;
    }
    slg_serve_destroy(storer->serve);
    storer->serve = NULL;
    slg_catalogue_destroy(storer->catalogue);
    storer->catalogue = NULL;
}

const char *slg_storer_url(const struct slg_storer *storer, size_t listen_index)
{
    SLG_ASSERT(listen_index < storer->options.listen_count);
    return slg_transport_server_url(storer->listeners[listen_index]);
}

const char *slg_storer_http_address(const struct slg_storer *storer)
{
    return storer->http == NULL ? NULL : slg_http_server_address(storer->http);
}

bool slg_storer_read_only(const struct slg_storer *storer)
{
    return slg_commit_read_only(storer->commit);
}
