/* local: a cluster of real processes on this machine, on loopback ports that were free. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cluster/map.h"
#include "ctl/cluster_file.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/process.h"

#define READY_NS   (30 * SLG_NS_PER_SEC)
#define STOP_NS    (15 * SLG_NS_PER_SEC)
#define DAY_NS     (24 * 3600 * SLG_NS_PER_SEC)
#define POLL_MS    20
#define JOIN_NS    (10 * SLG_NS_PER_SEC)
#define SETS_MAX   ((size_t)32)
#define STORER_MAX ((int64_t)16)

struct up_options {
    int64_t storers, ingesters, queriers, slots;
    int64_t replication, write_quorum;
    bool repair;
    bool json;
    int64_t window_seconds;
    const char *sets[SETS_MAX];
    size_t set_count;
    const char *program; /* path of silage */
    const char *map;     /* "file:DIR/map.json" */
};

/* ---- processes ---- */

static bool port_is_free(int type, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    if (fd >= 0)
        (void)close(fd); /* nothing was sent */
    return good;
}

/* A port that was free a moment ago, another one for each slot. Not from the range in which the kernel gives ports to
 * whoever connects (32768 and up): such a one may be taken before the process is there, or while it is restarted. */
static enum slg_status free_port(int type, size_t slot, uint16_t *ret_port,
                                 struct slg_error *reterr)
{
    enum { PORT_MIN = 20000, PORT_COUNT = 12000, TRY_COUNT = 100 };
    size_t first = (size_t)getpid() * 64 + slot; /* several clusters, started at once, differ */

    for (size_t i = 0; i < TRY_COUNT; i++) {
        uint16_t port = (uint16_t)(PORT_MIN + (first + i * 997) % PORT_COUNT);

        if (!port_is_free(type, port))
            continue;
        *ret_port = port;
        return SLG_OK;
    }
    return slg_errorf(reterr, SLG_IO, "no free port on loopback from %d to %d: %s", PORT_MIN,
                      PORT_MIN + PORT_COUNT, strerror(errno));
}

/* False: reterr says why. body is cleared first. */
static bool ready(struct slg_fetch *fetch, const struct slg_local_process *process,
                  struct slg_buf *body, struct slg_error *reterr)
{
    struct slg_fetch_request request = { .timeout_ms = 2000 };
    size_t line = 0;
    char url[256];
    long code = 0;

    (void)snprintf(url, sizeof(url), "%s/ready", process->http);
    request.url = url;
    if (slg_fetch_run(fetch, &request, body, &code, reterr) != SLG_OK)
        return false;
    while (line < body->len && body->data[line] != '\n')
        line++;
    if (code != 200)
        (void)slg_errorf(reterr, SLG_UNAVAILABLE, "%.*s", line < 100 ? (int)line : 100,
                         line == 0 ? "" : (const char *)body->data);
    return code == 200;
}

static enum slg_status wait_ready(struct slg_local_process *process, struct slg_error *reterr)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + READY_NS;
    struct slg_fetch *fetch = slg_fetch_create(NULL);
    enum slg_status status = SLG_TIMEOUT;
    struct slg_error why = { 0 };
    struct slg_buf body;

    slg_buf_init(&body, 65536);
    while (fetch != NULL && status == SLG_TIMEOUT &&
           slg_clock_mono_ns(slg_clock_system()) < deadline) {
        if (!slg_process_alive(process))
            status = SLG_IO;
        else if (ready(fetch, process, &body, &why))
            status = SLG_OK;
        else
            (void)poll(NULL, 0, POLL_MS); /* the pace of asking */
    }
    slg_fetch_destroy(fetch);
    slg_buf_fini(&body);
    if (status == SLG_IO)
        (void)slg_errorf(reterr, status, "%s ended at once; see %s", process->name, process->log);
    else if (status == SLG_TIMEOUT)
        (void)slg_errorf(reterr, status, "%s is not ready after %d s: %.120s; see %s",
                         process->name, (int)(READY_NS / SLG_NS_PER_SEC), why.message,
                         process->log);
    return status;
}

/* Storers that do not know each other yet take lines, but answers say that they are incomplete. */
static void wait_joined(const struct slg_local_process *process)
{
    int64_t deadline = slg_clock_mono_ns(slg_clock_system()) + JOIN_NS;
    struct slg_fetch *fetch = slg_fetch_create(NULL);
    struct slg_buf body;
    bool joining = true;

    slg_buf_init(&body, 65536);
    while (fetch != NULL && joining && slg_clock_mono_ns(slg_clock_system()) < deadline) {
        joining = ready(fetch, process, &body, NULL) &&
                  memmem(body.data, body.len, "joining", strlen("joining")) != NULL;
        if (joining)
            (void)poll(NULL, 0, POLL_MS); /* the pace of asking */
    }
    slg_fetch_destroy(fetch);
    slg_buf_fini(&body);
}

/* ---- up ---- */

/* word NULL: no memory. plan_cluster sees by argc that not all found room. */
static void add_word(struct slg_local_process *process, const char *word)
{
    if (word == NULL || process->argc + 1 >= SLG_LOCAL_ARGS_MAX)
        process->argc = SLG_LOCAL_ARGS_MAX;
    else
        process->argv[process->argc++] = word;
}

static void add_set(struct slg_local_process *process, const char *assignment)
{
    add_word(process, "--set");
    add_word(process, assignment);
}

/* A directory of its own. Ingesters use it to tell, after an unclean end, that lines may be lost. */
static void add_data(struct slg_local_cluster *cluster, struct slg_local_process *process)
{
    process->data_dir = slg_arena_printf(cluster->arena, "%s/%s", cluster->dir, process->name);
    add_word(process, "--data");
    add_word(process, process->data_dir);
}

static enum slg_status add_process(struct slg_local_cluster *cluster, const struct up_options *up,
                                   const char *role, int64_t number, uint16_t ports[4],
                                   struct slg_error *reterr)
{
    struct slg_local_process *process = &cluster->processes[cluster->process_count];
    enum slg_status status = SLG_OK;
    struct slg_arena *arena = cluster->arena;

    for (size_t i = 0; i < 4 && status == SLG_OK; i++)
        status = free_port(i == 3 ? SOCK_DGRAM : SOCK_STREAM, cluster->process_count * 4 + i,
                           &ports[i], reterr);
    if (status != SLG_OK)
        return status;
    *process = (struct slg_local_process){ .role = slg_arena_copy(arena, role, strlen(role)) };
    process->name = slg_arena_printf(arena, "%s-%lld", role, (long long)number);
    process->log = slg_arena_printf(arena, "%s/%s-%lld.log", cluster->dir, role, (long long)number);
    process->http = slg_arena_printf(arena, "http://127.0.0.1:%u", ports[0]);
    add_word(process, up->program);
    add_word(process, process->role);
    add_set(process, slg_arena_printf(cluster->arena, "node.id=%s-%lld", role, (long long)number));
    add_set(process, slg_arena_printf(cluster->arena, "cluster.map=%s", up->map));
    add_set(process,
            slg_arena_printf(cluster->arena, "%s.http.listen=127.0.0.1:%u", role, ports[0]));
    cluster->process_count++;
    return SLG_OK;
}

static enum slg_status add_storer(struct slg_local_cluster *cluster, const struct up_options *up,
                                  int64_t number, struct slg_error *reterr)
{
    struct slg_local_process *process = &cluster->processes[cluster->process_count];
    uint16_t ports[4];
    enum slg_status status = add_process(cluster, up, "storer", number, ports, reterr);

    if (status != SLG_OK)
        return status;
    process->transport = slg_arena_printf(cluster->arena, "tcp://127.0.0.1:%u", ports[1]);
    add_set(process, slg_arena_printf(cluster->arena, "transport.listen=127.0.0.1:%u", ports[1]));
    add_data(cluster, process);
    if (!up->repair)
        add_set(process, "storer.repair.enabled=false");
    return SLG_OK;
}

static enum slg_status add_ingester(struct slg_local_cluster *cluster, const struct up_options *up,
                                    int64_t number, struct slg_error *reterr)
{
    struct slg_local_process *process = &cluster->processes[cluster->process_count];
    uint16_t ports[4];
    enum slg_status status = add_process(cluster, up, "ingester", number, ports, reterr);

    if (status != SLG_OK)
        return status;
    process->push = process->http;
    process->syslog_udp = slg_arena_printf(cluster->arena, "127.0.0.1:%u", ports[3]);
    process->syslog_tcp = slg_arena_printf(cluster->arena, "127.0.0.1:%u", ports[1]);
    add_set(process,
            slg_arena_printf(cluster->arena, "ingester.syslog[0].listen=127.0.0.1:%u", ports[3]));
    add_set(process, "ingester.syslog[0].protocol=udp");
    add_set(process,
            slg_arena_printf(cluster->arena, "ingester.syslog[1].listen=127.0.0.1:%u", ports[1]));
    add_set(process, "ingester.syslog[1].protocol=tcp");
    add_data(cluster, process);
    return SLG_OK;
}

static enum slg_status add_querier(struct slg_local_cluster *cluster, const struct up_options *up,
                                   int64_t number, struct slg_error *reterr)
{
    uint16_t ports[4];

    return add_process(cluster, up, "querier", number, ports, reterr);
}

/* The map file of the cluster: every storer of equal weight, each a zone of its own. */
/* What --set retention.default asks for, in seconds. A value that is none is told by the daemons when they start. */
static int64_t retention_seconds(const struct up_options *up)
{
    static const char key[] = "retention.default=";
    int64_t seconds = SLG_MAP_RETENTION_SECONDS_DEFAULT;

    for (size_t i = 0; i < up->set_count; i++) {
        const char *value = up->sets[i] + strlen(key);
        int64_t ns;

        if (strncmp(up->sets[i], key, strlen(key)) != 0)
            continue;
        if (strcmp(value, "forever") == 0)
            seconds = 0;
        else if (slg_units_parse_duration(value, strlen(value), &ns))
            seconds = ns / SLG_NS_PER_SEC;
    }
    return seconds;
}

static enum slg_status write_map(const struct slg_local_cluster *cluster,
                                 const struct up_options *up, const char *path,
                                 struct slg_error *reterr)
{
    struct slg_map *map = NULL;
    struct slg_buf text;
    enum slg_status status;
    size_t storers = 0;

    slg_buf_init(&text, SLG_MAP_BYTES_MAX);
    slg_buf_append_text(&text, "{\"version\":1,\"cluster\":\"local\",\"epoch\":1,\"nodes\":[");
    for (size_t i = 0; i < cluster->process_count; i++) {
        if (cluster->processes[i].transport != NULL)
            slg_buf_printf(&text, "%s{\"id\":\"%s\",\"address\":\"%s\",\"zone\":\"%s\"}",
                           storers++ == 0 ? "" : ",", cluster->processes[i].name,
                           cluster->processes[i].transport, cluster->processes[i].name);
    }
    slg_buf_printf(&text,
                   "],\"layouts\":[{\"replication\":%lld,\"write_quorum\":%lld,\"slots\":%lld,"
                   "\"window_seconds\":%lld,\"nodes\":[",
                   (long long)up->replication, (long long)up->write_quorum, (long long)up->slots,
                   (long long)up->window_seconds);
    storers = 0;
    for (size_t i = 0; i < cluster->process_count; i++) {
        if (cluster->processes[i].transport != NULL)
            slg_buf_printf(&text, "%s{\"id\":\"%s\"}", storers++ == 0 ? "" : ",",
                           cluster->processes[i].name);
    }
    slg_buf_printf(&text, "]}],\"retention_seconds\":%lld}", (long long)retention_seconds(up));
    status = slg_buf_failed(&text) ? SLG_LIMIT
                                   : slg_map_parse((const char *)text.data, text.len, &map, reterr);
    if (status == SLG_OK)
        status = slg_map_save(map, path, reterr);
    slg_map_unref(map);
    slg_buf_fini(&text);
    return status;
}

static enum slg_status plan_cluster(struct slg_local_cluster *cluster, struct up_options *up,
                                    struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    for (int64_t i = 1; i <= up->storers && status == SLG_OK; i++)
        status = add_storer(cluster, up, i, reterr);
    for (int64_t i = 1; i <= up->ingesters && status == SLG_OK; i++)
        status = add_ingester(cluster, up, i, reterr);
    for (int64_t i = 1; i <= up->queriers && status == SLG_OK; i++)
        status = add_querier(cluster, up, i, reterr);
    for (size_t i = 0; i < cluster->process_count; i++) {
        for (size_t k = 0; k < up->set_count; k++)
            add_set(&cluster->processes[i], up->sets[k]);
        if (cluster->processes[i].argc == SLG_LOCAL_ARGS_MAX)
            status = slg_errorf(reterr, SLG_LIMIT, "no room for the arguments of %s",
                                cluster->processes[i].name);
    }
    if (status == SLG_OK)
        status = write_map(cluster, up, up->map + strlen("file:"), reterr);
    return status;
}

static void print_json(struct slg_local_cluster *cluster)
{
    bool running[SLG_LOCAL_PROCESS_MAX];
    struct slg_buf out;

    for (size_t i = 0; i < cluster->process_count; i++)
        running[i] = slg_process_alive(&cluster->processes[i]);
    slg_buf_init(&out, SLG_LOCAL_BYTES_MAX);
    slg_local_print(&out, cluster, running);
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

static void print_cluster(struct slg_local_cluster *cluster, bool json)
{
    if (json) {
        print_json(cluster);
        return;
    }
    for (size_t i = 0; i < cluster->process_count; i++) {
        struct slg_local_process *p = &cluster->processes[i];

        (void)printf("%-12s %-8s pid %-8lld %s%s%s%s%s\n", p->name,
                     slg_process_alive(p) ? "running" : "stopped", (long long)p->pid, p->http,
                     p->syslog_udp == NULL ? "" : "  syslog udp ",
                     p->syslog_udp == NULL ? "" : p->syslog_udp,
                     p->syslog_tcp == NULL ? "" : " tcp ",
                     p->syslog_tcp == NULL ? "" : p->syslog_tcp);
    }
}

static void stop_all(struct slg_local_cluster *cluster, const char *role)
{
    for (size_t i = 0; i < cluster->process_count; i++) {
        struct slg_local_process *p = &cluster->processes[i];

        if (strcmp(p->role, role) != 0)
            continue;
        (void)!slg_process_signal(p, SIGCONT, NULL); /* it may be paused; it may have ended */
        (void)!slg_process_signal(p, SIGTERM, NULL);
    }
    for (size_t i = 0; i < cluster->process_count; i++) {
        struct slg_local_process *p = &cluster->processes[i];

        if (strcmp(p->role, role) != 0)
            continue;
        if (!slg_process_wait_gone(p, STOP_NS)) {
            (void)fprintf(stderr, "silagectl: %s did not end, killing it\n", p->name);
            (void)!slg_process_signal(p, SIGKILL, NULL); /* it may have ended meanwhile */
            if (!slg_process_wait_gone(p, STOP_NS))
                continue; /* it hangs in the kernel: its pid stays known */
        }
        p->pid = 0;
    }
}

/* Write down, under the lock, that processes have ended; others may have been started meanwhile. */
static enum slg_status forget_ended(const char *dir, struct slg_error *reterr)
{
    struct slg_local_cluster cluster = { 0 };
    int lock = -1;
    enum slg_status status = slg_local_lock(dir, &lock, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_local_load(&cluster, dir, reterr);
    for (size_t i = 0; status == SLG_OK && i < cluster.process_count; i++)
        if (!slg_process_alive(&cluster.processes[i]))
            cluster.processes[i].pid = 0;
    if (status == SLG_OK)
        status = slg_local_save(&cluster, reterr);
    slg_local_unlock(lock);
    slg_local_fini(&cluster);
    return status;
}

static enum slg_status down_all(struct slg_local_cluster *cluster, struct slg_error *reterr)
{
    /* Against the direction of the data: what is in an ingester's memory still finds its storers. */
    stop_all(cluster, "ingester");
    stop_all(cluster, "querier");
    stop_all(cluster, "storer");
    return forget_ended(cluster->dir, reterr);
}

/* Under the lock. What was started is known to others before the next is started. */
static enum slg_status spawn_saved(struct slg_local_cluster *cluster,
                                   struct slg_local_process *process, struct slg_error *reterr)
{
    enum slg_status status = slg_process_spawn(process, reterr);

    if (status == SLG_OK)
        status = slg_local_save(cluster, reterr);
    if (status != SLG_OK && slg_process_signal(process, SIGKILL, NULL) == SLG_OK)
        (void)!slg_process_wait_gone(process, STOP_NS); /* nobody would know of it */
    return status;
}

static enum slg_status wait_cluster(struct slg_local_cluster *cluster, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < cluster->process_count && status == SLG_OK; i++)
        status = wait_ready(&cluster->processes[i], reterr);
    for (size_t i = 0; i < cluster->process_count && status == SLG_OK; i++)
        if (strcmp(cluster->processes[i].role, "storer") == 0)
            wait_joined(&cluster->processes[i]);
    return status;
}

/* silage stands beside silagectl. */
static enum slg_status find_program(struct slg_local_cluster *cluster, const char **ret_path,
                                    struct slg_error *reterr)
{
    char own[4096];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    if (len <= 0)
        return slg_errorf(reterr, SLG_IO, "could not find out where silagectl is: %s",
                          strerror(errno));
    own[len] = '\0';
    slash = strrchr(own, '/');
    *slash = '\0';
    *ret_path = slg_arena_printf(cluster->arena, "%s/silage", own);
    if (*ret_path == NULL || access(*ret_path, X_OK) != 0)
        return slg_errorf(reterr, SLG_NOT_FOUND, "there is no program \"silage\" in %s", own);
    return SLG_OK;
}

static enum slg_status absolute_dir(const char *dir, char path[4096], struct slg_error *reterr)
{
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return slg_errorf(reterr, SLG_IO, "could not make \"%s\": %s", dir, strerror(errno));
    if (realpath(dir, path) == NULL)
        return slg_errorf(reterr, SLG_IO, "could not find \"%s\": %s", dir, strerror(errno));
    if (strlen(path) > 500)
        return slg_errorf(reterr, SLG_INVALID, "the path of --dir is longer than 500 bytes");
    return SLG_OK;
}

/* INVALID: processes of another cluster run there. CORRUPT: nobody can know whether they do. */
static enum slg_status check_free(const char *dir, struct slg_error *reterr)
{
    struct slg_local_cluster cluster = { 0 };
    enum slg_status status = slg_local_load(&cluster, dir, reterr);

    for (size_t i = 0; status == SLG_OK && i < cluster.process_count; i++) {
        if (slg_process_alive(&cluster.processes[i]))
            status = slg_error_hintf(reterr, SLG_INVALID, "end it with silagectl local down",
                                     "a cluster runs in \"%s\" already", dir);
    }
    slg_local_fini(&cluster);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

/* Under the lock. */
static enum slg_status spawn_cluster(struct slg_local_cluster *cluster, struct up_options *options,
                                     const char *dir, struct slg_error *reterr)
{
    enum slg_status status = check_free(dir, reterr);

    if (status == SLG_OK)
        status = slg_local_init(cluster, dir, reterr);
    if (status == SLG_OK)
        status = find_program(cluster, &options->program, reterr);
    if (status == SLG_OK) {
        options->map = slg_arena_printf(cluster->arena, "file:%s/map.json", dir);
        status = options->map == NULL ? SLG_NO_MEMORY : plan_cluster(cluster, options, reterr);
    }
    for (size_t i = 0; i < cluster->process_count && status == SLG_OK; i++)
        status = spawn_saved(cluster, &cluster->processes[i], reterr);
    return status;
}

static int up(const char *dir, struct up_options *options)
{
    struct slg_local_cluster cluster = { 0 };
    struct slg_error error = { 0 };
    char path[4096];
    int lock = -1;
    enum slg_status status = absolute_dir(dir, path, &error);

    if (status == SLG_OK)
        status = slg_local_lock(path, &lock, &error);
    if (status != SLG_OK)
        return slg_ctl_fail(&error);
    status = spawn_cluster(&cluster, options, path, &error);
    slg_local_unlock(lock);
    if (status == SLG_OK)
        status = wait_cluster(&cluster, &error);
    if (status == SLG_OK)
        print_cluster(&cluster, options->json);
    else if (cluster.process_count > 0)
        (void)!down_all(&cluster, NULL); /* the first failure is told */
    slg_local_fini(&cluster);
    return status == SLG_OK ? SLG_CTL_OK : slg_ctl_fail(&error);
}

/* Whole seconds that divide a day: what a map takes. */
static bool window_seconds(const char *text, int64_t *ret_seconds)
{
    int64_t ns = 0;

    if (slg_units_parse_duration(text, strlen(text), &ns) && ns > 0 && ns % SLG_NS_PER_SEC == 0 &&
        DAY_NS % ns == 0) {
        *ret_seconds = ns / SLG_NS_PER_SEC;
        return true;
    }
    (void)fprintf(
        stderr, "silagectl: --window \"%s\" must be like 1h, 15m or 1d, and divide a day\n", text);
    return false;
}

/* ---- one process ---- */

static const struct {
    const char *word;
    int signal_number; /* 0 = start */
} orders[] = {
    { "kill", SIGKILL },   { "stop", SIGTERM }, { "pause", SIGSTOP },
    { "resume", SIGCONT }, { "start", 0 },
};

static enum slg_status find_one(struct slg_local_cluster *cluster, const char *dir,
                                const char *name, struct slg_local_process **ret_process,
                                struct slg_error *reterr)
{
    enum slg_status status = slg_local_load(cluster, dir, reterr);

    if (status != SLG_OK)
        return status;
    *ret_process = slg_local_find(cluster, name);
    if (*ret_process != NULL)
        return SLG_OK;
    return slg_errorf(reterr, SLG_NOT_FOUND,
                      "no process is called \"%s\"; see silagectl local status", name);
}

static enum slg_status start_one(const char *dir, const char *name, struct slg_error *reterr)
{
    struct slg_local_cluster cluster = { 0 };
    struct slg_local_process *process = NULL;
    int lock = -1;
    enum slg_status status = slg_local_lock(dir, &lock, reterr);

    if (status != SLG_OK)
        return status;
    status = find_one(&cluster, dir, name, &process, reterr);
    if (status == SLG_OK && slg_process_alive(process))
        status = slg_errorf(reterr, SLG_INVALID, "%s runs already, pid %lld", name,
                            (long long)process->pid);
    if (status == SLG_OK)
        status = spawn_saved(&cluster, process, reterr);
    slg_local_unlock(lock);
    if (status == SLG_OK)
        status = wait_ready(process, reterr);
    slg_local_fini(&cluster);
    return status;
}

static enum slg_status signal_one(const char *dir, const char *name, int signal_number,
                                  struct slg_error *reterr)
{
    struct slg_local_cluster cluster = { 0 };
    struct slg_local_process *process = NULL;
    enum slg_status status = find_one(&cluster, dir, name, &process, reterr);

    if (status == SLG_OK)
        status = slg_process_signal(process, signal_number, reterr);
    if (status == SLG_OK && (signal_number == SIGKILL || signal_number == SIGTERM))
        status = slg_process_wait_gone(process, STOP_NS)
                     ? forget_ended(dir, reterr)
                     : slg_errorf(reterr, SLG_TIMEOUT, "%s did not end", name);
    slg_local_fini(&cluster);
    return status;
}

static int hurt_one(const char *order, const char *name, const char *dir)
{
    struct slg_error error = { 0 };
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < SLG_ARRAY_LEN(orders); i++) {
        if (strcmp(orders[i].word, order) == 0)
            status = orders[i].signal_number == 0
                         ? start_one(dir, name, &error)
                         : signal_one(dir, name, orders[i].signal_number, &error);
    }
    return status == SLG_OK ? SLG_CTL_OK : slg_ctl_fail(&error);
}

/* Under the lock: an `up` that is under way has started all by then. */
static enum slg_status load_locked(struct slg_local_cluster *cluster, const char *dir,
                                   struct slg_error *reterr)
{
    int lock = -1;
    enum slg_status status = slg_local_lock(dir, &lock, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_local_load(cluster, dir, reterr);
    slg_local_unlock(lock);
    return status;
}

static int down_or_status(const char *dir, bool down, bool json)
{
    struct slg_local_cluster cluster = { 0 };
    struct slg_error error = { 0 };
    enum slg_status status =
        down ? load_locked(&cluster, dir, &error) : slg_local_load(&cluster, dir, &error);
    int code = SLG_CTL_OK;

    if (status == SLG_OK && down)
        status = down_all(&cluster, &error);
    if (status != SLG_OK) {
        code = slg_ctl_fail(&error);
    } else {
        print_cluster(&cluster, json);
        for (size_t i = 0; i < cluster.process_count; i++) {
            if (slg_process_alive(&cluster.processes[i]) == down)
                code = down ? SLG_CTL_FAILED : SLG_CTL_DEGRADED;
        }
    }
    slg_local_fini(&cluster);
    return code;
}

/* ---- the verb ---- */

/* --set may be given many times: it is taken out before the other options are read. */
static int take_sets(int argc, char **argv, struct up_options *up)
{
    int kept = 0;

    for (int i = 0; i < argc; i++) {
        const char *value = strncmp(argv[i], "--set=", 6) == 0 ? argv[i] + 6
                            : i + 1 < argc                     ? argv[i + 1]
                                                               : NULL;

        if (strcmp(argv[i], "--set") != 0 && strncmp(argv[i], "--set=", 6) != 0) {
            argv[kept++] = argv[i];
        } else if (value != NULL && strchr(value, '=') != NULL && up->set_count < SETS_MAX) {
            up->sets[up->set_count++] = value;
            i += strcmp(argv[i], "--set") == 0;
        } else {
            (void)fprintf(stderr, "silagectl: --set needs KEY=VALUE, at most %zu times\n",
                          SETS_MAX);
            return -1;
        }
    }
    return kept;
}

/* Copies as asked for, else three of which two must be on disk, or as many as there are storers. */
static bool read_copies(const char *replication, const char *quorum, const char *repair,
                        struct up_options *ret_up)
{
    int64_t storers = ret_up->storers;

    if (!slg_ctl_number("--replication", replication, 1, 5, storers < 3 ? storers : 3,
                        &ret_up->replication) ||
        !slg_ctl_number("--write-quorum", quorum, 1, 5,
                        ret_up->replication < 2 ? ret_up->replication : 2, &ret_up->write_quorum))
        return false;
    if (ret_up->replication > storers || ret_up->write_quorum > ret_up->replication) {
        (void)fprintf(stderr,
                      "silagectl: --replication %lld with --write-quorum %lld does not work with "
                      "%lld storers: each copy needs a storer, and the quorum as many copies\n",
                      (long long)ret_up->replication, (long long)ret_up->write_quorum,
                      (long long)storers);
        return false;
    }
    ret_up->repair = repair == NULL || strcmp(repair, "on") == 0;
    if (ret_up->repair || strcmp(repair, "off") == 0)
        return true;
    (void)fprintf(stderr, "silagectl: --repair is \"%s\", write on or off\n", repair);
    return false;
}

static int run_local(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *dir = NULL, *storers = NULL, *ingesters = NULL, *queriers = NULL, *slots = NULL;
    const char *window = "1h", *replication = NULL, *quorum = NULL, *repair = NULL, *words[2];
    const char *set = NULL; /* for --help: take_sets has taken them */
    const struct slg_ctl_option options[] = {
        { "--dir", &dir, "directory of the cluster: cluster.json, logs, data", false },
        { "--storers", &storers, "how many, default 3", false },
        { "--ingesters", &ingesters, "how many, default 2", false },
        { "--queriers", &queriers, "how many, default 1", false },
        { "--slots", &slots, "K, shards per window, default 1", false },
        { "--window", &window, "length of a shard's window, default 1h", false },
        { "--replication", &replication, "R, copies of each batch, default 3", false },
        { "--write-quorum", &quorum, "W, copies on disk before a line is accepted, default 2",
          false },
        { "--repair", &repair, "on|off, default on: storers compare and complete their copies",
          false },
        { "--set", &set, "KEY=VALUE, a setting for every process; may be given many times", false },
    };
    struct up_options up_options = { .json = ctl->json };
    size_t count;

    argc = take_sets(argc, argv, &up_options);
    if (argc < 0 || !slg_ctl_options(&slg_ctl_verb_local, argc, argv, options,
                                     SLG_ARRAY_LEN(options), words, 2, &count))
        return SLG_CTL_USAGE;
    if (count == 0 || dir == NULL) {
        (void)fprintf(stderr, "silagectl local: write local up|down|status --dir DIR, or local "
                              "kill|stop|start|pause|resume NAME --dir DIR\n");
        return SLG_CTL_USAGE;
    }
    if (strcmp(words[0], "up") == 0 && count == 1) {
        if (!slg_ctl_number("--storers", storers, 1, STORER_MAX, 3, &up_options.storers) ||
            !slg_ctl_number("--ingesters", ingesters, 0, STORER_MAX, 2, &up_options.ingesters) ||
            !slg_ctl_number("--queriers", queriers, 0, STORER_MAX, 1, &up_options.queriers) ||
            !slg_ctl_number("--slots", slots, 1, 1024, 1, &up_options.slots) ||
            !window_seconds(window, &up_options.window_seconds) ||
            !read_copies(replication, quorum, repair, &up_options))
            return SLG_CTL_USAGE;
        return up(dir, &up_options);
    }
    if (count == 1 && (strcmp(words[0], "down") == 0 || strcmp(words[0], "status") == 0))
        return down_or_status(dir, strcmp(words[0], "down") == 0, ctl->json);
    for (size_t i = 0; i < SLG_ARRAY_LEN(orders); i++) {
        if (count == 2 && strcmp(orders[i].word, words[0]) == 0)
            return hurt_one(words[0], words[1], dir);
    }
    (void)fprintf(stderr, "silagectl local: cannot do \"%s\"%s; see silagectl local --help\n",
                  words[0], count == 2 ? "" : " without a process name");
    return SLG_CTL_USAGE;
}

const struct slg_ctl_verb slg_ctl_verb_local = {
    "local",
    "up|down|status|kill|stop|start|pause|resume [NAME] --dir DIR [--storers 3] [--set K=V]... ...",
    "a cluster of real processes on this machine", "local up --dir /tmp/cluster --storers 3",
    run_local
};
