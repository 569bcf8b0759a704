/* Sprintf of templates: verbs, flags, widths and argument numbers of Go's fmt. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/template_tree.h"

/* Width and precision: fmt's own bound is a million. */
#define PRINTF_WIDTH_MAX 100000

/* What Go's IsPrint says is approximated: control characters and the gaps below U+00A1 are not printable. */
static bool is_printable(uint32_t rune)
{
    return rune >= 0x20 && rune != 0x7F && !(rune >= 0x80 && rune <= 0xA0) && rune != 0xAD &&
           !(rune >= 0x2000 && rune <= 0x200F) && !(rune >= 0x2028 && rune <= 0x202F) &&
           rune != 0xFEFF;
}

static void append_quoted(struct slg_builder *builder, struct slg_text text, bool ascii, char quote)
{
    const char from[] = { '\a', '\b', '\f', '\n', '\r', '\t', '\v', '\\', quote, '\0' };
    const char to[] = { 'a', 'b', 'f', 'n', 'r', 't', 'v', '\\', quote };
    size_t step;

    slg_builder_append(builder, &quote, 1);
    for (size_t i = 0; i < text.len && !builder->failed; i += step) {
        const uint8_t *at = (const uint8_t *)text.at + i;
        char escape[16];
        uint32_t rune;
        bool good = slg_utf8_decode(at, text.len - i, &rune, &step);
        const char *found = rune == 0 || rune > 127 ? NULL : strchr(from, (int)rune);

        if (!good) {
            step = 1;
            slg_builder_append(builder, escape,
                               (size_t)snprintf(escape, sizeof(escape), "\\x%02x", *at));
        } else if (found != NULL) {
            escape[0] = '\\';
            escape[1] = to[found - from];
            slg_builder_append(builder, escape, 2);
        } else if (is_printable(rune) && !(ascii && rune > 126)) {
            slg_builder_append(builder, at, step);
        } else {
            const char *format = rune < 0x20 || rune == 0x7F ? "\\x%02x"
                                 : rune < 0x10000            ? "\\u%04x"
                                                             : "\\U%08x";

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* one of the three above */
            slg_builder_append(builder, escape,
                               (size_t)snprintf(escape, sizeof(escape), format, rune));
#pragma GCC diagnostic pop
        }
    }
    slg_builder_append(builder, &quote, 1);
}

void slg_builder_quote(struct slg_builder *builder, struct slg_text text, bool ascii)
{
    append_quoted(builder, text, ascii, '"');
}

/* ---- verbs ---- */

static void append_repeated(struct slg_builder *builder, char byte, size_t count)
{
    char block[64];

    memset(block, byte, sizeof(block));
    while (count > 0 && !builder->failed) {
        size_t len = count < sizeof(block) ? count : sizeof(block);

        slg_builder_append(builder, block, len);
        count -= len;
    }
}

struct verb {
    bool minus, plus, sharp, space, zero;
    bool has_width, has_precision;
    int width, precision;
    char letter;
};

static bool is_one_of(char letter, const char *letters)
{
    return letter != '\0' && strchr(letters, letter) != NULL;
}

static size_t rune_count(const char *at, size_t len)
{
    size_t count = 0, step;

    for (size_t i = 0; i < len; i += step, count++)
        if (!slg_utf8_check((const uint8_t *)at + i, len - i, &step))
            step = 1;
    return count;
}

/* Text padded to the width, counted in characters. */
static void append_padded(struct slg_builder *builder, const struct verb *verb, const char *text,
                          size_t len, bool zero)
{
    size_t runes = rune_count(text, len);
    size_t pad = verb->has_width && (size_t)verb->width > runes ? (size_t)verb->width - runes : 0;

    if (!verb->minus && !zero)
        append_repeated(builder, ' ', pad);
    if (!verb->minus && zero) {
        if (len > 0 && (*text == '-' || *text == '+')) {
            slg_builder_append(builder, text++, 1);
            len--;
        }
        append_repeated(builder, '0', pad);
    }
    slg_builder_append(builder, text, len);
    if (verb->minus)
        append_repeated(builder, ' ', pad);
}

static void append_bad_verb(struct slg_builder *builder, const struct verb *verb,
                            const struct slg_value *value)
{
    struct slg_value plain;

    slg_builder_text(builder, "%!");
    slg_builder_append(builder, &verb->letter, 1);
    slg_builder_text(builder, "(");
    if (value->kind == SLG_VALUE_NIL) {
        slg_builder_text(builder, "<nil>)");
        return;
    }
    slg_builder_text(builder, slg_value_type_name(value));
    slg_builder_text(builder, "=");
    if (value->kind != SLG_VALUE_TIME && slg_value_has_methods(value)) {
        plain = slg_value_int(value->integer);
        value = &plain;
    }
    slg_builder_inner(builder, value);
    slg_builder_text(builder, ")");
}

/* The value as %v would print it, apart from the output. */
static struct slg_text print_apart(struct slg_run *run, const struct slg_value *value)
{
    struct slg_builder inner = { .run = run };

    slg_builder_inner(&inner, value);
    return slg_text_make(inner.at, inner.len);
}

static struct slg_text cut_runes(struct slg_text text, size_t count)
{
    size_t i = 0, step;

    for (; i < text.len && count > 0; i += step, count--)
        if (!slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step))
            step = 1;
    return slg_text_make(text.at, i);
}

static void append_hex(struct slg_builder *builder, const struct verb *verb, struct slg_text text)
{
    struct slg_builder inner = { .run = builder->run };

    if (verb->has_precision && text.len > (size_t)verb->precision)
        text.len = (size_t)verb->precision;
    for (size_t i = 0; i < text.len && !inner.failed; i++) {
        char hex[4];

        if (i > 0 && verb->space)
            slg_builder_text(&inner, " ");
        if (verb->sharp && (i == 0 || verb->space))
            slg_builder_text(&inner, verb->letter == 'x' ? "0x" : "0X");
        slg_builder_append(&inner, hex,
                           (size_t)(verb->letter == 'x'
                                        ? snprintf(hex, sizeof(hex), "%02x", (uint8_t)text.at[i])
                                        : snprintf(hex, sizeof(hex), "%02X", (uint8_t)text.at[i])));
    }
    append_padded(builder, verb, inner.at, inner.len, verb->zero);
}

/* strconv.CanBackquote */
static bool can_backquote(struct slg_text text)
{
    uint32_t rune;
    size_t step;

    for (size_t i = 0; i < text.len; i += step)
        if (!slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step) ||
            (rune < 0x20 && rune != '\t') || rune == '`' || rune == 0x7F || rune == 0xFEFF)
            return false;
    return true;
}

static void format_string(struct slg_builder *builder, const struct verb *verb,
                          const struct slg_value *value)
{
    struct slg_text text =
        value->kind == SLG_VALUE_STRING ? value->text : print_apart(builder->run, value);
    struct slg_builder inner = { .run = builder->run };

    if (verb->letter == 'x' || verb->letter == 'X') {
        append_hex(builder, verb, text);
        return;
    }
    if (verb->has_precision)
        text = cut_runes(text, (size_t)verb->precision);
    if (verb->letter == 'q' && verb->sharp && can_backquote(text)) {
        slg_builder_text(&inner, "`");
        slg_builder_append(&inner, text.at, text.len);
        slg_builder_text(&inner, "`");
        append_padded(builder, verb, inner.at, inner.len, verb->zero);
    } else if (verb->letter == 'q' || (verb->letter == 'v' && verb->sharp)) {
        slg_builder_quote(&inner, text, verb->plus);
        append_padded(builder, verb, inner.at, inner.len, verb->zero);
    } else {
        append_padded(builder, verb, text.at, text.len, verb->zero);
    }
}

static size_t print_unsigned(uint64_t value, unsigned base, bool upper, char out[72])
{
    char digits[72];
    size_t n = 0;

    do {
        unsigned digit = (unsigned)(value % base);

        digits[n++] = (char)(digit < 10 ? '0' + digit : (upper ? 'A' : 'a') + digit - 10);
        value /= base;
    } while (value > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

/* %c, %q and %U */
static void format_rune(struct slg_builder *builder, const struct verb *verb, int64_t value)
{
    bool is_rune = value >= 0 && value <= 0x10FFFF && !(value >= 0xD800 && value <= 0xDFFF);
    uint32_t rune = is_rune ? (uint32_t)value : 0xFFFD;
    struct slg_builder inner = { .run = builder->run };
    uint8_t utf8[4];
    struct slg_text text = slg_text_make((const char *)utf8, slg_utf8_encode(rune, utf8));
    char code[32];

    if (verb->letter == 'c') {
        slg_builder_append(&inner, text.at, text.len);
    } else if (verb->letter == 'q') {
        append_quoted(&inner, text, verb->plus, '\'');
    } else {
        slg_builder_append(
            &inner, code,
            (size_t)snprintf(code, sizeof(code), "U+%04llX", (unsigned long long)value));
        if (verb->sharp && is_rune && is_printable(rune)) {
            slg_builder_text(&inner, " '");
            slg_builder_append(&inner, text.at, text.len);
            slg_builder_text(&inner, "'");
        }
    }
    append_padded(builder, verb, inner.at, inner.len, false);
}

static void format_integer(struct slg_builder *builder, const struct verb *verb, int64_t value)
{
    char text[160], digits[72];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned base = is_one_of(verb->letter, "xX")   ? 16
                    : is_one_of(verb->letter, "oO") ? 8
                    : verb->letter == 'b'           ? 2
                                                    : 10;
    size_t n = 0, digit_count = print_unsigned(magnitude, base, verb->letter == 'X', digits);
    struct slg_builder inner = { .run = builder->run };

    if (is_one_of(verb->letter, "cqU")) {
        format_rune(builder, verb, value);
        return;
    }
    if (value < 0)
        text[n++] = '-';
    else if (verb->plus)
        text[n++] = '+';
    else if (verb->space)
        text[n++] = ' ';
    if (verb->letter == 'O' || (verb->sharp && is_one_of(verb->letter, "xXb"))) {
        text[n++] = '0';
        text[n++] = verb->letter == 'O' ? 'o' : verb->letter;
    }
    if (verb->sharp && base == 8 && digits[0] != '0')
        text[n++] = '0';
    if (verb->has_precision) {
        slg_builder_append(&inner, text, n);
        if ((size_t)verb->precision > digit_count)
            append_repeated(&inner, '0', (size_t)verb->precision - digit_count);
        slg_builder_append(&inner, digits, digit_count);
        append_padded(builder, verb, inner.at, inner.len, false);
        return;
    }
    memcpy(text + n, digits, digit_count);
    append_padded(builder, verb, text, n + digit_count, verb->zero);
}

/* %b: mantissa and exponent of two; %x, %X: both in hexadecimal, the exponent of at least two digits. Returns the
 * length. */
static size_t print_binary_float(const struct verb *verb, double value, char *out, size_t capacity)
{
    char text[64];
    const char *exponent_at;
    long exponent;
    uint64_t bits;
    size_t len;

    memcpy(&bits, &value, sizeof(bits));
    if (verb->letter == 'b') {
        exponent = (long)(bits >> 52 & 0x7FF);
        bits = (bits & ((UINT64_C(1) << 52) - 1)) | (exponent > 0 ? UINT64_C(1) << 52 : 0);
        return (size_t)snprintf(out, capacity, "%s%llup%+ld", signbit(value) ? "-" : "",
                                (unsigned long long)bits, (exponent > 0 ? exponent : 1) - 1075);
    }
    if (verb->has_precision && verb->precision < 13)
        (void)snprintf(text, sizeof(text), "%.*a", verb->precision, value);
    else
        (void)snprintf(text, sizeof(text), "%a", value);
    exponent_at = strchr(text, 'p');
    SLG_ASSERT(exponent_at != NULL); /* the value is finite */
    exponent = 0;
    for (const char *at = exponent_at + 2; *at != '\0'; at++)
        exponent = exponent * 10 + (*at - '0');
    len = (size_t)snprintf(out, capacity, "%.*sp%c%02ld", (int)(exponent_at - text), text,
                           exponent_at[1], exponent);
    if (verb->letter == 'X')
        for (size_t i = 0; i < len; i++)
            if (out[i] >= 'a' && out[i] <= 'z')
                out[i] = (char)(out[i] - 'a' + 'A');
    return len;
}

/* C's printf has the same digits; only the exponent of %g and the shortest forms differ. */
static void format_float(struct slg_builder *builder, const struct verb *verb, double value)
{
    char text[SLG_CONVERT_TEXT_BYTES_MAX];
    char *copy = text;
    size_t n = 0, capacity = sizeof(text);
    int precision = verb->has_precision ? verb->precision : 6;
    char letter = verb->letter == 'v' ? 'g' : verb->letter == 'F' ? 'f' : verb->letter;

    if (value >= 0 && verb->plus && !isnan(value))
        text[n++] = '+';
    else if (value >= 0 && verb->space)
        text[n++] = ' ';
    if (!isfinite(value)) {
        size_t len = slg_convert_print_float(value, text + n);

        if (n > 0 && text[0] == '+')
            memmove(text, text + 1, len);
        append_padded(builder, verb, text, len, false);
        return;
    }
    if (is_one_of(letter, "bxX")) {
        n += print_binary_float(verb, value, text + n, sizeof(text) - n);
    } else if (letter == 'g' && !verb->has_precision) {
        n += slg_convert_print_float(value, text + n);
    } else {
        char format[] = "%.*f";

        if ((size_t)precision + 400 > capacity) {
            capacity = (size_t)precision + 400;
            if (!slg_run_alloc(builder->run, capacity, &copy)) {
                builder->failed = true;
                return;
            }
            memcpy(copy, text, n);
        }
        format[3] = letter;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* %.*e, f, g, E or G */
        n += (size_t)snprintf(copy + n, capacity - n, format, precision, value);
#pragma GCC diagnostic pop
    }
    append_padded(builder, verb, copy, n, verb->zero);
}

static void format_value(struct slg_builder *builder, const struct verb *verb,
                         const struct slg_value *value);

/* Each key and element by the verb; %#v as Go would write it. */
/* NOLINTNEXTLINE(misc-no-recursion): lists come from fromJson, at most JSON_DEPTH_MAX deep */
static void format_list(struct slg_builder *builder, const struct verb *verb,
                        const struct slg_value *value)
{
    bool is_source = verb->letter == 'v' && verb->sharp;
    const char *type = slg_value_type_name(value);
    struct slg_value list = *value;

    if (value->kind == SLG_VALUE_LABELS && !slg_value_labels(builder->run, &list)) {
        builder->failed = true;
        return;
    }
    slg_builder_text(builder, is_source ? type : list.kind == SLG_VALUE_MAP ? "map" : "");
    slg_builder_text(builder, is_source ? "{" : "[");
    for (size_t i = 0; i < list.list.count && !builder->failed; i++) {
        if (i > 0)
            slg_builder_text(builder, is_source ? ", " : " ");
        if (list.kind == SLG_VALUE_MAP) {
            struct slg_value key = slg_value_text(list.list.keys[i]);

            format_value(builder, verb, &key);
            slg_builder_text(builder, ":");
        }
        if (list.list.items[i].kind == SLG_VALUE_NIL)
            slg_builder_text(builder, is_source ? "interface {}(nil)" : "<nil>");
        else
            format_value(builder, verb, &list.list.items[i]);
    }
    slg_builder_text(builder, is_source ? "}" : "]");
}

/* NOLINTNEXTLINE(misc-no-recursion): as format_list */
static void format_value(struct slg_builder *builder, const struct verb *verb,
                         const struct slg_value *value)
{
    struct verb plain = *verb;

    if (verb->letter == 'T') {
        struct slg_text name = slg_text_of(slg_value_type_name(value));

        append_padded(builder, verb, name.at, name.len, false);
        return;
    }
    switch (value->kind) {
    case SLG_VALUE_STRING:
        if (is_one_of(verb->letter, "svqxX"))
            format_string(builder, verb, value);
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
        if (is_one_of(verb->letter, "dvboOxXcqU"))
            format_integer(builder, verb, value->integer);
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_FLOAT:
        if (is_one_of(verb->letter, "vgGeEfFbxX"))
            format_float(builder, verb, value->number);
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_BOOL:
        if (!is_one_of(verb->letter, "tv")) {
            append_bad_verb(builder, verb, value);
            return;
        }
        break;
    case SLG_VALUE_MONTH:
    case SLG_VALUE_WEEKDAY:
    case SLG_VALUE_DURATION: /* they have String(), but are integers */
        if (is_one_of(verb->letter, "svqxX"))
            break;
        if (is_one_of(verb->letter, "dboOcU"))
            format_integer(builder, verb, value->integer);
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_NIL:
        if (verb->letter == 'v')
            slg_builder_text(builder, "<nil>");
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
    case SLG_VALUE_LABELS:
        format_list(builder, verb, value);
        return;
    case SLG_VALUE_TIME:
        break;
    }
    plain.letter = is_one_of(verb->letter, "sqxX") ? verb->letter : 's';
    format_string(builder, &plain, value);
}

/* ---- the format ---- */

struct format {
    struct slg_text left;
    struct slg_call *call;
    size_t argument;   /* the next */
    bool is_reordered; /* some argument had a number */
    bool is_bad;       /* the verb names an argument that is not there */
};

static char peek(const struct format *f)
{
    return f->left.len > 0 ? *f->left.at : '\0';
}

static void step(struct format *f, size_t len)
{
    f->left = slg_text_make(f->left.at + len, f->left.len - len);
}

/* False: there are no digits, or too many. */
static bool take_number(struct format *f, int *ret)
{
    int value = 0;

    if (peek(f) < '0' || peek(f) > '9')
        return false;
    for (; peek(f) >= '0' && peek(f) <= '9'; step(f, 1))
        if (value <= PRINTF_WIDTH_MAX)
            value = value * 10 + (peek(f) - '0');
    *ret = value;
    return value <= PRINTF_WIDTH_MAX;
}

/* `[3]`: the number of the argument that comes next. True: there was one. */
static bool take_index(struct format *f)
{
    const char *end;
    size_t len;
    int index;

    if (peek(f) != '[')
        return false;
    f->is_reordered = true;
    end = f->left.len < 3 ? NULL : memchr(f->left.at, ']', f->left.len);
    len = end == NULL ? 1 : (size_t)(end - f->left.at) + 1;
    step(f, 1);
    if (end != NULL && take_number(f, &index) && f->left.at == end && index >= 1 &&
        (size_t)index < f->call->count) {
        f->argument = (size_t)index;
        step(f, 1);
        return true;
    }
    f->is_bad = true;
    if (end != NULL)
        step(f, (size_t)(end + 1 - f->left.at));
    return len > 1;
}

/* The argument of a '*'. */
static bool take_star(struct format *f, int *ret)
{
    const struct slg_value *given;

    step(f, 1);
    if (f->argument >= f->call->count)
        return false;
    given = &f->call->arguments[f->argument++];
    if ((given->kind != SLG_VALUE_INT && given->kind != SLG_VALUE_INT64) ||
        given->integer < -PRINTF_WIDTH_MAX || given->integer > PRINTF_WIDTH_MAX)
        return false;
    *ret = (int)given->integer;
    return true;
}

static void take_flags(struct format *f, struct verb *verb)
{
    for (; is_one_of(peek(f), "-+# 0"); step(f, 1)) {
        verb->minus = verb->minus || peek(f) == '-';
        verb->plus = verb->plus || peek(f) == '+';
        verb->sharp = verb->sharp || peek(f) == '#';
        verb->space = verb->space || peek(f) == ' ';
        verb->zero = verb->zero || peek(f) == '0';
    }
}

/* Width and precision, which may be arguments; numbers before what they belong to. */
static void take_sizes(struct format *f, struct verb *verb, struct slg_builder *builder)
{
    bool has_index = take_index(f);

    if (peek(f) == '*') {
        verb->has_width = take_star(f, &verb->width);
        if (!verb->has_width)
            slg_builder_text(builder, "%!(BADWIDTH)");
        has_index = false;
    } else {
        verb->has_width = take_number(f, &verb->width);
        f->is_bad = f->is_bad || (has_index && verb->has_width);
    }
    if (verb->has_width && verb->width < 0) {
        verb->minus = true;
        verb->width = -verb->width;
    }
    verb->zero = verb->zero && !verb->minus;
    if (peek(f) == '.') {
        step(f, 1);
        f->is_bad = f->is_bad || has_index;
        has_index = take_index(f);
        verb->has_precision = true;
        if (peek(f) == '*') {
            verb->has_precision = take_star(f, &verb->precision) && verb->precision >= 0;
            if (!verb->has_precision)
                slg_builder_text(builder, "%!(BADPREC)");
            has_index = false;
        } else if (!take_number(f, &verb->precision)) {
            verb->precision = 0;
        }
    }
    if (!has_index)
        (void)take_index(f);
}

static void append_complaint(struct slg_builder *builder, char letter, const char *complaint)
{
    slg_builder_text(builder, "%!");
    slg_builder_append(builder, &letter, 1);
    slg_builder_text(builder, complaint);
}

/* What stands behind a '%'. */
static void format_verb(struct format *f, struct slg_builder *builder)
{
    struct verb verb = { 0 };

    f->is_bad = false;
    take_flags(f, &verb);
    take_sizes(f, &verb, builder);
    if (f->left.len == 0) {
        slg_builder_text(builder, "%!(NOVERB)");
        return;
    }
    verb.letter = peek(f);
    verb.plus = verb.plus && verb.letter != 'v'; /* "%+v" names the fields of structs */
    step(f, 1);
    if (verb.letter == '%')
        slg_builder_text(builder, "%");
    else if (f->is_bad)
        append_complaint(builder, verb.letter, "(BADINDEX)");
    else if (f->argument >= f->call->count)
        append_complaint(builder, verb.letter, "(MISSING)");
    else
        format_value(builder, &verb, &f->call->arguments[f->argument++]);
}

static void append_extra(struct slg_builder *builder, const struct slg_call *call, size_t from)
{
    slg_builder_text(builder, "%!(EXTRA ");
    for (size_t i = from; i < call->count; i++) {
        slg_builder_text(builder, i > from ? ", " : "");
        if (call->arguments[i].kind != SLG_VALUE_NIL) {
            slg_builder_text(builder, slg_value_type_name(&call->arguments[i]));
            slg_builder_text(builder, "=");
        }
        slg_builder_inner(builder, &call->arguments[i]);
    }
    slg_builder_text(builder, ")");
}

bool slg_value_printf(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct format f = { .left = call->arguments[0].text, .call = call, .argument = 1 };

    while (f.left.len > 0 && !builder.failed) {
        const char *percent = memchr(f.left.at, '%', f.left.len);
        size_t plain = percent == NULL ? f.left.len : (size_t)(percent - f.left.at);

        slg_builder_append(&builder, f.left.at, plain);
        step(&f, plain);
        if (percent == NULL)
            break;
        step(&f, 1);
        format_verb(&f, &builder);
    }
    if (!f.is_reordered && f.argument < call->count)
        append_extra(&builder, call, f.argument);
    *call->ret = slg_value_text(slg_text_make(builder.at, builder.len));
    return !builder.failed;
}
