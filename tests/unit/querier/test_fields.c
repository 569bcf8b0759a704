/* Fields of sampled lines: names, types, parsers, paths and counts as Loki detects them.
 * Oracle: rows written by hand from Loki's rule (json, else logfmt, beside what the query parsed). */
#include "tests/helper/test.h"

#include "querier/fields.h"

#define MEMORY_BYTES ((size_t)4 << 20)

static void test_types(void **state)
{
    static const struct {
        const char *value;
        enum slg_field_type want;
    } rows[] = {
        { "", SLG_FIELD_STRING },
        { "1", SLG_FIELD_INT },
        { "-7", SLG_FIELD_INT },
        { "0", SLG_FIELD_INT },
        { "9223372036854775808", SLG_FIELD_FLOAT }, /* one past the largest integer */
        { "1.5", SLG_FIELD_FLOAT },
        { "NaN", SLG_FIELD_FLOAT },
        { "true", SLG_FIELD_BOOLEAN },
        { "F", SLG_FIELD_BOOLEAN },
        { "tRUE", SLG_FIELD_STRING },
        { "1h2m", SLG_FIELD_DURATION },
        { "-3ms", SLG_FIELD_DURATION },
        { "12kB", SLG_FIELD_BYTES },
        { "1.5 MiB", SLG_FIELD_BYTES },
        { "GET", SLG_FIELD_STRING },
        { "10.0.0.1", SLG_FIELD_STRING },
        { "2026-03-02T11:55:23Z", SLG_FIELD_STRING },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].value);
        char *block = (char *)test_block(rows[i].value, len);

        CHECK(rows[i].value, slg_field_type_of(slg_text_make(block, len)) == rows[i].want);
        free(block);
    }
    assert_string_equal(slg_field_type_text(SLG_FIELD_BYTES), "bytes");
    assert_string_equal(slg_field_type_text(SLG_FIELD_STRING), "string");
}

/* ---- lines ---- */

/* One row: a stream {app="x"} with these lines; metadata and parsed labels `name=value` of every line. */
struct line_case {
    const char *name;
    const char *lines[3]; /* NULL: no more */
    const char *metadata; /* NULL: none */
    const char *parsed;   /* NULL: none */
    const char *want;     /* name:type:count:parsers:path ... */
};

static const struct line_case cases[] = {
    { "logfmt", { "a=1 b=x", "a=2 b=x" }, NULL, NULL, "a:int:2:L: b:string:1:L: " },
    { "equal values of two fields", { "a=1 b=1" }, NULL, NULL, "a:int:1:L: b:int:1:L: " },
    { "plain text has no field", { "hello world" }, NULL, NULL, "" },
    { "empty line", { "" }, NULL, NULL, "" },
    { "json", { "{\"a\":1.5}", "{\"a\":2.5}" }, NULL, NULL, "a:float:2:J:a " },
    { "nested json",
      { "{\"r\":{\"s-t\":{\"u\":\"1s\"},\"v\":true}}" },
      NULL,
      NULL,
      "r_s_t_u:duration:1:J:r.s-t.u r_v:boolean:1:J:r.v " },
    { "key after a nested object",
      { "{\"r\":{\"s\":1},\"t\":2}" },
      NULL,
      NULL,
      "r_s:int:1:J:r.s t:int:1:J:t " },
    { "arrays and null are no fields",
      { "{\"a\":[1,2],\"b\":null,\"c\":\"\"}" },
      NULL,
      NULL,
      "c:string:1:J:c " },
    { "key with a digit first", { "{\"1st\":1}" }, NULL, NULL, "_1st:int:1:J:1st " },
    { "key with an escape", { "{\"a\\u0062\":1}" }, NULL, NULL, "ab:int:1:J:ab " },
    { "broken json is tried as logfmt", { "{\"a\":1, b=2" }, NULL, NULL, "b:int:1:L: " },
    { "one field, two formats", { "{\"a\":1}", "a=2" }, NULL, NULL, "a:int:2:JL:a " },
    { "path is found later", { "a=2", "{\"a\":1}" }, NULL, NULL, "a:int:2:JL:a " },
    { "the last value tells the type", { "a=1", "a=x" }, NULL, NULL, "a:string:2:L: " },
    { "metadata", { "hello" }, "pid=7", NULL, "pid:int:1:: " },
    { "metadata hides a member",
      { "{\"pid\":1}" },
      "pid=7",
      NULL,
      "pid:int:1:: pid_extracted:int:1:J:pid " },
    { "a stream label hides a member",
      { "{\"app\":1}" },
      NULL,
      NULL,
      "app_extracted:int:1:J:app " },
    { "parsed by the query and again", { "{\"a\":1}" }, NULL, "a=1", "a:int:1:J:a " },
    { "parsed by the query only", { "hello" }, NULL, "p=1s", "p:duration:1:L: " },
    { "errors of the query are no fields",
      { "{\"a\":1}" },
      NULL,
      "__error__=JSONParserErr",
      "a:int:1:J:a " },
};

/* name=value as a set of one label; NULL: the empty set. */
static struct slg_label_set set_of(const char *text, struct slg_label *label)
{
    const char *equal;

    if (text == NULL)
        return (struct slg_label_set){ .count = 0 };
    equal = strchr(text, '=');
    label->name = slg_text_make(text, (size_t)(equal - text));
    label->value = slg_text_of(equal + 1);
    return (struct slg_label_set){ .items = label, .count = 1 };
}

static const struct slg_label app = { { "app", 3 }, { "x", 1 } };

static void add_lines(struct slg_fields *fields, const struct line_case *row)
{
    struct slg_label metadata, parsed;
    struct slg_stream_row rows[3];
    struct slg_stream stream = { .labels = { &app, 1 }, .rows = rows };
    char *blocks[3];

    while (stream.row_count < 3 && row->lines[stream.row_count] != NULL) {
        size_t i = stream.row_count++;
        size_t len = strlen(row->lines[i]);

        blocks[i] = (char *)test_block(row->lines[i], len);
        rows[i] = (struct slg_stream_row){ .ts_ns = 1,
                                           .line = slg_text_make(blocks[i], len),
                                           .metadata = set_of(row->metadata, &metadata),
                                           .parsed = set_of(row->parsed, &parsed) };
    }
    assert_int_equal(slg_fields_add(fields, &stream), SLG_OK);
    for (size_t i = 0; i < stream.row_count; i++)
        free(blocks[i]); /* what was added is copied */
}

static void print_fields(struct slg_buf *out, const struct slg_fields *fields)
{
    size_t count;
    const struct slg_field *list = slg_fields_list(fields, &count);

    for (size_t i = 0; i < count; i++) {
        slg_buf_append(out, list[i].name.at, list[i].name.len);
        slg_buf_printf(out, ":%s:%llu:%s%s:", slg_field_type_text(list[i].type),
                       (unsigned long long)list[i].value_count, list[i].json ? "J" : "",
                       list[i].logfmt ? "L" : "");
        for (size_t k = 0; k < list[i].path_count; k++) {
            slg_buf_append_text(out, k == 0 ? "" : ".");
            slg_buf_append(out, list[i].path[k].at, list[i].path[k].len);
        }
        slg_buf_append_byte(out, ' ');
    }
    slg_buf_append_byte(out, '\0');
    assert_false(slg_buf_failed(out));
}

static struct slg_fields *make(size_t field_max, const char *wanted, size_t value_max,
                               size_t memory_bytes_max)
{
    struct slg_fields_options options = { .field_max = field_max,
                                          .wanted = slg_text_of(wanted),
                                          .value_max = value_max,
                                          .memory_bytes_max = memory_bytes_max };
    struct slg_fields *fields = NULL;
    struct slg_error error = { 0 };

    assert_int_equal(slg_fields_create(&options, &fields, &error), SLG_OK);
    return fields;
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_fields *fields = make(100, "", 0, MEMORY_BYTES);
        struct slg_buf out;

        slg_buf_init(&out, 65536);
        add_lines(fields, &cases[i]);
        print_fields(&out, fields);
        if (strcmp((char *)out.data, cases[i].want) != 0)
            print_error("found \"%s\"\n", (char *)out.data);
        CHECK(cases[i].name, strcmp((char *)out.data, cases[i].want) == 0);
        slg_buf_fini(&out);
        slg_fields_destroy(fields);
    }
}

static void test_field_max(void **state)
{
    static const struct line_case row = { .lines = { "a=1 b=2 c=3", "a=4 c=5" } };
    struct slg_fields *fields = make(2, "", 0, MEMORY_BYTES);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 65536);
    add_lines(fields, &row);
    print_fields(&out, fields);
    assert_string_equal((char *)out.data, "a:int:2:L: b:int:1:L: ");
    slg_buf_fini(&out);
    slg_fields_destroy(fields);
}

static void test_values(void **state)
{
    static const struct line_case row = { .lines = { "a=1 b=2", "{\"a\":\"z\"}", "a=1 b=3" } };
    static const struct {
        const char *name, *wanted;
        size_t value_max, count;
    } rows[] = {
        { "each once", "a", 10, 2 },
        { "no such field", "nosuch", 10, 0 },
        { "at most value_max", "a", 1, 1 },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_fields *fields = make(1, rows[i].wanted, rows[i].value_max, MEMORY_BYTES);
        const struct slg_text *values;
        size_t count;

        add_lines(fields, &row);
        values = slg_fields_values(fields, &count);
        CHECK(rows[i].name, count == rows[i].count);
        CHECK(rows[i].name, count < 1 || slg_text_equal_to(values[0], "1"));
        CHECK(rows[i].name, count < 2 || slg_text_equal_to(values[1], "z"));
        slg_fields_destroy(fields);
    }
}

/* Fields and values in large numbers: the tables grow and nothing is counted twice. */
static void test_many(void **state)
{
    struct slg_fields *fields = make(2000, "", 0, MEMORY_BYTES);
    struct slg_buf line;
    const struct slg_field *list;
    size_t count;

    (void)state;
    slg_buf_init(&line, (size_t)1 << 20);
    for (int i = 0; i < 1500; i++)
        slg_buf_printf(&line, "f%d=%d ", i, i);
    for (int round = 0; round < 2; round++) {
        struct slg_stream_row row = { .line = slg_text_make(line.data, line.len) };
        struct slg_stream stream = { .labels = { &app, 1 }, .rows = &row, .row_count = 1 };

        assert_int_equal(slg_fields_add(fields, &stream), SLG_OK);
    }
    list = slg_fields_list(fields, &count);
    assert_int_equal(count, 1500);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].value_count, 1);
    slg_buf_fini(&line);
    slg_fields_destroy(fields);
}

/* Members deeper than SLG_FIELDS_DEPTH_MAX, and names longer than a path is looked for, are fields without path. */
static void test_bounds(void **state)
{
    struct slg_fields *fields = make(10, "", 0, MEMORY_BYTES);
    const struct slg_field *list;
    struct slg_buf line;
    size_t count;

    (void)state;
    slg_buf_init(&line, (size_t)1 << 20);
    slg_buf_append_text(&line, "{\"");
    for (int i = 0; i < 5000; i++)
        slg_buf_append_byte(&line, 'n');
    slg_buf_append_text(&line, "\":1,\"d\":");
    for (int i = 0; i < SLG_FIELDS_DEPTH_MAX; i++)
        slg_buf_append_text(&line, "{\"d\":");
    slg_buf_append_text(&line, "1");
    for (int i = 0; i < SLG_FIELDS_DEPTH_MAX; i++)
        slg_buf_append_text(&line, "}");
    slg_buf_append_text(&line, ",\"z\":1}");
    for (size_t len = line.len; len + 40 > line.len; len--) { /* whole, then cut at every place */
        char *block = (char *)test_block(line.data, len);
        struct slg_stream_row row = { .line = slg_text_make(block, len) };
        struct slg_stream stream = { .labels = { &app, 1 }, .rows = &row, .row_count = 1 };

        assert_int_equal(slg_fields_add(fields, &stream), SLG_OK);
        free(block);
    }
    list = slg_fields_list(fields, &count);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].path_count + list[1].path_count + list[2].path_count, 1);
    assert_true(slg_text_equal_to(list[2].name, "z"));
    assert_int_equal(list[2].path_count, 1);
    slg_buf_fini(&line);
    slg_fields_destroy(fields);
}

/* The deepest member with a path has SLG_FIELDS_DEPTH_MAX keys. */
static void test_depth(void **state)
{
    (void)state;
    for (size_t keys = SLG_FIELDS_DEPTH_MAX - 1; keys <= SLG_FIELDS_DEPTH_MAX + 1; keys++) {
        struct slg_fields *fields = make(10, "", 0, MEMORY_BYTES);
        const struct slg_field *list;
        char line[8192] = "";
        struct line_case row = { .lines = { line } };
        size_t count, at = 0;

        for (size_t i = 0; i < keys; i++)
            at += (size_t)snprintf(line + at, sizeof(line) - at, "{\"d\":");
        line[at++] = '1';
        memset(line + at, '}', keys);
        add_lines(fields, &row);
        list = slg_fields_list(fields, &count);
        assert_int_equal(count, 1);
        assert_int_equal(list[0].path_count, keys <= SLG_FIELDS_DEPTH_MAX ? keys : 0);
        slg_fields_destroy(fields);
    }
}

static void test_memory(void **state)
{
    struct slg_fields *fields = make(100, "", 0, 4096);
    static const struct line_case row = { .lines = { "a=1" } };
    struct slg_stream_row line = { .line = { row.lines[0], 3 } };
    struct slg_stream stream = { .labels = { &app, 1 }, .rows = &line, .row_count = 1 };

    (void)state;
    assert_int_equal(slg_fields_add(fields, &stream), SLG_LIMIT);
    slg_fields_destroy(fields);
    slg_fields_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_field_max), cmocka_unit_test(test_values),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
