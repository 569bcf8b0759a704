#include "logql/eval/series.h"

#define CAPACITY_MIN      ((size_t)8)
#define ITEM_CAPACITY_MIN 4U

/* Tables look at `low`: it must depend on the values, or all series of one query stand in one chain. */
struct slg_hash128 slg_label_set_hash(const struct slg_label_set *labels)
{
    struct slg_hash128 hash = { labels->count, ~(uint64_t)labels->count };

    for (size_t i = 0; i < labels->count; i++) {
        const struct slg_label *label = &labels->items[i];

        hash.high =
            slg_hash_xxh3_seeded(label->name.at, label->name.len, hash.high + label->name.len);
        hash.low = slg_hash_xxh3_seeded(label->value.at, label->value.len, hash.low ^ hash.high);
        hash.high += hash.low;
    }
    return hash;
}

int slg_label_set_compare(const struct slg_label_set *a, const struct slg_label_set *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = slg_text_compare(a->items[i].name, b->items[i].name);

        if (order == 0)
            order = slg_text_compare(a->items[i].value, b->items[i].value);
        if (order != 0)
            return order;
    }
    return a->count < b->count ? -1 : a->count > b->count;
}

bool slg_label_set_copy(struct slg_arena *arena, const struct slg_label_set *labels,
                        struct slg_label_set *ret_copy)
{
    size_t bytes = 0;
    struct slg_label *items = slg_arena_alloc(arena, labels->count * sizeof(*items));
    char *text;

    for (size_t i = 0; i < labels->count; i++)
        bytes += labels->items[i].name.len + labels->items[i].value.len;
    text = slg_arena_alloc(arena, bytes);
    if (items == NULL || text == NULL)
        return false;
    for (size_t i = 0; i < labels->count; i++) {
        const struct slg_text from[2] = { labels->items[i].name, labels->items[i].value };
        struct slg_text to[2];

        for (int k = 0; k < 2; k++) {
            if (from[k].len > 0)
                memcpy(text, from[k].at, from[k].len);
            to[k] = slg_text_make(text, from[k].len);
            text += from[k].len;
        }
        items[i] = (struct slg_label){ .name = to[0], .value = to[1] };
    }
    *ret_copy = (struct slg_label_set){ .items = items, .count = labels->count };
    return true;
}

void slg_series_table_init(struct slg_series_table *table, struct slg_arena *arena,
                           enum slg_accumulator kind, size_t series_max)
{
    *table = (struct slg_series_table){ .arena = arena, .kind = kind, .series_max = series_max };
    slg_origin_table_init(&table->origins, arena);
}

static bool grow_table(struct slg_series_table *t)
{
    size_t capacity = t->capacity == 0 ? CAPACITY_MIN : t->capacity * 2;
    size_t slot_count = capacity * 2;
    struct slg_series_data *series =
        slg_arena_grow(t->arena, t->series, t->count, capacity, sizeof(*series));
    uint32_t *slots;

    if (series == NULL)
        return false;
    t->series = series;
    slots = slg_arena_calloc(t->arena, slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        size_t at = series[i].hash.low & (slot_count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    t->slots = slots;
    t->capacity = capacity;
    t->slot_count = slot_count;
    return true;
}

enum slg_status slg_series_find(struct slg_series_table *t, struct slg_hash128 hash,
                                const struct slg_label_set *labels, uint32_t *ret_index)
{
    struct slg_series_data *series;
    size_t at = 0;

    if (t->slot_count > 0) {
        for (at = hash.low & (t->slot_count - 1); t->slots[at] != 0;
             at = (at + 1) & (t->slot_count - 1)) {
            series = &t->series[t->slots[at] - 1];
            if (series->hash.low == hash.low && series->hash.high == hash.high) {
                *ret_index = t->slots[at] - 1;
                return SLG_OK;
            }
        }
    }
    if (t->count >= t->series_max || t->count >= UINT32_MAX / 4)
        return SLG_LIMIT;
    if (t->count == t->capacity) {
        if (!grow_table(t))
            return SLG_NO_MEMORY;
        at = hash.low & (t->slot_count - 1);
        while (t->slots[at] != 0)
            at = (at + 1) & (t->slot_count - 1);
    }
    series = &t->series[t->count];
    *series = (struct slg_series_data){ .hash = hash };
    if (!slg_label_set_copy(t->arena, labels, &series->labels))
        return SLG_NO_MEMORY;
    t->slots[at] = (uint32_t)++t->count;
    *ret_index = (uint32_t)t->count - 1;
    return SLG_OK;
}

static int compare_buckets(const void *a, const void *b)
{
    const struct slg_partial *x = a, *y = b;

    return x->bucket < y->bucket ? -1 : x->bucket > y->bucket;
}

static void settle_partials(struct slg_series_table *t, struct slg_series_data *series)
{
    struct slg_partial *items = series->partials;
    bool sorted = true;
    uint32_t kept = 0;

    for (uint32_t i = 1; i < series->count && sorted; i++)
        sorted = items[i - 1].bucket < items[i].bucket;
    if (sorted)
        return;
    qsort(items, series->count, sizeof(*items), compare_buckets);
    for (uint32_t i = 1; i < series->count; i++) {
        if (items[i].bucket == items[kept].bucket)
            slg_partial_merge(t->kind, &t->origins, &items[kept], &items[i]);
        else
            items[++kept] = items[i];
    }
    series->count = kept + 1;
}

static bool grow_items(struct slg_series_table *t, struct slg_series_data *series, size_t item_size)
{
    uint32_t capacity = series->capacity == 0 ? ITEM_CAPACITY_MIN : series->capacity * 2;
    void *items;

    if (capacity < series->capacity)
        return false;
    items = slg_arena_grow(t->arena, series->partials, series->count, capacity, item_size);
    if (items == NULL)
        return false;
    series->partials = items;
    series->capacity = capacity;
    return true;
}

bool slg_series_add_partial(struct slg_series_table *t, uint32_t index,
                            const struct slg_partial *partial)
{
    struct slg_series_data *series = &t->series[index];

    /* Data mostly comes in order of time: the last bucket, or a new one after it. Whatever else is appended and
     * sorted in when the array is full, which keeps the cost of any order at O(n log n). */
    if (series->count > 0 && series->partials[series->count - 1].bucket == partial->bucket) {
        slg_partial_merge(t->kind, &t->origins, &series->partials[series->count - 1], partial);
        return true;
    }
    if (series->count == series->capacity) {
        settle_partials(t, series);
        if (series->count > series->capacity / 2 &&
            !grow_items(t, series, sizeof(*series->partials)))
            return false;
        if (series->capacity == 0 && !grow_items(t, series, sizeof(*series->partials)))
            return false;
    }
    series->partials[series->count++] = *partial;
    return true;
}

bool slg_series_add_sample(struct slg_series_table *t, uint32_t index,
                           const struct slg_sample *sample)
{
    struct slg_series_data *series = &t->series[index];

    if (series->count == series->capacity && !grow_items(t, series, sizeof(*series->samples)))
        return false;
    series->samples[series->count++] = *sample;
    return true;
}

static int compare_samples(const struct slg_origin_table *origins, const struct slg_sample *a,
                           const struct slg_sample *b)
{
    int order;

    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    if (a->origin_index != b->origin_index) {
        order = slg_origin_compare(&origins->origins[a->origin_index],
                                   &origins->origins[b->origin_index]);
        if (order != 0)
            return order;
    }
    return a->position < b->position ? -1 : a->position > b->position;
}

static int compare_samples_with(const void *a, const void *b, void *origins)
{
    return compare_samples(origins, a, b);
}

void slg_series_settle(struct slg_series_table *t, uint32_t index)
{
    struct slg_series_data *series = &t->series[index];
    bool sorted = true;

    if (t->kind != SLG_ACCUMULATE_SAMPLES) {
        settle_partials(t, series);
        return;
    }
    for (uint32_t i = 1; i < series->count && sorted; i++)
        sorted = compare_samples(&t->origins, &series->samples[i - 1], &series->samples[i]) <= 0;
    if (!sorted)
        qsort_r(series->samples, series->count, sizeof(*series->samples), compare_samples_with,
                &t->origins);
}
