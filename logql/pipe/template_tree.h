/* logql/pipe/template_tree.h - what the parser of templates makes and the other template_*.c read.
 *
 * Values have Go's types, as far as templates can tell them apart. Texts and nodes lie in the pipe's arena (parsed) or
 * in scratch (made by a run). */
#ifndef SLG_LOGQL_PIPE_TEMPLATE_TREE_H
#define SLG_LOGQL_PIPE_TEMPLATE_TREE_H

#include "logql/pipe/gotime.h"
#include "logql/pipe/regex.h"
#include "logql/pipe/template.h"

/* Names in one {{define}} list, variables alive at once, arguments of one command. */
#define SLG_TEMPLATE_DEFINE_COUNT_MAX   64
#define SLG_TEMPLATE_VARIABLE_COUNT_MAX 256
#define SLG_TEMPLATE_ARGUMENT_COUNT_MAX 64
#define SLG_TEMPLATE_ZONE_COUNT_MAX     4

/* ---- values ---- */

enum slg_value_kind {
    SLG_VALUE_NIL, /* prints as <no value> */
    SLG_VALUE_STRING,
    SLG_VALUE_INT,   /* int */
    SLG_VALUE_INT64, /* int64 */
    SLG_VALUE_FLOAT,
    SLG_VALUE_BOOL,
    SLG_VALUE_TIME,
    SLG_VALUE_MONTH,    /* integer */
    SLG_VALUE_WEEKDAY,  /* integer */
    SLG_VALUE_DURATION, /* integer: ns */
    SLG_VALUE_MAP,      /* map[string]interface{} of fromJson: keys sorted */
    SLG_VALUE_LIST,
    SLG_VALUE_LABELS, /* map[string]string: the entry's labels */
};

struct slg_value {
    enum slg_value_kind kind;
    union {
        struct slg_text text;
        int64_t integer;
        double number;
        bool truth;
        struct slg_go_time time;
        struct {
            const struct slg_value *items;
            const struct slg_text *keys; /* of a map */
            size_t count;
        } list;
    };
};

/* ---- nodes ---- */

enum slg_node_kind {
    SLG_NODE_TEXT,
    SLG_NODE_ACTION, /* pipe */
    SLG_NODE_IF,
    SLG_NODE_WITH,
    SLG_NODE_RANGE,
    SLG_NODE_TEMPLATE, /* text: name; pipe or NULL */
    SLG_NODE_BREAK,
    SLG_NODE_CONTINUE,
    /* Operands: */
    SLG_NODE_DOT,
    SLG_NODE_NIL,
    SLG_NODE_FIELD,    /* fields of dot */
    SLG_NODE_VARIABLE, /* text, fields */
    SLG_NODE_CHAIN,    /* operand, fields */
    SLG_NODE_FUNCTION, /* function */
    SLG_NODE_CONSTANT, /* value */
    SLG_NODE_PIPE,     /* pipe */
};

struct slg_field {
    struct slg_text name;
    struct slg_symbol *symbol; /* of the label of that name */
};

struct slg_template_function;

struct slg_node {
    enum slg_node_kind kind;
    uint32_t offset;       /* in the template's text */
    struct slg_node *next; /* in its list */
    struct slg_text text;
    struct slg_text source; /* as written, for errors */
    struct slg_pipeline *pipe;
    struct slg_node *body, *otherwise; /* of if, with, range */
    struct slg_node *operand;
    struct slg_field *fields;
    size_t field_count;
    const struct slg_template_function *function;
    struct slg_value value;
};

struct slg_command {
    struct slg_command *next;
    struct slg_node **arguments; /* the first may be a function or field */
    size_t argument_count;
    struct slg_text source;
    uint32_t offset;
};

struct slg_pipeline {
    struct slg_text variables[2]; /* "$x" */
    size_t variable_count;
    bool is_assign; /* = instead of := */
    struct slg_command *commands;
};

struct slg_template {
    const char *name;
    struct slg_text text;
    struct slg_node *root;
    struct slg_template_define {
        struct slg_text name;
        struct slg_node *body;
    } defines[SLG_TEMPLATE_DEFINE_COUNT_MAX];
    size_t define_count;
    struct slg_regex_cache {
        struct slg_text text; /* owned */
        struct slg_regex *regex;
    } regexes[SLG_TEMPLATE_REGEX_COUNT_MAX];
    size_t regex_count, regex_next;
    struct slg_zone *zones[SLG_TEMPLATE_ZONE_COUNT_MAX]; /* owned */
    size_t zone_count;
};

/* Parse into context->static_arena. */
enum slg_status slg_template_parse(struct slg_context *context, struct slg_template *tmpl,
                                   struct slg_error *reterr);

/* ---- running ---- */

struct slg_run {
    struct slg_template *tmpl;
    struct slg_context *context;
    size_t steps;
    size_t depth;
    char *out; /* what has been written */
    size_t out_len, out_capacity;
    struct slg_variable {
        struct slg_text name;
        struct slg_value value;
    } variables[SLG_TEMPLATE_VARIABLE_COUNT_MAX];
    size_t variable_count;
    char error[512]; /* why it stopped */
};

/* Put the reason and return false. */
bool slg_run_fail(struct slg_run *run, const char *format, ...) SLG_PRINTF(2, 3);
/* Account for work on that many bytes; false: too much. */
bool slg_run_spend(struct slg_run *run, size_t bytes);
/* Scratch for a text; false when it is over the bound. */
bool slg_run_alloc(struct slg_run *run, size_t bytes, char **ret);

/* ---- functions and values: template_function.c, template_value.c, template_printf.c ---- */

struct slg_call {
    struct slg_run *run;
    struct slg_value *arguments;
    size_t count;
    struct slg_value *ret;
};
typedef bool slg_template_callback(struct slg_call *call);

struct slg_template_function {
    const char *name;
    /* One letter per parameter: s string, i int, f float64, t time, a anything; '*' after the last: any number of
     * it (also none), as Go's "...". */
    const char *parameters;
    slg_template_callback *run;
};
/* NULL: no such function. `and` and `or` have run == NULL: the evaluator does them. */
const struct slg_template_function *slg_template_function_find(struct slg_text name);

bool slg_value_is_true(const struct slg_value *value);
const char *slg_value_type_name(const struct slg_value *value);
struct slg_value slg_value_text(struct slg_text text);
struct slg_value slg_value_int(int64_t integer);
struct slg_value slg_value_int64(int64_t integer);
struct slg_value slg_value_float(double number);
struct slg_value slg_value_bool(bool truth);

/* A text that grows in scratch. */
struct slg_builder {
    struct slg_run *run;
    char *at;
    size_t len, capacity;
    bool failed;
};
void slg_builder_append(struct slg_builder *builder, const void *bytes, size_t len);
void slg_builder_text(struct slg_builder *builder, const char *text);
/* %v of a value; depth of lists and maps is bounded by what made them. */
void slg_builder_value(struct slg_builder *builder, const struct slg_value *value);
/* The same of an element: nothing is "<nil>". */
void slg_builder_inner(struct slg_builder *builder, const struct slg_value *value);
/* fmt.Sprintf, fmt.Sprint, fmt.Sprintln */
bool slg_value_printf(struct slg_call *call);
bool slg_value_print(struct slg_call *call);
bool slg_value_println(struct slg_call *call);
/* strconv.Quote */
void slg_builder_quote(struct slg_builder *builder, struct slg_text text, bool ascii);

/* encoding/json Unmarshal into interface{}; false: not JSON, or too deep, or too large. */
bool slg_value_from_json(struct slg_run *run, struct slg_text text, struct slg_value *ret);

/* Member of the map, list or labels; false with a reason. */
bool slg_value_field(struct slg_run *run, const struct slg_value *from,
                     const struct slg_field *field, struct slg_value *ret);
/* The labels as a list with sorted keys, for range and printing. */
bool slg_value_labels(struct slg_run *run, struct slg_value *ret);
/* A method of a time, duration, month or weekday: .Format "2006". *found false: not a method. */
bool slg_time_method(struct slg_call *call, const struct slg_value *of, struct slg_text name,
                     bool *found);
/* Whether that value has methods. */
static inline bool slg_value_has_methods(const struct slg_value *value)
{
    return value->kind == SLG_VALUE_TIME || value->kind == SLG_VALUE_DURATION ||
           value->kind == SLG_VALUE_MONTH || value->kind == SLG_VALUE_WEEKDAY;
}

#endif
