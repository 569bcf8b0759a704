/* The evaluator of text/template. */
#include "logql/pipe/template.h"

#include <stdarg.h>
#include <string.h>

#include "logql/pipe/template_tree.h"

/* Steps that a run may spend per byte of text it makes. */
#define BYTES_PER_STEP ((size_t)64)

/* What a statement did to the loop around it. */
enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAIL };

enum slg_status slg_template_create(struct slg_context *context, const char *name,
                                    struct slg_text text, struct slg_template **ret_template,
                                    struct slg_error *reterr)
{
    struct slg_template *tmpl = slg_arena_calloc(context->static_arena, 1, sizeof(*tmpl));
    enum slg_status status;

    if (tmpl == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    tmpl->name = name;
    tmpl->text = text;
    status = slg_template_parse(context, tmpl, reterr);
    if (status == SLG_OK)
        *ret_template = tmpl;
    return status;
}

void slg_template_fini(struct slg_template *tmpl)
{
    if (tmpl == NULL)
        return;
    for (size_t i = 0; i < tmpl->regex_count; i++) {
        slg_regex_destroy(tmpl->regexes[i].regex);
        free((void *)(uintptr_t)tmpl->regexes[i].text.at);
    }
    for (size_t i = 0; i < tmpl->zone_count; i++)
        free(tmpl->zones[i]);
    tmpl->regex_count = tmpl->zone_count = 0;
}

/* ---- what the other files need ---- */

bool slg_run_fail(struct slg_run *run, const char *format, ...)
{
    va_list arguments;

    if (run->error[0] != '\0')
        return false;
    va_start(arguments, format);
    (void)vsnprintf(run->error, sizeof(run->error), format, arguments);
    va_end(arguments);
    return false;
}

bool slg_run_spend(struct slg_run *run, size_t bytes)
{
    run->steps += 1 + bytes / BYTES_PER_STEP;
    return run->steps <= SLG_TEMPLATE_STEP_COUNT_MAX ||
           slg_run_fail(run, "template takes more than %zu steps", SLG_TEMPLATE_STEP_COUNT_MAX);
}

bool slg_run_alloc(struct slg_run *run, size_t bytes, char **ret)
{
    if (bytes > SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX * 2)
        return slg_run_fail(run, "value is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    if (!slg_run_spend(run, bytes))
        return false;
    *ret = slg_context_alloc(run->context, bytes);
    return *ret != NULL || slg_run_fail(run, "template needs too much memory");
}

/* ---- operands ---- */

static bool eval_pipeline(struct slg_run *run, const struct slg_pipeline *pipe,
                          const struct slg_value *dot, struct slg_value *ret);

static struct slg_text cut(struct slg_text text, size_t max)
{
    return slg_text_make(text.at, text.len > max ? max : text.len);
}

static bool fail_at(struct slg_run *run, uint32_t offset, struct slg_text source,
                    const char *message)
{
    const char *start = run->tmpl->text.at, *line_start = start;
    char inner[320];
    unsigned line = 1;

    (void)snprintf(inner, sizeof(inner), "%s", message);
    for (const char *at = start; at < start + offset; at++)
        if (*at == '\n') {
            line++;
            line_start = at + 1;
        }
    source = cut(source, 60);
    (void)snprintf(run->error, sizeof(run->error),
                   "template: %s:%u:%u: executing \"%s\" at <%.*s>: %s", run->tmpl->name, line,
                   (unsigned)(start + offset - line_start), run->tmpl->name, (int)source.len,
                   source.at, inner);
    return false;
}

static bool apply_fields(struct slg_run *run, const struct slg_node *node,
                         const struct slg_value *from, struct slg_value *ret)
{
    struct slg_value value = *from;

    for (size_t i = 0; i < node->field_count; i++) {
        struct slg_value next = { 0 };

        if (slg_value_has_methods(&value)) {
            struct slg_call call = { .run = run, .ret = &next };
            bool found = false;

            if (!slg_time_method(&call, &value, node->fields[i].name, &found))
                return false;
            if (!found)
                return slg_run_fail(run, "can't evaluate field %.*s in type %s",
                                    (int)cut(node->fields[i].name, 60).len, node->fields[i].name.at,
                                    slg_value_type_name(&value));
        } else if (i > 0 && value.kind == SLG_VALUE_NIL) {
            return slg_run_fail(run, "nil pointer evaluating interface {}.%.*s",
                                (int)cut(node->fields[i].name, 60).len, node->fields[i].name.at);
        } else if (!slg_value_field(run, &value, &node->fields[i], &next)) {
            return false;
        }
        value = next;
    }
    *ret = value;
    return true;
}

static bool find_variable(struct slg_run *run, struct slg_text name, struct slg_value *ret)
{
    for (size_t i = run->variable_count; i > 0; i--)
        if (slg_text_equal(run->variables[i - 1].name, name)) {
            *ret = run->variables[i - 1].value;
            return true;
        }
    return slg_run_fail(run, "undefined variable: %.*s", (int)cut(name, 60).len, name.at);
}

static bool call_function(struct slg_run *run, const struct slg_template_function *function,
                          struct slg_value *arguments, size_t count, struct slg_value *ret)
{
    struct slg_call call = { .run = run, .arguments = arguments, .count = count, .ret = ret };
    char reason[sizeof(run->error)];

    memset(ret, 0, sizeof(*ret));
    if (function->run(&call))
        return true;
    memcpy(reason, run->error, sizeof(reason));
    (void)snprintf(run->error, sizeof(run->error), "error calling %s: %.400s", function->name,
                   reason);
    return false;
}

/* A value given for a parameter of that kind; constants bend as in Go. */
static bool fit_argument(struct slg_run *run, char parameter, bool is_constant,
                         struct slg_value *value)
{
    static const struct {
        char letter;
        enum slg_value_kind kind;
        const char *name;
    } kinds[] = {
        { 's', SLG_VALUE_STRING, "string" },
        { 'i', SLG_VALUE_INT, "int" },
        { 'f', SLG_VALUE_FLOAT, "float64" },
        { 't', SLG_VALUE_TIME, "time.Time" },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(kinds); i++) {
        if (kinds[i].letter != parameter)
            continue;
        if (value->kind == kinds[i].kind)
            return true;
        if (is_constant && parameter == 'f' && value->kind == SLG_VALUE_INT) {
            *value = slg_value_float((double)value->integer);
            return true;
        }
        if (is_constant && parameter == 'i' && value->kind == SLG_VALUE_FLOAT &&
            value->number < 9e18 && value->number > -9e18 &&
            value->number == (double)(int64_t)value->number) {
            *value = slg_value_int((int64_t)value->number);
            return true;
        }
        if (value->kind == SLG_VALUE_NIL)
            return slg_run_fail(run, "invalid value; expected %s", kinds[i].name);
        return slg_run_fail(run, "wrong type for value; expected %s; got %s", kinds[i].name,
                            slg_value_type_name(value));
    }
    return true; /* anything */
}

/* Parameter letter of the i'th argument, or '\0' when there are too many. */
static char parameter_of(const struct slg_template_function *function, size_t i)
{
    size_t len = strlen(function->parameters);
    bool variadic = len > 0 && function->parameters[len - 1] == '*';
    size_t fixed = variadic ? len - 2 : len;

    if (i < fixed)
        return function->parameters[i];
    return variadic ? function->parameters[len - 2] : '\0';
}

static bool check_count(struct slg_run *run, const struct slg_template_function *function,
                        size_t count)
{
    size_t len = strlen(function->parameters);
    bool variadic = len > 0 && function->parameters[len - 1] == '*';
    size_t least = variadic ? len - 2 : len;

    if (count >= least && (variadic || count == least))
        return true;
    return slg_run_fail(run, "wrong number of args for %s: want %s%zu got %zu", function->name,
                        variadic ? "at least " : "", least, count);
}

static bool eval_operand(struct slg_run *run, const struct slg_node *node,
                         const struct slg_value *dot, struct slg_value *ret);

/* and, or: the first argument that decides; the rest is not evaluated. */
/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_logic(struct slg_run *run, const struct slg_template_function *function,
                       const struct slg_command *command, const struct slg_value *dot,
                       const struct slg_value *final, struct slg_value *ret)
{
    bool is_or = function->name[0] == 'o';

    if (command->argument_count < 2 && final == NULL)
        return slg_run_fail(run, "wrong number of args for %s: want at least 1 got 0",
                            function->name);
    for (size_t i = 1; i < command->argument_count; i++) {
        if (!eval_operand(run, command->arguments[i], dot, ret))
            return false;
        if (slg_value_is_true(ret) == is_or)
            return true;
    }
    if (final != NULL)
        *ret = *final;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_call(struct slg_run *run, const struct slg_command *command,
                      const struct slg_value *dot, const struct slg_value *final,
                      struct slg_value *ret)
{
    const struct slg_template_function *function = command->arguments[0]->function;
    struct slg_value arguments[SLG_TEMPLATE_ARGUMENT_COUNT_MAX + 1];
    size_t count = command->argument_count - 1;

    if (function->run == NULL)
        return eval_logic(run, function, command, dot, final, ret) ||
               fail_at(run, command->offset, command->arguments[0]->source, run->error);
    if (!check_count(run, function, count + (final != NULL)))
        return fail_at(run, command->offset, command->arguments[0]->source, run->error);
    for (size_t i = 0; i < count; i++) {
        const struct slg_node *node = command->arguments[i + 1];

        if (!eval_operand(run, node, dot, &arguments[i]))
            return false;
        if (!fit_argument(run, parameter_of(function, i), node->kind == SLG_NODE_CONSTANT,
                          &arguments[i]))
            return fail_at(run, node->offset, node->source, run->error);
    }
    if (final != NULL) {
        arguments[count] = *final;
        if (!fit_argument(run, parameter_of(function, count), /* is_constant= */ false,
                          &arguments[count]))
            return fail_at(run, command->offset,
                           command->arguments[command->argument_count - 1]->source, run->error);
        count++;
    }
    return call_function(run, function, arguments, count, ret) ||
           fail_at(run, command->offset, command->source, run->error);
}

/* Fields with arguments: only methods of times and durations take any. */
/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_method(struct slg_run *run, const struct slg_command *command,
                        const struct slg_value *dot, const struct slg_value *final,
                        struct slg_value *ret)
{
    struct slg_value arguments[SLG_TEMPLATE_ARGUMENT_COUNT_MAX + 1], receiver;
    struct slg_node head = *command->arguments[0];
    struct slg_call call = { .run = run, .arguments = arguments, .ret = ret };
    bool found = false;

    if (head.field_count == 0)
        return slg_run_fail(run, "can't give argument to non-function %.*s",
                            (int)cut(head.source, 60).len, head.source.at);
    head.field_count--;
    if (!eval_operand(run, &head, dot, &receiver))
        return false;
    for (size_t i = 1; i < command->argument_count; i++)
        if (!eval_operand(run, command->arguments[i], dot, &arguments[call.count++]))
            return false;
    if (final != NULL)
        arguments[call.count++] = *final;
    memset(ret, 0, sizeof(*ret));
    if (slg_value_has_methods(&receiver) &&
        !slg_time_method(&call, &receiver, head.fields[head.field_count].name, &found))
        return false;
    return found || slg_run_fail(run, "%.*s has arguments but cannot be invoked as function",
                                 (int)cut(head.fields[head.field_count].name, 60).len,
                                 head.fields[head.field_count].name.at);
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_operand(struct slg_run *run, const struct slg_node *node,
                         const struct slg_value *dot, struct slg_value *ret)
{
    struct slg_value from;

    if (!slg_run_spend(run, 0))
        return false;
    switch (node->kind) {
    case SLG_NODE_DOT:
        *ret = *dot;
        return true;
    case SLG_NODE_NIL:
        memset(ret, 0, sizeof(*ret));
        return true;
    case SLG_NODE_CONSTANT:
        *ret = node->value;
        return true;
    case SLG_NODE_FIELD:
        return apply_fields(run, node, dot, ret) ||
               fail_at(run, node->offset, node->source, run->error);
    case SLG_NODE_VARIABLE:
        return (find_variable(run, node->text, &from) && apply_fields(run, node, &from, ret)) ||
               fail_at(run, node->offset, node->source, run->error);
    case SLG_NODE_CHAIN:
        return eval_operand(run, node->operand, dot, &from) &&
               (apply_fields(run, node, &from, ret) ||
                fail_at(run, node->offset, node->source, run->error));
    case SLG_NODE_PIPE:
        return eval_pipeline(run, node->pipe, dot, ret);
    case SLG_NODE_FUNCTION: {
        struct slg_node *arguments[1] = { (struct slg_node *)(uintptr_t)node };
        struct slg_command command = { .arguments = arguments,
                                       .argument_count = 1,
                                       .source = node->source,
                                       .offset = node->offset };

        return eval_call(run, &command, dot, NULL, ret);
    }
    case SLG_NODE_TEXT:
    case SLG_NODE_ACTION:
    case SLG_NODE_IF:
    case SLG_NODE_WITH:
    case SLG_NODE_RANGE:
    case SLG_NODE_TEMPLATE:
    case SLG_NODE_BREAK:
    case SLG_NODE_CONTINUE:
        break;
    }
    return slg_run_fail(run, "not an operand");
}

/* ---- pipelines ---- */

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_command(struct slg_run *run, const struct slg_command *command,
                         const struct slg_value *dot, const struct slg_value *final,
                         struct slg_value *ret)
{
    const struct slg_node *head = command->arguments[0];

    if (head->kind == SLG_NODE_NIL)
        return fail_at(run, head->offset, command->source, "nil is not a command");
    if (head->kind == SLG_NODE_FUNCTION)
        return eval_call(run, command, dot, final, ret);
    if (command->argument_count > 1 || final != NULL)
        return eval_method(run, command, dot, final, ret) ||
               fail_at(run, command->offset, command->source, run->error);
    return eval_operand(run, head, dot, ret);
}

static bool push_variable(struct slg_run *run, struct slg_text name, const struct slg_value *value)
{
    if (run->variable_count == SLG_TEMPLATE_VARIABLE_COUNT_MAX)
        return slg_run_fail(run, "too many variables");
    run->variables[run->variable_count].name = name;
    run->variables[run->variable_count++].value = *value;
    return true;
}

static bool assign_variable(struct slg_run *run, struct slg_text name,
                            const struct slg_value *value)
{
    for (size_t i = run->variable_count; i > 0; i--)
        if (slg_text_equal(run->variables[i - 1].name, name)) {
            run->variables[i - 1].value = *value;
            return true;
        }
    return slg_run_fail(run, "undefined variable: %.*s", (int)cut(name, 60).len, name.at);
}

static bool set_variable(struct slg_run *run, const struct slg_pipeline *pipe, size_t i,
                         const struct slg_value *value)
{
    return pipe->is_assign ? assign_variable(run, pipe->variables[i], value)
                           : push_variable(run, pipe->variables[i], value);
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_commands(struct slg_run *run, const struct slg_pipeline *pipe,
                          const struct slg_value *dot, struct slg_value *ret)
{
    struct slg_value values[2];
    const struct slg_value *final = NULL;
    size_t turn = 0;

    for (const struct slg_command *command = pipe->commands; command != NULL;
         command = command->next, turn ^= 1) {
        if (!eval_command(run, command, dot, final, &values[turn]))
            return false;
        final = &values[turn];
    }
    SLG_ASSERT(final != NULL); /* the parser makes no empty pipeline */
    *ret = *final;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static bool eval_pipeline(struct slg_run *run, const struct slg_pipeline *pipe,
                          const struct slg_value *dot, struct slg_value *ret)
{
    if (!eval_commands(run, pipe, dot, ret))
        return false;
    for (size_t i = 0; i < pipe->variable_count; i++)
        if (!set_variable(run, pipe, i, ret))
            return false;
    return true;
}

/* ---- statements ---- */

static enum flow run_list(struct slg_run *run, const struct slg_node *list,
                          const struct slg_value *dot);

static bool write_out(struct slg_run *run, const void *bytes, size_t len)
{
    if (len > SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX - run->out_len)
        return slg_run_fail(run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    if (!slg_run_spend(run, len))
        return false;
    if (!slg_context_grow(run->context, &run->out, run->out_len, &run->out_capacity,
                          run->out_len + len))
        return slg_run_fail(run, "template needs too much memory");
    if (len > 0)
        memcpy(run->out + run->out_len, bytes, len);
    run->out_len += len;
    return true;
}

static bool write_value(struct slg_run *run, const struct slg_value *value)
{
    struct slg_builder builder = { .run = run };

    if (value->kind == SLG_VALUE_STRING)
        return write_out(run, value->text.at, value->text.len);
    slg_builder_value(&builder, value);
    return !builder.failed && write_out(run, builder.at, builder.len);
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static enum flow run_condition(struct slg_run *run, const struct slg_node *node,
                               const struct slg_value *dot)
{
    size_t variable_count = run->variable_count;
    struct slg_value value;
    enum flow flow;

    if (!eval_pipeline(run, node->pipe, dot, &value))
        return FLOW_FAIL;
    if (slg_value_is_true(&value))
        flow = run_list(run, node->body, node->kind == SLG_NODE_WITH ? &value : dot);
    else
        flow = run_list(run, node->otherwise, dot);
    run->variable_count = variable_count;
    return flow;
}

/* One turn of a range. With one variable it is the element, with two they are index and element. */
/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static enum flow run_turn(struct slg_run *run, const struct slg_node *node,
                          const struct slg_value *index, const struct slg_value *element)
{
    size_t variable_count = run->variable_count;
    const struct slg_pipeline *pipe = node->pipe;
    enum flow flow = FLOW_ON;

    if (!slg_run_spend(run, 0))
        return FLOW_FAIL;
    if (pipe->variable_count == 1 && !set_variable(run, pipe, 0, element))
        return FLOW_FAIL;
    if (pipe->variable_count == 2 &&
        (!set_variable(run, pipe, 0, index) || !set_variable(run, pipe, 1, element)))
        return FLOW_FAIL;
    flow = run_list(run, node->body, element);
    run->variable_count = variable_count;
    return flow == FLOW_CONTINUE ? FLOW_ON : flow;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static enum flow run_range(struct slg_run *run, const struct slg_node *node,
                           const struct slg_value *dot)
{
    struct slg_value value;
    enum flow flow = FLOW_ON;
    size_t count;

    if (!eval_commands(run, node->pipe, dot, &value))
        return FLOW_FAIL;
    if (value.kind == SLG_VALUE_LABELS && !slg_value_labels(run, &value))
        return FLOW_FAIL;
    switch (value.kind) {
    case SLG_VALUE_NIL:
        count = 0;
        break;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
        if (node->pipe->variable_count > 1) {
            (void)slg_run_fail(run, "can't use %lld to iterate over more than one variable",
                               (long long)value.integer);
            return FLOW_FAIL;
        }
        count = value.integer < 0 ? 0 : (size_t)value.integer;
        break;
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
        count = value.list.count;
        break;
    default:
        (void)slg_run_fail(run, "range can't iterate over %s", slg_value_type_name(&value));
        return FLOW_FAIL;
    }
    if (count == 0)
        return run_list(run, node->otherwise, dot);
    for (size_t i = 0; i < count && flow == FLOW_ON; i++) {
        struct slg_value index = slg_value_int((int64_t)i);
        const struct slg_value *element = &index;

        if (value.kind == SLG_VALUE_MAP)
            index = slg_value_text(value.list.keys[i]);
        if (value.kind == SLG_VALUE_MAP || value.kind == SLG_VALUE_LIST)
            element = &value.list.items[i];
        flow = run_turn(run, node, &index, element);
    }
    return flow == FLOW_BREAK ? FLOW_ON : flow;
}

/* NOLINTNEXTLINE(misc-no-recursion): run->depth is bounded by SLG_TEMPLATE_RUN_DEPTH_MAX */
static enum flow run_template(struct slg_run *run, const struct slg_node *node,
                              const struct slg_value *dot)
{
    static const struct slg_value nothing = { 0 };
    const struct slg_template *tmpl = run->tmpl;
    struct slg_value value;
    size_t variable_count;
    enum flow flow;

    if (node->pipe != NULL && !eval_pipeline(run, node->pipe, dot, &value))
        return FLOW_FAIL;
    for (size_t i = tmpl->define_count; i > 0; i--) {
        if (!slg_text_equal(tmpl->defines[i - 1].name, node->text))
            continue;
        variable_count = run->variable_count;
        if (!push_variable(run, slg_text_of("$"), node->pipe == NULL ? &nothing : &value))
            return FLOW_FAIL;
        flow = run_list(run, tmpl->defines[i - 1].body, node->pipe == NULL ? &nothing : &value);
        run->variable_count = variable_count;
        return flow;
    }
    (void)slg_run_fail(run, "template \"%.*s\" not defined", (int)cut(node->text, 60).len,
                       node->text.at);
    return FLOW_FAIL;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static enum flow run_node(struct slg_run *run, const struct slg_node *node,
                          const struct slg_value *dot)
{
    struct slg_value value;

    switch (node->kind) {
    case SLG_NODE_TEXT:
        return write_out(run, node->text.at, node->text.len) ? FLOW_ON : FLOW_FAIL;
    case SLG_NODE_ACTION:
        if (!eval_pipeline(run, node->pipe, dot, &value))
            return FLOW_FAIL;
        if (node->pipe->variable_count > 0)
            return FLOW_ON;
        return write_value(run, &value) ? FLOW_ON : FLOW_FAIL;
    case SLG_NODE_IF:
    case SLG_NODE_WITH:
        return run_condition(run, node, dot);
    case SLG_NODE_RANGE:
        return run_range(run, node, dot);
    case SLG_NODE_TEMPLATE:
        return run_template(run, node, dot);
    case SLG_NODE_BREAK:
        return FLOW_BREAK;
    case SLG_NODE_CONTINUE:
        return FLOW_CONTINUE;
    case SLG_NODE_DOT:
    case SLG_NODE_NIL:
    case SLG_NODE_FIELD:
    case SLG_NODE_VARIABLE:
    case SLG_NODE_CHAIN:
    case SLG_NODE_FUNCTION:
    case SLG_NODE_CONSTANT:
    case SLG_NODE_PIPE:
        break;
    }
    return FLOW_FAIL;
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static enum flow run_list(struct slg_run *run, const struct slg_node *list,
                          const struct slg_value *dot)
{
    enum flow flow = FLOW_ON;

    if (!slg_run_spend(run, 0))
        return FLOW_FAIL;
    if (++run->depth > SLG_TEMPLATE_RUN_DEPTH_MAX) {
        (void)slg_run_fail(run, "exceeded maximum template depth (%d)", SLG_TEMPLATE_RUN_DEPTH_MAX);
        return FLOW_FAIL;
    }
    for (const struct slg_node *node = list; node != NULL && flow == FLOW_ON; node = node->next)
        flow = run_node(run, node, dot);
    run->depth--;
    return flow;
}

/* `{{.name}}` alone needs no evaluator. */
static const struct slg_field *only_field(const struct slg_template *tmpl)
{
    const struct slg_node *root = tmpl->root;

    if (root == NULL || root->next != NULL || root->kind != SLG_NODE_ACTION ||
        root->pipe->variable_count > 0 || root->pipe->commands->next != NULL ||
        root->pipe->commands->argument_count != 1)
        return NULL;
    root = root->pipe->commands->arguments[0];
    return root->kind == SLG_NODE_FIELD && root->field_count == 1 ? &root->fields[0] : NULL;
}

bool slg_template_run(struct slg_template *tmpl, struct slg_context *context, struct slg_text *ret)
{
    const struct slg_field *field = only_field(tmpl);
    struct slg_value dot = { .kind = SLG_VALUE_LABELS };
    struct slg_run *run;

    if (field != NULL && field->name.len > 0 && field->name.at[0] != '_') {
        (void)slg_context_get(context, field->symbol, ret); /* missing = empty */
        return true;
    }
    run = slg_context_alloc(context, sizeof(*run));
    if (run == NULL)
        return false;
    run->tmpl = tmpl;
    run->context = context;
    run->steps = run->depth = run->out_len = run->out_capacity = run->variable_count = 0;
    run->out = NULL;
    run->error[0] = '\0';
    if (push_variable(run, slg_text_of("$"), &dot) &&
        run_list(run, tmpl->root, &dot) != FLOW_FAIL) {
        *ret = slg_text_make(run->out, run->out_len);
        return true;
    }
    /* A template that needs too much is this entry's error, not the query's. */
    context->exhausted = false;
    *ret = slg_text_of(run->error[0] == '\0' ? "template failed" : run->error);
    return false;
}

/* ---- fields, for hints ---- */

static void visit_list(const struct slg_node *list, slg_template_visit *visit, void *user);

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static void visit_pipeline(const struct slg_pipeline *pipe, slg_template_visit *visit, void *user)
{
    if (pipe == NULL)
        return;
    for (const struct slg_command *command = pipe->commands; command != NULL;
         command = command->next)
        for (size_t i = 0; i < command->argument_count; i++) {
            const struct slg_node *node = command->arguments[i];

            if (node->kind == SLG_NODE_FIELD)
                for (size_t k = 0; k < node->field_count; k++)
                    visit(user, node->fields[k].name);
            if (node->kind == SLG_NODE_PIPE)
                visit_pipeline(node->pipe, visit, user);
        }
}

/* NOLINTNEXTLINE(misc-no-recursion): the tree's height is bounded by the parser */
static void visit_list(const struct slg_node *list, slg_template_visit *visit, void *user)
{
    for (const struct slg_node *node = list; node != NULL; node = node->next) {
        if (node->kind != SLG_NODE_TEMPLATE)
            visit_pipeline(node->pipe, visit, user);
        visit_list(node->body, visit, user);
        visit_list(node->otherwise, visit, user);
    }
}

void slg_template_each_field(const struct slg_template *tmpl, slg_template_visit *visit, void *user)
{
    visit_list(tmpl->root, visit, user);
}
