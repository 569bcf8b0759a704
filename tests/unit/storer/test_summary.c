/* A summary reads back as what was put in, and no altered one is read. Oracle: the header it was made from. */
#include "tests/helper/test.h"

#include "storer/summary.h"

static void test_round_trip_and_damage(void **state)
{
    const struct slg_batch_stream streams[] = {
        { .entry_count = 3, .line_bytes = 1000, .metadata_count = 9 },
        { .entry_count = 1, .line_bytes = 0 }
    };
    const uint32_t numbers[] = { 70000, 0 };
    const struct slg_batch_header header = { .id = { .sequence = 77 },
                                             .entry_count = 4,
                                             .push_count = 2,
                                             .line_bytes = 1000,
                                             .metadata_bytes = 5,
                                             .ts_min_ns = INT64_C(1767225600000000000),
                                             .ts_max_ns = INT64_C(1767225600000000999),
                                             .streams = streams,
                                             .stream_count = 2,
                                             .raw_bytes = 1100 };
    struct slg_summary summary;
    struct slg_summary_stream stream;
    struct slg_buf out;

    (void)state;
    slg_buf_init(&out, 4096);
    slg_summary_encode(&out, &header, 555, numbers);
    assert_int_equal(slg_summary_decode(out.data, out.len, &summary), SLG_OK);
    assert_int_equal(summary.sequence, 77);
    assert_int_equal(summary.ts_min_ns, header.ts_min_ns);
    assert_int_equal(summary.ts_max_ns, header.ts_max_ns);
    assert_int_equal(summary.entry_count, 4);
    assert_int_equal(summary.push_count, 2);
    assert_int_equal(summary.line_bytes, 1000);
    assert_int_equal(summary.metadata_bytes, 5);
    assert_int_equal(summary.batch_bytes, 555);
    assert_int_equal(summary.raw_bytes, 1100);
    assert_int_equal(summary.stream_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(slg_summary_next_stream(&summary, &stream));
        assert_int_equal(stream.number, numbers[i]);
        assert_int_equal(stream.entry_count, streams[i].entry_count);
        assert_int_equal(stream.line_bytes, streams[i].line_bytes);
        assert_int_equal(stream.metadata_count, streams[i].metadata_count);
    }
    assert_false(slg_summary_next_stream(&summary, &stream));
    for (size_t i = 0; i < out.len; i++) {
        uint8_t *block = test_block(out.data, out.len);

        block[i] ^= 1;
        assert_int_not_equal(slg_summary_decode(block, out.len, &summary), SLG_OK);
        free(block);
        block = test_block(out.data, i);
        assert_int_not_equal(slg_summary_decode(block, i, &summary), SLG_OK);
        free(block);
    }
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_and_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
