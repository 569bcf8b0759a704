#include "logql/pipe/matcher.h"

#include "logql/pipe/label_filter.h"

struct slg_matcher_set {
    size_t count;
    struct matcher {
        struct slg_text name;
        struct slg_value_matcher value;
    } * items;
    struct slg_arena *arena; /* names and values */
};

static enum slg_status copy_text(struct slg_arena *arena, struct slg_text *text)
{
    const char *copy = slg_arena_copy(arena, text->at, text->len);

    if (copy == NULL)
        return SLG_LIMIT;
    text->at = copy;
    return SLG_OK;
}

static enum slg_status create_matcher(struct slg_matcher_set *set,
                                      const struct slg_logql_matcher *from,
                                      struct slg_error *reterr)
{
    struct matcher *matcher = &set->items[set->count];
    enum slg_status status =
        slg_value_matcher_init(&matcher->value, from, /* dot_newline= */ true, reterr);

    if (status != SLG_OK)
        return status;
    set->count++;
    matcher->name = slg_text_make(from->name.ptr, from->name.len);
    if (copy_text(set->arena, &matcher->name) != SLG_OK ||
        copy_text(set->arena, &matcher->value.text) != SLG_OK)
        return slg_errorf(reterr, SLG_LIMIT, "selector needs too much memory");
    return SLG_OK;
}

enum slg_status slg_matcher_set_create(const struct slg_logql_matcher *matchers, size_t count,
                                       struct slg_matcher_set **ret_set, struct slg_error *reterr)
{
    struct slg_matcher_set *set = calloc(1, sizeof(*set));
    enum slg_status status = SLG_OK;

    if (set == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not compile selector");
    set->arena = slg_arena_create(SLG_PIPE_COMPILE_BYTES_MAX);
    set->items = calloc(count + 1, sizeof(set->items[0]));
    if (set->arena == NULL || set->items == NULL)
        status = slg_errorf(reterr, SLG_NO_MEMORY, "could not compile selector");
    for (size_t i = 0; i < count && status == SLG_OK; i++)
        status = create_matcher(set, &matchers[i], reterr);
    if (status != SLG_OK) {
        slg_matcher_set_destroy(set);
        return status;
    }
    *ret_set = set;
    return SLG_OK;
}

void slg_matcher_set_destroy(struct slg_matcher_set *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++)
        slg_value_matcher_fini(&set->items[i].value);
    free(set->items);
    slg_arena_destroy(set->arena);
    free(set);
}

bool slg_matcher_set_match(const struct slg_matcher_set *set, const struct slg_label_set *labels)
{
    for (size_t i = 0; i < set->count; i++) {
        struct slg_text value = slg_text_make(NULL, 0);

        for (size_t k = 0; k < labels->count; k++)
            if (slg_text_equal(labels->items[k].name, set->items[i].name))
                value = labels->items[k].value;
        if (!slg_value_matcher_test(&set->items[i].value, value))
            return false;
    }
    return true;
}
