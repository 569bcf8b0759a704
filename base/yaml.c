#include "base/yaml.h"

#include <yaml.h>

struct level {
    bool list;
    bool skipped;    /* the caller does not want to see what is inside */
    bool have_key;   /* map: the next node is a value */
    size_t path_len; /* of the path of this map or list */
    size_t next_index;
};

struct walk {
    bool (*node)(void *arg, const struct slg_yaml_node *node);
    void *arg;
    char path[SLG_YAML_PATH_MAX];
    struct level levels[SLG_YAML_DEPTH_MAX];
    size_t depth;
    size_t node_count;
    size_t line; /* of the event */
    size_t
        key_line; /* of the last key: a value's line, as a block map begins on the line after its key */
    size_t node_line;
    struct slg_error *reterr;
};

static enum slg_status refuse(const struct walk *walk, const char *what)
{
    return slg_errorf(walk->reterr, SLG_MALFORMED, "%s", what);
}

static bool is_key(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return len > 0;
}

static enum slg_status append_path(struct walk *walk, size_t path_len, const char *text)
{
    size_t left = sizeof(walk->path) - path_len;
    const char *dot = path_len > 0 && text[0] != '[' ? "." : "";

    if ((size_t)snprintf(walk->path + path_len, left, "%s%s", dot, text) >= left)
        return refuse(walk, "the path of keys is too long");
    return SLG_OK;
}

/* Before a node that is no key: set walk->path to its path. *ret_key: it was a key instead. */
static enum slg_status place_node(struct walk *walk, const yaml_event_t *event, bool *ret_key)
{
    struct level *level = walk->depth == 0 ? NULL : &walk->levels[walk->depth - 1];
    enum slg_status status;

    *ret_key = false;
    walk->node_line = walk->line;
    if (++walk->node_count > SLG_YAML_NODES_MAX)
        return refuse(walk, "too many nodes");
    if (level == NULL)
        return SLG_OK;
    if (level->list) {
        char index[32];

        (void)snprintf(index, sizeof(index), "[%zu]", level->next_index++); /* 22 bytes */
        return append_path(walk, level->path_len, index);
    }
    if (level->have_key) {
        level->have_key = false;
        walk->node_line = walk->key_line;
        return SLG_OK; /* the key set the path */
    }
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(walk, "a key must be a word");
    if (!is_key((const char *)event->data.scalar.value, event->data.scalar.length))
        return refuse(walk, "a key must be a word of letters, digits, \"_\" and \"-\"");
    status = append_path(walk, level->path_len, (const char *)event->data.scalar.value);
    level->have_key = true;
    walk->key_line = walk->line;
    *ret_key = true;
    return status;
}

static bool is_null(const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (strcmp(value, "") == 0 || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

static bool show(struct walk *walk, enum slg_yaml_kind kind, const char *value)
{
    const struct slg_yaml_node node = { kind, walk->path, value, walk->node_line };

    if (walk->depth > 0 && walk->levels[walk->depth - 1].skipped)
        return false;
    return walk->node(walk->arg, &node);
}

static enum slg_status on_scalar(struct walk *walk, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    enum slg_status status;
    bool key;

    if (event->data.scalar.anchor != NULL)
        return refuse(walk, "anchors are not supported");
    if (strlen(value) != event->data.scalar.length)
        return refuse(walk, "a value must not hold a NUL byte");
    status = place_node(walk, event, &key);
    if (status != SLG_OK || key)
        return status;
    (void)show(walk, is_null(event) ? SLG_YAML_NULL : SLG_YAML_SCALAR,
               is_null(event) ? "" : value); /* scalars cannot be skipped */
    return SLG_OK;
}

static enum slg_status on_start(struct walk *walk, const yaml_event_t *event)
{
    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    enum slg_status status;
    bool key, skipped;

    if (list ? event->data.sequence_start.anchor != NULL : event->data.mapping_start.anchor != NULL)
        return refuse(walk, "anchors are not supported");
    status = place_node(walk, event, &key);
    if (status != SLG_OK)
        return status;
    if (walk->depth == SLG_YAML_DEPTH_MAX)
        return refuse(walk, "nested too deep");
    skipped = !show(walk, list ? SLG_YAML_LIST : SLG_YAML_MAP, "");
    walk->levels[walk->depth++] = (struct level){
        .list = list,
        .skipped = skipped,
        .path_len = strlen(walk->path),
    };
    return SLG_OK;
}

/* One event; *ret_documents counts the documents begun. */
static enum slg_status on_event(struct walk *walk, const yaml_event_t *event, int *ret_documents)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++*ret_documents > 1)
            return refuse(walk, "only one YAML document is allowed");
        return SLG_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(walk, event);
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        return on_start(walk, event);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        SLG_ASSERT(walk->depth > 0);
        walk->depth--;
        return SLG_OK;
    case YAML_ALIAS_EVENT:
        return refuse(walk, "aliases are not supported");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return SLG_OK;
    }
    return SLG_OK;
}

static enum slg_status parser_error(struct walk *walk, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return slg_errorf(walk->reterr, SLG_NO_MEMORY, "out of memory");
    /* A reader error (bytes that are not UTF-8) has no mark. */
    if (parser->error != YAML_READER_ERROR)
        walk->line = parser->problem_mark.line + 1;
    return slg_errorf(walk->reterr, SLG_MALFORMED, "not YAML: %s",
                      parser->problem == NULL ? "unknown reason" : parser->problem);
}

static enum slg_status walk_events(struct walk *walk, yaml_parser_t *parser)
{
    int documents = 0;
    bool done = false;

    while (!done) {
        enum slg_status status;
        yaml_event_t event;

        if (yaml_parser_parse(parser, &event) == 0)
            return parser_error(walk, parser);
        walk->line = event.start_mark.line + 1;
        done = event.type == YAML_STREAM_END_EVENT;
        status = on_event(walk, &event, &documents);
        yaml_event_delete(&event);
        if (status != SLG_OK)
            return status;
    }
    walk->node_line = walk->line;
    if (walk->node_count == 0)
        (void)show(walk, SLG_YAML_NULL, "");
    return SLG_OK;
}

enum slg_status slg_yaml_walk(const void *bytes, size_t len, const char *prefix,
                              bool (*node)(void *arg, const struct slg_yaml_node *node), void *arg,
                              size_t *ret_line, struct slg_error *reterr)
{
    struct walk walk = { .node = node, .arg = arg, .line = 1, .reterr = reterr };
    enum slg_status status;
    yaml_parser_t parser;

    *ret_line = 1;
    if (len > SLG_YAML_BYTES_MAX)
        return slg_errorf(reterr, SLG_MALFORMED, "%zu bytes are more than the limit of %zu", len,
                          SLG_YAML_BYTES_MAX);
    status = append_path(&walk, 0, prefix);
    if (status != SLG_OK)
        return status;
    if (yaml_parser_initialize(&parser) == 0)
        return slg_errorf(reterr, SLG_NO_MEMORY, "out of memory");
    yaml_parser_set_input_string(&parser, len == 0 ? (const void *)"" : bytes, len);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    status = walk_events(&walk, &parser);
    yaml_parser_delete(&parser);
    *ret_line = walk.line;
    return status;
}
