/* Settings: reading a file and overrides into entries, filling in defaults. */
#include <stdarg.h>

#include "base/conf_private.h"
#include "base/cursor.h"
#include "base/file.h"

/* ---- mistakes ---- */

SLG_PRINTF(4, 5)
static void add_mistake(struct slg_conf *conf, size_t line, const char *key, const char *format,
                        ...)
{
    va_list args;

    va_start(args, format);
    slg_conf_mistake_at(conf, conf->file, conf->set_line > 0 ? conf->set_line : line, key, format,
                        args);
    va_end(args);
}

/* ---- the nearest known key ---- */

/* Levenshtein distance, two rows of the matrix; longer texts count as far apart. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[SLG_YAML_PATH_MAX];

    if (a_len >= SLG_YAML_PATH_MAX || b_len >= SLG_YAML_PATH_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_len];
}

/* The length of the first `segments` words of key. */
static size_t segment_prefix(const char *key, size_t segments)
{
    size_t len = 0;

    for (; key[len] != '\0'; len++) {
        if (key[len] == '.' && --segments == 0)
            break;
    }
    return len;
}

static void tell_unknown(struct slg_conf *conf, const struct slg_yaml_node *node,
                         const char *general)
{
    const char *last_dot = strrchr(general, '.');
    const char *word = last_dot == NULL ? general : last_dot + 1;
    size_t best = strlen(word) / 2 + 1;
    const char *nearest = NULL;
    size_t nearest_len = 0;
    size_t segments = 1;

    for (const char *at = general; *at != '\0'; at++)
        segments += *at == '.' ? 1 : 0;
    for (size_t i = 0; i < conf->row_count; i++) {
        const char *key = conf->rows[i].key;
        size_t len = segment_prefix(key, segments);
        size_t found;

        while (len > 2 && strncmp(key + len - 2, "[]", 2) == 0)
            len -= 2;
        found = distance(general, strlen(general), key, len);
        if (found < best) {
            best = found;
            nearest = key;
            nearest_len = len;
        }
    }
    /* The same word elsewhere is the next best guess: "replication" is "cluster.replication". */
    for (size_t i = 0; i < conf->row_count && nearest_len == 0; i++) {
        const char *dot = strrchr(conf->rows[i].key, '.');

        if (dot != NULL && strcmp(dot + 1, word) == 0) {
            nearest = conf->rows[i].key;
            nearest_len = strlen(nearest);
        }
    }
    if (nearest == NULL)
        add_mistake(conf, node->line, node->path,
                    "unknown key, see silage --print-settings for all keys");
    else
        add_mistake(conf, node->line, node->path, "unknown key, did you mean \"%.*s\"",
                    (int)nearest_len, nearest);
}

/* ---- loading ---- */

static void add_entry(struct slg_conf *conf, const struct slg_yaml_node *node,
                      const struct slg_conf_row *row, bool list)
{
    struct slg_conf_entry *entry = slg_conf_find_entry(conf, node->path);

    if (entry != NULL && !conf->replace) {
        add_mistake(conf, node->line, node->path, "given twice, first in line %zu, remove one",
                    entry->line);
        return;
    }
    if (entry == NULL) {
        if (conf->entry_count == SLG_CONF_ENTRIES_MAX) {
            conf->cut = true;
            add_mistake(conf, node->line, node->path, "more than %d values, use fewer",
                        SLG_CONF_ENTRIES_MAX);
            return;
        }
        entry = &conf->entries[conf->entry_count];
        *entry = (struct slg_conf_entry){ .key = slg_arena_copy(conf->arena, node->path,
                                                                strlen(node->path)) };
    }
    entry->text = slg_arena_copy(conf->arena, node->value, strlen(node->value));
    if (entry->key == NULL || entry->text == NULL) {
        conf->cut = true;
        add_mistake(conf, node->line, node->path, "the settings need more than %zu bytes",
                    SLG_CONF_ARENA_BYTES_MAX);
        entry->key = entry->text = "";
        return;
    }
    if (entry == &conf->entries[conf->entry_count])
        conf->entry_count++;
    entry->row = row;
    entry->file = conf->file;
    entry->given = conf->file != NULL;
    entry->line = conf->set_line > 0 ? conf->set_line : node->line;
    entry->list = list;
}

/* Note in the list's own entry that element key exists: "a.b[3]..." -> a.b has at least 4. False: a gap. */
static bool count_element(struct slg_conf *conf, const struct slg_yaml_node *node)
{
    const char *open = strrchr(node->path, '[');
    struct slg_cursor c;
    struct slg_yaml_node list = *node;
    char name[SLG_YAML_PATH_MAX];
    char general[SLG_YAML_PATH_MAX];
    struct slg_conf_entry *entry;
    uint64_t index;

    if (open == NULL)
        return true;
    c = slg_cursor_make(open + 1, strlen(open + 1));
    /* "[00]" would be another key than "[0]". */
    if (!slg_cursor_take_uint(&c, 6, SLG_CONF_LIST_MAX - 1, &index) ||
        !slg_cursor_take_byte(&c, ']') || (open[1] == '0' && open[2] != ']')) {
        add_mistake(conf, node->line, node->path,
                    "the index must be 0 to %d, without leading zeros", SLG_CONF_LIST_MAX - 1);
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)(open - node->path), node->path);
    list.path = name;
    list.value = "";
    entry = slg_conf_find_entry(conf, name);
    if (entry == NULL) {
        slg_conf_general_key(name, general);
        add_entry(conf, &list, slg_conf_find_row(conf, general, "[]"), true);
        entry = slg_conf_find_entry(conf, name);
    }
    if (entry == NULL || index > (uint64_t)entry->number) {
        add_mistake(conf, node->line, node->path, "the list has no element before this one");
        return false;
    }
    if (index == (uint64_t)entry->number)
        entry->number++;
    return true;
}

/* A section twice is a mistake, too: with other keys in each, one of the two would be looked for in vain. */
static void note_section(struct slg_conf *conf, const struct slg_yaml_node *node)
{
    struct slg_conf_section *section;

    /* Elements of a list have a number of their own, and there may be very many. */
    if (conf->replace || node->path[0] == '\0' || node->path[strlen(node->path) - 1] == ']')
        return;
    for (section = conf->sections; section != NULL; section = section->next) {
        if (strcmp(section->path, node->path) == 0) {
            add_mistake(conf, node->line, node->path, "given twice, first in line %zu, join them",
                        section->line);
            return;
        }
    }
    section = slg_arena_calloc(conf->arena, 1, sizeof(*section));
    if (section == NULL)
        return; /* values will not fit either, and say so */
    section->path = slg_arena_copy(conf->arena, node->path, strlen(node->path));
    section->line = node->line;
    section->next = conf->sections;
    if (section->path != NULL)
        conf->sections = section;
}

/* What a node of another kind should have been. */
static void tell_wrong_kind(struct slg_conf *conf, const struct slg_yaml_node *node,
                            const char *general)
{
    const struct slg_conf_row *list = slg_conf_find_row(conf, general, "[]");

    if (list != NULL)
        add_mistake(conf, node->line, node->path, "must be a list, for example %s",
                    list->type == SLG_CONF_OBJECTS ? "[{...}, {...}]" : "[a, b]");
    else if (slg_conf_is_map(conf, general))
        add_mistake(conf, node->line, node->path, "must be a mapping of keys, not a value");
    else if (slg_conf_find_row(conf, general, "") != NULL)
        add_mistake(conf, node->line, node->path, "must be one value");
    else
        tell_unknown(conf, node, general);
}

static bool on_node(void *arg, const struct slg_yaml_node *node)
{
    struct slg_conf *conf = arg;
    char general[SLG_YAML_PATH_MAX];
    const struct slg_conf_row *list;
    const struct slg_conf_row *row;

    slg_conf_general_key(node->path, general);
    list = slg_conf_find_row(conf, general, "[]");
    row = slg_conf_find_row(conf, general, "");
    switch (node->kind) {
    case SLG_YAML_MAP:
        if (!slg_conf_is_map(conf, general) || list != NULL)
            break;
        note_section(conf, node);
        return count_element(conf, node);
    case SLG_YAML_LIST:
        if (list == NULL)
            break;
        add_entry(conf, node, list, true);
        return true;
    case SLG_YAML_SCALAR:
        if (row == NULL || row->type == SLG_CONF_OBJECTS)
            break;
        if (!slg_conf_is_list_row(row) || count_element(conf, node))
            add_entry(conf, node, row, false);
        return true;
    case SLG_YAML_NULL: /* "key:" with nothing behind it is the same as no key */
        if (row == NULL && list == NULL && !slg_conf_is_map(conf, general))
            break;
        return true;
    }
    tell_wrong_kind(conf, node, general);
    return false;
}

void slg_conf_load(struct slg_conf *conf, const char *name, const void *bytes, size_t len)
{
    struct slg_error err;
    size_t line;

    conf->file = slg_arena_copy(conf->arena, name, strlen(name));
    if (slg_yaml_walk(bytes, len, "", on_node, conf, &line, &err) != SLG_OK) {
        conf->cut = true;
        add_mistake(conf, line, "", "%s", err.message);
    }
}

enum slg_status slg_conf_load_file(struct slg_conf *conf, const char *path,
                                   struct slg_error *reterr)
{
    struct slg_buf bytes;
    enum slg_status status;

    slg_buf_init(&bytes, SLG_YAML_BYTES_MAX + 8192);
    status = slg_file_read(path, SLG_YAML_BYTES_MAX, &bytes, reterr);
    if (status == SLG_OK)
        slg_conf_load(conf, path, bytes.data, bytes.len);
    slg_buf_fini(&bytes);
    return status;
}

void slg_conf_set(struct slg_conf *conf, const char *assignment)
{
    conf->file = "--set";
    if (conf->set_count == SLG_CONF_SETS_MAX) {
        add_mistake(conf, conf->set_count, "", "more than %d overrides, use a file",
                    SLG_CONF_SETS_MAX);
        return;
    }
    conf->sets[conf->set_count] = slg_arena_copy(conf->arena, assignment, strlen(assignment));
    if (conf->sets[conf->set_count] == NULL)
        add_mistake(conf, conf->set_count, "", "the overrides need too much memory");
    else
        conf->set_count++;
}

/* ---- finish: overrides, defaults, checks ---- */

static void drop_entries_below(struct slg_conf *conf, const char *list_key)
{
    size_t len = strlen(list_key);
    size_t kept = 0;

    for (size_t i = 0; i < conf->entry_count; i++) {
        const char *key = conf->entries[i].key;

        if (strncmp(key, list_key, len) != 0 || (key[len] != '[' && key[len] != '\0'))
            conf->entries[kept++] = conf->entries[i];
    }
    conf->entry_count = kept;
}

/* Load YAML text as the contents of key. */
static void load_value(struct slg_conf *conf, const char *key, const char *text)
{
    struct slg_error err;
    size_t line;

    if (slg_yaml_walk(text, strlen(text), key, on_node, conf, &line, &err) != SLG_OK) {
        conf->cut = true;
        add_mistake(conf, line, key, "%s", err.message);
    }
}

/* The object that holds key may not exist yet: "a[2].b" makes element 2. */
static bool count_parent(struct slg_conf *conf, const char *key)
{
    struct slg_yaml_node parent = { SLG_YAML_MAP, NULL, "", 0 };
    const char *close = strrchr(key, ']');
    char name[SLG_YAML_PATH_MAX];

    if (close == NULL || close[1] != '.')
        return true;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(close + 1 - key), key);
    parent.path = name;
    return on_node(conf, &parent);
}

static void apply_set(struct slg_conf *conf, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    char key[SLG_YAML_PATH_MAX];
    char general[SLG_YAML_PATH_MAX];
    struct slg_yaml_node node = { SLG_YAML_SCALAR, key, NULL, 0 };

    if (equals == NULL || equals == assignment || (size_t)(equals - assignment) >= sizeof(key)) {
        add_mistake(conf, 0, "", "\"%.100s\" is not KEY=VALUE", assignment);
        return;
    }
    (void)snprintf(key, sizeof(key), "%.*s", (int)(equals - assignment), assignment);
    node.value = equals + 1;
    slg_conf_general_key(key, general);
    if (!count_parent(conf, key))
        return;
    if (slg_conf_find_row(conf, general, "[]") != NULL) {
        drop_entries_below(conf, key);
        load_value(conf, key, node.value);
        return;
    }
    (void)on_node(conf, &node); /* a scalar: nothing to skip */
}

static void default_list(struct slg_conf *conf, const struct slg_conf_row *row, const char *key)
{
    if (slg_conf_find_entry(conf, key) == NULL)
        load_value(conf, key, row->fallback[0] == '\0' ? "[]" : row->fallback);
}

static void default_value(struct slg_conf *conf, const struct slg_conf_row *row, const char *key)
{
    struct slg_yaml_node node = { SLG_YAML_SCALAR, key, row->fallback, 0 };

    if (slg_conf_find_entry(conf, key) == NULL)
        add_entry(conf, &node, row, false);
}

/* Rows outside of lists, lists of values included; or the fields of every element of a list of objects. */
static void fill_row(struct slg_conf *conf, const struct slg_conf_row *row)
{
    const char *open = strstr(row->key, "[].");
    char list[SLG_YAML_PATH_MAX];
    char key[SLG_YAML_PATH_MAX];
    const struct slg_conf_entry *entry;
    size_t field_len = strlen(row->key) - (slg_conf_is_list_row(row) ? 2 : 0);
    size_t count = 1;

    if (open != NULL) {
        slg_conf_format_key(list, "%.*s", (int)(open - row->key), row->key);
        entry = slg_conf_find_entry(conf, list);
        count = entry == NULL ? 0 : (size_t)entry->number;
    }
    for (size_t i = 0; i < count; i++) {
        if (open == NULL)
            slg_conf_format_key(key, "%.*s", (int)field_len, row->key);
        else
            slg_conf_format_key(key, "%s[%zu].%.*s", list, i,
                                (int)(row->key + field_len - (open + 3)), open + 3);
        if (slg_conf_is_list_row(row))
            default_list(conf, row, key);
        else
            default_value(conf, row, key);
    }
}

static void fill_defaults(struct slg_conf *conf)
{
    for (size_t i = 0; i < conf->row_count; i++)
        fill_row(conf, &conf->rows[i]);
}

/* A field that an object lacks is complained about where the object's first field, or else its list, was given. */
static void place_defaults(struct slg_conf *conf)
{
    for (size_t i = 0; i < conf->entry_count; i++) {
        struct slg_conf_entry *entry = &conf->entries[i];
        const char *close = strrchr(entry->key, ']');
        const struct slg_conf_entry *place = NULL;
        char list[SLG_YAML_PATH_MAX];

        if (entry->given || close == NULL)
            continue;
        for (size_t k = 0; k < conf->entry_count && place == NULL; k++) {
            if (conf->entries[k].given &&
                strncmp(conf->entries[k].key, entry->key, (size_t)(close + 1 - entry->key)) == 0)
                place = &conf->entries[k];
        }
        slg_conf_format_key(list, "%.*s", (int)(strrchr(entry->key, '[') - entry->key), entry->key);
        if (place == NULL)
            place = slg_conf_find_entry(conf, list);
        if (place != NULL && place->given) {
            entry->file = place->file;
            entry->line = place->line;
        }
    }
}

enum slg_status slg_conf_finish(struct slg_conf *conf)
{
    /* Default lists first, so that --set can change an element of them. */
    conf->file = NULL;
    for (size_t i = 0; i < conf->row_count; i++) {
        if (slg_conf_is_list_row(&conf->rows[i]) && strstr(conf->rows[i].key, "[].") == NULL)
            fill_row(conf, &conf->rows[i]);
    }
    conf->file = "--set";
    conf->replace = true;
    for (size_t i = 0; i < conf->set_count; i++) {
        conf->set_line = i + 1;
        apply_set(conf, conf->sets[i]);
    }
    conf->set_line = 0;
    conf->file = NULL;
    fill_defaults(conf);
    place_defaults(conf);
    slg_conf_check(conf);
    return conf->mistake_count == 0 ? SLG_OK : SLG_INVALID;
}
