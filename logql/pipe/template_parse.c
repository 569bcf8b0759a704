/* Parser of text/template, Go 1.24. */
#include <stdarg.h>
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/template_token.h"
#include "logql/pipe/template_tree.h"

struct parser {
    struct slg_context *context;
    struct slg_template *tmpl;
    struct slg_error *reterr;
    enum slg_status status; /* of the first failure */
    const char *at, *end;   /* of the text not read yet */
    const char *action_end; /* of the action being read: its closing delimiter */
    struct slg_token token; /* the next one */
    size_t depth;
    size_t loop_depth;
    bool trim_next; /* the action ended in " -}}" */
    struct slg_text variables[SLG_TEMPLATE_VARIABLE_COUNT_MAX];
    size_t variable_count;
};

#define FAIL(p, ...) (fail_parse(p, __VA_ARGS__), NULL)

static void SLG_PRINTF(2, 3) fail_parse(struct parser *p, const char *format, ...)
{
    char text[160];
    unsigned line = 1;
    va_list arguments;

    if (p->status != SLG_OK)
        return;
    for (const char *at = p->tmpl->text.at; at < p->at; at++)
        line += *at == '\n';
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    p->status =
        slg_errorf(p->reterr, SLG_INVALID, "template: %s:%u: %s", p->tmpl->name, line, text);
}

static void *allocate(struct parser *p, size_t count, size_t size)
{
    void *memory = slg_arena_calloc(p->context->static_arena, count, size);

    if (memory == NULL && p->status == SLG_OK)
        p->status = slg_errorf(p->reterr, SLG_LIMIT, "template needs too much memory");
    return memory;
}

/* ---- tokens of an action ---- */

static void advance(struct parser *p)
{
    p->token = slg_token_scan(p->at, p->action_end);
    p->at += p->token.len;
    if (p->token.kind != SLG_TOKEN_BAD)
        return;
    if (p->token.problem != NULL)
        fail_parse(p, "%s", p->token.problem);
    else
        fail_parse(p, "unexpected bad character U+%04X '%c' in command",
                   (unsigned)(unsigned char)*p->at, *p->at);
    p->token.kind = SLG_TOKEN_EOF;
}

static void skip_space(struct parser *p)
{
    while (p->token.kind == SLG_TOKEN_SPACE)
        advance(p);
}

static bool token_is(const struct parser *p, const char *word)
{
    return p->token.kind == SLG_TOKEN_IDENTIFIER && strlen(word) == p->token.len &&
           memcmp(word, p->token.at, p->token.len) == 0;
}

static void fail_unexpected(struct parser *p, const char *where)
{
    if (p->token.kind == SLG_TOKEN_EOF)
        fail_parse(p, "unexpected end of action in %s", where);
    else
        fail_parse(p, "unexpected %.*s in %s", (int)(p->token.len > 60 ? 60 : p->token.len),
                   p->token.at, where);
}

/* ---- constants ---- */

static bool set_string(struct parser *p, struct slg_node *node)
{
    struct slg_text inner = slg_text_make(p->token.at + 1, p->token.len - 2);
    char *out = allocate(p, inner.len + 1, 1);
    long len;

    if (out == NULL)
        return false;
    len = slg_token_unquote(inner, *p->token.at, out);
    if (len < 0) {
        fail_parse(p, "invalid syntax");
        return false;
    }
    node->value = slg_value_text(slg_text_make(out, (size_t)len));
    return true;
}

static bool set_char(struct parser *p, struct slg_node *node)
{
    struct slg_text inner = slg_text_make(p->token.at + 1, p->token.len - 2);
    uint32_t rune;
    size_t used = slg_token_unquote_char(inner, *p->token.at, &rune);

    /* As text/template's newNumber: one character, and nothing behind it. */
    if (used == 0) {
        fail_parse(p, "invalid syntax");
        return false;
    }
    if (used != inner.len) {
        fail_parse(p, "malformed character constant: %.*s", (int)p->token.len, p->token.at);
        return false;
    }
    node->value = slg_value_int(rune);
    return true;
}

/* An integer that not even 64 bits hold; 2^63 to 2^64 - 1 fail where they are used, as in Go. */
static bool is_huge_integer(struct slg_text text, double number)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr(".eEpP", text.at[i]) != NULL)
            return false;
    return number >= 0x1p64 || number < -0x1p63;
}

static bool set_number(struct parser *p, struct slg_node *node)
{
    struct slg_text text = slg_text_make(p->token.at, p->token.len);
    int64_t integer;
    double number;

    if (slg_convert_int_any(text, &integer)) {
        node->value = slg_value_int(integer);
        return true;
    }
    if (memchr(text.at, 'i', text.len) == NULL && memchr(text.at, 'I', text.len) == NULL &&
        slg_convert_float(text, &number)) {
        if (is_huge_integer(text, number)) {
            fail_parse(p, "integer overflow: \"%.*s\"", (int)(text.len > 60 ? 60 : text.len),
                       text.at);
            return false;
        }
        node->value = slg_value_float(number);
        /* "2." and "1e3" are floats as values and integers as int arguments: the evaluator sees to that. */
        return true;
    }
    fail_parse(p, "bad number syntax: \"%.*s\"", (int)(text.len > 60 ? 60 : text.len), text.at);
    return false;
}

/* ---- pipelines ---- */

static struct slg_pipeline *parse_pipeline(struct parser *p, const char *where,
                                           enum slg_token_kind end);

static struct slg_node *new_node(struct parser *p, enum slg_node_kind kind, const char *at)
{
    struct slg_node *node = allocate(p, 1, sizeof(*node));

    if (node == NULL)
        return NULL;
    node->kind = kind;
    node->offset = (uint32_t)(at - p->tmpl->text.at);
    return node;
}

static bool variable_known(const struct parser *p, struct slg_text name)
{
    if (slg_text_equal_to(name, "$"))
        return true;
    for (size_t i = 0; i < p->variable_count; i++)
        if (slg_text_equal(p->variables[i], name))
            return true;
    return false;
}

static bool declare_variable(struct parser *p, struct slg_text name)
{
    if (p->variable_count == SLG_TEMPLATE_VARIABLE_COUNT_MAX) {
        fail_parse(p, "too many variables");
        return false;
    }
    p->variables[p->variable_count++] = name;
    return true;
}

/* Fields that follow at once: .a.b */
static bool parse_fields(struct parser *p, struct slg_node *node)
{
    while (p->token.kind == SLG_TOKEN_FIELD) {
        struct slg_field *fields;

        fields = slg_arena_grow(p->context->static_arena, node->fields, node->field_count,
                                node->field_count + 1, sizeof(fields[0]));
        if (fields == NULL) {
            p->status = slg_errorf(p->reterr, SLG_LIMIT, "template needs too much memory");
            return false;
        }
        node->fields = fields;
        fields[node->field_count].name = slg_text_make(p->token.at + 1, p->token.len - 1);
        fields[node->field_count].symbol =
            slg_context_static_symbol(p->context, fields[node->field_count].name);
        if (fields[node->field_count].symbol == NULL) {
            p->status = slg_errorf(p->reterr, SLG_LIMIT, "template needs too much memory");
            return false;
        }
        node->field_count++;
        advance(p);
    }
    return true;
}

static struct slg_node *parse_identifier(struct parser *p)
{
    struct slg_text name = slg_text_make(p->token.at, p->token.len);
    bool is_true = token_is(p, "true");
    struct slg_node *node;

    if (is_true || token_is(p, "false")) {
        node = new_node(p, SLG_NODE_CONSTANT, p->token.at);
        if (node != NULL)
            node->value = slg_value_bool(is_true);
    } else if (token_is(p, "nil")) {
        node = new_node(p, SLG_NODE_NIL, p->token.at);
    } else {
        node = new_node(p, SLG_NODE_FUNCTION, p->token.at);
        if (node != NULL) {
            node->text = name;
            node->function = slg_template_function_find(name);
            if (node->function == NULL)
                return FAIL(p, "function \"%.*s\" not defined",
                            (int)(name.len > 60 ? 60 : name.len), name.at);
        }
    }
    if (node != NULL)
        advance(p);
    return node;
}

static struct slg_node *parse_constant(struct parser *p)
{
    struct slg_node *node = new_node(p, SLG_NODE_CONSTANT, p->token.at);
    bool ok = false;

    if (node == NULL)
        return NULL;
    if (p->token.kind == SLG_TOKEN_RAW_STRING) {
        node->value = slg_value_text(slg_text_make(p->token.at + 1, p->token.len - 2));
        ok = true;
    } else if (p->token.kind == SLG_TOKEN_STRING) {
        ok = set_string(p, node);
    } else if (p->token.kind == SLG_TOKEN_CHAR) {
        ok = set_char(p, node);
    } else {
        ok = set_number(p, node);
    }
    if (!ok)
        return NULL;
    advance(p);
    return node;
}

/* NULL without failure: no operand here. */
/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded by SLG_TEMPLATE_DEPTH_MAX */
static struct slg_node *parse_term(struct parser *p)
{
    struct slg_node *node = NULL;
    const char *at = p->token.at;

    switch (p->token.kind) {
    case SLG_TOKEN_IDENTIFIER:
        return parse_identifier(p);
    case SLG_TOKEN_DOT:
        node = new_node(p, SLG_NODE_DOT, at);
        advance(p);
        return node;
    case SLG_TOKEN_VARIABLE:
        node = new_node(p, SLG_NODE_VARIABLE, at);
        if (node == NULL)
            return NULL;
        node->text = slg_text_make(at, p->token.len);
        if (!variable_known(p, node->text))
            return FAIL(p, "undefined variable \"%.*s\"",
                        (int)(p->token.len > 60 ? 60 : p->token.len), at);
        advance(p);
        return parse_fields(p, node) ? node : NULL;
    case SLG_TOKEN_FIELD:
        node = new_node(p, SLG_NODE_FIELD, at);
        return node != NULL && parse_fields(p, node) ? node : NULL;
    case SLG_TOKEN_STRING:
    case SLG_TOKEN_RAW_STRING:
    case SLG_TOKEN_CHAR:
    case SLG_TOKEN_NUMBER:
        return parse_constant(p);
    case SLG_TOKEN_LEFT:
        if (++p->depth > SLG_TEMPLATE_DEPTH_MAX)
            return FAIL(p, "max expression depth exceeded");
        node = new_node(p, SLG_NODE_PIPE, at);
        advance(p);
        if (node != NULL)
            node->pipe = parse_pipeline(p, "parenthesized pipeline", SLG_TOKEN_RIGHT);
        p->depth--;
        if (node == NULL || node->pipe == NULL)
            return NULL;
        advance(p); /* ')' */
        return node;
    case SLG_TOKEN_EOF:
    case SLG_TOKEN_SPACE:
    case SLG_TOKEN_PIPE:
    case SLG_TOKEN_RIGHT:
    case SLG_TOKEN_DECLARE:
    case SLG_TOKEN_ASSIGN:
    case SLG_TOKEN_COMMA:
    case SLG_TOKEN_BAD:
        break;
    }
    return NULL;
}

/* A term and fields that follow it without space. */
/* NOLINTNEXTLINE(misc-no-recursion): as parse_term */
static struct slg_node *parse_operand(struct parser *p)
{
    const char *at = p->token.at;
    struct slg_node *node = parse_term(p), *chain;

    if (node == NULL)
        return NULL;
    if (p->token.kind == SLG_TOKEN_FIELD) {
        if (node->kind == SLG_NODE_CONSTANT || node->kind == SLG_NODE_NIL ||
            node->kind == SLG_NODE_DOT)
            return FAIL(p, "unexpected . after term \"%.*s\"", (int)(p->token.at - at), at);
        chain = new_node(p, SLG_NODE_CHAIN, at);
        if (chain == NULL)
            return NULL;
        chain->operand = node;
        node = chain;
        if (!parse_fields(p, node))
            return NULL;
    }
    node->source = slg_text_make(at, (size_t)(p->token.at - at));
    return node;
}

/* NOLINTNEXTLINE(misc-no-recursion): as parse_term */
static struct slg_command *parse_command(struct parser *p)
{
    struct slg_command *command = allocate(p, 1, sizeof(*command));
    const char *at = p->token.at, *last = at;

    if (command == NULL)
        return NULL;
    command->offset = (uint32_t)(at - p->tmpl->text.at);
    while (p->status == SLG_OK) {
        struct slg_node *operand, **arguments;

        skip_space(p);
        operand = parse_operand(p);
        if (operand == NULL)
            break;
        if (command->argument_count == SLG_TEMPLATE_ARGUMENT_COUNT_MAX)
            return FAIL(p, "too many arguments");
        arguments =
            slg_arena_grow(p->context->static_arena, command->arguments, command->argument_count,
                           command->argument_count + 1, sizeof(arguments[0]));
        if (arguments == NULL)
            return FAIL(p, "template is too large");
        arguments[command->argument_count++] = operand;
        command->arguments = arguments;
        last = p->token.at;
        if (p->token.kind != SLG_TOKEN_SPACE)
            break;
    }
    if (p->status != SLG_OK)
        return NULL;
    if (command->argument_count == 0)
        return FAIL(p, "empty command");
    command->source = slg_text_make(at, (size_t)(last - at));
    return command;
}

/* $x := , $x = , $i, $e := in front of a pipeline. Leaves the parser as it was when there is none. */
static bool parse_declaration(struct parser *p, struct slg_pipeline *pipe, bool is_range)
{
    const char *at = p->at;
    struct slg_token token = p->token;

    for (;;) {
        struct slg_text name = slg_text_make(p->token.at, p->token.len);

        if (p->token.kind != SLG_TOKEN_VARIABLE)
            break;
        advance(p);
        skip_space(p);
        pipe->variables[pipe->variable_count++] = name;
        if (p->token.kind == SLG_TOKEN_DECLARE || p->token.kind == SLG_TOKEN_ASSIGN) {
            pipe->is_assign = p->token.kind == SLG_TOKEN_ASSIGN;
            advance(p);
            skip_space(p);
            for (size_t i = 0; i < pipe->variable_count; i++) {
                if (pipe->is_assign ? !variable_known(p, pipe->variables[i])
                                    : !declare_variable(p, pipe->variables[i])) {
                    fail_parse(p, "undefined variable \"%.*s\"", (int)pipe->variables[i].len,
                               pipe->variables[i].at);
                    return false;
                }
            }
            return true;
        }
        if (p->token.kind != SLG_TOKEN_COMMA || !is_range || pipe->variable_count == 2)
            break;
        advance(p);
        skip_space(p);
    }
    p->at = at;
    p->token = token;
    pipe->variable_count = 0;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as parse_term */
static struct slg_pipeline *parse_pipeline(struct parser *p, const char *where,
                                           enum slg_token_kind end)
{
    struct slg_pipeline *pipe = allocate(p, 1, sizeof(*pipe));
    struct slg_command **link;
    unsigned stage = 1;

    if (pipe == NULL)
        return NULL;
    skip_space(p);
    if (!parse_declaration(p, pipe, strcmp(where, "range") == 0))
        return NULL;
    for (link = &pipe->commands;; stage++) {
        skip_space(p);
        if (p->token.kind == end && (pipe->commands == NULL))
            return FAIL(p, "missing value for %s", where);
        *link = parse_command(p);
        if (*link == NULL)
            return NULL;
        if (link != &pipe->commands) {
            enum slg_node_kind kind = (*link)->arguments[0]->kind;

            if (kind == SLG_NODE_CONSTANT || kind == SLG_NODE_DOT || kind == SLG_NODE_NIL)
                return FAIL(p, "non executable command in pipeline stage %u", stage);
        }
        link = &(*link)->next;
        skip_space(p);
        if (p->token.kind == end)
            return pipe;
        if (p->token.kind != SLG_TOKEN_PIPE) {
            fail_unexpected(p, "operand");
            return NULL;
        }
        advance(p);
        skip_space(p);
        if (p->token.kind == end)
            return FAIL(p, "missing value for %s", where);
    }
}

/* ---- statements ---- */

/* How a list ended. */
enum list_end { END_OF_TEXT, END_END, END_ELSE };

static enum list_end parse_list(struct parser *p, struct slg_node **ret_list);

/* Append the text up to the next "{{", trimmed; false at the end of the template. */
static bool take_text(struct parser *p, struct slg_node ***link)
{
    const char *at = p->at, *open;
    bool trim = p->trim_next;

    open = memmem(at, (size_t)(p->end - at), "{{", 2);
    p->trim_next = false;
    if (trim)
        while (at < p->end && slg_token_is_space(*at))
            at++;
    if (open != NULL && at > open)
        at = open;
    {
        const char *stop = open == NULL ? p->end : open;

        if (open != NULL && p->end - open >= 4 && open[2] == '-' && slg_token_is_space(open[3]))
            while (stop > at && slg_token_is_space(stop[-1]))
                stop--;
        if (stop > at) {
            struct slg_node *node = new_node(p, SLG_NODE_TEXT, at);

            if (node == NULL)
                return false;
            node->text = slg_text_make(at, (size_t)(stop - at));
            **link = node;
            *link = &node->next;
        }
    }
    if (open == NULL) {
        p->at = p->end;
        return false;
    }
    p->at = open + 2;
    if (p->end - p->at >= 2 && p->at[0] == '-' && slg_token_is_space(p->at[1]))
        p->at += 2;
    return true;
}

/* Find the end of the action at p->at, minding quotes. */
static bool open_action(struct parser *p)
{
    const char *at = p->at;

    while (at < p->end) {
        if (p->end - at >= 2 && at[0] == '}' && at[1] == '}') {
            p->action_end = at;
            if (at - p->at >= 2 && at[-1] == '-' && slg_token_is_space(at[-2])) {
                p->action_end = at - 2;
                p->trim_next = true;
            }
            advance(p);
            return true;
        }
        if (*at == '"' || *at == '`' || *at == '\'') {
            size_t len = slg_token_quoted_len(at, p->end);

            if (len == 0) {
                fail_parse(p, *at == '`'    ? "unterminated raw quoted string"
                              : *at == '\'' ? "unterminated character constant"
                                            : "unterminated quoted string");
                return false;
            }
            at += len;
            continue;
        }
        at++;
    }
    fail_parse(p, "unclosed action");
    return false;
}

/* Behind the action: its delimiter. */
static bool close_action(struct parser *p, const char *where)
{
    skip_space(p);
    if (p->token.kind != SLG_TOKEN_EOF) {
        fail_unexpected(p, where);
        return false;
    }
    if (p->status != SLG_OK)
        return false;
    p->at = p->action_end + (p->trim_next ? 2 : 0) + 2;
    return true;
}

/* A comment: true and behind it. */
static bool take_comment(struct parser *p)
{
    const char *close;

    if (p->end - p->at < 2 || p->at[0] != '/' || p->at[1] != '*')
        return false;
    close = memmem(p->at + 2, (size_t)(p->end - p->at) - 2, "*/", 2);
    if (close == NULL) {
        fail_parse(p, "unclosed comment");
        return true;
    }
    close += 2;
    if (p->end - close >= 4 && slg_token_is_space(close[0]) && memcmp(close + 1, "-}}", 3) == 0) {
        p->trim_next = true;
        p->at = close + 4;
    } else if (p->end - close >= 2 && memcmp(close, "}}", 2) == 0) {
        p->at = close + 2;
    } else {
        fail_parse(p, "comment ends before closing delimiter");
    }
    return true;
}

/* if, with, range behind the keyword, up to its {{end}}. */
/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded */
static struct slg_node *parse_control(struct parser *p, enum slg_node_kind kind, const char *word)
{
    struct slg_node *node = new_node(p, kind, p->token.at);
    size_t variable_count = p->variable_count;
    enum list_end end;

    if (node == NULL)
        return NULL;
    if (++p->depth > SLG_TEMPLATE_DEPTH_MAX)
        return FAIL(p, "statements are nested too deeply");
    advance(p);
    node->pipe = parse_pipeline(p, word, SLG_TOKEN_EOF);
    if (node->pipe == NULL || !close_action(p, word))
        return NULL;
    p->loop_depth += kind == SLG_NODE_RANGE;
    end = parse_list(p, &node->body);
    p->loop_depth -= kind == SLG_NODE_RANGE;
    if (end == END_ELSE) {
        /* "else if" and "else with" stand for a nested statement that shares the end. */
        skip_space(p);
        if ((kind == SLG_NODE_IF && token_is(p, "if")) ||
            (kind == SLG_NODE_WITH && token_is(p, "with"))) {
            node->otherwise = parse_control(p, kind, word);
            end = node->otherwise == NULL ? END_OF_TEXT : END_END;
        } else if (close_action(p, "else")) {
            end = parse_list(p, &node->otherwise);
            if (end == END_ELSE)
                return FAIL(p, "expected end; found {{else}}");
        }
    }
    p->depth--;
    p->variable_count = variable_count;
    if (p->status == SLG_OK && end != END_END)
        return FAIL(p, "unexpected EOF");
    return p->status == SLG_OK ? node : NULL;
}

static struct slg_text template_name(struct parser *p, const char *where)
{
    struct slg_node node = { 0 };

    advance(p);
    skip_space(p);
    if (p->token.kind == SLG_TOKEN_STRING) {
        if (!set_string(p, &node))
            return slg_text_make(NULL, 0);
    } else if (p->token.kind == SLG_TOKEN_RAW_STRING) {
        node.value = slg_value_text(slg_text_make(p->token.at + 1, p->token.len - 2));
    } else {
        fail_unexpected(p, where);
        return slg_text_make(NULL, 0);
    }
    advance(p);
    skip_space(p);
    return node.value.text;
}

/* Nothing but white space. */
static bool is_empty(const struct slg_node *list)
{
    for (; list != NULL; list = list->next) {
        if (list->kind != SLG_NODE_TEXT)
            return false;
        for (size_t i = 0; i < list->text.len; i++)
            if (!slg_token_is_space(list->text.at[i]))
                return false;
    }
    return true;
}

/* A name is defined once; an empty definition neither counts nor replaces one. */
static bool add_definition(struct parser *p, struct slg_text name, struct slg_node *body)
{
    struct slg_template_define *define = NULL;

    for (size_t i = 0; i < p->tmpl->define_count && define == NULL; i++)
        if (slg_text_equal(p->tmpl->defines[i].name, name))
            define = &p->tmpl->defines[i];
    if (define != NULL && !is_empty(define->body) && !is_empty(body)) {
        fail_parse(p, "template: multiple definition of template \"%.*s\"",
                   (int)(name.len > 60 ? 60 : name.len), name.at);
        return false;
    }
    if (define != NULL && is_empty(body))
        return true;
    if (define == NULL) {
        if (p->tmpl->define_count == SLG_TEMPLATE_DEFINE_COUNT_MAX) {
            fail_parse(p, "too many templates");
            return false;
        }
        define = &p->tmpl->defines[p->tmpl->define_count++];
    }
    *define = (struct slg_template_define){ .name = name, .body = body };
    return true;
}

/* {{define "x"}} and {{block "x" pipeline}}: the body becomes a named template. */
/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded */
static bool parse_definition(struct parser *p, struct slg_text name)
{
    struct slg_node *body = NULL;
    size_t variable_count = p->variable_count;

    if (p->status != SLG_OK || !close_action(p, "define clause"))
        return false;
    if (++p->depth > SLG_TEMPLATE_DEPTH_MAX) {
        fail_parse(p, "too many templates");
        return false;
    }
    p->variable_count = 0;
    if (parse_list(p, &body) != END_END && p->status == SLG_OK)
        fail_parse(p, "unexpected EOF");
    p->variable_count = variable_count;
    p->depth--;
    return p->status == SLG_OK && add_definition(p, name, body);
}

/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded */
static struct slg_node *parse_template_call(struct parser *p, bool is_block)
{
    struct slg_node *node = new_node(p, SLG_NODE_TEMPLATE, p->token.at);

    if (node == NULL)
        return NULL;
    node->text = template_name(p, is_block ? "block clause" : "template clause");
    if (p->status == SLG_OK && p->token.kind != SLG_TOKEN_EOF)
        node->pipe =
            parse_pipeline(p, is_block ? "block clause" : "template clause", SLG_TOKEN_EOF);
    else if (is_block)
        fail_parse(p, "missing value for block clause");
    if (p->status != SLG_OK)
        return NULL;
    if (is_block)
        return parse_definition(p, node->text) ? node : NULL;
    return close_action(p, "template clause") ? node : NULL;
}

static struct slg_node *parse_jump(struct parser *p, enum slg_node_kind kind, const char *word)
{
    struct slg_node *node = new_node(p, kind, p->token.at);

    if (p->loop_depth == 0)
        return FAIL(p, "{{%s}} outside {{range}}", word);
    advance(p);
    return close_action(p, word) ? node : NULL;
}

static struct slg_node *parse_action(struct parser *p)
{
    struct slg_node *node = new_node(p, SLG_NODE_ACTION, p->token.at);

    if (node == NULL)
        return NULL;
    node->pipe = parse_pipeline(p, "command", SLG_TOKEN_EOF);
    return node->pipe != NULL && close_action(p, "command") ? node : NULL;
}

/* One statement; NULL without failure: a definition, which leaves nothing. */
/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded */
static struct slg_node *parse_statement(struct parser *p)
{
    if (token_is(p, "if"))
        return parse_control(p, SLG_NODE_IF, "if");
    if (token_is(p, "with"))
        return parse_control(p, SLG_NODE_WITH, "with");
    if (token_is(p, "range"))
        return parse_control(p, SLG_NODE_RANGE, "range");
    if (token_is(p, "template"))
        return parse_template_call(p, /* is_block= */ false);
    if (token_is(p, "block"))
        return parse_template_call(p, /* is_block= */ true);
    if (token_is(p, "break"))
        return parse_jump(p, SLG_NODE_BREAK, "break");
    if (token_is(p, "continue"))
        return parse_jump(p, SLG_NODE_CONTINUE, "continue");
    if (token_is(p, "define")) {
        if (p->depth > 0) /* definitions stand at the top; a block may stand anywhere */
            return FAIL(p, "unexpected <define> in command");
        (void)parse_definition(p, template_name(p, "define clause")); /* failed: p->status */
        return NULL;
    }
    return parse_action(p);
}

/* Statements up to {{end}}, {{else}} or the end of the text. Behind {{else the parser stands in that action. */
/* NOLINTNEXTLINE(misc-no-recursion): p->depth is bounded */
static enum list_end parse_list(struct parser *p, struct slg_node **ret_list)
{
    struct slg_node **link = ret_list;

    while (p->status == SLG_OK && take_text(p, &link)) {
        struct slg_node *node;

        if (take_comment(p))
            continue;
        if (!open_action(p))
            break;
        skip_space(p);
        if (token_is(p, "end")) {
            advance(p);
            return close_action(p, "end") ? END_END : END_OF_TEXT;
        }
        if (token_is(p, "else")) {
            advance(p);
            return END_ELSE;
        }
        node = parse_statement(p);
        if (node != NULL) {
            *link = node;
            link = &node->next;
        }
    }
    return END_OF_TEXT;
}

enum slg_status slg_template_parse(struct slg_context *context, struct slg_template *tmpl,
                                   struct slg_error *reterr)
{
    struct parser *p = calloc(1, sizeof(*p));
    enum slg_status status;
    enum list_end end;

    if (p == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not parse template");
    p->context = context;
    p->tmpl = tmpl;
    p->reterr = reterr;
    p->at = tmpl->text.at;
    p->end = tmpl->text.at + tmpl->text.len;
    end = parse_list(p, &tmpl->root);
    if (p->status == SLG_OK && end == END_END)
        fail_parse(p, "unexpected {{end}}");
    if (p->status == SLG_OK && end == END_ELSE)
        fail_parse(p, "unexpected {{else}}");
    status = p->status;
    free(p);
    return status;
}
