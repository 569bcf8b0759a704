/* The two text forms of label sets: Go-quoted as Loki reads and shows them, and JSON. Declared in proto/label.h. */
#include "proto/label.h"

#include "base/cursor.h"
#include "base/utf8.h"
#include "proto/limits.h"

/* ---- reading: strconv.Unquote of the Go language specification, section "String literals" ---- */

struct parser {
    struct slg_cursor c;
    const uint8_t *start;
    struct slg_arena *arena;
    struct slg_error *reterr;
};

static enum slg_status refuse(const struct parser *p, const char *what)
{
    return slg_errorf(p->reterr, SLG_MALFORMED, "labels do not parse at byte %zu: %s",
                      (size_t)(p->c.at - p->start) + 1, what);
}

static enum slg_status over_budget(const struct parser *p)
{
    return slg_errorf(p->reterr, SLG_LIMIT, "labels need more memory than the request may use");
}

static void skip_spaces(struct parser *p)
{
    for (;;) {
        int byte = slg_cursor_peek(&p->c);

        if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
            return;
        p->c.at++;
    }
}

static int digit_value(int byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return 16;
}

static bool take_digits(struct slg_cursor *c, unsigned count, unsigned base, uint32_t *ret_value)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned digit = (unsigned)digit_value(slg_cursor_peek(c));

        if (digit >= base)
            return false;
        value = value * base + digit;
        c->at++;
    }
    *ret_value = value;
    return true;
}

/* What follows a backslash, written to out (at most 4 bytes, never more than the escape took). */
static bool take_escape(struct slg_cursor *c, uint8_t *out, size_t *ret_len)
{
    static const char names[] = "abfnrtv\\\"", bytes[] = "\a\b\f\n\r\t\v\\\"";
    int kind = slg_cursor_peek(c);
    const char *found;
    uint32_t value;

    if (kind <= 0)
        return false;
    found = strchr(names, kind);
    *ret_len = 1;
    if (found != NULL) {
        c->at++;
        *out = (uint8_t)bytes[found - names];
        return true;
    }
    if (kind >= '0' && kind <= '7') {
        if (!take_digits(c, 3, 8, &value) || value > 255)
            return false;
        *out = (uint8_t)value;
        return true;
    }
    c->at++;
    if (kind == 'x') {
        if (!take_digits(c, 2, 16, &value))
            return false;
        *out = (uint8_t)value;
        return true;
    }
    if ((kind != 'u' && kind != 'U') || !take_digits(c, kind == 'u' ? 4 : 8, 16, &value) ||
        value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return false;
    *ret_len = slg_utf8_encode(value, out);
    return true;
}

/* The body of a "..." value; the opening quote is taken. */
static enum slg_status take_quoted(struct parser *p, struct slg_text *ret_value)
{
    const uint8_t *end = p->c.at; /* first guess of the closing quote: only for the size */
    uint8_t *value;
    size_t len = 0;

    while (end < p->c.end && *end != '"')
        end += *end == '\\' && p->c.end - end > 1 ? 2 : 1;
    if (end == p->c.end)
        return refuse(p, "a quoted value has no closing quote");
    value = slg_arena_alloc(p->arena, (size_t)(end - p->c.at) + 4);
    if (value == NULL)
        return over_budget(p);
    while (p->c.at < end) {
        uint8_t byte = *p->c.at;
        size_t step = 1;

        if (byte == '\n')
            return refuse(p, "a quoted value has a line end in it");
        p->c.at++;
        if (byte != '\\')
            value[len] = byte;
        else if (!take_escape(&p->c, value + len, &step))
            return refuse(p, "unknown or cut escape in a quoted value");
        len += step;
    }
    if (p->c.at != end)
        return refuse(p, "an escape runs over the closing quote");
    p->c.at++;
    *ret_value = slg_text_make(value, len);
    return SLG_OK;
}

/* The body of a `...` value: as it is, but for carriage returns, which Go drops. */
static enum slg_status take_raw(struct parser *p, struct slg_text *ret_value)
{
    const uint8_t *end = memchr(p->c.at, '`', slg_cursor_left(&p->c));
    uint8_t *value;
    size_t len = 0;

    if (end == NULL)
        return refuse(p, "a raw value has no closing backquote");
    value = slg_arena_alloc(p->arena, (size_t)(end - p->c.at));
    if (value == NULL)
        return over_budget(p);
    for (; p->c.at < end; p->c.at++)
        if (*p->c.at != '\r')
            value[len++] = *p->c.at;
    p->c.at++;
    *ret_value = slg_text_make(value, len);
    return SLG_OK;
}

static bool is_name_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == ':';
}

static enum slg_status take_pair(struct parser *p, struct slg_label *ret_label)
{
    const uint8_t *name = p->c.at;

    while (p->c.at < p->c.end && is_name_byte(*p->c.at))
        p->c.at++;
    ret_label->name = slg_text_make(name, (size_t)(p->c.at - name));
    if (!slg_label_name_valid(ret_label->name))
        return refuse(p, "a label name is expected");
    skip_spaces(p);
    if (!slg_cursor_take_byte(&p->c, '='))
        return refuse(p, "\"=\" is expected");
    skip_spaces(p);
    if (slg_cursor_take_byte(&p->c, '"'))
        return take_quoted(p, &ret_label->value);
    if (slg_cursor_take_byte(&p->c, '`'))
        return take_raw(p, &ret_label->value);
    return refuse(p, "a quoted value is expected");
}

/* Everything between the braces. */
static enum slg_status take_pairs(struct parser *p, struct slg_label *items, size_t *ret_count)
{
    size_t count = 0;

    for (;;) {
        enum slg_status status;

        skip_spaces(p);
        if (slg_cursor_take_byte(&p->c, '}'))
            break;
        if (count == SLG_LABEL_INPUT_COUNT_MAX)
            return refuse(p, "too many labels");
        status = take_pair(p, &items[count]);
        if (status != SLG_OK)
            return status;
        count++;
        skip_spaces(p);
        if (slg_cursor_take_byte(&p->c, ','))
            continue;
        if (!slg_cursor_take_byte(&p->c, '}'))
            return refuse(p, "\",\" or \"}\" is expected");
        break;
    }
    *ret_count = count;
    return SLG_OK;
}

enum slg_status slg_label_parse_pairs(struct slg_arena *arena, struct slg_text text,
                                      struct slg_label **ret_items, size_t *ret_count,
                                      struct slg_error *reterr)
{
    struct parser p = { .c = slg_cursor_make(text.at, text.len),
                        .start = (const uint8_t *)text.at,
                        .arena = arena,
                        .reterr = reterr };
    struct slg_label items[SLG_LABEL_INPUT_COUNT_MAX];
    struct slg_label *kept;
    enum slg_status status;
    size_t count = 0;

    if (text.len > SLG_LABEL_TEXT_BYTES_MAX)
        return slg_errorf(reterr, SLG_MALFORMED, "labels have %zu bytes of text; limit: %zu",
                          text.len, SLG_LABEL_TEXT_BYTES_MAX);
    skip_spaces(&p);
    if (!slg_cursor_take_byte(&p.c, '{'))
        return refuse(&p, "\"{\" is expected");
    status = take_pairs(&p, items, &count);
    if (status != SLG_OK)
        return status;
    skip_spaces(&p);
    if (slg_cursor_left(&p.c) > 0)
        return refuse(&p, "nothing may follow \"}\"");
    kept = slg_arena_alloc(arena, count * sizeof(*kept));
    if (kept == NULL)
        return over_budget(&p);
    if (count > 0)
        memcpy(kept, items, count * sizeof(*kept));
    *ret_items = kept;
    *ret_count = count;
    return SLG_OK;
}

enum slg_status slg_label_parse(struct slg_arena *arena, struct slg_text text,
                                struct slg_label_set *ret_set, struct slg_error *reterr)
{
    struct slg_label *items;
    size_t count;
    enum slg_status status = slg_label_parse_pairs(arena, text, &items, &count, reterr);

    if (status == SLG_OK)
        status = slg_label_normalize(items, count, &count, reterr);
    if (status == SLG_OK)
        *ret_set = (struct slg_label_set){ .items = items, .count = count };
    return status;
}

/* ---- printing ---- */

/* Go escapes what its Unicode tables do not call printable. This is the part that matters for log texts: controls,
 * spaces other than U+0020, invisible format characters, surrogates (not UTF-8 anyhow), private use and
 * noncharacters. Unassigned code points are printed as they are, where Go escapes them. */
static bool is_printable(uint32_t rune)
{
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        { 0x0000, 0x001F },    { 0x007F, 0x00A0 }, { 0x00AD, 0x00AD }, { 0x061C, 0x061C },
        { 0x1680, 0x1680 },    { 0x180E, 0x180E }, { 0x2000, 0x200F }, { 0x2028, 0x202F },
        { 0x205F, 0x206F },    { 0x3000, 0x3000 }, { 0xE000, 0xF8FF }, { 0xFDD0, 0xFDEF },
        { 0xFEFF, 0xFEFF },    { 0xFFF0, 0xFFFB }, { 0xFFFE, 0xFFFF }, { 0xE0000, 0xE00FF },
        { 0xF0000, 0x10FFFF },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(hidden); i++)
        if (rune >= hidden[i].first && rune <= hidden[i].last)
            return false;
    return true;
}

static void append_go_rune(struct slg_buf *out, uint32_t rune)
{
    static const char bytes[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
    const char *found = rune == 0 || rune > 0x7F ? NULL : strchr(bytes, (int)rune);

    if (found != NULL) {
        slg_buf_append_byte(out, '\\');
        slg_buf_append_byte(out, (uint8_t)names[found - bytes]);
    } else if (rune < 0x80) {
        slg_buf_printf(out, "\\x%02x", rune);
    } else if (rune < 0x10000) {
        slg_buf_printf(out, "\\u%04x", rune);
    } else {
        slg_buf_printf(out, "\\U%08x", rune);
    }
}

/* strconv.Quote. */
static void append_go_quoted(struct slg_buf *out, struct slg_text text)
{
    const uint8_t *bytes = (const uint8_t *)text.at;
    size_t step;

    slg_buf_append_byte(out, '"');
    for (size_t at = 0; at < text.len; at += step) {
        uint32_t rune;

        if (!slg_utf8_decode(bytes + at, text.len - at, &rune, &step)) {
            for (size_t i = 0; i < step; i++)
                slg_buf_printf(out, "\\x%02x", bytes[at + i]);
        } else if (rune == '"' || rune == '\\' || !is_printable(rune)) {
            append_go_rune(out, rune);
        } else {
            slg_buf_append(out, bytes + at, step);
        }
    }
    slg_buf_append_byte(out, '"');
}

void slg_label_print(struct slg_buf *out, const struct slg_label_set *set)
{
    slg_buf_append_byte(out, '{');
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            slg_buf_append(out, ", ", 2);
        slg_buf_append(out, set->items[i].name.at, set->items[i].name.len);
        slg_buf_append_byte(out, '=');
        append_go_quoted(out, set->items[i].value);
    }
    slg_buf_append_byte(out, '}');
}

void slg_label_print_json(struct slg_buf *out, const struct slg_label_set *set)
{
    slg_buf_append_byte(out, '{');
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0)
            slg_buf_append_byte(out, ',');
        slg_buf_append_json(out, set->items[i].name.at, set->items[i].name.len);
        slg_buf_append_byte(out, ':');
        slg_buf_append_json(out, set->items[i].value.at, set->items[i].value.len);
    }
    slg_buf_append_byte(out, '}');
}
