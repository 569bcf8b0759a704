/* ctl/cluster_file.h - DIR/cluster.json: the processes of a local cluster.
 *
 * Keys per process: name, role, pid (0 = not running), data_dir, log, syslog_udp, syslog_tcp, push, http, transport,
 * argv. A key that has no meaning for a role is absent.
 * Owner: the struct holds its texts; fini frees. Threads: one. */
#ifndef SLG_CTL_CLUSTER_FILE_H
#define SLG_CTL_CLUSTER_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/status.h"

#define SLG_LOCAL_PROCESS_MAX ((size_t)64)
#define SLG_LOCAL_ARGS_MAX    ((size_t)96)

struct slg_local_process {
    const char *name; /* "storer-1" */
    const char *role;
    pid_t pid;
    const char *data_dir;
    const char *log;
    const char *syslog_udp; /* "127.0.0.1:41001" or NULL */
    const char *syslog_tcp;
    const char *push;
    const char *http; /* "http://127.0.0.1:41002" */
    const char *transport;
    const char *argv[SLG_LOCAL_ARGS_MAX];
    size_t argc;
};

struct slg_local_cluster {
    struct slg_arena *arena;
    const char *id;
    const char *dir;
    struct slg_local_process *processes; /* SLG_LOCAL_PROCESS_MAX of them */
    size_t process_count;
};

SLG_MUST_CHECK enum slg_status slg_local_init(struct slg_local_cluster *cluster, const char *dir,
                                              struct slg_error *reterr);
void slg_local_fini(struct slg_local_cluster *cluster);
/* NOT_FOUND: there is no cluster in this directory. */
SLG_MUST_CHECK enum slg_status slg_local_load(struct slg_local_cluster *cluster, const char *dir,
                                              struct slg_error *reterr);
/* Atomically replace DIR/cluster.json. */
SLG_MUST_CHECK enum slg_status slg_local_save(const struct slg_local_cluster *cluster,
                                              struct slg_error *reterr);
/* NULL: no process of that name. */
struct slg_local_process *slg_local_find(struct slg_local_cluster *cluster, const char *name);

#endif
