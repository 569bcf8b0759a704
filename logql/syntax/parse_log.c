/* Selectors, stages, label filters: what stands between "{" and the range. */
#include "logql/syntax/parser.h"

#include <string.h>

#include "logql/syntax/regex_shape.h"
#include "logql/syntax/walk.h"

/* ---- matchers ---- */

static bool match_op_of(enum slg_logql_token_kind kind, enum slg_logql_match_op *ret)
{
    switch ((int)kind) {
    case SLG_LOGQL_TOKEN_EQ:
        *ret = SLG_LOGQL_MATCH_EQ;
        return true;
    case SLG_LOGQL_TOKEN_NEQ:
        *ret = SLG_LOGQL_MATCH_NEQ;
        return true;
    case SLG_LOGQL_TOKEN_RE:
        *ret = SLG_LOGQL_MATCH_RE;
        return true;
    case SLG_LOGQL_TOKEN_NRE:
        *ret = SLG_LOGQL_MATCH_NRE;
        return true;
    default:
        return false;
    }
}

/* A regular expression that is certainly wrong ends the parse, as Loki's panic in the grammar does. */
static bool check_match(struct slg_logql_parser *p, enum slg_logql_match_op op,
                        struct slg_logql_str value)
{
    struct slg_logql_regex_shape shape;
    struct slg_error reason;

    if (op != SLG_LOGQL_MATCH_RE && op != SLG_LOGQL_MATCH_NRE)
        return true;
    if (slg_logql_regex_inspect(value, &shape, &reason) == SLG_OK)
        return true;
    return slg_logql_parser_fail(p, SLG_INVALID, "%s", reason.message);
}

/* Operator and string behind a name; the token is one of = != =~ !~. */
static bool match_rest(struct slg_logql_parser *p, struct slg_logql_matcher *matcher)
{
    if (!match_op_of(p->token.kind, &matcher->op))
        return slg_logql_parser_unexpected(p, "= or =~ or !~ or !=");
    return slg_logql_parser_advance(p) && slg_logql_parser_string(p, "STRING", &matcher->value) &&
           check_match(p, matcher->op, matcher->value);
}

/* Loki's validateMatchers. */
static void check_selector(struct slg_logql_parser *p, const struct slg_logql_log *log,
                           size_t start)
{
    for (size_t i = 0; i < log->matcher_count; i++) {
        if (!slg_logql_matcher_accepts_empty(&log->matchers[i]))
            return;
    }
    if (!p->allow_empty_selector)
        slg_logql_parser_late(
            p, start,
            "queries require at least one regexp or equality matcher that does not have an "
            "empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but "
            "app=~\".+\" will");
}

bool slg_logql_parser_selector(struct slg_logql_parser *p, struct slg_logql_log *ret_log)
{
    struct slg_logql_list list = { 0 };
    const char *expecting = "IDENTIFIER or }";
    size_t start = p->token.offset;

    ret_log->pos = p->token.pos;
    if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_BRACE, "{"))
        return false;
    while (list.count > 0 || p->token.kind != SLG_LOGQL_TOKEN_CLOSE_BRACE) {
        struct slg_logql_matcher *matcher = slg_logql_parser_push(p, &list, sizeof(*matcher));

        if (matcher == NULL)
            return false;
        matcher->pos = p->token.pos;
        if (!slg_logql_parser_identifier(p, expecting, &matcher->name) || !match_rest(p, matcher))
            return false;
        if (p->token.kind == SLG_LOGQL_TOKEN_CLOSE_BRACE)
            break;
        if (!slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_COMMA, "} or ,"))
            return false;
        expecting = "IDENTIFIER";
    }
    ret_log->matcher_count = list.count;
    ret_log->matchers = list.items;
    check_selector(p, ret_log, start);
    return slg_logql_parser_advance(p); /* the "}" */
}

/* ---- line filters ---- */

static bool line_op_of(enum slg_logql_token_kind kind, enum slg_logql_line_op *ret)
{
    switch ((int)kind) {
    case SLG_LOGQL_TOKEN_PIPE_EXACT:
        *ret = SLG_LOGQL_LINE_CONTAINS;
        return true;
    case SLG_LOGQL_TOKEN_NEQ:
        *ret = SLG_LOGQL_LINE_NOT_CONTAINS;
        return true;
    case SLG_LOGQL_TOKEN_PIPE_MATCH:
        *ret = SLG_LOGQL_LINE_RE;
        return true;
    case SLG_LOGQL_TOKEN_NRE:
        *ret = SLG_LOGQL_LINE_NOT_RE;
        return true;
    case SLG_LOGQL_TOKEN_PIPE_PATTERN:
        *ret = SLG_LOGQL_LINE_PATTERN;
        return true;
    case SLG_LOGQL_TOKEN_NPA:
        *ret = SLG_LOGQL_LINE_NOT_PATTERN;
        return true;
    default:
        return false;
    }
}

/* ip("...") with the token at ip. */
static bool ip_call(struct slg_logql_parser *p, struct slg_logql_str *ret)
{
    return slg_logql_parser_advance(p) &&
           slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "(") &&
           slg_logql_parser_string(p, "STRING", ret) &&
           slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")");
}

static bool line_operand(struct slg_logql_parser *p, struct slg_logql_line_operand *ret)
{
    ret->is_ip = p->token.kind == SLG_LOGQL_TOKEN_IP;
    if (ret->is_ip)
        return ip_call(p, &ret->text);
    return slg_logql_parser_string(p, "STRING or ip", &ret->text);
}

static struct slg_logql_stage *push_stage(struct slg_logql_parser *p, struct slg_logql_list *stages,
                                          struct slg_logql_pos pos, enum slg_logql_stage_kind kind)
{
    struct slg_logql_stage *stage;

    if (stages->count == SLG_LOGQL_STAGE_COUNT_MAX) {
        (void)slg_logql_parser_fail(p, SLG_LIMIT, "query has more than %zu stages",
                                    SLG_LOGQL_STAGE_COUNT_MAX);
        return NULL;
    }
    stage = slg_logql_parser_push(p, stages, sizeof(*stage));
    if (stage != NULL) {
        stage->pos = pos;
        stage->kind = kind;
    }
    return stage;
}

/* One stage for each operand: the line has none of them. */
static bool push_negated(struct slg_logql_parser *p, struct slg_logql_list *stages,
                         struct slg_logql_pos pos, enum slg_logql_line_op op,
                         const struct slg_logql_list *operands)
{
    const struct slg_logql_line_operand *items = operands->items;

    for (size_t i = 0; i < operands->count; i++) {
        struct slg_logql_stage *stage = push_stage(p, stages, pos, SLG_LOGQL_STAGE_LINE_FILTER);

        if (stage == NULL)
            return false;
        stage->line_filter.op = op;
        stage->line_filter.operand_count = 1;
        stage->line_filter.operands = &items[i];
    }
    return true;
}

/* |= "a" or "b"; the token is the operator. */
static bool line_filter(struct slg_logql_parser *p, struct slg_logql_list *stages)
{
    struct slg_logql_list operands = { 0 };
    struct slg_logql_pos pos = p->token.pos;
    struct slg_logql_stage *stage;
    enum slg_logql_line_op op = SLG_LOGQL_LINE_CONTAINS;
    bool is_op = line_op_of(p->token.kind, &op);

    SLG_ASSERT(is_op);
    do {
        struct slg_logql_line_operand *operand;

        if (!slg_logql_parser_advance(p)) /* the operator or "or" */
            return false;
        operand = slg_logql_parser_push(p, &operands, sizeof(*operand));
        if (operand == NULL || !line_operand(p, operand))
            return false;
    } while (p->token.kind == SLG_LOGQL_TOKEN_OR);
    if (slg_logql_line_op_is_negated(op))
        return push_negated(p, stages, pos, op, &operands);
    stage = push_stage(p, stages, pos, SLG_LOGQL_STAGE_LINE_FILTER);
    if (stage == NULL)
        return false;
    stage->line_filter.op = op;
    stage->line_filter.operand_count = operands.count;
    stage->line_filter.operands = operands.items;
    return true;
}

/* ---- label filters ---- */

static bool compare_op_of(enum slg_logql_token_kind kind, enum slg_logql_compare_op *ret)
{
    switch ((int)kind) {
    case SLG_LOGQL_TOKEN_EQ:
    case SLG_LOGQL_TOKEN_CMP_EQ:
        *ret = SLG_LOGQL_COMPARE_EQ;
        return true;
    case SLG_LOGQL_TOKEN_NEQ:
        *ret = SLG_LOGQL_COMPARE_NEQ;
        return true;
    case SLG_LOGQL_TOKEN_GT:
        *ret = SLG_LOGQL_COMPARE_GT;
        return true;
    case SLG_LOGQL_TOKEN_GTE:
        *ret = SLG_LOGQL_COMPARE_GTE;
        return true;
    case SLG_LOGQL_TOKEN_LT:
        *ret = SLG_LOGQL_COMPARE_LT;
        return true;
    case SLG_LOGQL_TOKEN_LTE:
        *ret = SLG_LOGQL_COMPARE_LTE;
        return true;
    default:
        return false;
    }
}

static bool filter_string(struct slg_logql_parser *p, struct slg_logql_label_filter *filter)
{
    filter->kind = SLG_LOGQL_LABEL_STRING;
    return slg_logql_parser_string(p, "STRING", &filter->text) &&
           check_match(p, filter->match_op, filter->text);
}

/* What stands behind an operator that is not =~ or !~; is_equality: = or !=, where strings and ip() may stand. */
static bool filter_value(struct slg_logql_parser *p, struct slg_logql_label_filter *filter,
                         bool is_equality)
{
    switch ((int)p->token.kind) {
    case SLG_LOGQL_TOKEN_STRING:
        return is_equality ? filter_string(p, filter) : slg_logql_parser_unexpected(p, NULL);
    case SLG_LOGQL_TOKEN_IP:
        filter->kind = SLG_LOGQL_LABEL_IP;
        return is_equality ? ip_call(p, &filter->text) : slg_logql_parser_unexpected(p, NULL);
    case SLG_LOGQL_TOKEN_DURATION:
        filter->kind = SLG_LOGQL_LABEL_DURATION;
        filter->duration_ns = p->token.duration_ns;
        return slg_logql_parser_advance(p);
    case SLG_LOGQL_TOKEN_BYTES:
        filter->kind = SLG_LOGQL_LABEL_BYTES;
        filter->bytes = p->token.bytes;
        return slg_logql_parser_advance(p);
    case SLG_LOGQL_TOKEN_NUMBER:
    case SLG_LOGQL_TOKEN_ADD:
    case SLG_LOGQL_TOKEN_SUB:
        filter->kind = SLG_LOGQL_LABEL_NUMBER;
        if (!slg_logql_parser_literal(p, &filter->number))
            return false;
        filter->number += 0.0; /* -0 compares like 0 */
        return true;
    default:
        return slg_logql_parser_unexpected(p, NULL);
    }
}

static struct slg_logql_label_filter *make_filter(struct slg_logql_parser *p)
{
    struct slg_logql_label_filter *filter = slg_arena_calloc(p->arena, 1, sizeof(*filter));

    if (filter == NULL) {
        (void)slg_logql_parser_no_room(p);
        return NULL;
    }
    filter->pos = p->token.pos;
    filter->height = 1;
    return filter;
}

/* name op value; the token is the name. */
static const struct slg_logql_label_filter *filter_leaf(struct slg_logql_parser *p)
{
    struct slg_logql_label_filter *filter = make_filter(p);
    struct slg_logql_token op;
    bool is_match;
    bool is_compare;

    if (filter == NULL || !slg_logql_parser_identifier(p, "IDENTIFIER or (", &filter->name))
        return NULL;
    op = p->token;
    is_match = match_op_of(op.kind, &filter->match_op);
    is_compare = compare_op_of(op.kind, &filter->compare_op);
    if (!is_match && !is_compare) {
        if (slg_logql_str_is(filter->name, "xml"))
            (void)slg_logql_parser_fail(p, SLG_UNSUPPORTED, "xml is not supported by Silage");
        else
            (void)slg_logql_parser_unexpected(p, NULL);
        return NULL;
    }
    if (!slg_logql_parser_advance(p))
        return NULL;
    if (!(is_compare ? filter_value(p, filter, is_match) : filter_string(p, filter)))
        return NULL;
    return filter;
}

/* How label filters hang together. Loki's grammar gives `and` and `or` precedences but "," and juxtaposition none,
 * and yacc then shifts: so `a, b or c` is a and (b or c), while `a and b or c` is (a and b) or c. */
enum filter_op {
    FILTER_NONE,
    FILTER_AND,
    FILTER_OR,
    FILTER_COMMA,
    FILTER_BESIDE,
};

static enum filter_op filter_op_of(enum slg_logql_token_kind kind)
{
    switch ((int)kind) {
    case SLG_LOGQL_TOKEN_AND:
        return FILTER_AND;
    case SLG_LOGQL_TOKEN_OR:
        return FILTER_OR;
    case SLG_LOGQL_TOKEN_COMMA:
        return FILTER_COMMA;
    case SLG_LOGQL_TOKEN_IDENTIFIER:
    case SLG_LOGQL_TOKEN_OPEN_PAREN:
        return FILTER_BESIDE;
    default:
        return FILTER_NONE;
    }
}

/* With `... pending x` read and next before us: does next take x first? */
static bool binds_tighter(enum filter_op next, enum filter_op pending)
{
    if (pending == FILTER_AND)
        return next == FILTER_COMMA || next == FILTER_BESIDE;
    if (pending == FILTER_OR)
        return next != FILTER_OR;
    return true;
}

static const struct slg_logql_label_filter *filter_tree(struct slg_logql_parser *p,
                                                        enum filter_op pending, unsigned depth);

static const struct slg_logql_label_filter *filter_operand(struct slg_logql_parser *p,
                                                           unsigned depth)
{
    const struct slg_logql_label_filter *filter;

    if (p->token.kind != SLG_LOGQL_TOKEN_OPEN_PAREN)
        return filter_leaf(p);
    if (!slg_logql_parser_advance(p))
        return NULL;
    filter = filter_tree(p, FILTER_NONE, depth + 1);
    if (filter == NULL || !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, NULL))
        return NULL;
    return filter;
}

static const struct slg_logql_label_filter *join(struct slg_logql_parser *p, enum filter_op op,
                                                 const struct slg_logql_label_filter *left,
                                                 const struct slg_logql_label_filter *right)
{
    struct slg_logql_label_filter *filter = make_filter(p);
    unsigned height = left->height > right->height ? left->height : right->height;

    if (filter == NULL)
        return NULL;
    if (height >= SLG_LOGQL_DEPTH_MAX) {
        (void)slg_logql_parser_fail(p, SLG_LIMIT, "label filter is nested deeper than %d levels",
                                    SLG_LOGQL_DEPTH_MAX);
        return NULL;
    }
    filter->kind = op == FILTER_OR ? SLG_LOGQL_LABEL_OR : SLG_LOGQL_LABEL_AND;
    filter->pos = left->pos;
    filter->height = (uint16_t)(height + 1);
    filter->left = left;
    filter->right = right;
    return filter;
}

static const struct slg_logql_label_filter *filter_tree(struct slg_logql_parser *p,
                                                        enum filter_op pending, unsigned depth)
{
    const struct slg_logql_label_filter *filter;
    enum filter_op next;

    if (depth >= SLG_LOGQL_DEPTH_MAX) {
        (void)slg_logql_parser_fail(p, SLG_LIMIT, "label filter is nested deeper than %d levels",
                                    SLG_LOGQL_DEPTH_MAX);
        return NULL;
    }
    filter = filter_operand(p, depth);
    while (filter != NULL) {
        const struct slg_logql_label_filter *right;

        next = filter_op_of(p->token.kind);
        if (next == FILTER_NONE || !binds_tighter(next, pending))
            return filter;
        if (next != FILTER_BESIDE && !slg_logql_parser_advance(p))
            return NULL;
        right = filter_tree(p, next, depth + 1);
        filter = right == NULL ? NULL : join(p, next, filter, right);
    }
    return NULL;
}

/* ---- parsers ---- */

/* label="path", label, ...; the token is the first label. */
static bool extractions(struct slg_logql_parser *p, struct slg_logql_stage *stage)
{
    struct slg_logql_list list = { 0 };

    for (;;) {
        struct slg_logql_extraction *item = slg_logql_parser_push(p, &list, sizeof(*item));

        if (item == NULL)
            return false;
        item->pos = p->token.pos;
        if (!slg_logql_parser_identifier(p, "IDENTIFIER", &item->label))
            return false;
        item->path = item->label;
        if (p->token.kind == SLG_LOGQL_TOKEN_EQ &&
            (!slg_logql_parser_advance(p) || !slg_logql_parser_string(p, "STRING", &item->path)))
            return false;
        if (p->token.kind != SLG_LOGQL_TOKEN_COMMA)
            break;
        if (!slg_logql_parser_advance(p))
            return false;
    }
    stage->extraction_count = list.count;
    stage->extractions = list.items;
    return true;
}

/* json or logfmt, flags, extractions; the keyword is consumed. */
static bool field_parser(struct slg_logql_parser *p, struct slg_logql_stage *stage)
{
    while (stage->kind == SLG_LOGQL_STAGE_LOGFMT && (p->token.kind == SLG_LOGQL_TOKEN_STRICT ||
                                                     p->token.kind == SLG_LOGQL_TOKEN_KEEP_EMPTY)) {
        if (p->token.kind == SLG_LOGQL_TOKEN_STRICT)
            stage->strict = true;
        else
            stage->keep_empty = true;
        if (!slg_logql_parser_advance(p))
            return false;
    }
    return p->token.kind != SLG_LOGQL_TOKEN_IDENTIFIER || extractions(p, stage);
}

static bool check_regexp(struct slg_logql_parser *p, struct slg_logql_str regex)
{
    struct slg_logql_regex_shape shape;
    struct slg_error reason;

    if (slg_logql_regex_inspect(regex, &shape, &reason) != SLG_OK)
        return slg_logql_parser_fail(p, SLG_INVALID, "invalid regexp parser: %s", reason.message);
    if (shape.has_wrong_name)
        return slg_logql_parser_fail(p, SLG_INVALID,
                                     "invalid regexp parser: invalid extracted label name '%.*s'",
                                     (int)shape.wrong_name.len, shape.wrong_name.ptr);
    if (shape.has_duplicate)
        return slg_logql_parser_fail(p, SLG_INVALID,
                                     "invalid regexp parser: duplicate extracted label name '%.*s'",
                                     (int)shape.duplicate.len, shape.duplicate.ptr);
    if (shape.named_count == 0)
        return slg_logql_parser_fail(
            p, SLG_INVALID, "invalid regexp parser: at least one named capture must be supplied");
    return true;
}

static bool is_name_char(char c, bool is_first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!is_first && c >= '0' && c <= '9');
}

/* Length of "<name>" at p, or 0: then "<" stands for itself. */
static size_t capture_len(const char *p, const char *end)
{
    size_t i = 1;

    if (p == end || *p != '<')
        return 0;
    while (p + i < end && is_name_char(p[i], i == 1))
        i++;
    return i > 1 && p + i < end && p[i] == '>' ? i + 1 : 0;
}

/* The first capture before `end` that is spelled like the one at p. */
static bool is_duplicate(const char *begin, const char *p, size_t len)
{
    for (const char *q = begin; q < p; q++) {
        if (capture_len(q, p) == len && memcmp(q, p, len) == 0)
            return true;
    }
    return false;
}

/* Loki's pattern.New: `<_>` is a capture without a name and does not count as one. That there is none is told before
 * that two stand side by side. */
static bool check_pattern(struct slg_logql_parser *p, struct slg_logql_str pattern)
{
    const char *end = pattern.ptr + pattern.len;
    size_t named_count = 0;
    const char *duplicate = NULL, *consecutive = NULL;
    size_t step;

    if (pattern.len == 0)
        return slg_logql_parser_fail(p, SLG_INVALID,
                                     "invalid pattern parser: syntax error: unexpected $end, "
                                     "expecting IDENTIFIER or LITERAL");
    for (const char *q = pattern.ptr; q<end; q += step> 0 ? step : 1) {
        step = capture_len(q, end);
        if (step == 0)
            continue;
        if (consecutive == NULL && capture_len(q + step, end) > 0)
            consecutive = q;
        if (step == 3 && q[1] == '_')
            continue;
        named_count++;
        if (named_count <= SLG_LOGQL_CAPTURE_COUNT_MAX && duplicate == NULL &&
            is_duplicate(pattern.ptr, q, step))
            duplicate = q;
    }
    if (named_count == 0)
        return slg_logql_parser_fail(p, SLG_INVALID,
                                     "invalid pattern parser: at least one capture is required");
    if (consecutive != NULL) {
        step = capture_len(consecutive, end);
        return slg_logql_parser_fail(
            p, SLG_INVALID,
            "invalid pattern parser: found consecutive capture '%.*s': invalid expression",
            (int)(step + capture_len(consecutive + step, end)), consecutive);
    }
    if (named_count > SLG_LOGQL_CAPTURE_COUNT_MAX)
        return slg_logql_parser_fail(p, SLG_LIMIT, "invalid pattern parser: more than %d captures",
                                     SLG_LOGQL_CAPTURE_COUNT_MAX);
    if (duplicate != NULL)
        return slg_logql_parser_fail(
            p, SLG_INVALID,
            "invalid pattern parser: duplicate capture name (%.*s): invalid expression",
            (int)capture_len(duplicate, end) - 2, duplicate + 1);
    return true;
}

/* ---- the other stages ---- */

static bool formats(struct slg_logql_parser *p, struct slg_logql_stage *stage)
{
    struct slg_logql_list list = { 0 };

    for (;;) {
        struct slg_logql_format *item = slg_logql_parser_push(p, &list, sizeof(*item));
        bool ok;

        if (item == NULL)
            return false;
        item->pos = p->token.pos;
        if (!slg_logql_parser_identifier(p, "IDENTIFIER", &item->dst) ||
            !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_EQ, "="))
            return false;
        item->is_rename = p->token.kind == SLG_LOGQL_TOKEN_IDENTIFIER;
        ok = item->is_rename ? slg_logql_parser_identifier(p, NULL, &item->src)
                             : slg_logql_parser_string(p, "IDENTIFIER or STRING", &item->src);
        if (!ok)
            return false;
        if (p->token.kind != SLG_LOGQL_TOKEN_COMMA)
            break;
        if (!slg_logql_parser_advance(p))
            return false;
    }
    stage->format_count = list.count;
    stage->formats = list.items;
    return true;
}

static bool named_list(struct slg_logql_parser *p, struct slg_logql_stage *stage)
{
    struct slg_logql_list list = { 0 };

    for (;;) {
        struct slg_logql_named *item = slg_logql_parser_push(p, &list, sizeof(*item));
        enum slg_logql_match_op op;

        if (item == NULL)
            return false;
        item->matcher.pos = p->token.pos;
        if (!slg_logql_parser_identifier(p, "IDENTIFIER", &item->matcher.name))
            return false;
        item->has_matcher = match_op_of(p->token.kind, &op);
        if (item->has_matcher && !match_rest(p, &item->matcher))
            return false;
        if (p->token.kind != SLG_LOGQL_TOKEN_COMMA)
            break;
        if (!slg_logql_parser_advance(p))
            return false;
    }
    stage->named_count = list.count;
    stage->named = list.items;
    return true;
}

/* The stage that the keyword behind "|" begins; a label filter has none. */
static enum slg_logql_stage_kind stage_kind_of(enum slg_logql_token_kind kind)
{
    static const struct {
        enum slg_logql_token_kind token;
        enum slg_logql_stage_kind stage;
    } table[] = {
        { SLG_LOGQL_TOKEN_JSON, SLG_LOGQL_STAGE_JSON },
        { SLG_LOGQL_TOKEN_LOGFMT, SLG_LOGQL_STAGE_LOGFMT },
        { SLG_LOGQL_TOKEN_REGEXP, SLG_LOGQL_STAGE_REGEXP },
        { SLG_LOGQL_TOKEN_PATTERN, SLG_LOGQL_STAGE_PATTERN },
        { SLG_LOGQL_TOKEN_UNPACK, SLG_LOGQL_STAGE_UNPACK },
        { SLG_LOGQL_TOKEN_LINE_FORMAT, SLG_LOGQL_STAGE_LINE_FORMAT },
        { SLG_LOGQL_TOKEN_LABEL_FORMAT, SLG_LOGQL_STAGE_LABEL_FORMAT },
        { SLG_LOGQL_TOKEN_DECOLORIZE, SLG_LOGQL_STAGE_DECOLORIZE },
        { SLG_LOGQL_TOKEN_DROP, SLG_LOGQL_STAGE_DROP },
        { SLG_LOGQL_TOKEN_KEEP, SLG_LOGQL_STAGE_KEEP },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(table); i++) {
        if (table[i].token == kind)
            return table[i].stage;
    }
    return SLG_LOGQL_STAGE_LABEL_FILTER;
}

/* The rest of a stage behind its keyword. */
static bool stage_rest(struct slg_logql_parser *p, struct slg_logql_stage *stage)
{
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_JSON:
    case SLG_LOGQL_STAGE_LOGFMT:
        return field_parser(p, stage);
    case SLG_LOGQL_STAGE_REGEXP:
        return slg_logql_parser_string(p, "STRING", &stage->text) && check_regexp(p, stage->text);
    case SLG_LOGQL_STAGE_PATTERN:
        return slg_logql_parser_string(p, "STRING", &stage->text) && check_pattern(p, stage->text);
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        return slg_logql_parser_string(p, "STRING", &stage->text);
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        return formats(p, stage);
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        return named_list(p, stage);
    case SLG_LOGQL_STAGE_UNPACK:
    case SLG_LOGQL_STAGE_DECOLORIZE:
        return true;
    case SLG_LOGQL_STAGE_LINE_FILTER:
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        break;
    }
    slg_assert_fail("a stage with a keyword", __FILE__, __LINE__);
}

/* What follows "|", which is consumed. pos is that of the "|". */
static bool pipe_stage(struct slg_logql_parser *p, struct slg_logql_list *stages,
                       struct slg_logql_pos pos)
{
    enum slg_logql_stage_kind kind = stage_kind_of(p->token.kind);
    struct slg_logql_stage *stage;

    if (kind == SLG_LOGQL_STAGE_LABEL_FILTER && p->token.kind != SLG_LOGQL_TOKEN_IDENTIFIER &&
        p->token.kind != SLG_LOGQL_TOKEN_OPEN_PAREN)
        return slg_logql_parser_unexpected(p, NULL);
    stage = push_stage(p, stages, pos, kind);
    if (stage == NULL)
        return false;
    if (kind == SLG_LOGQL_STAGE_LABEL_FILTER) {
        stage->label_filter = filter_tree(p, FILTER_NONE, 0);
        return stage->label_filter != NULL;
    }
    return slg_logql_parser_advance(p) && stage_rest(p, stage);
}

/* ---- unwrap ---- */

static enum slg_logql_conversion conversion_of(enum slg_logql_token_kind kind)
{
    switch ((int)kind) {
    case SLG_LOGQL_TOKEN_CONV_BYTES:
        return SLG_LOGQL_CONVERSION_BYTES;
    case SLG_LOGQL_TOKEN_CONV_DURATION:
        return SLG_LOGQL_CONVERSION_DURATION;
    case SLG_LOGQL_TOKEN_CONV_DURATION_SECONDS:
        return SLG_LOGQL_CONVERSION_DURATION_SECONDS;
    default:
        return SLG_LOGQL_CONVERSION_NONE;
    }
}

/* unwrap [conversion(]label[)] { "|" label filter }; the token is unwrap. */
static bool unwrap_rest(struct slg_logql_parser *p, struct slg_logql_unwrap *unwrap,
                        struct slg_logql_pos pos)
{
    struct slg_logql_list filters = { 0 };

    unwrap->present = true;
    unwrap->pos = pos;
    if (!slg_logql_parser_advance(p))
        return false;
    unwrap->conversion = conversion_of(p->token.kind);
    if (unwrap->conversion == SLG_LOGQL_CONVERSION_NONE) {
        if (!slg_logql_parser_identifier(
                p, "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV",
                &unwrap->label))
            return false;
    } else if (!slg_logql_parser_advance(p) ||
               !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_OPEN_PAREN, "(") ||
               !slg_logql_parser_identifier(p, "IDENTIFIER", &unwrap->label) ||
               !slg_logql_parser_expect(p, SLG_LOGQL_TOKEN_CLOSE_PAREN, ")")) {
        return false;
    }
    while (p->token.kind == SLG_LOGQL_TOKEN_PIPE) {
        const struct slg_logql_label_filter **filter =
            slg_logql_parser_push(p, &filters, sizeof(const struct slg_logql_label_filter *));

        if (filters.count > SLG_LOGQL_STAGE_COUNT_MAX)
            return slg_logql_parser_fail(p, SLG_LIMIT, "query has more than %zu stages",
                                         SLG_LOGQL_STAGE_COUNT_MAX);
        if (filter == NULL || !slg_logql_parser_advance(p))
            return false;
        *filter = filter_tree(p, FILTER_NONE, 0);
        if (*filter == NULL)
            return false;
    }
    unwrap->post_filter_count = filters.count;
    unwrap->post_filters = filters.items;
    return true;
}

bool slg_logql_parser_unwrap(struct slg_logql_parser *p, struct slg_logql_unwrap *unwrap)
{
    struct slg_logql_pos pos = p->token.pos;

    if (!slg_logql_parser_advance(p))
        return false;
    if (p->token.kind != SLG_LOGQL_TOKEN_UNWRAP)
        return slg_logql_parser_unexpected(p, "unwrap");
    return unwrap_rest(p, unwrap, pos);
}

/* ---- stages ---- */

static bool at_stage(const struct slg_logql_parser *p)
{
    enum slg_logql_line_op op;

    return p->token.kind == SLG_LOGQL_TOKEN_PIPE || line_op_of(p->token.kind, &op);
}

bool slg_logql_parser_stages(struct slg_logql_parser *p, struct slg_logql_log *log,
                             struct slg_logql_unwrap *unwrap)
{
    struct slg_logql_list stages = { 0 };
    bool ok = true;

    while (ok && at_stage(p)) {
        struct slg_logql_pos pos = p->token.pos;

        if (p->token.kind != SLG_LOGQL_TOKEN_PIPE) {
            ok = line_filter(p, &stages);
        } else if (!slg_logql_parser_advance(p)) {
            ok = false;
        } else if (p->token.kind == SLG_LOGQL_TOKEN_UNWRAP && unwrap != NULL) {
            ok = unwrap_rest(p, unwrap, pos);
            break;
        } else {
            ok = pipe_stage(p, &stages, pos);
        }
    }
    log->stage_count = stages.count;
    log->stages = stages.items;
    return ok;
}
