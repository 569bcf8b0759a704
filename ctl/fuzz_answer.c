/* Answers of a server that may be anything: printing ends, lines come out in order, and what is printed as JSON is
 * JSON.
 * Covers: ctl/answer.c base/json.c */
#include "ctl/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_BYTES_MAX ((size_t)1 << 22)

/* Each line of out is JSON, unless the buffer was too small. */
static void check_json_lines(const struct slg_buf *out)
{
    size_t start = 0;

    if (slg_buf_failed(out))
        return;
    for (size_t i = 0; i < out->len; i++) {
        struct slg_json *root;

        if (out->data[i] != '\n')
            continue;
        SLG_ASSERT(slg_json_parse(out->data + start, i - start, &root, NULL) == SLG_OK);
        slg_json_destroy(root);
        start = i + 1;
    }
    SLG_ASSERT(start == out->len);
}

static void check_order(const struct slg_json *root)
{
    size_t count = 0;
    struct slg_answer_line *lines =
        slg_answer_lines(slg_json_get(slg_json_get(root, "data"), "result"), &count);
    struct slg_buf scratch;

    SLG_ASSERT(lines != NULL);
    slg_buf_init(&scratch, OUT_BYTES_MAX);
    for (size_t i = 1; i < count; i++) {
        SLG_ASSERT(lines[i - 1].ts_ns <= lines[i].ts_ns);
        SLG_ASSERT(slg_answer_line_hash(&lines[i], &scratch) ==
                   slg_answer_line_hash(&lines[i], &scratch));
    }
    slg_buf_fini(&scratch);
    free(lines);
}

static void check_values(const struct slg_json *value, int depth)
{
    SLG_ASSERT((slg_json_type(value) == SLG_JSON_TEXT) == (slg_json_text(value) != NULL));
    if (slg_json_type(value) == SLG_JSON_INT || slg_json_type(value) == SLG_JSON_REAL)
        SLG_ASSERT((slg_json_int(value, 0) <= 0) == (slg_json_real(value, 0) < 1));
    else
        SLG_ASSERT(slg_json_int(value, 7) == 7);
    if (slg_json_type(value) != SLG_JSON_BOOL)
        SLG_ASSERT(slg_json_bool(value, true));
    for (size_t i = 0; depth > 0 && i < slg_json_count(value); i++)
        check_values(slg_json_at(value, i), depth - 1);
}

static bool count_members(void *arg, const char *key, const struct slg_json *value)
{
    size_t *left = arg;

    (void)value;
    SLG_ASSERT(key != NULL);
    *left -= 1;
    return *left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_json *root;
    struct slg_error error;
    struct slg_buf out;
    size_t members;

    if (slg_json_parse(data, size, &root, &error) != SLG_OK) {
        SLG_ASSERT(error.message[0] != '\0');
        return 0;
    }
    check_values(root, 3);
    members = slg_json_type(root) == SLG_JSON_OBJECT ? slg_json_count(root) : 0;
    if (members > 0) {
        slg_json_each(root, count_members, &members);
        SLG_ASSERT(members == 0);
    }
    check_order(root);
    slg_buf_init(&out, OUT_BYTES_MAX);
    SLG_ASSERT(slg_answer_print(&out, root, true) == SLG_OK);
    slg_answer_print_series(&out, root, true);
    slg_answer_print_texts(&out, root, true);
    check_json_lines(&out);
    slg_buf_clear(&out);
    SLG_ASSERT(slg_answer_print(&out, root, false) == SLG_OK);
    slg_answer_print_series(&out, root, false);
    slg_answer_print_texts(&out, root, false);
    (void)slg_answer_print_warnings(&out, root); /* the count is the caller's business */
    slg_buf_fini(&out);
    slg_json_destroy(root);
    return 0;
}
