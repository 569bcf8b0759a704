/* logql/pipe/template_function.h - what the functions of templates are made of, and where they stand.
 *
 * A family is a file with a table of rows: name, parameters, function. The evaluator has checked number and kinds of the
 * arguments by the row's letters before it calls (struct slg_template_function in template_tree.h), so a function looks
 * at its arguments without asking. A function puts its result with one of the slg_call_give functions, or returns false
 * with a reason (slg_run_fail).
 * Threads: those of the template. */
#ifndef SLG_LOGQL_PIPE_TEMPLATE_FUNCTION_H
#define SLG_LOGQL_PIPE_TEMPLATE_FUNCTION_H

#include "base/utf8.h"
#include "logql/pipe/template_tree.h"

struct slg_template_family {
    const struct slg_template_function *functions;
    size_t count;
};

extern const struct slg_template_family slg_template_texts, slg_template_encodings,
    slg_template_regexes, slg_template_numbers, slg_template_comparisons, slg_template_collections,
    slg_template_times;

static inline struct slg_text slg_call_text(const struct slg_call *call, size_t i)
{
    return call->arguments[i].text;
}

static inline bool slg_call_give(struct slg_call *call, struct slg_value value)
{
    *call->ret = value;
    return true;
}

/* The bytes must live as long as the run. */
static inline bool slg_call_give_text(struct slg_call *call, const char *at, size_t len)
{
    return slg_call_give(call, slg_value_text(slg_text_make(at, len)));
}

static inline bool slg_call_give_builder(struct slg_call *call, const struct slg_builder *builder)
{
    return !builder->failed && slg_call_give_text(call, builder->at, builder->len);
}

/* Bytes of the character at i; a broken one is one byte. */
static inline size_t slg_text_rune_step(struct slg_text text, size_t i)
{
    size_t step;

    return slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step) ? step : 1;
}

#endif
