/* Functions of templates: letters, prefixes, replacing, trimming, cutting and aligning of texts. */
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/template_function.h"
#include "logql/pipe/unicode.h"

static bool has_prefix(struct slg_text text, struct slg_text prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.at, prefix.at, prefix.len) == 0);
}

static bool has_suffix(struct slg_text text, struct slg_text suffix)
{
    return text.len >= suffix.len &&
           (suffix.len == 0 || memcmp(text.at + text.len - suffix.len, suffix.at, suffix.len) == 0);
}

static size_t find(struct slg_text text, struct slg_text needle, size_t from)
{
    const char *at;

    if (needle.len == 0)
        return from;
    if (text.len - from < needle.len)
        return SIZE_MAX;
    at = memmem(text.at + from, text.len - from, needle.at, needle.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - text.at);
}

static size_t count_runes(struct slg_text text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i += slg_text_rune_step(text, i))
        count++;
    return count;
}

static bool map_runes(struct slg_call *call, struct slg_text text, uint32_t (*map)(uint32_t))
{
    struct slg_builder builder = { .run = call->run };
    size_t step;

    for (size_t i = 0; i < text.len && !builder.failed; i += step) {
        uint8_t utf8[4];
        uint32_t rune;

        if (!slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step))
            step = 1;
        slg_builder_append(&builder, utf8, slg_utf8_encode(map(rune), utf8));
    }
    return slg_call_give_builder(call, &builder);
}

static bool fn_lower(struct slg_call *call)
{
    return map_runes(call, slg_call_text(call, 0), slg_rune_lower);
}

static bool fn_upper(struct slg_call *call)
{
    return map_runes(call, slg_call_text(call, 0), slg_rune_upper);
}

/* strings.Title: the first letter of each word. */
static bool fn_title(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = slg_call_text(call, 0);
    bool in_word = false;
    size_t step;

    for (size_t i = 0; i < text.len && !builder.failed; i += step) {
        uint8_t utf8[4];
        uint32_t rune;

        if (!slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step))
            step = 1;
        slg_builder_append(&builder, utf8,
                           slg_utf8_encode(in_word ? rune : slg_rune_upper(rune), utf8));
        in_word = slg_rune_is_word(rune);
    }
    return slg_call_give_builder(call, &builder);
}

/* strings.Replace(s, old, new, n). */
static bool replace(struct slg_call *call, struct slg_text text, struct slg_text old,
                    struct slg_text new, int64_t count)
{
    struct slg_builder builder = { .run = call->run };
    size_t start = 0;

    for (int64_t i = 0; (count < 0 || i < count) && !builder.failed; i++) {
        size_t at;

        if (old.len == 0) {
            /* Between all characters, at both ends too. */
            at = i == 0 ? 0 : start < text.len ? start + slg_text_rune_step(text, start) : SIZE_MAX;
        } else {
            at = find(text, old, start);
        }
        if (at == SIZE_MAX)
            break;
        slg_builder_append(&builder, text.at + start, at - start);
        slg_builder_append(&builder, new.at, new.len);
        start = at + old.len;
    }
    slg_builder_append(&builder, text.at + start, text.len - start);
    return slg_call_give_builder(call, &builder);
}

static bool fn_old_replace(struct slg_call *call)
{
    return replace(call, slg_call_text(call, 0), slg_call_text(call, 1), slg_call_text(call, 2),
                   call->arguments[3].integer);
}

static bool fn_replace(struct slg_call *call)
{
    return replace(call, slg_call_text(call, 2), slg_call_text(call, 0), slg_call_text(call, 1),
                   -1);
}

/* Does the cut set hold the rune at text[i)? NULL set: white space. */
static bool in_set(const struct slg_text *set, struct slg_text text, size_t i, size_t step)
{
    uint32_t rune;
    size_t ignored;

    if (set == NULL) {
        (void)slg_utf8_decode((const uint8_t *)text.at + i, step, &rune, &ignored);
        return slg_rune_is_space(rune);
    }
    for (size_t k = 0; k < set->len; k += slg_text_rune_step(*set, k))
        if (slg_text_rune_step(*set, k) == step && memcmp(set->at + k, text.at + i, step) == 0)
            return true;
    return false;
}

static size_t last_step(struct slg_text text)
{
    size_t back = 1;

    while (back < 4 && back < text.len && ((uint8_t)text.at[text.len - back] & 0xC0U) == 0x80)
        back++;
    return slg_text_rune_step(text, text.len - back) == back ? back : 1;
}

static bool trim(struct slg_call *call, struct slg_text text, const struct slg_text *set, bool left,
                 bool right)
{
    if (set != NULL && !slg_run_spend(call->run, text.len * set->len))
        return false;
    while (left && text.len > 0) {
        size_t step = slg_text_rune_step(text, 0);

        if (!in_set(set, text, 0, step))
            break;
        text = slg_text_make(text.at + step, text.len - step);
    }
    while (right && text.len > 0) {
        size_t step = last_step(text);

        if (!in_set(set, text, text.len - step, step))
            break;
        text.len -= step;
    }
    return slg_call_give(call, slg_value_text(text));
}

static bool fn_trim_space(struct slg_call *call)
{
    return trim(call, slg_call_text(call, 0), NULL, true, true);
}

static bool fn_old_trim(struct slg_call *call)
{
    return trim(call, slg_call_text(call, 0), &call->arguments[1].text, true, true);
}

static bool fn_old_trim_left(struct slg_call *call)
{
    return trim(call, slg_call_text(call, 0), &call->arguments[1].text, true, false);
}

static bool fn_old_trim_right(struct slg_call *call)
{
    return trim(call, slg_call_text(call, 0), &call->arguments[1].text, false, true);
}

static bool fn_trim_all(struct slg_call *call)
{
    return trim(call, slg_call_text(call, 1), &call->arguments[0].text, true, true);
}

static bool cut_prefix(struct slg_call *call, struct slg_text text, struct slg_text prefix)
{
    if (has_prefix(text, prefix))
        text = slg_text_make(text.at + prefix.len, text.len - prefix.len);
    return slg_call_give(call, slg_value_text(text));
}

static bool cut_suffix(struct slg_call *call, struct slg_text text, struct slg_text suffix)
{
    if (has_suffix(text, suffix))
        text.len -= suffix.len;
    return slg_call_give(call, slg_value_text(text));
}

static bool fn_old_trim_prefix(struct slg_call *call)
{
    return cut_prefix(call, slg_call_text(call, 0), slg_call_text(call, 1));
}

static bool fn_old_trim_suffix(struct slg_call *call)
{
    return cut_suffix(call, slg_call_text(call, 0), slg_call_text(call, 1));
}

static bool fn_trim_prefix(struct slg_call *call)
{
    return cut_prefix(call, slg_call_text(call, 1), slg_call_text(call, 0));
}

static bool fn_trim_suffix(struct slg_call *call)
{
    return cut_suffix(call, slg_call_text(call, 1), slg_call_text(call, 0));
}

static bool fn_contains(struct slg_call *call)
{
    return slg_call_give(
        call, slg_value_bool(find(slg_call_text(call, 1), slg_call_text(call, 0), 0) != SIZE_MAX));
}

static bool fn_has_prefix(struct slg_call *call)
{
    return slg_call_give(
        call, slg_value_bool(has_prefix(slg_call_text(call, 1), slg_call_text(call, 0))));
}

static bool fn_has_suffix(struct slg_call *call)
{
    return slg_call_give(
        call, slg_value_bool(has_suffix(slg_call_text(call, 1), slg_call_text(call, 0))));
}

/* Bytes, not characters: what sprig does. */
static bool fn_trunc(struct slg_call *call)
{
    int64_t count = call->arguments[0].integer;
    struct slg_text text = slg_call_text(call, 1);

    if (count < 0 && count > -(int64_t)text.len)
        text = slg_text_make(text.at + ((int64_t)text.len + count), (size_t)-count);
    else if (count >= 0 && (int64_t)text.len > count)
        text.len = (size_t)count;
    return slg_call_give(call, slg_value_text(text));
}

static bool slice_text(struct slg_call *call, struct slg_text text, int64_t start, int64_t end)
{
    if (start < 0 || end < start || end > (int64_t)text.len)
        return slg_run_fail(call->run, "runtime error: slice bounds out of range [%lld:%lld]",
                            (long long)start, (long long)end);
    return slg_call_give_text(call, text.at + start, (size_t)(end - start));
}

static bool fn_substr(struct slg_call *call)
{
    int64_t start = call->arguments[0].integer, end = call->arguments[1].integer;
    struct slg_text text = slg_call_text(call, 2);

    if (start < 0)
        return slice_text(call, text, 0, end);
    if (end < 0 || end > (int64_t)text.len)
        return slice_text(call, text, start, (int64_t)text.len);
    return slice_text(call, text, start, end);
}

static bool indent(struct slg_call *call, bool newline)
{
    struct slg_builder builder = { .run = call->run };
    int64_t count = call->arguments[0].integer;
    struct slg_text text = slg_call_text(call, 1);
    size_t start = 0;
    char *pad;

    if (count < 0)
        return slg_run_fail(call->run, "strings: negative Repeat count");
    if (count > (int64_t)SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX)
        return slg_run_fail(call->run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    if (!slg_run_alloc(call->run, (size_t)count + 1, &pad))
        return false;
    memset(pad, ' ', (size_t)count);
    if (newline)
        slg_builder_text(&builder, "\n");
    while (!builder.failed) {
        size_t at = find(text, slg_text_of("\n"), start);

        slg_builder_append(&builder, pad, (size_t)count);
        if (at == SIZE_MAX)
            break;
        slg_builder_append(&builder, text.at + start, at + 1 - start);
        start = at + 1;
    }
    slg_builder_append(&builder, text.at + start, text.len - start);
    return slg_call_give_builder(call, &builder);
}

static bool fn_indent(struct slg_call *call)
{
    return indent(call, /* newline= */ false);
}

static bool fn_nindent(struct slg_call *call)
{
    return indent(call, /* newline= */ true);
}

static bool fn_repeat(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    int64_t count = call->arguments[0].integer;
    struct slg_text text = slg_call_text(call, 1);

    if (count < 0)
        return slg_run_fail(call->run, "strings: negative Repeat count");
    if (text.len > 0 && count > (int64_t)(SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX / text.len))
        return slg_run_fail(call->run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    for (int64_t i = 0; text.len > 0 && i < count && !builder.failed; i++)
        slg_builder_append(&builder, text.at, text.len);
    return slg_call_give_builder(call, &builder);
}

static bool align(struct slg_call *call, bool left)
{
    struct slg_builder builder = { .run = call->run };
    int64_t wanted = call->arguments[0].integer;
    struct slg_text text = slg_call_text(call, 1);
    int64_t have = (int64_t)count_runes(text);
    size_t at = 0;

    if (wanted < 0 || wanted == have)
        return slg_call_give(call, slg_value_text(text));
    if (wanted > (int64_t)SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX)
        return slg_run_fail(call->run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    if (wanted < have) {
        for (int64_t i = 0; i < (left ? wanted : have - wanted); i++)
            at += slg_text_rune_step(text, at);
        return left ? slg_call_give_text(call, text.at, at)
                    : slg_call_give_text(call, text.at + at, text.len - at);
    }
    if (left)
        slg_builder_append(&builder, text.at, text.len);
    for (int64_t i = have; i < wanted && !builder.failed; i++)
        slg_builder_append(&builder, " ", 1);
    if (!left)
        slg_builder_append(&builder, text.at, text.len);
    return slg_call_give_builder(call, &builder);
}

static bool fn_align_left(struct slg_call *call)
{
    return align(call, /* left= */ true);
}

static bool fn_align_right(struct slg_call *call)
{
    return align(call, /* left= */ false);
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Loki's. */
    { "ToLower", "s", fn_lower },
    { "ToUpper", "s", fn_upper },
    { "Replace", "sssi", fn_old_replace },
    { "Trim", "ss", fn_old_trim },
    { "TrimLeft", "ss", fn_old_trim_left },
    { "TrimRight", "ss", fn_old_trim_right },
    { "TrimPrefix", "ss", fn_old_trim_prefix },
    { "TrimSuffix", "ss", fn_old_trim_suffix },
    { "TrimSpace", "s", fn_trim_space },
    { "alignLeft", "is", fn_align_left },
    { "alignRight", "is", fn_align_right },
    /* sprig's, as far as Loki allows them. */
    { "lower", "s", fn_lower },
    { "upper", "s", fn_upper },
    { "title", "s", fn_title },
    { "trunc", "is", fn_trunc },
    { "substr", "iis", fn_substr },
    { "contains", "ss", fn_contains },
    { "hasPrefix", "ss", fn_has_prefix },
    { "hasSuffix", "ss", fn_has_suffix },
    { "indent", "is", fn_indent },
    { "nindent", "is", fn_nindent },
    { "replace", "sss", fn_replace },
    { "repeat", "is", fn_repeat },
    { "trim", "s", fn_trim_space },
    { "trimAll", "ss", fn_trim_all },
    { "trimSuffix", "ss", fn_trim_suffix },
    { "trimPrefix", "ss", fn_trim_prefix },
};

const struct slg_template_family slg_template_texts = { functions, SLG_ARRAY_LEN(functions) };
