/* Functions of templates: whole numbers, floats, decimals, sizes and durations. */
#include <math.h>
#include <string.h>

#include "logql/pipe/complain.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/decimal.h"
#include "logql/pipe/template_function.h"

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
    case SLG_VALUE_DURATION:
        return value->integer;
    case SLG_VALUE_FLOAT:
        if (!(value->number >= -0x1p63 && value->number < 0x1p63))
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
    return slg_call_give(call, slg_value_int(to_int(&call->arguments[0])));
}

static bool fn_float64(struct slg_call *call)
{
    return slg_call_give(call, slg_value_float(to_float(&call->arguments[0])));
}

/* Two's complement wraps, as in Go. */
static bool fn_add(struct slg_call *call)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < call->count; i++)
        sum += (uint64_t)to_int(&call->arguments[i]);
    return slg_call_give(call, slg_value_int64((int64_t)sum));
}

static bool fn_sub(struct slg_call *call)
{
    return slg_call_give(call, slg_value_int64((int64_t)((uint64_t)to_int(&call->arguments[0]) -
                                                         (uint64_t)to_int(&call->arguments[1]))));
}

static bool fn_mul(struct slg_call *call)
{
    uint64_t product = (uint64_t)to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        product *= (uint64_t)to_int(&call->arguments[i]);
    return slg_call_give(call, slg_value_int64((int64_t)product));
}

static bool fn_div(struct slg_call *call)
{
    int64_t a = to_int(&call->arguments[0]), b = to_int(&call->arguments[1]);

    if (b == 0)
        return slg_run_fail(call->run, "runtime error: integer divide by zero");
    return slg_call_give(call, slg_value_int64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b));
}

static bool fn_mod(struct slg_call *call)
{
    int64_t a = to_int(&call->arguments[0]), b = to_int(&call->arguments[1]);

    if (b == 0)
        return slg_run_fail(call->run, "runtime error: integer divide by zero");
    return slg_call_give(call, slg_value_int64(b == -1 ? 0 : a % b));
}

static bool fn_max(struct slg_call *call)
{
    int64_t best = to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        if (to_int(&call->arguments[i]) > best)
            best = to_int(&call->arguments[i]);
    return slg_call_give(call, slg_value_int64(best));
}

static bool fn_min(struct slg_call *call)
{
    int64_t best = to_int(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        if (to_int(&call->arguments[i]) < best)
            best = to_int(&call->arguments[i]);
    return slg_call_give(call, slg_value_int64(best));
}

/* Go's math.Max and Min: what is not a number stays so, unless an infinity decides. */
static double choose(double a, double b, bool want_larger)
{
    double end = want_larger ? (double)INFINITY : -(double)INFINITY;

    if (a == end || b == end)
        return end;
    if (isnan(a) || isnan(b))
        return (double)NAN;
    return want_larger ? fmax(a, b) : fmin(a, b);
}

static bool choose_all(struct slg_call *call, bool want_larger)
{
    double best = to_float(&call->arguments[0]);

    for (size_t i = 1; i < call->count; i++)
        best = choose(best, to_float(&call->arguments[i]), want_larger);
    return slg_call_give(call, slg_value_float(best));
}

static bool fn_maxf(struct slg_call *call)
{
    return choose_all(call, /* want_larger= */ true);
}

static bool fn_minf(struct slg_call *call)
{
    return choose_all(call, /* want_larger= */ false);
}

/* As decimal.NewFromFloat. */
static bool is_decimal(struct slg_call *call, double value)
{
    char text[SLG_CONVERT_TEXT_BYTES_MAX];

    if (isfinite(value))
        return true;
    return slg_run_fail(call->run, "Cannot create a Decimal from %.*s",
                        (int)slg_convert_print_float(value, text), text);
}

static bool fold_decimal(struct slg_call *call, double first, size_t from, char op)
{
    double value = first;

    if (!is_decimal(call, first))
        return false;
    for (size_t i = from; i < call->count; i++) {
        double with = to_float(&call->arguments[i]);

        if (!is_decimal(call, with))
            return false;
        if (op == '/' && with == 0)
            return slg_run_fail(call->run, "decimal division by 0");
        value = slg_decimal_compute(value, op, with);
    }
    return slg_call_give(call, slg_value_float(value));
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
    return slg_call_give(call, slg_value_float(ceil(to_float(&call->arguments[0]))));
}

static bool fn_floor(struct slg_call *call)
{
    return slg_call_give(call, slg_value_float(floor(to_float(&call->arguments[0]))));
}

static bool fn_round(struct slg_call *call)
{
    double on = call->count > 2 ? call->arguments[2].number : 0.5;
    double power = pow(10, (double)call->arguments[1].integer);
    double digit = power * to_float(&call->arguments[0]), whole;

    return slg_call_give(
        call, slg_value_float((modf(digit, &whole) >= on ? ceil(digit) : floor(digit)) / power));
}

static bool fail_with(struct slg_call *call, struct slg_text complaint)
{
    return slg_run_fail(call->run, "%.*s", (int)complaint.len, complaint.at);
}

static bool fn_bytes(struct slg_call *call)
{
    struct slg_text text = slg_call_text(call, 0);
    uint64_t bytes;

    if (!slg_convert_bytes(text, &bytes))
        return fail_with(call, slg_complain_bytes(call->run->context, text));
    return slg_call_give(call, slg_value_float((double)bytes));
}

static bool fn_duration(struct slg_call *call)
{
    struct slg_text text = slg_call_text(call, 0);
    double seconds;
    int64_t ns;

    if (!slg_convert_duration(text, &ns))
        return fail_with(call, slg_complain_duration(call->run->context, text));
    /* Duration.Seconds(): whole seconds first. NOLINTNEXTLINE(bugprone-integer-division) */
    seconds = (double)(ns / 1000000000) + (double)(ns % 1000000000) / 1e9;
    return slg_call_give(call, slg_value_float(seconds));
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Loki's. */
    { "bytes", "s", fn_bytes },
    { "duration", "s", fn_duration },
    { "duration_seconds", "s", fn_duration },
    /* sprig's, as far as Loki allows them. */
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
};

const struct slg_template_family slg_template_numbers = { functions, SLG_ARRAY_LEN(functions) };
