/* What a stage costs per line, beside memmem over the same bytes in the same run.
 *
 * Lines are made up like a mail platform's (Postfix), and the same facts as logfmt and as JSON. Every figure is the
 * least of ROUNDS rounds (CPU time) over LINES lines; "x memmem" compares with memmem for a needle that is not there, over the
 * same lines one by one.
 *   bench_pipe [TEXT]   (only queries with that text) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "logql/pipe/pipe.h"
#include "logql/syntax/parse.h"

#define LINES  100000
#define ROUNDS 7

struct corpus {
    const char *name;
    char *text;
    size_t bytes;
    struct slg_text *lines;
    double memmem_ns;
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int compare_double(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int make_line(int kind, uint64_t *seed, char *out, size_t capacity)
{
    static const char *const users[] = { "alice", "bob", "carol", "dave", "erin" };
    static const char *const status[] = { "sent", "sent", "sent", "deferred", "bounced" };
    uint64_t r = next_random(seed), q = next_random(seed);
    const char *user = users[r % 5], *state = status[q % 5];
    unsigned delay = (unsigned)(r >> 8) % 5000, pid = (unsigned)(q >> 8) % 30000;

    if (kind == 0)
        return snprintf(
            out, capacity,
            "%010llX: to=<%s@example.org>, relay=mx%u.example.net[192.0.2.%u]:25, "
            "delay=%u.%02u, delays=0.05/0.01/0.4/%u.%u, dsn=2.0.0, status=%s (250 2.0.0 Ok: "
            "queued as %08X)",
            (unsigned long long)(r >> 24), user, pid % 9, pid % 250, delay / 100, delay % 100,
            delay % 7, delay % 10, state, (unsigned)q);
    if (kind == 1)
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

static void make_corpus(struct corpus *c, int kind, const char *name)
{
    uint64_t seed = 88172645463325252U;
    size_t capacity = (size_t)LINES * 320;

    c->name = name;
    c->text = malloc(capacity);
    c->lines = calloc(LINES, sizeof(c->lines[0]));
    if (c->text == NULL || c->lines == NULL)
        abort();
    for (size_t i = 0; i < LINES; i++) {
        int n = make_line(kind, &seed, c->text + c->bytes, capacity - c->bytes);

        c->lines[i] = slg_text_make(c->text + c->bytes, (size_t)n);
        c->bytes += (size_t)n;
    }
}

static double measure_memmem(const struct corpus *c)
{
    double rounds[ROUNDS];
    size_t found = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();

        for (size_t i = 0; i < LINES; i++)
            found += memmem(c->lines[i].at, c->lines[i].len, "no such needle", 14) != NULL;
        rounds[round] = (double)(now_ns() - start) / LINES;
    }
    if (found != 0)
        abort();
    qsort(rounds, ROUNDS, sizeof(rounds[0]), compare_double);
    return rounds[0];
}

static void measure(const struct corpus *c, const char *query)
{
    static const struct slg_label labels[] = { { { "app", 3 }, { "postfix/smtp", 12 } },
                                               { { "host", 4 }, { "mx1.example.net", 15 } },
                                               { { "job", 3 }, { "syslog", 6 } } };
    const struct slg_label_set set = { .items = labels, .count = 3 };
    struct slg_arena *arena = slg_arena_create(SLG_LOGQL_PARSE_ARENA_BYTES);
    const struct slg_logql_expr *expr;
    struct slg_pipe_options options = { 0 };
    struct slg_pipe_stream *stream;
    struct slg_pipe_result result;
    struct slg_pipe *pipe;
    struct slg_error error;
    double rounds[ROUNDS], ns;
    size_t kept = 0;

    if (slg_logql_parse(arena, query, strlen(query), &expr, &error) != SLG_OK)
        abort();
    if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION) {
        options.grouping = &expr->vector.grouping;
        options.sample = SLG_PIPE_SAMPLE_COUNT;
        options.log = &expr->vector.inner->range.log;
    } else {
        options.log = &expr->log;
    }
    if (slg_pipe_create(&options, &pipe, &error) != SLG_OK ||
        slg_pipe_stream_create(pipe, &set, &stream) != SLG_OK)
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();

        kept = 0;
        for (size_t i = 0; i < LINES; i++) {
            struct slg_pipe_entry entry = { .line = c->lines[i] };

            kept += slg_pipe_run(pipe, stream, &entry, &result) == SLG_OK;
        }
        rounds[round] = (double)(now_ns() - start) / LINES;
    }
    qsort(rounds, ROUNDS, sizeof(rounds[0]), compare_double);
    ns = rounds[0];
    printf("%-7s %7.0f ns/line %6.2f GB/s %6.2f x memmem %6zu kept  %s\n", c->name, ns,
           (double)c->bytes / LINES / ns, ns / c->memmem_ns, kept, query);
    slg_pipe_destroy(pipe);
    slg_arena_destroy(arena);
}

int main(int argc, char **argv)
{
    static const struct {
        int corpus;
        const char *query;
    } rows[] = {
        { 0, "{a=\"b\"} |= \"no such needle\"" },
        { 0, "{a=\"b\"} |= \"status=bounced\"" },
        { 0, "{a=\"b\"} |~ \"status=(no|such)thing\"" },
        { 0, "{a=\"b\"} |~ \"(?i)ERROR\"" },
        { 0, "{a=\"b\"} |~ \"relay=mx[0-3].*status=bounced\"" },
        { 0, "{a=\"b\"} |> \"<_> status=nothing <_>\"" },
        { 0, "{a=\"b\"} |= ip(\"10.0.0.0/8\")" },
        { 0, "{a=\"b\"} | regexp \"status=(?P<status>\\\\w+)\"" },
        { 0, "sum by (status) (count_over_time({a=\"b\"} | regexp \"status=(?P<status>\\\\w+)\" "
             "[5m]))" },
        { 0, "{a=\"b\"} | pattern \"<qid>: to=<to>, relay=<relay>, delay=<delay>, <_> "
             "status=<status> <_>\"" },
        { 0, "sum by (status) (count_over_time({a=\"b\"} | pattern \"<_>, status=<status> <_>\" "
             "[5m]))" },
        { 0, "{a=\"b\"} | decolorize" },
        { 1, "{a=\"b\"} | logfmt" },
        { 1, "{a=\"b\"} | logfmt status, delay" },
        { 1, "{a=\"b\"} | logfmt | status=\"nothing\"" },
        { 1, "sum by (status) (count_over_time({a=\"b\"} | logfmt [5m]))" },
        { 1, "{a=\"b\"} | logfmt | line_format \"{{.status}} {{.delay}}\"" },
        { 1, "{a=\"b\"} | logfmt | label_format d=\"{{.status | upper}}\"" },
        { 1, "{a=\"b\"} | logfmt | delay > 10s" },
        { 2, "{a=\"b\"} | json" },
        { 2, "{a=\"b\"} | json status, host=\"relay.host\"" },
        { 2, "sum by (status) (count_over_time({a=\"b\"} | json [5m]))" },
    };
    struct corpus corpora[3] = { 0 };

    make_corpus(&corpora[0], 0, "postfix");
    make_corpus(&corpora[1], 1, "logfmt");
    make_corpus(&corpora[2], 2, "json");
    for (size_t i = 0; i < 3; i++) {
        corpora[i].memmem_ns = measure_memmem(&corpora[i]);
        printf("%-7s %7.1f ns/line %6.2f GB/s memmem, %.0f bytes/line\n", corpora[i].name,
               corpora[i].memmem_ns, (double)corpora[i].bytes / LINES / corpora[i].memmem_ns,
               (double)corpora[i].bytes / LINES);
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++)
        if (argc < 2 || strstr(rows[i].query, argv[1]) != NULL)
            measure(&corpora[rows[i].corpus], rows[i].query);
    for (size_t i = 0; i < 3; i++) {
        free(corpora[i].text);
        free(corpora[i].lines);
    }
    return 0;
}
