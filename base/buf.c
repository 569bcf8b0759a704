#include "base/buf.h"

#include <stdarg.h>

#include "base/utf8.h"

#define CAPACITY_MIN ((size_t)256)

void slg_buf_init(struct slg_buf *buf, size_t bytes_max)
{
    SLG_ASSERT(bytes_max > 0);
    *buf = (struct slg_buf){ .bytes_max = bytes_max };
}

void slg_buf_fini(struct slg_buf *buf)
{
    free(buf->data);
    *buf = (struct slg_buf){ .bytes_max = buf->bytes_max };
}

void slg_buf_clear(struct slg_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

bool slg_buf_failed(const struct slg_buf *buf)
{
    return buf->failed;
}

void slg_buf_trim(struct slg_buf *buf)
{
    uint8_t *data;

    if (buf->len == 0 || buf->len == buf->capacity)
        return;
    data = realloc(buf->data, buf->len);
    if (data == NULL)
        return; /* it stays as it is */
    buf->data = data;
    buf->capacity = buf->len;
}

bool slg_buf_reserve(struct slg_buf *buf, size_t more)
{
    size_t capacity = buf->capacity < CAPACITY_MIN ? CAPACITY_MIN : buf->capacity;
    uint8_t *data;

    if (buf->failed)
        return false;
    if (more <= buf->capacity - buf->len)
        return true;
    if (more > buf->bytes_max - buf->len) {
        buf->failed = true;
        return false;
    }
    while (capacity - buf->len < more)
        capacity *= 2; /* cannot overflow: bytes_max is far below SIZE_MAX / 2 */
    if (capacity > buf->bytes_max)
        capacity = buf->bytes_max;
    data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void slg_buf_append(struct slg_buf *buf, const void *bytes, size_t len)
{
    if (len == 0 || !slg_buf_reserve(buf, len))
        return;
    memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
}

void slg_buf_append_text(struct slg_buf *buf, const char *text)
{
    slg_buf_append(buf, text, strlen(text));
}

void slg_buf_append_byte(struct slg_buf *buf, uint8_t byte)
{
    if (slg_buf_reserve(buf, 1))
        buf->data[buf->len++] = byte;
}

static void append_be(struct slg_buf *buf, uint64_t value, size_t byte_count)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < byte_count; i++)
        bytes[i] = (uint8_t)(value >> (8 * (byte_count - 1 - i)));
    slg_buf_append(buf, bytes, byte_count);
}

void slg_buf_append_u16be(struct slg_buf *buf, uint16_t value)
{
    append_be(buf, value, 2);
}

void slg_buf_append_u32be(struct slg_buf *buf, uint32_t value)
{
    append_be(buf, value, 4);
}

void slg_buf_append_u64be(struct slg_buf *buf, uint64_t value)
{
    append_be(buf, value, 8);
}

void slg_buf_append_varint(struct slg_buf *buf, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    slg_buf_append(buf, bytes, len);
}

void slg_buf_append_varint_signed(struct slg_buf *buf, int64_t value)
{
    slg_buf_append_varint(buf, ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

void slg_buf_printf(struct slg_buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (!slg_buf_reserve(buf, (size_t)len + 1))
        return;
    va_start(args, format);
    (void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format,
                    args); /* measured above */
    va_end(args);
    buf->len += (size_t)len;
}

static void append_json_escape(struct slg_buf *buf, uint8_t byte)
{
    switch (byte) {
    case '"':
        slg_buf_append(buf, "\\\"", 2);
        return;
    case '\\':
        slg_buf_append(buf, "\\\\", 2);
        return;
    case '\n':
        slg_buf_append(buf, "\\n", 2);
        return;
    case '\r':
        slg_buf_append(buf, "\\r", 2);
        return;
    case '\t':
        slg_buf_append(buf, "\\t", 2);
        return;
    default:
        slg_buf_printf(buf, "\\u%04x", byte);
    }
}

void slg_buf_append_json(struct slg_buf *buf, const void *bytes, size_t len)
{
    const uint8_t *text = bytes;
    size_t plain = 0; /* start of the run that is copied as it is */
    size_t at = 0;

    slg_buf_append_byte(buf, '"');
    while (at < len) {
        size_t step = 1;

        if (text[at] >= 0x20 && text[at] < 0x80 && text[at] != '"' && text[at] != '\\') {
            at++;
            continue;
        }
        if (text[at] >= 0x80 && slg_utf8_check(text + at, len - at, &step)) {
            at += step;
            continue;
        }
        slg_buf_append(buf, text + plain, at - plain);
        if (text[at] < 0x80) {
            append_json_escape(buf, text[at]);
            step = 1;
        } else {
            slg_buf_append(buf, "\xEF\xBF\xBD", 3);
        }
        at += step;
        plain = at;
    }
    slg_buf_append(buf, text + plain, at - plain);
    slg_buf_append_byte(buf, '"');
}

void slg_buf_append_json_text(struct slg_buf *buf, const char *text)
{
    slg_buf_append_json(buf, text, strlen(text));
}
