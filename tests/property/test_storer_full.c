/* A full disk is a normal state: on a small tmpfs the storer takes batches until its reserve, or until the disk is
 * really full, refuses with the reason, keeps and serves everything acknowledged, and takes writes again when there is
 * room. Oracle: the acknowledged sequences, read back from the reopened directory.
 * Needs root for the mount (in a mount namespace of its own); skipped, saying so, without it. */
#include "tests/helper/storer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "base/log.h"
#include "storer/commit.h"

#define SEQUENCES_MAX 20000

struct data {
    struct slg_metric_registry *registry;
    struct slg_map *map;
    struct slg_catalogue *catalogue;
    struct slg_commit *commit;
};

static void open_data(struct data *d, const char *directory, uint64_t reserve)
{
    const struct slg_map_single_options map = { .cluster_id = "c",
                                                .node_id = "n1",
                                                .address = "inproc://x",
                                                .window_length_ns = TEST_HOUR_NS,
                                                .slot_count = 1 };
    const struct slg_catalogue_options catalogue = { .data_dir = directory,
                                                     .map_bytes = (size_t)1 << 30,
                                                     .open_count_max = 4 };
    struct slg_commit_options commit = { .node_id = "n1",
                                         .data_dir = directory,
                                         .clock = slg_clock_system(),
                                         .lane_count = 1,
                                         .waiting_max = 4,
                                         .group_bytes = 4 << 20,
                                         .disk_reserve_bytes = reserve };
    struct slg_error err = { .message = "" };

    d->registry = slg_metric_registry_create();
    assert_int_equal(slg_map_make_single(&map, &d->map, NULL), SLG_OK);
    if (slg_catalogue_create(&catalogue, &d->catalogue, &err) != SLG_OK)
        fail_msg("%s", err.message);
    commit.catalogue = d->catalogue;
    commit.map = d->map;
    commit.metrics = slg_storer_metrics_register(d->registry);
    assert_int_equal(slg_commit_start(&commit, &d->commit, NULL), SLG_OK);
}

static void close_data(struct data *d)
{
    slg_commit_stop(d->commit);
    slg_catalogue_destroy(d->catalogue);
    slg_map_unref(d->map);
    slg_metric_registry_destroy(d->registry);
}

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

/* Lines of 10 KB that do not compress. */
static enum slg_store_result store(struct data *d, uint64_t sequence, struct answer *answer)
{
    struct slg_shard_id shard = test_shard((int64_t)(sequence % 2));
    uint64_t random = sequence;
    struct slg_buf batch;
    char line[10001];

    for (size_t i = 0; i < sizeof(line) - 1; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        line[i] = (char)('!' + (random >> 33) % 90);
    }
    line[sizeof(line) - 1] = '\0';
    memset(answer, 0, sizeof(*answer));
    slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
    test_encode_line(&batch, &shard, 1, sequence, line);
    assert_int_equal(slg_commit_submit(d->commit, batch.data, batch.len, 0, take_answer, answer),
                     SLG_OK);
    while (!atomic_load(&answer->done))
        (void)sched_yield();
    slg_buf_fini(&batch);
    return answer->result;
}

static uint64_t held(struct data *d)
{
    uint64_t count = 0;

    for (int64_t i = 0; i < 2; i++) {
        struct slg_shard_id id = test_shard(i);
        struct slg_batch_set *set = slg_batch_set_create();
        struct slg_shard_totals totals;

        assert_int_equal(slg_catalogue_totals(d->catalogue, &id, &totals, set, NULL), SLG_OK);
        assert_int_equal(totals.digest.count, slg_batch_set_count(set));
        count += totals.digest.count;
        slg_batch_set_destroy(set);
    }
    return count;
}

/* Store until the first refusal; the next sequence. */
static uint64_t fill(struct data *d, uint64_t sequence, struct answer *answer)
{
    while (store(d, sequence, answer) == SLG_STORE_STORED) {
        sequence++;
        assert_true(sequence < SEQUENCES_MAX);
    }
    return sequence;
}

static void check_full_disk(const char *directory, uint64_t reserve)
{
    char ballast[1024];
    struct answer answer;
    uint64_t next;
    struct data d;
    int fd;

    test_join(ballast, directory, "ballast");
    fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, 24 << 20), 0);
    close(fd);
    open_data(&d, directory, reserve);
    next = fill(&d, 1, &answer);
    assert_int_equal(answer.result, SLG_STORE_READ_ONLY);
    assert_true(answer.text[0] != '\0');
    assert_true(next > 100);
    assert_int_equal(held(&d), next - 1); /* reads are served */
    assert_int_equal(store(&d, next, &answer), SLG_STORE_READ_ONLY);
    close_data(&d);
    open_data(&d, directory, reserve); /* a restart on a full disk */
    assert_int_equal(held(&d), next - 1);
    assert_int_equal(unlink(ballast), 0);
    assert_int_equal(store(&d, next, &answer), SLG_STORE_STORED);
    next = fill(&d, next + 1, &answer);
    assert_int_equal(held(&d), next - 1);
    close_data(&d);
    open_data(&d, directory, reserve);
    assert_int_equal(held(&d), next - 1);
    close_data(&d);
}

static const struct full_case {
    const char *name;
    uint64_t reserve;
} cases[] = {
    { "the reserve is reached", 8 << 20 },
    { "no reserve: the disk is full in the middle of a commit", 1 },
};

static void test_full_disk(void **state)
{
    char *directory = test_make_directory();

    (void)state;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        print_message("skipped: a mount of its own needs root (%s)\n", strerror(errno));
        test_drop_directory(directory);
        skip();
    }
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        print_message("%s\n", cases[i].name);
        if (mount("none", directory, "tmpfs", 0, "size=64m") != 0) {
            print_message("skipped: cannot mount a tmpfs (%s)\n", strerror(errno));
            test_drop_directory(directory);
            skip();
        }
        check_full_disk(directory, cases[i].reserve);
        assert_int_equal(umount(directory), 0);
    }
    test_drop_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk),
    };

    slg_log_setup(SLG_LOG_ERROR, SLG_LOG_KEY_VALUE, 2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
