#include "logql/eval/aggregate.h"

#include <math.h>

struct group {
    uint32_t id; /* its label set */
    uint64_t count;
    double value, mean;
};

struct ranked {
    uint32_t group, id;
    double value;
};

struct ranking {
    const struct slg_label_pool *pool;
    bool descending;
};

struct slg_aggregate {
    struct slg_arena *arena;
    struct slg_label_pool *pool;
    const struct slg_logql_vector_aggregation *expr;
    struct slg_memo group_of; /* label set -> label set of its group */
    struct slg_memo slot_of;  /* label set of a group -> index in groups; of this step only */
    struct group *groups;
    size_t group_count, group_capacity;
    struct ranked *ranked;
    size_t ranked_capacity;
};

struct slg_aggregate *slg_aggregate_create(struct slg_arena *arena, struct slg_label_pool *pool,
                                           const struct slg_logql_vector_aggregation *expr)
{
    struct slg_aggregate *aggregate = slg_arena_calloc(arena, 1, sizeof(*aggregate));

    if (aggregate == NULL)
        return NULL;
    aggregate->arena = arena;
    aggregate->pool = pool;
    aggregate->expr = expr;
    return aggregate;
}

/* The slot of the group that the label set belongs to, made when new (count 0). */
static bool find_group(struct slg_aggregate *a, uint32_t id, uint32_t *ret_slot)
{
    const struct slg_logql_grouping *grouping = &a->expr->grouping;
    uint32_t group_id = slg_memo_get(&a->group_of, id);

    if (group_id == SLG_MEMO_UNKNOWN) {
        enum slg_label_pick pick =
            grouping->present && grouping->without ? SLG_LABEL_PICK_WITHOUT : SLG_LABEL_PICK_BY;

        if (!slg_label_pool_pick(a->pool, id, pick, grouping->labels,
                                 grouping->present ? grouping->label_count : 0, &group_id) ||
            !slg_memo_put(&a->group_of, a->arena, id, group_id))
            return false;
    }
    *ret_slot = slg_memo_get(&a->slot_of, group_id);
    if (*ret_slot != SLG_MEMO_UNKNOWN)
        return true;
    if (a->group_count == a->group_capacity) {
        size_t capacity = a->group_capacity == 0 ? 16 : a->group_capacity * 2;
        struct group *groups =
            slg_arena_grow(a->arena, a->groups, a->group_count, capacity, sizeof(*groups));

        if (groups == NULL)
            return false;
        a->groups = groups;
        a->group_capacity = capacity;
    }
    *ret_slot = (uint32_t)a->group_count;
    a->groups[a->group_count++] = (struct group){ .id = group_id };
    return slg_memo_put(&a->slot_of, a->arena, group_id, *ret_slot);
}

static void forget_groups(struct slg_aggregate *a)
{
    for (size_t i = 0; i < a->group_count; i++)
        a->slot_of.values[a->groups[i].id] = 0;
    a->group_count = 0;
}

/* One more sample of a group, in the arithmetic of Loki. */
static void add_value(enum slg_logql_vector_op op, struct group *g, double value)
{
    double delta;

    g->count++;
    if (g->count == 1) {
        bool squares = op == SLG_LOGQL_VECTOR_STDDEV || op == SLG_LOGQL_VECTOR_STDVAR;

        g->value = squares ? 0 : value;
        g->mean = value;
        return;
    }
    switch (op) {
    case SLG_LOGQL_VECTOR_SUM:
        g->value += value;
        break;
    case SLG_LOGQL_VECTOR_AVG:
        g->mean += (value - g->mean) / (double)g->count;
        break;
    case SLG_LOGQL_VECTOR_MAX:
        if (g->value < value || isnan(g->value))
            g->value = value;
        break;
    case SLG_LOGQL_VECTOR_MIN:
        if (g->value > value || isnan(g->value))
            g->value = value;
        break;
    case SLG_LOGQL_VECTOR_STDDEV:
    case SLG_LOGQL_VECTOR_STDVAR:
        delta = value - g->mean;
        g->mean += delta / (double)g->count;
        g->value += delta * (value - g->mean);
        break;
    case SLG_LOGQL_VECTOR_COUNT:
    case SLG_LOGQL_VECTOR_BOTTOMK:
    case SLG_LOGQL_VECTOR_TOPK:
    case SLG_LOGQL_VECTOR_SORT:
    case SLG_LOGQL_VECTOR_SORT_DESC:
    case SLG_LOGQL_VECTOR_APPROX_TOPK:
        break;
    }
}

static double group_value(enum slg_logql_vector_op op, const struct group *g)
{
    switch (op) {
    case SLG_LOGQL_VECTOR_AVG:
        return g->mean;
    case SLG_LOGQL_VECTOR_COUNT:
        return (double)g->count;
    case SLG_LOGQL_VECTOR_STDDEV:
        return sqrt(g->value / (double)g->count);
    case SLG_LOGQL_VECTOR_STDVAR:
        return g->value / (double)g->count;
    case SLG_LOGQL_VECTOR_SUM:
    case SLG_LOGQL_VECTOR_MAX:
    case SLG_LOGQL_VECTOR_MIN:
    case SLG_LOGQL_VECTOR_BOTTOMK:
    case SLG_LOGQL_VECTOR_TOPK:
    case SLG_LOGQL_VECTOR_SORT:
    case SLG_LOGQL_VECTOR_SORT_DESC:
    case SLG_LOGQL_VECTOR_APPROX_TOPK:
        break;
    }
    return g->value;
}

static bool fold(struct slg_aggregate *a, const struct slg_vector *in, struct slg_vector *out)
{
    uint32_t slot;

    for (size_t i = 0; i < in->count; i++) {
        if (!find_group(a, in->items[i].id, &slot))
            return false;
        add_value(a->expr->op, &a->groups[slot], in->items[i].value);
    }
    for (size_t i = 0; i < a->group_count; i++) {
        if (!slg_vector_append(out, a->arena, a->groups[i].id,
                               group_value(a->expr->op, &a->groups[i])))
            return false;
    }
    return true;
}

static int compare_ranked(const void *x, const void *y, void *user)
{
    const struct ranked *a = x, *b = y;
    const struct ranking *ranking = user;

    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (isnan(a->value) != isnan(b->value))
        return isnan(a->value) ? 1 : -1;
    if (a->value < b->value)
        return ranking->descending ? 1 : -1;
    if (a->value > b->value)
        return ranking->descending ? -1 : 1;
    return slg_label_set_compare(slg_label_pool_set(ranking->pool, a->id),
                                 slg_label_pool_set(ranking->pool, b->id));
}

/* topk and its kin: the first k of each group by value; sort: all of them. */
static bool rank(struct slg_aggregate *a, const struct slg_vector *in, struct slg_vector *out)
{
    enum slg_logql_vector_op op = a->expr->op;
    struct ranking ranking = { .pool = a->pool,
                               .descending =
                                   op != SLG_LOGQL_VECTOR_BOTTOMK && op != SLG_LOGQL_VECTOR_SORT };
    bool all = op == SLG_LOGQL_VECTOR_SORT || op == SLG_LOGQL_VECTOR_SORT_DESC;
    uint64_t taken = 0;

    if (in->count > a->ranked_capacity) {
        a->ranked = slg_arena_alloc(a->arena, 2 * in->count * sizeof(*a->ranked));
        a->ranked_capacity = a->ranked == NULL ? 0 : 2 * in->count;
        if (a->ranked == NULL)
            return false;
    }
    for (size_t i = 0; i < in->count; i++) {
        a->ranked[i] = (struct ranked){ .id = in->items[i].id, .value = in->items[i].value };
        if (!all && !find_group(a, in->items[i].id, &a->ranked[i].group))
            return false;
    }
    if (in->count > 0)
        qsort_r(a->ranked, in->count, sizeof(*a->ranked), compare_ranked, &ranking);
    for (size_t i = 0; i < in->count; i++) {
        taken = i > 0 && a->ranked[i].group == a->ranked[i - 1].group ? taken + 1 : 1;
        if ((all || taken <= (uint64_t)a->expr->k) &&
            !slg_vector_append(out, a->arena, a->ranked[i].id, a->ranked[i].value))
            return false;
    }
    return true;
}

bool slg_aggregate_step(struct slg_aggregate *a, const struct slg_vector *in,
                        struct slg_vector *out)
{
    bool fits = false;

    out->count = 0;
    switch (a->expr->op) {
    case SLG_LOGQL_VECTOR_BOTTOMK:
    case SLG_LOGQL_VECTOR_TOPK:
    case SLG_LOGQL_VECTOR_SORT:
    case SLG_LOGQL_VECTOR_SORT_DESC:
    case SLG_LOGQL_VECTOR_APPROX_TOPK:
        fits = rank(a, in, out);
        break;
    case SLG_LOGQL_VECTOR_SUM:
    case SLG_LOGQL_VECTOR_AVG:
    case SLG_LOGQL_VECTOR_COUNT:
    case SLG_LOGQL_VECTOR_MAX:
    case SLG_LOGQL_VECTOR_MIN:
    case SLG_LOGQL_VECTOR_STDDEV:
    case SLG_LOGQL_VECTOR_STDVAR:
        fits = fold(a, in, out);
        break;
    }
    forget_groups(a);
    return fits;
}
