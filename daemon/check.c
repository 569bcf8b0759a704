#include "daemon/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cluster/map.h"

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

void slg_check_files(struct slg_conf *conf, enum slg_role role)
{
    check_map(conf, role);
}
