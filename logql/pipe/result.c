#include "logql/pipe/result.h"

#include <string.h>

struct entry {
    struct slg_label label;
    uint64_t name_hash;
    const struct slg_symbol *symbol; /* NULL: an error label */
    uint8_t category;
};

/* Names count by their own hash, which symbols have already. */
static char *hash_piece(char *at, uint64_t name_hash, struct slg_text value)
{
    uint64_t head[2] = { name_hash, value.len };

    memcpy(at, head, sizeof(head));
    at += sizeof(head);
    if (value.len > 0)
        memcpy(at, value.at, value.len);
    return at + value.len;
}

struct slg_hash128 slg_result_hash(struct slg_context *context, const struct slg_label_set *labels)
{
    size_t bytes = 0;
    char *buffer, *at;

    for (size_t i = 0; i < labels->count; i++)
        bytes += labels->items[i].value.len + 16;
    buffer = at = slg_context_alloc(context, bytes);
    if (buffer == NULL)
        return (struct slg_hash128){ 0 };
    for (size_t i = 0; i < labels->count; i++)
        at = hash_piece(at, slg_hash_xxh3(labels->items[i].name.at, labels->items[i].name.len),
                        labels->items[i].value);
    return slg_hash_xxh3_128(buffer, bytes);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return slg_text_compare(left->label.name, right->label.name);
}

/* Sort, or take the order of the entry before when it had the same labels in the same places. */
static struct entry *order_entries(struct slg_context *context, struct entry *entries, size_t count)
{
    struct entry *sorted;
    bool same = count == context->order_count && count <= SLG_CONTEXT_ORDER_COUNT;

    for (size_t i = 0; i < count && same; i++)
        same = entries[i].symbol != NULL && entries[i].symbol == context->order_symbols[i];
    if (!same && count <= SLG_CONTEXT_ORDER_COUNT) {
        context->order_count = count;
        for (size_t i = 0; i < count; i++) {
            /* Only compared, never followed. */
            context->order_symbols[i] = (struct slg_symbol *)(uintptr_t)entries[i].symbol;
            context->order[i] = (uint8_t)i;
        }
        for (size_t i = 1; i < count; i++) {
            uint8_t moving = context->order[i];
            size_t at = i;

            for (; at > 0 && slg_text_compare(entries[context->order[at - 1]].label.name,
                                              entries[moving].label.name) > 0;
                 at--)
                context->order[at] = context->order[at - 1];
            context->order[at] = moving;
        }
        for (size_t i = 0; i < count; i++)
            context->rank[context->order[i]] = (uint8_t)i;
    }
    if (count > SLG_CONTEXT_ORDER_COUNT) {
        qsort(entries, count, sizeof(entries[0]), compare_entries);
        return entries;
    }
    sorted = slg_context_alloc(context, (count + 1) * sizeof(sorted[0]));
    for (size_t i = 0; i < count && sorted != NULL; i++)
        sorted[i] = entries[context->order[i]];
    return sorted;
}

/* Is the symbol of a stream label hidden by a parsed or metadata label, or dropped? */
static bool is_hidden(const struct slg_context *context, const struct slg_symbol *symbol)
{
    return symbol->entry_id == context->entry_id &&
           (symbol->deleted || symbol->item != SLG_CONTEXT_NO_ITEM);
}

static bool in_group(const struct slg_result_grouping *grouping, const struct slg_symbol *symbol)
{
    for (size_t i = 0; i < grouping->symbol_count; i++)
        if (grouping->symbols[i] == symbol)
            return true;
    return false;
}

static bool export(struct slg_context *context, const struct slg_result_grouping *grouping,
                   const struct entry *entries, size_t count, bool want_categories,
                   struct slg_pipe_result *ret)
{
    struct slg_label *labels = slg_context_alloc(context, (count + 1) * sizeof(labels[0]));
    uint8_t *categories = want_categories ? slg_context_alloc(context, count + 1) : NULL;
    size_t bytes = 0;
    char *buffer, *at;

    if (labels == NULL || (want_categories && categories == NULL))
        return false;
    for (size_t i = 0; i < count; i++) {
        labels[i] = entries[i].label;
        bytes += entries[i].label.value.len + 16;
        if (want_categories)
            categories[i] = entries[i].category;
    }
    ret->labels = (struct slg_label_set){ .items = labels, .count = count };
    ret->categories = categories;
    if (grouping->no_hash)
        return true;
    buffer = at = slg_context_alloc(context, bytes);
    if (buffer == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        at = hash_piece(at, entries[i].name_hash, entries[i].label.value);
    ret->hash = slg_hash_xxh3_128(buffer, bytes);
    return true;
}

static size_t add_error(struct entry *entries, size_t count, const char *name,
                        struct slg_text value)
{
    struct slg_text key = slg_text_of(name);

    if (value.len == 0)
        return count;
    /* A label of that name may have been parsed; the error itself wins. */
    for (size_t i = 0; i < count; i++)
        if (slg_text_equal(entries[i].label.name, key)) {
            entries[i].label.value = value;
            return count;
        }
    entries[count] = (struct entry){ .label = { .name = key, .value = value },
                                     .name_hash = slg_hash_xxh3(key.at, key.len),
                                     .category = SLG_PIPE_CATEGORY_PARSED };
    return count + 1;
}

/* Everything, of a log query, when the entry before had the same labels in the same places: each goes where its like
 * went. False: it had not. */
static bool build_as_before(struct slg_context *context, const struct slg_result_grouping *grouping,
                            struct slg_pipe_result *ret)
{
    const struct slg_pipe_stream *stream = context->stream;
    size_t wanted = context->order_count, count = 0;
    struct slg_label *labels = slg_context_alloc(context, (wanted + 1) * sizeof(labels[0]));
    uint8_t *categories = slg_context_alloc(context, wanted + 1);

    if (labels == NULL || categories == NULL || wanted > stream->labels.count + context->live_count)
        return false;
    for (size_t i = 0; i < stream->labels.count; i++) {
        if (is_hidden(context, stream->symbols[i]))
            continue;
        if (count == wanted || stream->symbols[i] != context->order_symbols[count])
            return false;
        labels[context->rank[count]] = stream->labels.items[i];
        categories[context->rank[count++]] = SLG_PIPE_CATEGORY_STREAM;
    }
    for (size_t i = 0; i < context->item_count; i++) {
        const struct slg_context_item *item = &context->items[i];

        if (!item->live)
            continue;
        if (count == wanted || item->symbol != context->order_symbols[count])
            return false;
        labels[context->rank[count]] =
            (struct slg_label){ .name = item->symbol->name, .value = item->value };
        categories[context->rank[count++]] = (uint8_t)item->category;
    }
    ret->labels = (struct slg_label_set){ .items = labels, .count = count };
    ret->categories = grouping->want_categories ? categories : NULL;
    return count == wanted;
}

/* Everything, but what `without` takes away (NULL: nothing). */
static bool build_all(struct slg_context *context, const struct slg_result_grouping *grouping,
                      const struct slg_result_grouping *without, bool want_categories,
                      struct slg_pipe_result *ret)
{
    const struct slg_pipe_stream *stream = context->stream;
    bool keep_empty = grouping->keep_empty;
    size_t count = 0;
    struct entry *entries = slg_context_alloc(
        context, (stream->labels.count + context->live_count + 2) * sizeof(entries[0]));

    if (entries == NULL)
        return false;
    for (size_t i = 0; i < stream->labels.count; i++)
        if (!is_hidden(context, stream->symbols[i]) &&
            (without == NULL || !in_group(without, stream->symbols[i])))
            entries[count++] = (struct entry){ .label = stream->labels.items[i],
                                               .name_hash = stream->symbols[i]->hash,
                                               .symbol = stream->symbols[i],
                                               .category = SLG_PIPE_CATEGORY_STREAM };
    for (size_t i = 0; i < context->item_count; i++) {
        const struct slg_context_item *item = &context->items[i];

        if (!item->live || (without != NULL && in_group(without, item->symbol)) ||
            (!keep_empty && item->value.len == 0))
            continue;
        entries[count++] =
            (struct entry){ .label = { .name = item->symbol->name, .value = item->value },
                            .name_hash = item->symbol->hash,
                            .symbol = item->symbol,
                            .category = (uint8_t)item->category };
    }
    if (without == NULL) {
        count = add_error(entries, count, "__error__", context->error);
        count = add_error(entries, count, "__error_details__", context->error_details);
    }
    entries = order_entries(context, entries, count);
    return entries != NULL && export(context, grouping, entries, count, want_categories, ret);
}

/* Only the labels of `by`. */
static bool build_by(struct slg_context *context, const struct slg_result_grouping *by,
                     struct slg_pipe_result *ret)
{
    size_t count = 0;
    struct entry *entries = slg_context_alloc(context, (by->symbol_count + 1) * sizeof(entries[0]));

    if (entries == NULL)
        return false;
    for (size_t i = 0; i < by->symbol_count; i++) {
        struct slg_symbol *symbol = by->symbols[i];
        struct slg_text value;

        /* What was dropped stays away, even when a later stage has set it again. */
        if (symbol->entry_id == context->entry_id && symbol->deleted)
            continue;
        if (slg_context_get(context, symbol, &value) && value.len > 0)
            entries[count++] = (struct entry){ .label = { .name = symbol->name, .value = value },
                                               .name_hash = symbol->hash };
    }
    return export(context, by, entries, count, /* want_categories= */ false, ret);
}

/* Nothing but the stream's labels: what grouping leaves of them is the same for every entry. */
static bool build_stream_group(struct slg_context *context,
                               const struct slg_result_grouping *grouping,
                               struct slg_pipe_result *ret)
{
    /* Streams are made by the pipe, which is not const there. */
    struct slg_pipe_stream *stream = (struct slg_pipe_stream *)(uintptr_t)context->stream;
    struct slg_label *labels;
    size_t count = 0;

    if (!stream->grouped_ready) {
        labels =
            slg_arena_calloc(context->static_arena, stream->labels.count + 1, sizeof(labels[0]));
        if (labels == NULL) {
            context->exhausted = true;
            return false;
        }
        for (size_t i = 0; i < stream->labels.count; i++)
            if (in_group(grouping, stream->symbols[i]) != grouping->without)
                labels[count++] = stream->labels.items[i];
        stream->grouped = (struct slg_label_set){ .items = labels, .count = count };
        stream->grouped_hash = slg_result_hash(context, &stream->grouped);
        stream->grouped_ready = true;
    }
    ret->labels = stream->grouped;
    ret->hash = stream->grouped_hash;
    return true;
}

static bool build_stream(struct slg_context *context, bool want_categories,
                         struct slg_pipe_result *ret)
{
    const struct slg_pipe_stream *stream = context->stream;

    ret->labels = stream->labels;
    ret->hash = stream->hash;
    if (want_categories) {
        uint8_t *categories = slg_context_alloc(context, stream->labels.count + 1);

        if (categories == NULL)
            return false;
        memset(categories, SLG_PIPE_CATEGORY_STREAM, stream->labels.count + 1);
        ret->categories = categories;
    }
    return true;
}

/* Whatever wrote them: an entry of a metric query whose labels have __error__ fails the query unless they have
 * __preserve_error__="true" too. */
static void judge_error(struct slg_context *context, struct slg_pipe_result *ret)
{
    struct slg_text value;
    bool preserved = false;

    ret->must_fail = ret->has_error;
    if (context->error_symbol == NULL ||
        (!ret->has_error && !slg_context_get(context, context->error_symbol, &value)))
        return;
    for (size_t i = 0; i < ret->labels.count; i++) {
        const struct slg_label *label = &ret->labels.items[i];

        if (slg_text_equal(label->name, context->error_symbol->name)) {
            ret->must_fail = true;
            ret->error = label->value;
        } else if (slg_text_equal(label->name, context->preserve_symbol->name)) {
            preserved = slg_text_equal_to(label->value, "true");
        }
    }
    ret->must_fail = ret->must_fail && !preserved;
}

static bool build(struct slg_context *context, const struct slg_result_grouping *grouping,
                  struct slg_pipe_result *ret)
{
    bool unchanged = context->live_count == 0 && !context->has_deleted;

    ret->categories = NULL;
    ret->has_error = context->error.len > 0;
    ret->must_fail = false;
    ret->error = context->error;
    if (ret->has_error)
        return build_all(context, grouping, NULL, grouping->want_categories, ret);
    if (grouping->no_labels) {
        ret->labels = (struct slg_label_set){ 0 };
        ret->hash = slg_hash_xxh3_128("", 0);
        return true;
    }
    if (unchanged && !grouping->grouped)
        return build_stream(context, grouping->want_categories, ret);
    if (unchanged)
        return build_stream_group(context, grouping, ret);
    if (!grouping->grouped)
        return (grouping->no_hash && build_as_before(context, grouping, ret)) ||
               build_all(context, grouping, NULL, grouping->want_categories, ret);
    if (grouping->without)
        return build_all(context, grouping, grouping, /* want_categories= */ false, ret);
    return build_by(context, grouping, ret);
}

bool slg_result_build(struct slg_context *context, const struct slg_result_grouping *grouping,
                      struct slg_pipe_result *ret)
{
    if (!build(context, grouping, ret))
        return false;
    if (grouping->is_metric)
        judge_error(context, ret);
    return true;
}
