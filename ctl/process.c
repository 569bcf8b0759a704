#include "ctl/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define POLL_MS           20
#define CMDLINE_BYTES_MAX ((size_t)2 << 20)

/* ---- starting ---- */

/* The same file on a descriptor that is none of 0, 1 and 2, which may be closed in this process; fd is used up. */
static int above_standard(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int why = errno;

    if (fd >= 0)
        (void)close(fd); /* high is the same file */
    errno = why;
    return high;
}

struct spawn_fds {
    int null, log, told_read, told_write;
};

static void close_all(const struct spawn_fds *fds)
{
    const int all[] = { fds->null, fds->log, fds->told_read, fds->told_write };

    for (size_t i = 0; i < SLG_ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            (void)close(all[i]); /* nothing was written by us */
}

static bool open_all(const char *log, struct spawn_fds *fds)
{
    int told[2] = { -1, -1 };

    *fds = (struct spawn_fds){ -1, -1, -1, -1 };
    fds->log = above_standard(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (fds->log >= 0)
        fds->null = above_standard(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (fds->null < 0 || pipe2(told, O_CLOEXEC) != 0)
        return false;
    fds->told_read = above_standard(told[0]);
    fds->told_write = above_standard(told[1]);
    return fds->told_read >= 0 && fds->told_write >= 0;
}

static void become(char **argv, const struct spawn_fds *fds)
{
    int why;

    (void)setsid(); /* it shall outlive this command; a new child is never a group leader */
    if (dup2(fds->null, 0) >= 0 && dup2(fds->log, 1) >= 0 && dup2(fds->log, 2) >= 0)
        (void)execv(argv[0], argv);
    why = errno;
    (void)!write(fds->told_write, &why, sizeof(why)); /* a pipe that is empty takes it */
    _exit(127);
}

/* 0: it executes argv[0], which closed the pipe; else errno of what failed. */
static int read_outcome(int fd)
{
    int why = 0;
    ssize_t len;

    do
        len = read(fd, &why, sizeof(why));
    while (len < 0 && errno == EINTR);
    return len == (ssize_t)sizeof(why) ? why : 0;
}

enum slg_status slg_process_spawn(struct slg_local_process *process, struct slg_error *reterr)
{
    char *argv[SLG_LOCAL_ARGS_MAX + 1];
    struct spawn_fds fds;
    pid_t pid = -1;
    int why = 0;

    SLG_ASSERT(process->argc > 0); /* slg_local_load refuses a process without */
    for (size_t i = 0; i < process->argc; i++)
        argv[i] = (char *)(uintptr_t)process->argv[i];
    argv[process->argc] = NULL;
    SLG_ASSERT(argv[0] != NULL);
    if (!open_all(process->log, &fds)) {
        why = errno;
        close_all(&fds);
        return slg_errorf(reterr, SLG_IO, "could not open the log \"%s\" of %s: %s", process->log,
                          process->name, strerror(why));
    }
    pid = fork();
    if (pid == 0)
        become(argv, &fds);
    why = pid < 0 ? errno : 0;
    (void)close(fds.told_write); /* the child has its own */
    fds.told_write = -1;
    if (pid > 0)
        why = read_outcome(fds.told_read);
    close_all(&fds);
    if (pid > 0 && why != 0)
        (void)waitpid(pid, NULL, 0); /* it ends at once */
    if (why != 0)
        return slg_errorf(reterr, SLG_IO, "could not start %s: \"%s\": %s", process->name, argv[0],
                          strerror(why));
    process->pid = pid;
    process->child = true;
    return SLG_OK;
}

/* ---- looking ---- */

/* Ended and not reaped by its parent: it does not run, and its command line is empty. */
static bool runs_argv(const struct slg_local_process *process)
{
    struct slg_buf found, wanted;
    char path[64];
    bool same;

    slg_buf_init(&found, CMDLINE_BYTES_MAX + 4096);
    slg_buf_init(&wanted, CMDLINE_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "/proc/%lld/cmdline", (long long)process->pid); /* short */
    for (size_t i = 0; i < process->argc; i++)
        slg_buf_append(&wanted, process->argv[i], strlen(process->argv[i]) + 1);
    same = slg_file_read(path, CMDLINE_BYTES_MAX, &found, NULL) == SLG_OK &&
           !slg_buf_failed(&wanted) && found.len > 0 && found.len <= wanted.len;
    if (same) {
        const uint8_t *tail = wanted.data + (wanted.len - found.len);

        same = memcmp(tail, found.data, found.len) == 0 &&
               (found.len == wanted.len || tail[-1] == '\0'); /* whole words */
    }
    slg_buf_fini(&found);
    slg_buf_fini(&wanted);
    return same;
}

bool slg_process_alive(struct slg_local_process *process)
{
    if (process->pid <= 0)
        return false;
    if (!process->child)
        return runs_argv(process);
    if (waitpid(process->pid, NULL, WNOHANG) == 0)
        return true;
    process->child = false; /* reaped: from here on the pid is another's */
    process->pid = 0;
    return false;
}

enum slg_status slg_process_signal(struct slg_local_process *process, int signal_number,
                                   struct slg_error *reterr)
{
    if (!slg_process_alive(process))
        return slg_errorf(reterr, SLG_INVALID, "%s does not run", process->name);
    if (kill(process->pid, signal_number) != 0)
        return slg_errorf(reterr, SLG_IO, "could not signal %s: %s", process->name,
                          strerror(errno));
    return SLG_OK;
}

bool slg_process_wait_gone(struct slg_local_process *process, int64_t timeout_ns)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + timeout_ns;

    while (slg_process_alive(process) && slg_clock_mono_ns(slg_clock_system()) < deadline)
        (void)poll(NULL, 0, POLL_MS); /* not our child: there is no event to wait for */
    return !slg_process_alive(process);
}
