/* What a tail sends is Loki's JSON, in the order of the rows, in whole frames; there is a bound and what is over it can
 * be told as dropped.
 * Oracle: messages written by hand; the frames are read by the codec of the other side. */
#include "tests/helper/test.h"

#include "querier/tail_out.h"

static struct slg_label one[] = { { { "app", 3 }, { "a", 1 } }, { { "host", 4 }, { "mx\"1", 4 } } };
static struct slg_label two[] = { { { "app", 3 }, { "b", 1 } } };
static struct slg_label metadata[] = { { { "level", 5 }, { "info", 4 } } };
static struct slg_label parsed[] = { { { "aa", 2 }, { "x", 1 } } };

static struct slg_row row_of(int64_t ts_ns, struct slg_label *labels, size_t count,
                             const char *line)
{
    return (struct slg_row){ .ts_ns = ts_ns,
                             .stream = { .items = labels, .count = count },
                             .line = { .at = line, .len = strlen(line) } };
}

/* The next message that waits to be sent, as text; NULL: none. */
static char *take_message(struct slg_tail_out *out)
{
    struct slg_text pending = slg_tail_out_pending(out);
    struct slg_websocket_decoder decoder;
    struct slg_websocket_event event;
    struct slg_cursor c = slg_cursor_make(pending.at, pending.len);
    char *text = NULL;

    slg_websocket_decoder_init(&decoder, /* from_client= */ false, (size_t)8 << 20);
    if (slg_websocket_decode(&decoder, &c, &event) == SLG_OK) {
        assert_int_equal(event.opcode, SLG_WEBSOCKET_TEXT);
        text = calloc(1, event.payload.len + 1);
        memcpy(text, event.payload.at, event.payload.len);
        slg_tail_out_sent(out, pending.len - slg_cursor_left(&c));
    }
    slg_websocket_decoder_fini(&decoder);
    return text;
}

static void expect_message(struct slg_tail_out *out, const char *want)
{
    char *text = take_message(out);

    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void test_messages(void **state)
{
    struct slg_tail_out *out = slg_tail_out_create(slg_text_of(""), false);
    struct slg_row rows[] = { row_of(1, one, 2, "first"), row_of(2, one, 2, "second \x01\xff"),
                              row_of(2, two, 1, "third"), row_of(3, one, 2, "fourth") };

    (void)state;
    slg_tail_out_flush(out);
    assert_null(take_message(out)); /* nothing to say */
    for (size_t i = 0; i < 4; i++)
        slg_tail_out_row(out, &rows[i]);
    assert_null(take_message(out));
    slg_tail_out_flush(out);
    expect_message(out, "{\"streams\":["
                        "{\"stream\":{\"app\":\"a\",\"host\":\"mx\\\"1\"},\"values\":["
                        "[\"1\",\"first\"],[\"2\",\"second \\u0001\xef\xbf\xbd\"]]},"
                        "{\"stream\":{\"app\":\"b\"},\"values\":[[\"2\",\"third\"]]},"
                        "{\"stream\":{\"app\":\"a\",\"host\":\"mx\\\"1\"},\"values\":["
                        "[\"3\",\"fourth\"]]}]}");
    slg_tail_out_row(out, &rows[2]);
    slg_tail_out_flush(out);
    expect_message(out, "{\"streams\":[{\"stream\":{\"app\":\"b\"},\"values\":["
                        "[\"2\",\"third\"]]}]}");
    assert_int_equal(slg_tail_out_pending(out).len, 0);
    slg_tail_out_destroy(out);
}

static void test_categories(void **state)
{
    struct slg_tail_out *out = slg_tail_out_create(slg_text_of("categorize-labels,x"), true);
    struct slg_row row = row_of(1, one, 2, "l"), plain = row_of(2, one, 2, "m");

    (void)state;
    row.metadata = (struct slg_label_set){ metadata, 1 };
    row.parsed = (struct slg_label_set){ parsed, 1 };
    slg_tail_out_row(out, &row);
    slg_tail_out_row(out, &plain);
    slg_tail_out_flush(out);
    expect_message(out, "{\"streams\":[{\"stream\":{\"app\":\"a\",\"host\":\"mx\\\"1\"},"
                        "\"values\":[[\"1\",\"l\",{\"structuredMetadata\":{\"level\":\"info\"},"
                        "\"parsed\":{\"aa\":\"x\"}}],[\"2\",\"m\",{}]]}],"
                        "\"encodingFlags\":[\"categorize-labels\",\"x\"]}");
    slg_tail_out_destroy(out);
    out = slg_tail_out_create(slg_text_of(""), false);
    slg_tail_out_row(out, &row);
    slg_tail_out_flush(out);
    expect_message(out, "{\"streams\":[{\"stream\":{\"aa\":\"x\",\"app\":\"a\","
                        "\"host\":\"mx\\\"1\",\"level\":\"info\"},"
                        "\"values\":[[\"1\",\"l\"]]}]}");
    slg_tail_out_destroy(out);
}

/* 100 rows end a message by themselves. */
static void test_message_size(void **state)
{
    struct slg_tail_out *out = slg_tail_out_create(slg_text_of(""), false);
    struct slg_row row = row_of(1, two, 1, "x");
    char *text;

    (void)state;
    for (size_t i = 0; i < SLG_TAIL_MESSAGE_ROW_MAX; i++) {
        assert_null(take_message(out));
        slg_tail_out_row(out, &row);
    }
    text = take_message(out);
    assert_non_null(text);
    free(text);
    slg_tail_out_flush(out);
    assert_null(take_message(out));
    slg_tail_out_destroy(out);
}

/* Room ends at a mebibyte; dropped rows are listed, 1000 at most, in the next message, or alone once there is room. */
static void test_dropping(void **state)
{
    struct slg_tail_out *out = slg_tail_out_create(slg_text_of(""), false);
    char line[4096];
    struct slg_row row;
    size_t rows = 0, listed = 0;
    char *text;

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    row = row_of(5, two, 1, line);
    for (; slg_tail_out_room(out); rows++)
        slg_tail_out_row(out, &row);
    assert_in_range(rows, 230, 280);
    assert_in_range(slg_tail_out_pending(out).len, SLG_TAIL_OUT_BYTES,
                    SLG_TAIL_OUT_BYTES + 2 * SLG_TAIL_MESSAGE_BYTES);
    for (size_t i = 0; i < 1500; i++)
        slg_tail_out_drop(out, &row);
    slg_tail_out_control(out, SLG_WEBSOCKET_PING, "", 0);
    slg_tail_out_sent(out, slg_tail_out_pending(out).len);
    assert_true(slg_tail_out_room(out));
    slg_tail_out_flush(out); /* what was in hand goes with the list */
    text = take_message(out);
    assert_non_null(strstr(text, "\"dropped_entries\":[{\"labels\":{\"app\":\"b\"},"
                                 "\"timestamp\":\"5\"},{"));
    for (const char *at = text; (at = strstr(at, "\"timestamp\"")) != NULL; at++)
        listed++;
    assert_int_equal(listed, SLG_TAIL_DROPPED_COUNT_MAX);
    free(text);
    slg_tail_out_drop(out, &row);
    slg_tail_out_flush(out);
    expect_message(out, "{\"streams\":[],\"dropped_entries\":[{\"labels\":{\"app\":\"b\"},"
                        "\"timestamp\":\"5\"}]}");
    assert_false(slg_tail_out_failed(out));
    slg_tail_out_destroy(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_message_size),
        cmocka_unit_test(test_dropping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
