/* What LogQL costs: each stage alone, and whole queries in one storer, beside memmem over the same bytes in the same run.
 *
 *   bench_logql [LINES] [TEXT]     LINES: 2,000,000 by default; TEXT: only queries with that text
 *
 * Stages: one pipeline over LINES lines in memory: delivery lines of Postfix, and the same facts as logfmt and as JSON,
 * so that every line is taken apart in full. Queries: LINES lines of mixed mail traffic (ctl/traffic.h, with process and
 * queue ids as metadata) in the shards of one storer; a scan by one thread, decompression and checksums included.
 * Every figure is the least of ROUNDS rounds of CPU time. "x memmem" compares with memmem for a needle that is not
 * there, line by line over the same lines. "allocs" counts calls of malloc and its kin in the last round. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "ctl/traffic.h"
#include "logql/pipe/pipe.h"
#include "logql/syntax/parse.h"
#include "storer/scan.h"

#define LINE_COUNT        ((size_t)2000000)
#define LINE_COUNT_MAX    ((size_t)20000000)
#define LINE_BYTES_MAX    ((size_t)320)
#define ROUNDS            3
#define HOUR_NS           (INT64_C(3600) * SLG_NS_PER_SEC)
#define START_NS          (INT64_C(1767225600) * SLG_NS_PER_SEC) /* 2026-01-01T00:00:00Z */
#define HOUR_COUNT        4
#define BATCHES_PER_GROUP 16
#define ABSENT            "no such needle"

/* ---- allocations: this program's malloc counts and goes to the C library's ---- */

static size_t allocation_count;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    allocation_count++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocation_count++;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    allocation_count++;
    return __libc_realloc(memory, size);
}

/* ---- measuring ---- */

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "bench_logql: %s failed\n", what);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct corpus {
    const char *name;
    char *text;
    size_t bytes;
    uint32_t *offsets; /* line_count + 1 */
    size_t line_count;
    double memmem_ns; /* per line */
};

static struct slg_text line_of(const struct corpus *c, size_t i)
{
    return slg_text_make(c->text + c->offsets[i], c->offsets[i + 1] - c->offsets[i]);
}

static void create_corpus(struct corpus *c, const char *name, size_t line_count)
{
    *c = (struct corpus){ .name = name, .line_count = line_count };
    c->text = malloc(line_count * LINE_BYTES_MAX + SLG_TRAFFIC_TEXT_BYTES);
    c->offsets = calloc(line_count + 1, sizeof(c->offsets[0]));
    check(c->text != NULL && c->offsets != NULL, "memory");
    check(line_count * LINE_BYTES_MAX < UINT32_MAX * UINT64_C(2), "offsets of 32 bits");
}

static void fini_corpus(struct corpus *c)
{
    free(c->text);
    free(c->offsets);
}

static void end_line(struct corpus *c, size_t i, size_t len)
{
    c->bytes += len;
    check(c->bytes < UINT32_MAX, "offsets of 32 bits");
    c->offsets[i + 1] = (uint32_t)c->bytes;
}

static void measure_memmem(struct corpus *c)
{
    size_t found = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        double ns;

        for (size_t i = 0; i < c->line_count; i++) {
            struct slg_text line = line_of(c, i);

            found += memmem(line.at, line.len, ABSENT, sizeof(ABSENT) - 1) != NULL;
        }
        ns = (double)(now_ns() - start) / (double)c->line_count;
        if (round == 0 || ns < c->memmem_ns)
            c->memmem_ns = ns;
    }
    check(found == 0, "a needle that is not there");
    printf("%-7s %7.1f ns/line %6.2f GB/s  memmem over %zu lines of %.0f bytes\n", c->name,
           c->memmem_ns, (double)c->bytes / (double)c->line_count / c->memmem_ns, c->line_count,
           (double)c->bytes / (double)c->line_count);
}

static void report(const struct corpus *c, double ns, size_t kept, size_t allocations,
                   const char *query)
{
    printf("%-7s %7.1f ns/line %6.2f GB/s %6.2f x memmem %6.2f M lines/s %8zu kept %6zu allocs  "
           "%s\n",
           c->name, ns, (double)c->bytes / (double)c->line_count / ns, ns / c->memmem_ns, 1e3 / ns,
           kept, allocations, query);
}

/* ---- stages alone ---- */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

enum form {
    FORM_POSTFIX,
    FORM_LOGFMT,
    FORM_JSON,
};

static int make_line(enum form form, uint64_t *seed, char *out, size_t capacity)
{
    static const char *const users[] = { "alice", "bob", "carol", "dave", "erin" };
    static const char *const status[] = { "sent", "sent", "sent", "deferred", "bounced" };
    uint64_t r = next_random(seed), q = next_random(seed);
    const char *user = users[r % 5], *state = status[q % 5];
    unsigned delay = (unsigned)(r >> 8) % 5000, pid = (unsigned)(q >> 8) % 30000;

    if (form == FORM_POSTFIX)
        return snprintf(
            out, capacity,
            "%010llX: to=<%s@example.org>, relay=mx%u.example.net[192.0.2.%u]:25, "
            "delay=%u.%02u, delays=0.05/0.01/0.4/%u.%u, dsn=2.0.0, status=%s (250 2.0.0 Ok: "
            "queued as %08X)",
            (unsigned long long)(r >> 24), user, pid % 9, pid % 250, delay / 100, delay % 100,
            delay % 7, delay % 10, state, (unsigned)q);
    if (form == FORM_LOGFMT)
        return snprintf(
            out, capacity,
            "ts=2026-03-02T11:58:46.025Z level=info caller=smtp/send.go:%u qid=%010llX "
            "to=%s@example.org relay=mx%u.example.net msg=\"message sent\" delay=%u.%02us "
            "dsn=2.0.0 status=%s size=%uB",
            pid % 400, (unsigned long long)(r >> 24), user, pid % 9, delay / 100, delay % 100,
            state, delay * 7);
    return snprintf(
        out, capacity,
        "{\"ts\":\"2026-03-02T11:58:46.025Z\",\"level\":\"info\",\"qid\":\"%010llX\",\"to\":"
        "\"%s@example.org\",\"relay\":{\"host\":\"mx%u.example.net\",\"port\":25},\"delay\":"
        "%u.%02u,\"dsn\":\"2.0.0\",\"status\":\"%s\",\"size\":%u,\"msg\":\"message sent\"}",
        (unsigned long long)(r >> 24), user, pid % 9, delay / 100, delay % 100, state, delay * 7);
}

static void make_corpus(struct corpus *c, enum form form, const char *name, size_t line_count)
{
    uint64_t seed = 88172645463325252U;

    create_corpus(c, name, line_count);
    for (size_t i = 0; i < line_count; i++)
        end_line(c, i, (size_t)make_line(form, &seed, c->text + c->bytes, LINE_BYTES_MAX));
}

static const struct slg_logql_expr *parse(struct slg_arena *arena, const char *query)
{
    const struct slg_logql_expr *expr;
    struct slg_error error;

    check(slg_logql_parse(arena, query, strlen(query), &expr, &error) == SLG_OK, query);
    return expr;
}

static void measure_stage(const struct corpus *c, const char *query)
{
    static const struct slg_label labels[] = { { { "app", 3 }, { "postfix/smtp", 12 } },
                                               { { "host", 4 }, { "mx1.example.net", 15 } },
                                               { { "job", 3 }, { "syslog", 6 } } };
    static const struct slg_label_set set = { .items = labels, .count = 3 };
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_expr *expr = parse(arena, query);
    struct slg_pipe_options options = { .log = &expr->log };
    struct slg_pipe_stream *stream;
    struct slg_pipe_result result;
    struct slg_pipe *pipe;
    struct slg_error error;
    double best = 0;
    size_t kept = 0, allocations = 0;

    if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION) {
        options.grouping = &expr->vector.grouping;
        options.sample = SLG_PIPE_SAMPLE_COUNT;
        options.log = &expr->vector.inner->range.log;
    }
    check(slg_pipe_create(&options, &pipe, &error) == SLG_OK, query);
    check(slg_pipe_stream_create(pipe, &set, &stream) == SLG_OK, query);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        double ns;

        allocations = allocation_count;
        kept = 0;
        for (size_t i = 0; i < c->line_count; i++) {
            struct slg_pipe_entry entry = { .line = line_of(c, i) };

            kept += slg_pipe_run(pipe, stream, &entry, &result) == SLG_OK;
        }
        ns = (double)(now_ns() - start) / (double)c->line_count;
        allocations = allocation_count - allocations;
        if (round == 0 || ns < best)
            best = ns;
    }
    report(c, best, kept, allocations, query);
    slg_pipe_destroy(pipe);
    slg_arena_destroy(arena);
}

static const struct stage_row {
    enum form form;
    const char *query;
} stage_rows[] = {
    { FORM_POSTFIX, "{a=\"b\"} |= \"" ABSENT "\"" },
    { FORM_POSTFIX, "{a=\"b\"} |= \"status=bounced\"" },
    { FORM_POSTFIX, "{a=\"b\"} |~ \"status=(no|such)thing\"" },
    { FORM_POSTFIX, "{a=\"b\"} |~ \"(?i)ERROR\"" },
    { FORM_POSTFIX, "{a=\"b\"} |~ \"relay=mx[0-3].*status=bounced\"" },
    { FORM_POSTFIX, "{a=\"b\"} |> \"<_> status=nothing <_>\"" },
    { FORM_POSTFIX, "{a=\"b\"} |= ip(\"10.0.0.0/8\")" },
    { FORM_POSTFIX, "{a=\"b\"} | regexp \"status=(?P<status>\\\\w+)\"" },
    { FORM_POSTFIX, "{a=\"b\"} | regexp \"to=<(?P<to>[^>]+)>, relay=(?P<relay>[^,]+),\"" },
    { FORM_POSTFIX, "{a=\"b\"} | regexp \"relay=(?P<relay>.*?), delay=(?P<delay>[0-9.]+)\"" },
    { FORM_POSTFIX, "sum by (status) (count_over_time({a=\"b\"} | regexp "
                    "\"status=(?P<status>\\\\w+)\" [5m]))" },
    { FORM_POSTFIX, "{a=\"b\"} | pattern \"<qid>: to=<to>, relay=<relay>, delay=<delay>, <_> "
                    "status=<status> <_>\"" },
    { FORM_POSTFIX, "sum by (status) (count_over_time({a=\"b\"} | pattern \"<_>, "
                    "status=<status> <_>\" [5m]))" },
    { FORM_POSTFIX, "{a=\"b\"} | logfmt" },
    { FORM_POSTFIX, "{a=\"b\"} | json" },
    { FORM_POSTFIX, "{a=\"b\"} | decolorize" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt status, delay" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt | status=\"nothing\"" },
    { FORM_LOGFMT, "sum by (status) (count_over_time({a=\"b\"} | logfmt [5m]))" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt | line_format \"{{.status}} {{.delay}}\"" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt | label_format d=\"{{.status | upper}}\"" },
    { FORM_LOGFMT, "{a=\"b\"} | logfmt | delay > 10s" },
    { FORM_JSON, "{a=\"b\"} | json" },
    { FORM_JSON, "{a=\"b\"} | json status, host=\"relay.host\"" },
    { FORM_JSON, "{a=\"b\"} | json | status=\"nothing\"" },
    { FORM_JSON, "sum by (status) (count_over_time({a=\"b\"} | json [5m]))" },
};

static bool wanted(const char *query, const char *text)
{
    return text == NULL || strstr(query, text) != NULL;
}

static void measure_stages(size_t line_count, const char *text)
{
    static const char *const names[] = { "postfix", "logfmt", "json" };

    for (enum form form = FORM_POSTFIX; form <= FORM_JSON; form++) {
        struct corpus c;

        make_corpus(&c, form, names[form], line_count);
        measure_memmem(&c);
        for (size_t i = 0; i < SLG_ARRAY_LEN(stage_rows); i++)
            if (stage_rows[i].form == form && wanted(stage_rows[i].query, text))
                measure_stage(&c, stage_rows[i].query);
        fini_corpus(&c);
    }
}

/* ---- whole queries in a storer ---- */

struct storer {
    char directory[64];
    struct slg_catalogue *catalogue;
    struct slg_arena *arena; /* of one batch header, one query */
    struct slg_batch_builder *builder;
    struct slg_buf batch;
    struct slg_incarnation incarnation;
    uint64_t sequence;
    struct slg_shard *shard; /* pinned while it is written */
    struct slg_shard_write *write;
    size_t waiting;
    struct slg_rpc_shard_set sets[HOUR_COUNT];
    struct slg_buf set_bytes[HOUR_COUNT];
};

static struct slg_shard_id shard_of(int64_t hour)
{
    return (struct slg_shard_id){ .window_ns = START_NS + hour * HOUR_NS,
                                  .length_ns = HOUR_NS,
                                  .slot_count = 1 };
}

static void commit(struct storer *s)
{
    if (s->write == NULL)
        return;
    check(slg_shard_write_commit(s->write, NULL) == SLG_OK, "commit");
    slg_catalogue_unpin(s->catalogue, s->shard);
    s->write = NULL;
    s->waiting = 0;
}

static void seal(struct storer *s)
{
    struct slg_batch_header header;
    enum slg_shard_put put;

    if (slg_batch_builder_entry_count(s->builder) == 0)
        return;
    check(slg_batch_builder_seal(s->builder, &s->incarnation, ++s->sequence, 1, &s->batch) ==
              SLG_OK,
          "seal");
    slg_arena_reset(s->arena);
    check(slg_batch_read_header(s->arena, s->batch.data, s->batch.len, &header) == SLG_OK,
          "header");
    if (s->write == NULL) {
        check(slg_catalogue_pin(s->catalogue, &header.id.shard, /* create= */ true, &s->shard,
                                NULL) == SLG_OK,
              "shard");
        check(slg_shard_write_begin(s->shard, &s->write, NULL) == SLG_OK, "transaction");
    }
    check(slg_shard_write_put(s->write, &header, s->batch.data, s->batch.len, &put) == SLG_OK,
          "batch");
    if (++s->waiting == BATCHES_PER_GROUP)
        commit(s);
}

/* The stream of a message and its index in the batch in hand; false: the batch is full. */
static bool find_stream(struct storer *s, const struct slg_traffic_message *m, uint32_t *ret_index)
{
    const struct slg_label labels[] = { { slg_text_of("app"), slg_text_of(m->app) },
                                        { slg_text_of("host"), slg_text_of(m->host) },
                                        { slg_text_of("job"), slg_text_of("syslog") } };
    const struct slg_label_set set = { labels, SLG_ARRAY_LEN(labels) };
    struct slg_stream_id id;
    struct slg_buf canonical;
    enum slg_status status;

    slg_buf_init(&canonical, SLG_LABEL_SET_BYTES_MAX);
    slg_label_encode(&canonical, &set);
    id = slg_stream_id_of(slg_text_of("fake"), canonical.data, canonical.len);
    status = slg_batch_builder_stream(s->builder, &id, canonical.data, canonical.len, ret_index);
    slg_buf_fini(&canonical);
    return status == SLG_OK;
}

static bool append(struct storer *s, const struct slg_traffic_message *m, int64_t ts_ns)
{
    const char *colon = strncmp(m->app, "postfix", 7) == 0 ? strchr(m->text, ':') : NULL;
    char pid[16];
    int pid_len = snprintf(pid, sizeof(pid), "%u", m->pid);
    const struct slg_label metadata[] = {
        { slg_text_of("pid"), slg_text_make(pid, (size_t)pid_len) },
        { slg_text_of("queue_id"),
          slg_text_make(m->text, colon == NULL ? 0 : (size_t)(colon - m->text)) },
    };
    struct slg_entry entry = { .ts_ns = ts_ns,
                               .kind = SLG_ENTRY_SYSLOG,
                               .line = slg_text_make(m->text, m->text_len),
                               .metadata = { metadata, colon == NULL ? 1 : 2 } };

    return find_stream(s, m, &entry.stream_index) &&
           slg_batch_builder_append(s->builder, &entry) == SLG_OK;
}

static void fill(struct storer *s, struct corpus *c)
{
    int64_t step_ns = HOUR_COUNT * HOUR_NS / (int64_t)c->line_count;
    struct slg_traffic_message m;
    struct slg_traffic traffic;
    int64_t hour = -1;

    slg_traffic_init(&traffic, 7);
    for (size_t i = 0; i < c->line_count; i++) {
        int64_t ts_ns = START_NS + (int64_t)i * step_ns;
        struct slg_shard_id shard = shard_of((ts_ns - START_NS) / HOUR_NS);

        slg_traffic_next(&traffic, &m);
        memcpy(c->text + c->bytes, m.text, m.text_len);
        end_line(c, i, m.text_len);
        if (shard.window_ns != START_NS + hour * HOUR_NS) {
            seal(s);
            commit(s);
            hour++;
            s->sequence = 0;
            slg_batch_builder_start(s->builder, &shard);
        }
        while (!append(s, &m, ts_ns)) {
            seal(s);
            slg_batch_builder_start(s->builder, &shard);
        }
    }
    seal(s);
    commit(s);
}

static void read_sets(struct storer *s)
{
    for (int64_t hour = 0; hour < HOUR_COUNT; hour++) {
        struct slg_batch_set *set = slg_batch_set_create();
        struct slg_shard_id id = shard_of(hour);
        struct slg_shard_totals totals;

        check(set != NULL, "memory");
        check(slg_catalogue_totals(s->catalogue, &id, &totals, set, NULL) == SLG_OK, "totals");
        slg_buf_init(&s->set_bytes[hour], SLG_MESSAGE_BYTES_MAX);
        slg_batch_set_encode(&s->set_bytes[hour], set);
        s->sets[hour] = (struct slg_rpc_shard_set){
            .shard = id, .set = slg_text_make(s->set_bytes[hour].data, s->set_bytes[hour].len)
        };
        slg_batch_set_destroy(set);
    }
}

static void create_storer(struct storer *s)
{
    const char *base = getenv("TMPDIR");
    struct slg_catalogue_options options = { .map_bytes = (size_t)4 << 30, .open_count_max = 8 };

    memset(s, 0, sizeof(*s));
    (void)snprintf(s->directory, sizeof(s->directory), "%.40s/bench_logql-XXXXXX",
                   base == NULL ? "/tmp" : base);
    check(mkdtemp(s->directory) != NULL, "mkdtemp");
    options.data_dir = s->directory;
    check(slg_catalogue_create(&options, &s->catalogue, NULL) == SLG_OK, "data directory");
    s->arena = slg_arena_create((size_t)64 << 20);
    check(s->arena != NULL, "memory");
    check(slg_batch_builder_create(slg_text_of("fake"), SLG_BATCH_SEAL_BYTES, &s->builder) ==
              SLG_OK,
          "builder");
    slg_buf_init(&s->batch, SLG_BATCH_BYTES_MAX);
}

/* NOLINTNEXTLINE(misc-no-recursion): by depth */
static void remove_tree(const char *path, int depth)
{
    DIR *dir = opendir(path);
    struct dirent *item;

    while (dir != NULL && (item = readdir(dir)) != NULL) {
        char child[1024];

        (void)snprintf(child, sizeof(child), "%s/%s", path, item->d_name);
        if (item->d_name[0] != '.' && unlink(child) != 0 && depth > 0)
            remove_tree(child, depth - 1);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(path);
}

static void destroy_storer(struct storer *s)
{
    for (size_t i = 0; i < HOUR_COUNT; i++)
        slg_buf_fini(&s->set_bytes[i]);
    slg_batch_builder_destroy(s->builder);
    slg_buf_fini(&s->batch);
    slg_catalogue_destroy(s->catalogue);
    slg_arena_destroy(s->arena);
    remove_tree(s->directory, 4);
}

static void run_query(struct storer *s, const struct slg_rpc_query *query,
                      struct slg_scan_stats *stats)
{
    static atomic_bool canceled;
    struct slg_scan_options options = { .catalogue = s->catalogue,
                                        .query = query,
                                        .deadline_mono_ns = INT64_MAX,
                                        .view_bytes_max = (size_t)16 << 20,
                                        .canceled = &canceled };
    struct slg_error error = { .message = "" };
    struct slg_scan *scan;
    bool more = true;

    check(slg_scan_create(&options, &scan, &error) == SLG_OK, error.message);
    while (more) {
        enum slg_status status;
        struct slg_buf page;

        slg_buf_init(&page, SLG_MESSAGE_BYTES_MAX);
        do
            status = slg_scan_step(scan, SLG_NS_PER_SEC, &page, &more, stats, &error);
        while (status == SLG_AGAIN);
        check(status == SLG_OK, error.message);
        slg_buf_fini(&page);
    }
    slg_scan_destroy(scan);
}

static void measure_query(struct storer *s, const struct corpus *c, const char *text)
{
    const struct slg_logql_expr *expr;
    struct slg_rpc_query query = { .tenant = slg_text_of("fake"),
                                   .leaf = { .kind = SLG_LEAF_PARTIAL,
                                             .text = slg_text_of(text),
                                             .start_ns = START_NS,
                                             .end_ns = START_NS + HOUR_COUNT * HOUR_NS,
                                             .direction = SLG_FORWARD,
                                             .memory_bytes_max = UINT64_C(1) << 30,
                                             .series_max = 1000000,
                                             .bytes_scan_max = UINT64_MAX },
                                   .shards = s->sets,
                                   .shard_count = HOUR_COUNT };
    struct slg_scan_stats stats;
    double best = 0;
    size_t allocations = 0;

    slg_arena_reset(s->arena);
    expr = parse(s->arena, text);
    if (expr->kind == SLG_LOGQL_EXPR_LOG)
        query.leaf.kind = SLG_LEAF_LOG;
    else
        query.leaf.step_ns = 60 * SLG_NS_PER_SEC;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        double ns;

        memset(&stats, 0, sizeof(stats));
        allocations = allocation_count;
        run_query(s, &query, &stats);
        ns = (double)(now_ns() - start) / (double)c->line_count;
        allocations = allocation_count - allocations;
        if (round == 0 || ns < best)
            best = ns;
    }
    report(c, best, (size_t)stats.lines_kept, allocations, text);
}

static const char *const query_rows[] = {
    "{job=\"syslog\"} |= \"" ABSENT "\"",
    "{job=\"syslog\"} |= \"4ChdPz7Jdk9P1\"",
    "{job=\"syslog\"} |~ \"user=<(no|body)@\"",
    "sum by (host) (count_over_time({job=\"syslog\"} [5m]))",
    "sum by (host) (count_over_time({job=\"syslog\"} |= \"status=\" [5m]))",
    "sum by (status) (count_over_time({app=\"postfix/smtp\"} | regexp "
    "\"status=(?P<status>\\\\w+)\" [5m]))",
    "sum by (status) (count_over_time({app=\"postfix/smtp\"} | pattern \"<_> status=<status> <_>\" "
    "[5m]))",
    "sum by (status) (count_over_time({job=\"syslog\"} | logfmt [5m]))",
    "sum by (status) (count_over_time({job=\"syslog\"} | json | __error__=\"\" [5m]))",
};

static void measure_queries(size_t line_count, const char *text)
{
    struct storer s;
    struct corpus c;

    create_storer(&s);
    create_corpus(&c, "storer", line_count);
    fill(&s, &c);
    read_sets(&s);
    measure_memmem(&c);
    for (size_t i = 0; i < SLG_ARRAY_LEN(query_rows); i++)
        if (wanted(query_rows[i], text))
            measure_query(&s, &c, query_rows[i]);
    fini_corpus(&c);
    destroy_storer(&s);
}

int main(int argc, char **argv)
{
    uint64_t line_count = LINE_COUNT;
    const char *text = NULL;

    for (int i = 1; i < argc; i++) {
        struct slg_cursor number = slg_cursor_make(argv[i], strlen(argv[i]));

        if (!slg_cursor_take_uint(&number, 9, LINE_COUNT_MAX, &line_count) || line_count == 0)
            text = argv[i];
    }
    printf("== stages, over lines in memory\n");
    measure_stages((size_t)line_count, text);
    printf("\n== queries, over mixed mail traffic in one storer, one thread\n");
    measure_queries((size_t)line_count, text);
    return 0;
}
