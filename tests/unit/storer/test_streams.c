/* Streams come with the counts of their batches, by selector, time and page. Oracle: what was stored, by hand. */
#include "tests/helper/storer.h"

#include "storer/streams.h"

#define MINUTE_NS (60 * SLG_NS_PER_SEC)

struct fixture {
    char *directory;
    struct slg_catalogue *catalogue;
    struct slg_arena *arena;
    struct slg_buf reply;
};

static void store(struct fixture *f, const struct slg_shard_id *id, uint64_t sequence,
                  const struct test_entry *entries, size_t count)
{
    struct slg_batch_header header;
    struct slg_shard_write *write;
    struct slg_shard *shard;
    enum slg_shard_put put;
    struct slg_buf batch;

    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_batch(&batch, id, 1, sequence, entries, count);
    assert_int_equal(slg_batch_read_header(f->arena, batch.data, batch.len, &header), SLG_OK);
    assert_int_equal(slg_catalogue_pin(f->catalogue, id, true, &shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_begin(shard, &write, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_put(write, &header, batch.data, batch.len, &put), SLG_OK);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_catalogue_unpin(f->catalogue, shard);
    slg_buf_fini(&batch);
}

/* Hour 0: a twice and b once in batch 1, a once in batch 2; hour 1: a once. */
static void set_up(struct fixture *f)
{
    const struct test_entry first[] = { { 0, "a", "12345", SLG_ENTRY_SYSLOG, "xyz" },
                                        { 10 * MINUTE_NS, "b", "1", SLG_ENTRY_SYSLOG, NULL },
                                        { 20 * MINUTE_NS - 1, "a", "12345", SLG_ENTRY_PUSH,
                                          NULL } };
    const struct test_entry second[] = { { 30 * MINUTE_NS, "a", "123", SLG_ENTRY_SYSLOG, NULL } };
    struct slg_catalogue_options options = { .map_bytes = 4 << 20, .open_count_max = 2 };
    struct slg_shard_id hour0 = test_shard(0), hour1 = test_shard(1);

    f->directory = test_make_directory();
    f->arena = slg_arena_create(16 << 20);
    slg_buf_init(&f->reply, SLG_MESSAGE_BYTES_MAX);
    options.data_dir = f->directory;
    assert_int_equal(slg_catalogue_create(&options, &f->catalogue, NULL), SLG_OK);
    store(f, &hour0, 1, first, 3);
    store(f, &hour0, 2, second, 1);
    store(f, &hour1, 1, second, 1);
}

static void tear_down(struct fixture *f)
{
    slg_catalogue_destroy(f->catalogue);
    slg_arena_destroy(f->arena);
    slg_buf_fini(&f->reply);
    test_drop_directory(f->directory);
}

static const struct ask_case {
    const char *name;
    const char *selector; /* NULL: none */
    const char *tenant;
    int64_t from_minutes, to_minutes, cutoff_minutes;
    enum slg_status want;
    uint64_t a_entries, a_bytes, a_batches; /* 0: not in the answer */
    uint64_t a_metadata;                    /* "m" and "xyz" of the first entry: 4, or its share */
    uint64_t b_entries;
} rows[] = {
    { "everything", NULL, "fake", 0, 120, 0, SLG_OK, 4, 16, 3, 1, 1 },
    { "only b", "{app=\"b\"}", "fake", 0, 120, 0, SLG_OK, 0, 0, 0, 0, 1 },
    { "no such app", "{app=\"c\"}", "fake", 0, 120, 0, SLG_OK, 0, 0, 0, 0, 0 },
    { "everything by an empty selector", "{}", "fake", 0, 120, 0, SLG_OK, 4, 16, 3, 1, 1 },
    { "another tenant", NULL, "other", 0, 120, 0, SLG_OK, 0, 0, 0, 0, 0 },
    { "the second hour", NULL, "fake", 60, 120, 0, SLG_OK, 1, 3, 1, 0, 0 },
    { "half of the first batch", NULL, "fake", 0, 10, 0, SLG_OK, 1, 5, 1, 1, 1 },
    { "between batches", NULL, "fake", 20, 30, 0, SLG_OK, 0, 0, 0, 0, 0 },
    { "what has expired is not there", NULL, "fake", 0, 120, 90, SLG_OK, 1, 3, 1, 0, 0 },
    { "bad selector", "{app=", "fake", 0, 120, 0, SLG_INVALID, 0, 0, 0, 0, 0 },
};

static const struct slg_rpc_stream *find(const struct slg_rpc_stream *streams, size_t count,
                                         char app)
{
    for (size_t i = 0; i < count; i++) /* {app="x"}: the value is the last byte */
        if (streams[i].canonical.at[streams[i].canonical.len - 1] == app)
            return &streams[i];
    return NULL;
}

static void test_rows(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        const struct slg_text selector =
            slg_text_of(rows[i].selector == NULL ? "" : rows[i].selector);
        const struct slg_rpc_streams request = {
            .tenant = slg_text_of(rows[i].tenant),
            .from_ns = TEST_WINDOW_NS + rows[i].from_minutes * MINUTE_NS,
            .to_ns = TEST_WINDOW_NS + rows[i].to_minutes * MINUTE_NS,
            .selectors = &selector,
            .selector_count = rows[i].selector == NULL ? 0 : 1,
            .stream_max = 100
        };
        int64_t cutoff_ns =
            rows[i].cutoff_minutes == 0 ? 0 : TEST_WINDOW_NS + rows[i].cutoff_minutes * MINUTE_NS;
        const struct slg_rpc_stream *a, *b;
        struct slg_rpc_stream *streams;
        struct slg_error err;
        size_t count;
        bool more;

        slg_arena_reset(f.arena);
        slg_buf_clear(&f.reply);
        CHECK(rows[i].name,
              slg_streams_answer(f.catalogue, &request, cutoff_ns, &f.reply, &err) == rows[i].want);
        if (rows[i].want != SLG_OK)
            continue;
        assert_int_equal(slg_rpc_decode_streams_reply(f.arena, f.reply.data, f.reply.len, &streams,
                                                      &count, &more, &err),
                         SLG_OK);
        a = find(streams, count, 'a');
        b = find(streams, count, 'b');
        CHECK(rows[i].name, (a == NULL ? 0 : a->entry_count) == rows[i].a_entries);
        CHECK(rows[i].name, (a == NULL ? 0 : a->line_bytes) == rows[i].a_bytes);
        CHECK(rows[i].name, (a == NULL ? 0 : a->batch_count) == rows[i].a_batches);
        CHECK(rows[i].name, (a == NULL ? 0 : a->metadata_count) == rows[i].a_metadata);
        CHECK(rows[i].name, (b == NULL ? 0 : b->entry_count) == rows[i].b_entries);
        CHECK(rows[i].name, !more);
    }
    tear_down(&f);
}

/* Without counts: every stream of the shards that the range touches, however short it is. */
static void test_whole_windows(void **state)
{
    const struct slg_text selector = slg_text_of("{app=\"b\"}");
    struct slg_rpc_streams request = { .tenant = slg_text_of("fake"),
                                       .from_ns = TEST_WINDOW_NS + 25 * MINUTE_NS,
                                       .to_ns = TEST_WINDOW_NS + 26 * MINUTE_NS,
                                       .selectors = &selector,
                                       .stream_max = 100,
                                       .whole_windows = true };
    static const struct {
        int64_t from_minutes;
        size_t selector_count, want;
    } asks[] = { { 25, 0, 2 }, { 25, 1, 1 }, { 85, 0, 1 }, { 85, 1, 0 }, { 125, 0, 0 } };
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < SLG_ARRAY_LEN(asks); i++) {
        struct slg_rpc_stream *streams;
        size_t count;
        bool more;

        request.from_ns = TEST_WINDOW_NS + asks[i].from_minutes * MINUTE_NS;
        request.to_ns = request.from_ns + MINUTE_NS;
        request.selector_count = asks[i].selector_count;
        slg_arena_reset(f.arena);
        slg_buf_clear(&f.reply);
        assert_int_equal(slg_streams_answer(f.catalogue, &request, 0, &f.reply, NULL), SLG_OK);
        assert_int_equal(slg_rpc_decode_streams_reply(f.arena, f.reply.data, f.reply.len, &streams,
                                                      &count, &more, NULL),
                         SLG_OK);
        assert_int_equal(count, asks[i].want);
        for (size_t k = 0; k < count; k++)
            assert_int_equal(streams[k].entry_count, 0);
    }
    tear_down(&f);
}

static void test_pages(void **state)
{
    struct slg_rpc_streams request = { .tenant = slg_text_of("fake"),
                                       .from_ns = TEST_WINDOW_NS,
                                       .to_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                       .stream_max = 1 };
    struct slg_rpc_stream *streams;
    struct slg_stream_id first;
    struct slg_error err;
    struct fixture f;
    size_t count;
    bool more;

    (void)state;
    set_up(&f);
    for (int page = 0; page < 2; page++) {
        slg_buf_clear(&f.reply);
        assert_int_equal(slg_streams_answer(f.catalogue, &request, 0, &f.reply, &err), SLG_OK);
        assert_int_equal(slg_rpc_decode_streams_reply(f.arena, f.reply.data, f.reply.len, &streams,
                                                      &count, &more, &err),
                         SLG_OK);
        assert_int_equal(count, 1);
        assert_int_equal(more, page == 0);
        if (page == 1)
            assert_true(memcmp(first.bytes, streams[0].id.bytes, sizeof(first.bytes)) < 0);
        first = streams[0].id;
        request.after = first;
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_whole_windows),
        cmocka_unit_test(test_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
