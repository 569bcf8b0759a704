#include "logql/eval/partial.h"

#include <math.h>

#define SLOT_COUNT_MIN ((size_t)16)
#define HASHED_BYTES_MAX                                                                           \
    ((size_t)12288) /* of a stack of 16 KiB; a stream's labels may have a little more */

void slg_origin_table_init(struct slg_origin_table *table, struct slg_arena *arena)
{
    *table = (struct slg_origin_table){ .arena = arena };
}

uint64_t slg_origin_hash(const struct slg_label_set *labels)
{
    uint8_t bytes[HASHED_BYTES_MAX];
    size_t len = 0;

    for (size_t i = 0; i < labels->count; i++) {
        const struct slg_text parts[2] = { labels->items[i].name, labels->items[i].value };

        for (size_t k = 0; k < 2; k++) {
            if (parts[k].len >= sizeof(bytes) - len)
                return slg_hash_xxh64(bytes,
                                      len); /* over the limit of a stream: any order will do */
            if (parts[k].len > 0)
                memcpy(bytes + len, parts[k].at, parts[k].len);
            len += parts[k].len;
            bytes[len++] = 0xFF;
        }
    }
    return slg_hash_xxh64(bytes, len);
}

int slg_batch_order(const struct slg_batch_id *a, const struct slg_batch_id *b)
{
    int order = slg_batch_id_compare(a, b);

    return order != 0 ? order : slg_shard_id_compare(&a->shard, &b->shard);
}

int slg_origin_compare(const struct slg_origin *a, const struct slg_origin *b)
{
    if (a->stream_hash != b->stream_hash)
        return a->stream_hash < b->stream_hash ? -1 : 1;
    return slg_batch_order(&a->batch, &b->batch);
}

static uint64_t hash_origin(const struct slg_origin *origin)
{
    const struct slg_batch_id *id = &origin->batch;
    const uint64_t rest[4] = { (uint64_t)id->shard.window_ns, id->sequence, id->shard.slot,
                               origin->stream_hash };

    return slg_hash_xxh3_seeded(id->incarnation.bytes, sizeof(id->incarnation.bytes),
                                slg_hash_xxh3(rest, sizeof(rest)));
}

static bool grow_table(struct slg_origin_table *t)
{
    size_t capacity = t->capacity == 0 ? SLOT_COUNT_MIN / 2 : t->capacity * 2;
    size_t slot_count = capacity * 2;
    struct slg_origin *origins =
        slg_arena_grow(t->arena, t->origins, t->count, capacity, sizeof(*t->origins));
    uint32_t *slots;

    if (origins == NULL)
        return false;
    t->origins = origins;
    slots = slg_arena_calloc(t->arena, slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        size_t at = hash_origin(&origins[i]) & (slot_count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    t->slots = slots;
    t->capacity = capacity;
    t->slot_count = slot_count;
    return true;
}

bool slg_origin_table_index(struct slg_origin_table *t, const struct slg_origin *origin,
                            uint32_t *ret_index)
{
    size_t at;

    if (t->count > 0 && slg_origin_compare(&t->origins[t->last], origin) == 0) {
        *ret_index = t->last;
        return true;
    }
    if (t->count == t->capacity && (t->count >= UINT32_MAX / 4 || !grow_table(t)))
        return false;
    at = hash_origin(origin) & (t->slot_count - 1);
    while (t->slots[at] != 0 && slg_origin_compare(&t->origins[t->slots[at] - 1], origin) != 0)
        at = (at + 1) & (t->slot_count - 1);
    if (t->slots[at] == 0) {
        t->origins[t->count++] = *origin;
        t->slots[at] = (uint32_t)t->count;
    }
    t->last = t->slots[at] - 1;
    *ret_index = t->last;
    return true;
}

enum slg_accumulator slg_accumulator_of(const struct slg_logql_range_aggregation *range)
{
    switch (range->op) {
    case SLG_LOGQL_RANGE_RATE:
        return range->unwrap.present ? SLG_ACCUMULATE_SUM : SLG_ACCUMULATE_COUNT;
    case SLG_LOGQL_RANGE_COUNT:
    case SLG_LOGQL_RANGE_BYTES:
    case SLG_LOGQL_RANGE_BYTES_RATE:
        return SLG_ACCUMULATE_COUNT;
    case SLG_LOGQL_RANGE_SUM:
        return SLG_ACCUMULATE_SUM;
    case SLG_LOGQL_RANGE_AVG:
    case SLG_LOGQL_RANGE_STDVAR:
    case SLG_LOGQL_RANGE_STDDEV:
        return SLG_ACCUMULATE_MOMENTS;
    case SLG_LOGQL_RANGE_MIN:
        return SLG_ACCUMULATE_MIN;
    case SLG_LOGQL_RANGE_MAX:
        return SLG_ACCUMULATE_MAX;
    case SLG_LOGQL_RANGE_FIRST:
        return SLG_ACCUMULATE_FIRST;
    case SLG_LOGQL_RANGE_LAST:
        return SLG_ACCUMULATE_LAST;
    case SLG_LOGQL_RANGE_ABSENT:
        return SLG_ACCUMULATE_PRESENT;
    case SLG_LOGQL_RANGE_QUANTILE:
    case SLG_LOGQL_RANGE_RATE_COUNTER:
        break;
    }
    return SLG_ACCUMULATE_SAMPLES;
}

bool slg_accumulator_needs_order(const struct slg_logql_range_aggregation *range)
{
    return range->op == SLG_LOGQL_RANGE_FIRST || range->op == SLG_LOGQL_RANGE_LAST ||
           range->op == SLG_LOGQL_RANGE_RATE_COUNTER;
}

struct slg_partial slg_partial_of(enum slg_accumulator kind, const struct slg_sample *sample,
                                  uint32_t bucket)
{
    struct slg_partial partial = { .a = sample->value, .b = 0, .c = 0, .bucket = bucket };

    switch (kind) {
    case SLG_ACCUMULATE_MOMENTS:
        partial.a = 1;
        partial.b = sample->value;
        /* Welford from a mean of 0, as Loki's stdvar_over_time: an infinite sample makes it NaN. */
        partial.c = isfinite(sample->value) ? 0 : (double)NAN;
        break;
    case SLG_ACCUMULATE_FIRST:
    case SLG_ACCUMULATE_LAST:
        partial.ts_ns = sample->ts_ns;
        partial.origin_index = sample->origin_index;
        partial.position = sample->position;
        break;
    case SLG_ACCUMULATE_PRESENT:
        partial.a = 1;
        break;
    case SLG_ACCUMULATE_COUNT:
    case SLG_ACCUMULATE_SUM:
    case SLG_ACCUMULATE_MIN:
    case SLG_ACCUMULATE_MAX:
    case SLG_ACCUMULATE_SAMPLES:
        break;
    }
    return partial;
}

/* Neumaier's compensated sum: the error of each addition goes to *error, so that the order of additions hardly
 * shows. An infinite sum has no error. */
static void add_compensated(double *sum, double *error, double value)
{
    double total = *sum + value;

    if (isfinite(total)) {
        if (fabs(*sum) >= fabs(value))
            *error += (*sum - total) + value;
        else
            *error += (value - total) + *sum;
    }
    *sum = total;
}

/* Chan's merge of count, mean and squared distances; the mean in the form of Loki's avg_over_time, which neither
 * overflows nor leaves an infinity once it is there. */
static void merge_moments(struct slg_partial *into, const struct slg_partial *other)
{
    double count = into->a + other->a;
    double delta = other->b - into->b;
    bool keeps = isinf(into->b) &&
                 (isfinite(other->b) || (isinf(other->b) && (into->b > 0) == (other->b > 0)));

    if (isfinite(delta))
        into->c += other->c + delta * delta * (into->a * (other->a / count));
    else
        into->c = (double)NAN;
    if (isinf(other->b) && isfinite(into->b))
        into->b = other->b;
    else if (!keeps)
        into->b += (other->b / count - into->b / count) * other->a;
    into->a = count;
}

static int compare_order(const struct slg_origin_table *table, const struct slg_partial *a,
                         const struct slg_partial *b)
{
    int order;

    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    if (a->origin_index != b->origin_index) {
        order =
            slg_origin_compare(&table->origins[a->origin_index], &table->origins[b->origin_index]);
        if (order != 0)
            return order;
    }
    return a->position < b->position ? -1 : a->position > b->position;
}

static void take_value(struct slg_partial *into, const struct slg_partial *other)
{
    uint32_t bucket = into->bucket;

    *into = *other;
    into->bucket = bucket;
}

void slg_partial_merge(enum slg_accumulator kind, const struct slg_origin_table *table,
                       struct slg_partial *into, const struct slg_partial *other)
{
    switch (kind) {
    case SLG_ACCUMULATE_COUNT:
        into->a += other->a;
        break;
    case SLG_ACCUMULATE_SUM:
        add_compensated(&into->a, &into->b, other->a);
        into->b += other->b;
        break;
    case SLG_ACCUMULATE_MOMENTS:
        merge_moments(into, other);
        break;
    case SLG_ACCUMULATE_MIN: /* a NaN gives way, as in Loki */
        if (other->a < into->a || isnan(into->a))
            into->a = other->a;
        break;
    case SLG_ACCUMULATE_MAX:
        if (other->a > into->a || isnan(into->a))
            into->a = other->a;
        break;
    case SLG_ACCUMULATE_FIRST:
        if (compare_order(table, other, into) < 0)
            take_value(into, other);
        break;
    case SLG_ACCUMULATE_LAST:
        if (compare_order(table, other, into) > 0)
            take_value(into, other);
        break;
    case SLG_ACCUMULATE_PRESENT:
    case SLG_ACCUMULATE_SAMPLES:
        break;
    }
}

double slg_partial_value(const struct slg_logql_range_aggregation *range,
                         const struct slg_partial *partial)
{
    /* Go's Seconds(): two roundings. */
    int64_t whole_seconds = range->range_ns / 1000000000;
    double seconds = (double)whole_seconds + (double)(range->range_ns % 1000000000) / 1e9;
    double sum = partial->a;

    switch (range->op) {
    case SLG_LOGQL_RANGE_RATE:
    case SLG_LOGQL_RANGE_SUM:
        if (range->unwrap.present && isfinite(sum))
            sum += partial->b;
        return range->op == SLG_LOGQL_RANGE_RATE ? sum / seconds : sum;
    case SLG_LOGQL_RANGE_BYTES_RATE:
        return sum / seconds;
    case SLG_LOGQL_RANGE_AVG:
        return partial->b;
    case SLG_LOGQL_RANGE_STDVAR:
        return partial->c / partial->a;
    case SLG_LOGQL_RANGE_STDDEV:
        return sqrt(partial->c / partial->a);
    case SLG_LOGQL_RANGE_COUNT:
    case SLG_LOGQL_RANGE_BYTES:
    case SLG_LOGQL_RANGE_MIN:
    case SLG_LOGQL_RANGE_MAX:
    case SLG_LOGQL_RANGE_FIRST:
    case SLG_LOGQL_RANGE_LAST:
        return sum;
    case SLG_LOGQL_RANGE_ABSENT:
        return 1;
    case SLG_LOGQL_RANGE_QUANTILE:
    case SLG_LOGQL_RANGE_RATE_COUNTER:
        break;
    }
    SLG_ASSERT(slg_accumulator_of(range) != SLG_ACCUMULATE_SAMPLES);
    return 0;
}
