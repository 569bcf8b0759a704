/* Every drop becomes a line of {job="silage", event="loss"}, told once when the storer takes it, repeated until then
 * (I3, H14).
 * Oracle: the fake storer's loss lines against what the test counted as dropped. */
#include "tests/helper/ingester.h"

#include "ingester/loss.h"

static struct slg_loss *make_loss(struct bench *b)
{
    struct slg_loss_options options = { .account = b->account,
                                        .metrics = b->metrics,
                                        .node_id = "ingester-1" };
    struct slg_loss *loss;
    struct slg_error error;

    slg_batcher_options_init(&options.batcher);
    options.batcher.tenant = slg_text_of("t");
    options.batcher.map = b->map;
    options.batcher.forward = b->forward;
    if (slg_loss_create(&options, &loss, &error) != SLG_OK)
        fail_msg("%s", error.message);
    return loss;
}

static void drop(struct slg_account_cell *cell, size_t listener, enum slg_drop_reason reason,
                 uint64_t n)
{
    slg_account_received(cell, listener, n);
    slg_account_dropped(cell, listener, reason, n);
}

static void test_drops_are_told_once(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    struct slg_loss *loss;

    (void)state;
    bench_init(&b, "loss-once", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    loss = make_loss(&b);
    slg_loss_tick(loss, true);
    assert_false(slg_loss_busy(loss)); /* nothing to tell */
    drop(cell, 0, SLG_DROP_KERNEL, 12);
    slg_loss_tick(loss, false);
    assert_int_equal(slg_loss_unreported(loss), 12);
    WAIT_UNTIL((slg_loss_tick(loss, false), slg_loss_unreported(loss) == 0));
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 1);
    assert_non_null(
        strstr(b.fake.last_loss, "count=12 reason=kernel listener=\"udp test\" from=20"));
    assert_non_null(strstr(b.fake.last_loss, "Z to=20"));
    /* The next one waits for the interval, unless told at once. */
    drop(cell, 0, SLG_DROP_KERNEL, 3);
    drop(cell, 1, SLG_DROP_MEMORY, 4);
    slg_loss_tick(loss, false);
    assert_false(slg_loss_busy(loss));
    assert_int_equal(slg_loss_unreported(loss), 7);
    WAIT_UNTIL((slg_loss_tick(loss, true), slg_loss_unreported(loss) == 0));
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 3);
    assert_non_null(strstr(b.fake.last_loss, "count=4 reason=memory listener=\"tcp test\""));
    assert_int_equal(FAKE_READ(&b.fake, entry_count), 0);
    /* Loss entries are outside of the ledger. */
    assert_int_equal(bench_totals(&b).received, 19);
    assert_int_equal(bench_totals(&b).accepted, 0);
    assert_int_equal(slg_metric_read(b.metrics, METRIC_ingester_loss_entries_total, 0), 3);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    /* What is dropped when nothing can be reported any more is counted at least. */
    drop(cell, 0, SLG_DROP_STOP, 5);
    slg_loss_look(loss);
    assert_int_equal(slg_loss_unreported(loss), 5);
    assert_false(slg_loss_busy(loss));
    slg_loss_destroy(loss);
    bench_fini(&b);
}

/* Drops that went on after a report are told 1 s after the last of them, not with the interval. */
static void test_the_end_of_drops_is_told_soon(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    struct slg_loss *loss;
    int64_t began;
    int64_t took;

    (void)state;
    bench_init(&b, "loss-quiet", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    cell = slg_account_cell(b.account);
    loss = make_loss(&b);
    drop(cell, 0, SLG_DROP_KERNEL, 12);
    WAIT_UNTIL((slg_loss_tick(loss, true), slg_loss_unreported(loss) == 0));
    drop(cell, 0, SLG_DROP_KERNEL, 3);
    began = slg_clock_mono_ns(slg_clock_system());
    WAIT_UNTIL((slg_loss_tick(loss, false), slg_loss_unreported(loss) == 0));
    took = slg_clock_mono_ns(slg_clock_system()) - began;
    assert_true(took >= SLG_LOSS_QUIET_NS);
    assert_true(took < SLG_LOSS_EVERY_NS - SLG_NS_PER_SEC);
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 2);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_loss_destroy(loss);
    bench_fini(&b);
}

/* H14: with all memory for batches taken, losses are still told. */
static void test_H14_reserved_memory(void **state)
{
    struct bench b;
    struct slg_account_cell *cell;
    struct slg_loss *loss;
    struct slg_forward_batch *taken[64];
    size_t count = 0;

    (void)state;
    bench_init(&b, "loss-reserved", true);
    bench_forward(&b, SLG_FORWARD_MEMORY_MIN, 5000);
    cell = slg_account_cell(b.account);
    loss = make_loss(&b);
    while (slg_forward_take(b.forward, false, 0, &taken[count]) == SLG_OK)
        count++;
    drop(cell, 0, SLG_DROP_MEMORY, 1000);
    WAIT_UNTIL((slg_loss_tick(loss, true), slg_loss_unreported(loss) == 0));
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 1);
    while (count > 0)
        slg_forward_put(b.forward, taken[--count]);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_loss_destroy(loss);
    bench_fini(&b);
}

static struct fake_action expire_first(void *ctx, uint64_t store_count)
{
    (void)ctx;
    if (store_count == 0)
        return (struct fake_action){ FAKE_ANSWER, SLG_STORE_EXPIRED };
    return (struct fake_action){ FAKE_STORE, SLG_STORE_STORED };
}

static void test_a_refused_report_is_told_again(void **state)
{
    struct bench b;
    struct slg_loss *loss;

    (void)state;
    bench_init(&b, "loss-again", true);
    b.fake.script = expire_first;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    loss = make_loss(&b);
    drop(slg_account_cell(b.account), 2, SLG_DROP_INVALID, 5);
    WAIT_UNTIL((slg_loss_tick(loss, true), slg_loss_unreported(loss) == 0));
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 1);
    assert_non_null(strstr(b.fake.last_loss, "count=5 reason=invalid listener=\"push\""));
    assert_int_equal(bench_totals(&b).dropped, 5);
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_loss_destroy(loss);
    bench_fini(&b);
}

/* What nobody counted: one line, told again when it was refused, and outside of the counted drops. */
static void test_an_unclean_end_is_told(void **state)
{
    struct bench b;
    struct slg_loss *loss;

    (void)state;
    bench_init(&b, "loss-unknown", true);
    b.fake.script = expire_first;
    bench_forward(&b, SLG_FORWARD_MEMORY_DEFAULT, 5000);
    loss = make_loss(&b);
    assert_true(slg_loss_unknown_told(loss));
    slg_loss_add_unknown(loss, 1700000000 * SLG_NS_PER_SEC);
    assert_false(slg_loss_unknown_told(loss));
    WAIT_UNTIL((slg_loss_tick(loss, true), slg_loss_unknown_told(loss)));
    assert_int_equal(FAKE_READ(&b.fake, loss_lines), 1);
    assert_non_null(strstr(b.fake.last_loss, "count=unknown reason=unclean_end listener=\""));
    assert_non_null(strstr(b.fake.last_loss, "from=2023-11-14T22:13:20Z to=20"));
    assert_int_equal(slg_loss_unreported(loss), 0);
    slg_loss_tick(loss, true);
    assert_false(slg_loss_busy(loss)); /* once */
    (void)bench_stop(&b, SLG_NS_PER_SEC);
    slg_loss_destroy(loss);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops_are_told_once),
        cmocka_unit_test(test_the_end_of_drops_is_told_soon),
        cmocka_unit_test(test_H14_reserved_memory),
        cmocka_unit_test(test_a_refused_report_is_told_again),
        cmocka_unit_test(test_an_unclean_end_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
