/* Sets of several threads add up, destroyed sets are remembered, and the text is what Prometheus reads.
 * Oracle: expected text by hand, and `promtool check metrics` when it is installed. */
#include "tests/helper/test.h"

#include <pthread.h>
#include <sys/wait.h>

#include "base/metric.h"

static const char *const reasons[] = { "queue", "memory" };
static const struct slg_metric_label reason = { "reason", reasons, 2 };
static const uint64_t bounds[] = { 1000000000, 2500000000 };
static const struct slg_metric_buckets buckets = { bounds, 2 };

#define TEST_METRICS(X)                                                                            \
    X(test_datagrams_total, COUNTER, NULL, NULL, "Datagrams read.")                                \
    X(test_dropped_total, COUNTER, &reason, NULL, "Entries dropped, by reason.")                   \
    X(test_open_shards, GAUGE, NULL, NULL, "Shards open now.")                                     \
    X(test_age_seconds, GAUGE, NULL, NULL, "Age of the oldest.")                                   \
    X(test_send_seconds, HISTOGRAM, NULL, &buckets, "Time to the acknowledgement.")                \
    X(test_batch_bytes, HISTOGRAM, &reason, &slg_metric_sizes, "Size of a batch.")                 \
    X(test_wait_seconds_total, COUNTER, NULL, NULL, "Time waited.")

enum { TEST_METRICS(SLG_METRIC_ENUM) };
static const struct slg_metric_row rows[] = { TEST_METRICS(SLG_METRIC_ROW) };

static char *write_text(struct slg_metric_registry *registry)
{
    struct slg_buf out;
    char *text;

    slg_buf_init(&out, 1 << 20);
    slg_metric_write(registry, &out);
    slg_buf_append_byte(&out, 0);
    assert_false(slg_buf_failed(&out));
    text = (char *)test_block(out.data, out.len);
    slg_buf_fini(&out);
    return text;
}

static void test_text(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    struct slg_metric_table *table = slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows));
    struct slg_metric_set *set = slg_metric_set_create(table);
    static const char *const want[] = {
        "# HELP silage_test_datagrams_total Datagrams read.\n"
        "# TYPE silage_test_datagrams_total counter\nsilage_test_datagrams_total 12\n",
        "silage_test_dropped_total{reason=\"queue\"} 0\n"
        "silage_test_dropped_total{reason=\"memory\"} 5\n",
        "# TYPE silage_test_open_shards gauge\nsilage_test_open_shards -3\n",
        "silage_test_age_seconds 1.5\n",
        "# TYPE silage_test_send_seconds histogram\n"
        "silage_test_send_seconds_bucket{le=\"1\"} 1\n"
        "silage_test_send_seconds_bucket{le=\"2.5\"} 2\n"
        "silage_test_send_seconds_bucket{le=\"+Inf\"} 3\n"
        "silage_test_send_seconds_sum 6.500000001\nsilage_test_send_seconds_count 3\n",
        "silage_test_batch_bytes_bucket{reason=\"memory\",le=\"256\"} 1\n",
        "silage_test_wait_seconds_total 0.250000000\n",
        "silage_build_info{version=\"",
    };
    char *text;

    (void)state;
    slg_metric_add(set, METRIC_test_datagrams_total, 0, 10);
    slg_metric_add_shared(table, METRIC_test_datagrams_total, 0, 2);
    slg_metric_add(set, METRIC_test_dropped_total, 1, 5);
    slg_metric_gauge(set, METRIC_test_open_shards, 0, -5);
    slg_metric_gauge_shared(table, METRIC_test_open_shards, 0, 2);
    slg_metric_gauge(set, METRIC_test_age_seconds, 0, 1500000000);
    slg_metric_observe(set, METRIC_test_send_seconds, 0, 1000000000); /* a bound is inclusive */
    slg_metric_observe(set, METRIC_test_send_seconds, 0, 1000000001);
    slg_metric_observe_shared(table, METRIC_test_send_seconds, 0, 4500000000);
    slg_metric_observe(set, METRIC_test_batch_bytes, 1, 0);
    slg_metric_add(set, METRIC_test_wait_seconds_total, 0, 250000000);
    text = write_text(registry);
    for (size_t i = 0; i < SLG_ARRAY_LEN(want); i++)
        CHECK(want[i], strstr(text, want[i]) != NULL);
    free(text);
    slg_metric_registry_destroy(registry);
}

static void test_destroyed_sets_are_remembered(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    struct slg_metric_table *table = slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows));

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct slg_metric_set *set = slg_metric_set_create(table);

        slg_metric_add(set, METRIC_test_dropped_total, 1, 7);
        slg_metric_gauge(set, METRIC_test_open_shards, 0, 9);
        slg_metric_observe(set, METRIC_test_send_seconds, 0, 1);
        assert_int_equal(slg_metric_read(table, METRIC_test_open_shards, 0), 9);
        slg_metric_set_destroy(set);
    }
    slg_metric_set_destroy(NULL);
    assert_int_equal(slg_metric_read(table, METRIC_test_dropped_total, 0), 0);
    assert_int_equal(slg_metric_read(table, METRIC_test_dropped_total, 1), 21);
    assert_int_equal(slg_metric_read(table, METRIC_test_open_shards, 0), 0);
    assert_int_equal(slg_metric_read(table, METRIC_test_send_seconds, 0), 3);
    slg_metric_registry_destroy(registry);
    slg_metric_registry_destroy(NULL);
}

static void *count_up(void *arg)
{
    struct slg_metric_table *table = arg;
    struct slg_metric_set *set = slg_metric_set_create(table);

    for (int i = 0; i < 10000; i++) {
        slg_metric_add(set, METRIC_test_datagrams_total, 0, 1);
        slg_metric_add_shared(table, METRIC_test_dropped_total, 0, 1);
    }
    slg_metric_set_destroy(set);
    return NULL;
}

static void refresh(void *arg)
{
    slg_metric_gauge_shared(arg, METRIC_test_open_shards, 0, 42);
}

static void test_threads_add_up_while_others_read(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    struct slg_metric_table *table = slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows));
    pthread_t threads[4];
    uint64_t last = 0;

    (void)state;
    slg_metric_on_write(table, refresh, table);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, table), 0);
    for (int i = 0; i < 20; i++) {
        uint64_t now = slg_metric_read(table, METRIC_test_datagrams_total, 0);

        free(write_text(registry));
        assert_true(now >= last); /* a counter never falls, sets ending or not */
        last = now;
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(slg_metric_read(table, METRIC_test_datagrams_total, 0), 40000);
    assert_int_equal(slg_metric_read(table, METRIC_test_dropped_total, 0), 40000);
    assert_int_equal(slg_metric_read(table, METRIC_test_open_shards, 0), 42);
    slg_metric_registry_destroy(registry);
}

static void test_promtool_finds_nothing(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    FILE *promtool;
    char *text;
    int status;

    (void)state;
    assert_non_null(slg_metric_register(registry, rows, SLG_ARRAY_LEN(rows)));
    text = write_text(registry);
    promtool = popen("command -v promtool >/dev/null || { cat >/dev/null; exit 127; }; "
                     "promtool check metrics",
                     "w");
    assert_non_null(promtool);
    assert_int_equal(fputs(text, promtool) < 0, 0);
    status = pclose(promtool);
    free(text);
    slg_metric_registry_destroy(registry);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_destroyed_sets_are_remembered),
        cmocka_unit_test(test_threads_add_up_while_others_read),
        cmocka_unit_test(test_promtool_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
