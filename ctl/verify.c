#include "ctl/verify.h"

#include <poll.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/json.h"
#include "ctl/answer.h"
#include "ctl/fetch.h"
#include "ctl/progress.h"
#include "ctl/url.h"

#define PAGE_LINES ((size_t)5000) /* the server's default maximum */
#define POLL_MS    250

struct slg_verify {
    uint64_t *hashes;
    size_t count;
    size_t capacity;
};

/* What is needed to page: the connection and the lines found. */
struct pager {
    const struct slg_verify_range *range;
    struct slg_fetch *fetch;
    struct slg_buf url;
    struct slg_buf body;
    uint64_t *hashes;
    size_t count;
    size_t capacity;
    size_t page_lines;    /* at most PAGE_LINES, and what the server allows */
    int64_t next_ns;      /* start of the next page */
    size_t at_next_count; /* lines of exactly next_ns that we have already */
};

struct slg_verify *slg_verify_create(size_t line_count_max)
{
    struct slg_verify *verify = calloc(1, sizeof(*verify));

    SLG_ASSERT(line_count_max <= SLG_VERIFY_LINES_MAX);
    if (verify == NULL)
        return NULL;
    verify->hashes = calloc(line_count_max + 1, sizeof(*verify->hashes));
    verify->capacity = line_count_max;
    if (verify->hashes == NULL) {
        free(verify);
        return NULL;
    }
    return verify;
}

void slg_verify_destroy(struct slg_verify *verify)
{
    if (verify == NULL)
        return;
    free(verify->hashes);
    free(verify);
}

void slg_verify_add(struct slg_verify *verify, const void *line, size_t len)
{
    SLG_ASSERT(verify->count < verify->capacity);
    verify->hashes[verify->count++] = slg_hash_xxh3(line, len);
}

static int compare_hashes(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return *a < *b ? -1 : *a > *b;
}

/* ---- asking ---- */

static enum slg_status get(struct pager *p, struct slg_json **ret_root, struct slg_error *reterr)
{
    enum slg_status status;

    slg_buf_append_byte(&p->url, '\0');
    if (slg_buf_failed(&p->url))
        return slg_errorf(reterr, SLG_LIMIT, "the selector is too long");
    status = slg_fetch_get(p->fetch, (const char *)p->url.data, &p->body, reterr);
    if (status == SLG_OK)
        status = slg_json_parse(p->body.data, p->body.len, ret_root, reterr);
    return status;
}

static enum slg_status count_lines(struct pager *p, uint64_t *ret_count, struct slg_error *reterr)
{
    int64_t seconds = (p->range->to_ns - p->range->from_ns) / SLG_NS_PER_SEC + 1;
    struct slg_json *root;
    struct slg_buf query;
    const char *value;
    enum slg_status status;
    struct slg_cursor c;

    slg_buf_init(&query, 4096);
    slg_buf_printf(&query, "sum(count_over_time(%s[%llds]))", p->range->selector,
                   (long long)seconds);
    slg_buf_append_byte(&query, '\0');
    slg_url_start(&p->url, p->range->addr, "/loki/api/v1/query");
    slg_url_param(&p->url, "query", slg_buf_failed(&query) ? "" : (const char *)query.data);
    slg_url_number(&p->url, "time", p->range->to_ns);
    slg_buf_fini(&query);
    status = get(p, &root, reterr);
    if (status != SLG_OK)
        return status;
    value = slg_json_text(slg_json_at(
        slg_json_get(slg_json_at(slg_json_get(slg_json_get(root, "data"), "result"), 0), "value"),
        1));
    *ret_count = 0;
    c = slg_cursor_make(value == NULL ? "" : value, value == NULL ? 0 : strlen(value));
    (void)slg_cursor_take_uint(&c, 19, INT64_MAX, ret_count); /* no series: nothing there yet */
    slg_json_destroy(root);
    return SLG_OK;
}

static enum slg_status settle(struct pager *p, uint64_t want, struct slg_error *reterr)
{
    int64_t changed_ns = slg_clock_mono_ns(slg_clock_system());
    struct slg_progress progress;
    uint64_t count = 0, last = 0;

    slg_progress_start(&progress, "verify: to be found", "lines", 1, (int64_t)want);

    for (;;) {
        int64_t now = slg_clock_mono_ns(slg_clock_system());
        enum slg_status status = count_lines(p, &count, reterr);

        if (count != last)
            changed_ns = now;
        last = count;
        if (status != SLG_OK || count >= want || now - changed_ns > p->range->settle_ns) {
            slg_progress_end(&progress);
            return status;
        }
        slg_progress_tell(&progress, (int64_t)count);
        (void)poll(NULL, 0, POLL_MS); /* the pace of asking */
    }
}

/* ---- paging ---- */

static enum slg_status keep_hash(struct pager *p, uint64_t hash)
{
    if (p->count == p->capacity) {
        size_t grown = p->capacity == 0 ? 65536 : p->capacity * 2;
        uint64_t *hashes = realloc(p->hashes, grown * sizeof(*hashes));

        if (hashes == NULL)
            return SLG_NO_MEMORY;
        p->hashes = hashes;
        p->capacity = grown;
    }
    p->hashes[p->count++] = hash;
    return SLG_OK;
}

struct page_line {
    int64_t ts_ns;
    const char *text;
};

static int compare_page_lines(const void *left, const void *right)
{
    const struct page_line *a = left, *b = right;

    return a->ts_ns < b->ts_ns ? -1 : a->ts_ns > b->ts_ns;
}

static size_t read_lines(const struct slg_json *root, struct page_line *lines, size_t lines_max)
{
    const struct slg_json *result = slg_json_get(slg_json_get(root, "data"), "result");
    size_t count = 0;

    for (size_t i = 0; i < slg_json_count(result); i++) {
        const struct slg_json *values = slg_json_get(slg_json_at(result, i), "values");

        for (size_t k = 0; k < slg_json_count(values) && count < lines_max; k++) {
            const char *ts = slg_json_text(slg_json_at(slg_json_at(values, k), 0));
            const char *text = slg_json_text(slg_json_at(slg_json_at(values, k), 1));
            struct slg_cursor c =
                slg_cursor_make(ts == NULL ? "" : ts, ts == NULL ? 0 : strlen(ts));
            uint64_t ns = 0;

            (void)slg_cursor_take_uint(&c, 19, INT64_MAX, &ns); /* a broken time is 1970 */
            lines[count++] = (struct page_line){ (int64_t)ns, text == NULL ? "" : text };
        }
    }
    qsort(lines, count, sizeof(*lines), compare_page_lines);
    return count;
}

/* Take a page that begins with the lines of next_ns that we have already. *ret_done: it was the last. */
static enum slg_status take_page(struct pager *p, const struct slg_json *root,
                                 struct page_line *lines, bool *ret_done, struct slg_error *reterr)
{
    size_t count = read_lines(root, lines, p->page_lines);
    size_t skip = p->at_next_count, at_last = 0;
    int64_t last_ns;

    *ret_done = count < p->page_lines;
    for (size_t i = 0; i < count; i++) {
        if (lines[i].ts_ns == p->next_ns && skip > 0) {
            skip--;
            continue;
        }
        if (keep_hash(p, slg_hash_xxh3(lines[i].text, strlen(lines[i].text))) != SLG_OK)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the lines found");
    }
    if (*ret_done)
        return SLG_OK;
    last_ns = lines[count - 1].ts_ns;
    if (last_ns == lines[0].ts_ns)
        return slg_errorf(reterr, SLG_LIMIT,
                          "over %zu lines have one and the same time: cannot page through them",
                          p->page_lines);
    for (size_t i = count; i > 0 && lines[i - 1].ts_ns == last_ns; i--)
        at_last++;
    p->next_ns = last_ns;
    p->at_next_count = at_last;
    return SLG_OK;
}

/* The next page, as large as the server allows. */
static enum slg_status get_page(struct pager *p, struct slg_json **ret_root,
                                struct slg_error *reterr)
{
    struct slg_error error = { 0 };
    enum slg_status status;
    uint64_t lines_max;

    for (;;) {
        slg_url_start(&p->url, p->range->addr, "/loki/api/v1/query_range");
        slg_url_param(&p->url, "query", p->range->selector);
        slg_url_param(&p->url, "direction", "forward");
        slg_url_number(&p->url, "limit", (int64_t)p->page_lines);
        slg_url_number(&p->url, "start", p->next_ns);
        slg_url_number(&p->url, "end", p->range->to_ns);
        status = get(p, ret_root, &error);
        if (status != SLG_INVALID || !slg_answer_lines_max(error.message, &lines_max) ||
            lines_max >= p->page_lines)
            break;
        p->page_lines = (size_t)lines_max;
    }
    if (status != SLG_OK && reterr != NULL)
        *reterr = error;
    return status;
}

static enum slg_status page_through(struct pager *p, uint64_t want, struct slg_error *reterr)
{
    struct page_line *lines = calloc(PAGE_LINES, sizeof(*lines));
    enum slg_status status = SLG_OK;
    struct slg_progress progress;
    bool done = false;

    if (lines == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a page");
    p->next_ns = p->range->from_ns;
    slg_progress_start(&progress, "verify: read", "lines", 1, (int64_t)want);
    while (!done && status == SLG_OK) {
        struct slg_json *root = NULL;

        status = get_page(p, &root, reterr);
        if (status == SLG_OK)
            status = take_page(p, root, lines, &done, reterr);
        slg_json_destroy(root);
        slg_progress_tell(&progress, (int64_t)p->count);
    }
    slg_progress_end(&progress);
    free(lines);
    return status;
}

static void compare_multisets(struct slg_verify *verify, struct pager *p,
                              struct slg_verify_outcome *outcome)
{
    size_t a = 0, b = 0;

    *outcome = (struct slg_verify_outcome){ .sent = verify->count, .found = p->count };
    qsort(verify->hashes, verify->count, sizeof(*verify->hashes), compare_hashes);
    if (p->count > 0)
        qsort(p->hashes, p->count, sizeof(*p->hashes), compare_hashes);
    while (a < verify->count && b < p->count) {
        if (verify->hashes[a] == p->hashes[b]) {
            a++;
            b++;
        } else if (verify->hashes[a] < p->hashes[b]) {
            outcome->missing++;
            a++;
        } else {
            outcome->unexpected++;
            b++;
        }
    }
    outcome->missing += verify->count - a;
    outcome->unexpected += p->count - b;
}

enum slg_status slg_verify_run(struct slg_verify *verify, const struct slg_verify_range *range,
                               struct slg_verify_outcome *ret_outcome, struct slg_error *reterr)
{
    struct pager p = { .range = range,
                       .page_lines = PAGE_LINES,
                       .fetch = slg_fetch_create(range->token) };
    enum slg_status status = SLG_NO_MEMORY;

    slg_buf_init(&p.url, 65536);
    slg_buf_init(&p.body, SLG_FETCH_BYTES_MAX);
    if (p.fetch != NULL)
        status = settle(&p, verify->count, reterr);
    if (status == SLG_OK)
        status = page_through(&p, verify->count, reterr);
    if (status == SLG_OK)
        compare_multisets(verify, &p, ret_outcome);
    free(p.hashes);
    slg_buf_fini(&p.url);
    slg_buf_fini(&p.body);
    slg_fetch_destroy(p.fetch);
    return status;
}
