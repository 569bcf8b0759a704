/* Pictures of S only grow: what a storer said once stays, what is away is marked as not answered, windows that nobody
 * looks at any more go.
 * Oracle: rows written by hand. */
#include "tests/helper/test.h"

#include "querier/tail_sets.h"

#define HOUR_NS (INT64_C(3600) * 1000000000)

struct given {
    int64_t hour;
    uint64_t first, last; /* batches; 0: no answer for it */
    size_t node_index;
};

static struct slg_incarnation incarnation(void)
{
    struct slg_incarnation value;

    memset(value.bytes, 9, sizeof(value.bytes));
    return value;
}

struct look_data {
    struct slg_tail_answer answers[8];
    struct slg_buf bytes[8];
    struct slg_tail_look look;
};

static void make_look(struct look_data *data, const struct given *given, size_t count)
{
    struct slg_incarnation who = incarnation();

    memset(data, 0, sizeof(*data));
    for (size_t i = 0; i < count; i++) {
        struct slg_batch_set *set = slg_batch_set_create();
        struct slg_tail_answer *answer = &data->answers[i];

        answer->set.shard = (struct slg_shard_id){ .window_ns = given[i].hour * HOUR_NS,
                                                   .length_ns = HOUR_NS,
                                                   .slot_count = 1 };
        answer->node_index = given[i].node_index;
        assert_int_equal(slg_batch_set_add_range(set, &who, given[i].first, given[i].last), SLG_OK);
        for (uint64_t k = given[i].first; k <= given[i].last; k++)
            slg_batch_set_digest_add(&answer->set.digest,
                                     &(struct slg_batch_id){ .incarnation = who,
                                                             .shard = answer->set.shard,
                                                             .sequence = k });
        slg_buf_init(&data->bytes[i], 4096);
        slg_batch_set_encode(&data->bytes[i], set);
        answer->set.set = slg_text_make(data->bytes[i].data, data->bytes[i].len);
        slg_batch_set_destroy(set);
    }
    data->look = (struct slg_tail_look){ .answers = data->answers, .count = count };
}

static void free_look(struct look_data *data)
{
    for (size_t i = 0; i < data->look.count; i++)
        slg_buf_fini(&data->bytes[i]);
}

/* The picture after these answers; the old one is let go. */
static struct slg_tail_sets *step(struct slg_tail_sets *old, const struct given *given,
                                  size_t count, int64_t asked_hour, int64_t from_hour,
                                  bool want_changed)
{
    struct slg_tail_sets *sets;
    struct look_data data;
    bool changed;

    make_look(&data, given, count);
    data.look.asked_from_ns = asked_hour * HOUR_NS;
    data.look.from_ns = from_hour * HOUR_NS;
    assert_int_equal(slg_tail_sets_next(old, &data.look, &sets, &changed), SLG_OK);
    assert_int_equal(changed, want_changed);
    slg_tail_sets_unref(old);
    free_look(&data);
    return sets;
}

static void check_entry(const struct slg_tail_sets *sets, int64_t hour, uint64_t count,
                        bool answered, size_t node_index)
{
    struct slg_shard_id id = { .window_ns = hour * HOUR_NS, .length_ns = HOUR_NS, .slot_count = 1 };
    const struct slg_tail_sets_entry *entry = slg_tail_sets_find(sets, &id);

    assert_non_null(entry);
    assert_int_equal(slg_batch_set_count(entry->shard->set), count);
    assert_int_equal(entry->answered, answered);
    assert_int_equal(entry->node_index, node_index);
}

static void test_growth(void **state)
{
    struct slg_tail_sets *sets;
    const struct slg_tail_shard *same;

    (void)state;
    sets = step(NULL, (struct given[]){ { 10, 1, 3, 0 }, { 12, 1, 1, 1 } }, 2, 10, 10, true);
    check_entry(sets, 10, 3, true, 0);
    check_entry(sets, 12, 1, true, 1);
    same = sets->entries[0].shard;
    sets = step(sets, (struct given[]){ { 10, 1, 3, 0 }, { 12, 1, 1, 1 } }, 2, 10, 10, false);
    assert_ptr_equal(sets->entries[0].shard, same); /* shared, not made anew */
    sets = step(sets, (struct given[]){ { 10, 1, 4, 0 }, { 11, 5, 6, 1 }, { 12, 1, 1, 1 } }, 3, 10,
                10, true);
    check_entry(sets, 10, 4, true, 0);
    check_entry(sets, 11, 2, true, 1);
    /* A storer is away: nothing is taken back. */
    sets = step(sets, (struct given[]){ { 10, 1, 4, 0 } }, 1, 10, 10, true);
    check_entry(sets, 10, 4, true, 0);
    check_entry(sets, 11, 2, false, 1);
    /* Another replica, which lacks some and has others: the union. */
    sets = step(sets, (struct given[]){ { 10, 3, 6, 2 }, { 11, 5, 6, 1 }, { 12, 1, 1, 1 } }, 3, 10,
                10, true);
    check_entry(sets, 10, 6, true, 2);
    check_entry(sets, 11, 2, true, 1);
    /* Only hour 12 was asked for: the others stay as they were. */
    sets = step(sets, (struct given[]){ { 12, 1, 2, 1 } }, 1, 12, 10, true);
    check_entry(sets, 10, 6, true, 2);
    check_entry(sets, 12, 2, true, 1);
    /* Nobody looks at hour 10 any more. */
    sets = step(sets, (struct given[]){ { 12, 1, 2, 1 } }, 1, 12, 11, true);
    assert_int_equal(sets->count, 2);
    check_entry(sets, 11, 2, true, 1);
    slg_tail_sets_unref(sets);
}

static void test_broken_answer(void **state)
{
    struct slg_tail_sets *sets = step(NULL, (struct given[]){ { 10, 1, 3, 0 } }, 1, 10, 10, true);
    struct slg_tail_sets *next;
    struct look_data data;
    bool changed;

    (void)state;
    make_look(&data, (struct given[]){ { 10, 1, 4, 0 }, { 11, 1, 4, 0 } }, 2);
    data.look.asked_from_ns = data.look.from_ns = 10 * HOUR_NS;
    data.answers[0].set.set.len--;
    data.answers[1].set.set.len--;
    assert_int_equal(slg_tail_sets_next(sets, &data.look, &next, &changed), SLG_OK);
    assert_int_equal(next->count, 1);
    check_entry(next, 10, 3, false, 0);
    slg_tail_sets_unref(sets);
    slg_tail_sets_unref(next);
    free_look(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_broken_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
