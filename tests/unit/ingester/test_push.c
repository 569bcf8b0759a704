/* Push bodies become entries by Loki's rules, or are refused as a whole before the first entry.
 * Oracle: entries printed as JSON and compared with texts by hand; protobuf bodies are built here, field by field. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "ingester/push.h"

#define BUDGET ((size_t)8 * 1024 * 1024)

struct sink {
    struct slg_buf out;
    uint64_t last_serial;
    enum slg_status answer;
    size_t stop_after;
    size_t taken;
};

/* labels|metadata|ts|line; */
static enum slg_status take(void *ctx, const struct slg_push_entry *entry)
{
    struct sink *sink = ctx;
    struct slg_label_set metadata = { .items = entry->metadata, .count = entry->metadata_count };
    struct slg_buf canonical;

    if (sink->stop_after != 0 && sink->taken == sink->stop_after)
        return sink->answer;
    sink->taken++;
    slg_buf_init(&canonical, 1 << 16);
    slg_label_encode(&canonical, &entry->stream->labels);
    assert_int_equal(canonical.len, entry->stream->canonical_len);
    assert_memory_equal(canonical.data, entry->stream->canonical, canonical.len);
    slg_buf_fini(&canonical);
    slg_label_print_json(&sink->out, &entry->stream->labels);
    slg_buf_append_byte(&sink->out, '|');
    slg_label_print_json(&sink->out, &metadata);
    slg_buf_printf(&sink->out, "|%lld|", (long long)entry->ts_ns);
    slg_buf_append(&sink->out, entry->line.at, entry->line.len);
    slg_buf_append_byte(&sink->out, ';');
    return SLG_OK;
}

static enum slg_status decode(const struct slg_push_options *options, enum slg_push_format format,
                              const void *body, size_t len, size_t budget, struct sink *sink,
                              struct slg_push_result *result, struct slg_error *error)
{
    struct slg_arena *arena = slg_arena_create(budget);
    uint8_t *block = test_block(body, len);
    enum slg_status status;

    slg_buf_init(&sink->out, 1 << 24);
    status = slg_push_decode(options, format, arena, block, len, take, sink, result, error);
    slg_buf_append_byte(&sink->out, '\0');
    slg_arena_destroy(arena);
    free(block);
    return status;
}

#define ONE(values) "{\"streams\":[{\"stream\":{\"app\":\"x\"},\"values\":[" values "]}]}"
#define X           "{\"app\":\"x\",\"service_name\":\"x\"}"
#define UNKNOWN     "{\"detected_level\":\"unknown\"}"

static const struct json_row {
    const char *name;
    const char *body;
    enum slg_status status;
    const char *want;
    uint64_t rejected;
    const char *message; /* a part of it */
} json_rows[] = {
    { "one entry", ONE("[\"1\",\"hi\"]"), SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "two entries", ONE("[\"1\",\"hi\"],[\"2\",\"ho\"]"), SLG_OK,
      X "|" UNKNOWN "|1|hi;" X "|" UNKNOWN "|2|ho;", 0, "" },
    { "spaces",
      " { \"streams\" : [ { \"values\" : [ [ \"1\" , \"hi\" ] ] , \"stream\" : { \"app\" : "
      "\"x\" } } ] } \n",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "metadata", ONE("[\"1\",\"hi\",{\"user.id\":\"7\",\"2x\":\"y\",\"e\":\"\"}]"), SLG_OK,
      X "|{\"user_id\":\"7\",\"key_2x\":\"y\",\"detected_level\":\"unknown\"}|1|hi;", 0, "" },
    { "names of metadata",
      ONE("[\"1\",\"hi\",{\"a..b\":\"1\",\"c__d\":\"2\",\"__e.-f__\":\"3\",\"__g\":\"4\","
          "\"caf\xC3\xA9 au\":\"5\",\"_h_\":\"6\",\"___i___\":\"7\",\"9.\":\"8\"}]"),
      SLG_OK,
      X
      "|{\"a_b\":\"1\",\"c_d\":\"2\",\"__e_f__\":\"3\",\"_g\":\"4\",\"caf_au\":\"5\",\"_h_\":\"6\","
      "\"___i___\":\"7\",\"key_9_\":\"8\",\"detected_level\":\"unknown\"}|1|hi;",
      0, "" },
    { "metadata twice: the last", ONE("[\"1\",\"hi\",{\"a_b\":\"1\",\"a_b\":\"2\"}]"), SLG_OK,
      X "|{\"a_b\":\"2\",\"detected_level\":\"unknown\"}|1|hi;", 0, "" },
    { "metadata twice: the name that changed", ONE("[\"1\",\"hi\",{\"a.b\":\"1\",\"a_b\":\"2\"}]"),
      SLG_OK, X "|{\"a_b\":\"1\",\"detected_level\":\"unknown\"}|1|hi;", 0, "" },
    { "metadata twice: the last name that changed",
      ONE("[\"1\",\"hi\",{\"a.b\":\"1\",\"a_b\":\"2\",\"a-b\":\"3\"}]"), SLG_OK,
      X "|{\"a_b\":\"3\",\"detected_level\":\"unknown\"}|1|hi;", 0, "" },
    { "streams in capitals, the last of two",
      "{\"streams\":[{\"stream\":{\"b\":\"c\"},\"values\":[[\"1\",\"lost\"]]}],\"StReAmS\":[{"
      "\"stream\":{\"app\":\"x\"},\"values\":[[\"1\",\"hi\"]]}]}",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "streams are null", "{\"Streams\":null}", SLG_OK, "", 0, "" },
    { "all is null", " null ", SLG_OK, "", 0, "" },
    { "members twice: the last, but null values",
      "{\"streams\":[{\"stream\":{\"b\":\"c\"},\"values\":[[\"1\",\"lost\"]],\"stream\":{\"app\":"
      "\"x\"},\"values\":[[\"1\",\"hi\"]],\"values\":null}]}",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "an entry is null", ONE("null,[\"1\",\"hi\"]"), SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "time alone", ONE("[\"1\"]"), SLG_OK, X "|" UNKNOWN "|1|;", 0, "" },
    { "more than three items", ONE("[\"1\",\"hi\",{\"a\":\"b\"},{\"x\":[1]},2]"), SLG_OK,
      X "|{\"a\":\"b\",\"detected_level\":\"unknown\"}|1|hi;", 0, "" },
    { "level in metadata", ONE("[\"1\",\"hi\",{\"level\":\"WARN\"}]"), SLG_OK,
      X "|{\"level\":\"WARN\",\"detected_level\":\"warn\"}|1|hi;", 0, "" },
    { "detected_level given", ONE("[\"1\",\"hi\",{\"detected_level\":\"Err\"}]"), SLG_OK,
      X "|{\"detected_level\":\"error\"}|1|hi;", 0, "" },
    { "escapes", ONE("[\"1\",\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud800!\"]"),
      SLG_OK, X "|" UNKNOWN "|1|a\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80\xEF\xBF\xBD!;", 0, "" },
    { "invalid utf-8 stays in lines", ONE("[\"1\",\"a\xFF\"]"), SLG_OK, X "|" UNKNOWN "|1|a\xFF;",
      0, "" },
    { "invalid utf-8 is repaired in labels",
      "{\"streams\":[{\"stream\":{\"app\":\"a\xFF\"},\"values\":[[\"1\",\"x\"]]}]}", SLG_OK,
      "{\"app\":\"a\xEF\xBF\xBD\",\"service_name\":\"a\xEF\xBF\xBD\"}|" UNKNOWN "|1|x;", 0, "" },
    { "empty line", ONE("[\"1\",\"\"]"), SLG_OK, X "|" UNKNOWN "|1|;", 0, "" },
    { "negative time", ONE("[\"-1\",\"x\"]"), SLG_OK, X "|" UNKNOWN "|-1|x;", 0, "" },
    { "largest time", ONE("[\"9223372036854775807\",\"x\"]"), SLG_OK,
      X "|" UNKNOWN "|9223372036854775807|x;", 0, "" },
    { "unknown members",
      "{\"v\":{\"a\":[1,2.5e3,true,{}],\"b\":null},\"streams\":[{\"q\":[],\"stream\":{"
      "\"app\":\"x\"},\"values\":[[\"1\",\"hi\"]]}]}",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "no streams", "{\"streams\":[]}", SLG_OK, "", 0, "" },
    { "empty object", "{}", SLG_OK, "", 0, "" },
    { "no values", "{\"streams\":[{\"stream\":{\"app\":\"x\"},\"values\":[]}]}", SLG_OK, "", 0,
      "" },
    { "service by container",
      "{\"streams\":[{\"stream\":{\"job\":\"j\",\"container\":\"c\"},\"values\":"
      "[[\"1\",\"x\"]]}]}",
      SLG_OK, "{\"container\":\"c\",\"job\":\"j\",\"service_name\":\"c\"}|" UNKNOWN "|1|x;", 0,
      "" },
    { "service unknown", "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]]}]}",
      SLG_OK, "{\"a\":\"b\",\"service_name\":\"unknown_service\"}|" UNKNOWN "|1|x;", 0, "" },
    { "service given",
      "{\"streams\":[{\"stream\":{\"app\":\"b\",\"service_name\":\"s\"},\"values\":[["
      "\"1\",\"x\"]]}]}",
      SLG_OK, "{\"app\":\"b\",\"service_name\":\"s\"}|" UNKNOWN "|1|x;", 0, "" },
    { "an empty value is no label",
      "{\"streams\":[{\"stream\":{\"app\":\"b\",\"c\":\"\"},\"values\":[[\"1\",\"x\"]]}]}", SLG_OK,
      "{\"app\":\"b\",\"service_name\":\"b\"}|" UNKNOWN "|1|x;", 0, "" },
    { "no labels", "{\"streams\":[{\"stream\":{},\"values\":[[\"1\",\"x\"],[\"2\",\"x\"]]}]}",
      SLG_OK,
      "{\"service_name\":\"unknown_service\"}|" UNKNOWN "|1|x;"
      "{\"service_name\":\"unknown_service\"}|" UNKNOWN "|2|x;",
      0, "" },
    { "no member for labels", "{\"streams\":[{\"values\":[[\"1\",\"x\"]]}]}", SLG_OK, "", 1,
      "the stream has no labels" },
    { "labels twice: the last",
      "{\"streams\":[{\"stream\":{\"app\":\"y\",\"app\":\"x\",\"b\":\"c\","
      "\"b\":\"\"},\"values\":[[\"1\",\"hi\"]]}]}",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 0, "" },
    { "bad label name, others go on",
      "{\"streams\":[{\"stream\":{\"a-b\":\"c\"},\"values\":[[\"1\",\"x\"]]},"
      "{\"stream\":{\"app\":\"x\"},\"values\":[[\"1\",\"hi\"]]}]}",
      SLG_OK, X "|" UNKNOWN "|1|hi;", 1, "error parsing labels" },
    { "reserved", "{\"streams\":[{\"stream\":{\"job\":\"silage\"},\"values\":[[\"1\",\"x\"]]}]}",
      SLG_OK, "", 1, "only Silage itself" },
    { "too many labels",
      "{\"streams\":[{\"stream\":{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\",\"d\":\"1\",\"e\":\"1\"},"
      "\"values\":[["
      "\"1\",\"x\"]]}]}",
      SLG_OK, "", 1,
      "entry for stream '{a=\"1\", b=\"1\", c=\"1\", d=\"1\", e=\"1\", "
      "service_name=\"unknown_service\"}' has 5 label names; limit 4" },
    { "two faults of one kind, one of another",
      "{\"streams\":[{\"stream\":{\"job\":\"silage\"},\"values\":[[\"1\",\"x\"]]},{\"stream\":{"
      "\"a-b\":\"c\"},\"values\":[[\"1\",\"x\"]]},{\"stream\":{\"job\":\"silage\"},\"values\":[["
      "\"1\","
      "\"x\"],[\"2\",\"x\"]]}]}",
      SLG_OK, "", 4,
      "2 errors like: stream '{job=\"silage\", service_name=\"silage\"}' uses job=\"silage\", "
      "which "
      "only Silage itself writes; 1 errors like: error parsing labels '{...}' with error: \"a-b\" "
      "is "
      "not a label name" },
    { "line too long", ONE("[\"1\",\"0123456789012345678901234567890123456789\"],[\"1\",\"hi\"]"),
      SLG_OK, X "|" UNKNOWN "|1|hi;", 1,
      "Max entry size '32' bytes exceeded for stream '{app=\"x\", service_name=\"x\"}' while "
      "adding "
      "an entry with length '40' bytes" },
    { "time is a number", ONE("[1,\"x\"]"), SLG_MALFORMED, "", 0, "" },
    { "time is empty", ONE("[\"\",\"x\"]"), SLG_MALFORMED, "", 0, "" },
    { "time is a word", ONE("[\"now\",\"x\"]"), SLG_MALFORMED, "", 0, "" },
    { "time has a dot", ONE("[\"1.5\",\"x\"]"), SLG_MALFORMED, "", 0, "" },
    { "time too large", ONE("[\"9223372036854775808\",\"x\"]"), SLG_MALFORMED, "", 0, "" },
    { "line is a number", ONE("[\"1\",2]"), SLG_MALFORMED, "", 0, "" },
    { "entry is empty", ONE("[]"), SLG_MALFORMED, "", 0, "" },
    { "line is null", ONE("[\"1\",null]"), SLG_MALFORMED, "", 0, "" },
    { "metadata is null", ONE("[\"1\",\"hi\",null]"), SLG_MALFORMED, "", 0, "" },
    { "labels are null", "{\"streams\":[{\"stream\":null,\"values\":[]}]}", SLG_MALFORMED, "", 0,
      "" },
    { "something follows null", "null{}", SLG_MALFORMED, "", 0, "" },
    { "metadata value is a number", ONE("[\"1\",\"x\",{\"a\":1}]"), SLG_MALFORMED, "", 0, "" },
    { "metadata is an array", ONE("[\"1\",\"x\",[]]"), SLG_MALFORMED, "", 0, "" },
    { "label value is a number", "{\"streams\":[{\"stream\":{\"a\":1},\"values\":[]}]}",
      SLG_MALFORMED, "", 0, "" },
    { "a fault behind a good entry stores nothing", ONE("[\"1\",\"hi\"],[2]"), SLG_MALFORMED, "", 0,
      "" },
    { "bad escape", ONE("[\"1\",\"\\x\"]"), SLG_MALFORMED, "", 0, "" },
    { "bad unicode escape", ONE("[\"1\",\"\\u12g4\"]"), SLG_MALFORMED, "", 0, "" },
    { "not closed", "{\"streams\":[", SLG_MALFORMED, "", 0, "" },
    { "something follows", "{}x", SLG_MALFORMED, "", 0, "" },
    { "trailing comma", "{\"streams\":[],}", SLG_MALFORMED, "", 0, "" },
    { "not an object", "[]", SLG_MALFORMED, "", 0, "" },
    { "empty body", "", SLG_MALFORMED, "", 0, "" },
    { "too deep", "{\"a\":[[[[[[[[[[[[]]]]]]]]]]]]}", SLG_MALFORMED, "", 0, "" },
};

static void test_json(void **state)
{
    struct slg_push_options options;

    (void)state;
    slg_push_options_init(&options);
    options.line_bytes_max = 32;
    options.label_count_max = 4;
    for (size_t i = 0; i < SLG_ARRAY_LEN(json_rows); i++) {
        const struct json_row *row = &json_rows[i];
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct sink sink = { 0 };
        enum slg_status status = decode(&options, SLG_PUSH_JSON, row->body, strlen(row->body),
                                        BUDGET, &sink, &result, &error);

        if (status != row->status || strcmp((char *)sink.out.data, row->want) != 0)
            print_error("row \"%s\": %s %s\n", row->name, (char *)sink.out.data, error.message);
        CHECK(row->name, status == row->status);
        CHECK(row->name, (status == SLG_OK) == (error.message[0] == '\0'));
        CHECK(row->name, strcmp((char *)sink.out.data, row->want) == 0);
        CHECK(row->name, result.rejected_count == row->rejected);
        CHECK(row->name, result.entry_count == sink.taken);
        if (strstr(result.message, row->message) == NULL)
            print_error("%s\n", result.message);
        CHECK(row->name, strstr(result.message, row->message) != NULL);
        slg_buf_fini(&sink.out);
    }
}

/* Every cut of a good body is refused, and nothing of it is stored. */
static void test_cut_json(void **state)
{
    static const char body[] = ONE("[\"1\",\"a\\u00e9\\n\",{\"k\":\"v\"}],[\"2\",\"b\"]");
    struct slg_push_options options;

    (void)state;
    slg_push_options_init(&options);
    for (size_t len = 0; len < sizeof(body) - 1; len++) {
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct sink sink = { 0 };

        assert_int_equal(decode(&options, SLG_PUSH_JSON, body, len, BUDGET, &sink, &result, &error),
                         SLG_MALFORMED);
        assert_int_equal(sink.taken, 0);
        slg_buf_fini(&sink.out);
    }
}

/* ---- protobuf ---- */

static void put_bytes(struct slg_buf *out, unsigned number, const void *bytes, size_t len)
{
    slg_buf_append_varint(out, number << 3 | 2);
    slg_buf_append_varint(out, len);
    slg_buf_append(out, bytes, len);
}

static void put_text(struct slg_buf *out, unsigned number, const char *text)
{
    put_bytes(out, number, text, strlen(text));
}

static void put_message(struct slg_buf *out, unsigned number, struct slg_buf *message)
{
    put_bytes(out, number, message->data, message->len);
    slg_buf_fini(message);
}

static void put_entry(struct slg_buf *stream, int64_t seconds, int32_t nanos, const char *line,
                      const char *name, const char *value)
{
    struct slg_buf entry;
    struct slg_buf time;

    slg_buf_init(&entry, 4096);
    slg_buf_init(&time, 64);
    slg_buf_append_varint(&time, 1 << 3);
    slg_buf_append_varint(&time, (uint64_t)seconds);
    slg_buf_append_varint(&time, 2 << 3);
    slg_buf_append_varint(&time, (uint64_t)(int64_t)nanos);
    put_message(&entry, 1, &time);
    put_text(&entry, 2, line);
    if (name != NULL) {
        struct slg_buf pair;

        slg_buf_init(&pair, 4096);
        put_text(&pair, 1, name);
        put_text(&pair, 2, value);
        put_message(&entry, 3, &pair);
    }
    put_message(stream, 2, &entry);
}

/* Snappy's block format with one literal: length, tag 61 << 2 (two bytes of length - 1), bytes. */
static void wrap_snappy(struct slg_buf *out, const struct slg_buf *raw)
{
    slg_buf_init(out, 1 << 20);
    slg_buf_append_varint(out, raw->len);
    slg_buf_append_byte(out, 61 << 2);
    slg_buf_append_byte(out, (uint8_t)(raw->len - 1));
    slg_buf_append_byte(out, (uint8_t)((raw->len - 1) >> 8));
    slg_buf_append(out, raw->data, raw->len);
}

static void build_body(struct slg_buf *raw)
{
    struct slg_buf stream;

    slg_buf_init(raw, 1 << 16);
    slg_buf_init(&stream, 4096);
    put_text(&stream, 1, "{app=\"x\", host=\"h\"}");
    put_entry(&stream, 1, 5, "an error", "user.id", "7");
    put_entry(&stream, 2, 0, "", NULL, NULL);
    slg_buf_append_varint(&stream, 3 << 3); /* hash */
    slg_buf_append_varint(&stream, 12345);
    put_message(raw, 1, &stream);
    slg_buf_init(&stream, 4096);
    put_text(&stream, 1, "{app=}");
    put_entry(&stream, 1, 5, "lost", NULL, NULL);
    put_message(raw, 1, &stream);
}

static void test_protobuf(void **state)
{
    static const char want[] =
        "{\"app\":\"x\",\"host\":\"h\",\"service_name\":\"x\"}|"
        "{\"user_id\":\"7\",\"detected_level\":\"error\"}|1000000005|an error;"
        "{\"app\":\"x\",\"host\":\"h\",\"service_name\":\"x\"}|" UNKNOWN "|2000000000|;";
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct sink sink = { 0 };
    struct slg_buf raw;
    struct slg_buf body;

    (void)state;
    slg_push_options_init(&options);
    build_body(&raw);
    wrap_snappy(&body, &raw);
    assert_int_equal(
        decode(&options, SLG_PUSH_PROTOBUF, body.data, body.len, BUDGET, &sink, &result, &error),
        SLG_OK);
    assert_string_equal((char *)sink.out.data, want);
    assert_int_equal(result.rejected[SLG_PUSH_INVALID_LABELS], 1);
    assert_non_null(strstr(result.message, "error parsing labels '{app=}'"));
    slg_buf_fini(&sink.out);
    slg_buf_fini(&body);
    slg_buf_fini(&raw);
}

/* Loki's answers of one stream with these labels (0: taken), each measured. */
static const struct label_row {
    const char *name;
    const char *labels;
    const char *message; /* empty: taken */
} label_rows[] = {
    { "twice, other value", "{foo=\"bar\", foo=\"barf\"}",
      "stream '{foo=\"bar\", foo=\"barf\", service_name=\"unknown_service\"}' has duplicate label "
      "name: 'foo'" },
    { "twice, same value", "{foo=\"bar\", foo=\"bar\"}", "has duplicate label name: 'foo'" },
    { "an empty copy behind is none", "{foo=\"bar\", foo=\"\"}", "" },
    { "an empty copy before is none", "{d=\"\", d=\"keep\"}", "" },
    { "no labels: the service is unknown", "{}", "" },
    { "only empty labels", "{a=\"\"}", "" },
    { "reserved", "{job=\"silage\"}", "only Silage itself" },
    { "five", "{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"1\"}", "has 5 label names; limit 4" },
    { "count before twice", "{a=\"1\",b=\"1\",c=\"1\",d=\"1\",a=\"2\"}",
      "has 5 label names; limit 4" },
    { "four and a service", "{a=\"1\",b=\"1\",c=\"1\",d=\"1\",service_name=\"s\"}", "" },
    { "four and empty ones", "{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"\",f=\"\"}", "" },
    { "no text", "", "error parsing labels ''" },
};

static void test_labels(void **state)
{
    struct slg_push_options options;

    (void)state;
    slg_push_options_init(&options);
    options.label_count_max = 4;
    for (size_t i = 0; i < SLG_ARRAY_LEN(label_rows); i++) {
        const struct label_row *row = &label_rows[i];
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct slg_buf raw, body, stream;
        struct sink sink = { 0 };

        slg_buf_init(&raw, 1 << 16);
        slg_buf_init(&stream, 4096);
        put_text(&stream, 1, row->labels);
        put_entry(&stream, 1, 0, "x", NULL, NULL);
        put_message(&raw, 1, &stream);
        wrap_snappy(&body, &raw);
        CHECK(row->name, decode(&options, SLG_PUSH_PROTOBUF, body.data, body.len, BUDGET, &sink,
                                &result, &error) == SLG_OK);
        if (strstr(result.message, row->message) == NULL)
            print_error("%s\n", result.message);
        CHECK(row->name, strstr(result.message, row->message) != NULL);
        CHECK(row->name, result.rejected_count == (row->message[0] != '\0'));
        CHECK(row->name, sink.taken == (row->message[0] == '\0'));
        slg_buf_fini(&sink.out);
        slg_buf_fini(&body);
        slg_buf_fini(&raw);
    }
}

/* Names and values at and over their limits; the first in order of names is told, the name before the value. */
static void test_long_labels(void **state)
{
    static const struct {
        const char *name;
        size_t name_len, value_len;
        const char *message;
    } rows[] = {
        { "longest", 1024, 2048, "" },
        { "name too long", 1025, 1, "has label name too long: 'zzzz" },
        { "value too long", 4, 2049, "has label value too long: 'vvvv" },
        { "both: the name", 2000, 3000, "has label name too long: 'zzzz" },
        { "an empty one is none", 2000, 0, "" },
    };
    struct slg_push_options options;

    (void)state;
    slg_push_options_init(&options);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct sink sink = { 0 };
        struct slg_buf body;

        slg_buf_init(&body, 1 << 16);
        slg_buf_append_text(&body, "{\"streams\":[{\"stream\":{\"");
        for (size_t k = 0; k < rows[i].name_len; k++)
            slg_buf_append_byte(&body, 'z');
        slg_buf_append_text(&body, "\":\"");
        for (size_t k = 0; k < rows[i].value_len; k++)
            slg_buf_append_byte(&body, 'v');
        slg_buf_append_text(&body, "\"},\"values\":[[\"1\",\"x\"]]}]}");
        CHECK(rows[i].name, decode(&options, SLG_PUSH_JSON, body.data, body.len, BUDGET, &sink,
                                   &result, &error) == SLG_OK);
        CHECK(rows[i].name, strstr(result.message, rows[i].message) != NULL);
        CHECK(rows[i].name, result.rejected_count == (rows[i].message[0] != '\0'));
        slg_buf_fini(&sink.out);
        slg_buf_fini(&body);
    }
}

/* 15 labels among 250 empty ones are 15 labels; 257 are 257. */
static void test_many_labels(void **state)
{
    struct slg_push_options options;

    (void)state;
    slg_push_options_init(&options);
    for (int empty = 0; empty < 2; empty++) {
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct sink sink = { 0 };
        struct slg_buf body;

        slg_buf_init(&body, 1 << 16);
        slg_buf_append_text(&body, "{\"streams\":[{\"stream\":{");
        for (int k = 0; k < (empty ? 265 : 257); k++)
            slg_buf_printf(&body, "%s\"n%d\":\"%s\"", k == 0 ? "" : ",", k,
                           empty && k >= 15 ? "" : "v");
        slg_buf_append_text(&body, "},\"values\":[[\"1\",\"x\"]]}]}");
        assert_int_equal(
            decode(&options, SLG_PUSH_JSON, body.data, body.len, BUDGET, &sink, &result, &error),
            SLG_OK);
        assert_int_equal(sink.taken, empty);
        if (!empty)
            assert_non_null(strstr(result.message, "has 257 label names; limit 15"));
        slg_buf_fini(&sink.out);
        slg_buf_fini(&body);
    }
}

/* Cut or changed bytes are refused or read as something else; never a fault. The size is looked at first. */
static void test_hostile_protobuf(void **state)
{
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct slg_buf raw;
    struct slg_buf body;

    (void)state;
    slg_push_options_init(&options);
    build_body(&raw);
    for (size_t at = 0; at < raw.len; at++) {
        uint8_t saved = raw.data[at];
        struct sink sink = { 0 };

        raw.data[at] ^= 0x41;
        wrap_snappy(&body, &raw);
        (void)!decode(&options, SLG_PUSH_PROTOBUF, body.data, body.len, BUDGET, &sink, &result,
                      &error);
        raw.data[at] = saved;
        slg_buf_fini(&sink.out);
        slg_buf_fini(&body);
    }
    wrap_snappy(&body, &raw);
    for (size_t len = 0; len < body.len; len++) {
        struct sink sink = { 0 };

        assert_int_equal(
            decode(&options, SLG_PUSH_PROTOBUF, body.data, len, BUDGET, &sink, &result, &error),
            SLG_MALFORMED);
        slg_buf_fini(&sink.out);
    }
    options.raw_bytes_max = raw.len - 1;
    {
        struct sink sink = { 0 };

        assert_int_equal(decode(&options, SLG_PUSH_PROTOBUF, body.data, body.len, BUDGET, &sink,
                                &result, &error),
                         SLG_LIMIT);
        slg_buf_fini(&sink.out);
    }
    slg_buf_fini(&body);
    slg_buf_fini(&raw);
}

/* ---- limits ---- */

static void test_times(void **state)
{
    static const char body[] = ONE("[\"999\",\"old\"],[\"1000\",\"a\"],[\"2000\",\"b\"],[\"2001\","
                                   "\"new\"]");
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct sink sink = { 0 };

    (void)state;
    slg_push_options_init(&options);
    options.oldest_ns = 1000;
    options.newest_ns = 2000;
    assert_int_equal(
        decode(&options, SLG_PUSH_JSON, body, sizeof(body) - 1, BUDGET, &sink, &result, &error),
        SLG_OK);
    assert_int_equal(sink.taken, 2);
    assert_int_equal(result.rejected[SLG_PUSH_TOO_OLD], 1);
    assert_int_equal(result.rejected[SLG_PUSH_TOO_NEW], 1);
    assert_string_equal(
        result.message,
        "1 errors like: entry for stream '{app=\"x\", service_name=\"x\"}' has timestamp too old: "
        "1970-01-01T00:00:00Z, oldest acceptable timestamp is: 1970-01-01T00:00:00Z; "
        "1 errors like: entry for stream '{app=\"x\", service_name=\"x\"}' has timestamp too new: "
        "1970-01-01T00:00:00Z");
    slg_buf_fini(&sink.out);
}

/* Whatever the budget, the answer is OK or LIMIT, and OK only with every entry handed out. */
static void test_every_budget(void **state)
{
    struct slg_push_options options;
    struct slg_buf body;
    bool seen_limit = false;
    bool seen_ok = false;

    (void)state;
    slg_push_options_init(&options);
    slg_buf_init(&body, 1 << 20);
    slg_buf_append_text(&body, "{\"streams\":[");
    for (int i = 0; i < 50; i++)
        slg_buf_printf(&body,
                       "%s{\"stream\":{\"app\":\"x%d\"},\"values\":[[\"1\",\"a\",{\"k\":\"v\"}]]}",
                       i == 0 ? "" : ",", i);
    slg_buf_append_text(&body, "]}");
    for (size_t budget = 64; budget < 100000; budget += budget / 8 + 16) {
        struct slg_push_result result;
        struct slg_error error = { 0 };
        struct sink sink = { 0 };
        enum slg_status status =
            decode(&options, SLG_PUSH_JSON, body.data, body.len, budget, &sink, &result, &error);

        assert_true(status == SLG_OK || status == SLG_LIMIT);
        assert_true(status == SLG_LIMIT || sink.taken == 50);
        seen_ok |= status == SLG_OK;
        seen_limit |= status == SLG_LIMIT;
        slg_buf_fini(&sink.out);
    }
    assert_true(seen_ok);
    assert_true(seen_limit);
    slg_buf_fini(&body);
}

static void test_sink_stops(void **state)
{
    static const char body[] = ONE("[\"1\",\"a\"],[\"2\",\"b\"],[\"3\",\"c\"]");
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct sink sink = { .answer = SLG_AGAIN, .stop_after = 2 };

    (void)state;
    slg_push_options_init(&options);
    assert_int_equal(
        decode(&options, SLG_PUSH_JSON, body, sizeof(body) - 1, BUDGET, &sink, &result, &error),
        SLG_AGAIN);
    assert_int_equal(result.entry_count, 2);
    slg_buf_fini(&sink.out);
}

/* Many refusals: ten texts, then a count; the message never overflows. */
static void test_many_refusals(void **state)
{
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct sink sink = { 0 };
    struct slg_buf body;

    (void)state;
    slg_push_options_init(&options);
    options.oldest_ns = 1000;
    slg_buf_init(&body, 1 << 20);
    slg_buf_append_text(&body, "{\"streams\":[{\"stream\":{\"app\":\"");
    for (int i = 0; i < 300; i++)
        slg_buf_append_text(&body, "x");
    slg_buf_append_text(&body, "\"},\"values\":[");
    for (int i = 0; i < 40; i++)
        slg_buf_printf(&body, "%s[\"%d\",\"x\"]", i == 0 ? "" : ",", i);
    slg_buf_append_text(&body, "]}]}");
    assert_int_equal(
        decode(&options, SLG_PUSH_JSON, body.data, body.len, BUDGET, &sink, &result, &error),
        SLG_OK);
    assert_int_equal(result.rejected_count, 40);
    assert_true(strlen(result.message) < SLG_PUSH_MESSAGE_MAX);
    slg_buf_fini(&sink.out);
    slg_buf_fini(&body);
}

static void test_masks(void **state)
{
    static const char body[] = "{\"streams\":[{\"stream\":{\"app\":\"dovecot\"},\"values\":[[\"1\","
                               "\"(SHA1 of given password: 9d4e1e)\"]]}]}";
    struct slg_push_options options;
    struct slg_push_result result;
    struct slg_error error = { 0 };
    struct sink sink = { 0 };
    struct slg_masks *masks;
    size_t count;
    const struct slg_mask_rule *rules = slg_masks_default(&count);

    (void)state;
    assert_int_equal(slg_masks_create(rules, count, &masks, NULL), SLG_OK);
    slg_push_options_init(&options);
    options.masks = masks;
    assert_int_equal(
        decode(&options, SLG_PUSH_JSON, body, sizeof(body) - 1, BUDGET, &sink, &result, &error),
        SLG_OK);
    assert_non_null(strstr((char *)sink.out.data, "password: ******)"));
    slg_buf_fini(&sink.out);
    slg_masks_destroy(masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_cut_json),
        cmocka_unit_test(test_protobuf),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_long_labels),
        cmocka_unit_test(test_many_labels),
        cmocka_unit_test(test_hostile_protobuf),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_every_budget),
        cmocka_unit_test(test_sink_stops),
        cmocka_unit_test(test_many_refusals),
        cmocka_unit_test(test_masks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
