#include "base/json.h"

#include <jansson.h>

#define INT64_LIMIT 9223372036854775808.0 /* 2^63 */

/* struct slg_json is jansson's json_t under another name: the pointer is the same. */
static json_t *inside(const struct slg_json *value)
{
    return (json_t *)(uintptr_t)value;
}

static const struct slg_json *outside(json_t *value)
{
    return (const struct slg_json *)(const void *)value;
}

enum slg_status slg_json_parse(const void *bytes, size_t len, struct slg_json **ret_root,
                               struct slg_error *reterr)
{
    json_error_t where;
    json_t *root = json_loadb(len == 0 ? "" : bytes, len, JSON_REJECT_DUPLICATES, &where);

    if (root == NULL)
        return slg_errorf(reterr, SLG_INVALID, "line %d: %s", where.line, where.text);
    *ret_root = (struct slg_json *)(void *)root;
    return SLG_OK;
}

void slg_json_destroy(struct slg_json *root)
{
    json_decref(inside(root));
}

enum slg_json_type slg_json_type(const struct slg_json *value)
{
    if (value == NULL)
        return SLG_JSON_ABSENT;
    switch (json_typeof(inside(value))) {
    case JSON_OBJECT:
        return SLG_JSON_OBJECT;
    case JSON_ARRAY:
        return SLG_JSON_LIST;
    case JSON_STRING:
        return SLG_JSON_TEXT;
    case JSON_INTEGER:
        return SLG_JSON_INT;
    case JSON_REAL:
        return SLG_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return SLG_JSON_BOOL;
    case JSON_NULL:
        return SLG_JSON_NULL;
    }
    return SLG_JSON_ABSENT;
}

const struct slg_json *slg_json_get(const struct slg_json *value, const char *key)
{
    return outside(json_object_get(inside(value), key));
}

size_t slg_json_count(const struct slg_json *value)
{
    return slg_json_type(value) == SLG_JSON_OBJECT ? json_object_size(inside(value))
                                                   : json_array_size(inside(value));
}

const struct slg_json *slg_json_at(const struct slg_json *value, size_t index)
{
    return outside(json_array_get(inside(value), index));
}

const char *slg_json_text(const struct slg_json *value)
{
    return json_string_value(inside(value));
}

int64_t slg_json_int(const struct slg_json *value, int64_t fallback)
{
    double real;

    if (slg_json_type(value) == SLG_JSON_INT)
        return json_integer_value(inside(value));
    if (slg_json_type(value) != SLG_JSON_REAL)
        return fallback;
    real = json_real_value(inside(value));
    if (real >= INT64_LIMIT)
        return INT64_MAX;
    return real <= -INT64_LIMIT ? INT64_MIN : (int64_t)real;
}

double slg_json_real(const struct slg_json *value, double fallback)
{
    return json_is_number(inside(value)) ? json_number_value(inside(value)) : fallback;
}

bool slg_json_bool(const struct slg_json *value, bool fallback)
{
    return json_is_boolean(inside(value)) ? json_is_true(inside(value)) : fallback;
}

void slg_json_each(const struct slg_json *value, slg_json_visit *visit, void *arg)
{
    const char *key;
    json_t *member;

    json_object_foreach(inside(value), key, member)
    {
        if (!visit(arg, key, outside(member)))
            return;
    }
}
