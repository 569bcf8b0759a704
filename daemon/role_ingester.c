#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/role.h"

static struct slg_text text_of(const struct slg_parts *parts, const char *list, size_t i,
                               const char *key)
{
    return slg_text_of(slg_conf_text(parts->conf, "%s[%zu].%s", list, i, key));
}

/* ---- rules and masks ---- */

static enum slg_status make_rules(struct slg_parts *parts, struct slg_error *reterr)
{
    size_t count = slg_conf_count(parts->conf, "ingester.labels");
    struct slg_rule *rules = slg_arena_calloc(parts->arena, count + 1, sizeof(*rules));
    struct slg_rules_options options = {
        .rules = rules,
        .rule_count = count,
        .label_count_max = (size_t)slg_conf_number(parts->conf, "ingester.limits.labels_max"),
        .value_bytes_max =
            (size_t)slg_conf_number(parts->conf, "ingester.limits.label_value_bytes_max"),
    };

    if (rules == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the label rules");
    for (size_t i = 0; i < count; i++) {
        enum slg_status status = slg_rule_action_parse(
            text_of(parts, "ingester.labels", i, "action"), &rules[i].action, reterr);

        if (status != SLG_OK)
            return slg_error_context(reterr, "ingester.labels[%zu]", i);
        rules[i].name = text_of(parts, "ingester.labels", i, "name");
        rules[i].value = text_of(parts, "ingester.labels", i, "value");
    }
    if (slg_rules_compile(&options, &parts->rules, reterr) != SLG_OK)
        return slg_error_context(reterr, "ingester.labels");
    return SLG_OK;
}

/* The default masks come first; the settings add to them. */
static enum slg_status make_masks(struct slg_parts *parts, struct slg_error *reterr)
{
    size_t default_count, count = slg_conf_count(parts->conf, "ingester.masks");
    const struct slg_mask_rule *defaults = slg_masks_default(&default_count);
    struct slg_mask_rule *rules =
        slg_arena_calloc(parts->arena, default_count + count + 1, sizeof(*rules));

    if (rules == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the masks");
    for (size_t i = 0; i < default_count; i++)
        rules[i] = defaults[i];
    for (size_t i = 0; i < count; i++) {
        struct slg_text until = text_of(parts, "ingester.masks", i, "until");

        rules[default_count + i] =
            (struct slg_mask_rule){ .app = text_of(parts, "ingester.masks", i, "app"),
                                    .after = text_of(parts, "ingester.masks", i, "after"),
                                    .until = until.len == 0 ? '\0' : until.at[0] };
    }
    if (slg_masks_create(rules, default_count + count, &parts->masks, reterr) != SLG_OK)
        return slg_error_context(reterr, "ingester.masks");
    return SLG_OK;
}

/* ---- listeners ---- */

static enum slg_status make_hosts(struct slg_parts *parts, struct slg_listener_host **ret_hosts,
                                  size_t *ret_count, struct slg_error *reterr)
{
    size_t count = slg_conf_count(parts->conf, "ingester.hosts");
    struct slg_listener_host *hosts = slg_arena_calloc(parts->arena, count + 1, sizeof(*hosts));

    if (hosts == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the names of senders");
    for (size_t i = 0; i < count; i++) {
        hosts[i].address = slg_conf_text(parts->conf, "ingester.hosts[%zu].address", i);
        hosts[i].name = slg_conf_text(parts->conf, "ingester.hosts[%zu].name", i);
    }
    *ret_hosts = hosts;
    *ret_count = count;
    return SLG_OK;
}

static enum slg_docker_mode docker_mode(const char *word)
{
    if (strcmp(word, "yes") == 0)
        return SLG_DOCKER_YES;
    return strcmp(word, "no") == 0 ? SLG_DOCKER_NO : SLG_DOCKER_AUTO;
}

static enum slg_status make_record_options(struct slg_parts *parts, size_t i,
                                           struct slg_record_options *record,
                                           struct slg_error *reterr)
{
    const struct slg_conf *conf = parts->conf;
    struct slg_text zone = text_of(parts, "ingester.syslog", i, "zone_time");

    slg_record_options_init(record);
    record->tenant = slg_text_of("default");
    record->job = text_of(parts, "ingester.syslog", i, "job");
    record->rules = parts->rules;
    record->masks = parts->masks;
    record->syslog.zone_forced = slg_conf_bool(conf, "ingester.syslog[%zu].zone_forced", i);
    record->docker = docker_mode(slg_conf_text(conf, "ingester.syslog[%zu].docker", i));
    record->raw = slg_conf_bool(conf, "ingester.syslog[%zu].raw", i);
    record->use_receive_time = slg_conf_bool(conf, "ingester.syslog[%zu].receive_time", i);
    record->back_ns = slg_conf_number(conf, "ingester.believe_back");
    record->ahead_ns = slg_conf_number(conf, "ingester.believe_ahead");
    if (zone.len == 0)
        zone = slg_text_of("local");
    if (slg_zone_cache_get(parts->zones, zone, &record->syslog.zone, reterr) != SLG_OK)
        return slg_error_context(reterr, "ingester.syslog[%zu].zone_time", i);
    return SLG_OK;
}

static enum slg_status make_listener(struct slg_parts *parts, size_t i,
                                     struct slg_listener_options *listener,
                                     struct slg_error *reterr)
{
    const struct slg_conf *conf = parts->conf;
    const char *protocol = slg_conf_text(conf, "ingester.syslog[%zu].protocol", i);
    char key[64];

    listener->kind = strcmp(protocol, "tcp") == 0    ? SLG_LISTENER_TCP
                     : strcmp(protocol, "relp") == 0 ? SLG_LISTENER_RELP
                                                     : SLG_LISTENER_UDP;
    listener->listen = slg_conf_text(conf, "ingester.syslog[%zu].listen", i);
    listener->insecure = slg_conf_bool(conf, "ingester.syslog[%zu].insecure", i);
    listener->buffer_bytes = (int)slg_conf_number(conf, "ingester.syslog[%zu].rcvbuf", i);
    listener->split_lines = slg_conf_bool(conf, "ingester.syslog[%zu].split_lines", i);
    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].allow", i); /* short */
    if (slg_parts_texts(parts, key, &listener->allow, &listener->allow_count, reterr) != SLG_OK)
        return SLG_NO_MEMORY;
    return make_record_options(parts, i, &listener->record, reterr);
}

static enum slg_status make_listeners(struct slg_parts *parts, struct slg_ingester_options *options,
                                      struct slg_error *reterr)
{
    size_t count = slg_conf_count(parts->conf, "ingester.syslog"), host_count = 0;
    struct slg_listener_options *listeners =
        slg_arena_calloc(parts->arena, count + 1, sizeof(*listeners));
    struct slg_listener_host *hosts = NULL;
    enum slg_status status = make_hosts(parts, &hosts, &host_count, reterr);

    if (listeners == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the syslog listeners");
    if (count > SLG_LISTENER_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "ingester.syslog: %zu listeners, at most %zu", count,
                          SLG_LISTENER_COUNT_MAX);
    for (size_t i = 0; i < count && status == SLG_OK; i++) {
        listeners[i].hosts = hosts;
        listeners[i].host_count = host_count;
        status = make_listener(parts, i, &listeners[i], reterr);
    }
    options->listeners = listeners;
    options->listener_count = count;
    return status;
}

/* ---- the ingester ---- */

static size_t udp_thread_count(const struct slg_parts *parts)
{
    int64_t wanted = slg_conf_number(parts->conf, "ingester.udp_threads");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (wanted > 0)
        return (size_t)wanted;
    return cores < 4 ? 1 : cores < 8 ? (size_t)cores / 2 : 4;
}

static void read_limits(const struct slg_parts *parts, struct slg_ingester_options *options)
{
    const struct slg_conf *conf = parts->conf;

    options->memory_bytes_max = (size_t)slg_conf_number(conf, "ingester.limits.memory_max");
    options->builders_max = (size_t)slg_conf_number(conf, "ingester.limits.builders_max");
    options->new_shards_max =
        (unsigned)slg_conf_number(conf, "ingester.limits.new_shards_per_minute_max");
    options->push_windows_max = (size_t)slg_conf_number(conf, "ingester.limits.push_windows_max");
    options->udp_thread_count = udp_thread_count(parts);
    options->tcp_connection_count_max =
        (size_t)slg_conf_number(conf, "ingester.tcp_connections_max");
    options->tcp_idle_timeout_ns = slg_conf_number(conf, "ingester.tcp_idle_timeout");
    options->linger_ns_max = slg_conf_number(conf, "ingester.linger");
    options->max_future_ns = slg_conf_number(conf, "ingester.max_future");
    options->http_connection_count_max =
        (size_t)slg_conf_number(conf, "ingester.http.connections_max");
    options->http_body_bytes_max = (size_t)slg_conf_number(conf, "ingester.limits.push_bytes_max");
    options->push.tenant = slg_text_of("default");
    options->push.line_bytes_max = (size_t)slg_conf_number(conf, "ingester.limits.line_bytes_max");
    options->push.label_count_max = (size_t)slg_conf_number(conf, "ingester.limits.labels_max");
    options->push.raw_bytes_max = options->http_body_bytes_max;
    options->push.masks = parts->masks;
}

static enum slg_status read_http(struct slg_parts *parts, struct slg_ingester_options *options,
                                 struct slg_error *reterr)
{
    enum slg_status status = slg_parts_texts(parts, "ingester.http.allow", &options->http_allow,
                                             &options->http_allow_count, reterr);

    options->http_listen = slg_conf_text(parts->conf, "ingester.http.listen");
    options->http_tls_cert_file = slg_parts_path(parts, "ingester.http.tls_cert");
    options->http_tls_key_file = slg_parts_path(parts, "ingester.http.tls_key");
    if (status == SLG_OK)
        status = slg_parts_secrets(parts, "ingester.http.tokens", &options->http_tokens,
                                   &options->http_token_count, reterr);
    return status;
}

/* `all` has a data directory. An ingester may have one: then it is told to, or it is there. */
static enum slg_status find_marker(const struct slg_parts *parts,
                                   struct slg_ingester_options *options, struct slg_error *reterr)
{
    const char *dir = slg_conf_text(parts->conf, "node.data_dir");
    struct stat about;

    if (slg_conf_given(parts->conf, "node.data_dir") && mkdir(dir, 0750) != 0 && errno != EEXIST)
        slg_log_warn("could not make the data directory of the ingester path=%s reason=%s", dir,
                     strerror(errno));
    if (stat(dir, &about) != 0 || access(dir, W_OK) != 0)
        return SLG_OK;
    options->marker_path = slg_arena_printf(parts->arena, "%s/ingester.run", dir);
    if (options->marker_path == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the ingester's settings");
    return SLG_OK;
}

enum slg_status slg_parts_start_ingester(struct slg_parts *parts, struct slg_error *reterr)
{
    struct slg_ingester_options options;
    enum slg_status status;

    slg_ingester_options_init(&options);
    options.node_id = parts->node_id;
    options.tenant = slg_text_of("default");
    options.map = parts->map;
    options.metrics = parts->registry;
    options.clock = slg_clock_system();
    options.tls = slg_parts_tls(parts);
    options.survey = parts->survey;
    parts->zones = slg_zone_cache_create(NULL);
    status = parts->zones == NULL ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for time zones")
                                  : make_rules(parts, reterr);
    if (status == SLG_OK)
        status = make_masks(parts, reterr);
    if (status == SLG_OK)
        status = make_listeners(parts, &options, reterr);
    if (status == SLG_OK)
        status = read_http(parts, &options, reterr);
    if (status == SLG_OK)
        status = find_marker(parts, &options, reterr);
    if (status != SLG_OK)
        return status;
    read_limits(parts, &options);
    status = slg_ingester_create(&options, &parts->ingester, reterr);
    if (status == SLG_OK)
        status = slg_ingester_start(parts->ingester, reterr);
    return status;
}
