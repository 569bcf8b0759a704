/* query, tail, labels, series: reading like a user at a terminal. */
#include <poll.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"

#define URL_BYTES_MAX   ((size_t)1 << 20)
#define TAIL_POLL_MS    500
#define TAIL_SEEN_MAX   ((size_t)65536) /* lines of one and the same newest nanosecond */
#define TAIL_OVERLAP_NS (INT64_C(10) * SLG_NS_PER_SEC)

/* A request under way: connection, URL, answer. */
struct reader {
    struct slg_ctl *ctl;
    struct slg_fetch *fetch;
    struct slg_buf url;
    struct slg_buf body;
    struct slg_buf out;
    struct slg_json *root;
};

static bool reader_init(struct reader *r, struct slg_ctl *ctl)
{
    *r = (struct reader){ .ctl = ctl, .fetch = slg_fetch_create() };
    slg_buf_init(&r->url, URL_BYTES_MAX);
    slg_buf_init(&r->body, SLG_FETCH_BYTES_MAX);
    slg_buf_init(&r->out, SLG_FETCH_BYTES_MAX);
    return r->fetch != NULL;
}

static void reader_fini(struct reader *r)
{
    slg_json_destroy(r->root);
    slg_buf_fini(&r->url);
    slg_buf_fini(&r->body);
    slg_buf_fini(&r->out);
    slg_fetch_destroy(r->fetch);
}

static void start_url(struct reader *r, const char *path)
{
    slg_buf_clear(&r->url);
    slg_buf_append_text(&r->url, r->ctl->addr);
    slg_buf_append_text(&r->url, path);
}

static void number_param(struct reader *r, const char *name, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value); /* 20 characters at most */
    slg_fetch_param(&r->url, name, text);
}

static enum slg_status get_json(struct reader *r, struct slg_error *reterr)
{
    enum slg_status status;

    slg_json_destroy(r->root);
    r->root = NULL;
    slg_buf_append_byte(&r->url, '\0');
    if (slg_buf_failed(&r->url))
        return slg_errorf(reterr, SLG_LIMIT, "the query is too long");
    status = slg_fetch_get(r->fetch, (const char *)r->url.data, &r->body, reterr);
    if (status == SLG_OK)
        status = slg_json_parse(r->body.data, r->body.len, &r->root, reterr);
    return status;
}

static void tell_warnings(const struct reader *r)
{
    const struct slg_json *warnings = slg_json_get(r->root, "warnings");

    for (size_t i = 0; i < slg_json_count(warnings); i++)
        (void)fprintf(stderr, "warning: %s\n", slg_json_text(slg_json_at(warnings, i)));
}

/* ---- printing ---- */

struct label_print {
    struct slg_buf *out;
    bool json;
    bool first;
};

static bool print_label(void *arg, const char *key, const struct slg_json *value)
{
    struct label_print *p = arg;
    const char *text = slg_json_text(value);

    if (!p->first)
        slg_buf_append_text(p->out, p->json ? "," : ", ");
    p->first = false;
    if (p->json)
        slg_buf_append_json_text(p->out, key);
    else
        slg_buf_append_text(p->out, key);
    slg_buf_append_byte(p->out, p->json ? ':' : '=');
    slg_buf_append_json_text(p->out, text == NULL ? "" : text);
    return true;
}

static void print_labels(struct slg_buf *out, const struct slg_json *labels, bool json)
{
    struct label_print p = { .out = out, .json = json, .first = true };

    slg_buf_append_byte(out, '{');
    slg_json_each(labels, print_label, &p);
    slg_buf_append_byte(out, '}');
}

static int64_t text_ns(const char *text)
{
    struct slg_cursor c =
        slg_cursor_make(text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
    uint64_t value = 0;

    (void)slg_cursor_take_uint(&c, 19, INT64_MAX,
                               &value); /* a server's broken time shows as 1970 */
    return (int64_t)value;
}

/* One line of a log answer, gathered over its streams so that it can be sorted by time. */
struct line {
    int64_t ts_ns;
    size_t order; /* as the server gave them */
    const struct slg_json *labels;
    const char *text;
};

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left, *b = right;

    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static struct line *gather_lines(const struct slg_json *result, size_t *ret_count)
{
    struct line *lines;
    size_t count = 0, at = 0;

    for (size_t i = 0; i < slg_json_count(result); i++)
        count += slg_json_count(slg_json_get(slg_json_at(result, i), "values"));
    lines = calloc(count + 1, sizeof(*lines));
    if (lines == NULL)
        return NULL;
    for (size_t i = 0; i < slg_json_count(result); i++) {
        const struct slg_json *stream = slg_json_at(result, i);
        const struct slg_json *values = slg_json_get(stream, "values");

        for (size_t k = 0; k < slg_json_count(values); k++, at++) {
            const struct slg_json *value = slg_json_at(values, k);
            const char *text = slg_json_text(slg_json_at(value, 1));

            lines[at] = (struct line){ .ts_ns = text_ns(slg_json_text(slg_json_at(value, 0))),
                                       .order = at,
                                       .labels = slg_json_get(stream, "stream"),
                                       .text = text == NULL ? "" : text };
        }
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    *ret_count = count;
    return lines;
}

static void print_line(struct reader *r, const struct line *line)
{
    char time_text[40];

    slg_ctl_time(line->ts_ns, time_text);
    if (r->ctl->json) {
        slg_buf_printf(&r->out, "{\"ts\":\"%s\",\"labels\":", time_text);
        print_labels(&r->out, line->labels, true);
        slg_buf_append_text(&r->out, ",\"line\":");
        slg_buf_append_json_text(&r->out, line->text);
        slg_buf_append_text(&r->out, "}\n");
    } else {
        slg_buf_append_text(&r->out, time_text);
        slg_buf_append_byte(&r->out, ' ');
        print_labels(&r->out, line->labels, false);
        slg_buf_append_byte(&r->out, ' ');
        slg_buf_append_text(&r->out, line->text);
        slg_buf_append_byte(&r->out, '\n');
    }
}

static void print_sample(struct reader *r, const struct slg_json *labels,
                         const struct slg_json *sample)
{
    double seconds = slg_json_real(slg_json_at(sample, 0), 0);
    const char *value = slg_json_text(slg_json_at(sample, 1));
    char time_text[40];

    slg_ctl_time((int64_t)(seconds * 1000 + 0.5) * SLG_NS_PER_MS, time_text);
    if (r->ctl->json) {
        slg_buf_printf(&r->out, "{\"ts\":\"%s\",\"labels\":", time_text);
        print_labels(&r->out, labels, true);
        slg_buf_printf(&r->out, ",\"value\":\"%s\"}\n", value == NULL ? "" : value);
    } else {
        slg_buf_printf(&r->out, "%s ", time_text);
        print_labels(&r->out, labels, false);
        slg_buf_printf(&r->out, " %s\n", value == NULL ? "" : value);
    }
}

static void print_metric(struct reader *r, const struct slg_json *result)
{
    for (size_t i = 0; i < slg_json_count(result); i++) {
        const struct slg_json *series = slg_json_at(result, i);
        const struct slg_json *labels = slg_json_get(series, "metric");
        const struct slg_json *values = slg_json_get(series, "values");

        if (slg_json_get(series, "value") != NULL)
            print_sample(r, labels, slg_json_get(series, "value"));
        for (size_t k = 0; k < slg_json_count(values); k++)
            print_sample(r, labels, slg_json_at(values, k));
    }
}

static int print_answer(struct reader *r)
{
    const struct slg_json *data = slg_json_get(r->root, "data");
    const struct slg_json *result = slg_json_get(data, "result");
    const char *type = slg_json_text(slg_json_get(data, "resultType"));
    struct line *lines;
    size_t count;

    tell_warnings(r);
    slg_buf_clear(&r->out);
    if (type == NULL || strcmp(type, "streams") != 0) {
        if (type != NULL && strcmp(type, "scalar") == 0)
            print_sample(r, NULL, result);
        else
            print_metric(r, result);
        slg_ctl_print(&r->out);
        return SLG_CTL_OK;
    }
    lines = gather_lines(result, &count);
    if (lines == NULL)
        return SLG_CTL_FAILED;
    for (size_t i = 0; i < count; i++)
        print_line(r, &lines[i]);
    free(lines);
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

/* ---- verbs ---- */

/* since, from and to into start and end parameters; the server reads times and durations. */
static void range_params(struct reader *r, const char *since, const char *from, const char *to)
{
    if (from != NULL)
        slg_fetch_param(&r->url, "start", from);
    else
        slg_fetch_param(&r->url, "since", since == NULL ? "1h" : since);
    if (to != NULL)
        slg_fetch_param(&r->url, "end", to);
}

static int finish(struct reader *r, enum slg_status status, const struct slg_error *error,
                  int (*print)(struct reader *r))
{
    int code = status == SLG_OK ? print(r) : slg_ctl_fail(error);

    if (code == SLG_CTL_OK && slg_json_count(slg_json_get(r->root, "warnings")) > 0)
        code = SLG_CTL_DEGRADED;
    reader_fini(r);
    return code;
}

static int run_query(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *since = NULL, *from = NULL, *to = NULL, *limit = NULL, *direction = NULL;
    const char *step = NULL, *instant = NULL, *query = NULL;
    const struct slg_ctl_option options[] = {
        { "--since", &since, "how far back, default 1h", false },
        { "--from", &from, "start: RFC 3339, seconds or ns; instead of --since", false },
        { "--to", &to, "end, exclusive; default now", false },
        { "--limit", &limit, "lines at most, default 100", false },
        { "--direction", &direction,
          "which end counts when there are more: backward (default) or "
          "forward",
          false },
        { "--step", &step, "of a metric query: 15s; default range / 250", false },
        { "--instant", &instant, "evaluate a metric query once, at --to", true },
    };
    struct slg_error error = { 0 };
    struct reader r;
    size_t count;

    if (!slg_ctl_options(&slg_ctl_verb_query, argc, argv, options, SLG_ARRAY_LEN(options), &query,
                         1, &count))
        return SLG_CTL_USAGE;
    if (count == 0) {
        (void)fprintf(stderr,
                      "silagectl query: no query given, write for example '{job=\"syslog\"}'\n");
        return SLG_CTL_USAGE;
    }
    if (!reader_init(&r, ctl))
        return SLG_CTL_FAILED;
    start_url(&r, instant != NULL ? "/loki/api/v1/query" : "/loki/api/v1/query_range");
    slg_fetch_param(&r.url, "query", query);
    if (instant == NULL)
        range_params(&r, since, from, to);
    else if (to != NULL)
        slg_fetch_param(&r.url, "time", to);
    slg_fetch_param(&r.url, "limit", limit == NULL ? "100" : limit);
    if (direction != NULL)
        slg_fetch_param(&r.url, "direction", direction);
    if (step != NULL)
        slg_fetch_param(&r.url, "step", step);
    return finish(&r, get_json(&r, &error), &error, print_answer);
}

static int print_texts(struct reader *r)
{
    const struct slg_json *data = slg_json_get(r->root, "data");

    slg_buf_clear(&r->out);
    if (r->ctl->json)
        slg_buf_append_byte(&r->out, '[');
    for (size_t i = 0; i < slg_json_count(data); i++) {
        const char *text = slg_json_text(slg_json_at(data, i));

        if (r->ctl->json) {
            slg_buf_append_text(&r->out, i == 0 ? "" : ",");
            slg_buf_append_json_text(&r->out, text == NULL ? "" : text);
        } else {
            slg_buf_append_text(&r->out, text == NULL ? "" : text);
            slg_buf_append_byte(&r->out, '\n');
        }
    }
    slg_buf_append_text(&r->out, r->ctl->json ? "]\n" : "");
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static int run_labels(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *since = NULL, *from = NULL, *to = NULL, *name = NULL;
    const struct slg_ctl_option options[] = {
        { "--since", &since, "how far back, default 1h", false },
        { "--from", &from, "start, instead of --since", false },
        { "--to", &to, "end; default now", false },
    };
    struct slg_error error = { 0 };
    struct reader r;
    size_t count;

    if (!slg_ctl_options(&slg_ctl_verb_labels, argc, argv, options, SLG_ARRAY_LEN(options), &name,
                         1, &count))
        return SLG_CTL_USAGE;
    if (!reader_init(&r, ctl))
        return SLG_CTL_FAILED;
    start_url(&r, count == 0 ? "/loki/api/v1/labels" : "/loki/api/v1/label/");
    if (count > 0) {
        slg_buf_append_text(&r.url, name);
        slg_buf_append_text(&r.url, "/values");
    }
    range_params(&r, since, from, to);
    return finish(&r, get_json(&r, &error), &error, print_texts);
}

static int print_series(struct reader *r)
{
    const struct slg_json *data = slg_json_get(r->root, "data");

    slg_buf_clear(&r->out);
    for (size_t i = 0; i < slg_json_count(data); i++) {
        print_labels(&r->out, slg_json_at(data, i), r->ctl->json);
        slg_buf_append_byte(&r->out, '\n');
    }
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static int run_series(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *since = NULL, *from = NULL, *to = NULL, *selectors[32];
    const struct slg_ctl_option options[] = {
        { "--since", &since, "how far back, default 1h", false },
        { "--from", &from, "start, instead of --since", false },
        { "--to", &to, "end; default now", false },
    };
    struct slg_error error = { 0 };
    struct reader r;
    size_t count;

    if (!slg_ctl_options(&slg_ctl_verb_series, argc, argv, options, SLG_ARRAY_LEN(options),
                         selectors, SLG_ARRAY_LEN(selectors), &count))
        return SLG_CTL_USAGE;
    if (!reader_init(&r, ctl))
        return SLG_CTL_FAILED;
    start_url(&r, "/loki/api/v1/series");
    for (size_t i = 0; i < count; i++)
        slg_fetch_param(&r.url, "match[]", selectors[i]);
    range_params(&r, since, from, to);
    return finish(&r, get_json(&r, &error), &error, print_series);
}

/* ---- tail: the same query again and again, from a little before the newest line seen ---- */

struct tail {
    int64_t from_ns; /* entries before it were shown or are too late for us */
    uint64_t *seen;  /* hashes of what was shown since from_ns */
    size_t seen_count;
};

static uint64_t line_hash(const struct line *line, struct slg_buf *scratch)
{
    slg_buf_clear(scratch);
    slg_buf_append_u64be(scratch, (uint64_t)line->ts_ns);
    print_labels(scratch, line->labels, false);
    slg_buf_append_text(scratch, line->text);
    return slg_hash_xxh3(scratch->data, scratch->len);
}

static bool seen_before(const struct tail *tail, uint64_t hash)
{
    for (size_t i = tail->seen_count; i > 0; i--) {
        if (tail->seen[i - 1] == hash)
            return true;
    }
    return false;
}

static int show_new_lines(struct reader *r, struct tail *tail)
{
    struct slg_buf scratch;
    size_t count;
    struct line *lines =
        gather_lines(slg_json_get(slg_json_get(r->root, "data"), "result"), &count);

    if (lines == NULL)
        return SLG_CTL_FAILED;
    slg_buf_init(&scratch, SLG_FETCH_BYTES_MAX);
    slg_buf_clear(&r->out);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = line_hash(&lines[i], &scratch);

        if (seen_before(tail, hash))
            continue;
        print_line(r, &lines[i]);
        if (tail->seen_count ==
            TAIL_SEEN_MAX) { /* forget the older half: they are behind from_ns by now */
            tail->seen_count /= 2;
            memmove(tail->seen, tail->seen + tail->seen_count, tail->seen_count * sizeof(uint64_t));
        }
        tail->seen[tail->seen_count++] = hash;
    }
    if (count > 0 && lines[count - 1].ts_ns - TAIL_OVERLAP_NS > tail->from_ns)
        tail->from_ns = lines[count - 1].ts_ns - TAIL_OVERLAP_NS;
    slg_buf_fini(&scratch);
    free(lines);
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static int poll_tail(struct reader *r, const char *query, const char *polls)
{
    struct tail tail = { .from_ns = slg_clock_wall_ns(slg_clock_system()) - TAIL_OVERLAP_NS,
                         .seen = calloc(TAIL_SEEN_MAX, sizeof(uint64_t)) };
    struct slg_error error = { 0 };
    int64_t left = INT64_MAX;
    int code = SLG_CTL_OK;

    if (tail.seen == NULL || !slg_ctl_number("--polls", polls, 1, INT64_MAX, INT64_MAX, &left)) {
        free(tail.seen);
        return SLG_CTL_USAGE;
    }
    for (; left > 0 && code == SLG_CTL_OK; left--) {
        start_url(r, "/loki/api/v1/query_range");
        slg_fetch_param(&r->url, "query", query);
        slg_fetch_param(&r->url, "limit", "5000");
        slg_fetch_param(&r->url, "direction", "forward");
        number_param(r, "start", tail.from_ns);
        number_param(r, "end", slg_clock_wall_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC);
        if (get_json(r, &error) != SLG_OK)
            code = slg_ctl_fail(&error);
        else
            code = show_new_lines(r, &tail);
        if (left > 1)
            (void)poll(NULL, 0, TAIL_POLL_MS); /* the pace of asking; nothing is waited for */
    }
    free(tail.seen);
    return code;
}

static int run_tail(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *query = NULL, *polls = NULL;
    const struct slg_ctl_option options[] = {
        { "--polls", &polls, "end after so many requests (2 a second), default never", false },
    };
    struct reader r;
    size_t count;
    int code;

    if (!slg_ctl_options(&slg_ctl_verb_tail, argc, argv, options, SLG_ARRAY_LEN(options), &query, 1,
                         &count))
        return SLG_CTL_USAGE;
    if (count == 0) {
        (void)fprintf(stderr,
                      "silagectl tail: no query given, write for example '{job=\"syslog\"}'\n");
        return SLG_CTL_USAGE;
    }
    if (!reader_init(&r, ctl))
        return SLG_CTL_FAILED;
    code = poll_tail(&r, query, polls);
    reader_fini(&r);
    return code;
}

const struct slg_ctl_verb slg_ctl_verb_query = {
    "query", "LOGQL [--since 1h] [--from T --to T] [--limit N] [--direction D]",
    "runs a query and prints its lines or numbers, oldest first",
    "query '{app=\"postfix/smtp\"} |= \"status=bounced\"' --since 24h", run_query
};
const struct slg_ctl_verb slg_ctl_verb_tail = { "tail", "LOGQL [--polls N]",
                                                "shows new lines as they come",
                                                "tail '{app=\"postfix/smtpd\"}'", run_tail };
const struct slg_ctl_verb slg_ctl_verb_labels = { "labels", "[NAME] [--since 1h] [--from T --to T]",
                                                  "lists label names, or the values of one label",
                                                  "labels app --since 24h", run_labels };
const struct slg_ctl_verb slg_ctl_verb_series = { "series",
                                                  "[SELECTOR...] [--since 1h] [--from T --to T]",
                                                  "lists streams by their labels",
                                                  "series '{host=\"mx1\"}'", run_series };
