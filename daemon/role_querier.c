#include "daemon/role.h"

static size_t size_of(const struct slg_parts *parts, const char *key)
{
    return (size_t)slg_conf_number(parts->conf, "%s", key);
}

static struct slg_querier_limits read_limits(const struct slg_parts *parts)
{
    struct slg_querier_limits limits = slg_querier_limits_default();
    int64_t range_max = slg_conf_number(parts->conf, "querier.limits.range_max");

    limits.query_timeout_ms =
        (int32_t)(slg_conf_number(parts->conf, "querier.limits.timeout") / SLG_NS_PER_MS);
    limits.entries_max = (uint64_t)slg_conf_number(parts->conf, "querier.limits.lines_max");
    limits.series_max = size_of(parts, "querier.limits.series_max");
    limits.query_length_max_ns = range_max; /* forever is INT64_MAX: no range is longer */
    limits.memory_bytes_max = size_of(parts, "querier.limits.memory_max");
    limits.bytes_scan_max = (uint64_t)slg_conf_number(parts->conf, "querier.limits.bytes_max");
    limits.concurrent_max = size_of(parts, "querier.limits.concurrent_max");
    limits.parallel_max = size_of(parts, "querier.limits.parallel_max");
    limits.waiting_max = size_of(parts, "querier.limits.queue_max");
    limits.connection_count_max = size_of(parts, "querier.http.connections_max");
    limits.tails_max = size_of(parts, "querier.limits.tails_max");
    limits.tail_time_max_ns = slg_conf_number(parts->conf, "querier.limits.tail_time_max");
    limits.tail_pong_timeout_ms =
        slg_conf_number(parts->conf, "querier.limits.tail_pong_timeout") / SLG_NS_PER_MS;
    return limits;
}

enum slg_status slg_parts_start_querier(struct slg_parts *parts, struct slg_error *reterr)
{
    struct slg_querier_options options = {
        .map = parts->map,
        .tls = slg_parts_tls(parts),
        .http = { .listen = slg_conf_text(parts->conf, "querier.http.listen"),
                  .tls_cert_file = slg_parts_path(parts, "querier.http.tls_cert"),
                  .tls_key_file = slg_parts_path(parts, "querier.http.tls_key") },
        .limits = read_limits(parts),
        .partial_warn = strcmp(slg_conf_text(parts->conf, "querier.partial"), "warn") == 0,
        .retention_ns = parts->map->retention_ns,
        .registry = parts->registry,
        .revision = SLG_VERSION,
    };
    enum slg_status status = slg_parts_texts(parts, "querier.http.allow", &options.http.allow,
                                             &options.http.allow_count, reterr);

    if (status == SLG_OK)
        status = slg_parts_secrets(parts, "querier.http.tokens", &options.http.tokens,
                                   &options.http.token_count, reterr);
    if (status == SLG_OK)
        status = slg_querier_start(&options, &parts->querier, reterr);
    return status;
}
