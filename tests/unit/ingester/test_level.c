/* detected_level of lines, texts, labels and metadata.
 * Oracle: levels written by hand after Loki's documented rule (discover_log_levels) and contracts section 6. */
#include "tests/helper/test.h"

#include "ingester/level.h"

static const struct row {
    const char *line;
    const char *level;
} line_rows[] = {
    { "", "unknown" },
    { "x", "unknown" },
    { "nothing to see here", "unknown" },
    { "an error occurred", "error" },
    { "[ERROR] boom", "error" },
    { "(err) boom", "error" },
    { "err=nil", "error" },
    { "the terror of errors, err-prone and error_code", "unknown" },
    { "debugging and informational", "unknown" },
    { "trace-id=abc", "unknown" },
    { "{\"entry\":\"{\\\"level\\\":\\\"warn\\\"}\"}", "unknown" },
    { "{\"entry\":\"level=info msg=\\\"done\\\"\"}", "info" },
    { "error1 2error", "unknown" },
    { "INFO: started", "info" },
    { "a warning", "warn" },
    { "Warn", "warn" },
    { "warned", "unknown" },
    { "critical section failed", "critical" },
    { "FATAL: gone", "fatal" },
    { "at the very end: fatal", "fatal" },
    { "info and then, after more than one block of sixteen bytes, an error", "info" },
    { "warning and error and debug", "warn" },
    { "level=warn msg=\"an error\"", "warn" },
    { "msg=\"level=error inside\" level=info", "info" },
    { "ts=1 lvl=dbg error=none", "debug" },
    { "LEVEL=Trace error", "trace" },
    { "severity=critical level=info", "info" },
    { "lvl=warn severity=error", "error" },
    { "log.level=error info", "error" },
    { "severity_text=ERROR info", "error" },
    { "level=notice an error", "error" },
    { "level=notice nothing", "unknown" },
    { "level= error", "error" },
    { "level", "unknown" },
    { "a=b=c error level=info", "error" },
    { "=x error level=info", "error" },
    { "x=\"never closed error level=info", "error" },
    { "several clever events were delivered", "unknown" },
    { "{\"level\":\"error\",\"a\":1}", "error" },
    { "  {\"level\" : \"warn\", \"m\":\"error\"} ", "warn" },
    { "{\"m\":\"error\",\"level\":\"info\"}", "info" },
    { "{\"LEVEL\":\"Info\"}", "info" },
    { "{\"m\":\"an error\",\"lEvEl\":\"Info\"}", "error" },
    { "{\"severity\":\"WARN\",\"a\":{\"level\":\"debug\"}}", "warn" },
    { "{\"a\":{\"level\":\"debug\"},\"severity\":\"WARN\"}", "debug" },
    { "{\"a\":{\"b\":{\"level\":\"debug1\"}},\"m\":\"info\"}", "info" },
    { "{\"a\":[{\"level\":\"fatal\"}],\"level\":\"info\",\"x\":\"warn\"}", "info" },
    { "{\"level\":50}", "unknown" },
    { "{\"level\":null,\"m\":\"error\"}", "error" },
    { "{\"m\":\"\\\"level\\\":\\\"fatal1\\\"\",\"level\":\"warn\"}", "warn" },
    { "{\"level\":\"inf", "unknown" },
    { "{\"level\":\"inf}", "unknown" },
    { "{\"level}", "unknown" },
    { "{\"\":\"level\"}", "unknown" },
    { "caf\xC3\xA9 error", "error" },
    { "\xE2\x80\x9C"
      "error",
      "unknown" },
    { "ERROR\xE2\x80\x94"
      "disk",
      "unknown" },
    { "misc:error happened", "unknown" },
    { "|ERROR| <error> 'error' /error ,error;", "unknown" },
    { "an error. then info", "info" },
    { "error, info", "error" },
    { "error! info", "error" },
    { "{error} info", "error" },
    { "(fatal)", "fatal" },
    { "critical\tfailure", "critical" },
    { "x\nwarn\ny", "warn" },
    { "xerror error", "error" },
};

static const struct row text_rows[] = {
    { "connect from unknown[203.0.113.9]", "unknown" },
    { "warning: hostname x does not resolve", "warn" },
    { "4gHk2P1Zx9z7Q: warning: header Subject", "warn" },
    { "fatal: no SASL", "fatal" },
    { "panic: cannot happen", "fatal" },
    { "error: table hash:/etc/x", "error" },
    { "imap(bob)<1><x>: Error: quota", "error" },
    { "imap-login: Info: x error", "info" },
    { "auth: Panic: x", "fatal" },
    { "2026-11-21 23:42:29 CRIT: Banning 203.0.113.9/32", "critical" },
    { "2026-11-21 23:42:29 WARN: matched an error", "warn" },
    { "2026/11/21 23:42:29 [error] 31#31: *7 upstream", "error" },
    { "2026/11/21 23:42:29 [emerg] 31#31: x", "fatal" },
    { "2026/11/21 23:42:29 [notice] 31#31: x", "info" },
    { "level=debug msg=x", "debug" },
    { "lost connection, an error: x", "error" },
    { "{\"level\":\"INFO\",\"msg\":\"cut short\",\"error\":n", "info" },
    { "a notice: x", "unknown" },
    { "a: b: c: d: e: panic: x", "unknown" },
    { "", "unknown" },
    { ":", "unknown" },
    { "[", "unknown" },
};

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(line_rows); i++) {
        size_t len = strlen(line_rows[i].line);
        uint8_t *block = test_block(line_rows[i].line, len);
        struct slg_text got = slg_level_of_line(slg_text_make(block, len));

        if (!slg_text_equal_to(got, line_rows[i].level))
            print_error("got %.*s\n", (int)got.len, got.at);
        CHECK(line_rows[i].line, slg_text_equal_to(got, line_rows[i].level));
        free(block);
    }
}

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(text_rows); i++) {
        size_t len = strlen(text_rows[i].line);
        uint8_t *block = test_block(text_rows[i].line, len);
        struct slg_text got = slg_level_of_text(slg_text_make(block, len));

        if (!slg_text_equal_to(got, text_rows[i].level))
            print_error("got %.*s\n", (int)got.len, got.at);
        CHECK(text_rows[i].line, slg_text_equal_to(got, text_rows[i].level));
        free(block);
    }
}

/* The word is found wherever it stands, in blocks of any length, and never when a letter touches it. */
static void test_every_position(void **state)
{
    (void)state;
    for (size_t len = 5; len < 80; len++) {
        for (size_t at = 0; at + 5 <= len; at++) {
            char *line = malloc(len);

            memset(line, ' ', len);
            memcpy(line + at, "Error", 5);
            assert_true(slg_text_equal_to(slg_level_of_line(slg_text_make(line, len)), "error"));
            if (at > 0)
                line[at - 1] = 't';
            else if (len > 5)
                line[5] = 's';
            else
                line[0] = 'x';
            assert_true(slg_text_equal_to(slg_level_of_line(slg_text_make(line, len)), "unknown"));
            free(line);
        }
    }
}

static void test_severities(void **state)
{
    static const char *const want[8] = { "fatal", "critical", "critical", "error",
                                         "warn",  "info",     "info",     "debug" };

    (void)state;
    for (uint8_t severity = 0; severity < 8; severity++)
        assert_true(slg_text_equal_to(slg_level_of_severity(severity), want[severity]));
}

static const struct discover_row {
    const char *name;
    struct slg_label labels[2];
    struct slg_label metadata[3];
    const char *line;
    const char *level; /* NULL: nothing to change */
    size_t replace;
} discover_rows[] = {
#define T(text)                                                                                    \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
    { "the line",
      { { T("a"), T("b") } },
      { { { NULL, 0 }, { NULL, 0 } } },
      "level=warn",
      "warn",
      SIZE_MAX },
    { "a label wins over metadata",
      { { T("level"), T("ERR") } },
      { { T("level"), T("debug") } },
      "level=warn",
      "error",
      SIZE_MAX },
    { "an unknown label is passed on",
      { { T("severity"), T("notice") } },
      { { { NULL, 0 }, { NULL, 0 } } },
      "error",
      "notice",
      SIZE_MAX },
    { "order of names, not of labels",
      { { T("lvl"), T("trace") }, { T("severity"), T("7") } },
      { { { NULL, 0 }, { NULL, 0 } } },
      "",
      "7",
      SIZE_MAX },
    { "metadata wins over the line",
      { { T("a"), T("b") } },
      { { T("lvl"), T("trace") } },
      "level=warn",
      "trace",
      SIZE_MAX },
    { "detected_level is normalised",
      { { T("level"), T("info") } },
      { { T("x"), T("y") }, { T("detected_level"), T("WARN") } },
      "error",
      "warn",
      1 },
    { "detected_level stays",
      { { T("level"), T("info") } },
      { { T("detected_level"), T("custom") } },
      "error",
      NULL,
      0 },
    { "open telemetry's number",
      { { T("a"), T("b") } },
      { { T("severity_number"), T("17") } },
      "x",
      "error",
      SIZE_MAX },
    { "open telemetry's zero",
      { { T("a"), T("b") } },
      { { T("severity_number"), T("0") } },
      "error",
      "unknown",
      SIZE_MAX },
    { "open telemetry's rubbish",
      { { T("a"), T("b") } },
      { { T("severity_number"), T("x") } },
      "error",
      "info",
      SIZE_MAX },
#undef T
};

static void test_discover(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(discover_rows); i++) {
        const struct discover_row *row = &discover_rows[i];
        struct slg_label_set labels = { .items = row->labels, .count = 0 };
        struct slg_text level = { NULL, 0 };
        size_t metadata_count = 0;
        size_t replace = 12345;
        bool got;

        while (labels.count < 2 && row->labels[labels.count].name.len > 0)
            labels.count++;
        while (metadata_count < 3 && row->metadata[metadata_count].name.len > 0)
            metadata_count++;
        got = slg_level_discover(&labels, row->metadata, metadata_count, slg_text_of(row->line),
                                 &level, &replace);
        CHECK(row->name, got == (row->level != NULL));
        CHECK(row->name, replace == row->replace);
        if (got)
            CHECK(row->name, slg_text_equal_to(level, row->level));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),          cmocka_unit_test(test_texts),
        cmocka_unit_test(test_every_position), cmocka_unit_test(test_severities),
        cmocka_unit_test(test_discover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
