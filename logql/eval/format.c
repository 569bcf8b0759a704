#include "logql/eval/format.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

#define DIGITS_MAX 17

/* The shortest digits that read back as value (finite, > 0): d.ddd x 10^exponent. 15 digits always survive the way
 * through text, so fewer are those of 15 without their zeros. */
static size_t shortest_digits(double value, char digits[DIGITS_MAX + 1], int *ret_exponent)
{
    char text[40];
    size_t count = 0;
    const char *at = text;

    for (int precision = 15; precision <= DIGITS_MAX; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision - 1, value); /* at most 24 bytes */
        if (strtod(text, NULL) == value)
            break;
    }
    for (; *at != 'e' && *at != '\0'; at++) {
        if (*at >= '0' && *at <= '9' && count < DIGITS_MAX)
            digits[count++] = *at;
    }
    SLG_ASSERT(*at == 'e');
    *ret_exponent = 0;
    for (const char *e = at + 2; *e != '\0'; e++)
        *ret_exponent = *ret_exponent * 10 + (*e - '0');
    if (at[1] == '-')
        *ret_exponent = -*ret_exponent;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

static size_t put_text(char *out, const char *text)
{
    size_t len = strlen(text);

    memcpy(out, text, len + 1);
    return len;
}

size_t slg_format_float(double value, char out[SLG_FORMAT_FLOAT_BYTES])
{
    char digits[DIGITS_MAX + 1];
    size_t count, len = 0;
    int exponent;

    if (isnan(value))
        return put_text(out, "NaN");
    if (isinf(value))
        return put_text(out, value > 0 ? "+Inf" : "-Inf");
    if (signbit(value))
        out[len++] = '-';
    if (value == 0) {
        (void)put_text(out + len, "0");
        return len + 1;
    }
    count = shortest_digits(fabs(value), digits, &exponent);
    if (exponent < 0) {
        out[len++] = '0';
        out[len++] = '.';
        for (int i = -1; i > exponent; i--)
            out[len++] = '0';
    }
    for (size_t i = 0; i < count; i++) {
        out[len++] = digits[i];
        if ((int)i == exponent && i + 1 < count)
            out[len++] = '.';
    }
    for (int i = (int)count - 1; i < exponent; i++)
        out[len++] = '0';
    out[len] = '\0';
    SLG_ASSERT(len < SLG_FORMAT_FLOAT_BYTES);
    return len;
}
