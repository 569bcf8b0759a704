/* A shard holds each batch once, tells duplicates from other content, knows exactly which ids it holds, survives being
 * closed at any time, goes on in a new file when one is full. Oracle: a plain list of what was put. */
#include "tests/helper/storer.h"

#include "storer/shard.h"
#include "storer/shard_record.h"

struct fixture {
    char *directory;
    struct slg_shard_options options;
    struct slg_shard *shard;
    struct slg_arena *arena;
    struct slg_buf batch;
};

static void set_up(struct fixture *f, size_t map_bytes)
{
    f->directory = test_make_directory();
    f->options = (struct slg_shard_options){ .shards_directory = f->directory,
                                             .id = test_shard(0),
                                             .map_bytes = map_bytes,
                                             .create = true };
    f->shard = NULL;
    f->arena = slg_arena_create(16 << 20);
    slg_buf_init(&f->batch, SLG_BATCH_BYTES_MAX);
    assert_int_equal(slg_shard_open(&f->options, &f->shard, NULL), SLG_OK);
}

static void tear_down(struct fixture *f)
{
    slg_shard_close(f->shard);
    slg_arena_destroy(f->arena);
    slg_buf_fini(&f->batch);
    test_drop_directory(f->directory);
}

static void reopen(struct fixture *f)
{
    slg_shard_close(f->shard);
    f->shard = NULL;
    f->options.create = false;
    assert_int_equal(slg_shard_open(&f->options, &f->shard, NULL), SLG_OK);
}

static enum slg_status put_encoded(struct fixture *f, struct slg_shard_write *write,
                                   enum slg_shard_put *ret_put)
{
    struct slg_batch_header header;

    slg_arena_reset(f->arena);
    assert_int_equal(slg_batch_read_header(f->arena, f->batch.data, f->batch.len, &header), SLG_OK);
    return slg_shard_write_put(write, &header, f->batch.data, f->batch.len, ret_put);
}

static enum slg_shard_put put_line(struct fixture *f, struct slg_shard_write *write, uint8_t inc,
                                   uint64_t sequence, const char *line)
{
    enum slg_shard_put put = SLG_SHARD_PUT_STREAM;

    test_encode_line(&f->batch, &f->options.id, inc, sequence, line);
    assert_int_equal(put_encoded(f, write, &put), SLG_OK);
    return put;
}

static void store_line(struct fixture *f, uint8_t inc, uint64_t sequence, const char *line)
{
    struct slg_shard_write *write;

    assert_int_equal(slg_shard_write_begin(f->shard, &write, NULL), SLG_OK);
    assert_int_equal(put_line(f, write, inc, sequence, line), SLG_SHARD_PUT_NEW);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
}

/* Set and digest of the shard are those of exactly these ids of incarnation 1. */
static void check_holds(struct fixture *f, const uint64_t *sequences, size_t count)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_incarnation incarnation = test_incarnation(1);
    struct slg_batch_set_digest want = { .count = 0 };
    struct slg_shard_totals totals;
    struct slg_shard_read *read;

    assert_int_equal(slg_shard_read_begin(f->shard, &read, NULL), SLG_OK);
    assert_int_equal(slg_shard_read_totals(read, &totals), SLG_OK);
    assert_int_equal(slg_shard_read_set(read, set), SLG_OK);
    assert_int_equal(slg_batch_set_count(set), count);
    for (size_t i = 0; i < count; i++) {
        struct slg_batch_id id = { .incarnation = incarnation,
                                   .shard = f->options.id,
                                   .sequence = sequences[i] };

        assert_true(slg_batch_set_has(set, &incarnation, sequences[i]));
        slg_batch_set_digest_add(&want, &id);
    }
    assert_true(slg_batch_set_digest_equal(&totals.digest, &want));
    assert_int_equal(totals.entry_count, count);
    slg_shard_read_end(read);
    slg_batch_set_destroy(set);
}

static void test_each_batch_once(void **state)
{
    const uint64_t held[] = { 1, 2 };
    struct slg_shard_write *write;
    struct fixture f;

    (void)state;
    set_up(&f, 4 << 20);
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(put_line(&f, write, 1, 1, "one"), SLG_SHARD_PUT_NEW);
    assert_int_equal(put_line(&f, write, 1, 1, "one"), SLG_SHARD_PUT_DUPLICATE);
    assert_int_equal(put_line(&f, write, 1, 1, "other"), SLG_SHARD_PUT_CONTENT);
    assert_int_equal(put_line(&f, write, 1, 2, "two"), SLG_SHARD_PUT_NEW);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    check_holds(&f, held, 2);
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(put_line(&f, write, 1, 3, "lost"), SLG_SHARD_PUT_NEW);
    slg_shard_write_abort(write);
    check_holds(&f, held, 2);
    reopen(&f);
    check_holds(&f, held, 2);
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(put_line(&f, write, 1, 2, "two"), SLG_SHARD_PUT_DUPLICATE);
    assert_int_equal(put_line(&f, write, 1, 2, "2"), SLG_SHARD_PUT_CONTENT);
    slg_shard_write_abort(write);
    tear_down(&f);
}

/* H18: whatever the order of arrival, the set is exact, as ranges that do not touch. */
static void test_sets_are_exact_in_any_order(void **state)
{
    static const uint64_t orders[][6] = { { 1, 2, 3, 4, 5, 6 }, { 6, 5, 4, 3, 2, 1 },
                                          { 2, 4, 6, 1, 3, 5 }, { 3, 1, 2, 6, 4, 5 },
                                          { 9, 1, 5, 3, 7, 2 }, { 10, 30, 20, 11, 19, 29 } };

    (void)state;
    for (size_t o = 0; o < SLG_ARRAY_LEN(orders); o++) {
        struct fixture f;

        set_up(&f, 4 << 20);
        for (size_t i = 0; i < 6; i++) {
            store_line(&f, 1, orders[o][i], "x");
            check_holds(&f, orders[o], i + 1);
        }
        reopen(&f);
        check_holds(&f, orders[o], 6);
        tear_down(&f);
    }
}

static void test_incarnations_do_not_mix(void **state)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_shard_read *read;
    struct fixture f;

    (void)state;
    set_up(&f, 4 << 20);
    for (uint8_t inc = 3; inc >= 1; inc--)
        for (uint64_t sequence = 1; sequence <= 3; sequence++)
            store_line(&f, inc, sequence, "x");
    assert_int_equal(slg_shard_read_begin(f.shard, &read, NULL), SLG_OK);
    assert_int_equal(slg_shard_read_set(read, set), SLG_OK);
    slg_shard_read_end(read);
    assert_int_equal(slg_batch_set_count(set), 9);
    assert_int_equal(slg_batch_set_range_count(set), 3);
    slg_batch_set_destroy(set);
    tear_down(&f);
}

/* H19: a stream id that is not the hash of its labels is refused and changes nothing. */
static void test_stream_of_other_labels_is_refused(void **state)
{
    struct slg_batch_stream streams[1];
    struct slg_batch_header header;
    struct slg_shard_write *write;
    enum slg_shard_put put;
    struct fixture f;

    (void)state;
    set_up(&f, 4 << 20);
    test_encode_line(&f.batch, &f.options.id, 1, 1, "x");
    assert_int_equal(slg_batch_read_header(f.arena, f.batch.data, f.batch.len, &header), SLG_OK);
    streams[0] = header.streams[0];
    streams[0].id.bytes[0] ^= 1;
    header.streams = streams;
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_put(write, &header, f.batch.data, f.batch.len, &put), SLG_OK);
    assert_int_equal(put, SLG_SHARD_PUT_STREAM);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    check_holds(&f, NULL, 0);
    store_line(&f, 1, 1, "x");
    streams[0].id.bytes[0] ^= 1; /* the right id, held, with other labels */
    streams[0].canonical = (const uint8_t *)"\x01\x01"
                                            "a\x01"
                                            "b";
    streams[0].canonical_len = 5;
    header.id.sequence = 2;
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_put(write, &header, f.batch.data, f.batch.len, &put), SLG_OK);
    assert_int_equal(put, SLG_SHARD_PUT_STREAM);
    slg_shard_write_abort(write);
    tear_down(&f);
}

static enum slg_status count_summary(void *ctx, const struct slg_batch_ref *ref,
                                     struct slg_summary *summary)
{
    size_t *count = ctx;

    assert_true(ref->arrival >= 1);
    assert_int_equal(summary->entry_count, 1);
    (*count)++;
    return SLG_OK;
}

/* A full map begins a new generation; ids are found in the old ones. */
static void test_rolls_over_when_full(void **state)
{
    enum { SEQUENCE_COUNT = 40 };
    char *line = malloc(100001);
    uint64_t held[SEQUENCE_COUNT];
    struct slg_shard_write *write;
    struct slg_shard_read *read;
    size_t summary_count = 0;
    uint64_t random = 1;
    struct fixture f;

    (void)state;
    assert_non_null(line);
    for (size_t i = 0; i < 100000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        line[i] = (char)('!' + (random >> 33) % 90); /* does not compress */
    }
    line[100000] = '\0';
    set_up(&f, 1 << 20);
    for (uint64_t sequence = 1; sequence <= SEQUENCE_COUNT; sequence++) {
        enum slg_shard_put put;
        enum slg_status status;

        held[sequence - 1] = sequence;
        line[sequence] = '~';
        test_encode_line(&f.batch, &f.options.id, 1, sequence, line);
        assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
        status = put_encoded(&f, write, &put);
        if (status == SLG_LIMIT) {
            slg_shard_write_abort(write);
            assert_int_equal(slg_shard_roll(f.shard, NULL), SLG_OK);
            assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
            status = put_encoded(&f, write, &put);
        }
        assert_int_equal(status, SLG_OK);
        assert_int_equal(put, SLG_SHARD_PUT_NEW);
        assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    }
    assert_true(slg_shard_generation_count(f.shard) >= 2);
    reopen(&f);
    assert_true(slg_shard_generation_count(f.shard) >= 2);
    check_holds(&f, held, SEQUENCE_COUNT);
    line[1] = '~';
    assert_int_equal(slg_shard_read_begin(f.shard, &read, NULL), SLG_OK);
    assert_int_equal(slg_shard_each_summary(read, count_summary, &summary_count), SLG_OK);
    assert_int_equal(summary_count, SEQUENCE_COUNT);
    slg_shard_read_end(read);
    assert_int_equal(slg_shard_write_begin(f.shard, &write, NULL), SLG_OK);
    assert_int_equal(put_line(&f, write, 1, 1, "other"), SLG_SHARD_PUT_CONTENT); /* older file */
    slg_shard_write_abort(write);
    free(line);
    tear_down(&f);
}

static void test_suspect_and_quarantine(void **state)
{
    struct slg_shard_write *write;
    struct slg_error err;
    struct fixture f;

    (void)state;
    set_up(&f, 4 << 20);
    store_line(&f, 1, 1, "x");
    assert_int_equal(slg_shard_mark_suspect(f.shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_begin(f.shard, &write, &err), SLG_UNAVAILABLE);
    reopen(&f);
    assert_true(slg_shard_suspect(f.shard));
    assert_int_equal(slg_shard_write_begin(f.shard, &write, &err), SLG_UNAVAILABLE);
    check_holds(&f, &(uint64_t){ 1 }, 1);
    slg_shard_close(f.shard);
    f.shard = NULL;
    assert_int_equal(
        slg_shard_quarantine(f.directory, slg_shard_name_of(&f.options.id).text, "a test", NULL),
        SLG_OK);
    assert_int_equal(slg_shard_open(&f.options, &f.shard, &err), SLG_UNAVAILABLE);
    assert_null(f.shard);
    tear_down(&f);
}

static enum slg_status find_second(void *ctx, const struct slg_batch_ref *ref,
                                   struct slg_summary *summary)
{
    struct slg_aside_order *order = ctx;
    uint8_t key[SLG_SHARD_ID_KEY_BYTES];

    slg_shard_id_key(key, &summary->incarnation, summary->sequence);
    if (summary->sequence == 2)
        *order = (struct slg_aside_order){ ref->generation_index, ref->arrival,
                                           slg_shard_id_hash(key), SLG_ASIDE_CHECKSUM };
    return SLG_OK;
}

static enum slg_status see_aside(void *ctx, const struct slg_aside *aside)
{
    struct slg_aside *seen = ctx;

    assert_int_equal(seen->sequence, 0);
    *seen = *aside;
    return SLG_OK;
}

static struct slg_aside read_aside(struct fixture *f)
{
    struct slg_aside aside = { .sequence = 0 };
    struct slg_shard_read *read;

    assert_int_equal(slg_shard_read_begin(f->shard, &read, NULL), SLG_OK);
    assert_int_equal(slg_shard_each_aside(read, see_aside, &aside), SLG_OK);
    slg_shard_read_end(read);
    return aside;
}

/* Set aside batch 2, wherever it lies. */
static void set_second_aside(struct fixture *f)
{
    struct slg_aside_order order = { .arrival = 0 };
    struct slg_shard_read *read;

    assert_int_equal(slg_shard_read_begin(f->shard, &read, NULL), SLG_OK);
    assert_int_equal(slg_shard_each_summary(read, find_second, &order), SLG_OK);
    slg_shard_read_end(read);
    assert_true(order.arrival > 0);
    slg_shard_close(f->shard);
    f->options.create = false;
    f->options.maintain = true;
    assert_int_equal(slg_shard_open(&f->options, &f->shard, NULL), SLG_OK);
    order.id_hash++;
    assert_int_equal(slg_shard_set_aside(f->shard, &order, 1, 77, NULL), SLG_NOT_FOUND);
    order.id_hash--;
    assert_int_equal(slg_shard_set_aside(f->shard, &order, 1, 77, NULL), SLG_OK);
    f->options.create = true;
    f->options.maintain = false;
}

/* I7: a batch that was set aside is not held, in no generation, and its copy does not vouch; the same id put again is held,
 * with the new bytes. */
static void test_set_aside_and_back(void **state)
{
    const uint64_t all[] = { 1, 2, 3 }, rest[] = { 1, 3 };

    (void)state;
    for (int generations = 1; generations <= 2; generations++) {
        struct slg_aside aside;
        struct fixture f;

        set_up(&f, 4 << 20);
        store_line(&f, 1, 1, "one");
        store_line(&f, 1, 2, "two");
        store_line(&f, 1, 3, "three");
        if (generations == 2) /* the batch lies in a closed one */
            assert_int_equal(slg_shard_roll(f.shard, NULL), SLG_OK);
        set_second_aside(&f);
        for (int round = 0; round < 2; round++) {
            check_holds(&f, rest, 2);
            assert_int_equal(slg_shard_doubt(f.shard), SLG_SHARD_DOUBT_ASIDE);
            assert_int_equal(slg_shard_aside_count(f.shard), 1);
            aside = read_aside(&f);
            assert_int_equal(aside.sequence, 2);
            assert_int_equal(aside.reason, SLG_ASIDE_CHECKSUM);
            assert_int_equal(aside.entry_count, 1);
            assert_int_equal(aside.set_aside_ns, 77);
            reopen(&f);
        }
        store_line(&f, 1, 2, "two");
        check_holds(&f, all, 3);
        assert_int_equal(slg_shard_doubt(f.shard), SLG_SHARD_DOUBT_NONE);
        reopen(&f);
        check_holds(&f, all, 3);
        assert_int_equal(slg_shard_doubt(f.shard), SLG_SHARD_DOUBT_NONE);
        assert_int_equal(read_aside(&f).sequence, 0);
        tear_down(&f);
    }
}

/* What was lost is an error, never an empty shard (I7). */
static const struct lost_case {
    const char *name;
    const char *file; /* to remove, in the shard's directory */
    enum slg_status want;
} losses[] = {
    { "manifest", "manifest", SLG_CORRUPT },
    { "generation", "g0000000001.lmdb", SLG_CORRUPT },
    { "lock file", "g0000000001.lmdb-lock", SLG_OK },
};

static void test_losses_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(losses); i++) {
        char shard_directory[1024], path[1024];
        struct fixture f;

        set_up(&f, 4 << 20);
        store_line(&f, 1, 1, "x");
        slg_shard_close(f.shard);
        f.shard = NULL;
        test_join(shard_directory, f.directory, slg_shard_name_of(&f.options.id).text);
        test_join(path, shard_directory, losses[i].file);
        CHECK(losses[i].name, unlink(path) == 0);
        CHECK(losses[i].name, slg_shard_open(&f.options, &f.shard, NULL) == losses[i].want);
        tear_down(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_batch_once),
        cmocka_unit_test(test_sets_are_exact_in_any_order),
        cmocka_unit_test(test_incarnations_do_not_mix),
        cmocka_unit_test(test_stream_of_other_labels_is_refused),
        cmocka_unit_test(test_rolls_over_when_full),
        cmocka_unit_test(test_suspect_and_quarantine),
        cmocka_unit_test(test_set_aside_and_back),
        cmocka_unit_test(test_losses_are_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
