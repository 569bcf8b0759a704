#include "logql/eval/binary.h"

struct slg_binary {
    struct slg_arena *arena;
    struct slg_label_pool *pool;
    const struct slg_logql_binary *expr;
    struct slg_memo signature_of; /* label set -> what it is matched by */
    struct slg_memo one_side;     /* signature -> index in the "one" vector; of this step only */
    struct slg_memo trimmed;      /* label set -> result of a one-to-one match */
    struct slg_pair_memo joined;  /* (many, one) -> result with included labels */
    struct slg_pair_memo seen;    /* (signature, result) of this step */
};

struct slg_binary *slg_binary_create(struct slg_arena *arena, struct slg_label_pool *pool,
                                     const struct slg_logql_binary *expr)
{
    struct slg_binary *binary = slg_arena_calloc(arena, 1, sizeof(*binary));

    if (binary == NULL)
        return NULL;
    binary->arena = arena;
    binary->pool = pool;
    binary->expr = expr;
    return binary;
}

/* One sample of the result. False: a comparison filtered it out. kept: the value that a filter keeps. */
static bool merge_values(const struct slg_logql_binary *expr, double left, double right,
                         double kept, double *ret_value)
{
    double value = slg_logql_fold(expr->op, left, right);

    if (slg_logql_binary_op_is_comparison(expr->op) && !expr->is_bool) {
        if (value == 0)
            return false;
        value = kept;
    }
    *ret_value = value;
    return true;
}

bool slg_binary_step_literal(struct slg_binary *b, double literal, bool literal_is_left,
                             const struct slg_vector *vector, struct slg_vector *out)
{
    double value;

    out->count = 0;
    for (size_t i = 0; i < vector->count; i++) {
        double sample = vector->items[i].value;
        double left = literal_is_left ? literal : sample;
        double right = literal_is_left ? sample : literal;

        if (merge_values(b->expr, left, right, sample, &value) &&
            !slg_vector_append(out, b->arena, vector->items[i].id, value))
            return false;
    }
    return true;
}

static bool find_signature(struct slg_binary *b, uint32_t id, uint32_t *ret_signature)
{
    *ret_signature = slg_memo_get(&b->signature_of, id);
    if (*ret_signature != SLG_MEMO_UNKNOWN)
        return true;
    return slg_label_pool_pick(b->pool, id,
                               b->expr->on ? SLG_LABEL_PICK_ON : SLG_LABEL_PICK_IGNORING,
                               b->expr->labels, b->expr->label_count, ret_signature) &&
           slg_memo_put(&b->signature_of, b->arena, id, *ret_signature);
}

static void forget_one_side(struct slg_binary *b, const struct slg_vector *one)
{
    for (size_t i = 0; i < one->count; i++) {
        uint32_t signature = slg_memo_get(&b->signature_of, one->items[i].id);

        if (signature < b->one_side.capacity)
            b->one_side.values[signature] = 0;
    }
}

/* Index the "one" side by signature. AGAIN: a signature stands twice. */
static enum slg_status index_one_side(struct slg_binary *b, const struct slg_vector *one,
                                      bool unique)
{
    for (size_t i = 0; i < one->count; i++) {
        uint32_t signature;

        if (!find_signature(b, one->items[i].id, &signature))
            return SLG_NO_MEMORY;
        if (unique && slg_memo_get(&b->one_side, signature) != SLG_MEMO_UNKNOWN)
            return SLG_AGAIN;
        if (!slg_memo_put(&b->one_side, b->arena, signature, (uint32_t)i))
            return SLG_NO_MEMORY;
    }
    return SLG_OK;
}

static bool append_all(struct slg_binary *b, const struct slg_vector *from, struct slg_vector *out)
{
    for (size_t i = 0; i < from->count; i++) {
        if (!slg_vector_append(out, b->arena, from->items[i].id, from->items[i].value))
            return false;
    }
    return true;
}

/* Those of `from` whose signature is (wanted), or is not, in the indexed side. */
static bool append_matching(struct slg_binary *b, const struct slg_vector *from, bool wanted,
                            struct slg_vector *out)
{
    for (size_t i = 0; i < from->count; i++) {
        uint32_t signature;

        if (!find_signature(b, from->items[i].id, &signature))
            return false;
        if ((slg_memo_get(&b->one_side, signature) != SLG_MEMO_UNKNOWN) == wanted &&
            !slg_vector_append(out, b->arena, from->items[i].id, from->items[i].value))
            return false;
    }
    return true;
}

static enum slg_status step_set(struct slg_binary *b, const struct slg_vector *lhs,
                                const struct slg_vector *rhs, struct slg_vector *out)
{
    bool is_or = b->expr->op == SLG_LOGQL_BINARY_OR;
    const struct slg_vector *indexed = is_or ? lhs : rhs;
    bool fits = index_one_side(b, indexed, /* unique= */ false) == SLG_OK;

    if (is_or)
        fits = fits && append_all(b, lhs, out) && append_matching(b, rhs, false, out);
    else
        fits = fits && append_matching(b, lhs, b->expr->op == SLG_LOGQL_BINARY_AND, out);
    forget_one_side(b, indexed);
    return fits ? SLG_OK : SLG_NO_MEMORY;
}

/* The label set of a matched pair. */
static bool result_labels(struct slg_binary *b, uint32_t many, uint32_t one, uint32_t *ret_id)
{
    const struct slg_logql_binary *expr = b->expr;
    uint32_t id;

    if (expr->cardinality == SLG_LOGQL_ONE_TO_ONE) {
        *ret_id = slg_memo_get(&b->trimmed, many);
        if (*ret_id != SLG_MEMO_UNKNOWN)
            return true;
        return slg_label_pool_pick(b->pool, many,
                                   expr->on ? SLG_LABEL_PICK_ON : SLG_LABEL_PICK_IGNORING,
                                   expr->labels, expr->label_count, ret_id) &&
               slg_memo_put(&b->trimmed, b->arena, many, *ret_id);
    }
    *ret_id = slg_pair_memo_get(&b->joined, many, expr->include_count == 0 ? 0 : one);
    if (*ret_id != SLG_MEMO_UNKNOWN)
        return true;
    /* Go's label builder drops labels with an empty value: taking none by name does the same. */
    if (!slg_label_pool_pick(b->pool, many, SLG_LABEL_PICK_IGNORING, NULL, 0, &id))
        return false;
    for (size_t i = 0; i < expr->include_count; i++) {
        struct slg_text name = slg_text_make(expr->includes[i].ptr, expr->includes[i].len);
        struct slg_text value = { NULL, 0 };

        (void)slg_label_get(slg_label_pool_set(b->pool, one), name, &value); /* absent = empty */
        if (!slg_label_pool_with(b->pool, id, name, value, &id))
            return false;
    }
    *ret_id = id;
    return slg_pair_memo_put(&b->joined, b->arena, many, expr->include_count == 0 ? 0 : one, id);
}

/* A second match of the same signature is an error; grouped, of the same signature and result. */
static enum slg_status check_unique(struct slg_binary *b, uint32_t signature, uint32_t result,
                                    struct slg_error *reterr)
{
    bool one_to_one = b->expr->cardinality == SLG_LOGQL_ONE_TO_ONE;
    uint32_t key = one_to_one ? 0 : result;

    if (slg_pair_memo_get(&b->seen, signature, key) != SLG_MEMO_UNKNOWN)
        return slg_errorf(reterr, SLG_INVALID, "multiple matches for labels: %s",
                          one_to_one
                              ? "many-to-one matching must be explicit (group_left/group_right)"
                              : "grouping labels must ensure unique matches");
    return slg_pair_memo_put(&b->seen, b->arena, signature, key, 1) ? SLG_OK : SLG_NO_MEMORY;
}

static enum slg_status join(struct slg_binary *b, const struct slg_vector *many,
                            const struct slg_vector *one, struct slg_vector *out,
                            struct slg_error *reterr)
{
    bool swapped = b->expr->cardinality == SLG_LOGQL_ONE_TO_MANY;

    slg_pair_memo_clear(&b->seen);
    for (size_t i = 0; i < many->count; i++) {
        const struct slg_vector_item *m = &many->items[i], *o;
        uint32_t signature, at, id;
        enum slg_status status;
        double left, right, value;

        if (!find_signature(b, m->id, &signature))
            return SLG_NO_MEMORY;
        at = slg_memo_get(&b->one_side, signature);
        if (at == SLG_MEMO_UNKNOWN)
            continue;
        o = &one->items[at];
        if (!result_labels(b, m->id, o->id, &id))
            return SLG_NO_MEMORY;
        status = check_unique(b, signature, id, reterr);
        if (status != SLG_OK)
            return status;
        left = swapped ? o->value : m->value;
        right = swapped ? m->value : o->value;
        if (merge_values(b->expr, left, right, left, &value) &&
            !slg_vector_append(out, b->arena, id, value))
            return SLG_NO_MEMORY;
    }
    return SLG_OK;
}

enum slg_status slg_binary_step(struct slg_binary *b, const struct slg_vector *lhs,
                                const struct slg_vector *rhs, struct slg_vector *out,
                                struct slg_error *reterr)
{
    bool swapped = b->expr->cardinality == SLG_LOGQL_ONE_TO_MANY;
    const struct slg_vector *many = swapped ? rhs : lhs;
    const struct slg_vector *one = swapped ? lhs : rhs;
    enum slg_status status;

    out->count = 0;
    if (slg_logql_binary_op_is_set(b->expr->op))
        return step_set(b, lhs, rhs, out);
    status = index_one_side(b, one, /* unique= */ true);
    if (status == SLG_OK)
        status = join(b, many, one, out, reterr);
    forget_one_side(b, one);
    if (status == SLG_AGAIN)
        status = slg_errorf(reterr, SLG_INVALID,
                            "found duplicate series on the %s hand-side;many-to-many matching not "
                            "allowed: matching labels must be unique on one side",
                            swapped ? "left" : "right");
    return status;
}
