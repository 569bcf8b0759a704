/* ctl/process.h - one process of a local cluster: started, looked at, signalled, waited for.
 *
 * A pid in cluster.json may be another's by now (the process ended, the machine was started anew), so a process counts
 * as ours only while /proc/PID/cmdline says what its argv says. argv may begin with launchers that replace themselves,
 * such as env or nice: its last words must be the whole of cmdline.
 * Threads: one. */
#ifndef SLG_CTL_PROCESS_H
#define SLG_CTL_PROCESS_H

#include <stdbool.h>

#include "ctl/cluster_file.h"

/* Start argv in a session of its own, standard input from /dev/null, output and errors appended to its log. OK: it has
 * begun to execute argv[0], and pid and child are set. IO: it has not, and nothing is left of it. */
SLG_MUST_CHECK enum slg_status slg_process_spawn(struct slg_local_process *process,
                                                 struct slg_error *reterr);
/* Does it run, paused or not? Reaps it when it is a child of ours that has ended. */
bool slg_process_alive(struct slg_local_process *process);
/* INVALID: it does not run. IO. */
SLG_MUST_CHECK enum slg_status slg_process_signal(struct slg_local_process *process,
                                                  int signal_number, struct slg_error *reterr);
/* Wait until it does not run. False: it still does. */
bool slg_process_wait_gone(struct slg_local_process *process, int64_t timeout_ns);

#endif
