#include "ctl/cluster_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

/* The texts of a process and where they go. */
static const struct text_key {
    const char *name;
    size_t offset;
} text_keys[] = {
    { "name", offsetof(struct slg_local_process, name) },
    { "role", offsetof(struct slg_local_process, role) },
    { "data_dir", offsetof(struct slg_local_process, data_dir) },
    { "log", offsetof(struct slg_local_process, log) },
    { "syslog_udp", offsetof(struct slg_local_process, syslog_udp) },
    { "syslog_tcp", offsetof(struct slg_local_process, syslog_tcp) },
    { "push", offsetof(struct slg_local_process, push) },
    { "http", offsetof(struct slg_local_process, http) },
    { "transport", offsetof(struct slg_local_process, transport) },
};

static const char **text_at(struct slg_local_process *process, const struct text_key *key)
{
    return (const char **)(void *)((char *)process + key->offset);
}

enum slg_status slg_local_init(struct slg_local_cluster *cluster, const char *dir,
                               struct slg_error *reterr)
{
    *cluster = (struct slg_local_cluster){ .arena = slg_arena_create((size_t)8 << 20) };
    if (cluster->arena != NULL) {
        cluster->dir = slg_arena_copy(cluster->arena, dir, strlen(dir));
        cluster->processes =
            slg_arena_calloc(cluster->arena, SLG_LOCAL_PROCESS_MAX, sizeof(*cluster->processes));
    }
    if (cluster->arena == NULL || cluster->dir == NULL || cluster->processes == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the list of processes");
    cluster->id = "local";
    return SLG_OK;
}

static enum slg_status no_cluster(const char *dir, struct slg_error *reterr)
{
    return slg_error_hintf(reterr, SLG_NOT_FOUND, "start one with silagectl local up --dir DIR",
                           "there is no cluster in \"%s\"", dir);
}

void slg_local_fini(struct slg_local_cluster *cluster)
{
    slg_arena_destroy(cluster->arena);
    *cluster = (struct slg_local_cluster){ 0 };
}

struct slg_local_process *slg_local_find(struct slg_local_cluster *cluster, const char *name)
{
    for (size_t i = 0; i < cluster->process_count; i++) {
        if (strcmp(cluster->processes[i].name, name) == 0)
            return &cluster->processes[i];
    }
    return NULL;
}

/* ---- one at a time ---- */

enum slg_status slg_local_lock(const char *dir, int *ret_lock, struct slg_error *reterr)
{
    char path[4096];
    int fd = -1, why = ENAMETOOLONG;

    if (snprintf(path, sizeof(path), "%s/lock", dir) < (int)sizeof(path)) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        why = errno;
    }
    if (fd < 0 && why == ENOENT)
        return no_cluster(dir, reterr);
    if (fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path, strerror(why));
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        why = errno;
        (void)close(fd); /* nothing was written */
        return slg_errorf(reterr, SLG_IO, "could not lock \"%s\": %s", path, strerror(why));
    }
    *ret_lock = fd;
    return SLG_OK;
}

void slg_local_unlock(int lock)
{
    (void)close(lock); /* nothing was written */
}

/* ---- reading ---- */

static enum slg_status take_process(struct slg_local_cluster *cluster, const struct slg_json *item,
                                    struct slg_error *reterr)
{
    struct slg_local_process *process = &cluster->processes[cluster->process_count];
    const struct slg_json *argv = slg_json_get(item, "argv");

    *process =
        (struct slg_local_process){ .pid = (pid_t)slg_json_int(slg_json_get(item, "pid"), 0) };
    for (size_t i = 0; i < SLG_ARRAY_LEN(text_keys); i++) {
        const char *text = slg_json_text(slg_json_get(item, text_keys[i].name));

        if (text != NULL)
            *text_at(process, &text_keys[i]) = slg_arena_copy(cluster->arena, text, strlen(text));
    }
    for (size_t i = 0; i < slg_json_count(argv) && i + 1 < SLG_LOCAL_ARGS_MAX; i++) {
        const char *text = slg_json_text(slg_json_at(argv, i));

        process->argv[process->argc++] = slg_arena_copy(cluster->arena, text == NULL ? "" : text,
                                                        text == NULL ? 0 : strlen(text));
    }
    if (process->name == NULL || process->role == NULL || process->argc == 0)
        return slg_errorf(reterr, SLG_CORRUPT, "process %zu has no name, role or argv",
                          cluster->process_count);
    cluster->process_count++;
    return SLG_OK;
}

static enum slg_status take_id(struct slg_local_cluster *cluster, const struct slg_json *root,
                               struct slg_error *reterr)
{
    const char *id = slg_json_text(slg_json_get(root, "cluster"));

    if (id == NULL)
        return slg_errorf(reterr, SLG_CORRUPT, "it names no cluster");
    cluster->id = slg_arena_copy(cluster->arena, id, strlen(id));
    return cluster->id == NULL ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for cluster.json")
                               : SLG_OK;
}

enum slg_status slg_local_load(struct slg_local_cluster *cluster, const char *dir,
                               struct slg_error *reterr)
{
    const struct slg_json *processes;
    struct slg_json *root = NULL;
    struct slg_buf text;
    char *path;
    enum slg_status status = slg_local_init(cluster, dir, reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&text, SLG_LOCAL_BYTES_MAX + 4096);
    path = slg_arena_printf(cluster->arena, "%s/cluster.json", dir);
    status = path == NULL ? SLG_NO_MEMORY : slg_file_read(path, SLG_LOCAL_BYTES_MAX, &text, reterr);
    if (status == SLG_NOT_FOUND)
        status = no_cluster(dir, reterr);
    if (status == SLG_OK)
        status = slg_json_parse(text.data, text.len, &root, reterr);
    processes = slg_json_get(root, "processes");
    if (status == SLG_OK)
        status = take_id(cluster, root, reterr);
    if (status == SLG_OK && slg_json_type(processes) != SLG_JSON_LIST)
        status = slg_errorf(reterr, SLG_CORRUPT, "it has no list of processes");
    for (size_t i = 0; status == SLG_OK && i < slg_json_count(processes); i++) {
        if (i == SLG_LOCAL_PROCESS_MAX)
            status = slg_errorf(reterr, SLG_CORRUPT, "it has too many processes");
        else
            status = take_process(cluster, slg_json_at(processes, i), reterr);
    }
    if (status == SLG_INVALID || status == SLG_CORRUPT)
        (void)slg_error_context(reterr, "\"%s\"", path); /* what is wrong with which file */
    slg_json_destroy(root);
    slg_buf_fini(&text);
    return status;
}

/* ---- writing ---- */

static void print_process(struct slg_buf *out, struct slg_local_process *process,
                          const bool *running)
{
    slg_buf_printf(out, "{\"pid\":%lld", (long long)process->pid);
    if (running != NULL)
        slg_buf_printf(out, ",\"running\":%s", *running ? "true" : "false");
    for (size_t i = 0; i < SLG_ARRAY_LEN(text_keys); i++) {
        const char *text = *text_at(process, &text_keys[i]);

        if (text == NULL)
            continue;
        slg_buf_printf(out, ",\"%s\":", text_keys[i].name);
        slg_buf_append_json_text(out, text);
    }
    slg_buf_append_text(out, ",\"argv\":[");
    for (size_t i = 0; i < process->argc; i++) {
        slg_buf_append_text(out, i == 0 ? "" : ",");
        slg_buf_append_json_text(out, process->argv[i]);
    }
    slg_buf_append_text(out, "]}");
}

void slg_local_print(struct slg_buf *out, const struct slg_local_cluster *cluster,
                     const bool *running)
{
    slg_buf_append_text(out, "{\"cluster\":");
    slg_buf_append_json_text(out, cluster->id);
    slg_buf_append_text(out, ",\"processes\":[");
    for (size_t i = 0; i < cluster->process_count; i++) {
        struct slg_local_process process = cluster->processes[i];

        slg_buf_append_text(out, i == 0 ? "\n" : ",\n");
        print_process(out, &process, running == NULL ? NULL : &running[i]);
    }
    slg_buf_append_text(out, "]}\n");
}

enum slg_status slg_local_save(const struct slg_local_cluster *cluster, struct slg_error *reterr)
{
    char *path = slg_arena_printf(cluster->arena, "%s/cluster.json", cluster->dir);
    char *fresh =
        slg_arena_printf(cluster->arena, "%s/cluster.json.new", cluster->dir); /* locked */
    struct slg_buf out;
    FILE *file;
    bool good;

    if (path == NULL || fresh == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the list of processes");
    slg_buf_init(&out, SLG_LOCAL_BYTES_MAX);
    slg_local_print(&out, cluster, NULL);
    file = fopen(fresh, "we");
    good = file != NULL && !slg_buf_failed(&out) && fwrite(out.data, 1, out.len, file) == out.len;
    if (file != NULL && fclose(file) != 0)
        good = false;
    slg_buf_fini(&out);
    if (!good || rename(fresh, path) != 0)
        return slg_errorf(reterr, SLG_IO, "could not write \"%s\": %s", path, strerror(errno));
    return SLG_OK;
}
