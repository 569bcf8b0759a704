/* daemon/check.h - mistakes of settings that only those see who will use them.
 *
 * `--check` and the start look alike, so that what one finds good the other does not refuse.
 * Owner:   adds to the mistakes of conf. Threads: one. */
#ifndef SLG_DAEMON_CHECK_H
#define SLG_DAEMON_CHECK_H

#include "base/conf.h"
#include "daemon/args.h"

/* Listeners and label rules, as the ingester reads them; a part of slg_settings_load. conf is readable. */
void slg_check_ingester(struct slg_conf *conf);

/* What this role uses, for a host need not have the files of the others. The map file can be read, and no setting says
 * other than it does; secrets and TLS files can be read (cred: only under systemd); no two TCP listeners want one
 * address. conf is finished and has no mistakes. */
void slg_check_start(struct slg_conf *conf, enum slg_role role);

#define SLG_CHECK_KEY_BYTES ((size_t)80)

/* The n-th listener of this role, from 0, that is off loopback without tokens, an allow list or TLS, because a setting
 * allows it. False: behind the last. */
bool slg_check_insecure(const struct slg_conf *conf, enum slg_role role, size_t n,
                        char ret_key[SLG_CHECK_KEY_BYTES]);

#endif
