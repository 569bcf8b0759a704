/* silage: reads the command line and the settings, starts the role, waits for the end. Wiring only. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "daemon/check.h"
#include "daemon/role.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2
#define EXIT_LEFT   3

/* Blocks from this size on come from mmap: untouched pages cost nothing and all go back. Else glibc raises the bound by
 * itself, and the lists of an LMDB environment (3 MB, hardly touched) become memory of the heap for each open shard. */
#define MALLOC_MMAP_BYTES  1000000
#define MALLOC_ARENA_COUNT 4
/* Freed memory goes back to the system so often: what a large query took stays in glibc's arenas otherwise. */
#define TRIM_SECONDS       5

static int fail(const struct slg_error *error)
{
    (void)fprintf(stderr, "silage: %s%s%s\n", error->message, error->hint[0] == '\0' ? "" : "; ",
                  error->hint);
    return error->status == SLG_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

static void tell_mistakes(const struct slg_conf *conf)
{
    for (size_t i = 0; i < slg_conf_mistake_count(conf); i++)
        (void)fprintf(stderr, "%s\n", slg_conf_mistake(conf, i));
}

static void setup_log(const struct slg_conf *conf)
{
    bool json = strcmp(slg_conf_text(conf, "log.format"), "json") == 0;

    slg_log_setup((enum slg_log_level)slg_conf_number(conf, "log.level"),
                  json ? SLG_LOG_JSON : SLG_LOG_KEY_VALUE, 2);
}

/* Signals are taken by sigtimedwait in this thread; every thread that starts later inherits the mask. */
static sigset_t block_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL); /* valid arguments */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow (ulimit -f) is a failed write */
    return signals;
}

/* Before any thread. A failure leaves the defaults, which work for fewer shards and clients. */
static void shape_process(void)
{
    struct rlimit files;

    (void)mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP_BYTES);
    (void)mallopt(M_ARENA_MAX, MALLOC_ARENA_COUNT);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static int wait_for_signal(const sigset_t *signals)
{
    const struct timespec pause = { .tv_sec = TRIM_SECONDS };
    int number;

    while ((number = sigtimedwait(signals, NULL, &pause)) <
           0)                 /* EAGAIN, or EINTR after a stop and continue */
        (void)malloc_trim(0); /* says whether there was anything to give back */
    return number;
}

static void tell_change(void *arg, const char *key, bool reloadable)
{
    bool *restart = arg;

    if (reloadable && strncmp(key, "log.", 4) == 0)
        return;
    *restart = true;
    slg_log_warn("setting changed, takes effect at the next start key=%s", key);
}

/* SIGHUP: log settings at once; everything else is named and waits for a restart. */
static void reload(const struct slg_settings_options *options, struct slg_conf **conf)
{
    struct slg_error error = { 0 };
    struct slg_conf *fresh = NULL;
    enum slg_status status = slg_settings_load(options, &fresh, &error);
    bool restart = false;

    (void)sd_notify(0, "RELOADING=1");
    if (status == SLG_OK) {
        slg_conf_compare(*conf, fresh, tell_change, &restart);
        setup_log(fresh);
        slg_log_info("settings reloaded restart_needed=%s", restart ? "yes" : "no");
    } else if (fresh != NULL) {
        for (size_t i = 0; i < slg_conf_mistake_count(fresh); i++)
            slg_log_error("settings not reloaded mistake=%s", slg_conf_mistake(fresh, i));
    } else {
        slg_log_failure(SLG_LOG_ERROR, "settings not reloaded", &error);
    }
    /* The running parts borrow texts of the first settings: those stay until the end. */
    slg_conf_destroy(fresh);
    (void)sd_notify(0, "READY=1");
}

static int run(enum slg_role role, const struct slg_settings_options *options,
               struct slg_conf *conf)
{
    sigset_t signals = block_signals();
    struct slg_error error = { 0 };
    struct slg_parts parts;
    uint64_t left = 0;
    int number = 0;

    shape_process();
    setup_log(conf);
    slg_log_info("starting role=%s version=%s", slg_role_text(role), SLG_VERSION);
    for (size_t i = 0; slg_settings_unused(conf, i) != NULL; i++)
        slg_log_warn("setting has no effect yet key=%s", slg_settings_unused(conf, i));
    if (slg_parts_start(&parts, role, conf, &error) != SLG_OK) {
        slg_log_failure(SLG_LOG_ERROR, "could not start", &error);
        slg_parts_fini(&parts);
        return error.status == SLG_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    slg_log_info("started role=%s node=%s", slg_role_text(role), parts.node_id);
    (void)sd_notify(0, "READY=1"); /* without systemd it does nothing */
    while ((number = wait_for_signal(&signals)) == SIGHUP)
        reload(options, &conf);
    (void)sd_notify(0, "STOPPING=1");
    slg_log_info("stopping signal=%d", number);
    slg_parts_stop(&parts, &left);
    slg_parts_fini(&parts);
    if (left > 0)
        slg_log_error("stopped with entries that no quorum took entries=%llu",
                      (unsigned long long)left);
    else
        slg_log_info("stopped role=%s", slg_role_text(role));
    return left > 0 ? EXIT_LEFT : 0;
}

static int print_settings(const struct slg_conf *conf)
{
    struct slg_buf out;
    bool good;

    slg_buf_init(&out, (size_t)4 << 20);
    slg_conf_print(conf, /* with_help= */ true, &out);
    good = !slg_buf_failed(&out) && fwrite(out.data, 1, out.len, stdout) == out.len;
    slg_buf_fini(&out);
    return good && fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

static int act(const struct slg_args *args)
{
    struct slg_settings_options options = { .file = args->file,
                                            .sets = args->sets,
                                            .set_count = args->set_count,
                                            .data_dir = args->data_dir };
    struct slg_error error = { 0 };
    struct slg_conf *conf = NULL;
    enum slg_status status = slg_settings_load(&options, &conf, &error);
    int code;

    if (status == SLG_OK && args->action != SLG_ACTION_PRINT_SETTINGS) {
        slg_check_start(conf, args->role);
        status = slg_conf_mistake_count(conf) == 0 ? SLG_OK : SLG_INVALID;
    }
    if (status != SLG_OK) {
        code = EXIT_USAGE;
        if (conf != NULL)
            tell_mistakes(conf);
        else
            (void)fail(&error); /* a file that cannot be read, --data that is too long: usage */
    } else if (args->action == SLG_ACTION_CHECK) {
        (void)printf("settings are good\n");
        code = 0;
    } else if (args->action == SLG_ACTION_PRINT_SETTINGS) {
        code = print_settings(conf);
    } else {
        code = run(args->role, &options, conf);
    }
    slg_conf_destroy(conf);
    return code;
}

int main(int argc, char **argv)
{
    struct slg_error error = { 0 };
    struct slg_args args;

    if (!slg_file_fill_standard())
        return EXIT_FAILED;
    if (slg_args_parse(argc, argv, &args, &error) != SLG_OK)
        return fail(&error);
    if (args.action == SLG_ACTION_HELP) {
        (void)fputs(slg_args_help(), stdout);
        return 0;
    }
    if (args.action == SLG_ACTION_VERSION) {
        (void)printf("silage " SLG_VERSION "\n");
        return 0;
    }
    return act(&args);
}
