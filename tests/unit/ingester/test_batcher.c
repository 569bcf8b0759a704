/* Entries become batches: each entry in exactly one batch of its shard, sequences contiguous from 1 (H18), sealed when
 * full, old or idle, and everything bounded.
 * Oracle: a fake storer that decodes what arrives, keeps it by batch id and fingerprints every line. */
#include "tests/helper/ingester.h"

#include "ingester/batcher.h"

#define HOUR_NS (INT64_C(3600) * SLG_NS_PER_SEC)
#define T0_NS   (INT64_C(1767225600) * SLG_NS_PER_SEC)

struct stream {
    struct slg_stream_ref ref;
    struct slg_label labels[1];
    struct slg_buf canonical;
};

static void make_stream(struct stream *s, const char *app, uint64_t serial)
{
    s->labels[0] = (struct slg_label){ slg_text_of("app"), slg_text_of(app) };
    slg_buf_init(&s->canonical, 4096);
    s->ref.labels = (struct slg_label_set){ s->labels, 1 };
    slg_label_encode(&s->canonical, &s->ref.labels);
    s->ref.id = slg_stream_id_of(slg_text_of("t"), s->canonical.data, s->canonical.len);
    s->ref.serial = serial;
    s->ref.canonical = s->canonical.data;
    s->ref.canonical_len = s->canonical.len;
}

static struct slg_batcher *make_batcher(struct bench *b, size_t builders_max,
                                        unsigned new_shards_max)
{
    struct slg_batcher_options options;
    struct slg_batcher *batcher;
    struct slg_error error;

    slg_batcher_options_init(&options);
    options.tenant = slg_text_of("t");
    options.map = b->map;
    options.forward = b->forward;
    options.metrics = b->metrics;
    options.builders_max = builders_max;
    options.new_shards_max = new_shards_max;
    options.listener_mixed = 3;
    if (slg_batcher_create(&options, &batcher, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return batcher;
}

/* A stream for each of the map's slots. */
static void make_streams_by_slot(struct bench *b, struct stream *streams, size_t slot_count)
{
    bool met[1024] = { 0 };
    size_t count = 0;

    for (unsigned i = 0; count < slot_count; i++) {
        struct stream s;
        char app[16];
        uint16_t slot;

        (void)snprintf(app, sizeof(app), "app-%u", i);
        make_stream(&s, app, i + 1);
        slot = slg_map_shard_of(b->map, T0_NS, &s.ref.id).slot;
        if (met[slot]) {
            slg_buf_fini(&s.canonical);
            continue;
        }
        met[slot] = true;
        streams[slot] = s;
        count++;
    }
}

static int64_t mono(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

static enum slg_status add(struct bench *b, struct slg_batcher *batcher, const struct stream *s,
                           int64_t ts_ns, const char *line, struct slg_account_cell *cell)
{
    struct slg_batcher_entry entry = {
        .stream = &s->ref, .serial_lasting = true, .ts_ns = ts_ns, .line = slg_text_of(line)
    };
    enum slg_status status;

    (void)b;
    slg_account_received(cell, 0, 1);
    status = slg_batcher_add(batcher, &entry, mono(), NULL);
    if (status != SLG_OK)
        slg_account_dropped(cell, 0, SLG_DROP_MEMORY, 1);
    return status;
}

static void test_every_entry_arrives_once(void **state)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream streams[40];
    uint64_t sum = 0;
    enum { COUNT = 30000 };

    (void)state;
    bench_init(&b, "batcher-once", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, 4, 1000);
    for (size_t i = 0; i < SLG_ARRAY_LEN(streams); i++) {
        char app[16];

        (void)snprintf(app, sizeof(app), "app-%zu", i);
        make_stream(&streams[i], app, i + 1);
    }
    for (int i = 0; i < COUNT; i++) {
        char line[200];
        int64_t window = i % 97 == 0 ? i % 7 : 0; /* 7 windows over 4 builders */

        (void)snprintf(line, sizeof(line), "line %d of the test, with some text to fill it up", i);
        sum += slg_hash_xxh3(line, strlen(line));
        while (slg_batcher_wait_room(batcher, mono() + SLG_NS_PER_SEC) != SLG_OK) {
        }
        assert_int_equal(add(&b, batcher, &streams[(size_t)i % SLG_ARRAY_LEN(streams)],
                             T0_NS + window * HOUR_NS + i, line, cell),
                         SLG_OK);
        slg_batcher_tick(batcher, mono(), i % 50 == 0);
    }
    assert_int_equal(slg_batcher_flush(batcher, mono() + SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(&b).accepted == COUNT);
    assert_int_equal(bench_totals(&b).in_flight, 0);
    assert_int_equal(FAKE_READ(&b.fake, entry_count), COUNT);
    assert_true(FAKE_READ(&b.fake, line_hash_sum) == sum);
    assert_int_equal(FAKE_READ(&b.fake, mistakes), 0);
    fake_check_sequences(&b.fake);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    slg_batcher_destroy(batcher);
    for (size_t i = 0; i < SLG_ARRAY_LEN(streams); i++)
        slg_buf_fini(&streams[i].canonical);
    bench_fini(&b);
}

static void test_idle_seals_at_once_and_busy_waits(void **state)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream s;
    int64_t now;

    (void)state;
    bench_init(&b, "batcher-idle", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, 4, 1000);
    make_stream(&s, "a", 1);
    pthread_mutex_lock(&b.fake.lock); /* answers wait */
    assert_int_equal(add(&b, batcher, &s, T0_NS, "one", cell), SLG_OK);
    slg_batcher_tick(batcher, mono(), /* drained= */ false);
    assert_int_equal(slg_batcher_entry_count(batcher), 1); /* more input is there: not yet */
    slg_batcher_tick(batcher, mono(), /* drained= */ true);
    assert_int_equal(slg_batcher_entry_count(batcher), 0); /* idle: at once */
    assert_int_equal(add(&b, batcher, &s, T0_NS, "two", cell), SLG_OK);
    now = mono();
    slg_batcher_tick(batcher, now, true);
    assert_int_equal(slg_batcher_entry_count(batcher), 1); /* one is out: gather */
    assert_true(slg_batcher_wake_mono_ns(batcher) <= now + SLG_BATCHER_RECHECK_NS_DEFAULT);
    slg_batcher_tick(batcher, now + SLG_BATCHER_LINGER_NS_DEFAULT + SLG_NS_PER_SEC, false);
    assert_int_equal(slg_batcher_entry_count(batcher), 0); /* old enough */
    assert_true(slg_batcher_wake_mono_ns(batcher) == INT64_MAX);
    pthread_mutex_unlock(&b.fake.lock);
    WAIT_UNTIL(bench_totals(&b).accepted == 2);
    fake_check_sequences(&b.fake);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    slg_buf_fini(&s.canonical);
    bench_fini(&b);
}

static void test_new_shards_are_bounded(void **state)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream s;

    (void)state;
    bench_init(&b, "batcher-shards", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, 2, 5);
    make_stream(&s, "a", 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(add(&b, batcher, &s, T0_NS + i * HOUR_NS, "x", cell), SLG_OK);
    assert_int_equal(add(&b, batcher, &s, T0_NS + 5 * HOUR_NS, "x", cell), SLG_LIMIT);
    assert_int_equal(add(&b, batcher, &s, T0_NS + 4 * HOUR_NS, "x", cell), SLG_OK);
    assert_int_equal(add(&b, batcher, &s, -1, "x", cell), SLG_MALFORMED);
    assert_int_equal(slg_batcher_flush(batcher, mono() + SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(&b).accepted == 6);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    slg_buf_fini(&s.canonical);
    bench_fini(&b);
}

/* All lines of one shard, or of 64. */
static void fill_memory(struct bench *b, uint16_t slots)
{
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream *streams = calloc(slots, sizeof(*streams));
    char line[8192];
    uint64_t added = 0;

    assert_non_null(streams);
    bench_init(b, "batcher-memory", true);
    slg_map_unref(b->map);
    bench_make_map(b, HOUR_NS, slots);
    b->fake.paused = true;
    bench_forward(b, SLG_FORWARD_MEMORY_MIN, 5000);
    cell = slg_account_cell(b->account);
    batcher = make_batcher(b, 4, 1000);
    make_streams_by_slot(b, streams, slots);
    for (size_t i = 0; i < sizeof(line) - 1; i++)
        line[i] = (char)(33 + slg_hash_xxh3(&i, sizeof(i)) % 90); /* hardly compressible */
    line[sizeof(line) - 1] = '\0';
    while (add(b, batcher, &streams[added % slots], T0_NS + (int64_t)added, line, cell) == SLG_OK) {
        added++;
        line[added % 8000] ^= 1;
        assert_true(added * sizeof(line) < 5 * SLG_FORWARD_MEMORY_MIN + slots * (size_t)32 * 1024);
    }
    assert_true(added * sizeof(line) >
                SLG_FORWARD_MEMORY_MIN / 2 + (slots - 1U) * (size_t)32 * 1024);
    assert_int_equal(slg_batcher_wait_room(batcher, mono() + SLG_NS_PER_MS), SLG_TIMEOUT);
    pthread_mutex_lock(&b->fake.lock);
    b->fake.paused = false;
    pthread_mutex_unlock(&b->fake.lock);
    assert_int_equal(slg_batcher_wait_room(batcher, mono() + 10 * SLG_NS_PER_SEC), SLG_OK);
    assert_int_equal(slg_batcher_flush(batcher, mono() + 10 * SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(b).accepted == added);
    assert_int_equal(bench_totals(b).dropped, 1);
    WAIT_UNTIL(slg_forward_free_count(b->forward) ==
               SLG_FORWARD_MEMORY_MIN / SLG_FORWARD_TOKEN_BYTES);
    (void)bench_stop(b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    for (size_t i = 0; i < slots; i++)
        slg_buf_fini(&streams[i].canonical);
    free(streams);
    bench_fini(b);
}

static void test_memory_is_bounded_and_comes_back(void **state)
{
    struct bench b;

    (void)state;
    fill_memory(&b, 1);
    fill_memory(&b, 64);
}

struct counting_waiter {
    struct slg_forward_waiter waiter;
    _Atomic unsigned settled;
    _Atomic unsigned accepted;
};

static void count_settled(struct slg_forward_waiter *waiter, enum slg_replica_outcome outcome,
                          enum slg_drop_reason reason)
{
    struct counting_waiter *w = (struct counting_waiter *)(void *)waiter;

    (void)reason;
    atomic_fetch_add(&w->accepted, outcome == SLG_REPLICA_ACCEPTED);
    atomic_fetch_add(&w->settled, 1);
}

static void test_waiters_hear_of_each_batch_once(void **state)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct stream s;
    struct counting_waiter waiters[100];
    unsigned expected[100] = { 0 };

    (void)state;
    bench_init(&b, "batcher-waiters", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    batcher = make_batcher(&b, 4, 1000);
    make_stream(&s, "a", 1);
    memset(waiters, 0, sizeof(waiters));
    for (size_t w = 0; w < 100; w++) {
        waiters[w].waiter.settled = count_settled;
        for (int i = 0; i < 6; i++) {
            struct slg_batcher_entry entry = { .stream = &s.ref,
                                               .ts_ns = T0_NS + i % 3 * HOUR_NS,
                                               .line = slg_text_of("x"),
                                               .waiter = &waiters[w].waiter };
            bool new_batch;

            assert_int_equal(slg_batcher_add(batcher, &entry, mono(), &new_batch), SLG_OK);
            expected[w] += new_batch;
        }
        assert_true(expected[w] >= 3);
    }
    assert_int_equal(slg_batcher_flush(batcher, mono() + SLG_NS_PER_SEC), 0);
    for (size_t w = 0; w < 100; w++) {
        WAIT_UNTIL(waiters[w].settled == expected[w]);
        assert_int_equal(waiters[w].accepted, expected[w]);
    }
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    slg_buf_fini(&s.canonical);
    /* The ledger was not kept here. */
    slg_forward_destroy(b.forward);
    fake_fini(&b.fake);
    slg_account_destroy(b.account);
    slg_metric_registry_destroy(b.registry);
    slg_map_unref(b.map);
}

/* H13: content refused under an id of ours begins a new incarnation; sequences start at 1 again. */
static struct fake_action refuse_third(void *ctx, uint64_t store_count)
{
    (void)ctx;
    if (store_count == 2)
        return (struct fake_action){ FAKE_ANSWER, SLG_STORE_CONTENT };
    return (struct fake_action){ FAKE_STORE, SLG_STORE_STORED };
}

static void test_H13_new_incarnation(void **state)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream s;
    struct slg_incarnation first;

    (void)state;
    bench_init(&b, "batcher-h13", true);
    b.fake.script = refuse_third;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, 4, 1000);
    first = *slg_batcher_incarnation(batcher);
    make_stream(&s, "a", 1);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(add(&b, batcher, &s, T0_NS, "x", cell), SLG_OK);
        assert_int_equal(slg_batcher_flush(batcher, mono() + SLG_NS_PER_SEC), 0);
        WAIT_UNTIL(bench_totals(&b).in_flight == 0);
    }
    assert_int_equal(bench_totals(&b).accepted, 5);
    assert_int_equal(bench_totals(&b).dropped_by[SLG_DROP_CONTENT], 1);
    assert_memory_not_equal(&first, slg_batcher_incarnation(batcher), sizeof(first));
    assert_int_equal(slg_metric_read(b.metrics, METRIC_ingester_incarnations_total, 0), 2);
    assert_int_equal(b.fake.batches[4].id.sequence, 3);
    fake_check_sequences(&b.fake);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    slg_buf_fini(&s.canonical);
    bench_fini(&b);
}

/* Entries of `count` shards, window after window. */
static void meet_shards(struct bench *b, struct slg_batcher *batcher, const struct stream *streams,
                        size_t slot_count, size_t count, struct slg_account_cell *cell)
{
    for (size_t i = 0; i < count; i++) {
        int64_t ts_ns = T0_NS + (int64_t)(i / slot_count) * HOUR_NS;

        assert_int_equal(slg_batcher_wait_room(batcher, mono() + 10 * SLG_NS_PER_SEC), SLG_OK);
        assert_int_equal(add(b, batcher, &streams[i % slot_count], ts_ns, "x", cell), SLG_OK);
    }
    assert_int_equal(slg_batcher_flush(batcher, mono() + 10 * SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(b).accepted == count);
}

static struct fake_action hold_all(void *ctx, uint64_t store_count)
{
    (void)ctx;
    (void)store_count;
    return (struct fake_action){ FAKE_LOSE_AFTER, SLG_STORE_STORED };
}

/* Stored, and answered at last. */
static void answer_held(struct fake_storer *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->script = NULL;
    for (size_t i = 0; i < fake->held_count; i++)
        fake_answer(fake, fake->held[i], SLG_STORE_STORED);
    fake->held_count = 0;
    pthread_mutex_unlock(&fake->lock);
}

/* A table that is full in the middle of a window, while no storer answers: a steady flow loses nothing, the new
 * incarnation begins beside batches of the old one that are on their way, each of the two is whole, and no shard counts
 * as new twice. */
static void test_full_table_loses_nothing(void **state)
{
    enum { SLOTS = 16, PLACES_LEFT = 8, COUNT = 400 };
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream streams[SLOTS];
    struct slg_incarnation first;
    const size_t met = SLG_BATCHER_SHARDS_MAX - PLACES_LEFT;
    uint64_t sum = met * slg_hash_xxh3("x", 1);

    (void)state;
    bench_init(&b, "batcher-full", true);
    slg_map_unref(b.map);
    bench_make_map(&b, HOUR_NS, SLOTS);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, /* timeout_ms= */ 60000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, SLG_BATCHER_BUILDERS_DEFAULT, (unsigned)met + SLOTS);
    first = *slg_batcher_incarnation(batcher);
    make_streams_by_slot(&b, streams, SLOTS);
    meet_shards(&b, batcher, streams, SLOTS, met, cell);
    assert_memory_equal(&first, slg_batcher_incarnation(batcher), sizeof(first));
    pthread_mutex_lock(&b.fake.lock);
    b.fake.script = hold_all;
    pthread_mutex_unlock(&b.fake.lock);
    for (int i = 0; i < COUNT; i++) {
        int64_t step = i < COUNT / 2 ? i % PLACES_LEFT : i % SLOTS;
        char line[32];

        (void)snprintf(line, sizeof(line), "line %d", i);
        sum += slg_hash_xxh3(line, strlen(line));
        assert_int_equal(add(&b, batcher, &streams[step], T0_NS + 300 * HOUR_NS + i, line, cell),
                         SLG_OK);
        slg_batcher_tick(batcher, mono(), /* drained= */ i == COUNT / 4);
        if (i == COUNT / 2 - 4) /* at the first shard too many some builders are open, others not */
            assert_int_equal(slg_batcher_flush(batcher, mono()), 0);
    }
    assert_memory_not_equal(&first, slg_batcher_incarnation(batcher), sizeof(first));
    assert_int_equal(slg_metric_read(b.metrics, METRIC_ingester_incarnations_total, 0), 2);
    answer_held(&b.fake);
    assert_int_equal(slg_batcher_flush(batcher, mono() + 10 * SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(&b).accepted == met + COUNT);
    assert_int_equal(bench_totals(&b).dropped, 0);
    assert_int_equal(FAKE_READ(&b.fake, entry_count), met + COUNT);
    assert_true(FAKE_READ(&b.fake, line_hash_sum) == sum);
    assert_int_equal(FAKE_READ(&b.fake, mistakes) + FAKE_READ(&b.fake, content_count), 0);
    fake_check_sequences(&b.fake);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    slg_batcher_destroy(batcher);
    for (size_t i = 0; i < SLOTS; i++)
        slg_buf_fini(&streams[i].canonical);
    bench_fini(&b);
}

static const struct few_lines_row {
    const char *name;
    uint16_t slots;
    unsigned lines;
} few_lines_rows[] = {
    { "one slot", 1, 2000 },
    { "two windows fill the default", 8, 2000 },
    { "more slots than the default", 17, 4000 },
    { "many slots", 64, 8000 },
    { "as many as the settings allow", 1024, 20000 },
};

/* Lines of every shard of two windows in turn, few of each, while no storer answers and there is room for 16 batches:
 * the limits that are the settings' defaults hold them all, for every number of slots. */
static void few_lines(const struct few_lines_row *row)
{
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream *streams = calloc(row->slots, sizeof(*streams));

    assert_non_null(streams);
    bench_init(&b, "batcher-slots", true);
    slg_map_unref(b.map);
    bench_make_map(&b, HOUR_NS, row->slots);
    b.fake.script = hold_all;
    bench_forward(&b, SLG_FORWARD_MEMORY_MIN, /* timeout_ms= */ 60000);
    cell = slg_account_cell(b.account);
    batcher = make_batcher(&b, SLG_BATCHER_BUILDERS_DEFAULT, SLG_BATCHER_NEW_SHARDS_DEFAULT);
    make_streams_by_slot(&b, streams, row->slots);
    for (unsigned i = 0; i < row->lines; i++) {
        unsigned shard = i % (2U * row->slots);

        CHECK(row->name, add(&b, batcher, &streams[shard / 2], T0_NS + shard % 2 * HOUR_NS + i,
                             "a line as short as many are", cell) == SLG_OK);
        slg_batcher_tick(batcher, mono(), /* drained= */ i % 2 == 0);
    }
    answer_held(&b.fake);
    CHECK(row->name, slg_batcher_flush(batcher, mono() + 60 * SLG_NS_PER_SEC) == 0);
    WAIT_UNTIL(bench_totals(&b).accepted == row->lines);
    CHECK(row->name, FAKE_READ(&b.fake, entry_count) == row->lines);
    CHECK(row->name, FAKE_READ(&b.fake, mistakes) == 0);
    fake_check_sequences(&b.fake);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_batcher_destroy(batcher);
    for (size_t i = 0; i < row->slots; i++)
        slg_buf_fini(&streams[i].canonical);
    free(streams);
    bench_fini(&b);
}

static void test_few_lines_of_many_shards_are_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(few_lines_rows); i++)
        few_lines(&few_lines_rows[i]);
}

struct expected {
    struct slg_shard_id shard;
    uint64_t entry_count;
};

static void expect(struct expected *expected, size_t *count, const struct slg_shard_id *shard)
{
    size_t i = 0;

    while (i < *count && slg_shard_id_compare(&expected[i].shard, shard) != 0)
        i++;
    if (i == *count)
        expected[(*count)++] = (struct expected){ .shard = *shard };
    expected[i].entry_count++;
}

static uint64_t arrived_in(const struct fake_storer *fake, const struct slg_shard_id *shard)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < fake->batch_count; i++)
        if (slg_shard_id_compare(&fake->batches[i].id.shard, shard) == 0)
            sum += fake->batches[i].entry_count;
    return sum;
}

/* What the batcher remembers of slots and windows never differs from the map, a new map included.
 * Oracle: slg_map_shard_of for every entry. */
static void test_each_entry_goes_to_its_shard_by_the_map(void **state)
{
    static struct expected expected[512];
    size_t expected_count = 0;
    struct bench b;
    struct slg_batcher *batcher;
    struct slg_account_cell *cell;
    struct stream streams[40];
    enum { COUNT = 6000, CHANGE_AT = 3010 };

    (void)state;
    bench_init(&b, "batcher-map", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    slg_map_unref(b.map);
    bench_make_map(&b, HOUR_NS, 16);
    batcher = make_batcher(&b, 8, 1000);
    for (size_t i = 0; i < SLG_ARRAY_LEN(streams); i++) {
        char app[16];

        (void)snprintf(app, sizeof(app), "app-%zu", i);
        make_stream(&streams[i], app, i % 2 == 0 ? i + 1 : i * 512 + 1); /* some share a place */
    }
    for (int i = 0; i < COUNT; i++) {
        const struct stream *s = &streams[(size_t)i % SLG_ARRAY_LEN(streams)];
        int64_t ts_ns = T0_NS + (i % 7 == 0 ? -1 : i) + i % 3 * HOUR_NS / 2;
        struct slg_shard_id shard;

        if (i == CHANGE_AT) {
            slg_map_unref(b.map);
            bench_make_map(&b, HOUR_NS / 2, 5);
            slg_batcher_set_map(batcher, b.map);
        }
        shard = slg_map_shard_of(b.map, ts_ns, &s->ref.id);
        expect(expected, &expected_count, &shard);
        while (slg_batcher_wait_room(batcher, mono() + SLG_NS_PER_SEC) != SLG_OK) {
        }
        assert_int_equal(add(&b, batcher, s, ts_ns, "x", cell), SLG_OK);
    }
    assert_int_equal(slg_batcher_flush(batcher, mono() + SLG_NS_PER_SEC), 0);
    WAIT_UNTIL(bench_totals(&b).accepted == COUNT);
    for (size_t i = 0; i < expected_count; i++)
        assert_int_equal(arrived_in(&b.fake, &expected[i].shard), expected[i].entry_count);
    assert_int_equal(FAKE_READ(&b.fake, entry_count), COUNT);
    assert_int_equal(FAKE_READ(&b.fake, mistakes), 0);
    assert_int_equal(bench_stop(&b, SLG_NS_PER_SEC), 0);
    slg_batcher_destroy(batcher);
    for (size_t i = 0; i < SLG_ARRAY_LEN(streams); i++)
        slg_buf_fini(&streams[i].canonical);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_entry_arrives_once),
        cmocka_unit_test(test_idle_seals_at_once_and_busy_waits),
        cmocka_unit_test(test_new_shards_are_bounded),
        cmocka_unit_test(test_memory_is_bounded_and_comes_back),
        cmocka_unit_test(test_waiters_hear_of_each_batch_once),
        cmocka_unit_test(test_H13_new_incarnation),
        cmocka_unit_test(test_full_table_loses_nothing),
        cmocka_unit_test(test_few_lines_of_many_shards_are_kept),
        cmocka_unit_test(test_each_entry_goes_to_its_shard_by_the_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
