/* A TCP stream is cut into the same messages whatever the sizes of the reads.
 * Oracle: frames written by hand; each stream is fed whole and byte by byte. */
#include "tests/helper/test.h"

#include "ingester/frame.h"

#define STREAM(text) text, sizeof(text) - 1

static const struct row {
    const char *name;
    const char *stream;
    size_t len;
    size_t bytes_max;
    const char *frames[8]; /* a leading '~' marks a cut one */
} rows[] = {
    { "lf", STREAM("<1>a\n<2>b\n"), 480, { "<1>a", "<2>b" } },
    { "crlf", STREAM("<1>a\r\n<2>b\r\n"), 480, { "<1>a", "<2>b" } },
    { "nul", STREAM("<1>a\0<2>b\0"), 480, { "<1>a", "<2>b" } },
    { "counted", STREAM("4 <1>a4 <2>b"), 480, { "<1>a", "<2>b" } },
    { "counted with lf inside", STREAM("6 <1>a\nb4 <2>b"), 480, { "<1>a\nb", "<2>b" } },
    { "mixed", STREAM("<1>a\n4 <2>b<3>c\n"), 480, { "<1>a", "<2>b", "<3>c" } },
    { "no lf at the end", STREAM("<1>a\n<2>b"), 480, { "<1>a", "<2>b" } },
    { "counted, cut by the end", STREAM("9 <1>a"), 480, { "~<1>a" } },
    { "no PRI", STREAM("Nov 21 a\n"), 480, { "Nov 21 a" } },
    { "no PRI, digits first",
      STREAM("2026-11-21T22:42:29Z h a: x\n"),
      480,
      { "2026-11-21T22:42:29Z h a: x" } },
    { "many digits are no count", STREAM("12345678 x\n"), 480, { "12345678 x" } },
    { "count of seven digits", STREAM("0000004 x\n"), 480, { "0000004 x" } },
    { "digits to the end", STREAM("123"), 480, { "123" } },
    { "empty frames", STREAM("\n\n<1>a\n"), 480, { "", "", "<1>a" } },
};

static void feed(const struct row *row, size_t step)
{
    struct slg_frame_splitter splitter;
    uint8_t *buffer = malloc(row->len + 1);
    size_t fill = 0;
    size_t fed = 0;
    size_t found = 0;

    slg_frame_init(&splitter, row->bytes_max);
    for (;;) {
        bool at_end = fed == row->len;
        uint8_t *block = test_block(buffer, fill);
        struct slg_frame frame = { 0 };
        size_t used = SIZE_MAX;
        enum slg_status status = slg_frame_next(&splitter, block, fill, at_end, &frame, &used);

        CHECK(row->name, used <= fill);
        if (status == SLG_OK) {
            const char *want = row->frames[found];

            CHECK(row->name, want != NULL);
            CHECK(row->name, frame.truncated == (want[0] == '~'));
            CHECK(row->name, slg_text_equal_to(frame.message, want + (want[0] == '~')));
            found++;
        } else {
            CHECK(row->name, status == SLG_AGAIN);
        }
        memmove(buffer, buffer + used, fill - used);
        fill -= used;
        free(block);
        if (status == SLG_AGAIN) {
            size_t more = row->len - fed < step ? row->len - fed : step;

            if (at_end && fill == 0)
                break;
            CHECK(row->name, !at_end);
            memcpy(buffer + fill, row->stream + fed, more);
            fill += more;
            fed += more;
        }
    }
    CHECK(row->name, row->frames[found] == NULL);
    free(buffer);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        feed(&rows[i], 1);
        feed(&rows[i], 3);
        feed(&rows[i], 1000);
    }
}

/* A frame over the limit is delivered once, cut; the next one is whole. */
static void test_over_the_limit(void **state)
{
    (void)state;
    for (int counted = 0; counted < 2; counted++) {
        for (size_t step = 1; step < 3000; step += 487) {
            char stream[4096];
            size_t len = counted ? (size_t)snprintf(stream, sizeof(stream), "2000 ") : 0;
            struct slg_frame_splitter splitter;
            uint8_t buffer[1024];
            size_t fill = 0;
            size_t fed = 0;
            size_t frames = 0;

            memset(stream + len, 'x', 2000);
            len += 2000;
            len += (size_t)snprintf(stream + len, 100, "%s", counted ? "4 <1>a" : "\n<1>a\n");
            slg_frame_init(&splitter, 480);
            while (fed < len || fill > 0) {
                size_t room = 480 + SLG_FRAME_DIGITS_MAX + 2 - fill;
                size_t more = len - fed < step ? len - fed : step;
                struct slg_frame frame;
                size_t used;
                enum slg_status status;

                more = more < room ? more : room;
                memcpy(buffer + fill, stream + fed, more);
                fill += more;
                fed += more;
                status = slg_frame_next(&splitter, buffer, fill, fed == len, &frame, &used);
                assert_true(used > 0 || more > 0);
                if (status == SLG_OK) {
                    assert_int_equal(frame.truncated, frames == 0);
                    assert_int_equal(frame.message.len, frames == 0 ? 480 : 4);
                    frames++;
                }
                memmove(buffer, buffer + used, fill - used);
                fill -= used;
            }
            assert_int_equal(frames, 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
                                        cmocka_unit_test(test_over_the_limit) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
