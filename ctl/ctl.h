/* ctl/ctl.h - what every verb of silagectl gets, and what it may use.
 *
 * Exit status: 0 done, 1 failed (one line on stderr), 2 wrong usage, 3 partial or degraded.
 * Threads: one; silagectl is a command. */
#ifndef SLG_CTL_CTL_H
#define SLG_CTL_CTL_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"

#define SLG_CTL_OK       0
#define SLG_CTL_FAILED   1
#define SLG_CTL_USAGE    2
#define SLG_CTL_DEGRADED 3

struct slg_ctl {
    const char *addr;  /* read API, without a slash at the end */
    const char *admin; /* admin API of any ingester or storer */
    const char *token; /* sent to both, and where `load` pushes; NULL: none */
    bool json;         /* -o json */
};

/* One option of a verb. Values are texts; NULL = not given. */
struct slg_ctl_option {
    const char *name;   /* "--since" */
    const char **value; /* where to put it */
    const char *help;   /* with unit and default */
    bool flag;          /* takes no value: *value becomes "" */
};

struct slg_ctl_verb {
    const char *name;    /* "query", "shard ls" */
    const char *usage;   /* "LOGQL [--since 1h] ..." */
    const char *summary; /* one line */
    const char *example;
    int (*run)(struct slg_ctl *ctl, int argc, char **argv);
};

/* Split argv into options and at most words_max words. False: the mistake was told on stderr. */
bool slg_ctl_options(const struct slg_ctl_verb *verb, int argc, char **argv,
                     const struct slg_ctl_option *options, size_t option_count, const char **words,
                     size_t words_max, size_t *ret_word_count);
/* A whole number in min..max; false: told on stderr. NULL text gives fallback. */
bool slg_ctl_number(const char *name, const char *text, int64_t min, int64_t max, int64_t fallback,
                    int64_t *ret_value);

/* "silagectl: could not ...; hint" on stderr; returns SLG_CTL_FAILED. */
int slg_ctl_fail(const struct slg_error *error);

/* Standard output of a whole text; a closed pipe ends the program quietly. */
void slg_ctl_print(const struct slg_buf *text);

/* "2026-11-21T22:42:29.123456789Z"; RFC 3339, UTC. text holds 40 bytes. */
void slg_ctl_time(int64_t ts_ns, char text[40]);

extern const struct slg_ctl_verb slg_ctl_verb_query, slg_ctl_verb_tail, slg_ctl_verb_labels,
    slg_ctl_verb_series, slg_ctl_verb_load, slg_ctl_verb_status, slg_ctl_verb_node,
    slg_ctl_verb_shard, slg_ctl_verb_local;

#endif
