/* base/conf_private.h - inside of settings, for conf.c (keys, getters), conf_load.c, conf_check.c and conf_print.c.
 *
 * Threads: as base/conf.h says. */
#ifndef SLG_BASE_CONF_PRIVATE_H
#define SLG_BASE_CONF_PRIVATE_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/conf.h"
#include "base/units.h"
#include "base/yaml.h"

/* Texts, keys and mistakes of one settings file; overrides come on top. */
#define SLG_CONF_ARENA_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define SLG_CONF_SETS_MAX        256

/* A value, or the presence of a list (row of a list, key without "[]", number = element count). */
struct slg_conf_entry {
    const char *key;
    const char *text;
    const struct slg_conf_row *row;
    const char *file; /* where it, or the object it belongs to, was given; NULL: nowhere */
    size_t line;
    int64_t number;
    bool list;
    bool given; /* not a default */
};

/* A section of the file that was seen. */
struct slg_conf_section {
    struct slg_conf_section *next;
    const char *path;
    size_t line;
};

struct slg_conf {
    const struct slg_conf_row *rows;
    size_t row_count;
    struct slg_arena *arena;
    struct slg_conf_entry *entries;
    size_t entry_count;
    const char *sets[SLG_CONF_SETS_MAX];
    size_t set_count;
    const char *mistakes[SLG_CONF_MISTAKES_MAX];
    size_t mistake_count;
    struct slg_conf_section *sections;
    /* Where what is being loaded stands. */
    const char *file;
    size_t set_line; /* not 0: inside the n-th --set */
    bool replace;    /* --set: a second value wins instead of being a mistake */
    bool cut;        /* something could not be read or kept: values may be missing */
};

/* Note "file:line: key: ..."; file NULL: a default. */
void slg_conf_mistake_at(struct slg_conf *conf, const char *file, size_t line, const char *key,
                         const char *format, va_list args) SLG_PRINTF(5, 0);

/* Keys of rows are short (slg_conf_create) and indices have six digits: they fit. */
void slg_conf_format_key(char out[SLG_YAML_PATH_MAX], const char *format, ...) SLG_PRINTF(2, 3);
/* "a[12].b" -> "a[].b"; out has the size of a path. */
void slg_conf_general_key(const char *key, char out[SLG_YAML_PATH_MAX]);
/* The row whose key is general with suffix; NULL: none. */
const struct slg_conf_row *slg_conf_find_row(const struct slg_conf *conf, const char *general,
                                             const char *suffix);
/* True when some row lies below general: "ingester", "ingester.syslog[]". */
bool slg_conf_is_map(const struct slg_conf *conf, const char *general);
bool slg_conf_is_list_row(const struct slg_conf_row *row);
/* NULL: not given, and no default yet. */
struct slg_conf_entry *slg_conf_find_entry(const struct slg_conf *conf, const char *key);

/* Check every entry against its row and read its number; what is wrong becomes a mistake. */
void slg_conf_check(struct slg_conf *conf);
/* A number of the row as one would write it. Returns text. */
const char *slg_conf_print_number(const struct slg_conf_row *row, int64_t number,
                                  char text[SLG_UNITS_TEXT_MAX]);

#endif
