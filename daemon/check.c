#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/units.h"
#include "cluster/map.h"
#include "daemon/settings.h"
#include "ingester/listener.h"
#include "ingester/rules.h"
#include "proto/pem.h"

/* ---- the ingester's listeners and rules ---- */

static void check_listener(struct slg_conf *conf, size_t i)
{
    const char *allow[1] = { "127.0.0.1" }; /* whether there is one is checked elsewhere */
    struct slg_listener_options options = {
        .listen = slg_conf_text(conf, "ingester.syslog[%zu].listen", i),
        .allow = allow,
        .allow_count = 1,
        .buffer_bytes = SLG_LISTENER_BUFFER_BYTES,
    };
    const char *job = slg_conf_text(conf, "ingester.syslog[%zu].job", i);
    struct slg_listener *listener = NULL;
    struct slg_error error = { 0 };
    char key[SLG_CHECK_KEY_BYTES];

    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].job", i); /* short */
    if (strcmp(job, SLG_RESERVED_JOB) == 0)
        slg_conf_add_mistake(conf, key, "\"%s\" is Silage's own job, write another", job);
    slg_record_options_init(&options.record);
    (void)snprintf(key, sizeof(key), "ingester.syslog[%zu].listen", i); /* short */
    if (slg_listener_create(&options, i, &listener, &error) == SLG_OK)
        slg_listener_destroy(listener);
    else
        slg_conf_add_mistake(conf, key, "%s, write for example 127.0.0.1:1514", error.message);
}

/* The first rule without which there is none of this mistake is to blame. */
static void check_rules(struct slg_conf *conf)
{
    struct slg_rule rules[SLG_RULE_COUNT_MAX] = { 0 };
    struct slg_rules_options options = {
        .rules = rules,
        .label_count_max = (size_t)slg_conf_number(conf, "ingester.limits.labels_max"),
        .value_bytes_max = (size_t)slg_conf_number(conf, "ingester.limits.label_value_bytes_max"),
    };
    size_t count = slg_conf_count(conf, "ingester.labels");
    struct slg_error error = { 0 }, first = { 0 };
    struct slg_rules *compiled = NULL;
    char key[SLG_CHECK_KEY_BYTES];

    if (count > SLG_RULE_COUNT_MAX || options.label_count_max == 0 || options.value_bytes_max == 0)
        return; /* a mistake that is told already */
    for (size_t i = 0; i < count; i++) {
        struct slg_text action = slg_text_of(slg_conf_text(conf, "ingester.labels[%zu].action", i));

        if (slg_rule_action_parse(action, &rules[i].action, NULL) != SLG_OK)
            return; /* as above */
        rules[i].name = slg_text_of(slg_conf_text(conf, "ingester.labels[%zu].name", i));
        rules[i].value = slg_text_of(slg_conf_text(conf, "ingester.labels[%zu].value", i));
    }
    options.rule_count = count;
    if (slg_rules_compile(&options, &compiled, &error) == SLG_OK) {
        slg_rules_destroy(compiled);
        return;
    }
    for (options.rule_count = 1; options.rule_count < count; options.rule_count++) {
        if (slg_rules_compile(&options, &compiled, &first) == SLG_OK)
            slg_rules_destroy(compiled);
        else if (strcmp(first.message, error.message) == 0)
            break;
    }
    (void)snprintf(key, sizeof(key), "ingester.labels[%zu].name", options.rule_count - 1);
    slg_conf_add_mistake(conf, key, "%s", error.message);
}

void slg_check_ingester(struct slg_conf *conf)
{
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.syslog"); i++)
        check_listener(conf, i);
    check_rules(conf);
}

/* ---- the map file ---- */

static const char *map_path(const struct slg_conf *conf)
{
    return slg_conf_text(conf, "cluster.map") + strlen("file:");
}

/* The map decides: whoever writes another thing into the settings believes what is not so. */
static void refuse_other(struct slg_conf *conf, const char *key, const char *key_of_map,
                         const char *value_of_map)
{
    slg_conf_add_mistake(conf, key,
                         "the map file \"%s\" decides, and its %s is %s; write the same, or remove "
                         "it here",
                         map_path(conf), key_of_map, value_of_map);
}

static void check_retention(struct slg_conf *conf, const struct slg_map *map)
{
    int64_t keep = slg_conf_number(conf, "retention.default");
    char text[SLG_UNITS_TEXT_MAX], value[SLG_UNITS_TEXT_MAX + 32];

    if ((keep == SLG_CONF_FOREVER_VALUE ? 0 : keep) == map->retention_ns)
        return;
    slg_units_print_duration(map->retention_ns, text);
    (void)snprintf(value, sizeof(value), "%lld (%s)",
                   (long long)(map->retention_ns / SLG_NS_PER_SEC),
                   map->retention_ns == 0 ? "forever" : text);
    refuse_other(conf, "retention.default", "retention_seconds", value);
}

/* A map may have several layouts, of now and of later: one of them must be meant. */
static void check_layouts(struct slg_conf *conf, const struct slg_map *map)
{
    const struct slg_map_layout *last = &map->layouts[map->layout_count - 1];
    bool window = !slg_conf_given(conf, "cluster.window");
    bool slots = !slg_conf_given(conf, "cluster.slots");
    char text[32];

    for (size_t i = 0; i < map->layout_count; i++) {
        window |= map->layouts[i].window_length_ns == slg_conf_number(conf, "cluster.window");
        slots |= map->layouts[i].slot_count == slg_conf_number(conf, "cluster.slots");
    }
    (void)snprintf(text, sizeof(text), "%lld",
                   (long long)(last->window_length_ns / SLG_NS_PER_SEC));
    if (!window)
        refuse_other(conf, "cluster.window", "window_seconds", text);
    (void)snprintf(text, sizeof(text), "%u", last->slot_count);
    if (!slots)
        refuse_other(conf, "cluster.slots", "slots", text);
}

static void check_zone(struct slg_conf *conf, const struct slg_map *map)
{
    const char *id = slg_conf_text(conf, "node.id");
    const char *zone = slg_conf_text(conf, "node.zone");
    char host[256] = "", value[128];

    if (id[0] == '\0' && gethostname(host, sizeof(host) - 1) == 0)
        id = host;
    for (size_t i = 0; i < map->node_count; i++) {
        if (strcmp(map->nodes[i].id, id) != 0 || strcmp(map->nodes[i].zone, zone) == 0)
            continue;
        (void)snprintf(value, sizeof(value), "\"%.64s\" for this node", map->nodes[i].zone);
        refuse_other(conf, "node.zone", "zone", value);
    }
}

static void check_map(struct slg_conf *conf, enum slg_role role)
{
    struct slg_map *map = NULL;
    struct slg_error error = { 0 };
    char value[128];

    if (strncmp(slg_conf_text(conf, "cluster.map"), "file:", strlen("file:")) != 0)
        return;
    if (slg_map_load(map_path(conf), &map, &error) != SLG_OK) {
        slg_conf_add_mistake(conf, "cluster.map", "%s", error.message);
        return;
    }
    (void)snprintf(value, sizeof(value), "\"%.64s\"", map->cluster_id);
    if (slg_conf_given(conf, "cluster.id") &&
        strcmp(slg_conf_text(conf, "cluster.id"), map->cluster_id) != 0)
        refuse_other(conf, "cluster.id", "cluster", value);
    if (slg_conf_given(conf, "retention.default"))
        check_retention(conf, map);
    check_layouts(conf, map);
    if (slg_conf_given(conf, "node.zone") && (role == SLG_ROLE_STORER || role == SLG_ROLE_ALL))
        check_zone(conf, map);
    slg_map_unref(map);
}

/* ---- secrets and TLS ---- */

static bool has_part(enum slg_role role, enum slg_role part)
{
    return role == SLG_ROLE_ALL || role == part;
}

static void check_secrets(struct slg_conf *conf, const char *list)
{
    for (size_t i = 0; i < slg_conf_count(conf, "%s", list); i++) {
        const char *reference = slg_conf_text(conf, "%s[%zu]", list, i);
        struct slg_error error = { 0 };
        struct slg_buf secret;
        char key[SLG_CHECK_KEY_BYTES];

        if (strncmp(reference, "cred:", strlen("cred:")) == 0 &&
            getenv("CREDENTIALS_DIRECTORY") == NULL)
            continue; /* only systemd can tell */
        slg_buf_init(&secret, SLG_SECRET_BYTES_MAX);
        (void)snprintf(key, sizeof(key), "%s[%zu]", list, i); /* short names of ours */
        if (slg_secret_read(reference, &secret, &error) != SLG_OK)
            slg_conf_add_mistake(conf, key, "%s", error.message);
        if (secret.data != NULL)
            explicit_bzero(secret.data, secret.capacity);
        slg_buf_fini(&secret);
    }
}

static void check_pem(struct slg_conf *conf, const char *key)
{
    const char *path = slg_conf_text(conf, "%s", key);
    struct slg_error error = { 0 };
    char *text = NULL;

    if (path[0] == '\0')
        return;
    if (slg_pem_read(path, &text, &error) != SLG_OK) {
        slg_conf_add_mistake(conf, key, "%s", error.message);
        return;
    }
    explicit_bzero(text, strlen(text));
    free(text);
}

/* ---- listeners ---- */

struct tcp_listener {
    enum slg_role part;
    const char *key;
};

static void check_tcp_once(struct slg_conf *conf, enum slg_role role)
{
    static const struct tcp_listener listeners[] = {
        { SLG_ROLE_STORER, "storer.http.listen" },
        { SLG_ROLE_INGESTER, "ingester.http.listen" },
        { SLG_ROLE_QUERIER, "querier.http.listen" },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(listeners); i++) {
        const char *listen = slg_conf_text(conf, "%s", listeners[i].key);
        size_t len = strlen(listen);

        if (!has_part(role, listeners[i].part) || len < 2 || strcmp(listen + len - 2, ":0") == 0)
            continue; /* ports chosen by the kernel never meet */
        for (size_t k = 0; k < i; k++)
            if (has_part(role, listeners[k].part) &&
                strcmp(slg_conf_text(conf, "%s", listeners[k].key), listen) == 0)
                slg_conf_add_mistake(conf, listeners[i].key,
                                     "\"%s\" is that of %s, choose another port", listen,
                                     listeners[k].key);
        for (size_t k = 0; k < slg_conf_count(conf, "ingester.syslog"); k++)
            if (has_part(role, SLG_ROLE_INGESTER) &&
                strcmp(slg_conf_text(conf, "ingester.syslog[%zu].protocol", k), "udp") != 0 &&
                strcmp(slg_conf_text(conf, "ingester.syslog[%zu].listen", k), listen) == 0)
                slg_conf_add_mistake(conf, listeners[i].key,
                                     "\"%s\" is that of ingester.syslog[%zu], choose another port",
                                     listen, k);
    }
}

void slg_check_start(struct slg_conf *conf, enum slg_role role)
{
    static const char *const transport[] = { "transport.tls.cert", "transport.tls.key",
                                             "transport.tls.ca" };

    check_map(conf, role);
    for (size_t i = 0; i < SLG_ARRAY_LEN(transport); i++)
        check_pem(conf, transport[i]);
    if (has_part(role, SLG_ROLE_STORER))
        check_secrets(conf, "storer.http.tokens");
    if (has_part(role, SLG_ROLE_INGESTER)) {
        check_secrets(conf, "ingester.http.tokens");
        check_pem(conf, "ingester.http.tls_cert");
        check_pem(conf, "ingester.http.tls_key");
    }
    if (has_part(role, SLG_ROLE_QUERIER)) {
        check_secrets(conf, "querier.http.tokens");
        check_pem(conf, "querier.http.tls_cert");
        check_pem(conf, "querier.http.tls_key");
    }
    check_tcp_once(conf, role);
}

/* ---- what is open ---- */

static bool is_open_http(const struct slg_conf *conf, enum slg_role role, enum slg_role part,
                         const char *daemon)
{
    return has_part(role, part) &&
           !slg_settings_is_loopback(slg_conf_text(conf, "%s.http.listen", daemon)) &&
           slg_conf_count(conf, "%s.http.tokens", daemon) == 0;
}

static bool is_open_syslog(const struct slg_conf *conf, size_t i)
{
    return !slg_settings_is_loopback(slg_conf_text(conf, "ingester.syslog[%zu].listen", i)) &&
           slg_conf_count(conf, "ingester.syslog[%zu].allow", i) == 0;
}

bool slg_check_insecure(const struct slg_conf *conf, enum slg_role role, size_t n,
                        char ret_key[SLG_CHECK_KEY_BYTES])
{
    static const struct {
        enum slg_role part;
        const char *daemon;
    } https[] = { { SLG_ROLE_STORER, "storer" },
                  { SLG_ROLE_INGESTER, "ingester" },
                  { SLG_ROLE_QUERIER, "querier" } };

    if (has_part(role, SLG_ROLE_STORER) &&
        !slg_settings_is_loopback(slg_conf_text(conf, "transport.listen")) &&
        slg_conf_text(conf, "transport.tls.cert")[0] == '\0' && n-- == 0) {
        (void)snprintf(ret_key, SLG_CHECK_KEY_BYTES, "transport.listen");
        return true;
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(https); i++) {
        if (is_open_http(conf, role, https[i].part, https[i].daemon) && n-- == 0) {
            (void)snprintf(ret_key, SLG_CHECK_KEY_BYTES, "%s.http.listen", https[i].daemon);
            return true;
        }
    }
    for (size_t i = 0; i < slg_conf_count(conf, "ingester.syslog"); i++) {
        if (has_part(role, SLG_ROLE_INGESTER) && is_open_syslog(conf, i) && n-- == 0) {
            (void)snprintf(ret_key, SLG_CHECK_KEY_BYTES, "ingester.syslog[%zu].listen", i);
            return true;
        }
    }
    return false;
}
