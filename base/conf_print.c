/* Settings: printing them as YAML, with help. */
#include "base/conf_private.h"

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
        slg_buf_append_text(out, slg_conf_print_number(row, number, printed));
    else
        print_text(out, text);
}

static void print_list_of_values(struct slg_buf *out, const struct slg_conf *conf, const char *key)
{
    const struct slg_conf_entry *list = slg_conf_find_entry(conf, key);
    char name[SLG_YAML_PATH_MAX];

    slg_buf_append_byte(out, '[');
    for (int64_t i = 0; list != NULL && i < list->number; i++) {
        const struct slg_conf_entry *entry;

        slg_conf_format_key(name, "%s[%lld]", key, (long long)i);
        entry = slg_conf_find_entry(conf, name);
        SLG_ASSERT(entry != NULL);
        slg_buf_append_text(out, i == 0 ? "" : ", ");
        print_text(out, entry->text);
    }
    slg_buf_append_text(out, "]");
}

/* What stands behind the name, and the end of the line. */
static void print_setting(struct slg_buf *out, const struct slg_conf *conf,
                          const struct slg_conf_row *row, const char *key)
{
    const struct slg_conf_entry *entry = slg_conf_find_entry(conf, key);

    if (slg_conf_is_list_row(row))
        print_list_of_values(out, conf, key);
    else if (entry != NULL)
        print_value(out, row, entry->text, entry->number);
    slg_buf_append_byte(out, '\n');
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
        slg_buf_printf(out, " %s to %s%s.", slg_conf_print_number(row, row->min, low),
                       slg_conf_print_number(row, row->max, high),
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
    size_t len = strlen(row->key + prefix_len) - (slg_conf_is_list_row(row) ? 2 : 0);

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

        if (strncmp(row->key, list->key, prefix_len - 1) != 0 || row->key[prefix_len - 1] != '.')
            continue;
        field_name(row, prefix_len, name);
        slg_conf_format_key(key, "%s[%zu].%s", list_key, index, name);
        slg_buf_printf(out, "%s%s%s: ", indent_of(depth), first ? "- " : "  ", name);
        first = false;
        print_setting(out, conf, row, key);
    }
}

static void print_objects(struct slg_buf *out, const struct slg_conf *conf,
                          const struct slg_conf_row *list, const char *list_key, size_t depth,
                          bool with_help)
{
    const struct slg_conf_entry *entry = slg_conf_find_entry(conf, list_key);
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
        print_setting(out, conf, row, key);
    }
}
