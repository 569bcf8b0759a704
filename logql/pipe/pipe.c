#include "logql/pipe/pipe.h"

#include <string.h>

#include "logql/pipe/complain.h"
#include "logql/pipe/context.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/decolorize.h"
#include "logql/pipe/extract.h"
#include "logql/pipe/json.h"
#include "logql/pipe/label_filter.h"
#include "logql/pipe/line_filter.h"
#include "logql/pipe/logfmt.h"
#include "logql/pipe/result.h"
#include "logql/pipe/template.h"
#include "logql/syntax/print.h"

struct stage {
    enum slg_logql_stage_kind kind;
    union {
        struct slg_line_filter *line_filter;
        struct slg_json_stage *json;
        struct slg_logfmt_stage *logfmt;
        struct slg_regexp_stage *regexp;
        struct slg_pattern_stage *pattern;
        struct slg_unpack_stage *unpack;
        struct slg_label_filter *label_filter;
        struct slg_template *line_format;
        struct slg_label_format_stage *label_format;
        struct slg_named_stage *named; /* drop, keep */
    };
};

struct slg_pipe {
    struct slg_arena *arena;
    struct slg_context context;
    struct stage *stages;
    const struct slg_logql_stage **sources; /* of stages */
    size_t stage_count;
    size_t leading_count; /* line filters at the start: run before metadata is looked at */
    enum slg_pipe_sample sample;
    struct slg_symbol *unwrap_symbol;
    enum slg_logql_conversion conversion;
    struct slg_label_filter **post_filters;
    size_t post_filter_count;
    struct slg_result_grouping grouping;
    bool needs_metadata;
    struct slg_text literals[SLG_PIPE_LITERAL_COUNT_MAX];
    size_t literal_count;
};

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
}

/* ---- compiling stages ---- */

static enum slg_status create_line_format(struct slg_context *context,
                                          const struct slg_logql_stage *from, struct stage *stage,
                                          struct slg_error *reterr)
{
    enum slg_status status =
        slg_template_create(context, "line", slg_text_make(from->text.ptr, from->text.len),
                            &stage->line_format, reterr);

    if (status != SLG_OK)
        (void)slg_error_context(reterr, "invalid line template");
    return status;
}

static enum slg_status create_unpack(struct slg_context *context, struct stage *stage,
                                     struct slg_error *reterr)
{
    stage->unpack = slg_arena_calloc(context->static_arena, 1, sizeof(*stage->unpack));
    return stage->unpack == NULL ? no_memory(reterr) : SLG_OK;
}

static enum slg_status create_label_filter(struct slg_context *context,
                                           const struct slg_logql_stage *from, struct stage *stage,
                                           struct slg_error *reterr)
{
    enum slg_status status = slg_label_filter_check_stage(from->label_filter, reterr);

    return status != SLG_OK
               ? status
               : slg_label_filter_create(context, from->label_filter, &stage->label_filter, reterr);
}

static enum slg_status create_stage(struct slg_context *context, const struct slg_logql_stage *from,
                                    struct stage *stage, struct slg_error *reterr)
{
    stage->kind = from->kind;
    switch (from->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        return slg_line_filter_create(context->static_arena, &from->line_filter,
                                      &stage->line_filter, reterr);
    case SLG_LOGQL_STAGE_JSON:
        return slg_json_stage_create(context, from, &stage->json, reterr);
    case SLG_LOGQL_STAGE_LOGFMT:
        return slg_logfmt_stage_create(context, from, &stage->logfmt, reterr);
    case SLG_LOGQL_STAGE_REGEXP:
        return slg_regexp_stage_create(context, from, &stage->regexp, reterr);
    case SLG_LOGQL_STAGE_PATTERN:
        return slg_pattern_stage_create(context, from, &stage->pattern, reterr);
    case SLG_LOGQL_STAGE_UNPACK:
        return create_unpack(context, stage, reterr);
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        return create_label_filter(context, from, stage, reterr);
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        return create_line_format(context, from, stage, reterr);
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        return slg_label_format_stage_create(context, from, &stage->label_format, reterr);
    case SLG_LOGQL_STAGE_DECOLORIZE:
        return SLG_OK;
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        return slg_named_stage_create(context, from, &stage->named, reterr);
    }
    return SLG_OK;
}

static void fini_stage(struct stage *stage)
{
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        slg_line_filter_fini(stage->line_filter);
        break;
    case SLG_LOGQL_STAGE_REGEXP:
        slg_regexp_stage_fini(stage->regexp);
        break;
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        slg_label_filter_fini(stage->label_filter);
        break;
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        slg_template_fini(stage->line_format);
        break;
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        slg_label_format_stage_fini(stage->label_format);
        break;
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        slg_named_stage_fini(stage->named);
        break;
    case SLG_LOGQL_STAGE_JSON:
    case SLG_LOGQL_STAGE_LOGFMT:
    case SLG_LOGQL_STAGE_PATTERN:
    case SLG_LOGQL_STAGE_UNPACK:
    case SLG_LOGQL_STAGE_DECOLORIZE:
        break;
    }
}

/* Loki's words: parse error : stage '| json a="b[x]"' : cannot parse expression ... */
static void name_stage(const struct slg_logql_stage *from, struct slg_error *reterr)
{
    struct slg_buf text;

    if (reterr == NULL)
        return;
    if (from->kind == SLG_LOGQL_STAGE_PATTERN || from->kind == SLG_LOGQL_STAGE_REGEXP) {
        (void)slg_error_context(reterr, "invalid %s parser",
                                from->kind == SLG_LOGQL_STAGE_PATTERN ? "pattern" : "regexp");
    } else {
        slg_buf_init(&text, SLG_LOGQL_TEXT_BYTES_MAX * 8);
        slg_logql_print_stage(&text, from);
        /* The reason matters more than the end of a long stage: slg_error has 256 bytes. */
        (void)slg_error_context(reterr, "stage '%.*s' ", (int)(text.len > 100 ? 100 : text.len),
                                text.data == NULL ? "" : (const char *)text.data);
        slg_buf_fini(&text);
    }
    (void)slg_error_context(reterr, "parse error ");
}

/* A line_format that no later stage can see is not run in a metric query that does not measure lines: Loki takes it
 * out, and its errors with it. */
static bool is_unseen_format(const struct slg_pipe_options *options, size_t index)
{
    const struct slg_logql_log *log = options->log;

    if (log->stages[index].kind != SLG_LOGQL_STAGE_LINE_FORMAT ||
        (options->sample != SLG_PIPE_SAMPLE_COUNT && options->sample != SLG_PIPE_SAMPLE_UNWRAP))
        return false;
    for (size_t i = index + 1; i < log->stage_count; i++)
        switch (log->stages[i].kind) {
        case SLG_LOGQL_STAGE_LINE_FILTER:
        case SLG_LOGQL_STAGE_JSON:
        case SLG_LOGQL_STAGE_LOGFMT:
        case SLG_LOGQL_STAGE_REGEXP:
        case SLG_LOGQL_STAGE_PATTERN:
        case SLG_LOGQL_STAGE_UNPACK:
            return false;
        case SLG_LOGQL_STAGE_LABEL_FILTER:
        case SLG_LOGQL_STAGE_LINE_FORMAT:
        case SLG_LOGQL_STAGE_LABEL_FORMAT:
        case SLG_LOGQL_STAGE_DECOLORIZE:
        case SLG_LOGQL_STAGE_DROP:
        case SLG_LOGQL_STAGE_KEEP:
            break;
        }
    return true;
}

/* The stages in the order in which Loki runs them: line filters go in front of everything up to the line_format or
 * unpack before them (but not of these; decolorize does not hold them back). */
static void order_stages(struct slg_pipe *pipe, const struct slg_pipe_options *options)
{
    const struct slg_logql_log *log = options->log;
    size_t filter_at = 0; /* where the next line filter goes */

    for (size_t i = 0; i < log->stage_count; i++) {
        const struct slg_logql_stage *from = &log->stages[i];
        size_t count = pipe->stage_count;

        if (is_unseen_format(options, i))
            continue;
        if (from->kind == SLG_LOGQL_STAGE_LINE_FILTER) {
            memmove(&pipe->sources[filter_at + 1], &pipe->sources[filter_at],
                    (count - filter_at) * sizeof(pipe->sources[0]));
            pipe->sources[filter_at++] = from;
        } else {
            pipe->sources[count] = from;
            if (from->kind == SLG_LOGQL_STAGE_LINE_FORMAT || from->kind == SLG_LOGQL_STAGE_UNPACK)
                filter_at = count + 1;
        }
        pipe->stage_count++;
    }
}

static enum slg_status create_stages(struct slg_pipe *pipe, const struct slg_pipe_options *options,
                                     struct slg_error *reterr)
{
    size_t count;

    pipe->stages =
        slg_arena_calloc(pipe->arena, options->log->stage_count, sizeof(pipe->stages[0]));
    pipe->sources =
        slg_arena_calloc(pipe->arena, options->log->stage_count + 1, sizeof(pipe->sources[0]));
    if (pipe->stages == NULL || pipe->sources == NULL)
        return no_memory(reterr);
    order_stages(pipe, options);
    count = pipe->stage_count;
    pipe->stage_count = 0; /* what has to be freed */
    for (size_t i = 0; i < count; i++) {
        enum slg_status status =
            create_stage(&pipe->context, pipe->sources[i], &pipe->stages[i], reterr);

        if (status != SLG_OK) {
            name_stage(pipe->sources[i], reterr);
            return status;
        }
        pipe->stage_count++;
    }
    while (pipe->leading_count < pipe->stage_count &&
           pipe->stages[pipe->leading_count].kind == SLG_LOGQL_STAGE_LINE_FILTER)
        pipe->leading_count++;
    return SLG_OK;
}

static enum slg_status create_unwrap(struct slg_pipe *pipe, const struct slg_pipe_options *options,
                                     struct slg_error *reterr)
{
    const struct slg_logql_unwrap *unwrap = options->unwrap;

    if (pipe->sample != SLG_PIPE_SAMPLE_UNWRAP)
        return SLG_OK;
    SLG_ASSERT(unwrap != NULL);
    pipe->conversion = unwrap->conversion;
    pipe->unwrap_symbol = slg_context_static_symbol(
        &pipe->context, slg_text_make(unwrap->label.ptr, unwrap->label.len));
    pipe->post_filters =
        slg_arena_calloc(pipe->arena, unwrap->post_filter_count, sizeof(pipe->post_filters[0]));
    if (pipe->unwrap_symbol == NULL || pipe->post_filters == NULL)
        return no_memory(reterr);
    for (size_t i = 0; i < unwrap->post_filter_count; i++) {
        enum slg_status status = slg_label_filter_create(&pipe->context, unwrap->post_filters[i],
                                                         &pipe->post_filters[i], reterr);

        if (status != SLG_OK) {
            (void)slg_error_context(reterr, "parse error ");
            return status;
        }
        pipe->post_filter_count = i + 1;
    }
    return SLG_OK;
}

/* ---- hints: Loki's NewParserHint ---- */

struct requirements {
    struct slg_pipe *pipe;
    size_t capacity;
    bool failed;
};

static void require(struct requirements *r, struct slg_text name)
{
    static const char suffix[] = "_extracted";
    const size_t suffix_len = sizeof(suffix) - 1;
    struct slg_context *context = &r->pipe->context;
    struct slg_symbol *symbol;

    if (name.len == 0)
        return;
    symbol = slg_context_static_symbol(context, name);
    if (symbol == NULL) {
        r->failed = true;
        return;
    }
    if (!symbol->required) {
        if (context->required_count == r->capacity) {
            size_t capacity = r->capacity * 2 + 8;
            struct slg_text *grown = slg_arena_grow(r->pipe->arena, context->required, r->capacity,
                                                    capacity, sizeof(grown[0]));

            if (grown == NULL) {
                r->failed = true;
                return;
            }
            context->required = grown;
            r->capacity = capacity;
        }
        symbol->required = true;
        context->required[context->required_count++] = symbol->name;
    }
    /* A parsed label that collides gets the suffix only later. The rest is shorter, so this ends. */
    if (name.len > suffix_len && memcmp(name.at + name.len - suffix_len, suffix, suffix_len) == 0) {
        struct slg_text stem = slg_text_make(name.at, name.len - suffix_len);

        symbol = slg_context_static_symbol(context, stem);
        if (symbol == NULL || symbol->required) {
            r->failed = r->failed || symbol == NULL;
            return;
        }
        require(r, stem); /* NOLINT(misc-no-recursion): shorter by the suffix each time */
    }
}

static void require_field(void *user, struct slg_text name)
{
    require(user, name);
}

/* =~".*" and =~"" are no filters for Loki: they require nothing. */
static bool is_no_filter(const struct slg_label_filter *filter)
{
    return filter->kind == SLG_LOGQL_LABEL_STRING && filter->is_simple && filter->simple.always &&
           filter->simple.term_count == 0 && filter->matcher.op == SLG_LOGQL_MATCH_RE;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by the height of the tree, SLG_LOGQL_DEPTH_MAX */
static void require_filter(struct requirements *r, const struct slg_label_filter *filter)
{
    if (filter->kind == SLG_LOGQL_LABEL_AND || filter->kind == SLG_LOGQL_LABEL_OR) {
        require_filter(r, filter->left);
        require_filter(r, filter->right);
    } else if (!is_no_filter(filter)) {
        require(r, filter->symbol->name);
    }
}

static void require_stages(struct requirements *r)
{
    for (size_t i = 0; i < r->pipe->stage_count; i++) {
        const struct stage *stage = &r->pipe->stages[i];

        if (stage->kind == SLG_LOGQL_STAGE_LABEL_FILTER)
            require_filter(r, stage->label_filter);
        if (stage->kind == SLG_LOGQL_STAGE_LINE_FORMAT)
            slg_template_each_field(stage->line_format, require_field, r);
        if (stage->kind != SLG_LOGQL_STAGE_LABEL_FORMAT)
            continue;
        for (size_t k = 0; k < stage->label_format->count; k++) {
            const struct slg_label_format *format = &stage->label_format->formats[k];

            if (format->tmpl == NULL)
                require(r, format->src->name);
            else
                slg_template_each_field(format->tmpl, require_field, r);
        }
    }
}

/* The first filter on a label is checked as soon as a parser has found it, wherever it stands: `logfmt | label_format
 * status="x" | status="x"` finds nothing. */
static void check_early(const struct slg_label_filter *filter)
{
    if (filter->kind == SLG_LOGQL_LABEL_AND || filter->kind == SLG_LOGQL_LABEL_OR ||
        is_no_filter(filter))
        return;
    if (filter->symbol->early == NULL)
        filter->symbol->early = filter;
}

static void check_filters_early(struct slg_pipe *pipe)
{
    for (size_t i = 0; i < pipe->stage_count; i++)
        if (pipe->stages[i].kind == SLG_LOGQL_STAGE_LABEL_FILTER)
            check_early(pipe->stages[i].label_filter);
    /* Several post filters are one binary filter for Loki. */
    if (pipe->post_filter_count == 1)
        check_early(pipe->post_filters[0]);
}

static enum slg_status create_hints(struct slg_pipe *pipe, struct slg_error *reterr)
{
    struct requirements r = { .pipe = pipe };
    struct slg_context *context = &pipe->context;
    const struct slg_result_grouping *grouping = &pipe->grouping;
    bool by = grouping->grouped && !grouping->without && grouping->symbol_count > 0;

    if (pipe->sample != SLG_PIPE_SAMPLE_NONE) {
        context->error_symbol = slg_context_static_symbol(context, slg_text_of("__error__"));
        context->preserve_symbol =
            slg_context_static_symbol(context, slg_text_of("__preserve_error__"));
        if (context->error_symbol == NULL || context->preserve_symbol == NULL)
            return no_memory(reterr);
    }
    if (pipe->sample == SLG_PIPE_SAMPLE_NONE || (!grouping->no_labels && !by)) {
        check_filters_early(pipe);
        return SLG_OK;
    }
    require_stages(&r);
    for (size_t i = 0; i < pipe->post_filter_count; i++)
        require_filter(&r, pipe->post_filters[i]);
    for (size_t i = 0; i < grouping->symbol_count; i++)
        require(&r, grouping->symbols[i]->name);
    if (pipe->unwrap_symbol != NULL)
        require(&r, pipe->unwrap_symbol->name);
    if (r.failed || !slg_context_prepare_required(context))
        return no_memory(reterr);
    if (grouping->no_labels) {
        context->hint_no_labels = context->required_count == 0;
        check_filters_early(pipe);
    }
    for (size_t i = 0; i < context->required_count; i++)
        if (slg_text_equal_to(context->required[i], "__error__"))
            context->preserve_error = true;
    return SLG_OK;
}

/* ---- grouping ---- */

static enum slg_status create_grouping(struct slg_pipe *pipe,
                                       const struct slg_pipe_options *options,
                                       struct slg_error *reterr)
{
    const struct slg_logql_grouping *from = options->grouping;
    struct slg_result_grouping *grouping = &pipe->grouping;
    size_t count = from == NULL ? 0 : from->label_count, n = 0;

    grouping->is_metric = options->sample != SLG_PIPE_SAMPLE_NONE;
    grouping->want_categories = options->want_categories;
    grouping->keep_empty = options->sample == SLG_PIPE_SAMPLE_NONE;
    grouping->no_hash = options->sample == SLG_PIPE_SAMPLE_NONE;
    if (options->sample == SLG_PIPE_SAMPLE_NONE)
        return SLG_OK;
    grouping->no_labels = options->no_labels || (from != NULL && count == 0);
    grouping->grouped = count > 0;
    grouping->without = count > 0 && from->without;
    grouping->symbols = slg_arena_calloc(pipe->arena, count + 1, sizeof(grouping->symbols[0]));
    if (grouping->symbols == NULL)
        return no_memory(reterr);
    if (options->sample == SLG_PIPE_SAMPLE_UNWRAP && (count == 0 || grouping->without)) {
        /* The label that is unwrapped is no part of the series' name. */
        grouping->grouped = grouping->without = true;
        grouping->symbols[n++] = pipe->unwrap_symbol;
    }
    for (size_t i = 0; i < count; i++) {
        struct slg_symbol *symbol = slg_context_static_symbol(
            &pipe->context, slg_text_make(from->labels[i].ptr, from->labels[i].len));

        if (symbol == NULL)
            return no_memory(reterr);
        for (size_t k = 0; k < n && symbol != NULL; k++)
            if (grouping->symbols[k] == symbol)
                symbol = NULL; /* named twice */
        if (symbol != NULL)
            grouping->symbols[n++] = symbol;
    }
    grouping->symbol_count = n;
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && slg_text_compare(grouping->symbols[k - 1]->name,
                                                     grouping->symbols[k]->name) > 0;
             k--) {
            struct slg_symbol *moving = grouping->symbols[k];

            grouping->symbols[k] = grouping->symbols[k - 1];
            grouping->symbols[k - 1] = moving;
        }
    return SLG_OK;
}

/* ---- what is known beforehand ---- */

static void find_literals(struct slg_pipe *pipe)
{
    for (size_t i = 0; i < pipe->stage_count; i++) {
        const struct stage *stage = &pipe->stages[i];
        struct slg_text literal;
        size_t at;

        if (stage->kind == SLG_LOGQL_STAGE_LINE_FORMAT || stage->kind == SLG_LOGQL_STAGE_UNPACK)
            return; /* later filters see another line */
        if (stage->kind != SLG_LOGQL_STAGE_LINE_FILTER ||
            !slg_line_filter_literal(stage->line_filter, &literal) ||
            pipe->literal_count == SLG_PIPE_LITERAL_COUNT_MAX)
            continue;
        at = pipe->literal_count++;
        for (; at > 0 && pipe->literals[at - 1].len < literal.len; at--)
            pipe->literals[at] = pipe->literals[at - 1];
        pipe->literals[at] = literal;
    }
}

/* Samples without labels, from stages that read only the line, do not care for metadata. */
static bool needs_metadata(const struct slg_pipe *pipe)
{
    if (pipe->sample == SLG_PIPE_SAMPLE_NONE || pipe->sample == SLG_PIPE_SAMPLE_UNWRAP ||
        !pipe->grouping.no_labels)
        return true;
    for (size_t i = 0; i < pipe->stage_count; i++)
        if (pipe->stages[i].kind != SLG_LOGQL_STAGE_LINE_FILTER &&
            pipe->stages[i].kind != SLG_LOGQL_STAGE_DECOLORIZE)
            return true;
    return false;
}

enum slg_status slg_pipe_create(const struct slg_pipe_options *options, struct slg_pipe **ret_pipe,
                                struct slg_error *reterr)
{
    struct slg_pipe *pipe = calloc(1, sizeof(*pipe));
    enum slg_status status;

    if (pipe == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not compile query");
    pipe->arena = slg_arena_create(SLG_PIPE_COMPILE_BYTES_MAX);
    status = pipe->arena == NULL ? SLG_NO_MEMORY : slg_context_init(&pipe->context, pipe->arena);
    if (status != SLG_OK) {
        slg_pipe_destroy(pipe);
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not compile query");
    }
    pipe->sample = options->sample;
    pipe->context.now_ns = options->now_ns;
    status = create_stages(pipe, options, reterr);
    if (status == SLG_OK)
        status = create_unwrap(pipe, options, reterr);
    if (status == SLG_OK)
        status = create_grouping(pipe, options, reterr);
    if (status == SLG_OK)
        status = create_hints(pipe, reterr);
    if (status != SLG_OK) {
        slg_pipe_destroy(pipe);
        return status;
    }
    find_literals(pipe);
    pipe->needs_metadata = needs_metadata(pipe);
    *ret_pipe = pipe;
    return SLG_OK;
}

void slg_pipe_destroy(struct slg_pipe *pipe)
{
    if (pipe == NULL)
        return;
    for (size_t i = 0; i < pipe->stage_count; i++)
        fini_stage(&pipe->stages[i]);
    for (size_t i = 0; i < pipe->post_filter_count; i++)
        slg_label_filter_fini(pipe->post_filters[i]);
    slg_context_fini(&pipe->context);
    slg_arena_destroy(pipe->arena);
    free(pipe);
}

bool slg_pipe_is_trivial(const struct slg_pipe *pipe)
{
    return pipe->stage_count == 0 && pipe->sample == SLG_PIPE_SAMPLE_COUNT;
}

size_t slg_pipe_required_literals(const struct slg_pipe *pipe, struct slg_text *ret_literals,
                                  size_t max)
{
    size_t count = pipe->literal_count < max ? pipe->literal_count : max;

    for (size_t i = 0; i < count; i++)
        ret_literals[i] = pipe->literals[i];
    return count;
}

/* ---- running ---- */

enum slg_status slg_pipe_stream_create(struct slg_pipe *pipe, const struct slg_label_set *labels,
                                       struct slg_pipe_stream **ret_stream)
{
    struct slg_pipe_stream *stream = slg_arena_calloc(pipe->arena, 1, sizeof(*stream));

    if (stream == NULL)
        return SLG_LIMIT;
    stream->labels = *labels;
    stream->symbols = slg_arena_calloc(pipe->arena, labels->count, sizeof(stream->symbols[0]));
    if (stream->symbols == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < labels->count; i++) {
        stream->symbols[i] = slg_context_static_symbol(&pipe->context, labels->items[i].name);
        if (stream->symbols[i] == NULL)
            return SLG_LIMIT;
    }
    stream->hash = slg_result_hash(&pipe->context, labels);
    *ret_stream = stream;
    return SLG_OK;
}

static void run_decolorize(struct slg_context *context)
{
    char *out;

    if (!slg_decolorize_needed(context->line))
        return;
    out = slg_context_alloc(context, context->line.len);
    if (out != NULL)
        context->line = slg_text_make(out, slg_decolorize(context->line, out));
}

static void run_line_format(struct stage *stage, struct slg_context *context)
{
    struct slg_text text;

    if (slg_template_run(stage->line_format, context, &text)) {
        context->line = text;
    } else {
        context->error = slg_text_of("TemplateFormatErr");
        context->error_details = text;
    }
}

static bool run_stage(struct stage *stage, struct slg_context *context)
{
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        return slg_line_filter_run(stage->line_filter, context->line);
    case SLG_LOGQL_STAGE_JSON:
        return slg_json_stage_run(stage->json, context);
    case SLG_LOGQL_STAGE_LOGFMT:
        return slg_logfmt_stage_run(stage->logfmt, context);
    case SLG_LOGQL_STAGE_REGEXP:
        return slg_regexp_stage_run(stage->regexp, context);
    case SLG_LOGQL_STAGE_PATTERN:
        return slg_pattern_stage_run(stage->pattern, context);
    case SLG_LOGQL_STAGE_UNPACK:
        return slg_unpack_stage_run(stage->unpack, context);
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        return slg_label_filter_run(stage->label_filter, context);
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        run_line_format(stage, context);
        return true;
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        slg_label_format_stage_run(stage->label_format, context);
        return true;
    case SLG_LOGQL_STAGE_DECOLORIZE:
        run_decolorize(context);
        return true;
    case SLG_LOGQL_STAGE_DROP:
        slg_drop_stage_run(stage->named, context);
        return true;
    case SLG_LOGQL_STAGE_KEEP:
        slg_keep_stage_run(stage->named, context);
        return true;
    }
    return true;
}

static bool convert_sample(const struct slg_pipe *pipe, struct slg_text text, double *ret_value)
{
    int64_t ns;
    uint64_t bytes;

    switch (pipe->conversion) {
    case SLG_LOGQL_CONVERSION_NONE:
        return slg_convert_float(text, ret_value);
    case SLG_LOGQL_CONVERSION_BYTES:
        if (!slg_convert_bytes(text, &bytes))
            return false;
        *ret_value = (double)bytes;
        return true;
    case SLG_LOGQL_CONVERSION_DURATION:
    case SLG_LOGQL_CONVERSION_DURATION_SECONDS:
        if (!slg_convert_duration(text, &ns))
            return false;
        /* Duration.Seconds(): whole seconds first. NOLINTNEXTLINE(bugprone-integer-division) */
        *ret_value = (double)(ns / 1000000000) + (double)(ns % 1000000000) / 1e9;
        return true;
    }
    return false;
}

static void fail_sample(struct slg_pipe *pipe, struct slg_text text)
{
    struct slg_context *context = &pipe->context;

    context->error = slg_text_of("SampleExtractionErr");
    context->error_details =
        pipe->conversion == SLG_LOGQL_CONVERSION_NONE    ? slg_complain_float(context, text)
        : pipe->conversion == SLG_LOGQL_CONVERSION_BYTES ? slg_complain_bytes(context, text)
                                                         : slg_complain_duration(context, text);
}

/* False: no sample. */
static bool extract_sample(struct slg_pipe *pipe, double *ret_value)
{
    struct slg_context *context = &pipe->context;
    struct slg_text text;

    *ret_value = pipe->sample == SLG_PIPE_SAMPLE_BYTES ? (double)context->line.len : 1.0;
    if (pipe->sample != SLG_PIPE_SAMPLE_UNWRAP)
        return true;
    if (!slg_context_get(context, pipe->unwrap_symbol, &text) || text.len == 0)
        return false;
    if (!convert_sample(pipe, text, ret_value)) {
        *ret_value = 0;
        fail_sample(pipe, text);
    }
    for (size_t i = 0; i < pipe->post_filter_count; i++)
        if (!slg_label_filter_run(pipe->post_filters[i], context))
            return false;
    return true;
}

static enum slg_status add_metadata(struct slg_pipe *pipe, const struct slg_pipe_entry *entry)
{
    const struct slg_label_set *metadata = entry->metadata;
    struct slg_label_set fetched = { 0 };
    enum slg_status status;

    if (!pipe->needs_metadata)
        return SLG_OK;
    if (metadata == NULL && entry->fetch != NULL) {
        status = entry->fetch(entry->user, slg_context_arena(&pipe->context), &fetched);
        if (status != SLG_OK)
            return status;
        metadata = &fetched;
    }
    if (metadata != NULL)
        slg_context_add_metadata(&pipe->context, metadata);
    return SLG_OK;
}

enum slg_status slg_pipe_run(struct slg_pipe *pipe, struct slg_pipe_stream *stream,
                             const struct slg_pipe_entry *entry, struct slg_pipe_result *ret)
{
    struct slg_context *context = &pipe->context;
    enum slg_status status;

    for (size_t i = 0; i < pipe->leading_count; i++)
        if (!slg_line_filter_run(pipe->stages[i].line_filter, entry->line))
            return SLG_NOT_FOUND;
    slg_context_begin(context, stream, entry->line, entry->ts_ns);
    status = add_metadata(pipe, entry);
    if (status != SLG_OK)
        return status;
    for (size_t i = pipe->leading_count; i < pipe->stage_count; i++)
        if (!run_stage(&pipe->stages[i], context))
            return context->exhausted ? SLG_LIMIT : SLG_NOT_FOUND;
    if (!extract_sample(pipe, &ret->value))
        return context->exhausted ? SLG_LIMIT : SLG_NOT_FOUND;
    if (context->exhausted || !slg_result_build(context, &pipe->grouping, ret))
        return SLG_LIMIT;
    ret->line = context->line;
    return SLG_OK;
}
