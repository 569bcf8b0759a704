/* A message becomes an entry with the labels, metadata, time and text that the contracts fix.
 * Oracle: entries printed as text and compared with lines by hand. Every message is read twice, so that the cached
 * label set is checked too. */
#include "tests/helper/test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "ingester/record.h"

/* 2026-11-21T22:42:30Z */
#define RECEIVED (INT64_C(1795300950) * SLG_NS_PER_SEC)
#define EVENT    (INT64_C(1795300949) * SLG_NS_PER_SEC)
#define POSTFIX  "mailcowdockerized-postfix-mailcow-1"

static struct slg_rules *default_rules;
static struct slg_masks *default_masks;

static struct slg_rules *compile(const struct slg_rule *rules, size_t count)
{
    struct slg_rules_options options = { .rules = rules,
                                         .rule_count = count,
                                         .label_count_max = 15,
                                         .value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX };
    struct slg_rules *compiled = NULL;

    assert_int_equal(slg_rules_compile(&options, &compiled, NULL), SLG_OK);
    return compiled;
}

static int setup(void **state)
{
    size_t count;
    const struct slg_mask_rule *rules = slg_masks_default(&count);

    (void)state;
    default_rules = compile(NULL, 0);
    return slg_masks_create(rules, count, &default_masks, NULL) == SLG_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    slg_rules_destroy(default_rules);
    slg_masks_destroy(default_masks);
    return 0;
}

static struct slg_record_options default_options(void)
{
    struct slg_record_options options;

    slg_record_options_init(&options);
    options.rules = default_rules;
    options.masks = default_masks;
    return options;
}

static struct slg_record_source default_source(void)
{
    return (struct slg_record_source){ .address = { "192.0.2.7", 9 }, .receive_ns = RECEIVED };
}

/* labels metadata line */
static void print_record(struct slg_buf *out, const struct slg_record *record)
{
    struct slg_label_set metadata = { .items = record->metadata, .count = record->metadata_count };

    slg_buf_clear(out);
    slg_label_print(out, &record->stream->labels);
    slg_buf_append_byte(out, ' ');
    slg_label_print(out, &metadata);
    slg_buf_append_byte(out, ' ');
    slg_buf_append(out, record->line.at, record->line.len);
    slg_buf_append_byte(out, '\0');
    assert_false(slg_buf_failed(out));
}

#define SOURCE "source_ip=\"192.0.2.7\""
#define INFO   "severity=\"informational\", detected_level=\"info\", "

static const struct row {
    const char *name;
    const char *input;
    int64_t ts_ns;
    const char *want;
} rows[] = {
    { "postfix by BSD",
      "<22>Nov 21 22:42:29 mx1 postfix/smtp[96]: 4gHk2P1Zx9z7Q: to=<cy@example.com>", EVENT,
      "{app=\"postfix/smtp\", facility=\"mail\", host=\"mx1\", job=\"syslog\", "
      "service_name=\"postfix\"} {" INFO "pid=\"96\", " SOURCE ", queue_id=\"4gHk2P1Zx9z7Q\"} "
      "4gHk2P1Zx9z7Q: to=<cy@example.com>" },
    { "message id",
      "<22>1 2026-11-21T22:42:29Z mx1 postfix/cleanup 93 - - 4gHk2P1Zx9z7Q: message-id=<a@b>",
      EVENT,
      "{app=\"postfix/cleanup\", facility=\"mail\", host=\"mx1\", job=\"syslog\", "
      "service_name=\"postfix\"} {" INFO "pid=\"93\", " SOURCE ", queue_id=\"4gHk2P1Zx9z7Q\", "
      "message_id=\"a@b\"} 4gHk2P1Zx9z7Q: message-id=<a@b>" },
    { "nested in Docker's",
      "<158>1 2026-11-21T23:42:29.130112+01:00 dock1 " POSTFIX " 1203 " POSTFIX
      " - Nov 21 23:42:29 3f2a9c0d1e4b postfix/smtpd[4312]: connect from unknown[203.0.113.9]",
      EVENT + 130112000,
      "{app=\"postfix/smtpd\", container=\"" POSTFIX "\", facility=\"local3\", host=\"dock1\", "
      "job=\"syslog\", service_name=\"postfix\"} {" INFO "pid=\"4312\", " SOURCE "} "
      "connect from unknown[203.0.113.9]" },
    { "nested, a warning on stderr",
      "<155>1 2026-11-21T22:42:29Z dock1 " POSTFIX " 1203 " POSTFIX
      " - Nov 21 23:42:29 3f2a9c0d1e4b postfix/smtpd[4312]: warning: x",
      EVENT,
      "{app=\"postfix/smtpd\", container=\"" POSTFIX "\", facility=\"local3\", host=\"dock1\", "
      "job=\"syslog\", service_name=\"postfix\"} {severity=\"error\", detected_level=\"warn\", "
      "pid=\"4312\", " SOURCE "} warning: x" },
    { "nested, no level, on stderr",
      "<155>1 2026-11-21T22:42:29Z dock1 " POSTFIX " 1203 " POSTFIX
      " - Nov 21 23:42:29 3f2a9c0d1e4b postfix/qmgr[1]: 4gHk2P1Zx9z7Q: removed",
      EVENT,
      "{app=\"postfix/qmgr\", container=\"" POSTFIX "\", facility=\"local3\", host=\"dock1\", "
      "job=\"syslog\", service_name=\"postfix\"} {severity=\"error\", detected_level=\"info\", "
      "pid=\"1\", " SOURCE ", queue_id=\"4gHk2P1Zx9z7Q\"} 4gHk2P1Zx9z7Q: removed" },
    { "not Docker, the severity is the level", "<19>Nov 21 22:42:29 mx1 postfix/qmgr[1]: removed",
      EVENT,
      "{app=\"postfix/qmgr\", facility=\"mail\", host=\"mx1\", job=\"syslog\", "
      "service_name=\"postfix\"} {severity=\"error\", detected_level=\"error\", pid=\"1\", " SOURCE
      "} removed" },
    { "plain Docker, severity not believed",
      "<27>1 2026-11-21T22:42:29Z dock1 web 1203 web - starting", EVENT,
      "{app=\"web\", container=\"web\", facility=\"daemon\", host=\"dock1\", job=\"syslog\", "
      "service_name=\"web\"} {severity=\"error\", detected_level=\"unknown\", " SOURCE
      "} starting" },
    { "bare container id", "<30>Nov 21 22:42:29 3f2a9c0d1e4b[1203]: level=warn x", EVENT,
      "{app=\"3f2a9c0d1e4b\", facility=\"daemon\", host=\"192.0.2.7\", job=\"syslog\", "
      "service_name=\"3f2a9c0d1e4b\"} {severity=\"informational\", detected_level=\"warn\", " SOURCE
      "} level=warn x" },
    { "pfSense without host", "<134>Nov 21 22:42:29 filterlog[25715]: 4,,,1000000103", EVENT,
      "{app=\"filterlog\", facility=\"local0\", host=\"192.0.2.7\", job=\"syslog\", "
      "service_name=\"filterlog\"} {" INFO "pid=\"25715\", " SOURCE "} 4,,,1000000103" },
    { "no tag", "<13>Nov 21 22:42:29 sw1 link up", EVENT,
      "{facility=\"user\", host=\"sw1\", job=\"syslog\", service_name=\"syslog\"} "
      "{severity=\"notice\", detected_level=\"info\", " SOURCE "} link up" },
    { "nothing fits", "hello", RECEIVED,
      "{facility=\"user\", host=\"192.0.2.7\", job=\"syslog\", service_name=\"syslog\"} "
      "{severity=\"notice\", detected_level=\"info\", " SOURCE
      ", parse_error=\"true\", pri_missing=\"true\", time_missing=\"true\"} hello" },
    { "nothing fits, an error", "panic: an error", RECEIVED,
      "{facility=\"user\", host=\"192.0.2.7\", job=\"syslog\", service_name=\"syslog\"} "
      "{severity=\"notice\", detected_level=\"fatal\", " SOURCE
      ", parse_error=\"true\", pri_missing=\"true\", time_missing=\"true\"} panic: an error" },
    { "structured data",
      "<165>1 2026-11-21T22:42:29Z web1 app 77 ID47 [ex@32473 user=\"a\\\"b\" e=\"\" x-y=\"\\]\"] "
      "text",
      EVENT,
      "{app=\"app\", facility=\"local4\", host=\"web1\", job=\"syslog\", service_name=\"app\"} "
      "{severity=\"notice\", detected_level=\"info\", pid=\"77\", msgid=\"ID47\", " SOURCE
      ", sd_ex_32473_user=\"a\\\"b\", sd_ex_32473_x_y=\"]\"} text" },
    { "yesterday is believed", "<13>Nov 20 22:42:31 h a[1]: x",
      EVENT + (2 - 86400) * SLG_NS_PER_SEC,
      "{app=\"a\", facility=\"user\", host=\"h\", job=\"syslog\", service_name=\"a\"} "
      "{severity=\"notice\", detected_level=\"info\", pid=\"1\", " SOURCE "} x" },
    { "the day before is not", "<13>Nov 20 22:42:29 h a[1]: x", RECEIVED,
      "{app=\"a\", facility=\"user\", host=\"h\", job=\"syslog\", service_name=\"a\"} "
      "{severity=\"notice\", detected_level=\"info\", pid=\"1\", " SOURCE
      ", time_adjusted=\"Nov 20 22:42:29\"} x" },
    { "five minutes ahead", "<13>Nov 21 22:47:30 h a[1]: x", RECEIVED + 300 * SLG_NS_PER_SEC,
      "{app=\"a\", facility=\"user\", host=\"h\", job=\"syslog\", service_name=\"a\"} "
      "{severity=\"notice\", detected_level=\"info\", pid=\"1\", " SOURCE "} x" },
    { "six minutes ahead", "<13>Nov 21 22:48:29 h a[1]: x", RECEIVED,
      "{app=\"a\", facility=\"user\", host=\"h\", job=\"syslog\", service_name=\"a\"} "
      "{severity=\"notice\", detected_level=\"info\", pid=\"1\", " SOURCE
      ", time_adjusted=\"Nov 21 22:48:29\"} x" },
    { "dovecot's hash is masked",
      "<22>Nov 21 22:42:29 mx1 dovecot: auth: x: Password mismatch (SHA1 of given password: "
      "9d4e1e)",
      EVENT,
      "{app=\"dovecot\", facility=\"mail\", host=\"mx1\", job=\"syslog\", "
      "service_name=\"dovecot\"} {" INFO SOURCE
      "} auth: x: Password mismatch (SHA1 of given password: ******)" },
    { "bytes in names that are not UTF-8", "<13>Nov 21 22:42:29 h\xFF a\xC3[1]: \xFF", EVENT,
      "{app=\"a\xEF\xBF\xBD\", facility=\"user\", host=\"h\xEF\xBF\xBD\", job=\"syslog\", "
      "service_name=\"a\xEF\xBF\xBD\"} {severity=\"notice\", detected_level=\"info\", "
      "pid=\"1\", " SOURCE "} \xFF" },
};

static void take(struct slg_recorder *recorder, const struct slg_record_options *options,
                 const struct slg_record_source *source, const char *input,
                 struct slg_record *ret_record)
{
    assert_int_equal(slg_recorder_take(recorder, options, source, input, strlen(input), ret_record),
                     SLG_OK);
}

static void test_rows(void **state)
{
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder *recorder;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 1 << 16);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].input);
        const struct slg_stream_ref *stream = NULL;

        assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
        for (int round = 0; round < 2; round++) {
            char *input = (char *)test_block(rows[i].input, len);
            struct slg_record record;

            CHECK(rows[i].name,
                  slg_recorder_take(recorder, &options, &source, input, len, &record) == SLG_OK);
            print_record(&out, &record);
            if (strcmp((char *)out.data, rows[i].want) != 0)
                print_error("got  %s\nwant %s\n", (char *)out.data, rows[i].want);
            CHECK(rows[i].name, strcmp((char *)out.data, rows[i].want) == 0);
            CHECK(rows[i].name, record.ts_ns == rows[i].ts_ns + round);
            CHECK(rows[i].name, stream == NULL || stream == record.stream);
            stream = record.stream;
            free(input);
        }
        slg_recorder_destroy(recorder);
    }
    slg_buf_fini(&out);
}

static void test_options(void **state)
{
    static const char input[] = "<22>Nov 20 00:00:00 dovecot[1]: given password: abc)\n";
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder *recorder;
    struct slg_record record;
    struct slg_text host;

    (void)state;
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    options.raw = true;
    options.use_receive_time = true;
    source.host_name = slg_text_of("mx9");
    source.truncated = true;
    take(recorder, &options, &source, input, &record);
    assert_true(
        slg_text_equal_to(record.line, "<22>Nov 20 00:00:00 dovecot[1]: given password: ***)"));
    assert_int_equal(record.ts_ns, RECEIVED);
    assert_false(record.time_adjusted);
    assert_true(slg_label_get(&record.stream->labels, slg_text_of("host"), &host));
    assert_true(slg_text_equal_to(host, "mx9"));
    assert_true(slg_text_equal_to(record.metadata[record.metadata_count - 1].name, "truncated"));
    assert_int_equal(slg_recorder_take(recorder, &options, &source, "\n", 1, &record), SLG_AGAIN);
    assert_int_equal(slg_recorder_take(recorder, &options, &source, NULL, 0, &record), SLG_AGAIN);
    slg_recorder_destroy(recorder);
}

#define T(text)                                                                                    \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
static void test_rules(void **state)
{
    static const struct slg_rule given[] = {
        { SLG_RULE_PROMOTE, T("severity"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_k"), { NULL, 0 } },
        { SLG_RULE_RENAME, T("host"), T("node") },
        { SLG_RULE_DROP, T("facility"), { NULL, 0 } },
        { SLG_RULE_DROP, T("source_ip"), { NULL, 0 } },
        { SLG_RULE_DROP, T("sd_a_m"), { NULL, 0 } },
        { SLG_RULE_RENAME, T("sd_a_l"), T("ell") },
        { SLG_RULE_SET, T("env"), T("prod") },
    };
    static const struct {
        const char *input;
        const char *want;
    } lines[] = {
        { "<13>1 - h a - - [a k=\"1\" l=\"2\" m=\"3\" n=\"4\"] x",
          "{app=\"a\", env=\"prod\", job=\"syslog\", node=\"h\", sd_a_k=\"1\", service_name=\"a\", "
          "severity=\"notice\"} {detected_level=\"info\", time_missing=\"true\", ell=\"2\", "
          "sd_a_n=\"4\"} x" },
        { "<12>1 - h a - - [a k=\"9\"] x",
          "{app=\"a\", env=\"prod\", job=\"syslog\", node=\"h\", sd_a_k=\"9\", service_name=\"a\", "
          "severity=\"warning\"} {detected_level=\"warn\", time_missing=\"true\"} x" },
        { "<12>1 - h a - - [a k=\"8\" l=\"1\"][a k=\"9\"][a l=\"\"][a n=\"3\"][a n=\"4\"] x",
          "{app=\"a\", env=\"prod\", job=\"syslog\", node=\"h\", sd_a_k=\"9\", service_name=\"a\", "
          "severity=\"warning\"} {detected_level=\"warn\", time_missing=\"true\", sd_a_n=\"4\"} "
          "x" },
        { "<12>1 - h a - - - x", "{app=\"a\", env=\"prod\", job=\"syslog\", node=\"h\", "
                                 "service_name=\"a\", severity=\"warning\"} "
                                 "{detected_level=\"warn\", time_missing=\"true\"} x" },
    };
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_rules *rules = compile(given, SLG_ARRAY_LEN(given));
    struct slg_recorder *recorder;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 1 << 16);
    options.rules = rules;
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < SLG_ARRAY_LEN(lines); i++) {
            struct slg_record record;

            take(recorder, &options, &source, lines[i].input, &record);
            print_record(&out, &record);
            assert_string_equal((char *)out.data, lines[i].want);
        }
    }
    slg_recorder_destroy(recorder);
    slg_rules_destroy(rules);
    slg_buf_fini(&out);
}

/* Equal stamps of one source rise by one ns each; other sources are not touched by it. */
static void test_equal_stamps(void **state)
{
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder_stats stats;
    struct slg_recorder *recorder;
    struct slg_record record;

    (void)state;
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    for (int i = 0; i < 1000; i++) {
        take(recorder, &options, &source, "<13>Nov 21 22:42:29 h a[1]: x", &record);
        assert_int_equal(record.ts_ns, EVENT + i);
    }
    take(recorder, &options, &source, "<13>Nov 21 22:42:30 h a[1]: x", &record);
    assert_int_equal(record.ts_ns, EVENT + SLG_NS_PER_SEC);
    take(recorder, &options, &source, "<13>Nov 21 22:42:29 h b[1]: late by a moment", &record);
    assert_int_equal(record.ts_ns, EVENT + 1000);
    take(recorder, &options, &source, "<13>Nov 21 22:42:29 other a[1]: x", &record);
    assert_int_equal(record.ts_ns, EVENT);
    source.address = slg_text_of("192.0.2.8");
    take(recorder, &options, &source, "<13>Nov 21 22:42:29 h a[1]: x", &record);
    assert_int_equal(record.ts_ns, EVENT);
    slg_recorder_stats(recorder, &stats);
    assert_int_equal(stats.stamps_moved, 1000);
    slg_recorder_destroy(recorder);
}

/* More label sets than are remembered: all still right, the table begins anew, serials are never given twice. */
static void test_many_streams(void **state)
{
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder_stats stats;
    struct slg_recorder *recorder;
    uint64_t last_serial = 0;

    (void)state;
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    for (size_t i = 0; i < SLG_RECORD_STREAMS_MAX * 2 + 100; i++) {
        char input[64];
        char want[32];
        struct slg_record record;
        struct slg_text host;

        (void)snprintf(input, sizeof(input), "<13>Nov 21 22:42:29 host%zu a[1]: x", i);
        (void)snprintf(want, sizeof(want), "host%zu", i);
        take(recorder, &options, &source, input, &record);
        assert_true(slg_label_get(&record.stream->labels, slg_text_of("host"), &host));
        assert_true(slg_text_equal_to(host, want));
        assert_true(record.stream->serial > last_serial);
        last_serial = record.stream->serial;
    }
    slg_recorder_stats(recorder, &stats);
    assert_true(stats.resets >= 2);
    assert_int_equal(slg_recorder_epoch(recorder), stats.resets);
    slg_recorder_destroy(recorder);
}

/* Names far over every limit: cut, and the set still fits. */
static void test_long_values(void **state)
{
    static const struct slg_rule given[] = {
        { SLG_RULE_PROMOTE, T("msgid"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_b"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_c"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_d"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_e"), { NULL, 0 } },
        { SLG_RULE_PROMOTE, T("sd_a_f"), { NULL, 0 } },
    };
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_rules *rules = compile(given, SLG_ARRAY_LEN(given));
    struct slg_recorder *recorder;
    struct slg_record record;
    struct slg_buf line;
    char word[7001];

    (void)state;
    slg_buf_init(&line, 1 << 20);
    memset(word, 'w', 7000);
    word[7000] = '\0';
    options.rules = rules;
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    slg_buf_printf(&line, "<13>1 - %s %s %s %s [a b=\"%s\" c=\"%s\" d=\"%s\" e=\"%s\" f=\"%s\"] x",
                   word, word, word, word, word, word, word, word, word);
    assert_int_equal(slg_recorder_take(recorder, &options, &source, line.data, line.len, &record),
                     SLG_OK);
    assert_true(record.stream->canonical_len <= SLG_LABEL_SET_BYTES_MAX);
    assert_int_equal(record.stream->labels.count, 11);
    assert_int_equal(record.line.len, 1);
    slg_buf_fini(&line);
    slg_recorder_destroy(recorder);
    slg_rules_destroy(rules);
}

static const struct sd_row {
    const char *name, *data;
    uint32_t dropped;
    const char *metadata; /* behind time_missing */
} sd_rows[] = {
    { "two names", "[a x=\"1\" y=\"2\"]", 0, "sd_a_x=\"1\", sd_a_y=\"2\"" },
    { "one name twice", "[a x=\"1\" y=\"2\" x=\"3\"]", 1, "sd_a_x=\"3\", sd_a_y=\"2\"" },
    { "one id twice", "[a x=\"1\"][b x=\"2\"][a x=\"3\"]", 1, "sd_a_x=\"3\", sd_b_x=\"2\"" },
    { "ids that become one", "[a.b x=\"1\"][a_b x=\"2\"]", 1, "sd_a_b_x=\"2\"" },
    { "names that become one", "[a u.id=\"1\" u_id=\"2\" u-id=\"\\\"3\"]", 2,
      "sd_a_u_id=\"\\\"3\"" },
    { "id and name that become one", "[a b_x=\"1\"][a_b x=\"2\"]", 1, "sd_a_b_x=\"2\"" },
    { "names that differ in more", "[a u.id=\"1\" uid=\"2\"]", 0,
      "sd_a_u_id=\"1\", sd_a_uid=\"2\"" },
    { "not closed: all is in the text", "[a x=\"1\" x=\"2\"][", 0, NULL },
};

/* Of structured data under one name the last value is kept, and what is left out is counted. */
static void test_structured_data(void **state)
{
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder *recorder;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 1 << 16);
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    for (size_t i = 0; i < SLG_ARRAY_LEN(sd_rows); i++) {
        const struct sd_row *row = &sd_rows[i];
        struct slg_record record;
        char line[256];
        char want[256];

        (void)snprintf(line, sizeof(line), "<13>1 - h a - - %s text", row->data);
        (void)snprintf(want, sizeof(want), "time_missing=\"true\", %s} text", row->metadata);
        if (row->metadata == NULL)
            (void)snprintf(want, sizeof(want), "time_missing=\"true\"} %s text", row->data);
        take(recorder, &options, &source, line, &record);
        print_record(&out, &record);
        if (strstr((char *)out.data, want) == NULL)
            print_error("got %s\n", (char *)out.data);
        CHECK(row->name, strstr((char *)out.data, want) != NULL);
        CHECK(row->name, record.metadata_dropped == row->dropped);
    }
    slg_recorder_destroy(recorder);
    slg_buf_fini(&out);
}

/* A hundred parameters of much text: what is over the limit of metadata is counted, the rest stays. */
static void test_much_metadata(void **state)
{
    struct slg_record_options options = default_options();
    struct slg_record_source source = default_source();
    struct slg_recorder *recorder;
    struct slg_record record;
    struct slg_buf line;
    size_t bytes = 0;

    (void)state;
    slg_buf_init(&line, 1 << 20);
    assert_int_equal(slg_recorder_create(&recorder), SLG_OK);
    slg_buf_append_text(&line, "<13>1 - h a - - [a");
    for (int i = 0; i < 100; i++)
        slg_buf_printf(&line, " k%d=\"\\\"%01000d\"", i, i);
    slg_buf_append_text(&line, " k.1=\"same name\"] x");
    assert_int_equal(slg_recorder_take(recorder, &options, &source, line.data, line.len, &record),
                     SLG_OK);
    for (size_t i = 0; i < record.metadata_count; i++)
        bytes += record.metadata[i].name.len + record.metadata[i].value.len;
    assert_true(bytes <= SLG_METADATA_BYTES_MAX);
    assert_true(record.metadata_count <= SLG_METADATA_COUNT_MAX);
    assert_true(record.metadata_dropped > 30);
    assert_int_equal(record.metadata_dropped + record.metadata_count, 100 + 4 + 1);
    slg_buf_fini(&line);
    slg_recorder_destroy(recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),          cmocka_unit_test(test_options),
        cmocka_unit_test(test_rules),         cmocka_unit_test(test_equal_stamps),
        cmocka_unit_test(test_many_streams),  cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_much_metadata), cmocka_unit_test(test_structured_data),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
