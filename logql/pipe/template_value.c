/* Values of templates: making, printing (%v), JSON. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/convert.h"
#include "logql/pipe/json.h"
#include "logql/pipe/json_scan.h"
#include "logql/pipe/template_tree.h"
#include "logql/syntax/print.h"

/* Nesting of fromJson: encoding/json allows 10000, a log line has no use for it. */
#define JSON_DEPTH_MAX          100
#define JSON_MEMBERS_FIRST      ((size_t)8)
/* "-2562047h47m16.854775808s" */
#define DURATION_TEXT_BYTES_MAX ((size_t)64)

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
    case SLG_VALUE_DURATION:
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
    case SLG_VALUE_DURATION:
        return "time.Duration";
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

static void append_duration(struct slg_builder *builder, int64_t ns)
{
    struct slg_buf text;

    slg_buf_init(&text, DURATION_TEXT_BYTES_MAX);
    slg_logql_print_go_duration(&text, ns);
    slg_builder_append(builder, text.data, text.len);
    slg_buf_fini(&text);
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
    case SLG_VALUE_DURATION:
        append_duration(builder, value->integer);
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

void slg_builder_inner(struct slg_builder *builder, const struct slg_value *value)
{
    append_value(builder, value, /* inner= */ true);
}

/* ---- print ---- */

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

/* U+FFFD for each byte that is not UTF-8, as Go's decoder does. */
static bool replace_broken(struct slg_run *run, struct slg_text text, struct slg_text *ret)
{
    struct slg_builder builder = { .run = run };
    size_t step;

    for (size_t i = 0; i < text.len && !builder.failed; i += step) {
        if (slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step)) {
            slg_builder_append(&builder, text.at + i, step);
        } else {
            step = 1;
            slg_builder_text(&builder, "\xEF\xBF\xBD");
        }
    }
    *ret = slg_text_make(builder.at, builder.len);
    return !builder.failed;
}

static bool is_utf8(struct slg_text text)
{
    size_t step;

    for (size_t i = 0; i < text.len; i += step)
        if (!slg_utf8_check((const uint8_t *)text.at + i, text.len - i, &step))
            return false;
    return true;
}

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
    if (!is_utf8(text) && !replace_broken(r->run, text, &text))
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
