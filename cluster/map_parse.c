/* The JSON document of the cluster map: docs/FORMATS.md section 6. */
#include "base/json.h"
#include "cluster/map_private.h"

#define SECOND_NS  INT64_C(1000000000)
#define PATH_BYTES 64

/* Everything that reading one object needs: where we are, for error texts. */
struct scope {
    struct slg_map_owned *owned;
    char path[PATH_BYTES]; /* "nodes[2]" */
    struct slg_error *reterr;
};

static enum slg_status refuse(const struct scope *s, const char *key, const char *wanted)
{
    return slg_errorf(s->reterr, SLG_INVALID, "%s%s%s: %s", s->path, s->path[0] == '\0' ? "" : ".",
                      key, wanted);
}

struct key_check {
    const struct scope *scope;
    const char *const *known;
    enum slg_status status;
};

static bool check_key(void *arg, const char *key, const struct slg_json *value)
{
    struct key_check *check = arg;
    size_t i = 0;

    (void)value;
    while (check->known[i] != NULL && strcmp(check->known[i], key) != 0)
        i++;
    if (check->known[i] == NULL)
        check->status = refuse(check->scope, key, "unknown key");
    return check->status == SLG_OK;
}

static enum slg_status check_keys(const struct scope *s, const struct slg_json *object,
                                  const char *const *known)
{
    struct key_check check = { .scope = s, .known = known, .status = SLG_OK };

    slg_json_each(object, check_key, &check);
    return check.status;
}

static enum slg_status take_text(const struct scope *s, const struct slg_json *object,
                                 const char *key, const char *fallback, const char **ret_text)
{
    const struct slg_json *value = slg_json_get(object, key);
    const char *text = fallback;

    if (value != NULL && slg_json_type(value) != SLG_JSON_TEXT)
        return refuse(s, key, "must be a string");
    if (value != NULL)
        text = slg_json_text(value);
    if (text == NULL)
        return refuse(s, key, "is missing");
    *ret_text = slg_arena_copy(s->owned->arena, text, strlen(text));
    return *ret_text == NULL ? refuse(s, key, "the map is too large") : SLG_OK;
}

struct int_rule {
    const char *key;
    int64_t min;
    int64_t max;
    int64_t fallback; /* INT64_MIN: the key must be there */
};

static enum slg_status take_int(const struct scope *s, const struct slg_json *object,
                                const struct int_rule *rule, int64_t *ret_value)
{
    const struct slg_json *value = slg_json_get(object, rule->key);

    if (value == NULL && rule->fallback != INT64_MIN) {
        *ret_value = rule->fallback;
        return SLG_OK;
    }
    if (slg_json_type(value) != SLG_JSON_INT)
        return refuse(s, rule->key, value == NULL ? "is missing" : "must be a whole number");
    if (slg_json_int(value, 0) < rule->min || slg_json_int(value, 0) > rule->max)
        return slg_errorf(s->reterr, SLG_INVALID, "%s.%s: %lld is not in %lld to %lld", s->path,
                          rule->key, (long long)slg_json_int(value, 0), (long long)rule->min,
                          (long long)rule->max);
    *ret_value = slg_json_int(value, 0);
    return SLG_OK;
}

static enum slg_status take_array(const struct scope *s, const struct slg_json *object,
                                  const char *key, size_t count_max,
                                  const struct slg_json **ret_array)
{
    const struct slg_json *value = slg_json_get(object, key);

    if (slg_json_type(value) != SLG_JSON_LIST)
        return refuse(s, key, value == NULL ? "is missing" : "must be a list");
    if (slg_json_count(value) > count_max)
        return refuse(s, key, "has too many items");
    *ret_array = value;
    return SLG_OK;
}

/* ---- nodes ---- */

static enum slg_status take_state(const struct scope *s, const struct slg_json *object,
                                  enum slg_node_state *ret_state)
{
    const char *text;
    enum slg_status status = take_text(s, object, "state", "active", &text);

    if (status != SLG_OK)
        return status;
    if (strcmp(text, "active") == 0)
        *ret_state = SLG_NODE_ACTIVE;
    else if (strcmp(text, "draining") == 0)
        *ret_state = SLG_NODE_DRAINING;
    else if (strcmp(text, "removed") == 0)
        *ret_state = SLG_NODE_REMOVED;
    else
        return refuse(s, "state", "must be active, draining or removed");
    return SLG_OK;
}

static enum slg_status take_node(struct scope *s, const struct slg_json *object,
                                 struct slg_map_node *node)
{
    static const char *const known[] = { "id", "address", "zone", "state", NULL };
    enum slg_status status = check_keys(s, object, known);

    if (status == SLG_OK)
        status = take_text(s, object, "id", NULL, &node->id);
    if (status == SLG_OK)
        status = take_text(s, object, "address", NULL, &node->address);
    if (status == SLG_OK)
        status = take_text(s, object, "zone", "", &node->zone);
    if (status == SLG_OK)
        status = take_state(s, object, &node->state);
    if (status == SLG_OK && node->id[0] == '\0')
        status = refuse(s, "id", "is empty");
    return status;
}

static enum slg_status take_nodes(struct scope *s, const struct slg_json *root)
{
    struct slg_map *map = &s->owned->map;
    struct slg_map_node *nodes;
    const struct slg_json *array;
    enum slg_status status = take_array(s, root, "nodes", SLG_MAP_NODE_COUNT_MAX, &array);

    if (status != SLG_OK)
        return status;
    nodes = slg_arena_calloc(s->owned->arena, slg_json_count(array), sizeof(*nodes));
    if (nodes == NULL)
        return refuse(s, "nodes", "the map is too large");
    for (size_t i = 0; i < slg_json_count(array) && status == SLG_OK; i++) {
        (void)snprintf(s->path, sizeof(s->path), "nodes[%zu]", i);
        status = take_node(s, slg_json_at(array, i), &nodes[i]);
    }
    s->path[0] = '\0';
    map->nodes = nodes;
    map->node_count = slg_json_count(array);
    return status;
}

static enum slg_status find_node(const struct scope *s, const char *id, uint16_t *ret_index)
{
    const struct slg_map *map = &s->owned->map;

    for (size_t i = 0; id != NULL && i < map->node_count; i++) {
        if (strcmp(map->nodes[i].id, id) == 0) {
            *ret_index = (uint16_t)i;
            return SLG_OK;
        }
    }
    return slg_errorf(s->reterr, SLG_INVALID, "%s.nodes: no node has the id \"%s\"", s->path,
                      id == NULL ? "" : id);
}

/* ---- layouts ---- */

static enum slg_status take_shares(struct scope *s, const struct slg_json *object,
                                   struct slg_map_layout *layout)
{
    static const struct int_rule weight_rule = { "weight", 1, SLG_MAP_WEIGHT_MAX, 100 };
    struct slg_map_share *shares;
    const struct slg_json *array;
    enum slg_status status = take_array(s, object, "nodes", SLG_MAP_NODE_COUNT_MAX, &array);

    if (status != SLG_OK)
        return status;
    shares = slg_arena_calloc(s->owned->arena, slg_json_count(array), sizeof(*shares));
    if (shares == NULL)
        return refuse(s, "nodes", "the map is too large");
    for (size_t i = 0; i < slg_json_count(array) && status == SLG_OK; i++) {
        const struct slg_json *item = slg_json_at(array, i);
        int64_t weight = 0;

        status = find_node(s, slg_json_text(slg_json_get(item, "id")), &shares[i].node_index);
        if (status == SLG_OK)
            status = take_int(s, item, &weight_rule, &weight);
        shares[i].weight = (uint16_t)weight;
    }
    layout->shares = shares;
    layout->share_count = slg_json_count(array);
    return status;
}

static enum slg_status take_layout(struct scope *s, const struct slg_json *object,
                                   struct slg_map_layout *layout)
{
    static const char *const known[] = {
        "from_ns", "window_seconds", "replication",      "write_quorum",
        "nodes",   "slots",          "write_quorum_min", NULL
    };
    static const struct int_rule from_rule = { "from_ns", 0, INT64_MAX, INT64_MIN + 1 };
    static const struct int_rule rules[] = {
        { "window_seconds", 1, 86400, 3600 },
        { "replication", 1, (int64_t)SLG_MAP_REPLICATION_MAX, INT64_MIN },
        { "write_quorum", 1, (int64_t)SLG_MAP_REPLICATION_MAX, INT64_MIN },
        { "write_quorum_min", 0, (int64_t)SLG_MAP_REPLICATION_MAX, 0 },
        { "slots", 1, UINT16_MAX, 1 },
    };
    int64_t values[SLG_ARRAY_LEN(rules)] = { 0 };
    int64_t from_ns = 0;
    enum slg_status status = check_keys(s, object, known);

    if (status == SLG_OK)
        status = take_int(s, object, &from_rule, &from_ns);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rules) && status == SLG_OK; i++)
        status = take_int(s, object, &rules[i], &values[i]);
    if (status != SLG_OK)
        return status;
    layout->from_window_ns = from_ns == INT64_MIN + 1 ? INT64_MIN : from_ns;
    layout->window_length_ns = values[0] * SECOND_NS;
    layout->replication = (uint16_t)values[1];
    layout->write_quorum = (uint16_t)values[2];
    layout->write_quorum_min = (uint16_t)(values[3] == 0 ? values[2] : values[3]);
    layout->slot_count = (uint16_t)values[4];
    return take_shares(s, object, layout);
}

static enum slg_status take_layouts(struct scope *s, const struct slg_json *root)
{
    struct slg_map *map = &s->owned->map;
    struct slg_map_layout *layouts;
    const struct slg_json *array;
    enum slg_status status = take_array(s, root, "layouts", SLG_MAP_LAYOUT_COUNT_MAX, &array);

    if (status != SLG_OK)
        return status;
    layouts = slg_arena_calloc(s->owned->arena, slg_json_count(array), sizeof(*layouts));
    if (layouts == NULL)
        return refuse(s, "layouts", "the map is too large");
    for (size_t i = 0; i < slg_json_count(array) && status == SLG_OK; i++) {
        (void)snprintf(s->path, sizeof(s->path), "layouts[%zu]", i);
        status = take_layout(s, slg_json_at(array, i), &layouts[i]);
    }
    s->path[0] = '\0';
    map->layouts = layouts;
    map->layout_count = slg_json_count(array);
    return status;
}

/* ---- overrides ---- */

static enum slg_status take_override(struct scope *s, const struct slg_json *object,
                                     struct slg_map_override *override)
{
    static const char *const known[] = { "window_ns", "window_seconds", "slot",
                                         "slots",     "nodes",          NULL };
    static const struct int_rule rules[] = {
        { "window_ns", 0, INT64_MAX, INT64_MIN },
        { "window_seconds", 1, 86400, INT64_MIN },
        { "slot", 0, UINT16_MAX, INT64_MIN },
        { "slots", 1, UINT16_MAX, INT64_MIN },
    };
    int64_t values[SLG_ARRAY_LEN(rules)] = { 0 };
    const struct slg_json *array = NULL;
    enum slg_status status = check_keys(s, object, known);

    for (size_t i = 0; i < SLG_ARRAY_LEN(rules) && status == SLG_OK; i++)
        status = take_int(s, object, &rules[i], &values[i]);
    if (status == SLG_OK)
        status = take_array(s, object, "nodes", SLG_MAP_REPLICATION_MAX, &array);
    if (status != SLG_OK)
        return status;
    override->shard = (struct slg_shard_id){ .window_ns = values[0],
                                             .length_ns = values[1] * SECOND_NS,
                                             .slot = (uint16_t)values[2],
                                             .slot_count = (uint16_t)values[3] };
    if (override->shard.slot >= override->shard.slot_count)
        return refuse(s, "slot", "must be below slots");
    for (size_t i = 0; i < slg_json_count(array) && status == SLG_OK; i++)
        status = find_node(s, slg_json_text(slg_json_at(array, i)), &override->node_indexes[i]);
    override->node_count = (uint16_t)slg_json_count(array);
    return status;
}

static enum slg_status take_overrides(struct scope *s, const struct slg_json *root)
{
    struct slg_map *map = &s->owned->map;
    struct slg_map_override *overrides;
    const struct slg_json *array;
    enum slg_status status;

    if (slg_json_get(root, "overrides") == NULL)
        return SLG_OK;
    status = take_array(s, root, "overrides", SLG_MAP_OVERRIDE_COUNT_MAX, &array);
    if (status != SLG_OK)
        return status;
    overrides = slg_arena_calloc(s->owned->arena, slg_json_count(array), sizeof(*overrides));
    if (overrides == NULL)
        return refuse(s, "overrides", "the map is too large");
    for (size_t i = 0; i < slg_json_count(array) && status == SLG_OK; i++) {
        (void)snprintf(s->path, sizeof(s->path), "overrides[%zu]", i);
        status = take_override(s, slg_json_at(array, i), &overrides[i]);
        if (status == SLG_OK && i > 0 &&
            slg_shard_id_compare(&overrides[i - 1].shard, &overrides[i].shard) >= 0)
            status = refuse(s, "window_ns", "overrides must be sorted by window and slot");
    }
    s->path[0] = '\0';
    map->overrides = overrides;
    map->override_count = slg_json_count(array);
    return status;
}

/* ---- the document ---- */

static enum slg_status take_root(struct scope *s, const struct slg_json *root)
{
    static const char *const known[] = {
        "version",   "cluster",           "epoch",        "nodes", "layouts",
        "overrides", "retention_seconds", "keep_from_ns", NULL
    };
    static const struct int_rule version_rule = { "version", 1, 1, INT64_MIN };
    static const struct int_rule epoch_rule = { "epoch", 1, INT64_MAX, INT64_MIN };
    static const struct int_rule retention_rule = { "retention_seconds", 0,
                                                    INT64_C(100) * 366 * 86400,
                                                    SLG_MAP_RETENTION_SECONDS_DEFAULT };
    static const struct int_rule keep_rule = { "keep_from_ns", 0, INT64_MAX, 0 };
    struct slg_map *map = &s->owned->map;
    int64_t version = 0, epoch = 0, retention = 0;
    enum slg_status status = check_keys(s, root, known);

    if (status == SLG_OK)
        status = take_int(s, root, &version_rule, &version);
    if (status == SLG_OK)
        status = take_text(s, root, "cluster", NULL, &map->cluster_id);
    if (status == SLG_OK)
        status = take_int(s, root, &epoch_rule, &epoch);
    if (status == SLG_OK)
        status = take_nodes(s, root);
    if (status == SLG_OK)
        status = take_layouts(s, root);
    if (status == SLG_OK)
        status = take_overrides(s, root);
    if (status == SLG_OK)
        status = take_int(s, root, &retention_rule, &retention);
    if (status == SLG_OK)
        status = take_int(s, root, &keep_rule, &map->keep_from_ns);
    map->epoch = (uint64_t)epoch;
    map->retention_ns = retention * SECOND_NS;
    return status;
}

enum slg_status slg_map_parse(const char *json, size_t len, struct slg_map **ret_map,
                              struct slg_error *reterr)
{
    struct scope s = { .reterr = reterr };
    struct slg_json *root;
    enum slg_status status;

    if (len > SLG_MAP_BYTES_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "the map is over %zu bytes", SLG_MAP_BYTES_MAX);
    status = slg_json_parse(json, len, &root, reterr);
    if (status != SLG_OK)
        return status;
    if (slg_json_type(root) != SLG_JSON_OBJECT) {
        slg_json_destroy(root);
        return slg_errorf(reterr, SLG_INVALID, "the map must be a JSON object");
    }
    s.owned = slg_map_owned_create();
    if (s.owned == NULL) {
        slg_json_destroy(root);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the cluster map");
    }
    status = take_root(&s, root);
    if (status == SLG_OK)
        status = slg_map_seal(s.owned, reterr);
    if (status == SLG_OK)
        *ret_map = &s.owned->map;
    else
        slg_map_unref(&s.owned->map);
    slg_json_destroy(root);
    return status;
}
