/* What was answered STORED or DUPLICATE is on disk, whatever fails; what is refused says why.
 * Oracle: a second look at the directory after the lanes have ended. */
#include "tests/helper/storer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "proto/batch_internal.h"
#include "storer/commit.h"

#define DAY_NS (24 * TEST_HOUR_NS)

struct fault {
    struct slg_kv_faults faults;
    enum slg_kv_step step;
    enum slg_status status; /* of the step that fails */
    atomic_int skip;        /* steps of that kind to let pass; negative: never fail */
    atomic_bool no_open;    /* every opening fails, too */
};

static enum slg_status check_fault(struct slg_kv_faults *faults, enum slg_kv_step step)
{
    struct fault *fault = (struct fault *)faults;

    if (step == SLG_KV_STEP_OPEN && atomic_load(&fault->no_open))
        return SLG_IO;
    if (step != fault->step || atomic_load(&fault->skip) < 0)
        return SLG_OK;
    return atomic_fetch_sub(&fault->skip, 1) == 0 ? fault->status : SLG_OK;
}

struct fixture {
    char *directory;
    struct slg_metric_registry *registry;
    struct slg_metric_table *metrics;
    struct slg_map *map;
    struct slg_catalogue *catalogue;
    struct slg_clock_fake clock;
    size_t map_bytes;
    struct fault fault;
    struct slg_commit *commit;
};

/* One answer, waited for. */
struct answer {
    atomic_bool done;
    enum slg_store_result result;
    char text[256];
};

static void take_answer(void *ctx, enum slg_store_result result, const char *text)
{
    struct answer *answer = ctx;

    answer->result = result;
    (void)snprintf(answer->text, sizeof(answer->text), "%s", text);
    atomic_store(&answer->done, true);
}

static enum slg_store_result wait_answer(struct answer *answer)
{
    int64_t deadline_ns = slg_clock_mono_ns(slg_clock_system()) + 20 * SLG_NS_PER_SEC;

    while (!atomic_load(&answer->done)) {
        assert_true(slg_clock_mono_ns(slg_clock_system()) < deadline_ns);
        (void)sched_yield();
    }
    return answer->result;
}

static void start_commit(struct fixture *f, uint64_t reserve)
{
    const struct slg_commit_options options = { .catalogue = f->catalogue,
                                                .map = f->map,
                                                .node_id = "n1",
                                                .data_dir = f->directory,
                                                .clock = &f->clock.clock,
                                                .metrics = f->metrics,
                                                .lane_count = 2,
                                                .waiting_max = 64,
                                                .group_bytes = 4 << 20,
                                                .commit_ns = SLG_NS_PER_MS,
                                                .disk_reserve_bytes = reserve };

    assert_int_equal(slg_commit_start(&options, &f->commit, NULL), SLG_OK);
}

static void open_data(struct fixture *f)
{
    const struct slg_catalogue_options catalogue = { .data_dir = f->directory,
                                                     .map_bytes = f->map_bytes,
                                                     .open_count_max = 8,
                                                     .faults = &f->fault.faults };

    assert_int_equal(slg_catalogue_create(&catalogue, &f->catalogue, NULL), SLG_OK);
}

static void set_up_map(struct fixture *f, const char *map_node, size_t map_bytes)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = map_node,
                                                .address = "inproc://x",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1,
                                                .retention_ns = 120 * DAY_NS };

    f->directory = test_make_directory();
    f->registry = slg_metric_registry_create();
    f->metrics = slg_storer_metrics_register(f->registry);
    f->map_bytes = map_bytes;
    f->fault = (struct fault){ .faults = { .check = check_fault }, .status = SLG_IO, .skip = -1 };
    slg_clock_fake_init(&f->clock, TEST_WINDOW_NS + TEST_HOUR_NS, 0);
    assert_int_equal(slg_map_make_single(&map, &f->map, NULL), SLG_OK);
    open_data(f);
    start_commit(f, 0);
}

static void set_up(struct fixture *f, const char *map_node)
{
    set_up_map(f, map_node, 64 << 20);
}

static void stop(struct fixture *f)
{
    slg_commit_stop(f->commit);
    slg_catalogue_destroy(f->catalogue);
    f->commit = NULL;
    f->catalogue = NULL;
}

static void tear_down(struct fixture *f)
{
    stop(f);
    slg_map_unref(f->map);
    slg_metric_registry_destroy(f->registry);
    test_drop_directory(f->directory);
}

static enum slg_store_result store(struct fixture *f, const struct slg_shard_id *shard,
                                   uint64_t sequence, const char *line, struct answer *answer)
{
    struct slg_buf batch;
    enum slg_store_result result;

    memset(answer, 0, sizeof(*answer));
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, shard, 1, sequence, line);
    assert_int_equal(slg_commit_submit(f->commit, batch.data, batch.len, 0, take_answer, answer),
                     SLG_OK);
    result = wait_answer(answer);
    slg_buf_fini(&batch);
    return result;
}

static uint64_t held_count(struct fixture *f, const struct slg_shard_id *id)
{
    struct slg_shard_totals totals;
    enum slg_status status = slg_catalogue_totals(f->catalogue, id, &totals, NULL, NULL);

    return status == SLG_NOT_FOUND ? 0 : totals.digest.count;
}

static size_t generation_count(struct fixture *f, const struct slg_shard_id *id)
{
    struct slg_shard_totals totals;

    assert_int_equal(slg_catalogue_totals(f->catalogue, id, &totals, NULL, NULL), SLG_OK);
    return totals.generation_count;
}

static const struct refuse_case {
    const char *name;
    const char *map_node;
    int64_t window_index;
    enum slg_store_result want;
} refusals[] = {
    { "now", "n1", 0, SLG_STORE_STORED },
    { "another node's", "n2", 0, SLG_STORE_NOT_PLACED },
    { "119 days old", "n1", -119 * 24, SLG_STORE_STORED },
    { "older than retention", "n1", -120 * 24, SLG_STORE_EXPIRED },
    { "in the next hour", "n1", 2, SLG_STORE_FUTURE },
};

static void test_rules_of_map_and_clock(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(refusals); i++) {
        struct slg_shard_id shard = test_shard(refusals[i].window_index);
        struct answer answer;
        struct fixture f;

        set_up(&f, refusals[i].map_node);
        CHECK(refusals[i].name, store(&f, &shard, 1, "x", &answer) == refusals[i].want);
        CHECK(refusals[i].name, (answer.text[0] == '\0') == (refusals[i].want == SLG_STORE_STORED));
        CHECK(refusals[i].name,
              held_count(&f, &shard) == (refusals[i].want == SLG_STORE_STORED ? 1 : 0));
        tear_down(&f);
    }
}

static void test_duplicates_and_content(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_STORED);
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_DUPLICATE);
    assert_int_equal(store(&f, &shard, 1, "y", &answer), SLG_STORE_CONTENT);
    assert_int_equal(held_count(&f, &shard), 1);
    tear_down(&f);
}

static void test_damaged_bytes_are_malformed(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    struct slg_buf batch;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, 1, "x");
    for (size_t i = 0; i <= batch.len; i += 7) {
        uint8_t *block = test_block(batch.data, i);
        struct answer answer = { .done = false };

        assert_int_equal(slg_commit_submit(f.commit, block, i, 0, take_answer, &answer), SLG_OK);
        assert_int_equal(wait_answer(&answer),
                         i == batch.len ? SLG_STORE_STORED : SLG_STORE_MALFORMED);
        free(block);
    }
    slg_buf_fini(&batch);
    tear_down(&f);
}

static void reseal(struct slg_buf *batch)
{
    size_t len = batch->len - SLG_BATCH_CHECKSUM_BYTES;

    slg_bytes_put_u64be(batch->data + len, slg_hash_xxh3(batch->data, len));
}

/* A batch of another release is no rubbish: its ingester must keep it until somebody reads it. */
static void test_other_versions_are_named(void **state)
{
    static const struct {
        uint8_t version;
        bool sealed;
        enum slg_store_result want;
        const char *text;
    } rows[] = {
        { 77, true, SLG_STORE_READ_ONLY,
          "a batch of version 77, this storer reads version 2: upgrade this storer" },
        { 1, true, SLG_STORE_READ_ONLY,
          "a batch of version 1, this storer reads version 2: upgrade the ingester" },
        { 77, false, SLG_STORE_MALFORMED, "the batch fails a check of its format" },
    };
    struct slg_shard_id shard = test_shard(0);
    struct slg_buf batch;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, 1, "x");
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        struct answer answer = { .done = false };

        batch.data[9] = rows[i].version; /* docs/FORMATS.md section 2 */
        if (rows[i].sealed)
            reseal(&batch);
        assert_int_equal(
            slg_commit_submit(f.commit, batch.data, batch.len, 0, take_answer, &answer), SLG_OK);
        assert_int_equal(wait_answer(&answer), rows[i].want);
        assert_string_equal(answer.text, rows[i].text);
    }
    slg_buf_fini(&batch);
    tear_down(&f);
}

/* Many at once, each three times: one is STORED, and every answer but refusals is on disk. */
static void test_many_at_once(void **state)
{
    enum { BATCH_COUNT = 300, COPIES = 3 };
    static struct answer answers[BATCH_COUNT][COPIES];
    struct slg_buf *batches = calloc(BATCH_COUNT, sizeof(*batches));
    size_t stored_count = 0;
    struct fixture f;

    (void)state;
    assert_non_null(batches);
    memset(answers, 0, sizeof(answers));
    set_up(&f, "n1");
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        struct slg_shard_id shard = test_shard((int64_t)(i % 3) - 3);

        slg_buf_init(&batches[i], SLG_BATCH_BYTES_MAX);
        test_encode_line(&batches[i], &shard, 1, i / 3 + 1, "line");
    }
    for (size_t i = 0; i < BATCH_COUNT; i++)
        for (size_t copy = 0; copy < COPIES; copy++)
            while (slg_commit_submit(f.commit, batches[i].data, batches[i].len, 0, take_answer,
                                     &answers[i][copy]) == SLG_AGAIN)
                (void)sched_yield(); /* 64 in hand: the sender waits */
    for (size_t i = 0; i < BATCH_COUNT; i++) {
        size_t here = 0;

        for (size_t copy = 0; copy < COPIES; copy++) {
            enum slg_store_result result = wait_answer(&answers[i][copy]);

            assert_true(result == SLG_STORE_STORED || result == SLG_STORE_DUPLICATE);
            here += result == SLG_STORE_STORED;
        }
        assert_int_equal(here, 1);
        stored_count += here;
        slg_buf_fini(&batches[i]);
    }
    assert_int_equal(slg_commit_stored_count(f.commit), stored_count);
    for (int64_t i = -3; i < 0; i++) {
        struct slg_shard_id shard = test_shard(i);

        assert_int_equal(held_count(&f, &shard), BATCH_COUNT / 3);
    }
    free(batches);
    tear_down(&f);
}

static const struct fault_case {
    const char *name;
    enum slg_kv_step step;
    uint64_t held_after; /* of the first batch, which is refused */
    bool suspect;        /* the disk is not full, so a failed commit makes it so */
} faults[] = {
    { "commit fails, nothing on disk", SLG_KV_STEP_COMMIT, 1, true },
    { "commit fails, all on disk", SLG_KV_STEP_COMMITTED, 2, true },
    { "put fails", SLG_KV_STEP_PUT, 1, false },
};

/* H13: after a failed commit nothing of the shard is acknowledged, not even as a duplicate. */
static void test_h13_failed_commits(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(faults); i++) {
        struct slg_shard_id shard = test_shard(0), other = test_shard(-1);
        struct answer answer;
        struct fixture f;

        set_up(&f, "n1");
        CHECK(faults[i].name, store(&f, &shard, 1, "x", &answer) == SLG_STORE_STORED);
        f.fault.step = faults[i].step;
        atomic_store(&f.fault.skip, faults[i].step == SLG_KV_STEP_PUT ? 3 : 0);
        CHECK(faults[i].name, store(&f, &shard, 2, "x", &answer) == SLG_STORE_READ_ONLY);
        CHECK(faults[i].name, answer.text[0] != '\0');
        CHECK(faults[i].name, held_count(&f, &shard) == faults[i].held_after);
        if (faults[i].suspect) {
            CHECK(faults[i].name, store(&f, &shard, 2, "x", &answer) == SLG_STORE_READ_ONLY);
            CHECK(faults[i].name, store(&f, &shard, 1, "x", &answer) == SLG_STORE_READ_ONLY);
        } else {
            CHECK(faults[i].name, store(&f, &shard, 2, "x", &answer) == SLG_STORE_STORED);
        }
        CHECK(faults[i].name, store(&f, &other, 1, "x", &answer) == SLG_STORE_STORED);
        stop(&f);
        open_data(&f);
        start_commit(&f, 0);
        CHECK(faults[i].name,
              (store(&f, &shard, 2, "x", &answer) == SLG_STORE_READ_ONLY) == faults[i].suspect);
        tear_down(&f);
    }
}

/* H13: the mark cannot be written either (here, a directory has its name). This process knows all the same, and notes
 * it when the disk lets it. */
static void test_h13_when_the_mark_fails_too(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    char shards[1024], directory[1024], obstacle[1024];
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_STORED);
    test_join(shards, f.directory, "shards");
    test_join(directory, shards, slg_shard_name_of(&shard).text);
    test_join(obstacle, directory, "manifest.new");
    assert_int_equal(mkdir(obstacle, 0700), 0);
    f.fault.step = SLG_KV_STEP_COMMIT;
    atomic_store(&f.fault.skip, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_READ_ONLY);
        assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_READ_ONLY);
        assert_int_equal(held_count(&f, &shard), 1);
    }
    assert_int_equal(rmdir(obstacle), 0);
    slg_catalogue_close_idle(f.catalogue, slg_clock_mono_ns(slg_clock_system()), 0);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_READ_ONLY);
    stop(&f);
    open_data(&f);
    start_commit(&f, 0);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_READ_ONLY);
    tear_down(&f);
}

/* The map is full only when the commit takes its last pages: nothing was written, the group goes to the next
 * generation, once. */
static void test_full_map_at_the_commit_rolls(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_STORED);
    f.fault.step = SLG_KV_STEP_COMMIT;
    f.fault.status = SLG_LIMIT;
    atomic_store(&f.fault.skip, 0);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_STORED);
    assert_int_equal(generation_count(&f, &shard), 2);
    assert_int_equal(slg_commit_stored_count(f.commit), 2);
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_DUPLICATE);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_DUPLICATE);
    stop(&f);
    open_data(&f);
    start_commit(&f, 0);
    assert_int_equal(held_count(&f, &shard), 2);
    assert_int_equal(store(&f, &shard, 3, "x", &answer), SLG_STORE_STORED);
    assert_int_equal(generation_count(&f, &shard), 2);
    tear_down(&f);
}

/* No room for the new file: refused, and nothing is suspect. */
static void test_full_map_without_room_to_roll(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_STORED);
    f.fault.step = SLG_KV_STEP_COMMIT;
    f.fault.status = SLG_LIMIT;
    atomic_store(&f.fault.no_open, true);
    atomic_store(&f.fault.skip, 0);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_READ_ONLY);
    assert_int_equal(held_count(&f, &shard), 1);
    atomic_store(&f.fault.no_open, false);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_STORED);
    assert_int_equal(held_count(&f, &shard), 2);
    tear_down(&f);
}

/* Small batches, one a commit, fill real maps: the last pages are those of the totals and of the free list. */
static void test_small_batches_fill_maps(void **state)
{
    enum { LINE_BYTES_MAX = 1600, GENERATION_COUNT = 2, BATCH_COUNT_MAX = 2000 };
    struct slg_shard_id shard = test_shard(0);
    char line[LINE_BYTES_MAX + 1];
    uint64_t random = 1, count = 0;
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up_map(&f, "n1", 1 << 20);
    do {
        size_t len = 800 + (size_t)(count * 37 % 800);

        for (size_t i = 0; i < len; i++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            line[i] = (char)('!' + (random >> 33) % 90); /* does not compress */
        }
        line[len] = '\0';
        count++;
        assert_int_equal(store(&f, &shard, count, line, &answer), SLG_STORE_STORED);
        assert_true(count < BATCH_COUNT_MAX);
    } while (generation_count(&f, &shard) < GENERATION_COUNT);
    stop(&f);
    open_data(&f);
    start_commit(&f, 0);
    assert_int_equal(held_count(&f, &shard), count);
    tear_down(&f);
}

/* Below the reserve: refused with the reason, what is held is a DUPLICATE; room again: stored. */
static void test_disk_reserve(void **state)
{
    struct slg_shard_id shard = test_shard(0);
    struct answer answer;
    struct fixture f;

    (void)state;
    set_up(&f, "n1");
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_STORED);
    assert_false(slg_commit_read_only(f.commit));
    slg_commit_stop(f.commit);
    start_commit(&f, UINT64_MAX);
    assert_true(slg_commit_read_only(f.commit));
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_READ_ONLY);
    assert_non_null(strstr(answer.text, "storer.disk_reserve"));
    assert_non_null(strstr(answer.text, "bytes free"));
    assert_int_equal(store(&f, &shard, 1, "x", &answer), SLG_STORE_DUPLICATE);
    assert_int_equal(held_count(&f, &shard), 1);
    slg_commit_stop(f.commit);
    start_commit(&f, 0);
    assert_int_equal(store(&f, &shard, 2, "x", &answer), SLG_STORE_STORED);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_of_map_and_clock),
        cmocka_unit_test(test_duplicates_and_content),
        cmocka_unit_test(test_damaged_bytes_are_malformed),
        cmocka_unit_test(test_other_versions_are_named),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_h13_failed_commits),
        cmocka_unit_test(test_h13_when_the_mark_fails_too),
        cmocka_unit_test(test_full_map_at_the_commit_rolls),
        cmocka_unit_test(test_full_map_without_room_to_roll),
        cmocka_unit_test(test_small_batches_fill_maps),
        cmocka_unit_test(test_disk_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
