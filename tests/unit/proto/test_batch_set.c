/* A set is exactly the ids that were added, as ranges in one form; its digest follows it by additions.
 * Oracle: the worked bytes of docs/FORMATS.md section 4; tests/property/test_batch_set_model.c has the bitmap. */
#include "tests/helper/test.h"

#include "proto/batch_set.h"
#include "proto/limits.h"

#define ZEROS_23 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct slg_incarnation first_start = { .bytes = { [23] = 1 } };
static const struct slg_incarnation second_start = { .bytes = { [23] = 2 } };

static void test_worked_bytes(void **state)
{
    static const char worked[] = "\x01" ZEROS_23 "\x01\x02\x00\x02\x01\x00";
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_buf out;

    (void)state;
    assert_non_null(set);
    assert_int_equal(slg_batch_set_add(set, &first_start, 5), SLG_OK);
    assert_int_equal(slg_batch_set_add(set, &first_start, 2), SLG_OK);
    assert_int_equal(slg_batch_set_add(set, &first_start, 1), SLG_OK);
    assert_int_equal(slg_batch_set_add(set, &first_start, 3), SLG_OK);
    assert_int_equal(slg_batch_set_add(set, &first_start, 2), SLG_OK);
    slg_buf_init(&out, 4096);
    slg_batch_set_encode(&out, set);
    assert_int_equal(out.len, sizeof(worked) - 1);
    assert_memory_equal(out.data, worked, out.len);
    slg_buf_fini(&out);
    slg_batch_set_destroy(set);
}

static const struct add_case {
    const char *name;
    uint64_t first, last;
    enum slg_status want;
    size_t range_count; /* after adding to {10-20, 30-40} */
    uint64_t count;
} add_cases[] = {
    { "inside", 12, 13, SLG_OK, 2, 22 },
    { "touches from below", 5, 9, SLG_OK, 2, 27 },
    { "touches from above", 21, 22, SLG_OK, 2, 24 },
    { "joins two", 21, 29, SLG_OK, 1, 31 },
    { "covers all", 1, 100, SLG_OK, 1, 100 },
    { "between", 25, 25, SLG_OK, 3, 23 },
    { "before all", 1, 8, SLG_OK, 3, 30 },
    { "after all", 42, 42, SLG_OK, 3, 23 },
    { "greatest", SLG_BATCH_SEQUENCE_MAX, SLG_BATCH_SEQUENCE_MAX, SLG_OK, 3, 23 },
    { "zero", 0, 5, SLG_INVALID, 2, 22 },
    { "reversed", 5, 4, SLG_INVALID, 2, 22 },
    { "too great", 5, SLG_BATCH_SEQUENCE_MAX + 1, SLG_INVALID, 2, 22 },
};

static void test_adding_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(add_cases); i++) {
        const struct add_case *row = &add_cases[i];
        struct slg_batch_set *set = slg_batch_set_create();

        assert_non_null(set);
        assert_int_equal(slg_batch_set_add_range(set, &first_start, 30, 40), SLG_OK);
        assert_int_equal(slg_batch_set_add_range(set, &first_start, 10, 20), SLG_OK);
        CHECK(row->name,
              slg_batch_set_add_range(set, &first_start, row->first, row->last) == row->want);
        CHECK(row->name, slg_batch_set_range_count(set) == row->range_count);
        CHECK(row->name, slg_batch_set_count(set) == row->count);
        slg_batch_set_destroy(set);
    }
}

static void test_incarnations_are_apart(void **state)
{
    struct slg_batch_set *set = slg_batch_set_create();

    (void)state;
    assert_non_null(set);
    assert_int_equal(slg_batch_set_add_range(set, &second_start, 1, 5), SLG_OK);
    assert_int_equal(slg_batch_set_add_range(set, &first_start, 6, 9), SLG_OK);
    assert_int_equal(slg_batch_set_range_count(set), 2);
    assert_int_equal(slg_batch_set_range(set, 0).incarnation.bytes[23], 1);
    assert_true(slg_batch_set_has(set, &first_start, 6));
    assert_false(slg_batch_set_has(set, &first_start, 5));
    assert_false(slg_batch_set_has(set, &second_start, 6));
    assert_true(slg_batch_set_has(set, &second_start, 1));
    slg_batch_set_destroy(set);
}

static const struct decode_case {
    const char *name;
    const char *bytes;
    size_t len;
    enum slg_status want;
    size_t left;
} decode_cases[] = {
    { "empty set", "\0", 1, SLG_OK, 0 },
    { "bytes may follow", "\0\x05", 2, SLG_OK, 1 },
    { "one id", "\x01" ZEROS_23 "\x01\x01\x00\x00", 28, SLG_OK, 0 },
    { "nothing", "", 0, SLG_MALFORMED, 0 },
    { "cut in the incarnation", "\x01" ZEROS_23, 24, SLG_MALFORMED, 24 },
    { "cut in a range", "\x01" ZEROS_23 "\x01\x01\x00", 27, SLG_MALFORMED, 27 },
    { "no ranges", "\x01" ZEROS_23 "\x01\x00", 26, SLG_MALFORMED, 26 },
    { "ranges touch", "\x01" ZEROS_23 "\x01\x02\x00\x00\x00\x00", 30, SLG_MALFORMED, 30 },
    { "incarnation twice", "\x02" ZEROS_23 "\x01\x01\x00\x00" ZEROS_23 "\x01\x01\x05\x00", 55,
      SLG_MALFORMED, 55 },
    { "incarnations descend", "\x02" ZEROS_23 "\x02\x01\x00\x00" ZEROS_23 "\x01\x01\x05\x00", 55,
      SLG_MALFORMED, 55 },
    { "more ranges than bytes", "\x01" ZEROS_23 "\x01\x7f\x00\x00", 28, SLG_MALFORMED, 28 },
    { "gap past the greatest", "\x01" ZEROS_23 "\x01\x01\xff\xff\xff\xff\xff\xff\x3f\x00", 34,
      SLG_MALFORMED, 34 },
    { "greatest sequence", "\x01" ZEROS_23 "\x01\x01\xfe\xff\xff\xff\xff\xff\x3f\x00", 34, SLG_OK,
      0 },
    { "length past the greatest", "\x01" ZEROS_23 "\x01\x01\x00\xff\xff\xff\xff\xff\xff\x3f", 34,
      SLG_MALFORMED, 34 },
    { "more incarnations than the limit", "\x81\x80\x04", 3, SLG_MALFORMED, 3 },
};

static void test_decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(decode_cases); i++) {
        const struct decode_case *row = &decode_cases[i];
        uint8_t *bytes = test_block(row->bytes, row->len);
        struct slg_cursor c = slg_cursor_make(bytes, row->len);
        struct slg_batch_set *set = NULL;

        CHECK(row->name, slg_batch_set_decode(&c, &set) == row->want);
        CHECK(row->name, (set != NULL) == (row->want == SLG_OK));
        CHECK(row->name, slg_cursor_left(&c) == row->left);
        slg_batch_set_destroy(set);
        free(bytes);
    }
}

/* Sets of two incarnations and sequences 1 to 24 as bits. Oracle: the bits. */
static struct slg_batch_set *set_of_bits(uint64_t bits)
{
    struct slg_batch_set *set = slg_batch_set_create();

    assert_non_null(set);
    for (unsigned i = 0; i < 48; i++) {
        struct slg_incarnation incarnation = { { (uint8_t)(i / 24) } };

        if ((bits >> i & 1) != 0)
            assert_int_equal(slg_batch_set_add(set, &incarnation, i % 24 + 1), SLG_OK);
    }
    return set;
}

static uint64_t bits_of_set(const struct slg_batch_set *set)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 48; i++) {
        struct slg_incarnation incarnation = { { (uint8_t)(i / 24) } };

        if (slg_batch_set_has(set, &incarnation, i % 24 + 1))
            bits |= UINT64_C(1) << i;
    }
    return bits;
}

static void test_algebra(void **state)
{
    uint64_t random = 88172645463325252U;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint64_t bits[2];
        struct slg_batch_set *a, *b, *c;

        for (int i = 0; i < 2; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bits[i] = random & (random >> (round % 3)) & ((UINT64_C(1) << 48) - 1);
        }
        a = set_of_bits(bits[0]);
        b = set_of_bits(bits[1]);
        c = set_of_bits(bits[0]);
        assert_int_equal(slg_batch_set_subtract(a, b), SLG_OK);
        assert_true(bits_of_set(a) == (bits[0] & ~bits[1]));
        assert_int_equal(slg_batch_set_intersect(c, b), SLG_OK);
        assert_true(bits_of_set(c) == (bits[0] & bits[1]));
        assert_int_equal(slg_batch_set_union(c, a), SLG_OK);
        assert_true(bits_of_set(c) == bits[0]);
        /* Whole again, ranges too: nothing is split that touches. */
        slg_batch_set_destroy(a);
        a = set_of_bits(bits[0]);
        assert_int_equal(slg_batch_set_range_count(a), slg_batch_set_range_count(c));
        slg_batch_set_destroy(a);
        slg_batch_set_destroy(b);
        slg_batch_set_destroy(c);
    }
}

static void test_range_limit(void **state)
{
    struct slg_batch_set *full = slg_batch_set_create();
    struct slg_batch_set *other = slg_batch_set_create();

    (void)state;
    assert_true(full != NULL && other != NULL);
    for (uint64_t i = 0; i < SLG_SET_RANGE_COUNT_MAX; i++)
        assert_int_equal(slg_batch_set_add(full, &first_start, 1 + 2 * i), SLG_OK);
    assert_int_equal(slg_batch_set_add(full, &second_start, 1), SLG_LIMIT);
    assert_int_equal(slg_batch_set_add(full, &first_start, 2), SLG_OK); /* joins two: room again */
    assert_int_equal(slg_batch_set_add(full, &second_start, 1), SLG_OK);
    assert_int_equal(slg_batch_set_add_range(other, &second_start, 3, 4), SLG_OK);
    assert_int_equal(slg_batch_set_union(full, other), SLG_LIMIT);
    assert_int_equal(slg_batch_set_range_count(full), SLG_SET_RANGE_COUNT_MAX);
    assert_int_equal(slg_batch_set_add_range(other, &second_start, 2, 2), SLG_OK);
    assert_int_equal(slg_batch_set_union(full, other), SLG_OK); /* touches: no new range */
    assert_true(slg_batch_set_contains(full, other));
    assert_false(slg_batch_set_contains(other, full));
    slg_batch_set_destroy(full);
    slg_batch_set_destroy(other);
}

static void test_digest_follows_the_set(void **state)
{
    struct slg_batch_set_digest a = { .count = 0 }, b = { .count = 0 };
    struct slg_batch_id id = { .shard = { .length_ns = 1, .slot_count = 1 } };

    (void)state;
    for (id.sequence = 1; id.sequence <= 1000; id.sequence++)
        slg_batch_set_digest_add(&a, &id);
    for (id.sequence = 1500; id.sequence >= 1; id.sequence--)
        slg_batch_set_digest_add(&b, &id);
    assert_false(slg_batch_set_digest_equal(&a, &b));
    for (id.sequence = 1001; id.sequence <= 1500; id.sequence++)
        slg_batch_set_digest_remove(&b, &id);
    assert_true(slg_batch_set_digest_equal(&a, &b));
    id.sequence = 1;
    slg_batch_set_digest_remove(&a, &id);
    id.shard.slot_count = 2; /* the shard is part of the id */
    slg_batch_set_digest_add(&a, &id);
    assert_false(slg_batch_set_digest_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_bytes),
        cmocka_unit_test(test_adding_ranges),
        cmocka_unit_test(test_incarnations_are_apart),
        cmocka_unit_test(test_decoding),
        cmocka_unit_test(test_algebra),
        cmocka_unit_test(test_range_limit),
        cmocka_unit_test(test_digest_follows_the_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
