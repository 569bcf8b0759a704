/* Functions of templates: replacing and counting what a regular expression matches. */
#include <string.h>

#include "logql/pipe/convert.h"
#include "logql/pipe/template_function.h"
#include "logql/pipe/unicode.h"

/* Compiled once for constants, and for a few values that come back. */
static bool find_regex(struct slg_call *call, struct slg_text text, const struct slg_regex **ret)
{
    struct slg_template *tmpl = call->run->tmpl;
    struct slg_regex_options options;
    struct slg_regex *regex;
    struct slg_error error;
    size_t slot;
    char *copy;

    if (text.at == NULL)
        text = slg_text_make("", 0);
    for (size_t i = 0; i < tmpl->regex_count; i++)
        if (slg_text_equal(tmpl->regexes[i].text, text)) {
            *ret = tmpl->regexes[i].regex;
            return true;
        }
    /* A regular expression for every line costs far more than its text. */
    if (!slg_run_spend(call->run, text.len * 64 + 4096))
        return false;
    options = (struct slg_regex_options){ .text = text.at, .len = text.len };
    if (slg_regex_create(&options, &regex, &error) != SLG_OK)
        return slg_run_fail(call->run, "%s", error.message);
    copy = malloc(text.len + 1);
    if (copy == NULL) {
        slg_regex_destroy(regex);
        return slg_run_fail(call->run, "out of memory");
    }
    memcpy(copy, text.at, text.len);
    if (tmpl->regex_count < SLG_TEMPLATE_REGEX_COUNT_MAX) {
        slot = tmpl->regex_count++;
    } else {
        slot = tmpl->regex_next++ % SLG_TEMPLATE_REGEX_COUNT_MAX;
        slg_regex_destroy(tmpl->regexes[slot].regex);
        free((void *)(uintptr_t)tmpl->regexes[slot].text.at);
    }
    tmpl->regexes[slot].text = slg_text_make(copy, text.len);
    tmpl->regexes[slot].regex = regex;
    *ret = regex;
    return true;
}

/* Go's matches: none empty right behind another. */
struct matches {
    const struct slg_regex *regex;
    struct slg_text text;
    size_t at;
    size_t last_end;
    bool any;
};

static bool next_match(struct slg_run *run, struct matches *m, struct slg_regex_span *groups,
                       size_t group_count)
{
    while (m->at <= m->text.len) {
        size_t start, end;

        if (!slg_run_spend(run, 64) ||
            !slg_regex_find(m->regex, m->text.at, m->text.len, m->at, groups, group_count))
            return false;
        start = (size_t)(groups[0].at - m->text.at);
        end = start + groups[0].len;
        if (groups[0].len == 0) {
            m->at = end < m->text.len ? end + slg_text_rune_step(m->text, end) : m->text.len + 1;
            if (m->any && start == m->last_end)
                continue;
        } else {
            m->at = end;
        }
        m->any = true;
        m->last_end = end;
        return true;
    }
    return false;
}

/* $1, ${1}, $name, ${name}, $$ */
static void append_expanded(struct slg_builder *builder, struct slg_text replacement,
                            const struct slg_regex *regex, const struct slg_regex_span *groups,
                            size_t group_count)
{
    for (size_t i = 0; i < replacement.len && !builder->failed; i++) {
        size_t start, end, group = SIZE_MAX;
        bool braces;

        if (replacement.at[i] != '$') {
            slg_builder_append(builder, replacement.at + i, 1);
            continue;
        }
        if (i + 1 < replacement.len && replacement.at[i + 1] == '$') {
            slg_builder_append(builder, "$", 1);
            i++;
            continue;
        }
        braces = i + 1 < replacement.len && replacement.at[i + 1] == '{';
        start = end = i + 1 + braces;
        while (end < replacement.len && slg_rune_is_word((unsigned char)replacement.at[end]) &&
               (unsigned char)replacement.at[end] < 0x80)
            end++;
        if (end == start || (braces && (end == replacement.len || replacement.at[end] != '}'))) {
            slg_builder_append(builder, "$", 1); /* malformed: literal */
            continue;
        }
        if (replacement.at[start] >= '0' && replacement.at[start] <= '9') {
            int64_t number;

            if (slg_convert_int(slg_text_make(replacement.at + start, end - start), &number))
                group = (size_t)number;
        } else {
            for (size_t k = 1; k < group_count; k++) {
                const char *name = slg_regex_group_name(regex, k);

                if (strlen(name) == end - start &&
                    memcmp(name, replacement.at + start, end - start) == 0)
                    group = k;
            }
        }
        if (group < group_count && groups[group].at != NULL)
            slg_builder_append(builder, groups[group].at, groups[group].len);
        i = end - 1 + braces;
    }
}

static bool replace_regex(struct slg_call *call, bool literal)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_regex_span groups[SLG_REGEX_GROUP_COUNT_MAX];
    struct matches m = { .text = slg_call_text(call, 1) };
    struct slg_text replacement = slg_call_text(call, 2);
    size_t start = 0, group_count;

    if (!find_regex(call, slg_call_text(call, 0), &m.regex))
        return false;
    group_count = slg_regex_group_count(m.regex) + 1;
    if (group_count > SLG_REGEX_GROUP_COUNT_MAX)
        group_count = SLG_REGEX_GROUP_COUNT_MAX;
    while (next_match(call->run, &m, groups, group_count)) {
        size_t end = m.last_end;

        slg_builder_append(&builder, m.text.at + start, end - groups[0].len - start);
        if (literal)
            slg_builder_append(&builder, replacement.at, replacement.len);
        else
            append_expanded(&builder, replacement, m.regex, groups, group_count);
        start = end;
    }
    if (call->run->error[0] != '\0')
        return false;
    slg_builder_append(&builder, m.text.at + start, m.text.len - start);
    return slg_call_give_builder(call, &builder);
}

static bool fn_regex_replace(struct slg_call *call)
{
    return replace_regex(call, /* literal= */ false);
}

static bool fn_regex_replace_literal(struct slg_call *call)
{
    return replace_regex(call, /* literal= */ true);
}

static bool fn_count(struct slg_call *call)
{
    struct matches m = { .text = slg_call_text(call, 1) };
    struct slg_regex_span group;
    int64_t count = 0;

    if (!find_regex(call, slg_call_text(call, 0), &m.regex))
        return false;
    while (next_match(call->run, &m, &group, 1))
        count++;
    return call->run->error[0] == '\0' && slg_call_give(call, slg_value_int(count));
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Loki's. */
    { "regexReplaceAll", "sss", fn_regex_replace },
    { "regexReplaceAllLiteral", "sss", fn_regex_replace_literal },
    { "count", "ss", fn_count },
};

const struct slg_template_family slg_template_regexes = { functions, SLG_ARRAY_LEN(functions) };
