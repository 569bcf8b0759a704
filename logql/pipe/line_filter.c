#include "logql/pipe/line_filter.h"

/* A beginning that alternatives share is worth a search of its own from this length on. */
#define COMMON_BYTES_MIN ((size_t)4)

static enum slg_status create_operand(struct slg_arena *arena, enum slg_logql_line_op op,
                                      const struct slg_logql_line_operand *from,
                                      struct slg_line_operand *operand, struct slg_error *reterr)
{
    struct slg_text text = slg_text_make(from->text.ptr, from->text.len);
    struct slg_regex_options options = { .text = text.at, .len = text.len };

    operand->is_ip = from->is_ip;
    if (from->is_ip) {
        if (op != SLG_LOGQL_LINE_CONTAINS && op != SLG_LOGQL_LINE_NOT_CONTAINS)
            return slg_errorf(reterr, SLG_INVALID, "ip: invalid operation");
        return slg_ip_matcher_parse(text, &operand->ip, reterr);
    }
    switch (op) {
    case SLG_LOGQL_LINE_CONTAINS:
    case SLG_LOGQL_LINE_NOT_CONTAINS:
        operand->needle = slg_needle_make(text.at, text.len, /* fold= */ false);
        return SLG_OK;
    case SLG_LOGQL_LINE_RE:
    case SLG_LOGQL_LINE_NOT_RE:
        operand->is_simple = slg_simplify(arena, text, /* is_label= */ false, &operand->simple);
        return slg_regex_create(&options, &operand->regex, reterr);
    case SLG_LOGQL_LINE_PATTERN:
    case SLG_LOGQL_LINE_NOT_PATTERN:
        return slg_pattern_parse_filter(arena, text, &operand->pattern, reterr);
    }
    return SLG_OK;
}

/* Loki drops an operand that keeps everything when there is another one. */
static bool keeps_everything(const struct slg_line_operand *operand, enum slg_logql_line_op op)
{
    if (operand->is_ip)
        return false;
    if (op == SLG_LOGQL_LINE_CONTAINS)
        return operand->needle.len == 0;
    return op == SLG_LOGQL_LINE_RE && operand->is_simple && operand->simple.always;
}

static void drop_empty_operands(struct slg_line_filter *filter)
{
    size_t telling = 0;

    for (size_t i = 0; i < filter->operand_count; i++)
        telling += !keeps_everything(&filter->operands[i], filter->op);
    for (size_t i = 0; i < filter->operand_count && telling > 0; i++)
        filter->operands[i].is_void = keeps_everything(&filter->operands[i], filter->op);
}

enum slg_status slg_line_filter_create(struct slg_arena *arena,
                                       const struct slg_logql_line_filter *from,
                                       struct slg_line_filter **ret_filter,
                                       struct slg_error *reterr)
{
    struct slg_line_filter *filter = slg_arena_calloc(arena, 1, sizeof(*filter));

    if (filter == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    filter->op = from->op;
    filter->operands = slg_arena_calloc(arena, from->operand_count, sizeof(filter->operands[0]));
    if (filter->operands == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    for (size_t i = 0; i < from->operand_count; i++) {
        enum slg_status status =
            create_operand(arena, from->op, &from->operands[i], &filter->operands[i], reterr);

        if (status != SLG_OK) {
            slg_line_filter_fini(filter);
            return status;
        }
        filter->operand_count = i + 1;
    }
    drop_empty_operands(filter);
    *ret_filter = filter;
    return SLG_OK;
}

void slg_line_filter_fini(struct slg_line_filter *filter)
{
    if (filter == NULL)
        return;
    for (size_t i = 0; i < filter->operand_count; i++)
        slg_regex_destroy(filter->operands[i].regex);
}

static bool operand_matches(const struct slg_line_operand *operand, enum slg_logql_line_op op,
                            struct slg_text line)
{
    if (operand->is_ip)
        return slg_ip_matcher_find(&operand->ip, line);
    switch (op) {
    case SLG_LOGQL_LINE_CONTAINS:
    case SLG_LOGQL_LINE_NOT_CONTAINS:
        return slg_needle_find(&operand->needle, line.at, line.len) != SLG_FIND_NONE;
    case SLG_LOGQL_LINE_RE:
    case SLG_LOGQL_LINE_NOT_RE:
        return operand->is_simple ? slg_simple_test(&operand->simple, line)
                                  : slg_regex_match(operand->regex, line.at, line.len);
    case SLG_LOGQL_LINE_PATTERN:
    case SLG_LOGQL_LINE_NOT_PATTERN:
        return slg_pattern_test(&operand->pattern, line);
    }
    return true;
}

bool slg_line_filter_run(const struct slg_line_filter *filter, struct slg_text line)
{
    bool any = false;

    for (size_t i = 0; i < filter->operand_count && !any; i++)
        any =
            !filter->operands[i].is_void && operand_matches(&filter->operands[i], filter->op, line);
    return any != slg_logql_line_op_is_negated(filter->op);
}

/* What all alternatives begin with, if that is worth a search. A part of a needle's bytes. */
static bool common_beginning(const struct slg_needle *(*get)(const void *from, size_t i),
                             const void *from, size_t count, struct slg_text *ret_literal)
{
    size_t len = count == 0 ? 0 : get(from, 0)->len;

    for (size_t i = 0; i < count; i++) {
        const struct slg_needle *needle = get(from, i);
        size_t same = 0;

        if (needle->fold)
            return false;
        while (same < len && same < needle->len && needle->at[same] == get(from, 0)->at[same])
            same++;
        len = same;
    }
    if (len < COMMON_BYTES_MIN)
        return false;
    *ret_literal = slg_text_make(get(from, 0)->at, len);
    return true;
}

static const struct slg_needle *get_term(const void *from, size_t i)
{
    const struct slg_simple *simple = from;

    return &simple->terms[i].needle;
}

static const struct slg_needle *get_needle(const void *from, size_t i)
{
    const struct slg_needle *needles = from;

    return &needles[i];
}

bool slg_line_filter_literal(const struct slg_line_filter *filter, struct slg_text *ret_literal)
{
    const struct slg_line_operand *operand = filter->operands;
    const struct slg_needle *needle = NULL;
    size_t count;
    bool exact;

    if (slg_logql_line_op_is_negated(filter->op) || filter->operand_count != 1 || operand->is_ip)
        return false;
    if (filter->op == SLG_LOGQL_LINE_CONTAINS) {
        needle = &operand->needle;
    } else if (filter->op == SLG_LOGQL_LINE_RE && operand->is_simple) {
        if (operand->simple.always)
            return false;
        if (operand->simple.term_count != 1)
            return common_beginning(get_term, &operand->simple, operand->simple.term_count,
                                    ret_literal);
        needle = &operand->simple.terms[0].needle;
    } else if (filter->op == SLG_LOGQL_LINE_RE) {
        count = slg_regex_literals(operand->regex, &needle, &exact);
        if (count != 1)
            return common_beginning(get_needle, needle, count, ret_literal);
    } else {
        for (size_t i = 0; i < operand->pattern.node_count; i++) {
            const struct slg_pattern_node *node = &operand->pattern.nodes[i];

            if (!node->is_capture && (needle == NULL || node->needle.len > needle->len))
                needle = &node->needle;
        }
    }
    if (needle == NULL || needle->len == 0 || needle->fold)
        return false;
    *ret_literal = slg_text_make(needle->at, needle->len);
    return true;
}
