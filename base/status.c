#include "base/status.h"

#include <stdarg.h>

const char *slg_status_text(enum slg_status status)
{
    switch (status) {
#define X(name, text)                                                                              \
    case SLG_##name:                                                                               \
        return text;
        SLG_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

/* A text that was cut must not end inside a code point: it may go into JSON. */
static void mark_cut(char *text, size_t size)
{
    static const char dots[] = "...";
    size_t end = size - sizeof(dots);

    while (end > 0 && ((unsigned char)text[end] & 0xC0U) == 0x80U)
        end--;
    memcpy(text + end, dots, sizeof(dots));
}

SLG_PRINTF(3, 0)
static void format_text(char *text, size_t size, const char *format, va_list args)
{
    int written = vsnprintf(text, size, format, args);

    if (written < 0)
        text[0] = '\0';
    else if ((size_t)written >= size)
        mark_cut(text, size);
}

SLG_PRINTF(4, 0)
static void fill(struct slg_error *error, enum slg_status status, const char *hint,
                 const char *format, va_list args)
{
    format_text(error->message, sizeof(error->message), format, args);
    error->status = status;
    (void)snprintf(error->hint, sizeof(error->hint), "%s", hint); /* hints are ours and short */
}

enum slg_status(slg_errorf)(struct slg_error *reterr, enum slg_status status, const char *format,
                            ...)
{
    va_list args;

    if (reterr == NULL)
        return status;
    va_start(args, format);
    fill(reterr, status, "", format, args);
    va_end(args);
    return status;
}

enum slg_status(slg_error_hintf)(struct slg_error *reterr, enum slg_status status, const char *hint,
                                 const char *format, ...)
{
    va_list args;

    if (reterr == NULL)
        return status;
    va_start(args, format);
    fill(reterr, status, hint, format, args);
    va_end(args);
    return status;
}

enum slg_status slg_error_context(struct slg_error *reterr, const char *format, ...)
{
    char text[sizeof(reterr->message)];
    char context[128];
    va_list args;

    if (reterr == NULL)
        return SLG_INVALID;
    va_start(args, format);
    format_text(context, sizeof(context), format, args);
    va_end(args);
    if ((size_t)snprintf(text, sizeof(text), "%s: %s", context, reterr->message) >= sizeof(text))
        mark_cut(text, sizeof(text));
    memcpy(reterr->message, text, sizeof(text));
    return reterr->status;
}
