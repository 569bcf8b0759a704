#include "daemon/role.h"

#define INPROC_URL "inproc://silage-storer"

static size_t size_of(const struct slg_parts *parts, const char *key)
{
    return (size_t)slg_conf_number(parts->conf, "%s", key);
}

/* `all` speaks inproc unless its map names another address for the node: then it listens there too. */
static enum slg_status listen_urls(struct slg_parts *parts, const char *const **ret_urls,
                                   size_t *ret_count, struct slg_error *reterr)
{
    const char **urls = slg_arena_calloc(parts->arena, 2, sizeof(*urls));
    const char *listen = slg_conf_text(parts->conf, "transport.listen");
    const char *scheme = slg_parts_path(parts, "transport.tls.cert") == NULL ? "tcp" : "tls+tcp";
    size_t count = 0;

    if (urls == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the storer's settings");
    if (parts->role == SLG_ROLE_ALL)
        urls[count++] = INPROC_URL;
    if (parts->role != SLG_ROLE_ALL || slg_conf_given(parts->conf, "transport.listen")) {
        urls[count] = slg_arena_printf(parts->arena, "%s://%s", scheme, listen);
        if (urls[count++] == NULL)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the storer's settings");
    }
    *ret_urls = urls;
    *ret_count = count;
    return SLG_OK;
}

static void read_limits(const struct slg_parts *parts, struct slg_storer_options *options)
{
    options->map_bytes_max = size_of(parts, "storer.map_bytes_max");
    options->disk_reserve_bytes = (uint64_t)slg_conf_number(parts->conf, "storer.disk_reserve");
    options->commit_ns = slg_conf_number(parts->conf, "storer.commit_ms");
    options->commit_bytes = size_of(parts, "storer.commit_bytes");
    options->open_shards_max = size_of(parts, "storer.open_shards_max");
    options->shard_idle_ns = slg_conf_number(parts->conf, "storer.shard_idle");
    options->repair_off = !slg_conf_bool(parts->conf, "storer.repair.enabled");
    options->repair_bytes_per_second =
        (uint64_t)slg_conf_number(parts->conf, "storer.repair.bytes_per_second");
    options->scrub_off = !slg_conf_bool(parts->conf, "storer.scrub.enabled");
    options->scrub_interval_ns = slg_conf_number(parts->conf, "storer.scrub.interval");
    options->scrub_bytes_per_second =
        (uint64_t)slg_conf_number(parts->conf, "storer.scrub.bytes_per_second");
    options->quarantine_keep_ns = slg_conf_number(parts->conf, "storer.quarantine.keep");
    options->quarantine_bytes_max =
        (uint64_t)slg_conf_number(parts->conf, "storer.quarantine.bytes_max");
    options->retention_bytes_max = (uint64_t)slg_conf_number(parts->conf, "retention.bytes_max");
}

enum slg_status slg_parts_start_storer(struct slg_parts *parts, struct slg_error *reterr)
{
    struct slg_storer_options options = {
        .node_id = parts->node_id,
        .map = parts->map,
        .clock = slg_clock_system(),
        .metrics = parts->registry,
        .tls = slg_parts_tls(parts),
        .survey = parts->survey,
        .insecure = parts->insecure,
        .http = { .listen = slg_conf_text(parts->conf, "storer.http.listen") },
    };
    enum slg_status status;

    options.data_dir =
        slg_arena_printf(parts->arena, "%s/storer", slg_conf_text(parts->conf, "node.data_dir"));
    if (options.data_dir == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the storer's settings");
    read_limits(parts, &options);
    status = listen_urls(parts, &options.listen_urls, &options.listen_count, reterr);
    if (status == SLG_OK)
        status = slg_parts_texts(parts, "storer.http.allow", &options.http.allow,
                                 &options.http.allow_count, reterr);
    if (status == SLG_OK)
        status = slg_parts_secrets(parts, "storer.http.tokens", &options.http.tokens,
                                   &options.http.token_count, reterr);
    if (status == SLG_OK)
        status = slg_storer_create(&options, &parts->storer, reterr);
    if (status == SLG_OK)
        status = slg_storer_start(parts->storer, reterr);
    return status;
}
