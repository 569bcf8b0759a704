/* Sets of batch ids from outside: what decodes is in order, encodes to a set that is equal, and is its own union.
 * A second set behind it: the laws of sets hold for the two.
 * Covers: batch_set.c */
#include "base/assert.h"
#include "proto/batch_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same set, range by range from the end, and its digest there and back. */
static void rebuild(const struct slg_batch_set *set, uint64_t count)
{
    struct slg_batch_set *again = slg_batch_set_create();
    struct slg_batch_set_digest digest = { .count = 0 }, empty = { .count = 0 };
    struct slg_batch_id id = { .shard = { .length_ns = 1, .slot_count = 1 } };

    SLG_ASSERT(again != NULL);
    for (size_t i = slg_batch_set_range_count(set); i-- > 0;) {
        struct slg_batch_range range = slg_batch_set_range(set, i);

        SLG_ASSERT(slg_batch_set_add(again, &range.incarnation, range.last) == SLG_OK);
        SLG_ASSERT(slg_batch_set_add_range(again, &range.incarnation, range.first, range.last) ==
                   SLG_OK);
        id.incarnation = range.incarnation;
        id.sequence = range.first;
        slg_batch_set_digest_add(&digest, &id);
    }
    SLG_ASSERT(slg_batch_set_count(again) == count);
    for (size_t i = 0; i < slg_batch_set_range_count(set); i++) {
        id.incarnation = slg_batch_set_range(set, i).incarnation;
        id.sequence = slg_batch_set_range(set, i).first;
        slg_batch_set_digest_remove(&digest, &id);
    }
    SLG_ASSERT(slg_batch_set_digest_equal(&digest, &empty));
    slg_batch_set_destroy(again);
}

static void use(struct slg_batch_set *set)
{
    struct slg_batch_set *again = NULL;
    struct slg_cursor c;
    struct slg_buf out;
    uint64_t count = 0;

    for (size_t i = 0; i < slg_batch_set_range_count(set); i++) {
        struct slg_batch_range range = slg_batch_set_range(set, i);

        SLG_ASSERT(range.first >= 1 && range.last >= range.first);
        SLG_ASSERT(slg_batch_set_has(set, &range.incarnation, range.last));
        count += range.last - range.first + 1;
    }
    SLG_ASSERT(count == slg_batch_set_count(set));
    slg_buf_init(&out, (size_t)8 << 20);
    slg_batch_set_encode(&out, set);
    c = slg_cursor_make(out.data, out.len);
    SLG_ASSERT(slg_batch_set_decode(&c, &again) == SLG_OK);
    SLG_ASSERT(slg_batch_set_contains(set, again) && slg_batch_set_contains(again, set));
    SLG_ASSERT(slg_batch_set_union(again, set) == SLG_OK);
    SLG_ASSERT(slg_batch_set_count(again) == count);
    slg_batch_set_destroy(again);
    slg_buf_fini(&out);
    rebuild(set, count);
}

static struct slg_batch_set *copy_of(const struct slg_batch_set *set)
{
    struct slg_batch_set *copy = slg_batch_set_create();

    SLG_ASSERT(copy != NULL);
    SLG_ASSERT(slg_batch_set_union(copy, set) == SLG_OK);
    return copy;
}

/* The laws of sets: a = (a - b) + (a & b), |a or b| = |a| + |b| - |a & b|. */
static void check_two(const struct slg_batch_set *a, const struct slg_batch_set *b)
{
    struct slg_batch_set *rest = copy_of(a), *common = copy_of(a), *all = copy_of(a);

    SLG_ASSERT(slg_batch_set_subtract(rest, b) == SLG_OK);
    SLG_ASSERT(slg_batch_set_intersect(common, b) == SLG_OK);
    SLG_ASSERT(slg_batch_set_union(all, b) == SLG_OK);
    SLG_ASSERT(slg_batch_set_count(rest) + slg_batch_set_count(common) == slg_batch_set_count(a));
    SLG_ASSERT(slg_batch_set_count(all) == slg_batch_set_count(rest) + slg_batch_set_count(b));
    SLG_ASSERT(slg_batch_set_contains(a, common) && slg_batch_set_contains(b, common));
    SLG_ASSERT(slg_batch_set_contains(all, a) && slg_batch_set_contains(all, b));
    SLG_ASSERT(slg_batch_set_contains(b, a) == (slg_batch_set_count(rest) == 0));
    SLG_ASSERT(slg_batch_set_union(rest, common) == SLG_OK);
    SLG_ASSERT(slg_batch_set_contains(rest, a) && slg_batch_set_contains(a, rest));
    slg_batch_set_destroy(all);
    slg_batch_set_destroy(common);
    slg_batch_set_destroy(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_cursor c = slg_cursor_make(data, size);
    struct slg_batch_set *set = NULL, *other = NULL;

    if (slg_batch_set_decode(&c, &set) != SLG_OK)
        return 0;
    use(set);
    if (slg_batch_set_decode(&c, &other) == SLG_OK) {
        check_two(set, other);
        check_two(other, set);
        slg_batch_set_destroy(other);
    }
    slg_batch_set_destroy(set);
    return 0;
}
