#include "ctl/answer.h"

#include <math.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "ctl/ctl.h"

#define SECONDS_MAX 9.2e9 /* what int64_t nanoseconds hold */

static const char *text_or_empty(const struct slg_json *value)
{
    const char *text = slg_json_text(value);

    return text == NULL ? "" : text;
}

/* ---- labels ---- */

struct label_print {
    struct slg_buf *out;
    bool json;
    bool first;
};

static bool print_label(void *arg, const char *key, const struct slg_json *value)
{
    struct label_print *p = arg;

    if (!p->first)
        slg_buf_append_text(p->out, p->json ? "," : ", ");
    p->first = false;
    if (p->json)
        slg_buf_append_json_text(p->out, key);
    else
        slg_buf_append_text(p->out, key);
    slg_buf_append_byte(p->out, p->json ? ':' : '=');
    slg_buf_append_json_text(p->out, text_or_empty(value));
    return true;
}

static void print_labels(struct slg_buf *out, const struct slg_json *labels, bool json)
{
    struct label_print p = { .out = out, .json = json, .first = true };

    slg_buf_append_byte(out, '{');
    slg_json_each(labels, print_label, &p);
    slg_buf_append_byte(out, '}');
}

/* ---- lines ---- */

static int64_t text_ns(const char *text)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));
    uint64_t value = 0;

    (void)slg_cursor_take_uint(&c, 19, INT64_MAX, &value); /* broken: 1970 */
    return (int64_t)value;
}

static int compare_lines(const void *left, const void *right)
{
    const struct slg_answer_line *a = left, *b = right;

    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

struct slg_answer_line *slg_answer_lines(const struct slg_json *streams, size_t *ret_count)
{
    struct slg_answer_line *lines;
    size_t count = 0, at = 0;

    for (size_t i = 0; i < slg_json_count(streams); i++)
        count += slg_json_count(slg_json_get(slg_json_at(streams, i), "values"));
    lines = calloc(count + 1, sizeof(*lines));
    if (lines == NULL)
        return NULL;
    for (size_t i = 0; i < slg_json_count(streams); i++) {
        const struct slg_json *stream = slg_json_at(streams, i);
        const struct slg_json *values = slg_json_get(stream, "values");

        for (size_t k = 0; k < slg_json_count(values); k++, at++) {
            const struct slg_json *value = slg_json_at(values, k);

            lines[at] =
                (struct slg_answer_line){ .ts_ns = text_ns(text_or_empty(slg_json_at(value, 0))),
                                          .order = at,
                                          .labels = slg_json_get(stream, "stream"),
                                          .text = text_or_empty(slg_json_at(value, 1)) };
        }
    }
    qsort(lines, count, sizeof(*lines), compare_lines);
    *ret_count = count;
    return lines;
}

uint64_t slg_answer_line_hash(const struct slg_answer_line *line, struct slg_buf *scratch)
{
    slg_buf_clear(scratch);
    slg_buf_append_u64be(scratch, (uint64_t)line->ts_ns);
    print_labels(scratch, line->labels, false);
    slg_buf_append_text(scratch, line->text);
    return slg_hash_xxh3(scratch->data, scratch->len);
}

void slg_answer_print_line(struct slg_buf *out, const struct slg_answer_line *line, bool json)
{
    char time_text[40];

    slg_ctl_time(line->ts_ns, time_text);
    if (json) {
        slg_buf_printf(out, "{\"ts\":\"%s\",\"labels\":", time_text);
        print_labels(out, line->labels, true);
        slg_buf_append_text(out, ",\"line\":");
        slg_buf_append_json_text(out, line->text);
        slg_buf_append_text(out, "}\n");
    } else {
        slg_buf_append_text(out, time_text);
        slg_buf_append_byte(out, ' ');
        print_labels(out, line->labels, false);
        slg_buf_append_byte(out, ' ');
        slg_buf_append_text(out, line->text);
        slg_buf_append_byte(out, '\n');
    }
}

/* ---- numbers ---- */

static void print_sample(struct slg_buf *out, const struct slg_json *labels,
                         const struct slg_json *sample, bool json)
{
    double seconds = slg_json_real(slg_json_at(sample, 0), 0);
    const char *value = text_or_empty(slg_json_at(sample, 1));
    char time_text[40];

    if (fabs(seconds) > SECONDS_MAX)
        seconds = 0;
    slg_ctl_time((int64_t)floor(seconds * 1000 + 0.5) * SLG_NS_PER_MS, time_text);
    if (json) {
        slg_buf_printf(out, "{\"ts\":\"%s\",\"labels\":", time_text);
        print_labels(out, labels, true);
        slg_buf_append_text(out, ",\"value\":");
        slg_buf_append_json_text(out, value);
        slg_buf_append_text(out, "}\n");
    } else {
        slg_buf_append_text(out, time_text);
        slg_buf_append_byte(out, ' ');
        print_labels(out, labels, false);
        slg_buf_append_byte(out, ' ');
        slg_buf_append_text(out, value);
        slg_buf_append_byte(out, '\n');
    }
}

static void print_metric(struct slg_buf *out, const struct slg_json *result, bool json)
{
    for (size_t i = 0; i < slg_json_count(result); i++) {
        const struct slg_json *series = slg_json_at(result, i);
        const struct slg_json *labels = slg_json_get(series, "metric");
        const struct slg_json *values = slg_json_get(series, "values");

        if (slg_json_get(series, "value") != NULL)
            print_sample(out, labels, slg_json_get(series, "value"), json);
        for (size_t k = 0; k < slg_json_count(values); k++)
            print_sample(out, labels, slg_json_at(values, k), json);
    }
}

/* ---- whole answers ---- */

enum slg_status slg_answer_print(struct slg_buf *out, const struct slg_json *root, bool json)
{
    const struct slg_json *data = slg_json_get(root, "data");
    const struct slg_json *result = slg_json_get(data, "result");
    const char *type = text_or_empty(slg_json_get(data, "resultType"));
    struct slg_answer_line *lines;
    size_t count;

    if (strcmp(type, "scalar") == 0) {
        print_sample(out, NULL, result, json);
        return SLG_OK;
    }
    if (strcmp(type, "streams") != 0) {
        print_metric(out, result, json);
        return SLG_OK;
    }
    lines = slg_answer_lines(result, &count);
    if (lines == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        slg_answer_print_line(out, &lines[i], json);
    free(lines);
    return SLG_OK;
}

void slg_answer_print_texts(struct slg_buf *out, const struct slg_json *root, bool json)
{
    const struct slg_json *data = slg_json_get(root, "data");

    if (json)
        slg_buf_append_byte(out, '[');
    for (size_t i = 0; i < slg_json_count(data); i++) {
        const char *text = text_or_empty(slg_json_at(data, i));

        if (json) {
            slg_buf_append_text(out, i == 0 ? "" : ",");
            slg_buf_append_json_text(out, text);
        } else {
            slg_buf_append_text(out, text);
            slg_buf_append_byte(out, '\n');
        }
    }
    slg_buf_append_text(out, json ? "]\n" : "");
}

void slg_answer_print_series(struct slg_buf *out, const struct slg_json *root, bool json)
{
    const struct slg_json *data = slg_json_get(root, "data");

    for (size_t i = 0; i < slg_json_count(data); i++) {
        print_labels(out, slg_json_at(data, i), json);
        slg_buf_append_byte(out, '\n');
    }
}

size_t slg_answer_print_warnings(struct slg_buf *out, const struct slg_json *root)
{
    const struct slg_json *warnings = slg_json_get(root, "warnings");

    for (size_t i = 0; i < slg_json_count(warnings); i++) {
        slg_buf_append_text(out, "warning: ");
        slg_buf_append_text(out, text_or_empty(slg_json_at(warnings, i)));
        slg_buf_append_byte(out, '\n');
    }
    return slg_json_count(warnings);
}

/* "max entries limit per query exceeded, limit > max_entries_limit_per_query (5000 > 100)" */
bool slg_answer_lines_max(const char *message, uint64_t *ret_max)
{
    const char *at = strstr(message, "max_entries_limit");
    struct slg_cursor c;
    uint64_t max;

    at = at == NULL ? NULL : strstr(at, " > ");
    if (at == NULL)
        return false;
    c = slg_cursor_make(at + 3, strlen(at + 3));
    if (!slg_cursor_take_uint(&c, 19, INT64_MAX, &max) || max == 0)
        return false;
    *ret_max = max;
    return true;
}
