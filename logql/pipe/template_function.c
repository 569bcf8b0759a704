/* The functions of templates: Go's built-in ones, Loki's own, and those that Loki takes from sprig. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/template_tree.h"
#include "logql/pipe/unicode.h"

/* ---- helpers ---- */

static struct slg_text text_at(const struct slg_call *call, size_t i)
{
    return call->arguments[i].text;
}

static bool give_text(struct slg_call *call, const char *at, size_t len)
{
    *call->ret = slg_value_text(slg_text_make(at, len));
    return true;
}

static bool give(struct slg_call *call, struct slg_value value)
{
    *call->ret = value;
    return true;
}

static bool give_builder(struct slg_call *call, const struct slg_builder *builder)
{
    return !builder->failed && give_text(call, builder->at, builder->len);
}

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

static size_t step_at(struct slg_text text, size_t i)
{
    size_t step;

    if (!slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step))
        step = 1;
    return step;
}

static size_t count_runes(struct slg_text text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i += step_at(text, i))
        count++;
    return count;
}

/* ---- text ---- */

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
    return give_builder(call, &builder);
}

static bool fn_lower(struct slg_call *call)
{
    return map_runes(call, text_at(call, 0), slg_rune_lower);
}

static bool fn_upper(struct slg_call *call)
{
    return map_runes(call, text_at(call, 0), slg_rune_upper);
}

/* strings.Title: the first letter of each word. */
static bool fn_title(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = text_at(call, 0);
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
    return give_builder(call, &builder);
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
            at = i == 0 ? 0 : start < text.len ? start + step_at(text, start) : SIZE_MAX;
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
    return give_builder(call, &builder);
}

static bool fn_old_replace(struct slg_call *call)
{
    return replace(call, text_at(call, 0), text_at(call, 1), text_at(call, 2),
                   call->arguments[3].integer);
}

static bool fn_replace(struct slg_call *call)
{
    return replace(call, text_at(call, 2), text_at(call, 0), text_at(call, 1), -1);
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
    for (size_t k = 0; k < set->len; k += step_at(*set, k))
        if (step_at(*set, k) == step && memcmp(set->at + k, text.at + i, step) == 0)
            return true;
    return false;
}

static size_t last_step(struct slg_text text)
{
    size_t back = 1;

    while (back < 4 && back < text.len && ((uint8_t)text.at[text.len - back] & 0xC0U) == 0x80)
        back++;
    return step_at(text, text.len - back) == back ? back : 1;
}

static bool trim(struct slg_call *call, struct slg_text text, const struct slg_text *set, bool left,
                 bool right)
{
    if (set != NULL && !slg_run_spend(call->run, text.len * set->len))
        return false;
    while (left && text.len > 0) {
        size_t step = step_at(text, 0);

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
    return give(call, slg_value_text(text));
}

static bool fn_trim_space(struct slg_call *call)
{
    return trim(call, text_at(call, 0), NULL, true, true);
}

static bool fn_old_trim(struct slg_call *call)
{
    return trim(call, text_at(call, 0), &call->arguments[1].text, true, true);
}

static bool fn_old_trim_left(struct slg_call *call)
{
    return trim(call, text_at(call, 0), &call->arguments[1].text, true, false);
}

static bool fn_old_trim_right(struct slg_call *call)
{
    return trim(call, text_at(call, 0), &call->arguments[1].text, false, true);
}

static bool fn_trim_all(struct slg_call *call)
{
    return trim(call, text_at(call, 1), &call->arguments[0].text, true, true);
}

static bool cut_prefix(struct slg_call *call, struct slg_text text, struct slg_text prefix)
{
    if (has_prefix(text, prefix))
        text = slg_text_make(text.at + prefix.len, text.len - prefix.len);
    return give(call, slg_value_text(text));
}

static bool cut_suffix(struct slg_call *call, struct slg_text text, struct slg_text suffix)
{
    if (has_suffix(text, suffix))
        text.len -= suffix.len;
    return give(call, slg_value_text(text));
}

static bool fn_old_trim_prefix(struct slg_call *call)
{
    return cut_prefix(call, text_at(call, 0), text_at(call, 1));
}

static bool fn_old_trim_suffix(struct slg_call *call)
{
    return cut_suffix(call, text_at(call, 0), text_at(call, 1));
}

static bool fn_trim_prefix(struct slg_call *call)
{
    return cut_prefix(call, text_at(call, 1), text_at(call, 0));
}

static bool fn_trim_suffix(struct slg_call *call)
{
    return cut_suffix(call, text_at(call, 1), text_at(call, 0));
}

static bool fn_contains(struct slg_call *call)
{
    return give(call, slg_value_bool(find(text_at(call, 1), text_at(call, 0), 0) != SIZE_MAX));
}

static bool fn_has_prefix(struct slg_call *call)
{
    return give(call, slg_value_bool(has_prefix(text_at(call, 1), text_at(call, 0))));
}

static bool fn_has_suffix(struct slg_call *call)
{
    return give(call, slg_value_bool(has_suffix(text_at(call, 1), text_at(call, 0))));
}

/* Bytes, not characters: what sprig does. */
static bool fn_trunc(struct slg_call *call)
{
    int64_t count = call->arguments[0].integer;
    struct slg_text text = text_at(call, 1);

    if (count < 0 && count > -(int64_t)text.len)
        text = slg_text_make(text.at + ((int64_t)text.len + count), (size_t)-count);
    else if (count >= 0 && (int64_t)text.len > count)
        text.len = (size_t)count;
    return give(call, slg_value_text(text));
}

static bool slice_text(struct slg_call *call, struct slg_text text, int64_t start, int64_t end)
{
    if (start < 0 || end < start || end > (int64_t)text.len)
        return slg_run_fail(call->run, "runtime error: slice bounds out of range [%lld:%lld]",
                            (long long)start, (long long)end);
    return give_text(call, text.at + start, (size_t)(end - start));
}

static bool fn_substr(struct slg_call *call)
{
    int64_t start = call->arguments[0].integer, end = call->arguments[1].integer;
    struct slg_text text = text_at(call, 2);

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
    struct slg_text text = text_at(call, 1);
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
    return give_builder(call, &builder);
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
    struct slg_text text = text_at(call, 1);

    if (count < 0)
        return slg_run_fail(call->run, "strings: negative Repeat count");
    if (text.len > 0 && count > (int64_t)(SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX / text.len))
        return slg_run_fail(call->run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    for (int64_t i = 0; text.len > 0 && i < count && !builder.failed; i++)
        slg_builder_append(&builder, text.at, text.len);
    return give_builder(call, &builder);
}

static bool align(struct slg_call *call, bool left)
{
    struct slg_builder builder = { .run = call->run };
    int64_t wanted = call->arguments[0].integer;
    struct slg_text text = text_at(call, 1);
    int64_t have = (int64_t)count_runes(text);
    size_t at = 0;

    if (wanted < 0 || wanted == have)
        return give(call, slg_value_text(text));
    if (wanted > (int64_t)SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX)
        return slg_run_fail(call->run, "output is larger than %zu bytes",
                            SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
    if (wanted < have) {
        for (int64_t i = 0; i < (left ? wanted : have - wanted); i++)
            at += step_at(text, at);
        return left ? give_text(call, text.at, at) : give_text(call, text.at + at, text.len - at);
    }
    if (left)
        slg_builder_append(&builder, text.at, text.len);
    for (int64_t i = have; i < wanted && !builder.failed; i++)
        slg_builder_append(&builder, " ", 1);
    if (!left)
        slg_builder_append(&builder, text.at, text.len);
    return give_builder(call, &builder);
}

static bool fn_align_left(struct slg_call *call)
{
    return align(call, /* left= */ true);
}

static bool fn_align_right(struct slg_call *call)
{
    return align(call, /* left= */ false);
}

/* ---- encodings ---- */

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool fn_b64enc(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = text_at(call, 0);

    for (size_t i = 0; i < text.len && !builder.failed; i += 3) {
        size_t left = text.len - i;
        uint32_t block = (uint32_t)(uint8_t)text.at[i] << 16;
        char out[4];

        if (left > 1)
            block |= (uint32_t)(uint8_t)text.at[i + 1] << 8;
        if (left > 2)
            block |= (uint8_t)text.at[i + 2];
        for (int k = 0; k < 4; k++)
            out[k] = base64_letters[block >> (18 - 6 * k) & 63];
        if (left < 3)
            out[3] = '=';
        if (left < 2)
            out[2] = '=';
        slg_builder_append(&builder, out, 4);
    }
    return give_builder(call, &builder);
}

/* Padding may be missing; rubbish gives Go's error text as the value. Line ends are skipped, as there. */
static bool fn_b64dec(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = text_at(call, 0);
    uint32_t block = 0;
    int bits = 0;
    size_t padding = 0;

    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        const char *found = text.at[i] == '\0' ? NULL : strchr(base64_letters, text.at[i]);
        uint8_t byte;

        if (text.at[i] == '\n' || text.at[i] == '\r')
            continue;
        if (text.at[i] == '=' && bits != 0 && padding < 2) {
            padding++;
            continue;
        }
        if (found == NULL || padding > 0) {
            char error[64];
            char *copy;
            int len = snprintf(error, sizeof(error), "illegal base64 data at input byte %zu", i);

            if (!slg_run_alloc(call->run, (size_t)len + 1, &copy))
                return false;
            memcpy(copy, error, (size_t)len);
            return give_text(call, copy, (size_t)len);
        }
        block = block << 6 | (uint32_t)(found - base64_letters);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        byte = (uint8_t)(block >> bits);
        slg_builder_append(&builder, &byte, 1);
    }
    return give_builder(call, &builder);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void append_urlencoded(struct slg_builder *builder, struct slg_text text)
{
    for (size_t i = 0; i < text.len && !builder->failed; i++) {
        char hex[4];

        if (is_unreserved(text.at[i]))
            slg_builder_append(builder, text.at + i, 1);
        else if (text.at[i] == ' ')
            slg_builder_append(builder, "+", 1);
        else
            slg_builder_append(builder, hex,
                               (size_t)snprintf(hex, sizeof(hex), "%%%02X", (uint8_t)text.at[i]));
    }
}

static bool fn_urlencode(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };

    append_urlencoded(&builder, text_at(call, 0));
    return give_builder(call, &builder);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool fn_urldecode(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = text_at(call, 0);

    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        char c = text.at[i];

        if (c == '%') {
            size_t left = text.len - i;

            if (left < 3 || hex_value(text.at[i + 1]) < 0 || hex_value(text.at[i + 2]) < 0)
                return slg_run_fail(call->run, "invalid URL escape \"%.*s\"",
                                    (int)(left < 3 ? left : 3), text.at + i);
            c = (char)(hex_value(text.at[i + 1]) * 16 + hex_value(text.at[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        slg_builder_append(&builder, &c, 1);
    }
    return give_builder(call, &builder);
}

/* Arguments of html, js, urlquery: one text as it is, else as print would. */
static bool join_arguments(struct slg_call *call, struct slg_text *ret)
{
    struct slg_call print = *call;
    struct slg_value value;

    print.ret = &value;
    if (call->count == 1 && call->arguments[0].kind == SLG_VALUE_STRING) {
        *ret = call->arguments[0].text;
        return true;
    }
    if (!slg_value_print(&print))
        return false;
    *ret = value.text;
    return true;
}

static bool fn_urlquery(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    append_urlencoded(&builder, text);
    return give_builder(call, &builder);
}

static bool fn_html(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        switch (text.at[i]) {
        case '"':
            slg_builder_text(&builder, "&#34;");
            break;
        case '\'':
            slg_builder_text(&builder, "&#39;");
            break;
        case '&':
            slg_builder_text(&builder, "&amp;");
            break;
        case '<':
            slg_builder_text(&builder, "&lt;");
            break;
        case '>':
            slg_builder_text(&builder, "&gt;");
            break;
        case '\0':
            slg_builder_text(&builder, "\357\277\275");
            break;
        default:
            slg_builder_append(&builder, text.at + i, 1);
            break;
        }
    }
    return give_builder(call, &builder);
}

/* template.JSEscape */
static bool fn_js(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        unsigned char c = (unsigned char)text.at[i];
        char escape[8];

        if (c == '\\' || c == '\'' || c == '"') {
            escape[0] = '\\';
            escape[1] = (char)c;
            slg_builder_append(&builder, escape, 2);
        } else if (c == '<' || c == '>' || c == '&' || c == '=' || c < 0x20) {
            slg_builder_append(&builder, escape,
                               (size_t)snprintf(escape, sizeof(escape), "\\u%04X", c));
        } else {
            slg_builder_append(&builder, text.at + i, 1);
        }
    }
    return give_builder(call, &builder);
}

/* ---- regular expressions ---- */

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
            m->at = end < m->text.len ? end + step_at(m->text, end) : m->text.len + 1;
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
    struct matches m = { .text = text_at(call, 1) };
    struct slg_text replacement = text_at(call, 2);
    size_t start = 0, group_count;

    if (!find_regex(call, text_at(call, 0), &m.regex))
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
    return give_builder(call, &builder);
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
    struct matches m = { .text = text_at(call, 1) };
    struct slg_regex_span group;
    int64_t count = 0;

    if (!find_regex(call, text_at(call, 0), &m.regex))
        return false;
    while (next_match(call->run, &m, &group, 1))
        count++;
    return call->run->error[0] == '\0' && give(call, slg_value_int(count));
}

/* ---- numbers ---- */

/* github.com/spf13/cast ToInt64: decimals are cut, other rubbish is 0. */
static int64_t to_int(const struct slg_value *value)
{
    struct slg_text text = value->text;
    int64_t integer = 0;
    const char *dot;

    switch (value->kind) {
    case SLG_VALUE_STRING:
        dot = text.len == 0 ? NULL : memchr(text.at, '.', text.len);
        if (dot != NULL) {
            for (const char *c = dot + 1; c < text.at + text.len; c++)
                if (*c < '0' || *c > '9')
                    return 0;
            text.len = (size_t)(dot - text.at);
        }
        return slg_convert_int_any(text, &integer) ? integer : 0;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
    case SLG_VALUE_MONTH:
    case SLG_VALUE_WEEKDAY:
        return value->integer;
    case SLG_VALUE_FLOAT:
        if (!(value->number > -9.3e18 && value->number < 9.2e18))
            return INT64_MIN; /* what the conversion gives on amd64 */
        return (int64_t)value->number;
    case SLG_VALUE_BOOL:
        return value->truth;
    case SLG_VALUE_NIL:
    case SLG_VALUE_TIME:
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
    case SLG_VALUE_LABELS:
        break;
    }
    return 0;
}

static double to_float(const struct slg_value *value)
{
    double number = 0;

    if (value->kind == SLG_VALUE_FLOAT)
        return value->number;
    if (value->kind == SLG_VALUE_STRING)
        return slg_convert_float(value->text, &number) ? number : 0;
    return (double)to_int(value);
}

static bool fn_int(struct slg_call *call)
{
    return give(call, slg_value_int(to_int(&call->arguments[0])));
}

static bool fn_float64(struct slg_call *call)
{
    return give(call, slg_value_float(to_float(&call->arguments[0])));
}

/* Two's complement wraps, as in Go. */
static bool fn_add(struct slg_call *call)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < call->count; i++)
        sum += (uint64_t)to_int(&call->arguments[i]);
    return give(call, slg_value_int64((int64_t)sum));
}

static bool fn_sub(struct slg_call *call)
{
    return give(call, slg_value_int64((int64_t)((uint64_t)to_int(&call->arguments[0]) -
                                                (uint64_t)to_int(&call->arguments[1]))));
}

static bool fn_mul(struct slg_call *call)
{
    uint64_t product = (uint64_t)to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        product *= (uint64_t)to_int(&call->arguments[i]);
    return give(call, slg_value_int64((int64_t)product));
}

static bool fn_div(struct slg_call *call)
{
    int64_t a = to_int(&call->arguments[0]), b = to_int(&call->arguments[1]);

    if (b == 0)
        return slg_run_fail(call->run, "runtime error: integer divide by zero");
    return give(call, slg_value_int64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b));
}

static bool fn_mod(struct slg_call *call)
{
    int64_t a = to_int(&call->arguments[0]), b = to_int(&call->arguments[1]);

    if (b == 0)
        return slg_run_fail(call->run, "runtime error: integer divide by zero");
    return give(call, slg_value_int64(b == -1 ? 0 : a % b));
}

static bool fn_max(struct slg_call *call)
{
    int64_t best = to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        if (to_int(&call->arguments[i]) > best)
            best = to_int(&call->arguments[i]);
    return give(call, slg_value_int64(best));
}

static bool fn_min(struct slg_call *call)
{
    int64_t best = to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        if (to_int(&call->arguments[i]) < best)
            best = to_int(&call->arguments[i]);
    return give(call, slg_value_int64(best));
}

static bool fn_maxf(struct slg_call *call)
{
    double best = to_float(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        best = fmax(best, to_float(&call->arguments[i]));
    return give(call, slg_value_float(best));
}

static bool fn_minf(struct slg_call *call)
{
    double best = to_float(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        best = fmin(best, to_float(&call->arguments[i]));
    return give(call, slg_value_float(best));
}

/* A double as its shortest decimal: digits * 10^exponent, as shopspring/decimal NewFromFloat sees it. */
__extension__ typedef __int128 wide_int;
__extension__ typedef unsigned __int128 wide_uint;

struct decimal {
    wide_int digits;
    int exponent;
};

static bool to_decimal(double value, struct decimal *ret)
{
    char text[SLG_CONVERT_TEXT_BYTES_MAX];
    size_t len;
    bool negative = false, dot = false;

    if (!isfinite(value) || fabs(value) >= 1e22 || (value != 0 && fabs(value) < 1e-22))
        return false;
    len = slg_convert_print_float_plain(value, text);
    ret->digits = 0;
    ret->exponent = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            negative = true;
        else if (text[i] == '.')
            dot = true;
        else {
            ret->digits = ret->digits * 10 + (text[i] - '0');
            ret->exponent -= dot;
        }
    }
    if (negative)
        ret->digits = -ret->digits;
    return true;
}

static double from_decimal(struct decimal d)
{
    char digits[48], text[64];
    bool negative = d.digits < 0;
    wide_uint magnitude = negative ? (wide_uint)0 - (wide_uint)d.digits : (wide_uint)d.digits;
    size_t n = sizeof(digits);

    do {
        digits[--n] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0);
    (void)snprintf(text, sizeof(text), "%s%.*se%d", negative ? "-" : "", (int)(sizeof(digits) - n),
                   digits + n, d.exponent);
    return strtod(text, NULL);
}

static bool scale_to(struct decimal *d, int exponent)
{
    while (d->exponent > exponent) {
        if (__builtin_mul_overflow(d->digits, 10, &d->digits))
            return false;
        d->exponent--;
    }
    return true;
}

/* a op b in decimal: 0.1 + 0.2 is 0.3. Numbers out of its range are computed in binary. */
static double decimal_op(double a, double b, char op)
{
    struct decimal x, y, z;

    if (!to_decimal(a, &x) || !to_decimal(b, &y))
        goto binary;
    if (op == '*') {
        z.exponent = x.exponent + y.exponent;
        if (!__builtin_mul_overflow(x.digits, y.digits, &z.digits))
            return from_decimal(z);
        goto binary;
    }
    if (!scale_to(&x, y.exponent) || !scale_to(&y, x.exponent))
        goto binary;
    z.exponent = x.exponent;
    if (op == '+' ? !__builtin_add_overflow(x.digits, y.digits, &z.digits)
                  : !__builtin_sub_overflow(x.digits, y.digits, &z.digits))
        return from_decimal(z);
binary:
    return op == '*' ? a * b : op == '+' ? a + b : a - b;
}

/* 16 digits behind the point, halves away from zero: decimal.Div. */
static double decimal_div(double a, double b)
{
    struct decimal x, y, z;
    wide_int rest;

    if (!to_decimal(a, &x) || !to_decimal(b, &y) || !scale_to(&x, y.exponent - 16) || y.digits == 0)
        return a / b;
    while (x.exponent < y.exponent - 16) { /* more places than wanted */
        if (__builtin_mul_overflow(y.digits, 10, &y.digits))
            return a / b;
        y.exponent--;
    }
    z.digits = x.digits / y.digits;
    z.exponent = -16;
    rest = x.digits % y.digits;
    rest = rest < 0 ? -rest : rest;
    if (rest * 2 >= (y.digits < 0 ? -y.digits : y.digits))
        z.digits += (x.digits < 0) != (y.digits < 0) ? -1 : 1;
    return from_decimal(z);
}

static bool fold_decimal(struct slg_call *call, double first, size_t from, char op)
{
    double value = first;

    for (size_t i = from; i < call->count; i++) {
        double with = to_float(&call->arguments[i]);

        if (op == '/' && with == 0)
            return slg_run_fail(call->run, "decimal division by 0");
        value = op == '/' ? decimal_div(value, with) : decimal_op(value, with, op);
    }
    return give(call, slg_value_float(value));
}

static bool fn_addf(struct slg_call *call)
{
    return fold_decimal(call, 0, 0, '+');
}

static bool fn_subf(struct slg_call *call)
{
    return fold_decimal(call, to_float(&call->arguments[0]), 1, '-');
}

static bool fn_mulf(struct slg_call *call)
{
    return fold_decimal(call, to_float(&call->arguments[0]), 1, '*');
}

static bool fn_divf(struct slg_call *call)
{
    return fold_decimal(call, to_float(&call->arguments[0]), 1, '/');
}

static bool fn_ceil(struct slg_call *call)
{
    return give(call, slg_value_float(ceil(to_float(&call->arguments[0]))));
}

static bool fn_floor(struct slg_call *call)
{
    return give(call, slg_value_float(floor(to_float(&call->arguments[0]))));
}

static bool fn_round(struct slg_call *call)
{
    double on = call->count > 2 ? call->arguments[2].number : 0.5;
    double power = pow(10, (double)call->arguments[1].integer);
    double digit = power * to_float(&call->arguments[0]), whole;

    return give(call,
                slg_value_float((modf(digit, &whole) >= on ? ceil(digit) : floor(digit)) / power));
}

static bool fn_bytes(struct slg_call *call)
{
    struct slg_text text = text_at(call, 0);
    uint64_t bytes;

    if (!slg_convert_bytes(text, &bytes))
        return slg_run_fail(call->run, "strconv.ParseFloat: parsing \"%.*s\": invalid syntax",
                            (int)(text.len > 100 ? 100 : text.len), text.at);
    return give(call, slg_value_float((double)bytes));
}

static bool fn_duration(struct slg_call *call)
{
    struct slg_text text = text_at(call, 0);
    int64_t ns;

    if (!slg_convert_duration(text, &ns))
        return slg_run_fail(call->run, "time: invalid duration \"%.*s\"",
                            (int)(text.len > 100 ? 100 : text.len), text.at);
    /* Duration.Seconds(): whole seconds first. NOLINTNEXTLINE(bugprone-integer-division) */
    return give(call, slg_value_float((double)(ns / 1000000000) + (double)(ns % 1000000000) / 1e9));
}

/* ---- comparing ---- */

enum basic { BASIC_NONE, BASIC_BOOL, BASIC_INT, BASIC_FLOAT, BASIC_STRING };

static enum basic basic_kind(const struct slg_value *value)
{
    switch (value->kind) {
    case SLG_VALUE_STRING:
        return BASIC_STRING;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
    case SLG_VALUE_MONTH:
    case SLG_VALUE_WEEKDAY:
        return BASIC_INT;
    case SLG_VALUE_FLOAT:
        return BASIC_FLOAT;
    case SLG_VALUE_BOOL:
        return BASIC_BOOL;
    case SLG_VALUE_NIL:
    case SLG_VALUE_TIME:
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
    case SLG_VALUE_LABELS:
        break;
    }
    return BASIC_NONE;
}

static bool are_equal(struct slg_run *run, const struct slg_value *a, const struct slg_value *b,
                      bool *ret)
{
    enum basic kind = basic_kind(a);

    if (a->kind == SLG_VALUE_NIL || b->kind == SLG_VALUE_NIL) {
        *ret = a->kind == b->kind;
        return true;
    }
    if (a->kind == SLG_VALUE_TIME && b->kind == SLG_VALUE_TIME) {
        *ret = a->time.seconds == b->time.seconds && a->time.nanoseconds == b->time.nanoseconds;
        return true;
    }
    if (kind == BASIC_NONE || basic_kind(b) == BASIC_NONE)
        return slg_run_fail(run, "non-comparable type %s",
                            slg_value_type_name(kind == BASIC_NONE ? a : b));
    if (kind != basic_kind(b))
        return slg_run_fail(run, "incompatible types for comparison");
    *ret = kind == BASIC_STRING  ? slg_text_equal(a->text, b->text)
           : kind == BASIC_BOOL  ? a->truth == b->truth
           : kind == BASIC_FLOAT ? a->number == b->number
                                 : a->integer == b->integer;
    return true;
}

static bool is_less(struct slg_run *run, const struct slg_value *a, const struct slg_value *b,
                    bool *ret)
{
    enum basic kind = basic_kind(a);

    if (kind == BASIC_NONE || kind == BASIC_BOOL || basic_kind(b) == BASIC_NONE)
        return slg_run_fail(run, "invalid type for comparison");
    if (kind != basic_kind(b))
        return slg_run_fail(run, "incompatible types for comparison");
    *ret = kind == BASIC_STRING  ? slg_text_compare(a->text, b->text) < 0
           : kind == BASIC_FLOAT ? a->number < b->number
                                 : a->integer < b->integer;
    return true;
}

static bool fn_eq(struct slg_call *call)
{
    bool equal = false;

    if (call->count < 2)
        return slg_run_fail(call->run, "missing argument for comparison");
    for (size_t i = 1; i < call->count && !equal; i++)
        if (!are_equal(call->run, &call->arguments[0], &call->arguments[i], &equal))
            return false;
    return give(call, slg_value_bool(equal));
}

static bool fn_ne(struct slg_call *call)
{
    bool equal = false;

    return are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           give(call, slg_value_bool(!equal));
}

static bool fn_lt(struct slg_call *call)
{
    bool less = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           give(call, slg_value_bool(less));
}

static bool fn_le(struct slg_call *call)
{
    bool less = false, equal = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           give(call, slg_value_bool(less || equal));
}

static bool fn_gt(struct slg_call *call)
{
    bool less = false, equal = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           are_equal(call->run, &call->arguments[0], &call->arguments[1], &equal) &&
           give(call, slg_value_bool(!less && !equal));
}

static bool fn_ge(struct slg_call *call)
{
    bool less = false;

    return is_less(call->run, &call->arguments[0], &call->arguments[1], &less) &&
           give(call, slg_value_bool(!less));
}

static bool fn_not(struct slg_call *call)
{
    return give(call, slg_value_bool(!slg_value_is_true(&call->arguments[0])));
}

static bool fn_default(struct slg_call *call)
{
    size_t chosen = call->count > 1 && slg_value_is_true(&call->arguments[1]) ? 1 : 0;

    return give(call, call->arguments[chosen]);
}

/* ---- collections ---- */

static bool fn_len(struct slg_call *call)
{
    struct slg_value *value = &call->arguments[0], labels;

    switch (value->kind) {
    case SLG_VALUE_STRING:
        return give(call, slg_value_int((int64_t)value->text.len));
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
        return give(call, slg_value_int((int64_t)value->list.count));
    case SLG_VALUE_LABELS:
        return slg_value_labels(call->run, &labels) &&
               give(call, slg_value_int((int64_t)labels.list.count));
    default:
        return slg_run_fail(call->run, "len of type %s", slg_value_type_name(value));
    }
}

static bool index_once(struct slg_run *run, struct slg_value *value, const struct slg_value *index)
{
    bool is_int = index->kind == SLG_VALUE_INT || index->kind == SLG_VALUE_INT64;

    if (value->kind == SLG_VALUE_LABELS || value->kind == SLG_VALUE_MAP) {
        struct slg_field field = { 0 };
        struct slg_value from = *value;

        if (index->kind != SLG_VALUE_STRING)
            return slg_run_fail(run, "value has type %s; should be string",
                                slg_value_type_name(index));
        field.name = index->text;
        return slg_value_field(run, &from, &field, value);
    }
    if (value->kind != SLG_VALUE_LIST && value->kind != SLG_VALUE_STRING)
        return slg_run_fail(run, "can't index item of type %s", slg_value_type_name(value));
    if (!is_int)
        return slg_run_fail(run, "cannot index slice/array with type %s",
                            slg_value_type_name(index));
    if (index->integer < 0 ||
        (uint64_t)index->integer >=
            (value->kind == SLG_VALUE_LIST ? value->list.count : value->text.len))
        return slg_run_fail(run, "index out of range: %lld", (long long)index->integer);
    *value = value->kind == SLG_VALUE_LIST ? value->list.items[index->integer]
                                           : slg_value_int((uint8_t)value->text.at[index->integer]);
    return true;
}

static bool fn_index(struct slg_call *call)
{
    struct slg_value value = call->arguments[0];

    for (size_t i = 1; i < call->count; i++)
        if (!index_once(call->run, &value, &call->arguments[i]))
            return false;
    return give(call, value);
}

static bool fn_slice(struct slg_call *call)
{
    struct slg_value value = call->arguments[0];
    size_t len = value.kind == SLG_VALUE_LIST ? value.list.count : value.text.len;
    int64_t bounds[2] = { 0, (int64_t)len };

    if (value.kind != SLG_VALUE_LIST && value.kind != SLG_VALUE_STRING)
        return slg_run_fail(call->run, "can't slice item of type %s", slg_value_type_name(&value));
    if (call->count > 3)
        return slg_run_fail(call->run, "too many slice indexes: %zu", call->count - 1);
    for (size_t i = 1; i < call->count; i++) {
        const struct slg_value *bound = &call->arguments[i];

        if (bound->kind != SLG_VALUE_INT && bound->kind != SLG_VALUE_INT64)
            return slg_run_fail(call->run, "cannot index slice/array with type %s",
                                slg_value_type_name(bound));
        if (bound->integer < 0 || bound->integer > (int64_t)len)
            return slg_run_fail(call->run, "index out of range: %lld", (long long)bound->integer);
        bounds[i - 1] = bound->integer;
    }
    if (bounds[0] > bounds[1])
        return slg_run_fail(call->run, "invalid slice index: %lld > %lld", (long long)bounds[0],
                            (long long)bounds[1]);
    if (value.kind == SLG_VALUE_STRING)
        return give_text(call, value.text.at + bounds[0], (size_t)(bounds[1] - bounds[0]));
    value.list.items += bounds[0];
    value.list.count = (size_t)(bounds[1] - bounds[0]);
    return give(call, value);
}

static bool fn_from_json(struct slg_call *call)
{
    struct slg_value value = { 0 };

    if (!slg_value_from_json(call->run, text_at(call, 0), &value)) {
        if (call->run->error[0] != '\0')
            return false;
        memset(&value, 0, sizeof(value));
    }
    return give(call, value);
}

/* ---- time ---- */

static bool find_zone(struct slg_call *call, struct slg_text name, const struct slg_zone **ret)
{
    struct slg_template *tmpl = call->run->tmpl;
    struct slg_zone *zone;

    *ret = NULL;
    if (name.len == 0 || slg_text_equal_to(name, "UTC") || slg_text_equal_to(name, "Local"))
        return true;
    for (size_t i = 0; i < tmpl->zone_count; i++)
        if (slg_text_equal_to(name, tmpl->zones[i]->name)) {
            *ret = tmpl->zones[i];
            return true;
        }
    if (tmpl->zone_count == SLG_TEMPLATE_ZONE_COUNT_MAX)
        return slg_run_fail(call->run, "template names more than %d zones",
                            SLG_TEMPLATE_ZONE_COUNT_MAX);
    zone = malloc(sizeof(*zone));
    if (zone == NULL)
        return slg_run_fail(call->run, "out of memory");
    if (!slg_zone_load(name, zone)) {
        free(zone); /* unknown: UTC */
        return true;
    }
    tmpl->zones[tmpl->zone_count++] = zone;
    *ret = zone;
    return true;
}

static bool give_time(struct slg_call *call, struct slg_go_time time)
{
    struct slg_value value = { .kind = SLG_VALUE_TIME };

    value.time = time;
    return give(call, value);
}

static struct slg_go_time time_of_ns(int64_t ns)
{
    int64_t seconds = ns / 1000000000;
    int64_t rest = ns % 1000000000;

    return rest < 0 ? slg_go_time_utc(seconds - 1, (int32_t)(rest + 1000000000))
                    : slg_go_time_utc(seconds, (int32_t)rest);
}

static bool format_time(struct slg_call *call, const struct slg_go_time *time,
                        struct slg_text layout)
{
    /* One byte of layout gives at most 9 ("Jan" -> a month, "Z07:00:00"...), so this always fits. */
    size_t capacity = layout.len * 9 + 16;
    char *out;

    if (!slg_run_alloc(call->run, capacity, &out))
        return false;
    return give_text(call, out, slg_go_time_format(time, layout, out, capacity));
}

static bool fn_date(struct slg_call *call)
{
    const struct slg_value *when = &call->arguments[1];
    struct slg_go_time time = time_of_ns(call->run->context->now_ns);

    if (when->kind == SLG_VALUE_TIME)
        time = slg_go_time_in(when->time, NULL);
    else if (when->kind == SLG_VALUE_INT || when->kind == SLG_VALUE_INT64)
        time = slg_go_time_utc(when->integer, 0);
    return format_time(call, &time, text_at(call, 0));
}

static bool parse_date(struct slg_call *call, struct slg_text layout, const struct slg_zone *zone,
                       struct slg_text text)
{
    struct slg_go_time time;

    if (!slg_go_time_parse(layout, text, zone, &time))
        time = slg_go_time_zero();
    return give_time(call, time);
}

static bool fn_to_date(struct slg_call *call)
{
    return parse_date(call, text_at(call, 0), NULL, text_at(call, 1));
}

static bool fn_to_date_in_zone(struct slg_call *call)
{
    const struct slg_zone *zone;

    return find_zone(call, text_at(call, 1), &zone) &&
           parse_date(call, text_at(call, 0), zone, text_at(call, 2));
}

static bool fn_now(struct slg_call *call)
{
    return give_time(call, time_of_ns(call->run->context->now_ns));
}

static bool fn_timestamp(struct slg_call *call)
{
    return give_time(call, time_of_ns(call->run->context->ts_ns));
}

static bool fn_line(struct slg_call *call)
{
    return give(call, slg_value_text(call->run->context->line));
}

static bool give_number_text(struct slg_call *call, int64_t number)
{
    struct slg_builder builder = { .run = call->run };
    char text[32];

    slg_builder_append(&builder, text,
                       (size_t)snprintf(text, sizeof(text), "%lld", (long long)number));
    return give_builder(call, &builder);
}

/* Wraps where the time does not fit, as in Go. */
static int64_t scaled(const struct slg_go_time *time, int64_t per_second)
{
    return (int64_t)((uint64_t)time->seconds * (uint64_t)per_second +
                     (uint64_t)(time->nanoseconds / (1000000000 / per_second)));
}

static bool fn_unix_epoch(struct slg_call *call)
{
    return give_number_text(call, call->arguments[0].time.seconds);
}

static bool fn_unix_epoch_millis(struct slg_call *call)
{
    return give_number_text(call, scaled(&call->arguments[0].time, 1000));
}

static bool fn_unix_epoch_nanos(struct slg_call *call)
{
    return give_number_text(call, scaled(&call->arguments[0].time, 1000000000));
}

static bool fn_unix_to_time(struct slg_call *call)
{
    struct slg_text text = text_at(call, 0);
    int64_t number;

    if (!slg_convert_int(text, &number))
        return slg_run_fail(call->run,
                            "unable to parse time '%.*s': strconv.ParseInt: parsing \"%.*s\": "
                            "invalid syntax",
                            (int)(text.len > 60 ? 60 : text.len), text.at,
                            (int)(text.len > 60 ? 60 : text.len), text.at);
    switch (text.len) {
    case 5:
        return give_time(call, slg_go_time_utc(number * 86400, 0));
    case 10:
        return give_time(call, slg_go_time_utc(number, 0));
    case 13:
        return give_time(call, time_of_ns(number * 1000000));
    case 16:
        return give_time(call, time_of_ns(number * 1000));
    case 19:
        return give_time(call, time_of_ns(number));
    default:
        return slg_run_fail(call->run, "unable to parse time '%.*s': %%!w(<nil>)", (int)text.len,
                            text.at);
    }
}

static bool number_method(const struct slg_go_time *time, const struct slg_civil *civil,
                          struct slg_text name, struct slg_value *ret)
{
    const struct {
        const char *name;
        int64_t value;
        bool is_int64;
    } methods[] = {
        { "Year", civil->year, false },
        { "Day", civil->day, false },
        { "Hour", civil->hour, false },
        { "Minute", civil->minute, false },
        { "Second", civil->second, false },
        { "Nanosecond", time->nanoseconds, false },
        { "YearDay", civil->year_day, false },
        { "Unix", time->seconds, true },
        { "UnixMilli", scaled(time, 1000), true },
        { "UnixMicro", scaled(time, 1000000), true },
        { "UnixNano", scaled(time, 1000000000), true },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(methods); i++)
        if (slg_text_equal_to(name, methods[i].name)) {
            *ret = methods[i].is_int64 ? slg_value_int64(methods[i].value)
                                       : slg_value_int(methods[i].value);
            return true;
        }
    return false;
}

static bool compare_method(struct slg_call *call, const struct slg_go_time *time,
                           struct slg_text name, bool *found)
{
    const struct slg_go_time *other;
    int order;

    *found = slg_text_equal_to(name, "Before") || slg_text_equal_to(name, "After") ||
             slg_text_equal_to(name, "Equal");
    if (!*found)
        return true;
    if (call->count != 1 || call->arguments[0].kind != SLG_VALUE_TIME)
        return slg_run_fail(call->run, "wrong type for value; expected time.Time");
    other = &call->arguments[0].time;
    order = time->seconds != other->seconds ? (time->seconds < other->seconds ? -1 : 1)
                                            : (time->nanoseconds > other->nanoseconds) -
                                                  (time->nanoseconds < other->nanoseconds);
    return give(call, slg_value_bool(name.at[0] == 'B'   ? order < 0
                                     : name.at[0] == 'A' ? order > 0
                                                         : order == 0));
}

bool slg_time_method(struct slg_call *call, const struct slg_go_time *time, struct slg_text name,
                     bool *found)
{
    struct slg_civil civil = slg_go_time_civil(time);
    struct slg_go_time zero = slg_go_time_zero();

    if (!compare_method(call, time, name, found) || *found)
        return *found && call->run->error[0] == '\0';
    *found = true;
    if (slg_text_equal_to(name, "Format")) {
        if (call->count != 1 || call->arguments[0].kind != SLG_VALUE_STRING)
            return slg_run_fail(call->run, "wrong number of args for Format: want 1 got %zu",
                                call->count);
        return format_time(call, time, text_at(call, 0));
    }
    if (call->count > 0)
        return slg_run_fail(call->run, "wrong number of args: want 0 got %zu", call->count);
    if (number_method(time, &civil, name, call->ret))
        return true;
    if (slg_text_equal_to(name, "UTC") || slg_text_equal_to(name, "Local"))
        return give_time(call, slg_go_time_in(*time, NULL));
    if (slg_text_equal_to(name, "String"))
        return format_time(call, time, slg_text_of(SLG_GO_TIME_STRING_LAYOUT));
    if (slg_text_equal_to(name, "IsZero"))
        return give(call, slg_value_bool(time->seconds == zero.seconds && time->nanoseconds == 0));
    if (slg_text_equal_to(name, "Month")) {
        *call->ret = slg_value_int(civil.month);
        call->ret->kind = SLG_VALUE_MONTH;
        return true;
    }
    if (slg_text_equal_to(name, "Weekday")) {
        *call->ret = slg_value_int(civil.weekday);
        call->ret->kind = SLG_VALUE_WEEKDAY;
        return true;
    }
    *found = false;
    return true;
}

/* ---- labels ---- */

static bool get_label(struct slg_context *context, struct slg_symbol *symbol, struct slg_text *ret)
{
    if (slg_text_equal_to(symbol->name, "__error__") && context->error.len > 0) {
        *ret = context->error;
        return true;
    }
    if (slg_text_equal_to(symbol->name, "__error_details__") && context->error_details.len > 0) {
        *ret = context->error_details;
        return true;
    }
    return slg_context_get(context, symbol, ret);
}

bool slg_value_field(struct slg_run *run, const struct slg_value *from,
                     const struct slg_field *field, struct slg_value *ret)
{
    struct slg_symbol *symbol = field->symbol;
    struct slg_text text;

    memset(ret, 0, sizeof(*ret));
    switch (from->kind) {
    case SLG_VALUE_NIL:
        return true;
    case SLG_VALUE_LABELS:
        if (symbol == NULL)
            symbol = slg_context_symbol(run->context, field->name);
        if (symbol == NULL)
            return slg_run_fail(run, "template needs too much memory");
        (void)get_label(run->context, symbol, &text); /* missing = empty */
        *ret = slg_value_text(text);
        return true;
    case SLG_VALUE_MAP:
        for (size_t i = 0; i < from->list.count; i++)
            if (slg_text_equal(from->list.keys[i], field->name))
                *ret = from->list.items[i];
        return slg_run_spend(run, from->list.count * 8);
    default:
        return slg_run_fail(run, "can't evaluate field %.*s in type %s",
                            (int)(field->name.len > 60 ? 60 : field->name.len), field->name.at,
                            slg_value_type_name(from));
    }
}

static void insert_label(struct slg_text *keys, struct slg_value *items, size_t *count,
                         struct slg_text name, struct slg_text value)
{
    size_t at = *count;

    for (; at > 0 && slg_text_compare(keys[at - 1], name) > 0; at--) {
        keys[at] = keys[at - 1];
        items[at] = items[at - 1];
    }
    keys[at] = name;
    items[at] = slg_value_text(value);
    (*count)++;
}

bool slg_value_labels(struct slg_run *run, struct slg_value *ret)
{
    struct slg_context *context = run->context;
    const struct slg_pipe_stream *stream = context->stream;
    size_t capacity = stream->labels.count + context->live_count + 2, count = 0;
    char *keys_memory, *items_memory;
    struct slg_text *keys, value;
    struct slg_value *items;

    if (!slg_run_spend(run, capacity * capacity) ||
        !slg_run_alloc(run, capacity * sizeof(*keys), &keys_memory) ||
        !slg_run_alloc(run, capacity * sizeof(*items), &items_memory))
        return false;
    keys = (void *)keys_memory;
    items = (void *)items_memory;
    for (size_t i = 0; i < stream->labels.count; i++)
        if (slg_context_get(context, stream->symbols[i], &value) &&
            stream->symbols[i]->item == SLG_CONTEXT_NO_ITEM)
            insert_label(keys, items, &count, stream->symbols[i]->name, value);
    for (size_t i = 0; i < context->item_count; i++)
        if (context->items[i].live)
            insert_label(keys, items, &count, context->items[i].symbol->name,
                         context->items[i].value);
    if (context->error.len > 0)
        insert_label(keys, items, &count, slg_text_of("__error__"), context->error);
    if (context->error_details.len > 0)
        insert_label(keys, items, &count, slg_text_of("__error_details__"), context->error_details);
    memset(ret, 0, sizeof(*ret));
    ret->kind = SLG_VALUE_MAP;
    ret->list.items = items;
    ret->list.keys = keys;
    ret->list.count = count;
    return true;
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Go's own; and, or: the evaluator. */
    { "and", "a*", NULL },
    { "or", "a*", NULL },
    { "not", "a", fn_not },
    { "eq", "aa*", fn_eq },
    { "ne", "aa", fn_ne },
    { "lt", "aa", fn_lt },
    { "le", "aa", fn_le },
    { "gt", "aa", fn_gt },
    { "ge", "aa", fn_ge },
    { "len", "a", fn_len },
    { "index", "aa*", fn_index },
    { "slice", "aa*", fn_slice },
    { "html", "a*", fn_html },
    { "js", "a*", fn_js },
    { "urlquery", "a*", fn_urlquery },
    { "print", "a*", slg_value_print },
    { "printf", "sa*", slg_value_printf },
    { "println", "a*", slg_value_println },
    /* Loki's. */
    { "__line__", "", fn_line },
    { "__timestamp__", "", fn_timestamp },
    { "ToLower", "s", fn_lower },
    { "ToUpper", "s", fn_upper },
    { "Replace", "sssi", fn_old_replace },
    { "Trim", "ss", fn_old_trim },
    { "TrimLeft", "ss", fn_old_trim_left },
    { "TrimRight", "ss", fn_old_trim_right },
    { "TrimPrefix", "ss", fn_old_trim_prefix },
    { "TrimSuffix", "ss", fn_old_trim_suffix },
    { "TrimSpace", "s", fn_trim_space },
    { "regexReplaceAll", "sss", fn_regex_replace },
    { "regexReplaceAllLiteral", "sss", fn_regex_replace_literal },
    { "count", "ss", fn_count },
    { "urldecode", "s", fn_urldecode },
    { "urlencode", "s", fn_urlencode },
    { "bytes", "s", fn_bytes },
    { "duration", "s", fn_duration },
    { "duration_seconds", "s", fn_duration },
    { "unixEpochMillis", "t", fn_unix_epoch_millis },
    { "unixEpochNanos", "t", fn_unix_epoch_nanos },
    { "toDateInZone", "sss", fn_to_date_in_zone },
    { "unixToTime", "s", fn_unix_to_time },
    { "alignLeft", "is", fn_align_left },
    { "alignRight", "is", fn_align_right },
    /* sprig's, as far as Loki allows them. */
    { "b64enc", "s", fn_b64enc },
    { "b64dec", "s", fn_b64dec },
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
    { "int", "a", fn_int },
    { "float64", "a", fn_float64 },
    { "add", "a*", fn_add },
    { "sub", "aa", fn_sub },
    { "mul", "aa*", fn_mul },
    { "div", "aa", fn_div },
    { "mod", "aa", fn_mod },
    { "addf", "a*", fn_addf },
    { "subf", "aa*", fn_subf },
    { "mulf", "aa*", fn_mulf },
    { "divf", "aa*", fn_divf },
    { "max", "aa*", fn_max },
    { "min", "aa*", fn_min },
    { "maxf", "aa*", fn_maxf },
    { "minf", "aa*", fn_minf },
    { "ceil", "a", fn_ceil },
    { "floor", "a", fn_floor },
    { "round", "aif*", fn_round },
    { "fromJson", "s", fn_from_json },
    { "date", "sa", fn_date },
    { "toDate", "ss", fn_to_date },
    { "now", "", fn_now },
    { "unixEpoch", "t", fn_unix_epoch },
    { "default", "aa*", fn_default },
};

const struct slg_template_function *slg_template_function_find(struct slg_text name)
{
    for (size_t i = 0; i < SLG_ARRAY_LEN(functions); i++)
        if (slg_text_equal_to(name, functions[i].name))
            return &functions[i];
    return NULL;
}
