/* A scan gives exactly the wanted entries of S, each once, in total order of the direction, whatever the order of
 * arrival, the slots, the overlaps, the pages and the memory; and an error when S is not there whole.
 * Oracle: all entries in one array, sorted by (ts, batch id, position), equal pushes dropped, filtered by hand. */
#include "tests/helper/storer.h"

#include "logql/plan/page.h"
#include "storer/scan.h"

#define SLOT_COUNT   2
#define WINDOW_COUNT 3
#define APP_COUNT    6
#define ENTRIES_MAX  4000
#define BATCHES_MAX  400

static const char *const apps[APP_COUNT] = { "a", "b", "c", "d", "e", "f" };

/* One entry as it was stored. */
struct record {
    int64_t ts_ns;
    struct slg_batch_id batch;
    uint32_t position;
    size_t app;
    char line[32];
    enum slg_entry_kind kind;
    const char *metadata;
    bool in_set;
    bool known; /* of a batch that the query knows already */
    bool duplicate;
};

struct fixture {
    char *directory;
    struct slg_catalogue *catalogue;
    struct slg_arena *arena; /* of one query */
    struct record *records;
    size_t record_count;
    struct slg_batch_id *batches;
    size_t batch_count;
    uint64_t random;
};

static uint64_t next_random(struct fixture *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

static size_t below(struct fixture *f, size_t n)
{
    return (size_t)(next_random(f) % n);
}

static struct slg_shard_id shard_of(size_t window, size_t slot)
{
    struct slg_shard_id shard = test_shard((int64_t)window);

    shard.slot = (uint16_t)slot;
    shard.slot_count = SLOT_COUNT;
    return shard;
}

static struct slg_stream_id stream_id_of(size_t app)
{
    struct slg_label label = { slg_text_of("app"), slg_text_of(apps[app]) };
    struct slg_label_set set = { &label, 1 };
    struct slg_stream_id id;
    struct slg_buf canonical;

    slg_buf_init(&canonical, 256);
    slg_label_encode(&canonical, &set);
    id = slg_stream_id_of(slg_text_of("fake"), canonical.data, canonical.len);
    slg_buf_fini(&canonical);
    return id;
}

static void set_up(struct fixture *f, uint64_t seed)
{
    struct slg_catalogue_options options = { .map_bytes = 64 << 20, .open_count_max = 3 };

    memset(f, 0, sizeof(*f));
    f->random = seed;
    f->directory = test_make_directory();
    f->arena = slg_arena_create(64 << 20);
    f->records = calloc(ENTRIES_MAX, sizeof(*f->records));
    f->batches = calloc(BATCHES_MAX, sizeof(*f->batches));
    assert_non_null(f->records);
    assert_non_null(f->batches);
    options.data_dir = f->directory;
    assert_int_equal(slg_catalogue_create(&options, &f->catalogue, NULL), SLG_OK);
}

static void tear_down(struct fixture *f)
{
    slg_catalogue_destroy(f->catalogue);
    slg_arena_destroy(f->arena);
    free(f->records);
    free(f->batches);
    test_drop_directory(f->directory);
}

static void store(struct fixture *f, const struct slg_buf *batch)
{
    struct slg_batch_header header;
    struct slg_shard_write *write;
    struct slg_shard *shard;
    enum slg_shard_put put;

    slg_arena_reset(f->arena);
    assert_int_equal(slg_batch_read_header(f->arena, batch->data, batch->len, &header), SLG_OK);
    assert_int_equal(slg_catalogue_pin(f->catalogue, &header.id.shard, true, &shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_begin(shard, &write, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_put(write, &header, batch->data, batch->len, &put), SLG_OK);
    assert_int_equal(put, SLG_SHARD_PUT_NEW);
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_catalogue_unpin(f->catalogue, shard);
}

/* Store entries[0..count) as the next batch and remember them. */
static void add_batch(struct fixture *f, const struct slg_shard_id *shard, uint8_t incarnation,
                      uint64_t sequence, const struct test_entry *entries, const size_t *entry_apps,
                      size_t count)
{
    struct slg_batch_id id = { .incarnation = test_incarnation(incarnation),
                               .shard = *shard,
                               .sequence = sequence };
    struct slg_buf batch;

    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_batch(&batch, shard, incarnation, sequence, entries, count);
    store(f, &batch);
    slg_buf_fini(&batch);
    f->batches[f->batch_count++] = id;
    for (size_t i = 0; i < count; i++) {
        struct record *record = &f->records[f->record_count++];

        *record = (struct record){ .ts_ns = shard->window_ns + entries[i].offset_ns,
                                   .batch = id,
                                   .position = (uint32_t)i,
                                   .app = entry_apps[i],
                                   .kind = entries[i].kind,
                                   .metadata = entries[i].metadata };
        (void)snprintf(record->line, sizeof(record->line), "%s", entries[i].line);
    }
}

/* Batches of 1 to 20 entries, few different stamps and lines, in any window, so that everything collides. */
static void fill(struct fixture *f, size_t batch_count, bool pushes)
{
    static const char *const lines[] = { "needle", "hay", "hay needle hay", "need", "le", "" };
    static const char *const metadata[] = { NULL, "1", "2" };
    uint64_t sequences[4][WINDOW_COUNT][SLOT_COUNT] = { { { 0 } } };

    for (size_t b = 0; b < batch_count; b++) {
        struct slg_shard_id shard = shard_of(below(f, WINDOW_COUNT), below(f, SLOT_COUNT));
        size_t window = (size_t)((shard.window_ns - TEST_WINDOW_NS) / TEST_HOUR_NS);
        uint8_t incarnation = (uint8_t)(1 + below(f, 3));
        size_t wanted = 1 + below(f, 20);
        struct test_entry entries[20];
        size_t entry_apps[20];
        size_t count = 0;

        while (count < wanted) {
            size_t app = below(f, APP_COUNT);
            struct slg_stream_id id = stream_id_of(app);

            if (slg_stream_slot(&id, SLOT_COUNT) != shard.slot) {
                wanted -= wanted > 1 && below(f, 8) == 0; /* a slot may have no app at all */
                if (below(f, 200) == 0)
                    break;
                continue;
            }
            entry_apps[count] = app;
            entries[count++] = (struct test_entry){
                .offset_ns = (int64_t)below(f, 12) * (TEST_HOUR_NS / 12) + (int64_t)below(f, 2),
                .app = apps[app],
                .line = lines[below(f, SLG_ARRAY_LEN(lines))],
                .kind = pushes && below(f, 2) == 0 ? SLG_ENTRY_PUSH : SLG_ENTRY_SYSLOG,
                .metadata = metadata[below(f, SLG_ARRAY_LEN(metadata))],
            };
        }
        if (count > 0)
            add_batch(f, &shard, incarnation, ++sequences[incarnation][window][shard.slot], entries,
                      entry_apps, count);
    }
}

static int compare_records(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int order = (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);

    if (order == 0)
        order = slg_batch_id_compare(&x->batch, &y->batch);
    return order != 0 ? order : (x->position > y->position) - (x->position < y->position);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool equal_pushes(const struct record *a, const struct record *b)
{
    return a->ts_ns == b->ts_ns && a->kind == SLG_ENTRY_PUSH && b->kind == SLG_ENTRY_PUSH &&
           a->app == b->app && strcmp(a->line, b->line) == 0 && same_text(a->metadata, b->metadata);
}

static bool is_known(const struct fixture *f, const struct record *record)
{
    for (size_t i = 0; i < f->record_count; i++)
        if (f->records[i].known && equal_pushes(&f->records[i], record))
            return true;
    return false;
}

/* Total order, duplicates marked, those outside of S left out. */
static void prepare_oracle(struct fixture *f)
{
    qsort(f->records, f->record_count, sizeof(*f->records), compare_records);
    for (size_t i = 0; i < f->record_count; i++) {
        struct record *record = &f->records[i];

        record->duplicate = is_known(f, record);
        for (size_t k = i; k > 0 && f->records[k - 1].ts_ns == record->ts_ns; k--) {
            const struct record *before = &f->records[k - 1];

            if (before->in_set && equal_pushes(before, record))
                record->duplicate = true;
        }
    }
}

static struct slg_text encode_set(struct fixture *f, const struct slg_batch_set *set)
{
    struct slg_buf bytes;
    struct slg_text text;

    slg_buf_init(&bytes, 1 << 20);
    slg_batch_set_encode(&bytes, set);
    text = slg_text_make(slg_arena_copy(f->arena, bytes.data, bytes.len), bytes.len);
    slg_buf_fini(&bytes);
    return text;
}

static void mark_records(struct fixture *f, const struct slg_batch_id *id, bool in_set)
{
    for (size_t i = 0; i < f->record_count; i++) {
        if (slg_batch_id_compare(&f->records[i].batch, id) != 0)
            continue;
        f->records[i].in_set = in_set;
        f->records[i].known = !in_set;
    }
}

/* Choose S, and put it into the query. Unless it is everything, some of the others are known. */
static void choose_set(struct fixture *f, struct slg_rpc_query *query, bool everything)
{
    struct slg_rpc_shard_set *shards =
        slg_arena_calloc(f->arena, WINDOW_COUNT * SLOT_COUNT, sizeof(*shards));
    size_t count = 0;

    assert_non_null(shards);
    for (size_t i = 0; i < f->record_count; i++)
        f->records[i].in_set = f->records[i].known = false;
    for (size_t s = 0; s < WINDOW_COUNT * SLOT_COUNT; s++) {
        struct slg_shard_id shard = shard_of(s / SLOT_COUNT, s % SLOT_COUNT);
        struct slg_batch_set *set = slg_batch_set_create(), *known = slg_batch_set_create();

        for (size_t b = 0; b < f->batch_count; b++) {
            const struct slg_batch_id *id = &f->batches[b];
            size_t chance = everything ? 1 : below(f, 8); /* 0: neither, 1 to 5: of S */

            if (slg_shard_id_compare(&id->shard, &shard) != 0 || chance == 0)
                continue;
            assert_int_equal(
                slg_batch_set_add(chance <= 5 ? set : known, &id->incarnation, id->sequence),
                SLG_OK);
            mark_records(f, id, chance <= 5);
        }
        if (slg_batch_set_count(set) > 0)
            shards[count++] = (struct slg_rpc_shard_set){ .shard = shard,
                                                          .set = encode_set(f, set),
                                                          .known = encode_set(f, known) };
        slg_batch_set_destroy(set);
        slg_batch_set_destroy(known);
    }
    query->shards = shards;
    query->shard_count = count;
    prepare_oracle(f);
}

static struct slg_rpc_query make_query(enum slg_leaf_kind kind, const char *text)
{
    return (struct slg_rpc_query){ .tenant = slg_text_of("fake"),
                                   .leaf = { .kind = kind,
                                             .text = slg_text_of(text),
                                             .start_ns = TEST_WINDOW_NS,
                                             .end_ns = TEST_WINDOW_NS + WINDOW_COUNT * TEST_HOUR_NS,
                                             .direction = SLG_FORWARD,
                                             .memory_bytes_max = 64 << 20,
                                             .series_max = 1000,
                                             .bytes_scan_max = UINT64_MAX,
                                             .deadline_ms = 60000 } };
}

static struct slg_scan_options options_of(struct fixture *f, const struct slg_rpc_query *query,
                                          const atomic_bool *canceled)
{
    return (struct slg_scan_options){ .catalogue = f->catalogue,
                                      .query = query,
                                      .deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) +
                                                          60 * SLG_NS_PER_SEC,
                                      .view_bytes_max = 16 << 20,
                                      .canceled = canceled };
}

/* The record that comes next after *index in the direction and is wanted; false at the end. */
struct wish {
    int64_t from_ns, to_ns;
    size_t app; /* APP_COUNT: any */
    const char *needle;
    enum slg_direction direction;
};

static const struct record *next_wanted(const struct fixture *f, const struct wish *wish,
                                        size_t *index)
{
    while (*index < f->record_count) {
        size_t at = (*index)++;
        const struct record *record =
            &f->records[wish->direction == SLG_FORWARD ? at : f->record_count - 1 - at];

        if (record->in_set && !record->duplicate && record->ts_ns >= wish->from_ns &&
            record->ts_ns < wish->to_ns && (wish->app == APP_COUNT || wish->app == record->app) &&
            (wish->needle == NULL || strstr(record->line, wish->needle) != NULL))
            return record;
    }
    return NULL;
}

/* Rows of one time come by the hash of their stream, ascending in both directions (docs/adr/0008); within a stream in
 * the order of the scan. */
static uint64_t hash_of(const struct record *record)
{
    struct slg_label label = { slg_text_of("app"), slg_text_of(apps[record->app]) };
    struct slg_label_set set = { &label, 1 };

    return slg_origin_hash(&set);
}

static const struct record **expect_rows(const struct fixture *f, const struct wish *wish,
                                         size_t *ret_count)
{
    const struct record **rows = calloc(f->record_count + 1, sizeof(struct record *));
    const struct record *record;
    size_t index = 0, count = 0;

    assert_non_null(rows);
    while ((record = next_wanted(f, wish, &index)) != NULL) {
        size_t at = count++;

        for (; at > 0 && rows[at - 1]->ts_ns == record->ts_ns &&
               hash_of(rows[at - 1]) > hash_of(record);
             at--)
            rows[at] = rows[at - 1];
        rows[at] = record;
    }
    *ret_count = count;
    return rows;
}

static void check_row(const struct slg_row *row, const struct record *want)
{
    assert_non_null(want);
    assert_int_equal(row->ts_ns, want->ts_ns);
    assert_int_equal(slg_batch_id_compare(row->batch, &want->batch), 0);
    assert_int_equal(row->position, want->position);
    assert_true(slg_text_equal_to(row->line, want->line));
    assert_int_equal(row->stream.count, 1);
    assert_true(slg_text_equal_to(row->stream.items[0].value, apps[want->app]));
}

/* Run a LOG scan to its end and compare every row. */
static void check_log(struct fixture *f, const struct slg_rpc_query *query, const struct wish *wish,
                      size_t view_bytes_max)
{
    struct slg_arena *pages = slg_arena_create(64 << 20);
    atomic_bool canceled = false;
    struct slg_scan_options options = options_of(f, query, &canceled);
    struct slg_scan_stats stats = { .lines_kept = 0 };
    struct slg_error err = { .message = "" };
    const struct record **want;
    size_t want_count, rows = 0;
    struct slg_scan *scan;
    bool more = true;

    want = expect_rows(f, wish, &want_count);
    if (query->leaf.limit != 0 && want_count > query->leaf.limit)
        want_count = (size_t)query->leaf.limit;
    options.view_bytes_max = view_bytes_max;
    assert_int_equal(slg_scan_create(&options, &scan, &err), SLG_OK);
    while (more) {
        struct slg_page page;
        struct slg_buf body;
        enum slg_status status;

        slg_buf_init(&body, SLG_MESSAGE_BYTES_MAX);
        do
            status = slg_scan_step(scan, below(f, 3) == 0 ? 0 : SLG_NS_PER_SEC, &body, &more,
                                   &stats, &err);
        while (status == SLG_AGAIN);
        if (status != SLG_OK)
            print_error("%s\n", err.message);
        assert_int_equal(status, SLG_OK);
        slg_arena_reset(pages);
        assert_int_equal(slg_page_decode(pages, body.data, body.len, &page, &err), SLG_OK);
        for (size_t i = 0; i < page.row_count; i++, rows++) {
            assert_true(rows < want_count);
            check_row(&page.rows[i], want[rows]);
        }
        slg_buf_fini(&body);
    }
    assert_int_equal(rows, want_count);
    free(want);
    slg_scan_destroy(scan);
    slg_arena_destroy(pages);
}

static void test_any_order_and_overlap(void **state)
{
    static const struct text_case {
        const char *text;
        size_t app;
        const char *needle;
    } texts[] = {
        { "{app=~\".+\"}", APP_COUNT, NULL },
        { "{app=\"b\"}", 1, NULL },
        { "{app=~\".+\"} |= \"needle\"", APP_COUNT, "needle" },
        { "{app=\"nobody\"}", APP_COUNT + 1, NULL },
    };
    static const size_t view_bytes[] = { 1, 100000, 16 << 20 };

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct fixture f;

        set_up(&f, seed * 7919);
        fill(&f, 10 + seed * 10, /* pushes= */ seed % 3 != 0);
        for (size_t round = 0; round < 24; round++) {
            const struct text_case *text = &texts[round % SLG_ARRAY_LEN(texts)];
            struct slg_rpc_query query = make_query(SLG_LEAF_LOG, text->text);
            struct wish wish = { .app = text->app, .needle = text->needle };

            slg_arena_reset(f.arena);
            choose_set(&f, &query, round < 8);
            query.leaf.direction = round / 4 % 2 == 0 ? SLG_FORWARD : SLG_BACKWARD;
            query.leaf.start_ns += (int64_t)below(&f, 5) * TEST_HOUR_NS / 2;
            query.leaf.end_ns -= (int64_t)below(&f, 2) * TEST_HOUR_NS / 12;
            if (query.leaf.end_ns <= query.leaf.start_ns)
                continue;
            query.leaf.limit = round % 5 == 4 ? 1 + below(&f, 30) : 0;
            wish.direction = query.leaf.direction;
            wish.from_ns = query.leaf.start_ns;
            wish.to_ns = query.leaf.end_ns;
            if (round % 6 == 5 && f.record_count > 0) { /* a part of it, between two entries */
                query.cut_from_ns = f.records[below(&f, f.record_count)].ts_ns;
                query.cut_to_ns = f.records[below(&f, f.record_count)].ts_ns;
                wish.from_ns = wish.from_ns > query.cut_from_ns ? wish.from_ns : query.cut_from_ns;
                wish.to_ns = wish.to_ns < query.cut_to_ns ? wish.to_ns : query.cut_to_ns;
            }
            check_log(&f, &query, &wish, view_bytes[round % 3]);
        }
        tear_down(&f);
    }
}

/* Counting needs no order; push duplicates are dropped all the same. */
static void test_counts_without_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct slg_rpc_query query =
            make_query(SLG_LEAF_PARTIAL, "count_over_time({app=~\".+\"}[3h])");
        struct wish wish = { .app = APP_COUNT,
                             .from_ns = TEST_WINDOW_NS + 1,
                             .to_ns = TEST_WINDOW_NS + 3 * TEST_HOUR_NS + 1 };
        atomic_bool canceled = false;
        struct slg_scan_stats stats = { .lines_kept = 0 };
        struct slg_scan_options options;
        struct slg_error err;
        struct slg_scan *scan;
        struct slg_page page;
        struct slg_buf body;
        struct fixture f;
        double want = 0, got = 0;
        size_t index = 0;
        enum slg_status status;
        bool more;

        set_up(&f, seed * 104729);
        fill(&f, 60, /* pushes= */ seed % 2 == 0);
        slg_arena_reset(f.arena);
        choose_set(&f, &query, /* everything= */ false);
        query.leaf.start_ns = query.leaf.end_ns;
        options = options_of(&f, &query, &canceled);
        assert_int_equal(slg_scan_create(&options, &scan, &err), SLG_OK);
        slg_buf_init(&body, SLG_MESSAGE_BYTES_MAX);
        do
            status = slg_scan_step(scan, 0, &body, &more, &stats, &err);
        while (status == SLG_AGAIN);
        assert_int_equal(status, SLG_OK);
        assert_false(more);
        assert_int_equal(slg_page_decode(f.arena, body.data, body.len, &page, &err), SLG_OK);
        for (size_t s = 0; s < page.series_count; s++)
            for (size_t i = 0; i < page.series[s].count; i++)
                got += page.series[s].partials[i].a;
        while (next_wanted(&f, &wish, &index) != NULL)
            want += 1;
        assert_true(got > want - 0.5 && got < want + 0.5);
        assert_true(want > 0);
        slg_scan_destroy(scan);
        slg_buf_fini(&body);
        tear_down(&f);
    }
}

/* What cannot be answered is an error, never less than was asked for. */
static const struct fail_case {
    const char *name;
    const char *text;
    bool missing_batch;
    bool missing_shard;
    bool twice;
    bool canceled;
    bool late;
    uint64_t bytes_scan_max;
    enum slg_status want;
} failures[] = {
    { "sound", "{app=~\".+\"}", .bytes_scan_max = UINT64_MAX, .want = SLG_OK },
    { "a batch of S is not held", "{app=~\".+\"}", .missing_batch = true,
      .bytes_scan_max = UINT64_MAX, .want = SLG_UNAVAILABLE },
    { "a shard of S is not held", "{app=~\".+\"}", .missing_shard = true,
      .bytes_scan_max = UINT64_MAX, .want = SLG_UNAVAILABLE },
    { "a shard twice", "{app=~\".+\"}", .twice = true, .bytes_scan_max = UINT64_MAX,
      .want = SLG_MALFORMED },
    { "canceled", "{app=~\".+\"}", .canceled = true, .bytes_scan_max = UINT64_MAX,
      .want = SLG_CANCELED },
    { "past its deadline", "{app=~\".+\"}", .late = true, .bytes_scan_max = UINT64_MAX,
      .want = SLG_TIMEOUT },
    { "more bytes than allowed", "{app=~\".+\"}", .bytes_scan_max = 10, .want = SLG_LIMIT },
    { "no LogQL", "{app=", .bytes_scan_max = UINT64_MAX, .want = SLG_INVALID },
};

static enum slg_status run_failing(struct fixture *f, const struct fail_case *row,
                                   struct slg_rpc_query *query, struct slg_error *reterr)
{
    atomic_bool canceled = row->canceled;
    struct slg_scan_options options = options_of(f, query, &canceled);
    struct slg_scan_stats stats = { .lines_kept = 0 };
    struct slg_scan *scan;
    struct slg_buf body;
    enum slg_status status;
    bool more = false;

    if (row->late)
        options.deadline_mono_ns = slg_clock_mono_ns(slg_clock_system()) - 1;
    status = slg_scan_create(&options, &scan, reterr);
    if (status != SLG_OK)
        return status;
    slg_buf_init(&body, SLG_MESSAGE_BYTES_MAX);
    do
        status = slg_scan_step(scan, SLG_NS_PER_SEC, &body, &more, &stats, reterr);
    while (status == SLG_AGAIN || (status == SLG_OK && more));
    slg_buf_fini(&body);
    slg_scan_destroy(scan);
    return status;
}

static void test_failures_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(failures); i++) {
        const struct fail_case *row = &failures[i];
        struct slg_rpc_query query = make_query(SLG_LEAF_LOG, row->text);
        struct slg_rpc_shard_set *shards;
        struct slg_error err = { .message = "" };
        struct fixture f;

        set_up(&f, 4711);
        fill(&f, 40, true);
        if (row->missing_batch) {
            f.batches[f.batch_count] = f.batches[0];
            f.batches[f.batch_count++].sequence = 999;
        }
        slg_arena_reset(f.arena);
        choose_set(&f, &query, true);
        query.leaf.bytes_scan_max = row->bytes_scan_max;
        shards = slg_arena_calloc(f.arena, query.shard_count + 1, sizeof(*shards));
        memcpy(shards, query.shards, query.shard_count * sizeof(*shards));
        shards[query.shard_count] = shards[0];
        if (row->missing_shard) /* in the range, but nobody wrote it */
            shards[query.shard_count].shard.slot_count = 7;
        query.shards = shards;
        query.shard_count += row->missing_shard || row->twice;
        CHECK(row->name, run_failing(&f, row, &query, &err) == row->want);
        CHECK(row->name, (err.message[0] != '\0') == (row->want != SLG_OK));
        tear_down(&f);
    }
}

/* H9, H17: of equal pushes the first in total order stays, in both directions; equal syslog lines all stay. */
static void test_h9_duplicates(void **state)
{
    const struct test_entry first[] = {
        { 5, "a", "same", SLG_ENTRY_PUSH, NULL },   { 5, "a", "x", SLG_ENTRY_PUSH, NULL },
        { 5, "a", "same", SLG_ENTRY_PUSH, NULL },   { 5, "a", "same", SLG_ENTRY_PUSH, "1" },
        { 5, "a", "same", SLG_ENTRY_SYSLOG, NULL }, { 5, "a", "same", SLG_ENTRY_SYSLOG, NULL },
    };
    const struct test_entry second[] = { { 5, "a", "same", SLG_ENTRY_PUSH, NULL },
                                         { 6, "a", "same", SLG_ENTRY_PUSH, NULL } };
    const size_t zero[6] = { 0 };
    struct slg_stream_id id = stream_id_of(0);
    struct slg_shard_id shard = shard_of(0, slg_stream_slot(&id, SLOT_COUNT));

    (void)state;
    for (int direction = 0; direction < 2; direction++) {
        struct slg_rpc_query query = make_query(SLG_LEAF_LOG, "{app=\"a\"}");
        struct wish wish = { .app = 0,
                             .from_ns = query.leaf.start_ns,
                             .to_ns = query.leaf.end_ns,
                             .direction = (enum slg_direction)direction };
        struct fixture f;
        size_t index = 0, count = 0;

        set_up(&f, 1);
        add_batch(&f, &shard, 2, 1, second, zero, 2); /* arrives first, sorts last */
        add_batch(&f, &shard, 1, 1, first, zero, 6);
        slg_arena_reset(f.arena);
        choose_set(&f, &query, true);
        query.leaf.direction = wish.direction;
        while (next_wanted(&f, &wish, &index) != NULL)
            count++;
        assert_int_equal(count, 6);
        check_log(&f, &query, &wish, 1);
        tear_down(&f);
    }
}

/* A resend of what a tail has shown: told of the first batch, the storer shows only what is new. A batch that it is
 * told of and does not hold does not matter. */
static void test_h9_known(void **state)
{
    const struct test_entry first[] = { { 5, "a", "same", SLG_ENTRY_PUSH, NULL },
                                        { 5, "a", "line", SLG_ENTRY_SYSLOG, NULL } };
    const struct test_entry second[] = { { 5, "a", "same", SLG_ENTRY_PUSH, NULL },
                                         { 5, "a", "same", SLG_ENTRY_PUSH, "1" },
                                         { 5, "a", "line", SLG_ENTRY_SYSLOG, NULL },
                                         { 6, "a", "new", SLG_ENTRY_PUSH, NULL } };
    const size_t zero[4] = { 0 };
    struct slg_stream_id id = stream_id_of(0);
    struct slg_shard_id shard = shard_of(0, slg_stream_slot(&id, SLOT_COUNT));
    struct slg_incarnation who = test_incarnation(1), other = test_incarnation(2);

    (void)state;
    for (int direction = 0; direction < 2; direction++) {
        struct slg_rpc_query query = make_query(SLG_LEAF_LOG, "{app=\"a\"}");
        struct wish wish = { .app = 0,
                             .from_ns = query.leaf.start_ns,
                             .to_ns = query.leaf.end_ns,
                             .direction = (enum slg_direction)direction };
        struct slg_batch_set *set = slg_batch_set_create(), *known = slg_batch_set_create();
        struct slg_rpc_shard_set row = { .shard = shard };
        struct fixture f;
        size_t index = 0, count = 0;

        set_up(&f, 1);
        add_batch(&f, &shard, 1, 1, first, zero, 2);
        add_batch(&f, &shard, 1, 2, second, zero, 4);
        slg_arena_reset(f.arena);
        assert_int_equal(slg_batch_set_add(set, &who, 2), SLG_OK);
        assert_int_equal(slg_batch_set_add(known, &who, 1), SLG_OK);
        assert_int_equal(slg_batch_set_add(known, &other, 77), SLG_OK);
        mark_records(&f, &f.batches[0], /* in_set= */ false);
        mark_records(&f, &f.batches[1], /* in_set= */ true);
        row.set = encode_set(&f, set);
        row.known = encode_set(&f, known);
        query.shards = &row;
        query.shard_count = 1;
        query.leaf.direction = wish.direction;
        prepare_oracle(&f);
        while (next_wanted(&f, &wish, &index) != NULL)
            count++;
        assert_int_equal(count, 3);
        check_log(&f, &query, &wish, 1);
        slg_batch_set_destroy(set);
        slg_batch_set_destroy(known);
        tear_down(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_and_overlap),
        cmocka_unit_test(test_counts_without_order),
        cmocka_unit_test(test_failures_are_told),
        cmocka_unit_test(test_h9_duplicates),
        cmocka_unit_test(test_h9_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
