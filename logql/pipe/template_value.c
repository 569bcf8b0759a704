/* Values of templates: making, printing (fmt), JSON. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/json.h"
#include "logql/pipe/json_scan.h"
#include "logql/pipe/template_tree.h"

/* Nesting of fromJson: encoding/json allows 10000, a log line has no use for it. */
#define JSON_DEPTH_MAX     100
/* Width and precision of printf: fmt's own bound is a million. */
#define PRINTF_WIDTH_MAX   100000
#define JSON_MEMBERS_FIRST ((size_t)8)

struct slg_value slg_value_text(struct slg_text text)
{
    if (text.at == NULL) /* so that functions may do sums with it */
        text.at = "";
    return (struct slg_value){ .kind = SLG_VALUE_STRING, .text = text };
}

struct slg_value slg_value_int(int64_t integer)
{
    return (struct slg_value){ .kind = SLG_VALUE_INT, .integer = integer };
}

struct slg_value slg_value_int64(int64_t integer)
{
    return (struct slg_value){ .kind = SLG_VALUE_INT64, .integer = integer };
}

struct slg_value slg_value_float(double number)
{
    return (struct slg_value){ .kind = SLG_VALUE_FLOAT, .number = number };
}

struct slg_value slg_value_bool(bool truth)
{
    return (struct slg_value){ .kind = SLG_VALUE_BOOL, .truth = truth };
}

bool slg_value_is_true(const struct slg_value *value)
{
    switch (value->kind) {
    case SLG_VALUE_NIL:
        return false;
    case SLG_VALUE_STRING:
        return value->text.len > 0;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
    case SLG_VALUE_MONTH:
    case SLG_VALUE_WEEKDAY:
        return value->integer != 0;
    case SLG_VALUE_FLOAT:
        return value->number != 0;
    case SLG_VALUE_BOOL:
        return value->truth;
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
        return value->list.count > 0;
    case SLG_VALUE_TIME:
    case SLG_VALUE_LABELS:
        break;
    }
    return true;
}

const char *slg_value_type_name(const struct slg_value *value)
{
    switch (value->kind) {
    case SLG_VALUE_NIL:
        return "<nil>";
    case SLG_VALUE_STRING:
        return "string";
    case SLG_VALUE_INT:
        return "int";
    case SLG_VALUE_INT64:
        return "int64";
    case SLG_VALUE_FLOAT:
        return "float64";
    case SLG_VALUE_BOOL:
        return "bool";
    case SLG_VALUE_TIME:
        return "time.Time";
    case SLG_VALUE_MONTH:
        return "time.Month";
    case SLG_VALUE_WEEKDAY:
        return "time.Weekday";
    case SLG_VALUE_MAP:
        return "map[string]interface {}";
    case SLG_VALUE_LIST:
        return "[]interface {}";
    case SLG_VALUE_LABELS:
        return "map[string]string";
    }
    return "";
}

/* ---- builder ---- */

void slg_builder_append(struct slg_builder *builder, const void *bytes, size_t len)
{
    if (builder->failed || len == 0)
        return;
    if (len > SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX - builder->len ||
        !slg_run_spend(builder->run, len) ||
        !slg_context_grow(builder->run->context, &builder->at, builder->len, &builder->capacity,
                          builder->len + len)) {
        builder->failed = true;
        (void)slg_run_fail(builder->run, "output is larger than %zu bytes",
                           SLG_PIPE_TEMPLATE_OUTPUT_BYTES_MAX);
        return;
    }
    memcpy(builder->at + builder->len, bytes, len);
    builder->len += len;
}

void slg_builder_text(struct slg_builder *builder, const char *text)
{
    slg_builder_append(builder, text, strlen(text));
}

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

static void append_int(struct slg_builder *builder, int64_t value)
{
    char text[32];

    slg_builder_append(builder, text,
                       (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

static void append_float(struct slg_builder *builder, double value)
{
    char text[SLG_CONVERT_TEXT_BYTES_MAX];

    slg_builder_append(builder, text, slg_convert_print_float(value, text));
}

static void append_time(struct slg_builder *builder, const struct slg_go_time *time)
{
    char text[80];

    slg_builder_append(
        builder, text,
        slg_go_time_format(time, slg_text_of(SLG_GO_TIME_STRING_LAYOUT), text, sizeof(text)));
}

/* NOLINTNEXTLINE(misc-no-recursion): lists come from fromJson, at most JSON_DEPTH_MAX deep */
static void append_value(struct slg_builder *builder, const struct slg_value *value, bool inner)
{
    struct slg_value labels;

    switch (value->kind) {
    case SLG_VALUE_NIL:
        slg_builder_text(builder, inner ? "<nil>" : "<no value>");
        break;
    case SLG_VALUE_STRING:
        slg_builder_append(builder, value->text.at, value->text.len);
        break;
    case SLG_VALUE_INT:
    case SLG_VALUE_INT64:
        append_int(builder, value->integer);
        break;
    case SLG_VALUE_FLOAT:
        append_float(builder, value->number);
        break;
    case SLG_VALUE_BOOL:
        slg_builder_text(builder, value->truth ? "true" : "false");
        break;
    case SLG_VALUE_TIME:
        append_time(builder, &value->time);
        break;
    case SLG_VALUE_MONTH:
        slg_builder_text(builder, slg_go_month_name((int)value->integer));
        break;
    case SLG_VALUE_WEEKDAY:
        slg_builder_text(builder, slg_go_weekday_name((int)value->integer));
        break;
    case SLG_VALUE_LABELS:
        if (!slg_value_labels(builder->run, &labels))
            break;
        append_value(builder, &labels, inner);
        break;
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
        slg_builder_text(builder, value->kind == SLG_VALUE_MAP ? "map[" : "[");
        for (size_t i = 0; i < value->list.count && !builder->failed; i++) {
            if (i > 0)
                slg_builder_text(builder, " ");
            if (value->kind == SLG_VALUE_MAP) {
                slg_builder_append(builder, value->list.keys[i].at, value->list.keys[i].len);
                slg_builder_text(builder, ":");
            }
            append_value(builder, &value->list.items[i], /* inner= */ true);
        }
        slg_builder_text(builder, "]");
        break;
    }
}

void slg_builder_value(struct slg_builder *builder, const struct slg_value *value)
{
    append_value(builder, value, /* inner= */ false);
}

/* What Go's IsPrint says is approximated: control characters and the gaps below U+00A1 are not printable. */
static bool is_printable(uint32_t rune)
{
    return rune >= 0x20 && rune != 0x7F && !(rune >= 0x80 && rune <= 0xA0) && rune != 0xAD &&
           !(rune >= 0x2000 && rune <= 0x200F) && !(rune >= 0x2028 && rune <= 0x202F) &&
           rune != 0xFEFF;
}

void slg_builder_quote(struct slg_builder *builder, struct slg_text text, bool ascii)
{
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    size_t step;

    slg_builder_text(builder, "\"");
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
    slg_builder_text(builder, "\"");
}

/* ---- fmt ---- */

struct verb {
    bool minus, plus, sharp, space, zero;
    bool has_width, has_precision;
    int width, precision;
    char letter;
};

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
    slg_builder_text(builder, "%!");
    slg_builder_append(builder, &verb->letter, 1);
    slg_builder_text(builder, "(");
    if (value->kind == SLG_VALUE_NIL) {
        slg_builder_text(builder, "<nil>)");
        return;
    }
    slg_builder_text(builder, slg_value_type_name(value));
    slg_builder_text(builder, "=");
    append_value(builder, value, /* inner= */ true);
    slg_builder_text(builder, ")");
}

/* The value as %v would print it, apart from the output. */
static struct slg_text print_apart(struct slg_run *run, const struct slg_value *value)
{
    struct slg_builder inner = { .run = run };

    append_value(&inner, value, /* inner= */ true);
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

    if (verb->sharp && text.len > 0)
        slg_builder_text(&inner, verb->letter == 'x' ? "0x" : "0X");
    for (size_t i = 0; i < text.len && !inner.failed; i++) {
        char hex[4];

        slg_builder_append(&inner, hex,
                           (size_t)(verb->letter == 'x'
                                        ? snprintf(hex, sizeof(hex), "%02x", (uint8_t)text.at[i])
                                        : snprintf(hex, sizeof(hex), "%02X", (uint8_t)text.at[i])));
    }
    append_padded(builder, verb, inner.at, inner.len, verb->zero);
}

static void format_string(struct slg_builder *builder, const struct verb *verb,
                          const struct slg_value *value)
{
    struct slg_text text =
        value->kind == SLG_VALUE_STRING ? value->text : print_apart(builder->run, value);
    struct slg_builder inner = { .run = builder->run };

    if (verb->has_precision)
        text = cut_runes(text, (size_t)verb->precision);
    if (verb->letter == 'x' || verb->letter == 'X') {
        append_hex(builder, verb, text);
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

static void format_integer(struct slg_builder *builder, const struct verb *verb, int64_t value)
{
    char text[160], digits[72];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    unsigned base = 10;
    size_t n = 0, digit_count;
    const char *prefix = "";
    uint8_t utf8[4];
    struct slg_builder inner = { .run = builder->run };

    switch (verb->letter) {
    case 'b':
        base = 2;
        prefix = verb->sharp ? "0b" : "";
        break;
    case 'o':
    case 'O':
        base = 8;
        prefix = verb->letter == 'O' ? "0o" : verb->sharp ? "0" : "";
        break;
    case 'x':
    case 'X':
        base = 16;
        prefix = !verb->sharp ? "" : verb->letter == 'x' ? "0x" : "0X";
        break;
    case 'c':
        n = slg_utf8_encode(value < 0 || value > 0x10FFFF ? 0xFFFD : (uint32_t)value, utf8);
        append_padded(builder, verb, (const char *)utf8, n, false);
        return;
    case 'U':
        n = (size_t)snprintf(text, sizeof(text), "U+%04llX", (unsigned long long)magnitude);
        append_padded(builder, verb, text, n, false);
        return;
    case 'q':
        n = slg_utf8_encode(value < 0 || value > 0x10FFFF ? 0xFFFD : (uint32_t)value, utf8);
        slg_builder_text(&inner, "'");
        slg_builder_append(&inner, utf8, n);
        slg_builder_text(&inner, "'");
        append_padded(builder, verb, inner.at, inner.len, false);
        return;
    default:
        break;
    }
    if (value < 0)
        text[n++] = '-';
    else if (verb->plus)
        text[n++] = '+';
    else if (verb->space)
        text[n++] = ' ';
    memcpy(text + n, prefix, strlen(prefix));
    n += strlen(prefix);
    digit_count = print_unsigned(magnitude, base, verb->letter == 'X', digits);
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
    if (letter == 'g' && !verb->has_precision) {
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

static bool is_one_of(char letter, const char *letters)
{
    return letter != '\0' && strchr(letters, letter) != NULL;
}

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
        if (is_one_of(verb->letter, "vgGeEfF"))
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
        if (verb->letter == 'd') {
            format_integer(builder, verb, value->integer);
            return;
        }
        break;
    case SLG_VALUE_NIL:
        if (verb->letter == 'v')
            slg_builder_text(builder, "<nil>");
        else
            append_bad_verb(builder, verb, value);
        return;
    case SLG_VALUE_TIME:
    case SLG_VALUE_MAP:
    case SLG_VALUE_LIST:
    case SLG_VALUE_LABELS:
        break;
    }
    plain.letter = is_one_of(verb->letter, "sqxX") ? verb->letter : 's';
    format_string(builder, &plain, value);
}

/* A number or '*' of a verb. */
static bool take_size(struct slg_text *format, struct slg_call *call, size_t *argument, int *ret)
{
    int value = 0;

    if (format->len > 0 && *format->at == '*') {
        *format = slg_text_make(format->at + 1, format->len - 1);
        if (*argument < call->count) {
            const struct slg_value *given = &call->arguments[(*argument)++];

            if ((given->kind == SLG_VALUE_INT || given->kind == SLG_VALUE_INT64) &&
                given->integer >= -PRINTF_WIDTH_MAX && given->integer <= PRINTF_WIDTH_MAX) {
                *ret = (int)given->integer;
                return true;
            }
        }
        return false;
    }
    if (format->len == 0 || *format->at < '0' || *format->at > '9')
        return false;
    while (format->len > 0 && *format->at >= '0' && *format->at <= '9') {
        if (value <= PRINTF_WIDTH_MAX)
            value = value * 10 + (*format->at - '0');
        *format = slg_text_make(format->at + 1, format->len - 1);
    }
    *ret = value;
    return value <= PRINTF_WIDTH_MAX;
}

static struct verb take_verb(struct slg_text *format, struct slg_call *call, size_t *argument)
{
    struct verb verb = { 0 };

    for (; format->len > 0 && is_one_of(*format->at, "-+# 0");
         *format = slg_text_make(format->at + 1, format->len - 1)) {
        verb.minus = verb.minus || *format->at == '-';
        verb.plus = verb.plus || *format->at == '+';
        verb.sharp = verb.sharp || *format->at == '#';
        verb.space = verb.space || *format->at == ' ';
        verb.zero = verb.zero || *format->at == '0';
    }
    verb.has_width = take_size(format, call, argument, &verb.width);
    if (verb.has_width && verb.width < 0) {
        verb.minus = true;
        verb.width = -verb.width;
    }
    verb.zero = verb.zero && !verb.minus;
    if (format->len > 0 && *format->at == '.') {
        *format = slg_text_make(format->at + 1, format->len - 1);
        verb.has_precision = true;
        if (!take_size(format, call, argument, &verb.precision) || verb.precision < 0)
            verb.precision = 0;
    }
    return verb;
}

bool slg_value_printf(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text format = call->arguments[0].text;
    size_t argument = 1;

    while (format.len > 0 && !builder.failed) {
        const char *percent = memchr(format.at, '%', format.len);
        size_t plain = percent == NULL ? format.len : (size_t)(percent - format.at);
        struct verb verb;

        slg_builder_append(&builder, format.at, plain);
        format = slg_text_make(format.at + plain, format.len - plain);
        if (percent == NULL)
            break;
        format = slg_text_make(format.at + 1, format.len - 1);
        verb = take_verb(&format, call, &argument);
        if (format.len == 0) {
            slg_builder_text(&builder, "%!(NOVERB)");
            break;
        }
        verb.letter = *format.at;
        format = slg_text_make(format.at + 1, format.len - 1);
        if (verb.letter == '%') {
            slg_builder_text(&builder, "%");
        } else if (argument >= call->count) {
            slg_builder_text(&builder, "%!");
            slg_builder_append(&builder, &verb.letter, 1);
            slg_builder_text(&builder, "(MISSING)");
        } else {
            format_value(&builder, &verb, &call->arguments[argument++]);
        }
    }
    if (argument < call->count) {
        slg_builder_text(&builder, "%!(EXTRA ");
        for (size_t i = argument; i < call->count; i++) {
            slg_builder_text(&builder, i > argument ? ", " : "");
            if (call->arguments[i].kind != SLG_VALUE_NIL) {
                slg_builder_text(&builder, slg_value_type_name(&call->arguments[i]));
                slg_builder_text(&builder, "=");
            }
            append_value(&builder, &call->arguments[i], /* inner= */ true);
        }
        slg_builder_text(&builder, ")");
    }
    *call->ret = slg_value_text(slg_text_make(builder.at, builder.len));
    return !builder.failed;
}

static bool print_all(struct slg_call *call, bool line)
{
    struct slg_builder builder = { .run = call->run };

    for (size_t i = 0; i < call->count; i++) {
        bool strings = i > 0 && (call->arguments[i].kind == SLG_VALUE_STRING ||
                                 call->arguments[i - 1].kind == SLG_VALUE_STRING);

        if (i > 0 && (line || !strings))
            slg_builder_text(&builder, " ");
        append_value(&builder, &call->arguments[i], /* inner= */ true);
    }
    if (line)
        slg_builder_text(&builder, "\n");
    *call->ret = slg_value_text(slg_text_make(builder.at, builder.len));
    return !builder.failed;
}

bool slg_value_print(struct slg_call *call)
{
    return print_all(call, /* line= */ false);
}

bool slg_value_println(struct slg_call *call)
{
    return print_all(call, /* line= */ true);
}

/* ---- fromJson ---- */

struct json_reader {
    struct slg_run *run;
    struct slg_json_scan scan;
};

static bool read_json(struct json_reader *r, struct slg_value *ret, int depth);

/* A string as encoding/json takes it: no control characters, good escapes, bad UTF-8 replaced. */
static bool read_json_string(struct json_reader *r, struct slg_text *ret)
{
    struct slg_text text;
    bool escaped;
    char *out;
    size_t len;

    if (slg_json_scan_next(&r->scan) != '"' || !slg_json_scan_string(&r->scan, &text, &escaped))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20)
            return false;
    *ret = text;
    if (!escaped)
        return true;
    if (!slg_run_alloc(r->run, text.len + 1, &out) || !slg_json_unescape(text, out, &len))
        return false;
    *ret = slg_text_make(out, len);
    return true;
}

static bool is_json_number(struct slg_text text)
{
    size_t i = 0, start;

    if (i < text.len && text.at[i] == '-')
        i++;
    start = i;
    while (i < text.len && text.at[i] >= '0' && text.at[i] <= '9')
        i++;
    if (i == start || (text.at[start] == '0' && i - start > 1))
        return false;
    if (i < text.len && text.at[i] == '.') {
        for (start = ++i; i < text.len && text.at[i] >= '0' && text.at[i] <= '9'; i++)
            continue;
        if (i == start)
            return false;
    }
    if (i < text.len && (text.at[i] | 32) == 'e') {
        i++;
        i += i < text.len && (text.at[i] == '+' || text.at[i] == '-');
        for (start = i; i < text.len && text.at[i] >= '0' && text.at[i] <= '9'; i++)
            continue;
        if (i == start)
            return false;
    }
    return i == text.len;
}

static bool read_json_word(struct json_reader *r, struct slg_value *ret)
{
    struct slg_json_value word;
    double number;

    if (slg_json_scan_value(&r->scan, &word) != NULL)
        return false;
    memset(ret, 0, sizeof(*ret));
    if (word.type == SLG_JSON_BOOLEAN)
        *ret = slg_value_bool(word.text.at[0] == 't');
    else if (word.type == SLG_JSON_NUMBER) {
        if (!is_json_number(word.text) || !slg_convert_float(word.text, &number))
            return false;
        *ret = slg_value_float(number);
    }
    return word.type == SLG_JSON_NULL || word.type == SLG_JSON_BOOLEAN ||
           word.type == SLG_JSON_NUMBER;
}

/* Put a member where its key belongs; a later equal key replaces. */
static void insert_member(struct slg_value *items, struct slg_text *keys, size_t *count,
                          struct slg_text key, const struct slg_value *value)
{
    size_t low = 0, high = *count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slg_text_compare(keys[middle], key);

        if (order == 0) {
            items[middle] = *value;
            return;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(keys + low + 1, keys + low, (*count - low) * sizeof(keys[0]));
    memmove(items + low + 1, items + low, (*count - low) * sizeof(items[0]));
    keys[low] = key;
    items[low] = *value;
    (*count)++;
}

static bool grow_members(struct json_reader *r, struct slg_value **items, struct slg_text **keys,
                         size_t count, size_t *capacity)
{
    size_t wanted = *capacity == 0 ? JSON_MEMBERS_FIRST : *capacity * 2;
    char *new_items, *new_keys;

    if (count < *capacity)
        return true;
    if (!slg_run_alloc(r->run, wanted * sizeof(**items), &new_items) ||
        !slg_run_alloc(r->run, wanted * sizeof(**keys), &new_keys))
        return false;
    if (count > 0) {
        memcpy(new_items, *items, count * sizeof(**items));
        memcpy(new_keys, *keys, count * sizeof(**keys));
    }
    *items = (void *)new_items;
    *keys = (void *)new_keys;
    *capacity = wanted;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by JSON_DEPTH_MAX */
static bool read_json_members(struct json_reader *r, struct slg_value *ret, int depth, char close)
{
    struct slg_value *items = NULL;
    struct slg_text *keys = NULL;
    size_t count = 0, capacity = 0;
    bool is_map = close == '}';

    r->scan.at++;
    if (slg_json_scan_next(&r->scan) == close)
        r->scan.at++;
    else
        for (;;) {
            struct slg_value value;
            struct slg_text key = { 0 };
            int next;

            if (!grow_members(r, &items, &keys, count, &capacity) ||
                !slg_run_spend(r->run, 64 + (is_map ? count * 4 : 0)))
                return false;
            if (is_map) {
                if (!read_json_string(r, &key) || slg_json_scan_next(&r->scan) != ':')
                    return false;
                r->scan.at++;
            }
            if (!read_json(r, &value, depth + 1))
                return false;
            if (is_map)
                insert_member(items, keys, &count, key, &value);
            else
                items[count++] = value;
            next = slg_json_scan_next(&r->scan);
            if (next != ',' && next != close)
                return false;
            r->scan.at++;
            if (next == close)
                break;
        }
    memset(ret, 0, sizeof(*ret));
    ret->kind = is_map ? SLG_VALUE_MAP : SLG_VALUE_LIST;
    ret->list.items = items;
    ret->list.keys = keys;
    ret->list.count = count;
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by JSON_DEPTH_MAX */
static bool read_json(struct json_reader *r, struct slg_value *ret, int depth)
{
    int next = slg_json_scan_next(&r->scan);
    struct slg_text text;

    if (depth > JSON_DEPTH_MAX)
        return false;
    if (next == '{' || next == '[')
        return read_json_members(r, ret, depth, next == '{' ? '}' : ']');
    if (next != '"')
        return read_json_word(r, ret);
    if (!read_json_string(r, &text))
        return false;
    *ret = slg_value_text(text);
    return true;
}

bool slg_value_from_json(struct slg_run *run, struct slg_text text, struct slg_value *ret)
{
    struct json_reader r = { .run = run, .scan = { .at = text.at, .end = text.at + text.len } };

    return text.len > 0 && read_json(&r, ret, 0) && slg_json_scan_next(&r.scan) == -1;
}
