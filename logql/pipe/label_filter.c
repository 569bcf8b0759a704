#include "logql/pipe/label_filter.h"

#include <string.h>

#include "logql/pipe/complain.h"
#include "logql/pipe/convert.h"

/* ---- one value ---- */

enum slg_status slg_value_matcher_init(struct slg_value_matcher *matcher,
                                       const struct slg_logql_matcher *from, bool dot_newline,
                                       struct slg_error *reterr)
{
    struct slg_regex_options options = { .text = from->value.ptr,
                                         .dot_newline = dot_newline,
                                         .len = from->value.len,
                                         .anchored = true };

    matcher->op = from->op;
    matcher->text = slg_text_make(from->value.ptr, from->value.len);
    matcher->regex = NULL;
    if (from->op == SLG_LOGQL_MATCH_EQ || from->op == SLG_LOGQL_MATCH_NEQ)
        return SLG_OK;
    return slg_regex_create(&options, &matcher->regex, reterr);
}

void slg_value_matcher_fini(struct slg_value_matcher *matcher)
{
    slg_regex_destroy(matcher->regex);
    matcher->regex = NULL;
}

bool slg_value_matcher_test(const struct slg_value_matcher *matcher, struct slg_text value)
{
    switch (matcher->op) {
    case SLG_LOGQL_MATCH_EQ:
        return slg_text_equal(matcher->text, value);
    case SLG_LOGQL_MATCH_NEQ:
        return !slg_text_equal(matcher->text, value);
    case SLG_LOGQL_MATCH_RE:
        return slg_regex_match(matcher->regex, value.at, value.len);
    case SLG_LOGQL_MATCH_NRE:
        return !slg_regex_match(matcher->regex, value.at, value.len);
    }
    return false;
}

/* ---- filters ---- */

static enum slg_status create_leaf(struct slg_context *context,
                                   const struct slg_logql_label_filter *from,
                                   struct slg_label_filter *filter, struct slg_error *reterr)
{
    struct slg_logql_matcher matcher = { .op = from->match_op, .value = from->text };

    filter->symbol =
        slg_context_static_symbol(context, slg_text_make(from->name.ptr, from->name.len));
    if (filter->symbol == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    filter->is_error = slg_text_equal_to(filter->symbol->name, "__error__");
    filter->compare_op = from->compare_op;
    filter->number = from->number;
    filter->duration_ns = from->duration_ns;
    filter->bytes = from->bytes;
    if (from->kind == SLG_LOGQL_LABEL_STRING &&
        (from->match_op == SLG_LOGQL_MATCH_RE || from->match_op == SLG_LOGQL_MATCH_NRE))
        filter->is_simple =
            slg_simplify(context->static_arena, slg_text_make(from->text.ptr, from->text.len),
                         /* is_label= */ true, &filter->simple);
    if (from->kind == SLG_LOGQL_LABEL_STRING)
        return slg_value_matcher_init(&filter->matcher, &matcher, /* dot_newline= */ false, reterr);
    if (from->kind == SLG_LOGQL_LABEL_IP)
        filter->has_ip = slg_ip_matcher_parse(slg_text_make(from->text.ptr, from->text.len),
                                              &filter->ip, NULL) == SLG_OK;
    return SLG_OK;
}

enum slg_status slg_label_filter_check_stage(const struct slg_logql_label_filter *from,
                                             struct slg_error *reterr)
{
    struct slg_ip_matcher ip;

    return from->kind != SLG_LOGQL_LABEL_IP
               ? SLG_OK
               : slg_ip_matcher_parse(slg_text_make(from->text.ptr, from->text.len), &ip, reterr);
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by the height of the tree, SLG_LOGQL_DEPTH_MAX */
enum slg_status slg_label_filter_create(struct slg_context *context,
                                        const struct slg_logql_label_filter *from,
                                        struct slg_label_filter **ret_filter,
                                        struct slg_error *reterr)
{
    struct slg_label_filter *filter = slg_arena_calloc(context->static_arena, 1, sizeof(*filter));
    struct slg_label_filter *left = NULL, *right = NULL;
    enum slg_status status;

    if (filter == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    filter->kind = from->kind;
    if (from->kind != SLG_LOGQL_LABEL_AND && from->kind != SLG_LOGQL_LABEL_OR) {
        status = create_leaf(context, from, filter, reterr);
        if (status == SLG_OK)
            *ret_filter = filter;
        return status;
    }
    status = slg_label_filter_create(context, from->left, &left, reterr);
    if (status == SLG_OK)
        status = slg_label_filter_create(context, from->right, &right, reterr);
    if (status != SLG_OK) {
        slg_label_filter_fini(left);
        return status;
    }
    filter->left = left;
    filter->right = right;
    *ret_filter = filter;
    return SLG_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by the height of the tree, SLG_LOGQL_DEPTH_MAX */
void slg_label_filter_fini(struct slg_label_filter *filter)
{
    if (filter == NULL)
        return;
    slg_value_matcher_fini(&filter->matcher);
    /* The tree is built here and only read elsewhere. */
    slg_label_filter_fini((struct slg_label_filter *)(uintptr_t)filter->left);
    slg_label_filter_fini((struct slg_label_filter *)(uintptr_t)filter->right);
}

static bool compare_holds(enum slg_logql_compare_op op, bool less, bool equal)
{
    switch (op) {
    case SLG_LOGQL_COMPARE_EQ:
        return equal;
    case SLG_LOGQL_COMPARE_NEQ:
        return !equal;
    case SLG_LOGQL_COMPARE_GT:
        return !less && !equal;
    case SLG_LOGQL_COMPARE_GTE:
        return !less;
    case SLG_LOGQL_COMPARE_LT:
        return less;
    case SLG_LOGQL_COMPARE_LTE:
        return less || equal;
    }
    return false;
}

/* NaN is unequal to everything and neither less nor greater. */
static bool compare_number(enum slg_logql_compare_op op, double value, double with)
{
    if (value != value)
        return op == SLG_LOGQL_COMPARE_NEQ;
    return compare_holds(op, value < with, value == with);
}

/* The first error stays. */
static bool fail_conversion(struct slg_context *context,
                            struct slg_text (*complain)(struct slg_context *, struct slg_text),
                            struct slg_text value)
{
    if (context->error.len == 0) {
        context->error = slg_text_of("LabelFilterErr");
        context->error_details = complain(context, value);
    }
    return true;
}

static bool run_conversion(const struct slg_label_filter *filter, struct slg_context *context)
{
    struct slg_text value;
    double number;
    int64_t duration_ns;
    uint64_t bytes;

    if (!slg_context_get(context, filter->symbol, &value))
        return false;
    if (filter->kind == SLG_LOGQL_LABEL_NUMBER) {
        if (!slg_convert_float(value, &number))
            return fail_conversion(context, slg_complain_float, value);
        return compare_number(filter->compare_op, number, filter->number);
    }
    if (filter->kind == SLG_LOGQL_LABEL_DURATION) {
        if (!slg_convert_duration(value, &duration_ns))
            return fail_conversion(context, slg_complain_duration, value);
        return compare_holds(filter->compare_op, duration_ns < filter->duration_ns,
                             duration_ns == filter->duration_ns);
    }
    if (!slg_convert_bytes(value, &bytes))
        return fail_conversion(context, slg_complain_bytes, value);
    return compare_holds(filter->compare_op, bytes < filter->bytes, bytes == filter->bytes);
}

static bool run_ip(const struct slg_label_filter *filter, struct slg_context *context)
{
    struct slg_text value;

    if (context->error.len > 0)
        return true;
    if (!slg_context_get(context, filter->symbol, &value) || !filter->has_ip)
        return false;
    return slg_ip_matcher_find(&filter->ip, value) == (filter->compare_op == SLG_LOGQL_COMPARE_EQ);
}

static bool run_string(const struct slg_label_filter *filter, struct slg_context *context)
{
    struct slg_text value = context->error;

    if (!filter->is_error)
        (void)slg_context_get(context, filter->symbol, &value); /* missing = empty */
    if (filter->is_simple)
        return slg_simple_test(&filter->simple, value) ==
               (filter->matcher.op == SLG_LOGQL_MATCH_RE);
    return slg_value_matcher_test(&filter->matcher, value);
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by the height of the tree, SLG_LOGQL_DEPTH_MAX */
bool slg_label_filter_run(const struct slg_label_filter *filter, struct slg_context *context)
{
    bool left;

    switch (filter->kind) {
    case SLG_LOGQL_LABEL_AND:
        /* The right side runs even when the left has failed: it may set the error, as in Loki. */
        left = slg_label_filter_run(filter->left, context);
        return slg_label_filter_run(filter->right, context) && left;
    case SLG_LOGQL_LABEL_OR:
        return slg_label_filter_run(filter->left, context) ||
               slg_label_filter_run(filter->right, context);
    case SLG_LOGQL_LABEL_STRING:
        return run_string(filter, context);
    case SLG_LOGQL_LABEL_IP:
        return run_ip(filter, context);
    case SLG_LOGQL_LABEL_NUMBER:
    case SLG_LOGQL_LABEL_DURATION:
    case SLG_LOGQL_LABEL_BYTES:
        return run_conversion(filter, context);
    }
    return true;
}
