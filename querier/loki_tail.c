/* /loki/api/v1/tail: parameters, limits and the handshake; the tail itself is querier/tail.h. */
#include <poll.h>

#include "base/clock.h"
#include "logql/plan/query.h"
#include "proto/websocket.h"
#include "querier/params.h"
#include "querier/querier_private.h"
#include "querier/tail.h"

#define DELAY_SECONDS_MAX 5 /* Loki's maxDelayForInTailing */
#define LIMIT_DEFAULT     100
#define FIRST_LOOK_NS     (15 * SLG_NS_PER_SEC)
#define POLL_MS           100

struct wish {
    struct slg_text query;
    int64_t start_ns;
    uint64_t limit;
    int64_t delay_ns;
};

/* ---- parameters ---- */

static enum slg_status read_delay(const struct slg_http_request *request, int64_t *ret_delay_ns,
                                  struct slg_error *reterr)
{
    struct slg_text text;
    int64_t seconds = 0;

    if (slg_http_param(request, "delay_for", &text) && text.len > 0 &&
        slg_params_int(text, &seconds, reterr) != SLG_OK)
        return SLG_INVALID;
    if (seconds < 0 || seconds > DELAY_SECONDS_MAX)
        return slg_errorf(reterr, SLG_INVALID, "delay_for can't be greater than %d",
                          DELAY_SECONDS_MAX);
    *ret_delay_ns = seconds * SLG_NS_PER_SEC;
    return SLG_OK;
}

/* Does it parse, and is it one for lines? full_text gets Loki's words where they are long. */
static enum slg_status check_query(const struct slg_querier *querier, const struct wish *wish,
                                   struct slg_buf *full_text, struct slg_error *reterr)
{
    const struct slg_querier_limits *limits = &querier->options.limits;
    struct slg_query_params params = { .text = wish->query,
                                       .start_ns = 0,
                                       .end_ns = SLG_NS_PER_SEC,
                                       .step_ns = SLG_NS_PER_SEC,
                                       .direction = SLG_FORWARD,
                                       .series_max = limits->series_max,
                                       .memory_bytes_max = limits->memory_bytes_max,
                                       .leaf_memory_bytes_max = limits->memory_bytes_max,
                                       .leaf_series_max = 1,
                                       .leaf_bytes_scan_max = limits->bytes_scan_max };
    struct slg_query *query = NULL;
    enum slg_status status = slg_query_create(&params, &query, reterr);

    if (query != NULL && status != SLG_OK)
        slg_buf_append_text(full_text, slg_query_error_text(query));
    if (status == SLG_OK && !slg_query_is_log(query))
        status = slg_errorf(reterr, SLG_INVALID,
                            "a tail shows lines, not numbers: only log selector is supported");
    slg_query_destroy(query);
    return status;
}

static enum slg_status read_wish(const struct slg_querier *querier,
                                 const struct slg_http_request *request, struct wish *wish,
                                 struct slg_buf *full_text, struct slg_error *reterr)
{
    struct slg_query_params range = { .end_ns = 0 };
    int64_t now = slg_clock_wall_ns(slg_clock_system()), end_ns;
    enum slg_status status;

    if (!slg_http_param(request, "query", &wish->query))
        wish->query = slg_text_make("", 0);
    status = check_query(querier, wish, full_text, reterr);
    if (status == SLG_OK)
        status = slg_api_limit(request, "limit", LIMIT_DEFAULT, &wish->limit, reterr);
    if (status == SLG_OK)
        status = slg_api_check_entries(&querier->options.limits, wish->limit, reterr);
    if (status == SLG_OK)
        status = slg_api_range(request, &wish->start_ns, &end_ns, reterr);
    if (status == SLG_OK)
        status = read_delay(request, &wish->delay_ns, reterr);
    if (status != SLG_OK || wish->start_ns >= now) /* a start that is to come has no history */
        return status;
    range.start_ns = wish->start_ns;
    range.end_ns = now;
    return slg_api_check_range(&querier->options.limits, &range, reterr);
}

/* ---- the first picture ---- */

/* Subscribe and wait until the storers have said what they hold. */
static enum slg_status first_look(struct api_client *client, int64_t start_ns,
                                  struct slg_tail_subscription **ret_subscription,
                                  struct slg_tail_sets **ret_sets, struct slg_error *reterr)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + FIRST_LOOK_NS;
    struct slg_tail_subscription *subscription;
    enum slg_status status = slg_tail_subscribe(client->querier->tail_hub, start_ns, &subscription);

    if (status != SLG_OK)
        return slg_errorf(reterr, status == SLG_CANCELED ? SLG_UNAVAILABLE : status,
                          "the tail could not be started: try again later");
    *ret_sets = NULL;
    while (*ret_sets == NULL && status == SLG_OK) {
        struct pollfd fd = { .fd = slg_tail_subscription_fd(subscription), .events = POLLIN };

        (void)poll(&fd, 1, POLL_MS); /* what happened is looked at */
        *ret_sets = slg_tail_take(subscription, &status);
        if (*ret_sets != NULL)
            break;
        if (status != SLG_OK || slg_clock_mono_ns(slg_clock_system()) > deadline)
            status = slg_errorf(reterr, SLG_UNAVAILABLE, "no storer answered");
        else if (slg_api_canceled(client))
            status = slg_errorf(reterr, SLG_CANCELED, "the client has gone");
    }
    if (*ret_sets == NULL) {
        slg_tail_unsubscribe(subscription);
        return status;
    }
    *ret_subscription = subscription;
    return SLG_OK;
}

/* ---- the handler ---- */

static void tail_ended(void *arg)
{
    struct slg_querier *querier = arg;

    (void)atomic_fetch_sub(&querier->tail_count, 1);
}

static enum slg_status start_tail(struct api_client *client, const struct wish *wish,
                                  const char *accept, struct slg_error *reterr)
{
    struct slg_querier *querier = client->querier;
    char flags[SLG_API_FLAGS_BYTES];
    struct slg_tail_options options = {
        .peers = querier->peers,
        .limits = &querier->options.limits,
        .gate = querier->gate,
        .metrics = querier->metrics,
        .tenant = slg_text_of(QUERIER_TENANT),
        .query = wish->query,
        .place = slg_api_job(client->request, SLG_GATE_LONG),
        .start_ns = wish->start_ns,
        .limit = wish->limit,
        .delay_ns = wish->delay_ns,
        .ended = tail_ended,
        .ended_arg = querier,
    };
    enum slg_status status;
    struct slg_tail *tail;

    options.flags = slg_api_flags(client->request, flags, &options.categorize);
    status = first_look(client, wish->start_ns, &options.subscription, &options.sets, reterr);
    if (status != SLG_OK)
        return status;
    tail = slg_tail_create(&options);
    if (tail == NULL) {
        slg_tail_sets_unref(options.sets);
        slg_tail_unsubscribe(options.subscription);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the tail");
    }
    slg_http_answer_header(client->request, "Sec-WebSocket-Accept", accept);
    slg_http_answer_upgrade(client->request, "websocket", slg_tail_run, slg_tail_release, tail);
    return SLG_OK;
}

static enum slg_status check_handshake(struct slg_http_request *request,
                                       char accept[SLG_WEBSOCKET_ACCEPT_BYTES],
                                       struct slg_error *reterr)
{
    struct slg_websocket_request asked = {
        .method = slg_http_method(request),
        .upgrade = slg_http_header(request, "Upgrade"),
        .connection = slg_http_header(request, "Connection"),
        .version = slg_http_header(request, "Sec-WebSocket-Version"),
        .key = slg_http_header(request, "Sec-WebSocket-Key"),
    };

    return slg_websocket_check(&asked, accept, reterr);
}

/* A place among the tails, then the tail. */
static enum slg_status admit(struct api_client *client, const struct wish *wish, const char *accept,
                             struct slg_error *reterr)
{
    struct slg_querier *querier = client->querier;
    size_t limit = querier->options.limits.tails_max;
    size_t count = atomic_fetch_add(&querier->tail_count, 1);
    enum slg_status status;

    if (count >= limit)
        status = slg_error_hintf(reterr, SLG_AGAIN, "raise querier.limits.tails_max",
                                 "max concurrent tail requests limit exceeded, count > limit "
                                 "(%zu > %zu)",
                                 count + 1, limit);
    else
        status = start_tail(client, wish, accept, reterr);
    if (status != SLG_OK)
        tail_ended(querier);
    return status;
}

void slg_api_tail(void *ctx, struct slg_http_request *request)
{
    struct api_client client = slg_api_client(ctx, request);
    char accept[SLG_WEBSOCKET_ACCEPT_BYTES];
    struct slg_error error = { 0 };
    struct slg_buf full_text;
    bool other_version = false;
    enum slg_status status;
    struct wish wish;

    slg_buf_init(&full_text, SLG_QUERY_TEXT_BYTES_MAX);
    status = read_wish(client.querier, request, &wish, &full_text, &error);
    if (status == SLG_OK) {
        status = check_handshake(request, accept, &error);
        other_version = status == SLG_UNSUPPORTED;
    }
    if (status == SLG_OK)
        status = admit(&client, &wish, accept, &error);
    slg_metric_add_shared(client.querier->metrics, METRIC_querier_tails_total,
                          slg_api_outcome(status), 1);
    if (other_version) { /* RFC 6455 section 4.4 */
        slg_http_answer_header(request, "Sec-WebSocket-Version", "13");
        slg_http_answer_text(request, 426, error.message);
    } else if (status != SLG_OK) {
        slg_buf_append_byte(&full_text, '\0');
        error.status = status;
        slg_api_fail(request, &error,
                     slg_buf_failed(&full_text) ? NULL : (const char *)full_text.data);
    }
    slg_buf_fini(&full_text);
}
