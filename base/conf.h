/* base/conf.h - settings: a table of keys, a YAML file, overrides, checks with file:line, typed getters.
 *
 * The program states each key as one row (daemon/settings.c); the rows make the checks, `--print-settings` and
 * docs/SETTINGS.md. Keys are paths: "storer.commit_ms"; a row whose key ends in "[]" is a list, of values
 * ("ingester.syslog[].allow[]") or, with type OBJECTS, of objects whose fields have rows of their own
 * ("ingester.syslog[]", "ingester.syslog[].listen").
 *
 * Order: create, load (at most one file), set (any number), finish; then only getters. finish fills in defaults and
 * checks everything; all mistakes are collected as "file:line: key: what is wrong, what would be right".
 * Owner:   texts that getters return live as long as the struct slg_conf. rows are borrowed for ever (static const).
 * Threads: one until finish; afterwards constant: any number may read.
 * Refuses: unknown keys (naming the nearest known one), keys given twice, values out of bounds, files over
 *          SLG_YAML_BYTES_MAX. A getter of a key or type that the table does not have is an assertion failure. */
#ifndef SLG_BASE_CONF_H
#define SLG_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

enum slg_conf_type {
    SLG_CONF_BOOL,
    SLG_CONF_INT,
    SLG_CONF_SIZE,     /* bytes, written as 8MiB */
    SLG_CONF_DURATION, /* ns, written as 1h30m */
    SLG_CONF_TEXT,     /* min and max are bounds of its length in bytes */
    SLG_CONF_ENUM,     /* one word of `choices` */
    SLG_CONF_ADDRESS,  /* host:port, [IPv6]:port; port 0 = any free one */
    SLG_CONF_CIDR,     /* 192.0.2.0/24, 2001:db8::/32, a single address */
    SLG_CONF_SECRET,   /* file:PATH, env:NAME or cred:NAME, never the value: base/secret.h */
    SLG_CONF_OBJECTS,  /* list of objects; max is the most elements */
};

enum slg_conf_flag {
    SLG_CONF_RELOAD = 1,   /* SIGHUP applies a change */
    SLG_CONF_FOREVER = 2,  /* a duration may be "forever" (INT64_MAX) */
    SLG_CONF_REQUIRED = 4, /* field of an object that has no default */
};

struct slg_conf_row {
    const char *key;
    enum slg_conf_type type;
    const char *unit; /* of the value, for people; "" when the type says it */
    int64_t min;
    int64_t max;
    const char *fallback; /* the default as one would write it; of a list: YAML such as [a, b] */
    const char *choices;  /* of an ENUM: "error|warn|info|debug"; else NULL */
    unsigned flags;
    const char *help; /* one line, whole sentence without the period */
};

/* Most values of a file, and most elements of one list of values. */
#define SLG_CONF_ENTRIES_MAX   4096
#define SLG_CONF_LIST_MAX      1024
#define SLG_CONF_MISTAKES_MAX  100
#define SLG_CONF_FOREVER_VALUE INT64_MAX

struct slg_conf; /* opaque */

/* NULL when the system has no memory. */
SLG_MUST_CHECK struct slg_conf *slg_conf_create(const struct slg_conf_row *rows, size_t row_count);
void slg_conf_destroy(struct slg_conf *conf);

/* A failure (reterr) when the file cannot be read. What is wrong inside is a mistake, told by finish. */
SLG_MUST_CHECK enum slg_status slg_conf_load_file(struct slg_conf *conf, const char *path,
                                                  struct slg_error *reterr);
/* The same from memory; name stands for the file in messages and is copied. */
void slg_conf_load(struct slg_conf *conf, const char *name, const void *bytes, size_t len);
/* One --set KEY=VALUE; wins over the file; may name list elements ("ingester.syslog[0].listen=127.0.0.1:0", one past
 * the last appends) and whole lists ("ingester.syslog[0].allow=[10.0.0.0/8]"). */
void slg_conf_set(struct slg_conf *conf, const char *assignment);
/* SLG_OK, or SLG_INVALID: see the mistakes. Call once. */
SLG_MUST_CHECK enum slg_status slg_conf_finish(struct slg_conf *conf);
/* After finish: may the getters be used in spite of mistakes, to look for more? A number that is none reads as 0. */
bool slg_conf_readable(const struct slg_conf *conf);
/* A mistake that only the program can see (relations between keys), at the line of key. After finish. One that is told
 * of the same key already wins. */
void slg_conf_add_mistake(struct slg_conf *conf, const char *key, const char *format, ...)
    SLG_PRINTF(3, 4);
size_t slg_conf_mistake_count(const struct slg_conf *conf);
const char *slg_conf_mistake(const struct slg_conf *conf, size_t index);

/* Getters. The key is a printf format: slg_conf_text(conf, "ingester.syslog[%zu].listen", i). */
bool slg_conf_bool(const struct slg_conf *conf, const char *key, ...) SLG_PRINTF(2, 3);
/* INT as it is, SIZE in bytes, DURATION in ns (SLG_CONF_FOREVER_VALUE), ENUM as the index of the choice. */
int64_t slg_conf_number(const struct slg_conf *conf, const char *key, ...) SLG_PRINTF(2, 3);
/* TEXT, ENUM, ADDRESS, CIDR, SECRET as written. Never NULL; "" when not set. */
const char *slg_conf_text(const struct slg_conf *conf, const char *key, ...) SLG_PRINTF(2, 3);
/* Elements of a list; key without the "[]". */
size_t slg_conf_count(const struct slg_conf *conf, const char *key, ...) SLG_PRINTF(2, 3);
/* True when the file or --set gave it. */
bool slg_conf_given(const struct slg_conf *conf, const char *key, ...) SLG_PRINTF(2, 3);

/* Append the effective settings as YAML that load reads back; with_help: each key with unit, default and help. */
void slg_conf_print(const struct slg_conf *conf, bool with_help, struct slg_buf *out);

/* Call changed() for each key whose value differs between two finished settings. */
void slg_conf_compare(const struct slg_conf *before, const struct slg_conf *after,
                      void (*changed)(void *arg, const char *key, bool reloadable), void *arg);

#endif
