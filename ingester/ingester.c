/* Concurrency
 *   everything but the below   the thread that creates, starts and stops
 *   loss, marker               the housekeeping thread; after its end the stopping thread
 *   exported                   /metrics: under the registry's lock (slg_metric_on_write)
 *   stopping                   a queue that is closed: the housekeeping thread waits on it */
#include "ingester/ingester.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/queue.h"
#include "ingester/loss.h"
#include "ingester/marker.h"

#define HOUSEKEEPING_NS  SLG_NS_PER_SEC
#define STATUS_BYTES_MAX ((size_t)256 * 1024)
#define NAME_BYTES_MAX   ((size_t)80)
/* Shares of the stop time: intake may use the first half to find room. */
#define SEAL_SHARE       2
#define LOSS_LOOK_NS     (20 * SLG_NS_PER_MS)
#define MARKER_NS        (10 * SLG_NS_PER_SEC)
/* An entry may have waited so long, besides the linger, before its batch was submitted. */
#define MARKER_SLACK_NS  SLG_NS_PER_SEC

struct slg_ingester {
    struct slg_ingester_options options;
    struct slg_clock *clock;
    struct slg_map *map;
    struct slg_metric_table *metrics;
    struct slg_account *account;
    struct slg_listener *listeners[SLG_LISTENER_COUNT_MAX];
    size_t listener_count;
    struct slg_forward *forward;
    struct slg_receive *receive;
    struct slg_tcp *tcp;
    struct slg_tcp *relp;
    struct slg_push_http *push;
    struct slg_http_server *http;
    struct slg_loss *loss;
    struct slg_marker *marker; /* NULL: none */
    bool marker_failed;        /* said so in the log */
    bool untold;               /* the marker has an unclean end to tell of */
    int64_t marked_mono_ns;
    struct slg_queue *stopping;
    pthread_t housekeeper;
    bool housekeeping;
    bool forwarding;
    _Atomic(struct slg_map *) loss_map_next;
    struct slg_account_totals exported;
};

void slg_ingester_options_init(struct slg_ingester_options *options)
{
    *options = (struct slg_ingester_options){
        .clock = slg_clock_system(),
        .udp_thread_count = 1,
        .tcp_connection_count_max = SLG_TCP_CONNECTION_COUNT_DEFAULT,
        .tcp_idle_timeout_ns = SLG_TCP_IDLE_NS_DEFAULT,
        .http_connection_count_max = 256,
        .http_body_bytes_max = SLG_PUSH_BODY_BYTES_MAX,
        .memory_bytes_max = SLG_FORWARD_MEMORY_DEFAULT,
        .in_flight_per_storer = SLG_FORWARD_IN_FLIGHT,
        .send_timeout_ms = SLG_FORWARD_TIMEOUT_MS,
        .builders_max = SLG_BATCHER_BUILDERS_DEFAULT,
        .new_shards_max = SLG_BATCHER_NEW_SHARDS_DEFAULT,
        .push_windows_max = SLG_PUSH_WINDOWS_DEFAULT,
        .line_bytes_max = SLG_SYSLOG_BYTES_MAX,
        .linger_ns_max = SLG_BATCHER_LINGER_NS_DEFAULT,
        .max_future_ns = SLG_PUSH_MAX_FUTURE_NS,
    };
    slg_push_options_init(&options->push);
}

/* Listeners of the account: those of the settings, pushes, and what cannot be told apart. */
static size_t push_listener(const struct slg_ingester *g)
{
    return g->listener_count;
}

static size_t mixed_listener(const struct slg_ingester *g)
{
    return g->listener_count + 1;
}

/* ---- metrics ---- */

static enum slg_ingester_source source_of(const struct slg_ingester *g, size_t listener)
{
    if (listener >= g->listener_count)
        return SLG_INGESTER_PUSH;
    switch (slg_listener_kind(g->listeners[listener])) {
    case SLG_LISTENER_UDP:
        return SLG_INGESTER_UDP;
    case SLG_LISTENER_TCP:
        return SLG_INGESTER_TCP;
    case SLG_LISTENER_RELP:
        return SLG_INGESTER_RELP;
    }
    return SLG_INGESTER_PUSH;
}

/* Bring the exported ledger up to one reading of the account. */
static void export_ledger(struct slg_ingester *g)
{
    struct slg_account_totals now;
    struct slg_account_totals *old = &g->exported;

    slg_account_read(g->account, &now);
    for (size_t i = 0; i < slg_account_listener_count(g->account); i++)
        slg_metric_add_shared(g->metrics, METRIC_ingester_received_entries_total,
                              (size_t)source_of(g, i), now.received_by[i] - old->received_by[i]);
    for (size_t i = 0; i < SLG_DROP_REASON_COUNT; i++)
        slg_metric_add_shared(g->metrics, METRIC_ingester_dropped_entries_total, i,
                              now.dropped_by[i] - old->dropped_by[i]);
    slg_metric_add_shared(g->metrics, METRIC_ingester_accepted_entries_total, 0,
                          now.accepted - old->accepted);
    slg_metric_add_shared(g->metrics, METRIC_ingester_abandoned_entries_total, 0,
                          now.abandoned - old->abandoned);
    slg_metric_gauge_shared(g->metrics, METRIC_ingester_in_flight_entries, 0,
                            (int64_t)now.in_flight);
    *old = now;
}

static void refresh_metrics(void *arg)
{
    struct slg_ingester *g = arg;

    export_ledger(g);
    slg_metric_gauge_shared(g->metrics, METRIC_ingester_batches_in_flight, 0,
                            (int64_t)slg_forward_batch_count(g->forward));
    slg_metric_gauge_shared(g->metrics, METRIC_ingester_storers_ready, 0,
                            (int64_t)slg_forward_ready_count(g->forward));
    if (g->receive != NULL)
        slg_metric_gauge_shared(g->metrics, METRIC_ingester_udp_buffer_bytes, 0,
                                slg_receive_buffer_bytes(g->receive));
}

/* ---- HTTP ---- */

static void serve_push(void *ctx, struct slg_http_request *request)
{
    struct slg_ingester *g = ctx;

    slg_push_http_handle(g->push, request);
}

static void serve_ready(void *ctx, struct slg_http_request *request)
{
    if (slg_ingester_ready(ctx))
        slg_http_answer_text(request, 200, "ready");
    else
        slg_http_answer_text(request, 503, "no storer has answered yet");
}

static void serve_metrics(void *ctx, struct slg_http_request *request)
{
    struct slg_ingester *g = ctx;

    slg_http_answer_metrics(request, g->options.metrics);
}

static void serve_status(void *ctx, struct slg_http_request *request)
{
    struct slg_buf out;

    slg_buf_init(&out, STATUS_BYTES_MAX);
    slg_ingester_status(ctx, &out);
    if (slg_buf_failed(&out))
        slg_http_answer_text(request, 500, "no memory for the status");
    else
        slg_http_answer(request, 200, "application/json; charset=utf-8", out.data, out.len);
    slg_buf_fini(&out);
}

static void serve_cluster(void *ctx, struct slg_http_request *request)
{
    struct slg_ingester *g = ctx;

    slg_survey_answer(g->options.survey, request);
}

static const struct slg_http_route routes[] = {
    { "/loki/api/v1/push", SLG_HTTP_POST, serve_push, false },
    { "/ready", SLG_HTTP_GET, serve_ready, true },
    { "/metrics", SLG_HTTP_GET, serve_metrics, false },
    { "/admin/status", SLG_HTTP_GET, serve_status, false },
    { "/admin/cluster", SLG_HTTP_GET, serve_cluster, false },
};

static enum slg_status start_http(struct slg_ingester *g, struct slg_error *reterr)
{
    const struct slg_http_server_options options = {
        .listen = g->options.http_listen,
        .routes = routes,
        .route_count = SLG_ARRAY_LEN(routes),
        .handler_ctx = g,
        .connection_count_max = g->options.http_connection_count_max,
        .body_bytes_max = g->options.http_body_bytes_max,
        .idle_timeout_ms = 60000,
        .allow = g->options.http_allow,
        .allow_count = g->options.http_allow_count,
        .tokens = g->options.http_tokens,
        .token_count = g->options.http_token_count,
        .tls_cert_file = g->options.http_tls_cert_file,
        .tls_key_file = g->options.http_tls_key_file,
    };

    if (options.listen == NULL)
        return SLG_OK;
    return slg_http_server_start(&options, &g->http, reterr);
}

/* ---- the marker of the run ---- */

/* Without it everything works, but the next start could not know of an unclean end of this one. */
static void open_marker(struct slg_ingester *g)
{
    struct slg_error error;
    int64_t from_ns;

    if (g->options.marker_path == NULL) {
        slg_log_info("without a data directory an unclean end of this ingester will not be told");
        return;
    }
    if (slg_marker_open(g->options.marker_path, slg_clock_wall_ns(g->clock), &g->marker, &from_ns,
                        &error) != SLG_OK) {
        slg_log_failure(SLG_LOG_WARN, "an unclean end of this ingester will not be told", &error);
        return;
    }
    g->marked_mono_ns = slg_clock_mono_ns(g->clock);
    if (from_ns == 0)
        return;
    g->untold = true;
    slg_loss_add_unknown(g->loss, from_ns);
    slg_metric_add_shared(g->metrics, METRIC_ingester_unclean_ends_total, 0, 1);
    slg_log_warn("the last run did not end cleanly: what it had in flight may be lost "
                 "since_ns=%" PRId64,
                 from_ns);
}

/* Since when entries may be unsettled, so that the interval told after an unclean end is narrow. */
static void keep_marker(struct slg_ingester *g)
{
    int64_t now = slg_clock_mono_ns(g->clock);
    int64_t oldest = slg_forward_oldest_mono_ns(g->forward);
    enum slg_status status = SLG_OK;

    if (g->marker == NULL)
        return;
    if (g->untold && slg_loss_unknown_told(g->loss)) {
        g->untold = false;
        status = slg_marker_told(g->marker);
    }
    if (now - g->marked_mono_ns >= MARKER_NS) {
        g->marked_mono_ns = now;
        status = slg_marker_refresh(g->marker, slg_clock_wall_ns(g->clock) -
                                                   (oldest < now ? now - oldest : 0) -
                                                   g->options.linger_ns_max - MARKER_SLACK_NS);
    }
    if (status != SLG_OK && !g->marker_failed)
        slg_log_warn("could not write the marker of the run path=%s", g->options.marker_path);
    g->marker_failed = status != SLG_OK || g->marker_failed;
}

static void close_marker(struct slg_ingester *g, bool clean)
{
    keep_marker(g);
    slg_marker_close(g->marker, clean);
    g->marker = NULL;
}

/* ---- housekeeping ---- */

static void *keep_house(void *ctx)
{
    struct slg_ingester *g = ctx;
    void *item;

    /* Nothing is ever pushed: the wait ends with the second, or when the queue is closed. */
    while (slg_queue_pop(g->stopping, slg_clock_mono_ns(g->clock) + HOUSEKEEPING_NS, &item) ==
           SLG_TIMEOUT) {
        struct slg_map *map = atomic_exchange(&g->loss_map_next, NULL);

        if (map != NULL)
            slg_loss_set_map(g->loss, map);
        slg_map_unref(map);
        slg_loss_tick(g->loss, /* at_once= */ false);
        keep_marker(g);
        slg_metric_gauge_shared(g->metrics, METRIC_ingester_loss_unreported_entries, 0,
                                (int64_t)slg_loss_unreported(g->loss));
    }
    return NULL;
}

/* ---- create ---- */

static struct slg_batcher_options batcher_options(const struct slg_ingester *g)
{
    struct slg_batcher_options options;

    slg_batcher_options_init(&options);
    options.tenant = g->options.tenant;
    options.map = g->map;
    options.forward = g->forward;
    options.clock = g->clock;
    options.metrics = g->metrics;
    options.builders_max = g->options.builders_max;
    options.linger_ns_max = g->options.linger_ns_max;
    options.new_shards_max = g->options.new_shards_max;
    options.listener_mixed = mixed_listener(g);
    return options;
}

static enum slg_status make_account(struct slg_ingester *g, struct slg_error *reterr)
{
    char texts[SLG_ACCOUNT_LISTENER_COUNT_MAX][NAME_BYTES_MAX];
    const char *names[SLG_ACCOUNT_LISTENER_COUNT_MAX];

    static_assert(SLG_LISTENER_COUNT_MAX + 2 <= SLG_ACCOUNT_LISTENER_COUNT_MAX,
                  "every listener needs its column");
    for (size_t i = 0; i < g->listener_count; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%s %s",
                       slg_listener_kind_text(slg_listener_kind(g->listeners[i])),
                       slg_listener_address(g->listeners[i]));
        names[i] = texts[i];
    }
    names[push_listener(g)] = "push";
    names[mixed_listener(g)] = "several";
    if (slg_account_create(names, g->listener_count + 2, &g->account) != SLG_OK)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the account");
    return SLG_OK;
}

static enum slg_status make_forward(struct slg_ingester *g, struct slg_error *reterr)
{
    const struct slg_forward_options options = {
        .map = g->map,
        .node_id = g->options.node_id,
        .tls = g->options.tls,
        .memory_bytes_max = g->options.memory_bytes_max,
        .in_flight_per_storer = g->options.in_flight_per_storer,
        .timeout_ms = g->options.send_timeout_ms,
        .account = g->account,
        .metrics = g->metrics,
        .clock = g->clock,
        .map_stale = g->options.map_stale,
        .map_stale_ctx = g->options.map_stale_ctx,
    };

    return slg_forward_create(&options, &g->forward, reterr);
}

static enum slg_status make_loss(struct slg_ingester *g, struct slg_error *reterr)
{
    const struct slg_loss_options options = {
        .batcher = batcher_options(g),
        .account = g->account,
        .metrics = g->metrics,
        .node_id = g->options.node_id,
    };

    return slg_loss_create(&options, &g->loss, reterr);
}

static enum slg_status make_parts(struct slg_ingester *g, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    if (g->options.listener_count > SLG_LISTENER_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "more than %zu syslog listeners",
                          SLG_LISTENER_COUNT_MAX);
    for (size_t i = 0; i < g->options.listener_count && status == SLG_OK; i++) {
        status = slg_listener_create(&g->options.listeners[i], i, &g->listeners[i], reterr);
        if (status == SLG_OK)
            g->listener_count++;
    }
    g->metrics = slg_ingester_metrics_register(g->options.metrics);
    if (status == SLG_OK && (g->metrics == NULL || slg_queue_create(1, &g->stopping) != SLG_OK))
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the ingester");
    if (status == SLG_OK)
        status = make_account(g, reterr);
    if (status == SLG_OK)
        status = make_forward(g, reterr);
    if (status == SLG_OK)
        status = make_loss(g, reterr);
    return status;
}

enum slg_status slg_ingester_create(const struct slg_ingester_options *options,
                                    struct slg_ingester **ret_ingester, struct slg_error *reterr)
{
    struct slg_ingester *g = calloc(1, sizeof(*g));
    enum slg_status status;

    if (g == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the ingester");
    g->options = *options;
    g->clock = options->clock;
    g->map = slg_map_ref(options->map);
    status = make_parts(g, reterr);
    if (status != SLG_OK) {
        slg_ingester_destroy(g);
        return status;
    }
    slg_metric_on_write(g->metrics, refresh_metrics, g);
    *ret_ingester = g;
    return SLG_OK;
}

void slg_ingester_destroy(struct slg_ingester *g)
{
    if (g == NULL)
        return;
    if (g->metrics != NULL)
        slg_metric_on_write(g->metrics, NULL, NULL);
    slg_push_http_destroy(g->push);
    slg_tcp_destroy(g->relp);
    slg_tcp_destroy(g->tcp);
    slg_receive_destroy(g->receive);
    slg_marker_close(g->marker, /* clean= */ false);
    slg_loss_destroy(g->loss);
    slg_forward_destroy(g->forward);
    slg_account_destroy(g->account);
    for (size_t i = 0; i < g->listener_count; i++)
        slg_listener_destroy(g->listeners[i]);
    slg_queue_destroy(g->stopping);
    slg_map_unref(atomic_exchange(&g->loss_map_next, NULL));
    slg_map_unref(g->map);
    free(g);
}

/* ---- start and stop ---- */

static struct slg_lane_options lane_options(const struct slg_ingester *g)
{
    return (struct slg_lane_options){
        .batcher = batcher_options(g),
        .account = g->account,
        .metrics = g->metrics,
    };
}

static bool has_kind(const struct slg_ingester *g, enum slg_listener_kind kind)
{
    for (size_t i = 0; i < g->listener_count; i++)
        if (slg_listener_kind(g->listeners[i]) == kind)
            return true;
    return false;
}

static enum slg_status start_udp(struct slg_ingester *g, struct slg_error *reterr)
{
    struct slg_receive_options options = {
        .listeners = g->listeners,
        .listener_count = g->listener_count,
        .thread_count = g->options.udp_thread_count,
        .lane = lane_options(g),
    };

    options.lane.batcher.idle_gap_ns = SLG_RECEIVE_IDLE_GAP_NS;
    if (!has_kind(g, SLG_LISTENER_UDP))
        return SLG_OK;
    return slg_receive_start(&options, &g->receive, reterr);
}

/* One thread for the listeners of the kind, if there are any. */
static enum slg_status start_tcp(struct slg_ingester *g, bool relp, struct slg_tcp **ret_tcp,
                                 struct slg_error *reterr)
{
    struct slg_tcp_options options = {
        .relp = relp,
        .listeners = g->listeners,
        .listener_count = g->listener_count,
        .connection_count_max = g->options.tcp_connection_count_max,
        .idle_timeout_ns = g->options.tcp_idle_timeout_ns,
        .line_bytes_max = g->options.line_bytes_max,
        .lane = lane_options(g),
    };

    /* A RELP sender that has its window out waits for the end of this batch; others go on sending. */
    options.lane.batcher.idle_gap_ns = relp ? 0 : SLG_RECEIVE_IDLE_GAP_NS;
    if (!has_kind(g, relp ? SLG_LISTENER_RELP : SLG_LISTENER_TCP))
        return SLG_OK;
    return slg_tcp_start(&options, ret_tcp, reterr);
}

static enum slg_status start_push(struct slg_ingester *g, struct slg_error *reterr)
{
    struct slg_push_http_options options = {
        .batcher = batcher_options(g),
        .account = g->account,
        .metrics = g->metrics,
        .listener = push_listener(g),
        .windows_max = g->options.push_windows_max,
        .wait_ns = SLG_PUSH_WAIT_NS,
        .max_future_ns = g->options.max_future_ns,
        .push = g->options.push,
    };

    options.push.tenant = g->options.tenant;
    options.batcher.recheck_ns = SLG_NS_PER_MS; /* somebody waits for the answer */
    if (g->options.http_listen == NULL)
        return SLG_OK;
    return slg_push_http_start(&options, &g->push, reterr);
}

enum slg_status slg_ingester_start(struct slg_ingester *g, struct slg_error *reterr)
{
    enum slg_status status;

    open_marker(g);
    status = slg_forward_start(g->forward, reterr);
    g->forwarding = status == SLG_OK;
    if (status == SLG_OK)
        status = start_udp(g, reterr);
    if (status == SLG_OK)
        status = start_tcp(g, /* relp= */ false, &g->tcp, reterr);
    if (status == SLG_OK)
        status = start_tcp(g, /* relp= */ true, &g->relp, reterr);
    if (status == SLG_OK)
        status = start_push(g, reterr);
    if (status == SLG_OK)
        status = start_http(g, reterr);
    if (status == SLG_OK && pthread_create(&g->housekeeper, NULL, keep_house, g) != 0)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "could not start the housekeeping thread");
    g->housekeeping = status == SLG_OK;
    return status;
}

/* A last report of losses, as long as storers take it. */
static void report_losses(struct slg_ingester *g, int64_t deadline_mono_ns)
{
    for (;;) {
        int64_t now = slg_clock_mono_ns(g->clock);
        int64_t slice = now + LOSS_LOOK_NS;

        slg_loss_tick(g->loss, /* at_once= */ true);
        if (!slg_loss_busy(g->loss) || now >= deadline_mono_ns)
            return;
        slg_loss_wait(g->loss, slice < deadline_mono_ns ? slice : deadline_mono_ns);
    }
}

static void stop_intake(struct slg_ingester *g, int64_t deadline_mono_ns)
{
    if (g->receive != NULL)
        slg_receive_stop(g->receive, deadline_mono_ns);
    if (g->tcp != NULL)
        slg_tcp_stop(g->tcp, deadline_mono_ns);
    if (g->relp != NULL)
        slg_tcp_stop(g->relp, deadline_mono_ns);
    if (g->push != NULL)
        slg_push_http_stop(g->push, deadline_mono_ns);
}

void slg_ingester_stop(struct slg_ingester *g, uint64_t *ret_left)
{
    int64_t now = slg_clock_mono_ns(g->clock);
    int64_t deadline = now + SLG_INGESTER_STOP_NS;
    struct slg_account_totals totals;
    uint64_t left = 0;

    stop_intake(g, now + SLG_INGESTER_STOP_NS / SEAL_SHARE);
    slg_queue_close(g->stopping);
    if (g->housekeeping)
        SLG_ASSERT(pthread_join(g->housekeeper, NULL) == 0);
    g->housekeeping = false;
    if (g->forwarding) {
        report_losses(g, deadline);
        slg_forward_stop(g->forward, deadline, &left);
    }
    g->forwarding = false;
    slg_loss_look(g->loss); /* what the stop itself has dropped */
    close_marker(g, left == 0 && slg_loss_unreported(g->loss) == 0);
    slg_http_server_stop(g->http); /* handlers have their answers now */
    g->http = NULL;
    slg_account_read(g->account, &totals);
    *ret_left = totals.abandoned + totals.dropped_by[SLG_DROP_STOP];
    slg_log_info("ingester stopped received=%" PRIu64 " accepted=%" PRIu64 " dropped=%" PRIu64
                 " abandoned=%" PRIu64 " in_flight=%" PRIu64 " loss_unreported=%" PRIu64,
                 totals.received, totals.accepted, totals.dropped, totals.abandoned,
                 totals.in_flight, slg_loss_unreported(g->loss));
}

/* ---- for others ---- */

void slg_ingester_set_map(struct slg_ingester *g, struct slg_map *map)
{
    slg_forward_set_map(g->forward, map);
    if (g->receive != NULL)
        slg_receive_set_map(g->receive, map);
    if (g->tcp != NULL)
        slg_tcp_set_map(g->tcp, map);
    if (g->relp != NULL)
        slg_tcp_set_map(g->relp, map);
    if (g->push != NULL)
        slg_push_http_set_map(g->push, map);
    slg_map_unref(atomic_exchange(&g->loss_map_next, slg_map_ref(map)));
}

bool slg_ingester_ready(struct slg_ingester *g)
{
    return slg_forward_ready_count(g->forward) > 0;
}

void slg_ingester_totals(struct slg_ingester *g, struct slg_account_totals *ret_totals)
{
    slg_account_read(g->account, ret_totals);
}

const char *slg_ingester_http_address(const struct slg_ingester *g)
{
    return g->http != NULL ? slg_http_server_address(g->http) : NULL;
}

const char *slg_ingester_listener_address(const struct slg_ingester *g, size_t index)
{
    SLG_ASSERT(index < g->listener_count);
    return slg_listener_address(g->listeners[index]);
}

void slg_ingester_status(struct slg_ingester *g, struct slg_buf *out)
{
    struct slg_account_totals totals;

    slg_account_read(g->account, &totals);
    slg_buf_append_text(out, "{\"node\":");
    slg_buf_append_json_text(out, g->options.node_id);
    slg_buf_printf(out,
                   ",\"ready\":%s,\"received\":%" PRIu64 ",\"accepted\":%" PRIu64
                   ",\"dropped\":%" PRIu64 ",\"abandoned\":%" PRIu64 ",\"in_flight\":%" PRIu64,
                   slg_ingester_ready(g) ? "true" : "false", totals.received, totals.accepted,
                   totals.dropped, totals.abandoned, totals.in_flight);
    slg_buf_append_text(out, ",\"dropped_by\":{");
    for (size_t i = 0; i < SLG_DROP_REASON_COUNT; i++)
        slg_buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                       slg_drop_reason_text((enum slg_drop_reason)i), totals.dropped_by[i]);
    slg_buf_append_text(out, "},\"listeners\":[");
    for (size_t i = 0; i < g->listener_count; i++) {
        slg_buf_append_text(out, i > 0 ? ",{\"address\":" : "{\"address\":");
        slg_buf_append_json_text(out, slg_account_listener(g->account, i));
        slg_buf_printf(out, ",\"insecure\":%s,\"received\":%" PRIu64 "}",
                       slg_listener_insecure(g->listeners[i]) ? "true" : "false",
                       totals.received_by[i]);
    }
    slg_buf_printf(out,
                   "],\"push_received\":%" PRIu64 ",\"udp_buffer_bytes\":%d"
                   ",\"batches_in_flight\":%zu,\"storers_ready\":%zu}\n",
                   totals.received_by[push_listener(g)],
                   g->receive != NULL ? slg_receive_buffer_bytes(g->receive) : 0,
                   slg_forward_batch_count(g->forward), slg_forward_ready_count(g->forward));
}
