/* load: sends realistic traffic at a rate, and checks that every line arrived exactly once. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/progress.h"
#include "ctl/traffic.h"
#include "ctl/url.h"
#include "ctl/verify.h"
#include "proto/label.h"

#define MESSAGE_BYTES_MAX ((size_t)66000)
#define PUSH_LINES        ((size_t)500)
#define HOST_BYTES_MAX    ((size_t)256)
#define SETTLE_NS         (10 * SLG_NS_PER_SEC)
#define PACE_LINES        ((int64_t)64) /* at high rates the clock is looked at every so many lines */
#define PACE_EACH_BELOW   ((int64_t)10000) /* lines/s */
#define SELECTOR_BYTES    ((size_t)64)
#define BURST_NS          SLG_NS_PER_MS /* how far ahead of the pace a burst may run */

enum target_kind {
    TARGET_UDP,
    TARGET_TCP,
    TARGET_HTTP,
};

struct load {
    enum target_kind kind;
    const char *url;
    const char *token; /* for pushes and for --verify, or NULL */
    int fd;
    struct slg_fetch *fetch;
    struct slg_buf push; /* body under construction */
    size_t push_lines;
    struct slg_buf answer;
    struct slg_buf message;
    struct slg_traffic traffic;
    struct slg_verify *verify;
    uint32_t run_id;
    int64_t lines;
    int64_t rate;
    int64_t made;   /* lines that were sent, or wait in push */
    int64_t sent;   /* of them; pushes count when they are answered 2xx */
    int64_t resent; /* pushes that were repeated after a 503 or a lost answer */
    FILE *file;     /* lines to send instead of made-up ones */
    double seconds; /* that sending took */
    bool json;
    struct slg_progress progress;
};

/* ---- connecting ---- */

static const struct {
    const char *scheme;
    enum target_kind kind;
} schemes[] = {
    { "udp://", TARGET_UDP },
    { "tcp://", TARGET_TCP },
    { "http://", TARGET_HTTP },
    { "https://", TARGET_HTTP },
};

/* INVALID: the user wrote something else than a target. */
static enum slg_status check_target(struct load *load, const char *to, struct slg_error *reterr)
{
    const char *colon = strrchr(to, ':');
    const char *digits = colon == NULL ? "" : colon + 1;
    struct slg_cursor c = slg_cursor_make(digits, strlen(digits));
    struct slg_url_parts parts;
    uint64_t port = 0;
    size_t i = 0;

    while (i < SLG_ARRAY_LEN(schemes) &&
           strncmp(to, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
        i++;
    if (i == SLG_ARRAY_LEN(schemes))
        return slg_errorf(reterr, SLG_INVALID,
                          "--to \"%s\" must begin with udp://, tcp:// or http://", to);
    load->kind = schemes[i].kind;
    load->url = to;
    if (!slg_url_split(to, &parts))
        return slg_errorf(reterr, SLG_INVALID, "--to \"%s\" has no host", to);
    if (load->kind == TARGET_HTTP)
        return SLG_OK;
    if (colon < parts.host || !slg_cursor_take_uint(&c, 5, 65535, &port) || port == 0 ||
        slg_cursor_left(&c) > 0)
        return slg_errorf(reterr, SLG_INVALID,
                          "--to \"%s\" has no port of 1 to 65535, write %sHOST:PORT", to,
                          schemes[i].scheme);
    if (colon == parts.host || (size_t)(colon - parts.host) >= HOST_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID, "--to \"%.100s\" has no host, or a long one", to);
    return SLG_OK;
}

static enum slg_status open_socket(struct load *load, struct slg_error *reterr)
{
    const char *rest = strstr(load->url, "://") + 3;
    const char *colon = strrchr(rest, ':');
    struct addrinfo hints = { .ai_socktype = load->kind == TARGET_UDP ? SOCK_DGRAM : SOCK_STREAM };
    struct addrinfo *found = NULL;
    char host[HOST_BYTES_MAX];
    size_t host_len = (size_t)(colon - rest); /* check_target has looked at it */
    int rc;

    if (host_len >= 2 && rest[0] == '[' && rest[host_len - 1] == ']') {
        rest++;
        host_len -= 2;
    }
    memcpy(host, rest, host_len);
    host[host_len] = '\0';
    rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc != 0)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "could not find \"%s\": %s", load->url,
                          gai_strerror(rc));
    load->fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    rc = load->fd < 0 ? -1 : connect(load->fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (rc != 0)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "could not connect to \"%s\": %s", load->url,
                          strerror(errno));
    return SLG_OK;
}

static enum slg_status open_target(struct load *load, struct slg_error *reterr)
{
    if (load->kind != TARGET_HTTP)
        return open_socket(load, reterr);
    load->fetch = slg_fetch_create(load->token);
    return load->fetch == NULL ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory") : SLG_OK;
}

/* ---- sending ---- */

static enum slg_status send_bytes(struct load *load, const void *bytes, size_t len,
                                  struct slg_error *reterr)
{
    const uint8_t *at = bytes;

    while (len > 0) {
        ssize_t sent = send(load->fd, at, len, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EINTR || errno == ENOBUFS || errno == EAGAIN))
            continue;
        if (sent < 0)
            return slg_errorf(reterr, SLG_IO, "could not send to \"%s\": %s", load->url,
                              strerror(errno));
        at += sent;
        len -= (size_t)sent;
    }
    return SLG_OK;
}

/* A 503 or a lost answer means "send again": the same entries are recognised and kept once. */
static enum slg_status flush_push(struct load *load, struct slg_error *reterr)
{
    struct slg_fetch_request request = { .content_type = "application/json", .timeout_ms = 30000 };
    enum slg_status status = SLG_OK;
    struct slg_buf url;
    long code = 0;

    if (load->push_lines == 0)
        return SLG_OK;
    slg_buf_append_text(&load->push, "]}");
    slg_buf_init(&url, 4096);
    slg_buf_printf(&url, "%s%s", load->url,
                   strstr(load->url, "/loki/") == NULL ? "/loki/api/v1/push" : "");
    slg_buf_append_byte(&url, '\0');
    request.url = slg_buf_failed(&url) ? load->url : (const char *)url.data;
    request.body = load->push.data;
    request.body_len = load->push.len;
    for (int attempt = 0; attempt < 20; attempt++) {
        status = slg_fetch_run(load->fetch, &request, &load->answer, &code, reterr);
        if (status == SLG_OK && code != 503 && code != 429)
            break;
        load->resent++;
    }
    slg_buf_fini(&url);
    if (status == SLG_OK && code / 100 != 2) {
        const uint8_t *text = load->answer.data;
        size_t line = 0;

        while (line < load->answer.len && text[line] != '\n')
            line++;
        status = slg_errorf(reterr, SLG_INVALID, "push answered HTTP %ld: %.*s", code, (int)line,
                            line == 0 ? "" : (const char *)text);
    }
    if (status == SLG_OK)
        load->sent += (int64_t)load->push_lines;
    load->push_lines = 0;
    return status;
}

static enum slg_status add_to_push(struct load *load, const struct slg_traffic_message *m,
                                   int64_t ts_ns, struct slg_error *reterr)
{
    if (load->push_lines == 0) {
        slg_buf_clear(&load->push);
        slg_buf_append_text(&load->push, "{\"streams\":[");
    }
    slg_buf_printf(&load->push,
                   "%s{\"stream\":{\"job\":\"load\",\"host\":\"load-%08x-%s\",\"app\":\"%s\"},"
                   "\"values\":[[\"%lld\",",
                   load->push_lines == 0 ? "" : ",", load->run_id, m->host, m->app,
                   (long long)ts_ns);
    slg_buf_append_json(&load->push, m->text, m->text_len);
    slg_buf_append_text(&load->push, "]]}");
    load->push_lines++;
    return load->push_lines == PUSH_LINES ? flush_push(load, reterr) : SLG_OK;
}

/* RFC 5424; over TCP with octet counting (RFC 6587). */
static enum slg_status send_syslog(struct load *load, const struct slg_traffic_message *m,
                                   int64_t ts_ns, struct slg_error *reterr)
{
    struct slg_buf *out = &load->message;
    char stamp[40], head[24];

    slg_ctl_time(ts_ns, stamp);
    memcpy(stamp + 26, "Z", 2); /* microseconds: RFC 5424 has no more */
    slg_buf_clear(out);
    slg_buf_printf(out, "<%u>1 %s load-%08x-%s %s %u - - ", m->facility * 8 + m->severity, stamp,
                   load->run_id, m->host, m->app, m->pid);
    slg_buf_append(out, m->text, m->text_len);
    if (load->kind == TARGET_TCP) {
        (void)snprintf(head, sizeof(head), "%zu ", out->len); /* at most 21 characters */
        if (send_bytes(load, head, strlen(head), reterr) != SLG_OK)
            return SLG_IO;
    }
    return send_bytes(load, out->data, out->len, reterr);
}

/* ---- pace and progress ---- */

/* After a line: wait until the next is due, and tell how far it is. */
static void keep_pace(struct load *load, int64_t progress_done)
{
    int64_t due, now;

    if ((load->rate == 0 || load->rate >= PACE_EACH_BELOW) && load->made % PACE_LINES != 0)
        return;
    slg_progress_tell(&load->progress, progress_done);
    if (load->rate == 0)
        return;
    now = slg_clock_mono_ns(slg_clock_system());
    due = load->progress.started_ns + (int64_t)((double)load->made * 1e9 / (double)load->rate);
    if (due > now + BURST_NS) {
        struct timespec pause = { .tv_sec = (due - now) / SLG_NS_PER_SEC,
                                  .tv_nsec = (due - now) % SLG_NS_PER_SEC };

        (void)nanosleep(&pause, NULL); /* woken early: a little faster for once */
    }
}

static enum slg_status send_made_up(struct load *load, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    struct slg_traffic_message m;
    int64_t last_ts_ns = 0;

    slg_progress_start(&load->progress, "load", "lines", 1, load->lines);
    while (load->made < load->lines && status == SLG_OK) {
        int64_t ts_ns = slg_clock_wall_ns(slg_clock_system());

        if (ts_ns <= last_ts_ns)
            ts_ns = last_ts_ns + 1; /* pushes: two equal lines must not be one entry */
        last_ts_ns = ts_ns;
        slg_traffic_next(&load->traffic, &m);
        if (load->verify != NULL)
            slg_verify_add(load->verify, m.text, m.text_len);
        load->made++;
        if (load->kind == TARGET_HTTP) {
            status = add_to_push(load, &m, ts_ns, reterr);
        } else {
            status = send_syslog(load, &m, ts_ns, reterr);
            load->sent += status == SLG_OK;
        }
        keep_pace(load, load->made);
    }
    if (status == SLG_OK && load->kind == TARGET_HTTP)
        status = flush_push(load, reterr);
    return status;
}

/* Each line of the file is one message, sent as it is. */
static enum slg_status send_file(struct load *load, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    struct stat about = { 0 };
    int64_t read_bytes = 0;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;

    if (fstat(fileno(load->file), &about) != 0 || !S_ISREG(about.st_mode))
        about.st_size = 0; /* not known */
    slg_progress_start(&load->progress, "load", "MiB", 1 << 20, about.st_size);
    while (status == SLG_OK && (len = getline(&line, &capacity, load->file)) > 0) {
        read_bytes += len;
        if (load->kind == TARGET_UDP && line[len - 1] == '\n')
            len--;
        if (len > 0 && (size_t)len < MESSAGE_BYTES_MAX) {
            status = send_bytes(load, line, (size_t)len, reterr);
            load->made++;
            load->sent += status == SLG_OK;
            keep_pace(load, read_bytes);
        }
    }
    free(line);
    return status;
}

/* ---- what came of it ---- */

static void print_selector(const struct load *load, char text[SELECTOR_BYTES])
{
    (void)snprintf(text, SELECTOR_BYTES, "{host=~\"load-%08x-.*\"}", load->run_id); /* 28 bytes */
}

static void print_sent(const struct load *load)
{
    if (load->file != NULL)
        (void)printf("sent %lld lines\n", (long long)load->sent);
    else
        (void)printf("sent %lld lines in %.3f s, %lld pushes repeated, host=~\"load-%08x-.*\"\n",
                     (long long)load->sent, load->seconds, (long long)load->resent, load->run_id);
}

/* One document; outcome NULL: nothing was verified. */
static void print_json(const struct load *load, const struct slg_verify_outcome *outcome)
{
    char selector[SELECTOR_BYTES];
    struct slg_buf out;

    slg_buf_init(&out, 4096);
    slg_buf_printf(&out, "{\"sent\":%lld,\"seconds\":%.3f,\"pushes_repeated\":%lld",
                   (long long)load->sent, load->seconds, (long long)load->resent);
    if (load->file == NULL) {
        print_selector(load, selector);
        slg_buf_append_text(&out, ",\"selector\":");
        slg_buf_append_json_text(&out, selector);
    }
    if (outcome != NULL)
        slg_buf_printf(&out,
                       ",\"verified\":{\"sent\":%llu,\"found\":%llu,\"missing\":%llu,"
                       "\"unexpected\":%llu}",
                       (unsigned long long)outcome->sent, (unsigned long long)outcome->found,
                       (unsigned long long)outcome->missing,
                       (unsigned long long)outcome->unexpected);
    slg_buf_append_text(&out, "}\n");
    slg_ctl_print(&out);
    slg_buf_fini(&out);
}

/* ---- the verb ---- */

static int verify_load(struct load *load, const char *addr, int64_t from_ns)
{
    struct slg_verify_outcome outcome;
    struct slg_verify_range range = { .addr = addr,
                                      .token = load->token,
                                      .from_ns = from_ns,
                                      .to_ns = slg_clock_wall_ns(slg_clock_system()) +
                                               60 * SLG_NS_PER_SEC,
                                      .settle_ns = SETTLE_NS };
    struct slg_error error = { 0 };
    char selector[SELECTOR_BYTES];

    print_selector(load, selector);
    range.selector = selector;
    if (slg_verify_run(load->verify, &range, &outcome, &error) != SLG_OK) {
        if (load->json)
            print_json(load, NULL);
        return slg_ctl_fail(&error);
    }
    if (load->json)
        print_json(load, &outcome);
    else
        (void)printf("verified: %llu sent, %llu found, %llu missing, %llu unexpected or twice\n",
                     (unsigned long long)outcome.sent, (unsigned long long)outcome.found,
                     (unsigned long long)outcome.missing, (unsigned long long)outcome.unexpected);
    return outcome.missing == 0 && outcome.unexpected == 0 ? SLG_CTL_OK : SLG_CTL_FAILED;
}

static void load_fini(struct load *load)
{
    if (load->fd >= 0)
        (void)close(load->fd); /* everything was sent */
    if (load->file != NULL)
        (void)fclose(load->file); /* read only */
    slg_fetch_destroy(load->fetch);
    slg_verify_destroy(load->verify);
    slg_buf_fini(&load->push);
    slg_buf_fini(&load->answer);
    slg_buf_fini(&load->message);
}

static enum slg_status prepare(struct load *load, const char *file, bool verify,
                               struct slg_error *reterr)
{
    enum slg_status status = open_target(load, reterr);

    if (status == SLG_OK && getrandom(&load->run_id, sizeof(load->run_id), 0) < 0)
        status = slg_errorf(reterr, SLG_IO, "the system gave no random bytes");
    if (status == SLG_OK && file != NULL) {
        load->file = fopen(file, "re");
        if (load->file == NULL)
            status = slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", file, strerror(errno));
    }
    if (status == SLG_OK && verify && file == NULL) {
        load->verify = slg_verify_create((size_t)load->lines);
        if (load->verify == NULL)
            status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory to remember %lld lines",
                                (long long)load->lines);
    }
    return status;
}

static int run_with(struct load *load, const char *file, const char *verify)
{
    int64_t from_ns = slg_clock_wall_ns(slg_clock_system()) - 60 * SLG_NS_PER_SEC;
    struct slg_error error = { 0 };
    enum slg_status status = prepare(load, file, verify != NULL, &error);

    if (status != SLG_OK)
        return slg_ctl_fail(&error);
    status = file != NULL ? send_file(load, &error) : send_made_up(load, &error);
    slg_progress_end(&load->progress);
    load->seconds =
        (double)(slg_clock_mono_ns(slg_clock_system()) - load->progress.started_ns) / 1e9;
    if (!load->json)
        print_sent(load);
    if (status == SLG_OK && load->verify != NULL)
        return verify_load(load, verify, from_ns);
    if (load->json)
        print_json(load, NULL);
    return status == SLG_OK ? SLG_CTL_OK : slg_ctl_fail(&error);
}

static int run_load(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *to = "udp://127.0.0.1:1514", *rate = NULL, *lines = NULL, *seed = NULL;
    const char *profile = "mail", *verify = NULL, *file = NULL, *words[1];
    const struct slg_ctl_option options[] = {
        { "--to", &to, "udp://HOST:PORT (default port 1514 here), tcp://.. or http://..", false },
        { "--rate", &rate, "lines/s, default 1000; 0 = as fast as it goes", false },
        { "--lines", &lines, "how many, default 10000", false },
        { "--seed", &seed, "of the made-up lines, default 1", false },
        { "--profile", &profile, "kind of traffic: mail", false },
        { "--verify", &verify, "read API to check against: http://127.0.0.1:3100", false },
        { "--file", &file, "send the lines of this file as they are instead", false },
    };
    struct load load = { .fd = -1, .token = ctl->token, .json = ctl->json };
    struct slg_error error = { 0 };
    int64_t seed_number;
    size_t count;
    int code;

    if (!slg_ctl_options(&slg_ctl_verb_load, argc, argv, options, SLG_ARRAY_LEN(options), words, 0,
                         &count) ||
        !slg_ctl_number("--rate", rate, 0, 100000000, 1000, &load.rate) ||
        !slg_ctl_number("--lines", lines, 1, (int64_t)SLG_VERIFY_LINES_MAX, 10000, &load.lines) ||
        !slg_ctl_number("--seed", seed, 0, INT64_MAX, 1, &seed_number))
        return SLG_CTL_USAGE;
    if (strcmp(profile, "mail") != 0) {
        (void)fprintf(stderr, "silagectl load: --profile \"%s\" is not known, write mail\n",
                      profile);
        return SLG_CTL_USAGE;
    }
    if (check_target(&load, to, &error) != SLG_OK ||
        (file != NULL && load.kind == TARGET_HTTP &&
         slg_errorf(&error, SLG_INVALID, "--file goes to udp:// or tcp:// only") != SLG_OK)) {
        (void)slg_ctl_fail(&error);
        return SLG_CTL_USAGE;
    }
    slg_traffic_init(&load.traffic, (uint64_t)seed_number);
    slg_buf_init(&load.push, (size_t)16 << 20);
    slg_buf_init(&load.answer, (size_t)1 << 20);
    slg_buf_init(&load.message, MESSAGE_BYTES_MAX);
    code = run_with(&load, file, verify);
    load_fini(&load);
    return code;
}

const struct slg_ctl_verb slg_ctl_verb_load = {
    "load", "--to udp://HOST:PORT|tcp://..|http://.. --rate N --lines N [--seed N] [--verify URL]",
    "sends realistic traffic; with --verify checks that every line arrived exactly once",
    "load --to udp://127.0.0.1:1514 --rate 5000 --lines 100000 --verify http://127.0.0.1:3100",
    run_load
};
