/* daemon/check.h - mistakes of settings that only a look at the files shows which they name.
 *
 * `--check` and the start look alike, so that what one finds good the other does not refuse. Only what the role uses is
 * looked at: a host need not have the files of the others.
 * Owner:   adds to the mistakes of conf. Threads: one. */
#ifndef SLG_DAEMON_CHECK_H
#define SLG_DAEMON_CHECK_H

#include "base/conf.h"
#include "daemon/args.h"

/* The map file: it can be read, and no setting says other than it does. conf is finished and has no mistakes. */
void slg_check_files(struct slg_conf *conf, enum slg_role role);

#endif
