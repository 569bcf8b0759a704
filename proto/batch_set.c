#include "proto/batch_set.h"

#include "base/bytes.h"
#include "proto/limits.h"

#define RANGES_MIN      ((size_t)16)
#define ID_BYTES        ((size_t)52)
#define RANGE_BYTES_MIN 2 /* encoded: gap and length, one byte each */
#define SEQUENCES_APART 1 /* ranges that touch are one range */

/* Ranges in order of (incarnation, first), disjoint, and of one incarnation never touching. */
struct slg_batch_set {
    struct slg_batch_range *ranges;
    size_t range_count;
    size_t capacity;
};

/* ---- digest ---- */

static struct slg_hash128 hash_id(const struct slg_batch_id *id)
{
    uint8_t bytes[ID_BYTES];

    memcpy(bytes, id->incarnation.bytes, SLG_INCARNATION_BYTES);
    slg_bytes_put_u64be(bytes + 24, (uint64_t)id->shard.window_ns);
    slg_bytes_put_u64be(bytes + 32, (uint64_t)id->shard.length_ns);
    slg_bytes_put_u16be(bytes + 40, id->shard.slot);
    slg_bytes_put_u16be(bytes + 42, id->shard.slot_count);
    slg_bytes_put_u64be(bytes + 44, id->sequence);
    return slg_hash_xxh3_128(bytes, sizeof(bytes));
}

void slg_batch_set_digest_add(struct slg_batch_set_digest *digest, const struct slg_batch_id *id)
{
    struct slg_hash128 hash = hash_id(id);

    digest->sum.low += hash.low;
    digest->sum.high += hash.high + (digest->sum.low < hash.low);
    digest->count++;
}

void slg_batch_set_digest_remove(struct slg_batch_set_digest *digest, const struct slg_batch_id *id)
{
    struct slg_hash128 hash = hash_id(id);
    bool borrow = digest->sum.low < hash.low;

    SLG_ASSERT(digest->count > 0);
    digest->sum.low -= hash.low;
    digest->sum.high -= hash.high + borrow;
    digest->count--;
}

bool slg_batch_set_digest_equal(const struct slg_batch_set_digest *a,
                                const struct slg_batch_set_digest *b)
{
    return a->sum.high == b->sum.high && a->sum.low == b->sum.low && a->count == b->count;
}

/* ---- life ---- */

struct slg_batch_set *slg_batch_set_create(void)
{
    return calloc(1, sizeof(struct slg_batch_set));
}

void slg_batch_set_destroy(struct slg_batch_set *set)
{
    if (set == NULL)
        return;
    free(set->ranges);
    free(set);
}

/* Room for range_count ranges. */
static enum slg_status reserve(struct slg_batch_set *set, size_t range_count)
{
    size_t capacity = set->capacity == 0 ? RANGES_MIN : set->capacity;
    struct slg_batch_range *ranges;

    if (range_count > SLG_SET_RANGE_COUNT_MAX)
        return SLG_LIMIT;
    if (range_count <= set->capacity)
        return SLG_OK;
    while (capacity < range_count)
        capacity *= 2;
    ranges = realloc(set->ranges, capacity * sizeof(*ranges));
    if (ranges == NULL)
        return SLG_NO_MEMORY;
    set->ranges = ranges;
    set->capacity = capacity;
    return SLG_OK;
}

/* ---- changing ---- */

static int compare_incarnation(const struct slg_incarnation *a, const struct slg_incarnation *b)
{
    return memcmp(a->bytes, b->bytes, SLG_INCARNATION_BYTES);
}

/* Index of the first range whose incarnation is greater, or equal with last >= sequence. */
static size_t find(const struct slg_batch_set *set, const struct slg_incarnation *incarnation,
                   uint64_t sequence)
{
    size_t low = 0, high = set->range_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct slg_batch_range *range = &set->ranges[middle];
        int order = compare_incarnation(&range->incarnation, incarnation);

        if (order < 0 || (order == 0 && range->last < sequence))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum slg_status slg_batch_set_add(struct slg_batch_set *set,
                                  const struct slg_incarnation *incarnation, uint64_t sequence)
{
    return slg_batch_set_add_range(set, incarnation, sequence, sequence);
}

enum slg_status slg_batch_set_add_range(struct slg_batch_set *set,
                                        const struct slg_incarnation *incarnation, uint64_t first,
                                        uint64_t last)
{
    struct slg_batch_range range = { .incarnation = *incarnation, .first = first, .last = last };
    size_t begin, end;

    if (first == 0 || last < first || last > SLG_BATCH_SEQUENCE_MAX)
        return SLG_INVALID;
    /* The ranges [begin, end) overlap or touch the new one: they become one range with it. */
    begin = find(set, incarnation, first - SEQUENCES_APART);
    end = begin;
    while (end < set->range_count &&
           compare_incarnation(&set->ranges[end].incarnation, incarnation) == 0 &&
           set->ranges[end].first <= last + SEQUENCES_APART)
        end++;
    if (begin == end) {
        enum slg_status status = reserve(set, set->range_count + 1);

        if (status != SLG_OK)
            return status;
    } else {
        if (set->ranges[begin].first < first)
            range.first = set->ranges[begin].first;
        if (set->ranges[end - 1].last > last)
            range.last = set->ranges[end - 1].last;
    }
    memmove(set->ranges + begin + 1, set->ranges + end,
            (set->range_count - end) * sizeof(*set->ranges));
    set->ranges[begin] = range;
    set->range_count = set->range_count - (end - begin) + 1;
    return SLG_OK;
}

/* Append to a set under construction, in order; ranges that overlap or touch are united. */
static void append_in_order(struct slg_batch_set *set, const struct slg_batch_range *range)
{
    struct slg_batch_range *top = set->range_count == 0 ? NULL : &set->ranges[set->range_count - 1];

    if (top != NULL && compare_incarnation(&top->incarnation, &range->incarnation) == 0 &&
        range->first <= top->last + SEQUENCES_APART) {
        if (range->last > top->last)
            top->last = range->last;
        return;
    }
    set->ranges[set->range_count++] = *range;
}

static int compare_range(const struct slg_batch_range *a, const struct slg_batch_range *b)
{
    int order = compare_incarnation(&a->incarnation, &b->incarnation);

    return order != 0 ? order : (a->first > b->first) - (a->first < b->first);
}

enum slg_status slg_batch_set_union(struct slg_batch_set *into, const struct slg_batch_set *from)
{
    struct slg_batch_set both = { .ranges = NULL };
    size_t count = into->range_count + from->range_count;
    size_t a = 0, b = 0;

    if (from->range_count == 0 || from == into)
        return SLG_OK;
    /* Each side is within the limit; only what is left after uniting must be. */
    both.ranges = malloc(count * sizeof(*both.ranges));
    if (both.ranges == NULL)
        return SLG_NO_MEMORY;
    both.capacity = count;
    while (a < into->range_count || b < from->range_count) {
        if (b == from->range_count ||
            (a < into->range_count && compare_range(&into->ranges[a], &from->ranges[b]) <= 0))
            append_in_order(&both, &into->ranges[a++]);
        else
            append_in_order(&both, &from->ranges[b++]);
    }
    if (both.range_count > SLG_SET_RANGE_COUNT_MAX) {
        free(both.ranges);
        return SLG_LIMIT;
    }
    free(into->ranges);
    *into = both;
    return SLG_OK;
}

/* What is left of `range` when the ranges of `from` at *at and behind it are cut out. */
static void append_rest(struct slg_batch_set *out, struct slg_batch_range range,
                        const struct slg_batch_set *from, size_t *at)
{
    for (; *at < from->range_count; ++*at) {
        const struct slg_batch_range *cut = &from->ranges[*at];
        int order = compare_incarnation(&cut->incarnation, &range.incarnation);

        if (order < 0 || (order == 0 && cut->last < range.first))
            continue; /* before it, and so before all that follow */
        if (order > 0 || cut->first > range.last)
            break;
        if (cut->first > range.first) {
            struct slg_batch_range head = range;

            head.last = cut->first - 1;
            out->ranges[out->range_count++] = head;
        }
        if (cut->last >= range.last)
            return; /* this cut may reach into the next range, too */
        range.first = cut->last + 1;
    }
    out->ranges[out->range_count++] = range;
}

enum slg_status slg_batch_set_subtract(struct slg_batch_set *into, const struct slg_batch_set *from)
{
    struct slg_batch_set rest = { .ranges = NULL };
    size_t at = 0;

    if (into->range_count == 0 || from->range_count == 0)
        return SLG_OK;
    /* A cut splits one range into two at most. */
    rest.capacity = into->range_count + from->range_count;
    rest.ranges = malloc(rest.capacity * sizeof(*rest.ranges));
    if (rest.ranges == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < into->range_count; i++)
        append_rest(&rest, into->ranges[i], from, &at);
    if (rest.range_count > SLG_SET_RANGE_COUNT_MAX) {
        free(rest.ranges);
        return SLG_LIMIT;
    }
    free(into->ranges);
    *into = rest;
    return SLG_OK;
}

enum slg_status slg_batch_set_intersect(struct slg_batch_set *into,
                                        const struct slg_batch_set *from)
{
    struct slg_batch_set only = { .ranges = NULL }; /* what `from` lacks */
    enum slg_status status = slg_batch_set_union(&only, into);

    if (status == SLG_OK)
        status = slg_batch_set_subtract(&only, from);
    if (status == SLG_OK)
        status = slg_batch_set_subtract(into, &only);
    free(only.ranges);
    return status;
}

/* ---- asking ---- */

bool slg_batch_set_has(const struct slg_batch_set *set, const struct slg_incarnation *incarnation,
                       uint64_t sequence)
{
    size_t at = find(set, incarnation, sequence);

    return at < set->range_count &&
           compare_incarnation(&set->ranges[at].incarnation, incarnation) == 0 &&
           set->ranges[at].first <= sequence;
}

uint64_t slg_batch_set_count(const struct slg_batch_set *set)
{
    uint64_t count = 0; /* cannot overflow: 65536 ranges of less than 2^48 */

    for (size_t i = 0; i < set->range_count; i++)
        count += set->ranges[i].last - set->ranges[i].first + 1;
    return count;
}

bool slg_batch_set_contains(const struct slg_batch_set *whole, const struct slg_batch_set *part)
{
    size_t at = 0;

    for (size_t i = 0; i < part->range_count; i++) {
        const struct slg_batch_range *range = &part->ranges[i];
        const struct slg_batch_range *around;

        /* Both ascend: ranges of `whole` that end before this one are not needed again. */
        for (; at < whole->range_count; at++) {
            int order = compare_incarnation(&whole->ranges[at].incarnation, &range->incarnation);

            if (order > 0 || (order == 0 && whole->ranges[at].last >= range->last))
                break;
        }
        if (at == whole->range_count)
            return false;
        around = &whole->ranges[at];
        if (compare_incarnation(&around->incarnation, &range->incarnation) != 0 ||
            around->first > range->first)
            return false;
    }
    return true;
}

size_t slg_batch_set_range_count(const struct slg_batch_set *set)
{
    return set->range_count;
}

struct slg_batch_range slg_batch_set_range(const struct slg_batch_set *set, size_t range_index)
{
    SLG_ASSERT(range_index < set->range_count);
    return set->ranges[range_index];
}

/* ---- wire form, docs/FORMATS.md section 4 ---- */

/* End of the ranges of the incarnation that begins at `begin`. */
static size_t find_group_end(const struct slg_batch_set *set, size_t begin)
{
    size_t end = begin + 1;

    while (end < set->range_count &&
           compare_incarnation(&set->ranges[end].incarnation, &set->ranges[begin].incarnation) == 0)
        end++;
    return end;
}

void slg_batch_set_encode(struct slg_buf *out, const struct slg_batch_set *set)
{
    size_t group_count = 0;

    for (size_t i = 0; i < set->range_count; i = find_group_end(set, i))
        group_count++;
    slg_buf_append_varint(out, group_count);
    for (size_t i = 0; i < set->range_count;) {
        size_t end = find_group_end(set, i);
        uint64_t last = 0;

        slg_buf_append(out, set->ranges[i].incarnation.bytes, SLG_INCARNATION_BYTES);
        slg_buf_append_varint(out, end - i);
        for (; i < end; i++) {
            slg_buf_append_varint(out, set->ranges[i].first - last - 1);
            slg_buf_append_varint(out, set->ranges[i].last - set->ranges[i].first);
            last = set->ranges[i].last;
        }
    }
}

static bool take_range(struct slg_cursor *c, uint64_t last, struct slg_batch_range *range)
{
    uint64_t gap, length;

    if (!slg_cursor_take_varint(c, &gap) || (last > 0 && gap == 0) ||
        gap >= SLG_BATCH_SEQUENCE_MAX - last || !slg_cursor_take_varint(c, &length))
        return false;
    range->first = last + gap + 1;
    if (length > SLG_BATCH_SEQUENCE_MAX - range->first)
        return false;
    range->last = range->first + length;
    return true;
}

/* One incarnation with its ranges. */
static enum slg_status take_group(struct slg_cursor *c, struct slg_batch_set *set)
{
    struct slg_batch_range range;
    const uint8_t *incarnation;
    enum slg_status status;
    uint64_t range_count, last = 0;

    if (!slg_cursor_take_bytes(c, SLG_INCARNATION_BYTES, &incarnation) ||
        !slg_cursor_take_varint(c, &range_count) || range_count == 0 ||
        range_count > slg_cursor_left(c) / RANGE_BYTES_MIN ||
        range_count > SLG_SET_RANGE_COUNT_MAX - set->range_count)
        return SLG_MALFORMED;
    memcpy(range.incarnation.bytes, incarnation, SLG_INCARNATION_BYTES);
    if (set->range_count > 0 && compare_incarnation(&set->ranges[set->range_count - 1].incarnation,
                                                    &range.incarnation) >= 0)
        return SLG_MALFORMED;
    status = reserve(set, set->range_count + (size_t)range_count);
    if (status != SLG_OK)
        return status;
    for (uint64_t i = 0; i < range_count; i++) {
        if (!take_range(c, last, &range))
            return SLG_MALFORMED;
        set->ranges[set->range_count++] = range;
        last = range.last;
    }
    return SLG_OK;
}

enum slg_status slg_batch_set_decode(struct slg_cursor *c, struct slg_batch_set **ret_set)
{
    struct slg_cursor probe = *c;
    struct slg_batch_set *set;
    enum slg_status status = SLG_OK;
    uint64_t group_count;

    if (!slg_cursor_take_varint(&probe, &group_count) || group_count > SLG_SET_RANGE_COUNT_MAX)
        return SLG_MALFORMED;
    set = slg_batch_set_create();
    if (set == NULL)
        return SLG_NO_MEMORY;
    for (uint64_t i = 0; i < group_count && status == SLG_OK; i++)
        status = take_group(&probe, set);
    if (status != SLG_OK) {
        slg_batch_set_destroy(set);
        return status;
    }
    *c = probe;
    *ret_set = set;
    return SLG_OK;
}
