/* The paths of `json a=".."` and `logfmt a=".."`. Oracle: rows, told from Loki's answers. */
#include "tests/helper/test.h"

#include "base/assert.h"
#include "base/buf.h"
#include "logql/pipe/path.h"

static const struct path_case {
    const char *name, *path;
    const char *want; /* segments: .name or #index; else the reason of the refusal */
} json_rows[] = {
    { "one name", "k", ".k" },
    { "names and indexes", "k.z2[\"a b\"][7]._x", ".k.z2.a b#7._x" },
    { "spaces", "\tk . z [ 7 ] [ \"q\" ] \n", ".k.z#7.q" },
    { "bracket first", "[\"k-z\"]", ".k-z" },
    { "index first", "[0][1]", "#0#1" },
    { "number in quotes is a name", "[\"7\"]", ".7" },
    { "largest index", "k[9223372036854775807]", ".k#9223372036854775807" },
    { "two brackets without a dot", "[\"a\"].b", ".a.b" },
    { "name behind a bracket", "[0]k", "syntax error: unexpected FIELD" },
    { "nothing", "", "syntax error: unexpected $end, expecting LSB or FIELD" },
    { "only spaces", "  ", "syntax error: unexpected $end, expecting LSB or FIELD" },
    { "two dots", "k..z", "syntax error: unexpected DOT, expecting FIELD" },
    { "dot first", ".k", "syntax error: unexpected DOT, expecting LSB or FIELD" },
    { "dot last", "k.", "syntax error: unexpected $end, expecting FIELD" },
    { "foreign character", "k+z", "unexpected char +" },
    { "foreign character of two bytes", "k\303\274", "unexpected char \303\274" },
    { "foreign character first", "+z", "syntax error: unexpected $end, expecting LSB or FIELD" },
    { "two names", "k z", "syntax error: unexpected FIELD" },
    { "name in brackets", "k[z]", "syntax error: unexpected FIELD, expecting STRING or INDEX" },
    { "open bracket", "k[", "syntax error: unexpected $end, expecting STRING or INDEX" },
    { "open bracket with a number", "k[7",
      "syntax error: unexpected $end, expecting STRING or INDEX" },
    { "open bracket with a string", "k[\"z\"", "syntax error: unexpected $end, expecting RSB" },
    { "string that ends with a bracket", "[\"z]\"]",
      "syntax error: unexpected STRING, expecting RSB" },
    { "closed twice", "k[7]]", "syntax error: unexpected RSB" },
    { "string without brackets", "k\"z\"", "syntax error: unexpected STRING" },
    { "number without brackets", "k 7 ", "syntax error: unexpected INDEX" },
    { "fraction", "k 7.5", "cannot use float as array index" },
    { "fraction in brackets", "k[7.5]",
      "syntax error: unexpected $end, expecting STRING or INDEX" },
    { "number with a letter", "k 7z", "non-integer value: z" },
    { "name that begins with a digit", "7z",
      "syntax error: unexpected $end, expecting LSB or FIELD" },
    { "huge number", "k 9223372036854775808 ",
      "strconv.Atoi: parsing \"9223372036854775808\": value out of range" },
    { "huge number in brackets", "k[9223372036854775808]",
      "syntax error: unexpected $end, expecting STRING or INDEX" },
};

static const struct path_case logfmt_rows[] = {
    { "key", "k", ".k" },
    { "quoted", "\"k-z\"", ".k-z" },
    { "quoted without an end", " \"k", ".k" },
    { "parts", "k \"z\" \"q\"", "." },
    { "nothing", "", "syntax error: unexpected $end, expecting STRING or KEY" },
    { "foreign character", "k.z", "unexpected char ." },
    { "bracket", "k[0]", "unexpected char [" },
    { "foreign character first", "7k", "syntax error: unexpected $end, expecting STRING or KEY" },
    { "two keys", "k z", "syntax error: unexpected KEY" },
    { "key behind a string", "\"k]z\"", "syntax error: unexpected KEY" },
};

/* The text between brackets in "cannot parse expression [..]: reason" is the path. */
static void check_refusal(const struct path_case *row, const struct slg_error *error)
{
    char want[256];

    (void)snprintf(want, sizeof(want), "cannot parse expression [%s]: %s", row->path, row->want);
    if (strcmp(want, error->message) != 0)
        print_error("%s: got %s\n", row->name, error->message);
    CHECK(row->name, strcmp(want, error->message) == 0);
}

static void test_json(void **state)
{
    struct slg_arena *arena = slg_arena_create((size_t)1 << 20);
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    for (size_t i = 0; i < SLG_ARRAY_LEN(json_rows); i++) {
        const struct path_case *row = &json_rows[i];
        uint8_t *block = test_block(row->path, strlen(row->path));
        struct slg_json_path path;
        struct slg_error error;

        if (slg_json_path_parse(arena, slg_text_make(block, strlen(row->path)), &path, &error) !=
            SLG_OK) {
            check_refusal(row, &error);
            free(block);
            continue;
        }
        slg_buf_clear(&out);
        for (size_t k = 0; k < path.segment_count; k++) {
            const struct slg_json_segment *segment = &path.segments[k];

            if (segment->is_index)
                slg_buf_printf(&out, "#%llu", (unsigned long long)segment->index);
            else
                slg_buf_printf(&out, ".%.*s", (int)segment->key.len, segment->key.at);
        }
        slg_buf_append_byte(&out, 0);
        CHECK(row->name, strcmp((const char *)out.data, row->want) == 0);
        free(block);
    }
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
}

static void test_logfmt(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(logfmt_rows); i++) {
        const struct path_case *row = &logfmt_rows[i];
        uint8_t *block = test_block(row->path, strlen(row->path));
        struct slg_text key;
        struct slg_error error;

        if (slg_logfmt_path_parse(slg_text_make(block, strlen(row->path)), &key, &error) != SLG_OK)
            check_refusal(row, &error);
        else
            CHECK(row->name, row->want[0] == '.' && slg_text_equal_to(key, row->want + 1));
        free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_logfmt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
