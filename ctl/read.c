/* query, tail, labels, series: reading like a user at a terminal. */
#include <poll.h>

#include "base/clock.h"
#include "ctl/answer.h"
#include "ctl/ctl.h"
#include "ctl/fetch.h"
#include "ctl/live.h"
#include "ctl/url.h"

#define URL_BYTES_MAX   ((size_t)1 << 20)
#define TAIL_POLL_MS    500
#define TAIL_LINES      5000
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
    *r = (struct reader){ .ctl = ctl, .fetch = slg_fetch_create(ctl->token) };
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

/* ---- printing ---- */

static int print_answer(struct reader *r)
{
    slg_buf_clear(&r->out);
    if (slg_answer_print_warnings(&r->out, r->root) > 0)
        (void)fwrite(r->out.data, 1, r->out.len, stderr); /* nothing to do if stderr is closed */
    slg_buf_clear(&r->out);
    if (slg_answer_print(&r->out, r->root, r->ctl->json) != SLG_OK)
        return SLG_CTL_FAILED;
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static int print_texts(struct reader *r)
{
    slg_buf_clear(&r->out);
    slg_answer_print_texts(&r->out, r->root, r->ctl->json);
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static int print_series(struct reader *r)
{
    slg_buf_clear(&r->out);
    slg_answer_print_series(&r->out, r->root, r->ctl->json);
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

/* ---- verbs ---- */

/* since, from and to into start and end parameters; the server reads times and durations. */
static void range_params(struct reader *r, const char *since, const char *from, const char *to)
{
    if (from != NULL)
        slg_url_param(&r->url, "start", from);
    else
        slg_url_param(&r->url, "since", since == NULL ? "1h" : since);
    if (to != NULL)
        slg_url_param(&r->url, "end", to);
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
    slg_url_start(&r.url, ctl->addr,
                  instant != NULL ? "/loki/api/v1/query" : "/loki/api/v1/query_range");
    slg_url_param(&r.url, "query", query);
    if (instant == NULL)
        range_params(&r, since, from, to);
    else if (to != NULL)
        slg_url_param(&r.url, "time", to);
    slg_url_param(&r.url, "limit", limit == NULL ? "100" : limit);
    if (direction != NULL)
        slg_url_param(&r.url, "direction", direction);
    if (step != NULL)
        slg_url_param(&r.url, "step", step);
    return finish(&r, get_json(&r, &error), &error, print_answer);
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
    slg_url_start(&r.url, ctl->addr, count == 0 ? "/loki/api/v1/labels" : "/loki/api/v1/label/");
    if (count > 0) {
        slg_url_segment(&r.url, name);
        slg_buf_append_text(&r.url, "/values");
    }
    range_params(&r, since, from, to);
    return finish(&r, get_json(&r, &error), &error, print_texts);
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
    slg_url_start(&r.url, ctl->addr, "/loki/api/v1/series");
    for (size_t i = 0; i < count; i++)
        slg_url_param(&r.url, "match[]", selectors[i]);
    range_params(&r, since, from, to);
    return finish(&r, get_json(&r, &error), &error, print_series);
}

/* ---- tail: over WebSocket, or where that is not to be had, the same query again and again, from a little before the
 * newest line seen ---- */

struct tail {
    int64_t from_ns; /* entries before it were shown or are too late for us */
    uint64_t limit;  /* lines of one answer */
    uint64_t *seen;  /* hashes of what was shown since from_ns */
    size_t seen_count;
};

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
    struct slg_answer_line *lines =
        slg_answer_lines(slg_json_get(slg_json_get(r->root, "data"), "result"), &count);

    if (lines == NULL)
        return SLG_CTL_FAILED;
    slg_buf_init(&scratch, SLG_FETCH_BYTES_MAX);
    slg_buf_clear(&r->out);
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = slg_answer_line_hash(&lines[i], &scratch);

        if (seen_before(tail, hash))
            continue;
        slg_answer_print_line(&r->out, &lines[i], r->ctl->json);
        if (tail->seen_count ==
            TAIL_SEEN_MAX) { /* forget the older half: they are behind from_ns by now */
            tail->seen_count /= 2;
            memmove(tail->seen, tail->seen + tail->seen_count, tail->seen_count * sizeof(uint64_t));
        }
        tail->seen[tail->seen_count++] = hash;
    }
    if (count > 0) {
        /* A full answer has more behind it: on from its end, or a burst would never be got over. */
        int64_t back_ns = count >= tail->limit ? 0 : TAIL_OVERLAP_NS;

        if (lines[count - 1].ts_ns - back_ns > tail->from_ns)
            tail->from_ns = lines[count - 1].ts_ns - back_ns;
    }
    slg_buf_fini(&scratch);
    free(lines);
    slg_ctl_print(&r->out);
    return SLG_CTL_OK;
}

static enum slg_status poll_once(struct reader *r, const char *query, struct tail *tail,
                                 struct slg_error *reterr)
{
    struct slg_error error = { 0 };
    enum slg_status status;
    uint64_t lines_max;

    for (;;) {
        slg_url_start(&r->url, r->ctl->addr, "/loki/api/v1/query_range");
        slg_url_param(&r->url, "query", query);
        slg_url_number(&r->url, "limit", (int64_t)tail->limit);
        slg_url_param(&r->url, "direction", "forward");
        slg_url_number(&r->url, "start", tail->from_ns);
        slg_url_number(&r->url, "end", slg_clock_wall_ns(slg_clock_system()) + 60 * SLG_NS_PER_SEC);
        status = get_json(r, &error);
        if (status != SLG_INVALID || !slg_answer_lines_max(error.message, &lines_max) ||
            lines_max >= tail->limit)
            break;
        tail->limit = lines_max;
    }
    *reterr = error;
    return status;
}

static int poll_tail(struct reader *r, const char *query, const char *polls)
{
    struct tail tail = { .from_ns = slg_clock_wall_ns(slg_clock_system()) - TAIL_OVERLAP_NS,
                         .limit = TAIL_LINES,
                         .seen = calloc(TAIL_SEEN_MAX, sizeof(uint64_t)) };
    struct slg_error error = { 0 };
    int64_t left = INT64_MAX;
    int code = SLG_CTL_OK;

    if (tail.seen == NULL || !slg_ctl_number("--polls", polls, 1, INT64_MAX, INT64_MAX, &left)) {
        free(tail.seen);
        return SLG_CTL_USAGE;
    }
    for (; left > 0 && code == SLG_CTL_OK; left--) {
        if (poll_once(r, query, &tail, &error) != SLG_OK)
            code = slg_ctl_fail(&error);
        else
            code = show_new_lines(r, &tail);
        if (left > 1)
            (void)poll(NULL, 0, TAIL_POLL_MS); /* the pace of asking; nothing is waited for */
    }
    free(tail.seen);
    return code;
}

/* Lines over WebSocket, as long as the server gives them; polling where it does not. */
static int live_tail(struct reader *r, const char *query)
{
    struct slg_error error = { 0 };
    enum slg_status status;

    slg_url_start(&r->url, r->ctl->addr, "/loki/api/v1/tail");
    slg_url_param(&r->url, "query", query);
    slg_url_number(&r->url, "start", slg_clock_wall_ns(slg_clock_system()) - TAIL_OVERLAP_NS);
    slg_buf_append_byte(&r->url, '\0');
    if (slg_buf_failed(&r->url)) {
        (void)slg_errorf(&error, SLG_LIMIT, "the query is too long");
        return slg_ctl_fail(&error);
    }
    status = slg_live_tail(r->ctl, r->fetch, (const char *)r->url.data, &error);
    return status == SLG_UNSUPPORTED ? poll_tail(r, query, NULL) : slg_ctl_fail(&error);
}

static int run_tail(struct slg_ctl *ctl, int argc, char **argv)
{
    const char *query = NULL, *polls = NULL;
    const struct slg_ctl_option options[] = {
        { "--polls", &polls,
          "poll instead: end after so many requests (2 a second); default: live, until the server "
          "ends it (silage: after querier.limits.tail_time_max, 1 h, with status 1)",
          false },
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
    code = polls == NULL ? live_tail(&r, query) : poll_tail(&r, query, polls);
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
