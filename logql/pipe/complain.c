#include "logql/pipe/complain.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "logql/pipe/convert.h"

#define SHOWN_BYTES_MAX 1024

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slg_text shown(struct slg_text value)
{
    return slg_text_make(value.at, value.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : value.len);
}

/* before + "value" + after; `ascii`: every byte of other characters is escaped too. */
static struct slg_text quote(struct slg_context *context, const char *before, struct slg_text value,
                             bool ascii, const char *after)
{
    static const char hex[] = "0123456789abcdef";
    size_t before_len = strlen(before), after_len = strlen(after);
    char *out = slg_context_alloc(context, before_len + value.len * 4 + 2 + after_len);
    char *at = out;

    if (out == NULL)
        return slg_text_make(NULL, 0);
    memcpy(at, before, before_len);
    at += before_len;
    *at++ = '"';
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];

        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = c;
        } else if ((unsigned char)c < ' ' || (ascii && (unsigned char)c >= 0x80)) {
            *at++ = '\\';
            *at++ = 'x';
            *at++ = hex[(unsigned char)c >> 4];
            *at++ = hex[(unsigned char)c & 15];
        } else {
            *at++ = c;
        }
    }
    *at++ = '"';
    memcpy(at, after, after_len);
    return slg_text_make(out, (size_t)(at + after_len - out));
}

struct slg_text slg_complain_float(struct slg_context *context, struct slg_text value)
{
    return quote(context, "strconv.ParseFloat: parsing ", shown(value), /* ascii= */ false,
                 ": invalid syntax");
}

/* ---- durations ---- */

static struct slg_text unknown_unit(struct slg_context *context, struct slg_text unit,
                                    struct slg_text value)
{
    struct slg_text head = quote(context, "time: unknown unit ", unit, /* ascii= */ true, "");
    struct slg_text tail = quote(context, " in duration ", value, /* ascii= */ true, "");
    char *out = slg_context_alloc(context, head.len + tail.len + 1);

    if (out == NULL || head.len == 0 || tail.len == 0)
        return slg_text_make(NULL, 0);
    memcpy(out, head.at, head.len);
    memcpy(out + head.len, tail.at, tail.len);
    return slg_text_make(out, head.len + tail.len);
}

static bool is_unit(struct slg_text unit)
{
    static const char *const units[] = {
        "ns", "us", "\302\265s", "\316\274s", "ms", "s", "m", "h"
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(units); i++)
        if (slg_text_equal_to(unit, units[i]))
            return true;
    return false;
}

struct slg_text slg_complain_duration(struct slg_context *context, struct slg_text value)
{
    size_t i = value.len > 0 && (value.at[0] == '-' || value.at[0] == '+') ? 1 : 0;

    while (i < value.len) {
        size_t digit_count = 0, start;

        for (; i < value.len && is_digit(value.at[i]); i++)
            digit_count++;
        if (i < value.len && value.at[i] == '.')
            for (i++; i < value.len && is_digit(value.at[i]); i++)
                digit_count++;
        if (digit_count == 0)
            break;
        for (start = i; i < value.len && value.at[i] != '.' && !is_digit(value.at[i]);)
            i++;
        if (i == start)
            return quote(context, "time: missing unit in duration ", shown(value),
                         /* ascii= */ true, "");
        if (!is_unit(slg_text_make(value.at + start, i - start)))
            return unknown_unit(context, shown(slg_text_make(value.at + start, i - start)),
                                shown(value));
    }
    return quote(context, "time: invalid duration ", shown(value), /* ascii= */ true, "");
}

/* ---- sizes ---- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slg_text slg_complain_bytes(struct slg_context *context, struct slg_text value)
{
    char *number = slg_context_alloc(context, value.len + 1);
    size_t count = 0, i = 0, end = value.len;
    double ignored;
    uint64_t bytes;
    char *out;

    if (number == NULL)
        return slg_text_make(NULL, 0);
    for (; i < end && (is_digit(value.at[i]) || value.at[i] == '.' || value.at[i] == ','); i++)
        if (value.at[i] != ',')
            number[count++] = value.at[i];
    if (!slg_convert_float(slg_text_make(number, count), &ignored))
        return slg_complain_float(context, slg_text_make(number, count));
    while (i < end && is_blank(value.at[i]))
        i++;
    while (end > i && is_blank(value.at[end - 1]))
        end--;
    /* The unit alone, with one in front. */
    out = slg_context_alloc(context, end - i + 32);
    if (out == NULL)
        return slg_text_make(NULL, 0);
    out[0] = '1';
    if (end > i)
        memcpy(out + 1, value.at + i, end - i);
    if (slg_convert_bytes(slg_text_make(out, end - i + 1), &bytes)) {
        value = shown(value);
        out = slg_context_alloc(context, value.len + 32);
        return out == NULL
                   ? slg_text_make(NULL, 0)
                   : slg_text_make(out, (size_t)snprintf(out, value.len + 32, "too large: %.*s",
                                                         (int)value.len, value.at));
    }
    value = shown(slg_text_make(value.at + i, end - i));
    count = (size_t)snprintf(out, value.len + 32, "unhandled size name: %.*s", (int)value.len,
                             value.at);
    for (i = count - value.len; i < count; i++)
        if (out[i] >= 'A' && out[i] <= 'Z')
            out[i] = (char)(out[i] - 'A' + 'a');
    return slg_text_make(out, count);
}
