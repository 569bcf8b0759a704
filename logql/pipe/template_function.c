/* Finding a function of templates by its name. */
#include "logql/pipe/template_function.h"

/* Go's own that are not in a family; and, or: the evaluator. */
static const struct slg_template_function functions[] = {
    { "and", "a*", NULL },
    { "or", "a*", NULL },
    { "print", "a*", slg_value_print },
    { "printf", "sa*", slg_value_printf },
    { "println", "a*", slg_value_println },
};

static const struct slg_template_family basics = { functions, SLG_ARRAY_LEN(functions) };

static const struct slg_template_family *const families[] = {
    &basics,
    &slg_template_texts,
    &slg_template_encodings,
    &slg_template_regexes,
    &slg_template_numbers,
    &slg_template_comparisons,
    &slg_template_collections,
    &slg_template_times,
};

const struct slg_template_function *slg_template_function_find(struct slg_text name)
{
    for (size_t i = 0; i < SLG_ARRAY_LEN(families); i++)
        for (size_t k = 0; k < families[i]->count; k++)
            if (slg_text_equal_to(name, families[i]->functions[k].name))
                return &families[i]->functions[k];
    return NULL;
}
