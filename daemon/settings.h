/* daemon/settings.h - every setting of the programs: one table, its relations, and how a command line becomes settings.
 *
 * The rows are the truth: docs/SETTINGS.md and deploy/silage.yaml are made from them (tests/lint/check_settings).
 * Owner:   what load returns is destroyed by slg_conf_destroy. Threads: one while loading. */
#ifndef SLG_DAEMON_SETTINGS_H
#define SLG_DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/conf.h"

#define SLG_SETTINGS_FILE_DEFAULT "/etc/silage/silage.yaml"

struct slg_settings_options {
    const char *file;        /* NULL: SLG_SETTINGS_FILE_DEFAULT if it is there, else defaults */
    const char *const *sets; /* KEY=VALUE of --set, in order */
    size_t set_count;
    const char *data_dir; /* --data; NULL: none; wins over file and sets */
};

const struct slg_conf_row *slg_settings_rows(size_t *ret_count);

/* Read and check. SLG_OK: *ret_conf is finished. SLG_INVALID: *ret_conf too is given, to read its mistakes from.
 * SLG_IO, SLG_NO_MEMORY: no *ret_conf; see reterr. */
SLG_MUST_CHECK enum slg_status slg_settings_load(const struct slg_settings_options *options,
                                                 struct slg_conf **ret_conf,
                                                 struct slg_error *reterr);

/* The n-th key, from 0, that was given though nothing uses it yet; NULL behind the last. */
const char *slg_settings_unused(const struct slg_conf *conf, size_t n);

/* "127.0.0.1:3100", "[::1]:3100", "localhost:1", "unix:..." stay on this machine. */
bool slg_settings_is_loopback(const char *address);

#endif
