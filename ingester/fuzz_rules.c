/* Arbitrary rule tables, a rule a line: "ACTION NAME VALUE". What compiles keeps the promises of rules.h, and the
 * same table compiles to the same mapping. The first two bytes choose the limits. */
#include <stdlib.h>

#include "ingester/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slg_text take_until(struct slg_text *rest, char end)
{
    const char *at = rest->len == 0 ? NULL : memchr(rest->at, end, rest->len);
    struct slg_text taken =
        slg_text_make(rest->at, at == NULL ? rest->len : (size_t)(at - rest->at));
    size_t step = taken.len + (at != NULL);

    *rest = slg_text_make(rest->at + step, rest->len - step);
    return taken;
}

static size_t read_rules(struct slg_text text, struct slg_rule *rules, size_t rules_max)
{
    size_t count = 0;

    while (text.len > 0 && count < rules_max) {
        struct slg_text line = take_until(&text, '\n');
        struct slg_text word = take_until(&line, ' ');
        struct slg_error error = { 0 };

        if (slg_rule_action_parse(word, &rules[count].action, &error) != SLG_OK) {
            SLG_ASSERT(error.message[0] != '\0');
            continue;
        }
        rules[count].name = take_until(&line, ' ');
        rules[count++].value = line;
    }
    return count;
}

static bool same_target(const struct slg_rule_target *a, const struct slg_rule_target *b)
{
    return a->place == b->place && slg_text_equal(a->name, b->name);
}

/* Labels have valid names, each once, and there are not too many; then the same for a second run of the compiler. */
static void check(const struct slg_rules_options *options, const struct slg_rules *rules,
                  const struct slg_rules *again)
{
    const struct slg_rule_target *fields = slg_rules_fields(rules);
    size_t fixed_count, again_count, labels = 0;
    const struct slg_label *fixed = slg_rules_fixed(rules, &fixed_count);
    const struct slg_label *fixed_again = slg_rules_fixed(again, &again_count);

    SLG_ASSERT(slg_rules_label_count_max(rules) == options->label_count_max);
    SLG_ASSERT(slg_rules_value_bytes_max(rules) == options->value_bytes_max);
    for (size_t i = 0; i < SLG_FIELD_COUNT; i++) {
        SLG_ASSERT(same_target(&fields[i], &slg_rules_fields(again)[i]));
        if (fields[i].place == SLG_PLACE_DROPPED)
            continue;
        SLG_ASSERT(slg_label_name_valid(fields[i].name));
        labels += fields[i].place == SLG_PLACE_LABEL;
        for (size_t k = 0; k < i; k++)
            SLG_ASSERT(fields[k].place == SLG_PLACE_DROPPED ||
                       !slg_text_equal(fields[i].name, fields[k].name));
    }
    SLG_ASSERT(fields[SLG_FIELD_QUEUE_ID].place != SLG_PLACE_LABEL);
    SLG_ASSERT(fields[SLG_FIELD_PID].place != SLG_PLACE_LABEL);
    SLG_ASSERT(labels + fixed_count <= options->label_count_max);
    SLG_ASSERT(fixed_count == again_count);
    for (size_t i = 0; i < fixed_count; i++) {
        SLG_ASSERT(slg_label_name_valid(fixed[i].name));
        SLG_ASSERT(fixed[i].value.len <= options->value_bytes_max);
        SLG_ASSERT(slg_text_equal(fixed[i].value, fixed_again[i].value));
    }
    SLG_ASSERT(slg_rules_promoted(rules) == slg_rules_promoted(again));
    for (size_t i = 0; i < options->rule_count; i++) {
        const struct slg_rule_target *target = slg_rules_sd(rules, options->rules[i].name);

        SLG_ASSERT(target == NULL || slg_rules_has_sd(rules));
        SLG_ASSERT(target == NULL ||
                   same_target(target, slg_rules_sd(again, options->rules[i].name)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slg_rule list[SLG_RULE_COUNT_MAX + 1];
    struct slg_rules_options options = { .rules = list };
    struct slg_error error = { 0 };
    struct slg_rules *rules, *again;

    if (size < 2)
        return 0;
    options.label_count_max = 1 + data[0] % SLG_LABEL_COUNT_MAX;
    options.value_bytes_max = 16 + (size_t)data[1] * 8;
    if (options.value_bytes_max > SLG_LABEL_VALUE_BYTES_MAX)
        options.value_bytes_max = SLG_LABEL_VALUE_BYTES_MAX;
    options.rule_count = read_rules(slg_text_make(data + 2, size - 2), list, SLG_ARRAY_LEN(list));
    if (slg_rules_compile(&options, &rules, &error) != SLG_OK) {
        SLG_ASSERT(error.message[0] != '\0');
        return 0;
    }
    SLG_ASSERT(slg_rules_compile(&options, &again, &error) == SLG_OK);
    check(&options, rules, again);
    slg_rules_destroy(again);
    slg_rules_destroy(rules);
    return 0;
}
