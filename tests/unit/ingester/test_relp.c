/* RELP is read as its specification writes it, whatever the sizes of the reads, and answered in its words.
 * Oracle: streams and transcripts written by hand after rsyslog/librelp doc/relp.md. */
#include "tests/helper/test.h"

#include "ingester/relp.h"

#define DATA_MAX ((size_t)480)
#define TEN      "0123456789"
#define FIFTY    TEN TEN TEN TEN TEN
#define LONG     FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY /* 500 */

/* The session's view: one line for each frame. M: the bytes end it (MALFORMED). */
static const struct row {
    const char *name;
    const char *stream;
    const char *want;
} rows[] = {
    { "a session", "1 open 27 relp_version=0\ncommands=sys\n2 syslog 5 <1>ab\n3 close 0\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 take <1>ab\n"
      "3 end 200 OK\n" },
    { "version 1", "1 open 14 relp_version=1\n",
      "1 answer 200 OK/relp_version=1/relp_software=silage/commands=syslog\n" },
    { "a version to come", "1 open 16 relp_version=217\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "no offers", "1 open 0\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "version in the second line", "1 open 24 commands=\nrelp_version=1\n",
      "1 answer 200 OK/relp_version=1/relp_software=silage/commands=syslog\n" },
    { "version without a value", "1 open 24 commands=a\nrelp_version=\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "opened twice", "1 open 0\n2 open 0\n3 syslog 1 x\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n"
      "2 answer 200 already open\n3 take x\n" },
    { "LF in the data", "1 open 0\n2 syslog 3 a\nb\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 take a/b\n" },
    { "empty message", "1 open 0\n2 syslog 0\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 take \n" },
    { "hint", "0 serverclose 0\n1 open 0\n",
      "0 ignore\n1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "unknown command", "1 starttls 0\n2 open 0\n",
      "1 answer 500 command not supported\n"
      "2 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "close at once", "1 close 0\n", "1 end 200 OK\n" },
    { "cut message", "1 open 0\n2 syslog 500 " LONG "\n3 syslog 1 x\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 cut 480\n3 take "
      "x\n" },
    { "cut message, count too small", "1 open 0\n2 syslog 499 " LONG "\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 cut 480\nM" },
    { "largest data of all", "1 open 0\n2 syslog 999999999 " LONG,
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n2 cut 480\n" },
    { "ten digits of data", "1 open 0\n2 syslog 1000000000 x",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\nM" },
    { "ten zeros of data", "1 open 0000000000\n", "M" },
    { "nine zeros of data", "1 open 000000000\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "txnr of ten digits", "0000000001 open 0\n", "M" },
    { "txnr with zeros", "000000001 open 0\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "begins with 2", "2 open 0\n", "M" },
    { "one left out", "1 open 0\n3 syslog 1 x\n",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\nM" },
    { "syslog before open", "1 syslog 1 x\n", "M" },
    { "plain syslog", "<13>Nov 21 23:42:29 h a: one\n", "M" },
    { "counted syslog", "28 <13>Nov 21 23:42:29 h a: one", "M" },
    { "no LF behind the data", "1 open 0\n2 syslog 1 xy",
      "1 answer 200 OK/relp_version=0/"
      "relp_software=silage/commands=syslog\nM" },
    { "no LF behind no data", "1 open 0 \n", "M" },
    { "no space before the data", "1 open 5\n", "M" },
    { "no command", "1  0\n", "M" },
    { "command of 32 letters", "1 abcdefghijklmnopqrstuvwxyzabcdef 0\n",
      "1 answer 500 command not supported\n" },
    { "command of 33 letters", "1 abcdefghijklmnopqrstuvwxyzabcdefg 0\n", "M" },
    { "digit in the command", "1 open2 0\n", "M" },
    { "no number", " open 0\n", "M" },
    { "sign", "+1 open 0\n", "M" },
    { "CR", "1 open 0\r\n", "M" },
    { "unfinished", "1 open 0\n2 syslog 10 abc",
      "1 answer 200 OK/relp_version=0/relp_software=silage/commands=syslog\n" },
    { "unfinished header", "1 op", "" },
    { "nothing", "", "" },
};

/* LFs of messages and answers are shown as '/'. */
static void show(struct slg_buf *out, struct slg_text text)
{
    for (size_t i = 0; i < text.len; i++)
        slg_buf_append_byte(out, text.at[i] == '\n' ? '/' : (uint8_t)text.at[i]);
}

static void tell(struct slg_buf *out, struct slg_relp_session *session,
                 const struct slg_relp_frame *frame)
{
    static const char *const names[] = { "take ", "answer ", "end ", "ignore" };
    enum slg_relp_step step = SLG_RELP_IGNORE;
    const char *answer = "";
    enum slg_status status = slg_relp_session_step(session, frame, &step, &answer);

    if (status != SLG_OK) {
        assert_int_equal(status, SLG_MALFORMED);
        slg_buf_append_text(out, "M");
        return;
    }
    slg_buf_printf(out, "%u ", frame->txnr);
    if (frame->truncated)
        slg_buf_printf(out, "cut %zu", frame->data.len);
    else
        slg_buf_append_text(out, names[step]);
    if (step == SLG_RELP_TAKE && !frame->truncated)
        show(out, frame->data);
    else if (step != SLG_RELP_TAKE && step != SLG_RELP_IGNORE)
        show(out, slg_text_of(answer));
    slg_buf_append_text(out, "\n");
}

/* What comes of the stream in reads of `step` bytes; the text ends with M when it is refused. */
static void feed(const struct row *row, size_t step, struct slg_buf *out)
{
    struct slg_relp_splitter splitter;
    struct slg_relp_session session;
    uint8_t buffer[DATA_MAX + SLG_RELP_FRAMING_MAX];
    size_t len = strlen(row->stream), fill = 0, fed = 0;
    bool more = true;

    slg_relp_splitter_init(&splitter, DATA_MAX);
    slg_relp_session_init(&session);
    while (more && (out->len == 0 || out->data[out->len - 1] != 'M')) {
        uint8_t *block = test_block(buffer, fill);
        struct slg_relp_frame frame;
        size_t used = SIZE_MAX;
        enum slg_status status = slg_relp_next(&splitter, block, fill, &frame, &used);

        if (status == SLG_OK)
            tell(out, &session, &frame);
        if (status == SLG_MALFORMED)
            slg_buf_append_text(out, "M");
        CHECK(row->name, status == SLG_MALFORMED || used <= fill);
        free(block);
        if (status == SLG_MALFORMED)
            break;
        memmove(buffer, buffer + used, fill - used);
        fill -= used;
        if (status == SLG_AGAIN) {
            size_t room = sizeof(buffer) - fill;
            size_t take = len - fed < step ? len - fed : step;

            take = take < room ? take : room;
            more = take > 0;
            memcpy(buffer + fill, row->stream + fed, take);
            fill += take;
            fed += take;
        }
    }
}

static void test_rows(void **state)
{
    static const size_t steps[] = { 1, 3, 1000 };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < SLG_ARRAY_LEN(steps); k++) {
            struct slg_buf out;

            slg_buf_init(&out, 4096);
            feed(&rows[i], steps[k], &out);
            slg_buf_append_byte(&out, 0);
            if (strcmp((const char *)out.data, rows[i].want) != 0)
                print_error("found:\n%s\n", (const char *)out.data);
            CHECK(rows[i].name, strcmp((const char *)out.data, rows[i].want) == 0);
            slg_buf_fini(&out);
        }
    }
}

static void test_turn_of_numbers(void **state)
{
    struct slg_relp_session session = { .next_txnr = SLG_RELP_NUMBER_MAX, .opened = true };
    struct slg_relp_frame frame = { .txnr = SLG_RELP_NUMBER_MAX, .command = SLG_RELP_SYSLOG };
    enum slg_relp_step step;
    const char *answer;

    (void)state;
    assert_int_equal(slg_relp_session_step(&session, &frame, &step, &answer), SLG_OK);
    assert_int_equal(session.next_txnr, 1);
    frame.txnr = 1;
    assert_int_equal(slg_relp_session_step(&session, &frame, &step, &answer), SLG_OK);
    assert_int_equal(step, SLG_RELP_TAKE);
}

static void test_answers(void **state)
{
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_relp_write_answer(&out, 7, SLG_RELP_ACCEPTED);
    slg_relp_write_answer(&out, SLG_RELP_NUMBER_MAX, "500 no");
    slg_relp_write_serverclose(&out);
    slg_buf_append_byte(&out, 0);
    assert_string_equal((const char *)out.data,
                        "7 rsp 6 200 OK\n999999999 rsp 6 500 no\n0 serverclose 0\n");
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_turn_of_numbers),
                                        cmocka_unit_test(test_answers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
