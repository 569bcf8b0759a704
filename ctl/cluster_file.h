/* ctl/cluster_file.h - DIR/cluster.json: the processes of a local cluster.
 *
 * Keys per process: name, role, pid (0 = not running), data_dir, log, syslog_udp, syslog_tcp, push, http, transport,
 * argv. A key that has no meaning for a role is absent.
 * Several silagectl may run at once: who changes the file holds DIR/lock from before it loads until it has saved. A
 * process is spawned under it and saved at once, so that none runs that the file does not know.
 * Owner: the struct holds its texts; fini frees. Threads: one. */
#ifndef SLG_CTL_CLUSTER_FILE_H
#define SLG_CTL_CLUSTER_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#define SLG_LOCAL_PROCESS_MAX ((size_t)64)
#define SLG_LOCAL_ARGS_MAX    ((size_t)96)
#define SLG_LOCAL_BYTES_MAX   ((size_t)4 << 20) /* of the document */

struct slg_local_process {
    const char *name; /* "storer-1" */
    const char *role;
    pid_t pid;
    bool child; /* of this silagectl, and not reaped yet; not in the file */
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
/* Wait until no other silagectl holds DIR/lock, and take it. NOT_FOUND: there is no such directory. */
SLG_MUST_CHECK enum slg_status slg_local_lock(const char *dir, int *ret_lock,
                                              struct slg_error *reterr);
void slg_local_unlock(int lock);
/* NOT_FOUND: there is no cluster in this directory. */
SLG_MUST_CHECK enum slg_status slg_local_load(struct slg_local_cluster *cluster, const char *dir,
                                              struct slg_error *reterr);
/* Atomically replace DIR/cluster.json. The caller holds the lock. */
SLG_MUST_CHECK enum slg_status slg_local_save(const struct slg_local_cluster *cluster,
                                              struct slg_error *reterr);
/* Append the document as it stands in the file; running (one a process, or NULL) is a further key of each. */
void slg_local_print(struct slg_buf *out, const struct slg_local_cluster *cluster,
                     const bool *running);
/* NULL: no process of that name. */
struct slg_local_process *slg_local_find(struct slg_local_cluster *cluster, const char *name);

#endif
