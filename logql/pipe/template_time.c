/* Functions of templates: times and the methods of a time; the line and its timestamp. */
#include <string.h>

#include "logql/pipe/convert.h"
#include "logql/pipe/template_function.h"

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
    return slg_call_give(call, slg_value_bool(name.at[0] == 'B'   ? order < 0
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
        return format_time(call, time, slg_call_text(call, 0));
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
