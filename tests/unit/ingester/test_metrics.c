/* The table of metrics: every row can be registered, and the label values stand in the order of their enums.
 * Oracle: the text exposition. */
#include "tests/helper/test.h"

#include "ingester/account.h"
#include "ingester/listener.h"
#include "ingester/metrics.h"
#include "proto/rpc.h"

static void test_labels_follow_their_enums(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    struct slg_metric_table *table = slg_ingester_metrics_register(registry);
    struct slg_buf out;

    (void)state;
    assert_non_null(table);
    assert_int_equal(slg_ingester_label_reason.count, SLG_DROP_REASON_COUNT);
    assert_int_equal(slg_ingester_label_source.count, SLG_INGESTER_SOURCE_COUNT);
    assert_int_equal(slg_ingester_label_refusal.count, SLG_STORE_MALFORMED - SLG_STORE_BUSY + 1);
    assert_string_equal(slg_ingester_label_refusal.values[SLG_STORE_CONTENT - SLG_STORE_BUSY],
                        "content");
    assert_int_equal(slg_ingester_label_push.count, SLG_PUSH_LOST + 1);
    assert_int_equal(slg_ingester_label_listener.count, SLG_LISTENER_COUNT_MAX);
    for (size_t i = 0; i < SLG_LISTENER_COUNT_MAX; i++)
        assert_int_equal(strtoul(slg_ingester_label_listener.values[i], NULL, 10), i);
    slg_metric_add_shared(table, METRIC_ingester_dropped_entries_total, SLG_DROP_KERNEL, 7);
    slg_buf_init(&out, 1 << 20);
    slg_metric_write(registry, &out);
    slg_buf_append_byte(&out, 0);
    assert_false(slg_buf_failed(&out));
    assert_non_null(strstr((const char *)out.data,
                           "silage_ingester_dropped_entries_total{reason=\"kernel\"} 7\n"));
    assert_non_null(strstr((const char *)out.data, "silage_ingester_in_flight_entries 0\n"));
    slg_buf_fini(&out);
    slg_metric_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_follow_their_enums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
