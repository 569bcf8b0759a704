#include "logql/syntax/print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Where to print, and how: exact for machines, else as Loki does (sizes rounded, vector() with six digits). */
struct printer {
    struct slg_buf *buf;
    bool exact;
};

static void put(struct slg_buf *buf, const char *text)
{
    slg_buf_append_text(buf, text);
}

static void put_str(struct slg_buf *buf, struct slg_logql_str text)
{
    slg_buf_append(buf, text.ptr, text.len);
}

/* ---- strings ---- */

/* Go's strconv.IsPrint says no to these blocks (and to unassigned code points, which are not listed). */
static bool is_printable(uint32_t rune)
{
    static const struct {
        uint32_t first, last;
    } others[] = {
        { 0x00, 0x1F },     { 0x7F, 0xA0 },        { 0xAD, 0xAD },     { 0x600, 0x605 },
        { 0x61C, 0x61C },   { 0x6DD, 0x6DD },      { 0x70F, 0x70F },   { 0x1680, 0x1680 },
        { 0x180E, 0x180E }, { 0x2000, 0x200F },    { 0x2028, 0x202F }, { 0x205F, 0x206F },
        { 0x3000, 0x3000 }, { 0xE000, 0xF8FF },    { 0xFEFF, 0xFEFF }, { 0xFFF0, 0xFFFB },
        { 0xFFFE, 0xFFFF }, { 0xE0000, 0x10FFFF },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(others); i++) {
        if (rune >= others[i].first && rune <= others[i].last)
            return false;
    }
    return true;
}

static void put_escaped(struct slg_buf *buf, uint32_t rune)
{
    static const char values[] = "\a\b\f\n\r\t\v\\\"";
    static const char names[] = "abfnrtv\\\"";
    const char *value = rune > 0 && rune < 0x80 ? strchr(values, (int)rune) : NULL;

    if (value != NULL)
        slg_buf_printf(buf, "\\%c", names[value - values]);
    else if (rune < 0x80)
        slg_buf_printf(buf, "\\x%02x", rune);
    else if (rune < 0x10000)
        slg_buf_printf(buf, "\\u%04x", rune);
    else
        slg_buf_printf(buf, "\\U%08x", rune);
}

/* Append "..." with Go's escapes (strconv.Quote): what LogQL reads back as the same bytes. */
static void print_quoted(struct slg_buf *buf, struct slg_logql_str text)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t left = text.len;

    slg_buf_append_byte(buf, '"');
    while (left > 0) {
        uint32_t rune;
        size_t step;

        if (!slg_utf8_decode(p, left, &rune, &step)) {
            step = 1;
            slg_buf_printf(buf, "\\x%02x", *p);
        } else if (rune == '"' || rune == '\\' || !is_printable(rune)) {
            put_escaped(buf, rune);
        } else {
            slg_buf_append(buf, p, step);
        }
        p += step;
        left -= step;
    }
    slg_buf_append_byte(buf, '"');
}

/* ---- numbers ---- */

/* The shortest digits d that read back as value (finite, > 0): value = 0.d x 10^point. */
static void shortest_digits(double value, char digits[20], int *ret_count, int *ret_point)
{
    char text[40];
    int count = 0;
    int exponent = 0;
    const char *e;

    for (int precision = 0; precision < 17; precision++) {
        (void)snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    e = strchr(text, 'e');
    for (const char *q = text; q < e; q++) {
        if (*q != '.')
            digits[count++] = *q;
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    for (const char *q = e + 2; *q != '\0'; q++)
        exponent = exponent * 10 + (*q - '0');
    *ret_count = count;
    *ret_point = (e[1] == '-' ? -exponent : exponent) + 1;
}

/* Append "123000", "0.00123" or "12.3". */
static void put_plain_digits(struct slg_buf *buf, const char *digits, int count, int point)
{
    if (point <= 0) {
        put(buf, "0.");
        for (int i = point; i < 0; i++)
            slg_buf_append_byte(buf, '0');
        slg_buf_append(buf, digits, (size_t)count);
        return;
    }
    for (int i = 0; i < point; i++)
        slg_buf_append_byte(buf, i < count ? (uint8_t)digits[i] : '0');
    if (count > point) {
        slg_buf_append_byte(buf, '.');
        slg_buf_append(buf, digits + point, (size_t)(count - point));
    }
}

/* Sign, zero and the special values; false if digits must follow. */
static bool put_special(struct slg_buf *buf, double *value)
{
    if (isnan(*value)) {
        put(buf, "NaN");
        return true;
    }
    if (signbit(*value)) {
        slg_buf_append_byte(buf, '-');
        *value = -*value;
    } else if (isinf(*value)) {
        slg_buf_append_byte(buf, '+');
    }
    if (isinf(*value))
        put(buf, "Inf");
    else if (*value == 0)
        slg_buf_append_byte(buf, '0');
    return isinf(*value) || *value == 0;
}

void slg_logql_print_float(struct slg_buf *buf, double value)
{
    char digits[20];
    int count;
    int point;

    if (put_special(buf, &value))
        return;
    shortest_digits(value, digits, &count, &point);
    if (point > -4 && point <= 21) { /* Go's %v: an exponent below -4 or from 21 on is written */
        put_plain_digits(buf, digits, count, point);
        return;
    }
    slg_buf_append(buf, digits, 1);
    if (count > 1) {
        slg_buf_append_byte(buf, '.');
        slg_buf_append(buf, digits + 1, (size_t)(count - 1));
    }
    slg_buf_printf(buf, "e%c%02d", point > 0 ? '+' : '-', point > 0 ? point - 1 : 1 - point);
}

void slg_logql_print_float_plain(struct slg_buf *buf, double value)
{
    char digits[20];
    int count;
    int point;

    if (put_special(buf, &value))
        return;
    shortest_digits(value, digits, &count, &point);
    put_plain_digits(buf, digits, count, point);
}

/* A literal must read back: NaN and infinities, which no text denotes, are written as what folds to them. */
static void put_literal(const struct printer *out, double value)
{
    if (out->exact && isnan(value))
        put(out->buf, "(0 / 0)");
    else if (out->exact && isinf(value))
        put(out->buf, value < 0 ? "(-1e+308 * 10)" : "(1e+308 * 10)");
    else if (out->exact && value == 0 && signbit(value))
        put(out->buf, "-0.0"); /* "-0" would be a duration */
    else
        slg_logql_print_float(out->buf, value);
}

/* ---- durations and sizes ---- */

/* ns / unit_ns with the fraction that is left, zeros cut: "1.5". */
static void put_fraction(struct slg_buf *buf, uint64_t ns, uint64_t unit_ns)
{
    uint64_t rest = ns % unit_ns;

    slg_buf_printf(buf, "%" PRIu64, ns / unit_ns);
    if (rest == 0)
        return;
    slg_buf_append_byte(buf, '.');
    while (rest > 0) {
        rest *= 10;
        slg_buf_append_byte(buf, (uint8_t)('0' + rest / unit_ns));
        rest %= unit_ns;
    }
}

void slg_logql_print_go_duration(struct slg_buf *buf, int64_t ns)
{
    uint64_t left = ns < 0 ? (uint64_t)0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t minutes = left / UINT64_C(60000000000);

    if (ns < 0)
        slg_buf_append_byte(buf, '-');
    if (left == 0) {
        put(buf, "0s");
    } else if (left < 1000) {
        slg_buf_printf(buf, "%" PRIu64 "ns", left);
    } else if (left < 1000000) {
        put_fraction(buf, left, 1000);
        put(buf, "\xC2\xB5s");
    } else if (left < 1000000000) {
        put_fraction(buf, left, 1000000);
        put(buf, "ms");
    } else {
        if (minutes >= 60)
            slg_buf_printf(buf, "%" PRIu64 "h", minutes / 60);
        if (minutes > 0)
            slg_buf_printf(buf, "%" PRIu64 "m", minutes % 60);
        put_fraction(buf, left % UINT64_C(60000000000), 1000000000);
        put(buf, "s");
    }
}

void slg_logql_print_prom_duration(struct slg_buf *buf, int64_t ns)
{
    static const struct {
        const char *unit;
        int64_t ms;
        bool exact; /* years and weeks only if nothing is left: 90d reads better than 12w6d */
    } units[] = {
        { "y", INT64_C(31536000000), true },
        { "w", 604800000, true },
        { "d", 86400000, false },
        { "h", 3600000, false },
        { "m", 60000, false },
        { "s", 1000, false },
        { "ms", 1, false },
    };
    int64_t ms = ns / 1000000;

    if (ms < 0) {
        slg_buf_append_byte(buf, '-');
        ms = -ms;
    }
    if (ms == 0)
        put(buf, "0s");
    for (size_t i = 0; i < SLG_ARRAY_LEN(units); i++) {
        if (ms < units[i].ms || (units[i].exact && ms % units[i].ms != 0))
            continue;
        slg_buf_printf(buf, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
        ms %= units[i].ms;
    }
}

/* github.com/dustin/go-humanize Bytes without its blank: "1.0kB", "12MB". */
static void put_rounded_bytes(struct slg_buf *buf, uint64_t bytes)
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
    double scaled = (double)bytes;
    size_t unit = 0;

    if (bytes < 10) {
        slg_buf_printf(buf, "%" PRIu64 "B", bytes);
        return;
    }
    for (; scaled >= 1000 && unit + 1 < SLG_ARRAY_LEN(units); unit++)
        scaled /= 1000;
    scaled = floor(scaled * 10 + 0.5) / 10;
    slg_buf_printf(buf, "%.*f%s", scaled < 10 ? 1 : 0, scaled, units[unit]);
}

/* ---- matchers and label filters ---- */

static void put_matcher(struct slg_buf *buf, const struct slg_logql_matcher *matcher)
{
    put_str(buf, matcher->name);
    put(buf, slg_logql_match_op_text(matcher->op));
    print_quoted(buf, matcher->value);
}

static void put_filter_value(const struct printer *out, const struct slg_logql_label_filter *filter)
{
    switch (filter->kind) {
    case SLG_LOGQL_LABEL_STRING:
        print_quoted(out->buf, filter->text);
        return;
    case SLG_LOGQL_LABEL_NUMBER:
        slg_logql_print_float_plain(out->buf, filter->number);
        return;
    case SLG_LOGQL_LABEL_DURATION:
        slg_logql_print_go_duration(out->buf, filter->duration_ns);
        return;
    case SLG_LOGQL_LABEL_BYTES:
        if (out->exact)
            slg_buf_printf(out->buf, "%" PRIu64 "B", filter->bytes);
        else
            put_rounded_bytes(out->buf, filter->bytes);
        return;
    case SLG_LOGQL_LABEL_IP:
        put(out->buf, "ip(");
        print_quoted(out->buf, filter->text);
        put(out->buf, ")");
        return;
    case SLG_LOGQL_LABEL_AND:
    case SLG_LOGQL_LABEL_OR:
        break;
    }
    slg_assert_fail("a leaf", __FILE__, __LINE__);
}

static void put_label_filter(const struct printer *out, const struct slg_logql_label_filter *filter)
{
    if (filter->kind == SLG_LOGQL_LABEL_AND || filter->kind == SLG_LOGQL_LABEL_OR) {
        put(out->buf, "( ");
        put_label_filter(out, filter->left);
        put(out->buf, filter->kind == SLG_LOGQL_LABEL_AND ? " , " : " or ");
        put_label_filter(out, filter->right);
        put(out->buf, " )");
        return;
    }
    put_str(out->buf, filter->name);
    put(out->buf, filter->kind == SLG_LOGQL_LABEL_STRING
                      ? slg_logql_match_op_text(filter->match_op)
                      : slg_logql_compare_op_text(filter->compare_op));
    put_filter_value(out, filter);
}

/* ---- stages ---- */

static void put_line_filter(struct slg_buf *buf, const struct slg_logql_line_filter *filter)
{
    put(buf, slg_logql_line_op_text(filter->op));
    for (size_t i = 0; i < filter->operand_count; i++) {
        put(buf, i == 0 ? " " : " or ");
        if (filter->operands[i].is_ip)
            put(buf, "ip(");
        print_quoted(buf, filter->operands[i].text);
        if (filter->operands[i].is_ip)
            put(buf, ")");
    }
}

static void put_extractions(struct slg_buf *buf, const struct slg_logql_stage *stage)
{
    if (stage->strict)
        put(buf, " --strict");
    if (stage->keep_empty)
        put(buf, " --keep-empty");
    for (size_t i = 0; i < stage->extraction_count; i++) {
        put(buf, i == 0 ? " " : ",");
        put_str(buf, stage->extractions[i].label);
        put(buf, "=");
        print_quoted(buf, stage->extractions[i].path);
    }
}

static void put_formats(struct slg_buf *buf, const struct slg_logql_stage *stage)
{
    for (size_t i = 0; i < stage->format_count; i++) {
        put(buf, i == 0 ? " " : ",");
        put_str(buf, stage->formats[i].dst);
        put(buf, "=");
        if (stage->formats[i].is_rename)
            put_str(buf, stage->formats[i].src);
        else
            print_quoted(buf, stage->formats[i].src);
    }
}

static void put_named(struct slg_buf *buf, const struct slg_logql_stage *stage)
{
    for (size_t i = 0; i < stage->named_count; i++) {
        put(buf, i == 0 ? " " : ",");
        if (stage->named[i].has_matcher)
            put_matcher(buf, &stage->named[i].matcher);
        else
            put_str(buf, stage->named[i].matcher.name);
    }
}

static void put_stage(const struct printer *out, const struct slg_logql_stage *stage)
{
    static const char *const keywords[] = {
        [SLG_LOGQL_STAGE_LINE_FILTER] = "",
        [SLG_LOGQL_STAGE_JSON] = "| json",
        [SLG_LOGQL_STAGE_LOGFMT] = "| logfmt",
        [SLG_LOGQL_STAGE_REGEXP] = "| regexp ",
        [SLG_LOGQL_STAGE_PATTERN] = "| pattern ",
        [SLG_LOGQL_STAGE_UNPACK] = "| unpack",
        [SLG_LOGQL_STAGE_LABEL_FILTER] = "| ",
        [SLG_LOGQL_STAGE_LINE_FORMAT] = "| line_format ",
        [SLG_LOGQL_STAGE_LABEL_FORMAT] = "| label_format",
        [SLG_LOGQL_STAGE_DECOLORIZE] = "| decolorize",
        [SLG_LOGQL_STAGE_DROP] = "| drop",
        [SLG_LOGQL_STAGE_KEEP] = "| keep",
    };

    put(out->buf, keywords[stage->kind]);
    switch (stage->kind) {
    case SLG_LOGQL_STAGE_LINE_FILTER:
        put_line_filter(out->buf, &stage->line_filter);
        break;
    case SLG_LOGQL_STAGE_JSON:
    case SLG_LOGQL_STAGE_LOGFMT:
        put_extractions(out->buf, stage);
        break;
    case SLG_LOGQL_STAGE_REGEXP:
    case SLG_LOGQL_STAGE_PATTERN:
    case SLG_LOGQL_STAGE_LINE_FORMAT:
        print_quoted(out->buf, stage->text);
        break;
    case SLG_LOGQL_STAGE_LABEL_FILTER:
        put_label_filter(out, stage->label_filter);
        break;
    case SLG_LOGQL_STAGE_LABEL_FORMAT:
        put_formats(out->buf, stage);
        break;
    case SLG_LOGQL_STAGE_DROP:
    case SLG_LOGQL_STAGE_KEEP:
        put_named(out->buf, stage);
        break;
    case SLG_LOGQL_STAGE_UNPACK:
    case SLG_LOGQL_STAGE_DECOLORIZE:
        break;
    }
}

/* ---- log queries and range aggregations ---- */

static void put_selector(struct slg_buf *buf, const struct slg_logql_log *log)
{
    put(buf, "{");
    for (size_t i = 0; i < log->matcher_count; i++) {
        if (i > 0)
            put(buf, ", ");
        put_matcher(buf, &log->matchers[i]);
    }
    put(buf, "}");
}

static void put_log(const struct printer *out, const struct slg_logql_log *log)
{
    put_selector(out->buf, log);
    for (size_t i = 0; i < log->stage_count; i++) {
        put(out->buf, " ");
        put_stage(out, &log->stages[i]);
    }
}

static void put_unwrap_label(struct slg_buf *buf, const struct slg_logql_unwrap *unwrap)
{
    put(buf, "| unwrap ");
    put(buf, slg_logql_conversion_text(unwrap->conversion));
    if (unwrap->conversion != SLG_LOGQL_CONVERSION_NONE)
        put(buf, "(");
    put_str(buf, unwrap->label);
    if (unwrap->conversion != SLG_LOGQL_CONVERSION_NONE)
        put(buf, ")");
}

static void put_labels(struct slg_buf *buf, size_t count, const struct slg_logql_str *labels,
                       const char *separator)
{
    put(buf, "(");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            put(buf, separator);
        put_str(buf, labels[i]);
    }
    put(buf, ")");
}

static void put_grouping(struct slg_buf *buf, const struct slg_logql_grouping *grouping,
                         const char *separator)
{
    if (!grouping->present)
        return;
    put(buf, grouping->without ? " without " : " by ");
    put_labels(buf, grouping->label_count, grouping->labels, separator);
}

static void put_range(const struct printer *out, const struct slg_logql_range_aggregation *range)
{
    put(out->buf, slg_logql_range_op_text(range->op));
    put(out->buf, "(");
    if (range->op == SLG_LOGQL_RANGE_QUANTILE) {
        slg_logql_print_float_plain(out->buf, range->parameter);
        put(out->buf, ",");
    }
    put_log(out, &range->log);
    if (range->unwrap.present) {
        put(out->buf, " ");
        put_unwrap_label(out->buf, &range->unwrap);
        for (size_t i = 0; i < range->unwrap.post_filter_count; i++) {
            put(out->buf, " | ");
            put_label_filter(out, range->unwrap.post_filters[i]);
        }
    }
    put(out->buf, "[");
    slg_logql_print_prom_duration(out->buf, range->range_ns);
    put(out->buf, "]");
    if (range->offset_ns != 0) {
        put(out->buf, " offset ");
        slg_logql_print_go_duration(out->buf, range->offset_ns);
    }
    put(out->buf, ")");
    put_grouping(out->buf, &range->grouping, ",");
}

/* ---- expressions ---- */

static void put_expr(const struct printer *out, const struct slg_logql_expr *expr);

static void put_vector(const struct printer *out, const struct slg_logql_vector_aggregation *vector)
{
    put(out->buf, slg_logql_vector_op_text(vector->op));
    put_grouping(out->buf, &vector->grouping, ",");
    put(out->buf, "(");
    if (vector->k > 0)
        slg_buf_printf(out->buf, "%" PRId64 ",", vector->k);
    put_expr(out, vector->inner);
    put(out->buf, ")");
}

static bool has_matching(const struct slg_logql_binary *binary)
{
    return binary->on || binary->label_count > 0 || binary->cardinality != SLG_LOGQL_ONE_TO_ONE;
}

/* "/ bool on (a,b) group_left (c)"; Loki leaves a blank behind the labels whether or not a group follows. */
static void put_binary_op(const struct printer *out, const struct slg_logql_binary *binary,
                          const char *separator)
{
    struct slg_buf *buf = out->buf;

    put(buf, slg_logql_binary_op_text(binary->op));
    if (binary->is_bool)
        put(buf, " bool");
    if (!has_matching(binary))
        return;
    put(buf, binary->on ? " on " : " ignoring ");
    put_labels(buf, binary->label_count, binary->labels, separator);
    put(buf, " ");
    if (binary->cardinality == SLG_LOGQL_ONE_TO_ONE)
        return;
    put(buf, binary->cardinality == SLG_LOGQL_MANY_TO_ONE ? "group_left" : "group_right");
    /* A parenthesis of the right side would be read as a list of labels: Loki prints such queries wrong. */
    if (binary->include_count > 0 || out->exact || binary->rhs->kind == SLG_LOGQL_EXPR_BINARY) {
        put(buf, " ");
        put_labels(buf, binary->include_count, binary->includes, separator);
    }
}

static void put_label_replace(const struct printer *out,
                              const struct slg_logql_label_replace *replace)
{
    const struct slg_logql_str *const parts[] = { &replace->dst, &replace->replacement,
                                                  &replace->src, &replace->regex };

    put(out->buf, "label_replace(");
    put_expr(out, replace->inner);
    for (size_t i = 0; i < SLG_ARRAY_LEN(parts); i++) {
        put(out->buf, ",");
        print_quoted(out->buf, *parts[i]);
    }
    put(out->buf, ")");
}

static void put_expr(const struct printer *out, const struct slg_logql_expr *expr)
{
    switch (expr->kind) {
    case SLG_LOGQL_EXPR_LOG:
        put_log(out, &expr->log);
        break;
    case SLG_LOGQL_EXPR_RANGE_AGGREGATION:
        put_range(out, &expr->range);
        break;
    case SLG_LOGQL_EXPR_VECTOR_AGGREGATION:
        put_vector(out, &expr->vector);
        break;
    case SLG_LOGQL_EXPR_BINARY:
        put(out->buf, "(");
        put_expr(out, expr->binary.lhs);
        put(out->buf, " ");
        put_binary_op(out, &expr->binary, ",");
        put(out->buf, " ");
        put_expr(out, expr->binary.rhs);
        put(out->buf, ")");
        break;
    case SLG_LOGQL_EXPR_LITERAL:
        put_literal(out, expr->number);
        break;
    case SLG_LOGQL_EXPR_VECTOR:
        put(out->buf, "vector(");
        if (out->exact)
            slg_logql_print_float_plain(out->buf, expr->number);
        else
            slg_buf_printf(out->buf, "%f", expr->number);
        put(out->buf, ")");
        break;
    case SLG_LOGQL_EXPR_LABEL_REPLACE:
        put_label_replace(out, &expr->label_replace);
        break;
    }
}

void slg_logql_print(struct slg_buf *buf, const struct slg_logql_expr *expr)
{
    put_expr(&(struct printer){ buf, true }, expr);
}

void slg_logql_print_log(struct slg_buf *buf, const struct slg_logql_log *log)
{
    put_log(&(struct printer){ buf, true }, log);
}

void slg_logql_print_stage(struct slg_buf *buf, const struct slg_logql_stage *stage)
{
    put_stage(&(struct printer){ buf, false }, stage);
}

/* ---- Loki's prettier (pkg/logql/syntax/prettier.go) ---- */

#define LINE_BYTES_MAX ((size_t)100)

/* Loki's own text of the expression is longer than a line. */
static bool needs_split(const struct slg_logql_expr *expr)
{
    struct slg_buf line;
    bool split;

    slg_buf_init(&line, LINE_BYTES_MAX);
    put_expr(&(struct printer){ &line, false }, expr);
    split = slg_buf_failed(&line);
    slg_buf_fini(&line);
    return split;
}

static void indent(struct slg_buf *buf, unsigned level)
{
    while (level-- > 0)
        put(buf, "  ");
}

/* How many of the line filters from stages[0] on fit into one line; at least 1. */
static size_t fitting_line_filters(const struct slg_logql_stage *stages, size_t count)
{
    struct slg_buf line;
    size_t n = 0;

    slg_buf_init(&line, LINE_BYTES_MAX);
    for (; n < count; n++) {
        if (n > 0)
            put(&line, " ");
        put_line_filter(&line, &stages[n].line_filter);
        if (slg_buf_failed(&line))
            break;
    }
    slg_buf_fini(&line);
    return n == 0 ? 1 : n;
}

/* Line filters in a row are one stage to Loki: as many as fit stand in one line, the rest in a line each. */
static void pretty_line_filters(struct slg_buf *buf, const struct slg_logql_stage *stages,
                                size_t count, unsigned level)
{
    size_t in_first = fitting_line_filters(stages, count);

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || i >= in_first) {
            put(buf, i == 0 ? "" : "\n");
            indent(buf, level);
        } else {
            put(buf, " ");
        }
        put_line_filter(buf, &stages[i].line_filter);
    }
}

static void pretty_log(struct slg_buf *buf, const struct slg_logql_log *log, unsigned level)
{
    const struct slg_logql_expr expr = { .kind = SLG_LOGQL_EXPR_LOG, .log = *log };
    const struct printer out = { buf, false };
    size_t i = 0;

    indent(buf, level);
    if (log->stage_count == 0 || !needs_split(&expr)) {
        put_log(&out, log);
        return;
    }
    put_selector(buf, log);
    while (i < log->stage_count) {
        size_t n = 0;

        put(buf, "\n");
        while (i + n < log->stage_count && log->stages[i + n].kind == SLG_LOGQL_STAGE_LINE_FILTER)
            n++;
        if (n > 0) {
            pretty_line_filters(buf, &log->stages[i], n, level + 1);
            i += n;
            continue;
        }
        if (log->stages[i].kind != SLG_LOGQL_STAGE_DECOLORIZE) /* which Loki forgets to indent */
            indent(buf, level + 1);
        put_stage(&out, &log->stages[i]);
        i++;
    }
}

static void pretty_range(struct slg_buf *buf, const struct slg_logql_range_aggregation *range,
                         unsigned level)
{
    const struct printer out = { buf, false };

    put(buf, slg_logql_range_op_text(range->op));
    put(buf, "(\n");
    if (range->op == SLG_LOGQL_RANGE_QUANTILE) {
        indent(buf, level + 1);
        slg_logql_print_float(buf, range->parameter);
        put(buf, ",\n");
    }
    pretty_log(buf, &range->log, level + 1);
    if (range->unwrap.present) {
        put(buf, "\n");
        indent(buf, level + 2);
        put_unwrap_label(buf, &range->unwrap);
        for (size_t i = 0; i < range->unwrap.post_filter_count; i++) {
            put(buf, "\n");
            indent(buf, level + 2);
            put(buf, "| ");
            put_label_filter(&out, range->unwrap.post_filters[i]);
        }
    }
    put(buf, " [");
    slg_logql_print_prom_duration(buf, range->range_ns);
    put(buf, "]");
    if (range->offset_ns != 0) {
        put(buf, " offset ");
        slg_logql_print_prom_duration(buf, range->offset_ns);
    }
    put(buf, "\n");
    indent(buf, level);
    put(buf, ")");
    put_grouping(buf, &range->grouping, ", ");
}

static void pretty(struct slg_buf *buf, const struct slg_logql_expr *expr, unsigned level);

/* One side of a split binary expression. Loki drops the parentheses here, and with them the meaning; we keep those
 * that are needed. */
static void pretty_side(struct slg_buf *buf, const struct slg_logql_binary *parent, bool is_rhs,
                        unsigned level)
{
    const struct slg_logql_expr *side = is_rhs ? parent->rhs : parent->lhs;
    bool right_associative = parent->op == SLG_LOGQL_BINARY_POW;
    unsigned mine = slg_logql_binary_op_precedence(parent->op);
    unsigned theirs;

    if (side->kind != SLG_LOGQL_EXPR_BINARY || !needs_split(side)) {
        pretty(buf, side, level);
        return;
    }
    theirs = slg_logql_binary_op_precedence(side->binary.op);
    if (theirs > mine || (theirs == mine && is_rhs == right_associative)) {
        pretty(buf, side, level);
        return;
    }
    indent(buf, level);
    put(buf, "(\n");
    pretty(buf, side, level + 1);
    put(buf, "\n");
    indent(buf, level);
    put(buf, ")");
}

static void pretty_vector(struct slg_buf *buf, const struct slg_logql_vector_aggregation *vector,
                          unsigned level)
{
    put(buf, slg_logql_vector_op_text(vector->op));
    put_grouping(buf, &vector->grouping, ", ");
    put(buf, "(\n");
    if (vector->k > 0) {
        indent(buf, level + 1);
        slg_buf_printf(buf, "%" PRId64 ",\n", vector->k);
    }
    pretty(buf, vector->inner, level + 1);
    put(buf, "\n");
    indent(buf, level);
    put(buf, ")");
}

static void pretty_label_replace(struct slg_buf *buf, const struct slg_logql_label_replace *replace,
                                 unsigned level)
{
    const struct slg_logql_str *const parts[] = { &replace->dst, &replace->replacement,
                                                  &replace->src, &replace->regex };

    put(buf, "label_replace(\n");
    pretty(buf, replace->inner, level + 1);
    for (size_t i = 0; i < SLG_ARRAY_LEN(parts); i++) {
        put(buf, ",\n");
        indent(buf, level + 1);
        print_quoted(buf, *parts[i]);
    }
    put(buf, "\n");
    indent(buf, level);
    put(buf, ")");
}

static void pretty(struct slg_buf *buf, const struct slg_logql_expr *expr, unsigned level)
{
    if (expr->kind == SLG_LOGQL_EXPR_LOG) {
        pretty_log(buf, &expr->log, level);
        return;
    }
    if (expr->kind == SLG_LOGQL_EXPR_BINARY && needs_split(expr)) {
        pretty_side(buf, &expr->binary, /* is_rhs= */ false, level + 1);
        put(buf, "\n");
        indent(buf, level);
        put_binary_op(&(struct printer){ buf, false }, &expr->binary, ", ");
        put(buf, "\n");
        pretty_side(buf, &expr->binary, /* is_rhs= */ true, level + 1);
        return;
    }
    indent(buf, level);
    if (!needs_split(expr))
        put_expr(&(struct printer){ buf, false }, expr);
    else if (expr->kind == SLG_LOGQL_EXPR_RANGE_AGGREGATION)
        pretty_range(buf, &expr->range, level);
    else if (expr->kind == SLG_LOGQL_EXPR_VECTOR_AGGREGATION)
        pretty_vector(buf, &expr->vector, level);
    else if (expr->kind == SLG_LOGQL_EXPR_LABEL_REPLACE)
        pretty_label_replace(buf, &expr->label_replace, level);
    else
        put_expr(&(struct printer){ buf, false }, expr); /* a literal or a vector() */
}

void slg_logql_pretty(struct slg_buf *buf, const struct slg_logql_expr *expr)
{
    pretty(buf, expr, 0);
}
