/* Every result of STORE, type of request and reason has its label value. Oracle: the enums. */
#include "tests/helper/test.h"

#include "proto/rpc.h"
#include "storer/metrics.h"

static void test_labels_follow_the_enums(void **state)
{
    struct slg_metric_registry *registry = slg_metric_registry_create();
    struct slg_metric_table *metrics = slg_storer_metrics_register(registry);
    struct slg_buf out;

    (void)state;
    assert_int_equal(slg_storer_metric_results.count, SLG_STORE_MALFORMED + 1);
    assert_string_equal(slg_storer_metric_results.values[SLG_STORE_CONTENT], "content");
    assert_string_equal(slg_storer_metric_results.values[SLG_STORE_MALFORMED], "malformed");
    assert_int_equal(slg_storer_metric_requests.count, SLG_RPC_TYPE_LAST + 1);
    assert_string_equal(slg_storer_metric_requests.values[SLG_RPC_SETS], "sets");
    assert_string_equal(slg_storer_metric_requests.values[SLG_RPC_STATUS], "status");
    assert_int_equal(slg_storer_metric_reasons.count, SLG_STORER_FORGET_COUNT);
    slg_metric_add_shared(metrics, METRIC_storer_batches_total, SLG_STORE_FUTURE, 3);
    slg_buf_init(&out, 1 << 20);
    slg_metric_write(registry, &out);
    assert_non_null(
        memmem(out.data, out.len, "silage_storer_batches_total{result=\"future\"} 3", 46));
    slg_buf_fini(&out);
    slg_metric_registry_destroy(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_follow_the_enums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
