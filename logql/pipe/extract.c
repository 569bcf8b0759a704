#include "logql/pipe/extract.h"

#include <string.h>

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
}

static struct slg_text text_of(struct slg_logql_str str)
{
    return slg_text_make(str.ptr, str.len);
}

/* ---- regexp ---- */

static enum slg_status name_groups(struct slg_context *context, struct slg_regexp_stage *stage,
                                   struct slg_error *reterr)
{
    size_t named = 0;

    stage->group_count = slg_regex_group_count(stage->regex);
    if (stage->group_count >= SLG_REGEX_GROUP_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "regexp has more than %d groups",
                          SLG_REGEX_GROUP_COUNT_MAX - 1);
    stage->symbols =
        slg_arena_calloc(context->static_arena, stage->group_count + 1, sizeof(stage->symbols[0]));
    if (stage->symbols == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < stage->group_count; i++) {
        const char *name = slg_regex_group_name(stage->regex, i + 1);

        if (name[0] == '\0')
            continue;
        stage->symbols[i] = slg_context_static_symbol(context, slg_text_of(name));
        if (stage->symbols[i] == NULL)
            return no_memory(reterr);
        named++;
    }
    if (named == 0)
        return slg_errorf(reterr, SLG_INVALID, "at least one named capture must be supplied");
    return SLG_OK;
}

enum slg_status slg_regexp_stage_create(struct slg_context *context,
                                        const struct slg_logql_stage *from,
                                        struct slg_regexp_stage **ret_stage,
                                        struct slg_error *reterr)
{
    struct slg_regexp_stage *stage = slg_arena_calloc(context->static_arena, 1, sizeof(*stage));
    struct slg_regex_options options = { .text = from->text.ptr, .len = from->text.len };
    enum slg_status status;

    if (stage == NULL)
        return no_memory(reterr);
    status = slg_regex_create(&options, &stage->regex, reterr);
    if (status == SLG_OK)
        status = name_groups(context, stage, reterr);
    if (status != SLG_OK) {
        slg_regexp_stage_fini(stage);
        return status;
    }
    *ret_stage = stage;
    return SLG_OK;
}

void slg_regexp_stage_fini(struct slg_regexp_stage *stage)
{
    if (stage == NULL)
        return;
    slg_regex_destroy(stage->regex);
    stage->regex = NULL;
}

bool slg_regexp_stage_run(const struct slg_regexp_stage *stage, struct slg_context *context)
{
    struct slg_regex_span groups[SLG_REGEX_GROUP_COUNT_MAX];

    if (!slg_regex_find(stage->regex, context->line.at, context->line.len, 0, groups,
                        stage->group_count + 1))
        return true;
    for (size_t i = 0; i < stage->group_count; i++) {
        struct slg_symbol *target =
            stage->symbols[i] == NULL ? NULL : slg_context_wanted(context, stage->symbols[i]);

        if (target == NULL)
            continue;
        slg_context_set_wanted(context, target, slg_text_make(groups[i + 1].at, groups[i + 1].len));
        if (!slg_label_filter_go_on(target, context))
            return false;
    }
    return true;
}

/* ---- pattern ---- */

enum slg_status slg_pattern_stage_create(struct slg_context *context,
                                         const struct slg_logql_stage *from,
                                         struct slg_pattern_stage **ret_stage,
                                         struct slg_error *reterr)
{
    struct slg_arena *arena = context->static_arena;
    struct slg_pattern_stage *stage = slg_arena_calloc(arena, 1, sizeof(*stage));
    enum slg_status status;
    size_t n = 0;

    if (stage == NULL)
        return no_memory(reterr);
    status = slg_pattern_parse(arena, text_of(from->text), &stage->pattern, reterr);
    if (status != SLG_OK)
        return status;
    stage->symbols = slg_arena_calloc(arena, stage->pattern.name_count, sizeof(stage->symbols[0]));
    stage->values = slg_arena_calloc(arena, stage->pattern.name_count, sizeof(stage->values[0]));
    if (stage->symbols == NULL || stage->values == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < stage->pattern.node_count; i++) {
        const struct slg_pattern_node *node = &stage->pattern.nodes[i];

        if (!node->is_capture || slg_text_equal_to(node->text, "_"))
            continue;
        stage->symbols[n] = slg_context_static_symbol(context, node->text);
        if (stage->symbols[n++] == NULL)
            return no_memory(reterr);
    }
    *ret_stage = stage;
    return SLG_OK;
}

bool slg_pattern_stage_run(const struct slg_pattern_stage *stage, struct slg_context *context)
{
    size_t count;

    if (slg_context_no_labels(context))
        return true;
    count = slg_pattern_extract(&stage->pattern, context->line, stage->values);
    for (size_t i = 0; i < count; i++) {
        struct slg_symbol *target = slg_context_wanted(context, stage->symbols[i]);

        if (target == NULL)
            continue;
        slg_context_set_wanted(context, target, stage->values[i]);
        if (!slg_label_filter_go_on(target, context))
            return false;
    }
    return true;
}

/* ---- label_format ---- */

static enum slg_status check_formats(const struct slg_logql_stage *from, struct slg_error *reterr)
{
    for (size_t i = 0; i < from->format_count; i++) {
        struct slg_text name = text_of(from->formats[i].dst);

        if (slg_text_equal_to(name, "__error__"))
            return slg_errorf(reterr, SLG_INVALID, "__error__ cannot be formatted");
        for (size_t k = 0; k < i; k++)
            if (slg_text_equal(text_of(from->formats[k].dst), name))
                return slg_errorf(
                    reterr, SLG_INVALID,
                    "multiple label name '%.*s' not allowed in a single format operation",
                    (int)(name.len > 128 ? 128 : name.len), name.at);
    }
    return SLG_OK;
}

static enum slg_status create_format(struct slg_context *context,
                                     const struct slg_logql_format *from,
                                     struct slg_label_format *format, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    format->dst = slg_context_static_symbol(context, text_of(from->dst));
    if (format->dst == NULL)
        return no_memory(reterr);
    if (from->is_rename) {
        format->src = slg_context_static_symbol(context, text_of(from->src));
        return format->src == NULL ? no_memory(reterr) : SLG_OK;
    }
    status = slg_template_create(context, "label", text_of(from->src), &format->tmpl, reterr);
    if (status != SLG_OK)
        (void)slg_error_context(reterr, "invalid template for label '%.*s'",
                                (int)(from->dst.len > 64 ? 64 : from->dst.len), from->dst.ptr);
    return status;
}

enum slg_status slg_label_format_stage_create(struct slg_context *context,
                                              const struct slg_logql_stage *from,
                                              struct slg_label_format_stage **ret_stage,
                                              struct slg_error *reterr)
{
    struct slg_arena *arena = context->static_arena;
    struct slg_label_format_stage *stage = slg_arena_calloc(arena, 1, sizeof(*stage));
    enum slg_status status = check_formats(from, reterr);

    if (status != SLG_OK)
        return status;
    if (stage == NULL)
        return no_memory(reterr);
    stage->formats = slg_arena_calloc(arena, from->format_count, sizeof(stage->formats[0]));
    if (stage->formats == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < from->format_count && status == SLG_OK; i++) {
        status = create_format(context, &from->formats[i], &stage->formats[i], reterr);
        stage->count = i + 1;
    }
    if (status != SLG_OK) {
        slg_label_format_stage_fini(stage);
        return status;
    }
    *ret_stage = stage;
    return SLG_OK;
}

void slg_label_format_stage_fini(struct slg_label_format_stage *stage)
{
    if (stage == NULL)
        return;
    for (size_t i = 0; i < stage->count; i++)
        slg_template_fini(stage->formats[i].tmpl);
    stage->count = 0;
}

/* What the templates give; they all see the labels as they are now. */
struct formatted {
    struct slg_text text;
    bool ok;
};

static bool run_templates(const struct slg_label_format_stage *stage, struct slg_context *context,
                          size_t first, struct formatted *results)
{
    for (size_t i = first; i < stage->count; i++)
        if (stage->formats[i].tmpl != NULL)
            results[i].ok = slg_template_run(stage->formats[i].tmpl, context, &results[i].text);
    return !context->exhausted;
}

/* Has the entry no label at all? */
static bool is_bare(const struct slg_context *context)
{
    const struct slg_pipe_stream *stream = context->stream;

    if (context->live_count > 0 || context->error.len > 0 ||
        (stream->labels.count > 0 && !context->has_deleted))
        return false;
    for (size_t i = 0; i < stream->labels.count; i++)
        if (stream->symbols[i]->entry_id != context->entry_id || !stream->symbols[i]->deleted)
            return false;
    return true;
}

/* Loki takes the map of labels once, at the first template: a later template does not see what an earlier one has set,
 * but a rename does. An empty map is taken again. */
void slg_label_format_stage_run(const struct slg_label_format_stage *stage,
                                struct slg_context *context)
{
    struct formatted *results = NULL;
    bool bare = false;

    for (size_t i = 0; i < stage->count; i++) {
        const struct slg_label_format *format = &stage->formats[i];
        struct slg_text text;

        if (format->tmpl == NULL) {
            if (slg_context_get(context, format->src, &text)) {
                slg_context_set(context, format->dst, text);
                slg_context_delete(context, format->src);
            }
            continue;
        }
        if (results == NULL || bare) {
            bare = is_bare(context);
            results = slg_context_alloc(context, stage->count * sizeof(results[0]));
            if (results == NULL || !run_templates(stage, context, i, results))
                return;
        }
        if (results[i].ok) {
            slg_context_set(context, format->dst, results[i].text);
        } else {
            context->error = slg_text_of("TemplateFormatErr");
            context->error_details = results[i].text;
        }
    }
}

/* ---- drop and keep ---- */

enum slg_status slg_named_stage_create(struct slg_context *context,
                                       const struct slg_logql_stage *from,
                                       struct slg_named_stage **ret_stage, struct slg_error *reterr)
{
    struct slg_arena *arena = context->static_arena;
    struct slg_named_stage *stage = slg_arena_calloc(arena, 1, sizeof(*stage));
    enum slg_status status = SLG_OK;

    if (stage == NULL)
        return no_memory(reterr);
    stage->items = slg_arena_calloc(arena, from->named_count, sizeof(stage->items[0]));
    if (stage->items == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < from->named_count && status == SLG_OK; i++) {
        const struct slg_logql_named *named = &from->named[i];

        stage->items[i].has_matcher = named->has_matcher;
        stage->items[i].symbol = slg_context_static_symbol(context, text_of(named->matcher.name));
        if (stage->items[i].symbol == NULL)
            status = no_memory(reterr);
        else if (named->has_matcher)
            status = slg_value_matcher_init(&stage->items[i].matcher, &named->matcher,
                                            /* dot_newline= */ true, reterr);
        stage->count = i + 1;
    }
    if (status != SLG_OK) {
        slg_named_stage_fini(stage);
        return status;
    }
    *ret_stage = stage;
    return SLG_OK;
}

void slg_named_stage_fini(struct slg_named_stage *stage)
{
    if (stage == NULL)
        return;
    for (size_t i = 0; i < stage->count; i++)
        slg_value_matcher_fini(&stage->items[i].matcher);
    stage->count = 0;
}

/* __error__ and __error_details__ are no labels; NULL for any other name. */
static struct slg_text *special_label(struct slg_context *context, const struct slg_symbol *symbol)
{
    if (slg_text_equal_to(symbol->name, "__error__"))
        return &context->error;
    return slg_text_equal_to(symbol->name, "__error_details__") ? &context->error_details : NULL;
}

void slg_drop_stage_run(const struct slg_named_stage *stage, struct slg_context *context)
{
    for (size_t i = 0; i < stage->count; i++) {
        const struct slg_named *item = &stage->items[i];
        struct slg_text *special = special_label(context, item->symbol), value;
        bool there = true;

        if (special != NULL)
            value = *special;
        else
            there = slg_context_get(context, item->symbol, &value);
        if (item->has_matcher ? !slg_value_matcher_test(&item->matcher, value) : !there)
            continue;
        if (special != NULL)
            special->len = 0;
        else
            slg_context_delete(context, item->symbol);
    }
}

static bool is_kept(const struct slg_named_stage *stage, const struct slg_symbol *symbol,
                    struct slg_text value)
{
    for (size_t i = 0; i < stage->count; i++) {
        const struct slg_named *item = &stage->items[i];

        if (item->symbol == symbol &&
            (!item->has_matcher || slg_value_matcher_test(&item->matcher, value)))
            return true;
    }
    return slg_text_equal_to(symbol->name, "__error__") ||
           slg_text_equal_to(symbol->name, "__error_details__") ||
           slg_text_equal_to(symbol->name, "__preserve_error__");
}

void slg_keep_stage_run(const struct slg_named_stage *stage, struct slg_context *context)
{
    const struct slg_pipe_stream *stream = context->stream;
    size_t item_count = context->item_count;

    if (stage->count == 0)
        return;
    for (size_t i = 0; i < stream->labels.count; i++) {
        struct slg_text value;

        /* A hidden stream label is judged as what hides it, below. */
        if (slg_context_get(context, stream->symbols[i], &value) &&
            !is_kept(stage, stream->symbols[i], value))
            slg_context_delete(context, stream->symbols[i]);
    }
    for (size_t i = 0; i < item_count; i++)
        if (context->items[i].live &&
            !is_kept(stage, context->items[i].symbol, context->items[i].value))
            slg_context_delete(context, context->items[i].symbol);
}
