/* tests/helper/vector.h - label sets, vectors and expressions from short texts, for tests of logql/eval.
 * "a=1,b=2" is {a="1", b="2"}; "a=1:5 a=2:7.5 :3" is a vector of three samples, the last one without labels. */
#ifndef SLG_TESTS_HELPER_VECTOR_H
#define SLG_TESTS_HELPER_VECTOR_H

#include "tests/helper/test.h"

#include "logql/eval/format.h"
#include "logql/eval/label_pool.h"
#include "logql/syntax/parse.h"

#define TEST_ARENA_BYTES ((size_t)64 << 20)

static inline struct slg_label_set test_labels(struct slg_arena *arena, const char *text,
                                               size_t len)
{
    struct slg_label *items = slg_arena_alloc(arena, 16 * sizeof(*items));
    const char *copy = slg_arena_copy(arena, text, len);
    const char *end = copy + len, *at = copy;
    size_t count = 0;

    assert_non_null(items);
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        const char *equals = memchr(at, '=', (size_t)(stop - at));

        assert_non_null(equals);
        items[count++] =
            (struct slg_label){ slg_text_make(at, (size_t)(equals - at)),
                                slg_text_make(equals + 1, (size_t)(stop - equals - 1)) };
        at = comma == NULL ? end : comma + 1;
    }
    return (struct slg_label_set){ items, count };
}

static inline struct slg_label_set test_label_set(struct slg_arena *arena, const char *text)
{
    return test_labels(arena, text, strlen(text));
}

static inline struct slg_vector test_vector(struct slg_label_pool *pool, const char *text)
{
    struct slg_vector vector = { 0 };

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        const char *colon = memchr(text, ':', len);
        struct slg_label_set set;
        uint32_t id = 0;

        assert_non_null(colon);
        set = test_labels(pool->arena, text, (size_t)(colon - text));
        assert_true(slg_label_pool_intern(pool, &set, &id));
        assert_true(slg_vector_append(&vector, pool->arena, id, strtod(colon + 1, NULL)));
        text += len + (text[len] == ' ');
    }
    return vector;
}

/* The same form back, in the order of the vector. */
static inline const char *test_vector_text(struct slg_label_pool *pool,
                                           const struct slg_vector *vector)
{
    struct slg_buf out;
    const char *text;

    slg_buf_init(&out, TEST_ARENA_BYTES);
    for (size_t i = 0; i < vector->count; i++) {
        const struct slg_label_set *set = slg_label_pool_set(pool, vector->items[i].id);
        char number[SLG_FORMAT_FLOAT_BYTES];

        for (size_t k = 0; k < set->count; k++)
            slg_buf_printf(&out, "%s%.*s=%.*s", k == 0 ? "" : ",", (int)set->items[k].name.len,
                           set->items[k].name.at, (int)set->items[k].value.len,
                           set->items[k].value.at);
        (void)slg_format_float(vector->items[i].value, number);
        slg_buf_printf(&out, ":%s%s", number, i + 1 < vector->count ? " " : "");
    }
    text = slg_arena_copy(pool->arena, out.data, out.len);
    slg_buf_fini(&out);
    return text;
}

static inline const struct slg_logql_expr *test_expr(struct slg_arena *arena, const char *text)
{
    const struct slg_logql_expr *expr = NULL;
    struct slg_error error = { 0 };

    if (slg_logql_parse(arena, text, strlen(text), &expr, &error) != SLG_OK)
        fail_msg("%s: %s", text, error.message);
    return expr;
}

#endif
