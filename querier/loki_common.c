/* What every handler of the Loki API needs: parameters, cancellation, errors. */
#include "querier/querier_private.h"

#include "base/clock.h"
#include "base/hash.h"
#include "logql/syntax/print.h"
#include "querier/params.h"

struct api_client slg_api_client(struct slg_querier *querier, struct slg_http_request *request)
{
    return (struct api_client){ .querier = querier,
                                .request = request,
                                .started_mono_ns = slg_clock_mono_ns(slg_clock_system()) };
}

static int64_t deadline_of(const struct api_client *client)
{
    return client->started_mono_ns +
           client->querier->options.limits.query_timeout_ms * SLG_NS_PER_MS;
}

bool slg_api_canceled(void *api_client)
{
    const struct api_client *client = api_client;

    return atomic_load(&client->querier->stopping) || slg_http_client_gone(client->request);
}

/* Fairness is per person where Grafana tells who asks, else per address. */
struct slg_gate_job slg_api_job(const struct slg_http_request *request, enum slg_gate_lane lane)
{
    const char *user = slg_http_header(request, "X-Grafana-User");
    const char *peer = slg_http_peer(request);
    uint64_t hash = slg_hash_xxh3(peer, strlen(peer));

    return (struct slg_gate_job){
        .lane = lane,
        .address_hash = hash,
        .client_hash = user == NULL ? hash : slg_hash_xxh3_seeded(user, strlen(user), hash),
    };
}

static unsigned code_of(enum slg_status status)
{
    switch (status) {
    case SLG_INVALID:
    case SLG_UNSUPPORTED:
    case SLG_LIMIT:
        return 400;
    case SLG_NOT_FOUND:
        return 404;
    case SLG_AGAIN:
        return 429;
    case SLG_CANCELED:
        return 499;
    case SLG_UNAVAILABLE:
        return 503;
    case SLG_TIMEOUT:
        return 504;
    case SLG_OK:
    case SLG_MALFORMED:
    case SLG_CORRUPT:
    case SLG_NO_MEMORY:
    case SLG_IO:
        return 500;
    }
    return 500;
}

void slg_api_print_texts(struct slg_buf *out, const struct slg_text *texts, size_t count)
{
    slg_buf_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            slg_buf_append_byte(out, ',');
        slg_buf_append_json(out, texts[i].at, texts[i].len);
    }
    slg_buf_append_byte(out, ']');
}

enum slg_querier_outcome slg_api_outcome(enum slg_status status)
{
    switch (code_of(status)) {
    case 400:
        return status == SLG_LIMIT ? QUERIER_OUTCOME_LIMIT : QUERIER_OUTCOME_BAD_REQUEST;
    case 429:
        return QUERIER_OUTCOME_REFUSED;
    case 499:
        return QUERIER_OUTCOME_CANCELED;
    case 503:
        return QUERIER_OUTCOME_UNAVAILABLE;
    case 504:
        return QUERIER_OUTCOME_TIMEOUT;
    default:
        return status == SLG_OK ? QUERIER_OUTCOME_OK : QUERIER_OUTCOME_FAILED;
    }
}

void slg_api_fail(struct slg_http_request *request, const struct slg_error *error,
                  const char *full_text)
{
    char text[sizeof(error->message) + sizeof(error->hint) + 4];

    if (full_text != NULL && full_text[0] != '\0') {
        slg_http_answer_text(request, code_of(error->status), full_text);
        return;
    }
    if (error->status == SLG_AGAIN)
        slg_http_answer_header(request, "Retry-After", "1");
    (void)snprintf(text, sizeof(text), "%s%s%s", error->message, error->hint[0] == '\0' ? "" : "; ",
                   error->hint); /* sized for both */
    slg_http_answer_text(request, code_of(error->status), text);
}

static enum slg_status named_time(const struct slg_http_request *request, const char *name,
                                  int64_t fallback, int64_t *ret_ts_ns, struct slg_error *reterr)
{
    struct slg_text text;
    enum slg_status status;

    *ret_ts_ns = fallback;
    if (!slg_http_param(request, name, &text) || text.len == 0)
        return SLG_OK;
    status = slg_params_time(text, ret_ts_ns, reterr);
    if (status != SLG_OK)
        return slg_error_context(reterr, "could not parse '%s' parameter", name);
    *ret_ts_ns = slg_params_bounded_time(*ret_ts_ns);
    return SLG_OK;
}

enum slg_status slg_api_range(const struct slg_http_request *request, int64_t *ret_start_ns,
                              int64_t *ret_end_ns, struct slg_error *reterr)
{
    int64_t now = slg_clock_wall_ns(slg_clock_system());
    int64_t since_ns = INT64_C(3600) * SLG_NS_PER_SEC;
    int64_t start_ns, end_ns, newest;
    struct slg_text since;
    enum slg_status status = named_time(request, "end", now, &end_ns, reterr);

    if (status != SLG_OK)
        return status;
    if (slg_http_param(request, "since", &since) && since.len > 0 &&
        slg_params_duration(since, &since_ns, reterr) != SLG_OK)
        return slg_error_context(reterr, "could not parse 'since' parameter");
    newest = end_ns < now ? end_ns : now; /* an end in the future does not move the start there */
    if (__builtin_sub_overflow(newest, since_ns, &start_ns)) /* since is not negative */
        start_ns = SLG_PARAMS_TIME_MIN;
    status = named_time(request, "start", slg_params_bounded_time(start_ns), &start_ns, reterr);
    if (status != SLG_OK)
        return status;
    *ret_start_ns = start_ns;
    *ret_end_ns = end_ns;
    return SLG_OK;
}

enum slg_status slg_api_limit(const struct slg_http_request *request, const char *name,
                              uint64_t fallback, uint64_t *ret_limit, struct slg_error *reterr)
{
    struct slg_text text;
    enum slg_status status;
    int64_t limit;

    *ret_limit = fallback;
    if (!slg_http_param(request, name, &text) || text.len == 0)
        return SLG_OK;
    status = slg_params_int(text, &limit, reterr);
    if (status != SLG_OK)
        return status;
    if (limit > UINT32_MAX)
        return slg_errorf(reterr, SLG_INVALID, "limit value %lld is out of range [0, 4294967295]",
                          (long long)limit);
    if (limit <= 0)
        return slg_errorf(reterr, SLG_INVALID, "limit must be a positive value");
    *ret_limit = (uint64_t)limit;
    return SLG_OK;
}

enum slg_status slg_api_step(const struct slg_http_request *request, int64_t start_ns,
                             int64_t end_ns, int64_t *ret_step_ns, struct slg_error *reterr)
{
    struct slg_text text;

    *ret_step_ns = slg_params_default_step(start_ns, end_ns);
    if (!slg_http_param(request, "step", &text) || text.len == 0)
        return SLG_OK;
    if (slg_params_step(text, ret_step_ns, reterr) != SLG_OK)
        return SLG_INVALID;
    if (*ret_step_ns > SLG_PARAMS_STEP_MAX) /* the same steps: there is one in any range */
        *ret_step_ns = SLG_PARAMS_STEP_MAX;
    return SLG_OK;
}

enum slg_status slg_api_direction(const struct slg_http_request *request,
                                  enum slg_direction *ret_direction, struct slg_error *reterr)
{
    struct slg_text text;

    *ret_direction = SLG_BACKWARD;
    if (!slg_http_param(request, "direction", &text) || text.len == 0)
        return SLG_OK;
    return slg_params_direction(text, ret_direction, reterr);
}

/* Insert into a sorted list unless it is there. */
static size_t add_flag(struct slg_text *flags, size_t count, struct slg_text flag)
{
    size_t at = count;

    while (at > 0 && slg_text_compare(flags[at - 1], flag) > 0)
        at--;
    if (at > 0 && slg_text_equal(flags[at - 1], flag))
        return count;
    memmove(&flags[at + 1], &flags[at], (count - at) * sizeof(flags[0]));
    flags[at] = flag;
    return count + 1;
}

struct slg_text slg_api_flags(const struct slg_http_request *request, char out[SLG_API_FLAGS_BYTES],
                              bool *ret_categorize)
{
    const char *header = slg_http_header(request, "X-Loki-Response-Encoding-Flags");
    struct slg_text flags[SLG_API_FLAGS_BYTES];
    size_t count = 0, used = 0, left, len;

    *ret_categorize = false;
    if (header == NULL || header[0] == '\0')
        return slg_text_make(out, 0);
    for (left = strnlen(header, SLG_API_FLAGS_BYTES - 1);; left -= len + 1, header += len + 1) {
        const char *comma = memchr(header, ',', left);

        len = comma == NULL ? left : (size_t)(comma - header);
        count = add_flag(flags, count, slg_text_make(header, len));
        if (comma == NULL)
            break;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            out[used++] = ',';
        memcpy(out + used, flags[i].at, flags[i].len);
        used += flags[i].len;
        *ret_categorize = *ret_categorize || slg_text_equal_to(flags[i], "categorize-labels");
    }
    return slg_text_make(out, used);
}

enum slg_status slg_api_check_order(int64_t start_ns, int64_t end_ns, struct slg_error *reterr)
{
    if (end_ns >= start_ns)
        return SLG_OK;
    return slg_errorf(reterr, SLG_INVALID,
                      "end timestamp must not be before or equal to start time");
}

static enum slg_status read_interval(const struct slg_http_request *request, int64_t *ret_ns,
                                     struct slg_error *reterr)
{
    struct slg_text text;
    enum slg_status status;

    *ret_ns = 0;
    if (!slg_http_param(request, "interval", &text) || text.len == 0)
        return SLG_OK;
    status = slg_params_step(text, ret_ns, reterr);
    if (status == SLG_OK && *ret_ns < 0)
        return slg_errorf(reterr, SLG_INVALID, "interval must be >= 0");
    return status;
}

enum slg_status slg_api_resolution(const struct slg_http_request *request, int64_t start_ns,
                                   int64_t end_ns, int64_t *ret_step_ns, int64_t *ret_interval_ns,
                                   struct slg_error *reterr)
{
    enum slg_status status = slg_api_step(request, start_ns, end_ns, ret_step_ns, reterr);

    if (status != SLG_OK)
        return status;
    if (*ret_step_ns <= 0)
        return slg_errorf(reterr, SLG_INVALID,
                          "zero or negative query resolution step widths are not accepted. "
                          "Try a positive integer");
    if ((end_ns - start_ns) / *ret_step_ns > SLG_QUERY_STEP_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "exceeded maximum resolution of 11,000 points per time series. Try "
                          "increasing the value of the step parameter");
    return ret_interval_ns == NULL ? SLG_OK : read_interval(request, ret_interval_ns, reterr);
}

enum slg_status slg_api_fanout(struct api_client *client, struct slg_fanout **ret_fanout,
                               struct slg_error *reterr)
{
    struct slg_querier *querier = client->querier;
    struct slg_fanout_options options = {
        .peers = querier->peers,
        .tenant = slg_text_of(QUERIER_TENANT),
        .deadline_mono_ns = deadline_of(client),
        .now_wall_ns = slg_clock_wall_ns(slg_clock_system()),
        .memory_bytes_max = querier->options.limits.memory_bytes_max,
        .parallel_max = querier->options.limits.parallel_max,
        .canceled = slg_api_canceled,
        .canceled_arg = client,
        .pace = &querier->pace,
        .metrics = querier->metrics,
    };

    return slg_fanout_create(&options, ret_fanout, reterr);
}

enum slg_status slg_api_check_range(const struct slg_querier_limits *limits,
                                    const struct slg_query_params *params, struct slg_error *reterr)
{
    int64_t length_ns;
    struct slg_buf text;

    if (slg_api_check_order(params->start_ns, params->end_ns, reterr) != SLG_OK)
        return SLG_INVALID;
    if (!__builtin_sub_overflow(params->end_ns, params->start_ns, &length_ns) &&
        length_ns <= limits->query_length_max_ns)
        return SLG_OK;
    slg_buf_init(&text, 256);
    slg_logql_print_go_duration(&text, length_ns);
    slg_buf_append_text(&text, ", limit: ");
    slg_logql_print_prom_duration(&text, limits->query_length_max_ns);
    (void)slg_errorf(reterr, SLG_LIMIT,
                     "the query time range exceeds the limit (query length: %.*s)", (int)text.len,
                     (const char *)text.data);
    slg_buf_fini(&text);
    return SLG_LIMIT;
}

enum slg_status slg_api_check_entries(const struct slg_querier_limits *limits, uint64_t limit,
                                      struct slg_error *reterr)
{
    if (limit <= limits->entries_max)
        return SLG_OK;
    return slg_errorf(reterr, SLG_LIMIT,
                      "max entries limit per query exceeded, limit > "
                      "max_entries_limit_per_query (%llu > %llu)",
                      (unsigned long long)limit, (unsigned long long)limits->entries_max);
}

enum slg_status slg_api_enter(struct api_client *client, enum slg_gate_lane lane,
                              struct slg_error *reterr)
{
    struct slg_querier *querier = client->querier;
    enum slg_status status;

    client->place = slg_api_job(client->request, lane);
    if (lane == SLG_GATE_LONG)
        client->place.bytes = querier->options.limits.memory_bytes_max;
    status = slg_gate_enter(querier->gate, &client->place, deadline_of(client), slg_api_canceled,
                            client);
    if (status == SLG_AGAIN)
        return slg_errorf(reterr, SLG_AGAIN, "%zu queries wait already: try again later",
                          querier->options.limits.waiting_max);
    if (status == SLG_TIMEOUT)
        return slg_errorf(reterr, SLG_TIMEOUT, "query timed out in the queue");
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the client has gone");
    return SLG_OK;
}

static enum slg_status keep(struct slg_gate *gate, struct slg_gate_job *job, size_t bytes,
                            struct slg_error *reterr)
{
    if (slg_gate_keep(gate, job, bytes) == SLG_OK)
        return SLG_OK;
    return slg_errorf(reterr, SLG_AGAIN,
                      "answers to this client that it has not read yet hold too much memory: "
                      "try again later");
}

enum slg_status slg_api_keep(struct api_client *client, size_t bytes, struct slg_error *reterr)
{
    return keep(client->querier->gate, &client->place, bytes, reterr);
}

void slg_api_leave(struct api_client *client)
{
    slg_gate_leave(client->querier->gate, &client->place);
}

/* ---- answers that lie in one piece ---- */

#define JSON              "application/json; charset=UTF-8"
/* Smaller ones are not worth counting: a connection has as much in any case. */
#define COUNTED_BYTES_MIN ((size_t)65536)

struct text_answer {
    struct slg_gate *gate;
    struct slg_gate_job job;
    struct slg_buf json;
    size_t sent;
};

static enum slg_status pull_text(void *arg, struct slg_buf *out)
{
    struct text_answer *answer = arg;
    size_t left = answer->json.len - answer->sent;
    size_t len = left < COUNTED_BYTES_MIN ? left : COUNTED_BYTES_MIN;

    slg_buf_append(out, answer->json.data + answer->sent, len);
    answer->sent += len;
    if (slg_buf_failed(out))
        return SLG_NO_MEMORY;
    return len < left ? SLG_OK : SLG_NOT_FOUND;
}

static void free_text(void *arg)
{
    struct text_answer *answer = arg;

    slg_gate_leave(answer->gate, &answer->job);
    slg_buf_fini(&answer->json);
    free(answer);
}

enum slg_status slg_api_answer(const struct api_client *client, struct slg_buf *json,
                               struct slg_error *reterr)
{
    struct text_answer *answer;
    enum slg_status status;

    if (json->len < COUNTED_BYTES_MIN) {
        slg_http_answer(client->request, 200, JSON, json->data, json->len);
        return SLG_OK;
    }
    answer = calloc(1, sizeof(*answer));
    if (answer == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the answer");
    slg_buf_trim(json);
    answer->gate = client->querier->gate;
    answer->job = slg_api_job(client->request, SLG_GATE_SHORT);
    status = keep(answer->gate, &answer->job, json->capacity, reterr);
    if (status != SLG_OK) {
        free(answer);
        return status;
    }
    answer->json = *json;
    *json = (struct slg_buf){ .bytes_max = json->bytes_max };
    slg_http_answer_stream(client->request, 200, JSON, pull_text, free_text, answer);
    return SLG_OK;
}
