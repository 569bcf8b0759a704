#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/utf8.h"

/* Concurrency
 *   settings   any thread   atomics; a line may still use the values of a moment ago
 *   struct line  its caller   on the stack */

#define LINE_BYTES_MAX   4096
#define VALUE_BYTES_MAX  2048
#define KEY_BYTES_MAX    64
/* The longest escape, \u001f or a code point, and the closing quote. */
#define ESCAPE_BYTES_MAX 7
/* What surrounds a key, and the longest number. */
#define FIELD_BYTES_MIN  40
/* What ends a line that was cut; the first of a pair is for key=value, the second for JSON. */
#define CUT_TEXT         " cut=true"
#define CUT_TEXT_JSON    ",\"cut\":true"

static struct {
    _Atomic int level;
    _Atomic int format;
    _Atomic int fd;
} settings = { SLG_LOG_INFO, SLG_LOG_KEY_VALUE, STDERR_FILENO };

struct line {
    char text[LINE_BYTES_MAX];
    size_t len;
    size_t len_max; /* keeps room for what ends the line */
    bool cut;       /* a field was cut or left out: no more are added */
    bool json;
};

void slg_log_setup(enum slg_log_level level, enum slg_log_format format, int fd)
{
    atomic_store(&settings.level, (int)level);
    atomic_store(&settings.format, (int)format);
    atomic_store(&settings.fd, fd);
}

bool slg_log_enabled(enum slg_log_level level)
{
    return (int)level <= atomic_load_explicit(&settings.level, memory_order_relaxed);
}

static const char *level_name(enum slg_log_level level)
{
    switch (level) {
    case SLG_LOG_ERROR:
        return "error";
    case SLG_LOG_WARN:
        return "warn";
    case SLG_LOG_INFO:
        return "info";
    case SLG_LOG_DEBUG:
        return "debug";
    }
    return "unknown";
}

/* Callers have checked the room. */
static void add_bytes(struct line *line, const char *bytes, size_t len)
{
    SLG_ASSERT(len <= sizeof(line->text) - line->len);
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void add_text(struct line *line, const char *text)
{
    add_bytes(line, text, strlen(text));
}

/* Both formats escape alike, as JSON strings do. A text that is too long for the line
 * is cut between two characters and still gets its closing quote. */
static void add_quoted(struct line *line, const char *bytes, size_t len)
{
    add_text(line, "\"");
    for (size_t at = 0, step; at < len && !line->cut; at += step) {
        uint8_t byte = (uint8_t)bytes[at];
        char escape[8];

        step = 1;
        if (line->len_max - line->len <= ESCAPE_BYTES_MAX) {
            line->cut = true;
            break;
        }
        if (byte == '"' || byte == '\\') {
            escape[0] = '\\';
            escape[1] = (char)byte;
            add_bytes(line, escape, 2);
        } else if (byte < 0x20 || byte == 0x7F) {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", byte); /* six bytes */
            add_text(line, byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : escape);
        } else if (slg_utf8_check((const uint8_t *)bytes + at, len - at, &step)) {
            add_bytes(line, bytes + at, step);
        } else {
            add_bytes(line, "\xEF\xBF\xBD", 3);
        }
    }
    add_text(line, "\"");
}

static bool needs_quotes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)bytes[i];

        if (byte <= 0x20 || byte >= 0x7F || byte == '"' || byte == '\\' || byte == '=')
            return true;
    }
    return len == 0;
}

static void add_field(struct line *line, const char *key, const char *value, size_t len,
                      bool number)
{
    if (line->cut || line->len_max - line->len < strlen(key) + FIELD_BYTES_MIN) {
        line->cut = true;
        return;
    }
    if (line->json) {
        add_text(line, line->len == 0 ? "{\"" : ",\"");
        add_text(line, key);
        add_text(line, "\":");
    } else {
        if (line->len > 0)
            add_text(line, " ");
        add_text(line, key);
        add_text(line, "=");
    }
    if (number || (!line->json && !needs_quotes(value, len) && len < line->len_max - line->len))
        add_bytes(line, value, len);
    else
        add_quoted(line, value, len);
}

static void start_line(struct line *line, enum slg_log_level level)
{
    int64_t now_ns = slg_clock_wall_ns(slg_clock_system());
    time_t seconds = (time_t)(now_ns / SLG_NS_PER_SEC);
    const char *name = level_name(level);
    char stamp[40];
    struct tm tm;
    size_t len;

    line->len = 0;
    line->len_max = sizeof(line->text) - sizeof(CUT_TEXT_JSON "}\n");
    line->cut = false;
    line->json = atomic_load_explicit(&settings.format, memory_order_relaxed) == SLG_LOG_JSON;
    (void)gmtime_r(&seconds, &tm); /* cannot fail before the year 2^31 */
    len = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(stamp + len, sizeof(stamp) - len, ".%03dZ",
                   (int)(now_ns % SLG_NS_PER_SEC / SLG_NS_PER_MS)); /* five bytes */
    add_field(line, "ts", stamp, strlen(stamp), false);
    add_field(line, "level", name, strlen(name), false);
}

static void end_line(struct line *line)
{
    int fd = atomic_load_explicit(&settings.fd, memory_order_relaxed);
    ssize_t written;

    if (line->cut)
        add_text(line, line->json ? CUT_TEXT_JSON : CUT_TEXT);
    add_text(line, line->json ? "}\n" : "\n");
    written = write(fd, line->text, line->len);
    (void)written; /* nobody is left to tell when stderr is gone, and a half line does no harm */
}

/* One value, made from the conversions of one field. */
struct value {
    char text[VALUE_BYTES_MAX];
    size_t len;
};

/* What snprintf said it wanted to write; more than there was room for is cut. */
static void value_grew(struct value *value, int len)
{
    size_t left = sizeof(value->text) - 1 - value->len;

    if (len > 0)
        value->len += (size_t)len < left ? (size_t)len : left;
}

static void value_add(struct value *value, const char *bytes, size_t len)
{
    size_t left = sizeof(value->text) - 1 - value->len;

    if (len > left)
        len = left;
    memcpy(value->text + value->len, bytes, len);
    value->len += len;
}

/* va_list may be an array type: a struct can be passed by address everywhere. */
struct arguments {
    va_list list;
};

static void convert_text(struct value *value, struct arguments *args, bool has_length)
{
    int length = has_length ? va_arg(args->list, int) : -1;
    const char *text = va_arg(args->list, const char *);

    if (text == NULL)
        value_add(value, "-", 1);
    else if (has_length)
        value_add(value, text, length < 0 ? 0 : (size_t)length);
    else
        value_add(value, text, strnlen(text, VALUE_BYTES_MAX));
}

/* size is the length modifier: 'H' for hh, 'L' for ll, 'h' 'l' 'z' 'j' 't' as written, 0 for none. */
static int64_t signed_argument(struct arguments *args, char size)
{
    switch (size) {
    case 'l':
        return va_arg(args->list, long);
    case 'L':
        return va_arg(args->list, long long);
    case 'j':
        return va_arg(args->list, intmax_t);
    case 'z':
        return va_arg(args->list, ssize_t);
    case 't':
        return va_arg(args->list, ptrdiff_t);
    default: /* h and hh were promoted to int */
        return va_arg(args->list, int);
    }
}

static uint64_t unsigned_argument(struct arguments *args, char size)
{
    switch (size) {
    case 'l':
        return va_arg(args->list, unsigned long);
    case 'L':
        return va_arg(args->list, unsigned long long);
    case 'j':
        return va_arg(args->list, uintmax_t);
    case 'z':
        return va_arg(args->list, size_t);
    case 't':
        return (uint64_t)va_arg(args->list, ptrdiff_t);
    default:
        return va_arg(args->list, unsigned);
    }
}

static char take_size(const char **at)
{
    char size = **at;

    if (size == '\0' || strchr("hlzjt", size) == NULL)
        return 0;
    (*at)++;
    if (**at != size)
        return size;
    (*at)++;
    return size == 'h' ? 'H' : 'L';
}

/* Flags, width and precision of numbers as written, for snprintf: "%016", "%.3". */
static void take_flags(const char **at, char spec[16])
{
    size_t len = 1;

    spec[0] = '%';
    while (**at != '\0' && strchr("0123456789.-+#", **at) != NULL) {
        SLG_ASSERT(len < 10);
        spec[len++] = *(*at)++;
    }
    spec[len] = '\0';
}

static void convert_number(struct value *value, struct arguments *args, const char *flags,
                           char size, char kind)
{
    char *out = value->text + value->len;
    size_t left = sizeof(value->text) - value->len;
    char spec[24];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* spec is made here from checked parts */
    switch (kind) {
    case 'd':
    case 'i':
        (void)snprintf(spec, sizeof(spec), "%sjd", flags);
        value_grew(value, snprintf(out, left, spec, (intmax_t)signed_argument(args, size)));
        break;
    case 'u':
    case 'x':
    case 'X':
        (void)snprintf(spec, sizeof(spec), "%sj%c", flags, kind);
        value_grew(value, snprintf(out, left, spec, (uintmax_t)unsigned_argument(args, size)));
        break;
    default: /* f, g */
        (void)snprintf(spec, sizeof(spec), "%s%c", flags, kind);
        value_grew(value, snprintf(out, left, spec, va_arg(args->list, double)));
    }
#pragma GCC diagnostic pop
}

/* at stands after '%'. *ret_number: the conversion prints something that is a JSON number. */
static const char *convert(struct value *value, const char *at, struct arguments *args,
                           bool *ret_number)
{
    char flags[16];
    char size;

    *ret_number = false;
    if (*at == '%') {
        value_add(value, "%", 1);
        return at + 1;
    }
    if (at[0] == '.' && at[1] == '*' && at[2] == 's') {
        convert_text(value, args, true);
        return at + 3;
    }
    if (*at == 's') {
        convert_text(value, args, false);
        return at + 1;
    }
    if (*at == 'c') {
        char byte = (char)va_arg(args->list, int);

        value_add(value, &byte, 1);
        return at + 1;
    }
    take_flags(&at, flags);
    size = take_size(&at);
    SLG_ASSERT(*at != '\0');
    SLG_ASSERT(strchr("diuxXfg", *at) != NULL);
    *ret_number = (*at == 'd' || *at == 'i' || *at == 'u') && flags[1] == '\0';
    convert_number(value, args, flags, size, *at);
    return at + 1;
}

/* The length of "key" when a field "key=" starts here, else 0. */
static size_t key_length(const char *at)
{
    size_t len = 0;

    while ((at[len] >= 'a' && at[len] <= 'z') || (at[len] >= '0' && at[len] <= '9') ||
           at[len] == '_')
        len++;
    return at[len] == '=' ? len : 0;
}

/* Format up to the next word that starts a field, or (in a field) to the next space. */
static const char *take_value(struct value *value, const char *at, bool message,
                              struct arguments *args, bool *ret_number)
{
    const char *start = at;
    unsigned parts = 0;
    bool number = false;

    value->len = 0;
    while (*at != '\0') {
        if (*at == ' ' && (!message || key_length(at + 1) > 0))
            break;
        if (message && at == start && key_length(at) > 0)
            break;
        parts++;
        if (*at == '%') {
            at = convert(value, at + 1, args, &number);
        } else {
            value_add(value, at, 1);
            number = false;
            at++;
        }
    }
    *ret_number = number && parts == 1;
    return at;
}

static void write_fields(struct line *line, const char *format, struct arguments *args)
{
    const char *at = format;
    struct value value;
    bool number;

    at = take_value(&value, at, true, args, &number);
    add_field(line, "msg", value.text, value.len, false);
    while (*at != '\0') {
        char key[KEY_BYTES_MAX];
        size_t len;

        while (*at == ' ')
            at++;
        len = key_length(at);
        if (len == 0 && *at == '\0')
            break;
        SLG_ASSERT(len > 0); /* words without key= after the first field */
        SLG_ASSERT(len < sizeof(key));
        memcpy(key, at, len);
        key[len] = '\0';
        at = take_value(&value, at + len + 1, false, args, &number);
        add_field(line, key, value.text, value.len, number);
    }
}

void slg_log_write(enum slg_log_level level, const char *format, ...)
{
    int errno_before = errno;
    struct arguments args;
    struct line line;

    start_line(&line, level);
    va_start(args.list, format);
    write_fields(&line, format, &args);
    va_end(args.list);
    end_line(&line);
    errno = errno_before;
}

void slg_log_failure(enum slg_log_level level, const char *message, const struct slg_error *err)
{
    const char *status = slg_status_text(err->status);
    int errno_before = errno;
    struct line line;

    if (!slg_log_enabled(level))
        return;
    start_line(&line, level);
    add_field(&line, "msg", message, strlen(message), false);
    add_field(&line, "error", err->message, strlen(err->message), false);
    if (err->hint[0] != '\0')
        add_field(&line, "hint", err->hint, strlen(err->hint), false);
    add_field(&line, "status", status, strlen(status), false);
    end_line(&line);
    errno = errno_before;
}

bool slg_log_limit_allow(struct slg_log_limit *limit, int64_t now_mono_ns, uint64_t *ret_suppressed)
{
    int64_t next_ns = atomic_load_explicit(&limit->next_mono_ns, memory_order_relaxed);

    SLG_ASSERT(limit->interval_ns > 0);
    /* One of several threads that come at once wins the exchange and speaks. */
    if ((next_ns != 0 && now_mono_ns < next_ns) ||
        !atomic_compare_exchange_strong(&limit->next_mono_ns, &next_ns,
                                        now_mono_ns + limit->interval_ns)) {
        atomic_fetch_add_explicit(&limit->suppressed_count, 1, memory_order_relaxed);
        return false;
    }
    *ret_suppressed = atomic_exchange(&limit->suppressed_count, 0);
    return true;
}
