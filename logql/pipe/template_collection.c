/* Functions of templates over lists, maps and JSON; and the labels of a line as a map. */
#include <string.h>

#include "logql/pipe/template_function.h"

/* ---- labels ---- */

static bool get_label(struct slg_context *context, struct slg_symbol *symbol, struct slg_text *ret)
{
    if (slg_text_equal_to(symbol->name, "__error__") && context->error.len > 0) {
        *ret = context->error;
        return true;
    }
    if (slg_text_equal_to(symbol->name, "__error_details__") && context->error_details.len > 0) {
        *ret = context->error_details;
        return true;
    }
    return slg_context_get(context, symbol, ret);
}

bool slg_value_field(struct slg_run *run, const struct slg_value *from,
                     const struct slg_field *field, struct slg_value *ret)
{
    struct slg_symbol *symbol = field->symbol;
    struct slg_text text;

    memset(ret, 0, sizeof(*ret));
    switch (from->kind) {
    case SLG_VALUE_NIL:
        return true;
    case SLG_VALUE_LABELS:
        if (symbol == NULL)
            symbol = slg_context_symbol(run->context, field->name);
        if (symbol == NULL)
            return slg_run_fail(run, "template needs too much memory");
        (void)get_label(run->context, symbol, &text); /* missing = empty */
        *ret = slg_value_text(text);
        return true;
    case SLG_VALUE_MAP:
        for (size_t i = 0; i < from->list.count; i++)
            if (slg_text_equal(from->list.keys[i], field->name))
                *ret = from->list.items[i];
        return slg_run_spend(run, from->list.count * 8);
    default:
        return slg_run_fail(run, "can't evaluate field %.*s in type %s",
                            (int)(field->name.len > 60 ? 60 : field->name.len), field->name.at,
                            slg_value_type_name(from));
    }
}

static void insert_label(struct slg_text *keys, struct slg_value *items, size_t *count,
                         struct slg_text name, struct slg_text value)
{
    size_t at = *count;

    for (; at > 0 && slg_text_compare(keys[at - 1], name) > 0; at--) {
        keys[at] = keys[at - 1];
        items[at] = items[at - 1];
    }
    keys[at] = name;
    items[at] = slg_value_text(value);
    (*count)++;
}

bool slg_value_labels(struct slg_run *run, struct slg_value *ret)
{
    struct slg_context *context = run->context;
    const struct slg_pipe_stream *stream = context->stream;
    size_t capacity = stream->labels.count + context->live_count + 2, count = 0;
    char *keys_memory, *items_memory;
    struct slg_text *keys, value;
    struct slg_value *items;

    if (!slg_run_spend(run, capacity * capacity) ||
        !slg_run_alloc(run, capacity * sizeof(*keys), &keys_memory) ||
        !slg_run_alloc(run, capacity * sizeof(*items), &items_memory))
        return false;
    keys = (void *)keys_memory;
    items = (void *)items_memory;
    for (size_t i = 0; i < stream->labels.count; i++)
        if (slg_context_get(context, stream->symbols[i], &value) &&
            stream->symbols[i]->item == SLG_CONTEXT_NO_ITEM)
            insert_label(keys, items, &count, stream->symbols[i]->name, value);
    for (size_t i = 0; i < context->item_count; i++)
        if (context->items[i].live)
            insert_label(keys, items, &count, context->items[i].symbol->name,
                         context->items[i].value);
    if (context->error.len > 0)
        insert_label(keys, items, &count, slg_text_of("__error__"), context->error);
    if (context->error_details.len > 0)
        insert_label(keys, items, &count, slg_text_of("__error_details__"), context->error_details);
    memset(ret, 0, sizeof(*ret));
    ret->kind = SLG_VALUE_MAP;
    ret->list.items = items;
    ret->list.keys = keys;
    ret->list.count = count;
    return true;
}

/* ---- lists and maps ---- */

static bool fn_len(struct slg_call *call)
{
    struct slg_value *value = &call->arguments[0], labels;

    switch (value->kind) {
    case SLG_VALUE_STRING:
        return slg_call_give(call, slg_value_int((int64_t)value->text.len));
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
        return slg_call_give(call, slg_value_int((int64_t)value->list.count));
    case SLG_VALUE_LABELS:
        return slg_value_labels(call->run, &labels) &&
               slg_call_give(call, slg_value_int((int64_t)labels.list.count));
    default:
        return slg_run_fail(call->run, "len of type %s", slg_value_type_name(value));
    }
}

static bool index_once(struct slg_run *run, struct slg_value *value, const struct slg_value *index)
{
    bool is_int = index->kind == SLG_VALUE_INT || index->kind == SLG_VALUE_INT64;

    if (value->kind == SLG_VALUE_LABELS || value->kind == SLG_VALUE_MAP) {
        struct slg_field field = { 0 };
        struct slg_value from = *value;

        if (index->kind != SLG_VALUE_STRING)
            return slg_run_fail(run, "value has type %s; should be string",
                                slg_value_type_name(index));
        field.name = index->text;
        return slg_value_field(run, &from, &field, value);
    }
    if (value->kind != SLG_VALUE_LIST && value->kind != SLG_VALUE_STRING)
        return slg_run_fail(run, "can't index item of type %s", slg_value_type_name(value));
    if (!is_int)
        return slg_run_fail(run, "cannot index slice/array with type %s",
                            slg_value_type_name(index));
    if (index->integer < 0 ||
        (uint64_t)index->integer >=
            (value->kind == SLG_VALUE_LIST ? value->list.count : value->text.len))
        return slg_run_fail(run, "index out of range: %lld", (long long)index->integer);
    *value = value->kind == SLG_VALUE_LIST ? value->list.items[index->integer]
                                           : slg_value_int((uint8_t)value->text.at[index->integer]);
    return true;
}

static bool fn_index(struct slg_call *call)
{
    struct slg_value value = call->arguments[0];

    for (size_t i = 1; i < call->count; i++)
        if (!index_once(call->run, &value, &call->arguments[i]))
            return false;
    return slg_call_give(call, value);
}

static bool fn_slice(struct slg_call *call)
{
    struct slg_value value = call->arguments[0];
    size_t len = value.kind == SLG_VALUE_LIST ? value.list.count : value.text.len;
    int64_t bounds[2] = { 0, (int64_t)len };

    if (value.kind != SLG_VALUE_LIST && value.kind != SLG_VALUE_STRING)
        return slg_run_fail(call->run, "can't slice item of type %s", slg_value_type_name(&value));
    if (call->count > 3)
        return slg_run_fail(call->run, "too many slice indexes: %zu", call->count - 1);
    for (size_t i = 1; i < call->count; i++) {
        const struct slg_value *bound = &call->arguments[i];

        if (bound->kind != SLG_VALUE_INT && bound->kind != SLG_VALUE_INT64)
            return slg_run_fail(call->run, "cannot index slice/array with type %s",
                                slg_value_type_name(bound));
        if (bound->integer < 0 || bound->integer > (int64_t)len)
            return slg_run_fail(call->run, "index out of range: %lld", (long long)bound->integer);
        bounds[i - 1] = bound->integer;
    }
    if (bounds[0] > bounds[1])
        return slg_run_fail(call->run, "invalid slice index: %lld > %lld", (long long)bounds[0],
                            (long long)bounds[1]);
    if (value.kind == SLG_VALUE_STRING)
        return slg_call_give_text(call, value.text.at + bounds[0], (size_t)(bounds[1] - bounds[0]));
    value.list.items += bounds[0];
    value.list.count = (size_t)(bounds[1] - bounds[0]);
    return slg_call_give(call, value);
}

static bool fn_from_json(struct slg_call *call)
{
    struct slg_value value = { 0 };

    if (!slg_value_from_json(call->run, slg_call_text(call, 0), &value)) {
        if (call->run->error[0] != '\0')
            return false;
        memset(&value, 0, sizeof(value));
    }
    return slg_call_give(call, value);
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Go's own. */
    { "len", "a", fn_len },
    { "index", "aa*", fn_index },
    { "slice", "aa*", fn_slice },
    /* sprig's, as far as Loki allows them. */
    { "fromJson", "s", fn_from_json },
};

const struct slg_template_family slg_template_collections = { functions, SLG_ARRAY_LEN(functions) };
