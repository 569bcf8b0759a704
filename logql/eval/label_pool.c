#include "logql/eval/label_pool.h"

#define CAPACITY_MIN ((size_t)16)

void slg_label_pool_init(struct slg_label_pool *pool, struct slg_arena *arena)
{
    *pool = (struct slg_label_pool){ .arena = arena };
}

static bool grow_pool(struct slg_label_pool *pool)
{
    size_t capacity = pool->capacity == 0 ? CAPACITY_MIN : pool->capacity * 2;
    size_t slot_count = capacity * 2;
    struct slg_label_set *sets =
        slg_arena_grow(pool->arena, pool->sets, pool->count, capacity, sizeof(*sets));
    struct slg_hash128 *hashes;
    uint32_t *slots;

    if (sets == NULL)
        return false;
    pool->sets = sets;
    hashes = slg_arena_grow(pool->arena, pool->hashes, pool->count, capacity, sizeof(*hashes));
    if (hashes == NULL)
        return false;
    pool->hashes = hashes;
    slots = slg_arena_calloc(pool->arena, slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < pool->count; i++) {
        size_t at = hashes[i].low & (slot_count - 1);

        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    pool->slots = slots;
    pool->capacity = capacity;
    pool->slot_count = slot_count;
    return true;
}

bool slg_label_pool_intern(struct slg_label_pool *pool, const struct slg_label_set *set,
                           uint32_t *ret_id)
{
    struct slg_hash128 hash = slg_label_set_hash(set);
    size_t at;

    if (pool->count == pool->capacity && (pool->count >= UINT32_MAX / 4 || !grow_pool(pool)))
        return false;
    for (at = hash.low & (pool->slot_count - 1); pool->slots[at] != 0;
         at = (at + 1) & (pool->slot_count - 1)) {
        uint32_t id = pool->slots[at] - 1;

        if (pool->hashes[id].low == hash.low && pool->hashes[id].high == hash.high) {
            *ret_id = id;
            return true;
        }
    }
    if (!slg_label_set_copy(pool->arena, set, &pool->sets[pool->count]))
        return false;
    pool->hashes[pool->count] = hash;
    pool->slots[at] = (uint32_t)++pool->count;
    *ret_id = (uint32_t)pool->count - 1;
    return true;
}

static bool reserve_items(struct slg_label_pool *pool, size_t count)
{
    if (count <= pool->item_capacity)
        return true;
    pool->items = slg_arena_alloc(pool->arena, 2 * count * sizeof(*pool->items));
    pool->item_capacity = pool->items == NULL ? 0 : 2 * count;
    return pool->items != NULL;
}

static bool is_named(struct slg_text name, const struct slg_logql_str *names, size_t name_count)
{
    for (size_t i = 0; i < name_count; i++) {
        if (slg_text_equal(name, slg_text_make(names[i].ptr, names[i].len)))
            return true;
    }
    return false;
}

static bool is_picked(const struct slg_label *label, enum slg_label_pick pick,
                      const struct slg_logql_str *names, size_t name_count)
{
    bool named = is_named(label->name, names, name_count);

    switch (pick) {
    case SLG_LABEL_PICK_BY:
        return named;
    case SLG_LABEL_PICK_WITHOUT:
        return !named && label->value.len > 0 && !slg_text_equal_to(label->name, "__name__");
    case SLG_LABEL_PICK_ON:
        return named && label->value.len > 0;
    case SLG_LABEL_PICK_IGNORING:
        break;
    }
    return !named && label->value.len > 0;
}

bool slg_label_pool_pick(struct slg_label_pool *pool, uint32_t id, enum slg_label_pick pick,
                         const struct slg_logql_str *names, size_t name_count, uint32_t *ret_id)
{
    const struct slg_label_set *set = slg_label_pool_set(pool, id);
    size_t count = 0;

    if (!reserve_items(pool, set->count))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        if (is_picked(&set->items[i], pick, names, name_count))
            pool->items[count++] = set->items[i];
    }
    return slg_label_pool_intern(
        pool, &(struct slg_label_set){ .items = pool->items, .count = count }, ret_id);
}

bool slg_label_pool_with(struct slg_label_pool *pool, uint32_t id, struct slg_text name,
                         struct slg_text value, uint32_t *ret_id)
{
    const struct slg_label_set *set = slg_label_pool_set(pool, id);
    bool done = value.len == 0;
    size_t count = 0;

    if (!reserve_items(pool, set->count + 1))
        return false;
    for (size_t i = 0; i < set->count; i++) {
        int order = slg_text_compare(set->items[i].name, name);

        if (order >= 0 && !done) {
            pool->items[count++] = (struct slg_label){ .name = name, .value = value };
            done = true;
        }
        if (order != 0 && set->items[i].value.len > 0)
            pool->items[count++] = set->items[i];
    }
    if (!done)
        pool->items[count++] = (struct slg_label){ .name = name, .value = value };
    return slg_label_pool_intern(
        pool, &(struct slg_label_set){ .items = pool->items, .count = count }, ret_id);
}

bool slg_memo_put(struct slg_memo *memo, struct slg_arena *arena, uint32_t key, uint32_t value)
{
    if (key >= memo->capacity) {
        size_t capacity = memo->capacity < CAPACITY_MIN ? CAPACITY_MIN : memo->capacity;
        uint32_t *values;

        while (capacity <= key)
            capacity *= 2;
        values = slg_arena_grow(arena, memo->values, memo->capacity, capacity, sizeof(*values));
        if (values == NULL)
            return false;
        memset(values + memo->capacity, 0, (capacity - memo->capacity) * sizeof(*values));
        memo->values = values;
        memo->capacity = capacity;
    }
    memo->values[key] = value + 1;
    return true;
}

void slg_pair_memo_clear(struct slg_pair_memo *memo)
{
    memo->count = 0;
    memo->stamp++;
    if (memo->stamp ==
        UINT32_MAX) { /* stamp + 1 must not become 0, the mark of a slot never used */
        if (memo->slots != NULL)
            memset(memo->slots, 0, memo->slot_count * sizeof(*memo->slots));
        memo->stamp = 0;
    }
}

static size_t pair_slot(uint32_t a, uint32_t b, size_t slot_count)
{
    uint64_t key = ((uint64_t)a << 32 | b) * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(key >> 32) & (slot_count - 1);
}

uint32_t slg_pair_memo_get(const struct slg_pair_memo *memo, uint32_t a, uint32_t b)
{
    if (memo->slot_count == 0)
        return SLG_MEMO_UNKNOWN;
    for (size_t at = pair_slot(a, b, memo->slot_count);; at = (at + 1) & (memo->slot_count - 1)) {
        if (memo->slots[at].stamp != memo->stamp + 1)
            return SLG_MEMO_UNKNOWN;
        if (memo->slots[at].a == a && memo->slots[at].b == b)
            return memo->slots[at].value;
    }
}

static bool grow_pairs(struct slg_pair_memo *memo, struct slg_arena *arena)
{
    struct slg_pair_memo old = *memo;
    size_t slot_count = old.slot_count == 0 ? CAPACITY_MIN * 2 : old.slot_count * 2;

    memo->slots = slg_arena_calloc(arena, slot_count, sizeof(*memo->slots));
    if (memo->slots == NULL) {
        *memo = old;
        return false;
    }
    memo->slot_count = slot_count;
    for (size_t i = 0; i < old.slot_count; i++) {
        size_t at;

        if (old.slots[i].stamp != old.stamp + 1)
            continue;
        at = pair_slot(old.slots[i].a, old.slots[i].b, slot_count);
        while (memo->slots[at].stamp != 0)
            at = (at + 1) & (slot_count - 1);
        memo->slots[at] = old.slots[i];
    }
    return true;
}

bool slg_pair_memo_put(struct slg_pair_memo *memo, struct slg_arena *arena, uint32_t a, uint32_t b,
                       uint32_t value)
{
    size_t at;

    if (memo->count * 2 >= memo->slot_count && !grow_pairs(memo, arena))
        return false;
    at = pair_slot(a, b, memo->slot_count);
    while (memo->slots[at].stamp == memo->stamp + 1 &&
           (memo->slots[at].a != a || memo->slots[at].b != b))
        at = (at + 1) & (memo->slot_count - 1);
    if (memo->slots[at].stamp != memo->stamp + 1)
        memo->count++;
    memo->slots[at].a = a;
    memo->slots[at].b = b;
    memo->slots[at].value = value;
    memo->slots[at].stamp = memo->stamp + 1;
    return true;
}

bool slg_vector_append(struct slg_vector *vector, struct slg_arena *arena, uint32_t id,
                       double value)
{
    if (vector->count == vector->capacity) {
        size_t capacity = vector->capacity == 0 ? CAPACITY_MIN : vector->capacity * 2;
        struct slg_vector_item *items =
            slg_arena_grow(arena, vector->items, vector->count, capacity, sizeof(*items));

        if (items == NULL)
            return false;
        vector->items = items;
        vector->capacity = capacity;
    }
    vector->items[vector->count++] = (struct slg_vector_item){ .id = id, .value = value };
    return true;
}
