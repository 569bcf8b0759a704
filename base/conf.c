#include "base/conf.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/conf_private.h"

#define MISTAKE_BYTES_MAX 512

/* ---- mistakes ---- */

void slg_conf_mistake_at(struct slg_conf *conf, const char *file, size_t line, const char *key,
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

size_t slg_conf_mistake_count(const struct slg_conf *conf)
{
    return conf->mistake_count;
}

const char *slg_conf_mistake(const struct slg_conf *conf, size_t index)
{
    SLG_ASSERT(index < conf->mistake_count);
    return conf->mistakes[index];
}

bool slg_conf_readable(const struct slg_conf *conf)
{
    return !conf->cut;
}

/* Is there a mistake "FILE:LINE: KEY: ..." already? */
static bool told(const struct slg_conf *conf, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < conf->mistake_count; i++) {
        const char *at = strstr(conf->mistakes[i], ": ");

        if (at != NULL && strncmp(at + 2, key, len) == 0 && at[2 + len] == ':')
            return true;
    }
    return false;
}

void slg_conf_add_mistake(struct slg_conf *conf, const char *key, const char *format, ...)
{
    const struct slg_conf_entry *entry = slg_conf_find_entry(conf, key);
    va_list args;

    if (told(conf, key))
        return;
    va_start(args, format);
    slg_conf_mistake_at(conf, entry == NULL ? NULL : entry->file, entry == NULL ? 0 : entry->line,
                        key, format, args);
    va_end(args);
}

/* ---- keys and rows ---- */

void slg_conf_format_key(char out[SLG_YAML_PATH_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    SLG_ASSERT(vsnprintf(out, SLG_YAML_PATH_MAX, format, args) < SLG_YAML_PATH_MAX);
    va_end(args);
}

void slg_conf_general_key(const char *key, char out[SLG_YAML_PATH_MAX])
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

const struct slg_conf_row *slg_conf_find_row(const struct slg_conf *conf, const char *general,
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

bool slg_conf_is_map(const struct slg_conf *conf, const char *general)
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

struct slg_conf_entry *slg_conf_find_entry(const struct slg_conf *conf, const char *key)
{
    for (size_t i = 0; i < conf->entry_count; i++) {
        if (strcmp(conf->entries[i].key, key) == 0)
            return &conf->entries[i];
    }
    return NULL;
}

bool slg_conf_is_list_row(const struct slg_conf_row *row)
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
    conf->arena = slg_arena_create(SLG_CONF_ARENA_BYTES_MAX);
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

/* ---- getters ---- */

SLG_PRINTF(2, 0)
static const struct slg_conf_entry *get(const struct slg_conf *conf, const char *key, va_list args)
{
    char name[SLG_YAML_PATH_MAX];
    const struct slg_conf_entry *entry;

    SLG_ASSERT((size_t)vsnprintf(name, sizeof(name), key, args) < sizeof(name));
    entry = slg_conf_find_entry(conf, name);
    SLG_ASSERT(entry != NULL); /* not a key of the table, or an element past the end */
    return entry;
}

bool slg_conf_bool(const struct slg_conf *conf, const char *key, ...)
{
    const struct slg_conf_entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(entry->row->type == SLG_CONF_BOOL);
    return entry->number != 0;
}

int64_t slg_conf_number(const struct slg_conf *conf, const char *key, ...)
{
    const struct slg_conf_entry *entry;
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
    const struct slg_conf_entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(!entry->list);
    return entry->text;
}

size_t slg_conf_count(const struct slg_conf *conf, const char *key, ...)
{
    const struct slg_conf_entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    SLG_ASSERT(entry->list);
    return (size_t)entry->number;
}

bool slg_conf_given(const struct slg_conf *conf, const char *key, ...)
{
    const struct slg_conf_entry *entry;
    va_list args;

    va_start(args, key);
    entry = get(conf, key, args);
    va_end(args);
    return entry->given;
}

/* ---- reload ---- */

static bool same_entry(const struct slg_conf_entry *a, const struct slg_conf_entry *b)
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
        const struct slg_conf_entry *entry = &after->entries[i];

        if (!same_entry(entry, slg_conf_find_entry(before, entry->key)))
            changed(arg, entry->key, (entry->row->flags & SLG_CONF_RELOAD) != 0);
    }
    for (size_t i = 0; i < before->entry_count; i++) {
        const struct slg_conf_entry *entry = &before->entries[i];

        if (slg_conf_find_entry(after, entry->key) == NULL)
            changed(arg, entry->key, (entry->row->flags & SLG_CONF_RELOAD) != 0);
    }
}
