/* The scrub finds what is damaged, puts aside as little as it can, and goes on where it stood. Covers: storer/scrub.c
 * Oracle: which shards were damaged; what the catalogue says of each afterwards; the sets that were stored. */
#include "tests/helper/storer.h"
#include "tests/helper/wait.h"

#include <poll.h>
#include <stdatomic.h>

#include "storer/catalogue_damage.h"
#include "storer/quarantine.h"
#include "storer/scrub.h"

#define SHARD_COUNT 6
#define BATCH_COUNT 12

struct fixture {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_metric_table *metrics;
    struct slg_catalogue *catalogue;
    struct slg_scrub *scrub;
    atomic_int found;
};

static void open_catalogue(struct fixture *f)
{
    const struct slg_catalogue_options options = { .data_dir = f->directory,
                                                   .map_bytes = 16 << 20,
                                                   .open_count_max = 4 };

    assert_int_equal(slg_catalogue_create(&options, &f->catalogue, NULL), SLG_OK);
}

static void store_all(struct fixture *f, const struct slg_shard_id *id)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_shard_write *write;
    struct slg_shard *shard;
    static char line[8000];

    assert_int_equal(slg_catalogue_pin(f->catalogue, id, true, &shard, NULL), SLG_OK);
    assert_int_equal(slg_shard_write_begin(shard, &write, NULL), SLG_OK);
    for (uint64_t n = 1; n <= BATCH_COUNT; n++) {
        struct slg_batch_header header;
        enum slg_shard_put put;
        struct slg_buf batch;

        for (size_t i = 0; i + 1 < sizeof(line); i++)
            line[i] = (char)('!' + (i * i * 31 + i * 7 + n * 13) % 89);
        slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
        test_encode_line(&batch, id, 1, n, line);
        assert_int_equal(slg_batch_read_header(arena, batch.data, batch.len, &header), SLG_OK);
        assert_int_equal(slg_shard_write_put(write, &header, batch.data, batch.len, &put), SLG_OK);
        slg_buf_fini(&batch);
        slg_arena_reset(arena);
    }
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_catalogue_unpin(f->catalogue, shard);
    slg_arena_destroy(arena);
}

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->directory = test_make_directory();
    f->registry = slg_metric_registry_create();
    f->metrics = slg_storer_metrics_register(f->registry);
    assert_non_null(f->metrics);
    open_catalogue(f);
    for (int64_t i = 0; i < SHARD_COUNT; i++) {
        struct slg_shard_id id = test_shard(i);

        store_all(f, &id);
    }
    slg_catalogue_destroy(f->catalogue);
    f->catalogue = NULL;
}

static void tear_down(struct fixture *f)
{
    slg_scrub_stop(f->scrub);
    slg_catalogue_destroy(f->catalogue);
    slg_metric_registry_destroy(f->registry);
    test_drop_directory(f->directory);
}

static void on_found(void *ctx)
{
    struct fixture *f = ctx;

    (void)atomic_fetch_add(&f->found, 1);
}

static void start(struct fixture *f, bool passes, int64_t interval_ns, uint64_t rate)
{
    const struct slg_scrub_options options = { .catalogue = f->catalogue,
                                               .data_dir = f->directory,
                                               .clock = slg_clock_system(),
                                               .metrics = f->metrics,
                                               .passes = passes,
                                               .interval_ns = interval_ns,
                                               .bytes_per_second = rate,
                                               .found = on_found,
                                               .found_ctx = f };

    assert_int_equal(slg_scrub_start(&options, &f->scrub, NULL), SLG_OK);
}

static void stop(struct fixture *f)
{
    slg_scrub_stop(f->scrub);
    f->scrub = NULL;
}

/* Alter 8 bytes of a shard's file: in the n-th batch, or in the pages of tables. */
static void damage(struct fixture *f, int64_t shard_index, const char *what)
{
    struct slg_shard_id id = test_shard(shard_index);
    char shards[1024], shard[1024], path[1024];
    static uint8_t bytes[4 << 20];
    size_t len, at = SIZE_MAX;
    ssize_t n;
    int fd;

    test_join(shards, f->directory, "shards");
    test_join(shard, shards, slg_shard_name_of(&id).text);
    test_join(path, shard, "g0000000001.lmdb");
    fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    n = read(fd, bytes, sizeof(bytes));
    assert_true(n > 8192);
    len = (size_t)n;
    if (strcmp(what, "batch") == 0) {
        at = (size_t)((const uint8_t *)memmem(bytes, len, "\xdc\x00\x15\xc4\x04SLGB", 9) - bytes) +
             200;
    } else { /* a summary: it holds the incarnation, 24 times 01, behind its version */
        static const uint8_t head[] = { 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

        at = (size_t)((const uint8_t *)memmem(bytes, len, head, sizeof(head)) - bytes) + 30;
    }
    assert_true(at + 8 < len);
    assert_int_equal(pwrite(fd, "\xa5\x5a\xa5\x5a\xa5\x5a\xa5\x5a", 8, (off_t)at), 8);
    (void)close(fd);
}

static struct slg_shard_totals totals_of(struct fixture *f, int64_t shard_index)
{
    struct slg_shard_id id = test_shard(shard_index);
    struct slg_shard_totals totals;

    assert_int_equal(slg_catalogue_totals(f->catalogue, &id, &totals, NULL, NULL), SLG_OK);
    return totals;
}

static struct slg_scrub_progress progress_of(struct fixture *f)
{
    struct slg_scrub_progress progress;

    slg_scrub_progress(f->scrub, &progress);
    return progress;
}

static void check_damage(struct fixture *f)
{
    for (int64_t i = 0; i < SHARD_COUNT; i++) {
        struct slg_shard_totals totals = totals_of(f, i);

        assert_int_equal(totals.doubt, i == 1   ? SLG_SHARD_DOUBT_ASIDE
                                       : i == 3 ? SLG_SHARD_DOUBT_REFILLING
                                                : SLG_SHARD_DOUBT_NONE);
        assert_int_equal(totals.digest.count, i == 1 ? BATCH_COUNT - 1 : i == 3 ? 0 : BATCH_COUNT);
    }
    assert_int_equal(slg_catalogue_doubtful_count(f->catalogue), 2);
}

static void test_a_pass_finds_all(void **state)
{
    static struct slg_quarantine_row rows[SLG_QUARANTINE_COUNT_MAX];
    struct fixture f;

    (void)state;
    set_up(&f);
    damage(&f, 1, "batch");
    damage(&f, 3, "table");
    open_catalogue(&f);
    start(&f, /* passes= */ true, /* interval_ns= */ 1, UINT64_C(1) << 40);
    WAIT_UNTIL(atomic_load(&f.found) >= 2);
    WAIT_UNTIL(progress_of(&f).pass_started_ns > 0);
    stop(&f);
    assert_int_equal(atomic_load(&f.found), 2); /* nothing is found twice */
    check_damage(&f);
    assert_int_equal(slg_quarantine_list(f.directory, rows), 1);
    assert_non_null(strstr(rows[0].reason, "summary"));
    tear_down(&f);
}

/* A new directory is not read at once; without passes only what a reader reported is. */
static void test_only_what_was_reported(void **state)
{
    struct slg_shard_id id = test_shard(1), sound = test_shard(2);
    struct fixture f;

    (void)state;
    set_up(&f);
    damage(&f, 1, "batch");
    damage(&f, 3, "table");
    open_catalogue(&f);
    start(&f, /* passes= */ false, /* interval_ns= */ 1, UINT64_C(1) << 40);
    slg_catalogue_report(f.catalogue, &sound);
    slg_catalogue_report(f.catalogue, &id);
    WAIT_UNTIL(atomic_load(&f.found) >= 1);
    assert_false(progress_of(&f).running);
    stop(&f);
    assert_int_equal(atomic_load(&f.found), 1);
    assert_int_equal(totals_of(&f, 1).aside_count, 1);
    assert_int_equal(totals_of(&f, 2).doubt, SLG_SHARD_DOUBT_NONE);
    start(&f, /* passes= */ true, INT64_C(3600) * SLG_NS_PER_SEC, UINT64_C(1) << 40);
    (void)poll(NULL, 0, 50);
    assert_false(progress_of(&f).running);
    tear_down(&f);
}

/* Stopped again and again, a slow pass comes to its end, and reads everything about once. */
static void test_goes_on_where_it_stood(void **state)
{
    uint64_t done = 0, total = 0;
    bool over = false;
    struct fixture f;
    int starts = 0;

    (void)state;
    set_up(&f);
    open_catalogue(&f);
    start(&f, true, 1, UINT64_C(1) << 20);
    WAIT_UNTIL(progress_of(&f).running);
    stop(&f);
    for (; starts < 200 && !over; starts++) {
        struct slg_scrub_progress progress;
        uint64_t before = done;

        start(&f, true, INT64_C(3600) * SLG_NS_PER_SEC, UINT64_C(1) << 20);
        WAIT_UNTIL(progress_of(&f).pass_started_ns > 0);
        WAIT_UNTIL(progress_of(&f).done_bytes > before + 100000 || !progress_of(&f).running);
        stop(&f);
        start(&f, /* passes= */ false, INT64_C(3600) * SLG_NS_PER_SEC, UINT64_C(1) << 20);
        WAIT_UNTIL(progress_of(&f).pass_started_ns > 0);
        progress = progress_of(&f);
        stop(&f);
        assert_true(progress.done_bytes >= done);
        done = progress.done_bytes;
        total = progress.total_bytes;
        over = !progress.running;
    }
    assert_true(over && starts > 2);
    /* Tables are read again after each stop, batches are not. */
    assert_true(total > 0 && done >= total / 3);
    for (int64_t i = 0; i < SHARD_COUNT; i++)
        assert_int_equal(totals_of(&f, i).digest.count, BATCH_COUNT);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pass_finds_all),
        cmocka_unit_test(test_only_what_was_reported),
        cmocka_unit_test(test_goes_on_where_it_stood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
