/* Arbitrary log lines, one a row, as detected_fields looks at them: the list keeps its promises, and asking for the
 * first field alone finds it again. The first byte chooses how much memory there is.
 * Covers: fields.c */
#include "base/assert.h"
#include "querier/fields.h"

#define ROWS_MAX   16
#define FIELDS_MAX 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_rows(struct slg_text text, struct slg_stream_row *rows)
{
    static const struct slg_label metadata[] = { { { "pid", 3 }, { "7", 1 } },
                                                 { { "took", 4 }, { "1.5s", 4 } } };
    static const struct slg_label parsed[] = { { { "__error__", 9 }, { "x", 1 } },
                                               { { "size", 4 }, { "5KB", 3 } } };
    size_t count = 0;

    while (text.len > 0 && count < ROWS_MAX) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.at);

        rows[count] = (struct slg_stream_row){ .ts_ns = 1, .line = slg_text_make(text.at, len) };
        if (count % 2 == 0)
            rows[count].metadata = (struct slg_label_set){ .items = metadata, .count = 2 };
        else
            rows[count].parsed = (struct slg_label_set){ .items = parsed, .count = 2 };
        count++;
        len += end != NULL;
        text = slg_text_make(text.at + len, text.len - len);
    }
    return count;
}

static void check_list(const struct slg_field *list, size_t count)
{
    SLG_ASSERT(count <= FIELDS_MAX);
    for (size_t i = 0; i < count; i++) {
        SLG_ASSERT(list[i].name.len > 0);
        SLG_ASSERT(list[i].value_count >= 1 && list[i].value_count <= ROWS_MAX);
        SLG_ASSERT(list[i].path_count == 0 || list[i].json);
        SLG_ASSERT(list[i].path_count <= SLG_FIELDS_DEPTH_MAX);
        SLG_ASSERT(slg_field_type_text(list[i].type)[0] != '\0');
        for (size_t k = 0; k < i; k++)
            SLG_ASSERT(!slg_text_equal(list[i].name, list[k].name));
    }
}

static void check_wanted(const struct slg_field *first, const struct slg_stream *stream)
{
    struct slg_fields_options options = { .field_max = 1,
                                          .wanted = first->name,
                                          .value_max = ROWS_MAX,
                                          .memory_bytes_max = (size_t)4 << 20 };
    struct slg_fields *fields;
    size_t count;

    SLG_ASSERT(slg_fields_create(&options, &fields, NULL) == SLG_OK);
    SLG_ASSERT(slg_fields_add(fields, stream) == SLG_OK);
    (void)slg_fields_values(fields, &count);
    SLG_ASSERT(count == first->value_count);
    slg_fields_destroy(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct slg_label labels[] = { { { "app", 3 }, { "x", 1 } } };
    struct slg_stream_row rows[ROWS_MAX];
    struct slg_stream stream = { .labels = { .items = labels, .count = 1 }, .rows = rows };
    struct slg_fields_options options = { .field_max = FIELDS_MAX };
    struct slg_fields *fields;
    const struct slg_field *list;
    size_t count;

    if (size == 0)
        return 0;
    options.memory_bytes_max = data[0] < 128 ? (size_t)4 << 20 : ((size_t)data[0] - 127) * 128;
    stream.row_count = read_rows(slg_text_make(data + 1, size - 1), rows);
    SLG_ASSERT(slg_fields_create(&options, &fields, NULL) == SLG_OK);
    if (slg_fields_add(fields, &stream) == SLG_OK) {
        list = slg_fields_list(fields, &count);
        check_list(list, count);
        if (count > 0)
            check_wanted(&list[0], &stream);
    }
    slg_fields_destroy(fields);
    return 0;
}
