/* The algebra of sets of batch ids agrees with sets of bits, and decode(encode(x)) = x.
 * Oracle: a plain bitmap per incarnation; the seed is printed, SLG_SEED=n runs one again. */
#include "tests/helper/test.h"

#include "proto/batch_set.h"

#define ROUNDS       2000
#define START_COUNT  3
#define SEQUENCE_MAX 200

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

struct model {
    bool has[START_COUNT][SEQUENCE_MAX + 1];
};

static struct slg_incarnation start_of(size_t index)
{
    return (struct slg_incarnation){ .bytes = { [7] = (uint8_t)(3 * index) } };
}

static struct slg_batch_set *draw_set(struct model *model)
{
    struct slg_batch_set *set = slg_batch_set_create();
    size_t count = draw(40);

    assert_non_null(set);
    memset(model, 0, sizeof(*model));
    for (size_t i = 0; i < count; i++) {
        size_t start = draw(START_COUNT);
        struct slg_incarnation incarnation = start_of(start);
        uint64_t first = 1 + draw(SEQUENCE_MAX);
        uint64_t last = first + draw(draw(3) == 0 ? 20 : 2);

        if (last > SEQUENCE_MAX)
            last = SEQUENCE_MAX;
        assert_int_equal(slg_batch_set_add_range(set, &incarnation, first, last), SLG_OK);
        for (uint64_t sequence = first; sequence <= last; sequence++)
            model->has[start][sequence] = true;
    }
    return set;
}

static void check_same(const struct slg_batch_set *set, const struct model *model)
{
    uint64_t count = 0, range_count = 0;

    for (size_t start = 0; start < START_COUNT; start++) {
        struct slg_incarnation incarnation = start_of(start);

        for (uint64_t sequence = 1; sequence <= SEQUENCE_MAX; sequence++) {
            bool has = model->has[start][sequence];

            assert_int_equal(slg_batch_set_has(set, &incarnation, sequence), has);
            count += has;
            range_count += has && !model->has[start][sequence - 1];
        }
    }
    assert_int_equal(slg_batch_set_count(set), count);
    assert_int_equal(slg_batch_set_range_count(set), range_count);
}

static void check_wire(const struct slg_batch_set *set, const struct model *model)
{
    struct slg_batch_set *back = NULL;
    struct slg_cursor c;
    struct slg_buf out;
    uint8_t *bytes;

    slg_buf_init(&out, 1 << 20);
    slg_batch_set_encode(&out, set);
    bytes = test_block(out.data, out.len);
    c = slg_cursor_make(bytes, out.len);
    assert_int_equal(slg_batch_set_decode(&c, &back), SLG_OK);
    assert_int_equal(slg_cursor_left(&c), 0);
    check_same(back, model);
    slg_batch_set_destroy(back);
    for (size_t len = 0; len < out.len; len++) { /* every cut is refused */
        c = slg_cursor_make(bytes, len);
        assert_int_equal(slg_batch_set_decode(&c, &back), SLG_MALFORMED);
    }
    free(bytes);
    slg_buf_fini(&out);
}

static void run_round(void)
{
    struct model a_model, b_model;
    struct slg_batch_set *a = draw_set(&a_model), *b = draw_set(&b_model);
    bool a_has_b = true;

    check_same(a, &a_model);
    check_wire(a, &a_model);
    for (size_t start = 0; start < START_COUNT; start++)
        for (size_t i = 1; i <= SEQUENCE_MAX; i++) {
            a_has_b = a_has_b && (a_model.has[start][i] || !b_model.has[start][i]);
            a_model.has[start][i] |= b_model.has[start][i];
        }
    assert_int_equal(slg_batch_set_contains(a, b), a_has_b);
    assert_int_equal(slg_batch_set_union(a, b), SLG_OK);
    check_same(a, &a_model);
    check_same(b, &b_model);
    assert_true(slg_batch_set_contains(a, b));
    slg_batch_set_destroy(a);
    slg_batch_set_destroy(b);
}

static void test_model(void **state)
{
    const char *given = getenv("SLG_SEED");
    uint64_t seed = given == NULL ? 77 : strtoull(given, NULL, 10);

    (void)state;
    print_message("seeds from %llu\n", (unsigned long long)seed);
    for (uint64_t round = 0; round < (given == NULL ? ROUNDS : 1); round++) {
        random_state = (seed + round) * UINT64_C(0x9E3779B97F4A7C15) | 1;
        run_round();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_model) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
