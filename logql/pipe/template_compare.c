/* Functions of templates: equal, less, not and default, as Go's text/template compares. */
#include "logql/pipe/template_function.h"

enum basic { BASIC_NONE, BASIC_BOOL, BASIC_INT, BASIC_FLOAT, BASIC_STRING };

static enum basic basic_kind(const struct slg_value *value)
{
    switch (value->kind) {
    case SLG_VALUE_STRING:
        return BASIC_STRING;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
    case SLG_VALUE_MONTH:
    case SLG_VALUE_WEEKDAY:
    case SLG_VALUE_DURATION:
        return BASIC_INT;
    case SLG_VALUE_FLOAT:
        return BASIC_FLOAT;
    case SLG_VALUE_BOOL:
        return BASIC_BOOL;
    case SLG_VALUE_NIL:
    case SLG_VALUE_TIME:
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
    case SLG_VALUE_LABELS:
        break;
    }
    return BASIC_NONE;
}

static bool are_equal(struct slg_run *run, const struct slg_value *a, const struct slg_value *b,
                      bool *ret)
{
    enum basic kind = basic_kind(a);

    if (a->kind == SLG_VALUE_NIL || b->kind == SLG_VALUE_NIL) {
        *ret = a->kind == b->kind;
        return true;
    }
    if (a->kind == SLG_VALUE_TIME && b->kind == SLG_VALUE_TIME) {
        *ret = a->time.seconds == b->time.seconds && a->time.nanoseconds == b->time.nanoseconds;
        return true;
    }
    if (kind == BASIC_NONE || basic_kind(b) == BASIC_NONE)
        return slg_run_fail(run, "non-comparable type %s",
                            slg_value_type_name(kind == BASIC_NONE ? a : b));
    if (kind != basic_kind(b))
        return slg_run_fail(run, "incompatible types for comparison");
    *ret = kind == BASIC_STRING  ? slg_text_equal(a->text, b->text)
           : kind == BASIC_BOOL  ? a->truth == b->truth
           : kind == BASIC_FLOAT ? a->number == b->number
                                 : a->integer == b->integer;
    return true;
}

static bool is_less(struct slg_run *run, const struct slg_value *a, const struct slg_value *b,
                    bool *ret)
{
    enum basic kind = basic_kind(a);

    if (kind == BASIC_NONE || kind == BASIC_BOOL || basic_kind(b) == BASIC_NONE)
        return slg_run_fail(run, "invalid type for comparison");
    if (kind != basic_kind(b))
        return slg_run_fail(run, "incompatible types for comparison");
    *ret = kind == BASIC_STRING  ? slg_text_compare(a->text, b->text) < 0
           : kind == BASIC_FLOAT ? a->number < b->number
                                 : a->integer < b->integer;
    return true;
}

static bool fn_eq(struct slg_call *call)
{
    bool equal = false;

    if (call->count < 2)
        return slg_run_fail(call->run, "missing argument for comparison");
    for (size_t i = 1; i < call->count && !equal; i++)
        if (!are_equal(call->run, &call->arguments[0], &call->arguments[i], &equal))
            return false;
    return slg_call_give(call, slg_value_bool(equal));
}

static bool fn_ne(struct slg_call *call)
{
    bool equal = false;

    return are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           slg_call_give(call, slg_value_bool(!equal));
}

static bool fn_lt(struct slg_call *call)
{
    bool less = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           slg_call_give(call, slg_value_bool(less));
}

static bool fn_le(struct slg_call *call)
{
    bool less = false, equal = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           slg_call_give(call, slg_value_bool(less || equal));
}

static bool fn_gt(struct slg_call *call)
{
    bool less = false, equal = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           slg_call_give(call, slg_value_bool(!less && !equal));
}

static bool fn_ge(struct slg_call *call)
{
    bool less = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           slg_call_give(call, slg_value_bool(!less));
}

static bool fn_not(struct slg_call *call)
{
    return slg_call_give(call, slg_value_bool(!slg_value_is_true(&call->arguments[0])));
}

static bool fn_default(struct slg_call *call)
{
    size_t chosen = call->count > 1 && slg_value_is_true(&call->arguments[1]) ? 1 : 0;

    return slg_call_give(call, call->arguments[chosen]);
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Go's own. */
    { "not", "a", fn_not },
    { "eq", "aa*", fn_eq },
    { "ne", "aa", fn_ne },
    { "lt", "aa", fn_lt },
    { "le", "aa", fn_le },
    { "gt", "aa", fn_gt },
    { "ge", "aa", fn_ge },
    /* sprig's, as far as Loki allows them. */
    { "default", "aa*", fn_default },
};

const struct slg_template_family slg_template_comparisons = { functions, SLG_ARRAY_LEN(functions) };
