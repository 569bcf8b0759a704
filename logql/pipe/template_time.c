/* Functions of templates: times and the methods of a time; the line and its timestamp. */
#include <string.h>

#include "logql/pipe/convert.h"
#include "logql/pipe/template_function.h"
#include "logql/pipe/zone.h"

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
    return slg_call_give(call, value);
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
    return slg_call_give_text(call, out, slg_go_time_format(time, layout, out, capacity));
}

static bool fn_date(struct slg_call *call)
{
    const struct slg_value *when = &call->arguments[1];
    struct slg_go_time time = time_of_ns(call->run->context->now_ns);

    if (when->kind == SLG_VALUE_TIME)
        time = slg_go_time_in(when->time, NULL);
    else if (when->kind == SLG_VALUE_INT || when->kind == SLG_VALUE_INT64)
        time = slg_go_time_utc(when->integer, 0);
    return format_time(call, &time, slg_call_text(call, 0));
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
    return parse_date(call, slg_call_text(call, 0), NULL, slg_call_text(call, 1));
}

static bool fn_to_date_in_zone(struct slg_call *call)
{
    const struct slg_zone *zone;

    return find_zone(call, slg_call_text(call, 1), &zone) &&
           parse_date(call, slg_call_text(call, 0), zone, slg_call_text(call, 2));
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
    return slg_call_give(call, slg_value_text(call->run->context->line));
}

static bool give_number_text(struct slg_call *call, int64_t number)
{
    struct slg_builder builder = { .run = call->run };
    char text[32];

    slg_builder_append(&builder, text,
                       (size_t)snprintf(text, sizeof(text), "%lld", (long long)number));
    return slg_call_give_builder(call, &builder);
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
    struct slg_text text = slg_call_text(call, 0);
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
        return give_time(call,
                         time_of_ns((int64_t)((uint64_t)number * 1000000))); /* wraps, as in Go */
    case 16:
        return give_time(call, time_of_ns((int64_t)((uint64_t)number * 1000)));
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

/* ---- methods ---- */

#define NS_PER_SECOND INT64_C(1000000000)
/* Years, months or days that AddDate takes, and the last year it gives: 64 bits of seconds hold that. */
#define DATE_STEP_MAX INT64_C(1000000000)

__extension__ typedef __int128 wide_int;

static int compare_times(const struct slg_go_time *a, const struct slg_go_time *b)
{
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? -1 : 1;
    return (a->nanoseconds > b->nanoseconds) - (a->nanoseconds < b->nanoseconds);
}

static bool give_duration(struct slg_call *call, int64_t ns)
{
    *call->ret = slg_value_int64(ns);
    call->ret->kind = SLG_VALUE_DURATION;
    return true;
}

/* The same zone at another time. */
static struct slg_go_time at_seconds(const struct slg_go_time *time, int64_t seconds)
{
    struct slg_go_time moved = *time;

    moved.seconds = seconds;
    return time->zone == NULL ? moved : slg_go_time_in(moved, time->zone);
}

static bool give_moved(struct slg_call *call, const struct slg_go_time *time, int64_t ns)
{
    struct slg_go_time moved = *time;
    int64_t rest = time->nanoseconds + ns % NS_PER_SECOND;
    int64_t seconds = ns / NS_PER_SECOND - (rest < 0) + (rest >= NS_PER_SECOND);

    if (__builtin_add_overflow(time->seconds, seconds, &seconds))
        return slg_run_fail(call->run, "time out of range");
    moved.nanoseconds = (int32_t)((rest + NS_PER_SECOND) % NS_PER_SECOND);
    return give_time(call, at_seconds(&moved, seconds));
}

/* Of the zone's offset at a local time Go looks twice. */
static bool add_date(struct slg_call *call, const struct slg_go_time *time)
{
    struct slg_civil civil = slg_go_time_civil(time);
    struct slg_go_time moved;
    int64_t step[3], months, local;

    for (size_t i = 0; i < 3; i++) {
        step[i] = call->arguments[i].integer;
        if (step[i] > DATE_STEP_MAX || step[i] < -DATE_STEP_MAX)
            return slg_run_fail(call->run, "time out of range");
    }
    months = (civil.year + step[0]) * 12 + civil.month - 1 + step[1];
    civil.year = months / 12 - (months % 12 < 0);
    if (civil.year > DATE_STEP_MAX || civil.year < -DATE_STEP_MAX)
        return slg_run_fail(call->run, "time out of range");
    local = (slg_days_of(civil.year, (int)(months - civil.year * 12) + 1, 1) + civil.day - 1 +
             step[2]) *
                86400 +
            civil.hour * 3600 + civil.minute * 60 + civil.second;
    moved = at_seconds(time, local);
    moved = at_seconds(time, local - moved.offset_seconds);
    return give_time(call, at_seconds(time, local - moved.offset_seconds));
}

static bool give_difference(struct slg_call *call, const struct slg_go_time *a,
                            const struct slg_go_time *b)
{
    wide_int ns =
        ((wide_int)a->seconds - b->seconds) * NS_PER_SECOND + a->nanoseconds - b->nanoseconds;

    return give_duration(call, ns > INT64_MAX   ? INT64_MAX
                               : ns < INT64_MIN ? INT64_MIN
                                                : (int64_t)ns);
}

/* Time.Truncate and Round count from the year 1. */
static bool give_rounded(struct slg_call *call, const struct slg_go_time *time, int64_t to,
                         bool down)
{
    struct slg_go_time zero = slg_go_time_zero();
    wide_int since, rest;

    if (to <= 0)
        return give_time(call, *time);
    since = ((wide_int)time->seconds - zero.seconds) * NS_PER_SECOND + time->nanoseconds;
    rest = since % to;
    rest += rest < 0 ? to : 0;
    return give_moved(call, time, down || rest + rest < to ? (int64_t)-rest : (int64_t)(to - rest));
}

/* Duration.Truncate, and Round: halves away from zero, the ends are kept. */
static int64_t round_duration(int64_t ns, int64_t to, bool down)
{
    int64_t rest, whole, next;

    if (to <= 0)
        return ns;
    rest = ns % to;
    whole = ns - rest;
    if (down || (wide_int)(rest < 0 ? -rest : rest) * 2 < to)
        return whole;
    if (__builtin_add_overflow(whole, ns < 0 ? -to : to, &next))
        return ns < 0 ? INT64_MIN : INT64_MAX;
    return next;
}

/* One letter per argument: t time, d duration, i int, s string. */
static bool takes(struct slg_call *call, struct slg_text name, const char *letters)
{
    size_t wanted = strlen(letters);

    if (call->count != wanted)
        return slg_run_fail(call->run, "wrong number of args for %.*s: want %zu got %zu",
                            (int)(name.len > 60 ? 60 : name.len), name.at, wanted, call->count);
    for (size_t i = 0; i < wanted; i++) {
        enum slg_value_kind kind = call->arguments[i].kind;
        enum slg_value_kind want = letters[i] == 't'   ? SLG_VALUE_TIME
                                   : letters[i] == 'd' ? SLG_VALUE_DURATION
                                   : letters[i] == 's' ? SLG_VALUE_STRING
                                                       : SLG_VALUE_INT;

        if (kind != want && !(letters[i] == 'd' && kind == SLG_VALUE_INT))
            return slg_run_fail(call->run, "wrong type for value; expected %s; got %s",
                                letters[i] == 't'   ? "time.Time"
                                : letters[i] == 'd' ? "time.Duration"
                                : letters[i] == 's' ? "string"
                                                    : "int",
                                slg_value_type_name(&call->arguments[i]));
    }
    return true;
}

static bool call_with_arguments(struct slg_call *call, const struct slg_go_time *time, size_t which)
{
    const struct slg_value *first = &call->arguments[0];

    switch (which) {
    case 0:
        return format_time(call, time, first->text);
    case 1:
        return slg_call_give(call, slg_value_bool(compare_times(time, &first->time) < 0));
    case 2:
        return slg_call_give(call, slg_value_bool(compare_times(time, &first->time) > 0));
    case 3:
        return slg_call_give(call, slg_value_bool(compare_times(time, &first->time) == 0));
    case 4:
        return slg_call_give(call, slg_value_int(compare_times(time, &first->time)));
    case 5:
        return give_difference(call, time, &first->time);
    case 6:
        return give_moved(call, time, first->integer);
    case 7:
        return add_date(call, time);
    default:
        return give_rounded(call, time, first->integer, /* down= */ which == 8);
    }
}

/* The methods of a time with arguments; the place in the list is the number above. */
static bool time_method_with(struct slg_call *call, const struct slg_go_time *time,
                             struct slg_text name, bool *found)
{
    static const struct {
        const char *name, *letters;
    } methods[] = { { "Format", "s" },   { "Before", "t" }, { "After", "t" }, { "Equal", "t" },
                    { "Compare", "t" },  { "Sub", "t" },    { "Add", "d" },   { "AddDate", "iii" },
                    { "Truncate", "d" }, { "Round", "d" } };

    for (size_t i = 0; i < SLG_ARRAY_LEN(methods); i++)
        if (slg_text_equal_to(name, methods[i].name)) {
            *found = true;
            return takes(call, name, methods[i].letters) && call_with_arguments(call, time, i);
        }
    *found = false;
    return true;
}

static bool time_method(struct slg_call *call, const struct slg_go_time *time, struct slg_text name,
                        bool *found)
{
    struct slg_civil civil = slg_go_time_civil(time);
    struct slg_go_time zero = slg_go_time_zero();

    if (!time_method_with(call, time, name, found) || *found)
        return *found && call->run->error[0] == '\0';
    *found = true;
    if (call->count > 0)
        return slg_run_fail(call->run, "wrong number of args: want 0 got %zu", call->count);
    if (number_method(time, &civil, name, call->ret))
        return true;
    if (slg_text_equal_to(name, "UTC") || slg_text_equal_to(name, "Local"))
        return give_time(call, slg_go_time_in(*time, NULL));
    if (slg_text_equal_to(name, "String"))
        return format_time(call, time, slg_text_of(SLG_GO_TIME_STRING_LAYOUT));
    if (slg_text_equal_to(name, "IsZero"))
        return slg_call_give(
            call, slg_value_bool(time->seconds == zero.seconds && time->nanoseconds == 0));
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

/* Whole units first, as Go's Hours, Minutes and Seconds. */
static double in_units(int64_t ns, int64_t unit)
{
    int64_t whole = ns / unit;

    return (double)whole + (double)(ns % unit) / (double)unit;
}

static bool duration_method(struct slg_call *call, int64_t ns, struct slg_text name, bool *found)
{
    *found = true;
    if (slg_text_equal_to(name, "Truncate") || slg_text_equal_to(name, "Round"))
        return takes(call, name, "d") &&
               give_duration(call, round_duration(ns, call->arguments[0].integer,
                                                  /* down= */ name.at[0] == 'T'));
    if (call->count > 0)
        return slg_run_fail(call->run, "wrong number of args: want 0 got %zu", call->count);
    if (slg_text_equal_to(name, "Hours"))
        return slg_call_give(call, slg_value_float(in_units(ns, 3600 * NS_PER_SECOND)));
    if (slg_text_equal_to(name, "Minutes"))
        return slg_call_give(call, slg_value_float(in_units(ns, 60 * NS_PER_SECOND)));
    if (slg_text_equal_to(name, "Seconds"))
        return slg_call_give(call, slg_value_float(in_units(ns, NS_PER_SECOND)));
    if (slg_text_equal_to(name, "Milliseconds"))
        return slg_call_give(call, slg_value_int64(ns / 1000000));
    if (slg_text_equal_to(name, "Microseconds"))
        return slg_call_give(call, slg_value_int64(ns / 1000));
    if (slg_text_equal_to(name, "Nanoseconds"))
        return slg_call_give(call, slg_value_int64(ns));
    if (slg_text_equal_to(name, "Abs"))
        return give_duration(call, ns == INT64_MIN ? INT64_MAX : ns < 0 ? -ns : ns);
    *found = false;
    return true;
}

bool slg_time_method(struct slg_call *call, const struct slg_value *of, struct slg_text name,
                     bool *found)
{
    struct slg_builder builder = { .run = call->run };

    if (of->kind == SLG_VALUE_TIME)
        return time_method(call, &of->time, name, found);
    if (of->kind == SLG_VALUE_DURATION &&
        (!duration_method(call, of->integer, name, found) || *found))
        return *found && call->run->error[0] == '\0';
    *found = slg_text_equal_to(name, "String") && call->count == 0;
    if (!*found)
        return true;
    slg_builder_inner(&builder, of);
    return slg_call_give_builder(call, &builder);
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Loki's. */
    { "__line__", "", fn_line },
    { "__timestamp__", "", fn_timestamp },
    { "unixEpochMillis", "t", fn_unix_epoch_millis },
    { "unixEpochNanos", "t", fn_unix_epoch_nanos },
    { "toDateInZone", "sss", fn_to_date_in_zone },
    { "unixToTime", "s", fn_unix_to_time },
    /* sprig's, as far as Loki allows them. */
    { "date", "sa", fn_date },
    { "toDate", "ss", fn_to_date },
    { "now", "", fn_now },
    { "unixEpoch", "t", fn_unix_epoch },
};

const struct slg_template_family slg_template_times = { functions, SLG_ARRAY_LEN(functions) };
