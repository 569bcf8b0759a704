/* daemon/args.h - the command line of `silage`: ROLE and options (docs: silage --help).
 *
 * Owner: texts borrow from argv. Threads: pure.
 * Refuses: unknown roles and options, missing values: INVALID with a text for stderr, exit status 2. */
#ifndef SLG_DAEMON_ARGS_H
#define SLG_DAEMON_ARGS_H

#include "daemon/settings.h"

#define SLG_ARGS_SETS_MAX ((size_t)256)

enum slg_role {
    SLG_ROLE_ALL,
    SLG_ROLE_INGESTER,
    SLG_ROLE_STORER,
    SLG_ROLE_QUERIER,
};

enum slg_action {
    SLG_ACTION_RUN,
    SLG_ACTION_CHECK,
    SLG_ACTION_PRINT_SETTINGS,
    SLG_ACTION_VERSION,
    SLG_ACTION_HELP,
};

struct slg_args {
    enum slg_role role;
    enum slg_action action;
    const char *file;
    const char *data_dir;
    const char *sets[SLG_ARGS_SETS_MAX];
    size_t set_count;
};

const char *slg_role_text(enum slg_role role);
SLG_MUST_CHECK enum slg_status slg_args_parse(int argc, char *const *argv,
                                              struct slg_args *ret_args, struct slg_error *reterr);
/* The text of --help. */
const char *slg_args_help(void);

#endif
