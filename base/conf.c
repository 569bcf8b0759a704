#include "base/conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>

#include "base/address.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "base/units.h"
#include "base/utf8.h"
#include "base/yaml.h"

/* Texts, keys and mistakes of one settings file; overrides come on top. */
#define ARENA_BYTES_MAX   ((size_t)8 * 1024 * 1024)
#define SETS_MAX          256
#define MISTAKE_BYTES_MAX 512

/* A value, or the presence of a list (row of a list, key without "[]", number = element count). */
struct entry {
    const char *key;
    const char *text;
    const struct slg_conf_row *row;
    const char *file; /* where it, or the object it belongs to, was given; NULL: nowhere */
    size_t line;
    int64_t number;
    bool list;
    bool given; /* not a default */
};

struct slg_conf {
    const struct slg_conf_row *rows;
    size_t row_count;
    struct slg_arena *arena;
    struct entry *entries;
    size_t entry_count;
    const char *sets[SETS_MAX];
    size_t set_count;
    const char *mistakes[SLG_CONF_MISTAKES_MAX];
    size_t mistake_count;
    /* Where what is being loaded stands. */
    const char *file;
    size_t set_line; /* not 0: inside the n-th --set */
    bool replace;    /* --set: a second value wins instead of being a mistake */
};

/* ---- mistakes ---- */

SLG_PRINTF(5, 0)
static void add_mistake_v(struct slg_conf *conf, const char *file, size_t line, const char *key,
                          const char *format, va_list args)
{
    char text[MISTAKE_BYTES_MAX];
    const char *copy;

    if (conf->mistake_count == SLG_CONF_MISTAKES_MAX)
        return;
    (void)vsnprintf(text, sizeof(text), format, args); /* cut when too long */
    copy = slg_arena_printf(conf->arena, "%s:%zu: %s%s%s", file == NULL ? "default" : file, line,
                            key, key[0] == '\0' ? "" : ": ", text);
    conf->mistakes[conf->mistake_count++] = copy == NULL ? "out of memory" : copy;
}

SLG_PRINTF(4, 5)
static void add_mistake(struct slg_conf *conf, size_t line, const char *key, const char *format,
                        ...)
{
    va_list args;

    va_start(args, format);
    add_mistake_v(conf, conf->file, conf->set_line > 0 ? conf->set_line : line, key, format, args);
    va_end(args);
}

size_t slg_conf_mistake_count(const struct slg_conf *conf)
{
    return conf->mistake_count;
}

const char *slg_conf_mistake(const struct slg_conf *conf, size_t index)
{
    SLG_ASSERT(index < conf->mistake_count);
    return conf->mistakes[index];
}

/* ---- keys and rows ---- */

/* Keys of rows are short (slg_conf_create) and indices have six digits: they fit. */
SLG_PRINTF(2, 3)
static void format_key(char out[SLG_YAML_PATH_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    SLG_ASSERT(vsnprintf(out, SLG_YAML_PATH_MAX, format, args) < SLG_YAML_PATH_MAX);
    va_end(args);
}

/* "a[12].b" -> "a[].b"; out has the size of a path. */
static void generalise(const char *key, char out[SLG_YAML_PATH_MAX])
{
    size_t len = 0;

    for (const char *at = key; *at != '\0' && len + 1 < SLG_YAML_PATH_MAX; at++) {
        out[len++] = *at;
        if (*at == '[') {
            while (at[1] >= '0' && at[1] <= '9')
                at++;
        }
    }
    out[len] = '\0';
}

static const struct slg_conf_row *find_row(const struct slg_conf *conf, const char *general,
                                           const char *suffix)
{
    size_t len = strlen(general);

    for (size_t i = 0; i < conf->row_count; i++) {
        const char *key = conf->rows[i].key;

        if (strncmp(key, general, len) == 0 && strcmp(key + len, suffix) == 0)
            return &conf->rows[i];
    }
    return NULL;
}

/* True when some row lies below general: "ingester", "ingester.syslog[]". */
static bool is_map(const struct slg_conf *conf, const char *general)
{
    size_t len = strlen(general);

    if (len == 0)
        return true;
    for (size_t i = 0; i < conf->row_count; i++) {
        const char *key = conf->rows[i].key;

        if (strncmp(key, general, len) == 0 && key[len] == '.')
            return true;
    }
    return false;
}

static struct entry *find_entry(const struct slg_conf *conf, const char *key)
{
    for (size_t i = 0; i < conf->entry_count; i++) {
        if (strcmp(conf->entries[i].key, key) == 0)
            return &conf->entries[i];
    }
    return NULL;
}

static bool is_list_row(const struct slg_conf_row *row)
{
    size_t len = strlen(row->key);

    return len > 2 && strcmp(row->key + len - 2, "[]") == 0;
}

struct slg_conf *slg_conf_create(const struct slg_conf_row *rows, size_t row_count)
{
    struct slg_conf *conf = calloc(1, sizeof(*conf));

    if (conf == NULL)
        return NULL;
    for (size_t i = 0; i < row_count; i++)
        SLG_ASSERT(strlen(rows[i].key) < SLG_YAML_PATH_MAX / 2);
    conf->rows = rows;
    conf->row_count = row_count;
    conf->arena = slg_arena_create(ARENA_BYTES_MAX);
    conf->entries = calloc(SLG_CONF_ENTRIES_MAX, sizeof(conf->entries[0]));
    if (conf->arena == NULL || conf->entries == NULL) {
        slg_conf_destroy(conf);
        return NULL;
    }
    return conf;
}

void slg_conf_destroy(struct slg_conf *conf)
{
    if (conf == NULL)
        return;
    slg_arena_destroy(conf->arena);
    free(conf->entries);
    free(conf);
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
    const char *word = strrchr(general, '.') == NULL ? general : strrchr(general, '.') + 1;
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
    for (size_t i = 0; i < conf->row_count && nearest == NULL; i++) {
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
    struct entry *entry = find_entry(conf, node->path);

    if (entry != NULL && !conf->replace) {
        add_mistake(conf, node->line, node->path, "given twice, first in line %zu, remove one",
                    entry->line);
        return;
    }
    if (entry == NULL) {
        if (conf->entry_count == SLG_CONF_ENTRIES_MAX) {
            add_mistake(conf, node->line, node->path, "more than %d values, use fewer",
                        SLG_CONF_ENTRIES_MAX);
            return;
        }
        entry = &conf->entries[conf->entry_count];
        entry->key = slg_arena_copy(conf->arena, node->path, strlen(node->path));
    }
    entry->text = slg_arena_copy(conf->arena, node->value, strlen(node->value));
    if (entry->key == NULL || entry->text == NULL) {
        add_mistake(conf, node->line, node->path, "the settings need more than %zu bytes",
                    ARENA_BYTES_MAX);
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
    struct entry *entry;
    uint64_t index;

    if (open == NULL)
        return true;
    c = slg_cursor_make(open + 1, strlen(open + 1));
    if (!slg_cursor_take_uint(&c, 6, SLG_CONF_LIST_MAX - 1, &index) ||
        !slg_cursor_take_byte(&c, ']')) {
        add_mistake(conf, node->line, node->path, "the index must be 0 to %d",
                    SLG_CONF_LIST_MAX - 1);
        return false;
    }
    (void)snprintf(name, sizeof(name), "%.*s", (int)(open - node->path), node->path);
    list.path = name;
    list.value = "";
    entry = find_entry(conf, name);
    if (entry == NULL) {
        generalise(name, general);
        add_entry(conf, &list, find_row(conf, general, "[]"), true);
        entry = find_entry(conf, name);
    }
    if (entry == NULL || index > (uint64_t)entry->number) {
        add_mistake(conf, node->line, node->path, "the list has no element before this one");
        return false;
    }
    if (index == (uint64_t)entry->number)
        entry->number++;
    return true;
}

/* What a node of another kind should have been. */
static void tell_wrong_kind(struct slg_conf *conf, const struct slg_yaml_node *node,
                            const char *general)
{
    const struct slg_conf_row *list = find_row(conf, general, "[]");

    if (list != NULL)
        add_mistake(conf, node->line, node->path, "must be a list, for example %s",
                    list->type == SLG_CONF_OBJECTS ? "[{...}, {...}]" : "[a, b]");
    else if (is_map(conf, general))
        add_mistake(conf, node->line, node->path, "must be a mapping of keys, not a value");
    else if (find_row(conf, general, "") != NULL)
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

    generalise(node->path, general);
    list = find_row(conf, general, "[]");
    row = find_row(conf, general, "");
    switch (node->kind) {
    case SLG_YAML_MAP:
        if (!is_map(conf, general) || list != NULL)
            break;
        return count_element(conf, node);
    case SLG_YAML_LIST:
        if (list == NULL)
            break;
        add_entry(conf, node, list, true);
        return true;
    case SLG_YAML_SCALAR:
        if (row == NULL || row->type == SLG_CONF_OBJECTS)
            break;
        if (!is_list_row(row) || count_element(conf, node))
            add_entry(conf, node, row, false);
        return true;
    case SLG_YAML_NULL: /* "key:" with nothing behind it is the same as no key */
        if (row == NULL && list == NULL && !is_map(conf, general))
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
    if (slg_yaml_walk(bytes, len, "", on_node, conf, &line, &err) != SLG_OK)
        add_mistake(conf, line, "", "%s", err.message);
}

static enum slg_status read_file(const char *path, size_t bytes_max, struct slg_buf *out,
                                 struct slg_error *reterr)
{
    FILE *file = fopen(path, "re");
    uint8_t chunk[4096];
    size_t total = 0;
    size_t len;
    bool failed;

    if (file == NULL)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path, strerror(errno));
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0 && total <= bytes_max) {
        slg_buf_append(out, chunk, len);
        total += len;
    }
    failed = ferror(file) != 0;
    (void)fclose(file); /* read only */
    if (failed)
        return slg_errorf(reterr, SLG_IO, "could not read \"%s\": %s", path, strerror(errno));
    if (total > bytes_max || slg_buf_failed(out))
        return slg_errorf(reterr, SLG_IO, "file \"%s\" is larger than %zu bytes", path, bytes_max);
    return SLG_OK;
}

enum slg_status slg_conf_load_file(struct slg_conf *conf, const char *path,
                                   struct slg_error *reterr)
{
    struct slg_buf bytes;
    enum slg_status status;

    slg_buf_init(&bytes, SLG_YAML_BYTES_MAX + 8192);
    status = read_file(path, SLG_YAML_BYTES_MAX, &bytes, reterr);
    if (status == SLG_OK)
        slg_conf_load(conf, path, bytes.data, bytes.len);
    slg_buf_fini(&bytes);
    return status;
}

void slg_conf_set(struct slg_conf *conf, const char *assignment)
{
    conf->file = "--set";
    if (conf->set_count == SETS_MAX) {
        add_mistake(conf, conf->set_count, "", "more than %d overrides, use a file", SETS_MAX);
        return;
    }
    conf->sets[conf->set_count] = slg_arena_copy(conf->arena, assignment, strlen(assignment));
    if (conf->sets[conf->set_count] == NULL)
        add_mistake(conf, conf->set_count, "", "the overrides need too much memory");
    else
        conf->set_count++;
}

/* ---- finish: defaults, overrides, checks ---- */

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

    if (slg_yaml_walk(text, strlen(text), key, on_node, conf, &line, &err) != SLG_OK)
        add_mistake(conf, line, key, "%s", err.message);
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
    generalise(key, general);
    if (!count_parent(conf, key))
        return;
    if (find_row(conf, general, "[]") != NULL) {
        drop_entries_below(conf, key);
        load_value(conf, key, node.value);
        return;
    }
    (void)on_node(conf, &node); /* a scalar: nothing to skip */
}

static void default_list(struct slg_conf *conf, const struct slg_conf_row *row, const char *key)
{
    if (find_entry(conf, key) == NULL)
        load_value(conf, key, row->fallback[0] == '\0' ? "[]" : row->fallback);
}

static void default_value(struct slg_conf *conf, const struct slg_conf_row *row, const char *key)
{
    struct slg_yaml_node node = { SLG_YAML_SCALAR, key, row->fallback, 0 };

    if (find_entry(conf, key) == NULL)
        add_entry(conf, &node, row, false);
}

/* Rows outside of lists, lists of values included; or the fields of every element of a list of objects. */
static void fill_row(struct slg_conf *conf, const struct slg_conf_row *row)
{
    const char *open = strstr(row->key, "[].");
    char list[SLG_YAML_PATH_MAX];
    char key[SLG_YAML_PATH_MAX];
    const struct entry *entry;
    size_t field_len = strlen(row->key) - (is_list_row(row) ? 2 : 0);
    size_t count = 1;

    if (open != NULL) {
        format_key(list, "%.*s", (int)(open - row->key), row->key);
        entry = find_entry(conf, list);
        count = entry == NULL ? 0 : (size_t)entry->number;
    }
    for (size_t i = 0; i < count; i++) {
        if (open == NULL)
            format_key(key, "%.*s", (int)field_len, row->key);
        else
            format_key(key, "%s[%zu].%.*s", list, i, (int)(row->key + field_len - (open + 3)),
                       open + 3);
        if (is_list_row(row))
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

static bool is_choice(const struct slg_conf_row *row, const char *text, int64_t *ret_index)
{
    const char *at = row->choices;
    size_t len = strlen(text);

    for (int64_t index = 0;; index++) {
        const char *end = strchrnul(at, '|');

        if ((size_t)(end - at) == len && memcmp(at, text, len) == 0) {
            *ret_index = index;
            return true;
        }
        if (*end == '\0')
            return false;
        at = end + 1;
    }
}

static bool is_port(const char *text)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));
    uint64_t port;

    return slg_cursor_take_uint(&c, 5, 65535, &port) && c.at == c.end;
}

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[256];
    struct in6_addr address;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !is_port(colon + 1))
        return false;
    (void)snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (host[0] == '[') {
        size_t len = strlen(host);

        if (host[len - 1] != ']')
            return false;
        host[len - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &address) == 1;
    }
    return host[0] != '\0' && strpbrk(host, ":/ []") == NULL;
}

static bool is_cidr(const char *text)
{
    struct slg_cidr ignored;

    return slg_cidr_parse(text, &ignored, NULL) == SLG_OK;
}

static bool is_secret(const char *text)
{
    static const char *const kinds[] = { "file:/", "env:", "cred:" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(text, kinds[i], len) == 0 && text[len] != '\0')
            return i == 0 || strchr(text + len, '/') == NULL;
    }
    return false;
}

static bool parse_int(const char *text, int64_t *ret_number)
{
    bool negative = text[0] == '-';
    struct slg_cursor c = slg_cursor_make(text + (negative ? 1 : 0), strlen(text) - negative);
    uint64_t number;

    if (!slg_cursor_take_uint(&c, 19, INT64_MAX, &number) || c.at != c.end)
        return false;
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* A bound as one would write it. */
static const char *print_number(const struct slg_conf_row *row, int64_t number,
                                char text[SLG_UNITS_TEXT_MAX])
{
    if (number == INT64_MAX && (row->flags & SLG_CONF_FOREVER) != 0)
        (void)snprintf(text, SLG_UNITS_TEXT_MAX, "forever");
    else if (row->type == SLG_CONF_SIZE)
        slg_units_print_size(number, text);
    else if (row->type == SLG_CONF_DURATION)
        slg_units_print_duration(number, text);
    else
        (void)snprintf(text, SLG_UNITS_TEXT_MAX, "%lld", (long long)number);
    return text;
}

static void tell_value(struct slg_conf *conf, const struct entry *entry, const char *format, ...)
    SLG_PRINTF(3, 4);
static void tell_value(struct slg_conf *conf, const struct entry *entry, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add_mistake_v(conf, entry->file, entry->line, entry->key, format, args);
    va_end(args);
}

/* INT, SIZE, DURATION. */
static void check_number(struct slg_conf *conf, struct entry *entry)
{
    const struct slg_conf_row *row = entry->row;
    size_t len = strlen(entry->text);
    char low[SLG_UNITS_TEXT_MAX], high[SLG_UNITS_TEXT_MAX];
    const char *kind = row->type == SLG_CONF_INT    ? "a whole number"
                       : row->type == SLG_CONF_SIZE ? "a size such as 8MiB"
                                                    : "a duration such as 1h30m";
    bool parsed;

    print_number(row, row->min, low);
    print_number(row, row->max, high);
    if ((row->flags & SLG_CONF_FOREVER) != 0 && strcmp(entry->text, "forever") == 0) {
        entry->number = SLG_CONF_FOREVER_VALUE;
        return;
    }
    if (row->type == SLG_CONF_INT)
        parsed = parse_int(entry->text, &entry->number);
    else if (row->type == SLG_CONF_SIZE)
        parsed = slg_units_parse_size(entry->text, len, &entry->number);
    else
        parsed = slg_units_parse_duration(entry->text, len, &entry->number);
    if (!parsed)
        tell_value(conf, entry, "\"%.80s\" is not %s, write one from %s to %s%s", entry->text, kind,
                   low, high, (row->flags & SLG_CONF_FOREVER) != 0 ? " or forever" : "");
    else if (entry->number < row->min || entry->number > row->max)
        tell_value(conf, entry, "%.80s is out of bounds, write %s to %s", entry->text, low, high);
}

/* What cannot stand in a settings file may still come by --set. */
static bool check_bytes(struct slg_conf *conf, const struct entry *entry)
{
    const uint8_t *text = (const uint8_t *)entry->text;
    size_t len = strlen(entry->text);

    for (size_t at = 0, step; at < len; at += step) {
        if (text[at] < 0x20 || text[at] == 0x7F) {
            tell_value(conf, entry, "holds a control character, remove it");
            return false;
        }
        if (!slg_utf8_check(text + at, len - at, &step)) {
            tell_value(conf, entry, "is not UTF-8, write it in UTF-8");
            return false;
        }
    }
    return true;
}

static void check_text(struct slg_conf *conf, const struct entry *entry)
{
    size_t len = strlen(entry->text);

    if ((int64_t)len < entry->row->min || (int64_t)len > entry->row->max)
        tell_value(conf, entry, "has %zu bytes, write %lld to %lld", len,
                   (long long)entry->row->min, (long long)entry->row->max);
}

static void check_value(struct slg_conf *conf, struct entry *entry)
{
    const struct slg_conf_row *row = entry->row;
    const char *text = entry->text;
    bool empty = text[0] == '\0';

    if (!check_bytes(conf, entry))
        return;
    if (empty && (row->flags & SLG_CONF_REQUIRED) != 0) {
        tell_value(conf, entry, "is missing, give it a value");
        return;
    }
    switch (row->type) {
    case SLG_CONF_BOOL:
        entry->number = strcmp(text, "true") == 0 ? 1 : 0;
        if (entry->number == 0 && strcmp(text, "false") != 0)
            tell_value(conf, entry, "\"%.80s\" is not a truth value, write true or false", text);
        return;
    case SLG_CONF_INT:
    case SLG_CONF_SIZE:
    case SLG_CONF_DURATION:
        check_number(conf, entry);
        return;
    case SLG_CONF_TEXT:
        check_text(conf, entry);
        return;
    case SLG_CONF_ENUM:
        if (!is_choice(row, text, &entry->number))
            tell_value(conf, entry, "\"%.80s\" is not one of %s", text, row->choices);
        return;
    case SLG_CONF_ADDRESS:
        if (!empty && !is_address(text))
            tell_value(conf, entry,
                       "\"%.80s\" is not an address, write host:port, for example 127.0.0.1:1514 "
                       "or [::1]:1514",
                       text);
        return;
    case SLG_CONF_CIDR:
        if (!is_cidr(text))
            tell_value(conf, entry,
                       "\"%.80s\" is not a network, write for example 192.0.2.0/24 or "
                       "2001:db8::/32",
                       text);
        return;
    case SLG_CONF_SECRET: /* what was written may be the secret itself: never repeat it */
        if (!empty && !is_secret(text))
            tell_value(conf, entry,
                       "is not a reference to a secret, write file:/PATH, env:NAME or cred:NAME");
        return;
    case SLG_CONF_OBJECTS:
        return;
    }
}

/* A field that an object lacks is complained about where the object's first field, or else its list, was given. */
static void place_defaults(struct slg_conf *conf)
{
    for (size_t i = 0; i < conf->entry_count; i++) {
        struct entry *entry = &conf->entries[i];
        const char *close = strrchr(entry->key, ']');
        const struct entry *place = NULL;
        char list[SLG_YAML_PATH_MAX];

        if (entry->given || close == NULL)
            continue;
        for (size_t k = 0; k < conf->entry_count && place == NULL; k++) {
            if (conf->entries[k].given &&
                strncmp(conf->entries[k].key, entry->key, (size_t)(close + 1 - entry->key)) == 0)
                place = &conf->entries[k];
        }
        format_key(list, "%.*s", (int)(strrchr(entry->key, '[') - entry->key), entry->key);
        if (place == NULL)
            place = find_entry(conf, list);
        if (place != NULL && place->given) {
            entry->file = place->file;
            entry->line = place->line;
        }
    }
}

static void check_list(struct slg_conf *conf, const struct entry *entry)
{
    int64_t most = entry->row->type == SLG_CONF_OBJECTS ? entry->row->max : SLG_CONF_LIST_MAX;

    if (entry->number > most)
        tell_value(conf, entry, "has %lld elements, at most %lld are allowed",
                   (long long)entry->number, (long long)most);
}

enum slg_status slg_conf_finish(struct slg_conf *conf)
{
    /* Default lists first, so that --set can change an element of them. */
    conf->file = NULL;
    for (size_t i = 0; i < conf->row_count; i++) {
        if (is_list_row(&conf->rows[i]) && strstr(conf->rows[i].key, "[].") == NULL)
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
    for (size_t i = 0; i < conf->entry_count; i++) {
        if (conf->entries[i].list)
            check_list(conf, &conf->entries[i]);
        else
            check_value(conf, &conf->entries[i]);
    }
    return conf->mistake_count == 0 ? SLG_OK : SLG_INVALID;
}

void slg_conf_add_mistake(struct slg_conf *conf, const char *key, const char *format, ...)
{
    const struct entry *entry = find_entry(conf, key);
    va_list args;

    va_start(args, format);
    add_mistake_v(conf, entry == NULL ? NULL : entry->file, entry == NULL ? 0 : entry->line, key,
                  format, args);
    va_end(args);
}

/* ---- getters ---- */

SLG_PRINTF(2, 0)
static const struct entry *get(const struct slg_conf *conf, const char *key, va_list args)
{
    char name[SLG_YAML_PATH_MAX];
    const struct entry *entry;

    SLG_ASSERT((size_t)vsnprintf(name, sizeof(name), key, args) < sizeof(name));
    entry = find_entry(conf, name);
    SLG_ASSERT(entry != NULL); /* not a key of the table, or an element past the end */
    return entry;
}

bool slg_conf_bool(const struct slg_conf *conf, const char *key, ...)
{
    const struct entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(entry->row->type == SLG_CONF_BOOL);
    return entry->number != 0;
}

int64_t slg_conf_number(const struct slg_conf *conf, const char *key, ...)
{
    const struct entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(!entry->list);
    SLG_ASSERT(entry->row->type == SLG_CONF_INT || entry->row->type == SLG_CONF_SIZE ||
               entry->row->type == SLG_CONF_DURATION || entry->row->type == SLG_CONF_ENUM);
    return entry->number;
}

const char *slg_conf_text(const struct slg_conf *conf, const char *key, ...)
{
    const struct entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(!entry->list);
    return entry->text;
}

size_t slg_conf_count(const struct slg_conf *conf, const char *key, ...)
{
    const struct entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(entry->list);
    return (size_t)entry->number;
}

bool slg_conf_given(const struct slg_conf *conf, const char *key, ...)
{
    const struct entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    return entry->given;
}

/* ---- secrets ---- */

static enum slg_status read_credential(const char *name, struct slg_buf *out,
                                       struct slg_error *reterr)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];

    if (directory == NULL)
        return slg_error_hintf(reterr, SLG_INVALID, "use LoadCredential= in the unit",
                               "secret \"cred:%s\": systemd gave no credentials directory", name);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
        return slg_errorf(reterr, SLG_INVALID, "secret \"cred:%s\": path is too long", name);
    return read_file(path, SLG_CONF_SECRET_MAX, out, reterr);
}

enum slg_status slg_conf_secret(const char *reference, struct slg_buf *ret_secret,
                                struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    size_t start = ret_secret->len;

    if (reference[0] == '\0')
        return SLG_NOT_FOUND;
    if (!is_secret(reference))
        return slg_errorf(reterr, SLG_INVALID, "not a reference to a secret");
    if (strncmp(reference, "file:", 5) == 0) {
        status = read_file(reference + 5, SLG_CONF_SECRET_MAX, ret_secret, reterr);
    } else if (strncmp(reference, "cred:", 5) == 0) {
        status = read_credential(reference + 5, ret_secret, reterr);
    } else {
        const char *value = getenv(reference + 4);

        if (value == NULL)
            return slg_errorf(reterr, SLG_INVALID, "secret \"%s\": no such variable", reference);
        slg_buf_append_text(ret_secret, value);
    }
    if (status != SLG_OK)
        return status;
    while (ret_secret->len > start && (ret_secret->data[ret_secret->len - 1] == '\n' ||
                                       ret_secret->data[ret_secret->len - 1] == '\r'))
        ret_secret->len--;
    if (ret_secret->len == start || slg_buf_failed(ret_secret))
        return slg_errorf(reterr, SLG_INVALID, "secret \"%s\" is empty or too long", reference);
    return SLG_OK;
}

/* ---- printing ---- */

/* Words that YAML reads as themselves need no quotes. */
static bool is_plain(const char *text)
{
    if (!((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z') ||
          (text[0] >= '0' && text[0] <= '9') || text[0] == '/'))
        return false;
    for (const char *at = text; *at != '\0'; at++) {
        if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
              (*at >= '0' && *at <= '9') || strchr("_./-", *at) != NULL ||
              (*at == ':' && at[1] != '\0' && at[1] != ' ')))
            return false;
    }
    return strcmp(text, "null") != 0;
}

static void print_text(struct slg_buf *out, const char *text)
{
    if (is_plain(text))
        slg_buf_append_text(out, text);
    else
        slg_buf_append_json_text(out, text);
}

static void print_value(struct slg_buf *out, const struct slg_conf_row *row, const char *text,
                        int64_t number)
{
    char printed[SLG_UNITS_TEXT_MAX];

    if (row->type == SLG_CONF_SIZE || row->type == SLG_CONF_DURATION || row->type == SLG_CONF_INT)
        slg_buf_append_text(out, print_number(row, number, printed));
    else
        print_text(out, text);
}

static void print_list_of_values(struct slg_buf *out, const struct slg_conf *conf, const char *key)
{
    const struct entry *list = find_entry(conf, key);
    char name[SLG_YAML_PATH_MAX];

    slg_buf_append_byte(out, '[');
    for (int64_t i = 0; list != NULL && i < list->number; i++) {
        const struct entry *entry;

        format_key(name, "%s[%lld]", key, (long long)i);
        entry = find_entry(conf, name);
        SLG_ASSERT(entry != NULL);
        slg_buf_append_text(out, i == 0 ? "" : ", ");
        print_text(out, entry->text);
    }
    slg_buf_append_text(out, "]");
}

/* One comment line: help, unit, bounds, default. name: of a field of an object, else "". */
static void print_help(struct slg_buf *out, const struct slg_conf_row *row, const char *indent,
                       const char *name)
{
    char low[SLG_UNITS_TEXT_MAX], high[SLG_UNITS_TEXT_MAX];

    slg_buf_printf(out, "%s#%s%s%s %s", indent, name[0] == '\0' ? "" : "   ", name,
                   name[0] == '\0' ? "" : ":", row->help);
    if (row->unit[0] != '\0')
        slg_buf_printf(out, " [%s]", row->unit);
    slg_buf_append_text(out, ".");
    if (row->type == SLG_CONF_INT || row->type == SLG_CONF_SIZE || row->type == SLG_CONF_DURATION)
        slg_buf_printf(out, " %s to %s%s.", print_number(row, row->min, low),
                       print_number(row, row->max, high),
                       (row->flags & SLG_CONF_FOREVER) != 0 && row->max != INT64_MAX ? " or forever"
                                                                                     : "");
    if (row->choices != NULL)
        slg_buf_printf(out, " One of %s.", row->choices);
    if ((row->flags & SLG_CONF_REQUIRED) != 0)
        slg_buf_append_text(out, " Required.");
    else if (row->type != SLG_CONF_OBJECTS || row->fallback[0] != '\0')
        slg_buf_printf(out, " Default: %s.", row->fallback[0] == '\0' ? "none" : row->fallback);
    slg_buf_append_text(out, (row->flags & SLG_CONF_RELOAD) != 0 ? " Reloaded on SIGHUP.\n" : "\n");
}

static const char *indent_of(size_t depth)
{
    static const char spaces[] = "                ";

    SLG_ASSERT(depth * 2 < sizeof(spaces));
    return spaces + sizeof(spaces) - 1 - depth * 2;
}

/* The name of a row below its list of objects, without a trailing "[]". */
static void field_name(const struct slg_conf_row *row, size_t prefix_len,
                       char name[SLG_YAML_PATH_MAX])
{
    size_t len = strlen(row->key + prefix_len) - (is_list_row(row) ? 2 : 0);

    (void)snprintf(name, SLG_YAML_PATH_MAX, "%.*s", (int)len, row->key + prefix_len);
}

static void print_object(struct slg_buf *out, const struct slg_conf *conf,
                         const struct slg_conf_row *list, const char *list_key, size_t index,
                         size_t depth)
{
    size_t prefix_len = strlen(list->key) + 1;
    bool first = true;

    for (size_t i = 0; i < conf->row_count; i++) {
        const struct slg_conf_row *row = &conf->rows[i];
        char name[SLG_YAML_PATH_MAX], key[SLG_YAML_PATH_MAX];
        const struct entry *entry;

        if (strncmp(row->key, list->key, prefix_len - 1) != 0 || row->key[prefix_len - 1] != '.')
            continue;
        field_name(row, prefix_len, name);
        format_key(key, "%s[%zu].%s", list_key, index, name);
        slg_buf_printf(out, "%s%s%s: ", indent_of(depth), first ? "- " : "  ", name);
        first = false;
        entry = find_entry(conf, key);
        if (is_list_row(row))
            print_list_of_values(out, conf, key);
        else if (entry != NULL)
            print_value(out, row, entry->text, entry->number);
        slg_buf_append_byte(out, '\n');
    }
}

static void print_objects(struct slg_buf *out, const struct slg_conf *conf,
                          const struct slg_conf_row *list, const char *list_key, size_t depth,
                          bool with_help)
{
    const struct entry *entry = find_entry(conf, list_key);
    const char *name = strrchr(list_key, '.') == NULL ? list_key : strrchr(list_key, '.') + 1;
    size_t prefix_len = strlen(list->key);
    char field[SLG_YAML_PATH_MAX];

    for (size_t i = 0; with_help && i < conf->row_count; i++) {
        const struct slg_conf_row *row = &conf->rows[i];

        if (strncmp(row->key, list->key, prefix_len) != 0 || row->key[prefix_len] != '.')
            continue;
        field_name(row, prefix_len + 1, field);
        print_help(out, row, indent_of(depth), field);
    }
    slg_buf_printf(out, "%s%s:", indent_of(depth), name);
    if (entry == NULL || entry->number == 0) {
        slg_buf_append_text(out, " []\n");
        return;
    }
    slg_buf_append_byte(out, '\n');
    for (int64_t i = 0; i < entry->number; i++)
        print_object(out, conf, list, list_key, (size_t)i, depth + 1);
}

/* Open the maps that lead to key and were not open for the key before: "a.b.c" after "a.x" -> "  b:". */
static size_t print_parents(struct slg_buf *out, const char *before, const char *key)
{
    size_t depth = 0;
    const char *start = key;
    bool same = true;

    for (const char *dot = strchr(key, '.'); dot != NULL; dot = strchr(start, '.')) {
        size_t len = (size_t)(dot - key) + 1;

        same = same && strncmp(before, key, len) == 0;
        if (!same)
            slg_buf_printf(out, "%s%s%.*s:\n", depth == 0 && before[0] != '\0' ? "\n" : "",
                           indent_of(depth), (int)(dot - start), start);
        start = dot + 1;
        depth++;
    }
    return depth;
}

void slg_conf_print(const struct slg_conf *conf, bool with_help, struct slg_buf *out)
{
    char key[SLG_YAML_PATH_MAX];
    char before[SLG_YAML_PATH_MAX] = "";

    for (size_t i = 0; i < conf->row_count; i++) {
        const struct slg_conf_row *row = &conf->rows[i];
        const struct entry *entry;
        const char *name;
        size_t depth;

        if (strstr(row->key, "[].") != NULL)
            continue; /* printed with its list */
        field_name(row, 0, key);
        depth = print_parents(out, before, key);
        memcpy(before, key, sizeof(before));
        if (with_help)
            print_help(out, row, indent_of(depth), "");
        if (row->type == SLG_CONF_OBJECTS) {
            print_objects(out, conf, row, key, depth, with_help);
            continue;
        }
        name = strrchr(key, '.') == NULL ? key : strrchr(key, '.') + 1;
        slg_buf_printf(out, "%s%s: ", indent_of(depth), name);
        entry = find_entry(conf, key);
        if (is_list_row(row))
            print_list_of_values(out, conf, key);
        else if (entry != NULL)
            print_value(out, row, entry->text, entry->number);
        slg_buf_append_byte(out, '\n');
    }
}

/* ---- reload ---- */

static bool same_entry(const struct entry *a, const struct entry *b)
{
    if (b == NULL || a->list != b->list || a->number != b->number)
        return false;
    /* 60s and 1m are the same: numbers are compared, texts only where there is no number. */
    if (a->row->type == SLG_CONF_INT || a->row->type == SLG_CONF_SIZE ||
        a->row->type == SLG_CONF_DURATION)
        return true;
    return strcmp(a->text, b->text) == 0;
}

void slg_conf_compare(const struct slg_conf *before, const struct slg_conf *after,
                      void (*changed)(void *arg, const char *key, bool reloadable), void *arg)
{
    for (size_t i = 0; i < after->entry_count; i++) {
        const struct entry *entry = &after->entries[i];

        if (!same_entry(entry, find_entry(before, entry->key)))
            changed(arg, entry->key, (entry->row->flags & SLG_CONF_RELOAD) != 0);
    }
    for (size_t i = 0; i < before->entry_count; i++) {
        const struct entry *entry = &before->entries[i];

        if (find_entry(after, entry->key) == NULL)
            changed(arg, entry->key, (entry->row->flags & SLG_CONF_RELOAD) != 0);
    }
}
