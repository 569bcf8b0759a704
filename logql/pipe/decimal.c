#include "logql/pipe/decimal.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "logql/pipe/convert.h"

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
static double compute(double a, char op, double b)
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
static double divide(double a, double b)
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

double slg_decimal_compute(double a, char op, double b)
{
    return op == '/' ? divide(a, b) : compute(a, op, b);
}
