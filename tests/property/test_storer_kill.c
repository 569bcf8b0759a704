/* I1 on one node: what was acknowledged is there, once, after kill -9 at any moment.
 *
 * A child stores batches and writes the number of each acknowledged one into a pipe; the parent kills it at a random
 * moment, opens the directory itself, and looks. Oracle: the numbers that came through the pipe. The parent starts no
 * thread while a child is to be forked. Seed: SILAGE_SEED, else the time; printed. */
#include "tests/helper/storer.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/log.h"
#include "storer/commit.h"

#define ROUND_COUNT   12
#define ROUND_MS_MAX  120
#define SHARD_COUNT   3
#define SEQUENCES_MAX 200000

struct data {
    struct slg_metric_registry *registry;
    struct slg_map *map;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
};

static void open_data(struct data *d, const char *directory)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = "n1",
                                                .address = "inproc://x",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1 };
    /* A small map, so that shards roll over while they are killed. */
    const struct slg_catalogue_options catalogue = { .data_dir = directory,
                                                     .map_bytes = 2 << 20,
                                                     .open_count_max = 2 };

    d->registry = slg_metric_registry_create();
    assert_int_equal(slg_map_make_single(&map, &d->map, NULL), SLG_OK);
    assert_int_equal(slg_catalogue_create(&catalogue, &d->catalogue, NULL), SLG_OK);
}

static void close_data(struct data *d)
{
    slg_catalogue_destroy(d->catalogue);
    slg_map_unref(d->map);
    slg_metric_registry_destroy(d->registry);
}

/* One batch in flight: what its acknowledgement writes into the pipe. */
struct flight {
    int fd;
    uint64_t number; /* sequence * SHARD_COUNT + shard */
    struct slg_buf batch;
};

static void acknowledge(void *ctx, enum slg_store_result result, const char *text)
{
    struct flight *flight = ctx;

    (void)text;
    if (result == SLG_STORE_STORED || result == SLG_STORE_DUPLICATE)
        if (write(flight->fd, &flight->number, sizeof(flight->number)) != sizeof(flight->number))
            _exit(3);
    slg_buf_fini(&flight->batch);
    free(flight);
}

static void submit(struct data *d, int fd, uint8_t incarnation, uint64_t sequence, size_t shard)
{
    struct slg_shard_id id = test_shard((int64_t)shard);
    struct flight *flight = calloc(1, sizeof(*flight));
    char line[3000];

    if (flight == NULL)
        _exit(4);
    memset(line, 'a' + (int)(sequence % 26), sizeof(line));
    line[1 + sequence * 31 % (sizeof(line) - 1)] = '\0';
    line[sizeof(line) - 1] = '\0';
    flight->fd = fd;
    flight->number = sequence * SHARD_COUNT + shard;
    slg_buf_init(&flight->batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&flight->batch, &id, incarnation, sequence, line);
    while (slg_commit_submit(d->commit, flight->batch.data, flight->batch.len, 0, acknowledge,
                             flight) == SLG_AGAIN)
        (void)sched_yield();
}

/* Never returns: stores until it is killed. Every third batch is sent twice. */
static void run_child(const char *directory, int fd, uint8_t incarnation)
{
    struct slg_commit_options options = { .node_id = "n1",
                                          .data_dir = directory,
                                          .clock = slg_clock_system(),
                                          .lane_count = 2,
                                          .waiting_max = 32,
                                          .group_bytes = 4 << 20 };
    struct data d;

    open_data(&d, directory);
    options.catalogue = d.catalogue;
    options.map = d.map;
    options.metrics = slg_storer_metrics_register(d.registry);
    assert_int_equal(slg_commit_start(&options, &d.commit, NULL), SLG_OK);
    for (uint64_t sequence = 1; sequence < SEQUENCES_MAX; sequence++)
        for (size_t shard = 0; shard < SHARD_COUNT; shard++) {
            submit(&d, fd, incarnation, sequence, shard);
            if (sequence % 3 == 0)
                submit(&d, fd, incarnation, sequence, shard);
        }
    _exit(5);
}

/* Read numbers until kill_ns; then kill, and read what is left. Returns how many are in numbers. */
static size_t collect(int fd, pid_t child, int64_t kill_mono_ns, uint64_t *numbers)
{
    size_t count = 0;
    bool killed = false;

    for (;;) {
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        uint64_t number;

        if (!killed && slg_clock_mono_ns(slg_clock_system()) >= kill_mono_ns) {
            killed = true;
            assert_int_equal(kill(child, SIGKILL), 0);
        }
        if (poll(&poll_fd, 1, 1) <= 0)
            continue;
        if (read(fd, &number, sizeof(number)) != sizeof(number))
            return count;
        assert_true(count < SEQUENCES_MAX);
        numbers[count++] = number;
    }
}

struct seen {
    struct slg_shard_read *read;
    struct slg_arena *arena;
    struct slg_batch_set *set; /* ids of batches that were read whole */
    uint64_t count;
};

static enum slg_status visit(void *ctx, const struct slg_batch_ref *ref,
                             struct slg_summary *summary)
{
    struct seen *seen = ctx;
    const struct slg_batch_view *view;
    struct slg_kv_bytes bytes;

    slg_arena_reset(seen->arena);
    assert_int_equal(slg_shard_read_batch(seen->read, ref, &bytes), SLG_OK);
    assert_int_equal(slg_batch_decode(seen->arena, bytes.at, bytes.len, &view), SLG_OK);
    assert_int_equal(view->header.id.sequence, summary->sequence);
    assert_int_equal(slg_batch_set_add(seen->set, &summary->incarnation, summary->sequence),
                     SLG_OK);
    seen->count++;
    return SLG_OK;
}

/* Every batch of the shard decodes, no id is there twice, and the stored set and digest are those of the batches. */
static void read_shard(struct data *d, size_t index, struct seen *seen)
{
    struct slg_shard_id id = test_shard((int64_t)index);
    struct slg_batch_set *stored = slg_batch_set_create();
    struct slg_shard_totals totals = { .entry_count = 0 };
    struct slg_shard *shard;
    enum slg_status status = slg_catalogue_pin(d->catalogue, &id, false, &shard, NULL);

    seen->set = slg_batch_set_create();
    seen->count = 0;
    assert_true(status == SLG_OK || status == SLG_NOT_FOUND);
    if (status == SLG_OK) {
        assert_int_equal(slg_shard_read_begin(shard, &seen->read, NULL), SLG_OK);
        assert_int_equal(slg_shard_each_summary(seen->read, visit, seen), SLG_OK);
        assert_int_equal(slg_shard_read_totals(seen->read, &totals), SLG_OK);
        assert_int_equal(slg_shard_read_set(seen->read, stored), SLG_OK);
        slg_shard_read_end(seen->read);
        slg_catalogue_unpin(d->catalogue, shard);
    }
    assert_int_equal(seen->count, slg_batch_set_count(seen->set));
    assert_int_equal(totals.digest.count, seen->count);
    assert_int_equal(slg_batch_set_count(stored), seen->count);
    assert_true(slg_batch_set_contains(stored, seen->set));
    slg_batch_set_destroy(stored);
}

static void check_directory(const char *directory, uint8_t incarnation, const uint64_t *numbers,
                            size_t count)
{
    struct slg_incarnation id = test_incarnation(incarnation);
    struct seen seen = { .arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX) };
    struct data d;

    open_data(&d, directory);
    for (size_t shard = 0; shard < SHARD_COUNT; shard++) {
        read_shard(&d, shard, &seen);
        for (size_t i = 0; i < count; i++)
            if (numbers[i] % SHARD_COUNT == shard)
                assert_true(slg_batch_set_has(seen.set, &id, numbers[i] / SHARD_COUNT));
        slg_batch_set_destroy(seen.set);
    }
    close_data(&d);
    slg_arena_destroy(seen.arena);
}

static uint64_t make_seed(void)
{
    const char *text = getenv("SILAGE_SEED");
    uint64_t seed = 0;

    for (; text != NULL && *text >= '0' && *text <= '9'; text++)
        seed = seed * 10 + (uint64_t)(*text - '0');
    return seed != 0 ? seed : (uint64_t)slg_clock_wall_ns(slg_clock_system());
}

static void test_kill_at_any_moment(void **state)
{
    char *directory = test_make_directory();
    uint64_t *numbers = calloc(SEQUENCES_MAX, sizeof(*numbers));
    uint64_t random = make_seed();
    size_t sum = 0;

    (void)state;
    print_message("SILAGE_SEED=%" PRIu64 "\n", random);
    assert_non_null(numbers);
    for (uint8_t round = 1; round <= ROUND_COUNT; round++) {
        int64_t wait_ns;
        size_t count;
        pid_t child;
        int fds[2];

        random = random * 6364136223846793005U + 1442695040888963407U;
        wait_ns = (int64_t)((random >> 33) % ROUND_MS_MAX) * SLG_NS_PER_MS;
        assert_int_equal(pipe(fds), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            close(fds[0]);
            run_child(directory, fds[1], round);
        }
        close(fds[1]);
        count = collect(fds[0], child, slg_clock_mono_ns(slg_clock_system()) + wait_ns, numbers);
        close(fds[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        check_directory(directory, round, numbers, count);
        sum += count;
    }
    print_message("%zu batches acknowledged in %d rounds\n", sum, ROUND_COUNT);
    assert_true(sum > 0);
    free(numbers);
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_at_any_moment),
    };

    slg_log_setup(SLG_LOG_ERROR, SLG_LOG_KEY_VALUE, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
